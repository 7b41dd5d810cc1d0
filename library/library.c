/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, naming and opening a library.
 *
 *   DIR/library.json   where the catalogue is; its being there makes DIR a
 *                      library, so it is written last
 *   DIR/catalogue.db   unless the catalogue is on a server
 *   DIR/share          the first share
 *
 * Names are in $XDG_CONFIG_HOME/v2v/libraries.json.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "formats/core/io.h"
#include "formats/core/log.h"
#include "library/library-internal.h"

#define CONFIG "library.json"
/* Both JSON files are lists of names; a larger one is something else. */
#define MAX_CONFIG (1024 * 1024)

/* ---- small files ---- */

/* *RET is NULL when there is no such file. */
static int
load_json (const char *path, struct v2v_json **ret, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_IO struct v2v_io *io = v2v_io_open (path, V2V_IO_FOLLOW, &e);
  CLEANUP_FREE char *text = NULL;

  *ret = NULL;
  if (io == NULL) {
    if (v2v_error_errno (e) != ENOENT)
      return v2v_error_move (err, e);
    v2v_error_free (e);
    return 0;
  }
  if (v2v_io_size (io) == 0 || v2v_io_size (io) > MAX_CONFIG)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: not a file of ours", path);
  text = malloc (v2v_io_size (io));
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (io, text, v2v_io_size (io), 0, err) == -1)
    return -1;
  *ret = v2v_json_parse (text, v2v_io_size (io), path, err);
  return *ret == NULL ? -1 : 0;
}

/* Replace PATH; for its owner alone, an address may hold a password. */
static int
save_json (const char *path, const struct v2v_json *o, struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_json_ok (o) ? v2v_json_dump (o, 2) : NULL;
  CLEANUP_FREE char *tmp = NULL;
  CLEANUP_CLOSE int fd = -1;
  CLEANUP_FCLOSE FILE *fp = NULL;

  if (text == NULL)
    return v2v_fail_nomem (err);
  if (asprintf (&tmp, "%s.tmp", path) == -1) {
    tmp = NULL;
    return v2v_fail_nomem (err);
  }
  unlink (tmp);
  fd = open (tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd == -1 || (fp = fdopen (fd, "w")) == NULL)
    return v2v_fail_errno (err, "%s", tmp);
  (void) STEAL_FD (fd);
  if (fprintf (fp, "%s\n", text) < 0 || fflush (fp) != 0 ||
      fsync (fileno (fp)) == -1)
    return v2v_fail_errno (err, "%s: write", tmp);
  if (rename (tmp, path) == -1)
    return v2v_fail_errno (err, "%s: rename", path);
  return 0;
}

static int
make_folder (const char *path, struct v2v_error **err)
{
  if (mkdir (path, 0777) == -1 && errno != EEXIST)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

int
lib_make_folders (const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *copy = strdup (path);

  if (copy == NULL)
    return v2v_fail_nomem (err);
  for (char *p = copy + 1; *p != '\0'; ++p)
    if (*p == '/') {
      *p = '\0';
      if (make_folder (copy, err) == -1)
        return -1;
      *p = '/';
    }
  return make_folder (copy, err);
}

/* ---- names ---- */

/* The caller frees. */
static char *
registry_path (bool make, struct v2v_error **err)
{
  const char *config = getenv ("XDG_CONFIG_HOME"), *home = getenv ("HOME");
  CLEANUP_FREE char *dir = NULL;

  if (config != NULL && config[0] == '/')
    dir = lib_join (config, "v2v", err);
  else if (home != NULL && home[0] == '/')
    dir = lib_join (home, ".config/v2v", err);
  else
    v2v_fail (err, V2V_ERR_USAGE,
              "names of libraries have no place: neither XDG_CONFIG_HOME nor "
              "HOME is set");
  if (dir == NULL || (make && lib_make_folders (dir, err) == -1))
    return NULL;
  return lib_join (dir, "libraries.json", err);
}

/* The folder of the library NAME, or NULL; the caller frees. */
static int
registry_find (const char *name, char **ret, struct v2v_error **err)
{
  CLEANUP_FREE char *path = registry_path (false, err);
  CLEANUP_JSON struct v2v_json *o = NULL;
  const char *dir;

  *ret = NULL;
  if (path == NULL || load_json (path, &o, err) == -1)
    return -1;
  dir = o ? v2v_json_get_string (o, name) : NULL;
  if (dir == NULL)
    return 0;
  *ret = strdup (dir);
  return *ret ? 0 : v2v_fail_nomem (err);
}

static int
registry_add (const char *name, const char *dir, struct v2v_error **err)
{
  CLEANUP_FREE char *path = registry_path (true, err);
  CLEANUP_FREE char *lock_path = NULL;
  CLEANUP_CLOSE int lock = -1;
  CLEANUP_JSON struct v2v_json *o = NULL;
  const char *old;

  if (path == NULL)
    return -1;
  if (asprintf (&lock_path, "%s.lock", path) == -1) {
    lock_path = NULL;
    return v2v_fail_nomem (err);
  }
  lock = open (lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock == -1 || flock (lock, LOCK_EX) == -1)
    return v2v_fail_errno (err, "%s", lock_path);
  if (load_json (path, &o, err) == -1)
    return -1;
  if (o == NULL)
    o = v2v_json_new_object ();
  old = v2v_json_get_string (o, name);
  if (old != NULL && strcmp (old, dir) != 0 && access (old, F_OK) == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "a library is called '%s' already: %s", name,
              old);
    return v2v_hint (err, "choose another --name");
  }
  v2v_json_set_string (o, name, dir);
  return save_json (path, o, err);
}

/* ---- making ---- */

static int
check_name (const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *safe = v2v_safe_name (name);

  if (safe == NULL)
    return v2v_fail_nomem (err);
  if (strcmp (safe, name) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s' cannot be the name of a library; '%s' could", name,
                     safe);
  return 0;
}

/* Where the catalogue of the library in DIR is; the caller frees. */
static char *
default_catalogue (const char *dir, const char *catalogue,
                   struct v2v_error **err)
{
  char *s;

  if (catalogue == NULL)
    return lib_join (dir, "catalogue.db", err);
  if (!v2v_catalogue_is_server (catalogue)) {
    v2v_fail (err, V2V_ERR_USAGE, "'%s' is no address of a catalogue",
              catalogue);
    v2v_hint (err, "postgres://USER@HOST/DATABASE; without one the catalogue "
                   "is a file");
    return NULL;
  }
  s = strdup (catalogue);
  if (s == NULL)
    v2v_fail_nomem (err);
  return s;
}

/* The first share; a catalogue on a server that others made has one. */
static int
add_first_share (struct v2v_library *lib, struct v2v_error **err)
{
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  CLEANUP_FREE char *path = NULL;

  if (v2v_library_shares (lib, &shares, err) == -1)
    return -1;
  if (shares.len > 0)
    return 0;
  path = lib_join (lib->dir, "share", err);
  if (path == NULL || make_folder (path, err) == -1)
    return -1;
  return v2v_library_add_share (lib, path, "share", err);
}

static int
write_config (const char *dir, const char *catalogue, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_FREE char *path = lib_join (dir, CONFIG, err);

  if (path == NULL)
    return -1;
  v2v_json_set_string (o, "schema", "v2v-library-1");
  v2v_json_set_string (o, "catalogue", catalogue ? catalogue : "catalogue.db");
  return save_json (path, o, err);
}

int
v2v_library_init (const char *dir, const char *name, const char *catalogue,
                  struct v2v_error **err)
{
  struct v2v_library lib = { 0 };
  CLEANUP_FREE char *path = NULL;
  CLEANUP_FREE char *config = NULL;
  CLEANUP_FREE char *where = NULL;
  int r = -1;

  if ((name != NULL && check_name (name, err) == -1) ||
      lib_make_folders (dir, err) == -1)
    return -1;
  path = realpath (dir, NULL);
  if (path == NULL)
    return v2v_fail_errno (err, "%s", dir);
  if (!v2v_is_valid_utf8 (path, strlen (path)))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: the path is not UTF-8", dir);
  config = lib_join (path, CONFIG, err);
  where = config ? default_catalogue (path, catalogue, err) : NULL;
  if (where == NULL)
    return -1;
  if (access (config, F_OK) == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: is a library already", dir);
    return v2v_hint (err, "'v2v library ls --library %s' lists it", dir);
  }
  lib.dir = path;
  lib.cat = v2v_catalogue_open (where, true, err);
  if (lib.cat != NULL &&
      v2v_schema_migrate (lib.cat, V2V_SCHEMA_VERSION, err) == 0 &&
      add_first_share (&lib, err) == 0 &&
      write_config (path, catalogue, err) == 0)
    r = name != NULL ? registry_add (name, path, err) : 0;
  v2v_catalogue_close (lib.cat);
  lib_access_free (lib.access);
  return r;
}

/* ---- opening ---- */

/* The folder meant by WHAT; the caller frees. */
static char *
find_dir (const char *what, struct v2v_error **err)
{
  CLEANUP_FREE char *named = NULL;
  char *dir;

  if (what == NULL)
    what = getenv ("V2V_LIBRARY");
  if (what == NULL || what[0] == '\0') {
    v2v_fail (err, V2V_ERR_USAGE, "which library?");
    v2v_hint (err, "--library DIR, or its name, or set V2V_LIBRARY; 'v2v "
                   "library init DIR' makes one");
    return NULL;
  }
  if (strchr (what, '/') == NULL && registry_find (what, &named, NULL) == 0 &&
      named != NULL)
    what = named;
  dir = realpath (what, NULL);
  if (dir == NULL) {
    v2v_fail_errno (err, "library '%s'", what);
    v2v_hint (err, "'v2v library init %s' makes one", what);
  }
  return dir;
}

/* Where the catalogue is, out of library.json; the caller frees. */
static char *
read_config (const char *dir, struct v2v_error **err)
{
  CLEANUP_FREE char *path = lib_join (dir, CONFIG, err);
  CLEANUP_JSON struct v2v_json *o = NULL;
  const char *where;

  if (path == NULL || load_json (path, &o, err) == -1)
    return NULL;
  if (o == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: is not a library", dir);
    v2v_hint (err, "'v2v library init %s' makes it one", dir);
    return NULL;
  }
  where = v2v_json_get_string (o, "catalogue");
  if (where == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: has no \"catalogue\"", path);
    return NULL;
  }
  if (v2v_catalogue_is_server (where)) {
    char *s = strdup (where);

    if (s == NULL)
      v2v_fail_nomem (err);
    return s;
  }
  if (!v2v_check_plain_name (where, err)) {
    v2v_prefix (err, "%s", path);
    return NULL;
  }
  return lib_join (dir, where, err);
}

static int
check_schema (struct v2v_library *lib, struct v2v_error **err)
{
  unsigned version;

  if (v2v_schema_version (lib->cat, &version, err) == -1)
    return -1;
  if (version == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "the catalogue has no tables");
  return v2v_schema_migrate (lib->cat, V2V_SCHEMA_VERSION, err);
}

struct v2v_library *
v2v_library_open (const char *dir_or_name, struct v2v_error **err)
{
  struct v2v_library *lib = calloc (1, sizeof *lib);
  CLEANUP_FREE char *where = NULL;
  uint64_t done, left;

  if (lib == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  lib->dir = find_dir (dir_or_name, err);
  if (lib->dir == NULL || (where = read_config (lib->dir, err)) == NULL)
    goto error;
  lib->cat = v2v_catalogue_open (where, false, err);
  if (lib->cat == NULL)
    goto error;
  if (check_schema (lib, err) == -1 ||
      lib_recover (lib, false, &done, &left, err) == -1) {
    v2v_prefix (err, "%s", lib->dir);
    goto error;
  }
  return lib;

error:
  v2v_library_close (lib);
  return NULL;
}

void
v2v_library_close (struct v2v_library *lib)
{
  if (lib == NULL)
    return;
  v2v_catalogue_close (lib->cat);
  lib_access_free (lib->access);
  free (lib->dir);
  free (lib);
}

const char *
v2v_library_dir (const struct v2v_library *lib)
{
  return lib->dir;
}
