/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network of a Linux guest as the profile says it, written for the system
 * that sets it up in this guest: netplan, NetworkManager, ifcfg files of Red
 * Hat or SUSE, ifupdown or systemd-networkd.  A card is known by its MAC where
 * the system can do that, else by the name it has or will have.
 *
 * Sources: netplan's YAML reference; nm-settings-keyfile(5); RHEL's
 * sysconfig.txt (initscripts); ifcfg(5), routes(5) of wicked; interfaces(5);
 * systemd.network(5), systemd.link(5).
 */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "inject/customize-network.h"
#include "inject/linux-edit.h"
#include "inject/profile-internal.h"

/* ---- looking ---- */

/* Do files FOLDER/ifcfg-NAME describe more than the loopback? */
static bool
has_ifcfg (struct customize *c, const char *folder)
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, folder, "ifcfg-*", NULL);

  for (size_t i = 0; files != NULL && files[i] != NULL; ++i)
    if (strcmp (strrchr (files[i], '/'), "/ifcfg-lo") != 0)
      return true;
  return false;
}

static bool
is_enabled (struct customize *c, const char *unit)
{
  static const char *const targets[] = { "multi-user.target.wants",
                                         "network.target.wants",
                                         "network-online.target.wants",
                                         "sysinit.target.wants" };
  char path[128];
  struct v2v_guest_stat st;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (targets); ++i) {
    snprintf (path, sizeof path, "/etc/systemd/system/%s/%s", targets[i], unit);
    if (v2v_guest_lstat (c->g, path, &st, NULL) == 1)
      return true;
  }
  return false;
}

static bool
has_program (struct customize *c, const char *name)
{
  static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/bin",
                                         "/bin" };
  char path[64];

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    snprintf (path, sizeof path, "%s/%s", folders[i], name);
    if (v2v_guest_exists (c->g, path))
      return true;
  }
  return false;
}

/* A name that came from a file of the guest: used only when it is one. */
static bool
take_name (char out[MAX_INTERFACE], const char *begin, size_t len)
{
  char buf[MAX_INTERFACE];

  if (len == 0 || len >= sizeof buf)
    return false;
  memcpy (buf, begin, len);
  buf[len] = '\0';
  if (profile_rule_interface (buf) != NULL)
    return false;
  memcpy (out, buf, len + 1);
  return true;
}

/* The value behind KEY in the line that P stands in, up to a blank, quote or
 * the line's end. */
static bool
value_in_line (const char *p, const char *key, char out[MAX_INTERFACE])
{
  const size_t len = strcspn (p, "\n");
  const char *v = memmem (p, len, key, strlen (key));

  if (v == NULL)
    return false;
  v += strlen (key);
  v += *v == '"';
  return take_name (out, v, strcspn (v, "\" \t\r\n,"));
}

/* The name that a rule of udev or a .link pins to MAC. */
static bool
pinned_name (struct customize *c, const char *mac, char out[MAX_INTERFACE])
{
  CLEANUP_LIST char **links = NULL;
  CLEANUP_FREE char *rules = v2v_guest_read_text (
      c->g, "/etc/udev/rules.d/70-persistent-net.rules", NULL);

  for (const char *p = rules; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");

    if (*p != '#' && memmem (p, len, mac, strlen (mac)) != NULL &&
        value_in_line (p, "NAME=", out))
      return true;
    p += len + (p[len] == '\n');
  }
  links = v2v_guest_glob (c->g, NETWORKD, "*.link", NULL);
  for (size_t i = 0; links != NULL && links[i] != NULL; ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (c->g, links[i], NULL);
    const char *name = text != NULL ? strstr (text, "\nName=") : NULL;

    if (name != NULL && strcasestr (text, mac) != NULL &&
        take_name (out, name + 6, strcspn (name + 6, " \t\r\n")))
      return true;
  }
  return false;
}

/* The interface of the only ifcfg file, or of the one with this MAC. */
static bool
ifcfg_name (struct customize *c, const char *folder, const char *mac,
            char out[MAX_INTERFACE])
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, folder, "ifcfg-*", NULL);
  const char *only = NULL;
  size_t n = 0;

  for (size_t i = 0; files != NULL && files[i] != NULL; ++i) {
    CLEANUP_FREE char *text = NULL;
    const char *name = strrchr (files[i], '/') + 7;

    if (strcmp (name, "lo") == 0)
      continue;
    text = v2v_guest_read_text (c->g, files[i], NULL);
    if (text != NULL && strcasestr (text, mac) != NULL &&
        take_name (out, name, strlen (name)))
      return true;
    only = name;
    ++n;
  }
  return n == 1 && c->p->nr_nics == 1 && take_name (out, only, strlen (only));
}

/* The only interface that interfaces(5) describes. */
static bool
ifupdown_name (struct customize *c, char out[MAX_INTERFACE])
{
  CLEANUP_FREE char *text = v2v_guest_read_text (c->g, IFUPDOWN, NULL);
  char name[MAX_INTERFACE], found[MAX_INTERFACE] = "";

  for (const char *p = text; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");
    const size_t blanks = strspn (p, " \t");

    if (strncmp (p + blanks, "iface ", 6) == 0 &&
        take_name (name, p + blanks + 6, strcspn (p + blanks + 6, " \t\r\n")) &&
        strcmp (name, "lo") != 0) {
      if (found[0] != '\0' && strcmp (found, name) != 0)
        return false;
      memcpy (found, name, sizeof found);
    }
    p += len + (p[len] == '\n');
  }
  if (found[0] == '\0' || c->p->nr_nics != 1)
    return false;
  memcpy (out, found, sizeof found);
  return true;
}

/* Pin a name that the profile asks for. */
static int
pin_name (struct customize *c, const struct v2v_profile_nic *n,
          struct v2v_error **err)
{
  char path[96], text[160], have[MAX_INTERFACE];

  if (n->name == NULL ||
      (pinned_name (c, n->mac, have) && strcmp (have, n->name) == 0))
    return 0;
  if (!linux_has_systemd (c->g))
    return customize_finding (
        c, V2V_WARNING, "guest.customize.interface-name", n->mac,
        "pin it in /etc/udev/rules.d/70-persistent-net.rules", err,
        "whether the card %s is called %s is up to the guest", n->mac, n->name);
  snprintf (path, sizeof path, NETWORKD "/10-v2v-%s.link", n->name);
  snprintf (text, sizeof text, "[Match]\nMACAddress=%s\n\n[Link]\nName=%s\n",
            n->mac, n->name);
  return v2v_guest_mkdir (c->g, NETWORKD, 0755, err) == -1 ||
                 v2v_guest_write_text (c->g, path, text, 0644, WHY, err) == -1
             ? -1
             : 0;
}

/* The name of card I for systems that know no MAC. */
int
network_interface_name (struct customize *c, size_t i, char out[MAX_INTERFACE],
                        struct v2v_error **err)
{
  const struct v2v_profile_nic *n = &c->p->nics[i];
  const struct v2v_machine *m = v2v_guest_machine (c->g);
  size_t index = i;

  if (n->name != NULL) {
    snprintf (out, MAX_INTERFACE, "%s", n->name);
    return pin_name (c, n, err);
  }
  if (pinned_name (c, n->mac, out) || ifcfg_name (c, RED_HAT, n->mac, out) ||
      ifcfg_name (c, SUSE, n->mac, out) || ifupdown_name (c, out))
    return 0;
  for (size_t k = 0; m != NULL && k < m->nr_nics; ++k)
    if (m->nics[k].mac != NULL && strcasecmp (m->nics[k].mac, n->mac) == 0)
      index = k;
  snprintf (out, MAX_INTERFACE, "eth%zu", index);
  return customize_finding (c, V2V_INFORMATION,
                            "guest.customize.interface-name", n->mac,
                            "name the interface in the profile if it is wrong",
                            err, "the card %s is taken to be %s", n->mac, out);
}

/* Hide a file from all who read its folder. */
int
network_set_aside (struct customize *c, const char *path,
                   struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  char *to;
  int r;

  if (asprintf (&to, "%.*s/.%s.v2v-saved", (int) (slash - path), path,
                slash + 1) == -1)
    return v2v_fail_nomem (err);
  r = v2v_guest_rename (c->g, path, to, WHY, err);
  free (to);
  return r;
}

bool
network_is_v6 (const char *s)
{
  return strchr (s, ':') != NULL;
}

/* ---- netplan ---- */

static int
write_netplan (struct customize *c, struct v2v_error **err)
{
  static const char ours[] = NETPLAN "/90-v2v.yaml";
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, NETPLAN, "*.yaml", err);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  bool manager = false;

  if (files == NULL)
    return -1;
  /* Lists of several files are joined: the old addresses would stay. */
  for (size_t i = 0; files[i] != NULL; ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (c->g, files[i], NULL);

    manager |= text != NULL && strstr (text, "renderer: NetworkManager");
    if (strcmp (files[i], ours) != 0 &&
        network_set_aside (c, files[i], err) == -1)
      return -1;
  }
  if (v2v_str_printf (&s,
                      "# Written by v2v.\nnetwork:\n  version: 2\n%s"
                      "  ethernets:\n",
                      manager ? "  renderer: NetworkManager\n" : "") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < c->p->nr_nics; ++i)
    if (customize_put_nic (&s, &c->p->nics[i], i, "    ", true) == -1)
      return v2v_fail_nomem (err);
  return v2v_guest_write_text (c->g, ours, s.ptr, 0600, WHY, err);
}

/* ---- NetworkManager ---- */

/* Always the same for the same card. */
static void
connection_uuid (const char *mac, char out[37])
{
  uint8_t hash[V2V_SHA256_SIZE];
  struct v2v_guid guid;

  v2v_sha256 (mac, strlen (mac), hash);
  memcpy (guid.bytes, hash, sizeof guid.bytes);
  guid.bytes[6] = (uint8_t) ((guid.bytes[6] & 0x0f) | 0x80); /* version 8 */
  guid.bytes[8] = (uint8_t) ((guid.bytes[8] & 0x3f) | 0x80);
  v2v_guid_format (&guid, out);
}

/* Items of one family, each with ';' behind it. */
static int
put_family (struct v2v_str *s, const char *key, const v2v_strings list, bool v6)
{
  bool any = false;

  for (char **p = list; p != NULL && *p != NULL; ++p) {
    if (network_is_v6 (*p) != v6)
      continue;
    if ((!any && v2v_str_printf (s, "%s=", key) == -1) ||
        v2v_str_printf (s, "%s;", *p) == -1)
      return -1;
    any = true;
  }
  return any ? v2v_str_append (s, "\n") : 0;
}

static int
put_manager_family (struct v2v_str *s, const struct v2v_profile_nic *n, bool v6)
{
  const bool dhcp = v6 ? n->dhcp6 : n->dhcp4;
  const char *gateway = NULL;
  unsigned nr = 0;

  for (char **g = n->gateways; g != NULL && *g != NULL; ++g)
    if (network_is_v6 (*g) == v6)
      gateway = *g;
  if (v2v_str_printf (s, "\n[ipv%d]\n", v6 ? 6 : 4) == -1)
    return -1;
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a) {
    if (network_is_v6 (*a) != v6)
      continue;
    ++nr;
    if (v2v_str_printf (s, "address%u=%s%s%s\n", nr, *a,
                        nr == 1 && gateway ? "," : "",
                        nr == 1 && gateway ? gateway : "") == -1)
      return -1;
  }
  /* ipv6 "disabled" is not known before 1.20. */
  if (v2v_str_printf (s, "method=%s\n",
                      dhcp     ? "auto"
                      : nr > 0 ? "manual"
                      : v6     ? "ignore"
                               : "disabled") == -1)
    return -1;
  if (dhcp || nr > 0) {
    if (put_family (s, "dns", n->dns, v6) == -1 ||
        (n->search != NULL && n->search[0] != NULL &&
         v2v_str_append (s, "dns-search=") == -1))
      return -1;
    for (char **d = n->search; d != NULL && *d != NULL; ++d)
      if (v2v_str_printf (s, "%s;%s", *d, d[1] ? "" : "\n") == -1)
        return -1;
  }
  nr = 0;
  for (size_t i = 0; i < n->nr_routes; ++i) {
    const struct v2v_profile_route *r = &n->routes[i];

    if (network_is_v6 (r->to) != v6)
      continue;
    if (v2v_str_printf (s, "route%u=%s,%s", ++nr, r->to, r->via) == -1 ||
        (r->has_metric && v2v_str_printf (s, ",%u", r->metric) == -1) ||
        v2v_str_append (s, "\n") == -1)
      return -1;
  }
  return 0;
}

/* Connections of the wire that are there would fight with ours. */
static int
clear_manager (struct customize *c, const char *keep, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, NM, "*", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    CLEANUP_FREE char *text = NULL;

    if (strstr (files[i], keep) != NULL)
      continue;
    text = v2v_guest_read_text (c->g, files[i], NULL);
    if (text == NULL ||
        (strstr (text, "type=ethernet") == NULL &&
         strstr (text, "type=802-3-ethernet") == NULL) ||
        strstr (text, "\nmaster=") != NULL ||
        strstr (text, "\ncontroller=") != NULL)
      continue;
    if (network_set_aside (c, files[i], err) == -1)
      return -1;
  }
  return 0;
}

static int
write_manager (struct customize *c, struct v2v_error **err)
{
  if (v2v_guest_mkdir (c->g, NM, 0700, err) == -1 ||
      clear_manager (c, "/v2v-", err) == -1)
    return -1;
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    const struct v2v_profile_nic *n = &c->p->nics[i];
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
    char uuid[37], path[128], id[32];

    snprintf (id, sizeof id, "v2v-%s", n->mac);
    for (char *p = id; *p != '\0'; ++p)
      if (*p == ':')
        *p = '-';
    snprintf (path, sizeof path, NM "/%s.nmconnection", id);
    connection_uuid (n->mac, uuid);
    if (v2v_str_printf (&s,
                        "[connection]\nid=%s\nuuid=%s\ntype=ethernet\n\n"
                        "[ethernet]\nmac-address=%s\n",
                        id, uuid, n->mac) == -1 ||
        (n->mtu != 0 && v2v_str_printf (&s, "mtu=%u\n", n->mtu) == -1) ||
        put_manager_family (&s, n, false) == -1 ||
        put_manager_family (&s, n, true) == -1)
      return v2v_fail_nomem (err);
    /* NetworkManager ignores a file that others can read. */
    if (pin_name (c, n, err) == -1 ||
        v2v_guest_write (c->g, path, s.ptr, s.len, 0600, 0, WHY, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- systemd-networkd ---- */

static int
put_networkd (struct v2v_str *s, const struct v2v_profile_nic *n)
{
  /* VLANs and bridges have the MAC of their parent, but not its type. */
  if (v2v_str_printf (s, "[Match]\nMACAddress=%s\nType=ether\n", n->mac) ==
          -1 ||
      (n->mtu != 0 &&
       v2v_str_printf (s, "\n[Link]\nMTUBytes=%u\n", n->mtu) == -1) ||
      v2v_str_printf (s, "\n[Network]\nDHCP=%s\n",
                      n->dhcp4 && n->dhcp6 ? "yes"
                      : n->dhcp4           ? "ipv4"
                      : n->dhcp6           ? "ipv6"
                                           : "no") == -1)
    return -1;
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a)
    if (v2v_str_printf (s, "Address=%s\n", *a) == -1)
      return -1;
  for (char **a = n->gateways; a != NULL && *a != NULL; ++a)
    if (v2v_str_printf (s, "Gateway=%s\n", *a) == -1)
      return -1;
  for (char **a = n->dns; a != NULL && *a != NULL; ++a)
    if (v2v_str_printf (s, "DNS=%s\n", *a) == -1)
      return -1;
  for (char **a = n->search; a != NULL && *a != NULL; ++a)
    if (v2v_str_printf (s, "Domains=%s\n", *a) == -1)
      return -1;
  for (size_t i = 0; i < n->nr_routes; ++i)
    if (v2v_str_printf (s, "\n[Route]\nDestination=%s\nGateway=%s\n",
                        n->routes[i].to, n->routes[i].via) == -1 ||
        (n->routes[i].has_metric &&
         v2v_str_printf (s, "Metric=%u\n", n->routes[i].metric) == -1))
      return -1;
  return 0;
}

/* "00-": the first file that matches is the one that counts. */
static int
write_networkd (struct customize *c, struct v2v_error **err)
{
  if (v2v_guest_mkdir (c->g, NETWORKD, 0755, err) == -1)
    return -1;
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
    char path[96];

    snprintf (path, sizeof path, NETWORKD "/00-v2v-%s.network",
              c->p->nics[i].mac);
    for (char *p = path + strlen (NETWORKD); *p != '\0'; ++p)
      if (*p == ':')
        *p = '-';
    if (put_networkd (&s, &c->p->nics[i]) == -1)
      return v2v_fail_nomem (err);
    if (pin_name (c, &c->p->nics[i], err) == -1 ||
        v2v_guest_write_text (c->g, path, s.ptr, 0644, WHY, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- making room for cloud-init ---- */

/* Is PATH, a file of the guest, not what cloud-init itself wrote, and the setting
 * of a card (ifcfg) with no part in a bond or bridge? */
static bool
is_of_card (struct customize *c, const char *path)
{
  static const char *const others[] = {
    "cloud-init", "MASTER=", "SLAVE=", "BRIDGE=", "BONDING_", "Bridge", "VLAN="
  };
  CLEANUP_FREE char *text = v2v_guest_read_text (c->g, path, NULL);

  if (text == NULL || strcmp (strrchr (path, '/'), "/ifcfg-lo") == 0)
    return false;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (others); ++i)
    if (strstr (text, others[i]) != NULL)
      return false;
  return true;
}

/* The stanzas of cards in interfaces(5) go, with the whole file: cloud-init
 * writes its own into interfaces.d. */
static int
clear_ifupdown (struct customize *c, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, IFUPDOWN ".d", "*", err);
  CLEANUP_FREE char *text = v2v_guest_read_text (c->g, IFUPDOWN, NULL);
  bool has_card = false;

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i)
    if (v2v_guest_is_file (c->g, files[i]) &&
        strstr (files[i], "cloud-init") == NULL &&
        network_set_aside (c, files[i], err) == -1)
      return -1;
  for (const char *p = text; p != NULL && *p != '\0';) {
    const char *w = p + strspn (p, " \t");

    if (strncmp (w, "iface", 5) == 0 && strchr (" \t", w[5]) != NULL) {
      w += 5 + strspn (w + 5, " \t");
      has_card |= strncmp (w, "lo", 2) != 0 || strcspn (w, " \t\r\n") != 2;
    }
    p += strcspn (p, "\n");
    p += *p == '\n';
  }
  if (!has_card || strstr (text, "cloud-init") != NULL)
    return 0;
  return network_set_aside (c, IFUPDOWN, err) == -1 ||
                 v2v_guest_write_text (c->g, IFUPDOWN,
                                       "auto lo\niface lo inet loopback\n\n"
                                       "source " IFUPDOWN ".d/*\n",
                                       0644, WHY, err) == -1
             ? -1
             : 0;
}

int
customize_linux_clear_network (struct customize *c, struct v2v_error **err)
{
  static const struct {
    const char *folder, *pattern;
    bool cards;
  } places[] = {
    { NETPLAN, "*.yaml", false },
    { NETWORKD, "00-v2v-*.network", false },
    { RED_HAT, "ifcfg-*", true },
    { SUSE, "ifcfg-*", true },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (places); ++i) {
    CLEANUP_LIST char **files =
        v2v_guest_glob (c->g, places[i].folder, places[i].pattern, err);

    if (files == NULL)
      return -1;
    for (size_t k = 0; files[k] != NULL; ++k)
      if (strstr (files[k], "cloud-init") == NULL &&
          (!places[i].cards || is_of_card (c, files[k])) &&
          network_set_aside (c, files[k], err) == -1)
        return -1;
  }
  return clear_manager (c, "/cloud-init-", err) == -1 ? -1
                                                      : clear_ifupdown (c, err);
}

/* ---- the system in use ---- */

int
customize_linux_network (struct customize *c, struct v2v_error **err)
{
  const bool manager =
      has_program (c, "NetworkManager") &&
      (is_enabled (c, "NetworkManager.service") || !linux_has_systemd (c->g));

  if (has_program (c, "netplan") && v2v_guest_is_dir (c->g, NETPLAN))
    return write_netplan (c, err);
  if (has_ifcfg (c, RED_HAT))
    return network_write_red_hat (c, err);
  if (v2v_guest_is_file (c->g, SUSE "/config") && !manager)
    return network_write_suse (c, err);
  if (manager)
    return write_manager (c, err);
  if (is_enabled (c, "systemd-networkd.service"))
    return write_networkd (c, err);
  if (has_program (c, "ifup") && v2v_guest_exists (c->g, IFUPDOWN))
    return network_write_ifupdown (c, err);
  if (v2v_guest_is_dir (c->g, RED_HAT))
    return network_write_red_hat (c, err);
  return customize_finding (c, V2V_WARNING, "guest.customize.network", NULL,
                            "set up the network by hand", err,
                            "no system that sets up the network was found in "
                            "the guest: its network stays");
}
