/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copy engine: holes are never written, runs are merged, contents and
 * digests are right whatever the layout and the number of threads, and each
 * failure is one clear error.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/core/bytes.h"
#include "formats/core/text.h"
#include "test-copy-util.h"

/* A raw disk in memory that logs what is written to it. */
struct target {
  struct test_log log;
  struct v2v_io *base;
  struct v2v_image *img;
};

static void
target_open (struct target *t, uint64_t size)
{
  const struct v2v_create_opts create = { .size_bytes = size };
  struct v2v_error *err = NULL;
  struct v2v_io *io;

  t->base = v2v_io_from_buffer ("target.raw", NULL, 0, &err);
  assert_ptr (t->base, err);
  io = test_logged_io (t->base, &t->log);
  t->img = v2v_image_create_io (io, "raw", &create, &err);
  assert_ptr (t->img, err);
  v2v_io_unref (io);
}

static void
target_close (struct target *t)
{
  v2v_image_close (t->img);
  v2v_io_unref (t->base);
  test_log_clear (&t->log);
}

/* Copy and compare; the caller looks at the log and the result. */
static void
copy_ok (struct v2v_image *src, struct target *t,
         const struct v2v_copy_opts *opts, struct v2v_copy_result *result)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_copy (src, t->img, opts, result, &err), err);
  assert_ok (v2v_image_flush (t->img, &err), err);
  test_assert_same (src, t->img);
}

static void
test_holes_are_never_written_and_runs_are_merged (void **state)
{
  static const struct test_run runs[] = {
    { 0, 64 * KIB, false },
    { 64 * KIB, 64 * KIB, false },        /* touches the first */
    { 512 * KIB, 128 * KIB, true },       /* stored zeros */
    { MIB, 4 * KIB, false },              /* one piece */
    { 6 * MIB, 5 * MIB, false },          /* over three blocks */
    { 200 * MIB + 4096, 2 * MIB, false }, /* in another window */
  };
  struct v2v_image *src = test_source (256 * MIB, runs, 6, 1, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };
  size_t writes = 0;

  (void) state;
  target_open (&t, 256 * MIB);
  copy_ok (src, &t, NULL, &result);
  test_log_assert_inside (&t.log, runs, 6);
  for (size_t i = 0; i < t.log.nr; ++i) {
    assert_int_not_equal (t.log.requests[i].type, TEST_ZERO);
    writes += t.log.requests[i].type == TEST_WRITE;
  }
  /* One for the first two runs, one for the piece, three for the blocks of the
   * next (6, 8, 10 MiB), two for the last. */
  assert_int_equal (writes, 7);
  assert_int_equal (result.written_bytes,
                    128 * KIB + 4 * KIB + 5 * MIB + 2 * MIB);
  assert_int_equal (result.zero_bytes, 128 * KIB);
  assert_int_equal (result.data_bytes,
                    result.written_bytes + result.zero_bytes);
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

static void
test_zeros_inside_data_are_left_out_in_pieces_of_4k (void **state)
{
  /* One extent for the driver, zeros in the middle of it. */
  static const struct test_run runs[] = {
    { 0, 8 * KIB, false },
    { 8 * KIB, 4 * KIB, true },
    { 12 * KIB, 4 * KIB, false },
    { 16 * KIB, 2 * KIB, true }, /* half a piece: written with the rest */
    { 18 * KIB, 14 * KIB, false },
  };
  struct v2v_image *src = test_source (MIB, runs, 5, 7, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };

  (void) state;
  target_open (&t, MIB);
  copy_ok (src, &t, NULL, &result);
  assert_int_equal (test_log_bytes (&t.log, TEST_WRITE), 28 * KIB);
  assert_int_equal (result.zero_bytes, 4 * KIB);
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

/* Runs at random, aligned to 512 bytes. */
static size_t
random_runs (struct test_run *runs, size_t max, uint64_t size, uint32_t seed)
{
  uint32_t r[2 * 64];
  uint64_t pos = 0;
  size_t n = 0;

  test_random (r, sizeof r, seed);
  while (n < max && pos < size) {
    const uint64_t gap = r[2 * n] % (4 * MIB) / 512 * 512;
    const uint64_t len = (r[2 * n + 1] % (3 * MIB) / 512 + 1) * 512;

    pos += r[2 * n] & 1 ? gap : 0;
    if (pos >= size)
      break;
    runs[n].offset = pos;
    runs[n].length = v2v_min_u64 (len, size - pos);
    runs[n].zeros = r[2 * n + 1] % 5 == 0;
    pos += runs[n++].length;
  }
  return n;
}

static void
test_random_disks_with_1_2_and_5_threads (void **state)
{
  static const unsigned threads[] = { 1, 2, 5 };

  (void) state;
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    struct test_run runs[64];
    const uint64_t size = 24 * MIB + seed * 1536;
    const size_t n = random_runs (runs, 64, size, seed);
    uint8_t root[V2V_SHA256_SIZE] = { 0 };

    for (size_t i = 0; i < 3; ++i) {
      const struct v2v_copy_opts opts = { .threads = threads[i],
                                          .digest = true };
      struct v2v_image *src = test_source (size, runs, n, seed, 0);
      struct v2v_copy_result result;
      struct target t = { .base = NULL };

      target_open (&t, size);
      copy_ok (src, &t, &opts, &result);
      assert_int_equal (result.threads, threads[i]);
      assert_non_null (result.digest);
      assert_true (result.digest->complete);
      if (i > 0)
        assert_memory_equal (root, result.digest->root, sizeof root);
      memcpy (root, result.digest->root, sizeof root);
      v2v_copy_result_clear (&result);
      v2v_image_close (src);
      target_close (&t);
    }
  }
}

/* Data that begins and ends anywhere, into sectors of 4096 bytes; and once
 * more over what is there, where zeros have to be written. */
static void
test_data_inside_a_larger_sector_of_the_destination (void **state)
{
  (void) state;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    struct test_run runs[64];
    const uint64_t size = 24 * MIB;
    const size_t n = random_runs (runs, 64, size, seed);
    const struct v2v_create_opts create = { .size_bytes = size,
                                            .block_bytes = MIB,
                                            .logical_sector_bytes = 4096 };
    struct v2v_error *err = NULL;
    struct v2v_io *io = v2v_io_from_buffer ("4k.vhdx", NULL, 0, &err);
    struct v2v_image *dst, *src;

    assert_ptr (io, err);
    dst = v2v_image_create_io (io, "vhdx", &create, &err);
    assert_ptr (dst, err);
    for (uint32_t round = 0; round < 2; ++round) {
      const struct v2v_copy_opts opts = { .threads = 2,
                                          .overwrite = round == 1 };
      struct v2v_copy_result result;

      src = test_source (size, runs, round == 0 ? n : n / 2, seed, 0);
      assert_ok (v2v_copy (src, dst, &opts, &result, &err), err);
      assert_ok (v2v_image_flush (dst, &err), err);
      test_assert_same (src, dst);
      v2v_copy_result_clear (&result);
      v2v_image_close (src);
    }
    v2v_image_close (dst);
    v2v_io_unref (io);
  }
}

static void
test_a_layer_alone_cannot_get_larger_sectors (void **state)
{
  static const struct test_run run = { 512, 512, false };
  const struct v2v_create_opts create = { .size_bytes = MIB,
                                          .logical_sector_bytes = 4096 };
  const struct v2v_copy_opts opts = { .top_only = true };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("4k.vhdx", NULL, 0, &err);
  struct v2v_image *dst, *src = test_source (MIB, &run, 1, 1, 0);
  struct v2v_copy_result result;

  (void) state;
  assert_ptr (io, err);
  dst = v2v_image_create_io (io, "vhdx", &create, &err);
  assert_ptr (dst, err);
  assert_int_equal (v2v_copy (src, dst, &opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "sectors of 512");
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  v2v_image_close (dst);
  v2v_io_unref (io);
}

static void
test_digest_does_not_depend_on_the_layout (void **state)
{
  static const struct test_run sparse[] = {
    { 0, 3 * MIB, false },
    { 8 * MIB, MIB, false },
    { 11 * MIB - 512, 512, false },
  };
  static const struct test_run stored[] = {
    { 0, 3 * MIB, false },          { 3 * MIB, 5 * MIB, true },
    { 8 * MIB, MIB, false },        { 9 * MIB, 2 * MIB - 512, true },
    { 11 * MIB - 512, 512, false },
  };
  struct v2v_error *err = NULL;
  struct v2v_image *a = test_source (11 * MIB, sparse, 3, 3, 0);
  struct v2v_image *b = test_source (11 * MIB, stored, 5, 3, 0);
  const struct v2v_copy_opts opts = { .digest = true, .threads = 3 };
  struct v2v_disk_digest *da = v2v_image_digest (a, &opts, &err);
  struct v2v_disk_digest *db = v2v_image_digest (b, NULL, &err);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };
  uint8_t blocks[6 * V2V_SHA256_SIZE], root[V2V_SHA256_SIZE];
  static uint8_t buf[V2V_DIGEST_BLOCK];

  (void) state;
  assert_ptr (da, err);
  assert_ptr (db, err);
  assert_memory_equal (da->root, db->root, V2V_SHA256_SIZE);
  target_open (&t, 11 * MIB);
  copy_ok (b, &t, &opts, &result);
  assert_memory_equal (da->root, result.digest->root, V2V_SHA256_SIZE);
  /* And it is what the definition says. */
  for (unsigned i = 0; i < 6; ++i) {
    const size_t n = i == 5 ? MIB : 2 * MIB;

    assert_ok (v2v_image_read (a, buf, n, i * 2 * MIB, &err), err);
    v2v_sha256 (buf, n, blocks + i * V2V_SHA256_SIZE);
  }
  v2v_sha256 (blocks, sizeof blocks, root);
  assert_memory_equal (da->root, root, V2V_SHA256_SIZE);
  v2v_disk_digest_free (da);
  v2v_disk_digest_free (db);
  v2v_copy_result_clear (&result);
  v2v_image_close (a);
  v2v_image_close (b);
  target_close (&t);
}

static double
seconds_since (const struct timespec *start)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) (now.tv_sec - start->tv_sec) +
         (double) (now.tv_nsec - start->tv_nsec) / 1e9;
}

static void
test_64_tib_with_holes_takes_seconds (void **state)
{
  static const struct test_run runs[] = {
    { 5 * TIB + 12345 * 512, 3 * MIB, false },
    { 63 * TIB, 64 * KIB, false },
    { 64 * TIB - 512, 512, false },
  };
  struct v2v_error *err = NULL;
  struct v2v_image *src = test_source (64 * TIB, runs, 3, 9, 0);
  const struct v2v_create_opts create = { .size_bytes = 64 * TIB };
  struct v2v_image *dst = v2v_image_create ("null", "null", &create, &err);
  const struct v2v_copy_opts opts = { .digest = true };
  struct v2v_copy_result result;
  struct timespec start;

  (void) state;
  assert_ptr (dst, err);
  clock_gettime (CLOCK_MONOTONIC, &start);
  assert_ok (v2v_copy (src, dst, &opts, &result, &err), err);
  assert_int_equal (result.written_bytes, 3 * MIB + 64 * KIB + 512);
  /* A machine ten times as slow as ours still passes. */
  assert_true (seconds_since (&start) < 20);
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  v2v_image_close (dst);
}

static void
test_a_source_larger_than_its_target_is_refused (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_image *src = test_source (2 * MIB, NULL, 0, 1, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };

  (void) state;
  target_open (&t, MIB);
  assert_int_equal (v2v_copy (src, t.img, NULL, &result, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "does not fit");
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

static void
test_eio_in_the_middle_of_the_source_is_one_error (void **state)
{
  static const struct test_run runs[] = { { 0, 32 * MIB, false } };
  struct v2v_error *err = NULL;
  const struct v2v_copy_opts opts = { .threads = 5 };
  struct v2v_image *src = test_source (32 * MIB, runs, 1, 1, 6);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };

  (void) state;
  target_open (&t, 32 * MIB);
  assert_int_equal (v2v_copy (src, t.img, &opts, &result, &err), -1);
  assert_int_equal (v2v_error_errno (err), EIO);
  assert_error (&err, V2V_ERR_IO, "synthetic.raw: reading");
  assert_true (result.written_bytes < 32 * MIB);
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

static void
test_full_destination_is_one_error_naming_it (void **state)
{
  static const struct test_run runs[] = { { 0, 32 * MIB, false } };
  struct v2v_error *err = NULL;
  const struct v2v_copy_opts opts = { .threads = 5 };
  struct v2v_image *src = test_source (32 * MIB, runs, 1, 1, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };

  (void) state;
  t.log.fail_at = 4;
  t.log.errnum = ENOSPC;
  target_open (&t, 32 * MIB);
  assert_int_equal (v2v_copy (src, t.img, &opts, &result, &err), -1);
  assert_int_equal (v2v_error_errno (err), ENOSPC);
  assert_error (&err, V2V_ERR_IO, "logged.raw: writing");
  assert_int_equal (result.written_bytes, 3 * 2 * MIB);
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

static void
test_cancel_stops_with_interrupted (void **state)
{
  static const struct test_run runs[] = { { 0, 32 * MIB, false } };
  struct v2v_error *err = NULL;
  atomic_bool cancel = true;
  const struct v2v_copy_opts opts = { .cancel = &cancel };
  struct v2v_image *src = test_source (32 * MIB, runs, 1, 1, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };

  (void) state;
  target_open (&t, 32 * MIB);
  assert_int_equal (v2v_copy (src, t.img, &opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_INTERRUPTED, "interrupted");
  assert_null (v2v_image_digest (src, &opts, &err));
  assert_error (&err, V2V_ERR_INTERRUPTED, "interrupted");
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

struct seen {
  unsigned calls;
  struct v2v_progress last;
};

static void
count_progress (void *arg, const struct v2v_progress *p)
{
  struct seen *s = arg;

  assert_true (p->done_bytes >= s->last.done_bytes);
  assert_true (p->done_bytes <= p->total_bytes);
  s->calls++;
  s->last = *p;
}

static void
test_rate_limit_and_progress (void **state)
{
  static const struct test_run runs[] = { { 0, 12 * MIB, false } };
  struct seen seen = { .calls = 0 };
  const struct v2v_copy_opts opts = {
    .threads = 2,
    .item = "disk",
    .rate_limit = 16 * MIB,
    .progress = count_progress,
    .progress_arg = &seen,
  };
  struct v2v_image *src = test_source (12 * MIB, runs, 1, 1, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };
  struct timespec start;

  (void) state;
  target_open (&t, 12 * MIB);
  clock_gettime (CLOCK_MONOTONIC, &start);
  copy_ok (src, &t, &opts, &result);
  /* 12 MiB at 16 MiB/s; the first 2 MiB go at once. */
  assert_true (seconds_since (&start) > 0.5);
  assert_true (seen.calls >= 3);
  assert_true (seen.calls <= 2 + 10 * seconds_since (&start));
  assert_int_equal (seen.last.done_bytes, 12 * MIB);
  assert_int_equal (seen.last.data_bytes, 12 * MIB);
  assert_string_equal (seen.last.stage, "copy");
  assert_string_equal (seen.last.item, "disk");
  v2v_copy_result_clear (&result);
  v2v_image_close (src);
  target_close (&t);
}

static void
test_overwrite_writes_the_zeros_too (void **state)
{
  static const struct test_run old[] = { { 0, 8 * MIB, false } };
  static const struct test_run new[] = {
    { 2 * MIB, MIB, false },
    { 3 * MIB, MIB, true },
  };
  const struct v2v_copy_opts opts = { .overwrite = true };
  struct v2v_image *first = test_source (8 * MIB, old, 1, 1, 0);
  struct v2v_image *second = test_source (6 * MIB, new, 2, 2, 0);
  struct v2v_copy_result result;
  struct target t = { .base = NULL };
  static uint8_t tail[2 * MIB];
  struct v2v_error *err = NULL;

  (void) state;
  target_open (&t, 8 * MIB);
  copy_ok (first, &t, NULL, &result);
  v2v_copy_result_clear (&result);
  copy_ok (second, &t, &opts, &result);
  assert_int_equal (test_log_bytes (&t.log, TEST_ZERO), 7 * MIB);
  assert_ok (v2v_image_read (t.img, tail, sizeof tail, 6 * MIB, &err), err);
  assert_true (v2v_is_zero (tail, sizeof tail));
  v2v_copy_result_clear (&result);
  v2v_image_close (first);
  v2v_image_close (second);
  target_close (&t);
}

static void
compare_is (struct v2v_image *a, struct v2v_image *b, bool strict, int expect,
            uint64_t offset)
{
  struct v2v_error *err = NULL;
  uint64_t got = 0;
  const int r = v2v_image_compare (a, b, strict, NULL, &got, &err);

  assert_null (err);
  assert_int_equal (r, expect);
  if (expect == 1)
    assert_int_equal (got, offset);
}

static void
test_compare_finds_the_first_differing_byte (void **state)
{
  static const struct test_run base[] = { { 4 * MIB, 16 * MIB, false } };
  static const struct test_run later[] = {
    { 4 * MIB, 5 * MIB + 7, false },
    { 9 * MIB + 7, 1, true }, /* one byte is zero instead */
    { 9 * MIB + 8, 11 * MIB - 8, false },
  };
  static const struct test_run stored[] = {
    { 0, 4 * MIB, true },
    { 4 * MIB, 16 * MIB, false },
  };
  static const struct test_run more[] = {
    { 4 * MIB, 16 * MIB, false },
    { 24 * MIB + 512, 512, false },
  };
  struct v2v_image *a = test_source (24 * MIB, base, 1, 1, 0);
  struct v2v_image *b = test_source (24 * MIB, later, 3, 1, 0);
  struct v2v_image *c = test_source (24 * MIB, stored, 2, 1, 0);
  struct v2v_image *d = test_source (32 * MIB, more, 2, 1, 0);
  struct v2v_image *e = test_source (32 * MIB, base, 1, 1, 0);
  struct v2v_image *other = test_source (24 * MIB, base, 1, 2, 0);

  (void) state;
  compare_is (a, a, true, 0, 0);
  compare_is (a, c, true, 0, 0);
  compare_is (a, b, true, 1, 9 * MIB + 7);
  compare_is (b, a, false, 1, 9 * MIB + 7);
  compare_is (a, d, false, 1, 24 * MIB + 512);
  compare_is (a, e, false, 0, 0);
  compare_is (e, a, true, 1, 24 * MIB);
  compare_is (a, other, false, 1, 4 * MIB);
  v2v_image_close (a);
  v2v_image_close (b);
  v2v_image_close (c);
  v2v_image_close (d);
  v2v_image_close (e);
  v2v_image_close (other);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_holes_are_never_written_and_runs_are_merged),
    cmocka_unit_test (test_zeros_inside_data_are_left_out_in_pieces_of_4k),
    cmocka_unit_test (test_random_disks_with_1_2_and_5_threads),
    cmocka_unit_test (test_data_inside_a_larger_sector_of_the_destination),
    cmocka_unit_test (test_a_layer_alone_cannot_get_larger_sectors),
    cmocka_unit_test (test_digest_does_not_depend_on_the_layout),
    cmocka_unit_test (test_64_tib_with_holes_takes_seconds),
    cmocka_unit_test (test_a_source_larger_than_its_target_is_refused),
    cmocka_unit_test (test_eio_in_the_middle_of_the_source_is_one_error),
    cmocka_unit_test (test_full_destination_is_one_error_naming_it),
    cmocka_unit_test (test_cancel_stops_with_interrupted),
    cmocka_unit_test (test_rate_limit_and_progress),
    cmocka_unit_test (test_overwrite_writes_the_zeros_too),
    cmocka_unit_test (test_compare_finds_the_first_differing_byte),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
