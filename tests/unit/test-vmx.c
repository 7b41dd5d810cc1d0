/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* .vmx files made here: grammar, encodings, buses, refusals, snapshots. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmx.h"

#define HEAD  "config.version = \"8\"\nvirtualHW.version = \"13\"\n"
#define SCSI0 "scsi0.present = \"TRUE\"\nscsi0.virtualDev = \"lsilogic\"\n"
#define DISK(at, file)                                                         \
  at ".present = \"TRUE\"\n" at ".fileName = \"" file "\"\n"

static struct v2v_machine *
read_with (const char *vmx_text, const char *vmsd_text, const char *snapshot,
           struct v2v_error **err)
{
  struct v2v_vmx *vmx =
      v2v_vmx_parse (vmx_text, strlen (vmx_text), "t.vmx", err);
  struct v2v_vmx *vmsd = NULL;
  struct v2v_machine *m = NULL;

  if (vmsd_text != NULL)
    vmsd = v2v_vmx_parse (vmsd_text, strlen (vmsd_text), "t.vmsd", NULL);
  if (vmx != NULL)
    m = v2v_vmx_machine (vmx, vmsd, "t.vmx", snapshot, err);
  v2v_vmx_free (vmx);
  v2v_vmx_free (vmsd);
  return m;
}

static struct v2v_machine *
good (const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_machine *m = read_with (text, NULL, NULL, &err);

  assert_ptr (m, err);
  return m;
}

static void
bad (const char *text, enum v2v_error_code code, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (read_with (text, NULL, NULL, &err));
  assert_error (&err, code, why);
}

/* ---- grammar ---- */

static const char *
value (const char *text, size_t len, const char *key, struct v2v_vmx **ret)
{
  struct v2v_error *err = NULL;

  *ret = v2v_vmx_parse (text, len, "t", &err);
  assert_ptr (*ret, err);
  return v2v_vmx_get (*ret, "%s", key);
}

static void
check_value (const char *text, const char *key, const char *expected)
{
  struct v2v_vmx *vmx;
  const char *v = value (text, strlen (text), key, &vmx);

  if (expected == NULL)
    assert_null (v);
  else {
    assert_non_null (v);
    assert_string_equal (v, expected);
  }
  v2v_vmx_free (vmx);
}

static void
test_lines_of_each_form (void **state)
{
  (void) state;
  check_value ("a = \"b\"", "a", "b");
  check_value ("A.B=\"c\"\r\n", "a.b", "c");
  check_value ("a.b = \"c\"", "A.B", "c");
  check_value ("  a\t=  \"b c\"  # why", "a", "b c");
  check_value ("a = b", "a", "b");
  check_value ("a = \"\"", "a", "");
  check_value ("#a = \"b\"\n#!/usr/bin/vmware\n", "a", NULL);
  check_value ("a = \"1\"\na = \"2\"", "a", "2");
  check_value ("\xef\xbb\xbf"
               "a = \"b\"",
               "a", "b");
  check_value ("no equals sign\na = \"b\"", "a", "b");
  check_value ("a = \"open", "a", NULL);
}

static void
test_escapes (void **state)
{
  (void) state;
  check_value ("a = \"|22x|22\"", "a", "\"x\"");
  check_value ("a = \"1|0A2|7C3\"", "a", "1\n2|3");
  check_value ("a = \"|7c\"", "a", "|");
  check_value ("a = \"|zz|\"", "a", "|zz|");
  check_value ("a = \"|4\"", "a", "|4");
  check_value ("a = \"x|00y\"", "a", "x|00y");
  check_value ("a = \"|C3|A9\"", "a", "\xc3\xa9");
  check_value ("a = \"|FFx\"", "a", "?x");
}

static void
test_encodings (void **state)
{
  static const char gbk[] = ".encoding = \"GBK\"\na = \"\xd6\xd0\"";
  static const char sjis[] =
      ".encoding = \"Shift_JIS\"\na = \"\x83\x7c\"\n"; /* KATAKANA PO */

  (void) state;
  check_value (".encoding = \"windows-1252\"\na = \"\xe9\x80\"", "a",
               "\xc3\xa9\xe2\x82\xac");
  check_value (gbk, "a", "\xe4\xb8\xad");
  /* The second byte is '|': it must not be taken for an escape. */
  check_value (sjis, "a", "\xe3\x83\x9d");
  check_value ("a = \"\xe9\"", "a", "\xc3\xa9"); /* said nothing */
  check_value (".encoding = \"UTF-8\"\na = \"\xc3\xa9\"", "a", "\xc3\xa9");
}

static void
test_an_unknown_encoding_is_refused (void **state)
{
  struct v2v_error *err = NULL;
  const char *text = ".encoding = \"klingon\"\na = \"b\"";

  (void) state;
  assert_null (v2v_vmx_parse (text, strlen (text), "t", &err));
  assert_error (&err, V2V_ERR_FORMAT, "klingon");
}

static void
test_duplicates_are_a_finding (void **state)
{
  struct v2v_machine *m = good (HEAD "memsize = \"64\"\nMEMSIZE = \"128\"\n");

  (void) state;
  assert_int_equal (m->memory_bytes, 128 * V2V_MIB);
  assert_non_null (v2v_findings_find (&m->findings, "vmx.duplicate"));
  v2v_machine_free (m);
}

static void
test_the_number_of_settings_is_bounded (void **state)
{
  CLEANUP_FREE char *text = malloc (16 * (V2V_VMX_MAX_ENTRIES + 1) + 1);
  struct v2v_error *err = NULL;
  size_t len = 0;

  (void) state;
  assert_non_null (text);
  for (unsigned i = 0; i <= V2V_VMX_MAX_ENTRIES; ++i)
    len += (size_t) sprintf (text + len, "k%u = \"\"\n", i);
  assert_null (v2v_vmx_parse (text, len, "t", &err));
  assert_error (&err, V2V_ERR_FORMAT, "more than 20000");
}

/* ---- the machine ---- */

static void
test_defaults_are_vmwares (void **state)
{
  struct v2v_machine *m = good (HEAD);

  (void) state;
  assert_int_equal (m->memory_bytes, 32 * V2V_MIB);
  assert_int_equal (m->nr_cpus, 1);
  assert_int_equal (m->firmware, V2V_FIRMWARE_BIOS);
  assert_true (m->firmware_stated);
  assert_int_equal (m->nr_disks + m->nr_nics + m->nr_removables, 0);
  assert_string_equal (m->name, "vm");
  assert_string_equal (m->hardware_version, "vmx-13");
  v2v_machine_free (m);
}

static void
test_every_bus (void **state)
{
  struct v2v_machine *m = good (
      HEAD SCSI0 "sata0.present = \"TRUE\"\nnvme0.present = \"TRUE\"\n" DISK (
          "nvme0:1", "n.vmdk") DISK ("sata0:29", "s.vmdk")
          DISK ("scsi0:15", "c.vmdk") DISK ("ide1:1", "i.vmdk"));

  (void) state;
  assert_int_equal (m->nr_disks, 4);
  assert_int_equal (m->disks[0].bus, V2V_BUS_IDE);
  assert_int_equal (m->disks[0].controller, 1);
  assert_int_equal (m->disks[0].unit, 1);
  assert_int_equal (m->disks[1].bus, V2V_BUS_SCSI);
  assert_int_equal (m->disks[1].unit, 15);
  assert_int_equal (m->disks[2].bus, V2V_BUS_SATA);
  assert_int_equal (m->disks[2].unit, 29);
  assert_int_equal (m->disks[3].bus, V2V_BUS_NVME);
  assert_string_equal (m->disks[3].file, "n.vmdk");
  v2v_machine_free (m);
}

static void
test_a_disk_in_an_odd_place_is_refused (void **state)
{
  (void) state;
  bad (HEAD SCSI0 DISK ("scsi4:0", "a.vmdk"), V2V_ERR_FORMAT, "scsi4:0");
  bad (HEAD SCSI0 DISK ("scsi0:65", "a.vmdk"), V2V_ERR_FORMAT, "scsi0:65");
  bad (HEAD DISK ("ide2:0", "a.vmdk"), V2V_ERR_FORMAT, "ide2:0");
  bad (HEAD "sata0.present = \"TRUE\"\n" DISK ("sata0:30", "a.vmdk"),
       V2V_ERR_FORMAT, "sata0:30");
}

static void
test_a_disk_without_controller_is_a_finding (void **state)
{
  struct v2v_machine *m = good (HEAD DISK ("scsi0:0", "a.vmdk"));

  (void) state;
  assert_int_equal (m->nr_disks, 0);
  assert_non_null (v2v_findings_find (&m->findings, "device.no-controller"));
  v2v_machine_free (m);
}

static void
test_a_disk_without_file_is_refused (void **state)
{
  (void) state;
  bad (HEAD SCSI0 "scsi0:0.present = \"TRUE\"\n", V2V_ERR_FORMAT,
       "without fileName");
  bad (HEAD SCSI0 DISK ("scsi0:0", "dir/"), V2V_ERR_FORMAT, "without fileName");
}

static void
test_paths_become_names (void **state)
{
  struct v2v_machine *m =
      good (HEAD SCSI0 DISK ("scsi0:0", "/vmfs/volumes/x/y/a.vmdk") DISK (
          "scsi0:1", "C:\\VMs\\b.vmdk") DISK ("scsi0:2", "../../etc/c.vmdk"));

  (void) state;
  assert_string_equal (m->disks[0].file, "a.vmdk");
  assert_string_equal (m->disks[1].file, "b.vmdk");
  assert_string_equal (m->disks[2].file, "c.vmdk");
  v2v_machine_free (m);
}

static void
test_two_disks_of_one_file_are_refused (void **state)
{
  (void) state;
  bad (HEAD SCSI0 DISK ("scsi0:0", "a.vmdk") DISK ("scsi0:1", "x/a.vmdk"),
       V2V_ERR_FORMAT, "same file");
}

static void
test_odd_disks_are_findings (void **state)
{
  struct v2v_machine *m = good (HEAD SCSI0 "scsi0.sharedBus = \"virtual\"\n" DISK (
      "scsi0:0",
      "a.vmdk") "scsi0:0.deviceType = \"rawDisk\"\n"
                "scsi0:0.mode = \"independent-nonpersistent\"\n" DISK (
                    "scsi0:1",
                    "b.vmdk") "scsi0:1.sharing = \"multi-writer\"\n" DISK ("scsi0:2",
                                                                           "/dev/sg0") "scsi0:2.deviceType = \"scsi-passthru\"\n");

  (void) state;
  assert_int_equal (m->nr_disks, 2);
  assert_true (m->disks[0].shared && m->disks[1].shared);
  assert_true (m->controllers[0].shared || m->controllers[1].shared ||
               m->controllers[2].shared);
  assert_non_null (v2v_findings_find (&m->findings, "disk.raw"));
  assert_non_null (v2v_findings_find (&m->findings, "disk.nonpersistent"));
  assert_non_null (v2v_findings_find (&m->findings, "disk.shared"));
  assert_non_null (v2v_findings_find (&m->findings, "controller.shared"));
  assert_non_null (v2v_findings_find (&m->findings, "device.passthrough"));
  v2v_machine_free (m);
}

static void
test_suspended_and_encrypted_are_refused (void **state)
{
  struct v2v_machine *m;

  (void) state;
  bad (HEAD "checkpoint.vmState = \"x.vmss\"\n", V2V_ERR_UNSUPPORTED,
       "suspended");
  bad (HEAD "encryption.keySafe = \"vmware:key/list/...\"\n",
       V2V_ERR_UNSUPPORTED, "encrypted");
  bad (HEAD "encryption.data = \"abc\"\n", V2V_ERR_UNSUPPORTED, "encrypted");
  bad (HEAD "vmx.encryptionType = \"partial\"\n", V2V_ERR_UNSUPPORTED,
       "encrypted");
  m = good (HEAD "checkpoint.vmState = \"\"\n"
                 "migrate.encryptionMode = \"opportunistic\"\n");
  v2v_machine_free (m);
}

static void
test_numbers_are_checked (void **state)
{
  (void) state;
  bad (HEAD "memsize = \"lots\"\n", V2V_ERR_FORMAT, "memsize is 'lots'");
  bad (HEAD "memsize = \"0\"\n", V2V_ERR_FORMAT, "memsize is 0");
  bad (HEAD "memsize = \"-4\"\n", V2V_ERR_FORMAT, "'-4'");
  bad (HEAD "memsize = \"99999999999999999999\"\n", V2V_ERR_FORMAT, "memsize");
  bad (HEAD "numvcpus = \"0\"\n", V2V_ERR_FORMAT, "numvcpus is 0");
  bad (HEAD "numvcpus = \"8193\"\n", V2V_ERR_FORMAT, "8193");
  bad (HEAD "firmware = \"openfirmware\"\n", V2V_ERR_UNSUPPORTED,
       "openfirmware");
  bad ("hello = \"world\"\n", V2V_ERR_FORMAT, "not a .vmx");
}

static void
test_scheduling_and_firmware (void **state)
{
  struct v2v_machine *m = good (
      HEAD "memsize = \"4096\"\nsched.mem.min = \"1024\"\n"
           "sched.mem.max = \"2048\"\nsched.mem.shares = \"high\"\n"
           "sched.cpu.min = \"500\"\nsched.cpu.max = \"unlimited\"\n"
           "sched.cpu.shares = \"4223\"\nfirmware = \"efi\"\n"
           "uefi.secureBoot.enabled = \"TRUE\"\nvtpm.present = \"TRUE\"\n"
           "bios.bootOrder = \"cdrom,hdd,ethernet0\"\n"
           "vhv.enable = \"TRUE\"\nmem.hotadd = \"FALSE\"\n"
           "uuid.bios = \"56 4d b7 68 f3 32 42 ee-62 01 06 97 3c f5 c3 0c\"\n"
           "tools.syncTime = \"TRUE\"\n");

  (void) state;
  assert_int_equal (m->memory_reservation_bytes, V2V_GIB);
  assert_int_equal (m->memory_limit_bytes, 2 * V2V_GIB);
  assert_int_equal (m->memory_shares, V2V_SHARES_HIGH);
  assert_int_equal (m->cpu_reservation_mhz, 500);
  assert_int_equal (m->cpu_limit_mhz, 0);
  assert_int_equal (m->cpu_shares, V2V_SHARES_CUSTOM);
  assert_int_equal (m->cpu_shares_value, 4223);
  assert_int_equal (m->firmware, V2V_FIRMWARE_EFI);
  assert_int_equal (m->secure_boot, V2V_YES);
  assert_int_equal (m->tpm, V2V_YES);
  assert_int_equal (m->nested_virtualization, V2V_YES);
  assert_int_equal (m->memory_hot_add, V2V_NO);
  assert_int_equal (m->cpu_hot_add, V2V_UNKNOWN);
  assert_int_equal (m->sync_time, V2V_YES);
  assert_string_equal (m->uuid_bios, "564db768-f332-42ee-6201-06973cf5c30c");
  assert_string_equal (m->boot_order[0], "cdrom");
  assert_string_equal (m->boot_order[2], "network");
  v2v_machine_free (m);
}

static void
test_network_adapters (void **state)
{
  struct v2v_machine *m = good (
      HEAD "ethernet0.present = \"TRUE\"\nethernet0.virtualDev = \"vmxnet\"\n"
           "ethernet0.features = \"15\"\nethernet0.addressType = \"static\"\n"
           "ethernet0.address = \"00:50:56:00:00:0A\"\n"
           "ethernet0.generatedAddress = \"00:0c:29:00:00:01\"\n"
           "ethernet0.startConnected = \"FALSE\"\n"
           "ethernet0.pciSlotNumber = \"192\"\n"
           "ethernet3.pciSlotNumber = \"-1\"\n"
           "ethernet3.present = \"TRUE\"\nethernet3.connectionType = \"nat\"\n"
           "ethernet3.generatedAddress = \"nonsense\"\n"
           "ethernet4.present = \"FALSE\"\n");

  (void) state;
  assert_int_equal (m->nr_nics, 2);
  assert_string_equal (m->nics[0].model, "vmxnet2");
  assert_string_equal (m->nics[0].mac, "00:50:56:00:00:0a");
  assert_true (m->nics[0].mac_static);
  assert_false (m->nics[0].connected);
  assert_int_equal (m->nics[0].pci_slot, 192);
  assert_int_equal (m->nics[1].pci_slot, 0);
  assert_string_equal (m->nics[1].id, "ethernet3");
  assert_string_equal (m->nics[1].network, "nat");
  assert_null (m->nics[1].mac);
  assert_non_null (v2v_findings_find (&m->findings, "nic.mac"));
  assert_non_null (strstr (v2v_findings_find (&m->findings, "nic.mac")->message,
                           "'nonsense'"));
  v2v_machine_free (m);
}

static void
test_what_is_not_carried_over_is_named (void **state)
{
  struct v2v_machine *m =
      good (HEAD "guestinfo.token = \"s3cret\"\nodd.key = \"1\"\n"
                 "sound.present = \"TRUE\"\n");
  const struct v2v_finding *f;

  (void) state;
  f = v2v_findings_find (&m->findings, "vmx.unused");
  assert_non_null (f);
  assert_non_null (strstr (f->message, "guestinfo.token"));
  assert_non_null (strstr (f->message, "odd.key"));
  assert_null (strstr (f->message, "s3cret"));
  assert_non_null (v2v_findings_find (&m->findings, "device.sound"));
  v2v_machine_free (m);
}

/* ---- snapshots ---- */

#define VMSD                                                                   \
  "snapshot.numSnapshots = \"2\"\nsnapshot.current = \"2\"\n"                  \
  "snapshot0.uid = \"1\"\nsnapshot0.displayName = \"before\"\n"                \
  "snapshot0.disk0.fileName = \"base.vmdk\"\n"                                 \
  "snapshot0.disk0.node = \"scsi0:0\"\nsnapshot1.uid = \"2\"\n"                \
  "snapshot1.displayName = \"after\"\n"                                        \
  "snapshot1.disk0.fileName = \"base-000001.vmdk\"\n"                          \
  "snapshot1.disk0.node = \"scsi0:0\"\n"
#define LEAF HEAD SCSI0 DISK ("scsi0:0", "base-000002.vmdk")

static void
check_snapshot (const char *name, const char *file)
{
  struct v2v_error *err = NULL;
  struct v2v_machine *m = read_with (LEAF, VMSD, name, &err);

  assert_ptr (m, err);
  assert_int_equal (m->nr_disks, 1);
  assert_string_equal (m->disks[0].file, file);
  assert_non_null (v2v_findings_find (
      &m->findings, name != NULL ? "snapshot.hardware" : "snapshots"));
  v2v_machine_free (m);
}

static void
test_a_snapshot_is_chosen_by_name (void **state)
{
  (void) state;
  check_snapshot (NULL, "base-000002.vmdk");
  check_snapshot ("before", "base.vmdk");
  check_snapshot ("after", "base-000001.vmdk");
}

static void
test_an_unknown_snapshot_is_refused (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (read_with (LEAF, VMSD, "never", &err));
  assert_error (&err, V2V_ERR_USAGE, "'before', 'after'");
  assert_null (read_with (LEAF, NULL, "before", &err));
  assert_error (&err, V2V_ERR_USAGE, "there are: none");
  assert_null (read_with (LEAF,
                          VMSD "snapshot2.uid = \"3\"\n"
                               "snapshot2.displayName = \"before\"\n",
                          "before", &err));
  assert_error (&err, V2V_ERR_USAGE, "two snapshots");
}

static void
test_a_disk_added_after_the_snapshot_is_left_out (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_machine *m = read_with (
      LEAF DISK ("scsi0:1", "new.vmdk") DISK (
          "scsi0:2", "ind.vmdk") "scsi0:2.mode = \"independent-persistent\"\n",
      VMSD, "before", &err);

  (void) state;
  assert_ptr (m, err);
  assert_int_equal (m->nr_disks, 2);
  assert_string_equal (m->disks[1].file, "ind.vmdk");
  assert_non_null (v2v_findings_find (&m->findings, "snapshot.disk"));
  assert_non_null (v2v_findings_find (&m->findings, "snapshot.independent"));
  v2v_machine_free (m);
}

static void
test_a_disk_removed_after_the_snapshot_is_refused (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (read_with (HEAD SCSI0, VMSD, "before", &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "scsi0:0");
}

static void
test_damage_is_survived (void **state)
{
  char text[] = ".encoding = \"UTF-8\"\n" LEAF VMSD "annotation = \"|41|0\"\n";
  const size_t len = strlen (text);

  (void) state;
  for (size_t i = 0; i < len; ++i) {
    const char keep = text[i];

    for (unsigned k = 0; k < 4; ++k) {
      text[i] = "\n\"=\xff"[k];
      v2v_machine_free (read_with (text, text, "before", NULL));
    }
    text[i] = keep;
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_lines_of_each_form),
    cmocka_unit_test (test_escapes),
    cmocka_unit_test (test_encodings),
    cmocka_unit_test (test_an_unknown_encoding_is_refused),
    cmocka_unit_test (test_duplicates_are_a_finding),
    cmocka_unit_test (test_the_number_of_settings_is_bounded),
    cmocka_unit_test (test_defaults_are_vmwares),
    cmocka_unit_test (test_every_bus),
    cmocka_unit_test (test_a_disk_in_an_odd_place_is_refused),
    cmocka_unit_test (test_a_disk_without_controller_is_a_finding),
    cmocka_unit_test (test_a_disk_without_file_is_refused),
    cmocka_unit_test (test_paths_become_names),
    cmocka_unit_test (test_two_disks_of_one_file_are_refused),
    cmocka_unit_test (test_odd_disks_are_findings),
    cmocka_unit_test (test_suspended_and_encrypted_are_refused),
    cmocka_unit_test (test_numbers_are_checked),
    cmocka_unit_test (test_scheduling_and_firmware),
    cmocka_unit_test (test_network_adapters),
    cmocka_unit_test (test_what_is_not_carried_over_is_named),
    cmocka_unit_test (test_a_snapshot_is_chosen_by_name),
    cmocka_unit_test (test_an_unknown_snapshot_is_refused),
    cmocka_unit_test (test_a_disk_added_after_the_snapshot_is_left_out),
    cmocka_unit_test (test_a_disk_removed_after_the_snapshot_is_refused),
    cmocka_unit_test (test_damage_is_survived),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
