/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A template out of a Linux machine: what makes it this machine and no other
 * is removed, by operations that can be chosen.  Names and defaults follow
 * virt-sysprep(1), so that lists of operations carry over; what makes no sense
 * offline, or breaks the start of the guest (file systems' UUIDs), is left out.
 *
 * What is removed never goes into the journal: keys, logs, histories.
 *
 * Sources: virt-sysprep(1); machine-id(5) (an empty file is the mark of an
 * image: "uninitialized" is not known to old systemd); random-seed(8);
 * sshd's units of Debian, which do not make missing host keys.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/customize.h"
#include "inject/firstboot.h"
#include "inject/linux-edit.h"

#define WHY "the identity of a template is reset"

/* A log folder nested deeper is no log folder. */
#define MAX_DEPTH 16

enum action {
  REMOVE,       /* files FOLDER/PATTERN */
  EMPTY_FOLDER, /* all that is in a folder */
  TRUNCATE,     /* a file stays, empty */
  IN_HOMES,     /* a file or folder in root's and everybody's home */
  LINES,        /* lines KEY= out of files FOLDER/PATTERN */
  LOGS,         /* a tree: old logs go, others become empty */
};

struct step {
  enum action action;
  const char *folder;  /* or the file */
  const char *pattern; /* or the key of LINES; NULL where not needed */
};

#define MAX_STEPS 12

struct operation {
  struct v2v_generalize_operation about;
  struct step steps[MAX_STEPS]; /* ended by FOLDER NULL */
};

/* A table. */
/* clang-format off */
static const struct operation operations[] = {
  { { "abrt-data", "crash data of ABRT", true },
    { { EMPTY_FOLDER, "/var/spool/abrt", NULL } } },
  { { "bash-history", "histories of bash", true },
    { { IN_HOMES, ".bash_history", NULL } } },
  { { "blkid-tab", "the cache of blkid", true },
    { { REMOVE, "/etc/blkid", "blkid.tab*" },
      { REMOVE, "/etc", "blkid.tab*" } } },
  { { "cloud-init", "instances that cloud-init has seen", true },
    { { EMPTY_FOLDER, "/var/lib/cloud/instances", NULL },
      { EMPTY_FOLDER, "/var/lib/cloud/data", NULL },
      { EMPTY_FOLDER, "/var/lib/cloud/sem", NULL },
      { REMOVE, "/var/lib/cloud", "instance" } } },
  { { "crash-data", "kernel dumps", true },
    { { EMPTY_FOLDER, "/var/crash", NULL },
      { EMPTY_FOLDER, "/var/log/dump", NULL } } },
  { { "cron-spool", "users' own cron and at jobs", true },
    { { EMPTY_FOLDER, "/var/spool/cron/crontabs", NULL },
      { REMOVE, "/var/spool/cron", "*" },
      { REMOVE, "/var/spool/at", "*" },
      { REMOVE, "/var/spool/cron/atjobs", "*" } } },
  { { "dhcp-client-state", "leases", true },
    { { REMOVE, "/var/lib/dhclient", "*" },
      { REMOVE, "/var/lib/dhcp", "*" },
      { REMOVE, "/var/lib/dhcp3", "*" },
      { REMOVE, "/var/lib/dhcpcd", "*" },
      { REMOVE, "/var/lib/NetworkManager", "*.lease" },
      { REMOVE, "/var/lib/NetworkManager", "*.leases" },
      { REMOVE, "/var/lib/wicked", "lease-*" },
      { REMOVE, "/var/lib/wicked", "duid.xml" },
      { REMOVE, "/var/lib/wicked", "iaid.xml" },
      { REMOVE, "/var/lib/udhcpc", "*" } } },
  { { "dhcp-server-state", "leases that a DHCP server gave", true },
    { { REMOVE, "/var/lib/dhcpd", "*" } } },
  { { "dovecot-data", "keys and state of Dovecot", true },
    { { REMOVE, "/var/lib/dovecot", "*" } } },
  { { "firewall-rules", "rules of the firewall", false },
    { { REMOVE, "/etc/sysconfig", "iptables" },
      { REMOVE, "/etc/sysconfig", "ip6tables" },
      { REMOVE, "/etc/firewalld/services", "*" },
      { REMOVE, "/etc/firewalld/zones", "*" } } },
  { { "ipa-client", "the join to FreeIPA", true },
    { { REMOVE, "/etc/ipa", "ca.crt" },
      { REMOVE, "/etc/ipa", "default.conf" },
      { REMOVE, "/var/lib/ipa-client/sysrestore", "*" },
      { REMOVE, "/var/lib/ipa-client/pki", "*" } } },
  { { "iscsi-initiator", "the name of the iSCSI initiator", false },
    { { REMOVE, "/etc/iscsi", "initiatorname.iscsi" } } },
  { { "kerberos-data", "the data base of a Kerberos server", false },
    { { REMOVE, "/var/kerberos/krb5kdc", "principal*" } } },
  { { "kerberos-hostkeytab", "the host's key of Kerberos", true },
    { { REMOVE, "/etc", "krb5.keytab" } } },
  { { "logfiles", "logs", true },
    { { LOGS, "/var/log", NULL },
      { EMPTY_FOLDER, "/var/log/journal", NULL } } },
  { { "lvm-system-devices", "LVM's list of this machine's devices", true },
    { { REMOVE, "/etc/lvm/devices", "system.devices" } } },
  { { "machine-id", "the id of systemd and D-Bus", true },
    { { TRUNCATE, "/etc/machine-id", NULL },
      { REMOVE, "/var/lib/dbus", "machine-id" } } },
  { { "mail-spool", "mail", true },
    { { REMOVE, "/var/spool/mail", "*" },
      { REMOVE, "/var/mail", "*" } } },
  { { "net-hostname", "host names in ifcfg files", true },
    { { LINES, "/etc/sysconfig/network-scripts", "HOSTNAME" },
      { LINES, "/etc/sysconfig/network-scripts", "DHCP_HOSTNAME" } } },
  { { "net-hwaddr", "MAC addresses in ifcfg files", true },
    { { LINES, "/etc/sysconfig/network-scripts", "HWADDR" } } },
  { { "net-nmconn", "connections of NetworkManager", true },
    { { REMOVE, "/etc/NetworkManager/system-connections", "*.nmconnection" } } },
  { { "nm-state", "state and secret key of NetworkManager", true },
    { { REMOVE, "/var/lib/NetworkManager", "secret_key" },
      { REMOVE, "/var/lib/NetworkManager", "NetworkManager.state" },
      { REMOVE, "/var/lib/NetworkManager", "seen-bssids" },
      { REMOVE, "/var/lib/NetworkManager", "timestamps" } } },
  { { "nvme-hostid", "the host's names of NVMe over fabrics", false },
    { { REMOVE, "/etc/nvme", "hostnqn" },
      { REMOVE, "/etc/nvme", "hostid" } } },
  { { "pacct-log", "process accounting", true },
    { { TRUNCATE, "/var/account/pacct", NULL },
      { TRUNCATE, "/var/log/account/pacct", NULL } } },
  { { "package-manager-cache", "downloaded packages", true },
    { { REMOVE, "/var/cache/apt/archives", "*.deb" },
      { EMPTY_FOLDER, "/var/cache/dnf", NULL },
      { EMPTY_FOLDER, "/var/cache/libdnf5", NULL },
      { EMPTY_FOLDER, "/var/cache/yum", NULL },
      { EMPTY_FOLDER, "/var/cache/zypp/packages", NULL },
      { REMOVE, "/var/cache/apk", "*" },
      { REMOVE, "/var/cache/pacman/pkg", "*" } } },
  { { "passwd-backups", "old copies of passwd and shadow", true },
    { { REMOVE, "/etc", "passwd-" },
      { REMOVE, "/etc", "shadow-" },
      { REMOVE, "/etc", "group-" },
      { REMOVE, "/etc", "gshadow-" },
      { REMOVE, "/etc", "subuid-" },
      { REMOVE, "/etc", "subgid-" } } },
  { { "puppet-data-log", "data and logs of Puppet", true },
    { { EMPTY_FOLDER, "/var/lib/puppet/ssl", NULL },
      { EMPTY_FOLDER, "/etc/puppetlabs/puppet/ssl", NULL },
      { EMPTY_FOLDER, "/var/log/puppet", NULL } } },
  { { "random-seed", "saved randomness", true },
    { { REMOVE, "/var/lib/systemd", "random-seed" },
      { REMOVE, "/var/lib", "random-seed" },
      { REMOVE, "/var/lib/misc", "random-seed" },
      { REMOVE, "/var/lib/urandom", "random-seed" },
      { EMPTY_FOLDER, "/var/lib/seedrng", NULL },
      { REMOVE, "/boot/efi/loader", "random-seed" },
      { REMOVE, "/boot/loader", "random-seed" } } },
  { { "rh-subscription-manager", "the registration at Red Hat", true },
    { { REMOVE, "/etc/pki/consumer", "*" },
      { REMOVE, "/etc/pki/entitlement", "*" } } },
  { { "rhn-systemid", "the registration at RHN", true },
    { { REMOVE, "/etc/sysconfig/rhn", "systemid" } } },
  { { "rpm-db", "locks and caches of the RPM data base", true },
    { { REMOVE, "/var/lib/rpm", "__db.*" } } },
  { { "samba-db-log", "data bases and logs of Samba", true },
    { { REMOVE, "/var/lib/samba", "*.tdb" },
      { REMOVE, "/var/lib/samba/private", "*.tdb" },
      { EMPTY_FOLDER, "/var/log/samba", NULL } } },
  { { "smolt-uuid", "the id of Smolt", true },
    { { REMOVE, "/etc/sysconfig", "hw-uuid" },
      { REMOVE, "/etc/smolt", "uuid" },
      { REMOVE, "/etc/smolt", "hw-uuid" } } },
  { { "ssh-hostkeys", "keys of the SSH server", true },
    { { REMOVE, "/etc/ssh", "*_host_*" },
      { REMOVE, "/etc/dropbear", "dropbear_*_host_key" } } },
  { { "ssh-userdir", "users' .ssh folders", true },
    { { IN_HOMES, ".ssh", NULL } } },
  { { "sssd-db-log", "data bases and logs of SSSD", true },
    { { EMPTY_FOLDER, "/var/lib/sss/db", NULL },
      { EMPTY_FOLDER, "/var/log/sssd", NULL } } },
  { { "tmp-files", "temporary files", true },
    { { EMPTY_FOLDER, "/tmp", NULL },
      { EMPTY_FOLDER, "/var/tmp", NULL } } },
  { { "udev-persistent-net", "names of network cards", true },
    { { REMOVE, "/etc/udev/rules.d", "70-persistent-net.rules" } } },
  { { "utmp", "who was logged in", true },
    { { TRUNCATE, "/var/log/wtmp", NULL },
      { TRUNCATE, "/var/log/btmp", NULL },
      { TRUNCATE, "/var/log/lastlog", NULL },
      { TRUNCATE, "/var/run/utmp", NULL } } },
  { { "yum-uuid", "the id of yum", true },
    { { REMOVE, "/var/lib/yum", "uuid" } } },
  { { "zsh-history", "histories of zsh", true },
    { { IN_HOMES, ".zsh_history", NULL },
      { IN_HOMES, ".histfile", NULL } } },
};
/* clang-format on */

#define NR V2V_ARRAY_SIZE (operations)

const struct v2v_generalize_operation *
v2v_generalize_operations (size_t *ret_nr)
{
  static struct v2v_generalize_operation list[NR];

  /* The same bytes whoever comes first. */
  for (size_t i = 0; i < NR; ++i)
    list[i] = operations[i].about;
  *ret_nr = NR;
  return list;
}

/* ---- which operations ---- */

static int
choose_one (const char *word, size_t len, bool chosen[NR],
            struct v2v_error **err)
{
  const bool on = word[0] != '-';
  const char *name = on ? word : word + 1;
  const size_t n = on ? len : len - 1;
  bool known = false;

  for (size_t i = 0; i < NR; ++i) {
    const struct v2v_generalize_operation *o = &operations[i].about;
    const bool is_defaults = n == 8 && strncmp (name, "defaults", n) == 0;
    const bool is_all = n == 3 && strncmp (name, "all", n) == 0;
    const bool is_name =
        strlen (o->name) == n && strncmp (o->name, name, n) == 0;

    known |= is_defaults || is_all || is_name;
    if (is_all || is_name || (is_defaults && o->on_by_default))
      chosen[i] = on;
  }
  if (!known)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "there is no operation '%.*s' to generalise a guest",
                     (int) (n > 40 ? 40 : n), name);
  return 0;
}

/* A list that begins with "-name" takes away from the defaults. */
static int
choose (const char *list, bool chosen[NR], struct v2v_error **err)
{
  const char *p = list != NULL ? list : "defaults";

  for (size_t i = 0; i < NR; ++i)
    chosen[i] = p[0] == '-' && operations[i].about.on_by_default;
  if (*p == '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "no operation to generalise a guest was named");
  while (*p != '\0') {
    const size_t n = strcspn (p, ",");

    if (choose_one (p, n, chosen, err) == -1)
      return -1;
    p += n + (p[n] == ',');
  }
  return 0;
}

int
v2v_generalize_check (const char *list, struct v2v_error **err)
{
  bool chosen[NR];

  return choose (list, chosen, err);
}

/* ---- doing it ---- */

static int
remove_files (struct v2v_guest *g, const char *folder, const char *pattern,
              struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (g, folder, pattern, err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    struct v2v_guest_stat st;
    const int r = v2v_guest_lstat (g, files[i], &st, err);

    if (r == -1)
      return -1;
    if (r == 1 && st.type != V2V_FILE_FOLDER &&
        v2v_guest_remove_secret (g, files[i], WHY, err) == -1)
      return -1;
  }
  return 0;
}

static char *
join (const char *folder, const char *name, struct v2v_error **err)
{
  char *path;

  if (asprintf (&path, "%s/%s", folder, name) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return path;
}

/* A file, link or tree. */
static int
remove_any (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  struct v2v_guest_stat st;
  const int r = v2v_guest_lstat (g, path, &st, err);

  if (r <= 0)
    return r;
  return st.type == V2V_FILE_FOLDER
             ? v2v_guest_remove_tree (g, path, WHY, err)
             : v2v_guest_remove_secret (g, path, WHY, err);
}

static int
empty_folder (struct v2v_guest *g, const char *folder, struct v2v_error **err)
{
  CLEANUP_LIST char **names = NULL;
  struct v2v_guest_stat st;
  const int r = v2v_guest_lstat (g, folder, &st, err);

  /* A link leads to a folder that has another name, and another purpose. */
  if (r <= 0 || st.type != V2V_FILE_FOLDER)
    return r == -1 ? -1 : 0;
  names = v2v_guest_list (g, folder, err);
  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    CLEANUP_FREE char *path = join (folder, names[i], err);

    if (path == NULL || remove_any (g, path, err) == -1)
      return -1;
  }
  return 0;
}

static int
truncate_file (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  struct v2v_guest_stat st;
  const int r = v2v_guest_lstat (g, path, &st, err);

  if (r <= 0 || st.type != V2V_FILE_REGULAR || st.size_bytes == 0)
    return r == -1 ? -1 : 0;
  return v2v_guest_write (g, path, "", 0, 0, V2V_WRITE_SECRET, WHY, err) == -1
             ? -1
             : 0;
}

static int
in_homes (struct v2v_guest *g, const char *name, struct v2v_error **err)
{
  CLEANUP_LIST char **users = v2v_guest_list (g, "/home", err);
  CLEANUP_FREE char *roots = join ("/root", name, err);

  if (users == NULL || roots == NULL || remove_any (g, roots, err) == -1)
    return -1;
  for (size_t i = 0; users[i] != NULL; ++i) {
    CLEANUP_FREE char *home = join ("/home", users[i], err);
    CLEANUP_FREE char *path = home != NULL ? join (home, name, err) : NULL;
    struct v2v_guest_stat st;

    if (path == NULL)
      return -1;
    if (v2v_guest_lstat (g, home, &st, NULL) == 1 &&
        st.type == V2V_FILE_FOLDER && remove_any (g, path, err) == -1)
      return -1;
  }
  return 0;
}

static int
drop_line (void *arg, const char *line, struct v2v_str *ret)
{
  const char *key = arg;
  const size_t len = strlen (key);

  (void) ret;
  return strncmp (line, key, len) == 0 && line[len] == '=' ? LINUX_EDIT_DELETE
                                                           : LINUX_EDIT_KEEP;
}

static int
drop_lines (struct v2v_guest *g, const char *folder, const char *key,
            struct v2v_error **err)
{
  CLEANUP_LIST char **files = v2v_guest_glob (g, folder, "ifcfg-*", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i)
    if (v2v_guest_is_file (g, files[i]) &&
        linux_edit_file (g, files[i], drop_line, (void *) key, WHY, err) == -1)
      return -1;
  return 0;
}

/* "messages.1", "syslog.2.gz", "messages-20240101": logrotate made it. */
static bool
is_rotated (const char *name)
{
  static const char *const suffixes[] = { ".gz", ".xz", ".bz2", ".zst",
                                          ".old" };
  const size_t len = strlen (name);
  const char *end = name + len;
  size_t digits = 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (suffixes); ++i) {
    const size_t n = strlen (suffixes[i]);

    if (len > n && strcmp (end - n, suffixes[i]) == 0)
      return true;
  }
  while (digits < len && end[-1 - (long) digits] >= '0' &&
         end[-1 - (long) digits] <= '9')
    ++digits;
  if (digits == 0 || digits == len)
    return false;
  return end[-1 - (long) digits] == '.' ||
         (digits == 8 && end[-1 - (long) digits] == '-');
}

static int
clear_logs (struct v2v_guest *g, const char *folder, unsigned depth,
            struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_guest_list (g, folder, err);

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL && depth < MAX_DEPTH; ++i) {
    CLEANUP_FREE char *path = join (folder, names[i], err);
    struct v2v_guest_stat st;
    int r = 0;

    if (path == NULL || v2v_guest_lstat (g, path, &st, err) != 1)
      return -1;
    if (st.type == V2V_FILE_FOLDER)
      r = clear_logs (g, path, depth + 1, err);
    else if (st.type == V2V_FILE_REGULAR)
      r = is_rotated (names[i]) ? v2v_guest_remove_secret (g, path, WHY, err)
                                : truncate_file (g, path, err);
    if (r == -1)
      return -1;
  }
  return 0;
}

static int
do_step (struct v2v_guest *g, const struct step *s, struct v2v_error **err)
{
  switch (s->action) {
  case REMOVE:
    return remove_files (g, s->folder, s->pattern, err);
  case EMPTY_FOLDER:
    return empty_folder (g, s->folder, err);
  case TRUNCATE:
    return truncate_file (g, s->folder, err);
  case IN_HOMES:
    return in_homes (g, s->folder, err);
  case LINES:
    return drop_lines (g, s->folder, s->pattern, err);
  case LOGS:
    return clear_logs (g, s->folder, 0, err);
  }
  return 0;
}

/* Red Hat, SUSE and Alpine make missing keys when sshd starts; Debian's does
 * not start without them. */
static int
queue_host_keys (struct v2v_guest *g, bool had_keys, struct v2v_error **err)
{
  static const char script[] =
      "#!/bin/sh\n"
      "# The keys of the SSH server were removed with the machine's identity.\n"
      "ssh-keygen -A || exit 1\n"
      "for s in ssh sshd; do\n"
      "    if command -v systemctl >/dev/null 2>&1; then\n"
      "        systemctl is-enabled --quiet $s 2>/dev/null &&\n"
      "            systemctl --no-block restart $s\n"
      "    elif [ -x /etc/init.d/$s ]; then\n"
      "        /etc/init.d/$s restart\n"
      "    fi\n"
      "done\n"
      "exit 0\n";

  if (!had_keys || !v2v_guest_exists (g, "/usr/bin/ssh-keygen"))
    return 0;
  return v2v_firstboot_add (g, 1500, "ssh-host-keys", script, sizeof script - 1,
                            false, err) == -1 ||
                 v2v_firstboot_install_linux (g, err) == -1
             ? -1
             : 0;
}

int
v2v_generalize (struct v2v_guest *g, const char *list, struct v2v_error **err)
{
  bool chosen[NR];
  CLEANUP_LIST char **keys = NULL;
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };

  if (choose (list, chosen, err) == -1)
    return -1;
  if (l.os->family == V2V_FAMILY_WINDOWS) {
    v2v_fail (err, V2V_ERR_GUEST,
              "a Windows guest is generalised by its own sysprep only");
    return v2v_hint (err, "run sysprep /generalize /oobe /shutdown in it, then "
                          "convert the disk");
  }
  if (l.os->family != V2V_FAMILY_LINUX)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the guest's system cannot be generalised: expected "
                     "Linux, found %s",
                     v2v_guest_family_name (l.os->family));
  keys = v2v_guest_glob (g, "/etc/ssh", "*_host_*", err);
  if (keys == NULL)
    return -1;
  for (size_t i = 0; i < NR; ++i)
    for (size_t k = 0;
         chosen[i] && k < MAX_STEPS && operations[i].steps[k].folder != NULL;
         ++k)
      if (do_step (g, &operations[i].steps[k], err) == -1)
        return v2v_prefix (err, "generalising: %s", operations[i].about.name);
  if (queue_host_keys (g, keys[0] != NULL && !v2v_guest_exists (g, keys[0]),
                       err) == -1)
    return -1;
  return v2v_guest_journal (g)->len > 0 ? linux_relabel (&l, err) : 0;
}
