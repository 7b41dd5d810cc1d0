/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the catalogue says of an object, written beside its files: a small JSON,
 * SHARE/.v2v/meta/ID.json, in each share that has a copy.  A catalogue that was
 * lost comes back from them (restore.c).
 *
 * They follow the catalogue.  The transaction that changes an object notes an
 * intent of kind "meta" for each of its shares; after it the file is written
 * anew from the catalogue, and the intent ends.  Where a process dies between
 * the two, or a share is away, the next command that can does the rest.  Who
 * writes holds a lock on the folder, and reads the catalogue under it: the last
 * one to write has the newest.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* ---- noting ---- */

/* The shares that have files of ID. */
static int
shares_of (struct v2v_library *lib, const char *id, lib_strings *ret,
           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT DISTINCT share FROM location WHERE object = ? ORDER BY share",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    char *share = strdup (v2v_query_get_text (q, 0));

    if (share == NULL || lib_strings_append (ret, share) == -1) {
      free (share);
      return v2v_fail_nomem (err);
    }
  }
  return r;
}

int
lib_meta_note (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings shares =
      V2V_VECTOR_INIT;
  int r = shares_of (lib, id, &shares, err);

  for (size_t i = 0; r == 0 && i < shares.len; ++i) {
    const struct v2v_share share = { .id = shares.ptr[i] };
    struct lib_intent in = LIB_INTENT_INIT;

    if (lib_intent_note (lib, "meta", &share, &in, err) == -1 ||
        lib_intent_note_file (lib, &in, id, err) == -1)
      r = -1;
    lib_intent_close (&in); /* what it says is in the catalogue */
  }
  return r;
}

int
lib_meta_note_users (struct v2v_library *lib, const char *id,
                     struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings users =
      V2V_VECTOR_INIT;
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT DISTINCT object FROM relation WHERE other = ?", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    char *user = strdup (v2v_query_get_text (q, 0));

    if (user == NULL || lib_strings_append (&users, user) == -1) {
      free (user);
      return v2v_fail_nomem (err);
    }
  }
  for (size_t i = 0; r == 0 && i < users.len; ++i)
    r = lib_meta_note (lib, users.ptr[i], err);
  return r;
}

/* ---- the text ---- */

/* The files of ID on SHARE, or NULL in *RET when there are none. */
static int
files_to_json (struct v2v_library *lib, const char *id, const char *share,
               struct v2v_json **ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT file.name, file.digest, file.size, location.path FROM file "
      "JOIN location ON location.object = file.object AND "
      "location.seq = file.seq WHERE file.object = ? AND location.share = ? "
      "ORDER BY file.seq, location.path",
      err);
  int r;

  *ret = NULL;
  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  v2v_query_text (q, share);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct v2v_json *o = v2v_json_new_object ();

    if (*ret == NULL)
      *ret = v2v_json_new_array ();
    v2v_json_set_string (o, "name", v2v_query_get_text (q, 0));
    v2v_json_set_string (o, "path", v2v_query_get_text (q, 3));
    v2v_json_set_string (o, "digest", v2v_query_get_text (q, 1));
    v2v_json_set_u64 (o, "size_bytes", (uint64_t) v2v_query_get_int (q, 2));
    v2v_json_append (*ret, o);
  }
  return r;
}

int
lib_meta_text (struct v2v_library *lib, const char *id, const char *share,
               char **ret, struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_JSON struct v2v_json *meta = v2v_json_new_object ();
  CLEANUP_JSON struct v2v_json *all = NULL;
  struct v2v_json *files;
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  *ret = NULL;
  if (files_to_json (lib, id, share, &files, err) == -1)
    return -1;
  if (files == NULL)
    return 0;
  v2v_json_set_string (meta, "schema", LIB_META_SCHEMA);
  if (v2v_library_object (lib, id, &o, err) == -1) {
    v2v_json_free (files);
    return -1;
  }
  all = v2v_object_to_json (&o);
  /* Where copies are, how they are, and who needs it, others say. */
  while (v2v_json_next (all, &iter, &key, &value))
    if (strcmp (key, "locations") != 0 && strcmp (key, "used_by") != 0 &&
        strcmp (key, "state") != 0)
      v2v_json_set (meta, key,
                    v2v_json_ref ((struct v2v_json *) (uintptr_t) value));
  v2v_json_set (meta, "files", files);
  *ret = v2v_json_ok (meta) ? v2v_json_dump (meta, 2) : NULL;
  return *ret ? 0 : v2v_fail_nomem (err);
}

/* ---- writing ---- */

struct note {
  char *pending, *share, *object;
  bool done;
};
V2V_VECTOR (note_vector, struct note);

static void
notes_clear (note_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].pending);
    free (v->ptr[i].share);
    free (v->ptr[i].object);
  }
  free (v->ptr);
}

/* Of this process, by share. */
static int
find_notes (struct v2v_library *lib, note_vector *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT pending.id, pending_file.share, pending_file.path FROM pending "
      "JOIN pending_file ON pending_file.pending = pending.id WHERE "
      "pending.kind = 'meta' AND pending.host = ? AND pending.pid = ? AND "
      "pending.started = ? ORDER BY pending_file.share, pending_file.path",
      err);
  struct lib_process me;
  int r;

  if (q == NULL || lib_this_process (&me, err) == -1)
    return -1;
  v2v_query_text (q, me.host);
  v2v_query_int (q, me.pid);
  v2v_query_int (q, me.started);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct note n = { .pending = strdup (v2v_query_get_text (q, 0)),
                      .share = strdup (v2v_query_get_text (q, 1)),
                      .object = strdup (v2v_query_get_text (q, 2)) };

    if (note_vector_append (ret, n) == -1) {
      free (n.pending), free (n.share), free (n.object);
      return v2v_fail_nomem (err);
    }
    if (!n.pending || !n.share || !n.object)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* In the folder DIR, which is locked. */
static int
write_one (struct v2v_library *lib, int dir, const struct note *n,
           struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  char name[48], tmp[48];
  struct v2v_guid guid;

  if (!v2v_guid_parse (n->object, &guid) || strlen (n->object) != 36)
    return v2v_fail (err, V2V_ERR_FORMAT, "'%.40s' is no id of an object",
                     n->object);
  snprintf (name, sizeof name, "%.36s.json", n->object);
  snprintf (tmp, sizeof tmp, ".%.36s", n->pending);
  if (lib_meta_text (lib, n->object, n->share, &text, err) == -1)
    return -1;
  if (text == NULL)
    return unlinkat (dir, name, 0) == -1 && errno != ENOENT
               ? v2v_fail_errno (err, LIB_META "/%s: remove", name)
               : 0;
  if (unlinkat (dir, tmp, 0) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, LIB_META "/%s: remove", tmp);
  if (lib_write (dir, tmp, text, strlen (text), err) == -1)
    return -1;
  if (renameat (dir, tmp, dir, name) == -1)
    return v2v_fail_errno (err, LIB_META "/%s: rename", name);
  return 0;
}

/* Notes FIRST to END, all of one share. */
static int
write_share (struct v2v_library *lib, note_vector *v, size_t first, size_t end,
             struct v2v_error **err)
{
  struct v2v_share share = { 0 };
  CLEANUP_CLOSE int fd = -1;
  CLEANUP_CLOSE int dir = -1;
  const char *leaf;

  if (lib_find_share (lib, v->ptr[first].share, &share, err) == -1)
    return -1;
  fd = lib_share_fd (&share, err);
  lib_share_clear (&share);
  if (fd == -1)
    return -1;
  dir = lib_walk (fd, LIB_META "/x", true, &leaf);
  /* A file system without locks has none to wait for. */
  if (dir == -1 || (flock (dir, LOCK_EX) == -1 && errno == EINTR))
    return v2v_fail_errno (err, LIB_META);
  for (size_t i = first; i < end; ++i)
    if ((i == first || strcmp (v->ptr[i].object, v->ptr[i - 1].object) != 0) &&
        write_one (lib, dir, &v->ptr[i], err) == -1)
      return -1;
  if (fsync (dir) == -1 && errno != EINVAL)
    return v2v_fail_errno (err, LIB_META ": fsync");
  for (size_t i = first; i < end; ++i)
    v->ptr[i].done = true;
  return 0;
}

static int
end_notes (struct v2v_library *lib, const note_vector *v,
           struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  for (size_t i = 0; i < v->len; ++i)
    if (v->ptr[i].done &&
        v2v_catalogue_run (lib->cat, NULL, err,
                           "DELETE FROM pending WHERE id = ?",
                           v->ptr[i].pending, V2V_QUERY_END) == -1) {
      v2v_catalogue_rollback (lib->cat);
      return -1;
    }
  return v2v_catalogue_commit (lib->cat, err);
}

void
lib_meta_flush (struct v2v_library *lib)
{
  __attribute__ ((cleanup (notes_clear))) note_vector v = V2V_VECTOR_INIT;
  struct v2v_error *err = NULL;
  bool any = false;

  if (find_notes (lib, &v, &err) == -1)
    goto problem;
  for (size_t i = 0, end; i < v.len; i = end) {
    end = i + 1;
    while (end < v.len && strcmp (v.ptr[end].share, v.ptr[i].share) == 0)
      end++;
    if (write_share (lib, &v, i, end, &err) == -1) {
      /* The share may be away: later. */
      v2v_debug ("library: %s", v2v_error_message (err));
      v2v_error_free (err);
      err = NULL;
    }
    else
      any = true;
  }
  if (!any || end_notes (lib, &v, &err) == 0)
    return;

problem:
  v2v_warn ("%s: descriptions beside the files are written by the next command",
            v2v_error_message (err));
  v2v_error_free (err);
}

/* ---- what has none yet ---- */

static bool
has_description (int dir, const char *id)
{
  struct stat st;
  char name[48];

  snprintf (name, sizeof name, "%.36s.json", id);
  return dir != -1 && fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int
lib_meta_complete (struct v2v_library *lib, const struct v2v_share *share,
                   struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings ids =
      V2V_VECTOR_INIT;
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT DISTINCT object FROM location WHERE share = ?", err);
  CLEANUP_CLOSE int fd = lib_share_fd (share, NULL);
  const char *leaf;
  CLEANUP_CLOSE int dir =
      fd == -1 ? -1 : lib_walk (fd, LIB_META "/x", false, &leaf);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, share->id);
  while ((r = v2v_query_step (q, err)) == 1) {
    const char *id = v2v_query_get_text (q, 0);
    char *copy = has_description (dir, id) ? NULL : strdup (id);

    if (copy != NULL && lib_strings_append (&ids, copy) == -1) {
      free (copy);
      return v2v_fail_nomem (err);
    }
  }
  if (r == -1 || ids.len == 0)
    return r;
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  for (size_t i = 0; i < ids.len; ++i)
    if (lib_meta_note (lib, ids.ptr[i], err) == -1) {
      v2v_catalogue_rollback (lib->cat);
      return -1;
    }
  if (v2v_catalogue_commit (lib->cat, err) == -1)
    return -1;
  lib_meta_flush (lib);
  return 0;
}
