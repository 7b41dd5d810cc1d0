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

/* The converter of G's operating system; one that has none is a finding. */
int v2v_guest_convert_system (struct v2v_guest *g, struct v2v_error **err);
/* The gate of v2v_guest_open_opts: logical volumes and opened disks before
 * they are mounted, then the mounted guest. */
int v2v_guest_gate_appliance (struct v2v_guest *g, bool mounted,
                              struct v2v_error **err);

/* A stage over ARG, which is borrowed. */
struct v2v_guest_stage v2v_guest_stage_convert (struct v2v_convert_guest *arg);

#endif /* V2V_STAGE_H */
