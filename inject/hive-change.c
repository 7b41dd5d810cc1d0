/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives: changing by libhivex, in memory.
 *
 * libhivex deletes recursively and writes long data in one cell; so recursion
 * is bounded before a tree is deleted, and a key with "big data" values is
 * never changed: they would be stored in a form that Windows misreads.  It
 * relies on a whole hive (hive-check.c) and leaves none behind when a change
 * fails half-way: after that nothing is changed or written.
 */

#include <config.h>

#include <errno.h>
#include <hivex.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/hive-internal.h"

static int
check_writable (struct v2v_hive *h, struct v2v_error **err)
{
  if (!h->writable)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "registry hive %s was opened for reading", h->name);
  return h->broken ? hive_fail_broken (h, err) : 0;
}

/* NAME may come from the guest, and libhivex does not look whether it is text
 * (lib/write.c, hivex_node_set_values). */
static int
check_name (struct v2v_hive *h, const char *name, unsigned max,
            struct v2v_error **err)
{
  size_t bytes;
  CLEANUP_FREE void *raw = hive_utf8_to_utf16 (name, &bytes, err);

  if (raw == NULL)
    return v2v_prefix (err, "registry hive %s, a name for it", h->name);
  if (bytes / 2 - 1 > max)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s: a name of %zu characters, expected up "
                     "to %u",
                     h->name, bytes / 2 - 1, max);
  return 0;
}

/* A key at PATH, which is not there; its parent is. */
static int
make_one (struct v2v_hive *h, char *path, const char *why, hive_node_h *ret,
          struct v2v_error **err)
{
  char *name = strrchr (path, '\\');
  hive_node_h parent;
  int r;

  if (name != NULL)
    *name = '\0';
  r = hive_find_node (h, name != NULL ? path : "", &parent, err);
  if (name != NULL)
    *name++ = '\\';
  else
    name = path;
  if (r == -1 || check_name (h, name, HIVE_MAX_KEY_NAME, err) == -1)
    return -1;
  h->broken = true;
  errno = 0;
  *ret = hivex_node_add_child (h->h, parent, name);
  if (*ret == 0)
    return hive_fail_key (h, path, "making it", err);
  if (hive_remember_key (h, HIVE_KEY_MADE, path, NULL, why, err) == -1)
    return -1;
  h->broken = false;
  return 0;
}

/* The node of KEY, made with its parents where missing. *RET_MADE. */
static int
make_node (struct v2v_hive *h, const char *key, const char *why,
           hive_node_h *ret, bool *ret_made, struct v2v_error **err)
{
  CLEANUP_FREE char *path = strdup (key);
  unsigned depth = 0;

  *ret_made = false;
  if (path == NULL)
    return v2v_fail_nomem (err);
  for (char *p = path;; ++p) {
    const char c = *p;
    hive_node_h node;

    if (c != '\\' && c != '\0')
      continue;
    if (++depth > HIVE_MAX_DEPTH)
      return v2v_fail (err, V2V_ERR_GUEST, "registry key '%s' is too deep",
                       key);
    *p = '\0';
    if (hive_find_node (h, path, &node, err) == -1)
      return -1;
    if (node == 0) {
      if (make_one (h, path, why, &node, err) == -1)
        return -1;
      *ret_made = true;
    }
    *p = c;
    *ret = node;
    if (c == '\0')
      return 0;
  }
}

int
v2v_hive_add_key (struct v2v_hive *h, const char *key, const char *why,
                  struct v2v_error **err)
{
  hive_node_h node;
  bool made;

  if (check_writable (h, err) == -1 ||
      make_node (h, key, why, &node, &made, err) == -1)
    return -1;
  return made;
}

/* libhivex frees the data of a value with it, and ends the program when a
 * value of no bytes, not stored in its record, has no cell. */
static int
check_data_cell (struct v2v_hive *h, hive_value_h value, const char *key,
                 struct v2v_error **err)
{
  errno = 0;
  if (hivex_value_data_cell_offset (h->h, value, NULL) != 0 || errno == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_GUEST,
                   "registry hive %s, key '%s': one of its values has no cell "
                   "for its data; the key cannot be changed",
                   h->name, key);
}

static int
check_kept_value (struct v2v_hive *h, hive_value_h value, const char *key,
                  const char *except, struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;
  hive_type type;
  size_t len;

  errno = 0;
  name = hivex_value_key (h->h, value);
  if (name == NULL || hivex_value_type (h->h, value, &type, &len) == -1)
    return hive_fail_key (h, key, "a value", err);
  if (check_data_cell (h, value, key, err) == -1)
    return -1;
  /* libhivex would store what is in front of the zero. */
  if (hivex_value_key_len (h->h, value) != strlen (name))
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s, key '%s': its value '%s' has a zero in "
                     "its name; the key cannot be changed",
                     h->name, key, name);
  if (len > HIVE_MAX_WRITE && strcasecmp (name, except) != 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s, key '%s': its value '%s' has %zu "
                     "bytes; keys with values over %u bytes cannot be changed",
                     h->name, key, name, len, HIVE_MAX_WRITE);
  return 0;
}

/* Setting one value rewrites all values of its key: can they be?  EXCEPT is
 * the one to be replaced. */
static int
check_kept_values (struct v2v_hive *h, hive_node_h node, const char *key,
                   const char *except, struct v2v_error **err)
{
  CLEANUP_FREE hive_value_h *values = NULL;

  errno = 0;
  values = hivex_node_values (h->h, node);
  if (values == NULL)
    return hive_fail_key (h, key, "its values", err);
  for (size_t i = 0; values[i] != 0; ++i)
    if (check_kept_value (h, values[i], key, except, err) == -1)
      return -1;
  return 0;
}

bool
hive_data_equal (const struct hive_data *a, const struct hive_data *b)
{
  return a->exists == b->exists &&
         (!a->exists ||
          (a->type == b->type && a->len == b->len &&
           (a->len == 0 || memcmp (a->data, b->data, a->len) == 0)));
}

/* OLD is what is there now. */
static int
store (struct v2v_hive *h, const char *key, const char *name,
       const struct hive_data *old, const struct hive_data *new,
       const char *why, struct v2v_error **err)
{
  hive_node_h node;
  hive_set_value v;
  bool made;

  if (check_writable (h, err) == -1)
    return -1;
  if (new->len > HIVE_MAX_WRITE)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry value '%s': %zu bytes, expected up to %u", name,
                     new->len, HIVE_MAX_WRITE);
  if (check_name (h, name, HIVE_MAX_VALUE_NAME, err) == -1 ||
      make_node (h, key, why, &node, &made, err) == -1 ||
      check_kept_values (h, node, key, name, err) == -1)
    return -1;
  v.key = (char *) name; /* libhivex copies it */
  v.t = (hive_type) new->type;
  v.len = new->len;
  v.value = new->data;
  h->broken = true;
  errno = 0;
  if (hivex_node_set_value (h->h, node, &v, 0) == -1)
    return hive_fail_key (h, key, name, err);
  if (hive_remember_value (h, key, name, old, new, why, err) == -1)
    return -1;
  h->broken = false;
  return 1;
}

int
v2v_hive_set (struct v2v_hive *h, const char *key, const char *name,
              uint32_t type, const void *data, size_t len, const char *why,
              struct v2v_error **err)
{
  const struct hive_data new = {
    .exists = true, .type = type, .data = (void *) data, .len = len
  };
  struct hive_data old;
  int r = 0;

  if (hive_fetch (h, key, name, &old, err) == -1)
    return -1;
  if (!hive_data_equal (&old, &new))
    r = store (h, key, name, &old, &new, why, err);
  free (old.data);
  return r;
}

int
v2v_hive_set_dword (struct v2v_hive *h, const char *key, const char *name,
                    uint32_t value, const char *why, struct v2v_error **err)
{
  const uint8_t raw[4] = { (uint8_t) value, (uint8_t) (value >> 8),
                           (uint8_t) (value >> 16), (uint8_t) (value >> 24) };
  uint32_t now;
  const int r = v2v_hive_get_dword (h, key, name, &now, err);

  if (r == -1)
    return -1;
  if (r == 1 && now == value)
    return 0;
  return v2v_hive_set (h, key, name, V2V_REG_DWORD, raw, sizeof raw, why, err);
}

int
v2v_hive_set_string (struct v2v_hive *h, const char *key, const char *name,
                     uint32_t type, const char *value, const char *why,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *now = NULL;
  CLEANUP_FREE void *raw = NULL;
  struct hive_data old;
  size_t len;

  /* The same text without its NUL, or with more of them, is the same. */
  if (hive_fetch (h, key, name, &old, err) == -1)
    return -1;
  if (old.exists && old.type == type)
    now = hive_utf16_to_utf8 (old.data, old.len);
  free (old.data);
  if (now != NULL && strcmp (now, value) == 0)
    return 0;
  raw = hive_utf8_to_utf16 (value, &len, err);
  if (raw == NULL)
    return -1;
  return v2v_hive_set (h, key, name, type, raw, len, why, err);
}

static bool
same_list (char **a, const char *const *b)
{
  for (; *a != NULL && *b != NULL; ++a, ++b)
    if (strcmp (*a, *b) != 0)
      return false;
  return *a == NULL && *b == NULL;
}

int
v2v_hive_set_multi (struct v2v_hive *h, const char *key, const char *name,
                    const char *const *values, const char *why,
                    struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str raw = V2V_STR_INIT;
  CLEANUP_LIST char **now = NULL;
  struct hive_data old;

  if (hive_fetch (h, key, name, &old, err) == -1)
    return -1;
  if (old.exists && old.type == V2V_REG_MULTI_SZ)
    now = hive_decode_multi (old.type, old.data, old.len);
  free (old.data);
  if (now != NULL && same_list (now, values))
    return 0;
  for (size_t i = 0; values[i] != NULL; ++i) {
    CLEANUP_FREE void *one = NULL;
    size_t len;

    if (values[i][0] == '\0')
      return v2v_fail (err, V2V_ERR_USAGE,
                       "registry value '%s': a list cannot hold an empty "
                       "string",
                       name);
    one = hive_utf8_to_utf16 (values[i], &len, err);
    if (one == NULL)
      return -1;
    if (v2v_str_append_len (&raw, one, len) == -1)
      return v2v_fail_nomem (err);
  }
  if (v2v_str_append_len (&raw, "\0", 2) == -1)
    return v2v_fail_nomem (err);
  return v2v_hive_set (h, key, name, V2V_REG_MULTI_SZ, raw.ptr, raw.len, why,
                       err);
}

/* ---- deleting ---- */

static void
free_values (hive_set_value *list, size_t n)
{
  for (size_t i = 0; i < n; ++i) {
    free (list[i].key);
    free (list[i].value);
  }
  free (list);
}

/* All values of NODE but NAME, which libhivex then sets instead. */
static int
collect_others (struct v2v_hive *h, hive_node_h node, const char *key,
                const char *name, hive_set_value **ret, size_t *ret_n,
                struct v2v_error **err)
{
  CLEANUP_FREE hive_value_h *values = NULL;
  hive_set_value *list;
  size_t nr = 0, n = 0;

  errno = 0;
  values = hivex_node_values (h->h, node);
  if (values == NULL)
    return hive_fail_key (h, key, "its values", err);
  while (values[nr] != 0)
    ++nr;
  list = calloc (nr + 1, sizeof *list);
  if (list == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < nr; ++i) {
    errno = 0;
    list[n].key = hivex_value_key (h->h, values[i]);
    if (list[n].key != NULL && strcasecmp (list[n].key, name) == 0) {
      free (list[n].key);
      list[n].key = NULL;
      continue;
    }
    if (list[n].key != NULL)
      list[n].value =
          hivex_value_value (h->h, values[i], &list[n].t, &list[n].len);
    if (list[n++].value == NULL) {
      free_values (list, n);
      return hive_fail_key (h, key, "a value", err);
    }
  }
  *ret = list;
  *ret_n = n;
  return 0;
}

int
v2v_hive_delete_value (struct v2v_hive *h, const char *key, const char *name,
                       const char *why, struct v2v_error **err)
{
  const struct hive_data gone = { .exists = false };
  hive_set_value *others = NULL;
  struct hive_data old;
  hive_node_h node;
  size_t n = 0;
  int r = -1;

  if (check_writable (h, err) == -1 ||
      hive_fetch (h, key, name, &old, err) == -1)
    return -1;
  if (!old.exists)
    return 0;
  if (hive_find_node (h, key, &node, err) == 0 &&
      check_kept_values (h, node, key, name, err) == 0 &&
      collect_others (h, node, key, name, &others, &n, err) == 0) {
    h->broken = true;
    errno = 0;
    if (hivex_node_set_values (h->h, node, n, others, 0) == -1)
      hive_fail_key (h, key, name, err);
    else if (hive_remember_value (h, key, name, &old, &gone, why, err) == 0)
      r = 1;
    h->broken = r != 1;
    free_values (others, n);
  }
  free (old.data);
  return r;
}

/* How many keys are below NODE?  libhivex deletes recursively: a tree that is
 * too deep must not reach it. */
static int
count_keys (struct v2v_hive *h, hive_node_h node, const char *key,
            unsigned depth, unsigned *total, struct v2v_error **err)
{
  CLEANUP_FREE hive_node_h *nodes = NULL;
  CLEANUP_FREE hive_value_h *values = NULL;

  if (depth > HIVE_MAX_DEPTH || ++*total > HIVE_MAX_DELETE_KEYS)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive %s, key '%s': too deep or too large to be "
                     "deleted",
                     h->name, key);
  errno = 0;
  nodes = hivex_node_children (h->h, node);
  values = nodes != NULL ? hivex_node_values (h->h, node) : NULL;
  if (values == NULL)
    return hive_fail_key (h, key, "what is below it", err);
  for (size_t i = 0; values[i] != 0; ++i)
    if (check_data_cell (h, values[i], key, err) == -1)
      return -1;
  for (size_t i = 0; nodes[i] != 0; ++i)
    if (count_keys (h, nodes[i], key, depth + 1, total, err) == -1)
      return -1;
  return 0;
}

/* What the journal says about a key that is deleted: its own values. */
static char *
describe_key (struct v2v_hive *h, const char *key, unsigned nr_keys,
              struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_hive_value_names (h, key, err);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (names == NULL)
    return NULL;
  if (v2v_str_printf (&s, "key with %u below it;", nr_keys - 1) == -1)
    goto nomem;
  for (size_t i = 0; names[i] != NULL && i < 64; ++i) {
    CLEANUP_FREE char *text = NULL;
    struct hive_data d;

    if (hive_fetch (h, key, names[i], &d, err) == -1)
      return NULL;
    text = d.exists ? hive_describe (d.type, d.data, d.len) : strdup ("");
    free (d.data);
    if (text == NULL || v2v_str_printf (&s, " %s = %s;", names[i], text) == -1)
      goto nomem;
  }
  s.ptr[s.len - 1] = '\0';
  return STEAL (s.ptr);
nomem:
  v2v_fail_nomem (err);
  return NULL;
}

int
v2v_hive_delete_key (struct v2v_hive *h, const char *key, const char *why,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  hive_node_h node;
  unsigned nr = 0;

  if (check_writable (h, err) == -1 ||
      hive_find_node (h, key, &node, err) == -1)
    return -1;
  if (node == 0)
    return 0;
  if (node == hivex_root (h->h))
    return v2v_fail (err, V2V_ERR_GUEST, "registry hive %s: its root stays",
                     h->name);
  if (count_keys (h, node, key, 0, &nr, err) == -1)
    return -1;
  text = describe_key (h, key, nr, err);
  if (text == NULL)
    return -1;
  h->broken = true;
  errno = 0;
  if (hivex_node_delete_child (h->h, node) == -1)
    return hive_fail_key (h, key, "deleting it", err);
  if (hive_remember_key (h, HIVE_KEY_DELETED, key, text, why, err) == -1)
    return -1;
  h->broken = false;
  return 1;
}
