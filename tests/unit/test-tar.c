/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar headers: each way to write a name or a size, and hostile ones. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/package.h"
#include "formats/tar.h"
#include "tar-build.h"

static struct v2v_package *
package (struct tar_build *t, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_from_buffer ("t.ova", t->data, t->len, err);
  struct v2v_package *pkg;

  assert_non_null (io);
  pkg = v2v_package_tar (io, err);
  v2v_io_unref (io);
  tar_free (t);
  return pkg;
}

static void
refused (struct tar_build *t, enum v2v_error_code code, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (package (t, &err));
  assert_error (&err, code, why);
}

/* The archive has NAME with CONTENT. */
static void
has (struct v2v_package *pkg, const char *name, const char *content)
{
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  text = v2v_package_read_text (pkg, name, &len, &err);
  assert_ptr (text, err);
  assert_int_equal (len, strlen (content));
  assert_memory_equal (text, content, len);
}

static void
test_members_are_windows_at_their_offsets (void **state)
{
  struct tar_build t = { NULL, 0 };
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;

  (void) state;
  tar_file (&t, "a.ovf", "first", 5);
  tar_file (&t, "./b.vmdk", "second", 6);
  tar_file (&t, "empty", "", 0);
  tar_header (&t, "folder/", '5', 0);
  tar_file (&t, "._a.ovf", "fork", 4);
  tar_end (&t);
  pkg = package (&t, &err);
  assert_ptr (pkg, err);
  has (pkg, "a.ovf", "first");
  has (pkg, "b.vmdk", "second");
  has (pkg, "empty", "");
  assert_null (v2v_package_open (pkg, "._a.ovf", NULL, &err));
  assert_int_equal (v2v_error_errno (err), ENOENT);
  v2v_error_free (err);
  v2v_package_unref (pkg);
}

static void
test_siblings_are_found_in_the_archive (void **state)
{
  struct tar_build t = { NULL, 0 };
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;
  struct v2v_io *io, *sibling;

  (void) state;
  tar_file (&t, "a.vmdk", "aaa", 3);
  tar_file (&t, "a-flat.vmdk", "bbbb", 4);
  pkg = package (&t, &err); /* no end marker: tolerated */
  assert_ptr (pkg, err);
  io = v2v_package_open (pkg, "a.vmdk", NULL, &err);
  assert_ptr (io, err);
  v2v_package_unref (pkg); /* the io keeps it */
  sibling = v2v_io_open_sibling (io, "a-flat.vmdk", 0, &err);
  assert_ptr (sibling, err);
  assert_int_equal (v2v_io_size (sibling), 4);
  assert_null (v2v_io_open_sibling (io, "../a.vmdk", 0, &err));
  assert_error (&err, V2V_ERR_FORMAT, "path");
  assert_null (v2v_io_open_sibling (io, "a-flat.vmdk", V2V_IO_RW, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "cannot be written");
  v2v_io_unref (sibling);
  v2v_io_unref (io);
}

static void
test_long_names_of_each_kind (void **state)
{
  struct tar_build t = { NULL, 0 };
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;
  char name[202];

  (void) state;
  memset (name, 'n', 200);
  strcpy (name + 196, ".ovf");
  tar_header (&t, "././@LongLink", 'L', 201);
  tar_data (&t, name, 201);
  tar_file (&t, "short", "gnu", 3);
  name[0] = 'p';
  tar_pax (&t, 'x', "path", name);
  tar_file (&t, "short2", "pax", 3);
  tar_header (&t, "x.mf", '0', 5);
  tar_patch (&t, 345, "sub", 3);
  tar_data (&t, "ustar", 5);
  tar_end (&t);
  pkg = package (&t, &err);
  assert_ptr (pkg, err);
  has (pkg, name, "pax");
  name[0] = 'n';
  has (pkg, name, "gnu");
  assert_null (v2v_package_open (pkg, "x.mf", NULL, NULL));
  v2v_package_unref (pkg);
}

static void
test_sizes_of_each_kind (void **state)
{
  static const uint8_t base256[12] = { 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6 };
  struct tar_build t = { NULL, 0 };
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;

  (void) state;
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, base256, 12);
  tar_data (&t, "binary", 6);
  tar_pax (&t, 'x', "size", "5");
  tar_header (&t, "b", '0', 0);
  tar_data (&t, "paxed", 5);
  tar_header (&t, "c", '0', 0);
  tar_patch (&t, 124, "          3 ", 12);
  tar_data (&t, "abc", 3);
  tar_end (&t);
  pkg = package (&t, &err);
  assert_ptr (pkg, err);
  has (pkg, "a", "binary");
  has (pkg, "b", "paxed");
  has (pkg, "c", "abc");
  v2v_package_unref (pkg);
}

/* A member of 9 GiB, which is a hole. */
static void
test_a_member_over_8_gib_is_found (void **state)
{
  const uint64_t size = UINT64_C (9) << 30;
  struct tar_build t = { NULL, 0 };
  char *dir = test_tmpdir (), *path;
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;
  struct v2v_io *io;
  uint64_t got;

  (void) state;
  assert_int_not_equal (asprintf (&path, "%s/big.ova", dir), -1);
  tar_pax (&t, 'x', "size", "9663676416");
  tar_header (&t, "big", '0', 0);
  test_write_file (path, t.data, t.len);
  io = v2v_io_open (path, V2V_IO_RW, &err);
  assert_ptr (io, err);
  const uint64_t next = t.len + size;
  tar_free (&t);
  tar_file (&t, "after", "x", 1);
  assert_ok (v2v_io_pwrite (io, t.data, t.len, next, &err), err);
  tar_free (&t);
  pkg = v2v_package_tar (io, &err);
  assert_ptr (pkg, err);
  assert_int_equal (v2v_package_stat (pkg, "big", &got, &err), 1);
  assert_true (got == size);
  has (pkg, "after", "x");
  v2v_package_unref (pkg);
  v2v_io_unref (io);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_sizes_that_cannot_be_are_refused (void **state)
{
  static const uint8_t huge[12] = { 0x80, 0,    0,    0,    0x7f, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  static const uint8_t wide[12] = { 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
  static const uint8_t marked[12] = { 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
  static const uint8_t negative[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  struct tar_build t = { NULL, 0 };

  (void) state;
  tar_header (&t, "a", '0', 513);
  tar_data (&t, "x", 1);
  refused (&t, V2V_ERR_FORMAT, "past the end");
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, huge, 12);
  refused (&t, V2V_ERR_FORMAT, "past the end");
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, wide, 12);
  refused (&t, V2V_ERR_FORMAT, "malformed size");
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, negative, 12);
  refused (&t, V2V_ERR_FORMAT, "malformed size");
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, marked, 12);
  refused (&t, V2V_ERR_FORMAT, "malformed size");
  tar_header (&t, "a", '0', 0);
  tar_patch (&t, 124, "9999999999\0", 12);
  refused (&t, V2V_ERR_FORMAT, "malformed size");
  tar_pax (&t, 'x', "size", "18446744073709551616");
  tar_file (&t, "a", "", 0);
  refused (&t, V2V_ERR_FORMAT, "not a number");
}

static void
test_links_devices_and_sparse_members_are_refused (void **state)
{
  static const char types[] = "12346SMZ";
  struct tar_build t = { NULL, 0 };

  (void) state;
  for (size_t i = 0; i < sizeof types - 1; ++i) {
    tar_header (&t, "disk.vmdk", types[i], 0);
    tar_end (&t);
    refused (&t, V2V_ERR_UNSUPPORTED, "expected a regular file");
  }
  tar_pax (&t, 'x', "GNU.sparse.major", "1");
  tar_file (&t, "a", "x", 1);
  refused (&t, V2V_ERR_UNSUPPORTED, "sparse");
}

static void
test_names_that_lead_out_are_refused (void **state)
{
  static const char *const names[] = { "/etc/passwd", "../x.ovf", "a/../../x",
                                       "a/..",        "..",       "a\\b",
                                       "tab\there",   ".//../x" };
  struct tar_build t = { NULL, 0 };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    tar_file (&t, names[i], "x", 1);
    refused (&t, V2V_ERR_FORMAT, "tar: member");
    tar_pax (&t, 'x', "path", names[i]);
    tar_file (&t, "good", "x", 1);
    refused (&t, V2V_ERR_FORMAT, "tar: member");
  }
  tar_file (&t, "", "x", 1);
  refused (&t, V2V_ERR_FORMAT, "name of 0 bytes");
}

static void
test_duplicates_are_refused (void **state)
{
  struct tar_build t = { NULL, 0 };

  (void) state;
  tar_file (&t, "a.vmdk", "x", 1);
  tar_file (&t, "./a.vmdk", "y", 1);
  refused (&t, V2V_ERR_FORMAT, "two members");
}

static void
test_headers_are_checked (void **state)
{
  struct tar_build t = { NULL, 0 };

  (void) state;
  tar_file (&t, "a", "x", 1);
  tar_header (&t, "b", '0', 0);
  t.data[t.len - 512] ^= 1;
  refused (&t, V2V_ERR_FORMAT, "wrong checksum");
  tar_file (&t, "a", "x", 1);
  t.len -= 512;
  refused (&t, V2V_ERR_FORMAT, "past the end");
  tar_file (&t, "a", "x", 1);
  tar_header (&t, "b", '0', 0);
  t.len -= 100;
  refused (&t, V2V_ERR_FORMAT, "cut off");
  tar_header (&t, "L", 'L', 100000);
  refused (&t, V2V_ERR_FORMAT, "past the end");
  tar_header (&t, "x", 'x', 0);
  refused (&t, V2V_ERR_FORMAT, "header member of 0 bytes");
  tar_pax (&t, 'g', "size", "5");
  refused (&t, V2V_ERR_FORMAT, "global pax");
  tar_header (&t, "x", 'x', 20);
  tar_data (&t, "99 path=a\n..........", 20);
  refused (&t, V2V_ERR_FORMAT, "malformed pax");
  tar_header (&t, "x", 'x', 10);
  tar_data (&t, "10 pathaa\n", 10);
  refused (&t, V2V_ERR_FORMAT, "malformed pax");
}

/* Each read fails once: an error, no leak, no half package. */
static void
test_each_failing_read_is_an_error (void **state)
{
  struct tar_build t = { NULL, 0 };
  struct v2v_io *base;
  unsigned total = 0;

  (void) state;
  tar_pax (&t, 'x', "path", "long");
  tar_file (&t, "a", "x", 1);
  tar_file (&t, "b", "y", 1);
  tar_end (&t);
  base = v2v_io_from_buffer ("t", t.data, t.len, NULL);
  for (unsigned n = 0; n == 0 || n <= total; ++n) {
    unsigned count = 0;
    struct v2v_io *io = test_faulty_io (base, n, EIO, &count);
    struct v2v_error *err = NULL;
    struct v2v_package *pkg = v2v_package_tar (io, &err);

    if (n == 0) {
      assert_ptr (pkg, err);
      total = count;
    }
    else
      assert_error (&err, V2V_ERR_IO, "");
    v2v_package_unref (pkg);
    v2v_io_unref (io);
  }
  assert_true (total >= 5);
  v2v_io_unref (base);
  tar_free (&t);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_members_are_windows_at_their_offsets),
    cmocka_unit_test (test_siblings_are_found_in_the_archive),
    cmocka_unit_test (test_long_names_of_each_kind),
    cmocka_unit_test (test_sizes_of_each_kind),
    cmocka_unit_test (test_a_member_over_8_gib_is_found),
    cmocka_unit_test (test_sizes_that_cannot_be_are_refused),
    cmocka_unit_test (test_links_devices_and_sparse_members_are_refused),
    cmocka_unit_test (test_names_that_lead_out_are_refused),
    cmocka_unit_test (test_duplicates_are_refused),
    cmocka_unit_test (test_headers_are_checked),
    cmocka_unit_test (test_each_failing_read_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
