/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of changes inside a guest. */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/journal.h"

static int
copy_string (char **dst, const char *src)
{
  *dst = NULL;
  if (src == NULL)
    return 0;
  *dst = strdup (src);
  return *dst == NULL ? -1 : 0;
}

static void
change_clear (struct v2v_change *c)
{
  free (c->path);
  free (c->name);
  free (c->before);
  free (c->after);
  free (c->why);
}

static int
grow (struct v2v_journal *j)
{
  const size_t cap = j->cap + j->cap / 2 + 16;
  struct v2v_change *p;

  if (j->len < j->cap)
    return 0;
  p = reallocarray (j->ptr, cap, sizeof *p);
  if (p == NULL)
    return -1;
  j->ptr = p;
  j->cap = cap;
  return 0;
}

int
v2v_journal_add (struct v2v_journal *j, enum v2v_change_kind kind,
                 const char *path, const char *name, const char *before,
                 const char *after, const char *why, struct v2v_error **err)
{
  struct v2v_change c = { .kind = kind };

  if (copy_string (&c.path, path) == -1 || copy_string (&c.name, name) == -1 ||
      copy_string (&c.before, before) == -1 ||
      copy_string (&c.after, after) == -1 || copy_string (&c.why, why) == -1 ||
      grow (j) == -1) {
    change_clear (&c);
    return v2v_fail_nomem (err);
  }
  j->ptr[j->len++] = c;
  return 0;
}

void
v2v_journal_clear (struct v2v_journal *j)
{
  for (size_t i = 0; i < j->len; ++i)
    change_clear (&j->ptr[i]);
  free (j->ptr);
  memset (j, 0, sizeof *j);
}

const char *
v2v_change_kind_name (enum v2v_change_kind k)
{
  switch (k) {
  case V2V_CHANGE_FILE:
    return "file";
  case V2V_CHANGE_FOLDER:
    return "folder";
  case V2V_CHANGE_RENAME:
    return "rename";
  case V2V_CHANGE_LINK:
    return "link";
  case V2V_CHANGE_MODE:
    return "mode";
  case V2V_CHANGE_REGISTRY:
    return "registry";
  case V2V_CHANGE_COMMAND:
    return "command";
  }
  return "?";
}

const struct v2v_change *
v2v_journal_find (const struct v2v_journal *j, const char *path,
                  const char *name)
{
  for (size_t i = j->len; i > 0; --i) {
    const struct v2v_change *c = &j->ptr[i - 1];

    if (strcmp (c->path, path) == 0 &&
        (name == NULL || (c->name != NULL && strcmp (c->name, name) == 0)))
      return c;
  }
  return NULL;
}

struct v2v_json *
v2v_journal_to_json (const struct v2v_journal *j)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < j->len; ++i) {
    const struct v2v_change *c = &j->ptr[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "kind", v2v_change_kind_name (c->kind));
    v2v_json_set_string (o, "path", c->path);
    if (c->name != NULL)
      v2v_json_set_string (o, "name", c->name);
    v2v_json_set_string (o, "before", c->before);
    v2v_json_set_string (o, "after", c->after);
    if (c->why != NULL)
      v2v_json_set_string (o, "why", c->why);
    if (c->kind == V2V_CHANGE_COMMAND)
      v2v_json_set_real (o, "seconds", c->seconds);
    v2v_json_append (array, o);
  }
  return array;
}
