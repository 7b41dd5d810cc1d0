/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the steps of converting a Windows guest; windows.c has their
 * order. */
#ifndef V2V_WINDOWS_INTERNAL_H
#define V2V_WINDOWS_INTERNAL_H

#include "inject/hive.h"
#include "inject/windows.h"

/* A driver that is to be placed, see windows-old-drivers.c. */
struct windows_found_driver {
  const char *file; /* "intelide.sys" */
  void *data;
  size_t len;
};
#define WINDOWS_MAX_FOUND 4

struct windows_guest {
  struct v2v_guest *g;
  const struct v2v_os *os;
  const char *systemroot;  /* "/Windows" */
  struct v2v_hive *system; /* open for change until the end */
  struct v2v_hive *software;
  char **control_sets; /* "ControlSet001" ...: those that can be started; the
                          current one first */
  int version;         /* 61 = 6.1 (7, 2008 R2), 100 = 10.0 */
  bool generation1, generation2; /* what the target may be */
  struct windows_found_driver found[WINDOWS_MAX_FOUND];
  size_t nr_found;
};

/* Refusals and evidence first: windows-gate.c. */
int windows_check (struct windows_guest *w, struct v2v_error **err);
/* What Windows means to finish at its next start: windows-pending.c */
int windows_check_pending (struct windows_guest *w, struct v2v_error **err);
/* Before Vista: IDE drivers that are not installed are looked for where Windows
 * keeps them; placed after all that can be refused.  windows-old-drivers.c */
int windows_find_old_drivers (struct windows_guest *w, struct v2v_error **err);
bool windows_has_found (const struct windows_guest *w, const char *file);
int windows_place_old_drivers (struct windows_guest *w, struct v2v_error **err);
void windows_free_old_drivers (struct windows_guest *w);
/* Offline: it boots.  windows-services.c, windows-devices.c,
 * windows-filters.c, windows-storage.c, windows-boot.c,
 * windows-tools-offline.c */
int windows_fix_services (struct windows_guest *w, struct v2v_error **err);
int windows_fix_devices (struct windows_guest *w, struct v2v_error **err);
int windows_fix_filters (struct windows_guest *w, struct v2v_error **err);
int windows_fix_storage (struct windows_guest *w, struct v2v_error **err);
int windows_check_boot (struct windows_guest *w, struct v2v_error **err);
int windows_fix_boot (struct windows_guest *w, struct v2v_error **err);
int windows_disable_tools (struct windows_guest *w, struct v2v_error **err);
/* First boot: it is tidy.  windows-network.c, windows-tools.c,
 * windows-drivers.c, windows-firstboot.c (last: installs the service when
 * anything was queued by v2v_firstboot_add). */
int windows_keep_network (struct windows_guest *w, struct v2v_error **err);
int windows_queue_tools_removal (struct windows_guest *w,
                                 struct v2v_error **err);
int windows_inject_drivers (struct windows_guest *w, struct v2v_error **err);
int windows_install_firstboot (struct windows_guest *w, struct v2v_error **err);

/* ---- windows-util.c ---- */

/* A finding; returns 0, or -1 when out of memory. */
int windows_report (struct windows_guest *w, enum v2v_severity severity,
                    const char *id, const char *subject, const char *remedy,
                    struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 7, 8)));
/* "SET\\Services\\NAME\\TAIL" (TAIL NULL: without); NULL: out of memory. */
char *windows_service_key (const char *set, const char *name, const char *tail,
                           struct v2v_error **err);
/* "SET\\KEY" */
char *windows_key (const char *set, const char *key, struct v2v_error **err);
/* Is PATH a file with contents?  An empty one is what remains where NTFS lost
 * the data.  A file that only Windows can read (compressed as a whole: ntfs-3g
 * shows a link that leads nowhere) counts as one. */
bool windows_has_file (struct windows_guest *w, const char *path);
/* The same of FILE ("storvsc.sys") in System32\drivers. */
bool windows_has_driver (struct windows_guest *w, const char *file);
/* The file of a kernel service by its ImagePath (may be NULL: the default,
 * drivers\NAME.sys) as a path of the guest; NULL with ERR unset when it is on
 * another volume or cannot be followed. */
char *windows_image_file (struct windows_guest *w, const char *name,
                          const char *image_path, struct v2v_error **err);
/* Is NAME in LIST, without regard to case? */
bool windows_in_list (const char *const *list, size_t nr, const char *name);
/* A service of VMware Tools that is of no use elsewhere? */
bool windows_is_tools_service (const char *name);
/* Are there files of the volume with drive LETTER in this machine?  True when
 * nothing is known about letters. */
bool windows_knows_letter (const struct windows_guest *w, char letter);

#endif /* V2V_WINDOWS_INTERNAL_H */
