/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: is every file what it was when it came? */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/library-internal.h"

/* States are written in groups: each commit is a sync of the catalogue. */
#define GROUP 256

void
lib_places_clear (lib_places *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].share);
    free (v->ptr[i].path);
    free (v->ptr[i].full);
    free (v->ptr[i].id);
    free (v->ptr[i].name);
    free (v->ptr[i].digest);
    free (v->ptr[i].problem);
  }
  free (STEAL (v->ptr));
  v->len = 0;
}

static char *
column (struct v2v_query *q, unsigned n)
{
  const char *s = v2v_query_get_text (q, n);

  return strdup (s ? s : "");
}

int
lib_find_places (struct v2v_library *lib, const char *id, lib_places *ret,
                 struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str sql = V2V_STR_INIT;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  int r;

  if (v2v_str_printf (
          &sql,
          "SELECT share.id, location.path, share.path, object.id, "
          "object.name, file.digest, location.seq, location.size, "
          "location.mtime, location.state FROM location "
          "JOIN share ON share.id = location.share "
          "JOIN object ON object.id = location.object "
          "JOIN file ON file.object = location.object AND "
          "file.seq = location.seq %s "
          "ORDER BY object.name, object.id, share.seq, location.seq",
          id ? "WHERE object.id = ?" : "") == -1)
    return v2v_fail_nomem (err);
  q = v2v_query_new (lib->cat, sql.ptr, err);
  if (q == NULL)
    return -1;
  if (id != NULL)
    v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct lib_place p = {
      .share = column (q, 0),
      .path = column (q, 1),
      .full =
          lib_join (v2v_query_get_text (q, 2), v2v_query_get_text (q, 1), NULL),
      .id = column (q, 3),
      .name = column (q, 4),
      .digest = column (q, 5),
      .seq = v2v_query_get_int (q, 6),
      .size = (uint64_t) v2v_query_get_int (q, 7),
      .mtime = v2v_query_get_int (q, 8),
      .state = (enum v2v_location_state) v2v_query_get_int (q, 9),
    };
    const bool good = p.share && p.path && p.full && p.id && p.name && p.digest;

    if (lib_places_append (ret, p) == -1) {
      free (p.share), free (p.path), free (p.full);
      free (p.id), free (p.name), free (p.digest);
      return v2v_fail_nomem (err);
    }
    if (!good)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* ---- one file ---- */

/* A share that is away makes all of its files missing, whatever lies in its
 * mount point. */
static bool
share_is_there (const struct v2v_share_list *shares, const char *id)
{
  for (size_t i = 0; i < shares->len; ++i)
    if (strcmp (shares->ptr[i].id, id) == 0)
      return shares->ptr[i].there;
  return false;
}

int
lib_look (struct lib_place *p, const struct v2v_share_list *shares, bool quick,
          const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  char digest[LIB_DIGEST_SIZE];
  struct stat st;

  p->now = V2V_LOCATION_MISSING;
  if (!share_is_there (shares, p->share) || lstat (p->full, &st) == -1)
    return 0;
  p->now = V2V_LOCATION_CHANGED;
  if (!S_ISREG (st.st_mode) || (uint64_t) st.st_size != p->size)
    return 0;
  /* Not touched since it was last looked at: as it was then. */
  if (quick && lib_mtime (&st) == p->mtime) {
    p->now = p->state == V2V_LOCATION_MISSING ? V2V_LOCATION_OK : p->state;
    return 0;
  }
  if (lib_digest (p->full, copy, digest, NULL, &p->mtime, &e) == -1) {
    /* It cannot be read: that is what verify is to find out. */
    if (v2v_error_code (e) == V2V_ERR_INTERRUPTED ||
        v2v_error_code (e) == V2V_ERR_NOMEM)
      return v2v_error_move (err, e);
    free (p->problem);
    p->problem = strdup (v2v_error_message (e));
    v2v_error_free (e);
    return 0;
  }
  p->read_bytes = p->size;
  if (strcmp (digest, p->digest) == 0)
    p->now = V2V_LOCATION_OK;
  return 0;
}

/* ---- states ---- */

static int
write_one (struct v2v_library *lib, const struct lib_place *p, bool verified,
           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      verified ? "UPDATE location SET state = ?, mtime = ?, verified = ? "
                 "WHERE share = ? AND path = ?"
               : "UPDATE location SET state = ?, mtime = ? "
                 "WHERE share = ? AND path = ?",
      err);

  if (q == NULL)
    return -1;
  v2v_query_int (q, p->now);
  v2v_query_int (q, p->mtime);
  if (verified)
    v2v_query_int (q, time (NULL));
  v2v_query_text (q, p->share);
  v2v_query_text (q, p->path);
  if (v2v_query_step (q, err) == -1)
    return -1;
  return p->now == p->state ? 0 : lib_update_state (lib, p->id, err);
}

int
lib_write_states (struct v2v_library *lib, const struct lib_place *list,
                  size_t n, bool verified, struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  for (size_t i = 0; i < n; ++i)
    if ((verified || list[i].now != list[i].state) &&
        write_one (lib, &list[i], verified, err) == -1) {
      v2v_catalogue_rollback (lib->cat);
      return -1;
    }
  return v2v_catalogue_commit (lib->cat, err);
}

/* ---- all of them ---- */

static int
report (const struct lib_place *p, v2v_upkeep_fn *fn, void *arg,
        struct v2v_error **err)
{
  const struct v2v_upkeep_item item = {
    .what = v2v_location_state_name (p->now),
    .id = p->id,
    .name = p->name,
    .path = p->full,
    .message = p->problem,
  };

  return fn == NULL ? 0 : fn (arg, &item, err);
}

static int
verify_places (struct v2v_library *lib, lib_places *places,
               const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn, void *arg,
               struct v2v_upkeep_result *ret, struct v2v_error **err)
{
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  struct v2v_copy_opts copy = { .threads = opts->threads,
                                .progress = opts->progress,
                                .progress_arg = opts->progress_arg,
                                .cancel = opts->cancel };
  size_t written = 0;
  int r = v2v_library_shares (lib, &shares, err);

  for (size_t i = 0; r == 0 && i < places->len; ++i) {
    struct lib_place *p = &places->ptr[i];

    if (opts->cancel != NULL && atomic_load (opts->cancel))
      r = v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    if (r == 0)
      r = lib_look (p, &shares, opts->quick, &copy, err);
    if (r == -1)
      break;
    ret->nr_objects += i == 0 || strcmp (p->id, p[-1].id) != 0;
    ret->nr_files++;
    ret->nr_bad += p->now != V2V_LOCATION_OK;
    ret->bytes += p->read_bytes;
    r = report (p, fn, arg, err);
    if (r == 0 && i + 1 - written == GROUP) {
      r = lib_write_states (lib, places->ptr + written, GROUP, !opts->quick,
                            err);
      written = i + 1;
    }
  }
  if (r == 0 && written < places->len)
    r = lib_write_states (lib, places->ptr + written, places->len - written,
                          !opts->quick, err);
  return r;
}

/* What has files nowhere, or not all of them, has no location to look at. */
static int
verify_incomplete (struct v2v_library *lib, const char *id, v2v_upkeep_fn *fn,
                   void *arg, struct v2v_upkeep_result *ret,
                   struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str sql = V2V_STR_INIT;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  int r;

  if (v2v_str_printf (&sql,
                      "SELECT object.id, object.name, file.name FROM file "
                      "JOIN object ON object.id = file.object WHERE NOT "
                      "EXISTS (SELECT 1 FROM location WHERE location.object = "
                      "file.object AND location.seq = file.seq)%s",
                      id ? " AND object.id = ?" : "") == -1)
    return v2v_fail_nomem (err);
  q = v2v_query_new (lib->cat, sql.ptr, err);
  if (q == NULL)
    return -1;
  if (id != NULL)
    v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    const struct v2v_upkeep_item item = {
      .what = "missing",
      .id = v2v_query_get_text (q, 0),
      .name = v2v_query_get_text (q, 1),
      .path = v2v_query_get_text (q, 2),
      .message = "no share has it",
    };

    ret->nr_files++;
    ret->nr_bad++;
    if (fn != NULL && fn (arg, &item, err) == -1)
      return -1;
  }
  return r;
}

double
lib_seconds (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

int
v2v_library_verify (struct v2v_library *lib, const char *const *ids,
                    const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                    void *arg, struct v2v_upkeep_result *ret,
                    struct v2v_error **err)
{
  static const struct v2v_upkeep_opts defaults;
  static const char *const all[] = { NULL, NULL };
  __attribute__ ((cleanup (lib_places_clear))) lib_places places =
      V2V_VECTOR_INIT;
  const bool some = ids != NULL && ids[0] != NULL;
  const double begin = lib_seconds ();

  memset (ret, 0, sizeof *ret);
  if (!some)
    ids = all;
  do {
    if (lib_find_places (lib, *ids, &places, err) == -1 ||
        verify_incomplete (lib, *ids, fn, arg, ret, err) == -1)
      return -1;
  } while (some && *++ids != NULL);
  if (verify_places (lib, &places, opts ? opts : &defaults, fn, arg, ret,
                     err) == -1)
    return -1;
  ret->seconds = lib_seconds () - begin;
  return 0;
}
