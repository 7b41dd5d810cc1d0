/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: reading one layer.
 * Source: [MS-VHDX] 2.5.1.1 for what a state reads as.  NOT_PRESENT is the
 * parent's, or zeros (the specification says undefined; Windows reads zeros);
 * UNDEFINED, ZERO and UNMAPPED read as zeros and hide the parent.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vhdx-internal.h"

/* Blocks that follow each other in the disk and are alike. */
struct block_run {
  unsigned state;       /* NOT_PRESENT, ZERO, FULLY_ or PARTIALLY_PRESENT */
  uint64_t nr_blocks;   /* 1 if PARTIALLY_PRESENT */
  uint64_t file_offset; /* contiguous from here if FULLY_PRESENT */
};

/* Look no further ahead under the lock than a page of the BAT has entries. */
#define MAX_RUN (VHDX_PAGE_SIZE / 8)
/* A place is asked for piece by piece: a longer run would be found again and
 * again.  At least one block of any size. */
#define MAX_LOCATE VHDX_MAX_BLOCK

static unsigned
plain_state (uint64_t entry)
{
  switch (VHDX_BAT_STATE (entry)) {
  case VHDX_NOT_PRESENT:
  case VHDX_FULLY_PRESENT:
  case VHDX_PARTIALLY_PRESENT:
    return VHDX_BAT_STATE (entry);
  default:
    return VHDX_ZERO;
  }
}

/* How many blocks from BLOCK on have their entries on one all-zero page? */
static int
zero_page_run (struct vhdx *h, uint64_t block, uint64_t *ret,
               struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t index = vhdx_bat_index (g, block);
  const uint64_t offset = h->bat.offset + index * 8;
  struct vhdx_page *page = NULL;

  if (vhdx_cache_page (h, offset, &page, err) == -1)
    return -1;
  *ret = page->zero
             ? vhdx_block_at (
                   g, index + (VHDX_PAGE_SIZE - (offset - page->offset)) / 8) -
                   block
             : 0;
  return 0;
}

/* The run that begins with BLOCK, at most LIMIT blocks of it. */
static int
next_run (struct vhdx *h, uint64_t block, uint64_t limit, struct block_run *ret,
          struct v2v_error **err)
{
  const uint64_t block_size = h->geometry.block_size;
  uint64_t entry = 0;
  V2V_LOCK_SCOPE (&h->lock);

  ret->state = VHDX_NOT_PRESENT;
  ret->file_offset = 0;
  if (zero_page_run (h, block, &ret->nr_blocks, err) == -1)
    return -1;
  if (ret->nr_blocks > 0) {
    ret->nr_blocks = v2v_min_u64 (ret->nr_blocks, limit);
    return 0;
  }
  if (vhdx_block_get (h, block, &entry, err) == -1)
    return -1;
  ret->state = plain_state (entry);
  ret->nr_blocks = 1;
  if (ret->state >= VHDX_FULLY_PRESENT)
    ret->file_offset = VHDX_BAT_OFFSET (entry);
  if (ret->state == VHDX_PARTIALLY_PRESENT)
    return 0;
  limit = v2v_min_u64 (limit, MAX_RUN);
  while (ret->nr_blocks < limit) {
    if (vhdx_block_get (h, block + ret->nr_blocks, &entry, err) == -1)
      return -1;
    if (plain_state (entry) != ret->state ||
        (ret->state == VHDX_FULLY_PRESENT &&
         VHDX_BAT_OFFSET (entry) !=
             ret->file_offset + ret->nr_blocks * block_size))
      break;
    ret->nr_blocks++;
  }
  return 0;
}

/* Blocks that are wholly in the file: holes of the file are zeros, so that a
 * fixed disk in a sparse file is copied without reading them.
 */
static int
add_present (struct vhdx *h, uint64_t offset, uint64_t len,
             uint64_t file_offset, struct v2v_extents *out,
             struct v2v_error **err)
{
  CLEANUP_EXTENTS struct v2v_extents holes = V2V_EXTENTS_INIT;

  if (h->mode != VHDX_READ || vhdx_log_touches (h, len, file_offset) ||
      !v2v_range_inside (file_offset, len, v2v_io_size (h->file)))
    return v2v_extents_append (out, offset, len, V2V_EXTENT_DATA, 0) == -1
               ? v2v_fail_nomem (err)
               : 0;
  if (v2v_io_extents (h->file, len, file_offset, &holes, err) == -1)
    return -1;
  for (size_t i = 0; i < holes.len; ++i)
    if (v2v_extents_append (out, holes.ptr[i].offset - file_offset + offset,
                            holes.ptr[i].length, holes.ptr[i].type, 0) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

/* From bit FIRST on, how many of at most N bits have the same value? */
static uint64_t
bit_run (const uint8_t *bits, uint64_t first, uint64_t n, bool *ret_value)
{
  const bool value = (bits[first / 8] >> (first % 8)) & 1;
  const uint8_t whole = value ? 0xff : 0;
  uint64_t i = first;

  while (i < first + n) {
    if (i % 8 == 0 && i + 8 <= first + n && bits[i / 8] == whole)
      i += 8;
    else if (((bits[i / 8] >> (i % 8)) & 1) == value)
      i++;
    else
      break;
  }
  *ret_value = value;
  return i - first;
}

/* LEN bytes at OFFSET, inside one partially present block. */
static int
add_partial (struct vhdx *h, uint64_t offset, uint64_t len,
             struct v2v_extents *out, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t block = offset / g->block_size;
  const uint64_t in_block = offset % g->block_size;
  const uint64_t end = offset + len;
  uint64_t sector = in_block / g->logical, slice = 0;
  struct vhdx_page *page = NULL;
  const uint8_t *bits;
  V2V_LOCK_SCOPE (&h->lock);

  if (vhdx_bitmap_slice (h, block, &slice, err) == -1)
    return -1;
  if (slice == 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: block %" PRIu64 " is partially present, but its "
                     "sector bitmap (entry %" PRIu64 ") is not there",
                     block, vhdx_bitmap_index (g, block / g->chunk_ratio));
  if (vhdx_cache_page (h, slice, &page, err) == -1)
    return -1;
  bits = page->data + (slice - page->offset);
  while (offset < end) {
    const uint64_t last = (end - 1) % g->block_size / g->logical;
    bool value = false;
    const uint64_t n = bit_run (bits, sector, last + 1 - sector, &value);
    const uint64_t stop =
        v2v_min_u64 (end, block * g->block_size + (sector + n) * g->logical);

    if (v2v_extents_append (out, offset, stop - offset,
                            value ? V2V_EXTENT_DATA : V2V_EXTENT_ABSENT,
                            0) == -1)
      return v2v_fail_nomem (err);
    offset = stop;
    sector += n;
  }
  return 0;
}

int
vhdx_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
              struct v2v_error **err)
{
  struct vhdx *h = vh;
  const uint64_t block_size = h->geometry.block_size;
  const uint64_t end = offset + len;

  while (offset < end) {
    const uint64_t block = offset / block_size;
    const uint64_t last = (end - 1) / block_size;
    struct block_run run;
    uint64_t stop;

    if (next_run (h, block, last - block + 1, &run, err) == -1)
      return -1;
    stop = v2v_min_u64 (end, (block + run.nr_blocks) * block_size);
    if (run.state == VHDX_FULLY_PRESENT) {
      if (add_present (h, offset, stop - offset,
                       run.file_offset + offset % block_size, out, err) == -1)
        return -1;
    }
    else if (run.state == VHDX_PARTIALLY_PRESENT) {
      if (add_partial (h, offset, stop - offset, out, err) == -1)
        return -1;
    }
    else if (v2v_extents_append (out, offset, stop - offset,
                                 run.state == VHDX_ZERO ? V2V_EXTENT_ZERO
                                                        : V2V_EXTENT_ABSENT,
                                 0) == -1)
      return v2v_fail_nomem (err);
    offset = stop;
  }
  return 0;
}

int
vhdx_read (void *vh, void *buf, size_t len, uint64_t offset,
           struct v2v_error **err)
{
  struct vhdx *h = vh;
  const uint64_t block_size = h->geometry.block_size;
  uint8_t *p = buf;

  while (len > 0) {
    const uint64_t block = offset / block_size;
    const uint64_t last = (offset + len - 1) / block_size;
    struct block_run run;
    size_t n;

    if (next_run (h, block, last - block + 1, &run, err) == -1)
      return -1;
    n = (size_t) v2v_min_u64 (len,
                              (block + run.nr_blocks) * block_size - offset);
    if (run.state < VHDX_FULLY_PRESENT)
      memset (p, 0, n);
    else if (vhdx_file_read (h, p, n, run.file_offset + offset % block_size,
                             err) == -1)
      return -1;
    p += n;
    len -= n;
    offset += n;
  }
  return 0;
}

int
vhdx_locate (void *vh, uint64_t offset, struct v2v_run *ret,
             struct v2v_error **err)
{
  struct vhdx *h = vh;
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t block = offset / g->block_size;
  struct block_run run;
  uint64_t start, len;

  if (next_run (h, block,
                v2v_min_u64 (g->nr_blocks - block, MAX_LOCATE / g->block_size),
                &run, err) == -1)
    return -1;
  if (run.state < VHDX_FULLY_PRESENT)
    return 1;
  start = run.file_offset + offset % g->block_size;
  len = v2v_min_u64 ((block + run.nr_blocks) * g->block_size, g->size) - offset;
  /* What the log replaces is nowhere in one piece. */
  if (start >= v2v_io_size (h->file) || vhdx_log_touches (h, len, start))
    return 1;
  len = v2v_min_u64 (len, v2v_io_size (h->file) - start);
  *ret = (struct v2v_run){ h->file, start, len };
  return 0;
}
