/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check of VHD files: each fault is found under its name, and what can be
 * repaired is, so that a second check finds nothing.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhd-format.h"
#include "test-util.h"

#define MIB    (1024 * 1024)
#define SIZE   (5 * MIB)
#define BAT    1536
#define STRIDE (512 + 2 * MIB)

struct fixture {
  char *dir;
  char *path;
  uint8_t *p;
  size_t len;
};

/* Blocks 0 and 2 allocated, block 1 not. */
static int
setup (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = SIZE };
  struct fixture *f = calloc (1, sizeof *f);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t sector[512];

  assert_non_null (f);
  f->dir = test_tmpdir ();
  assert_int_not_equal (asprintf (&f->path, "%s/a.vhd", f->dir), -1);
  img = v2v_image_create (f->path, "vhd", &opts, &err);
  assert_ptr (img, err);
  test_random (sector, sizeof sector, 1);
  assert_ok (v2v_image_write (img, sector, 512, 0, &err), err);
  assert_ok (v2v_image_write (img, sector, 512, 4 * MIB, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  f->p = test_read_file (f->path, &f->len);
  *state = f;
  return 0;
}

static int
teardown (void **state)
{
  struct fixture *f = *state;

  test_tmpdir_remove (f->dir);
  free (f->path);
  free (f->p);
  free (f);
  return 0;
}

static void
put_checksum (uint8_t *p, size_t len, size_t field)
{
  uint32_t sum = 0;

  v2v_put_be32 (p + field, 0);
  for (size_t i = 0; i < len; ++i)
    sum += p[i];
  v2v_put_be32 (p + field, ~sum);
}

static uint8_t *
end_footer (struct fixture *f)
{
  return f->p + f->len - 512;
}

static void
same_footers (struct fixture *f)
{
  put_checksum (f->p, 512, 64);
  memcpy (end_footer (f), f->p, 512);
}

/* Check the file: one item called ID (NULL = none at all), of SEVERITY. */
static void
expect (struct fixture *f, bool repair, const char *id,
        enum v2v_check_severity severity, bool repaired)
{
  const struct v2v_open_opts opts = { .format = "vhd" };
  struct v2v_check_report report = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_check (f->path, repair, &opts, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    /* A misplaced block has what is there for a bitmap. */
    if (id == NULL || (strcmp (report.items[i].id, id) != 0 &&
                       strcmp (report.items[i].id, "vhd.bitmap.partial") != 0))
      fail_msg ("unexpected %s: %s", report.items[i].id,
                report.items[i].message);
  if (id == NULL) {
    assert_int_equal (report.nr_items, 0);
    assert_int_equal (report.nr_blocks, 2);
    assert_int_equal (report.nr_blocks_total, 3);
  }
  else {
    size_t i = 0;

    if (report.nr_items == 0)
      fail_msg ("%s was not found", id);
    while (i + 1 < report.nr_items && strcmp (report.items[i].id, id) != 0)
      ++i;
    assert_string_equal (report.items[i].id, id);
    assert_int_equal (report.items[i].severity, severity);
    assert_int_equal (report.items[i].repaired, repaired);
  }
  v2v_check_report_clear (&report);
}

static void
found (struct fixture *f, const char *id, enum v2v_check_severity severity)
{
  test_write_file (f->path, f->p, f->len);
  expect (f, false, id, severity, false);
}

/* Found, not changed without asking, repaired, then gone; and the file is
 * what it was before the damage. */
static void
repaired (struct fixture *f, const char *id, enum v2v_check_severity severity,
          const uint8_t *sound, size_t sound_len)
{
  uint8_t *now;
  size_t len;

  found (f, id, severity);
  now = test_read_file (f->path, &len);
  assert_int_equal (len, f->len);
  assert_memory_equal (now, f->p, len);
  free (now);
  expect (f, true, id, severity, true);
  expect (f, false, NULL, 0, false);
  now = test_read_file (f->path, &len);
  assert_int_equal (len, sound_len);
  assert_memory_equal (now, sound, len);
  free (now);
}

static void
test_sound_file_has_no_findings (void **state)
{
  expect (*state, false, NULL, 0, false);
  expect (*state, true, NULL, 0, false);
}

static void
test_damaged_footers_are_restored_from_each_other (void **state)
{
  struct fixture *f = *state;
  uint8_t *sound = malloc (f->len);
  const size_t len = f->len;

  memcpy (sound, f->p, len);
  end_footer (f)[200] ^= 1;
  repaired (f, "vhd.footer.end", V2V_CHECK_DAMAGE, sound, len);
  memset (end_footer (f), 0, 512);
  memset (end_footer (f), 0, 8);
  f->len -= 512; /* gone */
  repaired (f, "vhd.footer.end", V2V_CHECK_DAMAGE, sound, len);
  f->len += 512;
  memcpy (f->p, sound, len);
  f->p[30] ^= 1;
  repaired (f, "vhd.footer.copy", V2V_CHECK_DAMAGE, sound, len);
  memcpy (f->p, sound, len);
  memset (f->p, 0, 512);
  repaired (f, "vhd.footer.copy", V2V_CHECK_DAMAGE, sound, len);
  memcpy (f->p, sound, len);
  f->p[70] ^= 1; /* another identifier, checksum right */
  put_checksum (f->p, 512, 64);
  repaired (f, "vhd.footer.differ", V2V_CHECK_DAMAGE, sound, len);
  free (sound);
}

static void
test_checksums_of_sensible_fields_are_restored (void **state)
{
  struct fixture *f = *state;
  uint8_t *sound = malloc (f->len);

  memcpy (sound, f->p, f->len);
  f->p[512 + 36] ^= 1;
  repaired (f, "vhd.header.checksum", V2V_CHECK_DAMAGE, sound, f->len);
  free (sound);
}

static void
test_both_footers_damaged_is_not_guessed_at (void **state)
{
  struct fixture *f = *state;

  f->p[200] ^= 1;
  memset (end_footer (f), 0xaa, 512);
  found (f, "vhd.footer.missing", V2V_CHECK_DAMAGE);
  expect (f, true, "vhd.footer.missing", V2V_CHECK_DAMAGE, false);
}

static void
test_footer_fields (void **state)
{
  struct fixture *f = *state;

  f->p[59] = 99;
  same_footers (f);
  found (f, "vhd.footer.geometry", V2V_CHECK_NOTE);
  f->p[59] = 17;
  v2v_put_be32 (f->p + 8, 0);
  same_footers (f);
  found (f, "vhd.footer.features", V2V_CHECK_NOTE);
  v2v_put_be32 (f->p + 8, 2);
  f->p[84] = 1;
  same_footers (f);
  found (f, "vhd.footer.saved-state", V2V_CHECK_NOTE);
  f->p[84] = 0;
  memset (f->p + 68, 0, 16);
  same_footers (f);
  found (f, "vhd.footer.id", V2V_CHECK_NOTE);
  f->p[63] = 6;
  same_footers (f);
  memset (f->p, 0, 512);
  found (f, "vhd.footer.fields", V2V_CHECK_DAMAGE);
}

static void
test_header_faults (void **state)
{
  struct fixture *f = *state;

  f->p[512] = 'x';
  found (f, "vhd.header.cookie", V2V_CHECK_DAMAGE);
  f->p[512] = 'c';
  v2v_put_be32 (f->p + 512 + 28, 4);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.header.entries", V2V_CHECK_NOTE);
  v2v_put_be32 (f->p + 512 + 28, 2);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.header.fields", V2V_CHECK_DAMAGE);
  v2v_put_be64 (f->p + 16, f->len);
  same_footers (f);
  found (f, "vhd.header.place", V2V_CHECK_DAMAGE);
}

static void
test_table_faults (void **state)
{
  struct fixture *f = *state;
  const uint32_t first = v2v_be32 (f->p + BAT);

  v2v_put_be32 (f->p + BAT + 4, 0x7fffffff);
  found (f, "vhd.bat.outside", V2V_CHECK_DAMAGE);
  v2v_put_be32 (f->p + BAT + 4, UINT32_MAX);
  memset (f->p + BAT + 12, 0xff, 500);
  v2v_put_be32 (f->p + BAT, first - 1);
  found (f, "vhd.bat.overlap", V2V_CHECK_DAMAGE);
  v2v_put_be32 (f->p + BAT, first);
  v2v_put_be32 (f->p + BAT + 4, first); /* two entries, one block */
  found (f, "vhd.bat.overlap", V2V_CHECK_DAMAGE);
  expect (f, true, "vhd.bat.overlap", V2V_CHECK_DAMAGE, false);
}

static void
test_table_padding_is_repaired (void **state)
{
  struct fixture *f = *state;
  uint8_t *sound = malloc (f->len);

  memcpy (sound, f->p, f->len);
  v2v_put_be32 (f->p + BAT + 12, 0);
  repaired (f, "vhd.bat.padding", V2V_CHECK_NOTE, sound, f->len);
  free (sound);
}

static void
test_orphan_block_between_others_is_a_leak (void **state)
{
  struct fixture *f = *state;

  v2v_put_be32 (f->p + BAT, UINT32_MAX);
  found (f, "vhd.block.orphan", V2V_CHECK_LEAK);
  expect (f, true, "vhd.block.orphan", V2V_CHECK_LEAK, false);
}

static void
test_orphan_block_at_the_end_is_cut_off (void **state)
{
  struct fixture *f = *state;
  uint8_t *p = malloc (f->len + 2 * STRIDE);
  uint8_t *sound = malloc (f->len);
  const size_t len = f->len;

  memcpy (sound, f->p, len);
  memcpy (p, f->p, len - 512);
  memset (p + len - 512, 0x55, 2 * STRIDE);
  memcpy (p + len - 512 + 2 * STRIDE, end_footer (f), 512);
  free (f->p);
  f->p = p;
  f->len += 2 * STRIDE;
  repaired (f, "vhd.block.orphan", V2V_CHECK_LEAK, sound, len);
  free (sound);
}

static void
test_partial_bitmap_of_a_dynamic_disk_is_noted (void **state)
{
  struct fixture *f = *state;
  const uint32_t first = v2v_be32 (f->p + BAT);

  f->p[(size_t) first * 512 + 100] = 0x7f;
  found (f, "vhd.bitmap.partial", V2V_CHECK_NOTE);
}

static void
make_fixed (struct fixture *f)
{
  const struct v2v_create_opts opts = { .size_bytes = MIB,
                                        .subformat = V2V_SUB_FIXED,
                                        .replace = true };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_create (f->path, "vhd", &opts, &err);

  assert_ptr (img, err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  free (f->p);
  f->p = test_read_file (f->path, &f->len);
}

static void
test_fixed_disk_faults (void **state)
{
  struct fixture *f = *state;

  make_fixed (f);
  memmove (f->p + MIB - 512, f->p + MIB, 512);
  f->len -= 512;
  found (f, "vhd.fixed.short", V2V_CHECK_DAMAGE);

  make_fixed (f);
  f->p = realloc (f->p, f->len + 512);
  memmove (f->p + MIB + 512, f->p + MIB, 512);
  f->len += 512;
  found (f, "vhd.fixed.long", V2V_CHECK_NOTE);
}

static void
test_fixed_disk_with_a_wrong_checksum_is_repaired (void **state)
{
  struct fixture *f = *state;
  const struct v2v_open_opts opts = { .format = "vhd" };
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  make_fixed (f);
  end_footer (f)[66] ^= 0x10;
  found (f, "vhd.footer.checksum", V2V_CHECK_DAMAGE);
  assert_null (v2v_image_open (f->path, &opts, &err));
  assert_error (&err, V2V_ERR_FORMAT, "footer: checksum");
  expect (f, true, "vhd.footer.checksum", V2V_CHECK_DAMAGE, true);
  img = v2v_image_open (f->path, &opts, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
}

/* Turn the file into a child whose parent is p.vhd, if anything. */
static void
make_child (struct fixture *f, const char *parent_id)
{
  struct v2v_guid id;
  uint8_t *l = f->p + 512 + 576;

  v2v_put_be32 (f->p + 60, 4);
  same_footers (f);
  assert_true (v2v_guid_parse (parent_id, &id));
  memcpy (f->p + 512 + 40, id.bytes, 16);
  memcpy (l, "W2ru", 4);
  v2v_put_be32 (l + 4, 512);
  v2v_put_be32 (l + 8, 10);
  /* The end of the last block, behind the end of the disk. */
  v2v_put_be64 (l + 16, f->len - 1024);
  memcpy (f->p + f->len - 1024, "p\0.\0v\0h\0d\0", 10);
  put_checksum (f->p + 512, 1024, 36);
}

static void
test_chain_and_locators (void **state)
{
  struct fixture *f = *state;
  uint8_t *l = f->p + 512 + 576;

  /* The locator lies over the last block. */
  make_child (f, "12345678-1234-1234-1234-123456789abc");
  found (f, "vhd.bat.overlap", V2V_CHECK_DAMAGE);
  /* By name in the header instead: nothing but the missing parent is wrong. */
  memset (l, 0, 24);
  memcpy (f->p + 512 + 64, "\0p", 2);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.chain", V2V_CHECK_DAMAGE);
  memset (f->p + 512 + 64, 0, 2);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.locator.none", V2V_CHECK_DAMAGE);
  memcpy (f->p + 512 + 64, "\0p", 2);
  memcpy (l, "W2ku", 4);
  v2v_put_be32 (l + 8, 10);
  v2v_put_be64 (l + 16, f->len - 512 - 8);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.locator.place", V2V_CHECK_DAMAGE);
  memset (l, 0, 24);
  memset (f->p + 512 + 40, 0, 16);
  put_checksum (f->p + 512, 1024, 36);
  found (f, "vhd.parent.id", V2V_CHECK_DAMAGE);
}

static void
test_sample_child_lacks_only_its_parent (void **state)
{
  struct fixture *f = *state;
  char *path = test_sample ("vhd/fat-differential.vhd");
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_check_report report = { 0 };
  struct v2v_error *err = NULL;

  (void) f;
  if (path == NULL)
    skip ();
  assert_ok (v2v_image_check (path, false, NULL, &report, &err), err);
  assert_int_equal (report.nr_items, 1);
  assert_string_equal (report.items[0].id, "vhd.chain");
  v2v_check_report_clear (&report);
  assert_ok (v2v_image_check (path, false, &opts, &report, &err), err);
  assert_int_equal (report.nr_items, 0);
  assert_int_equal (report.nr_blocks, 1);
  assert_int_equal (report.nr_blocks_total, 2);
  v2v_check_report_clear (&report);
  free (path);
}

static void
test_other_samples_are_sound (void **state)
{
  static const char *const names[] = { "vhd/dynamic.vhd.gz",
                                       "vhd/virtualpc-dynamic.vhd.bz2" };
  struct fixture *f = *state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    char *path = test_sample_unpacked (names[i], f->dir);
    struct v2v_check_report report = { 0 };
    struct v2v_error *err = NULL;

    if (path == NULL)
      skip ();
    assert_ok (v2v_image_check (path, false, NULL, &report, &err), err);
    for (size_t k = 0; k < report.nr_items; ++k)
      if (report.items[k].severity != V2V_CHECK_NOTE)
        fail_msg ("%s: %s", names[i], report.items[k].message);
    v2v_check_report_clear (&report);
    free (path);
  }
}

static void
test_every_failing_step_of_a_repair_is_an_error (void **state)
{
  struct fixture *f = *state;
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhd");
  const struct v2v_open_opts opts = { .format = "vhd" };
  unsigned total = 0;

  end_footer (f)[200] ^= 1;
  f->p[512 + 36] ^= 1;
  for (unsigned n = 0; n <= total; ++n) {
    struct v2v_check_report report = { 0 };
    struct v2v_error *err = NULL;
    struct v2v_io *base = v2v_io_from_buffer ("a.vhd", f->p, f->len, &err);
    struct v2v_io *io = test_faulty_io (base, n, 5, n == 0 ? &total : NULL);
    const int r = ops->check (io, true, &opts, &report, &err);

    assert_int_equal (r, n == 0 ? 0 : -1);
    if (n == 0)
      assert_int_equal (report.nr_items, 2);
    else
      assert_error (&err, V2V_ERR_IO, "injected");
    v2v_check_report_clear (&report);
    v2v_io_unref (io);
    v2v_io_unref (base);
  }
  assert_true (total >= 9);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_sound_file_has_no_findings),
    TEST (test_damaged_footers_are_restored_from_each_other),
    TEST (test_checksums_of_sensible_fields_are_restored),
    TEST (test_both_footers_damaged_is_not_guessed_at),
    TEST (test_footer_fields),
    TEST (test_header_faults),
    TEST (test_table_faults),
    TEST (test_table_padding_is_repaired),
    TEST (test_orphan_block_between_others_is_a_leak),
    TEST (test_orphan_block_at_the_end_is_cut_off),
    TEST (test_partial_bitmap_of_a_dynamic_disk_is_noted),
    TEST (test_fixed_disk_faults),
    TEST (test_fixed_disk_with_a_wrong_checksum_is_repaired),
    TEST (test_chain_and_locators),
    TEST (test_sample_child_lacks_only_its_parent),
    TEST (test_other_samples_are_sound),
    TEST (test_every_failing_step_of_a_repair_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
