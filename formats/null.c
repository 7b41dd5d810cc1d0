/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* null: sinks writes and reads zeros.  The complete contract of a driver in a
 * page, and the pipeline's test double.
 */

#include <config.h>

#include <string.h>

#include "formats/image-internal.h"

struct null {
  uint64_t size;
};

static int
null_probe (const struct v2v_probe *p)
{
  (void) p;
  return 0;
}

static bool
null_probe_uri (const char *uri)
{
  return strncmp (uri, "null:", 5) == 0;
}

/* "null:10G" is a disk of zeros of that size. */
static int
null_open_uri (void *vh, const char *uri, const struct v2v_open_opts *opts,
               struct v2v_error **err)
{
  struct null *h = vh;

  (void) opts;
  if (!v2v_parse_size (uri + 5, &h->size) || h->size % 512 != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "expected null:SIZE, a multiple of 512");
  return 0;
}

static void
null_info (const void *vh, struct v2v_image_info *ret)
{
  const struct null *h = vh;

  ret->size_bytes = h->size;
  ret->logical_sector_bytes = 512;
}

static int
null_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
              struct v2v_error **err)
{
  (void) vh;
  return v2v_extents_append (out, offset, len, V2V_EXTENT_ZERO, 0) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
null_create (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
             struct v2v_error **err)
{
  struct null *h = vh;

  (void) file;
  (void) err;
  h->size = opts->size_bytes;
  return 0;
}

static int
null_write (void *vh, const void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  (void) vh;
  (void) buf;
  (void) len;
  (void) offset;
  (void) err;
  return 0;
}

static int
null_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  (void) vh;
  (void) len;
  (void) offset;
  (void) err;
  return 0;
}

static int
null_finish (void *vh, struct v2v_error **err)
{
  (void) vh;
  (void) err;
  return 0;
}

static void
null_close (void *vh)
{
  (void) vh;
}

const struct v2v_image_ops v2v_null_ops = {
  .name = "null",
  .description = "reads zeros, forgets what is written (tests, benches)",
  .handle_size = sizeof (struct null),
  .parallel_read = true,
  .parallel_write = true,
  .probe = null_probe,
  .probe_uri = null_probe_uri,
  .open_uri = null_open_uri,
  .info = null_info,
  .extents = null_extents,
  .create = null_create,
  .write = null_write,
  .zero = null_zero,
  .flush = null_finish,
  .finish = null_finish,
  .close = null_close,
};
