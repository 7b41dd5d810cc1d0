/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network adapters of a Windows guest as its registry knows them. */
#ifndef V2V_WINDOWS_NETWORK_H
#define V2V_WINDOWS_NETWORK_H

#include "formats/core/vector.h"
#include "formats/machine.h"
#include "inject/windows-internal.h"

/* Of one adapter: more is an attack (v2vfirstboot.exe has the same bound). */
#define WINDOWS_MAX_ADDRESSES 64
/* VMware has 10 adapters; removed ones stay in the registry. */
#define WINDOWS_MAX_NICS 64

struct windows_ipv4 {
  char text[16]; /* dotted, checked */
};
struct windows_address {
  struct windows_ipv4 address, mask;
};
struct windows_gateway {
  struct windows_ipv4 address;
  uint32_t metric; /* 0 = automatic */
};

/* As inet_ntop writes it. */
struct windows_ipv6 {
  char text[46];
};
struct windows_address6 {
  struct windows_ipv6 address;
  uint32_t length; /* of its prefix, 1..128 */
};
struct windows_route6 {
  struct windows_ipv6 prefix, gateway;
  uint32_t length; /* 0..128 */
  uint32_t metric; /* 0 = automatic */
};

struct windows_nic {
  char *guid;        /* "{...}" as in the registry: the interface */
  char *name;        /* of the connection, NULL = none or not to be used */
  const char *model; /* "e1000", "vmxnet3" ...: what VMware calls it */
  bool has_slot;
  uint64_t slot;  /* orders adapters of one model */
  bool is_static; /* has addresses of its own */
  struct windows_address addresses[WINDOWS_MAX_ADDRESSES];
  size_t nr_addresses;
  struct windows_gateway gateways[WINDOWS_MAX_ADDRESSES];
  size_t nr_gateways;
  struct windows_ipv4 dns[WINDOWS_MAX_ADDRESSES];
  size_t nr_dns;
  struct windows_ipv4 wins[WINDOWS_MAX_ADDRESSES];
  size_t nr_wins;
  bool has_luid;
  uint8_t luid[8]; /* as the network stack stores it */
  struct windows_address6 addresses6[WINDOWS_MAX_ADDRESSES];
  size_t nr_addresses6;
  struct windows_route6 routes6[WINDOWS_MAX_ADDRESSES];
  size_t nr_routes6;
  struct windows_ipv6 dns6[WINDOWS_MAX_ADDRESSES];
  size_t nr_dns6;
  char *domain; /* or NULL */
  bool has_netbios, has_mtu, has_metric;
  uint32_t netbios, mtu, metric;
  const struct v2v_nic *pair; /* of the machine, or NULL: undecided */
};
V2V_VECTOR (windows_nic_vector, struct windows_nic *);

void windows_nics_clear (windows_nic_vector *nics);
/* Those that VMware had, of the control set SET.  Values that are no
 * addresses are left out, with a finding. */
int windows_read_nics (struct windows_guest *w, const char *set,
                       windows_nic_vector *ret, struct v2v_error **err);
/* ---- windows-network-ipv6.c ---- */

/* NetLuidIndex and *IfType of the adapter's class key. */
int windows_read_luid (struct windows_guest *w, const char *class_key,
                       struct windows_nic *n, struct v2v_error **err);
/* Static addresses, routes and name servers of NICS, which are read already;
 * addresses of other interfaces are a finding. */
int windows_read_ipv6 (struct windows_guest *w, const char *set,
                       windows_nic_vector *nics, struct v2v_error **err);
/* Take what was read of N out of every control set. */
int windows_clear_ipv6 (struct windows_guest *w, const struct windows_nic *n,
                        struct v2v_error **err);
/* An address of a host; canonical in RET. */
bool windows_parse_ipv6 (const char *s, struct windows_ipv6 *ret);

/* ---- windows-network-read.c ---- */

/* Fill "pair": one with one, if no other fits; else by model, in the order of their slots. */
void windows_pair_nics (windows_nic_vector *nics, const struct v2v_machine *m);

/* Dotted decimal, four parts, nothing else; canonical in RET. */
bool windows_parse_ipv4 (const char *s, struct windows_ipv4 *ret);
/* A mask of leading ones. */
bool windows_is_mask (const struct windows_ipv4 *m);
/* What Windows allows in the name of a connection, and no control
 * characters. */
bool windows_is_connection_name (const char *name);

#endif /* V2V_WINDOWS_NETWORK_H */
