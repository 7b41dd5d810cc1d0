/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Constructed Windows guests. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "test-util.h"
#include "windows-tree.h"

const struct windows_release windows_releases[] = {
  { "constructed_windows_7", 6, 1, 7601, "Windows 7 Professional", "Client",
    "WinNT", "x86_64" },
  { "constructed_server_2008_r2", 6, 1, 7601,
    "Windows Server 2008 R2 Enterprise", "Server", "ServerNT", "x86_64" },
  { "constructed_server_2012_r2", 6, 3, 9600,
    "Windows Server 2012 R2 Datacenter", "Server", "ServerNT", "x86_64" },
  { "constructed_windows_10", 10, 0, 19045, "Windows 10 Pro", "Client", "WinNT",
    "x86_64" },
  { "constructed_server_2016", 10, 0, 14393, "Windows Server 2016 Datacenter",
    "Server", "ServerNT", "x86_64" },
  { "constructed_server_2019", 10, 0, 17763, "Windows Server 2019 Standard",
    "Server", "ServerNT", "x86_64" },
  { "constructed_server_2022", 10, 0, 20348, "Windows Server 2022 Standard",
    "Server Core", "ServerNT", "x86_64" },
  { "constructed_server_2025", 10, 0, 26100, "Windows Server 2025 Standard",
    "Server", "ServerNT", "x86_64" },
  { "constructed_windows_11", 10, 0, 22631, "Windows 10 Pro", "Client", "WinNT",
    "x86_64" },
  { .label = NULL },
};

const struct windows_release *
windows_release_by_label (const char *label)
{
  for (size_t i = 0; windows_releases[i].label != NULL; ++i)
    if (strcmp (windows_releases[i].label, label) == 0)
      return &windows_releases[i];
  fail_msg ("no release %s", label);
  return NULL;
}

const char *
windows_tree_system (const char *dir)
{
  static char path[512];

  snprintf (path, sizeof path, "%s/Windows/System32/config/SYSTEM", dir);
  return path;
}

const char *
windows_tree_software (const char *dir)
{
  static char path[512];

  snprintf (path, sizeof path, "%s/Windows/System32/config/SOFTWARE", dir);
  return path;
}

/* ---- services ---- */

struct service {
  const char *name, *file; /* NULL: no driver file */
  const char *group;
  uint32_t start7, start10, tag;
  bool overridden; /* on 8 and later, when the device was absent */
};
#define ABSENT UINT32_MAX
/* Start on Windows 7 (real hive) and on Windows 8 to 11. */
static const struct service services[] = {
  { "vmbus", "vmbus.sys", "System Bus Extender", 0, 0, 11, true },
  { "storvsc", "storvsc.sys", "Base", 3, 0, 0, true },
  { "storflt", "vmstorfl.sys", "Extended Base", 0, 0, 0, true },
  { "intelide", "intelide.sys", "System Bus Extender", 0, 0, 4, true },
  { "pciide", "pciide.sys", "System Bus Extender", 3, 0, 3, true },
  { "atapi", "atapi.sys", "SCSI Miniport", 0, 0, 33, true },
  { "vpci", "vpci.sys", "System Bus Extender", ABSENT, 0, 12, true },
  { "VMBusHID", "VMBusHID.sys", "Extended Base", 3, 3, 0, false },
  { "acpi", "acpi.sys", "Core", 0, 0, 1, false },
  { "pci", "pci.sys", "System Bus Extender", 0, 0, 1, false },
  { "partmgr", "partmgr.sys", "System Bus Extender", 0, 0, 7, false },
  { "volmgr", "volmgr.sys", "System Bus Extender", 0, 0, 8, false },
  { "mountmgr", "mountmgr.sys", "System Bus Extender", 0, 0, 0, false },
  { "disk", "disk.sys", "", 0, 0, 0, false },
  { "volsnap", "volsnap.sys", "", 0, 0, 0, false },
  { "fvevol", "fvevol.sys", "", 0, 0, 0, false },
  { "LSI_SAS", "lsi_sas.sys", "SCSI Miniport", 0, 0, 34, false },
  { "pvscsi", "pvscsi.sys", "SCSI Miniport", 0, 0, 35, false },
  { "vmci", "vmci.sys", "System Bus Extender", 3, 0, 16, false },
  { "vsock", "vsock.sys", "PNP_TDI", 1, 1, 0, false },
  { "vm3dmp", "vm3dmp.sys", "Video", 3, 3, 0, false },
  { "vmmouse", "vmmouse.sys", "Pointer Port", 3, 3, 0, false },
  { "VMTools", NULL, NULL, 2, 2, 0, false },
  { "VGAuthService", NULL, NULL, 2, 2, 0, false },
  { "vmvss", NULL, NULL, 3, 3, 0, false },
  { "vmmemctl", "vmmemctl.sys", "Base", 2, 2, 0, false },
  { "vmhgfs", "vmhgfs.sys", "Network", 1, 1, 0, false },
  { "TermService", NULL, NULL, 3, 3, 0, false },
};

static void
add_service (struct v2v_hive *h, const char *set, const struct service *s,
             bool modern)
{
  const uint32_t start = modern ? s->start10 : s->start7;
  char key[200], image[200];

  if (start == ABSENT)
    return;
  snprintf (key, sizeof key, "%s\\Services\\%s", set, s->name);
  hive_build_dword (h, key, "Type", s->file ? 1 : 16);
  hive_build_dword (h, key, "Start", start);
  hive_build_dword (h, key, "ErrorControl", start == 0 ? 3 : 1);
  if (s->group != NULL && *s->group != '\0')
    hive_build_string (h, key, "Group", s->group);
  if (s->tag != 0)
    hive_build_dword (h, key, "Tag", s->tag);
  if (s->file != NULL)
    snprintf (image, sizeof image, "%sSystem32\\drivers\\%s",
              modern ? "" : "\\SystemRoot\\", s->file);
  else
    snprintf (image, sizeof image, "\"C:\\Program Files\\VMware\\%s.exe\"",
              s->name);
  hive_build_expand (h, key, "ImagePath", image);
  if (modern && s->overridden) {
    snprintf (key, sizeof key, "%s\\Services\\%s\\StartOverride", set, s->name);
    hive_build_dword (h, key, "0", 3);
  }
}

/* ---- SYSTEM ---- */

static void
add_class (struct v2v_hive *h, const char *set, const char *class,
           const char *value, const char *one, const char *two)
{
  const char *const list[] = { one, two, NULL };
  char key[200];

  snprintf (key, sizeof key, "%s\\Control\\Class\\%s", set, class);
  hive_build_multi (h, key, value, list);
}

static void
add_control (struct v2v_hive *h, const char *set,
             const struct windows_release *r)
{
  static const char *const paging[] = { "?:\\pagefile.sys", NULL };
  char key[200];

#define KEY(tail)                                                              \
  (snprintf (key, sizeof key, "%s\\Control\\%s", set, tail), key)
  hive_build_string (h, KEY ("ProductOptions"), "ProductType", r->product_type);
  hive_build_string (h, KEY ("ComputerName\\ComputerName"), "ComputerName",
                     "CONSTRUCTED");
  hive_build_expand (h, KEY ("CrashControl"), "DumpFile",
                     "%SystemRoot%\\MEMORY.DMP");
  hive_build_multi (h, KEY ("Session Manager\\Memory Management"),
                    "PagingFiles", paging);
  hive_build_dword (h, KEY ("Terminal Server"), "fDenyTSConnections", 1);
  hive_build_string (h, KEY ("TimeZoneInformation"), "TimeZoneKeyName",
                     "W. Europe Standard Time");
#undef KEY
  add_class (h, set, "{4d36e967-e325-11ce-bfc1-08002be10318}", "UpperFilters",
             "partmgr", NULL);
  add_class (h, set, "{71a27cdd-812a-11d0-bec7-08002be2092f}", "UpperFilters",
             "volsnap", NULL);
  add_class (h, set, "{71a27cdd-812a-11d0-bec7-08002be2092f}", "LowerFilters",
             "fvevol", NULL);
}

static void
add_critical (struct v2v_hive *h, const char *set)
{
  char key[200];

  snprintf (key, sizeof key, "%s\\Control\\CriticalDeviceDatabase\\root#vmbus",
            set);
  hive_build_string (h, key, "Service", "vmbus");
  hive_build_string (h, key, "ClassGUID",
                     "{4D36E97D-E325-11CE-BFC1-08002BE10318}");
}

static void
build_system (const char *file, const struct windows_release *r)
{
  static const char *const sets[] = { "ControlSet001", "ControlSet002" };
  const bool modern = r->major * 10 + r->minor >= 62;
  uint8_t place[12];
  struct v2v_hive *h;

  hive_build_empty (file);
  h = hive_build_open (file);
  hive_build_dword (h, "Select", "Current", 1);
  hive_build_dword (h, "Select", "Default", 1);
  hive_build_dword (h, "Select", "Failed", 0);
  hive_build_dword (h, "Select", "LastKnownGood", modern ? 1 : 2);
  for (unsigned i = 0; i < (modern ? 1 : 2); ++i) {
    char key[200];

    for (size_t k = 0; k < V2V_ARRAY_SIZE (services); ++k)
      add_service (h, sets[i], &services[k], modern);
    add_control (h, sets[i], r);
    if (!modern)
      add_critical (h, sets[i]);
    snprintf (key, sizeof key, "%s\\Services\\partmgr\\Parameters", sets[i]);
    hive_build_dword (h, key, "SanPolicy",
                      strcmp (r->product_type, "WinNT") == 0 ? 1 : 2);
    snprintf (key, sizeof key, "%s\\Services\\Tcpip\\Parameters", sets[i]);
    hive_build_string (h, key, "Hostname", "constructed");
  }
  if (modern)
    hive_build_key (h, "DriverDatabase\\DeviceIds");
  v2v_put_le32 (place, 0x5cbea03e);
  v2v_put_le64 (place + 4, 1048576);
  hive_build_binary (h, "MountedDevices", "\\DosDevices\\C:", place, 12);
  hive_build_dword (h, "Setup", "SetupType", 0);
  hive_build_dword (h, "Setup", "OOBEInProgress", 0);
  hive_build_dword (h, "Setup", "SystemSetupInProgress", 0);
  hive_build_string (h, "Setup", "CmdLine", "");
  hive_build_done (h);
}

/* ---- SOFTWARE ---- */

#define TOOLS                                                                  \
  "Microsoft\\Windows\\CurrentVersion\\Uninstall\\"                            \
  "{5F5E2D2A-8E61-4A3A-9F6B-2C5F4E0F4A11}"

static void
build_software (const char *file, const struct windows_release *r)
{
  static const char version[] = "Microsoft\\Windows NT\\CurrentVersion";
  static const char windows[] = "Microsoft\\Windows\\CurrentVersion";
  struct v2v_hive *h;
  char text[64];

  hive_build_empty (file);
  h = hive_build_open (file);
  hive_build_string (h, version, "ProductName", r->product);
  hive_build_string (h, version, "InstallationType", r->variant);
  snprintf (text, sizeof text, "%u", r->build);
  hive_build_string (h, version, "CurrentBuildNumber", text);
  hive_build_string (h, version, "CurrentBuild", text);
  if (r->major == 10) {
    hive_build_string (h, version, "CurrentVersion", "6.3");
    hive_build_dword (h, version, "CurrentMajorVersionNumber", 10);
    hive_build_dword (h, version, "CurrentMinorVersionNumber", 0);
  }
  else {
    snprintf (text, sizeof text, "%d.%d", r->major, r->minor);
    hive_build_string (h, version, "CurrentVersion", text);
  }
  hive_build_string (h, version, "SystemRoot", "C:\\Windows");
  hive_build_expand (h, windows, "DevicePath", "%SystemRoot%\\inf");
  hive_build_string (h, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
                     "ImageState", "IMAGE_STATE_COMPLETE");
  hive_build_string (h, TOOLS, "DisplayName", "VMware Tools");
  hive_build_string (h, TOOLS, "DisplayVersion", "12.3.5.22544099");
  hive_build_expand (h, TOOLS, "UninstallString",
                     "MsiExec.exe /I{5F5E2D2A-8E61-4A3A-9F6B-2C5F4E0F4A11}");
  hive_build_done (h);
}

/* ---- boot configuration ---- */

#define BCD_ID  "{733b62e5-f608-11eb-825c-c112f60133ab}"
#define BCD_MGR "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
#define BCD_LEN 88

static void
write_bcd (const char *file, const char *loader, const uint8_t device[BCD_LEN])
{
  struct v2v_hive *h;

  hive_build_empty (file);
  h = hive_build_open (file);
  hive_build_string (h, "Objects\\" BCD_MGR "\\Elements\\23000003", "Element",
                     BCD_ID);
  hive_build_string (h, "Objects\\" BCD_ID "\\Elements\\12000002", "Element",
                     loader);
  hive_build_binary (h, "Objects\\" BCD_ID "\\Elements\\21000001", "Element",
                     device, BCD_LEN);
  hive_build_done (h);
}

void
windows_tree_bcd (const char *file, const char *loader, const char *guid)
{
  uint8_t device[BCD_LEN] = { [0x10] = 6, [0x18] = 0x48 };
  struct v2v_guid g;

  assert_true (v2v_guid_parse (guid, &g));
  v2v_guid_to_mixed (&g, device + 0x20);
  write_bcd (file, loader, device);
}

static void
mbr_device (uint8_t device[BCD_LEN], uint32_t signature, uint64_t offset)
{
  memset (device, 0, BCD_LEN);
  device[0x10] = 6;
  device[0x18] = 0x48;
  v2v_put_le64 (device + 0x20, offset);
  device[0x34] = 1;
  v2v_put_le32 (device + 0x38, signature);
}

void
windows_tree_bcd_mbr (const char *file, const char *loader, uint32_t signature,
                      uint64_t offset)
{
  uint8_t device[BCD_LEN];

  mbr_device (device, signature, offset);
  write_bcd (file, loader, device);
}

void
windows_tree_bcd_device (const char *file, bool manager, const char *element,
                         uint32_t signature, uint64_t offset)
{
  struct v2v_hive *h = hive_build_open (file);
  uint8_t device[BCD_LEN];
  char key[200];

  snprintf (key, sizeof key, "Objects\\%s\\Elements\\%s",
            manager ? BCD_MGR : BCD_ID, element);
  mbr_device (device, signature, offset);
  hive_build_binary (h, key, "Element", device, sizeof device);
  hive_build_done (h);
}

/* ---- the tree ---- */

#define PARTITION "8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b"

static const char *const more_drivers[] = { "pciidex.sys", "ataport.sys" };

static void
add_boot (const char *dir, bool efi)
{
  char path[512];

  guest_tree_write (dir,
                    efi ? "/Windows/System32/winload.efi"
                        : "/Windows/System32/winload.exe",
                    "MZ");
  if (efi) {
    guest_tree_write (dir, "/EFI-v2v/EFI/Microsoft/Boot/bootmgfw.efi",
                      "MZ constructed boot manager");
    snprintf (path, sizeof path, "%s/EFI-v2v/EFI/Microsoft/Boot/BCD", dir);
    windows_tree_bcd (path, "\\Windows\\system32\\winload.efi", PARTITION);
  }
  else {
    guest_tree_write (dir, "/bootmgr", "boot manager");
    guest_tree_write (dir, "/Boot/memtest.exe", "MZ");
    snprintf (path, sizeof path, "%s/Boot/BCD", dir);
    windows_tree_bcd (path, "\\Windows\\system32\\winload.exe", PARTITION);
  }
}

char *
windows_tree_make (const struct windows_release *r, bool efi)
{
  const bool modern = r->major * 10 + r->minor >= 62;
  char *dir = guest_tree_make (NULL);

  guest_tree_write (dir, "/Windows/System32/cmd.exe", "MZ");
  guest_tree_write (dir, "/Windows/System32/config/SYSTEM", "");
  guest_tree_write (dir, "/Windows/System32/config/SYSTEM.LOG1", "");
  guest_tree_write (dir, "/Windows/System32/config/SYSTEM.LOG2", "");
  build_system (windows_tree_system (dir), r);
  build_software (windows_tree_software (dir), r);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (services); ++i)
    if (services[i].file != NULL && (modern || services[i].start7 != ABSENT))
      windows_tree_add_driver (dir, services[i].file, NULL);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (more_drivers); ++i)
    windows_tree_add_driver (dir, more_drivers[i], NULL);
  add_boot (dir, efi);
  return dir;
}

struct v2v_guest *
windows_tree_open (const char *dir, const struct windows_release *r,
                   unsigned generation)
{
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", r->major);
  const struct v2v_guest_opts opts = { .generation = generation };
  struct v2v_os *os = v2v_guest_os (g);
  struct v2v_filesystem *f;
  struct v2v_os_letter *l;

  os->minor = r->minor;
  os->build = r->build;
  guest_tree_set (&os->arch, r->arch);
  guest_tree_set (&os->product_name, r->product);
  guest_tree_set (&os->product_variant, r->variant);
  guest_tree_set (&os->systemroot, "/Windows");
  guest_tree_set (&os->control_set, "ControlSet001");
  guest_tree_set (&os->root, "/dev/sda2");
  f = v2v_os_add_filesystem (os);
  guest_tree_set (&f->device, "/dev/sda2");
  guest_tree_set (&f->type, "ntfs");
  guest_tree_set (&f->partuuid, PARTITION);
  l = v2v_os_add_letter (os);
  l->letter = 'C';
  guest_tree_set (&l->device, "/dev/sda2");
  v2v_guest_set_opts (g, &opts);
  return g;
}

void
windows_tree_remove_driver (const char *dir, const char *file)
{
  char path[512];

  snprintf (path, sizeof path, "%s/Windows/System32/drivers/%s", dir, file);
  assert_int_equal (unlink (path), 0);
}

void
windows_tree_add_driver (const char *dir, const char *file,
                         const char *contents)
{
  char path[256];

  snprintf (path, sizeof path, "/Windows/System32/drivers/%s", file);
  guest_tree_write (dir, path, contents != NULL ? contents : "MZ");
}
