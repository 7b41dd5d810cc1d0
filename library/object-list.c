/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of objects by a filter.  What is asked most, names and what needs an
 * object, is in indices: a list costs what it prints, not what is there.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/library-internal.h"

/* The catalogue's lower () is that of ASCII. */
static char
to_lower (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* NAME in small letters; the caller frees. */
static char *
lower_name (const char *name)
{
  char *s = strdup (name);

  for (char *p = s; p != NULL && *p != '\0'; ++p)
    *p = to_lower (*p);
  return s;
}

/* "*" and "?" of a pattern for LIKE ... ESCAPE '!', in small letters; the
 * caller frees. */
static char *
like_pattern (const char *pattern)
{
  struct v2v_str s = V2V_STR_INIT;

  if (v2v_str_append (&s, "") == -1)
    return NULL;
  for (; *pattern != '\0'; ++pattern) {
    const char c[3] = { '!', to_lower (*pattern), '\0' };
    const char *piece = *pattern == '*'            ? "%"
                        : *pattern == '?'          ? "_"
                        : strchr ("%_!", *pattern) ? c
                                                   : c + 1;

    if (v2v_str_append (&s, piece) == -1) {
      v2v_str_free (&s);
      return NULL;
    }
  }
  return s.ptr;
}

/* A pattern that begins with "web" is for names from "web" on and before
 * "wec".  Only as far as it is ASCII: what is compared has to be UTF-8. */
struct range {
  char *from, *before; /* NULL: any */
};

static void
range_clear (struct range *r)
{
  free (r->from);
  free (r->before);
}

static int
range_of (const char *pattern, struct range *ret)
{
  size_t n = strcspn (pattern, "*?");

  for (size_t i = 0; i < n; ++i)
    if ((unsigned char) pattern[i] >= 0x7f)
      n = i;
  *ret = (struct range){ NULL, NULL };
  if (n == 0)
    return 0;
  ret->from = strndup (pattern, n);
  if (ret->from == NULL)
    return -1;
  for (size_t i = 0; i < n; ++i)
    ret->from[i] = to_lower (ret->from[i]);
  ret->before = strdup (ret->from);
  if (ret->before == NULL)
    return -1;
  ret->before[n - 1]++;
  return 0;
}

/* " AND CONDITION" for each member that is set; VALUES are what they need. */
struct where {
  struct v2v_str sql;
  const char *values[24]; /* more than a filter has members, and a range */
  size_t n;
  char *like, *exact;
  struct range range;
  bool failed;
};

static void
where_clear (struct where *w)
{
  v2v_str_free (&w->sql);
  free (w->like);
  free (w->exact);
  range_clear (&w->range);
}

static void
add_condition (struct where *w, const char *value, const char *condition)
{
  if (value == NULL)
    return;
  if (v2v_str_printf (&w->sql, " AND %s", condition) == -1)
    w->failed = true;
  if (strchr (condition, '?') != NULL)
    w->values[w->n++] = value;
}

/* What the index of names can be used for comes first. */
static void
add_names (struct where *w, const struct v2v_library_filter *f)
{
  if (f->name != NULL) {
    w->like = like_pattern (f->name);
    w->failed |= w->like == NULL || range_of (f->name, &w->range) == -1;
    add_condition (w, w->range.from, "lower (name) >= ?");
    add_condition (w, w->range.before, "lower (name) < ?");
    add_condition (w, w->like, "lower (name) LIKE ? ESCAPE '!'");
  }
  if (f->exact_name != NULL) {
    w->exact = lower_name (f->exact_name);
    w->failed |= w->exact == NULL;
    add_condition (w, w->exact, "lower (name) = ?");
    /* "name = ?" would let SQLite compute lower (name) beforehand, and then
     * it finds no index for that. */
    add_condition (w, f->exact_name, "name BETWEEN ? AND ?");
    w->values[w->n++] = f->exact_name;
  }
}

static int
build_where (struct where *w, const struct v2v_library_filter *f,
             struct v2v_error **err)
{
  static const struct {
    const char *word, *condition;
  } words[] = {
    { "ok", "state = 0" },         { "missing", "state = 1" },
    { "changed", "state = 2" },    { "enabled", "enabled = 1" },
    { "disabled", "enabled = 0" },
  };
  size_t i = 0;

  add_condition (w, f->kind, "kind = ?");
  add_names (w, f);
  add_condition (w, f->family, "family = ?");
  add_condition (w, f->release, "release = ?");
  add_condition (w, f->name_space, "namespace = ?");
  add_condition (w, f->os, "os = ?");
  add_condition (w, f->owner, "owner = ?");
  add_condition (w, f->tag,
                 "id IN (SELECT object FROM tag WHERE tag.name = ?)");
  add_condition (w, f->digest, "(digest = ? ");
  if (f->digest != NULL) {
    w->values[w->n++] = f->digest;
    w->failed |= v2v_str_append (&w->sql, "OR content = ?)") == -1;
  }
  add_condition (w, f->disk_id, "disk_id = ?");
  add_condition (w, f->needs,
                 f->indirectly
                     ? "id IN (WITH RECURSIVE needing (id) AS (SELECT object "
                       "FROM relation WHERE other = ? UNION SELECT "
                       "relation.object FROM relation JOIN needing ON "
                       "relation.other = needing.id) SELECT id FROM needing)"
                     : "id IN (SELECT object FROM relation WHERE other = ?)");
  while (f->state != NULL && i < V2V_ARRAY_SIZE (words) &&
         strcmp (words[i].word, f->state) != 0)
    i++;
  if (i == V2V_ARRAY_SIZE (words))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s' is no state: ok, missing, changed, enabled or "
                     "disabled",
                     f->state);
  if (f->state != NULL)
    add_condition (w, "", words[i].condition);
  return w->failed ? v2v_fail_nomem (err) : 0;
}

int
v2v_library_each (struct v2v_library *lib,
                  const struct v2v_library_filter *filter, v2v_object_fn *fn,
                  void *arg, struct v2v_error **err)
{
  static const struct v2v_library_filter any;
  const struct v2v_library_filter *f = filter ? filter : &any;
  CLEANUP_STR struct v2v_str sql = V2V_STR_INIT;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  __attribute__ ((cleanup (where_clear))) struct where w = { .sql =
                                                                 V2V_STR_INIT };
  enum v2v_object_kind kind;
  int r;

  if (f->kind != NULL && !v2v_object_kind_parse (f->kind, &kind))
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is no kind of object", f->kind);
  if (build_where (&w, f, err) == -1)
    return -1;
  if (v2v_str_printf (&sql,
                      "SELECT " LIB_OBJECT_COLUMNS
                      " FROM object WHERE 1 = 1%s ORDER BY "
                      "lower (name), name, kind, created, id",
                      w.sql.ptr ? w.sql.ptr : "") == -1)
    return v2v_fail_nomem (err);
  if (lib_access_load (lib, err) == -1)
    return -1;
  q = v2v_query_stream (lib->cat, sql.ptr, err);
  if (q == NULL)
    return -1;
  for (size_t i = 0; i < w.n; ++i)
    v2v_query_text (q, w.values[i]);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct v2v_object o;
    enum v2v_role role;

    lib_borrow_object (q, &o);
    if (v2v_library_role (lib, o.name_space, &role, err) == -1)
      return -1;
    if (role < V2V_ROLE_READ)
      continue;
    r = fn (arg, &o, err);
    if (r != 0)
      return r;
  }
  return r;
}

V2V_VECTOR (object_vector, struct v2v_object);

static int
collect (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  object_vector *list = arg;
  struct v2v_object own;

  if (lib_copy_object (o, &own, err) == -1)
    return -1;
  if (object_vector_append (list, own) == 0)
    return 0;
  v2v_object_clear (&own);
  return v2v_fail_nomem (err);
}

int
v2v_library_list (struct v2v_library *lib,
                  const struct v2v_library_filter *filter,
                  struct v2v_objects *ret, struct v2v_error **err)
{
  object_vector list = V2V_VECTOR_INIT;
  const int r = v2v_library_each (lib, filter, collect, &list, err);

  ret->ptr = list.ptr;
  ret->len = list.len;
  if (r == -1)
    v2v_objects_clear (ret);
  return r;
}
