/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2.c: what is refused before QEMU sees the file, what is read through
 * it, and that nothing of the server is left.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "test-command.h"

#ifdef HAVE_LIBNBD
#define HAVE_NBD 1
#else
#define HAVE_NBD 0
#endif

#define KIB 1024
#define MIB (1024 * 1024)

/* ---- headers made here ---- */

#define HEADER_BYTES 65536

/* A valid version 3 header of a 1 MiB disk, as far as ours goes. */
static void
make_header (uint8_t *p)
{
  memset (p, 0, HEADER_BYTES);
  memcpy (p, "QFI\xfb", 4);
  v2v_put_be32 (p + 4, 3);
  v2v_put_be32 (p + 20, 16);
  v2v_put_be64 (p + 24, MIB);
  v2v_put_be32 (p + 100, 104);
}

static void
assert_refused_with (const uint8_t *header, size_t len,
                     const struct v2v_open_opts *opts, enum v2v_error_code code,
                     const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("made.qcow2", header, len, &err);

  assert_ptr (io, err);
  assert_null (v2v_image_open_io (io, opts, &err));
  assert_error (&err, code, text);
  v2v_io_unref (io);
}
#define assert_refused(header, ...)                                            \
  assert_refused_with (header, HEADER_BYTES, NULL, __VA_ARGS__)

/* A buffer is no file that QEMU could open: a header that we accept ends
 * there. */
#define ACCEPTED V2V_ERR_UNSUPPORTED, "read from one file only"

static void
test_valid_header_gets_as_far_as_the_server (void **vs)
{
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  assert_refused (h, ACCEPTED);
  v2v_put_be64 (h + 72, 1 | 8 | 16); /* dirty, compression type, long L2 */
  assert_refused (h, ACCEPTED);
  v2v_put_be32 (h + 4, 2);
  assert_refused (h, ACCEPTED);
}

static void
test_backing_file_is_refused (void **vs)
{
  const struct v2v_open_opts force = { .force = true };
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  v2v_put_be64 (h + 8, 512);
  v2v_put_be32 (h + 16, 11);
  memcpy (h + 512, "/etc/shadow", 11);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "names a backing file");
  /* a length of zero does not hide it */
  v2v_put_be32 (h + 16, 0);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "names a backing file");
  assert_refused_with (h, sizeof h, &force, ACCEPTED);
}

static void
test_external_data_file_is_refused (void **vs)
{
  const struct v2v_open_opts force = { .force = true };
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  v2v_put_be64 (h + 72, 4);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "names an external data file");
  assert_refused_with (h, sizeof h, &force, ACCEPTED);
  /* the extension alone, without the feature bit */
  v2v_put_be64 (h + 72, 0);
  v2v_put_be32 (h + 104, 0x44415441);
  v2v_put_be32 (h + 108, 11);
  memcpy (h + 112, "/etc/shadow", 11);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "names an external data file");
  /* behind another extension, also in version 2 */
  make_header (h);
  v2v_put_be32 (h + 4, 2);
  v2v_put_be32 (h + 72, 0x6803f857);
  v2v_put_be32 (h + 76, 5); /* padded to 8 */
  v2v_put_be32 (h + 88, 0x44415441);
  v2v_put_be32 (h + 92, 4);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "names an external data file");
  /* behind the end of the list it is no extension */
  v2v_put_be32 (h + 72, 0);
  assert_refused (h, ACCEPTED);
}

static void
test_encryption_is_refused (void **vs)
{
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  v2v_put_be32 (h + 32, 2);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "encrypted (method 2)");
  make_header (h);
  v2v_put_be32 (h + 104, 0x0537be77);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "encrypted (LUKS)");
}

static void
test_unknown_features_are_refused (void **vs)
{
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  v2v_put_be64 (h + 72, 32);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "features 0x20");
  v2v_put_be64 (h + 72, UINT64_C (1) << 63);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "features 0x8000000000000000");
  v2v_put_be64 (h + 72, 2);
  assert_refused (h, V2V_ERR_FORMAT, "marked as corrupt");
}

static void
test_bounds_of_the_header (void **vs)
{
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  for (uint32_t version = 0; version <= 4; version += 4) {
    v2v_put_be32 (h + 4, version);
    assert_refused (h, V2V_ERR_UNSUPPORTED, "expected 2 or 3");
  }
  make_header (h);
  v2v_put_be32 (h + 4, 1);
  assert_refused (h, V2V_ERR_UNSUPPORTED, "version 1, expected 2 or 3");
  make_header (h);
  v2v_put_be32 (h + 20, 8);
  assert_refused (h, V2V_ERR_FORMAT, "cluster bits 8, expected 9 to 21");
  v2v_put_be32 (h + 20, 9);
  assert_refused (h, ACCEPTED);
  v2v_put_be32 (h + 20, 21);
  assert_refused (h, ACCEPTED);
  v2v_put_be32 (h + 20, 22);
  assert_refused (h, V2V_ERR_FORMAT, "cluster bits 22");
  make_header (h);
  v2v_put_be64 (h + 24, UINT64_C (1) << 62);
  assert_refused (h, ACCEPTED);
  v2v_put_be64 (h + 24, (UINT64_C (1) << 62) + 1);
  assert_refused (h, V2V_ERR_FORMAT, "size 4611686018427387905");
}

static void
test_bounds_of_the_header_length (void **vs)
{
  static const uint32_t bad[] = { 0, 96, 103, 108, 65544, UINT32_MAX };
  uint8_t h[HEADER_BYTES];

  (void) vs;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    make_header (h);
    v2v_put_be32 (h + 100, bad[i]);
    assert_refused (h, V2V_ERR_FORMAT, "expected a multiple of 8 from 104");
  }
  make_header (h);
  v2v_put_be32 (h + 100, 112);
  assert_refused (h, ACCEPTED);
  assert_refused_with (h, 103, NULL, V2V_ERR_FORMAT, "qcow2 header: length");
}

static void
test_extension_past_its_cluster_is_refused (void **vs)
{
  uint8_t h[HEADER_BYTES];

  (void) vs;
  make_header (h);
  v2v_put_be32 (h + 20, 9);
  v2v_put_be32 (h + 104, 1);
  v2v_put_be32 (h + 108, 512 - 112);
  assert_refused (h, ACCEPTED);
  v2v_put_be32 (h + 108, 512 - 112 + 1);
  assert_refused (h, V2V_ERR_FORMAT, "past the end of the header's cluster");
  v2v_put_be32 (h + 108, UINT32_MAX);
  assert_refused (h, V2V_ERR_FORMAT, "4294967295 bytes at 112");
}

/* ---- through the server ---- */

static char *tmp;

static int
setup (void **vs)
{
  (void) vs;
  tmp = test_tmpdir ();
  return setenv ("TMPDIR", tmp, 1);
}

static int
teardown (void **vs)
{
  (void) vs;
  unsetenv ("TMPDIR");
  test_tmpdir_remove (tmp);
  return 0;
}

static char *
path_of (const char *name)
{
  char *path = NULL;

  assert_int_not_equal (asprintf (&path, "%s/%s", tmp, name), -1);
  return path;
}

static void
write_file (const char *path, const void *data, size_t len, long offset)
{
  FILE *fp = fopen (path, "w");

  assert_non_null (fp);
  assert_int_equal (fseek (fp, offset, SEEK_SET), 0);
  assert_int_equal (fwrite (data, 1, len, fp), len);
  assert_int_equal (fclose (fp), 0);
}

/* A qcow2 file of 4 MiB: 1 MiB of DATA at 1 MiB, compressed if asked. */
static char *
make_qcow2 (const void *data, const char *option)
{
  CLEANUP_FREE char *raw = path_of ("raw");
  char *path = path_of ("a b,c:d.qcow2"); /* a name QEMU could misread */

  if (!HAVE_NBD || !test_have ("qemu-img") || !test_have ("qemu-nbd"))
    skip ();
  write_file (raw, data, MIB, MIB);
  assert_int_equal (truncate (raw, 4 * MIB), 0);
  assert_int_equal (TEST_RUN ("qemu-img", "convert", "-f", "raw", "-O", "qcow2",
                              option, raw, path),
                    0);
  assert_int_equal (unlink (raw), 0);
  return path;
}

static void
assert_contents (struct v2v_image *img, const void *data)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE char *got = malloc (MIB);
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_image_size (img), 4 * MIB);
  assert_ok (v2v_image_extents (img, 4 * MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ZERO);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_DATA);
  assert_int_equal (list.ptr[1].offset, MIB);
  assert_int_equal (list.ptr[1].length, MIB);
  assert_int_equal (list.ptr[2].type, V2V_EXTENT_ZERO);
  assert_ok (v2v_image_read (img, got, MIB, MIB, &err), err);
  assert_memory_equal (got, data, MIB);
}

static void
test_contents_are_read_and_nothing_is_left (void **vs)
{
  CLEANUP_FREE char *data = malloc (MIB), *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct dirent *d;
  DIR *dir;

  (void) vs;
  test_random (data, MIB, 1);
  path = make_qcow2 (data, "-q");
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_string_equal (v2v_image_get_info (img)->format, "qcow2");
  assert_int_equal (v2v_image_get_info (img)->block_bytes, 64 * KIB);
  assert_contents (img, data);

  /* the socket's name is gone already */
  dir = opendir (tmp);
  while ((d = readdir (dir)) != NULL)
    assert_null (strstr (d->d_name, "v2v-nbd"));
  closedir (dir);

  v2v_image_close (img);
  assert_int_equal (waitpid (-1, NULL, WNOHANG), -1);
  assert_int_equal (errno, ECHILD);
}

static void
test_compressed_clusters_are_read (void **vs)
{
  CLEANUP_FREE char *data = calloc (1, MIB), *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) vs;
  for (size_t i = 0; i < MIB; i += 4 * KIB)
    memcpy (data + i, "compressible", 12);
  path = make_qcow2 (data, "-c");
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_contents (img, data);
  v2v_image_close (img);
}

static void
test_image_inside_another_file_is_read_in_place (void **vs)
{
  CLEANUP_FREE char *data = malloc (MIB), *path = NULL, *whole = NULL;
  CLEANUP_FREE char *qcow2 = NULL, *outer = path_of ("outer.tar");
  struct v2v_error *err = NULL;
  struct v2v_io *file, *window;
  struct v2v_image *img;
  size_t len;

  (void) vs;
  test_random (data, MIB, 2);
  path = make_qcow2 (data, "-q");
  qcow2 = test_read_file (path, &len);
  whole = calloc (1, len + 1024);
  memcpy (whole + 512, qcow2, len);
  write_file (outer, whole, len + 1024, 0);
  file = v2v_io_open (outer, 0, &err);
  assert_ptr (file, err);
  window = v2v_io_window (file, "disk.qcow2", 512, len, &err);
  assert_ptr (window, err);
  img = v2v_image_open_io (window, NULL, &err);
  assert_ptr (img, err);
  assert_contents (img, data);
  v2v_image_close (img);
  v2v_io_unref (window);
  v2v_io_unref (file);
}

static void
test_forced_backing_file_is_found_beside_it (void **vs)
{
  const struct v2v_open_opts force = { .force = true };
  CLEANUP_FREE char *data = malloc (MIB), *base = NULL;
  CLEANUP_FREE char *top = path_of ("top.qcow2");
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) vs;
  test_random (data, MIB, 3);
  base = make_qcow2 (data, "-q");
  assert_int_equal (TEST_RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-b",
                              "./a b,c:d.qcow2", "-F", "qcow2", top),
                    0);
  assert_null (v2v_image_open (top, NULL, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "names a backing file");
  img = v2v_image_open (top, &force, &err);
  assert_ptr (img, err);
  assert_contents (img, data);
  v2v_image_close (img);
}

static void
test_what_qemu_complains_of_is_told (void **vs)
{
  CLEANUP_FREE char *path = path_of ("broken.qcow2");
  struct v2v_error *err = NULL;
  uint8_t h[HEADER_BYTES];

  (void) vs;
  if (!HAVE_NBD || !test_have ("qemu-nbd"))
    skip ();
  make_header (h);
  v2v_put_be32 (h + 36, UINT32_MAX); /* L1 entries */
  write_file (path, h, sizeof h, 0);
  assert_null (v2v_image_open (path, NULL, &err));
  assert_non_null (v2v_error_hint (err));
  assert_non_null (strstr (v2v_error_hint (err), "qemu-nbd: "));
  assert_error (&err, V2V_ERR_IO, "broken.qcow2: qemu-nbd: connecting");
}

static void
test_missing_qemu_nbd_is_told (void **vs)
{
  CLEANUP_FREE char *path = path_of ("disk.qcow2");
  CLEANUP_FREE char *old = strdup (getenv ("PATH"));
  struct v2v_error *err = NULL;
  uint8_t h[HEADER_BYTES];

  (void) vs;
  if (!HAVE_NBD)
    skip ();
  make_header (h);
  write_file (path, h, sizeof h, 0);
  setenv ("PATH", tmp, 1);
  assert_null (v2v_image_open (path, NULL, &err));
  setenv ("PATH", old, 1);
  assert_non_null (strstr (v2v_error_hint (err), "qemu-utils"));
  assert_error (&err, V2V_ERR_IO, "qemu-nbd");
}

/* The number of the only child of PID, or 0. */
static pid_t
child_of (pid_t pid)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_FCLOSE FILE *fp = NULL;
  int child = 0;

  assert_int_not_equal (
      asprintf (&path, "/proc/%d/task/%d/children", (int) pid, (int) pid), -1);
  fp = fopen (path, "r");
  if (fp == NULL)
    skip (); /* a kernel without CONFIG_PROC_CHILDREN */
  return fscanf (fp, "%d", &child) == 1 ? child : 0;
}

/* Gone, or a zombie that nobody has waited for yet: those have no program. */
static bool
is_running (pid_t pid)
{
  CLEANUP_FREE char *path = NULL;
  char target[16];

  assert_int_not_equal (asprintf (&path, "/proc/%d/exe", (int) pid), -1);
  return readlink (path, target, sizeof target) != -1;
}

static void
test_server_ends_when_we_are_killed (void **vs)
{
  CLEANUP_FREE char *data = calloc (1, MIB), *path = NULL;
  int ready[2];
  pid_t pid, server = 0;
  char c;

  (void) vs;
  data[0] = 1;
  path = make_qcow2 (data, "-q");
  assert_int_equal (pipe (ready), 0);
  pid = fork ();
  assert_int_not_equal (pid, -1);
  if (pid == 0) {
    struct v2v_image *img = v2v_image_open (path, NULL, NULL);

    if (img == NULL || write (ready[1], "r", 1) != 1)
      _exit (1);
    for (;;)
      pause ();
  }
  close (ready[1]);
  assert_int_equal (read (ready[0], &c, 1), 1);
  close (ready[0]);
  server = child_of (pid);
  assert_int_not_equal (server, 0);
  assert_true (is_running (server));
  test_stop (pid); /* SIGKILL: no cleanup of ours runs */
  for (int i = 0; i < 250 && is_running (server); ++i)
    test_sleep_ms (20);
  assert_false (is_running (server));
}

#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_valid_header_gets_as_far_as_the_server),
    cmocka_unit_test (test_backing_file_is_refused),
    cmocka_unit_test (test_external_data_file_is_refused),
    cmocka_unit_test (test_encryption_is_refused),
    cmocka_unit_test (test_unknown_features_are_refused),
    cmocka_unit_test (test_bounds_of_the_header),
    cmocka_unit_test (test_bounds_of_the_header_length),
    cmocka_unit_test (test_extension_past_its_cluster_is_refused),
    TEST (test_contents_are_read_and_nothing_is_left),
    TEST (test_compressed_clusters_are_read),
    TEST (test_image_inside_another_file_is_read_in_place),
    TEST (test_forced_backing_file_is_found_beside_it),
    TEST (test_what_qemu_complains_of_is_told),
    TEST (test_missing_qemu_nbd_is_told),
    TEST (test_server_ends_when_we_are_killed),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
