/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Partition tables.
 *
 * Sources: UEFI Specification 2.10, sections 5.2 and 5.3; GUIDs of dynamic
 * disks and Storage Spaces in Microsoft's PARTITION_INFORMATION_GPT.  Which
 * table is in use is evidence.c's judgement; here its entries are listed.
 * Logical partitions are numbered as Linux does: from 5, in the order of the
 * chain.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/vector.h"
#include "inject/partitions.h"

#define MBR_TABLE     446
#define MBR_ENTRY     16
#define MBR_TYPE_GPT  0xee
#define MBR_TYPE_LDM  0x42
#define GPT_MAX_ENTRY 4096
#define FIRST_LOGICAL 5
/* Steps along the chain, whether they hold a partition or not. */
#define MAX_LOGICAL 1024
/* What evidence.c accepts. */
#define GPT_MAX_ENTRIES 1024

struct table {
  struct v2v_image *img;
  uint64_t size;
  uint32_t sector;
  struct v2v_partitions *out;
};

void
v2v_partitions_clear (struct v2v_partitions *p)
{
  free (p->ptr);
  memset (p, 0, sizeof *p);
}

static int
add (struct table *t, const struct v2v_partition *part, struct v2v_error **err)
{
  struct v2v_partitions *out = t->out;

  if (out->len == V2V_MAX_PARTITIONS || part->offset >= t->size ||
      part->length == 0)
    return 0;
  if (out->len == out->cap) {
    const size_t cap = out->cap * 2 + 8;
    struct v2v_partition *p = reallocarray (out->ptr, cap, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    out->ptr = p;
    out->cap = cap;
  }
  out->ptr[out->len] = *part;
  if (part->length > t->size - part->offset) {
    out->ptr[out->len].length = t->size - part->offset;
    out->ptr[out->len].cut_off = true;
  }
  out->len++;
  return 0;
}

/* 1 = read, 0 = not inside the disk. */
static int
read_at (const struct table *t, void *buf, size_t len, uint64_t offset,
         struct v2v_error **err)
{
  if (!v2v_range_inside (offset, len, t->size))
    return 0;
  return v2v_image_read (t->img, buf, len, offset, err) == -1 ? -1 : 1;
}

/* ---- GPT ---- */

static int
add_gpt_entries (struct table *t, const uint8_t *entries, uint32_t nr,
                 uint32_t size, struct v2v_error **err)
{
  for (uint32_t i = 0; i < nr; ++i) {
    const uint8_t *e = entries + (size_t) i * size;
    const uint64_t first = v2v_le64 (e + 32), last = v2v_le64 (e + 40);
    struct v2v_partition p = { .number = i + 1,
                               .type = v2v_guid_from_mixed (e),
                               .uuid = v2v_guid_from_mixed (e + 16) };

    if (v2v_guid_is_zero (&p.type) || first > last || last == UINT64_MAX ||
        !v2v_mul_u64 (first, t->sector, &p.offset) ||
        !v2v_mul_u64 (last - first + 1, t->sector, &p.length))
      continue;
    if (add (t, &p, err) == -1)
      return -1;
  }
  return 0;
}

/* 1 = the header at LBA was one.  Its checksums are evidence.c's matter. */
static int
try_gpt (struct table *t, uint64_t lba, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *entries = NULL;
  uint8_t h[512];
  uint64_t at;
  uint32_t nr, size;
  int r = read_at (t, h, sizeof h, lba * t->sector, err);

  if (r <= 0)
    return r;
  nr = v2v_le32 (h + 80);
  size = v2v_le32 (h + 84);
  if (memcmp (h, "EFI PART", 8) != 0 || v2v_le64 (h + 24) != lba || nr == 0 ||
      nr > GPT_MAX_ENTRIES || size < 128 || size > GPT_MAX_ENTRY ||
      !v2v_mul_u64 (v2v_le64 (h + 72), t->sector, &at))
    return 0;
  entries = malloc ((size_t) nr * size);
  if (entries == NULL)
    return v2v_fail_nomem (err);
  r = read_at (t, entries, (size_t) nr * size, at, err);
  if (r <= 0)
    return r;
  return add_gpt_entries (t, entries, nr, size, err) == -1 ? -1 : 1;
}

static int
list_gpt (struct table *t, struct v2v_error **err)
{
  int r = try_gpt (t, 1, err);

  if (r == 0 && t->size / t->sector > 2)
    r = try_gpt (t, t->size / t->sector - 1, err);
  return r == -1 ? -1 : 0;
}

/* ---- MBR ---- */

static bool
is_extended (uint8_t type)
{
  return type == 0x05 || type == 0x0f || type == 0x85;
}

/* The chain of extended boot records from FIRST (sectors).  Its links are
 * relative to FIRST and, in a chain that ends, each leads further. */
static int
list_logical (struct table *t, uint64_t first, struct v2v_error **err)
{
  uint64_t at = first;
  unsigned number = FIRST_LOGICAL;

  for (unsigned i = 0; i < MAX_LOGICAL && t->out->len < V2V_MAX_PARTITIONS;
       ++i) {
    uint8_t sector[512];
    const uint8_t *e = sector + MBR_TABLE, *link = e + MBR_ENTRY;
    const int r = read_at (t, sector, sizeof sector, at * t->sector, err);

    if (r == -1)
      return -1;
    if (r == 0 || v2v_le16 (sector + 510) != 0xaa55)
      return 0;
    if (e[4] != 0 && !is_extended (e[4])) {
      const struct v2v_partition p = {
        .number = number++,
        .offset = (at + v2v_le32 (e + 8)) * t->sector,
        .length = (uint64_t) v2v_le32 (e + 12) * t->sector,
        .mbr_type = e[4],
      };

      if (add (t, &p, err) == -1)
        return -1;
    }
    if (!is_extended (link[4]) || first + v2v_le32 (link + 8) <= at)
      return 0;
    at = first + v2v_le32 (link + 8);
  }
  return 0;
}

static int
list_mbr (struct table *t, struct v2v_error **err)
{
  uint8_t sector[512];
  const int r = read_at (t, sector, sizeof sector, 0, err);

  if (r <= 0)
    return r;
  for (unsigned i = 0; i < 4; ++i) {
    const uint8_t *e = sector + MBR_TABLE + (size_t) i * MBR_ENTRY;
    const struct v2v_partition p = {
      .number = i + 1,
      .offset = (uint64_t) v2v_le32 (e + 8) * t->sector,
      .length = (uint64_t) v2v_le32 (e + 12) * t->sector,
      .mbr_type = e[4],
    };

    if (e[4] == 0 || e[4] == MBR_TYPE_GPT)
      continue;
    if (is_extended (e[4])) {
      if (list_logical (t, v2v_le32 (e + 8), err) == -1)
        return -1;
    }
    else if (add (t, &p, err) == -1)
      return -1;
  }
  return 0;
}

int
v2v_partitions_read (struct v2v_image *img, struct v2v_partitions *ret,
                     struct v2v_error **err)
{
  struct v2v_partitions out = { .ptr = NULL };
  struct v2v_disk_evidence ev;
  struct table t = { .img = img, .size = v2v_image_size (img), .out = &out };
  const struct v2v_partition whole = { .length = t.size };
  int r = 0;

  if (v2v_evidence_gather (img, &ev, err) == -1)
    return -1;
  t.sector = ev.sector_bytes;
  out.table = ev.table;
  switch (ev.table) {
  case V2V_TABLE_GPT:
  case V2V_TABLE_HYBRID:
    r = list_gpt (&t, err);
    break;
  case V2V_TABLE_MBR:
    r = list_mbr (&t, err);
    break;
  case V2V_TABLE_NONE:
    r = add (&t, &whole, err);
    break;
  case V2V_TABLE_BROKEN:
    break;
  }
  if (r == -1) {
    v2v_partitions_clear (&out);
    return v2v_prefix (err, "partition table");
  }
  *ret = out;
  return 0;
}

bool
v2v_partition_is_ldm (const struct v2v_partition *p)
{
  /* 5808C8AA-7E8F-42E0-85D2-E1E90434CFB3, AF9B60A0-1431-4F62-BC68-
   * 3311714A69AD. */
  static const struct v2v_guid metadata = {
    { 0x58, 0x08, 0xc8, 0xaa, 0x7e, 0x8f, 0x42, 0xe0, 0x85, 0xd2, 0xe1, 0xe9,
      0x04, 0x34, 0xcf, 0xb3 }
  };
  static const struct v2v_guid data = { { 0xaf, 0x9b, 0x60, 0xa0, 0x14, 0x31,
                                          0x4f, 0x62, 0xbc, 0x68, 0x33, 0x11,
                                          0x71, 0x4a, 0x69, 0xad } };

  return p->mbr_type == MBR_TYPE_LDM || v2v_guid_equal (&p->type, &metadata) ||
         v2v_guid_equal (&p->type, &data);
}

bool
v2v_partition_is_storage_spaces (const struct v2v_partition *p)
{
  /* E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D */
  static const struct v2v_guid pool = { { 0xe7, 0x5c, 0xaf, 0x8f, 0xf6, 0x80,
                                          0x4c, 0xee, 0xaf, 0xa3, 0xb0, 0x01,
                                          0xe5, 0x6e, 0xfc, 0x2d } };

  return v2v_guid_equal (&p->type, &pool);
}
