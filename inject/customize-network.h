/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the writers of network settings of a Linux guest. */
#ifndef V2V_CUSTOMIZE_NETWORK_H
#define V2V_CUSTOMIZE_NETWORK_H

#include "inject/customize-internal.h"

#define WHY "the network of the profile"

#define RED_HAT  "/etc/sysconfig/network-scripts"
#define SUSE     "/etc/sysconfig/network"
#define NM       "/etc/NetworkManager/system-connections"
#define NETPLAN  "/etc/netplan"
#define NETWORKD "/etc/systemd/network"
#define IFUPDOWN "/etc/network/interfaces"

/* Interface names end in file names: IFNAMSIZ. */
#define MAX_INTERFACE 16

/* The name of card I of the profile, for systems that know no MAC: the one the
 * profile gives (pinned), the one the guest has for this MAC, the only one it
 * has, or the one the kernel will make up, which is a finding. */
int network_interface_name (struct customize *c, size_t i,
                            char out[MAX_INTERFACE], struct v2v_error **err);
/* Hide the file PATH from all who read its folder. */
int network_set_aside (struct customize *c, const char *path,
                       struct v2v_error **err);
bool network_is_v6 (const char *address);

int network_write_red_hat (struct customize *c, struct v2v_error **err);
int network_write_suse (struct customize *c, struct v2v_error **err);
int network_write_ifupdown (struct customize *c, struct v2v_error **err);

#endif /* V2V_CUSTOMIZE_NETWORK_H */
