/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a finished guest stage depends on: a run that is resumed takes its
 * result only when nothing of it has changed. */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/stage-state.h"
#include "test-util.h"

#define EXTENT_BYTES (1 << 20)

struct state {
  char *dir;
  char disk[200];
  char extents[2][200];
};

static void
write_file (const char *path, const char *text, off_t size)
{
  FILE *fp = fopen (path, "w");

  assert_non_null (fp);
  assert_true (fputs (text, fp) >= 0);
  assert_int_equal (fclose (fp), 0);
  if (size > 0)
    assert_int_equal (truncate (path, size), 0);
}

/* A disk in two flat pieces beside their descriptor. */
static int
setup (void **vs)
{
  struct state *s = calloc (1, sizeof *s);

  *vs = s;
  s->dir = test_tmpdir ();
  snprintf (s->disk, sizeof s->disk, "%s/g.vmdk", s->dir);
  write_file (s->disk,
              "# Disk DescriptorFile\n"
              "version=1\nCID=12345678\nparentCID=ffffffff\n"
              "createType=\"twoGbMaxExtentFlat\"\n"
              "RW 2048 FLAT \"g-f001.vmdk\" 0\n"
              "RW 2048 FLAT \"g-f002.vmdk\" 0\n"
              "ddb.adapterType = \"lsilogic\"\n",
              0);
  for (size_t i = 0; i < 2; ++i) {
    snprintf (s->extents[i], sizeof s->extents[i], "%s/g-f00%zu.vmdk", s->dir,
              i + 1);
    write_file (s->extents[i], "data", EXTENT_BYTES);
  }
  return 0;
}

static int
teardown (void **vs)
{
  struct state *s = *vs;

  test_tmpdir_remove (s->dir);
  free (s);
  return 0;
}

static char *
fingerprint (struct state *s, const struct v2v_convert_guest *c)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (s->disk, NULL, &err);
  const struct v2v_guest_job job = { .disks = &img, .nr_disks = 1 };
  char *f;

  assert_ptr (img, err);
  f = stage_fingerprint (&job, c, &err);
  assert_ptr (f, err);
  v2v_image_close (img);
  return f;
}

/* As if it was written SECONDS after 2020 began. */
static void
set_time (const char *path, time_t seconds)
{
  const struct timespec t = { .tv_sec = 1577836800 + seconds };

  assert_int_equal (
      utimensat (AT_FDCWD, path, (const struct timespec[]){ t, t }, 0), 0);
}

static void
test_each_file_of_a_disk_counts (void **vs)
{
  struct state *s = *vs;
  const struct v2v_convert_guest c = { .opts = { .generation = 1 } };
  const char *files[] = { s->disk, s->extents[0], s->extents[1] };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    set_time (files[i], 0);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *before = fingerprint (s, &c), *same = NULL;
    CLEANUP_FREE char *after = NULL;

    same = fingerprint (s, &c);
    assert_string_equal (before, same);
    set_time (files[i], 1);
    after = fingerprint (s, &c);
    assert_string_not_equal (before, after);
  }
}

static void
test_each_option_counts (void **vs)
{
  struct state *s = *vs;
  const char *const scripts[] = { s->disk, NULL };
  const struct v2v_guest_opts opts[] = {
    { .root = NULL },           { .root = "/dev/sda1" },
    { .initramfs = 1 },         { .serial_console = true },
    { .rootdelay_seconds = 1 }, { .keep_tools = true },
    { .allow_dirty = true },    { .allow_hibernated = true },
    { .fsck = true },           { .firstboot = scripts },
    { .drivers = scripts },
  };
  char *all[V2V_ARRAY_SIZE (opts)];

  for (size_t i = 0; i < V2V_ARRAY_SIZE (opts); ++i) {
    const struct v2v_convert_guest c = { .opts = opts[i] };

    all[i] = fingerprint (s, &c);
    for (size_t k = 0; k < i; ++k)
      assert_string_not_equal (all[i], all[k]);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (opts); ++i)
    free (all[i]);
}

static void
test_a_result_is_taken_back_only_for_the_same_source (void **vs)
{
  struct state *s = *vs;
  const struct v2v_convert_guest c = { .opts = { .generation = 1 } };
  const struct v2v_guest_job job = { .work_folder = s->dir };
  struct v2v_guest_result made = { .seconds = 1 }, got = { .seconds = 0 };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *then = NULL, *now = NULL;

  then = fingerprint (s, &c);
  assert_int_equal (stage_state_read (&job, then, &got, &err), 0);
  made.os = v2v_json_new_object ();
  v2v_json_set_string (made.os, "distro", "debian");
  assert_int_equal (v2v_findings_add (&made.findings, V2V_WARNING, "guest.x",
                                      "subject", NULL, "a message"),
                    0);
  assert_ok (stage_state_write (&job, then, &made, &err), err);
  assert_int_equal (stage_state_read (&job, then, &got, &err), 1);
  assert_true (got.resumed);
  assert_string_equal (v2v_json_get_string (got.os, "distro"), "debian");
  assert_int_equal (got.findings.len, 1);
  assert_string_equal (got.findings.ptr[0].message, "a message");
  assert_int_equal (got.findings.ptr[0].severity, V2V_WARNING);
  v2v_guest_result_clear (&got);

  set_time (s->extents[1], 77);
  now = fingerprint (s, &c);
  assert_int_equal (stage_state_read (&job, now, &got, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "another one now");
  v2v_guest_result_clear (&got);
  v2v_guest_result_clear (&made);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_each_file_of_a_disk_counts),
    TEST (test_each_option_counts),
    TEST (test_a_result_is_taken_back_only_for_the_same_source),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
