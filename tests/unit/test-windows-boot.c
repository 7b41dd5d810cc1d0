/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Windows guest: what is refused, what is said, the ESP, the boot
 * configuration, disks and letters.  Trees are constructed; one BCD is real. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/windows.h"
#include "test-util.h"
#include "windows-tree.h"

#define SAN "ControlSet001\\Services\\partmgr\\Parameters"

static char *dir;
static const struct windows_release *release;
static struct v2v_guest *g;

static void
make (const char *label, bool efi, unsigned generation)
{
  release = windows_release_by_label (label);
  dir = windows_tree_make (release, efi);
  g = windows_tree_open (dir, release, generation);
}

static void
done (void)
{
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
convert (void)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_windows_convert (g, &err), err);
}

/* Refused with TEXT, and nothing was changed. */
static void
assert_refused (const char *text)
{
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_windows_convert (g, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, text);
  guest_tree_assert_unchanged (g);
}

static const struct v2v_finding *
finding (const char *id)
{
  return v2v_findings_find (v2v_guest_findings (g), id);
}

static struct v2v_hive *
edit (void)
{
  return hive_build_open (windows_tree_system (dir));
}

static void
unlink_in (const char *path)
{
  char full[512];

  snprintf (full, sizeof full, "%s%s", dir, path);
  assert_int_equal (unlink (full), 0);
}

/* ---- versions and generations ---- */

static void
test_constructed_versions_and_generations (void **state)
{
  static const struct {
    int major, minor;
    const char *arch;
    unsigned generation;
    const char *refusal; /* NULL: goes through */
  } rows[] = {
    { 10, 0, "x86_64", 1, NULL },
    { 10, 0, "x86_64", 0, NULL },
    { 10, 0, "i386", 1, NULL },
    { 10, 0, "i386", 0, NULL },
    { 10, 0, "i386", 2, "generation 2 starts 64-bit" },
    { 6, 2, "x86_64", 1, NULL },
    { 6, 1, "x86_64", 1, NULL },
    { 6, 1, "x86_64", 2, "generation 2 starts 64-bit" },
    { 6, 0, "x86_64", 1, NULL },
    { 5, 2, "i386", 1, NULL },
    { 5, 1, "i386", 1, NULL },
    { 5, 1, "i386", 2, "generation 2 starts 64-bit" },
    { 5, 0, "i386", 1, "Windows 2000 and older" },
    { 4, 0, "i386", 1, "Windows 2000 and older" },
    { -1, -1, "x86_64", 1, "version of Windows cannot be found out" },
    { 10, 0, "unknown", 1, "architecture of Windows cannot be found out" },
    { 10, 0, NULL, 1, "architecture of Windows cannot be found out" },
    { 10, 0, "aarch64", 1, "generation 1 does not start" },
    { 10, 0, "x86_64", 2, "has none" }, /* no ESP in this tree */
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    make ("constructed_windows_10", false, rows[i].generation);
    guest_tree_write (dir, "/ntldr", "x");
    guest_tree_write (dir, "/NTDETECT.COM", "x");
    guest_tree_write (dir, "/boot.ini", "[boot loader]");
    v2v_guest_os (g)->major = rows[i].major;
    v2v_guest_os (g)->minor = rows[i].minor;
    guest_tree_set (&v2v_guest_os (g)->arch, rows[i].arch);
    if (rows[i].refusal != NULL)
      assert_refused (rows[i].refusal);
    else
      convert ();
    done ();
  }
}

static void
test_constructed_driver_files_must_be_there (void **state)
{
  static const char *const generation1[] = { "vmbus.sys",    "storvsc.sys",
                                             "intelide.sys", "pciidex.sys",
                                             "atapi.sys",    "ataport.sys" };
  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (generation1); ++i) {
    make ("constructed_server_2016", false, 1);
    windows_tree_remove_driver (dir, generation1[i]);
    assert_refused (generation1[i]);
    done ();
    /* There, but empty. */
    make ("constructed_windows_7", false, 1);
    windows_tree_add_driver (dir, generation1[i], "");
    assert_refused (generation1[i]);
    done ();
  }
  for (size_t i = 2; i < V2V_ARRAY_SIZE (generation1); ++i) {
    make ("constructed_server_2016", true, 2);
    windows_tree_remove_driver (dir, generation1[i]);
    convert ();
    done ();
  }
  /* Either generation: the other one is still open. */
  make ("constructed_server_2016", true, 0);
  windows_tree_remove_driver (dir, "atapi.sys");
  convert ();
  assert_non_null (finding ("guest.windows.no-ide"));
  assert_true (hive_has_key (windows_tree_system (dir),
                             "ControlSet001\\Services\\atapi\\StartOverride"));
  done ();
}

/* XP and 2003: emulated IDE as well as possible. */
static void
test_constructed_xp_is_prepared_for_ide (void **state)
{
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_7", false, 1);
  v2v_guest_os (g)->major = 5;
  v2v_guest_os (g)->minor = 1;
  guest_tree_set (&v2v_guest_os (g)->arch, "i386");
  windows_tree_remove_driver (dir, "vmbus.sys");
  windows_tree_remove_driver (dir, "storvsc.sys");
  windows_tree_remove_driver (dir, "vmstorfl.sys");
  windows_tree_remove_driver (dir, "ataport.sys");
  windows_tree_remove_driver (dir, "VMBusHID.sys");
  h = edit ();
  hive_build_dword (h, "ControlSet001\\Services\\atapi", "Start", 4);
  hive_build_dword (h, SAN, "SanPolicy", 2);
  hive_build_dword (h, "ControlSet001\\Services\\vmbus", "Start", 3);
  hive_build_done (h);
  convert ();
  assert_non_null (finding ("guest.windows.legacy"));
  assert_non_null (finding ("guest.windows.hal"));
  assert_non_null (finding ("guest.windows.boot-files")); /* ntldr */
  assert_null (finding ("guest.windows.boot-driver"));
  assert_int_equal (hive_read_dword (windows_tree_system (dir),
                                     "ControlSet001\\Services\\atapi", "Start"),
                    0);
  assert_int_equal (hive_read_dword (windows_tree_system (dir),
                                     "ControlSet001\\Services\\vmbus", "Start"),
                    3);
  assert_true (hive_has_key (windows_tree_system (dir),
                             "ControlSet001\\Control\\CriticalDeviceDatabase"
                             "\\Primary_IDE_Channel"));
  assert_false (hive_has_key (windows_tree_system (dir),
                              "ControlSet001\\Control\\CriticalDeviceDatabase"
                              "\\ACPI#VMBus"));
  /* No SAN policy before Vista. */
  assert_null (v2v_journal_find (v2v_guest_journal (g),
                                 "SYSTEM\\ControlSet001\\Services\\partmgr"
                                 "\\Parameters",
                                 "SanPolicy"));
  done ();
  /* Its IDE drivers may still be in driver.cab. */
  make ("constructed_windows_7", false, 1);
  v2v_guest_os (g)->major = 5;
  v2v_guest_os (g)->minor = 2;
  windows_tree_remove_driver (dir, "intelide.sys");
  assert_refused ("intelide.sys");
  done ();
}

/* A cabinet with one file, stored ([MS-CAB]). */
static void
write_cabinet (const char *path, const char *name, const char *text)
{
  const uint16_t len = (uint16_t) strlen (text);
  const uint32_t names = (uint32_t) strlen (name) + 1;
  uint8_t cab[512] = "MSCF";
  uint8_t *folder = cab + 36, *file = cab + 44, *data = file + 16 + names;
  char full[512];

  assert_true (36 + 8 + 16 + names + 8 + len < sizeof cab);
  v2v_put_le32 (cab + 8, 36 + 8 + 16 + names + 8 + len);
  v2v_put_le32 (cab + 16, 44);
  cab[24] = 3; /* version 1.3 */
  cab[25] = 1;
  v2v_put_le16 (cab + 26, 1);
  v2v_put_le16 (cab + 28, 1);
  v2v_put_le32 (folder, (uint32_t) (data - cab));
  v2v_put_le16 (folder + 4, 1);
  v2v_put_le32 (file, len);
  memcpy (file + 16, name, names);
  v2v_put_le16 (data + 4, len);
  v2v_put_le16 (data + 6, len);
  memcpy (data + 8, text, len);
  guest_tree_write (dir, path, "");
  snprintf (full, sizeof full, "%s%s", dir, path);
  test_write_file (full, cab, (size_t) (data - cab) + 8 + len);
}

static void
make_xp (void)
{
  make ("constructed_windows_7", false, 1);
  v2v_guest_os (g)->major = 5;
  v2v_guest_os (g)->minor = 1;
  guest_tree_set (&v2v_guest_os (g)->arch, "i386");
  windows_tree_remove_driver (dir, "intelide.sys");
}

#define INTELIDE "/Windows/System32/drivers/intelide.sys"

static void
test_constructed_xp_driver_comes_from_the_driver_cache (void **state)
{
  (void) state;
  make_xp ();
  write_cabinet ("/Windows/Driver Cache/i386/driver.cab", "IntelIDE.SYS",
                 "of the medium");
  convert ();
  guest_tree_assert_text (dir, INTELIDE, "of the medium");
  assert_non_null (finding ("guest.windows.driver-placed"));
  assert_int_equal (hive_read_dword (windows_tree_system (dir),
                                     "ControlSet001\\Services\\intelide",
                                     "Start"),
                    0);
  done ();
  /* What a service pack brought is newer; the last pack's first. */
  make_xp ();
  write_cabinet ("/Windows/Driver Cache/i386/driver.cab", "intelide.sys", "0");
  write_cabinet ("/Windows/Driver Cache/i386/sp2.cab", "intelide.sys", "2");
  write_cabinet ("/Windows/Driver Cache/i386/sp3.cab", "other.sys", "3");
  convert ();
  guest_tree_assert_text (dir, INTELIDE, "2");
  done ();
  make_xp ();
  write_cabinet ("/Windows/Driver Cache/i386/sp3.cab", "intelide.sys", "3");
  guest_tree_write (dir, "/Windows/ServicePackFiles/i386/INTELIDE.SYS", "pack");
  convert ();
  guest_tree_assert_text (dir, INTELIDE, "pack");
  done ();
  /* Of another architecture, or not in there. */
  make_xp ();
  write_cabinet ("/Windows/Driver Cache/amd64/driver.cab", "intelide.sys", "0");
  write_cabinet ("/Windows/Driver Cache/i386/driver.cab", "aintelide.sys", "0");
  assert_refused ("intelide.sys");
  done ();
  make_xp ();
  guest_tree_write (dir, "/Windows/Driver Cache/i386/driver.cab",
                    "MSCF damaged");
  assert_refused ("intelide.sys");
  assert_non_null (finding ("guest.windows.driver-cabinet"));
  done ();
}

static void
test_constructed_vista_without_integration_keeps_to_ide (void **state)
{
  (void) state;
  make ("constructed_windows_7", false, 1);
  v2v_guest_os (g)->minor = 0;
  windows_tree_remove_driver (dir, "vmbus.sys");
  convert ();
  assert_non_null (finding ("guest.windows.no-integration"));
  done ();
}

/* ---- what the registry tells ---- */

static void
test_constructed_findings_of_the_registry (void **state)
{
  static const char restrictions[] =
      "Policies\\Microsoft\\Windows\\DeviceInstall\\Restrictions";
  struct v2v_hive *h;

  (void) state;
  make ("constructed_server_2022", false, 1);
  convert ();
  assert_null (finding ("guest.windows.domain-controller"));
  assert_null (finding ("guest.windows.cluster-node"));
  assert_null (finding ("guest.windows.device-policy"));
  assert_null (finding ("guest.windows.boot-driver"));
  assert_null (finding ("guest.windows.control-sets"));
  assert_null (finding ("guest.windows.page-file"));
  assert_null (finding ("guest.windows.boot-configuration"));
  done ();

  make ("constructed_server_2022", false, 1);
  h = edit ();
  hive_build_string (h, "ControlSet001\\Control\\ProductOptions", "ProductType",
                     "LanmanNT");
  hive_build_dword (h, "ControlSet001\\Services\\ClusSvc", "Start", 2);
  hive_build_dword (h, "ControlSet001\\Services\\volsnap", "Start", 3);
  hive_build_done (h);
  h = hive_build_open (windows_tree_software (dir));
  hive_build_dword (h, restrictions, "DenyUnspecified", 1);
  hive_build_done (h);
  convert ();
  assert_non_null (finding ("guest.windows.domain-controller"));
  assert_non_null (finding ("guest.windows.cluster-node"));
  assert_string_equal (finding ("guest.windows.device-policy")->subject,
                       "DenyUnspecified");
  assert_string_equal (finding ("guest.windows.boot-driver")->subject,
                       "volsnap");
  /* Reported, never built. */
  assert_int_equal (hive_read_dword (windows_tree_system (dir),
                                     "ControlSet001\\Services\\volsnap",
                                     "Start"),
                    3);
  done ();

  /* The feature alone, on a machine that is no node. */
  make ("constructed_server_2022", false, 1);
  h = edit ();
  hive_build_dword (h, "ControlSet001\\Services\\ClusSvc", "Start", 4);
  hive_build_done (h);
  convert ();
  assert_null (finding ("guest.windows.cluster-node"));
  done ();
}

static void
test_constructed_updates_that_wait_for_a_restart_are_said (void **state)
{
#define CURRENT "Microsoft\\Windows\\CurrentVersion\\"
  static const char *const keys[] = {
    CURRENT "Component Based Servicing\\RebootPending",
    CURRENT "WindowsUpdate\\Auto Update\\RebootRequired",
  };

  (void) state;
  make ("constructed_server_2019", false, 1);
  guest_tree_write (dir, "/Windows/WinSxS/pending.xml", "");
  guest_tree_write (dir, "/Windows/WinSxS/poqexec.log", "x");
  convert ();
  assert_null (finding ("guest.windows.pending-restart"));
  done ();
  make ("constructed_server_2019", false, 1);
  guest_tree_write (dir, "/Windows/winsxs/Pending.xml",
                    "<PendingTransaction/>");
  convert ();
  assert_string_equal (finding ("guest.windows.pending-restart")->subject,
                       "/Windows/WinSxS/pending.xml");
  done ();
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys); ++i) {
    struct v2v_hive *h;

    make ("constructed_server_2019", false, 1);
    h = hive_build_open (windows_tree_software (dir));
    hive_build_key (h, keys[i]);
    hive_build_done (h);
    convert ();
    assert_string_equal (finding ("guest.windows.pending-restart")->subject,
                         strrchr (keys[i], '\\') + 1);
    done ();
  }
#undef CURRENT
}

/* ---- disks and letters ---- */

static void
test_constructed_san_policy_is_online_all (void **state)
{
  const struct v2v_change *c;

  (void) state;
  make ("constructed_server_2019", false, 1);
  convert ();
  assert_int_equal (
      hive_read_dword (windows_tree_system (dir), SAN, "SanPolicy"), 1);
  c = v2v_journal_find (v2v_guest_journal (g), "SYSTEM\\" SAN, "SanPolicy");
  assert_non_null (c);
  assert_string_equal (c->before, "0x00000002");
  done ();
  make ("constructed_windows_10", false, 1);
  convert ();
  assert_null (
      v2v_journal_find (v2v_guest_journal (g), "SYSTEM\\" SAN, "SanPolicy"));
  done ();
}

static void
test_constructed_san_policy_stays_with_shared_disks (void **state)
{
  struct v2v_disk disk = { .shared = true };
  struct v2v_machine m = { .disks = &disk, .nr_disks = 1 };

  (void) state;
  make ("constructed_server_2019", false, 1);
  v2v_guest_set_machine (g, &m);
  convert ();
  assert_non_null (finding ("guest.windows.shared-disks"));
  assert_int_equal (
      hive_read_dword (windows_tree_system (dir), SAN, "SanPolicy"), 2);
  done ();
}

static void
test_constructed_letters_and_files_on_absent_volumes (void **state)
{
  static const uint8_t gpt[24] = "DMIO:ID:\x38\x2c\x0f\x8e\xea\xe4\xba\x47"
                                 "\xb7\xfc\x9d\x8c\x74\xdc\xcf\x0b";
  static const char *const paging[] = { "C:\\pagefile.sys 0 0",
                                        "e:\\pagefile.sys 10 10", NULL };
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_10", false, 1);
  h = edit ();
  hive_build_binary (h, "MountedDevices", "\\DosDevices\\D:", gpt, 24);
  hive_build_binary (h, "MountedDevices",
                     "\\DosDevices\\F:", "\\\0?\0?\0\\\0I\0D\0E\0#\0", 16);
  hive_build_multi (h,
                    "ControlSet001\\Control\\Session Manager"
                    "\\Memory Management",
                    "PagingFiles", paging);
  hive_build_expand (h, "ControlSet001\\Control\\CrashControl",
                     "DedicatedDumpFile", "G:\\dump.sys");
  hive_build_done (h);
  convert ();
  assert_string_equal (finding ("guest.windows.letter-absent")->subject, "D:");
  assert_non_null (strstr (finding ("guest.windows.letters")->message,
                           "C: is disk signature 5cbea03e, offset 1048576"));
  assert_non_null (
      strstr (finding ("guest.windows.letters")->message,
              "D: is GPT partition 8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b"));
  assert_null (strstr (finding ("guest.windows.letters")->message, "F:"));
  assert_string_equal (finding ("guest.windows.page-file")->subject,
                       "e:\\pagefile.sys 10 10");
  assert_string_equal (finding ("guest.windows.dump-file")->subject,
                       "G:\\dump.sys");
  done ();
}

/* ---- what the firmware starts ---- */

#define FALLBACK "/EFI-v2v/EFI/BOOT/BOOTX64.EFI"

static void
test_constructed_fallback_loader_is_put_into_the_esp (void **state)
{
  (void) state;
  make ("constructed_server_2025", true, 2);
  guest_tree_write (dir, "/EFI-v2v/EFI/Boot/other.efi", "mine");
  convert ();
  guest_tree_assert_text (dir, "/EFI-v2v/EFI/Boot/BOOTX64.EFI",
                          "MZ constructed boot manager");
  guest_tree_assert_text (dir, "/EFI-v2v/EFI/Boot/other.efi", "mine");
  done ();
  /* A different one is replaced, the same one is not written. */
  make ("constructed_server_2025", true, 2);
  guest_tree_write (dir, FALLBACK, "an older one");
  convert ();
  guest_tree_assert_text (dir, FALLBACK, "MZ constructed boot manager");
  done ();
  make ("constructed_server_2025", true, 2);
  guest_tree_write (dir, FALLBACK, "MZ constructed boot manager");
  convert ();
  assert_null (v2v_journal_find (v2v_guest_journal (g), FALLBACK, NULL));
  done ();
}

static void
test_constructed_arm_has_another_fallback_loader (void **state)
{
  (void) state;
  make ("constructed_windows_11", true, 2);
  guest_tree_set (&v2v_guest_os (g)->arch, "aarch64");
  convert ();
  assert_true (guest_tree_exists (dir, "/EFI-v2v/EFI/BOOT/BOOTAA64.EFI"));
  assert_false (guest_tree_exists (dir, FALLBACK));
  assert_non_null (finding ("guest.windows.arm"));
  done ();
}

static void
test_constructed_esp_without_manager_or_configuration_is_refused (void **state)
{
  (void) state;
  make ("constructed_server_2025", true, 2);
  unlink_in ("/EFI-v2v/EFI/Microsoft/Boot/bootmgfw.efi");
  assert_refused ("bootmgfw.efi");
  done ();
  make ("constructed_server_2025", true, 2);
  unlink_in ("/EFI-v2v/EFI/Microsoft/Boot/BCD");
  assert_refused ("\\EFI\\Microsoft\\Boot\\BCD");
  done ();
}

static void
assert_configuration (const char *loader, const char *guid, const char *text)
{
  char path[512];

  make ("constructed_server_2025", true, 2);
  snprintf (path, sizeof path, "%s/EFI-v2v/EFI/Microsoft/Boot/BCD", dir);
  windows_tree_bcd (path, loader, guid);
  convert ();
  if (text == NULL) {
    assert_null (finding ("guest.windows.boot-configuration"));
  }
  else {
    assert_non_null (finding ("guest.windows.boot-configuration"));
    assert_non_null (
        strstr (finding ("guest.windows.boot-configuration")->message, text));
  }
  done ();
}

static void
test_constructed_boot_configuration_is_compared (void **state)
{
  static const char here[] = "8E0F2C38-E4EA-47BA-B7FC-9D8C74DCCF0B";
  static const char there[] = "8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0c";

  (void) state;
  assert_configuration ("\\windows\\SYSTEM32\\winload.efi", here, NULL);
  assert_configuration ("\\Windows\\system32\\winload.efi", there,
                        "on no disk of this machine");
  assert_configuration ("\\Windows\\system32\\winload.exe", here,
                        "the default entry is for BIOS");
  assert_configuration ("\\Windows\\system32\\nosuch.efi", here,
                        "the loader is not in the guest");
}

static void
test_constructed_damaged_boot_configuration_is_a_finding (void **state)
{
  (void) state;
  make ("constructed_server_2025", true, 2);
  guest_tree_write (dir, "/EFI-v2v/EFI/Microsoft/Boot/BCD", "no hive");
  convert ();
  assert_non_null (
      strstr (finding ("guest.windows.boot-configuration")->message, "regf"));
  done ();
}

static void
test_constructed_bios_files (void **state)
{
  struct v2v_filesystem *f;

  (void) state;
  make ("constructed_windows_7", false, 1);
  unlink_in ("/bootmgr");
  convert ();
  assert_string_equal (finding ("guest.windows.boot-files")->subject,
                       "/bootmgr");
  done ();
  /* They may be on "System Reserved". */
  make ("constructed_windows_7", false, 1);
  unlink_in ("/bootmgr");
  f = v2v_os_add_filesystem (v2v_guest_os (g));
  guest_tree_set (&f->device, "/dev/sda1");
  guest_tree_set (&f->type, "ntfs");
  convert ();
  assert_null (finding ("guest.windows.boot-files"));
  done ();
}

/* ---- BIOS guests: disk signature and offset ---- */

#define SIGNATURE 0x5cbea03eu
#define RESERVED  UINT64_C (1048576)
#define WINDOWS   UINT64_C (105906176)

/* "System Reserved" and the volume of Windows, as an appliance finds them. */
static void
add_places (bool active_reserved)
{
  struct v2v_os *os = v2v_guest_os (g);
  struct v2v_filesystem *f = v2v_os_add_filesystem (os);

  guest_tree_set (&f->device, "/dev/sda1");
  guest_tree_set (&f->type, "ntfs");
  f->offset_bytes = RESERVED;
  f->disk_signature = SIGNATURE;
  f->is_active = active_reserved;
  f = &os->filesystems[0];
  guest_tree_set (&f->partuuid, NULL);
  f->offset_bytes = WINDOWS;
  f->disk_signature = SIGNATURE;
  f->is_active = !active_reserved;
}

static const char *
bcd_file (const char *folder)
{
  static char path[512];

  snprintf (path, sizeof path, "%s%s/Boot/BCD", dir, folder);
  return path;
}

/* TEXT NULL: nothing is said. */
static void
assert_place (uint32_t signature, uint64_t offset, const char *text)
{
  make ("constructed_windows_7", false, 1);
  add_places (false);
  windows_tree_bcd_mbr (bcd_file (""), "\\Windows\\system32\\winload.exe",
                        signature, offset);
  convert ();
  if (text == NULL)
    assert_null (finding ("guest.windows.boot-configuration"));
  else
    assert_string_equal (finding ("guest.windows.boot-configuration")->subject,
                         text);
  assert_null (finding ("guest.windows.boot-files"));
  done ();
}

static void
test_constructed_bios_places_are_compared (void **state)
{
  (void) state;
  assert_place (SIGNATURE, WINDOWS, NULL);
  assert_place (SIGNATURE + 1, WINDOWS,
                "disk signature 5cbea03f, offset 105906176");
  assert_place (SIGNATURE, WINDOWS + 512,
                "disk signature 5cbea03e, offset 105906688");
}

static void
test_constructed_every_device_of_the_configuration_is_compared (void **state)
{
  static const struct {
    bool manager;
    const char *element, *text;
  } rows[] = {
    { false, "11000001", "names for its loader is" },
    { false, "21000001", "names for Windows is" },
    { true, "11000001", "names for the boot manager is" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    make ("constructed_windows_7", false, 1);
    add_places (false);
    windows_tree_bcd_mbr (bcd_file (""), "\\Windows\\system32\\winload.exe",
                          SIGNATURE, WINDOWS);
    windows_tree_bcd_device (bcd_file (""), rows[i].manager, rows[i].element,
                             SIGNATURE, RESERVED);
    convert ();
    assert_null (finding ("guest.windows.boot-configuration"));
    windows_tree_bcd_device (bcd_file (""), rows[i].manager, rows[i].element,
                             0x11223344, RESERVED);
    convert ();
    assert_non_null (strstr (
        finding ("guest.windows.boot-configuration")->message, rows[i].text));
    done ();
  }
}

/* The files and the configuration are on a volume of their own. */
static void
test_constructed_system_reserved_is_looked_at (void **state)
{
  (void) state;
  for (int active = 0; active < 2; ++active) {
    make ("constructed_server_2016", false, 1);
    unlink_in ("/bootmgr");
    unlink_in ("/Boot/BCD");
    guest_tree_write (dir, "/System-v2v/bootmgr", "boot manager");
    guest_tree_write (dir, "/System-v2v/Boot/memtest.exe", "MZ");
    windows_tree_bcd_mbr (bcd_file ("/System-v2v"),
                          "\\Windows\\system32\\winload.exe", SIGNATURE,
                          WINDOWS);
    add_places (active);
    guest_tree_set (&v2v_guest_os (g)->system_volume, "/dev/sda1");
    convert ();
    assert_null (finding ("guest.windows.boot-configuration"));
    if (active)
      assert_null (finding ("guest.windows.boot-files"));
    else
      assert_string_equal (finding ("guest.windows.boot-files")->subject,
                           "/dev/sda1");
    windows_tree_bcd_mbr (bcd_file ("/System-v2v"),
                          "\\Windows\\system32\\winload.exe", 1, WINDOWS);
    convert ();
    assert_non_null (finding ("guest.windows.boot-configuration"));
    done ();
  }
  /* All were looked at, and none has them. */
  make ("constructed_server_2016", false, 1);
  unlink_in ("/bootmgr");
  add_places (true);
  convert ();
  assert_string_equal (finding ("guest.windows.boot-files")->subject,
                       "/bootmgr");
  done ();
}

static void
test_real_bcd_of_windows_10_is_understood (void **state)
{
  struct v2v_filesystem *f;
  char *path, to[512];

  (void) state;
  make ("constructed_windows_10", true, 2);
  path = test_sample_unpacked ("hives/windows/BCD.xz", dir);
  if (path == NULL) {
    done ();
    skip ();
  }
  snprintf (to, sizeof to, "%s/EFI-v2v/EFI/Microsoft/Boot/BCD", dir);
  assert_int_equal (rename (path, to), 0);
  free (path);
  f = v2v_os_add_filesystem (v2v_guest_os (g)); /* the boot manager's */
  guest_tree_set (&f->device, "/dev/sda1");
  guest_tree_set (&f->partuuid, "36be3955-63bf-4068-a6ab-00195cca3a22");
  convert ();
  assert_null (finding ("guest.windows.boot-configuration"));
  v2v_guest_close (g);
  /* The partition is another one. */
  g = windows_tree_open (dir, release, 2);
  guest_tree_set (&v2v_guest_os (g)->filesystems[0].partuuid,
                  "11111111-2222-3333-4444-555555555555");
  convert ();
  assert_string_equal (finding ("guest.windows.boot-configuration")->subject,
                       "8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b");
  done ();
}

#define T(name) cmocka_unit_test (name)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_constructed_versions_and_generations),
    T (test_constructed_driver_files_must_be_there),
    T (test_constructed_xp_is_prepared_for_ide),
    T (test_constructed_xp_driver_comes_from_the_driver_cache),
    T (test_constructed_vista_without_integration_keeps_to_ide),
    T (test_constructed_findings_of_the_registry),
    T (test_constructed_updates_that_wait_for_a_restart_are_said),
    T (test_constructed_san_policy_is_online_all),
    T (test_constructed_san_policy_stays_with_shared_disks),
    T (test_constructed_letters_and_files_on_absent_volumes),
    T (test_constructed_fallback_loader_is_put_into_the_esp),
    T (test_constructed_arm_has_another_fallback_loader),
    T (test_constructed_esp_without_manager_or_configuration_is_refused),
    T (test_constructed_boot_configuration_is_compared),
    T (test_constructed_damaged_boot_configuration_is_a_finding),
    T (test_constructed_bios_files),
    T (test_constructed_bios_places_are_compared),
    T (test_constructed_every_device_of_the_configuration_is_compared),
    T (test_constructed_system_reserved_is_looked_at),
    T (test_real_bcd_of_windows_10_is_understood),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
