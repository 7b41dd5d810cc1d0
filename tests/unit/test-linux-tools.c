/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware's tools out, settings that fit VMware only: on constructed trees.  The
 * programs of the guest are recorded, not run. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "inject/guest-front.h"
#include "inject/linux-internal.h"
#include "guest-tree.h"
#include "test-util.h"

/* ---- a guest whose programs are recorded ---- */

static struct v2v_guest_ops recording;
static char command[4096];
static int status_to_return;

static int
record_run (void *h, const char *const argv[], unsigned seconds,
            int *ret_status, char **ret_output, struct v2v_error **err)
{
  (void) h;
  (void) err;
  assert_true (seconds >= 60);
  for (size_t i = 0; argv[i] != NULL; ++i) {
    const size_t len = strlen (command);

    snprintf (command + len, sizeof command - len, "%s%s", len ? " " : "",
              argv[i]);
  }
  *ret_status = status_to_return;
  if (ret_output != NULL)
    *ret_output = strdup ("dpkg: dependency problems\n it is needed\n");
  return 0;
}

static struct v2v_guest *
open_recording (const char *dir, const char *distro, const char *format)
{
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, distro, 9);

  guest_tree_set (&v2v_guest_os (g)->package_format, format);
  recording = *g->ops;
  recording.run = record_run;
  g->ops = &recording;
  command[0] = '\0';
  status_to_return = 0;
  return g;
}

static void
remove_tools (struct v2v_guest *g)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;

  assert_ok (linux_remove_tools (&l, &err), err);
}

static bool
fix_settings (struct v2v_guest *g)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;

  assert_ok (linux_fix_settings (&l, &err), err);
  return l.initramfs_is_stale;
}

static const struct v2v_finding *
finding (struct v2v_guest *g, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (g), id);
}

/* ---- packages ---- */

static void
check_command (const char *format, const char *expected)
{
  char *dir = guest_tree_make (NULL);
  struct v2v_guest *g = open_recording (dir, "any", format);

  guest_tree_add_application (g, "bash");
  guest_tree_add_application (g, "open-vm-tools");
  guest_tree_add_application (g, "open-vm-tools-desktop");
  guest_tree_add_application (g, "open-vm-tools --force"); /* hostile */
  guest_tree_add_application (g, "xserver-xorg-video-vmware");
  remove_tools (g);
  assert_string_equal (command, expected);
  assert_null (finding (g, "guest.tools.not-removed"));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_packages_are_removed_by_the_guests_own_manager (void **state)
{
  (void) state;
  check_command ("deb", "/usr/bin/env LC_ALL=C DEBIAN_FRONTEND=noninteractive "
                        "/usr/bin/dpkg --remove open-vm-tools "
                        "open-vm-tools-desktop");
  check_command ("rpm", "rpm -e open-vm-tools open-vm-tools-desktop");
  check_command ("pacman",
                 "pacman -R --noconfirm open-vm-tools open-vm-tools-desktop");
  check_command ("apk",
                 "apk del --no-network open-vm-tools open-vm-tools-desktop");
  check_command ("unheard-of", "");
}

static void
test_packages_of_vmwares_own_repositories_are_known (void **state)
{
  char *dir = guest_tree_make (NULL);
  struct v2v_guest *g = open_recording (dir, "rhel", "rpm");

  (void) state;
  guest_tree_add_application (g, "vmware-tools-esx-nox");
  guest_tree_add_application (g, "kmod-vmware-tools-vmci");
  guest_tree_add_application (g, "VMwareTools");
  guest_tree_add_application (g, "xorg-x11-drv-vmware");
  remove_tools (g);
  assert_string_equal (
      command,
      "rpm -e vmware-tools-esx-nox kmod-vmware-tools-vmci VMwareTools");
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_refused_removal_is_a_warning_and_the_service_is_disabled (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/systemd/system/multi-user.target.wants/"
              "open-vm-tools.service",
      .link = "/lib/systemd/system/open-vm-tools.service" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = open_recording (dir, "debian", "deb");

  (void) state;
  guest_tree_add_application (g, "open-vm-tools");
  status_to_return = 1;
  remove_tools (g);
  assert_non_null (finding (g, "guest.tools.not-removed"));
  assert_int_equal (finding (g, "guest.tools.not-removed")->severity,
                    V2V_WARNING);
  assert_non_null (
      strstr (finding (g, "guest.tools.not-removed")->message, "it is needed"));
  assert_false (guest_tree_exists (dir, tree[0].path));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_ubuntu_server_keeps_the_package (void **state)
{
  char *dir = guest_tree_make (NULL);
  struct v2v_guest *g = open_recording (dir, "ubuntu", "deb");

  (void) state;
  guest_tree_add_application (g, "open-vm-tools");
  guest_tree_add_application (g, "ubuntu-server");
  remove_tools (g);
  assert_string_equal (command, "");
  assert_non_null (finding (g, "guest.tools.kept"));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_nothing_is_run_in_a_dry_run_or_when_tools_are_kept (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/systemd/system/vmtoolsd.service",
      .link = "/usr/lib/systemd/system/vmtoolsd.service" },
    { .path = "/usr/bin/vmware-uninstall-tools.pl", .text = "#!/bin/false\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = open_recording (dir, "debian", "deb");
  struct v2v_guest_opts opts = { .keep_tools = true };

  (void) state;
  guest_tree_add_application (g, "open-vm-tools");
  v2v_guest_set_opts (g, &opts);
  remove_tools (g);
  guest_tree_assert_unchanged (g);
  opts.keep_tools = false;
  v2v_guest_set_opts (g, &opts);
  v2v_guest_set_dry_run (g, true);
  remove_tools (g);
  assert_string_equal (command, "");
  assert_false (guest_tree_exists (dir, tree[0].path));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* ---- disabling ---- */

static void
test_services_are_disabled_in_every_system_of_starting (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/systemd/system/multi-user.target.wants/vmtoolsd.service",
      .link = "/usr/lib/systemd/system/vmtoolsd.service" },
    { .path = "/etc/systemd/system/vmtoolsd.service.requires/vgauthd.service",
      .link = "/usr/lib/systemd/system/vgauthd.service" },
    { .path = "/etc/systemd/system/vgauth.service", .link = "/dev/null" },
    { .path = "/etc/systemd/system/multi-user.target.wants/ssh.service",
      .link = "/usr/lib/systemd/system/ssh.service" },
    { .path = "/etc/rc3.d/S20open-vm-tools",
      .link = "../init.d/open-vm-tools" },
    { .path = "/etc/rc3.d/S03vmware-tools", .link = "../init.d/vmware-tools" },
    { .path = "/etc/rc3.d/S20ssh", .link = "../init.d/ssh" },
    { .path = "/etc/init/vmware-tools.conf", .text = "start on x\n" },
    { .path = "/etc/runlevels/boot/open-vm-tools",
      .link = "/etc/init.d/open-vm-tools" },
    { .path = NULL },
  };
  static const char *const gone[] = {
    "/etc/systemd/system/multi-user.target.wants/vmtoolsd.service",
    "/etc/systemd/system/vmtoolsd.service.requires/vgauthd.service",
    "/etc/rc3.d/S20open-vm-tools",
    "/etc/rc3.d/S03vmware-tools",
    "/etc/runlevels/boot/open-vm-tools",
  };
  static const char *const there[] = {
    "/etc/systemd/system/multi-user.target.wants/ssh.service",
    "/etc/systemd/system/vgauth.service",
    "/etc/rc3.d/K80open-vm-tools",
    "/etc/rc3.d/K97vmware-tools",
    "/etc/rc3.d/S20ssh",
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 7);

  (void) state;
  remove_tools (g);
  for (size_t i = 0; i < sizeof gone / sizeof *gone; ++i)
    if (guest_tree_exists (dir, gone[i]))
      fail_msg ("%s is still there", gone[i]);
  for (size_t i = 0; i < sizeof there / sizeof *there; ++i)
    if (!guest_tree_exists (dir, there[i]))
      fail_msg ("%s is not there", there[i]);
  guest_tree_assert_text (dir, "/etc/init/vmware-tools.override", "manual\n");
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 7);
  remove_tools (g);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* ---- the tarball ---- */

static void
test_tarball_is_told_to_forget_old_ramdisks_before_it_goes (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/usr/bin/vmware-uninstall-tools.pl",
      .text = "#!/usr/bin/perl\n",
      .mode = 0755 },
    { .path = "/etc/vmware-tools/locations",
      .text = "answer RESTORE_RAMDISK_CMD mkinitrd" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = open_recording (dir, "rhel", "rpm");

  (void) state;
  remove_tools (g);
  assert_string_equal (command, "/usr/bin/vmware-uninstall-tools.pl");
  guest_tree_assert_text (dir, "/etc/vmware-tools/locations",
                          "answer RESTORE_RAMDISK_CMD mkinitrd\n"
                          "remove_answer RESTORE_RAMDISK_CMD\n"
                          "remove_answer RESTORE_RAMDISK_KERNELS\n"
                          "remove_answer RESTORE_RAMDISK_ONECALL\n");
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* ---- repositories ---- */

static void
test_repositories_of_vmware_are_disabled_photons_are_not (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/yum.repos.d/vmware.repo",
      .text = "[base]\nbaseurl=http://mirror.example.com/\nenabled=1\n"
              "[vmware-tools]\nenabled_metadata=0\nname=Tools\n"
              "baseurl=http://packages.vmware.com/tools/esx/5.1/rhel6/\n"
              "enabled = 1\ngpgcheck=1\n"
              "[vmware-off]\nenabled=0\n"
              "baseurl=https://packages.vmware.com/tools/x/\n" },
    { .path = "/etc/yum.repos.d/photon.repo",
      .text = "[photon]\nenabled=1\n"
              "baseurl=https://packages.vmware.com/photon/3.0/x\n" },
    { .path = "/etc/apt/sources.list.d/vmware-tools.list",
      .text = "deb http://packages.vmware.com/tools/esx/5.1/ubuntu x main\n"
              "deb http://deb.debian.org/debian sid main\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 6);

  (void) state;
  remove_tools (g);
  guest_tree_assert_text (
      dir, tree[0].path,
      "[base]\nbaseurl=http://mirror.example.com/\nenabled=1\n"
      "[vmware-tools]\nenabled=0\nenabled_metadata=0\nname=Tools\n"
      "baseurl=http://packages.vmware.com/tools/esx/5.1/rhel6/\n"
      "gpgcheck=1\n"
      "[vmware-off]\nenabled=0\n"
      "baseurl=https://packages.vmware.com/tools/x/\n");
  guest_tree_assert_text (dir, tree[1].path, tree[1].text);
  guest_tree_assert_text (
      dir, tree[2].path,
      "# deb http://packages.vmware.com/tools/esx/5.1/ubuntu x main\n"
      "deb http://deb.debian.org/debian sid main\n");
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 6);
  remove_tools (g);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* ---- settings ---- */

static void
test_blacklisted_drivers_of_hyperv_are_allowed_again (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/modprobe.d/cis.conf",
      .text = "install cramfs /bin/false\r\n"
              "install  hv-storvsc\t/bin/true\r\n"
              "blacklist hv_vmbus\r\n"
              "# blacklist hv_netvsc\r\n"
              "blacklist hv_vmbus_other\r\n"
              "alias hv_utils off\r\n"
              "install hv_balloon /sbin/modprobe --ignore-install hv_balloon" },
    { .path = "/etc/modprobe.d/old-name", .text = "blacklist hv_netvsc\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);

  (void) state;
  assert_true (fix_settings (g)); /* the initramfs has a copy */
  guest_tree_assert_text (
      dir, tree[0].path,
      "install cramfs /bin/false\r\n"
      "# v2v: install  hv-storvsc\t/bin/true\r\n"
      "# v2v: blacklist hv_vmbus\r\n"
      "# blacklist hv_netvsc\r\n"
      "blacklist hv_vmbus_other\r\n"
      "# v2v: alias hv_utils off\r\n"
      "install hv_balloon /sbin/modprobe --ignore-install hv_balloon");
  guest_tree_assert_text (dir, tree[1].path, "# v2v: blacklist hv_netvsc\n");
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);
  assert_false (fix_settings (g));
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_modules_of_vmware_are_no_longer_loaded (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/modules", .text = "# modules\nloop\nvmw_pvscsi\nvmxnet\n" },
    { .path = "/etc/modules-load.d/vmware.conf", .text = "vmw-vmci\nfuse\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);

  (void) state;
  assert_false (fix_settings (g));
  guest_tree_assert_text (
      dir, "/etc/modules",
      "# modules\nloop\n# v2v: vmw_pvscsi\n# v2v: vmxnet\n");
  guest_tree_assert_text (dir, "/etc/modules-load.d/vmware.conf",
                          "# v2v: vmw-vmci\nfuse\n");
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_driver_of_the_display_is_one_that_is_there (void **state)
{
  static const char before[] = "Section \"Device\"\n\tdriver  \"VMware\" # x\n"
                               "EndSection\nSection \"InputDevice\"\n"
                               "  Driver \"vmmouse\"\nEndSection\n"
                               "# Driver \"vmware\"\n";
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/X11/xorg.conf", .text = before },
    { .path = "/etc/X11/xorg.conf.d/50-v.conf", .text = before },
    { .path = NULL },
  };

  (void) state;
  for (int old = 0; old < 2; ++old) {
    char *dir = guest_tree_make (tree);
    struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 5);
    char after[512];

    if (old)
      guest_tree_write (dir, "/usr/lib64/xorg/modules/drivers/fbdev_drv.so",
                        "");
    fix_settings (g);
    snprintf (after, sizeof after,
              "Section \"Device\"\n\tdriver  \"%s\" # x\n"
              "EndSection\nSection \"InputDevice\"\n"
              "  Driver \"mouse\"\nEndSection\n# Driver \"vmware\"\n",
              old ? "fbdev" : "modesetting");
    guest_tree_assert_text (dir, tree[0].path, after);
    guest_tree_assert_text (dir, tree[1].path, after);
    v2v_guest_close (g);
    test_tmpdir_remove (dir);
  }
}

static void
test_clock_device_of_vmware_is_a_finding (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/chrony.conf",
      .text = "server a\nrefclock PHC /dev/ptp_vmw poll 3\n" },
    { .path = "/etc/ntp.conf", .text = "# /dev/ptp0\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);

  (void) state;
  fix_settings (g);
  assert_int_equal (v2v_guest_findings (g)->len, 1);
  assert_string_equal (finding (g, "guest.time.ptp-device")->subject,
                       "/etc/chrony.conf");
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_hyperv_daemons_are_enabled_where_they_are_installed (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/usr/lib/systemd/system/hypervkvpd.service",
      .text = "[Unit]\nWantedBy=no.target\n[Install]\n"
              "WantedBy=multi-user.target ../evil.target  other.target\n" },
    { .path = "/usr/lib/systemd/system/hypervvssd.service",
      .text = "[Install]\nWantedBy=multi-user.target\n" },
    { .path = "/etc/systemd/system/hypervvssd.service", .link = "/dev/null" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree), *s;
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);

  (void) state;
  fix_settings (g);
  s = guest_tree_readlink (dir, "/etc/systemd/system/multi-user.target.wants/"
                                "hypervkvpd.service");
  assert_non_null (s);
  assert_string_equal (s, tree[0].path);
  free (s);
  assert_true (guest_tree_exists (
      dir, "/etc/systemd/system/other.target.wants/hypervkvpd.service"));
  assert_false (guest_tree_exists (dir, "/etc/systemd/system/no.target.wants"));
  assert_false (guest_tree_exists (dir, "/etc/systemd/evil.target.wants"));
  assert_false (guest_tree_exists (
      dir, "/etc/systemd/system/multi-user.target.wants/hypervvssd.service"));
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);
  fix_settings (g);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_kudzu_is_off (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/rc.d/rc3.d/S05kudzu", .link = "../init.d/kudzu" },
    { .path = "/etc/rc.d/init.d/kudzu", .text = "#!/bin/sh\n" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 5);

  (void) state;
  fix_settings (g);
  assert_false (guest_tree_exists (dir, "/etc/rc.d/rc3.d/S05kudzu"));
  assert_true (guest_tree_exists (dir, "/etc/rc.d/rc3.d/K95kudzu"));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_file_that_is_no_text_is_a_finding_not_a_failure (void **state)
{
  char *dir = guest_tree_make (NULL), path[4096];
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);

  (void) state;
  guest_tree_write (dir, "/etc/modprobe.d/a.conf", "");
  guest_tree_write (dir, "/etc/modprobe.d/b.conf", "blacklist hv_vmbus\n");
  snprintf (path, sizeof path, "%s/etc/modprobe.d/a.conf", dir);
  test_write_file (path, "blacklist\0hv_vmbus", 18);
  assert_true (fix_settings (g));
  assert_string_equal (finding (g, "guest.file.unreadable")->subject,
                       "/etc/modprobe.d/a.conf");
  guest_tree_assert_text (dir, "/etc/modprobe.d/b.conf",
                          "# v2v: blacklist hv_vmbus\n");
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_packages_are_removed_by_the_guests_own_manager),
    cmocka_unit_test (test_packages_of_vmwares_own_repositories_are_known),
    cmocka_unit_test (
        test_refused_removal_is_a_warning_and_the_service_is_disabled),
    cmocka_unit_test (test_ubuntu_server_keeps_the_package),
    cmocka_unit_test (test_nothing_is_run_in_a_dry_run_or_when_tools_are_kept),
    cmocka_unit_test (test_services_are_disabled_in_every_system_of_starting),
    cmocka_unit_test (
        test_tarball_is_told_to_forget_old_ramdisks_before_it_goes),
    cmocka_unit_test (test_repositories_of_vmware_are_disabled_photons_are_not),
    cmocka_unit_test (test_blacklisted_drivers_of_hyperv_are_allowed_again),
    cmocka_unit_test (test_modules_of_vmware_are_no_longer_loaded),
    cmocka_unit_test (test_driver_of_the_display_is_one_that_is_there),
    cmocka_unit_test (test_clock_device_of_vmware_is_a_finding),
    cmocka_unit_test (test_hyperv_daemons_are_enabled_where_they_are_installed),
    cmocka_unit_test (test_kudzu_is_off),
    cmocka_unit_test (test_file_that_is_no_text_is_a_finding_not_a_failure),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
