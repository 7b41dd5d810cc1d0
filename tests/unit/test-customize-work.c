/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks, folder and mark of v2v customize, on constructed raw disks. */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test-util.h"

#include "formats/image.h"
#include "convert/customize-work.h"

static const char *const names[] = { "A.raw", "B.raw" };

static void
put (const char *path, const char *text)
{
  FILE *fp = fopen (path, "w");

  assert_non_null (fp);
  fputs (text, fp);
  assert_int_equal (fclose (fp), 0);
}

/* Two disks, locked, with their overlays: all but the mark. */
static void
begin (struct customize_work *w)
{
  struct v2v_image *images[2];
  struct v2v_error *err = NULL;

  assert_ok (customize_work_lock (w, names, 2, true, &err), err);
  for (size_t i = 0; i < 2; ++i) {
    images[i] = v2v_image_open (names[i], NULL, &err);
    assert_ok (images[i] == NULL ? -1 : 0, err);
  }
  assert_ok (customize_work_identify (w, images, &err), err);
  for (size_t i = 0; i < 2; ++i)
    v2v_image_close (images[i]);
  assert_ok (customize_work_make (w, w->disks[0].path, &err), err);
  put ("A.raw.v2v-customize/disk1.qcow2", "one");
  put ("A.raw.v2v-customize/disk2.qcow2", "two");
}

static int
setup (void **state)
{
  static char folder[64];

  snprintf (folder, sizeof folder, "/tmp/v2v-work-XXXXXX");
  assert_non_null (mkdtemp (folder));
  assert_int_equal (chdir (folder), 0);
  for (size_t i = 0; i < 2; ++i) {
    put (names[i], "");
    assert_int_equal (truncate (names[i], 1024 * 1024), 0);
  }
  *state = folder;
  return 0;
}

static int
teardown (void **state)
{
  unlink ("A.raw");
  unlink ("B.raw");
  unlink ("old");
  assert_int_equal (chdir ("/"), 0);
  /* Fails when anything else was left. */
  assert_int_equal (rmdir (*state), 0);
  return 0;
}

static void
test_a_second_run_on_one_of_the_disks_is_refused (void **state)
{
  struct customize_work w = { 0 }, second = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (customize_work_lock (&w, names, 2, true, &err), err);
  assert_int_equal (customize_work_lock (&second, names + 1, 1, false, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "another run");
  customize_work_clear (&second);
  customize_work_clear (&w);
  assert_ok (customize_work_lock (&second, names + 1, 1, true, &err), err);
  customize_work_clear (&second);
}

static void
test_a_disk_changed_meanwhile_is_noticed (void **state)
{
  struct customize_work w = { 0 };
  struct v2v_error *err = NULL;
  const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                     { .tv_sec = 1000000 } };

  (void) state;
  begin (&w);
  assert_ok (customize_work_unchanged (&w, &err), err);
  assert_int_equal (utimensat (AT_FDCWD, "B.raw", times, 0), 0);
  assert_int_equal (customize_work_unchanged (&w, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "B.raw: it was changed by others");
  assert_ok (customize_work_remove (&w, &err), err);
  customize_work_clear (&w);
}

static void
test_a_disk_replaced_meanwhile_is_noticed (void **state)
{
  struct customize_work w = { 0 };
  struct v2v_error *err = NULL;
  struct timespec times[2];
  struct stat st;

  (void) state;
  begin (&w);
  assert_int_equal (stat ("A.raw", &st), 0);
  times[0] = st.st_atim;
  times[1] = st.st_mtim;
  assert_int_equal (rename ("A.raw", "old"), 0);
  put ("A.raw", "");
  assert_int_equal (truncate ("A.raw", 1024 * 1024), 0);
  assert_int_equal (utimensat (AT_FDCWD, "A.raw", times, 0), 0);
  assert_int_equal (customize_work_unchanged (&w, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "A.raw: it was changed by others");
  assert_ok (customize_work_remove (&w, &err), err);
  customize_work_clear (&w);
}

static void
test_a_marked_run_is_found_from_each_disk_and_resumed (void **state)
{
  struct customize_work w = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  begin (&w);
  assert_ok (customize_work_mark (&w, &err), err);
  customize_work_clear (&w); /* killed */
  for (size_t i = 0; i < 2; ++i) {
    assert_ok (customize_work_lock (&w, names + i, 1, true, &err), err);
    assert_int_equal (customize_work_check (&w, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "interrupted");
    customize_work_clear (&w);
  }
  assert_ok (customize_work_lock (&w, names, 2, true, &err), err);
  w.disks[0].size_bytes = w.disks[1].size_bytes = 1024 * 1024;
  w.disks[1].size_bytes += 512;
  assert_int_equal (customize_work_resume (&w, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "B.raw: not the disk");
  w.disks[1].size_bytes -= 512;
  free (w.folder);
  w.folder = NULL;
  assert_ok (customize_work_resume (&w, &err), err);
  assert_ok (customize_work_remove (&w, &err), err);
  assert_ok (customize_work_check (&w, &err), err);
  customize_work_clear (&w);
}

static void
test_the_mark_goes_before_the_overlays (void **state)
{
  struct customize_work w = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  begin (&w);
  assert_ok (customize_work_mark (&w, &err), err);
  /* An overlay that cannot be removed stops it half way. */
  assert_int_equal (unlink ("A.raw.v2v-customize/disk1.qcow2"), 0);
  assert_int_equal (mkdir ("A.raw.v2v-customize/disk1.qcow2", 0700), 0);
  assert_int_equal (customize_work_remove (&w, &err), -1);
  assert_error (&err, V2V_ERR_IO, "disk1.qcow2");
  assert_int_equal (access ("A.raw.v2v-customize/complete", F_OK), -1);
  assert_int_equal (access ("A.raw.v2v-customize/disk2.qcow2", F_OK), 0);
  assert_ok (customize_work_check (&w, &err), err);
  assert_int_equal (rmdir ("A.raw.v2v-customize/disk1.qcow2"), 0);
  assert_ok (customize_work_remove (&w, &err), err);
  customize_work_clear (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (
        test_a_second_run_on_one_of_the_disks_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown (test_a_disk_changed_meanwhile_is_noticed,
                                     setup, teardown),
    cmocka_unit_test_setup_teardown (test_a_disk_replaced_meanwhile_is_noticed,
                                     setup, teardown),
    cmocka_unit_test_setup_teardown (
        test_a_marked_run_is_found_from_each_disk_and_resumed, setup, teardown),
    cmocka_unit_test_setup_teardown (test_the_mark_goes_before_the_overlays,
                                     setup, teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
