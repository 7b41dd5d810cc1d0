/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_machine: making, freeing, sorting. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/machine.h"

struct v2v_machine *
v2v_machine_new (struct v2v_error **err)
{
  struct v2v_machine *m = calloc (1, sizeof *m);

  if (m == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  m->nr_cpus = 1;
  return m;
}

/* Grow *LIST by one zeroed element of SIZE bytes.  Lists are short: grown in
 * steps of 8, so the capacity follows from the length.
 */
static void *
add (void **list, size_t *nr, size_t size)
{
  char *p = *list;

  if (*nr % 8 == 0) {
    p = reallocarray (p, *nr + 8, size);
    if (p == NULL)
      return NULL;
    *list = p;
  }
  memset (p + *nr * size, 0, size);
  return p + (*nr)++ * size;
}

#define ADD(m, list)                                              \
  __extension__ ({                                                            \
    void *_l = (m)->list;                                         \
    void *_e = add (&_l, &(m)->nr_##list, sizeof *(m)->list);     \
    (m)->list = _l;                                               \
    _e;                                                           \
  })

struct v2v_controller *
v2v_machine_add_controller (struct v2v_machine *m)
{
  return ADD (m, controllers);
}

struct v2v_disk *
v2v_machine_add_disk (struct v2v_machine *m)
{
  struct v2v_disk *d = ADD (m, disks);

  if (d != NULL)
    d->boot_order = -1;
  return d;
}

struct v2v_removable *
v2v_machine_add_removable (struct v2v_machine *m)
{
  return ADD (m, removables);
}

struct v2v_nic *
v2v_machine_add_nic (struct v2v_machine *m)
{
  struct v2v_nic *n = ADD (m, nics);

  if (n != NULL) {
    n->vlan = -1;
    n->connected = true;
  }
  return n;
}

struct v2v_serial *
v2v_machine_add_serial (struct v2v_machine *m)
{
  return ADD (m, serials);
}

struct v2v_property *
v2v_machine_add_property (struct v2v_machine *m)
{
  return ADD (m, properties);
}

void
v2v_machine_free (struct v2v_machine *m)
{
  if (m == NULL)
    return;
  free (m->name);
  free (m->annotation);
  free (m->os_id);
  free (m->os_description);
  free (m->uuid_bios);
  free (m->uuid_instance);
  free (m->hardware_version);
  free (m->source_kind);
  free (m->source_path);
  free (m->nvram_file);
  free (m->snapshot);
  for (size_t i = 0; i < m->nr_controllers; ++i) {
    free (m->controllers[i].model);
    free (m->controllers[i].source_id);
  }
  for (size_t i = 0; i < m->nr_disks; ++i) {
    struct v2v_disk *d = &m->disks[i];
    free (d->id);
    free (d->file);
    free (d->parent_id);
    free (d->format_uri);
    free (d->mode);
  }
  for (size_t i = 0; i < m->nr_removables; ++i)
    free (m->removables[i].file);
  for (size_t i = 0; i < m->nr_nics; ++i) {
    struct v2v_nic *n = &m->nics[i];
    free (n->id);
    free (n->model);
    free (n->network);
    free (n->mac);
  }
  for (size_t i = 0; i < m->nr_serials; ++i) {
    free (m->serials[i].kind);
    free (m->serials[i].path);
  }
  for (size_t i = 0; i < m->nr_properties; ++i) {
    free (m->properties[i].key);
    free (m->properties[i].label);
    free (m->properties[i].value);
  }
  for (size_t i = 0; m->boot_order != NULL && m->boot_order[i] != NULL; ++i)
    free (m->boot_order[i]);
  free (m->boot_order);
  free (m->controllers);
  free (m->disks);
  free (m->removables);
  free (m->nics);
  free (m->serials);
  free (m->properties);
  v2v_findings_clear (&m->findings);
  free (m);
}

static int
compare_disks (const void *va, const void *vb)
{
  const struct v2v_disk *a = va, *b = vb;

  if (a->bus != b->bus)
    return a->bus < b->bus ? -1 : 1;
  if (a->controller != b->controller)
    return a->controller < b->controller ? -1 : 1;
  if (a->unit != b->unit)
    return a->unit < b->unit ? -1 : 1;
  return 0;
}

void
v2v_machine_sort_disks (struct v2v_machine *m)
{
  if (m->nr_disks > 1)
    qsort (m->disks, m->nr_disks, sizeof *m->disks, compare_disks);
}

const char *
v2v_bus_name (enum v2v_bus bus)
{
  switch (bus) {
  case V2V_BUS_IDE:
    return "ide";
  case V2V_BUS_SCSI:
    return "scsi";
  case V2V_BUS_SATA:
    return "sata";
  case V2V_BUS_NVME:
    return "nvme";
  case V2V_BUS_FLOPPY:
    return "floppy";
  case V2V_BUS_OTHER:
    return "other";
  }
  return "?";
}

const char *
v2v_firmware_name (enum v2v_firmware f)
{
  return f == V2V_FIRMWARE_EFI ? "efi" : "bios";
}
