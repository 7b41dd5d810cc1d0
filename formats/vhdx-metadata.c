/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: the metadata region.
 * Source: [MS-VHDX] 2.4 "Metadata Region": 2.4.1 table, 2.4.2 known items.
 * "Incomplete file" is not in the specification; files that carry it are
 * unfinished by their writer's own word and refused.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

enum item_kind {
  ITEM_PARAMETERS,
  ITEM_SIZE,
  ITEM_PAGE83,
  ITEM_LOGICAL,
  ITEM_PHYSICAL,
  ITEM_LOCATOR,
  ITEM_INCOMPLETE,
};
#define NR_KINDS 7
/* The first five stand in every file. */
#define NR_REQUIRED 5

static const struct known_item {
  const char *name;
  const char *guid;
  uint32_t length; /* 0 = any */
  uint32_t flags;  /* as Windows writes them */
} known[NR_KINDS] = {
  [ITEM_PARAMETERS] = { "file parameters",
                        "caa16737-fa36-4d43-b3b6-33f0aa44e76b", 8,
                        VHDX_ITEM_REQUIRED },
  [ITEM_SIZE] = { "virtual disk size", "2fa54224-cd1b-4876-b211-5dbed83bf4b8",
                  8, VHDX_ITEM_REQUIRED | VHDX_ITEM_VIRTUAL_DISK },
  [ITEM_PAGE83] = { "page 83 data", "beca12ab-b2e6-4523-93ef-c309e000c746", 16,
                    VHDX_ITEM_REQUIRED | VHDX_ITEM_VIRTUAL_DISK },
  [ITEM_LOGICAL] = { "logical sector size",
                     "8141bf1d-a96f-4709-ba47-f233a8faab5f", 4,
                     VHDX_ITEM_REQUIRED | VHDX_ITEM_VIRTUAL_DISK },
  [ITEM_PHYSICAL] = { "physical sector size",
                      "cda348c7-445d-4471-9cc9-e9885251c556", 4,
                      VHDX_ITEM_REQUIRED | VHDX_ITEM_VIRTUAL_DISK },
  [ITEM_LOCATOR] = { "parent locator", "a8d35f2d-b30b-454d-abf7-d3d84834ab0c",
                     0, VHDX_ITEM_REQUIRED },
  [ITEM_INCOMPLETE] = { "incomplete file",
                        "71cc85f0-1b69-4e28-9558-c3bf83ae75d3", 0, 0 },
};

struct item {
  bool found;
  uint32_t offset; /* in the region */
  uint32_t length;
  uint32_t flags;
};

static int
find_kind (const struct v2v_guid *id)
{
  char text[37];

  v2v_guid_format (id, text);
  for (int k = 0; k < NR_KINDS; ++k)
    if (strcmp (text, known[k].guid) == 0)
      return k;
  return -1;
}

/* Check one table entry and remember it in ITEMS. */
static int
take_entry (const struct vhdx *h, const uint8_t *p, struct item *items,
            struct v2v_error **err)
{
  const struct v2v_guid id = v2v_guid_from_mixed (p);
  const struct item item = {
    .found = true,
    .offset = v2v_le32 (p + 16),
    .length = v2v_le32 (p + 20),
    .flags = v2v_le32 (p + 24),
  };
  const int kind = find_kind (&id);
  char text[37];

  v2v_guid_format (&id, text);
  if (kind == -1) {
    if (item.flags & VHDX_ITEM_REQUIRED)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "metadata item %s is required to read this file, but "
                       "unknown",
                       text);
    return 0;
  }
  if (kind == ITEM_INCOMPLETE)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "marked as incomplete by the program that wrote it");
  if (items[kind].found)
    return v2v_fail (err, V2V_ERR_FORMAT, "metadata: item '%s' is there twice",
                     known[kind].name);
  if (item.length > VHDX_MAX_ITEM_SIZE ||
      (known[kind].length != 0 && item.length != known[kind].length))
    return v2v_fail (
        err, V2V_ERR_FORMAT,
        "metadata: item '%s' has %" PRIu32 " bytes, expected %s%" PRIu32,
        known[kind].name, item.length, known[kind].length ? "" : "at most ",
        known[kind].length ? known[kind].length : VHDX_MAX_ITEM_SIZE);
  if (item.offset < VHDX_METADATA_TABLE_SIZE ||
      !v2v_range_inside (item.offset, item.length, h->metadata.length))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: item '%s' of %" PRIu32 " bytes at %" PRIu32
                     ", expected after the table (%d) and inside the region "
                     "(%" PRIu64 ")",
                     known[kind].name, item.length, item.offset,
                     VHDX_METADATA_TABLE_SIZE, h->metadata.length);
  items[kind] = item;
  return 0;
}

static int
read_table (struct vhdx *h, struct item *items, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *table = malloc (VHDX_METADATA_TABLE_SIZE);
  unsigned n;

  if (table == NULL)
    return v2v_fail_nomem (err);
  if (vhdx_file_read (h, table, VHDX_METADATA_TABLE_SIZE, h->metadata.offset,
                      err) == -1)
    return -1;
  if (memcmp (table, VHDX_METADATA_SIGNATURE, 8) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "metadata: no '%s' signature",
                     VHDX_METADATA_SIGNATURE);
  n = v2v_le16 (table + 10);
  if (n > VHDX_MAX_ITEMS)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: %u items, expected at most %d", n,
                     VHDX_MAX_ITEMS);
  for (unsigned i = 0; i < n; ++i)
    if (take_entry (h, table + 32 + 32 * (size_t) i, items, err) == -1)
      return -1;
  for (int k = 0; k < NR_REQUIRED; ++k)
    if (!items[k].found)
      return v2v_fail (err, V2V_ERR_FORMAT, "metadata: item '%s' is missing",
                       known[k].name);
  return 0;
}

/* Read the content of a small item. */
static int
read_item (struct vhdx *h, const struct item *item, void *buf,
           struct v2v_error **err)
{
  return vhdx_file_read (h, buf, item->length,
                         h->metadata.offset + item->offset, err);
}

static int
check_values (const struct vhdx *h, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;

  if (!v2v_is_pow2 (g->block_size) || g->block_size < VHDX_MIN_BLOCK ||
      g->block_size > VHDX_MAX_BLOCK)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: block size %" PRIu64
                     ", expected a power of two from 1 to 256 MiB",
                     g->block_size);
  if (g->logical != 512 && g->logical != 4096)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: logical sector size %" PRIu32
                     ", expected 512 or 4096",
                     g->logical);
  if (g->physical != 512 && g->physical != 4096)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: physical sector size %" PRIu32
                     ", expected 512 or 4096",
                     g->physical);
  if (g->size == 0 || g->size > VHDX_MAX_SIZE || g->size % g->logical != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "metadata: virtual disk size %" PRIu64
                     ", expected a multiple of %" PRIu32 " up to 64 TiB",
                     g->size, g->logical);
  return 0;
}

static int
read_locator (struct vhdx *h, const struct item *item, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *buf = NULL;

  if (h->geometry.has_parent != item->found)
    return v2v_fail (
        err, V2V_ERR_FORMAT,
        item->found ? "metadata: a parent locator, but the file parameters "
                      "say that there is no parent"
                    : "metadata: item 'parent locator' is missing from a "
                      "differencing disk");
  if (!item->found)
    return 0;
  buf = malloc (item->length + 1u);
  if (buf == NULL)
    return v2v_fail_nomem (err);
  if (read_item (h, item, buf, err) == -1)
    return -1;
  return vhdx_parse_locator (&h->locator, buf, item->length, err);
}

int
vhdx_read_metadata (struct vhdx *h, struct v2v_error **err)
{
  struct item items[NR_KINDS] = { { .found = false } };
  struct vhdx_geometry *g = &h->geometry;
  uint8_t parameters[8], size[8], page83[16], logical[4], physical[4];
  uint32_t flags;

  if (read_table (h, items, err) == -1 ||
      read_item (h, &items[ITEM_PARAMETERS], parameters, err) == -1 ||
      read_item (h, &items[ITEM_SIZE], size, err) == -1 ||
      read_item (h, &items[ITEM_PAGE83], page83, err) == -1 ||
      read_item (h, &items[ITEM_LOGICAL], logical, err) == -1 ||
      read_item (h, &items[ITEM_PHYSICAL], physical, err) == -1)
    return -1;
  g->block_size = v2v_le32 (parameters);
  flags = v2v_le32 (parameters + 4);
  g->leave_allocated = (flags & VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED) != 0;
  g->has_parent = (flags & VHDX_PARAM_HAS_PARENT) != 0;
  g->size = v2v_le64 (size);
  g->logical = v2v_le32 (logical);
  g->physical = v2v_le32 (physical);
  h->page83 = v2v_guid_from_mixed (page83);
  if (check_values (h, err) == -1 || vhdx_geometry_derive (g, err) == -1)
    return -1;
  return read_locator (h, &items[ITEM_LOCATOR], err);
}

const char *
vhdx_metadata_flag_note (struct vhdx *h)
{
  uint8_t table[32 + 32 * 64];

  if (vhdx_file_read (h, table, sizeof table, h->metadata.offset, NULL) == -1)
    return NULL;
  for (unsigned i = 0; i < v2v_le16 (table + 10) && i < 64; ++i) {
    const uint8_t *p = table + 32 + 32 * (size_t) i;
    const struct v2v_guid id = v2v_guid_from_mixed (p);
    const int kind = find_kind (&id);

    if (kind >= 0 && kind != ITEM_INCOMPLETE &&
        v2v_le32 (p + 24) != known[kind].flags)
      return known[kind].name;
  }
  return NULL;
}

/* ---- writing ---- */

struct builder {
  uint8_t *region;
  size_t nr_items;
  uint32_t end; /* of the items so far, in the region */
};

static void
add_item (struct builder *b, enum item_kind kind, const void *content,
          uint32_t len)
{
  uint8_t *p = b->region + 32 + 32 * b->nr_items++;
  struct v2v_guid id;

  v2v_guid_parse (known[kind].guid, &id);
  v2v_guid_to_mixed (&id, p);
  v2v_put_le32 (p + 16, b->end);
  v2v_put_le32 (p + 20, len);
  v2v_put_le32 (p + 24, known[kind].flags);
  memcpy (b->region + b->end, content, len);
  b->end += (len + 7) & ~7u;
  v2v_put_le16 (b->region + 10, (uint16_t) b->nr_items);
}

/* Write the whole region, 1 MiB, from the handle. */
int
vhdx_write_metadata (struct vhdx *h, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;
  CLEANUP_FREE uint8_t *locator = NULL;
  uint8_t parameters[8], size[8], page83[16], logical[4], physical[4];
  size_t locator_len = 0;
  struct builder b = { .end = VHDX_METADATA_TABLE_SIZE };
  int r;

  if (g->has_parent &&
      vhdx_encode_locator (&h->locator, &locator, &locator_len, err) == -1)
    return -1;
  b.region = calloc (1, VHDX_ALIGN);
  if (b.region == NULL)
    return v2v_fail_nomem (err);
  memcpy (b.region, VHDX_METADATA_SIGNATURE, 8);
  v2v_put_le32 (parameters, (uint32_t) g->block_size);
  v2v_put_le32 (parameters + 4,
                (g->leave_allocated ? VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED : 0) |
                    (g->has_parent ? VHDX_PARAM_HAS_PARENT : 0));
  v2v_put_le64 (size, g->size);
  v2v_guid_to_mixed (&h->page83, page83);
  v2v_put_le32 (logical, g->logical);
  v2v_put_le32 (physical, g->physical);
  add_item (&b, ITEM_PARAMETERS, parameters, sizeof parameters);
  add_item (&b, ITEM_SIZE, size, sizeof size);
  add_item (&b, ITEM_PAGE83, page83, sizeof page83);
  add_item (&b, ITEM_LOGICAL, logical, sizeof logical);
  add_item (&b, ITEM_PHYSICAL, physical, sizeof physical);
  if (locator != NULL)
    add_item (&b, ITEM_LOCATOR, locator, (uint32_t) locator_len);
  /* Only what is not zero: the file is empty here. */
  r = v2v_io_pwrite (h->file, b.region, b.end, h->metadata.offset, err);
  free (b.region);
  return r;
}

/* ---- changing ---- */

/* The entry of KIND in TABLE, and where the items end in the region. */
static uint8_t *
find_entry (uint8_t *table, enum item_kind kind, uint64_t *ret_end)
{
  const unsigned n = v2v_le16 (table + 10);
  uint8_t *found = NULL;

  *ret_end = VHDX_METADATA_TABLE_SIZE;
  for (unsigned i = 0; i < n && i < VHDX_MAX_ITEMS; ++i) {
    uint8_t *p = table + 32 + 32 * (size_t) i;
    const struct v2v_guid id = v2v_guid_from_mixed (p);

    *ret_end = v2v_max_u64 (*ret_end,
                            (uint64_t) v2v_le32 (p + 16) + v2v_le32 (p + 20));
    if (find_kind (&id) == (int) kind)
      found = p;
  }
  return found;
}

/* The sectors of 4 KiB that hold [offset, offset+len-1] of the region. */
struct sectors {
  uint8_t *bytes;
  uint64_t first; /* offset in the region */
  size_t n;
};

static int
read_sectors (struct vhdx *h, uint64_t offset, uint64_t len, struct sectors *s,
              struct v2v_error **err)
{
  const uint64_t end = v2v_div_up (offset + len, VHDX_LOG_SECTOR);

  s->first = offset / VHDX_LOG_SECTOR * VHDX_LOG_SECTOR;
  s->n = (size_t) (end - s->first / VHDX_LOG_SECTOR);
  s->bytes = malloc (s->n * VHDX_LOG_SECTOR);
  if (s->bytes == NULL)
    return v2v_fail_nomem (err);
  return vhdx_file_read (h, s->bytes, s->n * VHDX_LOG_SECTOR,
                         h->metadata.offset + s->first, err);
}

/* Commit the sector of the table and those of the content as one entry of the
 * log. */
static int
commit_item (struct vhdx *h, const uint8_t *table, size_t entry_at,
             const struct sectors *s, struct v2v_error **err)
{
  const size_t table_sector = entry_at / VHDX_LOG_SECTOR * VHDX_LOG_SECTOR;
  CLEANUP_FREE struct vhdx_log_write *writes =
      calloc (s->n + 1, sizeof *writes);

  if (writes == NULL)
    return v2v_fail_nomem (err);
  if (s->n + 1 > vhdx_log_capacity (h))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "metadata: %zu sectors to change at once, the log holds "
                     "%zu",
                     s->n + 1, vhdx_log_capacity (h));
  writes[0] = (struct vhdx_log_write){
    .offset = h->metadata.offset + table_sector,
    .data = table + table_sector,
  };
  for (size_t i = 0; i < s->n; ++i)
    writes[i + 1] = (struct vhdx_log_write){
      .offset = h->metadata.offset + s->first + i * VHDX_LOG_SECTOR,
      .data = s->bytes + i * VHDX_LOG_SECTOR,
    };
  if (vhdx_update_commit_round (h, writes, s->n + 1, err) == -1) {
    h->failed = true; /* the log must not be written over */
    return -1;
  }
  return 0;
}

/* Items that we do not know stay as they are: the new content goes to the old
 * place if it fits there, else behind all of them. */
static int
replace_item (struct vhdx *h, enum item_kind kind, const void *content,
              uint32_t len, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *table = malloc (VHDX_METADATA_TABLE_SIZE);
  struct sectors s = { .bytes = NULL };
  uint64_t end, offset;
  uint8_t *p;
  int r;

  if (table == NULL)
    return v2v_fail_nomem (err);
  if (vhdx_file_read (h, table, VHDX_METADATA_TABLE_SIZE, h->metadata.offset,
                      err) == -1)
    return -1;
  p = find_entry (table, kind, &end);
  if (p == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "metadata: item '%s' is missing",
                     known[kind].name);
  offset = v2v_le32 (p + 16);
  if (len > v2v_le32 (p + 20)) {
    offset = (end + 7) & ~UINT64_C (7);
    if (!v2v_range_inside (offset, len, h->metadata.length) ||
        offset > UINT32_MAX)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "metadata: no room for a %s of %" PRIu32 " bytes",
                       known[kind].name, len);
  }
  v2v_put_le32 (p + 16, (uint32_t) offset);
  v2v_put_le32 (p + 20, len);
  r = read_sectors (h, offset, len, &s, err);
  if (r == 0) {
    memcpy (s.bytes + (offset - s.first), content, len);
    r = commit_item (h, table, (size_t) (p - table), &s, err);
  }
  free (s.bytes);
  return r;
}

int
vhdx_replace_page83 (struct vhdx *h, const struct v2v_guid *id,
                     struct v2v_error **err)
{
  uint8_t bytes[16];

  v2v_guid_to_mixed (id, bytes);
  return replace_item (h, ITEM_PAGE83, bytes, sizeof bytes, err);
}

int
vhdx_replace_locator (struct vhdx *h, const struct vhdx_locator *l,
                      struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *bytes = NULL;
  size_t len = 0;

  return vhdx_encode_locator (l, &bytes, &len, err) == -1
             ? -1
             : replace_item (h, ITEM_LOCATOR, bytes, (uint32_t) len, err);
}
