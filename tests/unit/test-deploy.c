/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines out of templates: names among processes, what is found again, what
 * is refused.  (tests/e2e/test-vm-deploy.sh has the same from outside.)  Built
 * twice, for SQLite and (LIBRARY_POSTGRES) for a real PostgreSQL server.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "deploy-util.h"
#include "library/library-internal.h"

static bool skipped; /* there is no server */

static struct v2v_library *
begin (const char *dir)
{
  if (skipped) {
    test_tmpdir_remove ((char *) (uintptr_t) dir);
    skip ();
  }
  return deploy_test_new (dir);
}

static void
test_eight_processes_get_ninety_six_different_names (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = begin (dir);
  pid_t pids[8];

  (void) state;
  v2v_library_close (lib);
  for (size_t i = 0; i < 8; ++i) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0) {
      struct v2v_deploy_result r[12];
      struct v2v_error *err = NULL;
      size_t n = 0;

      lib = library_test_open (dir);
      /* Nobody is told of a name that somebody else has taken meanwhile. */
      if (deploy_test_make (lib, dir, 12, r, &n, &err) == 0 && n == 12)
        _exit (0);
      print_error ("%zu machines: %s\n", n, v2v_error_message (err));
      _exit (1);
    }
  }
  for (size_t i = 0; i < 8; ++i) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
  }
  lib = library_test_open (dir);
  assert_int_equal (deploy_test_count (lib, "made"), 96);
  assert_int_equal (deploy_test_rows (lib, "computer_name"), 96);
  assert_int_equal (deploy_test_entries (dir, "out"), 96);
  library_test_is_whole (lib, dir);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

static void
test_a_machine_is_found_by_id_name_and_computer_name (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = begin (dir);
  struct v2v_deploy_result r[2];
  struct v2v_error *err = NULL;
  CLEANUP_OBJECTS struct v2v_objects bases = { 0 };
  char begin[9];
  size_t n;

  (void) state;
  assert_ok (deploy_test_make (lib, dir, 2, r, &n, &err), err);
  snprintf (begin, sizeof begin, "%s", r[1].id);
  {
    const char *const refs[] = { r[1].id, begin, "web-02", "WEB-02" };

    for (size_t i = 0; i < V2V_ARRAY_SIZE (refs); ++i) {
      CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };

      assert_ok (v2v_deployed_find (lib, refs[i], &m, &err), err);
      assert_string_equal (m.id, r[1].id);
      assert_string_equal (m.state, "made");
      assert_string_equal (
          v2v_json_get_string (v2v_json_get (m.provenance, "settings"),
                               "address"),
          "192.0.2.@ORDINAL+10@/24");
    }
  }
  assert_ok (v2v_deployed_bases (lib, r[0].id, &bases, &err), err);
  assert_int_equal (bases.len, 1);
  assert_string_equal (bases.ptr[0].name, "base");
  {
    CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };

    assert_int_equal (v2v_deployed_find (lib, "web-99", &m, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "no machine");
  }
  for (size_t i = 0; i < n; ++i)
    v2v_deploy_result_clear (&r[i]);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

/* A folder that somebody has put where the machine's was is not ours. */
static void
test_only_a_folder_with_the_id_of_the_machine_is_removed (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = begin (dir);
  struct v2v_deploy_result r;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *ours = NULL, *away = NULL, *file = NULL;
  size_t n;

  (void) state;
  assert_ok (deploy_test_make (lib, dir, 1, &r, &n, &err), err);
  ours = library_test_path (dir, "out/web-01");
  away = library_test_path (dir, "out/elsewhere");
  assert_int_equal (rename (ours, away), 0);
  assert_int_equal (mkdir (ours, 0777), 0);
  file = library_test_file (ours, "web-01.json", "{}");
  assert_ok (v2v_deployed_remove (lib, r.id, true, &err), err);
  assert_int_equal (access (file, F_OK), 0);
  assert_int_equal (deploy_test_count (lib, NULL), 0);
  v2v_deploy_result_clear (&r);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

/* Names of all, or of none: the pattern has 99. */
static void
test_more_machines_than_names_take_none (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = begin (dir);
  struct v2v_deploy_result r[100];
  struct v2v_error *err = NULL;
  size_t n = 1;

  (void) state;
  assert_int_equal (deploy_test_make (lib, dir, 100, r, &n, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "all of its 99 names are taken");
  assert_int_equal (n, 0);
  assert_int_equal (deploy_test_rows (lib, "computer_name"), 0);
  assert_int_equal (deploy_test_entries (dir, "out"), 0);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

/* The row of a dead process on a folder whose disk is not there now stays. */
static void
test_a_machine_on_a_disk_that_is_away_is_left_for_later (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = begin (dir);
  struct v2v_deploy_result r;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *out = NULL, *away = NULL;
  size_t n;

  (void) state;
  assert_ok (deploy_test_make (lib, dir, 1, &r, &n, &err), err);
  assert_ok (v2v_catalogue_exec (lib->cat,
                                 "UPDATE machine SET state = 'planned', "
                                 "owner_pid = 0, owner_started = 1",
                                 &err),
             err);
  v2v_library_close (lib);
  out = library_test_path (dir, "out");
  away = library_test_path (dir, "away");
  assert_int_equal (rename (out, away), 0);
  lib = library_test_open (dir);
  assert_int_equal (deploy_test_count (lib, "planned"), 1);
  v2v_library_close (lib);
  assert_int_equal (rename (away, out), 0);
  lib = library_test_open (dir);
  assert_int_equal (deploy_test_count (lib, "made"), 1);
  v2v_deploy_result_clear (&r);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

static int
set_up (void **state)
{
  (void) state;
#ifdef LIBRARY_POSTGRES
  skipped = !library_test_start_postgres ();
#endif
  library_test_use_memory ();
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  library_test_stop_postgres ();
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_eight_processes_get_ninety_six_different_names),
    cmocka_unit_test (test_a_machine_is_found_by_id_name_and_computer_name),
    cmocka_unit_test (test_only_a_folder_with_the_id_of_the_machine_is_removed),
    cmocka_unit_test (test_more_machines_than_names_take_none),
    cmocka_unit_test (test_a_machine_on_a_disk_that_is_away_is_left_for_later),
  };

  return cmocka_run_group_tests (tests, set_up, tear_down);
}
