/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refresh: what users did with the files of a share.  What moved is followed
 * by its digest, what is new becomes an object where it lies, what is gone or
 * changed is noted.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* A share with more files than this is somebody's home directory. */
#define MAX_SCAN 1000000

struct scan {
  struct v2v_library *lib;
  const struct v2v_share *share;
  const struct v2v_upkeep_opts *opts;
  struct v2v_copy_opts copy;
  v2v_upkeep_fn *fn;
  void *arg;
  struct v2v_upkeep_result *ret;
  lib_strings found; /* paths in the share that have no row, by rank */
  bool *done;        /* of each of them */
  const lib_waiting *waiting;
};

static int
tell (struct scan *s, const char *what, const char *id, const char *path,
      const char *message, struct v2v_error **err)
{
  const struct v2v_upkeep_item item = {
    .what = what, .id = id, .path = path, .message = message
  };

  return s->fn == NULL ? 0 : s->fn (s->arg, &item, err);
}

/* ---- what is there ---- */

/* Has PATH a row, or is somebody about to make one? */
static int
is_known (struct scan *s, const char *path, bool *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *row = NULL;

  for (size_t i = 0; i < s->waiting->len; ++i)
    if (strcmp (s->waiting->ptr[i].path, path) == 0 &&
        strcmp (s->waiting->ptr[i].share, s->share->id) == 0) {
      *ret = true;
      return 0;
    }
  if (lib_lookup (s->lib, &row, err,
                  "SELECT object FROM location WHERE share = ? AND path = ?",
                  s->share->id, path, V2V_QUERY_END) == -1)
    return -1;
  *ret = row != NULL;
  return *ret ? 0 : lib_intent_has (s->lib, s->share->id, path, ret, err);
}

/* Files of the folder PREFIX ("" or "disk/"), not hidden ones. */
static int
scan_folder (struct scan *s, int dir_fd, const char *prefix, unsigned depth,
             struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *dp = fdopendir (dir_fd);
  struct dirent *e;

  if (dp == NULL) {
    close (dir_fd);
    return v2v_fail_errno (err, "%s/%s", s->share->path, prefix);
  }
  while ((e = readdir (dp)) != NULL) {
    CLEANUP_FREE char *path = NULL;
    struct stat st;
    bool known;

    if (e->d_name[0] == '.' ||
        fstatat (dirfd (dp), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
      continue;
    if (asprintf (&path, "%s%s%s", prefix, e->d_name,
                  S_ISDIR (st.st_mode) ? "/" : "") == -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (S_ISDIR (st.st_mode) && depth < LIB_MAX_DEPTH) {
      const int fd = openat (dirfd (dp), e->d_name,
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

      if (fd != -1 && scan_folder (s, fd, path, depth + 1, err) == -1)
        return -1;
      continue;
    }
    if (!S_ISREG (st.st_mode))
      continue;
    if (!lib_path_ok (path, NULL)) {
      if (tell (s, "ignored", NULL, path, "its name is not taken", err) == -1)
        return -1;
      continue;
    }
    if (is_known (s, path, &known, err) == -1)
      return -1;
    if (known)
      continue;
    if (s->found.len == MAX_SCAN)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: more than %d new files",
                       s->share->path, MAX_SCAN);
    if (lib_strings_append (&s->found, path) == -1)
      return v2v_fail_nomem (err);
    (void) STEAL (path);
  }
  return 0;
}

/* ---- what has a row ---- */

static int
look_at_page (struct scan *s, const struct v2v_share_list *shares,
              lib_places *page, struct v2v_error **err)
{
  for (size_t i = 0; i < page->len; ++i) {
    struct lib_place *p = &page->ptr[i];

    if (lib_look (p, shares, true, &s->copy, err) == -1)
      return -1;
    s->ret->nr_files++;
    s->ret->nr_bad += p->now != V2V_LOCATION_OK;
    s->ret->bytes += p->read_bytes;
    if (p->now != p->state && tell (s, v2v_location_state_name (p->now), p->id,
                                    p->full, p->problem, err) == -1)
      return -1;
  }
  return s->opts->dry_run
             ? 0
             : lib_write_states (s->lib, page->ptr, page->len, false, err);
}

static int
look_at_known (struct scan *s, const struct v2v_share_list *shares,
               struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_places_clear))) lib_places page =
      V2V_VECTOR_INIT;

  do {
    if (lib_next_places (s->lib, s->share->id, &page, err) == -1 ||
        look_at_page (s, shares, &page, err) == -1)
      return -1;
  } while (page.len > 0);
  return 0;
}

/* ---- what has none ---- */

/* A file with this digest that is missing on this share, or that is kept: in
 * *RET_ID; *RET_OLD is the path it is missing at. */
static int
find_digest (struct scan *s, const char *digest, char **ret_id,
             int64_t *ret_seq, char **ret_old, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      s->lib->cat,
      "SELECT file.object, file.seq, location.path FROM file "
      "LEFT JOIN location ON location.object = file.object AND "
      "location.seq = file.seq AND location.share = ? AND "
      "location.state = 1 WHERE file.digest = ? "
      "ORDER BY CASE WHEN location.path IS NULL THEN 1 ELSE 0 END",
      err);
  int r;

  *ret_id = *ret_old = NULL;
  if (q == NULL)
    return -1;
  v2v_query_text (q, s->share->id);
  v2v_query_text (q, digest);
  r = v2v_query_step (q, err);
  if (r != 1)
    return r;
  *ret_seq = v2v_query_get_int (q, 1);
  *ret_id = strdup (v2v_query_get_text (q, 0));
  if (v2v_query_get_text (q, 2) != NULL)
    *ret_old = strdup (v2v_query_get_text (q, 2));
  if (*ret_id != NULL && (*ret_old != NULL || !v2v_query_get_text (q, 2)))
    return 0;
  return v2v_fail_nomem (err);
}

static int
set_location (struct scan *s, const char *path, const char *old, const char *id,
              int64_t seq, uint64_t size, int64_t mtime, struct v2v_error **err)
{
  if (v2v_catalogue_begin (s->lib->cat, err) == -1)
    return -1;
  if ((old != NULL &&
       v2v_catalogue_run (s->lib->cat, NULL, err,
                          "DELETE FROM location WHERE share = ? AND path = ?",
                          s->share->id, old, V2V_QUERY_END) == -1) ||
      lib_insert_location (s->lib, s->share->id, path, id, (size_t) seq, size,
                           mtime, err) == -1 ||
      lib_update_state (s->lib, id, err) == -1 ||
      lib_meta_note (s->lib, id, err) == -1) {
    v2v_catalogue_rollback (s->lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (s->lib->cat, err);
}

/* 1: PATH is a file of an object that is known. */
static int
follow (struct scan *s, const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *full = lib_join (s->share->path, path, err);
  CLEANUP_FREE char *id = NULL, *old = NULL;
  struct v2v_error *e = NULL;
  char digest[LIB_DIGEST_SIZE];
  uint64_t size;
  int64_t mtime, seq = 0;

  if (full == NULL)
    return -1;
  if (lib_digest (full, &s->copy, digest, &size, &mtime, &e) == -1) {
    int r;

    if (v2v_error_code (e) == V2V_ERR_INTERRUPTED)
      return v2v_error_move (err, e);
    r = tell (s, "ignored", NULL, full, v2v_error_message (e), err);
    v2v_error_free (e);
    return r == -1 ? -1 : 1;
  }
  s->ret->bytes += size;
  /* Empty files are all alike: none of them is another one that moved. */
  if (size == 0)
    return 0;
  if (find_digest (s, digest, &id, &seq, &old, err) == -1)
    return -1;
  if (id == NULL)
    return 0;
  if (!s->opts->dry_run &&
      set_location (s, path, old, id, seq, size, mtime, err) == -1)
    return -1;
  s->ret->nr_done++;
  s->ret->nr_bad -= old != NULL && s->ret->nr_bad > 0;
  return tell (s, old ? "moved" : "copy", id, full, NULL, err) == -1 ? -1 : 1;
}

/* The kind that the share's folder says, for what its bytes do not tell. */
static const char *
folder_kind (const char *path, char buf[32])
{
  const size_t n = strcspn (path, "/");
  enum v2v_object_kind kind;

  if (path[n] == '\0' || n >= 32)
    return NULL;
  memcpy (buf, path, n);
  buf[n] = '\0';
  if (!v2v_object_kind_parse (buf, &kind) || kind == V2V_OBJECT_DISK ||
      kind == V2V_OBJECT_VM || kind == V2V_OBJECT_DRIVER)
    return NULL;
  return buf;
}

/* PATH, or the folder it makes an object of: report.json a machine's, an INF a
 * driver's.  The caller frees. */
static char *
unit_of (struct scan *s, const char *path, struct v2v_error **err)
{
  char *full = lib_join (s->share->path, path, err);
  char *slash = full ? strrchr (full, '/') : NULL;
  const size_t len = slash ? strlen (slash) : 0;

  if (slash != NULL && strchr (path, '/') != NULL &&
      (strcmp (slash, "/report.json") == 0 ||
       (len > 5 && strcasecmp (slash + len - 4, ".inf") == 0)))
    *slash = '\0';
  return full;
}

/* What brings other files with it goes first. */
static int
rank (const char *path)
{
  const char *dot = strrchr (path, '.');

  if (strcmp (path + strlen (path) - (strlen (path) > 11 ? 11 : 0),
              "report.json") == 0)
    return 0;
  if (dot != NULL && strcasecmp (dot, ".inf") == 0)
    return 1;
  return dot != NULL && strcasecmp (dot, ".vmdk") == 0 ? 2 : 3;
}

static int
compare_ranks (const void *va, const void *vb)
{
  const char *a = *(char *const *) va, *b = *(char *const *) vb;
  const int d = rank (a) - rank (b);

  return d != 0 ? d : strcmp (a, b);
}

/* The place of PATH in what was found, or -1. */
static ssize_t
find_found (const struct scan *s, const char *path)
{
  char *const *p = s->found.len == 0
                       ? NULL
                       : bsearch (&path, s->found.ptr, s->found.len,
                                  sizeof s->found.ptr[0], compare_ranks);

  return p == NULL ? -1 : p - s->found.ptr;
}

/* The files of ITEM as paths in the share; false: one has a row already, or
 * lies elsewhere. */
static bool
paths_of (struct scan *s, const struct lib_item *item, lib_strings *ret)
{
  const size_t n = strlen (s->share->path);

  for (size_t i = 0; i < item->files.len; ++i) {
    const char *full = item->files.ptr[i].path;
    ssize_t at;
    char *path;

    if (strncmp (full, s->share->path, n) != 0 || full[n] != '/')
      return false;
    at = find_found (s, full + n + 1);
    path = at >= 0 && !s->done[at] ? strdup (full + n + 1) : NULL;
    if (path == NULL || lib_strings_append (ret, path) == -1) {
      free (path);
      return false;
    }
  }
  return true;
}

static void
forget (struct scan *s, const lib_strings *paths)
{
  for (size_t i = 0; i < paths->len; ++i) {
    const ssize_t at = find_found (s, paths->ptr[i]);

    if (at >= 0)
      s->done[at] = true;
  }
}

/* What a document says of itself. */
static int
set_fields (struct scan *s, const struct lib_item *item,
            const struct lib_document *document, struct v2v_error **err)
{
  struct v2v_library_set set = { .name = NULL };

  if (document == NULL)
    return 0;
  lib_document_fields (document, &set);
  return lib_set_in_transaction (s->lib, item->id, &set, err);
}

static int
insert_items (struct scan *s, lib_items *items, lib_strings *paths,
              const struct lib_document *document, struct v2v_error **err)
{
  size_t seq = 0;

  for (size_t i = 0; i < items->len; ++i)
    if (lib_identify (s->lib, items, i, NULL, &s->copy, err) == -1)
      return -1;
  if (s->opts->dry_run)
    return 0;
  if (v2v_catalogue_begin (s->lib->cat, err) == -1)
    return -1;
  for (size_t i = 0; i < items->len; ++i) {
    struct lib_item *item = &items->ptr[i];

    /* Known by its contents, with other bytes: the catalogue has no second
     * object for it, and the file stays what it is. */
    if (!item->known && (lib_insert_item (s->lib, item, items, s->share->id,
                                          paths->ptr + seq, err) == -1 ||
                         set_fields (s, item, document, err) == -1 ||
                         lib_meta_note (s->lib, item->id, err) == -1)) {
      v2v_catalogue_rollback (s->lib->cat);
      return -1;
    }
    seq += item->files.len;
  }
  return v2v_catalogue_commit (s->lib->cat, err);
}

static int
insert (struct scan *s, lib_items *items, lib_strings *paths,
        struct v2v_error **err)
{
  struct lib_document *document = NULL;
  int r = 0;

  if (items->len == 1)
    r = lib_document_read (s->lib, &items->ptr[0], &document, err);
  if (r == 0)
    r = insert_items (s, items, paths, document, err);
  lib_document_free (document);
  return r;
}

/* 1: done with it; 0: what it needs is not here yet. */
static int
take_in (struct scan *s, const char *path, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_items_clear))) lib_items items = V2V_VECTOR_INIT;
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings paths =
      V2V_VECTOR_INIT;
  CLEANUP_FREE char *unit = unit_of (s, path, err);
  CLEANUP_FREE char *full = lib_join (s->share->path, path, NULL);
  struct v2v_error *e = NULL;
  char kind[32];
  const char *forced = folder_kind (path, kind);
  bool mine = true;
  int r = 1;

  if (unit == NULL || full == NULL)
    return -1;
  if (lib_classify (unit, forced, &items, &e) == -1)
    goto problem;
  for (size_t i = 0; i < items.len; ++i)
    mine = mine && paths_of (s, &items.ptr[i], &paths);
  if (!mine || (items.len == 1 && forced == NULL &&
                items.ptr[0].kind == V2V_OBJECT_FILE))
    return tell (s, "ignored", NULL, full,
                 mine ? "nothing tells what it is" : "it belongs to another",
                 err) == -1
               ? -1
               : 1;
  if (insert (s, &items, &paths, &e) == -1)
    goto problem;
  s->ret->nr_done++;
  r = tell (s, items.ptr[items.len - 1].known ? "known" : "new",
            items.ptr[items.len - 1].id, unit, NULL, err) == -1
          ? -1
          : 1;
  forget (s, &paths);
  return r;

problem:
  if (v2v_error_code (e) == V2V_ERR_INTERRUPTED ||
      v2v_error_code (e) == V2V_ERR_NOMEM)
    return v2v_error_move (err, e);
  r = v2v_error_code (e) == V2V_ERR_MISMATCH
          ? 0
          : (tell (s, "ignored", NULL, full, v2v_error_message (e), err) == -1
                 ? -1
                 : 1);
  v2v_error_free (e);
  return r;
}

static int
look_at_new (struct scan *s, struct v2v_error **err)
{
  bool progress = true;
  int r;

  if (s->found.len == 0)
    return 0;
  qsort (s->found.ptr, s->found.len, sizeof s->found.ptr[0], compare_ranks);
  s->done = calloc (s->found.len, sizeof *s->done);
  if (s->done == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < s->found.len; ++i) {
    r = follow (s, s->found.ptr[i], err);
    if (r == -1)
      return -1;
    s->done[i] = r == 1;
  }
  /* Children wait for their parents, whatever the names' order is. */
  while (progress) {
    progress = false;
    for (size_t i = 0; i < s->found.len; ++i) {
      if (s->done[i])
        continue;
      r = take_in (s, s->found.ptr[i], err);
      if (r == -1)
        return -1;
      if (r == 1)
        s->done[i] = progress = true;
    }
  }
  for (size_t i = 0; i < s->found.len; ++i)
    if (!s->done[i] &&
        tell (s, "ignored", NULL, s->found.ptr[i],
              "what it needs (a disk its parent, a template its disks) is not "
              "in the library",
              err) == -1)
      return -1;
  return 0;
}

int
lib_unknown_files (struct v2v_library *lib, const struct v2v_share *share,
                   lib_strings *ret, struct v2v_error **err)
{
  static const struct v2v_upkeep_opts opts;
  static const lib_waiting none;
  struct scan s = {
    .lib = lib, .share = share, .opts = &opts, .waiting = &none
  };
  const int fd = lib_share_fd (share, err);
  const int r = fd == -1 ? -1 : scan_folder (&s, fd, "", 1, err);

  *ret = s.found;
  return r;
}

int
v2v_library_refresh (struct v2v_library *lib, const char *share,
                     const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                     void *arg, struct v2v_upkeep_result *ret,
                     struct v2v_error **err)
{
  static const struct v2v_upkeep_opts defaults;
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  __attribute__ ((cleanup (lib_waiting_clear))) lib_waiting waiting =
      V2V_VECTOR_INIT;
  CLEANUP_FREE char *one_id = NULL;
  struct v2v_share one = { 0 };
  const double begin = lib_seconds ();
  int r = 0;

  memset (ret, 0, sizeof *ret);
  if (opts == NULL)
    opts = &defaults;
  if (!opts->dry_run &&
      lib_need (lib, "", V2V_ROLE_AUTHOR, "refresh", err) == -1)
    return -1;
  if (share != NULL) { /* its name is one */
    if (lib_find_share (lib, share, &one, err) == -1)
      return -1;
    one_id = STEAL (one.id);
    lib_share_clear (&one);
  }
  if (v2v_library_shares (lib, &shares, err) == -1 ||
      lib_restore (lib, &shares, one_id, opts, fn, arg, ret, &waiting, err) ==
          -1)
    return -1;
  for (size_t i = 0; r == 0 && i < shares.len; ++i) {
    struct scan s = { .lib = lib,
                      .share = &shares.ptr[i],
                      .opts = opts,
                      .fn = fn,
                      .arg = arg,
                      .ret = ret,
                      .waiting = &waiting };
    int fd = -1;

    if (one_id != NULL && strcmp (one_id, shares.ptr[i].id) != 0)
      continue;
    s.copy.threads = opts->threads;
    s.copy.progress = opts->progress;
    s.copy.progress_arg = opts->progress_arg;
    s.copy.cancel = opts->cancel;
    r = look_at_known (&s, &shares, err);
    if (r == 0 && shares.ptr[i].there) {
      fd = lib_share_fd (&shares.ptr[i], err);
      r = fd == -1 ? -1 : scan_folder (&s, fd, "", 1, err);
      if (r == 0)
        r = look_at_new (&s, err);
      lib_meta_flush (lib);
      if (r == 0 && !opts->dry_run)
        r = lib_meta_complete (lib, &shares.ptr[i], err);
    }
    lib_strings_clear (&s.found);
    free (s.done);
  }
  ret->seconds = lib_seconds () - begin;
  return r;
}
