/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of Windows' first boot share. */
#ifndef V2V_WINDOWS_FIRSTBOOT_H
#define V2V_WINDOWS_FIRSTBOOT_H

#include "formats/core/text.h"
#include "inject/firstboot.h"
#include "inject/firstboot/programs.h"
#include "inject/windows-internal.h"

/* Orders of our scripts; the user's are 5000 and up. */
#define WINDOWS_ORDER_NETWORK   1000
#define WINDOWS_ORDER_DISKS     2000
#define WINDOWS_ORDER_DRIVERS   3000
#define WINDOWS_ORDER_USER      5000
#define WINDOWS_ORDER_UNINSTALL 8000
#define WINDOWS_ORDER_CLEAN_UP  8010
#define WINDOWS_ORDER_TIDY      9000

/* Data of our scripts; wiped with them. */
#define WINDOWS_FIRSTBOOT_FILES V2V_FIRSTBOOT_WINDOWS "/files"

/* The program for this guest; NULL when this build has none. */
const struct v2v_firstboot_program *
windows_firstboot_program (const struct windows_guest *w);
/* True; or false, with the finding guest.firstboot.no-program about WHAT. */
bool windows_can_run_at_first_boot (struct windows_guest *w, const char *what);

/* Add the script TEXT of ours. */
int windows_add_script (struct windows_guest *w, unsigned order,
                        const char *name, const struct v2v_str *text,
                        struct v2v_error **err);
/* Data disks are put online, the SAN policy is what it was: windows-disks.c */
int windows_queue_disks (struct windows_guest *w, struct v2v_error **err);

/* TEXT as one quoted argument in a line of a batch file, where cmd sees
 * quotation marks as such (not behind an odd number of them): percent signs
 * are doubled; a quotation mark, a line end or another control character
 * cannot be quoted at all: false then.  OUT is appended to.  -1 is out of
 * memory. */
int windows_cmd_quote (struct v2v_str *out, const char *text);

#endif /* V2V_WINDOWS_FIRSTBOOT_H */
