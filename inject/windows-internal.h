/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the steps of converting a Windows guest; windows.c has their
 * order. */
#ifndef V2V_WINDOWS_INTERNAL_H
#define V2V_WINDOWS_INTERNAL_H

#include "inject/hive.h"
#include "inject/windows.h"

struct windows_guest {
  struct v2v_guest *g;
  const struct v2v_os *os;
  const char *systemroot;  /* "/Windows" */
  struct v2v_hive *system; /* open for change until the end */
  struct v2v_hive *software;
  char **control_sets; /* "ControlSet001" ...: those that can be started */
};

/* Refusals and evidence first: windows-gate.c. */
int windows_check (struct windows_guest *w, struct v2v_error **err);
/* Offline: it boots.  windows-services.c, windows-storage.c, windows-boot.c */
int windows_fix_services (struct windows_guest *w, struct v2v_error **err);
int windows_fix_filters (struct windows_guest *w, struct v2v_error **err);
int windows_fix_storage (struct windows_guest *w, struct v2v_error **err);
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

#endif /* V2V_WINDOWS_INTERNAL_H */
