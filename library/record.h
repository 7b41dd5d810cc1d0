/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record: a struct that a table of fields describes.  The table alone knows
 * what a document can say; reading and writing XML and JSON, setting one field
 * by its path, comparing and freeing are the same code for all of them.
 *
 *   XML    attributes for what is one line, elements for the rest, lists in
 *          an element of their own: <network-adapters><adapter name="a"/>...
 *   JSON   the same names with '_' for '-', lists as arrays
 *   path   processor.count, network-adapters[0].vlan, network-adapters[a].vlan
 *
 * Nothing is required by a record and nothing has a default: each field is
 * said or not said.  What must be there, and what must fit together, is the
 * matter of the documents (document-check.c).  Private to this folder.
 */
#ifndef V2V_RECORD_H
#define V2V_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/xml.h"
#include "library/document.h"

enum field_kind {
  FIELD_TEXT,   /* char *, NULL = not said: an attribute */
  FIELD_LINES,  /* the same over several lines: an element */
  FIELD_NUMBER, /* int64_t, -1 = not said */
  FIELD_FLAG,   /* enum v2v_tristate */
  FIELD_CHOICE, /* unsigned, 0 = not said, else 1 + its place in names */
  FIELD_SECRET, /* struct v2v_secret_ref: <password file="..."/> */
  FIELD_GROUP,  /* a struct inside this one */
  FIELD_LIST,   /* a pointer to structs, and their number */
  FIELD_WORDS,  /* NULL-terminated list of strings, NULL = not said */
};

/* NULL = fine, else what was expected. */
typedef const char *field_rule (const char *text);

struct field {
  const char *name;
  enum field_kind kind;
  size_t offset;
  size_t second;            /* LIST: of the number; GROUP: of a bool that
                               says that it is there (0 = none) */
  int64_t min, max;         /* NUMBER: its range; TEXT, LINES, WORDS: max
                               characters of each; 0 = MAX_LINE */
  const char *item;         /* LIST, WORDS: the element of one */
  const char *const *names; /* CHOICE: NULL-terminated */
  field_rule *rule;         /* TEXT, WORDS */
  const struct record *sub; /* GROUP, LIST */
  bool key;                 /* TEXT: names the element of a list */
  bool file;                /* TEXT, WORDS: JSON may have {"file": ...} */
};

struct record {
  size_t size;
  const struct field *fields; /* the last has no name */
};

/* Characters of what is one line, as in v2v-library.xsd. */
#define RECORD_MAX_LINE 1024
/* ... and of what is several. */
#define RECORD_MAX_LINES 16384
/* Members of one list: thousands of accounts in a profile are real, more is
 * an attack. */
#define RECORD_MAX_ITEMS 4096

/* All fields of BASE are not said; BASE may be anything before. */
void record_init (const struct record *r, void *base);
/* Free what BASE holds; it is as after record_init. */
void record_clear (const struct record *r, void *base);
bool record_said (const struct field *f, const void *base);
/* Is any field said? */
bool record_any (const struct record *r, const void *base);

/* The field that is called NAME (of the XML), or NULL. */
const struct field *record_field (const struct record *r, const char *name);
/* The name most like it, for a hint, or NULL. */
const char *record_nearest (const struct record *r, const char *name);
/* The key of element I of a list; NULL if it has none. */
const char *record_key (const struct field *list, const void *base, size_t i);
/* The elements of a list. */
size_t record_length (const struct field *list, const void *base);
void *record_at (const struct field *list, const void *base, size_t i);
/* One more element, empty; NULL when out of memory or too many. */
void *record_append (const struct field *list, void *base);

#define RECORD_WHY 160
/* TEXT for a TEXT, LINES, NUMBER, FLAG or CHOICE.  0; 1 with what was expected
 * in WHY; -1 when out of memory. */
int record_parse (const struct field *f, void *base, const char *text,
                  char why[RECORD_WHY]);
/* One line of 1 to 1024 characters without controls?  NULL = fine. */
const char *record_check_line (const char *text);
/* What record_parse reads, for all kinds but GROUP and LIST: for people and
 * for comparing; a secret is told by where it is.  NULL when it is not said or
 * out of memory; the caller frees. */
char *record_text (const struct field *f, const void *base);
/* Append a string to a WORDS; as record_parse. */
int record_add_word (const struct field *f, void *base, const char *text,
                     char why[RECORD_WHY]);

/* BASE is initialised; NAME is for messages. */
int record_read_xml (const struct record *r, void *base,
                     const struct v2v_xml_node *n, const char *name,
                     struct v2v_error **err);
int record_write_xml (const struct record *r, const void *base,
                      struct v2v_xml_node *n, struct v2v_error **err);
/* EXCEPT (may be NULL) is a member to pass over. */
int record_read_json (const struct record *r, void *base,
                      const struct v2v_json *j, const char *except,
                      const char *name, struct v2v_error **err);
/* Members of OBJ. */
void record_write_json (const struct record *r, const void *base,
                        struct v2v_json *obj);

/* Set the field at PATH; an empty VALUE makes it not said.  An index one past
 * the end, or a key that is not there, makes a new element. */
int record_set (const struct record *r, void *base, const char *path,
                const char *value, struct v2v_error **err);

/* Every field that differs.  OLD and NEW are NULL where it is not said.
 * Returns 0, or what FN returned if that was not 0. */
typedef int record_diff_fn (void *arg, const char *path, const char *old,
                            const char *new);
int record_diff (const struct record *r, const void *a, const void *b,
                 record_diff_fn *fn, void *arg);
/* Every string that is said. */
int record_texts (const struct record *r, const void *base, record_diff_fn *fn,
                  void *arg);

/* Give every string that is said, the files of secrets too, a new value: FN
 * leaves *RET alone (it stays) or sets it to a string of its own; IS_SECRET
 * says that it is where a secret is.  What was set is not checked. */
typedef int record_map_fn (void *arg, const char *text, bool is_secret,
                           char **ret, struct v2v_error **err);
int record_map_texts (const struct record *r, void *base, record_map_fn *fn,
                      void *arg, struct v2v_error **err);

#endif /* V2V_RECORD_H */
