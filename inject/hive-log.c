/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dirty hives: what Windows wrote to the transaction logs but not, or only in
 * part, to the hive itself.
 *
 * Source: "Windows registry file format specification" by M. Suhanov
 * (github.com/msuhanov/regf), "Base block", "Format of transaction log files",
 * "Dirty state of a hive", "Multiple transaction log files"; and, for numbers
 * that are missing in front, the same author's "Missing log entries for a
 * dirty primary file".
 *
 * Windows replaces a damaged hive bin with an empty one and goes on.  We
 * refuse instead: a guest that lost a part of its registry is not ours to
 * repair silently.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "inject/hive-log.h"

#define SECTOR          512u
#define ENTRY_HEADER    40u
#define REFERENCE_BYTES 8u
#define LOG_TYPE_NEW    6u

static const char not_repaired[] =
    "start the guest once more on VMware and shut it down";

static uint32_t
rotate (uint32_t v, unsigned n)
{
  return v << n | v >> (32 - n);
}

static void
marvin_mix (uint32_t *lo, uint32_t *hi, uint32_t word)
{
  *lo += word;
  *hi ^= *lo;
  *lo = rotate (*lo, 20) + *hi;
  *hi = rotate (*hi, 9) ^ *lo;
  *lo = rotate (*lo, 27) + *hi;
  *hi = rotate (*hi, 19);
}

uint64_t
hive_marvin32 (const void *data, size_t len)
{
  const uint8_t *p = data;
  uint32_t lo = 0x7a4e55c5, hi = 0x82ef4d88, tail = 0x80;

  for (; len >= 4; p += 4, len -= 4)
    marvin_mix (&lo, &hi, v2v_le32 (p));
  while (len > 0)
    tail = tail << 8 | p[--len];
  marvin_mix (&lo, &hi, tail);
  marvin_mix (&lo, &hi, 0);
  return (uint64_t) hi << 32 | lo;
}

/* ---- base blocks ---- */

uint32_t
hive_base_checksum (const void *data)
{
  const uint8_t *p = data;
  uint32_t sum = 0;

  for (unsigned i = 0; i < 508; i += 4)
    sum ^= v2v_le32 (p + i);
  return sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

bool
hive_base_parse (const void *data, size_t len, struct hive_base *ret)
{
  const uint8_t *p = data;

  if (len < SECTOR || memcmp (p, "regf", 4) != 0)
    return false;
  ret->primary_seq = v2v_le32 (p + 4);
  ret->secondary_seq = v2v_le32 (p + 8);
  ret->timestamp = v2v_le64 (p + 12);
  ret->type = v2v_le32 (p + 28);
  ret->root_offset = v2v_le32 (p + 36);
  ret->bins_bytes = v2v_le32 (p + 40);
  ret->cluster = v2v_le32 (p + 44);
  ret->checksum_ok = hive_base_checksum (p) == v2v_le32 (p + 508);
  return true;
}

bool
hive_base_is_dirty (const struct hive_base *b)
{
  return !b->checksum_ok || b->primary_seq != b->secondary_seq;
}

/* Sequence numbers wrap: is A before B? */
static bool
is_before (uint32_t a, uint32_t b)
{
  return (int32_t) (a - b) < 0;
}

/* Do the hive bins follow each other exactly to the end? */
static int
check_bins (const uint8_t *data, size_t len, uint32_t bins_bytes,
            const char *name, struct v2v_error **err)
{
  const uint8_t *bins = data + HIVE_BASE_BYTES;

  if (bins_bytes == 0 || bins_bytes % HIVE_BIN_ALIGN != 0 ||
      !v2v_range_inside (HIVE_BASE_BYTES, bins_bytes, len))
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s: %" PRIu32
                     " bytes of hive bins in a file of %zu bytes",
                     name, bins_bytes, len);
  for (uint32_t pos = 0; pos < bins_bytes;) {
    const uint8_t *bin = bins + pos;
    const uint32_t size = v2v_le32 (bin + 8);

    if (memcmp (bin, "hbin", 4) != 0 || v2v_le32 (bin + 4) != pos ||
        size == 0 || size % HIVE_BIN_ALIGN != 0 ||
        !v2v_range_inside (pos, size, bins_bytes))
      return v2v_fail (err, V2V_ERR_GUEST,
                       "registry hive %s: no valid hive bin at offset %" PRIu32,
                       name, pos + HIVE_BASE_BYTES);
    pos += size;
  }
  return 0;
}

int
hive_check_whole (const void *data, size_t len, const char *name,
                  struct v2v_error **err)
{
  struct hive_base b;

  if (len < HIVE_BASE_BYTES || !hive_base_parse (data, len, &b) || b.type != 0)
    return v2v_fail (err, V2V_ERR_GUEST, "registry hive %s: no hive ('regf')",
                     name);
  if (hive_base_is_dirty (&b)) {
    v2v_fail (err, V2V_ERR_GUEST,
              "registry hive %s is dirty: %s, sequence numbers %" PRIu32
              " and %" PRIu32,
              name,
              b.checksum_ok ? "a write to it was not finished"
                            : "the checksum of its header is wrong",
              b.primary_seq, b.secondary_seq);
    return v2v_hint (err, "%s", not_repaired);
  }
  return check_bins (data, len, b.bins_bytes, name, err);
}

/* ---- a replay ---- */

struct replay {
  uint8_t *data; /* grows */
  size_t len;
  const char *name;
  struct hive_base base;
  uint32_t last_seq;
  bool applied_any;
  struct hive_replay_result *result;
};

/* Make room for BINS_BYTES of hive bins; new space is zero. */
static int
set_bins (struct replay *r, uint32_t bins_bytes, struct v2v_error **err)
{
  const size_t want = (size_t) HIVE_BASE_BYTES + bins_bytes;

  if (bins_bytes == 0 || bins_bytes % HIVE_BIN_ALIGN != 0 ||
      want > HIVE_MAX_BYTES)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s: its log asks for %" PRIu32
                     " bytes of hive bins",
                     r->name, bins_bytes);
  if (want > r->len) {
    uint8_t *p = realloc (r->data, want);

    if (p == NULL)
      return v2v_fail_nomem (err);
    memset (p + r->len, 0, want - r->len);
    r->data = p;
    r->len = want;
  }
  r->base.bins_bytes = bins_bytes;
  v2v_put_le32 (r->data + 40, bins_bytes);
  return 0;
}

static void
remember_log (struct replay *r, const struct hive_log_file *log)
{
  if (r->result->first_log == NULL)
    r->result->first_log = log->name;
  else if (r->result->first_log != log->name)
    r->result->second_log = log->name;
}

/* ---- the new format: entries ---- */

struct entry {
  const uint8_t *data;
  uint32_t bytes, seq, flags, bins_bytes, nr_pages;
};

/* The entry at POS, hashes and bounds checked; false ends a log: nothing, a
 * torn write, or the rest of an older log. */
static bool
entry_parse (const struct hive_log_file *log, size_t pos, struct entry *ret)
{
  const uint8_t *p = log->data + pos;
  uint64_t need;

  if (!v2v_range_inside (pos, ENTRY_HEADER, log->len) ||
      memcmp (p, "HvLE", 4) != 0)
    return false;
  ret->data = p;
  ret->bytes = v2v_le32 (p + 4);
  ret->flags = v2v_le32 (p + 8);
  ret->seq = v2v_le32 (p + 12);
  ret->bins_bytes = v2v_le32 (p + 16);
  ret->nr_pages = v2v_le32 (p + 20);
  if (ret->bytes < ENTRY_HEADER || ret->bytes % SECTOR != 0 ||
      !v2v_range_inside (pos, ret->bytes, log->len) ||
      ret->bins_bytes % HIVE_BIN_ALIGN != 0 ||
      hive_marvin32 (p, 32) != v2v_le64 (p + 32) ||
      hive_marvin32 (p + ENTRY_HEADER, ret->bytes - ENTRY_HEADER) !=
          v2v_le64 (p + 24))
    return false;
  need = ENTRY_HEADER + (uint64_t) ret->nr_pages * REFERENCE_BYTES;
  return need <= ret->bytes;
}

static int
entry_apply (struct replay *r, const struct entry *e, struct v2v_error **err)
{
  const uint8_t *ref = e->data + ENTRY_HEADER;
  uint64_t pos = ENTRY_HEADER + (uint64_t) e->nr_pages * REFERENCE_BYTES;
  uint32_t flags;

  if (set_bins (r, e->bins_bytes, err) == -1)
    return -1;
  for (uint32_t i = 0; i < e->nr_pages; ++i, ref += REFERENCE_BYTES) {
    const uint32_t offset = v2v_le32 (ref), size = v2v_le32 (ref + 4);

    if (!v2v_range_inside (offset, size, e->bins_bytes) ||
        !v2v_range_inside (pos, size, e->bytes))
      return v2v_fail (err, V2V_ERR_GUEST,
                       "registry hive %s: log entry %" PRIu32 " writes %" PRIu32
                       " bytes at %" PRIu32 ", past the end",
                       r->name, e->seq, size, offset);
    memcpy (r->data + HIVE_BASE_BYTES + offset, e->data + pos, size);
    pos += size;
    ++r->result->nr_pages;
  }
  flags = v2v_le32 (r->data + 144);
  v2v_put_le32 (r->data + 144, (flags & ~1u) | (e->flags & 1u));
  r->last_seq = e->seq;
  r->applied_any = true;
  ++r->result->nr_entries;
  return 0;
}

/* Apply the entries of LOG from its own first number on. */
static int
log_apply (struct replay *r, const struct hive_log_file *log,
           const struct hive_base *b, struct v2v_error **err)
{
  uint32_t want = b->primary_seq;
  struct entry e;

  if (r->applied_any && want != r->last_seq + 1)
    return 0;
  for (size_t pos = SECTOR; entry_parse (log, pos, &e) && e.seq == want;
       pos += e.bytes, ++want) {
    if (entry_apply (r, &e, err) == -1)
      return -1;
    remember_log (r, log);
  }
  return 0;
}

/* The hive's own header is torn: the log has a copy of its first sector. */
static void
take_base (struct replay *r, const struct hive_log_file *log)
{
  memcpy (r->data, log->data, SECTOR);
  v2v_put_le32 (r->data + 28, 0);
  hive_base_parse (r->data, r->len, &r->base);
}

/* LOGS that are of the new format and usable, in the order of their numbers;
 * returns how many. */
static size_t
choose_new (const struct replay *r, const struct hive_log_file *logs,
            size_t nr_logs, const struct hive_log_file *ret[2],
            struct hive_base bases[2])
{
  size_t n = 0;

  for (size_t i = 0; i < nr_logs && n < 2; ++i) {
    struct hive_base b;

    if (!hive_base_parse (logs[i].data, logs[i].len, &b) || !b.checksum_ok ||
        b.type != LOG_TYPE_NEW ||
        (r->base.checksum_ok &&
         is_before (b.primary_seq, r->base.secondary_seq)))
      continue;
    ret[n] = &logs[i];
    bases[n++] = b;
  }
  if (n == 2 && is_before (bases[1].primary_seq, bases[0].primary_seq)) {
    const struct hive_log_file *log = ret[0];
    const struct hive_base b = bases[0];

    ret[0] = ret[1];
    bases[0] = bases[1];
    ret[1] = log;
    bases[1] = b;
  }
  return n;
}

static int
replay_new (struct replay *r, const struct hive_log_file *logs, size_t nr_logs,
            struct v2v_error **err)
{
  const struct hive_log_file *chosen[2];
  struct hive_base bases[2];
  size_t n = choose_new (r, logs, nr_logs, chosen, bases);
  uint32_t first;

  if (n == 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s is dirty and its logs are of an earlier "
                     "time",
                     r->name);
  /* With a torn header only the latest log counts. */
  if (!r->base.checksum_ok) {
    if (n == 2) {
      chosen[0] = chosen[1];
      bases[0] = bases[1];
      n = 1;
    }
    take_base (r, chosen[0]);
  }
  first = bases[0].primary_seq;
  for (size_t i = 0; i < n; ++i)
    if (log_apply (r, chosen[i], &bases[i], err) == -1)
      return -1;
  if (!r->applied_any)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s is dirty and no entry of %s is valid",
                     r->name, chosen[0]->name);
  if (r->result->first_log != chosen[0]->name)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s is dirty and the first entry of %s is "
                     "damaged",
                     r->name, chosen[0]->name);
  /* Numbers missing in front are right when both logs went round since: then
   * the hive holds them already. */
  if (first != r->base.secondary_seq && r->result->second_log == NULL)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s is dirty: log entries %" PRIu32
                     " to %" PRIu32 " are missing",
                     r->name, r->base.secondary_seq, first - 1);
  r->last_seq += 1; /* as Windows numbers the hive that it has recovered */
  return 0;
}

/* ---- the old format: one bit for each 512 bytes ---- */

/* When did the hive's last write begin? */
static uint64_t
hive_timestamp (const struct replay *r)
{
  if (r->base.checksum_ok || r->len < HIVE_BASE_BYTES + 28)
    return r->base.timestamp;
  return v2v_le64 (r->data + HIVE_BASE_BYTES + 20);
}

static bool
old_log_fits (const struct replay *r, const struct hive_log_file *log,
              struct hive_base *ret)
{
  return hive_base_parse (log->data, log->len, ret) && ret->checksum_ok &&
         (ret->type == 1 || ret->type == 2) &&
         ret->primary_seq == ret->secondary_seq &&
         ret->timestamp == hive_timestamp (r);
}

static int
old_log_apply (struct replay *r, const struct hive_log_file *log,
               const struct hive_base *b, struct v2v_error **err)
{
  const uint64_t sector = (uint64_t) SECTOR * (b->cluster == 8 ? 8 : 1);
  const uint64_t nr_bits = b->bins_bytes / SECTOR;
  const uint64_t bitmap = sector + 4, bitmap_bytes = v2v_div_up (nr_bits, 8);
  const uint32_t seq = r->base.primary_seq;
  uint64_t pos;

  if (!v2v_range_inside (sector, 4 + bitmap_bytes, log->len) ||
      memcmp (log->data + sector, "DIRT", 4) != 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s is dirty and %s has no dirty vector",
                     r->name, log->name);
  take_base (r, log);
  if (set_bins (r, b->bins_bytes, err) == -1)
    return -1;
  pos = v2v_div_up (bitmap + bitmap_bytes, sector) * sector;
  for (uint64_t bit = 0; bit < nr_bits; ++bit) {
    if (!(log->data[bitmap + bit / 8] >> (bit % 8) & 1))
      continue;
    if (!v2v_range_inside (pos, SECTOR, log->len))
      return v2v_fail (err, V2V_ERR_GUEST,
                       "registry hive %s is dirty and %s ends before its last "
                       "page",
                       r->name, log->name);
    memcpy (r->data + HIVE_BASE_BYTES + bit * SECTOR, log->data + pos, SECTOR);
    pos += SECTOR;
    ++r->result->nr_pages;
  }
  remember_log (r, log);
  r->last_seq = is_before (seq, b->primary_seq) ? b->primary_seq : seq;
  return 0;
}

static int
replay_old (struct replay *r, const struct hive_log_file *logs, size_t nr_logs,
            struct v2v_error **err)
{
  struct hive_base b;

  for (size_t i = 0; i < nr_logs; ++i)
    if (old_log_fits (r, &logs[i], &b))
      return old_log_apply (r, &logs[i], &b, err);
  return v2v_fail (err, V2V_ERR_GUEST,
                   "registry hive %s is dirty and none of its logs belongs to "
                   "its last write",
                   r->name);
}

static bool
has_new_format (const struct hive_log_file *logs, size_t nr_logs)
{
  struct hive_base b;

  for (size_t i = 0; i < nr_logs; ++i)
    if (hive_base_parse (logs[i].data, logs[i].len, &b) && b.checksum_ok &&
        b.type == LOG_TYPE_NEW)
      return true;
  return false;
}

int
hive_replay (uint8_t **data, size_t *len, const char *name,
             const struct hive_log_file *logs, size_t nr_logs,
             struct hive_replay_result *ret, struct v2v_error **err)
{
  struct hive_replay_result result = { 0 };
  struct replay r = {
    .data = *data, .len = *len, .name = name, .result = &result
  };
  int rc = -1;

  if (r.len < HIVE_BASE_BYTES || r.len > HIVE_MAX_BYTES ||
      !hive_base_parse (r.data, r.len, &r.base))
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s: no hive ('regf') of up to %" PRIu64
                     " bytes",
                     name, HIVE_MAX_BYTES);
  if (nr_logs == 0)
    v2v_fail (err, V2V_ERR_GUEST,
              "registry hive %s is dirty and has no transaction log", name);
  else if (has_new_format (logs, nr_logs))
    rc = replay_new (&r, logs, nr_logs, err);
  else
    rc = replay_old (&r, logs, nr_logs, err);
  *data = r.data;
  *len = r.len;
  if (rc == -1)
    return v2v_hint (err, "%s", not_repaired);
  v2v_put_le32 (r.data + 4, r.last_seq);
  v2v_put_le32 (r.data + 8, r.last_seq);
  v2v_put_le32 (r.data + 508, hive_base_checksum (r.data));
  if (hive_check_whole (r.data, r.len, name, err) == -1)
    return v2v_prefix (err, "after its log was replayed");
  *ret = result;
  return 0;
}
