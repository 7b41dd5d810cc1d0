/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XFS: the superblock, and whether the log ends in an unmount record.
 *
 * Sources: "XFS Algorithms & Data Structures" (3rd edition), sections 13.1
 * (superblocks) and 14 (the journaling log: log records, cycle numbers, log
 * operations).  The log is a ring of 512-byte blocks, each of which begins
 * with the number of the pass that wrote it (its cycle), so the place of the
 * last write is found by halving.  A clean log's last record holds one
 * operation, the unmount.  Anything that is not so is dirty: a log that the
 * kernel would have to look at more closely is not one to convert.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/fs-internal.h"

#define XFS_BLOCK              512 /* of the log */
#define XFS_MIN_BLOCKLOG       9
#define XFS_MAX_BLOCKLOG       16
#define XFS_VERSION_MASK       0x000f
#define XFS_INCOMPAT_REPAIR    0x0010 /* NEEDSREPAIR */
#define XFS_RECORD_MAGIC       0xfeedbabeu
#define XFS_RECORD_CYCLES_SIZE (32 * 1024) /* data that one header covers */
#define XFS_OP_UNMOUNT         0x20
/* The longest record: 256 KiB of data behind 8 blocks of header. */
#define XFS_MAX_RECORD (512 + 8)
/* mkfs.xfs: 2 GiB less one byte. */
#define XFS_MAX_LOG_BYTES (UINT64_C (1) << 31)

struct xfs_log {
  struct fs_area *a;
  uint64_t offset;    /* bytes, in the area */
  uint32_t nr_blocks; /* of 512 */
};

/* 1 = read, 0 = not possible. */
static int
xfs_cycle (const struct xfs_log *log, uint32_t block, uint32_t *ret,
           struct v2v_error **err)
{
  uint8_t buf[XFS_BLOCK];
  const int r = fs_read (log->a, buf, sizeof buf,
                         log->offset + (uint64_t) block * XFS_BLOCK, err);

  if (r <= 0)
    return r;
  /* A record's header has its magic first, the cycle second. */
  *ret = v2v_be32 (buf);
  if (*ret == XFS_RECORD_MAGIC)
    *ret = v2v_be32 (buf + 4);
  return 1;
}

/* The first block of [1, nr) whose cycle is not FIRST; the blocks before it
 * have FIRST. */
static int
xfs_halve (const struct xfs_log *log, uint32_t first, uint32_t *ret,
           struct v2v_error **err)
{
  uint32_t low = 0, high = log->nr_blocks - 1, cycle;

  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    const int r = xfs_cycle (log, middle, &cycle, err);

    if (r <= 0)
      return r;
    if (cycle == first)
      low = middle;
    else
      high = middle;
  }
  *ret = high;
  return 1;
}

/* Where the next write would go.  *RET_HEAD = 0 and *RET_EMPTY: nothing was
 * ever written. */
static int
xfs_find_head (const struct xfs_log *log, uint32_t *ret_head, bool *ret_empty,
               struct v2v_error **err)
{
  uint32_t first, last;
  int r;

  *ret_empty = false;
  r = xfs_cycle (log, 0, &first, err);
  if (r > 0)
    r = xfs_cycle (log, log->nr_blocks - 1, &last, err);
  if (r <= 0)
    return r;
  if (first == 0) {
    *ret_empty = true;
    *ret_head = 0;
    return 1;
  }
  if (first == last) {
    /* Written to the very end in this pass. */
    *ret_head = 0;
    return 1;
  }
  return xfs_halve (log, first, ret_head, err);
}

/* Is the record at BUF[at] the unmount record that ends at the head?  N
 * blocks are in BUF, the last one just before the head. */
static bool
xfs_is_unmount (const uint8_t *buf, uint32_t at, uint32_t n)
{
  const uint8_t *h = buf + (size_t) at * XFS_BLOCK;
  const uint32_t version = v2v_be32 (h + 8), len = v2v_be32 (h + 12);
  const uint32_t size = v2v_be32 (h + 320);
  uint32_t header = 1, data;

  if (version != 1 && version != 2)
    return false;
  if (version == 2 && size > XFS_RECORD_CYCLES_SIZE)
    header = (uint32_t) v2v_div_up (size, XFS_RECORD_CYCLES_SIZE);
  data = (uint32_t) v2v_div_up (len, XFS_BLOCK);
  if (header >= XFS_MAX_RECORD || data == 0 || data >= XFS_MAX_RECORD ||
      at + header + data != n)
    return false;
  return v2v_be32 (h + 40) == 1 &&
         (buf[(size_t) (at + header) * XFS_BLOCK + 9] & XFS_OP_UNMOUNT) != 0;
}

/* *RET_CLEAN: the record before HEAD is the unmount. */
static int
xfs_check_last_record (const struct xfs_log *log, uint32_t head,
                       bool *ret_clean, struct v2v_error **err)
{
  const uint32_t n = (uint32_t) v2v_min_u64 (XFS_MAX_RECORD, log->nr_blocks);
  CLEANUP_FREE uint8_t *buf = malloc ((size_t) n * XFS_BLOCK);

  if (buf == NULL)
    return v2v_fail_nomem (err);
  /* The N blocks before HEAD, around the end of the ring, one by one: less
   * than 520. */
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t block = (head + log->nr_blocks - n + i) % log->nr_blocks;
    const int r = fs_read (log->a, buf + (size_t) i * XFS_BLOCK, XFS_BLOCK,
                           log->offset + (uint64_t) block * XFS_BLOCK, err);

    if (r <= 0)
      return r;
  }
  *ret_clean = false;
  for (uint32_t i = n; i-- > 0;)
    if (v2v_be32 (buf + (size_t) i * XFS_BLOCK) == XFS_RECORD_MAGIC) {
      *ret_clean = xfs_is_unmount (buf, i, n);
      break;
    }
  return 1;
}

static int
xfs_probe_log (const struct xfs_log *log, struct v2v_fs_state *s,
               struct v2v_error **err)
{
  bool empty = false, clean = false;
  uint32_t head = 0;
  int r = xfs_find_head (log, &head, &empty, err);

  if (r > 0 && !empty)
    r = xfs_check_last_record (log, head, &clean, err);
  if (r == -1)
    return -1;
  if (r == 0) {
    s->damaged = true;
    s->evidence = "the log is not inside the file system";
  }
  else if (!empty && !clean) {
    s->journal_dirty = true;
    s->evidence = "the log does not end in an unmount record";
  }
  return 0;
}

int
fs_probe_xfs (struct fs_area *a, const uint8_t sb[512], struct v2v_fs_state *s,
              struct v2v_error **err)
{
  const uint32_t block = v2v_be32 (sb + 4), agblocks = v2v_be32 (sb + 84);
  const uint64_t start = v2v_be64 (sb + 48), logblocks = v2v_be32 (sb + 96);
  const uint8_t blocklog = sb[120], agblklog = sb[124];
  const bool v5 = (v2v_be16 (sb + 100) & XFS_VERSION_MASK) == 5;
  struct xfs_log log = { .a = a };
  uint64_t bytes, ag, in_ag;

  s->kind = V2V_FS_XFS;
  s->type = "xfs";
  fs_copy_uuid (s, sb + 32);
  fs_copy_label (s, sb + 108, 12);
  if (blocklog < XFS_MIN_BLOCKLOG || blocklog > XFS_MAX_BLOCKLOG ||
      block != UINT32_C (1) << blocklog || agblklog == 0 || agblklog > 31 ||
      agblocks > UINT32_C (1) << agblklog ||
      logblocks > XFS_MAX_LOG_BYTES / block ||
      !v2v_mul_u64 (v2v_be64 (sb + 8), block, &bytes)) {
    s->damaged = true;
    s->evidence = "the superblock makes no sense";
    return 0;
  }
  fs_set_size (s, a, bytes);
  if (v2v_mul_u64 (v2v_be64 (sb + 144), block, &bytes))
    s->free_bytes = bytes;
  if (v5 && (v2v_be32 (sb + 216) & XFS_INCOMPAT_REPAIR) != 0) {
    s->damaged = true;
    s->evidence = "the superblock says that it needs a repair";
  }
  if (start == 0) {
    s->external_journal = true;
    return 0;
  }
  /* A block number is the allocation group and the block in it. */
  ag = start >> agblklog;
  in_ag = start & ((UINT64_C (1) << agblklog) - 1);
  log.nr_blocks = (uint32_t) (logblocks * block / XFS_BLOCK);
  if (log.nr_blocks < 2 || !v2v_mul_u64 (ag, agblocks, &log.offset) ||
      !v2v_add_u64 (log.offset, in_ag, &log.offset) ||
      !v2v_mul_u64 (log.offset, block, &log.offset) ||
      !v2v_range_inside (log.offset, logblocks * block, a->length)) {
    s->damaged = true;
    s->evidence = "the log is not inside the file system";
    return 0;
  }
  return xfs_probe_log (&log, s, err);
}
