/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linux guests: from VMware to Hyper-V, offline. */
#ifndef V2V_LINUX_H
#define V2V_LINUX_H

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "inject/guest.h"

/* Change the Linux guest G (mounted, its v2v_os filled) so that it starts on
 * Hyper-V as it was.  Findings and changes are left in G.  V2V_ERR_GUEST when
 * it could not be made to start. */
int v2v_linux_convert (struct v2v_guest *g, struct v2v_error **err);

/* What configures the interfaces of G: an array of objects with name, mac,
 * system, file, addresses ..., for a report.  The caller frees; NULL and ERR
 * on failure. */
struct v2v_json *v2v_linux_network_to_json (struct v2v_guest *g,
                                            struct v2v_error **err);

#endif /* V2V_LINUX_H */
