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

#define NSI "Control\\Nsi\\{eb004a01-9b1a-11d4-9123-0050047759bc}\\"
#define SET "ControlSet001\\"
/* Interface type 6 (Ethernet), index 9: as NET_LUID_LH lies in memory. */
#define LUID "0000000900000600"

static void
fill_team (struct v2v_hive *h)
{
  windows_build_adapter (h, VMXNET3, 7, 160, NULL);
  hive_build_string (h, SET "Control\\Class\\" NET_CLASS "\\0009",
                     "ComponentId", "COMPOSITEBUS\\MS_IMPLAT_MP");
  /* Of a tunnel. */
  hive_build_binary (h, SET NSI "10",
                     "000000010000830020010db8000000000000000000000005", "x",
                     1);
}

static void
test_constructed_teams_and_ipv6_of_others_are_said (void **state)
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
  assert_non_null (strstr (f->message, "2001:db8::5"));
  assert_false (guest_tree_exists (b.dir, SCRIPT));
  windows_build_free (&b);
}

/* ---- IPv6 ---- */

static void
build_luid (struct v2v_hive *h, unsigned adapter, unsigned index)
{
  char key[200];

  snprintf (key, sizeof key, SET "Control\\Class\\" NET_CLASS "\\%04u",
            adapter);
  hive_build_dword (h, key, "NetLuidIndex", index);
  hive_build_dword (h, key, "*IfType", 6);
}

/* LENGTH 0: the row does not say it. */
static void
build_address6 (struct v2v_hive *h, const char *name, uint8_t length)
{
  uint8_t row[48];

  memset (row, 0xff, sizeof row);
  if (length != 0)
    memcpy (row + 16, (const uint8_t[]){ length, 0, 0, 0 }, 4);
  hive_build_binary (h, SET NSI "10", name, row, sizeof row);
}

static void
build_route6 (struct v2v_hive *h, const char *prefix, unsigned length,
              const char *gateway, uint8_t metric)
{
  uint8_t row[60];
  char name[200];

  memset (row, 0xff, sizeof row);
  if (metric != 0)
    memcpy (row + 12, (const uint8_t[]){ metric, 0, 0, 0 }, 4);
  snprintf (name, sizeof name,
            "00000000%s%02x00000000000000000000000000000000000000" LUID LUID
            "%s",
            prefix, length, gateway);
  hive_build_binary (h, SET NSI "16", name, row, sizeof row);
}

#define ZEROS     "00000000000000000000000000000000"
#define ADDRESS_5 "20010db8000000000000000000000005"
#define GATEWAY   "fe800000000000000000000000000001"
#define DNS_KEY                                                                \
  SET "Services\\Tcpip6\\Parameters\\Interfaces\\"                             \
      "{00000000-0000-0000-0000-000000000007}"

static void
fill_ipv6 (struct v2v_hive *h)
{
  windows_build_adapter (h, VMXNET3, 7, 160, "Ethernet0");
  build_luid (h, 7, 9);
  build_address6 (h, LUID ADDRESS_5, 48);
  build_address6 (h, LUID "20010db8000000000000000000000006", 0);
  /* None of a host; too short; no digits. */
  build_address6 (h, LUID "ff020000000000000000000000000001", 64);
  build_address6 (h, LUID "20010db8", 64);
  build_address6 (h, LUID "2001zzb8000000000000000000000005", 64);
  build_route6 (h, ZEROS, 0, GATEWAY, 0);
  build_route6 (h, "20010db8000100000000000000000000", 0x30,
                "20010db8000000000000000000000009", 20);
  /* Longer than a prefix is; no gateway. */
  build_route6 (h, "20010db8000200000000000000000000", 0x81, GATEWAY, 0);
  build_route6 (h, "20010db8000300000000000000000000", 0x40, ZEROS, 0);
  hive_build_string (h, DNS_KEY, "NameServer", "2001:DB8::53,2001:db8::54,x");
}

static void
test_constructed_ipv6_is_set_by_mac_too (void **state)
{
  struct windows_build b;
  char *s;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_ipv6);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  guest_tree_assert_text (b.dir, LIST,
                          "v2v-network 1\n"
                          "nic 00:50:56:aa:bb:cc\n"
                          "name Ethernet0\n"
                          "address6 2001:db8::5 48\n"
                          "address6 2001:db8::6 64\n"
                          "route6 :: 0 fe80::1 0\n"
                          "route6 2001:db8:1:: 48 2001:db8::9 20\n"
                          "dns6 2001:db8::53\n"
                          "dns6 2001:db8::54\n");
  assert_non_null (strstr (
      v2v_findings_find (v2v_guest_findings (b.w.g), "guest.network.static")
          ->message,
      "2001:db8::5/48"));
  assert_false (has_finding (&b, "guest.network.ipv6-static"));
  assert_false (hive_has_value (b.system, SET NSI "10", LUID ADDRESS_5));
  s = hive_read_string (b.system, DNS_KEY, "NameServer");
  assert_string_equal (s, "");
  free (s);
  v2v_journal_clear (v2v_guest_journal (b.w.g));
  keep_network (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

static void
fill_two_ipv6 (struct v2v_hive *h)
{
  windows_build_adapter (h, VMXNET3, 7, 160, NULL);
  windows_build_adapter (h, VMXNET3, 8, 192, NULL);
  build_luid (h, 7, 9);
  build_luid (h, 8, 10);
  build_address6 (h, LUID ADDRESS_5, 64);
}

/* Which adapter of the machine it is, is not certain: nothing is lost. */
static void
test_constructed_undecided_ipv6_stays (void **state)
{
  struct windows_build b;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_two_ipv6);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:cc");
  keep_network (&b);
  assert_true (has_finding (&b, "guest.network.undecided"));
  assert_true (hive_has_value (b.system, SET NSI "10", LUID ADDRESS_5));
  assert_false (guest_tree_exists (b.dir, LIST));
  windows_build_free (&b);
  windows_build (&b, "x86_64", fill_two_ipv6);
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:01");
  windows_build_nic (&b, "vmxnet3", "00:50:56:aa:bb:02");
  keep_network (&b);
  guest_tree_assert_has (b.dir, LIST,
                         "nic 00:50:56:aa:bb:01\naddress6 2001:db8::5 64\n");
  windows_build_free (&b);
}

static void
test_ipv6_addresses (void **state)
{
  static const char *const bad[] = { "",          "::",      "::1",
                                     "ff02::1",   "1.2.3.4", "2001:db8::5/64",
                                     "fe80::1%3", "x" };
  struct windows_ipv6 a;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_false (windows_parse_ipv6 (bad[i], &a));
  assert_true (windows_parse_ipv6 ("2001:DB8:0:0::5", &a));
  assert_string_equal (a.text, "2001:db8::5");
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

/* Our reading of a LUID leads to the adapter that has the address, in the
 * table of IPv4, which is built the same way. */
static void
test_real_windows_7_stores_addresses_by_luid (void **state)
{
  struct windows_build b;
  windows_nic_vector nics = V2V_VECTOR_INIT;
  struct v2v_error *err = NULL;
  char *dir = test_tmpdir (),
       *file = test_sample_unpacked ("hives/windows/SYSTEM.xz", dir);
  size_t nr = 0;

  (void) state;
  if (file == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  windows_build (&b, "i386", NULL);
  windows_build_use_system (&b, file);
  windows_build_open (&b);
  assert_ok (windows_read_nics (&b.w, "ControlSet001", &nics, &err), err);
  for (size_t i = 0; i < nics.len; ++i) {
    const struct windows_nic *n = nics.ptr[i];
    unsigned part[4];
    char name[40];

    if (n->nr_addresses == 0)
      continue;
    assert_true (n->has_luid);
    assert_int_equal (sscanf (n->addresses[0].address.text, "%u.%u.%u.%u",
                              &part[0], &part[1], &part[2], &part[3]),
                      4);
    for (size_t k = 0; k < 8; ++k)
      snprintf (name + 2 * k, 3, "%02x", n->luid[k]);
    for (size_t k = 0; k < 4; ++k)
      snprintf (name + 16 + 2 * k, 3, "%02x", part[k] & 0xff);
    strcat (name, "00000000");
    assert_true (hive_has_value (
        b.system,
        SET "Control\\Nsi\\{eb004a00-9b1a-11d4-9123-0050047759bc}\\10", name));
    ++nr;
  }
  assert_int_equal (nr, 2);
  windows_nics_clear (&nics);
  windows_build_commit (&b);
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
    cmocka_unit_test (test_constructed_teams_and_ipv6_of_others_are_said),
    cmocka_unit_test (test_constructed_ipv6_is_set_by_mac_too),
    cmocka_unit_test (test_constructed_undecided_ipv6_stays),
    cmocka_unit_test (test_ipv6_addresses),
    cmocka_unit_test (test_constructed_without_a_program_nothing_is_cleared),
    cmocka_unit_test (test_real_windows_7_with_two_static_adapters),
    cmocka_unit_test (test_real_windows_7_stores_addresses_by_luid),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
