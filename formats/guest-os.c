/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of guest operating systems.
 *
 * Sources: VMware's "guestId" enumeration of the vSphere API (the .vmx form
 * differs by '-' and "srv"), DMTF CIM_OperatingSystem.OSType, Microsoft's
 * "Supported Windows guest operating systems" and "Supported Linux and FreeBSD
 * virtual machines for Hyper-V" for generations and drivers.
 */

#include <config.h>

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/guest-os.h"

enum {
  GEN2 = 1,        /* runs in generation 2 when it is 64-bit */
  LEGACY = 2,      /* legacy NIC */
  NT_ERA = 4,      /* processor features limited */
  NO_SUPPORT = 8,  /* no drivers of Hyper-V's */
  NEVER = 16,      /* does not start */
  ALWAYS_64 = 32,  /* exists in 64 bits only, though the id does not say so */
  ANY_BITS = 64,   /* a missing "-64" tells nothing */
  VERSIONED = 128, /* the id goes on with a number: append it to the name */
};

struct row {
  const char *key; /* normalized id; a prefix with VERSIONED */
  const char *name;
  enum v2v_os_family family;
  unsigned flags;
  unsigned gen2_since; /* VERSIONED: the first version for generation 2 */
};

#define WIN V2V_OS_WINDOWS
#define LNX V2V_OS_LINUX
#define BSD V2V_OS_FREEBSD
#define OTH V2V_OS_OTHER

/* clang-format off */
static const struct row rows[] = {
  { "windows12", "Windows 12", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows12srv", "Windows Server 2025", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows11", "Windows 11", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows11srv", "Windows Server 2022", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows9", "Windows 10", WIN, GEN2, 0 },
  { "windows9srv", "Windows Server 2016", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows2019srv", "Windows Server 2019", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows2019srvnext", "Windows Server 2022", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows2022srvnext", "Windows Server 2025", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows8", "Windows 8", WIN, GEN2, 0 },
  { "windows8srv", "Windows Server 2012", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows81", "Windows 8.1", WIN, GEN2, 0 },
  { "windowshyperv", "Hyper-V Server", WIN, GEN2 | ALWAYS_64, 0 },
  { "winhyperv", "Hyper-V Server", WIN, GEN2 | ALWAYS_64, 0 },
  { "windows7", "Windows 7", WIN, 0, 0 },
  { "windows7srv", "Windows Server 2008 R2", WIN, ALWAYS_64, 0 },
  { "longhorn", "Windows Server 2008", WIN, 0, 0 },
  { "winlonghorn", "Windows Server 2008", WIN, 0, 0 },
  { "winvista", "Windows Vista", WIN, 0, 0 },
  { "winnetbusiness", "Windows Small Business Server 2003", WIN, 0, 0 },
  { "winnetdatacenter", "Windows Server 2003 Datacenter", WIN, 0, 0 },
  { "winnetenterprise", "Windows Server 2003 Enterprise", WIN, 0, 0 },
  { "winnetstandard", "Windows Server 2003 Standard", WIN, 0, 0 },
  { "winnetweb", "Windows Server 2003 Web", WIN, 0, 0 },
  { "winxphome", "Windows XP Home", WIN, 0, 0 },
  { "winxppro", "Windows XP Professional", WIN, 0, 0 },
  { "win2000advserv", "Windows 2000 Advanced Server", WIN, LEGACY, 0 },
  { "win2000pro", "Windows 2000 Professional", WIN, LEGACY, 0 },
  { "win2000serv", "Windows 2000 Server", WIN, LEGACY, 0 },
  { "winnt", "Windows NT", WIN, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "win31", "Windows 3.1", WIN, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "win95", "Windows 95", WIN, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "win98", "Windows 98", WIN, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "winme", "Windows Me", WIN, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "dos", "MS-DOS", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "almalinux", "AlmaLinux", LNX, GEN2 | ALWAYS_64, 0 },
  { "amazonlinux", "Amazon Linux", LNX, GEN2 | ALWAYS_64 | VERSIONED, 2 },
  { "asianux", "Asianux", LNX, GEN2 | VERSIONED, 7 },
  { "centos", "CentOS", LNX, GEN2 | VERSIONED, 7 },
  { "coreos", "CoreOS", LNX, GEN2 | ALWAYS_64, 0 },
  { "crxpod", "CRX Pod", LNX, GEN2 | ALWAYS_64 | VERSIONED, 0 },
  { "crxsys", "CRX", LNX, GEN2 | ALWAYS_64 | VERSIONED, 0 },
  { "debian", "Debian", LNX, GEN2 | VERSIONED, 8 },
  { "fedora", "Fedora", LNX, GEN2, 0 },
  { "flatcar", "Flatcar", LNX, GEN2 | ALWAYS_64, 0 },
  { "genericlinux", "Linux", LNX, GEN2 | ANY_BITS, 0 },
  { "linux", "Linux", LNX, GEN2 | ANY_BITS, 0 },
  { "mandrake", "Mandrake Linux", LNX, GEN2, 0 },
  { "mandriva", "Mandriva Linux", LNX, GEN2, 0 },
  { "mandrivalinux", "Mandriva Linux", LNX, GEN2, 0 },
  { "nld9", "Novell Linux Desktop 9", LNX, 0, 0 },
  { "oes", "Open Enterprise Server", LNX, GEN2, 0 },
  { "opensuse", "openSUSE", LNX, GEN2, 0 },
  { "oraclelinux", "Oracle Linux", LNX, GEN2 | VERSIONED, 7 },
  { "other24xlinux", "Linux 2.4", LNX, ANY_BITS | LEGACY, 0 },
  { "other26xlinux", "Linux 2.6", LNX, GEN2 | ANY_BITS, 0 },
  { "other3xlinux", "Linux 3.x", LNX, GEN2 | ANY_BITS, 0 },
  { "other4xlinux", "Linux 4.x", LNX, GEN2 | ANY_BITS, 0 },
  { "other5xlinux", "Linux 5.x", LNX, GEN2 | ANY_BITS, 0 },
  { "other6xlinux", "Linux 6.x", LNX, GEN2 | ANY_BITS, 0 },
  { "other7xlinux", "Linux 7.x", LNX, GEN2 | ANY_BITS, 0 },
  { "otherlinux", "Linux", LNX, GEN2 | ANY_BITS, 0 },
  { "redhat", "Red Hat Linux", LNX, LEGACY, 0 },
  { "rhel", "Red Hat Enterprise Linux", LNX, GEN2 | VERSIONED, 7 },
  { "rockylinux", "Rocky Linux", LNX, GEN2 | ALWAYS_64, 0 },
  { "sjds", "Sun Java Desktop System", LNX, 0, 0 },
  { "sles", "SUSE Linux Enterprise Server", LNX, GEN2 | VERSIONED, 12 },
  { "suse", "SUSE Linux", LNX, GEN2, 0 },
  { "turbolinux", "Turbolinux", LNX, GEN2, 0 },
  { "ubuntu", "Ubuntu", LNX, GEN2, 0 },
  { "vmwarephoton", "VMware Photon OS", LNX, GEN2 | ALWAYS_64, 0 },
  { "freebsd", "FreeBSD", BSD, GEN2 | VERSIONED, 11 },
  { "darwin", "macOS", OTH, NO_SUPPORT | NEVER | VERSIONED, 0 },
  { "ecomstation", "eComStation", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "ecomstation2", "eComStation 2", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "netware4", "NetWare 4", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "netware5", "NetWare 5", OTH, LEGACY | NO_SUPPORT, 0 },
  { "netware6", "NetWare 6", OTH, LEGACY | NO_SUPPORT, 0 },
  { "opensrv5", "SCO OpenServer 5", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "opensrv6", "SCO OpenServer 6", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "os2", "OS/2", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "solaris", "Solaris", OTH, LEGACY | NO_SUPPORT | VERSIONED, 0 },
  { "unixware7", "UnixWare 7", OTH, LEGACY | NT_ERA | NO_SUPPORT, 0 },
  { "vmkernel", "VMware ESXi", OTH, LEGACY | NO_SUPPORT | VERSIONED, 0 },
  { "other", "an unnamed system", OTH, GEN2 | ANY_BITS, 0 },
};

/* CIM numbers and the .vmx id that means the same. */
static const struct {
  int cim;
  const char *id;
} cim_rows[] = {
  { 15, "win31" }, { 16, "win95" }, { 17, "win98" }, { 18, "winnt" },
  { 29, "solaris10" }, { 36, "linux" }, { 42, "freebsd" },
  { 58, "win2000serv" }, { 63, "winme" }, { 67, "winxppro" },
  { 69, "winnetstandard" }, { 70, "winnetstandard-64" },
  { 71, "winxppro-64" }, { 73, "winvista" }, { 74, "winvista-64" },
  { 76, "longhorn" }, { 77, "longhorn-64" }, { 78, "freebsd-64" },
  { 79, "rhel" }, { 80, "rhel-64" }, { 81, "solaris10-64" },
  { 82, "suse" }, { 83, "suse-64" }, { 84, "sles" }, { 85, "sles-64" },
  { 86, "oes" }, { 89, "mandriva" }, { 90, "mandriva-64" },
  { 91, "turbolinux" }, { 92, "turbolinux-64" }, { 93, "ubuntu" },
  { 94, "ubuntu-64" }, { 95, "debian" }, { 96, "debian-64" },
  { 97, "other24xlinux" }, { 98, "other24xlinux-64" },
  { 99, "other26xlinux" }, { 100, "other26xlinux-64" },
  { 101, "otherlinux-64" }, { 102, "other-64" }, { 103, "windows7srv-64" },
  { 104, "vmkernel5" }, { 106, "centos" }, { 107, "centos-64" },
  { 108, "oraclelinux" }, { 109, "oraclelinux-64" }, { 110, "ecomstation" },
  { 112, "windows8srv-64" }, { 113, "windows8" }, { 114, "windows8-64" },
  { 115, "windows8srv-64" }, { 116, "windows9srv-64" }, { 117, "windows81" },
  { 118, "windows81-64" }, { 119, "windows9" }, { 120, "windows9-64" },
};
/* clang-format on */

#define NORMAL_MAX 48

static bool
strip_suffix (char *s, const char *suffix)
{
  const size_t n = strlen (s), k = strlen (suffix);

  if (n <= k || strcmp (s + n - k, suffix) != 0)
    return false;
  s[n - k] = '\0';
  return true;
}

/* Both spellings to one: lower case, without "Guest", "Server" as "srv", "64"
 * taken off (*RET_64), an "arm" before it too (*RET_ARM), no '-' or '_'. */
static void
normalize (const char *id, char out[NORMAL_MAX], bool *ret_64, bool *ret_arm)
{
  char *server;
  size_t o = 0;

  for (; *id != '\0' && o + 1 < NORMAL_MAX; ++id)
    if (isalnum ((unsigned char) *id))
      out[o++] = (char) tolower ((unsigned char) *id);
  out[o] = '\0';
  strip_suffix (out, "guest");
  *ret_64 = strip_suffix (out, "64");
  *ret_arm = strncmp (out, "arm", 3) == 0;
  if (*ret_arm)
    memmove (out, out + 3, strlen (out + 3) + 1);
  server = strstr (out, "server");
  if (server != NULL) {
    memmove (server + 3, server + 6, strlen (server + 6) + 1);
    server[1] = 'r';
    server[2] = 'v';
  }
}

static const struct row *
find_row (const char *key, unsigned *ret_version)
{
  const struct row *best = NULL;

  *ret_version = 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const size_t n = strlen (rows[i].key);

    if (strcmp (rows[i].key, key) == 0)
      return &rows[i];
    if ((rows[i].flags & VERSIONED) && strncmp (rows[i].key, key, n) == 0 &&
        key[n] != '\0' && strspn (key + n, "0123456789") == strlen (key + n))
      best = &rows[i];
  }
  if (best != NULL)
    *ret_version =
        (unsigned) strtoul (key + strlen (best->key), NULL, 10) % 1000;
  return best;
}

static void
fill_from_row (struct v2v_guest_os *os, const struct row *r, unsigned version,
               bool is_64)
{
  os->known = true;
  os->family = r->family;
  if (version != 0)
    snprintf (os->name, sizeof os->name, "%s %u", r->name, version);
  else
    snprintf (os->name, sizeof os->name, "%s", r->name);
  if (is_64 || (r->flags & ALWAYS_64))
    os->bits = 64;
  else if (!(r->flags & ANY_BITS))
    os->bits = 32;
  os->generation2 =
      (r->flags & GEN2) && (version == 0 || version >= r->gen2_since);
  os->legacy_nic = (r->flags & LEGACY) != 0;
  os->nt_era = (r->flags & NT_ERA) != 0;
  os->no_support = (r->flags & NO_SUPPORT) != 0;
  os->never_starts = (r->flags & NEVER) != 0;
}

struct v2v_guest_os
v2v_guest_os_lookup (const char *os_id, int cim)
{
  struct v2v_guest_os os = { .family = V2V_OS_OTHER, .generation2 = true };
  const struct row *r = NULL;
  char key[NORMAL_MAX];
  bool is_64 = false;
  unsigned version = 0;

  snprintf (os.name, sizeof os.name, "an unknown system");
  if (os_id != NULL) {
    normalize (os_id, key, &is_64, &os.arm);
    r = find_row (key, &version);
    if (r == NULL && is_64)
      os.bits = 64;
  }
  for (size_t i = 0; r == NULL && i < V2V_ARRAY_SIZE (cim_rows); ++i)
    if (cim_rows[i].cim == cim) {
      bool arm;

      normalize (cim_rows[i].id, key, &is_64, &arm);
      r = find_row (key, &version);
    }
  if (r != NULL)
    fill_from_row (&os, r, version, is_64);
  if (r == NULL && os_id != NULL) {
    /* New releases appear yearly: the family is still told by the id. */
    if (strncasecmp (os_id, "windows", 7) == 0)
      os.family = V2V_OS_WINDOWS;
    else if (strcasestr (os_id, "linux") != NULL)
      os.family = V2V_OS_LINUX;
  }
  if (cim == 105 && os_id == NULL) { /* Windows 7 of either width */
    os.family = V2V_OS_WINDOWS;
    os.known = true;
    os.generation2 = false;
    snprintf (os.name, sizeof os.name, "Windows 7");
  }
  return os;
}

const char *
v2v_os_family_name (enum v2v_os_family f)
{
  switch (f) {
  case V2V_OS_OTHER:
    return "other";
  case V2V_OS_WINDOWS:
    return "windows";
  case V2V_OS_LINUX:
    return "linux";
  case V2V_OS_FREEBSD:
    return "freebsd";
  }
  return "other";
}
