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
#include "formats/core/text.h"
#include "library/base.h"
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

/* ---- anything, killed anywhere ---- */

#define NR_SOURCES 5
/* Operations of one process. */
#define NR_OPERATIONS 5

static unsigned random_state;

static unsigned
random_below (unsigned n)
{
  random_state = random_state * 1103515245U + 12345U;
  return (random_state >> 16) % n;
}

/* Any object, or a disk that is on another one; its id, or NULL. */
static char *
any_object (struct v2v_library *lib, bool child)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  size_t first;

  if (v2v_library_list (lib, NULL, &list, NULL) == -1)
    _exit (5);
  first = list.len ? random_below ((unsigned) list.len) : 0;
  for (size_t i = 0; i < list.len; ++i) {
    const char *id = list.ptr[(first + i) % list.len].id;
    CLEANUP_OBJECT struct v2v_object o = { 0 };

    if (!child)
      return strdup (id);
    if (v2v_library_object (lib, id, &o, NULL) == -1)
      _exit (6);
    for (size_t k = 0; k < o.nr_uses; ++k)
      if (strcmp (o.uses[k].role, "parent") == 0)
        return strdup (id);
  }
  return NULL;
}

/* Sources lie beside the library: a chain of three disks, a machine, a file. */
static int
bring_in (struct v2v_library *lib, const char *dir, struct v2v_error **err)
{
  static const char *const names[NR_SOURCES] = { "0.vhd", "1.vhd", "2.vhd",
                                                 "web", "keep.sh" };
  CLEANUP_FREE char *path =
      library_test_path (dir, names[random_below (NR_SOURCES)]);
  const struct v2v_import_opts opts = { .threads = 1 };
  struct v2v_import_result r = { 0 };
  const int ret = v2v_library_import (lib, path, &opts, &r, err);

  v2v_import_result_clear (&r);
  return ret;
}

static int
shorten (struct v2v_library *lib, struct v2v_error **err)
{
  CLEANUP_FREE char *id = any_object (lib, true);
  const struct v2v_base_opts opts = { .copy = { .threads = 1 } };
  struct v2v_base_result r = { 0 };
  const int ret = id == NULL ? 0
                  : random_below (2)
                      ? v2v_base_flatten (lib, id, &opts, &r, err)
                      : v2v_base_merge (lib, id, &opts, &r, err);

  v2v_base_result_clear (&r);
  return ret;
}

static int
one_operation (struct v2v_library *lib, const char *dir, struct v2v_error **err)
{
  const unsigned what = random_below (10);
  CLEANUP_FREE char *id = any_object (lib, false);
  const struct v2v_library_set set = { .owner = random_below (2) ? "ann" : "bo",
                                       .add_tags = "x,y",
                                       .remove_tags = "z" };
  const struct v2v_upkeep_opts opts = { .threads = 1 };
  struct v2v_upkeep_result r;

  if (id == NULL || what < 4)
    return bring_in (lib, dir, err);
  switch (what) {
  case 4:
    return v2v_library_set (lib, id, &set, err);
  case 5:
    return v2v_library_copy (lib, id, "second", &opts, err);
  case 6:
    return v2v_library_remove (lib, id, false, err);
  case 7:
    return v2v_base_gc (lib, 0, &opts, NULL, NULL, &r, err);
  case 8:
    return v2v_library_repair (lib, &opts, NULL, NULL, &r, err);
  default:
    return shorten (lib, err);
  }
}

static void
anything (struct v2v_library *lib, const char *dir)
{
  for (unsigned i = 0; i < NR_OPERATIONS; ++i) {
    struct v2v_error *err = NULL;

    /* What cannot be done at this moment: a parent is missing, something is
     * needed, there is no chain. */
    if (one_operation (lib, dir, &err) == -1 &&
        v2v_error_code (err) != V2V_ERR_USAGE &&
        v2v_error_code (err) != V2V_ERR_MISMATCH) {
      fprintf (stderr, "%s\n", v2v_error_message (err));
      _exit (4);
    }
    v2v_error_free (err);
  }
}

/* Every disk reads as it did when it came. */
static void
check_contents (struct v2v_library *lib)
{
  const struct v2v_library_filter disks = { .kind = "disk" };
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_list (lib, &disks, &list, &err), err);
  for (size_t i = 0; i < list.len; ++i) {
    struct v2v_image *img = v2v_library_open_disk (lib, list.ptr[i].id, &err);
    struct v2v_disk_digest *d;
    char hex[2 * V2V_SHA256_SIZE + 1];

    assert_ptr (img, err);
    d = v2v_image_digest (img, NULL, &err);
    assert_ptr (d, err);
    v2v_hex (d->root, sizeof d->root, hex);
    assert_string_equal (list.ptr[i].content + strlen ("sha256-2m:"), hex);
    v2v_disk_digest_free (d);
    v2v_image_close (img);
  }
}

static void
test_whatever_is_killed_at_a_random_step_leaves_a_whole_library (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_library *lib = library_test_new (dir);
  CLEANUP_FREE char *second = library_test_path (dir, "second");
  char *disks[3];
  const unsigned rounds = stride () == 1 ? 2000 : 150;
  struct v2v_error *err = NULL;
  unsigned killed = 0;

  (void) state;
  assert_int_equal (mkdir (second, 0777), 0);
  assert_ok (v2v_library_add_share (lib, second, NULL, &err), err);
  v2v_library_close (lib);
  for (unsigned i = 0; i < 3; ++i) {
    char name[8];

    snprintf (name, sizeof name, "%u.vhd", i);
    disks[i] =
        library_test_disk (dir, name, "vhd", i + 1, i ? disks[i - 1] : NULL);
  }
  free (library_test_file (dir, "keep.sh", "kept"));
  (void) one_machine (dir);
  for (unsigned i = 0; i < rounds; ++i) {
    unsigned long n;

    random_state = i;
    n = 1 + random_below (i % 2 ? 1500 : 300);
    killed += !try_it (dir, anything, dir, n);
    lib = library_test_open (dir); /* takes back what is unfinished */
    library_test_is_whole (lib, dir);
    if (i % 16 == 0)
      check_contents (lib);
    v2v_library_close (lib);
  }
  assert_true (killed > rounds / 4);
  for (unsigned i = 0; i < 3; ++i)
    free (disks[i]);
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
    cmocka_unit_test (
        test_whatever_is_killed_at_a_random_step_leaves_a_whole_library),
  };

  return cmocka_run_group_tests (tests, set_up, NULL);
}
