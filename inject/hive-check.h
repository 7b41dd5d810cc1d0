/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is a registry hive whole, so that libhivex may read or change it? */
#ifndef V2V_HIVE_CHECK_H
#define V2V_HIVE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"

/* DATA (LEN bytes) passed hive_check_whole: it is clean and its bins follow
 * each other.  Now every cell, and every record that can be reached from the
 * root.  NAME is for messages.
 *
 * WRITING: every key, value, list, data, class name and security record is in
 * a cell of its own, large enough for what it says it holds, with the right
 * parent, and counted rightly.  libhivex relies on all of that when it changes
 * a hive, and ends the program where it is not so.
 *
 * Else only what libhivex does not look at itself before it reads; a guest
 * with a damaged corner can still be looked at.
 *
 * V2V_ERR_GUEST: which record at which offset of the file, what it says, and
 * what would be right.  Time grows with LEN, and memory with a fifth of it.
 */
int hive_check_records (const void *data, size_t len, const char *name,
                        bool writing, struct v2v_error **err);

#endif /* V2V_HIVE_CHECK_H */
