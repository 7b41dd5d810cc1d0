/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Depositing a result folder.
 *
 * DIR/.NAME.part        the working folder
 * DIR/.NAME.part.lock   held (flock) while a run works on it; it also says
 *                       that the working folder is one of ours
 * DIR/NAME              the result: the working folder, renamed
 *
 * The rename is the one step that shows anything, and it never replaces.
 * Everything is done relative to an open descriptor of DIR, so that a folder
 * that is moved or exchanged meanwhile does not lead us astray.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "library/deposit.h"

/* NAME, NAME-2 ... NAME-9999: more machines of one name in one folder are a
 * mistake of the caller's. */
#define MAX_CLASHES 9999
/* Originals keep their folders: a guest's path has up to 4095 bytes, and no
 * file that is saved lies this deep. */
#define MAX_DEPTH 64

struct v2v_deposit {
  char *dir;  /* as the user wrote it */
  char *base; /* safe name without number */
  char *name; /* safe name, numbered if need be */
  char *part; /* ".NAME.part" */
  char *lock; /* ".NAME.part.lock" */
  int dir_fd;
  int part_fd;
  int lock_fd; /* -1 once released */
  bool made_dir;
  bool exact; /* no number is added to the name */
  bool defer_sync;
  bool keep;
  bool committed;
};

/* ---- the folder DIR ---- */

/* mkdir -p.  *RET_MADE: the last part was made by us. */
static int
make_folders (const char *dir, bool *ret_made, struct v2v_error **err)
{
  CLEANUP_FREE char *path = strdup (dir);
  char *p;

  *ret_made = false;
  if (path == NULL)
    return v2v_fail_nomem (err);
  for (p = path + strspn (path, "/");; ++p) {
    char c;

    p += strcspn (p, "/");
    c = *p;
    *p = '\0';
    if (mkdir (path, 0777) == 0)
      *ret_made = true;
    else if (errno != EEXIST)
      return v2v_fail_errno (err, "%s", path);
    else
      *ret_made = false;
    *p = c;
    if (c == '\0' || p[strspn (p, "/")] == '\0')
      return 0;
  }
}

static int
open_dir (struct v2v_deposit *d, struct v2v_error **err)
{
  if (d->dir[0] == '\0')
    return v2v_fail (err, V2V_ERR_USAGE, "the output folder has no name");
  d->dir_fd = open (d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (d->dir_fd == -1 && errno == ENOENT) {
    if (make_folders (d->dir, &d->made_dir, err) == -1)
      return -1;
    d->dir_fd = open (d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (d->dir_fd == -1)
    return v2v_fail_errno (err, "%s", d->dir);
  return 0;
}

/* ---- names ---- */

static bool
exists (int dir_fd, const char *name)
{
  struct stat st;

  return fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Set name, part and lock to those of number N. */
static int
set_names (struct v2v_deposit *d, unsigned n, struct v2v_error **err)
{
  free (STEAL (d->name));
  free (STEAL (d->part));
  free (STEAL (d->lock));
  if ((n == 1 ? asprintf (&d->name, "%s", d->base)
              : asprintf (&d->name, "%s-%u", d->base, n)) == -1) {
    d->name = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&d->part, ".%s.part", d->name) == -1) {
    d->part = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&d->lock, "%s.lock", d->part) == -1) {
    d->lock = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

static int
refuse_taken (const struct v2v_deposit *d, struct v2v_error **err)
{
  v2v_fail (err, V2V_ERR_USAGE, "%s/%s is there already", d->dir, d->name);
  return v2v_hint (err, "choose another name or folder");
}

/* A name that is free; or, to resume, the first that was begun. */
static int
choose_name (struct v2v_deposit *d, bool resume, struct v2v_error **err)
{
  for (unsigned n = 1; resume && n <= MAX_CLASHES; ++n) {
    if (set_names (d, n, err) == -1)
      return -1;
    if (exists (d->dir_fd, d->part))
      return 0;
    if (!exists (d->dir_fd, d->name))
      break; /* numbers are given without gaps */
  }
  for (unsigned n = 1; n <= MAX_CLASHES; ++n) {
    if (set_names (d, n, err) == -1)
      return -1;
    if (!exists (d->dir_fd, d->name))
      return 0;
    if (d->exact)
      return refuse_taken (d, err);
  }
  return v2v_fail (err, V2V_ERR_USAGE,
                   "%s: %s and the %d names after it are "
                   "taken",
                   d->dir, d->base, MAX_CLASHES - 1);
}

/* ---- the lock and the working folder ---- */

/* Open and lock the file.  A run that ends unlinks it while holding it, so
 * what we locked must still be what the name stands for.
 */
static int
take_lock (struct v2v_deposit *d, struct v2v_error **err)
{
  for (;;) {
    struct stat ours, named;
    const int fd =
        openat (d->dir_fd, d->lock,
                O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);

    if (fd == -1)
      return v2v_fail_errno (err, "%s/%s", d->dir, d->lock);
    if (flock (fd, LOCK_EX | LOCK_NB) == -1) {
      const int e = errno;

      close (fd);
      if (e == EWOULDBLOCK) {
        v2v_fail (err, V2V_ERR_USAGE,
                  "%s/%s: another run is making it at this moment", d->dir,
                  d->name);
        return v2v_hint (err, "wait for it, or choose another name or folder");
      }
      errno = e;
      return v2v_fail_errno (err, "%s/%s: lock", d->dir, d->lock);
    }
    if (fstat (fd, &ours) == 0 &&
        fstatat (d->dir_fd, d->lock, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_dev == named.st_dev && ours.st_ino == named.st_ino) {
      d->lock_fd = fd;
      return 0;
    }
    close (fd);
  }
}

static void
release_lock (struct v2v_deposit *d)
{
  if (d->lock_fd == -1)
    return;
  unlinkat (d->dir_fd, d->lock, 0);
  close (STEAL_FD (d->lock_fd)); /* unlocks */
}

/* Remove all that is in the folder FD (taken over), never through a link;
 * *RET_NAME is what could not be removed. */
static int
empty_fd (int fd, unsigned depth, char ret_name[NAME_MAX + 1])
{
  CLEANUP_CLOSEDIR DIR *dp = fd == -1 ? NULL : fdopendir (fd);
  struct dirent *e;

  if (dp == NULL) {
    if (fd != -1)
      close (fd);
    return -1;
  }
  rewinddir (dp);
  while ((e = readdir (dp)) != NULL) {
    if (strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0 ||
        unlinkat (dirfd (dp), e->d_name, 0) == 0)
      continue;
    snprintf (ret_name, NAME_MAX + 1, "%s", e->d_name);
    if ((errno != EISDIR && errno != EPERM) || depth == MAX_DEPTH ||
        empty_fd (openat (dirfd (dp), e->d_name,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                  depth + 1, ret_name) == -1 ||
        unlinkat (dirfd (dp), e->d_name, AT_REMOVEDIR) == -1)
      return -1;
  }
  return 0;
}

/* Remove what is in the working folder: disks, and what belongs to the guest
 * (overlays, originals) in folders. */
static int
empty_folder (struct v2v_deposit *d, struct v2v_error **err)
{
  char name[NAME_MAX + 1] = ".";

  if (empty_fd (fcntl (d->part_fd, F_DUPFD_CLOEXEC, 3), 0, name) == -1)
    return v2v_fail_errno (err, "%s/%s/%s: remove", d->dir, d->part, name);
  return 0;
}

int
v2v_deposit_remove_folder (struct v2v_deposit *d, const char *name,
                           struct v2v_error **err)
{
  char inside[NAME_MAX + 1] = ".";
  int fd;

  if (!v2v_check_plain_name (name, err))
    return -1;
  fd = openat (d->part_fd, name,
               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1 && errno == ENOENT)
    return 0;
  if (fd == -1 || empty_fd (fd, 0, inside) == -1 ||
      unlinkat (d->part_fd, name, AT_REMOVEDIR) == -1)
    return v2v_fail_errno (err, "%s/%s/%s: remove", d->dir, d->part, name);
  return 0;
}

static int
open_part (struct v2v_deposit *d, bool had_lock, bool resume,
           struct v2v_error **err)
{
  bool made = true;

  if (mkdirat (d->dir_fd, d->part, 0777) == -1) {
    if (errno != EEXIST)
      return v2v_fail_errno (err, "%s/%s", d->dir, d->part);
    made = false;
  }
  d->part_fd = openat (d->dir_fd, d->part,
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (d->part_fd == -1)
    return v2v_fail_errno (err, "%s/%s", d->dir, d->part);
  if (made || resume)
    return 0;
  if (!had_lock) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s/%s is in the way, and not a folder that "
              "a conversion left there",
              d->dir, d->part);
    return v2v_hint (err, "move it away first");
  }
  v2v_log_info ("%s/%s: removing what an earlier run left unfinished", d->dir,
                d->part);
  return empty_folder (d, err);
}

static struct v2v_deposit *
begin (const char *dir, const char *name, bool resume, bool exact,
       struct v2v_error **err)
{
  struct v2v_deposit *d = calloc (1, sizeof *d);
  bool had_lock = true;

  if (d == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  d->dir_fd = d->part_fd = d->lock_fd = -1;
  d->keep = true; /* until the folder is ours */
  d->exact = exact;
  d->dir = strdup (dir);
  d->base = v2v_safe_name (name);
  if (d->dir == NULL || d->base == NULL) {
    v2v_fail_nomem (err);
    goto error;
  }
  if (open_dir (d, err) == -1 || choose_name (d, resume, err) == -1)
    goto error;
  had_lock = exists (d->dir_fd, d->lock);
  if (take_lock (d, err) == -1 || open_part (d, had_lock, resume, err) == -1)
    goto error;
  d->keep = false;
  return d;

error:
  if (!had_lock)
    release_lock (d); /* a lock left behind would claim a stranger's folder */
  v2v_deposit_close (d);
  return NULL;
}

struct v2v_deposit *
v2v_deposit_begin (const char *dir, const char *name, bool resume,
                   struct v2v_error **err)
{
  return begin (dir, name, resume, false, err);
}

struct v2v_deposit *
v2v_deposit_begin_new (const char *dir, const char *name,
                       struct v2v_error **err)
{
  return begin (dir, name, false, true, err);
}

/* ---- use ---- */

const char *
v2v_deposit_name (const struct v2v_deposit *d)
{
  return d->name;
}

char *
v2v_deposit_path (const struct v2v_deposit *d, const char *file,
                  struct v2v_error **err)
{
  char *path;

  if (!v2v_check_plain_name (file, err))
    return NULL;
  if (asprintf (&path, "%s/%s/%s", d->dir, d->committed ? d->name : d->part,
                file) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return path;
}

static int
write_file (struct v2v_deposit *d, const char *file, const void *bytes,
            unsigned long len, bool is_private, struct v2v_error **err)
{
  const char *p = bytes;
  CLEANUP_CLOSE int fd = -1;

  if (!v2v_check_plain_name (file, err))
    return -1;
  fd = openat (d->part_fd, file,
               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
               is_private ? 0600 : 0666);
  /* A run that was resumed may find an older file. */
  if (fd == -1 || (is_private && fchmod (fd, 0600) == -1))
    return v2v_fail_errno (err, "%s/%s/%s", d->dir, d->part, file);
  while (len > 0) {
    const ssize_t n = write (fd, p, len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return v2v_fail_errno (err, "%s/%s/%s: write", d->dir, d->part, file);
    p += n;
    len -= (unsigned long) n;
  }
  if (!d->defer_sync && fsync (fd) == -1)
    return v2v_fail_errno (err, "%s/%s/%s: fsync", d->dir, d->part, file);
  if (close (STEAL_FD (fd)) == -1)
    return v2v_fail_errno (err, "%s/%s/%s: close", d->dir, d->part, file);
  return 0;
}

int
v2v_deposit_write (struct v2v_deposit *d, const char *file, const void *bytes,
                   unsigned long len, struct v2v_error **err)
{
  return write_file (d, file, bytes, len, false, err);
}

int
v2v_deposit_write_private (struct v2v_deposit *d, const char *file,
                           const void *bytes, unsigned long len,
                           struct v2v_error **err)
{
  return write_file (d, file, bytes, len, true, err);
}

/* ---- the end ---- */

/* rename that does not replace.  File systems without RENAME_NOREPLACE: an
 * empty folder would be replaced, so look first; nobody but a holder of our
 * lock gives folders these names.
 */
static int
rename_noreplace (int dir_fd, const char *from, const char *to)
{
  if (renameat2 (dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  if (exists (dir_fd, to)) {
    errno = EEXIST;
    return -1;
  }
  return renameat (dir_fd, from, dir_fd, to);
}

static int
sync_folder (int fd, const char *what, struct v2v_error **err)
{
  /* Some file systems cannot sync a folder: EINVAL there is not our fault. */
  if (fsync (fd) == -1 && errno != EINVAL)
    return v2v_fail_errno (err, "%s: fsync", what);
  return 0;
}

void
v2v_deposit_defer_sync (struct v2v_deposit *d)
{
  d->defer_sync = true;
}

bool
v2v_deposit_is_deferred (const struct v2v_deposit *d)
{
  return d->defer_sync;
}

typedef int file_fn (struct v2v_deposit *d, int fd, const char *name,
                     struct v2v_error **err);

/* Call FN for each file of the working folder itself. */
static int
each_file (struct v2v_deposit *d, file_fn *fn, struct v2v_error **err)
{
  const int copy = openat (d->part_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CLEANUP_CLOSEDIR DIR *dp = copy == -1 ? NULL : fdopendir (copy);
  struct dirent *e;
  struct stat st;

  if (dp == NULL) {
    v2v_fail_errno (err, "%s/%s", d->dir, d->part);
    if (copy != -1)
      close (copy);
    return -1;
  }
  while ((e = readdir (dp)) != NULL) {
    CLEANUP_CLOSE int fd = -1;

    if (fstatat (copy, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
        !S_ISREG (st.st_mode))
      continue;
    fd = openat (copy, e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1)
      return v2v_fail_errno (err, "%s/%s/%s", d->dir, d->part, e->d_name);
    if (fn (d, fd, e->d_name, err) == -1)
      return -1;
  }
  return 0;
}

static int
start_file (struct v2v_deposit *d, int fd, const char *name,
            struct v2v_error **err)
{
  (void) d, (void) name, (void) err;
  /* Best effort: what could not be begun here is waited for later. */
  (void) sync_file_range (fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  return 0;
}

void
v2v_deposit_start_sync (struct v2v_deposit *d)
{
  if (d->defer_sync)
    (void) each_file (d, start_file, NULL);
}

/* The data of all files first: the log that the first fsync then writes has what
 * their ends and blocks have become, and the others find nothing left to do. */
static int
wait_file (struct v2v_deposit *d, int fd, const char *name,
           struct v2v_error **err)
{
  (void) d, (void) name, (void) err;
  (void) sync_file_range (fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
  return 0;
}

static int
sync_file (struct v2v_deposit *d, int fd, const char *name,
           struct v2v_error **err)
{
  if (fsync (fd) == -1)
    return v2v_fail_errno (err, "%s/%s/%s: fsync", d->dir, d->part, name);
  return 0;
}

int
v2v_deposit_sync (struct v2v_deposit *d, struct v2v_error **err)
{
  if (d->defer_sync && (each_file (d, wait_file, err) == -1 ||
                        each_file (d, sync_file, err) == -1))
    return -1;
  return sync_folder (d->part_fd, d->part, err);
}

int
v2v_deposit_publish (struct v2v_deposit *d, struct v2v_error **err)
{
  for (unsigned n = 1;; ++n) {
    if (rename_noreplace (d->dir_fd, d->part, d->name) == 0)
      break;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return v2v_fail_errno (err, "%s/%s: rename", d->dir, d->name);
    if (d->exact)
      return refuse_taken (d, err);
    if (n > MAX_CLASHES)
      return v2v_fail (err, V2V_ERR_USAGE, "%s/%s: taken meanwhile", d->dir,
                       d->name);
    /* Taken since we began: the next number.  The lock keeps its name. */
    free (STEAL (d->name));
    if (asprintf (&d->name, "%s-%u", d->base, n + 1) == -1) {
      d->name = NULL;
      return v2v_fail_nomem (err);
    }
  }
  d->committed = true;
  release_lock (d);
  return 0;
}

int
v2v_deposit_settle (struct v2v_deposit *d, struct v2v_error **err)
{
  return sync_folder (d->dir_fd, d->dir, err);
}

int
v2v_deposit_commit (struct v2v_deposit *d, struct v2v_error **err)
{
  v2v_deposit_start_sync (d);
  return v2v_deposit_sync (d, err) == -1 ||
                 v2v_deposit_publish (d, err) == -1 ||
                 v2v_deposit_settle (d, err) == -1
             ? -1
             : 0;
}

void
v2v_deposit_keep (struct v2v_deposit *d)
{
  d->keep = true;
}

void
v2v_deposit_close (struct v2v_deposit *d)
{
  if (d == NULL)
    return;
  if (!d->committed && !d->keep) {
    empty_folder (d, NULL);
    if (unlinkat (d->dir_fd, d->part, AT_REMOVEDIR) == -1)
      v2v_warn ("%s/%s: not removed: %s", d->dir, d->part, strerror (errno));
    else
      release_lock (d);
    if (d->made_dir)
      rmdir (d->dir); /* stays if something else is in it by now */
  }
  /* With keep, the lock file stays: it says whose the folder is. */
  if (d->lock_fd >= 0)
    close (d->lock_fd);
  if (d->part_fd >= 0)
    close (d->part_fd);
  if (d->dir_fd >= 0)
    close (d->dir_fd);
  free (d->dir);
  free (d->base);
  free (d->name);
  free (d->part);
  free (d->lock);
  free (d);
}
