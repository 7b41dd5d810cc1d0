/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parent of a differencing VHD: its names, read and written, and its
 * identity.
 *
 * Specification: VHD 1.0, "Parent Locator Entries" and "Splitting and Parent
 * Locators".  Paths in a child are those of the machine it was made on and
 * come from a file we do not trust, so only their last component is used; the
 * core looks for it beside the child and in the folders the user names.
 */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/parent-path.h"
#include "formats/vhd-internal.h"

/* ---- reading ---- */

/* Text of CHARSET up to the first NUL (of UNIT bytes); NULL if it is empty or
 * not valid: then another name may do.
 */
static char *
decode_name (const char *charset, const uint8_t *p, size_t len, size_t unit)
{
  struct v2v_error *err = NULL;
  size_t n = 0;
  char *s;

  while (n + unit <= len && (p[n] != 0 || (unit == 2 && p[n + 1] != 0)))
    n += unit;
  if (n == 0)
    return NULL;
  s = v2v_to_utf8 (charset, p, n, &err);
  v2v_error_free (err);
  return s;
}

/* "%20" and the like in a file URL, in place. */
static void
decode_percent (char *s)
{
  char *out = s;

  while (*s != '\0') {
    uint8_t byte;

    if (*s == '%' && isxdigit ((unsigned char) s[1]) &&
        isxdigit ((unsigned char) s[2]) && v2v_unhex (s + 1, 2, &byte, 1)) {
      *out++ = (char) byte;
      s += 3;
    }
    else
      *out++ = *s++;
  }
  *out = '\0';
}

/* The last component of a path of whatever system. */
static const char *
last_component (const char *path)
{
  const char *base = path;

  for (; *path != '\0'; ++path)
    if (*path == '/' || *path == '\\' || *path == ':')
      base = path + 1;
  return base;
}

/* Add the last component of PATH unless it is there already or is no name. */
static int
add_name (struct vhd *h, const char *path, struct v2v_error **err)
{
  const char *base = last_component (path);
  size_t n = 0;

  if (!v2v_check_plain_name (base, NULL))
    return 0;
  for (; h->names[n] != NULL; ++n)
    if (strcmp (h->names[n], base) == 0)
      return 0;
  /* One for each locator and one from the header: it cannot be full. */
  h->names[n] = strdup (base);
  return h->names[n] == NULL ? v2v_fail_nomem (err) : 0;
}

/* Take over PATH (may be NULL) as one candidate; the first one also is what
 * people are shown.  *KEPT (if not NULL) gets a copy of the first of its kind.
 */
static int
take_path (struct vhd *h, char *path, char **kept, struct v2v_error **err)
{
  CLEANUP_FREE char *owned = path;

  if (path == NULL)
    return 0;
  if (kept != NULL && *kept == NULL && (*kept = strdup (path)) == NULL)
    return v2v_fail_nomem (err);
  if (add_name (h, path, err) == -1)
    return -1;
  if (h->parent_name == NULL)
    h->parent_name = STEAL (owned);
  return 0;
}

static int
read_locator (struct vhd *h, const struct vhd_locator *l,
              struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *p = NULL;
  char *path;

  /* A locator that is out of place is no reason to stop: v2v check reports
   * it, and another one may name the parent. */
  if (l->data_length == 0 || l->data_length > VHD_MAX_LOCATOR ||
      !v2v_range_inside (l->data_offset, l->data_length, v2v_io_size (h->file)))
    return 0;
  p = malloc (l->data_length);
  if (p == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (h->file, p, l->data_length, l->data_offset, err) == -1)
    return -1;
  if (l->code == VHD_LOCATOR_MACX) {
    path = decode_name ("UTF-8", p, l->data_length, 1);
    if (path != NULL)
      decode_percent (path);
  }
  else
    path = decode_name ("UTF-16LE", p, l->data_length, 2);
  return take_path (h, path,
                    l->code == VHD_LOCATOR_W2RU   ? &h->parent_relative
                    : l->code == VHD_LOCATOR_W2KU ? &h->parent_absolute
                                                  : NULL,
                    err);
}

int
vhd_read_parent_names (struct vhd *h, struct v2v_error **err)
{
  static const uint32_t order[] = { VHD_LOCATOR_W2RU, VHD_LOCATOR_W2KU,
                                    VHD_LOCATOR_MACX };

  for (size_t o = 0; o < V2V_ARRAY_SIZE (order); ++o)
    for (size_t i = 0; i < VHD_NR_LOCATORS; ++i)
      if (h->header.locators[i].code == order[o] &&
          read_locator (h, &h->header.locators[i], err) == -1)
        return -1;
  return take_path (h,
                    decode_name ("UTF-16BE", h->header.parent_name,
                                 sizeof h->header.parent_name, 2),
                    NULL, err);
}

void
vhd_clear_parent_names (struct vhd *h)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (h->names); ++i)
    free (h->names[i]);
  free (h->parent_name);
  free (h->parent_relative);
  free (h->parent_absolute);
}

int
vhd_parent_names (void *vh, const char *const **ret_names,
                  struct v2v_error **err)
{
  struct vhd *h = vh;

  (void) err;
  *ret_names = (const char *const *) h->names;
  return 0;
}

int
vhd_check_parent (void *vh, const struct v2v_image_info *parent,
                  struct v2v_error **err)
{
  const struct vhd *h = vh;
  const uint32_t wanted = h->header.parent_timestamp;

  if (parent->content_id == NULL ||
      strcmp (parent->content_id, h->parent_id) != 0)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "is not the parent: its identifier is %s, the child "
                     "was made on %s",
                     parent->content_id ? parent->content_id : "unknown",
                     h->parent_id);
  /* Windows 10 leaves this field zero. */
  if (wanted != 0 && parent->parent_timestamp != wanted)
    v2v_warn ("%s: its parent has the right identifier but was modified at "
              "%" PRIu32 " (seconds since 2000), not %" PRIu32
              "; it is used, check that it was not written to since",
              v2v_io_name (h->file), parent->parent_timestamp, wanted);
  return 0;
}

/* ---- writing ---- */

/* One locator of UTF-16LE text, appended to BUF at *LEN. */
static int
append_locator (struct vhd_locator *l, uint32_t code, const char *path,
                uint64_t offset, uint8_t **buf, size_t *len,
                struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *text = NULL;
  size_t text_len, space;
  uint8_t *p;

  text = v2v_from_utf8 ("UTF-16LE", path, &text_len, err);
  if (text == NULL)
    return v2v_prefix (err, "parent path '%s'", path);
  if (text_len == 0 || text_len > VHD_MAX_LOCATOR)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "parent path of %zu bytes, expected 2 to %u", text_len,
                     VHD_MAX_LOCATOR);
  space = (text_len + VHD_SECTOR - 1) / VHD_SECTOR * VHD_SECTOR;
  p = realloc (*buf, *len + space);
  if (p == NULL)
    return v2v_fail_nomem (err);
  *buf = p;
  memset (p + *len, 0, space);
  memcpy (p + *len, text, text_len);
  *l = (struct vhd_locator){
    .code = code,
    .data_space = (uint32_t) space, /* in bytes, as Windows has it */
    .data_length = (uint32_t) text_len,
    .data_offset = offset + *len,
  };
  *len += space;
  return 0;
}

/* The header's own field: big-endian, and at most 255 characters; a longer
 * path gives way to its last component, the locators have it all.
 */
static int
fill_parent_name (struct vhd *h, const char *path, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *text = NULL;
  size_t len;

  text = v2v_from_utf8 ("UTF-16BE", path, &len, err);
  if (text == NULL)
    return v2v_prefix (err, "parent path '%s'", path);
  if (len > VHD_PARENT_NAME_BYTES - 2) {
    free (text);
    text = v2v_from_utf8 ("UTF-16BE", last_component (path), &len, err);
    if (text == NULL)
      return v2v_prefix (err, "parent path '%s'", path);
  }
  memset (h->header.parent_name, 0, VHD_PARENT_NAME_BYTES);
  memcpy (h->header.parent_name, text,
          (size_t) v2v_min_u64 (len, VHD_PARENT_NAME_BYTES - 2));
  return 0;
}

int
vhd_make_locators (struct vhd *h, const struct v2v_create_opts *opts,
                   uint64_t offset, uint8_t **ret, size_t *ret_len,
                   struct v2v_error **err)
{
  const struct v2v_image_info *parent = v2v_image_get_info (opts->parent);
  CLEANUP_FREE char *relative = NULL;
  CLEANUP_FREE uint8_t *buf = NULL;
  const char *absolute = opts->parent_absolute_path;
  size_t len = 0, n = 0;

  if (parent->content_id == NULL ||
      !v2v_guid_parse (parent->content_id, &h->header.parent_id))
    return v2v_fail (err, V2V_ERR_USAGE, "parent %s has no VHD identifier",
                     v2v_image_name (opts->parent));
  h->header.parent_timestamp = parent->parent_timestamp;
  if (opts->parent_relative_path == NULL)
    relative = v2v_parent_relative_path (h->file, opts->parent, err);
  else if ((relative = strdup (opts->parent_relative_path)) == NULL)
    v2v_fail_nomem (err);
  if (relative == NULL)
    return -1;
  if (fill_parent_name (h, absolute ? absolute : last_component (relative),
                        err) == -1)
    return -1;
  if (absolute != NULL &&
      append_locator (&h->header.locators[n++], VHD_LOCATOR_W2KU, absolute,
                      offset, &buf, &len, err) == -1)
    return -1;
  if (append_locator (&h->header.locators[n++], VHD_LOCATOR_W2RU, relative,
                      offset, &buf, &len, err) == -1)
    return -1;
  *ret = STEAL (buf);
  *ret_len = len;
  return 0;
}
