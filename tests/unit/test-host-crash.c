/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Killed at every few steps of sending a base and of moving a machine, by the
 * calls that the linker puts the functions below in front of (as in
 * test-library-crash.c).  Afterwards the machine is whole where the library
 * says that it is, and the same command completes what was begun.
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
#include "library/deploy.h"
#include "library/hosts.h"
#include "library/machine-move.h"
#include "library-util.h"

#define S(s) ((char *) (uintptr_t) (s))

/* Die at the step STOP_AT; 0: never. */
static unsigned long steps, stop_at;

/* Every step with V2V_EVERY_STEP=1, in a minute; before and after a call in
 * turn otherwise. */
static unsigned long
stride (void)
{
  const char *every = getenv ("V2V_EVERY_STEP");

  return every != NULL && strcmp (every, "1") == 0 ? 1 : 23;
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
WRAP (int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP (int, ftruncate, (int fd, off_t size), (fd, size))
WRAP (int, fsync, (int fd), (fd))
WRAP (int, mkdirat, (int fd, const char *p, mode_t m), (fd, p, m))
WRAP (int, renameat2,
      (int f, const char *a, int t, const char *b, unsigned flags),
      (f, a, t, b, flags))
WRAP (int, renameat, (int f, const char *a, int t, const char *b), (f, a, t, b))
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
  va_list args;
  int r;

  if (!(flags & O_CREAT))
    return __real_openat (fd, path, flags, 0);
  va_start (args, flags);
  mode = va_arg (args, mode_t);
  va_end (args);
  step ();
  r = __real_openat (fd, path, flags, mode);
  step ();
  return r;
}

/* ---- two hosts, a base, a machine ---- */

struct site {
  char *dir;
  struct v2v_host list[2];
  struct v2v_hosts hosts;
  char *base; /* id */
};

static void
site_open (struct site *s)
{
  static const char *const names[] = { "one", "two" };
  CLEANUP_LIBRARY struct v2v_library *lib = NULL;
  CLEANUP_FREE char *disk = NULL;

  memset (s, 0, sizeof *s);
  s->dir = test_tmpdir ();
  lib = library_test_new (s->dir);
  for (size_t i = 0; i < 2; ++i) {
    s->list[i] = (struct v2v_host){
      .name = S (names[i]),
      .driver = S ("folder"),
      .path = library_test_path (s->dir, names[i]),
      /* Other names: the disk is changed by each move. */
      .bases = S (i == 0 ? "bases" : "parents"),
    };
    assert_int_equal (mkdir (s->list[i].path, 0777), 0);
  }
  s->hosts = (struct v2v_hosts){ s->list, 2 };
  disk = library_test_disk (s->dir, "base.vhdx", "vhdx", 1, NULL);
  s->base = library_test_import (lib, disk, false);
}

static void
site_close (struct site *s)
{
  for (size_t i = 0; i < 2; ++i)
    free (s->list[i].path);
  free (s->base);
  test_tmpdir_remove (s->dir);
}

typedef int work_fn (struct site *s, struct v2v_library *lib, unsigned to,
                     struct v2v_error **err);

/* In a child, killed at step N.  True: it got through. */
static bool
try_it (struct site *s, work_fn *work, unsigned to, unsigned long n)
{
  int status;
  const pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0) {
    CLEANUP_FREE char *path = library_test_path (s->dir, "lib");
    struct v2v_library *lib;

    steps = 0;
    stop_at = n;
    lib = v2v_library_open (path, NULL);
    _exit (lib == NULL || work (s, lib, to, NULL) == -1 ? 3 : 0);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  if (WIFEXITED (status))
    assert_int_equal (WEXITSTATUS (status), 0);
  else
    assert_int_equal (WTERMSIG (status), SIGKILL);
  return WIFEXITED (status);
}

static int
send_base (struct site *s, struct v2v_library *lib, unsigned to,
           struct v2v_error **err)
{
  CLEANUP_HOST struct v2v_host_conn *c = v2v_host_open (&s->list[to], err);
  CLEANUP_FREE char *rel = NULL;

  return c == NULL
             ? -1
             : v2v_host_ensure_base (lib, c, s->base, NULL, &rel, NULL, err);
}

static int
move_machine (struct site *s, struct v2v_library *lib, unsigned to,
              struct v2v_error **err)
{
  struct v2v_move_result r;

  if (v2v_machine_move (lib, &s->hosts, "web", s->list[to].name, NULL, &r,
                        err) == -1)
    return -1;
  v2v_move_result_clear (&r);
  return 0;
}

static bool
is_there (const char *dir, const char *name)
{
  CLEANUP_FREE char *path = library_test_path (dir, name);

  return access (path, F_OK) == 0;
}

static int
count_file (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  (void) f;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

/* The disk of the machine in FOLDER, with its parents in BASES, is what it
 * was made as. */
static void
assert_whole (const struct site *s, const char *folder, const char *bases)
{
  CLEANUP_FREE char *path = library_test_path (folder, "web-disk1.vhdx");
  CLEANUP_FREE char *base = library_test_path (s->dir, "base.vhdx");
  const char *const search[] = { bases, NULL };
  const struct v2v_open_opts opts = { .search = search };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, &opts, &err), *want;
  char a[65], b[65];

  assert_ptr (img, err);
  want = v2v_image_open (base, NULL, &err);
  assert_ptr (want, err);
  test_image_sha256 (img, a);
  test_image_sha256 (want, b);
  assert_string_equal (a, b);
  v2v_image_close (img);
  v2v_image_close (want);
}

static void
test_a_base_is_complete_or_not_there (void **state)
{
  struct site s;
  struct v2v_error *err = NULL;
  bool through = false;

  (void) state;
  site_open (&s);
  for (unsigned long n = 1; !through; n += stride ()) {
    CLEANUP_LIBRARY struct v2v_library *lib = NULL;
    CLEANUP_HOST struct v2v_host_conn *c = NULL;
    CLEANUP_FREE char *rel = NULL;
    unsigned nr = 0;
    bool equal = false;

    through = try_it (&s, send_base, 0, n);
    lib = library_test_open (s.dir);
    c = v2v_host_open (&s.list[0], &err);
    assert_ptr (c, err);
    assert_ok (v2v_host_ensure_base (lib, c, s.base, NULL, &rel, NULL, &err),
               err);
    assert_ok (v2v_host_verify_base (lib, c, s.base, rel, &equal, &err), err);
    assert_true (equal);
    /* One file, and nothing of the one that died. */
    assert_ok (v2v_host_list (c, "bases", count_file, &nr, &err), err);
    assert_int_equal (nr, 1);
    assert_ok (v2v_host_remove_base (lib, c, rel, &err), err);
  }
  site_close (&s);
}

static void
test_a_machine_is_at_one_place_or_the_other (void **state)
{
  struct site s;
  struct v2v_error *err = NULL;
  struct v2v_deploy_result made;
  bool through = false;
  unsigned to = 0;

  (void) state;
  site_open (&s);
  {
    CLEANUP_LIBRARY struct v2v_library *lib = library_test_open (s.dir);
    CLEANUP_FREE char *out = library_test_path (s.dir, "out");
    const struct v2v_deploy_disk disk = { .object = s.base,
                                          .storage = V2V_STORAGE_DIFFERENCING };
    const struct v2v_deploy_opts opts = {
      .disks = &disk, .nr_disks = 1, .name = "web", .output_dir = out
    };

    assert_ok (v2v_deploy (lib, &opts, &made, &err), err);
    v2v_deploy_result_clear (&made);
    assert_ok (move_machine (&s, lib, 0, &err), err);
  }
  for (unsigned long n = 1; !through; n += stride ()) {
    CLEANUP_LIBRARY struct v2v_library *lib = NULL;
    CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
    unsigned at;

    to = 1 - to;
    through = try_it (&s, move_machine, to, n);
    lib = library_test_open (s.dir);
    assert_ok (v2v_deployed_find (lib, "web", &m, &err), err);
    at = strcmp (m.host, "two") == 0;
    {
      CLEANUP_FREE char *folder = library_test_path (s.list[at].path, "web");
      CLEANUP_FREE char *bases =
          library_test_path (s.list[at].path, s.list[at].bases);

      assert_whole (&s, folder, bases);
    }
    /* Again: it is at the new place, and only there. */
    assert_ok (move_machine (&s, lib, to, &err), err);
    {
      CLEANUP_FREE char *folder = library_test_path (s.list[to].path, "web");
      CLEANUP_FREE char *bases =
          library_test_path (s.list[to].path, s.list[to].bases);

      assert_whole (&s, folder, bases);
    }
    assert_false (is_there (s.list[1 - to].path, "web"));
    assert_false (is_there (s.list[to].path, "web.part"));
  }
  site_close (&s);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_base_is_complete_or_not_there),
    cmocka_unit_test (test_a_machine_is_at_one_place_or_the_other),
  };

  library_test_use_memory ();
  return cmocka_run_group_tests (tests, NULL, NULL);
}
