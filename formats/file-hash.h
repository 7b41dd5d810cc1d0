/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The digest of a whole file, on a thread of its own beside a copy: an OVF
 * manifest's SHA-1, SHA-256 or SHA-512 costs no second pass over the disk
 * drive, as the bytes come from the page cache for one of the two readers.
 *
 *   h = v2v_file_hasher_start (io, "sha256", cancel, &err);
 *   ... v2v_copy of the image inside the same io ...
 *   if (v2v_file_hasher_join (h, digest, &len, &err) == -1)
 */
#ifndef V2V_FILE_HASH_H
#define V2V_FILE_HASH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/digest.h"
#include "formats/core/error.h"
#include "formats/core/io.h"

struct v2v_file_hasher;

/* Start hashing all of IO (a reference is taken; not a forward-only one) with
 * "sha1", "sha256" or "sha512".  CANCEL may be NULL; it is borrowed until join
 * or free.  Returns NULL and sets ERR on failure.
 */
struct v2v_file_hasher *v2v_file_hasher_start (struct v2v_io *io,
                                               const char *algorithm,
                                               const atomic_bool *cancel,
                                               struct v2v_error **err);

/* Wait for the end and free H, also on failure.  *RET_LEN bytes of OUT are
 * set on success.  V2V_ERR_INTERRUPTED when cancelled.
 */
int v2v_file_hasher_join (struct v2v_file_hasher *h,
                          uint8_t out[V2V_DIGEST_MAX_SIZE], size_t *ret_len,
                          struct v2v_error **err);

/* Bytes hashed so far, for progress. */
uint64_t v2v_file_hasher_done (const struct v2v_file_hasher *h);

/* Stop soon, wait and free; accepts NULL. */
void v2v_file_hasher_free (struct v2v_file_hasher *h);

/* The same in the caller's thread. */
int v2v_file_hash (struct v2v_io *io, const char *algorithm,
                   const atomic_bool *cancel, uint8_t out[V2V_DIGEST_MAX_SIZE],
                   size_t *ret_len, struct v2v_error **err);

#endif /* V2V_FILE_HASH_H */
