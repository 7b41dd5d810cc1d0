/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: is every file what it was when it came? */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/base.h"
#include "library/library-internal.h"

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
  free (v->ptr);
  *v = (lib_places) V2V_VECTOR_INIT;
}

static char *
column (struct v2v_query *q, unsigned n)
{
  const char *s = v2v_query_get_text (q, n);

  return strdup (s ? s : "");
}

/* What read_places reads, of the rows of PAGE. */
#define COLUMNS                                                                \
  "SELECT share.id, page.path, share.path, object.id, object.name, "           \
  "file.digest, page.seq, page.size, page.mtime, page.state FROM "
#define JOINS                                                                  \
  " AS page JOIN share ON share.id = page.share "                              \
  "JOIN object ON object.id = page.object "                                    \
  "JOIN file ON file.object = page.object AND file.seq = page.seq "

static int
read_places (struct v2v_query *q, lib_places *ret, struct v2v_error **err)
{
  int r;

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

int
lib_find_places (struct v2v_library *lib, const char *id, lib_places *ret,
                 struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      COLUMNS "location" JOINS
              "WHERE page.object = ? ORDER BY share.seq, page.seq, page.path",
      err);

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  return read_places (q, ret, err);
}

int
lib_next_places (struct v2v_library *lib, const char *share, lib_places *page,
                 struct v2v_error **err)
{
  const struct lib_place first = {
    .share = (char *) (uintptr_t) "",
    .path = (char *) (uintptr_t) "",
    .id = (char *) (uintptr_t) "",
    .seq = -1,
  };
  const struct lib_place *last =
      page->len > 0 ? &page->ptr[page->len - 1] : &first;
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      share == NULL ? COLUMNS
          "(SELECT * FROM location WHERE (object, seq, share, path) "
          "> (?, ?, ?, ?) ORDER BY object, seq, share, path LIMIT "
          "256)" JOINS "ORDER BY page.object, page.seq, page.share, page.path"
                    : COLUMNS
          "(SELECT * FROM location WHERE share = ? AND path > ? "
          "ORDER BY path LIMIT 256)" JOINS "ORDER BY page.path",
      err);

  if (q == NULL)
    return -1;
  if (share != NULL)
    v2v_query_text (q, share);
  else {
    v2v_query_text (q, last->id);
    v2v_query_int (q, last->seq);
    v2v_query_text (q, last->share);
  }
  v2v_query_text (q, last->path);
  lib_places_clear (page);
  return read_places (q, page, err);
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

/* What is not well is told with all that hangs on it. */
static int
report (struct v2v_library *lib, const struct lib_place *p, v2v_upkeep_fn *fn,
        void *arg, struct v2v_error **err)
{
  CLEANUP_DEPENDENTS struct v2v_dependents dependents = { 0 };
  const struct v2v_upkeep_item item = {
    .what = v2v_location_state_name (p->now),
    .id = p->id,
    .name = p->name,
    .path = p->full,
    .message = p->problem,
    .dependents = p->now == V2V_LOCATION_OK ? NULL : &dependents,
  };

  if (fn == NULL)
    return 0;
  if (item.dependents != NULL &&
      v2v_library_dependents (lib, p->id, &dependents, err) == -1)
    return -1;
  return fn (arg, &item, err);
}

/* All the while: what was looked at before. */
struct verification {
  struct v2v_library *lib;
  const struct v2v_upkeep_opts *opts;
  struct v2v_copy_opts copy;
  struct v2v_share_list shares;
  v2v_upkeep_fn *fn;
  void *arg;
  struct v2v_upkeep_result *ret;
  char last[37]; /* object */
};

/* States are written once for all of PLACES: each commit is a sync of the
 * catalogue. */
static int
verify_places (struct verification *v, lib_places *places,
               struct v2v_error **err)
{
  for (size_t i = 0; i < places->len; ++i) {
    struct lib_place *p = &places->ptr[i];

    if (v->opts->cancel != NULL && atomic_load (v->opts->cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    if (lib_look (p, &v->shares, v->opts->quick, &v->copy, err) == -1)
      return -1;
    v->ret->nr_objects += strcmp (p->id, v->last) != 0;
    snprintf (v->last, sizeof v->last, "%s", p->id);
    v->ret->nr_files++;
    v->ret->nr_bad += p->now != V2V_LOCATION_OK;
    v->ret->bytes += p->read_bytes;
    if (report (v->lib, p, v->fn, v->arg, err) != 0)
      return -1;
  }
  return lib_write_states (v->lib, places->ptr, places->len, !v->opts->quick,
                           err);
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
    CLEANUP_DEPENDENTS struct v2v_dependents dependents = { 0 };
    const struct v2v_upkeep_item item = {
      .what = "missing",
      .id = v2v_query_get_text (q, 0),
      .name = v2v_query_get_text (q, 1),
      .path = v2v_query_get_text (q, 2),
      .message = "no share has it",
      .dependents = &dependents,
    };

    ret->nr_files++;
    ret->nr_bad++;
    if (fn != NULL &&
        (v2v_library_dependents (lib, item.id, &dependents, err) == -1 ||
         fn (arg, &item, err) == -1))
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

static int
verify (struct verification *v, const char *const *ids, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_places_clear))) lib_places places =
      V2V_VECTOR_INIT;

  for (; ids != NULL && *ids != NULL; ++ids) {
    lib_places_clear (&places);
    if (lib_find_places (v->lib, *ids, &places, err) == -1 ||
        verify_incomplete (v->lib, *ids, v->fn, v->arg, v->ret, err) == -1 ||
        verify_places (v, &places, err) == -1)
      return -1;
  }
  return 0;
}

/* Page by page: a library may have a million files. */
static int
verify_all (struct verification *v, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_places_clear))) lib_places page =
      V2V_VECTOR_INIT;

  if (verify_incomplete (v->lib, NULL, v->fn, v->arg, v->ret, err) == -1)
    return -1;
  do {
    if (lib_next_places (v->lib, NULL, &page, err) == -1 ||
        verify_places (v, &page, err) == -1)
      return -1;
  } while (page.len > 0);
  return 0;
}

int
v2v_library_verify (struct v2v_library *lib, const char *const *ids,
                    const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                    void *arg, struct v2v_upkeep_result *ret,
                    struct v2v_error **err)
{
  static const struct v2v_upkeep_opts defaults;
  struct verification v = { .lib = lib,
                            .opts = opts ? opts : &defaults,
                            .fn = fn,
                            .arg = arg,
                            .ret = ret };
  const bool some = ids != NULL && ids[0] != NULL;
  const double begin = lib_seconds ();
  int r;

  memset (ret, 0, sizeof *ret);
  v.copy.threads = v.opts->threads;
  v.copy.progress = v.opts->progress;
  v.copy.progress_arg = v.opts->progress_arg;
  v.copy.cancel = v.opts->cancel;
  if (v2v_library_shares (lib, &v.shares, err) == -1)
    return -1;
  r = some ? verify (&v, ids, err) : verify_all (&v, err);
  v2v_shares_clear (&v.shares);
  ret->seconds = lib_seconds () - begin;
  return r;
}
