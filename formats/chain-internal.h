/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between chain.c, chain-merge.c and chain-rewrite.c. */
#ifndef V2V_CHAIN_INTERNAL_H
#define V2V_CHAIN_INTERNAL_H

#include "formats/chain.h"

void chain_cleanup_image (struct v2v_image **img);
#define CLEANUP_IMAGE __attribute__ ((cleanup (chain_cleanup_image)))

/* Take the file of IMG for ourselves until it is closed; USAGE if another run
 * has it. */
int chain_lock (struct v2v_image *img, struct v2v_error **err);
/* The path of the file of IMG; V2V_ERR_USAGE if it has none. */
const char *chain_path (const struct v2v_image *img, struct v2v_error **err);
/* Only VHD and VHDX. */
int chain_check_format (const struct v2v_image *img, struct v2v_error **err);
/* Length and blocks of PATH. */
int chain_measure (const char *path, uint64_t *ret_file,
                   uint64_t *ret_allocated, struct v2v_error **err);
/* PATH without links, so that a rename replaces the file and not a link to it;
 * as it is when there is no such file.  The caller frees. */
char *chain_real_path (const char *path, struct v2v_error **err);
/* Sync the folder that PATH is in. */
int chain_sync_folder (const char *path, struct v2v_error **err);

#endif /* V2V_CHAIN_INTERNAL_H */
