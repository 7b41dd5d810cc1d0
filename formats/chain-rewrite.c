/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flattening and compacting: a new file beside the old one, which takes its
 * place by one rename, with its identity.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/chain-internal.h"

/* Who may do what with the old file holds for the new one, as far as we may
 * say so. */
static void
copy_mode (const struct v2v_image *src, const struct v2v_image *dst)
{
  uint64_t offset, len;
  struct stat st;
  int from, to;

  if (!v2v_io_fd (v2v_image_io (src), 0, &from, &offset, &len) ||
      !v2v_io_fd (v2v_image_io (dst), 0, &to, &offset, &len) ||
      fstat (from, &st) == -1)
    return;
  if (fchown (to, st.st_uid, st.st_gid) == -1)
    v2v_debug ("owner of %s is not kept: %s", v2v_image_name (dst),
               strerror (errno));
  if (fchmod (to, st.st_mode & 07777) == -1)
    v2v_debug ("mode of %s is not kept: %s", v2v_image_name (dst),
               strerror (errno));
}

/* Make OUTPUT from SRC, and publish it; in place of PATH if they are the same.
 * With PATH smaller already nothing is published. */
static int
rewrite (struct v2v_image *src, const char *path, const char *output,
         const struct v2v_create_opts *create, bool top_only, bool only_smaller,
         const struct v2v_chain_opts *opts, struct v2v_chain_result *ret,
         struct v2v_error **err)
{
  const struct v2v_image_info *info = v2v_image_get_info (src);
  CLEANUP_IMAGE struct v2v_image *dst =
      v2v_image_create (output, info->format, create, err);
  struct v2v_copy_opts copy = opts->copy;
  struct v2v_copy_result result = { 0 };
  CLEANUP_FREE char *part = NULL;
  int r;

  if (dst == NULL)
    return -1;
  if (strcmp (path, output) == 0)
    copy_mode (src, dst);
  copy.top_only = top_only;
  copy.item = output;
  r = v2v_copy (src, dst, &copy, &result, err);
  ret->copied_bytes = result.written_bytes + result.shared_bytes;
  v2v_copy_result_clear (&result);
  if (r == -1 || (strcmp (path, output) == 0 &&
                  v2v_image_set_identity (dst, info, err) == -1))
    return -1;
  if (!only_smaller)
    return v2v_image_finish (dst, err);
  if (asprintf (&part, "%s.part", output) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_image_finish_unpublished (dst, err) == -1 ||
      chain_measure (part, &ret->file_bytes_after, &ret->allocated_bytes_after,
                     err) == -1)
    return -1;
  if (ret->file_bytes_after >= ret->file_bytes_before &&
      ret->allocated_bytes_after >= ret->allocated_bytes_before) {
    ret->unchanged = true;
    return unlink (part) == -1 ? v2v_fail_errno (err, "%s: remove", part) : 0;
  }
  return v2v_io_publish (v2v_image_io (dst), err);
}

static int
finish_result (struct v2v_chain_result *ret, const char *path,
               struct v2v_error **err)
{
  ret->path = strdup (path);
  if (ret->path == NULL)
    return v2v_fail_nomem (err);
  return chain_measure (path, &ret->file_bytes_after,
                        &ret->allocated_bytes_after, err);
}

/* What the new file has in common with the old one. */
static void
fill_create (const struct v2v_image_info *info, struct v2v_create_opts *create)
{
  *create = (struct v2v_create_opts){
    .size_bytes = info->size_bytes,
    .subformat = V2V_SUB_DYNAMIC,
    .block_bytes = info->block_bytes,
    .logical_sector_bytes = info->logical_sector_bytes,
    .physical_sector_bytes =
        strcmp (info->format, "vhdx") == 0 ? info->physical_sector_bytes : 0,
  };
}

int
v2v_chain_flatten (const char *given, const char *output,
                   const struct v2v_chain_opts *opts,
                   struct v2v_chain_result *ret, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search };
  CLEANUP_FREE char *path = chain_real_path (given, err);
  CLEANUP_IMAGE struct v2v_image *src = NULL;
  struct v2v_create_opts create;

  memset (ret, 0, sizeof *ret);
  src = path != NULL ? v2v_image_open (path, &open, err) : NULL;
  if (src == NULL || chain_check_format (src, err) == -1 ||
      chain_measure (path, &ret->file_bytes_before,
                     &ret->allocated_bytes_before, err) == -1)
    return -1;
  if (output == NULL && v2v_image_parent (src) == NULL) {
    ret->unchanged = true;
    return finish_result (ret, path, err);
  }
  if (output == NULL && chain_lock (src, err) == -1)
    return -1;
  fill_create (v2v_image_get_info (src), &create);
  create.replace = output == NULL;
  if (output == NULL)
    output = path;
  return rewrite (src, path, output, &create, false, false, opts, ret, err) ==
                 -1
             ? -1
             : finish_result (ret, output, err);
}

int
v2v_chain_compact (const char *given, const struct v2v_chain_opts *opts,
                   struct v2v_chain_result *ret, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search };
  CLEANUP_FREE char *path = chain_real_path (given, err);
  CLEANUP_IMAGE struct v2v_image *src = NULL;
  const struct v2v_image_info *info;
  struct v2v_create_opts create;

  memset (ret, 0, sizeof *ret);
  src = path != NULL ? v2v_image_open (path, &open, err) : NULL;
  if (src == NULL || chain_check_format (src, err) == -1 ||
      chain_lock (src, err) == -1 ||
      chain_measure (path, &ret->file_bytes_before,
                     &ret->allocated_bytes_before, err) == -1)
    return -1;
  info = v2v_image_get_info (src);
  if (info->variant != NULL && strcmp (info->variant, "fixed") == 0) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: is a fixed disk, which has a place for every block", path);
    return v2v_hint (err, "'v2v copy' makes a dynamic one of it");
  }
  fill_create (info, &create);
  create.replace = true;
  if (info->has_parent) {
    create.subformat = V2V_SUB_DIFFERENCING;
    create.parent = v2v_image_parent (src);
    create.parent_relative_path = info->parent_relative_path;
    create.parent_absolute_path = info->parent_absolute_path;
  }
  return rewrite (src, path, path, &create, info->has_parent, true, opts, ret,
                  err) == -1
             ? -1
             : finish_result (ret, path, err);
}
