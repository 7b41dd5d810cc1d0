/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: files that Windows and QEMU made decode to their stated hashes, and
 * are not written to.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "formats/copy.h"
#include "test-util.h"

struct sample {
  const char *name;
  const char *creator;
  uint64_t size;
  uint64_t block;
  bool dirty;
  const char *sha256;
};

static void
file_sha256 (const char *path, char hex[65])
{
  uint8_t out[V2V_SHA256_SIZE];
  size_t len = 0;
  void *buf = test_read_file (path, &len);

  v2v_sha256 (buf, len, out);
  v2v_hex (out, sizeof out, hex);
  free (buf);
}

static void
check_sample (const struct sample *s)
{
  char *dir = test_tmpdir ();
  char *path = test_sample_unpacked (s->name, dir);
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;
  const struct v2v_image_info *info;
  char before[65], after[65], hex[65];
  struct stat st1, st2;
  struct v2v_image *img;

  if (path == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  file_sha256 (path, before);
  assert_int_equal (stat (path, &st1), 0);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  info = v2v_image_get_info (img);
  assert_string_equal (info->format, "vhdx");
  assert_string_equal (info->variant, "dynamic");
  assert_non_null (strstr (info->creator, s->creator));
  assert_true (info->size_bytes == s->size);
  assert_true (info->block_bytes == s->block);
  assert_int_equal (info->logical_sector_bytes, 512);
  assert_int_equal (info->dirty, s->dirty);
  test_image_sha256 (img, hex);
  assert_string_equal (hex, s->sha256);
  v2v_image_close (img);

  assert_ok (v2v_image_check (path, false, NULL, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity == V2V_CHECK_DAMAGE &&
        !(s->dirty && strcmp (report.items[i].id, "vhdx.log.dirty") == 0))
      fail_msg ("%s: %s", report.items[i].id, report.items[i].message);
  v2v_check_report_clear (&report);

  file_sha256 (path, after);
  assert_string_equal (before, after);
  assert_int_equal (stat (path, &st2), 0);
  assert_int_equal (st1.st_mtim.tv_sec, st2.st_mtim.tv_sec);
  assert_int_equal (st1.st_mtim.tv_nsec, st2.st_mtim.tv_nsec);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_windows_10_disk_smaller_than_a_block (void **state)
{
  (void) state;
  check_sample (&(const struct sample){
      "vhdx/dynamic.vhdx.gz", "Windows 10.0", 10485760, 32 * V2V_MIB, false,
      "8e2b5e9265d694b42b81819e3bff29770eff4ed0f4f9f311693ff3dbdc93efac" });
}

static void
test_windows_2012_zero_blocks (void **state)
{
  (void) state;
  check_sample (&(const struct sample){
      "vhdx/iotest-dynamic-1G.vhdx.bz2", "Windows 6.2", V2V_GIB, 32 * V2V_MIB,
      false,
      "d3d112d8dab7fd360609f7d5a7b769904b7a2a7d7b6b8c535f65a23293c05478" });
}

static void
test_windows_btrfs_states_mixed (void **state)
{
  (void) state;
  check_sample (&(const struct sample){
      "vhdx/btrfs.vhdx.gz", "Windows 10.0", V2V_GIB, 32 * V2V_MIB, false,
      "0b959f9cb4e18348ad8b646f152178282542c8304f02fddf765e3fd1a1de6864" });
}

static void
test_windows_xfs_bitmap_entries_between_payload (void **state)
{
  (void) state;
  check_sample (&(const struct sample){
      "vhdx/xfs5.vhdx.gz", "Windows 10.0", 10 * V2V_GIB, 32 * V2V_MIB, false,
      "edc5d630b2da0ddb08992afb58ded06ffb56b884e184b4974fda16e31b7e6817" });
}

static void
test_dirty_log_is_replayed_in_memory_and_the_file_untouched (void **state)
{
  (void) state;
  check_sample (&(const struct sample){
      "vhdx/iotest-dirtylog-10G-4M.vhdx.bz2", "QEMU", 10 * V2V_GIB, V2V_MIB,
      true,
      "179cefe8b0587f123393eedf2aa7aa8d25798591178e6bc3950a09762f38f96f" });
}

static void
test_repair_of_the_dirty_sample_replays_its_log_on_disk (void **state)
{
  char *dir = test_tmpdir ();
  char *path =
      test_sample_unpacked ("vhdx/iotest-dirtylog-10G-4M.vhdx.bz2", dir);
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;
  struct v2v_disk_digest *before, *after;
  struct v2v_image *img;

  (void) state;
  if (path == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  before = v2v_image_digest (img, NULL, &err);
  assert_ptr (before, err);
  v2v_image_close (img);
  assert_ok (v2v_image_check (path, true, NULL, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity == V2V_CHECK_DAMAGE)
      assert_true (report.items[i].repaired);
  v2v_check_report_clear (&report);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_false (v2v_image_get_info (img)->dirty);
  after = v2v_image_digest (img, NULL, &err);
  assert_ptr (after, err);
  assert_memory_equal (before->root, after->root, sizeof before->root);
  v2v_disk_digest_free (before);
  v2v_disk_digest_free (after);
  v2v_image_close (img);
  if (test_have ("qemu-img"))
    assert_int_equal (
        test_run ((const char *const[]){ "qemu-img", "check", path, NULL },
                  NULL),
        0);
  free (path);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_windows_10_disk_smaller_than_a_block),
    cmocka_unit_test (test_windows_2012_zero_blocks),
    cmocka_unit_test (test_windows_btrfs_states_mixed),
    cmocka_unit_test (test_windows_xfs_bitmap_entries_between_payload),
    cmocka_unit_test (
        test_dirty_log_is_replayed_in_memory_and_the_file_untouched),
    cmocka_unit_test (test_repair_of_the_dirty_sample_replays_its_log_on_disk),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
