/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several processes at one library at once.  Nothing here looks at a clock but
 * the wait for a writer that hangs, which is made short.
 */

#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library/catalogue-internal.h"
#include "library/library-internal.h"
#include "library-tests.h"

#define NR_PROCESSES 6
#define NR_ROUNDS    6

/* ---- what each process does ---- */

static void
fail_with (struct v2v_error *err, const char *what)
{
  fprintf (stderr, "%s: %s\n", what, err ? v2v_error_message (err) : "?");
  _exit (1);
}

static char *
import_text (struct v2v_library *lib, const char *name, const char *text)
{
  const struct v2v_import_opts opts = { .kind = "script" };
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;

  if (v2v_library_import_text (lib, name, text, strlen (text), &opts, &r,
                               &err) == -1)
    fail_with (err, "import");
  return r.id;
}

static int
count_row (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  if (strlen (o->id) != 36)
    return v2v_fail (err, V2V_ERR_FORMAT, "half a row");
  ++*(unsigned *) arg;
  return 0;
}

/* In children too: no assertion of cmocka here. */
static unsigned
rows (struct v2v_library *lib, const struct v2v_library_filter *filter)
{
  struct v2v_error *err = NULL;
  unsigned n = 0;

  if (v2v_library_each (lib, filter, count_row, &n, &err) == -1)
    fail_with (err, "list");
  return n;
}

/* What is its own has the number of the process in it; what all bring has
 * not.  Every second of its own objects goes again. */
static void
work (const char *dir, int process)
{
  CLEANUP_FREE char *path = library_test_path (dir, "lib");
  struct v2v_error *err = NULL;

  for (int n = 0; n < NR_ROUNDS; ++n) {
    /* As a command does: open, work, close. */
    struct v2v_library *lib = v2v_library_open (path, &err);
    char text[64], owner[16];
    const struct v2v_library_set set = { .owner = owner, .add_tags = "many" };
    CLEANUP_FREE char *own = NULL, *all = NULL, *found = NULL;

    if (lib == NULL)
      fail_with (err, "open");
    snprintf (text, sizeof text, "own %d %d\n", process, n);
    own = import_text (lib, "own.sh", text);
    snprintf (text, sizeof text, "all %d\n", n);
    all = import_text (lib, "all.sh", text);
    snprintf (owner, sizeof owner, "p%d", process);
    if (v2v_library_set (lib, own, &set, &err) == -1 ||
        v2v_library_set (lib, all, &set, &err) == -1)
      fail_with (err, "set");
    if (v2v_library_relate (lib, own, "x", "", all, &err) == -1)
      fail_with (err, "relate");
    if (v2v_library_find (lib, own, &found, &err) == -1)
      fail_with (err, "find");
    if (rows (lib, NULL) < 2)
      _exit (2);
    if (n % 2 == 1 && v2v_library_remove (lib, own, false, &err) == -1)
      fail_with (err, "remove");
    v2v_library_close (lib);
  }
}

static void
test_processes_that_import_set_list_and_remove_lose_nothing (void **state)
{
  char *dir;
  struct v2v_library *lib;
  pid_t pids[NR_PROCESSES];

  (void) state;
  if (library_tests_skipped)
    skip ();
  dir = test_tmpdir ();
  lib = library_test_new (dir);
  v2v_library_close (lib);
  for (int i = 0; i < NR_PROCESSES; ++i) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0) {
      work (dir, i);
      _exit (0);
    }
  }
  for (int i = 0; i < NR_PROCESSES; ++i) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
  lib = library_test_open (dir);
  assert_int_equal (rows (lib, NULL), NR_PROCESSES * NR_ROUNDS / 2 + NR_ROUNDS);
  for (int i = 0; i < NR_PROCESSES; ++i) {
    char owner[16];

    snprintf (owner, sizeof owner, "p%d", i);
    assert_true (rows (lib, &(struct v2v_library_filter){ .owner = owner,
                                                          .tag = "many" }) >=
                 NR_ROUNDS / 2);
  }
  {
    CLEANUP_OBJECTS struct v2v_objects list = { 0 };
    struct v2v_error *err = NULL;
    unsigned users = 0;

    assert_ok (v2v_library_list (lib,
                                 &(struct v2v_library_filter){ .name = "al*" },
                                 &list, &err),
               err);
    assert_int_equal (list.len, NR_ROUNDS);
    for (size_t i = 0; i < list.len; ++i) {
      const unsigned n =
          count (lib, &(struct v2v_library_filter){ .needs = list.ptr[i].id });

      assert_true (n == 0 || n == NR_PROCESSES);
      users += n;
    }
    assert_int_equal (users, NR_PROCESSES * NR_ROUNDS / 2);
  }
  library_test_is_whole (lib, dir);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

static void
test_six_processes_import_at_once (void **state)
{
  struct world w = begin ();
  pid_t pids[6];

  (void) state;
  v2v_library_close (w.lib);
  for (int i = 0; i < 6; ++i) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] != 0)
      continue;
    {
      struct v2v_library *lib = library_test_open (w.dir);
      char name[16], text[16];

      /* All of one name in the share; the last two have one content. */
      snprintf (name, sizeof name, "f%d", i);
      snprintf (text, sizeof text, "%d", i < 4 ? i : 4);
      for (int n = 0; n < 3; ++n) {
        char content[40];
        CLEANUP_FREE char *path = NULL;
        const struct v2v_import_opts opts = { .set = { .name = "same" } };
        struct v2v_import_result r = { 0 };
        struct v2v_error *err = NULL;

        snprintf (content, sizeof content, "%s-%d", text, n);
        path = library_test_file (w.dir, name, content);
        if (v2v_library_import (lib, path, &opts, &r, &err) == -1)
          _exit (1);
        v2v_import_result_clear (&r);
      }
      v2v_library_close (lib);
      _exit (0);
    }
  }
  for (int i = 0; i < 6; ++i) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
  w.lib = library_test_open (w.dir);
  assert_int_equal (count (w.lib, NULL), 15);
  assert_int_equal (library_test_count_files (w.dir), 15);
  end (&w);
}

/* ---- a writer that hangs ---- */

/* A child that has begun to write, and neither ends nor goes on. */
static pid_t
start_writer (const char *dir)
{
  int ready[2];
  pid_t pid;
  char c;

  assert_int_equal (pipe (ready), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    struct v2v_library *lib = library_test_open (dir);

    if (v2v_catalogue_begin (lib->cat, NULL) == -1 ||
        write (ready[1], "x", 1) != 1)
      _exit (1);
    for (;;)
      pause ();
  }
  close (ready[1]);
  assert_int_equal (read (ready[0], &c, 1), 1);
  close (ready[0]);
  return pid;
}

static void
test_who_waits_for_a_writer_that_hangs_is_told_so (void **state)
{
  const unsigned usual = catalogue_wait_ms;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *id = NULL;
  struct v2v_library *lib;
  char *dir;
  pid_t writer;
  int status;

  (void) state;
  if (library_tests_skipped)
    skip ();
  dir = test_tmpdir ();
  lib = library_test_new (dir);
  id = import_text (lib, "a.sh", "a");
  v2v_library_close (lib);
  writer = start_writer (dir);

  catalogue_wait_ms = 100;
  lib = library_test_open (dir);
  assert_int_equal (rows (lib, NULL), 1); /* readers do not wait */
  {
    const struct v2v_library_set set = { .owner = "ann" };

    assert_int_equal (v2v_library_set (lib, id, &set, &err), -1);
    assert_error (&err, V2V_ERR_IO, "another process has been writing");
    assert_int_equal (kill (writer, SIGKILL), 0);
    assert_int_equal (waitpid (writer, &status, 0), writer);
    catalogue_wait_ms = usual;
    v2v_library_close (lib);
    lib = library_test_open (dir); /* a server has to notice that it is gone */
    assert_ok (v2v_library_set (lib, id, &set, &err), err);
  }
  assert_int_equal (rows (lib, &(struct v2v_library_filter){ .owner = "ann" }),
                    1);
  library_test_is_whole (lib, dir);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

const struct CMUnitTest library_many_tests[] = {
  cmocka_unit_test (test_six_processes_import_at_once),
  cmocka_unit_test (
      test_processes_that_import_set_list_and_remove_lose_nothing),
  cmocka_unit_test (test_who_waits_for_a_writer_that_hangs_is_told_so),
  { .name = NULL },
};
