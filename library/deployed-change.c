/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing and removing machines that were deployed: rows, and the folders
 * that belong to them.
 *
 * A folder is a machine's when the description in it has the machine's id; no
 * other is ever removed.  It is renamed first, so that nobody sees half of
 * it.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "formats/core/log.h"
#include "library/deploy-internal.h"

/* As in vm-clone.c: a description of 256 disks has some 100 KiB. */
#define MAX_DESCRIPTION (4 * V2V_MIB)

/* ---- rows, in a transaction ---- */

int
deployed_set_state (struct v2v_library *lib, const char *id, const char *state,
                    struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "UPDATE machine SET state = ?, owner_host = ?, owner_pid = ?, "
      "owner_started = ? WHERE id = ?",
      err);
  char host[LIB_HOST_SIZE];

  if (q == NULL)
    return -1;
  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  v2v_query_text (q, state);
  v2v_query_text (q, host);
  v2v_query_int (q, getpid ());
  v2v_query_int (q, lib_start_of (getpid ()));
  v2v_query_text (q, id);
  if (v2v_query_step (q, err) == -1)
    return -1;
  return v2v_query_changes (q) == 1
             ? 0
             : v2v_fail (err, V2V_ERR_USAGE, "no machine has the id %s", id);
}

int
deployed_delete (struct v2v_library *lib, const char *id,
                 struct v2v_error **err)
{
  /* Its name and what it needs go with it. */
  return v2v_catalogue_run (lib->cat, NULL, err,
                            "DELETE FROM machine WHERE id = ?", id,
                            V2V_QUERY_END);
}

void
deployed_forget (struct v2v_library *lib, const char *id)
{
  struct v2v_error *e = NULL;

  v2v_catalogue_rollback (lib->cat);
  if (v2v_catalogue_begin (lib->cat, &e) == -1 ||
      deployed_delete (lib, id, &e) == -1 ||
      v2v_catalogue_commit (lib->cat, &e) == -1) {
    v2v_catalogue_rollback (lib->cat);
    v2v_warn ("%s; the next command takes the machine %.8s back",
              v2v_error_message (e), id);
    v2v_error_free (e);
  }
}

int
v2v_deployed_move (struct v2v_library *lib, const char *id, const char *host,
                   const char *folder, struct v2v_error **err)
{
  uint64_t changes = 0;

  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (v2v_catalogue_run (lib->cat, &changes, err,
                         "UPDATE machine SET host = ?, folder = ? WHERE id = ?",
                         host, folder, id, V2V_QUERY_END) == -1 ||
      (changes != 1 &&
       v2v_fail (err, V2V_ERR_USAGE, "no machine has the id %s", id) == -1)) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}

/* ---- folders ---- */

/* PATH as a folder that is open and a name in it; *RET_FD is -1 when that
 * folder is not there. */
static int
open_parent (const char *path, int *ret_fd, const char **ret_leaf,
             struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *dir = NULL;

  if (slash == NULL || slash[1] == '\0' ||
      !v2v_check_plain_name (slash + 1, NULL))
    return v2v_fail (err, V2V_ERR_FORMAT, "'%s' is not the path of a machine",
                     path);
  dir = strndup (path, slash == path ? 1 : (size_t) (slash - path));
  if (dir == NULL)
    return v2v_fail_nomem (err);
  *ret_leaf = slash + 1;
  *ret_fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*ret_fd == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s", dir);
  return 0;
}

/* Does FILE of the folder FD, a description, say that it is ID's? */
static bool
says_id (int fd, const char *file, const char *id)
{
  CLEANUP_CLOSE int in =
      openat (fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  CLEANUP_FREE char *text = NULL;
  CLEANUP_JSON struct v2v_json *j = NULL;
  const char *schema, *theirs;
  struct stat st;
  size_t len = 0;
  ssize_t n;

  if (in == -1 || fstat (in, &st) == -1 || !S_ISREG (st.st_mode) ||
      st.st_size <= 0 || (uint64_t) st.st_size > MAX_DESCRIPTION ||
      (text = malloc ((size_t) st.st_size)) == NULL)
    return false;
  while (len < (size_t) st.st_size &&
         (n = read (in, text + len, (size_t) st.st_size - len)) != 0) {
    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return false;
    len += (size_t) n;
  }
  j = v2v_json_parse (text, len, file, NULL);
  schema = j != NULL ? v2v_json_get_string (j, "schema") : NULL;
  theirs = j != NULL ? v2v_json_get_string (j, "id") : NULL;
  return schema != NULL && theirs != NULL &&
         strcmp (schema, V2V_MACHINE_SCHEMA) == 0 && strcmp (theirs, id) == 0;
}

int
deployed_is_there (const char *folder, const char *id, bool *ret,
                   bool *ret_there, struct v2v_error **err)
{
  CLEANUP_CLOSE int dir = -1;
  CLEANUP_CLOSE int fd = -1;
  CLEANUP_FREE char *file = NULL;
  const char *leaf;

  *ret = false;
  if (open_parent (folder, &dir, &leaf, err) == -1)
    return -1;
  *ret_there = dir != -1;
  if (dir == -1)
    return 0;
  fd = openat (dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1)
    return 0;
  if (asprintf (&file, "%s.json", leaf) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  *ret = says_id (fd, file, id);
  return 0;
}

/* ".NAME.part" of deposit.c, with its lock. */
static int
remove_part (int dir, const char *leaf, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL, *lock = NULL;

  if (asprintf (&part, ".%s.part", leaf) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&lock, "%s.lock", part) == -1) {
    lock = NULL;
    return v2v_fail_nomem (err);
  }
  /* Without a lock it is not one of ours. */
  if (faccessat (dir, lock, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
    return 0;
  if (lib_remove_tree (dir, part) == -1)
    return v2v_fail_errno (err, "%s: remove", part);
  if (unlinkat (dir, lock, 0) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s: remove", lock);
  return 0;
}

int
deployed_remove_files (const char *folder, const char *id,
                       struct v2v_error **err)
{
  CLEANUP_CLOSE int dir = -1;
  CLEANUP_FREE char *away = NULL;
  const char *leaf;
  bool ours, there;

  if (open_parent (folder, &dir, &leaf, err) == -1 ||
      deployed_is_there (folder, id, &ours, &there, err) == -1)
    return -1;
  if (dir == -1)
    return 0;
  if (asprintf (&away, ".v2v-removed-%s", id) == -1) {
    away = NULL;
    return v2v_fail_nomem (err);
  }
  if (ours && renameat2 (dir, leaf, dir, away, RENAME_NOREPLACE) == -1 &&
      errno != EEXIST &&
      ((errno != EINVAL && errno != ENOSYS) ||
       renameat (dir, leaf, dir, away) == -1))
    return v2v_fail_errno (err, "%s: rename", folder);
  if (lib_remove_tree (dir, away) == -1)
    return v2v_fail_errno (err, "%s: remove", folder);
  if (remove_part (dir, leaf, err) == -1)
    return v2v_prefix (err, "%s", folder);
  if (fsync (dir) == -1 && errno != EINVAL)
    return v2v_fail_errno (err, "%s: fsync", folder);
  return 0;
}

int
deployed_tidy (const char *folder, struct v2v_error **err)
{
  CLEANUP_CLOSE int dir = -1;
  const char *leaf;

  if (open_parent (folder, &dir, &leaf, err) == -1)
    return -1;
  return dir == -1 ? 0 : remove_part (dir, leaf, err);
}

/* ---- removing ---- */

/* A clone by differencing needs the disks of the machine cloned. */
static int
refuse_parent (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  CLEANUP_FREE char *child = NULL;

  if (lib_lookup (lib, &child, err,
                  "SELECT name FROM machine WHERE id <> ? AND provenance LIKE "
                  "'%\"parent_machine\":\"' || CAST (? AS TEXT) || '\"%'",
                  id, id, V2V_QUERY_END) == -1)
    return -1;
  if (child == NULL)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE,
            "the disks of the machine are the parents of those of '%s'", child);
  return v2v_hint (err, "remove that one first");
}

/* Without FILES the row goes at once: who takes back a removal would not know
 * that the files are to stay. */
static int
begin_removal (struct v2v_library *lib, const char *id, bool files,
               struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (refuse_parent (lib, id, err) == -1 ||
      (files ? deployed_set_state (lib, id, "removing", err)
             : deployed_delete (lib, id, err)) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}

int
v2v_deployed_begin_removal (struct v2v_library *lib, const char *id,
                            struct v2v_error **err)
{
  return begin_removal (lib, id, true, err);
}

int
v2v_deployed_end_removal (struct v2v_library *lib, const char *id,
                          struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (deployed_delete (lib, id, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}

/* Of a machine that is being made at this moment nothing is removed. */
static int
refuse_busy (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT name, state, owner_host, owner_pid, owner_started FROM machine "
      "WHERE id = ?",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  r = v2v_query_step (q, err);
  if (r == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "no machine has the id %s", id);
  if (r == -1)
    return -1;
  if (strcmp (v2v_query_get_text (q, 1), "made") != 0 &&
      v2v_query_get_int (q, 3) != getpid () &&
      lib_is_alive (v2v_query_get_text (q, 2), v2v_query_get_int (q, 3),
                    v2v_query_get_int (q, 4)))
    return v2v_fail (
        err, V2V_ERR_USAGE, "machine '%s': process %lld works on it",
        v2v_query_get_text (q, 0), (long long) v2v_query_get_int (q, 3));
  return 0;
}

int
v2v_deployed_remove (struct v2v_library *lib, const char *id, bool files,
                     struct v2v_error **err)
{
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_FREE char *name_space = NULL;

  if (v2v_deployed_find (lib, id, &m, err) == -1 ||
      lib_lookup (lib, &name_space, err,
                  "SELECT namespace FROM object WHERE id = ?", m.vm_template,
                  V2V_QUERY_END) == -1 ||
      lib_need_owner (lib, m.owner, name_space ? name_space : "", m.name,
                      err) == -1 ||
      refuse_busy (lib, m.id, err) == -1)
    return -1;
  if (files && m.host[0] != '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "machine '%s': its files are on host '%s'", m.name,
                     m.host);
  if (begin_removal (lib, m.id, files, err) == -1)
    return -1;
  if (!files)
    return 0;
  return deployed_remove_files (m.folder, m.id, err) == -1 ||
                 v2v_deployed_end_removal (lib, m.id, err) == -1
             ? -1
             : 0;
}
