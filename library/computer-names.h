/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of computer names: "web-##" is web-01, web-02 ... web-99.
 *
 * A pattern has at most one run of '#', which is the counter with so many
 * digits; without one it is a name that only one machine can have.  "*" lets
 * Windows make one up.
 */
#ifndef V2V_COMPUTER_NAMES_H
#define V2V_COMPUTER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"

/* A million machines of one name: more digits serve nobody, and the set of
 * numbers in use is kept as bits. */
#define V2V_COMPUTER_NAME_MAX_DIGITS 6

/* NULL = fine, else what was expected.  WINDOWS: the part before the first
 * '.' has up to 15 characters and is not digits alone. */
const char *v2v_computer_name_check (const char *pattern, bool windows);

/* The first name of PATTERN that is not in TAKEN (NULL-terminated, or NULL for
 * none; compared without regard to case, with and without a domain).  Counters
 * begin at 1.  The same arguments give the same name: who allocates names for
 * several deployments at once holds a lock, or a row, around it.
 * V2V_ERR_USAGE when the pattern is malformed or all of its names are
 * taken. */
int v2v_computer_name_next (const char *pattern, const char *const *taken,
                            bool windows, char **ret, struct v2v_error **err);

#endif /* V2V_COMPUTER_NAMES_H */
