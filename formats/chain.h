/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on differencing chains of VHD and VHDX files, offline.
 *
 * Each is safe against a kill at any moment: what is found afterwards is the
 * old chain or the new one, and running the same operation again completes
 * what was begun.  The files are locked (flock) meanwhile; programs that do not
 * know of the lock, Hyper-V among them, must not have them open.
 */
#ifndef V2V_CHAIN_H
#define V2V_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/image.h"

/* Zeroed = defaults. */
struct v2v_chain_opts {
  const char *const *search; /* folders for parents */
  struct v2v_copy_opts copy; /* threads, progress, cancel, rate_limit */
  /* Stored for the target: see v2v_create_opts.  NULL = derived, and none. */
  const char *parent_relative_path;
  const char *parent_absolute_path;
  bool trust_parent; /* rebase: do not compare */
};

/* What an operation did. */
struct v2v_chain_result {
  char *path;            /* the file that is the disk now */
  uint64_t copied_bytes; /* of data, moved or shared */
  uint64_t file_bytes_before, file_bytes_after; /* of that file */
  uint64_t allocated_bytes_before, allocated_bytes_after;
  bool unchanged; /* there was nothing to gain */
};
void v2v_chain_result_clear (struct v2v_chain_result *r);

/* Put what CHILD has into its parent, which takes over the child's identity
 * (children of CHILD then fit the parent, after a rebase); CHILD is removed.
 * Other children of the parent are broken by it: it is the caller who knows
 * that there are none.  RET->path is the parent. */
int v2v_chain_merge (const char *child, const struct v2v_chain_opts *opts,
                     struct v2v_chain_result *ret, struct v2v_error **err);

/* All of the chain of PATH in one file without a parent: OUTPUT, a new disk
 * with an identity of its own; or, when OUTPUT is NULL, in place of PATH and
 * with its identity. */
int v2v_chain_flatten (const char *path, const char *output,
                       const struct v2v_chain_opts *opts,
                       struct v2v_chain_result *ret, struct v2v_error **err);

/* Write PATH anew without blocks of zeros and unused space; nothing is done
 * when that gains nothing.  Parents are not touched. */
int v2v_chain_compact (const char *path, const struct v2v_chain_opts *opts,
                       struct v2v_chain_result *ret, struct v2v_error **err);

/* CHILD gets PARENT for its parent: the same one at another place, or one with
 * the same contents (compared with the old one, unless opts->trust_parent). */
int v2v_chain_rebase (const char *child, const char *parent,
                      const struct v2v_chain_opts *opts,
                      struct v2v_chain_result *ret, struct v2v_error **err);

/* CHILD, a new and empty differencing disk on PARENT. */
int v2v_chain_create_child (const char *parent, const char *child,
                            const struct v2v_chain_opts *opts,
                            struct v2v_chain_result *ret,
                            struct v2v_error **err);

#endif /* V2V_CHAIN_H */
