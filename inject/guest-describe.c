/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the contents of a changed file look in the journal, which ends in a
 * report that is read by more people than the guest's files are.  So of a text
 * only the lines that changed, without the secrets in them (guest-redact.c), and
 * of a file that not everyone in the guest may read (keys of a network, passwords
 * of the boot loader) a digest.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "inject/guest-front.h"

/* Texts up to this length are compared by lines. */
#define MAX_TEXT GUEST_JOURNAL_MAX_TEXT

struct line {
  const char *ptr;
  size_t len; /* with its end: a last line without one is another line */
};

static bool
is_text (const void *data, size_t len)
{
  return len <= MAX_TEXT && (len == 0 || memchr (data, '\0', len) == NULL) &&
         v2v_is_valid_utf8 (data, len);
}

static char *
digest_of (const void *data, size_t len)
{
  uint8_t hash[V2V_SHA256_SIZE];
  char hex[2 * V2V_SHA256_SIZE + 1];
  char *s;

  v2v_sha256 (data, len, hash);
  v2v_hex (hash, sizeof hash, hex);
  return asprintf (&s, "sha256:%s, %zu bytes", hex, len) == -1 ? NULL : s;
}

static int
compare_lines (const void *a, const void *b)
{
  const struct line *x = a, *y = b;

  if (x->len != y->len)
    return x->len < y->len ? -1 : 1;
  return memcmp (x->ptr, y->ptr, x->len);
}

static size_t
next_line (const char *p, const char *end)
{
  const char *nl = memchr (p, '\n', (size_t) (end - p));

  return (size_t) ((nl != NULL ? nl + 1 : end) - p);
}

/* The lines of A that B does not have; NULL when out of memory. */
static char *
lines_not_in (const char *a, size_t a_len, const char *b, size_t b_len)
{
  CLEANUP_FREE struct line *sorted = calloc (b_len + 1, sizeof *sorted);
  char *out = malloc (a_len + 1);
  size_t nr = 0, used = 0;

  if (sorted == NULL || out == NULL) {
    free (out);
    return NULL;
  }
  for (const char *p = b, *end = b + b_len; p < end; p += sorted[nr++].len)
    sorted[nr] = (struct line){ .ptr = p, .len = next_line (p, end) };
  qsort (sorted, nr, sizeof *sorted, compare_lines);
  for (const char *p = a, *end = a + a_len; p < end;) {
    const struct line l = { .ptr = p, .len = next_line (p, end) };

    if (bsearch (&l, sorted, nr, sizeof *sorted, compare_lines) == NULL) {
      memcpy (out + used, p, l.len);
      used += l.len;
    }
    p += l.len;
  }
  out[used] = '\0';
  return out;
}

/* TEXT, which may be NULL and is freed, without secrets. */
static char *
redacted (char *text)
{
  char *s = text != NULL ? guest_redact (text) : NULL;

  free (text);
  return s;
}

char *
guest_describe (const void *data, size_t len, unsigned flags, bool is_private)
{
  if (flags & V2V_WRITE_SECRET)
    return strdup ("(secret)");
  if (is_private || !is_text (data, len))
    return digest_of (data, len);
  return redacted (strndup (data, len));
}

int
guest_describe_change (const void *old, size_t old_len, const void *data,
                       size_t len, unsigned flags, bool is_private,
                       char **ret_before, char **ret_after)
{
  const bool by_lines = !(flags & V2V_WRITE_SECRET) && !is_private &&
                        is_text (old, old_len) && is_text (data, len);

  *ret_before = *ret_after = NULL;
  if (by_lines) {
    *ret_before = redacted (lines_not_in (old, old_len, data, len));
    *ret_after = redacted (lines_not_in (data, len, old, old_len));
    if (*ret_before == NULL || *ret_after == NULL)
      return -1;
    if ((*ret_before)[0] != '\0' || (*ret_after)[0] != '\0')
      return 0;
    free (STEAL (*ret_before)); /* other order, other number: no line is new */
    free (STEAL (*ret_after));
  }
  *ret_before = guest_describe (old, old_len, flags, is_private || by_lines);
  *ret_after = guest_describe (data, len, flags, is_private || by_lines);
  return *ret_before == NULL || *ret_after == NULL ? -1 : 0;
}
