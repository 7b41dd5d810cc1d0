/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines that were deployed, as the catalogue knows them. */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/computer-names.h"
#include "library/deploy-internal.h"

/* A beginning of an id that is shorter could be anybody's name. */
#define MIN_ID 8

void
v2v_deployed_clear (struct v2v_deployed *m)
{
  free (m->id);
  free (m->name);
  free (m->computer_name);
  free (m->host);
  free (m->folder);
  free (m->vm_template);
  free (m->template_digest);
  free (m->service);
  free (m->tier);
  free (m->state);
  free (m->owner);
  v2v_json_free (m->provenance);
  memset (m, 0, sizeof *m);
}

struct v2v_json *
v2v_deployed_to_json (const struct v2v_deployed *m)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "id", m->id);
  v2v_json_set_string (o, "name", m->name);
  v2v_json_set_string (o, "computer_name", m->computer_name);
  v2v_json_set_string (o, "state", m->state);
  v2v_json_set_string (o, "host", m->host);
  v2v_json_set_string (o, "folder", m->folder);
  v2v_json_set_string (o, "template", m->vm_template);
  v2v_json_set_string (o, "template_digest", m->template_digest);
  v2v_json_set_string (o, "service", m->service);
  v2v_json_set_string (o, "tier", m->tier);
  v2v_json_set_u64 (o, "ordinal", m->ordinal);
  v2v_json_set_string (o, "owner", m->owner);
  v2v_json_set_u64 (o, "created", (uint64_t) m->created);
  if (m->provenance != NULL)
    v2v_json_set (o, "provenance", v2v_json_ref (m->provenance));
  return o;
}

/* ---- reading ---- */

#define COLUMNS                                                                \
  "id, name, computer_name, host, folder, template, template_digest, "         \
  "service, tier, state, owner, provenance, ordinal, created"

static int
read_row (struct v2v_query *q, struct v2v_deployed *m, struct v2v_error **err)
{
  char **const texts[] = {
    &m->id,     &m->name,        &m->computer_name,   &m->host,
    &m->folder, &m->vm_template, &m->template_digest, &m->service,
    &m->tier,   &m->state,       &m->owner,
  };
  const char *provenance;

  memset (m, 0, sizeof *m);
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (texts); ++i) {
    const char *s = v2v_query_get_text (q, i);

    *texts[i] = strdup (s != NULL ? s : "");
    if (*texts[i] == NULL) {
      v2v_deployed_clear (m);
      return v2v_fail_nomem (err);
    }
  }
  /* Others can write to the catalogue: what is no JSON is not there. */
  provenance = v2v_query_get_text (q, V2V_ARRAY_SIZE (texts));
  if (provenance != NULL && provenance[0] != '\0')
    m->provenance =
        v2v_json_parse (provenance, strlen (provenance), "provenance", NULL);
  m->ordinal = (unsigned) v2v_query_get_int (q, 12);
  m->created = v2v_query_get_int (q, 13);
  return 0;
}

struct where {
  struct v2v_str sql;
  const char *values[16];
  size_t n;
  bool failed;
};

static void
add_condition (struct where *w, const char *value, const char *condition)
{
  if (value == NULL)
    return;
  if (v2v_str_printf (&w->sql, " AND %s", condition) == -1)
    w->failed = true;
  w->values[w->n++] = value;
}

int
v2v_deployed_each (struct v2v_library *lib,
                   const struct v2v_deployed_filter *filter,
                   v2v_deployed_fn *fn, void *arg, struct v2v_error **err)
{
  static const struct v2v_deployed_filter any;
  const struct v2v_deployed_filter *f = filter != NULL ? filter : &any;
  CLEANUP_STR struct v2v_str sql = V2V_STR_INIT;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  struct where w = { .sql = V2V_STR_INIT };
  int r = 0;

  /* Not LIKE: '_' and '%' are nothing special in an id. */
  add_condition (&w, f->id, "substr (id, 1, length (CAST (? AS TEXT))) = ");
  if (f->id != NULL) {
    w.failed |= v2v_str_append (&w.sql, "?") == -1;
    w.values[w.n++] = f->id;
  }
  add_condition (&w, f->name, "name = ?");
  add_condition (&w, f->computer_name, "lower (computer_name) = lower (?)");
  add_condition (&w, f->host, "host = ?");
  add_condition (&w, f->service, "service = ?");
  add_condition (&w, f->tier, "tier = ?");
  add_condition (&w, f->vm_template, "template = ?");
  add_condition (&w, f->state, "state = ?");
  add_condition (&w, f->object,
                 "id IN (SELECT machine FROM machine_base WHERE object = ?)");
  if (w.failed ||
      v2v_str_printf (&sql,
                      "SELECT " COLUMNS " FROM machine WHERE 1 = 1%s "
                      "ORDER BY name, created, id",
                      w.sql.ptr != NULL ? w.sql.ptr : "") == -1)
    r = v2v_fail_nomem (err);
  v2v_str_free (&w.sql);
  if (r == -1 || (q = v2v_query_new (lib->cat, sql.ptr, err)) == NULL)
    return -1;
  for (size_t i = 0; i < w.n; ++i)
    v2v_query_text (q, w.values[i]);
  while ((r = v2v_query_step (q, err)) == 1) {
    CLEANUP_DEPLOYED struct v2v_deployed m;

    if (read_row (q, &m, err) == -1)
      return -1;
    r = fn (arg, &m, err);
    if (r != 0)
      return r;
  }
  return r;
}

/* ---- finding one ---- */

struct search {
  struct v2v_deployed first;
  size_t n;
  struct v2v_str names; /* of those found, for a message */
};

static int
note_found (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  struct search *s = arg;
  struct v2v_deployed *writable = (struct v2v_deployed *) (uintptr_t) m;

  if (s->n < 5 && v2v_str_printf (&s->names, "%s%.8s (%s)", s->n ? ", " : "",
                                  m->id, m->name) == -1)
    return v2v_fail_nomem (err);
  if (s->n++ == 0) {
    s->first = *m;
    memset (writable, 0, sizeof *writable); /* its strings are ours now */
  }
  return 0;
}

/* 1: found; 0: there is none. */
static int
find_by (struct v2v_library *lib, const char *ref,
         const struct v2v_deployed_filter *filter, struct v2v_deployed *ret,
         struct v2v_error **err)
{
  struct search s = { .names = V2V_STR_INIT };
  int r = v2v_deployed_each (lib, filter, note_found, &s, err);

  if (r == 0 && s.n > 1) {
    r = v2v_fail (err, V2V_ERR_USAGE, "'%s' could be any of %zu machines: %s%s",
                  ref, s.n, s.names.ptr, s.n > 5 ? ", ..." : "");
    v2v_hint (err, "say its id");
  }
  v2v_str_free (&s.names);
  if (r == 0 && s.n == 1) {
    *ret = s.first;
    return 1;
  }
  v2v_deployed_clear (&s.first);
  return r;
}

int
v2v_deployed_find (struct v2v_library *lib, const char *ref,
                   struct v2v_deployed *ret, struct v2v_error **err)
{
  const struct v2v_deployed_filter by[] = {
    { .id = ref },
    { .name = ref },
    { .computer_name = ref },
  };
  const bool is_id = strlen (ref) >= MIN_ID && strlen (ref) <= 36 &&
                     ref[strspn (ref, "0123456789abcdef-")] == '\0';

  for (size_t i = is_id ? 0 : 1; i < V2V_ARRAY_SIZE (by); ++i) {
    const int r = find_by (lib, ref, &by[i], ret, err);

    if (r != 0)
      return r == 1 ? 0 : -1;
  }
  v2v_fail (err, V2V_ERR_USAGE, "no machine of the library is called '%s'",
            ref);
  return v2v_hint (err, "'v2v vm ls' lists them");
}

static int
add_base (struct v2v_library *lib, const char *id, struct v2v_objects *list,
          struct v2v_error **err)
{
  struct v2v_object *p =
      reallocarray (list->ptr, list->len + 1, sizeof *list->ptr);

  if (p == NULL)
    return v2v_fail_nomem (err);
  list->ptr = p;
  if (v2v_library_object (lib, id, &p[list->len], err) == -1)
    return -1;
  list->len++;
  return 0;
}

int
v2v_deployed_bases (struct v2v_library *lib, const char *id,
                    struct v2v_objects *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT object FROM machine_base WHERE machine = ? ORDER BY object", err);
  struct v2v_objects list = { 0 };
  int r = -1;

  if (q != NULL)
    v2v_query_text (q, id);
  while (q != NULL && (r = v2v_query_step (q, err)) == 1)
    if (add_base (lib, v2v_query_get_text (q, 0), &list, err) == -1) {
      r = -1;
      break;
    }
  if (r == -1) {
    v2v_objects_clear (&list);
    return -1;
  }
  *ret = list;
  return 0;
}

/* ---- writing, in a transaction ---- */

/* Two names with one host are one: see computer-names.c. */
static char *
key_of (const char *computer_name)
{
  char *key = strndup (computer_name, strcspn (computer_name, "."));

  for (char *p = key; p != NULL && *p != '\0'; ++p)
    *p = (char) tolower ((unsigned char) *p);
  return key;
}

/* Names that begin as PATTERN does. */
static int
taken_names (struct v2v_library *lib, const char *pattern, lib_strings *ret,
             struct v2v_error **err)
{
  CLEANUP_FREE char *begin = strndup (pattern, strcspn (pattern, "#."));
  CLEANUP_QUERY struct v2v_query *q = NULL;
  int r;

  if (begin == NULL)
    return v2v_fail_nomem (err);
  for (char *p = begin; *p != '\0'; ++p)
    *p = (char) tolower ((unsigned char) *p);
  q = v2v_query_new (
      lib->cat,
      "SELECT name FROM computer_name WHERE substr (name, 1, length (CAST (? AS TEXT))) = ?",
      err);
  if (q == NULL)
    return -1;
  v2v_query_text (q, begin);
  v2v_query_text (q, begin);
  while ((r = v2v_query_step (q, err)) == 1) {
    char *name = strdup (v2v_query_get_text (q, 0));

    if (name == NULL || lib_strings_append (ret, name) == -1) {
      free (name);
      return v2v_fail_nomem (err);
    }
  }
  return r;
}

int
deployed_next_name (struct v2v_library *lib, const char *pattern, bool windows,
                    char **ret, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings taken =
      V2V_VECTOR_INIT;

  if (taken_names (lib, pattern, &taken, err) == -1)
    return -1;
  if (lib_strings_append (&taken, NULL) == -1)
    return v2v_fail_nomem (err);
  return v2v_computer_name_next (pattern, (const char *const *) taken.ptr,
                                 windows, ret, err);
}

static int
take_name (struct v2v_library *lib, const struct deploy_plan *p,
           struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;

  if (p->computer_name == NULL || strcmp (p->computer_name, "*") == 0)
    return 0;
  key = key_of (p->computer_name);
  if (key == NULL)
    return v2v_fail_nomem (err);
  return v2v_catalogue_run (
      lib->cat, NULL, err,
      "INSERT INTO computer_name (name, machine) VALUES (?, ?)", key, p->id,
      V2V_QUERY_END);
}

/* All that a disk cannot be without: a copy lives by itself. */
static int
insert_bases (struct v2v_library *lib, const struct deploy_plan *p,
              struct v2v_error **err)
{
  for (size_t i = 0; i < p->disks.len; ++i) {
    const struct deploy_disk *d = &p->disks.ptr[i];

    for (size_t k = 0;
         d->base != NULL && d->storage == V2V_STORAGE_DIFFERENCING &&
         k < d->base->chain.len;
         ++k)
      if (v2v_catalogue_run (lib->cat, NULL, err,
                             "INSERT INTO machine_base (machine, object) "
                             "VALUES (?, ?) ON CONFLICT DO NOTHING",
                             p->id, d->base->chain.ptr[k], V2V_QUERY_END) == -1)
        return -1;
  }
  return 0;
}

/* The folder is one machine's, for whoever takes it back.  Here, where the
 * name is ours and nobody else's: before, another could be making it. */
static int
check_folder (struct v2v_library *lib, const struct deploy_plan *p,
              struct v2v_error **err)
{
  const struct v2v_host *host =
      p->opts->host != NULL ? v2v_host_of (p->opts->host) : NULL;
  CLEANUP_FREE char *other = NULL;
  struct stat st;

  if (lib_lookup (lib, &other, err,
                  "SELECT name FROM machine WHERE folder = ? AND host = ?",
                  host != NULL ? p->safe_name : p->folder,
                  host != NULL ? host->name : "", V2V_QUERY_END) == -1)
    return -1;
  if (other == NULL && lstat (p->folder, &st) == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "%s is there already", p->folder);
    return v2v_hint (err, "choose another name or folder");
  }
  if (other == NULL)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "%s: is the folder of the machine '%s'",
            p->folder, other);
  return v2v_hint (err, "choose another name or folder; 'v2v vm rm' removes "
                        "a machine");
}

int
deployed_insert (struct v2v_library *lib, const struct deploy_plan *p,
                 struct v2v_error **err)
{
  const struct v2v_deploy_opts *o = p->opts;
  CLEANUP_FREE char *provenance = v2v_json_dump (p->provenance, 0);
  CLEANUP_QUERY struct v2v_query *q = NULL;
  char host[LIB_HOST_SIZE];

  if (provenance == NULL)
    return v2v_fail_nomem (err);
  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  if (check_folder (lib, p, err) == -1 ||
      lib_check_text ("the name of a machine", p->name, true, err) == -1)
    return -1;
  q = v2v_query_new (
      lib->cat,
      "INSERT INTO machine (id, name, computer_name, host, folder, template, "
      "template_digest, service, tier, ordinal, state, owner, provenance, "
      "created, owner_host, owner_pid, owner_started) VALUES (?, ?, ?, ?, ?, "
      "?, ?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?, ?)",
      err);
  if (q == NULL)
    return -1;
  v2v_query_text (q, p->id);
  v2v_query_text (q, p->name);
  v2v_query_text (q, p->computer_name != NULL ? p->computer_name : "");
  v2v_query_text (q, o->host != NULL ? v2v_host_of (o->host)->name : "");
  v2v_query_text (q, o->host != NULL ? p->safe_name : p->folder);
  v2v_query_text (q, p->vm_template != NULL ? p->vm_template->id : "");
  v2v_query_text (q, p->vm_template != NULL ? p->vm_template->digest : "");
  v2v_query_text (q, o->service != NULL ? o->service : "");
  v2v_query_text (q, o->tier != NULL ? o->tier : "");
  v2v_query_int (q, o->ordinal);
  v2v_query_text (q, o->owner);
  v2v_query_text (q, provenance);
  v2v_query_int (q, time (NULL));
  v2v_query_text (q, host);
  v2v_query_int (q, getpid ());
  v2v_query_int (q, lib_start_of (getpid ()));
  if (v2v_query_step (q, err) == -1)
    return -1;
  return take_name (lib, p, err) == -1 || insert_bases (lib, p, err) == -1 ? -1
                                                                           : 0;
}
