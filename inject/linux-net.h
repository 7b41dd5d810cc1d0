/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between linux-network.c, which decides, and one file per system that
 * configures a network, which reads it and loosens what is tied to VMware's
 * devices.
 */
#ifndef V2V_LINUX_NET_H
#define V2V_LINUX_NET_H

#include "formats/core/json.h"
#include "formats/core/text.h"
#include "inject/linux-edit.h"

/* A firewall has a hundred VLANs; more than this is an attack. */
#define NET_MAX_CONFIGS 1024
#define NET_MAX_ANSWERS 1024
/* Linux' IFNAMSIZ, with the NUL. */
#define NET_NAME_SIZE 16
#define NET_MAC_SIZE  18

/* What configures one interface, as far as it is understood. */
struct net_config {
  char name[NET_NAME_SIZE]; /* "" = not by name */
  char mac[NET_MAC_SIZE];   /* "" = not by address; lower case */
  const char *system;       /* "ifcfg", "keyfile", "netplan" ... */
  char *file;
  bool is_virtual; /* a bond, bridge, VLAN ...: no adapter */
  bool is_off;     /* not started by itself */
  bool is_dhcp;
  bool has_wildcard; /* matches by a pattern, like "en*" */
  /* Lists with a space between; NULL = none. */
  struct v2v_str addresses, routes, dns, mtu;
};

/* How sure it is that NAME had MAC; the surest first. */
enum net_rank {
  NET_RANK_CONFIG, /* the configuration says so */
  NET_RANK_SLOT,   /* the slot of the adapter, and a configuration of it */
  NET_RANK_LEASE,  /* a lease tells both */
  NET_RANK_ONLY,   /* one adapter, one name */
  NET_RANK_ORDER,  /* as many adapters as names */
  NET_RANK_NAMED,  /* nothing names it: it gets the name udev gave it */
};

struct net_answer {
  char name[NET_NAME_SIZE];
  char mac[NET_MAC_SIZE];
  enum net_rank rank;
  char *file; /* or NULL */
};

struct linux_net {
  struct linux_guest *l;
  const struct v2v_machine *machine; /* or NULL */
  struct net_config *configs;
  size_t nr_configs;
  struct net_answer *answers;
  size_t nr_answers;
  /* The address of the only adapter, or NULL when there are several or none
   * is known. */
  const char *only_mac;
  bool is_only;     /* one adapter, its address known or not */
  bool new_macs;    /* addresses are not kept */
  bool predictable; /* udev gives names by slot */
  bool own_links;   /* .link files of the owner's for all adapters */
};

/* ---- linux-net-common.c ---- */

/* A zeroed configuration of FILE; NULL when out of memory or too many. */
struct net_config *net_add_config (struct linux_net *n, const char *system,
                                   const char *file);
int net_add_answer (struct linux_net *n, enum net_rank rank, const char *name,
                    const char *mac, const char *file);
void net_clear (struct linux_net *n);

/* Names that the kernel takes and that are safe in a file name and a rule. */
bool net_is_name (const char *s, size_t len);
/* Set c->name, if S is one; the part before ':' of an alias. */
void net_set_name (struct net_config *c, const char *s, size_t len);
/* "00:50:56:AA:bb:cc", "00-50-..."; false if it is none. */
bool net_parse_mac (const char *s, size_t len, char out[NET_MAC_SIZE]);
void net_set_mac (struct net_config *c, const char *s, size_t len);
/* Add a word to a list. */
int net_add_word (struct v2v_str *list, const char *s, size_t len);
/* bond0, br0, ens192.100 ...: nothing that a MAC address belongs to. */
bool net_is_virtual_name (const char *name);
/* A driver of VMware's adapters. */
bool net_is_old_driver (const char *s, size_t len);
/* Is this the address of an adapter of the machine? */
bool net_is_ours (const struct linux_net *n, const char *mac);
/* Text with CONFIGS of this file, for a reader that is called per line. */
int net_read_lines (struct linux_net *n, const char *path, linux_edit_fn f,
                    void *arg, struct v2v_error **err);
/* The finding that FILE is tied to a place on VMware's bus. */
int net_find_bus_bound (struct linux_net *n, const char *file,
                        struct v2v_error **err);
int net_find_ethtool (struct linux_net *n, const char *file,
                      struct v2v_error **err);

/* Lines of "[section]" and "key=value": systemd, NetworkManager. */
struct net_ini {
  char section[64];
  const char *key, *value;
  size_t key_len, value_len; /* blanks around them are cut */
};
/* true = LINE is a key with a value. */
bool net_ini_line (struct net_ini *ini, const char *line);
bool net_ini_is (const struct net_ini *ini, const char *section,
                 const char *key);

struct v2v_json *net_to_json (const struct linux_net *n);

/* ---- one per system: read, then loosen ---- */

int net_read_ifcfg (struct linux_net *n, struct v2v_error **err);
int net_loosen_ifcfg (struct linux_net *n, struct v2v_error **err);
int net_read_keyfiles (struct linux_net *n, struct v2v_error **err);
int net_loosen_keyfiles (struct linux_net *n, struct v2v_error **err);
int net_read_netplan (struct linux_net *n, struct v2v_error **err);
int net_loosen_netplan (struct linux_net *n, struct v2v_error **err);
int net_read_ifupdown (struct linux_net *n, struct v2v_error **err);
int net_read_networkd (struct linux_net *n, struct v2v_error **err);
int net_loosen_networkd (struct linux_net *n, struct v2v_error **err);
int net_read_udev (struct linux_net *n, struct v2v_error **err);
int net_loosen_udev (struct linux_net *n, struct v2v_error **err);
/* The rule and the .link file that give MAC the name; MAC NULL = the only
 * adapter, by its driver. */
int net_write_pin (struct linux_net *n, const char *name, const char *mac,
                   struct v2v_error **err);
/* DHCP leases, as evidence. */
int net_read_leases (struct linux_net *n, struct v2v_error **err);

/* Read everything. */
int net_read (struct linux_net *n, struct linux_guest *l,
              struct v2v_error **err);

#endif /* V2V_LINUX_NET_H */
