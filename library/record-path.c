/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: one field by its path, and comparing two. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/record.h"

/* ---- setting ---- */

/* "name", or "name[element]" of a path: what is before the next '.' that is
 * not in brackets. */
struct step {
  char name[64];
  char element[256];
  bool has_element;
};

/* The rest of the path behind it, or NULL if it is malformed. */
static const char *
next_step (const char *path, struct step *s)
{
  size_t n = strcspn (path, ".[");

  if (n == 0 || n >= sizeof s->name)
    return NULL;
  memcpy (s->name, path, n);
  s->name[n] = '\0';
  path += n;
  s->has_element = *path == '[';
  if (s->has_element) {
    n = strcspn (++path, "]");
    if (path[n] != ']' || n == 0 || n >= sizeof s->element)
      return NULL;
    memcpy (s->element, path, n);
    s->element[n] = '\0';
    path += n + 1;
  }
  if (*path == '.' && path[1] != '\0')
    return path + 1;
  return *path == '\0' ? path : NULL;
}

static const struct field *
key_field (const struct record *r)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (f->key)
      return f;
  return NULL;
}

/* The element that TEXT names, by its number or its key; a new one where it
 * is the next number or a new key. */
static int
find_element (const struct field *f, void *base, const char *text,
              const char *path, void **ret, struct v2v_error **err)
{
  const size_t n = record_length (f, base);
  const struct field *key = key_field (f->sub);
  const bool number = text[strspn (text, "0123456789")] == '\0';
  size_t i = 0;
  char why[RECORD_WHY];

  if (number)
    for (const char *p = text; *p != '\0' && i <= n; ++p)
      i = i * 10 + (size_t) (*p - '0');
  else
    while (i < n && (record_key (f, base, i) == NULL ||
                     strcmp (record_key (f, base, i), text) != 0))
      ++i;
  if (i > n || (!number && key == NULL))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: there is no element '%s', expected 0 to %zu%s", path,
                     text, n, key != NULL ? ", or a name" : "");
  if (i < n) {
    *ret = record_at (f, base, i);
    return 0;
  }
  *ret = record_append (f, base);
  if (*ret == NULL)
    return v2v_fail_nomem (err);
  if (!number && record_parse (key, *ret, text, why) != 0)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: %s: expected %s", path, key->name,
                     why);
  return 0;
}

/* A list of words is given whole, with commas between. */
static int
set_words (const struct field *f, void *base, const char *value,
           char why[RECORD_WHY])
{
  while (*value != '\0') {
    const size_t n = strcspn (value, ",");
    CLEANUP_FREE char *word = strndup (value, n);
    const int r = word == NULL ? -1 : record_add_word (f, base, word, why);

    if (r != 0)
      return r;
    value += n + (value[n] == ',');
  }
  return 0;
}

static int
set_secret (struct v2v_secret_ref *s, const char *value, char why[RECORD_WHY])
{
  if (strncmp (value, "file:", 5) != 0 || value[5] == '\0') {
    snprintf (why, RECORD_WHY, "file:PATH, where the secret is");
    return 1;
  }
  s->file = strdup (value + 5);
  return s->file == NULL ? -1 : 0;
}

static int
set_value (const struct field *f, void *base, const char *path,
           const char *value, struct v2v_error **err)
{
  const struct record one = {
    .size = 0, .fields = (const struct field[]){ *f, { .name = NULL } }
  };
  char why[RECORD_WHY];
  int r;

  if (*value == '\0' || f->kind == FIELD_WORDS || f->kind == FIELD_SECRET)
    record_clear (&one, base);
  if (*value == '\0')
    return 0;
  r = f->kind == FIELD_WORDS ? set_words (f, base, value, why)
      : f->kind == FIELD_SECRET
          ? set_secret ((void *) ((char *) base + f->offset), value, why)
          : record_parse (f, base, value, why);
  if (r == 1)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: expected %s", path, why);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

int
record_set (const struct record *r, void *base, const char *path,
            const char *value, struct v2v_error **err)
{
  const char *rest = path;

  for (;;) {
    const struct field *f;
    struct step s;

    rest = next_step (rest, &s);
    if (rest == NULL)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "'%s' is no path: expected names with '.' between, "
                       "'[N]' behind a list",
                       path);
    f = record_field (r, s.name);
    if (f == NULL) {
      const char *nearest = record_nearest (r, s.name);

      v2v_fail (err, V2V_ERR_USAGE, "%s: nothing is called '%s'", path, s.name);
      return nearest != NULL ? v2v_hint (err, "did you mean %s?", nearest) : -1;
    }
    if (s.has_element && f->kind != FIELD_LIST)
      return v2v_fail (err, V2V_ERR_USAGE, "%s: '%s' is no list of elements",
                       path, s.name);
    if (!s.has_element && f->kind == FIELD_LIST && *rest != '\0')
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: '%s' is a list: expected '[N]' behind it", path,
                       s.name);
    if (s.has_element) {
      if (find_element (f, base, s.element, path, &base, err) == -1)
        return -1;
      r = f->sub;
    }
    else if (f->kind == FIELD_GROUP && *rest != '\0') {
      if (f->second != 0)
        *((bool *) base + f->second) = true;
      base = (char *) base + f->offset;
      r = f->sub;
    }
    else
      return *rest == '\0'
                 ? set_value (f, base, path, value, err)
                 : v2v_fail (err, V2V_ERR_USAGE,
                             "%s: there is nothing inside '%s'", path, s.name);
    if (*rest == '\0')
      return 0; /* an element of a list: now it is there */
  }
}

/* ---- comparing ---- */

struct walk {
  record_diff_fn *fn;
  void *arg;
  bool texts; /* only strings, not numbers */
};

static int diff_record (const struct record *r, const void *a, const void *b,
                        const char *path, const struct walk *w);

static int
diff_value (const struct field *f, const void *a, const void *b,
            const char *path, const struct walk *w)
{
  const bool in_a = a != NULL && record_said (f, a);
  const bool in_b = b != NULL && record_said (f, b);
  CLEANUP_FREE char *old = in_a ? record_text (f, a) : NULL;
  CLEANUP_FREE char *new = in_b ? record_text (f, b) : NULL;

  if ((in_a && old == NULL) || (in_b && new == NULL))
    return -1;
  if (old == NULL && new == NULL)
    return 0;
  if (old != NULL && new != NULL && strcmp (old, new) == 0)
    return 0;
  return w->fn (w->arg, path, old, new);
}

/* Each word alone: a joined text would hide where one ends. */
static int
diff_words (const struct field *f, const void *a, const void *b,
            const char *path, const struct walk *w)
{
  char *const *old =
      a != NULL
          ? *(char **const *) (const void *) ((const char *) a + f->offset)
          : NULL;
  char *const *new =
      b != NULL
          ? *(char **const *) (const void *) ((const char *) b + f->offset)
          : NULL;
  size_t i = 0;
  int r = 0;

  while (r == 0 &&
         ((old != NULL && *old != NULL) || (new != NULL &&*new != NULL))) {
    const char *o = old != NULL ? *old : NULL, *n = new != NULL ? *new : NULL;
    CLEANUP_FREE char *place = NULL;

    if (asprintf (&place, "%s[%zu]", path, i++) == -1) {
      place = NULL;
      return -1;
    }
    if (o == NULL || n == NULL || strcmp (o, n) != 0)
      r = w->fn (w->arg, place, o, n);
    old += o != NULL;
    new += n != NULL;
  }
  return r;
}

/* The element of LIST in BASE that has KEY, or SIZE_MAX. */
static size_t
find_key (const struct field *list, const void *base, const char *key)
{
  for (size_t i = 0; base != NULL && i < record_length (list, base); ++i) {
    const char *k = record_key (list, base, i);

    if (k != NULL && strcmp (k, key) == 0)
      return i;
  }
  return SIZE_MAX;
}

/* Does every element have a key? */
static bool
has_keys (const struct field *list, const void *base)
{
  if (key_field (list->sub) == NULL)
    return false;
  for (size_t i = 0; base != NULL && i < record_length (list, base); ++i)
    if (record_key (list, base, i) == NULL)
      return false;
  return true;
}

static int
diff_pair (const struct field *f, const void *a, size_t ia, const void *b,
           size_t ib, const char *path, const char *element,
           const struct walk *w)
{
  CLEANUP_FREE char *place = NULL;

  if (asprintf (&place, "%s[%s]", path, element) == -1) {
    place = NULL;
    return -1;
  }
  return diff_record (f->sub, ia != SIZE_MAX ? record_at (f, a, ia) : NULL,
                      ib != SIZE_MAX ? record_at (f, b, ib) : NULL, place, w);
}

/* The keys that both have, in the order of each. */
static int
diff_order (const struct field *f, const void *a, const void *b,
            const char *path, const struct walk *w)
{
  CLEANUP_STR struct v2v_str old = V2V_STR_INIT, new = V2V_STR_INIT;

  for (size_t i = 0; i < record_length (f, a); ++i)
    if (find_key (f, b, record_key (f, a, i)) != SIZE_MAX &&
        v2v_str_printf (&old, "%s%s", old.len > 0 ? ", " : "",
                        record_key (f, a, i)) == -1)
      return -1;
  for (size_t i = 0; i < record_length (f, b); ++i)
    if (find_key (f, a, record_key (f, b, i)) != SIZE_MAX &&
        v2v_str_printf (&new, "%s%s", new.len > 0 ? ", " : "",
                        record_key (f, b, i)) == -1)
      return -1;
  if (old.ptr == NULL || new.ptr == NULL || strcmp (old.ptr, new.ptr) == 0)
    return 0;
  return w->fn (w->arg, path, old.ptr, new.ptr);
}

static int
diff_keyed (const struct field *f, const void *a, const void *b,
            const char *path, const struct walk *w)
{
  int r = 0;

  for (size_t i = 0; r == 0 && a != NULL && i < record_length (f, a); ++i) {
    const char *key = record_key (f, a, i);

    r = diff_pair (f, a, i, b, find_key (f, b, key), path, key, w);
  }
  for (size_t i = 0; r == 0 && b != NULL && i < record_length (f, b); ++i) {
    const char *key = record_key (f, b, i);

    if (find_key (f, a, key) == SIZE_MAX)
      r = diff_pair (f, a, SIZE_MAX, b, i, path, key, w);
  }
  return r == 0 && a != NULL && b != NULL ? diff_order (f, a, b, path, w) : r;
}

static int
diff_list (const struct field *f, const void *a, const void *b,
           const char *path, const struct walk *w)
{
  const size_t na = a != NULL ? record_length (f, a) : 0;
  const size_t nb = b != NULL ? record_length (f, b) : 0;
  int r = 0;

  if (has_keys (f, a) && has_keys (f, b))
    return diff_keyed (f, a, b, path, w);
  for (size_t i = 0; r == 0 && (i < na || i < nb); ++i) {
    char number[24];

    snprintf (number, sizeof number, "%zu", i);
    r = diff_pair (f, a, i < na ? i : SIZE_MAX, b, i < nb ? i : SIZE_MAX, path,
                   number, w);
  }
  return r;
}

static int
diff_field (const struct field *f, const void *a, const void *b,
            const char *path, const struct walk *w)
{
  switch (f->kind) {
  case FIELD_GROUP:
    return diff_record (f->sub, a != NULL ? (const char *) a + f->offset : NULL,
                        b != NULL ? (const char *) b + f->offset : NULL, path,
                        w);
  case FIELD_LIST:
    return diff_list (f, a, b, path, w);
  case FIELD_WORDS:
    return diff_words (f, a, b, path, w);
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    if (w->texts)
      return 0;
    break;
  case FIELD_TEXT:
  case FIELD_LINES:
  case FIELD_SECRET:
    break;
  }
  return diff_value (f, a, b, path, w);
}

static int
diff_record (const struct record *r, const void *a, const void *b,
             const char *path, const struct walk *w)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f) {
    CLEANUP_FREE char *place = NULL;
    int result;

    if (asprintf (&place, "%s%s%s", path, *path ? "." : "", f->name) == -1) {
      place = NULL;
      return -1;
    }
    result = diff_field (f, a, b, place, w);
    if (result != 0)
      return result;
  }
  return 0;
}

int
record_diff (const struct record *r, const void *a, const void *b,
             record_diff_fn *fn, void *arg)
{
  const struct walk w = { .fn = fn, .arg = arg };

  return diff_record (r, a, b, "", &w);
}

int
record_texts (const struct record *r, const void *base, record_diff_fn *fn,
              void *arg)
{
  const struct walk w = { .fn = fn, .arg = arg, .texts = true };

  return diff_record (r, NULL, base, "", &w);
}
