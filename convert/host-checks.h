/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this host can do, one check a line: for "v2v doctor". */
#ifndef V2V_HOST_CHECKS_H
#define V2V_HOST_CHECKS_H

#include <stdatomic.h>
#include <stddef.h>

#include "formats/core/error.h"
#include "formats/core/json.h"

enum host_state {
  HOST_OK,
  HOST_WARNING, /* slower, or something is not possible */
  HOST_MISSING, /* guests cannot be converted here */
};

struct host_check {
  const char *name; /* stable: "nbdkit" */
  enum host_state state;
  char *message;
  char *remedy; /* or NULL */
};

struct host_report {
  struct host_check *ptr;
  size_t len;
  size_t cap;
};

/* Add a line.  REMEDY (may be NULL) is what to do. */
int host_add (struct host_report *r, const char *name, enum host_state state,
              const char *remedy, struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 6, 7)));
void host_report_clear (struct host_report *r);
const char *host_state_name (enum host_state s);
struct v2v_json *host_report_to_json (const struct host_report *r);

/* Each looks at one part.  0, or -1 when looking itself failed. */
int host_check_machine (struct host_report *r, struct v2v_error **err);
int host_check_programs (struct host_report *r, struct v2v_error **err);
int host_check_appliance (struct host_report *r, struct v2v_error **err);
int host_check_kvm (struct host_report *r, struct v2v_error **err);
/* Start an appliance: seconds, or minutes without KVM. */
int host_check_start (struct host_report *r, const atomic_bool *cancel,
                      struct v2v_error **err);
/* FOLDER: where machines will be written to. */
int host_check_output (struct host_report *r, const char *folder,
                       struct v2v_error **err);

#endif /* V2V_HOST_CHECKS_H */
