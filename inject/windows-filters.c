/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Class filters: drivers that Windows puts above or below every device of a
 * class.  One whose service is missing or disabled, or whose file is missing,
 * keeps the device from starting; for disks and their controllers that is stop
 * 0x7B.  On VMware it may never have shown: no device of the class was there.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

/* Classes whose devices must start for Windows to start. */
static const char *const boot_classes[] = {
  "{4D36E967-E325-11CE-BFC1-08002BE10318}", /* DiskDrive */
  "{4D36E96A-E325-11CE-BFC1-08002BE10318}", /* hdc: IDE controllers */
  "{4D36E97B-E325-11CE-BFC1-08002BE10318}", /* SCSIAdapter */
  "{4D36E97D-E325-11CE-BFC1-08002BE10318}", /* System */
  "{71A27CDD-812A-11D0-BEC7-08002BE2092F}", /* Volume */
};

/* Windows' own filters of these classes. */
static const char *const normal_filters[] = {
  "PartMgr", "fvevol",      "rdyboost", "volsnap", "iorate", "storqosflt",
  "wcifs",   "EhStorClass", "storflt",  "disk",    "volume",
};

#define MAX_CLASSES 1000

/* Why must the filter NAME go?  *RET is NULL when it may stay. */
static int
judge_filter (struct windows_guest *w, const char *set, const char *name,
              const char **ret, struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_service_key (set, name, NULL, err);
  CLEANUP_FREE char *image = NULL, *file = NULL;
  struct v2v_error *e = NULL;
  uint32_t start = 3;
  int r;

  *ret = NULL;
  if (key == NULL)
    return -1;
  r = v2v_hive_has_key (w->system, key, err);
  if (r <= 0) {
    *ret = "the filter's service is missing";
    return r;
  }
  if (v2v_hive_get_dword (w->system, key, "Start", &start, err) == -1)
    return -1;
  if (start == 4) {
    *ret = "the filter's service is disabled";
    return 0;
  }
  image = v2v_hive_get_string (w->system, key, "ImagePath", &e);
  if (e == NULL)
    file = windows_image_file (w, name, image, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (file != NULL && !windows_has_file (w, file))
    *ret = "the filter's file is missing";
  return 0;
}

/* NAME is a path below Services: a backslash in it would lead elsewhere. */
static bool
is_plain (const char *name)
{
  return strpbrk (name, "\\/") == NULL;
}

static int
report_filter (struct windows_guest *w, const char *list, const char *name,
               const char *why, struct v2v_error **err)
{
  if (why != NULL)
    return windows_report (w, V2V_WARNING, "guest.windows.filter-removed", name,
                           "install the software it belongs to again if it is "
                           "needed",
                           err, "taken out of %s: %s", list, why);
  if (windows_in_list (normal_filters, V2V_ARRAY_SIZE (normal_filters), name))
    return 0;
  return windows_report (w, V2V_INFORMATION, "guest.windows.filter", name, NULL,
                         err, "a third-party filter in %s stays", list);
}

/* One list.  TOOLS_ONLY: of a class that need not start; only what we disable
 * ourselves is taken out.  REPORT: in the first control set. */
static int
fix_list (struct windows_guest *w, const char *set, const char *class,
          const char *value, bool tools_only, bool report,
          struct v2v_error **err)
{
  const bool keep_tools = v2v_guest_get_opts (w->g)->keep_tools;
  CLEANUP_FREE char *key = NULL, *label = NULL;
  CLEANUP_LIST char **old = NULL;
  CLEANUP_FREE const char **kept = NULL;
  const char *last_why = NULL;
  size_t n = 0, nr = 0;

  if (asprintf (&key, "%s\\Control\\Class\\%s", set, class) == -1)
    key = NULL;
  if (asprintf (&label, "%s of class %s", value, class) == -1)
    label = NULL;
  if (key == NULL || label == NULL)
    return v2v_fail_nomem (err);
  old = v2v_hive_get_multi (w->system, key, value, err);
  if (old == NULL)
    return -1;
  while (old[nr] != NULL)
    ++nr;
  kept = calloc (nr + 1, sizeof *kept);
  if (kept == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < nr; ++i) {
    const char *why = NULL;

    if (!keep_tools && windows_is_tools_service (old[i]))
      why = "VMware Tools' filter has no use on Hyper-V";
    else if (!tools_only && !is_plain (old[i]))
      why = "the filter's name is none";
    else if (!tools_only && judge_filter (w, set, old[i], &why, err) == -1)
      return -1;
    if (report && !(tools_only && why == NULL) &&
        report_filter (w, label, old[i], why, err) == -1)
      return -1;
    if (why == NULL)
      kept[n++] = old[i];
    else
      last_why = why;
  }
  if (n == nr)
    return 0;
  return n == 0
             ? v2v_hive_delete_value (w->system, key, value, last_why, err)
             : v2v_hive_set_multi (w->system, key, value, kept, last_why, err);
}

static int
fix_set (struct windows_guest *w, const char *set, bool report,
         struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_key (set, "Control\\Class", err);
  CLEANUP_LIST char **classes = NULL;

  if (key == NULL)
    return -1;
  classes = v2v_hive_subkeys (w->system, key, err);
  if (classes == NULL)
    return -1;
  for (size_t i = 0; classes[i] != NULL && i < MAX_CLASSES; ++i) {
    const bool tools_only = !windows_in_list (
        boot_classes, V2V_ARRAY_SIZE (boot_classes), classes[i]);

    if (fix_list (w, set, classes[i], "UpperFilters", tools_only, report,
                  err) == -1 ||
        fix_list (w, set, classes[i], "LowerFilters", tools_only, report,
                  err) == -1)
      return -1;
  }
  return 0;
}

int
windows_fix_filters (struct windows_guest *w, struct v2v_error **err)
{
  for (char **set = w->control_sets; *set != NULL; ++set)
    if (fix_set (w, *set, set == w->control_sets, err) == -1)
      return -1;
  return 0;
}
