/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying a whole file in the cheapest way that the two places allow: a ladder
 * whose rungs are tried from the top, each with the reason why it was not
 * taken.
 */
#ifndef V2V_LADDER_H
#define V2V_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/core/json.h"

enum v2v_rung {
  V2V_RUNG_REFLINK,      /* the same blocks: XFS, btrfs, NFS 4.2 ... */
  V2V_RUNG_SERVER,       /* the file server copies: NFS 4.2, SMB 3, Ceph */
  V2V_RUNG_DIFFERENCING, /* a child that reads from SRC */
  V2V_RUNG_COPY,         /* parallel, holes stay holes */
};
#define V2V_NR_RUNGS 4
const char *v2v_rung_name (enum v2v_rung r); /* "reflink" */

struct v2v_ladder_step {
  enum v2v_rung rung;
  bool taken;
  char *reason; /* why, or why not: a sentence */
};

struct v2v_ladder_result {
  struct v2v_ladder_step steps[V2V_NR_RUNGS]; /* in their order */
  size_t nr_steps;                            /* up to the one taken */
  uint64_t file_bytes;
  double seconds;
};

/* Zeroed = defaults. */
struct v2v_ladder_opts {
  bool differencing; /* a child of SRC (VHD, VHDX) is as good as a copy */
  bool no_reflink;   /* tests, benches */
  bool replace;      /* DST may be there already */
  const char *parent_absolute_path; /* of a child, see v2v_create_opts */
  struct v2v_copy_opts copy;        /* for the last rung */
};

/* DST becomes what SRC is, byte for byte, or its child; it appears when it is
 * complete and synced.  A copy of a disk has the identity of the disk: it is
 * for another host or a library, not for a second machine beside the first. */
int v2v_ladder_copy (const char *src, const char *dst,
                     const struct v2v_ladder_opts *opts,
                     struct v2v_ladder_result *ret, struct v2v_error **err);
struct v2v_json *v2v_ladder_to_json (const struct v2v_ladder_result *r);
void v2v_ladder_result_clear (struct v2v_ladder_result *r);

#endif /* V2V_LADDER_H */
