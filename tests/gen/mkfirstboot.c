/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mkfirstboot FOLDER DRIVERS: make the tree of a Windows guest in FOLDER (which
 * exists and is empty) with all that our steps queue for its first boot:
 * addresses, disks, the drivers of the folder DRIVERS, the removal of VMware
 * Tools.  For the test that runs those scripts under wine.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"
#include "tests/unit/hive-build.h"

#define NET_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"
#define GUID      "{00000000-0000-0000-0000-000000000007}"
#define PRODUCT   "{0B3A2F1C-1122-3344-5566-778899AABBCC}"

static void
fill_system (const char *file)
{
  struct v2v_hive *h;

  hive_build_empty (file);
  h = hive_build_open (file);
  hive_build_string (h, "ControlSet001\\Enum\\PCI\\VEN_15AD&DEV_07B0\\1",
                     "Driver", NET_CLASS "\\0007");
  hive_build_string (h, "ControlSet001\\Control\\Class\\" NET_CLASS "\\0007",
                     "NetCfgInstanceId", GUID);
  hive_build_string (
      h, "ControlSet001\\Control\\Network\\" NET_CLASS "\\" GUID "\\Connection",
      "Name", "A & b %PATH% ^!()");
  hive_build_dword (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\" GUID,
      "EnableDHCP", 0);
  hive_build_multi (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\" GUID,
      "IPAddress", (const char *const[]){ "10.0.0.5", NULL });
  hive_build_multi (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\" GUID,
      "SubnetMask", (const char *const[]){ "255.255.255.0", NULL });
  hive_build_dword (h, "ControlSet001\\Services\\partmgr\\Parameters",
                    "SanPolicy", 2);
  hive_build_done (h);
}

static void
fill_software (const char *file)
{
  struct v2v_hive *h;

  hive_build_empty (file);
  h = hive_build_open (file);
  hive_build_string (h,
                     "Microsoft\\Windows\\CurrentVersion\\Uninstall\\" PRODUCT,
                     "DisplayName", "VMware Tools");
  hive_build_done (h);
}

static int
convert (struct windows_guest *w, struct v2v_error **err)
{
  if (windows_keep_network (w, err) == -1 ||
      windows_inject_drivers (w, err) == -1 ||
      windows_queue_tools_removal (w, err) == -1 ||
      v2v_hive_set_dword (w->system,
                          "ControlSet001\\Services\\partmgr\\Parameters",
                          "SanPolicy", 1, "test", err) == -1 ||
      windows_install_firstboot (w, err) == -1)
    return -1;
  return 0;
}

int
main (int argc, char **argv)
{
  char set[] = "ControlSet001", model[] = "vmxnet3",
       mac[] = "02:00:00:00:00:99";
  char arch[] = "x86_64", root[] = "/Windows";
  char *sets[] = { set, NULL };
  struct v2v_nic nic = { .model = model, .mac = mac };
  struct v2v_disk disks[2] = { { .unit = 0 }, { .unit = 1 } };
  const struct v2v_machine m = {
    .nics = &nic, .nr_nics = 1, .disks = disks, .nr_disks = 2
  };
  const char *drivers[2] = { NULL, NULL };
  const struct v2v_guest_opts opts = { .drivers = drivers };
  struct windows_guest w = { .control_sets = sets, .systemroot = root };
  struct v2v_error *err = NULL;
  char system[4096], software[4096], windows[4096];
  struct v2v_os *os;
  int r = 1;

  if (argc != 3)
    return 2;
  drivers[0] = argv[2];
  snprintf (system, sizeof system, "%s.SYSTEM", argv[1]);
  snprintf (software, sizeof software, "%s.SOFTWARE", argv[1]);
  snprintf (windows, sizeof windows, "%s/Windows", argv[1]);
  if (mkdir (windows, 0755) == -1)
    return 1;
  fill_system (system);
  fill_software (software);
  w.g = v2v_guest_open_folder (argv[1], &err);
  if (w.g != NULL) {
    os = v2v_guest_os (w.g);
    os->family = V2V_FAMILY_WINDOWS;
    os->arch = strdup (arch);
    os->systemroot = strdup (root);
    os->control_set = strdup (set);
    os->major = 10;
    os->minor = 0;
    os->build = 17763;
    w.os = os;
    v2v_guest_set_machine (w.g, &m);
    v2v_guest_set_opts (w.g, &opts);
    w.system = v2v_hive_open (system, "SYSTEM", true, NULL, &err);
    w.software = w.system == NULL
                     ? NULL
                     : v2v_hive_open (software, "SOFTWARE", true, NULL, &err);
    if (w.software != NULL && convert (&w, &err) == 0)
      r = 0;
    v2v_hive_close (w.system);
    v2v_hive_close (w.software);
    v2v_guest_close (w.g);
  }
  if (err != NULL)
    fprintf (stderr, "mkfirstboot: %s\n", v2v_error_message (err));
  v2v_error_free (err);
  return r;
}
