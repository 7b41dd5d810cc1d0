/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains: what the operations share; new children, and other parents. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/chain-internal.h"

void
chain_cleanup_image (struct v2v_image **img)
{
  v2v_image_close (*img);
}

void
v2v_chain_result_clear (struct v2v_chain_result *r)
{
  free (r->path);
  memset (r, 0, sizeof *r);
}

int
chain_lock (struct v2v_image *img, struct v2v_error **err)
{
  struct v2v_io *io = v2v_image_io (img);
  uint64_t offset, len;
  int fd;

  if (io == NULL || !v2v_io_fd (io, 0, &fd, &offset, &len) ||
      flock (fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  if (errno != EWOULDBLOCK)
    return 0; /* a file system without locks */
  v2v_fail (err, V2V_ERR_USAGE, "%s: another run works on it at this moment",
            v2v_image_name (img));
  return v2v_hint (err, "wait for it");
}

const char *
chain_path (const struct v2v_image *img, struct v2v_error **err)
{
  const struct v2v_io *io = v2v_image_io (img);
  const char *path = io != NULL ? v2v_io_path (io) : NULL;

  if (path == NULL)
    v2v_fail (err, V2V_ERR_USAGE, "%s: is not a file", v2v_image_name (img));
  return path;
}

int
chain_check_format (const struct v2v_image *img, struct v2v_error **err)
{
  const struct v2v_image_ops *ops = v2v_image_get_ops (img);

  if (ops->set_parent != NULL)
    return 0;
  v2v_fail (err, V2V_ERR_UNSUPPORTED,
            "%s: is of format %s; chains of VHD and VHDX can be changed",
            v2v_image_name (img), ops->name);
  return v2v_hint (err, "'v2v copy' makes a VHDX of it");
}

int
chain_measure (const char *path, uint64_t *ret_file, uint64_t *ret_allocated,
               struct v2v_error **err)
{
  struct stat st;

  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  *ret_file = (uint64_t) st.st_size;
  *ret_allocated = (uint64_t) st.st_blocks * 512;
  return 0;
}

char *
chain_real_path (const char *path, struct v2v_error **err)
{
  char *real = realpath (path, NULL);

  if (real == NULL && errno == ENOENT)
    real = strdup (path);
  if (real == NULL)
    v2v_fail_errno (err, "%s", path);
  return real;
}

int
chain_sync_folder (const char *path, struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *dir = slash == NULL ? strdup (".")
                           : slash == path
                               ? strdup ("/")
                               : strndup (path, (size_t) (slash - path));
  CLEANUP_CLOSE int fd = -1;

  if (dir == NULL)
    return v2v_fail_nomem (err);
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1 || (fsync (fd) == -1 && errno != EINVAL))
    return v2v_fail_errno (err, "%s: fsync", dir);
  return 0;
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

static void
fill_create (const struct v2v_chain_opts *opts, struct v2v_image *parent,
             struct v2v_create_opts *create)
{
  *create = (struct v2v_create_opts){
    .size_bytes = v2v_image_size (parent),
    .subformat = V2V_SUB_DIFFERENCING,
    .parent = parent,
    .parent_relative_path = opts->parent_relative_path,
    .parent_absolute_path = opts->parent_absolute_path,
  };
}

int
v2v_chain_create_child (const char *parent, const char *child,
                        const struct v2v_chain_opts *opts,
                        struct v2v_chain_result *ret, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search };
  CLEANUP_IMAGE struct v2v_image *base = v2v_image_open (parent, &open, err);
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_create_opts create;

  memset (ret, 0, sizeof *ret);
  if (base == NULL || chain_check_format (base, err) == -1)
    return -1;
  fill_create (opts, base, &create);
  img =
      v2v_image_create (child, v2v_image_get_info (base)->format, &create, err);
  return img == NULL || v2v_image_finish (img, err) == -1
             ? -1
             : finish_result (ret, child, err);
}

/* ---- rebase ---- */

/* CHILD must not be among the ancestors of PARENT, nor be it. */
static int
check_loop (const struct v2v_image *child, const struct v2v_image *parent,
            struct v2v_error **err)
{
  const struct v2v_io *io = v2v_image_io (child);
  const char *name = v2v_image_name (parent);

  for (; parent != NULL; parent = v2v_image_parent (parent))
    if (v2v_io_same (io, v2v_image_io (parent)))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: reads from %s, so it cannot be its parent", name,
                       v2v_image_name (child));
  return 0;
}

/* Another disk with the same contents?  The old parent has to be there. */
static int
check_contents (const char *child, struct v2v_image *parent,
                const struct v2v_chain_opts *opts, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search };
  struct v2v_error *e = NULL;
  CLEANUP_IMAGE struct v2v_image *img = v2v_image_open (child, &open, &e);
  uint64_t offset = 0;
  int r;

  if (img == NULL) {
    v2v_error_move (err, e);
    v2v_prefix (err,
                "%s has another identifier than the parent that was, which "
                "would have to be compared with it",
                v2v_image_name (parent));
    return v2v_hint (err, "--trust-parent goes without");
  }
  r = v2v_image_compare (v2v_image_parent (img), parent, true, &opts->copy,
                         &offset, err);
  if (r != 1)
    return r;
  return v2v_fail (err, V2V_ERR_MISMATCH,
                   "%s: differs from the parent that was, at byte %" PRIu64,
                   v2v_image_name (parent), offset);
}

static int
check_new_parent (const char *path, const struct v2v_image *child,
                  struct v2v_image *parent, const struct v2v_chain_opts *opts,
                  struct v2v_error **err)
{
  const struct v2v_image_info *c = v2v_image_get_info (child);
  const struct v2v_image_info *p = v2v_image_get_info (parent);

  if (!c->has_parent)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: has no parent", path);
  if (strcmp (c->format, p->format) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: is of format %s, a child of format %s needs the same",
                     v2v_image_name (parent), p->format, c->format);
  if (p->logical_sector_bytes != c->logical_sector_bytes)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: has sectors of %" PRIu32 " bytes, the child of "
                     "%" PRIu32,
                     v2v_image_name (parent), p->logical_sector_bytes,
                     c->logical_sector_bytes);
  if (check_loop (child, parent, err) == -1)
    return -1;
  if (opts->trust_parent || (p->content_id != NULL && c->parent_id != NULL &&
                             strcmp (p->content_id, c->parent_id) == 0))
    return 0;
  return check_contents (path, parent, opts, err);
}

int
v2v_chain_rebase (const char *child, const char *parent,
                  const struct v2v_chain_opts *opts,
                  struct v2v_chain_result *ret, struct v2v_error **err)
{
  const struct v2v_open_opts open = { .search = opts->search };
  const struct v2v_open_opts alone = { .no_parents = true,
                                       .keep_content_id = true };
  CLEANUP_IMAGE struct v2v_image *base = NULL;
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_create_opts create;

  memset (ret, 0, sizeof *ret);
  base = v2v_image_open (parent, &open, err);
  if (base == NULL || chain_measure (child, &ret->file_bytes_before,
                                     &ret->allocated_bytes_before, err) == -1)
    return -1;
  {
    /* Looked at first: what is opened for writing may be changed by it. */
    CLEANUP_IMAGE struct v2v_image *look = v2v_image_open (child, &alone, err);

    if (look == NULL || chain_check_format (look, err) == -1 ||
        check_new_parent (child, look, base, opts, err) == -1)
      return -1;
  }
  img = v2v_image_open_rw (child, &alone, err);
  if (img == NULL || chain_lock (img, err) == -1)
    return -1;
  fill_create (opts, base, &create);
  return v2v_image_set_parent (img, &create, err) == -1 ||
                 v2v_image_finish (img, err) == -1
             ? -1
             : finish_result (ret, child, err);
}
