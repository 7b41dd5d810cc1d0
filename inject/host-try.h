/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does an appliance start on this host, and what can it do? */
#ifndef V2V_HOST_TRY_H
#define V2V_HOST_TRY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "formats/core/error.h"

struct v2v_host_trial {
  double seconds; /* until it answered */
  bool kvm;       /* by KVM, */
  bool fallback;  /* which was there and did not answer */
  bool ntfs, xfs, btrfs, lvm, luks, selinux;
};

/* Start one, ask, end it.  CANCEL may be NULL. */
int v2v_host_try_appliance (const atomic_bool *cancel,
                            struct v2v_host_trial *ret, struct v2v_error **err);

#endif /* V2V_HOST_TRY_H */
