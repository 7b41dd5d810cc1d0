/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copy engine: any reader to any writer, parallel, sparse, in bounded
 * memory.  This and the estate runner are the only places that start threads.
 */
#ifndef V2V_COPY_H
#define V2V_COPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/core/digest.h"
#include "formats/core/error.h"
#include "formats/image.h"

/* Called at most ten times a second from one thread at a time, and once at
 * the end. */
struct v2v_progress {
  const char *stage;   /* "copy", "verify", "digest", "compare", "check" */
  const char *item;    /* disk name */
  uint64_t done_bytes; /* of the virtual disk */
  uint64_t total_bytes;
  uint64_t data_bytes; /* non-zero bytes moved so far */
  /* Work of unknown length instead: ITEM says what has begun, NULL that it is
   * over; there are no bytes.  Told once, whoever shows it has a clock. */
  bool step;
};
typedef void v2v_progress_fn (void *arg, const struct v2v_progress *p);

struct v2v_copy_opts {
  unsigned threads;    /* 0 = one per usable CPU, at most 16; max. 24 */
  bool digest;         /* compute the disk digest in the same pass */
  bool allow_deferred; /* on reflink paths: leave the digest out and say so */
  bool no_reflink;     /* never share blocks (tests, benches) */
  bool top_only;       /* copy layer 0 only: differencing to differencing;
                           there is no digest then */
  bool overwrite;      /* DST holds something already (v2v_image_open_rw):
                           zeros are written too */
  bool resume;         /* DST was resumed: go on where journal_path ends */
  bool journal;        /* keep a journal so that the copy can be resumed */
  const char *journal_path; /* NULL: none, whatever the two above say.  The
                               file stays: the caller removes it when DST is
                               finished and published */
  const char *item;         /* name for progress */
  v2v_progress_fn *progress;
  void *progress_arg;
  const atomic_bool *cancel; /* set from a signal handler: stop soon */
  uint64_t rate_limit;       /* bytes per second, 0 = none */
};

struct v2v_copy_result {
  uint64_t virtual_bytes;
  uint64_t data_bytes;      /* bytes of DATA extents looked at */
  uint64_t zero_bytes;      /* of these, found to be zero and not written */
  uint64_t written_bytes;   /* copied through memory */
  uint64_t shared_bytes;    /* shared by reflink */
  uint64_t offloaded_bytes; /* copy_file_range */
  uint64_t resumed_bytes;   /* found done in the journal */
  bool resumable; /* the journal has something, and SRC is as it was: false
                     after a failure means that there is nothing to keep */
  double seconds;
  unsigned threads;
  bool digest_deferred;           /* asked for, but the data was never read */
  struct v2v_disk_digest *digest; /* owned by the result; or NULL */
};

/* Copy all of SRC into DST (created or resumed, at least as large; the rest is
 * zeros).  DST is NOT finished: the caller calls v2v_image_finish.  On
 * failure RESULT holds what was done so far; *RESULT is always valid for
 * v2v_copy_result_clear.  ERR V2V_ERR_INTERRUPTED when *cancel was set.
 *
 * With a journal, what was safely written is in it also after a failure or an
 * interruption: if RESULT->resumable the caller then calls
 * v2v_image_keep_part (DST) before the close, and later v2v_image_resume and v2v_copy with opts->resume.  A resume
 * with another source or other options, or with an unfinished file shorter
 * than it was, is refused (V2V_ERR_MISMATCH).
 */
int v2v_copy (struct v2v_image *src, struct v2v_image *dst,
              const struct v2v_copy_opts *opts, struct v2v_copy_result *result,
              struct v2v_error **err);
void v2v_copy_result_clear (struct v2v_copy_result *r);

/* Digest of a disk's contents, parallel, zeros skipped. */
struct v2v_disk_digest *v2v_image_digest (struct v2v_image *img,
                                          const struct v2v_copy_opts *opts,
                                          struct v2v_error **err);

/* Compare contents, parallel.  0 = same; 1 = different, the first differing
 * byte's offset in *RET_OFFSET; -1 = error.  A shorter disk equals a longer
 * one whose rest is zero unless STRICT_SIZE. */
int v2v_image_compare (struct v2v_image *a, struct v2v_image *b,
                       bool strict_size, const struct v2v_copy_opts *opts,
                       uint64_t *ret_offset, struct v2v_error **err);

#endif /* V2V_COPY_H */
