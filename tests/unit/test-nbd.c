/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbd.c against real servers: nbdkit for every odd behaviour a server may
 * have, qemu-nbd for allocation depth.
 */

#include <config.h>

#include <pthread.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/nbd-internal.h"
#include "test-util.h"
#include "test-command.h"

#define KIB 1024
#define MIB (1024 * 1024)

#ifdef HAVE_LIBNBD
#define NEEDS_LIBNBD()
#else
#define NEEDS_LIBNBD() skip ()
#endif

struct state {
  char *dir;
  char *socket;
  char *uri;
  char *pid_file; /* written when the server listens */
  char *tmpdir;   /* the environment's, or NULL */
  pid_t server;
};

static int
setup (void **vs)
{
  struct state *s = calloc (1, sizeof *s);

  *vs = s;
  if (s == NULL)
    return -1;
  s->tmpdir = getenv ("TMPDIR") ? strdup (getenv ("TMPDIR")) : NULL;
  s->dir = test_tmpdir ();
  /* Of nbdkit-eval-plugin(1), whose folder stays when it is killed. */
  if (setenv ("TMPDIR", s->dir, 1) == -1)
    return -1;
  return asprintf (&s->socket, "%s/socket", s->dir) == -1 ||
                 asprintf (&s->pid_file, "%s/pid", s->dir) == -1 ||
                 asprintf (&s->uri, "nbd+unix:///?socket=%s", s->socket) == -1
             ? -1
             : 0;
}

static int
teardown (void **vs)
{
  struct state *s = *vs;

  test_stop (s->server);
  if (s->tmpdir != NULL)
    setenv ("TMPDIR", s->tmpdir, 1);
  else
    unsetenv ("TMPDIR");
  free (s->tmpdir);
  test_tmpdir_remove (s->dir);
  free (s->socket);
  free (s->pid_file);
  free (s->uri);
  free (s);
  return 0;
}

/* Start nbdkit with these further arguments; skips the test without it. */
#define NBDKIT(s, ...)                                                         \
  start_server (s, (const char *const[]){ "nbdkit", "--foreground", "--unix",  \
                                          (s)->socket, "--pidfile",            \
                                          (s)->pid_file, __VA_ARGS__, NULL })

static void
start_server (struct state *s, const char *const *argv)
{
  NEEDS_LIBNBD ();
  if (!test_have (argv[0]))
    skip ();
  unlink (s->socket); /* of an earlier one */
  unlink (s->pid_file);
  s->server = test_start (argv);
  assert_int_not_equal (s->server, -1);
  assert_true (test_wait_for_file (s->pid_file));
}

static struct v2v_image *
open_disk (struct state *s)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (s->uri, NULL, &err);

  assert_ptr (img, err);
  return img;
}

static char *
make_file (struct state *s, const char *name, const void *data, size_t len,
           long offset, long size)
{
  char *path = NULL;
  FILE *fp;

  assert_int_not_equal (asprintf (&path, "%s/%s", s->dir, name), -1);
  fp = fopen (path, "w");
  assert_non_null (fp);
  assert_int_equal (fseek (fp, offset, SEEK_SET), 0);
  assert_int_equal (fwrite (data, 1, len, fp), len);
  assert_int_equal (fclose (fp), 0);
  assert_int_equal (truncate (path, size), 0);
  return path;
}

static void
assert_extent (const struct v2v_extents *list, size_t i, uint64_t offset,
               uint64_t length, enum v2v_extent_type type)
{
  assert_in_range (i, 0, list->len - 1);
  assert_int_equal (list->ptr[i].offset, offset);
  assert_int_equal (list->ptr[i].length, length);
  assert_int_equal (list->ptr[i].type, type);
}

/* ---- contents ---- */

static void
test_contents_and_holes_of_a_file_are_seen (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE char *data = malloc (MIB), *got = malloc (MIB);
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  test_random (data, MIB, 1);
  path = make_file (s, "disk", data, MIB, MIB, 4 * MIB);
  NBDKIT (s, "--readonly", "file", path);
  img = open_disk (s);
  assert_int_equal (v2v_image_size (img), 4 * MIB);
  assert_string_equal (v2v_image_get_info (img)->format, "nbd");
  assert_true (v2v_image_parallel_read (img));
  assert_ok (v2v_image_extents (img, 4 * MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_extent (&list, 0, 0, MIB, V2V_EXTENT_ZERO);
  assert_extent (&list, 1, MIB, MIB, V2V_EXTENT_DATA);
  assert_extent (&list, 2, 2 * MIB, 2 * MIB, V2V_EXTENT_ZERO);
  assert_ok (v2v_image_read (img, got, MIB, MIB, &err), err);
  assert_memory_equal (got, data, MIB);
  assert_ok (v2v_image_read (img, got, 1000, MIB + 333, &err), err);
  assert_memory_equal (got, data + 333, 1000);
  v2v_image_close (img);
}

static void
test_size_off_a_sector_is_rounded_up_with_zeros (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE char *path = NULL;
  char data[700], got[1024], zeros[324] = { 0 };
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  test_random (data, sizeof data, 2);
  path = make_file (s, "disk", data, sizeof data, 0, sizeof data);
  NBDKIT (s, "file", path);
  img = open_disk (s);
  assert_int_equal (v2v_image_size (img), 1024);
  memset (got, 'x', sizeof got);
  assert_ok (v2v_image_read (img, got, sizeof got, 0, &err), err);
  assert_memory_equal (got, data, sizeof data);
  assert_memory_equal (got + 700, zeros, sizeof zeros);
  assert_ok (v2v_image_extents (img, 1024, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_extent (&list, 0, 0, 1024, V2V_EXTENT_DATA);
  v2v_image_close (img);
}

static void
test_server_without_extents_is_all_data (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  NBDKIT (s, "--no-sr", "memory", "1M");
  img = open_disk (s);
  assert_ok (v2v_image_extents (img, MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_extent (&list, 0, 0, MIB, V2V_EXTENT_DATA);
  v2v_image_close (img);
}

/* ---- extents of odd servers ---- */

static void
test_extents_off_a_sector_become_data_there (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  /* zeros to 700; data to 1100, within two sectors; zeros to 5000 */
  NBDKIT (s, "eval", "get_size=echo 8192",
          "pread=dd if=/dev/zero bs=$3 count=1 status=none",
          "can_extents=exit 0",
          "extents=echo 0 700 hole,zero; echo 700 400; "
          "echo 1100 3900 zero; echo 5000 3192");
  img = open_disk (s);
  assert_ok (v2v_image_extents (img, 8192, 0, &list, &err), err);
  assert_int_equal (list.len, 4);
  assert_extent (&list, 0, 0, 512, V2V_EXTENT_ZERO);
  assert_extent (&list, 1, 512, 1024, V2V_EXTENT_DATA);
  assert_extent (&list, 2, 1536, 4608 - 1536, V2V_EXTENT_ZERO);
  assert_extent (&list, 3, 4608, 8192 - 4608, V2V_EXTENT_DATA);
  v2v_image_close (img);
}

static void
test_hole_without_zero_is_data (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  NBDKIT (s, "eval", "get_size=echo 8192",
          "pread=dd if=/dev/zero bs=$3 count=1 status=none",
          "can_extents=exit 0", "extents=echo 0 4096 hole; echo 4096 4096");
  img = open_disk (s);
  assert_ok (v2v_image_extents (img, 8192, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_extent (&list, 0, 0, 8192, V2V_EXTENT_DATA);
  v2v_image_close (img);
}

static void
test_one_extent_per_reply_is_asked_on (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  /* each reply tells only of 4 KiB from where it is asked */
  NBDKIT (s, "eval", "get_size=echo 65536",
          "pread=dd if=/dev/zero bs=$3 count=1 status=none",
          "can_extents=exit 0",
          "extents=if [ $(($4 / 4096 % 2)) = 0 ]; then t=hole,zero; "
          "else t=; fi; echo $4 4096 $t");
  img = open_disk (s);
  assert_ok (v2v_image_extents (img, 65536, 0, &list, &err), err);
  assert_int_equal (list.len, 16);
  for (size_t i = 0; i < 16; ++i)
    assert_extent (&list, i, i * 4096, 4096,
                   i % 2 ? V2V_EXTENT_DATA : V2V_EXTENT_ZERO);
  v2v_image_close (img);
}

/* ---- block sizes ---- */

static void
test_large_smallest_block_is_respected (void **vs)
{
  struct state *s = *vs;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE char *data = malloc (64 * KIB), *path = NULL;
  char got[2000], more[20000];
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  test_random (data, 64 * KIB, 3);
  path = make_file (s, "disk", data, 64 * KIB, 0, 64 * KIB);
  NBDKIT (s, "--filter=blocksize-policy", "file", path,
          "blocksize-minimum=4096", "blocksize-preferred=4096",
          "blocksize-maximum=8192", "blocksize-error-policy=error");
  img = open_disk (s);
  assert_ok (v2v_image_read (img, got, sizeof got, 3000, &err), err);
  assert_memory_equal (got, data + 3000, sizeof got);
  assert_ok (v2v_image_read (img, more, sizeof more, 3000, &err), err);
  assert_memory_equal (more, data + 3000, sizeof more);
  assert_ok (v2v_image_extents (img, 1024, 4608, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_extent (&list, 0, 4608, 1024, V2V_EXTENT_DATA);
  v2v_image_close (img);
}

static void
test_requests_larger_than_the_server_takes_are_split (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *data = malloc (MIB), *got = malloc (MIB), *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  test_random (data, MIB, 4);
  path = make_file (s, "disk", data, MIB, 0, MIB);
  NBDKIT (s, "--filter=blocksize-policy", "file", path, "blocksize-minimum=1",
          "blocksize-preferred=65536", "blocksize-maximum=65536",
          "blocksize-error-policy=error");
  img = open_disk (s);
  assert_ok (v2v_image_read (img, got, MIB - 100, 50, &err), err);
  assert_memory_equal (got, data + 50, MIB - 100);
  v2v_image_close (img);
}

/* ---- failures ---- */

static void
test_error_of_the_server_leaves_the_connection_usable (void **vs)
{
  struct state *s = *vs;
  char buf[512];
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  NBDKIT (s, "eval", "get_size=echo 8192",
          "pread=if [ $4 -ge 4096 ]; then echo EIO bad >&2; exit 1; fi; "
          "dd if=/dev/zero bs=$3 count=1 status=none");
  img = open_disk (s);
  assert_int_equal (v2v_image_read (img, buf, 512, 4096, &err), -1);
  assert_error (&err, V2V_ERR_IO, "512 bytes at 4096: reading: ");
  assert_ok (v2v_image_read (img, buf, 512, 0, &err), err);
  v2v_image_close (img);
}

static void
test_server_that_died_is_an_error (void **vs)
{
  struct state *s = *vs;
  char buf[512];
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  NBDKIT (s, "memory", "1M");
  img = open_disk (s);
  test_stop (s->server);
  s->server = 0;
  assert_int_equal (v2v_image_read (img, buf, 512, 0, &err), -1);
  assert_error (&err, V2V_ERR_IO, s->uri);
  v2v_image_close (img);
}

static void
test_connection_that_broke_is_made_again (void **vs)
{
  struct state *s = *vs;
  char buf[512];
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  NBDKIT (s, "memory", "1M");
  img = open_disk (s);
  test_stop (s->server);
  NBDKIT (s, "memory", "1M");
  assert_ok (v2v_image_read (img, buf, 512, 0, &err), err);

  /* another disk in its place is not taken for the same */
  test_stop (s->server);
  NBDKIT (s, "memory", "2M");
  assert_int_equal (v2v_image_read (img, buf, 512, 0, &err), -1);
  assert_error (&err, V2V_ERR_IO, "changed its size to 2097152");
  v2v_image_close (img);
}

static void
test_silent_server_is_given_up (void **vs)
{
  struct state *s = *vs;
  char buf[512];
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  const int usual = v2v_nbd_silence_ms;

  NBDKIT (s, "eval", "get_size=echo 8192", "pread=sleep 3; exit 1");
  img = open_disk (s);
  v2v_nbd_silence_ms = 200;
  assert_int_equal (v2v_image_read_depth (img, 0, buf, 512, 0, &err), -1);
  v2v_nbd_silence_ms = usual;
  assert_error (&err, V2V_ERR_IO, "silent for 200 ms");
  v2v_image_close (img);
}

static void
test_nobody_listening_is_an_error (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  NEEDS_LIBNBD ();
  assert_null (v2v_image_open (s->uri, NULL, &err));
  assert_error (&err, V2V_ERR_IO, "connecting");
}

static void
test_file_name_that_looks_like_a_scheme_is_a_file (void **vs)
{
  struct v2v_error *err = NULL;

  (void) vs;
  assert_null (v2v_image_open ("nbd:localhost:10809", NULL, &err));
  assert_error (&err, V2V_ERR_IO, "No such file");
}

/* ---- threads ---- */

static void *
read_some (void *vimg)
{
  char buf[512];

  for (uint64_t i = 0; i < 4; ++i)
    if (v2v_image_read_depth (vimg, 0, buf, sizeof buf, i * 512, NULL) == -1)
      return vimg;
  return NULL;
}

/* How many connections four threads have made. */
static long
connections_of_four_threads (struct state *s, const char *multi_conn)
{
  CLEANUP_FREE char *path = NULL, *open_script = NULL;
  struct v2v_image *img;
  pthread_t threads[4];
  struct stat st;

  assert_int_not_equal (asprintf (&path, "%s/connections", s->dir), -1);
  assert_int_not_equal (asprintf (&open_script, "open=echo >>%s", path), -1);
  NBDKIT (s, "eval", open_script, multi_conn, "get_size=echo 8192",
          "thread_model=echo parallel",
          "pread=sleep 0.1; dd if=/dev/zero bs=$3 count=1 status=none");
  img = open_disk (s);
  for (size_t i = 0; i < 4; ++i)
    assert_int_equal (pthread_create (&threads[i], NULL, read_some, img), 0);
  for (size_t i = 0; i < 4; ++i) {
    void *failed;

    assert_int_equal (pthread_join (threads[i], &failed), 0);
    assert_null (failed);
  }
  v2v_image_close (img);
  assert_int_equal (stat (path, &st), 0);
  return (long) st.st_size; /* a newline for each */
}

static void
test_threads_get_connections_of_their_own (void **vs)
{
  assert_in_range (connections_of_four_threads (*vs, "can_multi_conn=exit 0"),
                   2, 4);
}

static void
test_threads_share_when_the_server_wants_one (void **vs)
{
  assert_int_equal (connections_of_four_threads (*vs, "can_multi_conn=exit 3"),
                    1);
}

/* ---- overlays ---- */

/* A qcow2 overlay: 64 KiB changed at 1 MiB, 64 KiB zeroed at 2 MiB. */
static char *
make_overlay (struct state *s, const char *base)
{
  char *top = NULL;

  assert_int_not_equal (asprintf (&top, "%s/top.qcow2", s->dir), -1);
  assert_int_equal (TEST_RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-b",
                              base, "-F", "raw", top),
                    0);
  assert_int_equal (TEST_RUN ("qemu-io", "-f", "qcow2", "-c",
                              "write -P 0x5a 1M 64k", "-c", "write -z 2M 64k",
                              top),
                    0);
  return top;
}

static void
test_untouched_ranges_of_an_overlay_are_absent (void **vs)
{
  struct state *s = *vs;
  const struct v2v_open_opts opts = { .overlay = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE char *data = malloc (4 * MIB), *got = malloc (4 * MIB);
  CLEANUP_FREE char *base = NULL, *top = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  if (!test_have ("qemu-img") || !test_have ("qemu-nbd"))
    skip ();
  test_random (data, 4 * MIB, 5);
  base = make_file (s, "base", data, 4 * MIB, 0, 4 * MIB);
  top = make_overlay (s, base);
  start_server (s, (const char *const[]){
                       "qemu-nbd", "-r", "-t", "-A", "-f", "qcow2", "-k",
                       s->socket, "--pid-file", s->pid_file, top, NULL });
  img = v2v_image_open (s->uri, &opts, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_extents (img, 4 * MIB, 0, &list, &err), err);
  assert_int_equal (list.len, 5);
  assert_extent (&list, 0, 0, MIB, V2V_EXTENT_ABSENT);
  assert_extent (&list, 1, MIB, 64 * KIB, V2V_EXTENT_DATA);
  assert_extent (&list, 2, MIB + 64 * KIB, MIB - 64 * KIB, V2V_EXTENT_ABSENT);
  assert_extent (&list, 3, 2 * MIB, 64 * KIB, V2V_EXTENT_ZERO);
  assert_extent (&list, 4, 2 * MIB + 64 * KIB, 2 * MIB - 64 * KIB,
                 V2V_EXTENT_ABSENT);

  /* laid over the base, as the guest stage does */
  {
    const struct v2v_open_opts raw = { .format = "raw" };
    struct v2v_image *below = v2v_image_open (base, &raw, &err);

    assert_ptr (below, err);
    assert_ok (v2v_image_set_base (img, below, &err), err);
  }
  memset (data + MIB, 0x5a, 64 * KIB);
  memset (data + 2 * MIB, 0, 64 * KIB);
  assert_ok (v2v_image_read (img, got, 4 * MIB, 0, &err), err);
  assert_memory_equal (got, data, 4 * MIB);
  v2v_image_close (img);

  /* without the option it is a disk like any other */
  img = open_disk (s);
  assert_ok (v2v_image_read (img, got, 4 * MIB, 0, &err), err);
  assert_memory_equal (got, data, 4 * MIB);
  v2v_image_close (img);
}

static void
test_overlay_needs_a_server_that_tells_depths (void **vs)
{
  struct state *s = *vs;
  const struct v2v_open_opts opts = { .overlay = true };
  struct v2v_error *err = NULL;

  NBDKIT (s, "memory", "1M");
  assert_null (v2v_image_open (s->uri, &opts, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "qemu:allocation-depth");
}

#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_contents_and_holes_of_a_file_are_seen),
    TEST (test_size_off_a_sector_is_rounded_up_with_zeros),
    TEST (test_server_without_extents_is_all_data),
    TEST (test_extents_off_a_sector_become_data_there),
    TEST (test_hole_without_zero_is_data),
    TEST (test_one_extent_per_reply_is_asked_on),
    TEST (test_large_smallest_block_is_respected),
    TEST (test_requests_larger_than_the_server_takes_are_split),
    TEST (test_error_of_the_server_leaves_the_connection_usable),
    TEST (test_server_that_died_is_an_error),
    TEST (test_connection_that_broke_is_made_again),
    TEST (test_silent_server_is_given_up),
    TEST (test_nobody_listening_is_an_error),
    TEST (test_threads_get_connections_of_their_own),
    TEST (test_threads_share_when_the_server_wants_one),
    TEST (test_untouched_ranges_of_an_overlay_are_absent),
    TEST (test_overlay_needs_a_server_that_tells_depths),
    TEST (test_file_name_that_looks_like_a_scheme_is_a_file),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
