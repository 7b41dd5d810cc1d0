/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places of disks that were asked for.  The plan has given every device a
 * place; who sits where a disk was asked to be moves to the next free one.
 */

#include <config.h>

#include "library/vm-internal.h"

static bool
same_place (const struct v2v_hyperv_place *a, const struct v2v_hyperv_place *b)
{
  return a->bus == b->bus && a->controller == b->controller &&
         a->location == b->location;
}

/* The place of device I: disks first, then CD drives. */
static struct v2v_hyperv_place *
place_at (struct v2v_hyperv_plan *plan, size_t i)
{
  return i < plan->nr_disks ? &plan->disks[i].place
                            : &plan->dvds[i - plan->nr_disks].place;
}

static bool
is_asked (const struct vm *vm, size_t i)
{
  return i < vm->nr_disks && vm->disks[i].from != NULL &&
         vm->disks[i].from->place != NULL;
}

/* Is anybody but I there, whose place is settled? */
static bool
is_taken (struct vm *vm, size_t i, const struct v2v_hyperv_place *place)
{
  const size_t n = vm->plan->nr_disks + vm->plan->nr_dvds;

  for (size_t k = 0; k < n; ++k)
    if (k != i && (is_asked (vm, k) || k < i) &&
        same_place (place_at (vm->plan, k), place))
      return true;
  return false;
}

/* The first free place on the bus of device I, which is not where it wants to
 * be. */
static int
move (struct vm *vm, size_t i, struct v2v_error **err)
{
  struct v2v_hyperv_place *own = place_at (vm->plan, i), p = *own;
  const unsigned ide = p.bus == V2V_HYPERV_IDE;
  const unsigned controllers =
      ide ? HYPERV_IDE_CONTROLLERS : HYPERV_SCSI_CONTROLLERS;
  const unsigned locations = ide ? HYPERV_IDE_LOCATIONS : HYPERV_SCSI_LOCATIONS;

  for (p.controller = 0; p.controller < controllers; ++p.controller)
    for (p.location = 0; p.location < locations; ++p.location)
      if (!is_taken (vm, i, &p)) {
        *own = p;
        return 0;
      }
  return v2v_fail (err, V2V_ERR_USAGE, "no place is left on the %s controllers",
                   ide ? "IDE" : "SCSI");
}

int
vm_place_disks (struct vm *vm, struct v2v_error **err)
{
  struct v2v_hyperv_plan *plan = vm->plan;
  const size_t n = plan->nr_disks + plan->nr_dvds;
  bool asked = false;

  for (size_t i = 0; i < plan->nr_disks && i < vm->nr_disks; ++i) {
    struct v2v_hyperv_disk *d = &plan->disks[i];

    if (!is_asked (vm, i))
      continue;
    asked = true;
    d->place = *vm->disks[i].from->place;
    if (plan->generation == 2 && d->place.bus == V2V_HYPERV_IDE)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: a machine of generation 2 has no IDE", d->file);
    if (plan->generation == 1 && d->boot && d->place.bus != V2V_HYPERV_IDE)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: a machine of generation 1 starts from IDE",
                       d->file);
  }
  for (size_t i = 0; asked && i < n; ++i) {
    const struct v2v_hyperv_place *p = place_at (plan, i);

    if (!is_asked (vm, i) && is_taken (vm, i, p) && move (vm, i, err) == -1)
      return -1;
    if (p->bus == V2V_HYPERV_SCSI && plan->nr_scsi_controllers <= p->controller)
      plan->nr_scsi_controllers = p->controller + 1;
  }
  return 0;
}
