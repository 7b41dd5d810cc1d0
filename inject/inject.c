/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage that changes nothing. */

#include <config.h>

#include <string.h>

#include "inject/inject.h"

void
v2v_guest_result_clear (struct v2v_guest_result *r)
{
  v2v_findings_clear (&r->findings);
  v2v_json_free (r->os);
  v2v_json_free (r->changes);
  memset (r, 0, sizeof *r);
}

static int
none_run (void *arg, const struct v2v_guest_job *job,
          struct v2v_guest_result *ret, struct v2v_error **err)
{
  (void) arg;
  (void) job;
  if (v2v_findings_add (
          &ret->findings, V2V_INFORMATION, "guest.unchanged", NULL,
          "check that the guest has Hyper-V drivers before its first start",
          "the guest's contents are copied as they are") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

const struct v2v_guest_stage v2v_guest_stage_none = {
  .name = "none",
  .run = none_run,
};
