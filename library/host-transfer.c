/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sending files to a host by blocks.
 *
 *   1. prepare   what does the host have under the temporary name, or under
 *                the final one: the SHA-256 of each block of 2 MiB
 *   2. compare   with the file here; what is the same is not sent
 *   3. write     the other blocks, under the temporary name
 *   4. verify    the host reads all of it again: the same digests
 *   5. publish   each file, or the new folder, gets its name
 *
 * Killed anywhere before 5, what was written is what 1 finds the next time.
 */

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
#include "library/hosts-internal.h"

/* A machine's folder is flat; a driver's or a script's may have some. */
#define MAX_DEPTH 4

void
host_files_clear (host_files *f)
{
  for (size_t i = 0; i < f->len; ++i) {
    free (f->ptr[i].local);
    free (f->ptr[i].rel);
    free (f->ptr[i].part);
    free (f->ptr[i].old);
    v2v_disk_digest_free (f->ptr[i].have);
    v2v_disk_digest_free (f->ptr[i].want);
  }
  free (f->ptr);
  memset (f, 0, sizeof *f);
}

void
host_replacements_clear (host_replacements *r)
{
  for (size_t i = 0; i < r->len; ++i) {
    free (r->ptr[i].name);
    free (r->ptr[i].path);
  }
  free (r->ptr);
  memset (r, 0, sizeof *r);
}

int
host_replace (host_replacements *r, const char *name, const char *path,
              struct v2v_error **err)
{
  struct host_replacement one = { .name = strdup (name),
                                  .path = strdup (path) };

  if (one.name != NULL && one.path != NULL &&
      host_replacements_append (r, one) == 0)
    return 0;
  free (one.name);
  free (one.path);
  return v2v_fail_nomem (err);
}

/* ---- reading here ---- */

/* LEN bytes at OFFSET, or fewer at the end. */
static ssize_t
read_block (int fd, void *buf, size_t len, uint64_t offset)
{
  size_t pos = 0;

  while (pos < len) {
    const ssize_t n =
        pread (fd, (char *) buf + pos, len - pos, (off_t) (offset + pos));

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return -1;
    if (n == 0)
      break;
    pos += (size_t) n;
  }
  return (ssize_t) pos;
}

/* Is [OFFSET, OFFSET + LEN) a hole of the file? */
static bool
is_hole (int fd, uint64_t offset, uint64_t len)
{
  const off_t data = lseek (fd, (off_t) offset, SEEK_DATA);

  return data == -1 ? errno == ENXIO : (uint64_t) data >= offset + len;
}

static bool
is_cancelled (const atomic_bool *cancel)
{
  return cancel != NULL && atomic_load (cancel);
}

/* Block B of FD into BUF; *RET_ZERO: it is a hole, and BUF is not set. */
static int
get_block (int fd, const struct v2v_disk_digest *d, uint64_t b, void *buf,
           bool *ret_zero, const char *name, struct v2v_error **err)
{
  const uint64_t len = v2v_disk_digest_block_len (d, b);
  const uint64_t offset = b * V2V_DIGEST_BLOCK;
  ssize_t n;

  *ret_zero = is_hole (fd, offset, len);
  if (*ret_zero)
    return 0;
  n = read_block (fd, buf, (size_t) len, offset);
  if (n == -1)
    return v2v_fail_errno (err, "%s: read", name);
  if ((uint64_t) n != len)
    return v2v_fail (err, V2V_ERR_IO, "%s: is shorter than it was", name);
  return 0;
}

struct v2v_disk_digest *
host_digest_fd (int fd, uint64_t size, const char *name,
                const atomic_bool *cancel, struct v2v_error **err)
{
  struct v2v_disk_digest *d = v2v_disk_digest_new (size, err);
  CLEANUP_FREE void *buf = malloc (V2V_DIGEST_BLOCK);
  int r = 0;

  if (d == NULL)
    return NULL;
  if (buf == NULL)
    r = v2v_fail_nomem (err);
  for (uint64_t b = 0; r == 0 && b < d->nr_blocks; ++b) {
    bool zero;

    r = is_cancelled (cancel)
            ? v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted")
            : get_block (fd, d, b, buf, &zero, name, err);
    if (r == 0 && !zero)
      v2v_disk_digest_block (d, b, buf);
  }
  if (r == 0)
    r = v2v_disk_digest_finish (d, err);
  if (r == 0)
    return d;
  v2v_disk_digest_free (d);
  return NULL;
}

/* ---- what is to be sent ---- */

struct transfer {
  struct v2v_host_conn *c;
  const struct v2v_copy_opts *copy;
  struct v2v_host_sent *sent;
  const host_replacements *changed;
  host_files files;
  uint64_t total, done; /* bytes, for the progress */
  double started;
};

static int
add_file (struct transfer *t, const char *local, const char *rel,
          const char *part, bool old, const struct stat *st,
          struct v2v_error **err)
{
  struct host_file f = {
    .local = strdup (local),
    .rel = strdup (rel),
    .part = strdup (part),
    .old = old ? strdup (rel) : NULL,
    .size = (uint64_t) st->st_size,
    .mode = st->st_mode & 0777,
  };

  if (f.local != NULL && f.rel != NULL && f.part != NULL &&
      (!old || f.old != NULL) && host_files_append (&t->files, f) == 0) {
    t->total += f.size;
    return 0;
  }
  free (f.local);
  free (f.rel);
  free (f.part);
  free (f.old);
  return v2v_fail_nomem (err);
}

/* The file FROM, or what goes in its place; *ST is set. */
static const char *
replaced (const struct transfer *t, const char *name, const char *from,
          unsigned depth, struct stat *st)
{
  for (size_t i = 0; depth == 0 && i < t->changed->len; ++i)
    if (strcmp (t->changed->ptr[i].name, name) == 0)
      from = t->changed->ptr[i].path;
  return lstat (from, st) == 0 ? from : NULL;
}

/* DIR below the folder here, REL there, PART of a new folder or NULL. */
static int
add_folder (struct transfer *t, const char *local, const char *rel,
            const char *part, unsigned depth, struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir (local);
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return v2v_fail_errno (err, "%s", local);
  while (r == 0 && (errno = 0, e = readdir (dir)) != NULL) {
    CLEANUP_FREE char *from = NULL, *to = NULL, *tmp = NULL;
    const char *source;
    struct stat st;

    if (strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0 ||
        (depth == 0 && strcmp (e->d_name, HOST_RUN) == 0))
      continue;
    if (!lib_path_ok (e->d_name, err))
      return v2v_prefix (err, "%s", local);
    from = lib_join (local, e->d_name, err);
    source = from ? replaced (t, e->d_name, from, depth, &st) : NULL;
    if (source == NULL)
      return from ? v2v_fail_errno (err, "%s", from) : -1;
    to = from ? lib_join (rel, e->d_name, err) : NULL;
    tmp = to ? lib_join (part ? part : rel, e->d_name, err) : NULL;
    if (tmp == NULL)
      return -1;
    if (t->files.len == HOST_MAX_FILES)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "%s: more than %d files in a folder", local,
                       HOST_MAX_FILES);
    if (S_ISDIR (st.st_mode) && depth < MAX_DEPTH)
      r = add_folder (t, from, to, part ? tmp : NULL, depth + 1, err);
    else if (!S_ISREG (st.st_mode))
      r = v2v_fail (err, V2V_ERR_USAGE,
                    "%s: only files and folders are sent to a host", from);
    else if (part != NULL)
      r = add_file (t, source, to, tmp, false, &st, err);
    else {
      CLEANUP_FREE char *file_part = NULL;

      if (asprintf (&file_part, "%s" HOST_PART, tmp) == -1) {
        file_part = NULL;
        return v2v_fail_nomem (err);
      }
      r = add_file (t, source, to, file_part, true, &st, err);
    }
  }
  return r;
}

static int
compare_files (const void *a, const void *b)
{
  const struct host_file *x = a, *y = b;

  return strcmp (x->rel, y->rel);
}

/* *RET_FOLDER: the temporary name of a new folder, or NULL. */
static int
collect (struct transfer *t, const char *local, const char *rel,
         char **ret_folder, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;
  enum host_kind kind;
  struct stat st;
  int r;

  if (lstat (local, &st) == -1)
    return v2v_fail_errno (err, "%s", local);
  if (!S_ISREG (st.st_mode) && !S_ISDIR (st.st_mode))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is no file and no folder", local);
  if (asprintf (&part, "%s" HOST_PART, rel) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (t->c->ops->kind (t->c->h, rel, &kind, err) == -1)
    return -1;
  if (kind != HOST_NOTHING &&
      kind != (S_ISDIR (st.st_mode) ? HOST_FOLDER : HOST_FILE))
    return v2v_fail (err, V2V_ERR_USAGE, "%s is there, and no %s", rel,
                     S_ISDIR (st.st_mode) ? "folder" : "file");
  if (S_ISREG (st.st_mode))
    return add_file (t, local, rel, part, kind == HOST_FILE, &st, err);
  r = add_folder (t, local, rel, kind == HOST_NOTHING ? part : NULL, 0, err);
  if (r == 0 && t->files.len == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: the folder is empty", local);
  if (r == 0)
    qsort (t->files.ptr, t->files.len, sizeof *t->files.ptr, compare_files);
  if (r == 0 && kind == HOST_NOTHING)
    *ret_folder = STEAL (part);
  return r;
}

/* ---- the pace ---- */

static int
tick (struct transfer *t, const struct host_file *f, uint64_t len,
      uint64_t moved, struct v2v_error **err)
{
  const struct v2v_copy_opts *o = t->copy;
  const struct v2v_progress p = {
    .stage = "copy",
    .item = f->rel,
    .done_bytes = t->done + len,
    .total_bytes = t->total,
    .data_bytes = t->sent->sent_bytes,
  };

  t->done += len;
  if (o->progress != NULL)
    o->progress (o->progress_arg, &p);
  while (o->rate_limit != 0 && moved > 0 && !is_cancelled (o->cancel)) {
    const double due =
        (double) t->sent->sent_bytes / (double) o->rate_limit + t->started;
    const double wait = due - lib_seconds ();
    const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

    if (wait <= 0)
      break;
    nanosleep (&pause, NULL); /* short: it can be interrupted */
  }
  if (is_cancelled (o->cancel))
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
  return 0;
}

/* ---- the steps ---- */

static int
open_local (const struct host_file *f, struct v2v_error **err)
{
  const int fd = open (f->local, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

  return fd == -1 ? v2v_fail_errno (err, "%s", f->local) : fd;
}

static int
compare (struct transfer *t, struct v2v_error **err)
{
  for (size_t i = 0; i < t->files.len; ++i) {
    struct host_file *f = &t->files.ptr[i];
    CLEANUP_CLOSE int fd = -1;

    if (f->have == NULL)
      continue;
    fd = open_local (f, err);
    if (fd == -1)
      return -1;
    f->want = host_digest_fd (fd, f->size, f->local, t->copy->cancel, err);
    if (f->want == NULL)
      return -1;
    f->same = f->have->size_bytes == f->size &&
              memcmp (f->have->root, f->want->root, V2V_SHA256_SIZE) == 0;
    if (f->same) {
      t->sent->kept_bytes += f->size;
      t->done += f->size;
    }
  }
  return 0;
}

static int
share (struct transfer *t, struct v2v_error **err)
{
  for (size_t i = 0; t->c->ops->share != NULL && i < t->files.len; ++i) {
    struct host_file *f = &t->files.ptr[i];
    int r;

    if (f->have != NULL)
      continue;
    r = t->c->ops->share (t->c->h, t->files.ptr, i, err);
    if (r == -1)
      return -1;
    f->shared = r == 1;
    if (f->shared) {
      t->sent->shared_bytes += f->size;
      t->done += f->size;
    }
  }
  return 0;
}

/* Is block B there already? */
static int
is_there (const struct host_file *f, uint64_t b, bool zero, bool *ret,
          struct v2v_error **err)
{
  uint8_t have[V2V_SHA256_SIZE], want[V2V_SHA256_SIZE];

  *ret = false;
  if (f->have == NULL) {
    *ret = zero; /* the end of a new file sets its size */
    return 0;
  }
  if (zero && b * V2V_DIGEST_BLOCK >= f->have->size_bytes) {
    *ret = true;
    return 0;
  }
  if (b >= f->have->nr_blocks || v2v_disk_digest_block_len (f->have, b) !=
                                     v2v_disk_digest_block_len (f->want, b))
    return 0;
  if (v2v_disk_digest_get (f->have, b, have, err) == -1 ||
      v2v_disk_digest_get (f->want, b, want, err) == -1)
    return -1;
  *ret = memcmp (have, want, sizeof have) == 0;
  return 0;
}

static int
write_block (struct transfer *t, size_t index, int fd,
             struct v2v_disk_digest *d, uint64_t b, void *buf,
             struct v2v_error **err)
{
  struct host_file *f = &t->files.ptr[index];
  const uint64_t len = v2v_disk_digest_block_len (d, b);
  bool zero, there;

  if (get_block (fd, d, b, buf, &zero, f->local, err) == -1)
    return -1;
  if (zero)
    memset (buf, 0, (size_t) len);
  else if (v2v_is_zero (buf, (size_t) len))
    zero = true;
  /* Of what is read now: a file that changes meanwhile arrives as it was
   * read. */
  if (!zero || f->have != NULL)
    v2v_disk_digest_block (d, b, buf);
  if (is_there (f, b, zero, &there, err) == -1)
    return -1;
  if (there)
    t->sent->kept_bytes += len;
  else {
    if (t->c->ops->write (t->c->h, t->files.ptr, index, buf, (size_t) len,
                          b * V2V_DIGEST_BLOCK, err) == -1)
      return -1;
    t->sent->sent_bytes += len;
  }
  return tick (t, f, len, there ? 0 : len, err);
}

static int
write_file (struct transfer *t, size_t index, void *buf, struct v2v_error **err)
{
  struct host_file *f = &t->files.ptr[index];
  CLEANUP_CLOSE int fd = open_local (f, err);

  if (fd == -1)
    return -1;
  if (f->want == NULL && (f->want = v2v_disk_digest_new (f->size, err)) == NULL)
    return -1;
  for (uint64_t b = 0; b < f->want->nr_blocks; ++b)
    if (write_block (t, index, fd, f->want, b, buf, err) == -1)
      return -1;
  f->want->complete = false;
  return v2v_disk_digest_finish (f->want, err);
}

static int
verify (const struct transfer *t, struct v2v_error **err)
{
  for (size_t i = 0; i < t->files.len; ++i) {
    const struct host_file *f = &t->files.ptr[i];

    if (!f->same && !f->shared &&
        memcmp (f->root, f->want->root, sizeof f->root) != 0)
      return v2v_fail (err, V2V_ERR_MISMATCH,
                       "%s: what arrived is not what was sent", f->rel);
  }
  return 0;
}

static int
write_all (struct transfer *t, struct v2v_error **err)
{
  const struct v2v_host_ops *ops = t->c->ops;
  CLEANUP_FREE void *buf = malloc (V2V_DIGEST_BLOCK);
  bool any = false;
  int r;

  if (buf == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < t->files.len; ++i)
    any |= !t->files.ptr[i].same && !t->files.ptr[i].shared;
  if (!any)
    return 0;
  r = ops->write_begin (t->c->h, t->files.ptr, t->files.len, err);
  for (size_t i = 0; r == 0 && i < t->files.len; ++i)
    if (!t->files.ptr[i].same && !t->files.ptr[i].shared)
      r = write_file (t, i, buf, err);
  if (r == 0)
    r = ops->write_end (t->c->h, t->files.ptr, t->files.len, err);
  if (r == 0)
    r = verify (t, err);
  return r;
}

static int
publish (struct transfer *t, const char *folder, const char *rel,
         struct v2v_error **err)
{
  if (folder != NULL)
    return t->c->ops->publish (t->c->h, folder, rel, err);
  for (size_t i = 0; i < t->files.len; ++i) {
    const struct host_file *f = &t->files.ptr[i];

    if (f->same && f->have_old)
      continue;
    if (t->c->ops->publish (t->c->h, f->part, f->rel, err) == -1)
      return -1;
  }
  return 0;
}

int
host_send (struct v2v_host_conn *c, const char *local, const char *rel,
           const struct v2v_copy_opts *copy, struct v2v_host_sent *sent,
           struct v2v_error **err)
{
  const host_replacements none = V2V_VECTOR_INIT;

  return host_send_changed (c, local, rel, &none, copy, sent, err);
}

int
host_send_changed (struct v2v_host_conn *c, const char *local, const char *rel,
                   const host_replacements *changed,
                   const struct v2v_copy_opts *copy, struct v2v_host_sent *sent,
                   struct v2v_error **err)
{
  struct transfer t = {
    .c = c,
    .copy = copy,
    .sent = sent,
    .changed = changed,
    .started = lib_seconds (),
  };
  CLEANUP_FREE char *folder = NULL;
  int r = collect (&t, local, rel, &folder, err);

  if (r == 0) {
    if (c->ops->prepare (c->h, t.files.ptr, t.files.len, err) == -1 ||
        share (&t, err) == -1 || compare (&t, err) == -1 ||
        write_all (&t, err) == -1 || publish (&t, folder, rel, err) == -1)
      r = -1;
    c->ops->release (c->h, t.files.len);
  }
  sent->nr_files = t.files.len;
  host_files_clear (&t.files);
  return r;
}
