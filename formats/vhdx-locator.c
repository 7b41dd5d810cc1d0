/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: the parent locator of a differencing disk.
 * Source: [MS-VHDX] 2.4.2.6 "Parent Locator", 2.4.2.6.3 "VHDX Parent Locator
 * Type".  The specification lists parent_linkage2 among the keys and says
 * elsewhere that it is absent: it is accepted and never written.
 *
 * The paths in it come from another machine and are not to be trusted: each
 * is reduced to its last component, to be looked for beside the child and in
 * the folders the user named.  A UNC path is never resolved.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

#define LOCATOR_TYPE        "b04aefb7-d19e-4a81-b789-25b8e9445913"
#define LOCATOR_HEADER_SIZE 20
#define LOCATOR_ENTRY_SIZE  12

/* In the order of the specification's search. */
static const char *const path_keys[] = { "relative_path", "volume_path",
                                         "absolute_win32_path" };

void
vhdx_locator_clear (struct vhdx_locator *l)
{
  for (size_t i = 0; i < l->entries.len; ++i) {
    free (l->entries.ptr[i].key);
    free (l->entries.ptr[i].value);
  }
  free (l->entries.ptr);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (l->name_storage); ++i)
    free (l->name_storage[i]);
  memset (l, 0, sizeof *l);
}

int
vhdx_locator_add (struct vhdx_locator *l, const char *key, const char *value,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *k = strdup (key);
  CLEANUP_FREE char *v = strdup (value);

  if (k == NULL || v == NULL ||
      vhdx_locator_vector_append (&l->entries,
                                  (struct vhdx_locator_entry){ k, v }) == -1)
    return v2v_fail_nomem (err);
  (void) STEAL (k);
  (void) STEAL (v);
  return 0;
}

const char *
vhdx_locator_find (const struct vhdx_locator *l, const char *key)
{
  for (size_t i = 0; i < l->entries.len; ++i)
    if (strcmp (l->entries.ptr[i].key, key) == 0)
      return l->entries.ptr[i].value;
  return NULL;
}

/* One of the texts of entry INDEX. */
static char *
read_text (const uint8_t *item, size_t len, uint32_t offset, uint16_t text_len,
           unsigned index, const char *what, struct v2v_error **err)
{
  char *text;

  if (offset == 0 || text_len == 0 || text_len % 2 != 0 ||
      !v2v_range_inside (offset, text_len, len)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "parent locator: entry %u: %s of %u bytes at %" PRIu32
              ", expected UTF-16 inside the item (%zu)",
              index, what, text_len, offset, len);
    return NULL;
  }
  text = v2v_to_utf8 ("UTF-16LE", item + offset, text_len, err);
  if (text == NULL)
    v2v_prefix (err, "parent locator: entry %u: %s", index, what);
  return text;
}

static int
parse_entries (struct vhdx_locator *l, const uint8_t *item, size_t len,
               unsigned n, struct v2v_error **err)
{
  for (unsigned i = 0; i < n; ++i) {
    const uint8_t *p = item + LOCATOR_HEADER_SIZE + LOCATOR_ENTRY_SIZE * i;
    CLEANUP_FREE char *key = NULL, *value = NULL;

    key = read_text (item, len, v2v_le32 (p), v2v_le16 (p + 8), i, "key", err);
    if (key == NULL)
      return -1;
    value = read_text (item, len, v2v_le32 (p + 4), v2v_le16 (p + 10), i,
                       "value", err);
    if (value == NULL)
      return -1;
    if (vhdx_locator_find (l, key) != NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "parent locator: key '%.40s' is there twice", key);
    if (vhdx_locator_add (l, key, value, err) == -1)
      return -1;
  }
  return 0;
}

static int
parse_guid (const struct vhdx_locator *l, const char *key, struct v2v_guid *ret,
            bool *ret_found, struct v2v_error **err)
{
  const char *value = vhdx_locator_find (l, key);

  *ret_found = value != NULL;
  if (value != NULL && !v2v_guid_parse (value, ret))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "parent locator: %s is '%.60s', expected a GUID", key,
                     value);
  return 0;
}

/* The paths' last components, each once, as candidates. */
static int
collect_names (struct vhdx_locator *l, struct v2v_error **err)
{
  size_t n = 0;

  for (size_t k = 0; k < V2V_ARRAY_SIZE (path_keys); ++k) {
    const char *path = vhdx_locator_find (l, path_keys[k]);
    const char *name = path;
    bool seen = false;

    if (path == NULL)
      continue;
    if (l->shown == NULL)
      l->shown = path;
    for (const char *p = path; *p != '\0'; ++p)
      if (*p == '\\' || *p == '/')
        name = p + 1;
    for (size_t i = 0; i < n; ++i)
      seen = seen || strcmp (l->names[i], name) == 0;
    if (seen || !v2v_check_plain_name (name, NULL))
      continue;
    l->name_storage[n] = strdup (name);
    if (l->name_storage[n] == NULL)
      return v2v_fail_nomem (err);
    l->names[n] = l->name_storage[n];
    n++;
  }
  if (l->shown == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "parent locator: none of relative_path, volume_path, "
                     "absolute_win32_path is there");
  return 0;
}

int
vhdx_parse_locator (struct vhdx_locator *l, const uint8_t *item, size_t len,
                    struct v2v_error **err)
{
  struct v2v_guid type;
  char text[37];
  unsigned n;
  bool found;

  if (len < LOCATOR_HEADER_SIZE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "parent locator: %zu bytes, expected at least %d", len,
                     LOCATOR_HEADER_SIZE);
  type = v2v_guid_from_mixed (item);
  v2v_guid_format (&type, text);
  if (strcmp (text, LOCATOR_TYPE) != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "parent locator: type %s, expected %s", text,
                     LOCATOR_TYPE);
  n = v2v_le16 (item + 18);
  if (n == 0 || n > VHDX_MAX_LOCATOR_ENTRIES ||
      LOCATOR_HEADER_SIZE + LOCATOR_ENTRY_SIZE * (size_t) n > len)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "parent locator: %u entries in %zu bytes, expected 1..%d",
                     n, len, VHDX_MAX_LOCATOR_ENTRIES);
  if (parse_entries (l, item, len, n, err) == -1 ||
      parse_guid (l, "parent_linkage", &l->linkage, &found, err) == -1)
    return -1;
  if (!found)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "parent locator: key 'parent_linkage' is missing");
  if (parse_guid (l, "parent_linkage2", &l->linkage2, &l->has_linkage2, err) ==
      -1)
    return -1;
  return collect_names (l, err);
}

int
vhdx_encode_locator (const struct vhdx_locator *l, uint8_t **ret_item,
                     size_t *ret_len, struct v2v_error **err)
{
  const size_t n = l->entries.len;
  const size_t table = LOCATOR_HEADER_SIZE + LOCATOR_ENTRY_SIZE * n;
  CLEANUP_STR struct v2v_str texts = V2V_STR_INIT;
  CLEANUP_FREE uint8_t *item = calloc (1, table);
  struct v2v_guid type;
  uint8_t *p;

  if (item == NULL)
    return v2v_fail_nomem (err);
  v2v_guid_parse (LOCATOR_TYPE, &type);
  v2v_guid_to_mixed (&type, item);
  v2v_put_le16 (item + 18, (uint16_t) n);
  for (size_t i = 0; i < 2 * n; ++i) {
    const struct vhdx_locator_entry *e = &l->entries.ptr[i / 2];
    CLEANUP_FREE void *text = NULL;
    size_t len = 0;

    text =
        v2v_from_utf8 ("UTF-16LE", i % 2 == 0 ? e->key : e->value, &len, err);
    if (text == NULL)
      return v2v_prefix (err, "parent locator: %s", e->key);
    if (len > UINT16_MAX)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "parent locator: %s of %zu bytes, at most %d fit",
                       e->key, len, UINT16_MAX);
    p = item + LOCATOR_HEADER_SIZE + LOCATOR_ENTRY_SIZE * (i / 2);
    v2v_put_le32 (p + 4 * (i % 2), (uint32_t) (table + texts.len));
    v2v_put_le16 (p + 8 + 2 * (i % 2), (uint16_t) len);
    if (v2v_str_append_len (&texts, text, len) == -1)
      return v2v_fail_nomem (err);
  }
  p = realloc (item, table + texts.len + 1);
  if (p == NULL)
    return v2v_fail_nomem (err);
  item = p;
  if (texts.len > 0)
    memcpy (item + table, texts.ptr, texts.len);
  *ret_len = table + texts.len;
  *ret_item = STEAL (item);
  return 0;
}
