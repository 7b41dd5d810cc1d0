/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as JSON: the names with '_' for '-'.  For a guest profile that is
 * just what inject/v2v-profile.schema.json describes.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/record.h"

#define MAX_NAME 64

static const char *
exchange (const char *name, char from, char to, char out[MAX_NAME])
{
  size_t i = 0;

  for (; name[i] != '\0' && i < MAX_NAME - 1; ++i)
    out[i] = name[i] == from ? to : name[i];
  out[i] = '\0';
  return out;
}

/* ---- writing ---- */

static struct v2v_json *
secret_to_json (const struct v2v_secret_ref *s)
{
  struct v2v_json *o = v2v_json_new_object ();

  if (s->file != NULL)
    v2v_json_set_string (o, "file", s->file);
  else
    v2v_json_set_u64 (o, "fd", (uint64_t) s->fd);
  return o;
}

static struct v2v_json *
value_to_json (const struct field *f, const void *base)
{
  const void *v = (const char *) base + f->offset;
  struct v2v_json *j;

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    return v2v_json_new_string (*(char *const *) v);
  case FIELD_NUMBER:
    return v2v_json_new_u64 ((uint64_t) * (const int64_t *) v);
  case FIELD_FLAG:
    return v2v_json_new_bool (*(const enum v2v_tristate *) v == V2V_YES);
  case FIELD_CHOICE:
    return v2v_json_new_string (f->names[*(const unsigned *) v - 1]);
  case FIELD_SECRET:
    return secret_to_json (v);
  case FIELD_GROUP:
    j = v2v_json_new_object ();
    record_write_json (f->sub, v, j);
    return j;
  case FIELD_LIST:
    j = v2v_json_new_array ();
    for (size_t i = 0; i < record_length (f, base); ++i) {
      struct v2v_json *o = v2v_json_new_object ();

      record_write_json (f->sub, record_at (f, base, i), o);
      v2v_json_append (j, o);
    }
    return j;
  case FIELD_WORDS:
    j = v2v_json_new_array ();
    for (char *const *w = *(char **const *) v; *w != NULL; ++w)
      v2v_json_append (j, v2v_json_new_string (*w));
    return j;
  }
  return NULL;
}

void
record_write_json (const struct record *r, const void *base,
                   struct v2v_json *obj)
{
  char name[MAX_NAME];

  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (record_said (f, base))
      v2v_json_set (obj, exchange (f->name, '-', '_', name),
                    value_to_json (f, base));
}

/* ---- reading ---- */

static int
wrong (const char *name, const char *field, const char *expected,
       struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: %s: expected %s", name, field,
                   expected);
}

static int
read_text (const struct field *f, void *base, const char *text,
           const char *name, struct v2v_error **err)
{
  char why[RECORD_WHY];
  int r;

  if (text == NULL)
    return wrong (name, f->name, "a string", err);
  r = f->kind == FIELD_WORDS ? record_add_word (f, base, text, why)
                             : record_parse (f, base, text, why);
  if (r == 1)
    return wrong (name, f->name, why, err);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

static int
read_number (const struct field *f, void *base, const struct v2v_json *j,
             const char *name, struct v2v_error **err)
{
  char text[24];
  uint64_t n;

  if (!v2v_json_u64_value (j, &n))
    return wrong (name, f->name, "a number", err);
  snprintf (text, sizeof text, "%llu", (unsigned long long) n);
  return read_text (f, base, text, name, err);
}

static int
read_secret (const struct field *f, struct v2v_secret_ref *s,
             const struct v2v_json *j, const char *name, struct v2v_error **err)
{
  const char *file = v2v_json_get_string (j, "file");
  uint64_t fd;

  if (v2v_json_string_value (j) != NULL) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %s: a secret is not written into a document", name, f->name);
    return v2v_hint (err, "put it into a file that only you can read: "
                          "{\"file\": \"PATH\"}");
  }
  if (file != NULL && *file != '\0' && v2v_json_get (j, "fd") == NULL) {
    s->file = strdup (file);
    return s->file == NULL ? v2v_fail_nomem (err) : 0;
  }
  if (file != NULL || !v2v_json_get_u64 (j, "fd", &fd) || fd > 65535 ||
      fd == 1 || fd == 2)
    return wrong (name, f->name, "{\"file\": PATH} or {\"fd\": N}", err);
  s->fd = (int64_t) fd;
  return 0;
}

/* A file may be told as {"file": "a"}. */
static const char *
text_of (const struct field *f, const struct v2v_json *j)
{
  const char *text = v2v_json_string_value (j);

  return text == NULL && f->file ? v2v_json_get_string (j, "file") : text;
}

static int
read_array (const struct field *f, void *base, const struct v2v_json *j,
            const char *name, struct v2v_error **err)
{
  if (!v2v_json_is_array (j) || v2v_json_length (j) > RECORD_MAX_ITEMS)
    return wrong (name, f->name, "an array of up to 4096", err);
  for (size_t i = 0; i < v2v_json_length (j); ++i) {
    const struct v2v_json *e = v2v_json_at (j, i);
    void *item;

    if (f->kind == FIELD_WORDS) {
      if (read_text (f, base, text_of (f, e), name, err) == -1)
        return -1;
      continue;
    }
    item = record_append (f, base);
    if (item == NULL)
      return v2v_fail_nomem (err);
    if (record_read_json (f->sub, item, e, NULL, name, err) == -1)
      return -1;
  }
  return 0;
}

static int
read_value (const struct field *f, void *base, const struct v2v_json *j,
            const char *name, struct v2v_error **err)
{
  void *v = (char *) base + f->offset;
  bool flag;

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
  case FIELD_CHOICE:
    return read_text (f, base, text_of (f, j), name, err);
  case FIELD_NUMBER:
    return read_number (f, base, j, name, err);
  case FIELD_FLAG:
    if (!v2v_json_bool_value (j, &flag))
      return wrong (name, f->name, "true or false", err);
    *(enum v2v_tristate *) v = flag ? V2V_YES : V2V_NO;
    return 0;
  case FIELD_SECRET:
    return read_secret (f, v, j, name, err);
  case FIELD_GROUP:
    if (f->second != 0)
      *((bool *) base + f->second) = true;
    return record_read_json (f->sub, v, j, NULL, name, err);
  case FIELD_LIST:
  case FIELD_WORDS:
    return read_array (f, base, j, name, err);
  }
  return 0;
}

int
record_read_json (const struct record *r, void *base, const struct v2v_json *j,
                  const char *except, const char *name, struct v2v_error **err)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  if (!v2v_json_is_object (j))
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: expected an object", name);
  while (v2v_json_next (j, &iter, &key, &value)) {
    char converted[MAX_NAME];
    /* Names of ours have no '_': what has '-' here is not one of them. */
    const struct field *f =
        strchr (key, '-') != NULL
            ? NULL
            : record_field (r, exchange (key, '_', '-', converted));

    if (except != NULL && strcmp (key, except) == 0)
      continue;
    if (f == NULL) {
      const char *nearest = record_nearest (r, key);

      v2v_fail (err, V2V_ERR_FORMAT, "%s: %.64s: there is no such member", name,
                key);
      if (nearest != NULL)
        v2v_hint (err, "did you mean %s?",
                  exchange (nearest, '-', '_', converted));
      return -1;
    }
    if (read_value (f, base, value, name, err) == -1)
      return -1;
  }
  return 0;
}
