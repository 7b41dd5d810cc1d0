/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Forward-only streams: pipes and sockets. */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/io-internal.h"

struct stream {
  int fd;
  uint64_t pos;
};

/* Up to LEN bytes; fewer only at the end. */
static int
stream_read (struct stream *s, void *buf, size_t len, size_t *ret_len,
             struct v2v_error **err)
{
  char *p = buf;
  size_t got = 0;

  while (got < len) {
    const ssize_t n = read (s->fd, p + got, len - got);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "reading at %" PRIu64, s->pos);
    if (n == 0)
      break;
    got += (size_t) n;
    s->pos += (uint64_t) n;
  }
  *ret_len = got;
  return 0;
}

static int
stream_pread_upto (struct stream *s, void *buf, size_t len, uint64_t offset,
                   size_t *ret_len, struct v2v_error **err)
{
  char skip[16 * 1024];

  if (offset < s->pos)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "offset %" PRIu64 " has passed: this source can only be "
                     "read forwards (now at %" PRIu64 ")",
                     offset, s->pos);
  while (s->pos < offset) {
    const size_t n = (size_t) v2v_min_u64 (sizeof skip, offset - s->pos);
    size_t got = 0;

    if (stream_read (s, skip, n, &got, err) == -1)
      return -1;
    if (got < n) {
      *ret_len = 0;
      return 0;
    }
  }
  return stream_read (s, buf, len, ret_len, err);
}

static int
stream_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct stream *s = vh;
  size_t got = 0;

  if (stream_pread_upto (s, buf, len, offset, &got, err) == -1)
    return -1;
  if (got < len)
    return v2v_fail (err, V2V_ERR_IO,
                     "ended early: the stream has only %" PRIu64 " bytes",
                     s->pos);
  return 0;
}

static void
stream_close (void *vh)
{
  struct stream *s = vh;

  close (s->fd);
  free (s);
}

static const struct v2v_io_ops stream_ops = {
  .kind = "stream",
  .pread = stream_pread,
  .close = stream_close,
};

struct v2v_io *
v2v_io_from_stream (int fd, const char *name, uint64_t size,
                    struct v2v_error **err)
{
  struct stream *s = calloc (1, sizeof *s);

  if (s == NULL) {
    close (fd);
    v2v_fail_nomem (err);
    return NULL;
  }
  s->fd = fd;
  return v2v_io_new (&stream_ops, s, name, size, true, err);
}

int
v2v_io_stream_upto (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
                    size_t *ret_len, struct v2v_error **err)
{
  if (io->ops != &stream_ops)
    return 1;
  return stream_pread_upto (io->h, buf, len, offset, ret_len, err);
}
