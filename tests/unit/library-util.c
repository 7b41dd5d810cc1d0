/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries for tests. */

#include <config.h>

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "library/catalogue.h"
#include "library-util.h"

/* ---- PostgreSQL ---- */

static char *server_dir;
static pid_t server_pid;
static unsigned nr_schemas;

/* The newest of Debian's, or what is on the PATH. */
static char *
find_program (const char *name)
{
  CLEANUP_FREE char *pattern = NULL;
  char *found = NULL;
  glob_t g;

  if (asprintf (&pattern, "/usr/lib/postgresql/*/bin/%s", name) == -1)
    fail_msg ("out of memory");
  if (glob (pattern, 0, NULL, &g) == 0)
    found = strdup (g.gl_pathv[g.gl_pathc - 1]);
  else if (test_have (name))
    found = strdup (name);
  globfree (&g);
  return found;
}

/* The server refuses to run as root. */
static void
drop_root (void)
{
  const struct passwd *pw = getuid () == 0 ? getpwnam ("nobody") : NULL;

  if (getuid () == 0 &&
      (pw == NULL || setgid (pw->pw_gid) == -1 || setuid (pw->pw_uid) == -1))
    _exit (125);
}

static pid_t
start (const char *const argv[])
{
  const pid_t pid = fork ();

  if (pid == 0) {
    CLEANUP_FREE char *log = library_test_path (server_dir, "log");

    drop_root ();
    if (chdir (server_dir) == -1 || freopen (log, "a", stdout) == NULL ||
        freopen (log, "a", stderr) == NULL ||
        freopen ("/dev/null", "r", stdin) == NULL)
      _exit (126);
    execvp (argv[0], (char *const *) (uintptr_t) argv);
    _exit (127);
  }
  assert_true (pid > 0);
  return pid;
}

/* Until it answers; the server's start is bounded by its own recovery, not by
 * us: only a server that ended stops the wait. */
static void
wait_for_server (void)
{
  for (;;) {
    struct v2v_error *err = NULL;
    CLEANUP_FREE char *where = NULL;
    struct v2v_catalogue *c;
    int status;

    if (asprintf (&where, "postgres://postgres@/postgres?host=%s",
                  server_dir) == -1)
      fail_msg ("out of memory");
    c = v2v_catalogue_open (where, false, &err);
    if (c != NULL) {
      v2v_catalogue_close (c);
      return;
    }
    if (waitpid (server_pid, &status, WNOHANG) == server_pid)
      fail_msg ("the server ended: %s", v2v_error_message (err));
    v2v_error_free (err);
    usleep (50 * 1000);
  }
}

bool
library_test_start_postgres (void)
{
  CLEANUP_FREE char *initdb = find_program ("initdb");
  CLEANUP_FREE char *postgres = find_program ("postgres");
  const char *required = getenv ("V2V_SAMPLES_REQUIRED");
  const struct passwd *pw;
  int status;

  if (initdb == NULL || postgres == NULL) {
    if (required != NULL && strcmp (required, "1") == 0)
      fail_msg ("PostgreSQL's server is missing");
    return false;
  }
  server_dir = test_tmpdir ();
  pw = getuid () == 0 ? getpwnam ("nobody") : NULL;
  if (pw != NULL)
    assert_int_equal (chown (server_dir, pw->pw_uid, pw->pw_gid), 0);
  /* A data base that sorts as English does (PostgreSQL 15 and later can,
   * whatever the system has): the catalogue must not depend on it. */
  if (waitpid (start ((const char *const[]){
                   initdb, "-D", "data", "-U", "postgres", "-A", "trust", "-N",
                   "--locale=C", "--locale-provider=icu", "--icu-locale=en-US",
                   "-E", "UTF8", NULL }),
               &status, 0) <= 0 ||
      status != 0)
    assert_true (
        waitpid (start ((const char *const[]){
                     initdb, "-D", "data", "-U", "postgres", "-A", "trust",
                     "-N", "--locale=C", "-E", "UTF8", NULL }),
                 &status, 0) > 0 &&
        status == 0);
  server_pid = start ((const char *const[]){
      postgres, "-D", "data", "-k", server_dir, "-c", "listen_addresses=", "-c",
      "fsync=off", "-c", "max_connections=100", NULL });
  wait_for_server ();
  return true;
}

void
library_test_stop_postgres (void)
{
  int status;

  if (server_dir == NULL)
    return;
  kill (server_pid, SIGQUIT);
  waitpid (server_pid, &status, 0);
  test_tmpdir_remove (server_dir);
  server_dir = NULL;
}

const char *
library_test_address (void)
{
  static char address[512];
  struct v2v_error *err = NULL;
  struct v2v_catalogue *c;
  char sql[64];

  if (server_dir == NULL)
    return NULL;
  snprintf (address, sizeof address, "postgres://postgres@/postgres?host=%s",
            server_dir);
  c = v2v_catalogue_open (address, false, &err);
  assert_ptr (c, err);
  snprintf (sql, sizeof sql, "CREATE SCHEMA s%u", ++nr_schemas);
  assert_ok (v2v_catalogue_exec (c, sql, &err), err);
  v2v_catalogue_close (c);
  snprintf (
      address, sizeof address,
      "postgres://postgres@/postgres?host=%s&options=-csearch_path%%3Ds%u",
      server_dir, nr_schemas);
  return address;
}

/* ---- libraries ---- */

void
library_test_use_memory (void)
{
  struct statvfs st;

  if (statvfs ("/dev/shm", &st) == 0 && access ("/dev/shm", W_OK) == 0 &&
      (uint64_t) st.f_bavail * st.f_frsize >= UINT64_C (512) << 20)
    assert_int_equal (setenv ("TMPDIR", "/dev/shm", 1), 0);
}

char *
library_test_path (const char *dir, const char *name)
{
  char *path;

  if (asprintf (&path, "%s/%s", dir, name) == -1)
    fail_msg ("out of memory");
  return path;
}

struct v2v_library *
library_test_open (const char *dir)
{
  CLEANUP_FREE char *path = library_test_path (dir, "lib");
  struct v2v_error *err = NULL;
  struct v2v_library *lib = v2v_library_open (path, &err);

  assert_ptr (lib, err);
  return lib;
}

struct v2v_library *
library_test_new (const char *dir)
{
  CLEANUP_FREE char *path = library_test_path (dir, "lib");
  CLEANUP_FREE char *config = library_test_path (dir, "config");
  struct v2v_error *err = NULL;

  assert_int_equal (setenv ("XDG_CONFIG_HOME", config, 1), 0);
  assert_ok (v2v_library_init (path, NULL, library_test_address (), &err), err);
  return library_test_open (dir);
}

char *
library_test_file (const char *dir, const char *name, const char *text)
{
  char *path = library_test_path (dir, name);

  test_write_file (path, text, strlen (text));
  return path;
}

char *
library_test_disk (const char *dir, const char *name, const char *format,
                   uint32_t seed, const char *parent)
{
  const size_t len = 1024 * 1024;
  char *path = library_test_path (dir, name);
  CLEANUP_FREE char *buf = malloc (len);
  struct v2v_error *err = NULL;
  struct v2v_create_opts opts = { .size_bytes = 8 * len };
  struct v2v_image *img, *base = NULL;

  assert_non_null (buf);
  test_random (buf, len, seed);
  if (parent != NULL) {
    base = v2v_image_open (parent, NULL, &err);
    assert_ptr (base, err);
    opts.parent = base;
    opts.subformat = V2V_SUB_DIFFERENCING;
  }
  img = v2v_image_create (path, format, &opts, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_write (img, buf, len, seed % 4 * len, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  v2v_image_close (base);
  return path;
}

char *
library_test_import (struct v2v_library *lib, const char *path, bool known)
{
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_import (lib, path, NULL, &r, &err), err);
  assert_int_equal (r.known, known);
  return r.id;
}

static unsigned nr_files, nr_descriptions;

static int
count (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st;
  if (type != FTW_F || strcmp (path + ftw->base, ".v2v-share.json") == 0)
    return 0;
  if (strstr (path, "/.v2v/meta/") != NULL)
    nr_descriptions++;
  else
    nr_files++;
  return 0;
}

unsigned
library_test_count_files (const char *dir)
{
  CLEANUP_FREE char *share = library_test_path (dir, "lib/share");
  CLEANUP_FREE char *second = library_test_path (dir, "second");

  nr_files = nr_descriptions = 0;
  assert_int_equal (nftw (share, count, 8, FTW_PHYS), 0);
  if (access (second, F_OK) == 0)
    assert_int_equal (nftw (second, count, 8, FTW_PHYS), 0);
  return nr_files;
}

/* The description of O in the folder SHARE says what the catalogue says. */
static void
check_description (const char *dir, const char *share,
                   const struct v2v_object *o)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *err = NULL;
  struct v2v_json *j;
  size_t len;

  if (asprintf (&path, "%s/%s/.v2v/meta/%s.json", dir, share, o->id) == -1)
    fail_msg ("out of memory");
  text = test_read_file (path, &len);
  j = v2v_json_parse (text, len, path, &err);
  assert_ptr (j, err);
  assert_string_equal (v2v_json_get_string (j, "name"), o->name);
  assert_string_equal (v2v_json_get_string (j, "owner"), o->owner);
  assert_int_equal (v2v_json_length (v2v_json_get (j, "tags")), o->nr_tags);
  assert_int_equal (v2v_json_length (v2v_json_get (j, "uses")), o->nr_uses);
  for (size_t i = 0; i < o->nr_uses; ++i)
    assert_string_equal (
        v2v_json_get_string (v2v_json_at (v2v_json_get (j, "uses"), i), "id"),
        o->uses[i].id);
  v2v_json_free (j);
}

/* How many there are to be in DIR/lib/share and DIR/second; each is looked
 * at. */
static unsigned
check_descriptions (struct v2v_library *lib, const char *dir)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  struct v2v_error *err = NULL;
  unsigned n = 0;

  assert_ok (v2v_library_list (lib, NULL, &list, &err), err);
  for (size_t i = 0; i < list.len; ++i) {
    CLEANUP_OBJECT struct v2v_object o = { 0 };
    bool first = false, second = false;

    assert_ok (v2v_library_object (lib, list.ptr[i].id, &o, &err), err);
    for (size_t k = 0; k < o.nr_locations; ++k) {
      first |= strcmp (o.locations[k].share, "share") == 0;
      second |= strcmp (o.locations[k].share, "second") == 0;
    }
    if (first)
      check_description (dir, "lib/share", &o);
    if (second)
      check_description (dir, "second", &o);
    n += first + second;
  }
  return n;
}

void
library_test_is_whole (struct v2v_library *lib, const char *dir)
{
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_verify (lib, NULL, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_bad, 0);
  assert_int_equal (r.nr_files, library_test_count_files (dir));
  assert_int_equal (check_descriptions (lib, dir), nr_descriptions);
}
