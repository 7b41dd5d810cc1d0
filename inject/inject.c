/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage that changes nothing. */

#include <config.h>

#include "inject/inject.h"

static int
none_run (void *arg, struct v2v_machine *machine, struct v2v_image **disks,
          size_t nr_disks, struct v2v_error **err)
{
  (void) arg;
  (void) disks;
  (void) nr_disks;
  if (v2v_findings_add (
          &machine->findings, V2V_INFORMATION, "guest.unchanged", NULL,
          "check that the guest has Hyper-V drivers before its first start",
          "the guest's contents are copied as they are") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static void
none_finish (void *arg)
{
  (void) arg;
}

const struct v2v_guest_stage v2v_guest_stage_none = {
  .name = "none",
  .run = none_run,
  .finish = none_finish,
};
