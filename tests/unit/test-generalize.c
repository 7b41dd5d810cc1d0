/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A template out of a constructed machine. */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/customize.h"
#include "test-util.h"

static const struct guest_tree_entry tree[] = {
  { "/etc/debian_version", "12.5\n", NULL, 0 },
  { "/etc/machine-id", "0123456789abcdef0123456789abcdef\n", NULL, 0444 },
  { "/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n", NULL, 0 },
  { "/etc/ssh/ssh_host_ed25519_key", "PRIVATE-KEY-BYTES\n", NULL, 0600 },
  { "/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AA\n", NULL, 0 },
  { "/etc/ssh/sshd_config", "Port 22\n", NULL, 0 },
  { "/usr/bin/ssh-keygen", "", NULL, 0755 },
  { "/usr/lib/systemd/systemd", "", NULL, 0755 },
  { "/sbin/init", NULL, "/usr/lib/systemd/systemd", 0 },
  { "/etc/udev/rules.d/70-persistent-net.rules", "x\n", NULL, 0 },
  { "/var/lib/dhcp/dhclient.eth0.leases", "lease\n", NULL, 0 },
  { "/var/lib/NetworkManager/secret_key", "NM-SECRET-BYTES", NULL, 0600 },
  { "/var/lib/systemd/random-seed", "RANDOM-BYTES", NULL, 0600 },
  { "/var/lib/cloud/instances/i-1/user-data.txt", "USER-DATA\n", NULL, 0 },
  { "/var/lib/cloud/instance", NULL, "/var/lib/cloud/instances/i-1", 0 },
  { "/var/lib/cloud/seed/nocloud/meta-data", "a\n", NULL, 0 },
  { "/var/log/messages", "LOG-BYTES\n", NULL, 0640 },
  { "/var/log/messages.1", "LOG-BYTES\n", NULL, 0 },
  { "/var/log/apt/term.log.1.gz", "LOG-BYTES\n", NULL, 0 },
  { "/var/log/journal/0123/system.journal", "LOG-BYTES\n", NULL, 0 },
  { "/var/log/wtmp", "LOG-BYTES\n", NULL, 0 },
  { "/root/.bash_history", "HISTORY-BYTES\n", NULL, 0 },
  { "/home/eve/.bash_history", "HISTORY-BYTES\n", NULL, 0 },
  { "/home/eve/.ssh/id_ed25519", "PRIVATE-KEY-BYTES\n", NULL, 0600 },
  { "/home/eve/letter", "kept\n", NULL, 0 },
  { "/tmp/x/y", "tmp\n", NULL, 0 },
  { "/etc/shadow-", "root:$6$OLD-HASH:1::::::\n", NULL, 0600 },
  { "/etc/shadow", "root:$6$NEW-HASH:1::::::\n", NULL, 0600 },
  { "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "DEVICE=eth0\nHWADDR=00:50:56:00:00:01\nDHCP_HOSTNAME=old\n", NULL, 0 },
  { "/etc/sysconfig/iptables", "rules\n", NULL, 0 },
  { NULL, NULL, NULL, 0 },
};

static void
assert_journal_lacks (struct v2v_guest *g, const char *text)
{
  struct v2v_json *j = v2v_journal_to_json (v2v_guest_journal (g));
  CLEANUP_FREE char *s = v2v_json_dump (j, 0);

  if (strstr (s, text) != NULL)
    fail_msg ("the journal has '%s'", text);
  v2v_json_free (j);
}

static void
test_constructed_machine_loses_its_identity_and_nothing_else (void **state)
{
  static const char *const gone[] = {
    "/var/lib/dbus/machine-id",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/var/lib/dhcp/dhclient.eth0.leases",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/systemd/random-seed",
    "/var/lib/cloud/instances/i-1",
    "/var/log/messages.1",
    "/var/log/apt/term.log.1.gz",
    "/var/log/journal/0123",
    "/root/.bash_history",
    "/home/eve/.bash_history",
    "/home/eve/.ssh",
    "/tmp/x",
    "/etc/shadow-",
  };
  static const char *const secrets[] = { "PRIVATE-KEY", "NM-SECRET", "RANDOM-B",
                                         "LOG-BYTES",   "HISTORY",   "OLD-HASH",
                                         "USER-DATA" };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_generalize (g, NULL, &err), err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (gone); ++i)
    if (guest_tree_exists (dir, gone[i]))
      fail_msg ("%s is still there", gone[i]);
  guest_tree_assert_text (dir, "/etc/machine-id", "");
  assert_int_equal (guest_tree_mode (dir, "/etc/machine-id"), 0444);
  guest_tree_assert_text (dir, "/var/log/messages", "");
  assert_int_equal (guest_tree_mode (dir, "/var/log/messages"), 0640);
  guest_tree_assert_text (dir, "/var/log/wtmp", "");
  guest_tree_assert_text (dir, "/etc/sysconfig/network-scripts/ifcfg-eth0",
                          "DEVICE=eth0\n");
  guest_tree_assert_text (dir, "/home/eve/letter", "kept\n");
  guest_tree_assert_text (dir, "/etc/ssh/sshd_config", "Port 22\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/iptables", "rules\n");
  guest_tree_assert_text (dir, "/etc/shadow", "root:$6$NEW-HASH:1::::::\n");
  assert_true (
      guest_tree_exists (dir, "/var/lib/cloud/seed/nocloud/meta-data"));
  guest_tree_assert_has (dir,
                         "/usr/lib/v2v-firstboot/scripts/"
                         "1500-ssh-host-keys",
                         "ssh-keygen -A");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (secrets); ++i)
    assert_journal_lacks (g, secrets[i]);
  v2v_guest_close (g);

  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  assert_ok (v2v_generalize (g, NULL, &err), err);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_operations_are_chosen_by_name (void **state)
{
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_generalize (g, "machine-id,firewall-rules", &err), err);
  guest_tree_assert_text (dir, "/etc/machine-id", "");
  assert_false (guest_tree_exists (dir, "/etc/sysconfig/iptables"));
  assert_true (guest_tree_exists (dir, "/etc/ssh/ssh_host_ed25519_key"));
  assert_false (guest_tree_exists (dir, "/usr/lib/v2v-firstboot"));
  assert_ok (v2v_generalize (g, "-ssh-hostkeys,-logfiles", &err), err);
  assert_true (guest_tree_exists (dir, "/etc/ssh/ssh_host_ed25519_key"));
  guest_tree_assert_text (dir, "/var/log/messages", "LOG-BYTES\n");
  assert_false (guest_tree_exists (dir, "/root/.bash_history"));
  assert_int_equal (v2v_generalize (g, "machine-idd", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "no operation 'machine-idd'");
  assert_int_equal (v2v_generalize_check ("", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "no operation");
  assert_ok (v2v_generalize_check ("all,-tmp-files", &err), err);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_windows_is_never_generalised_by_us (void **state)
{
  static const struct guest_tree_entry windows[] = {
    { "/Windows/System32/config/SOFTWARE", "x", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *dir = guest_tree_make (windows);
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_generalize (g, NULL, &err), -1);
  assert_non_null (strstr (v2v_error_hint (err), "sysprep /generalize"));
  assert_error (&err, V2V_ERR_GUEST, "its own sysprep only");
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_a_link_of_the_guest_does_not_lead_the_emptying_elsewhere (void **state)
{
  static const struct guest_tree_entry hostile[] = {
    { "/srv/data/file", "kept\n", NULL, 0 },
    { "/var/tmp", NULL, "/srv/data", 0 },
    { "/home/eve", NULL, "/srv/data", 0 },
    { "/srv/data/.ssh/key", "kept\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *dir = guest_tree_make (hostile);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_generalize (g, "all", &err), err);
  guest_tree_assert_text (dir, "/srv/data/file", "kept\n");
  guest_tree_assert_text (dir, "/srv/data/.ssh/key", "kept\n");
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_constructed_machine_loses_its_identity_and_nothing_else),
    cmocka_unit_test (test_operations_are_chosen_by_name),
    cmocka_unit_test (test_windows_is_never_generalised_by_us),
    cmocka_unit_test (
        test_a_link_of_the_guest_does_not_lead_the_emptying_elsewhere),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
