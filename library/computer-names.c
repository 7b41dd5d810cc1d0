/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of computer names.
 *
 * Sources: RFC 1123, 2.1 (letters, digits and '-'; labels of 63); "Naming
 * conventions in Active Directory" (Microsoft: NetBIOS names of up to 15
 * characters, not digits alone); HOST_NAME_MAX of Linux, 64.
 */

#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "library/computer-names.h"

#define MAX_NAME    64
#define MAX_LABEL   63
#define MAX_NETBIOS 15
#define DIGITS      "0123456789"
#define LETTERS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Where the counter is; width 0 = there is none. */
struct counter {
  size_t start, width;
};

static struct counter
find_counter (const char *pattern)
{
  const size_t start = strcspn (pattern, "#");

  return (struct counter){ start, strspn (pattern + start, "#") };
}

static bool
labels_are_right (const char *s)
{
  for (;;) {
    const size_t n = strcspn (s, ".");

    if (n == 0 || n > MAX_LABEL || s[0] == '-' || s[n - 1] == '-' ||
        strspn (s, LETTERS DIGITS "-#") < n)
      return false;
    if (s[n] == '\0')
      return true;
    s += n + 1;
  }
}

const char *
v2v_computer_name_check (const char *pattern, bool windows)
{
  const struct counter c = find_counter (pattern);
  const size_t host = strcspn (pattern, ".");

  if (strcmp (pattern, "*") == 0)
    return NULL;
  if (strlen (pattern) > MAX_NAME || !labels_are_right (pattern))
    return "letters, digits and '-' (a domain behind a dot), with one run of "
           "'#' for a counter, up to 64 characters";
  if (strchr (pattern + c.start + c.width, '#') != NULL ||
      c.width > V2V_COMPUTER_NAME_MAX_DIGITS || (c.width > 0 && c.start > host))
    return "one run of up to 6 '#', before the domain";
  if (windows && host > MAX_NETBIOS)
    return "up to 15 characters, which is all that Windows takes";
  if (windows && strspn (pattern, DIGITS "#") >= host)
    return "a letter: Windows refuses names of digits alone";
  return NULL;
}

/* Is TAKEN the name that PATTERN gives for a number?  Then that number. */
static bool
number_of (const char *pattern, struct counter c, const char *taken,
           uint32_t *ret)
{
  const char *tail = pattern + c.start + c.width;
  const size_t host = strcspn (pattern, ".");
  uint32_t n = 0;

  if (strlen (taken) < c.start + c.width ||
      strncasecmp (taken, pattern, c.start) != 0)
    return false;
  for (size_t i = 0; i < c.width; ++i) {
    const char d = taken[c.start + i];

    if (d < '0' || d > '9')
      return false;
    n = n * 10 + (uint32_t) (d - '0');
  }
  taken += c.start + c.width;
  *ret = n;
  /* The same host, whatever its domain: two of them would share an account,
   * and a NetBIOS name. */
  return strncasecmp (taken, tail, host - c.start - c.width) == 0 &&
         (taken[host - c.start - c.width] == '\0' ||
          taken[host - c.start - c.width] == '.');
}

/* The same host? */
static bool
same_host (const char *a, const char *b)
{
  const size_t n = strcspn (a, ".");

  return n == strcspn (b, ".") && strncasecmp (a, b, n) == 0;
}

static uint32_t
first_free (const char *pattern, struct counter c, const char *const *taken,
            uint32_t max, uint8_t *used)
{
  uint32_t n;

  for (size_t i = 0; taken != NULL && taken[i] != NULL; ++i)
    if (number_of (pattern, c, taken[i], &n) && n <= max)
      used[n / 8] |= (uint8_t) (1u << n % 8);
  for (n = 1; n <= max; ++n)
    if ((used[n / 8] & 1u << n % 8) == 0)
      return n;
  return 0;
}

int
v2v_computer_name_next (const char *pattern, const char *const *taken,
                        bool windows, char **ret, struct v2v_error **err)
{
  const char *expected = v2v_computer_name_check (pattern, windows);
  const struct counter c = find_counter (pattern);
  CLEANUP_FREE uint8_t *used = NULL;
  uint32_t max = 1, n;
  char *name;

  if (expected != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "computer name '%.80s': expected %s",
                     pattern, expected);
  if (c.width == 0) {
    for (size_t i = 0; taken != NULL && taken[i] != NULL; ++i)
      if (strcmp (pattern, "*") != 0 && same_host (pattern, taken[i]))
        return v2v_fail (err, V2V_ERR_USAGE,
                         "computer name '%s' is taken, and has no counter",
                         pattern);
    *ret = strdup (pattern);
    return *ret == NULL ? v2v_fail_nomem (err) : 0;
  }
  for (size_t i = 0; i < c.width; ++i)
    max *= 10;
  max -= 1;
  used = calloc (max / 8 + 1, 1);
  if (used == NULL)
    return v2v_fail_nomem (err);
  n = first_free (pattern, c, taken, max, used);
  if (n == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "computer name '%s': all of its %u names are taken",
                     pattern, (unsigned) max);
  if (asprintf (&name, "%.*s%0*u%s", (int) c.start, pattern, (int) c.width,
                (unsigned) n, pattern + c.start + c.width) == -1)
    return v2v_fail_nomem (err);
  *ret = name;
  return 0;
}
