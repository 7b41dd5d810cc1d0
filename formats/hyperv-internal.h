/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files that make the plan. */
#ifndef V2V_HYPERV_INTERNAL_H
#define V2V_HYPERV_INTERNAL_H

#include "formats/guest-os.h"
#include "formats/hyperv.h"

/* One planning in progress. */
struct hyperv_planner {
  const struct v2v_machine *m;
  const struct v2v_disk_evidence *const *evidence;
  size_t nr_evidence;
  const struct v2v_hyperv_opts *opts;
  struct v2v_guest_os os;
  struct v2v_hyperv_plan *plan; /* being filled */
  struct v2v_error **err;
};

/* Is it made by v2v itself (library/vm.h), not converted?  Then what it has is
 * what was asked for, and no news. */
bool hyperv_is_new (const struct hyperv_planner *p);

/* What is known of disk I of the machine, or NULL. */
const struct v2v_disk_evidence *hyperv_evidence (const struct hyperv_planner *p,
                                                 size_t i);

/* A finding: severity and remedy come from the catalogue.  0, or -1 with the
 * planner's error set (out of memory). */
int hyperv_note (struct hyperv_planner *p, const char *id, const char *subject,
                 const char *fmt, ...) __attribute__ ((format (printf, 4, 5)));
/* A sentence for plan->reasons. */
int hyperv_reason (struct hyperv_planner *p, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
/* Hyper-V could not start it.  With the generation forced by the user it is a
 * finding ID (and 0), else an error with a hint how to force it (and -1). */
int hyperv_refuse (struct hyperv_planner *p, const char *id,
                   const char *subject, unsigned generation_to_force,
                   const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6)));
/* strdup into *DST; -1 with the planner's error set. */
int hyperv_dup (struct hyperv_planner *p, char **dst, const char *s);

/* The steps, in order. */
int hyperv_plan_generation (struct hyperv_planner *p);
int hyperv_plan_disks (struct hyperv_planner *p);
int hyperv_plan_removables (struct hyperv_planner *p);
int hyperv_plan_serials (struct hyperv_planner *p);
int hyperv_plan_nics (struct hyperv_planner *p);
int hyperv_plan_boot (struct hyperv_planner *p);
int hyperv_plan_security (struct hyperv_planner *p);

/* Index in machine->disks of the disk that the firmware would start: named by
 * the source, else the first that boots in GENERATION, else the first; SIZE_MAX
 * when there is none. */
size_t hyperv_boot_disk (const struct hyperv_planner *p, unsigned generation);

/* Is disk I left out?  (shared, by policy) */
bool hyperv_disk_skipped (const struct hyperv_planner *p, size_t i);

/* A copy of TEXT without what may not stand in a name: C0 and C1 controls,
 * U+2028/2029, bidi controls and invalid UTF-8 become '_'.  With KEEP_LINES
 * line ends stay, as "\n".  At most MAX_UNITS UTF-16 units.  *RET_CHANGED may
 * be NULL.  NULL when out of memory. */
char *hyperv_clean_text (const char *text, bool keep_lines, size_t max_units,
                         bool *ret_changed);

#endif /* V2V_HYPERV_INTERNAL_H */
