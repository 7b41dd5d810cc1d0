/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing what the catalogue says of an object, and removing one. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/base.h"
#include "library/library-internal.h"

/* The statements are written out: no column's name comes from outside. */
static int
set_fields (struct v2v_library *lib, const char *id,
            const struct v2v_library_set *s, struct v2v_error **err)
{
  const struct {
    const char *value, *what, *sql;
    bool one_line;
  } fields[] = {
    { s->name, "the name", "UPDATE object SET name = ? WHERE id = ?", true },
    { s->version, "the version", "UPDATE object SET version = ? WHERE id = ?",
      false },
    { s->name_space, "the namespace",
      "UPDATE object SET namespace = ? WHERE id = ?", false },
    { s->family, "the family", "UPDATE object SET family = ? WHERE id = ?",
      false },
    { s->release, "the release", "UPDATE object SET release = ? WHERE id = ?",
      false },
    { s->os, "the OS", "UPDATE object SET os = ? WHERE id = ?", false },
    { s->owner, "the owner", "UPDATE object SET owner = ? WHERE id = ?",
      false },
    { s->description, "the description",
      "UPDATE object SET description = ? WHERE id = ?", false },
    { s->enabled ? (*s->enabled ? "1" : "0") : NULL, "the state",
      "UPDATE object SET enabled = CAST (? AS BIGINT) WHERE id = ?", false },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    if (fields[i].value != NULL &&
        (lib_check_text (fields[i].what, fields[i].value, fields[i].one_line,
                         err) == -1 ||
         v2v_catalogue_run (lib->cat, NULL, err, fields[i].sql, fields[i].value,
                            id, V2V_QUERY_END) == -1))
      return -1;
  return 0;
}

static int
set_tags (struct v2v_library *lib, const char *id, const char *list, bool add,
          struct v2v_error **err)
{
  while (list != NULL && *list != '\0') {
    const size_t n = strcspn (list, ",");
    CLEANUP_FREE char *tag = strndup (list, n);

    if (tag == NULL)
      return v2v_fail_nomem (err);
    if (n > 0 && (lib_check_text ("a tag", tag, true, err) == -1 ||
                  v2v_catalogue_run (
                      lib->cat, NULL, err,
                      add ? "INSERT INTO tag (object, name) VALUES (?, ?) "
                            "ON CONFLICT DO NOTHING"
                          : "DELETE FROM tag WHERE object = ? AND name = ?",
                      id, tag, V2V_QUERY_END) == -1))
      return -1;
    list += n + (list[n] == ',');
  }
  return 0;
}

int
lib_set_in_transaction (struct v2v_library *lib, const char *id,
                        const struct v2v_library_set *set,
                        struct v2v_error **err)
{
  return set_fields (lib, id, set, err) == -1 ||
                 set_tags (lib, id, set->remove_tags, false, err) == -1 ||
                 set_tags (lib, id, set->add_tags, true, err) == -1
             ? -1
             : 0;
}

int
v2v_library_set (struct v2v_library *lib, const char *id,
                 const struct v2v_library_set *set, struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };

  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (v2v_library_object (lib, id, &o, err) == -1 ||
      lib_need (lib, o.name_space, V2V_ROLE_AUTHOR, o.name, err) == -1 ||
      (set->name_space != NULL &&
       lib_need (lib, set->name_space, V2V_ROLE_AUTHOR, o.name, err) == -1) ||
      lib_set_in_transaction (lib, id, set, err) == -1 ||
      lib_meta_note (lib, id, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  if (v2v_catalogue_commit (lib->cat, err) == -1)
    return -1;
  lib_meta_flush (lib);
  return 0;
}

/* ---- relations ---- */

int
lib_relate_in_transaction (struct v2v_library *lib, const char *id,
                           const char *role, const char *label, const char *to,
                           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = NULL;
  int r;

  if (lib_check_text ("the role of a relation", role, true, err) == -1 ||
      lib_check_text ("the label of a relation", label, false, err) == -1)
    return -1;
  /* Does what it would need need it already? */
  q = v2v_query_new (
      lib->cat,
      "WITH RECURSIVE needs (id) AS (SELECT CAST (? AS TEXT) UNION "
      "SELECT relation.other FROM relation JOIN needs ON "
      "relation.object = needs.id) SELECT 1 FROM needs WHERE id = ?",
      err);
  if (q == NULL)
    return -1;
  v2v_query_text (q, to);
  v2v_query_text (q, id);
  r = v2v_query_step (q, err);
  if (r == 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%.8s cannot need %.8s, which needs it", id, to);
  if (r == -1)
    return -1;
  return v2v_catalogue_run (
      lib->cat, NULL, err,
      "INSERT INTO relation (object, role, label, other) VALUES (?, ?, ?, ?) "
      "ON CONFLICT DO NOTHING",
      id, role, label, to, V2V_QUERY_END);
}

int
v2v_library_relate (struct v2v_library *lib, const char *id, const char *role,
                    const char *label, const char *to, struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (lib_need_object (lib, id, V2V_ROLE_AUTHOR, "relating", err) == -1 ||
      lib_relate_in_transaction (lib, id, role, label, to, err) == -1 ||
      lib_meta_note (lib, id, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  if (v2v_catalogue_commit (lib->cat, err) == -1)
    return -1;
  lib_meta_flush (lib);
  return 0;
}

/* ---- removing ---- */

/* The names of the machines that were deployed on ID, up to five. */
static int
count_machines (struct v2v_library *lib, const char *id, size_t *ret,
                struct v2v_str *names, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT machine.name FROM machine JOIN machine_base ON "
      "machine_base.machine = machine.id WHERE machine_base.object = ? "
      "ORDER BY machine.name",
      err);
  int r;

  *ret = 0;
  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1)
    if (++*ret <= 5 &&
        v2v_str_printf (names, "%smachine '%s'", names->len ? ", " : "",
                        v2v_query_get_text (q, 0)) == -1)
      return v2v_fail_nomem (err);
  return r;
}

static bool
is_pinned (const struct v2v_object *o)
{
  for (size_t i = 0; i < o->nr_tags; ++i)
    if (strcmp (o->tags[i], V2V_TAG_PINNED) == 0)
      return true;
  return false;
}

/* What needs it: objects, and machines that were deployed. */
static int
refuse_needed (struct v2v_library *lib, const struct v2v_object *o,
               struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  char also[64] = "";
  size_t nr_machines;

  for (size_t i = 0; i < o->nr_users && i < 5; ++i)
    if (v2v_str_printf (&s, "%s%s '%s'", i ? ", " : "",
                        v2v_object_kind_name (o->users[i].kind),
                        o->users[i].name) == -1)
      return v2v_fail_nomem (err);
  if (count_machines (lib, o->id, &nr_machines, &s, err) == -1)
    return -1;
  if (o->nr_users == 0 && nr_machines == 0) {
    if (!is_pinned (o))
      return 0;
    v2v_fail (err, V2V_ERR_USAGE, "'%s' is pinned", o->name);
    return v2v_hint (err, "'v2v base unpin %.8s' lets it go", o->id);
  }
  if (nr_machines > 0)
    snprintf (also, sizeof also, "%s%zu machine%s",
              o->nr_users > 0 ? " and " : "", nr_machines,
              nr_machines == 1 ? "" : "s");
  if (o->nr_users > 0)
    v2v_fail (err, V2V_ERR_USAGE, "'%s' is needed by %zu object%s%s: %s%s",
              o->name, o->nr_users, o->nr_users == 1 ? "" : "s", also, s.ptr,
              o->nr_users > 5 || nr_machines > 5 ? ", ..." : "");
  else
    v2v_fail (err, V2V_ERR_USAGE, "'%s' is needed by %s: %s%s", o->name, also,
              s.ptr, nr_machines > 5 ? ", ..." : "");
  return v2v_hint (err,
                   "'v2v library where-used %.8s' lists the objects; --force "
                   "removes it all the same",
                   o->id);
}

/* A location of the object that goes. */
struct place {
  char *share, *path;
};
V2V_VECTOR (place_vector, struct place);

static void
places_clear (place_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].share);
    free (v->ptr[i].path);
  }
  free (v->ptr);
}

static int
find_places (struct v2v_library *lib, const char *id, place_vector *ret,
             struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT share, path FROM location WHERE object = ? ORDER BY share", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct place p = { strdup (v2v_query_get_text (q, 0)),
                       strdup (v2v_query_get_text (q, 1)) };

    if (place_vector_append (ret, p) == -1) {
      free (p.share);
      free (p.path);
      return v2v_fail_nomem (err);
    }
    if (p.share == NULL || p.path == NULL)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* The intents, one for each share, and no rows any more. */
static int
note_places (struct v2v_library *lib, const char *id,
             const place_vector *places, struct v2v_error **err)
{
  struct lib_intent in = LIB_INTENT_INIT;
  int r = 0;

  for (size_t i = 0; r == 0 && i < places->len; ++i) {
    const struct place *p = &places->ptr[i];

    if (i == 0 || strcmp (p->share, places->ptr[i - 1].share) != 0) {
      struct v2v_share share = { 0 };

      r = lib_find_share (lib, p->share, &share, err);
      if (r == 0)
        r = lib_intent_note (lib, "remove", &share, &in, err);
      lib_share_clear (&share);
    }
    if (r == 0)
      r = lib_intent_note_file (lib, &in, p->path, err);
  }
  lib_intent_close (&in); /* what it says is in the catalogue */
  if (r == -1)
    return -1;
  return v2v_catalogue_run (lib->cat, NULL, err,
                            "DELETE FROM relation WHERE other = ?", id,
                            V2V_QUERY_END) == -1 ||
                 v2v_catalogue_run (lib->cat, NULL, err,
                                    "DELETE FROM machine_base WHERE object = ?",
                                    id, V2V_QUERY_END) == -1 ||
                 v2v_catalogue_run (lib->cat, NULL, err,
                                    "DELETE FROM object WHERE id = ?", id,
                                    V2V_QUERY_END) == -1
             ? -1
             : 0;
}

int
lib_remove_in_transaction (struct v2v_library *lib, const char *id,
                           struct v2v_error **err)
{
  __attribute__ ((cleanup (places_clear))) place_vector places =
      V2V_VECTOR_INIT;

  return lib_meta_note (lib, id, err) == -1 ||
                 lib_meta_note_users (lib, id, err) == -1 ||
                 find_places (lib, id, &places, err) == -1 ||
                 note_places (lib, id, &places, err) == -1
             ? -1
             : 0;
}

int
v2v_library_remove (struct v2v_library *lib, const char *id, bool force,
                    struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };

  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (v2v_library_object (lib, id, &o, err) == -1 ||
      lib_need (lib, o.name_space, V2V_ROLE_AUTHOR, o.name, err) == -1 ||
      (!force && refuse_needed (lib, &o, err) == -1) ||
      lib_remove_in_transaction (lib, id, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  if (v2v_catalogue_commit (lib->cat, err) == -1)
    return -1;
  lib_meta_flush (lib);
  return lib_finish_removals (lib, err);
}
