/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unified kernel images: which kernel is in one, and making one again by the
 * guest's own tool.  The images and guests are constructed; the tool is played
 * by a function of the test. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/uki.h"
#include "linux-tree.h"
#include "test-util.h"

#define UKI "/efi/EFI/Linux/image.efi"

static const char *const no_hyperv[] = { EXT4, NULL };

/* A guest whose only image is unified. */
static char *
make_tree (const char *const modules[], const char *cmdline, bool is_signed)
{
  char *tree = linux_tree_make (NULL, NULL, NULL);
  char host[512];

  snprintf (host, sizeof host, "%s/boot/vmlinuz-" V, tree);
  assert_int_equal (remove (host), 0);
  guest_tree_write (tree, MODULES "vmlinuz", "kernel");
  linux_tree_put_unified (tree, UKI, modules, V, cmdline, is_signed);
  return tree;
}

static struct v2v_guest *
open_tree (const char *tree)
{
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_filesystem *fs = v2v_os_add_filesystem (v2v_guest_os (g));

  assert_non_null (fs);
  fs->device = strdup ("/dev/sda2");
  fs->type = strdup ("ext4");
  fs->uuid = strdup ("0fc6");
  return g;
}

static void
let_make (struct v2v_guest *g, const char *tree, const char *const modules[],
          const char *cmdline)
{
  linux_tree_let_run (g, tree, UKI, NULL, modules, 0);
  linux_tree_tool.is_unified = true;
  linux_tree_tool.cmdline = cmdline;
}

static void
test_constructed_version_is_read_from_the_image (void **state)
{
  static const char *const names[] = { "image.efi", "debian-5.0-other.efi" };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    for (unsigned other = 0; other < 2; ++other) {
      char *tree = linux_tree_make (NULL, NULL, NULL);
      struct v2v_guest *g = linux_tree_open (tree);
      struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
      struct v2v_error *err = NULL;
      char path[128];

      snprintf (path, sizeof path, "%s/boot/vmlinuz-" V, tree);
      assert_int_equal (remove (path), 0);
      guest_tree_write (tree, "/lib/modules/5.0-other/modules.dep", "");
      snprintf (path, sizeof path, "/boot/efi/EFI/Linux/%s", names[i]);
      linux_tree_put_unified (tree, path, all_there, other ? "5.0-other" : V,
                              NULL, false);
      assert_ok (linux_find_kernels (&l, &err), err);
      assert_int_equal (l.nr_kernels, 1);
      assert_true (l.kernels[0].is_uki);
      assert_string_equal (l.kernels[0].version, other ? "5.0-other" : V);
      assert_string_equal (l.kernels[0].image, path);
      linux_kernels_clear (&l);
      v2v_guest_close (g);
      test_tmpdir_remove (tree);
    }
}

static void
test_constructed_good_image_is_left_alone (void **state)
{
  char *tree = make_tree (all_there, "root=UUID=0fc6 ro\n", true);
  struct v2v_guest *g = open_tree (tree);
  struct v2v_error *err = NULL;
  (void) state;

  guest_tree_write (tree, "/usr/bin/dracut", "");
  let_make (g, tree, all_there, NULL);
  assert_ok (linux_tree_fix (g, false, &err), err);
  assert_int_equal (linux_tree_tool.calls, 0);
  guest_tree_assert_unchanged (g);
  assert_int_equal (v2v_guest_findings (g)->len, 0);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

static void
test_constructed_image_without_drivers_is_made_again (void **state)
{
  static const struct {
    const char *program, *file, *text, *command;
  } tools[] = {
    { "/usr/bin/dracut", NULL, NULL,
      "/usr/bin/dracut|--force|--uefi|--add-drivers|hv_vmbus hv_storvsc "
      "hv_netvsc|--no-hostonly-cmdline|--kernel-cmdline|root=UUID=0fc6 ro|" UKI
      "|" V },
    { "/usr/bin/mkinitcpio", "/etc/mkinitcpio.d/linux.preset",
      "PRESETS=('default')\ndefault_uki=\"" UKI "\"\n",
      "/usr/bin/mkinitcpio|-p|/etc/mkinitcpio.d/linux.preset" },
    { "/usr/bin/mkinitcpio", "/etc/mkinitcpio.d/linux.preset",
      "default_uki=\"" UKI ".other\"\n",
      "/usr/bin/mkinitcpio|-k|" V "|-U|" UKI },
    { "/usr/bin/kernel-install", "/etc/kernel/install.conf",
      "# x\nlayout=uki\n",
      "/usr/bin/kernel-install|add|" V "|/lib/modules/" V "/vmlinuz" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (tools); ++i)
    for (unsigned is_signed = 0; is_signed < 2; ++is_signed) {
      /* A command line with an old name is given with the new one. */
      char *tree = make_tree (no_hyperv, "root=/dev/sda2 ro", is_signed);
      struct v2v_guest *g = open_tree (tree);
      struct v2v_error *err = NULL;

      guest_tree_write (tree, tools[i].program, "");
      if (tools[i].file != NULL)
        guest_tree_write (tree, tools[i].file, tools[i].text);
      guest_tree_write (tree, "/etc/mkinitcpio.conf", "MODULES=()\n");
      let_make (g, tree, all_there, "root=UUID=0fc6 ro");
      assert_ok (linux_tree_fix (g, false, &err), err);
      assert_string_equal (linux_tree_tool.command, tools[i].command);
      assert_int_equal (linux_tree_tool.calls, 1);
      assert_true (guest_tree_exists (tree, UKI ".pre-v2v"));
      assert_int_equal (v2v_guest_findings (g)->len, is_signed);
      if (is_signed)
        linux_tree_assert_finding (g, "guest.initramfs.unsigned");
      v2v_guest_close (g);
      linux_tree_assert_stable (tree);
      test_tmpdir_remove (tree);
    }
}

/* A signature that Secure Boot asks for is not given up; what a tool makes is
 * looked at; the old image comes back. */
static void
test_constructed_image_that_cannot_be_made_again_is_an_error (void **state)
{
  static const struct {
    bool is_signed, has_tool, runs;
    const char *const *makes;
    const char *message;
  } cases[] = {
    { true, true, true, all_there, "Secure Boot" },
    { false, false, true, all_there, "no tool of the guest" },
    { false, true, false, all_there, "no tool of the guest" },
    { false, true, true, no_hyperv, "could not be made again" },
  };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_machine m = { .secure_boot = V2V_YES };
    char *tree = make_tree (no_hyperv, NULL, cases[i].is_signed);
    size_t len, len_after;
    char host[512];
    CLEANUP_FREE char *before = NULL, *after = NULL;
    struct v2v_guest *g = open_tree (tree);
    struct v2v_error *err = NULL;

    snprintf (host, sizeof host, "%s" UKI, tree);
    before = test_read_file (host, &len);
    v2v_guest_set_machine (g, &m);
    if (cases[i].has_tool)
      guest_tree_write (tree, "/usr/bin/dracut", "");
    if (cases[i].runs)
      let_make (g, tree, cases[i].makes, NULL);
    assert_int_equal (linux_tree_fix (g, false, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, cases[i].message);
    after = test_read_file (host, &len_after);
    assert_int_equal (len, len_after);
    assert_memory_equal (before, after, len);
    assert_false (guest_tree_exists (tree, UKI ".pre-v2v"));
    v2v_guest_close (g);
    test_tmpdir_remove (tree);
  }
}

static void
test_constructed_old_names_in_an_image_are_critical (void **state)
{
  char *tree = make_tree (all_there, "quiet root=/dev/sda2", false);
  struct v2v_guest *g = open_tree (tree);
  struct v2v_error *err = NULL;
  const struct v2v_finding *f;
  (void) state;

  assert_ok (linux_tree_fix (g, false, &err), err);
  f = v2v_findings_find (v2v_guest_findings (g),
                         "guest.initramfs.unified-names");
  assert_non_null (f);
  assert_int_equal (f->severity, V2V_CRITICAL);
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* Fedora's kernel-uki-virt beside the usual kernel, called as its maker likes.
 */
static void
test_constructed_second_image_of_a_kernel_is_made_again_or_critical (
    void **state)
{
  (void) state;

  for (unsigned can_run = 0; can_run < 2; ++can_run) {
    char *tree =
        linux_tree_make ("/boot/initramfs-" V ".img", dracut_like, all_there);
    struct v2v_guest *g = open_tree (tree);
    struct v2v_error *err = NULL;

    linux_tree_put_unified (tree, UKI, no_hyperv, V, NULL, false);
    guest_tree_write (tree, "/usr/bin/dracut", "");
    if (can_run)
      let_make (g, tree, all_there, NULL);
    assert_ok (linux_tree_fix (g, false, &err), err);
    if (can_run)
      assert_int_equal (v2v_guest_findings (g)->len, 0);
    else
      linux_tree_assert_finding (g, "guest.initramfs.unified-lacks");
    v2v_guest_close (g);
    if (can_run)
      linux_tree_assert_stable (tree);
    test_tmpdir_remove (tree);
  }
}

static void
test_constructed_sections_and_signature_are_found_within_bounds (void **state)
{
  char *tree = make_tree (all_there, "a b\n\n", true);
  struct v2v_error *err = NULL;
  char host[512];
  size_t len;
  CLEANUP_FREE char *data = NULL;
  (void) state;

  snprintf (host, sizeof host, "%s" UKI, tree);
  data = test_read_file (host, &len);
  for (size_t cut = 0; cut <= len; cut = cut < 2100 ? cut + 1 : len + 1) {
    /* Whatever is cut off, there is an answer. */
    struct v2v_io *io = v2v_io_from_buffer ("uki", data, cut, &err);
    CLEANUP_FREE char *text = NULL;

    assert_ptr (io, err);
    text = v2v_uki_read_text (io, ".cmdline", &err);
    if (text != NULL)
      assert_string_equal (text, "a b");
    else
      assert_true (err != NULL && cut < 2048);
    v2v_error_free (err);
    err = NULL;
    if (v2v_uki_is_signed (io, &err) == -1)
      v2v_error_free (err);
    err = NULL;
    v2v_io_unref (io);
  }
  {
    struct v2v_io *io = v2v_io_from_buffer ("uki", data, len, &err);

    assert_int_equal (v2v_uki_is_signed (io, &err), 1);
    assert_null (v2v_uki_read_text (io, ".none", &err));
    assert_null (err);
    v2v_io_unref (io);
  }
  test_tmpdir_remove (tree);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_version_is_read_from_the_image),
    cmocka_unit_test (test_constructed_good_image_is_left_alone),
    cmocka_unit_test (test_constructed_image_without_drivers_is_made_again),
    cmocka_unit_test (
        test_constructed_image_that_cannot_be_made_again_is_an_error),
    cmocka_unit_test (test_constructed_old_names_in_an_image_are_critical),
    cmocka_unit_test (
        test_constructed_second_image_of_a_kernel_is_made_again_or_critical),
    cmocka_unit_test (
        test_constructed_sections_and_signature_are_found_within_bounds),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
