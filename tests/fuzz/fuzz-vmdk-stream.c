/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a streamOptimized VMDK that comes through a pipe. */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"

struct pipe_of {
  const uint8_t *data;
  size_t size;
};

static int
pipe_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct pipe_of *p = vh;

  if (!v2v_range_inside (offset, len, p->size))
    return v2v_fail (err, V2V_ERR_IO, "ended early");
  memcpy (buf, p->data + offset, len);
  return 0;
}

static void
pipe_close (void *vh)
{
  (void) vh;
}

static const struct v2v_io_ops pipe_ops = {
  .kind = "fuzz",
  .pread = pipe_pread,
  .close = pipe_close,
};

struct sink {
  struct v2v_image *img;
  uint64_t left; /* bytes still decoded */
};

static int
sink (void *arg, struct v2v_chunk *chunk, struct v2v_error **err)
{
  struct sink *s = arg;
  CLEANUP_FREE __attribute__ ((unused)) void *stored = chunk->data;
  CLEANUP_FREE void *out = NULL;

  if (chunk->length == 0 ||
      !v2v_range_inside (chunk->offset, chunk->length, v2v_image_size (s->img)))
    abort ();
  if (chunk->length > s->left)
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "enough");
  s->left -= chunk->length;
  out = malloc (chunk->length);
  if (out == NULL)
    return v2v_fail_nomem (err);
  return v2v_image_decode (s->img, chunk, out, err);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct pipe_of p = { data, size };
  struct v2v_io *io = v2v_io_new (&pipe_ops, &p, "fuzz", size, true, NULL);
  struct v2v_error *err = NULL;
  struct sink s = { .left = FUZZ_MAX_READ };

  if (io == NULL)
    return 0;
  s.img = v2v_image_open_io (io, NULL, &err);
  if (s.img != NULL)
    v2v_image_stream (s.img, sink, &s, &err);
  v2v_error_free (err);
  v2v_image_close (s.img);
  v2v_io_unref (io);
  return 0;
}
