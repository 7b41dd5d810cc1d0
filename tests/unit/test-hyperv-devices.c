/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines to plans: removable media, ports, network adapters, security. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "hyperv-util.h"

/* ---- removable media and ports ---- */

static void
test_cd_places (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_removable *r;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  for (unsigned i = 0; i < 4; ++i) {
    r = v2v_machine_add_removable (f->m);
    r->kind = i == 0 ? V2V_CD_IMAGE : i == 1 ? V2V_CD_HOST : V2V_CD_EMPTY;
    r->unit = i;
  }
  f->m->removables[0].file = strdup ("[ds 1] iso/../a'b.iso");
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_dvds, 3);
  hyperv_test_assert_place (&f->plan->dvds[0].place, V2V_HYPERV_IDE, 1, 0);
  hyperv_test_assert_place (&f->plan->dvds[1].place, V2V_HYPERV_IDE, 1, 1);
  hyperv_test_assert_place (&f->plan->dvds[2].place, V2V_HYPERV_IDE, 0, 1);
  assert_string_equal (f->plan->dvds[0].source_file, "a'b.iso");
  assert_finding (f, "cd.image");
  assert_finding (f, "cd.host");
  assert_finding (f, "cd.dropped");
  f->m->firmware = V2V_FIRMWARE_EFI;
  f->ev[0] = hyperv_test_efi_disk;
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_dvds, 4);
  hyperv_test_assert_place (&f->plan->dvds[0].place, V2V_HYPERV_SCSI, 0, 1);
}

static void
test_floppy_needs_generation_1 (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_removable *r = v2v_machine_add_removable (f->m);

  r->floppy = true;
  r->kind = V2V_CD_IMAGE;
  r->file = strdup ("drivers.flp");
  hyperv_test_plan (f);
  assert_true (f->plan->floppy);
  assert_finding (f, "floppy.image");
  v2v_machine_add_removable (f->m)->floppy = true; /* a second one */
  hyperv_test_plan (f);
  assert_finding (f, "floppy.dropped");
  f->m->firmware = V2V_FIRMWARE_EFI;
  hyperv_test_plan (f);
  assert_false (f->plan->floppy);
  assert_finding (f, "floppy.dropped");
}

static void
test_serial_ports (void **state)
{
  struct hyperv_test *f = *state;

  for (unsigned i = 0; i < 4; ++i) {
    struct v2v_serial *s = v2v_machine_add_serial (f->m);
    s->number = i;
    s->kind = strdup (i == 1 ? "file" : "pipe");
    s->path = strdup ("\\\\.\\pipe\\evil'name");
  }
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_coms, 2);
  assert_string_equal (f->plan->coms[0].pipe, "\\\\.\\pipe\\web-1-com1");
  assert_string_equal (f->plan->coms[1].pipe, "\\\\.\\pipe\\web-1-com2");
  assert_finding (f, "serial.pipe");
  assert_finding (f, "serial.dropped");
}

static void
test_boot_order_of_the_source_is_kept (void **state)
{
  struct hyperv_test *f = *state;

  f->m->boot_order = calloc (3, sizeof *f->m->boot_order);
  f->m->boot_order[0] = strdup ("cdrom");
  f->m->boot_order[1] = strdup ("disk");
  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  v2v_machine_add_removable (f->m);
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_boot, 4);
  assert_int_equal (f->plan->boot[0].kind, V2V_BOOT_DVD);
  assert_int_equal (f->plan->boot[1].kind, V2V_BOOT_DISK);
  assert_int_equal (f->plan->boot[2].kind, V2V_BOOT_NETWORK);
  assert_int_equal (f->plan->boot[3].kind, V2V_BOOT_FLOPPY);
}

/* ---- network ---- */

static void
test_nic_limits_of_generation_1 (void **state)
{
  struct hyperv_test *f = *state;

  for (unsigned i = 0; i < 12; ++i)
    hyperv_test_add_nic (f, "VM Network", NULL);
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_nics, 12);
  assert_false (f->plan->nics[7].legacy);
  assert_true (f->plan->nics[8].legacy);
  assert_finding (f, "nic.legacy");
  hyperv_test_add_nic (f, "VM Network", NULL);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "adapter 13 of 13 has no place");
  f->opts.generation = 1;
  assert_int_equal (hyperv_test_plan (f)->nr_nics, 12);
  assert_finding (f, "nic.limit");
}

static void
test_nic_limit_of_generation_2 (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  for (unsigned i = 0; i < 64; ++i)
    hyperv_test_add_nic (f, "VM Network", NULL);
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_nics, 64);
  assert_false (f->plan->nics[63].legacy);
  hyperv_test_add_nic (f, "VM Network", NULL);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "adapter 65 of 65");
}

static void
test_old_systems_get_legacy_nics_only (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_set_os (f, "winNT");
  for (unsigned i = 0; i < 4; ++i)
    hyperv_test_add_nic (f, "n", NULL);
  hyperv_test_plan (f);
  assert_true (f->plan->nics[0].legacy);
  assert_true (f->plan->older_os_compatibility);
  assert_finding (f, "guest.no-support");
  hyperv_test_add_nic (f, "n", NULL);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "adapter 5 of 5");
}

static void
test_start_from_network_needs_a_legacy_nic_in_generation_1 (void **state)
{
  struct hyperv_test *f = *state;

  f->m->boot_order = calloc (2, sizeof *f->m->boot_order);
  f->m->boot_order[0] = strdup ("network");
  hyperv_test_add_nic (f, "a", NULL);
  hyperv_test_add_nic (f, "b", NULL);
  hyperv_test_plan (f);
  assert_true (f->plan->nics[0].legacy);
  assert_false (f->plan->nics[1].legacy);
  f->m->firmware = V2V_FIRMWARE_EFI;
  hyperv_test_plan (f);
  assert_false (f->plan->nics[0].legacy);
}

static void
test_mac_addresses (void **state)
{
  static const struct {
    const char *in, *out, *finding;
  } rows[] = {
    { "00:50:56:aa:bb:cc", "005056AABBCC", NULL },
    { "00-0C-29-01-02-03", "000C29010203", NULL },
    { "0050.56aa.bbcc", "005056AABBCC", NULL },
    { "00155d010203", "00155D010203", "nic.mac-pool" },
    { "01:00:5e:00:00:01", "", "nic.mac-invalid" },
    { "00:00:00:00:00:00", "", "nic.mac-invalid" },
    { "00:50:56:aa:bb", "", "nic.mac-invalid" },
    { "00:50:56:aa:bb:cc:dd", "", "nic.mac-invalid" },
    { "00:50:56:aa:bb:c'", "", "nic.mac-invalid" },
    { "", "", NULL },
    { NULL, "", NULL },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    hyperv_test_add_nic (f, "n", rows[i].in);
    hyperv_test_plan (f);
    assert_string_equal (f->plan->nics[0].mac, rows[i].out);
    if (rows[i].finding)
      assert_finding (f, rows[i].finding);
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_new_macs_and_duplicates (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_nic (f, "n", "00:50:56:00:00:01");
  hyperv_test_add_nic (f, "n", "00-50-56-00-00-01");
  hyperv_test_plan (f);
  assert_finding (f, "nic.mac-duplicate");
  assert_int_equal (
      v2v_findings_find (&f->plan->findings, "nic.mac-duplicate")->severity,
      V2V_CRITICAL);
  f->opts.new_macs = true;
  hyperv_test_plan (f);
  assert_string_equal (f->plan->nics[0].mac, "");
  assert_finding (f, "nic.mac-new");
  assert_no_finding (f, "nic.mac-duplicate");
}

static void
test_switches_come_from_the_map_only (void **state)
{
  static const char text[] = "VM Network = External\n"
                             "DMZ = Outer vlan 20\n"
                             "Quiet = -\n";
  struct hyperv_test *f = *state;
  struct v2v_network_map *map =
      v2v_network_map_parse (text, sizeof text - 1, "map", &f->err);

  assert_ptr (map, f->err);
  f->opts.network_map = map;
  hyperv_test_add_nic (f, "VM Network", NULL)->vlan = 7;
  hyperv_test_add_nic (f, "DMZ", NULL)->vlan = 7;
  hyperv_test_add_nic (f, "Quiet", NULL);
  hyperv_test_add_nic (f, "Other", NULL);
  hyperv_test_add_nic (f, NULL, NULL);
  hyperv_test_plan (f);
  assert_string_equal (f->plan->nics[0].switch_name, "External");
  assert_int_equal (f->plan->nics[0].vlan, 7);
  assert_string_equal (f->plan->nics[1].switch_name, "Outer");
  assert_int_equal (f->plan->nics[1].vlan, 20);
  assert_null (f->plan->nics[2].switch_name);
  assert_false (f->plan->nics[2].unmapped);
  assert_null (f->plan->nics[3].switch_name);
  assert_true (f->plan->nics[3].unmapped);
  assert_true (f->plan->nics[4].unmapped);
  assert_finding (f, "nic.unmapped");
  f->opts.strict_networks = true;
  hyperv_test_refused (f, V2V_ERR_USAGE,
                       "network \"Other\" is not in the network map");
  f->opts.default_switch = "Rest";
  hyperv_test_plan (f);
  assert_string_equal (f->plan->nics[3].switch_name, "Rest");
  assert_null (f->plan->nics[2].switch_name);
  v2v_network_map_free (map);
}

static void
test_vlans (void **state)
{
  static const struct {
    int vlan;
    enum v2v_hyperv_vlan_mode mode;
    bool finding;
  } rows[] = {
    { -1, V2V_VLAN_MODE_UNTAGGED, false },
    { 0, V2V_VLAN_MODE_UNTAGGED, false },
    { 1, V2V_VLAN_MODE_ACCESS, false },
    { 4094, V2V_VLAN_MODE_ACCESS, false },
    { 4095, V2V_VLAN_MODE_TRUNK, false },
    { 4096, V2V_VLAN_MODE_UNTAGGED, true },
    { -2, V2V_VLAN_MODE_UNTAGGED, true },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    hyperv_test_add_nic (f, "n", NULL)->vlan = rows[i].vlan;
    hyperv_test_plan (f);
    assert_int_equal (f->plan->nics[0].vlan_mode, rows[i].mode);
    assert_int_equal (
        v2v_findings_find (&f->plan->findings, "nic.vlan-invalid") != NULL,
        rows[i].finding);
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_a_nic_that_starts_disconnected_stays_so (void **state)
{
  struct hyperv_test *f = *state;

  f->opts.default_switch = "External";
  hyperv_test_add_nic (f, "n", NULL)->connected = false;
  hyperv_test_plan (f);
  assert_null (f->plan->nics[0].switch_name);
  assert_false (f->plan->nics[0].unmapped);
  assert_finding (f, "nic.disconnected");
}

static void
test_spoofing (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_nic (f, "n", NULL);
  hyperv_test_plan (f);
  assert_false (f->plan->nics[0].spoofing);
  f->m->nics[0].promiscuous = V2V_YES;
  hyperv_test_plan (f);
  assert_true (f->plan->nics[0].spoofing);
  assert_finding (f, "nic.spoofing");
  f->m->nics[0].promiscuous = V2V_UNKNOWN;
  f->m->nested_virtualization = V2V_YES;
  hyperv_test_plan (f);
  assert_true (f->plan->nics[0].spoofing);
  assert_true (f->plan->nested);
}

/* ---- security ---- */

static void
test_secure_boot_template_by_family (void **state)
{
  static const struct {
    const char *os;
    enum v2v_tristate secure_boot;
    bool on;
    enum v2v_secure_boot_template template;
  } rows[] = {
    { "windows9srv-64", V2V_YES, true, V2V_TEMPLATE_WINDOWS },
    { "windows9srv-64", V2V_NO, false, V2V_TEMPLATE_NONE },
    { "windows9srv-64", V2V_UNKNOWN, false, V2V_TEMPLATE_NONE },
    { "ubuntu-64", V2V_YES, true, V2V_TEMPLATE_UEFI_CA },
    { "freebsd12-64", V2V_YES, false, V2V_TEMPLATE_NONE },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    hyperv_test_set_os (f, rows[i].os);
    f->m->firmware = V2V_FIRMWARE_EFI;
    f->m->secure_boot = rows[i].secure_boot;
    hyperv_test_add_disk (f, NULL);
    hyperv_test_plan (f);
    assert_int_equal (f->plan->secure_boot, rows[i].on);
    assert_int_equal (f->plan->secure_boot_template, rows[i].template);
    if (rows[i].secure_boot == V2V_YES && !rows[i].on)
      assert_finding (f, "secureboot.off");
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_options_that_generation_1_cannot_have (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  f->opts.secure_boot = V2V_YES;
  hyperv_test_refused (f, V2V_ERR_USAGE, "generation 1 has no Secure Boot");
  f->opts.secure_boot = V2V_UNKNOWN;
  f->opts.tpm = V2V_YES;
  hyperv_test_refused (f, V2V_ERR_USAGE, "generation 1 has no TPM");
  f->opts.tpm = V2V_UNKNOWN;
  f->m->tpm = V2V_YES;
  hyperv_test_plan (f);
  assert_finding (f, "tpm.dropped");
  assert_false (f->plan->tpm);
}

static void
test_tpm_content_is_lost (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  f->m->tpm = V2V_YES;
  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  hyperv_test_plan (f);
  assert_true (f->plan->tpm);
  assert_finding (f, "tpm.content-lost");
  f->opts.tpm = V2V_NO;
  hyperv_test_plan (f);
  assert_false (f->plan->tpm);
  assert_finding (f, "tpm.content-lost");
  f->m->tpm = V2V_NO;
  f->opts.tpm = V2V_YES;
  hyperv_test_plan (f);
  assert_true (f->plan->tpm);
  assert_no_finding (f, "tpm.content-lost");
}

static void
test_a_missing_fallback_loader_is_reported (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk_evidence e = hyperv_test_efi_disk;

  f->m->firmware = V2V_FIRMWARE_EFI;
  f->m->nvram_file = strdup ("a.nvram");
  e.fallback_loader = false;
  hyperv_test_add_disk (f, &e);
  hyperv_test_plan (f);
  assert_finding (f, "boot.no-fallback-loader");
  assert_finding (f, "nvram.lost");
  f->ev[0].fallback_loader = true;
  hyperv_test_plan (f);
  assert_no_finding (f, "boot.no-fallback-loader");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    HYPERV_TEST (test_cd_places),
    HYPERV_TEST (test_floppy_needs_generation_1),
    HYPERV_TEST (test_serial_ports),
    HYPERV_TEST (test_boot_order_of_the_source_is_kept),
    HYPERV_TEST (test_nic_limits_of_generation_1),
    HYPERV_TEST (test_nic_limit_of_generation_2),
    HYPERV_TEST (test_old_systems_get_legacy_nics_only),
    HYPERV_TEST (test_start_from_network_needs_a_legacy_nic_in_generation_1),
    HYPERV_TEST (test_mac_addresses),
    HYPERV_TEST (test_new_macs_and_duplicates),
    HYPERV_TEST (test_switches_come_from_the_map_only),
    HYPERV_TEST (test_vlans),
    HYPERV_TEST (test_a_nic_that_starts_disconnected_stays_so),
    HYPERV_TEST (test_spoofing),
    HYPERV_TEST (test_secure_boot_template_by_family),
    HYPERV_TEST (test_options_that_generation_1_cannot_have),
    HYPERV_TEST (test_tpm_content_is_lost),
    HYPERV_TEST (test_a_missing_fallback_loader_is_reported),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
