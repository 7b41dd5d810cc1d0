/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ifcfg files: Red Hat's (initscripts, NetworkManager's old plugin) and SUSE's
 * (ifup, wicked), shell assignments both.
 *
 * Source: initscripts' sysconfig.txt; ifcfg(5) and ifcfg-bonding(5) of SUSE.
 */

#include <config.h>

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

static const char *const folders[] = { "/etc/sysconfig/network-scripts",
                                       "/etc/sysconfig/network" };

/* What ifup skips: copies of editors and package managers. */
static bool
is_copy (const char *name)
{
  static const char *const patterns[] = { "*~",        "*.bak",     "*.orig",
                                          "*.rpmnew",  "*.rpmorig", "*.rpmsave",
                                          "*.old",     "*.dpkg-*",  "*.backup",
                                          "*.template" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (patterns); ++i)
    if (fnmatch (patterns[i], name, FNM_CASEFOLD) == 0)
      return true;
  return false;
}

/* KEY=VALUE, 'VALUE', "VALUE"; a comment may follow.  false = none. */
static bool
assignment (const char *line, size_t *ret_key_len, const char **ret_key,
            const char **ret_value, size_t *ret_value_len)
{
  const char *key = line + strspn (line, " \t"), *value;
  size_t n;

  if (strncmp (key, "export ", 7) == 0)
    key += 7;
  n = strspn (key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789_");
  if (n == 0 || key[n] != '=')
    return false;
  value = key + n + 1;
  *ret_key = key;
  *ret_key_len = n;
  if (*value == '"' || *value == '\'') {
    *ret_value_len = strcspn (value + 1, *value == '"' ? "\"\r" : "'\r");
    *ret_value = value + 1;
  }
  else {
    *ret_value = value;
    *ret_value_len = strcspn (value, " \t\r#");
  }
  return true;
}

struct ifcfg {
  struct net_config *c;
  bool ethtool;
};

static bool
key_is (const char *key, size_t len, const char *pattern)
{
  char copy[64];

  if (len >= sizeof copy)
    return false;
  memcpy (copy, key, len);
  copy[len] = '\0';
  return fnmatch (pattern, copy, 0) == 0;
}

static bool
value_is (const char *value, size_t len, const char *text)
{
  return strlen (text) == len && strncasecmp (value, text, len) == 0;
}

/* What makes it an interface of software. */
static bool
is_virtual_setting (const char *key, size_t n, const char *v, size_t len)
{
  static const char *const types[] = { "Bond",       "Bridge", "Vlan", "Team",
                                       "OVSBridge",  "Tunnel", "GRE",  "IPIP",
                                       "Infiniband", "dummy" };
  static const char *const keys[] = { "ETHERDEVICE",  "VLAN_ID",
                                      "BONDING_OPTS", "PHYSDEV",
                                      "BRIDGE_PORTS", "TUNNEL" };

  if (key_is (key, n, "TYPE"))
    for (size_t i = 0; i < V2V_ARRAY_SIZE (types); ++i)
      if (value_is (v, len, types[i]))
        return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys); ++i)
    if (key_is (key, n, keys[i]))
      return true;
  /* Of SUSE's BRIDGE='yes' is the bridge; Red Hat's BRIDGE=br0 a port. */
  return (key_is (key, n, "BRIDGE") || key_is (key, n, "VLAN") ||
          key_is (key, n, "BONDING_MASTER")) &&
         value_is (v, len, "yes");
}

static int
read_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct ifcfg *f = arg;
  struct net_config *c = f->c;
  const char *key, *v;
  size_t n, len;
  int r = 0;

  (void) ret;
  if (!assignment (line, &n, &key, &v, &len))
    return LINUX_EDIT_KEEP;
  if (key_is (key, n, "DEVICE"))
    net_set_name (c, v, len);
  else if (key_is (key, n, "HWADDR"))
    net_set_mac (c, v, len);
  else if (key_is (key, n, "BOOTPROTO"))
    c->is_dhcp = len >= 4 && strncasecmp (v, "dhcp", 4) == 0;
  else if (key_is (key, n, "ONBOOT"))
    c->is_off = value_is (v, len, "no");
  else if (key_is (key, n, "STARTMODE"))
    c->is_off = value_is (v, len, "off") || value_is (v, len, "manual");
  else if (key_is (key, n, "IPADDR") || key_is (key, n, "IPADDR[0-9_]*") ||
           key_is (key, n, "IPV6ADDR*"))
    r = net_add_word (&c->addresses, v, len);
  else if (key_is (key, n, "GATEWAY*") || key_is (key, n, "IPV6_DEFAULTGW"))
    r = net_add_word (&c->routes, v, len);
  else if (key_is (key, n, "DNS[0-9]*"))
    r = net_add_word (&c->dns, v, len);
  else if (key_is (key, n, "MTU") && c->mtu.len == 0)
    r = net_add_word (&c->mtu, v, len);
  else if (key_is (key, n, "ETHTOOL_OP*") && len > 0)
    f->ethtool = true;
  if (is_virtual_setting (key, n, v, len))
    c->is_virtual = true;
  return r == -1 ? -1 : LINUX_EDIT_KEEP;
}

/* SLES 10: "ifcfg-eth-id-00:50:56:aa:bb:cc". */
static void
name_from_file (struct net_config *c, const char *name)
{
  if (strncmp (name, "eth-id-", 7) == 0)
    net_set_mac (c, name + 7, strlen (name + 7));
  else
    net_set_name (c, name, strlen (name));
}

int
net_read_ifcfg (struct linux_net *n, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **files =
        v2v_guest_glob (n->l->g, folders[i], "ifcfg-*", err);

    if (files == NULL)
      return -1;
    for (size_t j = 0; files[j] != NULL; ++j) {
      struct ifcfg f = { .c = NULL };
      const char *name = strrchr (files[j], '/') + 1 + 6;

      if (is_copy (files[j]) || strcmp (name, "lo") == 0)
        continue;
      f.c = net_add_config (n, "ifcfg", files[j]);
      if (f.c == NULL)
        return n->nr_configs == NET_MAX_CONFIGS ? 0 : v2v_fail_nomem (err);
      name_from_file (f.c, name);
      if (net_read_lines (n, files[j], read_line, &f, err) == -1)
        return -1;
      if (!f.c->is_virtual && net_add_answer (n, NET_RANK_CONFIG, f.c->name,
                                              f.c->mac, files[j]) == -1)
        return v2v_fail_nomem (err);
      if (f.ethtool && net_find_ethtool (n, files[j], err) == -1)
        return -1;
    }
  }
  return 0;
}

/* The address is another one from now on: the name alone counts. */
static int
drop_hwaddr (void *arg, const char *line, struct v2v_str *ret)
{
  const struct linux_net *n = arg;
  const char *key, *v;
  size_t key_len, len;
  char mac[NET_MAC_SIZE];

  if (!assignment (line, &key_len, &key, &v, &len) ||
      !key_is (key, key_len, "HWADDR") || !net_parse_mac (v, len, mac) ||
      !net_is_ours (n, mac))
    return LINUX_EDIT_KEEP;
  return v2v_str_printf (ret, "# v2v: %s", line) == -1 ? -1
                                                       : LINUX_EDIT_REPLACE;
}

int
net_loosen_ifcfg (struct linux_net *n, struct v2v_error **err)
{
  if (!n->new_macs)
    return 0;
  for (size_t i = 0; i < n->nr_configs; ++i)
    if (strcmp (n->configs[i].system, "ifcfg") == 0 && *n->configs[i].mac &&
        linux_edit_or_find (n->l, n->configs[i].file, drop_hwaddr, n,
                            "the adapter gets a new address", err) == -1)
      return -1;
  return 0;
}
