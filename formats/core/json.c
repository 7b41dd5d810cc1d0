/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON over Jansson.  struct v2v_json IS a json_t, never completed: the cast
 * is the whole layer.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/core/text.h"

#define J(p) ((json_t *) (p))
#define V(p) ((struct v2v_json *) (p))

/* Did any set or append on this thread fail since v2v_json_ok last looked? */
static _Thread_local bool build_failed;

struct v2v_json *
v2v_json_new_object (void)
{
  return V (json_object ());
}

struct v2v_json *
v2v_json_new_array (void)
{
  return V (json_array ());
}

/* Bytes that are not UTF-8 become U+FFFD one by one. */
static char *
repair_utf8 (const char *s)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  const size_t len = strlen (s);

  for (size_t i = 0; i < len;) {
    size_t n = 1;

    while (n <= 4 && i + n <= len && !v2v_is_valid_utf8 (s + i, n))
      n++;
    if (n > 4 || i + n > len) {
      if (v2v_str_append (&out, "\xef\xbf\xbd") == -1)
        return NULL;
      i++;
      continue;
    }
    if (v2v_str_append_len (&out, s + i, n) == -1)
      return NULL;
    i += n;
  }
  return STEAL (out.ptr);
}

struct v2v_json *
v2v_json_new_string (const char *s)
{
  CLEANUP_FREE char *fixed = NULL;

  if (s == NULL)
    return V (json_null ());
  if (v2v_is_valid_utf8 (s, strlen (s)))
    return V (json_string (s));
  fixed = repair_utf8 (s);
  return fixed ? V (json_string (fixed)) : NULL;
}

struct v2v_json *
v2v_json_new_u64 (uint64_t v)
{
  /* JSON integers of Jansson are signed; nothing we count reaches 2^63. */
  return V (json_integer (v > INT64_MAX ? INT64_MAX : (json_int_t) v));
}

struct v2v_json *
v2v_json_new_real (double v)
{
  return V (json_real (v));
}

struct v2v_json *
v2v_json_new_bool (bool v)
{
  return V (json_boolean (v));
}

struct v2v_json *
v2v_json_new_null (void)
{
  return V (json_null ());
}

void
v2v_json_free (struct v2v_json *j)
{
  json_decref (J (j));
}

struct v2v_json *
v2v_json_ref (struct v2v_json *j)
{
  return V (json_incref (J (j)));
}

static int
note_failure (int r)
{
  if (r != 0)
    build_failed = true;
  return r == 0 ? 0 : -1;
}

int
v2v_json_set (struct v2v_json *obj, const char *key, struct v2v_json *value)
{
  return note_failure (json_object_set_new (J (obj), key, J (value)));
}

int
v2v_json_set_string (struct v2v_json *obj, const char *key, const char *s)
{
  return v2v_json_set (obj, key, v2v_json_new_string (s));
}

int
v2v_json_set_u64 (struct v2v_json *obj, const char *key, uint64_t v)
{
  return v2v_json_set (obj, key, v2v_json_new_u64 (v));
}

int
v2v_json_set_real (struct v2v_json *obj, const char *key, double v)
{
  return v2v_json_set (obj, key, v2v_json_new_real (v));
}

int
v2v_json_set_bool (struct v2v_json *obj, const char *key, bool v)
{
  return v2v_json_set (obj, key, v2v_json_new_bool (v));
}

int
v2v_json_append (struct v2v_json *array, struct v2v_json *value)
{
  return note_failure (json_array_append_new (J (array), J (value)));
}

bool
v2v_json_ok (const struct v2v_json *j)
{
  const bool ok = j != NULL && !build_failed;

  build_failed = false;
  return ok;
}

char *
v2v_json_dump (const struct v2v_json *j, int indent)
{
  return json_dumps (
      J (j), (indent > 0 ? JSON_INDENT ((size_t) indent) : JSON_COMPACT) |
                 JSON_ENCODE_ANY);
}

int
v2v_json_print (const struct v2v_json *j, int indent, FILE *fp,
                struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_json_dump (j, indent);

  if (text == NULL)
    return v2v_fail_nomem (err);
  if (fprintf (fp, "%s\n", text) < 0 || fflush (fp) == EOF)
    return v2v_fail_errno (err, "writing JSON");
  return 0;
}

static size_t
depth_of (const json_t *j, size_t level)
{
  size_t deepest = level, i;
  const char *key;
  json_t *value;

  if (level > 128)
    return level;
  if (json_is_array (j))
    json_array_foreach (j, i, value)
    {
      const size_t d = depth_of (value, level + 1);
      if (d > deepest)
        deepest = d;
    }
  else if (json_is_object (j))
    json_object_foreach ((json_t *) j, key, value)
    {
      const size_t d = depth_of (value, level + 1);
      if (d > deepest)
        deepest = d;
    }
  return deepest;
}

struct v2v_json *
v2v_json_parse (const char *text, size_t len, const char *name,
                struct v2v_error **err)
{
  json_error_t e;
  json_t *j = json_loadb (text, len, JSON_REJECT_DUPLICATES, &e);

  if (j == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: line %d: %s", name, e.line, e.text);
    return NULL;
  }
  if (depth_of (j, 0) > 128) {
    json_decref (j);
    v2v_fail (err, V2V_ERR_FORMAT, "%s: nested deeper than 128 levels", name);
    return NULL;
  }
  return V (j);
}

const struct v2v_json *
v2v_json_get (const struct v2v_json *obj, const char *key)
{
  return V (json_object_get (J (obj), key));
}

const char *
v2v_json_get_string (const struct v2v_json *obj, const char *key)
{
  return json_string_value (json_object_get (J (obj), key));
}

bool
v2v_json_get_u64 (const struct v2v_json *obj, const char *key, uint64_t *ret)
{
  return v2v_json_u64_value (v2v_json_get (obj, key), ret);
}

bool
v2v_json_get_bool (const struct v2v_json *obj, const char *key, bool *ret)
{
  return v2v_json_bool_value (v2v_json_get (obj, key), ret);
}

bool
v2v_json_is_array (const struct v2v_json *j)
{
  return json_is_array (J (j));
}

bool
v2v_json_is_null (const struct v2v_json *j)
{
  return json_is_null (J (j));
}

bool
v2v_json_is_object (const struct v2v_json *j)
{
  return json_is_object (J (j));
}

size_t
v2v_json_length (const struct v2v_json *array)
{
  return json_array_size (J (array));
}

const struct v2v_json *
v2v_json_at (const struct v2v_json *array, size_t i)
{
  return V (json_array_get (J (array), i));
}

const char *
v2v_json_string_value (const struct v2v_json *j)
{
  return json_string_value (J (j));
}

bool
v2v_json_u64_value (const struct v2v_json *j, uint64_t *ret)
{
  if (!json_is_integer (J (j)) || json_integer_value (J (j)) < 0)
    return false;
  *ret = (uint64_t) json_integer_value (J (j));
  return true;
}

bool
v2v_json_bool_value (const struct v2v_json *j, bool *ret)
{
  if (!json_is_boolean (J (j)))
    return false;
  *ret = json_is_true (J (j));
  return true;
}

bool
v2v_json_next (const struct v2v_json *obj, void **iter, const char **ret_key,
               const struct v2v_json **ret_value)
{
  *iter = *iter == NULL ? json_object_iter (J (obj))
                        : json_object_iter_next (J (obj), *iter);
  if (*iter == NULL)
    return false;
  *ret_key = json_object_iter_key (*iter);
  *ret_value = V (json_object_iter_value (*iter));
  return true;
}
