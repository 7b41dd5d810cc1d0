/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of the machines of a tier: ranges out of which machine number N
 * has address number N, today and after every scaling and update.
 *
 * Sources: RFC 4291, 2.2 and RFC 5952 (texts of IPv6, as inet_ntop writes
 * them), RFC 4632, 3.1 (prefix lengths).
 */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/service-internal.h"

struct address {
  int family;
  uint8_t bytes[16]; /* the first 4 of IPv4 */
};
struct range {
  struct address first;
  unsigned prefix;
  size_t nr;
};

static size_t
length_of (const struct address *a)
{
  return a->family == AF_INET ? 4 : 16;
}

static bool
parse_address (const char *s, size_t len, struct address *ret)
{
  char text[INET6_ADDRSTRLEN];

  if (len >= sizeof text)
    return false;
  memcpy (text, s, len);
  text[len] = '\0';
  ret->family = memchr (s, ':', len) != NULL ? AF_INET6 : AF_INET;
  return inet_pton (ret->family, text, ret->bytes) == 1;
}

/* *A += n; false if that leaves the family. */
static bool
add (struct address *a, size_t n)
{
  for (size_t i = length_of (a); i-- > 0 && n > 0;) {
    n += a->bytes[i];
    a->bytes[i] = (uint8_t) n;
    n >>= 8;
  }
  return n == 0;
}

/* LAST - FIRST, or SERVICE_MAX_ADDRESSES if it is more or negative. */
static size_t
distance (const struct address *first, const struct address *last)
{
  const size_t len = length_of (first);
  size_t n = 0;

  if (memcmp (first->bytes, last->bytes, len) > 0)
    return SERVICE_MAX_ADDRESSES;
  /* The first byte that differs is the larger one of LAST: never negative. */
  for (size_t i = 0; i < len && n < SERVICE_MAX_ADDRESSES; ++i)
    n = n * 256 + last->bytes[i] - first->bytes[i];
  return n < SERVICE_MAX_ADDRESSES ? n : SERVICE_MAX_ADDRESSES;
}

static bool
same_network (const struct address *a, const struct address *b, unsigned prefix)
{
  const unsigned whole = prefix / 8, bits = prefix % 8;

  return memcmp (a->bytes, b->bytes, whole) == 0 &&
         (bits == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - bits) == 0);
}

/* "/24" at the beginning of S; the number of characters, 0 = malformed. */
static size_t
parse_prefix (const char *s, int family, unsigned *ret)
{
  const size_t n = s[0] == '/' ? strspn (s + 1, "0123456789") : 0;

  if (n == 0 || n > 3)
    return 0;
  *ret = (unsigned) strtoul (s + 1, NULL, 10);
  return *ret <= (family == AF_INET ? 32u : 128u) ? n + 1 : 0;
}

/* One range of LEN characters; NULL = fine, else what was expected. */
static const char *
parse_range (const char *s, size_t len, struct range *ret)
{
  static const char why[] =
      "ADDRESS/PREFIX or ADDRESS/PREFIX-ADDRESS, as 10.0.0.11/24-10.0.0.19";
  const char *slash = memchr (s, '/', len);
  struct address last;
  size_t n, rest;

  if (slash == NULL || !parse_address (s, (size_t) (slash - s), &ret->first))
    return why;
  n = parse_prefix (slash, ret->first.family, &ret->prefix);
  rest = len - (size_t) (slash - s) - n;
  if (n == 0 || (size_t) (slash - s) + n > len)
    return why;
  ret->nr = 1;
  if (rest == 0)
    return NULL;
  if (slash[n] != '-' || !parse_address (slash + n + 1, rest - 1, &last) ||
      last.family != ret->first.family)
    return why;
  ret->nr = distance (&ret->first, &last) + 1;
  if (ret->nr > SERVICE_MAX_ADDRESSES)
    return "a range that goes up, of up to 65536 addresses";
  return same_network (&ret->first, &last, ret->prefix)
             ? NULL
             : "both ends in the network of that prefix length";
}

/* The next range of *POOL; 1, 0 at the end, -1. */
static int
next_range (const char **pool, struct range *ret, struct v2v_error **err)
{
  const char *s = *pool, *why;
  size_t len;

  s += strspn (s, " ,");
  len = strcspn (s, ",");
  if (len == 0)
    return 0;
  *pool = s + len;
  while (s[len - 1] == ' ')
    --len;
  why = parse_range (s, len, ret);
  if (why != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "addresses '%.*s': expected %s",
                     (int) (len < 100 ? len : 100), s, why);
  return 1;
}

int
service_pool_count (const char *pool, size_t *ret, struct v2v_error **err)
{
  struct range range;
  size_t n = 0;
  int r;

  while ((r = next_range (&pool, &range, err)) == 1) {
    n += range.nr;
    if (n > SERVICE_MAX_ADDRESSES)
      return v2v_fail (err, V2V_ERR_USAGE, "more than %d addresses",
                       SERVICE_MAX_ADDRESSES);
  }
  if (r == 0)
    *ret = n;
  return r;
}

int
service_pool_nth (const char *pool, size_t n, char **ret,
                  struct v2v_error **err)
{
  char text[INET6_ADDRSTRLEN];
  struct range range;
  size_t before = 0;
  int r;

  while ((r = next_range (&pool, &range, err)) == 1) {
    if (n - before >= range.nr) {
      before += range.nr;
      continue;
    }
    if (!add (&range.first, n - before) ||
        inet_ntop (range.first.family, range.first.bytes, text, sizeof text) ==
            NULL)
      return v2v_fail (err, V2V_ERR_USAGE, "there is no address number %zu",
                       n + 1);
    if (asprintf (ret, "%s/%u", text, range.prefix) == -1) {
      *ret = NULL;
      return v2v_fail_nomem (err);
    }
    return 0;
  }
  return r == -1 ? -1
                 : v2v_fail (err, V2V_ERR_USAGE,
                             "%zu addresses, and number %zu is wanted", before,
                             n + 1);
}

int
service_address (const char *address, char ret[64])
{
  struct address a;

  if (!parse_address (address, strcspn (address, "/"), &a) ||
      inet_ntop (a.family, a.bytes, ret, 64) == NULL)
    return 0;
  return a.family == AF_INET ? 4 : 6;
}
