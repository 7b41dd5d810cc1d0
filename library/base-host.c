/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bases that lie on a host, and which of them nothing there needs.
 *
 * Only files that this catalogue has put there go: another library may use the
 * same host.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "library/base.h"
#include "library/hosts.h"
#include "library/library-internal.h"

struct row {
  char *object, *path, *name;
  uint64_t size;
  bool kept; /* a machine on the host needs it, or it is pinned */
  bool goes;
};
V2V_VECTOR (row_vector, struct row);

struct host_gc {
  struct v2v_library *lib;
  struct v2v_host_conn *conn;
  const char *host;
  row_vector rows;
  v2v_upkeep_fn *fn;
  void *arg;
  struct v2v_upkeep_result *ret;
};

static void
host_gc_clear (struct host_gc *g)
{
  for (size_t i = 0; i < g->rows.len; ++i) {
    free (g->rows.ptr[i].object);
    free (g->rows.ptr[i].path);
    free (g->rows.ptr[i].name);
  }
  free (g->rows.ptr);
}

static int
read_rows (struct host_gc *g, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      g->lib->cat,
      "SELECT host_base.object, host_base.path, object.name, host_base.size, "
      "(SELECT COUNT (*) FROM machine JOIN machine_base ON "
      "machine_base.machine = machine.id WHERE machine.host = host_base.host "
      "AND machine_base.object = host_base.object) + (SELECT COUNT (*) FROM "
      "tag WHERE tag.object = host_base.object AND tag.name = 'pinned') FROM "
      "host_base JOIN object ON object.id = host_base.object WHERE "
      "host_base.host = ? ORDER BY host_base.path",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, g->host);
  while ((r = v2v_query_step (q, err)) == 1) {
    struct row row = { .object = strdup (v2v_query_get_text (q, 0)),
                       .path = strdup (v2v_query_get_text (q, 1)),
                       .name = strdup (v2v_query_get_text (q, 2)),
                       .size = (uint64_t) v2v_query_get_int (q, 3),
                       .kept = v2v_query_get_int (q, 4) != 0 };

    if (row_vector_append (&g->rows, row) == -1) {
      free (row.object), free (row.path), free (row.name);
      return v2v_fail_nomem (err);
    }
    if (!row.object || !row.path || !row.name)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* Is a child of ROW on the host, and stays? */
static int
has_child (struct host_gc *g, const struct row *row, bool *ret,
           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      g->lib->cat,
      "SELECT object FROM relation WHERE other = ? AND role = 'parent'", err);
  int r;

  *ret = false;
  if (q == NULL)
    return -1;
  v2v_query_text (q, row->object);
  while ((r = v2v_query_step (q, err)) == 1)
    for (size_t i = 0; i < g->rows.len; ++i)
      *ret |= !g->rows.ptr[i].goes &&
              strcmp (g->rows.ptr[i].object, v2v_query_get_text (q, 0)) == 0;
  return r;
}

static int
remove_row (struct host_gc *g, const struct row *row, bool dry_run,
            struct v2v_error **err)
{
  struct v2v_upkeep_item item = {
    .what = "removed", .id = row->object, .name = row->name, .path = row->path
  };
  struct v2v_error *e = NULL;
  int r;

  /* Somebody may need it by now: then it is refused. */
  if (!dry_run && v2v_host_remove_base (g->lib, g->conn, row->path, &e) == -1) {
    if (v2v_error_code (e) != V2V_ERR_USAGE)
      return v2v_error_move (err, e);
    item.what = "kept";
    item.message = v2v_error_message (e);
    g->ret->nr_bad++;
  }
  else {
    g->ret->nr_done++;
    g->ret->bytes += row->size;
  }
  r = g->fn == NULL ? 0 : g->fn (g->arg, &item, err);
  v2v_error_free (e);
  return r;
}

/* Files of the folder that have no row are named, and stay. */
static int
tell_unknown (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  struct host_gc *g = arg;
  struct v2v_upkeep_item item = { .what = "unknown",
                                  .path = f->name,
                                  .message =
                                      "this library has not put it there" };

  for (size_t i = 0; i < g->rows.len; ++i) {
    const char *slash = strrchr (g->rows.ptr[i].path, '/');

    if (strcmp (slash ? slash + 1 : g->rows.ptr[i].path, f->name) == 0)
      return 0;
  }
  g->ret->nr_files++;
  return g->fn == NULL ? 0 : g->fn (g->arg, &item, err);
}

int
v2v_base_gc_host (struct v2v_library *lib, struct v2v_host_conn *conn,
                  const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                  void *arg, struct v2v_upkeep_result *ret,
                  struct v2v_error **err)
{
  __attribute__ ((cleanup (host_gc_clear))) struct host_gc g = {
    .lib = lib,
    .conn = conn,
    .host = v2v_host_of (conn)->name,
    .rows = V2V_VECTOR_INIT,
    .fn = fn,
    .arg = arg,
    .ret = ret,
  };
  const double begin = lib_seconds ();
  bool progress = true;

  memset (ret, 0, sizeof *ret);
  if (read_rows (&g, err) == -1 ||
      v2v_host_list_bases (conn, tell_unknown, &g, err) == -1)
    return -1;
  while (progress) {
    progress = false;
    for (size_t i = 0; i < g.rows.len; ++i) {
      struct row *row = &g.rows.ptr[i];
      bool child;

      if (row->kept || row->goes)
        continue;
      if (has_child (&g, row, &child, err) == -1)
        return -1;
      if (child)
        continue;
      row->goes = progress = true;
      if (remove_row (&g, row, opts != NULL && opts->dry_run, err) == -1)
        return -1;
    }
  }
  ret->nr_objects = g.rows.len;
  ret->seconds = lib_seconds () - begin;
  return 0;
}
