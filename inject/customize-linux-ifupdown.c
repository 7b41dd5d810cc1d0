/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network settings for ifupdown: Debian's, busybox's and ifupdown-ng read what
 * is written here.
 *
 * Sources: interfaces(5) of ifupdown and of ifupdown-ng, resolv.conf(5).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-network.h"
#include "inject/linux-edit.h"
#include "inject/profile-internal.h"

/* Stanzas of interfaces(5): a line begins one of the cards of the profile. */
struct stanza_edit {
  char (*names)[MAX_INTERFACE];
  size_t nr;
  bool skipping;
};

static bool
is_ours (const struct stanza_edit *e, const char *s, size_t len)
{
  for (size_t i = 0; i < e->nr; ++i)
    if (strlen (e->names[i]) == len && strncmp (e->names[i], s, len) == 0)
      return true;
  return false;
}

static int
edit_stanza (void *arg, const char *line, struct v2v_str *ret)
{
  static const char *const words[] = { "iface",           "auto",     "mapping",
                                       "source",          "template", "rename",
                                       "source-directory" };
  struct stanza_edit *e = arg;
  const char *p = line + strspn (line, " \t");
  const size_t word = strcspn (p, " \t");
  const char *rest = p + word + strspn (p + word, " \t");
  bool begins = strncmp (p, "allow-", 6) == 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (words); ++i)
    begins |= strlen (words[i]) == word && strncmp (p, words[i], word) == 0;
  if (begins)
    e->skipping = false;
  if (word == 5 && strncmp (p, "iface", 5) == 0)
    e->skipping = is_ours (e, rest, strcspn (rest, " \t"));
  else if (begins && (strncmp (p, "auto", 4) == 0 || p[5] == '-')) {
    /* "auto eth0 eth1": only ours go. */
    bool changed = false, left = false;

    if (v2v_str_append_len (ret, line, (size_t) (p - line) + word) == -1)
      return -1;
    while (*rest != '\0') {
      const size_t n = strcspn (rest, " \t");

      if (is_ours (e, rest, n))
        changed = true;
      else {
        left = true;
        if (v2v_str_append (ret, " ") == -1 ||
            v2v_str_append_len (ret, rest, n) == -1)
          return -1;
      }
      rest += n;
      rest += strspn (rest, " \t");
    }
    return !changed ? LINUX_EDIT_KEEP
           : left   ? LINUX_EDIT_REPLACE
                    : LINUX_EDIT_DELETE;
  }
  return e->skipping && *p != '#' ? LINUX_EDIT_DELETE : LINUX_EDIT_KEEP;
}

static int
put_stanza_family (struct v2v_str *s, const struct v2v_profile_nic *n,
                   const char *name, bool v6)
{
  const char *family = v6 ? "inet6" : "inet";
  bool first = true;

  if (v6 ? n->dhcp6 : n->dhcp4) {
    if (v2v_str_printf (s, "iface %s %s %s\n", name, family,
                        v6 ? "auto" : "dhcp") == -1)
      return -1;
    first = false;
  }
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a) {
    char address[64];
    unsigned prefix;

    if (network_is_v6 (*a) != v6)
      continue;
    (void) profile_parse_cidr (*a, address, &prefix);
    /* The prefix apart is read by every version, in both families. */
    if (v2v_str_printf (s, "iface %s %s static\n\taddress %s\n\tnetmask %u\n",
                        name, family, address, prefix) == -1)
      return -1;
    for (char **g = first ? n->gateways : NULL; g != NULL && *g != NULL; ++g)
      if (network_is_v6 (*g) == v6 &&
          v2v_str_printf (s, "\tgateway %s\n", *g) == -1)
        return -1;
    first = false;
  }
  if (first)
    return 0;
  for (size_t i = 0; i < n->nr_routes; ++i) {
    const struct v2v_profile_route *r = &n->routes[i];

    if (network_is_v6 (r->to) != v6)
      continue;
    if (v2v_str_printf (s, "\tup ip %sroute add %s via %s dev %s",
                        v6 ? "-6 " : "", r->to, r->via, name) == -1 ||
        (r->has_metric && v2v_str_printf (s, " metric %u", r->metric) == -1) ||
        v2v_str_append (s, "\n") == -1)
      return -1;
  }
  if (n->mtu != 0 && v2v_str_printf (s, "\tup ip link set dev %s mtu %u\n",
                                     name, n->mtu) == -1)
    return -1;
  return 0;
}

/* Where nothing else makes it: resolv.conf. */
static int
write_resolv (struct customize *c, struct v2v_error **err)
{
  static const char path[] = "/etc/resolv.conf";
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_guest_stat st;
  bool any = false;

  if (v2v_guest_lstat (c->g, path, &st, NULL) == 1 &&
      st.type != V2V_FILE_REGULAR)
    return 0;
  for (size_t i = 0; i < c->p->nr_nics; ++i)
    for (char **d = c->p->nics[i].search; d != NULL && *d != NULL; ++d) {
      if (v2v_str_printf (&s, "%s %s", any ? "" : "search", *d) == -1)
        return v2v_fail_nomem (err);
      any = true;
    }
  if (any && v2v_str_append (&s, "\n") == -1)
    return v2v_fail_nomem (err);
  any = false;
  for (size_t i = 0; i < c->p->nr_nics; ++i)
    for (char **d = c->p->nics[i].dns; d != NULL && *d != NULL; ++d) {
      if (v2v_str_printf (&s, "nameserver %s\n", *d) == -1)
        return v2v_fail_nomem (err);
      any = true;
    }
  return any ? v2v_guest_write_text (c->g, path, s.ptr, 0644, WHY, err) : 0;
}

/* Text of the file without the stanzas of NAMES and without blank lines at its
 * end. */
static int
strip_stanzas (const char *old, char (*names)[MAX_INTERFACE], size_t nr,
               struct v2v_str *s, struct v2v_error **err)
{
  struct stanza_edit e = { .names = names, .nr = nr };
  CLEANUP_FREE char *stripped = NULL;

  if (linux_edit_text (old, edit_stanza, &e, &stripped, err) == -1)
    return -1;
  if (v2v_str_append (s, stripped != NULL ? stripped : old) == -1)
    return v2v_fail_nomem (err);
  while (s->len > 0 && s->ptr[s->len - 1] == '\n')
    s->ptr[--s->len] = '\0';
  if (s->len > 0 && v2v_str_append (s, "\n") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* Files of interfaces.d that describe one of NAMES. */
static int
clear_interfaces_d (struct customize *c, char (*names)[MAX_INTERFACE],
                    size_t nr, struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (c->g, IFUPDOWN ".d", "*", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct stanza_edit e = { .names = names, .nr = nr };

    if (!v2v_guest_is_file (c->g, files[i]))
      continue;
    if (linux_edit_file (c->g, files[i], edit_stanza, &e, WHY, err) == -1)
      return -1;
  }
  return 0;
}

int
network_write_ifupdown (struct customize *c, struct v2v_error **err)
{
  CLEANUP_FREE char (*names)[MAX_INTERFACE] =
      calloc (c->p->nr_nics, sizeof *names);
  CLEANUP_FREE char *old = NULL;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_error *e = NULL;

  if (names == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < c->p->nr_nics; ++i)
    if (network_interface_name (c, i, names[i], err) == -1)
      return -1;
  old = v2v_guest_read_text (c->g, IFUPDOWN, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (strip_stanzas (old != NULL ? old : "auto lo\niface lo inet loopback\n",
                     names, c->p->nr_nics, &s, err) == -1)
    return -1;
  for (size_t i = 0; i < c->p->nr_nics; ++i) {
    const struct v2v_profile_nic *n = &c->p->nics[i];

    if (v2v_str_printf (&s, "\nauto %s\n", names[i]) == -1 ||
        put_stanza_family (&s, n, names[i], false) == -1 ||
        put_stanza_family (&s, n, names[i], true) == -1)
      return v2v_fail_nomem (err);
  }
  return clear_interfaces_d (c, names, c->p->nr_nics, err) == -1 ||
                 v2v_guest_write_text (c->g, IFUPDOWN, s.ptr, 0644, WHY, err) ==
                     -1
             ? -1
             : write_resolv (c, err);
}
