/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static addresses of Windows guests: constructed registries, and a real one
 * of a Windows 7 on VMware. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/firstboot/programs.h"
#include "inject/windows-network.h"
#include "test-util.h"
#include "windows-build.h"

#define E1000   "VEN_8086&DEV_100F&SUBSYS_075015AD&REV_01"
#define VMXNET3 "VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01"
#define LIST    "/Program Files/v2v/firstboot/files/network.txt"
#define SCRIPT  "/Program Files/v2v/firstboot/scripts/1000-network.cmd"

static void
need_program (void)
{
  if (v2v_firstboot_programs[0].arch == NULL)
    skip ();
}

static void
keep_network (struct windows_build *b)
{
  struct v2v_error *err = NULL;

  windows_build_open (b);
  assert_ok (windows_keep_network (&b->w, &err), err);
  windows_build_commit (b);
}

static bool
has_finding (struct windows_build *b, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (b->w.g), id) != NULL;
}

static void
fill_one (struct v2v_hive *h)
{
  char key[200];

  windows_build_adapter (h, VMXNET3, 7, 160, "B\xc3\xbcro & %PATH% ^!");
  windows_build_static (h, 7, "10.0.0.5", "255.255.255.0", "10.0.0.1",
                        "10.0.0.3,10.0.0.4");
  windows_build_interface (key, 7);
  hive_build_multi (h, key, "IPAddress",
                    (const char *const[]){ "10.0.0.5", "10.0.0.6", NULL });
  hive_build_multi (
      h, key, "SubnetMask",
      (const char *const[]){ "255.255.255.0", "255.255.0.0", NULL });
  hive_build_string (h, key, "Domain", "example.com");
  hive_build_dword (h, key, "MTU", 9000);
  hive_build_multi (h,
                    "ControlSet001\\Services\\NetBT\\Parameters\\Interfaces\\"
                    "Tcpip_{00000000-0000-0000-0000-000000000007}",
                    "NameServerList",
                    (const char *const[]){ "10.0.0.9", NULL });
  hive_build_string (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\PersistentRoutes",
      "10.9.0.0,255.255.0.0,10.0.0.254,1", "");
  hive_build_string (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\PersistentRoutes",
      "0.0.0.0,0.0.0.0,10.0.0.1,-1", "");
  hive_build_dword (h, "ControlSet001\\Services\\Dhcp", "Start", 4);
}

static void
test_constructed_one_adapter_gets_its_addresses_by_mac (void **state)
{
  struct windows_build b;
  char key[200], *s;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_one);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  guest_tree_assert_text (b.dir, LIST,
                          "v2v-network 1\n"
                          "nic 00:50:56:aa:bb:cc\n"
                          "name B\xc3\xbcro & %PATH% ^!\n"
                          "domain example.com\n"
                          "mtu 9000\n"
                          "address 10.0.0.5 255.255.255.0\n"
                          "address 10.0.0.6 255.255.0.0\n"
                          "gateway 10.0.0.1 0\n"
                          "dns 10.0.0.3\n"
                          "dns 10.0.0.4\n"
                          "wins 10.0.0.9\n"
                          "route 10.9.0.0 255.255.0.0 10.0.0.254 1\n");
  /* Nothing of the guest's is in the script. */
  guest_tree_assert_lacks (b.dir, SCRIPT, "10.0.0");
  guest_tree_assert_lacks (b.dir, SCRIPT, "PATH");
  guest_tree_assert_has (b.dir, SCRIPT, "--network");
  assert_true (has_finding (&b, "guest.network.static"));
  windows_build_interface (key, 7);
  assert_int_equal (hive_read_dword (b.system, key, "EnableDHCP"), 1);
  s = hive_read_string (b.system, key, "NameServer");
  assert_string_equal (s, "");
  free (s);
  assert_int_equal (
      hive_read_dword (b.system, "ControlSet001\\Services\\Dhcp", "Start"), 2);
  /* What was there is in the journal. */
  assert_non_null (v2v_journal_find (
      v2v_guest_journal (b.w.g),
      "SYSTEM\\ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\{00000000-0000-0000-0000-000000000007}",
      "IPAddress"));
  windows_build_free (&b);
}

static void
test_constructed_second_run_changes_nothing (void **state)
{
  struct windows_build b;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_one);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  v2v_journal_clear (v2v_guest_journal (b.w.g));
  keep_network (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

static void
fill_four (struct v2v_hive *h)
{
  /* In another order than that of the slots; two models. */
  windows_build_adapter (h, VMXNET3, 12, 224, "third");
  windows_build_adapter (h, VMXNET3, 10, 160, "first");
  windows_build_adapter (h, VMXNET3, 11, 1184, "last");
  windows_build_adapter (h, E1000, 13, 33, "old");
  windows_build_static (h, 12, "10.0.3.1", "255.255.255.0", NULL, NULL);
  windows_build_static (h, 10, "10.0.1.1", "255.255.255.0", NULL, NULL);
  windows_build_static (h, 11, "10.0.4.1", "255.255.255.0", NULL, NULL);
  windows_build_static (h, 13, "10.0.2.1", "255.255.255.0", NULL, NULL);
}

static void
test_constructed_several_adapters_pair_by_model_and_slot (void **state)
{
  struct windows_build b;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_four);
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:01");
  windows_build_nic (&b, "e1000", "00:50:56:00:00:02");
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:03");
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:04");
  keep_network (&b);
  for (int i = 1; i <= 4; ++i) {
    char want[100];

    static const char *const names[] = { "", "first", "old", "third", "last" };

    snprintf (want, sizeof want,
              "nic 00:50:56:00:00:0%d\nname %s\naddress 10.0.%d.1 255", i,
              names[i], i);
    guest_tree_assert_has (b.dir, LIST, want);
  }
  assert_false (has_finding (&b, "guest.network.undecided"));
  windows_build_free (&b);
}

static void
test_constructed_undecided_is_left_alone_and_said (void **state)
{
  struct windows_build b;
  char key[200];

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_four);
  /* Two of the three vmxnet3 are there: which? */
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:01");
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:03");
  keep_network (&b);
  assert_true (has_finding (&b, "guest.network.undecided"));
  assert_false (guest_tree_exists (b.dir, LIST));
  assert_false (guest_tree_exists (b.dir, SCRIPT));
  windows_build_interface (key, 10);
  assert_int_equal (hive_read_dword (b.system, key, "EnableDHCP"), 0);
  windows_build_free (&b);
}

static void
test_constructed_equal_slots_are_undecided (void **state)
{
  windows_nic_vector v = V2V_VECTOR_INIT;
  struct windows_nic a = {
    .model = "e1000", .has_slot = true, .slot = 3, .is_static = true
  };
  struct windows_nic c = a;
  struct v2v_nic nics[2] = { { .model = (char *) "e1000" },
                             { .model = (char *) "e1000" } };
  const struct v2v_machine m = { .nics = nics, .nr_nics = 2 };

  (void) state;
  assert_int_equal (windows_nic_vector_append (&v, &a), 0);
  assert_int_equal (windows_nic_vector_append (&v, &c), 0);
  windows_pair_nics (&v, &m);
  assert_null (a.pair);
  c.slot = 2;
  windows_pair_nics (&v, &m);
  /* Sorted: the lower slot is the machine's first. */
  assert_ptr_equal (c.pair, &nics[0]);
  assert_ptr_equal (a.pair, &nics[1]);
  free (v.ptr);
}

/* The machine's only adapter is a vmxnet3 on DHCP: the addresses of an e1000
 * that was removed long ago belong to no one. */
static void
test_constructed_removed_adapter_gives_its_addresses_to_no_other (void **state)
{
  windows_nic_vector v = V2V_VECTOR_INIT;
  struct windows_nic ghost = { .model = "e1000", .is_static = true };
  struct windows_nic now = { .model = "vmxnet3" };
  struct v2v_nic nic = { .model = (char *) "vmxnet3" };
  const struct v2v_machine m = { .nics = &nic, .nr_nics = 1 };

  (void) state;
  assert_int_equal (windows_nic_vector_append (&v, &ghost), 0);
  assert_int_equal (windows_nic_vector_append (&v, &now), 0);
  windows_pair_nics (&v, &m);
  assert_null (ghost.pair);
  assert_ptr_equal (now.pair, &nic);
  /* Two of one model: which of them is in the machine? */
  now.pair = NULL;
  now.model = "e1000";
  nic.model = (char *) "e1000";
  windows_pair_nics (&v, &m);
  assert_null (ghost.pair);
  assert_null (now.pair);
  /* No other can be meant. */
  nic.model = (char *) "vmxnet3";
  windows_pair_nics (&v, &m);
  assert_ptr_equal (ghost.pair, &nic);
  assert_null (now.pair);
  free (v.ptr);
}

static void
test_constructed_new_mac_addresses (void **state)
{
  const struct v2v_guest_opts opts = { .new_macs = true };
  struct windows_build b;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_one);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  v2v_guest_set_opts (b.w.g, &opts);
  keep_network (&b);
  guest_tree_assert_has (b.dir, LIST, "nic *\n");
  windows_build_free (&b);
  windows_build (&b, "x86_64", fill_four);
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:01");
  windows_build_nic (&b, "e1000", "00:50:56:00:00:02");
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:03");
  windows_build_nic (&b, "vmxnet3", "00:50:56:00:00:04");
  v2v_guest_set_opts (b.w.g, &opts);
  keep_network (&b);
  assert_false (guest_tree_exists (b.dir, LIST));
  assert_true (has_finding (&b, "guest.network.undecided"));
  windows_build_free (&b);
}

static void
fill_hostile (struct v2v_hive *h)
{
  char key[200];

  windows_build_adapter (h, VMXNET3, 7, 160, "x\" & calc & \"");
  windows_build_static (h, 7, "10.0.0.5", "255.255.255.0", "10.0.0.1&calc",
                        "10.0.0.3 10.0.0.4\nnic 00:00:00:00:00:00,%PATH%");
  windows_build_interface (key, 7);
  hive_build_multi (h, key, "IPAddress",
                    (const char *const[]){ "10.0.0.5", "10.0.0.6 & calc",
                                           "10.0.0.7", "300.0.0.1", "127.0.0.1",
                                           "10.0.0.8", NULL });
  hive_build_multi (h, key, "SubnetMask",
                    (const char *const[]){ "255.255.255.0", "255.255.255.0",
                                           "255.0.255.0", "255.255.255.0",
                                           "255.0.0.0", "255.255.255.255",
                                           NULL });
  hive_build_string (h, key, "Domain", "example.com&calc");
  hive_build_dword (h, key, "MTU", 7);
  hive_build_string (
      h, "ControlSet001\\Services\\Tcpip\\Parameters\\PersistentRoutes",
      "10.9.0.0,255.255.0.0,10.0.0.254 & calc,1", "");
}

static void
test_constructed_hostile_values_go_nowhere (void **state)
{
  struct windows_build b;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_hostile);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  guest_tree_assert_text (b.dir, LIST,
                          "v2v-network 1\n"
                          "nic 00:50:56:aa:bb:cc\n"
                          "address 10.0.0.5 255.255.255.0\n"
                          "address 10.0.0.8 255.255.255.255\n"
                          "dns 10.0.0.3\n");
  assert_true (has_finding (&b, "guest.network.bad-value"));
  windows_build_free (&b);
}

static void
test_connection_names (void **state)
{
  static const char *const good[] = { "Ethernet 2", "a%b^c&d!(e)'f;g=h,i",
                                      "B\xc3\xbcro" };
  static const char *const bad[] = { "",    "a\"b", "a\nb",  "a\tb", "a|b",
                                     "a<b", "a>b",  "a/b",   "a\\b", "a:b",
                                     "a*b", "a?b",  "a\x7f", "\xc3(" };
  char longest[257];

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (good); ++i)
    assert_true (windows_is_connection_name (good[i]));
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_false (windows_is_connection_name (bad[i]));
  memset (longest, 'x', 256);
  longest[256] = '\0';
  assert_false (windows_is_connection_name (longest));
  longest[255] = '\0';
  assert_true (windows_is_connection_name (longest));
}

static void
test_addresses_and_masks (void **state)
{
  static const char *const bad[] = { "",         "1.2.3",      "1.2.3.4.5",
                                     "1.2.3.4 ", "1.2.3.4\n",  "1.2.3.256",
                                     "::1",      "1.2.3.0x10", "a.b.c.d" };
  struct windows_ipv4 a;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_false (windows_parse_ipv4 (bad[i], &a));
  assert_true (windows_parse_ipv4 ("255.255.255.255", &a));
  assert_true (windows_is_mask (&a));
  assert_true (windows_parse_ipv4 ("128.0.0.0", &a));
  assert_true (windows_is_mask (&a));
  assert_true (windows_parse_ipv4 ("0.0.0.0", &a));
  assert_false (windows_is_mask (&a));
  assert_true (windows_parse_ipv4 ("255.255.0.255", &a));
  assert_false (windows_is_mask (&a));
}

static void
fill_team (struct v2v_hive *h)
{
  windows_build_adapter (h, VMXNET3, 7, 160, NULL);
  hive_build_string (h, "ControlSet001\\Control\\Class\\" NET_CLASS "\\0009",
                     "ComponentId", "COMPOSITEBUS\\MS_IMPLAT_MP");
  hive_build_binary (
      h,
      "ControlSet001\\Control\\Nsi\\{eb004a01-9b1a-11d4-9123-0050047759bc}\\10",
      "000000060000060020010db80000000000000000000000050000000000000000", "x",
      1);
}

static void
test_constructed_teams_and_ipv6_are_said (void **state)
{
  struct windows_build b;
  const struct v2v_finding *f;

  (void) state;
  windows_build (&b, "x86_64", fill_team);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  assert_true (has_finding (&b, "guest.network.team"));
  f = v2v_findings_find (v2v_guest_findings (b.w.g),
                         "guest.network.ipv6-static");
  assert_non_null (f);
  assert_non_null (
      strstr (f->message, "2001:0db8:0000:0000:0000:0000:0000:0005"));
  assert_false (guest_tree_exists (b.dir, SCRIPT));
  windows_build_free (&b);
}

static void
test_constructed_without_a_program_nothing_is_cleared (void **state)
{
  struct windows_build b;
  char key[200];

  (void) state;
  windows_build (&b, "aarch64", fill_one);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  assert_true (has_finding (&b, "guest.firstboot.no-program"));
  assert_false (guest_tree_exists (b.dir, LIST));
  windows_build_interface (key, 7);
  assert_int_equal (hive_read_dword (b.system, key, "EnableDHCP"), 0);
  windows_build_free (&b);
}

static void
test_real_windows_7_with_two_static_adapters (void **state)
{
  struct windows_build b;
  char *dir = test_tmpdir (),
       *file = test_sample_unpacked ("hives/windows/SYSTEM.xz", dir);
  static const char key[] =
      "ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\"
      "{698E50A9-4F58-4D86-B61D-F42E58DCACF6}";

  (void) state;
  if (file == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  need_program ();
  windows_build (&b, "i386", NULL);
  windows_build_use_system (&b, file);
  windows_build_nic (&b, "e1000", "00:0c:29:00:00:01");
  windows_build_nic (&b, "e1000", "00:0c:29:00:00:02");
  keep_network (&b);
  guest_tree_assert_text (b.dir, LIST,
                          "v2v-network 1\n"
                          "nic 00:0c:29:00:00:01\n"
                          "name Local Area Connection\n"
                          "address 192.168.1.123 255.255.255.0\n"
                          "gateway 192.168.1.1 0\n"
                          "dns 192.168.1.112\n"
                          "nic 00:0c:29:00:00:02\n"
                          "name Local Area Connection 2\n"
                          "address 10.3.58.5 255.255.255.0\n"
                          "gateway 10.3.58.1 0\n"
                          "dns 10.3.58.4\n");
  assert_int_equal (hive_read_dword (b.system, key, "EnableDHCP"), 1);
  windows_build_free (&b);
  free (file);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_one_adapter_gets_its_addresses_by_mac),
    cmocka_unit_test (test_constructed_second_run_changes_nothing),
    cmocka_unit_test (test_constructed_several_adapters_pair_by_model_and_slot),
    cmocka_unit_test (test_constructed_undecided_is_left_alone_and_said),
    cmocka_unit_test (test_constructed_equal_slots_are_undecided),
    cmocka_unit_test (
        test_constructed_removed_adapter_gives_its_addresses_to_no_other),
    cmocka_unit_test (test_constructed_new_mac_addresses),
    cmocka_unit_test (test_constructed_hostile_values_go_nowhere),
    cmocka_unit_test (test_connection_names),
    cmocka_unit_test (test_addresses_and_masks),
    cmocka_unit_test (test_constructed_teams_and_ipv6_are_said),
    cmocka_unit_test (test_constructed_without_a_program_nothing_is_cleared),
    cmocka_unit_test (test_real_windows_7_with_two_static_adapters),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
