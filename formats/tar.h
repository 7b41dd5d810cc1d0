/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of a tar archive, one after the other, with the exact offset of
 * each member's data: so that a disk inside an OVA is read in place.
 */
#ifndef V2V_TAR_H
#define V2V_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

struct v2v_tar_member {
  char *name;      /* without a leading "./" */
  uint64_t offset; /* of the data in the archive */
  uint64_t size;
};

struct v2v_tar {
  struct v2v_io *io; /* borrowed */
  uint64_t next;     /* offset of the next header */
};

/* Read up to the next regular file.  Returns 1 and fills MEMBER (the caller
 * frees its name), 0 at the end of the archive, -1 on failure.  Folders are
 * skipped; links, devices, sparse members and names that lead out of the
 * archive are refused.  The io is only read forwards.
 */
int v2v_tar_next (struct v2v_tar *tar, struct v2v_tar_member *ret,
                  struct v2v_error **err);

/* Does this 512-byte block have the checksum of a tar header? */
bool v2v_tar_probe (const void *block);

#endif /* V2V_TAR_H */
