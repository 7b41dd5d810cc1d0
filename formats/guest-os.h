/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest operating system needs of Hyper-V, by VMware's guestOS id (both
 * spellings: "windows9srv-64", "windows9Server64Guest") or the CIM number of
 * an OVF.
 */
#ifndef V2V_GUEST_OS_H
#define V2V_GUEST_OS_H

#include <stdbool.h>

enum v2v_os_family {
  V2V_OS_OTHER,
  V2V_OS_WINDOWS,
  V2V_OS_LINUX,
  V2V_OS_FREEBSD,
};

struct v2v_guest_os {
  enum v2v_os_family family;
  char name[64];     /* for people */
  unsigned bits;     /* 32, 64; 0 = the id does not tell */
  bool known;        /* the id was in the table */
  bool generation2;  /* may run in a generation 2 machine */
  bool legacy_nic;   /* has no driver for the synthetic adapter */
  bool nt_era;       /* needs -CompatibilityForOlderOperatingSystemsEnabled */
  bool no_support;   /* never had Hyper-V's drivers */
  bool never_starts; /* cannot run on Hyper-V at all: macOS */
  bool arm;          /* for ARM processors */
};

/* OS_ID may be NULL; CIM 0 = unknown.  The id wins: it is more exact. */
struct v2v_guest_os v2v_guest_os_lookup (const char *os_id, int cim);

const char *v2v_os_family_name (enum v2v_os_family f); /* "windows" */

#endif /* V2V_GUEST_OS_H */
