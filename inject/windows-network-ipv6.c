/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static IPv6 addresses and routes of a Windows guest.
 *
 * They are not below Tcpip6 but in the store of the network stack:
 * Control\Nsi\{module of IPv6}\10 has a value for each address, \16 one for
 * each route.  The value's name is the key of the row in hexadecimal digits:
 *
 *   address   LUID of the interface (8 bytes), address (16)
 *   route     4, prefix (16), its length (1), 19, LUID (8), LUID (8),
 *             next hop (16)
 *
 * and its data the row: the prefix length of an address at byte 16, the metric
 * of a route at byte 12.  The LUID has the type of the interface in bits 48 to
 * 63 and NetLuidIndex of the class key in bits 24 to 47 (NET_LUID_LH,
 * ifdef.h).  Seen so for IPv4 in the hive of a Windows 7, whose rows differ in
 * the length of addresses only; the names of addresses are built the same way
 * by the drivers of Xen for Windows, the rows described by Wine (nsi.h).
 */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/windows-network.h"

#define NSI             "Control\\Nsi\\{eb004a01-9b1a-11d4-9123-0050047759bc}\\"
#define TABLE_ADDRESSES NSI "10"
#define TABLE_ROUTES    NSI "16"

#define ADDRESS_KEY_BYTES 24u
#define ROUTE_KEY_BYTES   72u
#define ROUTE_PREFIX      4u
#define ROUTE_LENGTH      20u
#define ROUTE_LUID        40u
#define ROUTE_NEXT_HOP    56u
/* In the data. */
#define ADDRESS_PREFIX_LENGTH 16u
#define ROUTE_METRIC          12u
#define MAX_METRIC            9999u

/* ---- checks ---- */

static void
format (struct windows_ipv6 *ret, const uint8_t bytes[16])
{
  struct in6_addr a;

  memcpy (&a, bytes, sizeof a);
  if (inet_ntop (AF_INET6, &a, ret->text, sizeof ret->text) == NULL)
    ret->text[0] = '\0';
}

/* Of a host: not ::, ::1 or multicast. */
static bool
is_host (const uint8_t bytes[16])
{
  struct in6_addr a;

  memcpy (&a, bytes, sizeof a);
  return !IN6_IS_ADDR_UNSPECIFIED (&a) && !IN6_IS_ADDR_LOOPBACK (&a) &&
         !IN6_IS_ADDR_MULTICAST (&a);
}

bool
windows_parse_ipv6 (const char *s, struct windows_ipv6 *ret)
{
  struct in6_addr a;

  if (inet_pton (AF_INET6, s, &a) != 1 || !is_host (a.s6_addr))
    return false;
  format (ret, a.s6_addr);
  return true;
}

/* ---- LUIDs ---- */

int
windows_read_luid (struct windows_guest *w, const char *class_key,
                   struct windows_nic *n, struct v2v_error **err)
{
  uint32_t index = 0, type = 0;
  int has_index, has_type;

  has_index =
      v2v_hive_get_dword (w->system, class_key, "NetLuidIndex", &index, err);
  has_type = has_index == -1 ? -1
                             : v2v_hive_get_dword (w->system, class_key,
                                                   "*IfType", &type, err);
  if (has_type == -1)
    return -1;
  n->has_luid =
      has_index == 1 && has_type == 1 && index <= 0xffffff && type <= 0xffff;
  if (n->has_luid)
    v2v_put_le64 (n->luid, (uint64_t) type << 48 | (uint64_t) index << 24);
  return 0;
}

static struct windows_nic *
find_nic (windows_nic_vector *nics, const uint8_t luid[8])
{
  for (size_t i = 0; i < nics->len; ++i)
    if (nics->ptr[i]->has_luid && memcmp (nics->ptr[i]->luid, luid, 8) == 0)
      return nics->ptr[i];
  return NULL;
}

/* ---- rows ---- */

struct row {
  uint8_t key[ROUTE_KEY_BYTES];
  const uint8_t *luid;
  uint8_t *data; /* owned */
  size_t len;
};

static void
row_clear (struct row *row)
{
  free (row->data);
}
#define CLEANUP_ROW __attribute__ ((cleanup (row_clear)))

/* The row NAME of TABLE: 1, or 0 when it is none. */
static int
read_row (struct windows_guest *w, const char *table, const char *name,
          bool route, struct row *ret, struct v2v_error **err)
{
  const size_t bytes = route ? ROUTE_KEY_BYTES : ADDRESS_KEY_BYTES;
  uint32_t type;
  void *data;
  int r;

  if (strlen (name) != 2 * bytes ||
      !v2v_unhex (name, 2 * bytes, ret->key, bytes))
    return 0;
  r = v2v_hive_get (w->system, table, name, &type, &data, &ret->len, err);
  if (r != 1)
    return r;
  ret->data = data;
  ret->luid = ret->key + (route ? ROUTE_LUID : 0);
  return 1;
}

/* 0xffffffff, or data that is too short: it is not said. */
static uint32_t
number_at (const struct row *row, size_t offset)
{
  return row->len >= offset + 4 ? v2v_le32 (row->data + offset) : UINT32_MAX;
}

static void
take_address (struct windows_nic *n, const struct row *row)
{
  const uint32_t length = number_at (row, ADDRESS_PREFIX_LENGTH);
  struct windows_address6 a;

  if (n->nr_addresses6 == WINDOWS_MAX_ADDRESSES)
    return;
  format (&a.address, row->key + 8);
  /* What netsh takes when it is not told. */
  a.length = length >= 1 && length <= 128 ? length : 64;
  n->addresses6[n->nr_addresses6++] = a;
  n->is_static = true;
}

static void
take_route (struct windows_nic *n, const struct row *row)
{
  const uint32_t metric = number_at (row, ROUTE_METRIC);
  struct windows_route6 r = { .length = row->key[ROUTE_LENGTH] };

  if (n->nr_routes6 == WINDOWS_MAX_ADDRESSES || r.length > 128 ||
      !is_host (row->key + ROUTE_NEXT_HOP))
    return;
  format (&r.prefix, row->key + ROUTE_PREFIX);
  format (&r.gateway, row->key + ROUTE_NEXT_HOP);
  r.metric = metric <= MAX_METRIC ? metric : 0;
  n->routes6[n->nr_routes6++] = r;
}

/* All of one table.  ORPHANS: addresses whose interface is none of NICS. */
static int
read_table (struct windows_guest *w, const char *set, bool route,
            windows_nic_vector *nics, struct v2v_str *orphans,
            struct v2v_error **err)
{
  CLEANUP_FREE char *table =
      windows_key (set, route ? TABLE_ROUTES : TABLE_ADDRESSES, err);
  CLEANUP_LIST char **names =
      table ? v2v_hive_value_names (w->system, table, err) : NULL;

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    struct row row CLEANUP_ROW = { .data = NULL };
    const int r = read_row (w, table, names[i], route, &row, err);
    struct windows_nic *n = r == 1 ? find_nic (nics, row.luid) : NULL;
    struct windows_ipv6 text;

    if (r == -1)
      return -1;
    if (r == 0 || (!route && !is_host (row.key + 8)))
      continue;
    if (n != NULL && route)
      take_route (n, &row);
    else if (n != NULL)
      take_address (n, &row);
    else if (!route && i < WINDOWS_MAX_ADDRESSES) {
      format (&text, row.key + 8);
      if (v2v_str_printf (orphans, "%s%s", orphans->len ? ", " : "",
                          text.text) == -1)
        return v2v_fail_nomem (err);
    }
  }
  return 0;
}

/* ---- name servers ---- */

static char *
tcpip6_key (const char *set, const struct windows_nic *n,
            struct v2v_error **err)
{
  char *key;

  if (asprintf (&key, "%s\\Services\\Tcpip6\\Parameters\\Interfaces\\%s", set,
                n->guid) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return key;
}

static int
read_servers (struct windows_guest *w, const char *set, struct windows_nic *n,
              struct v2v_error **err)
{
  CLEANUP_FREE char *key = tcpip6_key (set, n, err), *list = NULL;
  struct v2v_error *e = NULL;
  char *save = NULL;

  if (key == NULL)
    return -1;
  list = v2v_hive_get_string (w->system, key, "NameServer", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  for (char *t = list != NULL ? strtok_r (list, ", \t", &save) : NULL;
       t != NULL; t = strtok_r (NULL, ", \t", &save))
    if (n->nr_dns6 < WINDOWS_MAX_ADDRESSES &&
        windows_parse_ipv6 (t, &n->dns6[n->nr_dns6]))
      n->nr_dns6++;
  return 0;
}

/* ---- all of it ---- */

int
windows_read_ipv6 (struct windows_guest *w, const char *set,
                   windows_nic_vector *nics, struct v2v_error **err)
{
  struct v2v_str orphans CLEANUP_STR = V2V_STR_INIT;

  if (read_table (w, set, false, nics, &orphans, err) == -1 ||
      read_table (w, set, true, nics, &orphans, err) == -1)
    return -1;
  for (size_t i = 0; i < nics->len; ++i)
    if (read_servers (w, set, nics->ptr[i], err) == -1)
      return -1;
  if (orphans.len == 0)
    return 0;
  if (v2v_findings_add (
          v2v_guest_findings (w->g), V2V_WARNING, "guest.network.ipv6-static",
          NULL, "set them by hand after the first start",
          "static IPv6 addresses of an interface that is no adapter of VMware "
          "are not carried over: %s",
          orphans.ptr) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
clear_table (struct windows_guest *w, const char *set, bool route,
             const struct windows_nic *n, const char *why,
             struct v2v_error **err)
{
  const size_t bytes = route ? ROUTE_KEY_BYTES : ADDRESS_KEY_BYTES;
  CLEANUP_FREE char *table =
      windows_key (set, route ? TABLE_ROUTES : TABLE_ADDRESSES, err);
  CLEANUP_LIST char **names =
      table ? v2v_hive_value_names (w->system, table, err) : NULL;

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    uint8_t key[ROUTE_KEY_BYTES];

    if (strlen (names[i]) != 2 * bytes ||
        !v2v_unhex (names[i], 2 * bytes, key, bytes) ||
        memcmp (key + (route ? ROUTE_LUID : 0), n->luid, 8) != 0)
      continue;
    if (v2v_hive_delete_value (w->system, table, names[i], why, err) == -1)
      return -1;
  }
  return 0;
}

int
windows_clear_ipv6 (struct windows_guest *w, const struct windows_nic *n,
                    struct v2v_error **err)
{
  static const char why[] = "is set on the new adapter at the first boot";

  for (size_t i = 0; w->control_sets[i] != NULL; ++i) {
    const char *set = w->control_sets[i];
    CLEANUP_FREE char *key = tcpip6_key (set, n, err);
    int there;

    if (key == NULL)
      return -1;
    if (n->has_luid && (clear_table (w, set, false, n, why, err) == -1 ||
                        clear_table (w, set, true, n, why, err) == -1))
      return -1;
    there = v2v_hive_has_key (w->system, key, err);
    if (there == -1)
      return -1;
    if (there == 1 && n->nr_dns6 > 0 &&
        v2v_hive_set_string (w->system, key, "NameServer", V2V_REG_SZ, "", why,
                             err) == -1)
      return -1;
  }
  return 0;
}
