/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings: what has no place in the target, is doubtful, or was changed.
 * Nothing from the source is dropped silently: it is carried over or it is a
 * finding with a stable id that scripts and waivers can name.
 */
#ifndef V2V_FINDINGS_H
#define V2V_FINDINGS_H

#include <stddef.h>

#include "formats/core/error.h"
#include "formats/core/json.h"

enum v2v_severity { V2V_INFORMATION, V2V_WARNING, V2V_CRITICAL };

struct v2v_finding {
  char *id; /* stable: "nic.unmapped", "disk.rdm" */
  enum v2v_severity severity;
  char *subject; /* what it is about: "ethernet0", "scsi0:1" or NULL */
  char *message; /* evidence, one sentence, no full stop */
  char *remedy;  /* what to do, or NULL */
};

struct v2v_findings {
  struct v2v_finding *ptr;
  size_t len;
  size_t cap;
};
#define V2V_FINDINGS_INIT                                                      \
  {                                                                            \
    .ptr = NULL, .len = 0, .cap = 0                                            \
  }

/* All strings are copied. 0 or -1 (out of memory, ERR not set). REMEDY and
 * SUBJECT may be NULL. */
int v2v_findings_add (struct v2v_findings *f, enum v2v_severity severity,
                      const char *id, const char *subject, const char *remedy,
                      const char *fmt, ...)
    __attribute__ ((format (printf, 6, 7)));
void v2v_findings_clear (struct v2v_findings *f);
/* Take away what was added behind the first LEN. */
void v2v_findings_truncate (struct v2v_findings *f, size_t len);
const char *v2v_severity_name (enum v2v_severity s);
struct v2v_json *v2v_findings_to_json (const struct v2v_findings *f);
const struct v2v_finding *v2v_findings_find (const struct v2v_findings *f,
                                             const char *id);

#endif /* V2V_FINDINGS_H */
