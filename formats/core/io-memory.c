/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes in memory as an io: writable and growing. */

#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io.h"

struct buffer {
  pthread_mutex_t lock; /* data moves when it grows */
  uint8_t *data;
  size_t len;
  size_t cap;
};

static int
buffer_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  if (!v2v_range_inside (offset, len, b->len))
    return v2v_fail (err, V2V_ERR_IO, "ended early: no data at %" PRIu64,
                     offset);
  memcpy (buf, b->data + offset, len);
  return 0;
}

static int
buffer_grow (struct buffer *b, uint64_t size)
{
  if (size > b->cap) {
    const uint64_t cap = size + size / 2;
    uint8_t *p = cap > PTRDIFF_MAX ? NULL : realloc (b->data, (size_t) cap);

    if (p == NULL)
      return -1;
    b->data = p;
    b->cap = (size_t) cap;
  }
  if (size > b->len)
    memset (b->data + b->len, 0, (size_t) size - b->len);
  b->len = (size_t) size;
  return 0;
}

static int
buffer_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  struct buffer *b = vh;
  uint64_t end;
  V2V_LOCK_SCOPE (&b->lock);

  if (!v2v_add_u64 (offset, len, &end) ||
      (end > b->len && buffer_grow (b, end) == -1))
    return v2v_fail_nomem (err);
  memcpy (b->data + offset, buf, len);
  return 0;
}

static int
buffer_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  return buffer_grow (b, size) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
buffer_sync (void *vh, struct v2v_error **err)
{
  (void) vh;
  (void) err;
  return 0;
}

static int
buffer_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  (void) err;
  if (offset < b->len)
    memset (b->data + offset, 0, (size_t) v2v_min_u64 (len, b->len - offset));
  return 0;
}

static void
buffer_close (void *vh)
{
  struct buffer *b = vh;

  pthread_mutex_destroy (&b->lock);
  free (b->data);
  free (b);
}

static const struct v2v_io_ops buffer_ops = {
  .kind = "buffer",
  .pread = buffer_pread,
  .pwrite = buffer_pwrite,
  .resize = buffer_resize,
  .sync = buffer_sync,
  .punch = buffer_punch,
  .close = buffer_close,
};

struct v2v_io *
v2v_io_from_buffer (const char *name, const void *buf, size_t len,
                    struct v2v_error **err)
{
  struct buffer *b = calloc (1, sizeof *b);

  if (b == NULL || (len > 0 && (b->data = malloc (len)) == NULL)) {
    free (b);
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > 0)
    memcpy (b->data, buf, len);
  b->len = b->cap = len;
  pthread_mutex_init (&b->lock, NULL);
  return v2v_io_new (&buffer_ops, b, name, len, false, err);
}
