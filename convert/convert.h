/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pipeline: source -> guest stage -> plan -> disks -> description ->
 * deposit.
 */
#ifndef V2V_CONVERT_H
#define V2V_CONVERT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/hyperv.h"
#include "formats/image.h"
#include "formats/machine.h"
#include "inject/inject.h"
#include "library/document.h"

const char *v2v_version (void);

/* Zeroed = defaults, except output_dir.  Strings are borrowed. */
struct v2v_convert_opts {
  const char *output_dir;        /* the result is DIR/NAME; not for a dry run */
  struct v2v_hyperv_opts hyperv; /* safe_name is set by the pipeline */
  enum v2v_subformat subformat;  /* FIXED or DYNAMIC; NONE = dynamic */
  uint64_t block_bytes;          /* 0 = the format's default */
  const char *const *search;     /* folders for parents */
  bool keep_chain;               /* parents stay files of their own */
  bool digest;                   /* even where blocks could be shared unread */
  bool no_digest;
  bool no_reflink;
  bool no_sparse; /* allocate every block of the new files */
  bool no_space_check;
  bool resume;       /* go on with what an earlier run left */
  bool dry_run;      /* open, look, plan; write nothing */
  bool manifest_off; /* as in v2v_source_opts, for the report */
  unsigned threads;
  uint64_t rate_limit;
  /* NULL, or what goes onto the plan: v2v_hardware_apply */
  const struct v2v_document *hardware;
  const struct v2v_guest_stage *guest; /* NULL = leave the guest alone */
  v2v_progress_fn *progress;
  void *progress_arg;
  const atomic_bool *cancel;
};

struct v2v_convert_result {
  char *folder;            /* where the result is; NULL after a dry run */
  struct v2v_json *report; /* report.json; the plan after a dry run */
  char *text;              /* the same for people */
};

/* Convert machine INDEX of SRC.  The source is never written; nothing is seen
 * under the final name unless all went well.  After V2V_ERR_INTERRUPTED and
 * V2V_ERR_IO the unfinished work is kept (the hint says so), to be continued
 * with opts->resume. */
int v2v_convert (struct v2v_source *src, size_t index,
                 const struct v2v_convert_opts *opts,
                 struct v2v_convert_result *result, struct v2v_error **err);
void v2v_convert_result_clear (struct v2v_convert_result *result);

#endif /* V2V_CONVERT_H */
