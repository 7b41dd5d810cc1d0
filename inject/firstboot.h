/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scripts that run once, in order, when the guest first starts; as root, or as
 * LocalSystem.  Nobody logs in for them.
 */
#ifndef V2V_FIRSTBOOT_H
#define V2V_FIRSTBOOT_H

#include "inject/guest.h"

/* Where the scripts lie until the guest runs them: root's alone, and on the
 * file system that is there when the runner starts.  Not below /var, which
 * hardened guests mount without exec. */
#define V2V_FIRSTBOOT_LINUX   "/usr/lib/v2v-firstboot"
#define V2V_FIRSTBOOT_WINDOWS "/Program Files/v2v/firstboot"

/* A script longer than this is a program that should be a package. */
#define V2V_FIRSTBOOT_MAX_SCRIPT (4u << 20)

/* Put SCRIPT into the guest as "NNNN-NAME".  Linux: a shell script (or any
 * program with #!).  Windows: NAME ends in .cmd, .bat or .ps1; lines are
 * ended by CR LF here.  ORDER 0..9999: 1xxx network, 2xxx disks, 3xxx drivers,
 * 5xxx the user's own, 8xxx removal of tools, 9xxx tidying.  SECRET: contents
 * stay out of the journal.  The runner is installed by the converter's last
 * step. */
int v2v_firstboot_add (struct v2v_guest *g, unsigned order, const char *name,
                       const void *script, size_t len, bool secret,
                       struct v2v_error **err);

/* The number of scripts that wait in the guest, or -1. */
int v2v_firstboot_count (struct v2v_guest *g, struct v2v_error **err);
/* The same for the user's own file of the host: "FILE" or "FILE.cmd". */
int v2v_firstboot_add_file (struct v2v_guest *g, unsigned order,
                            const char *host_path, struct v2v_error **err);

/* Linux: install and enable the runner when there is a script.
 * firstboot-linux.c; Windows' is windows_install_firstboot. */
int v2v_firstboot_install_linux (struct v2v_guest *g, struct v2v_error **err);

#endif /* V2V_FIRSTBOOT_H */
