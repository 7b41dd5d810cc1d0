/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed grains (streamOptimized), read at random.  "Virtual Disk Format
 * 5.0", "Stream-Optimized Compressed Sparse Extents".
 *
 * A table entry points at a record: the grain's LBA (u64), the compressed
 * length (u32), a zlib stream (RFC 1950, whatever the document says).
 *
 * This is the path that the speed of a conversion hangs on: records of
 * neighbouring grains lie one after the other in the file, so a request for
 * many grains reads them in one piece and inflates each straight into the
 * caller's buffer.  All cores do that at once.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/inflate.h"
#include "formats/vmdk-internal.h"

/* Grains looked up at a time. */
#define BATCH 64

/* Compressed bytes read at a time, unless one record is larger. */
#define RUN_BYTES (2 * 1024 * 1024)

/* Between the records of two neighbours there may be a grain table with its
 * marker, a directory, padding: read over a gap of this much. */
#define MAX_GAP (16 * 1024)

static uint64_t
max_record (const struct vmdk_map *m)
{
  return VMDK_M_GRAIN_DATA + VMDK_MAX_COMPRESSED (m->grain_bytes);
}

static bool
is_last_grain (const struct vmdk_map *m, uint64_t grain)
{
  return (grain + 1) * m->grain_bytes >= m->size_bytes;
}

/* Put where it happened in front. */
static int
at_grain (const struct vmdk_map *m, uint64_t grain, struct v2v_error **err)
{
  v2v_prefix (err, "grain at sector %" PRIu64,
              grain * (m->grain_bytes / VMDK_SECTOR));
  return m->name != NULL ? v2v_prefix (err, "%s", m->name) : -1;
}

int
vmdk_inflate_record (const struct vmdk_map *m, uint64_t grain,
                     const uint8_t *record, size_t avail, uint8_t *out,
                     size_t out_len, struct v2v_error **err)
{
  const uint64_t lba = grain * (m->grain_bytes / VMDK_SECTOR);
  const uint64_t need = vmdk_map_grain_length (m, grain);
  size_t got = 0;
  uint32_t size;

  assert (out_len >= m->grain_bytes);
  if (avail < VMDK_M_GRAIN_DATA)
    return vmdk_map_fail (m, err,
                          "grain at sector %" PRIu64
                          ": its record is past the end of the file",
                          lba);
  if (v2v_le64 (record + VMDK_M_VAL) != lba)
    return vmdk_map_fail (m, err,
                          "grain at sector %" PRIu64
                          ": its record is marked as sector %" PRIu64,
                          lba, v2v_le64 (record + VMDK_M_VAL));
  size = v2v_le32 (record + VMDK_M_SIZE);
  if (size == 0 || size > VMDK_MAX_COMPRESSED (m->grain_bytes))
    return vmdk_map_fail (m, err,
                          "grain at sector %" PRIu64 ": %" PRIu32
                          " compressed bytes, expected 1..%" PRIu64,
                          lba, size, VMDK_MAX_COMPRESSED (m->grain_bytes));
  if (size > avail - VMDK_M_GRAIN_DATA)
    return vmdk_map_fail (m, err,
                          "grain at sector %" PRIu64 ": %" PRIu32
                          " compressed bytes, past the end of the file or "
                          "into the next record",
                          lba, size);
  if (v2v_inflate (record + VMDK_M_GRAIN_DATA, size, out,
                   (size_t) m->grain_bytes, &got, NULL, err) == -1)
    return at_grain (m, grain, err);
  if (got < need) {
    /* Only the last grain, cut by the end of the disk, may be short. */
    if (!is_last_grain (m, grain))
      return vmdk_map_fail (m, err,
                            "grain at sector %" PRIu64
                            ": inflates to %zu bytes, expected %" PRIu64,
                            lba, got, m->grain_bytes);
    memset (out + got, 0, (size_t) need - got);
  }
  return 0;
}

/* A piece of a grain: by way of a small cache, so that a guest that reads
 * sector by sector does not inflate the same grain again and again. */
static int
read_piece (struct vmdk_map *m, uint64_t grain, const uint8_t *record,
            size_t avail, uint64_t skip, uint8_t *buf, size_t len,
            struct v2v_error **err)
{
  struct vmdk_slot *slot = &m->cache->grains[grain % VMDK_GRAIN_SLOTS];
  V2V_LOCK_SCOPE (&slot->lock);

  if (slot->owner != m || slot->index != grain) {
    if (vmdk_slot_prepare (slot, (size_t) m->grain_bytes, err) == -1 ||
        vmdk_inflate_record (m, grain, record, avail, slot->data, slot->cap,
                             err) == -1)
      return -1;
    slot->owner = m;
    slot->index = grain;
  }
  memcpy (buf, slot->data + skip, len);
  return 0;
}

/* The same, if the cache has it: no record is needed then. */
static bool
piece_is_cached (struct vmdk_map *m, uint64_t grain, uint64_t skip,
                 uint8_t *buf, size_t len)
{
  struct vmdk_slot *slot = &m->cache->grains[grain % VMDK_GRAIN_SLOTS];
  V2V_LOCK_SCOPE (&slot->lock);

  if (slot->owner != m || slot->index != grain)
    return false;
  memcpy (buf, slot->data + skip, len);
  return true;
}

/* A run: grains whose records ascend in the file without large gaps. */
struct run {
  uint64_t start, end; /* bytes in the file */
  size_t n;            /* grains */
};

/* The run at AT[0] of N grains; NEXT is the place after them, or 0. */
static struct run
find_run (const struct vmdk_map *m, const uint64_t *at, size_t n, uint64_t next)
{
  const uint64_t most = v2v_max_u64 (RUN_BYTES, max_record (m));
  struct run r = { .start = at[0], .n = 1 };

  while (r.n < n && at[r.n] > at[r.n - 1] &&
         at[r.n] - at[r.n - 1] <= max_record (m) + MAX_GAP &&
         at[r.n] - r.start < most)
    r.n++;
  r.end = at[r.n - 1] + max_record (m);
  if (r.n < n)
    next = at[r.n];
  /* What follows in the file bounds the last record. */
  if (next > at[r.n - 1])
    r.end = v2v_min_u64 (r.end, next);
  r.end = v2v_min_u64 (r.end, v2v_io_size (m->io));
  return r;
}

/* Inflate the grains of a run into BUF, which is LEN bytes of the disk from
 * OFFSET on; *RET_DONE bytes were filled. */
static int
inflate_run (struct vmdk_map *m, const struct run *r, const uint64_t *at,
             const uint8_t *records, uint8_t *buf, size_t len, uint64_t offset,
             size_t *ret_done, struct v2v_error **err)
{
  const uint64_t first = offset / m->grain_bytes;
  size_t done = 0;

  for (size_t i = 0; i < r->n && done < len; ++i) {
    const uint64_t skip = (offset + done) % m->grain_bytes;
    const size_t n = (size_t) v2v_min_u64 (len - done, m->grain_bytes - skip);
    const uint64_t end = i + 1 < r->n ? at[i + 1] : r->end;
    const uint8_t *record = records + (at[i] - r->start);
    const size_t avail = (size_t) (end - at[i]);

    if (n == m->grain_bytes) {
      if (vmdk_inflate_record (m, first + i, record, avail, buf + done, n,
                               err) == -1)
        return -1;
    }
    else if (read_piece (m, first + i, record, avail, skip, buf + done, n,
                         err) == -1)
      return -1;
    done += n;
  }
  *ret_done = done;
  return 0;
}

/* Read and inflate the run at AT[0]. */
static int
read_run (struct vmdk_map *m, const uint64_t *at, size_t n, uint64_t next,
          uint8_t *buf, size_t len, uint64_t offset, size_t *ret_grains,
          size_t *ret_done, struct v2v_error **err)
{
  const uint64_t skip = offset % m->grain_bytes;
  const size_t piece = (size_t) v2v_min_u64 (len, m->grain_bytes - skip);
  const struct run r = find_run (m, at, n, next);
  struct vmdk_scratch scratch;
  int ret;

  if (piece < m->grain_bytes &&
      piece_is_cached (m, offset / m->grain_bytes, skip, buf, piece)) {
    *ret_grains = 1;
    *ret_done = piece;
    return 0;
  }
  if (vmdk_scratch_get (m->cache, (size_t) (r.end - r.start), &scratch, err) ==
      -1)
    return -1;
  ret = v2v_io_pread (m->io, scratch.ptr, (size_t) (r.end - r.start), r.start,
                      err);
  if (ret == 0)
    ret = inflate_run (m, &r, at, scratch.ptr, buf, len, offset, ret_done, err);
  vmdk_scratch_put (m->cache, &scratch);
  *ret_grains = r.n;
  return ret;
}

/* N grains at AT cover BUF. */
static int
read_batch (struct vmdk_map *m, const uint64_t *at, size_t n, uint64_t next,
            uint8_t *buf, size_t len, uint64_t offset, struct v2v_error **err)
{
  while (n > 0) {
    size_t grains = 1, done = 0;

    if (at[0] <= VMDK_AT_ZERO) {
      done =
          (size_t) v2v_min_u64 (len, m->grain_bytes - offset % m->grain_bytes);
      memset (buf, 0, done);
    }
    else {
      size_t k = 1;

      while (k < n && at[k] > VMDK_AT_ZERO)
        k++;
      if (read_run (m, at, k, k < n ? 0 : next, buf, len, offset, &grains,
                    &done, err) == -1)
        return -1;
    }
    at += grains;
    n -= grains;
    buf += done;
    len -= done;
    offset += done;
  }
  return 0;
}

int
vmdk_inflate_read (struct vmdk_map *m, void *vbuf, size_t len, uint64_t offset,
                   struct v2v_error **err)
{
  uint8_t *buf = vbuf;
  uint64_t at[BATCH + 1];

  while (len > 0) {
    const uint64_t grain = offset / m->grain_bytes;
    const uint64_t last = (offset + len - 1) / m->grain_bytes;
    const size_t n = (size_t) v2v_min_u64 (BATCH, last - grain + 1);
    const size_t k =
        (size_t) v2v_min_u64 (len, (grain + n) * m->grain_bytes - offset);
    /* One more, of the same table only: where the last record must end. */
    const bool look = (grain + n) % m->nr_gtes != 0 &&
                      (grain + n) * m->grain_bytes < m->size_bytes;

    at[n] = VMDK_AT_ABSENT;
    if (vmdk_map_entries (m, grain, n + look, at, err) == -1 ||
        read_batch (m, at, n, at[n], buf, k, offset, err) == -1)
      return -1;
    buf += k;
    offset += k;
    len -= k;
  }
  return 0;
}
