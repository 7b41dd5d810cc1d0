/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the option parser needs of main; private to the program. */
#ifndef V2V_MAIN_H
#define V2V_MAIN_H

#include "formats/core/error.h"

/* Print debug lines that begin with AREA and ":" or "."; "" = all. */
int cmd_debug_area (const char *area, struct v2v_error **err);

/* NULL-terminated, in alphabetical order. */
extern const struct v2v_command *const cmd_table[];

#endif /* V2V_MAIN_H */
