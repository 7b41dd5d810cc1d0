/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as XML.  The schema has seen the document before (document.c); what
 * is refused here is what it cannot say, and everything else a second time: a
 * hole in the schema must not become a hole in the program.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/record.h"

static bool
is_attribute (const struct field *f)
{
  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    return true;
  case FIELD_LINES:
  case FIELD_SECRET:
  case FIELD_GROUP:
  case FIELD_LIST:
  case FIELD_WORDS:
    break;
  }
  return false;
}

/* ---- reading ---- */

static int
wrong (const char *name, const struct v2v_xml_node *n, const char *field,
       const char *expected, struct v2v_error **err)
{
  return v2v_fail (
      err, V2V_ERR_FORMAT, "%s: line %ld: element '%s'%s%s: expected %s", name,
      v2v_xml_line (n), v2v_xml_name (n), *field ? ", " : "", field, expected);
}

/* Of a number and the like blanks at the ends do not count, as in the schema
 * (whiteSpace is "collapse" for them). */
static char *
trimmed (const struct field *f, const char *text)
{
  size_t n;

  if (f->kind == FIELD_TEXT || f->kind == FIELD_CHOICE)
    return strdup (text);
  text += strspn (text, " \t\r\n");
  n = strlen (text);
  while (n > 0 && strchr (" \t\r\n", text[n - 1]) != NULL)
    --n;
  return strndup (text, n);
}

static int
read_attribute (const struct field *f, void *base, const struct v2v_xml_node *n,
                const char *name, struct v2v_error **err)
{
  const char *raw = v2v_xml_attr (n, "", f->name);
  CLEANUP_FREE char *text = NULL;
  char why[RECORD_WHY];
  int r;

  if (raw == NULL)
    return 0;
  text = trimmed (f, raw);
  r = text == NULL ? -1 : record_parse (f, base, text, why);
  if (r == 1)
    return wrong (name, n, f->name, why, err);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

static int
read_lines (const struct field *f, void *base, const struct v2v_xml_node *n,
            const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_xml_text (n);
  char why[RECORD_WHY];
  int r;

  if (v2v_xml_first (n) != NULL)
    return wrong (name, n, "", "text only", err);
  if (text != NULL && *text == '\0')
    return 0;
  r = text == NULL ? -1 : record_parse (f, base, text, why);
  if (r == 1)
    return wrong (name, n, "", why, err);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

/* A descriptor as in a profile: 1 and 2 are written to. */
static const struct field secret_fields[] = {
  { .name = "file",
    FIELD_TEXT,
    offsetof (struct v2v_secret_ref, file),
    .max = RECORD_MAX_LINE },
  { .name = "fd",
    FIELD_NUMBER,
    offsetof (struct v2v_secret_ref, fd),
    .min = 0,
    .max = 65535 },
  { .name = NULL },
};

static int
read_secret (struct v2v_secret_ref *s, const struct v2v_xml_node *n,
             const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_xml_text (n);

  if (text == NULL)
    return v2v_fail_nomem (err);
  if (*text != '\0' || v2v_xml_first (n) != NULL) {
    explicit_bzero (text, strlen (text));
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: line %ld: element '%s': a secret is not written into a "
              "document",
              name, v2v_xml_line (n), v2v_xml_name (n));
    return v2v_hint (err,
                     "write <%s file=\"PATH\"/> and put it into a file "
                     "that only you can read",
                     v2v_xml_name (n));
  }
  for (const struct field *f = secret_fields; f->name != NULL; ++f)
    if (read_attribute (f, s, n, name, err) == -1)
      return -1;
  if ((s->file != NULL) == (s->fd != -1) || s->fd == 1 || s->fd == 2)
    return wrong (name, n, "", "one of file and fd (a descriptor, not 1 or 2)",
                  err);
  return 0;
}

static int
read_words (const struct field *f, void *base, const struct v2v_xml_node *n,
            const char *name, struct v2v_error **err)
{
  const struct v2v_xml_node *c;

  V2V_XML_EACH (c, n)
  {
    CLEANUP_FREE char *text = NULL;
    char why[RECORD_WHY];
    int r;

    if (!v2v_xml_is (c, V2V_DOCUMENT_NS, f->item) || v2v_xml_first (c) != NULL)
      return wrong (name, c, "", f->item, err);
    text = v2v_xml_text (c);
    r = text == NULL ? -1 : record_add_word (f, base, text, why);
    if (r == 1)
      return wrong (name, c, "", why, err);
    if (r == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
read_list (const struct field *f, void *base, const struct v2v_xml_node *n,
           const char *name, struct v2v_error **err)
{
  const struct v2v_xml_node *c;

  V2V_XML_EACH (c, n)
  {
    void *item;

    if (!v2v_xml_is (c, V2V_DOCUMENT_NS, f->item))
      return wrong (name, c, "", f->item, err);
    if (record_length (f, base) >= RECORD_MAX_ITEMS)
      return wrong (name, c, "", "fewer of them", err);
    item = record_append (f, base);
    if (item == NULL)
      return v2v_fail_nomem (err);
    if (record_read_xml (f->sub, item, c, name, err) == -1)
      return -1;
  }
  return 0;
}

static int
read_element (const struct field *f, void *base, const struct v2v_xml_node *n,
              const char *name, struct v2v_error **err)
{
  void *v = (char *) base + f->offset;

  /* The same element twice would add to the first. */
  if (record_said (f, base))
    return wrong (name, n, "", "it once", err);
  switch (f->kind) {
  case FIELD_LINES:
    return read_lines (f, base, n, name, err);
  case FIELD_SECRET:
    return read_secret (v, n, name, err);
  case FIELD_GROUP:
    if (f->second != 0)
      *((bool *) base + f->second) = true;
    return record_read_xml (f->sub, v, n, name, err);
  case FIELD_LIST:
    return read_list (f, base, n, name, err);
  case FIELD_WORDS:
    return read_words (f, base, n, name, err);
  case FIELD_TEXT:
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    break;
  }
  return wrong (name, n, "", "an attribute of that name", err);
}

int
record_read_xml (const struct record *r, void *base,
                 const struct v2v_xml_node *n, const char *name,
                 struct v2v_error **err)
{
  const struct v2v_xml_node *c;

  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (is_attribute (f) && read_attribute (f, base, n, name, err) == -1)
      return -1;
  V2V_XML_EACH (c, n)
  {
    const struct field *f = strcmp (v2v_xml_ns (c), V2V_DOCUMENT_NS) == 0
                                ? record_field (r, v2v_xml_name (c))
                                : NULL;

    if (f == NULL) {
      const char *nearest = record_nearest (r, v2v_xml_name (c));

      wrong (name, c, "", "no element of that name", err);
      return nearest != NULL ? v2v_hint (err, "did you mean %s?", nearest) : -1;
    }
    if (read_element (f, base, c, name, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- writing ---- */

static int
write_attribute (const struct field *f, const void *base,
                 struct v2v_xml_node *n, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;

  if (!record_said (f, base))
    return 0;
  text = record_text (f, base);
  return text == NULL ? v2v_fail_nomem (err)
                      : v2v_xml_set_attr (n, "", "", f->name, text, err);
}

static int
write_words (const struct field *f, const void *base, struct v2v_xml_node *n,
             struct v2v_error **err)
{
  char *const *words =
      *(char **const *) (const void *) ((const char *) base + f->offset);

  for (size_t i = 0; words[i] != NULL; ++i)
    if (v2v_xml_add (n, f->item, words[i], err) == NULL)
      return -1;
  return 0;
}

static int
write_list (const struct field *f, const void *base, struct v2v_xml_node *n,
            struct v2v_error **err)
{
  for (size_t i = 0; i < record_length (f, base); ++i) {
    struct v2v_xml_node *c = v2v_xml_add (n, f->item, NULL, err);

    if (c == NULL ||
        record_write_xml (f->sub, record_at (f, base, i), c, err) == -1)
      return -1;
  }
  return 0;
}

static int
write_element (const struct field *f, const void *base, struct v2v_xml_node *n,
               struct v2v_error **err)
{
  const void *v = (const char *) base + f->offset;
  struct v2v_xml_node *c;

  if (!record_said (f, base))
    return 0;
  c = v2v_xml_add (n, f->name,
                   f->kind == FIELD_LINES ? *(char *const *) v : NULL, err);
  if (c == NULL)
    return -1;
  switch (f->kind) {
  case FIELD_GROUP:
    return record_write_xml (f->sub, v, c, err);
  case FIELD_LIST:
    return write_list (f, base, c, err);
  case FIELD_WORDS:
    return write_words (f, base, c, err);
  case FIELD_SECRET:
    for (const struct field *s = secret_fields; s->name != NULL; ++s)
      if (write_attribute (s, v, c, err) == -1)
        return -1;
    return 0;
  case FIELD_LINES:
  case FIELD_TEXT:
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    break;
  }
  return 0;
}

int
record_write_xml (const struct record *r, const void *base,
                  struct v2v_xml_node *n, struct v2v_error **err)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (is_attribute (f) && write_attribute (f, base, n, err) == -1)
      return -1;
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (!is_attribute (f) && write_element (f, base, n, err) == -1)
      return -1;
  return 0;
}
