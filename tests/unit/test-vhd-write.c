/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHD writer: round trips, the verdict of other readers, resuming,
 * failing I/O, limits.
 */

#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhd-format.h"
#include "vhd-util.h"

/* ---- round trips ---- */

static void
round_trip (const struct v2v_create_opts *opts, uint32_t seed)
{
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  const uint64_t size = opts->size_bytes;
  uint8_t *model = calloc (1, size);
  struct v2v_image *img = vhd_test_create (path, opts);

  assert_non_null (model);
  vhd_test_scribble (img, model, size, 60, seed);
  vhd_test_put (img, model, size - 512, 512, seed); /* the last sector */
  assert_int_not_equal (access (path, F_OK), 0);
  vhd_test_finish (img);
  vhd_test_check_content (path, model, size);
  vhd_test_check_clean (path);
  vhd_test_check_qemu (path, dir, model, size);
  vhd_test_check_7zz (path, dir, model, size);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_dynamic_round_trip (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 17 * MIB - 512 };

  (void) state;
  round_trip (&opts, 1);
}

static void
test_dynamic_small_blocks_round_trip (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 5 * MIB + 512,
                                        .subformat = V2V_SUB_DYNAMIC,
                                        .block_bytes = 512 * KIB };

  (void) state;
  round_trip (&opts, 2);
}

static void
test_dynamic_large_blocks_round_trip (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 33 * MIB,
                                        .block_bytes = 16 * MIB };

  (void) state;
  round_trip (&opts, 3);
}

static void
test_fixed_round_trip (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 3 * MIB + 512,
                                        .subformat = V2V_SUB_FIXED };

  (void) state;
  round_trip (&opts, 4);
}

static void
test_disk_of_one_sector (void **state)
{
  struct v2v_create_opts opts = { .size_bytes = 512 };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  uint8_t model[512];

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    struct v2v_image *img;

    opts.subformat = i ? V2V_SUB_FIXED : V2V_SUB_DYNAMIC;
    opts.replace = true;
    img = vhd_test_create (path, &opts);
    vhd_test_put (img, model, 0, 512, 9);
    vhd_test_finish (img);
    vhd_test_check_content (path, model, 512);
    vhd_test_check_clean (path);
  }
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- what is written ---- */

static uint64_t
file_length (const char *path)
{
  struct stat st;

  assert_int_equal (stat (path, &st), 0);
  return (uint64_t) st.st_size;
}

static void
test_footer_says_windows_and_the_exact_size (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 10 * MIB + 512 };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  uint8_t *p;
  size_t len;

  (void) state;
  vhd_test_finish (vhd_test_create (path, &opts));
  p = test_read_file (path, &len);
  assert_memory_equal (p, p + len - 512, 512);
  assert_memory_equal (p + 28, "win ", 4);
  assert_memory_equal (p + 36, "Wi2k", 4);
  assert_int_equal (v2v_be32 (p + 8), 2);
  assert_int_equal (v2v_be64 (p + 16), 512);
  assert_int_equal (v2v_be64 (p + 40), 10 * MIB + 512);
  assert_int_equal (v2v_be64 (p + 48), 10 * MIB + 512);
  assert_int_equal (v2v_be32 (p + 60), 3);
  assert_true (v2v_be64 (p + 512 + 8) == UINT64_MAX);
  assert_int_equal (v2v_be64 (p + 512 + 16), 1536);
  assert_int_equal (v2v_be32 (p + 512 + 28), 6);
  assert_int_equal (v2v_be32 (p + 512 + 32), 2 * MIB);
  assert_int_equal (len, 1536 + 512 + 512); /* nothing in it: no blocks */
  free (p);
  free (path);
  test_tmpdir_remove (dir);
}

static uint64_t
size_made (uint64_t size, enum v2v_size_policy policy,
           enum v2v_subformat subformat)
{
  const struct v2v_create_opts opts = { .size_bytes = size,
                                        .size_policy = policy,
                                        .subformat = subformat };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  struct v2v_image *img = vhd_test_create (path, &opts);
  const uint64_t made = v2v_image_size (img);

  vhd_test_finish (img);
  if (subformat == V2V_SUB_FIXED)
    assert_true (file_length (path) == made + 512);
  free (path);
  test_tmpdir_remove (dir);
  return made;
}

static void
test_size_policies (void **state)
{
  (void) state;
  assert_int_equal (size_made (4 * MIB, V2V_SIZE_EXACT, 0), 4 * MIB);
  assert_int_equal (size_made (4 * MIB - 1, V2V_SIZE_EXACT, 0), 4 * MIB);
  /* As qemu-img rounds 4 MiB without force_size. */
  assert_int_equal (size_made (4 * MIB, V2V_SIZE_CHS, 0), 4212736);
  assert_int_equal (size_made (4 * MIB + 512, V2V_SIZE_MIB, V2V_SUB_FIXED),
                    5 * MIB);
  assert_int_equal (size_made (5 * MIB, V2V_SIZE_MIB, V2V_SUB_FIXED), 5 * MIB);
}

static void
refuse (struct v2v_create_opts opts, enum v2v_error_code code, const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("x", "", 0, &err);

  assert_null (v2v_image_create_io (io, "vhd", &opts, &err));
  assert_error (&err, code, text);
  v2v_io_unref (io);
}

static void
test_impossible_options_are_refused (void **state)
{
  struct v2v_image *raw;
  struct v2v_io *io;
  struct v2v_error *err = NULL;

  (void) state;
  refuse ((struct v2v_create_opts){ .size_bytes = 0 }, V2V_ERR_USAGE,
          "disk of 0 bytes");
  refuse ((struct v2v_create_opts){ .size_bytes = VHD_MAX_SIZE + 512 },
          V2V_ERR_USAGE, "2040 GiB");
  refuse ((struct v2v_create_opts){ .size_bytes = UINT64_MAX }, V2V_ERR_USAGE,
          "2040 GiB");
  refuse (
      (struct v2v_create_opts){ .size_bytes = MIB, .block_bytes = 256 * KIB },
      V2V_ERR_USAGE, "block size 262144");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .block_bytes = 512 * (uint64_t) MIB },
          V2V_ERR_USAGE, "block size 536870912");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB, .block_bytes = 3 * MIB },
          V2V_ERR_USAGE, "block size 3145728");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .logical_sector_bytes = 4096 },
          V2V_ERR_UNSUPPORTED, "logical sectors of 4096");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .subformat = V2V_SUB_STREAM },
          V2V_ERR_USAGE, "no stream form");
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .subformat = V2V_SUB_DIFFERENCING },
          V2V_ERR_USAGE, "needs a parent");
  io = v2v_io_from_buffer ("r.raw", "", 0, &err);
  raw = v2v_image_create_io (
      io, "raw", &(struct v2v_create_opts){ .size_bytes = MIB }, &err);
  assert_ptr (raw, err);
  refuse ((struct v2v_create_opts){ .size_bytes = MIB,
                                    .subformat = V2V_SUB_DIFFERENCING,
                                    .parent = raw },
          V2V_ERR_USAGE, "must be a VHD");
  v2v_image_close (raw);
  v2v_io_unref (io);
}

static void
test_length_is_not_more_than_qemu_img_makes (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 40 * MIB };
  char *dir = test_tmpdir ();
  char *ours = vhd_test_path_in (dir, "a.vhd"),
       *theirs = vhd_test_path_in (dir, "q.vhd");
  char *raw = vhd_test_path_in (dir, "a.raw");
  uint8_t *model = calloc (1, opts.size_bytes);
  struct v2v_image *img;
  const char *const argv[] = {
    "qemu-img", "convert", "-f", "raw",
    "-O",       "vpc",     "-o", "subformat=dynamic,force_size=on",
    raw,        theirs,    NULL
  };

  (void) state;
  if (!test_have ("qemu-img"))
    skip ();
  img = vhd_test_create (ours, &opts);
  vhd_test_put (img, model, 0, 512, 1);
  vhd_test_put (img, model, 5 * MIB, 3 * MIB, 2);
  vhd_test_put (img, model, 31 * MIB, 512, 3);
  vhd_test_put (img, model, 39 * MIB, MIB, 4);
  vhd_test_finish (img);
  test_write_file (raw, model, opts.size_bytes);
  assert_int_equal (test_run (argv, NULL), 0);
  assert_true (file_length (ours) <= file_length (theirs));
  free (model);
  free (ours);
  free (theirs);
  free (raw);
  test_tmpdir_remove (dir);
}

static void
test_no_holes_allocates_everything (void **state)
{
  struct v2v_create_opts opts = { .size_bytes = 8 * MIB, .no_holes = true };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  struct stat st;

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    uint8_t sector[512];
    struct v2v_image *img;

    opts.subformat = i ? V2V_SUB_FIXED : V2V_SUB_DYNAMIC;
    opts.replace = true;
    img = vhd_test_create (path, &opts);
    vhd_test_put (img, sector, 0, 512, 5);
    vhd_test_finish (img);
    assert_int_equal (stat (path, &st), 0);
    assert_true (st.st_blocks * 512 >= st.st_size);
  }
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_reserved_places_are_where_the_reader_looks (void **state)
{
  static const struct {
    enum v2v_subformat subformat;
    uint64_t block;
    int expected;
  } table[] = {
    { V2V_SUB_FIXED, 0, 0 },
    { V2V_SUB_DYNAMIC, 2 * MIB, 1 }, /* nothing aligned there */
    { V2V_SUB_DYNAMIC, 16 * MIB, 0 },
  };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  uint8_t *model = calloc (1, 20 * MIB);
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (table); ++i) {
    const struct v2v_create_opts opts = { .size_bytes = 20 * MIB,
                                          .subformat = table[i].subformat,
                                          .block_bytes = table[i].block,
                                          .replace = true };
    struct v2v_image *img = vhd_test_create (path, &opts);
    uint64_t offset = 14 * MIB, left = 4 * MIB;

    while (left > 0) {
      struct v2v_run run;
      const int r = v2v_image_reserve (img, left, offset, &run, &err);

      assert_int_equal (r, table[i].expected);
      if (r == 1)
        break;
      assert_int_equal (run.file_offset % 4096, offset % 4096);
      test_random (model + offset, run.length, (uint32_t) offset);
      assert_ok (v2v_io_pwrite (run.io, model + offset, run.length,
                                run.file_offset, &err),
                 err);
      offset += run.length;
      left -= run.length;
    }
    vhd_test_finish (img);
    if (table[i].expected == 0)
      vhd_test_check_content (path, model, 20 * MIB);
  }
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- limits ---- */

static void
test_2040_gib_sparse_in_seconds (void **state)
{
  struct v2v_create_opts opts = { .size_bytes = VHD_MAX_SIZE };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  struct v2v_error *err = NULL;
  uint8_t sector[512], got[512];
  const time_t start = time (NULL);

  (void) state;
  test_random (sector, sizeof sector, 6);
  for (unsigned i = 0; i < 2; ++i) {
    CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
    struct v2v_image *img;
    struct stat st;

    opts.subformat = i ? V2V_SUB_FIXED : V2V_SUB_DYNAMIC;
    opts.replace = true;
    img = vhd_test_create (path, &opts);
    assert_ok (v2v_image_write (img, sector, 512, VHD_MAX_SIZE - 512, &err),
               err);
    assert_ok (v2v_image_zero (img, VHD_MAX_SIZE / 2, 0, &err), err);
    vhd_test_finish (img);
    assert_int_equal (stat (path, &st), 0);
    assert_true (st.st_blocks * 512 < 16 * MIB);
    img = v2v_image_open (path, NULL, &err);
    assert_ptr (img, err);
    assert_ok (v2v_image_read (img, got, 512, VHD_MAX_SIZE - 512, &err), err);
    assert_memory_equal (got, sector, 512);
    assert_ok (v2v_image_extents (img, VHD_MAX_SIZE, 0, &list, &err), err);
    assert_true (list.len <= 3);
    v2v_image_close (img);
    vhd_test_check_clean (path);
  }
  assert_true (time (NULL) - start < 20);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- differencing ---- */

static void
check_chain (unsigned n)
{
  const uint64_t size = 4 * MIB + 1536;
  char *dir = test_tmpdir ();
  uint8_t *model = calloc (1, size);
  char *path = vhd_test_make_chain (dir, n, size, 512 * KIB, model);
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, NULL, &err);

  assert_ptr (img, err);
  assert_int_equal (v2v_image_chain_length (img), n);
  v2v_image_close (img);
  vhd_test_check_content (path, model, size);
  vhd_test_check_clean (path);
  vhd_test_check_7zz (path, dir, model, size);
  free (model);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_chain_of_two_reads_back_here_and_in_7zip (void **state)
{
  (void) state;
  check_chain (2);
}

static void
test_chain_of_three_reads_back_here_and_in_7zip (void **state)
{
  (void) state;
  check_chain (3);
}

static void
test_chain_of_ten_reads_back_here_and_in_7zip (void **state)
{
  (void) state;
  check_chain (10);
}

static void
test_child_has_exactly_what_was_written (void **state)
{
  const struct v2v_create_opts base = { .size_bytes = 8 * MIB };
  const struct v2v_open_opts alone = { .no_parents = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  char *dir = test_tmpdir ();
  char *p = vhd_test_path_in (dir, "p.vhd"),
       *c = vhd_test_path_in (dir, "c.vhd");
  struct v2v_create_opts child = { .size_bytes = 8 * MIB,
                                   .subformat = V2V_SUB_DIFFERENCING,
                                   .parent_relative_path = "..\\x\\p.vhd",
                                   .parent_absolute_path = "E:\\x\\p.vhd" };
  uint8_t *model = calloc (1, 8 * MIB);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  char parent_id[37];
  uint8_t *file;
  size_t len;

  (void) state;
  vhd_test_finish (vhd_test_create (p, &base));
  child.parent = v2v_image_open (p, NULL, &err);
  assert_ptr (child.parent, err);
  img = vhd_test_create (c, &child);
  vhd_test_put (img, model, 3 * 512, 512, 1);
  vhd_test_put (img, model, 2 * MIB - 512, 1024, 2); /* across the seam */
  vhd_test_put_zero (img, model, 7 * MIB, 4096);     /* zeros hide the parent */
  vhd_test_finish (img);

  file = test_read_file (c, &len);
  v2v_guid_format ((const struct v2v_guid *) (file + 512 + 40), parent_id);
  assert_string_equal (parent_id, v2v_image_get_info (child.parent)->id);
  assert_memory_equal (file + 512 + 576, "W2ku", 4);
  assert_memory_equal (file + 512 + 576 + 24, "W2ru", 4);
  assert_int_equal (v2v_be32 (file + 512 + 576 + 8), 20);
  assert_memory_equal (file + v2v_be64 (file + 512 + 576 + 16),
                       "E\0:\0\\\0x\0\\\0p\0", 12);
  assert_memory_equal (file + v2v_be64 (file + 512 + 576 + 24 + 16),
                       ".\0.\0\\\0x\0\\\0p\0", 12);
  assert_memory_equal (file + 512 + 64, "\0E\0:\0\\\0x", 8);
  assert_int_equal (v2v_be32 (file + 512 + 56),
                    v2v_image_get_info (child.parent)->parent_timestamp);
  free (file);
  v2v_image_close (child.parent);

  img = v2v_image_open (c, &alone, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_extents (img, 8 * MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 7);
  assert_int_equal (list.ptr[0].length, 3 * 512);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  assert_int_equal (list.ptr[1].length, 512);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_DATA);
  assert_int_equal (list.ptr[3].offset, 2 * MIB - 512);
  assert_int_equal (list.ptr[3].length, 1024);
  assert_int_equal (list.ptr[5].offset, 7 * MIB);
  assert_int_equal (list.ptr[5].length, 4096);
  assert_int_equal (list.ptr[5].type, V2V_EXTENT_DATA);
  v2v_image_close (img);
  vhd_test_check_content (c, model, 8 * MIB);
  free (model);
  free (p);
  free (c);
  test_tmpdir_remove (dir);
}

static void
test_child_of_another_size_is_refused (void **state)
{
  const struct v2v_create_opts base = { .size_bytes = 8 * MIB };
  char *dir = test_tmpdir ();
  char *p = vhd_test_path_in (dir, "p.vhd");
  struct v2v_error *err = NULL;
  struct v2v_image *parent;

  (void) state;
  vhd_test_finish (vhd_test_create (p, &base));
  parent = v2v_image_open (p, NULL, &err);
  assert_ptr (parent, err);
  refuse ((struct v2v_create_opts){ .size_bytes = 9 * MIB,
                                    .subformat = V2V_SUB_DIFFERENCING,
                                    .parent = parent },
          V2V_ERR_USAGE, "Hyper-V wants both of one size");
  v2v_image_close (parent);
  free (p);
  test_tmpdir_remove (dir);
}

/* ---- several threads ---- */

struct job {
  struct v2v_image *img;
  const uint8_t *model;
  uint64_t size;
  unsigned first;
  int failed;
};

/* Every fourth piece of 64 KiB, so that the threads share every block. */
static void *
write_pieces (void *arg)
{
  struct job *j = arg;

  for (uint64_t o = j->first * 65536; o < j->size; o += 4 * 65536)
    if (v2v_image_write (j->img, j->model + o,
                         (size_t) v2v_min_u64 (65536, j->size - o), o,
                         NULL) == -1)
      j->failed = 1;
  return NULL;
}

static void
test_four_threads_share_blocks (void **state)
{
  const uint64_t size = 20 * MIB + 512;
  struct v2v_create_opts opts = { .size_bytes = size };
  char *dir = test_tmpdir ();
  char *base = vhd_test_path_in (dir, "b.vhd"),
       *path = vhd_test_path_in (dir, "a.vhd");
  uint8_t *model = malloc (size);
  struct v2v_error *err = NULL;

  (void) state;
  test_random (model, size, 8);
  vhd_test_finish (vhd_test_create (base, &opts));
  for (unsigned i = 0; i < 2; ++i) {
    pthread_t threads[4];
    struct job jobs[4];
    struct v2v_image *img;

    opts.replace = true;
    if (i == 1) {
      opts.subformat = V2V_SUB_DIFFERENCING;
      opts.parent = v2v_image_open (base, NULL, &err);
      assert_ptr (opts.parent, err);
    }
    img = vhd_test_create (path, &opts);
    for (unsigned t = 0; t < 4; ++t) {
      jobs[t] = (struct job){ img, model, size, t, 0 };
      assert_int_equal (
          pthread_create (&threads[t], NULL, write_pieces, &jobs[t]), 0);
    }
    for (unsigned t = 0; t < 4; ++t) {
      pthread_join (threads[t], NULL);
      assert_int_equal (jobs[t].failed, 0);
    }
    vhd_test_finish (img);
    vhd_test_check_content (path, model, size);
    vhd_test_check_clean (path);
    v2v_image_close (opts.parent);
  }
  free (model);
  free (base);
  free (path);
  test_tmpdir_remove (dir);
}

/* ---- resuming ---- */

static void
resume_after (struct v2v_create_opts opts)
{
  const uint64_t size = opts.size_bytes;
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd"),
       *part = vhd_test_path_in (dir, "a.vhd.part");
  const struct v2v_open_opts as_vhd = { .format = "vhd" };
  uint8_t *model = calloc (1, size);
  struct v2v_error *err = NULL;
  struct v2v_image *img = vhd_test_create (path, &opts);
  char id[37];

  memcpy (id, v2v_image_get_info (img)->id, 37);
  vhd_test_put (img, model, 0, 3 * MIB, 1);
  assert_ok (v2v_image_flush (img, &err), err);
  /* Not flushed, and not in the second run: must not show. */
  assert_ok (v2v_image_write (img, model, 3 * MIB, 6 * MIB, &err), err);
  v2v_image_keep_part (img);
  v2v_image_close (img);

  assert_null (v2v_image_open (part, &as_vhd, &err));
  assert_int_equal (v2v_error_code (err), V2V_ERR_FORMAT);
  v2v_error_free (err);
  err = NULL;

  img = v2v_image_resume (path, "vhd", &opts, &err);
  assert_ptr (img, err);
  assert_string_equal (v2v_image_get_info (img)->id, id);
  if (opts.subformat == V2V_SUB_FIXED)
    vhd_test_put_zero (img, model, 6 * MIB, 3 * MIB); /* the place is fixed */
  vhd_test_put (img, model, 10 * MIB, 512, 2);
  vhd_test_finish (img);
  vhd_test_check_content (path, model, size);
  vhd_test_check_clean (path);
  free (model);
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

static void
test_unfinished_file_is_resumed (void **state)
{
  (void) state;
  resume_after ((struct v2v_create_opts){ .size_bytes = 12 * MIB });
  resume_after ((struct v2v_create_opts){ .size_bytes = 12 * MIB,
                                          .subformat = V2V_SUB_FIXED });
}

/* The run before died between placing a block, which the table tells, and
 * writing its bitmap with the first data: the data is copied once more, and the
 * bitmap has to come with it, from the beginning of the block or not. */
static void
test_resume_writes_the_bitmaps_that_were_lost (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 8 * MIB };
  static const uint64_t starts[] = { 2 * MIB, 4 * MIB + 64 * KIB };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd"),
       *part = vhd_test_path_in (dir, "a.vhd.part");
  uint8_t *model = calloc (1, opts.size_bytes);
  static const uint8_t zeros[512];
  struct v2v_error *err = NULL;
  struct v2v_image *img = vhd_test_create (path, &opts);
  int fd;

  (void) state;
  for (size_t i = 0; i < 2; ++i)
    vhd_test_put (img, model, starts[i], 128 * KIB, (uint32_t) i);
  assert_ok (v2v_image_flush (img, &err), err);
  v2v_image_keep_part (img);
  v2v_image_close (img);
  /* Header, dynamic header and one sector of BAT come before the blocks. */
  fd = open (part, O_WRONLY | O_CLOEXEC);
  assert_true (fd != -1);
  for (unsigned i = 0; i < 2; ++i)
    assert_int_equal (
        pwrite (fd, zeros, 512, 512 + 1024 + 512 + i * (512 + 2 * MIB)), 512);
  close (fd);

  img = v2v_image_resume (path, "vhd", &opts, &err);
  assert_ptr (img, err);
  for (size_t i = 0; i < 2; ++i)
    vhd_test_put (img, model, starts[i], 128 * KIB, (uint32_t) i);
  vhd_test_finish (img);
  vhd_test_check_content (path, model, opts.size_bytes);
  vhd_test_check_clean (path);
  free (model);
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

static void
test_resume_of_another_copy_is_refused (void **state)
{
  static const struct v2v_create_opts others[] = {
    { .size_bytes = 13 * MIB },
    { .size_bytes = 12 * MIB, .subformat = V2V_SUB_FIXED },
    { .size_bytes = 12 * MIB, .block_bytes = 512 * KIB },
  };
  const struct v2v_create_opts opts = { .size_bytes = 12 * MIB };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd"),
       *part = vhd_test_path_in (dir, "a.vhd.part");
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i <= V2V_ARRAY_SIZE (others); ++i) {
    struct v2v_image *img = vhd_test_create (path, &opts);

    v2v_image_keep_part (img);
    v2v_image_close (img);
    if (i < V2V_ARRAY_SIZE (others)) {
      assert_null (v2v_image_resume (path, "vhd", &others[i], &err));
      assert_error (&err, V2V_ERR_MISMATCH, "is not of this copy");
      continue;
    }
    test_write_file (part, "something else that lies there", 30);
    assert_null (v2v_image_resume (path, "vhd", &opts, &err));
    assert_error (&err, V2V_ERR_MISMATCH, "nothing written yet");
  }
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

static void
test_resume_with_a_hostile_table_is_refused (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 12 * MIB };
  static const uint32_t entries[] = { 0, 5, 4 + 4097 * 100, 0xfffffffe };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd"),
       *part = vhd_test_path_in (dir, "a.vhd.part");
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (entries); ++i) {
    struct v2v_image *img = vhd_test_create (path, &opts);
    uint8_t *p;
    size_t len;

    v2v_image_keep_part (img);
    v2v_image_close (img);
    p = test_read_file (part, &len);
    v2v_put_be32 (p + 1536, entries[i]);
    test_write_file (part, p, len);
    free (p);
    assert_null (v2v_image_resume (path, "vhd", &opts, &err));
    assert_error (&err, V2V_ERR_FORMAT, "BAT entry 0 points at sector");
  }
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

/* ---- failing I/O ---- */

static void
test_every_failing_step_of_a_write_is_an_error (void **state)
{
  static const struct v2v_create_opts kinds[] = {
    { .size_bytes = 5 * MIB, .subformat = V2V_SUB_DYNAMIC },
    { .size_bytes = 5 * MIB, .subformat = V2V_SUB_FIXED },
  };
  uint8_t *buf = malloc (3 * MIB);

  (void) state;
  test_random (buf, 3 * MIB, 1);
  for (size_t k = 0; k < V2V_ARRAY_SIZE (kinds); ++k) {
    unsigned total = 0;

    for (unsigned n = 0; n <= total; ++n) {
      struct v2v_error *err = NULL;
      struct v2v_io *base = v2v_io_from_buffer ("a.vhd", "", 0, &err);
      struct v2v_io *io =
          test_faulty_io (base, n, ENOSPC, n == 0 ? &total : NULL);
      struct v2v_image *img = v2v_image_create_io (io, "vhd", &kinds[k], &err);

      if (img != NULL)
        (void) (v2v_image_write (img, buf, 3 * MIB, MIB, &err) == -1 ||
                v2v_image_zero (img, MIB, MIB, &err) == -1 ||
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
  free (buf);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_dynamic_round_trip),
    cmocka_unit_test (test_dynamic_small_blocks_round_trip),
    cmocka_unit_test (test_dynamic_large_blocks_round_trip),
    cmocka_unit_test (test_fixed_round_trip),
    cmocka_unit_test (test_disk_of_one_sector),
    cmocka_unit_test (test_footer_says_windows_and_the_exact_size),
    cmocka_unit_test (test_size_policies),
    cmocka_unit_test (test_impossible_options_are_refused),
    cmocka_unit_test (test_length_is_not_more_than_qemu_img_makes),
    cmocka_unit_test (test_no_holes_allocates_everything),
    cmocka_unit_test (test_reserved_places_are_where_the_reader_looks),
    cmocka_unit_test (test_2040_gib_sparse_in_seconds),
    cmocka_unit_test (test_chain_of_two_reads_back_here_and_in_7zip),
    cmocka_unit_test (test_chain_of_three_reads_back_here_and_in_7zip),
    cmocka_unit_test (test_chain_of_ten_reads_back_here_and_in_7zip),
    cmocka_unit_test (test_child_has_exactly_what_was_written),
    cmocka_unit_test (test_child_of_another_size_is_refused),
    cmocka_unit_test (test_four_threads_share_blocks),
    cmocka_unit_test (test_unfinished_file_is_resumed),
    cmocka_unit_test (test_resume_writes_the_bitmaps_that_were_lost),
    cmocka_unit_test (test_resume_of_another_copy_is_refused),
    cmocka_unit_test (test_resume_with_a_hostile_table_is_refused),
    cmocka_unit_test (test_every_failing_step_of_a_write_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
