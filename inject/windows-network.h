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
