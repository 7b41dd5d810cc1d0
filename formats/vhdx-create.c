/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: a new file, from the first byte to the headers, and resuming one.
 * Source: [MS-VHDX] 2.1 "Layout"; 2.2.2 for the order: data first, then the
 * table, the headers last.  Until then no reader takes the file for whole.
 *
 *   0       file identifier, headers, region tables
 *   1 MiB   log, empty
 *   2 MiB   metadata
 *   3 MiB   BAT, rounded up to MiBs
 *   then    blocks, and sector bitmaps where they were needed, in the order
 *           in which they were first written
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/parent-path.h"
#include "formats/vhdx-internal.h"

#define LOG_OFFSET      (1 * V2V_MIB)
#define LOG_LENGTH      (1 * V2V_MIB)
#define METADATA_OFFSET (2 * V2V_MIB)
#define METADATA_LENGTH (1 * V2V_MIB)
#define BAT_OFFSET      (3 * V2V_MIB)

/* A block takes its full size in the file, so small ones keep a sparse disk's
 * file short (a copy to NTFS loses the holes: its LENGTH is what people pay
 * for).  Above 16 TiB the table of 2 MiB blocks would pass 64 MiB.
 */
#define SMALL_BLOCK      (2 * V2V_MIB)
#define LARGE_BLOCK      (32 * V2V_MIB)
#define SMALL_BLOCK_DISK (16 * V2V_TIB)

static int
choose_sectors (struct vhdx_geometry *g, const struct v2v_create_opts *opts,
                struct v2v_error **err)
{
  const struct v2v_image_info *parent =
      opts->parent != NULL ? v2v_image_get_info (opts->parent) : NULL;

  g->logical = opts->logical_sector_bytes ? opts->logical_sector_bytes
               : parent != NULL           ? parent->logical_sector_bytes
                                          : 512;
  g->physical =
      opts->physical_sector_bytes ? opts->physical_sector_bytes : 4096;
  if ((g->logical != 512 && g->logical != 4096) ||
      (g->physical != 512 && g->physical != 4096))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "sectors of %" PRIu32 " bytes (physical %" PRIu32
                     "), VHDX has 512 and 4096",
                     g->logical, g->physical);
  if (parent != NULL && parent->logical_sector_bytes != g->logical)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "sectors of %" PRIu32 " bytes on a parent with %" PRIu32,
                     g->logical, parent->logical_sector_bytes);
  return 0;
}

static int
choose_geometry (struct vhdx *h, const struct v2v_create_opts *opts,
                 struct v2v_error **err)
{
  struct vhdx_geometry *g = &h->geometry;

  if (opts->subformat == V2V_SUB_SPARSE || opts->subformat == V2V_SUB_STREAM)
    return v2v_fail (err, V2V_ERR_USAGE, "VHDX has no %s form",
                     v2v_subformat_name (opts->subformat));
  g->leave_allocated = opts->subformat == V2V_SUB_FIXED;
  g->has_parent = opts->subformat == V2V_SUB_DIFFERENCING;
  if (g->has_parent != (opts->parent != NULL))
    return v2v_fail (err, V2V_ERR_USAGE,
                     g->has_parent ? "a differencing disk needs a parent"
                                   : "only a differencing disk has a parent");
  if (choose_sectors (g, opts, err) == -1)
    return -1;
  g->size = opts->size_bytes;
  if (g->size == 0 && opts->parent != NULL)
    g->size = v2v_image_size (opts->parent);
  if (opts->size_policy == V2V_SIZE_MIB &&
      !v2v_round_up_u64 (g->size, V2V_MIB, &g->size))
    g->size = UINT64_MAX; /* refused below */
  if (g->size == 0 || g->size > VHDX_MAX_SIZE || g->size % g->logical != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk of %" PRIu64
                     " bytes, VHDX holds a multiple of %" PRIu32
                     " bytes up to 64 TiB",
                     g->size, g->logical);
  g->block_size = opts->block_bytes             ? opts->block_bytes
                  : g->size <= SMALL_BLOCK_DISK ? SMALL_BLOCK
                                                : LARGE_BLOCK;
  if (!v2v_is_pow2 (g->block_size) || g->block_size < VHDX_MIN_BLOCK ||
      g->block_size > VHDX_MAX_BLOCK)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "blocks of %" PRIu64
                     " bytes, VHDX has powers of two from 1 to 256 MiB",
                     g->block_size);
  return vhdx_geometry_derive (g, err);
}

static void
lay_out (struct vhdx *h)
{
  static const uint8_t bat_id[16] = VHDX_REGION_BAT;
  static const uint8_t metadata_id[16] = VHDX_REGION_METADATA;
  uint64_t bat_length = 0;

  /* At most 2^26 entries and as many again: no overflow. */
  v2v_round_up_u64 (h->geometry.nr_entries * 8, VHDX_ALIGN, &bat_length);
  h->metadata = (struct vhdx_region){
    .id = v2v_guid_from_mixed (metadata_id),
    .offset = METADATA_OFFSET,
    .length = METADATA_LENGTH,
    .flags = VHDX_REGION_REQUIRED,
  };
  h->bat = (struct vhdx_region){
    .id = v2v_guid_from_mixed (bat_id),
    .offset = BAT_OFFSET,
    .length = bat_length,
    .flags = VHDX_REGION_REQUIRED,
  };
  h->alloc_end = BAT_OFFSET + bat_length;
}

/* Random identifiers, or ones derived from ID so that tests can compare. */
static int
choose_ids (struct vhdx *h, const struct v2v_guid *id, struct v2v_error **err)
{
  struct vhdx_header *header = &h->headers[0];

  *header = (struct vhdx_header){
    .sequence = 1,
    .version = VHDX_VERSION,
    .log_version = VHDX_LOG_VERSION,
    .log_offset = LOG_OFFSET,
    .log_length = LOG_LENGTH,
  };
  if (id != NULL) {
    h->page83 = header->file_write_guid = header->data_write_guid = *id;
    header->file_write_guid.bytes[15] ^= 1;
    header->data_write_guid.bytes[15] ^= 2;
  }
  else if (v2v_guid_random (&h->page83, err) == -1 ||
           v2v_guid_random (&header->file_write_guid, err) == -1 ||
           v2v_guid_random (&header->data_write_guid, err) == -1)
    return -1;
  h->headers[1] = *header;
  h->headers[1].sequence = 2;
  h->current = 1;
  return 0;
}

/* From where the two files are. */
static int
add_derived_path (struct vhdx *h, const struct v2v_image *parent,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_parent_relative_path (h->file, parent, err);

  return path != NULL
             ? vhdx_locator_add (&h->locator, "relative_path", path, err)
             : -1;
}

int
vhdx_choose_parent (struct vhdx *h, const struct v2v_create_opts *opts,
                    struct v2v_error **err)
{
  struct vhdx_locator *l = &h->locator;
  const struct v2v_image_info *parent;
  char text[37], braced[40];

  if (opts->parent == NULL)
    return 0;
  parent = v2v_image_get_info (opts->parent);
  if (strcmp (parent->format, "vhdx") != 0 || parent->content_id == NULL ||
      !v2v_guid_parse (parent->content_id, &l->linkage))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the parent is of format %s; a differencing VHDX needs a "
                     "VHDX",
                     parent->format);
  v2v_guid_format (&l->linkage, text);
  braced[0] = '{';
  memcpy (braced + 1, text, 36);
  memcpy (braced + 37, "}", 2);
  if (vhdx_locator_add (l, "parent_linkage", braced, err) == -1)
    return -1;
  if (opts->parent_relative_path != NULL
          ? vhdx_locator_add (l, "relative_path", opts->parent_relative_path,
                              err) == -1
          : add_derived_path (h, opts->parent, err) == -1)
    return -1;
  if (opts->parent_absolute_path != NULL &&
      vhdx_locator_add (l, "absolute_win32_path", opts->parent_absolute_path,
                        err) == -1)
    return -1;
  for (size_t i = 0; i < l->entries.len; ++i)
    if (strcmp (l->entries.ptr[i].key, "relative_path") == 0)
      l->shown = l->entries.ptr[i].value;
  return 0;
}

/* A fixed disk: all blocks one after the other, and the file as long as they
 * are.  Written by pages: the table may be long.
 */
static int
allocate_fixed (struct vhdx *h, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;

  for (uint64_t b = 0; b < g->nr_blocks; ++b) {
    if (vhdx_bat_set (h, vhdx_bat_index (g, b),
                      h->alloc_end | VHDX_FULLY_PRESENT, err) == -1)
      return -1;
    h->alloc_end += g->block_size;
  }
  return v2v_io_resize (h->file, h->alloc_end, err);
}

static int
prepare (struct vhdx *h, struct v2v_io *file,
         const struct v2v_create_opts *opts, struct v2v_error **err)
{
  if (vhdx_init (h, file, VHDX_CREATE, err) == -1 ||
      choose_geometry (h, opts, err) == -1 ||
      choose_ids (h, opts->id, err) == -1 ||
      vhdx_choose_parent (h, opts, err) == -1)
    return -1;
  lay_out (h);
  h->no_holes = opts->no_holes;
  vhdx_set_ids (h);
  return 0;
}

int
vhdx_create (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
             struct v2v_error **err)
{
  struct vhdx *h = vh;

  if (prepare (h, file, opts, err) == -1)
    return -1;
  if (v2v_io_size (file) > 0 && v2v_io_resize (file, 0, err) == -1)
    return -1;
  if (vhdx_write_file_id (h, err) == -1 || vhdx_write_metadata (h, err) == -1)
    return -1;
  return h->geometry.leave_allocated ? allocate_fixed (h, err) : 0;
}

/* The file as long as its blocks need.  Not so v2v_io_resize alone: it would
 * cut off what lies behind, and nothing does.
 */
static int
set_length (struct vhdx *h, struct v2v_error **err)
{
  return v2v_io_size (h->file) == h->alloc_end
             ? 0
             : v2v_io_resize (h->file, h->alloc_end, err);
}

/* ops held for writing: no data is under way. */
int
vhdx_create_flush (struct vhdx *h, struct v2v_error **err)
{
  V2V_LOCK_SCOPE (&h->lock);

  if (set_length (h, err) == -1 || vhdx_cache_write_back (h, err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}

int
vhdx_create_finish (struct vhdx *h, struct v2v_error **err)
{
  if (vhdx_create_flush (h, err) == -1)
    return -1;
  if (h->no_holes && v2v_io_allocate (h->file, err) == -1)
    return -1;
  if (vhdx_write_region_table (h, 0, err) == -1 ||
      vhdx_write_region_table (h, 1, err) == -1 ||
      vhdx_write_header (h, 0, &h->headers[0], err) == -1 ||
      vhdx_write_header (h, 1, &h->headers[1], err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}

/* ---- resuming ---- */

/* Does the unfinished file hold what OPTS ask for? */
static int
check_same (const struct vhdx *h, const struct vhdx *old,
            struct v2v_error **err)
{
  const struct vhdx_geometry *a = &h->geometry, *b = &old->geometry;

  if (a->size != b->size || a->block_size != b->block_size ||
      a->logical != b->logical || a->physical != b->physical ||
      a->leave_allocated != b->leave_allocated ||
      a->has_parent != b->has_parent)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the unfinished file is of another kind: %" PRIu64
                     " bytes in blocks of %" PRIu64 ", expected %" PRIu64
                     " in blocks of %" PRIu64,
                     b->size, b->block_size, a->size, a->block_size);
  if (a->has_parent &&
      !v2v_guid_equal (&h->locator.linkage, &old->locator.linkage))
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "the unfinished file was begun on another parent");
  return 0;
}

static int
refuse_problem (void *arg, enum vhdx_problem what, uint64_t index,
                uint64_t entry, const char *message)
{
  struct v2v_error **err = arg;

  (void) what;
  (void) index;
  (void) entry;
  if (*err == NULL)
    v2v_fail (err, V2V_ERR_FORMAT, "the unfinished file is damaged: BAT: %s",
              message);
  return 1;
}

/* A header that is there already (the run ended between finish and rename)
 * would make the file valid before it is whole again: take it away first.
 */
static int
remove_headers (struct vhdx *h, struct v2v_error **err)
{
  static const uint8_t zeros[VHDX_HEADER_SIZE];

  for (unsigned slot = 0; slot < 2; ++slot)
    if (v2v_io_pwrite (h->file, zeros, sizeof zeros, VHDX_HEADER_OFFSET (slot),
                       err) == -1)
      return -1;
  return v2v_io_sync (h->file, err);
}

/* Read back the metadata through a second handle, and compare. */
static int
compare_with_old (struct vhdx *h, struct v2v_io *file, struct v2v_error **err)
{
  struct vhdx old = { .file = NULL };
  uint8_t id[8];
  int r = -1;

  if (v2v_io_pread (file, id, sizeof id, 0, err) == -1)
    return -1;
  if (memcmp (id, VHDX_FILE_ID_SIGNATURE, sizeof id) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "the unfinished file is not a VHDX");
  if (vhdx_init (&old, file, VHDX_READ, err) == -1)
    return -1;
  old.metadata = h->metadata;
  if (vhdx_read_metadata (&old, err) == 0 && check_same (h, &old, err) == 0) {
    h->page83 = old.page83;
    r = 0;
  }
  vhdx_close (&old);
  return r;
}

int
vhdx_resume (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
             struct v2v_error **err)
{
  struct vhdx *h = vh;
  struct v2v_error *damage = NULL;
  struct vhdx_scan scan;

  if (prepare (h, file, opts, err) == -1)
    return -1;
  if (v2v_io_size (file) < h->alloc_end)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the unfinished file has %" PRIu64
                     " bytes, too few to go on with (%" PRIu64 ")",
                     v2v_io_size (file), h->alloc_end);
  if (compare_with_old (h, file, err) == -1 || remove_headers (h, err) == -1 ||
      vhdx_write_file_id (h, err) == -1)
    return -1;
  /* For the scan the regions are known as they would be from their table. */
  if (vhdx_region_vector_append (&h->regions, h->metadata) == -1 ||
      vhdx_region_vector_append (&h->regions, h->bat) == -1)
    return v2v_fail_nomem (err);
  /* Entries may have been written before the last blocks were. */
  h->file_end = VHDX_MAX_FILE;
  if (vhdx_scan_bat (h, refuse_problem, &damage, &scan, err) == -1)
    return -1;
  h->alloc_end = v2v_max_u64 (h->alloc_end, scan.end);
  vhdx_scan_free (&scan);
  if (damage != NULL)
    return v2v_error_move (err, damage);
  vhdx_set_ids (h);
  /* What lies behind was written after the last flush: new blocks expect
   * zeros there. */
  return set_length (h, err);
}
