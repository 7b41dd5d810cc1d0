/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the tests of fs-probe.c: memory and files that are file systems, and what
 * is seen of them. */
#ifndef FS_UTIL_H
#define FS_UTIL_H

#include <stddef.h>
#include <stdint.h>

#include "formats/image.h"
#include "inject/fs-probe.h"

#define FS_AREA (4 * 1024 * 1024)

/* Of each test: FS_AREA zero bytes, and an empty folder. */
extern uint8_t *fs_area;
extern char *fs_dir;
int fs_setup (void **state);
int fs_teardown (void **state);

struct v2v_fs_state fs_probe_image (struct v2v_image *img);
struct v2v_fs_state fs_probe_bytes (const void *bytes, size_t len);
struct v2v_fs_state fs_probe_area (void);
struct v2v_fs_state fs_probe_file (const char *path);

/* A sparse file of MIB in the test's folder; the caller frees. */
char *fs_new_file (unsigned mib);
/* Skip the test when PROGRAM is not installed. */
void fs_need (const char *program);
void fs_must_run (const char *const argv[]);
/* Change bytes of a file. */
void fs_poke (const char *path, uint64_t offset, const void *bytes, size_t len);
void fs_assert_clean (const struct v2v_fs_state *s, enum v2v_fs_kind kind,
                      const char *type);

#endif /* FS_UTIL_H */
