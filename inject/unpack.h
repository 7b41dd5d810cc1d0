/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compressions of an initramfs, as streams: the only place that touches
 * liblzma, libzstd, liblz4, libbz2 and (where there is one) liblzo2.
 */
#ifndef V2V_UNPACK_H
#define V2V_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"

/* A window larger than this is not unpacked: twice what any mkinitramfs
 * makes (zstd -22 --ultra has 128 MiB). */
#define V2V_UNPACK_MAX_MEMORY (256u << 20)
/* So many bytes tell the compression. */
#define V2V_UNPACK_HEAD 8

/* "gzip", "xz", "lzma", "bzip2", "zstd", "lz4", "lzo" by the first bytes;
 * "lz4-frame" (and "lzo" without its library), which can only be named; NULL
 * for anything else. */
const char *v2v_unpack_probe (const void *head, size_t len);

struct v2v_unpack;
/* For one stream of the compression NAME. */
struct v2v_unpack *v2v_unpack_new (const char *name, struct v2v_error **err);
void v2v_unpack_free (struct v2v_unpack *u); /* accepts NULL */
/* Unpack some of IN to OUT.  *RET_END: the stream has ended; what follows it
 * is not taken.  V2V_ERR_FORMAT when it is damaged.  With no more input
 * (IN_LEN 0) and nothing left to put out, *RET_LEN is 0. */
int v2v_unpack_run (struct v2v_unpack *u, const void *in, size_t in_len,
                    size_t *ret_used, void *out, size_t out_len,
                    size_t *ret_len, bool *ret_end, struct v2v_error **err);

#endif /* V2V_UNPACK_H */
