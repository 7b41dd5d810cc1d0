/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies: a second one on another share, and a good one in place of what is
 * missing or has changed.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* A file that is to be made of a good copy. */
struct target {
  const struct lib_place *from;
  char *path; /* in the share */
};
V2V_VECTOR (target_vector, struct target);

static void
targets_clear (target_vector *v)
{
  for (size_t i = 0; i < v->len; ++i)
    free (v->ptr[i].path);
  free (v->ptr);
}

static int
add_target (target_vector *v, const struct lib_place *from, char *path,
            struct v2v_error **err)
{
  const struct target t = { from, path };

  if (path != NULL && target_vector_append (v, t) == 0)
    return 0;
  free (path);
  return v2v_fail_nomem (err);
}

/* ---- from intent to files ---- */

static int
note (struct v2v_library *lib, const struct v2v_share *share,
      const target_vector *targets, struct lib_intent *in,
      struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (lib_intent_note (lib, "copy", share, in, err) == -1)
    goto error;
  for (size_t i = 0; i < targets->len; ++i)
    if (lib_intent_note_file (lib, in, targets->ptr[i].path, err) == -1)
      goto error;
  return v2v_catalogue_commit (lib->cat, err);

error:
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

static int
make_files (const struct v2v_share *share, const target_vector *targets,
            struct lib_intent *in, const struct v2v_copy_opts *copy,
            struct v2v_error **err)
{
  for (size_t i = 0; i < targets->len; ++i) {
    CLEANUP_FREE char *path = NULL;

    if (asprintf (&path, "%s/" LIB_TMP "/%s/%zu", share->path, in->id, i) ==
        -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (lib_copy (targets->ptr[i].from->full, path,
                  targets->ptr[i].from->digest, copy, err) == -1)
      return -1;
  }
  return lib_intent_ready (in, err);
}

/* What lies at PATH is no good, but somebody's: it is set aside, and gc
 * removes it. */
static int
set_aside (int share_fd, const char *path, struct v2v_error **err)
{
  char aside[80], id[37];

  if (lib_new_id (id, err) == -1)
    return -1;
  snprintf (aside, sizeof aside, LIB_OWN "/changed/%s", id);
  if (lib_publish (share_fd, path, aside) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s: setting it aside", path);
  return 0;
}

static int
publish (const target_vector *targets, struct lib_intent *in, bool replace,
         struct v2v_error **err)
{
  for (size_t i = 0; i < targets->len; ++i) {
    char tmp[80];

    snprintf (tmp, sizeof tmp, LIB_TMP "/%s/%zu", in->id, i);
    if (replace && set_aside (in->share_fd, targets->ptr[i].path, err) == -1)
      return -1;
    if (lib_publish (in->share_fd, tmp, targets->ptr[i].path) == -1)
      return v2v_fail_errno (err, "%s", targets->ptr[i].path);
  }
  return 0;
}

/* The rows; those of an old copy are replaced. */
static int
insert_rows (struct v2v_library *lib, const struct v2v_share *share,
             const target_vector *targets, const struct lib_intent *in,
             struct v2v_error **err)
{
  for (size_t i = 0; i < targets->len; ++i) {
    const struct target *t = &targets->ptr[i];
    struct stat st;

    if (lib_stat (in->share_fd, t->path, &st) == -1)
      return v2v_fail_errno (err, "%s", t->path);
    if (v2v_catalogue_run (lib->cat, NULL, err,
                           "DELETE FROM location WHERE share = ? AND path = ?",
                           share->id, t->path, V2V_QUERY_END) == -1 ||
        lib_insert_location (lib, share->id, t->path, t->from->id,
                             (size_t) t->from->seq, t->from->size,
                             lib_mtime (&st), err) == -1 ||
        lib_update_state (lib, t->from->id, err) == -1 ||
        ((i == 0 || strcmp (t->from->id, t[-1].from->id) != 0) &&
         lib_meta_note (lib, t->from->id, err) == -1))
      return -1;
  }
  return lib_intent_end (lib, in, err);
}

static int
make_copies (struct v2v_library *lib, const struct v2v_share *share,
             const target_vector *targets, bool replace,
             const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  struct lib_intent in = LIB_INTENT_INIT;

  if (note (lib, share, targets, &in, err) == 0 &&
      lib_intent_start (lib, &in, err) == 0 &&
      make_files (share, targets, &in, copy, err) == 0 &&
      publish (targets, &in, replace, err) == 0 &&
      v2v_catalogue_begin (lib->cat, err) == 0 &&
      insert_rows (lib, share, targets, &in, err) == 0 &&
      v2v_catalogue_commit (lib->cat, err) == 0) {
    lib_intent_close (&in);
    lib_meta_flush (lib);
    return 0;
  }
  lib_intent_undo (lib, &in);
  return -1;
}

static struct v2v_copy_opts
copy_opts (const struct v2v_upkeep_opts *o)
{
  return (struct v2v_copy_opts){ .threads = o->threads,
                                 .progress = o->progress,
                                 .progress_arg = o->progress_arg,
                                 .cancel = o->cancel };
}

/* ---- a second copy ---- */

/* Where the copy of P lies: as there, or in a folder of the object's own. */
static char *
target_path (int fd, const struct lib_place *p)
{
  struct stat st;
  char *path;
  const char *slash = strrchr (p->path, '/');

  if (lib_stat (fd, p->path, &st) == -1 && errno == ENOENT)
    return strdup (p->path);
  if (asprintf (&path, "copy/%s/%s", p->id, slash ? slash + 1 : p->path) == -1)
    return NULL;
  return path;
}

int
v2v_library_copy (struct v2v_library *lib, const char *id, const char *name,
                  const struct v2v_upkeep_opts *opts, struct v2v_error **err)
{
  static const struct v2v_upkeep_opts defaults;
  __attribute__ ((cleanup (lib_places_clear))) lib_places places =
      V2V_VECTOR_INIT;
  __attribute__ ((cleanup (targets_clear))) target_vector targets =
      V2V_VECTOR_INIT;
  struct v2v_share share = { 0 };
  const struct v2v_copy_opts copy = copy_opts (opts ? opts : &defaults);
  int fd = -1, r = -1;

  if (lib_need_object (lib, id, V2V_ROLE_AUTHOR, "a copy", err) == -1 ||
      lib_find_share (lib, name, &share, err) == -1)
    return -1;
  fd = lib_share_fd (&share, err);
  if (fd == -1 || lib_find_places (lib, id, &places, err) == -1)
    goto end;
  r = 0;
  for (size_t i = 0; r == 0 && i < places.len; ++i) {
    const struct lib_place *p = &places.ptr[i];
    bool have = p->state != V2V_LOCATION_OK;

    for (size_t k = 0; k < places.len; ++k)
      have |= places.ptr[k].seq == p->seq &&
              strcmp (places.ptr[k].share, share.id) == 0;
    for (size_t k = 0; k < targets.len; ++k)
      have |= targets.ptr[k].from->seq == p->seq;
    if (!have)
      r = add_target (&targets, p, target_path (fd, p), err);
  }
  if (r == 0 && targets.len > 0)
    r = make_copies (lib, &share, &targets, false, &copy, err);

end:
  if (fd != -1)
    close (fd);
  lib_share_clear (&share);
  return r;
}

/* ---- repair ---- */

/* A good copy of the same file, elsewhere. */
static const struct lib_place *
good_copy (const lib_places *places, const struct lib_place *bad)
{
  for (size_t i = 0; i < places->len; ++i) {
    const struct lib_place *p = &places->ptr[i];

    if (p != bad && strcmp (p->id, bad->id) == 0 && p->seq == bad->seq &&
        p->now == V2V_LOCATION_OK && access (p->full, R_OK) == 0)
      return p;
  }
  return NULL;
}

static int
repair_one (struct v2v_library *lib, const lib_places *places,
            const struct lib_place *bad, const struct v2v_upkeep_opts *opts,
            v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
            struct v2v_error **err)
{
  __attribute__ ((cleanup (targets_clear))) target_vector targets =
      V2V_VECTOR_INIT;
  const struct lib_place *good = good_copy (places, bad);
  struct v2v_upkeep_item item = {
    .what = "restored", .id = bad->id, .name = bad->name, .path = bad->full
  };
  const struct v2v_copy_opts copy = copy_opts (opts);
  struct v2v_share share = { 0 };
  struct v2v_error *e = NULL;
  int r = 0;

  if (good == NULL) {
    item.what = v2v_location_state_name (bad->now);
    item.message = "no share has a good copy";
  }
  else if (!opts->dry_run) {
    if (add_target (&targets, good, strdup (bad->path), err) == -1 ||
        lib_find_share (lib, bad->share, &share, err) == -1)
      return -1;
    r = make_copies (lib, &share, &targets, true, &copy, &e);
    lib_share_clear (&share);
  }
  if (r == -1) {
    if (v2v_error_code (e) == V2V_ERR_INTERRUPTED)
      return v2v_error_move (err, e);
    item.what = v2v_location_state_name (bad->now);
    item.message = v2v_error_message (e);
  }
  if (r == -1 || good == NULL)
    ret->nr_bad++;
  else
    ret->nr_done++;
  r = fn == NULL ? 0 : fn (arg, &item, err);
  v2v_error_free (e);
  return r;
}

/* All that is bad of the object ID; its other copies are looked at too. */
static int
repair_object (struct v2v_library *lib, const char *id,
               const struct v2v_share_list *shares,
               const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn, void *arg,
               struct v2v_upkeep_result *ret, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_places_clear))) lib_places places =
      V2V_VECTOR_INIT;
  const struct v2v_copy_opts copy = copy_opts (opts);

  if (lib_find_places (lib, id, &places, err) == -1)
    return -1;
  for (size_t i = 0; i < places.len; ++i)
    if (lib_look (&places.ptr[i], shares, true, &copy, err) == -1)
      return -1;
  for (size_t i = 0; i < places.len; ++i)
    if (places.ptr[i].now != V2V_LOCATION_OK &&
        repair_one (lib, &places, &places.ptr[i], opts, fn, arg, ret, err) ==
            -1)
      return -1;
  return 0;
}

/* Objects with a file that is missing or changed, as the refresh has just
 * noted: it is what was looked at that counts, so a dry run looks itself. */
static int
find_bad (struct v2v_library *lib, const struct v2v_share_list *shares,
          const struct v2v_copy_opts *copy, lib_strings *ret,
          struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_places_clear))) lib_places page =
      V2V_VECTOR_INIT;

  do {
    if (lib_next_places (lib, NULL, &page, err) == -1)
      return -1;
    for (size_t i = 0; i < page.len; ++i) {
      struct lib_place *p = &page.ptr[i];

      if (lib_look (p, shares, true, copy, err) == -1)
        return -1;
      if (p->now == V2V_LOCATION_OK ||
          (ret->len > 0 && strcmp (ret->ptr[ret->len - 1], p->id) == 0))
        continue;
      if (lib_strings_append (ret, p->id) == -1)
        return v2v_fail_nomem (err);
      p->id = strdup (p->id); /* the next page begins after it */
      if (p->id == NULL)
        return v2v_fail_nomem (err);
    }
  } while (page.len > 0);
  return 0;
}

int
v2v_library_repair (struct v2v_library *lib, const struct v2v_upkeep_opts *opts,
                    v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
                    struct v2v_error **err)
{
  static const struct v2v_upkeep_opts defaults;
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings bad =
      V2V_VECTOR_INIT;
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  const double begin = lib_seconds ();
  struct v2v_copy_opts copy;

  if (opts == NULL)
    opts = &defaults;
  if (!opts->dry_run &&
      lib_need (lib, "", V2V_ROLE_AUTHOR, "repair", err) == -1)
    return -1;
  copy = copy_opts (opts);
  /* First what moved: its digest finds it, nothing has to be copied. */
  if (v2v_library_refresh (lib, NULL, opts, fn, arg, ret, err) == -1 ||
      v2v_library_shares (lib, &shares, err) == -1 ||
      find_bad (lib, &shares, &copy, &bad, err) == -1)
    return -1;
  ret->nr_bad = 0;
  for (size_t i = 0; i < bad.len; ++i)
    if (repair_object (lib, bad.ptr[i], &shares, opts, fn, arg, ret, err) == -1)
      return -1;
  ret->seconds = lib_seconds () - begin;
  return 0;
}

/* ---- what belongs to nothing ---- */

int
v2v_library_gc (struct v2v_library *lib, const struct v2v_upkeep_opts *opts,
                v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
                struct v2v_error **err)
{
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  const struct v2v_upkeep_item left = {
    .what = "unfinished",
    .path = v2v_library_dir (lib),
    .message = "work of a process that runs, or of another host"
  };

  memset (ret, 0, sizeof *ret);
  if (lib_need (lib, "", V2V_ROLE_AUTHOR, "gc", err) == -1)
    return -1;
  if (lib_recover (lib, opts != NULL && opts->force, &ret->nr_done,
                   &ret->nr_bad, err) == -1 ||
      v2v_library_shares (lib, &shares, err) == -1)
    return -1;
  for (uint64_t i = 0; i < ret->nr_bad; ++i)
    if (fn != NULL && fn (arg, &left, err) == -1)
      return -1;
  for (size_t i = 0; i < shares.len; ++i) {
    CLEANUP_CLOSE int fd =
        shares.ptr[i].there ? lib_share_fd (&shares.ptr[i], NULL) : -1;

    if (fd != -1 && lib_remove_tree (fd, LIB_OWN "/changed") == -1)
      return v2v_fail_errno (err, "%s/" LIB_OWN "/changed", shares.ptr[i].path);
  }
  return 0;
}
