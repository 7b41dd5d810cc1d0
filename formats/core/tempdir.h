/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary folders that do not stay when their owner is killed: whoever makes
 * the next one beside them removes those whose owner is gone.
 */
#ifndef V2V_TEMPDIR_H
#define V2V_TEMPDIR_H

#include "formats/core/error.h"

struct v2v_tempdir;

/* A new folder of mode 0700 in BASE; NULL: in $TMPDIR or, as that is often
 * memory, not /tmp but /var/tmp. */
struct v2v_tempdir *v2v_tempdir_new (const char *base, struct v2v_error **err);
const char *v2v_tempdir_path (const struct v2v_tempdir *t); /* borrowed */

/* The folder PATH, of others' making, goes together with T when we are killed:
 * who made it removes it else.  Best effort: it must be ours, nobody else may
 * write to it, its path is absolute; there may be several. */
void v2v_tempdir_adopt (struct v2v_tempdir *t, const char *path);

/* Remove the folder and what is in it; accepts NULL, never fails. */
void v2v_tempdir_free (struct v2v_tempdir *t);

/* Remove PATH with its contents as far as possible; no link is followed. */
void v2v_remove_tree (const char *path);

#endif /* V2V_TEMPDIR_H */
