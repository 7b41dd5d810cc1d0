/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of io, publishing, and the rule for names found in files. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "test-util.h"

static char *tmp;

static char *
in_tmp (const char *name)
{
  char *path = NULL;

  assert_true (asprintf (&path, "%s/%s", tmp, name) > 0);
  return path;
}

static void
write_file (const char *name, const void *buf, size_t len)
{
  char *path = in_tmp (name);
  FILE *fp = fopen (path, "w");

  assert_non_null (fp);
  assert_int_equal (fwrite (buf, 1, len, fp), len);
  assert_int_equal (fclose (fp), 0);
  free (path);
}

static int
setup (void **state)
{
  (void) state;
  tmp = test_tmpdir ();
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (tmp);
  return 0;
}

static void
test_read_past_the_end_names_file_and_range (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("x.vmdk", "abcdef", 6, &err);
  char b[4];

  (void) state;
  assert_ptr (io, err);
  assert_ok (v2v_io_pread (io, b, 4, 2, &err), err);
  assert_memory_equal (b, "cdef", 4);
  assert_int_equal (v2v_io_pread (io, b, 4, 3, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "x.vmdk: 4 bytes at 3, past the end (6)");
  assert_int_equal (v2v_io_pread (io, b, 4, UINT64_MAX - 1, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "past the end");
  v2v_io_unref (io);
}

static void
test_a_file_that_shrinks_is_an_error_not_zeros (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  char b[8];
  char *path;

  (void) state;
  write_file ("shrinks", "12345678", 8);
  path = in_tmp ("shrinks");
  io = v2v_io_open (path, 0, &err);
  assert_ptr (io, err);
  assert_int_equal (truncate (path, 4), 0);
  assert_int_equal (v2v_io_pread (io, b, 8, 0, &err), -1);
  assert_error (&err, V2V_ERR_IO, "became shorter");
  v2v_io_unref (io);
  free (path);
}

static void
test_a_pair_is_written_in_one_piece_to_files_and_memory (void **state)
{
  struct v2v_error *err = NULL;
  char *path = in_tmp ("pair");
  struct v2v_io *io[2] = { v2v_io_create_part (path, 0, &err),
                           v2v_io_from_buffer ("memory", "", 0, &err) };
  char b[9];

  (void) state;
  for (size_t i = 0; i < 2; ++i) {
    assert_ptr (io[i], err);
    assert_ok (v2v_io_pwrite_pair (io[i], "head", 4, "body!", 5, 3, &err), err);
    assert_int_equal (v2v_io_size (io[i]), 12);
    assert_ok (v2v_io_pread (io[i], b, 9, 3, &err), err);
    assert_memory_equal (b, "headbody!", 9);
    assert_int_equal (
        v2v_io_pwrite_pair (io[i], "a", 1, "b", 1, INT64_MAX, &err), -1);
    assert_error (&err, V2V_ERR_IO, "beyond what a file can hold");
    v2v_io_unref (io[i]);
  }
  free (path);
}

static void
test_windows_nest_and_stay_inside (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *base = v2v_io_from_buffer ("b", "0123456789", 10, &err);
  struct v2v_io *w = v2v_io_window (base, "w", 2, 6, &err);
  struct v2v_io *v = v2v_io_window (w, "v", 1, 3, &err);
  char b[3];

  (void) state;
  assert_ptr (v, err);
  assert_ok (v2v_io_pread (v, b, 3, 0, &err), err);
  assert_memory_equal (b, "345", 3);
  assert_int_equal (v2v_io_pread (v, b, 3, 1, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "v: 3 bytes at 1, past the end (3)");
  assert_null (v2v_io_window (base, "bad", 5, 6, &err));
  assert_error (&err, V2V_ERR_FORMAT, "bad: 6 bytes at 5");
  assert_false (v2v_io_same (w, v));
  assert_int_equal (v2v_io_pwrite (w, "x", 1, 0, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "reading only");
  v2v_io_unref (base); /* the windows hold it */
  v2v_io_unref (w);
  assert_ok (v2v_io_pread (v, b, 3, 0, &err), err);
  v2v_io_unref (v);
}

static void
test_join_reads_across_every_seam (void **state)
{
  struct v2v_error *err = NULL;
  static const char text[] = "abcdefghij";
  static const size_t sizes[] = { 3, 0, 1, 6 };
  struct v2v_io *parts[4], *j;
  size_t at = 0;

  (void) state;
  for (size_t i = 0; i < 4; ++i) {
    parts[i] = v2v_io_from_buffer ("p", text + at, sizes[i], &err);
    assert_ptr (parts[i], err);
    at += sizes[i];
  }
  j = v2v_io_join ("joined", parts, 4, &err);
  assert_ptr (j, err);
  assert_int_equal (v2v_io_size (j), 10);
  for (size_t i = 0; i < 4; ++i)
    v2v_io_unref (parts[i]);
  for (size_t start = 0; start < 10; ++start)
    for (size_t len = 1; start + len <= 10; ++len) {
      char b[10];

      assert_ok (v2v_io_pread (j, b, len, start, &err), err);
      assert_memory_equal (b, text + start, len);
    }
  v2v_io_unref (j);
}

static void
test_streams_go_forwards_only (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  char big[40000], b[100];
  size_t got = 0;
  int p[2];

  (void) state;
  assert_int_equal (pipe (p), 0);
  test_random (big, sizeof big, 1);
  assert_int_equal (write (p[1], big, sizeof big), sizeof big);
  close (p[1]);
  io = v2v_io_from_stream (p[0], "stdin", V2V_IO_SIZE_UNKNOWN, &err);
  assert_ptr (io, err);
  assert_true (v2v_io_is_forward_only (io));
  assert_ok (v2v_io_pread (io, b, 100, 10, &err), err);
  assert_memory_equal (b, big + 10, 100);
  assert_ok (v2v_io_pread (io, b, 100, 20000, &err), err); /* a gap */
  assert_memory_equal (b, big + 20000, 100);
  assert_int_equal (v2v_io_pread (io, b, 1, 20099, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "only be read forwards");
  assert_ok (v2v_io_pread_upto (io, b, 100, 39950, &got, &err), err);
  assert_int_equal (got, 50);
  assert_int_equal (v2v_io_pread (io, b, 1, 40000, &err), -1);
  assert_error (&err, V2V_ERR_IO, "ended early");
  v2v_io_unref (io);
}

static void
test_only_regular_files_open_and_nothing_blocks (void **state)
{
  struct v2v_error *err = NULL;
  char *fifo = in_tmp ("fifo"), *link = in_tmp ("link");

  (void) state;
  assert_int_equal (mkfifo (fifo, 0600), 0);
  assert_null (v2v_io_open (fifo, 0, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is a pipe");
  assert_null (v2v_io_open (tmp, 0, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is a folder");
  write_file ("target", "x", 1);
  assert_int_equal (symlink ("target", link), 0);
  assert_null (v2v_io_open (link, 0, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "symbolic link");
  v2v_io_unref (v2v_io_open (link, V2V_IO_FOLLOW, &err));
  assert_null (err);
  assert_null (v2v_io_open_in ("/dev", "zero", 0, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is a device");
  free (fifo);
  free (link);
}

static void
test_names_from_files_must_be_plain (void **state)
{
  static const char *const bad[] = { "",      ".",      "..",
                                     "a/b",   "/etc/x", "..\\x",
                                     "C:\\x", "a\nb",   "x\x7f/" };
  struct v2v_error *err = NULL;
  struct v2v_io *io, *sib;
  char *path;
  char longname[257];

  (void) state;
  write_file ("a.vmdk", "x", 1);
  write_file ("a-flat.vmdk", "yy", 2);
  path = in_tmp ("a.vmdk");
  io = v2v_io_open (path, 0, &err);
  assert_ptr (io, err);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    assert_null (v2v_io_open_sibling (io, bad[i], 0, &err));
    assert_error (&err, V2V_ERR_FORMAT, "file name '");
  }
  memset (longname, 'a', 256);
  longname[256] = '\0';
  assert_null (v2v_io_open_sibling (io, longname, 0, &err));
  assert_error (&err, V2V_ERR_FORMAT, "longer than 255");
  sib = v2v_io_open_sibling (io, "a-flat.vmdk", 0, &err);
  assert_ptr (sib, err);
  assert_int_equal (v2v_io_size (sib), 2);
  assert_null (v2v_io_open_sibling (io, "absent", 0, &err));
  assert_int_equal (v2v_error_errno (err), ENOENT);
  assert_error (&err, V2V_ERR_IO, "absent");
  /* A link with a good name is refused too. */
  free (path);
  path = in_tmp ("a-link.vmdk");
  assert_int_equal (symlink ("/etc/passwd", path), 0);
  assert_null (v2v_io_open_sibling (io, "a-link.vmdk", 0, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "symbolic link");
  free (path);
  v2v_io_unref (sib);
  v2v_io_unref (io);
}

static void
test_output_appears_only_when_published (void **state)
{
  struct v2v_error *err = NULL;
  char *path = in_tmp ("out"), *part = in_tmp ("out.part");
  struct v2v_io *io;

  (void) state;
  io = v2v_io_create_part (path, 0, &err);
  assert_ptr (io, err);
  assert_ok (v2v_io_pwrite (io, "data", 4, 100, &err), err);
  assert_int_equal (v2v_io_size (io), 104);
  assert_int_equal (access (path, F_OK), -1);
  assert_int_equal (access (part, F_OK), 0);
  v2v_io_unref (io); /* discarded */
  assert_int_equal (access (part, F_OK), -1);

  io = v2v_io_create_part (path, 0, &err);
  assert_ok (v2v_io_pwrite (io, "data", 4, 0, &err), err);
  assert_ok (v2v_io_publish (io, &err), err);
  v2v_io_unref (io);
  assert_int_equal (access (path, F_OK), 0);
  assert_int_equal (access (part, F_OK), -1);

  assert_null (v2v_io_create_part (path, 0, &err));
  assert_int_equal (v2v_error_errno (err), EEXIST);
  assert_error (&err, V2V_ERR_IO, "exists");
  free (path);
  free (part);
}

static void
test_publish_does_not_replace_a_file_that_came_meanwhile (void **state)
{
  struct v2v_error *err = NULL;
  char *path = in_tmp ("race");
  struct v2v_io *io = v2v_io_create_part (path, 0, &err);
  char b[5];

  (void) state;
  assert_ptr (io, err);
  assert_ok (v2v_io_pwrite (io, "mine", 4, 0, &err), err);
  write_file ("race", "yours", 5);
  assert_int_equal (v2v_io_publish (io, &err), -1);
  assert_error (&err, V2V_ERR_IO, "exists");
  v2v_io_unref (io);
  io = v2v_io_open (path, 0, &err);
  assert_ok (v2v_io_pread (io, b, 5, 0, &err), err);
  assert_memory_equal (b, "yours", 5);
  v2v_io_unref (io);
  free (path);
}

static void
test_a_part_that_is_being_written_is_refused_and_left_alone (void **state)
{
  char *path = in_tmp ("busy");
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_create_part (path, 0, &err);
  char buf[8] = "";

  (void) state;
  assert_ptr (io, err);
  assert_int_equal (v2v_io_pwrite (io, "first", 5, 0, &err), 0);
  assert_null (v2v_io_create_part (path, 0, &err));
  assert_error (&err, V2V_ERR_USAGE, "another run is writing it");
  assert_null (v2v_io_create_part (path, V2V_IO_KEEP_PART, &err));
  assert_error (&err, V2V_ERR_USAGE, "another run is writing it");
  assert_int_equal (v2v_io_pread (io, buf, 5, 0, &err), 0);
  assert_string_equal (buf, "first");
  assert_int_equal (v2v_io_publish (io, &err), 0);
  v2v_io_unref (io);

  /* Published is finished with. */
  io = v2v_io_create_part (path, V2V_IO_REPLACE, &err);
  assert_ptr (io, err);
  v2v_io_unref (io);
  free (path);
}

static void
test_kept_part_can_be_continued (void **state)
{
  struct v2v_error *err = NULL;
  char *path = in_tmp ("kept");
  struct v2v_io *io = v2v_io_create_part (path, 0, &err);
  char b[4];

  (void) state;
  assert_ok (v2v_io_pwrite (io, "half", 4, 0, &err), err);
  v2v_io_keep_part (io);
  v2v_io_unref (io);
  io = v2v_io_create_part (path, V2V_IO_KEEP_PART, &err);
  assert_ptr (io, err);
  assert_int_equal (v2v_io_size (io), 4);
  assert_ok (v2v_io_pread (io, b, 4, 0, &err), err);
  assert_memory_equal (b, "half", 4);
  v2v_io_unref (io);
  /* Without the flag a stale one is emptied. */
  io = v2v_io_create_part (path, 0, &err);
  v2v_io_keep_part (io);
  v2v_io_unref (io);
  io = v2v_io_create_part (path, 0, &err);
  assert_int_equal (v2v_io_size (io), 0);
  v2v_io_unref (io);
  free (path);
}

static void
test_holes_are_seen_punched_and_allocated (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_extents list = V2V_EXTENTS_INIT;
  char *path = in_tmp ("holes");
  struct v2v_io *io = v2v_io_create_part (path, 0, &err);
  char buf[65536];
  struct stat st;
  int fd;
  uint64_t o, n;

  (void) state;
  memset (buf, 1, sizeof buf);
  assert_ok (v2v_io_resize (io, 4 * V2V_MIB, &err), err);
  assert_ok (v2v_io_pwrite (io, buf, sizeof buf, V2V_MIB, &err), err);
  assert_ok (v2v_io_extents (io, 4 * V2V_MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ZERO);
  assert_int_equal (list.ptr[0].length, V2V_MIB);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_DATA);
  assert_int_equal (list.ptr[1].length, sizeof buf);
  assert_int_equal (list.ptr[2].type, V2V_EXTENT_ZERO);
  v2v_extents_clear (&list);
  assert_ok (v2v_io_punch (io, sizeof buf, V2V_MIB, &err), err);
  assert_ok (v2v_io_extents (io, 4 * V2V_MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  v2v_extents_free (&list);
  assert_ok (v2v_io_allocate (io, &err), err);
  assert_true (v2v_io_fd (io, 0, &fd, &o, &n));
  assert_int_equal (fstat (fd, &st), 0);
  assert_true ((uint64_t) st.st_blocks * 512 >= 4 * V2V_MIB);
  assert_int_equal (st.st_size, 4 * V2V_MIB);
  v2v_io_unref (io);
  free (path);
}

static void
test_pages_given_back_behind_the_writes_are_not_lost (void **state)
{
  const size_t piece = 256 * 1024;
  const unsigned n = 2 * 32 + 5; /* twice round the ring of io-file.c */
  struct v2v_error *err = NULL;
  char *path = in_tmp ("behind");
  struct v2v_io *io = v2v_io_create_part (path, V2V_IO_EARLY_WRITEBACK, &err);
  char *buf = malloc (piece), *back = malloc (piece);

  (void) state;
  assert_ptr (io, err);
  assert_non_null (buf);
  assert_non_null (back);
  for (unsigned i = 0; i < n; ++i) {
    test_random (buf, piece, i);
    /* Backwards: the order of writes is not that of the file. */
    assert_ok (v2v_io_pwrite (io, buf, piece, (n - 1 - i) * piece, &err), err);
  }
  for (unsigned i = 0; i < n; ++i) {
    test_random (buf, piece, i);
    assert_ok (v2v_io_pread (io, back, piece, (n - 1 - i) * piece, &err), err);
    assert_memory_equal (buf, back, piece);
  }
  v2v_io_unref (io);
  free (buf);
  free (back);
  free (path);
}

static void
test_same_file_is_recognised (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *a, *b, *wa, *wb;
  char *path, *link;

  (void) state;
  write_file ("same", "0123456789", 10);
  path = in_tmp ("same");
  link = in_tmp ("same-link");
  assert_int_equal (symlink ("same", link), 0);
  a = v2v_io_open (path, 0, &err);
  b = v2v_io_open (link, V2V_IO_FOLLOW, &err);
  assert_true (v2v_io_same (a, b));
  wa = v2v_io_window (a, "wa", 2, 4, &err);
  wb = v2v_io_window (b, "wb", 2, 4, &err);
  assert_true (v2v_io_same (wa, wb));
  assert_false (v2v_io_same (wa, a));
  v2v_io_unref (a);
  v2v_io_unref (b);
  v2v_io_unref (wa);
  v2v_io_unref (wb);
  free (path);
  free (link);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_read_past_the_end_names_file_and_range),
    cmocka_unit_test (test_a_file_that_shrinks_is_an_error_not_zeros),
    cmocka_unit_test (test_a_pair_is_written_in_one_piece_to_files_and_memory),
    cmocka_unit_test (test_windows_nest_and_stay_inside),
    cmocka_unit_test (test_join_reads_across_every_seam),
    cmocka_unit_test (test_streams_go_forwards_only),
    cmocka_unit_test (test_only_regular_files_open_and_nothing_blocks),
    cmocka_unit_test (test_names_from_files_must_be_plain),
    cmocka_unit_test (test_output_appears_only_when_published),
    cmocka_unit_test (test_publish_does_not_replace_a_file_that_came_meanwhile),
    cmocka_unit_test (
        test_a_part_that_is_being_written_is_refused_and_left_alone),
    cmocka_unit_test (test_kept_part_can_be_continued),
    cmocka_unit_test (test_holes_are_seen_punched_and_allocated),
    cmocka_unit_test (test_pages_given_back_behind_the_writes_are_not_lost),
    cmocka_unit_test (test_same_file_is_recognised),
  };

  return cmocka_run_group_tests (tests, setup, teardown);
}
