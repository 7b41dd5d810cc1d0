/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHD driver: probing, opening and reading fixed, dynamic and
 * differencing disks.
 *
 * Specification: "Virtual Hard Disk Image Format Specification" 1.0
 * (Microsoft, 2006).  Where practice differs from the text we follow what
 * Windows does: the size is "current size", not the geometry; the data space
 * of a parent locator is not relied upon.  Left out: the deprecated types 5
 * and 6, and the deprecated locators Wi2r and Wi2k (refused, ignored).
 *
 * The END footer is looked at first.  A guest may write "conectix" into
 * sector 0 of a fixed disk, so the copy at offset 0 counts only when it
 * itself says dynamic or differencing.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vhd-internal.h"

/* Sector bitmaps are read in pieces of this many bytes: 16 MiB of disk. */
#define BITMAP_PIECE 4096u

/* ---- probing ---- */

static bool
is_sparse_type (uint32_t type)
{
  return type == VHD_DYNAMIC || type == VHD_DIFFERENCING;
}

static int
vhd_probe (const struct v2v_probe *p)
{
  const size_t lens[] = { VHD_FOOTER_SIZE, VHD_OLD_FOOTER_SIZE };
  int score = 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (lens); ++i) {
    const uint8_t *f;

    if (p->tail_len < lens[i])
      continue;
    f = p->tail + p->tail_len - lens[i];
    if (vhd_footer_has_cookie (f, VHD_FOOTER_COOKIE)) {
      if (vhd_footer_checksum_ok (f, lens[i]))
        return 100;
      score = 60;
    }
  }
  /* The copy: a file cut at the end, or one whose last block is being added. */
  if (p->head_len >= VHD_FOOTER_SIZE &&
      vhd_footer_has_cookie (p->head, VHD_FOOTER_COOKIE)) {
    struct vhd_footer f;

    vhd_footer_decode (p->head, &f);
    if (is_sparse_type (f.type))
      return vhd_footer_checksum_ok (p->head, VHD_FOOTER_SIZE) ? 90 : 60;
    if (score == 0)
      score = 20; /* a fixed VHD cut short: it will be refused by name */
  }
  return score;
}

/* ---- footers ---- */

static int
read_footer (struct v2v_io *file, uint64_t offset, uint32_t len,
             struct vhd_found *ret, struct v2v_error **err)
{
  memset (ret, 0, sizeof *ret);
  ret->offset = offset;
  ret->length = len;
  if (v2v_io_pread (file, ret->bytes, len, offset, err) == -1)
    return -1;
  ret->cookie = vhd_footer_has_cookie (ret->bytes, VHD_FOOTER_COOKIE);
  ret->valid = ret->cookie && vhd_footer_checksum_ok (ret->bytes, len);
  vhd_footer_decode (ret->bytes, &ret->footer);
  return 0;
}

int
vhd_find_end_footer (struct v2v_io *file, struct vhd_found *ret,
                     struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (file);
  struct vhd_found old;

  if (size < VHD_OLD_FOOTER_SIZE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%" PRIu64 " bytes, too short for a VHD footer (%u)", size,
                     VHD_FOOTER_SIZE);
  memset (ret, 0, sizeof *ret);
  ret->offset = size;
  if (size >= VHD_FOOTER_SIZE && read_footer (file, size - VHD_FOOTER_SIZE,
                                              VHD_FOOTER_SIZE, ret, err) == -1)
    return -1;
  if (ret->valid)
    return 0;
  if (read_footer (file, size - VHD_OLD_FOOTER_SIZE, VHD_OLD_FOOTER_SIZE, &old,
                   err) == -1)
    return -1;
  if (old.cookie)
    *ret = old;
  return 0;
}

int
vhd_find_copy (struct v2v_io *file, struct vhd_found *ret,
               struct v2v_error **err)
{
  memset (ret, 0, sizeof *ret);
  if (v2v_io_size (file) < VHD_FOOTER_SIZE)
    return 0;
  if (read_footer (file, 0, VHD_FOOTER_SIZE, ret, err) == -1)
    return -1;
  return 0;
}

int
vhd_judge_footer (const struct vhd_footer *f, const char *which,
                  struct v2v_error **err)
{
  if (f->version >> 16 != VHD_VERSION >> 16)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: format version 0x%08" PRIx32 ", expected 0x%08x",
                     which, f->version, VHD_VERSION);
  if (f->type != VHD_FIXED && !is_sparse_type (f->type))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: disk type %" PRIu32
                     ", expected 2 (fixed), 3 (dynamic) or 4 (differencing)",
                     which, f->type);
  if (f->current_size == 0 || f->current_size % VHD_SECTOR != 0 ||
      f->current_size > VHD_MAX_SIZE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: current size %" PRIu64 ", expected a multiple of "
                     "512 between 512 and %" PRIu64,
                     which, f->current_size, VHD_MAX_SIZE);
  return 0;
}

/* Decide which footer counts. */
static int
choose_footer (struct vhd *h, struct v2v_error **err)
{
  struct vhd_found end, copy;

  if (vhd_find_end_footer (h->file, &end, err) == -1 ||
      vhd_find_copy (h->file, &copy, err) == -1)
    return -1;
  h->end_footer_ok = end.valid;
  h->data_end = end.valid ? end.offset : v2v_io_size (h->file);
  if (end.valid) {
    h->footer = end.footer;
    if (is_sparse_type (end.footer.type) &&
        (!copy.valid ||
         memcmp (end.bytes, copy.bytes, VHD_OLD_FOOTER_SIZE) != 0))
      v2v_warn ("%s: the footer copy at offset 0 is %s; the footer at the end "
                "is used",
                v2v_io_name (h->file),
                copy.valid    ? "different"
                : copy.cookie ? "damaged (wrong checksum)"
                              : "missing");
    return vhd_judge_footer (&h->footer, "footer", err);
  }
  if (copy.valid && is_sparse_type (copy.footer.type)) {
    h->footer = copy.footer;
    v2v_warn ("%s: the footer at the end is %s; the copy at offset 0 is used",
              v2v_io_name (h->file),
              end.cookie ? "damaged (wrong checksum)" : "missing");
    return vhd_judge_footer (&h->footer, "footer copy", err);
  }
  if (end.cookie)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "footer: checksum 0x%08" PRIx32
                     " does not match its contents",
                     end.footer.checksum);
  if (copy.cookie)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "no footer at the end of the file (%" PRIu64
                     " bytes): it is cut short, and the copy at offset 0 %s",
                     v2v_io_size (h->file),
                     copy.valid ? "is that of a fixed disk"
                                : "has a wrong checksum");
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "no footer at the end of the file, and no copy of it at "
                   "offset 0");
}

/* ---- dynamic header and BAT ---- */

int
vhd_judge_header (struct vhd *h, struct v2v_error **err)
{
  const struct vhd_header *d = &h->header;
  const uint64_t file_size = v2v_io_size (h->file);

  if (d->version >> 16 != VHD_VERSION >> 16)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "dynamic header: version 0x%08" PRIx32 ", expected 0x%08x",
                     d->version, VHD_VERSION);
  if (!v2v_is_pow2 (d->block_size) || d->block_size < VHD_SECTOR)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "dynamic header: block size %" PRIu32
                     ", expected a power of two from 512 on",
                     d->block_size);
  h->nr_blocks = v2v_div_up (h->footer.current_size, d->block_size);
  if (h->nr_blocks > VHD_MAX_BLOCKS)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "dynamic header: %" PRIu64 " blocks of %" PRIu32
                     " bytes, at most %" PRIu64 " are supported",
                     h->nr_blocks, d->block_size, VHD_MAX_BLOCKS);
  if (d->max_entries < h->nr_blocks)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "dynamic header: %" PRIu32 " table entries, the disk of "
                     "%" PRIu64 " bytes needs %" PRIu64,
                     d->max_entries, h->footer.current_size, h->nr_blocks);
  if (d->table_offset % VHD_SECTOR != 0 || d->table_offset < VHD_FOOTER_SIZE ||
      !v2v_range_inside (d->table_offset, 4 * h->nr_blocks, file_size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "dynamic header: BAT of %" PRIu64 " entries at %" PRIu64
                     ", outside the file (%" PRIu64 ")",
                     h->nr_blocks, d->table_offset, file_size);
  h->bitmap_bytes = vhd_bitmap_bytes (d->block_size);
  return 0;
}

static int
read_header (struct vhd *h, struct v2v_error **err)
{
  uint8_t bytes[VHD_HEADER_SIZE];
  const uint64_t offset = h->footer.data_offset;

  if (offset < VHD_FOOTER_SIZE || offset % VHD_SECTOR != 0 ||
      !v2v_range_inside (offset, VHD_HEADER_SIZE, v2v_io_size (h->file)))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "footer: dynamic header at %" PRIu64
                     ", outside the file (%" PRIu64 ")",
                     offset, v2v_io_size (h->file));
  if (v2v_io_pread (h->file, bytes, sizeof bytes, offset, err) == -1)
    return -1;
  if (!vhd_header_has_cookie (bytes))
    return v2v_fail (err, V2V_ERR_FORMAT, "dynamic header: no '%s' at %" PRIu64,
                     VHD_HEADER_COOKIE, offset);
  vhd_header_decode (bytes, &h->header);
  if (!vhd_header_checksum_ok (bytes))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "dynamic header: checksum 0x%08" PRIx32
                     " does not match its contents",
                     h->header.checksum);
  return vhd_judge_header (h, err);
}

/* Read the BAT; the entries are judged by judge_bat. */
int
vhd_load_bat (struct vhd *h, struct v2v_error **err)
{
  /* Within VHD_MAX_BLOCKS, and the table lies inside the file. */
  h->bat = calloc (h->nr_blocks, sizeof h->bat[0]);
  if (h->bat == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (h->file, h->bat, h->nr_blocks * sizeof h->bat[0],
                    h->header.table_offset, err) == -1)
    return -1;
  for (uint64_t i = 0; i < h->nr_blocks; ++i)
    h->bat[i] = v2v_be32 (&h->bat[i]);
  return 0;
}

static int
compare_entries (const void *a, const void *b)
{
  const uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

  return (x > y) - (x < y);
}

static int
fail_overlap (uint32_t sector, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "BAT: two blocks overlap at sector %" PRIu32, sector);
}

/* All blocks have the same length, so sorted neighbours tell.  Files as
 * writers make them mostly ascend already; and more blocks than have room in
 * the file need no sorting to be refused.
 */
static int
judge_overlaps (const struct vhd *h, uint64_t count, struct v2v_error **err)
{
  const uint64_t stride = vhd_stride (h) / VHD_SECTOR;
  CLEANUP_FREE uint32_t *sorted = NULL;
  uint64_t n = 0;

  if (count > v2v_io_size (h->file) / VHD_SECTOR / stride + 1)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT: %" PRIu64 " blocks cannot lie apart in a file of "
                     "%" PRIu64 " bytes",
                     count, v2v_io_size (h->file));
  sorted = malloc ((count + 1) * sizeof sorted[0]);
  if (sorted == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < h->nr_blocks; ++i)
    if (h->bat[i] != VHD_BAT_UNUSED)
      sorted[n++] = h->bat[i];
  qsort (sorted, n, sizeof sorted[0], compare_entries);
  for (uint64_t i = 1; i < n; ++i)
    if (sorted[i] - sorted[i - 1] < stride)
      return fail_overlap (sorted[i], err);
  return 0;
}

/* Every block inside the file and apart from the others and the tables.  Only
 * as much of the disk's last block as the disk has must be there.
 */
static int
judge_bat (const struct vhd *h, struct v2v_error **err)
{
  const uint64_t stride = vhd_stride (h);
  const uint64_t table_end = h->header.table_offset + 4 * h->nr_blocks;
  const uint64_t header_end = h->footer.data_offset + VHD_HEADER_SIZE;
  uint64_t count = 0, previous_end = 0;
  bool ascending = true;

  for (uint64_t i = 0; i < h->nr_blocks; ++i) {
    const uint64_t start = (uint64_t) h->bat[i] * VHD_SECTOR;

    if (h->bat[i] == VHD_BAT_UNUSED)
      continue;
    if (!v2v_range_inside (start, h->bitmap_bytes + vhd_block_len (h, i),
                           h->data_end))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "BAT: entry %" PRIu64 " points at sector %" PRIu32
                       ", its block ends past the data (%" PRIu64 " bytes)",
                       i, h->bat[i], h->data_end);
    if (start < VHD_FOOTER_SIZE ||
        (start < header_end && start + stride > h->footer.data_offset) ||
        (start < table_end && start + stride > h->header.table_offset))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "BAT: entry %" PRIu64 " points at sector %" PRIu32
                       ", over the header or the BAT itself",
                       i, h->bat[i]);
    count++;
    if (start < previous_end)
      ascending = false;
    previous_end = start + stride;
  }
  return ascending ? 0 : judge_overlaps (h, count, err);
}

static int
open_sparse (struct vhd *h, const struct v2v_open_opts *opts,
             struct v2v_error **err)
{
  if (read_header (h, err) == -1 || vhd_load_bat (h, err) == -1)
    return -1;
  if (judge_bat (h, err) == -1) {
    if (err != NULL)
      v2v_hint (err, "v2v check lists all faults");
    return -1;
  }
  (void) opts;
  if (h->footer.type == VHD_DIFFERENCING)
    return vhd_read_parent_names (h, err);
  return 0;
}

/* ---- opening ---- */

uint32_t
vhd_timestamp (time_t t)
{
  if (t < VHD_EPOCH || t - VHD_EPOCH > (time_t) UINT32_MAX)
    return 0;
  return (uint32_t) (t - VHD_EPOCH);
}

uint32_t
vhd_file_timestamp (struct v2v_io *file)
{
  struct stat st;
  uint64_t fd_offset, len;
  int fd;

  if (!v2v_io_fd (file, 0, &fd, &fd_offset, &len) || fstat (fd, &st) == -1)
    return 0;
  return vhd_timestamp (st.st_mtime);
}

void
vhd_fill_info (struct vhd *h)
{
  const struct vhd_footer *f = &h->footer;
  struct v2v_str s = V2V_STR_INIT;
  size_t n = 0;

  v2v_guid_format (&f->id, h->id);
  v2v_guid_format (&h->header.parent_id, h->parent_id);
  h->timestamp = vhd_file_timestamp (h->file);
  if (h->timestamp == 0)
    h->timestamp = f->timestamp;
  /* Printable characters only: these four bytes may be anything. */
  for (size_t i = 0; i < sizeof f->creator; ++i)
    if (f->creator[i] > ' ' && f->creator[i] < 127)
      h->creator[n++] = (char) f->creator[i];
  h->creator[n] = '\0';
  if (v2v_str_printf (&s, " %u.%u", (unsigned) (f->creator_version >> 16),
                      (unsigned) (f->creator_version & 0xffff)) == 0 &&
      s.len < sizeof h->creator - n)
    memcpy (h->creator + n, s.ptr, s.len + 1);
  v2v_str_free (&s);
}

int
vhd_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
          struct v2v_error **err)
{
  struct vhd *h = vh;

  if (v2v_io_is_forward_only (file))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "a VHD cannot be read from a stream: its footer is at "
                     "the end");
  h->file = v2v_io_ref (file);
  if (choose_footer (h, err) == -1)
    return -1;
  if (!vhd_is_fixed (h)) {
    if (open_sparse (h, opts, err) == -1)
      return -1;
  }
  else if (h->footer.current_size > h->data_end)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "footer: current size %" PRIu64 ", but only %" PRIu64
                     " bytes of data come before it: the file is cut short",
                     h->footer.current_size, h->data_end);
  vhd_fill_info (h);
  return 0;
}

static void
vhd_info (const void *vh, struct v2v_image_info *ret)
{
  static const char *const variants[] = {
    [VHD_FIXED] = "fixed",
    [VHD_DYNAMIC] = "dynamic",
    [VHD_DIFFERENCING] = "differencing",
  };
  const struct vhd *h = vh;

  ret->variant = variants[h->footer.type];
  ret->size_bytes = h->footer.current_size;
  ret->logical_sector_bytes = VHD_SECTOR;
  ret->physical_sector_bytes = VHD_SECTOR;
  ret->block_bytes = vhd_is_fixed (h) ? 0 : h->header.block_size;
  ret->id = h->id;
  ret->content_id = h->id;
  ret->parent_timestamp = h->timestamp;
  ret->creator = h->creator;
  if (h->footer.type == VHD_DIFFERENCING) {
    ret->has_parent = true;
    ret->parent_id = h->parent_id;
    ret->parent_name = h->parent_name;
    ret->parent_relative_path = h->parent_relative;
    ret->parent_absolute_path = h->parent_absolute;
  }
}

/* Did its maker take the size from the geometry?  Then readers disagree. */
static bool
size_is_disputed (const struct vhd_footer *f, uint64_t *ret_geometry_size)
{
  *ret_geometry_size = vhd_geometry_sectors (f->geometry) * VHD_SECTOR;
  return (memcmp (f->creator, "vpc ", 4) == 0 ||
          memcmp (f->creator, "qemu", 4) == 0) &&
         *ret_geometry_size < f->current_size;
}

static void
vhd_describe (const void *vh, struct v2v_json *obj)
{
  const struct vhd *h = vh;
  const struct vhd_footer *f = &h->footer;
  struct v2v_json *g = v2v_json_new_object ();
  uint64_t geometry_size, allocated = 0;

  v2v_json_set_u64 (g, "cylinders", f->geometry.cylinders);
  v2v_json_set_u64 (g, "heads", f->geometry.heads);
  v2v_json_set_u64 (g, "sectors", f->geometry.sectors);
  v2v_json_set (obj, "geometry", g);
  v2v_json_set_u64 (obj, "original_size", f->original_size);
  v2v_json_set_u64 (obj, "timestamp", (uint64_t) f->timestamp + VHD_EPOCH);
  if (f->saved_state != 0)
    v2v_json_set_bool (obj, "saved_state", true);
  if (size_is_disputed (f, &geometry_size)) {
    /* Some readers take this one for a disk of this maker. */
    v2v_json_set_u64 (obj, "current_size", f->current_size);
    v2v_json_set_u64 (obj, "geometry_size", geometry_size);
  }
  if (vhd_is_fixed (h))
    return;
  for (uint64_t i = 0; i < h->nr_blocks; ++i)
    allocated += h->bat[i] != VHD_BAT_UNUSED;
  v2v_json_set_u64 (obj, "blocks", h->nr_blocks);
  v2v_json_set_u64 (obj, "allocated_blocks", allocated);
}

/* ---- reading ---- */

static uint32_t
lookup (struct vhd *h, uint64_t block)
{
  return h->writer != NULL ? vhd_writer_lookup (h, block) : h->bat[block];
}

/* Runs of the allocated BLOCK over [in_block, in_block+len-1].  A sector
 * without its bit is the parent's; in a dynamic disk it is zero.
 */
static int
block_extents (struct vhd *h, uint64_t block, uint64_t in_block, uint64_t len,
               struct v2v_extents *out, struct v2v_error **err)
{
  const uint64_t base = block * (uint64_t) h->header.block_size;
  const uint64_t bitmap_offset = (uint64_t) lookup (h, block) * VHD_SECTOR;
  const enum v2v_extent_type clear =
      h->footer.type == VHD_DIFFERENCING ? V2V_EXTENT_ABSENT : V2V_EXTENT_ZERO;
  const uint64_t end = in_block + len;
  uint8_t piece[BITMAP_PIECE];

  while (in_block < end) {
    const uint64_t first_bit = in_block / VHD_SECTOR;
    const uint64_t first_byte = first_bit / 8;
    const uint64_t nr_bytes = v2v_min_u64 (
        sizeof piece, ((end - 1) / VHD_SECTOR) / 8 - first_byte + 1);
    const uint64_t stop =
        v2v_min_u64 (end, (first_byte + nr_bytes) * 8 * VHD_SECTOR);

    if ((h->writer == NULL ||
         !vhd_writer_bitmap (h, block, piece, first_byte, nr_bytes)) &&
        v2v_io_pread (h->file, piece, nr_bytes, bitmap_offset + first_byte,
                      err) == -1)
      return -1;
    while (in_block < stop) {
      const uint64_t bit = in_block / VHD_SECTOR - first_byte * 8;
      const uint64_t last = (stop - 1) / VHD_SECTOR - first_byte * 8;
      bool present;
      const uint64_t run =
          vhd_bitmap_run (piece, bit, last - bit + 1, &present);
      const uint64_t next =
          v2v_min_u64 (stop, (first_byte * 8 + bit + run) * VHD_SECTOR);

      if (v2v_extents_append (out, base + in_block, next - in_block,
                              present ? V2V_EXTENT_DATA : clear, 0) == -1)
        return v2v_fail_nomem (err);
      in_block = next;
    }
  }
  return 0;
}

static int
vhd_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
             struct v2v_error **err)
{
  struct vhd *h = vh;

  if (vhd_is_fixed (h)) {
    const uint64_t in_file =
        offset >= v2v_io_size (h->file)
            ? 0 /* being written */
            : v2v_min_u64 (len, v2v_io_size (h->file) - offset);

    if (in_file > 0 &&
        v2v_io_extents (h->file, in_file, offset, out, err) == -1)
      return -1;
    return v2v_extents_append (out, offset + in_file, len - in_file,
                               V2V_EXTENT_ZERO, 0) == -1
               ? v2v_fail_nomem (err)
               : 0;
  }
  while (len > 0) {
    const uint64_t block = offset / h->header.block_size;
    const uint64_t in_block = offset % h->header.block_size;
    const uint64_t n = v2v_min_u64 (len, h->header.block_size - in_block);

    if (lookup (h, block) == VHD_BAT_UNUSED) {
      if (v2v_extents_append (out, offset, n, V2V_EXTENT_ABSENT, 0) == -1)
        return v2v_fail_nomem (err);
    }
    else if (block_extents (h, block, in_block, n, out, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

/* Where OFFSET of an allocated block lies in the file. */
static uint64_t
data_offset (struct vhd *h, uint64_t offset)
{
  const uint64_t block = offset / h->header.block_size;

  return (uint64_t) lookup (h, block) * VHD_SECTOR + h->bitmap_bytes +
         offset % h->header.block_size;
}

static int
vhd_read (void *vh, void *buf, size_t len, uint64_t offset,
          struct v2v_error **err)
{
  struct vhd *h = vh;
  char *p = buf;

  if (vhd_is_fixed (h))
    return v2v_io_pread (h->file, buf, len, offset, err);
  while (len > 0) {
    const size_t n = (size_t) v2v_min_u64 (
        len, h->header.block_size - offset % h->header.block_size);

    if (v2v_io_pread (h->file, p, n, data_offset (h, offset), err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

static int
vhd_locate (void *vh, uint64_t offset, struct v2v_run *ret,
            struct v2v_error **err)
{
  struct vhd *h = vh;

  (void) err;
  if (vhd_is_fixed (h))
    *ret = (struct v2v_run){ h->file, offset, h->footer.current_size - offset };
  else
    *ret = (struct v2v_run){ h->file, data_offset (h, offset),
                             vhd_block_len (h, offset / h->header.block_size) -
                                 offset % h->header.block_size };
  return 0;
}

static void
vhd_close (void *vh)
{
  struct vhd *h = vh;

  vhd_writer_free (h);
  v2v_io_unref (h->file);
  free (h->bat);
  vhd_clear_parent_names (h);
}

const struct v2v_image_ops v2v_vhd_ops = {
  .name = "vhd",
  .description = "Microsoft VHD: fixed, dynamic, differencing",
  .extension = ".vhd",
  .handle_size = sizeof (struct vhd),
  .parallel_read = true,
  .parallel_write = true,
  .probe = vhd_probe,
  .open = vhd_open,
  .info = vhd_info,
  .describe = vhd_describe,
  .parent_names = vhd_parent_names,
  .check_parent = vhd_check_parent,
  .extents = vhd_extents,
  .read = vhd_read,
  .locate = vhd_locate,
  .open_rw = vhd_open_rw,
  .create = vhd_create,
  .resume = vhd_resume,
  .write = vhd_write,
  .zero = vhd_zero,
  .reserve = vhd_reserve,
  .set_identity = vhd_set_identity,
  .set_parent = vhd_set_parent,
  .flush = vhd_flush,
  .finish = vhd_finish,
  .close = vhd_close,
  .check = vhd_check,
};
