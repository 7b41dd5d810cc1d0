/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner of first-boot scripts on Linux: installed into constructed trees
 * and really run there; and what SELinux needs afterwards. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/firstboot.h"
#include "inject/linux-internal.h"
#include "guest-tree.h"
#include "test-util.h"

static const struct guest_tree_entry systemd_tree[] = {
  { .path = "/usr/lib/systemd/systemd", .text = "", .mode = 0755 },
  { .path = "/sbin/init", .link = "../usr/lib/systemd/systemd" },
  { .path = "/etc/systemd/system" },
  { .path = "/etc/init.d" },
  { .path = "/etc/rc3.d" },
  { .path = NULL },
};

#define RUNNER "/usr/sbin/v2v-firstboot"
#define FOLDER V2V_FIRSTBOOT_LINUX
#define LINK   "/etc/systemd/system/multi-user.target.wants/v2v-firstboot.service"

static void
add (struct v2v_guest *g, unsigned order, const char *name, const char *text)
{
  struct v2v_error *err = NULL;

  assert_ok (
      v2v_firstboot_add (g, order, name, text, strlen (text), true, &err), err);
}

static void
install (struct v2v_guest *g)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_firstboot_install_linux (g, &err), err);
}

static int
run_runner (const char *dir, const char *shell)
{
  char path[4096];

  snprintf (path, sizeof path, "%s" RUNNER, dir);
  setenv ("V2V_FIRSTBOOT_ROOT", dir, 1);
  return test_run ((const char *const[]){ shell, path, NULL }, NULL);
}

static void
test_runner_is_enabled_where_systemd_starts_the_guest (void **state)
{
  char *dir = guest_tree_make (systemd_tree), *s;
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);

  (void) state;
  install (g);
  guest_tree_assert_unchanged (g); /* nothing to run */
  add (g, 5000, "first", "true\n");
  install (g);
  s = guest_tree_readlink (dir, LINK);
  assert_non_null (s);
  assert_string_equal (s, "../v2v-firstboot.service");
  free (s);
  guest_tree_assert_has (dir, LINK, "Type=oneshot\n");
  assert_int_equal (guest_tree_mode (dir, RUNNER), 0755);
  assert_int_equal (guest_tree_mode (dir, FOLDER "/scripts"), 0700);
  assert_int_equal (guest_tree_mode (dir, FOLDER "/scripts/5000-first"), 0700);
  assert_false (guest_tree_exists (dir, "/etc/rc3.d/S99v2v-firstboot"));
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  add (g, 5000, "first", "true\n");
  install (g);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* systemd's own parser is the judge. */
static void
test_unit_passes_systemd_analyze (void **state)
{
  char *dir = guest_tree_make (systemd_tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  char path[4096], out[4096], *text;

  (void) state;
  add (g, 5000, "first", "true\n");
  install (g);
  v2v_guest_close (g);
  if (!test_have ("systemd-analyze")) {
    test_tmpdir_remove (dir);
    skip ();
  }
  snprintf (path, sizeof path, "%s/etc/systemd/system/v2v-firstboot.service",
            dir);
  snprintf (out, sizeof out, "%s/analyze.log", dir);
  (void) test_run (
      (const char *const[]){ "systemd-analyze", "verify", path, NULL }, out);
  /* Its status and other complaints may be about units of this host. */
  text = guest_tree_read (dir, "/analyze.log");
  if (text != NULL && strstr (text, "v2v-firstboot") != NULL)
    fail_msg ("%s", text);
  free (text);
  test_tmpdir_remove (dir);
}

static void
check_run (const char *shell)
{
  char *dir = guest_tree_make (systemd_tree), *log;
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);

  add (g, 8000, "last", "echo third >> order; ls " FOLDER " >&2\n");
  add (g, 1000, "net", "#!/bin/sh\necho first >> order\nexit 7\n");
  add (g, 5000, "user",
       "#!/bin/sh\n# secret hunter2\necho second >> order\n"
       "ls \"$V2V_FIRSTBOOT_ROOT" FOLDER "/scripts\" > left\n"
       "cat > stdin\n");
  guest_tree_write (dir, FOLDER "/scripts/5000-user~.bak", "echo bad >> order");
  guest_tree_write (dir, FOLDER "/scripts/README", "echo bad >> order");
  install (g);
  v2v_guest_close (g);

  assert_int_equal (run_runner (dir, shell), 1); /* one failed, all ran */
  guest_tree_assert_text (dir, "/order", "first\nsecond\nthird\n");
  /* The running one and those before it are away. */
  guest_tree_assert_lacks (dir, "/left", "1000-net");
  guest_tree_assert_lacks (dir, "/left", "5000-user\n");
  guest_tree_assert_has (dir, "/left", "8000-last");
  guest_tree_assert_text (dir, "/stdin", "");
  log = guest_tree_read (dir, "/var/log/v2v-firstboot.log");
  assert_non_null (log);
  assert_non_null (strstr (log, "1000-net ended with status 7"));
  assert_non_null (strstr (log, "5000-user ended with status 0"));
  assert_null (strstr (log, "hunter2"));
  free (log);
  assert_int_equal (guest_tree_mode (dir, "/var/log/v2v-firstboot.log"), 0600);
  /* Nothing of ours is left but the log. */
  assert_false (guest_tree_exists (dir, FOLDER));
  assert_false (guest_tree_exists (dir, RUNNER));
  assert_false (guest_tree_exists (dir, LINK));
  assert_false (
      guest_tree_exists (dir, "/etc/systemd/system/v2v-firstboot.service"));
  test_tmpdir_remove (dir);
}

static void
test_runner_runs_in_order_once_and_removes_itself (void **state)
{
  (void) state;
  check_run ("sh");
}

static void
test_runner_works_in_other_shells (void **state)
{
  (void) state;
  check_run ("bash");
  if (!test_have ("busybox"))
    skip ();
  else {
    char *dir = guest_tree_make (NULL);
    char path[4096], root[4096];

    /* "sh" of busybox: Alpine's and Photon's rescue shell. */
    snprintf (path, sizeof path, "%s/ash", dir);
    snprintf (root, sizeof root, "#!/bin/sh\nexec busybox ash \"$@\"\n");
    guest_tree_add (dir, &(struct guest_tree_entry){
                             .path = "/ash", .text = root, .mode = 0755 });
    check_run (path);
    test_tmpdir_remove (dir);
  }
}

/* A script that restarts the machine is not run again, the rest is. */
static void
test_script_that_did_not_return_is_not_run_again (void **state)
{
  char *dir = guest_tree_make (systemd_tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);

  (void) state;
  add (g, 5001, "after", "echo after >> order\n");
  install (g);
  v2v_guest_close (g);
  /* What the runner leaves when it is killed during a script. */
  guest_tree_add (
      dir, &(struct guest_tree_entry){ .path = FOLDER "/running/5000-reboot",
                                       .text = "echo again >> order\n",
                                       .mode = 0700 });
  assert_int_equal (run_runner (dir, "sh"), 0);
  guest_tree_assert_text (dir, "/order", "after\n");
  guest_tree_assert_has (dir, "/var/log/v2v-firstboot.log", "did not return");
  assert_false (guest_tree_exists (dir, FOLDER));
  test_tmpdir_remove (dir);
}

static void
test_runner_is_clean_for_shellcheck (void **state)
{
  (void) state;
  if (!test_have ("shellcheck"))
    skip ();
  assert_int_equal (
      test_run ((const char *const[]){ "shellcheck",
                                       SRCDIR "/inject/firstboot-linux.sh",
                                       NULL },
                NULL),
      0);
}

static void
test_constructed_rhel6_gets_links_of_sysv (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/sbin/init", .text = "\177ELF", .mode = 0755 },
    { .path = "/etc/rc.d/init.d" },
    { .path = "/etc/init.d", .link = "rc.d/init.d" },
    { .path = "/etc/rc.d/rc3.d" },
    { .path = "/etc/rc.d/rc5.d" },
    { .path = "/etc/rc3.d", .link = "rc.d/rc3.d" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 6);

  (void) state;
  add (g, 5000, "a", "echo a >> order\n");
  install (g);
  v2v_guest_close (g);
  guest_tree_assert_has (dir, "/etc/rc.d/rc3.d/S99v2v-firstboot",
                         "### BEGIN INIT INFO");
  guest_tree_assert_has (dir, "/etc/rc3.d/S99v2v-firstboot", "chkconfig:");
  assert_int_equal (guest_tree_mode (dir, "/etc/rc.d/init.d/v2v-firstboot"),
                    0755);
  assert_int_equal (run_runner (dir, "sh"), 0);
  assert_false (guest_tree_exists (dir, "/etc/rc.d/rc3.d/S99v2v-firstboot"));
  assert_false (guest_tree_exists (dir, "/etc/rc.d/rc5.d/S99v2v-firstboot"));
  assert_false (guest_tree_exists (dir, "/etc/rc.d/init.d/v2v-firstboot"));
  test_tmpdir_remove (dir);
}

static void
test_constructed_sles11_gets_links_below_init_d (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/sbin/init", .text = "\177ELF", .mode = 0755 },
    { .path = "/etc/init.d/rc3.d" },
    { .path = "/etc/rc.d", .link = "init.d" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree), *s;
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "sles", 11);

  (void) state;
  add (g, 5000, "a", "true\n");
  install (g);
  v2v_guest_close (g);
  s = guest_tree_readlink (dir, "/etc/init.d/rc3.d/S99v2v-firstboot");
  assert_non_null (s);
  assert_string_equal (s, "../v2v-firstboot");
  free (s);
  guest_tree_assert_has (dir, "/etc/init.d/rc3.d/S99v2v-firstboot",
                         "exec /bin/sh " RUNNER);
  test_tmpdir_remove (dir);
}

static void
test_constructed_alpine_gets_a_local_service (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/bin/busybox", .text = "\177ELF", .mode = 0755 },
    { .path = "/sbin/init", .link = "/bin/busybox" },
    { .path = "/etc/init.d/local", .text = "#!/sbin/openrc-run\n" },
    { .path = "/etc/runlevels/default" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_LINUX, "alpinelinux", 3);

  (void) state;
  add (g, 5000, "a", "true\n");
  install (g);
  v2v_guest_close (g);
  assert_int_equal (guest_tree_mode (dir, "/etc/local.d/v2v-firstboot.start"),
                    0755);
  assert_true (guest_tree_exists (dir, "/etc/runlevels/default/local"));
  assert_int_equal (run_runner (dir, "sh"), 0);
  assert_false (guest_tree_exists (dir, "/etc/runlevels/default/local"));
  assert_false (guest_tree_exists (dir, "/etc/local.d/v2v-firstboot.start"));
  test_tmpdir_remove (dir);
}

static void
test_constructed_guest_without_known_init_is_a_finding (void **state)
{
  char *dir = guest_tree_make (NULL);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, NULL, -1);

  (void) state;
  add (g, 5000, "a", "true\n");
  install (g);
  assert_non_null (
      v2v_findings_find (v2v_guest_findings (g), "guest.firstboot.no-init"));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_files_of_the_options_are_queued_in_their_order (void **state)
{
  char *dir = guest_tree_make (systemd_tree), *host = test_tmpdir ();
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_guest_opts opts = *v2v_guest_get_opts (g);
  struct v2v_error *err = NULL;
  char z[4096], a[4096];

  (void) state;
  snprintf (z, sizeof z, "%s/z setup.sh", host);
  snprintf (a, sizeof a, "%s/a.sh", host);
  test_write_file (z, "true\n", 5);
  test_write_file (a, "false\n", 6);
  opts.firstboot = (const char *const[]){ z, a, NULL };
  v2v_guest_set_opts (g, &opts);
  assert_ok (linux_queue_firstboot (&l, &err), err);
  guest_tree_assert_text (dir, FOLDER "/scripts/5000-z-setup.sh", "true\n");
  guest_tree_assert_text (dir, FOLDER "/scripts/5001-a.sh", "false\n");
  assert_true (guest_tree_exists (dir, LINK));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
  test_tmpdir_remove (host);
}

/* ---- SELinux ---- */

static void
check_relabel (const char *config, bool policy, bool dry_run, bool expected)
{
  char *dir = guest_tree_make (NULL);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "rhel", 9);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;

  if (policy)
    guest_tree_write (dir, "/usr/sbin/load_policy", "");
  if (config != NULL)
    guest_tree_write (dir, "/etc/selinux/config", config);
  guest_tree_write (dir, "/etc/selinux/mls/contexts/files/file_contexts", "");
  v2v_guest_set_dry_run (g, dry_run);
  /* Nothing was written so far. */
  assert_ok (linux_relabel (&l, &err), err);
  assert_false (guest_tree_exists (dir, "/.autorelabel"));
  assert_true (v2v_guest_write_text (g, "/etc/new", "x", 0, "test", &err) == 1);
  assert_ok (linux_relabel (&l, &err), err);
  assert_int_equal (guest_tree_exists (dir, "/.autorelabel"), expected);
  assert_int_equal (v2v_findings_find (v2v_guest_findings (g),
                                       "guest.selinux.autorelabel") != NULL,
                    expected);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_labels_that_cannot_be_set_are_left_to_the_guest (void **state)
{
  (void) state;
  check_relabel ("SELINUX=enforcing\nSELINUXTYPE=targeted\n", true, false,
                 true);
  check_relabel ("SELINUX=permissive\nSELINUXTYPE=mls\n", true, false, true);
  check_relabel ("# SELINUX=disabled\nSELINUX=enforcing\r\n", true, false,
                 true);
}

static void
test_guests_without_selinux_are_not_labelled (void **state)
{
  (void) state;
  check_relabel ("SELINUX=disabled\nSELINUXTYPE=targeted\n", true, false,
                 false);
  check_relabel (" SELINUX=\"Disabled\"\n", true, false, false);
  check_relabel ("SELINUX=enforcing\n", false, false, false);
  check_relabel (NULL, true, false, false);
  check_relabel ("SELINUX=enforcing\n", true, true, false); /* dry run */
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_runner_is_enabled_where_systemd_starts_the_guest),
    cmocka_unit_test (test_unit_passes_systemd_analyze),
    cmocka_unit_test (test_runner_runs_in_order_once_and_removes_itself),
    cmocka_unit_test (test_runner_works_in_other_shells),
    cmocka_unit_test (test_script_that_did_not_return_is_not_run_again),
    cmocka_unit_test (test_runner_is_clean_for_shellcheck),
    cmocka_unit_test (test_constructed_rhel6_gets_links_of_sysv),
    cmocka_unit_test (test_constructed_sles11_gets_links_below_init_d),
    cmocka_unit_test (test_constructed_alpine_gets_a_local_service),
    cmocka_unit_test (test_constructed_guest_without_known_init_is_a_finding),
    cmocka_unit_test (test_files_of_the_options_are_queued_in_their_order),
    cmocka_unit_test (test_labels_that_cannot_be_set_are_left_to_the_guest),
    cmocka_unit_test (test_guests_without_selinux_are_not_labelled),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
