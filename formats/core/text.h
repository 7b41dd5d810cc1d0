/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text helpers: character sets (iconv), GUIDs, sizes for people, and a
 * growing string.
 */
#ifndef V2V_TEXT_H
#define V2V_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"

/* A growing byte string, always NUL-terminated once non-empty.
 *   struct v2v_str s = V2V_STR_INIT; ... free (s.ptr);
 * Functions return 0, or -1 when out of memory.
 */
struct v2v_str {
  char *ptr;
  size_t len;
  size_t cap;
};
#define V2V_STR_INIT                                                           \
  {                                                                            \
    .ptr = NULL, .len = 0, .cap = 0                                            \
  }
int v2v_str_append (struct v2v_str *s, const char *text);
int v2v_str_append_len (struct v2v_str *s, const void *bytes, size_t len);
int v2v_str_printf (struct v2v_str *s, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
void v2v_str_free (struct v2v_str *s);
#define CLEANUP_STR __attribute__ ((cleanup (v2v_str_free)))

/* Convert LEN bytes of character set FROM ("UTF-16LE", "windows-1252", ...)
 * to a new NUL-terminated UTF-8 string; the caller frees.  Invalid input, an
 * embedded NUL or an unknown set: NULL and V2V_ERR_FORMAT.
 */
char *v2v_to_utf8 (const char *from, const void *bytes, size_t len,
                   struct v2v_error **err);

/* Convert a UTF-8 string to character set TO; *RET_LEN bytes, not
 * terminated; the caller frees.
 */
void *v2v_from_utf8 (const char *to, const char *text, size_t *ret_len,
                     struct v2v_error **err);

bool v2v_is_valid_utf8 (const char *s, size_t len);

/* GUIDs are kept as the 16 bytes of RFC 4122 order (big-endian fields).
 * "mixed" is Microsoft's layout: the first three fields little-endian.
 */
struct v2v_guid {
  uint8_t bytes[16];
};
struct v2v_guid v2v_guid_from_mixed (const void *p);
void v2v_guid_to_mixed (const struct v2v_guid *g, void *p);
/* 36 characters, lower case, and a NUL. */
void v2v_guid_format (const struct v2v_guid *g, char out[37]);
/* Accepts braces and upper case; false if malformed. */
bool v2v_guid_parse (const char *s, struct v2v_guid *out);
bool v2v_guid_equal (const struct v2v_guid *a, const struct v2v_guid *b);
bool v2v_guid_is_zero (const struct v2v_guid *g);
/* A random (version 4) GUID from the kernel's generator. */
int v2v_guid_random (struct v2v_guid *out, struct v2v_error **err);

/* "1.5 GiB", for people.  OUT has at least 32 bytes; returned. */
char *v2v_format_size (uint64_t bytes, char out[32]);

/* "64M", "2MiB", "1024", "1.5T"? no: an integer and one of K M G T P, each a
 * power of 1024, "iB" or "B" allowed after it.  False if malformed or too big.
 */
bool v2v_parse_size (const char *s, uint64_t *ret_bytes);

/* Lower-case hexadecimal, 2*len characters and a NUL. */
void v2v_hex (const void *bytes, size_t len, char *out);
/* The reverse; false unless exactly 2*len hex digits. */
bool v2v_unhex (const char *hex, size_t hexlen, void *out, size_t len);

/* A copy of S that is safe as a file name on Linux and Windows: letters,
 * digits, '.', '_' and '-'; everything else becomes '-'; no leading '.' or
 * '-'; reserved names (CON, NUL, COM1 ...) get a trailing '_'; at most 64
 * bytes; "vm" if nothing is left.  NULL when out of memory.
 */
char *v2v_safe_name (const char *s);

#endif /* V2V_TEXT_H */
