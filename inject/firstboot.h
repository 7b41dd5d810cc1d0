/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scripts that run once, in order, when the guest first starts; as root, or as
 * LocalSystem.  Nobody logs in for them.
 */
#ifndef V2V_FIRSTBOOT_H
#define V2V_FIRSTBOOT_H

#include "inject/guest.h"

/* Put SCRIPT into the guest as "NNNN-NAME".  Linux: a shell script (or any
 * program with #!).  Windows: NAME ends in .cmd, .bat or .ps1; lines are
 * ended by CR LF here.  ORDER 0..9999: 1xxx network, 2xxx disks, 3xxx drivers,
 * 5xxx the user's own, 8xxx removal of tools, 9xxx tidying.  SECRET: contents
 * stay out of the journal.  The runner is installed by the converter's last
 * step. */
int v2v_firstboot_add (struct v2v_guest *g, unsigned order, const char *name,
                       const void *script, size_t len, bool secret,
                       struct v2v_error **err);

/* Linux: install and enable the runner when there is a script.
 * firstboot-linux.c; Windows' is windows_install_firstboot. */
int v2v_firstboot_install_linux (struct v2v_guest *g, struct v2v_error **err);

#endif /* V2V_FIRSTBOOT_H */
