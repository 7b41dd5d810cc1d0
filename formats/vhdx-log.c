/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: the log.
 * Source: [MS-VHDX] 2.3 "Log": 2.3.1.1 entry header, 2.3.1.2 and 2.3.1.3
 * descriptors, 2.3.1.4 data sector, 2.3.2 sequence, 2.3.3 replay.
 *
 * Reading: the active sequence is found and validated, and its writes are
 * laid over the file in memory (vhdx-overlay.c); the file stays untouched.
 * Only references to the log's data sectors are kept, so a log of 1 GiB costs
 * a few MiB.  Changing in place: the same writes are carried out on the file.
 *
 * Every sector of the log may be the start of an entry, and hostile entries
 * could claim to be long.  Looking at the structure before the checksum keeps
 * the work linear: inside a well-formed entry every sector begins with a
 * descriptor or "data", never with "loge", so no two can overlap.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vhdx-internal.h"

/* A valid entry of the log, by sector. */
struct entry {
  uint32_t sector;
  uint32_t nr_sectors;
  uint32_t nr_desc_sectors;
  uint32_t tail; /* sector */
  uint32_t nr_descriptors;
  uint64_t sequence;
  uint64_t flushed_offset;
  uint64_t last_offset;
  bool has_predecessor;
};
V2V_VECTOR (entry_vector, struct entry);

struct log_area {
  struct vhdx *h;
  uint64_t offset; /* of the log in the file */
  uint32_t nr_sectors;
  struct v2v_guid guid;
};

static int
read_sector (const struct log_area *a, uint64_t sector, uint8_t *buf,
             struct v2v_error **err)
{
  return v2v_io_pread (a->h->file, buf, VHDX_LOG_SECTOR,
                       a->offset + sector % a->nr_sectors * VHDX_LOG_SECTOR,
                       err);
}

/* Descriptors in sector I of an entry: the header takes the room of two. */
static uint32_t
descriptors_in (uint32_t i)
{
  return VHDX_LOG_SECTOR / VHDX_LOG_DESC_SIZE - (i == 0 ? 2 : 0);
}

static const uint8_t *
descriptor_at (const uint8_t *sector, uint32_t i, uint32_t k)
{
  return sector + (i == 0 ? VHDX_LOG_HEADER_SIZE : 0) +
         (size_t) k * VHDX_LOG_DESC_SIZE;
}

/* Could an entry begin with this sector? */
static bool
decode_entry (const struct log_area *a, const uint8_t *p, struct entry *e)
{
  const uint32_t length = v2v_le32 (p + 8);
  const uint32_t tail = v2v_le32 (p + 12);
  const struct v2v_guid guid = v2v_guid_from_mixed (p + 32);
  uint64_t desc_bytes;

  if (memcmp (p, VHDX_LOG_ENTRY_SIGNATURE, 4) != 0 ||
      !v2v_guid_equal (&guid, &a->guid))
    return false;
  e->sequence = v2v_le64 (p + 16);
  e->nr_descriptors = v2v_le32 (p + 24);
  e->flushed_offset = v2v_le64 (p + 48);
  e->last_offset = v2v_le64 (p + 56);
  if (e->sequence == 0 || length == 0 || length % VHDX_LOG_SECTOR != 0 ||
      length / VHDX_LOG_SECTOR > a->nr_sectors || tail % VHDX_LOG_SECTOR != 0 ||
      tail / VHDX_LOG_SECTOR >= a->nr_sectors)
    return false;
  e->nr_sectors = length / VHDX_LOG_SECTOR;
  e->tail = tail / VHDX_LOG_SECTOR;
  desc_bytes =
      VHDX_LOG_HEADER_SIZE + (uint64_t) e->nr_descriptors * VHDX_LOG_DESC_SIZE;
  if (desc_bytes > length)
    return false;
  e->nr_desc_sectors = (uint32_t) v2v_div_up (desc_bytes, VHDX_LOG_SECTOR);
  return true;
}

/* Check the descriptors of sector I; count those that have a data sector. */
static bool
check_descriptors (const struct entry *e, const uint8_t *sector, uint32_t i,
                   uint32_t *left, uint32_t *nr_data)
{
  const uint32_t n = descriptors_in (i) < *left ? descriptors_in (i) : *left;

  for (uint32_t k = 0; k < n; ++k) {
    const uint8_t *d = descriptor_at (sector, i, k);

    if (v2v_le64 (d + 24) != e->sequence)
      return false;
    if (memcmp (d, VHDX_LOG_DESC_SIGNATURE, 4) == 0)
      (*nr_data)++;
    else if (memcmp (d, VHDX_LOG_ZERO_SIGNATURE, 4) != 0)
      return false;
  }
  *left -= n;
  return true;
}

static bool
check_data_sector (const struct entry *e, const uint8_t *p)
{
  return memcmp (p, VHDX_LOG_DATA_SIGNATURE, 4) == 0 &&
         v2v_le32 (p + 4) == (uint32_t) (e->sequence >> 32) &&
         v2v_le32 (p + VHDX_LOG_SECTOR - 4) == (uint32_t) e->sequence;
}

/* Is there a whole, valid entry at SECTOR?  Torn ones are not an error. */
static int
validate_entry (const struct log_area *a, uint32_t sector, bool *ret_valid,
                struct entry *e, struct v2v_error **err)
{
  uint8_t buf[VHDX_LOG_SECTOR];
  uint32_t left, nr_data = 0, want_crc, crc = 0;

  *ret_valid = false;
  if (read_sector (a, sector, buf, err) == -1)
    return -1;
  memset (e, 0, sizeof *e);
  e->sector = sector;
  if (!decode_entry (a, buf, e))
    return 0;
  want_crc = v2v_le32 (buf + 4);
  v2v_put_le32 (buf + 4, 0);
  left = e->nr_descriptors;
  for (uint32_t i = 0; i < e->nr_sectors; ++i) {
    if (i > 0 && read_sector (a, (uint64_t) sector + i, buf, err) == -1)
      return -1;
    if (i < e->nr_desc_sectors ? !check_descriptors (e, buf, i, &left, &nr_data)
                               : !check_data_sector (e, buf))
      return 0;
    crc = v2v_crc32c (crc, buf, sizeof buf);
  }
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  crc = want_crc;
#endif
  *ret_valid = crc == want_crc &&
               e->nr_sectors == (uint64_t) e->nr_desc_sectors + nr_data;
  return 0;
}

static int
find_entries (const struct log_area *a, entry_vector *entries,
              struct v2v_error **err)
{
  uint32_t s = 0;

  while (s < a->nr_sectors) {
    struct entry e;
    bool valid = false;

    if (validate_entry (a, s, &valid, &e, err) == -1)
      return -1;
    if (valid && entry_vector_append (entries, e) == -1)
      return v2v_fail_nomem (err);
    s += valid ? e.nr_sectors : 1;
  }
  return 0;
}

static struct entry *
entry_at (const entry_vector *entries, uint32_t sector)
{
  size_t lo = 0, hi = entries->len;

  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;

    if (entries->ptr[mid].sector < sector)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < entries->len && entries->ptr[lo].sector == sector
             ? &entries->ptr[lo]
             : NULL;
}

/* The entry that follows E in its sequence, or NULL. */
static struct entry *
successor (const struct log_area *a, const entry_vector *entries,
           const struct entry *e)
{
  struct entry *next =
      entry_at (entries, (uint32_t) (((uint64_t) e->sector + e->nr_sectors) %
                                     a->nr_sectors));

  return next != NULL && e->sequence != UINT64_MAX &&
                 next->sequence == e->sequence + 1
             ? next
             : NULL;
}

/* The active sequence ends with the newest head whose tail is in its own
 * run.  Entries do not overlap, so each has one predecessor at most and the
 * runs are disjoint: looking at all of them is linear.
 */
static struct entry *
find_active (const struct log_area *a, const entry_vector *entries,
             uint64_t *ret_nr, uint64_t *ret_last)
{
  struct entry *best = NULL;

  for (size_t i = 0; i < entries->len; ++i) {
    struct entry *next = successor (a, entries, &entries->ptr[i]);

    if (next != NULL)
      next->has_predecessor = true;
  }
  for (size_t i = 0; i < entries->len; ++i) {
    struct entry *e = &entries->ptr[i], *head = NULL, *tail = NULL;

    if (e->has_predecessor)
      continue;
    for (struct entry *n = e; n != NULL; n = successor (a, entries, n))
      head = n;
    for (struct entry *n = e; n != NULL; n = successor (a, entries, n))
      if (n->sector == head->tail)
        tail = n;
    if (tail != NULL && (best == NULL || head->sequence > *ret_last)) {
      best = tail;
      *ret_last = head->sequence;
      *ret_nr = head->sequence - tail->sequence + 1;
    }
  }
  return best;
}

/* ---- the writes of one entry ---- */

static int
add_record (const struct log_area *a, const struct entry *e, const uint8_t *d,
            uint64_t data_sector, struct v2v_error **err)
{
  struct vhdx_log *log = &a->h->log;
  const bool zero = memcmp (d, VHDX_LOG_ZERO_SIGNATURE, 4) == 0;
  struct vhdx_log_record r = {
    .offset = v2v_le64 (d + 16),
    .length = zero ? v2v_le64 (d + 8) : VHDX_LOG_SECTOR,
  };
  const uint64_t limit = v2v_max_u64 (e->last_offset, v2v_io_size (a->h->file));

  if (!zero) {
    r.source = a->offset + data_sector % a->nr_sectors * VHDX_LOG_SECTOR;
    memcpy (r.leading, d + 8, 8);
    memcpy (r.trailing, d + 4, 4);
  }
  if (r.offset % VHDX_LOG_SECTOR != 0 || r.length % VHDX_LOG_SECTOR != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64 " writes %" PRIu64
                     " bytes at %" PRIu64 ", expected multiples of %d",
                     e->sequence, r.length, r.offset, VHDX_LOG_SECTOR);
  if (r.offset < VHDX_LOG_FIRST_TARGET)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64 " writes at %" PRIu64
                     ", over the headers",
                     e->sequence, r.offset);
  if (!v2v_range_inside (r.offset, r.length, limit))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64 " writes %" PRIu64
                     " bytes at %" PRIu64 ", past the end of the file (%" PRIu64
                     ")",
                     e->sequence, r.length, r.offset, limit);
  if (r.offset < a->offset + (uint64_t) a->nr_sectors * VHDX_LOG_SECTOR &&
      r.offset + r.length > a->offset)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64 " writes at %" PRIu64
                     ", over the log itself",
                     e->sequence, r.offset);
  if (log->records.len >= VHDX_MAX_LOG_RECORDS)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "log: more than %u writes to replay",
                     VHDX_MAX_LOG_RECORDS);
  if (r.length > 0 && vhdx_log_records_append (&log->records, r) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
collect_entry (const struct log_area *a, const struct entry *e,
               struct v2v_error **err)
{
  struct vhdx_log *log = &a->h->log;
  uint64_t data_sector = (uint64_t) e->sector + e->nr_desc_sectors;
  uint32_t left = e->nr_descriptors;
  uint8_t buf[VHDX_LOG_SECTOR];

  if (e->flushed_offset > v2v_io_size (a->h->file))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64
                     " was written when the file had %" PRIu64
                     " bytes, now it has %" PRIu64 ": it was truncated",
                     e->sequence, e->flushed_offset, v2v_io_size (a->h->file));
  if (e->last_offset > VHDX_MAX_FILE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "log: entry %" PRIu64 " wants a file of %" PRIu64
                     " bytes, at most %" PRIu64 " is sensible",
                     e->sequence, e->last_offset, VHDX_MAX_FILE);
  log->flushed_offset = v2v_max_u64 (log->flushed_offset, e->flushed_offset);
  log->last_offset = v2v_max_u64 (log->last_offset, e->last_offset);
  for (uint32_t i = 0; i < e->nr_desc_sectors; ++i) {
    const uint32_t n = descriptors_in (i) < left ? descriptors_in (i) : left;

    if (read_sector (a, (uint64_t) e->sector + i, buf, err) == -1)
      return -1;
    for (uint32_t k = 0; k < n; ++k) {
      const uint8_t *d = descriptor_at (buf, i, k);

      if (add_record (a, e, d, data_sector, err) == -1)
        return -1;
      if (memcmp (d, VHDX_LOG_DESC_SIGNATURE, 4) == 0)
        data_sector++;
    }
    left -= n;
  }
  return 0;
}

/* Find what the log holds; with FORCE an unreadable log is ignored. */
int
vhdx_log_load (struct vhdx *h, bool force, struct v2v_error **err)
{
  const struct vhdx_header *header = &h->headers[h->current];
  const struct log_area a = {
    .h = h,
    .offset = header->log_offset,
    .nr_sectors = header->log_length / VHDX_LOG_SECTOR,
    .guid = header->log_guid,
  };
  entry_vector entries = V2V_VECTOR_INIT;
  struct vhdx_log *log = &h->log;
  struct entry *e;
  int r = -1;

  if (v2v_guid_is_zero (&header->log_guid))
    return 0;
  if (find_entries (&a, &entries, err) == -1)
    goto out;
  e = find_active (&a, &entries, &log->nr_entries, &log->last_sequence);
  if (e == NULL && force) {
    v2v_warn ("the log is marked as in use but holds no valid sequence; "
              "reading the file as it stands");
    r = 0;
    goto out;
  }
  if (e == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "log: marked as in use, but holds no valid sequence of entries");
    goto out;
  }
  log->dirty = true;
  log->first_sequence = e->sequence;
  for (uint64_t i = 0; i < log->nr_entries; ++i) {
    assert (e != NULL);
    if (collect_entry (&a, e, err) == -1)
      goto out;
    e = successor (&a, &entries, e);
  }
  h->file_end = v2v_max_u64 (h->file_end, log->last_offset);
  r = 0;
out:
  free (entries.ptr);
  return r;
}

void
vhdx_log_clear (struct vhdx_log *log)
{
  free (log->records.ptr);
  free (log->segments.ptr);
  memset (log, 0, sizeof *log);
}

/* ---- carrying it out on the file ---- */

static int
replay_record (struct vhdx *h, const struct vhdx_log_record *r,
               struct v2v_error **err)
{
  uint8_t sector[VHDX_LOG_SECTOR];

  if (r->source == 0)
    return v2v_io_punch (h->file, r->length, r->offset, err);
  if (v2v_io_pread (h->file, sector, sizeof sector, r->source, err) == -1)
    return -1;
  memcpy (sector, r->leading, sizeof r->leading);
  memcpy (sector + sizeof sector - sizeof r->trailing, r->trailing,
          sizeof r->trailing);
  return v2v_io_pwrite (h->file, sector, sizeof sector, r->offset, err);
}

/* 2.3.3: write, extend, flush, and only then drop the log.  A kill in between
 * leaves the log in use, to be replayed again.
 */
int
vhdx_log_replay (struct vhdx *h, struct v2v_error **err)
{
  struct vhdx_header next = h->headers[h->current];

  if (!h->log.dirty)
    return 0;
  if (v2v_guid_random (&next.file_write_guid, err) == -1 ||
      vhdx_update_header (h, &next, err) == -1)
    return -1;
  if (h->log.last_offset > v2v_io_size (h->file) &&
      v2v_io_resize (h->file, h->log.last_offset, err) == -1)
    return -1;
  for (size_t i = 0; i < h->log.records.len; ++i)
    if (replay_record (h, &h->log.records.ptr[i], err) == -1)
      return -1;
  if (v2v_io_sync (h->file, err) == -1)
    return -1;
  memset (&next.log_guid, 0, sizeof next.log_guid);
  if (vhdx_update_header (h, &next, err) == -1)
    return -1;
  vhdx_log_clear (&h->log);
  h->file_end = v2v_io_size (h->file);
  return 0;
}

/* ---- writing an entry ---- */

/* One entry never needs more: a MiB of memory, 128 Ki BAT entries. */
#define MAX_ENTRY_SECTORS 256u

size_t
vhdx_log_capacity (const struct vhdx *h)
{
  const uint64_t sectors = v2v_min_u64 (
      h->headers[h->current].log_length / VHDX_LOG_SECTOR, MAX_ENTRY_SECTORS);

  /* 255 data sectors would need three sectors of descriptors; two are enough
   * for any smaller number, and a log has at least 256 sectors. */
  return sectors < 3 ? 0 : (size_t) sectors - 2;
}

int
vhdx_log_append (struct vhdx *h, const struct v2v_guid *guid,
                 const struct vhdx_log_write *writes, size_t n,
                 struct v2v_error **err)
{
  const size_t desc_sectors = (size_t) v2v_div_up (
      VHDX_LOG_HEADER_SIZE + n * VHDX_LOG_DESC_SIZE, VHDX_LOG_SECTOR);
  const size_t len = (desc_sectors + n) * VHDX_LOG_SECTOR;
  const uint64_t sequence = 1; /* the only entry under this GUID */
  CLEANUP_FREE uint8_t *buf = NULL;

  assert (n > 0 && n <= vhdx_log_capacity (h));
  buf = calloc (1, len);
  if (buf == NULL)
    return v2v_fail_nomem (err);
  memcpy (buf, VHDX_LOG_ENTRY_SIGNATURE, 4);
  v2v_put_le32 (buf + 8, (uint32_t) len);
  v2v_put_le32 (buf + 12, 0); /* tail: this entry, at the start of the log */
  v2v_put_le64 (buf + 16, sequence);
  v2v_put_le32 (buf + 24, (uint32_t) n);
  v2v_guid_to_mixed (guid, buf + 32);
  v2v_put_le64 (buf + 48, v2v_io_size (h->file));
  v2v_put_le64 (buf + 56, v2v_io_size (h->file));
  for (size_t i = 0; i < n; ++i) {
    /* Descriptors are contiguous: the second sector goes on where the first
     * ends, since 64 + 126 * 32 = 4096. */
    uint8_t *d = buf + VHDX_LOG_HEADER_SIZE + i * VHDX_LOG_DESC_SIZE;
    uint8_t *s = buf + (desc_sectors + i) * VHDX_LOG_SECTOR;

    memcpy (d, VHDX_LOG_DESC_SIGNATURE, 4);
    memcpy (d + 4, writes[i].data + VHDX_LOG_SECTOR - 4, 4);
    memcpy (d + 8, writes[i].data, 8);
    v2v_put_le64 (d + 16, writes[i].offset);
    v2v_put_le64 (d + 24, sequence);
    memcpy (s, writes[i].data, VHDX_LOG_SECTOR);
    memcpy (s, VHDX_LOG_DATA_SIGNATURE, 4);
    v2v_put_le32 (s + 4, (uint32_t) (sequence >> 32));
    v2v_put_le32 (s + VHDX_LOG_SECTOR - 4, (uint32_t) sequence);
  }
  vhdx_put_crc (buf, len);
  if (v2v_io_pwrite (h->file, buf, len, h->headers[h->current].log_offset,
                     err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}
