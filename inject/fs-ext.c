/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ext2, ext3 and ext4: the superblock.
 *
 * Source: Linux, Documentation/filesystems/ext4/super.rst; which of the three
 * it is as blkid decides (by the features that each driver knew).  Left out:
 * the journal itself: the superblock's flag says whether it must be replayed.
 */

#include <config.h>

#include "formats/core/bytes.h"
#include "inject/fs-internal.h"

#define EXT_STATE_VALID          0x0001
#define EXT_STATE_ERRORS         0x0002
#define EXT_COMPAT_JOURNAL       0x0004
#define EXT_INCOMPAT_FILETYPE    0x0002
#define EXT_INCOMPAT_RECOVER     0x0004
#define EXT_INCOMPAT_JOURNAL_DEV 0x0008
#define EXT_INCOMPAT_META_BG     0x0010
#define EXT_INCOMPAT_64BIT       0x0080
#define EXT_ROCOMPAT_OF_EXT3     0x0007u /* sparse_super large_file btree_dir */
#define EXT_MAX_LOG_BLOCK        6       /* 64 KiB */

static const char *
ext_type (uint32_t compat, uint32_t incompat, uint32_t rocompat)
{
  const uint32_t of_ext3 =
      EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER | EXT_INCOMPAT_META_BG;

  if (incompat & EXT_INCOMPAT_JOURNAL_DEV)
    return "jbd";
  if ((incompat & ~of_ext3) != 0 || (rocompat & ~EXT_ROCOMPAT_OF_EXT3) != 0)
    return "ext4";
  return compat & EXT_COMPAT_JOURNAL ? "ext3" : "ext2";
}

int
fs_probe_ext (struct fs_area *a, const uint8_t sb[1024], struct v2v_fs_state *s,
              struct v2v_error **err)
{
  const uint32_t log = v2v_le32 (sb + 0x18);
  const uint16_t state = v2v_le16 (sb + 0x3a);
  const uint32_t compat = v2v_le32 (sb + 0x5c);
  const uint32_t incompat = v2v_le32 (sb + 0x60);
  uint64_t blocks = v2v_le32 (sb + 4), unused = v2v_le32 (sb + 0xc), bytes;

  (void) err;
  s->kind = V2V_FS_EXT;
  s->type = ext_type (compat, incompat, v2v_le32 (sb + 0x64));
  fs_copy_uuid (s, sb + 0x68);
  fs_copy_label (s, sb + 0x78, 16);
  if (incompat & EXT_INCOMPAT_64BIT) {
    blocks |= (uint64_t) v2v_le32 (sb + 0x150) << 32;
    unused |= (uint64_t) v2v_le32 (sb + 0x158) << 32;
  }
  if (log > EXT_MAX_LOG_BLOCK || unused > blocks ||
      !v2v_mul_u64 (blocks, UINT64_C (1024) << log, &bytes)) {
    s->damaged = true;
    s->evidence = "the superblock makes no sense";
    return 0;
  }
  fs_set_size (s, a, bytes);
  s->free_bytes = unused << (10 + log);
  s->free_inodes = v2v_le32 (sb + 0x10);
  if (state & EXT_STATE_ERRORS) {
    s->damaged = true;
    s->evidence = "the superblock says that errors were found";
  }
  if (incompat & EXT_INCOMPAT_RECOVER) {
    s->journal_dirty = true;
    s->evidence = "the flag needs_recovery is set";
  }
  else if (!(compat & EXT_COMPAT_JOURNAL) && !(state & EXT_STATE_VALID) &&
           !(incompat & EXT_INCOMPAT_JOURNAL_DEV)) {
    s->journal_dirty = true;
    s->evidence = "it was not unmounted, and has no journal";
  }
  return 0;
}
