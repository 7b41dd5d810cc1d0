/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A temporary file without a name, for what cannot be read in place: written
 * once from start to end, then read at random.  It is in $TMPDIR (or
 * /var/tmp) and vanishes with the last reference, also when the program is
 * killed.
 */
#ifndef V2V_SPOOL_H
#define V2V_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

struct v2v_spool;

/* NAME is for messages.  More than MAX_BYTES is V2V_ERR_FORMAT. */
struct v2v_spool *v2v_spool_new (const char *name, uint64_t max_bytes,
                                 struct v2v_error **err);
/* Append; runs of zeros become holes. */
int v2v_spool_write (struct v2v_spool *s, const void *buf, size_t len,
                     struct v2v_error **err);
uint64_t v2v_spool_size (const struct v2v_spool *s);
/* No more writing: the contents as an io.  Frees S, also on failure. */
struct v2v_io *v2v_spool_finish (struct v2v_spool *s, struct v2v_error **err);
void v2v_spool_free (struct v2v_spool *s); /* accepts NULL */

#endif /* V2V_SPOOL_H */
