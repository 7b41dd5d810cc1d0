/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: the replay of a dirty log in memory.
 * Source: [MS-VHDX] 2.3.3 "Log Replay": also a reader must see what the log
 * holds.
 *
 * Later writes hide earlier ones, and zero descriptors may cover any range;
 * so the records are flattened once into ascending, disjoint segments, each
 * owned by the last record that writes it.  Painting from the newest to the
 * oldest, and skipping what is painted, takes n log n steps whatever the
 * records are.  The segments do not change afterwards: reading them needs no
 * lock.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vhdx-internal.h"

static int
compare_u64 (const void *va, const void *vb)
{
  const uint64_t *a = va, *b = vb;

  return *a < *b ? -1 : *a > *b;
}

static size_t
find_bound (const uint64_t *bounds, size_t n, uint64_t value)
{
  size_t lo = 0, hi = n;

  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;

    if (bounds[mid] < value)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* The first piece at or after I that is not painted, halving the way. */
static size_t
next_unpainted (size_t *next, size_t i)
{
  while (next[i] != i) {
    next[i] = next[next[i]];
    i = next[i];
  }
  return i;
}

static int
paint (struct vhdx_log *log, const uint64_t *bounds, size_t nr_bounds,
       size_t *next, size_t *owner)
{
  for (size_t i = 0; i < nr_bounds; ++i) {
    next[i] = i;
    owner[i] = SIZE_MAX;
  }
  for (size_t r = log->records.len; r-- > 0;) {
    const struct vhdx_log_record *rec = &log->records.ptr[r];
    const size_t end =
        find_bound (bounds, nr_bounds, rec->offset + rec->length);
    size_t i =
        next_unpainted (next, find_bound (bounds, nr_bounds, rec->offset));

    while (i < end) {
      owner[i] = r;
      next[i] = i + 1; /* END is a bound, so there is one after I */
      i = next_unpainted (next, i);
    }
  }
  for (size_t i = 0; i + 1 < nr_bounds; ++i)
    if (owner[i] != SIZE_MAX &&
        vhdx_overlay_segments_append (
            &log->segments, (struct vhdx_overlay_segment){
                                bounds[i], bounds[i + 1], owner[i] }) == -1)
      return -1;
  return 0;
}

int
vhdx_log_build_overlay (struct vhdx *h, struct v2v_error **err)
{
  struct vhdx_log *log = &h->log;
  CLEANUP_FREE uint64_t *bounds = NULL;
  CLEANUP_FREE size_t *next = NULL, *owner = NULL;
  size_t n = 0;

  if (log->records.len == 0)
    return 0;
  bounds = calloc (2 * log->records.len, sizeof *bounds);
  next = calloc (2 * log->records.len, sizeof *next);
  owner = calloc (2 * log->records.len, sizeof *owner);
  if (bounds == NULL || next == NULL || owner == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < log->records.len; ++i) {
    bounds[2 * i] = log->records.ptr[i].offset;
    bounds[2 * i + 1] = log->records.ptr[i].offset + log->records.ptr[i].length;
  }
  qsort (bounds, 2 * log->records.len, sizeof *bounds, compare_u64);
  for (size_t i = 0; i < 2 * log->records.len; ++i)
    if (n == 0 || bounds[n - 1] != bounds[i])
      bounds[n++] = bounds[i];
  if (paint (log, bounds, n, next, owner) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* The first segment that ends after OFFSET. */
static size_t
find_segment (const struct vhdx_log *log, uint64_t offset)
{
  size_t lo = 0, hi = log->segments.len;

  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;

    if (log->segments.ptr[mid].end <= offset)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

bool
vhdx_log_touches (const struct vhdx *h, uint64_t len, uint64_t offset)
{
  const size_t i = find_segment (&h->log, offset);

  return i < h->log.segments.len && h->log.segments.ptr[i].start < offset + len;
}

/* Copy [start, end-1] of the file, which RECORD replaces, to P. */
static int
patch_one (struct vhdx *h, const struct vhdx_log_record *r, uint8_t *p,
           uint64_t start, uint64_t end, struct v2v_error **err)
{
  uint8_t sector[VHDX_LOG_SECTOR];

  if (r->source == 0) {
    memset (p, 0, (size_t) (end - start));
    return 0;
  }
  if (v2v_io_pread (h->file, sector, sizeof sector, r->source, err) == -1)
    return -1;
  memcpy (sector, r->leading, sizeof r->leading);
  memcpy (sector + sizeof sector - sizeof r->trailing, r->trailing,
          sizeof r->trailing);
  memcpy (p, sector + (start - r->offset), (size_t) (end - start));
  return 0;
}

int
vhdx_log_patch (struct vhdx *h, void *buf, size_t len, uint64_t offset,
                struct v2v_error **err)
{
  const struct vhdx_log *log = &h->log;

  for (size_t i = find_segment (log, offset);
       i < log->segments.len && log->segments.ptr[i].start < offset + len;
       ++i) {
    const struct vhdx_overlay_segment *s = &log->segments.ptr[i];
    const uint64_t start = v2v_max_u64 (s->start, offset);
    const uint64_t end = v2v_min_u64 (s->end, offset + len);

    if (patch_one (h, &log->records.ptr[s->record],
                   (uint8_t *) buf + (start - offset), start, end, err) == -1)
      return -1;
  }
  return 0;
}
