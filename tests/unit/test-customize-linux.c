/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Customising constructed Linux guests, as their distributions lay them out. */

#include <config.h>

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/customize-internal.h"
#include "test-util.h"

#define PASSWORD "correct horse battery staple"

#define DEBIAN_ACCOUNTS                                                        \
  { "/etc/passwd",                                                             \
    "root:x:0:0:root:/root:/bin/bash\n"                                        \
    "old:x:1000:1000:,,,:/home/old:/bin/bash\n+::::::\n",                      \
    NULL, 0 },                                                                 \
      { "/etc/shadow",                                                         \
        "root:*:19000:0:99999:7:::\nold:!:19000:0:99999:7:::\n", NULL, 0640 }, \
      { "/etc/group", "root:x:0:\nsudo:x:27:old\nold:x:1000:\n", NULL, 0 },    \
      { "/etc/gshadow", "root:*::\nsudo:*::old\nold:!::\n", NULL, 0640 },      \
      { "/etc/login.defs",                                                     \
        "# ENCRYPT_METHOD DES\nENCRYPT_METHOD SHA512\nUID_MIN\t\t1000\n"       \
        "HOME_MODE\t0750\n",                                                   \
        NULL, 0 },                                                             \
      { "/etc/sudoers", "x\n", NULL, 0440 },                                   \
      { "/etc/skel/.profile", "# skel\n", NULL, 0 },                           \
      { "/bin/bash", "", NULL, 0755 },                                         \
      { "/usr/share/zoneinfo/Europe/Berlin", "TZif-berlin", NULL, 0 },         \
  {                                                                            \
    "/usr/share/zoneinfo/Asia/Calcutta", "TZif-kolkata", NULL, 0               \
  }

static const struct guest_tree_entry debian[] = {
  DEBIAN_ACCOUNTS,
  { "/etc/debian_version", "12.5\n", NULL, 0 },
  { "/etc/hostname", "old-name\n", NULL, 0 },
  { "/etc/hosts",
    "127.0.0.1\tlocalhost\n127.0.1.1\told-name.lan old-name\n"
    "# old-name in a comment\n192.0.2.9  db old-name-2\n"
    "192.0.2.8 old-name.other.org\n192.0.2.7 old-name.lan old-name\n",
    NULL, 0 },
  { "/etc/localtime", NULL, "/usr/share/zoneinfo/Etc/UTC", 0 },
  { "/etc/timezone", "Etc/UTC\n", NULL, 0 },
  { "/etc/default/locale", "LANG=en_US.UTF-8\n", NULL, 0 },
  { "/etc/locale.gen", "# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n", NULL, 0 },
  { "/usr/lib/systemd/systemd", "", NULL, 0755 },
  { "/sbin/init", NULL, "/usr/lib/systemd/systemd", 0 },
  { "/usr/bin/apt-get", "", NULL, 0755 },
  { "/sbin/ifup", "", NULL, 0755 },
  { "/etc/network/interfaces",
    "# by hand\nsource /etc/network/interfaces.d/*\n\nauto lo\n"
    "iface lo inet loopback\n\nallow-hotplug ens192\n"
    "iface ens192 inet dhcp\n\tdns-search old\n",
    NULL, 0 },
  { "/etc/resolv.conf", "nameserver 192.0.2.200\n", NULL, 0 },
  { NULL, NULL, NULL, 0 },
};

static const char full_profile[] =
    "{\"computer_name\": \"web01.example.com\","
    " \"time_zone\": \"W. Europe Standard Time\", \"locale\": \"de-DE\","
    " \"network\": [{\"mac\": \"00:50:56:AA:00:01\","
    "  \"addresses\": [\"192.0.2.5/24\", \"2001:db8::5/64\"],"
    "  \"gateways\": [\"192.0.2.1\", \"2001:db8::1\"],"
    "  \"dns\": [\"192.0.2.53\", \"2001:db8::53\"],"
    "  \"search\": [\"example.com\"], \"mtu\": 9000,"
    "  \"routes\": [{\"to\": \"10.0.0.0/8\", \"via\": \"192.0.2.2\","
    "  \"metric\": 7}]}],"
    " \"linux\": {\"root\": {\"password\": {\"file\": \"secret\"}},"
    "  \"packages\": [\"nginx\", \"vim\"],"
    "  \"users\": [{\"name\": \"jo.doe\", \"comment\": \"Jo, Doe\","
    "   \"groups\": [\"sudo\", \"wheel\"], \"sudo_without_password\": true,"
    "   \"password\": {\"file\": \"secret\"},"
    "   \"authorized_keys\": [\"ssh-ed25519 AAAA jo@pc\"]}]}}";

/* Customise the tree DIR; with TWICE a second run must change nothing. */
static void
customize (const char *dir, const char *profile, const char *distro, int major,
           struct v2v_findings *ret)
{
  char *host = test_tmpdir ();
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_profile *p;

  assert_true (asprintf (&path, "%s/secret", host) > 0);
  test_write_file (path, PASSWORD "\n", strlen (PASSWORD) + 1);
  p = v2v_profile_parse (profile, strlen (profile), "p.json", host, &err);
  assert_ptr (p, err);
  assert_ok (v2v_profile_read_secrets (p, &err), err);
  for (unsigned run = 0; run < 2; ++run) {
    struct v2v_guest *g =
        guest_tree_open (dir, V2V_FAMILY_LINUX, distro, major);
    struct v2v_json *j;
    CLEANUP_FREE char *text = NULL;

    assert_ok (v2v_customize (g, p, &err), err);
    if (run == 1)
      guest_tree_assert_unchanged (g);
    j = v2v_journal_to_json (v2v_guest_journal (g));
    text = v2v_json_dump (j, 0);
    if (strstr (text, PASSWORD) != NULL || strstr (text, "$6$") != NULL ||
        strstr (text, "$y$") != NULL)
      fail_msg ("a secret is in the journal");
    v2v_json_free (j);
    if (run == 0 && ret != NULL) {
      *ret = *v2v_guest_findings (g);
      memset (v2v_guest_findings (g), 0, sizeof *ret);
    }
    v2v_guest_close (g);
  }
  v2v_profile_free (p);
  test_tmpdir_remove (host);
}

/* The second field of USER in shadow is a hash of PASSWORD with PREFIX. */
static void
assert_password (const char *dir, const char *user, const char *prefix)
{
  CLEANUP_FREE char *shadow = guest_tree_read (dir, "/etc/shadow");
  CLEANUP_FREE char *line = NULL;
  struct crypt_data data = { .initialized = 0 };
  char *hash, *end;

  assert_true (asprintf (&line, "%s:", user) > 0);
  hash = strstr (shadow, line);
  assert_non_null (hash);
  hash += strlen (line);
  end = strchr (hash, ':');
  assert_non_null (end);
  *end = '\0';
  if (strncmp (hash, prefix, strlen (prefix)) != 0)
    fail_msg ("hash '%s', expected %s", hash, prefix);
  assert_string_equal (crypt_r (PASSWORD, hash, &data), hash);
}

static void
test_constructed_debian_12_gets_everything_by_edited_files (void **state)
{
  char *dir = guest_tree_make (debian);
  CLEANUP_FREE char *link = NULL;

  (void) state;
  customize (dir, full_profile, "debian", 12, NULL);
  guest_tree_assert_text (dir, "/etc/hostname", "web01\n");
  guest_tree_assert_text (
      dir, "/etc/hosts",
      "127.0.0.1\tlocalhost\n127.0.1.1\tweb01.example.com web01\n"
      "# old-name in a comment\n192.0.2.9  db old-name-2\n"
      "192.0.2.8 old-name.other.org\n192.0.2.7 web01.example.com web01\n");
  link = guest_tree_readlink (dir, "/etc/localtime");
  assert_string_equal (link, "/usr/share/zoneinfo/Europe/Berlin");
  guest_tree_assert_text (dir, "/etc/timezone", "Europe/Berlin\n");
  guest_tree_assert_text (dir, "/etc/default/locale", "LANG=de_DE.UTF-8\n");
  guest_tree_assert_text (dir, "/etc/locale.gen",
                          "de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n");
  guest_tree_assert_has (dir, "/usr/lib/v2v-firstboot/scripts/5000-locale-gen",
                         "locale-gen");
  guest_tree_assert_has (dir, "/usr/lib/v2v-firstboot/scripts/4500-packages",
                         "apt-get -q -y install nginx vim\n");
  assert_password (dir, "root", "$6$");
  assert_password (dir, "jo.doe", "$6$");
  guest_tree_assert_text (dir, "/etc/passwd",
                          "root:x:0:0:root:/root:/bin/bash\n"
                          "old:x:1000:1000:,,,:/home/old:/bin/bash\n"
                          "jo.doe:x:1001:1001:Jo, Doe:/home/jo.doe:/bin/bash\n"
                          "+::::::\n");
  guest_tree_assert_text (dir, "/etc/group",
                          "root:x:0:\nsudo:x:27:old,jo.doe\nold:x:1000:\n"
                          "jo.doe:x:1001:\nwheel:x:1002:jo.doe\n");
  guest_tree_assert_has (dir, "/etc/gshadow", "sudo:*::old,jo.doe\n");
  guest_tree_assert_has (dir, "/etc/shadow", "\nold:!:19000:0:99999:7:::\n");
  assert_int_equal (guest_tree_mode (dir, "/etc/shadow"), 0640);
  assert_int_equal (guest_tree_mode (dir, "/home/jo.doe"), 0750);
  guest_tree_assert_text (dir, "/home/jo.doe/.profile", "# skel\n");
  guest_tree_assert_text (dir, "/home/jo.doe/.ssh/authorized_keys",
                          "ssh-ed25519 AAAA jo@pc\n");
  assert_int_equal (guest_tree_mode (dir, "/home/jo.doe/.ssh"), 0700);
  assert_int_equal (guest_tree_mode (dir, "/home/jo.doe/.ssh/authorized_keys"),
                    0600);
  guest_tree_assert_text (dir, "/etc/sudoers.d/90-v2v-jo=doe",
                          "jo.doe ALL=(ALL) NOPASSWD: ALL\n");
  assert_int_equal (guest_tree_mode (dir, "/etc/sudoers.d/90-v2v-jo=doe"),
                    0440);
  guest_tree_assert_text (
      dir, "/etc/network/interfaces",
      "# by hand\nsource /etc/network/interfaces.d/*\n\nauto lo\n"
      "iface lo inet loopback\n\nauto ens192\n"
      "iface ens192 inet static\n\taddress 192.0.2.5\n\tnetmask 24\n"
      "\tgateway 192.0.2.1\n"
      "\tup ip route add 10.0.0.0/8 via 192.0.2.2 dev ens192 metric 7\n"
      "\tup ip link set dev ens192 mtu 9000\n"
      "iface ens192 inet6 static\n\taddress 2001:db8::5\n\tnetmask 64\n"
      "\tgateway 2001:db8::1\n"
      "\tup ip link set dev ens192 mtu 9000\n");
  guest_tree_assert_text (dir, "/etc/resolv.conf",
                          "search example.com\nnameserver 192.0.2.53\n"
                          "nameserver 2001:db8::53\n");
  test_tmpdir_remove (dir);
}

static void
test_constructed_ubuntu_with_cloud_init_gets_a_seed (void **state)
{
  char *dir = guest_tree_make (debian);
  CLEANUP_FREE char *passwd = NULL;

  (void) state;
  guest_tree_write (dir, "/usr/bin/cloud-init", "");
  guest_tree_write (dir, "/etc/cloud/cloud.cfg", "x\n");
  guest_tree_write (dir, "/etc/netplan/01-old.yaml", "network: {}\n");
  guest_tree_write (dir, "/etc/netplan/50-cloud-init.yaml", "network: {}\n");
  guest_tree_write (dir, "/etc/sysconfig/network-scripts/ifcfg-ens192",
                    "DEVICE=ens192\nIPADDR=192.0.2.99\n");
  guest_tree_write (dir, "/etc/sysconfig/network-scripts/ifcfg-bond0p",
                    "DEVICE=ens1\nMASTER=bond0\n");
  customize (dir, full_profile, "ubuntu", 22, NULL);
  guest_tree_assert_text (dir, "/etc/cloud/cloud.cfg.d/99-v2v-seed.cfg",
                          "# Written by v2v: the seed is in "
                          "/var/lib/cloud/seed/nocloud.\n"
                          "datasource_list: [ NoCloud, None ]\n");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/meta-data",
                         "instance-id: \"v2v-");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/meta-data",
                         "local-hostname: \"web01.example.com\"\n");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/user-data",
                         "#cloud-config\nhostname: \"web01\"\n");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/user-data",
                         "  - name: \"jo.doe\"\n    gecos: \"Jo, Doe\"\n");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/user-data",
                         "hashed_passwd: \"$6$");
  guest_tree_assert_lacks (dir, "/var/lib/cloud/seed/nocloud/user-data",
                           PASSWORD);
  assert_int_equal (
      guest_tree_mode (dir, "/var/lib/cloud/seed/nocloud/user-data"), 0600);
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/network-config",
                         "version: 2\nethernets:\n  nic0:\n    match:\n"
                         "      macaddress: \"00:50:56:aa:00:01\"\n");
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/network-config",
                         "    gateway4: \"192.0.2.1\"\n");
  /* The template's own addresses would stay beside the new ones. */
  assert_false (guest_tree_exists (dir, "/etc/netplan/01-old.yaml"));
  assert_true (guest_tree_exists (dir, "/etc/netplan/.01-old.yaml.v2v-saved"));
  assert_true (guest_tree_exists (dir, "/etc/netplan/50-cloud-init.yaml"));
  assert_false (
      guest_tree_exists (dir, "/etc/sysconfig/network-scripts/ifcfg-ens192"));
  assert_true (
      guest_tree_exists (dir, "/etc/sysconfig/network-scripts/ifcfg-bond0p"));
  guest_tree_assert_text (dir, "/etc/network/interfaces",
                          "auto lo\niface lo inet loopback\n\n"
                          "source /etc/network/interfaces.d/*\n");
  /* The files are cloud-init's to change. */
  guest_tree_assert_text (dir, "/etc/hostname", "old-name\n");
  passwd = guest_tree_read (dir, "/etc/passwd");
  assert_null (strstr (passwd, "jo.doe"));
  test_tmpdir_remove (dir);
}

static void
test_the_users_own_user_data_comes_last_in_an_archive (void **state)
{
  static const char profile[] =
      "{\"computer_name\": \"n\", \"linux\": {\"user_data\": \"secret\"}}";
  static const char own[] = "#cloud-config\nruncmd: [ls]\n";
  char *dir = guest_tree_make (debian), *host = test_tmpdir ();
  CLEANUP_FREE char *path = NULL, *text = NULL;
  struct v2v_error *err = NULL;
  struct v2v_profile *p;
  struct v2v_guest *g;

  (void) state;
  guest_tree_write (dir, "/usr/bin/cloud-init", "");
  assert_true (asprintf (&path, "%s/secret", host) > 0);
  test_write_file (path, own, strlen (own));
  p = v2v_profile_parse (profile, strlen (profile), "p.json", host, &err);
  assert_ptr (p, err);
  assert_ok (v2v_profile_read_secrets (p, &err), err);
  g = guest_tree_open (dir, V2V_FAMILY_LINUX, "ubuntu", 22);
  assert_ok (v2v_customize (g, p, &err), err);
  v2v_guest_close (g);
  text = guest_tree_read (dir, "/var/lib/cloud/seed/nocloud/user-data");
  assert_ptr_equal (strstr (text, "Content-Type: multipart/mixed"), text);
  assert_true (strstr (text, "I2Nsb3VkLWNvbmZpZwpydW5jbWQ6IFtsc10K\n") >
               strstr (text, "hostname: \"n\""));
  v2v_profile_free (p);
  test_tmpdir_remove (host);
  test_tmpdir_remove (dir);
}

static const char net_profile[] =
    "{\"network\": [{\"mac\": \"00:50:56:aa:00:01\", \"addresses\": "
    "[\"192.0.2.5/24\"], \"gateways\": [\"192.0.2.1\"], \"dns\": "
    "[\"192.0.2.53\"], \"routes\": [{\"to\": \"10.0.0.0/8\", \"via\": "
    "\"192.0.2.2\"}]}]}";

static void
test_constructed_ubuntu_2204_netplan_replaces_the_old_files (void **state)
{
  char *dir = guest_tree_make (debian);

  (void) state;
  guest_tree_write (dir, "/usr/sbin/netplan", "");
  guest_tree_write (dir, "/etc/netplan/00-installer-config.yaml",
                    "network:\n  ethernets:\n    ens160: {dhcp4: true}\n");
  customize (dir, net_profile, "ubuntu", 22, NULL);
  assert_false (
      guest_tree_exists (dir, "/etc/netplan/00-installer-config.yaml"));
  assert_true (guest_tree_exists (
      dir, "/etc/netplan/.00-installer-config.yaml.v2v-saved"));
  guest_tree_assert_text (dir, "/etc/netplan/90-v2v.yaml",
                          "# Written by v2v.\nnetwork:\n  version: 2\n"
                          "  ethernets:\n    nic0:\n      match:\n"
                          "        macaddress: \"00:50:56:aa:00:01\"\n"
                          "      dhcp4: false\n      dhcp6: false\n"
                          "      addresses: [\"192.0.2.5/24\"]\n"
                          "      routes:\n        - to: \"0.0.0.0/0\"\n"
                          "          via: \"192.0.2.1\"\n"
                          "        - to: \"10.0.0.0/8\"\n"
                          "          via: \"192.0.2.2\"\n"
                          "      nameservers:\n"
                          "        addresses: [\"192.0.2.53\"]\n");
  assert_int_equal (guest_tree_mode (dir, "/etc/netplan/90-v2v.yaml"), 0600);
  test_tmpdir_remove (dir);
}

static void
test_constructed_rhel_7_gets_ifcfg_files_under_the_old_name (void **state)
{
  static const struct guest_tree_entry rhel7[] = {
    DEBIAN_ACCOUNTS,
    { "/etc/redhat-release", "Red Hat\n", NULL, 0 },
    { "/etc/hostname", "old.example.com\n", NULL, 0 },
    { "/etc/hosts", "127.0.0.1 localhost old.example.com old\n", NULL, 0 },
    { "/etc/localtime", NULL, "../usr/share/zoneinfo/Etc/UTC", 0 },
    { "/usr/lib/systemd/systemd", "", NULL, 0755 },
    { "/sbin/init", NULL, "../lib/systemd/systemd", 0 },
    { "/etc/locale.conf", "LANG=\"en_US.UTF-8\"\n", NULL, 0 },
    { "/usr/bin/yum", "", NULL, 0755 },
    { "/etc/sysconfig/network-scripts/ifcfg-lo", "DEVICE=lo\n", NULL, 0 },
    { "/etc/sysconfig/network-scripts/ifcfg-ens192",
      "DEVICE=ens192\nBOOTPROTO=dhcp\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *dir = guest_tree_make (rhel7);
  CLEANUP_FREE char *link = NULL;

  (void) state;
  customize (dir, full_profile, "rhel", 7, NULL);
  guest_tree_assert_text (dir, "/etc/hostname", "web01.example.com\n");
  guest_tree_assert_text (dir, "/etc/hosts",
                          "127.0.0.1 localhost web01.example.com web01\n");
  guest_tree_assert_text (dir, "/etc/locale.conf", "LANG=de_DE.UTF-8\n");
  link = guest_tree_readlink (dir, "/etc/localtime");
  assert_string_equal (link, "../usr/share/zoneinfo/Europe/Berlin");
  guest_tree_assert_text (
      dir, "/etc/sysconfig/network-scripts/ifcfg-ens192",
      "# Written by v2v.\nTYPE=Ethernet\nDEVICE=ens192\nNAME=ens192\n"
      "HWADDR=00:50:56:aa:00:01\nONBOOT=yes\nBOOTPROTO=none\n"
      "IPADDR=192.0.2.5\nPREFIX=24\nIPV6ADDR=2001:db8::5/64\nIPV6INIT=yes\n"
      "IPV6_AUTOCONF=no\nGATEWAY=192.0.2.1\nIPV6_DEFAULTGW=2001:db8::1\n"
      "DNS1=192.0.2.53\nDNS2=2001:db8::53\nDOMAIN=\"example.com\"\nMTU=9000\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/network-scripts/route-ens192",
                          "10.0.0.0/8 via 192.0.2.2 dev ens192 metric 7\n");
  guest_tree_assert_has (dir, "/usr/lib/v2v-firstboot/scripts/4500-packages",
                         "yum -y install nginx vim\n");
  test_tmpdir_remove (dir);
}

static void
test_constructed_rhel_6_and_sles_11_have_their_own_files (void **state)
{
  static const struct guest_tree_entry rhel6[] = {
    { "/etc/redhat-release", "Red Hat\n", NULL, 0 },
    { "/sbin/init", "", NULL, 0755 },
    { "/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=old\n", NULL, 0 },
    { "/etc/sysconfig/clock", "ZONE=\"Etc/UTC\"\n", NULL, 0 },
    { "/etc/sysconfig/i18n", "LANG=\"en_US.UTF-8\"\n", NULL, 0 },
    { "/etc/hosts", "127.0.0.1 localhost\n", NULL, 0 },
    { "/etc/localtime", "TZif-utc", NULL, 0 },
    { "/usr/share/zoneinfo/Europe/Berlin", "TZif-berlin", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  static const struct guest_tree_entry sles11[] = {
    { "/etc/SuSE-release", "SLES 11\n", NULL, 0 },
    { "/sbin/init", "", NULL, 0755 },
    { "/etc/HOSTNAME", "old.lan\n", NULL, 0 },
    { "/etc/hosts", "127.0.0.2 old.lan old\n", NULL, 0 },
    { "/etc/sysconfig/network/config", "NETCONFIG_DNS_STATIC_SERVERS=\"\"\n",
      NULL, 0 },
    { "/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\n", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  static const char profile[] =
      "{\"computer_name\": \"new.example.com\", \"time_zone\": "
      "\"Europe/Berlin\", \"locale\": \"de_DE.UTF-8\"}";
  char *dir = guest_tree_make (rhel6);

  (void) state;
  customize (dir, profile, "rhel", 6, NULL);
  guest_tree_assert_text (dir, "/etc/sysconfig/network",
                          "NETWORKING=yes\nHOSTNAME=new.example.com\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/clock",
                          "ZONE=\"Europe/Berlin\"\n");
  guest_tree_assert_text (dir, "/etc/localtime", "TZif-berlin");
  guest_tree_assert_text (dir, "/etc/sysconfig/i18n", "LANG=\"de_DE.UTF-8\"\n");
  assert_false (guest_tree_exists (dir, "/etc/hostname"));
  test_tmpdir_remove (dir);

  dir = guest_tree_make (sles11);
  customize (dir, net_profile, "sles", 11, NULL);
  customize (dir, "{\"computer_name\": \"new.example.com\"}", "sles", 11, NULL);
  guest_tree_assert_text (dir, "/etc/HOSTNAME", "new.example.com\n");
  guest_tree_assert_text (dir, "/etc/hosts", "127.0.0.2 new.example.com new\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/network/ifcfg-eth0",
                          "# Written by v2v.\nSTARTMODE='auto'\n"
                          "BOOTPROTO='static'\nIPADDR='192.0.2.5/24'\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/network/ifroute-eth0",
                          "default 192.0.2.1 - eth0\n"
                          "10.0.0.0/8 192.0.2.2 - eth0\n");
  guest_tree_assert_text (dir, "/etc/sysconfig/network/config",
                          "NETCONFIG_DNS_STATIC_SERVERS=\"192.0.2.53\"\n");
  test_tmpdir_remove (dir);
}

static void
test_constructed_rhel_9_gets_a_keyfile_that_networkmanager_reads (void **state)
{
  static const struct guest_tree_entry rhel9[] = {
    { "/etc/redhat-release", "Red Hat\n", NULL, 0 },
    { "/usr/sbin/NetworkManager", "", NULL, 0755 },
    { "/usr/lib/systemd/systemd", "", NULL, 0755 },
    { "/sbin/init", NULL, "../lib/systemd/systemd", 0 },
    { "/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
      NULL, "/usr/lib/systemd/system/NetworkManager.service", 0 },
    { "/etc/NetworkManager/system-connections/ens192.nmconnection",
      "[connection]\ntype=ethernet\n", NULL, 0600 },
    { "/etc/NetworkManager/system-connections/vpn.nmconnection",
      "[connection]\ntype=vpn\n", NULL, 0600 },
    { NULL, NULL, NULL, 0 },
  };
  static const char path[] = "/etc/NetworkManager/system-connections/"
                             "v2v-00-50-56-aa-00-01.nmconnection";
  char *dir = guest_tree_make (rhel9);

  (void) state;
  customize (dir, net_profile, "rhel", 9, NULL);
  guest_tree_assert_has (dir, path,
                         "[ethernet]\nmac-address=00:50:56:aa:00:01\n\n"
                         "[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\n"
                         "method=manual\ndns=192.0.2.53;\n"
                         "route1=10.0.0.0/8,192.0.2.2\n\n"
                         "[ipv6]\nmethod=ignore\n");
  assert_int_equal (guest_tree_mode (dir, path), 0600);
  assert_true (guest_tree_exists (
      dir, "/etc/NetworkManager/system-connections/.ens192.nmconnection."
           "v2v-saved"));
  assert_true (guest_tree_exists (
      dir, "/etc/NetworkManager/system-connections/vpn.nmconnection"));
  test_tmpdir_remove (dir);
}

static void
test_constructed_alpine_without_tzdata_and_sudo_gets_findings (void **state)
{
  static const struct guest_tree_entry alpine[] = {
    { "/etc/alpine-release", "3.19\n", NULL, 0 },
    { "/sbin/init", NULL, "/bin/busybox", 0 },
    { "/etc/hostname", "localhost\n", NULL, 0 },
    { "/etc/hosts", "127.0.0.1\tlocalhost localhost.localdomain\n", NULL, 0 },
    { "/etc/passwd", "root:x:0:0:root:/root:/bin/ash", NULL, 0 },
    { "/etc/shadow", "root:*::0:::::", NULL, 0640 },
    { "/etc/group", "root:x:0:root", NULL, 0 },
    { "/sbin/ifup", "", NULL, 0755 },
    { "/etc/network/interfaces",
      "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n",
      NULL, 0 },
    { "/sbin/apk", "", NULL, 0755 },
    { NULL, NULL, NULL, 0 },
  };
  char *dir = guest_tree_make (alpine);
  struct v2v_findings f = V2V_FINDINGS_INIT;

  (void) state;
  customize (dir,
             "{\"computer_name\": \"alp\", \"time_zone\": \"Europe/Berlin\","
             " \"locale\": \"de-DE\", \"windows\": {}, \"linux\": {\"users\": "
             "[{\"name\": \"a\", \"sudo\": true}]}}",
             "alpinelinux", 3, &f);
  assert_non_null (v2v_findings_find (&f, "guest.customize.time-zone"));
  assert_non_null (v2v_findings_find (&f, "guest.customize.locale"));
  assert_non_null (v2v_findings_find (&f, "guest.customize.sudo"));
  assert_non_null (v2v_findings_find (&f, "guest.customize.other-system"));
  v2v_findings_clear (&f);
  guest_tree_assert_text (dir, "/etc/hostname", "alp\n");
  guest_tree_assert_text (dir, "/etc/hosts",
                          "127.0.0.1\tlocalhost localhost.localdomain\n");
  /* A last line without its end gets one. */
  guest_tree_assert_text (dir, "/etc/passwd",
                          "root:x:0:0:root:/root:/bin/ash\n"
                          "a:x:1000:1000::/home/a:/bin/sh\n");
  guest_tree_assert_has (dir, "/etc/shadow", "root:*::0:::::\na:*:");
  test_tmpdir_remove (dir);
}

static void
test_a_home_that_leads_out_is_refused_before_a_key_is_written (void **state)
{
  static const char *const homes[] = { "/", "relative", "/a/../../b", "" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (homes); ++i) {
    static const char profile[] =
        "{\"linux\": {\"users\": [{\"name\": \"old\", \"authorized_keys\": "
        "[\"ssh-rsa AAAA\"]}]}}";
    char *dir = guest_tree_make (debian);
    CLEANUP_FREE char *passwd = NULL;
    struct v2v_error *err = NULL;
    struct v2v_profile *p;
    struct v2v_guest *g;

    assert_true (asprintf (&passwd, "old:x:1000:1000::%s:/bin/sh\n", homes[i]) >
                 0);
    guest_tree_write (dir, "/etc/passwd", passwd);
    p = v2v_profile_parse (profile, strlen (profile), "p", NULL, &err);
    assert_ptr (p, err);
    g = guest_tree_open (dir, V2V_FAMILY_LINUX, "debian", 12);
    assert_int_equal (v2v_customize (g, p, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, "the home of old");
    v2v_guest_close (g);
    v2v_profile_free (p);
    test_tmpdir_remove (dir);
  }
}

/* What a user without rights can make of his home. */
static void
test_a_key_is_not_written_through_a_users_link (void **state)
{
  static const struct {
    const char *link, *beside, *target;
  } tricks[] = {
    { "/home/old/.ssh/authorized_keys", "/home/old/.ssh/x", "/etc/shadow" },
    { "/home/old/.ssh", "/home/old/x", "/root/.ssh" },
    { "/home/old", "/home/x", "/root" },
  };
  static const char profile[] =
      "{\"linux\": {\"users\": [{\"name\": \"old\", \"authorized_keys\": "
      "[\"ssh-rsa STRANGER\"]}]}}";

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (tricks); ++i) {
    char *dir = guest_tree_make (debian);
    CLEANUP_FREE char *shadow = NULL, *keys = NULL, *path = NULL;
    struct v2v_findings found;

    guest_tree_write (dir, "/root/.ssh/authorized_keys", "ssh-rsa ROOT\n");
    guest_tree_write (dir, tricks[i].beside, "");
    assert_true (asprintf (&path, "%s%s", dir, tricks[i].link) > 0);
    assert_int_equal (symlink (tricks[i].target, path), 0);
    customize (dir, profile, "debian", 12, &found);
    shadow = guest_tree_read (dir, "/etc/shadow");
    keys = guest_tree_read (dir, "/root/.ssh/authorized_keys");
    assert_null (strstr (shadow, "STRANGER"));
    assert_string_equal (keys, "ssh-rsa ROOT\n");
    assert_int_equal (found.len, 1);
    assert_string_equal (found.ptr[0].id, "guest.customize.keys");
    v2v_findings_clear (&found);
    test_tmpdir_remove (dir);
  }
}

static void
test_a_costly_hash_of_the_guest_is_not_computed (void **state)
{
  static const char *const costly[] = {
    "$6$rounds=99999999$saltsalt$x",
    "$5$rounds=1000001$saltsalt$x",
    "$6$rounds=18446744073709551617$saltsalt$x",
    "$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijklmnopq",
    "$y$jHT$saltsalt$x",
    "$7$HHHHH$saltsalt$x",
  };
  static const char *const settings[] = { "$6$rounds=1000$saltsalt$",
                                          "$2b$04$abcdefghijklmnopqrstuu",
                                          "$1$saltsalt$" };
  struct crypt_data data = { .initialized = 0 };

  (void) state;
  alarm (20);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (costly); ++i)
    assert_false (customize_hash_fits (PASSWORD, costly[i]));
  alarm (0);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (settings); ++i) {
    const char *hash = crypt_r (PASSWORD, settings[i], &data);

    assert_non_null (hash);
    if (hash[0] == '*')
      continue; /* the host's library was built without it */
    assert_true (customize_hash_fits (PASSWORD, hash));
    assert_false (customize_hash_fits ("another", hash));
  }
}

static void
test_a_seed_locks_a_password_only_when_told_to (void **state)
{
  static const char *const lock[] = { "\"lock\": true",
                                      "\"authorized_keys\": [\"ssh-rsa A\"]" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (lock); ++i) {
    char *dir = guest_tree_make (debian);
    CLEANUP_FREE char *profile = NULL;

    guest_tree_write (dir, "/usr/bin/cloud-init", "");
    assert_true (asprintf (&profile, "{\"linux\": {\"root\": {%s}}}", lock[i]) >
                 0);
    customize (dir, profile, "ubuntu", 22, NULL);
    guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/user-data",
                           i == 0 ? "lock_passwd: true\n"
                                  : "lock_passwd: false\n");
    test_tmpdir_remove (dir);
  }
}

/* The new instance would apply the addresses of another machine. */
static void
test_an_old_seeds_network_goes_when_the_profile_has_none (void **state)
{
  static const char old[] = "/var/lib/cloud/seed/nocloud/network-config";
  char *dir = guest_tree_make (debian);

  (void) state;
  guest_tree_write (dir, "/usr/bin/cloud-init", "");
  guest_tree_write (dir, old, "version: 2\n");
  customize (dir, "{\"computer_name\": \"n\"}", "ubuntu", 22, NULL);
  guest_tree_assert_has (dir, "/var/lib/cloud/seed/nocloud/meta-data",
                         "local-hostname: \"n\"\n");
  assert_false (guest_tree_exists (dir, old));
  test_tmpdir_remove (dir);
}

/* A new instance without cards would get DHCP in place of the addresses that
 * cloud-init wrote for this machine. */
static void
test_a_seed_without_cards_leaves_the_network_of_a_machine (void **state)
{
  static const char ours[] = "/etc/cloud/cloud.cfg.d/99-v2v-seed.cfg";
  static const char kept[] = "\nnetwork: {config: disabled}\n";
  static const char seed[] = "/var/lib/cloud/seed/nocloud/network-config";
  char *dir = guest_tree_make (debian);

  (void) state;
  guest_tree_write (dir, "/usr/bin/cloud-init", "");
  guest_tree_write (dir, "/etc/netplan/50-cloud-init.yaml",
                    "network: {version: 2}\n");
  /* An image that has never run. */
  customize (dir, "{\"computer_name\": \"n\"}", "ubuntu", 22, NULL);
  guest_tree_assert_lacks (dir, ours, kept);
  guest_tree_write (dir, "/var/lib/cloud/data/instance-id", "i-1\n");
  customize (dir, "{\"computer_name\": \"n\"}", "ubuntu", 22, NULL);
  guest_tree_assert_has (dir, ours, kept);
  assert_true (guest_tree_exists (dir, "/etc/netplan/50-cloud-init.yaml"));
  /* What we wrote then does not keep a later profile's cards out. */
  customize (dir, net_profile, "ubuntu", 22, NULL);
  guest_tree_assert_lacks (dir, ours, kept);
  guest_tree_assert_has (dir, seed, "192.0.2.5/24");
  test_tmpdir_remove (dir);
}

static void
test_cloud_init_that_is_not_wanted_is_kept_quiet (void **state)
{
  char *dir = guest_tree_make (debian);

  (void) state;
  guest_tree_write (dir, "/usr/bin/cloud-init", "");
  customize (dir,
             "{\"computer_name\": \"n\", \"linux\": {\"cloud_init\": \"off\"}}",
             "debian", 12, NULL);
  assert_true (guest_tree_exists (dir, "/etc/cloud/cloud-init.disabled"));
  guest_tree_assert_has (dir, "/etc/cloud/cloud.cfg.d/99-v2v-no-network.cfg",
                         "network: {config: disabled}\n");
  guest_tree_assert_text (dir, "/etc/hostname", "n\n");
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_constructed_debian_12_gets_everything_by_edited_files),
    cmocka_unit_test (test_constructed_ubuntu_with_cloud_init_gets_a_seed),
    cmocka_unit_test (test_the_users_own_user_data_comes_last_in_an_archive),
    cmocka_unit_test (
        test_constructed_ubuntu_2204_netplan_replaces_the_old_files),
    cmocka_unit_test (
        test_constructed_rhel_7_gets_ifcfg_files_under_the_old_name),
    cmocka_unit_test (test_constructed_rhel_6_and_sles_11_have_their_own_files),
    cmocka_unit_test (
        test_constructed_rhel_9_gets_a_keyfile_that_networkmanager_reads),
    cmocka_unit_test (
        test_constructed_alpine_without_tzdata_and_sudo_gets_findings),
    cmocka_unit_test (
        test_a_home_that_leads_out_is_refused_before_a_key_is_written),
    cmocka_unit_test (test_a_key_is_not_written_through_a_users_link),
    cmocka_unit_test (test_a_costly_hash_of_the_guest_is_not_computed),
    cmocka_unit_test (test_a_seed_locks_a_password_only_when_told_to),
    cmocka_unit_test (test_an_old_seeds_network_goes_when_the_profile_has_none),
    cmocka_unit_test (
        test_a_seed_without_cards_leaves_the_network_of_a_machine),
    cmocka_unit_test (test_cloud_init_that_is_not_wanted_is_kept_quiet),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
