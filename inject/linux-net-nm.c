/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NetworkManager's keyfiles.  They keep their mode: NetworkManager ignores
 * those that others than root can read.
 *
 * Source: nm-settings-keyfile(5), nm-settings(5).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

static const char *const folders[] = {
  "/etc/NetworkManager/system-connections",
  "/usr/lib/NetworkManager/system-connections",
};

struct keyfile {
  struct net_ini ini;
  struct linux_net *n;
  struct net_config *c;
  bool ethtool, bus_bound;
};

static bool
value_is (const struct net_ini *ini, const char *text)
{
  return strlen (text) == ini->value_len &&
         strncmp (ini->value, text, ini->value_len) == 0;
}

static bool
key_begins (const struct net_ini *ini, const char *text)
{
  const size_t n = strlen (text);

  return ini->key_len >= n && strncmp (ini->key, text, n) == 0;
}

/* "192.0.2.5/24,192.0.2.1" or, of old versions, "192.0.2.5;24;192.0.2.1;". */
static int
read_address (struct net_config *c, const struct net_ini *ini)
{
  const char *end = ini->value + ini->value_len;
  const char *comma = memchr (ini->value, ',', ini->value_len);

  if (net_add_word (&c->addresses, ini->value,
                    (size_t) ((comma ? comma : end) - ini->value)) == -1)
    return -1;
  return comma == NULL
             ? 0
             : net_add_word (&c->routes, comma + 1, (size_t) (end - comma - 1));
}

static int
read_ip (struct net_config *c, const struct net_ini *ini)
{
  if (key_begins (ini, "address"))
    return read_address (c, ini);
  if (key_begins (ini, "route") || key_begins (ini, "gateway"))
    return net_add_word (&c->routes, ini->value, ini->value_len);
  if (key_begins (ini, "dns") && ini->key_len == 3) {
    size_t len;

    for (const char *p = ini->value, *end = p + ini->value_len; p < end;
         p += len + 1) {
      len = strcspn (p, ";, ");
      if (len > (size_t) (end - p))
        len = (size_t) (end - p);
      if (net_add_word (&c->dns, p, len) == -1)
        return -1;
    }
  }
  else if (key_begins (ini, "method") && value_is (ini, "auto"))
    c->is_dhcp = true;
  return 0;
}

static bool
is_ethernet (const struct net_ini *ini)
{
  return strcmp (ini->section, "ethernet") == 0 ||
         strcmp (ini->section, "802-3-ethernet") == 0;
}

static int
read_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct keyfile *k = arg;
  struct net_config *c = k->c;
  struct net_ini *ini = &k->ini;

  (void) ret;
  if (!net_ini_line (ini, line))
    return LINUX_EDIT_KEEP;
  if (net_ini_is (ini, "connection", "interface-name"))
    net_set_name (c, ini->value, ini->value_len);
  else if (net_ini_is (ini, "connection", "type"))
    c->is_virtual =
        !value_is (ini, "ethernet") && !value_is (ini, "802-3-ethernet");
  else if (net_ini_is (ini, "connection", "autoconnect"))
    c->is_off = value_is (ini, "false");
  else if (net_ini_is (ini, "match", "interface-name"))
    net_set_name (c, ini->value, strcspn (ini->value, ";"));
  else if (is_ethernet (ini) && key_begins (ini, "mac-address") &&
           ini->key_len == 11)
    net_set_mac (c, ini->value, ini->value_len);
  else if (is_ethernet (ini) && key_begins (ini, "mtu") && c->mtu.len == 0)
    return net_add_word (&c->mtu, ini->value, ini->value_len);
  else if (strcmp (ini->section, "ethtool") == 0)
    k->ethtool = true;
  else if (strcmp (ini->section, "ipv4") == 0 ||
           strcmp (ini->section, "ipv6") == 0)
    return read_ip (c, ini);
  return LINUX_EDIT_KEEP;
}

int
net_read_keyfiles (struct linux_net *n, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    /* Old versions have no suffix. */
    CLEANUP_LIST char **files = v2v_guest_glob (n->l->g, folders[i], "*", err);

    if (files == NULL)
      return -1;
    for (size_t j = 0; files[j] != NULL; ++j) {
      struct keyfile k = { .n = n };

      if (files[j][strlen (files[j]) - 1] == '~' ||
          !v2v_guest_is_file (n->l->g, files[j]))
        continue;
      k.c = net_add_config (n, "keyfile", files[j]);
      if (k.c == NULL)
        return n->nr_configs == NET_MAX_CONFIGS ? 0 : v2v_fail_nomem (err);
      if (net_read_lines (n, files[j], read_line, &k, err) == -1)
        return -1;
      if (*k.c->name == '\0' && *k.c->mac == '\0')
        k.c->has_wildcard = true; /* any adapter */
      if (!k.c->is_virtual && net_add_answer (n, NET_RANK_CONFIG, k.c->name,
                                              k.c->mac, files[j]) == -1)
        return v2v_fail_nomem (err);
      if (k.ethtool && net_find_ethtool (n, files[j], err) == -1)
        return -1;
    }
  }
  return 0;
}

/* The list with ';' of driver= in [match]: the names of VMware's drivers become
 * one of Hyper-V's. */
static int
loosen_drivers (const struct net_ini *ini, struct v2v_str *ret)
{
  const char *const end = ini->value + ini->value_len;
  bool old = false, has_new = false, first = true;

  if (v2v_str_append (ret, "driver=") == -1)
    return -1;
  for (const char *p = ini->value; p < end;) {
    const char *semicolon = memchr (p, ';', (size_t) (end - p));
    size_t len = (size_t) ((semicolon ? semicolon : end) - p);
    const char *item = p;
    bool is_old;

    p += len + (semicolon != NULL);
    while (len > 0 && strchr (" \t", *item) != NULL)
      ++item, --len;
    while (len > 0 && strchr (" \t", item[len - 1]) != NULL)
      --len;
    is_old = net_is_old_driver (item, len);
    old |= is_old;
    if (len == 0)
      continue;
    if (is_old || (len == 9 && memcmp (item, "hv_netvsc", 9) == 0)) {
      if (has_new)
        continue;
      has_new = true;
      item = "hv_netvsc";
      len = 9;
    }
    if (v2v_str_printf (ret, "%s%.*s", first ? "" : ";", (int) len, item) == -1)
      return -1;
    first = false;
  }
  if (ini->value_len > 0 && end[-1] == ';' && v2v_str_append (ret, ";") == -1)
    return -1;
  return old ? LINUX_EDIT_REPLACE : LINUX_EDIT_KEEP;
}

/* path= of [match] goes where name or address is
 * left to match by. */
static int
loosen_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct keyfile *k = arg;
  struct net_ini *ini = &k->ini;

  if (!net_ini_line (ini, line))
    return LINUX_EDIT_KEEP;
  if (net_ini_is (ini, "match", "driver"))
    return loosen_drivers (ini, ret);
  if (net_ini_is (ini, "match", "path") &&
      memmem (ini->value, ini->value_len, "pci-", 4) != NULL) {
    if (k->n->is_only || *k->c->name || *k->c->mac)
      return LINUX_EDIT_DELETE;
    k->bus_bound = true;
  }
  if (k->n->new_macs && is_ethernet (ini) && key_begins (ini, "mac-address") &&
      ini->key_len == 11 && (k->n->is_only || *k->c->name) &&
      net_is_ours (k->n, k->c->mac))
    return LINUX_EDIT_DELETE;
  return LINUX_EDIT_KEEP;
}

int
net_loosen_keyfiles (struct linux_net *n, struct v2v_error **err)
{
  for (size_t i = 0; i < n->nr_configs; ++i) {
    struct keyfile k = { .n = n, .c = &n->configs[i] };

    if (strcmp (k.c->system, "keyfile") != 0)
      continue;
    if (linux_edit_or_find (n->l, k.c->file, loosen_line, &k,
                            "the connection must not be tied to VMware's "
                            "adapter",
                            err) == -1)
      return -1;
    if (k.bus_bound && net_find_bus_bound (n, k.c->file, err) == -1)
      return -1;
  }
  return 0;
}
