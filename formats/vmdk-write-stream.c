/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing streamOptimized VMDK: compressed grains, each behind its address,
 * then tables, directory, footer and the end-of-stream marker (the form that
 * "Virtual Disk Format 5.0" describes, "Stream-Optimized Compressed Sparse
 * Extents").
 *
 * Several threads may write; each compresses its own grains.
 *  - Whole grains are compressed straight from the caller's buffer.
 *  - Pieces of a grain are collected until the grain is full, or until other
 *    grains need the room: a sparse source never fills some of them.
 *  - Finished records wait in a heap, so that threads which work side by side
 *    still give ascending addresses, which importers like.
 * A grain that is in the file cannot be changed any more: that is refused.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/inflate.h"
#include "formats/vmdk-writer.h"

/* Records that wait for smaller addresses: 16 threads of 2 MiB each at once,
 * at worst 32 MiB of memory. */
#define MAX_WAITING 512
/* Grains collected from pieces at a time: 16 MiB. */
#define MAX_OPEN 256
/* Records are gathered and written in pieces of this size. */
#define OUT_BYTES (1024 * 1024)
#define LEVEL     6

/* In a grain table, until the end: */
#define GTE_NONE    0u
#define GTE_EMPTY   1u         /* given, all zeros: no record */
#define GTE_WAITING UINT32_MAX /* given, its record is not placed yet */

struct record {
  uint64_t grain;
  uint8_t *data; /* compressed */
  size_t len;
};

/* A grain of which pieces have come. */
struct open_grain {
  uint64_t grain;
  uint64_t age; /* when it was last written to */
  uint8_t *data;
  uint64_t have[GRAIN_SECTORS / 64]; /* one bit per sector */
};

struct vmdk_stream_writer {
  struct record heap[MAX_WAITING]; /* smallest grain first */
  size_t nr_waiting;
  struct open_grain open[MAX_OPEN];
  size_t nr_open;
  uint64_t clock;
  uint8_t *out;
  size_t out_len;
  uint64_t out_offset; /* where OUT goes */
};

int
vmdk_stream_start (struct vmdk_writer *w, struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream = calloc (1, sizeof *s);

  if (s == NULL || (s->out = malloc (OUT_BYTES)) == NULL)
    return v2v_fail_nomem (err);
  s->out_offset = w->next * VMDK_SECTOR;
  return 0;
}

void
vmdk_stream_writer_free (struct vmdk_stream_writer *s)
{
  if (s == NULL)
    return;
  for (size_t i = 0; i < s->nr_waiting; ++i)
    free (s->heap[i].data);
  for (size_t i = 0; i < s->nr_open; ++i)
    free (s->open[i].data);
  free (s->out);
  free (s);
}

/* ---- output: the lock is held ---- */

static int
write_out (struct vmdk_writer *w, struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream;

  if (v2v_io_pwrite (w->file, s->out, s->out_len, s->out_offset, err) == -1)
    return -1;
  s->out_offset += s->out_len;
  s->out_len = 0;
  return 0;
}

static int
append (struct vmdk_writer *w, const void *buf, size_t len,
        struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream;
  const uint8_t *p = buf;

  while (len > 0) {
    const size_t n = (size_t) v2v_min_u64 (len, OUT_BYTES - s->out_len);

    memcpy (s->out + s->out_len, p, n);
    s->out_len += n;
    p += n;
    len -= n;
    if (s->out_len == OUT_BYTES && write_out (w, err) == -1)
      return -1;
  }
  return 0;
}

/* HEAD and BODY, padded with zeros to whole sectors. */
static int
append_record (struct vmdk_writer *w, const void *head, size_t head_len,
               const void *body, size_t body_len, struct v2v_error **err)
{
  static const uint8_t zeros[VMDK_SECTOR];
  const size_t len = head_len + body_len;
  const size_t pad = (VMDK_SECTOR - len % VMDK_SECTOR) % VMDK_SECTOR;

  if (append (w, head, head_len, err) == -1 ||
      append (w, body, body_len, err) == -1 ||
      append (w, zeros, pad, err) == -1)
    return -1;
  w->next += (len + pad) / VMDK_SECTOR;
  return 0;
}

static int
append_marker (struct vmdk_writer *w, enum vmdk_marker_type type,
               uint64_t sectors, struct v2v_error **err)
{
  uint8_t marker[VMDK_SECTOR] = { 0 };

  v2v_put_le64 (marker + VMDK_M_VAL, sectors);
  v2v_put_le32 (marker + VMDK_M_TYPE, type);
  return append_record (w, marker, sizeof marker, NULL, 0, err);
}

/* ---- the heap of finished records: the lock is held ---- */

static void
swap_records (struct record *a, struct record *b)
{
  const struct record t = *a;

  *a = *b;
  *b = t;
}

static struct record
pop_record (struct vmdk_stream_writer *s)
{
  const struct record top = s->heap[0];
  size_t i = 0;

  s->heap[0] = s->heap[--s->nr_waiting];
  for (;;) {
    size_t least = i;

    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->nr_waiting;
         ++child)
      if (s->heap[child].grain < s->heap[least].grain)
        least = child;
    if (least == i)
      return top;
    swap_records (&s->heap[i], &s->heap[least]);
    i = least;
  }
}

/* Write the waiting record with the smallest address. */
static int
place_record (struct vmdk_writer *w, struct v2v_error **err)
{
  struct record r = pop_record (w->stream);
  uint32_t *gte = vmdk_writer_gte (w, r.grain);
  uint8_t head[VMDK_M_GRAIN_DATA];
  int ret;

  assert (gte != NULL && *gte == GTE_WAITING);
  if (w->next >= GTE_WAITING) {
    free (r.data);
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "would grow past 2 TiB, which grain tables cannot "
                     "address");
  }
  *gte = (uint32_t) w->next;
  v2v_put_le64 (head + VMDK_M_VAL, r.grain * GRAIN_SECTORS);
  v2v_put_le32 (head + VMDK_M_SIZE, (uint32_t) r.len);
  ret = append_record (w, head, sizeof head, r.data, r.len, err);
  free (r.data);
  return ret;
}

static int
push_record (struct vmdk_writer *w, struct record r, struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream;
  size_t i;

  if (s->nr_waiting == MAX_WAITING && place_record (w, err) == -1) {
    free (r.data);
    return -1;
  }
  i = s->nr_waiting++;
  s->heap[i] = r;
  while (i > 0 && s->heap[i].grain < s->heap[(i - 1) / 2].grain) {
    swap_records (&s->heap[i], &s->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  return 0;
}

/* ---- whole grains ---- */

/* Claim GRAIN, once; the lock is not held. */
static int
claim (struct vmdk_writer *w, uint64_t grain, bool empty,
       struct v2v_error **err)
{
  uint32_t *gte;
  V2V_LOCK_SCOPE (&w->lock);

  gte = vmdk_writer_gte (w, grain);
  if (gte == NULL)
    return v2v_fail_nomem (err);
  if (*gte != GTE_NONE)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "grain %" PRIu64 " is written a second time: a stream "
                     "cannot be changed",
                     grain);
  *gte = empty ? GTE_EMPTY : GTE_WAITING;
  return 0;
}

/* Compress GRAIN_BYTES at BUF and queue them; the lock is not held. */
static int
give_grain (struct vmdk_writer *w, uint64_t grain, const uint8_t *buf,
            struct v2v_error **err)
{
  const bool empty = v2v_is_zero (buf, GRAIN_BYTES);
  const size_t bound = v2v_deflate_bound (GRAIN_BYTES);
  struct record r = { .grain = grain };
  uint8_t *smaller;

  if (claim (w, grain, empty, err) == -1)
    return -1;
  if (empty)
    return 0;
  r.data = malloc (bound);
  if (r.data == NULL)
    return v2v_fail_nomem (err);
  if (v2v_deflate (buf, GRAIN_BYTES, LEVEL, r.data, bound, &r.len, err) == -1) {
    free (r.data);
    return -1;
  }
  smaller = realloc (r.data, r.len);
  if (smaller != NULL)
    r.data = smaller;
  {
    V2V_LOCK_SCOPE (&w->lock);
    return push_record (w, r, err);
  }
}

/* ---- grains made of pieces ---- */

/* Take the open grain I out of the list; the lock is held. */
static struct open_grain
take_open (struct vmdk_stream_writer *s, size_t i)
{
  const struct open_grain g = s->open[i];

  s->open[i] = s->open[--s->nr_open];
  return g;
}

static bool
is_full (const struct open_grain *g)
{
  for (size_t i = 0; i < GRAIN_SECTORS / 64; ++i)
    if (g->have[i] != UINT64_MAX)
      return false;
  return true;
}

static size_t
find_open (const struct vmdk_stream_writer *s, uint64_t grain)
{
  size_t i = 0;

  while (i < s->nr_open && s->open[i].grain != grain)
    ++i;
  return i;
}

/* Put LEN bytes (NULL = zeros) into the open GRAIN, opened if need be; a grain
 * that is ready to be given, this one or one that must make room, goes to
 * *RET_READY (data NULL = none).
 */
static int
add_piece (struct vmdk_writer *w, uint64_t grain, size_t in_grain,
           const uint8_t *buf, size_t len, struct open_grain *ret_ready,
           struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream;
  struct open_grain *g;
  size_t i;
  V2V_LOCK_SCOPE (&w->lock);

  memset (ret_ready, 0, sizeof *ret_ready);
  i = find_open (s, grain);
  if (i == s->nr_open) {
    const uint32_t *gte = vmdk_writer_gte (w, grain);

    if (gte == NULL)
      return v2v_fail_nomem (err);
    if (*gte != GTE_NONE)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "grain %" PRIu64 " is written a second time: a stream "
                       "cannot be changed",
                       grain);
    if (s->nr_open == MAX_OPEN) {
      size_t oldest = 0;

      for (size_t k = 1; k < s->nr_open; ++k)
        if (s->open[k].age < s->open[oldest].age)
          oldest = k;
      *ret_ready = take_open (s, oldest);
    }
    i = s->nr_open;
    s->open[i] =
        (struct open_grain){ .grain = grain, .data = calloc (1, GRAIN_BYTES) };
    if (s->open[i].data == NULL)
      return v2v_fail_nomem (err);
    s->nr_open++;
  }
  g = &s->open[i];
  if (buf != NULL)
    memcpy (g->data + in_grain, buf, len);
  else
    memset (g->data + in_grain, 0, len);
  for (size_t b = in_grain / VMDK_SECTOR;
       b <= (in_grain + len - 1) / VMDK_SECTOR; ++b)
    g->have[b / 64] |= UINT64_C (1) << (b % 64);
  g->age = ++s->clock;
  if (ret_ready->data == NULL && is_full (g))
    *ret_ready = take_open (s, i);
  return 0;
}

static int
write_piece (struct vmdk_writer *w, uint64_t grain, size_t in_grain,
             const uint8_t *buf, size_t len, struct v2v_error **err)
{
  struct open_grain ready;
  int r = add_piece (w, grain, in_grain, buf, len, &ready, err);

  if (r == 0 && ready.data != NULL)
    r = give_grain (w, ready.grain, ready.data, err);
  free (ready.data);
  return r;
}

/* Has a piece of GRAIN come before? */
static bool
is_open (struct vmdk_writer *w, uint64_t grain)
{
  V2V_LOCK_SCOPE (&w->lock);

  return find_open (w->stream, grain) < w->stream->nr_open;
}

/* ---- the slots ---- */

int
vmdk_stream_write (struct vmdk_writer *w, const void *buf, size_t len,
                   uint64_t offset, struct v2v_error **err)
{
  const uint8_t *p = buf;

  while (len > 0) {
    const uint64_t grain = offset / GRAIN_BYTES;
    const size_t in_grain = (size_t) (offset % GRAIN_BYTES);
    const size_t n = (size_t) v2v_min_u64 (len, GRAIN_BYTES - in_grain);

    if ((n == GRAIN_BYTES && !is_open (w, grain)
             ? give_grain (w, grain, p, err)
             : write_piece (w, grain, in_grain, p, n, err)) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

/* What was never written is zeros already; only a grain that is open, or in
 * the file, has to be told.
 */
int
vmdk_stream_zero (struct vmdk_writer *w, uint64_t len, uint64_t offset,
                  struct v2v_error **err)
{
  while (len > 0) {
    const uint64_t grain = offset / GRAIN_BYTES;
    const size_t in_grain = (size_t) (offset % GRAIN_BYTES);
    const size_t n = (size_t) v2v_min_u64 (len, GRAIN_BYTES - in_grain);
    bool touched;

    {
      const uint32_t *gt;
      V2V_LOCK_SCOPE (&w->lock);

      gt = w->gts[grain / GTES_PER_GT];
      touched = find_open (w->stream, grain) < w->stream->nr_open ||
                (gt != NULL && gt[grain % GTES_PER_GT] > GTE_EMPTY);
    }
    if (touched && write_piece (w, grain, in_grain, NULL, n, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

/* ---- finish ---- */

/* The tables that have something in them, then the directory. */
static int
append_tables (struct vmdk_writer *w, uint64_t *ret_gd_offset,
               struct v2v_error **err)
{
  const uint64_t gd_sectors = v2v_div_up (w->nr_gts * 4, VMDK_SECTOR);
  CLEANUP_FREE uint8_t *gd = calloc (gd_sectors, VMDK_SECTOR);
  uint8_t gt[GTES_PER_GT * 4];

  if (gd == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < w->nr_gts; ++i) {
    bool used = false;

    for (size_t k = 0; w->gts[i] != NULL && k < GTES_PER_GT; ++k) {
      const uint32_t gte = w->gts[i][k] == GTE_EMPTY ? 0 : w->gts[i][k];

      v2v_put_le32 (gt + 4 * k, gte);
      used |= gte != 0;
    }
    if (!used)
      continue;
    if (append_marker (w, VMDK_MARKER_GT, GT_SECTORS, err) == -1)
      return -1;
    v2v_put_le32 (gd + 4 * i, (uint32_t) w->next);
    if (append_record (w, gt, sizeof gt, NULL, 0, err) == -1)
      return -1;
  }
  if (append_marker (w, VMDK_MARKER_GD, gd_sectors, err) == -1)
    return -1;
  *ret_gd_offset = w->next;
  return append_record (w, gd, (size_t) gd_sectors * VMDK_SECTOR, NULL, 0, err);
}

int
vmdk_stream_finish (struct vmdk_writer *w, struct v2v_error **err)
{
  struct vmdk_stream_writer *s = w->stream;
  struct vmdk_header footer = w->header;
  uint8_t bytes[VMDK_HEADER_BYTES];

  while (s->nr_open > 0) {
    struct open_grain g = take_open (s, s->nr_open - 1);
    const int r = give_grain (w, g.grain, g.data, err);

    free (g.data);
    if (r == -1)
      return -1;
  }
  while (s->nr_waiting > 0)
    if (place_record (w, err) == -1)
      return -1;
  if (append_tables (w, &footer.gd_offset, err) == -1 ||
      append_marker (w, VMDK_MARKER_FOOTER, 1, err) == -1)
    return -1;
  vmdk_header_encode (&footer, bytes);
  if (append_record (w, bytes, sizeof bytes, NULL, 0, err) == -1 ||
      append_marker (w, VMDK_MARKER_EOS, 0, err) == -1)
    return -1;
  return write_out (w, err);
}
