/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the parsers of file systems' superblocks. */
#ifndef V2V_FS_INTERNAL_H
#define V2V_FS_INTERNAL_H

#include "inject/fs-probe.h"

struct fs_area {
  v2v_fs_reader *reader;
  void *arg;
  uint64_t length;
  uint64_t budget; /* bytes that may still be read */
};

/* 1 = read; 0 = not inside the area, or the budget is spent: less knowledge,
 * no error; -1 = reading failed. */
int fs_read (struct fs_area *a, void *buf, size_t len, uint64_t offset,
             struct v2v_error **err);

/* Copy LEN bytes, up to the first NUL, that are UTF-8; else leave "". */
void fs_copy_label (struct v2v_fs_state *s, const void *bytes, size_t len);
void fs_copy_uuid (struct v2v_fs_state *s, const uint8_t bytes[16]);
/* SIZE by the superblock, and whether it fits. */
void fs_set_size (struct v2v_fs_state *s, const struct fs_area *a,
                  uint64_t size);

/* Each gets the block that holds its magic, and fills S.  0 or -1. */
int fs_probe_ext (struct fs_area *a, const uint8_t sb[1024],
                  struct v2v_fs_state *s, struct v2v_error **err);
int fs_probe_ntfs (struct fs_area *a, const uint8_t boot[512],
                   struct v2v_fs_state *s, struct v2v_error **err);
int fs_probe_xfs (struct fs_area *a, const uint8_t sb[512],
                  struct v2v_fs_state *s, struct v2v_error **err);

#endif /* V2V_FS_INTERNAL_H */
