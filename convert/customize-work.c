/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks, working folder and mark of v2v customize; see customize-work.h.
 * The locks are flock(2): they end with the run, however that ends.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "convert/customize-work.h"

#define SUFFIX ".v2v-customize"
#define MARK   "complete"
/* 64 disks (the command takes no more) with long paths are 300 KiB. */
#define MAX_MARK_BYTES ((size_t) 1024 * 1024)
#define MAX_OVERLAYS   64

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

static char *
join (const char *a, const char *b, struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s%s", a, b) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

static int
sync_folder (const char *path, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  /* Some file systems cannot sync a folder: EINVAL there is not our fault. */
  if (fd == -1 || (fsync (fd) == -1 && errno != EINVAL))
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

int
customize_sync_parent (const char *path, struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *dir = slash == NULL ? strdup (".")
                           : slash == path
                               ? strdup ("/")
                               : strndup (path, (size_t) (slash - path));

  return dir == NULL ? v2v_fail_nomem (err) : sync_folder (dir, err);
}

static bool
same_file (const struct stat *a, const struct stat *b)
{
  /* A device has several nodes. */
  if (S_ISBLK (a->st_mode) && S_ISBLK (b->st_mode))
    return a->st_rdev == b->st_rdev;
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- the disks ---- */

static int
open_disk (struct customize_disk *d, bool alone, struct v2v_error **err)
{
  /* NFS locks alone only what is opened for writing. */
  const int how = (alone ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;

  d->path = realpath (d->name, NULL);
  if (d->path != NULL)
    d->fd = open (d->path, how);
  if (d->fd == -1) {
    /* A URL, or a mistake: opening the image tells which. */
    d->open_errno = errno;
    free (STEAL (d->path));
    return 0;
  }
  if (fstat (d->fd, &d->st) == -1)
    return v2v_fail_errno (err, "%s", d->name);
  return 0;
}

int
customize_work_lock (struct customize_work *w, const char *const *names,
                     size_t nr, bool alone, struct v2v_error **err)
{
  w->folder_fd = -1;
  w->disks = calloc (nr ? nr : 1, sizeof *w->disks);
  if (w->disks == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < nr; ++i) {
    struct customize_disk *d = &w->disks[i];

    d->name = names[i];
    d->fd = -1;
    w->nr = i + 1;
    if (open_disk (d, alone, err) == -1)
      return -1;
    for (size_t k = 0; k < i && d->fd != -1; ++k)
      if (w->disks[k].fd != -1 && same_file (&w->disks[k].st, &d->st))
        return v2v_fail (err, V2V_ERR_USAGE, "'%s' and '%s' are the same disk",
                         w->disks[k].name, d->name);
    if (d->fd == -1)
      continue;
    /* A file system without locks (errno is another one) has to do without. */
    if (flock (d->fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == -1 &&
        errno == EWOULDBLOCK) {
      v2v_fail (err, V2V_ERR_USAGE, "%s: another run of v2v works on this disk",
                d->name);
      return v2v_hint (err, "wait until it has finished");
    }
    /* The run before us may have ended between the open and the lock. */
    if (fstat (d->fd, &d->st) == -1)
      return v2v_fail_errno (err, "%s", d->name);
  }
  return 0;
}

int
customize_work_need_files (const struct customize_work *w,
                           struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i)
    if (w->disks[i].fd == -1) {
      errno = w->disks[i].open_errno;
      return v2v_fail_errno (err, "%s", w->disks[i].name);
    }
  return 0;
}

void
customize_work_clear (struct customize_work *w)
{
  for (size_t i = 0; i < w->nr; ++i) {
    if (w->disks[i].fd != -1)
      close (w->disks[i].fd);
    free (w->disks[i].path);
    free (w->disks[i].id);
  }
  free (w->disks);
  if (w->disks != NULL && w->folder_fd != -1)
    close (w->folder_fd);
  free (w->folder);
  memset (w, 0, sizeof *w);
  w->folder_fd = -1;
}

int
customize_work_identify (struct customize_work *w,
                         struct v2v_image *const *images,
                         struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    const char *id = v2v_image_get_info (images[i])->id;

    w->disks[i].size_bytes = v2v_image_size (images[i]);
    if (id != NULL && (w->disks[i].id = strdup (id)) == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

int
customize_work_unchanged (const struct customize_work *w,
                          struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    const struct customize_disk *d = &w->disks[i];
    struct stat now, there;

    if (fstat (d->fd, &now) == -1 || stat (d->path, &there) == -1)
      return v2v_fail_errno (err, "%s", d->name);
    if (same_file (&now, &there) && now.st_size == d->st.st_size &&
        now.st_mtim.tv_sec == d->st.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == d->st.st_mtim.tv_nsec)
      continue;
    v2v_fail (err, V2V_ERR_MISMATCH,
              "%s: it was changed by others since it was read: nothing is "
              "written",
              d->name);
    return v2v_hint (err, "shut the machine down, then start again");
  }
  return 0;
}

/* ---- small files ---- */

/* PATH, which must not be there, with TEXT, on the disk. */
static int
write_new (const char *path, const char *text, size_t len,
           struct v2v_error **err)
{
  CLEANUP_CLOSE int fd =
      open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ssize_t n;

  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  n = write (fd, text, len);
  if (n >= 0 && (size_t) n != len) {
    errno = ENOSPC;
    n = -1;
  }
  if (n == -1 || fsync (fd) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* All of the regular file PATH, terminated; the caller frees. */
static char *
read_small (const char *path, size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd =
      open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  CLEANUP_FREE char *text = NULL;
  struct stat st;
  ssize_t n;

  if (fd == -1 || fstat (fd, &st) == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  if (!S_ISREG (st.st_mode) || (uint64_t) st.st_size > MAX_MARK_BYTES) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: not written by v2v", path);
    return NULL;
  }
  text = calloc (1, (size_t) st.st_size + 1);
  if (text == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  n = read (fd, text, (size_t) st.st_size);
  if (n == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  *ret_len = (size_t) n;
  text[n] = '\0';
  return STEAL (text);
}

/* ---- what an interrupted run left ---- */

static bool
has_mark (const char *folder)
{
  CLEANUP_FREE char *mark = join (folder, "/" MARK, NULL);
  struct stat st;

  /* When in doubt (no memory, no permission) there is one. */
  return mark == NULL || lstat (mark, &st) == 0 || errno != ENOENT;
}

/* The file POINTER beside a further disk names a folder: is that marked?  A
 * file without its newline was never finished, and nothing was merged. */
static int
follow_pointer (const char *pointer, char **ret_folder, struct v2v_error **err)
{
  CLEANUP_FREE char *folder = NULL;
  struct stat st;
  size_t len;

  folder = read_small (pointer, &len, err);
  if (folder == NULL)
    return -1;
  if (strlen (folder) != len || len < 2 || folder[len - 1] != '\n')
    return 0;
  folder[len - 1] = '\0';
  if (lstat (folder, &st) == -1 && errno == ENOENT) {
    const size_t n = strlen (folder);
    CLEANUP_FREE char *disk =
        strndup (folder, n > strlen (SUFFIX) ? n - strlen (SUFFIX) : 0);

    if (disk == NULL)
      return v2v_fail_nomem (err);
    /* The disk is there without the folder: that run was completed. */
    if (lstat (disk, &st) == 0)
      return 0;
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: an earlier run on more disks may have been interrupted, and "
              "its folder '%s' is gone",
              pointer, folder);
    return v2v_hint (err, "put the folder and its disk back, or remove the "
                          "file if that run was completed");
  }
  if (!has_mark (folder))
    return 0;
  *ret_folder = STEAL (folder);
  return 1;
}

/* 1 and the folder, when a run that had disk I was interrupted. */
static int
find_interrupted (const struct customize_work *w, size_t i, char **ret_folder,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *beside = NULL;
  struct stat st;

  if (w->disks[i].path == NULL)
    return 0;
  beside = join (w->disks[i].path, SUFFIX, err);
  if (beside == NULL)
    return -1;
  if (lstat (beside, &st) == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s", beside);
  if (!S_ISDIR (st.st_mode))
    return follow_pointer (beside, ret_folder, err);
  if (!has_mark (beside))
    return 0;
  *ret_folder = STEAL (beside);
  return 1;
}

/* The list of the mark in FOLDER. */
static struct v2v_json *
read_mark (const char *folder, struct v2v_error **err)
{
  CLEANUP_FREE char *path = join (folder, "/" MARK, err), *text = NULL;
  struct v2v_json *mark;
  size_t len;

  if (path == NULL || (text = read_small (path, &len, err)) == NULL)
    return NULL;
  mark = v2v_json_parse (text, len, path, err);
  if (mark != NULL && v2v_json_length (v2v_json_get (mark, "disks")) == 0) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: it names no disks", path);
    v2v_json_free (STEAL (mark));
  }
  return mark;
}

/* "'a' 'b'" */
static int
list_marked (const struct v2v_json *disks, struct v2v_str *s)
{
  for (size_t i = 0; i < v2v_json_length (disks); ++i) {
    const char *path = v2v_json_get_string (v2v_json_at (disks, i), "path");

    if (v2v_str_printf (s, "%s'%s'", i ? " " : "", path ? path : "?") == -1)
      return -1;
  }
  return 0;
}

static int
fail_other_list (const struct customize_work *w, const struct v2v_json *disks,
                 struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str want = V2V_STR_INIT, got = V2V_STR_INIT;

  if (list_marked (disks, &want) == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < w->nr; ++i)
    if (v2v_str_printf (&got, "%s'%s'", i ? " " : "", w->disks[i].path) == -1)
      return v2v_fail_nomem (err);
  v2v_fail (err, V2V_ERR_MISMATCH,
            "--resume: the interrupted run was on %s, not on %s", want.ptr,
            got.ptr);
  return v2v_hint (err, "give --resume the same disks in the same order");
}

/* Is DISK the one that ENTRY of the mark is about?  (Its numbers of a device
 * may be others after a start of the host: not compared.) */
static int
compare_disk (const struct customize_disk *d, const struct v2v_json *entry,
              struct v2v_error **err)
{
  const char *id = v2v_json_get_string (entry, "id");
  uint64_t size = 0, inode = 0;
  const bool complete = v2v_json_get_u64 (entry, "size_bytes", &size) &&
                        v2v_json_get_u64 (entry, "inode", &inode);

  if (complete && size == d->size_bytes &&
      (S_ISBLK (d->st.st_mode) || inode == d->st.st_ino) &&
      (id == NULL) == (d->id == NULL) &&
      (id == NULL || strcmp (id, d->id) == 0))
    return 0;
  return v2v_fail (err, V2V_ERR_MISMATCH,
                   "%s: not the disk that the interrupted run was on: expected "
                   "%" PRIu64 " bytes, inode %" PRIu64 ", identity %s, found "
                   "%" PRIu64 ", %" PRIu64 ", %s",
                   d->name, size, inode, id ? id : "none", d->size_bytes,
                   (uint64_t) d->st.st_ino, d->id ? d->id : "none");
}

int
customize_work_check (const struct customize_work *w, struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    CLEANUP_FREE char *folder = NULL;
    CLEANUP_STR struct v2v_str list = V2V_STR_INIT;
    struct v2v_json *mark;
    int r = find_interrupted (w, i, &folder, err);

    if (r == -1)
      return -1;
    if (r == 0)
      continue;
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: an earlier run was interrupted while it wrote this disk "
              "(%s)",
              w->disks[i].name, folder);
    mark = read_mark (folder, NULL);
    r = mark ? list_marked (v2v_json_get (mark, "disks"), &list) : -1;
    v2v_json_free (mark);
    return r == -1 ? v2v_hint (err, "'--resume' with its disks completes it")
                   : v2v_hint (err, "'v2v customize --resume %s' completes it",
                               list.ptr);
  }
  return 0;
}

int
customize_work_resume (struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *mark = NULL;
  const struct v2v_json *disks;
  const int r = find_interrupted (w, 0, &w->folder, err);

  if (r == -1)
    return -1;
  if (r == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--resume: no run was interrupted while it wrote '%s'",
                     w->disks[0].name);
  mark = read_mark (w->folder, err);
  if (mark == NULL)
    return -1;
  disks = v2v_json_get (mark, "disks");
  for (size_t i = 0; i < w->nr || i < v2v_json_length (disks); ++i) {
    const struct v2v_json *entry = v2v_json_at (disks, i);
    const char *path = entry ? v2v_json_get_string (entry, "path") : NULL;

    if (i >= w->nr || path == NULL || strcmp (path, w->disks[i].path) != 0)
      return fail_other_list (w, disks, err);
  }
  for (size_t i = 0; i < w->nr; ++i)
    if (compare_disk (&w->disks[i], v2v_json_at (disks, i), err) == -1)
      return -1;
  return 0;
}

/* ---- the folder ---- */

char *
customize_work_overlay (const struct customize_work *w, size_t i,
                        struct v2v_error **err)
{
  char name[32];

  snprintf (name, sizeof name, "/disk%zu.qcow2", i + 1);
  return join (w->folder, name, err);
}

/* Open and lock w->folder; 1 = it was removed between the two. */
static int
lock_folder (struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = -1;
  struct stat a, b;

  if (mkdir (w->folder, 0700) == -1 && errno != EEXIST)
    return v2v_fail_errno (err, "%s", w->folder);
  fd = open (w->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1)
    return errno == ENOENT ? 1 : v2v_fail_errno (err, "%s", w->folder);
  if (flock (fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: another run of v2v works in this folder",
              w->folder);
    return v2v_hint (err, "wait until it has finished");
  }
  if (fstat (fd, &a) == -1)
    return v2v_fail_errno (err, "%s", w->folder);
  if (lstat (w->folder, &b) == -1 || !same_file (&a, &b))
    return 1;
  /* Made by others, it could be filled by them while we use it. */
  if (a.st_uid != geteuid () || (a.st_mode & 022) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: others may write into this folder: remove it",
                     w->folder);
  w->folder_fd = STEAL_FD (fd);
  return 0;
}

static int
unlink_if_there (const char *path, struct v2v_error **err)
{
  if (path == NULL)
    return -1;
  if (unlink (path) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

static int
remove_overlays (struct customize_work *w, struct v2v_error **err)
{
  for (size_t i = 0; i < MAX_OVERLAYS || i < w->nr; ++i) {
    CLEANUP_FREE char *path = customize_work_overlay (w, i, err);

    if (unlink_if_there (path, err) == -1)
      return -1;
  }
  return 0;
}

int
customize_work_make (struct customize_work *w, const char *path,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *fresh = NULL;
  int r = 1;

  w->folder = join (path, SUFFIX, err);
  if (w->folder == NULL)
    return -1;
  for (unsigned tries = 0; r == 1 && tries < 10; ++tries)
    r = lock_folder (w, err);
  if (r == 1)
    return v2v_fail (err, V2V_ERR_IO, "%s: cannot be locked", w->folder);
  if (r == -1)
    return -1;
  if (has_mark (w->folder))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: left by a run that was interrupted while it wrote",
                     w->folder);
  /* What a run left that was killed before it wrote. */
  fresh = join (w->folder, "/" MARK ".new", err);
  if (unlink_if_there (fresh, err) == -1)
    return -1;
  return remove_overlays (w, err);
}

/* ---- the mark ---- */

static int
sync_overlays (const struct customize_work *w, struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    CLEANUP_FREE char *path = customize_work_overlay (w, i, err);
    CLEANUP_CLOSE int fd = -1;

    if (path == NULL)
      return -1;
    fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || fsync (fd) == -1)
      return v2v_fail_errno (err, "%s", path);
  }
  if (sync_folder (w->folder, err) == -1)
    return -1;
  return customize_sync_parent (w->folder, err);
}

static int
write_pointers (const struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_FREE char *line = join (w->folder, "\n", err);

  for (size_t i = 1; line != NULL && i < w->nr; ++i) {
    CLEANUP_FREE char *path = join (w->disks[i].path, SUFFIX, err);
    struct stat st;

    /* customize_work_check has seen that it is out of date: a folder is of a
     * run that was killed before it wrote. */
    if (path != NULL && lstat (path, &st) == 0 && S_ISDIR (st.st_mode)) {
      struct customize_work old = { .folder = path };

      if (remove_overlays (&old, err) == -1)
        return -1;
      if (rmdir (path) == -1)
        return v2v_fail_errno (err, "%s", path);
    }
    if (unlink_if_there (path, err) == -1 ||
        write_new (path, line, strlen (line), err) == -1 ||
        customize_sync_parent (path, err) == -1)
      return -1;
  }
  return line == NULL ? -1 : 0;
}

static char *
mark_text (const struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  char *text;

  for (size_t i = 0; i < w->nr; ++i) {
    const struct customize_disk *d = &w->disks[i];
    struct v2v_json *entry = v2v_json_new_object ();

    v2v_json_set_string (entry, "path", d->path);
    v2v_json_set_u64 (entry, "size_bytes", d->size_bytes);
    v2v_json_set_u64 (entry, "inode", (uint64_t) d->st.st_ino);
    if (d->id != NULL)
      v2v_json_set_string (entry, "id", d->id);
    v2v_json_append (list, entry);
  }
  v2v_json_set (o, "disks", list);
  text = v2v_json_ok (o) ? v2v_json_dump (o, 2) : NULL;
  if (text == NULL)
    v2v_fail_nomem (err);
  return text;
}

int
customize_work_mark (struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_FREE char *mark = join (w->folder, "/" MARK, err);
  CLEANUP_FREE char *fresh = join (w->folder, "/" MARK ".new", NULL);
  CLEANUP_FREE char *text = NULL;

  if (mark == NULL)
    return -1;
  if (fresh == NULL)
    return v2v_fail_nomem (err);
  text = mark_text (w, err);
  if (text == NULL || sync_overlays (w, err) == -1 ||
      write_pointers (w, err) == -1 ||
      write_new (fresh, text, strlen (text), err) == -1)
    return -1;
  /* All of it or none. */
  if (rename (fresh, mark) == -1)
    return v2v_fail_errno (err, "%s", mark);
  return sync_folder (w->folder, err);
}

/* The files beside the further disks, when they are about our folder. */
static int
remove_pointers (const struct customize_work *w, struct v2v_error **err)
{
  for (size_t i = 1; i < w->nr; ++i) {
    CLEANUP_FREE char *path = NULL, *text = NULL;
    size_t len;

    if (w->disks[i].path == NULL)
      continue;
    path = join (w->disks[i].path, SUFFIX, err);
    if (path == NULL)
      return -1;
    text = read_small (path, &len, NULL);
    if (text == NULL || len != strlen (w->folder) + 1 ||
        strncmp (text, w->folder, len - 1) != 0)
      continue;
    if (unlink_if_there (path, err) == -1)
      return -1;
  }
  return 0;
}

int
customize_work_remove (struct customize_work *w, struct v2v_error **err)
{
  CLEANUP_FREE char *mark = join (w->folder, "/" MARK, err);
  CLEANUP_FREE char *fresh = join (w->folder, "/" MARK ".new", NULL);

  if (mark == NULL)
    return -1;
  if (fresh == NULL)
    return v2v_fail_nomem (err);
  /* An overlay less and the mark still there could not be completed. */
  if (unlink_if_there (mark, err) == -1 || unlink_if_there (fresh, err) == -1 ||
      sync_folder (w->folder, err) == -1 || remove_pointers (w, err) == -1 ||
      remove_overlays (w, err) == -1)
    return -1;
  if (rmdir (w->folder) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s", w->folder);
  return 0;
}
