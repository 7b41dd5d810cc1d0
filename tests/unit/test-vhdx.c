/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHDX reader: the mapping at its edges. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "vhdx-build.h"

static void
assert_bytes (struct v2v_image *img, uint64_t offset, uint64_t len,
              uint8_t value)
{
  struct v2v_error *err = NULL;
  uint8_t *buf = malloc (len);

  assert_non_null (buf);
  assert_ok (v2v_image_read (img, buf, len, offset, &err), err);
  for (uint64_t i = 0; i < len; ++i)
    if (buf[i] != value)
      fail_msg ("byte %zu is %u, expected %u", (size_t) (offset + i), buf[i],
                value);
  free (buf);
}

static void
assert_extent (struct v2v_image *img, uint64_t offset, uint64_t len,
               enum v2v_extent_type type)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_extents (img, len, offset, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_int_equal (list.ptr[0].type, type);
}

/* ---- states ---- */

static void
test_every_state_reads_as_it_should (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  vhdx_build_fill (b, BUILD_DATA, 8 * MIB, 0xaa);
  /* 0, 1, 2, 3, 5 keep an offset here: it must not be followed. */
  for (unsigned s = 0; s < 6; ++s)
    if (s != 4)
      vhdx_build_block (b, s, BUILD_DATA, s);
  vhdx_build_block (b, 6, BUILD_DATA + MIB, 6);
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  assert_bytes (img, 0, 6 * MIB, 0);
  assert_bytes (img, 6 * MIB, MIB, 0xaa);
  assert_bytes (img, 7 * MIB, MIB, 0);
  assert_extent (img, 0, MIB, V2V_EXTENT_ABSENT);
  assert_extent (img, MIB, 3 * MIB, V2V_EXTENT_ZERO);
  assert_extent (img, 4 * MIB, MIB, V2V_EXTENT_ABSENT);
  assert_extent (img, 5 * MIB, MIB, V2V_EXTENT_ZERO);
  assert_extent (img, 6 * MIB, MIB, V2V_EXTENT_DATA);
  v2v_image_close (img);
  vhdx_build_free (b);
}

static void
test_only_header_2_and_region_table_2_are_good (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  vhdx_build_header (b, 0)[100] ^= 1;
  vhdx_build_regions (b, 0)[100] ^= 1;
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  assert_string_equal (v2v_image_get_info (img)->creator, "builder");
  assert_string_equal (v2v_image_get_info (img)->content_id,
                       "d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1");
  v2v_image_close (img);
  vhdx_build_free (b);
}

static void
test_the_header_with_the_higher_sequence_counts (void **state)
{
  (void) state;
  for (unsigned newer = 0; newer < 2; ++newer) {
    struct vhdx_build *b = vhdx_build_new (NULL);
    struct v2v_error *err = NULL;
    struct v2v_image *img;

    v2v_put_le64 (vhdx_build_header (b, newer) + 8, UINT64_MAX);
    memset (vhdx_build_header (b, newer) + 32, 0x77, 16);
    vhdx_build_seal (b);
    img = vhdx_build_open (b, NULL, &err);
    assert_ptr (img, err);
    assert_string_equal (v2v_image_get_info (img)->content_id,
                         "77777777-7777-7777-7777-777777777777");
    v2v_image_close (img);
    vhdx_build_free (b);
  }
}

static void
test_identical_headers_are_accepted (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  memcpy (vhdx_build_header (b, 0), vhdx_build_header (b, 1), 4096);
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  vhdx_build_free (b);
}

static void
test_required_flags_of_regions_are_not_insisted_on (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  for (unsigned c = 0; c < 2; ++c)
    for (unsigned k = 0; k < 2; ++k)
      v2v_put_le32 (vhdx_build_regions (b, c) + 44 + 32 * k, 0);
  vhdx_build_seal (b);
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  vhdx_build_free (b);
}

/* ---- chunks ---- */

/* 256 MiB blocks make the chunk ratio 16: block 16 has entry 17. */
static void
check_chunk_edge (uint64_t nr_blocks, uint32_t logical)
{
  const uint64_t block = 256 * MIB;
  const uint64_t ratio = (UINT64_C (1) << 23) * logical / block;
  const uint64_t past = UINT64_C (5) << 30;
  struct vhdx_build *b = vhdx_build_new (
      &(const struct vhdx_build_opts){ .size = nr_blocks * block,
                                       .block = (uint32_t) block,
                                       .logical = logical,
                                       .file_mib = 5 });
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  const uint64_t last = nr_blocks - 1;
  const uint64_t index = last + (last >= ratio ? 1 : 0);
  FILE *fp;

  assert_true (asprintf (&path, "%s/edge.vhdx", dir) > 0);
  vhdx_build_bat (b, index, past | 6); /* an entry past 4 GiB */
  if (last >= ratio) /* where the bitmap's entry is, nothing may be taken */
    vhdx_build_bat (b, ratio, 0);
  vhdx_build_write (b, path, past + block);
  fp = fopen (path, "r+");
  assert_non_null (fp);
  assert_int_equal (fseeko (fp, (off_t) (past + block - 512), SEEK_SET), 0);
  for (int i = 0; i < 512; ++i)
    fputc (0x5a, fp);
  assert_int_equal (fclose (fp), 0);

  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_bytes (img, nr_blocks * block - 512, 512, 0x5a);
  assert_bytes (img, nr_blocks * block - 1024, 512, 0);
  if (last > 0)
    assert_extent (img, 0, last * block, V2V_EXTENT_ABSENT);
  v2v_image_close (img);
  vhdx_build_free (b);
  test_tmpdir_remove (dir);
}

static void
test_disks_around_the_chunk_edge (void **state)
{
  (void) state;
  check_chunk_edge (15, 512);
  check_chunk_edge (16, 512);
  check_chunk_edge (17, 512);
  check_chunk_edge (128, 4096);
  check_chunk_edge (129, 4096);
}

static void
test_disk_one_sector_over_a_block (void **state)
{
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .size = 2 * MIB + 512 });
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  vhdx_build_fill (b, BUILD_DATA, MIB, 0x11);
  vhdx_build_block (b, 2, BUILD_DATA, 6);
  img = vhdx_build_open (b, NULL, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == 2 * MIB + 512);
  assert_bytes (img, 2 * MIB, 512, 0x11);
  assert_bytes (img, 0, 2 * MIB, 0);
  v2v_image_close (img);
  vhdx_build_free (b);
}

/* QEMU ends a fixed file where the disk ends. */
static void
test_last_block_may_be_cut_off_after_the_disk (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  for (unsigned cut = 0; cut < 2; ++cut) {
    struct vhdx_build *b = vhdx_build_new (
        &(const struct vhdx_build_opts){ .size = MIB + 4096, .file_mib = 5 });

    vhdx_build_fill (b, BUILD_DATA, 4096, 0x22);
    vhdx_build_block (b, 1, BUILD_DATA, 6);
    b->len = (size_t) BUILD_DATA + 4096 - cut * 512;
    img = vhdx_build_open (b, NULL, &err);
    assert_ptr (img, err);
    if (cut == 0)
      assert_bytes (img, MIB, 4096, 0x22);
    else {
      uint8_t buf[4096];

      assert_int_equal (v2v_image_read (img, buf, 4096, MIB, &err), -1);
      assert_error (&err, V2V_ERR_FORMAT, "past the end of the file");
    }
    v2v_image_close (img);
    vhdx_build_free (b);
  }
}

/* ---- differencing ---- */

static void
test_bitmap_bits_are_read_from_the_lowest (void **state)
{
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .flags = 2 });
  const struct v2v_open_opts opts = { .no_parents = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  vhdx_build_fill (b, BUILD_DATA, MIB, 0x33);
  vhdx_build_block (b, 1, BUILD_DATA, 7);
  vhdx_build_bat (b, b->chunk_ratio, (BUILD_DATA + MIB) | 6);
  /* Block 1 of 1 MiB: its 2048 bits begin at byte 256.  Sectors 0, 9..16 */
  b->bytes[BUILD_DATA + MIB + 256] = 0x01;
  b->bytes[BUILD_DATA + MIB + 257] = 0xfe;
  b->bytes[BUILD_DATA + MIB + 258] = 0x01;
  img = vhdx_build_open (b, &opts, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_get_info (img)->has_parent);
  assert_string_equal (v2v_image_get_info (img)->variant, "differencing");
  assert_string_equal (v2v_image_get_info (img)->parent_id,
                       "11111111-2222-3333-4444-555555555555");
  assert_ok (v2v_image_extents (img, 2 * MIB, 512 * 4, &list, &err), err);
  assert_true (list.ptr[0].type == V2V_EXTENT_ABSENT &&
               list.ptr[0].length == MIB - 2048);
  assert_true (list.ptr[1].type == V2V_EXTENT_DATA &&
               list.ptr[1].length == 512);
  assert_true (list.ptr[2].type == V2V_EXTENT_ABSENT &&
               list.ptr[2].length == 8 * 512);
  assert_true (list.ptr[3].type == V2V_EXTENT_DATA &&
               list.ptr[3].length == 8 * 512);
  assert_true (list.ptr[4].type == V2V_EXTENT_ABSENT);
  assert_int_equal (list.len, 5);
  assert_bytes (img, MIB + 9 * 512, 8 * 512, 0x33);
  v2v_image_close (img);
  vhdx_build_free (b);
}

static void
check_parent_name (const char *key, const char *path, const char *name)
{
  struct vhdx_build *b = vhdx_build_new (&(const struct vhdx_build_opts){
      .flags = 2, .path_key = key, .path = path });
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;

  /* A buffer has no folder: the error names what was looked for. */
  assert_true (asprintf (&text, "parent '%s' is not here", name) > 0);
  assert_null (vhdx_build_open (b, NULL, &err));
  assert_error (&err, V2V_ERR_IO, text);
  vhdx_build_free (b);
}

static void
test_parent_paths_are_reduced_to_their_last_part (void **state)
{
  (void) state;
  check_parent_name ("relative_path", ".\\base.vhdx", "base.vhdx");
  check_parent_name ("relative_path", "..\\..\\x/y.vhdx", "y.vhdx");
  check_parent_name ("absolute_win32_path", "\\\\?\\C:\\vm\\b.vhdx", "b.vhdx");
  check_parent_name ("absolute_win32_path", "\\\\host\\share\\u.vhdx",
                     "u.vhdx");
  check_parent_name ("volume_path",
                     "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\v",
                     "v");
  /* Nothing plain is left: only shown, never opened. */
  check_parent_name ("relative_path", "..", "..");
}

static void
test_parent_of_another_identity_is_refused (void **state)
{
  static const struct {
    const char *linkage;
    uint32_t logical;
    const char *want;
  } cases[] = {
    { "{D1D1D1D1-D1D1-D1D1-D1D1-D1D1D1D1D1D1}", 512, NULL },
    { "{d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d2}", 512,
      "its data identifier is d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1, the child "
      "was made for d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d2" },
    { "{d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1}", 4096, "logical sectors" },
  };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *base_path = NULL, *child_path = NULL;

  (void) state;
  assert_true (asprintf (&base_path, "%s/base.vhdx", dir) > 0);
  assert_true (asprintf (&child_path, "%s/child.vhdx", dir) > 0);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct vhdx_build *base = vhdx_build_new (
        &(const struct vhdx_build_opts){ .logical = cases[i].logical });
    struct vhdx_build *child = vhdx_build_new (&(const struct vhdx_build_opts){
        .flags = 2, .linkage = cases[i].linkage });
    struct v2v_error *err = NULL;
    struct v2v_image *img;

    vhdx_build_fill (base, BUILD_DATA, MIB, 0x44);
    vhdx_build_block (base, 3, BUILD_DATA, 6);
    vhdx_build_block (child, 4, 0, 2);
    vhdx_build_write (base, base_path, 0);
    vhdx_build_write (child, child_path, 0);
    img = v2v_image_open (child_path, NULL, &err);
    if (cases[i].want == NULL) {
      assert_ptr (img, err);
      assert_bytes (img, 3 * MIB, MIB, 0x44);
      assert_bytes (img, 4 * MIB, MIB, 0);
      v2v_image_close (img);
    }
    else {
      assert_null (img);
      assert_error (&err, V2V_ERR_MISMATCH, cases[i].want);
    }
    vhdx_build_free (base);
    vhdx_build_free (child);
  }
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_every_state_reads_as_it_should),
    cmocka_unit_test (test_only_header_2_and_region_table_2_are_good),
    cmocka_unit_test (test_the_header_with_the_higher_sequence_counts),
    cmocka_unit_test (test_identical_headers_are_accepted),
    cmocka_unit_test (test_required_flags_of_regions_are_not_insisted_on),
    cmocka_unit_test (test_disks_around_the_chunk_edge),
    cmocka_unit_test (test_disk_one_sector_over_a_block),
    cmocka_unit_test (test_last_block_may_be_cut_off_after_the_disk),
    cmocka_unit_test (test_bitmap_bits_are_read_from_the_lowest),
    cmocka_unit_test (test_parent_paths_are_reduced_to_their_last_part),
    cmocka_unit_test (test_parent_of_another_identity_is_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
