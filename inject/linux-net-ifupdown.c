/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/network/interfaces: Debian's ifupdown, Alpine's, ifupdown2.  Interfaces
 * are named there; an address of hardware is one to be set, not to be matched.
 *
 * Source: interfaces(5), bridge-utils-interfaces(5), vlan-interfaces(5).
 */

#include <config.h>

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

/* "source" may name a file that names a file. */
#define MAX_DEPTH 4
/* Files and "source" lines, of all depths: files that name each other would be
 * read some thousand million times. */
#define MAX_SOURCES 256

struct ifupdown {
  struct linux_net *n;
  const char *file;
  unsigned depth;
  unsigned *left; /* of MAX_SOURCES */
  size_t at;      /* of the current stanza in n->configs, +1; 0 = none */
  bool ethtool;
  struct v2v_error **err; /* of a file further in */
};

static int read_file (struct linux_net *n, const char *path, unsigned depth,
                      unsigned *left, struct v2v_error **err);

static const char *
next_word (const char **line, size_t *ret_len)
{
  const char *w = *line + strspn (*line, " \t");

  *ret_len = strcspn (w, " \t\r");
  *line = w + *ret_len;
  return w;
}

static bool
is (const char *w, size_t len, const char *text)
{
  return strlen (text) == len && strncmp (w, text, len) == 0;
}

/* "source PATTERN", "source-directory FOLDER". */
static int
source (struct ifupdown *f, bool folder, const char *w, size_t len)
{
  CLEANUP_LIST char **files = NULL;
  CLEANUP_FREE char *path = NULL;
  char *slash;

  if (*f->left == 0)
    return 0;
  --*f->left;
  if (asprintf (&path, "%s%.*s%s", *w == '/' ? "" : "/etc/network/", (int) len,
                w, folder ? "/*" : "") == -1) {
    path = NULL;
    return v2v_fail_nomem (f->err);
  }
  slash = strrchr (path, '/');
  *slash = '\0';
  files = v2v_guest_glob (f->n->l->g, *path ? path : "/", slash + 1, NULL);
  for (size_t i = 0; files != NULL && files[i] != NULL; ++i)
    if (v2v_guest_is_file (f->n->l->g, files[i]) &&
        read_file (f->n, files[i], f->depth + 1, f->left, f->err) == -1) {
      return -1;
    }
  return 0;
}

static int
begin_stanza (struct ifupdown *f, const char *line)
{
  struct net_config *c = NULL;
  const char *w;
  size_t len;

  f->at = 0;
  w = next_word (&line, &len);
  if (is (w, len, "lo") || len == 0)
    return 0;
  /* A second stanza of one interface (inet6) belongs to the first. */
  for (size_t i = 0; i < f->n->nr_configs; ++i)
    if (strcmp (f->n->configs[i].system, "ifupdown") == 0 &&
        strlen (f->n->configs[i].name) == len &&
        strncmp (f->n->configs[i].name, w, len) == 0) {
      c = &f->n->configs[i];
      f->at = i + 1;
    }
  if (c == NULL) {
    c = net_add_config (f->n, "ifupdown", f->file);
    if (c == NULL)
      return f->n->nr_configs == NET_MAX_CONFIGS ? 0 : -1;
    f->at = f->n->nr_configs;
    net_set_name (c, w, len);
  }
  next_word (&line, &len);
  w = next_word (&line, &len);
  if (is (w, len, "dhcp"))
    c->is_dhcp = true;
  return 0;
}

static int
read_option (struct ifupdown *f, const char *w, size_t len, const char *line)
{
  static const char *const of_software[] = {
    "bond-slaves",  "bond_slaves",     "slaves",         "bridge_ports",
    "bridge-ports", "vlan-raw-device", "vlan_raw_device"
  };
  struct net_config *c = &f->n->configs[f->at - 1];
  const char *v;
  size_t n;
  char key[64];

  if (len >= sizeof key)
    return 0;
  memcpy (key, w, len);
  key[len] = '\0';
  v = next_word (&line, &n);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (of_software); ++i)
    if (strcmp (key, of_software[i]) == 0)
      c->is_virtual = true;
  if (strcmp (key, "address") == 0)
    return net_add_word (&c->addresses, v, n);
  if (strcmp (key, "gateway") == 0)
    return net_add_word (&c->routes, v, n);
  if (strcmp (key, "mtu") == 0 && c->mtu.len == 0)
    return net_add_word (&c->mtu, v, n);
  if (strcmp (key, "dns-nameservers") == 0 ||
      strcmp (key, "dns-nameserver") == 0)
    for (; n > 0; v = next_word (&line, &n))
      if (net_add_word (&c->dns, v, n) == -1)
        return -1;
  if (fnmatch ("hardware-*", key, 0) == 0 ||
      fnmatch ("ethtool-*", key, 0) == 0 || fnmatch ("offload-*", key, 0) == 0)
    f->ethtool = true;
  return 0;
}

static int
read_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct ifupdown *f = arg;
  const char *w;
  size_t len;

  (void) ret;
  w = next_word (&line, &len);
  if (len == 0 || *w == '#')
    return LINUX_EDIT_KEEP;
  if (is (w, len, "iface"))
    return begin_stanza (f, line);
  if (is (w, len, "source") || is (w, len, "source-directory")) {
    const bool folder = len > 6;

    f->at = 0;
    w = next_word (&line, &len);
    return source (f, folder, w, len);
  }
  if (is (w, len, "auto") || is (w, len, "mapping") || is (w, len, "rename") ||
      is (w, len, "no-auto-down") ||
      (len > 6 && strncmp (w, "allow-", 6) == 0)) {
    f->at = 0;
    return LINUX_EDIT_KEEP;
  }
  return f->at == 0 ? LINUX_EDIT_KEEP : read_option (f, w, len, line);
}

static int
read_file (struct linux_net *n, const char *path, unsigned depth,
           unsigned *left, struct v2v_error **err)
{
  struct ifupdown f = { .n = n, .file = path, .depth = depth, .left = left };
  struct v2v_error *e = NULL;

  if (depth > MAX_DEPTH || *left == 0)
    return 0;
  --*left;
  f.err = &e;
  if (net_read_lines (n, path, read_line, &f, err) == -1) {
    if (e != NULL) {
      /* Of a file further in; net_read_lines knows failed allocations only. */
      if (err != NULL && *err != NULL) {
        v2v_error_free (*err);
        *err = NULL;
      }
      return v2v_error_move (err, e);
    }
    return -1;
  }
  if (f.ethtool)
    return net_find_ethtool (n, path, err);
  return 0;
}

int
net_read_ifupdown (struct linux_net *n, struct v2v_error **err)
{
  unsigned left = MAX_SOURCES;

  return read_file (n, "/etc/network/interfaces", 0, &left, err);
}
