/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a hosted sparse extent, byte by byte: "Virtual Disk Format
 * 5.0", "Hosted Sparse Extent Header".  The footer has the same form.
 */

#include <config.h>

#include <assert.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/vmdk-format.h"

static_assert (VMDK_H_PAD + 433 == VMDK_HEADER_BYTES,
               "the header is one sector");

void
vmdk_header_decode (const uint8_t p[VMDK_HEADER_BYTES], struct vmdk_header *ret)
{
  ret->magic = v2v_le32 (p + VMDK_H_MAGIC);
  ret->version = v2v_le32 (p + VMDK_H_VERSION);
  ret->flags = v2v_le32 (p + VMDK_H_FLAGS);
  ret->capacity = v2v_le64 (p + VMDK_H_CAPACITY);
  ret->grain_size = v2v_le64 (p + VMDK_H_GRAIN_SIZE);
  ret->descriptor_offset = v2v_le64 (p + VMDK_H_DESCRIPTOR_OFFSET);
  ret->descriptor_size = v2v_le64 (p + VMDK_H_DESCRIPTOR_SIZE);
  ret->num_gtes_per_gt = v2v_le32 (p + VMDK_H_NUM_GTES);
  ret->rgd_offset = v2v_le64 (p + VMDK_H_RGD_OFFSET);
  ret->gd_offset = v2v_le64 (p + VMDK_H_GD_OFFSET);
  ret->overhead = v2v_le64 (p + VMDK_H_OVERHEAD);
  ret->unclean_shutdown = p[VMDK_H_UNCLEAN];
  memcpy (ret->newlines, p + VMDK_H_NEWLINES, sizeof ret->newlines);
  ret->compress_algorithm = v2v_le16 (p + VMDK_H_COMPRESS_ALGORITHM);
}

void
vmdk_header_encode (const struct vmdk_header *h, uint8_t p[VMDK_HEADER_BYTES])
{
  memset (p, 0, VMDK_HEADER_BYTES);
  v2v_put_le32 (p + VMDK_H_MAGIC, h->magic);
  v2v_put_le32 (p + VMDK_H_VERSION, h->version);
  v2v_put_le32 (p + VMDK_H_FLAGS, h->flags);
  v2v_put_le64 (p + VMDK_H_CAPACITY, h->capacity);
  v2v_put_le64 (p + VMDK_H_GRAIN_SIZE, h->grain_size);
  v2v_put_le64 (p + VMDK_H_DESCRIPTOR_OFFSET, h->descriptor_offset);
  v2v_put_le64 (p + VMDK_H_DESCRIPTOR_SIZE, h->descriptor_size);
  v2v_put_le32 (p + VMDK_H_NUM_GTES, h->num_gtes_per_gt);
  v2v_put_le64 (p + VMDK_H_RGD_OFFSET, h->rgd_offset);
  v2v_put_le64 (p + VMDK_H_GD_OFFSET, h->gd_offset);
  v2v_put_le64 (p + VMDK_H_OVERHEAD, h->overhead);
  p[VMDK_H_UNCLEAN] = h->unclean_shutdown;
  memcpy (p + VMDK_H_NEWLINES, VMDK_NEWLINES, 4);
  v2v_put_le16 (p + VMDK_H_COMPRESS_ALGORITHM, h->compress_algorithm);
}
