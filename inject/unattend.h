/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answer files of Windows: unattend.xml from 6.0 on, sysprep.inf before. */
#ifndef V2V_UNATTEND_H
#define V2V_UNATTEND_H

#include "formats/findings.h"
#include "formats/xml.h"
#include "inject/customize.h"

#define UNATTEND_NS  "urn:schemas-microsoft-com:unattend"
#define UNATTEND_WCM "http://schemas.microsoft.com/WMIConfig/2002/State"

/* "amd64", "x86", "arm64"; NULL = Windows has no such name. */
const char *unattend_architecture (const char *arch);

/* The name Windows takes: the first part, up to 15 characters, not digits
 * alone; or "*". The caller frees. */
char *unattend_computer_name (const char *name, struct v2v_error **err);

/* Is DOC an answer file that Setup reads?  Malformed is V2V_ERR_USAGE; what
 * is not known here is a finding.  NAME is for messages. */
int unattend_check (const struct v2v_xml *doc, const char *name,
                    const char *arch, struct v2v_findings *f,
                    struct v2v_error **err);

/* The answer file that says what P says, for OS; the user's own file is the
 * base: what it says stays, and a conflict is a finding.  The caller wipes
 * and frees. */
char *unattend_make (const struct v2v_profile *p, const struct v2v_os *os,
                     struct v2v_findings *f, size_t *ret_len,
                     struct v2v_error **err);

/* The same for a medium in a drive: with the network, which a disk gets in
 * other ways. */
char *unattend_make_for_medium (const struct v2v_profile *p,
                                const struct v2v_os *os, struct v2v_findings *f,
                                size_t *ret_len, struct v2v_error **err);

/* sysprep.inf of XP and 2003. */
char *unattend_make_inf (const struct v2v_profile *p, struct v2v_findings *f,
                         size_t *ret_len, struct v2v_error **err);

#endif /* V2V_UNATTEND_H */
