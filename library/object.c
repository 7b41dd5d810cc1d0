/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects as the catalogue knows them. */

#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/library-internal.h"

static const char *const kinds[] = {
  [V2V_OBJECT_DISK] = "disk",
  [V2V_OBJECT_ISO] = "iso",
  [V2V_OBJECT_PACKAGE] = "package",
  [V2V_OBJECT_SCRIPT] = "script",
  [V2V_OBJECT_ANSWER_FILE] = "answer-file",
  [V2V_OBJECT_DRIVER] = "driver",
  [V2V_OBJECT_HARDWARE_PROFILE] = "hardware-profile",
  [V2V_OBJECT_GUEST_OS_PROFILE] = "guest-os-profile",
  [V2V_OBJECT_CAPABILITY_PROFILE] = "capability-profile",
  [V2V_OBJECT_VM_TEMPLATE] = "vm-template",
  [V2V_OBJECT_SERVICE_TEMPLATE] = "service-template",
  [V2V_OBJECT_VM] = "vm",
  [V2V_OBJECT_FILE] = "file",
};
_Static_assert(V2V_ARRAY_SIZE (kinds) == V2V_OBJECT_NR_KINDS,
               "a name for each kind");

static const char *const states[] = {
  [V2V_LOCATION_OK] = "ok",
  [V2V_LOCATION_MISSING] = "missing",
  [V2V_LOCATION_CHANGED] = "changed",
};

const char *
v2v_object_kind_name (enum v2v_object_kind kind)
{
  return kinds[kind];
}

bool
v2v_object_kind_parse (const char *s, enum v2v_object_kind *ret)
{
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (kinds); ++i)
    if (strcmp (kinds[i], s) == 0) {
      *ret = (enum v2v_object_kind) i;
      return true;
    }
  return false;
}

const char *
v2v_location_state_name (enum v2v_location_state s)
{
  return states[s];
}

/* A number out of the catalogue, which others can write to. */
static enum v2v_location_state
state_of (int64_t n)
{
  return n >= 0 && n <= V2V_LOCATION_CHANGED ? (enum v2v_location_state) n
                                             : V2V_LOCATION_CHANGED;
}

static enum v2v_object_kind
kind_of (const char *s)
{
  enum v2v_object_kind kind = V2V_OBJECT_FILE;

  (void) v2v_object_kind_parse (s, &kind);
  return kind;
}

/* ---- small things ---- */

int
lib_new_id (char ret[37], struct v2v_error **err)
{
  struct v2v_guid guid;

  if (v2v_guid_random (&guid, err) == -1)
    return -1;
  v2v_guid_format (&guid, ret);
  return 0;
}

int
lib_check_text (const char *what, const char *text, bool one_line,
                struct v2v_error **err)
{
  const size_t len = strlen (text);

  if (len > V2V_LIBRARY_MAX_TEXT)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: %zu bytes, at most %d are taken",
                     what, len, V2V_LIBRARY_MAX_TEXT);
  if (!v2v_is_valid_utf8 (text, len))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is not UTF-8", what);
  if (one_line && len == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is empty", what);
  for (size_t i = 0; one_line && i < len; ++i)
    if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: has a control character (0x%02x)", what,
                       (unsigned char) text[i]);
  return 0;
}

int
lib_lookup (struct v2v_library *lib, char **ret, struct v2v_error **err,
            const char *sql, ...)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (lib->cat, sql, err);
  const char *value;
  va_list args;
  int r;

  *ret = NULL;
  if (q == NULL)
    return -1;
  va_start (args, sql);
  while ((value = va_arg (args, const char *)) != V2V_QUERY_END)
    v2v_query_text (q, value);
  va_end (args);
  r = v2v_query_step (q, err);
  if (r != 1 || v2v_query_get_text (q, 0) == NULL)
    return r == -1 ? -1 : 0;
  *ret = strdup (v2v_query_get_text (q, 0));
  return *ret ? 0 : v2v_fail_nomem (err);
}

int
lib_find_identity (struct v2v_library *lib, const char *identity, char **ret_id,
                   struct v2v_error **err)
{
  return lib_lookup (lib, ret_id, err,
                     "SELECT id FROM object WHERE identity = ?", identity,
                     V2V_QUERY_END);
}

/* A VMDK's identifier has 32 bits, which images share by accident: two that
 * fit are as good as none, unless they hold the same (a disk and what a chain
 * was flattened into); then it is the newest. */
int
lib_find_disk (struct v2v_library *lib, const char *format,
               const char *parent_id, char **ret_id, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT id, content, virtual_size FROM object WHERE disk_id = ? AND "
      "format = ? ORDER BY created DESC, id",
      err);
  CLEANUP_FREE char *content = NULL;
  int64_t size = 0;
  int r;

  *ret_id = NULL;
  if (q == NULL)
    return -1;
  v2v_query_text (q, parent_id);
  v2v_query_text (q, format);
  while ((r = v2v_query_step (q, err)) == 1) {
    if (*ret_id == NULL) {
      *ret_id = strdup (v2v_query_get_text (q, 0));
      content = strdup (v2v_query_get_text (q, 1));
      size = v2v_query_get_int (q, 2);
      if (*ret_id != NULL && content != NULL)
        continue;
      r = v2v_fail_nomem (err);
      break;
    }
    if (strcmp (content, v2v_query_get_text (q, 1)) == 0 &&
        size == v2v_query_get_int (q, 2))
      continue;
    r = v2v_fail (err, V2V_ERR_MISMATCH,
                  "several disks of the library have the identifier %s of the "
                  "parent",
                  parent_id);
    break;
  }
  if (r == -1)
    free (STEAL (*ret_id));
  return r;
}

/* The best copy counts: each share's copy is as good as its worst file. */
int
lib_update_state (struct v2v_library *lib, const char *id,
                  struct v2v_error **err)
{
  return v2v_catalogue_run (
      lib->cat, NULL, err,
      "UPDATE object SET state = COALESCE ((SELECT MIN (worst) FROM ("
      "SELECT CASE WHEN COUNT (DISTINCT seq) < "
      "(SELECT COUNT (*) FROM file WHERE object = ?) THEN 1 "
      "ELSE MAX (state) END AS worst FROM location WHERE object = ? "
      "GROUP BY share) AS copies), 1) WHERE id = ?",
      id, id, id, V2V_QUERY_END);
}

/* ---- the struct ---- */

void
v2v_object_clear (struct v2v_object *o)
{
  free (o->id);
  free (o->name);
  free (o->version);
  free (o->name_space);
  free (o->family);
  free (o->release);
  free (o->os);
  free (o->owner);
  free (o->description);
  free (o->digest);
  free (o->content);
  free (o->format);
  free (o->variant);
  free (o->disk_id);
  for (size_t i = 0; i < o->nr_tags; ++i)
    free (o->tags[i]);
  free (o->tags);
  for (size_t i = 0; i < o->nr_locations; ++i) {
    free (o->locations[i].share);
    free (o->locations[i].path);
    free (o->locations[i].file);
  }
  free (o->locations);
  for (size_t i = 0; i < o->nr_uses + o->nr_users; ++i) {
    struct v2v_relation *r =
        i < o->nr_uses ? &o->uses[i] : &o->users[i - o->nr_uses];

    free (r->role);
    free (r->label);
    free (r->id);
    free (r->name);
  }
  free (o->uses);
  free (o->users);
  memset (o, 0, sizeof *o);
}

void
v2v_objects_clear (struct v2v_objects *l)
{
  for (size_t i = 0; i < l->len; ++i)
    v2v_object_clear (&l->ptr[i]);
  free (STEAL (l->ptr));
  l->len = 0;
}

/* ---- reading rows ---- */

void
lib_borrow_object (struct v2v_query *q, struct v2v_object *o)
{
  char **const texts[] = {
    &o->id,     NULL,        &o->name,   &o->version, &o->name_space,
    &o->family, &o->release, &o->os,     &o->owner,   &o->description,
    &o->digest, &o->content, &o->format, &o->variant, &o->disk_id,
  };

  memset (o, 0, sizeof *o);
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (texts); ++i) {
    const char *s = v2v_query_get_text (q, i);

    if (texts[i] != NULL)
      *texts[i] = (char *) (uintptr_t) (s ? s : "");
  }
  o->kind = kind_of (v2v_query_get_text (q, 1));
  o->enabled = v2v_query_get_int (q, 15) != 0;
  o->size_bytes = (uint64_t) v2v_query_get_int (q, 16);
  o->created = v2v_query_get_int (q, 17);
  o->virtual_bytes = (uint64_t) v2v_query_get_int (q, 18);
  o->state = state_of (v2v_query_get_int (q, 19));
}

int
lib_copy_object (const struct v2v_object *from, struct v2v_object *ret,
                 struct v2v_error **err)
{
  char **const texts[] = {
    &ret->id,      &ret->name,   &ret->version, &ret->name_space,  &ret->family,
    &ret->release, &ret->os,     &ret->owner,   &ret->description, &ret->digest,
    &ret->content, &ret->format, &ret->variant, &ret->disk_id,
  };
  bool good = true;

  *ret = *from;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (texts); ++i) {
    *texts[i] = strdup (*texts[i]);
    good = good && *texts[i] != NULL;
  }
  if (good)
    return 0;
  v2v_object_clear (ret);
  return v2v_fail_nomem (err);
}

static int
read_tags (struct v2v_library *lib, struct v2v_object *o,
           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT name FROM tag WHERE object = ? ORDER BY name", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, o->id);
  while ((r = v2v_query_step (q, err)) == 1) {
    char **p = reallocarray (o->tags, o->nr_tags + 1, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    o->tags = p;
    p[o->nr_tags] = strdup (v2v_query_get_text (q, 0));
    if (p[o->nr_tags++] == NULL)
      return v2v_fail_nomem (err);
  }
  return r;
}

static int
read_locations (struct v2v_library *lib, struct v2v_object *o,
                struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT share.name, share.path, location.path, file.name, "
      "location.size, location.state, location.verified FROM location "
      "JOIN share ON share.id = location.share JOIN file ON "
      "file.object = location.object AND file.seq = location.seq "
      "WHERE location.object = ? ORDER BY share.seq, file.seq, location.path",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, o->id);
  /* Never NULL, so that the JSON of an object without files has a list. */
  o->locations = calloc (1, sizeof *o->locations);
  if (o->locations == NULL)
    return v2v_fail_nomem (err);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct v2v_location *p =
        reallocarray (o->locations, o->nr_locations + 1, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    o->locations = p;
    p += o->nr_locations++;
    *p = (struct v2v_location){
      .share = strdup (v2v_query_get_text (q, 0)),
      .path =
          lib_join (v2v_query_get_text (q, 1), v2v_query_get_text (q, 2), err),
      .file = strdup (v2v_query_get_text (q, 3)),
      .size_bytes = (uint64_t) v2v_query_get_int (q, 4),
      .state = state_of (v2v_query_get_int (q, 5)),
      .verified = v2v_query_get_int (q, 6),
    };
    if (p->path == NULL)
      return -1;
    if (p->share == NULL || p->file == NULL)
      return v2v_fail_nomem (err);
  }
  return r;
}

static int
read_relations (struct v2v_library *lib, const char *sql, const char *id,
                struct v2v_relation **list, size_t *n, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (lib->cat, sql, err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct v2v_relation *p = reallocarray (*list, *n + 1, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    *list = p;
    p += (*n)++;
    *p = (struct v2v_relation){
      .role = strdup (v2v_query_get_text (q, 0)),
      .label = strdup (v2v_query_get_text (q, 1)),
      .id = strdup (v2v_query_get_text (q, 2)),
      .name = strdup (v2v_query_get_text (q, 3)),
      .kind = kind_of (v2v_query_get_text (q, 4)),
    };
    if (!p->role || !p->label || !p->id || !p->name)
      return v2v_fail_nomem (err);
  }
  return r;
}

int
v2v_library_object (struct v2v_library *lib, const char *id,
                    struct v2v_object *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT " LIB_OBJECT_COLUMNS " FROM object WHERE id = ?", err);
  struct v2v_object row, o;
  enum v2v_role role = V2V_ROLE_NONE;
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  r = v2v_query_step (q, err);
  if (r == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "no object has the id %s", id);
  if (r == -1)
    return -1;
  lib_borrow_object (q, &row);
  if (lib_copy_object (&row, &o, err) == -1)
    return -1;
  if (v2v_library_role (lib, o.name_space, &role, err) == -1 ||
      (role < V2V_ROLE_READ &&
       lib_need (lib, o.name_space, V2V_ROLE_READ, id, err) == -1)) {
    v2v_object_clear (&o);
    return -1;
  }
  if (read_tags (lib, &o, err) == 0 && read_locations (lib, &o, err) == 0 &&
      read_relations (lib,
                      "SELECT role, label, object.id, object.name, "
                      "object.kind FROM relation JOIN object ON "
                      "object.id = relation.other WHERE relation.object = ? "
                      "ORDER BY role, label, object.id",
                      id, &o.uses, &o.nr_uses, err) == 0 &&
      read_relations (lib,
                      "SELECT role, label, object.id, object.name, "
                      "object.kind FROM relation JOIN object ON "
                      "object.id = relation.object WHERE relation.other = ? "
                      "ORDER BY role, object.name, object.id",
                      id, &o.users, &o.nr_users, err) == 0) {
    *ret = o;
    return 0;
  }
  v2v_object_clear (&o);
  return -1;
}
