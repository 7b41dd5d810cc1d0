/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VMDK writers: round trips, the verdict of other readers, pieces and
 * threads, reading through a pipe, failing I/O, limits.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "test-util.h"

#define KIB   1024
#define MIB   (1024 * 1024)
#define GRAIN (64 * KIB)

/* What vmdkinfo calls them. */
#define MONO   "Monolithic sparse"
#define STREAM "Stream optimized"

static char *
path_in (const char *dir, const char *name)
{
  char *path = NULL;

  assert_int_not_equal (asprintf (&path, "%s/%s", dir, name), -1);
  return path;
}

static struct v2v_image *
create (const char *path, const struct v2v_create_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_create (path, "vmdk", opts, &err);

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

static void
put (struct v2v_image *img, const uint8_t *model, uint64_t offset, size_t len)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_write (img, model + offset, len, offset, &err), err);
}

/* Half random, half text-like, so that some grains shrink and some do not. */
static void
fill (uint8_t *model, uint64_t offset, size_t len)
{
  test_random (model + offset, len, (uint32_t) offset + 1);
  for (size_t i = 0; i < len; ++i)
    if ((offset + i) / GRAIN % 2 == 0)
      model[offset + i] &= 3;
}

static void
check_content (const char *path, const uint8_t *model, uint64_t size)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, NULL, &err);
  uint8_t *buf = malloc (size);

  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == size);
  assert_ok (v2v_image_read (img, buf, size, 0, &err), err);
  assert_memory_equal (buf, model, size);
  free (buf);
  v2v_image_close (img);
}

/* Other readers: the structure, and the bytes. */
static void
check_others (const char *path, const char *dir, const uint8_t *model,
              uint64_t size, const char *variant)
{
  char *out = path_in (dir, "out"), *bytes = NULL;
  uint8_t *p;
  size_t len;

  if (test_have ("qemu-img")) {
    const char *const check[] = {
      "qemu-img", "check", "-f", "vmdk", path, NULL
    };
    const char *const convert[] = { "qemu-img", "convert", "-f", "vmdk", "-O",
                                    "raw",      path,      out,  NULL };

    assert_int_equal (test_run (check, NULL), 0);
    assert_int_equal (test_run (convert, NULL), 0);
    p = test_read_file (out, &len);
    assert_int_equal (len, size);
    assert_memory_equal (p, model, size);
    free (p);
  }
  if (test_have ("vmdkinfo")) {
    const char *const argv[] = { "vmdkinfo", path, NULL };

    assert_int_equal (test_run (argv, out), 0);
    p = test_read_file (out, &len);
    p[len] = '\0';
    assert_non_null (strstr ((char *) p, variant));
    assert_int_not_equal (
        asprintf (&bytes, "(%llu bytes)", (unsigned long long) size), -1);
    if (strstr ((char *) p, "iB (") != NULL)
      assert_non_null (strstr ((char *) p, bytes));
    free (bytes);
    free (p);
  }
  free (out);
}

/* Our own check finds nothing. */
static void
check_clean (const char *path)
{
  struct v2v_check_report report = { 0 };
  struct v2v_error *err = NULL;

  if (v2v_image_driver_by_name ("vmdk")->check == NULL)
    return;
  assert_ok (v2v_image_check (path, false, NULL, &report, &err), err);
  if (report.nr_items > 0)
    fail_msg ("%s: %s", path, report.items[0].message);
  v2v_check_report_clear (&report);
}

struct feeder {
  const char *path;
  int fd;
};

static void *
feed (void *arg)
{
  struct feeder *f = arg;
  const int in = open (f->path, O_RDONLY);
  char buf[5000];
  ssize_t n;

  while ((n = read (in, buf, sizeof buf)) > 0)
    if (write (f->fd, buf, (size_t) n) != n)
      break;
  close (in);
  close (f->fd);
  return NULL;
}

struct forward {
  struct v2v_image *img;
  uint8_t *disk;
  uint64_t last;
  bool ascending;
};

static int
sink (void *arg, struct v2v_chunk *chunk, struct v2v_error **err)
{
  struct forward *f = arg;
  const int r = v2v_image_decode (f->img, chunk, f->disk + chunk->offset, err);

  if (chunk->offset < f->last)
    f->ascending = false;
  f->last = chunk->offset;
  free (chunk->data);
  return r;
}

/* The same through a pipe, where nothing can be looked up. */
static void
check_forward (const char *path, const uint8_t *model, uint64_t size,
               bool ascending)
{
  struct v2v_error *err = NULL;
  struct forward f = { .disk = calloc (1, size + GRAIN), .ascending = true };
  struct feeder feeder = { .path = path };
  pthread_t thread;
  struct v2v_io *io;
  int fds[2];

  assert_int_equal (pipe (fds), 0);
  feeder.fd = fds[1];
  assert_int_equal (pthread_create (&thread, NULL, feed, &feeder), 0);
  io = v2v_io_from_stream (fds[0], "pipe", V2V_IO_SIZE_UNKNOWN, &err);
  assert_ptr (io, err);
  f.img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (f.img, err);
  assert_ok (v2v_image_stream (f.img, sink, &f, &err), err);
  assert_memory_equal (f.disk, model, size);
  if (ascending)
    assert_true (f.ascending);
  v2v_image_close (f.img);
  v2v_io_unref (io);
  pthread_join (thread, NULL);
  free (f.disk);
}

static void
round_trip (enum v2v_subformat subformat, uint64_t size)
{
  const struct v2v_create_opts opts = { .size_bytes = size,
                                        .subformat = subformat };
  const char *variant = subformat == V2V_SUB_SPARSE ? MONO : STREAM;
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  uint8_t *model = calloc (1, size);
  struct v2v_image *img = create (path, &opts);

  /* Whole grains in order, a run out of order, pieces, the last sector. */
  fill (model, 0, GRAIN * 5);
  put (img, model, 0, GRAIN * 5);
  fill (model, 33 * MIB, 2 * MIB);
  put (img, model, 33 * MIB, 2 * MIB);
  fill (model, 10 * MIB + 512, 3 * GRAIN);
  put (img, model, 10 * MIB + 512, GRAIN);
  put (img, model, 10 * MIB + 512 + GRAIN, GRAIN / 2);
  put (img, model, 10 * MIB + 512 + GRAIN * 3 / 2, GRAIN * 3 / 2);
  put (img, model, 20 * MIB, MIB); /* zeros given as data */
  fill (model, size - 512, 512);
  put (img, model, size - 512, 512);
  assert_int_equal (v2v_image_zero (img, 3 * MIB, 5 * MIB, NULL), 0);
  finish (img);
  check_content (path, model, size);
  check_clean (path);
  check_others (path, dir, model, size, variant);
  if (subformat != V2V_SUB_SPARSE)
    check_forward (path, model, size, true);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_stream_round_trip_with_a_cut_last_grain (void **state)
{
  (void) state;
  round_trip (V2V_SUB_STREAM, 40 * MIB + 5 * 512);
  round_trip (V2V_SUB_NONE, 64 * MIB);
}

static void
test_sparse_round_trip_with_a_cut_last_grain (void **state)
{
  (void) state;
  round_trip (V2V_SUB_SPARSE, 40 * MIB + 5 * 512);
  round_trip (V2V_SUB_SPARSE, 64 * MIB);
}

static void
test_tiny_and_empty_disks (void **state)
{
  static const uint64_t sizes[] = { 512, 2048, GRAIN, GRAIN + 512 };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");

  (void) state;
  for (size_t i = 0; i < 2 * V2V_ARRAY_SIZE (sizes); ++i) {
    const struct v2v_create_opts opts = { .size_bytes = sizes[i / 2],
                                          .subformat = i % 2 ? V2V_SUB_SPARSE
                                                             : V2V_SUB_STREAM,
                                          .replace = true };
    uint8_t *model = calloc (1, opts.size_bytes);

    finish (create (path, &opts));
    check_content (path, model, opts.size_bytes);
    check_others (path, dir, model, opts.size_bytes, i % 2 ? MONO : STREAM);
    free (model);
  }
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_sparse_may_be_written_over (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 4 * MIB,
                                        .subformat = V2V_SUB_SPARSE };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  uint8_t *model = calloc (1, 4 * MIB);
  struct v2v_image *img = create (path, &opts);
  struct v2v_error *err = NULL;

  (void) state;
  fill (model, 0, 2 * MIB);
  put (img, model, 0, 2 * MIB);
  test_random (model + 700 * 512, 300 * 512, 77);
  put (img, model, 700 * 512, 300 * 512);
  memset (model + 100 * 512, 0, 400 * 512);
  assert_ok (v2v_image_zero (img, 400 * 512, 100 * 512, &err), err);
  finish (img);
  check_content (path, model, 4 * MIB);
  check_others (path, dir, model, 4 * MIB, MONO);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_stream_refuses_to_change_what_is_written (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 4 * MIB };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  uint8_t *model = calloc (1, 4 * MIB);
  struct v2v_image *img = create (path, &opts);
  struct v2v_error *err = NULL;

  (void) state;
  fill (model, 0, MIB);
  put (img, model, 0, MIB);
  assert_int_equal (v2v_image_write (img, model, GRAIN, 0, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "grain 0 is written a second time");
  assert_int_equal (v2v_image_write (img, model, 512, 3 * GRAIN, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "grain 3 is written a second time");
  assert_int_equal (v2v_image_zero (img, 512, 3 * GRAIN, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "grain 3 is written a second time");
  assert_ok (v2v_image_zero (img, MIB, 2 * MIB, &err), err);
  v2v_image_close (img);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_grains_that_never_fill_are_written_in_part (void **state)
{
  /* One sector in each of more grains than are held open at a time. */
  const unsigned nr = 700;
  const uint64_t size = (uint64_t) nr * GRAIN;
  const struct v2v_create_opts opts = { .size_bytes = size };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  uint8_t *model = calloc (1, size);
  struct v2v_image *img = create (path, &opts);

  (void) state;
  for (unsigned i = 0; i < nr; ++i) {
    fill (model, (uint64_t) i * GRAIN + i % 128 * 512, 512);
    put (img, model, (uint64_t) i * GRAIN + i % 128 * 512, 512);
  }
  finish (img);
  check_content (path, model, size);
  check_forward (path, model, size, true);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- several threads ---- */

struct job {
  struct v2v_image *img;
  const uint8_t *model;
  uint64_t size;
  uint64_t step;
  unsigned first;
  int failed;
};

static void *
write_runs (void *arg)
{
  struct job *j = arg;

  for (uint64_t o = j->first * j->step; o < j->size; o += 4 * j->step)
    if (v2v_image_write (j->img, j->model + o,
                         (size_t) v2v_min_u64 (j->step, j->size - o), o,
                         NULL) == -1)
      j->failed = 1;
  return NULL;
}

static void
test_four_threads_give_one_ascending_stream (void **state)
{
  /* Half grains: fewer than are held open, for no thread waits here. */
  static const uint64_t steps[] = { 2 * MIB, GRAIN, GRAIN / 2 };
  static const uint64_t sizes[] = { 30 * MIB + 512, 30 * MIB + 512, 12 * MIB };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  uint8_t *model = malloc (sizes[0]);

  (void) state;
  fill (model, 0, sizes[0]);
  for (size_t i = 0; i < 2 * V2V_ARRAY_SIZE (steps); ++i) {
    const uint64_t size = sizes[i / 2];
    const struct v2v_create_opts opts = { .size_bytes = size,
                                          .subformat = i % 2 ? V2V_SUB_SPARSE
                                                             : V2V_SUB_STREAM,
                                          .replace = true };
    struct v2v_image *img = create (path, &opts);
    pthread_t threads[4];
    struct job jobs[4];

    assert_true (v2v_image_parallel_write (img));
    for (unsigned t = 0; t < 4; ++t) {
      jobs[t] = (struct job){ img, model, size, steps[i / 2], t, 0 };
      assert_int_equal (
          pthread_create (&threads[t], NULL, write_runs, &jobs[t]), 0);
    }
    for (unsigned t = 0; t < 4; ++t) {
      pthread_join (threads[t], NULL);
      assert_int_equal (jobs[t].failed, 0);
    }
    finish (img);
    check_content (path, model, size);
    if (i % 2 == 0)
      /* Less than what waits for its turn: strictly in order. */
      check_forward (path, model, size, true);
  }
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- what is written ---- */

static void
test_stream_has_the_documented_form (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 40 * MIB,
                                        .adapter_type = "ide" };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a \"b\".vmdk");
  uint8_t *model = calloc (1, 40 * MIB), *p, *footer;
  struct v2v_image *img = create (path, &opts);
  size_t len;
  uint64_t gd;
  uint32_t gt;

  (void) state;
  fill (model, 33 * MIB, GRAIN);
  put (img, model, 33 * MIB, GRAIN);
  finish (img);
  p = test_read_file (path, &len);
  assert_memory_equal (p, "KDMV\3\0\0\0\1\0\3\0", 12);
  assert_true (v2v_le64 (p + 12) == 40 * MIB / 512);
  assert_true (v2v_le64 (p + 56) == UINT64_MAX);
  assert_memory_equal (p + 73, "\n \r\n\1\0", 6);
  assert_non_null (strstr ((char *) p + 512, "createType=\"streamOptimized\""));
  assert_non_null (strstr ((char *) p + 512, "RW 81920 SPARSE \"disk.vmdk\""));
  assert_non_null (strstr ((char *) p + 512, "ddb.adapterType = \"ide\""));
  assert_non_null (strstr ((char *) p + 512, "ddb.geometry.heads = \"16\""));
  /* The grain's record: its address and its length. */
  assert_true (v2v_le64 (p + 65536) == 33 * MIB / 512);
  assert_true (v2v_le32 (p + 65536 + 8) > 0);
  /* Footer marker, footer, end of stream. */
  footer = p + len - 1024;
  assert_int_equal (v2v_le64 (footer - 512), 1);
  assert_int_equal (v2v_le32 (footer - 512 + 12), 3);
  assert_memory_equal (footer, p, 56);
  assert_true (v2v_is_zero (p + len - 512, 512));
  gd = v2v_le64 (footer + 56) * 512;
  assert_int_equal (v2v_le32 (p + gd - 512 + 12), 2);
  assert_int_equal (v2v_le32 (p + gd), 0); /* nothing in the first 32 MiB */
  gt = v2v_le32 (p + gd + 4) * 512;
  assert_int_equal (v2v_le32 (p + gt - 512 + 12), 1);
  assert_int_equal (v2v_le32 (p + gt + 4 * 16), 128);
  free (p);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_unfinished_file_is_no_vmdk (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = MIB };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk"), *part = path_in (dir, "a.vmdk.part");
  struct v2v_error *err = NULL;
  struct v2v_image *img = create (path, &opts);

  (void) state;
  assert_null (v2v_image_open (part, NULL, &err));
  v2v_error_free (err);
  v2v_image_close (img);
  assert_int_not_equal (access (path, F_OK), 0);
  assert_int_not_equal (access (part, F_OK), 0);
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

static void
refuse (struct v2v_create_opts opts, const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("x", "", 0, &err);

  assert_null (v2v_image_create_io (io, "vmdk", &opts, &err));
  assert_error (&err, V2V_ERR_USAGE, text);
  v2v_io_unref (io);
}

static void
test_impossible_options_are_refused (void **state)
{
  (void) state;
  refuse ((struct v2v_create_opts){ .size_bytes = 0 }, "disk of 0 bytes");
  refuse ((struct v2v_create_opts){ .size_bytes = (64 * V2V_TIB) + 512 },
          "a VMDK holds");
  refuse ((struct v2v_create_opts){ .size_bytes = UINT64_MAX }, "a VMDK holds");
  refuse ((struct v2v_create_opts){ .size_bytes = 2 * V2V_TIB,
                                    .subformat = V2V_SUB_SPARSE },
          "cannot address more than 2 TiB");
  refuse (
      (struct v2v_create_opts){ .size_bytes = MIB, .subformat = V2V_SUB_FIXED },
      "written as stream or sparse, not fixed");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB, .block_bytes = 4096 },
          "grains of 4096");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .logical_sector_bytes = 520 },
          "logical sectors of 520");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .adapter_type = "a\"\nRW 1 FLAT \"/x" },
          "adapter type");
}

static void
test_62_tib_stream_in_seconds (void **state)
{
  const uint64_t size = 62 * V2V_TIB;
  const struct v2v_create_opts opts = { .size_bytes = size };
  char *dir = test_tmpdir ();
  char *path = path_in (dir, "a.vmdk");
  const time_t start = time (NULL);
  struct v2v_error *err = NULL;
  uint8_t sector[512], got[512];
  struct v2v_image *img;

  (void) state;
  img = create (path, &opts);
  test_random (sector, 512, 3);
  assert_ok (v2v_image_write (img, sector, 512, size - 512, &err), err);
  finish (img);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_read (img, got, 512, size - 512, &err), err);
  assert_memory_equal (got, sector, 512);
  v2v_image_close (img);
  assert_true (time (NULL) - start < 20);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- failing I/O ---- */

static void
test_every_failing_step_is_an_error (void **state)
{
  static const enum v2v_subformat kinds[] = { V2V_SUB_STREAM, V2V_SUB_SPARSE };
  uint8_t *model = calloc (1, 5 * MIB);

  (void) state;
  fill (model, 0, 5 * MIB);
  for (size_t k = 0; k < V2V_ARRAY_SIZE (kinds); ++k) {
    unsigned total = 0;

    for (unsigned n = 0; n <= total; ++n) {
      const struct v2v_create_opts opts = { .size_bytes = 5 * MIB,
                                            .subformat = kinds[k] };
      struct v2v_error *err = NULL;
      struct v2v_io *base = v2v_io_from_buffer ("a.vmdk", "", 0, &err);
      struct v2v_io *io =
          test_faulty_io (base, n, ENOSPC, n == 0 ? &total : NULL);
      struct v2v_image *img = v2v_image_create_io (io, "vmdk", &opts, &err);

      if (img != NULL)
        (void) (v2v_image_write (img, model, 3 * MIB, MIB, &err) == -1 ||
                v2v_image_flush (img, &err) == -1 ||
                v2v_image_finish (img, &err) == -1);
      if (n == 0)
        assert_null (err);
      else
        assert_error (&err, V2V_ERR_IO, "injected");
      v2v_image_close (img);
      v2v_io_unref (io);
      v2v_io_unref (base);
    }
    assert_true (total >= 6);
  }
  free (model);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_stream_round_trip_with_a_cut_last_grain),
    cmocka_unit_test (test_sparse_round_trip_with_a_cut_last_grain),
    cmocka_unit_test (test_tiny_and_empty_disks),
    cmocka_unit_test (test_sparse_may_be_written_over),
    cmocka_unit_test (test_stream_refuses_to_change_what_is_written),
    cmocka_unit_test (test_grains_that_never_fill_are_written_in_part),
    cmocka_unit_test (test_four_threads_give_one_ascending_stream),
    cmocka_unit_test (test_stream_has_the_documented_form),
    cmocka_unit_test (test_unfinished_file_is_no_vmdk),
    cmocka_unit_test (test_impossible_options_are_refused),
    cmocka_unit_test (test_62_tib_stream_in_seconds),
    cmocka_unit_test (test_every_failing_step_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
