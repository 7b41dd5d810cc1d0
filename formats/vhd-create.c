/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, continuing and completing VHD files.
 *
 * Layout of what we write (dynamic and differencing):
 *   0     footer copy           1536  BAT, rounded up to a sector
 *   512   dynamic header        then  parent locators, blocks, footer
 * Creator "win " and the exact current size: the one combination that every
 * reader takes for the same size.  Until finish the footer's place holds the
 * same fields under another cookie, so that no reader opens an unfinished
 * file and resume knows what it continues.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/core/cleanup.h"
#include "formats/vhd-internal.h"

#define HEADER_OFFSET   VHD_FOOTER_SIZE
#define TABLE_OFFSET    (HEADER_OFFSET + VHD_HEADER_SIZE)
#define CREATOR_VERSION 0x000a0000u

/* ---- what to make ---- */

static int
apply_size_policy (const struct v2v_create_opts *opts, uint64_t *ret,
                   struct v2v_error **err)
{
  uint64_t size = opts->size_bytes;
  bool ok = size <= VHD_MAX_SIZE && size > 0;

  if (ok)
    switch (opts->size_policy) {
    case V2V_SIZE_EXACT:
      ok = v2v_round_up_u64 (size, VHD_SECTOR, &size);
      break;
    case V2V_SIZE_CHS:
      size =
          vhd_round_up_to_geometry (v2v_div_up (size, VHD_SECTOR)) * VHD_SECTOR;
      break;
    case V2V_SIZE_MIB:
      ok = v2v_round_up_u64 (size, V2V_MIB, &size);
      break;
    }
  if (!ok || size > VHD_MAX_SIZE)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk of %" PRIu64 " bytes: a VHD holds 1 to %" PRIu64
                     " (2040 GiB)",
                     opts->size_bytes, VHD_MAX_SIZE);
  *ret = size;
  return 0;
}

static int
check_parent_opts (const struct v2v_create_opts *opts, uint64_t size,
                   struct v2v_error **err)
{
  const struct v2v_image_info *parent;

  if (opts->parent == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "a differencing VHD needs a parent");
  parent = v2v_image_get_info (opts->parent);
  if (strcmp (parent->format, "vhd") != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the parent of a VHD must be a VHD, '%s' is %s",
                     v2v_image_name (opts->parent), parent->format);
  if (parent->size_bytes != size) {
    v2v_fail (err, V2V_ERR_USAGE,
              "child of %" PRIu64 " bytes on a parent of %" PRIu64
              ": Hyper-V wants both of one size",
              size, parent->size_bytes);
    return v2v_hint (err, "flatten the chain into one disk instead");
  }
  return 0;
}

/* Fill the footer and the header from OPTS. */
static int
design (struct vhd *h, const struct v2v_create_opts *opts,
        struct v2v_error **err)
{
  struct vhd_footer *f = &h->footer;
  const uint64_t block =
      opts->block_bytes ? opts->block_bytes : VHD_DEFAULT_BLOCK;

  if (opts->logical_sector_bytes != 0 &&
      opts->logical_sector_bytes != VHD_SECTOR)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "logical sectors of %" PRIu32
                     " bytes: a VHD has sectors of 512 only, use VHDX",
                     opts->logical_sector_bytes);
  switch (opts->subformat) {
  case V2V_SUB_FIXED:
    f->type = VHD_FIXED;
    break;
  case V2V_SUB_NONE:
  case V2V_SUB_DYNAMIC:
    f->type = VHD_DYNAMIC;
    break;
  case V2V_SUB_DIFFERENCING:
    f->type = VHD_DIFFERENCING;
    break;
  case V2V_SUB_SPARSE:
  case V2V_SUB_STREAM:
    return v2v_fail (err, V2V_ERR_USAGE, "VHD has no %s form",
                     v2v_subformat_name (opts->subformat));
  }
  if (apply_size_policy (opts, &f->current_size, err) == -1)
    return -1;
  f->original_size = f->current_size;
  f->features = VHD_FEATURES;
  f->version = VHD_VERSION;
  f->data_offset = vhd_is_fixed (h) ? VHD_NO_OFFSET : HEADER_OFFSET;
  f->timestamp = vhd_timestamp (time (NULL));
  memcpy (f->creator, "win ", 4);
  f->creator_version = CREATOR_VERSION;
  memcpy (f->creator_os, "Wi2k", 4);
  f->geometry = vhd_geometry_of (f->current_size / VHD_SECTOR);
  if (opts->id != NULL)
    f->id = *opts->id;
  else if (v2v_guid_random (&f->id, err) == -1)
    return -1;
  if (vhd_is_fixed (h))
    return 0;

  if (!v2v_is_pow2 (block) || block < VHD_MIN_WRITE_BLOCK ||
      block > VHD_MAX_WRITE_BLOCK)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "block size %" PRIu64 ", expected a power of two from "
                     "512 KiB to 256 MiB",
                     block);
  h->header.data_offset = VHD_NO_OFFSET;
  h->header.table_offset = TABLE_OFFSET;
  h->header.version = VHD_VERSION;
  h->header.block_size = (uint32_t) block;
  h->nr_blocks = v2v_div_up (f->current_size, block);
  h->header.max_entries = (uint32_t) h->nr_blocks;
  h->bitmap_bytes = vhd_bitmap_bytes (h->header.block_size);
  if (f->type == VHD_DIFFERENCING)
    return check_parent_opts (opts, f->current_size, err);
  return 0;
}

/* Where the first block goes.  With large blocks (whose bitmaps are whole
 * file-system blocks) all data can be aligned for the price of a few bytes;
 * with small ones nothing is gained, so nothing is spent.
 */
static uint64_t
first_block (const struct vhd *h, size_t locators_len)
{
  uint64_t offset = TABLE_OFFSET +
                    v2v_div_up (4 * h->nr_blocks, VHD_SECTOR) * VHD_SECTOR +
                    locators_len;

  if (h->bitmap_bytes % 4096 == 0)
    offset = v2v_div_up (offset, 4096) * 4096;
  return offset;
}

static uint64_t
locators_offset (const struct vhd *h)
{
  return TABLE_OFFSET + v2v_div_up (4 * h->nr_blocks, VHD_SECTOR) * VHD_SECTOR;
}

/* ---- create ---- */

static int
write_empty_bat (struct vhd *h, struct v2v_error **err)
{
  uint64_t left = v2v_div_up (4 * h->nr_blocks, VHD_SECTOR) * VHD_SECTOR;
  uint64_t offset = TABLE_OFFSET;
  const size_t step = (size_t) v2v_min_u64 (left, V2V_MIB);
  CLEANUP_FREE uint8_t *unused = malloc (step);

  if (unused == NULL)
    return v2v_fail_nomem (err);
  memset (unused, 0xff, step);
  while (left > 0) {
    const size_t n = (size_t) v2v_min_u64 (left, step);

    if (v2v_io_pwrite (h->file, unused, n, offset, err) == -1)
      return -1;
    offset += n;
    left -= n;
  }
  h->bat = malloc (h->nr_blocks * sizeof h->bat[0]);
  if (h->bat == NULL)
    return v2v_fail_nomem (err);
  memset (h->bat, 0xff, h->nr_blocks * sizeof h->bat[0]);
  return 0;
}

static int
write_header (struct vhd *h, struct v2v_error **err)
{
  uint8_t bytes[VHD_HEADER_SIZE];

  vhd_header_encode (&h->header, bytes);
  return v2v_io_pwrite (h->file, bytes, sizeof bytes, HEADER_OFFSET, err);
}

static int
start_sparse (struct vhd *h, const struct v2v_create_opts *opts,
              struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *locators = NULL;
  size_t len = 0;

  if (h->footer.type == VHD_DIFFERENCING) {
    const uint64_t offset = locators_offset (h);

    if (vhd_make_locators (h, opts, offset, &locators, &len, err) == -1 ||
        v2v_io_pwrite (h->file, locators, len, offset, err) == -1 ||
        vhd_read_parent_names (h, err) == -1)
      return -1;
  }
  if (write_header (h, err) == -1 || write_empty_bat (h, err) == -1)
    return -1;
  h->writer->next = h->data_end = first_block (h, len);
  return vhd_write_footer (h, VHD_PART_COOKIE, 0, err);
}

int
vhd_create (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
            struct v2v_error **err)
{
  struct vhd *h = vh;

  h->file = v2v_io_ref (file);
  if (design (h, opts, err) == -1)
    return -1;
  h->writer = vhd_writer_new (h, false, err);
  if (h->writer == NULL)
    return -1;
  h->writer->no_holes = opts->no_holes;
  vhd_fill_info (h);
  if (!vhd_is_fixed (h))
    return start_sparse (h, opts, err);
  h->data_end = h->footer.current_size;
  return vhd_write_footer (h, VHD_PART_COOKIE, h->data_end, err);
}

/* ---- resume ---- */

static int
fail_other (const char *what, struct v2v_error **err)
{
  v2v_fail (err, V2V_ERR_MISMATCH,
            "the unfinished file is not of this copy: another %s", what);
  return v2v_hint (err, "remove it and start again without resuming");
}

/* Read what create left, and compare it with what OPTS would give. */
static int
match_part (struct vhd *h, struct v2v_error **err)
{
  const uint64_t offset = vhd_is_fixed (h) ? h->footer.current_size : 0;
  uint8_t bytes[VHD_FOOTER_SIZE];
  struct vhd_footer f;

  if (!v2v_range_inside (offset, sizeof bytes, v2v_io_size (h->file)))
    return fail_other ("size, or nothing written yet", err);
  if (v2v_io_pread (h->file, bytes, sizeof bytes, offset, err) == -1)
    return -1;
  if (!vhd_footer_has_cookie (bytes, VHD_PART_COOKIE) ||
      !vhd_footer_checksum_ok (bytes, sizeof bytes))
    return fail_other ("format, or nothing written yet", err);
  vhd_footer_decode (bytes, &f);
  if (f.type != h->footer.type)
    return fail_other ("type", err);
  if (f.current_size != h->footer.current_size)
    return fail_other ("size", err);
  h->footer = f; /* with its identifier */
  return 0;
}

static int
match_header (struct vhd *h, const struct v2v_create_opts *opts,
              size_t *ret_locators_len, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *locators = NULL;
  uint8_t wanted[VHD_HEADER_SIZE], found[VHD_HEADER_SIZE];

  *ret_locators_len = 0;
  if (h->footer.type == VHD_DIFFERENCING &&
      (vhd_make_locators (h, opts, locators_offset (h), &locators,
                          ret_locators_len, err) == -1 ||
       vhd_read_parent_names (h, err) == -1))
    return -1;
  vhd_header_encode (&h->header, wanted);
  if (v2v_io_size (h->file) < TABLE_OFFSET)
    return fail_other ("header", err);
  if (v2v_io_pread (h->file, found, sizeof found, HEADER_OFFSET, err) == -1)
    return -1;
  if (memcmp (wanted, found, sizeof found) != 0)
    return fail_other ("block size or parent", err);
  return 0;
}

/* Take over the blocks that the last flush made known.  They are a prefix of
 * what was allocated: the rest of the file is dropped, because new blocks
 * rely on holes where nothing was written.
 */
static int
take_over_blocks (struct vhd *h, uint64_t first, struct v2v_error **err)
{
  const uint64_t stride = vhd_stride (h);
  CLEANUP_FREE uint8_t *seen = calloc (h->nr_blocks / 8 + 1, 1);
  uint64_t next = first;

  if (seen == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < h->nr_blocks; ++i) {
    const uint64_t start = (uint64_t) h->bat[i] * VHD_SECTOR;
    const uint64_t nr = start < first ? UINT64_MAX : (start - first) / stride;

    if (h->bat[i] == VHD_BAT_UNUSED)
      continue;
    if (nr >= h->nr_blocks || first + nr * stride != start ||
        (seen[nr / 8] >> (nr % 8) & 1) != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "unfinished file: BAT entry %" PRIu64
                       " points at sector %" PRIu32
                       ", where no block of ours begins",
                       i, h->bat[i]);
    seen[nr / 8] |= (uint8_t) (1u << (nr % 8));
    next = v2v_max_u64 (next, start + stride);
  }
  h->writer->next = h->data_end = next;
  return v2v_io_resize (h->file, next, err);
}

int
vhd_resume (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
            struct v2v_error **err)
{
  struct vhd *h = vh;
  size_t locators_len;

  if (v2v_io_size (file) == 0)
    return vhd_create (vh, file, opts, err);
  h->file = v2v_io_ref (file);
  if (design (h, opts, err) == -1 || match_part (h, err) == -1)
    return -1;
  h->writer = vhd_writer_new (h, false, err);
  if (h->writer == NULL)
    return -1;
  h->writer->no_holes = opts->no_holes;
  vhd_fill_info (h);
  h->data_end = h->footer.current_size;
  if (vhd_is_fixed (h))
    return 0;
  if (match_header (h, opts, &locators_len, err) == -1)
    return -1;
  if (!v2v_range_inside (TABLE_OFFSET, 4 * h->nr_blocks, v2v_io_size (file)))
    return fail_other ("length: the BAT is cut off", err);
  if (vhd_load_bat (h, err) == -1)
    return -1;
  return take_over_blocks (h, first_block (h, locators_len), err);
}

/* ---- in place ---- */

/* New blocks go behind everything.  Before the end footer may be overwritten
 * the copy at offset 0 has to be good, and the other way round.
 */
static int
prepare_footers (struct vhd *h, struct v2v_error **err)
{
  struct vhd_writer *w = h->writer;
  uint64_t next = h->data_end;

  if (!h->end_footer_ok || h->data_end % VHD_SECTOR != 0)
    next = v2v_div_up (v2v_io_size (h->file), VHD_SECTOR) * VHD_SECTOR;
  for (uint64_t i = 0; i < h->nr_blocks; ++i)
    if (h->bat[i] != VHD_BAT_UNUSED)
      next = v2v_max_u64 (next,
                          (uint64_t) h->bat[i] * VHD_SECTOR + vhd_stride (h));
  w->next = next;
  if (vhd_write_footer (h, VHD_FOOTER_COOKIE, next, err) == -1 ||
      v2v_io_resize (h->file, next + VHD_FOOTER_SIZE, err) == -1 ||
      v2v_io_sync (h->file, err) == -1 ||
      vhd_write_footer (h, VHD_FOOTER_COOKIE, 0, err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}

int
vhd_open_rw (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
             struct v2v_error **err)
{
  struct vhd *h = vh;

  if (vhd_open (vh, file, opts, err) == -1)
    return -1;
  h->writer = vhd_writer_new (h, true, err);
  if (h->writer == NULL)
    return -1;
  return vhd_is_fixed (h) ? 0 : prepare_footers (h, err);
}

/* ---- finish ---- */

/* The tables and data are safe before any footer makes the file a VHD. */
static int
complete (struct vhd *h, struct v2v_error **err)
{
  const uint64_t end =
      vhd_is_fixed (h) ? h->footer.current_size : h->writer->next;

  if (!vhd_is_fixed (h) && vhd_write_dirty_bat (h, err) == -1)
    return -1;
  if (v2v_io_resize (h->file, end + VHD_FOOTER_SIZE, err) == -1 ||
      (h->writer->no_holes && v2v_io_allocate (h->file, err) == -1) ||
      v2v_io_sync (h->file, err) == -1)
    return -1;
  if (!vhd_is_fixed (h) &&
      vhd_write_footer (h, VHD_FOOTER_COOKIE, 0, err) == -1)
    return -1;
  if (vhd_write_footer (h, VHD_FOOTER_COOKIE, end, err) == -1)
    return -1;
  return v2v_io_sync (h->file, err);
}

int
vhd_finish (void *vh, struct v2v_error **err)
{
  struct vhd *h = vh;

  if (h->writer->in_place)
    return vhd_flush (vh, err);
  if (complete (h, err) == -1)
    return -1;
  h->timestamp = vhd_file_timestamp (h->file);
  if (h->timestamp == 0)
    h->timestamp = h->footer.timestamp;
  return 0;
}
