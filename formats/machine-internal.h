/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the readers of machine descriptions. */
#ifndef V2V_MACHINE_INTERNAL_H
#define V2V_MACHINE_INTERNAL_H

#include "formats/core/error.h"
#include "formats/findings.h"
#include "formats/machine.h"

/* Add a finding to machine M; 0, or -1 with ERR set (out of memory). */
#define V2V_FINDING(m, err, ...)                                               \
  (v2v_findings_add (&(m)->findings, __VA_ARGS__) == -1 ? v2v_fail_nomem (err) \
                                                        : 0)

/* *DST = a copy of S (NULL gives NULL), the old value is freed. */
int v2v_machine_set (char **dst, const char *s, struct v2v_error **err);
/* The same in lower case (ASCII). */
int v2v_machine_set_lower (char **dst, const char *s, struct v2v_error **err);

/* Any usual spelling of a MAC address ("00-50-56-AA-BB-CC", "005056AABBCC")
 * as "00:50:56:aa:bb:cc"; false if it is none. */
bool v2v_machine_format_mac (const char *s, char out[18]);

/* Sixteen bytes in any usual spelling of a UUID ("56 4d b7 68 ... -62 01",
 * with or without braces) as 36 characters; false if it is none. */
bool v2v_machine_format_uuid (const char *s, char out[37]);

/* A copy of at most 200 bytes of S for a message: control characters and
 * invalid UTF-8 become '?'.  NULL when out of memory. */
char *v2v_machine_printable (const char *s);

/* Append "disk", "cdrom" ... to the boot order; repeats are dropped. */
int v2v_machine_add_boot (struct v2v_machine *m, const char *what,
                          struct v2v_error **err);

/* Refuses two disks at one place, and one file that is two disks
 * (V2V_ERR_FORMAT): what any description must not say. */
int v2v_machine_check_disks (const struct v2v_machine *m,
                             struct v2v_error **err);

#endif /* V2V_MACHINE_INTERNAL_H */
