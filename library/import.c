/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Import: from files to objects, all of them or none (see pending.c). */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* NAME, NAME-2 ... NAME-9, and then names that nobody has, so that the
 * thousandth "disk.vhdx" does not try a thousand. */
#define MAX_NUMBERED 9
#define MAX_CLASHES  20
/* An extension that is kept with the file's name. */
#define MAX_EXTENSION 12

struct job {
  struct v2v_library *lib;
  const struct v2v_import_opts *opts;
  struct v2v_copy_opts copy;
  struct v2v_share share;
  lib_items items;
  lib_strings paths; /* in the share, of all files of what is new */
  struct lib_intent intent;
  bool raced; /* another process brought the same content meanwhile */
  struct lib_replaced replaced;
  struct v2v_library_set set;    /* of the last object */
  struct lib_document *document; /* what it is, if it is one */
};

static void
job_clear (struct job *job)
{
  lib_items_clear (&job->items);
  lib_strings_clear (&job->paths);
  lib_share_clear (&job->share);
  free (job->replaced.kept_by);
  lib_document_free (job->document);
}

/* ---- names in the share ---- */

/* "disk/web", and ".vhdx" in *RET_EXTENSION: what a number goes between.  An
 * object of several files has a folder, whose files keep their names. */
static char *
base_path (const struct lib_item *item, char ret_extension[MAX_EXTENSION + 1])
{
  const char *name = item->files.ptr[0].name;
  const char *dot = item->files.len == 1 ? strrchr (name, '.') : NULL;
  CLEANUP_FREE char *safe = v2v_safe_name (item->name);
  size_t n = dot ? strlen (dot) : 0;
  char *path;

  if (dot == name || n > MAX_EXTENSION ||
      (n > 0 && dot[1 + strspn (dot + 1, "abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_-")] != '\0'))
    n = 0;
  snprintf (ret_extension, MAX_EXTENSION + 1, "%.*s", (int) n, n ? dot : "");
  /* A disk of a machine is called after its file. */
  if (safe != NULL && n > 0 && strlen (safe) > n &&
      strcmp (safe + strlen (safe) - n, ret_extension) == 0)
    safe[strlen (safe) - n] = '\0';
  if (safe == NULL ||
      asprintf (&path, "%s/%s", v2v_object_kind_name (item->kind), safe) == -1)
    return NULL;
  return path;
}

/* Is PATH a file, or a folder of files, in the catalogue or soon?  What is
 * below "disk/web/" is one range of names: from it on and before "disk/web0",
 * '0' being the next character. */
static int
has_row (struct job *job, const char *path, bool *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *row = NULL;
  CLEANUP_FREE char *below = NULL, *behind = NULL;

  _Static_assert('/' + 1 == '0', "the order of characters");
  if (asprintf (&below, "%s/", path) == -1) {
    below = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&behind, "%s0", path) == -1) {
    behind = NULL;
    return v2v_fail_nomem (err);
  }
  if (lib_lookup (job->lib, &row, err,
                  "SELECT path FROM location WHERE share = ? AND path = ? "
                  "UNION ALL SELECT path FROM location "
                  "WHERE share = ? AND path > ? AND path < ? "
                  "UNION ALL SELECT path FROM pending_file "
                  "WHERE share = ? AND path = ? "
                  "UNION ALL SELECT path FROM pending_file "
                  "WHERE share = ? AND path > ? AND path < ? LIMIT 1",
                  job->share.id, path, job->share.id, below, behind,
                  job->share.id, path, job->share.id, below, behind,
                  V2V_QUERY_END) == -1)
    return -1;
  *ret = row != NULL;
  return 0;
}

/* Is PATH there, in the catalogue, or about to be? */
static int
is_taken (struct job *job, int share_fd, const char *path, bool *ret,
          struct v2v_error **err)
{
  struct stat st;

  *ret = true;
  if (lib_stat (share_fd, path, &st) == 0)
    return 0;
  if (errno != ENOENT)
    return v2v_fail_errno (err, "%s/%s", job->share.path, path);
  for (size_t i = 0; i < job->paths.len; ++i) {
    const size_t n = strlen (path);

    if (strncmp (job->paths.ptr[i], path, n) == 0 &&
        (job->paths.ptr[i][n] == '\0' || job->paths.ptr[i][n] == '/'))
      return 0;
  }
  return has_row (job, path, ret, err);
}

static int
add_path (struct job *job, char *path, struct v2v_error **err)
{
  if (path != NULL && lib_strings_append (&job->paths, path) == 0)
    return 0;
  free (path);
  return v2v_fail_nomem (err);
}

static int
choose_paths (struct job *job, int share_fd, const struct lib_item *item,
              struct v2v_error **err)
{
  char extension[MAX_EXTENSION + 1];
  CLEANUP_FREE char *base = base_path (item, extension);
  CLEANUP_FREE char *path = NULL;
  bool taken = true;

  if (base == NULL)
    return v2v_fail_nomem (err);
  for (unsigned n = 1; taken; ++n) {
    char number[16] = "", id[37];

    if (n > MAX_CLASHES)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: %s%s and %d names after it "
                       "are taken",
                       job->share.path, base, extension, MAX_CLASHES - 1);
    if (n > MAX_NUMBERED) {
      if (lib_new_id (id, err) == -1)
        return -1;
      snprintf (number, sizeof number, "-%.8s", id);
    }
    else if (n > 1)
      snprintf (number, sizeof number, "-%u", n);
    free (STEAL (path));
    if (asprintf (&path, "%s%s%s", base, number, extension) == -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (is_taken (job, share_fd, path, &taken, err) == -1)
      return -1;
  }
  if (item->files.len == 1)
    return add_path (job, STEAL (path), err);
  for (size_t i = 0; i < item->files.len; ++i)
    if (add_path (job, lib_join (path, item->files.ptr[i].name, NULL), err) ==
        -1)
      return -1;
  return 0;
}

/* ---- the steps ---- */

/* In one transaction, so that two imports at once take different names. */
static int
note (struct job *job, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = lib_share_fd (&job->share, err);

  if (fd == -1 || v2v_catalogue_begin (job->lib->cat, err) == -1)
    return -1;
  if (lib_intent_note (job->lib, "import", &job->share, &job->intent, err) ==
      -1)
    goto error;
  for (size_t i = 0; i < job->items.len; ++i)
    if (!job->items.ptr[i].known &&
        choose_paths (job, fd, &job->items.ptr[i], err) == -1)
      goto error;
  for (size_t i = 0; i < job->paths.len; ++i)
    if (lib_intent_note_file (job->lib, &job->intent, job->paths.ptr[i], err) ==
        -1)
      goto error;
  return v2v_catalogue_commit (job->lib->cat, err);

error:
  v2v_catalogue_rollback (job->lib->cat);
  return -1;
}

/* File SEQ of the intent. */
static int
make_file (struct job *job, const struct lib_file *f, size_t seq,
           struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  char tmp[80];

  snprintf (tmp, sizeof tmp, LIB_TMP "/%s/%zu", job->intent.id, seq);
  if (f->path == NULL)
    return lib_write (job->intent.share_fd, tmp, f->bytes, f->len, err);
  path = lib_join (job->share.path, tmp, err);
  if (path == NULL)
    return -1;
  if (job->opts->link && link (f->path, path) == 0)
    return 0; /* synced by who made it */
  return lib_copy (f->path, path, f->digest, &job->copy, err);
}

static int
make_files (struct job *job, struct v2v_error **err)
{
  size_t seq = 0;

  for (size_t i = 0; i < job->items.len; ++i) {
    const struct lib_item *item = &job->items.ptr[i];

    for (size_t j = 0; !item->known && j < item->files.len; ++j)
      if (make_file (job, &item->files.ptr[j], seq++, err) == -1)
        return -1;
  }
  return lib_intent_ready (&job->intent, err);
}

static int
publish (struct job *job, struct v2v_error **err)
{
  for (size_t i = 0; i < job->paths.len; ++i) {
    char tmp[80];

    snprintf (tmp, sizeof tmp, LIB_TMP "/%s/%zu", job->intent.id, i);
    if (lib_publish (job->intent.share_fd, tmp, job->paths.ptr[i]) == -1)
      return v2v_fail_errno (err, "%s/%s", job->share.path, job->paths.ptr[i]);
  }
  return 0;
}

/* What the new files' times are, for a quick look later. */
static int
note_times (struct job *job, struct v2v_error **err)
{
  size_t seq = 0;

  for (size_t i = 0; i < job->items.len; ++i) {
    struct lib_item *item = &job->items.ptr[i];

    for (size_t j = 0; !item->known && j < item->files.len; ++j, ++seq) {
      struct stat st;

      if (lib_stat (job->intent.share_fd, job->paths.ptr[seq], &st) == -1)
        return v2v_fail_errno (err, "%s", job->paths.ptr[seq]);
      item->files.ptr[j].mtime = lib_mtime (&st);
    }
  }
  return 0;
}

static int
insert_rows (struct job *job, struct v2v_error **err)
{
  const struct lib_item *last = &job->items.ptr[job->items.len - 1];
  size_t seq = 0;

  for (size_t i = 0; i < job->items.len; ++i) {
    struct lib_item *item = &job->items.ptr[i];
    CLEANUP_FREE char *other = NULL;

    if (item->known)
      continue;
    if (lib_find_identity (job->lib, item->identity, &other, err) == -1)
      return -1;
    if (other != NULL) {
      job->raced = true;
      v2v_fail (err, V2V_ERR_USAGE,
                "%s: another process has just imported the same content",
                item->name);
      return v2v_hint (err, "run it again: it is known now");
    }
    if (lib_insert_item (job->lib, item, &job->items, job->share.id,
                         job->paths.ptr + seq, err) == -1)
      return -1;
    seq += item->files.len;
  }
  for (size_t i = 0; last->known && i < last->relations.len; ++i)
    if (last->relations.ptr[i].to == NULL &&
        lib_relate_in_transaction (
            job->lib, last->id, last->relations.ptr[i].role,
            last->relations.ptr[i].label,
            job->items.ptr[last->relations.ptr[i].to_item].id, err) == -1)
      return -1;
  for (size_t i = 0; i < job->opts->nr_relations; ++i)
    if (lib_relate_in_transaction (
            job->lib, last->id, job->opts->relations[i].role,
            job->opts->relations[i].label ? job->opts->relations[i].label : "",
            job->opts->relations[i].to, err) == -1)
      return -1;
  if (lib_set_in_transaction (job->lib, last->id, &job->set, err) == -1)
    return -1;
  for (size_t i = 0; i < job->items.len; ++i)
    if ((!job->items.ptr[i].known || i + 1 == job->items.len) &&
        lib_meta_note (job->lib, job->items.ptr[i].id, err) == -1)
      return -1;
  return job->opts->replaces == NULL
             ? 0
             : lib_replace_in_transaction (job->lib, job->opts->replaces,
                                           last->id, &job->replaced, err);
}

static int
store (struct job *job, struct v2v_error **err)
{
  if (note (job, err) == -1)
    return -1;
  if (lib_intent_start (job->lib, &job->intent, err) == 0 &&
      make_files (job, err) == 0 && publish (job, err) == 0 &&
      note_times (job, err) == 0 &&
      v2v_catalogue_begin (job->lib->cat, err) == 0 &&
      insert_rows (job, err) == 0 &&
      lib_intent_end (job->lib, &job->intent, err) == 0 &&
      v2v_catalogue_commit (job->lib->cat, err) == 0) {
    lib_intent_close (&job->intent);
    lib_meta_flush (job->lib);
    return 0;
  }
  lib_intent_undo (job->lib, &job->intent);
  return -1;
}

/* What was to be stored is there: only what needs the old one moves. */
static int
replace_by_known (struct job *job, const char *id, struct v2v_error **err)
{
  if (v2v_catalogue_begin (job->lib->cat, err) == -1)
    return -1;
  if (lib_replace_in_transaction (job->lib, job->opts->replaces, id,
                                  &job->replaced, err) == -1) {
    v2v_catalogue_rollback (job->lib->cat);
    return -1;
  }
  if (v2v_catalogue_commit (job->lib->cat, err) == -1)
    return -1;
  lib_meta_flush (job->lib);
  return 0;
}

/* Wrong words of the user are told before hours of reading. */
static int
check_fields (const struct v2v_library_set *s, struct v2v_error **err)
{
  const char *const texts[] = { s->version,    s->name_space, s->family,
                                s->release,    s->os,         s->owner,
                                s->description };

  if (s->name != NULL && lib_check_text ("the name", s->name, true, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (texts); ++i)
    if (texts[i] != NULL &&
        lib_check_text ("a field", texts[i], false, err) == -1)
      return -1;
  return 0;
}

/* A machine that is known may have lost a disk: that comes back. */
static bool
has_news (const lib_items *items)
{
  for (size_t i = 0; i < items->len; ++i)
    if (!items->ptr[i].known)
      return true;
  return false;
}

static bool
has_children (const lib_items *items)
{
  for (size_t i = 0; i < items->len; ++i)
    if (items->ptr[i].parent_id != NULL)
      return true;
  return false;
}

/* After somebody was faster: which items are known by now? */
static int
look_again (struct job *job, struct v2v_error **err)
{
  job->raced = false;
  lib_strings_clear (&job->paths);
  for (size_t i = 0; i < job->items.len; ++i) {
    struct lib_item *item = &job->items.ptr[i];
    CLEANUP_FREE char *id = NULL;

    if (lib_find_identity (job->lib, item->identity, &id, err) == -1)
      return -1;
    if (id != NULL) {
      item->known = true;
      snprintf (item->id, sizeof item->id, "%s", id);
    }
  }
  return 0;
}

static int
run (struct job *job, struct v2v_import_result *ret, struct v2v_error **err)
{
  struct lib_item *last = &job->items.ptr[job->items.len - 1];

  job->copy.threads = job->opts->threads;
  job->copy.progress = job->opts->progress;
  job->copy.progress_arg = job->opts->progress_arg;
  job->copy.cancel = job->opts->cancel;
  job->set = job->opts->set;
  if (lib_document_read (job->lib, last, &job->document, err) == -1)
    return -1;
  if (job->document != NULL)
    lib_document_fields (job->document, &job->set);
  if (job->set.name != NULL) {
    free (last->name);
    last->name = strdup (job->set.name);
    if (last->name == NULL)
      return v2v_fail_nomem (err);
  }
  for (size_t i = 0; i < job->items.len; ++i)
    if (lib_identify (job->lib, &job->items, i, job->opts->parent, &job->copy,
                      err) == -1)
      return -1;
  while (has_news (&job->items)) {
    struct v2v_error *e = NULL;

    if (store (job, &e) == 0)
      break;
    /* Who needs what was brought (a child of it) has to be told of it, and
     * that is for the next run. */
    if (!job->raced || has_children (&job->items))
      return v2v_error_move (err, e);
    v2v_error_free (e);
    if (look_again (job, err) == -1)
      return -1;
  }
  if (job->opts->replaces != NULL && last->known &&
      replace_by_known (job, last->id, err) == -1)
    return -1;
  ret->known = last->known;
  ret->moved = job->replaced.moved;
  ret->removed = job->replaced.removed;
  ret->kept_by = STEAL (job->replaced.kept_by);
  ret->id = strdup (last->id);
  if (ret->id == NULL)
    return v2v_fail_nomem (err);
  return ret->removed ? lib_finish_removals (job->lib, err) : 0;
}

static int
start (struct job *job, struct v2v_library *lib,
       const struct v2v_import_opts *opts, struct v2v_error **err)
{
  job->lib = lib;
  job->opts = opts;
  if (check_fields (&opts->set, err) == -1 ||
      lib_need (lib, opts->set.name_space ? opts->set.name_space : "",
                V2V_ROLE_AUTHOR, "the new object", err) == -1)
    return -1;
  return lib_find_share (lib, opts->share, &job->share, err);
}

int
v2v_library_import (struct v2v_library *lib, const char *path,
                    const struct v2v_import_opts *opts,
                    struct v2v_import_result *ret, struct v2v_error **err)
{
  static const struct v2v_import_opts defaults;
  __attribute__ ((
      cleanup (job_clear))) struct job job = { .intent = LIB_INTENT_INIT };
  CLEANUP_FREE char *real = realpath (path, NULL);

  if (real == NULL)
    return v2v_fail_errno (err, "%s", path);
  if (start (&job, lib, opts ? opts : &defaults, err) == -1 ||
      lib_classify (real, job.opts->kind, &job.items, err) == -1)
    return -1;
  return run (&job, ret, err);
}

int
v2v_library_import_text (struct v2v_library *lib, const char *file,
                         const void *bytes, size_t len,
                         const struct v2v_import_opts *opts,
                         struct v2v_import_result *ret, struct v2v_error **err)
{
  static const struct v2v_import_opts defaults;
  __attribute__ ((
      cleanup (job_clear))) struct job job = { .intent = LIB_INTENT_INIT };
  struct lib_item item = { .kind = V2V_OBJECT_FILE };
  const char *name;

  if (start (&job, lib, opts ? opts : &defaults, err) == -1)
    return -1;
  if (job.opts->kind != NULL &&
      !v2v_object_kind_parse (job.opts->kind, &item.kind))
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is no kind of object",
                     job.opts->kind);
  name = job.opts->set.name ? job.opts->set.name : file;
  item.name = strdup (name);
  if (item.name == NULL || lib_items_append (&job.items, item) == -1) {
    free (item.name);
    return v2v_fail_nomem (err);
  }
  if (lib_add_file (&job.items.ptr[0], NULL, file, err) == -1)
    return -1;
  job.items.ptr[0].files.ptr[0].bytes = bytes;
  job.items.ptr[0].files.ptr[0].len = len;
  return run (&job, ret, err);
}

void
v2v_import_result_clear (struct v2v_import_result *r)
{
  free (STEAL (r->id));
  free (STEAL (r->kept_by));
}

/* ---- work ---- */

char *
v2v_library_work_folder (struct v2v_library *lib, const char *name,
                         struct v2v_error **err)
{
  struct v2v_share share = { 0 };
  const char *leaf;
  char *path = NULL;
  int fd, work = -1;

  if (lib_find_share (lib, name, &share, err) == -1)
    return NULL;
  fd = lib_share_fd (&share, err);
  if (fd != -1) {
    work = lib_walk (fd, LIB_OWN "/work/x", true, &leaf);
    if (work == -1)
      v2v_fail_errno (err, "%s/" LIB_OWN "/work", share.path);
    else
      path = lib_join (share.path, LIB_OWN "/work", err);
    close (fd);
  }
  if (work != -1)
    close (work);
  lib_share_clear (&share);
  return path;
}

int
v2v_library_work_done (const char *folder, struct v2v_error **err)
{
  CLEANUP_FREE char *dir = strdup (folder);
  CLEANUP_CLOSE int fd = -1;
  char *slash = dir ? strrchr (dir, '/') : NULL;

  if (slash == NULL)
    return v2v_fail_nomem (err);
  *slash = '\0';
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1 || lib_remove_tree (fd, slash + 1) == -1)
    return v2v_fail_errno (err, "%s: remove", folder);
  return 0;
}
