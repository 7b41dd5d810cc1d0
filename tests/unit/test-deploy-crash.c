/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A deployment, and a removal, killed at every step: the linker puts the
 * functions below in front of the system's calls that change something and of
 * SQLite's steps (-Wl,--wrap); a child process dies before, or just after, the
 * Nth of them.  Then the library is opened as the next command does, and each
 * machine is there with all of its files, its row and its name, or nothing of
 * it is.
 */

#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "formats/core/cleanup.h"
#include "deploy-util.h"

/* Die at the step STOP_AT; 0: never.  Every step counts twice: before and
 * after the call. */
static unsigned long steps, stop_at;

/* From one step to the next that is tried: an odd number, so that before and
 * after a call come in turn; V2V_EVERY_STEP=1 tries all. */
static unsigned long
stride (void)
{
  const char *every = getenv ("V2V_EVERY_STEP");

  return every != NULL && strcmp (every, "1") == 0 ? 1 : 11;
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
WRAP (ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at),
      (fd, v, n, at))
WRAP (int, ftruncate, (int fd, off_t size), (fd, size))
WRAP (int, fsync, (int fd), (fd))
WRAP (int, mkdir, (const char *p, mode_t m), (p, m))
WRAP (int, mkdirat, (int fd, const char *p, mode_t m), (fd, p, m))
WRAP (int, renameat2,
      (int f, const char *a, int t, const char *b, unsigned flags),
      (f, a, t, b, flags))
WRAP (int, rename, (const char *a, const char *b), (a, b))
WRAP (int, unlink, (const char *p), (p))
WRAP (int, unlinkat, (int fd, const char *p, int flags), (fd, p, flags))
WRAP (int, chmod, (const char *p, mode_t m), (p, m))
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

typedef void work_fn (struct v2v_library *lib, const char *dir);

/* In a child: open, work, close; killed at step N.  True: it got through. */
static bool
try_it (const char *dir, work_fn *work, unsigned long n)
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
    work (lib, dir);
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

#define NR 2

static void
deploy (struct v2v_library *lib, const char *dir)
{
  struct v2v_deploy_result r[NR];
  size_t n;

  if (deploy_test_make (lib, dir, NR, r, &n, NULL) == -1 || n != NR)
    _exit (4);
  for (size_t i = 0; i < n; ++i)
    v2v_deploy_result_clear (&r[i]);
}

static int
remove_one (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  char *id = arg;

  (void) err;
  snprintf (id, 37, "%s", m->id);
  return 1;
}

/* One machine after the other: no query is open while one is removed. */
static void
remove_all (struct v2v_library *lib, const char *dir)
{
  const struct v2v_deployed_filter made = { .state = "made" };
  char id[37];

  (void) dir;
  while (v2v_deployed_each (lib, &made, remove_one, id, NULL) == 1)
    if (v2v_deployed_remove (lib, id, true, NULL) == -1)
      _exit (4);
}

/* A machine is its row, its name, its hold on the base and its folder with
 * seven files; nothing else is there. */
static int
check_one (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  const char *dir = arg;
  CLEANUP_FREE char *folder = NULL, *disk = NULL;
  struct v2v_image *img;
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *bases = library_test_path (dir, "lib/share/disk");
  const char *search[] = { bases, NULL };
  const struct v2v_open_opts opts = { .search = search };

  (void) err;
  assert_true (asprintf (&folder, "out/%s", m->name) > 0);
  assert_int_equal (deploy_test_entries (dir, folder), 7);
  assert_true (asprintf (&disk, "%s/%s/%s-disk1.vhdx", dir, folder, m->name) >
               0);
  img = v2v_image_open (disk, &opts, &e);
  assert_ptr (img, e);
  v2v_image_close (img);
  return 0;
}

static unsigned
check_whole (const char *dir)
{
  struct v2v_library *lib = library_test_open (dir);
  const unsigned n = deploy_test_count (lib, NULL);
  struct v2v_error *err = NULL;

  library_test_is_whole (lib, dir);
  assert_int_equal (deploy_test_count (lib, "made"), n);
  assert_int_equal (deploy_test_rows (lib, "computer_name"), n);
  assert_int_equal (deploy_test_rows (lib, "machine_base"), n);
  assert_int_equal (deploy_test_entries (dir, "out"), n);
  assert_ok (
      v2v_deployed_each (lib, NULL, check_one, (void *) (uintptr_t) dir, &err),
      err);
  v2v_library_close (lib);
  return n;
}

static void
test_a_deployment_that_is_killed_anywhere_leaves_whole_machines (void **state)
{
  char *dir = test_tmpdir ();
  unsigned long n, nothing = 0, some = 0;
  bool through = false;

  (void) state;
  v2v_library_close (deploy_test_new (dir));
  for (n = 1; !through; n += stride ()) {
    unsigned have;

    through = try_it (dir, deploy, n);
    have = check_whole (dir);
    assert_true (have <= NR && (have == NR || !through));
    nothing += have == 0;
    some += have > 0 && !through;
    if (have > 0)
      assert_true (try_it (dir, remove_all, 0));
    assert_int_equal (check_whole (dir), 0);
    assert_true (n < 5000);
  }
  /* Deaths came inside of the work, and behind its end. */
  assert_true (nothing > 10 && some > 0);
  test_tmpdir_remove (dir);
}

static void
test_a_removal_that_is_killed_anywhere_is_done_or_not_begun (void **state)
{
  char *dir = test_tmpdir ();
  unsigned left = 0;
  bool through = false;

  (void) state;
  v2v_library_close (deploy_test_new (dir));
  for (unsigned long n = 1; !through; n += stride ()) {
    if (left != NR) {
      if (left > 0)
        assert_true (try_it (dir, remove_all, 0));
      assert_true (try_it (dir, deploy, 0));
    }
    through = try_it (dir, remove_all, n);
    left = check_whole (dir);
    assert_true (left <= NR);
    assert_true (n < 5000);
  }
  assert_int_equal (left, 0);
  test_tmpdir_remove (dir);
}

static void
nothing (struct v2v_library *lib, const char *dir)
{
  (void) lib;
  (void) dir;
}

static void
test_taking_back_may_be_killed_as_well (void **state)
{
  char *dir = test_tmpdir ();
  unsigned long total = 1;

  (void) state;
  v2v_library_close (deploy_test_new (dir));
  /* Half of the way: files are there under temporary names. */
  while (deploy_test_entries (dir, "out") == 0) {
    assert_false (try_it (dir, deploy, total));
    assert_true ((total += stride ()) < 5000);
  }
  assert_false (try_it (dir, deploy, total + 60));
  for (unsigned long n = 1; !try_it (dir, nothing, n); n += stride ())
    assert_true (n < 2000);
  assert_int_equal (check_whole (dir), 0);
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
        test_a_deployment_that_is_killed_anywhere_leaves_whole_machines),
    cmocka_unit_test (
        test_a_removal_that_is_killed_anywhere_is_done_or_not_begun),
    cmocka_unit_test (test_taking_back_may_be_killed_as_well),
  };

  return cmocka_run_group_tests (tests, set_up, NULL);
}
