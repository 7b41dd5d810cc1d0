/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: from blocks of the virtual disk to places in the file.  Readers,
 * writers and the checker share this one mapping.
 * Source: [MS-VHDX] 2.5 "BAT": 2.5.1.1 payload entries, 2.5.1.2 sector bitmap
 * entries.  After every chunk_ratio payload entries stands the entry of the
 * bitmap block that describes them, in files of every kind.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vhdx-internal.h"

/* ---- geometry ---- */

int
vhdx_geometry_derive (struct vhdx_geometry *g, struct v2v_error **err)
{
  (void) err;
  /* No overflow: size <= 2^46, block_size >= 2^20, both checked. */
  g->nr_blocks = v2v_div_up (g->size, g->block_size);
  g->chunk_ratio = VHDX_SECTORS_PER_BITMAP * g->logical / g->block_size;
  g->nr_entries =
      g->has_parent
          ? v2v_div_up (g->nr_blocks, g->chunk_ratio) * (g->chunk_ratio + 1)
          : g->nr_blocks + (g->nr_blocks - 1) / g->chunk_ratio;
  return 0;
}

uint64_t
vhdx_bat_index (const struct vhdx_geometry *g, uint64_t block)
{
  return block + block / g->chunk_ratio;
}

uint64_t
vhdx_bitmap_index (const struct vhdx_geometry *g, uint64_t chunk)
{
  return (chunk + 1) * g->chunk_ratio + chunk;
}

uint64_t
vhdx_block_at (const struct vhdx_geometry *g, uint64_t index)
{
  /* The entry of a bitmap, the last of its chunk, gives the block after. */
  return index / (g->chunk_ratio + 1) * g->chunk_ratio +
         index % (g->chunk_ratio + 1);
}

uint64_t
vhdx_block_len (const struct vhdx_geometry *g, uint64_t block)
{
  return v2v_min_u64 (g->block_size, g->size - block * g->block_size);
}

size_t
vhdx_slice_len (const struct vhdx_geometry *g)
{
  return (size_t) (g->block_size / g->logical / 8);
}

/* ---- entries ---- */

static bool
overlaps (uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
  return a < b + b_len && b < a + a_len;
}

const char *
vhdx_place_fault (const struct vhdx *h, uint64_t offset, uint64_t len)
{
  const struct vhdx_header *header = &h->headers[h->current];

  if (offset < VHDX_ALIGN)
    return "inside the header section";
  if (!v2v_range_inside (offset, len, h->file_end))
    return "past the end of the file";
  if (overlaps (offset, len, header->log_offset, header->log_length))
    return "over the log";
  for (size_t i = 0; i < h->regions.len; ++i)
    if (overlaps (offset, len, h->regions.ptr[i].offset,
                  h->regions.ptr[i].length))
      return "over a region";
  return NULL;
}

int
vhdx_bat_get (struct vhdx *h, uint64_t index, uint64_t *ret_entry,
              struct v2v_error **err)
{
  const uint64_t offset = h->bat.offset + index * 8;
  struct vhdx_page *page = NULL;

  assert (index < h->geometry.nr_entries);
  if (vhdx_cache_page (h, offset, &page, err) == -1)
    return -1;
  *ret_entry = v2v_le64 (page->data + (offset - page->offset));
  return 0;
}

int
vhdx_bat_set (struct vhdx *h, uint64_t index, uint64_t entry,
              struct v2v_error **err)
{
  const uint64_t offset = h->bat.offset + index * 8;
  struct vhdx_page *page = NULL;

  assert (index < h->geometry.nr_entries);
  if (vhdx_cache_page (h, offset, &page, err) == -1)
    return -1;
  v2v_put_le64 (page->data + (offset - page->offset), entry);
  vhdx_cache_touch (h, page, offset, 8);
  return 0;
}

/* The part of the block that has to be in the file: programs exist that cut
 * the file at the end of the disk, inside its last block.
 */
static uint64_t
needed_len (const struct vhdx *h, uint64_t block)
{
  return h->mode == VHDX_READ ? vhdx_block_len (&h->geometry, block)
                              : h->geometry.block_size;
}

int
vhdx_block_get (struct vhdx *h, uint64_t block, uint64_t *ret_entry,
                struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t index = vhdx_bat_index (g, block);
  const char *fault;
  uint64_t entry = 0;

  if (vhdx_bat_get (h, index, &entry, err) == -1)
    return -1;
  *ret_entry = entry;
  if (h->mode == VHDX_CREATE) /* nobody else has written them */
    return 0;
  if (VHDX_BAT_RESERVED (entry) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: entry %" PRIu64 " is 0x%" PRIx64
                     ", bits 3 to 19 are reserved",
                     index, entry);
  switch (VHDX_BAT_STATE (entry)) {
  case VHDX_NOT_PRESENT:
  case VHDX_UNDEFINED:
  case VHDX_ZERO:
  case VHDX_UNMAPPED:
  case VHDX_UNMAPPED_095:
    return 0;
  case VHDX_PARTIALLY_PRESENT:
    if (g->has_parent)
      break;
    /* fallthrough */
  case 4:
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: entry %" PRIu64 " has state %u, not allowed in "
                     "a %s disk",
                     index, VHDX_BAT_STATE (entry),
                     g->has_parent ? "differencing" : "fixed or dynamic");
  default:
    break;
  }
  fault = vhdx_place_fault (h, VHDX_BAT_OFFSET (entry), needed_len (h, block));
  if (fault != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: entry %" PRIu64 ": block %" PRIu64 " of %" PRIu64
                     " bytes at %" PRIu64 " is %s (%" PRIu64 ")",
                     index, block, g->block_size, VHDX_BAT_OFFSET (entry),
                     fault, h->file_end);
  return 0;
}

int
vhdx_bitmap_slice (struct vhdx *h, uint64_t block, uint64_t *ret_offset,
                   struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  const uint64_t index = vhdx_bitmap_index (g, block / g->chunk_ratio);
  const char *fault;
  uint64_t entry = 0;

  if (vhdx_bat_get (h, index, &entry, err) == -1)
    return -1;
  if (VHDX_BAT_STATE (entry) == VHDX_NOT_PRESENT) {
    *ret_offset = 0;
    return 0;
  }
  fault = VHDX_BAT_STATE (entry) != VHDX_FULLY_PRESENT ? "in an unknown state"
          : VHDX_BAT_RESERVED (entry) != 0 ? "marked with reserved bits"
          : h->mode == VHDX_CREATE
              ? NULL
              : vhdx_place_fault (h, VHDX_BAT_OFFSET (entry), VHDX_BITMAP_SIZE);
  if (fault != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: entry %" PRIu64 ": the sector bitmap at %" PRIu64
                     " is %s",
                     index, VHDX_BAT_OFFSET (entry), fault);
  *ret_offset =
      VHDX_BAT_OFFSET (entry) + block % g->chunk_ratio * vhdx_slice_len (g);
  return 0;
}

/* ---- the map of used MiBs ---- */

int
vhdx_map_resize (struct vhdx_map *map, uint64_t nr_mib)
{
  const uint64_t bytes = v2v_div_up (nr_mib, 8);

  if (bytes > map->cap_bytes) {
    const uint64_t cap = bytes + bytes / 2 + 64;
    uint8_t *p = realloc (map->bits, (size_t) cap);

    if (p == NULL)
      return -1;
    memset (p + map->cap_bytes, 0, (size_t) (cap - map->cap_bytes));
    map->bits = p;
    map->cap_bytes = cap;
  }
  map->nr_mib = nr_mib;
  return 0;
}

bool
vhdx_map_set (struct vhdx_map *map, uint64_t offset, uint64_t len, bool value)
{
  const uint64_t first = offset / VHDX_ALIGN;
  const uint64_t last =
      v2v_min_u64 (v2v_div_up (offset + len, VHDX_ALIGN), map->nr_mib);
  bool had = false;

  for (uint64_t m = first; m < last; ++m) {
    const uint8_t bit = (uint8_t) (1u << (m % 8));

    had = had || ((map->bits[m / 8] & bit) != 0) == value;
    if (value)
      map->bits[m / 8] |= bit;
    else
      map->bits[m / 8] &= (uint8_t) ~bit;
  }
  return had;
}

/* ---- looking at the whole table ---- */

struct scanner {
  struct vhdx *h;
  struct vhdx_scan *scan;
  vhdx_problem_fn *problem;
  void *arg;
  bool stop;
};

static void __attribute__ ((format (printf, 5, 6)))
report (struct scanner *s, enum vhdx_problem what, uint64_t index,
        uint64_t entry, const char *fmt, ...)
{
  CLEANUP_FREE char *message = NULL;
  va_list args;
  int n;

  if (s->problem == NULL || s->stop)
    return;
  va_start (args, fmt);
  n = vasprintf (&message, fmt, args);
  va_end (args);
  if (n == -1)
    message = NULL;
  s->stop = s->problem (s->arg, what, index, entry,
                        message ? message : "BAT entry is wrong") != 0;
}

static void
scan_place (struct scanner *s, uint64_t index, uint64_t entry, uint64_t len,
            uint64_t needed)
{
  const uint64_t offset = VHDX_BAT_OFFSET (entry);
  const char *fault = vhdx_place_fault (s->h, offset, len);

  if (fault != NULL && needed < len &&
      vhdx_place_fault (s->h, offset, needed) == NULL)
    report (s, VHDX_PROBLEM_SHORT_LAST, index, entry,
            "entry %" PRIu64 ": the last block, %" PRIu64 " bytes at %" PRIu64
            ", is cut off at the end of the file (%" PRIu64 ")",
            index, len, offset, s->h->file_end);
  else if (fault != NULL) {
    report (s, VHDX_PROBLEM_RANGE, index, entry,
            "entry %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64 " are %s", index,
            len, offset, fault);
    return;
  }
  s->scan->end = v2v_max_u64 (s->scan->end, offset + len);
  if (vhdx_map_set (&s->scan->map, offset, len, true))
    report (s, VHDX_PROBLEM_OVERLAP, index, entry,
            "entry %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64
            " are in use by another block",
            index, len, offset);
}

static void
scan_bitmap_entry (struct scanner *s, uint64_t index, uint64_t entry)
{
  if (VHDX_BAT_STATE (entry) == VHDX_FULLY_PRESENT) {
    s->scan->nr_bitmaps++;
    scan_place (s, index, entry, VHDX_BITMAP_SIZE, VHDX_BITMAP_SIZE);
  }
  else if (VHDX_BAT_STATE (entry) != VHDX_NOT_PRESENT)
    report (s, VHDX_PROBLEM_STATE, index, entry,
            "entry %" PRIu64 ": a sector bitmap in state %u, expected 0 or 6",
            index, VHDX_BAT_STATE (entry));
}

static void
scan_payload_entry (struct scanner *s, uint64_t index, uint64_t entry)
{
  const struct vhdx_geometry *g = &s->h->geometry;
  const uint64_t block = vhdx_block_at (g, index);
  const unsigned state = VHDX_BAT_STATE (entry);

  s->scan->states[state]++;
  switch (state) {
  case VHDX_PARTIALLY_PRESENT:
    if (!g->has_parent)
      report (s, VHDX_PROBLEM_STATE, index, entry,
              "entry %" PRIu64 ": state 7 in a disk without a parent", index);
    /* fallthrough */
  case VHDX_FULLY_PRESENT:
    scan_place (s, index, entry, g->block_size, vhdx_block_len (g, block));
    break;
  case 4:
  case VHDX_UNMAPPED_095:
    report (s, VHDX_PROBLEM_STATE, index, entry,
            "entry %" PRIu64 ": state %u is reserved", index, state);
    break;
  case VHDX_ZERO:
    if (VHDX_BAT_OFFSET (entry) != 0)
      report (s, VHDX_PROBLEM_ZERO_OFFSET, index, entry,
              "entry %" PRIu64 ": a zero block with offset %" PRIu64
              ", which Hyper-V refuses",
              index, VHDX_BAT_OFFSET (entry));
    break;
  default:
    /* UNDEFINED and UNMAPPED may keep their place: it is not free. */
    if (VHDX_BAT_OFFSET (entry) != 0 && state != VHDX_NOT_PRESENT)
      scan_place (s, index, entry, g->block_size, vhdx_block_len (g, block));
    break;
  }
}

static int
scan_entries (struct scanner *s, struct v2v_error **err)
{
  struct vhdx *h = s->h;
  const struct vhdx_geometry *g = &h->geometry;
  uint64_t index = 0;

  while (index < g->nr_entries && !s->stop) {
    const uint64_t offset = h->bat.offset + index * 8;
    struct vhdx_page *page = NULL;
    uint64_t n = v2v_min_u64 ((VHDX_PAGE_SIZE - offset % VHDX_PAGE_SIZE) / 8,
                              g->nr_entries - index);
    V2V_LOCK_SCOPE (&h->lock);

    if (vhdx_cache_page (h, offset, &page, err) == -1)
      return -1;
    if (page->zero) {
      s->scan->states[0] +=
          v2v_min_u64 (vhdx_block_at (g, index + n), g->nr_blocks) -
          v2v_min_u64 (vhdx_block_at (g, index), g->nr_blocks);
      index += n;
      continue;
    }
    for (; n > 0 && !s->stop; --n, ++index) {
      const uint64_t entry =
          v2v_le64 (page->data + (h->bat.offset + index * 8 - page->offset));

      if (VHDX_BAT_RESERVED (entry) != 0)
        report (s, VHDX_PROBLEM_RESERVED_BITS, index, entry,
                "entry %" PRIu64 " is 0x%" PRIx64 ": bits 3 to 19 are reserved",
                index, entry);
      if (index % (g->chunk_ratio + 1) == g->chunk_ratio)
        scan_bitmap_entry (s, index, entry);
      else if (vhdx_block_at (g, index) < g->nr_blocks)
        scan_payload_entry (s, index, entry);
    }
  }
  return 0;
}

/* A partially present block needs its bitmap block. */
static int
scan_bitmaps (struct scanner *s, struct v2v_error **err)
{
  struct vhdx *h = s->h;
  const struct vhdx_geometry *g = &h->geometry;

  if (!g->has_parent || s->scan->states[VHDX_PARTIALLY_PRESENT] == 0)
    return 0;
  for (uint64_t b = 0; b < g->nr_blocks && !s->stop; ++b) {
    uint64_t entry = 0, bitmap = 0;
    V2V_LOCK_SCOPE (&h->lock);

    if (vhdx_bat_get (h, vhdx_bat_index (g, b), &entry, err) == -1)
      return -1;
    if (VHDX_BAT_STATE (entry) != VHDX_PARTIALLY_PRESENT)
      continue;
    if (vhdx_bat_get (h, vhdx_bitmap_index (g, b / g->chunk_ratio), &bitmap,
                      err) == -1)
      return -1;
    if (VHDX_BAT_STATE (bitmap) != VHDX_FULLY_PRESENT)
      report (s, VHDX_PROBLEM_NO_BITMAP, vhdx_bat_index (g, b), entry,
              "entry %" PRIu64 ": block %" PRIu64
              " is partially present, but its sector bitmap is not there",
              vhdx_bat_index (g, b), b);
  }
  return 0;
}

int
vhdx_scan_bat (struct vhdx *h, vhdx_problem_fn *problem, void *arg,
               struct vhdx_scan *ret, struct v2v_error **err)
{
  const struct vhdx_header *header = &h->headers[h->current];
  struct scanner s = { h, ret, problem, arg, false };

  memset (ret, 0, sizeof *ret);
  /* file_end is at most VHDX_MAX_FILE: a map of 16 MiB. */
  if (h->file_end > VHDX_MAX_FILE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "file of %" PRIu64 " bytes, a VHDX has at most %" PRIu64,
                     h->file_end, VHDX_MAX_FILE);
  if (vhdx_map_resize (&ret->map, v2v_div_up (h->file_end, VHDX_ALIGN)) == -1)
    return v2v_fail_nomem (err);
  vhdx_map_set (&ret->map, 0, VHDX_ALIGN, true);
  vhdx_map_set (&ret->map, header->log_offset, header->log_length, true);
  ret->end = header->log_offset + header->log_length;
  for (size_t i = 0; i < h->regions.len; ++i) {
    const struct vhdx_region *r = &h->regions.ptr[i];

    vhdx_map_set (&ret->map, r->offset, r->length, true);
    ret->end = v2v_max_u64 (ret->end, r->offset + r->length);
  }
  if (scan_entries (&s, err) == -1 || scan_bitmaps (&s, err) == -1) {
    vhdx_scan_free (ret);
    return -1;
  }
  return 0;
}

void
vhdx_scan_free (struct vhdx_scan *scan)
{
  free (scan->map.bits);
  memset (scan, 0, sizeof *scan);
}
