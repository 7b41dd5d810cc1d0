/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: changing a file in place.
 * Source: [MS-VHDX] 2.2.2 for the identifiers, 2.3 for the log.
 *
 * What a kill leaves behind.  The BAT and the sector bitmaps change only
 * through the log, a flush at a time: they are those of the last flush or of
 * a later commit, never a mixture.  New data goes to space that no committed
 * table mentions.  Data written over a block (or sector) that was present at
 * the last flush goes straight to its place, so of the caller's own writes
 * since that flush any part may be there: as on a physical disk.
 *
 * A commit:
 *   1. the changed 4 KiB sectors as one entry at the start of the log, under
 *      a new log GUID; sync: with it the data that the new tables speak of is
 *      down.  The header does not know that GUID yet: a kill here leaves the
 *      old state
 *   2. the header with that GUID; sync.  From here replay gives the new state
 *   3. the sectors in their places; sync
 *   4. the header with a zero log GUID; sync
 * More sectors than one entry holds take several rounds, each consistent by
 * itself: bitmaps first (bits of blocks that the BAT does not call partial yet
 * mean nothing), then the BAT from its end, where the entry of a bitmap block
 * comes after those of the payload blocks that need it.
 *
 * Space given back is used again only after the commit that frees it.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

/* ---- opening ---- */

static int
refuse_damage (void *arg, enum vhdx_problem what, uint64_t index,
               uint64_t entry, const char *message)
{
  struct v2v_error **err = arg;

  (void) index;
  (void) entry;
  /* Neither endangers other data, and both are put right on the way. */
  if (what == VHDX_PROBLEM_ZERO_OFFSET || what == VHDX_PROBLEM_SHORT_LAST)
    return 0;
  if (*err == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "BAT: %s", message);
    v2v_hint (err, "a damaged file is not changed in place: see v2v check");
  }
  return 1;
}

/* Blocks that overlap would be written over by each other: look at the whole
 * table before anything is changed, and learn what space is free.
 */
static int
map_used_space (struct vhdx *h, struct v2v_error **err)
{
  struct v2v_error *damage = NULL;
  struct vhdx_scan scan;

  if (vhdx_scan_bat (h, refuse_damage, &damage, &scan, err) == -1)
    return -1;
  if (damage != NULL) {
    vhdx_scan_free (&scan);
    return v2v_error_move (err, damage);
  }
  h->used = scan.map;
  h->search_mib = 1;
  /* A last block that was cut off is made whole, before it is written to. */
  if (scan.end > h->file_end) {
    if (v2v_io_resize (h->file, scan.end, err) == -1)
      return -1;
    h->file_end = scan.end;
    if (vhdx_map_resize (&h->used, v2v_div_up (scan.end, VHDX_ALIGN)) == -1)
      return v2v_fail_nomem (err);
    vhdx_map_set (&h->used, scan.end - h->geometry.block_size,
                  h->geometry.block_size, true);
  }
  return 0;
}

int
vhdx_open_rw (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
              struct v2v_error **err)
{
  struct vhdx *h = vh;

  if (vhdx_init (h, file, VHDX_UPDATE, err) == -1 ||
      vhdx_read_headers (h, err) == -1)
    return -1;
  if (!v2v_io_is_writable (file))
    return v2v_fail (err, V2V_ERR_USAGE, "is open for reading only");
  h->cache.pin_dirty = true;
  if (opts != NULL && opts->keep_content_id)
    h->keep_data_guid = true; /* vhdx-check.c has set it already */
  if (vhdx_log_load (h, opts != NULL && opts->force, err) == -1)
    return -1;
  /* Before anything is written: is the rest sound, with the log applied? */
  if (vhdx_log_build_overlay (h, err) == -1 || vhdx_load (h, err) == -1)
    return -1;
  if (vhdx_log_replay (h, err) == -1)
    return -1;
  return map_used_space (h, err);
}

int
vhdx_update_begin (struct vhdx *h, struct v2v_error **err)
{
  struct vhdx_header next = h->headers[h->current];

  if (h->failed)
    return v2v_fail (err, V2V_ERR_IO,
                     "an earlier change could not be completed; its log is "
                     "kept for the next opening");
  if (h->started)
    return 0;
  if (next.log_length == 0) { /* a file without a log gets one */
    if (vhdx_update_alloc (h, VHDX_ALIGN, &next.log_offset, err) == -1 ||
        v2v_io_sync (h->file, err) == -1)
      return -1;
    next.log_length = (uint32_t) VHDX_ALIGN;
  }
  memset (&next.log_guid, 0, sizeof next.log_guid);
  if (v2v_guid_random (&next.file_write_guid, err) == -1 ||
      (!h->keep_data_guid &&
       v2v_guid_random (&next.data_write_guid, err) == -1) ||
      vhdx_update_header (h, &next, err) == -1)
    return -1;
  vhdx_set_ids (h);
  h->started = true;
  return 0;
}

/* ---- space ---- */

static bool
mib_is_used (const struct vhdx *h, uint64_t mib)
{
  return (h->used.bits[mib / 8] >> (mib % 8)) & 1;
}

/* The first run of N free MiBs from h->search_mib on, or 0. */
static uint64_t
find_free (struct vhdx *h, uint64_t n)
{
  uint64_t run = 0;

  for (uint64_t m = h->search_mib; m < h->used.nr_mib; ++m) {
    if (m % 8 == 0 && h->used.bits[m / 8] == 0xff) {
      m += 7;
      run = 0;
      continue;
    }
    run = mib_is_used (h, m) ? 0 : run + 1;
    if (run == n)
      return m + 1 - n;
  }
  return 0;
}

int
vhdx_update_alloc (struct vhdx *h, uint64_t len, uint64_t *ret_offset,
                   struct v2v_error **err)
{
  const uint64_t n = len / VHDX_ALIGN;
  /* A MiB that the file has only a part of is not free space. */
  const uint64_t mib = find_free (h, n);
  uint64_t offset = mib * VHDX_ALIGN;

  if (mib != 0 && offset + len <= h->file_end) {
    h->search_mib = mib + n;
    /* Nobody's data, but maybe not zeros. */
    if (v2v_io_punch (h->file, len, offset, err) == -1)
      return -1;
  }
  else {
    if (mib == 0) /* look again only after something was freed */
      h->search_mib = v2v_max_u64 (h->search_mib, h->used.nr_mib);
    offset = v2v_div_up (h->file_end, VHDX_ALIGN) * VHDX_ALIGN;
    if (offset + len > VHDX_MAX_FILE)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "file of %" PRIu64 " bytes cannot grow any more",
                       h->file_end);
    if (v2v_io_resize (h->file, offset + len, err) == -1)
      return -1;
    h->file_end = offset + len;
    if (vhdx_map_resize (&h->used, h->file_end / VHDX_ALIGN) == -1)
      return v2v_fail_nomem (err);
  }
  vhdx_map_set (&h->used, offset, len, true);
  *ret_offset = offset;
  return 0;
}

int
vhdx_update_release (struct vhdx *h, uint64_t offset, uint64_t len,
                     struct v2v_error **err)
{
  const struct vhdx_region r = { .offset = offset, .length = len };

  return vhdx_region_vector_append (&h->freed, r) == -1 ? v2v_fail_nomem (err)
                                                        : 0;
}

/* No table on the disk speaks of these places any more: what lies there is
 * given back to the host's file system, the file keeps its length. */
static int
free_released (struct vhdx *h, struct v2v_error **err)
{
  for (size_t i = 0; i < h->freed.len; ++i) {
    const struct vhdx_region *r = &h->freed.ptr[i];

    if (v2v_io_punch (h->file, r->length, r->offset, err) == -1)
      return -1;
    vhdx_map_set (&h->used, r->offset, r->length, false);
    h->search_mib = v2v_min_u64 (h->search_mib, r->offset / VHDX_ALIGN);
  }
  h->freed.len = 0;
  return 0;
}

/* ---- committing ---- */

bool
vhdx_update_is_full (struct vhdx *h)
{
  return h->cache.nr_dirty >= vhdx_log_capacity (h) / 2;
}

static bool
in_bat (const struct vhdx *h, uint64_t offset)
{
  return offset >= h->bat.offset && offset - h->bat.offset < h->bat.length;
}

/* Sectors of bitmaps first, ascending; then those of the BAT, descending. */
static int
compare_writes (const void *va, const void *vb, void *vh)
{
  const struct vhdx_log_write *a = va, *b = vb;
  const struct vhdx *h = vh;
  const bool bat_a = in_bat (h, a->offset), bat_b = in_bat (h, b->offset);

  if (bat_a != bat_b)
    return bat_a ? 1 : -1;
  if (a->offset == b->offset)
    return 0;
  return (a->offset < b->offset) != bat_a ? -1 : 1;
}

static struct vhdx_log_write *
dirty_sectors (struct vhdx *h, size_t *ret_n, struct v2v_error **err)
{
  struct vhdx_log_write *writes = calloc (h->cache.nr_dirty, sizeof *writes);
  size_t n = 0;

  if (writes == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (struct vhdx_page *p = h->cache.oldest; p != NULL; p = p->newer)
    for (unsigned s = 0; s < VHDX_PAGE_SECTORS; ++s)
      if (p->dirty & (1u << s))
        writes[n++] = (struct vhdx_log_write){
          .offset = p->offset + (uint64_t) s * VHDX_LOG_SECTOR,
          .data = p->data + (size_t) s * VHDX_LOG_SECTOR,
        };
  qsort_r (writes, n, sizeof *writes, compare_writes, h);
  *ret_n = n;
  return writes;
}

/* Steps 1 to 4 of the comment on top, for as much as one entry holds. */
int
vhdx_update_commit_round (struct vhdx *h, const struct vhdx_log_write *writes,
                          size_t n, struct v2v_error **err)
{
  struct vhdx_header next = h->headers[h->current];

  if (v2v_guid_random (&next.log_guid, err) == -1 ||
      vhdx_log_append (h, &next.log_guid, writes, n, err) == -1 ||
      vhdx_update_header (h, &next, err) == -1)
    return -1;
  for (size_t i = 0; i < n; ++i)
    if (v2v_io_pwrite (h->file, writes[i].data, VHDX_LOG_SECTOR,
                       writes[i].offset, err) == -1)
      return -1;
  if (v2v_io_sync (h->file, err) == -1)
    return -1;
  memset (&next.log_guid, 0, sizeof next.log_guid);
  return vhdx_update_header (h, &next, err);
}

int
vhdx_update_commit (struct vhdx *h, struct v2v_error **err)
{
  CLEANUP_FREE struct vhdx_log_write *writes = NULL;
  size_t n = 0;
  V2V_LOCK_SCOPE (&h->lock);

  if (h->failed)
    return vhdx_update_begin (h, err); /* says why not */
  if (h->cache.nr_dirty == 0) /* data over data: no table has changed */
    return v2v_io_sync (h->file, err);
  writes = dirty_sectors (h, &n, err);
  if (writes == NULL)
    return -1;
  for (size_t i = 0; i < n;) {
    const size_t round = (size_t) v2v_min_u64 (n - i, vhdx_log_capacity (h));

    if (vhdx_update_commit_round (h, writes + i, round, err) == -1) {
      /* If the header knows the log's GUID, a second entry over this one
       * would leave a log without a valid sequence. */
      h->failed = true;
      return -1;
    }
    i += round;
  }
  for (struct vhdx_page *p = h->cache.oldest; p != NULL; p = p->newer)
    p->dirty = 0;
  h->cache.nr_dirty = 0;
  return free_released (h, err);
}

/* After the last commit both headers say the same, as Windows leaves them. */
int
vhdx_update_finish (struct vhdx *h, struct v2v_error **err)
{
  if (vhdx_update_commit (h, err) == -1)
    return -1;
  if (!h->started)
    return 0;
  return vhdx_update_header (h, &h->headers[h->current], err);
}
