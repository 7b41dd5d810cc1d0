/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static addresses of a Windows guest survive the move to other adapters.
 *
 * A new adapter has a new interface, so nothing can be written in advance:
 * the settings go into a file that v2vfirstboot.exe applies at the first boot
 * to the adapter with the MAC address (inject/firstboot/network-file.c has the
 * format).  The ghost's addresses are cleared, or Windows finds them taken.
 * Where it is not certain which settings belong to which adapter, nothing is
 * changed, and a finding says so (guest-windows section 9).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/windows-firstboot.h"
#include "inject/windows-network.h"

#define MAX_ROUTES 64

/* ---- the file for the first boot ---- */

static int
describe_ipv6 (struct v2v_str *s, const struct windows_nic *n)
{
  for (size_t i = 0; i < n->nr_addresses6; ++i)
    if (v2v_str_printf (s, "address6 %s %u\n", n->addresses6[i].address.text,
                        n->addresses6[i].length) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_routes6; ++i)
    if (v2v_str_printf (s, "route6 %s %u %s %u\n", n->routes6[i].prefix.text,
                        n->routes6[i].length, n->routes6[i].gateway.text,
                        n->routes6[i].metric) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_dns6; ++i)
    if (v2v_str_printf (s, "dns6 %s\n", n->dns6[i].text) == -1)
      return -1;
  return 0;
}

static int
describe_nic (struct v2v_str *s, const struct windows_nic *n, const char *mac)
{
  if (v2v_str_printf (s, "nic %s\n", mac) == -1 ||
      (n->name != NULL && v2v_str_printf (s, "name %s\n", n->name) == -1) ||
      (n->domain != NULL &&
       v2v_str_printf (s, "domain %s\n", n->domain) == -1) ||
      (n->has_netbios &&
       v2v_str_printf (s, "netbios %u\n", n->netbios) == -1) ||
      (n->has_mtu && v2v_str_printf (s, "mtu %u\n", n->mtu) == -1) ||
      (n->has_metric && v2v_str_printf (s, "metric %u\n", n->metric) == -1))
    return -1;
  for (size_t i = 0; i < n->nr_addresses; ++i)
    if (v2v_str_printf (s, "address %s %s\n", n->addresses[i].address.text,
                        n->addresses[i].mask.text) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_gateways; ++i)
    if (v2v_str_printf (s, "gateway %s %u\n", n->gateways[i].address.text,
                        n->gateways[i].metric) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_dns; ++i)
    if (v2v_str_printf (s, "dns %s\n", n->dns[i].text) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_wins; ++i)
    if (v2v_str_printf (s, "wins %s\n", n->wins[i].text) == -1)
      return -1;
  return describe_ipv6 (s, n);
}

/* "dest,mask,gateway,metric": kept by Windows for the whole machine, used when
 * a gateway can be reached, so only said once more.  Default routes come with
 * the gateways. */
static int
describe_routes (struct windows_guest *w, const char *set, struct v2v_str *s,
                 struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;
  CLEANUP_LIST char **names = NULL;
  size_t nr = 0;

  if (asprintf (&key, "%s\\Services\\Tcpip\\Parameters\\PersistentRoutes",
                set) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  names = v2v_hive_value_names (w->system, key, err);
  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL && nr < MAX_ROUTES; ++i) {
    char *save = NULL;
    const char *part[4] = { NULL, NULL, NULL, NULL };
    struct windows_ipv4 to, mask, gateway;
    unsigned long metric;

    for (size_t k = 0; k < 4; ++k)
      part[k] = strtok_r (k == 0 ? names[i] : NULL, ",", &save);
    if (part[2] == NULL || !windows_parse_ipv4 (part[0], &to) ||
        !windows_parse_ipv4 (part[1], &mask) ||
        !windows_parse_ipv4 (part[2], &gateway) || !windows_is_mask (&mask))
      continue;
    metric =
        part[3] != NULL && part[3][0] != '-' ? strtoul (part[3], NULL, 10) : 0;
    if (v2v_str_printf (s, "route %s %s %s %lu\n", to.text, mask.text,
                        gateway.text, metric <= 9999 ? metric : 0) == -1)
      return v2v_fail_nomem (err);
    ++nr;
  }
  return 0;
}

/* ---- findings ---- */

static int
settings_text (struct v2v_str *s, const struct windows_nic *n)
{
  for (size_t i = 0; i < n->nr_addresses; ++i)
    if (v2v_str_printf (s, "%s%s mask %s", i ? ", " : "",
                        n->addresses[i].address.text,
                        n->addresses[i].mask.text) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_gateways; ++i)
    if (v2v_str_printf (s, ", gateway %s", n->gateways[i].address.text) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_dns; ++i)
    if (v2v_str_printf (s, "%sDNS %s", s->len ? ", " : "", n->dns[i].text) ==
        -1)
      return -1;
  for (size_t i = 0; i < n->nr_addresses6; ++i)
    if (v2v_str_printf (s, "%s%s/%u", s->len ? ", " : "",
                        n->addresses6[i].address.text,
                        n->addresses6[i].length) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_routes6; ++i)
    if (v2v_str_printf (s, ", %s/%u by %s", n->routes6[i].prefix.text,
                        n->routes6[i].length, n->routes6[i].gateway.text) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_dns6; ++i)
    if (v2v_str_printf (s, "%sDNS %s", s->len ? ", " : "", n->dns6[i].text) ==
        -1)
      return -1;
  return 0;
}

static int
report_nic (struct windows_guest *w, const struct windows_nic *n,
            const char *mac, bool by_order, struct v2v_error **err)
{
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;
  struct v2v_findings *f = v2v_guest_findings (w->g);
  const char *subject = n->name != NULL ? n->name : n->guid;
  int r;

  if (settings_text (&s, n) == -1)
    return v2v_fail_nomem (err);
  if (mac == NULL)
    r = v2v_findings_add (
        f, V2V_WARNING, "guest.network.undecided", subject,
        "set the addresses by hand after the first start",
        "it is not certain which adapter has these settings, it gets DHCP: %s",
        s.ptr);
  else
    r = v2v_findings_add (f, V2V_INFORMATION, "guest.network.static", subject,
                          by_order ? "the adapter was found by the order of "
                                     "the slots: check it after the first "
                                     "start"
                                   : NULL,
                          "set at the first boot on the adapter %s: %s", mac,
                          s.ptr);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

/* Class\NNNN of adapters that bind others together. */
static bool
is_team (const char *id)
{
  static const char *const begins[] = { "ms_implat", "compositebus\\ms_implat",
                                        "iansm",     "cpqteam",
                                        "hpteam",    "blfm",
                                        "basp",      "vmware_vmnetteam" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (begins); ++i)
    if (strncasecmp (id, begins[i], strlen (begins[i])) == 0)
      return true;
  return false;
}

static int
find_teams (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  CLEANUP_FREE char *class = NULL;
  CLEANUP_LIST char **keys = NULL;

  if (asprintf (&class,
                "%s\\Control\\Class\\{4D36E972-E325-11CE-BFC1-08002BE10318}",
                set) == -1) {
    class = NULL;
    return v2v_fail_nomem (err);
  }
  keys = v2v_hive_subkeys (w->system, class, err);
  if (keys == NULL)
    return -1;
  for (size_t i = 0; keys[i] != NULL; ++i) {
    CLEANUP_FREE char *key = NULL, *id = NULL;

    if (asprintf (&key, "%s\\%s", class, keys[i]) == -1) {
      key = NULL;
      return v2v_fail_nomem (err);
    }
    id = v2v_hive_get_string (w->system, key, "ComponentId", err);
    if (id == NULL) {
      if (err != NULL && *err != NULL)
        return -1;
      continue;
    }
    if (!is_team (id))
      continue;
    if (v2v_findings_add (v2v_guest_findings (w->g), V2V_WARNING,
                          "guest.network.team", NULL,
                          "make the team again after the first start, or use "
                          "one adapter: the host can team",
                          "the guest teams network adapters (%.64s): that is "
                          "not carried over",
                          id) == -1)
      return v2v_fail_nomem (err);
    return 0;
  }
  return 0;
}

/* ---- changes ---- */

static int
clear_statics (struct windows_guest *w, const struct windows_nic *n,
               struct v2v_error **err)
{
  static const char *const lists[] = { "IPAddress", "SubnetMask",
                                       "DefaultGateway",
                                       "DefaultGatewayMetric" };
  static const char *const empty[] = { NULL };
  static const char why[] = "is set on the new adapter at the first boot";

  for (size_t i = 0; w->control_sets[i] != NULL; ++i) {
    CLEANUP_FREE char *key = NULL;
    int there;

    if (asprintf (&key, "%s\\Services\\Tcpip\\Parameters\\Interfaces\\%s",
                  w->control_sets[i], n->guid) == -1) {
      key = NULL;
      return v2v_fail_nomem (err);
    }
    there = v2v_hive_has_key (w->system, key, err);
    if (there == -1)
      return -1;
    if (there == 0)
      continue;
    if (v2v_hive_set_dword (w->system, key, "EnableDHCP", 1, why, err) == -1 ||
        v2v_hive_set_string (w->system, key, "NameServer", V2V_REG_SZ, "", why,
                             err) == -1)
      return -1;
    for (size_t k = 0; k < V2V_ARRAY_SIZE (lists); ++k)
      if (v2v_hive_set_multi (w->system, key, lists[k], empty, why, err) == -1)
        return -1;
  }
  return windows_clear_ipv6 (w, n, err);
}

/* An adapter without addresses asks for them. */
static int
start_dhcp (struct windows_guest *w, struct v2v_error **err)
{
  for (size_t i = 0; w->control_sets[i] != NULL; ++i) {
    CLEANUP_FREE char *key = NULL;
    int there;

    if (asprintf (&key, "%s\\Services\\Dhcp", w->control_sets[i]) == -1) {
      key = NULL;
      return v2v_fail_nomem (err);
    }
    there = v2v_hive_has_key (w->system, key, err);
    if (there == -1 ||
        (there == 1 &&
         v2v_hive_set_dword (w->system, key, "Start", 2,
                             "the new adapter begins with DHCP", err) == -1))
      return -1;
  }
  return 0;
}

/* The MAC that the adapter of the target will have, "*" for "the only one",
 * or NULL: not known. */
static const char *
mac_of (struct windows_guest *w, const struct windows_nic *n)
{
  const struct v2v_machine *m = v2v_guest_machine (w->g);

  if (n->pair == NULL)
    return NULL;
  if (m->nr_nics == 1)
    return v2v_guest_get_opts (w->g)->new_macs || n->pair->mac == NULL
               ? "*"
               : n->pair->mac;
  return v2v_guest_get_opts (w->g)->new_macs ? NULL : n->pair->mac;
}

static bool
has_settings (const struct windows_nic *n)
{
  return n->is_static || n->nr_dns > 0 || n->nr_dns6 > 0;
}

static int
queue_network (struct windows_guest *w, const struct v2v_str *list,
               struct v2v_error **err)
{
  static const char text[] =
      "@echo off\n"
      "rem v2v-run-again: yes\n"
      "rem v2v-time-limit: 1800\n"
      "\"%V2V_PROGRAM%\" --network \"%V2V_FIRSTBOOT%\\files\\network.txt\"\n"
      "exit /b %ERRORLEVEL%\n";

  if (v2v_guest_mkdir (w->g, WINDOWS_FIRSTBOOT_FILES, 0700, err) == -1 ||
      v2v_guest_write (w->g, WINDOWS_FIRSTBOOT_FILES "/network.txt", list->ptr,
                       list->len, 0600, 0, "addresses for the first boot",
                       err) == -1)
    return -1;
  return v2v_firstboot_add (w->g, WINDOWS_ORDER_NETWORK, "network.cmd", text,
                            sizeof text - 1, false, err);
}

static int
keep (struct windows_guest *w, const char *set, windows_nic_vector *nics,
      struct v2v_error **err)
{
  struct v2v_str list CLEANUP_STR = V2V_STR_INIT;
  const struct v2v_machine *m = v2v_guest_machine (w->g);
  bool any = false;

  if (m != NULL)
    windows_pair_nics (nics, m);
  if (v2v_str_append (&list, "v2v-network 1\n") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < nics->len; ++i) {
    struct windows_nic *n = nics->ptr[i];
    const char *mac = mac_of (w, n);

    if (has_settings (n) &&
        report_nic (w, n, mac, m != NULL && m->nr_nics > 1, err) == -1)
      return -1;
    if (mac == NULL)
      continue;
    if (describe_nic (&list, n, mac) == -1)
      return v2v_fail_nomem (err);
    any = any || has_settings (n);
  }
  if (!any)
    return 0;
  if (describe_routes (w, set, &list, err) == -1 ||
      queue_network (w, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < nics->len; ++i)
    if (has_settings (nics->ptr[i]) && mac_of (w, nics->ptr[i]) != NULL &&
        clear_statics (w, nics->ptr[i], err) == -1)
      return -1;
  return 0;
}

static bool
any_settings (const windows_nic_vector *nics)
{
  for (size_t i = 0; i < nics->len; ++i)
    if (has_settings (nics->ptr[i]))
      return true;
  return false;
}

int
windows_keep_network (struct windows_guest *w, struct v2v_error **err)
{
  windows_nic_vector nics = V2V_VECTOR_INIT;
  const char *set = w->os->control_set;
  int r = 0;

  if (set == NULL)
    set = w->control_sets[0];
  if (set == NULL)
    return 0;
  if (windows_read_nics (w, set, &nics, err) == -1 ||
      find_teams (w, set, err) == -1 || start_dhcp (w, err) == -1)
    r = -1;
  else if (any_settings (&nics) &&
           windows_can_run_at_first_boot (w, "network addresses"))
    r = keep (w, set, &nics, err);
  windows_nics_clear (&nics);
  return r == -1 ? v2v_prefix (err, "network of the guest") : 0;
}
