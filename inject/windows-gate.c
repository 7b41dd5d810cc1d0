/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Can this Windows be converted at all?  Everything is asked before the first
 * change: a refusal leaves the guest as it was.
 *
 * Source of what is inbox: "Supported Windows guest operating systems for
 * Hyper-V" (Microsoft); Server 2003 and XP need integration services that no
 * current host ships.
 */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

/* ---- version and target ---- */

static int
refuse (struct v2v_error **err, const char *hint, const char *what)
{
  v2v_fail (err, V2V_ERR_GUEST, "%s", what);
  return v2v_hint (err, "%s", hint);
}

static int
check_version (struct windows_guest *w, struct v2v_error **err)
{
  const char *arch = w->os->arch;
  const unsigned asked = v2v_guest_get_opts (w->g)->generation;

  if (w->os->major < 0 || w->os->minor < 0)
    return refuse (err, "copy it as data with --no-guest",
                   "the version of Windows cannot be found out");
  if (arch == NULL ||
      (strcmp (arch, "x86_64") != 0 && strcmp (arch, "i386") != 0 &&
       strcmp (arch, "aarch64") != 0))
    return refuse (err, "copy it as data with --no-guest",
                   "the processor architecture of Windows cannot be found out");
  if (w->version < 51)
    return refuse (err, "copy it as data with --no-guest",
                   "Windows 2000 and older have no drivers for Hyper-V");
  w->generation2 = asked != 1 && w->version >= 62 && strcmp (arch, "i386") != 0;
  w->generation1 = asked != 2 && strcmp (arch, "aarch64") != 0;
  if (asked == 2 && !w->generation2)
    return refuse (err, "use generation 1",
                   "generation 2 starts 64-bit Windows 8, Server 2012 and "
                   "later only");
  if (!w->generation1 && !w->generation2)
    return refuse (err, "use generation 2",
                   "generation 1 does not start Windows for ARM");
  if (strcmp (arch, "aarch64") == 0 &&
      windows_report (w, V2V_WARNING, "guest.windows.arm", w->os->product_name,
                      "use a Hyper-V host with an ARM processor", err,
                      "this Windows is for ARM: no other host starts it, and "
                      "nothing of ours runs at its first boot") == -1)
    return -1;
  if (w->version < 60)
    return windows_report (
        w, V2V_WARNING, "guest.windows.legacy", w->os->product_name,
        "give the machine a legacy network adapter; if it stops with a blue "
        "screen, disable the services intelppm and processor",
        err,
        "this Windows has no drivers for Hyper-V: it is prepared for emulated "
        "IDE disks as well as possible");
  if (w->version < 62)
    return windows_report (w, V2V_INFORMATION, "guest.windows.old-drivers",
                           w->os->product_name,
                           "install the guest's last updates", err,
                           "the Hyper-V drivers of this Windows are old");
  return 0;
}

/* ---- driver files ---- */

struct needed_driver {
  const char *file;
  bool generation1, generation2;
};
static const struct needed_driver needed_drivers[] = {
  { "vmbus.sys", true, true },     { "storvsc.sys", true, true },
  { "intelide.sys", true, false }, { "pciidex.sys", true, false },
  { "atapi.sys", true, false },    { "ataport.sys", true, false },
};

/* What XP and 2003 have not installed is looked for before this. */
static bool
is_needed (const struct windows_guest *w, const struct needed_driver *d)
{
  const bool synthetic = d->generation2;

  if (w->version < 60 && (synthetic || strcmp (d->file, "ataport.sys") == 0))
    return false;
  return (d->generation1 && w->generation1) ||
         (d->generation2 && w->generation2);
}

static int
check_drivers (struct windows_guest *w, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (needed_drivers); ++i) {
    const struct needed_driver *d = &needed_drivers[i];

    if (!is_needed (w, d) || windows_has_driver (w, d->file) ||
        windows_has_found (w, d->file))
      continue;
    /* Vista and 2008 start from IDE without them. */
    if (w->version == 60 && d->generation2) {
      if (windows_report (w, V2V_WARNING, "guest.windows.no-integration",
                          d->file,
                          "install the integration services of an older "
                          "Hyper-V host",
                          err,
                          "the driver is not in the guest; only emulated "
                          "devices will work") == -1)
        return -1;
      continue;
    }
    /* Where both generations are open, the other one may do. */
    if (w->generation1 && w->generation2 && !d->generation2) {
      w->generation1 = false;
      if (windows_report (w, V2V_WARNING, "guest.windows.no-ide", d->file,
                          "use generation 2", err,
                          "the driver is not in the guest: it will not start "
                          "in generation 1") == -1)
        return -1;
      continue;
    }
    v2v_fail (err, V2V_ERR_GUEST,
              "driver %s is not in the guest's System32\\drivers: it would not "
              "start on Hyper-V",
              d->file);
    return v2v_hint (err, w->version < 60
                              ? "it is not in Windows' driver cache either: "
                                "copy the file there from the installation "
                                "medium (I386\\driver.cab)"
                              : "it needs integration services: install them "
                                "while it runs on VMware");
  }
  return 0;
}

/* ---- what else the registry tells ---- */

/* Boot drivers of every Windows since Vista; we never build them. */
static const char *const always[] = { "acpi",     "pci",  "partmgr", "volmgr",
                                      "mountmgr", "disk", "volsnap" };

static int
check_always (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  for (size_t i = 0; w->version >= 60 && i < V2V_ARRAY_SIZE (always); ++i) {
    CLEANUP_FREE char *key = windows_service_key (set, always[i], NULL, err);
    uint32_t start = UINT32_MAX;

    if (key == NULL ||
        v2v_hive_get_dword (w->system, key, "Start", &start, err) == -1)
      return -1;
    if (start != 0 &&
        windows_report (
            w, V2V_WARNING, "guest.windows.boot-driver", always[i],
            "compare it with another machine of the same Windows", err,
            "a driver that every Windows starts from is %s in %s",
            start == UINT32_MAX ? "missing" : "no boot driver", set) == -1)
      return -1;
  }
  return 0;
}

/* Policies that forbid drivers for new devices: all devices are new. */
static int
check_policy (struct windows_guest *w, struct v2v_error **err)
{
  static const char key[] =
      "Policies\\Microsoft\\Windows\\DeviceInstall\\Restrictions";
  static const char *const values[] = { "DenyUnspecified", "DenyDeviceIDs",
                                        "DenyDeviceClasses",
                                        "DenyInstanceIDs" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (values); ++i) {
    uint32_t on = 0;

    if (v2v_hive_get_dword (w->software, key, values[i], &on, err) == -1)
      return -1;
    if (on != 0)
      return windows_report (
          w, V2V_WARNING, "guest.windows.device-policy", values[i],
          "allow the classes net, SCSIAdapter, System and HIDClass in the "
          "group policy before the first start",
          err, "a policy restricts which devices may be installed");
  }
  return 0;
}

static int
check_roles (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  CLEANUP_FREE char *options =
      windows_key (set, "Control\\ProductOptions", err);
  CLEANUP_FREE char *cluster =
      options ? windows_service_key (set, "ClusSvc", NULL, err) : NULL;
  CLEANUP_FREE char *type = NULL;
  struct v2v_error *e = NULL;
  uint32_t start = 4;

  if (cluster == NULL)
    return -1;
  type = v2v_hive_get_string (w->system, options, "ProductType", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (type != NULL && strcmp (type, "LanmanNT") == 0 &&
      windows_report (w, V2V_WARNING, "guest.windows.domain-controller", NULL,
                      "shut the old machine down for good before the first "
                      "start, and check replication afterwards",
                      err,
                      "the guest is a domain controller: its new generation "
                      "identifier starts the safeguards against clones") == -1)
    return -1;
  if (v2v_hive_get_dword (w->system, cluster, "Start", &start, err) == -1)
    return -1;
  if (start <= 2 &&
      windows_report (w, V2V_WARNING, "guest.windows.cluster-node", NULL,
                      "move one node at a time, its shared disks by hand", err,
                      "the guest is a node of a failover cluster") == -1)
    return -1;
  return 0;
}

/* A standard PC's HAL has no interrupts for VMBus. */
static int
check_hal (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_key (set, "Enum\\Root\\ACPI_HAL", err);
  int r;

  if (key == NULL)
    return -1;
  if (w->version >= 60)
    return 0;
  r = v2v_hive_has_key (w->system, key, err);
  if (r != 0)
    return r == 1 ? 0 : -1;
  return windows_report (w, V2V_WARNING, "guest.windows.hal", NULL,
                         "set the computer type to an ACPI one inside the "
                         "guest",
                         err,
                         "this Windows was not installed with an ACPI HAL");
}

static int
check_control_sets (struct windows_guest *w, struct v2v_error **err)
{
  uint32_t current = 0, next = 0;

  if (v2v_hive_get_dword (w->system, "Select", "Current", &current, err) ==
          -1 ||
      v2v_hive_get_dword (w->system, "Select", "Default", &next, err) == -1)
    return -1;
  if (next == 0 || next == current)
    return 0;
  return windows_report (w, V2V_INFORMATION, "guest.windows.control-sets", NULL,
                         NULL, err,
                         "the guest ran with control set %u and starts next "
                         "with %u; all are prepared",
                         (unsigned) current, (unsigned) next);
}

int
windows_check (struct windows_guest *w, struct v2v_error **err)
{
  const char *set = w->control_sets[0];

  if (check_version (w, err) == -1 || windows_find_old_drivers (w, err) == -1 ||
      check_drivers (w, err) == -1 || windows_check_boot (w, err) == -1 ||
      check_always (w, set, err) == -1 || check_policy (w, err) == -1 ||
      windows_check_pending (w, err) == -1 || check_roles (w, set, err) == -1 ||
      check_hal (w, set, err) == -1 || check_control_sets (w, err) == -1)
    return -1;
  return 0;
}
