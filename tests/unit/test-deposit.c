/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The result folder: at once or not at all. */

#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "library/deposit.h"
#include "test-util.h"

static char *
path_in (const char *dir, const char *name)
{
  char *p = NULL;

  assert_true (asprintf (&p, "%s/%s", dir, name) != -1);
  return p;
}

static bool
is_there (const char *dir, const char *name)
{
  CLEANUP_FREE char *p = path_in (dir, name);

  return access (p, F_OK) == 0;
}

/* Everything in DIR, hidden files too. */
static unsigned
count_entries (const char *dir)
{
  CLEANUP_CLOSEDIR DIR *dp = opendir (dir);
  struct dirent *e;
  unsigned n = 0;

  assert_non_null (dp);
  while ((e = readdir (dp)) != NULL)
    n += strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0;
  return n;
}

static struct v2v_deposit *
begin (const char *dir, const char *name, bool resume)
{
  struct v2v_error *err = NULL;
  struct v2v_deposit *d = v2v_deposit_begin (dir, name, resume, &err);

  assert_ptr (d, err);
  return d;
}

static void
put (struct v2v_deposit *d, const char *file, const char *text)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_deposit_write (d, file, text, strlen (text), &err), err);
}

static void
test_nothing_is_seen_before_commit (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d = begin (dir, "web", false);
  struct v2v_error *err = NULL;

  (void) state;
  put (d, "a.json", "{}");
  assert_false (is_there (dir, "web"));
  assert_ok (v2v_deposit_commit (d, &err), err);
  assert_true (is_there (dir, "web/a.json"));
  v2v_deposit_close (d);
  assert_int_equal (count_entries (dir), 1);
  test_tmpdir_remove (dir);
}

static void
test_close_without_commit_leaves_nothing (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *sub = path_in (dir, "new/deep");
  struct v2v_deposit *d = begin (dir, "web", false);

  (void) state;
  put (d, "a.json", "{}");
  v2v_deposit_close (d);
  assert_int_equal (count_entries (dir), 0);

  d = begin (sub, "web", false); /* the folder it made goes too */
  put (d, "a.json", "{}");
  v2v_deposit_close (d);
  assert_false (is_there (dir, "new/deep"));
  test_tmpdir_remove (dir);
}

static void
test_clashes_are_numbered (void **state)
{
  static const char *const want[] = { "web", "web-2", "web-3" };
  char *dir = test_tmpdir ();

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (want); ++i) {
    struct v2v_deposit *d = begin (dir, "web", false);
    struct v2v_error *err = NULL;

    assert_string_equal (v2v_deposit_name (d), want[i]);
    assert_ok (v2v_deposit_commit (d, &err), err);
    v2v_deposit_close (d);
    assert_true (is_there (dir, want[i]));
  }
  test_tmpdir_remove (dir);
}

static void
test_a_name_taken_meanwhile_is_not_replaced (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *other = path_in (dir, "web");
  struct v2v_deposit *d = begin (dir, "web", false);
  struct v2v_error *err = NULL;

  (void) state;
  put (d, "ours", "");
  assert_int_equal (mkdir (other, 0777), 0); /* empty: rename would take it */
  assert_ok (v2v_deposit_commit (d, &err), err);
  assert_string_equal (v2v_deposit_name (d), "web-2");
  v2v_deposit_close (d);
  assert_int_equal (count_entries (other), 0);
  assert_true (is_there (dir, "web-2/ours"));
  test_tmpdir_remove (dir);
}

static void
test_two_runs_are_kept_apart (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d = begin (dir, "web", false);
  struct v2v_error *err = NULL;

  (void) state;
  put (d, "a", "x");
  for (int resume = 0; resume <= 1; ++resume) {
    assert_null (v2v_deposit_begin (dir, "web", resume, &err));
    assert_error (&err, V2V_ERR_USAGE, "another run");
  }
  assert_ok (v2v_deposit_commit (d, &err), err); /* and it was not disturbed */
  v2v_deposit_close (d);
  assert_true (is_there (dir, "web/a"));
  test_tmpdir_remove (dir);
}

/* What a killed run leaves: the folder, the lock file, no lock. */
static void
leave_unfinished (const char *dir)
{
  struct v2v_deposit *d = begin (dir, "web", false);

  put (d, "half", "x");
  v2v_deposit_keep (d);
  v2v_deposit_close (d);
}

static void
test_resume_finds_what_was_kept (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d;
  struct v2v_error *err = NULL;

  (void) state;
  leave_unfinished (dir);
  d = begin (dir, "web", true);
  put (d, "rest", "y");
  assert_ok (v2v_deposit_commit (d, &err), err);
  v2v_deposit_close (d);
  assert_true (is_there (dir, "web/half"));
  assert_true (is_there (dir, "web/rest"));
  assert_int_equal (count_entries (dir), 1);
  test_tmpdir_remove (dir);
}

static void
test_without_resume_a_stale_folder_is_emptied (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d;
  struct v2v_error *err = NULL;

  (void) state;
  leave_unfinished (dir);
  d = begin (dir, "web", false);
  assert_ok (v2v_deposit_commit (d, &err), err);
  v2v_deposit_close (d);
  assert_false (is_there (dir, "web/half"));
  test_tmpdir_remove (dir);
}

static void
test_a_strangers_folder_is_left_alone (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *part = path_in (dir, ".web.part");
  CLEANUP_FREE char *file = path_in (dir, ".web.part/precious");
  struct v2v_error *err = NULL;
  int fd;

  (void) state;
  assert_int_equal (mkdir (part, 0777), 0);
  fd = open (file, O_CREAT | O_WRONLY, 0600);
  assert_true (fd >= 0);
  close (fd);
  for (int i = 0; i < 2; ++i) { /* the refusal must not claim it either */
    assert_null (v2v_deposit_begin (dir, "web", false, &err));
    assert_error (&err, V2V_ERR_USAGE, "in the way");
    assert_true (is_there (dir, ".web.part/precious"));
  }
  test_tmpdir_remove (dir);
}

static void
test_a_link_in_place_of_the_working_folder_is_refused (void **state)
{
  char *dir = test_tmpdir (), *elsewhere = test_tmpdir ();
  CLEANUP_FREE char *part = path_in (dir, ".web.part");
  CLEANUP_FREE char *lock = path_in (dir, ".web.part.lock");
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (symlink (elsewhere, part), 0);
  assert_null (v2v_deposit_begin (dir, "web", false, &err));
  assert_error (&err, V2V_ERR_IO, ".web.part");
  assert_int_equal (unlink (part), 0);
  assert_int_equal (symlink ("/dev/null", lock), 0);
  assert_null (v2v_deposit_begin (dir, "web", false, &err));
  assert_error (&err, V2V_ERR_IO, "lock");
  test_tmpdir_remove (dir);
  test_tmpdir_remove (elsewhere);
}

static void
test_hostile_names_stay_in_the_folder (void **state)
{
  static const char *const names[] = { "../../etc", "/", "..", "a/b\\c\nd",
                                       "CON",       "",  "-rf" };
  char *dir = test_tmpdir ();

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    struct v2v_deposit *d = begin (dir, names[i], false);
    struct v2v_error *err = NULL;
    const char *name = v2v_deposit_name (d);

    assert_null (strpbrk (name, "/\\\n"));
    assert_true (name[0] != '.' && name[0] != '-' && name[0] != '\0');
    assert_ok (v2v_deposit_commit (d, &err), err);
    v2v_deposit_close (d);
    assert_int_equal (count_entries (dir), i + 1);
  }
  test_tmpdir_remove (dir);
}

static void
test_files_are_plain_names_only (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d = begin (dir, "web", false);
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (v2v_deposit_path (d, "../x", &err));
  assert_error (&err, V2V_ERR_FORMAT, "x");
  assert_int_equal (v2v_deposit_write (d, "a/b", "", 0, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "a/b");
  v2v_deposit_close (d);
  test_tmpdir_remove (dir);
}

static void
test_a_folder_that_cannot_be_made_is_one_error (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (v2v_deposit_begin ("/dev/null/x", "web", false, &err));
  assert_error (&err, V2V_ERR_IO, "/dev/null");
  assert_null (v2v_deposit_begin ("", "web", false, &err));
  assert_error (&err, V2V_ERR_USAGE, "no name");
}

static void
test_a_lock_of_a_killed_run_does_not_hold (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_deposit *d;
  struct v2v_error *err = NULL;
  int status;
  const pid_t pid = fork ();

  (void) state;
  if (pid == 0) {
    d = v2v_deposit_begin (dir, "web", false, NULL);
    if (d != NULL)
      v2v_deposit_write (d, "half", "x", 1, NULL);
    _exit (d ? 0 : 1); /* neither closed nor committed */
  }
  assert_true (waitpid (pid, &status, 0) == pid && status == 0);
  d = begin (dir, "web", true);
  assert_ok (v2v_deposit_commit (d, &err), err);
  v2v_deposit_close (d);
  assert_true (is_there (dir, "web/half"));
  test_tmpdir_remove (dir);
}

static void
test_a_private_file_is_its_owners_alone (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_error *err = NULL;
  struct v2v_deposit *d = begin (dir, "web", false);
  CLEANUP_FREE char *path = NULL;
  struct stat st;

  (void) state;
  /* A run that is resumed may find a file that all can read. */
  put (d, "report.json", "old");
  assert_ok (v2v_deposit_write_private (d, "report.json", "{}", 2, &err), err);
  path = v2v_deposit_path (d, "report.json", &err);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0600);
  v2v_deposit_close (d);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_nothing_is_seen_before_commit),
    cmocka_unit_test (test_close_without_commit_leaves_nothing),
    cmocka_unit_test (test_clashes_are_numbered),
    cmocka_unit_test (test_a_private_file_is_its_owners_alone),
    cmocka_unit_test (test_a_name_taken_meanwhile_is_not_replaced),
    cmocka_unit_test (test_two_runs_are_kept_apart),
    cmocka_unit_test (test_resume_finds_what_was_kept),
    cmocka_unit_test (test_without_resume_a_stale_folder_is_emptied),
    cmocka_unit_test (test_a_strangers_folder_is_left_alone),
    cmocka_unit_test (test_a_link_in_place_of_the_working_folder_is_refused),
    cmocka_unit_test (test_hostile_names_stay_in_the_folder),
    cmocka_unit_test (test_files_are_plain_names_only),
    cmocka_unit_test (test_a_folder_that_cannot_be_made_is_one_error),
    cmocka_unit_test (test_a_lock_of_a_killed_run_does_not_hold),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
