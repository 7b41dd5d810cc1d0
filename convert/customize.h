/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the guest on existing disks: in place, or into new files. */
#ifndef V2V_CUSTOMIZE_DISKS_H
#define V2V_CUSTOMIZE_DISKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "formats/copy.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "inject/customize.h"
#include "inject/guest-keys.h"

struct v2v_customize_opts {
  const char *const *disks; /* of one machine, in order */
  size_t nr_disks;
  /* NULL = in place: VHD, VHDX, raw.  Else the disks' contents with the changes
   * go there: a new file, or a folder in which they keep their names. */
  const char *output;
  const struct v2v_profile *profile; /* or NULL */
  bool generalize;
  const char *generalize_operations; /* NULL = the defaults */
  struct v2v_guest_opts guest;
  struct v2v_guest_keys keys;
  const char *const *search;
  bool dry_run; /* the changes are told, not made */
  bool resume;  /* complete what an interrupted run began to write */
  struct v2v_copy_opts copy; /* threads, progress, cancel */
};

/* RET is an object: "disks", "system", "changes", "findings"; see
 * v2v-customize(1).
 *
 * In place the changes are first made in overlays, in a folder beside the
 * first disk ("NAME.v2v-customize").  When they are complete and on the disk,
 * a mark is put there and they are merged: a run that is killed before leaves
 * the disks as they were, one that is killed behind it is completed by RESUME,
 * and no other run touches the disks until then (customize-work.h).
 */
int v2v_customize_disks (const struct v2v_customize_opts *opts,
                         struct v2v_json **ret, struct v2v_error **err);

#endif /* V2V_CUSTOMIZE_DISKS_H */
