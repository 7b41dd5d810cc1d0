/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls of the ladder, where tests put others: most kernels cannot
 * show every file system.
 */
#ifndef V2V_LADDER_INTERNAL_H
#define V2V_LADDER_INTERNAL_H

#include <sys/types.h>

#include "formats/ladder.h"

struct ladder_calls {
  int (*clone) (int dst, int src); /* ioctl FICLONE */
  ssize_t (*copy_range) (int src, off_t *src_offset, int dst, off_t *dst_offset,
                         size_t len);
  long (*file_system) (int fd); /* statfs f_type, or -1 */
};
extern struct ladder_calls ladder_calls;

#endif /* V2V_LADDER_INTERNAL_H */
