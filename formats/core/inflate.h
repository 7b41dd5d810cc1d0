/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zlib (RFC 1950) whole-buffer compression: libdeflate is behind this.
 * Contexts are pooled inside; all functions are thread-safe.
 */
#ifndef V2V_INFLATE_H
#define V2V_INFLATE_H

#include <stddef.h>

#include "formats/core/error.h"

/* Decompress the zlib stream at the start of IN (it may be followed by
 * padding) into OUT, at most OUT_LEN bytes; the actual length goes to
 * *RET_LEN, the compressed length used to *RET_USED (may be NULL).  Corrupt
 * data, a bad Adler-32 or more than OUT_LEN bytes: V2V_ERR_FORMAT.
 */
int v2v_inflate (const void *in, size_t in_len, void *out, size_t out_len,
                 size_t *ret_len, size_t *ret_used, struct v2v_error **err);

/* Compress at LEVEL 1..12 into OUT; the length goes to *RET_LEN.  OUT must
 * have v2v_deflate_bound (len) bytes.
 */
size_t v2v_deflate_bound (size_t len);
int v2v_deflate (const void *in, size_t len, int level, void *out,
                 size_t out_len, size_t *ret_len, struct v2v_error **err);

#endif /* V2V_INFLATE_H */
