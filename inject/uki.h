/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unified kernel images: PE files whose sections hold a kernel, its initramfs,
 * its command line and its version. */
#ifndef V2V_UKI_H
#define V2V_UKI_H

#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

/* A command line has 4 KiB at most, os-release some hundred bytes. */
#define V2V_UKI_MAX_TEXT (64u << 10)

/* Where the section NAME (".initrd") is in IO.  1 = *RET_OFFSET and *RET_LEN
 * are written, and lie inside of IO; 0 = there is no such section; -1 with
 * V2V_ERR_FORMAT when IO is no PE file. */
int v2v_uki_find_section (struct v2v_io *io, const char *name,
                          uint64_t *ret_offset, uint64_t *ret_len,
                          struct v2v_error **err);
/* The text of a section up to a NUL, without the white space at its end; NULL
 * with ERR unset when there is none.  The caller frees. */
char *v2v_uki_read_text (struct v2v_io *io, const char *name,
                         struct v2v_error **err);
/* 1 = it carries a signature, 0 = it does not. */
int v2v_uki_is_signed (struct v2v_io *io, struct v2v_error **err);

#endif /* V2V_UKI_H */
