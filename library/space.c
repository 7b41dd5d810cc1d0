/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there room for what will be written? */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/magic.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/space.h"

/* See cmd-map.c: memory stays bounded on any disk. */
#define STEP (UINT64_C (64) * 1024 * 1024 * 1024)

int
v2v_space_needed (struct v2v_image *src, const struct v2v_create_opts *create,
                  bool top_only, uint64_t *ret_bytes, struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (src);
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  uint64_t sum = 0;

  if (create->no_holes && create->subformat == V2V_SUB_FIXED) {
    *ret_bytes = size;
    return 0;
  }
  for (uint64_t o = 0; o < size; o += STEP) {
    v2v_extents_clear (&list);
    if (v2v_image_extents (src, v2v_min_u64 (STEP, size - o), o, &list, err) ==
        -1)
      return -1;
    for (size_t i = 0; i < list.len; ++i)
      if (list.ptr[i].type == V2V_EXTENT_DATA &&
          (!top_only || list.ptr[i].depth == 0))
        sum += list.ptr[i].length; /* at most the size of the disk */
  }
  *ret_bytes = sum;
  return 0;
}

/* The folder of PATH, or the nearest one above it that exists. */
static char *
existing_folder (const char *path)
{
  char *dir = strdup (path);
  struct stat st;

  while (dir != NULL && (stat (dir, &st) == -1 || !S_ISDIR (st.st_mode))) {
    char *slash = strrchr (dir, '/');

    if (slash == dir && dir[1] != '\0')
      slash[1] = '\0';
    else if (slash == NULL || slash == dir) {
      free (dir);
      return strdup (path[0] == '/' ? "/" : ".");
    }
    else
      *slash = '\0';
  }
  return dir;
}

int
v2v_space_check_bytes (const char *path, uint64_t need, struct v2v_error **err)
{
  CLEANUP_FREE char *dir = existing_folder (path);
  struct statvfs vfs;
  uint64_t avail;
  char want[32], have[32];

  if (dir == NULL)
    return v2v_fail_nomem (err);
  if (statvfs (dir, &vfs) == -1)
    return v2v_fail_errno (err, "%s: statvfs", dir);
  if (!v2v_mul_u64 (vfs.f_bavail, vfs.f_frsize ? vfs.f_frsize : vfs.f_bsize,
                    &avail) ||
      avail >= need)
    return 0;
  errno = ENOSPC;
  v2v_fail_errno (err, "%s: needs up to %s, and %s is free", path,
                  v2v_format_size (need, want), v2v_format_size (avail, have));
  return v2v_hint (err, "choose another folder; if most of the disk is known "
                        "to be zeros, --no-space-check starts anyway");
}

bool
v2v_space_may_share (const char *path, struct v2v_image *src)
{
#ifdef HAVE_LINUX_FS_H
  CLEANUP_FREE char *dir = existing_folder (path);
  struct v2v_io *io = v2v_image_io (src);
  const char *source = io ? v2v_io_path (io) : NULL;
  struct stat a, b;
  struct statfs fs;

  return dir != NULL && source != NULL && stat (dir, &a) == 0 &&
         stat (source, &b) == 0 && a.st_dev == b.st_dev &&
         statfs (dir, &fs) == 0 &&
         ((unsigned long) fs.f_type == XFS_SUPER_MAGIC ||
          (unsigned long) fs.f_type == BTRFS_SUPER_MAGIC);
#else
  (void) path;
  (void) src;
  return false;
#endif
}

int
v2v_space_check (const char *path, struct v2v_image *src,
                 const struct v2v_create_opts *create, bool top_only,
                 struct v2v_error **err)
{
  uint64_t need;

  if (!create->no_holes && v2v_space_may_share (path, src))
    return 0;
  if (v2v_space_needed (src, create, top_only, &need, err) == -1)
    return -1;
  return v2v_space_check_bytes (path, need, err);
}
