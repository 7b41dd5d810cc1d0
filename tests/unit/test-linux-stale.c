/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies in an initramfs of files that were changed: made anew by the guest's
 * tool, or changed and appended, or said.  The guests are constructed. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "linux-tree.h"
#include "test-util.h"

#define IMAGE "/boot/initrd.img-" V

static struct v2v_guest *
open_tree (const char *tree)
{
  static const char *const disks[][3] = { { "/dev/sda2", "crypto_LUKS", "11" },
                                          { "/dev/sda5", "swap", "55" } };
  struct v2v_guest *g = linux_tree_open (tree);

  for (size_t i = 0; i < 2; ++i) {
    struct v2v_filesystem *fs = v2v_os_add_filesystem (v2v_guest_os (g));

    assert_non_null (fs);
    fs->device = strdup (disks[i][0]);
    fs->type = strdup (disks[i][1]);
    fs->uuid = strdup (disks[i][2]);
  }
  return g;
}

/* Devices, then kernels, as a conversion does it. */
static int
convert (struct v2v_guest *g, struct v2v_error **err)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  int r;

  assert_ok (linux_find_kernels (&l, err), *err);
  assert_ok (linux_remap_devices (&l, err), *err);
  assert_ok (linux_fix_settings (&l, err), *err);
  r = linux_fix_initramfs (&l, err);
  linux_kernels_clear (&l);
  return r;
}

static void
assert_stable (const char *tree)
{
  struct v2v_guest *g = open_tree (tree);
  struct v2v_error *err = NULL;

  assert_ok (convert (g, &err), err);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
}

/* What is in the guest, in its image, and in the image afterwards. */
static const struct {
  const char *path, *text;
  const char *copy, *before, *after;
} files[] = {
  { "/etc/crypttab", "r /dev/nvme0n1p2 none luks\n", "etc/crypttab",
    "r /dev/nvme0n1p2 none luks\n", "r UUID=11 none luks\n" },
  { "/etc/crypttab.initramfs", "r /dev/sda2 none luks\n", "etc/crypttab",
    "r /dev/sda2 none luks\n", "r UUID=11 none luks\n" },
  /* The hook's own list has other entries and options: they stay. */
  { "/etc/crypttab", "r /dev/sda2 none luks\n", "cryptroot/crypttab",
    "r /dev/sda2 none luks,discard\n", "r UUID=11 none luks,discard\n" },
  { "/etc/initramfs-tools/conf.d/resume", "RESUME=/dev/sda5\n",
    "conf/conf.d/resume", "RESUME=/dev/sda5\n", "RESUME=UUID=55\n" },
  { "/etc/mdadm/mdadm.conf", "DEVICE /dev/sd*\n", "etc/mdadm/mdadm.conf",
    "DEVICE /dev/sd*\n", "DEVICE partitions\n" },
  { "/etc/lvm/lvm.conf",
    "devices {\n filter = [ \"a|/dev/sda|\",\n"
    "   \"r|.*|\" ] # mine\n}\n",
    "etc/lvm/lvm.conf", "filter=[\"a|/dev/sda|\", \"r|.*|\"]\n",
    "filter=[ \"a|.*|\" ]\n" },
  { "/etc/modprobe.d/no.conf", "blacklist hv_storvsc\n",
    "etc/modprobe.d/no.conf", "blacklist hv_storvsc\n",
    "# v2v: blacklist hv_storvsc\n" },
  { "/etc/default/grub", "x\n", "etc/cmdline.d/95root.conf",
    " resume=/dev/sda5 ro\n", " resume=UUID=55 ro\n" },
  { "/etc/lvm/devices/system.devices", "IDTYPE=sys_wwid IDNAME=naa.6000c29\n",
    "etc/lvm/devices/system.devices", "IDTYPE=sys_wwid\n", NULL },
};

static void
test_constructed_copies_are_appended_where_no_tool_runs (void **state)
{
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    char copy[256];
    const char *const extra[] = { "scripts/functions", "conf/modules", copy,
                                  NULL };
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;
    struct v2v_guest *g;
    char *tree;

    snprintf (copy, sizeof copy, "%s=%s", files[i].copy, files[i].before);
    tree = linux_tree_make (IMAGE, extra, all_there);
    guest_tree_write (tree, files[i].path, files[i].text);
    g = open_tree (tree);
    assert_ok (convert (g, &err), err);
    im = linux_tree_read_image (tree, IMAGE);
    if (files[i].after != NULL)
      linux_tree_assert_image_has (&im, files[i].copy, files[i].after);
    else
      assert_non_null (
          strstr (v2v_initramfs_find (&im, "etc/lvm/lvmlocal.conf")->data,
                  "use_devicesfile=0"));
    linux_tree_assert_finding (g, "guest.initramfs.copies-appended");
    assert_null (
        v2v_findings_find (v2v_guest_findings (g), "guest.initramfs.stale"));
    v2v_guest_close (g);
    assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* By the guest's tool first; where it fails, appended. */
static void
test_constructed_tool_makes_copies_anew_or_they_are_appended (void **state)
{
  static const char *const before[] = { "scripts/functions",
                                        "conf/conf.d/resume=RESUME=/dev/sda5\n",
                                        NULL };
  static const char *const after[] = { "scripts/functions",
                                       "conf/conf.d/resume=RESUME=UUID=55\n",
                                       NULL };
  (void) state;

  for (int status = 0; status < 2; ++status) {
    char *tree = linux_tree_make (IMAGE, before, all_there);
    struct v2v_guest *g = open_tree (tree);
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;

    guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
    guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
    guest_tree_write (tree, "/etc/initramfs-tools/conf.d/resume",
                      "RESUME=/dev/sda5\n");
    linux_tree_let_run (g, tree, IMAGE, after, all_there, status);
    assert_ok (convert (g, &err), err);
    assert_int_equal (linux_tree_tool.calls, 1);
    im = linux_tree_read_image (tree, IMAGE);
    linux_tree_assert_image_has (&im, "conf/conf.d/resume", "RESUME=UUID=55\n");
    if (status == 0)
      assert_int_equal (v2v_guest_findings (g)->len, 0);
    else
      linux_tree_assert_finding (g, "guest.initramfs.copies-appended");
    v2v_guest_close (g);
    assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* An image that nobody can read may hold anything: critical where the root is
 * found by it. */
static void
test_constructed_unreadable_image_is_critical_if_the_root_needs_it (
    void **state)
{
  static const struct {
    const char *path, *text;
    bool offered;
    enum v2v_severity severity;
  } cases[] = {
    { "/etc/crypttab", "r /dev/sda2 none luks\n", true, V2V_CRITICAL },
    { "/etc/crypttab", "r /dev/sda2 none luks\n", true, V2V_CRITICAL },
    { "/etc/initramfs-tools/conf.d/resume", "RESUME=/dev/sda5\n", true,
      V2V_WARNING },
    { "/etc/crypttab", "r /dev/sda2 none luks\n", false, V2V_WARNING },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    char *tree = linux_tree_make (IMAGE, debian_like, nothing);
    struct v2v_guest *g = open_tree (tree);
    const struct v2v_finding *f;
    struct v2v_error *err = NULL;

    /* Or one that somebody made whom we do not know. */
    if (i > 0)
      guest_tree_write (tree, IMAGE, "\x04\x22\x4d\x18 LZ4 frame");
    else
      linux_tree_put_image (tree, IMAGE, unlike, nothing);
    guest_tree_write (tree, MODULES "modules.dep", "");
    guest_tree_write (tree, MODULES "modules.builtin",
                      VMBUS "\n" STORVSC "\n" NETVSC "\n");
    guest_tree_write (tree, cases[i].path, cases[i].text);
    if (!cases[i].offered) {
      /* The boot loader offers another kernel only. */
      guest_tree_write (tree, "/boot/vmlinuz-7.0", "k");
      guest_tree_write (tree, "/lib/modules/7.0/modules.builtin",
                        VMBUS "\n" STORVSC "\n" NETVSC "\n");
      guest_tree_write (tree, "/boot/grub/grub.cfg", "linux /vmlinuz-7.0 ro\n");
    }
    assert_ok (convert (g, &err), err);
    f = v2v_findings_find (v2v_guest_findings (g), "guest.initramfs.stale");
    assert_non_null (f);
    assert_int_equal (f->severity, cases[i].severity);
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

/* dracut writes down what its host's root was, whoever changed the files. */
static void
test_constructed_old_names_in_an_image_count_without_a_changed_file (
    void **state)
{
  static const char *const extra[] = {
    "usr/lib/dracut/", "etc/cmdline.d/95resume.conf= resume=/dev/nvme0n1p5 \n",
    NULL
  };
  char *tree = linux_tree_make (IMAGE, extra, all_there);
  struct v2v_guest *g = open_tree (tree);
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  assert_ok (convert (g, &err), err);
  im = linux_tree_read_image (tree, IMAGE);
  linux_tree_assert_image_has (&im, "etc/cmdline.d/95resume.conf",
                               " resume=UUID=55 \n");
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

/* Pop!_OS starts copies on the EFI partition under names of their own; where the
 * usual entries are there as well, it is not the only way to start. */
static void
test_constructed_copy_of_a_boot_entry_without_drivers_is_told (void **state)
{
  static const char *const made[][3] = {
    /* usual entry, modules of the copy, severity */
    { NULL, NULL, "critical" },
    { "linux /vmlinuz-" V "\ninitrd /initrd.img-" V "\n", NULL, "warning" },
    { NULL, "all", NULL },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (made); ++i) {
    char *tree = linux_tree_make (IMAGE, debian_like, all_there);
    struct v2v_guest *g = open_tree (tree);
    const struct v2v_finding *f;
    struct v2v_error *err = NULL;

    linux_tree_put_image (tree, "/boot/efi/EFI/Pop_OS-1/initrd.img",
                          debian_like, made[i][1] ? all_there : no_storvsc);
    guest_tree_write (tree, "/boot/efi/EFI/Pop_OS-1/vmlinuz.efi", "k");
    guest_tree_write (tree, "/boot/efi/loader/entries/Pop_OS-current.conf",
                      "linux /EFI/Pop_OS-1/vmlinuz.efi\n"
                      "initrd /EFI/Pop_OS-1/initrd.img\n");
    if (made[i][0] != NULL)
      guest_tree_write (tree, "/boot/grub/grub.cfg", made[i][0]);
    assert_ok (convert (g, &err), err);
    f = v2v_findings_find (v2v_guest_findings (g),
                           "guest.initramfs.copy-lacks");
    assert_int_equal (f != NULL, made[i][2] != NULL);
    if (f != NULL)
      assert_string_equal (v2v_severity_name (f->severity), made[i][2]);
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

/* Debian with systemd-boot: the tool writes to /boot, the copy is started. */
static void
test_constructed_what_the_tool_makes_goes_to_the_copy_that_starts (void **state)
{
#define COPY "/boot/efi/debian/" V "/initrd.img-" V
  char *tree = linux_tree_make (IMAGE, debian_like, nothing);
  struct v2v_guest *g = open_tree (tree);
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  linux_tree_put_image (tree, COPY, debian_like, nothing);
  guest_tree_write (tree, "/boot/efi/debian/" V "/linux", "k");
  guest_tree_write (tree, "/boot/efi/loader/entries/debian-" V ".conf",
                    "version " V "\nlinux /debian/" V "/linux\n"
                    "initrd /debian/" V "/initrd.img-" V "\n");
  guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
  guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
  linux_tree_let_run (g, tree, IMAGE, debian_like, all_there, 0);
  assert_ok (convert (g, &err), err);
  /* The usual file is still there: -u. */
  assert_string_equal (linux_tree_tool.command,
                       "/usr/sbin/update-initramfs|-u|-k|" V);
  im = linux_tree_read_image (tree, COPY);
  assert_non_null (v2v_initramfs_find_module (&im, V, "hv_storvsc"));
  assert_true (guest_tree_exists (tree, COPY ".pre-v2v"));
  assert_int_equal (v2v_guest_findings (g)->len, 0);
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_copies_are_appended_where_no_tool_runs),
    cmocka_unit_test (
        test_constructed_tool_makes_copies_anew_or_they_are_appended),
    cmocka_unit_test (
        test_constructed_unreadable_image_is_critical_if_the_root_needs_it),
    cmocka_unit_test (
        test_constructed_old_names_in_an_image_count_without_a_changed_file),
    cmocka_unit_test (
        test_constructed_copy_of_a_boot_entry_without_drivers_is_told),
    cmocka_unit_test (
        test_constructed_what_the_tool_makes_goes_to_the_copy_that_starts),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
