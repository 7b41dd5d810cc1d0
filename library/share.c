/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shares: folders with a marker, in the order in which they were added. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/library-internal.h"

void
lib_share_clear (struct v2v_share *s)
{
  free (STEAL (s->id));
  free (STEAL (s->name));
  free (STEAL (s->path));
}

void
v2v_shares_clear (struct v2v_share_list *s)
{
  for (size_t i = 0; i < s->len; ++i)
    lib_share_clear (&s->ptr[i]);
  free (STEAL (s->ptr));
  s->len = 0;
}

static int
add (struct v2v_share_list *list, struct v2v_query *q, struct v2v_error **err)
{
  struct v2v_share *p = reallocarray (list->ptr, list->len + 1, sizeof *p);

  if (p == NULL)
    return v2v_fail_nomem (err);
  list->ptr = p;
  p += list->len++;
  *p = (struct v2v_share){
    .id = strdup (v2v_query_get_text (q, 0)),
    .name = strdup (v2v_query_get_text (q, 1)),
    .path = strdup (v2v_query_get_text (q, 2)),
  };
  return p->id && p->name && p->path ? 0 : v2v_fail_nomem (err);
}

int
v2v_library_shares (struct v2v_library *lib, struct v2v_share_list *ret,
                    struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT id, name, path FROM share ORDER BY seq", err);
  int r = -1;

  *ret = (struct v2v_share_list){ 0 };
  while (q != NULL && (r = v2v_query_step (q, err)) == 1)
    if (add (ret, q, err) == -1) {
      r = -1;
      break;
    }
  for (size_t i = 0; r == 0 && i < ret->len; ++i) {
    const int fd = lib_share_fd (&ret->ptr[i], NULL);

    ret->ptr[i].there = fd != -1;
    if (fd != -1)
      close (fd);
  }
  if (r == -1)
    v2v_shares_clear (ret);
  return r;
}

int
lib_find_share (struct v2v_library *lib, const char *name,
                struct v2v_share *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      name ? "SELECT id, name, path FROM share WHERE id = ? OR name = ?"
           : "SELECT id, name, path FROM share ORDER BY seq LIMIT 1",
      err);
  CLEANUP_SHARES struct v2v_share_list list = { 0 };
  int r;

  if (q == NULL)
    return -1;
  if (name != NULL) {
    v2v_query_text (q, name);
    v2v_query_text (q, name);
  }
  r = v2v_query_step (q, err);
  if (r == -1)
    return -1;
  if (r == 0 && name == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "the library has no share");
    return v2v_hint (err, "'v2v library add-share DIR' adds one");
  }
  if (r == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "no share is called '%s'", name);
    return v2v_hint (err, "'v2v library show' lists the shares");
  }
  if (add (&list, q, err) == -1)
    return -1;
  *ret = list.ptr[0];
  list.len = 0; /* its strings are the caller's now */
  return 0;
}

/* ---- adding ---- */

/* Write the marker: a temporary file, then its name. */
static int
write_marker (int fd, const char *dir, const char *id, const char *name,
              struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *e = NULL;

  v2v_json_set_string (o, "schema", "v2v-share-1");
  v2v_json_set_string (o, "id", id);
  v2v_json_set_string (o, "name", name);
  text = v2v_json_ok (o) ? v2v_json_dump (o, 2) : NULL;
  if (text == NULL)
    return v2v_fail_nomem (err);
  unlinkat (fd, LIB_MARKER ".tmp", 0); /* of a run that was killed */
  if (lib_write (fd, LIB_MARKER ".tmp", text, strlen (text), &e) == -1) {
    v2v_error_move (err, e);
    return v2v_prefix (err, "%s", dir);
  }
  if (lib_publish (fd, LIB_MARKER ".tmp", LIB_MARKER) == -1)
    return v2v_fail_errno (err, "%s/%s", dir, LIB_MARKER);
  return 0;
}

static int
note_share (struct v2v_library *lib, const char *id, const char *name,
            const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *other = NULL;
  uint64_t changed;

  if (v2v_catalogue_run (lib->cat, &changed, err,
                         "UPDATE share SET path = ?, name = ? WHERE id = ?",
                         path, name, id, V2V_QUERY_END) == -1)
    return -1;
  if (changed > 0)
    return 0;
  if (lib_lookup (lib, &other, err, "SELECT path FROM share WHERE name = ?",
                  name, V2V_QUERY_END) == -1)
    return -1;
  if (other != NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "a share is called '%s' already: %s", name,
              other);
    return v2v_hint (err, "choose another name with --name");
  }
  return v2v_catalogue_run (lib->cat, NULL, err,
                            "INSERT INTO share (id, seq, name, path) SELECT ?, "
                            "COALESCE (MAX (seq), 0) + 1, ?, ? FROM share",
                            id, name, path, V2V_QUERY_END);
}

int
v2v_library_add_share (struct v2v_library *lib, const char *dir,
                       const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *path = realpath (dir, NULL);
  CLEANUP_FREE char *id = NULL;
  CLEANUP_FREE char *old = NULL;
  CLEANUP_CLOSE int fd =
      path ? open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  char new_id[37];

  if (fd == -1)
    return v2v_fail_errno (err, "%s", dir);
  if (lib_need (lib, "", V2V_ROLE_AUTHOR, "add-share", err) == -1)
    return -1;
  if (!v2v_is_valid_utf8 (path, strlen (path)))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: the path is not UTF-8", dir);
  if (name != NULL &&
      lib_check_text ("the name of a share", name, true, err) == -1)
    return -1;
  if (lib_read_marker (fd, path, &id, &old, err) == -1)
    return -1;
  if (id == NULL) {
    const char *base = strrchr (path, '/');

    if (name == NULL)
      name = base != NULL && base[1] != '\0' ? base + 1 : "share";
    if (lib_new_id (new_id, err) == -1 ||
        write_marker (fd, path, new_id, name, err) == -1)
      return -1;
  }
  else
    snprintf (new_id, sizeof new_id, "%s", id);
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (note_share (lib, new_id, name ? name : old, path, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}
