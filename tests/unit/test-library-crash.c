/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Killed at every step: the linker puts the functions below in front of the
 * system's calls that change something and of SQLite's steps (-Wl,--wrap), and
 * a child process dies before, or just after, the Nth of them, for every N
 * until it gets through.  Then the library is opened as the next command does,
 * and has all of what was done, or nothing.
 */

#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "formats/core/cleanup.h"
#include "library-util.h"

/* Die at the step STOP_AT; 0: never.  Every step counts twice: before and
 * after the call. */
static unsigned long steps, stop_at;

/* From one step to the next that is tried: every third, which are before and
 * after a call in turn; V2V_EVERY_STEP=1 tries all, in a minute. */
static unsigned long
stride (void)
{
  const char *every = getenv ("V2V_EVERY_STEP");

  return every != NULL && strcmp (every, "1") == 0 ? 1 : 3;
}

static void
step (void)
{
  if (__atomic_add_fetch (&steps, 1, __ATOMIC_SEQ_CST) == stop_at)
    raise (SIGKILL);
}

#define WRAP(type, name, parameters, arguments)                                \
  type __real_##name parameters;                                               \
  type __wrap_##name parameters;                                               \
  type __wrap_##name parameters                                                \
  {                                                                            \
    type r;                                                                    \
                                                                               \
    step ();                                                                   \
    r = __real_##name arguments;                                               \
    step ();                                                                   \
    return r;                                                                  \
  }

WRAP (ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP (ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at),
      (fd, buf, n, at))
WRAP (int, ftruncate, (int fd, off_t size), (fd, size))
WRAP (int, fsync, (int fd), (fd))
WRAP (int, mkdirat, (int fd, const char *p, mode_t m), (fd, p, m))
WRAP (int, renameat2,
      (int f, const char *a, int t, const char *b, unsigned flags),
      (f, a, t, b, flags))
WRAP (int, rename, (const char *a, const char *b), (a, b))
WRAP (int, unlinkat, (int fd, const char *p, int flags), (fd, p, flags))
WRAP (int, sqlite3_step, (sqlite3_stmt * s), (s))
WRAP (int, sqlite3_exec,
      (sqlite3 * db, const char *sql, int (*cb) (void *, int, char **, char **),
       void *arg, char **message),
      (db, sql, cb, arg, message))

/* openat is variadic, and most of its calls change nothing. */
int __real_openat (int fd, const char *path, int flags, mode_t mode);
int __wrap_openat (int fd, const char *path, int flags, ...);
int
__wrap_openat (int fd, const char *path, int flags, ...)
{
  mode_t mode = 0;
  int r;

  if (!(flags & O_CREAT))
    return __real_openat (fd, path, flags, 0);
  {
    va_list args;

    va_start (args, flags);
    mode = va_arg (args, mode_t);
    va_end (args);
  }
  step ();
  r = __real_openat (fd, path, flags, mode);
  step ();
  return r;
}

/* ---- the harness ---- */

typedef void work_fn (struct v2v_library *lib, const char *argument);

/* In a child: open, work, close; killed at step N.  True: it got through. */
static bool
try_it (const char *dir, work_fn *work, const char *argument, unsigned long n)
{
  int status;
  const pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0) {
    CLEANUP_FREE char *path = library_test_path (dir, "lib");
    struct v2v_library *lib;

    steps = 0;
    stop_at = n;
    lib = v2v_library_open (path, NULL);
    if (lib == NULL)
      _exit (3);
    work (lib, argument);
    v2v_library_close (lib);
    _exit (0);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  if (WIFEXITED (status))
    assert_int_equal (WEXITSTATUS (status), 0);
  else
    assert_int_equal (WTERMSIG (status), SIGKILL);
  return WIFEXITED (status);
}

static unsigned
count_objects (struct v2v_library *lib)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_list (lib, NULL, &list, &err), err);
  return (unsigned) list.len;
}

static bool
exists (const char *dir, const char *name)
{
  CLEANUP_FREE char *path = library_test_path (dir, name);

  return access (path, F_OK) == 0;
}

static void
import (struct v2v_library *lib, const char *path)
{
  const struct v2v_import_opts opts = { .threads = 1 };
  struct v2v_import_result r = { 0 };

  if (v2v_library_import (lib, path, &opts, &r, NULL) == -1)
    _exit (4);
  v2v_import_result_clear (&r);
}

/* PATH comes in as NR objects, or none of them does. */
static void
check_import (const char *path_in_dir (const char *dir), unsigned nr)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = library_test_new (dir);
  CLEANUP_FREE char *keep = library_test_file (dir, "keep.sh", "kept");
  CLEANUP_FREE char *id = library_test_import (lib, keep, false);
  const char *path = path_in_dir (dir);
  unsigned long n, nothing = 0;
  bool through = false;

  v2v_library_close (lib);
  for (n = 1; !through; n += stride ()) {
    unsigned have;

    through = try_it (dir, import, path, n);
    lib = library_test_open (dir); /* takes back what is unfinished */
    library_test_is_whole (lib, dir);
    have = count_objects (lib);
    assert_true (have == 1 || have == 1 + nr);
    if (through)
      assert_int_equal (have, 1 + nr);
    nothing += have == 1;
    /* All of it, though the process died after its last transaction: away
     * with it, for the next N. */
    if (have > 1 && !through) {
      CLEANUP_OBJECTS struct v2v_objects list = { 0 };
      struct v2v_error *err = NULL;

      assert_ok (v2v_library_list (lib, NULL, &list, &err), err);
      for (size_t i = 0; i < list.len; ++i)
        if (strcmp (list.ptr[i].id, id) != 0)
          assert_ok (v2v_library_remove (lib, list.ptr[i].id, true, &err), err);
      library_test_is_whole (lib, dir);
    }
    v2v_library_close (lib);
    assert_true (n < 5000);
  }
  /* That most deaths came before the last transaction shows that they came
   * inside of the work. */
  assert_true (nothing > 20 && n > nothing);
  assert_true (exists (dir, "lib/share/script/keep.sh"));
  test_tmpdir_remove (dir);
}

static const char *
one_disk (const char *dir)
{
  static char path[4096];
  CLEANUP_FREE char *made = library_test_disk (dir, "d.vhd", "vhd", 3, NULL);

  snprintf (path, sizeof path, "%s", made);
  return path;
}

/* A converted machine: two disks and their description in one transaction. */
static const char *
one_machine (const char *dir)
{
  static char path[4096];
  CLEANUP_FREE char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

  snprintf (path, sizeof path, "%s/web", dir);
  assert_int_equal (mkdir (path, 0777), 0);
  a = library_test_disk (path, "web.vhd", "vhd", 1, NULL);
  b = library_test_disk (path, "web-2.vhd", "vhd", 2, NULL);
  c = library_test_file (path, "report.json", "{}");
  d = library_test_file (path, "New-web.ps1", "New-VM");
  return path;
}

static void
test_an_import_that_is_killed_anywhere_leaves_all_or_nothing (void **state)
{
  (void) state;
  check_import (one_disk, 1);
}

static void
test_a_machine_comes_in_whole_or_not_at_all (void **state)
{
  (void) state;
  check_import (one_machine, 3);
}

static void
remove_it (struct v2v_library *lib, const char *id)
{
  struct v2v_error *err = NULL;

  /* What was removed before it died cannot be removed again. */
  if (v2v_library_remove (lib, id, false, &err) == -1 &&
      v2v_error_code (err) != V2V_ERR_USAGE)
    _exit (4);
  v2v_error_free (err);
}

static void
test_a_removal_that_is_killed_anywhere_is_done_or_not_begun (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = library_test_new (dir);
  CLEANUP_FREE char *machine = NULL, *id = NULL;
  bool through = false, gone = false;

  (void) state;
  machine = strdup (one_machine (dir));
  id = library_test_import (lib, machine, false);
  v2v_library_close (lib);
  for (unsigned long n = 1; !through; n += stride ()) {
    unsigned have;

    through = try_it (dir, remove_it, id, n);
    lib = library_test_open (dir);
    library_test_is_whole (lib, dir);
    have = count_objects (lib);
    assert_true (have == 2 || (have == 3 && !gone));
    gone |= have == 2;
    v2v_library_close (lib);
    if (gone && !through && n % 2 == 0) { /* again, from the beginning */
      lib = library_test_open (dir);
      free (id);
      id = library_test_import (lib, machine, false);
      v2v_library_close (lib);
      gone = false;
    }
    assert_true (n < 1000);
  }
  assert_true (gone);
  test_tmpdir_remove (dir);
}

/* The process that takes back dies too, at each of its steps. */
static void
nothing (struct v2v_library *lib, const char *argument)
{
  (void) lib;
  (void) argument;
}

static void
test_taking_back_may_be_killed_as_well (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = library_test_new (dir);
  const char *path = one_machine (dir);
  unsigned long total = 1;

  (void) state;
  v2v_library_close (lib);
  /* Where a whole import ends, and half of the way: files are renamed, rows
   * are not there. */
  while (!exists (dir, "lib/share/vm")) {
    assert_false (try_it (dir, import, path, total));
    assert_true ((total += stride ()) < 5000);
  }
  for (unsigned long n = 1;; n += stride ()) {
    const bool through = try_it (dir, nothing, NULL, n);

    if (through)
      break;
    assert_true (n < 1000);
  }
  lib = library_test_open (dir);
  library_test_is_whole (lib, dir);
  assert_int_equal (count_objects (lib), 0);
  v2v_library_close (lib);
  test_tmpdir_remove (dir);
}

static int
set_up (void **state)
{
  (void) state;
  library_test_use_memory ();
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_an_import_that_is_killed_anywhere_leaves_all_or_nothing),
    cmocka_unit_test (test_a_machine_comes_in_whole_or_not_at_all),
    cmocka_unit_test (
        test_a_removal_that_is_killed_anywhere_is_done_or_not_begun),
    cmocka_unit_test (test_taking_back_may_be_killed_as_well),
  };

  return cmocka_run_group_tests (tests, set_up, NULL);
}
