/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views of other ios: a window into one, several joined end to end. */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io-internal.h"

/* ---- a window ---- */

struct window {
  struct v2v_io *base;
  uint64_t start;
  uint64_t len;
};

static int
window_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  const struct window *w = vh;

  return v2v_io_pread (w->base, buf, len, w->start + offset, err);
}

static int
window_extents (void *vh, uint64_t len, uint64_t offset,
                struct v2v_extents *out, struct v2v_error **err)
{
  const struct window *w = vh;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;

  if (v2v_io_extents (w->base, len, w->start + offset, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i)
    if (v2v_extents_append (out, list.ptr[i].offset - w->start,
                            list.ptr[i].length, list.ptr[i].type, 0) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

static bool
window_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
           uint64_t *ret_len)
{
  const struct window *w = vh;

  if (!v2v_io_fd (w->base, w->start + offset, ret_fd, ret_fd_offset, ret_len))
    return false;
  *ret_len = v2v_min_u64 (*ret_len, w->len - offset);
  return true;
}

static void
window_close (void *vh)
{
  struct window *w = vh;

  v2v_io_unref (w->base);
  free (w);
}

static const struct v2v_io_ops window_ops = {
  .kind = "window",
  .pread = window_pread,
  .extents = window_extents,
  .fd = window_fd,
  .close = window_close,
};

struct v2v_io *
v2v_io_window (struct v2v_io *base, const char *name, uint64_t offset,
               uint64_t len, struct v2v_error **err)
{
  struct window *w;

  if (!v2v_range_inside (offset, len, v2v_io_size (base))) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %" PRIu64 " bytes at %" PRIu64 ", past the end (%" PRIu64
              ")",
              name, len, offset, v2v_io_size (base));
    return NULL;
  }
  w = calloc (1, sizeof *w);
  if (w == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  w->base = v2v_io_ref (base);
  w->start = offset;
  w->len = len;
  return v2v_io_new (&window_ops, w, name, len, base->forward_only, err);
}

bool
v2v_io_is_window (const struct v2v_io *io, const struct v2v_io **ret_base,
                  uint64_t *ret_start)
{
  const struct window *w = io->h;

  if (io->ops != &window_ops)
    return false;
  *ret_base = w->base;
  *ret_start = w->start;
  return true;
}

/* ---- several, one after the other ---- */

struct join {
  size_t n;
  struct v2v_io **ios;
  uint64_t *starts; /* n + 1; the last is the total */
};

/* The part that holds OFFSET, by bisection: an OVF may have thousands. */
static size_t
join_find (const struct join *j, uint64_t offset)
{
  size_t lo = 0, hi = j->n;

  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;

    if (j->starts[mid] <= offset)
      lo = mid;
    else
      hi = mid;
  }
  return lo;
}

static int
join_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct join *j = vh;
  char *p = buf;

  for (size_t i = join_find (j, offset); len > 0; ++i) {
    const size_t n = (size_t) v2v_min_u64 (len, j->starts[i + 1] - offset);

    if (n > 0 &&
        v2v_io_pread (j->ios[i], p, n, offset - j->starts[i], err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

static bool
join_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
         uint64_t *ret_len)
{
  const struct join *j = vh;
  const size_t i = join_find (j, offset);

  if (!v2v_io_fd (j->ios[i], offset - j->starts[i], ret_fd, ret_fd_offset,
                  ret_len))
    return false;
  *ret_len = v2v_min_u64 (*ret_len, j->starts[i + 1] - offset);
  return true;
}

static void
join_close (void *vh)
{
  struct join *j = vh;

  for (size_t i = 0; i < j->n; ++i)
    v2v_io_unref (j->ios[i]);
  free (j->ios);
  free (j->starts);
  free (j);
}

static const struct v2v_io_ops join_ops = {
  .kind = "join",
  .pread = join_pread,
  .fd = join_fd,
  .close = join_close,
};

struct v2v_io *
v2v_io_join (const char *name, struct v2v_io *const *ios, size_t n,
             struct v2v_error **err)
{
  struct join *j = calloc (1, sizeof *j);

  if (j == NULL)
    goto nomem;
  j->ios = calloc (n + 1, sizeof *j->ios);
  j->starts = calloc (n + 1, sizeof *j->starts);
  if (j->ios == NULL || j->starts == NULL)
    goto nomem;
  for (size_t i = 0; i < n; ++i) {
    j->ios[i] = v2v_io_ref (ios[i]);
    j->n = i + 1;
    if (!v2v_add_u64 (j->starts[i], v2v_io_size (ios[i]), &j->starts[i + 1])) {
      join_close (j);
      v2v_fail (err, V2V_ERR_FORMAT, "%s: parts add up to more than 2^64",
                name);
      return NULL;
    }
  }
  return v2v_io_new (&join_ops, j, name, j->starts[n], false, err);

nomem:
  if (j != NULL)
    join_close (j);
  v2v_fail_nomem (err);
  return NULL;
}

bool
v2v_io_has_bases (const struct v2v_io *io)
{
  return io->ops == &window_ops || io->ops == &join_ops;
}
