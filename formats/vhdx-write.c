/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: writing, to a new file and in place.
 * Source: [MS-VHDX] 2.5 "BAT", 2.6 "Blocks".
 *
 * Blocks are allocated in the order in which they are first written, under
 * h->lock; the data itself is written outside of it, by any number of threads.
 * A new block lies where the file has zeros (beyond its end, or in a hole),
 * so the rest of a partly written block needs no filling.
 *
 * What a write does to a block, by its state and kind of disk:
 *   present          the data goes to its place
 *   partial          the data goes to its place, then its sectors' bits are
 *                    set; with all bits set the block becomes present
 *   absent, parent   a new block: partial, or present if all of it is written
 *   otherwise        a new block, present: around the data it reads as zeros
 *                    before and after
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vhdx-internal.h"

static inline void
unlock_ops (pthread_rwlock_t **lock)
{
  pthread_rwlock_unlock (*lock);
}

/* Until the end of the enclosing block. */
#define HOLD_OPS(h, how)                                                       \
  __attribute__ ((cleanup (unlock_ops), unused)) pthread_rwlock_t *held =      \
      &(h)->ops;                                                               \
  pthread_rwlock_##how##lock (held)

/* A piece of a request that lies in one block. */
struct piece {
  uint64_t block;
  uint64_t in_block; /* bytes */
  uint64_t len;
  bool whole; /* all of the block that the disk has */
};

static struct piece
piece_at (const struct vhdx_geometry *g, uint64_t offset, uint64_t len)
{
  struct piece p = { .block = offset / g->block_size,
                     .in_block = offset % g->block_size };
  const uint64_t block_len = vhdx_block_len (g, p.block);

  p.len = v2v_min_u64 (len, block_len - p.in_block);
  p.whole = p.in_block == 0 && p.len == block_len;
  return p;
}

/* Space for LEN bytes that reads as zeros.  Lock held. */
static int
allocate (struct vhdx *h, uint64_t len, uint64_t *ret, struct v2v_error **err)
{
  if (h->mode == VHDX_UPDATE)
    return vhdx_update_alloc (h, len, ret, err);
  *ret = h->alloc_end;
  h->alloc_end += len;
  return 0;
}

/* Make sure that the bitmap of BLOCK's chunk is there, and that it says
 * nothing of BLOCK yet.  Lock held.
 */
static int
prepare_bitmap (struct vhdx *h, uint64_t block, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const size_t len = vhdx_slice_len (g);
  struct vhdx_page *page = NULL;
  uint64_t slice = 0, offset = 0;

  if (vhdx_bitmap_slice (h, block, &slice, err) == -1)
    return -1;
  if (slice == 0) {
    if (allocate (h, VHDX_BITMAP_SIZE, &offset, err) == -1)
      return -1;
    return vhdx_bat_set (h, vhdx_bitmap_index (g, block / g->chunk_ratio),
                         offset | VHDX_FULLY_PRESENT, err);
  }
  if (vhdx_cache_page (h, slice, &page, err) == -1)
    return -1;
  if (!v2v_is_zero (page->data + (slice - page->offset), len)) {
    memset (page->data + (slice - page->offset), 0, len);
    vhdx_cache_touch (h, page, slice, len);
  }
  return 0;
}

/* Give BLOCK a place if it has none; *RET_ENTRY is its entry.  Lock held. */
static int
make_present (struct vhdx *h, const struct piece *p, uint64_t *ret_entry,
              struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  unsigned state = VHDX_FULLY_PRESENT;
  uint64_t entry = 0, offset = 0;

  if (vhdx_block_get (h, p->block, &entry, err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) >= VHDX_FULLY_PRESENT) {
    *ret_entry = entry;
    return 0;
  }
  if (VHDX_BAT_STATE (entry) == VHDX_NOT_PRESENT && g->has_parent &&
      !p->whole) {
    state = VHDX_PARTIALLY_PRESENT;
    if (prepare_bitmap (h, p->block, err) == -1)
      return -1;
  }
  else if (VHDX_BAT_STATE (entry) != VHDX_NOT_PRESENT &&
           VHDX_BAT_OFFSET (entry) != 0 && h->mode == VHDX_UPDATE &&
           vhdx_place_fault (h, VHDX_BAT_OFFSET (entry), g->block_size) ==
               NULL &&
           vhdx_update_release (h, VHDX_BAT_OFFSET (entry), g->block_size,
                                err) == -1)
    /* an UNMAPPED block that had kept its place, with old data in it */
    return -1;
  if (allocate (h, g->block_size, &offset, err) == -1)
    return -1;
  *ret_entry = offset | state;
  return vhdx_bat_set (h, vhdx_bat_index (g, p->block), *ret_entry, err);
}

static bool
bits_are_full (const uint8_t *bits, uint64_t n)
{
  for (uint64_t i = 0; i < n / 8; ++i)
    if (bits[i] != 0xff)
      return false;
  return n % 8 == 0 ||
         (bits[n / 8] & ((1u << (n % 8)) - 1)) == (1u << (n % 8)) - 1;
}

static void
set_bits (uint8_t *bits, uint64_t first, uint64_t n)
{
  for (uint64_t i = first; i < first + n;) {
    if (i % 8 == 0 && i + 8 <= first + n) {
      bits[i / 8] = 0xff;
      i += 8;
    }
    else {
      bits[i / 8] = (uint8_t) (bits[i / 8] | 1u << (i % 8));
      i++;
    }
  }
}

/* Say that the sectors of P are in this file.  Lock held. */
static int
mark_sectors (struct vhdx *h, const struct piece *p, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t nr = vhdx_block_len (g, p->block) / g->logical;
  uint64_t entry = 0, slice = 0;
  struct vhdx_page *page = NULL;
  uint8_t *bits;

  if (vhdx_block_get (h, p->block, &entry, err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) != VHDX_PARTIALLY_PRESENT)
    return 0; /* another thread has completed it */
  if (vhdx_bitmap_slice (h, p->block, &slice, err) == -1)
    return -1;
  if (slice == 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: block %" PRIu64
                     " is partially present, but has no sector bitmap",
                     p->block);
  if (vhdx_cache_page (h, slice, &page, err) == -1)
    return -1;
  bits = page->data + (slice - page->offset);
  set_bits (bits, p->in_block / g->logical, p->len / g->logical);
  vhdx_cache_touch (h, page, slice, vhdx_slice_len (g));
  if (!bits_are_full (bits, nr))
    return 0;
  return vhdx_bat_set (h, vhdx_bat_index (g, p->block),
                       VHDX_BAT_OFFSET (entry) | VHDX_FULLY_PRESENT, err);
}

/* Before each change in place: the identifiers of this change, and a commit
 * where so much waits for one that memory would grow.
 */
static int
before_change (struct vhdx *h, struct v2v_error **err)
{
  bool full;

  if (h->mode == VHDX_READ)
    return v2v_fail (err, V2V_ERR_USAGE, "is open for reading only");
  if (h->mode != VHDX_UPDATE)
    return 0;
  {
    V2V_LOCK_SCOPE (&h->lock);

    if (vhdx_update_begin (h, err) == -1)
      return -1;
    full = vhdx_update_is_full (h);
  }
  return full ? vhdx_flush (h, err) : 0;
}

static int
check_alignment (const struct vhdx *h, uint64_t len, uint64_t offset,
                 struct v2v_error **err)
{
  if (offset % h->geometry.logical == 0 && len % h->geometry.logical == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "%" PRIu64 " bytes at %" PRIu64
                   ": not whole sectors of %" PRIu32 " bytes",
                   len, offset, h->geometry.logical);
}

static int
write_piece (struct vhdx *h, const struct piece *p, const uint8_t *buf,
             struct v2v_error **err)
{
  uint64_t entry = 0;

  {
    V2V_LOCK_SCOPE (&h->lock);

    if (make_present (h, p, &entry, err) == -1)
      return -1;
  }
  if (v2v_io_pwrite (h->file, buf, (size_t) p->len,
                     VHDX_BAT_OFFSET (entry) + p->in_block, err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) == VHDX_PARTIALLY_PRESENT) {
    V2V_LOCK_SCOPE (&h->lock);

    return mark_sectors (h, p, err);
  }
  return 0;
}

int
vhdx_write (void *vh, const void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  struct vhdx *h = vh;
  const uint8_t *data = buf;

  if (check_alignment (h, len, offset, err) == -1)
    return -1;
  while (len > 0) {
    const struct piece p = piece_at (&h->geometry, offset, len);

    if (before_change (h, err) == -1)
      return -1;
    HOLD_OPS (h, rd);

    if (write_piece (h, &p, data, err) == -1)
      return -1;
    data += p.len;
    len -= (size_t) p.len;
    offset += p.len;
  }
  return 0;
}

/* A whole block becomes ZERO and gives its place back.  Lock held. */
static int
drop_block (struct vhdx *h, uint64_t block, uint64_t entry,
            struct v2v_error **err)
{
  const unsigned state = VHDX_BAT_STATE (entry);

  if (state == VHDX_ZERO && VHDX_BAT_OFFSET (entry) == 0)
    return 0;
  if (state != VHDX_NOT_PRESENT && state != VHDX_ZERO &&
      VHDX_BAT_OFFSET (entry) != 0 &&
      vhdx_place_fault (h, VHDX_BAT_OFFSET (entry), h->geometry.block_size) ==
          NULL &&
      vhdx_update_release (h, VHDX_BAT_OFFSET (entry), h->geometry.block_size,
                           err) == -1)
    return -1;
  return vhdx_bat_set (h, vhdx_bat_index (&h->geometry, block), VHDX_ZERO, err);
}

/* What zeroing P takes besides the table: nothing (*RET_OFFSET 0), or making
 * its place in the file zero.  Lock held.
 */
static int
zero_in_table (struct vhdx *h, const struct piece *p, uint64_t *ret_entry,
               struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  uint64_t entry = 0;

  *ret_entry = 0;
  if (vhdx_block_get (h, p->block, &entry, err) == -1)
    return -1;
  switch (VHDX_BAT_STATE (entry)) {
  case VHDX_NOT_PRESENT:
    if (!g->has_parent)
      return 0;
    if (p->whole)
      return vhdx_bat_set (h, vhdx_bat_index (g, p->block), VHDX_ZERO, err);
    return make_present (h, p, ret_entry, err);
  case VHDX_FULLY_PRESENT:
  case VHDX_PARTIALLY_PRESENT:
    /* A fixed disk keeps its blocks; a new file would keep the gap. */
    if (p->whole && h->mode == VHDX_UPDATE && !g->leave_allocated)
      return drop_block (h, p->block, entry, err);
    *ret_entry = entry;
    return 0;
  default:
    return 0; /* zeros already */
  }
}

static int
zero_piece (struct vhdx *h, const struct piece *p, struct v2v_error **err)
{
  uint64_t entry = 0;

  {
    V2V_LOCK_SCOPE (&h->lock);

    if (zero_in_table (h, p, &entry, err) == -1)
      return -1;
  }
  if (entry == 0)
    return 0;
  if (v2v_io_punch (h->file, p->len, VHDX_BAT_OFFSET (entry) + p->in_block,
                    err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) == VHDX_PARTIALLY_PRESENT) {
    V2V_LOCK_SCOPE (&h->lock);

    return mark_sectors (h, p, err);
  }
  return 0;
}

/* Blocks from P on that are absent without a parent, by whole pages of the
 * table: nothing to do there.  A sparse copy zeroes terabytes at once.
 */
static int
skip_absent (struct vhdx *h, uint64_t len, uint64_t offset, uint64_t *ret,
             struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t block = offset / g->block_size;
  const uint64_t place = h->bat.offset + vhdx_bat_index (g, block) * 8;
  struct vhdx_page *page = NULL;
  uint64_t stop;
  V2V_LOCK_SCOPE (&h->lock);

  *ret = 0;
  if (g->has_parent)
    return 0;
  if (vhdx_cache_page (h, place, &page, err) == -1)
    return -1;
  if (page->zero) {
    stop = vhdx_block_at (g, vhdx_bat_index (g, block) +
                                 (VHDX_PAGE_SIZE - (place - page->offset)) / 8);
    *ret = v2v_min_u64 (len, stop * g->block_size - offset);
  }
  return 0;
}

int
vhdx_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct vhdx *h = vh;

  if (check_alignment (h, len, offset, err) == -1)
    return -1;
  while (len > 0) {
    struct piece p;
    uint64_t skip = 0;

    if (skip_absent (h, len, offset, &skip, err) == -1)
      return -1;
    offset += skip;
    len -= skip;
    if (skip > 0)
      continue;
    p = piece_at (&h->geometry, offset, len);
    if (before_change (h, err) == -1)
      return -1;
    HOLD_OPS (h, rd);

    if (zero_piece (h, &p, err) == -1)
      return -1;
    offset += p.len;
    len -= p.len;
  }
  return 0;
}

/* Only in a new file: in place, a flush could make the table point at a place
 * that the caller has not filled yet.
 */
int
vhdx_reserve (void *vh, uint64_t len, uint64_t offset, struct v2v_run *ret,
              struct v2v_error **err)
{
  struct vhdx *h = vh;
  const struct piece p = piece_at (&h->geometry, offset, len);
  uint64_t entry = 0;

  if (h->mode != VHDX_CREATE || len % h->geometry.logical != 0 ||
      offset % h->geometry.logical != 0)
    return 1;
  HOLD_OPS (h, rd);
  V2V_LOCK_SCOPE (&h->lock);

  if (make_present (h, &p, &entry, err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) == VHDX_PARTIALLY_PRESENT &&
      mark_sectors (h, &p, err) == -1)
    return -1;
  *ret =
      (struct v2v_run){ h->file, VHDX_BAT_OFFSET (entry) + p.in_block, p.len };
  return 0;
}

int
vhdx_flush (void *vh, struct v2v_error **err)
{
  struct vhdx *h = vh;

  HOLD_OPS (h, wr);

  return h->mode == VHDX_UPDATE ? vhdx_update_commit (h, err)
                                : vhdx_create_flush (h, err);
}

int
vhdx_finish (void *vh, struct v2v_error **err)
{
  struct vhdx *h = vh;

  HOLD_OPS (h, wr);

  return h->mode == VHDX_UPDATE ? vhdx_update_finish (h, err)
                                : vhdx_create_finish (h, err);
}
