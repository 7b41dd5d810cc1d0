/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network of a Linux guest: each interface keeps the name that it had on
 * VMware, pinned to its address of hardware, so that no other file (addresses,
 * routes, firewalls, bonds, VLANs) needs a change.  What is tied to VMware's
 * drivers or bus is loosened.
 *
 * Which name had which address?  The surest answer counts:
 *   1. a configuration, rule or .link file has both;
 *   2. the name is "ens" and the number of the adapter's slot;
 *   3. a DHCP lease has both;
 *   4. there is one adapter and one name;
 *   5. there are as many names as adapters: by the order of VMware's slots.
 * Two different answers of the first kind: nothing is written, a finding.
 *
 * Names eth0, eth1 ... are the kernel's: new udev cannot exchange two of them
 * (systemd 197 gave it up), so that they are pinned only where no adapter of
 * the machine can get in the way, and for old udev, which can.
 *
 * Source: systemd.net-naming-scheme(7); systemd's NEWS of 197; VMware's slots
 * 160, 192, 224, 256, then 161, 193 ... as pciSlotNumber in .vmx files.
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

/* ---- reading ---- */

static bool
file_has (struct v2v_guest *g, const char *path, const char *const words[])
{
  CLEANUP_FREE char *text = v2v_guest_read_text (g, path, NULL);

  for (size_t i = 0; text != NULL && words[i] != NULL; ++i)
    if (strstr (text, words[i]) != NULL)
      return true;
  return false;
}

static bool
folder_has (struct v2v_guest *g, const char *folder, const char *pattern,
            const char *const words[])
{
  CLEANUP_LIST char **files = v2v_guest_glob (g, folder, pattern, NULL);

  for (size_t i = 0; files != NULL && files[i] != NULL; ++i)
    if (v2v_guest_is_file (g, files[i]) && file_has (g, files[i], words))
      return true;
  return false;
}

bool
linux_command_line_has (struct v2v_guest *g, const char *const words[])
{
  static const char *const files[] = {
    "/etc/default/grub",
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub/grub.conf",
    "/boot/grub/menu.lst",
    "/etc/kernel/cmdline",
    "/boot/grub2/grubenv",
    "/boot/extlinux.conf",
    "/boot/extlinux/extlinux.conf",
  };
  static const char *const folders[] = { "/boot/loader/entries",
                                         "/boot/efi/loader/entries",
                                         "/efi/loader/entries" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (v2v_guest_is_file (g, files[i]) && file_has (g, files[i], words))
      return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i)
    if (folder_has (g, folders[i], "*.conf", words))
      return true;
  return false;
}

/* Does udev know .link files (since 209), and does it give names? */
static void
look_at_udev (struct linux_net *n)
{
  n->predictable =
      v2v_guest_is_file (n->l->g,
                         "/usr/lib/udev/rules.d/80-net-setup-link.rules") ||
      v2v_guest_is_file (n->l->g, "/lib/udev/rules.d/80-net-setup-link.rules");
}

static bool
names_are_off (struct linux_net *n)
{
  static const char *const off[] = { "net.ifnames=0", NULL };
  CLEANUP_FREE char *target = v2v_guest_readlink (
      n->l->g, "/etc/systemd/network/99-default.link", NULL);
  CLEANUP_FREE char *rules = v2v_guest_readlink (
      n->l->g, "/etc/udev/rules.d/80-net-setup-link.rules", NULL);

  return (target != NULL && strcmp (target, "/dev/null") == 0) ||
         (rules != NULL && strcmp (rules, "/dev/null") == 0) ||
         linux_command_line_has (n->l->g, off);
}

int
net_read (struct linux_net *n, struct linux_guest *l, struct v2v_error **err)
{
  static int (*const readers[]) (struct linux_net *, struct v2v_error **) = {
    net_read_udev,    net_read_networkd, net_read_ifcfg,  net_read_keyfiles,
    net_read_netplan, net_read_ifupdown, net_read_leases,
  };

  memset (n, 0, sizeof *n);
  n->l = l;
  n->machine = v2v_guest_machine (l->g);
  n->new_macs = v2v_guest_get_opts (l->g)->new_macs;
  n->is_only = n->machine != NULL && n->machine->nr_nics == 1;
  if (n->is_only)
    n->only_mac = n->machine->nics[0].mac;
  look_at_udev (n);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (readers); ++i)
    if (readers[i](n, err) == -1)
      return -1;
  return 0;
}

/* ---- deciding ---- */

struct nic {
  const struct v2v_nic *nic;
  char name[NET_NAME_SIZE]; /* "" = none so far */
  enum net_rank rank;
  bool conflict;
};

struct decision {
  struct linux_net *n;
  struct nic *nics;
  size_t nr;
};

static bool
is_taken (const struct decision *d, const char *name)
{
  for (size_t i = 0; i < d->nr; ++i)
    if (strcmp (d->nics[i].name, name) == 0)
      return true;
  return false;
}

/* An adapter's name that a configuration has: not a pattern, not of software.
 */
static bool
is_candidate (const struct net_config *c)
{
  return *c->name && !c->is_virtual && !c->is_off;
}

static bool
is_configured (const struct linux_net *n, const char *name)
{
  for (size_t i = 0; i < n->nr_configs; ++i)
    if (strcmp (n->configs[i].name, name) == 0 && !n->configs[i].is_virtual)
      return true;
  return false;
}

/* 1 and 3: the answers of RANK. */
static int
by_answers (struct decision *d, enum net_rank rank, struct v2v_error **err)
{
  for (size_t i = 0; i < d->nr; ++i) {
    struct nic *nic = &d->nics[i];
    const struct net_answer *first = NULL;

    if (nic->nic->mac == NULL || *nic->name || nic->conflict)
      continue;
    for (size_t j = 0; j < d->n->nr_answers; ++j) {
      const struct net_answer *a = &d->n->answers[j];

      if (a->rank != rank || strcasecmp (a->mac, nic->nic->mac) != 0)
        continue;
      if (first == NULL)
        first = a;
      else if (strcmp (first->name, a->name) != 0) {
        nic->conflict = true;
        if (linux_finding (d->n->l, V2V_WARNING, "guest.network.conflict",
                           nic->nic->mac,
                           "name the interface in the guest by hand", err,
                           "%s says that this adapter is '%s', %s that it is "
                           "'%s': no name is written",
                           first->file, first->name, a->file, a->name) == -1)
          return -1;
        break;
      }
    }
    if (first == NULL || nic->conflict)
      continue;
    memcpy (nic->name, first->name, sizeof nic->name);
    nic->rank = rank;
  }
  return 0;
}

/* One name for two adapters. */
static int
find_double_names (struct decision *d, struct v2v_error **err)
{
  for (size_t i = 0; i < d->nr; ++i)
    for (size_t j = i + 1; j < d->nr; ++j) {
      if (!*d->nics[i].name || strcmp (d->nics[i].name, d->nics[j].name) != 0)
        continue;
      if (linux_finding (d->n->l, V2V_WARNING, "guest.network.conflict",
                         d->nics[j].nic->mac,
                         "name the interfaces in the guest by hand", err,
                         "'%s' is the name of two adapters, %s and %s: no "
                         "name is written",
                         d->nics[i].name, d->nics[i].nic->mac,
                         d->nics[j].nic->mac) == -1)
        return -1;
      d->nics[i].conflict = d->nics[j].conflict = true;
      *d->nics[j].name = '\0';
      *d->nics[i].name = '\0';
      break;
    }
  return 0;
}

/* 2: "ens192" in slot 192. */
static void
by_slot (struct decision *d)
{
  for (size_t i = 0; i < d->nr; ++i) {
    struct nic *nic = &d->nics[i];
    char name[NET_NAME_SIZE];

    if (*nic->name || nic->conflict || nic->nic->pci_slot == 0)
      continue;
    snprintf (name, sizeof name, "ens%u", nic->nic->pci_slot);
    if (!is_configured (d->n, name) || is_taken (d, name))
      continue;
    memcpy (nic->name, name, sizeof name);
    nic->rank = NET_RANK_SLOT;
  }
}

/* The order in which VMware fills its slots: 160, 192, 224, 256, 161 ...; and
 * plain numbers for eth. */
static unsigned long
order_of (const char *name)
{
  const char *digits = name + strcspn (name, "0123456789");
  const unsigned long v = strtoul (digits, NULL, 10);

  return strncmp (name, "ens", 3) == 0 ? (v & 31) << 16 | (v & 0xffff) : v;
}

static int
compare_order (const void *a, const void *b)
{
  const char *x = a, *y = b;
  const unsigned long i = order_of (x), j = order_of (y);

  return i < j ? -1 : i > j ? 1 : strcmp (x, y);
}

/* Names that no adapter has so far, each once, in VMware's order. */
static char (*free_names (struct decision *d, size_t *ret_nr))[NET_NAME_SIZE]
{
  char (*names)[NET_NAME_SIZE] = calloc (d->n->nr_configs + 1, sizeof *names);
  size_t nr = 0;

  for (size_t i = 0; names != NULL && i < d->n->nr_configs; ++i) {
    const struct net_config *c = &d->n->configs[i];
    bool seen = is_taken (d, c->name);

    for (size_t j = 0; j < nr; ++j)
      seen = seen || strcmp (names[j], c->name) == 0;
    if (is_candidate (c) && !seen)
      memcpy (names[nr++], c->name, sizeof *names);
  }
  if (nr > 1)
    qsort (names, nr, sizeof *names, compare_order);
  *ret_nr = nr;
  return names;
}

/* Do the names form one series, so that their order means something? */
static bool
is_series (char (*names)[NET_NAME_SIZE], size_t nr)
{
  const size_t len = strcspn (names[0], "0123456789");

  for (size_t i = 0; i < nr; ++i)
    if (strncmp (names[i], names[0], len) != 0 ||
        !isdigit ((unsigned char) names[i][len]))
      return false;
  return strncmp (names[0], "ens", 3) == 0 || strncmp (names[0], "eth", 3) == 0;
}

/* 4 and 5. */
static int
by_count (struct decision *d, struct v2v_error **err)
{
  CLEANUP_FREE char (*names)[NET_NAME_SIZE] = NULL;
  size_t nr = 0, left = 0, at = 0;

  names = free_names (d, &nr);
  if (names == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < d->nr; ++i)
    left += !*d->nics[i].name;
  if (left == 0 || nr != left || (nr > 1 && !is_series (names, nr)))
    return 0;
  for (size_t i = 0; i < d->nr; ++i)
    if (d->nics[i].conflict)
      return 0;
  for (size_t i = 0; i < d->nr; ++i) {
    struct nic *nic = &d->nics[i];

    if (*nic->name)
      continue;
    memcpy (nic->name, names[at++], sizeof nic->name);
    nic->rank = nr == 1 ? NET_RANK_ONLY : NET_RANK_ORDER;
    if (nr > 1 && linux_finding (
                      d->n->l, V2V_WARNING, "guest.network.by-order", nic->name,
                      "compare with the adapters of the source", err,
                      "nothing tells which adapter this interface was; by "
                      "the order of VMware's slots it is %s",
                      nic->nic->mac ? nic->nic->mac : nic->nic->id) == -1)
      return -1;
  }
  return 0;
}

/* No configuration names it, but one with a pattern ("en*") may be waiting. */
static void
by_pattern (struct decision *d)
{
  bool pattern = false;

  for (size_t i = 0; i < d->n->nr_configs; ++i)
    pattern = pattern ||
              (d->n->configs[i].has_wildcard && !d->n->configs[i].is_virtual);
  if (!pattern || !d->n->predictable || names_are_off (d->n))
    return;
  for (size_t i = 0; i < d->nr; ++i) {
    static const unsigned slots[] = { 160, 192, 224, 256 };
    struct nic *nic = &d->nics[i];
    char name[NET_NAME_SIZE];

    if (*nic->name || nic->conflict)
      continue;
    snprintf (name, sizeof name, "ens%u",
              nic->nic->pci_slot != 0 ? nic->nic->pci_slot
                                      : slots[i % 4] + (unsigned) (i / 4 % 32));
    if (is_taken (d, name) || is_configured (d->n, name))
      continue;
    memcpy (nic->name, name, sizeof name);
    nic->rank = NET_RANK_NAMED;
  }
}

/* ---- writing ---- */

/* "eth7": 7; -1 = another name. */
static long
kernel_number (const char *name)
{
  char *end;
  long v;

  if (strncmp (name, "eth", 3) != 0 || !isdigit ((unsigned char) name[3]))
    return -1;
  v = strtol (name + 3, &end, 10);
  return *end == '\0' ? v : -1;
}

/* Would the kernel give this name to another adapter? */
static bool
may_collide (const struct decision *d, const char *name)
{
  const long k = kernel_number (name);

  return k >= 0 && (size_t) k < d->nr;
}

static int
write_pins (struct decision *d, struct v2v_error **err)
{
  bool kernel_names = false, unpinned = false;

  for (size_t i = 0; i < d->nr; ++i) {
    const struct nic *nic = &d->nics[i];
    const char *mac = d->n->new_macs ? NULL : nic->nic->mac;

    if (!*nic->name) {
      unpinned = unpinned || !nic->conflict;
      continue;
    }
    if (may_collide (d, nic->name) && (d->n->predictable || d->nr == 1)) {
      /* Its own number in a machine of one; else the configuration's own way
       * by address, if it has one. */
      if (d->nr > 1 && (nic->rank != NET_RANK_CONFIG || d->n->new_macs))
        kernel_names = true;
      continue;
    }
    if (mac == NULL && d->nr > 1) {
      unpinned = true;
      continue;
    }
    if (net_write_pin (d->n, nic->name, mac, err) == -1)
      return -1;
  }
  if (kernel_names &&
      linux_finding (d->n->l, V2V_WARNING, "guest.network.kernel-names", NULL,
                     "compare names and addresses after the first start, or "
                     "tie each configuration to an address",
                     err,
                     "interfaces are named eth0, eth1 ... in the order in "
                     "which the kernel finds them, which may be another one "
                     "on Hyper-V") == -1)
    return -1;
  if (unpinned && d->n->nr_configs > 0 &&
      linux_finding (d->n->l, V2V_WARNING, "guest.network.unpinned", NULL,
                     "compare names and addresses after the first start", err,
                     "it is not known which interface had which adapter, or "
                     "the adapters get new addresses: names are not kept") ==
          -1)
    return -1;
  return 0;
}

static int
decide (struct linux_net *n, struct v2v_error **err)
{
  CLEANUP_FREE struct nic *nics = NULL;
  struct decision d = { .n = n };

  if (n->machine == NULL || n->machine->nr_nics == 0)
    return 0;
  nics = calloc (n->machine->nr_nics, sizeof *nics);
  if (nics == NULL)
    return v2v_fail_nomem (err);
  d.nics = nics;
  d.nr = n->machine->nr_nics;
  for (size_t i = 0; i < d.nr; ++i)
    nics[i].nic = &n->machine->nics[i];
  if (by_answers (&d, NET_RANK_CONFIG, err) == -1 ||
      find_double_names (&d, err) == -1)
    return -1;
  by_slot (&d);
  if (by_answers (&d, NET_RANK_LEASE, err) == -1 ||
      find_double_names (&d, err) == -1 || by_count (&d, err) == -1)
    return -1;
  by_pattern (&d);
  return write_pins (&d, err);
}

/* An interface that the initramfs has brought up is not renamed any more:
 * only then its copies of rules and .link files count. */
static bool
initramfs_uses_network (struct v2v_guest *g)
{
  static const char *const words[] = { " ip=",     "rd.neednet", "netroot=",
                                       "nfsroot=", " ifname=",   "rd.iscsi",
                                       "\"ip=",    "root=nfs",   NULL };
  static const char *const files[] = {
    "/etc/dropbear/initramfs/authorized_keys",
    "/etc/dropbear-initramfs/authorized_keys",
    "/etc/tinyssh/root_key",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (v2v_guest_is_file (g, files[i]))
      return true;
  return linux_command_line_has (g, words);
}

int
linux_keep_network (struct linux_guest *l, struct v2v_error **err)
{
  struct linux_net n;
  const size_t before = v2v_guest_journal (l->g)->len;
  int r = net_read (&n, l, err);

  if (r == 0)
    r = decide (&n, err);
  if (r == 0 &&
      (net_loosen_udev (&n, err) == -1 || net_loosen_networkd (&n, err) == -1 ||
       net_loosen_ifcfg (&n, err) == -1 ||
       net_loosen_keyfiles (&n, err) == -1 ||
       net_loosen_netplan (&n, err) == -1))
    r = -1;
  net_clear (&n);
  if (r == 0 && v2v_guest_journal (l->g)->len > before &&
      initramfs_uses_network (l->g))
    l->initramfs_is_stale = true;
  return r;
}

struct v2v_json *
v2v_linux_network_to_json (struct v2v_guest *g, struct v2v_error **err)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  const size_t nr_findings = v2v_guest_findings (g)->len;
  struct linux_net n;
  struct v2v_json *j = NULL;

  if (net_read (&n, &l, err) == 0) {
    j = net_to_json (&n);
    if (j == NULL)
      v2v_fail_nomem (err);
  }
  net_clear (&n);
  /* What is wrong with a file is for the conversion to say. */
  v2v_findings_truncate (v2v_guest_findings (g), nr_findings);
  return j;
}
