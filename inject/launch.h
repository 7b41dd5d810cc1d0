/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An appliance of libguestfs that can be ended: started with a limit, by KVM
 * where that works and in software where it does not, killed when a command
 * inside takes too long or the user interrupts.
 */
#ifndef V2V_LAUNCH_H
#define V2V_LAUNCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <guestfs.h>

#include "formats/core/error.h"

struct v2v_appliance;

/* A disk of the appliance: an overlay of ours, written. */
struct v2v_appliance_drive {
  const char *path;
  const char *format;    /* always explicit: "qcow2", "raw" */
  uint32_t sector_bytes; /* 512 or 4096 */
};

/* How the processor of the appliance is made. */
enum v2v_accelerator {
  V2V_ACCEL_KVM,
  V2V_ACCEL_NONE,     /* no usable /dev/kvm, or emulation was asked for */
  V2V_ACCEL_FALLBACK, /* KVM was there and did not answer: emulation */
};

/* The seconds an appliance by KVM has to answer, unless the environment
 * variable V2V_APPLIANCE_TIMEOUT says otherwise. */
#define V2V_APPLIANCE_SECONDS 60

/* Start it on DRIVES, in this order.  SECONDS: 0 = as above.  CANCEL may be
 * NULL; once it is true the appliance is killed and every call fails with
 * V2V_ERR_INTERRUPTED. */
struct v2v_appliance *
v2v_appliance_start (const struct v2v_appliance_drive *drives, size_t n,
                     unsigned seconds, const atomic_bool *cancel,
                     struct v2v_error **err);
guestfs_h *v2v_appliance_guestfs (struct v2v_appliance *a);
enum v2v_accelerator v2v_appliance_accelerator (const struct v2v_appliance *a);

/* Kill it unless another limit is set within SECONDS; 0 = some hours. */
void v2v_appliance_limit (struct v2v_appliance *a, unsigned seconds);

/* Make an error of the last failure of libguestfs: "WHAT: reason", or that
 * the appliance was ended and why.  Returns -1. */
int v2v_appliance_fail (struct v2v_appliance *a, struct v2v_error **err,
                        const char *what, ...)
    __attribute__ ((format (printf, 3, 4)));

/* End it in order, all writes made; late write errors appear here. */
int v2v_appliance_stop (struct v2v_appliance *a, struct v2v_error **err);
/* Accepts NULL; kills what still runs; never fails. */
void v2v_appliance_close (struct v2v_appliance *a);

#endif /* V2V_LAUNCH_H */
