/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flat extents (FLAT and VMFS lines): the bytes of the disk from some offset
 * in a file.  They have no magic, and whatever they begin with, they are never
 * probed: a guest can write any image's header at the start of its disk.
 */

#include <config.h>

#include <inttypes.h>

#include "formats/core/bytes.h"
#include "formats/vmdk-internal.h"

int
vmdk_flat_open (struct vmdk_extent *e, const struct vmdk_extent_line *line,
                struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (e->io);

  if (!v2v_mul_u64 (line->offset, VMDK_SECTOR, &e->file_start) ||
      !v2v_range_inside (e->file_start, e->length, size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "extent '%s' has %" PRIu64 " bytes, the descriptor (line "
                     "%u) needs %" PRIu64 " sectors from sector %" PRIu64
                     " on: the file is truncated",
                     v2v_io_name (e->io), size, line->line, line->sectors,
                     line->offset);
  e->layout = VMDK_LAYOUT_FLAT;
  e->kind = "flat";
  return 0;
}

int
vmdk_flat_extents (struct vmdk_extent *e, uint64_t len, uint64_t offset,
                   struct v2v_extents *out, struct v2v_error **err)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  const uint64_t at = e->file_start + offset;

  if (v2v_io_extents (e->io, len, at, &list, err) == -1)
    return -1;
  /* A hole of the file is zeros of this layer: there is no parent to ask. */
  for (size_t i = 0; i < list.len; ++i)
    if (v2v_extents_append (out, e->start + offset + (list.ptr[i].offset - at),
                            list.ptr[i].length, list.ptr[i].type, 0) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

int
vmdk_flat_read (struct vmdk_extent *e, void *buf, size_t len, uint64_t offset,
                struct v2v_error **err)
{
  return v2v_io_pread (e->io, buf, len, e->file_start + offset, err);
}

int
vmdk_flat_locate (struct vmdk_extent *e, uint64_t offset, struct v2v_run *ret)
{
  *ret = (struct v2v_run){ e->io, e->file_start + offset, e->length - offset };
  return 0;
}
