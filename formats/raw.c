/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* raw: the bytes of the disk, nothing else.  Any length; reading rounds up to
 * whole sectors with zeros.  No magic: the core takes it when no other driver
 * bids, and when the caller declares it.
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/image-internal.h"

#define SECTOR 512

struct raw {
  struct v2v_io *file;
  uint64_t file_size;
  uint64_t size; /* rounded up to a sector */
  bool no_holes;
};

static int
raw_probe (const struct v2v_probe *p)
{
  (void) p;
  return 0;
}

static int
raw_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
          struct v2v_error **err)
{
  struct raw *h = vh;

  (void) opts;
  if (v2v_io_is_forward_only (file))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "a raw disk cannot be read from a stream");
  h->file_size = v2v_io_size (file);
  if (!v2v_round_up_u64 (h->file_size, SECTOR, &h->size))
    return v2v_fail (err, V2V_ERR_FORMAT, "length %" PRIu64 " is too large",
                     h->file_size);
  h->file = v2v_io_ref (file);
  return 0;
}

static void
raw_info (const void *vh, struct v2v_image_info *ret)
{
  const struct raw *h = vh;

  ret->size_bytes = h->size;
  ret->logical_sector_bytes = SECTOR;
}

static int
raw_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
             struct v2v_error **err)
{
  const struct raw *h = vh;
  const uint64_t in_file =
      offset >= h->file_size ? 0 : v2v_min_u64 (len, h->file_size - offset);

  if (in_file > 0) {
    CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;

    if (v2v_io_extents (h->file, in_file, offset, &list, err) == -1)
      return -1;
    /* A hole of a raw file is not "absent": there is no parent to ask, but an
     * overlay's base must not show through either. */
    for (size_t i = 0; i < list.len; ++i)
      if (v2v_extents_append (out, list.ptr[i].offset, list.ptr[i].length,
                              list.ptr[i].type, 0) == -1)
        return v2v_fail_nomem (err);
  }
  /* The sector that the file ends in is one thing: extents of part of it
   * would have half a sector written. */
  if (v2v_extents_append (out, offset + in_file, len - in_file,
                          in_file > 0 && out->len > 0
                              ? out->ptr[out->len - 1].type
                              : V2V_EXTENT_ZERO,
                          0) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
raw_read (void *vh, void *buf, size_t len, uint64_t offset,
          struct v2v_error **err)
{
  const struct raw *h = vh;
  const size_t in_file = (size_t) v2v_min_u64 (
      len, offset >= h->file_size ? 0 : h->file_size - offset);

  if (v2v_io_pread (h->file, buf, in_file, offset, err) == -1)
    return -1;
  memset ((char *) buf + in_file, 0, len - in_file);
  return 0;
}

static int
raw_locate (void *vh, uint64_t offset, struct v2v_run *ret,
            struct v2v_error **err)
{
  const struct raw *h = vh;

  (void) err;
  if (offset >= h->file_size)
    return 1;
  *ret = (struct v2v_run){ h->file, offset, h->file_size - offset };
  return 0;
}

static int
raw_create (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
            struct v2v_error **err)
{
  struct raw *h = vh;
  uint64_t size = opts->size_bytes;

  if (opts->subformat != V2V_SUB_NONE && opts->subformat != V2V_SUB_FIXED)
    return v2v_fail (err, V2V_ERR_USAGE, "raw has no %s form",
                     v2v_subformat_name (opts->subformat));
  if (opts->size_policy == V2V_SIZE_MIB &&
      !v2v_round_up_u64 (size, V2V_MIB, &size))
    return v2v_fail (err, V2V_ERR_USAGE, "size %" PRIu64 " is too large",
                     opts->size_bytes);
  h->file = v2v_io_ref (file);
  h->size = h->file_size = size;
  h->no_holes = opts->no_holes;
  return v2v_io_resize (file, size, err);
}

static int
raw_write (void *vh, const void *buf, size_t len, uint64_t offset,
           struct v2v_error **err)
{
  const struct raw *h = vh;

  return v2v_io_pwrite (h->file, buf, len, offset, err);
}

static int
raw_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  const struct raw *h = vh;

  return v2v_io_punch (h->file, len, offset, err);
}

static int
raw_reserve (void *vh, uint64_t len, uint64_t offset, struct v2v_run *ret,
             struct v2v_error **err)
{
  const struct raw *h = vh;

  (void) err;
  *ret = (struct v2v_run){ h->file, offset, len };
  return 0;
}

static int
raw_flush (void *vh, struct v2v_error **err)
{
  const struct raw *h = vh;

  return v2v_io_sync (h->file, err);
}

static int
raw_finish (void *vh, struct v2v_error **err)
{
  const struct raw *h = vh;

  if (h->no_holes && v2v_io_allocate (h->file, err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}

static void
raw_close (void *vh)
{
  struct raw *h = vh;

  v2v_io_unref (h->file);
}

const struct v2v_image_ops v2v_raw_ops = {
  .name = "raw",
  .description = "the bytes of the disk, nothing else",
  .extension = ".raw",
  .handle_size = sizeof (struct raw),
  .parallel_read = true,
  .parallel_write = true,
  .probe = raw_probe,
  .open = raw_open,
  .info = raw_info,
  .extents = raw_extents,
  .read = raw_read,
  .locate = raw_locate,
  .open_rw = raw_open,
  .create = raw_create,
  .resume = raw_create,
  .write = raw_write,
  .zero = raw_zero,
  .reserve = raw_reserve,
  .flush = raw_flush,
  .finish = raw_finish,
  .close = raw_close,
};
