/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of the host as a guest: for tests of the converters, which need no
 * appliance then, and for unpacked trees.
 *
 * Links are resolved inside the folder, as after chroot: openat2 (Linux 5.6)
 * with RESOLVE_IN_ROOT does it in the kernel, so that no hostile link leads
 * out.  Owners are kept in memory only when we are not root.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/guest-front.h"

struct folder {
  int fd; /* the guest's root */
};

/* Linux's bounds of extended attributes (linux/limits.h, xattr(7)). */
#define MAX_XATTR_NAMES 65536
#define MAX_XATTR_VALUE 65536

/* As many links as the kernel follows in one path. */
#define MAX_LINKS 40

/* Take the next part off *PENDING into PART; false at the end. */
static bool
next_part (const char **pending, char part[NAME_MAX + 1])
{
  const char *p = *pending + strspn (*pending, "/");
  const size_t len = strcspn (p, "/");

  if (len == 0)
    return false;
  snprintf (part, NAME_MAX + 1, "%.*s", (int) v2v_min_u64 (len, NAME_MAX), p);
  *pending = p + len;
  return true;
}

/* RESOLVED (without links) followed by PART, in place; "" is the root. */
static int
append_part (char resolved[PATH_MAX], const char *part)
{
  const size_t len = strlen (resolved);

  if (strcmp (part, ".") == 0)
    return 0;
  if (strcmp (part, "..") == 0) {
    char *slash = strrchr (resolved, '/');

    *(slash != NULL ? slash : resolved) = '\0';
    return 0;
  }
  if (len + strlen (part) + 2 > PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  snprintf (resolved + len, PATH_MAX - len, "%s%s", len > 0 ? "/" : "", part);
  return 0;
}

/* The same where the kernel (before Linux 5.6) or what stands between (older
 * valgrind) has no openat2: every part is looked at, links are put in its
 * place.  Someone who changes the tree meanwhile could lead it astray. */
static int
open_by_parts (const struct folder *f, const char *path, int flags, mode_t mode)
{
  char resolved[PATH_MAX] = "", part[NAME_MAX + 1], parent[PATH_MAX];
  CLEANUP_FREE char *text = strdup (path);
  const char *pending = text;
  unsigned links = 0;

  while (text != NULL && next_part (&pending, part)) {
    const bool last = pending[strspn (pending, "/")] == '\0';
    char target[PATH_MAX], *joined;
    struct stat st;
    ssize_t n;

    memcpy (parent, resolved, sizeof parent);
    if (append_part (resolved, part) == -1)
      return -1;
    if (resolved[0] == '\0' ||
        fstatat (f->fd, resolved, &st, AT_SYMLINK_NOFOLLOW) == -1) {
      if (resolved[0] == '\0' || (last && (flags & O_CREAT)))
        continue;
      return -1;
    }
    if (!S_ISLNK (st.st_mode) || (last && (flags & O_NOFOLLOW)))
      continue;
    n = readlinkat (f->fd, resolved, target, sizeof target - 1);
    if (n == -1 || ++links > MAX_LINKS) {
      errno = n == -1 ? errno : ELOOP;
      return -1;
    }
    target[n] = '\0';
    memcpy (resolved, target[0] == '/' ? "" : parent,
            target[0] == '/' ? 1 : sizeof resolved);
    if (asprintf (&joined, "%s/%s", target, pending) == -1)
      return -1;
    free (text);
    pending = text = joined;
  }
  if (text == NULL)
    return -1;
  return openat (f->fd, resolved[0] != '\0' ? resolved : ".",
                 flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static int
open_in (const struct folder *f, const char *path, int flags, mode_t mode)
{
  const struct open_how how = {
    .flags = (uint64_t) (unsigned) (flags | O_CLOEXEC),
    .mode = flags & O_CREAT ? mode : 0,
    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };

  const int fd = (int) syscall (SYS_openat2, f->fd, path, &how, sizeof how);

  return fd == -1 && errno == ENOSYS ? open_by_parts (f, path, flags, mode)
                                     : fd;
}

/* The folder that holds PATH, opened, and the last part of PATH. */
static int
open_parent (const struct folder *f, const char *path, const char **ret_name,
             struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *parent = strndup (path, (size_t) (slash - path));
  int fd;

  if (parent == NULL)
    return v2v_fail_nomem (err);
  fd = open_in (f, *parent ? parent : "/", O_PATH | O_DIRECTORY, 0);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", *parent ? parent : "/");
  *ret_name = slash + 1;
  return fd;
}

static bool
is_absent (int e)
{
  return e == ENOENT || e == ENOTDIR || e == ELOOP;
}

static int
folder_stat (void *h, const char *path, bool follow, struct v2v_guest_stat *ret,
             struct v2v_error **err)
{
  CLEANUP_CLOSE int fd =
      open_in (h, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
  struct stat st;

  if (fd == -1)
    return is_absent (errno) ? 0 : v2v_fail_errno (err, "%s", path);
  if (fstat (fd, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  ret->type = S_ISREG (st.st_mode)   ? V2V_FILE_REGULAR
              : S_ISDIR (st.st_mode) ? V2V_FILE_FOLDER
              : S_ISLNK (st.st_mode) ? V2V_FILE_LINK
                                     : V2V_FILE_OTHER;
  ret->size_bytes = (uint64_t) st.st_size;
  ret->mode = st.st_mode & 07777;
  ret->uid = st.st_uid;
  ret->gid = st.st_gid;
  ret->mtime = st.st_mtime;
  return 1;
}

static char **
folder_list (void *h, const char *path, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_RDONLY | O_DIRECTORY, 0);
  CLEANUP_CLOSEDIR DIR *dir = NULL;
  CLEANUP_LIST char **list = calloc (1, sizeof *list);
  struct dirent *d;
  size_t n = 0;

  if (fd == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  dir = fdopendir (fd);
  if (dir == NULL || list == NULL) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  fd = -1;
  while ((d = readdir (dir)) != NULL) {
    char **p;

    if (strcmp (d->d_name, ".") == 0 || strcmp (d->d_name, "..") == 0)
      continue;
    p = reallocarray (list, n + 2, sizeof *p);
    if (p == NULL || (list = p, p[n] = strdup (d->d_name)) == NULL) {
      v2v_fail_nomem (err);
      return NULL;
    }
    list[++n] = NULL;
  }
  return STEAL (list);
}

static char *
folder_readlink (void *h, const char *path, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_PATH | O_NOFOLLOW, 0);
  char buf[GUEST_MAX_PATH + 1];
  ssize_t n;
  char *s;

  if (fd == -1 || (n = readlinkat (fd, "", buf, sizeof buf - 1)) == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  s = strndup (buf, (size_t) n);
  if (s == NULL)
    v2v_fail_nomem (err);
  return s;
}

static void *
folder_read (void *h, const char *path, size_t max, size_t *ret_len,
             struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_RDONLY | O_NONBLOCK, 0);
  CLEANUP_FREE char *buf = NULL;
  struct stat st;
  size_t len = 0, size;

  if (fd == -1 || fstat (fd, &st) == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  size = (uint64_t) st.st_size < max ? (size_t) st.st_size : max;
  buf = malloc (size + 1);
  if (buf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while (len < size) {
    const ssize_t n = read (fd, buf + len, size - len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1) {
      v2v_fail_errno (err, "%s", path);
      return NULL;
    }
    if (n == 0)
      break;
    len += (size_t) n;
  }
  buf[len] = '\0';
  *ret_len = len;
  return STEAL (buf);
}

/* From the start of IN to its end, to OUT; at most MAX bytes. */
static int
copy_fd (int in, int out, uint64_t max, const char *path,
         struct v2v_error **err)
{
  char buf[65536];
  uint64_t done = 0;
  ssize_t n;

  while ((n = pread (in, buf, sizeof buf, (off_t) done)) > 0) {
    ssize_t put = 0;

    done += (uint64_t) n;
    if (done > max)
      return v2v_fail (err, V2V_ERR_GUEST,
                       "%s in the guest has more than %" PRIu64 " bytes", path,
                       max);
    while (put < n) {
      const ssize_t w = write (out, buf + put, (size_t) (n - put));

      if (w == -1 && errno != EINTR)
        return v2v_fail_errno (err, "%s", path);
      if (w > 0)
        put += w;
    }
  }
  return n == -1 ? v2v_fail_errno (err, "%s", path) : 0;
}

static int
folder_download (void *h, const char *path, int out, uint64_t max,
                 struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_RDONLY | O_NONBLOCK, 0);

  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  return copy_fd (fd, out, max, path, err);
}

static int
folder_upload (void *h, int in, const char *path, uint32_t mode, uint32_t uid,
               uint32_t gid, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd =
      open_in (h, path, O_WRONLY | O_CREAT | O_TRUNC, (mode_t) mode);

  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  if (copy_fd (in, fd, UINT64_MAX, path, err) == -1)
    return -1;
  if ((geteuid () == 0 && fchown (fd, uid, gid) == -1) ||
      fchmod (fd, (mode_t) mode) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* Best effort: the file system of a test need not have any. */
static int
folder_copy_attributes (void *h, const char *from, const char *to,
                        struct v2v_error **err)
{
  CLEANUP_CLOSE int in = open_in (h, from, O_RDONLY, 0);
  CLEANUP_CLOSE int out = open_in (h, to, O_RDONLY, 0);
  CLEANUP_FREE char *names = malloc (MAX_XATTR_NAMES);
  CLEANUP_FREE char *value = malloc (MAX_XATTR_VALUE);
  ssize_t len;

  if (names == NULL || value == NULL)
    return v2v_fail_nomem (err);
  if (in == -1 || out == -1)
    return 0;
  len = flistxattr (in, names, MAX_XATTR_NAMES);
  for (ssize_t i = 0; i < len; i += (ssize_t) strlen (names + i) + 1) {
    const ssize_t n = fgetxattr (in, names + i, value, MAX_XATTR_VALUE);

    if (n != -1)
      fsetxattr (out, names + i, value, (size_t) n, 0);
  }
  return 0;
}

static int
folder_mkdir (void *h, const char *path, uint32_t mode, struct v2v_error **err)
{
  const char *name;
  CLEANUP_CLOSE int fd = open_parent (h, path, &name, err);

  if (fd == -1)
    return -1;
  if (mkdirat (fd, name, (mode_t) mode) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
folder_remove (void *h, const char *path, struct v2v_error **err)
{
  const char *name;
  CLEANUP_CLOSE int fd = open_parent (h, path, &name, err);

  if (fd == -1)
    return -1;
  if (unlinkat (fd, name, 0) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* Remove all that is in the folder DIR_FD (closed), never through a link. */
static int
empty_folder (int dir_fd)
{
  CLEANUP_CLOSEDIR DIR *dir = fdopendir (dir_fd);
  struct dirent *d;

  if (dir == NULL) {
    close (dir_fd);
    return -1;
  }
  while ((d = readdir (dir)) != NULL) {
    int fd;

    if (strcmp (d->d_name, ".") == 0 || strcmp (d->d_name, "..") == 0)
      continue;
    if (unlinkat (dirfd (dir), d->d_name, 0) == 0)
      continue;
    if (errno != EISDIR && errno != EPERM)
      return -1;
    fd = openat (dirfd (dir), d->d_name,
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1 || empty_folder (fd) == -1 ||
        unlinkat (dirfd (dir), d->d_name, AT_REMOVEDIR) == -1)
      return -1;
  }
  return 0;
}

static int
folder_remove_tree (void *h, const char *path, struct v2v_error **err)
{
  const char *name;
  CLEANUP_CLOSE int parent = open_parent (h, path, &name, err);
  int fd;

  if (parent == -1)
    return -1;
  fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1 || empty_folder (fd) == -1 ||
      unlinkat (parent, name, AT_REMOVEDIR) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
folder_rename (void *h, const char *from, const char *to,
               struct v2v_error **err)
{
  const char *from_name, *to_name;
  CLEANUP_CLOSE int from_fd = open_parent (h, from, &from_name, err);
  CLEANUP_CLOSE int to_fd =
      from_fd == -1 ? -1 : open_parent (h, to, &to_name, err);

  if (to_fd == -1)
    return -1;
  if (renameat (from_fd, from_name, to_fd, to_name) == -1)
    return v2v_fail_errno (err, "%s to %s", from, to);
  return 0;
}

static int
folder_symlink (void *h, const char *target, const char *path,
                struct v2v_error **err)
{
  const char *name;
  CLEANUP_CLOSE int fd = open_parent (h, path, &name, err);

  if (fd == -1)
    return -1;
  if (symlinkat (target, fd, name) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
folder_chmod (void *h, const char *path, uint32_t mode, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_RDONLY | O_NONBLOCK, 0);

  if (fd == -1 || fchmod (fd, (mode_t) mode) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
folder_chown (void *h, const char *path, uint32_t uid, uint32_t gid,
              struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_RDONLY | O_NONBLOCK, 0);

  if (fd == -1 || fchown (fd, uid, gid) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
folder_space (void *h, const char *path, struct v2v_guest_space *ret,
              struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open_in (h, path, O_PATH, 0);
  struct statvfs st;

  if (fd == -1 || fstatvfs (fd, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  ret->total_bytes = st.f_blocks * st.f_frsize;
  ret->free_bytes = st.f_bavail * st.f_frsize;
  ret->free_inodes = st.f_files == 0 ? UINT64_MAX : st.f_favail;
  return 0;
}

static void
folder_close (void *h)
{
  struct folder *f = h;

  close (f->fd);
  free (f);
}

static const struct v2v_guest_ops folder_ops = {
  .name = "folder",
  .stat = folder_stat,
  .list = folder_list,
  .readlink = folder_readlink,
  .read = folder_read,
  .download = folder_download,
  .upload = folder_upload,
  .copy_attributes = folder_copy_attributes,
  .mkdir = folder_mkdir,
  .remove = folder_remove,
  .remove_tree = folder_remove_tree,
  .rename = folder_rename,
  .symlink = folder_symlink,
  .chmod = folder_chmod,
  .chown = folder_chown,
  .space = folder_space,
  .close = folder_close,
};

struct v2v_guest *
v2v_guest_open_folder (const char *path, struct v2v_error **err)
{
  struct folder *f = calloc (1, sizeof *f);
  struct v2v_guest *g;

  if (f == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  f->fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->fd == -1) {
    v2v_fail_errno (err, "%s", path);
    free (f);
    return NULL;
  }
  g = v2v_guest_new (&folder_ops, f, err);
  if (g == NULL)
    folder_close (f);
  return g;
}
