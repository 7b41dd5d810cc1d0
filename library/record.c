/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: making and freeing, single values, finding fields. */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/record.h"

static void *
value_of (const struct field *f, const void *base)
{
  return (char *) (uintptr_t) base + f->offset;
}

static void
clear_value (const struct field *f, void *base)
{
  void *v = value_of (f, base);
  char **words;

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    free (*(char **) v);
    break;
  case FIELD_SECRET:
    free (((struct v2v_secret_ref *) v)->file);
    break;
  case FIELD_GROUP:
    record_clear (f->sub, v);
    break;
  case FIELD_LIST:
    for (size_t i = 0; i < record_length (f, base); ++i)
      record_clear (f->sub, record_at (f, base, i));
    free (*(void **) v);
    break;
  case FIELD_WORDS:
    words = *(char ***) v;
    for (size_t i = 0; words != NULL && words[i] != NULL; ++i)
      free (words[i]);
    free (words);
    break;
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    break;
  }
}

static void
init_value (const struct field *f, void *base)
{
  void *v = value_of (f, base);

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    *(char **) v = NULL;
    break;
  case FIELD_SECRET:
    *(struct v2v_secret_ref *) v = (struct v2v_secret_ref){ NULL, -1 };
    break;
  case FIELD_GROUP:
    record_init (f->sub, v);
    if (f->second != 0)
      *(bool *) ((char *) base + f->second) = false;
    break;
  case FIELD_LIST:
    *(void **) v = NULL;
    *(size_t *) (void *) ((char *) base + f->second) = 0;
    break;
  case FIELD_WORDS:
    *(char ***) v = NULL;
    break;
  case FIELD_NUMBER:
    *(int64_t *) v = -1;
    break;
  case FIELD_FLAG:
    *(enum v2v_tristate *) v = V2V_UNKNOWN;
    break;
  case FIELD_CHOICE:
    *(unsigned *) v = 0;
    break;
  }
}

void
record_init (const struct record *r, void *base)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    init_value (f, base);
}

void
record_clear (const struct record *r, void *base)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f) {
    clear_value (f, base);
    init_value (f, base);
  }
}

bool
record_said (const struct field *f, const void *base)
{
  const void *v = value_of (f, base);
  const struct v2v_secret_ref *secret = v;

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    return *(char *const *) v != NULL;
  case FIELD_NUMBER:
    return *(const int64_t *) v != -1;
  case FIELD_FLAG:
    return *(const enum v2v_tristate *) v != V2V_UNKNOWN;
  case FIELD_CHOICE:
    return *(const unsigned *) v != 0;
  case FIELD_SECRET:
    return secret->file != NULL || secret->fd != -1;
  case FIELD_GROUP:
    return (f->second != 0 && *((const bool *) base + f->second)) ||
           record_any (f->sub, v);
  case FIELD_LIST:
    return record_length (f, base) > 0;
  case FIELD_WORDS:
    return *(char **const *) v != NULL && **(char **const *) v != NULL;
  }
  return false;
}

bool
record_any (const struct record *r, const void *base)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (record_said (f, base))
      return true;
  return false;
}

const struct field *
record_field (const struct record *r, const char *name)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (strcmp (f->name, name) == 0)
      return f;
  return NULL;
}

/* Edits that make A into B, for names of this length at most. */
#define MAX_NAME 40
#define FAR      4
static unsigned
distance (const char *a, const char *b)
{
  const size_t la = strlen (a), lb = strlen (b);
  unsigned row[MAX_NAME + 1];

  if (la > MAX_NAME || lb > MAX_NAME)
    return FAR;
  for (size_t j = 0; j <= lb; ++j)
    row[j] = (unsigned) j;
  for (size_t i = 1; i <= la; ++i) {
    unsigned diagonal = row[0];

    row[0] = (unsigned) i;
    for (size_t j = 1; j <= lb; ++j) {
      const int c = tolower ((unsigned char) a[i - 1]);
      unsigned best = diagonal + ((c == '_' ? '-' : c) != b[j - 1]);

      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[lb];
}

const char *
record_nearest (const struct record *r, const char *name)
{
  const char *nearest = NULL;
  unsigned best = FAR;

  for (const struct field *f = r->fields; f->name != NULL; ++f) {
    const unsigned d = distance (name, f->name);

    if (d < best) {
      best = d;
      nearest = f->name;
    }
  }
  return nearest;
}

/* ---- lists ---- */

size_t
record_length (const struct field *list, const void *base)
{
  return *(const size_t *) (const void *) ((const char *) base + list->second);
}

void *
record_at (const struct field *list, const void *base, size_t i)
{
  return *(char **) value_of (list, base) + i * list->sub->size;
}

void *
record_append (const struct field *list, void *base)
{
  void **array = value_of (list, base);
  size_t *nr = (size_t *) (void *) ((char *) base + list->second);
  void *p;

  if (*nr >= RECORD_MAX_ITEMS)
    return NULL;
  p = reallocarray (*array, *nr + 1, list->sub->size);
  if (p == NULL)
    return NULL;
  *array = p;
  ++*nr;
  p = record_at (list, base, *nr - 1);
  memset (p, 0, list->sub->size);
  record_init (list->sub, p);
  return p;
}

const char *
record_key (const struct field *list, const void *base, size_t i)
{
  for (const struct field *f = list->sub->fields; f->name != NULL; ++f)
    if (f->key)
      return *(char *const *) value_of (f, record_at (list, base, i));
  return NULL;
}

/* ---- single values ---- */

/* Characters of valid UTF-8. */
static size_t
count_characters (const char *s)
{
  size_t n = 0;

  for (; *s != '\0'; ++s)
    n += ((unsigned char) *s & 0xc0) != 0x80;
  return n;
}

/* Control characters and what else breaks or turns a line for some: C0, DEL,
 * C1, the line and paragraph separators, the marks, embeddings and isolates of
 * bidirectional text.  With LINES tabs and line ends may be. */
static bool
has_controls (const char *s, bool lines)
{
  for (const unsigned char *p = (const unsigned char *) s; *p != '\0'; ++p) {
    if (lines && (*p == '\n' || *p == '\t'))
      continue;
    if (*p < 32 || *p == 127 || (p[0] == 0xc2 && p[1] < 0xa0) ||
        (p[0] == 0xe2 && p[1] == 0x80 &&
         (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
        (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9) ||
        (p[0] == 0xd8 && p[1] == 0x9c))
      return true;
  }
  return false;
}

/* NULL = fine. */
static const char *
check_text (const struct field *f, const char *text, char why[RECORD_WHY])
{
  const bool lines = f->kind == FIELD_LINES;
  const size_t max = f->max != 0 ? (size_t) f->max
                     : lines     ? RECORD_MAX_LINES
                                 : RECORD_MAX_LINE;
  const char *expected;

  if (!v2v_is_valid_utf8 (text, strlen (text)))
    return "UTF-8";
  if (has_controls (text, lines))
    return lines ? "text without control characters"
                 : "one line without control characters";
  if (*text == '\0' || count_characters (text) > max) {
    snprintf (why, RECORD_WHY, "1 to %zu characters", max);
    return why;
  }
  expected = f->rule != NULL ? f->rule (text) : NULL;
  return expected;
}

const char *
record_check_line (const char *text)
{
  static const struct field line = { .kind = FIELD_TEXT };
  char why[RECORD_WHY];
  const char *expected = check_text (&line, text, why);

  return expected == why ? "1 to 1024 characters" : expected;
}

static int
parse_number (const struct field *f, int64_t *to, const char *text,
              char why[RECORD_WHY])
{
  int64_t n = 0;
  const char *p = text;

  if (*p == '+')
    ++p;
  if (*p == '\0')
    goto wrong;
  for (; *p != '\0'; ++p)
    if (*p < '0' || *p > '9' || __builtin_mul_overflow (n, 10, &n) ||
        __builtin_add_overflow (n, *p - '0', &n))
      goto wrong;
  if (n < f->min || n > f->max)
    goto wrong;
  *to = n;
  return 0;
wrong:
  snprintf (why, RECORD_WHY, "a number from %" PRId64 " to %" PRId64, f->min,
            f->max);
  return 1;
}

static int
parse_choice (const struct field *f, unsigned *to, const char *text,
              char why[RECORD_WHY])
{
  size_t n = 0;

  for (unsigned i = 0; f->names[i] != NULL; ++i)
    if (strcmp (f->names[i], text) == 0) {
      *to = i + 1;
      return 0;
    }
  n = (size_t) snprintf (why, RECORD_WHY, "one of");
  for (size_t i = 0; f->names[i] != NULL && n < RECORD_WHY - 1; ++i)
    n += (size_t) snprintf (why + n, RECORD_WHY - n, "%s %s", i > 0 ? "," : "",
                            f->names[i]);
  return 1;
}

static int
parse_flag (enum v2v_tristate *to, const char *text, char why[RECORD_WHY])
{
  if (strcmp (text, "true") == 0 || strcmp (text, "1") == 0)
    *to = V2V_YES;
  else if (strcmp (text, "false") == 0 || strcmp (text, "0") == 0)
    *to = V2V_NO;
  else {
    snprintf (why, RECORD_WHY, "true or false");
    return 1;
  }
  return 0;
}

/* The text of an element has no blanks at its ends when it is read: so it has
 * none before, else a document would differ from itself. */
static char *
trimmed (const char *text)
{
  static const char blanks[] = " \t\r\n";
  size_t n;

  text += strspn (text, blanks);
  n = strlen (text);
  while (n > 0 && strchr (blanks, text[n - 1]) != NULL)
    --n;
  return strndup (text, n);
}

/* Check TEXT, and take it over as *TO: 0, 1 or -1 as record_parse. */
static int
take_text (const struct field *f, char **to, char *text, char why[RECORD_WHY])
{
  const char *expected;

  if (text == NULL)
    return -1;
  expected = check_text (f, text, why);
  if (expected == NULL) {
    *to = text;
    return 0;
  }
  if (expected != why)
    snprintf (why, RECORD_WHY, "%s", expected);
  free (text);
  return 1;
}

int
record_parse (const struct field *f, void *base, const char *text,
              char why[RECORD_WHY])
{
  void *v = value_of (f, base);
  char *copy;
  int r;

  switch (f->kind) {
  case FIELD_NUMBER:
    return parse_number (f, v, text, why);
  case FIELD_CHOICE:
    return parse_choice (f, v, text, why);
  case FIELD_FLAG:
    return parse_flag (v, text, why);
  case FIELD_TEXT:
  case FIELD_LINES:
    r = take_text (
        f, &copy, f->kind == FIELD_LINES ? trimmed (text) : strdup (text), why);
    if (r == 0) {
      free (*(char **) v);
      *(char **) v = copy;
    }
    return r;
  case FIELD_SECRET:
  case FIELD_GROUP:
  case FIELD_LIST:
  case FIELD_WORDS:
    break;
  }
  snprintf (why, RECORD_WHY, "one of its parts, not all of it");
  return 1;
}

int
record_add_word (const struct field *f, void *base, const char *text,
                 char why[RECORD_WHY])
{
  char ***list = value_of (f, base);
  size_t n = 0;
  char **p, *word;
  int r;

  while (*list != NULL && (*list)[n] != NULL)
    ++n;
  if (n >= RECORD_MAX_ITEMS) {
    snprintf (why, RECORD_WHY, "up to %d of them", RECORD_MAX_ITEMS);
    return 1;
  }
  r = take_text (f, &word, trimmed (text), why);
  if (r != 0)
    return r;
  p = reallocarray (*list, n + 2, sizeof *p);
  if (p == NULL) {
    free (word);
    return -1;
  }
  *list = p;
  p[n] = word;
  p[n + 1] = NULL;
  return 0;
}

static char *
join_words (char *const *words)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; words[i] != NULL; ++i)
    if (v2v_str_printf (&s, "%s%s", i > 0 ? ", " : "", words[i]) == -1)
      return NULL;
  return STEAL (s.ptr);
}

static char *
secret_text (const struct v2v_secret_ref *s)
{
  char *text;
  const int r = s->file != NULL
                    ? asprintf (&text, "file %s", s->file)
                    : asprintf (&text, "descriptor %" PRId64, s->fd);

  return r == -1 ? NULL : text;
}

char *
record_text (const struct field *f, const void *base)
{
  const void *v = value_of (f, base);
  char *text;

  if (!record_said (f, base))
    return NULL;
  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    return strdup (*(char *const *) v);
  case FIELD_NUMBER:
    return asprintf (&text, "%" PRId64, *(const int64_t *) v) == -1 ? NULL
                                                                    : text;
  case FIELD_FLAG:
    return strdup (*(const enum v2v_tristate *) v == V2V_YES ? "true"
                                                             : "false");
  case FIELD_CHOICE:
    return strdup (f->names[*(const unsigned *) v - 1]);
  case FIELD_SECRET:
    return secret_text (v);
  case FIELD_WORDS:
    return join_words (*(char **const *) v);
  case FIELD_GROUP:
  case FIELD_LIST:
    break;
  }
  return NULL;
}

/* ---- all texts ---- */

static int
map_string (char **s, bool is_secret, record_map_fn *fn, void *arg,
            struct v2v_error **err)
{
  char *new = NULL;

  if (*s == NULL)
    return 0;
  if (fn (arg, *s, is_secret, &new, err) == -1)
    return -1;
  if (new != NULL) {
    free (*s);
    *s = new;
  }
  return 0;
}

static int
map_field (const struct field *f, void *base, record_map_fn *fn, void *arg,
           struct v2v_error **err)
{
  void *v = value_of (f, base);
  char **words;

  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_LINES:
    return map_string (v, false, fn, arg, err);
  case FIELD_SECRET:
    return map_string (&((struct v2v_secret_ref *) v)->file, true, fn, arg,
                       err);
  case FIELD_GROUP:
    return record_map_texts (f->sub, v, fn, arg, err);
  case FIELD_LIST:
    for (size_t i = 0; i < record_length (f, base); ++i)
      if (record_map_texts (f->sub, record_at (f, base, i), fn, arg, err) == -1)
        return -1;
    return 0;
  case FIELD_WORDS:
    words = *(char ***) v;
    for (size_t i = 0; words != NULL && words[i] != NULL; ++i)
      if (map_string (&words[i], false, fn, arg, err) == -1)
        return -1;
    return 0;
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    return 0;
  }
  return 0;
}

int
record_map_texts (const struct record *r, void *base, record_map_fn *fn,
                  void *arg, struct v2v_error **err)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (map_field (f, base, fn, arg, err) == -1)
      return -1;
  return 0;
}
