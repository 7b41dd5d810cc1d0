/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip (RFC 1952) into a temporary file.  zlib checks each member's CRC-32 and
 * length.  The size after unpacking is not known before (the trailer has it
 * modulo 2^32 only), so the caller's bound is what stops a bomb.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/gzip.h"
#include "formats/core/spool.h"

#define IN_SIZE  (256 * 1024)
#define OUT_SIZE (1024 * 1024)

struct gunzip {
  struct v2v_io *in;
  struct v2v_spool *out;
  z_stream z;
  uint64_t pos; /* of the next byte to read */
  bool in_member;
  uint8_t ibuf[IN_SIZE];
  uint8_t obuf[OUT_SIZE];
};

static int
corrupt (const struct gunzip *g, const char *why, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: gzip: %s before byte %" PRIu64,
                   v2v_io_name (g->in), why, g->pos);
}

/* The next piece of the file; *RET_END when there is none. */
static int
refill (struct gunzip *g, bool *ret_end, struct v2v_error **err)
{
  size_t got = 0;

  if (v2v_io_is_forward_only (g->in) &&
      v2v_io_size (g->in) == V2V_IO_SIZE_UNKNOWN) {
    if (v2v_io_pread_upto (g->in, g->ibuf, IN_SIZE, g->pos, &got, err) == -1)
      return -1;
  }
  else {
    got = (size_t) v2v_min_u64 (IN_SIZE, v2v_io_size (g->in) - g->pos);
    if (v2v_io_pread (g->in, g->ibuf, got, g->pos, err) == -1)
      return -1;
  }
  g->pos += got;
  g->z.next_in = g->ibuf;
  g->z.avail_in = (uInt) got;
  *ret_end = got == 0;
  return 0;
}

/* Inflate what is in the input buffer, up to the end of a member. */
static int
inflate_some (struct gunzip *g, struct v2v_error **err)
{
  do {
    int r;

    g->z.next_out = g->obuf;
    g->z.avail_out = OUT_SIZE;
    r = inflate (&g->z, Z_NO_FLUSH);
    if (r == Z_MEM_ERROR)
      return v2v_fail_nomem (err);
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
      return corrupt (g, g->z.msg != NULL ? g->z.msg : "corrupt data", err);
    if (v2v_spool_write (g->out, g->obuf, OUT_SIZE - g->z.avail_out, err) == -1)
      return -1;
    if (r == Z_STREAM_END) {
      g->in_member = false;
      return 0;
    }
  } while (g->z.avail_in > 0 || g->z.avail_out == 0);
  return 0;
}

static int
run (struct gunzip *g, struct v2v_error **err)
{
  bool end = false, first = true;

  for (;;) {
    if (g->z.avail_in == 0) {
      if (refill (g, &end, err) == -1)
        return -1;
      if (end)
        break;
    }
    if (!g->in_member) {
      if (!first && *g->z.next_in == 0) { /* padding of a tape or tar */
        g->z.next_in++;
        g->z.avail_in--;
        continue;
      }
      if (inflateReset (&g->z) != Z_OK)
        return v2v_fail_nomem (err);
      g->in_member = true;
      first = false;
    }
    if (inflate_some (g, err) == -1)
      return -1;
  }
  if (first)
    return corrupt (g, "empty file", err);
  if (g->in_member)
    return corrupt (g, "truncated file", err);
  return 0;
}

struct v2v_io *
v2v_gunzip (struct v2v_io *in, uint64_t max_bytes, struct v2v_error **err)
{
  struct gunzip *g = calloc (1, sizeof *g);
  struct v2v_io *io = NULL;

  if (g == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  g->in = in;
  /* 15: the largest window; 16: gzip framing and nothing else. */
  if (inflateInit2 (&g->z, 15 + 16) != Z_OK) {
    free (g);
    v2v_fail_nomem (err);
    return NULL;
  }
  g->out = v2v_spool_new (v2v_io_name (in), max_bytes, err);
  if (g->out != NULL && run (g, err) == 0)
    io = v2v_spool_finish (STEAL (g->out), err);
  v2v_spool_free (g->out);
  inflateEnd (&g->z);
  free (g);
  return io;
}
