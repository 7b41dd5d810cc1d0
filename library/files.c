/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a share: everything below an open folder, never through a link. */

#include <config.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "library/library-internal.h"

/* A marker is a line of JSON. */
#define MAX_MARKER 65536

/* ---- paths ---- */

bool
lib_path_ok (const char *path, struct v2v_error **err)
{
  unsigned depth = 0;

  if (path[0] == '\0' || strlen (path) > LIB_MAX_PATH ||
      !v2v_is_valid_utf8 (path, strlen (path))) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "'%.80s' is no name for a file of the library: it must be UTF-8 "
              "of at most %d bytes",
              path, LIB_MAX_PATH);
    return false;
  }
  for (const char *p = path;; ++p) {
    const size_t n = strcspn (p, "/");

    for (size_t i = 0; i < n; ++i)
      if ((unsigned char) p[i] < 0x20 || p[i] == 0x7f || p[i] == '\\')
        depth = LIB_MAX_DEPTH;
    if (n == 0 || n > NAME_MAX || p[0] == '.' || ++depth > LIB_MAX_DEPTH) {
      v2v_fail (err, V2V_ERR_FORMAT,
                "'%s' is no name for a file of the library: hidden names, "
                "control characters, '\\' and more than %d folders are not "
                "taken",
                path, LIB_MAX_DEPTH);
      return false;
    }
    p += n;
    if (*p == '\0')
      return true;
  }
}

char *
lib_join (const char *dir, const char *path, struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s/%s", dir, path) != -1)
    return s;
  v2v_fail_nomem (err);
  return NULL;
}

int
lib_walk (int root, const char *path, bool create, const char **ret_leaf)
{
  int fd = fcntl (root, F_DUPFD_CLOEXEC, 3);

  for (;;) {
    const char *slash = strchr (path, '/');
    char name[NAME_MAX + 1];
    int next;

    if (fd == -1)
      return -1;
    if (slash == NULL) {
      *ret_leaf = path;
      return fd;
    }
    assert (slash - path <= NAME_MAX);
    memcpy (name, path, (size_t) (slash - path));
    name[slash - path] = '\0';
    next = openat (fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next == -1 && errno == ENOENT && create &&
        (mkdirat (fd, name, 0777) == 0 || errno == EEXIST)) {
      fsync (fd); /* some file systems cannot: the rename's sync tells */
      next = openat (fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    close (fd);
    fd = next;
    path = slash + 1;
  }
}

int
lib_unlink (int root, const char *path)
{
  const char *leaf;
  CLEANUP_CLOSE int fd = lib_walk (root, path, false, &leaf);

  return fd == -1 ? -1 : unlinkat (fd, leaf, 0);
}

int
lib_stat (int root, const char *path, struct stat *ret)
{
  const char *leaf;
  CLEANUP_CLOSE int fd = lib_walk (root, path, false, &leaf);

  return fd == -1 ? -1 : fstatat (fd, leaf, ret, AT_SYMLINK_NOFOLLOW);
}

int64_t
lib_mtime (const struct stat *st)
{
  int64_t ns;

  /* A year beyond 2262 does not fit and is no time of a file. */
  if (__builtin_mul_overflow ((int64_t) st->st_mtim.tv_sec, 1000000000, &ns) ||
      __builtin_add_overflow (ns, (int64_t) st->st_mtim.tv_nsec, &ns))
    return 0;
  return ns;
}

/* Some file systems cannot sync a folder: EINVAL there is no failure. */
static int
sync_folder (int fd)
{
  return fsync (fd) == -1 && errno != EINVAL ? -1 : 0;
}

/* A rename that never replaces; where the file system cannot, by a link that
 * fails if the name is there. */
static int
rename_new (int from_fd, const char *from, int to_fd, const char *to)
{
  if (renameat2 (from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  if (linkat (from_fd, from, to_fd, to, 0) == 0)
    return unlinkat (from_fd, from, 0);
  if (errno == EPERM || errno == EOPNOTSUPP) { /* no links: SMB, FAT */
    struct stat st;

    if (fstatat (to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
      errno = EEXIST;
      return -1;
    }
    return renameat (from_fd, from, to_fd, to);
  }
  return -1;
}

int
lib_publish (int root, const char *from, const char *to)
{
  const char *from_leaf, *to_leaf;
  CLEANUP_CLOSE int from_fd = lib_walk (root, from, false, &from_leaf);
  CLEANUP_CLOSE int to_fd =
      from_fd == -1 ? -1 : lib_walk (root, to, true, &to_leaf);

  if (to_fd == -1 || rename_new (from_fd, from_leaf, to_fd, to_leaf) == -1)
    return -1;
  return sync_folder (to_fd);
}

void
lib_remove_empty_folders (int root, const char *path)
{
  CLEANUP_FREE char *dir = strdup (path);
  char *slash;

  /* "disk/web/web.vmdk": "disk" stays, others may be about to use it. */
  while (dir != NULL && (slash = strrchr (dir, '/')) != NULL) {
    const char *leaf;
    int fd, r;

    *slash = '\0';
    if (strchr (dir, '/') == NULL)
      return;
    fd = lib_walk (root, dir, false, &leaf);
    r = fd == -1 ? -1 : unlinkat (fd, leaf, AT_REMOVEDIR);
    if (fd != -1)
      close (fd);
    if (r == -1)
      return;
  }
}

/* Takes over FD. */
static int
empty_folder (int fd, unsigned depth)
{
  CLEANUP_CLOSEDIR DIR *dp = fd == -1 ? NULL : fdopendir (fd);
  struct dirent *e;

  if (dp == NULL) {
    if (fd != -1)
      close (fd);
    return -1;
  }
  while ((e = readdir (dp)) != NULL) {
    if (strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0 ||
        unlinkat (dirfd (dp), e->d_name, 0) == 0 || errno == ENOENT)
      continue;
    if ((errno != EISDIR && errno != EPERM) || depth == LIB_MAX_DEPTH ||
        empty_folder (openat (dirfd (dp), e->d_name,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                      depth + 1) == -1 ||
        (unlinkat (dirfd (dp), e->d_name, AT_REMOVEDIR) == -1 &&
         errno != ENOENT))
      return -1;
  }
  return 0;
}

int
lib_remove_tree (int root, const char *path)
{
  const char *leaf;
  CLEANUP_CLOSE int fd = lib_walk (root, path, false, &leaf);
  int dir;

  if (fd == -1)
    return errno == ENOENT ? 0 : -1;
  dir = openat (fd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir == -1)
    return errno == ENOENT ? 0 : -1;
  if (empty_folder (dir, 0) == -1)
    return -1;
  return unlinkat (fd, leaf, AT_REMOVEDIR) == -1 && errno != ENOENT ? -1 : 0;
}

/* ---- the marker ---- */

static int
read_marker_text (int dir_fd, char **ret)
{
  CLEANUP_CLOSE int fd = openat (
      dir_fd, LIB_MARKER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  CLEANUP_FREE char *text = calloc (1, MAX_MARKER + 1);
  size_t len = 0;
  ssize_t n;

  if (fd == -1 || text == NULL)
    return -1;
  while (len < MAX_MARKER &&
         (n = read (fd, text + len, MAX_MARKER - len)) != 0) {
    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return -1;
    len += (size_t) n;
  }
  *ret = STEAL (text);
  return 0;
}

int
lib_read_marker (int dir_fd, const char *dir, char **ret_id, char **ret_name,
                 struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct v2v_guid guid;
  const char *id, *name;

  *ret_id = *ret_name = NULL;
  if (read_marker_text (dir_fd, &text) == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s/%s", dir, LIB_MARKER);
  o = v2v_json_parse (text, strlen (text), LIB_MARKER, err);
  if (o == NULL)
    return v2v_prefix (err, "%s", dir);
  id = v2v_json_get_string (o, "id");
  name = v2v_json_get_string (o, "name");
  if (id == NULL || name == NULL || !v2v_guid_parse (id, &guid))
    return v2v_fail (err, V2V_ERR_FORMAT, "%s/%s: no id or no name of a share",
                     dir, LIB_MARKER);
  *ret_id = strdup (id);
  *ret_name = strdup (name);
  if (*ret_id != NULL && *ret_name != NULL)
    return 0;
  free (STEAL (*ret_id));
  free (STEAL (*ret_name));
  return v2v_fail_nomem (err);
}

int
lib_share_fd (const struct v2v_share *share, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (share->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CLEANUP_FREE char *id = NULL;
  CLEANUP_FREE char *name = NULL;

  if (fd == -1) {
    v2v_fail_errno (err, "share '%s': %s", share->name, share->path);
    return v2v_hint (err, "is it mounted? 'v2v library add-share' tells where "
                          "it is now");
  }
  if (lib_read_marker (fd, share->path, &id, &name, err) == -1)
    return -1;
  if (id == NULL || strcmp (id, share->id) != 0) {
    /* An empty mount point, most likely. */
    errno = ENOENT;
    v2v_fail_errno (err, "share '%s': %s is not this share", share->name,
                    share->path);
    return v2v_hint (err, "is it mounted? 'v2v library add-share' tells where "
                          "it is now");
  }
  return STEAL_FD (fd);
}

/* ---- digests ---- */

void
lib_digest_bytes (const void *bytes, size_t len, char ret[LIB_DIGEST_SIZE])
{
  uint8_t digest[V2V_SHA256_SIZE];

  v2v_sha256 (bytes, len, digest);
  memcpy (ret, "sha256:", 7);
  v2v_hex (digest, sizeof digest, ret + 7);
}

static void
format_disk_digest (const struct v2v_disk_digest *d, char ret[LIB_DIGEST_SIZE])
{
  memcpy (ret, "sha256-2m:", 10);
  v2v_hex (d->root, sizeof d->root, ret + 10);
}

/* All of a file that is not large; the caller frees. */
static void *
read_small (struct v2v_io *io, struct v2v_error **err)
{
  const size_t len = (size_t) v2v_io_size (io);
  CLEANUP_FREE char *buf = malloc (len + 1);

  if (buf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > 0 && v2v_io_pread (io, buf, len, 0, err) == -1)
    return NULL;
  return STEAL (buf);
}

static struct v2v_image *
open_raw (struct v2v_io *io, struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .format = "raw" };

  return v2v_image_open_io (io, &opts, err);
}

static int
digest_large (struct v2v_io *io, const struct v2v_copy_opts *opts,
              char ret[LIB_DIGEST_SIZE], struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *img = open_raw (io, err);
  struct v2v_copy_opts own = opts ? *opts : (struct v2v_copy_opts){ 0 };
  struct v2v_disk_digest *d;

  if (img == NULL)
    return -1;
  own.item = v2v_io_name (io);
  d = v2v_image_digest (img, &own, err);
  if (d == NULL)
    return -1;
  format_disk_digest (d, ret);
  v2v_disk_digest_free (d);
  return 0;
}

int
lib_digest (const char *path, const struct v2v_copy_opts *opts,
            char ret[LIB_DIGEST_SIZE], uint64_t *ret_size, int64_t *ret_mtime,
            struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = v2v_io_open (path, 0, err);
  struct stat st;

  if (io == NULL)
    return -1;
  /* Before it is read: a change meanwhile shows in the next look. */
  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  if (v2v_io_size (io) > LIB_LARGE) {
    if (digest_large (io, opts, ret, err) == -1)
      return -1;
  }
  else {
    CLEANUP_FREE void *bytes = read_small (io, err);

    if (bytes == NULL)
      return -1;
    lib_digest_bytes (bytes, (size_t) v2v_io_size (io), ret);
  }
  if (ret_size != NULL)
    *ret_size = v2v_io_size (io);
  if (ret_mtime != NULL)
    *ret_mtime = lib_mtime (&st);
  return 0;
}

/* ---- copying ---- */

/* A new file LEAF in the folder DIR, synced; PATH is for messages. */
static int
write_new (int dir, const char *leaf, const char *path, const void *bytes,
           size_t len, struct v2v_error **err)
{
  const char *p = bytes;
  CLEANUP_CLOSE int fd = openat (
      dir, leaf, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  while (len > 0) {
    const ssize_t n = write (fd, p, len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return v2v_fail_errno (err, "%s: write", path);
    p += n;
    len -= (size_t) n;
  }
  if (fsync (fd) == -1)
    return v2v_fail_errno (err, "%s: fsync", path);
  if (close (STEAL_FD (fd)) == -1)
    return v2v_fail_errno (err, "%s: close", path);
  return 0;
}

int
lib_write (int root, const char *path, const void *bytes, size_t len,
           struct v2v_error **err)
{
  const char *leaf;
  CLEANUP_CLOSE int dir = lib_walk (root, path, false, &leaf);

  if (dir == -1)
    return v2v_fail_errno (err, "%s", path);
  return write_new (dir, leaf, path, bytes, len, err);
}

static int
changed (const char *path, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_MISMATCH,
                   "%s: has changed since its digest was computed", path);
}

static int
copy_small (struct v2v_io *io, const char *to, const char *digest,
            struct v2v_error **err)
{
  CLEANUP_FREE void *bytes = read_small (io, err);
  char now[LIB_DIGEST_SIZE];

  if (bytes == NULL)
    return -1;
  lib_digest_bytes (bytes, (size_t) v2v_io_size (io), now);
  if (strcmp (now, digest) != 0)
    return changed (v2v_io_name (io), err);
  return write_new (AT_FDCWD, to, to, bytes, (size_t) v2v_io_size (io), err);
}

/* By the copy engine: parallel, sparse, blocks shared where possible.  Shared
 * blocks were not read, so the new file is. */
static int
copy_large (struct v2v_io *io, const char *to, const char *digest,
            const struct v2v_copy_opts *opts, struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *src = open_raw (io, err);
  CLEANUP_IO struct v2v_io *out =
      src ? v2v_io_create_part (to, V2V_IO_EARLY_WRITEBACK, err) : NULL;
  const struct v2v_create_opts create = { .size_bytes =
                                              src ? v2v_image_size (src) : 0 };
  CLEANUP_IMAGE struct v2v_image *dst =
      out ? v2v_image_create_io (out, "raw", &create, err) : NULL;
  struct v2v_copy_opts own = opts ? *opts : (struct v2v_copy_opts){ 0 };
  struct v2v_copy_result result = { 0 };
  char now[LIB_DIGEST_SIZE] = "";
  int r;

  if (dst == NULL)
    return -1;
  own.digest = true;
  own.allow_deferred = true;
  own.item = v2v_io_name (io);
  r = v2v_copy (src, dst, &own, &result, err);
  if (r == 0 && result.digest != NULL && !result.digest_deferred)
    format_disk_digest (result.digest, now);
  v2v_copy_result_clear (&result);
  if (r == -1 || v2v_image_finish (dst, err) == -1 ||
      v2v_io_resize (out, v2v_io_size (io), err) == -1)
    return -1;
  if (now[0] == '\0' && digest_large (out, opts, now, err) == -1)
    return -1;
  if (strcmp (now, digest) != 0)
    return changed (v2v_io_name (io), err);
  return v2v_io_publish (out, err);
}

int
lib_copy (const char *from, const char *to, const char *digest,
          const struct v2v_copy_opts *opts, struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = v2v_io_open (from, 0, err);

  if (io == NULL)
    return -1;
  return v2v_io_size (io) > LIB_LARGE ? copy_large (io, to, digest, opts, err)
                                      : copy_small (io, to, digest, err);
}
