/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The boot loader's configuration and the fallback loader of UEFI, in trees
 * constructed as the distributions lay them out. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/linux-boot.h"
#include "test-util.h"

static const struct guest_tree_entry empty[] = { { NULL, NULL, NULL, 0 } };

static void
fix (struct v2v_guest *g)
{
  struct v2v_error *err = NULL;
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };

  assert_ok (linux_find_kernels (&l, &err), err);
  assert_ok (linux_fix_bootloader (&l, &err), err);
  linux_kernels_clear (&l);
}

static struct v2v_guest *
open_tree (const char *tree, const struct v2v_guest_opts *opts)
{
  struct v2v_guest *g = guest_tree_open (tree, V2V_FAMILY_LINUX, "debian", 12);

  guest_tree_set (&v2v_guest_os (g)->arch, "x86_64");
  if (opts != NULL)
    v2v_guest_set_opts (g, opts);
  return g;
}

static void
assert_stable (const char *tree, const struct v2v_guest_opts *opts)
{
  struct v2v_guest *g = open_tree (tree, opts);

  fix (g);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
}

/* ---- options ---- */

/* Without wishes nothing changes but the consoles of Xen and virtio. */
static void
test_constructed_consoles_of_xen_and_virtio_are_taken_out (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/default/grub",
      "# console=hvc0\n"
      "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"
      "GRUB_CMDLINE_LINUX=\"console=hvc0 rhgb console=tty0 console=xvc0,9600\""
      " # x\n",
      NULL, 0 },
    { "/boot/grub/grub.cfg",
      "\tlinux\t/vmlinuz-6.1 root=UUID=1 console=hvc0 ro  quiet\n"
      "\techo console=hvc0\n",
      NULL, 0 },
    { "/boot/loader/entries/a.conf",
      "title console=hvc0\nlinux /vmlinuz-6.1\noptions console=hvc01 "
      "console=hvc0\n",
      NULL, 0 },
    { "/etc/kernel/cmdline", "root=UUID=1 console=hvc0\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/etc/default/grub",
                          "# console=hvc0\n"
                          "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"
                          "GRUB_CMDLINE_LINUX=\"rhgb console=tty0\" # x\n");
  guest_tree_assert_text (tree, "/boot/grub/grub.cfg",
                          "\tlinux\t/vmlinuz-6.1 root=UUID=1 ro  quiet\n"
                          "\techo console=hvc0\n");
  guest_tree_assert_text (tree, "/boot/loader/entries/a.conf",
                          "title console=hvc0\nlinux /vmlinuz-6.1\n"
                          "options console=hvc01\n");
  guest_tree_assert_text (tree, "/etc/kernel/cmdline", "root=UUID=1\n");
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

/* The value ends where the shell ends it, or it is not ours to change. */
static void
test_constructed_quotes_inside_of_default_grub_stay_whole (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/default/grub",
      "GRUB_CMDLINE_LINUX=\"dyndbg=\\\"file a.c +p\\\" console=hvc0\"\n"
      "GRUB_CMDLINE_LINUX=\"console=hvc0 a\"'b c'\n"
      "GRUB_CMDLINE_LINUX=\"console=hvc0 a; \n"
      "GRUB_CMDLINE_LINUX='a\\' # \"'\"\n"
      "GRUB_CMDLINE_LINUX=\"console=hvc0\"; x=1\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/etc/default/grub",
                          "GRUB_CMDLINE_LINUX=\"dyndbg=\\\"file a.c +p\\\"\"\n"
                          "GRUB_CMDLINE_LINUX=\"console=hvc0 a\"'b c'\n"
                          "GRUB_CMDLINE_LINUX=\"console=hvc0 a; \n"
                          "GRUB_CMDLINE_LINUX='a\\' # \"'\"\n"
                          "GRUB_CMDLINE_LINUX=\"console=hvc0\"; x=1\n");
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

static void
test_constructed_serial_console_and_rootdelay_when_asked_for (void **state)
{
  static const struct v2v_guest_opts opts = { .serial_console = true,
                                              .rootdelay_seconds = 300 };
  static const struct guest_tree_entry files[] = {
    { "/etc/default/grub",
      "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n", NULL,
      0 },
    { "/boot/grub2/grub.cfg", "linux ($root)/vmlinuz-4.18 $kernelopts ro\n",
      NULL, 0 },
    { "/boot/grub2/grubenv",
      "kernelopts=root=UUID=1 ro\n"
      "##########################################"
      "##########################################",
      NULL, 0 },
    { "/boot/grub/menu.lst",
      "# kopt=root=UUID=1 ro\nkernel /vmlinuz-3.0 ro rootdelay=9\n"
      "kernel /xen.gz dom0_mem=1\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, &opts);
  (void) state;

  fix (g);
  guest_tree_assert_text (
      tree, "/etc/default/grub",
      "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"console=tty0 "
      "console=ttyS0,115200n8 rootdelay=300\"\n");
  guest_tree_assert_text (tree, "/boot/grub2/grub.cfg",
                          "linux ($root)/vmlinuz-4.18 $kernelopts ro\n");
  guest_tree_assert_has (tree, "/boot/grub2/grubenv",
                         "kernelopts=root=UUID=1 ro console=tty0 "
                         "console=ttyS0,115200n8 rootdelay=300\n#");
  guest_tree_assert_text (
      tree, "/boot/grub/menu.lst",
      "# kopt=root=UUID=1 ro console=tty0 console=ttyS0,115200n8 "
      "rootdelay=300\n"
      "kernel /vmlinuz-3.0 ro rootdelay=9 console=tty0 "
      "console=ttyS0,115200n8\n"
      "kernel /xen.gz dom0_mem=1\n");
  v2v_guest_close (g);
  assert_stable (tree, &opts);
  test_tmpdir_remove (tree);
}

static void
test_constructed_old_kernels_get_numa_off (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/grub/grub.conf",
      "kernel /vmlinuz-2.6.32-431.el6.x86_64 ro\n"
      "kernel /vmlinuz-2.6.32-504.el6.x86_64 ro\n"
      "kernel /vmlinuz-2.6.18-419.el5 ro numa=off\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  assert_true (linux_wants_numa_off ("2.6.36"));
  assert_false (linux_wants_numa_off ("2.6.37"));
  assert_false (linux_wants_numa_off ("6.1.0"));
  fix (g);
  guest_tree_assert_text (tree, "/boot/grub/grub.conf",
                          "kernel /vmlinuz-2.6.32-431.el6.x86_64 ro numa=off\n"
                          "kernel /vmlinuz-2.6.32-504.el6.x86_64 ro\n"
                          "kernel /vmlinuz-2.6.18-419.el5 ro numa=off\n");
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

/* ---- what mkconfig would say ---- */

/* Whatever shape the value has, the next update-grub says what grub.cfg says
 * now: once, and with what was there before. */
static void
test_constructed_options_survive_the_next_update_grub (void **state)
{
#define ADDED "console=tty0 console=ttyS0,115200n8"
  static const struct v2v_guest_opts opts = { .serial_console = true };
  static const struct {
    const char *before, *after;
  } cases[] = {
    { "GRUB_CMDLINE_LINUX=\n", "GRUB_CMDLINE_LINUX=\"" ADDED "\"\n" },
    { "GRUB_CMDLINE_LINUX=quiet # mine\n",
      "GRUB_CMDLINE_LINUX=\"quiet " ADDED "\" # mine\n" },
    { "GRUB_TIMEOUT=5", "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="
                        "\"$GRUB_CMDLINE_LINUX " ADDED "\"\n" },
    { "GRUB_CMDLINE_LINUX=\"a \\\n b\"\n",
      "GRUB_CMDLINE_LINUX=\"a \\\n b\"\n"
      "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " ADDED "\"\n" },
    { "GRUB_CMDLINE_LINUX=$X\n",
      "GRUB_CMDLINE_LINUX=$X\n"
      "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " ADDED "\"\n" },
    { "GRUB_CMDLINE_LINUX=\"\"\n"
      "GRUB_CMDLINE_LINUX_DEFAULT=\"console=ttyS0,9600\"\n",
      NULL },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    char *tree = guest_tree_make (empty);
    struct v2v_guest *g = open_tree (tree, &opts);

    guest_tree_write (tree, "/etc/default/grub", cases[i].before);
    fix (g);
    guest_tree_assert_text (tree, "/etc/default/grub",
                            cases[i].after ? cases[i].after : cases[i].before);
    v2v_guest_close (g);
    assert_stable (tree, &opts);
    test_tmpdir_remove (tree);
  }
}

/* Ubuntu's cloud images: a file that is read later sets the variable anew. */
static void
test_constructed_ubuntu_grub_d_file_has_the_last_word (void **state)
{
  static const struct v2v_guest_opts opts = { .rootdelay_seconds = 60 };
  static const struct guest_tree_entry files[] = {
    { "/etc/default/grub", "GRUB_TIMEOUT=0\n", NULL, 0 },
    { "/etc/default/grub.d/50-cloudimg-settings.cfg",
      "GRUB_CMDLINE_LINUX='net.ifnames=0'\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, &opts);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/etc/default/grub", "GRUB_TIMEOUT=0\n");
  guest_tree_assert_text (tree, "/etc/default/grub.d/50-cloudimg-settings.cfg",
                          "GRUB_CMDLINE_LINUX='net.ifnames=0 rootdelay=60'\n");
  v2v_guest_close (g);
  assert_stable (tree, &opts);
  test_tmpdir_remove (tree);
}

/* RHEL 8 with UEFI has the environment block on the EFI partition; where it has
 * no kernelopts, grub.cfg gives the entries its own. */
static void
test_constructed_rhel8_kernelopts_are_changed_in_both_places (void **state)
{
  static const struct v2v_guest_opts opts = { .rootdelay_seconds = 60 };
  static const struct guest_tree_entry files[] = {
    { "/boot/efi/EFI/redhat/grubenv",
      "# GRUB Environment Block\nkernelopts=root=/dev/mapper/r ro\n"
      "##########################################",
      NULL, 0 },
    { "/boot/efi/EFI/redhat/grub.cfg",
      "if [ -z \"${kernelopts}\" ]; then\n"
      "  set kernelopts=\"root=/dev/mapper/r ro \"\nfi\n",
      NULL, 0 },
    { "/boot/loader/entries/a.conf",
      "linux /vmlinuz-4.18\noptions $kernelopts $tuned_params\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, &opts);
  (void) state;

  fix (g);
  guest_tree_assert_has (tree, "/boot/efi/EFI/redhat/grubenv",
                         "kernelopts=root=/dev/mapper/r ro rootdelay=60\n#");
  guest_tree_assert_has (tree, "/boot/efi/EFI/redhat/grub.cfg",
                         "  set kernelopts=\"root=/dev/mapper/r ro  "
                         "rootdelay=60\"\n");
  guest_tree_assert_has (tree, "/boot/loader/entries/a.conf",
                         "options $kernelopts $tuned_params\n");
  v2v_guest_close (g);
  assert_stable (tree, &opts);
  test_tmpdir_remove (tree);
}

/* ---- the fallback loader ---- */

static void
test_constructed_debian_shim_becomes_the_fallback (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/efi/EFI/debian/shimx64.efi", "shim", NULL, 0 },
    { "/boot/efi/EFI/debian/grubx64.efi", "grub", NULL, 0 },
    { "/boot/efi/EFI/debian/MMX64.EFI", "mok", NULL, 0 },
    { "/boot/efi/EFI/debian/fbx64.efi", "fb", NULL, 0 },
    { "/boot/efi/EFI/debian/grub.cfg", "configfile $prefix/grub.cfg\n", NULL,
      0 },
    { "/boot/efi/EFI/Microsoft/Boot/grubx64.efi", "no", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/BOOTX64.EFI", "shim");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/grubx64.efi", "grub");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/mmx64.efi", "mok");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/fbx64.efi", "fb");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/grub.cfg",
                          "configfile /EFI/debian/grub.cfg\n");
  guest_tree_assert_text (tree, "/boot/efi/EFI/debian/shimx64.efi", "shim");
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

static void
test_constructed_fallback_that_is_there_in_any_case_stays (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/efi/EFI/ubuntu/shimx64.efi", "shim", NULL, 0 },
    { "/boot/efi/EFI/Boot/bootx64.efi", "mine", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  (void) state;

  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

static void
test_constructed_rhel6_legacy_grub_takes_its_configuration_along (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/efi/EFI/redhat/grub.efi", "legacy", NULL, 0 },
    { "/boot/efi/EFI/redhat/grub.conf", "default=0\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/BOOTX64.EFI", "legacy");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/BOOTX64.CONF",
                          "default=0\n");
  assert_false (guest_tree_exists (tree, "/boot/efi/EFI/BOOT/grub.cfg"));
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

static void
test_constructed_arch_systemd_boot_in_boot_itself (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/EFI/systemd/systemd-bootx64.efi", "sd", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  (void) state;

  fix (g);
  guest_tree_assert_text (tree, "/boot/EFI/BOOT/BOOTX64.EFI", "sd");
  v2v_guest_close (g);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

static void
test_constructed_no_loader_is_critical_and_generation_1_needs_none (
    void **state)
{
  static const struct v2v_guest_opts first = { .generation = 1 };
  static const struct guest_tree_entry files[] = {
    { "/boot/efi/EFI/vendor/tool.efi", "x", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_tree (tree, NULL);
  const struct v2v_finding *f;
  (void) state;

  fix (g);
  f = v2v_findings_find (v2v_guest_findings (g), "guest.boot.no-fallback");
  assert_non_null (f);
  assert_int_equal (f->severity, V2V_CRITICAL);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);

  guest_tree_write (tree, "/boot/efi/EFI/vendor/shimx64.efi", "shim");
  assert_stable (tree, &first);
  /* BIOS: no EFI partition, nothing to do. */
  test_tmpdir_remove (tree);
  tree = guest_tree_make (empty);
  assert_stable (tree, NULL);
  test_tmpdir_remove (tree);
}

/* ---- modprobe.conf ---- */

static void
test_constructed_rhel5_aliases_name_hyperv_drivers (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/vmlinuz-2.6.18-419.el5", "k", NULL, 0 },
    { "/lib/modules/2.6.18-419.el5/modules.dep",
      "/lib/modules/2.6.18-419.el5/kernel/drivers/hv/hv_storvsc.ko:\n", NULL,
      0 },
    { "/lib/modules/2.6.18-419.el5/kernel/drivers/hv/hv_storvsc.ko", "x", NULL,
      0 },
    { "/etc/modprobe.conf",
      "alias eth0 vmxnet3\nalias scsi_hostadapter mptbase\n"
      "alias scsi_hostadapter1 vmw_pvscsi # c\noptions x\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);

  (void) state;
  for (int i = 0; i < 2; ++i) {
    struct v2v_guest *g = open_tree (tree, NULL);
    struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
    struct v2v_error *err = NULL;

    assert_ok (linux_find_kernels (&l, &err), err);
    assert_ok (linux_remap_devices (&l, &err), err);
    linux_kernels_clear (&l);
    if (i == 1)
      guest_tree_assert_unchanged (g);
    v2v_guest_close (g);
  }
  /* No hv_netvsc in this kernel: the interface's line stays. */
  guest_tree_assert_text (tree, "/etc/modprobe.conf",
                          "alias eth0 vmxnet3\n"
                          "alias scsi_hostadapter hv_storvsc\n"
                          "alias scsi_hostadapter1 hv_storvsc # c\n"
                          "options x\n");
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_constructed_consoles_of_xen_and_virtio_are_taken_out),
    cmocka_unit_test (
        test_constructed_quotes_inside_of_default_grub_stay_whole),
    cmocka_unit_test (
        test_constructed_serial_console_and_rootdelay_when_asked_for),
    cmocka_unit_test (test_constructed_old_kernels_get_numa_off),
    cmocka_unit_test (test_constructed_options_survive_the_next_update_grub),
    cmocka_unit_test (test_constructed_ubuntu_grub_d_file_has_the_last_word),
    cmocka_unit_test (
        test_constructed_rhel8_kernelopts_are_changed_in_both_places),
    cmocka_unit_test (test_constructed_debian_shim_becomes_the_fallback),
    cmocka_unit_test (
        test_constructed_fallback_that_is_there_in_any_case_stays),
    cmocka_unit_test (
        test_constructed_rhel6_legacy_grub_takes_its_configuration_along),
    cmocka_unit_test (test_constructed_arch_systemd_boot_in_boot_itself),
    cmocka_unit_test (
        test_constructed_no_loader_is_critical_and_generation_1_needs_none),
    cmocka_unit_test (test_constructed_rhel5_aliases_name_hyperv_drivers),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
