/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests with a network configuration, constructed, and machines with adapters.
 */
#ifndef NET_TREE_H
#define NET_TREE_H

#include "formats/machine.h"
#include "guest-tree.h"
#include "inject/linux-internal.h"

#define RULES      "/etc/udev/rules.d/70-persistent-net.rules"
#define LINK(name) "/etc/systemd/network/10-v2v-" name ".link"
#define PIN(mac, name)                                                         \
  "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", "                     \
  "ATTR{address}==\"" mac "\", ATTR{type}==\"1\", NAME=\"" name "\"\n"
#define M1 "00:50:56:aa:bb:01"
#define M2 "00:50:56:aa:bb:02"
#define M3 "00:50:56:aa:bb:03"

/* udev as of systemd 209 and later. */
#define MODERN                                                                 \
  {                                                                            \
    .path = "/usr/lib/udev/rules.d/80-net-setup-link.rules", .text = ""        \
  }
#define END                                                                    \
  {                                                                            \
    .path = NULL                                                               \
  }

struct net_tree {
  char *dir;
  struct v2v_guest *g;
  struct v2v_machine *m;
  bool stale;
};

/* A machine with NR adapters; MACS may have NULLs, SLOTS may be NULL. */
struct v2v_machine *net_tree_machine (size_t nr, const char *const macs[],
                                      const unsigned slots[]);
struct v2v_machine *net_tree_one (void);
struct v2v_machine *net_tree_two (void);
/* linux_keep_network once. */
void net_tree_convert (struct net_tree *t);
/* Make the tree and convert it; M is taken over. */
struct net_tree net_tree_begin (const struct guest_tree_entry *tree,
                                struct v2v_machine *m, bool new_macs);
/* A second conversion must change nothing; frees all. */
void net_tree_end (struct net_tree *t);
const struct v2v_finding *net_tree_finding (const struct net_tree *t,
                                            const char *id);
void net_tree_no_findings (const struct net_tree *t);

#endif /* NET_TREE_H */
