/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware Tools, offline: their services are disabled, so that nothing of them
 * runs or waits on Hyper-V.  Keys and files stay: the uninstaller at the first
 * boot trips over missing ones.
 *
 * Drivers of virtual hardware that is no longer there (vm3dmp, vmmouse,
 * vmxnet3, pvscsi ...) are left: without the device they do not load, and the
 * disk stays bootable on VMware.  The filters have been looked at before
 * (windows-filters.c): a disabled service in a filter list is stop 0x7B.
 */

#include <config.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

static const char *const tools_services[] = {
  "VMTools",   "VGAuthService",   "VM3DService", "vmvss",
  "GISvc",     "VMUpgradeHelper", "vmhgfs",      "vmmemctl",
  "vmrawdsk",  "vnetflt",         "vnetWFP",     "vsepflt",
  "vmdesched", "vmwtimeprovider",
};

/* Buses whose drivers would run at the start without a device. */
static const char *const tools_buses[] = { "vmci", "vsock" };

#define START_DEMAND   3
#define START_DISABLED 4

bool
windows_is_tools_service (const char *name)
{
  return windows_in_list (tools_services, V2V_ARRAY_SIZE (tools_services),
                          name);
}

static int
disable (struct windows_guest *w, const char *set, const char *name,
         struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_service_key (set, name, NULL, err);
  int r;

  if (key == NULL)
    return -1;
  r = v2v_hive_has_key (w->system, key, err);
  if (r != 1)
    return r;
  return v2v_hive_set_dword (w->system, key, "Start", START_DISABLED,
                             "VMware Tools have no use on Hyper-V", err);
}

static int
calm_bus (struct windows_guest *w, const char *set, const char *name,
          struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_service_key (set, name, NULL, err);
  uint32_t start;
  int r;

  if (key == NULL)
    return -1;
  r = v2v_hive_get_dword (w->system, key, "Start", &start, err);
  if (r != 1 || start > 1)
    return r == -1 ? -1 : 0;
  return v2v_hive_set_dword (w->system, key, "Start", START_DEMAND,
                             "the bus is not there on Hyper-V", err);
}

/* The time provider is a DLL of the Windows Time service. */
static int
disable_time_provider (struct windows_guest *w, const char *set,
                       struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_service_key (
      set, "W32Time", "TimeProviders\\vmwTimeProvider", err);
  int r;

  if (key == NULL)
    return -1;
  r = v2v_hive_has_key (w->system, key, err);
  if (r != 1)
    return r;
  return v2v_hive_set_dword (w->system, key, "Enabled", 0,
                             "it asks VMware for the time", err);
}

int
windows_disable_tools (struct windows_guest *w, struct v2v_error **err)
{
  if (v2v_guest_get_opts (w->g)->keep_tools)
    return 0;
  for (char **set = w->control_sets; *set != NULL; ++set) {
    for (size_t i = 0; i < V2V_ARRAY_SIZE (tools_services); ++i)
      if (disable (w, *set, tools_services[i], err) == -1)
        return -1;
    for (size_t i = 0; i < V2V_ARRAY_SIZE (tools_buses); ++i)
      if (calm_bus (w, *set, tools_buses[i], err) == -1)
        return -1;
    if (disable_time_provider (w, *set, err) == -1)
      return -1;
  }
  return 0;
}
