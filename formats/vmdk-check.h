/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between vmdk-check.c (the disk) and vmdk-check-map.c (one extent). */
#ifndef V2V_VMDK_CHECK_H
#define V2V_VMDK_CHECK_H

#include "formats/vmdk-internal.h"

struct vmdk_checker {
  struct v2v_check_report *report;
  bool repair;
  struct vmdk_cache *cache;
  const char *name; /* of the extent where there are several, or NULL */
};

/* Add a finding; -1 with ERR set when out of memory. */
int vmdk_check_add (const struct vmdk_checker *c, enum v2v_check_severity sev,
                    bool repaired, const char *id, struct v2v_error **err,
                    const char *fmt, ...)
    __attribute__ ((format (printf, 6, 7)));
/* E, what opening or loading said, as a finding of damage; E is freed.  What
 * is no fault of the file (I/O, memory) is passed on and -1 returned. */
int vmdk_check_add_error (const struct vmdk_checker *c, const char *id,
                          struct v2v_error *e, struct v2v_error **err);

/* Verify tables and grains of M, whose header is H (hosted sparse) or NULL. */
int vmdk_check_map (const struct vmdk_checker *c, struct vmdk_map *m,
                    const struct vmdk_header *h, struct v2v_error **err);

#endif /* V2V_VMDK_CHECK_H */
