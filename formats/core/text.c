/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text helpers. */

#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"

int
v2v_str_append_len (struct v2v_str *s, const void *bytes, size_t len)
{
  size_t need;

  if (__builtin_add_overflow (s->len, len, &need) ||
      __builtin_add_overflow (need, (size_t) 1, &need))
    return -1;
  if (need > s->cap) {
    const size_t cap = need + need / 2 + 64;
    char *p = realloc (s->ptr, cap);

    if (p == NULL)
      return -1;
    s->ptr = p;
    s->cap = cap;
  }
  if (len > 0)
    memcpy (s->ptr + s->len, bytes, len);
  s->len += len;
  s->ptr[s->len] = '\0';
  return 0;
}

int
v2v_str_append (struct v2v_str *s, const char *text)
{
  return v2v_str_append_len (s, text, strlen (text));
}

int
v2v_str_printf (struct v2v_str *s, const char *fmt, ...)
{
  CLEANUP_FREE char *text = NULL;
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&text, fmt, args);
  va_end (args);
  if (n == -1) {
    text = NULL;
    return -1;
  }
  return v2v_str_append_len (s, text, (size_t) n);
}

void
v2v_str_free (struct v2v_str *s)
{
  free (s->ptr);
  s->ptr = NULL;
  s->len = s->cap = 0;
}

/* Run iconv over the whole input; *RET_LEN bytes and a NUL after them. */
static char *
convert (const char *to, const char *from, const void *bytes, size_t len,
         size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  char *in = (char *) bytes; /* iconv's prototype lacks the const */
  iconv_t cd;

  cd = iconv_open (to, from);
  if (cd == (iconv_t) -1) {
    v2v_fail (err, V2V_ERR_FORMAT, "unknown character set '%.40s'",
              strcmp (to, "UTF-8") == 0 ? from : to);
    return NULL;
  }
  while (len > 0) {
    char buf[512];
    char *o = buf;
    size_t room = sizeof buf;
    const size_t r = iconv (cd, &in, &len, &o, &room);
    const int e = errno;

    if (v2v_str_append_len (&out, buf, sizeof buf - room) == -1) {
      iconv_close (cd);
      v2v_fail_nomem (err);
      return NULL;
    }
    if (r == (size_t) -1 && e != E2BIG) {
      iconv_close (cd);
      v2v_fail (err, V2V_ERR_FORMAT, "text is not valid %.40s", from);
      return NULL;
    }
  }
  iconv_close (cd);
  if (out.ptr == NULL && v2v_str_append (&out, "") == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  *ret_len = out.len;
  return STEAL (out.ptr);
}

char *
v2v_to_utf8 (const char *from, const void *bytes, size_t len,
             struct v2v_error **err)
{
  CLEANUP_FREE char *s = NULL;
  size_t out_len = 0;

  s = convert ("UTF-8", from, bytes, len, &out_len, err);
  if (s == NULL)
    return NULL;
  if (memchr (s, '\0', out_len) != NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "text has an embedded NUL");
    return NULL;
  }
  return STEAL (s);
}

void *
v2v_from_utf8 (const char *to, const char *text, size_t *ret_len,
               struct v2v_error **err)
{
  return convert (to, "UTF-8", text, strlen (text), ret_len, err);
}

bool
v2v_is_valid_utf8 (const char *str, size_t len)
{
  const uint8_t *s = (const uint8_t *) str;
  size_t i = 0;

  while (i < len) {
    size_t n;
    uint32_t c = s[i];

    if (c < 0x80)
      n = 0;
    else if (c >= 0xc2 && c <= 0xdf)
      n = 1, c &= 0x1f;
    else if (c >= 0xe0 && c <= 0xef)
      n = 2, c &= 0x0f;
    else if (c >= 0xf0 && c <= 0xf4)
      n = 3, c &= 0x07;
    else
      return false;
    if (len - i <= n)
      return false;
    for (size_t k = 1; k <= n; ++k) {
      if ((s[i + k] & 0xc0) != 0x80)
        return false;
      c = c << 6 | (s[i + k] & 0x3f);
    }
    /* Overlong, surrogates, beyond Unicode. */
    if ((n == 2 && c < 0x800) || (n == 3 && c < 0x10000) || c > 0x10ffff ||
        (c >= 0xd800 && c <= 0xdfff))
      return false;
    i += n + 1;
  }
  return true;
}

struct v2v_guid
v2v_guid_from_mixed (const void *vp)
{
  const uint8_t *p = vp;
  struct v2v_guid g;

  v2v_put_be32 (g.bytes, v2v_le32 (p));
  v2v_put_be16 (g.bytes + 4, v2v_le16 (p + 4));
  v2v_put_be16 (g.bytes + 6, v2v_le16 (p + 6));
  memcpy (g.bytes + 8, p + 8, 8);
  return g;
}

void
v2v_guid_to_mixed (const struct v2v_guid *g, void *vp)
{
  uint8_t *p = vp;

  v2v_put_le32 (p, v2v_be32 (g->bytes));
  v2v_put_le16 (p + 4, v2v_be16 (g->bytes + 4));
  v2v_put_le16 (p + 6, v2v_be16 (g->bytes + 6));
  memcpy (p + 8, g->bytes + 8, 8);
}

void
v2v_guid_format (const struct v2v_guid *g, char out[37])
{
  static const size_t dash_after[] = { 3, 5, 7, 9 };
  size_t o = 0, d = 0;

  for (size_t i = 0; i < 16; ++i) {
    v2v_hex (&g->bytes[i], 1, out + o);
    o += 2;
    if (d < V2V_ARRAY_SIZE (dash_after) && dash_after[d] == i) {
      out[o++] = '-';
      d++;
    }
  }
  out[o] = '\0';
}

bool
v2v_guid_parse (const char *s, struct v2v_guid *out)
{
  struct v2v_guid g;
  const bool brace = *s == '{';
  size_t n = 0;

  if (brace)
    s++;
  for (size_t i = 0; i < 16; ++i) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
      return false;
    if (!isxdigit ((unsigned char) s[0]) || !isxdigit ((unsigned char) s[1]) ||
        !v2v_unhex (s, 2, &g.bytes[n++], 1))
      return false;
    s += 2;
  }
  if (brace && *s++ != '}')
    return false;
  if (*s != '\0')
    return false;
  *out = g;
  return true;
}

bool
v2v_guid_equal (const struct v2v_guid *a, const struct v2v_guid *b)
{
  return memcmp (a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
v2v_guid_is_zero (const struct v2v_guid *g)
{
  return v2v_is_zero (g->bytes, sizeof g->bytes);
}

int
v2v_guid_random (struct v2v_guid *out, struct v2v_error **err)
{
  struct v2v_guid g;

  if (getrandom (g.bytes, sizeof g.bytes, 0) != (ssize_t) sizeof g.bytes)
    return v2v_fail_errno (err, "getrandom");
  g.bytes[6] = (uint8_t) ((g.bytes[6] & 0x0f) | 0x40); /* version 4 */
  g.bytes[8] = (uint8_t) ((g.bytes[8] & 0x3f) | 0x80); /* RFC 4122 variant */
  *out = g;
  return 0;
}

char *
v2v_format_size (uint64_t bytes, char out[32])
{
  static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
                                       "TiB", "PiB", "EiB" };
  double v = (double) bytes;
  size_t u = 0;

  while (v >= 1024 && u + 1 < V2V_ARRAY_SIZE (units)) {
    v /= 1024;
    u++;
  }
  if (u == 0)
    snprintf (out, 32, "%" PRIu64 " B", bytes);
  else
    snprintf (out, 32, "%.1f %s", v, units[u]);
  return out;
}

bool
v2v_parse_size (const char *s, uint64_t *ret_bytes)
{
  static const char units[] = "KMGTP";
  uint64_t v = 0;
  const char *u;

  if (!isdigit ((unsigned char) *s))
    return false;
  for (; isdigit ((unsigned char) *s); ++s)
    if (!v2v_mul_u64 (v, 10, &v) || !v2v_add_u64 (v, (uint64_t) (*s - '0'), &v))
      return false;
  if (*s != '\0') {
    u = strchr (units, toupper ((unsigned char) *s));
    if (u != NULL && *u != '\0') {
      for (long k = 0; k <= u - units; ++k)
        if (!v2v_mul_u64 (v, 1024, &v))
          return false;
      s++;
      if (strcasecmp (s, "iB") == 0)
        s += 2;
      else if (strcasecmp (s, "B") == 0)
        s += 1;
    }
    else if (strcasecmp (s, "B") == 0)
      s += 1;
  }
  if (*s != '\0')
    return false;
  *ret_bytes = v;
  return true;
}

void
v2v_hex (const void *bytes, size_t len, char *out)
{
  static const char digits[] = "0123456789abcdef";
  const uint8_t *p = bytes;

  for (size_t i = 0; i < len; ++i) {
    out[2 * i] = digits[p[i] >> 4];
    out[2 * i + 1] = digits[p[i] & 15];
  }
  out[2 * len] = '\0';
}

static int
hex_digit (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool
v2v_unhex (const char *hex, size_t hexlen, void *out, size_t len)
{
  uint8_t *p = out;

  if (hexlen != 2 * len)
    return false;
  for (size_t i = 0; i < hexlen; ++i)
    if (hex_digit (hex[i]) == -1)
      return false;
  for (size_t i = 0; i < len; ++i)
    p[i] = (uint8_t) (hex_digit (hex[2 * i]) << 4 | hex_digit (hex[2 * i + 1]));
  return true;
}

/* Names Windows keeps for devices, with any extension. */
static bool
is_reserved_name (const char *s)
{
  static const char *const names[] = { "con", "prn", "aux", "nul" };
  const size_t n = strcspn (s, ".");

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    if (n == 3 && strncasecmp (s, names[i], 3) == 0)
      return true;
  return n == 4 &&
         (strncasecmp (s, "com", 3) == 0 || strncasecmp (s, "lpt", 3) == 0) &&
         s[3] >= '0' && s[3] <= '9';
}

char *
v2v_safe_name (const char *s)
{
  char buf[72];
  size_t o = 0;

  for (; *s != '\0' && o < 64; ++s) {
    const unsigned char c = (unsigned char) *s;
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';

    if (ok && !(o == 0 && (c == '.' || c == '-')))
      buf[o++] = (char) c;
    else if (o > 0 && buf[o - 1] != '-')
      buf[o++] = '-';
  }
  /* Windows drops trailing dots and blanks; ".." must not survive either. */
  while (o > 0 && (buf[o - 1] == '.' || buf[o - 1] == '-'))
    o--;
  buf[o] = '\0';
  if (o == 0)
    return strdup ("vm");
  if (is_reserved_name (buf)) {
    buf[o++] = '_';
    buf[o] = '\0';
    /* "con.x" is reserved by its first part: break that part up. */
    if (is_reserved_name (buf)) {
      memmove (buf + 1, buf, o + 1);
      buf[0] = '_';
    }
  }
  return strdup (buf);
}
