/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes beside the disks of a machine: NAME.json, New-NAME.ps1,
 * Import-NAME-SCVMM.ps1, report.json and report.txt.
 */
#ifndef V2V_DESCRIBE_H
#define V2V_DESCRIBE_H

#include "formats/core/digest.h"
#include "formats/hyperv.h"
#include "formats/report.h"
#include "library/deposit.h"

/* NAME.json and the two scripts. */
#define V2V_DESCRIBE_NR_TEXTS 3

/* The files of the folder, for the report.  Zeroed, then LIST allocated by
 * the caller with room for its own and V2V_DESCRIBE_NR_TEXTS more. */
struct v2v_described {
  struct v2v_report_file *list; /* borrows from below and from the plan */
  size_t n;
  char *names[V2V_DESCRIBE_NR_TEXTS];
  char hex[V2V_DESCRIBE_NR_TEXTS][2 * V2V_SHA256_SIZE + 1];
  size_t nr_texts;
};
void v2v_described_clear (struct v2v_described *f);

/* Write them into the folder, and note them in F. */
int v2v_describe_machine (struct v2v_deposit *d,
                          const struct v2v_hyperv_plan *plan,
                          const struct v2v_machine *machine,
                          struct v2v_described *f, struct v2v_error **err);
/* report.json, for its owner alone, and report.txt; *RET_JSON and *RET_TEXT
 * are what they say, also when writing them fails. */
int v2v_describe_report (struct v2v_deposit *d, const struct v2v_report *report,
                         struct v2v_json **ret_json, char **ret_text,
                         struct v2v_error **err);

#endif /* V2V_DESCRIBE_H */
