/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives: opening and reading by libhivex, behind hive.h.
 *
 * Nothing dirty, truncated or damaged is given to it (hive-check.c), and paths
 * are bounded.
 */

#include <config.h>

#include <errno.h>
#include <hivex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/hive-internal.h"

int
hive_fail_key (struct v2v_hive *h, const char *key, const char *what,
               struct v2v_error **err)
{
  const int e = errno;

  if (e == ENOMEM)
    return v2v_fail_nomem (err);
  return v2v_fail (err, V2V_ERR_GUEST, "registry hive %s, key '%s': %s: %s",
                   h->name, key, what, e ? strerror (e) : "damaged");
}

int
hive_fail_broken (const struct v2v_hive *h, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_GUEST,
                   "registry hive %s: a change to it failed half-way; nothing "
                   "of it is written",
                   h->name);
}

/* ---- open and close ---- */

static struct v2v_hive *
hive_new (char *file, bool own_file, const char *name, bool writable,
          struct v2v_error **err)
{
  struct v2v_hive *h = calloc (1, sizeof *h);

  if (h == NULL || (h->name = strdup (name)) == NULL) {
    if (own_file)
      unlink (file);
    free (file);
    free (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  h->file = file;
  h->own_file = own_file;
  h->writable = writable;
  if (hive_file_check (file, name, writable, err) == -1) {
    v2v_hive_close (h);
    return NULL;
  }
  errno = 0;
  h->h = hivex_open (file, writable ? HIVEX_OPEN_WRITE : 0);
  if (h->h == NULL) {
    hive_fail_key (h, "", "opening it", err);
    v2v_hive_close (h);
    return NULL;
  }
  return h;
}

struct v2v_hive *
v2v_hive_open (const char *host_file, const char *name, bool writable,
               struct v2v_journal *j, struct v2v_error **err)
{
  char *copy = strdup (host_file);
  struct v2v_hive *h;

  if (copy == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  h = hive_new (copy, false, name, writable, err);
  if (h != NULL)
    h->journal = j;
  return h;
}

struct v2v_hive *
v2v_hive_open_guest (struct v2v_guest *g, const char *path, const char *name,
                     bool writable, struct v2v_error **err)
{
  bool replayed = false;
  char *file = hive_file_from_guest (g, path, name, &replayed, err);
  struct v2v_hive *h;

  if (file == NULL)
    return NULL;
  h = hive_new (file, true, name, writable, err);
  if (h == NULL)
    return NULL;
  h->g = g;
  h->journal = v2v_guest_journal (g);
  h->replayed = replayed;
  h->guest_path = strdup (path);
  if (h->guest_path == NULL) {
    v2v_hive_close (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  return h;
}

void
v2v_hive_close (struct v2v_hive *h)
{
  if (h == NULL)
    return;
  if (h->h != NULL)
    hivex_close (h->h);
  if (h->own_file)
    unlink (h->file);
  hive_forget_changes (h);
  free (h->changes);
  free (h->guest_path);
  free (h->file);
  free (h->name);
  free (h);
}

/* ---- finding ---- */

/* The node of KEY, 0 if it is not there; -1 = error. */
int
hive_find_node (struct v2v_hive *h, const char *key, size_t *ret,
                struct v2v_error **err)
{
  hive_node_h node;

  if (strlen (key) > HIVE_MAX_KEY_PATH)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s: a key's path has %zu bytes, expected "
                     "up to %u",
                     h->name, strlen (key), HIVE_MAX_KEY_PATH);
  errno = 0;
  node = hivex_root (h->h);
  if (node == 0)
    return hive_fail_key (h, key, "its root", err);
  for (const char *p = key; *p != '\0';) {
    const size_t len = strcspn (p, "\\");
    CLEANUP_FREE char *part = strndup (p, len);

    if (part == NULL)
      return v2v_fail_nomem (err);
    p += len + (p[len] == '\\');
    if (len == 0)
      continue;
    errno = 0;
    node = hivex_node_get_child (h->h, node, part);
    if (node == 0) {
      if (errno != 0)
        return hive_fail_key (h, key, "looking it up", err);
      *ret = 0;
      return 0;
    }
  }
  *ret = node;
  return 0;
}

int
hive_key_exists (struct v2v_hive *h, const char *key, struct v2v_error **err)
{
  hive_node_h node;

  if (hive_find_node (h, key, &node, err) == -1)
    return -1;
  return node != 0;
}

int
v2v_hive_has_key (struct v2v_hive *h, const char *key, struct v2v_error **err)
{
  return hive_key_exists (h, key, err);
}

static char **
empty_list (struct v2v_error **err)
{
  char **list = calloc (1, sizeof *list);

  if (list == NULL)
    v2v_fail_nomem (err);
  return list;
}

/* Names of the NR handles ITEMS by GET. */
static char **
name_list (struct v2v_hive *h, const char *key, const size_t *items,
           char *(*get) (hive_h *, size_t), struct v2v_error **err)
{
  CLEANUP_LIST char **list = NULL;
  size_t n = 0;

  while (items[n] != 0)
    ++n;
  list = calloc (n + 1, sizeof *list);
  if (list == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (size_t i = 0; i < n; ++i) {
    errno = 0;
    list[i] = get (h->h, items[i]);
    if (list[i] == NULL) {
      hive_fail_key (h, key, "a name in it", err);
      return NULL;
    }
  }
  return STEAL (list);
}

char **
v2v_hive_subkeys (struct v2v_hive *h, const char *key, struct v2v_error **err)
{
  CLEANUP_FREE hive_node_h *nodes = NULL;
  hive_node_h node;

  if (hive_find_node (h, key, &node, err) == -1)
    return NULL;
  if (node == 0)
    return empty_list (err);
  errno = 0;
  nodes = hivex_node_children (h->h, node);
  if (nodes == NULL) {
    hive_fail_key (h, key, "its subkeys", err);
    return NULL;
  }
  return name_list (h, key, nodes, hivex_node_name, err);
}

char **
v2v_hive_value_names (struct v2v_hive *h, const char *key,
                      struct v2v_error **err)
{
  CLEANUP_FREE hive_value_h *values = NULL;
  hive_node_h node;

  if (hive_find_node (h, key, &node, err) == -1)
    return NULL;
  if (node == 0)
    return empty_list (err);
  errno = 0;
  values = hivex_node_values (h->h, node);
  if (values == NULL) {
    hive_fail_key (h, key, "its values", err);
    return NULL;
  }
  return name_list (h, key, values, hivex_value_key, err);
}

/* ---- reading ---- */

int
hive_fetch (struct v2v_hive *h, const char *key, const char *name,
            struct hive_data *ret, struct v2v_error **err)
{
  hive_node_h node;
  hive_value_h value;
  hive_type type;
  size_t len;
  char *raw, *data;

  memset (ret, 0, sizeof *ret);
  if (hive_find_node (h, key, &node, err) == -1)
    return -1;
  if (node == 0)
    return 0;
  errno = 0;
  value = hivex_node_get_value (h->h, node, name);
  if (value == 0)
    return errno == 0 ? 0 : hive_fail_key (h, key, name, err);
  raw = hivex_value_value (h->h, value, &type, &len);
  if (raw == NULL)
    return hive_fail_key (h, key, name, err);
  /* Two zero bytes behind it, so that text always ends. */
  data = realloc (raw, len + 2);
  if (data == NULL) {
    free (raw);
    return v2v_fail_nomem (err);
  }
  data[len] = data[len + 1] = '\0';
  ret->exists = true;
  ret->type = (uint32_t) type;
  ret->data = data;
  ret->len = len;
  return 0;
}

int
v2v_hive_get (struct v2v_hive *h, const char *key, const char *name,
              uint32_t *ret_type, void **ret_data, size_t *ret_len,
              struct v2v_error **err)
{
  struct hive_data d;

  if (hive_fetch (h, key, name, &d, err) == -1)
    return -1;
  if (!d.exists)
    return 0;
  *ret_type = d.type;
  *ret_data = d.data;
  *ret_len = d.len;
  return 1;
}

int
v2v_hive_get_dword (struct v2v_hive *h, const char *key, const char *name,
                    uint32_t *ret, struct v2v_error **err)
{
  struct hive_data d;
  uint64_t number;
  bool ok;

  if (hive_fetch (h, key, name, &d, err) == -1)
    return -1;
  ok = d.exists && hive_decode_number (d.type, d.data, d.len, &number) &&
       number <= UINT32_MAX;
  free (d.data);
  if (ok)
    *ret = (uint32_t) number;
  return ok;
}

char *
v2v_hive_get_string (struct v2v_hive *h, const char *key, const char *name,
                     struct v2v_error **err)
{
  struct hive_data d;
  char *text = NULL;

  if (hive_fetch (h, key, name, &d, err) == -1)
    return NULL;
  if (d.exists && (d.type == V2V_REG_SZ || d.type == V2V_REG_EXPAND_SZ ||
                   d.type == V2V_REG_BINARY)) {
    text = hive_utf16_to_utf8 (d.data, d.len);
    if (text == NULL)
      v2v_fail_nomem (err);
  }
  free (d.data);
  return text;
}

char **
v2v_hive_get_multi (struct v2v_hive *h, const char *key, const char *name,
                    struct v2v_error **err)
{
  struct hive_data d;
  char **list;

  if (hive_fetch (h, key, name, &d, err) == -1)
    return NULL;
  if (!d.exists || (d.type != V2V_REG_MULTI_SZ && d.type != V2V_REG_SZ &&
                    d.type != V2V_REG_EXPAND_SZ && d.type != V2V_REG_BINARY)) {
    free (d.data);
    return empty_list (err);
  }
  list = hive_decode_multi (d.type, d.data, d.len);
  free (d.data);
  if (list == NULL)
    v2v_fail_nomem (err);
  return list;
}
