/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip files and temporary files.  What is unpacked was packed by gzip(1). */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/core/gzip.h"
#include "formats/core/spool.h"

/* 3 MiB: random, zeros, random. */
#define LEN ((size_t) 3 * 1024 * 1024 + 77)

static uint8_t *
content (void)
{
  uint8_t *p = calloc (1, LEN);

  assert_non_null (p);
  test_random (p, LEN / 3, 1);
  test_random (p + LEN - 1000, 1000, 2);
  return p;
}

static void *
pack (const void *buf, size_t len, size_t *ret_len)
{
  char *dir = test_tmpdir (), *path, *gz;
  void *p;

  assert_int_not_equal (asprintf (&path, "%s/x", dir), -1);
  assert_int_not_equal (asprintf (&gz, "%s/x.gz", dir), -1);
  test_write_file (path, buf, len);
  assert_int_equal (
      test_run ((const char *const[]){ "gzip", "-c", path, NULL }, gz), 0);
  p = test_read_file (gz, ret_len);
  free (path);
  free (gz);
  test_tmpdir_remove (dir);
  return p;
}

static struct v2v_io *
unpack (const void *buf, size_t len, uint64_t max, struct v2v_error **err)
{
  struct v2v_io *in = v2v_io_from_buffer ("x.gz", buf, len, err), *out;

  assert_non_null (in);
  out = v2v_gunzip (in, max, err);
  v2v_io_unref (in);
  return out;
}

static void
is (struct v2v_io *io, const void *expected, size_t len)
{
  CLEANUP_FREE char *got = malloc (len + 1);
  struct v2v_error *err = NULL;

  assert_non_null (got);
  assert_int_equal (v2v_io_size (io), len);
  assert_ok (v2v_io_pread (io, got, len, 0, &err), err);
  assert_memory_equal (got, expected, len);
}

static void
test_what_gzip_packed_is_unpacked (void **state)
{
  CLEANUP_FREE uint8_t *data = content (), *gz = NULL, *two = NULL;
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  size_t len;

  (void) state;
  gz = pack (data, LEN, &len);
  io = unpack (gz, len, LEN, &err);
  assert_ptr (io, err);
  is (io, data, LEN);
  v2v_io_unref (io);

  /* Two members are one file; zeros at the end are padding. */
  two = calloc (1, 2 * len + 100);
  assert_non_null (two);
  memcpy (two, gz, len);
  memcpy (two + len, gz, len);
  io = unpack (two, 2 * len + 100, 2 * LEN, &err);
  assert_ptr (io, err);
  assert_int_equal (v2v_io_size (io), 2 * LEN);
  v2v_io_unref (io);
}

static void
refused (const void *gz, size_t len, uint64_t max, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (unpack (gz, len, max, &err));
  assert_error (&err, V2V_ERR_FORMAT, why);
}

static void
test_damage_and_bombs_are_refused (void **state)
{
  CLEANUP_FREE uint8_t *data = content (), *gz = NULL, *zeros = NULL;
  size_t len;

  (void) state;
  gz = pack (data, LEN, &len);
  refused (gz, len, LEN - 1, "more than");
  refused (gz, len - 1, LEN, "truncated");
  refused (gz, len / 2, LEN, "truncated");
  refused (gz, 0, LEN, "empty");
  refused ("BZh91AY", 7, LEN, "gzip");
  gz[len - 5] ^= 1; /* the length; before it the CRC */
  refused (gz, len, LEN, "gzip");
  gz[len - 5] ^= 1;
  gz[len - 1] ^= 1;
  refused (gz, len, LEN, "gzip");
  gz[len - 1] ^= 1;
  gz[len / 4] ^= 1;
  refused (gz, len, LEN, "gzip");
  free (gz);
  zeros = calloc (1, 8 << 20);
  gz = pack (zeros, 8 << 20, &len);
  refused (gz, len, 1 << 20, "more than the 1048576 bytes");
}

static void
test_each_failing_read_is_an_error (void **state)
{
  CLEANUP_FREE uint8_t *data = content (), *gz = NULL;
  struct v2v_io *base;
  size_t len;

  (void) state;
  gz = pack (data, LEN, &len);
  base = v2v_io_from_buffer ("x.gz", gz, len, NULL);
  for (unsigned n = 1; n <= 3; ++n) {
    struct v2v_io *io = test_faulty_io (base, n, EIO, NULL);
    struct v2v_error *err = NULL;

    assert_null (v2v_gunzip (io, LEN, &err));
    assert_error (&err, V2V_ERR_IO, "");
    v2v_io_unref (io);
  }
  v2v_io_unref (base);
}

/* Odd pieces across the hole blocks give the same bytes; zeros are holes. */
static void
test_a_spool_keeps_bytes_and_holes (void **state)
{
  CLEANUP_FREE uint8_t *data = content ();
  struct v2v_error *err = NULL;
  struct v2v_spool *s = v2v_spool_new ("t", LEN, &err);
  struct v2v_io *io;

  (void) state;
  assert_ptr (s, err);
  for (size_t pos = 0, n = 1; pos < LEN; pos += n, n = n * 3 % 10007 + 1) {
    if (n > LEN - pos)
      n = LEN - pos;
    assert_ok (v2v_spool_write (s, data + pos, n, &err), err);
  }
  assert_int_equal (v2v_spool_write (s, "x", 1, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "allowed");
  io = v2v_spool_finish (s, &err);
  assert_ptr (io, err);
  is (io, data, LEN);
  v2v_io_unref (io);

  /* Only zeros: the length is there though nothing was written. */
  s = v2v_spool_new ("t", LEN, &err);
  assert_ptr (s, err);
  memset (data, 0, LEN);
  assert_ok (v2v_spool_write (s, data, LEN, &err), err);
  io = v2v_spool_finish (s, &err);
  assert_ptr (io, err);
  is (io, data, LEN);
  v2v_io_unref (io);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_what_gzip_packed_is_unpacked),
    cmocka_unit_test (test_damage_and_bombs_are_refused),
    cmocka_unit_test (test_each_failing_read_is_an_error),
    cmocka_unit_test (test_a_spool_keeps_bytes_and_holes),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
