/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of a service: their values in place of @NAME@.
 *
 * It is done on the JSON of the document, which holds every text once; what
 * comes out is read and checked as any document.  The declarations stay as they
 * are.  Values are put in once: an '@' in a value is an '@'.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "library/service-internal.h"

static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

struct values {
  const struct v2v_service_template *service;
  char *const *list;
};

/* The value of the setting whose name has N bytes; NULL = no such setting. */
static const char *
value_of (const struct values *v, const char *name, size_t n)
{
  for (size_t i = 0; i < v->service->nr_settings; ++i)
    if (strlen (v->service->settings[i].name) == n &&
        strncmp (v->service->settings[i].name, name, n) == 0)
      return v->list[i];
  return NULL;
}

static struct v2v_json *
expand_text (const struct values *v, const char *text)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const char *from = text;

  for (const char *p = text; (p = strchr (p, '@')) != NULL;) {
    const size_t n = strspn (p + 1, allowed);
    const char *value =
        n > 0 && p[1 + n] == '@' ? value_of (v, p + 1, n) : NULL;

    if (value == NULL) {
      ++p;
      continue;
    }
    if (v2v_str_append_len (&s, from, (size_t) (p - from)) == -1 ||
        v2v_str_append (&s, value) == -1)
      return NULL;
    from = p += n + 2;
  }
  if (v2v_str_append (&s, from) == -1)
    return NULL;
  return v2v_json_new_string (s.ptr != NULL ? s.ptr : "");
}

/* A text that became empty is one that is not said. */
static bool
is_empty_text (const struct v2v_json *j)
{
  const char *s = v2v_json_string_value (j);

  return s != NULL && s[0] == '\0';
}

/* Depth: documents are trees of a few levels that were read by tables. */
static struct v2v_json *
expand (const struct values *v, const struct v2v_json *j)
{
  const char *text = v2v_json_string_value (j), *key;
  const struct v2v_json *member;
  struct v2v_json *copy;
  void *iter = NULL;

  if (text != NULL)
    return expand_text (v, text);
  if (v2v_json_is_array (j)) {
    copy = v2v_json_new_array ();
    for (size_t i = 0; i < v2v_json_length (j); ++i)
      v2v_json_append (copy, expand (v, v2v_json_at (j, i)));
    return copy;
  }
  if (!v2v_json_is_object (j))
    return v2v_json_ref ((struct v2v_json *) (uintptr_t) j);
  copy = v2v_json_new_object ();
  while (v2v_json_next (j, &iter, &key, &member)) {
    struct v2v_json *value =
        strcmp (key, "settings") == 0
            ? v2v_json_ref ((struct v2v_json *) (uintptr_t) member)
            : expand (v, member);

    if (value != NULL && is_empty_text (value) && !is_empty_text (member))
      v2v_json_free (value);
    else
      v2v_json_set (copy, key, value);
  }
  return copy;
}

struct v2v_document *
v2v_service_expand (const struct v2v_document *template, char *const *values,
                    struct v2v_error **err)
{
  const struct values v = { &template->service, values };
  CLEANUP_JSON struct v2v_json *j = v2v_document_to_json (template);
  CLEANUP_JSON struct v2v_json *full = j != NULL ? expand (&v, j) : NULL;
  struct v2v_document *d;

  if (full == NULL || !v2v_json_ok (full)) {
    v2v_fail_nomem (err);
    return NULL;
  }
  d = v2v_document_from_json (full, V2V_DOCUMENT_SERVICE, template->head.name,
                              err);
  if (d != NULL && v2v_document_check (d, template->head.name, err) == -1) {
    v2v_document_free (d);
    d = NULL;
  }
  if (d == NULL)
    v2v_prefix (err, "with the values of its settings");
  return d;
}
