/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grains found through a directory of tables: what hosted sparse, COWD and
 * seSparse extents have in common.
 *
 *   directory (in memory) -> table (a small cache) -> grain
 *
 * The directory of the largest disk is 16 MiB.  Tables are loaded when they
 * are needed and every entry of one is verified then; a table that fails is
 * replaced by its redundant copy where the format has one.  A range that
 * spans many tables is not pulled through the cache: tables that are holes
 * of the file, or zeros, are skipped by their bytes, so that an empty disk of
 * 62 TiB is walked in the time it takes to see that its tables are empty.
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

/* Grains looked up at a time: 2 KiB of stack. */
#define BATCH 256

/* Tables looked at without the cache are read in pieces of this. */
#define SKIM_BYTES (256 * 1024)

struct vmdk_map *
vmdk_map_new (struct v2v_io *io, struct vmdk_cache *cache, const char *name,
              struct v2v_error **err)
{
  struct vmdk_map *m = calloc (1, sizeof *m);

  if (m == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  m->io = v2v_io_ref (io);
  m->cache = cache;
  m->name = name;
  pthread_mutex_init (&m->alias_lock, NULL);
  return m;
}

void
vmdk_map_free (struct vmdk_map *m)
{
  if (m == NULL)
    return;
  v2v_io_unref (m->io);
  pthread_mutex_destroy (&m->alias_lock);
  free (m->gd);
  free (m->slots);
  free (m->seen);
  free (m);
}

int
vmdk_map_allocate (struct vmdk_map *m, struct v2v_error **err)
{
  const uint64_t nr_slots = v2v_io_size (m->io) / m->grain_bytes + 1;

  m->gd = calloc (m->nr_gds, sizeof m->gd[0]);
  m->seen = calloc (1, m->nr_gds / 8 + 1);
  if (m->gd == NULL || m->seen == NULL)
    return v2v_fail_nomem (err);
  if (!m->compressed && nr_slots <= VMDK_MAX_ALIAS_SLOTS) {
    m->slots = calloc (1, (size_t) (nr_slots / 8 + 1));
    if (m->slots == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

int
vmdk_map_fail (const struct vmdk_map *m, struct v2v_error **err,
               const char *fmt, ...)
{
  CLEANUP_FREE char *message = NULL;
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&message, fmt, args);
  va_end (args);
  if (n == -1) {
    message = NULL;
    return v2v_fail_nomem (err);
  }
  v2v_fail (err, V2V_ERR_FORMAT, "%s", message);
  return m->name != NULL ? v2v_prefix (err, "%s", m->name) : -1;
}

void
vmdk_map_add_metadata (struct vmdk_map *m, uint64_t start, uint64_t len)
{
  assert (m->nr_metadata < V2V_ARRAY_SIZE (m->metadata));
  if (len > 0)
    m->metadata[m->nr_metadata++] = (struct vmdk_range){ start, start + len };
}

bool
vmdk_map_in_metadata (const struct vmdk_map *m, uint64_t start, uint64_t len)
{
  for (size_t i = 0; i < m->nr_metadata; ++i)
    if (start < m->metadata[i].end && m->metadata[i].start < start + len)
      return true;
  return false;
}

uint64_t
vmdk_map_grain_length (const struct vmdk_map *m, uint64_t grain)
{
  return v2v_min_u64 (m->grain_bytes, m->size_bytes - grain * m->grain_bytes);
}

uint64_t
vmdk_map_table_at (const struct vmdk_map *m, uint32_t v)
{
  /* 2^32 times at most 32 KiB, after a start inside the file: no overflow */
  return m->table_base + v * m->table_unit;
}

/* ---- loading a table ---- */

static bool
table_place_ok (const struct vmdk_map *m, uint64_t at)
{
  return v2v_range_inside (at, vmdk_map_table_bytes (m), v2v_io_size (m->io)) &&
         !vmdk_map_in_metadata (m, at, vmdk_map_table_bytes (m));
}

/* Entries of table GDI that are inside the disk: fewer in the last one. */
static uint32_t
entries_used (const struct vmdk_map *m, uint32_t gdi)
{
  const uint64_t nr_grains = v2v_div_up (m->size_bytes, m->grain_bytes);

  return (uint32_t) v2v_min_u64 (m->nr_gtes,
                                 nr_grains - (uint64_t) gdi * m->nr_gtes);
}

/* Verify every entry of a table: a grain must lie inside the file and outside
 * the metadata. */
static int
verify_table (const struct vmdk_map *m, uint32_t gdi, const uint8_t *buf,
              struct v2v_error **err)
{
  const uint64_t file_size = v2v_io_size (m->io);
  const uint64_t first = (uint64_t) gdi * m->nr_gtes;

  for (uint32_t i = 0; i < entries_used (m, gdi); ++i) {
    const uint8_t *p = buf + (size_t) i * m->entry_bytes;
    uint64_t at, len;

    if (m->entry (m, p, &at) == -1)
      return vmdk_map_fail (m, err,
                            "grain table %" PRIu32 ": entry %" PRIu32
                            " is 0x%" PRIx64 ", which means nothing",
                            gdi, i,
                            m->entry_bytes == 8 ? v2v_le64 (p) : v2v_le32 (p));
    if (at == VMDK_AT_ABSENT || at == VMDK_AT_ZERO)
      continue;
    /* Of a record only the marker and a byte is sure. */
    len = m->compressed ? VMDK_M_GRAIN_DATA + 1
                        : vmdk_map_grain_length (m, first + i);
    if (!v2v_range_inside (at, len, file_size))
      return vmdk_map_fail (m, err,
                            "grain table %" PRIu32 ": entry %" PRIu32
                            " points at sector %" PRIu64
                            ", past the end (%" PRIu64 ")",
                            gdi, i, at / VMDK_SECTOR, file_size / VMDK_SECTOR);
    if (vmdk_map_in_metadata (m, at, len))
      return vmdk_map_fail (m, err,
                            "grain table %" PRIu32 ": entry %" PRIu32
                            " points at sector %" PRIu64
                            ", inside the metadata",
                            gdi, i, at / VMDK_SECTOR);
  }
  return 0;
}

int
vmdk_map_load_table (const struct vmdk_map *m, uint32_t gdi, uint32_t v,
                     uint8_t *buf, struct v2v_error **err)
{
  const uint64_t at = vmdk_map_table_at (m, v);

  if (!table_place_ok (m, at))
    return vmdk_map_fail (
        m, err,
        "grain directory: entry %" PRIu32 " points at sector %" PRIu64
        ", expected a table inside the file (%" PRIu64
        " sectors) and outside the metadata",
        gdi, at / VMDK_SECTOR, v2v_io_size (m->io) / VMDK_SECTOR);
  if (v2v_io_pread (m->io, buf, vmdk_map_table_bytes (m), at, err) == -1)
    return -1;
  return verify_table (m, gdi, buf, err);
}

static int
load_redundant (const struct vmdk_map *m, uint32_t gdi, uint8_t *buf,
                struct v2v_error **err)
{
  uint8_t entry[4];

  if (v2v_io_pread (m->io, entry, sizeof entry,
                    m->rgd_offset + (uint64_t) gdi * sizeof entry, err) == -1)
    return -1;
  if (v2v_le32 (entry) == 0) {
    memset (buf, 0, vmdk_map_table_bytes (m));
    return 0;
  }
  return vmdk_map_load_table (m, gdi, v2v_le32 (entry), buf, err);
}

/* The writer did not close the file: the two copies were written one after
 * the other, and only where they agree is the table known. */
static int
agree_with_redundant (const struct vmdk_map *m, uint32_t gdi,
                      const uint8_t *buf, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *other = malloc (vmdk_map_table_bytes (m));

  if (other == NULL)
    return v2v_fail_nomem (err);
  if (load_redundant (m, gdi, other, err) == -1)
    return -1;
  if (memcmp (buf, other, vmdk_map_table_bytes (m)) == 0)
    return 0;
  vmdk_map_fail (m, err,
                 "grain table %" PRIu32 " differs from its redundant copy, "
                 "and the disk was not closed cleanly",
                 gdi);
  return v2v_hint (err, "open it once in VMware, or run v2v check --repair; "
                        "v2v copy --force reads it as it is");
}

/* Table GDI, or its redundant copy if it is damaged. */
static int
load_either (struct vmdk_map *m, uint32_t gdi, uint8_t *buf,
             struct v2v_error **err)
{
  struct v2v_error *first = NULL, *second = NULL;
  bool warn;

  if (vmdk_map_load_table (m, gdi, m->gd[gdi], buf, &first) == 0)
    return m->unclean ? agree_with_redundant (m, gdi, buf, err) : 0;
  if (m->rgd_offset == 0)
    return v2v_error_move (err, first);
  if (load_redundant (m, gdi, buf, &second) == -1) {
    v2v_error_free (second);
    return v2v_error_move (err, first);
  }
  {
    V2V_LOCK_SCOPE (&m->alias_lock);
    warn = !m->warned;
    m->warned = true;
  }
  if (warn)
    v2v_warn ("%s: %s; its redundant copy is used", v2v_io_name (m->io),
              v2v_error_message (first));
  v2v_error_free (first);
  return 0;
}

/* Mark the grains of a table that is seen for the first time. */
static int
refuse_aliases (struct vmdk_map *m, uint32_t gdi, const uint8_t *buf,
                struct v2v_error **err)
{
  V2V_LOCK_SCOPE (&m->alias_lock);

  if (m->slots == NULL || (m->seen[gdi / 8] & 1u << gdi % 8))
    return 0;
  for (uint32_t i = 0; i < entries_used (m, gdi); ++i) {
    uint64_t at, slot;

    if (m->entry (m, buf + (size_t) i * m->entry_bytes, &at) == -1 ||
        at == VMDK_AT_ABSENT || at == VMDK_AT_ZERO)
      continue;
    /* The last grain, if cut, may share its slot with another. */
    if (vmdk_map_grain_length (m, (uint64_t) gdi * m->nr_gtes + i) <
        m->grain_bytes)
      continue;
    slot = at / m->grain_bytes;
    if (m->slots[slot / 8] & 1u << slot % 8)
      return vmdk_map_fail (m, err,
                            "grain table %" PRIu32 ": entry %" PRIu32
                            " points at sector %" PRIu64
                            ", which belongs to another grain",
                            gdi, i, at / VMDK_SECTOR);
    m->slots[slot / 8] |= (uint8_t) (1u << slot % 8);
  }
  m->seen[gdi / 8] |= (uint8_t) (1u << gdi % 8);
  return 0;
}

/* The entries [first, first+n-1] of table GDI, which exists. */
static int
table_entries (struct vmdk_map *m, uint32_t gdi, uint32_t first, size_t n,
               uint64_t *ret, struct v2v_error **err)
{
  struct vmdk_slot *slot = &m->cache->tables[gdi % VMDK_TABLE_SLOTS];
  V2V_LOCK_SCOPE (&slot->lock);

  if (slot->owner != m || slot->index != gdi) {
    if (vmdk_slot_prepare (slot, vmdk_map_table_bytes (m), err) == -1 ||
        load_either (m, gdi, slot->data, err) == -1 ||
        refuse_aliases (m, gdi, slot->data, err) == -1)
      return -1;
    slot->owner = m;
    slot->index = gdi;
  }
  for (size_t i = 0; i < n; ++i)
    /* verified above, cannot fail */
    if (m->entry (m, slot->data + (first + i) * m->entry_bytes, &ret[i]) == -1)
      ret[i] = VMDK_AT_ABSENT;
  return 0;
}

int
vmdk_map_entries (struct vmdk_map *m, uint64_t grain, size_t n, uint64_t *ret,
                  struct v2v_error **err)
{
  while (n > 0) {
    const uint32_t gdi = (uint32_t) (grain / m->nr_gtes);
    const uint32_t first = (uint32_t) (grain % m->nr_gtes);
    const size_t k = (size_t) v2v_min_u64 (n, m->nr_gtes - first);

    if (m->gd[gdi] == 0)
      memset (ret, 0, k * sizeof *ret); /* VMDK_AT_ABSENT */
    else if (table_entries (m, gdi, first, k, ret, err) == -1)
      return -1;
    grain += k;
    ret += k;
    n -= k;
  }
  return 0;
}

/* ---- extents ---- */

/* Tables read ahead to see which are empty. */
struct skim {
  uint8_t *buf;
  uint32_t first; /* the table at BUF */
  uint32_t n;     /* tables at BUF; 0 = nothing read */
};

/* How many tables from GDI on, at most MAX, lie one after the other? */
static uint32_t
tables_in_a_row (const struct vmdk_map *m, uint32_t gdi, uint32_t max)
{
  const uint64_t step = vmdk_map_table_bytes (m);
  const uint64_t at = vmdk_map_table_at (m, m->gd[gdi]);
  uint32_t n = 0;

  while (n < max && m->gd[gdi + n] != 0 &&
         vmdk_map_table_at (m, m->gd[gdi + n]) == at + n * step &&
         table_place_ok (m, at + n * step))
    n++;
  return n;
}

/* How many tables from GDI on (at most MAX, all with a directory entry) are
 * surely empty?  0 = look at the first one. */
static int
count_empty_tables (const struct vmdk_map *m, struct skim *s, uint32_t gdi,
                    uint32_t max, uint32_t *ret, struct v2v_error **err)
{
  const size_t bytes = vmdk_map_table_bytes (m);
  uint32_t k = 0;

  if (gdi < s->first || gdi >= s->first + s->n) {
    CLEANUP_EXTENTS struct v2v_extents holes = V2V_EXTENTS_INIT;
    const uint64_t at = vmdk_map_table_at (m, m->gd[gdi]);
    const uint32_t row = tables_in_a_row (m, gdi, max);

    s->n = 0;
    *ret = 0;
    if (row < 2)
      return 0;
    if (v2v_io_extents (m->io, (uint64_t) row * bytes, at, &holes, err) == -1)
      return -1;
    if (holes.len > 0 && holes.ptr[0].type == V2V_EXTENT_ZERO &&
        holes.ptr[0].length >= bytes) {
      *ret = (uint32_t) (holes.ptr[0].length / bytes);
      return 0;
    }
    if (s->buf == NULL && (s->buf = malloc (SKIM_BYTES)) == NULL)
      return v2v_fail_nomem (err);
    s->first = gdi;
    k = (uint32_t) v2v_min_u64 (row, SKIM_BYTES / bytes);
    if (v2v_io_pread (m->io, s->buf, k * bytes, at, err) == -1)
      return -1;
    s->n = k;
  }
  for (k = gdi - s->first; k < s->n; ++k)
    if (!v2v_is_zero (s->buf + k * bytes, bytes))
      break;
  *ret = (uint32_t) v2v_min_u64 (max, k - (gdi - s->first));
  return 0;
}

/* Tables from GDI on that need not be loaded: no directory entry, or empty.
 * END is past the last one of interest. */
static int
skip_tables (const struct vmdk_map *m, struct skim *s, uint32_t gdi,
             uint32_t end, uint32_t *ret, struct v2v_error **err)
{
  /* Holes are asked for piecewise: a fragmented file gives long lists. */
  const uint32_t row_max = 512;
  uint32_t n = 0;

  while (gdi + n < end && m->gd[gdi + n] == 0)
    n++;
  if (n == 0 && end - gdi >= 2 && !m->unclean) {
    uint32_t max = 0;

    while (max < row_max && gdi + max < end && m->gd[gdi + max] != 0)
      max++;
    return count_empty_tables (m, s, gdi, max, ret, err);
  }
  *ret = n;
  return 0;
}

static enum v2v_extent_type
type_of (uint64_t at)
{
  return at == VMDK_AT_ABSENT ? V2V_EXTENT_ABSENT
         : at == VMDK_AT_ZERO ? V2V_EXTENT_ZERO
                              : V2V_EXTENT_DATA;
}

/* One batch of grains of one table; *RET_DONE bytes were described. */
static int
extents_of_batch (struct vmdk_map *m, uint64_t len, uint64_t offset,
                  uint64_t base, struct v2v_extents *out, uint64_t *ret_done,
                  struct v2v_error **err)
{
  uint64_t at[BATCH];
  const uint64_t grain = offset / m->grain_bytes;
  const uint64_t last = (offset + len - 1) / m->grain_bytes;
  const size_t n = (size_t) v2v_min_u64 (v2v_min_u64 (BATCH, last - grain + 1),
                                         m->nr_gtes - grain % m->nr_gtes);
  const uint64_t start = offset;

  if (vmdk_map_entries (m, grain, n, at, err) == -1)
    return -1;
  for (size_t i = 0; i < n; ++i) {
    const uint64_t end =
        v2v_min_u64 ((grain + i + 1) * m->grain_bytes, start + len);

    if (v2v_extents_append (out, base + offset, end - offset, type_of (at[i]),
                            0) == -1)
      return v2v_fail_nomem (err);
    offset = end;
  }
  *ret_done = offset - start;
  return 0;
}

int
vmdk_map_extents (struct vmdk_map *m, uint64_t len, uint64_t offset,
                  uint64_t base, struct v2v_extents *out,
                  struct v2v_error **err)
{
  const uint64_t table_span = m->grain_bytes * m->nr_gtes;
  const uint64_t end = offset + len;
  const uint32_t gd_end = (uint32_t) ((end - 1) / table_span) + 1;
  struct skim s = { NULL, 0, 0 };
  int r = 0;

  while (offset < end) {
    const uint32_t gdi = (uint32_t) (offset / table_span);
    uint32_t skip = 0;
    uint64_t done;

    r = skip_tables (m, &s, gdi, gd_end, &skip, err);
    if (r == -1)
      break;
    if (skip > 0) {
      done = v2v_min_u64 (end, (uint64_t) (gdi + skip) * table_span) - offset;
      if (v2v_extents_append (out, base + offset, done, V2V_EXTENT_ABSENT, 0) ==
          -1)
        r = v2v_fail_nomem (err);
    }
    else
      r = extents_of_batch (
          m, v2v_min_u64 (end, (gdi + UINT64_C (1)) * table_span) - offset,
          offset, base, out, &done, err);
    if (r == -1)
      break;
    offset += done;
  }
  free (s.buf);
  return r;
}

/* ---- reading ---- */

/* LEN bytes at OFFSET are inside N grains whose places are AT. */
static int
read_batch (struct vmdk_map *m, uint8_t *buf, size_t len, uint64_t offset,
            const uint64_t *at, size_t n, struct v2v_error **err)
{
  size_t i = 0;

  while (i < n) {
    const uint64_t skip = offset % m->grain_bytes;
    uint64_t run = m->grain_bytes - skip;
    size_t k = 1;

    while (i + k < n && run < len &&
           (at[i] > VMDK_AT_ZERO ? at[i + k] == at[i] + k * m->grain_bytes
                                 : at[i + k] <= VMDK_AT_ZERO)) {
      run += m->grain_bytes;
      k++;
    }
    run = v2v_min_u64 (run, len);
    if (at[i] <= VMDK_AT_ZERO)
      memset (buf, 0, (size_t) run);
    else if (v2v_io_pread (m->io, buf, (size_t) run, at[i] + skip, err) == -1)
      return -1;
    buf += run;
    len -= (size_t) run;
    offset += run;
    i += k;
  }
  return 0;
}

int
vmdk_map_read (struct vmdk_map *m, void *vbuf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  uint8_t *buf = vbuf;
  uint64_t at[BATCH];

  if (m->compressed)
    return vmdk_inflate_read (m, buf, len, offset, err);
  while (len > 0) {
    const uint64_t grain = offset / m->grain_bytes;
    const uint64_t last = (offset + len - 1) / m->grain_bytes;
    const size_t n = (size_t) v2v_min_u64 (BATCH, last - grain + 1);
    const size_t k =
        (size_t) v2v_min_u64 (len, (grain + n) * m->grain_bytes - offset);

    if (vmdk_map_entries (m, grain, n, at, err) == -1 ||
        read_batch (m, buf, k, offset, at, n, err) == -1)
      return -1;
    buf += k;
    offset += k;
    len -= k;
  }
  return 0;
}

int
vmdk_map_locate (struct vmdk_map *m, uint64_t offset, struct v2v_run *ret,
                 struct v2v_error **err)
{
  uint64_t at[BATCH];
  const uint64_t grain = offset / m->grain_bytes;
  const uint64_t nr_grains = v2v_div_up (m->size_bytes, m->grain_bytes);
  const size_t n = (size_t) v2v_min_u64 (BATCH, nr_grains - grain);
  const uint64_t skip = offset % m->grain_bytes;
  uint64_t len;
  size_t k = 1;

  if (m->compressed)
    return 1;
  if (vmdk_map_entries (m, grain, n, at, err) == -1)
    return -1;
  if (at[0] <= VMDK_AT_ZERO)
    return 1;
  while (k < n && at[k] == at[0] + k * m->grain_bytes)
    k++;
  /* The last grain may be cut, in the disk and in the file. */
  len =
      v2v_min_u64 (k * m->grain_bytes, m->size_bytes - grain * m->grain_bytes);
  *ret = (struct v2v_run){ m->io, at[0] + skip, len - skip };
  return 0;
}
