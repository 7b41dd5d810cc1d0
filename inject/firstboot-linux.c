/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner of first-boot scripts on Linux (firstboot-linux.sh), enabled in
 * whatever starts the guest: systemd, SysV links (also of upstart and
 * insserv) or OpenRC's local service.
 *
 * Below /usr, not /var: hardened guests mount /var without exec.  The unit
 * runs the script by /bin/sh, so that SELinux finds a shell's label at its
 * entry whatever the script's own label is.
 *
 * Source: systemd.unit(5), systemd.service(5); LSB 3.1 "Comment Conventions
 * for Init Scripts"; OpenRC's /etc/local.d/README.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/firstboot.h"
#include "inject/linux-edit.h"
#include "inject/linux-internal.h"

static const char runner[] =
#include "inject/firstboot-linux.inc"
    ;

/* The network is waited for, since most scripts fetch something; a service
 * of one shot has no limit of time by default. */
static const char unit[] =
    "[Unit]\n"
    "Description=Scripts of v2v for the first start\n"
    "After=local-fs.target network-online.target\n"
    "Wants=network-online.target\n"
    "ConditionPathExists=/usr/lib/v2v-firstboot/scripts\n"
    "\n"
    "[Service]\n"
    "Type=oneshot\n"
    "ExecStart=/bin/sh /usr/sbin/v2v-firstboot\n"
    "\n"
    "[Install]\n"
    "WantedBy=multi-user.target\n";

static const char init_script[] =
    "#!/bin/sh\n"
    "# chkconfig: 2345 99 01\n"
    "# description: scripts of v2v for the first start\n"
    "### BEGIN INIT INFO\n"
    "# Provides:          v2v-firstboot\n"
    "# Required-Start:    $all\n"
    "# Required-Stop:\n"
    "# Default-Start:     2 3 4 5\n"
    "# Default-Stop:\n"
    "# Short-Description: scripts of v2v for the first start\n"
    "### END INIT INFO\n"
    "[ \"$1\" = start ] || exit 0\n"
    "exec /bin/sh /usr/sbin/v2v-firstboot\n";

static const char local_script[] = "#!/bin/sh\n"
                                   "exec /bin/sh /usr/sbin/v2v-firstboot\n";

/* The numbers of the user's own scripts; 8xxx are ours again. */
#define FIRST_OF_USER 5000
#define MAX_OF_USER   1000

#define WHY "runs the scripts of the first start"

static int
enable_systemd (struct v2v_guest *g, struct v2v_error **err)
{
  const char *wants = "/etc/systemd/system/multi-user.target.wants";
  CLEANUP_FREE char *link = NULL;

  if (asprintf (&link, "%s/v2v-firstboot.service", wants) == -1) {
    link = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_guest_mkdir (g, wants, 0, err) == -1 ||
      v2v_guest_write_text (g, "/etc/systemd/system/v2v-firstboot.service",
                            unit, 0644, WHY, err) == -1 ||
      v2v_guest_symlink (g, "../v2v-firstboot.service", link, WHY, err) == -1)
    return -1;
  return 1;
}

/* 1 = enabled, 0 = this guest has no such links. */
static int
enable_sysv (struct v2v_guest *g, struct v2v_error **err)
{
  int done = 0;

  if (!v2v_guest_is_dir (g, "/etc/init.d"))
    return 0;
  for (const char *level = "2345"; *level != '\0'; ++level) {
    CLEANUP_FREE char *folder = NULL, *link = NULL, *target = NULL;
    struct v2v_error *e = NULL;
    const char *init;

    folder = linux_rc_folder (g, *level, &init, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    if (folder == NULL)
      continue;
    if (asprintf (&link, "%s/S99v2v-firstboot", folder) == -1)
      link = NULL;
    if (asprintf (&target, "%sv2v-firstboot", init) == -1)
      target = NULL;
    if (link == NULL || target == NULL)
      return v2v_fail_nomem (err);
    if (v2v_guest_symlink (g, target, link, WHY, err) == -1)
      return -1;
    done = 1;
  }
  if (done && v2v_guest_write_text (g, "/etc/init.d/v2v-firstboot", init_script,
                                    0755, WHY, err) == -1)
    return -1;
  return done;
}

static int
enable_openrc (struct v2v_guest *g, struct v2v_error **err)
{
  if (!v2v_guest_is_dir (g, "/etc/runlevels/default"))
    return 0;
  if (v2v_guest_mkdir (g, "/etc/local.d", 0, err) == -1 ||
      v2v_guest_write_text (g, "/etc/local.d/v2v-firstboot.start", local_script,
                            0755, WHY, err) == -1)
    return -1;
  if (v2v_guest_lstat (g, "/etc/runlevels/default/local", NULL, NULL) != 1 &&
      (v2v_guest_write_text (g, "/usr/lib/v2v-firstboot/local-was-off", "",
                             0600, WHY, err) == -1 ||
       v2v_guest_symlink (g, "/etc/init.d/local",
                          "/etc/runlevels/default/local", WHY, err) == -1))
    return -1;
  return 1;
}

int
v2v_firstboot_install_linux (struct v2v_guest *g, struct v2v_error **err)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  int r = v2v_firstboot_count (g, err);

  if (r <= 0)
    return r;
  if (v2v_guest_mkdir (g, "/usr/sbin", 0, err) == -1 ||
      v2v_guest_write_text (g, "/usr/sbin/v2v-firstboot", runner, 0755, WHY,
                            err) == -1)
    return -1;
  r = linux_has_systemd (g) ? enable_systemd (g, err) : enable_openrc (g, err);
  if (r == 0)
    r = enable_sysv (g, err);
  if (r == 0)
    r = linux_finding (
        &l, V2V_WARNING, "guest.firstboot.no-init", NULL,
        "run /usr/sbin/v2v-firstboot in the guest by hand", err,
        "nothing that starts services is known in this guest: "
        "the scripts for the first start are in it, but not run");
  return r == -1 ? -1 : 0;
}

/* The user's scripts, in their order, behind what other steps have queued. */
int
linux_queue_firstboot (struct linux_guest *l, struct v2v_error **err)
{
  const char *const *files = v2v_guest_get_opts (l->g)->firstboot;

  for (unsigned i = 0; files != NULL && files[i] != NULL; ++i) {
    if (i == MAX_OF_USER)
      return v2v_fail (err, V2V_ERR_USAGE, "more than %d first-boot scripts",
                       MAX_OF_USER);
    if (v2v_firstboot_add_file (l->g, FIRST_OF_USER + i, files[i], err) == -1)
      return -1;
  }
  return v2v_firstboot_install_linux (l->g, err);
}
