/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware Tools are removed at Windows' first boot: best effort, never fatal.
 *
 * Offline they were disabled (windows_disable_tools); two scripts tidy up.
 * The first asks the uninstaller, which fails off VMware in most cases (1603).
 * The second, where that failed, does it by inventory in the order that
 * matters: services stopped, driver packages, devices (vmci makes its bus
 * again), service keys, files, registry (guest-windows section 8).
 *
 * Everything is named in full, nothing by a pattern: Hyper-V's own vmbus,
 * vmgid, vmgencounter, vmstorfl, vms3cap, vmbkmcl and vmic* begin alike.  What
 * is written into the scripts from the guest is a GUID or "oemN.inf", parsed
 * and written anew.
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/vector.h"
#include "inject/windows-firstboot.h"
#include "inject/windows-inf.h"

#define TOOLS_NAME "VMware Tools"
/* One product is installed once; broken upgrades leave a few. */
#define MAX_PRODUCTS 8
#define MAX_PACKAGES 64

static const char *const uninstall_keys[] = {
  "Microsoft\\Windows\\CurrentVersion\\Uninstall",
  "Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
};

/* pvscsi, vmxnet3, vm3dmp and the mice have no device any more and load
 * nothing; their keys go with their packages. */
static const char *const services[] = {
  "VMTools",
  "VGAuthService",
  "VM3DService",
  "vmvss",
  "GISvc",
  "VMUpgradeHelper",
  "vmhgfs",
  "vmmemctl",
  "vmrawdsk",
  "vnetflt",
  "vnetWFP",
  "vsepflt",
  "vmdesched",
  "vmwtimeprovider",
  "VMwareCAFCommAmqpListener",
  "VMwareCAFManagementAgentHost",
  "vmStatsProvider",
};

/* Subkeys of "VMware, Inc." that are the tools': other products stay. */
static const char *const registry_keys[] = {
  "VMware Tools", "VMware VGAuth", "VMware Drivers", "CbLauncher", "VMware CAF",
};

static const char *const folders[] = {
  "%ProgramFiles%\\VMware\\VMware Tools",
  "%ProgramFiles%\\Common Files\\VMware\\Drivers",
  "%ProgramFiles%\\Common Files\\VMware\\InstallerCache",
  "%ProgramData%\\VMware\\VMware Tools",
  "%ProgramData%\\VMware\\VMware VGAuth",
  "%ProgramData%\\VMware\\VMware CAF",
  "%ProgramData%\\Microsoft\\Windows\\Start Menu\\Programs\\VMware\\VMware Tools",
};

/* Removed only when nothing is left in them. */
static const char *const parents[] = {
  "%ProgramFiles%\\VMware",
  "%ProgramFiles%\\Common Files\\VMware",
  "%ProgramData%\\VMware",
  "%ProgramData%\\Microsoft\\Windows\\Start Menu\\Programs\\VMware",
};

struct tools {
  struct v2v_guid products[MAX_PRODUCTS];
  size_t nr_products;
  unsigned packages[MAX_PACKAGES]; /* oemN.inf */
  size_t nr_packages;
  bool there;
};

/* ---- inventory ---- */

static int
find_products_in (struct windows_guest *w, const char *uninstall,
                  struct tools *t, struct v2v_error **err)
{
  CLEANUP_LIST char **keys = v2v_hive_subkeys (w->software, uninstall, err);

  if (keys == NULL)
    return -1;
  for (size_t i = 0; keys[i] != NULL; ++i) {
    CLEANUP_FREE char *key = NULL, *name = NULL;
    struct v2v_error *e = NULL;
    struct v2v_guid guid;
    bool known = false;

    if (asprintf (&key, "%s\\%s", uninstall, keys[i]) == -1) {
      key = NULL;
      return v2v_fail_nomem (err);
    }
    name = v2v_hive_get_string (w->software, key, "DisplayName", &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    if (name == NULL || strcmp (name, TOOLS_NAME) != 0)
      continue;
    t->there = true;
    if (!v2v_guid_parse (keys[i], &guid))
      continue;
    for (size_t k = 0; k < t->nr_products; ++k)
      known = known || v2v_guid_equal (&t->products[k], &guid);
    if (!known && t->nr_products < MAX_PRODUCTS)
      t->products[t->nr_products++] = guid;
  }
  return 0;
}

/* "oem12.inf" -> 12. */
static bool
package_number (const char *path, unsigned *ret)
{
  const char *name = strrchr (path, '/');
  char rest[8] = "";
  unsigned n;

  if (name == NULL || strlen (name) > 16 ||
      sscanf (name, "/%*3[oOeEmM]%6u%7s", &n, rest) != 2 ||
      strcasecmp (rest, ".inf") != 0)
    return false;
  *ret = n;
  return true;
}

static bool
mentions (const char *s, const char *what)
{
  return s != NULL && strcasestr (s, what) != NULL;
}

/* A package of VMware's, but not the storage driver: it does no harm, and the
 * disk stays one that starts on VMware. */
static int
is_removable (const struct windows_inf *inf, const char *arch,
              struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *provider =
      windows_inf_get (inf, "version", "provider", &e);
  CLEANUP_FREE char *class = NULL, *catalog = NULL;

  if (e != NULL)
    return v2v_error_move (err, e);
  if (!mentions (provider, "VMware"))
    return 0;
  class = windows_inf_get (inf, "version", "class", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  catalog = windows_inf_catalog (inf, arch, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  return !mentions (class, "SCSIAdapter") && !mentions (catalog, "pvscsi");
}

static int
find_packages (struct windows_guest *w, struct tools *t, struct v2v_error **err)
{
  CLEANUP_FREE char *dir = NULL;
  CLEANUP_LIST char **files = NULL;

  if (asprintf (&dir, "%s/INF", w->systemroot) == -1) {
    dir = NULL;
    return v2v_fail_nomem (err);
  }
  files = v2v_guest_glob (w->g, dir, "oem[0-9]*.inf", err);
  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL && t->nr_packages < MAX_PACKAGES; ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_FREE void *data = NULL;
    struct windows_inf *inf;
    unsigned number;
    size_t len = 0;
    int r;

    if (!package_number (files[i], &number))
      continue;
    /* What cannot be read is not removed: the guest's own file, any bytes. */
    data = v2v_guest_read (w->g, files[i], WINDOWS_INF_MAX, &len, &e);
    inf = data != NULL ? windows_inf_parse (data, len, &e) : NULL;
    v2v_error_free (e);
    if (inf == NULL)
      continue;
    r = is_removable (inf, w->os->arch ? w->os->arch : "x86_64", err);
    windows_inf_free (inf);
    if (r == -1)
      return -1;
    if (r == 1) {
      t->there = true;
      t->packages[t->nr_packages++] = number;
    }
  }
  return 0;
}

static int
find_services (struct windows_guest *w, struct tools *t, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (services) && !t->there; ++i) {
    CLEANUP_FREE char *key = NULL;
    int r;

    if (asprintf (&key, "%s\\Services\\%s", w->control_sets[0], services[i]) ==
        -1) {
      key = NULL;
      return v2v_fail_nomem (err);
    }
    r = v2v_hive_has_key (w->system, key, err);
    if (r == -1)
      return -1;
    t->there = r == 1;
  }
  return 0;
}

/* ---- the scripts ---- */

/* Windows Installer's names of its keys: the digits of each field of the GUID
 * in reverse order ("packed"). */
static void
packed (const struct v2v_guid *g, char out[33])
{
  static const int fields[] = { 8, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2 };
  char digits[33];
  size_t at = 0;

  v2v_hex (g->bytes, sizeof g->bytes, digits);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i) {
    for (int k = 0; k < fields[i]; ++k)
      out[at + (size_t) k] =
          (char) toupper (digits[at + (size_t) (fields[i] - 1 - k)]);
    at += (size_t) fields[i];
  }
  out[32] = '\0';
}

static void
braced (const struct v2v_guid *g, char out[39])
{
  out[0] = '{';
  v2v_guid_format (g, out + 1);
  for (char *p = out; *p; ++p)
    *p = (char) toupper (*p);
  out[37] = '}';
  out[38] = '\0';
}

/* A time limit of ten minutes is the runner's; ended by it, this leaves no
 * mark, and the clean-up goes on. */
static int
uninstall_script (const struct tools *t, struct v2v_str *s)
{
  if (v2v_str_append (
          s, "@echo off\n"
             "rem v2v-time-limit: 600\n"
             "rem The uninstaller fails off VMware in most cases (1603).\n"
             "set done=1\n") == -1)
    return -1;
  for (size_t i = 0; i < t->nr_products; ++i) {
    char guid[39];

    braced (&t->products[i], guid);
    if (v2v_str_printf (
            s,
            "\"%%SystemRoot%%\\System32\\msiexec.exe\" /x %s /qn /norestart "
            "REBOOT=ReallySuppress REMOVE=ALL /l*v "
            "\"%%V2V_FIRSTBOOT%%\\..\\vmware-tools-uninstall.log\"\n"
            "call :judge %%ERRORLEVEL%%\n",
            guid) == -1)
      return -1;
  }
  return v2v_str_append (
      s, "if not %done%==1 exit /b 250\n"
         "echo done>\"%V2V_FIRSTBOOT%\\files\\tools-uninstalled.txt\"\n"
         "exit /b 0\n"
         "rem 1605, not known to the installer, leaves the rest to clean up.\n"
         ":judge\n"
         "echo msiexec ended with %1\n"
         "if %1==0 goto :eof\n"
         "if %1==1641 goto :eof\n"
         "if %1==3010 goto :eof\n"
         "set done=0\n"
         "goto :eof\n");
}

static int
each_service (struct v2v_str *s, const char *verb)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (services); ++i) {
    if (v2v_str_append (s, "\"%SystemRoot%\\System32\\sc.exe\" ") == -1 ||
        v2v_str_append (s, verb) == -1 ||
        v2v_str_printf (s, " %s%s\n", services[i],
                        strcmp (verb, "config") == 0 ? " start= disabled"
                                                     : "") == -1)
      return -1;
  }
  return 0;
}

static int
remove_packages (const struct windows_guest *w, const struct tools *t,
                 struct v2v_str *s)
{
  /* The long options are new in Windows 10 1607 (build 14393). */
  const bool modern = w->os->build >= 14393;

  for (size_t i = 0; i < t->nr_packages; ++i) {
    const int r =
        modern ? v2v_str_printf (s,
                                 "\"%%SystemRoot%%\\System32\\pnputil.exe\" "
                                 "/delete-driver oem%u.inf /uninstall /force\n",
                                 t->packages[i])
               : v2v_str_printf (s,
                                 "\"%%SystemRoot%%\\System32\\pnputil.exe\" "
                                 "-f -d oem%u.inf\n",
                                 t->packages[i]);

    if (r == -1)
      return -1;
  }
  return 0;
}

static int
remove_files (struct v2v_str *s)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i)
    if (v2v_str_printf (s, "if exist \"%s\" rd /s /q \"%s\"\n", folders[i],
                        folders[i]) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (parents); ++i)
    if (v2v_str_printf (s, "if exist \"%s\" rd \"%s\"\n", parents[i],
                        parents[i]) == -1)
      return -1;
  return 0;
}

static int
remove_registry (const struct tools *t, struct v2v_str *s)
{
  static const char *const views[] = { "HKLM\\SOFTWARE",
                                       "HKLM\\SOFTWARE\\Wow6432Node" };
  static const char reg[] = "\"%SystemRoot%\\System32\\reg.exe\" delete ";

  for (size_t v = 0; v < V2V_ARRAY_SIZE (views); ++v) {
    for (size_t i = 0; i < V2V_ARRAY_SIZE (registry_keys); ++i)
      if (v2v_str_append (s, reg) == -1 ||
          v2v_str_printf (s, "\"%s\\VMware, Inc.\\%s\" /f\n", views[v],
                          registry_keys[i]) == -1)
        return -1;
    for (size_t i = 0; i < t->nr_products; ++i) {
      char guid[39];

      braced (&t->products[i], guid);
      if (v2v_str_append (s, reg) == -1 ||
          v2v_str_printf (s,
                          "\"%s\\Microsoft\\Windows\\CurrentVersion\\"
                          "Uninstall\\%s\" /f\n",
                          views[v], guid) == -1)
        return -1;
    }
    /* It would be started at each logon. */
    if (v2v_str_append (s, reg) == -1 ||
        v2v_str_printf (s,
                        "\"%s\\Microsoft\\Windows\\CurrentVersion\\Run\" /v "
                        "\"VMware User Process\" /f\n",
                        views[v]) == -1)
      return -1;
  }
  for (size_t i = 0; i < t->nr_products; ++i) {
    static const char *const keys[] = {
      "HKLM\\SOFTWARE\\Classes\\Installer\\Products",
      "HKLM\\SOFTWARE\\Classes\\Installer\\Features",
      ("HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Installer"
       "\\UserData\\S-1-5-18\\Products"),
    };
    char p[33];

    packed (&t->products[i], p);
    for (size_t k = 0; k < V2V_ARRAY_SIZE (keys); ++k)
      if (v2v_str_append (s, reg) == -1 ||
          v2v_str_printf (s, "\"%s\\%s\" /f\n", keys[k], p) == -1)
        return -1;
  }
  return 0;
}

static int
clean_up_script (const struct windows_guest *w, const struct tools *t,
                 struct v2v_str *s)
{
  if (v2v_str_append (
          s, "@echo off\n"
             "rem v2v-run-again: yes\n"
             "rem v2v-time-limit: 1800\n"
             "rem What is missing already makes a line in the log, no more.\n"
             "if exist \"%V2V_FIRSTBOOT%\\files\\tools-uninstalled.txt\" "
             "goto :devices\n"
             "rem An uninstaller that took too long.\n"
             "\"%SystemRoot%\\System32\\sc.exe\" stop msiserver\n") == -1 ||
      each_service (s, "stop") == -1 || each_service (s, "config") == -1 ||
      remove_packages (w, t, s) == -1 ||
      v2v_str_append (s, ":devices\n"
                         "\"%V2V_PROGRAM%\" --remove-ghosts\n"
                         "if exist "
                         "\"%V2V_FIRSTBOOT%\\files\\tools-uninstalled.txt\" "
                         "exit /b 0\n") == -1 ||
      each_service (s, "delete") == -1 || remove_files (s) == -1 ||
      remove_registry (t, s) == -1)
    return -1;
  return v2v_str_append (s, "exit /b 0\n");
}

int
windows_queue_tools_removal (struct windows_guest *w, struct v2v_error **err)
{
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;
  struct tools t = { .nr_products = 0 };

  if (v2v_guest_get_opts (w->g)->keep_tools)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (uninstall_keys); ++i)
    if (find_products_in (w, uninstall_keys[i], &t, err) == -1)
      return v2v_prefix (err, "VMware Tools");
  if (find_packages (w, &t, err) == -1 || find_services (w, &t, err) == -1)
    return v2v_prefix (err, "VMware Tools");
  if (!t.there || !windows_can_run_at_first_boot (w, "removal of VMware Tools"))
    return 0;
  if (v2v_guest_mkdir (w->g, WINDOWS_FIRSTBOOT_FILES, 0700, err) == -1)
    return -1;
  if (t.nr_products > 0) {
    if (uninstall_script (&t, &s) == -1)
      return v2v_fail_nomem (err);
    if (windows_add_script (w, WINDOWS_ORDER_UNINSTALL,
                            "vmware-tools-uninstall.cmd", &s, err) == -1)
      return -1;
    s.len = 0;
  }
  if (clean_up_script (w, &t, &s) == -1)
    return v2v_fail_nomem (err);
  if (windows_add_script (w, WINDOWS_ORDER_CLEAN_UP,
                          "vmware-tools-clean-up.cmd", &s, err) == -1)
    return -1;
  if (v2v_findings_add (v2v_guest_findings (w->g), V2V_INFORMATION,
                        "guest.tools.removal-queued", NULL, NULL,
                        "VMware Tools are removed at the first boot, as far "
                        "as that works") == -1)
    return v2v_fail_nomem (err);
  return 0;
}
