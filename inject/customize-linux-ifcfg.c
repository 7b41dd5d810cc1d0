/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network settings as ifcfg files of Red Hat and of SUSE.
 *
 * Sources: RHEL's sysconfig.txt (initscripts), nm-settings-ifcfg-rh(5);
 * ifcfg(5), routes(5) and the comments of /etc/sysconfig/network/config.
 */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-network.h"
#include "inject/profile-internal.h"

static int
put_red_hat (struct v2v_str *s, const struct v2v_profile_nic *n,
             const char *name)
{
  unsigned v4 = 0, v6 = 0, dns = 0;
  char address[64];
  unsigned prefix;

  if (v2v_str_printf (s,
                      "# Written by v2v.\nTYPE=Ethernet\nDEVICE=%s\n"
                      "NAME=%s\nHWADDR=%s\nONBOOT=yes\nBOOTPROTO=%s\n",
                      name, name, n->mac, n->dhcp4 ? "dhcp" : "none") == -1)
    return -1;
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a) {
    char suffix[12] = "";
    int r;

    if (v4 > 0)
      snprintf (suffix, sizeof suffix, "%u", v4);
    if (profile_parse_cidr (*a, address, &prefix) == AF_INET) {
      r = v2v_str_printf (s, "IPADDR%s=%s\nPREFIX%s=%u\n", suffix, address,
                          suffix, prefix);
      ++v4;
    }
    else {
      r = v6 == 0 ? v2v_str_printf (s, "IPV6ADDR=%s\n", *a) : 0;
      ++v6;
    }
    if (r == -1)
      return -1;
  }
  if (v6 > 1) {
    bool first = true, more = false;

    if (v2v_str_append (s, "IPV6ADDR_SECONDARIES=\"") == -1)
      return -1;
    for (char **a = n->addresses; *a != NULL; ++a) {
      if (!network_is_v6 (*a))
        continue;
      if (!first && v2v_str_printf (s, "%s%s", more ? " " : "", *a) == -1)
        return -1;
      more = !first;
      first = false;
    }
    if (v2v_str_append (s, "\"\n") == -1)
      return -1;
  }
  if (v2v_str_printf (s, "IPV6INIT=%s\nIPV6_AUTOCONF=%s\n",
                      v6 > 0 || n->dhcp6 ? "yes" : "no",
                      n->dhcp6 ? "yes\nDHCPV6C=yes" : "no") == -1)
    return -1;
  for (char **g = n->gateways; g != NULL && *g != NULL; ++g)
    if (v2v_str_printf (s, "%s=%s\n",
                        network_is_v6 (*g) ? "IPV6_DEFAULTGW" : "GATEWAY",
                        *g) == -1)
      return -1;
  for (char **d = n->dns; d != NULL && *d != NULL; ++d)
    if (v2v_str_printf (s, "DNS%u=%s\n", ++dns, *d) == -1)
      return -1;
  if (n->search != NULL && n->search[0] != NULL) {
    if (v2v_str_append (s, "DOMAIN=\"") == -1)
      return -1;
    for (char **d = n->search; *d != NULL; ++d)
      if (v2v_str_printf (s, "%s%s", *d, d[1] ? " " : "\"\n") == -1)
        return -1;
  }
  return n->mtu != 0 ? v2v_str_printf (s, "MTU=%u\n", n->mtu) : 0;
}

/* Routes of one family: "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 5". */
static int
write_red_hat_routes (struct customize *c, const struct v2v_profile_nic *n,
                      const char *name, bool v6, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  char path[96];

  snprintf (path, sizeof path, RED_HAT "/route%s-%s", v6 ? "6" : "", name);
  for (size_t i = 0; i < n->nr_routes; ++i) {
    const struct v2v_profile_route *r = &n->routes[i];

    if (network_is_v6 (r->to) != v6)
      continue;
    if (v2v_str_printf (&s, "%s via %s dev %s", r->to, r->via, name) == -1 ||
        (r->has_metric && v2v_str_printf (&s, " metric %u", r->metric) == -1) ||
        v2v_str_append (&s, "\n") == -1)
      return v2v_fail_nomem (err);
  }
  if (s.len == 0)
    return v2v_guest_remove (c->g, path, WHY, err);
  return v2v_guest_write_text (c->g, path, s.ptr, 0644, WHY, err);
}

/* Another file for the same card, under another name. */
static int
clear_ifcfg (struct customize *c, const char *mac, const char *name,
             struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, RED_HAT, "ifcfg-*", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    CLEANUP_FREE char *text = NULL;

    if (strcmp (strrchr (files[i], '/') + 7, name) == 0)
      continue;
    text = v2v_guest_read_text (c->g, files[i], NULL);
    if (text != NULL && strcasestr (text, mac) != NULL &&
        network_set_aside (c, files[i], err) == -1)
      return -1;
  }
  return 0;
}

int
network_write_red_hat (struct customize *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    const struct v2v_profile_nic *n = &c->p->nics[i];
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
    char name[MAX_INTERFACE], path[96];

    if (network_interface_name (c, i, name, err) == -1 ||
        clear_ifcfg (c, n->mac, name, err) == -1)
      return -1;
    snprintf (path, sizeof path, RED_HAT "/ifcfg-%s", name);
    if (put_red_hat (&s, n, name) == -1)
      return v2v_fail_nomem (err);
    if (v2v_guest_write_text (c->g, path, s.ptr, 0644, WHY, err) == -1 ||
        write_red_hat_routes (c, n, name, false, err) == -1 ||
        write_red_hat_routes (c, n, name, true, err) == -1)
      return -1;
  }
  return 0;
}

static int
put_suse (struct v2v_str *s, const struct v2v_profile_nic *n)
{
  unsigned nr = 0;

  if (v2v_str_printf (s,
                      "# Written by v2v.\nSTARTMODE='auto'\nBOOTPROTO='%s'\n",
                      n->dhcp4 && n->dhcp6 ? "dhcp"
                      : n->dhcp4           ? "dhcp4"
                      : n->dhcp6           ? "dhcp6"
                                           : "static") == -1)
    return -1;
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a, ++nr)
    if ((nr == 0 ? v2v_str_printf (s, "IPADDR='%s'\n", *a)
                 : v2v_str_printf (s, "IPADDR_%u='%s'\n", nr, *a)) == -1)
      return -1;
  return n->mtu != 0 ? v2v_str_printf (s, "MTU='%u'\n", n->mtu) : 0;
}

/* All servers of all cards: SUSE keeps them in one place. */
static int
write_suse_dns (struct customize *c, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str dns = V2V_STR_INIT, search = V2V_STR_INIT;

  if (v2v_str_append (&dns, "\"") == -1 || v2v_str_append (&search, "\"") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    for (char **d = c->p->nics[i].dns; d != NULL && *d != NULL; ++d)
      if (v2v_str_printf (&dns, "%s%s", dns.len > 1 ? " " : "", *d) == -1)
        return v2v_fail_nomem (err);
    for (char **d = c->p->nics[i].search; d != NULL && *d != NULL; ++d)
      if (v2v_str_printf (&search, "%s%s", search.len > 1 ? " " : "", *d) == -1)
        return v2v_fail_nomem (err);
  }
  if (v2v_str_append (&dns, "\"") == -1 || v2v_str_append (&search, "\"") == -1)
    return v2v_fail_nomem (err);
  return (dns.len > 2 && customize_set_assignment (
                             c, SUSE "/config", "NETCONFIG_DNS_STATIC_SERVERS",
                             dns.ptr, true, WHY, err) == -1) ||
                 (search.len > 2 &&
                  customize_set_assignment (c, SUSE "/config",
                                            "NETCONFIG_DNS_STATIC_SEARCHLIST",
                                            search.ptr, true, WHY, err) == -1)
             ? -1
             : 0;
}

int
network_write_suse (struct customize *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    const struct v2v_profile_nic *n = &c->p->nics[i];
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT, routes = V2V_STR_INIT;
    char name[MAX_INTERFACE], path[96];

    if (network_interface_name (c, i, name, err) == -1)
      return -1;
    if (put_suse (&s, n) == -1)
      return v2v_fail_nomem (err);
    for (char **g = n->gateways; g != NULL && *g != NULL; ++g)
      if (v2v_str_printf (&routes, "default %s - %s\n", *g, name) == -1)
        return v2v_fail_nomem (err);
    for (size_t k = 0; k < n->nr_routes; ++k)
      if (v2v_str_printf (&routes, "%s %s - %s", n->routes[k].to,
                          n->routes[k].via, name) == -1 ||
          (n->routes[k].has_metric &&
           v2v_str_printf (&routes, " - metric %u", n->routes[k].metric) ==
               -1) ||
          v2v_str_append (&routes, "\n") == -1)
        return v2v_fail_nomem (err);
    snprintf (path, sizeof path, SUSE "/ifcfg-%s", name);
    if (v2v_guest_write_text (c->g, path, s.ptr, 0644, WHY, err) == -1)
      return -1;
    snprintf (path, sizeof path, SUSE "/ifroute-%s", name);
    if ((routes.len > 0
             ? v2v_guest_write_text (c->g, path, routes.ptr, 0644, WHY, err)
             : v2v_guest_remove (c->g, path, WHY, err)) == -1)
      return -1;
  }
  return write_suse_dns (c, err);
}
