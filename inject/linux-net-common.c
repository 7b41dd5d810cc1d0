/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the readers of network configurations share. */

#include <config.h>

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

struct net_config *
net_add_config (struct linux_net *n, const char *system, const char *file)
{
  struct net_config *p, *c;

  if (n->nr_configs == NET_MAX_CONFIGS)
    return NULL;
  p = reallocarray (n->configs, n->nr_configs + 1, sizeof *p);
  if (p == NULL)
    return NULL;
  n->configs = p;
  c = &p[n->nr_configs];
  memset (c, 0, sizeof *c);
  c->system = system;
  c->file = strdup (file);
  if (c->file == NULL)
    return NULL;
  ++n->nr_configs;
  return c;
}

int
net_add_answer (struct linux_net *n, enum net_rank rank, const char *name,
                const char *mac, const char *file)
{
  struct net_answer *p, *a;

  if (*name == '\0' || *mac == '\0' || net_is_virtual_name (name) ||
      n->nr_answers == NET_MAX_ANSWERS)
    return 0;
  p = reallocarray (n->answers, n->nr_answers + 1, sizeof *p);
  if (p == NULL)
    return -1;
  n->answers = p;
  a = &p[n->nr_answers];
  memset (a, 0, sizeof *a);
  snprintf (a->name, sizeof a->name, "%s", name);
  snprintf (a->mac, sizeof a->mac, "%s", mac);
  a->rank = rank;
  if (file != NULL && (a->file = strdup (file)) == NULL)
    return -1;
  ++n->nr_answers;
  return 0;
}

void
net_clear (struct linux_net *n)
{
  for (size_t i = 0; i < n->nr_configs; ++i) {
    struct net_config *c = &n->configs[i];

    free (c->file);
    v2v_str_free (&c->addresses);
    v2v_str_free (&c->routes);
    v2v_str_free (&c->dns);
    v2v_str_free (&c->mtu);
  }
  for (size_t i = 0; i < n->nr_answers; ++i)
    free (n->answers[i].file);
  free (n->configs);
  free (n->answers);
  n->configs = NULL;
  n->answers = NULL;
  n->nr_configs = n->nr_answers = 0;
}

bool
net_is_name (const char *s, size_t len)
{
  if (len == 0 || len >= NET_NAME_SIZE || *s == '.' || *s == '-')
    return false;
  for (size_t i = 0; i < len; ++i)
    if (!isalnum ((unsigned char) s[i]) && strchr ("._-", s[i]) == NULL)
      return false;
  return true;
}

void
net_set_name (struct net_config *c, const char *s, size_t len)
{
  const char *colon = memchr (s, ':', len);

  if (colon != NULL)
    len = (size_t) (colon - s);
  if (memchr (s, '*', len) != NULL || memchr (s, '?', len) != NULL ||
      memchr (s, '[', len) != NULL)
    c->has_wildcard = true;
  if (!net_is_name (s, len))
    return;
  memcpy (c->name, s, len);
  c->name[len] = '\0';
  if (net_is_virtual_name (c->name))
    c->is_virtual = true;
}

bool
net_parse_mac (const char *s, size_t len, char out[NET_MAC_SIZE])
{
  if (len != 17)
    return false;
  for (size_t i = 0; i < 17; ++i) {
    if (i % 3 == 2 ? s[i] != ':' && s[i] != '-'
                   : !isxdigit ((unsigned char) s[i]))
      return false;
    out[i] = i % 3 == 2 ? ':' : (char) tolower ((unsigned char) s[i]);
  }
  out[17] = '\0';
  return true;
}

void
net_set_mac (struct net_config *c, const char *s, size_t len)
{
  char mac[NET_MAC_SIZE];

  if (net_parse_mac (s, len, mac))
    memcpy (c->mac, mac, sizeof mac);
}

int
net_add_word (struct v2v_str *list, const char *s, size_t len)
{
  /* A list of this length is of no use in a report. */
  if (len == 0 || list->len > 4096 || len > 256)
    return 0;
  if ((list->len > 0 && v2v_str_append (list, " ") == -1) ||
      v2v_str_append_len (list, s, len) == -1)
    return -1;
  return 0;
}

bool
net_is_virtual_name (const char *name)
{
  static const char *const patterns[] = {
    "lo",       "bond*",  "br[0-9]*", "br-*",   "virbr*",  "team*", "vlan*",
    "dummy*",   "tun*",   "tap*",     "wg*",    "docker*", "veth*", "ppp*",
    "sit*",     "gre*",   "ib[0-9]*", "vxlan*", "macv*",   "nm-*",  "ifb*",
    "*.[0-9]*", "vmnet*", "podman*",  "cni*",   "wl*",     "ww*",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (patterns); ++i)
    if (fnmatch (patterns[i], name, 0) == 0)
      return true;
  return false;
}

bool
net_is_old_driver (const char *s, size_t len)
{
  static const char *const drivers[] = { "vmxnet3", "vmxnet",  "e1000",
                                         "e1000e",  "pcnet32", "vlance",
                                         "vmxnet2", "igb" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (drivers); ++i)
    if (strlen (drivers[i]) == len && strncmp (drivers[i], s, len) == 0)
      return true;
  return false;
}

bool
net_is_ours (const struct linux_net *n, const char *mac)
{
  for (size_t i = 0; n->machine != NULL && i < n->machine->nr_nics; ++i)
    if (n->machine->nics[i].mac != NULL &&
        strcasecmp (n->machine->nics[i].mac, mac) == 0)
      return true;
  return false;
}

int
net_read_lines (struct linux_net *n, const char *path, linux_edit_fn f,
                void *arg, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = NULL, *unused = NULL;

  if (!v2v_guest_is_file (n->l->g, path))
    return 0;
  text = v2v_guest_read_text (n->l->g, path, &e);
  if (e != NULL)
    return linux_tolerate (n->l, path, e, err);
  return text == NULL ? 0 : linux_edit_text (text, f, arg, &unused, err);
}

int
net_find_bus_bound (struct linux_net *n, const char *file,
                    struct v2v_error **err)
{
  return linux_finding (n->l, V2V_WARNING, "guest.network.bus-bound", file,
                        "match the adapter by its address there", err,
                        "an adapter is chosen by its place on VMware's bus, "
                        "which it loses; there are several adapters and "
                        "nothing tells which one is meant");
}

int
net_find_ethtool (struct linux_net *n, const char *file, struct v2v_error **err)
{
  return linux_finding (n->l, V2V_WARNING, "guest.network.driver-settings",
                        file,
                        "check with ethtool which of them Hyper-V's adapter "
                        "takes",
                        err,
                        "settings of the adapter's driver (rings, offload, "
                        "coalescing) were made for VMware's adapter");
}

bool
net_ini_line (struct net_ini *ini, const char *line)
{
  const char *eq;
  size_t len;

  line += strspn (line, " \t");
  if (*line == '[') {
    len = strcspn (line + 1, "]");
    if (len >= sizeof ini->section)
      len = sizeof ini->section - 1;
    memcpy (ini->section, line + 1, len);
    ini->section[len] = '\0';
    return false;
  }
  eq = strchr (line, '=');
  if (*line == '#' || *line == ';' || eq == NULL)
    return false;
  ini->key = line;
  ini->key_len = (size_t) (eq - line);
  while (ini->key_len > 0 && strchr (" \t", line[ini->key_len - 1]) != NULL)
    --ini->key_len;
  ini->value = eq + 1 + strspn (eq + 1, " \t");
  ini->value_len = strlen (ini->value);
  while (ini->value_len > 0 &&
         strchr (" \t\r", ini->value[ini->value_len - 1]) != NULL)
    --ini->value_len;
  return true;
}

bool
net_ini_is (const struct net_ini *ini, const char *section, const char *key)
{
  return strcmp (ini->section, section) == 0 && strlen (key) == ini->key_len &&
         strncmp (ini->key, key, ini->key_len) == 0;
}

static void
set_words (struct v2v_json *o, const char *key, const struct v2v_str *list)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (const char *p = list->ptr ? list->ptr : ""; *p != '\0';) {
    const size_t len = strcspn (p, " ");
    char *word = strndup (p, len);

    /* What a guest holds may be no UTF-8. */
    if (word != NULL && v2v_is_valid_utf8 (word, len))
      v2v_json_append (array, v2v_json_new_string (word));
    free (word);
    p += len;
    p += strspn (p, " ");
  }
  v2v_json_set (o, key, array);
}

struct v2v_json *
net_to_json (const struct linux_net *n)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < n->nr_configs; ++i) {
    const struct net_config *c = &n->configs[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "name", *c->name ? c->name : NULL);
    v2v_json_set_string (o, "mac", *c->mac ? c->mac : NULL);
    v2v_json_set_string (o, "system", c->system);
    v2v_json_set_string (o, "file",
                         v2v_is_valid_utf8 (c->file, strlen (c->file)) ? c->file
                                                                       : NULL);
    v2v_json_set_bool (o, "virtual", c->is_virtual);
    v2v_json_set_bool (o, "dhcp", c->is_dhcp);
    set_words (o, "addresses", &c->addresses);
    set_words (o, "routes", &c->routes);
    set_words (o, "dns", &c->dns);
    v2v_json_set_string (o, "mtu", c->mtu.ptr);
    v2v_json_append (array, o);
  }
  return array;
}
