/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVA files: a tar, or a tar inside gzip, xz, bzip2 or zstd, or a zip. */
#ifndef V2V_OVA_H
#define V2V_OVA_H

#include <stdbool.h>

#include "formats/core/error.h"
#include "formats/core/io.h"
#include "formats/package.h"

/* Is HEAD (the first LEN bytes of a file, at least 512) a tar or one of the
 * wrappers?
 */
bool v2v_ova_probe (const void *head, size_t len, bool *ret_wrapped);

/* Open the archive.  A wrapped one goes through a temporary file, and
 * *RET_SPOOLED says so.
 */
struct v2v_package *v2v_ova_open (struct v2v_io *io, bool *ret_spooled,
                                  struct v2v_error **err);

#endif /* V2V_OVA_H */
