/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The data of registry values.
 *
 * What the type says is not always what is stored: numbers stand in BINARY
 * values, lists end in one NUL, in three, or in an odd byte.  Reading is
 * tolerant, writing strict.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "inject/hive-internal.h"

/* Longer text and data are cut in the journal, with a digest of all. */
#define MAX_TEXT  1024u
#define MAX_BYTES 64u
/* A MULTI_SZ with more strings than this is an attack: PATH-like lists have
 * dozens. */
#define MAX_STRINGS 16384u

static int
append_utf8 (struct v2v_str *s, uint32_t c)
{
  char buf[4];
  size_t n;

  if (c < 0x80) {
    buf[0] = (char) c;
    n = 1;
  }
  else if (c < 0x800) {
    buf[0] = (char) (0xc0 | c >> 6);
    buf[1] = (char) (0x80 | (c & 0x3f));
    n = 2;
  }
  else if (c < 0x10000) {
    buf[0] = (char) (0xe0 | c >> 12);
    buf[1] = (char) (0x80 | (c >> 6 & 0x3f));
    buf[2] = (char) (0x80 | (c & 0x3f));
    n = 3;
  }
  else {
    buf[0] = (char) (0xf0 | c >> 18);
    buf[1] = (char) (0x80 | (c >> 12 & 0x3f));
    buf[2] = (char) (0x80 | (c >> 6 & 0x3f));
    buf[3] = (char) (0x80 | (c & 0x3f));
    n = 4;
  }
  return v2v_str_append_len (s, buf, n);
}

/* Up to the first NUL or the end; half a pair becomes U+FFFD, an odd byte at
 * the end is left out: v2v_to_utf8 would refuse both. NULL: no memory. */
char *
hive_utf16_to_utf8 (const void *data, size_t len)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const uint8_t *p = data;

  if (v2v_str_append (&s, "") == -1)
    return NULL;
  for (size_t i = 0; i + 2 <= len; i += 2) {
    uint32_t c = v2v_le16 (p + i);

    if (c == 0)
      break;
    if (c >= 0xd800 && c < 0xdc00 && i + 4 <= len &&
        (v2v_le16 (p + i + 2) & 0xfc00) == 0xdc00) {
      c = 0x10000 + ((c & 0x3ff) << 10) + (v2v_le16 (p + i + 2) & 0x3ffu);
      i += 2;
    }
    else if (c >= 0xd800 && c < 0xe000) {
      c = 0xfffd;
    }
    if (append_utf8 (&s, c) == -1)
      return NULL;
  }
  return s.ptr != NULL ? STEAL (s.ptr) : strdup ("");
}

/* With its NUL, which *RET_LEN counts. */
void *
hive_utf8_to_utf16 (const char *text, size_t *ret_len, struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *raw = v2v_from_utf8 ("UTF-16LE", text, &len, err);
  char *p;

  if (raw == NULL)
    return NULL;
  p = realloc (raw, len + 2);
  if (p == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  raw = NULL;
  p[len] = p[len + 1] = '\0';
  *ret_len = len + 2;
  return p;
}

bool
hive_decode_number (uint32_t type, const void *data, size_t len, uint64_t *ret)
{
  if (len == 4 &&
      (type == V2V_REG_DWORD || type == V2V_REG_BINARY || type == V2V_REG_NONE))
    *ret = v2v_le32 (data);
  else if (len == 4 && type == V2V_REG_DWORD_BE)
    *ret = v2v_be32 (data);
  else if (len == 8 && (type == V2V_REG_QWORD || type == V2V_REG_BINARY ||
                        type == V2V_REG_NONE))
    *ret = v2v_le64 (data);
  else
    return false;
  return true;
}

static bool
is_text (uint32_t type)
{
  return type == V2V_REG_SZ || type == V2V_REG_EXPAND_SZ;
}

char **
hive_decode_multi (uint32_t type, const void *data, size_t len)
{
  CLEANUP_LIST char **list = calloc (1, sizeof *list);
  const uint8_t *p = data;
  size_t n = 0;

  if (list == NULL)
    return NULL;
  for (size_t start = 0; start + 2 <= len && n < MAX_STRINGS;) {
    size_t end = start;
    char **grown;

    while (end + 2 <= len && v2v_le16 (p + end) != 0)
      end += 2;
    if (end > start) {
      grown = reallocarray (list, n + 2, sizeof *list);
      if (grown == NULL)
        return NULL;
      list = grown;
      list[n] = hive_utf16_to_utf8 (p + start, end - start);
      if (list[n] == NULL)
        return NULL;
      list[++n] = NULL;
    }
    if (type != V2V_REG_MULTI_SZ && type != V2V_REG_BINARY)
      break;
    start = end + 2;
  }
  return STEAL (list);
}

/* ", sha256:..., N bytes" for what was cut. */
static int
append_digest (struct v2v_str *s, const void *data, size_t len)
{
  uint8_t hash[V2V_SHA256_SIZE];
  char hex[2 * V2V_SHA256_SIZE + 1];

  v2v_sha256 (data, len, hash);
  v2v_hex (hash, sizeof hash, hex);
  return v2v_str_printf (s, "..., sha256:%s, %zu bytes", hex, len);
}

static int
describe_text (struct v2v_str *s, char *text, const void *data, size_t len)
{
  const size_t n = strlen (text);
  size_t cut = n;

  if (n > MAX_TEXT) {
    /* Not in the middle of a character. */
    for (cut = MAX_TEXT; cut > 0 && ((uint8_t) text[cut] & 0xc0) == 0x80;)
      --cut;
  }
  if (v2v_str_append_len (s, text, cut) == -1)
    return -1;
  return cut < n ? append_digest (s, data, len) : 0;
}

static int
describe_multi (struct v2v_str *s, uint32_t type, const void *data, size_t len)
{
  CLEANUP_LIST char **list = hive_decode_multi (type, data, len);
  CLEANUP_STR struct v2v_str joined = V2V_STR_INIT;

  if (list == NULL || v2v_str_append (&joined, "[") == -1)
    return -1;
  for (size_t i = 0; list[i] != NULL; ++i)
    if (v2v_str_printf (&joined, "%s%s", i ? ", " : "", list[i]) == -1)
      return -1;
  if (v2v_str_append (&joined, "]") == -1)
    return -1;
  return describe_text (s, joined.ptr, data, len);
}

static int
describe_bytes (struct v2v_str *s, const void *data, size_t len)
{
  char hex[2 * MAX_BYTES + 1];
  const size_t shown = len < MAX_BYTES ? len : MAX_BYTES;

  v2v_hex (data, shown, hex);
  if (v2v_str_printf (s, "hex:%s", hex) == -1)
    return -1;
  return shown < len ? append_digest (s, data, len) : 0;
}

char *
hive_describe (uint32_t type, const void *data, size_t len)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  uint64_t number;
  int r;

  if (v2v_str_append (&s, "") == -1)
    return NULL;
  if (is_text (type)) {
    CLEANUP_FREE char *text = hive_utf16_to_utf8 (data, len);

    r = text == NULL ? -1 : describe_text (&s, text, data, len);
  }
  else if (type == V2V_REG_MULTI_SZ) {
    r = describe_multi (&s, type, data, len);
  }
  else if (type != V2V_REG_BINARY && type != V2V_REG_NONE &&
           hive_decode_number (type, data, len, &number)) {
    r = v2v_str_printf (&s, len == 8 ? "0x%016" PRIx64 : "0x%08" PRIx64,
                        number);
  }
  else {
    r = describe_bytes (&s, data, len);
  }
  if (r == -1)
    return NULL;
  return s.ptr != NULL ? STEAL (s.ptr) : strdup ("");
}
