/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects as JSON: by the JSON library, and as a line of a list, which may have
 * a million of them and is printed without it.  Both have the same members.
 */

#include <config.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/library-internal.h"

enum type { TEXT, NUMBER, TIME, ENABLED, KIND, STATE };

static const struct member {
  const char *name;
  const char *before; /* in a line */
  enum type type;
  bool of_disks;
  size_t offset;
} members[] = {
#define MEMBER(name, type, of_disks, field)                                    \
  {                                                                            \
    name, ",\"" name "\":", type, of_disks,                                    \
        offsetof (struct v2v_object, field)                                    \
  }
  MEMBER ("id", TEXT, false, id),
  MEMBER ("kind", KIND, false, kind),
  MEMBER ("name", TEXT, false, name),
  MEMBER ("version", TEXT, false, version),
  MEMBER ("namespace", TEXT, false, name_space),
  MEMBER ("family", TEXT, false, family),
  MEMBER ("release", TEXT, false, release),
  MEMBER ("os", TEXT, false, os),
  MEMBER ("owner", TEXT, false, owner),
  MEMBER ("description", TEXT, false, description),
  MEMBER ("enabled", ENABLED, false, enabled),
  MEMBER ("state", STATE, false, state),
  MEMBER ("digest", TEXT, false, digest),
  MEMBER ("size_bytes", NUMBER, false, size_bytes),
  MEMBER ("created", TIME, false, created),
  MEMBER ("format", TEXT, true, format),
  MEMBER ("variant", TEXT, true, variant),
  MEMBER ("virtual_bytes", NUMBER, true, virtual_bytes),
  MEMBER ("content", TEXT, true, content),
  MEMBER ("disk_id", TEXT, true, disk_id),
#undef MEMBER
};

static bool
has_member (const struct v2v_object *o, const struct member *m)
{
  return !m->of_disks || o->kind == V2V_OBJECT_DISK;
}

/* Of a member that is text. */
static const char *
text_of (const struct v2v_object *o, const struct member *m)
{
  switch (m->type) {
  case KIND:
    return v2v_object_kind_name (o->kind);
  case STATE:
    return v2v_location_state_name (o->state);
  case TEXT:
    return *(char *const *) ((const char *) o + m->offset);
  case NUMBER:
  case TIME:
  case ENABLED:
    break;
  }
  return NULL;
}

static uint64_t
number_of (const struct v2v_object *o, const struct member *m)
{
  const char *p = (const char *) o + m->offset;

  return m->type == NUMBER ? *(const uint64_t *) p
                           : (uint64_t) * (const int64_t *) p;
}

/* ---- by the JSON library ---- */

static struct v2v_json *
relations_to_json (const struct v2v_relation *list, size_t n)
{
  struct v2v_json *a = v2v_json_new_array ();

  for (size_t i = 0; i < n; ++i) {
    struct v2v_json *r = v2v_json_new_object ();

    v2v_json_set_string (r, "role", list[i].role);
    v2v_json_set_string (r, "label", list[i].label);
    v2v_json_set_string (r, "id", list[i].id);
    v2v_json_set_string (r, "kind", v2v_object_kind_name (list[i].kind));
    v2v_json_set_string (r, "name", list[i].name);
    v2v_json_append (a, r);
  }
  return a;
}

static struct v2v_json *
locations_to_json (const struct v2v_object *o)
{
  struct v2v_json *a = v2v_json_new_array ();

  for (size_t i = 0; i < o->nr_locations; ++i) {
    const struct v2v_location *l = &o->locations[i];
    struct v2v_json *j = v2v_json_new_object ();

    v2v_json_set_string (j, "share", l->share);
    v2v_json_set_string (j, "path", l->path);
    v2v_json_set_string (j, "file", l->file);
    v2v_json_set_u64 (j, "size_bytes", l->size_bytes);
    v2v_json_set_string (j, "state", v2v_location_state_name (l->state));
    if (l->verified > 0)
      v2v_json_set_u64 (j, "verified", (uint64_t) l->verified);
    v2v_json_append (a, j);
  }
  return a;
}

struct v2v_json *
v2v_object_to_json (const struct v2v_object *o)
{
  struct v2v_json *j = v2v_json_new_object (), *tags;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i) {
    const struct member *m = &members[i];

    if (!has_member (o, m))
      continue;
    if (m->type == ENABLED)
      v2v_json_set_bool (j, m->name, o->enabled);
    else if (text_of (o, m) != NULL)
      v2v_json_set_string (j, m->name, text_of (o, m));
    else
      v2v_json_set_u64 (j, m->name, number_of (o, m));
  }
  if (o->locations == NULL)
    return j; /* of a list */
  tags = v2v_json_new_array ();
  for (size_t i = 0; i < o->nr_tags; ++i)
    v2v_json_append (tags, v2v_json_new_string (o->tags[i]));
  v2v_json_set (j, "tags", tags);
  v2v_json_set (j, "locations", locations_to_json (o));
  v2v_json_set (j, "uses", relations_to_json (o->uses, o->nr_uses));
  v2v_json_set (j, "used_by", relations_to_json (o->users, o->nr_users));
  return j;
}

/* ---- a line of a list ---- */

static int
append_text (struct v2v_str *s, const char *text)
{
  static const char hex[] = "0123456789ABCDEF";

  if (v2v_str_append_len (s, "\"", 1) == -1)
    return -1;
  for (const char *p = text;;) {
    const char *begin = p;
    char escaped[7] = "\\u0000";

    while ((unsigned char) *p >= 0x20 && *p != '"' && *p != '\\')
      p++;
    if (v2v_str_append_len (s, begin, (size_t) (p - begin)) == -1)
      return -1;
    if (*p == '\0')
      return v2v_str_append_len (s, "\"", 1);
    if (*p == '"' || *p == '\\') {
      escaped[1] = *p;
      escaped[2] = '\0';
    }
    else {
      escaped[4] = hex[(unsigned char) *p >> 4];
      escaped[5] = hex[*p & 15];
    }
    if (v2v_str_append (s, escaped) == -1)
      return -1;
    p++;
  }
}

static int
append_number (struct v2v_str *s, uint64_t n)
{
  char digits[24];
  char *p = digits + sizeof digits;

  do
    *--p = (char) ('0' + n % 10);
  while ((n /= 10) != 0);
  return v2v_str_append_len (s, p, (size_t) (digits + sizeof digits - p));
}

static int
append_member (struct v2v_str *s, const struct v2v_object *o,
               const struct member *m)
{
  const char *text = text_of (o, m);

  if (v2v_str_append (s, m->before) == -1)
    return -1;
  if (m->type == ENABLED)
    return v2v_str_append (s, o->enabled ? "true" : "false");
  return text != NULL ? append_text (s, text)
                      : append_number (s, number_of (o, m));
}

/* All texts of O are UTF-8: others are repaired by the JSON library. */
static bool
is_utf8 (const struct v2v_object *o)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i)
    if (members[i].type == TEXT) {
      const char *text = text_of (o, &members[i]);

      if (!v2v_is_valid_utf8 (text, strlen (text)))
        return false;
    }
  return true;
}

int
v2v_object_append_json (const struct v2v_object *o, struct v2v_str *s,
                        struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = NULL;
  CLEANUP_FREE char *text = NULL;
  const size_t start = s->len;

  if (is_utf8 (o) && o->locations == NULL) {
    for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i)
      if (has_member (o, &members[i]) &&
          append_member (s, o, &members[i]) == -1)
        return v2v_fail_nomem (err);
    s->ptr[start] = '{';
    return v2v_str_append_len (s, "}", 1) == -1 ? v2v_fail_nomem (err) : 0;
  }
  j = v2v_object_to_json (o);
  text = v2v_json_ok (j) ? v2v_json_dump (j, 0) : NULL;
  return text == NULL || v2v_str_append (s, text) == -1 ? v2v_fail_nomem (err)
                                                        : 0;
}
