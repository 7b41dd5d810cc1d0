/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network settings in the form that netplan and version 2 of cloud-init's
 * network-config share.
 *
 * Sources: netplan's YAML reference (match, set-name, addresses, routes,
 * nameservers), cloud-init's "Networking config version 2".
 */

#include <config.h>

#include <string.h>

#include "inject/customize-internal.h"

static int
put (struct v2v_str *s, const char *indent, const char *key, const char *value)
{
  return v2v_str_printf (s, "%s%s: ", indent, key) == -1 ||
                 customize_quote (s, value) == -1 ||
                 v2v_str_append (s, "\n") == -1
             ? -1
             : 0;
}

static int
put_list (struct v2v_str *s, const char *indent, const char *key,
          const v2v_strings list)
{
  if (list == NULL || list[0] == NULL)
    return 0;
  if (v2v_str_printf (s, "%s%s: [", indent, key) == -1)
    return -1;
  for (size_t i = 0; list[i] != NULL; ++i)
    if ((i > 0 && v2v_str_append (s, ", ") == -1) ||
        customize_quote (s, list[i]) == -1)
      return -1;
  return v2v_str_append (s, "]\n");
}

static int
put_route (struct v2v_str *s, const char *indent, const char *to,
           const char *via)
{
  return v2v_str_printf (s, "%s  - to: \"%s\"\n%s    via: \"%s\"\n", indent, to,
                         indent, via);
}

static int
put_routes (struct v2v_str *s, const struct v2v_profile_nic *n,
            const char *indent, bool netplan)
{
  const bool defaults = netplan && n->gateways != NULL && n->gateways[0];

  if (!netplan)
    for (char **g = n->gateways; g != NULL && *g != NULL; ++g)
      if (put (s, indent, strchr (*g, ':') ? "gateway6" : "gateway4", *g) == -1)
        return -1;
  if (n->nr_routes == 0 && !defaults)
    return 0;
  if (v2v_str_printf (s, "%sroutes:\n", indent) == -1)
    return -1;
  for (char **g = defaults ? n->gateways : NULL; g != NULL && *g != NULL; ++g)
    if (put_route (s, indent, strchr (*g, ':') ? "::/0" : "0.0.0.0/0", *g) ==
        -1)
      return -1;
  for (size_t k = 0; k < n->nr_routes; ++k)
    if (put_route (s, indent, n->routes[k].to, n->routes[k].via) == -1 ||
        (n->routes[k].has_metric &&
         v2v_str_printf (s, "%s    metric: %u\n", indent,
                         n->routes[k].metric) == -1))
      return -1;
  return 0;
}

int
customize_put_nic (struct v2v_str *s, const struct v2v_profile_nic *n, size_t i,
                   const char *before, bool netplan)
{
  struct v2v_str indent = V2V_STR_INIT, deeper = V2V_STR_INIT;
  int r = -1;

  if (v2v_str_printf (&indent, "%s  ", before) == -1 ||
      v2v_str_printf (&deeper, "%s    ", before) == -1 ||
      v2v_str_printf (s,
                      "%snic%zu:\n%smatch:\n%smacaddress: \"%s\"\n"
                      "%sdhcp4: %s\n%sdhcp6: %s\n",
                      before, i, indent.ptr, deeper.ptr, n->mac, indent.ptr,
                      n->dhcp4 ? "true" : "false", indent.ptr,
                      n->dhcp6 ? "true" : "false") == -1 ||
      (n->name != NULL && put (s, indent.ptr, "set-name", n->name) == -1) ||
      put_list (s, indent.ptr, "addresses", n->addresses) == -1 ||
      put_routes (s, n, indent.ptr, netplan) == -1 ||
      (n->mtu != 0 &&
       v2v_str_printf (s, "%smtu: %u\n", indent.ptr, n->mtu) == -1))
    goto out;
  if ((n->dns != NULL && n->dns[0] != NULL) ||
      (n->search != NULL && n->search[0] != NULL)) {
    if (v2v_str_printf (s, "%snameservers:\n", indent.ptr) == -1 ||
        put_list (s, deeper.ptr, "addresses", n->dns) == -1 ||
        put_list (s, deeper.ptr, "search", n->search) == -1)
      goto out;
  }
  r = 0;
out:
  v2v_str_free (&indent);
  v2v_str_free (&deeper);
  return r;
}
