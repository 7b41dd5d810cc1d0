/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regular files, block devices, and output files that appear only when they
 * are published.  The rule for names found inside files is here.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io-internal.h"

/* Write-back of a pwrite of at least this much is started at once, so that
 * the disk works while we inflate: on a guest of 2 GiB that takes two fifths
 * off the time until the output is synced.
 */
#define EARLY_WRITEBACK_MIN (128 * 1024)

static int
file_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct v2v_io_file *f = vh;
  char *p = buf;

  while (len > 0) {
    const ssize_t n = pread (f->fd, p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "reading %zu bytes at %" PRIu64, len, offset);
    if (n == 0)
      return v2v_fail (err, V2V_ERR_IO,
                       "ended early: no data at %" PRIu64
                       " (the file became shorter while it was read)",
                       offset);
    p += n;
    len -= (size_t) n;
    offset += (uint64_t) n;
  }
  return 0;
}

/* A page that is cut by the end of a range belongs to the next range: written
 * back by both it would be waited for twice. */
static struct v2v_io_range
whole_pages (uint64_t offset, uint64_t length)
{
  const uint64_t page = 4096; /* a multiple of the page's size is as good */
  const uint64_t start = offset / page * page;
  const uint64_t end = (offset + length) / page * page;

  return (struct v2v_io_range){ start, end > start ? end - start : 0 };
}

/* Start the write-back of what was just written, and give back the pages of
 * what was written some time ago: a copy then goes through the same few MiB of
 * page cache instead of pushing out everybody else's.  On a virtual machine
 * it is faster too: memory that the host has taken back costs ten times as
 * much at its next first touch.
 */
static int
write_behind (struct v2v_io_file *f, uint64_t offset, uint64_t length,
              struct v2v_error **err)
{
  const struct v2v_io_range now = whole_pages (offset, length);
  struct v2v_io_range old;

  if (now.length == 0)
    return 0;
  /* Advice only: v2v_io_sync reports what goes wrong. */
  (void) sync_file_range (f->fd, (off_t) now.offset, (off_t) now.length,
                          SYNC_FILE_RANGE_WRITE);
  {
    V2V_LOCK_SCOPE (&f->behind_lock);
    old = f->behind[f->behind_next];
    f->behind[f->behind_next] = now;
    f->behind_next = (f->behind_next + 1) % V2V_IO_BEHIND;
  }
  if (old.length == 0)
    return 0;
  /* Waiting takes the error of the write-back away from a later fsync: it has
   * to be reported here. */
  if (sync_file_range (f->fd, (off_t) old.offset, (off_t) old.length,
                       SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                           SYNC_FILE_RANGE_WAIT_AFTER) == -1) {
    if (errno == EIO || errno == ENOSPC || errno == EDQUOT)
      return v2v_fail_errno (err, "writing back %" PRIu64 " bytes at %" PRIu64,
                             old.length, old.offset);
    return 0; /* a file system that cannot: fsync will do it */
  }
  (void) posix_fadvise (f->fd, (off_t) old.offset, (off_t) old.length,
                        POSIX_FADV_DONTNEED);
  return 0;
}

static int
file_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  struct v2v_io_file *f = vh;
  const char *p = buf;
  const uint64_t start = offset;
  const size_t total = len;

  while (len > 0) {
    const ssize_t n = pwrite (f->fd, p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "writing %zu bytes at %" PRIu64, len, offset);
    p += n;
    len -= (size_t) n;
    offset += (uint64_t) n;
  }
  if (f->early_writeback && total >= EARLY_WRITEBACK_MIN)
    return write_behind (f, start, total, err);
  return 0;
}

/* Continues after a short write like file_pwrite. */
static int
file_pwrite_pair (void *vh, const void *head, size_t head_len, const void *buf,
                  size_t len, uint64_t offset, struct v2v_error **err)
{
  struct v2v_io_file *f = vh;
  const size_t total = head_len + len;
  size_t done = 0;

  while (done < head_len) {
    const struct iovec v[2] = {
      { .iov_base = (char *) head + done, .iov_len = head_len - done },
      { .iov_base = (void *) buf, .iov_len = len },
    };
    const ssize_t n = pwritev (f->fd, v, 2, (off_t) (offset + done));

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "writing %zu bytes at %" PRIu64, total - done,
                             offset + done);
    done += (size_t) n;
  }
  while (done < total) {
    const ssize_t n = pwrite (f->fd, (const char *) buf + (done - head_len),
                              total - done, (off_t) (offset + done));

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "writing %zu bytes at %" PRIu64, total - done,
                             offset + done);
    done += (size_t) n;
  }
  if (f->early_writeback && total >= EARLY_WRITEBACK_MIN)
    return write_behind (f, offset, total, err);
  return 0;
}

static int
file_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  const struct v2v_io_file *f = vh;

  if (ftruncate (f->fd, (off_t) size) == -1)
    return v2v_fail_errno (err, "setting the length to %" PRIu64, size);
  return 0;
}

static int
file_sync (void *vh, struct v2v_error **err)
{
  const struct v2v_io_file *f = vh;

  if (!f->defer_sync && fsync (f->fd) == -1)
    return v2v_fail_errno (err, "fsync");
  return 0;
}

static int
file_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
              struct v2v_error **err)
{
  const struct v2v_io_file *f = vh;
  const uint64_t end = offset + len;

  while (offset < end) {
    const off_t data = lseek (f->fd, (off_t) offset, SEEK_DATA);
    uint64_t data_start, data_end;
    off_t hole;

    if (data == (off_t) -1 && errno == ENXIO) { /* a hole up to the end */
      if (v2v_extents_append (out, offset, end - offset, V2V_EXTENT_ZERO, 0))
        return v2v_fail_nomem (err);
      return 0;
    }
    if (data == (off_t) -1) { /* the file system cannot tell */
      if (v2v_extents_append (out, offset, end - offset, V2V_EXTENT_DATA, 0))
        return v2v_fail_nomem (err);
      return 0;
    }
    data_start = v2v_min_u64 ((uint64_t) data, end);
    if (v2v_extents_append (out, offset, data_start - offset, V2V_EXTENT_ZERO,
                            0))
      return v2v_fail_nomem (err);
    if (data_start == end)
      return 0;
    hole = lseek (f->fd, data, SEEK_HOLE);
    data_end = hole == (off_t) -1 ? end : v2v_min_u64 ((uint64_t) hole, end);
    if (data_end <= data_start) /* shrank between the calls */
      data_end = end;
    if (v2v_extents_append (out, data_start, data_end - data_start,
                            V2V_EXTENT_DATA, 0))
      return v2v_fail_nomem (err);
    offset = data_end;
  }
  return 0;
}

static bool
file_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
         uint64_t *ret_len)
{
  const struct v2v_io_file *f = vh;

  *ret_fd = f->fd;
  *ret_fd_offset = offset;
  *ret_len = UINT64_MAX - offset;
  return true;
}

static int
file_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  const struct v2v_io_file *f = vh;
  static const char zeros[64 * 1024];

  if (fallocate (f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 (off_t) offset, (off_t) len) == 0)
    return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
    return v2v_fail_errno (
        err, "punching a hole of %" PRIu64 " bytes at %" PRIu64, len, offset);
  while (len > 0) {
    const size_t n = (size_t) v2v_min_u64 (len, sizeof zeros);

    if (file_pwrite (vh, zeros, n, offset, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

static void
file_close (void *vh)
{
  struct v2v_io_file *f = vh;

  /* While the lock is held: afterwards the name may be another run's. */
  if (f->part_path != NULL && !f->keep_part)
    unlink (f->part_path);
  if (f->fd >= 0)
    close (f->fd);
  pthread_mutex_destroy (&f->behind_lock);
  free (f->part_path);
  free (f->final_path);
  free (f);
}

static const struct v2v_io_ops file_ops = {
  .kind = "file",
  .pread = file_pread,
  .pwrite = file_pwrite,
  .pwrite_pair = file_pwrite_pair,
  .resize = file_resize,
  .sync = file_sync,
  .extents = file_extents,
  .fd = file_fd,
  .punch = file_punch,
  .close = file_close,
};

static const struct v2v_io_ops file_readonly_ops = {
  .kind = "file",
  .pread = file_pread,
  .extents = file_extents,
  .fd = file_fd,
  .close = file_close,
};

/* Size of an open regular file or block device; refuses anything else. */
static int
file_measure (int fd, struct v2v_io_file *f, uint64_t *ret_size,
              struct v2v_error **err)
{
  struct stat st;

  if (fstat (fd, &st) == -1)
    return v2v_fail_errno (err, "fstat");
  f->dev = st.st_dev;
  f->ino = st.st_ino;
  if (S_ISREG (st.st_mode)) {
    *ret_size = (uint64_t) st.st_size;
    return 0;
  }
#ifdef BLKGETSIZE64
  if (S_ISBLK (st.st_mode)) {
    uint64_t size = 0;

    if (ioctl (fd, BLKGETSIZE64, &size) == -1)
      return v2v_fail_errno (err, "BLKGETSIZE64");
    f->is_device = true;
    *ret_size = size;
    return 0;
  }
#endif
  return v2v_fail (err, V2V_ERR_UNSUPPORTED, "is a %s, expected a regular file",
                   S_ISDIR (st.st_mode)    ? "folder"
                   : S_ISFIFO (st.st_mode) ? "pipe"
                   : S_ISSOCK (st.st_mode) ? "socket"
                                           : "device");
}

/* Wrap FD, taken over also on failure. PATH may be NULL. */
static struct v2v_io *
file_new (int fd, const char *name, const char *path, unsigned flags,
          bool regular_only, struct v2v_error **err)
{
  struct v2v_io_file *f = calloc (1, sizeof *f);
  struct v2v_io *io;
  uint64_t size = 0;

  if (f == NULL) {
    close (fd);
    v2v_fail_nomem (err);
    return NULL;
  }
  f->fd = fd;
  pthread_mutex_init (&f->behind_lock, NULL);
  f->early_writeback = (flags & V2V_IO_EARLY_WRITEBACK) != 0;
  f->defer_sync = (flags & V2V_IO_DEFER_SYNC) != 0;
  if (file_measure (fd, f, &size, err) == -1) {
    v2v_prefix (err, "%s", name);
    file_close (f);
    return NULL;
  }
  if (regular_only && f->is_device) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s: is a device, expected a regular file", name);
    file_close (f);
    return NULL;
  }
  io = v2v_io_new ((flags & V2V_IO_RW) ? &file_ops : &file_readonly_ops, f,
                   name, size, false, err);
  if (io == NULL)
    return NULL;
  if (path != NULL) {
    io->path = strdup (path);
    if (io->path == NULL) {
      v2v_io_unref (io);
      v2v_fail_nomem (err);
      return NULL;
    }
  }
  return io;
}

static int
open_flags (unsigned flags)
{
  return ((flags & V2V_IO_RW) ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK |
         O_NOCTTY | ((flags & V2V_IO_FOLLOW) ? 0 : O_NOFOLLOW);
}

static void
explain_open (struct v2v_error **err, const char *path)
{
  if (errno == ELOOP)
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s: is a symbolic link, expected a regular file", path);
  else
    v2v_fail_errno (err, "%s", path);
}

struct v2v_io *
v2v_io_open (const char *path, unsigned flags, struct v2v_error **err)
{
  const int fd = open (path, open_flags (flags));

  if (fd == -1) {
    explain_open (err, path);
    return NULL;
  }
  return file_new (fd, path, path, flags, false, err);
}

bool
v2v_check_plain_name (const char *name, struct v2v_error **err)
{
  const size_t len = strlen (name);
  const char *why = NULL;

  if (len == 0)
    why = "is empty";
  else if (len > 255)
    why = "is longer than 255 bytes";
  else if (strchr (name, '/') != NULL || strchr (name, '\\') != NULL)
    why = "has a path, expected a plain file name in the same folder";
  else if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    why = "is a folder, expected a plain file name";
  else
    for (size_t i = 0; i < len; ++i)
      if ((unsigned char) name[i] < 32)
        why = "has a control character";
  if (why == NULL)
    return true;
  v2v_fail (err, V2V_ERR_FORMAT, "file name '%.80s' %s", name, why);
  return false;
}

struct v2v_io *
v2v_io_open_in (const char *dir, const char *name, unsigned flags,
                struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_CLOSE int dirfd = -1;
  int fd;

  if (!v2v_check_plain_name (name, err))
    return NULL;
  if (asprintf (&path, "%s/%s", dir, name) == -1) {
    path = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  dirfd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dirfd == -1) {
    v2v_fail_errno (err, "%s", dir);
    return NULL;
  }
  fd = openat (dirfd, name, open_flags (flags & ~V2V_IO_FOLLOW));
  if (fd == -1) {
    explain_open (err, path);
    return NULL;
  }
  return file_new (fd, path, path, flags, true, err);
}

/* ---- output files ---- */

/* Is FD still the file called PATH? */
static bool
is_at (int fd, const char *path)
{
  struct stat a, b;

  return fstat (fd, &a) == 0 && lstat (path, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/* Open or create PART for one run alone.  The lock is on the file itself, so
 * it ends with the run, however that ends.  Nothing is cut off before it is
 * held.  Returns the descriptor or -1.
 */
static int
open_locked (const char *part, bool keep, struct v2v_error **err)
{
  struct stat st;

  for (;;) {
    CLEANUP_CLOSE int fd = open (
        part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    int ret;

    if (fd == -1)
      return v2v_fail_errno (err, "%s", part);
    /* A file system without locks (errno is another one) has to do without. */
    if (flock (fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) {
      v2v_fail (err, V2V_ERR_USAGE, "%s: another run is writing it", part);
      return v2v_hint (err, "wait until it has finished, or give this one "
                            "another name");
    }
    /* Published or removed between the open and the lock: once more. */
    if (!is_at (fd, part))
      continue;
    if (!keep && fstat (fd, &st) == 0 && S_ISREG (st.st_mode) &&
        ftruncate (fd, 0) == -1)
      return v2v_fail_errno (err, "%s: setting the length to 0", part);
    ret = fd;
    fd = -1;
    return ret;
  }
}

struct v2v_io *
v2v_io_create_part (const char *path, unsigned flags, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL, *final = NULL;
  struct v2v_io *io;
  struct v2v_io_file *f;
  struct stat st;
  int fd;

  if (!(flags & V2V_IO_REPLACE) && lstat (path, &st) == 0) {
    errno = EEXIST;
    v2v_fail_errno (err, "%s", path);
    v2v_hint (err, "remove it first, or allow it to be replaced");
    return NULL;
  }
  final = strdup (path);
  if (final == NULL || asprintf (&part, "%s.part", path) == -1) {
    part = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  fd = open_locked (part, (flags & V2V_IO_KEEP_PART) != 0, err);
  if (fd == -1)
    return NULL;
  io = file_new (fd, path, path, flags | V2V_IO_RW, true, err);
  if (io == NULL)
    return NULL;
  f = io->h;
  f->part_path = STEAL (part);
  f->final_path = STEAL (final);
  f->replace = (flags & V2V_IO_REPLACE) != 0;
  return io;
}

static int
sync_folder_of (const char *path, struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *dir = slash == NULL ? strdup (".")
                           : slash == path
                               ? strdup ("/")
                               : strndup (path, (size_t) (slash - path));
  CLEANUP_CLOSE int fd = -1;

  if (dir == NULL)
    return v2v_fail_nomem (err);
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", dir);
  /* Some file systems cannot sync a folder: EINVAL there is not our fault. */
  if (fsync (fd) == -1 && errno != EINVAL)
    return v2v_fail_errno (err, "%s: fsync", dir);
  return 0;
}

int
v2v_io_publish (struct v2v_io *io, struct v2v_error **err)
{
  struct v2v_io_file *f = io->h;

  assert (io->ops == &file_ops && f->part_path != NULL);
  if (v2v_io_sync (io, err) == -1)
    return -1;
  if (f->replace) {
    if (rename (f->part_path, f->final_path) == -1)
      return v2v_fail_errno (err, "%s: rename", f->final_path);
  }
  else if (renameat2 (AT_FDCWD, f->part_path, AT_FDCWD, f->final_path,
                      RENAME_NOREPLACE) == -1) {
    /* File systems without RENAME_NOREPLACE: link refuses to replace too. */
    if (errno != EINVAL && errno != ENOSYS)
      return v2v_fail_errno (err, "%s: rename", f->final_path);
    if (link (f->part_path, f->final_path) == -1)
      return v2v_fail_errno (err, "%s: link", f->final_path);
    unlink (f->part_path);
  }
  free (STEAL (f->part_path));
  return f->defer_sync ? 0 : sync_folder_of (f->final_path, err);
}

void
v2v_io_keep_part (struct v2v_io *io)
{
  if (io->ops == &file_ops)
    ((struct v2v_io_file *) io->h)->keep_part = true;
}

int
v2v_io_allocate (struct v2v_io *io, struct v2v_error **err)
{
  int e;

  if (io->ops != &file_ops || io->size == 0)
    return 0;
  /* posix_fallocate falls back to writing where fallocate is not there. */
  e = posix_fallocate (((const struct v2v_io_file *) io->h)->fd, 0,
                       (off_t) io->size);
  if (e != 0) {
    errno = e;
    return v2v_fail_errno (err, "%s: allocating %" PRIu64 " bytes", io->name,
                           (uint64_t) io->size);
  }
  return 0;
}

bool
v2v_io_is_file (const struct v2v_io *io)
{
  return io->ops == &file_ops || io->ops == &file_readonly_ops;
}
