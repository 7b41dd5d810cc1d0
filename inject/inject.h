/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage of the pipeline: what is changed inside a guest, between
 * reading the source and writing the target.  The pipeline hands it the
 * machine and its opened disks; it lays overlays over disks
 * (v2v_image_set_base), so that the copy engine takes changed ranges from the
 * overlay and everything else straight from the source.
 */
#ifndef V2V_INJECT_H
#define V2V_INJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/evidence.h"
#include "formats/findings.h"
#include "formats/image.h"
#include "formats/machine.h"
#include "inject/guest.h"

/* What the pipeline gives.  All is borrowed. */
struct v2v_guest_job {
  const struct v2v_machine *machine;
  /* NR_DISKS of them; NULL: a blank disk.  They may be replaced by an overlay
   * of themselves, which owns what it covers. */
  struct v2v_image **disks;
  const struct v2v_disk_evidence *const *evidence; /* of each, or NULL */
  size_t nr_disks;
  /* A folder of our own for overlays and state, made when it is needed; kept
   * as long as the conversion can be resumed. */
  const char *work_folder;
  const char *undo_folder; /* originals of what is changed; made if any */
  bool resume;             /* an earlier run may have done all of it */
  unsigned generation;     /* of the target */
  bool new_macs;
  const char *const *search; /* folders where parents of disks may be */
  const atomic_bool *cancel; /* or NULL */
  v2v_guest_step_fn *step;   /* or NULL */
  void *step_arg;
};

/* What came out of it. */
struct v2v_guest_result {
  struct v2v_findings findings;
  struct v2v_json *os;      /* v2v_os_to_json, or NULL: not looked into */
  struct v2v_json *changes; /* the journal, or NULL */
  bool resumed;             /* an earlier run's result */
  double seconds;
  /* Where they went; the guest's own programs are part of the changes. */
  struct v2v_guest_times {
    double start;      /* of the appliance */
    double inspection; /* and what speaks against a change */
    double changes;
    double trim; /* and the end of the appliance */
  } times;
};
void v2v_guest_result_clear (struct v2v_guest_result *r);

struct v2v_guest_stage {
  const char *name; /* for progress and the report */
  /* Change the guest.  The sources are never written.  RET is zeroed by the
   * caller and cleared by it, also after a failure. */
  int (*run) (void *arg, const struct v2v_guest_job *job,
              struct v2v_guest_result *ret, struct v2v_error **err);
  void *arg;
};

/* The stage that changes nothing: adds the finding guest.unchanged. */
extern const struct v2v_guest_stage v2v_guest_stage_none;

#endif /* V2V_INJECT_H */
