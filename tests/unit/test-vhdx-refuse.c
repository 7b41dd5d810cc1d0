/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHDX reader: one malformed file for each check. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "vhdx-build.h"

/* ---- malformed ---- */

struct bad {
  const char *what; /* part of the message */
  enum v2v_error_code code;
  void (*damage) (struct vhdx_build *b);
  bool sealed; /* checksums put right after the damage */
  unsigned flags;
  bool on_read; /* found when block 0 is read, not on opening */
};

#define DAMAGE(name) static void name (struct vhdx_build *b)

DAMAGE (no_signature)
{
  b->bytes[0] = 'V';
}
DAMAGE (too_short)
{
  b->len = MIB - 1;
}
DAMAGE (both_headers)
{
  vhdx_build_header (b, 0)[9] ^= 1;
  vhdx_build_header (b, 1)[9] ^= 1;
}
DAMAGE (header_signatures)
{
  vhdx_build_header (b, 0)[0] = 'H';
  vhdx_build_header (b, 1)[0] = 'H';
}
DAMAGE (equal_sequences)
{
  v2v_put_le64 (vhdx_build_header (b, 0) + 8, 11);
  vhdx_build_header (b, 0)[16] = 0;
}
DAMAGE (version_2)
{
  v2v_put_le16 (vhdx_build_header (b, 1) + 66, 2);
}
DAMAGE (log_version_1)
{
  v2v_put_le16 (vhdx_build_header (b, 1) + 64, 1);
  vhdx_build_header (b, 1)[48] = 1;
}
DAMAGE (log_unaligned)
{
  v2v_put_le64 (vhdx_build_header (b, 1) + 72, MIB + 4096);
}
DAMAGE (log_over_headers)
{
  v2v_put_le64 (vhdx_build_header (b, 1) + 72, 0);
}
DAMAGE (log_past_end)
{
  v2v_put_le64 (vhdx_build_header (b, 1) + 72, 16 * MIB);
}
DAMAGE (log_past_2_64)
{
  v2v_put_le64 (vhdx_build_header (b, 1) + 72, UINT64_MAX - MIB + 1);
}
DAMAGE (log_length_odd)
{
  v2v_put_le32 (vhdx_build_header (b, 1) + 68, 4096);
}
DAMAGE (log_too_long)
{
  v2v_put_le32 (vhdx_build_header (b, 1) + 68, 0x40100000);
}
DAMAGE (log_guid_without_log)
{
  v2v_put_le32 (vhdx_build_header (b, 1) + 68, 0);
  vhdx_build_header (b, 1)[48] = 1;
}
DAMAGE (log_without_entries)
{
  vhdx_build_header (b, 1)[48] = 1;
}
DAMAGE (both_regions)
{
  vhdx_build_regions (b, 0)[99] ^= 1;
  vhdx_build_regions (b, 1)[99] ^= 1;
}
DAMAGE (too_many_regions)
{
  v2v_put_le32 (vhdx_build_regions (b, 0) + 8, 2048);
  v2v_put_le32 (vhdx_build_regions (b, 1) + 8, 0xffffffff);
}
DAMAGE (region_unaligned)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, BUILD_BAT + 512);
}
DAMAGE (region_in_headers)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, 0);
}
DAMAGE (region_empty)
{
  v2v_put_le32 (vhdx_build_regions (b, 0) + 40, 0);
}
DAMAGE (region_past_end)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, 16 * MIB);
}
DAMAGE (region_wraps)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, UINT64_MAX - MIB + 1);
}
DAMAGE (regions_overlap)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, BUILD_METADATA);
}
DAMAGE (region_over_log)
{
  v2v_put_le64 (vhdx_build_regions (b, 0) + 32, BUILD_LOG);
}
DAMAGE (region_twice)
{
  uint8_t *r = vhdx_build_regions (b, 0);
  memcpy (r + 80, r + 16, 32);
  v2v_put_le64 (r + 80 + 16, 9 * MIB);
  v2v_put_le32 (r + 8, 3);
}
DAMAGE (region_unknown)
{
  uint8_t *r = vhdx_build_regions (b, 0);
  memcpy (r + 80, r + 16, 32);
  r[80] ^= 0xff;
  v2v_put_le64 (r + 80 + 16, 9 * MIB);
  v2v_put_le32 (r + 8, 3);
}
DAMAGE (no_bat_region)
{
  v2v_put_le32 (vhdx_build_regions (b, 0) + 44, 0);
  vhdx_build_regions (b, 0)[16] ^= 1;
}
DAMAGE (metadata_signature)
{
  b->bytes[BUILD_METADATA] = 'M';
}
DAMAGE (metadata_count)
{
  v2v_put_le16 (b->bytes + BUILD_METADATA + 10, 2048);
}
DAMAGE (item_missing)
{
  v2v_put_le16 (b->bytes + BUILD_METADATA + 10, 4);
}
DAMAGE (item_twice)
{
  memcpy (vhdx_build_item_entry (b, 5), vhdx_build_item_entry (b, 1), 32);
  v2v_put_le16 (b->bytes + BUILD_METADATA + 10, 6);
}
DAMAGE (item_unknown)
{
  memcpy (vhdx_build_item_entry (b, 5), vhdx_build_item_entry (b, 1), 32);
  vhdx_build_item_entry (b, 5)[3] ^= 1;
  v2v_put_le16 (b->bytes + BUILD_METADATA + 10, 6);
}
DAMAGE (item_incomplete)
{
  static const uint8_t id[16] = { 0xf0, 0x85, 0xcc, 0x71, 0x69, 0x1b,
                                  0x28, 0x4e, 0x95, 0x58, 0xc3, 0xbf,
                                  0x83, 0xae, 0x75, 0xd3 };
  memcpy (vhdx_build_item_entry (b, 5), id, 16);
  v2v_put_le16 (b->bytes + BUILD_METADATA + 10, 6);
}
DAMAGE (item_in_table)
{
  v2v_put_le32 (vhdx_build_item_entry (b, 1) + 16, 65535);
}
DAMAGE (item_past_region)
{
  v2v_put_le32 (vhdx_build_item_entry (b, 1) + 16, MIB - 7);
}
DAMAGE (item_offset_huge)
{
  v2v_put_le32 (vhdx_build_item_entry (b, 1) + 16, 0xffffffff);
}
DAMAGE (item_length)
{
  v2v_put_le32 (vhdx_build_item_entry (b, 1) + 20, 7);
}
DAMAGE (block_odd)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS), 3 * MIB);
}
DAMAGE (block_small)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS), MIB / 2);
}
DAMAGE (block_large)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS), 512 * MIB);
}
DAMAGE (block_zero)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS), 0);
}
DAMAGE (sector_1024)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_LOGICAL), 1024);
}
DAMAGE (sector_0)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_LOGICAL), 0);
}
DAMAGE (physical_520)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PHYSICAL), 520);
}
DAMAGE (size_0)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), 0);
}
DAMAGE (size_odd)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), 1000);
}
DAMAGE (size_65_tib)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), (UINT64_C (1) << 46) + 512);
}
DAMAGE (size_over_bat)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), UINT64_C (1) << 38);
}
DAMAGE (parent_flag_alone)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS) + 4, 2);
}
DAMAGE (locator_alone)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS) + 4, 0);
}
DAMAGE (locator_type)
{
  vhdx_build_item (b, ITEM_LOCATOR)[0] ^= 1;
}
DAMAGE (locator_empty)
{
  v2v_put_le16 (vhdx_build_item (b, ITEM_LOCATOR) + 18, 0);
}
DAMAGE (locator_257)
{
  v2v_put_le16 (vhdx_build_item (b, ITEM_LOCATOR) + 18, 257);
}
DAMAGE (locator_short)
{
  v2v_put_le32 (vhdx_build_item_entry (b, ITEM_LOCATOR) + 20, 19);
}
DAMAGE (locator_key_outside)
{
  v2v_put_le32 (vhdx_build_item (b, ITEM_LOCATOR) + 20, 0xfffffffe);
}
DAMAGE (locator_odd_length)
{
  v2v_put_le16 (vhdx_build_item (b, ITEM_LOCATOR) + 28, 27);
}
DAMAGE (locator_no_linkage)
{
  vhdx_build_item (b, ITEM_LOCATOR)[44] = 'P';
}
DAMAGE (locator_bad_guid)
{
  vhdx_build_item (b, ITEM_LOCATOR)[44 + 28 + 2] = 'x';
}
DAMAGE (locator_twice)
{
  uint8_t *l = vhdx_build_item (b, ITEM_LOCATOR);
  memcpy (l + 32, l + 20, 12);
}
DAMAGE (locator_surrogate)
{
  v2v_put_le16 (vhdx_build_item (b, ITEM_LOCATOR) + 44, 0xdc00);
}
DAMAGE (locator_no_path)
{
  v2v_put_le16 (vhdx_build_item (b, ITEM_LOCATOR) + 18, 1);
}
DAMAGE (bat_reserved)
{
  vhdx_build_bat (b, 0, BUILD_DATA | 0x10006);
}
DAMAGE (bat_state_4)
{
  vhdx_build_bat (b, 0, BUILD_DATA | 4);
}
DAMAGE (bat_state_7)
{
  vhdx_build_bat (b, 0, BUILD_DATA | 7);
}
DAMAGE (bat_header_section)
{
  vhdx_build_bat (b, 0, 6);
}
DAMAGE (bat_over_log)
{
  vhdx_build_bat (b, 0, BUILD_LOG | 6);
}
DAMAGE (bat_over_bat)
{
  vhdx_build_bat (b, 0, BUILD_BAT | 6);
}
DAMAGE (bat_past_end)
{
  vhdx_build_bat (b, 0, (16 * MIB) | 6);
}
DAMAGE (bat_wraps)
{
  vhdx_build_bat (b, 0, ~UINT64_C (0xfffff) | 6);
}
DAMAGE (partial_no_bitmap)
{
  vhdx_build_block (b, 0, BUILD_DATA, 7);
}
DAMAGE (bitmap_state)
{
  partial_no_bitmap (b);
  vhdx_build_bat (b, b->chunk_ratio, BUILD_DATA | 2);
}
DAMAGE (bitmap_past_end)
{
  partial_no_bitmap (b);
  vhdx_build_bat (b, b->chunk_ratio, (16 * MIB) | 6);
}
DAMAGE (bitmap_reserved)
{
  partial_no_bitmap (b);
  vhdx_build_bat (b, b->chunk_ratio, (BUILD_DATA + MIB) | 0x80006);
}

#define F V2V_ERR_FORMAT
#define U V2V_ERR_UNSUPPORTED

/* clang-format off: a table */
static const struct bad bad[] = {
  { "no 'vhdxfile' signature", F, no_signature, true, 0, false },
  { "header section of 1 MiB", F, too_short, true, 0, false },
  { "neither has a good signature and checksum", F, both_headers, false, 0,
    false },
  { "neither has a good signature and checksum", F, header_signatures, true, 0,
    false },
  { "both have sequence number 11 but they differ", F, equal_sequences, true, 0,
    false },
  { "version 2, expected 1", U, version_2, true, 0, false },
  { "log version 1, expected 0", U, log_version_1, true, 0, false },
  { "log at 1052672", F, log_unaligned, true, 0, false },
  { "log at 0", F, log_over_headers, true, 0, false },
  { "past the end of the file", F, log_past_end, true, 0, false },
  { "past the end of the file", F, log_past_2_64, true, 0, false },
  { "log of 4096 bytes", F, log_length_odd, true, 0, false },
  { "log of 1074790400 bytes", F, log_too_long, true, 0, false },
  { "log of 0 bytes", F, log_guid_without_log, true, 0, false },
  { "no valid sequence", F, log_without_entries, true, 0, false },
  { "region tables: neither", F, both_regions, false, 0, false },
  { "region tables: neither", F, too_many_regions, true, 0, false },
  { "1048576 bytes at 3146240, expected multiples", F, region_unaligned, true,
    0, false },
  { "1048576 bytes at 0, expected", F, region_in_headers, true, 0, false },
  { "0 bytes at 3145728, expected", F, region_empty, true, 0, false },
  { "past the end of the file (16777216)", F, region_past_end, true, 0, false },
  { "past the end of the file (16777216)", F, region_wraps, true, 0, false },
  { "overlaps the one at", F, regions_overlap, true, 0, false },
  { "overlaps the one at", F, region_over_log, true, 0, false },
  { "is there twice", F, region_twice, true, 0, false },
  { "is required to read this file, but unknown", U, region_unknown, true, 0,
    false },
  { "no BAT region", F, no_bat_region, true, 0, false },
  { "no 'metadata' signature", F, metadata_signature, true, 0, false },
  { "2048 items, expected at most 2047", F, metadata_count, true, 0, false },
  { "'physical sector size' is missing", F, item_missing, true, 0, false },
  { "'virtual disk size' is there twice", F, item_twice, true, 0, false },
  { "is required to read this file, but unknown", U, item_unknown, true, 0,
    false },
  { "marked as incomplete", U, item_incomplete, true, 0, false },
  { "8 bytes at 65535, expected after the table", F, item_in_table, true, 0,
    false },
  { "8 bytes at 1048569", F, item_past_region, true, 0, false },
  { "8 bytes at 4294967295", F, item_offset_huge, true, 0, false },
  { "has 7 bytes, expected 8", F, item_length, true, 0, false },
  { "block size 3145728", F, block_odd, true, 0, false },
  { "block size 524288", F, block_small, true, 0, false },
  { "block size 536870912", F, block_large, true, 0, false },
  { "block size 0", F, block_zero, true, 0, false },
  { "logical sector size 1024", F, sector_1024, true, 0, false },
  { "logical sector size 0", F, sector_0, true, 0, false },
  { "physical sector size 520", F, physical_520, true, 0, false },
  { "virtual disk size 0", F, size_0, true, 0, false },
  { "virtual disk size 1000", F, size_odd, true, 0, false },
  { "virtual disk size 70368744178176", F, size_65_tib, true, 0, false },
  { "entries of 8 bytes are needed", F, size_over_bat, true, 0, false },
  { "'parent locator' is missing", F, parent_flag_alone, true, 0, false },
  { "there is no parent", F, locator_alone, true, 2, false },
  { "parent locator: type", U, locator_type, true, 2, false },
  { "0 entries in", F, locator_empty, true, 2, false },
  { "257 entries in", F, locator_257, true, 2, false },
  { "19 bytes, expected at least 20", F, locator_short, true, 2, false },
  { "key of 28 bytes at 4294967294", F, locator_key_outside, true, 2, false },
  { "key of 27 bytes", F, locator_odd_length, true, 2, false },
  { "'parent_linkage' is missing", F, locator_no_linkage, true, 2, false },
  { "expected a GUID", F, locator_bad_guid, true, 2, false },
  { "'parent_linkage' is there twice", F, locator_twice, true, 2, false },
  { "not valid UTF-16LE", F, locator_surrogate, true, 2, false },
  { "none of relative_path", F, locator_no_path, true, 2, false },
  { "bits 3 to 19 are reserved", F, bat_reserved, true, 0, true },
  { "state 4, not allowed", F, bat_state_4, true, 0, true },
  { "state 4, not allowed", F, bat_state_4, true, 2, true },
  { "state 7, not allowed", F, bat_state_7, true, 0, true },
  { "inside the header section", F, bat_header_section, true, 0, true },
  { "over the log", F, bat_over_log, true, 0, true },
  { "over a region", F, bat_over_bat, true, 0, true },
  { "past the end of the file", F, bat_past_end, true, 0, true },
  { "past the end of the file", F, bat_wraps, true, 0, true },
  { "sector bitmap (entry 4096) is not there", F, partial_no_bitmap, true, 2,
    true },
  { "in an unknown state", F, bitmap_state, true, 2, true },
  { "past the end of the file", F, bitmap_past_end, true, 2, true },
  { "reserved bits", F, bitmap_reserved, true, 2, true },
};
/* clang-format on */

static void
test_each_malformed_file_is_refused_by_name (void **state)
{
  const struct v2v_open_opts opts = { .format = "vhdx", .no_parents = true };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct vhdx_build *b = vhdx_build_new (
        &(const struct vhdx_build_opts){ .flags = bad[i].flags });
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    uint8_t buf[512];

    print_message ("# %zu: %s\n", i, bad[i].what);
    bad[i].damage (b);
    if (bad[i].sealed && b->len > 5 * 65536)
      vhdx_build_seal (b);
    img = vhdx_build_open (b, &opts, &err);
    if (bad[i].on_read) {
      assert_ptr (img, err);
      assert_int_equal (v2v_image_read (img, buf, sizeof buf, 0, &err), -1);
    }
    else
      assert_null (img);
    assert_error (&err, bad[i].code, bad[i].what);
    v2v_image_close (img);
    vhdx_build_free (b);
  }
}

static void
test_unknown_region_and_item_that_are_not_required_are_ignored (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  region_unknown (b);
  v2v_put_le32 (vhdx_build_regions (b, 0) + 80 + 28, 0);
  item_unknown (b);
  v2v_put_le32 (vhdx_build_item_entry (b, 5) + 24, 2);
  vhdx_build_seal (b);
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  vhdx_build_free (b);
}

static void
test_read_errors_are_passed_on_at_every_call (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_io *io = vhdx_build_io (b, "built.vhdx");
  unsigned n;

  (void) state;
  vhdx_build_block (b, 0, BUILD_DATA, 6);
  for (n = 1; n < 100; ++n) {
    struct v2v_io *faulty = test_faulty_io (io, n, 5 /* EIO */, NULL);
    struct v2v_error *err = NULL;
    struct v2v_image *img = v2v_image_open_io (faulty, NULL, &err);
    uint8_t buf[512];
    const int r =
        img == NULL ? -1 : v2v_image_read (img, buf, sizeof buf, 0, &err);

    v2v_image_close (img);
    v2v_io_unref (faulty);
    if (r == 0)
      break;
    assert_error (&err, V2V_ERR_IO, "injected");
  }
  assert_in_range (n, 8, 50);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_malformed_file_is_refused_by_name),
    cmocka_unit_test (
        test_unknown_region_and_item_that_are_not_required_are_ignored),
    cmocka_unit_test (test_read_errors_are_passed_on_at_every_call),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
