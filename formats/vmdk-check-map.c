/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check, one extent with tables: every entry of every table, both copies
 * where there are two, every sector of the file claimed by at most one owner,
 * every compressed grain inflated.
 *
 * Repair is restoring one copy of a table from the other, and the flag that
 * says that the disk was not closed.  Nothing else is touched.  A table that
 * has lost its place is written anew at the end of the file, and the directory
 * entry changed after it is safe: at any kill the old state or the new.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-check.h"

/* One bit for each sector: 512 MiB at worst, touched as far as it is used. */
#define MAX_CLAIMED_SECTORS (UINT64_C (1) << 32)

struct map_check {
  const struct vmdk_checker *c;
  struct vmdk_map *m;
  const struct vmdk_header *h; /* hosted sparse, else NULL */
  uint8_t *claimed;            /* NULL: too large */
  uint64_t nr_sectors;
  uint32_t *rgd; /* the redundant directory, or NULL */
  /* Sectors ahead of the first grain that a directory entry names as the
   * place of a table, and those that two of them name. */
  uint8_t *named;
  uint8_t *contested;
  bool lost; /* damage that was not repaired */
  /* What is known of the file around the tables and around their copies. */
  struct file_run {
    uint64_t from, to;
    bool hole;
  } around[2];
};

/* How far one question about holes looks: far beyond a table, and the answer
 * stays small. */
#define HOLE_WINDOW (UINT64_C (64) << 20)

/* Does [at, at+len-1] of the file lie in a hole?  VMware preallocates the
 * tables: those of an empty disk of 62 TiB are 8 GiB of holes, which need not
 * be read 2 KiB at a time. */
static bool
in_hole (struct map_check *k, unsigned which, uint64_t at, uint64_t len)
{
  struct file_run *run = &k->around[which];

  if (at < run->from || at >= run->to) {
    CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
    const uint64_t size = v2v_io_size (k->m->io);

    if (at >= size ||
        v2v_io_extents (k->m->io, v2v_min_u64 (HOLE_WINDOW, size - at), at,
                        &list, NULL) == -1)
      return false;
    run->from = at;
    run->to = at + list.ptr[0].length;
    run->hole = list.ptr[0].type != V2V_EXTENT_DATA;
  }
  return run->hole && len <= run->to - at &&
         !vmdk_map_in_metadata (k->m, at, len);
}

/* Claim [start, start+len-1] of the file; false if someone else has a part of
 * it. */
static bool
claim (struct map_check *k, uint64_t start, uint64_t len)
{
  const uint64_t first = start / VMDK_SECTOR;
  const uint64_t end =
      v2v_min_u64 (v2v_div_up (start + len, VMDK_SECTOR), k->nr_sectors);
  bool alone = true;

  if (k->claimed == NULL)
    return true;
  for (uint64_t s = first; s < end; ++s) {
    if (k->claimed[s / 8] & 1u << s % 8)
      alone = false;
    k->claimed[s / 8] |= (uint8_t) (1u << s % 8);
  }
  return alone;
}

static bool
is_claimed (const struct map_check *k, uint64_t sector)
{
  return k->claimed[sector / 8] & 1u << sector % 8;
}

/* ---- two copies of a table ---- */

/* One of the two. */
struct copy {
  uint32_t gde;       /* its directory entry */
  uint64_t directory; /* where the directory is */
  uint8_t *buf;       /* the table; zeros if GDE is 0 */
  bool good;
  struct v2v_error *why; /* not good */
};

static int
load_copy (struct map_check *k, uint32_t gdi, unsigned which, struct copy *copy,
           struct v2v_error **err)
{
  copy->good = true;
  memset (copy->buf, 0, vmdk_map_table_bytes (k->m));
  if (copy->gde == 0 || in_hole (k, which, vmdk_map_table_at (k->m, copy->gde),
                                 vmdk_map_table_bytes (k->m)))
    return 0;
  if (vmdk_map_load_table (k->m, gdi, copy->gde, copy->buf, &copy->why) == 0)
    return 0;
  copy->good = false;
  if (v2v_error_code (copy->why) == V2V_ERR_NOMEM)
    return v2v_error_move (err, STEAL (copy->why));
  return 0;
}

/* Can the table of COPY be written where its directory entry says?  The entry
 * itself may be what is damaged: only ahead of the grains, and only where no
 * other table is said to be. */
static bool
has_place (const struct map_check *k, const struct copy *copy)
{
  const uint64_t at = vmdk_map_table_at (k->m, copy->gde);
  const size_t len = vmdk_map_table_bytes (k->m);

  if (copy->gde == 0 || !v2v_range_inside (at, len, v2v_io_size (k->m->io)) ||
      at + len > k->h->overhead * VMDK_SECTOR ||
      vmdk_map_in_metadata (k->m, at, len))
    return false;
  for (uint64_t s = at / VMDK_SECTOR; s < (at + len) / VMDK_SECTOR; ++s)
    if (k->contested[s / 8] & 1u << s % 8)
      return false;
  return true;
}

/* Remember which sectors the N entries of a directory name. */
static void
name_places (struct map_check *k, const uint32_t *gd)
{
  const uint64_t len = vmdk_map_table_bytes (k->m) / VMDK_SECTOR;

  for (uint32_t i = 0; i < k->m->nr_gds; ++i)
    for (uint64_t s = gd[i];
         gd[i] != 0 && s < gd[i] + len && s < k->h->overhead; ++s) {
      if (k->named[s / 8] & 1u << s % 8)
        k->contested[s / 8] |= (uint8_t) (1u << s % 8);
      k->named[s / 8] |= (uint8_t) (1u << s % 8);
    }
}

/* Write FROM as the table of COPY. */
static int
restore (struct map_check *k, uint32_t gdi, struct copy *copy,
         const uint8_t *from, struct v2v_error **err)
{
  struct v2v_io *io = k->m->io;
  uint8_t gde[4];
  uint64_t at;

  if (has_place (k, copy)) {
    at = vmdk_map_table_at (k->m, copy->gde);
    if (v2v_io_pwrite (io, from, vmdk_map_table_bytes (k->m), at, err) == -1)
      return -1;
  }
  else {
    at = v2v_div_up (v2v_io_size (io), VMDK_SECTOR);
    if (at > UINT32_MAX)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "no room for a grain table below 2 TiB");
    if (v2v_io_pwrite (io, from, vmdk_map_table_bytes (k->m), at * VMDK_SECTOR,
                       err) == -1 ||
        v2v_io_sync (io, err) == -1)
      return -1;
    copy->gde = (uint32_t) at;
    v2v_put_le32 (gde, copy->gde);
    if (v2v_io_pwrite (io, gde, sizeof gde,
                       copy->directory + (uint64_t) gdi * 4, err) == -1)
      return -1;
  }
  if (v2v_io_sync (io, err) == -1)
    return -1;
  memcpy (copy->buf, from, vmdk_map_table_bytes (k->m));
  copy->good = true;
  return 0;
}

/* Two good copies that differ: where only one has a grain, the other was not
 * yet written when the writer stopped.  False if they contradict. */
static bool
merge (const struct map_check *k, const uint8_t *a, const uint8_t *b,
       uint8_t *out)
{
  for (size_t i = 0; i < vmdk_map_table_bytes (k->m); i += 4) {
    const uint32_t x = v2v_le32 (a + i), y = v2v_le32 (b + i);

    if (x != 0 && y != 0 && x != y)
      return false;
    v2v_put_le32 (out + i, x != 0 ? x : y);
  }
  return true;
}

static int
differing_copies (struct map_check *k, uint32_t gdi, struct copy *primary,
                  struct copy *redundant, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *merged = malloc (vmdk_map_table_bytes (k->m));
  bool repaired = false;

  if (merged == NULL)
    return v2v_fail_nomem (err);
  if (k->c->repair && (primary->gde == 0 || has_place (k, primary)) &&
      (redundant->gde == 0 || has_place (k, redundant)) &&
      merge (k, primary->buf, redundant->buf, merged)) {
    if (restore (k, gdi, primary, merged, err) == -1 ||
        restore (k, gdi, redundant, merged, err) == -1)
      return -1;
    repaired = true;
  }
  k->lost |= !repaired;
  return vmdk_check_add (
      k->c, V2V_CHECK_DAMAGE, repaired, "vmdk.table.mismatch", err,
      "grain table %" PRIu32 " differs from its redundant copy", gdi);
}

/* Bring the two copies to agree, and say what was wrong. */
static int
judge_copies (struct map_check *k, uint32_t gdi, struct copy *primary,
              struct copy *redundant, struct v2v_error **err)
{
  struct copy *bad = primary->good ? redundant : primary;
  const struct copy *good = primary->good ? primary : redundant;
  bool repaired = false;

  if (primary->good && redundant->good)
    return memcmp (primary->buf, redundant->buf, vmdk_map_table_bytes (k->m)) ==
                   0
               ? 0
               : differing_copies (k, gdi, primary, redundant, err);
  if (!good->good) {
    k->lost = true;
    return vmdk_check_add (k->c, V2V_CHECK_DAMAGE, false, "vmdk.table.lost",
                           err, "%s; its redundant copy is damaged too",
                           v2v_error_message (primary->why));
  }
  if (k->c->repair) {
    if (restore (k, gdi, bad, good->buf, err) == -1)
      return -1;
    repaired = true;
  }
  k->lost |= !repaired;
  return vmdk_check_add (
      k->c, V2V_CHECK_DAMAGE, repaired,
      bad == primary ? "vmdk.table.primary" : "vmdk.table.redundant", err,
      "%s%s", bad == redundant ? "redundant copy: " : "",
      v2v_error_message (bad->why));
}

/* ---- grains ---- */

static int
check_record (struct map_check *k, uint64_t grain, uint64_t at, uint8_t *out,
              struct v2v_error **err)
{
  struct vmdk_map *m = k->m;
  uint64_t most = VMDK_M_GRAIN_DATA + VMDK_MAX_COMPRESSED (m->grain_bytes);
  CLEANUP_FREE uint8_t *record = NULL;
  struct v2v_error *e = NULL;
  uint8_t head[VMDK_M_GRAIN_DATA];

  if (v2v_io_pread (m->io, head, sizeof head, at, err) == -1)
    return -1;
  most = v2v_min_u64 (most, VMDK_M_GRAIN_DATA +
                                (uint64_t) v2v_le32 (head + VMDK_M_SIZE));
  most = v2v_min_u64 (most, v2v_io_size (m->io) - at);
  record = malloc ((size_t) most);
  if (record == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (m->io, record, (size_t) most, at, err) == -1)
    return -1;
  if (!claim (k, at, most) &&
      vmdk_check_add (
          k->c, V2V_CHECK_DAMAGE, false, "vmdk.grain.overlap", err,
          "grain at sector %" PRIu64 ": its record at sector %" PRIu64
          " overlaps something else",
          grain * (m->grain_bytes / VMDK_SECTOR), at / VMDK_SECTOR) == -1)
    return -1;
  if (vmdk_inflate_record (m, grain, record, (size_t) most, out,
                           (size_t) m->grain_bytes, &e) == -1)
    return vmdk_check_add_error (k->c, "vmdk.grain.damaged", e, err);
  return 0;
}

static int
check_grains (struct map_check *k, uint32_t gdi, const uint8_t *table,
              uint8_t *scratch, struct v2v_error **err)
{
  struct vmdk_map *m = k->m;
  const uint64_t nr_grains = v2v_div_up (m->size_bytes, m->grain_bytes);

  if (v2v_is_zero (table, vmdk_map_table_bytes (m)))
    return 0; /* no grain, in every kind of table */
  for (uint32_t i = 0; i < m->nr_gtes; ++i) {
    const uint64_t grain = (uint64_t) gdi * m->nr_gtes + i;
    uint64_t at = 0;

    if (grain >= nr_grains)
      break;
    if (m->entry (m, table + (size_t) i * m->entry_bytes, &at) == -1 ||
        at == VMDK_AT_ABSENT)
      continue;
    k->c->report->nr_blocks++;
    if (at == VMDK_AT_ZERO)
      continue;
    if (m->compressed) {
      if (check_record (k, grain, at, scratch, err) == -1)
        return -1;
    }
    else if (!claim (k, at, vmdk_map_grain_length (m, grain))) {
      k->lost = true;
      if (vmdk_check_add (
              k->c, V2V_CHECK_DAMAGE, false, "vmdk.grain.overlap", err,
              "grain table %" PRIu32 ": entry %" PRIu32
              " points at sector %" PRIu64 ", which belongs to something else",
              gdi, i, at / VMDK_SECTOR) == -1)
        return -1;
    }
  }
  return 0;
}

/* ---- all tables ---- */

static int
claim_table (struct map_check *k, uint32_t gdi, uint32_t gde, bool redundant,
             struct v2v_error **err)
{
  const uint64_t at = vmdk_map_table_at (k->m, gde);

  if (gde == 0 || claim (k, at, vmdk_map_table_bytes (k->m)))
    return 0;
  k->lost = true;
  return vmdk_check_add (
      k->c, V2V_CHECK_DAMAGE, false, "vmdk.table.overlap", err,
      "%sgrain table %" PRIu32 " at sector %" PRIu64 " overlaps something else",
      redundant ? "redundant " : "", gdi, at / VMDK_SECTOR);
}

/* Pass 1: agree on the tables, claim their places. */
static int
check_table (struct map_check *k, uint32_t gdi, uint8_t *buf,
             struct v2v_error **err)
{
  struct vmdk_map *m = k->m;
  const size_t bytes = vmdk_map_table_bytes (m);
  struct copy primary = { .gde = m->gd[gdi], .buf = buf };
  struct copy redundant = { .buf = buf + bytes };
  int r;

  if (k->rgd != NULL) {
    primary.directory = k->h->gd_offset * VMDK_SECTOR;
    redundant.directory = m->rgd_offset;
    redundant.gde = k->rgd[gdi];
  }
  if (primary.gde == 0 && redundant.gde == 0)
    return 0;
  r = load_copy (k, gdi, 0, &primary, err);
  if (r == 0 && k->rgd != NULL)
    r = load_copy (k, gdi, 1, &redundant, err);
  if (r == 0 && k->rgd != NULL)
    r = judge_copies (k, gdi, &primary, &redundant, err);
  else if (r == 0 && !primary.good) {
    k->lost = true;
    r = vmdk_check_add (k->c, V2V_CHECK_DAMAGE, false, "vmdk.table.lost", err,
                        "%s", v2v_error_message (primary.why));
  }
  v2v_error_free (primary.why);
  v2v_error_free (redundant.why);
  if (r == -1)
    return -1;

  /* For pass 2: the copy that is good, or none. */
  m->gd[gdi] = primary.good ? primary.gde : redundant.good ? redundant.gde : 0;
  if (primary.good && claim_table (k, gdi, primary.gde, false, err) == -1)
    return -1;
  if (k->rgd != NULL && redundant.good &&
      claim_table (k, gdi, redundant.gde, true, err) == -1)
    return -1;
  return 0;
}

static int
check_tables (struct map_check *k, struct v2v_error **err)
{
  struct vmdk_map *m = k->m;
  CLEANUP_FREE uint8_t *buf = malloc (2 * vmdk_map_table_bytes (m));
  CLEANUP_FREE uint8_t *scratch =
      m->compressed ? malloc ((size_t) m->grain_bytes) : NULL;
  struct v2v_error *e = NULL;

  if (buf == NULL || (m->compressed && scratch == NULL))
    return v2v_fail_nomem (err);
  for (uint32_t i = 0; i < m->nr_gds; ++i)
    if (check_table (k, i, buf, err) == -1)
      return -1;
  for (uint32_t i = 0; i < m->nr_gds; ++i) {
    if (m->gd[i] == 0 || in_hole (k, 0, vmdk_map_table_at (m, m->gd[i]),
                                  vmdk_map_table_bytes (m)))
      continue;
    if (vmdk_map_load_table (m, i, m->gd[i], buf, &e) == -1)
      return v2v_error_move (err, e); /* it was good a moment ago */
    if (check_grains (k, i, buf, scratch, err) == -1)
      return -1;
  }
  k->c->report->nr_blocks_total += v2v_div_up (m->size_bytes, m->grain_bytes);
  return 0;
}

/* ---- what nobody claims ---- */

/* A sector between the records of a stream: a marker of metadata, whose
 * sectors are claimed by the tables, or padding. */
static bool
is_stream_metadata (const uint8_t *p)
{
  return v2v_is_zero (p, VMDK_SECTOR) ||
         (v2v_le32 (p + VMDK_M_SIZE) == 0 &&
          v2v_le32 (p + VMDK_M_TYPE) <= VMDK_MARKER_PROGRESS) ||
         v2v_le32 (p) == VMDK_MAGIC; /* the footer */
}

static int
count_orphans (struct map_check *k, uint64_t *ret, struct v2v_error **err)
{
  const uint64_t grain = k->m->grain_bytes / VMDK_SECTOR;
  uint64_t n = 0, run = 0;

  for (uint64_t s = k->h->overhead; s < k->nr_sectors; ++s) {
    uint8_t p[VMDK_SECTOR];

    if (k->claimed[s / 8] == 0xff && s % 8 == 0) { /* the usual case */
      n += run >= grain ? run : 0;
      run = 0;
      s += 7;
      continue;
    }
    if (is_claimed (k, s)) {
      n += run >= grain ? run : 0;
      run = 0;
      continue;
    }
    if (!k->m->compressed) {
      run++; /* less than a grain is padding */
      continue;
    }
    if (v2v_io_pread (k->m->io, p, sizeof p, s * VMDK_SECTOR, err) == -1)
      return -1;
    n += !is_stream_metadata (p);
  }
  *ret = n + (run >= grain ? run : 0);
  return 0;
}

static int
check_orphans (struct map_check *k, struct v2v_error **err)
{
  uint64_t n = 0;

  /* With a table lost, its grains are not orphans. */
  if (k->h == NULL || k->claimed == NULL || k->lost)
    return 0;
  if (count_orphans (k, &n, err) == -1)
    return -1;
  if (n == 0)
    return 0;
  return vmdk_check_add (k->c, V2V_CHECK_LEAK, false, "vmdk.grain.orphan", err,
                         "%" PRIu64 " bytes of the file belong to no grain",
                         n * VMDK_SECTOR);
}

/* ---- the header's flag ---- */

static int
check_unclean (struct map_check *k, struct v2v_error **err)
{
  static const uint8_t clean = 0;
  bool repaired = false;

  if (k->h == NULL || k->h->unclean_shutdown == 0)
    return 0;
  /* Not while the tables are in doubt: the flag is what warns of it. */
  if (k->c->repair && !k->lost && !k->m->compressed) {
    if (v2v_io_pwrite (k->m->io, &clean, 1, VMDK_H_UNCLEAN, err) == -1 ||
        v2v_io_sync (k->m->io, err) == -1)
      return -1;
    repaired = true;
  }
  return vmdk_check_add (k->c, V2V_CHECK_DAMAGE, repaired,
                         "vmdk.header.unclean", err,
                         "header: the disk was not closed cleanly");
}

static int
prepare (struct map_check *k, struct v2v_error **err)
{
  struct vmdk_map *m = k->m;

  k->nr_sectors = v2v_div_up (v2v_io_size (m->io), VMDK_SECTOR);
  if (k->nr_sectors <= MAX_CLAIMED_SECTORS) {
    k->claimed = calloc (1, (size_t) (k->nr_sectors / 8 + 1));
    if (k->claimed == NULL)
      return v2v_fail_nomem (err);
  }
  else if (vmdk_check_add (k->c, V2V_CHECK_NOTE, false, "vmdk.grain.unchecked",
                           err,
                           "the file is too large to look for grains that "
                           "overlap") == -1)
    return -1;
  for (size_t i = 0; i < m->nr_metadata; ++i)
    claim (k, m->metadata[i].start, m->metadata[i].end - m->metadata[i].start);
  if (k->h == NULL || m->rgd_offset == 0)
    return 0;
  k->rgd = calloc (m->nr_gds, sizeof k->rgd[0]);
  if (k->rgd == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (m->io, k->rgd, (size_t) m->nr_gds * 4, m->rgd_offset,
                    err) == -1)
    return -1;
  for (uint32_t i = 0; i < m->nr_gds; ++i)
    k->rgd[i] = v2v_le32 (&k->rgd[i]);
  /* The header's overhead is inside the file: vmdk_header_read. */
  k->named = calloc (1, (size_t) (k->h->overhead / 8 + 1));
  k->contested = calloc (1, (size_t) (k->h->overhead / 8 + 1));
  if (k->named == NULL || k->contested == NULL)
    return v2v_fail_nomem (err);
  name_places (k, m->gd);
  name_places (k, k->rgd);
  return 0;
}

int
vmdk_check_map (const struct vmdk_checker *c, struct vmdk_map *m,
                const struct vmdk_header *h, struct v2v_error **err)
{
  struct map_check k = { .c = c, .m = m, .h = h };
  int r = -1;

  if (prepare (&k, err) == 0 && check_tables (&k, err) == 0 &&
      check_orphans (&k, err) == 0 && check_unclean (&k, err) == 0)
    r = 0;
  free (k.claimed);
  free (k.rgd);
  free (k.named);
  free (k.contested);
  return r;
}
