/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing into a VHD: allocating blocks, sector bitmaps, zeroing, flushing;
 * in a new file and in place.  vhd-create.c starts and completes new files.
 *
 * Several threads may write.  The lock covers the BAT, the place of the next
 * block and the bitmaps; the data goes into the file outside of it, so blocks
 * lie in the order of their allocation and nothing is longer than the data
 * needs.
 *
 * The bitmap of a block in a new dynamic file is all ones (the rest of the
 * block is a hole and reads as the zeros it stands for).  It goes into the file
 * with the first data, in one system call: by itself it would wait, with the
 * lock held, for another thread's data to get into the page they share.
 *
 * In place the order makes every moment a consistent one:
 *   1. a new block is placed behind the data.  The footer is written at the
 *      new end before the old one is overwritten, and the copy at offset 0
 *      stays as it is: some footer is always good;
 *   2. data and bitmaps of new blocks are written; nothing refers to them;
 *   3. flush: fsync, then the BAT and the bitmaps of old blocks, fsync.
 * Overwriting a sector that is present already is not undone by a crash, no
 * more than on a real disk.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/vhd-internal.h"

#define ENTRIES_PER_SECTOR (VHD_SECTOR / 4)

static bool
get_bit (const uint8_t *bits, uint64_t i)
{
  return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static void
put_bit (uint8_t *bits, uint64_t i, bool on)
{
  if (on)
    bits[i / 8] |= (uint8_t) (1u << (i % 8));
  else
    bits[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

struct vhd_writer *
vhd_writer_new (const struct vhd *h, bool in_place, struct v2v_error **err)
{
  struct vhd_writer *w = calloc (1, sizeof *w);

  if (w == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  pthread_mutex_init (&w->lock, NULL);
  w->in_place = in_place;
  if (vhd_is_fixed (h))
    return w;
  w->dirty = calloc (h->nr_blocks / ENTRIES_PER_SECTOR / 8 + 1, 1);
  w->fresh = calloc (h->nr_blocks / 8 + 1, 1);
  w->marked = calloc (h->nr_blocks / 8 + 1, 1);
  w->scratch = malloc (h->bitmap_bytes);
  if (in_place)
    w->pending = calloc (VHD_PENDING_SLOTS, sizeof w->pending[0]);
  w->ones = malloc (h->bitmap_bytes);
  if (w->dirty == NULL || w->fresh == NULL || w->marked == NULL ||
      w->scratch == NULL || w->ones == NULL ||
      (in_place && w->pending == NULL)) {
    free (w->dirty);
    free (w->fresh);
    free (w->marked);
    free (w->scratch);
    free (w->ones);
    free (w->pending);
    pthread_mutex_destroy (&w->lock);
    free (w);
    v2v_fail_nomem (err);
    return NULL;
  }
  memset (w->ones, 0xff, h->bitmap_bytes);
  return w;
}

static void
drop_pending (struct vhd_writer *w)
{
  if (w->pending == NULL)
    return;
  for (size_t i = 0; i < VHD_PENDING_SLOTS; ++i) {
    free (w->pending[i].bitmap);
    w->pending[i].bitmap = NULL;
  }
  w->nr_pending = 0;
}

void
vhd_writer_free (struct vhd *h)
{
  struct vhd_writer *w = h->writer;

  if (w == NULL)
    return;
  drop_pending (w);
  free (w->pending);
  free (w->dirty);
  free (w->fresh);
  free (w->marked);
  free (w->scratch);
  free (w->ones);
  pthread_mutex_destroy (&w->lock);
  free (w);
  h->writer = NULL;
}

int
vhd_write_footer (struct vhd *h, const char *cookie, uint64_t offset,
                  struct v2v_error **err)
{
  uint8_t bytes[VHD_FOOTER_SIZE];

  vhd_footer_encode (&h->footer, cookie, bytes);
  return v2v_io_pwrite (h->file, bytes, sizeof bytes, offset, err);
}

uint32_t
vhd_writer_lookup (struct vhd *h, uint64_t block)
{
  V2V_LOCK_SCOPE (&h->writer->lock);

  return h->bat[block];
}

/* ---- bitmaps: the lock is held ---- */

/* The slot of BLOCK, or the free one where it belongs. */
static struct vhd_pending *
find_pending (const struct vhd_writer *w, uint64_t block)
{
  uint64_t i = block * UINT64_C (0x9e3779b97f4a7c15) >> 53; /* 11 bits */

  while (w->pending[i].bitmap != NULL && w->pending[i].block != block)
    i = (i + 1) % VHD_PENDING_SLOTS;
  return &w->pending[i];
}

bool
vhd_writer_bitmap (struct vhd *h, uint64_t block, uint8_t *buf, size_t first,
                   size_t len)
{
  struct vhd_writer *w = h->writer;
  const struct vhd_pending *p;
  V2V_LOCK_SCOPE (&w->lock);

  if (!w->in_place || w->nr_pending == 0)
    return false;
  p = find_pending (w, block);
  if (p->bitmap == NULL)
    return false;
  memcpy (buf, p->bitmap + first, len);
  return true;
}

static int flush_locked (struct vhd *h, struct v2v_error **err);

/* Set bits of a block that the file refers to already: in memory, until the
 * next flush.
 */
static int
set_bits_later (struct vhd *h, uint64_t block, uint64_t first, uint64_t n,
                struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  struct vhd_pending *p = find_pending (w, block);
  CLEANUP_FREE uint8_t *bitmap = NULL;
  bool present;

  if (p->bitmap == NULL) {
    if (w->nr_pending >= VHD_PENDING_SLOTS / 2 ||
        w->nr_pending * h->bitmap_bytes >= VHD_PENDING_BYTES) {
      if (flush_locked (h, err) == -1)
        return -1;
      p = find_pending (w, block);
    }
    bitmap = malloc (h->bitmap_bytes);
    if (bitmap == NULL)
      return v2v_fail_nomem (err);
    if (v2v_io_pread (h->file, bitmap, h->bitmap_bytes,
                      (uint64_t) h->bat[block] * VHD_SECTOR, err) == -1)
      return -1;
    if (vhd_bitmap_run (bitmap, first, n, &present) == n && present)
      return 0; /* nothing changes */
    p->bitmap = STEAL (bitmap);
    p->block = block;
    w->nr_pending++;
  }
  vhd_bitmap_set (p->bitmap, first, n);
  return 0;
}

/* Set bits of a block that nothing in the file refers to yet. */
static int
set_bits_now (struct vhd *h, uint64_t block, uint64_t first, uint64_t n,
              struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  const uint64_t first_byte = first / 8;
  const size_t len = (size_t) ((first + n - 1) / 8 - first_byte + 1);
  const uint64_t offset = (uint64_t) h->bat[block] * VHD_SECTOR + first_byte;
  bool present;

  if (v2v_io_pread (h->file, w->scratch, len, offset, err) == -1)
    return -1;
  if (vhd_bitmap_run (w->scratch, first - first_byte * 8, n, &present) == n &&
      present)
    return 0;
  vhd_bitmap_set (w->scratch, first - first_byte * 8, n);
  return v2v_io_pwrite (h->file, w->scratch, len, offset, err);
}

/* Mark [in_block, in_block+len-1] of BLOCK as present, after its data. */
static int
mark_present (struct vhd *h, uint64_t block, uint64_t in_block, uint64_t len,
              struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  const uint64_t first = in_block / VHD_SECTOR;
  const uint64_t n = (in_block + len - 1) / VHD_SECTOR - first + 1;
  V2V_LOCK_SCOPE (&w->lock);

  if (!w->in_place && h->footer.type == VHD_DYNAMIC)
    return 0; /* all ones: write_marking */
  if (w->in_place && !get_bit (w->fresh, block))
    return set_bits_later (h, block, first, n, err);
  return set_bits_now (h, block, first, n, err);
}

/* ---- allocation ---- */

/* Bitmaps are written by write_marking. */
static bool
marks_late (const struct vhd *h)
{
  return !h->writer->in_place && h->footer.type == VHD_DYNAMIC;
}

/* Place BLOCK behind the last one; the lock is held.  Unless that comes later
 * its bitmap is written: all ones in a dynamic disk, all zeros in a
 * differencing one.
 */
static int
allocate (struct vhd *h, uint64_t block, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  const uint64_t start = w->next, end = start + vhd_stride (h);

  if (end / VHD_SECTOR >= VHD_BAT_UNUSED)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: would grow past 2 TiB, which a VHD cannot address",
                     v2v_io_name (h->file));
  if (w->in_place && vhd_write_footer (h, VHD_FOOTER_COOKIE, end, err) == -1)
    return -1;
  if (!marks_late (h)) {
    memset (w->scratch, h->footer.type == VHD_DYNAMIC ? 0xff : 0,
            h->bitmap_bytes);
    if (v2v_io_pwrite (h->file, w->scratch, h->bitmap_bytes, start, err) == -1)
      return -1;
  }
  h->bat[block] = (uint32_t) (start / VHD_SECTOR);
  put_bit (w->dirty, block / ENTRIES_PER_SECTOR, true);
  put_bit (w->fresh, block, true);
  w->next = end;
  h->data_end = end;
  return 0;
}

/* File offset of BLOCK's data, allocated if WANTED; 0 if it has none. */
static int
place_of (struct vhd *h, uint64_t block, bool wanted, uint64_t *ret,
          struct v2v_error **err)
{
  V2V_LOCK_SCOPE (&h->writer->lock);

  if (h->bat[block] == VHD_BAT_UNUSED) {
    if (!wanted) {
      *ret = 0;
      return 0;
    }
    if (allocate (h, block, err) == -1)
      return -1;
  }
  *ret = (uint64_t) h->bat[block] * VHD_SECTOR + h->bitmap_bytes;
  return 0;
}

/* Whether BLOCK's bitmap has to go with the next data. */
static bool
wants_mark (struct vhd *h, uint64_t block)
{
  struct vhd_writer *w = h->writer;
  V2V_LOCK_SCOPE (&w->lock);

  return marks_late (h) && !get_bit (w->marked, block);
}

static void
set_marked (struct vhd *h, uint64_t block)
{
  struct vhd_writer *w = h->writer;
  V2V_LOCK_SCOPE (&w->lock);

  put_bit (w->marked, block, true);
}

/* Data of a block that is placed, LEN bytes at PLACE + IN_BLOCK, with the
 * block's bitmap if this writer has not written it yet.  Two threads may both
 * write it: it is the same.  A copy that is resumed writes it once more, since
 * the one before may have died between placing the block and writing to it.
 */
static int
write_marking (struct vhd *h, uint64_t block, uint64_t place, const void *buf,
               size_t len, uint64_t in_block, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;

  if (!wants_mark (h, block))
    return v2v_io_pwrite (h->file, buf, len, place + in_block, err);
  if (in_block == 0) {
    if (v2v_io_pwrite_pair (h->file, w->ones, h->bitmap_bytes, buf, len,
                            place - h->bitmap_bytes, err) == -1)
      return -1;
  }
  else if (v2v_io_pwrite (h->file, w->ones, h->bitmap_bytes,
                          place - h->bitmap_bytes, err) == -1 ||
           v2v_io_pwrite (h->file, buf, len, place + in_block, err) == -1)
    return -1;
  set_marked (h, block);
  return 0;
}

/* ---- the slots ---- */

int
vhd_write (void *vh, const void *buf, size_t len, uint64_t offset,
           struct v2v_error **err)
{
  struct vhd *h = vh;
  const char *p = buf;

  if (vhd_is_fixed (h))
    return v2v_io_pwrite (h->file, buf, len, offset, err);
  while (len > 0) {
    const uint64_t block = offset / h->header.block_size;
    const uint64_t in_block = offset % h->header.block_size;
    const size_t n =
        (size_t) v2v_min_u64 (len, h->header.block_size - in_block);
    uint64_t place;

    if (place_of (h, block, true, &place, err) == -1 ||
        write_marking (h, block, place, p, n, in_block, err) == -1 ||
        mark_present (h, block, in_block, n, err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

int
vhd_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct vhd *h = vh;
  const bool hide = h->footer.type == VHD_DIFFERENCING;

  if (vhd_is_fixed (h))
    return v2v_io_punch (h->file, len, offset, err);
  while (len > 0) {
    const uint64_t block = offset / h->header.block_size;
    const uint64_t in_block = offset % h->header.block_size;
    const uint64_t n = v2v_min_u64 (len, h->header.block_size - in_block);
    uint64_t place;

    if (place_of (h, block, hide, &place, err) == -1)
      return -1;
    /* The bits of a dynamic disk stay: the hole reads as zeros either way. */
    if (place != 0 && v2v_io_punch (h->file, n, place + in_block, err) == -1)
      return -1;
    if (hide && mark_present (h, block, in_block, n, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

int
vhd_reserve (void *vh, uint64_t len, uint64_t offset, struct v2v_run *ret,
             struct v2v_error **err)
{
  struct vhd *h = vh;
  uint64_t block, in_block, n, place;

  if (vhd_is_fixed (h)) {
    *ret = (struct v2v_run){ h->file, offset, len };
    return 0;
  }
  /* File systems share whole blocks of 4096 bytes.  Data behind a bitmap of
   * one sector rarely begins at one; from 16 MiB blocks on it always does.
   * In place, the bits may only follow the data. */
  if (h->bitmap_bytes % 4096 != 0 || h->writer->in_place)
    return 1;
  block = offset / h->header.block_size;
  in_block = offset % h->header.block_size;
  n = v2v_min_u64 (len, h->header.block_size - in_block);
  if (place_of (h, block, true, &place, err) == -1)
    return -1;
  if (wants_mark (h, block)) {
    if (v2v_io_pwrite (h->file, h->writer->ones, h->bitmap_bytes,
                       place - h->bitmap_bytes, err) == -1)
      return -1;
    set_marked (h, block);
  }
  if (mark_present (h, block, in_block, n, err) == -1)
    return -1;
  *ret = (struct v2v_run){ h->file, place + in_block, n };
  return 0;
}

/* ---- flushing ---- */

/* Write the sectors of the BAT that changed; the lock is held, or nobody
 * else writes.
 */
int
vhd_write_dirty_bat (struct vhd *h, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  uint8_t sector[VHD_SECTOR];

  for (uint64_t first = 0; first < h->nr_blocks; first += ENTRIES_PER_SECTOR) {
    const uint64_t n = v2v_min_u64 (ENTRIES_PER_SECTOR, h->nr_blocks - first);

    if (!get_bit (w->dirty, first / ENTRIES_PER_SECTOR))
      continue;
    for (uint64_t i = 0; i < n; ++i)
      v2v_put_be32 (sector + 4 * i, h->bat[first + i]);
    if (v2v_io_pwrite (h->file, sector, 4 * n,
                       h->header.table_offset + 4 * first, err) == -1)
      return -1;
    put_bit (w->dirty, first / ENTRIES_PER_SECTOR, false);
  }
  return 0;
}

static int
write_pending (struct vhd *h, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;

  if (w->nr_pending == 0)
    return 0;
  for (size_t i = 0; i < VHD_PENDING_SLOTS; ++i) {
    const struct vhd_pending *p = &w->pending[i];

    if (p->bitmap != NULL &&
        v2v_io_pwrite (h->file, p->bitmap, h->bitmap_bytes,
                       (uint64_t) h->bat[p->block] * VHD_SECTOR, err) == -1)
      return -1;
  }
  drop_pending (w);
  return 0;
}

static int
flush_locked (struct vhd *h, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;

  if (w->in_place && v2v_io_sync (h->file, err) == -1)
    return -1;
  if (vhd_write_dirty_bat (h, err) == -1 || write_pending (h, err) == -1)
    return -1;
  memset (w->fresh, 0, h->nr_blocks / 8 + 1);
  return v2v_io_sync (h->file, err);
}

int
vhd_flush (void *vh, struct v2v_error **err)
{
  struct vhd *h = vh;
  V2V_LOCK_SCOPE (&h->writer->lock);

  if (vhd_is_fixed (h))
    return v2v_io_sync (h->file, err);
  return flush_locked (h, err);
}
