/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal: every change made inside a guest, in order, with what was
 * there before: files and registry values alike.  It becomes the member
 * "changes" of the report.
 */
#ifndef V2V_JOURNAL_H
#define V2V_JOURNAL_H

#include <stddef.h>

#include "formats/core/error.h"
#include "formats/core/json.h"

enum v2v_change_kind {
  V2V_CHANGE_FILE,     /* path: contents before and after */
  V2V_CHANGE_FOLDER,   /* made or removed as a whole */
  V2V_CHANGE_RENAME,   /* path -> after */
  V2V_CHANGE_LINK,     /* target before and after */
  V2V_CHANGE_MODE,     /* mode or owner */
  V2V_CHANGE_REGISTRY, /* path: hive and key, name: value */
  V2V_CHANGE_COMMAND,  /* path: the program, after: exit status */
};

struct v2v_change {
  enum v2v_change_kind kind;
  char *path;     /* "/etc/fstab"; "SYSTEM\\ControlSet001\\Services\\vmbus" */
  char *name;     /* registry: the value's name ("" = default); else NULL */
  char *before;   /* NULL = was not there */
  char *after;    /* NULL = is no longer there */
  char *why;      /* or NULL */
  double seconds; /* a command: how long it ran */
};

struct v2v_journal {
  struct v2v_change *ptr;
  size_t len;
  size_t cap;
};
#define V2V_JOURNAL_INIT                                                       \
  {                                                                            \
    .ptr = NULL, .len = 0, .cap = 0                                            \
  }

/* All strings are copied; bytes that are not UTF-8 become U+FFFD in JSON. */
int v2v_journal_add (struct v2v_journal *j, enum v2v_change_kind kind,
                     const char *path, const char *name, const char *before,
                     const char *after, const char *why,
                     struct v2v_error **err);
void v2v_journal_clear (struct v2v_journal *j);
const char *v2v_change_kind_name (enum v2v_change_kind k);
/* The last change of PATH (and NAME, unless NULL), or NULL. */
const struct v2v_change *v2v_journal_find (const struct v2v_journal *j,
                                           const char *path, const char *name);
struct v2v_json *v2v_journal_to_json (const struct v2v_journal *j);

#endif /* V2V_JOURNAL_H */
