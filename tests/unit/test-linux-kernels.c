/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kernels a guest has, and what they hold.  Every tree is constructed as
 * the distribution lays it out. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/cpio.h"
#include "inject/linux-internal.h"
#include "test-util.h"

static const struct guest_tree_entry nothing[] = { { NULL, NULL, NULL, 0 } };

/* Find the kernels of TREE; the caller clears L and closes its guest. */
static struct linux_guest
find (const char *tree, const char *distro)
{
  struct v2v_error *err = NULL;
  struct linux_guest l = { .g = guest_tree_open (tree, V2V_FAMILY_LINUX, distro,
                                                 -1) };

  l.os = v2v_guest_os (l.g);
  assert_ok (linux_find_kernels (&l, &err), err);
  return l;
}

static void
done (struct linux_guest *l, char *tree)
{
  linux_kernels_clear (l);
  v2v_guest_close (l->g);
  test_tmpdir_remove (tree);
}

static void
assert_kernel (const struct linux_kernel *k, const char *version,
               const char *image, const char *initramfs)
{
  assert_string_equal (k->version, version);
  assert_string_equal (k->image, image);
  if (initramfs == NULL)
    assert_null (k->initramfs);
  else
    assert_string_equal (k->initramfs, initramfs);
}

/* One kernel per family: VERSION, the files, what must be found. */
static const struct {
  const char *distro, *version, *image, *initramfs;
  const char *marker; /* one more file: "pkgbase" of Arch */
} families[] = {
  { "debian", "6.1.0-18-amd64", "/boot/vmlinuz-6.1.0-18-amd64",
    "/boot/initrd.img-6.1.0-18-amd64", NULL },
  { "ubuntu", "5.15.0-91-generic", "/boot/vmlinuz-5.15.0-91-generic",
    "/boot/initrd.img-5.15.0-91-generic", NULL },
  { "rhel", "2.6.32-754.el6.x86_64", "/boot/vmlinuz-2.6.32-754.el6.x86_64",
    "/boot/initramfs-2.6.32-754.el6.x86_64.img", NULL },
  { "centos", "2.6.18-419.el5", "/boot/vmlinuz-2.6.18-419.el5",
    "/boot/initrd-2.6.18-419.el5.img", NULL },
  { "sles", "5.14.21-150500.55.39-default",
    "/boot/vmlinuz-5.14.21-150500.55.39-default",
    "/boot/initrd-5.14.21-150500.55.39-default", NULL },
  { "archlinux", "6.6.8-arch1-1", "/boot/vmlinuz-linux",
    "/boot/initramfs-linux.img", "linux\n" },
  { "alpinelinux", "6.6.7-0-lts", "/boot/vmlinuz-lts", "/boot/initramfs-lts",
    NULL },
  { "photon", "6.1.62-9.ph5", "/boot/vmlinuz-6.1.62-9.ph5",
    "/boot/initrd.img-6.1.62-9.ph5", NULL },
  { "gentoo", "6.6.3-gentoo", "/boot/kernel-6.6.3-gentoo",
    "/boot/initramfs-6.6.3-gentoo.img", NULL },
};

static void
test_constructed_initramfs_of_each_family_is_found (void **state)
{
  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (families); ++i) {
    char *tree = guest_tree_make (nothing);
    char path[256];
    struct linux_guest l;

    guest_tree_write (tree, families[i].image, "kernel");
    guest_tree_write (tree, families[i].initramfs, "initramfs");
    guest_tree_write (tree, "/boot/initramfs-linux-fallback.img", "generic");
    snprintf (path, sizeof path, "/lib/modules/%s/%s", families[i].version,
              families[i].marker ? "pkgbase" : "modules.dep");
    guest_tree_write (tree, path, families[i].marker ? families[i].marker : "");
    l = find (tree, families[i].distro);
    assert_int_equal (l.nr_kernels, 1);
    assert_kernel (&l.kernels[0], families[i].version, families[i].image,
                   families[i].initramfs);
    assert_true (l.kernels[0].offered);
    done (&l, tree);
  }
}

static void
test_constructed_rhel9_bls_entries_say_what_is_offered (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/lib/modules/5.14.0-70.el9.x86_64/modules.dep", "", NULL, 0 },
    { "/lib/modules/5.14.0-362.el9.x86_64/modules.dep", "", NULL, 0 },
    { "/lib/modules/5.14.0-9.el9.x86_64/vdso/", NULL, NULL, 0 },
    { "/boot/vmlinuz-5.14.0-70.el9.x86_64", "k", NULL, 0 },
    { "/boot/vmlinuz-5.14.0-362.el9.x86_64", "k", NULL, 0 },
    { "/boot/vmlinuz-0-rescue-0123456789abcdef0123456789abcdef", "k", NULL, 0 },
    { "/boot/initramfs-5.14.0-70.el9.x86_64.img", "i", NULL, 0 },
    { "/boot/initramfs-5.14.0-70.el9.x86_64kdump.img", "i", NULL, 0 },
    { "/boot/initramfs-5.14.0-362.el9.x86_64.img", "i", NULL, 0 },
    { "/boot/loader/entries/a-5.14.0-362.el9.x86_64.conf",
      "title RHEL\nversion 5.14.0-362.el9.x86_64\n"
      "linux /vmlinuz-5.14.0-362.el9.x86_64\n"
      "initrd /initramfs-5.14.0-362.el9.x86_64.img $tuned_initrd\n"
      "options root=/dev/mapper/rhel-root\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct linux_guest l;
  (void) state;

  l = find (tree, "rhel");
  assert_int_equal (l.nr_kernels, 2);
  /* By value: 70 comes before 362. */
  assert_kernel (&l.kernels[0], "5.14.0-70.el9.x86_64",
                 "/boot/vmlinuz-5.14.0-70.el9.x86_64",
                 "/boot/initramfs-5.14.0-70.el9.x86_64.img");
  assert_false (l.kernels[0].offered);
  assert_kernel (&l.kernels[1], "5.14.0-362.el9.x86_64",
                 "/boot/vmlinuz-5.14.0-362.el9.x86_64",
                 "/boot/initramfs-5.14.0-362.el9.x86_64.img");
  assert_true (l.kernels[1].offered);
  done (&l, tree);
}

static void
test_constructed_grub_entry_names_an_unusual_initramfs (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/lib/modules/6.9.1/modules.dep", "", NULL, 0 },
    { "/boot/vmlinuz-6.9.1", "k", NULL, 0 },
    { "/boot/ramdisk-of-mine", "i", NULL, 0 },
    { "/boot/intel-ucode.img", "i", NULL, 0 },
    { "/boot/grub/grub.cfg",
      "menuentry 'x' {\n\tlinux\t/@/boot/vmlinuz-6.9.1 root=UUID=1\n"
      "\tinitrd\t/intel-ucode.img ($root)/ramdisk-of-mine\n}\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct linux_guest l;
  (void) state;

  l = find (tree, "unknown");
  assert_int_equal (l.nr_kernels, 1);
  assert_kernel (&l.kernels[0], "6.9.1", "/boot/vmlinuz-6.9.1",
                 "/boot/ramdisk-of-mine");
  done (&l, tree);
}

/* The first word is the image; hostile lines are not looked up to their end. */
static void
test_constructed_boot_entries_are_read_for_a_few_words_only (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/lib/modules/1.0/modules.dep", "", NULL, 0 },
    { "/lib/modules/2.0/modules.dep", "", NULL, 0 },
    { "/boot/vmlinuz-1.0", "k", NULL, 0 },
    { "/boot/vmlinuz-2.0", "k", NULL, 0 },
    { "/boot/disk-1", "i", NULL, 0 },
    { "/boot/disk-2", "i", NULL, 0 },
    { "/boot/grub/menu.lst",
      "kernel --no-mem-option /vmlinuz-1.0 ro\n"
      "initrd a b c d e f g /disk-1\n"
      "kernel /gone /vmlinuz-2.0\n"
      "initrd /disk-2\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct linux_guest l;
  (void) state;

  l = find (tree, "unknown");
  assert_int_equal (l.nr_kernels, 2);
  assert_kernel (&l.kernels[0], "1.0", "/boot/vmlinuz-1.0", "/boot/disk-1");
  assert_true (l.kernels[0].offered);
  assert_kernel (&l.kernels[1], "2.0", "/boot/vmlinuz-2.0", NULL);
  assert_false (l.kernels[1].offered);
  linux_kernels_clear (&l);
  v2v_guest_close (l.g);
  guest_tree_write (tree, "/boot/grub/menu.lst",
                    "kernel /vmlinuz-1.0\ninitrd a b c d e f g h /disk-1\n");
  l = find (tree, "unknown");
  assert_kernel (&l.kernels[0], "1.0", "/boot/vmlinuz-1.0", NULL);
  done (&l, tree);
}

/* kernel-install copies to the EFI partition, and what is in /boot is not what
 * is started. */
static void
test_constructed_debian_systemd_boot_starts_the_copies (void **state)
{
#define ESP "/boot/efi/debian/6.1.0-18-amd64/"
  static const struct guest_tree_entry files[] = {
    { "/lib/modules/6.1.0-18-amd64/modules.dep", "", NULL, 0 },
    { "/lib/modules/6.1.0-1-amd64/modules.dep", "", NULL, 0 },
    { "/boot/vmlinuz-6.1.0-18-amd64", "k", NULL, 0 },
    { "/boot/initrd.img-6.1.0-18-amd64", "i", NULL, 0 },
    { "/boot/vmlinuz-6.1.0-1-amd64", "k", NULL, 0 },
    { ESP "linux", "k", NULL, 0 },
    { ESP "initrd.img-6.1.0-18-amd64", "i", NULL, 0 },
    { "/boot/efi/loader/entries/debian-6.1.0-18-amd64.conf",
      "title Debian\n"
      "linux /debian/6.1.0-18-amd64/linux\n"
      "initrd /debian/6.1.0-18-amd64/initrd.img-6.1.0-18-amd64\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct linux_guest l = find (tree, "debian");
  (void) state;

  assert_int_equal (l.nr_kernels, 2);
  assert_kernel (&l.kernels[0], "6.1.0-1-amd64", "/boot/vmlinuz-6.1.0-1-amd64",
                 NULL);
  assert_false (l.kernels[0].offered);
  assert_kernel (&l.kernels[1], "6.1.0-18-amd64", ESP "linux",
                 ESP "initrd.img-6.1.0-18-amd64");
  assert_true (l.kernels[1].offered);
  linux_kernels_clear (&l);
  v2v_guest_close (l.g);
  /* Files under names of their own: the entry says the version. */
  guest_tree_write (tree, "/boot/efi/k.efi", "k");
  guest_tree_write (tree, "/boot/efi/i.img", "i");
  guest_tree_write (tree, "/boot/efi/loader/entries/debian-6.1.0-18-amd64.conf",
                    "linux /k.efi\ninitrd /i.img\nversion 6.1.0-18-amd64\n");
  l = find (tree, "debian");
  assert_kernel (&l.kernels[1], "6.1.0-18-amd64", "/boot/efi/k.efi",
                 "/boot/efi/i.img");
  done (&l, tree);
}

/* SLES and Debian's own entries name links. */
static void
test_constructed_links_in_entries_lead_to_the_files (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/lib/modules/5.3.18-default/modules.dep", "", NULL, 0 },
    { "/lib/modules/5.3.17-default/modules.dep", "", NULL, 0 },
    { "/boot/vmlinuz-5.3.18-default", "k", NULL, 0 },
    { "/boot/vmlinuz-5.3.17-default", "k", NULL, 0 },
    { "/boot/initrd-5.3.18-default", "i", NULL, 0 },
    { "/boot/initrd-5.3.17-default", "i", NULL, 0 },
    { "/boot/vmlinuz", NULL, "vmlinuz-5.3.18-default", 0 },
    { "/boot/initrd", NULL, "/boot/initrd-5.3.18-default", 0 },
    { "/boot/loop", NULL, "loop", 0 },
    { "/boot/grub/menu.lst",
      "kernel /boot/vmlinuz root=/dev/sda2\ninitrd /boot/initrd\n"
      "kernel /boot/loop\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct linux_guest l = find (tree, "sles");
  (void) state;

  assert_int_equal (l.nr_kernels, 2);
  assert_false (l.kernels[0].offered);
  assert_kernel (&l.kernels[1], "5.3.18-default",
                 "/boot/vmlinuz-5.3.18-default", "/boot/initrd-5.3.18-default");
  assert_true (l.kernels[1].offered);
  done (&l, tree);
}

static void
test_constructed_unified_kernel_image_is_found (void **state)
{
  char *tree = guest_tree_make (nothing);
  struct linux_guest l;
  (void) state;

  guest_tree_write (tree, "/usr/lib/modules/6.8.5-301.fc40.x86_64/modules.dep",
                    "");
  guest_tree_write (tree, "/boot/efi/EFI/Linux/0123-6.8.5-301.fc40.x86_64.efi",
                    "MZ");
  l = find (tree, "fedora");
  assert_int_equal (l.nr_kernels, 1);
  assert_true (l.kernels[0].is_uki);
  assert_true (l.kernels[0].offered);
  done (&l, tree);
}

static void
test_constructed_unified_image_is_of_exactly_one_version (void **state)
{
  char *tree = guest_tree_make (nothing);
  struct linux_guest l;
  (void) state;

  guest_tree_write (tree, "/usr/lib/modules/6.1.0-1/modules.dep", "");
  guest_tree_write (tree, "/usr/lib/modules/6.1.0-10/modules.dep", "");
  guest_tree_write (tree, "/efi/EFI/Linux/debian-6.1.0-10+3-1.efi", "MZ");
  l = find (tree, "debian");
  assert_int_equal (l.nr_kernels, 1);
  assert_string_equal (l.kernels[0].version, "6.1.0-10");
  done (&l, tree);
}

/* Arch with default_uki: its name says no version, its modules do. */
static void
test_constructed_unified_image_without_drivers_is_critical (void **state)
{
#define V    "6.6.8-arch1-1"
#define HV   "kernel/drivers/hv/hv_vmbus.ko"
#define STOR "kernel/drivers/scsi/hv_storvsc.ko"
  static const char *const names[] = { "usr/lib/modules/" V "/" HV,
                                       "usr/lib/modules/" V "/" STOR };
  (void) state;

  for (size_t n = 1; n <= 2; ++n) {
    char *tree = guest_tree_make (nothing);
    struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
    struct v2v_error *err = NULL;
    struct linux_guest l;
    uint8_t pe[8192] = "MZ";
    char host[512];

    /* The initramfs has all, the unified image the first N. */
    for (size_t i = 0; i < 2; ++i) {
      assert_ok (
          v2v_cpio_add (&w, names[i], S_IFREG | 0644, "\177ELF", 4, &err), err);
      if (i + 1 == n) {
        struct v2v_cpio_writer copy = V2V_CPIO_WRITER_INIT;

        for (size_t k = 0; k < n; ++k)
          assert_ok (v2v_cpio_add (&copy, names[k], S_IFREG | 0644, "\177ELF",
                                   4, &err),
                     err);
        assert_ok (v2v_cpio_end (&copy, &err), err);
        assert_true (copy.out.len <= sizeof pe - 512);
        v2v_put_le32 (pe + 60, 64);
        memcpy (pe + 64, "PE", 2);
        v2v_put_le16 (pe + 64 + 6, 1);
        memcpy (pe + 88, ".initrd", 8);
        v2v_put_le32 (pe + 88 + 8, (uint32_t) copy.out.len);
        v2v_put_le32 (pe + 88 + 16, (uint32_t) copy.out.len);
        v2v_put_le32 (pe + 88 + 20, 512);
        memcpy (pe + 512, copy.out.ptr, copy.out.len);
        v2v_cpio_writer_free (&copy);
      }
    }
    assert_ok (v2v_cpio_end (&w, &err), err);
    guest_tree_write (tree, "/usr/lib/modules/" V "/modules.dep",
                      HV ":\n" STOR ": " HV "\n");
    guest_tree_write (tree, "/usr/lib/modules/" V "/pkgbase", "linux\n");
    guest_tree_write (tree, "/usr/lib/modules/" V "/" HV, "\177ELF");
    guest_tree_write (tree, "/usr/lib/modules/" V "/" STOR, "\177ELF");
    guest_tree_write (tree, "/boot/vmlinuz-linux", "k");
    guest_tree_write (tree, "/boot/initramfs-linux.img", "");
    snprintf (host, sizeof host, "%s/boot/initramfs-linux.img", tree);
    test_write_file (host, w.out.ptr, w.out.len);
    v2v_cpio_writer_free (&w);
    guest_tree_write (tree, "/efi/EFI/Linux/arch-linux.efi", "");
    snprintf (host, sizeof host, "%s/efi/EFI/Linux/arch-linux.efi", tree);
    test_write_file (host, pe, sizeof pe);
    l = find (tree, "archlinux");
    assert_ok (linux_fix_initramfs (&l, &err), err);
    assert_int_equal (v2v_findings_find (v2v_guest_findings (l.g),
                                         "guest.initramfs.unified-lacks") !=
                          NULL,
                      n == 1);
    guest_tree_assert_unchanged (l.g);
    done (&l, tree);
  }
#undef V
#undef HV
#undef STOR
}

static void
test_constructed_kernel_without_modules_has_them_by_config (void **state)
{
  char *tree = guest_tree_make (nothing);
  struct v2v_error *err = NULL;
  struct linux_guest l;
  (void) state;

  guest_tree_write (tree, "/boot/vmlinuz-6.6.0-mine", "k");
  guest_tree_write (tree, "/boot/config-6.6.0-mine",
                    "# CONFIG_HYPERV_NET is not set\nCONFIG_HYPERV=y\n"
                    "CONFIG_HYPERV_STORAGE=y\nCONFIG_HYPERV_UTILS=m\n");
  l = find (tree, "unknown");
  assert_int_equal (l.nr_kernels, 1);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv_vmbus", NULL, &err),
      LINUX_MODULE_BUILTIN);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv_storvsc", NULL, &err),
      LINUX_MODULE_BUILTIN);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv_netvsc", NULL, &err),
      LINUX_MODULE_MISSING);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv_utils", NULL, &err),
      LINUX_MODULE_MISSING);
  done (&l, tree);
}

static void
test_constructed_modules_with_dashes_suffixes_and_no_list (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/vmlinuz-6.1-a", "k", NULL, 0 },
    { "/lib/modules/6.1-a/modules.builtin", "kernel/drivers/hv/hv_vmbus.ko\n",
      NULL, 0 },
    { "/lib/modules/6.1-a/modules.dep",
      "kernel/drivers/input/serio/hyperv-keyboard.ko.zst: \n"
      "kernel/drivers/gone/hv_netvsc.ko: kernel/drivers/hv/hv_vmbus.ko\n",
      NULL, 0 },
    { "/lib/modules/6.1-a/kernel/drivers/input/serio/hyperv-keyboard.ko.zst",
      "x", NULL, 0 },
    { "/boot/vmlinuz-6.2-b", "k", NULL, 0 },
    { "/lib/modules/6.2-b/kernel/drivers/scsi/hv_storvsc.ko.xz", "x", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_error *err = NULL;
  struct linux_guest l;
  char *path = NULL;
  (void) state;

  l = find (tree, "debian");
  assert_int_equal (l.nr_kernels, 2);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv-vmbus", &path, &err),
      LINUX_MODULE_BUILTIN);
  assert_null (path);
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hyperv_keyboard", &path, &err),
      LINUX_MODULE_FILE);
  assert_string_equal (path,
                       "kernel/drivers/input/serio/hyperv-keyboard.ko.zst");
  free (path);
  /* The list names it, but it is not there. */
  assert_int_equal (
      linux_module_find (&l, &l.kernels[0], "hv_netvsc", &path, &err),
      LINUX_MODULE_MISSING);
  /* No list at all: looked for where it belongs. */
  assert_int_equal (
      linux_module_find (&l, &l.kernels[1], "hv_storvsc", &path, &err),
      LINUX_MODULE_FILE);
  assert_string_equal (path, "kernel/drivers/scsi/hv_storvsc.ko.xz");
  free (path);
  done (&l, tree);
}

static void
test_constructed_more_than_64_kernels_are_refused (void **state)
{
  char *tree = guest_tree_make (nothing);
  struct v2v_error *err = NULL;
  struct linux_guest l = { 0 };
  (void) state;

  for (int i = 0; i < 65; ++i) {
    char path[64];

    snprintf (path, sizeof path, "/boot/vmlinuz-1.%d", i);
    guest_tree_write (tree, path, "k");
    if (i != 63)
      continue;
    l = find (tree, "debian"); /* 64 are fine */
    assert_int_equal (l.nr_kernels, 64);
  }
  assert_int_equal (linux_find_kernels (&l, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "more than 64 kernels");
  done (&l, tree);
}

static void
test_versions_compare_by_value (void **state)
{
  (void) state;
  assert_true (linux_compare_versions ("5.14.0-70.el9", "5.14.0-362.el9") < 0);
  assert_true (linux_compare_versions ("6.1.0-9", "6.1.0-18") < 0);
  assert_int_equal (linux_compare_versions ("6.01", "6.1"), 0);
  assert_true (linux_compare_versions ("6.1-a", "6.1") > 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_initramfs_of_each_family_is_found),
    cmocka_unit_test (test_constructed_rhel9_bls_entries_say_what_is_offered),
    cmocka_unit_test (test_constructed_grub_entry_names_an_unusual_initramfs),
    cmocka_unit_test (
        test_constructed_boot_entries_are_read_for_a_few_words_only),
    cmocka_unit_test (test_constructed_debian_systemd_boot_starts_the_copies),
    cmocka_unit_test (test_constructed_links_in_entries_lead_to_the_files),
    cmocka_unit_test (test_constructed_unified_kernel_image_is_found),
    cmocka_unit_test (test_constructed_unified_image_is_of_exactly_one_version),
    cmocka_unit_test (
        test_constructed_unified_image_without_drivers_is_critical),
    cmocka_unit_test (
        test_constructed_kernel_without_modules_has_them_by_config),
    cmocka_unit_test (
        test_constructed_modules_with_dashes_suffixes_and_no_list),
    cmocka_unit_test (test_constructed_more_than_64_kernels_are_refused),
    cmocka_unit_test (test_versions_compare_by_value),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
