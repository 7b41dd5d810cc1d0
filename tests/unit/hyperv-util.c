/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines under construction for the tests of the plan. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "hyperv-util.h"

const struct v2v_disk_evidence hyperv_test_bios_disk = {
  .size_bytes = 16 * V2V_GIB,
  .sector_bytes = 512,
  .table = V2V_TABLE_MBR,
  .nr_partitions = 1,
  .boot_code = true,
  .active_partition = true,
  .bios_loader = "grub",
};
const struct v2v_disk_evidence hyperv_test_efi_disk = {
  .size_bytes = 16 * V2V_GIB,
  .sector_bytes = 512,
  .table = V2V_TABLE_GPT,
  .nr_partitions = 2,
  .esp = true,
  .esp_readable = true,
  .fallback_loader = true,
  .shim_loader = true,
};
const struct v2v_disk_evidence hyperv_test_data_disk = {
  .size_bytes = 100 * V2V_GIB,
  .sector_bytes = 512,
  .table = V2V_TABLE_MBR,
  .nr_partitions = 1,
};

int
hyperv_test_setup (void **state)
{
  struct hyperv_test *f = calloc (1, sizeof *f);

  f->m = v2v_machine_new (NULL);
  f->m->name = strdup ("web 1");
  f->m->os_id = strdup ("debian10-64");
  f->m->memory_bytes = V2V_GIB;
  f->m->firmware_stated = true;
  *state = f;
  return 0;
}

int
hyperv_test_teardown (void **state)
{
  struct hyperv_test *f = *state;

  v2v_hyperv_plan_free (f->plan);
  v2v_machine_free (f->m);
  v2v_error_free (f->err);
  free (f);
  return 0;
}

struct v2v_disk *
hyperv_test_add_disk (struct hyperv_test *f,
                      const struct v2v_disk_evidence *evidence)
{
  const size_t i = f->m->nr_disks;
  struct v2v_disk *d = v2v_machine_add_disk (f->m);

  assert_true (i < HYPERV_TEST_MAX_DISKS);
  assert_true (asprintf (&d->id, "scsi0:%zu", i) > 0);
  d->bus = V2V_BUS_SCSI;
  d->unit = (unsigned) i;
  d->capacity_bytes = V2V_GIB;
  if (evidence != NULL) {
    f->ev[i] = *evidence;
    f->list[i] = &f->ev[i];
  }
  return d;
}

struct v2v_nic *
hyperv_test_add_nic (struct hyperv_test *f, const char *network,
                     const char *mac)
{
  const size_t i = f->m->nr_nics;
  struct v2v_nic *n = v2v_machine_add_nic (f->m);

  assert_true (asprintf (&n->id, "ethernet%zu", i) > 0);
  n->network = network ? strdup (network) : NULL;
  n->mac = mac ? strdup (mac) : NULL;
  return n;
}

void
hyperv_test_set_os (struct hyperv_test *f, const char *id)
{
  free (f->m->os_id);
  f->m->os_id = id ? strdup (id) : NULL;
}

const struct v2v_hyperv_plan *
hyperv_test_plan (struct hyperv_test *f)
{
  v2v_hyperv_plan_free (f->plan);
  f->plan =
      v2v_hyperv_plan_new (f->m, f->list, f->m->nr_disks, &f->opts, &f->err);
  assert_ptr (f->plan, f->err);
  return f->plan;
}

void
hyperv_test_refused (struct hyperv_test *f, enum v2v_error_code code,
                     const char *text)
{
  v2v_hyperv_plan_free (f->plan);
  f->plan =
      v2v_hyperv_plan_new (f->m, f->list, f->m->nr_disks, &f->opts, &f->err);
  assert_null (f->plan);
  assert_error (&f->err, code, text);
}

void
hyperv_test_assert_place (const struct v2v_hyperv_place *p,
                          enum v2v_hyperv_bus bus, unsigned controller,
                          unsigned location)
{
  assert_int_equal (p->bus, bus);
  assert_int_equal (p->controller, controller);
  assert_int_equal (p->location, location);
}
