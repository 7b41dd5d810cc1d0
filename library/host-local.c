/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a host whose folder is one of ours: local, or mounted from the
 * host.  Everything is below an open folder, never through a link.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "library/hosts-internal.h"

/* Bytes that one read or write moves. */
#define PIECE ((size_t) 1024 * 1024)
/* Entries of one folder. */
#define MAX_ENTRIES 65536

int
host_local_init (struct host_local *l, const struct v2v_host *host,
                 struct v2v_error **err)
{
  l->root = open (host->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (l->root == -1)
    return v2v_fail_errno (err, "%s", host->path);
  l->path = strdup (host->path);
  return l->path ? 0 : v2v_fail_nomem (err);
}

void
host_local_clear (struct host_local *l)
{
  free (l->path);
  if (l->root != -1)
    close (l->root);
}

const char *
host_local_path (void *h)
{
  const struct host_local *l = h;

  return l->path;
}

static int
open_at (const struct host_local *l, const char *rel, int flags, bool create)
{
  const char *leaf;
  CLEANUP_CLOSE int dir = lib_walk (l->root, rel, create, &leaf);

  return dir == -1
             ? -1
             : openat (dir, leaf,
                       flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                       0666);
}

/* A regular file, for reading; -1 with errno. */
static int
open_file (const struct host_local *l, const char *rel, struct stat *ret)
{
  CLEANUP_CLOSE int fd = open_at (l, rel, O_RDONLY, false);

  if (fd == -1 || fstat (fd, ret) == -1)
    return -1;
  if (!S_ISREG (ret->st_mode)) {
    errno = S_ISDIR (ret->st_mode) ? EISDIR : EINVAL;
    return -1;
  }
  return STEAL_FD (fd);
}

int
host_local_kind (void *h, const char *rel, enum host_kind *ret,
                 struct v2v_error **err)
{
  const struct host_local *l = h;
  struct stat st;

  *ret = HOST_NOTHING;
  if (lib_stat (l->root, rel, &st) == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s/%s", l->path, rel);
  if (S_ISDIR (st.st_mode))
    *ret = HOST_FOLDER;
  else if (S_ISREG (st.st_mode))
    *ret = HOST_FILE;
  else
    return v2v_fail (err, V2V_ERR_USAGE, "%s/%s: is no file and no folder",
                     l->path, rel);
  return 0;
}

/* ---- sending ---- */

int
host_local_digest (void *h, const char *rel, struct v2v_disk_digest **ret,
                   struct v2v_error **err)
{
  const struct host_local *l = h;
  struct stat st;
  CLEANUP_CLOSE int fd = open_file (l, rel, &st);

  *ret = NULL;
  if (fd == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s/%s", l->path, rel);
  *ret = host_digest_fd (fd, (uint64_t) st.st_size, rel, NULL, err);
  return *ret ? 0 : -1;
}

/* Take the lock of the open file FD, which is called F->part. */
static int
take_lock (const struct host_local *l, const struct host_file *f, int fd,
           struct v2v_error **err)
{
  struct stat st, named;

  if (flock (fd, LOCK_EX | LOCK_NB) == -1)
    return v2v_fail_errno (err, "%s/%s: another process sends it", l->path,
                           f->part);
  if (fstat (fd, &st) == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, f->part);
  if (!S_ISREG (st.st_mode))
    return v2v_fail (err, V2V_ERR_USAGE, "%s/%s: is no file", l->path, f->part);
  if (lib_stat (l->root, f->part, &named) == 0 && st.st_ino == named.st_ino)
    return 0;
  /* Who had the lock before us has given it its name. */
  errno = EWOULDBLOCK;
  return v2v_fail_errno (err, "%s/%s: another process has sent it", l->path,
                         f->part);
}

/* What a transfer that was broken off has left, locked; -2: nothing. */
static int
open_part (const struct host_local *l, const struct host_file *f,
           struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_at (l, f->part, O_RDWR, false);

  if (fd == -1 && errno == EACCES) {
    /* It was complete: with the mode of the file that was sent. */
    CLEANUP_CLOSE int sealed = open_at (l, f->part, O_RDONLY, false);

    if (sealed == -1 || fchmod (sealed, f->mode | 0200) == -1)
      return v2v_fail_errno (err, "%s/%s", l->path, f->part);
    fd = open_at (l, f->part, O_RDWR, false);
  }
  if (fd == -1 && errno == ENOENT)
    return -2;
  if (fd == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, f->part);
  return take_lock (l, f, fd, err) == -1 ? -1 : STEAL_FD (fd);
}

int
host_local_prepare (void *h, struct host_file *f, size_t n,
                    struct v2v_error **err)
{
  struct host_local *l = h;

  l->fds = calloc (n + 1, sizeof *l->fds);
  if (l->fds == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i)
    l->fds[i] = -1;
  for (size_t i = 0; i < n; ++i) {
    const int fd = open_part (l, &f[i], err);
    struct stat st;

    if (fd == -1)
      return -1;
    if (fd >= 0) {
      l->fds[i] = fd;
      if (fstat (fd, &st) == -1)
        return v2v_fail_errno (err, "%s/%s", l->path, f[i].part);
      f[i].have =
          host_digest_fd (fd, (uint64_t) st.st_size, f[i].part, NULL, err);
      if (f[i].have == NULL)
        return -1;
      continue;
    }
    if (f[i].old == NULL)
      continue;
    if (host_local_digest (h, f[i].old, &f[i].have, err) == -1)
      return -1;
    f[i].have_old = f[i].have != NULL;
  }
  return 0;
}

/* A new PART, locked. */
static int
make_part (const struct host_local *l, const struct host_file *f,
           struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_at (l, f->part, O_RDWR | O_CREAT | O_EXCL, true);

  if (fd == -1 && errno == EEXIST)
    errno = EWOULDBLOCK; /* it was not there a moment ago */
  if (fd == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, f->part);
  if (take_lock (l, f, fd, err) == -1)
    return -1;
  if (fchmod (fd, f->mode | 0200) == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, f->part);
  return STEAL_FD (fd);
}

/* A new file of the same blocks, where the file system can. */
int
host_local_share (void *h, struct host_file *f, size_t index,
                  struct v2v_error **err)
{
#ifdef FICLONE
  struct host_local *l = h;
  CLEANUP_CLOSE int src =
      open (f[index].local, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat st;

  if (src == -1)
    return v2v_fail_errno (err, "%s", f[index].local);
  l->fds[index] = make_part (l, &f[index], err);
  if (l->fds[index] == -1)
    return -1;
  if (ioctl (l->fds[index], FICLONE, src) == 0 &&
      fstat (l->fds[index], &st) == 0 &&
      (uint64_t) st.st_size == f[index].size &&
      fchmod (l->fds[index], f[index].mode) == 0 && fsync (l->fds[index]) == 0)
    return 1;
  /* Block by block, into an empty file. */
  return ftruncate (l->fds[index], 0) == -1
             ? v2v_fail_errno (err, "%s/%s", l->path, f[index].part)
             : 0;
#else
  (void) h;
  (void) f;
  (void) index;
  (void) err;
  return 0;
#endif
}

static int
copy_fd (int from, int to, uint64_t *ret_len)
{
  CLEANUP_FREE char *buf = malloc (PIECE);
  off_t pos = 0;

  if (buf == NULL)
    return -1;
  for (;;) {
    const ssize_t n = pread (from, buf, PIECE, pos);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0) {
      *ret_len = (uint64_t) pos;
      return (int) n;
    }
    for (ssize_t k = 0; k < n;) {
      const ssize_t w = pwrite (to, buf + k, (size_t) (n - k), pos + k);

      if (w == -1 && errno == EINTR)
        continue;
      if (w <= 0)
        return -1;
      k += w;
    }
    pos += n;
  }
}

static int
begin_one (struct host_local *l, const struct host_file *f, int *fd,
           struct v2v_error **err)
{
  uint64_t len;

  if (*fd == -1)
    *fd = make_part (l, f, err);
  if (*fd == -1)
    return -1;
  if (f->have_old) {
    struct stat old;
    CLEANUP_CLOSE int from = open_file (l, f->old, &old);

    if (from == -1)
      return v2v_fail_errno (err, "%s/%s", l->path, f->old);
#ifdef FICLONE
    if (ioctl (*fd, FICLONE, from) == 0)
      return 0;
#endif
    if (copy_fd (from, *fd, &len) == -1)
      return v2v_fail_errno (err, "%s/%s", l->path, f->part);
  }
  return 0;
}

int
host_local_write_begin (void *h, struct host_file *f, size_t n,
                        struct v2v_error **err)
{
  struct host_local *l = h;

  for (size_t i = 0; i < n; ++i)
    if (!f[i].same && !f[i].shared &&
        begin_one (l, &f[i], &l->fds[i], err) == -1)
      return -1;
  return 0;
}

int
host_local_write (void *h, struct host_file *f, size_t index, const void *buf,
                  size_t len, uint64_t offset, struct v2v_error **err)
{
  const struct host_local *l = h;
  const char *p = buf;

  while (len > 0) {
    const ssize_t n = pwrite (l->fds[index], p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return v2v_fail_errno (err, "%s/%s: write", l->path, f[index].part);
    p += n;
    len -= (size_t) n;
    offset += (uint64_t) n;
  }
  return 0;
}

int
host_local_write_end (void *h, struct host_file *f, size_t n,
                      struct v2v_error **err)
{
  struct host_local *l = h;

  for (size_t i = 0; i < n; ++i) {
    struct v2v_disk_digest *d;

    if (f[i].same || f[i].shared)
      continue;
    if (ftruncate (l->fds[i], (off_t) f[i].size) == -1 ||
        fchmod (l->fds[i], f[i].mode) == -1 || fsync (l->fds[i]) == -1)
      return v2v_fail_errno (err, "%s/%s", l->path, f[i].part);
    d = host_digest_fd (l->fds[i], f[i].size, f[i].part, NULL, err);
    if (d == NULL)
      return -1;
    memcpy (f[i].root, d->root, sizeof f[i].root);
    v2v_disk_digest_free (d);
  }
  return 0;
}

void
host_local_release (void *h, size_t n)
{
  struct host_local *l = h;

  for (size_t i = 0; l->fds != NULL && i < n; ++i)
    if (l->fds[i] != -1)
      close (l->fds[i]);
  free (STEAL (l->fds));
}

static int
sync_folder (int fd)
{
  return fsync (fd) == -1 && errno != EINVAL ? -1 : 0;
}

int
host_local_publish (void *h, const char *from, const char *to,
                    struct v2v_error **err)
{
  const struct host_local *l = h;
  const char *from_leaf, *to_leaf;
  CLEANUP_CLOSE int from_fd = lib_walk (l->root, from, false, &from_leaf);
  CLEANUP_CLOSE int to_fd = lib_walk (l->root, to, true, &to_leaf);

  /* A folder is never replaced but by an empty one's rename(2); what is in
   * the new one is to survive a crash as well. */
  if (from_fd == -1 || to_fd == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, to);
  if (renameat (from_fd, from_leaf, to_fd, to_leaf) == -1 ||
      sync_folder (to_fd) == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, to);
  return 0;
}

int
host_local_seal (void *h, const char *rel, struct v2v_error **err)
{
  const struct host_local *l = h;
  struct stat st;
  CLEANUP_CLOSE int fd = open_file (l, rel, &st);

  if (fd == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  /* A mounted Windows share may keep no modes. */
  if ((st.st_mode & 0222) != 0 && fchmod (fd, st.st_mode & 0555) == -1 &&
      errno != EPERM && errno != EOPNOTSUPP)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  return 0;
}

/* ---- the other way ---- */

int
host_local_get (void *h, const char *rel, int fd, uint64_t max,
                const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  const struct host_local *l = h;
  struct stat st;
  CLEANUP_CLOSE int from = open_file (l, rel, &st);
  uint64_t len;

  (void) copy;
  if (from == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  if ((uint64_t) st.st_size > max)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s/%s: %" PRIu64 " bytes, at most %" PRIu64 " are read",
                     l->path, rel, (uint64_t) st.st_size, max);
  if (copy_fd (from, fd, &len) == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  return 0;
}

int
host_local_remove_files (void *h, const char *rel, struct v2v_error **err)
{
  const struct host_local *l = h;
  enum host_kind kind;
  int r = 0;

  if (host_local_kind (h, rel, &kind, err) == -1)
    return -1;
  if (kind == HOST_FILE)
    r = lib_unlink (l->root, rel);
  else if (kind == HOST_FOLDER)
    r = lib_remove_tree (l->root, rel);
  return r == -1 && errno != ENOENT
             ? v2v_fail_errno (err, "%s/%s", l->path, rel)
             : 0;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The names in DIR, sorted, without hidden ones. */
static int
read_names (int fd, lib_strings *ret, struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *dir = fdopendir (fd);
  struct dirent *e;

  if (dir == NULL) {
    close (fd);
    return v2v_fail_errno (err, "reading a folder");
  }
  while ((e = readdir (dir)) != NULL) {
    char *name;

    if (e->d_name[0] == '.' || !lib_path_ok (e->d_name, NULL))
      continue;
    if (ret->len == MAX_ENTRIES)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED, "more than %d files",
                       MAX_ENTRIES);
    name = strdup (e->d_name);
    if (name == NULL || lib_strings_append (ret, name) == -1) {
      free (name);
      return v2v_fail_nomem (err);
    }
  }
  if (ret->len > 0)
    qsort (ret->ptr, ret->len, sizeof *ret->ptr, compare_names);
  return 0;
}

int
host_local_list (void *h, const char *rel, v2v_host_file_fn *fn, void *arg,
                 struct v2v_error **err)
{
  const struct host_local *l = h;
  CLEANUP_CLOSE int dir = *rel == '\0'
                              ? fcntl (l->root, F_DUPFD_CLOEXEC, 3)
                              : open_at (l, rel, O_RDONLY | O_DIRECTORY, false);
  lib_strings names = V2V_VECTOR_INIT;
  int again, r;

  if (dir == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s/%s", l->path, rel);
  /* A descriptor of its own: its place in the folder is not shared. */
  again = openat (dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  r = again == -1 ? v2v_fail_errno (err, "%s/%s", l->path, rel)
                  : read_names (again, &names, err);
  for (size_t i = 0; r == 0 && i < names.len; ++i) {
    struct v2v_host_file f = { .name = names.ptr[i] };
    struct stat st;

    if (fstatat (dir, f.name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
        (!S_ISREG (st.st_mode) && !S_ISDIR (st.st_mode)))
      continue;
    f.folder = S_ISDIR (st.st_mode);
    f.size_bytes = f.folder ? 0 : (uint64_t) st.st_size;
    f.mtime = lib_mtime (&st);
    r = fn (arg, &f, err);
  }
  lib_strings_clear (&names);
  return r;
}

int
host_local_put_text (struct host_local *l, const char *rel, const char *text,
                     size_t len, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;

  if (asprintf (&part, "%s" HOST_PART, rel) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (lib_unlink (l->root, part) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s/%s", l->path, part);
  if (lib_write (l->root, part, text, len, err) == -1)
    return v2v_prefix (err, "%s", l->path);
  return host_local_publish (l, part, rel, err);
}

char *
host_local_text (const struct host_local *l, const char *rel,
                 struct v2v_error **err)
{
  struct stat st;
  CLEANUP_CLOSE int fd = open_file (l, rel, &st);
  char *text = NULL;

  if (fd == -1)
    v2v_fail_errno (err, "%s/%s", l->path, rel);
  else if ((uint64_t) st.st_size > HOST_MAX_TEXT)
    v2v_fail (err, V2V_ERR_FORMAT, "%s/%s: is too long for a description",
              l->path, rel);
  else {
    text = host_read_text (fd, err);
    if (text == NULL)
      v2v_prefix (err, "%s/%s", l->path, rel);
  }
  return text;
}
