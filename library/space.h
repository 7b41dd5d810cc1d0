/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there room for what will be written?  Better to say so at once than
 * after an hour.
 */
#ifndef V2V_SPACE_H
#define V2V_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/image.h"

/* An upper bound of the bytes a new file needs for SRC (zeros inside data are
 * found only when reading): all of the disk for fixed and --no-sparse, else
 * its data extents. */
int v2v_space_needed (struct v2v_image *src,
                      const struct v2v_create_opts *create, bool top_only,
                      uint64_t *ret_bytes, struct v2v_error **err);

/* Does the file system of PATH (its folder, if it does not exist yet) have
 * NEED bytes?  V2V_ERR_IO with errno ENOSPC if not. */
int v2v_space_check_bytes (const char *path, uint64_t need,
                           struct v2v_error **err);

/* May a copy of SRC to PATH share its blocks: the same file system, of a kind
 * that can? */
bool v2v_space_may_share (const char *path, struct v2v_image *src);

/* Both.  A copy that may share its blocks needs none. */
int v2v_space_check (const char *path, struct v2v_image *src,
                     const struct v2v_create_opts *create, bool top_only,
                     struct v2v_error **err);

#endif /* V2V_SPACE_H */
