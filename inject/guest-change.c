/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of a guest: changing.  Every change is compared with what is
 * there, saved, made, and put into the journal, in this order. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "inject/guest-front.h"

/* What is compared and saved through memory; larger files by digest only. */
#define MAX_IN_MEMORY (64u << 20)
/* Originals beyond this are not saved: an initramfs is far below. */
#define MAX_UNDO_BYTES (UINT64_C (1) << 30)
/* When a tree is removed, files up to this size are saved. */
#define MAX_UNDO_TREE_FILE (1u << 20)
#define MAX_TREE_DEPTH     64

/* ---- the host ---- */

/* Make the folders above the last part of PATH. */
static int
make_parents (char *path, struct v2v_error **err)
{
  for (char *p = strchr (path + 1, '/'); p != NULL; p = strchr (p + 1, '/')) {
    int r;

    *p = '\0';
    r = mkdir (path, 0700);
    if (r == -1 && errno != EEXIST)
      v2v_fail_errno (err, "%s", path);
    else
      r = 0;
    *p = '/';
    if (r == -1)
      return -1;
  }
  return 0;
}

/* ---- what was there ---- */

/* Save PATH (a regular file, REAL on disk) once: the first original counts. */
static int
save_original (struct v2v_guest *g, const char *real, struct v2v_error **err)
{
  CLEANUP_FREE char *host = NULL;
  struct v2v_guest_stat st;
  struct stat host_st;
  int r;

  if (g->undo == NULL || g->dry_run)
    return 0;
  r = g->ops->stat (g->h, real, true, &st, err);
  if (r <= 0 || st.type != V2V_FILE_REGULAR || st.size_bytes > MAX_UNDO_BYTES)
    return r == -1 ? -1 : 0;
  if (asprintf (&host, "%s/files%s", g->undo, real) == -1) {
    host = NULL;
    return v2v_fail_nomem (err);
  }
  if (lstat (host, &host_st) == 0)
    return 0;
  /* What a run made itself is no original. */
  {
    const struct v2v_change *c = v2v_journal_find (&g->journal, real, NULL);

    if (c != NULL && c->before == NULL)
      return 0;
  }
  if (make_parents (host, err) == -1)
    return -1;
  return v2v_guest_download (g, real, host, MAX_UNDO_BYTES, err);
}

/* ---- files ---- */

/* Write FD's contents beside REAL and rename.  What is not contents, mode or
 * owner goes over too when REAL IS_THERE: hives without their security
 * descriptor could be written by everyone. */
static int
replace_file (struct v2v_guest *g, int fd, const char *real, bool is_there,
              const struct v2v_guest_stat *st, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;

  if (is_there && g->ops->in_place != NULL && g->ops->in_place (g->h, real))
    return g->ops->upload (g->h, fd, real, st->mode, st->uid, st->gid, err);
  if (asprintf (&part, "%s.v2v-new", real) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (g->ops->upload (g->h, fd, part, st->mode, st->uid, st->gid, err) == -1 ||
      (is_there && g->ops->copy_attributes != NULL &&
       g->ops->copy_attributes (g->h, real, part, err) == -1) ||
      g->ops->rename (g->h, part, real, err) == -1) {
    g->ops->remove (g->h, part, NULL);
    return -1;
  }
  return 0;
}

static int
write_fd (struct v2v_guest *g, int fd, const char *path, const char *real,
          const char *before, const char *after, uint32_t mode, unsigned flags,
          const char *why, struct v2v_error **err)
{
  struct v2v_guest_stat st = { .mode = mode ? mode : 0644 };
  const int there = g->ops->stat (g->h, real, true, &st, err);

  if (there == -1)
    return -1;
  if (!(flags & V2V_WRITE_NO_UNDO) && save_original (g, real, err) == -1)
    return -1;
  if (replace_file (g, fd, real, there == 1, &st, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_FILE, path, NULL, before, after,
                       why, err) == -1)
    return -1;
  return 1;
}

/* An unlinked temporary file of the host. */
static int
open_scratch (struct v2v_guest *g, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  int fd;

  if (asprintf (&path, "%s/scratch-XXXXXX", v2v_guest_tmpdir (g)) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  fd = mkostemp (path, O_CLOEXEC);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  unlink (path);
  return fd;
}

static int
write_all (int fd, const void *data, size_t len, struct v2v_error **err)
{
  const char *p = data;

  while (len > 0) {
    const ssize_t n = write (fd, p, len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "a temporary file");
    p += n;
    len -= (size_t) n;
  }
  return 0;
}

int
v2v_guest_write (struct v2v_guest *g, const char *path, const void *data,
                 size_t len, uint32_t mode, unsigned flags, const char *why,
                 struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_FREE char *before = NULL, *after = NULL;
  CLEANUP_FREE void *old = NULL;
  CLEANUP_CLOSE int fd = -1;
  struct v2v_guest_stat st;
  size_t old_len = 0;
  int r;

  if (real == NULL ||
      (real = guest_follow_links (g, STEAL (real), err)) == NULL)
    return -1;
  r = g->ops->stat (g->h, real, true, &st, err);
  if (r == -1)
    return -1;
  if (r == 1 && st.type != V2V_FILE_REGULAR)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no regular file",
                     path);
  if (r == 1 && st.size_bytes <= MAX_IN_MEMORY) {
    old = g->ops->read (g->h, real, MAX_IN_MEMORY, &old_len, err);
    if (old == NULL)
      return -1;
    if (old_len == len && memcmp (old, data, len) == 0)
      return 0;
    if (guest_describe_change (old, old_len, data, len, flags,
                               !(st.mode & S_IROTH), &before, &after) == -1)
      return v2v_fail_nomem (err);
  }
  else {
    if (r == 1)
      before = strdup ("(large file)");
    after = guest_describe (data, len, flags,
                            !((r == 1 ? st.mode
                               : mode ? mode
                                      : 0644) &
                              S_IROTH));
  }
  if (after == NULL || (r == 1 && before == NULL))
    return v2v_fail_nomem (err);
  fd = open_scratch (g, err);
  if (fd == -1 || write_all (fd, data, len, err) == -1)
    return -1;
  return write_fd (g, fd, path, real, before, after, mode, flags, why, err);
}

int
v2v_guest_write_text (struct v2v_guest *g, const char *path, const char *text,
                      uint32_t mode, const char *why, struct v2v_error **err)
{
  return v2v_guest_write (g, path, text, strlen (text), mode, 0, why, err);
}

/* "sha256:..., N bytes" of a file of the host; NULL and ERR on failure. */
static char *
describe_fd (int fd, struct v2v_error **err)
{
  struct v2v_hash *h = v2v_hash_new ("sha256", err);
  uint8_t hash[V2V_DIGEST_MAX_SIZE];
  char hex[2 * V2V_DIGEST_MAX_SIZE + 1];
  uint64_t total = 0;
  char buf[65536];
  ssize_t n = 0;
  char *s = NULL;

  if (h == NULL)
    return NULL;
  while ((n = pread (fd, buf, sizeof buf, (off_t) total)) > 0) {
    v2v_hash_update (h, buf, (size_t) n);
    total += (uint64_t) n;
  }
  v2v_hex (hash, v2v_hash_final (h, hash), hex);
  v2v_hash_free (h);
  if (n == -1) {
    v2v_fail_errno (err, "reading a file of the host");
    return NULL;
  }
  if (asprintf (&s, "sha256:%s, %" PRIu64 " bytes", hex, total) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

/* The same of a file of the guest; NULL with ERR unset when it is not there. */
static char *
describe_guest_file (struct v2v_guest *g, const char *real,
                     struct v2v_error **err)
{
  struct v2v_guest_stat st;
  CLEANUP_CLOSE int fd = -1;

  if (g->ops->stat (g->h, real, true, &st, err) <= 0)
    return NULL;
  if (st.type != V2V_FILE_REGULAR) {
    v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no regular file", real);
    return NULL;
  }
  fd = open_scratch (g, err);
  if (fd == -1 || g->ops->download (g->h, real, fd, MAX_UNDO_BYTES, err) == -1)
    return NULL;
  return describe_fd (fd, err);
}

int
v2v_guest_upload (struct v2v_guest *g, const char *host_path, const char *path,
                  uint32_t mode, unsigned flags, const char *why,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_FREE char *before = NULL, *after = NULL;
  struct v2v_error *e = NULL;
  CLEANUP_CLOSE int fd = -1;

  if (real == NULL ||
      (real = guest_follow_links (g, STEAL (real), err)) == NULL)
    return -1;
  fd = open (host_path, O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", host_path);
  after = describe_fd (fd, err);
  if (after == NULL)
    return -1;
  before = describe_guest_file (g, real, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (before != NULL && strcmp (before, after) == 0)
    return 0;
  return write_fd (g, fd, path, real, before, after, mode, flags, why, err);
}

/* ---- folders, names, modes ---- */

static int
mkdir_one (struct v2v_guest *g, const char *path, uint32_t mode,
           struct v2v_error **err)
{
  struct v2v_guest_stat st;
  const int r = g->ops->stat (g->h, path, true, &st, err);

  if (r == -1)
    return -1;
  if (r == 1 && st.type == V2V_FILE_FOLDER)
    return 0;
  if (r == 1)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no folder", path);
  if (g->ops->mkdir (g->h, path, mode, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_FOLDER, path, NULL, NULL,
                       "folder", NULL, err) == -1)
    return -1;
  return 1;
}

int
v2v_guest_mkdir (struct v2v_guest *g, const char *path, uint32_t mode,
                 struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  int made = 0;

  if (real == NULL)
    return -1;
  for (char *p = real + 1;; ++p) {
    const char c = *p;
    int r;

    if (c != '/' && c != '\0')
      continue;
    *p = '\0';
    r = mkdir_one (g, real, c == '\0' && mode ? mode : 0755, err);
    if (r == -1)
      return -1;
    made |= r;
    if (c == '\0')
      return made;
    *p = c;
  }
}

static int
remove_file (struct v2v_guest *g, const char *path, unsigned flags,
             const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_FREE char *before = NULL;
  struct v2v_guest_stat st;
  int r;

  if (real == NULL)
    return -1;
  r = g->ops->stat (g->h, real, false, &st, err);
  if (r <= 0)
    return r;
  if (st.type == V2V_FILE_FOLDER)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is a folder", path);
  if (st.type == V2V_FILE_LINK) {
    CLEANUP_FREE char *target = g->ops->readlink (g->h, real, err);

    if (target == NULL)
      return -1;
    if (asprintf (&before, "-> %s", target) == -1)
      before = NULL;
  }
  else if (st.type == V2V_FILE_REGULAR &&
           st.size_bytes <= GUEST_JOURNAL_MAX_TEXT) {
    size_t len;
    CLEANUP_FREE void *data =
        g->ops->read (g->h, real, GUEST_JOURNAL_MAX_TEXT, &len, err);

    if (data == NULL)
      return -1;
    before = guest_describe (data, len, flags, !(st.mode & S_IROTH));
  }
  else if (asprintf (&before, "%" PRIu64 " bytes", st.size_bytes) == -1) {
    before = NULL;
  }
  if (before == NULL)
    return v2v_fail_nomem (err);
  if ((st.type == V2V_FILE_REGULAR && save_original (g, real, err) == -1) ||
      g->ops->remove (g->h, real, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_FILE, path, NULL, before, NULL,
                       why, err) == -1)
    return -1;
  return 1;
}

int
v2v_guest_remove (struct v2v_guest *g, const char *path, const char *why,
                  struct v2v_error **err)
{
  return remove_file (g, path, 0, why, err);
}

int
v2v_guest_remove_secret (struct v2v_guest *g, const char *path, const char *why,
                         struct v2v_error **err)
{
  return remove_file (g, path, V2V_WRITE_SECRET, why, err);
}

/* Save the small files below REAL. */
static int
save_tree (struct v2v_guest *g, const char *real, unsigned depth,
           struct v2v_error **err)
{
  CLEANUP_LIST char **names = NULL;

  if (g->undo == NULL || g->dry_run || depth > MAX_TREE_DEPTH)
    return 0;
  names = g->ops->list (g->h, real, err);
  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    CLEANUP_FREE char *path = NULL;
    struct v2v_guest_stat st;

    if (asprintf (&path, "%s/%s", real, names[i]) == -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (g->ops->stat (g->h, path, false, &st, err) == -1)
      return -1;
    if (st.type == V2V_FILE_FOLDER) {
      if (save_tree (g, path, depth + 1, err) == -1)
        return -1;
    }
    else if (st.type == V2V_FILE_REGULAR &&
             st.size_bytes <= MAX_UNDO_TREE_FILE &&
             save_original (g, path, err) == -1) {
      return -1;
    }
  }
  return 0;
}

int
v2v_guest_remove_tree (struct v2v_guest *g, const char *path, const char *why,
                       struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  struct v2v_guest_stat st;
  int r;

  if (real == NULL)
    return -1;
  r = g->ops->stat (g->h, real, false, &st, err);
  if (r <= 0)
    return r;
  if (st.type != V2V_FILE_FOLDER)
    return v2v_guest_remove (g, path, why, err);
  if (strcmp (real, "/") == 0)
    return v2v_fail (err, V2V_ERR_GUEST, "the guest's root stays");
  if (save_tree (g, real, 0, err) == -1 ||
      g->ops->remove_tree (g->h, real, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_FOLDER, path, NULL, "folder",
                       NULL, why, err) == -1)
    return -1;
  return 1;
}

int
v2v_guest_rename (struct v2v_guest *g, const char *from, const char *to,
                  const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *real_from = guest_real_path (g, from, err);
  CLEANUP_FREE char *real_to = NULL;

  if (real_from == NULL || (real_to = guest_real_path (g, to, err)) == NULL)
    return -1;
  if (save_original (g, real_to, err) == -1 ||
      g->ops->rename (g->h, real_from, real_to, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_RENAME, from, NULL, from, to,
                       why, err) == -1)
    return -1;
  return 0;
}

int
v2v_guest_symlink (struct v2v_guest *g, const char *target, const char *path,
                   const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_FREE char *before = NULL, *after = NULL;
  struct v2v_guest_stat st;
  int r;

  if (real == NULL)
    return -1;
  r = g->ops->stat (g->h, real, false, &st, err);
  if (r == -1)
    return -1;
  if (r == 1 && st.type == V2V_FILE_FOLDER)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is a folder", path);
  if (r == 1 && st.type == V2V_FILE_LINK) {
    CLEANUP_FREE char *old = g->ops->readlink (g->h, real, err);

    if (old == NULL)
      return -1;
    if (strcmp (old, target) == 0)
      return 0;
    if (asprintf (&before, "-> %s", old) == -1)
      before = NULL;
  }
  else if (r == 1) {
    before = strdup ("a file");
    if (save_original (g, real, err) == -1)
      return -1;
  }
  if (asprintf (&after, "-> %s", target) == -1)
    after = NULL;
  if (after == NULL || (r == 1 && before == NULL))
    return v2v_fail_nomem (err);
  if ((r == 1 && g->ops->remove (g->h, real, err) == -1) ||
      g->ops->symlink (g->h, target, real, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_LINK, path, NULL, before, after,
                       why, err) == -1)
    return -1;
  return 1;
}

/* 1 = the mode or owner differs and *RET_REAL is to be changed. */
static int
stat_existing (struct v2v_guest *g, const char *path, char **ret_real,
               struct v2v_guest_stat *st, struct v2v_error **err)
{
  int r;

  *ret_real = guest_real_path (g, path, err);
  if (*ret_real == NULL)
    return -1;
  r = g->ops->stat (g->h, *ret_real, true, st, err);
  if (r == 0)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", path);
  return r;
}

int
v2v_guest_chmod (struct v2v_guest *g, const char *path, uint32_t mode,
                 const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *real = NULL;
  struct v2v_guest_stat st;
  char before[16], after[16];

  if (stat_existing (g, path, &real, &st, err) == -1)
    return -1;
  if (st.mode == mode)
    return 0;
  snprintf (before, sizeof before, "%04" PRIo32, st.mode & 07777);
  snprintf (after, sizeof after, "%04" PRIo32, mode & 07777);
  if (g->ops->chmod (g->h, real, mode, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_MODE, path, NULL, before, after,
                       why, err) == -1)
    return -1;
  return 1;
}

int
v2v_guest_chown (struct v2v_guest *g, const char *path, uint32_t uid,
                 uint32_t gid, const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *real = NULL;
  struct v2v_guest_stat st;
  char before[32], after[32];

  if (stat_existing (g, path, &real, &st, err) == -1)
    return -1;
  if (st.uid == uid && st.gid == gid)
    return 0;
  snprintf (before, sizeof before, "%" PRIu32 ":%" PRIu32, st.uid, st.gid);
  snprintf (after, sizeof after, "%" PRIu32 ":%" PRIu32, uid, gid);
  if (g->ops->chown (g->h, real, uid, gid, err) == -1 ||
      v2v_journal_add (&g->journal, V2V_CHANGE_MODE, path, NULL, before, after,
                       why, err) == -1)
    return -1;
  return 1;
}

/* ---- the guest's own programs ---- */

int
v2v_guest_run (struct v2v_guest *g, const char *const argv[], unsigned seconds,
               const char *why, int *ret_status, char **ret_output,
               struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str line = V2V_STR_INIT;
  const char *slash = strrchr (argv[0], '/');
  struct timespec begin, end;
  char after[32], step[80];

  if (ret_output != NULL)
    *ret_output = NULL;
  *ret_status = 0;
  for (size_t i = 0; argv[i] != NULL; ++i)
    if (v2v_str_printf (&line, "%s%s", i ? " " : "", argv[i]) == -1)
      return v2v_fail_nomem (err);
  if (g->ops->run == NULL)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "programs of the guest cannot be run here: %s", argv[0]);
  if (g->dry_run)
    return v2v_journal_add (&g->journal, V2V_CHANGE_COMMAND, line.ptr, NULL,
                            NULL, "not run", why, err) == -1
               ? -1
               : 1;
  snprintf (step, sizeof step, "running %s in the guest",
            slash ? slash + 1 : argv[0]);
  v2v_guest_tell_step (g, step);
  clock_gettime (CLOCK_MONOTONIC, &begin);
  if (g->ops->run (g->h, argv, seconds, ret_status, ret_output, err) == -1)
    return v2v_prefix (err, "running %s in the guest", argv[0]);
  clock_gettime (CLOCK_MONOTONIC, &end);
  v2v_guest_tell_step (g, "changing the guest");
  snprintf (after, sizeof after, "exit status %d", *ret_status);
  if (v2v_journal_add (&g->journal, V2V_CHANGE_COMMAND, line.ptr, NULL, NULL,
                       after, why, err) == -1)
    return -1;
  g->journal.ptr[g->journal.len - 1].seconds =
      (double) (end.tv_sec - begin.tv_sec) +
      (double) (end.tv_nsec - begin.tv_nsec) / 1e9;
  return 0;
}

int
v2v_guest_selinux_relabel (struct v2v_guest *g, const char *spec,
                           struct v2v_error **err)
{
  if (g->ops->selinux_relabel == NULL || g->dry_run)
    return 1;
  return g->ops->selinux_relabel (g->h, spec, err);
}
