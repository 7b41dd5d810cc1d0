/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, addresses and matches of every network system, on constructed trees
 * laid out as the distributions do it.  udev's and systemd's own parsers judge
 * what is written, where they are installed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/machine.h"
#include "inject/linux-internal.h"
#include "guest-tree.h"
#include "test-util.h"

#define RULES      "/etc/udev/rules.d/70-persistent-net.rules"
#define LINK(name) "/etc/systemd/network/10-v2v-" name ".link"
#define PIN(mac, name)                                                         \
  "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", "                     \
  "ATTR{address}==\"" mac "\", ATTR{type}==\"1\", NAME=\"" name "\"\n"
#define M1 "00:50:56:aa:bb:01"
#define M2 "00:50:56:aa:bb:02"
#define M3 "00:50:56:aa:bb:03"

/* udev as of systemd 209 and later. */
#define MODERN                                                                 \
  {                                                                            \
    .path = "/usr/lib/udev/rules.d/80-net-setup-link.rules", .text = ""        \
  }
#define END                                                                    \
  {                                                                            \
    .path = NULL                                                               \
  }

static struct v2v_machine *
machine_of (size_t nr, const char *const macs[], const unsigned slots[])
{
  struct v2v_machine *m = v2v_machine_new (NULL);

  assert_non_null (m);
  for (size_t i = 0; i < nr; ++i) {
    struct v2v_nic *nic = v2v_machine_add_nic (m);

    assert_non_null (nic);
    assert_true (asprintf (&nic->id, "ethernet%zu", i) > 0);
    nic->mac = macs[i] ? strdup (macs[i]) : NULL;
    nic->pci_slot = slots ? slots[i] : 0;
  }
  return m;
}

struct test {
  char *dir;
  struct v2v_guest *g;
  struct v2v_machine *m;
  bool stale;
};

static void
convert (struct test *t)
{
  struct linux_guest l = { .g = t->g, .os = v2v_guest_os (t->g) };
  struct v2v_error *err = NULL;

  assert_ok (linux_keep_network (&l, &err), err);
  t->stale = l.initramfs_is_stale;
}

static struct test
begin (const struct guest_tree_entry *tree, struct v2v_machine *m,
       bool new_macs)
{
  struct test t = { .dir = guest_tree_make (tree), .m = m };
  struct v2v_guest_opts opts = { .new_macs = new_macs };

  t.g = guest_tree_open (t.dir, V2V_FAMILY_LINUX, "any", 1);
  v2v_guest_set_machine (t.g, m);
  v2v_guest_set_opts (t.g, &opts);
  convert (&t);
  return t;
}

/* A second conversion must change nothing. */
static void
end (struct test *t)
{
  const struct v2v_guest_opts opts = *v2v_guest_get_opts (t->g);

  v2v_guest_close (t->g);
  t->g = guest_tree_open (t->dir, V2V_FAMILY_LINUX, "any", 1);
  v2v_guest_set_machine (t->g, t->m);
  v2v_guest_set_opts (t->g, &opts);
  convert (t);
  guest_tree_assert_unchanged (t->g);
  v2v_guest_close (t->g);
  v2v_machine_free (t->m);
  test_tmpdir_remove (t->dir);
}

static const struct v2v_finding *
finding (const struct test *t, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (t->g), id);
}

static void
no_findings (const struct test *t)
{
  const struct v2v_findings *f = v2v_guest_findings (t->g);

  if (f->len > 0)
    fail_msg ("%s: %s", f->ptr[0].id, f->ptr[0].message);
}

static struct v2v_machine *
one (void)
{
  return machine_of (1, (const char *const[]){ M1 }, NULL);
}

static struct v2v_machine *
two (void)
{
  return machine_of (2, (const char *const[]){ M1, M2 }, NULL);
}

/* ---- one adapter, each system ---- */

static void
check_one (const struct guest_tree_entry *tree, const char *name)
{
  struct test t = begin (tree, one (), false);
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
  no_findings (&t);
  assert_false (t.stale);
  end (&t);
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
  struct test t;

  (void) state;
  alarm (30);
  t = begin (tree, one (), false);
  alarm (0);
  no_findings (&t);
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (
      t.dir, tree[1].path,
      "[connection]\nid=ens192\ntype=ethernet\ninterface-name=ens192\n"
      "[match]\ndriver=virtio_net;hv_netvsc;\n"
      "[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\nmethod=manual\n");
  assert_int_equal (guest_tree_mode (t.dir, tree[1].path), 0600);
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens192"));
  no_findings (&t);
  end (&t);
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
  struct test t = begin (
      tree, machine_of (1, (const char *const[]){ M1 }, (unsigned[]){ 224 }),
      false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens224"));
  end (&t);
  t = begin (off, one (), false);
  assert_false (guest_tree_exists (t.dir, RULES));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  no_findings (&t);
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens224") PIN (M2, "ens192"));
  guest_tree_assert_has (t.dir, LINK ("ens224"), M1);
  guest_tree_assert_has (t.dir, LINK ("ens192"), M2);
  no_findings (&t);
  end (&t);
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
  struct test t = begin (tree,
                         machine_of (2, (const char *const[]){ M1, M2 },
                                     (const unsigned[]){ 161, 192 }),
                         false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens161") PIN (M2, "ens192"));
  no_findings (&t);
  end (&t);
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
  struct test t = begin (
      tree, machine_of (3, (const char *const[]){ M1, M2, M3 }, NULL), false);

  (void) state;
  guest_tree_assert_text (
      t.dir, RULES, PIN (M1, "ens192") PIN (M2, "ens224") PIN (M3, "ens161"));
  assert_non_null (finding (&t, "guest.network.by-order"));
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "lan1") PIN (M2, "lan0"));
  no_findings (&t);
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  /* What is left is the other one's. */
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "em8") PIN (M2, "em7"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (finding (&t, "guest.network.conflict"));
  assert_int_equal (finding (&t, "guest.network.conflict")->severity,
                    V2V_WARNING);
  assert_string_equal (finding (&t, "guest.network.conflict")->subject, M1);
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (finding (&t, "guest.network.conflict"));
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (finding (&t, "guest.network.kernel-names"));
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  assert_non_null (finding (&t, "guest.network.unpinned"));
  end (&t);
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
  struct test t = begin (
      tree, machine_of (3, (const char *const[]){ M1, M2, M3 }, NULL), false);

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
  no_findings (&t);
  end (&t);
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
  struct test t = begin (tree, two (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "eth1") PIN (M2, "eth0"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (finding (&t, "guest.network.bus-bound"));
  guest_tree_assert_has (t.dir, LINK ("lan0"), M1);
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (finding (&t, "guest.network.bus-bound"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path,
                          "SUBSYSTEM==\"net\", ATTR{address}==\"" M1
                          "\", NAME=\"lan0\"\n"
                          "SUBSYSTEM==\"block\", KERNELS==\"0000:0b:00.0\", "
                          "SYMLINK+=\"x\"\n");
  v2v_guest_close (t.g);
  v2v_machine_free (t.m);
  test_tmpdir_remove (t.dir);

  t = begin (tree, two (), false);
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  assert_non_null (finding (&t, "guest.network.bus-bound"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, tree[1].path,
                          "[Match]\nMACAddress=" M1 "\n\n[Link]\nName=lan0\n");
  guest_tree_assert_text (t.dir, tree[2].path,
                          "[Match]\r\nDriver=hv_netvsc virtio_net\r\n"
                          "[Network]\r\nDHCP=yes\r\n");
  guest_tree_assert_text (t.dir, tree[3].path,
                          "[Match]\nName=lan0\nDriver=!vmxnet3\n"
                          "[Network]\nDHCP=yes\n");
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  assert_false (guest_tree_exists (t.dir, LINK ("lan0")));
  guest_tree_assert_text (t.dir, tree[1].path, tree[1].text);
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "lan0"));
  end (&t);
  t = begin (general, one (), false);
  assert_false (guest_tree_exists (t.dir, LINK ("ens192")));
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "ens192"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_has (t.dir, LINK ("ens192"),
                         "[Match]\nPermanentMACAddress=" M1 "\n");
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, "# mine\n" PIN (M1, "ens192"));
  end (&t);
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
  struct test t = begin (tree, one (), false);

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
  no_findings (&t);
  end (&t);
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
    struct test t = begin (tree, one (), false);

    /* An alias makes "ethernets" a name; nothing else is one. */
    if (i != 1)
      guest_tree_assert_unchanged (t.g);
    if (i == 0)
      assert_non_null (finding (&t, "guest.file.unreadable"));
    end (&t);
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
  struct test t = begin (tree, one (), true);

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
  end (&t);
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
  struct test t = begin (tree, two (), true);

  (void) state;
  assert_false (guest_tree_exists (t.dir, RULES));
  assert_non_null (finding (&t, "guest.network.unpinned"));
  end (&t);
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
    struct test t = begin (trees[i], one (), false);

    if (finding (&t, "guest.network.driver-settings") == NULL)
      fail_msg ("%s", trees[i][0].path);
    assert_string_equal (finding (&t, "guest.network.driver-settings")->subject,
                         trees[i][0].path);
    end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  assert_true (t.stale);
  end (&t);
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
  struct test t = begin (tree, one (), false);

  (void) state;
  guest_tree_assert_text (t.dir, RULES, PIN (M1, "x")); /* the file's name */
  end (&t);
}

static void
test_guest_without_a_known_machine_is_not_pinned (void **state)
{
  static const struct guest_tree_entry tree[] = {
    MODERN,
    { .path = "/etc/network/interfaces", .text = "iface ens192 inet dhcp\n" },
    END
  };
  struct test t = begin (tree, NULL, false);

  (void) state;
  guest_tree_assert_unchanged (t.g);
  end (&t);
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
  struct test t = begin (tree, one (), false);
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
  end (&t);
  if (status == -1)
    skip ();
  assert_int_equal (status, 0);
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
