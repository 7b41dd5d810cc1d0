/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip files (RFC 1952), whole: zlib's streaming inflate is behind this. */
#ifndef V2V_GZIP_H
#define V2V_GZIP_H

#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

/* Unpack IN, read once from start to end (it may be forward-only), into a
 * temporary file and return that.  Several members one after the other are
 * one file; zeros after the last are padding; anything else is refused.
 * Corrupt data, a wrong CRC or length, a truncated file and more than
 * MAX_BYTES are V2V_ERR_FORMAT.
 */
struct v2v_io *v2v_gunzip (struct v2v_io *in, uint64_t max_bytes,
                           struct v2v_error **err);

#endif /* V2V_GZIP_H */
