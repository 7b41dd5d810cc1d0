/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Customising a Windows guest.  A generalised image gets an answer file where
 * Setup looks first; an installed one ignores answer files, so what can be
 * done to it later is a script of the first start.
 *
 * Sources: "Windows Setup States" and "Windows Setup Automation Overview",
 * implicit answer file search order (Microsoft); the values below Setup of
 * installed and generalised hives (guest-windows section 14).
 */

#include <config.h>

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/powershell-check.h"
#include "inject/customize-internal.h"
#include "inject/profile-internal.h"
#include "inject/unattend.h"
#include "inject/windows-firstboot.h"

#define WHY "an answer file for Setup"

enum state {
  INSTALLED,   /* answer files are ignored */
  GENERALIZED, /* Setup runs at the next start */
  BROKEN,      /* Setup was interrupted */
};

/* ---- the state of the image ---- */

/* By ImageState; where there is none (XP, 2003), by what Setup will run. */
static int
read_state (struct windows_guest *w, enum state *ret, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *image = v2v_hive_get_string (
      w->software, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
      "ImageState", &e);
  CLEANUP_FREE char *line =
      e == NULL ? v2v_hive_get_string (w->system, "Setup", "CmdLine", &e)
                : NULL;
  uint32_t type = 0;

  if (e != NULL)
    return v2v_error_move (err, e);
  if (v2v_hive_get_dword (w->system, "Setup", "SetupType", &type, err) == -1)
    return -1;
  if (image != NULL && strcmp (image, "IMAGE_STATE_UNDEPLOYABLE") == 0)
    *ret = BROKEN;
  else if (image != NULL)
    *ret = fnmatch ("IMAGE_STATE_*_RESEAL_TO_*", image, 0) == 0 ? GENERALIZED
                                                                : INSTALLED;
  else
    *ret = type != 0 && line != NULL &&
                   (strcasestr (line, "-mini") != NULL ||
                    strcasestr (line, "windeploy") != NULL)
               ? GENERALIZED
               : INSTALLED;
  return 0;
}

/* ---- the answer file ---- */

static int
write_secret (struct customize *c, const char *folder, const char *name,
              const char *text, size_t len, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&path, "%s/%s", folder, name) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_guest_mkdir (c->g, folder, 0755, err) == -1 ||
                 v2v_guest_write (c->g, path, text, len, 0600, V2V_WRITE_SECRET,
                                  WHY, err) == -1
             ? -1
             : 0;
}

/* Place 1 of the search order wins over ours. */
static int
tell_other_file (struct customize *c, struct windows_guest *w,
                 struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *path =
      v2v_hive_get_string (w->system, "Setup", "UnattendFile", &e);

  if (e != NULL)
    return v2v_error_move (err, e);
  if (path == NULL || path[0] == '\0')
    return 0;
  return customize_finding (c, V2V_WARNING, "guest.customize.answer-file",
                            "UnattendFile",
                            "remove the value UnattendFile below "
                            "HKLM\\SYSTEM\\Setup",
                            err,
                            "the registry names another answer file, which "
                            "Setup takes first");
}

/* Setup calls it when it has finished, before anybody can log on; Setup's own
 * copy (Panther\unattend.xml) has its passwords taken out by then. */
static int
scrub_by_setup (struct customize *c, struct windows_guest *w,
                struct v2v_error **err)
{
  static const char line[] =
      "del /f /q \"%WINDIR%\\Panther\\Unattend\\Unattend.xml\"\r\n";
  CLEANUP_FREE char *folder = NULL, *path = NULL, *old = NULL;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_error *e = NULL;

  if (asprintf (&folder, "%s/Setup/Scripts", w->systemroot) == -1)
    folder = NULL;
  if (asprintf (&path, "%s/Setup/Scripts/SetupComplete.cmd", w->systemroot) ==
      -1)
    path = NULL;
  if (folder == NULL || path == NULL)
    return v2v_fail_nomem (err);
  old = v2v_guest_read_text (c->g, path, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (old != NULL && strstr (old, line) != NULL)
    return 0;
  /* First: the rest may end with "exit". */
  if (v2v_str_printf (&s, "%s%s", line, old ? old : "") == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_mkdir (c->g, folder, 0755, err) == -1 ||
                 v2v_guest_write_text (c->g, path, s.ptr, 0644,
                                       "the answer file is removed after Setup",
                                       err) == -1
             ? -1
             : 0;
}

/* SetupComplete.cmd is not run with a product key of a manufacturer: once
 * more, by the service. */
static int
scrub_at_first_boot (struct customize *c, struct v2v_error **err)
{
  static const char script[] =
      "@echo off\n"
      "rem The answer file has passwords inside.\n"
      "del /f /q \"%WINDIR%\\Panther\\Unattend\\Unattend.xml\" 2>nul\n"
      "rmdir /s /q \"%SystemDrive%\\Sysprep\" 2>nul\n"
      "exit /b 250\n";

  return v2v_firstboot_add (c->g, 9900, "remove-answer-file.cmd", script,
                            sizeof script - 1, false, err);
}

static int
put_answer_file (struct customize *c, struct windows_guest *w,
                 struct v2v_error **err)
{
  const bool old = c->os->major > 0 && c->os->major < 6;
  CLEANUP_WIPE_TEXT char *text = NULL;
  CLEANUP_FREE char *folder = NULL;
  size_t len;

  text =
      old ? unattend_make_inf (c->p, v2v_guest_findings (c->g), &len, err)
          : unattend_make (c->p, c->os, v2v_guest_findings (c->g), &len, err);
  if (text == NULL)
    return -1;
  if (old)
    return write_secret (c, "/Sysprep", "sysprep.inf", text, len, err) == -1
               ? -1
               : scrub_at_first_boot (c, err);
  if (asprintf (&folder, "%s/Panther/Unattend", w->systemroot) == -1) {
    folder = NULL;
    return v2v_fail_nomem (err);
  }
  return write_secret (c, folder, "Unattend.xml", text, len, err) == -1 ||
                 tell_other_file (c, w, err) == -1 ||
                 scrub_by_setup (c, w, err) == -1 ||
                 scrub_at_first_boot (c, err) == -1
             ? -1
             : 0;
}

/* ---- an installed system: scripts ---- */

/* It deletes itself before it does anything: PowerShell has read it whole. */
static const char script_begin[] =
    "# Written by v2v: what an answer file says to a generalised image.\n"
    "Remove-Item -LiteralPath $MyInvocation.MyCommand.Path -Force\n";

static const char script_end[] =
    "$failed = 0\n"
    "function Invoke-Part($name, $action) {\n"
    "    try { & $action; Write-Output ($name + ': done') }\n"
    "    catch {\n"
    "        Write-Output ($name + ': ' + $_.Exception.Message)\n"
    "        $script:failed = 1\n"
    "    }\n"
    "}\n"
    "function Assert-Zero($result) {\n"
    "    if ($result -ne 0) { throw ('error ' + $result) }\n"
    "}\n"
    "$computer = Get-WmiObject Win32_ComputerSystem\n"
    "$adsi = 'WinNT://' + $env:COMPUTERNAME\n"
    "if ($data.AdministratorPassword) {\n"
    "    Invoke-Part 'administrator password' {\n"
    "        $account = Get-WmiObject Win32_UserAccount -Filter "
    "'LocalAccount=True' |\n"
    "            Where-Object { $_.SID -like 'S-1-5-21-*-500' }\n"
    "        $user = [ADSI]($adsi + '/' + $account.Name + ',user')\n"
    "        $user.SetPassword($data.AdministratorPassword)\n"
    "    }\n"
    "}\n"
    "foreach ($one in $data.Users) {\n"
    "    Invoke-Part ('user ' + $one.Name) {\n"
    "        $path = $adsi + '/' + $one.Name + ',user'\n"
    "        if ([ADSI]::Exists($path)) { $user = [ADSI]$path }\n"
    "        else { $user = ([ADSI]$adsi).Create('user', $one.Name) }\n"
    "        if ($one.Password) { $user.SetPassword($one.Password) }\n"
    "        $user.SetInfo()\n"
    "        if ($one.DisplayName) {\n"
    "            $user.FullName = $one.DisplayName\n"
    "            $user.SetInfo()\n"
    "        }\n"
    "        foreach ($name in $one.Groups) {\n"
    "            $group = [ADSI]($adsi + '/' + $name + ',group')\n"
    "            if (-not $group.IsMember($user.Path)) { "
    "$group.Add($user.Path) }\n"
    "        }\n"
    "    }\n"
    "}\n"
    "if ($data.TimeZone) {\n"
    "    Invoke-Part 'time zone' {\n"
    "        tzutil.exe /s $data.TimeZone\n"
    "        Assert-Zero $LASTEXITCODE\n"
    "    }\n"
    "}\n"
    "if ($data.ProductKey) {\n"
    "    Invoke-Part 'product key' {\n"
    "        cscript.exe //B //NoLogo ($env:windir + "
    "'\\System32\\slmgr.vbs') /ipk $data.ProductKey\n"
    "        Assert-Zero $LASTEXITCODE\n"
    "    }\n"
    "}\n"
    "$flags = 3\n"
    "if ($data.ComputerName -and $data.ComputerName -ne $computer.Name) {\n"
    "    Invoke-Part 'computer name' {\n"
    "        Assert-Zero $computer.Rename($data.ComputerName).ReturnValue\n"
    "    }\n"
    "    $flags = 1027\n"
    "}\n"
    "if ($data.Domain) {\n"
    "    Invoke-Part 'domain' {\n"
    "        Assert-Zero $computer.JoinDomainOrWorkgroup($data.Domain, "
    "$data.JoinPassword, $data.JoinUser, $data.OU, $flags).ReturnValue\n"
    "    }\n"
    "}\n"
    "if ($data.Workgroup) {\n"
    "    Invoke-Part 'workgroup' {\n"
    "        Assert-Zero $computer.JoinDomainOrWorkgroup($data.Workgroup, "
    "$null, $null, $null, 0).ReturnValue\n"
    "    }\n"
    "}\n"
    "exit $failed\n";

/* NAME = 'VALUE', or $null.  Inside single quotes nothing has a meaning but
 * what PowerShell takes for a quote, five characters; it is doubled.  Values
 * have no control characters: profile-check.c and profile-secrets.c. */
static int
put_value (struct v2v_str *s, const char *before, const char *value)
{
  if (value == NULL)
    return v2v_str_printf (s, "%s$null\n", before);
  if (v2v_str_printf (s, "%s'", before) == -1)
    return -1;
  while (*value != '\0') {
    const size_t quote = v2v_ps_quote_length (value);
    const size_t len = quote > 0 ? quote : 1;

    if ((quote > 0 && v2v_str_append_len (s, value, len) == -1) ||
        v2v_str_append_len (s, value, len) == -1)
      return -1;
    value += len;
  }
  return v2v_str_append (s, "'\n");
}

static int
put_users (struct v2v_str *s, const struct v2v_profile_windows *w)
{
  if (v2v_str_append (s, "    Users = @(\n") == -1)
    return -1;
  for (size_t i = 0; i < w->nr_users; ++i) {
    const struct v2v_profile_user *u = &w->users[i];

    if (put_value (s, "        @{\n            Name = ", u->name) == -1 ||
        put_value (s, "            DisplayName = ", u->comment) == -1 ||
        put_value (s, "            Password = ", u->password.text) == -1 ||
        v2v_str_append (s, "            Groups = @(\n") == -1)
      return -1;
    for (char **g = u->groups; g != NULL && *g != NULL; ++g)
      if (put_value (s, "                ", *g) == -1)
        return -1;
    if (v2v_str_append (s, "            )\n        }\n") == -1)
      return -1;
  }
  return v2v_str_append (s, "    )\n");
}

static int
put_data (struct v2v_str *s, const struct v2v_profile *p, const char *name,
          const char *user)
{
  const struct v2v_profile_windows *w = &p->windows;
  const struct {
    const char *before, *value;
  } values[] = {
    { "    ComputerName = ", name },
    { "    AdministratorPassword = ", w->administrator_password.text },
    { "    TimeZone = ", p->time_zone_windows },
    { "    ProductKey = ", w->product_key.text },
    { "    Domain = ", w->join_domain },
    { "    OU = ", w->join_ou },
    { "    JoinUser = ", user },
    { "    JoinPassword = ", w->join_password.text },
    { "    Workgroup = ", w->workgroup },
  };

  if (v2v_str_append (s, "$data = @{\n") == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (values); ++i)
    if (put_value (s, values[i].before, values[i].value) == -1)
      return -1;
  return put_users (s, w) == -1 ? -1 : v2v_str_append (s, "}\n");
}

static int
queue_installed (struct customize *c, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &c->p->windows;
  CLEANUP_FREE char *name = NULL, *user = NULL;
  CLEANUP_WIPE_STR struct v2v_str s = V2V_STR_INIT;

  if (c->p->computer_name != NULL && strcmp (c->p->computer_name, "*") != 0 &&
      (name = unattend_computer_name (c->p->computer_name, err)) == NULL)
    return -1;
  if (w->join_user != NULL &&
      asprintf (&user, "%s\\%s",
                w->join_user_domain ? w->join_user_domain : w->join_domain,
                w->join_user) == -1) {
    user = NULL;
    return v2v_fail_nomem (err);
  }
  if (name == NULL && w->administrator_password.text == NULL &&
      w->nr_users == 0 && c->p->time_zone == NULL &&
      w->product_key.text == NULL && w->join_domain == NULL &&
      w->workgroup == NULL)
    return 0;
  if (v2v_str_append (&s, script_begin) == -1 ||
      put_data (&s, c->p, name, user) == -1 ||
      v2v_str_append (&s, script_end) == -1)
    return v2v_fail_nomem (err);
  return v2v_firstboot_add (c->g, 2100, "customize.ps1", s.ptr, s.len, true,
                            err);
}

static int
tell_installed (struct customize *c, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &c->p->windows;

  if (customize_finding (
          c, V2V_WARNING, "guest.customize.not-generalized", NULL,
          "generalise the image with sysprep before, or check the log of the "
          "first start",
          err,
          "the image is not generalised, so Windows ignores answer files: "
          "name, passwords, users, time zone, key and join are done by a "
          "script of the first start") == -1)
    return -1;
  if (w->answer_file.text == NULL && w->auto_logon_count == 0 &&
      w->synchronous_commands == NULL && w->first_logon_commands == NULL &&
      w->owner == NULL && w->organization == NULL && c->p->locale == NULL &&
      !w->has_remote_desktop)
    return 0;
  return customize_finding (
      c, V2V_WARNING, "guest.customize.left-out", NULL,
      "do it with a script of the first start", err,
      "an own answer file, automatic logon, commands of Setup, owner, locale "
      "and remote desktop are for a generalised image only, and are left out");
}

/* ---- both ---- */

/* DISM takes "/All" (what the feature needs) from 6.2 on. */
static int
queue_features (struct customize *c, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &c->p->windows;
  const bool all = c->os->major > 6 || (c->os->major == 6 && c->os->minor >= 2);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (w->install_features == NULL && w->remove_features == NULL)
    return 0;
  if (c->os->major > 0 && c->os->major < 6)
    return customize_finding (c, V2V_WARNING, "guest.customize.left-out",
                              "features", NULL, err,
                              "Windows XP and 2003 have no features to "
                              "install by DISM");
  if (v2v_str_append (&s, "@echo off\nset FAILED=0\n") == -1)
    return v2v_fail_nomem (err);
  /* Their letters were checked: none of cmd's. */
  for (char **f = w->install_features; f != NULL && *f != NULL; ++f)
    if (v2v_str_printf (&s,
                        "dism.exe /Online /NoRestart /Enable-Feature%s "
                        "/FeatureName:%s || set FAILED=1\n",
                        all ? " /All" : "", *f) == -1)
      return v2v_fail_nomem (err);
  for (char **f = w->remove_features; f != NULL && *f != NULL; ++f)
    if (v2v_str_printf (&s,
                        "dism.exe /Online /NoRestart /Disable-Feature "
                        "/FeatureName:%s || set FAILED=1\n",
                        *f) == -1)
      return v2v_fail_nomem (err);
  if (v2v_str_append (&s, "exit /b %FAILED%\n") == -1)
    return v2v_fail_nomem (err);
  return v2v_firstboot_add (c->g, 4000, "features.cmd", s.ptr, s.len, false,
                            err);
}

static int
queue_scripts (struct customize *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->p->nr_scripts; ++i) {
    const struct v2v_profile_file *f = &c->p->scripts[i];

    if (v2v_firstboot_add (c->g, 5100 + (unsigned) i, f->name, f->text, f->len,
                           true, err) == -1)
      return -1;
  }
  return 0;
}

static void
mask_text (unsigned prefix, char out[16])
{
  const uint32_t m = prefix == 0 ? 0 : 0xffffffffu << (32 - prefix);

  snprintf (out, 16, "%u.%u.%u.%u", m >> 24, m >> 16 & 255, m >> 8 & 255,
            m & 255);
}

/* The file that v2vfirstboot.exe --network reads (firstboot/network-file.c).
 * Routes of IPv4 are the machine's there, those of IPv6 the adapter's. */
static int
put_nic (struct v2v_str *s, const struct v2v_profile_nic *n)
{
  char address[64], mask[16];
  unsigned prefix;

  if (v2v_str_printf (s, "nic %s\n", n->mac) == -1 ||
      (n->name != NULL && v2v_str_printf (s, "name %s\n", n->name) == -1) ||
      (n->search != NULL && n->search[0] != NULL &&
       v2v_str_printf (s, "domain %s\n", n->search[0]) == -1) ||
      (n->mtu != 0 && v2v_str_printf (s, "mtu %u\n", n->mtu) == -1))
    return -1;
  for (char **a = n->addresses; a != NULL && *a != NULL; ++a) {
    if (profile_parse_cidr (*a, address, &prefix) != AF_INET) {
      if (v2v_str_printf (s, "address6 %s %u\n", address, prefix) == -1)
        return -1;
      continue;
    }
    mask_text (prefix, mask);
    if (v2v_str_printf (s, "address %s %s\n", address, mask) == -1)
      return -1;
  }
  for (char **g = n->gateways; g != NULL && *g != NULL; ++g)
    if (v2v_str_printf (s,
                        strchr (*g, ':') != NULL ? "route6 :: 0 %s 0\n"
                                                 : "gateway %s 0\n",
                        *g) == -1)
      return -1;
  for (char **d = n->dns; d != NULL && *d != NULL; ++d)
    if (v2v_str_printf (s, "%s %s\n", strchr (*d, ':') ? "dns6" : "dns", *d) ==
        -1)
      return -1;
  for (size_t i = 0; i < n->nr_routes; ++i) {
    const struct v2v_profile_route *r = &n->routes[i];

    if (profile_parse_cidr (r->to, address, &prefix) != AF_INET) {
      if (v2v_str_printf (s, "route6 %s %u %s %u\n", address, prefix, r->via,
                          r->has_metric && r->metric <= 9999 ? r->metric : 0) ==
          -1)
        return -1;
      continue;
    }
    mask_text (prefix, mask);
    if (v2v_str_printf (s, "route %s %s %s %u\n", address, mask, r->via,
                        r->has_metric && r->metric <= 9999 ? r->metric : 1) ==
        -1)
      return -1;
  }
  return 0;
}

static int
queue_network (struct customize *c, struct v2v_error **err)
{
  static const char script[] =
      "@echo off\n"
      "rem v2v-run-again: yes\n"
      "rem v2v-time-limit: 1800\n"
      "\"%V2V_PROGRAM%\" --network \"%V2V_FIRSTBOOT%\\files\\profile.txt\"\n"
      "exit /b %ERRORLEVEL%\n";
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (c->p->nr_nics == 0)
    return 0;
  if (v2v_str_append (&s, "v2v-network 1\n") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < c->p->nr_nics; ++i)
    if (put_nic (&s, &c->p->nics[i]) == -1)
      return v2v_fail_nomem (err);
  return v2v_guest_mkdir (c->g, WINDOWS_FIRSTBOOT_FILES, 0700, err) == -1 ||
                 v2v_guest_write (c->g, WINDOWS_FIRSTBOOT_FILES "/profile.txt",
                                  s.ptr, s.len, 0600, 0,
                                  "addresses for the first boot", err) == -1 ||
                 v2v_firstboot_add (c->g, WINDOWS_ORDER_NETWORK + 10,
                                    "profile-network.cmd", script,
                                    sizeof script - 1, false, err) == -1
             ? -1
             : 0;
}

/* ---- the whole ---- */

static bool
is_control_set (const char *name)
{
  return fnmatch ("ControlSet[0-9][0-9][0-9]", name, FNM_CASEFOLD) == 0;
}

/* ControlSet001, 002 ...: what the service is put into. */
static char **
find_control_sets (struct v2v_hive *system, struct v2v_error **err)
{
  char **keys = v2v_hive_subkeys (system, "", err);
  size_t n = 0;

  for (size_t i = 0; keys != NULL && keys[i] != NULL; ++i)
    if (is_control_set (keys[i]))
      keys[n++] = keys[i];
    else
      free (keys[i]);
  if (keys != NULL)
    keys[n] = NULL;
  return keys;
}

int
customize_windows_steps (struct customize *c, struct windows_guest *w,
                         struct v2v_error **err)
{
  enum state state;
  int n;

  if (read_state (w, &state, err) == -1)
    return -1;
  if (state == BROKEN)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "Windows' setup was interrupted in this image "
                     "(IMAGE_STATE_UNDEPLOYABLE): it cannot be customised");
  if (state == GENERALIZED
          ? put_answer_file (c, w, err) == -1
          : tell_installed (c, err) == -1 || queue_installed (c, err) == -1)
    return -1;
  if (queue_features (c, err) == -1 || queue_network (c, err) == -1 ||
      queue_scripts (c, err) == -1)
    return -1;
  n = v2v_firstboot_count (c->g, err);
  return n <= 0 ? n : windows_install_firstboot (w, err);
}

int
customize_windows (struct customize *c, struct v2v_error **err)
{
  struct windows_guest w = { .g = c->g, .os = c->os };
  CLEANUP_FREE char *system = NULL, *software = NULL;
  int r = -1;

  w.systemroot = c->os->systemroot != NULL ? c->os->systemroot : "/Windows";
  if (asprintf (&system, "%s/System32/config/SYSTEM", w.systemroot) == -1)
    system = NULL;
  if (asprintf (&software, "%s/System32/config/SOFTWARE", w.systemroot) == -1)
    software = NULL;
  if (system == NULL || software == NULL)
    return v2v_fail_nomem (err);
  w.system = v2v_hive_open_guest (c->g, system, "SYSTEM", true, err);
  if (w.system != NULL)
    w.software = v2v_hive_open_guest (c->g, software, "SOFTWARE", true, err);
  if (w.software != NULL)
    w.control_sets = find_control_sets (w.system, err);
  if (w.control_sets != NULL)
    r = customize_windows_steps (c, &w, err);
  if (r == 0 && (v2v_hive_commit (w.system, err) == -1 ||
                 v2v_hive_commit (w.software, err) == -1))
    r = -1;
  v2v_hive_close (w.system);
  v2v_hive_close (w.software);
  v2v_guest_free_list (w.control_sets);
  return r;
}
