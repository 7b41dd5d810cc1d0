/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check on VHDX: each finding has its file, and what can be repaired is,
 * without touching the rest.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "vhdx-build.h"

static int
check (struct v2v_io *io, bool repair, struct v2v_check_report *report)
{
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_error *err = NULL;
  const int r = v2v_image_driver_by_name ("vhdx")->check (io, repair, &opts,
                                                          report, &err);

  assert_ok (r, err);
  return r;
}

static const struct v2v_check_item *
find (const struct v2v_check_report *report, const char *id)
{
  for (size_t i = 0; i < report->nr_items; ++i)
    if (strcmp (report->items[i].id, id) == 0)
      return &report->items[i];
  return NULL;
}

/* ---- one file for each finding ---- */

#define DAMAGE(name) static void name (struct vhdx_build *b)

DAMAGE (both_headers)
{
  vhdx_build_header (b, 0)[9] ^= 1;
  vhdx_build_header (b, 1)[9] ^= 1;
}
DAMAGE (header_1)
{
  vhdx_build_header (b, 0)[9] ^= 1;
}
DAMAGE (header_2)
{
  vhdx_build_header (b, 1)[9] ^= 1;
}
DAMAGE (region_1)
{
  vhdx_build_regions (b, 0)[9] ^= 1;
}
DAMAGE (region_2)
{
  vhdx_build_regions (b, 1)[9] ^= 1;
}
DAMAGE (regions_differ)
{
  v2v_put_le32 (vhdx_build_regions (b, 1) + 44, 0);
  vhdx_build_seal (b);
}
DAMAGE (both_regions)
{
  region_1 (b);
  region_2 (b);
}
DAMAGE (not_required)
{
  for (unsigned i = 0; i < 2; ++i)
    v2v_put_le32 (vhdx_build_regions (b, i) + 44, 0);
  vhdx_build_seal (b);
}
DAMAGE (metadata)
{
  b->bytes[BUILD_METADATA] = 'M';
}
DAMAGE (item_flags)
{
  vhdx_build_item_entry (b, ITEM_SIZE)[24] = 4;
}
DAMAGE (log_invalid)
{
  vhdx_build_use_log (b, 1);
}
DAMAGE (log_dirty)
{
  static uint8_t bat[4096];
  const struct vhdx_build_write w = { .offset = BUILD_BAT, .data = bat };

  memcpy (bat, b->bytes + BUILD_BAT, 4096);
  v2v_put_le64 (bat + 16, (BUILD_DATA + 3 * MIB) | 6);
  vhdx_build_log (b,
                  &(const struct vhdx_build_entry){
                      .sequence = 1, .guid = 3, .writes = &w, .nr_writes = 1 });
  vhdx_build_use_log (b, 3);
}
DAMAGE (reserved)
{
  vhdx_build_bat (b, 3, 8);
}
DAMAGE (state_4)
{
  vhdx_build_bat (b, 3, 4);
}
DAMAGE (state_5)
{
  vhdx_build_bat (b, 3, 5);
}
DAMAGE (state_7)
{
  vhdx_build_bat (b, 3, (BUILD_DATA + 3 * MIB) | 7);
}
DAMAGE (zero_offset)
{
  vhdx_build_bat (b, 3, (BUILD_DATA + 3 * MIB) | 2);
}
DAMAGE (range)
{
  vhdx_build_bat (b, 3, (16 * MIB) | 6);
}
DAMAGE (range_region)
{
  vhdx_build_bat (b, 3, BUILD_METADATA | 6);
}
DAMAGE (overlap)
{
  vhdx_build_bat (b, 3, BUILD_DATA | 6);
}
DAMAGE (unmapped_overlap)
{
  vhdx_build_bat (b, 3, BUILD_DATA | 3);
}
DAMAGE (bitmap_missing)
{
  vhdx_build_bat (b, 3, (BUILD_DATA + 3 * MIB) | 7);
}
DAMAGE (bitmap_state)
{
  vhdx_build_bat (b, 4096, 2);
}
DAMAGE (bitmap_overlap)
{
  vhdx_build_bat (b, 4096, BUILD_DATA | 6);
}
DAMAGE (bat_short)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), UINT64_C (1) << 38);
}
DAMAGE (length)
{
  b->len -= 512;
}
DAMAGE (short_last)
{
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), 8 * MIB - 4096);
  vhdx_build_bat (b, 7, (15 * MIB) | 6);
  b->len -= 4096;
}
DAMAGE (nothing)
{
  (void) b;
}

/* clang-format off: a table */
static const struct {
  const char *id;
  enum v2v_check_severity severity;
  void (*damage) (struct vhdx_build *b);
  bool repairable;
  unsigned flags;
} cases[] = {
  { "vhdx.header", V2V_CHECK_DAMAGE, both_headers, false, 0 },
  { "vhdx.header.copy", V2V_CHECK_DAMAGE, header_1, true, 0 },
  { "vhdx.header.copy", V2V_CHECK_DAMAGE, header_2, true, 0 },
  { "vhdx.region", V2V_CHECK_DAMAGE, both_regions, false, 0 },
  { "vhdx.region.copy", V2V_CHECK_DAMAGE, region_1, true, 0 },
  { "vhdx.region.copy", V2V_CHECK_DAMAGE, region_2, true, 0 },
  { "vhdx.region.copy", V2V_CHECK_DAMAGE, regions_differ, true, 0 },
  { "vhdx.region.required", V2V_CHECK_NOTE, not_required, false, 0 },
  { "vhdx.metadata", V2V_CHECK_DAMAGE, metadata, false, 0 },
  { "vhdx.metadata", V2V_CHECK_DAMAGE, bat_short, false, 0 },
  { "vhdx.metadata.flags", V2V_CHECK_NOTE, item_flags, false, 0 },
  { "vhdx.log", V2V_CHECK_DAMAGE, log_invalid, false, 0 },
  { "vhdx.log.dirty", V2V_CHECK_DAMAGE, log_dirty, true, 0 },
  { "vhdx.bat.reserved", V2V_CHECK_DAMAGE, reserved, false, 0 },
  { "vhdx.bat.state", V2V_CHECK_DAMAGE, state_4, false, 0 },
  { "vhdx.bat.state", V2V_CHECK_DAMAGE, state_5, false, 0 },
  { "vhdx.bat.state", V2V_CHECK_DAMAGE, state_7, false, 0 },
  { "vhdx.bat.state", V2V_CHECK_DAMAGE, bitmap_state, false, 2 },
  { "vhdx.bat.zero-offset", V2V_CHECK_DAMAGE, zero_offset, true, 0 },
  { "vhdx.bat.range", V2V_CHECK_DAMAGE, range, false, 0 },
  { "vhdx.bat.range", V2V_CHECK_DAMAGE, range_region, false, 0 },
  { "vhdx.bat.overlap", V2V_CHECK_DAMAGE, overlap, false, 0 },
  { "vhdx.bat.overlap", V2V_CHECK_DAMAGE, unmapped_overlap, false, 0 },
  { "vhdx.bat.overlap", V2V_CHECK_DAMAGE, bitmap_overlap, false, 2 },
  { "vhdx.bitmap.missing", V2V_CHECK_DAMAGE, bitmap_missing, false, 2 },
  { "vhdx.file.length", V2V_CHECK_NOTE, length, false, 0 },
  { "vhdx.file.short", V2V_CHECK_DAMAGE, short_last, true, 0 },
  { "vhdx.space.orphan", V2V_CHECK_LEAK, nothing, false, 0 },
};
/* clang-format on */

static void
test_each_damage_is_found_and_repaired_where_possible (void **state)
{
  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct vhdx_build *b = vhdx_build_new (
        &(const struct vhdx_build_opts){ .flags = cases[i].flags });
    struct v2v_check_report report = { .items = NULL };
    const struct v2v_check_item *item;
    struct v2v_io *io;
    struct v2v_error *err = NULL;
    uint8_t *after = malloc (b->len);

    print_message ("# %zu: %s\n", i, cases[i].id);
    assert_non_null (after);
    vhdx_build_block (b, 0, BUILD_DATA, 6);
    vhdx_build_fill (b, BUILD_DATA, MIB, 0x99);
    cases[i].damage (b);
    io = vhdx_build_io (b, "check.vhdx");
    check (io, false, &report);
    item = find (&report, cases[i].id);
    assert_non_null (item);
    assert_int_equal (item->severity, cases[i].severity);
    assert_false (item->repaired);
    v2v_check_report_clear (&report);
    assert_true (v2v_io_size (io) == b->len);
    assert_ok (v2v_io_pread (io, after, b->len, 0, &err), err);
    assert_memory_equal (after, b->bytes, b->len); /* looking only looks */

    check (io, true, &report);
    item = find (&report, cases[i].id);
    assert_non_null (item);
    assert_int_equal (item->repaired, cases[i].repairable);
    v2v_check_report_clear (&report);
    check (io, false, &report);
    assert_int_equal (find (&report, cases[i].id) == NULL, cases[i].repairable);
    v2v_check_report_clear (&report);
    if (cases[i].repairable) {
      struct v2v_image *img = v2v_image_open_io (io, NULL, &err);
      uint8_t buf[512];

      assert_ptr (img, err);
      assert_ok (v2v_image_read (img, buf, 512, 0, &err), err);
      assert_int_equal (buf[0], 0x99);
      /* The guest sees what it saw: children stay valid. */
      assert_string_equal (v2v_image_get_info (img)->content_id,
                           "d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1");
      v2v_image_close (img);
    }
    v2v_io_unref (io);
    free (after);
    vhdx_build_free (b);
  }
}

static void
test_a_damaged_file_is_not_repaired_through_its_table (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_check_report report = { .items = NULL };
  struct v2v_io *io;

  (void) state;
  vhdx_build_block (b, 0, BUILD_DATA, 6);
  overlap (b);
  vhdx_build_bat (b, 5, BUILD_DATA | 2);
  io = vhdx_build_io (b, "check.vhdx");
  check (io, true, &report);
  assert_false (find (&report, "vhdx.bat.zero-offset")->repaired);
  assert_false (find (&report, "vhdx.bat.overlap")->repaired);
  v2v_check_report_clear (&report);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

static void
test_a_report_does_not_grow_with_a_hostile_table (void **state)
{
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .size = 4000 * MIB });
  struct v2v_check_report report = { .items = NULL };
  struct v2v_io *io;

  (void) state;
  for (unsigned i = 0; i < 4000; ++i)
    vhdx_build_bat (b, i, BUILD_DATA | 6);
  io = vhdx_build_io (b, "check.vhdx");
  check (io, false, &report);
  assert_in_range (report.nr_items, 100, V2V_CHECK_MAX_ITEMS + 10);
  assert_true (report.nr_suppressed > 3000);
  v2v_check_report_clear (&report);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

static void
test_the_chain_is_checked (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *base = NULL, *child = NULL;
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct vhdx_build *c =
      vhdx_build_new (&(const struct vhdx_build_opts){ .flags = 2 });
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;

  (void) state;
  assert_true (asprintf (&base, "%s/base.vhdx", dir) > 0);
  assert_true (asprintf (&child, "%s/child.vhdx", dir) > 0);
  vhdx_build_write (c, child, 0);
  assert_ok (v2v_image_check (child, false, NULL, &report, &err), err);
  assert_non_null (find (&report, "vhdx.parent.unusable"));
  v2v_check_report_clear (&report);
  vhdx_build_write (b, base, 0);
  assert_ok (v2v_image_check (child, false, NULL, &report, &err), err);
  assert_non_null (find (&report, "vhdx.parent.mismatch"));
  v2v_check_report_clear (&report);
  vhdx_build_free (b);
  vhdx_build_free (c);
  test_tmpdir_remove (dir);
}

static void
test_describe_names_what_is_in_the_file (void **state)
{
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .flags = 2 });
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_json *obj = v2v_json_new_object ();
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  struct v2v_image *img;
  uint64_t n = 0;

  (void) state;
  vhdx_build_block (b, 0, BUILD_DATA, 6);
  vhdx_build_block (b, 1, 0, 2);
  vhdx_build_block (b, 2, 0, 2);
  io = vhdx_build_io (b, "d.vhdx");
  img = v2v_image_open_io (io, &opts, &err);
  assert_ptr (img, err);
  v2v_image_describe (img, obj);
  assert_true (v2v_json_ok (obj));
  assert_string_equal (v2v_json_get_string (obj, "page83_guid"),
                       "83838383-8383-8383-8383-838383838383");
  assert_string_equal (
      v2v_json_get_string (v2v_json_get (obj, "parent_locator"),
                           "relative_path"),
      ".\\base.vhdx");
  assert_string_equal (v2v_json_get_string (v2v_json_get (obj, "log"), "state"),
                       "clean");
  assert_true (v2v_json_get_u64 (v2v_json_get (obj, "blocks"), "zero", &n));
  assert_int_equal (n, 2);
  assert_true (
      v2v_json_get_u64 (v2v_json_get (obj, "blocks"), "not_present", &n));
  assert_int_equal (n, 5);
  v2v_json_free (obj);
  v2v_image_close (img);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_damage_is_found_and_repaired_where_possible),
    cmocka_unit_test (test_a_damaged_file_is_not_repaired_through_its_table),
    cmocka_unit_test (test_a_report_does_not_grow_with_a_hostile_table),
    cmocka_unit_test (test_the_chain_is_checked),
    cmocka_unit_test (test_describe_names_what_is_in_the_file),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
