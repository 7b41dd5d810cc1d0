/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of what other programs this host has: nbdkit with our plugin, QEMU,
 * and what libguestfs builds its appliance of.
 *
 * Sources: guestfs(3) "LIBGUESTFS_PATH" and "FIXED APPLIANCE"; supermin(1)
 * (the kernel is one of /boot that can be read and has modules, or
 * SUPERMIN_KERNEL); libguestfs' supermin.d/packages* list what the appliance
 * is made of.
 */

#include <config.h>

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/host-try.h"
#include "convert/host-checks.h"

/* nbdkit answers in milliseconds. */
#define PLUGIN_SECONDS 10
/* A package list of an appliance has some hundred lines. */
#define MAX_PACKAGE_LIST (1 << 20)

extern char **environ;

/* NAME on the PATH, or where administrators' programs are; NULL = not there.
 * The caller frees. */
static char *
find_program (const char *name)
{
  const char *path = getenv ("PATH");
  CLEANUP_STR struct v2v_str all = V2V_STR_INIT;

  if (v2v_str_printf (&all, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin") ==
      -1)
    return NULL;
  for (const char *p = all.ptr; *p != '\0';) {
    const size_t len = strcspn (p, ":");
    char *file;

    if (asprintf (&file, "%.*s/%s", (int) len, p, name) == -1)
      return NULL;
    if (len > 0 && access (file, X_OK) == 0)
      return file;
    free (file);
    p += len + (p[len] == ':');
  }
  return NULL;
}

static int
check_program (struct host_report *r, const char *name, const char *package,
               struct v2v_error **err)
{
  CLEANUP_FREE char *file = find_program (name);
  char remedy[128];

  if (file != NULL)
    return host_add (r, name, HOST_OK, NULL, err, "%s", file);
  snprintf (remedy, sizeof remedy, "install the package %s", package);
  return host_add (r, name, HOST_MISSING, remedy, err,
                   "the program %s is not there", name);
}

/* ---- the plugin ---- */

/* Wait for PID, at most PLUGIN_SECONDS; its exit status, or -1. */
static int
wait_limited (pid_t pid)
{
  const struct timespec tick = { 0, 20 * 1000 * 1000 };

  for (unsigned i = 0; i < PLUGIN_SECONDS * 50; ++i) {
    int status;
    const pid_t got = waitpid (pid, &status, WNOHANG);

    if (got == pid)
      return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
    if (got == -1 && errno != EINTR)
      return -1;
    nanosleep (&tick, NULL);
  }
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  return -1;
}

static int
check_plugin (struct host_report *r, struct v2v_error **err)
{
  const char *env = getenv ("V2V_NBDKIT_PLUGIN");
  const char *name = env != NULL && *env != '\0' ? env : "v2v";
  CLEANUP_FREE char *nbdkit = find_program ("nbdkit");
  char dump[] = "--dump-plugin";
  CLEANUP_FREE char *plugin = strdup (name);
  char *argv[] = { nbdkit, dump, plugin, NULL };
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int e;

  if (nbdkit == NULL)
    return 0; /* said so already */
  if (plugin == NULL || posix_spawn_file_actions_init (&actions) != 0)
    return v2v_fail_nomem (err);
  e = posix_spawn_file_actions_addopen (&actions, 1, "/dev/null", O_WRONLY, 0);
  if (e == 0)
    e = posix_spawn_file_actions_addopen (&actions, 2, "/dev/null", O_WRONLY,
                                          0);
  if (e == 0)
    e = posix_spawn (&pid, nbdkit, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy (&actions);
  if (e != 0) {
    errno = e;
    return v2v_fail_errno (err, "%s", nbdkit);
  }
  if (wait_limited (pid) == 0)
    return host_add (r, "nbdkit-plugin", HOST_OK, NULL, err,
                     "nbdkit loads the plugin %s", name);
  return host_add (r, "nbdkit-plugin", HOST_MISSING,
                   "install nbdkit before v2v is built, or let "
                   "V2V_NBDKIT_PLUGIN name the plugin's file",
                   err, "nbdkit does not load the plugin %s", name);
}

static int
check_qemu (struct host_report *r, struct v2v_error **err)
{
  static const char *const names[] = { "qemu-system-x86_64", "qemu-kvm" };
  const char *env = getenv ("LIBGUESTFS_HV");

  if (env != NULL && *env != '\0')
    return host_add (
        r, "qemu-system", access (env, X_OK) == 0 ? HOST_OK : HOST_MISSING,
        access (env, X_OK) == 0 ? NULL : "let LIBGUESTFS_HV name a program",
        err, "LIBGUESTFS_HV names %s", env);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    CLEANUP_FREE char *file = find_program (names[i]);

    if (file != NULL)
      return host_add (r, "qemu-system", HOST_OK, NULL, err, "%s", file);
  }
  /* RHEL keeps it out of the way. */
  if (access ("/usr/libexec/qemu-kvm", X_OK) == 0)
    return host_add (r, "qemu-system", HOST_OK, NULL, err,
                     "/usr/libexec/qemu-kvm");
  return host_add (r, "qemu-system", HOST_MISSING,
                   "install the package qemu-system-x86 (qemu-kvm)", err,
                   "the program qemu-system-x86_64 is not there");
}

int
host_check_programs (struct host_report *r, struct v2v_error **err)
{
  if (check_program (r, "nbdkit", "nbdkit", err) == -1 ||
      check_plugin (r, err) == -1 ||
      check_program (r, "qemu-img", "qemu-utils (qemu-img)", err) == -1 ||
      check_program (r, "qemu-nbd", "qemu-utils (qemu-img)", err) == -1)
    return -1;
  return check_qemu (r, err);
}

/* ---- libguestfs' appliance ---- */

/* The first of a colon-separated PATHS, or of the usual places, that has
 * WHAT; the caller frees. */
static char *
find_in_places (const char *paths, const char *what)
{
  char *file;

  for (const char *p = paths; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, ":");

    if (asprintf (&file, "%.*s/%s", (int) len, p, what) == -1)
      return NULL;
    if (access (file, R_OK) == 0)
      return file;
    free (file);
    p += len + (p[len] == ':');
  }
  if (paths == NULL) {
    static const char *const places[] = { "/usr/lib/*/guestfs",
                                          "/usr/lib64/guestfs",
                                          "/usr/lib/guestfs",
                                          "/usr/local/lib/guestfs" };

    for (size_t i = 0; i < V2V_ARRAY_SIZE (places); ++i) {
      glob_t found = { .gl_pathc = 0 };
      char pattern[128], *copy = NULL;

      snprintf (pattern, sizeof pattern, "%s/%s", places[i], what);
      if (glob (pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        copy = strdup (found.gl_pathv[0]);
      globfree (&found);
      if (copy != NULL)
        return copy;
    }
  }
  return NULL;
}

/* Is WORD a line of one of FOLDER/packages*? */
static bool
lists_package (const char *folder, const char *word)
{
  char pattern[512], line[256];
  glob_t found = { .gl_pathc = 0 };
  bool yes = false;

  if (snprintf (pattern, sizeof pattern, "%s/*packages*", folder) >=
          (int) sizeof pattern ||
      glob (pattern, 0, NULL, &found) != 0)
    return false;
  for (size_t i = 0; i < found.gl_pathc && !yes; ++i) {
    CLEANUP_FCLOSE FILE *fp = fopen (found.gl_pathv[i], "re");
    size_t read = 0;

    while (fp != NULL && !yes && read < MAX_PACKAGE_LIST &&
           fgets (line, sizeof line, fp) != NULL) {
      read += strlen (line);
      line[strcspn (line, "\r\n")] = '\0';
      yes = strcmp (line, word) == 0;
    }
  }
  globfree (&found);
  return yes;
}

static int
check_file_systems (struct host_report *r, const char *supermin_d,
                    struct v2v_error **err)
{
  static const struct {
    const char *name, *package, *remedy, *what;
  } rows[] = {
    { "appliance-ntfs", "ntfs-3g", "install the package ntfs-3g",
      "NTFS (Windows)" },
    { "appliance-xfs", "xfsprogs", "install the package libguestfs-xfs",
      "XFS (RHEL, Fedora)" },
    { "appliance-btrfs", "btrfs-progs", "install the package btrfs-progs",
      "btrfs (SUSE, Fedora)" },
    { "appliance-lvm", "lvm2", "install the package lvm2", "LVM" },
    { "appliance-luks", "cryptsetup", "install the package cryptsetup",
      "LUKS and BitLocker" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const bool is = lists_package (supermin_d, rows[i].package) ||
                    (strcmp (rows[i].package, "cryptsetup") == 0 &&
                     lists_package (supermin_d, "cryptsetup-bin")) ||
                    (strcmp (rows[i].package, "btrfs-progs") == 0 &&
                     lists_package (supermin_d, "btrfsprogs"));

    if (host_add (r, rows[i].name, is ? HOST_OK : HOST_WARNING,
                  is ? NULL : rows[i].remedy, err,
                  is ? "the appliance has %s" : "the appliance has no %s",
                  rows[i].what) == -1)
      return -1;
  }
  return 0;
}

/* A kernel of the host that the appliance can be started with. */
static int
check_kernel (struct host_report *r, struct v2v_error **err)
{
  const char *env = getenv ("SUPERMIN_KERNEL");
  glob_t found = { .gl_pathc = 0 };
  const char *unreadable = NULL;
  int result = -1;

  if (env != NULL && *env != '\0')
    return host_add (r, "kernel",
                     access (env, R_OK) == 0 ? HOST_OK : HOST_MISSING,
                     access (env, R_OK) == 0
                         ? NULL
                         : "let SUPERMIN_KERNEL name a kernel that can be read",
                     err, "SUPERMIN_KERNEL names %s", env);
  glob ("/boot/vmlinuz-*", 0, NULL, &found);
  glob ("/lib/modules/*/vmlinuz", GLOB_APPEND, NULL, &found);
  for (size_t i = 0; i < found.gl_pathc; ++i) {
    if (access (found.gl_pathv[i], R_OK) == 0) {
      result =
          host_add (r, "kernel", HOST_OK, NULL, err, "%s", found.gl_pathv[i]);
      globfree (&found);
      return result;
    }
    unreadable = found.gl_pathv[i];
  }
  if (unreadable != NULL)
    result =
        host_add (r, "kernel", HOST_MISSING,
                  "as root: 'chmod 0644 /boot/vmlinuz-*' (dpkg-statoverride "
                  "keeps it so)",
                  err, "%s may not be read", unreadable);
  else
    result = host_add (r, "kernel", HOST_MISSING,
                       "install a kernel (linux-image-amd64, kernel-core), or "
                       "let SUPERMIN_KERNEL name one",
                       err, "there is no kernel in /boot");
  globfree (&found);
  return result;
}

int
host_check_appliance (struct host_report *r, struct v2v_error **err)
{
  const char *env = getenv ("LIBGUESTFS_PATH");
  const char *paths = env != NULL && *env != '\0' ? env : NULL;
  CLEANUP_FREE char *folder = find_in_places (paths, "supermin.d");
  CLEANUP_FREE char *fixed = NULL;

  if (folder == NULL &&
      (fixed = find_in_places (paths, "README.fixed")) != NULL)
    return host_add (r, "appliance", HOST_OK, NULL, err,
                     "a fixed appliance: %s", fixed);
  if (folder == NULL)
    return host_add (r, "appliance", HOST_MISSING,
                     "install libguestfs (libguestfs0, libguestfs-appliance), "
                     "or let LIBGUESTFS_PATH name a folder with an appliance",
                     err, "libguestfs' appliance is not there%s%s",
                     paths ? ": LIBGUESTFS_PATH is " : "", paths ? paths : "");
  if (host_add (r, "appliance", HOST_OK, NULL, err, "%s", folder) == -1 ||
      check_program (r, "supermin", "supermin", err) == -1 ||
      check_kernel (r, err) == -1)
    return -1;
  return check_file_systems (r, folder, err);
}

/* ---- a real start ---- */

int
host_check_start (struct host_report *r, const atomic_bool *cancel,
                  struct v2v_error **err)
{
  struct v2v_error *trouble = NULL;
  struct v2v_host_trial t;
  int result;

  if (v2v_host_try_appliance (cancel, &t, &trouble) == -1) {
    if (v2v_error_code (trouble) == V2V_ERR_INTERRUPTED)
      return v2v_error_move (err, trouble);
    result = host_add (r, "start", HOST_MISSING, v2v_error_hint (trouble), err,
                       "%s", v2v_error_message (trouble));
    v2v_error_free (trouble);
    return result;
  }
  if (host_add (r, "start", t.kvm ? HOST_OK : HOST_WARNING,
                t.fallback ? "have /dev/kvm repaired; LIBGUESTFS_BACKEND_"
                             "SETTINGS=force_tcg saves the wait"
                           : NULL,
                err, "the appliance answers after %.0f seconds%s", t.seconds,
                t.kvm        ? " (KVM)"
                : t.fallback ? "; KVM was tried and did not answer"
                             : " (software emulation)") == -1)
    return -1;
  return host_add (
      r, "start-features", t.ntfs && t.xfs && t.lvm ? HOST_OK : HOST_WARNING,
      t.ntfs && t.xfs && t.lvm ? NULL
                               : "install ntfs-3g, libguestfs-xfs and lvm2",
      err,
      "NTFS %s, XFS %s, btrfs %s, LVM %s, LUKS %s, SELinux "
      "labels %s",
      t.ntfs ? "yes" : "no", t.xfs ? "yes" : "no", t.btrfs ? "yes" : "no",
      t.lvm ? "yes" : "no", t.luks ? "yes" : "no", t.selinux ? "yes" : "no");
}
