/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every offered kernel gets an initramfs with the drivers of Hyper-V.  The
 * guests are constructed as the distributions lay them out; their own tool is
 * played by a function of the test, which sees the command and makes (or does
 * not make) an initramfs.  Real are modprobe, which judges the lists we write,
 * and, where this host has them, its kernel's modules. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "linux-tree.h"
#include "test-util.h"

/* ---- nothing to do ---- */

static void
test_constructed_debian_default_is_left_alone (void **state)
{
  char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, all_there);
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
  guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
  linux_tree_let_run (g, tree, "/boot/initrd.img-" V, debian_like, all_there,
                      0);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 0);
  guest_tree_assert_unchanged (g);
  assert_int_equal (v2v_guest_findings (g)->len, 0);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* ---- the tool of each family ---- */

static void
test_constructed_each_family_is_rebuilt_by_its_own_tool (void **state)
{
  static const struct {
    const char *name, *initramfs, *command;
    const char *const *extra;
    const char *files[4]; /* program, then what tells it */
    const char *lasting, *contents;
  } families[] = {
    { "debian, MODULES=dep",
      "/boot/initrd.img-" V,
      "/usr/sbin/update-initramfs|-c|-k|" V,
      debian_like,
      { "/usr/sbin/update-initramfs", "/usr/sbin/mkinitramfs",
        "/usr/bin/dracut", NULL },
      "/etc/initramfs-tools/modules",
      "# mine\nhv_vmbus\nhv_storvsc\nhv_netvsc\n" },
    { "rhel 9",
      "/boot/initramfs-" V ".img",
      "/usr/bin/dracut|--force|--add-drivers|hv_vmbus hv_storvsc hv_netvsc|"
      "/boot/initramfs-" V ".img|" V,
      dracut_like,
      { "/usr/bin/dracut", "/sbin/mkinitrd", NULL, NULL },
      "/etc/dracut.conf.d/10-hyperv.conf",
      "# Written by v2v: this machine runs on Hyper-V.\n"
      "add_drivers+=\" hv_vmbus hv_storvsc hv_netvsc \"\n" },
    { "sles 15",
      "/boot/initrd-" V,
      "/sbin/dracut|--force|--add-drivers|hv_vmbus hv_storvsc hv_netvsc|"
      "/boot/initrd-" V "|" V,
      dracut_like,
      { "/sbin/dracut", "/sbin/mkinitrd", NULL, NULL },
      "/etc/dracut.conf.d/10-hyperv.conf",
      "# Written by v2v: this machine runs on Hyper-V.\n"
      "add_drivers+=\" hv_vmbus hv_storvsc hv_netvsc \"\n" },
    { "sles 11",
      "/boot/initrd-" V,
      "/sbin/mkinitrd|-k|vmlinuz-" V "|-i|initrd-" V,
      unlike,
      { "/sbin/mkinitrd", NULL, NULL, NULL },
      "/etc/sysconfig/kernel",
      "INITRD_MODULES=\"mptspi hv_vmbus hv_storvsc hv_netvsc\"\n" },
    { "rhel 5",
      "/boot/initrd-" V ".img",
      "/sbin/mkinitrd|--with=hv_vmbus|--with=hv_storvsc|--with=hv_netvsc|-f|"
      "/boot/initrd-" V ".img|" V,
      unlike,
      { "/sbin/mkinitrd", NULL, NULL, NULL },
      NULL,
      NULL },
    { "arch",
      "/boot/initramfs-" V ".img",
      "/usr/bin/mkinitcpio|-k|" V "|-g|/boot/initramfs-" V ".img",
      arch_like,
      { "/usr/bin/mkinitcpio", NULL, NULL, NULL },
      "/etc/mkinitcpio.conf",
      "# c\nMODULES=(hv_vmbus hv_storvsc hv_netvsc)\nHOOKS=(base)\n" },
    { "booster",
      "/boot/booster-" V ".img",
      "/usr/bin/booster|build|--force|--kernel-version|" V "|/boot/booster-" V
      ".img",
      unlike,
      { "/usr/bin/booster", NULL, NULL, NULL },
      "/etc/booster.yaml",
      "universal: false\nmodules_force_load: hv_vmbus,hv_storvsc,hv_netvsc\n" },
    { "alpine",
      "/boot/initramfs-" V,
      "/sbin/mkinitfs|-o|/boot/initramfs-" V "|" V,
      alpine_like,
      { "/sbin/mkinitfs", NULL, NULL, NULL },
      "/etc/mkinitfs/mkinitfs.conf",
      "features=\"ata base v2v-hyperv\"\n" },
    { "alt",
      "/boot/initrd-" V ".img",
      "/usr/sbin/make-initrd|-k|" V,
      unlike,
      { "/usr/sbin/make-initrd", NULL, NULL, NULL },
      "/etc/initrd.mk",
      "AUTODETECT = all\n\nMODULES_LOAD += hv_vmbus hv_storvsc hv_netvsc\n" },
  };
  static const struct guest_tree_entry before[] = {
    { "/etc/initramfs-tools/modules", "# mine\nhv_vmbus\n", NULL, 0 },
    { "/etc/sysconfig/kernel", "INITRD_MODULES=\"mptspi\"\n", NULL, 0 },
    { "/etc/mkinitcpio.conf", "# c\nMODULES=()\nHOOKS=(base)\n", NULL, 0 },
    { "/etc/booster.yaml", "universal: false\n", NULL, 0 },
    { "/etc/mkinitfs/mkinitfs.conf", "features=\"ata base\"\n", NULL, 0 },
    { "/etc/initrd.mk", "AUTODETECT = all\n", NULL, 0 },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (families); ++i) {
    const char *initramfs = families[i].initramfs;
    char *tree = linux_tree_make (initramfs, families[i].extra, nothing);
    struct v2v_guest *g = linux_tree_open (tree);
    struct v2v_error *err = NULL;
    char kept[256];

    for (size_t k = 0; k < 4 && families[i].files[k] != NULL; ++k)
      guest_tree_write (tree, families[i].files[k], "");
    for (size_t k = 0; k < V2V_ARRAY_SIZE (before); ++k)
      if (families[i].lasting != NULL &&
          strcmp (before[k].path, families[i].lasting) == 0)
        guest_tree_add (tree, &before[k]);
    linux_tree_let_run (g, tree, initramfs, families[i].extra, all_there, 0);
    assert_ok (linux_tree_fix (g, false, &err), err);
    assert_string_equal (linux_tree_tool.command, families[i].command);
    assert_int_equal (linux_tree_tool.calls, 1);
    if (families[i].lasting != NULL)
      guest_tree_assert_text (tree, families[i].lasting, families[i].contents);
    snprintf (kept, sizeof kept, "%s.pre-v2v", initramfs);
    assert_true (guest_tree_exists (tree, kept));
    assert_int_equal (v2v_guest_findings (g)->len, 0);
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

static void
test_constructed_every_kernel_is_rebuilt_not_the_newest_alone (void **state)
{
  char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, nothing);
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;
  (void) state;

  /* The same modules once more, and an older kernel without Hyper-V. */
  guest_tree_write (tree, "/boot/vmlinuz-5.0-b", "");
  guest_tree_write (tree, "/lib/modules/5.0-b/modules.builtin",
                    VMBUS "\n" STORVSC "\n");
  guest_tree_write (tree, "/boot/vmlinuz-2.6.18-c", "");
  guest_tree_write (tree, "/lib/modules/2.6.18-c/modules.dep", "");
  guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
  guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
  linux_tree_let_run (g, tree, "/boot/initrd.img-" V, debian_like, all_there,
                      0);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 1); /* 5.0 has them built in */
  linux_tree_assert_finding (g, "guest.kernel.no-hyperv");
  assert_null (v2v_findings_find (v2v_guest_findings (g),
                                  "guest.kernel.newest-does-not-start"));
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* ---- a tool that fails ---- */

static void
test_constructed_tool_that_fails_or_lies_is_replaced_by_an_archive (
    void **state)
{
  static const struct {
    int status;
    const char *const *makes;
    const char *finding;
  } cases[] = {
    { 1, NULL, "guest.initramfs.tool-failed" },
    { 1, all_there, "guest.initramfs.tool-failed" }, /* its file is not used */
    { 0, NULL, "guest.initramfs.tool-useless" },     /* it made nothing */
    { 0, no_storvsc, "guest.initramfs.tool-useless" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    char *tree =
        linux_tree_make ("/boot/initramfs-" V ".img", dracut_like, nothing);
    struct v2v_guest *g = linux_tree_open (tree);
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;

    guest_tree_write (tree, "/usr/bin/dracut", "");
    linux_tree_let_run (g, tree, "/boot/initramfs-" V ".img", dracut_like,
                        cases[i].makes, cases[i].status);
    assert_ok (linux_tree_fix (g, false, &err), err);
    linux_tree_assert_finding (g, cases[i].finding);
    linux_tree_assert_finding (g, "guest.initramfs.appended");
    im = linux_tree_read_image (tree, "/boot/initramfs-" V ".img");
    assert_int_equal (im.nr_parts, 1); /* two plain archives */
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/" STORVSC, NULL);
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/" VMBUS, NULL);
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/" FC, NULL);
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

static void
test_constructed_tool_that_drops_cryptsetup_is_replaced_by_an_archive (
    void **state)
{
  static const char *const with_crypt[] = { "scripts/functions", "conf/modules",
                                            "usr/sbin/cryptsetup",
                                            "cryptroot/crypttab", NULL };
  static const char *const without_list[] = { "scripts/functions",
                                              "conf/modules",
                                              "usr/sbin/cryptsetup", NULL };
  static const char *const with_more[] = {
    "scripts/functions",  "conf/modules", "usr/bin/cryptsetup",
    "cryptroot/crypttab", "usr/sbin/lvm", NULL
  };
  static const char *const *const makes[] = { without_list, debian_like,
                                              with_more, debian_like };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (makes); ++i) {
    char *tree = linux_tree_make ("/boot/initrd.img-" V, with_crypt, nothing);
    struct v2v_guest *g = linux_tree_open (tree);
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;
    /* Without an encrypted disk nothing is lost. */
    const bool encrypted = i < 3, good = !encrypted || makes[i] == with_more;

    guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
    guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
    if (encrypted)
      guest_tree_write (tree, "/etc/crypttab", "root UUID=1 none luks\n");
    linux_tree_let_run (g, tree, "/boot/initrd.img-" V, makes[i], all_there, 0);
    assert_ok (linux_tree_fix (g, false, &err), err);
    assert_int_equal (linux_tree_tool.calls, 1);
    if (good)
      assert_int_equal (v2v_guest_findings (g)->len, 0);
    else {
      linux_tree_assert_finding (g, "guest.initramfs.tool-useless");
      linux_tree_assert_finding (g, "guest.initramfs.appended");
    }
    im = linux_tree_read_image (tree, "/boot/initrd.img-" V);
    if (encrypted)
      linux_tree_assert_image_has (&im, "cryptroot/crypttab", NULL);
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/" STORVSC, NULL);
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* The value of a list stays one word, or one more line says it. */
static void
test_constructed_lists_of_every_shape_take_the_drivers (void **state)
{
#define NAMES "hv_vmbus hv_storvsc hv_netvsc"
  static const struct {
    const char *before, *after;
  } cases[] = {
    { "MODULES=ext4\n", "MODULES=\"ext4 " NAMES "\"\n" },
    { "MODULES=ext4 # mine\n", "MODULES=\"ext4 " NAMES "\" # mine\n" },
    { "MODULES=\nHOOKS=(base)\n", "MODULES=\"" NAMES "\"\nHOOKS=(base)\n" },
    { "MODULES='ext4'\n", "MODULES='ext4 " NAMES "'\n" },
    { "MODULES=(\n ext4\n)\n", "MODULES=(\n ext4\n)\nMODULES+=(" NAMES ")\n" },
    { "MODULES=$X", "MODULES=$X\nMODULES=\"$MODULES " NAMES "\"\n" },
    { "HOOKS=(base)\n", "HOOKS=(base)\nMODULES=\"$MODULES " NAMES "\"\n" },
    { "", "MODULES=\"$MODULES " NAMES "\"\n" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i)
    for (unsigned again = 0; again < 2; ++again) {
      char *tree =
          linux_tree_make ("/boot/initramfs-" V ".img", arch_like, nothing);
      struct v2v_guest *g = linux_tree_open (tree);
      struct v2v_error *err = NULL;

      guest_tree_write (tree, "/usr/bin/mkinitcpio", "");
      guest_tree_write (tree, "/etc/mkinitcpio.conf",
                        again ? cases[i].after : cases[i].before);
      linux_tree_let_run (g, tree, "/boot/initramfs-" V ".img", arch_like,
                          all_there, 0);
      assert_ok (linux_tree_fix (g, false, &err), err);
      guest_tree_assert_text (tree, "/etc/mkinitcpio.conf", cases[i].after);
      assert_int_equal (v2v_guest_findings (g)->len, 0);
      v2v_guest_close (g);
      test_tmpdir_remove (tree);
    }
}

/* An image that cannot be read is none of our business where every driver is
 * in the kernel, and an error where it is not. */
static void
test_constructed_lzo_image_is_no_matter_for_built_in_drivers (void **state)
{
  (void) state;

  for (unsigned stale = 0; stale < 2; ++stale) {
    char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, nothing);
    struct v2v_guest *g = linux_tree_open (tree);
    struct v2v_error *err = NULL;

    guest_tree_write (tree, "/boot/initrd.img-" V, "\211LZO\r\n\032\n....");
    assert_int_equal (linux_tree_fix (g, false, &err), -1);
    assert_non_null (strstr (v2v_error_message (err), "lzo"));
    v2v_error_free (err);
    err = NULL;
    guest_tree_write (tree, MODULES "modules.dep", EXT4 ":\n");
    guest_tree_write (tree, MODULES "modules.builtin",
                      VMBUS "\n" STORVSC "\n" NETVSC "\n");
    assert_ok (linux_tree_fix (g, stale, &err), err);
    assert_int_equal (v2v_guest_findings (g)->len, stale ? 1 : 0);
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

/* ---- appending ---- */

static void
test_constructed_appended_archive_tells_each_family_what_to_load (void **state)
{
  static const char list[] = "hv_vmbus\nhv_storvsc\nhv_netvsc\n";
  static const struct {
    const char *const *extra;
    const char *file, *text;
  } families[] = {
    { debian_like, "conf/modules", "old\nhv_vmbus\nhv_storvsc\nhv_netvsc\n" },
    { dracut_like, "etc/cmdline.d/90-v2v-hyperv.conf",
      "rd.driver.pre=hv_vmbus\nrd.driver.pre=hv_storvsc\n"
      "rd.driver.pre=hv_netvsc\n" },
    { dracut_like, "etc/modules-load.d/v2v-hyperv.conf", list },
    { dracut_like, "usr/lib/dracut/hooks/pre-udev/00-v2v-hyperv.sh", NULL },
    { arch_like, "config",
      "old\nMODULES=\"$MODULES hv_vmbus hv_storvsc hv_netvsc\"\n" },
    { alpine_like, "etc/modules", list },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (families); ++i) {
    char *tree =
        linux_tree_make ("/boot/initrd.img-" V, families[i].extra, nothing);
    struct v2v_guest *g = linux_tree_open (tree);
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;

    assert_ok (linux_tree_fix (g, false, &err), err); /* nothing can run here */
    linux_tree_assert_finding (g, "guest.initramfs.appended");
    im = linux_tree_read_image (tree, "/boot/initrd.img-" V);
    linux_tree_assert_image_has (&im, families[i].file, families[i].text);
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/modules.dep",
                                 VMBUS ":\n" FC ":\n" STORVSC ": " FC " " VMBUS
                                       "\n" NETVSC ": " VMBUS "\n" EXT4 ":\n");
    /* The link stays a link: no folder takes its place. */
    assert_true (S_ISLNK (v2v_initramfs_find (&im, "lib")->mode));
    assert_true (guest_tree_exists (tree, "/boot/initrd.img-" V ".pre-v2v"));
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

static void
test_constructed_append_is_asked_for_and_runs_no_tool (void **state)
{
  static const struct v2v_guest_opts opts = { .initramfs =
                                                  V2V_INITRAMFS_APPEND };
  char *tree =
      linux_tree_make ("/boot/initramfs-" V ".img", dracut_like, nothing);
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/bin/dracut", "");
  linux_tree_let_run (g, tree, "/boot/initramfs-" V ".img", dracut_like,
                      all_there, 0);
  v2v_guest_set_opts (g, &opts);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 0);
  linux_tree_assert_finding (g, "guest.initramfs.appended");
  guest_tree_assert_has (tree, "/etc/dracut.conf.d/10-hyperv.conf",
                         "hv_storvsc");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_packed_modules_and_images_are_appended (void **state)
{
  static const struct {
    const char *program, *args, *suffix;
  } packings[] = { { "xz", "--check=crc32", ".xz" },
                   { "zstd", "-q --rm", ".zst" },
                   { "gzip", "-n", ".gz" } };
  static const char *const images[] = { "gzip -nc", "xz --check=crc32 -c",
                                        "zstd -qc", "lz4 -qlc" };
  (void) state;

  for (size_t i = 0; i < 4; ++i) {
    const size_t m = i % 3;
    char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, nothing);
    struct v2v_guest *g;
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;
    char cmd[2048];
    const char *const sh[] = { "sh", "-ec", cmd, NULL };

    if (!test_have ("xz") || !test_have ("zstd") || !test_have ("lz4"))
      skip ();
    snprintf (
        cmd, sizeof cmd,
        "cd %s%s; find kernel -name '*.ko' | xargs %s %s; "
        "sed -i 's/\\.ko/.ko%s/g' modules.dep; cd %s/boot; %s initrd* > tmp; "
        "mv tmp initrd.img-" V,
        tree, MODULES, packings[m].program, packings[m].args,
        packings[m].suffix, tree, images[i]);
    assert_int_equal (test_run (sh, NULL), 0);
    g = linux_tree_open (tree);
    assert_ok (linux_tree_fix (g, false, &err), err);
    im = linux_tree_read_image (tree, "/boot/initrd.img-" V);
    if (im.nr_parts != 2)
      fail_msg ("%s: %u parts", images[i], im.nr_parts);
    /* Unpacked, under the plain name; what was there keeps its own. */
    linux_tree_assert_image_has (&im, "usr/lib/modules/" V "/" STORVSC, NULL);
    assert_int_equal (
        v2v_initramfs_find (&im, "usr/lib/modules/" V "/" STORVSC)->size_bytes,
        strlen ("\177ELF storvsc"));
    assert_non_null (strstr (
        v2v_initramfs_find (&im, "usr/lib/modules/" V "/modules.dep")->data,
        "\n" STORVSC ": " FC " " VMBUS "\n"));
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* ---- what cannot be done is an error ---- */

static void
test_constructed_what_would_not_start_is_an_error (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  char *tree;
  (void) state;

  /* Made by nobody we know, and no linux_tree_tool. */
  tree = linux_tree_make ("/boot/initrd.img-" V, unlike, nothing);
  g = linux_tree_open (tree);
  assert_int_equal (linux_tree_fix (g, false, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "not known how this initramfs is told");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);

  /* An initramfs that cannot be read. */
  tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, nothing);
  guest_tree_write (tree, "/boot/initrd.img-" V, "garbage");
  g = linux_tree_open (tree);
  assert_int_equal (linux_tree_fix (g, false, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "neither an archive");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);

  /* No kernel has the drivers. */
  tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/boot/vmlinuz-2.6.9", "k", NULL, 0 },
      { "/lib/modules/2.6.9/modules.dep", "", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  g = linux_tree_open (tree);
  assert_int_equal (linux_tree_fix (g, false, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "no kernel of the guest");
  linux_tree_assert_finding (g, "guest.kernel.no-hyperv");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);

  /* A module that is no module. */
  tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, nothing);
  guest_tree_write (tree, MODULES FC, "text");
  g = linux_tree_open (tree);
  assert_int_equal (linux_tree_fix (g, false, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "is no module");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* Where it is asked for: by crypttab, by Arch's own, on the command line. */
static void
test_constructed_passphrase_needs_the_keyboard (void **state)
{
  static const char keyboard[] = "kernel/drivers/input/serio/"
                                 "hyperv-keyboard.ko";
  static const char *const asks[][2] = {
    { "/etc/crypttab", "root UUID=x none luks\n" },
    { "/etc/crypttab.initramfs", "root UUID=x none luks\n" },
    { "/etc/kernel/cmdline", "cryptdevice=UUID=x:root\n" },
    { "/boot/loader/entries/a.conf", "options rd.luks.uuid=x\n" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (asks); ++i) {
    char *tree =
        linux_tree_make ("/boot/initrd.img-" V, debian_like, all_there);
    struct v2v_guest *g = linux_tree_open (tree);
    CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_error *err = NULL;
    char path[256], dep[1024];

    snprintf (path, sizeof path, MODULES "%s", keyboard);
    guest_tree_write (tree, path, "\177ELF");
    snprintf (dep, sizeof dep,
              VMBUS ":\n" FC ":\n" STORVSC ": " FC " " VMBUS "\n%s: " VMBUS
                    "\n",
              keyboard);
    guest_tree_write (tree, MODULES "modules.dep", dep);
    guest_tree_write (tree, "/etc/crypttab", "# none\n");
    assert_ok (linux_tree_fix (g, false, &err), err);
    guest_tree_assert_unchanged (g);
    guest_tree_write (tree, asks[i][0], asks[i][1]);
    assert_ok (linux_tree_fix (g, false, &err), err);
    im = linux_tree_read_image (tree, "/boot/initrd.img-" V);
    assert_non_null (v2v_initramfs_find_module (&im, V, "hyperv_keyboard"));
    v2v_guest_close (g);
    linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

/* ---- copies of files ---- */

static void
test_constructed_pinned_names_are_appended_without_a_rebuild (void **state)
{
  static const char link[] = "/etc/systemd/network/10-v2v-ens192.link";
  char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, all_there);
  struct v2v_guest *g = linux_tree_open (tree);
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
  guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
  guest_tree_write (tree, link, "[Link]\nName=ens192\n");
  linux_tree_let_run (g, tree, "/boot/initrd.img-" V, debian_like, all_there,
                      0);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 0);
  linux_tree_assert_finding (g, "guest.initramfs.names-appended");
  im = linux_tree_read_image (tree, "/boot/initrd.img-" V);
  linux_tree_assert_image_has (&im, link + 1, "[Link]\nName=ens192\n");
  v2v_guest_close (g);
  linux_tree_assert_stable (tree);
  test_tmpdir_remove (tree);
}

static void
test_constructed_stale_image_is_made_again (void **state)
{
  char *tree = linux_tree_make ("/boot/initrd.img-" V, debian_like, all_there);
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/sbin/update-initramfs", "");
  guest_tree_write (tree, "/usr/sbin/mkinitramfs", "");
  linux_tree_let_run (g, tree, "/boot/initrd.img-" V, debian_like, all_there,
                      0);
  assert_ok (linux_tree_fix (g, true, &err), err);
  assert_int_equal (linux_tree_tool.calls, 1);
  assert_int_equal (v2v_guest_findings (g)->len, 0);
  linux_tree_tool.status = 1;
  assert_ok (linux_tree_fix (g, true, &err), err);
  /* No copy in it names anything old: the tool's failure is all there is. */
  linux_tree_assert_finding (g, "guest.initramfs.tool-failed");
  assert_int_equal (v2v_guest_findings (g)->len, 1);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_dry_run_runs_nothing_and_fails_nothing (void **state)
{
  char *tree =
      linux_tree_make ("/boot/initramfs-" V ".img", dracut_like, nothing);
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/bin/dracut", "");
  linux_tree_let_run (g, tree, "/boot/initramfs-" V ".img", dracut_like,
                      all_there, 0);
  v2v_guest_set_dry_run (g, true);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 0);
  assert_false (guest_tree_exists (tree, "/boot/initramfs-" V ".img.pre-v2v"));
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* ---- modprobe judges the index ---- */

static void
test_modprobe_resolves_the_index_we_write (void **state)
{
  struct kmod_entry entries[64];
  struct v2v_str index = V2V_STR_INIT;
  struct v2v_error *err = NULL;
  char *tree = guest_tree_make ((const struct guest_tree_entry[]){
      { "/lib/modules/" V "/modules.dep", "", NULL, 0 },
      { NULL, NULL, NULL, 0 } });
  char path[512], out[512];
  const char *argv[] = { "modprobe",       "-d", tree, "-S", V,
                         "--show-depends", NULL, NULL };
  (void) state;

  if (!test_have ("modprobe"))
    skip ();
  /* Names that share beginnings, end within others, and are numbers. */
  for (int i = 0; i < 64; ++i) {
    static const char *const stems[] = { "hv",  "hv_", "hv_storvsc", "h",
                                         "x_1", "zz9", "hv_stor",    "a" };

    assert_true (asprintf (&entries[i].key, "%s%d", stems[i % 8], i) > 0);
    if (i < 8) {
      free (entries[i].key);
      entries[i].key = strdup (stems[i]);
    }
    assert_true (asprintf (&entries[i].value, "kernel/%s.ko: kernel/d%d.ko",
                           entries[i].key, i) > 0);
  }
  assert_ok (kmod_index_write (entries, 64, &index, &err), err);
  snprintf (path, sizeof path, "%s/lib/modules/" V "/modules.dep.bin", tree);
  snprintf (out, sizeof out, "%s/out", tree);
  test_write_file (path, index.ptr, index.len);
  for (int i = 0; i < 64; ++i) {
    CLEANUP_FREE char *text = NULL, *want = NULL;
    size_t len;

    argv[6] = entries[i].key;
    assert_int_equal (test_run (argv, out), 0);
    text = test_read_file (out, &len);
    assert_true (asprintf (&want, "/%s.ko", entries[i].key) > 0);
    assert_non_null (memmem (text, len, want, strlen (want)));
  }
  argv[6] = "hv_stors";
  assert_int_not_equal (test_run (argv, out), 0);
  for (int i = 0; i < 64; ++i) {
    free (entries[i].key);
    free (entries[i].value);
  }
  v2v_str_free (&index);
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_debian_default_is_left_alone),
    cmocka_unit_test (test_constructed_each_family_is_rebuilt_by_its_own_tool),
    cmocka_unit_test (
        test_constructed_every_kernel_is_rebuilt_not_the_newest_alone),
    cmocka_unit_test (
        test_constructed_tool_that_fails_or_lies_is_replaced_by_an_archive),
    cmocka_unit_test (
        test_constructed_appended_archive_tells_each_family_what_to_load),
    cmocka_unit_test (test_constructed_append_is_asked_for_and_runs_no_tool),
    cmocka_unit_test (test_constructed_packed_modules_and_images_are_appended),
    cmocka_unit_test (test_constructed_what_would_not_start_is_an_error),
    cmocka_unit_test (test_constructed_passphrase_needs_the_keyboard),
    cmocka_unit_test (
        test_constructed_pinned_names_are_appended_without_a_rebuild),
    cmocka_unit_test (test_constructed_stale_image_is_made_again),
    cmocka_unit_test (test_constructed_dry_run_runs_nothing_and_fails_nothing),
    cmocka_unit_test (
        test_constructed_tool_that_drops_cryptsetup_is_replaced_by_an_archive),
    cmocka_unit_test (test_constructed_lists_of_every_shape_take_the_drivers),
    cmocka_unit_test (
        test_constructed_lzo_image_is_no_matter_for_built_in_drivers),
    cmocka_unit_test (test_modprobe_resolves_the_index_we_write),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
