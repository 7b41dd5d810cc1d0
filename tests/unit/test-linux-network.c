/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, addresses and matches of every network system, on constructed trees
 * laid out as the distributions do it.  udev's and systemd's own parsers judge
 * what is written, where they are installed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net-tree.h"
#include "test-util.h"

/* ---- one adapter, each system ---- */

static void
check_one (const struct guest_tree_entry *tree, const char *name)
{
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);
  char link[128], text[256];

  snprintf (text, sizeof text,
            "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", "
            "ATTR{address}==\"" M1 "\", ATTR{type}==\"1\", NAME=\"%s\"\n",
            name);
  guest_tree_assert_text (t.dir, RULES, text);
  snprintf (link, sizeof link, "/etc/systemd/network/10-v2v-%s.link", name);
  snprintf (text, sizeof text,
            "[Match]\nMACAddress=" M1 "\n\n[Link]\nName=%s\n", name);
  guest_tree_assert_has (t.dir, link, text);
  net_tree_no_findings (&t);
  assert_false (t.stale);
  net_tree_end (&t);
}

static void
test_constructed_debian_ifupdown_keeps_its_name (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "source /etc/network/interfaces.d/*\nauto lo\n"
              "iface lo inet loopback\n" },
    { .path = "/etc/network/interfaces.d/ens192",
      .text = "allow-hotplug ens192\niface ens192 inet static\r\n"
              "\taddress 192.0.2.5/24\n\tgateway 192.0.2.1\n"
              "\tdns-nameservers 192.0.2.2 192.0.2.3\n"
              "iface ens192 inet6 auto\n" },
    END
  };

  (void) state;
  check_one (tree, "ens192");
}

/* Files that each read the folder they are in 16 times: 64^5 readings. */
static void
test_hostile_interfaces_that_read_each_other_end (void **state)
{
#define AGAIN "source x/*\nsource x/*\nsource x/*\nsource x/*\n"
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface eth0 inet dhcp\n" AGAIN AGAIN AGAIN AGAIN },
    { .path = "/etc/network/x/a", .text = AGAIN AGAIN AGAIN AGAIN },
    { .path = "/etc/network/x/b", .text = AGAIN AGAIN AGAIN AGAIN },
    { .path = "/etc/network/x/c", .text = AGAIN AGAIN AGAIN AGAIN },
    { .path = "/etc/network/x/d", .text = AGAIN AGAIN AGAIN AGAIN },
    END
  };
  struct net_tree t;

  (void) state;
  alarm (30);
  t = net_tree_begin (tree, net_tree_one (), false);
  alarm (0);
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_constructed_ubuntu_netplan_keeps_its_name (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/netplan/00-installer-config.yaml",
      .text =
          "network:\n  version: 2\n  ethernets:\n    ens160:\n"
          "      addresses: [192.0.2.5/24]\n"
          "      routes:\n      - to: default\n        via: 192.0.2.1\n"
          "      nameservers: {addresses: [192.0.2.2]}\n      mtu: 9000\n" },
    END
  };

  (void) state;
  check_one (tree, "ens160");
}

static void
test_constructed_rhel7_ifcfg_keeps_its_name (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-lo",
      .text = "DEVICE=lo\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "TYPE=\"Ethernet\"\r\nBOOTPROTO='none'\r\nDEVICE=\"ens192\"\r\n"
              "ONBOOT=yes # really\r\nIPADDR=192.0.2.5\r\nPREFIX=24\r\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens224.bak",
      .text = "DEVICE=ens224\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens33",
      .text = "DEVICE=ens33\nONBOOT=no\n" },
    END
  };

  (void) state;
  check_one (tree, "ens192");
}

static void
test_constructed_rhel9_keyfile_keeps_its_name_and_mode (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/NetworkManager/system-connections/ens192.nmconnection",
      .text =
          "[connection]\nid=ens192\ntype=ethernet\ninterface-name=ens192\n"
          "[match]\ndriver=virtio_net;vmxnet3;e1000;\npath=pci-0000:0b:00.0\n"
          "[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\nmethod=manual\n",
      .mode = 0600 },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_text (
      t.dir, tree[1].path,
      "[connection]\nid=ens192\ntype=ethernet\ninterface-name=ens192\n"
      "[match]\ndriver=virtio_net;hv_netvsc;\n"
      "[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\nmethod=manual\n");
  assert_int_equal (guest_tree_mode (t.dir, tree[1].path), 0600);
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens192"));
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_constructed_sles_wicked_keeps_its_name (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network/ifcfg-eth1",
      .text = "IPADDR='192.0.2.5/24'\nBOOTPROTO='static'\nSTARTMODE='auto'\n" },
    { .path = "/etc/sysconfig/network/ifcfg-eth1.100",
      .text = "ETHERDEVICE='eth1'\nVLAN_ID='100'\n" },
    END
  };

  /* eth1 in a machine with one adapter: nothing else can take the name. */
  (void) state;
  check_one (tree, "eth1");
}

static void
test_constructed_arch_networkd_keeps_its_name (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/systemd/network/20-wired.network",
      .text = "[Match]\nName=ens33\n\n[Network]\nAddress=192.0.2.5/24\n" },
    END
  };

  (void) state;
  check_one (tree, "ens33");
}

/* Photon's image: a pattern, DHCP; the slot tells what "en*" would find. */
static void
test_constructed_photon_pattern_finds_an_interface (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/systemd/network/99-dhcp-en.network",
      .text = "[Match]\nName=e*\n\n[Network]\nDHCP=yes\n" },
    END
  };
  static const struct guest_tree_entry off[] = {
    MODERN,
    { .path = "/etc/systemd/network/99-dhcp-en.network",
      .text = "[Match]\nName=e*\n\n[Network]\nDHCP=yes\n" },
    { .path = "/boot/grub/grub.cfg", .text = "linux /vmlinuz net.ifnames=0\n" },
    END
  };
  struct net_tree t = net_tree_begin (
      tree,
      net_tree_machine (1, (const char *const[]){ M1 }, (unsigned[]){ 224 }),
      false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens224"));
  net_tree_end (&t);
  t = net_tree_begin (off, net_tree_one (), false);
  assert_false (guest_tree_exists (t.dir, RULES));
  net_tree_end (&t);
}

/* The kernel's own name of the only adapter: nothing to do. */
static void
test_constructed_eth0_of_one_adapter_needs_nothing (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces", .text = "iface eth0 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

/* ---- several adapters ---- */

static void
test_addresses_in_any_spelling_give_names_to_two_adapters (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens224",
      .text = "HWADDR=\"00:50:56:AA:BB:01\"\nNAME=x\n" },
    { .path = "/etc/NetworkManager/system-connections/a",
      .text = "[connection]\ninterface-name=ens192\ntype=802-3-ethernet\n"
              "[802-3-ethernet]\nmac-address = 00:50:56:Aa:bB:02 \n",
      .mode = 0600 },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens224") PIN (M2, "ens192"));
  guest_tree_assert_has (t.dir, LINK ("ens224"), M1);
  guest_tree_assert_has (t.dir, LINK ("ens192"), M2);
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_slots_give_names_to_two_adapters (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface ens192 inet dhcp\niface ens161 inet dhcp\n" },
    END
  };
  struct net_tree t =
      net_tree_begin (tree,
                      net_tree_machine (2, (const char *const[]){ M1, M2 },
                                        (const unsigned[]){ 161, 192 }),
                      false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens161") PIN (M2, "ens192"));
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_order_of_vmwares_slots_is_the_last_resort (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/netplan/a.yaml",
      .text = "network:\n  ethernets:\n    ens161: {dhcp4: true}\n"
              "    ens224: {dhcp4: true}\n    ens192: {dhcp4: true}\n" },
    END
  };
  struct net_tree t = net_tree_begin (
      tree, net_tree_machine (3, (const char *const[]){ M1, M2, M3 }, NULL),
      false);

  (void) state;
  guest_tree_assert_text (
      t.dir, RULES, PIN (M1, "ens192") PIN (M2, "ens224") PIN (M3, "ens161"));
  assert_non_null (net_tree_finding (&t, "guest.network.by-order"));
  net_tree_end (&t);
}

static void
test_leases_tell_which_adapter_is_meant (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface lan0 inet dhcp\niface lan1 inet dhcp\n" },
    { .path = "/var/lib/dhcp/dhclient.lan0.leases",
      .text = "lease {\n  interface \"lan0\";\n"
              "  option dhcp-client-identifier 1:0:50:56:aa:bb:2;\n}\n" },
    { .path = "/var/lib/NetworkManager/"
              "internal-5fb06bd0-0bb0-7ffb-45f1-d6edd65f3e03-lan1.lease",
      .text = "ADDRESS=192.0.2.9\nCLIENTID=01-00-50-56-AA-BB-01\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "lan1") PIN (M2, "lan0"));
  net_tree_no_findings (&t);
  net_tree_end (&t);
}

static void
test_wicked_lease_names_its_interface (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network/ifcfg-em7",
      .text = "BOOTPROTO='dhcp'\n" },
    { .path = "/etc/sysconfig/network/ifcfg-em8",
      .text = "BOOTPROTO='dhcp'\n" },
    { .path = "/var/lib/wicked/lease-em8-dhcp-ipv4.xml",
      .text = "<lease><client-id>01:" M1 "</client-id></lease>\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  /* What is left is the other one's. */
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "em8") PIN (M2, "em7"));
  net_tree_end (&t);
}

static void
test_two_answers_for_one_address_write_nothing (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "HWADDR=" M1 "\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens224",
      .text = "HWADDR=" M1 "\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_one (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (net_tree_finding (&t, "guest.network.conflict"));
  assert_int_equal (net_tree_finding (&t, "guest.network.conflict")->severity,
                    V2V_WARNING);
  assert_string_equal (net_tree_finding (&t, "guest.network.conflict")->subject,
                       M1);
  net_tree_end (&t);
}

static void
test_one_name_for_two_addresses_writes_nothing (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "HWADDR=" M1 "\n" },
    { .path = "/etc/udev/rules.d/70-persistent-net.rules",
      .text =
          "SUBSYSTEM==\"net\", ATTR{address}==\"" M2 "\", NAME=\"ens192\"\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (net_tree_finding (&t, "guest.network.conflict"));
  net_tree_end (&t);
}

static void
test_two_adapters_named_by_the_kernel_are_a_finding (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface eth0 inet dhcp\niface eth1 inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (net_tree_finding (&t, "guest.network.kernel-names"));
  net_tree_end (&t);
}

static void
test_unknown_names_are_a_finding (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface wan inet dhcp\niface dmz inet dhcp\n" },
    END
  };
  struct net_tree t = net_tree_begin (tree, net_tree_two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (net_tree_finding (&t, "guest.network.unpinned"));
  net_tree_end (&t);
}

/* ---- bonds, VLANs, bridges: their parents' names are kept ---- */

static void
test_bonds_vlans_and_bridges_are_no_adapters (void **state)
{
  static const struct guest_tree_entry rhel[] = {
    MODERN,
    { .path = "/etc/sysconfig/network-scripts/ifcfg-lan",
      .text = "DEVICE=lan\nTYPE=Bond\nBONDING_MASTER=yes\nHWADDR=" M1 "\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192",
      .text = "DEVICE=ens192\nMASTER=lan\nSLAVE=yes\nBRIDGE=br0\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192.7",
      .text = "DEVICE=ens192.7\nVLAN=yes\n" },
    { .path = "/etc/sysconfig/network-scripts/ifcfg-ens192:1",
      .text = "DEVICE=ens192:1\nIPADDR=192.0.2.9\n" },
    END
  };
  static const struct guest_tree_entry networkd[] = {
    MODERN,
    { .path = "/etc/systemd/network/a.netdev",
      .text = "[NetDev]\nName=uplink\nKind=bond\n" },
    { .path = "/etc/systemd/network/a.network",
      .text = "[Match]\nName=uplink\n[Network]\nDHCP=yes\n" },
    { .path = "/etc/systemd/network/b.network",
      .text = "[Match]\nName=ens192\n[Network]\nBond=uplink\n" },
    END
  };
  static const struct guest_tree_entry netplan[] = {
    MODERN,
    { .path = "/etc/netplan/a.yaml",
      .text = "network:\n  bonds:\n    uplink:\n      interfaces: [ens192]\n"
              "  vlans:\n    office: {id: 7, link: uplink}\n"
              "  ethernets:\n    ens192: {}\n" },
    END
  };
  static const struct guest_tree_entry debian[] = {
    MODERN,
    { .path = "/etc/network/interfaces",
      .text = "iface ens192 inet manual\niface lan inet static\n"
              "  bridge_ports ens192\n  address 192.0.2.5/24\n"
              "iface office inet dhcp\n  vlan-raw-device lan\n" },
    END
  };
  static const struct guest_tree_entry nm[] = {
    MODERN,
    { .path = "/etc/NetworkManager/system-connections/b.nmconnection",
      .text = "[connection]\ntype=bond\ninterface-name=uplink\n",
      .mode = 0600 },
    { .path = "/etc/NetworkManager/system-connections/p.nmconnection",
      .text = "[connection]\ntype=ethernet\ninterface-name=ens192\n"
              "master=uplink\n",
      .mode = 0600 },
    END
  };

  (void) state;
  check_one (rhel, "ens192");
  check_one (networkd, "ens192");
  check_one (netplan, "ens192");
  check_one (debian, "ens192");
  check_one (nm, "ens192");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_debian_ifupdown_keeps_its_name),
    cmocka_unit_test (test_hostile_interfaces_that_read_each_other_end),
    cmocka_unit_test (test_constructed_ubuntu_netplan_keeps_its_name),
    cmocka_unit_test (test_constructed_rhel7_ifcfg_keeps_its_name),
    cmocka_unit_test (test_constructed_rhel9_keyfile_keeps_its_name_and_mode),
    cmocka_unit_test (test_constructed_sles_wicked_keeps_its_name),
    cmocka_unit_test (test_constructed_arch_networkd_keeps_its_name),
    cmocka_unit_test (test_constructed_photon_pattern_finds_an_interface),
    cmocka_unit_test (test_constructed_eth0_of_one_adapter_needs_nothing),
    cmocka_unit_test (
        test_addresses_in_any_spelling_give_names_to_two_adapters),
    cmocka_unit_test (test_slots_give_names_to_two_adapters),
    cmocka_unit_test (test_order_of_vmwares_slots_is_the_last_resort),
    cmocka_unit_test (test_leases_tell_which_adapter_is_meant),
    cmocka_unit_test (test_wicked_lease_names_its_interface),
    cmocka_unit_test (test_two_answers_for_one_address_write_nothing),
    cmocka_unit_test (test_one_name_for_two_addresses_writes_nothing),
    cmocka_unit_test (test_two_adapters_named_by_the_kernel_are_a_finding),
    cmocka_unit_test (test_unknown_names_are_a_finding),
    cmocka_unit_test (test_bonds_vlans_and_bridges_are_no_adapters),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
