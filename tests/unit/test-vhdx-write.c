/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX files we make: read back, and judged by qemu-img and 7-Zip, which share
 * no code with us.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "vhdx-write-util.h"

/* ---- round trips ---- */

static void
round_trip (enum v2v_subformat subformat, uint64_t block, uint32_t logical,
            uint64_t size)
{
  CLEANUP_FREE char *raw = in_dir ("disk.raw"), *vhdx = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = size,
                                        .subformat = subformat,
                                        .block_bytes = block,
                                        .logical_sector_bytes = logical };
  const struct v2v_create_opts raw_opts = { .size_bytes = size };
  struct v2v_image *images[2] = { create (raw, "raw", &raw_opts),
                                  create (vhdx, "vhdx", &opts) };
  const struct v2v_image_info *info;
  struct v2v_image *img;
  struct stat st;

  scribble (images, 2, 30, (uint32_t) (block / MIB + logical));
  finish (images[0]);
  finish (images[1]);
  img = open_image (vhdx);
  info = v2v_image_get_info (img);
  assert_true (info->size_bytes == size);
  assert_true (info->block_bytes == block);
  assert_int_equal (info->logical_sector_bytes, logical);
  assert_int_equal (info->physical_sector_bytes, 4096);
  assert_string_equal (info->variant,
                       subformat == V2V_SUB_FIXED ? "fixed" : "dynamic");
  assert_false (info->dirty);
  v2v_image_close (img);
  assert_int_equal (stat (vhdx, &st), 0);
  assert_int_equal ((uint64_t) st.st_size % MIB, 0);
  assert_same (raw, vhdx);
  if (logical == 512)
    assert_qemu_agrees (raw, vhdx);
}

static void
test_round_trip_of_every_block_and_sector_size (void **state)
{
  (void) state;
  for (uint64_t block = MIB; block <= 256 * MIB; block *= 2)
    for (unsigned big = 0; big < 2; ++big)
      round_trip (V2V_SUB_DYNAMIC, block, big ? 4096 : 512,
                  2 * block + block / 2 + 4096);
}

static void
test_round_trip_of_fixed_disks (void **state)
{
  (void) state;
  round_trip (V2V_SUB_FIXED, MIB, 512, 17 * MIB);
  round_trip (V2V_SUB_FIXED, 2 * MIB, 4096, 5 * MIB + 4096);
  round_trip (V2V_SUB_FIXED, 32 * MIB, 512, 33 * MIB + 4096);
}

/* A chunk is what one bitmap block describes: 2^23 sectors, 4 GiB of this
 * disk.  [MS-VHDX] 2.5.1: the entry of the bitmap comes after those of the
 * chunk's payload blocks. */
#define CHUNK (4096 * MIB)
#define RUN   (UINT64_C (64) << 10)

/* What QEMU reads of LEN bytes at OFFSET is all BYTE.  Not all of the disk is
 * compared: a touched block of 256 MiB is read whole then. */
static void
assert_qemu_reads (const char *vhdx, uint64_t offset, uint64_t len, int byte)
{
  char command[80];

  snprintf (command, sizeof command, "read -P %d %" PRIu64 " %" PRIu64, byte,
            offset, len);
  assert_int_equal (
      test_run ((const char *const[]){ "qemu-io", "-r", "-f", "vhdx", "-c",
                                       command, vhdx, NULL },
                NULL),
      0);
}

/* Runs of one byte each at the begin, across each border of two chunks, and at
 * the end. */
static void
across_chunks (enum v2v_subformat subformat, uint64_t block, uint64_t size)
{
  CLEANUP_FREE char *raw = in_dir ("disk.raw"), *vhdx = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = size,
                                        .subformat = subformat,
                                        .block_bytes = block };
  const struct v2v_create_opts raw_opts = { .size_bytes = size };
  struct v2v_image *images[2] = { create (raw, "raw", &raw_opts),
                                  create (vhdx, "vhdx", &opts) };
  struct v2v_error *err = NULL;
  CLEANUP_FREE uint8_t *buf = malloc (RUN);
  uint64_t places[8];
  size_t n = 0;

  assert_non_null (buf);
  places[n++] = 0;
  for (uint64_t border = CHUNK; border + RUN < size; border += CHUNK)
    places[n++] = border - RUN / 2;
  places[n++] = size - RUN;
  for (size_t i = 0; i < n; ++i) {
    memset (buf, (int) i + 1, RUN);
    for (unsigned k = 0; k < 2; ++k)
      assert_ok (v2v_image_write (images[k], buf, RUN, places[i], &err), err);
  }
  finish (images[0]);
  finish (images[1]);
  assert_same (raw, vhdx);
  if (!test_have ("qemu-img") || !test_have ("qemu-io"))
    return;
  assert_int_equal (test_run ((const char *const[]){ "qemu-img", "check", "-f",
                                                     "vhdx", vhdx, NULL },
                              NULL),
                    0);
  for (size_t i = 0; i < n; ++i) {
    assert_qemu_reads (vhdx, places[i], RUN, (int) i + 1);
    if (places[i] > 0)
      assert_qemu_reads (vhdx, places[i] - RUN, RUN, 0);
  }
}

static void
test_disks_across_chunks (void **state)
{
  (void) state;
  across_chunks (V2V_SUB_DYNAMIC, MIB, CHUNK);
  across_chunks (V2V_SUB_DYNAMIC, MIB, CHUNK + MIB + 4096);
  across_chunks (V2V_SUB_DYNAMIC, 256 * MIB, 2 * CHUNK + 512 * MIB);
  /* 4098 blocks: the table has the entry of a bitmap in it */
  across_chunks (V2V_SUB_FIXED, MIB, CHUNK + 2 * MIB);
}

/* ---- what Windows wants ---- */

static void
test_the_file_has_what_windows_demands (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = 3 * MIB };
  struct v2v_image *img = create (path, "vhdx", &opts);
  struct v2v_error *err = NULL;
  size_t len = 0;
  uint8_t *p;

  (void) state;
  assert_ok (v2v_image_write (img, "\1", 0, 0, &err), err);
  finish (img);
  p = test_read_file (path, &len);
  for (unsigned i = 0; i < 2; ++i) {
    const uint8_t *h = p + 65536 * (i + 1), *r = p + 65536 * (i + 3);

    assert_memory_equal (h, "head", 4);
    assert_true (v2v_le64 (h + 8) == i + 1);
    assert_true (v2v_is_zero (h + 48, 16)); /* no log */
    assert_memory_equal (r, "regi", 4);
    assert_int_equal (v2v_le32 (r + 8), 2);
    for (unsigned k = 0; k < 2; ++k) {
      assert_int_equal (v2v_le64 (r + 32 + 32 * k) % MIB, 0);
      assert_int_equal (v2v_le32 (r + 40 + 32 * k) % MIB, 0);
      assert_int_equal (v2v_le32 (r + 44 + 32 * k), 1); /* required */
    }
  }
  assert_true (v2v_is_zero (p + MIB, MIB)); /* the log is empty */
  assert_memory_equal (p + 2 * MIB, "metadata", 8);
  assert_int_equal (v2v_le16 (p + 2 * MIB + 10), 5);
  assert_int_equal (v2v_le32 (p + 2 * MIB + 32 + 24), 4); /* parameters */
  for (unsigned i = 1; i < 5; ++i)
    assert_int_equal (v2v_le32 (p + 2 * MIB + 32 + 32 * i + 24), 6);
  /* an empty disk ends after its table */
  assert_int_equal (len, 4 * MIB);
  free (p);
}

static void
test_identifiers_differ_from_file_to_file (void **state)
{
  CLEANUP_FREE char *a = in_dir ("a.vhdx"), *b = in_dir ("b.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = MIB };
  struct v2v_image *x, *y;

  (void) state;
  finish (create (a, "vhdx", &opts));
  finish (create (b, "vhdx", &opts));
  x = open_image (a);
  y = open_image (b);
  assert_string_not_equal (v2v_image_get_info (x)->id,
                           v2v_image_get_info (y)->id);
  assert_string_not_equal (v2v_image_get_info (x)->content_id,
                           v2v_image_get_info (y)->content_id);
  v2v_image_close (x);
  v2v_image_close (y);
}

static void
test_no_holes_allocates_the_file (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = 8 * MIB,
                                        .subformat = V2V_SUB_FIXED,
                                        .no_holes = true };
  struct stat st;

  (void) state;
  finish (create (path, "vhdx", &opts));
  assert_int_equal (stat (path, &st), 0);
  assert_true (st.st_size == 12 * 1048576);
  assert_true ((uint64_t) st.st_blocks * 512 >= (uint64_t) st.st_size);
}

static void
test_absent_data_takes_no_space (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = V2V_GIB };
  struct v2v_image *img = create (path, "vhdx", &opts);
  struct v2v_error *err = NULL;
  uint8_t sector[512] = { 1 };
  struct stat st;

  (void) state;
  assert_ok (v2v_image_zero (img, V2V_GIB, 0, &err), err);
  assert_ok (v2v_image_write (img, sector, 512, 512 * MIB, &err), err);
  finish (img);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_size, 6 * MIB); /* 4 and one block of 2 MiB */
}

static void
test_impossible_options_are_refused (void **state)
{
  static const struct {
    struct v2v_create_opts opts;
    const char *text;
  } cases[] = {
    { { .size_bytes = 0 }, "disk of 0 bytes" },
    { { .size_bytes = 1000 }, "disk of 1000 bytes" },
    { { .size_bytes = 512, .logical_sector_bytes = 4096 }, "disk of 512" },
    { { .size_bytes = (UINT64_C (1) << 46) + 512 }, "up to 64 TiB" },
    { { .size_bytes = UINT64_MAX - 511, .size_policy = V2V_SIZE_MIB },
      "up to 64 TiB" },
    { { .size_bytes = MIB, .block_bytes = MIB / 2 }, "blocks of 524288" },
    { { .size_bytes = MIB, .block_bytes = 3 * MIB }, "blocks of 3145728" },
    { { .size_bytes = MIB, .block_bytes = 512 * MIB }, "blocks of" },
    { { .size_bytes = MIB, .logical_sector_bytes = 520 }, "sectors of 520" },
    { { .size_bytes = MIB, .physical_sector_bytes = 8192 }, "physical 8192" },
    { { .size_bytes = MIB, .subformat = V2V_SUB_STREAM }, "no stream form" },
    { { .size_bytes = MIB, .subformat = V2V_SUB_DIFFERENCING },
      "needs a parent" },
  };
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_error *err = NULL;

    assert_null (v2v_image_create (path, "vhdx", &cases[i].opts, &err));
    assert_error (&err, V2V_ERR_USAGE, cases[i].text);
  }
}

static void
test_sizes_round_up_to_mib_by_policy (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = MIB + 512,
                                        .size_policy = V2V_SIZE_MIB };
  struct v2v_image *img = create (path, "vhdx", &opts);

  (void) state;
  assert_true (v2v_image_size (img) == 2 * MIB);
  v2v_image_close (img);
}

static void
test_part_of_a_4096_byte_sector_is_not_written (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = MIB,
                                        .logical_sector_bytes = 4096 };
  struct v2v_image *img = create (path, "vhdx", &opts);
  struct v2v_error *err = NULL;
  uint8_t sector[512] = { 0 };

  (void) state;
  assert_int_equal (v2v_image_write (img, sector, 512, 0, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "whole sectors of 4096");
  assert_int_equal (v2v_image_zero (img, 4096, 512, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "whole sectors of 4096");
  v2v_image_close (img);
}

/* ---- reserve ---- */

static void
test_reserved_places_are_filled_by_the_caller (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx"), *raw = in_dir ("disk.raw");
  const struct v2v_create_opts opts = { .size_bytes = 9 * MIB };
  struct v2v_image *img = create (path, "vhdx", &opts);
  struct v2v_image *r = create (raw, "raw", &opts);
  struct v2v_error *err = NULL;
  uint8_t *buf = malloc (5 * MIB);

  (void) state;
  assert_non_null (buf);
  test_random (buf, 5 * MIB, 3);
  for (uint64_t at = 0; at < 5 * MIB;) {
    struct v2v_run run = { .io = NULL };

    assert_int_equal (
        v2v_image_reserve (img, 5 * MIB - at, 3 * MIB + at, &run, &err), 0);
    assert_true (run.length <= 2 * MIB); /* up to the end of the block */
    if ((3 * MIB + at) % (2 * MIB) == 0)
      assert_int_equal (run.file_offset % MIB, 0);
    assert_ok (
        v2v_io_pwrite (run.io, buf + at, run.length, run.file_offset, &err),
        err);
    at += run.length;
  }
  assert_ok (v2v_image_write (r, buf, 5 * MIB, 3 * MIB, &err), err);
  finish (img);
  finish (r);
  assert_same (raw, path);
  assert_qemu_agrees (raw, path);
  free (buf);
}

/* ---- threads ---- */

#define NR_THREADS 4
struct writer {
  struct v2v_image *img;
  unsigned first;
  int r;
};

/* Every fourth 64 KiB piece: each block is written by all threads. */
static void *
write_pieces (void *arg)
{
  struct writer *w = arg;
  uint8_t buf[65536];

  for (unsigned i = w->first; i < 320; i += NR_THREADS) {
    test_random (buf, sizeof buf, i);
    if (v2v_image_write (w->img, buf, sizeof buf, (uint64_t) i * sizeof buf,
                         NULL) == -1)
      w->r = -1;
  }
  return NULL;
}

static void
test_parallel_writers_share_blocks (void **state)
{
  CLEANUP_FREE char *path = in_dir ("disk.vhdx");
  const struct v2v_create_opts opts = { .size_bytes = 20 * MIB };
  struct v2v_image *img = create (path, "vhdx", &opts);
  struct writer w[NR_THREADS];
  pthread_t t[NR_THREADS];
  struct v2v_error *err = NULL;
  uint8_t want[65536], got[65536];
  struct stat st;

  (void) state;
  for (unsigned i = 0; i < NR_THREADS; ++i) {
    w[i] = (struct writer){ img, i, 0 };
    assert_int_equal (pthread_create (&t[i], NULL, write_pieces, &w[i]), 0);
  }
  for (unsigned i = 0; i < NR_THREADS; ++i) {
    pthread_join (t[i], NULL);
    assert_int_equal (w[i].r, 0);
  }
  finish (img);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_size, 24 * MIB); /* no block twice */
  img = open_image (path);
  for (unsigned i = 0; i < 320; ++i) {
    test_random (want, sizeof want, i);
    assert_ok (
        v2v_image_read (img, got, sizeof got, (uint64_t) i * sizeof got, &err),
        err);
    assert_memory_equal (want, got, sizeof got);
  }
  v2v_image_close (img);
}

/* ---- the largest ---- */

static void
sparse_64_tib (uint64_t block, enum v2v_subformat subformat)
{
  CLEANUP_FREE char *path = in_dir ("large.vhdx");
  const uint64_t size = 64 * V2V_TIB;
  const struct v2v_create_opts opts = { .size_bytes = size,
                                        .block_bytes = block,
                                        .subformat = subformat };
  struct v2v_image *img = create (path, "vhdx", &opts);
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  uint8_t sector[512] = { 7 }, got[512];

  assert_ok (v2v_image_zero (img, size - 512, 0, &err), err);
  assert_ok (v2v_image_write (img, sector, 512, size - 512, &err), err);
  assert_ok (v2v_image_write (img, sector, 512, size / 2, &err), err);
  finish (img);
  img = open_image (path);
  assert_ok (v2v_image_extents (img, size, 0, &list, &err), err);
  /* In the two blocks, the file's own holes are zeros. */
  assert_in_range (list.len, 4, 7);
  assert_true (list.ptr[0].length == size / 2);
  assert_ok (v2v_image_read (img, got, 512, size - 512, &err), err);
  assert_memory_equal (got, sector, 512);
  v2v_image_close (img);
}

static void
test_64_tib_takes_little_memory (void **state)
{
  struct rusage before, after;

  (void) state;
  assert_int_equal (getrusage (RUSAGE_SELF, &before), 0);
  sparse_64_tib (0, V2V_SUB_NONE);
  sparse_64_tib (MIB, V2V_SUB_DYNAMIC);
  assert_int_equal (getrusage (RUSAGE_SELF, &after), 0);
  /* ru_maxrss is in KiB; the table of the second has 512 MiB */
  if (getenv ("V2V_VALGRIND") == NULL)
    assert_true (after.ru_maxrss < before.ru_maxrss + 64 * 1024);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_round_trip_of_every_block_and_sector_size),
    TEST (test_round_trip_of_fixed_disks),
    TEST (test_disks_across_chunks),
    TEST (test_the_file_has_what_windows_demands),
    TEST (test_identifiers_differ_from_file_to_file),
    TEST (test_no_holes_allocates_the_file),
    TEST (test_absent_data_takes_no_space),
    TEST (test_impossible_options_are_refused),
    TEST (test_sizes_round_up_to_mib_by_policy),
    TEST (test_part_of_a_4096_byte_sector_is_not_written),
    TEST (test_reserved_places_are_filled_by_the_caller),
    TEST (test_parallel_writers_share_blocks),
    TEST (test_64_tib_takes_little_memory),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
