/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of findings. */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/findings.h"

int
v2v_findings_add (struct v2v_findings *f, enum v2v_severity severity,
                  const char *id, const char *subject, const char *remedy,
                  const char *fmt, ...)
{
  struct v2v_finding n = { .severity = severity };
  va_list args;

  if (f->len == f->cap) {
    const size_t cap = f->cap + f->cap / 2 + 8;
    struct v2v_finding *p = reallocarray (f->ptr, cap, sizeof *p);

    if (p == NULL)
      return -1;
    f->ptr = p;
    f->cap = cap;
  }
  va_start (args, fmt);
  if (vasprintf (&n.message, fmt, args) == -1)
    n.message = NULL;
  va_end (args);
  n.id = strdup (id);
  n.subject = subject ? strdup (subject) : NULL;
  n.remedy = remedy ? strdup (remedy) : NULL;
  if (n.message == NULL || n.id == NULL || (subject && n.subject == NULL) ||
      (remedy && n.remedy == NULL)) {
    free (n.message);
    free (n.id);
    free (n.subject);
    free (n.remedy);
    return -1;
  }
  f->ptr[f->len++] = n;
  return 0;
}

void
v2v_findings_truncate (struct v2v_findings *f, size_t len)
{
  while (f->len > len) {
    struct v2v_finding *n = &f->ptr[--f->len];

    free (n->id);
    free (n->subject);
    free (n->message);
    free (n->remedy);
  }
}

void
v2v_findings_clear (struct v2v_findings *f)
{
  v2v_findings_truncate (f, 0);
  free (f->ptr);
  memset (f, 0, sizeof *f);
}

const char *
v2v_severity_name (enum v2v_severity s)
{
  switch (s) {
  case V2V_INFORMATION:
    return "information";
  case V2V_WARNING:
    return "warning";
  case V2V_CRITICAL:
    return "critical";
  }
  return "?";
}

struct v2v_json *
v2v_findings_to_json (const struct v2v_findings *f)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < f->len; ++i) {
    const struct v2v_finding *n = &f->ptr[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "id", n->id);
    v2v_json_set_string (o, "severity", v2v_severity_name (n->severity));
    if (n->subject)
      v2v_json_set_string (o, "subject", n->subject);
    v2v_json_set_string (o, "message", n->message);
    if (n->remedy)
      v2v_json_set_string (o, "remedy", n->remedy);
    v2v_json_append (list, o);
  }
  return list;
}

const struct v2v_finding *
v2v_findings_find (const struct v2v_findings *f, const char *id)
{
  for (size_t i = 0; i < f->len; ++i)
    if (strcmp (f->ptr[i].id, id) == 0)
      return &f->ptr[i];
  return NULL;
}
