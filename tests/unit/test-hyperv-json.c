/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME.json and the two reports, member by member. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/hyperv.h"
#include "formats/report.h"
#include "test-util.h"

struct fixture {
  struct v2v_machine *m;
  struct v2v_hyperv_plan *plan;
};

static int
setup (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);
  struct v2v_hyperv_opts opts = { .default_switch = "External" };
  struct v2v_error *err = NULL;
  struct v2v_guid id;
  struct v2v_disk *d;
  struct v2v_nic *n;

  assert_true (v2v_guid_parse ("11111111-2222-4333-8444-555555555555", &id));
  opts.id = &id;
  f->m = v2v_machine_new (&err);
  f->m->name = strdup ("web \x1b[31m1");
  f->m->os_id = strdup ("windows2019srv-64");
  f->m->firmware = V2V_FIRMWARE_EFI;
  f->m->firmware_stated = true;
  f->m->secure_boot = V2V_YES;
  f->m->tpm = V2V_YES;
  f->m->nr_cpus = 4;
  f->m->memory_bytes = 4 * V2V_GIB;
  d = v2v_machine_add_disk (f->m);
  d->id = strdup ("scsi0:0");
  d->bus = V2V_BUS_SCSI;
  d->capacity_bytes = 16 * V2V_GIB;
  n = v2v_machine_add_nic (f->m);
  n->id = strdup ("ethernet0");
  n->network = strdup ("VM Network");
  n->mac = strdup ("00:50:56:aa:bb:cc");
  n->vlan = 7;
  v2v_machine_add_removable (f->m);
  v2v_findings_add (&f->m->findings, V2V_WARNING, "disk.rdm", "scsi0:1",
                    "copy it", "evidence \x1b[31m");
  f->plan = v2v_hyperv_plan_new (f->m, NULL, 0, &opts, &err);
  assert_ptr (f->plan, err);
  *state = f;
  return 0;
}

static int
teardown (void **state)
{
  struct fixture *f = *state;

  v2v_hyperv_plan_free (f->plan);
  v2v_machine_free (f->m);
  free (f);
  return 0;
}

/* The value at a path of members, "target.disks.0.file". */
static const struct v2v_json *
at (const struct v2v_json *j, const char *path)
{
  CLEANUP_FREE char *copy = strdup (path);
  char *save = NULL;

  for (char *p = strtok_r (copy, ".", &save); p && j;
       p = strtok_r (NULL, ".", &save))
    j = v2v_json_is_array (j) ? v2v_json_at (j, strtoul (p, NULL, 10))
                              : v2v_json_get (j, p);
  if (j == NULL)
    fail_msg ("there is no %s", path);
  return j;
}

static void
is_string (const struct v2v_json *j, const char *path, const char *want)
{
  const char *got = v2v_json_string_value (at (j, path));

  assert_non_null (got);
  assert_string_equal (got, want);
}

static void
is_number (const struct v2v_json *j, const char *path, uint64_t want)
{
  uint64_t got;

  assert_true (v2v_json_u64_value (at (j, path), &got));
  assert_true (got == want);
}

static void
test_the_description_has_every_decision (void **state)
{
  struct fixture *f = *state;
  struct v2v_json *j = v2v_hyperv_to_json (f->plan, f->m);

  assert_non_null (j);
  is_string (j, "schema", "v2v-machine");
  is_number (j, "version", 1);
  is_string (j, "id", "11111111-2222-4333-8444-555555555555");
  is_string (j, "target.hypervisor", "hyper-v");
  is_number (j, "target.generation", 2);
  is_string (j, "target.generation_reasons.0",
             "the source states firmware efi");
  is_string (j, "target.name", "web _[31m1");
  is_string (j, "target.file_name", "web-_-31m1");
  is_string (j, "target.guest.family", "windows");
  is_string (j, "target.guest.name", "Windows Server 2019");
  is_number (j, "target.processor.count", 4);
  is_number (j, "target.memory.startup_bytes", 4 * V2V_GIB);
  is_string (j, "target.firmware.secure_boot_template", "MicrosoftWindows");
  is_string (j, "target.firmware.boot_order.0.kind", "disk");
  is_number (j, "target.firmware.boot_order.0.index", 0);
  is_string (j, "target.disk_format", "vhdx");
  is_string (j, "target.disks.0.file", "web-_-31m1-disk1.vhdx");
  is_string (j, "target.disks.0.source", "scsi0:0");
  is_string (j, "target.disks.0.bus", "scsi");
  is_number (j, "target.disks.0.size_bytes", 16 * V2V_GIB);
  is_string (j, "target.dvd_drives.0.bus", "scsi");
  is_number (j, "target.dvd_drives.0.location", 1);
  is_string (j, "target.network_adapters.0.switch", "External");
  is_string (j, "target.network_adapters.0.mac", "005056AABBCC");
  is_string (j, "target.network_adapters.0.vlan_mode", "access");
  is_number (j, "target.network_adapters.0.vlan", 7);
  is_string (j, "target.policies.checkpoint_type", "Production");
  is_string (j, "target.policies.automatic_stop_action", "ShutDown");
  is_string (j, "findings.source.0.id", "disk.rdm");
  is_string (j, "source.disks.0.id", "scsi0:0");
  v2v_json_free (j);
}

static struct v2v_report
report_of (struct fixture *f, struct v2v_report_disk *disk,
           struct v2v_report_file *file)
{
  *disk = (struct v2v_report_disk){
    .id = "scsi0:0",
    .source_file = "a\nb.vmdk",
    .source_format = "vmdk",
    .target_file = "web-disk1.vhdx",
    .target_format = "vhdx",
    .chain_length = 1,
    .virtual_bytes = 16 * V2V_GIB,
    .data_bytes = 2 * V2V_GIB,
    .written_bytes = V2V_GIB,
    .shared_bytes = V2V_MIB,
    .resumed_bytes = 2 * V2V_MIB,
    .file_bytes = V2V_GIB + V2V_MIB,
    .seconds = 2,
    .digest = "00ff",
  };
  *file = (struct v2v_report_file){ .name = "web.json", .bytes = 100 };
  return (struct v2v_report){
    .program_version = "1.0",
    .started = "2026-01-01T00:00:00Z",
    .seconds = 3,
    .machine = f->m,
    .plan = f->plan,
    .source_path = "web\x1b]0;title\x07.ova",
    .source_kind = "ova",
    .manifest = "matched",
    .signer = "CN=somebody",
    .signature_verified = true,
    .target_folder = "out/web",
    .disks = disk,
    .nr_disks = 1,
    .files = file,
    .nr_files = 1,
  };
}

static void
test_the_report_as_json (void **state)
{
  struct fixture *f = *state;
  struct v2v_report_disk disk;
  struct v2v_report_file file;
  const struct v2v_report r = report_of (f, &disk, &file);
  struct v2v_json *j = v2v_report_to_json (&r);

  assert_non_null (j);
  is_string (j, "schema", "v2v-report");
  is_number (j, "version", 1);
  is_string (j, "outcome", "converted");
  is_string (j, "source.kind", "ova");
  is_string (j, "source.manifest", "matched");
  is_string (j, "source.signer", "CN=somebody");
  is_number (j, "target.generation", 2);
  is_number (j, "disks.0.virtual_bytes", 16 * V2V_GIB);
  is_number (j, "disks.0.written_bytes", V2V_GIB);
  is_number (j, "disks.0.bytes_per_second", V2V_GIB);
  is_string (j, "disks.0.digest", "00ff");
  is_string (j, "files.0.name", "web.json");
  is_string (j, "findings.source.0.id", "disk.rdm");
  is_number (j, "finding_counts.critical", 0);
  assert_int_equal (v2v_json_length (v2v_json_get (v2v_json_get (j, "findings"),
                                                   "conversion")),
                    0);
  v2v_json_free (j);
}

static void
test_the_report_as_text_has_no_control_characters (void **state)
{
  struct fixture *f = *state;
  struct v2v_report_disk disk;
  struct v2v_report_file file;
  const struct v2v_report r = report_of (f, &disk, &file);
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = v2v_report_to_text (&r, &err);

  assert_ptr (text, err);
  for (const char *p = text; *p != '\0'; ++p)
    assert_true (*p == '\n' || (unsigned char) *p >= 0x20);
  assert_non_null (strstr (text, "a_b.vmdk"));
  assert_non_null (strstr (text, "generation:  2\n"));
  assert_non_null (strstr (text, "because:   the source states firmware efi"));
  assert_non_null (strstr (text, "sha256-2m 00ff"));
  assert_non_null (strstr (text, "1.0 GiB written, 1.0 MiB shared with the "
                                 "source, 2.0 MiB from the run before"));
  assert_non_null (strstr (text, "warning     disk.rdm scsi0:1: evidence _"));
  assert_non_null (strstr (text, "nobody vouches for the signer"));
  assert_non_null (strstr (text, "web.json (100 B)"));
}

static void
test_a_failed_run_reports_its_error (void **state)
{
  struct v2v_error *err = NULL, *failure = NULL;
  struct v2v_report r = { .outcome = V2V_OUTCOME_FAILED };
  CLEANUP_FREE char *text = NULL;
  struct v2v_json *j;

  (void) state;
  v2v_fail (&failure, V2V_ERR_FORMAT, "grain table 17: too long");
  v2v_hint (&failure, "copy it again");
  r.error = failure;
  j = v2v_report_to_json (&r);
  is_string (j, "outcome", "failed");
  is_string (j, "error.code", "format");
  is_string (j, "error.hint", "copy it again");
  v2v_json_free (j);
  text = v2v_report_to_text (&r, &err);
  assert_ptr (text, err);
  assert_non_null (strstr (text, "grain table 17: too long"));
  v2v_error_free (failure);
}

static void
test_findings_are_counted_over_all_lists (void **state)
{
  struct fixture *f = *state;
  struct v2v_report_disk disk;
  struct v2v_report_file file;
  struct v2v_report r = report_of (f, &disk, &file);
  struct v2v_findings more = V2V_FINDINGS_INIT;
  size_t i0, w0, c0, i, w, c;

  v2v_report_count (&r, &i0, &w0, &c0);
  assert_true (w0 >= 2); /* disk.rdm, tpm.content-lost */
  v2v_findings_add (&more, V2V_CRITICAL, "x.y", NULL, NULL, "z");
  r.findings = &more;
  v2v_report_count (&r, &i, &w, &c);
  assert_int_equal (i, i0);
  assert_int_equal (w, w0);
  assert_int_equal (c, c0 + 1);
  v2v_findings_clear (&more);
}

#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_the_description_has_every_decision),
    T (test_the_report_as_json),
    T (test_the_report_as_text_has_no_control_characters),
    T (test_a_failed_run_reports_its_error),
    T (test_findings_are_counted_over_all_lists),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
