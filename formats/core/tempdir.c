/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary folders and their owners.
 *
 *   BASE/v2v-tmp.XXXXXX/.owner    locked (flock(2)) as long as the owner lives:
 *                                 the kernel gives the lock back however it
 *                                 ends, and a number that is used again
 *                                 misleads nobody
 *   BASE/v2v-tmp.XXXXXX/.adopted.NAME  a link to a folder NAME that goes with it
 *
 * The lock is taken before the file has its name, so a folder whose .owner can
 * be locked has none any more.  A folder without one is being made, or its
 * maker was killed in that moment: it is empty, and stays.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/tempdir.h"

#define PREFIX  "v2v-tmp."
#define OWNER   ".owner"
#define ADOPTED ".adopted."

struct v2v_tempdir {
  char *path;
  int owner;
};

/* ---- removing ---- */

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st;
  (void) type;
  (void) ftw;
  remove (path);
  return 0;
}

void
v2v_remove_tree (const char *path)
{
  nftw (path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A folder that is ours, and that nobody else has written to: what a stranger
 * puts into /tmp is not touched. */
static bool
is_ours (int dirfd, const char *name)
{
  struct stat st;

  return fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR (st.st_mode) && st.st_uid == geteuid () &&
         (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static void
remove_adopted (int fd, const char *name)
{
  char path[PATH_MAX];
  const ssize_t n = readlinkat (fd, name, path, sizeof path - 1);

  if (n <= 0)
    return;
  path[n] = '\0';
  if (path[0] == '/' && is_ours (AT_FDCWD, path))
    v2v_remove_tree (path);
}

/* The owner of FOLDER is gone. */
static void
remove_orphan (int fd, const char *folder)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir (folder);
  struct dirent *d;

  while (dir != NULL && (d = readdir (dir)) != NULL)
    if (strncmp (d->d_name, ADOPTED, sizeof ADOPTED - 1) == 0)
      remove_adopted (fd, d->d_name);
  v2v_debug ("%s: its owner is gone: removed", folder);
  v2v_remove_tree (folder);
}

/* Remove NAME in BASE if it is a folder of ours whose owner is gone. */
static void
look_at (const char *base, int base_fd, const char *name)
{
  CLEANUP_CLOSE int fd = -1, owner = -1;
  CLEANUP_FREE char *path = NULL;

  if (!is_ours (base_fd, name))
    return;
  fd = openat (base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1)
    return;
  owner = openat (fd, OWNER, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (owner == -1 || flock (owner, LOCK_EX | LOCK_NB) == -1)
    return;
  if (asprintf (&path, "%s/%s", base, name) == -1)
    path = NULL;
  else
    remove_orphan (fd, path);
}

static void
remove_orphans (const char *base)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir (base);
  struct dirent *d;

  while (dir != NULL && (d = readdir (dir)) != NULL)
    if (strncmp (d->d_name, PREFIX, sizeof PREFIX - 1) == 0)
      look_at (base, dirfd (dir), d->d_name);
}

/* ---- life ---- */

/* .owner appears when it is locked. */
static int
take_ownership (struct v2v_tempdir *t, struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL, *fresh = NULL;

  if (asprintf (&name, "%s/" OWNER, t->path) == -1) {
    name = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&fresh, "%s.new", name) == -1) {
    fresh = NULL;
    return v2v_fail_nomem (err);
  }
  t->owner = open (fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  /* Without locks (some network file systems) nothing is cleared up. */
  if (t->owner == -1 || flock (t->owner, LOCK_EX | LOCK_NB) == -1)
    return t->owner == -1 ? v2v_fail_errno (err, "%s", fresh) : 0;
  if (rename (fresh, name) == -1)
    return v2v_fail_errno (err, "%s", name);
  return 0;
}

struct v2v_tempdir *
v2v_tempdir_new (const char *base, struct v2v_error **err)
{
  struct v2v_tempdir *t = calloc (1, sizeof *t);
  const char *tmp = getenv ("TMPDIR");

  if (base == NULL)
    base = tmp != NULL && tmp[0] == '/' ? tmp : "/var/tmp";
  if (t == NULL || asprintf (&t->path, "%s/" PREFIX "XXXXXX", base) == -1) {
    free (t);
    v2v_fail_nomem (err);
    return NULL;
  }
  t->owner = -1;
  remove_orphans (base);
  if (mkdtemp (t->path) == NULL) {
    v2v_fail_errno (err, "%s", t->path);
    free (t->path);
    free (t);
    return NULL;
  }
  if (take_ownership (t, err) == -1) {
    v2v_tempdir_free (t);
    return NULL;
  }
  return t;
}

const char *
v2v_tempdir_path (const struct v2v_tempdir *t)
{
  return t->path;
}

void
v2v_tempdir_adopt (struct v2v_tempdir *t, const char *path)
{
  CLEANUP_FREE char *name = NULL;
  const char *slash = strrchr (path, '/');

  if (slash == NULL ||
      asprintf (&name, "%s/" ADOPTED "%s", t->path, slash + 1) == -1) {
    name = NULL;
    return;
  }
  if (symlink (path, name) == -1 && errno != EEXIST)
    v2v_debug ("%s: %s", name, strerror (errno));
}

void
v2v_tempdir_free (struct v2v_tempdir *t)
{
  if (t == NULL)
    return;
  v2v_remove_tree (t->path);
  if (t->owner != -1)
    close (t->owner);
  free (t->path);
  free (t);
}
