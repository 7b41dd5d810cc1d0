/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters: drivers that Windows puts above or below every device of a class
 * (Control\Class), or above or below a single device (Enum).  One whose service is missing or disabled, or whose file is missing,
 * keeps the device from starting; for disks and their controllers that is stop
 * 0x7B.  On VMware it may never have shown: no device of the class was there.
 * Devices of VMware are not on Hyper-V, but others stay what they are: volumes
 * (their names are made of signature and offset), the computer, what software
 * enumerates.
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
/* Windows keeps every device it ever saw: thousands on an old terminal
 * server. */
#define MAX_INSTANCES 50000u

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

/* Which lists: of devices that must start, or only what we disable ourselves
 * is taken out.  REPORT: in the first control set. */
struct scope {
  const char *set;
  bool tools_only;
  bool report;
  bool report_others; /* third-party filters that stay */
};

static int
fix_list (struct windows_guest *w, const struct scope *c, const char *key,
          const char *value, const char *of, struct v2v_error **err)
{
  const bool keep_tools = v2v_guest_get_opts (w->g)->keep_tools;
  CLEANUP_FREE char *label = NULL;
  CLEANUP_LIST char **old = NULL;
  CLEANUP_FREE const char **kept = NULL;
  const char *last_why = NULL;
  size_t n = 0, nr = 0;

  old = v2v_hive_get_multi (w->system, key, value, err);
  if (old == NULL)
    return -1;
  while (old[nr] != NULL)
    ++nr;
  kept = calloc (nr + 1, sizeof *kept);
  if (kept == NULL)
    return v2v_fail_nomem (err);
  if (asprintf (&label, "%s of %s", value, of) == -1) {
    label = NULL;
    return v2v_fail_nomem (err);
  }
  for (size_t i = 0; i < nr; ++i) {
    const char *why = NULL;

    if (!keep_tools && windows_is_tools_service (old[i]))
      why = "VMware Tools' filter has no use on Hyper-V";
    else if (!c->tools_only && !is_plain (old[i]))
      why = "the filter's name is none";
    else if (!c->tools_only &&
             judge_filter (w, c->set, old[i], &why, err) == -1)
      return -1;
    if (c->report && (why != NULL || c->report_others) &&
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
fix_lists (struct windows_guest *w, const struct scope *c, const char *key,
           const char *of, struct v2v_error **err)
{
  return fix_list (w, c, key, "UpperFilters", of, err) == -1
             ? -1
             : fix_list (w, c, key, "LowerFilters", of, err);
}

static bool
is_boot_class (const char *class)
{
  return windows_in_list (boot_classes, V2V_ARRAY_SIZE (boot_classes), class);
}

/* ---- classes ---- */

static int
fix_classes (struct windows_guest *w, const char *set, bool report,
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
    const bool boot = is_boot_class (classes[i]);
    const struct scope c = { set, !boot, report, boot };
    CLEANUP_FREE char *class = windows_key (key, classes[i], err);
    CLEANUP_FREE char *of = NULL;

    if (class == NULL)
      return -1;
    if (asprintf (&of, "class %s", classes[i]) == -1) {
      of = NULL;
      return v2v_fail_nomem (err);
    }
    if (fix_lists (w, &c, class, of, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- single devices ---- */

/* INSTANCE is a key below Enum\BUS\DEVICE. */
static int
fix_instance (struct windows_guest *w, const char *set, const char *instance,
              bool report, struct v2v_error **err)
{
  CLEANUP_FREE char *class = NULL, *of = NULL;
  struct scope c = { set, true, report, false };
  struct v2v_error *e = NULL;

  class = v2v_hive_get_string (w->system, instance, "ClassGUID", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  c.tools_only = class == NULL || !is_boot_class (class);
  /* "ControlSet001\Enum\" is no part of a device's name. */
  if (asprintf (&of, "device %s",
                instance + strlen (set) + strlen ("\\Enum\\")) == -1) {
    of = NULL;
    return v2v_fail_nomem (err);
  }
  return fix_lists (w, &c, instance, of, err);
}

/* The keys below PARENT, three levels in all: bus, device, instance. */
static int
walk_enum (struct windows_guest *w, const char *set, const char *parent,
           unsigned level, unsigned *left, bool report, struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_hive_subkeys (w->system, parent, err);

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    CLEANUP_FREE char *key = windows_key (parent, names[i], err);
    int r;

    if (key == NULL)
      return -1;
    if (level < 3)
      r = walk_enum (w, set, key, level + 1, left, report, err);
    else if (*left == 0)
      return 0;
    else {
      --*left;
      r = fix_instance (w, set, key, report, err);
    }
    if (r == -1)
      return -1;
  }
  return 0;
}

static int
fix_devices (struct windows_guest *w, const char *set, bool report,
             struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_key (set, "Enum", err);
  unsigned left = MAX_INSTANCES;

  return key == NULL ? -1 : walk_enum (w, set, key, 1, &left, report, err);
}

int
windows_fix_filters (struct windows_guest *w, struct v2v_error **err)
{
  for (char **set = w->control_sets; *set != NULL; ++set) {
    const bool report = set == w->control_sets;

    if (fix_classes (w, *set, report, err) == -1 ||
        fix_devices (w, *set, report, err) == -1)
      return -1;
  }
  return 0;
}
