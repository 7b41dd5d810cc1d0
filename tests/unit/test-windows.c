/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Windows guest made to start on Hyper-V, offline: services, filters,
 * devices, VMware Tools.  Trees are constructed; one has the real SYSTEM hive
 * of a Windows 7 on VMware. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/windows.h"
#include "test-util.h"
#include "windows-tree.h"

static char *dir;
static const struct windows_release *release;

static void
make (const char *label)
{
  release = windows_release_by_label (label);
  dir = windows_tree_make (release, false);
}

static void
done (void)
{
  test_tmpdir_remove (dir);
}

/* Convert; the guest is the caller's to close. */
static struct v2v_guest *
convert (unsigned generation)
{
  struct v2v_guest *g = windows_tree_open (dir, release, generation);
  struct v2v_error *err = NULL;

  assert_ok (v2v_windows_convert (g, &err), err);
  return g;
}

static void
convert_and_close (unsigned generation)
{
  v2v_guest_close (convert (generation));
}

static struct v2v_hive *
edit (void)
{
  return hive_build_open (windows_tree_system (dir));
}

static uint32_t
get (const char *key, const char *name)
{
  return hive_read_dword (windows_tree_system (dir), key, name);
}

static bool
has (const char *key)
{
  return hive_has_key (windows_tree_system (dir), key);
}

#define S1 "ControlSet001\\Services\\"
#define S2 "ControlSet002\\Services\\"

static void
assert_text (const char *key, const char *name, const char *text)
{
  char *s = hive_read_string (windows_tree_system (dir), key, name);

  assert_non_null (s);
  assert_string_equal (s, text);
  free (s);
}

static bool
found (struct v2v_guest *g, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (g), id) != NULL;
}

/* ---- the table of services, row by row ---- */

static void
test_constructed_every_release_boots_from_ide_and_scsi (void **state)
{
  static const char *const boot[] = { "vmbus",    "storvsc", "storflt",
                                      "intelide", "pciide",  "atapi" };
  (void) state;
  for (size_t i = 0; windows_releases[i].label != NULL; ++i) {
    make (windows_releases[i].label);
    convert_and_close (1);
    for (size_t k = 0; k < V2V_ARRAY_SIZE (boot); ++k) {
      char key[100];

      snprintf (key, sizeof key, S1 "%s", boot[k]);
      assert_int_equal (get (key, "Start"), 0);
      snprintf (key, sizeof key, S1 "%s\\StartOverride", boot[k]);
      assert_false (has (key));
      if (release->minor == 1) {
        snprintf (key, sizeof key, S2 "%s", boot[k]);
        assert_int_equal (get (key, "Start"), 0);
      }
    }
    done ();
  }
}

static void
test_constructed_start_override_stays_where_it_does_not_matter (void **state)
{
  (void) state;
  release = windows_release_by_label ("constructed_server_2022");
  dir = windows_tree_make (release, true);
  convert_and_close (2);
  assert_false (has (S1 "vmbus\\StartOverride"));
  assert_false (has (S1 "storvsc\\StartOverride"));
  /* IDE is not in generation 2; vpci is for passed-through hardware. */
  assert_true (has (S1 "intelide\\StartOverride"));
  assert_true (has (S1 "atapi\\StartOverride"));
  assert_true (has (S1 "storflt\\StartOverride"));
  assert_true (has (S1 "vpci\\StartOverride"));
  done ();
}

static void
test_constructed_group_tag_error_control_and_path_stay (void **state)
{
  (void) state;
  make ("constructed_windows_7");
  convert_and_close (1);
  assert_text (S1 "storvsc", "Group", "Base");
  assert_text (S1 "storvsc", "ImagePath",
               "\\SystemRoot\\System32\\drivers\\storvsc.sys");
  assert_int_equal (get (S1 "storvsc", "ErrorControl"), 1);
  assert_int_equal (get (S1 "intelide", "Tag"), 4);
  assert_int_equal (get (S1 "intelide", "ErrorControl"), 3);
  assert_int_equal (get (S1 "atapi", "Tag"), 33);
  done ();
}

static void
test_constructed_key_without_service_but_with_file_is_made (void **state)
{
  static const struct {
    const char *name, *group, *image;
  } rows[] = {
    { "vmbus", "System Bus Extender", "system32\\drivers\\vmbus.sys" },
    { "storvsc", "Base", "system32\\drivers\\storvsc.sys" },
    { "storflt", "Extended Base", "system32\\drivers\\vmstorfl.sys" },
    { "intelide", "System Bus Extender", "system32\\drivers\\intelide.sys" },
    { "pciide", "System Bus Extender", "system32\\drivers\\pciide.sys" },
    { "atapi", "SCSI Miniport", "system32\\drivers\\atapi.sys" },
  };
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    char key[100];

    snprintf (key, sizeof key, S1 "%s", rows[i].name);
    assert_int_equal (v2v_hive_delete_key (h, key, "", &err), 1);
  }
  hive_build_done (h);
  convert_and_close (1);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    char key[100];

    snprintf (key, sizeof key, S1 "%s", rows[i].name);
    assert_int_equal (get (key, "Type"), 1);
    assert_int_equal (get (key, "Start"), 0);
    assert_int_equal (get (key, "ErrorControl"), 1);
    assert_text (key, "Group", rows[i].group);
    assert_text (key, "ImagePath", rows[i].image);
  }
  done ();
}

static void
test_constructed_no_key_is_made_without_its_file (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  v2v_hive_delete_key (h, S1 "storflt", "", &err);
  v2v_hive_delete_key (h, S1 "pciide", "", &err);
  hive_build_done (h);
  windows_tree_remove_driver (dir, "vmstorfl.sys");
  windows_tree_add_driver (dir, "pciide.sys", ""); /* lost its data */
  convert_and_close (1);
  assert_false (has (S1 "storflt"));
  assert_false (has (S1 "pciide"));
  done ();
}

static void
test_constructed_dword_stored_as_binary_is_understood (void **state)
{
  struct v2v_hive *h;
  struct v2v_guest *g;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  hive_build_binary (h, S1 "vmbus", "Start", "\0\0\0\0", 4);
  hive_build_binary (h, S1 "storvsc", "Start", "\3\0\0\0", 4);
  hive_build_done (h);
  g = convert (1);
  assert_null (
      v2v_journal_find (v2v_guest_journal (g), "SYSTEM\\" S1 "vmbus", "Start"));
  assert_non_null (v2v_journal_find (v2v_guest_journal (g),
                                     "SYSTEM\\" S1 "storvsc", "Start"));
  v2v_guest_close (g);
  assert_int_equal (get (S1 "storvsc", "Start"), 0);
  done ();
}

static void
test_constructed_control_set_2_is_current (void **state)
{
  struct v2v_guest *g;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_7");
  h = edit ();
  hive_build_dword (h, "Select", "Current", 2);
  hive_build_dword (h, "Select", "Default", 2);
  hive_build_dword (h, "Select", "LastKnownGood", 2);
  hive_build_done (h);
  convert_and_close (1);
  assert_int_equal (get (S2 "storvsc", "Start"), 0);
  /* Set 1 cannot be started any more. */
  assert_int_equal (get (S1 "storvsc", "Start"), 3);
  /* Unless it is the default of the next start. */
  h = edit ();
  hive_build_binary (h, "Select", "Default", "\1\0\0\0", 4);
  hive_build_done (h);
  g = convert (1);
  assert_true (found (g, "guest.windows.control-sets"));
  v2v_guest_close (g);
  assert_int_equal (get (S1 "storvsc", "Start"), 0);
  done ();
}

static void
test_constructed_hive_without_control_set_is_refused (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_7");
  h = edit ();
  hive_build_dword (h, "Select", "Current", 7);
  hive_build_dword (h, "Select", "Default", 1000);
  hive_build_dword (h, "Select", "LastKnownGood", 0);
  hive_build_done (h);
  g = windows_tree_open (dir, release, 1);
  assert_int_equal (v2v_windows_convert (g, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "no control set that can be started");
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  done ();
}

/* ---- CriticalDeviceDatabase, ACPI ---- */

#define CDD "ControlSet001\\Control\\CriticalDeviceDatabase\\"

static void
test_constructed_critical_devices_are_added_to_old_windows (void **state)
{
  static const struct {
    const char *id, *service, *class;
  } rows[] = {
    { "ACPI#VMBus", "vmbus", "{4D36E97D-E325-11CE-BFC1-08002BE10318}" },
    { "root#VMBus", "vmbus", "{4D36E97D-E325-11CE-BFC1-08002BE10318}" },
    { "VMBUS#{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}", "storvsc",
      "{4D36E97B-E325-11CE-BFC1-08002BE10318}" },
    { "VMBUS#{CFA8B69E-5B4A-4cc0-B98B-8BA1A1F3F95A}", "VMBusHID",
      "{745A17A0-74D3-11D0-B6FE-00A0C90F57DA}" },
    { "PCI#CC_0101", "pciide", "{4D36E96A-E325-11CE-BFC1-08002BE10318}" },
    { "PCI#VEN_8086&DEV_7111", "intelide",
      "{4D36E96A-E325-11CE-BFC1-08002BE10318}" },
    { "Primary_IDE_Channel", "atapi",
      "{4D36E96A-E325-11CE-BFC1-08002BE10318}" },
    { "Secondary_IDE_Channel", "atapi",
      "{4D36E96A-E325-11CE-BFC1-08002BE10318}" },
  };
  (void) state;
  make ("constructed_server_2008_r2");
  convert_and_close (1);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    char key[150];

    snprintf (key, sizeof key, CDD "%s", rows[i].id);
    assert_text (key, "Service", rows[i].service);
    assert_text (key, "ClassGUID", rows[i].class);
  }
  done ();
}

static void
test_constructed_critical_devices_are_not_for_windows_8_and_later (void **state)
{
  (void) state;
  make ("constructed_server_2012_r2");
  convert_and_close (1);
  assert_false (has ("ControlSet001\\Control\\CriticalDeviceDatabase"));
  done ();
}

static void
test_constructed_acpi_ids_of_new_hosts_on_2012_r2 (void **state)
{
  struct v2v_hive *h;

  (void) state;
  make ("constructed_server_2012_r2");
  convert_and_close (1);
  assert_false (has ("ControlSet001\\Enum\\ACPI\\MSFT1000"));
  h = edit ();
  hive_build_string (h, "ControlSet001\\Enum\\ACPI\\VMBus\\4&1&0", "Service",
                     "vmbus");
  hive_build_dword (h, "ControlSet001\\Enum\\ACPI\\VMBus\\4&1&0\\LogConf", "x",
                    7);
  hive_build_dword (h, "ControlSet001\\Enum\\ACPI\\Hyper_V_Gen_Counter_V1\\0",
                    "y", 8);
  hive_build_key (h, "ControlSet001\\Enum\\ACPI\\MSFT1002\\mine");
  hive_build_done (h);
  convert_and_close (1);
  assert_text ("ControlSet001\\Enum\\ACPI\\MSFT1000\\4&1&0", "Service",
               "vmbus");
  assert_int_equal (
      get ("ControlSet001\\Enum\\ACPI\\MSFT1000\\4&1&0\\LogConf", "x"), 7);
  assert_true (has ("ControlSet001\\Enum\\ACPI\\VMBus\\4&1&0"));
  /* What is there stays. */
  assert_false (has ("ControlSet001\\Enum\\ACPI\\MSFT1002\\0"));
  done ();
}

/* ---- filters ---- */

#define DISK                                                                   \
  "ControlSet001\\Control\\Class\\{4D36E967-E325-11CE-BFC1-08002BE10318}"
#define HDC                                                                    \
  "ControlSet001\\Control\\Class\\{4D36E96A-E325-11CE-BFC1-08002BE10318}"
#define NET                                                                    \
  "ControlSet001\\Control\\Class\\{4D36E972-E325-11CE-BFC1-08002BE10318}"

static void
test_constructed_dangling_filters_are_removed (void **state)
{
  const char *const upper[] = { "PartMgr", "nosuch",     "nofile", "empty",
                                "off",     "thirdparty", NULL };
  const char *const only[] = { "nosuch", NULL };
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  struct v2v_hive *h;
  char **list;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  hive_build_multi (h, DISK, "UpperFilters", upper);
  hive_build_multi (h, HDC, "LowerFilters", only);
  hive_build_multi (h, NET, "UpperFilters", only); /* need not start */
  hive_build_dword (h, S1 "nofile", "Start", 0);
  hive_build_dword (h, S1 "empty", "Start", 0);
  hive_build_expand (h, S1 "empty", "ImagePath",
                     "\\SystemRoot\\System32\\drivers\\zero.sys");
  hive_build_dword (h, S1 "off", "Start", 4);
  hive_build_dword (h, S1 "thirdparty", "Start", 0);
  hive_build_expand (h, S1 "thirdparty", "ImagePath",
                     "\\??\\c:\\Windows\\system32\\DRIVERS\\Third.sys");
  hive_build_done (h);
  windows_tree_add_driver (dir, "zero.sys", "");
  windows_tree_add_driver (dir, "off.sys", NULL);
  windows_tree_add_driver (dir, "third.sys", NULL);
  g = convert (1);
  assert_true (found (g, "guest.windows.filter-removed"));
  assert_string_equal (
      v2v_findings_find (v2v_guest_findings (g), "guest.windows.filter")
          ->subject,
      "thirdparty");
  v2v_guest_close (g);
  h = v2v_hive_open (windows_tree_system (dir), "SYSTEM", false, NULL, &err);
  list = v2v_hive_get_multi (h, DISK, "UpperFilters", &err);
  assert_string_equal (list[0], "PartMgr");
  assert_string_equal (list[1], "thirdparty");
  assert_null (list[2]);
  v2v_guest_free_list (list);
  v2v_hive_close (h);
  /* The last one takes the value with it. */
  assert_false (
      hive_has_value (windows_tree_system (dir), HDC, "LowerFilters"));
  assert_true (hive_has_value (windows_tree_system (dir), NET, "UpperFilters"));
  done ();
}

/* Volumes and the computer are the same devices on Hyper-V. */
#define VOLUME         "ControlSet001\\Enum\\STORAGE\\Volume\\{c0ffee}#0000000000100000"
#define KEYBOARD       "ControlSet001\\Enum\\ACPI\\PNP0303\\4&1&0"
#define CLASS_VOLUME   "{71a27cdd-812a-11d0-bec7-08002be2092f}"
#define CLASS_KEYBOARD "{4d36e96b-e325-11ce-bfc1-08002be10318}"

static void
test_constructed_dangling_filters_of_single_devices_are_removed (void **state)
{
  const char *const lower[] = { "nosuch", "volsnap", NULL };
  const char *const only[] = { "nosuch", NULL };
  const char *const tools[] = { "nosuch", "vmrawdsk", NULL };
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  struct v2v_hive *h;
  char **list;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  hive_build_string (h, VOLUME, "ClassGUID", CLASS_VOLUME);
  hive_build_multi (h, VOLUME, "LowerFilters", lower);
  hive_build_multi (h, VOLUME, "UpperFilters", only);
  /* It need not start: only what we disable ourselves goes. */
  hive_build_string (h, KEYBOARD, "ClassGUID", CLASS_KEYBOARD);
  hive_build_multi (h, KEYBOARD, "UpperFilters", tools);
  hive_build_done (h);
  g = convert (1);
  assert_true (found (g, "guest.windows.filter-removed"));
  v2v_guest_close (g);
  h = v2v_hive_open (windows_tree_system (dir), "SYSTEM", false, NULL, &err);
  assert_ptr (h, err);
  list = v2v_hive_get_multi (h, VOLUME, "LowerFilters", &err);
  assert_string_equal (list[0], "volsnap");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  list = v2v_hive_get_multi (h, KEYBOARD, "UpperFilters", &err);
  assert_string_equal (list[0], "nosuch");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  v2v_hive_close (h);
  assert_false (
      hive_has_value (windows_tree_system (dir), VOLUME, "UpperFilters"));
  done ();
}

static void
test_constructed_filter_whose_file_cannot_be_seen_stays (void **state)
{
  const char *const upper[] = { "PartMgr", "elsewhere",  "upwards",
                                "device",  "compressed", NULL };
  struct v2v_guest *g;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  hive_build_multi (h, DISK, "UpperFilters", upper);
  hive_build_expand (h, S1 "elsewhere", "ImagePath", "\\??\\D:\\x\\y.sys");
  hive_build_expand (h, S1 "upwards", "ImagePath", "..\\..\\x.sys");
  hive_build_expand (h, S1 "device", "ImagePath",
                     "\\Device\\HarddiskVolume1\\x.sys");
  hive_build_dword (h, S1 "compressed", "Start", 0);
  hive_build_done (h);
  /* How ntfs-3g shows a file of CompactOS. */
  guest_tree_add (dir, &(struct guest_tree_entry){
                           .path = "/Windows/System32/drivers/compressed.sys",
                           .link = "unsupported reparse tag 0x80000017" });
  g = convert (1);
  assert_false (found (g, "guest.windows.filter-removed"));
  v2v_guest_close (g);
  done ();
}

static void
test_constructed_tools_filters_go_before_their_service_is_disabled (
    void **state)
{
  const char *const upper[] = { "PartMgr", "VMRAWDSK", NULL };
  const char *const net[] = { "vnetflt", "other", NULL };
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  char **list;

  (void) state;
  make ("constructed_windows_7");
  h = edit ();
  hive_build_multi (h, DISK, "UpperFilters", upper);
  hive_build_multi (h, NET, "UpperFilters", net);
  hive_build_dword (h, S1 "vmrawdsk", "Start", 1);
  hive_build_dword (h, S1 "vnetflt", "Start", 1);
  hive_build_done (h);
  windows_tree_add_driver (dir, "vmrawdsk.sys", NULL);
  windows_tree_add_driver (dir, "vnetflt.sys", NULL);
  convert_and_close (1);
  h = v2v_hive_open (windows_tree_system (dir), "SYSTEM", false, NULL, &err);
  list = v2v_hive_get_multi (h, DISK, "UpperFilters", &err);
  assert_string_equal (list[0], "PartMgr");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  list = v2v_hive_get_multi (h, NET, "UpperFilters", &err);
  assert_string_equal (list[0], "other");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  v2v_hive_close (h);
  assert_int_equal (get (S1 "vmrawdsk", "Start"), 4);
  assert_int_equal (get (S1 "vnetflt", "Start"), 4);
  done ();
}

static void
test_constructed_filter_list_with_odd_ends (void **state)
{
  /* Two NULs short, an odd byte, an empty string in front. */
  static const char raw[] = "\0\0P\0a\0r\0t\0M\0g\0r\0\0\0n\0o\0x";
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  char **list;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  assert_ok (v2v_hive_set (h, DISK, "UpperFilters", V2V_REG_MULTI_SZ, raw,
                           sizeof raw - 1, "", &err) == -1,
             err);
  hive_build_done (h);
  convert_and_close (1);
  h = v2v_hive_open (windows_tree_system (dir), "SYSTEM", false, NULL, &err);
  list = v2v_hive_get_multi (h, DISK, "UpperFilters", &err);
  assert_string_equal (list[0], "PartMgr");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  v2v_hive_close (h);
  done ();
}

static void
test_constructed_filter_name_with_a_path_is_none (void **state)
{
  const char *const upper[] = { "PartMgr", "..\\Control", "vmbus\\x", NULL };
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  char **list;

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  hive_build_multi (h, DISK, "UpperFilters", upper);
  hive_build_key (h, S1 "vmbus\\x");
  hive_build_done (h);
  convert_and_close (1);
  h = v2v_hive_open (windows_tree_system (dir), "SYSTEM", false, NULL, &err);
  list = v2v_hive_get_multi (h, DISK, "UpperFilters", &err);
  assert_string_equal (list[0], "PartMgr");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  v2v_hive_close (h);
  done ();
}

/* ---- VMware Tools ---- */

static void
test_constructed_tools_services_are_disabled_and_drivers_stay (void **state)
{
  static const char *const all[] = {
    "VMTools", "VGAuthService",   "VM3DService", "vmvss",           "GISvc",
    "vmhgfs",  "VMUpgradeHelper", "vmmemctl",    "vmrawdsk",        "vnetflt",
    "vnetWFP", "vsepflt",         "vmdesched",   "vmwtimeprovider",
  };
  struct v2v_hive *h;
  char key[100];

  (void) state;
  make ("constructed_windows_10");
  h = edit ();
  for (size_t i = 0; i < V2V_ARRAY_SIZE (all); ++i) {
    snprintf (key, sizeof key, S1 "%s", all[i]);
    hive_build_dword (h, key, "Start", i % 4);
  }
  hive_build_dword (h, S1 "W32Time\\TimeProviders\\vmwTimeProvider", "Enabled",
                    1);
  hive_build_done (h);
  convert_and_close (1);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (all); ++i) {
    snprintf (key, sizeof key, S1 "%s", all[i]);
    assert_int_equal (get (key, "Start"), 4);
  }
  assert_int_equal (
      get (S1 "W32Time\\TimeProviders\\vmwTimeProvider", "Enabled"), 0);
  /* Buses at start become on demand. */
  assert_int_equal (get (S1 "vmci", "Start"), 3);
  assert_int_equal (get (S1 "vsock", "Start"), 3);
  /* Drivers without a device do no harm, and boot on VMware. */
  assert_int_equal (get (S1 "pvscsi", "Start"), 0);
  assert_int_equal (get (S1 "LSI_SAS", "Start"), 0);
  assert_int_equal (get (S1 "vm3dmp", "Start"), 3);
  assert_int_equal (get (S1 "vmmouse", "Start"), 3);
  done ();
}

static void
test_constructed_no_tools_no_keys (void **state)
{
  (void) state;
  make ("constructed_windows_10");
  convert_and_close (1);
  assert_false (has (S1 "vsepflt"));
  assert_false (has (S1 "W32Time"));
  done ();
}

static void
test_constructed_tools_are_kept_on_request (void **state)
{
  const struct v2v_guest_opts opts = { .generation = 1, .keep_tools = true };
  struct v2v_error *err = NULL;
  struct v2v_guest *g;

  (void) state;
  make ("constructed_windows_10");
  g = windows_tree_open (dir, release, 1);
  v2v_guest_set_opts (g, &opts);
  assert_ok (v2v_windows_convert (g, &err), err);
  v2v_guest_close (g);
  assert_int_equal (get (S1 "VMTools", "Start"), 2);
  assert_int_equal (get (S1 "vmci", "Start"), 0);
  assert_int_equal (get (S1 "vmbus", "Start"), 0);
  done ();
}

/* ---- the whole ---- */

/* What the first boot's scripts add is not looked at here: hives only. */
static void
assert_hives_same (const uint8_t *system, size_t len, const uint8_t *software,
                   size_t len2)
{
  size_t n;
  uint8_t *now = test_read_file (windows_tree_system (dir), &n);

  assert_int_equal (n, len);
  assert_memory_equal (now, system, n);
  free (now);
  now = test_read_file (windows_tree_software (dir), &n);
  assert_int_equal (n, len2);
  assert_memory_equal (now, software, n);
  free (now);
}

static void
test_constructed_second_conversion_changes_nothing (void **state)
{
  (void) state;
  for (size_t i = 0; windows_releases[i].label != NULL; ++i)
    for (unsigned efi = 0; efi < 2; ++efi) {
      uint8_t *system, *software;
      struct v2v_guest *g;
      size_t len, len2;

      release = &windows_releases[i];
      if (efi && release->minor == 1)
        continue;
      dir = windows_tree_make (release, efi);
      g = convert (efi ? 2 : 1);
      assert_true (v2v_guest_journal (g)->len > 0);
      v2v_guest_close (g);
      system = test_read_file (windows_tree_system (dir), &len);
      software = test_read_file (windows_tree_software (dir), &len2);
      g = convert (efi ? 2 : 1);
      guest_tree_assert_unchanged (g);
      v2v_guest_close (g);
      assert_hives_same (system, len, software, len2);
      free (system);
      free (software);
      done ();
    }
}

static void
test_constructed_other_settings_are_untouched (void **state)
{
  static const char tz[] = "ControlSet001\\Control\\TimeZoneInformation";
  struct v2v_guest *g;
  struct v2v_hive *h;

  (void) state;
  make ("constructed_server_2019");
  h = edit ();
  hive_build_binary (h, tz, "RealTimeIsUniversal", "\1\0\0\0\0\0\0\0", 8);
  hive_build_done (h);
  g = convert (1);
  assert_true (found (g, "guest.windows.clock"));
  for (size_t i = 0; i < v2v_guest_journal (g)->len; ++i)
    assert_null (strstr (v2v_guest_journal (g)->ptr[i].path, "TimeZone"));
  v2v_guest_close (g);
  assert_int_equal (get (tz, "RealTimeIsUniversal"), 1);
  assert_int_equal (
      get ("ControlSet001\\Control\\Terminal Server", "fDenyTSConnections"), 1);
  assert_int_equal (get (S1 "TermService", "Start"), 3);
  done ();
}

static void
test_constructed_dirty_hive_is_refused_before_any_change (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_guest *g;

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    make ("constructed_windows_10");
    hive_build_make_dirty (i ? windows_tree_software (dir)
                             : windows_tree_system (dir));
    g = windows_tree_open (dir, release, 1);
    assert_int_equal (v2v_windows_convert (g, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, "is dirty and has no transaction log");
    guest_tree_assert_unchanged (g);
    v2v_guest_close (g);
    done ();
  }
}

static void
test_real_windows_7_hive_is_prepared (void **state)
{
  static const struct {
    const char *name;
    uint32_t start;
  } rows[] = {
    { "vmbus", 0 },    { "storvsc", 0 }, { "storflt", 0 }, { "intelide", 0 },
    { "pciide", 0 },   { "atapi", 0 },   { "VMTools", 4 }, { "vmmemctl", 4 },
    { "vmrawdsk", 4 }, { "vmci", 3 },    { "vm3dmp", 3 },  { "vmmouse", 3 },
    { "LSI_SAS", 0 },  { "E1G60", 3 },   { "msahci", 3 },
  };
  static const char *const filters[] = { "agp440.sys", "kbdclass.sys",
                                         "mouclass.sys" };
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  uint8_t *data;
  size_t len;
  char *path;

  (void) state;
  make ("constructed_windows_7");
  path = test_sample_unpacked ("hives/windows/SYSTEM.xz", dir);
  if (path == NULL) {
    done ();
    skip ();
  }
  assert_int_equal (rename (path, windows_tree_system (dir)), 0);
  free (path);
  windows_tree_add_driver (dir, "rdyboost.sys", NULL);
  /* Filters of single devices of the class System. */
  for (size_t i = 0; i < V2V_ARRAY_SIZE (filters); ++i)
    windows_tree_add_driver (dir, filters[i], NULL);
  g = windows_tree_open (dir, release, 1);
  guest_tree_set (&v2v_guest_os (g)->arch, "i386");
  assert_ok (v2v_windows_convert (g, &err), err);
  assert_false (found (g, "guest.windows.filter-removed"));
  assert_false (found (g, "guest.windows.boot-driver"));
  v2v_guest_close (g);
  for (size_t set = 1; set <= 2; ++set)
    for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
      char key[100];

      snprintf (key, sizeof key, "ControlSet%03zu\\services\\%s", set,
                rows[i].name);
      if (get (key, "Start") != rows[i].start)
        fail_msg ("%s", key);
    }
  /* Windows' own entries are kept, with their package. */
  assert_text (CDD "root#VMBus", "Service", "vmbus");
  data = test_read_file (windows_tree_system (dir), &len);
  g = windows_tree_open (dir, release, 1);
  guest_tree_set (&v2v_guest_os (g)->arch, "i386");
  assert_ok (v2v_windows_convert (g, &err), err);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  {
    size_t len2;
    uint8_t *again = test_read_file (windows_tree_system (dir), &len2);

    assert_int_equal (len, len2);
    assert_memory_equal (data, again, len);
    free (again);
  }
  free (data);
  done ();
}

#define T(name) cmocka_unit_test (name)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_constructed_every_release_boots_from_ide_and_scsi),
    T (test_constructed_start_override_stays_where_it_does_not_matter),
    T (test_constructed_group_tag_error_control_and_path_stay),
    T (test_constructed_key_without_service_but_with_file_is_made),
    T (test_constructed_no_key_is_made_without_its_file),
    T (test_constructed_dword_stored_as_binary_is_understood),
    T (test_constructed_control_set_2_is_current),
    T (test_constructed_hive_without_control_set_is_refused),
    T (test_constructed_critical_devices_are_added_to_old_windows),
    T (test_constructed_critical_devices_are_not_for_windows_8_and_later),
    T (test_constructed_acpi_ids_of_new_hosts_on_2012_r2),
    T (test_constructed_dangling_filters_are_removed),
    T (test_constructed_dangling_filters_of_single_devices_are_removed),
    T (test_constructed_filter_whose_file_cannot_be_seen_stays),
    T (test_constructed_tools_filters_go_before_their_service_is_disabled),
    T (test_constructed_filter_list_with_odd_ends),
    T (test_constructed_filter_name_with_a_path_is_none),
    T (test_constructed_tools_services_are_disabled_and_drivers_stay),
    T (test_constructed_no_tools_no_keys),
    T (test_constructed_tools_are_kept_on_request),
    T (test_constructed_second_conversion_changes_nothing),
    T (test_constructed_other_settings_are_untouched),
    T (test_constructed_dirty_hive_is_refused_before_any_change),
    T (test_real_windows_7_hive_is_prepared),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
