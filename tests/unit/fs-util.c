/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of fs-probe.c share: see fs-util.h. */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs-util.h"
#include "test-util.h"

uint8_t *fs_area;
char *fs_dir;

int
fs_setup (void **state)
{
  (void) state;
  fs_area = calloc (1, FS_AREA);
  fs_dir = test_tmpdir ();
  return fs_area == NULL || fs_dir == NULL ? -1 : 0;
}

int
fs_teardown (void **state)
{
  (void) state;
  free (fs_area);
  test_tmpdir_remove (fs_dir);
  return 0;
}

struct v2v_fs_state
fs_probe_image (struct v2v_image *img)
{
  struct v2v_error *err = NULL;
  struct v2v_fs_state s;

  memset (&s, 0xff, sizeof s);
  assert_ok (v2v_fs_probe (img, 0, v2v_image_size (img), &s, &err), err);
  return s;
}

struct v2v_fs_state
fs_probe_bytes (const void *bytes, size_t len)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("part.raw", bytes, len, &err);
  struct v2v_fs_state s;
  struct v2v_image *img;

  assert_ptr (io, err);
  img = v2v_image_open_io (io, &raw, &err);
  assert_ptr (img, err);
  s = fs_probe_image (img);
  v2v_image_close (img);
  v2v_io_unref (io);
  return s;
}

struct v2v_fs_state
fs_probe_area (void)
{
  return fs_probe_bytes (fs_area, FS_AREA);
}

struct v2v_fs_state
fs_probe_file (const char *path)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, &raw, &err);
  struct v2v_fs_state s;

  assert_ptr (img, err);
  s = fs_probe_image (img);
  v2v_image_close (img);
  return s;
}

/* A sparse file of MIB in the test's folder; the caller frees. */
char *
fs_new_file (unsigned mib)
{
  char *path;
  int fd;

  assert_true (asprintf (&path, "%s/part", fs_dir) > 0);
  unlink (path);
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_true (fd >= 0);
  assert_int_equal (ftruncate (fd, (off_t) mib << 20), 0);
  close (fd);
  return path;
}

void
fs_need (const char *program)
{
  if (!test_have (program)) {
    print_message ("%s is not installed\n", program);
    skip ();
  }
}

void
fs_must_run (const char *const argv[])
{
  const int status = test_run (argv, NULL);

  if (status != 0)
    fail_msg ("%s ended with %d", argv[0], status);
}

/* Change one byte of a file. */
void
fs_poke (const char *path, uint64_t offset, const void *bytes, size_t len)
{
  const int fd = open (path, O_WRONLY | O_CLOEXEC);

  assert_true (fd >= 0);
  assert_int_equal (pwrite (fd, bytes, len, (off_t) offset), (ssize_t) len);
  close (fd);
}

void
fs_assert_clean (const struct v2v_fs_state *s, enum v2v_fs_kind kind,
                 const char *type)
{
  assert_int_equal (s->kind, kind);
  assert_string_equal (s->type, type);
  if (s->journal_dirty || s->damaged || s->truncated || s->hibernated)
    fail_msg ("not clean: %s", s->evidence);
  assert_null (s->evidence);
}
