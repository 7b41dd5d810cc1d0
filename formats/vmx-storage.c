/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controllers, disks and drives of a .vmx: scsiN, sataN, nvmeN and ideN, and
 * BUSn:UNIT below them.  The keys that are there are walked, not a fixed range
 * of numbers, so that a device in an odd place is refused and never missed.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/machine-internal.h"
#include "formats/vmx.h"

struct bus {
  const char *name;
  enum v2v_bus bus;
  unsigned nr_controllers;
  unsigned nr_units;
  bool always; /* there without .present */
};

/* Units: a pvscsi controller has 64 since hardware 14, an NVMe one 64 since
 * 21; the smaller numbers of the others are those of the hardware.
 */
static const struct bus buses[] = {
  { "ide", V2V_BUS_IDE, 2, 2, true },
  { "scsi", V2V_BUS_SCSI, 4, 65, false },
  { "sata", V2V_BUS_SATA, 4, 30, false },
  { "nvme", V2V_BUS_NVME, 4, 64, false },
};

struct place {
  const struct bus *bus;
  unsigned controller;
  unsigned unit;
  char name[32]; /* "scsi0:1" */
};

/* ---- controllers ---- */

static int
read_controller (struct v2v_vmx *vmx, struct v2v_machine *m,
                 const struct bus *bus, unsigned n, struct v2v_error **err)
{
  const char *dev, *shared;
  struct v2v_controller *c;

  if (!v2v_vmx_get_bool (vmx, bus->always, "%s%u.present", bus->name, n))
    return 0;
  dev = v2v_vmx_get (vmx, "%s%u.virtualDev", bus->name, n);
  shared = v2v_vmx_get (vmx, "%s%u.sharedBus", bus->name, n);
  c = v2v_machine_add_controller (m);
  if (c == NULL)
    return v2v_fail_nomem (err);
  c->bus = bus->bus;
  c->number = n;
  c->shared =
      shared != NULL && *shared != '\0' && strcasecmp (shared, "none") != 0;
  if (dev != NULL && *dev != '\0' &&
      v2v_machine_set_lower (&c->model, dev, err) == -1)
    return -1;
  if (c->shared)
    return V2V_FINDING (m, err, V2V_CRITICAL, "controller.shared", NULL,
                        "build the cluster anew with a VHD Set",
                        "%s%u shares its bus with other machines (%.20s): "
                        "the disks are converted as they are now",
                        bus->name, n, shared);
  return 0;
}

static const struct v2v_controller *
find_controller (const struct v2v_machine *m, enum v2v_bus bus, unsigned n)
{
  for (size_t i = 0; i < m->nr_controllers; ++i)
    if (m->controllers[i].bus == bus && m->controllers[i].number == n)
      return &m->controllers[i];
  return NULL;
}

/* ---- devices ---- */

static bool
contains (const char *s, const char *word)
{
  return s != NULL && strcasestr (s, word) != NULL;
}

/* Nothing inside, or the host's own drive. */
static bool
is_no_file (const char *file)
{
  return file == NULL || *file == '\0' ||
         strcasecmp (file, "emptyBackingString") == 0 ||
         strcasecmp (file, "auto detect") == 0 ||
         strncasecmp (file, "vmware-null-", 12) == 0;
}

static int
read_cdrom (struct v2v_vmx *vmx, struct v2v_machine *m, const struct place *p,
            const char *type, struct v2v_error **err)
{
  const char *file = v2v_vmx_get (vmx, "%s.fileName", p->name);
  struct v2v_removable *r = v2v_machine_add_removable (m);

  if (r == NULL)
    return v2v_fail_nomem (err);
  r->bus = p->bus->bus;
  r->controller = p->controller;
  r->unit = p->unit;
  r->kind = V2V_CD_EMPTY;
  if (contains (type, "image")) {
    if (!is_no_file (file)) {
      r->kind = V2V_CD_IMAGE;
      return v2v_machine_set (&r->file, file, err);
    }
  }
  else if (file == NULL || strcasecmp (file, "emptyBackingString") != 0)
    r->kind = V2V_CD_HOST;
  return 0;
}

static int
disk_findings (struct v2v_vmx *vmx, struct v2v_machine *m,
               const struct place *p, const char *type, const char *file,
               struct v2v_error **err)
{
  const struct v2v_disk *d = &m->disks[m->nr_disks - 1];
  CLEANUP_FREE char *safe = v2v_machine_printable (file);

  if (safe == NULL)
    return v2v_fail_nomem (err);
  if ((contains (type, "rawDisk") || contains (type, "plainDisk")) &&
      V2V_FINDING (m, err, V2V_CRITICAL, "disk.raw", p->name,
                   "copy the raw device's contents into a disk file first",
                   "%s is a raw device (%s)", p->name, type) == -1)
    return -1;
  if (contains (d->mode, "nonpersistent") &&
      V2V_FINDING (m, err, V2V_WARNING, "disk.nonpersistent", p->name, NULL,
                   "%s forgets its changes at power-off; after conversion it "
                   "keeps them",
                   p->name) == -1)
    return -1;
  if (strcmp (file, d->file) != 0 &&
      V2V_FINDING (m, err, V2V_INFORMATION, "disk.path", p->name, NULL,
                   "%s is at '%s': '%.80s' is looked for beside the .vmx "
                   "file",
                   p->name, safe, vmx_basename (safe)) == -1)
    return -1;
  if (v2v_vmx_get_bool (vmx, false, "%s.ctkEnabled", p->name) &&
      V2V_FINDING (m, err, V2V_INFORMATION, "disk.cbt", p->name, NULL,
                   "%s has changed block tracking, which is not carried over",
                   p->name) == -1)
    return -1;
  return 0;
}

static int
read_disk (struct v2v_vmx *vmx, struct v2v_machine *m, const struct place *p,
           const char *type, struct v2v_error **err)
{
  const char *file = v2v_vmx_get (vmx, "%s.fileName", p->name);
  const char *mode = v2v_vmx_get (vmx, "%s.mode", p->name);
  const char *sharing = v2v_vmx_get (vmx, "%s.sharing", p->name);
  const struct v2v_controller *c =
      find_controller (m, p->bus->bus, p->controller);
  struct v2v_disk *d;

  if (file == NULL || *file == '\0' || *vmx_basename (file) == '\0')
    return v2v_fail (err, V2V_ERR_FORMAT, "%s is a disk without fileName",
                     p->name);
  d = v2v_machine_add_disk (m);
  if (d == NULL)
    return v2v_fail_nomem (err);
  d->bus = p->bus->bus;
  d->controller = p->controller;
  d->unit = p->unit;
  d->shared = c->shared || contains (sharing, "multi-writer");
  if (v2v_machine_set (&d->id, p->name, err) == -1 ||
      v2v_machine_set (&d->file, vmx_basename (file), err) == -1 ||
      (mode != NULL && *mode != '\0' &&
       v2v_machine_set_lower (&d->mode, mode, err) == -1))
    return -1;
  if (contains (sharing, "multi-writer") &&
      V2V_FINDING (m, err, V2V_CRITICAL, "disk.shared", p->name,
                   "build the cluster anew with a VHD Set",
                   "%s is shared by several machines", p->name) == -1)
    return -1;
  return disk_findings (vmx, m, p, type, file, err);
}

static int
read_device (struct v2v_vmx *vmx, struct v2v_machine *m, const struct place *p,
             struct v2v_error **err)
{
  const char *type = v2v_vmx_get (vmx, "%s.deviceType", p->name);

  if (!v2v_vmx_get_bool (vmx, false, "%s.present", p->name))
    return 0;
  if (p->controller >= p->bus->nr_controllers || p->unit >= p->bus->nr_units)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: controllers are 0..%u and units 0..%u", p->name,
                     p->bus->nr_controllers - 1, p->bus->nr_units - 1);
  if (find_controller (m, p->bus->bus, p->controller) == NULL)
    return V2V_FINDING (m, err, V2V_WARNING, "device.no-controller", p->name,
                        NULL,
                        "%s is not there for VMware either: %s%u is not "
                        "present",
                        p->name, p->bus->name, p->controller);
  if (contains (type, "cdrom"))
    return read_cdrom (vmx, m, p, type, err);
  if (contains (type, "passthru"))
    return V2V_FINDING (m, err, V2V_CRITICAL, "device.passthrough", p->name,
                        NULL,
                        "%s is a SCSI device of the host: it is not "
                        "carried over",
                        p->name);
  return read_disk (vmx, m, p, type, err);
}

/* "scsi0:1.present" -> a place; false for other keys. */
static bool
parse_place (const char *key, struct place *p)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (buses); ++i) {
    const size_t len = strlen (buses[i].name);
    unsigned controller, unit;
    char dot;

    if (strncmp (key, buses[i].name, len) != 0 || strlen (key) > 64 ||
        sscanf (key + len, "%6u:%6u%c", &controller, &unit, &dot) != 3 ||
        dot != '.')
      continue;
    p->bus = &buses[i];
    p->controller = controller;
    p->unit = unit;
    snprintf (p->name, sizeof p->name, "%s%u:%u", buses[i].name, controller,
              unit);
    return true;
  }
  return false;
}

/* bios.hddOrder = "scsi0:1,scsi0:0": the first is the boot disk. */
static void
read_disk_order (struct v2v_vmx *vmx, struct v2v_machine *m)
{
  const char *p = v2v_vmx_get (vmx, "bios.hddOrder");
  int order = 0;

  while (p != NULL && *p != '\0') {
    const size_t len = strcspn (p, ", ");

    for (size_t i = 0; i < m->nr_disks; ++i)
      if (strlen (m->disks[i].id) == len &&
          strncasecmp (m->disks[i].id, p, len) == 0)
        m->disks[i].boot_order = order++;
    p += len;
    p += strspn (p, ", ");
  }
}

static bool
is_seen (const struct place *seen, size_t nr, const struct place *p)
{
  for (size_t i = 0; i < nr; ++i)
    if (strcmp (seen[i].name, p->name) == 0)
      return true;
  return false;
}

int
vmx_read_storage (struct v2v_vmx *vmx, struct v2v_machine *m,
                  struct v2v_error **err)
{
  /* Far more than fit on all controllers; the rest is hostile. */
  enum { MAX_PLACES = 1024 };
  CLEANUP_FREE struct place *seen = calloc (MAX_PLACES, sizeof *seen);
  size_t nr = 0;

  if (seen == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (buses); ++i)
    for (unsigned n = 0; n < buses[i].nr_controllers; ++n)
      if (read_controller (vmx, m, &buses[i], n, err) == -1)
        return -1;
  for (size_t i = 0; i < vmx->nr_entries; ++i) {
    struct place p;

    if (!parse_place (vmx->entries[i].key, &p) || is_seen (seen, nr, &p))
      continue;
    if (nr == MAX_PLACES)
      return v2v_fail (err, V2V_ERR_FORMAT, "more than %d storage devices",
                       MAX_PLACES);
    seen[nr++] = p;
    if (read_device (vmx, m, &p, err) == -1)
      return -1;
  }
  read_disk_order (vmx, m);
  return 0;
}
