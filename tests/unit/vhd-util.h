/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD files for the tests of the writer: made, changed together with a model
 * of their content, and judged by other readers. */
#ifndef VHD_UTIL_H
#define VHD_UTIL_H

#include "test-util.h"

#define KIB 1024
#define MIB (1024 * 1024)

char *vhd_test_path_in (const char *dir, const char *name);
struct v2v_image *vhd_test_create (const char *path,
                                   const struct v2v_create_opts *opts);
void vhd_test_finish (struct v2v_image *img);
/* A range of random bytes into IMG and into MODEL. */
void vhd_test_put (struct v2v_image *img, uint8_t *model, uint64_t offset,
                   size_t len, uint32_t seed);
void vhd_test_put_zero (struct v2v_image *img, uint8_t *model, uint64_t offset,
                        size_t len);
/* Random writes and zeros, of any alignment to the sector. */
void vhd_test_scribble (struct v2v_image *img, uint8_t *model, uint64_t size,
                        unsigned n, uint32_t seed);
void vhd_test_check_content (const char *path, const uint8_t *model,
                             uint64_t size);
/* Our own check finds nothing at all. */
void vhd_test_check_clean (const char *path);
void vhd_test_check_bytes (char *file, const uint8_t *model, uint64_t size);
/* qemu-img reads the same size and bytes (not for differencing disks: it
 * cannot). */
void vhd_test_check_qemu (const char *path, const char *dir,
                          const uint8_t *model, uint64_t size);
/* 7-Zip follows chains and honours sector bitmaps. */
void vhd_test_check_7zz (const char *path, const char *dir,
                         const uint8_t *model, uint64_t size);

/* A chain of N disks of SIZE in DIR, each with a few changes; the model is the
 * content seen through the last.  Returns the last one's path.
 */
char *vhd_test_make_chain (const char *dir, unsigned n, uint64_t size,
                           uint64_t block, uint8_t *model);

#endif /* VHD_UTIL_H */
