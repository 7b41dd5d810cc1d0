/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What adapters shall have: reading the file of the conversion.
 *
 * FILE (UTF-8, made by inject/windows-network.c) has a word and its values a
 * line, separated by one space; the value of "name" is the rest of the line:
 *
 *   v2v-network 1
 *   nic 00:50:56:aa:bb:cc           begins an adapter; "*" = the only one
 *   name Ethernet 2
 *   address 10.0.0.5 255.255.255.0
 *   gateway 10.0.0.1 0              and its metric, 0 = automatic
 *   dns 10.0.0.2
 *   wins 10.0.0.3
 *   address6 2001:db8::5 64
 *   route6 :: 0 2001:db8::1 0       prefix, its length, gateway, metric
 *   dns6 2001:db8::53
 *   domain example.com
 *   netbios 2                       NetbiosOptions
 *   mtu 9000
 *   metric 10
 *   route 10.9.0.0 255.255.0.0 10.0.0.254 1    of the machine
 */

#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (256 * 1024)

static bool
parse_mac (const wchar_t *s, BYTE mac[6])
{
  unsigned b[6];

  if (swscanf (s, L"%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
               &b[5]) != 6)
    return false;
  for (int i = 0; i < 6; ++i)
    mac[i] = (BYTE) b[i];
  return true;
}

/* Digits and dots, at most "255.255.255.255". */
static bool
copy_address (wchar_t out[16], const wchar_t *s)
{
  size_t n = 0;

  if (s == NULL)
    return false;
  for (; s[n]; ++n)
    if (n == 15 || !((s[n] >= L'0' && s[n] <= L'9') || s[n] == L'.'))
      return false;
  wcscpy (out, s);
  return n >= 7;
}

/* Hexadecimal digits, colons and dots. */
static bool
copy_address6 (wchar_t out[IPV6_CHARS], const wchar_t *s)
{
  if (s == NULL || wcslen (s) >= IPV6_CHARS || wcslen (s) < 2 ||
      wcsspn (s, L"0123456789abcdefABCDEF:.") != wcslen (s))
    return false;
  wcscpy (out, s);
  return true;
}

/* "ADDRESS/LENGTH" of two values. */
static bool
copy_prefix (wchar_t out[IPV6_CHARS + 4], const wchar_t *s,
             const wchar_t *length)
{
  if (length == NULL || *length < L'0' || *length > L'9' ||
      wcstoul (length, NULL, 10) > 128 || !copy_address6 (out, s))
    return false;
  wsprintfW (out + wcslen (out), L"/%lu", wcstoul (length, NULL, 10));
  return true;
}

/* Cut S at its first space; what follows, or NULL. */
static wchar_t *
cut (wchar_t *s)
{
  wchar_t *next = s != NULL ? wcschr (s, L' ') : NULL;

  if (next != NULL)
    *next++ = L'\0';
  return next;
}

static bool
copy_text (wchar_t out[NAME_MAX_CHARS], const wchar_t *s)
{
  if (s == NULL || wcslen (s) >= NAME_MAX_CHARS ||
      wcspbrk (s, L"\"\\/:*?<>|") != NULL)
    return false;
  wcscpy (out, s);
  return true;
}

static struct nic *
add_nic (struct network *n, const wchar_t *mac)
{
  struct nic *c;

  if (n->nr_nics == MAX_NICS)
    return NULL;
  c = &n->nics[n->nr_nics];
  memset (c, 0, sizeof *c);
  c->netbios = c->mtu = c->metric = UINT32_MAX;
  if (wcscmp (mac, L"*") == 0)
    c->any = true;
  else if (!parse_mac (mac, c->mac))
    return NULL;
  n->nr_nics++;
  return c;
}

static bool
add_route (struct network *n, wchar_t *value)
{
  wchar_t part[3][16], *s = value, *next;

  if (n->nr_routes == MAX_ADDRESSES)
    return false;
  for (int i = 0; i < 3; ++i) {
    if (s == NULL)
      return false;
    next = cut (s);
    if (!copy_address (part[i], s))
      return false;
    s = next;
  }
  wsprintfW (n->routes[n->nr_routes], L"add %s mask %s %s", part[0], part[1],
             part[2]);
  if (s != NULL && wcstoul (s, NULL, 10) > 0)
    wsprintfW (n->routes[n->nr_routes] + wcslen (n->routes[n->nr_routes]),
               L" metric %lu", wcstoul (s, NULL, 10) % 10000);
  n->nr_routes++;
  return true;
}

static bool
parse_ipv6_line (struct nic *c, const wchar_t *word, wchar_t *value)
{
  wchar_t *second = cut (value), *third = cut (second), *fourth = cut (third);

  if (wcscmp (word, L"address6") == 0 && c->nr_addresses6 < MAX_ADDRESSES &&
      copy_prefix (c->address6[c->nr_addresses6], value, second))
    return ++c->nr_addresses6;
  if (wcscmp (word, L"route6") == 0 && c->nr_routes6 < MAX_ADDRESSES &&
      copy_prefix (c->route6[c->nr_routes6], value, second) &&
      copy_address6 (c->gateway6[c->nr_routes6], third)) {
    c->route6_metric[c->nr_routes6] =
        fourth ? wcstoul (fourth, NULL, 10) % 10000 : 0;
    return ++c->nr_routes6;
  }
  if (wcscmp (word, L"dns6") == 0 && c->nr_dns6 < MAX_ADDRESSES &&
      copy_address6 (c->dns6[c->nr_dns6], value))
    return ++c->nr_dns6;
  return false;
}

static bool
parse_nic_line (struct nic *c, const wchar_t *word, wchar_t *value)
{
  wchar_t *second;

  if (wcscmp (word, L"name") == 0)
    return copy_text (c->name, value);
  if (wcscmp (word, L"domain") == 0)
    return copy_text (c->domain, value);
  if (wcscmp (word, L"netbios") == 0)
    return (c->netbios = wcstoul (value, NULL, 10)) <= 2;
  if (wcscmp (word, L"mtu") == 0)
    return (c->mtu = wcstoul (value, NULL, 10)) <= 65535;
  if (wcscmp (word, L"metric") == 0)
    return (c->metric = wcstoul (value, NULL, 10)) <= 9999;
  if (wcscmp (word, L"address6") == 0 || wcscmp (word, L"route6") == 0 ||
      wcscmp (word, L"dns6") == 0)
    return parse_ipv6_line (c, word, value);
  second = cut (value);
  if (wcscmp (word, L"address") == 0 && c->nr_addresses < MAX_ADDRESSES &&
      copy_address (c->address[c->nr_addresses], value) &&
      copy_address (c->mask[c->nr_addresses], second))
    return ++c->nr_addresses;
  if (wcscmp (word, L"gateway") == 0 && c->nr_gateways < MAX_ADDRESSES &&
      copy_address (c->gateway[c->nr_gateways], value)) {
    c->gateway_metric[c->nr_gateways] =
        second ? wcstoul (second, NULL, 10) % 10000 : 0;
    return ++c->nr_gateways;
  }
  if (wcscmp (word, L"dns") == 0 && c->nr_dns < MAX_ADDRESSES &&
      copy_address (c->dns[c->nr_dns], value))
    return ++c->nr_dns;
  if (wcscmp (word, L"wins") == 0 && c->nr_wins < MAX_ADDRESSES &&
      copy_address (c->wins[c->nr_wins], value))
    return ++c->nr_wins;
  return false;
}

static bool
parse (struct network *n, wchar_t *text)
{
  struct nic *c = NULL;
  wchar_t *line = text, *next, *value;
  bool first = true;

  for (; line != NULL && *line; line = next) {
    next = wcspbrk (line, L"\r\n");
    if (next != NULL) {
      *next++ = L'\0';
      next += wcsspn (next, L"\r\n");
    }
    if (first) {
      if (wcscmp (line, L"v2v-network 1") != 0)
        return false;
      first = false;
      continue;
    }
    value = wcschr (line, L' ');
    if (value == NULL)
      return false;
    *value++ = L'\0';
    if (wcscmp (line, L"nic") == 0) {
      c = add_nic (n, value);
      if (c == NULL)
        return false;
    }
    else if (wcscmp (line, L"route") == 0) {
      if (!add_route (n, value))
        return false;
    }
    else if (c == NULL || !parse_nic_line (c, line, value))
      return false;
  }
  return !first;
}

bool
fb_network_read (struct network *n, const wchar_t *file)
{
  char *bytes = malloc (MAX_FILE);
  wchar_t *text = malloc (MAX_FILE * sizeof *text);
  bool ok = false;

  if (bytes != NULL && text != NULL && fb_read (file, bytes, MAX_FILE) > 0 &&
      MultiByteToWideChar (CP_UTF8, 0, bytes, -1, text, MAX_FILE) > 0)
    ok = parse (n, text);
  free (bytes);
  free (text);
  return ok;
}
