/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Merging a child into its parent.
 *
 *   1. what the child has is written into the parent, which keeps its content
 *      identifier.  The child hides every sector that is written, so that all
 *      the time the chain reads as before
 *   2. CHILD is renamed to CHILD.v2v-merged: from here on the parent is the
 *      disk
 *   3. the parent takes over the child's identity
 *   4. CHILD.v2v-merged is removed
 *
 * After a kill between 2 and 4 the same merge is run again: it finds
 * CHILD.v2v-merged and goes on from there.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/chain-internal.h"

#define SUFFIX ".v2v-merged"

/* The parent of CHILD, by its path; the caller frees.  With COMPLETED_TOO a
 * parent that has the child's identity already will do. */
static char *
find_parent (const char *child, bool completed_too,
             const struct v2v_chain_opts *opts, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search,
                                      .ignore_parent_id = completed_too };
  CLEANUP_IMAGE struct v2v_image *img = v2v_image_open (child, &open, err);
  const struct v2v_image_info *c, *p;
  const struct v2v_image *parent;
  const char *path;
  char *copy;

  if (img == NULL || chain_check_format (img, err) == -1)
    return NULL;
  parent = v2v_image_parent (img);
  if (parent == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: has no parent to be merged into", child);
    return NULL;
  }
  c = v2v_image_get_info (img);
  p = v2v_image_get_info (parent);
  if (completed_too &&
      (p->content_id == NULL || (strcmp (p->content_id, c->content_id) != 0 &&
                                 strcmp (p->content_id, c->parent_id) != 0))) {
    v2v_fail (err, V2V_ERR_MISMATCH,
              "%s: is not what %s was being merged into: its identifier is %s",
              v2v_image_name (parent), child,
              p->content_id ? p->content_id : "unknown");
    return NULL;
  }
  if (c->size_bytes != p->size_bytes) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s: has %" PRIu64 " bytes, its parent %" PRIu64
              ": only disks of one size are merged",
              child, c->size_bytes, p->size_bytes);
    v2v_hint (err, "'v2v disk flatten' makes one disk of the chain");
    return NULL;
  }
  path = chain_path (parent, err);
  if (path == NULL)
    return NULL;
  copy = strdup (path);
  if (copy == NULL)
    v2v_fail_nomem (err);
  return copy;
}

/* Step 1. */
static int
copy_down (struct v2v_image *child, struct v2v_image *parent,
           const struct v2v_chain_opts *opts, struct v2v_chain_result *ret,
           struct v2v_error **err)
{
  struct v2v_copy_opts copy = opts->copy;
  struct v2v_copy_result result = { 0 };
  int r;

  copy.top_only = true;
  copy.overwrite = true;
  copy.item = v2v_image_name (child);
  r = v2v_copy (child, parent, &copy, &result, err);
  ret->copied_bytes = result.written_bytes + result.shared_bytes;
  v2v_copy_result_clear (&result);
  return r == -1 ? -1 : v2v_image_flush (parent, err);
}

/* Steps 3 and 4. */
static int
complete (const char *merged, struct v2v_image *child, struct v2v_image *parent,
          struct v2v_error **err)
{
  if (v2v_image_set_identity (parent, v2v_image_get_info (child), err) == -1 ||
      v2v_image_finish (parent, err) == -1)
    return -1;
  if (unlink (merged) == -1)
    return v2v_fail_errno (err, "%s: remove", merged);
  return chain_sync_folder (merged, err);
}

static int
merge (const char *child, const char *merged, bool again,
       const struct v2v_chain_opts *opts, struct v2v_chain_result *ret,
       struct v2v_error **err)
{
  const char *file = again ? merged : child;
  const struct v2v_open_opts alone = { .no_parents = true };
  const struct v2v_open_opts rw = { .search = opts->search,
                                    .keep_content_id = true };
  CLEANUP_FREE char *path = find_parent (file, again, opts, err);
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  CLEANUP_IMAGE struct v2v_image *parent = NULL;

  if (path == NULL)
    return -1;
  if (chain_measure (path, &ret->file_bytes_before,
                     &ret->allocated_bytes_before, err) == -1)
    return -1;
  img = v2v_image_open (file, &alone, err);
  if (img == NULL || chain_lock (img, err) == -1)
    return -1;
  parent = v2v_image_open_rw (path, &rw, err);
  if (parent == NULL || chain_lock (parent, err) == -1)
    return -1;
  if (!again) {
    if (copy_down (img, parent, opts, ret, err) == -1)
      return -1;
    if (rename (child, merged) == -1)
      return v2v_fail_errno (err, "%s: rename", merged);
    if (chain_sync_folder (merged, err) == -1)
      return -1;
  }
  if (complete (merged, img, parent, err) == -1 ||
      chain_measure (path, &ret->file_bytes_after, &ret->allocated_bytes_after,
                     err) == -1)
    return -1;
  ret->path = STEAL (path);
  return 0;
}

int
v2v_chain_merge (const char *given, const struct v2v_chain_opts *opts,
                 struct v2v_chain_result *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *child = chain_real_path (given, err);
  CLEANUP_FREE char *merged = NULL;
  bool again;

  memset (ret, 0, sizeof *ret);
  if (child == NULL)
    return -1;
  if (asprintf (&merged, "%s" SUFFIX, child) == -1) {
    merged = NULL;
    return v2v_fail_nomem (err);
  }
  again = access (merged, F_OK) == 0;
  if (again && access (child, F_OK) == 0) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s and %s are both there: which of them is the disk?", child,
              merged);
    return v2v_hint (err, "the second one is left from a merge that was "
                          "interrupted; its parent has all that is in it");
  }
  return merge (child, merged, again, opts, ret, err);
}
