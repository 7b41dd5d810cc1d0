/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is there already: rules, .link files, netplan with matches; new addresses;
 * and what is told.  Constructed trees.  udev's and systemd's own parsers judge
 * what is written, where they are installed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net-tree.h"
#include "test-util.h"

/* ---- existing rules and .link files ---- */

static void
test_constructed_rhel6_rules_are_loosened_and_left (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/udev/rules.d/70-persistent-net.rules",
      .text = "# PCI device 0x15ad:0x07b0 (vmxnet3)\n"
              "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"vmxnet3\", "
              "ATTR{address}==\"00:50:56:AA:BB:01\", ATTR{type}==\"1\", "
              "KERNEL==\"eth*\", NAME=\"eth1\"\n"
              "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", "
              "ATTR{address}==\"" M2 "\", ATTR{type}==\"1\", "
              "KERNEL==\"eth*\", NAME=\"eth0\"\n"
              "SUBSYSTEM==\"net\", BUS==\"pci\", KERNELS==\"0000:03:00.0\", "
              "SYSFS{address}==\"" M3 "\", NAME=\"eth2\" # old\n" },
    END
  };
  struct net_tree t = net_tree_begin (
      tree, net_tree_machine (3, (const char *const[]){ M1, M2, M3 }, NULL),
      false);

  (void) state;
  guest_tree_assert_text (
      t.dir, RULES,
      "# PCI device 0x15ad:0x07b0 (vmxnet3)\n"
      "SUBSYSTEM==\"net\", ACTION==\"add\", "
      "ATTR{address}==\"00:50:56:AA:BB:01\", ATTR{type}==\"1\", "
      "KERNEL==\"eth*\", NAME=\"eth1\"\n"
      "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", "
      "ATTR{address}==\"" M2 "\", ATTR{type}==\"1\", "
      "KERNEL==\"eth*\", NAME=\"eth0\"\n"
      "SUBSYSTEM==\"net\", SYSFS{address}==\"" M3 "\", NAME=\"eth2\" # old\n");
  assert_false (guest_tree_exists (t.dir, "/etc/systemd/network"));
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

/* Old udev can exchange names of the kernel: a rule is written for them. */
static void
test_constructed_old_udev_gets_rules_for_kernel_names (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/sysconfig/network-scripts/ifcfg-eth0",
      .text = "DEVICE=eth0\nHWADDR=00:50:56:AA:BB:02\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-eth1",
      .text = "DEVICE=eth1\nHWADDR=00:50:56:AA:BB:01\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "eth1") PIN (M2, "eth0"));
  net_tree_end (&t);
}

static void
test_a_rule_on_several_lines_is_read_and_told (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/udev/rules.d/10-net.rules",
      .text = "SUBSYSTEM==\"net\", DRIVERS==\"vmxnet3\", \\\n"
              "  ATTR{address}==\"" M1 "\", \\\n  NAME=\"lan0\"\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (net_tree_finding (&t, "guest.network.bus-bound"));
  guest_tree_assert_has (t.dir, LINK ("lan0"), M1);
  net_tree_end (&t);
}

static void
test_an_anchor_in_netplan_is_not_cut (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/netplan/a.yaml",
      .text = "network:\n  ethernets:\n    lan0:\n      set-name: lan0\n"
              "      match: {driver: &d vmxnet3, macaddress: \"" M1 "\"}\n"
              "    lan1:\n      match: {driver: *d}\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (net_tree_finding (&t, "guest.network.bus-bound"));
  net_tree_end (&t);
}

static void
test_rule_by_place_becomes_one_by_address (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/udev/rules.d/10-net.rules",
      .text = "SUBSYSTEM==\"net\", KERNELS==\"0000:0b:00.0\", NAME=\"lan0\"\n"
              "SUBSYSTEM==\"block\", KERNELS==\"0000:0b:00.0\", "
              "SYMLINK+=\"x\"\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path,
                          "SUBSYSTEM==\"net\", ATTR{address}==\"" M1
                          "\", NAME=\"lan0\"\n"
                          "SUBSYSTEM==\"block\", KERNELS==\"0000:0b:00.0\", "
                          "SYMLINK+=\"x\"\n");
  v2v_guest_close (t.g);
  v2v_machine_free (t.m);
  test_tmpdir_remove (t.dir);

  t = net_tree_begin (tree, net_tree_two (), false);
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (net_tree_finding (&t, "guest.network.bus-bound"));
  net_tree_end (&t);
}

static void
test_link_files_by_driver_or_path_are_loosened (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/systemd/network/10-lan.link",
      .text = "[Match]\nPath=pci-0000:0b:00.0\n\n[Link]\nName=lan0\n" },
    { .path = "/etc/systemd/network/20-a.network",
      .text = "[Match]\r\nDriver=e1000 vmxnet3 virtio_net\r\n"
              "[Network]\r\nDHCP=yes\r\n" },
    { .path = "/etc/systemd/network/30-b.network",
      .text = "[Match]\nName=lan0\nPath=pci-*\nDriver=!vmxnet3\n"
              "[Network]\nDHCP=yes\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path,
                          "[Match]\nMACAddress=" M1 "\n\n[Link]\nName=lan0\n");
  guest_tree_assert_text (t.dir, tree[2].path,
                          "[Match]\r\nDriver=hv_netvsc virtio_net\r\n"
                          "[Network]\r\nDHCP=yes\r\n");
  guest_tree_assert_text (t.dir, tree[3].path,
                          "[Match]\nName=lan0\nDriver=!vmxnet3\n"
                          "[Network]\nDHCP=yes\n");
  net_tree_end (&t);
}

/* A file of the owner's names the adapter: ours would hide its settings. */
static void
test_link_file_of_the_owner_is_enough (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/systemd/network/50-lan.link",
      .text = "[Match]\nMACAddress=00:50:56:AA:BB:01\n[Link]\nName=lan0\n"
              "MTUBytes=9000\n" },
    END
  };
  static const struct guest_tree_entry general[] = {
    MODERN,
    { .path = "/etc/systemd/network/50-all.link",
      .text = "[Match]\nOriginalName=*\n[Link]\nMTUBytes=9000\n" },
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  assert_false (guest_tree_exists (t.dir, LINK ("lan0")));
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "lan0"));
  net_tree_end (&t);
  t = net_tree_begin (general, net_tree_one (), false);
  assert_false (guest_tree_exists (t.dir, LINK ("ens192")));
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens192"));
  net_tree_end (&t);
}

/* VLANs borrow the address of their parent: newer systemd is told to look at
 * the permanent one. */
static void
test_link_file_uses_the_permanent_address_where_it_is_known (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so",
      .text = "" },
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_has (t.dir, LINK ("ens192"),
                         "[Match]\nPermanentMACAddress=" M1 "\n");
  net_tree_end (&t);
}

static void
test_an_existing_file_of_rules_is_added_to (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = RULES, .text = "# mine" },
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, "# mine\n" PIN (M1, "ens192"));
  net_tree_end (&t);
}

/* ---- netplan ---- */

static void
test_netplan_is_edited_byte_for_byte (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/netplan/50-cloud-init.yaml",
      .text = "# caf\xc3\xa9 \xe2\x82\xac\nnetwork: \n  version: 2\n"
              "  ethernets:\n    \"id0\": # \xc3\xa9\n"
              "        match: {driver: 'vmxnet3', macaddress: \"" M1 "\"}\n"
              "        set-name:   lan0   # stays\n"
              "    id1:\n      match:\n        driver: [\"e1000\",  virtio]\n"
              "        name: en*\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (
      t.dir, tree[1].path,
      "# caf\xc3\xa9 \xe2\x82\xac\nnetwork: \n  version: 2\n"
      "  ethernets:\n    \"id0\": # \xc3\xa9\n"
      "        match: {driver: hv_netvsc, macaddress: \"" M1 "\"}\n"
      "        set-name:   lan0   # stays\n"
      "    id1:\n      match:\n        driver: [hv_netvsc,  virtio]\n"
      "        name: en*\n");
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "lan0"));
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_hostile_yaml_is_a_finding_or_ignored (void **state)
{
  static const char *const bad[] = {
    "network: [\n",
    "a: &a [*a]\nnetwork: &n {ethernets: *n}\n",
    "network:\n  ethernets:\n    x:\n      match: &m {driver: &d [*d, *m]}\n",
    "network: {ethernets: {? [a, b] : {match: {driver: {}}}}}\n",
    "&x network: *x\n",
    "",
    "- \n",
    "network:\n  ethernets:\n    ../../evil: {dhcp4: true}\n",
  };

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    const struct guest_tree_entry tree[] = {
      MODERN, { .path = "/etc/netplan/a.yaml", .text = bad[i] }, END
    };
    struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

    /* An alias makes "ethernets" a name; nothing else is one. */
    if (i != 1)
      guest_tree_assert_unchanged (t.g);
    if (i == 0)
      assert_non_null (net_tree_finding (&t, "guest.file.unreadable"));
    net_tree_end (&t);
  }
}

/* ---- new addresses ---- */

static void
test_new_addresses_leave_matching_to_names_and_driver (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = RULES, .text = PIN (M1, "ens192") PIN (M3, "other") },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "HWADDR=00:50:56:AA:BB:01\nBOOTPROTO=dhcp\n" },
    { .path = "/etc/NetworkManager/system-connections/a",
      .text = "[connection]\ninterface-name=ens192\n[ethernet]\n"
              "mac-address=00:50:56:AA:BB:01\n",
      .mode = 0600 },
    { .path = "/etc/netplan/a.yaml",
      .text = "network:\n  ethernets:\n    a:\n      match:\n"
              "        macaddress: " M1 "\n      set-name: ens192\n" },
    { .path = "/etc/systemd/network/a.network",
      .text = "[Match]\nMACAddress=" M1 "\n[Network]\nDHCP=yes\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), true);

  (void) state;
  guest_tree_assert_lacks (t.dir, RULES, M1);
  guest_tree_assert_has (t.dir, RULES, M3);
  guest_tree_assert_has (t.dir, LINK ("ens192"), "Driver=hv_netvsc\n");
  guest_tree_assert_text (t.dir, tree[2].path,
                          "# v2v: HWADDR=00:50:56:AA:BB:01\nBOOTPROTO=dhcp\n");
  guest_tree_assert_lacks (t.dir, tree[3].path, "mac-address");
  guest_tree_assert_text (
      t.dir, tree[4].path,
      "network:\n  ethernets:\n    a:\n      match:\n"
      "        driver: hv_netvsc\n      set-name: ens192\n");
  guest_tree_assert_text (t.dir, tree[5].path,
                          "[Match]\nDriver=hv_netvsc\n[Network]\nDHCP=yes\n");
  net_tree_end (&t);
}

static void
test_new_addresses_of_two_adapters_are_a_finding (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "HWADDR=" M1 "\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens224",
      .text = "HWADDR=" M2 "\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), true);

  (void) state;
  assert_false (guest_tree_exists (t.dir, RULES));
  assert_non_null (net_tree_finding (&t, "guest.network.unpinned"));
  net_tree_end (&t);
}

/* ---- the rest ---- */

static void
test_settings_of_the_driver_are_a_finding (void **state)
{
  static const struct guest_tree_entry trees[][3] = {
    { { .path = "/etc/sysconfig/network-scripts/ifcfg-eth0",
        .text = "ETHTOOL_OPTS=\"-G eth0 rx 4096\"\n" },
      END },
    { { .path = "/etc/NetworkManager/system-connections/a",
        .text = "[ethtool]\nring-rx=4096\n" },
      END },
    { { .path = "/etc/systemd/network/a.link",
        .text = "[Match]\nMACAddress=" M1 "\n[Link]\nRxBufferSize=4096\n" },
      END },
    { { .path = "/etc/network/interfaces",
        .text = "iface eth0 inet dhcp\n  hardware-dma-ring-rx 4096\n" },
      END },
  };

  (void) state;
  for (size_t i = 0; i < 4; ++i) {
    struct net_tree t = net_tree_begin (trees[i], net_tree_one (), false);

    if (net_tree_finding (&t, "guest.network.driver-settings") == NULL)
      fail_msg ("%s", trees[i][0].path);
    assert_string_equal (
        net_tree_finding (&t, "guest.network.driver-settings")->subject,
        trees[i][0].path);
    net_tree_end (&t);
  }
}

/* A copy in the initramfs counts only where it brings the network up. */
static void
test_initramfs_is_stale_only_if_it_uses_the_network (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    { .path = "/boot/grub2/grub.cfg",
      .text = "linux /vmlinuz ro ip=dhcp rd.neednet=1\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  assert_true (t.stale);
  net_tree_end (&t);
  assert_false (t.stale); /* nothing was written the second time */
}

static void
test_names_that_are_no_names_are_not_written (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-x",
      .text = "DEVICE=\"../../../evil\"\n" },
    { .path = "/etc/network/interfaces",
      .text = "iface a\"b inet dhcp\niface averyveryverylongname inet dhcp\n"
              "source /etc/network/interfaces\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "x")); /* the file's name */
  net_tree_end (&t);
}

static void
test_guest_without_a_known_machine_is_not_pinned (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, NULL, false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  net_tree_end (&t);
}

static void
test_report_has_addresses_routes_dns_and_mtu (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/etc/netplan/a.yaml",
      .text =
          "network:\n  ethernets:\n    ens160:\n"
          "      addresses: [192.0.2.5/24, \"2001:db8::5/64\"]\n"
          "      routes: [{to: default, via: 192.0.2.1}]\n"
          "      nameservers: {addresses: [192.0.2.2]}\n      mtu: 9000\n" },
    { .path = "/etc/NetworkManager/system-connections/a",
      .text = "[connection]\ninterface-name=ens224\n[ethernet]\nmtu=1400\n"
              "[ipv4]\naddress1=198.51.100.5/24,198.51.100.1\n"
              "dns=198.51.100.2;198.51.100.3;\nmethod=manual\n" },
    { .path = "/etc/sysconfig/network/ifcfg-eth7",
      .text = "IPADDR='203.0.113.5/24'\nMTU='1300'\n" },
    { .path = "/etc/systemd/network/a.network",
      .text = "[Match]\nName=ens9\n[Network]\nDHCP=ipv4\nDNS=203.0.113.9\n" },
    END
  };
  static const char *const words[] = {
    "\"192.0.2.5/24\"",
    "\"2001:db8::5/64\"",
    "\"192.0.2.1\"",
    "\"192.0.2.2\"",
    "\"9000\"",
    "\"198.51.100.5/24\"",
    "\"198.51.100.1\"",
    "\"198.51.100.3\"",
    "\"1400\"",
    "\"203.0.113.5/24\"",
    "\"1300\"",
    "\"203.0.113.9\"",
    "\"/etc/systemd/network/a.network\"",
    "\"ens160\"",
  };
  char *dir = guest_tree_make (tree), *text;
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_LINUX, "any", 1);
  struct v2v_error *err = NULL;
  struct v2v_json *j = v2v_linux_network_to_json (g, &err);

  (void) state;
  assert_ptr (j, err);
  text = v2v_json_dump (j, 0);
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    if (strstr (text, words[i]) == NULL)
      fail_msg ("%s is not in %s", words[i], text);
  free (text);
  v2v_json_free (j);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

/* The real parser of rules: udevadm verify is of systemd 254. */
static void
test_rules_pass_udevs_own_parser (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);
  char path[4096];
  int status;

  (void) state;
  snprintf (path, sizeof path, "%s" RULES, t.dir);
  status = test_run (
      (const char *const[]){ "udevadm", "verify", "--help", NULL }, NULL);
  if (status == 0)
    status = test_run ((const char *const[]){ "udevadm", "verify", path, NULL },
                       NULL);
  else
    status = -1;
  net_tree_end (&t);
  if (status == -1)
    skip ();
  assert_int_equal (status, 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_rhel6_rules_are_loosened_and_left),
    cmocka_unit_test (test_constructed_old_udev_gets_rules_for_kernel_names),
    cmocka_unit_test (test_a_rule_on_several_lines_is_read_and_told),
    cmocka_unit_test (test_an_anchor_in_netplan_is_not_cut),
    cmocka_unit_test (test_rule_by_place_becomes_one_by_address),
    cmocka_unit_test (test_link_files_by_driver_or_path_are_loosened),
    cmocka_unit_test (test_link_file_of_the_owner_is_enough),
    cmocka_unit_test (
        test_link_file_uses_the_permanent_address_where_it_is_known),
    cmocka_unit_test (test_an_existing_file_of_rules_is_added_to),
    cmocka_unit_test (test_netplan_is_edited_byte_for_byte),
    cmocka_unit_test (test_hostile_yaml_is_a_finding_or_ignored),
    cmocka_unit_test (test_new_addresses_leave_matching_to_names_and_driver),
    cmocka_unit_test (test_new_addresses_of_two_adapters_are_a_finding),
    cmocka_unit_test (test_settings_of_the_driver_are_a_finding),
    cmocka_unit_test (test_initramfs_is_stale_only_if_it_uses_the_network),
    cmocka_unit_test (test_names_that_are_no_names_are_not_written),
    cmocka_unit_test (test_guest_without_a_known_machine_is_not_pinned),
    cmocka_unit_test (test_report_has_addresses_routes_dns_and_mtu),
    cmocka_unit_test (test_rules_pass_udevs_own_parser),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
