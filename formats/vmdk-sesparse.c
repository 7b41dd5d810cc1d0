/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seSparse extents ("space-efficient sparse"): every snapshot on VMFS6.  Not
 * published by VMware; after qemu's block/vmdk.c and dissect.hypervisor, which
 * agree but for two points:
 *  - an entry of type 1 (unmapped by the guest) reads as zeros (qemu), not as
 *    the parent (dissect): a guest must not see old data come back;
 *  - the volatile header's magic is 0xcafecafe (qemu).
 * Not read: a journal to be replayed (its form is not known).
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-internal.h"

/* Constant header: u64 fields by number. */
enum se_field {
  SE_MAGIC,
  SE_VERSION,
  SE_CAPACITY,
  SE_GRAIN_SIZE,
  SE_TABLE_SIZE,
  SE_FLAGS,
  SE_RESERVED1,
  SE_RESERVED4 = SE_RESERVED1 + 3,
  SE_VOLATILE_OFFSET,
  SE_VOLATILE_SIZE,
  SE_JOURNAL_HEADER_OFFSET,
  SE_JOURNAL_HEADER_SIZE,
  SE_JOURNAL_OFFSET,
  SE_JOURNAL_SIZE,
  SE_GD_OFFSET,
  SE_GD_SIZE,
  SE_GT_OFFSET,
  SE_GT_SIZE,
  SE_FREE_BITMAP_OFFSET,
  SE_FREE_BITMAP_SIZE,
  SE_BACK_MAP_OFFSET,
  SE_BACK_MAP_SIZE,
  SE_GRAINS_OFFSET,
  SE_GRAINS_SIZE,
  SE_NR_FIELDS,
};
static_assert (SE_NR_FIELDS * 8 == 208, "padding begins at byte 208");

static uint64_t
field (const uint8_t *p, enum se_field f)
{
  return v2v_le64 (p + 8 * (size_t) f);
}

static int
se_entry (const struct vmdk_map *m, const uint8_t *p, uint64_t *ret)
{
  const uint64_t e = v2v_le64 (p);
  uint64_t grain, at;

  switch (e >> 60) {
  case 0:
    if (e != 0)
      return -1;
    *ret = VMDK_AT_ABSENT;
    return 0;
  case 1: /* unmapped by the guest */
  case 2: /* zeroed */
    *ret = VMDK_AT_ZERO;
    return 0;
  case 3:
    grain = (e & UINT64_C (0x0fff000000000000)) >> 48 |
            (e & UINT64_C (0x0000ffffffffffff)) << 12;
    if (!v2v_mul_u64 (grain, VMDK_SE_GRAIN_SECTORS * VMDK_SECTOR, &at) ||
        !v2v_add_u64 (at, m->grains_start, &at))
      return -1;
    *ret = at;
    return 0;
  default:
    return -1;
  }
}

struct fixed {
  enum se_field field;
  const char *name;
  uint64_t value;
};

/* What the format leaves no choice for. */
static int
check_fixed (struct vmdk_map *m, const uint8_t *p, struct v2v_error **err)
{
  static const struct fixed fixed[] = {
    { SE_MAGIC, "magic", VMDK_SE_MAGIC },
    { SE_VERSION, "version", VMDK_SE_VERSION },
    { SE_GRAIN_SIZE, "grain size", VMDK_SE_GRAIN_SECTORS },
    { SE_TABLE_SIZE, "grain table size", VMDK_SE_TABLE_SECTORS },
    { SE_FLAGS, "flags", 0 },
    { SE_RESERVED1, "reserved field", 0 },
    { SE_RESERVED1 + 1, "reserved field", 0 },
    { SE_RESERVED1 + 2, "reserved field", 0 },
    { SE_RESERVED4, "reserved field", 0 },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fixed); ++i)
    if (field (p, fixed[i].field) != fixed[i].value)
      return vmdk_map_fail (
          m, err, "seSparse header: %s is 0x%" PRIx64 ", expected 0x%" PRIx64,
          fixed[i].name, field (p, fixed[i].field), fixed[i].value);
  if (!v2v_is_zero (p + 8 * SE_NR_FIELDS, VMDK_SECTOR - 8 * SE_NR_FIELDS))
    return vmdk_map_fail (m, err, "seSparse header: padding is not zero");
  return 0;
}

/* A region's start in bytes; it must be inside the file. */
static int
region (struct vmdk_map *m, const uint8_t *p, enum se_field f, const char *name,
        uint64_t need, uint64_t *ret, struct v2v_error **err)
{
  uint64_t start;

  if (field (p, f) == 0 || !v2v_mul_u64 (field (p, f), VMDK_SECTOR, &start) ||
      !v2v_range_inside (start, need, v2v_io_size (m->io)))
    return vmdk_map_fail (m, err,
                          "seSparse header: %s at sector %" PRIu64
                          ", past the end of the file (%" PRIu64 ")",
                          name, field (p, f),
                          v2v_io_size (m->io) / VMDK_SECTOR);
  *ret = start;
  return 0;
}

static int
check_volatile (struct vmdk_map *m, uint64_t at, struct v2v_error **err)
{
  uint8_t p[VMDK_SECTOR];

  if (v2v_io_pread (m->io, p, sizeof p, at, err) == -1)
    return -1;
  if (v2v_le64 (p) != VMDK_SE_VOLATILE_MAGIC)
    return vmdk_map_fail (m, err,
                          "seSparse volatile header: magic 0x%" PRIx64
                          ", expected 0x%" PRIx64,
                          v2v_le64 (p), VMDK_SE_VOLATILE_MAGIC);
  if (v2v_le64 (p + 24) != 0) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s%sseSparse volatile header: the journal must be replayed "
              "(replayJournal %" PRIu64 "), whose form is not published",
              m->name ? m->name : "", m->name ? ": " : "", v2v_le64 (p + 24));
    return v2v_hint (err, "start the machine once on its host, or consolidate "
                          "its snapshots there, and shut it down");
  }
  if (!v2v_is_zero (p + 32, sizeof p - 32))
    return vmdk_map_fail (m, err,
                          "seSparse volatile header: padding is not zero");
  return 0;
}

/* Directory entries: eight bytes on disk, index + 1 in memory. */
static int
load_directory (struct vmdk_map *m, uint64_t gd, struct v2v_error **err)
{
  const size_t step = 8 * 1024;
  CLEANUP_FREE uint8_t *buf = malloc (step * 8);

  if (buf == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < m->nr_gds; i += step) {
    const size_t n = (size_t) v2v_min_u64 (step, m->nr_gds - i);

    if (v2v_io_pread (m->io, buf, n * 8, gd + i * 8, err) == -1)
      return -1;
    for (size_t k = 0; k < n; ++k) {
      const uint64_t e = v2v_le64 (buf + 8 * k);

      if (e == 0)
        continue;
      if (e >> 32 != VMDK_SE_GDE_PREFIX || (uint32_t) e == UINT32_MAX)
        return vmdk_map_fail (m, err,
                              "seSparse grain directory: entry %" PRIu64
                              " is 0x%" PRIx64
                              ", expected 0 or 0x10000000 and a table number",
                              i + k, e);
      m->gd[i + k] = (uint32_t) e + 1;
    }
  }
  return 0;
}

static int
sesparse_load (struct vmdk_map *m, struct v2v_error **err)
{
  const uint64_t table_bytes = VMDK_SE_TABLE_SECTORS * VMDK_SECTOR;
  uint8_t p[VMDK_SECTOR];
  uint64_t capacity, volatile_at = 0, gd = 0, tables = 0, gd_bytes;

  if (v2v_io_size (m->io) < sizeof p)
    return vmdk_map_fail (
        m, err, "seSparse header: the file has %" PRIu64 " bytes, expected %d",
        v2v_io_size (m->io), VMDK_SECTOR);
  if (v2v_io_pread (m->io, p, sizeof p, 0, err) == -1 ||
      check_fixed (m, p, err) == -1)
    return -1;
  capacity = field (p, SE_CAPACITY);
  if (capacity == 0 || capacity > VMDK_MAX_DISK_BYTES / VMDK_SECTOR)
    return vmdk_map_fail (m, err,
                          "seSparse header: capacity of %" PRIu64
                          " sectors, expected 1..%" PRIu64,
                          capacity, VMDK_MAX_DISK_BYTES / VMDK_SECTOR);
  m->size_bytes = capacity * VMDK_SECTOR;
  m->grain_bytes = VMDK_SE_GRAIN_SECTORS * VMDK_SECTOR;
  m->nr_gtes = VMDK_SE_GTES;
  m->entry_bytes = 8;
  m->nr_gds =
      (uint32_t) v2v_div_up (m->size_bytes, VMDK_SE_GTES * m->grain_bytes);
  m->entry = se_entry;
  gd_bytes = (uint64_t) m->nr_gds * 8;

  if (region (m, p, SE_VOLATILE_OFFSET, "volatile header", VMDK_SECTOR,
              &volatile_at, err) == -1 ||
      check_volatile (m, volatile_at, err) == -1 ||
      region (m, p, SE_GD_OFFSET, "grain directory", gd_bytes, &gd, err) ==
          -1 ||
      region (m, p, SE_GT_OFFSET, "grain tables", 0, &tables, err) == -1 ||
      region (m, p, SE_GRAINS_OFFSET, "grains", 0, &m->grains_start, err) == -1)
    return -1;
  if (field (p, SE_GD_SIZE) < v2v_div_up (gd_bytes, VMDK_SECTOR))
    return vmdk_map_fail (m, err,
                          "seSparse header: grain directory of "
                          "%" PRIu64 " sectors, the disk needs %" PRIu64,
                          field (p, SE_GD_SIZE),
                          v2v_div_up (gd_bytes, VMDK_SECTOR));
  /* Entry V in memory is the index plus one.  Should the tables begin before
   * 32 KiB this wraps, and wraps back when V is added. */
  m->table_unit = table_bytes;
  m->table_base = tables - table_bytes;
  vmdk_map_add_metadata (m, 0, VMDK_SECTOR);
  vmdk_map_add_metadata (m, volatile_at, VMDK_SECTOR);
  vmdk_map_add_metadata (m, gd, gd_bytes);
  if (vmdk_map_allocate (m, err) == -1)
    return -1;
  return load_directory (m, gd, err);
}

struct vmdk_map *
vmdk_sesparse_open (struct v2v_io *io, struct vmdk_cache *cache,
                    const char *name, struct v2v_error **err)
{
  struct vmdk_map *m = vmdk_map_new (io, cache, name, err);

  if (m != NULL && sesparse_load (m, err) == -1) {
    vmdk_map_free (m);
    return NULL;
  }
  return m;
}
