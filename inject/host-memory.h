/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found out about this host since it was started. */
#ifndef V2V_HOST_MEMORY_H
#define V2V_HOST_MEMORY_H

/* What the appliance gets.  LUKS2 opens a key with up to 1 GiB (Argon2id);
 * SELinux labels of large folders need as much. */
#define V2V_APPLIANCE_MEMORY_MIB 2560

#include <stdbool.h>

/* Did an appliance by KVM fail to answer?  False when nothing is known. */
bool v2v_host_kvm_hangs (void);
/* As far as it can be kept. */
void v2v_host_remember_kvm_hangs (void);

#endif /* V2V_HOST_MEMORY_H */
