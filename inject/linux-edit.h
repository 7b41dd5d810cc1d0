/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Editing configuration files of a guest line by line: what is not understood
 * stays as it is, byte for byte, line ends included.
 */
#ifndef V2V_LINUX_EDIT_H
#define V2V_LINUX_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/text.h"
#include "inject/linux-internal.h"

enum linux_edit { LINUX_EDIT_KEEP, LINUX_EDIT_REPLACE, LINUX_EDIT_DELETE };

/* Called with each LINE, a string without its end (LF or CR LF).  REPLACE:
 * what was put into RET takes its place.  Returns -1 when out of memory. */
typedef int (*linux_edit_fn) (void *arg, const char *line, struct v2v_str *ret);

/* Edit PATH, if it is there.  1 = changed, 0 = not.  A file that cannot be
 * edited (no text, too large) is V2V_ERR_GUEST. */
int linux_edit_file (struct v2v_guest *g, const char *path, linux_edit_fn f,
                     void *arg, const char *why, struct v2v_error **err);

/* The same for text: *RET is the new text, the caller frees; NULL when nothing
 * changed. */
int linux_edit_text (const char *text, linux_edit_fn f, void *arg, char **ret,
                     struct v2v_error **err);

/* E, from something that does not stop the guest from starting: what is wrong
 * in the guest becomes the finding guest.file.unreadable about PATH, returns
 * 0; other errors are handed on, returns -1.  Takes E over. */
int linux_tolerate (struct linux_guest *l, const char *path,
                    struct v2v_error *e, struct v2v_error **err);

/* linux_edit_file, tolerating. */
int linux_edit_or_find (struct linux_guest *l, const char *path,
                        linux_edit_fn f, void *arg, const char *why,
                        struct v2v_error **err);
/* For each file FOLDER/PATTERN. */
int linux_edit_glob (struct linux_guest *l, const char *folder,
                     const char *pattern, linux_edit_fn f, void *arg,
                     const char *why, struct v2v_error **err);

/* Is one of WORDS (ended by NULL) on the kernel's command line, wherever that is
 * written? */
bool linux_command_line_has (struct v2v_guest *g, const char *const words[]);
/* Does systemd start this guest? */
bool linux_has_systemd (struct v2v_guest *g);
/* The folder of SysV links of RUNLEVEL ("3", "S"), as the family has it, or
 * NULL with ERR unset when there is none; the caller frees.  *RET_INIT is how
 * a link there names a script of init.d: "../init.d/" or "../". */
char *linux_rc_folder (struct v2v_guest *g, char runlevel,
                       const char **ret_init, struct v2v_error **err);

/* ---- linux-services.c ---- */

/* Where the unit NAME ("x.service") is; NULL with ERR unset when it is not
 * there.  The caller frees. */
char *linux_unit_path (struct v2v_guest *g, const char *name,
                       struct v2v_error **err);
/* Take away what starts the service NAME (without ".service") of systemd,
 * SysV, upstart or OpenRC.  1 = changed. */
int linux_disable_service (struct v2v_guest *g, const char *name,
                           const char *why, struct v2v_error **err);
/* Enable the unit ("x.service") as its [Install] says, unless it is masked or
 * not there.  1 = changed. */
int linux_enable_unit (struct v2v_guest *g, const char *unit, const char *why,
                       struct v2v_error **err);

#endif /* V2V_LINUX_EDIT_H */
