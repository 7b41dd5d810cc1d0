/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of disks become UUIDs.  The trees are constructed as the distributions
 * lay them out; each is converted twice, and the second time nothing changes. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/linux-internal.h"
#include "inject/linux-names.h"
#include "test-util.h"

#define R "11111111-2222-3333-4444-555555555555" /* "/" */
#define B "22222222-2222-3333-4444-555555555555" /* /boot */
#define S "33333333-2222-3333-4444-555555555555" /* swap */
#define D "44444444-2222-3333-4444-555555555555" /* data, the second disk */
#define L "55555555-2222-3333-4444-555555555555" /* LUKS */

static void
add_filesystem (struct v2v_guest *g, const char *device, const char *type,
                const char *uuid, const char *partuuid)
{
  struct v2v_filesystem *fs = v2v_os_add_filesystem (v2v_guest_os (g));

  assert_non_null (fs);
  guest_tree_set (&fs->device, device);
  guest_tree_set (&fs->type, type);
  if (uuid != NULL)
    guest_tree_set (&fs->uuid, uuid);
  if (partuuid != NULL)
    guest_tree_set (&fs->partuuid, partuuid);
}

static void
add_mount (struct v2v_guest *g, const char *path, const char *device)
{
  struct v2v_os_mount *m = v2v_os_add_mount (v2v_guest_os (g));

  assert_non_null (m);
  guest_tree_set (&m->path, path);
  guest_tree_set (&m->device, device);
}

static struct v2v_guest *
open_guest (const char *tree)
{
  struct v2v_guest *g = guest_tree_open (tree, V2V_FAMILY_LINUX, "debian", 12);

  add_filesystem (g, "/dev/sda1", "ext4", B, "aaaa-01");
  add_filesystem (g, "/dev/sda2", "ext4", R, "aaaa-02");
  add_filesystem (g, "/dev/sda3", "swap", S, NULL);
  add_filesystem (g, "/dev/sda5", "crypto_LUKS", L, NULL);
  add_filesystem (g, "/dev/sdb1", "xfs", D, NULL);
  add_filesystem (g, "/dev/sdb2", "swap", NULL, NULL);
  return g;
}

/* The step; *RET_STALE (may be NULL) is l.initramfs_is_stale. */
static void
remap (struct v2v_guest *g, bool *ret_stale)
{
  struct v2v_error *err = NULL;
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };

  assert_ok (linux_remap_devices (&l, &err), err);
  if (ret_stale != NULL)
    *ret_stale = l.initramfs_is_stale;
}

/* Again on the same tree: nothing may change. */
static void
assert_stable (const char *tree)
{
  struct v2v_guest *g = open_guest (tree);
  bool stale;

  remap (g, &stale);
  guest_tree_assert_unchanged (g);
  assert_false (stale);
  v2v_guest_close (g);
}

static void
test_constructed_debian_fstab_keeps_all_but_the_names (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/fstab",
      "# /etc/fstab: /dev/sda2 was here\n"
      "\n"
      "/dev/sda2\t/   ext4 errors=remount-ro 0  1 # root\r\n"
      "/dev/sda1 /boot ext4 defaults 0 2\n"
      "  /dev/sda3 none swap sw 0 0\n"
      "UUID=" D " /data xfs defaults 0 0\n"
      "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n"
      "/dev/mapper/vg-home /home ext4 defaults 0 0\n"
      "/dev/vg/var /var ext4 defaults 0 0\n"
      "tmpfs /tmp tmpfs defaults 0 0\n"
      "server:/x /x nfs defaults 0 0\n"
      "/dev/disk/by-uuid/" D " /srv xfs defaults 0 0",
      NULL, 0600 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_guest (tree);
  (void) state;

  remap (g, NULL);
  guest_tree_assert_text (tree, "/etc/fstab",
                          "# /etc/fstab: /dev/sda2 was here\n"
                          "\n"
                          "UUID=" R
                          "\t/   ext4 errors=remount-ro 0  1 # root\r\n"
                          "UUID=" B " /boot ext4 defaults 0 2\n"
                          "  UUID=" S " none swap sw 0 0\n"
                          "UUID=" D " /data xfs defaults 0 0\n"
                          "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n"
                          "/dev/mapper/vg-home /home ext4 defaults 0 0\n"
                          "/dev/vg/var /var ext4 defaults 0 0\n"
                          "tmpfs /tmp tmpfs defaults 0 0\n"
                          "server:/x /x nfs defaults 0 0\n"
                          "/dev/disk/by-uuid/" D " /srv xfs defaults 0 0");
  assert_int_equal (guest_tree_mode (tree, "/etc/fstab"), 0600);
  assert_int_equal (v2v_guest_findings (g)->len, 0);
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

/* Every way a disk was called, without a machine: one word each. */
static void
test_constructed_names_of_every_kind_of_disk (void **state)
{
  static const struct {
    const char *name, *becomes; /* NULL: unknown; "": stays */
  } cases[] = {
    { "/dev/sda2", "UUID=" R },
    { "/dev/hda2", "UUID=" R },
    { "/dev/vda2", "UUID=" R },
    { "/dev/xvda2", "UUID=" R },
    { "/dev/nvme0n1p2", "UUID=" R },
    { "/dev/nvme0n2p1", "UUID=" D },
    { "/dev/cciss/c0d0p2", "UUID=" R },
    { "/dev/sdb1", "UUID=" D },
    { "/dev/sdc1", NULL },
    { "/dev/sda9", NULL },
    { "/dev/sdzzzzzzzzzzzzzzzzzzzz1", "" },
    { "/dev/sda99999999999", "" },
    { "/dev/sdb2", "" },               /* no UUID, and the same name */
    { "/dev/nvme0n2p2", "/dev/sdb2" }, /* no UUID */
    { "/dev/sdax", NULL },
    { "/dev/sda-1", "" },
    { "/dev/sd", "" },
    { "/dev/disk/by-id/scsi-36000c29abc-part2", NULL },
    { "/dev/disk/by-id/dm-name-vg-root", "" },
    { "/dev/disk/by-label/x", "" },
    { "/dev/disk/by-partuuid/x", "" },
    { "/dev/md0", "" },
    { "/dev/md/root", "" },
    { "/dev/mapper/luks", "" },
    { "/dev/vg/root", "" },
    { "/dev/loop0", "" },
    { "UUID=" R, "" },
    { "LABEL=x", "" },
    { "PARTUUID=x", "" },
    { "", "" },
  };
  char *tree = guest_tree_make (
      (const struct guest_tree_entry[]){ { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    CLEANUP_FREE char *ret = NULL;
    const enum linux_name_kind kind =
        linux_map_name (&l, cases[i].name, strlen (cases[i].name), 0, &ret);

    if (cases[i].becomes == NULL) {
      if (kind != LINUX_NAME_UNKNOWN)
        fail_msg ("%s is known", cases[i].name);
    }
    else if (cases[i].becomes[0] == '\0') {
      if (kind != LINUX_NAME_STABLE)
        fail_msg ("%s does not stay", cases[i].name);
    }
    else {
      if (kind != LINUX_NAME_MAPPED)
        fail_msg ("%s is not mapped", cases[i].name);
      assert_string_equal (ret, cases[i].becomes);
    }
  }
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* A machine with an NVMe disk between two SCSI disks, and an IDE disk. */
static void
test_constructed_machine_tells_which_disk_a_name_was (void **state)
{
  static const struct {
    const char *name, *becomes;
  } cases[] = {
    { "/dev/sda1", "UUID=scsi0" },
    { "/dev/sdb1", "UUID=scsi1" },
    { "/dev/nvme0n1p1", "UUID=nvme" },
    { "/dev/hdc1", "UUID=ide" },
    { "/dev/hda1", NULL },
    { "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1", "UUID=scsi1" },
    { "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:7:0-part1", NULL },
    { "/dev/disk/by-id/wwn-0x6000c29-part1", NULL },
    { "/dev/nvme1n1p1", NULL },
  };
  static const struct {
    enum v2v_bus bus;
    unsigned controller, unit;
    const char *device, *uuid;
  } disks[] = {
    { V2V_BUS_IDE, 1, 0, "/dev/sda1", "ide" },
    { V2V_BUS_SCSI, 0, 0, "/dev/sdb1", "scsi0" },
    { V2V_BUS_NVME, 0, 0, "/dev/sdc1", "nvme" },
    { V2V_BUS_SCSI, 0, 1, "/dev/sdd1", "scsi1" },
  };
  char *tree = guest_tree_make (
      (const struct guest_tree_entry[]){ { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = guest_tree_open (tree, V2V_FAMILY_LINUX, "rhel", 7);
  struct linux_kernel old = { .version = (char *) "2.6.18-419.el5" };
  struct linux_guest l = {
    .g = g, .os = v2v_guest_os (g), .kernels = &old, .nr_kernels = 1
  };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *name = NULL;
  struct v2v_machine *m = v2v_machine_new (&err);
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (disks); ++i) {
    struct v2v_disk *d = v2v_machine_add_disk (m);

    d->bus = disks[i].bus;
    d->controller = disks[i].controller;
    d->unit = disks[i].unit;
    add_filesystem (g, disks[i].device, "ext4", disks[i].uuid, NULL);
  }
  v2v_guest_set_machine (g, m);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    CLEANUP_FREE char *ret = NULL;
    const enum linux_name_kind kind =
        linux_map_name (&l, cases[i].name, strlen (cases[i].name), 0, &ret);

    if (kind != (cases[i].becomes ? LINUX_NAME_MAPPED : LINUX_NAME_UNKNOWN))
      fail_msg ("%s: kind %d", cases[i].name, (int) kind);
    if (cases[i].becomes != NULL)
      assert_string_equal (ret, cases[i].becomes);
  }
  /* Since libata both IDE and SCSI disks are sdX, in an order nobody knows. */
  l.nr_kernels = 0;
  assert_int_equal (linux_map_name (&l, "/dev/sda1", 9, 0, &name),
                    LINUX_NAME_UNKNOWN);
  v2v_guest_close (g);
  v2v_machine_free (m);
  test_tmpdir_remove (tree);
}

static void
test_constructed_what_inspection_mounted_counts_first (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/etc/fstab", "/dev/nvme0n1p1 /data xfs defaults 0 0\n", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  (void) state;

  /* By number it would be /boot's. */
  add_mount (g, "/data", "/dev/sdb1");
  remap (g, NULL);
  guest_tree_assert_text (tree, "/etc/fstab",
                          "UUID=" D " /data xfs defaults 0 0\n");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_unknown_devices_are_findings_with_file_and_line (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/etc/fstab",
        "# x\n/dev/sdf1 / ext4 defaults 0 1\n/dev/sdg1 /g ext4 x 0 0\n"
        "/dev/sda3 /h ext4 x 0 0\n",
        NULL, 0 },
      { "/etc/multipath.conf", "multipaths {\n  wwid 36000c29deadbeef\n}\n",
        NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  const struct v2v_findings *f = v2v_guest_findings (g);
  (void) state;

  remap (g, NULL);
  guest_tree_assert_unchanged (g);
  assert_int_equal (f->len, 4);
  assert_string_equal (f->ptr[0].id, "guest.device.root-unknown");
  assert_int_equal (f->ptr[0].severity, V2V_CRITICAL);
  assert_string_equal (f->ptr[0].subject, "/etc/fstab:2");
  assert_string_equal (f->ptr[1].id, "guest.device.unknown");
  assert_string_equal (f->ptr[1].subject, "/etc/fstab:3");
  assert_string_equal (f->ptr[2].subject,
                       "/etc/fstab:4"); /* swap's partition */
  assert_string_equal (f->ptr[3].subject, "/etc/multipath.conf:2");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_debian_luks_root_gets_uuid_and_initramfs (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/initramfs-tools/conf.d/resume", "RESUME=/dev/sda3\n", NULL, 0 },
    { "/etc/crypttab",
      "# <target> <source>\n"
      "sda5_crypt /dev/sda5 none luks,discard # the root\n"
      "data UUID=" L " /key luks,noauto\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_guest (tree);
  bool stale;
  (void) state;

  add_mount (g, "/", "/dev/mapper/sda5_crypt");
  remap (g, &stale);
  guest_tree_assert_text (tree, "/etc/crypttab",
                          "# <target> <source>\n"
                          "sda5_crypt UUID=" L " none luks,discard,initramfs "
                          "# the root\n"
                          "data UUID=" L " /key luks,noauto\n");
  guest_tree_assert_text (tree, "/etc/initramfs-tools/conf.d/resume",
                          "RESUME=UUID=" S "\n");
  assert_true (stale);
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

/* Command lines wherever they stand: GRUB legacy, GRUB 2, BLS, grubenv. */
static void
test_constructed_command_lines_of_every_boot_loader (void **state)
{
  char env[1025];
  const struct guest_tree_entry files[] = {
    { "/boot/grub/menu.lst",
      "# kopt=root=/dev/hda2 ro\n# root=/dev/hda2 stays\ntitle a\n"
      "\tkernel /vmlinuz root=/dev/hda2 resume=/dev/hda3 splash\n",
      NULL, 0 },
    { "/etc/default/grub",
      "GRUB_CMDLINE_LINUX=\"resume=/dev/sda3 quiet root=/dev/sda2\"\n", NULL,
      0 },
    { "/boot/grub2/grub.cfg",
      "linux /vmlinuz root=UUID=" R " nfsroot=/dev/sda2 ro\n", NULL, 0 },
    { "/boot/loader/entries/a.conf",
      "options root=/dev/nvme0n1p2 cryptdevice=/dev/sda5:crypt:x rw\n", NULL,
      0 },
    { "/boot/efi/EFI/redhat/grub.cfg", "linuxefi /v root=/dev/sda2\n", NULL,
      0 },
    { "/etc/kernel/cmdline", "root=/dev/sda2 ro", NULL, 0 },
    { "/boot/grub2/grubenv", env, NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  struct v2v_guest *g;
  char *tree, *text;
  (void) state;

  memset (env, '#', 1024);
  env[1024] = '\0';
  text = (char *) "# GRUB Environment Block\nkernelopts=root=/dev/sda2 ro\n";
  memcpy (env, text, strlen (text));
  tree = guest_tree_make (files);
  g = open_guest (tree);
  remap (g, NULL);
  guest_tree_assert_text (
      tree, "/boot/grub/menu.lst",
      "# kopt=root=UUID=" R " ro\n# root=/dev/hda2 stays\ntitle a\n"
      "\tkernel /vmlinuz root=UUID=" R " resume=UUID=" S " splash\n");
  guest_tree_assert_text (tree, "/etc/default/grub",
                          "GRUB_CMDLINE_LINUX=\"resume=UUID=" S
                          " quiet root=UUID=" R "\"\n");
  guest_tree_assert_text (tree, "/boot/grub2/grub.cfg",
                          "linux /vmlinuz root=UUID=" R
                          " nfsroot=/dev/sda2 ro\n");
  guest_tree_assert_text (tree, "/boot/loader/entries/a.conf",
                          "options root=UUID=" R
                          " cryptdevice=/dev/disk/by-uuid/" L ":crypt:x rw\n");
  guest_tree_assert_text (tree, "/boot/efi/EFI/redhat/grub.cfg",
                          "linuxefi /v root=UUID=" R "\n");
  guest_tree_assert_text (tree, "/etc/kernel/cmdline", "root=UUID=" R " ro");
  /* The block keeps its size. */
  memset (env, '#', 1024);
  text = (char *) "# GRUB Environment Block\nkernelopts=root=UUID=" R " ro\n";
  memcpy (env, text, strlen (text));
  guest_tree_assert_text (tree, "/boot/grub2/grubenv", env);
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

static void
test_constructed_environment_block_without_room_is_left (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/boot/grub2/grubenv", "kernelopts=root=/dev/sda2\n###", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  (void) state;

  remap (g, NULL);
  guest_tree_assert_unchanged (g);
  assert_non_null (v2v_findings_find (v2v_guest_findings (g),
                                      "guest.boot.environment-full"));
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* A kernel that mounts the root itself knows no UUID. */
static void
test_constructed_kernel_without_initramfs_gets_a_name_it_knows (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/boot/vmlinuz-6.1-mine", "k", NULL, 0 },
      { "/boot/grub/grub.cfg",
        "linux /boot/vmlinuz-6.1-mine root=/dev/nvme0n1p2\n", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;
  (void) state;

  assert_ok (linux_find_kernels (&l, &err), err);
  assert_ok (linux_remap_devices (&l, &err), err);
  guest_tree_assert_text (
      tree, "/boot/grub/grub.cfg",
      "linux /boot/vmlinuz-6.1-mine root=PARTUUID=aaaa-02\n");
  linux_kernels_clear (&l);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_device_map_kdump_mdadm_lvm_and_mount_units (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/grub/device.map",
      "(fd0)\t/dev/fd0\n(hd0)\t/dev/nvme0n1\n(hd1)\t/dev/sdb\n", NULL, 0 },
    { "/etc/kdump.conf", "path /var/crash\nraw /dev/sdb1\next4 /dev/sda2\n",
      NULL, 0 },
    { "/etc/mdadm.conf",
      "DEVICE /dev/sda1 /dev/sdb1\n"
      "ARRAY /dev/md0 UUID=a:b devices=/dev/sda1,/dev/sdb1\n",
      NULL, 0 },
    { "/etc/lvm/lvm.conf",
      "devices {\n\t# filter = [ \"a|/dev/sd.*|\" ]\n"
      "\tfilter = [ \"a|^/dev/sda2$|\", \"r|.*|\" ]\n"
      "\tglobal_filter = [ \"r|/dev/drbd.*|\" ]\n}\n",
      NULL, 0 },
    { "/etc/systemd/system/srv.mount", "[Mount]\nWhat=/dev/sdb1\nWhere=/srv\n",
      NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_guest (tree);
  bool stale;
  (void) state;

  remap (g, &stale);
  guest_tree_assert_text (
      tree, "/boot/grub/device.map",
      "(fd0)\t/dev/fd0\n(hd0)\t/dev/sda\n(hd1)\t/dev/sdb\n");
  guest_tree_assert_text (tree, "/etc/kdump.conf",
                          "path /var/crash\nraw /dev/disk/by-uuid/" D
                          "\next4 UUID=" R "\n");
  guest_tree_assert_text (tree, "/etc/mdadm.conf",
                          "DEVICE partitions\nARRAY /dev/md0 UUID=a:b\n");
  guest_tree_assert_text (tree, "/etc/lvm/lvm.conf",
                          "devices {\n\t# filter = [ \"a|/dev/sd.*|\" ]\n"
                          "\tfilter = [ \"a|.*|\" ]\n"
                          "\tglobal_filter = [ \"r|/dev/drbd.*|\" ]\n}\n");
  guest_tree_assert_text (tree, "/etc/systemd/system/srv.mount",
                          "[Mount]\nWhat=/dev/disk/by-uuid/" D
                          "\nWhere=/srv\n");
  assert_true (stale);
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

/* Which of two containers is the root's: by the name that inspection gave it,
 * else (LVM) all that can be. */
static void
test_constructed_debian_two_luks_entries_get_initramfs_for_the_root (
    void **state)
{
  static const struct {
    const char *root, *first, *second;
  } cases[] = {
    { "/dev/mapper/v2v-crypt1-sda5", ",initramfs", "" },
    { "btrfsvol:/dev/mapper/v2v-crypt1-sda5/@", ",initramfs", "" },
    { "/dev/mapper/v2v-crypt2-sdb1", "", ",initramfs" },
    { "/dev/mapper/v2v-crypt2", ",initramfs", ",initramfs" },
    { "/dev/vg/root", ",initramfs", ",initramfs" },
    { "/dev/sda2", "", "" },
  };
  static const char text[] = "root UUID=" L " none luks%s\n"
                             "data /dev/disk/by-uuid/" D " none luks%s\n"
                             "swap UUID=" S " /dev/urandom swap,cipher=x\n";
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    const struct guest_tree_entry files[] = {
      { "/etc/initramfs-tools/initramfs.conf", "", NULL, 0 },
      { NULL, NULL, NULL, 0 },
    };
    char *tree = guest_tree_make (files);
    struct v2v_guest *g = open_guest (tree);
    char before[512], after[512];
    bool stale;

    snprintf (before, sizeof before, text, "", "");
    snprintf (after, sizeof after, text, cases[i].first, cases[i].second);
    guest_tree_write (tree, "/etc/crypttab", before);
    add_mount (g, "/", cases[i].root);
    remap (g, &stale);
    guest_tree_assert_text (tree, "/etc/crypttab", after);
    assert_int_equal (stale, strcmp (before, after) != 0);
    v2v_guest_close (g);
    g = open_guest (tree);
    add_mount (g, "/", cases[i].root);
    remap (g, NULL);
    guest_tree_assert_unchanged (g);
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

/* LVM inside of LUKS, LUKS inside of LVM: what the root stands on decides. */
static void
test_constructed_debian_luks_and_lvm_are_followed_to_the_container (
    void **state)
{
  static const struct {
    const char *layers[4][2]; /* device, below */
    const char *root, *first, *second;
  } cases[] = {
    { { { "/dev/mapper/v2v-crypt1-sda5", "/dev/sda5" },
        { "/dev/mapper/v2v-crypt2-sdb1", "/dev/sdb1" },
        { "/dev/vg", "/dev/mapper/v2v-crypt1-sda5" },
        { "/dev/vg2", "/dev/mapper/v2v-crypt2-sdb1" } },
      "/dev/vg/root",
      ",initramfs",
      "" },
    { { { "/dev/mapper/v2v-crypt2-sdb1", "/dev/sdb1" },
        { "/dev/vg", "/dev/mapper/v2v-crypt2-sdb1" } },
      "btrfsvol:/dev/vg/root/@",
      "",
      ",initramfs" },
    /* Both are physical volumes of one group. */
    { { { "/dev/mapper/v2v-crypt1-sda5", "/dev/sda5" },
        { "/dev/mapper/v2v-crypt2-sdb1", "/dev/sdb1" },
        { "/dev/vg", "/dev/mapper/v2v-crypt1-sda5" },
        { "/dev/vg", "/dev/mapper/v2v-crypt2-sdb1" } },
      "/dev/vg/root",
      ",initramfs",
      ",initramfs" },
    /* A plain group, an encrypted data disk. */
    { { { "/dev/mapper/v2v-crypt2-sdb1", "/dev/sdb1" },
        { "/dev/vg", "/dev/sda5" } },
      "/dev/vg/root",
      ",initramfs",
      "" },
    /* The container is a logical volume. */
    { { { "/dev/mapper/v2v-crypt1", "/dev/vg-a/crypt" },
        { "/dev/vg-a", "/dev/sda3" } },
      "/dev/mapper/v2v-crypt1",
      "",
      "" },
    /* RAID below: nobody knows. */
    { { { "/dev/vg", "/dev/md0" } },
      "/dev/vg/root",
      ",initramfs",
      ",initramfs" },
  };
  static const char text[] = "one UUID=" L " none luks%s\n"
                             "two /dev/disk/by-uuid/" D " none luks%s\n"
                             "lv /dev/mapper/vg--a-crypt none luks%s\n";
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    const struct guest_tree_entry files[] = {
      { "/etc/initramfs-tools/initramfs.conf", "", NULL, 0 },
      { NULL, NULL, NULL, 0 },
    };
    char *tree = guest_tree_make (files);
    struct v2v_guest *g = open_guest (tree);
    char before[512], after[512];

    add_filesystem (g, "/dev/vg-a/crypt", "crypto_LUKS", "99", NULL);
    for (size_t k = 0; k < 4 && cases[i].layers[k][0] != NULL; ++k) {
      struct v2v_os_layer *layer = v2v_os_add_layer (v2v_guest_os (g));

      assert_non_null (layer);
      layer->device = strdup (cases[i].layers[k][0]);
      layer->below = strdup (cases[i].layers[k][1]);
    }
    snprintf (before, sizeof before, text, "", "", "");
    snprintf (after, sizeof after, text, cases[i].first, cases[i].second,
              i >= 4 ? ",initramfs" : "");
    guest_tree_write (tree, "/etc/crypttab", before);
    add_mount (g, "/", cases[i].root);
    remap (g, NULL);
    guest_tree_assert_text (tree, "/etc/crypttab", after);
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

/* The list of lvm.conf ends at the ']' outside of strings. */
static void
test_constructed_lvm_filters_with_classes_stay_whole (void **state)
{
  static const struct {
    const char *line, *becomes; /* NULL: stays, and is a finding */
  } cases[] = {
    { "filter = [ \"a|^/dev/sd[a-z].*|\", \"r|.*|\" ]",
      "filter = [ \"a|.*|\" ]" },
    { "filter=[\"a|/dev/sd[a-c][0-9]|\"] # was [ \"a|/dev/hd|\" ]",
      "filter=[ \"a|.*|\" ] # was [ \"a|/dev/hd|\" ]" },
    { "filter = [ \"a|\\\"/dev/sd]|\", 'r|[.]|' ]", "filter = [ \"a|.*|\" ]" },
    { "filter = [ \"r|/dev/drbd[0-9]|\" ] # not /dev/sda",
      "filter = [ \"r|/dev/drbd[0-9]|\" ] # not /dev/sda" },
    { "filter = [ \"a|/dev/sd[a-z]|\",", NULL },
    { "filter = [ \"a|/dev/sd[a-z]|\", # ]", NULL },
    { "filter = \"a|/dev/sd[a-z]|\"", "filter = [ \"a|.*|\" ]" },
    { "filter = \"a|/dev/sd[a-z]|", NULL },
    /* On several lines, with a comment; what follows stays. */
    { "devices {\n  filter = [\n   \"a|/dev/mapper|\", # ] mine\n"
      "   \"a|/dev/sda2|\",\n   \"r|.*|\"\n  ]\n  x=1\n"
      "  devices/global_filter=[ \"r|/dev/nvme|\"\n]\n}\n",
      "devices {\n  filter = [ \"a|.*|\" ]\n  x=1\n"
      "  devices/global_filter=[ \"a|.*|\" ]\n}\n" },
    { "filter = [\n \"r|/dev/drbd|\",\n \"a|.*|\" ]\n",
      "filter = [\n \"r|/dev/drbd|\",\n \"a|.*|\" ]\n" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    const struct guest_tree_entry files[] = {
      { "/etc/lvm/lvm.conf", cases[i].line, NULL, 0 },
      { NULL, NULL, NULL, 0 },
    };
    char *tree = guest_tree_make (files);
    struct v2v_guest *g = open_guest (tree);

    remap (g, NULL);
    guest_tree_assert_text (tree, "/etc/lvm/lvm.conf",
                            cases[i].becomes ? cases[i].becomes
                                             : cases[i].line);
    assert_int_equal (v2v_guest_findings (g)->len,
                      cases[i].becomes == NULL ? 1 : 0);
    v2v_guest_close (g);
    assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* RHEL in FIPS mode, Gentoo, Alpine; and mkconfig's switch, by which the next
 * update would name the root by its device again. */
static void
test_constructed_arguments_and_switches_of_other_systems (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/boot/vmlinuz-1", "k", NULL, 0 },
    { "/boot/initrd.img-1", "i", NULL, 0 },
    { "/etc/default/grub",
      "GRUB_CMDLINE_LINUX=\"fips=1 boot=/dev/sda1 nfsboot=/dev/sda1\"\n"
      "GRUB_DISABLE_LINUX_UUID=true\n#GRUB_DISABLE_UUID=true\n"
      "GRUB_DISABLE_UUID=\"true\" # x\nGRUB_DISABLE_RECOVERY=true\n",
      NULL, 0 },
    { "/etc/update-extlinux.conf",
      "default_kernel_opts=\"cryptroot=/dev/sda5 cryptdm=root\"\n", NULL, 0 },
    { "/boot/grub/grub.conf",
      "#boot=/dev/sda\nkernel /k root=/dev/ram0 crypt_root=/dev/sda5\n", NULL,
      0 },
    { "/etc/multipath/conf.d/a.conf", "wwid 36000c29aa\n", NULL, 0 },
    { "/etc/zfs/zpool.cache", "x path /dev/nvme0n1p3 y", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = open_guest (tree);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;
  (void) state;

  assert_ok (linux_find_kernels (&l, &err), err);
  assert_ok (linux_remap_devices (&l, &err), err);
  linux_kernels_clear (&l);
  guest_tree_assert_text (
      tree, "/etc/default/grub",
      "GRUB_CMDLINE_LINUX=\"fips=1 boot=UUID=" B " nfsboot=/dev/sda1\"\n"
      "GRUB_DISABLE_LINUX_UUID=false\n#GRUB_DISABLE_UUID=true\n"
      "GRUB_DISABLE_UUID=\"false\" # x\nGRUB_DISABLE_RECOVERY=true\n");
  guest_tree_assert_text (tree, "/etc/update-extlinux.conf",
                          "default_kernel_opts=\"cryptroot=UUID=" L
                          " cryptdm=root\"\n");
  guest_tree_assert_text (
      tree, "/boot/grub/grub.conf",
      "#boot=/dev/sda\nkernel /k root=/dev/ram0 crypt_root=UUID=" L "\n");
  assert_int_equal (v2v_guest_findings (g)->len, 2);
  assert_string_equal (v2v_guest_findings (g)->ptr[0].subject,
                       "/etc/multipath/conf.d/a.conf:1");
  assert_string_equal (v2v_guest_findings (g)->ptr[1].id,
                       "guest.device.zfs-cache");
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

static void
test_constructed_rhel9_list_of_lvm_devices_is_removed (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/etc/lvm/devices/system.devices", "IDTYPE=sys_wwid\n", NULL, 0600 },
      { "/etc/blkid/blkid.tab", "x\n", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  bool stale;
  (void) state;

  remap (g, &stale);
  assert_false (guest_tree_exists (tree, "/etc/lvm/devices/system.devices"));
  assert_false (guest_tree_exists (tree, "/etc/blkid/blkid.tab"));
  assert_true (stale); /* dracut copied it */
  v2v_guest_close (g);
  assert_stable (tree);
  test_tmpdir_remove (tree);
}

static void
test_constructed_lilo_is_refused_unless_grub_is_there (void **state)
{
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/etc/lilo.conf", "boot=/dev/sda\n", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  struct v2v_guest *g = open_guest (tree);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;
  (void) state;

  assert_int_equal (linux_remap_devices (&l, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "LILO");
  guest_tree_write (tree, "/boot/grub/grub.cfg", "");
  assert_ok (linux_remap_devices (&l, &err), err);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_debian_fstab_keeps_all_but_the_names),
    cmocka_unit_test (test_constructed_names_of_every_kind_of_disk),
    cmocka_unit_test (test_constructed_machine_tells_which_disk_a_name_was),
    cmocka_unit_test (test_constructed_what_inspection_mounted_counts_first),
    cmocka_unit_test (
        test_constructed_unknown_devices_are_findings_with_file_and_line),
    cmocka_unit_test (
        test_constructed_debian_luks_root_gets_uuid_and_initramfs),
    cmocka_unit_test (test_constructed_command_lines_of_every_boot_loader),
    cmocka_unit_test (test_constructed_environment_block_without_room_is_left),
    cmocka_unit_test (
        test_constructed_kernel_without_initramfs_gets_a_name_it_knows),
    cmocka_unit_test (
        test_constructed_device_map_kdump_mdadm_lvm_and_mount_units),
    cmocka_unit_test (
        test_constructed_debian_two_luks_entries_get_initramfs_for_the_root),
    cmocka_unit_test (
        test_constructed_debian_luks_and_lvm_are_followed_to_the_container),
    cmocka_unit_test (test_constructed_lvm_filters_with_classes_stay_whole),
    cmocka_unit_test (test_constructed_arguments_and_switches_of_other_systems),
    cmocka_unit_test (test_constructed_rhel9_list_of_lvm_devices_is_removed),
    cmocka_unit_test (test_constructed_lilo_is_refused_unless_grub_is_there),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
