/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between network-file.c, which reads what adapters shall have, and network.c,
 * which gives it to them. */
#ifndef FB_NETWORK_H
#define FB_NETWORK_H

#include "fb.h"

#include <stdint.h>

#define MAX_NICS       64
#define MAX_ADDRESSES  64
#define NAME_MAX_CHARS 256
#define IPV6_CHARS     46

struct nic {
  BYTE mac[6];
  bool any;
  wchar_t name[NAME_MAX_CHARS];
  wchar_t domain[NAME_MAX_CHARS];
  wchar_t address[MAX_ADDRESSES][16], mask[MAX_ADDRESSES][16];
  wchar_t gateway[MAX_ADDRESSES][16];
  DWORD gateway_metric[MAX_ADDRESSES];
  wchar_t dns[MAX_ADDRESSES][16];
  wchar_t wins[MAX_ADDRESSES][16];
  size_t nr_addresses, nr_gateways, nr_dns, nr_wins;
  wchar_t address6[MAX_ADDRESSES][IPV6_CHARS + 4]; /* with its length */
  wchar_t route6[MAX_ADDRESSES][IPV6_CHARS + 4];
  wchar_t gateway6[MAX_ADDRESSES][IPV6_CHARS];
  DWORD route6_metric[MAX_ADDRESSES];
  wchar_t dns6[MAX_ADDRESSES][IPV6_CHARS];
  size_t nr_addresses6, nr_routes6, nr_dns6;
  DWORD netbios, mtu, metric; /* UINT32_MAX = not said */
  bool done;                  /* set, perhaps at an earlier attempt, ... */
  bool failed;                /* ... not all of it */
  /* found: */
  bool found;
  DWORD index;
  wchar_t connection[NAME_MAX_CHARS];
  char guid[64];
};

struct network {
  struct nic nics[MAX_NICS];
  size_t nr_nics;
  wchar_t routes[MAX_ADDRESSES][NAME_MAX_CHARS];
  size_t nr_routes;
  bool vista; /* netsh's names since then */
  bool print_only;
  bool failed; /* of the adapter at hand */
};

/* False: FILE cannot be read, or is none of ours. */
bool fb_network_read (struct network *n, const wchar_t *file);

#endif /* FB_NETWORK_H */
