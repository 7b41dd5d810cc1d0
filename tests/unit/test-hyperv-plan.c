/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines to plans: the generation, each limit at n and n+1, disks, names. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/guest-os.h"
#include "hyperv-util.h"

/* ---- generation ---- */

static void
test_generation_follows_firmware_and_disks (void **state)
{
  static const struct {
    enum v2v_firmware firmware;
    bool stated;
    const struct v2v_disk_evidence *disk;
    unsigned generation; /* 0 = refused */
  } rows[] = {
    { V2V_FIRMWARE_BIOS, true, &hyperv_test_bios_disk, 1 },
    { V2V_FIRMWARE_BIOS, true, &hyperv_test_data_disk, 1 },
    { V2V_FIRMWARE_BIOS, true, NULL, 1 },
    { V2V_FIRMWARE_BIOS, true, &hyperv_test_efi_disk, 0 },
    { V2V_FIRMWARE_EFI, true, &hyperv_test_efi_disk, 2 },
    { V2V_FIRMWARE_EFI, true, &hyperv_test_data_disk, 2 },
    { V2V_FIRMWARE_EFI, true, NULL, 2 },
    { V2V_FIRMWARE_EFI, true, &hyperv_test_bios_disk, 0 },
    { V2V_FIRMWARE_BIOS, false, &hyperv_test_bios_disk, 1 },
    { V2V_FIRMWARE_BIOS, false, &hyperv_test_efi_disk, 2 },
    { V2V_FIRMWARE_BIOS, false, &hyperv_test_data_disk, 1 },
    { V2V_FIRMWARE_BIOS, false, NULL, 1 },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    f->m->firmware = rows[i].firmware;
    f->m->firmware_stated = rows[i].stated;
    hyperv_test_add_disk (f, rows[i].disk);
    if (rows[i].generation == 0)
      hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "hold only an");
    else {
      assert_int_equal (hyperv_test_plan (f)->generation, rows[i].generation);
      assert_true (f->plan->nr_reasons >= 2);
    }
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_a_disk_with_both_loaders_follows_the_firmware (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk_evidence both = hyperv_test_efi_disk;

  both.boot_code = both.bios_boot_partition = true;
  hyperv_test_add_disk (f, &both);
  f->m->firmware_stated = false;
  assert_int_equal (hyperv_test_plan (f)->generation, 1);
  assert_no_finding (f, "generation.conflict");
  f->m->firmware = V2V_FIRMWARE_EFI;
  assert_int_equal (hyperv_test_plan (f)->generation, 2);
}

static void
test_a_forced_generation_turns_refusal_into_a_finding (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "generation 1 starts by BIOS");
  f->opts.generation = 1;
  assert_int_equal (hyperv_test_plan (f)->generation, 1);
  assert_finding (f, "boot.not-startable");
  f->opts.generation = 2;
  assert_int_equal (hyperv_test_plan (f)->generation, 2);
  assert_finding (f, "generation.forced");
  assert_no_finding (f, "boot.not-startable");
  f->opts.generation = 3;
  hyperv_test_refused (f, V2V_ERR_USAGE, "generation 3");
}

static void
test_a_refusal_hints_how_to_force_it (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  f->plan = v2v_hyperv_plan_new (f->m, f->list, 1, &f->opts, &f->err);
  assert_null (f->plan);
  assert_non_null (strstr (v2v_error_hint (f->err), "--generation 2"));
}

static void
test_systems_that_do_not_start_are_refused (void **state)
{
  static const struct {
    const char *os;
    enum v2v_firmware firmware;
    const char *message; /* NULL = accepted */
  } rows[] = {
    { "windows7-64", V2V_FIRMWARE_EFI, "does not start in generation 2" },
    { "windows7-64", V2V_FIRMWARE_BIOS, NULL },
    { "windows8-64", V2V_FIRMWARE_EFI, NULL },
    { "windows8", V2V_FIRMWARE_EFI, "32-bit" },
    { "windows8srv-64", V2V_FIRMWARE_EFI, NULL },
    { "windows7Server64Guest", V2V_FIRMWARE_EFI, "does not start in gen" },
    { "windows9Server64Guest", V2V_FIRMWARE_EFI, NULL },
    { "ubuntu", V2V_FIRMWARE_EFI, "32-bit" },
    { "ubuntu-64", V2V_FIRMWARE_EFI, NULL },
    { "rhel6-64", V2V_FIRMWARE_EFI, NULL },
    { "rhel7-64", V2V_FIRMWARE_EFI, NULL },
    { "darwin19-64", V2V_FIRMWARE_EFI, "macOS 19 cannot run" },
    { "arm-debian12-64", V2V_FIRMWARE_EFI, "ARM" },
    { "other", V2V_FIRMWARE_EFI, NULL },
    { "other-64", V2V_FIRMWARE_EFI, NULL },
    { "somethingnew-64", V2V_FIRMWARE_EFI, NULL },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    hyperv_test_set_os (f, rows[i].os);
    f->m->firmware = rows[i].firmware;
    hyperv_test_add_disk (f, NULL);
    if (rows[i].message != NULL) {
      hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, rows[i].message);
      f->opts.generation = 2; /* and can be forced */
    }
    hyperv_test_plan (f);
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_an_old_linux_id_is_a_warning_only (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  hyperv_test_set_os (f, "rhel6-64");
  assert_int_equal (hyperv_test_plan (f)->generation, 2);
  assert_finding (f, "guest.old-for-generation-2");
  hyperv_test_set_os (f, "rhel7-64");
  hyperv_test_plan (f);
  assert_no_finding (f, "guest.old-for-generation-2");
}

static void
test_a_64_bit_loader_on_disk_outweighs_a_32_bit_id (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_set_os (f, "ubuntu");
  f->m->firmware = V2V_FIRMWARE_EFI;
  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  assert_int_equal (hyperv_test_plan (f)->generation, 2);
}

/* ---- limits ---- */

static void
test_processor_limit (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, NULL);
  f->m->nr_cpus = 64;
  assert_int_equal (hyperv_test_plan (f)->nr_cpus, 64);
  f->m->nr_cpus = 65;
  /* The hint says what one would get. */
  assert_null (
      v2v_hyperv_plan_new (f->m, f->list, f->m->nr_disks, &f->opts, &f->err));
  assert_string_equal (v2v_error_hint (f->err),
                       "with --generation 1 it gets 64 processors");
  v2v_error_free (f->err);
  f->err = NULL;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED,
                       "65 processors, and generation 1");
  f->opts.generation = 1;
  assert_int_equal (hyperv_test_plan (f)->nr_cpus, 64);
  assert_finding (f, "cpu.limit");
  f->opts.generation = 0;
  f->m->firmware = V2V_FIRMWARE_EFI;
  f->m->nr_cpus = 2048;
  assert_int_equal (hyperv_test_plan (f)->nr_cpus, 2048);
  f->m->nr_cpus = 2049;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "at most 2048");
}

static void
test_memory_limit (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, NULL);
  f->m->memory_bytes = V2V_TIB;
  assert_true (hyperv_test_plan (f)->memory_bytes == V2V_TIB);
  f->m->memory_bytes = V2V_TIB + 1; /* rounded up past it */
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED,
                       "bytes of memory, and generation 1");
  f->m->firmware = V2V_FIRMWARE_EFI;
  assert_true (hyperv_test_plan (f)->memory_bytes == V2V_TIB + 2 * V2V_MIB);
  f->m->memory_bytes = 240 * V2V_TIB;
  hyperv_test_plan (f);
  f->m->memory_bytes = 240 * V2V_TIB + 1;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED,
                       "bytes of memory, and generation 2");
}

static void
test_memory_is_rounded_up (void **state)
{
  static const struct {
    uint64_t in, out;
  } rows[] = {
    { 1, 32 * V2V_MIB },
    { 4 * V2V_MIB, 32 * V2V_MIB },
    { 32 * V2V_MIB, 32 * V2V_MIB },
    { 33 * V2V_MIB, 34 * V2V_MIB },
    { V2V_GIB, V2V_GIB },
    { V2V_GIB + 1, V2V_GIB + 2 * V2V_MIB },
    { 0, 2 * V2V_GIB },
  };
  struct hyperv_test *f = *state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    f->m->memory_bytes = rows[i].in;
    assert_true (hyperv_test_plan (f)->memory_bytes == rows[i].out);
    if (rows[i].in == 0)
      assert_finding (f, "memory.missing");
    else if (rows[i].in != rows[i].out)
      assert_finding (f, "memory.rounded");
    else
      assert_no_finding (f, "memory.rounded");
  }
}

static void
test_memory_of_all_ones_does_not_overflow (void **state)
{
  struct hyperv_test *f = *state;

  f->m->memory_bytes = UINT64_MAX;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "bytes of memory");
}

static void
test_boot_disk_size_limit (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk_evidence e = hyperv_test_bios_disk;

  e.size_bytes = 2 * V2V_TIB;
  hyperv_test_add_disk (f, &e);
  hyperv_test_plan (f);
  f->ev[0].size_bytes++;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED,
                       "generation 1 starts from a disk of");
  f->opts.generation = 1;
  hyperv_test_plan (f);
  assert_finding (f, "boot.disk-size");
}

static void
test_disk_size_limit_by_format (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk_evidence e = hyperv_test_data_disk;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  e.size_bytes = 64 * V2V_TIB;
  hyperv_test_add_disk (f, &e);
  hyperv_test_plan (f);
  f->ev[1].size_bytes++;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "a VHDX has at most");
  f->opts.disk_format = V2V_HYPERV_VHD;
  f->ev[1].size_bytes = 2040 * V2V_GIB;
  assert_string_equal (hyperv_test_plan (f)->disks[1].file, "web-1-disk2.vhd");
  f->ev[1].size_bytes++;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "a VHD has at most");
}

static void
test_a_size_known_later_is_checked_too (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, NULL);
  hyperv_test_add_disk (f, NULL);
  hyperv_test_plan (f);
  assert_ok (v2v_hyperv_plan_set_disk_size (f->plan, 0, 2 * V2V_TIB, &f->err),
             f->err);
  assert_int_equal (
      v2v_hyperv_plan_set_disk_size (f->plan, 0, 2 * V2V_TIB + 1, &f->err), -1);
  assert_error (&f->err, V2V_ERR_UNSUPPORTED, "generation 1 starts");
  assert_true (f->plan->disks[0].size_bytes == 2 * V2V_TIB);
  assert_ok (v2v_hyperv_plan_set_disk_size (f->plan, 1, 64 * V2V_TIB, &f->err),
             f->err);
  assert_int_equal (
      v2v_hyperv_plan_set_disk_size (f->plan, 1, 64 * V2V_TIB + 1, &f->err),
      -1);
  assert_error (&f->err, V2V_ERR_UNSUPPORTED, "at most");
}

static void
test_generation_2_refuses_vhd (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  f->opts.disk_format = V2V_HYPERV_VHD;
  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "VHDX only");
}

/* ---- disks ---- */

static void
test_generation_1_boots_from_ide_and_the_rest_is_scsi (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_plan (f);
  hyperv_test_assert_place (&f->plan->disks[0].place, V2V_HYPERV_IDE, 0, 0);
  hyperv_test_assert_place (&f->plan->disks[1].place, V2V_HYPERV_SCSI, 0, 0);
  hyperv_test_assert_place (&f->plan->disks[2].place, V2V_HYPERV_SCSI, 0, 1);
  assert_true (f->plan->disks[0].boot);
  assert_false (f->plan->disks[1].boot);
  assert_string_equal (f->plan->disks[0].file, "web-1-disk1.vhdx");
  assert_string_equal (f->plan->disks[2].file, "web-1-disk3.vhdx");
  assert_finding (f, "disk.driver");
}

static void
test_generation_2_keeps_source_order_on_scsi (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_add_disk (f, &hyperv_test_efi_disk);
  hyperv_test_plan (f);
  hyperv_test_assert_place (&f->plan->disks[0].place, V2V_HYPERV_SCSI, 0, 0);
  hyperv_test_assert_place (&f->plan->disks[1].place, V2V_HYPERV_SCSI, 0, 1);
  assert_false (f->plan->disks[0].boot);
  assert_true (f->plan->disks[1].boot);
  assert_finding (f, "boot.disk-chosen");
  assert_int_equal (f->plan->boot[0].kind, V2V_BOOT_DISK);
  assert_int_equal (f->plan->boot[0].index, 1);
}

static void
test_a_boot_order_in_the_source_wins_over_evidence (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  hyperv_test_add_disk (f, &hyperv_test_data_disk)->boot_order = 0;
  hyperv_test_plan (f);
  assert_true (f->plan->disks[1].boot);
  hyperv_test_assert_place (&f->plan->disks[1].place, V2V_HYPERV_IDE, 0, 0);
  assert_no_finding (f, "boot.disk-chosen");
}

static void
test_disk_count_limit (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  for (unsigned i = 0; i < 256; ++i)
    hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_scsi_controllers, 4);
  hyperv_test_assert_place (&f->plan->disks[64].place, V2V_HYPERV_SCSI, 0, 63);
  hyperv_test_assert_place (&f->plan->disks[65].place, V2V_HYPERV_SCSI, 1, 0);
  hyperv_test_assert_place (&f->plan->disks[256].place, V2V_HYPERV_SCSI, 3, 63);
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_plan (f);
  hyperv_test_assert_place (&f->plan->disks[257].place, V2V_HYPERV_IDE, 0, 1);
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "disk 259 has no place");
}

static void
test_disk_count_limit_of_generation_2 (void **state)
{
  struct hyperv_test *f = *state;

  f->m->firmware = V2V_FIRMWARE_EFI;
  for (unsigned i = 0; i < 256; ++i)
    hyperv_test_add_disk (f, i == 0 ? &hyperv_test_efi_disk
                                    : &hyperv_test_data_disk);
  v2v_machine_add_removable (f->m);
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_dvds, 0);
  assert_finding (f, "cd.dropped");
  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "disk 257 has no place");
}

static void
test_shared_disks_by_policy (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  hyperv_test_add_disk (f, &hyperv_test_data_disk)->shared = true;
  hyperv_test_plan (f);
  assert_int_equal (f->plan->nr_disks, 1);
  assert_finding (f, "disk.shared");
  f->opts.shared_disks = V2V_SHARED_PRIVATE;
  assert_int_equal (hyperv_test_plan (f)->nr_disks, 2);
  assert_finding (f, "disk.shared-private");
  f->opts.shared_disks = V2V_SHARED_REFUSE;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "scsi0:1: is shared");
  f->opts.shared_disks = V2V_SHARED_SKIP;
  f->m->disks[0].shared = true;
  hyperv_test_refused (f, V2V_ERR_UNSUPPORTED, "all of its 2 disks are shared");
}

static void
test_blank_disks_need_a_capacity (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk *d;

  hyperv_test_add_disk (f, &hyperv_test_bios_disk);
  d = hyperv_test_add_disk (f, NULL);
  d->kind = V2V_DISK_BLANK;
  hyperv_test_plan (f);
  assert_true (f->plan->disks[1].blank);
  assert_finding (f, "disk.blank");
  f->m->disks[1].capacity_bytes = 0;
  hyperv_test_refused (f, V2V_ERR_FORMAT, "neither a file nor a capacity");
}

static void
test_disk_modes_are_reported (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_disk *d = hyperv_test_add_disk (f, &hyperv_test_bios_disk);

  d->mode = strdup ("persistent");
  hyperv_test_plan (f);
  assert_no_finding (f, "disk.mode");
  free (d->mode);
  d->mode = strdup ("independent-nonpersistent");
  hyperv_test_plan (f);
  assert_finding (f, "disk.mode");
}

static void
test_disks_without_any_loader_are_converted_with_a_warning (void **state)
{
  struct hyperv_test *f = *state;

  hyperv_test_add_disk (f, &hyperv_test_data_disk);
  hyperv_test_plan (f);
  assert_finding (f, "boot.nothing-found");
  assert_true (f->plan->disks[0].boot);
}

/* ---- identity, processors, memory policies ---- */

static void
test_names_are_cleaned (void **state)
{
  static const struct {
    const char *in, *out, *safe;
  } rows[] = {
    { "web 1", "web 1", "web-1" },
    { "a\nb\tc", "a_b_c", "a_b_c" },
    { "a\xe2\x80\xa8z", "a_z", "a_z" },     /* U+2028 */
    { "a\xe2\x80\xaez", "a_z", "a_z" },     /* U+202E */
    { "a\xc2\x85z", "a_z", "a_z" },         /* U+0085 */
    { "a\xff\xc0\x80z", "a___z", "a___z" }, /* not UTF-8 */
    { "a\xed\xa0\x80z", "a___z", "a___z" }, /* a surrogate */
    { "  blanks  ", "blanks", "blanks" },
    { "x'; Remove-Item C:\\ -Recurse; '", "x'; Remove-Item C:\\ -Recurse; '",
      "x-Remove-Item-C--Recurse" },
    { "CON", "CON", "CON_" },
    { "", "vm", "vm" },
    { "   ", "vm", "vm" },
    { "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", "vm" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    void *one;
    struct hyperv_test *f;

    hyperv_test_setup (&one);
    f = one;
    free (f->m->name);
    f->m->name = strdup (rows[i].in);
    hyperv_test_plan (f);
    assert_string_equal (f->plan->name, rows[i].out);
    assert_string_equal (f->plan->safe_name, rows[i].safe);
    hyperv_test_teardown (&one);
  }
  (void) state;
}

static void
test_a_long_name_is_cut_at_the_limit (void **state)
{
  struct hyperv_test *f = *state;
  char name[401];

  memset (name, 'x', sizeof name);
  name[100] = '\0';
  f->opts.name = name;
  assert_int_equal (strlen (hyperv_test_plan (f)->name), 100);
  assert_no_finding (f, "name.changed");
  name[100] = 'x';
  name[300] = '\0';
  assert_int_equal (strlen (hyperv_test_plan (f)->name), 100);
  assert_finding (f, "name.changed");
  /* U+1F600 counts as two units. */
  for (size_t i = 0; i < 51; ++i)
    memcpy (name + 4 * i, "\xf0\x9f\x98\x80", 4);
  name[204] = '\0';
  assert_int_equal (strlen (hyperv_test_plan (f)->name), 200);
}

static void
test_a_given_file_name_must_be_safe (void **state)
{
  struct hyperv_test *f = *state;

  f->opts.safe_name = "web-1_2.x";
  assert_string_equal (hyperv_test_plan (f)->safe_name, "web-1_2.x");
  for (const char *const *bad =
           (const char *const[]){ "", "..", "-x", "a/b", "a'b", "a b", NULL };
       *bad != NULL; ++bad) {
    f->opts.safe_name = *bad;
    hyperv_test_refused (f, V2V_ERR_USAGE, "are safe");
  }
}

static void
test_notes_hold_the_marker_and_the_old_uuid (void **state)
{
  struct hyperv_test *f = *state;
  struct v2v_guid id;

  assert_true (v2v_guid_parse ("11111111-2222-4333-8444-555555555555", &id));
  f->opts.id = &id;
  f->m->annotation = strdup ("line 1\r\nline 2\x1b[31m\n");
  f->m->uuid_bios = strdup ("564D4455-AAAA-bbbb-cccc-dddddddddddd");
  hyperv_test_plan (f);
  assert_string_equal (
      f->plan->notes, "line 1\nline 2_[31m\n\n\nConverted by v2v\n"
                      "v2v-id: 11111111-2222-4333-8444-555555555555\n"
                      "source-bios-uuid: 564d4455-aaaa-bbbb-cccc-dddddddddddd");
  assert_finding (f, "notes.changed");
  assert_finding (f, "identity.bios-uuid");
  free (f->m->uuid_bios);
  f->m->uuid_bios = strdup ("'; evil");
  hyperv_test_plan (f);
  assert_null (strstr (f->plan->notes, "evil"));
}

static void
test_shares_become_weights (void **state)
{
  static const struct {
    enum v2v_share_level shares;
    unsigned value, cpus, weight;
  } rows[] = {
    { V2V_SHARES_UNSET, 0, 1, 0 },
    { V2V_SHARES_LOW, 0, 1, 50 },
    { V2V_SHARES_NORMAL, 0, 1, 100 },
    { V2V_SHARES_HIGH, 0, 1, 200 },
    { V2V_SHARES_CUSTOM, 4000, 4, 100 },
    { V2V_SHARES_CUSTOM, 0, 4, 1 },
    { V2V_SHARES_CUSTOM, 4294967295u, 1, 10000 },
  };
  struct hyperv_test *f = *state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    f->m->cpu_shares = rows[i].shares;
    f->m->cpu_shares_value = rows[i].value;
    f->m->nr_cpus = rows[i].cpus;
    assert_int_equal (hyperv_test_plan (f)->cpu_weight, rows[i].weight);
  }
}

static void
test_dynamic_memory (void **state)
{
  struct hyperv_test *f = *state;

  f->m->memory_bytes = 4 * V2V_GIB;
  hyperv_test_plan (f);
  assert_false (f->plan->dynamic_memory);
  f->opts.dynamic_memory = true;
  hyperv_test_plan (f);
  assert_true (f->plan->dynamic_memory);
  assert_true (f->plan->memory_min_bytes == 512 * V2V_MIB);
  assert_true (f->plan->memory_max_bytes == 4 * V2V_GIB);
  f->opts.memory_min_bytes = 5 * V2V_GIB;
  hyperv_test_refused (f, V2V_ERR_USAGE, "must be in ascending order");
  f->opts.memory_min_bytes = 0;
  f->opts.memory_max_bytes = 3 * V2V_GIB;
  hyperv_test_refused (f, V2V_ERR_USAGE, "must be in ascending order");
  f->opts.memory_max_bytes = 0;
  f->opts.nested = V2V_YES;
  hyperv_test_plan (f);
  assert_false (f->plan->dynamic_memory);
  assert_finding (f, "memory.dynamic-nested");
  f->opts.dynamic_memory = false;
  f->opts.memory_min_bytes = V2V_GIB;
  hyperv_test_refused (f, V2V_ERR_USAGE, "needs dynamic memory");
}

static void
test_what_has_no_place_is_a_finding (void **state)
{
  struct hyperv_test *f = *state;

  f->m->cores_per_socket = 2;
  f->m->cpu_hot_add = f->m->memory_hot_add = V2V_YES;
  f->m->cpu_reservation_mhz = f->m->cpu_limit_mhz = 1000;
  f->m->memory_shares = V2V_SHARES_HIGH;
  f->m->memory_reservation_bytes = V2V_GIB;
  f->m->memory_limit_bytes = V2V_GIB;
  f->m->sync_time = V2V_NO;
  v2v_machine_add_property (f->m);
  hyperv_test_set_os (f, NULL);
  hyperv_test_plan (f);
  assert_finding (f, "cpu.topology");
  assert_finding (f, "cpu.hot-add");
  assert_finding (f, "cpu.reservation");
  assert_finding (f, "cpu.maximum");
  assert_finding (f, "memory.hot-add");
  assert_finding (f, "memory.shares");
  assert_finding (f, "memory.reservation");
  assert_finding (f, "memory.maximum");
  assert_finding (f, "properties.dropped");
  assert_finding (f, "guest.unknown");
  assert_false (f->plan->time_sync);
}

static void
test_the_catalogue_is_sorted_and_complete (void **state)
{
  size_t n;
  const struct v2v_finding_entry *c = v2v_finding_catalogue (&n);

  (void) state;
  assert_true (n > 40);
  for (size_t i = 0; i < n; ++i) {
    if (i > 0)
      assert_true (strcmp (c[i - 1].id, c[i].id) < 0);
    assert_true (strlen (c[i].meaning) > 10);
    assert_true (c[i].meaning[strlen (c[i].meaning) - 1] != '.');
    assert_ptr_equal (v2v_finding_entry_by_id (c[i].id), &c[i]);
    /* A warning says what to do, or is about a choice of the user's. */
    if (c[i].severity == V2V_CRITICAL)
      assert_non_null (c[i].remedy);
  }
  assert_null (v2v_finding_entry_by_id ("no.such"));
}

/* The manual says of each finding what the program says. */
static void
test_the_manual_has_every_finding (void **state)
{
  const char *path = SRCDIR "/convert/v2v-findings.pod";
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_open (path, V2V_IO_FOLLOW, &err);
  CLEANUP_FREE char *text = NULL;
  size_t n;
  const struct v2v_finding_entry *c = v2v_finding_catalogue (&n);

  (void) state;
  assert_ptr (io, err);
  text = calloc (1, (size_t) v2v_io_size (io) + 1);
  assert_non_null (text);
  assert_ok (v2v_io_pread (io, text, (size_t) v2v_io_size (io), 0, &err), err);
  v2v_io_unref (io);
  for (size_t i = 0; i < n; ++i) {
    CLEANUP_FREE char *item = NULL;

    assert_true (asprintf (&item, "\n=item B<%s> (%s)\n", c[i].id,
                           v2v_severity_name (c[i].severity)) > 0);
    if (strstr (text, item) == NULL ||
        strstr (text, c[i].meaning + 1) == NULL ||
        (c[i].remedy != NULL && strstr (text, c[i].remedy) == NULL))
      fail_msg ("%s is not in the manual as it is in the program", c[i].id);
  }
}

static void
test_guest_ids_in_both_spellings (void **state)
{
  static const struct {
    const char *id;
    int cim;
    const char *name;
    unsigned bits;
    bool gen2;
  } rows[] = {
    { "windows9srv-64", 0, "Windows Server 2016", 64, true },
    { "windows9Server64Guest", 0, "Windows Server 2016", 64, true },
    { "windows2019srv-64", 0, "Windows Server 2019", 64, true },
    { "windows2019srv_64Guest", 0, "Windows Server 2019", 64, true },
    { "windows2019srvNext-64", 0, "Windows Server 2022", 64, true },
    { "windows2022srvNext_64Guest", 0, "Windows Server 2025", 64, true },
    { "windows11-64", 0, "Windows 11", 64, true },
    { "windows9_64Guest", 0, "Windows 10", 64, true },
    { "windows7srv-64", 0, "Windows Server 2008 R2", 64, false },
    { "longhorn-64", 0, "Windows Server 2008", 64, false },
    { "winLonghorn64Guest", 0, "Windows Server 2008", 64, false },
    { "winNetEnterprise-64", 0, "Windows Server 2003 Enterprise", 64, false },
    { "winNetEnterpriseGuest", 0, "Windows Server 2003 Enterprise", 32, false },
    { "rhel7_64Guest", 0, "Red Hat Enterprise Linux 7", 64, true },
    { "rhel6-64", 0, "Red Hat Enterprise Linux 6", 64, false },
    { "other5xlinux-64", 0, "Linux 5.x", 64, true },
    { "freebsd12-64", 0, "FreeBSD 12", 64, true },
    { "sles15-64", 0, "SUSE Linux Enterprise Server 15", 64, true },
    { NULL, 36, "Linux", 0, true },
    { NULL, 103, "Windows Server 2008 R2", 64, false },
    { NULL, 105, "Windows 7", 0, false },
    { NULL, 112, "Windows Server 2012", 64, true },
    { NULL, 94, "Ubuntu", 64, true },
    { "windows9-64", 94, "Windows 10", 64, true },
    { NULL, 0, "an unknown system", 0, true },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const struct v2v_guest_os os =
        v2v_guest_os_lookup (rows[i].id, rows[i].cim);

    assert_string_equal (os.name, rows[i].name);
    assert_int_equal (os.bits, rows[i].bits);
    assert_int_equal (os.generation2, rows[i].gen2);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    HYPERV_TEST (test_generation_follows_firmware_and_disks),
    HYPERV_TEST (test_a_disk_with_both_loaders_follows_the_firmware),
    HYPERV_TEST (test_a_forced_generation_turns_refusal_into_a_finding),
    HYPERV_TEST (test_a_refusal_hints_how_to_force_it),
    HYPERV_TEST (test_systems_that_do_not_start_are_refused),
    HYPERV_TEST (test_an_old_linux_id_is_a_warning_only),
    HYPERV_TEST (test_a_64_bit_loader_on_disk_outweighs_a_32_bit_id),
    HYPERV_TEST (test_processor_limit),
    HYPERV_TEST (test_memory_limit),
    HYPERV_TEST (test_memory_is_rounded_up),
    HYPERV_TEST (test_memory_of_all_ones_does_not_overflow),
    HYPERV_TEST (test_boot_disk_size_limit),
    HYPERV_TEST (test_disk_size_limit_by_format),
    HYPERV_TEST (test_a_size_known_later_is_checked_too),
    HYPERV_TEST (test_generation_2_refuses_vhd),
    HYPERV_TEST (test_generation_1_boots_from_ide_and_the_rest_is_scsi),
    HYPERV_TEST (test_generation_2_keeps_source_order_on_scsi),
    HYPERV_TEST (test_a_boot_order_in_the_source_wins_over_evidence),
    HYPERV_TEST (test_disk_count_limit),
    HYPERV_TEST (test_disk_count_limit_of_generation_2),
    HYPERV_TEST (test_shared_disks_by_policy),
    HYPERV_TEST (test_blank_disks_need_a_capacity),
    HYPERV_TEST (test_disk_modes_are_reported),
    HYPERV_TEST (test_disks_without_any_loader_are_converted_with_a_warning),
    HYPERV_TEST (test_names_are_cleaned),
    HYPERV_TEST (test_a_long_name_is_cut_at_the_limit),
    HYPERV_TEST (test_a_given_file_name_must_be_safe),
    HYPERV_TEST (test_notes_hold_the_marker_and_the_old_uuid),
    HYPERV_TEST (test_shares_become_weights),
    HYPERV_TEST (test_dynamic_memory),
    HYPERV_TEST (test_what_has_no_place_is_a_finding),
    HYPERV_TEST (test_the_catalogue_is_sorted_and_complete),
    HYPERV_TEST (test_the_manual_has_every_finding),
    HYPERV_TEST (test_guest_ids_in_both_spellings),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
