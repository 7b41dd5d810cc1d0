/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX files we make: differencing ones, ones that were interrupted, and ones
 * whose writing fails somewhere; judged as those of test-vhdx-write are.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vhdx-write-util.h"

/* ---- differencing ---- */

/* What 7-Zip, which follows the chain, finds in the file. */
static void
assert_7zip_agrees (const char *raw, const char *vhdx)
{
  CLEANUP_FREE char *out = in_dir ("7z.out");
  size_t len_a = 0, len_b = 0;
  void *a, *b;

  if (!test_have ("7zz"))
    return;
  assert_int_equal (
      test_run ((const char *const[]){ "7zz", "x", "-so", vhdx, NULL }, out),
      0);
  a = test_read_file (raw, &len_a);
  b = test_read_file (out, &len_b);
  assert_int_equal (len_a, len_b);
  assert_memory_equal (a, b, len_a);
  free (a);
  free (b);
}

/* Writes of single sectors and of more than a block, on LINKS files. */
static void
check_chain (unsigned links, uint64_t block, uint32_t logical)
{
  CLEANUP_FREE char *raw = in_dir ("disk.raw");
  const uint64_t size = 11 * MIB + 4096;
  char *previous = NULL;

  for (unsigned i = 0; i <= links; ++i) {
    char name[32];
    CLEANUP_FREE char *path = NULL;
    struct v2v_create_opts opts = { .size_bytes = size,
                                    .block_bytes = block,
                                    .logical_sector_bytes = logical };
    struct v2v_error *err = NULL;
    struct v2v_image *images[2];

    snprintf (name, sizeof name, "link%u.vhdx", i);
    path = in_dir (name);
    if (previous != NULL) {
      opts.subformat = V2V_SUB_DIFFERENCING;
      opts.parent = open_image (previous);
      opts.parent_absolute_path = "D:\\elsewhere\\other.vhdx";
    }
    images[0] = create (path, "vhdx", &opts);
    images[1] = i == 0 ? create (raw, "raw", &opts)
                       : v2v_image_open_rw (raw, NULL, &err);
    assert_ptr (images[1], err);
    scribble (images, 2, i == 0 ? 40 : 12, 77 * i + (uint32_t) block + links);
    finish (images[0]);
    finish (images[1]);
    v2v_image_close (opts.parent);
    free (previous);
    previous = STEAL (path);
  }
  assert_same (raw, previous);
  if (logical == 512) /* 7-Zip opens no other */
    assert_7zip_agrees (raw, previous);
  free (previous);
}

static void
test_differencing_chains_with_partial_blocks (void **state)
{
  (void) state;
  check_chain (1, MIB, 512);
  check_chain (1, 2 * MIB, 512);
  check_chain (2, 4 * MIB, 512);
  check_chain (10, 2 * MIB, 512);
  check_chain (2, 2 * MIB, 4096);
}

static void
test_a_child_hides_its_parent_by_zeros (void **state)
{
  CLEANUP_FREE char *base = in_dir ("base.vhdx"), *child = in_dir ("c.vhdx");
  struct v2v_create_opts opts = { .size_bytes = 6 * MIB };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  uint8_t *buf = malloc (6 * MIB);
  struct v2v_image *img = create (base, "vhdx", &opts);
  struct stat st;

  (void) state;
  assert_non_null (buf);
  memset (buf, 0xee, 6 * MIB);
  assert_ok (v2v_image_write (img, buf, 6 * MIB, 0, &err), err);
  finish (img);
  opts.subformat = V2V_SUB_DIFFERENCING;
  opts.parent = open_image (base);
  img = create (child, "vhdx", &opts);
  /* block 0 whole: state 2, no space; block 1: a sector only */
  assert_ok (v2v_image_zero (img, 2 * MIB + 512, 0, &err), err);
  finish (img);
  v2v_image_close (opts.parent);
  assert_int_equal (stat (child, &st), 0);
  assert_int_equal (st.st_size, 4 * MIB + 3 * MIB); /* block and bitmap */
  img = open_image (child);
  assert_int_equal (v2v_image_chain_length (img), 2);
  assert_ok (v2v_image_extents (img, 6 * MIB, 0, &list, &err), err);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ZERO);
  assert_true (list.ptr[0].length == 2 * MIB && list.ptr[0].depth == 0);
  assert_ok (v2v_image_read (img, buf, 6 * MIB, 0, &err), err);
  assert_true (v2v_is_zero (buf, 2 * MIB + 512));
  for (size_t i = 2 * MIB + 512; i < 6 * MIB; ++i)
    assert_int_equal (buf[i], 0xee);
  v2v_image_close (img);
  free (buf);
}

/* All sectors of a block, one by one: it ends as FULLY_PRESENT. */
static void
test_a_block_written_in_pieces_becomes_full (void **state)
{
  CLEANUP_FREE char *base = in_dir ("base.vhdx"), *child = in_dir ("c.vhdx");
  struct v2v_create_opts opts = { .size_bytes = 3 * MIB };
  struct v2v_error *err = NULL;
  uint8_t sector[512] = { 5 };
  struct v2v_image *img = create (base, "vhdx", &opts);
  size_t len = 0;
  uint8_t *p;

  (void) state;
  finish (img);
  opts.subformat = V2V_SUB_DIFFERENCING;
  opts.parent = open_image (base);
  img = create (child, "vhdx", &opts);
  for (unsigned i = 0; i < 2048; ++i) /* the last block has only 1 MiB */
    assert_ok (v2v_image_write (img, sector, 512, 2 * MIB + i * 512, &err),
               err);
  for (unsigned i = 0; i < 4095; ++i)
    assert_ok (v2v_image_write (img, sector, 512, i * 512, &err), err);
  finish (img);
  v2v_image_close (opts.parent);
  p = test_read_file (child, &len);
  assert_int_equal (p[3 * MIB] & 7, 7); /* one sector is missing */
  assert_int_equal (p[3 * MIB + 8] & 7, 6);
  free (p);
}

static void
test_the_parent_of_a_child_must_be_a_vhdx (void **state)
{
  CLEANUP_FREE char *base = in_dir ("base.raw"), *child = in_dir ("c.vhdx");
  struct v2v_create_opts opts = { .size_bytes = 3 * MIB };
  struct v2v_error *err = NULL;

  (void) state;
  finish (create (base, "raw", &opts));
  opts.subformat = V2V_SUB_DIFFERENCING;
  opts.parent = open_image (base);
  assert_null (v2v_image_create (child, "vhdx", &opts, &err));
  assert_error (&err, V2V_ERR_USAGE, "needs a VHDX");
  v2v_image_close (opts.parent);
}

/* ---- resuming ---- */

static void
check_resume (enum v2v_subformat subformat, bool after_finish)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx"), *raw = in_dir ("disk.raw");
  const struct v2v_create_opts opts = { .size_bytes = 9 * MIB + 512,
                                        .subformat = subformat,
                                        .replace = true };
  const struct v2v_create_opts other = { .size_bytes = 10 * MIB,
                                         .subformat = subformat,
                                         .replace = true };
  struct v2v_image *img = create (path, "vhdx", &opts);
  const struct v2v_create_opts raw_opts = { .size_bytes = opts.size_bytes };
  struct v2v_image *r = create (raw, "raw", &raw_opts);
  struct v2v_error *err = NULL;
  uint8_t *buf = malloc (4 * MIB);

  assert_non_null (buf);
  test_random (buf, 4 * MIB, 9);
  assert_ok (v2v_image_write (img, buf, 4 * MIB, MIB, &err), err);
  assert_ok (v2v_image_flush (img, &err), err);
  /* Written after the flush: its block is no longer known, and what is left
   * of it must not shine through. */
  assert_ok (v2v_image_write (img, buf, MIB, 8 * MIB, &err), err);
  if (after_finish)
    assert_ok (v2v_image_finish_unpublished (img, &err), err);
  v2v_image_keep_part (img);
  v2v_image_close (img);

  assert_null (v2v_image_resume (path, "vhdx", &other, &err));
  assert_error (&err, V2V_ERR_USAGE, "of another kind");
  /* A refused resume removes the file, as a failed copy does: begin anew. */
  img = create (path, "vhdx", &opts);
  assert_ok (v2v_image_write (img, buf, 4 * MIB, MIB, &err), err);
  assert_ok (v2v_image_flush (img, &err), err);
  assert_ok (v2v_image_write (img, buf, MIB, 8 * MIB, &err), err);
  if (after_finish)
    assert_ok (v2v_image_finish_unpublished (img, &err), err);
  v2v_image_keep_part (img);
  v2v_image_close (img);

  img = v2v_image_resume (path, "vhdx", &opts, &err);
  assert_ptr (img, err);
  if (subformat == V2V_SUB_FIXED || after_finish)
    assert_ok (v2v_image_zero (img, MIB, 8 * MIB, &err), err);
  assert_ok (v2v_image_write (img, buf, 512, 9 * MIB, &err), err);
  finish (img);
  assert_ok (v2v_image_write (r, buf, 4 * MIB, MIB, &err), err);
  assert_ok (v2v_image_write (r, buf, 512, 9 * MIB, &err), err);
  finish (r);
  assert_same (raw, path);
  assert_qemu_agrees (raw, path);
  free (buf);
}

static void
test_an_unfinished_file_is_resumed (void **state)
{
  (void) state;
  check_resume (V2V_SUB_DYNAMIC, false);
  check_resume (V2V_SUB_FIXED, false);
  check_resume (V2V_SUB_DYNAMIC, true);
}

static void
test_an_unfinished_file_is_no_image (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = 3 * MIB };
  struct v2v_image *img = create (path, "vhdx", &opts);
  CLEANUP_FREE char *part = in_dir ("disk.vhdx.part");
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_image_write (img, part, 0, 0, &err), err);
  assert_ok (v2v_image_flush (img, &err), err);
  assert_null (v2v_image_open (part, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, "neither has a good signature");
  v2v_image_close (img);
}

/* ---- faults ---- */

static int
write_some (struct v2v_io *io, struct v2v_error **err)
{
  const struct v2v_create_opts opts = { .size_bytes = 5 * MIB };
  struct v2v_image *img = v2v_image_create_io (io, "vhdx", &opts, err);
  uint8_t sector[512] = { 1 };
  int r = -1;

  if (img != NULL && v2v_image_write (img, sector, 512, 3 * MIB, err) == 0 &&
      v2v_image_zero (img, 512, 3 * MIB + 512, err) == 0 &&
      v2v_image_flush (img, err) == 0 && v2v_image_finish (img, err) == 0)
    r = 0;
  v2v_image_close (img);
  return r;
}

/* At every call: an error, and what is left is not taken for an image. */
static void
test_faults_at_every_call_leave_no_valid_file (void **state)
{
  unsigned n;

  (void) state;
  for (n = 1; n < 100; ++n) {
    struct v2v_error *err = NULL;
    struct v2v_io *base = v2v_io_from_buffer ("out", "", 0, &err);
    struct v2v_io *io = test_faulty_io (base, n, ENOSPC, NULL);
    int r = write_some (io, &err);
    struct v2v_image *img;

    v2v_io_unref (io);
    if (r == 0) {
      v2v_io_unref (base);
      break;
    }
    assert_error (&err, V2V_ERR_IO, "injected");
    /* The last steps are both headers and a sync: from the first header on
     * everything else is in place. */
    img = v2v_io_size (base) < MIB
              ? NULL
              : v2v_image_open_io (
                    base, &(const struct v2v_open_opts){ .format = "vhdx" },
                    NULL);
    if (img != NULL) {
      uint8_t got[512];

      assert_ok (v2v_image_read (img, got, 512, 3 * MIB, &err), err);
      assert_int_equal (got[0], 1);
      v2v_image_close (img);
    }
    v2v_io_unref (base);
  }
  assert_in_range (n, 10, 60);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_differencing_chains_with_partial_blocks),
    TEST (test_a_child_hides_its_parent_by_zeros),
    TEST (test_a_block_written_in_pieces_becomes_full),
    TEST (test_the_parent_of_a_child_must_be_a_vhdx),
    TEST (test_an_unfinished_file_is_resumed),
    TEST (test_an_unfinished_file_is_no_image),
    TEST (test_faults_at_every_call_leave_no_valid_file),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
