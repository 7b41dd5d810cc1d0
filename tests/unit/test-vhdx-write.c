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

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/copy.h"
#include "test-util.h"

#define MIB V2V_MIB

static char *dir;

static int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

static char *
in_dir (const char *name)
{
  char *path = NULL;

  assert_true (asprintf (&path, "%s/%s", dir, name) > 0);
  return path;
}

static struct v2v_image *
create (const char *path, const char *format,
        const struct v2v_create_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_create_opts o = *opts;
  struct v2v_image *img;

  o.replace = true;
  img = v2v_image_create (path, format, &o, &err);
  assert_ptr (img, err);
  return img;
}

static void
finish (struct v2v_image *img)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
}

static struct v2v_image *
open_image (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, NULL, &err);

  assert_ptr (img, err);
  return img;
}

/* The same bytes, by our reader; nothing wrong, by our checker. */
static void
assert_same (const char *raw, const char *vhdx)
{
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;
  struct v2v_image *a = open_image (raw), *b = open_image (vhdx);
  uint64_t where = 0;

  assert_int_equal (v2v_image_compare (a, b, true, NULL, &where, &err), 0);
  v2v_image_close (a);
  v2v_image_close (b);
  assert_ok (v2v_image_check (vhdx, false, NULL, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity != V2V_CHECK_NOTE)
      fail_msg ("%s: %s", report.items[i].id, report.items[i].message);
  v2v_check_report_clear (&report);
}

/* And by QEMU, which knows no parents and no 4096-byte sectors. */
static void
assert_qemu_agrees (const char *raw, const char *vhdx)
{
  if (!test_have ("qemu-img"))
    return;
  assert_int_equal (test_run ((const char *const[]){ "qemu-img", "check", "-f",
                                                     "vhdx", vhdx, NULL },
                              NULL),
                    0);
  assert_int_equal (
      test_run ((const char *const[]){ "qemu-img", "compare", "-f", "raw", "-F",
                                       "vhdx", raw, vhdx, NULL },
                NULL),
      0);
}

/* The same random writes and zeros to both, all inside the disk. */
static void
scribble (struct v2v_image *const *images, unsigned n_images, unsigned nr,
          uint32_t seed)
{
  const uint64_t size = v2v_image_size (images[0]);
  const uint64_t sector = 4096;
  uint8_t *buf = malloc (4 * MIB);
  struct v2v_error *err = NULL;

  assert_non_null (buf);
  for (unsigned i = 0; i < nr; ++i) {
    uint64_t offset, len;
    uint32_t r[4];

    test_random (r, sizeof r, seed * 1000 + i);
    offset = ((uint64_t) r[0] << 20 ^ r[1]) % (size / sector) * sector;
    len = v2v_min_u64 ((1 + r[2] % (r[3] % 8 == 0 ? 1024 : 64)) * sector,
                       size - offset);
    if (i == 0)
      offset = size - (len = sector); /* the end of the disk */
    test_random (buf, len, seed + i);
    for (unsigned k = 0; k < n_images; ++k)
      if (i % 5 == 4)
        assert_ok (v2v_image_zero (images[k], len, offset, &err), err);
      else
        assert_ok (v2v_image_write (images[k], buf, len, offset, &err), err);
  }
  free (buf);
}

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
