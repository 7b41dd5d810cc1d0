/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole conversions of constructed guests, all steps in their order, and each
 * a second time: then nothing may change. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/cpio.h"
#include "inject/initramfs.h"
#include "inject/linux.h"
#include "test-util.h"

#define R "11111111-2222-3333-4444-555555555555"
#define V "5.14.0-362.el9.x86_64"
#define M "usr/lib/modules/" V "/kernel/drivers/"

/* An initramfs at PATH of TREE with NAMES, modules and others. */
static void
put_image (const char *tree, const char *path, const char *const names[])
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_error *err = NULL;
  char host[512];

  for (size_t i = 0; names[i] != NULL; ++i)
    assert_ok (v2v_cpio_add (&w, names[i],
                             strchr (names[i], '.') || strchr (names[i], '-')
                                 ? S_IFREG | 0644
                                 : S_IFDIR | 0755,
                             "\177ELF", strchr (names[i], '.') ? 4 : 0, &err),
               err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  guest_tree_write (tree, path, "");
  snprintf (host, sizeof host, "%s%s", tree, path);
  test_write_file (host, w.out.ptr, w.out.len);
  v2v_cpio_writer_free (&w);
}

static void
add_root (struct v2v_guest *g, const char *device, const char *uuid)
{
  struct v2v_filesystem *fs = v2v_os_add_filesystem (v2v_guest_os (g));
  struct v2v_os_mount *m = v2v_os_add_mount (v2v_guest_os (g));

  guest_tree_set (&fs->device, device);
  guest_tree_set (&fs->type, "ext4");
  guest_tree_set (&fs->uuid, uuid);
  guest_tree_set (&m->path, "/");
  guest_tree_set (&m->device, device);
}

/* Convert TREE; with UNCHANGED the journal must stay empty. */
static void
convert (const char *tree, const char *distro, int major, bool unchanged)
{
  struct v2v_guest *g = guest_tree_open (tree, V2V_FAMILY_LINUX, distro, major);
  struct v2v_error *err = NULL;

  guest_tree_set (&v2v_guest_os (g)->arch, "x86_64");
  add_root (g, "/dev/sda2", R);
  assert_ok (v2v_linux_convert (g, &err), err);
  if (unchanged)
    guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
}

static void
test_constructed_debian12_is_converted_once (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/fstab", "/dev/sda2 / ext4 errors=remount-ro 0 1\n", NULL, 0 },
    { "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"console=hvc0\"\n", NULL, 0 },
    { "/boot/grub/grub.cfg",
      "\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=/dev/sda2 ro console=hvc0\n"
      "\tinitrd\t/boot/initrd.img-6.1.0-18-amd64\n",
      NULL, 0 },
    { "/boot/vmlinuz-6.1.0-18-amd64", "k", NULL, 0 },
    { "/lib/modules/6.1.0-18-amd64/modules.dep",
      "kernel/drivers/hv/hv_vmbus.ko:\nkernel/drivers/scsi/hv_storvsc.ko: "
      "kernel/drivers/hv/hv_vmbus.ko\n",
      NULL, 0 },
    { "/lib/modules/6.1.0-18-amd64/kernel/drivers/hv/hv_vmbus.ko", "x", NULL,
      0 },
    { "/lib/modules/6.1.0-18-amd64/kernel/drivers/scsi/hv_storvsc.ko", "x",
      NULL, 0 },
    { "/boot/efi/EFI/debian/shimx64.efi", "shim", NULL, 0 },
    { "/boot/efi/EFI/debian/grubx64.efi", "grub", NULL, 0 },
    { "/etc/network/interfaces", "auto lo\niface lo inet loopback\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  static const char *const image[] = {
    "usr/lib/modules/6.1.0-18-amd64/kernel/drivers/hv/hv_vmbus.ko",
    "usr/lib/modules/6.1.0-18-amd64/kernel/drivers/scsi/hv_storvsc.ko",
    NULL,
  };
  char *tree = guest_tree_make (files);
  (void) state;

  put_image (tree, "/boot/initrd.img-6.1.0-18-amd64", image);
  convert (tree, "debian", 12, false);
  guest_tree_assert_text (tree, "/etc/fstab",
                          "UUID=" R " / ext4 errors=remount-ro 0 1\n");
  guest_tree_assert_text (tree, "/boot/grub/grub.cfg",
                          "\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=" R
                          " ro\n"
                          "\tinitrd\t/boot/initrd.img-6.1.0-18-amd64\n");
  guest_tree_assert_text (tree, "/etc/default/grub",
                          "GRUB_CMDLINE_LINUX=\"\"\n");
  guest_tree_assert_text (tree, "/boot/efi/EFI/BOOT/BOOTX64.EFI", "shim");
  /* It had all: it was not touched. */
  assert_false (guest_tree_exists (tree, "/boot/initrd.img-6.1.0-18-amd64"
                                         ".pre-v2v"));
  convert (tree, "debian", 12, true);
  test_tmpdir_remove (tree);
}

static void
test_constructed_rhel9_host_only_is_converted_once (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/lib", NULL, "usr/lib", 0 },
    { "/etc/fstab", "/dev/nvme0n1p2 / ext4 defaults 0 0\n", NULL, 0 },
    { "/etc/lvm/devices/system.devices", "IDTYPE=sys_wwid\n", NULL, 0600 },
    { "/boot/loader/entries/x-" V ".conf",
      "title RHEL\nlinux /vmlinuz-" V "\ninitrd /initramfs-" V
      ".img\noptions root=/dev/nvme0n1p2 ro crashkernel=1G\n",
      NULL, 0 },
    { "/boot/vmlinuz-" V, "k", NULL, 0 },
    { "/usr/lib/modules/" V "/modules.dep",
      "kernel/drivers/hv/hv_vmbus.ko:\nkernel/drivers/scsi/hv_storvsc.ko: "
      "kernel/drivers/hv/hv_vmbus.ko\nkernel/drivers/nvme/nvme.ko:\n",
      NULL, 0 },
    { "/" M "hv/hv_vmbus.ko", "\177ELF", NULL, 0 },
    { "/" M "scsi/hv_storvsc.ko", "\177ELF", NULL, 0 },
    { "/usr/bin/dracut", "", NULL, 0755 },
    { NULL, NULL, NULL, 0 },
  };
  static const char *const image[] = { "usr", "usr/lib/dracut",
                                       M "nvme/nvme.ko", NULL };
  char *tree = guest_tree_make (files);
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  char host[512];
  (void) state;

  put_image (tree, "/boot/initramfs-" V ".img", image);
  convert (tree, "rhel", 9, false);
  guest_tree_assert_text (tree, "/etc/fstab",
                          "UUID=" R " / ext4 defaults 0 0\n");
  guest_tree_assert_has (tree, "/boot/loader/entries/x-" V ".conf",
                         "options root=UUID=" R " ro crashkernel=1G\n");
  assert_false (guest_tree_exists (tree, "/etc/lvm/devices/system.devices"));
  guest_tree_assert_has (tree, "/etc/dracut.conf.d/10-hyperv.conf",
                         "hv_storvsc");
  snprintf (host, sizeof host, "%s/boot/initramfs-" V ".img", tree);
  io = v2v_io_open (host, 0, &err);
  assert_ok (v2v_initramfs_read (io, &im, &err), err);
  v2v_io_unref (io);
  assert_non_null (v2v_initramfs_find_module (&im, V, "hv_storvsc"));
  assert_non_null (v2v_initramfs_find_module (&im, V, "nvme"));
  convert (tree, "rhel", 9, true);
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_debian12_is_converted_once),
    cmocka_unit_test (test_constructed_rhel9_host_only_is_converted_once),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
