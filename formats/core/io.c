/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The common front of every io: bounds, names in errors, references. */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io-internal.h"

struct v2v_io *
v2v_io_new (const struct v2v_io_ops *ops, void *h, const char *name,
            uint64_t size, bool forward_only, struct v2v_error **err)
{
  struct v2v_io *io = calloc (1, sizeof *io);

  if (io == NULL || (io->name = strdup (name)) == NULL) {
    free (io);
    ops->close (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  io->ops = ops;
  io->h = h;
  io->refs = 1;
  io->size = size;
  io->forward_only = forward_only;
  return io;
}

struct v2v_io *
v2v_io_ref (struct v2v_io *io)
{
  atomic_fetch_add (&io->refs, 1);
  return io;
}

void
v2v_io_unref (struct v2v_io *io)
{
  if (io == NULL || atomic_fetch_sub (&io->refs, 1) > 1)
    return;
  io->ops->close (io->h);
  if (io->resolve_free != NULL)
    io->resolve_free (io->resolve_arg);
  free (io->name);
  free (io->path);
  free (io);
}

const char *
v2v_io_name (const struct v2v_io *io)
{
  return io->name;
}

const char *
v2v_io_path (const struct v2v_io *io)
{
  return io->path;
}

uint64_t
v2v_io_size (const struct v2v_io *io)
{
  return io->size;
}

bool
v2v_io_is_forward_only (const struct v2v_io *io)
{
  return io->forward_only;
}

bool
v2v_io_is_writable (const struct v2v_io *io)
{
  return io->ops->pwrite != NULL;
}

int
v2v_io_pread (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  if (len == 0)
    return 0;
  if (!v2v_range_inside (offset, len, io->size)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %zu bytes at %" PRIu64 ", past the end (%" PRIu64 ")",
              io->name, len, offset, (uint64_t) io->size);
    return -1;
  }
  if (io->ops->pread (io->h, buf, len, offset, err) == -1) {
    /* A window's base has put its own name there already. */
    if (!v2v_io_has_bases (io))
      v2v_prefix (err, "%s", io->name);
    return -1;
  }
  return 0;
}

int
v2v_io_pread_upto (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
                   size_t *ret_len, struct v2v_error **err)
{
  const int r = v2v_io_stream_upto (io, buf, len, offset, ret_len, err);

  if (r != 1)
    return r == -1 ? v2v_prefix (err, "%s", io->name) : 0;
  if (offset >= io->size)
    len = 0;
  else
    len = (size_t) v2v_min_u64 (len, io->size - offset);
  if (v2v_io_pread (io, buf, len, offset, err) == -1)
    return -1;
  *ret_len = len;
  return 0;
}

/* Raise the known size to END: several threads may grow it at once. */
static void
grow_size (struct v2v_io *io, uint64_t end)
{
  uint64_t size = io->size;

  while (size < end && !atomic_compare_exchange_weak (&io->size, &size, end))
    ;
}

static int
not_writable (struct v2v_io *io, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_USAGE, "%s: is open for reading only",
                   io->name);
}

int
v2v_io_pwrite (struct v2v_io *io, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  uint64_t end;

  if (io->ops->pwrite == NULL)
    return not_writable (io, err);
  if (len == 0)
    return 0;
  if (!v2v_add_u64 (offset, len, &end) || end > INT64_MAX)
    return v2v_fail (err, V2V_ERR_IO,
                     "%s: writing at %" PRIu64 ", beyond what a file can hold",
                     io->name, offset);
  if (io->ops->pwrite (io->h, buf, len, offset, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  grow_size (io, end);
  return 0;
}

int
v2v_io_pwrite_pair (struct v2v_io *io, const void *head, size_t head_len,
                    const void *buf, size_t len, uint64_t offset,
                    struct v2v_error **err)
{
  uint64_t end;

  if (io->ops->pwrite_pair == NULL) {
    if (v2v_io_pwrite (io, head, head_len, offset, err) == -1)
      return -1;
    return v2v_io_pwrite (io, buf, len, offset + head_len, err);
  }
  if (!v2v_add_u64 (offset, head_len, &end) || !v2v_add_u64 (end, len, &end) ||
      end > INT64_MAX)
    return v2v_fail (err, V2V_ERR_IO,
                     "%s: writing at %" PRIu64 ", beyond what a file can hold",
                     io->name, offset);
  if (io->ops->pwrite_pair (io->h, head, head_len, buf, len, offset, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  grow_size (io, end);
  return 0;
}

int
v2v_io_resize (struct v2v_io *io, uint64_t size, struct v2v_error **err)
{
  if (io->ops->resize == NULL)
    return not_writable (io, err);
  if (size > INT64_MAX)
    return v2v_fail (err, V2V_ERR_IO,
                     "%s: length %" PRIu64 ", beyond what a file can hold",
                     io->name, size);
  if (io->ops->resize (io->h, size, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  io->size = size;
  return 0;
}

int
v2v_io_sync (struct v2v_io *io, struct v2v_error **err)
{
  if (io->ops->sync == NULL)
    return 0;
  if (io->ops->sync (io->h, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  return 0;
}

int
v2v_io_punch (struct v2v_io *io, uint64_t len, uint64_t offset,
              struct v2v_error **err)
{
  if (io->ops->punch == NULL)
    return not_writable (io, err);
  if (offset >= io->size || len == 0)
    return 0;
  len = v2v_min_u64 (len, io->size - offset);
  if (io->ops->punch (io->h, len, offset, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  return 0;
}

int
v2v_io_extents (struct v2v_io *io, uint64_t len, uint64_t offset,
                struct v2v_extents *out, struct v2v_error **err)
{
  if (!v2v_range_inside (offset, len, io->size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: %" PRIu64 " bytes at %" PRIu64
                     ", past the end (%" PRIu64 ")",
                     io->name, len, offset, (uint64_t) io->size);
  if (io->ops->extents == NULL)
    return v2v_extents_append (out, offset, len, V2V_EXTENT_DATA, 0) == -1
               ? v2v_fail_nomem (err)
               : 0;
  return io->ops->extents (io->h, len, offset, out, err);
}

bool
v2v_io_fd (struct v2v_io *io, uint64_t offset, int *ret_fd,
           uint64_t *ret_fd_offset, uint64_t *ret_len)
{
  return io->ops->fd != NULL &&
         io->ops->fd (io->h, offset, ret_fd, ret_fd_offset, ret_len);
}

bool
v2v_io_same (const struct v2v_io *a, const struct v2v_io *b)
{
  uint64_t start_a = 0, start_b = 0, start;

  if (a == b)
    return true;
  while (v2v_io_is_window (a, &a, &start))
    start_a += start;
  while (v2v_io_is_window (b, &b, &start))
    start_b += start;
  if (start_a != start_b)
    return false;
  if (a == b)
    return true;
  if (v2v_io_is_file (a) && v2v_io_is_file (b)) {
    const struct v2v_io_file *fa = a->h, *fb = b->h;

    return fa->dev == fb->dev && fa->ino == fb->ino;
  }
  return false;
}

void
v2v_io_set_resolver (struct v2v_io *io, v2v_io_resolver *resolve, void *arg,
                     void (*free_arg) (void *arg))
{
  assert (io->resolve == NULL);
  io->resolve = resolve;
  io->resolve_arg = arg;
  io->resolve_free = free_arg;
}

struct v2v_io *
v2v_io_open_sibling (struct v2v_io *io, const char *name, unsigned flags,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *dir = NULL;
  char *slash;

  if (!v2v_check_plain_name (name, err)) {
    v2v_prefix (err, "%s", io->name);
    return NULL;
  }
  if (io->resolve != NULL)
    return io->resolve (io->resolve_arg, name, flags, err);
  if (io->path == NULL) {
    errno = ENOENT;
    v2v_fail_errno (err, "%s: no folder to look for '%s' in", io->name, name);
    return NULL;
  }
  dir = strdup (io->path);
  if (dir == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  slash = strrchr (dir, '/');
  if (slash == NULL)
    return v2v_io_open_in (".", name, flags, err);
  slash[slash == dir] = '\0'; /* keep the slash of the root */
  return v2v_io_open_in (dir, name, flags, err);
}
