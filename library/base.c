/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which disks are bases, who needs them, and which of them nobody does. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "library/base.h"
#include "library/library-internal.h"

/* ---- reading ---- */

#define SELECT_BASE                                                            \
  "SELECT o.id, o.name, o.format, o.size, o.virtual_size, o.state, "           \
  "o.enabled, o.created, "                                                     \
  "(SELECT COUNT (*) FROM relation r WHERE r.other = o.id AND "                \
  "r.role = 'parent'), "                                                       \
  "(SELECT COUNT (DISTINCT r.object) FROM relation r WHERE r.other = o.id "    \
  "AND r.role <> 'parent' AND r.role <> 'provenance'), "                       \
  "(SELECT COUNT (*) FROM machine_base m WHERE m.object = o.id), "             \
  "(SELECT COUNT (*) FROM (SELECT l.share FROM location l WHERE "              \
  "l.object = o.id AND l.state = 0 GROUP BY l.share HAVING "                   \
  "COUNT (DISTINCT l.seq) = (SELECT COUNT (*) FROM file f WHERE "              \
  "f.object = o.id)) AS good), "                                               \
  "(SELECT COUNT (*) FROM host_base h WHERE h.object = o.id), "                \
  "(SELECT COUNT (*) FROM tag t WHERE t.object = o.id AND "                    \
  "t.name = 'pinned'), "                                                       \
  "COALESCE ((SELECT MIN (r.other) FROM relation r WHERE r.object = o.id "     \
  "AND r.role = 'parent'), '') FROM object o WHERE o.kind = 'disk' AND "

static const char *const conditions[] = {
  [V2V_BASE_IN_USE] =
      "(EXISTS (SELECT 1 FROM relation r JOIN object u ON u.id = r.object "
      "WHERE r.other = o.id AND (r.role = 'parent' OR "
      "u.kind = 'vm-template')) "
      "OR EXISTS (SELECT 1 FROM machine_base m WHERE m.object = o.id) "
      "OR EXISTS (SELECT 1 FROM tag t WHERE t.object = o.id AND "
      "t.name = 'pinned')) ORDER BY o.name, o.id",
  [V2V_BASE_UNUSED] =
      "NOT EXISTS (SELECT 1 FROM relation r WHERE r.other = o.id AND "
      "r.role <> 'provenance') "
      "AND NOT EXISTS (SELECT 1 FROM machine_base m WHERE m.object = o.id) "
      "AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.object = o.id AND "
      "t.name = 'pinned') ORDER BY o.name, o.id",
};

static void
base_clear (struct v2v_base *b)
{
  free (b->id);
  free (b->name);
  free (b->format);
  free (b->parent);
}

static int
read_base (struct v2v_query *q, struct v2v_base *b, struct v2v_error **err)
{
  const int64_t state = v2v_query_get_int (q, 5);

  *b = (struct v2v_base){
    .id = strdup (v2v_query_get_text (q, 0)),
    .name = strdup (v2v_query_get_text (q, 1)),
    .format = strdup (v2v_query_get_text (q, 2)),
    .size_bytes = (uint64_t) v2v_query_get_int (q, 3),
    .virtual_bytes = (uint64_t) v2v_query_get_int (q, 4),
    .state = state >= 0 && state <= V2V_LOCATION_CHANGED
                 ? (enum v2v_location_state) state
                 : V2V_LOCATION_CHANGED,
    .enabled = v2v_query_get_int (q, 6) != 0,
    .created = v2v_query_get_int (q, 7),
    .nr_children = (uint64_t) v2v_query_get_int (q, 8),
    .nr_users = (uint64_t) v2v_query_get_int (q, 9),
    .nr_machines = (uint64_t) v2v_query_get_int (q, 10),
    .nr_copies = (uint64_t) v2v_query_get_int (q, 11),
    .nr_hosts = (uint64_t) v2v_query_get_int (q, 12),
    .pinned = v2v_query_get_int (q, 13) != 0,
    .parent = strdup (v2v_query_get_text (q, 14)),
  };
  if (b->id && b->name && b->format && b->parent)
    return 0;
  base_clear (b);
  return v2v_fail_nomem (err);
}

static int
each (struct v2v_query *q, v2v_base_fn *fn, void *arg, struct v2v_error **err)
{
  int r;

  while ((r = v2v_query_step (q, err)) == 1) {
    struct v2v_base b;

    if (read_base (q, &b, err) == -1)
      return -1;
    r = fn (arg, &b, err);
    base_clear (&b);
    if (r != 0)
      return r;
  }
  return r;
}

int
v2v_base_each (struct v2v_library *lib, enum v2v_base_filter filter,
               v2v_base_fn *fn, void *arg, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str sql = V2V_STR_INIT;
  CLEANUP_QUERY struct v2v_query *q = NULL;

  if (v2v_str_append (&sql, SELECT_BASE) == -1 ||
      v2v_str_append (&sql, conditions[filter]) == -1)
    return v2v_fail_nomem (err);
  q = v2v_query_new (lib->cat, sql.ptr, err);
  return q == NULL ? -1 : each (q, fn, arg, err);
}

int
v2v_base_get (struct v2v_library *lib, const char *id, v2v_base_fn *fn,
              void *arg, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat, SELECT_BASE "o.id = ?", err);
  CLEANUP_FREE char *kind = NULL;

  if (q == NULL ||
      lib_lookup (lib, &kind, err, "SELECT kind FROM object WHERE id = ?", id,
                  V2V_QUERY_END) == -1)
    return -1;
  if (kind == NULL || strcmp (kind, "disk") != 0)
    return v2v_fail (err, V2V_ERR_USAGE, "%.8s is no disk", id);
  v2v_query_text (q, id);
  return each (q, fn, arg, err);
}

struct v2v_json *
v2v_base_to_json (const struct v2v_base *b)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "id", b->id);
  v2v_json_set_string (o, "name", b->name);
  v2v_json_set_string (o, "format", b->format);
  v2v_json_set_string (o, "state", v2v_location_state_name (b->state));
  v2v_json_set_bool (o, "enabled", b->enabled);
  v2v_json_set_bool (o, "pinned", b->pinned);
  v2v_json_set_u64 (o, "size_bytes", b->size_bytes);
  v2v_json_set_u64 (o, "virtual_bytes", b->virtual_bytes);
  v2v_json_set_u64 (o, "created", (uint64_t) b->created);
  if (b->parent[0] != '\0')
    v2v_json_set_string (o, "parent", b->parent);
  v2v_json_set_u64 (o, "children", b->nr_children);
  v2v_json_set_u64 (o, "users", b->nr_users);
  v2v_json_set_u64 (o, "machines", b->nr_machines);
  v2v_json_set_u64 (o, "copies", b->nr_copies);
  v2v_json_set_u64 (o, "hosts", b->nr_hosts);
  return o;
}

int
v2v_base_findings (const struct v2v_base *b, struct v2v_findings *f)
{
  const uint64_t n = b->nr_children + b->nr_users + b->nr_machines;

  if (b->nr_copies == 0)
    return v2v_findings_add (
        f, V2V_CRITICAL, "library.base.no-copy", b->name,
        "bring a share back that has it; 'v2v library repair' looks for it",
        "no share has all of it as it was, and %" PRIu64 " %s it", n,
        n == 1 ? "needs" : "need");
  if (b->nr_copies == 1)
    return v2v_findings_add (
        f, V2V_WARNING, "library.base.single-copy", b->name,
        "'v2v library copy' makes a second one, on another share",
        "one share has it, and %" PRIu64 " %s it", n,
        n == 1 ? "needs" : "need");
  return 0;
}

int
v2v_base_pin (struct v2v_library *lib, const char *id, bool pin,
              struct v2v_error **err)
{
  const struct v2v_library_set set = {
    .add_tags = pin ? V2V_TAG_PINNED : NULL,
    .remove_tags = pin ? NULL : V2V_TAG_PINNED,
  };

  return v2v_library_set (lib, id, &set, err);
}

/* ---- gc ---- */

struct gc {
  struct v2v_library *lib;
  int64_t before; /* created at this time or earlier */
  struct v2v_base *ptr;
  size_t len;
};

static void
gc_clear (struct gc *g)
{
  for (size_t i = 0; i < g->len; ++i)
    base_clear (&g->ptr[i]);
  free (g->ptr);
}

static bool
goes (const struct gc *g, const char *id)
{
  for (size_t i = 0; i < g->len; ++i)
    if (strcmp (g->ptr[i].id, id) == 0)
      return true;
  return false;
}

/* Takes the strings of B, if it goes. */
static int
consider (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct gc *g = arg;
  struct v2v_base *writable = (struct v2v_base *) b, *p;

  if (b->created > g->before || b->nr_hosts > 0 || b->pinned ||
      b->nr_machines > 0 || goes (g, b->id))
    return 0;
  p = reallocarray (g->ptr, g->len + 1, sizeof *p);
  if (p == NULL)
    return v2v_fail_nomem (err);
  g->ptr = p;
  p[g->len++] = *b;
  memset (writable, 0, sizeof *writable);
  return 0;
}

/* Is all that needs ID among what goes? */
static int
is_left_alone (struct gc *g, const char *id, bool *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      g->lib->cat, "SELECT object FROM relation WHERE other = ?", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  *ret = true;
  while ((r = v2v_query_step (q, err)) == 1)
    *ret = *ret && goes (g, v2v_query_get_text (q, 0));
  return r;
}

/* Children first: a parent follows what was on it. */
static int
plan (struct gc *g, struct v2v_error **err)
{
  if (v2v_base_each (g->lib, V2V_BASE_UNUSED, consider, g, err) == -1)
    return -1;
  for (size_t i = 0; i < g->len; ++i) {
    bool alone;

    if (g->ptr[i].parent[0] == '\0')
      continue;
    if (is_left_alone (g, g->ptr[i].parent, &alone, err) == -1 ||
        (alone &&
         v2v_base_get (g->lib, g->ptr[i].parent, consider, g, err) == -1))
      return -1;
  }
  return 0;
}

static int
remove_one (struct gc *g, const struct v2v_base *b, bool dry_run,
            v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
            struct v2v_error **err)
{
  struct v2v_upkeep_item item = {
    .what = "removed", .id = b->id, .name = b->name, .path = b->name
  };
  struct v2v_error *e = NULL;
  int r;

  /* Somebody may need it by now: then it is refused. */
  if (!dry_run && v2v_library_remove (g->lib, b->id, false, &e) == -1) {
    if (v2v_error_code (e) != V2V_ERR_USAGE)
      return v2v_error_move (err, e);
    item.what = "kept";
    item.message = v2v_error_message (e);
    ret->nr_bad++;
  }
  else {
    ret->nr_done++;
    ret->bytes += b->size_bytes;
  }
  r = fn == NULL ? 0 : fn (arg, &item, err);
  v2v_error_free (e);
  return r;
}

int
v2v_base_gc (struct v2v_library *lib, uint64_t age_seconds,
             const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn, void *arg,
             struct v2v_upkeep_result *ret, struct v2v_error **err)
{
  __attribute__ ((cleanup (gc_clear))) struct gc g = { .lib = lib };
  const double begin = lib_seconds ();

  memset (ret, 0, sizeof *ret);
  g.before = (int64_t) time (NULL) - (int64_t) age_seconds;
  if (plan (&g, err) == -1)
    return -1;
  for (size_t i = 0; i < g.len; ++i)
    if (remove_one (&g, &g.ptr[i], opts != NULL && opts->dry_run, fn, arg, ret,
                    err) == -1)
      return -1;
  ret->nr_objects = g.len;
  ret->seconds = lib_seconds () - begin;
  return 0;
}
