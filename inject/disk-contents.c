/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there anything on a disk?  An appliance costs many seconds: a disk
 * without a partition, file system or volume needs none.
 *
 * Offsets and magic numbers: Linux' include/linux/magic.h and the formats'
 * own headers (ext4 0x438; XFS 0; btrfs 0x10040; NTFS, ReFS, exFAT and
 * BitLocker 3; FAT 54 and 82; LVM2 label in the first four sectors; LUKS 0;
 * MD 1.x 0 and 4096; swap at the end of the first page).  MD 0.90 and 1.0 lie
 * at the end, behind a file system that begins at 0.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/stage.h"

/* btrfs' superblock at 64 KiB is the farthest. */
#define HEAD_BYTES (72u << 10)

static const struct {
  uint32_t offset;
  uint32_t length;
  const char *magic;
} signatures[] = {
  { 0, 4, "XFSB" },
  { 0, 6, "LUKS\xba\xbe" },
  { 0, 4, "\xfc\x4e\x2b\xa9" }, /* MD 1.1 */
  { 3, 8, "NTFS    " },
  { 3, 8, "-FVE-FS-" },
  { 3, 8, "EXFAT   " },
  { 3, 4, "ReFS" },
  { 54, 3, "FAT" },
  { 82, 5, "FAT32" },
  { 0x000, 8, "LABELONE" },
  { 0x200, 8, "LABELONE" },
  { 0x400, 8, "LABELONE" },
  { 0x600, 8, "LABELONE" },
  { 0x438, 2, "\x53\xef" },          /* ext2, 3, 4 */
  { 0x1000, 4, "\xfc\x4e\x2b\xa9" }, /* MD 1.2 */
  { 0xff6, 10, "SWAPSPACE2" },
  { 0x8001, 5, "CD001" },
  { 0x10034, 8, "ReIsEr2F" },
  { 0x10034, 8, "ReIsEr3F" },
  { 0x10040, 8, "_BHRfS_M" },
};

int
v2v_guest_disk_has_contents (struct v2v_image *img,
                             const struct v2v_disk_evidence *e,
                             struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (img);
  const size_t len = size < HEAD_BYTES ? (size_t) size : HEAD_BYTES;
  CLEANUP_FREE char *head = NULL;

  if (e != NULL && e->nr_partitions > 0)
    return 1;
  if (e != NULL && (e->table == V2V_TABLE_GPT || e->table == V2V_TABLE_HYBRID))
    return 0;
  /* A damaged table may be read by others. */
  if (e != NULL && e->table == V2V_TABLE_BROKEN)
    return 1;
  head = malloc (len + 1);
  if (head == NULL)
    return v2v_fail_nomem (err);
  if (len > 0 && v2v_image_read (img, head, len, 0, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (signatures); ++i)
    if (signatures[i].offset + signatures[i].length <= len &&
        memcmp (head + signatures[i].offset, signatures[i].magic,
                signatures[i].length) == 0)
      return 1;
  return 0;
}
