/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schema that ships and the tables of the program say the same.  Both are
 * asked, alone, about documents made from the tables: every field with a right
 * value, with one past each end of its range, and twice.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/xml.h"
#include "library/document-internal.h"
#include "test-util.h"

#define GUID "11111111-2222-3333-4444-555555555555"
#define DIGEST                                                                 \
  "sha256:0123456789012345678901234567890123456789012345678901234567890123"

/* What stands around a field: the path of elements from the root. */
struct place {
  const char *open, *close;
};

static unsigned nr_fields;
static struct v2v_xml_schema *schema;

static int
make_schema (void **state)
{
  struct v2v_error *err = NULL;
  size_t len;
  const char *text = v2v_document_schema (&len);

  (void) state;
  schema = v2v_xml_schema_new (text, len, "schema", &err);
  assert_ptr (schema, err);
  return 0;
}

static int
free_schema (void **state)
{
  (void) state;
  v2v_xml_schema_free (schema);
  return 0;
}

/* What the schema says of TEXT: NULL = valid. */
static char *
ask_schema (const char *text)
{
  struct v2v_error *err = NULL;
  CLEANUP_XML struct v2v_xml *doc =
      v2v_xml_parse (text, strlen (text), "d", &err);
  char *said;

  assert_ptr (doc, err);
  if (v2v_xml_schema_check (schema, doc, "d", &err) == 0)
    return NULL;
  said = strdup (v2v_error_message (err));
  v2v_error_free (err);
  return said;
}

/* The same for the tables. */
static char *
ask_tables (enum v2v_document_kind kind, const char *text)
{
  struct v2v_error *err = NULL;
  CLEANUP_XML struct v2v_xml *doc =
      v2v_xml_parse (text, strlen (text), "d", &err);
  CLEANUP_DOCUMENT struct v2v_document *d = v2v_document_new (kind, &err);
  char *said;

  assert_true (doc != NULL && d != NULL);
  if (record_read_xml (document_record (kind), d, v2v_xml_root (doc), "d",
                       &err) == 0)
    return NULL;
  said = strdup (v2v_error_message (err));
  v2v_error_free (err);
  return said;
}

static void
assert_both (enum v2v_document_kind kind, const struct place *p,
             const char *inside, bool valid)
{
  CLEANUP_FREE char *text = NULL, *by_schema = NULL, *by_tables = NULL;

  assert_true (asprintf (&text, "%s%s%s", p->open, inside, p->close) > 0);
  by_schema = ask_schema (text);
  by_tables = ask_tables (kind, text);
  if ((by_schema == NULL) != valid || (by_tables == NULL) != valid)
    fail_msg ("%s\nexpected it to be %s\nschema: %s\ntables: %s", text,
              valid ? "valid" : "refused", by_schema ? by_schema : "valid",
              by_tables ? by_tables : "valid");
}

/* An attribute of the innermost element of P, which is open at its end. */
static void
try_attribute (enum v2v_document_kind kind, const struct place *p,
               const char *name, const char *value, bool valid)
{
  CLEANUP_FREE char *inside = NULL;

  assert_true (asprintf (&inside, " %s=\"%s\">", name, value) > 0);
  assert_both (kind, p, inside, valid);
}

static char *
repeat (char c, size_t n)
{
  char *s = malloc (n + 1);

  assert_non_null (s);
  memset (s, c, n);
  s[n] = '\0';
  return s;
}

static void
try_number (enum v2v_document_kind kind, const struct place *p,
            const struct field *f)
{
  static const char *const bad[] = { "-1",  "x",   "",
                                     "1.5", "0x1", "99999999999999999999999" };
  char text[32];

  for (int64_t d = -1; d <= 1; ++d) {
    snprintf (text, sizeof text, "%" PRId64, f->min + d);
    if (f->min + d >= 0 || d < 0)
      try_attribute (kind, p, f->name, text,
                     f->min + d >= f->min && f->min + d <= f->max);
    snprintf (text, sizeof text, "%" PRId64, f->max + d);
    try_attribute (kind, p, f->name, text, d <= 0);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    try_attribute (kind, p, f->name, bad[i], false);
}

static const char *
right_text (const struct field *f)
{
  if (f->rule == document_rule_guid)
    return GUID;
  if (f->rule == document_rule_digest)
    return DIGEST;
  if (f->rule == document_rule_mac)
    return "00:15:5d:01:02:03";
  return "a";
}

static void
try_text (enum v2v_document_kind kind, const struct place *p,
          const struct field *f)
{
  const size_t max = f->max != 0 ? (size_t) f->max : RECORD_MAX_LINE;
  CLEANUP_FREE char *longest = repeat ('a', max), *more = repeat ('a', max + 1);

  try_attribute (kind, p, f->name, right_text (f), true);
  try_attribute (kind, p, f->name, "", false);
  try_attribute (kind, p, f->name, "a&#10;b", false);
  if (f->rule == NULL || f->rule == document_rule_setting) {
    try_attribute (kind, p, f->name, longest, true);
    try_attribute (kind, p, f->name, more, false);
  }
  else
    try_attribute (kind, p, f->name, "a b", false);
  if (f->rule == NULL)
    try_attribute (kind, p, f->name,
                   "&quot;it's&quot; &lt;\xc3\xa4&gt; &amp; /", true);
}

/* The element of F inside of P. */
static void
go_into (const struct place *p, const char *element, struct place *ret)
{
  char *open, *close;

  assert_true (asprintf (&open, "%s><%s", p->open, element) > 0);
  assert_true (asprintf (&close, "</%s>%s", element, p->close) > 0);
  ret->open = open;
  ret->close = close;
}

static void
leave (struct place *p)
{
  free ((char *) (uintptr_t) p->open);
  free ((char *) (uintptr_t) p->close);
}

static void try_record (enum v2v_document_kind kind, const struct place *p,
                        const struct record *r, bool element);

static void
try_words (enum v2v_document_kind kind, const struct place *list,
           const struct field *f)
{
  const size_t max = f->max != 0 ? (size_t) f->max : RECORD_MAX_LINE;
  CLEANUP_FREE char *longest = repeat ('a', max), *more = repeat ('a', max + 1);
  CLEANUP_FREE char *right = NULL, *wrong = NULL, *foreign = NULL;

  assert_true (asprintf (&right, "><%s>%s</%s><%s>b</%s>", f->item, longest,
                         f->item, f->item, f->item) > 0);
  assert_true (asprintf (&wrong, "><%s>%s</%s>", f->item, more, f->item) > 0);
  assert_true (asprintf (&foreign, "><%s>a</%s><other/>", f->item, f->item) >
               0);
  assert_both (kind, list, right, true);
  assert_both (kind, list, wrong, false);
  assert_both (kind, list, foreign, false);
}

static void
try_element (enum v2v_document_kind kind, const struct place *p,
             const struct field *f)
{
  CLEANUP_FREE char *twice = NULL;
  struct place in, item;

  /* Only what has something inside is said. */
  assert_true (asprintf (&twice, "><%s/><%s/>", f->name, f->name) > 0);
  {
    CLEANUP_FREE char *text = NULL, *said = NULL;

    assert_true (asprintf (&text, "%s%s%s", p->open, twice, p->close) > 0);
    said = ask_schema (text);
    assert_non_null (said);
  }
  go_into (p, f->name, &in);
  switch (f->kind) {
  case FIELD_GROUP:
    try_record (kind, &in, f->sub, false);
    break;
  case FIELD_LIST:
    go_into (&in, f->item, &item);
    try_record (kind, &item, f->sub, true);
    leave (&item);
    assert_both (kind, &in, "><other/>", false);
    break;
  case FIELD_WORDS:
    try_words (kind, &in, f);
    break;
  case FIELD_SECRET:
    assert_both (kind, &in, " file=\"a b\">", true);
    assert_both (kind, &in, " fd=\"65535\">", true);
    assert_both (kind, &in, " fd=\"65536\">", false);
    assert_both (kind, &in, " file=\"a\">hunter2", false);
    break;
  case FIELD_LINES:
    assert_both (kind, &in, ">two\nlines", true);
    assert_both (kind, &in, "><a/>", false);
    break;
  case FIELD_TEXT:
  case FIELD_NUMBER:
  case FIELD_FLAG:
  case FIELD_CHOICE:
    break;
  }
  leave (&in);
}

/* A place whose element has the key that the schema wants, for the tests of
 * all other fields. */
static void
with_key (const struct place *p, const struct record *r, struct place *ret)
{
  const char *key = "", *value = "";
  char *open;

  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (f->key) {
      key = f->name;
      value = right_text (f);
    }
  assert_true (asprintf (&open, *key ? "%s %s=\"%s\"" : "%s%s%s", p->open, key,
                         value) > 0);
  ret->open = open;
  ret->close = strdup (p->close);
}

static void
try_record (enum v2v_document_kind kind, const struct place *p,
            const struct record *r, bool element)
{
  struct place keyed;

  with_key (p, r, &keyed);
  (void) element;
  for (const struct field *f = r->fields; f->name != NULL; ++f) {
    const bool is_name =
        f->key || (p->open[0] == '<' && strchr (p->open, '>') == NULL &&
                   strcmp (f->name, "name") == 0);
    const struct place *at = is_name ? p : &keyed;

    ++nr_fields;
    switch (f->kind) {
    case FIELD_NUMBER:
      try_number (kind, at, f);
      break;
    case FIELD_TEXT:
      if (!is_name || f->key)
        try_text (kind, at, f);
      break;
    case FIELD_FLAG:
      try_attribute (kind, at, f->name, "true", true);
      try_attribute (kind, at, f->name, "0", true);
      try_attribute (kind, at, f->name, "yes", false);
      break;
    case FIELD_CHOICE:
      for (size_t i = 0; f->names[i] != NULL; ++i)
        try_attribute (kind, at, f->name, f->names[i], true);
      try_attribute (kind, at, f->name, "other", false);
      break;
    case FIELD_GROUP:
    case FIELD_LIST:
    case FIELD_WORDS:
    case FIELD_SECRET:
    case FIELD_LINES:
      try_element (kind, at, f);
      break;
    }
  }
  assert_both (kind, &keyed, "><other/>", false);
  leave (&keyed);
}

static void
test_every_field_of_the_tables_is_judged_alike_by_the_schema (void **state)
{
  (void) state;
  nr_fields = 0;
  for (unsigned k = 0; k < V2V_NR_DOCUMENT_KINDS; ++k) {
    const char *name = v2v_document_kind_name ((enum v2v_document_kind) k);
    char *open, *close;

    assert_true (asprintf (&open, "<%s xmlns=\"%s\" name=\"n\"", name,
                           V2V_DOCUMENT_NS) > 0);
    assert_true (asprintf (&close, "</%s>", name) > 0);
    try_record ((enum v2v_document_kind) k, &(struct place){ open, close },
                document_record ((enum v2v_document_kind) k), false);
    free (open);
    free (close);
  }
  /* Else the walk went nowhere. */
  assert_true (nr_fields > 200);
}

/* The other direction: what the schema has and the tables lack. */
static unsigned
count_in_schema (const char *what)
{
  size_t len;
  const char *p = v2v_document_schema (&len);
  unsigned n = 0;

  for (; (p = strstr (p, what)) != NULL; ++p)
    ++n;
  return n;
}

static unsigned
count_attributes (const struct record *r, const struct record **seen,
                  size_t *nr_seen)
{
  unsigned n = 0;

  for (size_t i = 0; i < *nr_seen; ++i)
    if (seen[i] == r)
      return 0;
  seen[(*nr_seen)++] = r;
  for (const struct field *f = r->fields; f->name != NULL; ++f)
    if (f->sub != NULL)
      n += count_attributes (f->sub, seen, nr_seen);
    else
      n += f->kind == FIELD_TEXT || f->kind == FIELD_NUMBER ||
           f->kind == FIELD_FLAG || f->kind == FIELD_CHOICE;
  return n;
}

static void
test_the_schema_has_no_attribute_that_the_tables_lack (void **state)
{
  const struct record *seen[64];
  size_t nr_seen = 0;
  unsigned n = 2; /* file and fd of a secret */

  (void) state;
  for (unsigned k = 0; k < V2V_NR_DOCUMENT_KINDS; ++k)
    n += count_attributes (document_record ((enum v2v_document_kind) k), seen,
                           &nr_seen);
  assert_int_equal (count_in_schema ("<xs:attribute name="), n);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_every_field_of_the_tables_is_judged_alike_by_the_schema),
    cmocka_unit_test (test_the_schema_has_no_attribute_that_the_tables_lack),
  };

  return cmocka_run_group_tests (tests, make_schema, free_schema);
}
