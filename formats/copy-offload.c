/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sharing blocks instead of copying them: FICLONERANGE (XFS, btrfs, bcachefs,
 * NFS 4.2 ...), where the source's driver can say in which file the data lies
 * and the destination's can set a place aside.
 *
 * copy_file_range is not used: on a file system without shared blocks it was
 * measured at 1.7 s where reading and writing with early write-back took
 * 0.96 s (2 GiB of data, both synced).
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/copy-internal.h"

/* So many pieces in a row that cannot be shared: the two layouts do not match
 * (a VHD keeps a bitmap of 512 bytes before each block), stop trying. */
#define MAX_MISSES 64

/* Share at most this much by one call: each is one transaction of the file
 * system, and cancelling waits for it. */
#define CLONE_MAX (64 * V2V_MIB)

#ifdef FICLONERANGE

/* A file without a name in the folder of PATH. */
static int
nameless_file_beside (const char *path)
{
  CLEANUP_FREE char *dir = strdup (path);
  char *slash;

  if (dir == NULL)
    return -1;
  slash = strrchr (dir, '/');
  if (slash == NULL)
    return open (".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  slash[slash == dir] = '\0'; /* keep the slash of the root */
  return open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* Try it: nothing else tells whether two files may share blocks. */
static bool
probe (struct v2v_io *src, struct v2v_io *dst, uint64_t *ret_align)
{
  CLEANUP_CLOSE int scratch = -1;
  struct statvfs st;
  struct file_clone_range range = { .src_offset = 0 };
  uint64_t fd_offset, fd_len;
  int fd;

  if (v2v_io_path (dst) == NULL ||
      !v2v_io_fd (src, 0, &fd, &fd_offset, &fd_len))
    return false;
  scratch = nameless_file_beside (v2v_io_path (dst));
  if (scratch == -1 || fstatvfs (scratch, &st) == -1 ||
      !v2v_is_pow2 (st.f_bsize))
    return false;
  /* The first block of the source's file, wherever our data lies in it; a
   * smaller file is shared whole (length 0: up to the end). */
  range.src_fd = fd;
  if (fd_offset + v2v_io_size (src) >= st.f_bsize)
    range.src_length = st.f_bsize;
  if (ioctl (scratch, FICLONERANGE, &range) == -1)
    return false;
  *ret_align = st.f_bsize;
  return true;
}

/* The first layer whose data has a place in a file.  An overlay of a server
 * on top has none, but hides little of what lies below. */
static struct v2v_image *
placed_layer (const struct copy_job *job)
{
  struct v2v_image *img = job->src;

  while (img != NULL && (v2v_image_io (img) == NULL ||
                         v2v_image_get_ops (img)->locate == NULL))
    img = job->opts->top_only ? NULL : v2v_image_parent (img);
  return img;
}

void
copy_offload_init (struct copy_job *job)
{
  struct v2v_image *layer = placed_layer (job);
  struct v2v_io *dst = v2v_image_io (job->dst);

  job->offload.active = !job->opts->no_reflink && layer != NULL &&
                        dst != NULL && !v2v_image_is_stream (job->src) &&
                        v2v_image_get_ops (job->dst)->reserve != NULL &&
                        probe (v2v_image_io (layer), dst, &job->offload.align);
}

static void
miss (struct copy_offload *o)
{
  if (atomic_fetch_add (&o->misses, 1) + 1 >= MAX_MISSES)
    o->active = false;
}

/* Share an aligned piece of the source's file with the place of OFFSET in the
 * destination.  *RET_DONE: how much of it; 0 when that is not possible. */
static int
clone_piece (struct copy_job *job, uint64_t offset, uint64_t length, int src_fd,
             uint64_t src_offset, uint64_t *ret_done, struct v2v_error **err)
{
  struct copy_offload *o = &job->offload;
  struct file_clone_range range;
  struct v2v_run to;
  uint64_t dst_offset, dst_len;
  int dst_fd, r;

  *ret_done = 0;
  if (job->write_lock != NULL)
    pthread_mutex_lock (job->write_lock);
  r = v2v_image_reserve (job->dst, length, offset, &to, err);
  if (job->write_lock != NULL)
    pthread_mutex_unlock (job->write_lock);
  if (r == -1)
    return -1;
  /* A place set aside that we cannot use is filled by write: it is the same
   * place. */
  if (r == 1 ||
      !v2v_io_fd (to.io, to.file_offset, &dst_fd, &dst_offset, &dst_len)) {
    miss (o);
    return 0;
  }
  length = v2v_min_u64 (length, v2v_min_u64 (to.length, dst_len));
  length -= length % o->align;
  if (length == 0 || dst_offset % o->align != 0) {
    miss (o);
    return 0;
  }
  range = (struct file_clone_range){
    .src_fd = src_fd,
    .src_offset = src_offset,
    .src_length = length,
    .dest_offset = dst_offset,
  };
  do
    r = ioctl (dst_fd, FICLONERANGE, &range);
  while (r == -1 && errno == EINTR);
  if (r == 0) {
    o->misses = 0;
    *ret_done = length;
    return 0;
  }
  if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
    return v2v_fail_errno (err, "%s: sharing %" PRIu64 " bytes at %" PRIu64,
                           v2v_io_name (to.io), length, dst_offset);
  v2v_debug ("sharing blocks at %" PRIu64 ": errno %d", dst_offset, errno);
  if (errno == EINVAL)
    miss (o);
  else
    o->active = false;
  return 0;
}

/* One contiguous piece of the source: its unaligned edges are left over. */
static int
share_run (struct copy_job *job, const struct v2v_run *from, uint64_t offset,
           uint64_t length, uint64_t *ret_skipped, uint64_t *ret_shared,
           struct v2v_error **err)
{
  const uint64_t align = job->offload.align;
  uint64_t src_offset, src_len, head;
  int src_fd;

  *ret_shared = 0;
  *ret_skipped = length;
  if (!v2v_io_fd (from->io, from->file_offset, &src_fd, &src_offset,
                  &src_len)) {
    miss (&job->offload);
    return 0;
  }
  length = v2v_min_u64 (length, src_len);
  *ret_skipped = length;
  head = (align - src_offset % align) % align;
  if (length < head + align) {
    miss (&job->offload);
    return 0;
  }
  length -= head;
  length = v2v_min_u64 (length - length % align, CLONE_MAX);
  *ret_skipped = head;
  if (clone_piece (job, offset + head, length, src_fd, src_offset + head,
                   ret_shared, err) == -1)
    return -1;
  if (*ret_shared == 0)
    *ret_skipped = head + length;
  return 0;
}

static int
locate (struct copy_job *job, unsigned depth, uint64_t offset,
        struct v2v_run *ret, struct v2v_error **err)
{
  int r;

  if (job->read_lock != NULL)
    pthread_mutex_lock (job->read_lock);
  r = v2v_image_locate (job->src, depth, offset, ret, err);
  if (job->read_lock != NULL)
    pthread_mutex_unlock (job->read_lock);
  return r;
}

int
copy_offload_range (struct copy_job *job, unsigned depth, uint64_t offset,
                    uint64_t length, struct v2v_extents *rest,
                    uint64_t *ret_shared, struct v2v_error **err)
{
  const uint64_t end = offset + length;

  while (offset < end) {
    uint64_t skipped = end - offset, shared = 0;
    struct v2v_run from;
    int r = 1;

    if (job->offload.active)
      r = locate (job, depth, offset, &from, err);
    if (r == -1)
      return -1;
    if (r == 0 && from.length == 0)
      r = 1;
    if (r == 0 &&
        share_run (job, &from, offset, v2v_min_u64 (from.length, end - offset),
                   &skipped, &shared, err) == -1)
      return -1;
    if (v2v_extents_append (rest, offset, skipped, V2V_EXTENT_DATA, depth) ==
            -1 ||
        v2v_extents_append (rest, offset + skipped, shared, V2V_EXTENT_ABSENT,
                            depth) == -1)
      return v2v_fail_nomem (err);
    offset += skipped + shared;
    *ret_shared += shared;
    atomic_fetch_add_explicit (&job->stats.shared, shared,
                               memory_order_relaxed);
  }
  return 0;
}

#else /* !FICLONERANGE */

void
copy_offload_init (struct copy_job *job)
{
  job->offload.active = false;
}

int
copy_offload_range (struct copy_job *job, unsigned depth, uint64_t offset,
                    uint64_t length, struct v2v_extents *rest,
                    uint64_t *ret_shared, struct v2v_error **err)
{
  (void) job;
  (void) ret_shared;
  return v2v_extents_append (rest, offset, length, V2V_EXTENT_DATA, depth) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

#endif
