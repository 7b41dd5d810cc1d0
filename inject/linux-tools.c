/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware's tools leave the guest: packages by the guest's own package manager
 * where that is safe without a network, a tarball installation by its own
 * uninstaller; and whatever stays is no longer started.
 *
 * dpkg --remove, rpm -e, pacman -R and apk del are used below the level of
 * apt, dnf and zypper on purpose: they need no repository, and they refuse
 * where another package depends on the one to be removed (apt would remove
 * "ubuntu-server" with it).  A refusal is a warning, not an error: the tools
 * do nothing outside VMware.
 *
 * Source: open-vm-tools' unit files (ConditionVirtualization=vmware); the
 * "locations" database of VMware Tools' installer; dpkg(1), rpm(8).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <fnmatch.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"

/* Known sets have about thirty packages (VMware's own repositories). */
#define MAX_PACKAGES 64
/* Removing takes seconds; minutes in an emulated processor. */
#define REMOVE_SECONDS 900

#define WHY "VMware's tools have nothing to do on Hyper-V"

static const char *const patterns[] = {
  "open-vm-tools",    "open-vm-tools-*", "VMwareTools",
  "vmware-tools-*",   "vmware-tools",    "kmod-vmware-tools*",
  "vmware-open-vm-*", "vmware-esx-*",    "VMware-Tools*",
  "open-vm-toolbox",  "vmware-kmp-*",    "vmware-guest-kmp-*",
  "vmware-osp-*",
};

static const char *const services[] = {
  "vmtoolsd",
  "vgauthd",
  "open-vm-tools",
  "open-vm-tools-vmtoolsd",
  "vgauth",
  "vmware-tools",
  "vmware-tools-thinprint",
  "vmware-tools-services",
  "vmware-vmblock-fuse",
  "open-vm-tools-desktop",
};

/* The name becomes an argument of a program of the guest. */
static bool
is_package_name (const char *s)
{
  const size_t len = strlen (s);

  return len > 0 && len < 128 && *s != '-' &&
         strspn (s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    "0123456789.+_-") == len;
}

static bool
is_tools_package (const char *name)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (patterns); ++i)
    if (fnmatch (patterns[i], name, 0) == 0)
      return is_package_name (name);
  return false;
}

static size_t
find_packages (const struct v2v_os *os, const char *names[MAX_PACKAGES])
{
  size_t n = 0;

  for (size_t i = 0; i < os->nr_applications && n < MAX_PACKAGES; ++i)
    if (os->applications[i].name != NULL &&
        is_tools_package (os->applications[i].name))
      names[n++] = os->applications[i].name;
  return n;
}

/* A program of the guest removes what it is asked to.  1 = done, 0 = not
 * (the finding is added). */
static int
run_removal (struct linux_guest *l, const char *const argv[],
             const char *subject, struct v2v_error **err)
{
  CLEANUP_FREE char *output = NULL;
  struct v2v_error *e = NULL;
  char *line;
  int status, r;

  r = v2v_guest_run (l->g, argv, REMOVE_SECONDS, WHY, &status, &output, &e);
  if (r == 1 || (r == 0 && status == 0))
    return 1;
  /* What it said last is most likely the reason. */
  if (output != NULL) {
    for (size_t n = strlen (output); n > 0 && strchr ("\r\n ", output[n - 1]);)
      output[--n] = '\0';
  }
  line = output ? strrchr (output, '\n') : NULL;
  r = linux_finding (l, V2V_WARNING, "guest.tools.not-removed", subject,
                     "remove it in the guest; it is disabled until then", err,
                     "the guest's own %s could not remove it: %.200s", argv[0],
                     e != NULL        ? v2v_error_message (e)
                     : line != NULL   ? line + 1
                     : output != NULL ? output
                                      : "no reason given");
  v2v_error_free (e);
  return r;
}

static int
remove_packages (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const deb[] = {
    "/usr/bin/env",  "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive",
    "/usr/bin/dpkg", "--remove", NULL
  };
  static const char *const rpm[] = { "rpm", "-e", NULL };
  static const char *const pacman[] = { "pacman", "-R", "--noconfirm", NULL };
  static const char *const apk[] = { "apk", "del", "--no-network", NULL };
  static const struct {
    const char *format;
    const char *const *argv;
  } tools[] = {
    { "deb", deb }, { "rpm", rpm }, { "pacman", pacman }, { "apk", apk }
  };
  const char *argv[8 + MAX_PACKAGES] = { NULL }, *names[MAX_PACKAGES];
  const size_t nr = find_packages (l->os, names);
  size_t n = 0;

  if (nr == 0 || !v2v_guest_can_run (l->g) || l->os->package_format == NULL)
    return 0;
  if (v2v_os_find_application (l->os, "ubuntu-server") != NULL)
    return linux_finding (l, V2V_INFORMATION, "guest.tools.kept", names[0],
                          "remove it in the guest if that is wanted", err,
                          "the package stays, disabled: 'ubuntu-server' "
                          "depends on it");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (tools); ++i)
    if (strcmp (l->os->package_format, tools[i].format) == 0)
      for (const char *const *a = tools[i].argv; *a != NULL; ++a)
        argv[n++] = *a;
  if (n == 0)
    return 0;
  memcpy (argv + n, names, nr * sizeof *names);
  return run_removal (l, argv, names[0], err) == -1 ? -1 : 0;
}

/* ---- the tarball ---- */

#define LOCATIONS   "/etc/vmware-tools/locations"
#define UNINSTALLER "/usr/bin/vmware-uninstall-tools.pl"

/* The uninstaller puts back the initramfs of the day when the tools were
 * installed, unless these answers are gone. */
static int
forget_ramdisks (struct linux_guest *l, struct v2v_error **err)
{
  static const char answers[] = "remove_answer RESTORE_RAMDISK_CMD\n"
                                "remove_answer RESTORE_RAMDISK_KERNELS\n"
                                "remove_answer RESTORE_RAMDISK_ONECALL\n";
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = v2v_guest_read_text (l->g, LOCATIONS, &e);

  if (e != NULL)
    return linux_tolerate (l, LOCATIONS, e, err);
  if (text == NULL || strstr (text, answers) != NULL)
    return 0;
  if (v2v_str_append (&s, text) == -1 ||
      (s.len > 0 && s.ptr[s.len - 1] != '\n' &&
       v2v_str_append (&s, "\n") == -1) ||
      v2v_str_append (&s, answers) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (l->g, LOCATIONS, s.ptr, 0,
                               "the uninstaller must not put old initramfs "
                               "files back",
                               err) == -1
             ? -1
             : 0;
}

static int
remove_tarball (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const argv[] = { UNINSTALLER, NULL };

  if (!v2v_guest_is_file (l->g, UNINSTALLER))
    return 0;
  if (!v2v_guest_can_run (l->g) || v2v_guest_is_dry_run (l->g))
    return linux_finding (l, V2V_INFORMATION, "guest.tools.kept", UNINSTALLER,
                          "run vmware-uninstall-tools.pl in the guest", err,
                          "VMware Tools of the tarball stay, disabled: their "
                          "uninstaller is not run here");
  if (forget_ramdisks (l, err) == -1)
    return -1;
  return run_removal (l, argv, UNINSTALLER, err) == -1 ? -1 : 0;
}

/* ---- repositories ---- */

/* Photon OS itself is fetched from VMware's server. */
static bool
is_tools_url (const char *line)
{
  const char *host = strcasestr (line, "vmware.com/");

  return host != NULL && strcasestr (host, "/photon") == NULL;
}

struct repo {
  bool *is_vmware; /* of each section */
  size_t nr, at;
};

static int
find_vmware_sections (void *arg, const char *line, struct v2v_str *ret)
{
  struct repo *r = arg;

  (void) ret;
  if (*line == '[') {
    bool *p = reallocarray (r->is_vmware, r->nr + 1, sizeof *p);

    if (p == NULL)
      return -1;
    r->is_vmware = p;
    p[r->nr++] = false;
  }
  else if (r->nr > 0 && is_tools_url (line) &&
           (strncasecmp (line, "baseurl", 7) == 0 || *line == ' ' ||
            *line == '\t' || strncasecmp (line, "mirrorlist", 10) == 0)) {
    r->is_vmware[r->nr - 1] = true;
  }
  return LINUX_EDIT_KEEP;
}

static int
disable_sections (void *arg, const char *line, struct v2v_str *ret)
{
  struct repo *r = arg;
  bool on;

  if (*line == '[') {
    ++r->at;
    /* A section without "enabled" is enabled. */
    if (r->at <= r->nr && r->is_vmware[r->at - 1]) {
      if (v2v_str_printf (ret, "%s\nenabled=0", line) == -1)
        return -1;
      return LINUX_EDIT_REPLACE;
    }
    return LINUX_EDIT_KEEP;
  }
  on = r->at > 0 && r->at <= r->nr && r->is_vmware[r->at - 1] &&
       strncasecmp (line, "enabled", 7) == 0 && strchr (" \t=", line[7]);
  return on ? LINUX_EDIT_DELETE : LINUX_EDIT_KEEP;
}

/* Is every section of VMware's disabled already? */
static int
count_enabled (void *arg, const char *line, struct v2v_str *ret)
{
  struct repo *r = arg;
  const char *value = strchr (line, '=');

  (void) ret;
  if (*line == '[')
    ++r->at;
  else if (r->at > 0 && r->at <= r->nr && r->is_vmware[r->at - 1] &&
           strncasecmp (line, "enabled", 7) == 0 && value != NULL &&
           line + 7 + strspn (line + 7, " \t") == value &&
           value[1 + strspn (value + 1, " \t")] == '0')
    r->is_vmware[r->at - 1] = false;
  return LINUX_EDIT_KEEP;
}

static int
disable_repo_file (struct linux_guest *l, const char *path,
                   struct v2v_error **err)
{
  struct repo r = { .nr = 0 };
  CLEANUP_FREE char *text = NULL, *edited = NULL;
  struct v2v_error *e = NULL;
  int rc;

  text = v2v_guest_read_text (l->g, path, &e);
  if (e != NULL)
    return linux_tolerate (l, path, e, err);
  if (text == NULL)
    return 0;
  rc = linux_edit_text (text, find_vmware_sections, &r, &edited, err);
  if (rc == 0)
    rc = linux_edit_text (text, count_enabled, &r, &edited, err);
  r.at = 0;
  if (rc == 0)
    rc = linux_edit_text (text, disable_sections, &r, &edited, err);
  free (r.is_vmware);
  if (rc == -1 || edited == NULL)
    return rc;
  return v2v_guest_write_text (l->g, path, edited, 0,
                               "VMware's repository of tools is not needed",
                               err) == -1
             ? -1
             : 0;
}

static int
disable_apt_line (void *arg, const char *line, struct v2v_str *ret)
{
  (void) arg;
  if (strncmp (line, "deb", 3) != 0 || !is_tools_url (line))
    return LINUX_EDIT_KEEP;
  return v2v_str_printf (ret, "# %s", line) == -1 ? -1 : LINUX_EDIT_REPLACE;
}

static int
disable_repositories (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const folders[] = { "/etc/yum.repos.d",
                                         "/etc/zypp/repos.d" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **files =
        v2v_guest_glob (l->g, folders[i], "*.repo", err);

    if (files == NULL)
      return -1;
    for (size_t j = 0; files[j] != NULL; ++j)
      if (disable_repo_file (l, files[j], err) == -1)
        return -1;
  }
  if (linux_edit_or_find (l, "/etc/apt/sources.list", disable_apt_line, NULL,
                          "VMware's repository of tools is not needed",
                          err) == -1 ||
      linux_edit_glob (l, "/etc/apt/sources.list.d", "*.list", disable_apt_line,
                       NULL, "VMware's repository of tools is not needed",
                       err) == -1)
    return -1;
  return 0;
}

int
linux_remove_tools (struct linux_guest *l, struct v2v_error **err)
{
  if (v2v_guest_get_opts (l->g)->keep_tools)
    return 0;
  if (remove_tarball (l, err) == -1 || remove_packages (l, err) == -1)
    return -1;
  /* Also after a removal: packages leave links of their own behind. */
  for (size_t i = 0; i < V2V_ARRAY_SIZE (services); ++i)
    if (linux_disable_service (l->g, services[i], WHY, err) == -1)
      return -1;
  return disable_repositories (l, err);
}
