/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was asked for, and what was cloned, as a struct v2v_machine: from there
 * on everything is as in a conversion.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/guest-os.h"
#include "library/vm-internal.h"

#define DEFAULT_CPUS   2
#define DEFAULT_MEMORY (2 * V2V_GIB)

struct vm_drives
vm_drives (const struct vm *vm)
{
  struct vm_drives d = { .iso = SIZE_MAX, .seed = SIZE_MAX };

  if (vm->opts->iso != NULL)
    d.iso = d.nr++;
  if (vm->opts->seed != NULL)
    d.seed = d.nr++;
  if (vm->opts->dvd)
    d.nr++;
  if (d.nr < vm->nr_clone_drives)
    d.nr = vm->nr_clone_drives;
  return d;
}

/* ---- firmware ---- */

/* The first disk that counts: the one the machine cloned started from, else
 * the first. */
static const struct vm_disk *
boot_disk (const struct vm *vm)
{
  for (size_t i = 0; i < vm->nr_disks; ++i)
    if (vm->disks[i].boot)
      return &vm->disks[i];
  return vm->nr_disks > 0 ? &vm->disks[0] : NULL;
}

static void
fill_firmware (struct vm *vm)
{
  const struct vm_disk *d = boot_disk (vm);
  const struct v2v_disk_evidence *e =
      d != NULL && d->has_evidence ? &d->evidence : NULL;
  struct v2v_machine *m = vm->machine;

  m->firmware_stated = true;
  m->firmware = V2V_FIRMWARE_EFI;
  if (vm->hyperv.generation == 1 ||
      (vm->hyperv.generation == 0 &&
       (vm->hyperv.disk_format == V2V_HYPERV_VHD ||
        (e != NULL && v2v_evidence_boots_bios (e) &&
         !v2v_evidence_boots_efi (e)))))
    m->firmware = V2V_FIRMWARE_BIOS;
  /* Secure Boot as New-VM has it, where it is known for whom. */
  if (m->firmware == V2V_FIRMWARE_EFI &&
      ((e != NULL && (e->windows_loader || e->shim_loader)) ||
       m->os_id != NULL))
    m->secure_boot = V2V_YES;
}

/* ---- devices ---- */

static int
fill_disks (struct vm *vm, struct v2v_error **err)
{
  for (size_t i = 0; i < vm->nr_disks; ++i) {
    const struct vm_disk *from = &vm->disks[i];
    struct v2v_disk *d = v2v_machine_add_disk (vm->machine);
    const char *slash = from->path != NULL ? strrchr (from->path, '/') : NULL;

    if (d == NULL || asprintf (&d->id, "disk%zu", i + 1) == -1)
      return v2v_fail_nomem (err);
    d->kind = from->path != NULL ? V2V_DISK_FILE : V2V_DISK_BLANK;
    d->bus = V2V_BUS_SCSI;
    d->unit = (unsigned) i;
    d->capacity_bytes =
        from->image != NULL ? v2v_image_size (from->image) : from->size_bytes;
    d->boot_order = from->boot ? 0 : -1;
    if (from->path != NULL &&
        (d->file = strdup (slash != NULL ? slash + 1 : from->path)) == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
fill_drives (struct vm *vm, struct v2v_error **err)
{
  const size_t n = vm_drives (vm).nr;

  for (size_t i = 0; i < n; ++i) {
    struct v2v_removable *r = v2v_machine_add_removable (vm->machine);

    if (r == NULL)
      return v2v_fail_nomem (err);
    /* Empty for the plan: what we put in is known by its name later. */
    r->kind = V2V_CD_EMPTY;
    r->bus = V2V_BUS_SATA;
    r->unit = (unsigned) i;
  }
  return 0;
}

static int
add_nic (struct vm *vm, const struct v2v_vm_nic *from, struct v2v_error **err)
{
  struct v2v_nic *n = v2v_machine_add_nic (vm->machine);

  if (n == NULL || asprintf (&n->id, "adapter%zu", vm->machine->nr_nics) == -1)
    return v2v_fail_nomem (err);
  n->connected = true;
  n->vlan = from->vlan;
  if ((from->switch_name != NULL &&
       (n->network = strdup (from->switch_name)) == NULL) ||
      (from->mac != NULL && (n->mac = strdup (from->mac)) == NULL))
    return v2v_fail_nomem (err);
  return 0;
}

/* The cards that a seed sets up are known by their addresses: adapters
 * without one get them, and there are at least as many. */
static int
give_addresses (struct vm *vm, struct v2v_error **err)
{
  static const struct v2v_vm_nic plain;
  const struct v2v_profile *p = vm->opts->seed;

  for (size_t i = 0; p != NULL && !vm->opts->no_nics && i < p->nr_nics; ++i) {
    struct v2v_nic *n;
    bool taken = false;

    for (size_t k = 0; k < vm->machine->nr_nics; ++k)
      taken |= vm->machine->nics[k].mac != NULL &&
               strcasecmp (vm->machine->nics[k].mac, p->nics[i].mac) == 0;
    if (taken)
      continue;
    n = NULL;
    for (size_t k = 0; n == NULL && k < vm->machine->nr_nics; ++k)
      if (vm->machine->nics[k].mac == NULL)
        n = &vm->machine->nics[k];
    if (n == NULL) {
      if (add_nic (vm, &plain, err) == -1)
        return -1;
      n = &vm->machine->nics[vm->machine->nr_nics - 1];
    }
    n->mac = strdup (p->nics[i].mac);
    if (n->mac == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
fill_nics (struct vm *vm, struct v2v_error **err)
{
  static const struct v2v_vm_nic plain;
  const struct v2v_vm_opts *o = vm->opts;

  for (size_t i = 0; i < o->nr_nics; ++i)
    if (add_nic (vm, &o->nics[i], err) == -1)
      return -1;
  if (o->nr_nics == 0 && !o->no_nics && o->clone == NULL &&
      (o->seed == NULL || o->seed->nr_nics == 0) &&
      add_nic (vm, &plain, err) == -1)
    return -1;
  if (give_addresses (vm, err) == -1)
    return -1;
  /* A switch is called by the name of its network: they are the same here. */
  for (size_t i = 0; i < vm->machine->nr_nics; ++i) {
    const char *name = vm->machine->nics[i].network;

    if (name != NULL && v2v_network_map_set (vm->map, name, name, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- boot order ---- */

/* A blank disk first, too: the firmware passes over it, and when the system is
 * installed it is the disk that has to start. */
static int
fill_boot_order (struct vm *vm, struct v2v_error **err)
{
  static const char *const usual[] = { "disk", "cdrom", "network" };
  static const char *const pxe[] = { "network", "disk", "cdrom" };
  const char *const *order = vm->opts->pxe ? pxe : usual;
  struct v2v_machine *m = vm->machine;

  m->boot_order = calloc (V2V_ARRAY_SIZE (usual) + 1, sizeof *m->boot_order);
  if (m->boot_order == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (usual); ++i)
    if ((m->boot_order[i] = strdup (order[i])) == NULL)
      return v2v_fail_nomem (err);
  return 0;
}

int
vm_fill_machine (struct vm *vm, struct v2v_error **err)
{
  struct v2v_machine *m = vm->machine;

  m->name = strdup (vm->name);
  m->source_kind = strdup (V2V_SOURCE_KIND_NEW);
  if (m->name == NULL || m->source_kind == NULL ||
      (vm->os_id != NULL && (m->os_id = strdup (vm->os_id)) == NULL))
    return v2v_fail_nomem (err);
  if (vm->opts->nr_cpus != 0)
    m->nr_cpus = vm->opts->nr_cpus;
  else if (m->nr_cpus == 0)
    m->nr_cpus = DEFAULT_CPUS;
  if (vm->opts->memory_bytes != 0)
    m->memory_bytes = vm->opts->memory_bytes;
  else if (m->memory_bytes == 0)
    m->memory_bytes = DEFAULT_MEMORY;
  fill_firmware (vm);
  return fill_disks (vm, err) == -1 || fill_drives (vm, err) == -1 ||
                 fill_nics (vm, err) == -1 || fill_boot_order (vm, err) == -1
             ? -1
             : 0;
}
