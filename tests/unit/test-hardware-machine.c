/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware profiles out of machines, and onto the plans of others. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/document.h"
#include "test-util.h"

/* A constructed machine: two adapters, a DVD drive, a serial port. */
static struct v2v_machine *
make_machine (enum v2v_firmware firmware)
{
  struct v2v_machine *m = v2v_machine_new (NULL);
  struct v2v_disk *d = v2v_machine_add_disk (m);
  struct v2v_nic *n;

  m->name = strdup ("web 'one'");
  m->firmware = firmware;
  m->firmware_stated = true;
  m->os_id = strdup ("debian11-64");
  m->secure_boot = firmware == V2V_FIRMWARE_EFI ? V2V_YES : V2V_NO;
  m->nr_cpus = 4;
  m->memory_bytes = UINT64_C (4096) << 20;
  d->kind = V2V_DISK_BLANK;
  d->id = strdup ("scsi0:0");
  d->bus = V2V_BUS_SCSI;
  d->capacity_bytes = UINT64_C (1) << 30;
  d->boot_order = -1;
  for (unsigned i = 0; i < 2; ++i) {
    n = v2v_machine_add_nic (m);
    n->id = strdup (i == 0 ? "ethernet0" : "ethernet1");
    n->network = strdup (i == 0 ? "VM Network" : "Backup");
    n->mac = strdup (i == 0 ? "00:50:56:aa:bb:01" : "00:50:56:aa:bb:02");
    n->mac_static = true;
    n->connected = true;
    n->vlan = i == 0 ? 20 : -1;
  }
  return m;
}

static struct v2v_hyperv_plan *
make_plan (struct v2v_machine *m)
{
  struct v2v_error *err = NULL;
  struct v2v_hyperv_plan *plan = v2v_hyperv_plan_new (m, NULL, 0, NULL, &err);

  assert_ptr (plan, err);
  return plan;
}

static struct v2v_document *
parse (const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_document *d = v2v_document_parse (text, strlen (text), "p", &err);

  assert_ptr (d, err);
  return d;
}

#define BEGIN "<hardware-profile xmlns=\"" V2V_DOCUMENT_NS "\" name=\"p\""

static void
test_a_profile_of_a_plan_says_what_the_plan_says (void **state)
{
  struct v2v_machine *m = make_machine (V2V_FIRMWARE_EFI);
  struct v2v_hyperv_plan *plan = make_plan (m);
  struct v2v_error *err = NULL;
  struct v2v_document *d;

  (void) state;
  plan->dynamic_memory = true;
  plan->memory_min_bytes = UINT64_C (512) << 20;
  plan->memory_max_bytes = UINT64_C (8192) << 20;
  plan->checkpoint = V2V_CHECKPOINT_DISABLED;
  plan->start_action = V2V_START_ALWAYS;
  plan->start_delay_seconds = 30;
  plan->tpm = true;
  d = v2v_hardware_from_plan (plan, false, &err);
  assert_ptr (d, err);
  assert_string_equal (d->head.name, "web 'one'");
  assert_int_equal (d->hardware.generation, 2);
  assert_int_equal (d->hardware.processor.count, 4);
  assert_int_equal (d->hardware.memory.startup_mib, 4096);
  assert_int_equal (d->hardware.memory.minimum_mib, 512);
  assert_int_equal (d->hardware.memory.maximum_mib, 8192);
  assert_int_equal (d->hardware.firmware.secure_boot, V2V_YES);
  assert_int_equal (d->hardware.firmware.secure_boot_template,
                    V2V_TEMPLATE_UEFI_CA);
  assert_int_equal (d->hardware.security.tpm, V2V_YES);
  assert_int_equal (d->hardware.nr_nics, 2);
  assert_string_equal (d->hardware.nics[0].network, "VM Network");
  assert_int_equal (d->hardware.nics[0].vlan_mode, V2V_HARDWARE_ACCESS);
  assert_int_equal (d->hardware.nics[0].vlan, 20);
  assert_null (d->hardware.nics[0].mac);
  assert_int_equal (d->hardware.nics[0].mac_policy, 0);
  assert_int_equal (d->hardware.policies.checkpoint,
                    1 + V2V_CHECKPOINT_DISABLED);
  assert_int_equal (d->hardware.policies.start_action, 1 + V2V_START_ALWAYS);
  assert_int_equal (d->hardware.policies.start_delay_seconds, 30);
  v2v_document_free (d);
  d = v2v_hardware_from_plan (plan, true, &err);
  assert_ptr (d, err);
  assert_string_equal (d->hardware.nics[1].mac, "00:50:56:aa:bb:02");
  assert_int_equal (d->hardware.nics[1].mac_policy, V2V_MAC_STATIC);
  v2v_document_free (d);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
}

static void
test_a_profile_goes_onto_a_plan_and_comes_back_the_same (void **state)
{
  static const char text[] = BEGIN
      " generation=\"2\"><processor count=\"7\" weight=\"300\" "
      "migration-compatibility=\"true\"/>"
      "<memory startup-mib=\"2048\" dynamic=\"true\" minimum-mib=\"1024\" "
      "maximum-mib=\"4096\"/><network-adapters>"
      "<adapter name=\"Front\" switch=\"Lab\" vlan-mode=\"trunk\"/>"
      "<adapter name=\"Back\" mac-policy=\"static\" mac=\"00:15:5d:00:00:09\"/>"
      "<adapter name=\"New\" switch=\"it's &quot;new&quot;\" "
      "mac-spoofing=\"true\"/></network-adapters>"
      "<firmware secure-boot=\"false\"/><security tpm=\"true\"/>"
      "<integration-services time-synchronization=\"false\"/>"
      "<policies start-action=\"Nothing\" stop-action=\"TurnOff\" "
      "checkpoint=\"Standard\" start-delay-seconds=\"5\"/></hardware-profile>";
  struct v2v_machine *m = make_machine (V2V_FIRMWARE_EFI);
  struct v2v_hyperv_plan *plan = make_plan (m);
  struct v2v_document *d = parse (text), *back;
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *script = NULL;

  (void) state;
  assert_ok (v2v_hardware_apply (d, plan, &f, &err), err);
  assert_int_equal (f.len, 0);
  assert_int_equal (plan->nr_cpus, 7);
  assert_int_equal (plan->cpu_weight, 300);
  assert_int_equal (plan->nr_nics, 3);
  assert_string_equal (plan->nics[1].mac, "00155D000009");
  assert_string_equal (plan->nics[0].mac, "005056AABB01"); /* as planned */
  assert_int_equal (plan->nics[0].vlan_mode, V2V_VLAN_MODE_TRUNK);
  assert_true (plan->nics[2].spoofing);
  assert_false (plan->secure_boot);
  assert_int_equal (plan->secure_boot_template, V2V_TEMPLATE_NONE);
  assert_false (plan->time_sync);
  script = v2v_hyperv_script (plan, &err);
  assert_ptr (script, err);
  assert_non_null (strstr (script, "'it''s \"new\"'"));
  back = v2v_hardware_from_plan (plan, true, &err);
  assert_ptr (back, err);
  assert_int_equal (back->hardware.processor.count, 7);
  assert_int_equal (back->hardware.memory.maximum_mib, 4096);
  assert_string_equal (back->hardware.nics[2].switch_name, "it's \"new\"");
  assert_int_equal (back->hardware.policies.stop_action, 1 + V2V_STOP_TURN_OFF);
  v2v_document_free (back);
  v2v_document_free (d);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
}

static void
test_every_other_field_becomes_a_parameter_and_comes_back (void **state)
{
  static const char text[] = BEGIN
      " checkpoint-folder=\"D:\\it's\" scsi-controllers=\"2\">"
      "<processor reserve-percent=\"10\" threads-per-core=\"0\"/>"
      "<memory priority=\"7\" maximum-per-numa-node-mib=\"1024\"/>"
      "<dvd-drives><drive bus=\"scsi\" controller=\"2\" location=\"5\"/>"
      "</dvd-drives><network-adapters><adapter name=\"a\"/>"
      "<adapter name=\"b\" dhcp-guard=\"true\" teaming=\"false\" "
      "port-mirroring=\"Source\" maximum-bandwidth-mbps=\"1000\"/>"
      "</network-adapters><com-ports><port number=\"2\"/></com-ports>"
      "<firmware console=\"COM1\" pause-after-boot-failure=\"true\"/>"
      "<boot-order><device kind=\"network\" index=\"1\"/>"
      "<device kind=\"disk\"/></boot-order>"
      "<security encrypt-state-and-migration=\"true\"/>"
      "<integration-services heartbeat=\"false\" vss=\"true\"/>"
      "<policies critical-error-action=\"Pause\" lock-on-disconnect=\"true\" "
      "automatic-checkpoints=\"false\"/></hardware-profile>";
  static const char *const in_script[] = {
    "Cmdlet = 'Processor'; Adapter = 0; Parameter = 'Reserve'; Value = 10 }",
    "Parameter = 'HwThreadCountPerCore'; Value = 0 }",
    "Parameter = 'MaximumAmountPerNumaNodeBytes'; Value = 1073741824 }",
    "Parameter = 'SnapshotFileLocation'; Value = 'D:\\it''s' }",
    "Cmdlet = 'Adapter'; Adapter = 1; Parameter = 'DhcpGuard'; Value = 'On' }",
    "Parameter = 'AllowTeaming'; Value = 'Off' }",
    "Parameter = 'MaximumBandwidth'; Value = 1000000000 }",
    "Parameter = 'ConsoleMode'; Value = 'COM1' }",
    "Parameter = 'EncryptStateAndVmMigrationTraffic'; Value = $true }",
    "Parameter = '84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47'; Value = $false }",
    "Parameter = 'LockOnDisconnect'; Value = 'On' }",
    "ScsiControllers = 3",
    "Bus = 'SCSI'; Controller = 2; Location = 5",
    "Number = 2; Pipe = '\\\\.\\pipe\\",
    "@{ Kind = 'Network'; Index = 1 }",
  };
  struct v2v_machine *m = make_machine (V2V_FIRMWARE_EFI);
  struct v2v_hyperv_plan *plan = make_plan (m);
  struct v2v_document *d = parse (text), *back;
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_document_changes c;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *script = NULL;

  (void) state;
  assert_ok (v2v_hardware_apply (d, plan, &f, &err), err);
  assert_int_equal (f.len, 0);
  script = v2v_hyperv_script (plan, &err);
  assert_ptr (script, err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (in_script); ++i)
    if (strstr (script, in_script[i]) == NULL)
      fail_msg ("%s is not in the script", in_script[i]);
  /* All that the profile says is in the profile of the new machine. */
  back = v2v_hardware_from_plan (plan, false, &err);
  assert_ptr (back, err);
  assert_ok (v2v_document_diff (d, back, &c, &err), err);
  for (size_t i = 0; i < c.len; ++i)
    if (c.ptr[i].old_value != NULL && strcmp (c.ptr[i].path, "name") != 0 &&
        strcmp (c.ptr[i].path, "scsi-controllers") != 0)
      fail_msg ("%s: %s -> %s", c.ptr[i].path, c.ptr[i].old_value,
                c.ptr[i].new_value ? c.ptr[i].new_value : "nothing");
  v2v_document_changes_clear (&c);
  v2v_document_free (back);
  v2v_document_free (d);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
}

static void
test_what_a_script_cannot_set_is_a_finding_each (void **state)
{
  static const char text[] =
      BEGIN "><firmware num-lock=\"true\"/><video resolution=\"Maximum\"/>"
            "<policies highly-available=\"true\"/></hardware-profile>";
  struct v2v_machine *m = make_machine (V2V_FIRMWARE_EFI);
  struct v2v_hyperv_plan *plan = make_plan (m);
  struct v2v_document *d = parse (text);
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_hardware_apply (d, plan, &f, &err), err);
  assert_int_equal (f.len, 3);
  assert_string_equal (f.ptr[0].id, "library.hardware.not-applied");
  /* Generation 2 has no Set-VMBios. */
  assert_string_equal (f.ptr[0].subject, "firmware.num-lock");
  assert_string_equal (f.ptr[1].subject, "policies.highly-available");
  assert_string_equal (f.ptr[2].subject, "video.resolution");
  assert_int_equal (plan->nr_settings, 0);
  v2v_findings_clear (&f);
  v2v_document_free (d);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
}

static void
assert_not_applied (enum v2v_firmware firmware, const char *text,
                    const char *why)
{
  struct v2v_machine *m = make_machine (firmware);
  struct v2v_hyperv_plan *plan = make_plan (m);
  struct v2v_document *d = parse (text);
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_hardware_apply (d, plan, &f, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, why);
  v2v_findings_clear (&f);
  v2v_document_free (d);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
}

static void
test_what_the_disks_cannot_be_is_refused (void **state)
{
  (void) state;
  assert_not_applied (V2V_FIRMWARE_BIOS,
                      BEGIN " generation=\"2\"></hardware-profile>",
                      "for generation 2, the disks are of generation 1");
  assert_not_applied (V2V_FIRMWARE_BIOS,
                      BEGIN "><security tpm=\"true\"/></hardware-profile>",
                      "neither Secure Boot nor a TPM");
  assert_not_applied (V2V_FIRMWARE_BIOS,
                      BEGIN "><processor count=\"65\"/></hardware-profile>",
                      "generation 1 has up to 64");
  assert_not_applied (V2V_FIRMWARE_EFI,
                      BEGIN "><network-adapters><adapter name=\"a\" "
                            "kind=\"legacy\"/></network-adapters>"
                            "</hardware-profile>",
                      "has no legacy adapters");
  assert_not_applied (V2V_FIRMWARE_EFI,
                      BEGIN "><boot-order><device kind=\"disk\" "
                            "index=\"1\"/></boot-order></hardware-profile>",
                      "no such device");
  assert_not_applied (V2V_FIRMWARE_EFI,
                      BEGIN "><dvd-drives><drive bus=\"scsi\" "
                            "controller=\"0\" location=\"0\"/></dvd-drives>"
                            "</hardware-profile>",
                      "is at its place");
  /* The minimum is above what the machine starts with. */
  assert_not_applied (V2V_FIRMWARE_EFI,
                      BEGIN "><memory dynamic=\"true\" minimum-mib=\"4098\"/>"
                            "</hardware-profile>",
                      "ascending order");
}

static void
test_a_description_that_is_none_is_refused (void **state)
{
  static const char *const bad[] = {
    "{}",
    "{\"schema\": \"v2v-machine\"}",
    "{\"schema\": \"other\", \"target\": {}}",
    "{\"schema\": \"v2v-machine\", \"target\": {\"generation\": 3}}",
    "{\"schema\": \"v2v-machine\", \"target\": {\"name\": \"a\\nb\"}}",
    ("{\"schema\": \"v2v-machine\", \"target\": {\"name\": \"a\", "
     "\"network_adapters\": [{\"name\": \"n\"}, {\"name\": \"n\"}]}}"),
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;
    struct v2v_json *j = v2v_json_parse (bad[i], strlen (bad[i]), "j", &err);

    assert_ptr (j, err);
    assert_null (v2v_hardware_from_json (j, "j", false, &err));
    assert_non_null (err);
    assert_non_null (strstr (v2v_error_message (err), "j: "));
    v2v_error_free (err);
    v2v_json_free (j);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_profile_of_a_plan_says_what_the_plan_says),
    cmocka_unit_test (test_a_profile_goes_onto_a_plan_and_comes_back_the_same),
    cmocka_unit_test (
        test_every_other_field_becomes_a_parameter_and_comes_back),
    cmocka_unit_test (test_what_a_script_cannot_set_is_a_finding_each),
    cmocka_unit_test (test_what_the_disks_cannot_be_is_refused),
    cmocka_unit_test (test_a_description_that_is_none_is_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
