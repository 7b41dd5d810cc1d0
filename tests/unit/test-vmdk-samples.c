/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real VMDKs, made by VMware, VirtualBox and qemu: what each must decode to.
 * The hashes were taken with two other readers.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"

#define TEN_MIB                                                                \
  "a3bcf05f07a1c06a3380eeca8571f0efb2b85afafa1e21662b8cad436d1f7727"

static void
expect_disk (const char *name, const char *variant, uint64_t size,
             const char *sha256)
{
  CLEANUP_FREE char *path = test_sample (name);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  char hex[65];

  if (path == NULL)
    skip ();
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_string_equal (v2v_image_get_info (img)->format, "vmdk");
  assert_string_equal (v2v_image_get_info (img)->variant, variant);
  assert_true (v2v_image_size (img) == size);
  if (sha256 != NULL) {
    test_image_sha256 (img, hex);
    assert_string_equal (hex, sha256);
  }
  v2v_image_close (img);
}

static void
test_vmware_monolithic_sparse (void **state)
{
  (void) state;
  expect_disk ("vmdk/monolithicSparse.vmdk", "monolithicSparse", 10485760,
               TEN_MIB);
}

static void
test_vmware_split_sparse_whose_extent_has_no_descriptor (void **state)
{
  (void) state;
  expect_disk ("vmdk/twoGbMaxExtentSparse.vmdk", "twoGbMaxExtentSparse",
               10485760, TEN_MIB);
}

static void
test_vmware_stream_with_the_directory_in_front (void **state)
{
  (void) state;
  expect_disk ("vmdk/streamOptimized.vmdk", "streamOptimized", 10485760,
               TEN_MIB);
}

static void
test_esxi_thick (void **state)
{
  (void) state;
  expect_disk (
      "vmdk/vmfs_thick.vmdk", "vmfs", 2097152,
      "8d43c795d24bce01b49f92744f934c1072210dcac170bb1c83a5aa56df46ab7d");
}

static void
test_qemu_monolithic_sparse (void **state)
{
  (void) state;
  expect_disk (
      "vmdk/ext2.vmdk", "monolithicSparse", 4194304,
      "a6c2f0e39afe6c6ab432ca5465349fcefe8dc944398e97b2d957d3f89dbb5d80");
}

static void
test_disk_of_four_sectors (void **state)
{
  (void) state;
  expect_disk (
      "ovf/proxmox/Win10-Liz-disk1.vmdk", "monolithicSparse", 2048,
      "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad");
}

/* Nothing is stored: the stated hash is that of 8 GiB of zeros.  What the
 * tables say is looked at here, the bytes are hashed by make check-slow. */
static void
test_virtualbox_stream_with_the_directory_in_the_footer (void **state)
{
  CLEANUP_FREE char *path = test_sample ("ovf/cot/ubuntu.2.0-disk1.vmdk");
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  static uint8_t buf[4096];

  (void) state;
  if (path == NULL)
    skip ();
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == UINT64_C (8589934592));
  assert_string_equal (v2v_image_get_info (img)->content_id, "255a27cd");
  assert_string_equal (v2v_image_get_info (img)->id,
                       "428fbafb-8694-4ee2-9ce8-333d77f90140");
  assert_ok (v2v_image_extents (img, v2v_image_size (img), 0, &list, &err),
             err);
  assert_int_equal (list.len, 1);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  assert_ok (v2v_image_read (img, buf, sizeof buf,
                             v2v_image_size (img) - sizeof buf, &err),
             err);
  assert_true (v2v_is_zero (buf, sizeof buf));
  v2v_image_close (img);
}

static void
test_fuzzed_header_is_refused_at_once (void **state)
{
  CLEANUP_FREE char *path = test_sample ("vmdk/afl9.vmdk.bz2");
  CLEANUP_FREE char *command = NULL;
  CLEANUP_FREE uint8_t *buf = malloc (1024 * 1024);
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  size_t len;
  FILE *fp;
  clock_t start;

  (void) state;
  if (path == NULL)
    skip ();
  assert_true (asprintf (&command, "bzip2 -dc '%s'", path) > 0);
  fp = popen (command, "r"); /* a test: the path is ours */
  assert_non_null (fp);
  len = fread (buf, 1, 1024 * 1024, fp);
  pclose (fp);
  if (len == 0)
    skip (); /* no bzip2 here */
  io = v2v_io_from_buffer ("afl9.vmdk", buf, len, &err);
  assert_ptr (io, err);
  start = clock ();
  assert_null (v2v_image_open_io (io, NULL, &err));
  assert_true (clock () - start < CLOCKS_PER_SEC / 10);
  assert_error (&err, V2V_ERR_FORMAT, "header: ");
  v2v_io_unref (io);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_vmware_monolithic_sparse),
    cmocka_unit_test (test_vmware_split_sparse_whose_extent_has_no_descriptor),
    cmocka_unit_test (test_vmware_stream_with_the_directory_in_front),
    cmocka_unit_test (test_esxi_thick),
    cmocka_unit_test (test_qemu_monolithic_sparse),
    cmocka_unit_test (test_disk_of_four_sectors),
    cmocka_unit_test (test_virtualbox_stream_with_the_directory_in_the_footer),
    cmocka_unit_test (test_fuzzed_header_is_refused_at_once),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
