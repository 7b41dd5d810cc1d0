/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage that converts: overlays, appliance, inspection, gate, the
 * converter of the operating system, trim, end.
 */
#ifndef V2V_STAGE_H
#define V2V_STAGE_H

#include "inject/guest-keys.h"
#include "inject/guest.h"
#include "inject/inject.h"

/* The argument of the stage; the job's generation and new_macs come on top. */
struct v2v_convert_guest {
  struct v2v_guest_opts opts;
  struct v2v_guest_keys keys;
};

/* A stage over ARG, which is borrowed. */
struct v2v_guest_stage v2v_guest_stage_convert (struct v2v_convert_guest *arg);

#endif /* V2V_STAGE_H */
