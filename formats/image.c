/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core in front of the drivers: the probe auction, bounds of every
 * request, the chain of parents and its composition, publishing.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/image-internal.h"

static const char *const subformat_names[] = {
  [V2V_SUB_NONE] = "none",       [V2V_SUB_FIXED] = "fixed",
  [V2V_SUB_DYNAMIC] = "dynamic", [V2V_SUB_DIFFERENCING] = "differencing",
  [V2V_SUB_SPARSE] = "sparse",   [V2V_SUB_STREAM] = "stream",
};

const char *
v2v_subformat_name (enum v2v_subformat s)
{
  return subformat_names[s];
}

bool
v2v_subformat_parse (const char *s, enum v2v_subformat *ret)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (subformat_names); ++i)
    if (strcmp (s, subformat_names[i]) == 0) {
      *ret = (enum v2v_subformat) i;
      return true;
    }
  return false;
}

/* ---- probing ---- */

static int
fill_probe (struct v2v_io *io, struct v2v_probe *p, struct v2v_error **err)
{
  memset (p, 0, sizeof *p);
  p->name = v2v_io_name (io);
  p->size = v2v_io_size (io);

  if (v2v_io_is_forward_only (io))
    return 0; /* see probe_stream */
  p->head_len = (size_t) v2v_min_u64 (sizeof p->head, p->size);
  if (v2v_io_pread (io, p->head, p->head_len, 0, err) == -1)
    return -1;
  p->tail_len = (size_t) v2v_min_u64 (sizeof p->tail, p->size);
  return v2v_io_pread (io, p->tail, p->tail_len, p->size - p->tail_len, err);
}

static const struct v2v_image_ops *
auction (const struct v2v_probe *p, int *ret_score)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();
  const struct v2v_image_ops *best = NULL;
  int best_score = 0;

  for (size_t i = 0; drivers[i] != NULL; ++i) {
    const int score = drivers[i]->probe ? drivers[i]->probe (p) : 0;

    assert (score >= 0 && score <= 100);
    if (score > best_score) {
      best = drivers[i];
      best_score = score;
    }
  }
  *ret_score = best_score;
  return best;
}

const struct v2v_image_ops *
v2v_image_probe (struct v2v_io *io, int *ret_score, struct v2v_error **err)
{
  struct v2v_probe p;
  const struct v2v_image_ops *ops;
  int score;

  if (fill_probe (io, &p, err) == -1)
    return NULL;
  ops = auction (&p, &score);
  if (ret_score != NULL)
    *ret_score = score;
  return ops;
}

/* Decide the driver for IO: declared, or by evidence, or raw by its name. */
const struct v2v_image_ops *
v2v_image_choose_driver (struct v2v_io *io, const struct v2v_open_opts *opts,
                         struct v2v_error **err)
{
  const struct v2v_image_ops *ops;
  struct v2v_error *probe_err = NULL;
  const char *name = v2v_io_name (io);
  const char *dot = strrchr (name, '.');

  if (opts->format != NULL) {
    ops = v2v_image_driver_by_name (opts->format);
    if (ops == NULL)
      v2v_fail (err, V2V_ERR_USAGE, "%s: no format is called '%s'", name,
                opts->format);
    return ops;
  }
  if (v2v_io_is_forward_only (io))
    /* The head of a pipe cannot be read twice: the only disk that comes as a
     * stream is streamOptimized VMDK, and its driver checks the magic. */
    return v2v_image_driver_by_name ("vmdk");

  ops = v2v_image_probe (io, NULL, &probe_err);
  if (probe_err != NULL) {
    v2v_error_move (err, probe_err);
    return NULL;
  }
  if (ops != NULL)
    return ops;
  if (dot != NULL && (strcmp (dot, ".raw") == 0 || strcmp (dot, ".img") == 0))
    return &v2v_raw_ops;
  v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: not a disk image of a known format",
            name);
  v2v_hint (err, "if it is the bytes of a disk, say so with --format raw");
  return NULL;
}

/* ---- life ---- */

struct v2v_image *
v2v_image_new (const struct v2v_image_ops *ops, const char *name,
               struct v2v_error **err)
{
  struct v2v_image *img = calloc (1, sizeof *img);

  if (img == NULL)
    goto nomem;
  img->ops = ops;
  img->chain_length = 1;
  img->name = strdup (name);
  img->h = calloc (1, ops->handle_size ? ops->handle_size : 1);
  if (img->name == NULL || img->h == NULL)
    goto nomem;
  return img;

nomem:
  if (img != NULL) {
    free (img->name);
    free (img);
  }
  v2v_fail_nomem (err);
  return NULL;
}

void
v2v_image_close (struct v2v_image *img)
{
  while (img != NULL) {
    struct v2v_image *parent = img->parent;

    img->ops->close (img->h);
    v2v_io_unref (img->io);
    free (img->h);
    free (img->name);
    free (img);
    img = parent;
  }
}

/* Ask the driver what it has, and do not believe nonsense. */
int
v2v_image_refresh_info (struct v2v_image *img, struct v2v_error **err)
{
  memset (&img->info, 0, sizeof img->info);
  img->ops->info (img->h, &img->info);
  img->info.format = img->ops->name;
  if (img->info.logical_sector_bytes == 0)
    img->info.logical_sector_bytes = 512;
  /* Largest disk of any format here: VHDX, 64 TiB; qcow2 and raw may be
   * larger, but nothing we write can hold them. */
  if (img->info.size_bytes > INT64_MAX)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: disk of %" PRIu64 " bytes, larger than a file can be",
                     img->name, img->info.size_bytes);
  return 0;
}

static struct v2v_image *open_chain (struct v2v_io *io,
                                     const struct v2v_open_opts *opts,
                                     const struct v2v_image_ops *ops,
                                     unsigned depth, struct v2v_io *const *seen,
                                     bool rw, struct v2v_error **err);

/* Find the parent of IMG: the child's folder first, then --search, in the
 * order of the candidate names.
 */
static struct v2v_io *
find_parent (struct v2v_image *img, const struct v2v_open_opts *opts,
             struct v2v_error **err)
{
  const char *const *names = NULL;

  if (img->ops->parent_names == NULL ||
      img->ops->parent_names (img->h, &names, err) == -1) {
    if (img->ops->parent_names == NULL)
      v2v_fail (err, V2V_ERR_UNSUPPORTED,
                "%s: has a parent, which the %s "
                "driver cannot find",
                img->name, img->ops->name);
    return NULL;
  }
  for (size_t i = 0; names != NULL && names[i] != NULL; ++i) {
    for (size_t d = 0;; ++d) {
      struct v2v_error *e = NULL;
      struct v2v_io *io;

      if (d == 0 && img->io != NULL)
        io = v2v_io_open_sibling (img->io, names[i], 0, &e);
      else if (d > 0 && opts->search != NULL && opts->search[d - 1] != NULL)
        io = v2v_io_open_in (opts->search[d - 1], names[i], 0, &e);
      else
        break;
      if (io != NULL)
        return io;
      if (v2v_error_errno (e) != ENOENT) {
        v2v_error_move (err, e);
        return NULL;
      }
      v2v_error_free (e);
    }
  }
  v2v_fail (err, V2V_ERR_IO, "%s: its parent '%s' is not here", img->name,
            names != NULL && names[0] != NULL
                ? names[0]
                : (img->info.parent_name ? img->info.parent_name : "?"));
  v2v_hint (err, "put the parent beside it, or name its folder with --search");
  return NULL;
}

/* SEEN is the list of the children above, for loops. */
static int
open_parent (struct v2v_image *img, const struct v2v_open_opts *opts,
             unsigned depth, struct v2v_io *const *seen, struct v2v_error **err)
{
  struct v2v_io *list[V2V_MAX_CHAIN];
  struct v2v_open_opts parent_opts = *opts;
  struct v2v_io *io;

  if (depth + 1 >= V2V_MAX_CHAIN)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: chain of parents is longer than %d", img->name,
                     V2V_MAX_CHAIN);
  io = find_parent (img, opts, err);
  if (io == NULL)
    return -1;
  if (depth > 0) /* else SEEN is NULL */
    memcpy (list, seen, depth * sizeof list[0]);
  list[depth] = img->io;
  for (unsigned i = 0; i <= depth; ++i)
    if (list[i] != NULL && v2v_io_same (list[i], io)) {
      v2v_fail (err, V2V_ERR_FORMAT,
                "%s: chain of parents is a loop: '%s' is "
                "its own ancestor",
                img->name, v2v_io_name (io));
      v2v_io_unref (io);
      return -1;
    }

  /* A parent is of the same format as its child: a raw file that looks like
   * something else is never taken for it. */
  parent_opts.format = img->ops->name;
  img->parent =
      open_chain (io, &parent_opts, img->ops, depth + 1, list, false, err);
  v2v_io_unref (io);
  if (img->parent == NULL)
    return v2v_prefix (err, "%s", img->name);
  img->chain_length = img->parent->chain_length + 1;

  if (img->ops->check_parent != NULL && !opts->ignore_parent_id &&
      img->ops->check_parent (img->h, &img->parent->info, err) == -1)
    return v2v_prefix (err, "%s: parent %s", img->name, img->parent->name);
  return 0;
}

static struct v2v_image *
open_chain (struct v2v_io *io, const struct v2v_open_opts *opts,
            const struct v2v_image_ops *ops, unsigned depth,
            struct v2v_io *const *seen, bool rw, struct v2v_error **err)
{
  struct v2v_image *img = v2v_image_new (ops, v2v_io_name (io), err);
  int (*open_fn) (void *, struct v2v_io *, const struct v2v_open_opts *,
                  struct v2v_error **) = rw ? ops->open_rw : ops->open;

  if (img == NULL)
    return NULL;
  img->io = v2v_io_ref (io);
  img->state = rw ? STATE_WRITE : STATE_READ;
  if (open_fn == NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: %s cannot be %s", img->name,
              ops->name, rw ? "changed in place" : "read");
    goto error;
  }
  if (open_fn (img->h, io, opts, err) == -1) {
    /* io errors carry the name already */
    v2v_prefix_name (err, img->name);
    goto error;
  }
  if (v2v_image_refresh_info (img, err) == -1)
    goto error;
  if (img->info.has_parent && !opts->no_parents &&
      open_parent (img, opts, depth, seen, err) == -1)
    goto error;
  return img;

error:
  v2v_image_close (img);
  return NULL;
}

struct v2v_image *
v2v_image_open_io (struct v2v_io *io, const struct v2v_open_opts *opts,
                   struct v2v_error **err)
{
  static const struct v2v_open_opts defaults;
  const struct v2v_image_ops *ops;

  if (opts == NULL)
    opts = &defaults;
  ops = v2v_image_choose_driver (io, opts, err);
  if (ops == NULL)
    return NULL;
  return open_chain (io, opts, ops, 0, NULL, false, err);
}

static struct v2v_image *
open_uri (const struct v2v_image_ops *ops, const char *uri,
          const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct v2v_image *img = v2v_image_new (ops, uri, err);

  if (img == NULL)
    return NULL;
  if (ops->open_uri (img->h, uri, opts, err) == -1) {
    v2v_prefix_name (err, uri);
    v2v_image_close (img);
    return NULL;
  }
  if (v2v_image_refresh_info (img, err) == -1) {
    v2v_image_close (img);
    return NULL;
  }
  return img;
}

struct v2v_image *
v2v_image_open (const char *filename, const struct v2v_open_opts *opts,
                struct v2v_error **err)
{
  static const struct v2v_open_opts defaults;
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();
  struct v2v_io *io;
  struct v2v_image *img;

  if (opts == NULL)
    opts = &defaults;
  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (drivers[i]->probe_uri != NULL && drivers[i]->probe_uri (filename))
      return open_uri (drivers[i], filename, opts, err);

  io = v2v_io_open (filename, V2V_IO_FOLLOW, err);
  if (io == NULL)
    return NULL;
  img = v2v_image_open_io (io, opts, err);
  v2v_io_unref (io);
  return img;
}

struct v2v_image *
v2v_image_open_rw (const char *filename, const struct v2v_open_opts *opts,
                   struct v2v_error **err)
{
  static const struct v2v_open_opts defaults;
  const struct v2v_image_ops *ops;
  struct v2v_image *img = NULL;
  struct v2v_io *io;

  if (opts == NULL)
    opts = &defaults;
  io = v2v_io_open (
      filename,
      V2V_IO_FOLLOW | V2V_IO_RW |
          (opts != NULL && opts->defer_sync ? V2V_IO_DEFER_SYNC : 0),
      err);
  if (io == NULL)
    return NULL;
  ops = v2v_image_choose_driver (io, opts, err);
  if (ops != NULL)
    img = open_chain (io, opts, ops, 0, NULL, true, err);
  v2v_io_unref (io);
  return img;
}

int
v2v_image_set_base (struct v2v_image *top, struct v2v_image *base,
                    struct v2v_error **err)
{
  if (top->parent != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: has a parent already", top->name);
  if (base->chain_length >= V2V_MAX_CHAIN)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: chain of parents is longer than %d", top->name,
                     V2V_MAX_CHAIN);
  top->parent = base;
  top->chain_length = base->chain_length + 1;
  /* An overlay's own format knows nothing of the sectors of what it covers. */
  if (base->info.logical_sector_bytes != 0)
    top->info.logical_sector_bytes = base->info.logical_sector_bytes;
  return 0;
}

/* ---- asking ---- */

const struct v2v_image_info *
v2v_image_get_info (const struct v2v_image *img)
{
  return &img->info;
}

const struct v2v_image_ops *
v2v_image_get_ops (const struct v2v_image *img)
{
  return img->ops;
}

uint64_t
v2v_image_size (const struct v2v_image *img)
{
  return img->info.size_bytes;
}

const char *
v2v_image_name (const struct v2v_image *img)
{
  return img->name;
}

struct v2v_image *
v2v_image_parent (const struct v2v_image *img)
{
  return img->parent;
}

unsigned
v2v_image_chain_length (const struct v2v_image *img)
{
  return img->chain_length;
}

struct v2v_io *
v2v_image_io (const struct v2v_image *img)
{
  return img->io;
}

bool
v2v_image_is_stream (const struct v2v_image *img)
{
  return img->io != NULL && v2v_io_is_forward_only (img->io);
}

bool
v2v_image_parallel_read (const struct v2v_image *img)
{
  for (; img != NULL; img = img->parent)
    if (!img->ops->parallel_read)
      return false;
  return true;
}

bool
v2v_image_parallel_write (const struct v2v_image *img)
{
  return img->ops->parallel_write;
}

void
v2v_image_describe (const struct v2v_image *img, struct v2v_json *obj)
{
  if (img->ops->describe != NULL)
    img->ops->describe (img->h, obj);
}

int
v2v_image_check_range (const struct v2v_image *img, uint64_t len,
                       uint64_t offset, struct v2v_error **err)
{
  if (v2v_range_inside (offset, len, img->info.size_bytes))
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "%s: %" PRIu64 " bytes at %" PRIu64
                   ", past the end of the disk (%" PRIu64 ")",
                   img->name, len, offset, img->info.size_bytes);
}
