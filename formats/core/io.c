/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_io and its kinds.  The checks on names found inside files live
 * here and nowhere else.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/core/log.h"

/* Write-back of a pwrite of at least this much is started at once, so that
 * the disk works while we inflate: on a guest of 2 GiB that takes two fifths
 * off the time until the output is synced.
 */
#define EARLY_WRITEBACK_MIN (128 * 1024)

struct v2v_io {
  const struct v2v_io_ops *ops;
  void *h;
  atomic_int refs;
  char *name;
  char *path; /* NULL unless it is a file with a path */
  _Atomic uint64_t size;
  bool forward_only;

  v2v_io_resolver *resolve;
  void *resolve_arg;
  void (*resolve_free) (void *arg);
};

/* ---- regular files and block devices ---- */

struct file {
  int fd;
  bool early_writeback;
  bool is_device;
  dev_t dev;
  ino_t ino;
  /* Output: */
  char *part_path;  /* PATH.part until published, else NULL */
  char *final_path;
  bool replace;
  bool keep_part;
};

static int
file_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct file *f = vh;
  char *p = buf;

  while (len > 0) {
    const ssize_t n = pread (f->fd, p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "reading %zu bytes at %" PRIu64, len,
                             offset);
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

static int
file_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  const struct file *f = vh;
  const char *p = buf;
  const uint64_t start = offset;
  const size_t total = len;

  while (len > 0) {
    const ssize_t n = pwrite (f->fd, p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "writing %zu bytes at %" PRIu64, len,
                             offset);
    p += n;
    len -= (size_t) n;
    offset += (uint64_t) n;
  }
  if (f->early_writeback && total >= EARLY_WRITEBACK_MIN)
    /* Advice only: v2v_io_sync reports what goes wrong. */
    (void) sync_file_range (f->fd, (off_t) start, (off_t) total,
                            SYNC_FILE_RANGE_WRITE);
  return 0;
}

static int
file_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  const struct file *f = vh;

  if (ftruncate (f->fd, (off_t) size) == -1)
    return v2v_fail_errno (err, "setting the length to %" PRIu64, size);
  return 0;
}

static int
file_sync (void *vh, struct v2v_error **err)
{
  const struct file *f = vh;

  if (fsync (f->fd) == -1)
    return v2v_fail_errno (err, "fsync");
  return 0;
}

static int
file_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
              struct v2v_error **err)
{
  const struct file *f = vh;
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
  const struct file *f = vh;

  *ret_fd = f->fd;
  *ret_fd_offset = offset;
  *ret_len = UINT64_MAX - offset;
  return true;
}

static int
file_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  const struct file *f = vh;
  static const char zeros[64 * 1024];

  if (fallocate (f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 (off_t) offset, (off_t) len) == 0)
    return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
    return v2v_fail_errno (err, "punching a hole of %" PRIu64
                           " bytes at %" PRIu64, len, offset);
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
  struct file *f = vh;

  if (f->fd >= 0)
    close (f->fd);
  if (f->part_path != NULL && !f->keep_part)
    unlink (f->part_path);
  free (f->part_path);
  free (f->final_path);
  free (f);
}

static const struct v2v_io_ops file_ops = {
  .kind = "file",
  .pread = file_pread,
  .pwrite = file_pwrite,
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
file_measure (int fd, struct file *f, uint64_t *ret_size,
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
  return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                   "is a %s, expected a regular file",
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
  struct file *f = calloc (1, sizeof *f);
  struct v2v_io *io;
  uint64_t size = 0;

  if (f == NULL) {
    close (fd);
    v2v_fail_nomem (err);
    return NULL;
  }
  f->fd = fd;
  f->early_writeback = (flags & V2V_IO_EARLY_WRITEBACK) != 0;
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

struct v2v_io *
v2v_io_create_part (const char *path, unsigned flags, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL, *final = NULL;
  struct v2v_io *io;
  struct file *f;
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
  fd = open (part,
             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
               ((flags & V2V_IO_KEEP_PART) ? 0 : O_TRUNC),
             0666);
  if (fd == -1) {
    v2v_fail_errno (err, "%s", part);
    return NULL;
  }
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
  CLEANUP_FREE char *dir = strdup (path);
  CLEANUP_CLOSE int fd = -1;
  char *slash;

  if (dir == NULL)
    return v2v_fail_nomem (err);
  slash = strrchr (dir, '/');
  if (slash == NULL)
    strcpy (dir, "."); /* PATH has at least one character */
  else if (slash == dir)
    slash[1] = '\0';
  else
    *slash = '\0';
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
  struct file *f = io->h;

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
  return sync_folder_of (f->final_path, err);
}

void
v2v_io_keep_part (struct v2v_io *io)
{
  if (io->ops == &file_ops)
    ((struct file *) io->h)->keep_part = true;
}

/* ---- memory ---- */

struct buffer {
  pthread_mutex_t lock; /* data moves when it grows */
  uint8_t *data;
  size_t len;
  size_t cap;
};

static int
buffer_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  if (!v2v_range_inside (offset, len, b->len))
    return v2v_fail (err, V2V_ERR_IO, "ended early: no data at %" PRIu64,
                     offset);
  memcpy (buf, b->data + offset, len);
  return 0;
}

static int
buffer_grow (struct buffer *b, uint64_t size)
{
  if (size > b->cap) {
    const uint64_t cap = size + size / 2;
    uint8_t *p = cap > PTRDIFF_MAX ? NULL : realloc (b->data, (size_t) cap);

    if (p == NULL)
      return -1;
    b->data = p;
    b->cap = (size_t) cap;
  }
  if (size > b->len)
    memset (b->data + b->len, 0, (size_t) size - b->len);
  b->len = (size_t) size;
  return 0;
}

static int
buffer_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  struct buffer *b = vh;
  uint64_t end;
  V2V_LOCK_SCOPE (&b->lock);

  if (!v2v_add_u64 (offset, len, &end) ||
      (end > b->len && buffer_grow (b, end) == -1))
    return v2v_fail_nomem (err);
  memcpy (b->data + offset, buf, len);
  return 0;
}

static int
buffer_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  return buffer_grow (b, size) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
buffer_sync (void *vh, struct v2v_error **err)
{
  (void) vh;
  (void) err;
  return 0;
}

static int
buffer_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct buffer *b = vh;
  V2V_LOCK_SCOPE (&b->lock);

  (void) err;
  if (offset < b->len)
    memset (b->data + offset, 0, (size_t) v2v_min_u64 (len, b->len - offset));
  return 0;
}

static void
buffer_close (void *vh)
{
  struct buffer *b = vh;

  pthread_mutex_destroy (&b->lock);
  free (b->data);
  free (b);
}

static const struct v2v_io_ops buffer_ops = {
  .kind = "buffer",
  .pread = buffer_pread,
  .pwrite = buffer_pwrite,
  .resize = buffer_resize,
  .sync = buffer_sync,
  .punch = buffer_punch,
  .close = buffer_close,
};

struct v2v_io *
v2v_io_from_buffer (const char *name, const void *buf, size_t len,
                    struct v2v_error **err)
{
  struct buffer *b = calloc (1, sizeof *b);

  if (b == NULL || (len > 0 && (b->data = malloc (len)) == NULL)) {
    free (b);
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > 0)
    memcpy (b->data, buf, len);
  b->len = b->cap = len;
  pthread_mutex_init (&b->lock, NULL);
  return v2v_io_new (&buffer_ops, b, name, len, false, err);
}

/* ---- windows ---- */

struct window {
  struct v2v_io *base;
  uint64_t start;
  uint64_t len;
};

static int
window_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  const struct window *w = vh;

  return v2v_io_pread (w->base, buf, len, w->start + offset, err);
}

static int
window_extents (void *vh, uint64_t len, uint64_t offset,
                struct v2v_extents *out, struct v2v_error **err)
{
  const struct window *w = vh;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;

  if (v2v_io_extents (w->base, len, w->start + offset, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i)
    if (v2v_extents_append (out, list.ptr[i].offset - w->start,
                            list.ptr[i].length, list.ptr[i].type, 0) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

static bool
window_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
           uint64_t *ret_len)
{
  const struct window *w = vh;

  if (!v2v_io_fd (w->base, w->start + offset, ret_fd, ret_fd_offset, ret_len))
    return false;
  *ret_len = v2v_min_u64 (*ret_len, w->len - offset);
  return true;
}

static void
window_close (void *vh)
{
  struct window *w = vh;

  v2v_io_unref (w->base);
  free (w);
}

static const struct v2v_io_ops window_ops = {
  .kind = "window",
  .pread = window_pread,
  .extents = window_extents,
  .fd = window_fd,
  .close = window_close,
};

struct v2v_io *
v2v_io_window (struct v2v_io *base, const char *name, uint64_t offset,
               uint64_t len, struct v2v_error **err)
{
  struct window *w;

  if (!v2v_range_inside (offset, len, v2v_io_size (base))) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %" PRIu64 " bytes at %" PRIu64 ", past the end (%" PRIu64
              ")", name, len, offset, v2v_io_size (base));
    return NULL;
  }
  w = calloc (1, sizeof *w);
  if (w == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  w->base = v2v_io_ref (base);
  w->start = offset;
  w->len = len;
  return v2v_io_new (&window_ops, w, name, len, base->forward_only, err);
}

/* ---- several, one after the other ---- */

struct join {
  size_t n;
  struct v2v_io **ios;
  uint64_t *starts; /* n + 1; the last is the total */
};

/* The part that holds OFFSET, by bisection: an OVF may have thousands. */
static size_t
join_find (const struct join *j, uint64_t offset)
{
  size_t lo = 0, hi = j->n;

  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;

    if (j->starts[mid] <= offset)
      lo = mid;
    else
      hi = mid;
  }
  return lo;
}

static int
join_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct join *j = vh;
  char *p = buf;

  for (size_t i = join_find (j, offset); len > 0; ++i) {
    const size_t n =
      (size_t) v2v_min_u64 (len, j->starts[i + 1] - offset);

    if (n > 0 &&
        v2v_io_pread (j->ios[i], p, n, offset - j->starts[i], err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

static bool
join_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
         uint64_t *ret_len)
{
  const struct join *j = vh;
  const size_t i = join_find (j, offset);

  if (!v2v_io_fd (j->ios[i], offset - j->starts[i], ret_fd, ret_fd_offset,
                  ret_len))
    return false;
  *ret_len = v2v_min_u64 (*ret_len, j->starts[i + 1] - offset);
  return true;
}

static void
join_close (void *vh)
{
  struct join *j = vh;

  for (size_t i = 0; i < j->n; ++i)
    v2v_io_unref (j->ios[i]);
  free (j->ios);
  free (j->starts);
  free (j);
}

static const struct v2v_io_ops join_ops = {
  .kind = "join",
  .pread = join_pread,
  .fd = join_fd,
  .close = join_close,
};

struct v2v_io *
v2v_io_join (const char *name, struct v2v_io *const *ios, size_t n,
             struct v2v_error **err)
{
  struct join *j = calloc (1, sizeof *j);

  if (j == NULL)
    goto nomem;
  j->ios = calloc (n + 1, sizeof *j->ios);
  j->starts = calloc (n + 1, sizeof *j->starts);
  if (j->ios == NULL || j->starts == NULL)
    goto nomem;
  for (size_t i = 0; i < n; ++i) {
    j->ios[i] = v2v_io_ref (ios[i]);
    j->n = i + 1;
    if (!v2v_add_u64 (j->starts[i], v2v_io_size (ios[i]),
                      &j->starts[i + 1])) {
      join_close (j);
      v2v_fail (err, V2V_ERR_FORMAT, "%s: parts add up to more than 2^64",
                name);
      return NULL;
    }
  }
  return v2v_io_new (&join_ops, j, name, j->starts[n], false, err);

nomem:
  if (j != NULL)
    join_close (j);
  v2v_fail_nomem (err);
  return NULL;
}

/* ---- forward-only streams ---- */

struct stream {
  int fd;
  uint64_t pos;
};

/* Up to LEN bytes; fewer only at the end. */
static int
stream_read (struct stream *s, void *buf, size_t len, size_t *ret_len,
             struct v2v_error **err)
{
  char *p = buf;
  size_t got = 0;

  while (got < len) {
    const ssize_t n = read (s->fd, p + got, len - got);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "reading at %" PRIu64, s->pos);
    if (n == 0)
      break;
    got += (size_t) n;
    s->pos += (uint64_t) n;
  }
  *ret_len = got;
  return 0;
}

static int
stream_pread_upto (struct stream *s, void *buf, size_t len, uint64_t offset,
                   size_t *ret_len, struct v2v_error **err)
{
  char skip[16 * 1024];

  if (offset < s->pos)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "offset %" PRIu64 " has passed: this source can only be "
                     "read forwards (now at %" PRIu64 ")", offset, s->pos);
  while (s->pos < offset) {
    const size_t n = (size_t) v2v_min_u64 (sizeof skip, offset - s->pos);
    size_t got = 0;

    if (stream_read (s, skip, n, &got, err) == -1)
      return -1;
    if (got < n) {
      *ret_len = 0;
      return 0;
    }
  }
  return stream_read (s, buf, len, ret_len, err);
}

static int
stream_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct stream *s = vh;
  size_t got = 0;

  if (stream_pread_upto (s, buf, len, offset, &got, err) == -1)
    return -1;
  if (got < len)
    return v2v_fail (err, V2V_ERR_IO, "ended early: the stream has only %"
                     PRIu64 " bytes", s->pos);
  return 0;
}

static void
stream_close (void *vh)
{
  struct stream *s = vh;

  close (s->fd);
  free (s);
}

static const struct v2v_io_ops stream_ops = {
  .kind = "stream",
  .pread = stream_pread,
  .close = stream_close,
};

struct v2v_io *
v2v_io_from_stream (int fd, const char *name, uint64_t size,
                    struct v2v_error **err)
{
  struct stream *s = calloc (1, sizeof *s);

  if (s == NULL) {
    close (fd);
    v2v_fail_nomem (err);
    return NULL;
  }
  s->fd = fd;
  return v2v_io_new (&stream_ops, s, name, size, true, err);
}

/* ---- the common front ---- */

struct v2v_io *
v2v_io_new (const struct v2v_io_ops *ops, void *h, const char *name,
            uint64_t size, bool forward_only, struct v2v_error **err)
{
  struct v2v_io *io = calloc (1, sizeof *io);

  if (io == NULL || (io->name = strdup (name)) == NULL) {
    free (io);
    ops->close (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  io->ops = ops;
  io->h = h;
  io->refs = 1;
  io->size = size;
  io->forward_only = forward_only;
  return io;
}

struct v2v_io *
v2v_io_ref (struct v2v_io *io)
{
  atomic_fetch_add (&io->refs, 1);
  return io;
}

void
v2v_io_unref (struct v2v_io *io)
{
  if (io == NULL || atomic_fetch_sub (&io->refs, 1) > 1)
    return;
  io->ops->close (io->h);
  if (io->resolve_free != NULL)
    io->resolve_free (io->resolve_arg);
  free (io->name);
  free (io->path);
  free (io);
}

const char *
v2v_io_name (const struct v2v_io *io)
{
  return io->name;
}

const char *
v2v_io_path (const struct v2v_io *io)
{
  return io->path;
}

uint64_t
v2v_io_size (const struct v2v_io *io)
{
  return io->size;
}

bool
v2v_io_is_forward_only (const struct v2v_io *io)
{
  return io->forward_only;
}

bool
v2v_io_is_writable (const struct v2v_io *io)
{
  return io->ops->pwrite != NULL;
}

int
v2v_io_pread (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  if (len == 0)
    return 0;
  if (!v2v_range_inside (offset, len, io->size)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %zu bytes at %" PRIu64 ", past the end (%" PRIu64 ")",
              io->name, len, offset, (uint64_t) io->size);
    return -1;
  }
  if (io->ops->pread (io->h, buf, len, offset, err) == -1) {
    /* A window's base has put its own name there already. */
    if (io->ops != &window_ops && io->ops != &join_ops)
      v2v_prefix (err, "%s", io->name);
    return -1;
  }
  return 0;
}

int
v2v_io_pread_upto (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
                   size_t *ret_len, struct v2v_error **err)
{
  if (io->ops == &stream_ops) {
    if (stream_pread_upto (io->h, buf, len, offset, ret_len, err) == -1)
      return v2v_prefix (err, "%s", io->name);
    return 0;
  }
  if (offset >= io->size)
    len = 0;
  else
    len = (size_t) v2v_min_u64 (len, io->size - offset);
  if (v2v_io_pread (io, buf, len, offset, err) == -1)
    return -1;
  *ret_len = len;
  return 0;
}

/* Raise the known size to END: several threads may grow it at once. */
static void
grow_size (struct v2v_io *io, uint64_t end)
{
  uint64_t size = io->size;

  while (size < end && !atomic_compare_exchange_weak (&io->size, &size, end))
    ;
}

static int
not_writable (struct v2v_io *io, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_USAGE, "%s: is open for reading only",
                   io->name);
}

int
v2v_io_pwrite (struct v2v_io *io, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  uint64_t end;

  if (io->ops->pwrite == NULL)
    return not_writable (io, err);
  if (len == 0)
    return 0;
  if (!v2v_add_u64 (offset, len, &end) || end > INT64_MAX)
    return v2v_fail (err, V2V_ERR_IO, "%s: writing at %" PRIu64
                     ", beyond what a file can hold", io->name, offset);
  if (io->ops->pwrite (io->h, buf, len, offset, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  grow_size (io, end);
  return 0;
}

int
v2v_io_resize (struct v2v_io *io, uint64_t size, struct v2v_error **err)
{
  if (io->ops->resize == NULL)
    return not_writable (io, err);
  if (size > INT64_MAX)
    return v2v_fail (err, V2V_ERR_IO, "%s: length %" PRIu64
                     ", beyond what a file can hold", io->name, size);
  if (io->ops->resize (io->h, size, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  io->size = size;
  return 0;
}

int
v2v_io_sync (struct v2v_io *io, struct v2v_error **err)
{
  if (io->ops->sync == NULL)
    return 0;
  if (io->ops->sync (io->h, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  return 0;
}

int
v2v_io_punch (struct v2v_io *io, uint64_t len, uint64_t offset,
              struct v2v_error **err)
{
  if (io->ops->punch == NULL)
    return not_writable (io, err);
  if (offset >= io->size || len == 0)
    return 0;
  len = v2v_min_u64 (len, io->size - offset);
  if (io->ops->punch (io->h, len, offset, err) == -1)
    return v2v_prefix (err, "%s", io->name);
  return 0;
}

int
v2v_io_allocate (struct v2v_io *io, struct v2v_error **err)
{
  int e;

  if (io->ops != &file_ops || io->size == 0)
    return 0;
  /* posix_fallocate falls back to writing where fallocate is not there. */
  e = posix_fallocate (((const struct file *) io->h)->fd, 0,
                       (off_t) io->size);
  if (e != 0) {
    errno = e;
    return v2v_fail_errno (err, "%s: allocating %" PRIu64 " bytes", io->name,
                           (uint64_t) io->size);
  }
  return 0;
}

int
v2v_io_extents (struct v2v_io *io, uint64_t len, uint64_t offset,
                struct v2v_extents *out, struct v2v_error **err)
{
  if (!v2v_range_inside (offset, len, io->size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: %" PRIu64 " bytes at %" PRIu64
                     ", past the end (%" PRIu64 ")",
                     io->name, len, offset, (uint64_t) io->size);
  if (io->ops->extents == NULL)
    return v2v_extents_append (out, offset, len, V2V_EXTENT_DATA, 0) == -1
             ? v2v_fail_nomem (err)
             : 0;
  return io->ops->extents (io->h, len, offset, out, err);
}

bool
v2v_io_fd (struct v2v_io *io, uint64_t offset, int *ret_fd,
           uint64_t *ret_fd_offset, uint64_t *ret_len)
{
  return io->ops->fd != NULL &&
         io->ops->fd (io->h, offset, ret_fd, ret_fd_offset, ret_len);
}

bool
v2v_io_same (const struct v2v_io *a, const struct v2v_io *b)
{
  uint64_t start_a = 0, start_b = 0;

  if (a == b)
    return true;
  while (a->ops == &window_ops) {
    const struct window *w = a->h;
    start_a += w->start;
    a = w->base;
  }
  while (b->ops == &window_ops) {
    const struct window *w = b->h;
    start_b += w->start;
    b = w->base;
  }
  if (start_a != start_b)
    return false;
  if (a == b)
    return true;
  if ((a->ops == &file_ops || a->ops == &file_readonly_ops) &&
      (b->ops == &file_ops || b->ops == &file_readonly_ops)) {
    const struct file *fa = a->h, *fb = b->h;
    return fa->dev == fb->dev && fa->ino == fb->ino;
  }
  return false;
}

void
v2v_io_set_resolver (struct v2v_io *io, v2v_io_resolver *resolve, void *arg,
                     void (*free_arg) (void *arg))
{
  assert (io->resolve == NULL);
  io->resolve = resolve;
  io->resolve_arg = arg;
  io->resolve_free = free_arg;
}

struct v2v_io *
v2v_io_open_sibling (struct v2v_io *io, const char *name, unsigned flags,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *dir = NULL;
  char *slash;

  if (!v2v_check_plain_name (name, err)) {
    v2v_prefix (err, "%s", io->name);
    return NULL;
  }
  if (io->resolve != NULL)
    return io->resolve (io->resolve_arg, name, flags, err);
  if (io->path == NULL) {
    errno = ENOENT;
    v2v_fail_errno (err, "%s: no folder to look for '%s' in", io->name, name);
    return NULL;
  }
  dir = strdup (io->path);
  if (dir == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  slash = strrchr (dir, '/');
  if (slash == NULL)
    return v2v_io_open_in (".", name, flags, err);
  slash[slash == dir] = '\0'; /* keep the slash of the root */
  return v2v_io_open_in (dir, name, flags, err);
}
