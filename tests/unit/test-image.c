/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core in front of the drivers, seen through raw and null. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/image.h"
#include "test-util.h"

static void
test_unknown_bytes_are_refused_with_a_hint (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("thing", "hello world", 11, &err);

  (void) state;
  assert_null (v2v_image_open_io (io, NULL, &err));
  assert_string_equal (
      v2v_error_hint (err),
      "if it is the bytes of a disk, say so with --format raw");
  assert_error (&err, V2V_ERR_UNSUPPORTED,
                "thing: not a disk image of a known format");
  v2v_io_unref (io);
}

static void
test_an_undeclared_format_name_is_a_usage_error (void **state)
{
  struct v2v_error *err = NULL;
  const struct v2v_open_opts opts = { .format = "nonsense" };
  struct v2v_io *io = v2v_io_from_buffer ("thing", "x", 1, &err);

  (void) state;
  assert_null (v2v_image_open_io (io, &opts, &err));
  assert_error (&err, V2V_ERR_USAGE, "no format is called 'nonsense'");
  v2v_io_unref (io);
}

static void
test_raw_rounds_up_to_a_sector_with_zeros (void **state)
{
  static const struct v2v_open_opts opts = { .format = "raw" };
  struct v2v_error *err = NULL;
  char data[700], b[1024];
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  memset (data, 7, sizeof data);
  io = v2v_io_from_buffer ("x", data, sizeof data, &err);
  img = v2v_image_open_io (io, &opts, &err);
  assert_ptr (img, err);
  assert_int_equal (v2v_image_size (img), 1024);
  assert_ok (v2v_image_read (img, b, 1024, 0, &err), err);
  assert_int_equal (b[699], 7);
  assert_true (v2v_is_zero (b + 700, 324));
  assert_int_equal (v2v_image_read (img, b, 2, 1023, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "past the end of the disk (1024)");
  v2v_image_close (img);
  v2v_io_unref (io);
}

static void
test_close_without_finish_leaves_nothing (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = V2V_MIB };
  struct v2v_error *err = NULL;
  char *dir = test_tmpdir (), *path = NULL, *part = NULL;
  struct v2v_image *img;

  (void) state;
  assert_true (asprintf (&path, "%s/o.raw", dir) > 0);
  assert_true (asprintf (&part, "%s.part", path) > 0);
  img = v2v_image_create (path, "raw", &opts, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_write (img, "abc", 3, 5, &err), err);
  assert_int_equal (v2v_image_write (img, "abc", 3, V2V_MIB - 2, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "past the end of the disk");
  v2v_image_close (img);
  assert_int_equal (access (path, F_OK), -1);
  assert_int_equal (access (part, F_OK), -1);

  img = v2v_image_create (path, "raw", &opts, &err);
  assert_ok (v2v_image_write (img, "abc", 3, 5, &err), err);
  assert_ok (v2v_image_zero (img, 1, 6, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err); /* by its name, .raw */
  {
    char b[4];
    assert_ok (v2v_image_read (img, b, 4, 5, &err), err);
    assert_memory_equal (b, "a\0c\0", 4);
  }
  v2v_image_close (img);

  /* An existing file is not replaced unless asked. */
  assert_null (v2v_image_create (path, "raw", &opts, &err));
  assert_int_equal (v2v_error_errno (err), EEXIST);
  v2v_error_free (err);
  free (path);
  free (part);
  test_tmpdir_remove (dir);
}

static void
test_null_reads_zeros_of_any_size (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open ("null:64T", NULL, &err);
  struct v2v_extents list = V2V_EXTENTS_INIT;
  char b[10] = "xxxxxxxxx";

  (void) state;
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == 64 * V2V_TIB);
  assert_ok (v2v_image_extents (img, 64 * V2V_TIB, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_ok (v2v_image_read (img, b, 10, V2V_TIB, &err), err);
  assert_true (v2v_is_zero (b, 10));
  v2v_extents_free (&list);
  v2v_image_close (img);
  assert_null (v2v_image_open ("null:7", NULL, &err));
  assert_error (&err, V2V_ERR_USAGE, "null:7: expected null:SIZE");
}

static void
test_check_report_is_bounded (void **state)
{
  struct v2v_check_report r = { 0 };

  (void) state;
  for (int i = 0; i < V2V_CHECK_MAX_ITEMS + 5; ++i)
    assert_int_equal (
        v2v_check_add (&r, V2V_CHECK_DAMAGE, false, "x.y", "item %d", i), 0);
  assert_int_equal (r.nr_items, V2V_CHECK_MAX_ITEMS);
  assert_int_equal (r.nr_suppressed, 5);
  assert_string_equal (r.items[3].message, "item 3");
  v2v_check_report_clear (&r);
}

static void
test_subformat_names_round_trip (void **state)
{
  enum v2v_subformat s = V2V_SUB_NONE;

  (void) state;
  assert_true (v2v_subformat_parse ("differencing", &s));
  assert_int_equal (s, V2V_SUB_DIFFERENCING);
  assert_string_equal (v2v_subformat_name (s), "differencing");
  assert_false (v2v_subformat_parse ("Dynamic", &s));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_unknown_bytes_are_refused_with_a_hint),
    cmocka_unit_test (test_an_undeclared_format_name_is_a_usage_error),
    cmocka_unit_test (test_raw_rounds_up_to_a_sector_with_zeros),
    cmocka_unit_test (test_close_without_finish_leaves_nothing),
    cmocka_unit_test (test_null_reads_zeros_of_any_size),
    cmocka_unit_test (test_check_report_is_bounded),
    cmocka_unit_test (test_subformat_names_round_trip),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
