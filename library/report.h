/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A page about a library: what is in it, which disks are built on which, what
 * would be lost with each base.  One file of HTML without scripts, which needs
 * no network.
 */
#ifndef V2V_LIBRARY_REPORT_H
#define V2V_LIBRARY_REPORT_H

#include "formats/core/error.h"
#include "library/library.h"

/* *RET is the page, to be freed. */
int v2v_library_report (struct v2v_library *lib, char **ret,
                        struct v2v_error **err);

#endif /* V2V_LIBRARY_REPORT_H */
