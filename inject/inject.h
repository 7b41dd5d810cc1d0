/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage of the pipeline: what is changed inside a guest, between
 * reading the source and writing the target.  The pipeline hands it the
 * machine and its opened disks; it may lay an overlay over a disk
 * (v2v_image_set_base), so that the copy engine takes changed ranges from the
 * overlay and everything else straight from the source.
 */
#ifndef V2V_INJECT_H
#define V2V_INJECT_H

#include "formats/core/error.h"
#include "formats/image.h"
#include "formats/machine.h"

struct v2v_guest_stage {
  const char *name; /* for progress and the report */
  /* Change the guest on DISKS[0..nr-1] (entries may be NULL: blank disks;
   * they may be replaced by an overlay of themselves), adding findings to
   * MACHINE.  The sources are never written. */
  int (*run) (void *arg, struct v2v_machine *machine, struct v2v_image **disks,
              size_t nr_disks, struct v2v_error **err);
  /* Release overlays; called once after the copy, also after failures. */
  void (*finish) (void *arg);
  void *arg;
};

/* The stage that changes nothing ("copied as data"): adds the finding
 * guest.unchanged and returns. */
extern const struct v2v_guest_stage v2v_guest_stage_none;

#endif /* V2V_INJECT_H */
