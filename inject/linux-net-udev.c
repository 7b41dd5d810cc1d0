/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* udev's rules that name interfaces, and the pins that we write: a rule for
 * every udev, and a .link file where udev gives names by slot.
 *
 * Both reach a guest whose initramfs has no copy of them: an adapter of
 * Hyper-V has no place on a bus, so that udev in the initramfs leaves it its
 * kernel's name, and systemd-udev-trigger makes udev in the real root look at
 * it again as "add".  Since v240 udev also renames what was renamed before.
 * Only an initramfs that uses the network itself needs the copies, because an
 * interface that is up is not renamed: linux_keep_network says so.
 *
 * Source: udev(7), systemd.link(5); systemd's 80-net-setup-link.rules,
 * udev-event.c (a rename happens on "add" only) and NEWS of 239 and 240; udev
 * 173's write_net_rules for the form of a rule.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

static const char rules_file[] = "/etc/udev/rules.d/70-persistent-net.rules";

/* One KEY OP "VALUE" of a rule. */
struct part {
  const char *key, *op, *value, *next;
  size_t key_len, op_len, value_len;
};

/* The part at S, up to the comma behind it; false at the end or where it is
 * not understood. */
static bool
next_part (const char *s, struct part *p)
{
  s += strspn (s, " \t,");
  p->key = s;
  p->key_len = strcspn (s, "=!+-:\" \t\r");
  /* ATTR{address}: a brace may hold what would end a key. */
  if (memchr (s, '{', p->key_len) != NULL) {
    const char *brace = strchr (s, '}');

    if (brace == NULL)
      return false;
    p->key_len = (size_t) (brace + 1 - s);
  }
  s += p->key_len;
  s += strspn (s, " \t");
  p->op = s;
  p->op_len = strspn (s, "=!+-:");
  s += p->op_len;
  s += strspn (s, " \t");
  if (p->key_len == 0 || p->op_len == 0 || *s != '"')
    return false;
  p->value = s + 1;
  p->value_len = strcspn (s + 1, "\"");
  if (p->value[p->value_len] != '"')
    return false;
  p->next = p->value + p->value_len + 1;
  return true;
}

static bool
is (const char *s, size_t len, const char *text)
{
  return strlen (text) == len && strncmp (s, text, len) == 0;
}

static bool
key_is (const struct part *p, const char *key)
{
  return is (p->key, p->key_len, key);
}

struct rule {
  char name[NET_NAME_SIZE], mac[NET_MAC_SIZE];
  bool is_net, is_bound; /* to a driver or a place on the bus */
};

/* What is matched that the adapter of Hyper-V does not have. */
static bool
is_bound (const struct part *p)
{
  static const char *const keys[] = {
    "KERNELS",
    "ID",
    "ATTR{device}",
    "ATTR{vendor}",
    "ATTRS{device}",
    "ATTRS{vendor}",
    "SYSFS{device}",
    "SYSFS{vendor}",
    "ENV{ID_PATH}",
    "ENV{ID_NET_NAME_PATH}",
    "ENV{ID_NET_NAME_SLOT}",
    "ENV{ID_MODEL_ID}",
    "ENV{ID_VENDOR_ID}",
    "BUS",
    "SUBSYSTEMS",
    "ATTR{dev_port}",
  };

  if (!is (p->op, p->op_len, "=="))
    return false;
  if (key_is (p, "DRIVERS") || key_is (p, "DRIVER") ||
      key_is (p, "ENV{ID_NET_DRIVER}"))
    return net_is_old_driver (p->value, p->value_len);
  if (key_is (p, "BUS") || key_is (p, "SUBSYSTEMS"))
    return is (p->value, p->value_len, "pci");
  if (key_is (p, "ATTR{dev_port}"))
    return !is (p->value, p->value_len, "0");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys); ++i)
    if (key_is (p, keys[i]))
      return !is (p->value, p->value_len, "*") &&
             !is (p->value, p->value_len, "?*");
  return false;
}

static void
parse_rule (const char *line, struct rule *r)
{
  struct part p;

  memset (r, 0, sizeof *r);
  line += strspn (line, " \t");
  if (*line == '#')
    return;
  for (; next_part (line, &p); line = p.next) {
    if (key_is (&p, "SUBSYSTEM"))
      r->is_net = is (p.value, p.value_len, "net");
    else if ((key_is (&p, "ATTR{address}") || key_is (&p, "ATTRS{address}") ||
              key_is (&p, "SYSFS{address}")) &&
             is (p.op, p.op_len, "=="))
      net_parse_mac (p.value, p.value_len, r->mac);
    else if (key_is (&p, "NAME") &&
             (is (p.op, p.op_len, "=") || is (p.op, p.op_len, ":=")) &&
             net_is_name (p.value, p.value_len)) {
      memcpy (r->name, p.value, p.value_len);
      r->name[p.value_len] = '\0';
    }
    r->is_bound = r->is_bound || is_bound (&p);
  }
}

/* Lines that end in a backslash and the one behind them are one rule. */
struct joined {
  struct v2v_str text;
  bool more; /* the last line ended in a backslash */
};

/* 1 = *RET_RULE is whole: LINE itself, or what is joined up to it; 0 = more
 * follows; -1 = out of memory. */
static int
join_lines (struct joined *j, const char *line, const char **ret_rule)
{
  const size_t len = strlen (line);
  const bool first = !j->more;

  j->more = len > 0 && line[len - 1] == '\\';
  *ret_rule = line;
  if (first && !j->more)
    return 1;
  if (first)
    v2v_str_free (&j->text);
  if (v2v_str_append_len (&j->text, line, len - (j->more ? 1 : 0)) == -1)
    return -1;
  *ret_rule = j->text.ptr != NULL ? j->text.ptr : "";
  return j->more ? 0 : 1;
}

struct reader {
  struct linux_net *n;
  const char *file;
  struct joined joined;
};

static int
read_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct reader *a = arg;
  struct rule r;
  const int whole = join_lines (&a->joined, line, &line);

  (void) ret;
  if (whole != 1)
    return whole == -1 ? -1 : LINUX_EDIT_KEEP;
  parse_rule (line, &r);
  if (!r.is_net)
    return LINUX_EDIT_KEEP;
  return net_add_answer (a->n, NET_RANK_CONFIG, r.name, r.mac, a->file) == -1
             ? -1
             : LINUX_EDIT_KEEP;
}

int
net_read_udev (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_LIST char **files =
      v2v_guest_glob (n->l->g, "/etc/udev/rules.d", "*.rules", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct reader a = { .n = n, .file = files[i] };

    const int rc = net_read_lines (n, files[i], read_line, &a, err);

    v2v_str_free (&a.joined.text);
    if (rc == -1)
      return -1;
  }
  return 0;
}

/* ---- loosening ---- */

struct loosen {
  struct linux_net *n;
  struct joined joined;
  bool bus_bound;
};

static int
loosen_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct loosen *a = arg;
  struct linux_net *n = a->n;
  struct rule r;
  struct part p;
  const char *rest = line;
  bool by_address = true;
  const int whole = join_lines (&a->joined, line, &line);

  if (whole != 1)
    return whole == -1 ? -1 : LINUX_EDIT_KEEP;
  parse_rule (line, &r);
  if (!r.is_net || *r.name == '\0')
    return LINUX_EDIT_KEEP;
  /* Its earlier lines are behind us: told, not changed. */
  if (line != rest) {
    a->bus_bound = a->bus_bound || r.is_bound;
    return LINUX_EDIT_KEEP;
  }
  /* Its address is gone: a rule for it would only mislead. */
  if (n->new_macs && *r.mac && net_is_ours (n, r.mac))
    return LINUX_EDIT_DELETE;
  if (!r.is_bound)
    return LINUX_EDIT_KEEP;
  if (*r.mac == '\0') {
    by_address = false;
    if (!n->is_only || (n->only_mac == NULL && !n->new_macs)) {
      a->bus_bound = true;
      return LINUX_EDIT_KEEP;
    }
  }
  for (; next_part (rest, &p); rest = p.next) {
    if (is_bound (&p))
      continue;
    if (v2v_str_printf (ret, "%s%.*s%.*s\"%.*s\"", ret->len ? ", " : "",
                        (int) p.key_len, p.key, (int) p.op_len, p.op,
                        (int) p.value_len, p.value) == -1)
      return -1;
    /* The adapter by what is left of it. */
    if (!by_address && key_is (&p, "SUBSYSTEM") &&
        (n->new_macs ? v2v_str_append (ret, ", DRIVERS==\"hv_netvsc\"")
                     : v2v_str_printf (ret, ", ATTR{address}==\"%s\"",
                                       n->only_mac)) == -1)
      return -1;
  }
  return v2v_str_append (ret, rest) == -1 ? -1 : LINUX_EDIT_REPLACE;
}

int
net_loosen_udev (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_LIST char **files =
      v2v_guest_glob (n->l->g, "/etc/udev/rules.d", "*.rules", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct loosen a = { .n = n };

    const int rc = linux_edit_or_find (n->l, files[i], loosen_line, &a,
                                       "VMware's driver and bus are gone", err);

    v2v_str_free (&a.joined.text);
    if (rc == -1)
      return -1;
    if (a.bus_bound && net_find_bus_bound (n, files[i], err) == -1)
      return -1;
  }
  return 0;
}

/* ---- the pins ---- */

/* systemd's version, 0 = unknown. */
static unsigned
systemd_version (struct linux_net *n)
{
  static const char *const places[] = { "/usr/lib/systemd", "/lib/systemd",
                                        "/usr/lib/x86_64-linux-gnu/systemd",
                                        "/usr/lib64/systemd" };
  const struct v2v_os_application *a =
      v2v_os_find_application (n->l->os, "systemd");

  if (a != NULL && a->version != NULL && *a->version >= '0' &&
      *a->version <= '9')
    return (unsigned) strtoul (a->version, NULL, 10);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (places); ++i) {
    CLEANUP_LIST char **files = v2v_guest_glob (
        n->l->g, places[i], "libsystemd-shared-[0-9]*.so", NULL);

    if (files != NULL && files[0] != NULL)
      return (unsigned) strtoul (strrchr (files[0], '-') + 1, NULL, 10);
  }
  return 0;
}

/* PermanentMACAddress leaves VLANs and bonds alone, which borrow the address
 * of their parent; it is understood since 245, and an unknown key would leave
 * a section that matches nothing. */
static int
write_link (struct linux_net *n, const char *name, const char *mac,
            struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL, *text = NULL;
  int r;

  if (asprintf (&path, "/etc/systemd/network/10-v2v-%s.link", name) == -1)
    path = NULL;
  r = mac == NULL ? asprintf (&text,
                              "# v2v: the interface keeps the name it had.\n"
                              "[Match]\nDriver=hv_netvsc\n\n[Link]\nName=%s\n",
                              name)
                  : asprintf (&text,
                              "# v2v: the interface keeps the name it had.\n"
                              "[Match]\n%s=%s\n\n[Link]\nName=%s\n",
                              systemd_version (n) >= 245 ? "PermanentMACAddress"
                                                         : "MACAddress",
                              mac, name);
  if (r == -1)
    text = NULL;
  if (path == NULL || text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_guest_mkdir (n->l->g, "/etc/systemd/network", 0, err) == -1 ||
      v2v_guest_write_text (n->l->g, path, text, 0644,
                            "the interface keeps its name", err) == -1)
    return -1;
  return 0;
}

/* DRIVERS=="?*" and the type keep it from VLANs and bonds, which have no
 * device above them. */
static int
write_rule (struct linux_net *n, const char *name, const char *mac,
            struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *old = v2v_guest_read_text (n->l->g, rules_file, &e);
  int r;

  if (e != NULL)
    return linux_tolerate (n->l, rules_file, e, err);
  if (old != NULL && v2v_str_append (&s, old) == -1)
    return v2v_fail_nomem (err);
  if (s.len > 0 && s.ptr[s.len - 1] != '\n' && v2v_str_append (&s, "\n") == -1)
    return v2v_fail_nomem (err);
  r = mac == NULL
          ? v2v_str_printf (&s,
                            "SUBSYSTEM==\"net\", ACTION==\"add\", "
                            "DRIVERS==\"hv_netvsc\", ATTR{type}==\"1\", "
                            "NAME=\"%s\"\n",
                            name)
          : v2v_str_printf (&s,
                            "SUBSYSTEM==\"net\", ACTION==\"add\", "
                            "DRIVERS==\"?*\", ATTR{address}==\"%s\", "
                            "ATTR{type}==\"1\", NAME=\"%s\"\n",
                            mac, name);
  if (r == -1)
    return v2v_fail_nomem (err);
  /* Is it there from an earlier run? */
  if (old != NULL && strstr (old, s.ptr + strlen (old)) != NULL)
    return 0;
  if (v2v_guest_mkdir (n->l->g, "/etc/udev/rules.d", 0, err) == -1 ||
      v2v_guest_write_text (n->l->g, rules_file, s.ptr, 0644,
                            "the interface keeps its name", err) == -1)
    return -1;
  return 0;
}

/* Is there a file whose name ends in SUFFIX that pins MAC? */
static bool
is_pinned (const struct linux_net *n, const char *mac, const char *suffix)
{
  for (size_t i = 0; mac != NULL && i < n->nr_answers; ++i) {
    const struct net_answer *a = &n->answers[i];
    const size_t len = a->file ? strlen (a->file) : 0;

    if (strcmp (a->mac, mac) == 0 && len > strlen (suffix) &&
        strcmp (a->file + len - strlen (suffix), suffix) == 0)
      return true;
  }
  return false;
}

int
net_write_pin (struct linux_net *n, const char *name, const char *mac,
               struct v2v_error **err)
{
  if (!is_pinned (n, mac, ".rules") && write_rule (n, name, mac, err) == -1)
    return -1;
  /* A .link file of the owner's for all adapters would no longer be read
   * behind ours; the rule is enough then. */
  if (!n->predictable || n->own_links || is_pinned (n, mac, ".link"))
    return 0;
  return write_link (n, name, mac, err);
}
