/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd-networkd's .network files, and udev's .link files.
 *
 * Source: systemd.network(5), systemd.link(5).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

static const char folder[] = "/etc/systemd/network";

struct unit {
  struct net_ini ini;
  struct linux_net *n;
  struct net_config c; /* of a .link: name and address only */
  struct net_config *to;
  char link_name[NET_NAME_SIZE];
  bool has_path, has_driver, ethtool;
  bool bus_bound;
};

static bool
key_in (const struct net_ini *ini, const char *const *keys, size_t nr)
{
  for (size_t i = 0; i < nr; ++i)
    if (strlen (keys[i]) == ini->key_len &&
        strncmp (keys[i], ini->key, ini->key_len) == 0)
      return true;
  return false;
}

/* A setting of the hardware in [Link] of a .link file. */
static bool
is_hardware_setting (const struct net_ini *ini)
{
  static const char *const keys[] = {
    "RxBufferSize",  "TxBufferSize",  "RxMiniBufferSize", "RxJumboBufferSize",
    "RxChannels",    "TxChannels",    "CombinedChannels", "OtherChannels",
    "Duplex",        "BitsPerSecond", "AutoNegotiation",  "RxFlowControl",
    "TxFlowControl",
  };

  return strcmp (ini->section, "Link") == 0 &&
         key_in (ini, keys, V2V_ARRAY_SIZE (keys));
}

static void
read_match (struct unit *u)
{
  struct net_ini *ini = &u->ini;
  const size_t first = strcspn (ini->value, " \t\r");

  if (net_ini_is (ini, "Match", "Name")) {
    net_set_name (u->to, ini->value, first);
    if (first < ini->value_len)
      u->to->has_wildcard = true; /* several names */
  }
  else if (net_ini_is (ini, "Match", "MACAddress") ||
           net_ini_is (ini, "Match", "PermanentMACAddress"))
    net_set_mac (u->to, ini->value, first);
  else if (net_ini_is (ini, "Match", "Path"))
    u->has_path = true;
  else if (net_ini_is (ini, "Match", "Driver"))
    u->has_driver = true;
  else if (net_ini_is (ini, "Match", "Type"))
    u->to->has_wildcard = true;
  else if (net_ini_is (ini, "Match", "Kind"))
    u->to->is_virtual = true;
}

static int
read_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct unit *u = arg;
  struct net_ini *ini = &u->ini;
  struct net_config *c = u->to;
  int r = 0;

  (void) ret;
  if (!net_ini_line (ini, line))
    return LINUX_EDIT_KEEP;
  if (strcmp (ini->section, "Match") == 0)
    read_match (u);
  else if (net_ini_is (ini, "Network", "Address") ||
           net_ini_is (ini, "Address", "Address"))
    r = net_add_word (&c->addresses, ini->value, ini->value_len);
  else if (net_ini_is (ini, "Network", "Gateway") ||
           net_ini_is (ini, "Route", "Gateway") ||
           net_ini_is (ini, "Route", "Destination"))
    r = net_add_word (&c->routes, ini->value, ini->value_len);
  else if (net_ini_is (ini, "Network", "DNS"))
    r = net_add_word (&c->dns, ini->value, ini->value_len);
  else if (net_ini_is (ini, "Network", "DHCP"))
    c->is_dhcp = ini->value_len > 0 && strchr ("yivt1", ini->value[0]) != NULL;
  else if (net_ini_is (ini, "Link", "MTUBytes") && c->mtu.len == 0)
    r = net_add_word (&c->mtu, ini->value, ini->value_len);
  else if (net_ini_is (ini, "Link", "Name") &&
           net_is_name (ini->value, ini->value_len)) {
    memcpy (u->link_name, ini->value, ini->value_len);
    u->link_name[ini->value_len] = '\0';
  }
  else if (net_ini_is (ini, "NetDev", "Name"))
    net_set_name (c, ini->value, ini->value_len);
  u->ethtool = u->ethtool || is_hardware_setting (ini);
  return r == -1 ? -1 : LINUX_EDIT_KEEP;
}

/* The names that bonds, bridges and VLANs get are no adapters'. */
static int
read_netdevs (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (n->l->g, folder, "*.netdev", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct unit u = { .n = n };

    u.to = &u.c;
    if (net_read_lines (n, files[i], read_line, &u, err) == -1)
      return -1;
    for (size_t j = 0; j < n->nr_configs; ++j)
      if (*u.c.name && strcmp (n->configs[j].name, u.c.name) == 0)
        n->configs[j].is_virtual = true;
  }
  return 0;
}

static int
read_networks (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_LIST char **files =
      v2v_guest_glob (n->l->g, folder, "*.network", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct unit u = { .n = n };

    u.to = net_add_config (n, "networkd", files[i]);
    if (u.to == NULL)
      return n->nr_configs == NET_MAX_CONFIGS ? 0 : v2v_fail_nomem (err);
    if (net_read_lines (n, files[i], read_line, &u, err) == -1)
      return -1;
    if (net_add_answer (n, NET_RANK_CONFIG, u.to->name, u.to->mac, files[i]) ==
        -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* udev's default is no wish of the owner's about one adapter. */
static bool
is_default_link (const char *path)
{
  return strcmp (strrchr (path, '/') + 1, "99-default.link") == 0;
}

static int
read_links (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (n->l->g, folder, "*.link", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct unit u = { .n = n };
    int r;

    if (is_default_link (files[i]))
      continue;
    u.to = &u.c;
    r = net_read_lines (n, files[i], read_line, &u, err);
    v2v_str_free (&u.c.addresses);
    v2v_str_free (&u.c.routes);
    v2v_str_free (&u.c.dns);
    v2v_str_free (&u.c.mtu);
    if (r == -1)
      return -1;
    if (*u.c.mac == '\0' && !u.has_path && !u.has_driver && !u.c.is_virtual)
      n->own_links = true;
    if (net_add_answer (n, NET_RANK_CONFIG, u.link_name, u.c.mac, files[i]) ==
        -1)
      return v2v_fail_nomem (err);
    if (u.ethtool && net_find_ethtool (n, files[i], err) == -1)
      return -1;
  }
  return 0;
}

int
net_read_networkd (struct linux_net *n, struct v2v_error **err)
{
  if (read_networks (n, err) == -1 || read_netdevs (n, err) == -1)
    return -1;
  return read_links (n, err);
}

/* ---- loosening ---- */

/* Which words of a Driver= list are VMware's; those become one of ours. */
static int
loosen_driver (const char *line, const struct net_ini *ini, struct v2v_str *ret)
{
  bool changed = false, added = false;

  for (const char *p = ini->value, *end = p + ini->value_len; p < end;) {
    const size_t len = strcspn (p, " \t\r");
    const bool old = net_is_old_driver (p, len);

    if (!old || !added) {
      if (ret->len == 0 &&
          v2v_str_append_len (ret, line, (size_t) (ini->value - line)) == -1)
        return -1;
      if ((p != ini->value && v2v_str_append (ret, " ") == -1) ||
          v2v_str_append_len (ret, old ? "hv_netvsc" : p,
                              old ? strlen ("hv_netvsc") : len) == -1)
        return -1;
    }
    changed |= old;
    added |= old;
    p += len;
    p += strspn (p, " \t\r");
  }
  return changed ? LINUX_EDIT_REPLACE : LINUX_EDIT_KEEP;
}

static int
loosen_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct unit *u = arg;
  struct net_ini *ini = &u->ini;
  struct linux_net *n = u->n;
  bool is_mac;

  if (!net_ini_line (ini, line) || strcmp (ini->section, "Match") != 0)
    return LINUX_EDIT_KEEP;
  is_mac = net_ini_is (ini, "Match", "MACAddress") ||
           net_ini_is (ini, "Match", "PermanentMACAddress");
  if (net_ini_is (ini, "Match", "Driver"))
    return loosen_driver (line, ini, ret);
  if (net_ini_is (ini, "Match", "Path") &&
      strncmp (ini->value, "pci-", 4) == 0) {
    if (*u->c.mac || *u->c.name)
      return LINUX_EDIT_DELETE;
    if (n->only_mac != NULL && !n->new_macs)
      return v2v_str_printf (ret, "MACAddress=%s", n->only_mac) == -1
                 ? -1
                 : LINUX_EDIT_REPLACE;
    if (n->is_only)
      return v2v_str_append (ret, "Driver=hv_netvsc") == -1
                 ? -1
                 : LINUX_EDIT_REPLACE;
    u->bus_bound = true;
  }
  if (is_mac && n->new_macs && net_is_ours (n, u->c.mac)) {
    if (*u->c.name)
      return LINUX_EDIT_DELETE;
    if (n->is_only)
      return v2v_str_append (ret, "Driver=hv_netvsc") == -1
                 ? -1
                 : LINUX_EDIT_REPLACE;
  }
  return LINUX_EDIT_KEEP;
}

static int
loosen_all (struct linux_net *n, const char *pattern, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (n->l->g, folder, pattern, err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct unit u = { .n = n }, look = { .n = n };
    int r;

    if (is_default_link (files[i]))
      continue;
    look.to = &look.c;
    r = net_read_lines (n, files[i], read_line, &look, err);
    v2v_str_free (&look.c.addresses);
    v2v_str_free (&look.c.routes);
    v2v_str_free (&look.c.dns);
    v2v_str_free (&look.c.mtu);
    if (r == -1)
      return -1;
    memcpy (u.c.name, look.c.name, sizeof u.c.name);
    memcpy (u.c.mac, look.c.mac, sizeof u.c.mac);
    if (linux_edit_or_find (n->l, files[i], loosen_line, &u,
                            "VMware's driver and bus are gone", err) == -1)
      return -1;
    if (u.bus_bound && net_find_bus_bound (n, files[i], err) == -1)
      return -1;
  }
  return 0;
}

int
net_loosen_networkd (struct linux_net *n, struct v2v_error **err)
{
  if (loosen_all (n, "*.network", err) == -1)
    return -1;
  return loosen_all (n, "*.link", err);
}
