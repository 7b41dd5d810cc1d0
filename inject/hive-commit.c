/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed in a hive: remembered, written, read back, and only then put
 * into the journal. */

#include <config.h>

#include <errno.h>
#include <hivex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/hive-internal.h"

static void
change_clear (struct hive_change *c)
{
  free (c->key);
  free (c->name);
  free (c->before);
  free (c->why);
  free (c->first.data);
  free (c->last.data);
}

void
hive_forget_changes (struct v2v_hive *h)
{
  for (size_t i = 0; i < h->nr_changes; ++i)
    change_clear (&h->changes[i]);
  h->nr_changes = 0;
}

static int
copy_data (struct hive_data *dst, const struct hive_data *src)
{
  *dst = *src;
  if (!src->exists)
    return 0;
  dst->data = malloc (src->len + 2);
  if (dst->data == NULL)
    return -1;
  if (src->len > 0)
    memcpy (dst->data, src->data, src->len);
  memset ((char *) dst->data + src->len, 0, 2);
  return 0;
}

/* Room for one more; NULL when out of memory. */
static struct hive_change *
new_change (struct v2v_hive *h)
{
  const size_t cap = h->cap_changes + h->cap_changes / 2 + 16;
  struct hive_change *p;

  if (h->nr_changes == h->cap_changes) {
    p = reallocarray (h->changes, cap, sizeof *p);
    if (p == NULL)
      return NULL;
    h->changes = p;
    h->cap_changes = cap;
  }
  p = &h->changes[h->nr_changes];
  memset (p, 0, sizeof *p);
  return p;
}

static int
copy_texts (struct hive_change *c, const char *key, const char *name,
            const char *before, const char *why)
{
  if ((c->key = strdup (key)) == NULL ||
      (name != NULL && (c->name = strdup (name)) == NULL) ||
      (before != NULL && (c->before = strdup (before)) == NULL) ||
      (why != NULL && (c->why = strdup (why)) == NULL))
    return -1;
  return 0;
}

int
hive_remember_value (struct v2v_hive *h, const char *key, const char *name,
                     const struct hive_data *before,
                     const struct hive_data *after, const char *why,
                     struct v2v_error **err)
{
  struct hive_change *c;

  for (size_t i = h->nr_changes; i > 0; --i) {
    c = &h->changes[i - 1];
    if (c->kind == HIVE_VALUE && !c->superseded &&
        strcasecmp (c->key, key) == 0 && strcasecmp (c->name, name) == 0) {
      struct hive_data copy;

      if (copy_data (&copy, after) == -1)
        return v2v_fail_nomem (err);
      free (c->last.data);
      c->last = copy;
      return 0;
    }
  }
  c = new_change (h);
  if (c == NULL)
    return v2v_fail_nomem (err);
  c->kind = HIVE_VALUE;
  if (copy_texts (c, key, name, NULL, why) == -1 ||
      copy_data (&c->first, before) == -1 ||
      copy_data (&c->last, after) == -1) {
    change_clear (c);
    return v2v_fail_nomem (err);
  }
  ++h->nr_changes;
  return 0;
}

/* Is KEY the same as TOP or below it? */
static bool
is_within (const char *key, const char *top)
{
  const size_t n = strlen (top);

  return strncasecmp (key, top, n) == 0 && (key[n] == '\\' || key[n] == '\0');
}

int
hive_remember_key (struct v2v_hive *h, enum hive_change_kind kind,
                   const char *key, const char *text, const char *why,
                   struct v2v_error **err)
{
  struct hive_change *c;

  for (size_t i = 0; i < h->nr_changes; ++i) {
    c = &h->changes[i];
    if (kind == HIVE_KEY_DELETED
            ? is_within (c->key, key)
            : c->kind == HIVE_KEY_DELETED && is_within (key, c->key))
      c->superseded = true;
  }
  c = new_change (h);
  if (c == NULL)
    return v2v_fail_nomem (err);
  c->kind = kind;
  if (copy_texts (c, key, NULL, text, why) == -1) {
    change_clear (c);
    return v2v_fail_nomem (err);
  }
  ++h->nr_changes;
  return 0;
}

/* A value that was set and set back is no change. */
static bool
is_real (const struct hive_change *c)
{
  return c->kind != HIVE_VALUE || !hive_data_equal (&c->first, &c->last);
}

bool
v2v_hive_changed (const struct v2v_hive *h)
{
  for (size_t i = 0; i < h->nr_changes; ++i)
    if (is_real (&h->changes[i]))
      return true;
  return h->replayed;
}

/* ---- verification ---- */

static int
verify_change (struct v2v_hive *again, const struct hive_change *c,
               struct v2v_error **err)
{
  struct hive_data now = { 0 };
  bool ok;
  int r;

  if (c->kind == HIVE_VALUE) {
    if (hive_fetch (again, c->key, c->name, &now, err) == -1)
      return -1;
    ok = hive_data_equal (&now, &c->last);
    free (now.data);
  }
  else {
    r = hive_key_exists (again, c->key, err);
    if (r == -1)
      return -1;
    ok = r == (c->kind == HIVE_KEY_MADE);
  }
  if (!ok)
    return v2v_fail (err, V2V_ERR_IO,
                     "registry hive %s, key '%s'%s%s: the change cannot be "
                     "read back",
                     again->name, c->key, c->name ? ", value " : "",
                     c->name ? c->name : "");
  return 0;
}

/* Is FILE whole?  Then read every change back from it. */
static int
verify_file (const struct v2v_hive *h, const char *file, struct v2v_error **err)
{
  struct v2v_hive *again = NULL;
  int r = 0;

  if (hive_file_check (file, h->name, true, err) == 0)
    again = v2v_hive_open (file, h->name, false, NULL, err);
  if (again == NULL)
    return v2v_prefix (err, "as written");
  for (size_t i = 0; r == 0 && i < h->nr_changes; ++i)
    if (!h->changes[i].superseded)
      r = verify_change (again, &h->changes[i], err);
  v2v_hive_close (again);
  return r;
}

/* ---- writing ---- */

static int
journal_change (struct v2v_hive *h, const struct hive_change *c,
                struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL, *before = NULL, *after = NULL;
  const bool value = c->kind == HIVE_VALUE;

  if (asprintf (&path, "%s\\%s", h->name, c->key) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  if (value && c->first.exists)
    before = hive_describe (c->first.type, c->first.data, c->first.len);
  if (value && c->last.exists)
    after = hive_describe (c->last.type, c->last.data, c->last.len);
  if (value && ((c->first.exists && before == NULL) ||
                (c->last.exists && after == NULL)))
    return v2v_fail_nomem (err);
  return v2v_journal_add (h->journal, V2V_CHANGE_REGISTRY, path, c->name,
                          value ? before : c->before,
                          value                      ? after
                          : c->kind == HIVE_KEY_MADE ? "key"
                                                     : NULL,
                          c->why, err);
}

/* To the guest, and back to be compared. */
static int
put_into_guest (struct v2v_hive *h, const char *file, struct v2v_error **err)
{
  CLEANUP_FREE char *back = NULL;
  int r = -1;

  if (v2v_guest_upload (h->g, file, h->guest_path, 0, 0,
                        h->replayed ? "its transaction log was replayed"
                                    : "registry values, as listed",
                        err) == -1)
    return -1;
  back = hive_file_temporary (h->g, h->file, err);
  if (back == NULL)
    return -1;
  if (v2v_guest_download (h->g, h->guest_path, back, UINT64_MAX, err) == 0)
    r = verify_file (h, back, err);
  unlink (back);
  return r;
}

int
v2v_hive_commit (struct v2v_hive *h, struct v2v_error **err)
{
  CLEANUP_FREE char *file = NULL;
  int r;

  if (!v2v_hive_changed (h))
    return 0;
  if (!h->writable)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "registry hive %s was opened for reading", h->name);
  if (h->broken)
    return hive_fail_broken (h, err);
  file = hive_file_temporary (h->g, h->file, err);
  if (file == NULL)
    return -1;
  errno = 0;
  if (hivex_commit (h->h, file, 0) == -1)
    r = v2v_fail_errno (err, "writing registry hive %s", h->name);
  else if ((r = verify_file (h, file, err)) == -1)
    ;
  else if (h->g != NULL)
    r = put_into_guest (h, file, err);
  else if (rename (file, h->file) == -1)
    r = v2v_fail_errno (err, "%s", h->file);
  if (r == -1 || h->g != NULL)
    unlink (file);
  for (size_t i = 0; r == 0 && h->journal != NULL && i < h->nr_changes; ++i)
    if (is_real (&h->changes[i]))
      r = journal_change (h, &h->changes[i], err);
  if (r == -1)
    return -1;
  hive_forget_changes (h);
  h->replayed = false;
  return 1;
}
