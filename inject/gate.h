/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate: what speaks against changing a guest, before any byte is copied.
 *
 * In order: v2v_guest_gate_disks before the appliance is started;
 * v2v_guest_gate_filesystem for what only the appliance can see (logical
 * volumes, opened LUKS), before anything is mounted; v2v_guest_gate_roots when
 * it was inspected; v2v_guest_gate when it is mounted.  Each adds findings
 * (ids "guest.gate.*", remedies) and goes on looking, so that all reasons are
 * known at once; v2v_guest_gate_verdict makes an error of the critical ones.
 * v2v_guest_gate_disks and v2v_guest_gate end with the verdict themselves.
 */
#ifndef V2V_GATE_H
#define V2V_GATE_H

#include "formats/core/error.h"
#include "formats/findings.h"
#include "formats/image.h"
#include "inject/fs-probe.h"
#include "inject/guest.h"

/* Look at all partitions of DISKS[0..nr-1] (NULL: blank disks).  OPTS may be
 * NULL.  V2V_ERR_GUEST when the guest is to be refused. */
int v2v_guest_gate_disks (struct v2v_image *const *disks, size_t nr,
                          const struct v2v_guest_opts *opts,
                          struct v2v_findings *findings,
                          struct v2v_error **err);

/* One file system; SUBJECT ("/dev/vg/root") is for the finding. */
int v2v_guest_gate_filesystem (const struct v2v_fs_state *s,
                               const char *subject,
                               const struct v2v_guest_opts *opts,
                               struct v2v_findings *findings,
                               struct v2v_error **err);

/* Which of ROOTS[0..nr-1] (devices, as inspection names them) is the one?
 * WANTED (NULL: there is only one) is a device, a number from 1 or "first".  Sets
 * *RET_INDEX; 1 = chosen, 0 = there is none (a finding: copied as data), -1 =
 * several and none was named, or no such one. */
int v2v_guest_gate_roots (const char *const *roots, size_t nr,
                          const char *wanted, struct v2v_findings *findings,
                          size_t *ret_index, struct v2v_error **err);

/* A mounted guest: space and inodes, hiberfil.sys, CompactOS. */
int v2v_guest_gate (struct v2v_guest *g, struct v2v_error **err);

/* V2V_ERR_GUEST with the first critical "guest.gate.*" and how many there
 * are. */
int v2v_guest_gate_verdict (const struct v2v_findings *findings,
                            struct v2v_error **err);

#endif /* V2V_GATE_H */
