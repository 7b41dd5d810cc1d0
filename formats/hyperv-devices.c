/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where disks, CD drives, floppy and serial ports go, and what starts first.
 *
 * Generation 1: the boot disk at IDE 0:0 (its BIOS starts from IDE only), the
 * others on SCSI in source order, CD drives from IDE 1:0 on.  Generation 2:
 * everything on SCSI in source order, CD drives behind the disks.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"

#define SCSI_PLACES (HYPERV_SCSI_CONTROLLERS * HYPERV_SCSI_LOCATIONS)

static struct v2v_hyperv_place
scsi_place (unsigned n)
{
  return (struct v2v_hyperv_place){ .bus = V2V_HYPERV_SCSI,
                                    .controller = n / HYPERV_SCSI_LOCATIONS,
                                    .location = n % HYPERV_SCSI_LOCATIONS };
}

static struct v2v_hyperv_place
ide_place (unsigned controller, unsigned location)
{
  return (struct v2v_hyperv_place){ .bus = V2V_HYPERV_IDE,
                                    .controller = controller,
                                    .location = location };
}

static bool
place_taken (const struct v2v_hyperv_plan *plan, struct v2v_hyperv_place at)
{
  for (size_t i = 0; i < plan->nr_disks; ++i) {
    const struct v2v_hyperv_place *d = &plan->disks[i].place;
    if (d->bus == at.bus && d->controller == at.controller &&
        d->location == at.location)
      return true;
  }
  for (size_t i = 0; i < plan->nr_dvds; ++i) {
    const struct v2v_hyperv_place *d = &plan->dvds[i].place;
    if (d->bus == at.bus && d->controller == at.controller &&
        d->location == at.location)
      return true;
  }
  return false;
}

bool
hyperv_disk_skipped (const struct hyperv_planner *p, size_t i)
{
  return p->m->disks[i].shared && p->opts->shared_disks == V2V_SHARED_SKIP;
}

static const char *
disk_id (const struct v2v_disk *d)
{
  return d->id ? d->id : d->file ? d->file : "disk";
}

static int
note_disk (struct hyperv_planner *p, const struct v2v_disk *d)
{
  if (d->mode != NULL && strcasecmp (d->mode, "persistent") != 0 &&
      hyperv_note (p, "disk.mode", disk_id (d), "mode %s", d->mode) == -1)
    return -1;
  if (d->kind == V2V_DISK_BLANK && !hyperv_is_new (p) &&
      hyperv_note (p, "disk.blank", disk_id (d), "no file, %" PRIu64 " bytes",
                   d->capacity_bytes) == -1)
    return -1;
  if (d->shared &&
      hyperv_note (p, "disk.shared-private", disk_id (d),
                   "shared in the source, private from now on") == -1)
    return -1;
  return 0;
}

static int
check_disk_size (const struct v2v_hyperv_plan *plan, const char *id,
                 uint64_t size, struct v2v_error **err)
{
  const uint64_t max =
      plan->disk_format == V2V_HYPERV_VHD ? HYPERV_MAX_VHD : HYPERV_MAX_VHDX;

  if (size > max)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: %" PRIu64 " bytes, and a %s has at most %" PRIu64, id,
                     size, plan->disk_format == V2V_HYPERV_VHD ? "VHD" : "VHDX",
                     max);
  return 0;
}

static int
add_disk (struct hyperv_planner *p, size_t i, bool boot, unsigned *next_scsi)
{
  const struct v2v_disk *d = &p->m->disks[i];
  const struct v2v_disk_evidence *e = hyperv_evidence (p, i);
  struct v2v_hyperv_plan *plan = p->plan;
  struct v2v_hyperv_disk *o = &plan->disks[plan->nr_disks];

  o->source_index = i;
  o->size_bytes = e != NULL ? e->size_bytes : d->capacity_bytes;
  o->boot = boot;
  o->blank = d->kind == V2V_DISK_BLANK;
  if (o->blank && o->size_bytes == 0)
    return v2v_fail (p->err, V2V_ERR_FORMAT,
                     "%s: has neither a file nor a capacity", disk_id (d));
  if (boot && plan->generation == 1)
    o->place = ide_place (0, 0);
  else if (*next_scsi < SCSI_PLACES)
    o->place = scsi_place ((*next_scsi)++);
  else if (plan->generation == 1 && !place_taken (plan, ide_place (0, 1)))
    o->place = ide_place (0, 1); /* the last place that is left */
  else
    return v2v_fail (p->err, V2V_ERR_UNSUPPORTED,
                     "%s: disk %zu has no place: generation %u has %d on SCSI",
                     disk_id (d), plan->nr_disks + 1, plan->generation,
                     SCSI_PLACES);
  plan->nr_disks++; /* from here on freed with the plan */
  if (asprintf (&o->file, "%s-disk%zu.%s", plan->safe_name, plan->nr_disks,
                plan->disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx") == -1) {
    o->file = NULL;
    return v2v_fail_nomem (p->err);
  }
  if (check_disk_size (plan, disk_id (d), o->size_bytes, p->err) == -1)
    return -1;
  return hyperv_dup (p, &o->source_id, disk_id (d)) == -1 ? -1
                                                          : note_disk (p, d);
}

/* Evidence for the choice of the boot disk, and for its driver. */
static int
note_boot_disk (struct hyperv_planner *p, size_t boot, size_t first)
{
  const struct v2v_disk *d = &p->m->disks[boot];
  const char *model = NULL;

  if (boot != first && d->boot_order < 0 &&
      hyperv_note (p, "boot.disk-chosen", disk_id (d),
                   "%s holds no loader, %s does", disk_id (&p->m->disks[first]),
                   disk_id (d)) == -1)
    return -1;
  if ((d->bus == V2V_BUS_IDE && p->plan->generation == 1) || hyperv_is_new (p))
    return 0;
  for (size_t i = 0; i < p->m->nr_controllers; ++i)
    if (p->m->controllers[i].bus == d->bus &&
        p->m->controllers[i].number == d->controller)
      model = p->m->controllers[i].model;
  return hyperv_note (
      p, "disk.driver", disk_id (d), "moves from %s%s%s to %s",
      v2v_bus_name (d->bus), model ? " " : "", model ? model : "",
      p->plan->generation == 1 ? "IDE" : "Hyper-V's SCSI controller");
}

int
hyperv_plan_disks (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;
  const size_t boot = hyperv_boot_disk (p, plan->generation);
  size_t first = SIZE_MAX;
  unsigned next_scsi = 0;

  plan->disks = calloc (m->nr_disks + 1, sizeof *plan->disks);
  if (plan->disks == NULL)
    return v2v_fail_nomem (p->err);
  for (size_t i = 0; i < m->nr_disks; ++i) {
    const struct v2v_disk *d = &m->disks[i];

    if (d->shared && p->opts->shared_disks == V2V_SHARED_REFUSE)
      return v2v_fail (p->err, V2V_ERR_UNSUPPORTED,
                       "%s: is shared between machines", disk_id (d));
    if (hyperv_disk_skipped (p, i)) {
      if (hyperv_note (p, "disk.shared", disk_id (d),
                       "shared between machines (bus sharing or "
                       "multi-writer); left out") == -1)
        return -1;
      continue;
    }
    if (first == SIZE_MAX)
      first = i;
    if (add_disk (p, i, i == boot, &next_scsi) == -1)
      return -1;
  }
  plan->nr_scsi_controllers =
      (unsigned) v2v_div_up (next_scsi, HYPERV_SCSI_LOCATIONS);
  if (plan->nr_scsi_controllers == 0)
    plan->nr_scsi_controllers = 1; /* New-VM makes one */
  if (plan->nr_disks == 0 && m->nr_disks > 0)
    return v2v_fail (p->err, V2V_ERR_UNSUPPORTED,
                     "%s: all of its %zu disks are shared with other machines",
                     m->name ? m->name : "machine", m->nr_disks);
  return boot == SIZE_MAX ? 0 : note_boot_disk (p, boot, first);
}

int
v2v_hyperv_plan_set_disk_size (struct v2v_hyperv_plan *plan, size_t disk,
                               uint64_t size_bytes, struct v2v_error **err)
{
  struct v2v_hyperv_disk *d = &plan->disks[disk];

  if (check_disk_size (plan, d->source_id, size_bytes, err) == -1)
    return -1;
  if (d->boot && plan->generation == 1 && !plan->generation_forced &&
      size_bytes > HYPERV_GEN1_MAX_BOOT_DISK)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: %" PRIu64 " bytes, and generation 1 starts from a "
                     "disk of at most %" PRIu64,
                     d->source_id, size_bytes, HYPERV_GEN1_MAX_BOOT_DISK);
  d->size_bytes = size_bytes;
  return 0;
}

/* ---- removable media ---- */

/* The next place for a CD drive; false when there is none. */
static bool
dvd_place (struct v2v_hyperv_plan *plan, struct v2v_hyperv_place *ret)
{
  static const unsigned ide[][2] = { { 1, 0 }, { 1, 1 }, { 0, 1 } };

  if (plan->generation == 2) {
    for (unsigned n = 0; n < SCSI_PLACES; ++n)
      if (!place_taken (plan, scsi_place (n))) {
        *ret = scsi_place (n);
        if (ret->controller + 1 > plan->nr_scsi_controllers)
          plan->nr_scsi_controllers = ret->controller + 1;
        return true;
      }
    return false;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (ide); ++i)
    if (!place_taken (plan, ide_place (ide[i][0], ide[i][1]))) {
      *ret = ide_place (ide[i][0], ide[i][1]);
      return true;
    }
  return false;
}

/* What follows the last '/' or '\' or ']': the source's own path is of no use
 * on the new host. */
static const char *
base_name (const char *path)
{
  const char *base = path;

  for (; *path != '\0'; ++path)
    if (*path == '/' || *path == '\\' || *path == ']')
      base = path + 1;
  while (*base == ' ')
    base++;
  return base;
}

static int
add_dvd (struct hyperv_planner *p, const struct v2v_removable *r,
         const char *subject)
{
  struct v2v_hyperv_plan *plan = p->plan;
  struct v2v_hyperv_dvd dvd = { .source_file = NULL };
  CLEANUP_FREE char *clean = NULL;

  if (!dvd_place (plan, &dvd.place))
    return hyperv_note (p, "cd.dropped", subject,
                        "generation %u has no place for CD drive %zu",
                        plan->generation, plan->nr_dvds + 1);
  if (r->kind == V2V_CD_HOST &&
      hyperv_note (p, "cd.host", subject, "host device %s",
                   r->file ? r->file : "(any)") == -1)
    return -1;
  if (r->kind == V2V_CD_IMAGE && r->file != NULL) {
    clean = hyperv_clean_text (base_name (r->file), false, 255, NULL);
    if (clean == NULL)
      return v2v_fail_nomem (p->err);
    if (hyperv_note (p, "cd.image", subject, "image %s", clean) == -1)
      return -1;
    dvd.source_file = STEAL (clean);
  }
  plan->dvds[plan->nr_dvds++] = dvd;
  return 0;
}

int
hyperv_plan_removables (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;

  plan->dvds = calloc (m->nr_removables + 1, sizeof *plan->dvds);
  if (plan->dvds == NULL)
    return v2v_fail_nomem (p->err);
  for (size_t i = 0; i < m->nr_removables; ++i) {
    const struct v2v_removable *r = &m->removables[i];
    char subject[48];

    snprintf (subject, sizeof subject, "%s%u:%u", v2v_bus_name (r->bus),
              r->controller, r->unit);
    if (!r->floppy) {
      if (add_dvd (p, r, subject) == -1)
        return -1;
      continue;
    }
    snprintf (subject, sizeof subject, "floppy%u", r->unit);
    if (plan->generation == 2 || plan->floppy) {
      if (hyperv_note (p, "floppy.dropped", subject, "%s",
                       plan->generation == 2
                           ? "generation 2 has no floppy drive"
                           : "generation 1 has one floppy drive") == -1)
        return -1;
      continue;
    }
    plan->floppy = true;
    if (r->kind == V2V_CD_IMAGE && r->file != NULL &&
        hyperv_note (p, "floppy.image", subject, "image %s",
                     base_name (r->file)) == -1)
      return -1;
  }
  return 0;
}

/* ---- serial ports ---- */

int
hyperv_plan_serials (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;

  plan->coms = calloc (HYPERV_MAX_COM_PORTS, sizeof *plan->coms);
  if (plan->coms == NULL)
    return v2v_fail_nomem (p->err);
  for (size_t i = 0; i < m->nr_serials; ++i) {
    const struct v2v_serial *s = &m->serials[i];
    struct v2v_hyperv_com *com;
    char subject[32];

    snprintf (subject, sizeof subject, "serial%u", s->number);
    if (s->kind == NULL || strcmp (s->kind, "pipe") != 0 ||
        plan->nr_coms == HYPERV_MAX_COM_PORTS) {
      if (hyperv_note (p, "serial.dropped", subject, "connected to %s%s%s",
                       s->kind ? s->kind : "nothing", s->path ? " " : "",
                       s->path ? s->path : "") == -1)
        return -1;
      continue;
    }
    com = &plan->coms[plan->nr_coms];
    com->number = (unsigned) plan->nr_coms + 1;
    /* A name of our own: the source's is a path on another host. */
    if (asprintf (&com->pipe, "\\\\.\\pipe\\%s-com%u", plan->safe_name,
                  com->number) == -1) {
      com->pipe = NULL;
      return v2v_fail_nomem (p->err);
    }
    plan->nr_coms++;
    if (hyperv_note (p, "serial.pipe", subject, "COM%u is %s", com->number,
                     com->pipe) == -1)
      return -1;
  }
  return 0;
}

/* ---- boot order ---- */

static void
boot_add (struct v2v_hyperv_plan *plan, enum v2v_hyperv_boot_kind kind,
          size_t index)
{
  for (size_t i = 0; i < plan->nr_boot; ++i)
    if (plan->boot[i].kind == kind && plan->boot[i].index == index)
      return;
  plan->boot[plan->nr_boot++] =
      (struct v2v_hyperv_boot){ .kind = kind, .index = index };
}

static void
boot_add_kind (struct v2v_hyperv_plan *plan, enum v2v_hyperv_boot_kind kind)
{
  size_t n = 0;

  if (plan->generation == 1) { /* its BIOS knows kinds, and wants all four */
    boot_add (plan, kind, 0);
    return;
  }
  switch (kind) {
  case V2V_BOOT_DISK:
    for (size_t i = 0; i < plan->nr_disks; ++i)
      if (plan->disks[i].boot)
        boot_add (plan, kind, i);
    n = plan->nr_disks;
    break;
  case V2V_BOOT_DVD:
    n = plan->nr_dvds;
    break;
  case V2V_BOOT_NETWORK:
    n = plan->nr_nics;
    break;
  case V2V_BOOT_FLOPPY:
    break;
  }
  for (size_t i = 0; i < n; ++i)
    boot_add (plan, kind, i);
}

int
hyperv_plan_boot (struct hyperv_planner *p)
{
  static const struct {
    const char *name;
    enum v2v_hyperv_boot_kind kind;
  } kinds[] = {
    { "disk", V2V_BOOT_DISK },
    { "cdrom", V2V_BOOT_DVD },
    { "network", V2V_BOOT_NETWORK },
    { "floppy", V2V_BOOT_FLOPPY },
  };
  struct v2v_hyperv_plan *plan = p->plan;
  char *const *order = p->m->boot_order;

  plan->boot = calloc (plan->nr_disks + plan->nr_dvds + plan->nr_nics + 4,
                       sizeof *plan->boot);
  if (plan->boot == NULL)
    return v2v_fail_nomem (p->err);
  for (; order != NULL && *order != NULL; ++order)
    for (size_t i = 0; i < V2V_ARRAY_SIZE (kinds); ++i)
      if (strcmp (*order, kinds[i].name) == 0)
        boot_add_kind (plan, kinds[i].kind);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (kinds); ++i)
    boot_add_kind (plan, kinds[i].kind);
  return 0;
}
