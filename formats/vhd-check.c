/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "v2v check" of a VHD: every structure against the file and against each
 * other.  The reader stops at the first fault; this goes on and reports all.
 *
 * Repaired: a damaged footer or copy (from the good one), checksums of
 * structures whose fields all make sense, BAT padding, and space behind the
 * last block that nothing refers to.  Not repaired: anything that would need a
 * guess about whose data a block is.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/vhd-internal.h"

struct checker {
  struct vhd h; /* as much of it as could be read */
  struct v2v_io *file;
  bool repair;
  const struct v2v_open_opts *opts;
  struct v2v_check_report *report;
  struct vhd_found end, copy;
  uint64_t nr_damage;
};

/* A used range of the file. */
struct region {
  uint64_t start;
  uint64_t end;
  const char *what;
  uint64_t block; /* if WHAT is "block" */
};

static const char a_block[] = "block";

/* "block 17" or "the BAT". */
static const char *
region_name (const struct region *r, char buf[32])
{
  if (r->what != a_block)
    return r->what;
  snprintf (buf, 32, "block %" PRIu64, r->block);
  return buf;
}

/* Add an item; running out of memory stops the check. */
#define ADD(c, sev, repaired, id, ...)                                         \
  do {                                                                         \
    if ((sev) == V2V_CHECK_DAMAGE && !(repaired))                              \
      (c)->nr_damage++;                                                        \
    if (v2v_check_add ((c)->report, (sev), (repaired), (id), __VA_ARGS__) ==   \
        -1)                                                                    \
      return v2v_fail_nomem (err);                                             \
  } while (0)

static bool
is_sparse (const struct vhd_footer *f)
{
  return f->type == VHD_DYNAMIC || f->type == VHD_DIFFERENCING;
}

/* ---- footers ---- */

static int
check_fields (struct checker *c, struct v2v_error **err)
{
  const struct vhd_footer *f = &c->h.footer;
  const struct vhd_geometry g = vhd_geometry_of (f->current_size / VHD_SECTOR);

  if ((f->features & VHD_FEATURES) == 0 && c->end.length == VHD_FOOTER_SIZE)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.footer.features",
         "footer: features 0x%" PRIx32 ", the reserved bit 1 is not set",
         f->features);
  if (f->geometry.cylinders != g.cylinders || f->geometry.heads != g.heads ||
      f->geometry.sectors != g.sectors)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.footer.geometry",
         "footer: geometry %u/%u/%u, the size of %" PRIu64
         " bytes gives %u/%u/%u",
         f->geometry.cylinders, f->geometry.heads, f->geometry.sectors,
         f->current_size, g.cylinders, g.heads, g.sectors);
  if (f->saved_state != 0)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.footer.saved-state",
         "footer: marked as being in a saved state");
  if (v2v_guid_is_zero (&f->id))
    ADD (c, V2V_CHECK_NOTE, false, "vhd.footer.id",
         "footer: the unique identifier is zero, children cannot tell their "
         "parent by it");
  return 0;
}

static int
put_footer (struct checker *c, uint64_t offset, struct v2v_error **err)
{
  /* Byte for byte the good one, reserved bytes included. */
  const struct vhd_found *good = c->end.valid ? &c->end : &c->copy;

  if (v2v_io_pwrite (c->file, good->bytes, VHD_FOOTER_SIZE, offset, err) == -1)
    return -1;
  return v2v_io_sync (c->file, err);
}

/* A footer whose only fault is the checksum. */
static bool
is_plausible (const struct checker *c, const struct vhd_found *f)
{
  return f->cookie && f->length == VHD_FOOTER_SIZE &&
         f->footer.features == VHD_FEATURES &&
         vhd_judge_footer (&f->footer, "", NULL) == 0 &&
         (f->footer.type == VHD_FIXED
              ? f->footer.current_size == c->end.offset
              : v2v_range_inside (f->footer.data_offset, VHD_HEADER_SIZE,
                                  v2v_io_size (c->file)));
}

/* Neither is valid: the end footer may still make sense. */
static int
rescue_footer (struct checker *c, bool *ret_usable, struct v2v_error **err)
{
  struct vhd_found *end = &c->end;

  *ret_usable = false;
  if (!is_plausible (c, end)) {
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.footer.missing",
         end->cookie ? "footer: damaged, and there is no good copy at offset 0"
                     : "no footer at the end of the file, and no good copy "
                       "at offset 0");
    return 0;
  }
  *ret_usable = true;
  if (c->repair) {
    vhd_footer_encode (&end->footer, VHD_FOOTER_COOKIE, end->bytes);
    end->valid = true;
    if (put_footer (c, end->offset, err) == -1)
      return -1;
  }
  ADD (c, V2V_CHECK_DAMAGE, c->repair, "vhd.footer.checksum",
       "footer: checksum 0x%08" PRIx32 " does not match its contents, which "
       "make sense",
       end->footer.checksum);
  return 0;
}

static int
check_copies (struct checker *c, struct v2v_error **err)
{
  const bool end_ok = c->end.valid;

  if (!is_sparse (&c->h.footer))
    return 0;
  if (!end_ok) {
    /* Where a footer was, or would be, at the end of the file. */
    const uint64_t size = v2v_io_size (c->file);
    const uint64_t offset = c->end.cookie
                                ? c->end.offset
                                : v2v_div_up (size, VHD_SECTOR) * VHD_SECTOR;

    if (c->repair && put_footer (c, offset, err) == -1)
      return -1;
    ADD (c, V2V_CHECK_DAMAGE, c->repair, "vhd.footer.end",
         "footer at the end is %s; the copy at offset 0 is good",
         c->end.cookie ? "damaged (wrong checksum)" : "missing");
    return 0;
  }
  if (!c->copy.valid) {
    if (c->repair && put_footer (c, 0, err) == -1)
      return -1;
    ADD (c, V2V_CHECK_DAMAGE, c->repair, "vhd.footer.copy",
         "footer copy at offset 0 is %s; the footer at the end is good",
         c->copy.cookie ? "damaged (wrong checksum)" : "missing");
  }
  else if (memcmp (c->end.bytes, c->copy.bytes, c->end.length) != 0) {
    if (c->repair && put_footer (c, 0, err) == -1)
      return -1;
    ADD (c, V2V_CHECK_DAMAGE, c->repair, "vhd.footer.differ",
         "footer at the end and its copy at offset 0 differ; the one at the "
         "end counts");
  }
  return 0;
}

static int
check_footers (struct checker *c, bool *ret_usable, struct v2v_error **err)
{
  struct v2v_error *e = NULL;

  if (vhd_find_end_footer (c->file, &c->end, err) == -1 ||
      vhd_find_copy (c->file, &c->copy, err) == -1)
    return -1;
  c->h.data_end =
      c->end.valid || c->end.cookie ? c->end.offset : v2v_io_size (c->file);
  if (c->end.valid)
    c->h.footer = c->end.footer;
  else if (c->copy.valid && is_sparse (&c->copy.footer))
    c->h.footer = c->copy.footer;
  else {
    if (rescue_footer (c, ret_usable, err) == -1 || !*ret_usable)
      return *ret_usable ? -1 : 0;
    c->h.footer = c->end.footer;
  }
  if (vhd_judge_footer (&c->h.footer, "footer", &e) == -1) {
    const int r =
        v2v_check_add (c->report, V2V_CHECK_DAMAGE, false, "vhd.footer.fields",
                       "%s", v2v_error_message (e));

    v2v_error_free (e);
    *ret_usable = false;
    return r == -1 ? v2v_fail_nomem (err) : 0;
  }
  *ret_usable = true;
  if (check_fields (c, err) == -1)
    return -1;
  if (!c->end.valid && !c->copy.valid)
    return 0; /* reported by rescue_footer */
  return check_copies (c, err);
}

/* ---- dynamic header ---- */

static int
check_header (struct checker *c, bool *ret_usable, struct v2v_error **err)
{
  struct vhd *h = &c->h;
  const uint64_t offset = h->footer.data_offset;
  uint8_t bytes[VHD_HEADER_SIZE];
  struct v2v_error *e = NULL;
  bool checksum_ok;

  *ret_usable = false;
  if (offset < VHD_FOOTER_SIZE ||
      !v2v_range_inside (offset, sizeof bytes, v2v_io_size (c->file))) {
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.header.place",
         "footer: dynamic header at %" PRIu64 ", outside the file (%" PRIu64
         ")",
         offset, v2v_io_size (c->file));
    return 0;
  }
  if (v2v_io_pread (c->file, bytes, sizeof bytes, offset, err) == -1)
    return -1;
  if (!vhd_header_has_cookie (bytes)) {
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.header.cookie",
         "dynamic header: no '%s' at %" PRIu64, VHD_HEADER_COOKIE, offset);
    return 0;
  }
  vhd_header_decode (bytes, &h->header);
  checksum_ok = vhd_header_checksum_ok (bytes);
  if (vhd_judge_header (h, &e) == -1) {
    const int r =
        v2v_check_add (c->report, V2V_CHECK_DAMAGE, false, "vhd.header.fields",
                       "%s", v2v_error_message (e));

    v2v_error_free (e);
    return r == -1 ? v2v_fail_nomem (err) : 0;
  }
  *ret_usable = true;
  if (!checksum_ok) {
    if (c->repair) {
      vhd_header_encode (&h->header, bytes);
      if (v2v_io_pwrite (c->file, bytes, sizeof bytes, offset, err) == -1 ||
          v2v_io_sync (c->file, err) == -1)
        return -1;
    }
    ADD (c, V2V_CHECK_DAMAGE, c->repair, "vhd.header.checksum",
         "dynamic header: checksum 0x%08" PRIx32
         " does not match its contents, which make sense",
         h->header.checksum);
  }
  if (h->header.max_entries > h->nr_blocks)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.header.entries",
         "dynamic header: %" PRIu32 " table entries, the disk needs %" PRIu64,
         h->header.max_entries, h->nr_blocks);
  return 0;
}

/* ---- parent ---- */

static int
check_locators (struct checker *c, struct v2v_error **err)
{
  struct vhd *h = &c->h;

  for (size_t i = 0; i < VHD_NR_LOCATORS; ++i) {
    const struct vhd_locator *l = &h->header.locators[i];

    if (l->code == 0)
      continue;
    if (l->data_length == 0 || l->data_length > VHD_MAX_LOCATOR ||
        !v2v_range_inside (l->data_offset, l->data_length, h->data_end))
      ADD (c, V2V_CHECK_DAMAGE, false, "vhd.locator.place",
           "parent locator %zu: %" PRIu32 " bytes at %" PRIu64
           ", expected 1 to %u bytes inside the file (%" PRIu64 ")",
           i, l->data_length, l->data_offset, VHD_MAX_LOCATOR, h->data_end);
  }
  h->file = c->file;
  if (vhd_read_parent_names (h, err) == -1)
    return -1;
  if (h->names[0] == NULL)
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.locator.none",
         "no parent locator and no parent name can be read");
  if (v2v_guid_is_zero (&h->header.parent_id))
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.parent.id",
         "differencing disk without its parent's identifier");
  return 0;
}

/* Can the chain be opened?  Only asked when this file is sound: its own
 * faults would be reported again as those of the chain.
 */
static int
check_chain (struct checker *c, struct v2v_error **err)
{
  struct v2v_open_opts opts = *c->opts;
  struct v2v_error *e = NULL;
  struct v2v_image *img;

  if (c->opts->no_parents || c->nr_damage > 0)
    return 0;
  opts.format = "vhd";
  img = v2v_image_open_io (c->file, &opts, &e);
  if (img == NULL) {
    const int r = v2v_check_add (c->report, V2V_CHECK_DAMAGE, false,
                                 "vhd.chain", "%s", v2v_error_message (e));

    v2v_error_free (e);
    return r == -1 ? v2v_fail_nomem (err) : 0;
  }
  v2v_image_close (img);
  return 0;
}

/* ---- blocks ---- */

static int
compare_regions (const void *a, const void *b)
{
  const struct region *x = a, *y = b;

  return (x->start > y->start) - (x->start < y->start);
}

/* Drop what follows the last used byte and move the end footer there.  The
 * copy at offset 0 is good at this point, whatever moment a crash picks.
 */
static int
cut_tail (struct checker *c, uint64_t used_end, struct v2v_error **err)
{
  if (put_footer (c, used_end, err) == -1 ||
      v2v_io_resize (c->file, used_end + VHD_FOOTER_SIZE, err) == -1)
    return -1;
  return v2v_io_sync (c->file, err);
}

static int
check_regions (struct checker *c, struct region *r, size_t n,
               struct v2v_error **err)
{
  const uint64_t stride = vhd_stride (&c->h);
  uint64_t used_end = 0, leaked = 0, nr_gaps = 0;
  size_t widest = 0;

  qsort (r, n, sizeof r[0], compare_regions);
  for (size_t i = 0; i < n; ++i) {
    if (r[i].start < used_end) {
      char a[32], b[32];

      ADD (c, V2V_CHECK_DAMAGE, false, "vhd.bat.overlap",
           "%s overlaps %s at offset %" PRIu64, region_name (&r[i], a),
           region_name (&r[widest], b), r[i].start);
    }
    else if (r[i].start - used_end >= stride) {
      leaked += r[i].start - used_end;
      nr_gaps++;
    }
    if (r[i].end > used_end) {
      used_end = r[i].end;
      widest = i;
    }
  }
  if (nr_gaps > 0)
    ADD (c, V2V_CHECK_LEAK, false, "vhd.block.orphan",
         "%" PRIu64 " bytes in %" PRIu64 " places between the blocks belong "
         "to no block: room for whole blocks that nothing refers to",
         leaked, nr_gaps);
  if (c->h.data_end > used_end && c->h.data_end - used_end >= stride) {
    const bool can = c->repair && c->nr_damage == 0 &&
                     c->end.length == VHD_FOOTER_SIZE &&
                     used_end % VHD_SECTOR == 0;

    if (can && cut_tail (c, used_end, err) == -1)
      return -1;
    ADD (c, V2V_CHECK_LEAK, can, "vhd.block.orphan",
         "%" PRIu64 " bytes behind the last block belong to no block",
         c->h.data_end - used_end);
  }
  return 0;
}

/* A bitmap with clear bits in a dynamic disk: zeros for those who read it,
 * whatever the block holds for those who do not (QEMU).
 */
static int
check_bitmap (struct checker *c, uint64_t block, uint64_t *nr_partial,
              struct v2v_error **err)
{
  const struct vhd *h = &c->h;
  const uint64_t bits = vhd_block_len (h, block) / VHD_SECTOR;
  CLEANUP_FREE uint8_t *bitmap = NULL;
  bool value;

  bitmap = malloc (h->bitmap_bytes);
  if (bitmap == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (c->file, bitmap, h->bitmap_bytes,
                    (uint64_t) h->bat[block] * VHD_SECTOR, err) == -1)
    return -1;
  if (vhd_bitmap_run (bitmap, 0, bits, &value) < bits || !value)
    ++*nr_partial;
  return 0;
}

static size_t
fixed_regions (const struct checker *c, struct region *r)
{
  const struct vhd *h = &c->h;
  size_t n = 0;

  r[n++] = (struct region){ 0, VHD_FOOTER_SIZE, "the footer copy", 0 };
  r[n++] = (struct region){ h->footer.data_offset,
                            h->footer.data_offset + VHD_HEADER_SIZE,
                            "the dynamic header", 0 };
  r[n++] =
      (struct region){ h->header.table_offset,
                       h->header.table_offset +
                           v2v_div_up (4 * (uint64_t) h->header.max_entries,
                                       VHD_SECTOR) *
                               VHD_SECTOR,
                       "the BAT", 0 };
  for (size_t i = 0; i < VHD_NR_LOCATORS; ++i) {
    const struct vhd_locator *l = &h->header.locators[i];

    if (h->footer.type == VHD_DIFFERENCING && l->code != 0 &&
        l->data_length > 0 &&
        v2v_range_inside (l->data_offset, l->data_length, h->data_end))
      r[n++] = (struct region){ l->data_offset, l->data_offset + l->data_length,
                                "a parent locator", 0 };
  }
  return n;
}

static int
check_blocks (struct checker *c, struct v2v_error **err)
{
  struct vhd *h = &c->h;
  CLEANUP_FREE struct region *r = NULL;
  uint64_t count = 0, nr_partial = 0;
  size_t n;

  if (vhd_load_bat (h, err) == -1)
    return -1;
  c->report->nr_blocks_total = h->nr_blocks;
  for (uint64_t i = 0; i < h->nr_blocks; ++i)
    count += h->bat[i] != VHD_BAT_UNUSED;
  c->report->nr_blocks = count;
  r = calloc (count + 3 + VHD_NR_LOCATORS, sizeof r[0]);
  if (r == NULL)
    return v2v_fail_nomem (err);
  n = fixed_regions (c, r);
  for (uint64_t i = 0; i < h->nr_blocks; ++i) {
    const uint64_t start = (uint64_t) h->bat[i] * VHD_SECTOR;
    const uint64_t needed = h->bitmap_bytes + vhd_block_len (h, i);

    if (h->bat[i] == VHD_BAT_UNUSED)
      continue;
    if (!v2v_range_inside (start, needed, h->data_end)) {
      ADD (c, V2V_CHECK_DAMAGE, false, "vhd.bat.outside",
           "BAT: entry %" PRIu64 " points at sector %" PRIu32
           ", its block ends past the data (%" PRIu64 " bytes)",
           i, h->bat[i], h->data_end);
      continue;
    }
    if (start + vhd_stride (h) > h->data_end)
      ADD (c, V2V_CHECK_NOTE, false, "vhd.block.short",
           "block %" PRIu64 " is cut off behind the end of the disk", i);
    r[n++] = (struct region){ start, start + vhd_stride (h), a_block, i };
    if (h->footer.type == VHD_DYNAMIC &&
        check_bitmap (c, i, &nr_partial, err) == -1)
      return -1;
  }
  if (nr_partial > 0)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.bitmap.partial",
         "%" PRIu64 " blocks are only partly marked as present: the rest is "
         "zeros, which not every reader honours",
         nr_partial);
  return check_regions (c, r, n, err);
}

/* Entries past the last block, up to the end of the BAT's last sector, are
 * all ones.
 */
static int
check_padding (struct checker *c, struct v2v_error **err)
{
  struct vhd *h = &c->h;
  const uint64_t used = 4 * h->nr_blocks;
  const uint64_t n = v2v_div_up (used, VHD_SECTOR) * VHD_SECTOR - used;
  const uint64_t offset = h->header.table_offset + used;
  uint8_t pad[VHD_SECTOR], ones[VHD_SECTOR];

  if (n == 0 || !v2v_range_inside (offset, n, h->data_end))
    return 0;
  if (v2v_io_pread (c->file, pad, n, offset, err) == -1)
    return -1;
  memset (ones, 0xff, sizeof ones);
  if (memcmp (pad, ones, n) == 0)
    return 0;
  if (c->repair && c->nr_damage == 0 && h->header.max_entries == h->nr_blocks) {
    if (v2v_io_pwrite (c->file, ones, n, offset, err) == -1 ||
        v2v_io_sync (c->file, err) == -1)
      return -1;
    ADD (c, V2V_CHECK_NOTE, true, "vhd.bat.padding",
         "BAT: padding behind the last entry was not all ones");
  }
  else
    ADD (c, V2V_CHECK_NOTE, false, "vhd.bat.padding",
         "BAT: padding behind the last entry is not all ones");
  return 0;
}

/* ---- the whole ---- */

static int
check_fixed (struct checker *c, struct v2v_error **err)
{
  const uint64_t size = c->h.footer.current_size;

  if (size > c->h.data_end)
    ADD (c, V2V_CHECK_DAMAGE, false, "vhd.fixed.short",
         "footer: current size %" PRIu64 ", but only %" PRIu64
         " bytes of data come before it",
         size, c->h.data_end);
  else if (size < c->h.data_end)
    ADD (c, V2V_CHECK_NOTE, false, "vhd.fixed.long",
         "%" PRIu64 " bytes lie between the disk's end and the footer",
         c->h.data_end - size);
  return 0;
}

static int
check_all (struct checker *c, struct v2v_error **err)
{
  bool usable;

  if (check_footers (c, &usable, err) == -1)
    return -1;
  if (!usable)
    return 0;
  if (c->h.footer.type == VHD_FIXED)
    return check_fixed (c, err);
  if (check_header (c, &usable, err) == -1)
    return -1;
  if (!usable)
    return 0;
  if (c->h.footer.type == VHD_DIFFERENCING && check_locators (c, err) == -1)
    return -1;
  if (check_padding (c, err) == -1 || check_blocks (c, err) == -1)
    return -1;
  return c->h.footer.type == VHD_DIFFERENCING ? check_chain (c, err) : 0;
}

int
vhd_check (struct v2v_io *file, bool repair, const struct v2v_open_opts *opts,
           struct v2v_check_report *report, struct v2v_error **err)
{
  struct checker c = {
    .file = file, .repair = repair, .opts = opts, .report = report
  };
  int r;

  c.h.file = file; /* borrowed */
  r = check_all (&c, err);
  free (c.h.bat);
  vhd_clear_parent_names (&c.h);
  return r;
}
