/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines whose process died while it made or removed them.
 *
 *   planned    its folder has its final name: all of it is there and safe, the
 *              row is made so; else what was written is removed, then the row
 *   removing   go on
 *
 * A folder whose disk is not mounted is left for later, and so is a machine on
 * a host that is reached by ssh: 'v2v vm rm' removes it.  See pending.c for who
 * counts as dead.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/deploy-internal.h"

struct unfinished {
  char *id, *folder, *host, *state, *owner_host;
  int64_t pid, started;
};
V2V_VECTOR (unfinished_vector, struct unfinished);

static void
unfinished_clear (struct unfinished *u)
{
  free (u->id);
  free (u->folder);
  free (u->host);
  free (u->state);
  free (u->owner_host);
}

static void
clear_all (unfinished_vector *v)
{
  for (size_t i = 0; i < v->len; ++i)
    unfinished_clear (&v->ptr[i]);
  free (v->ptr);
}

static int
find_all (struct v2v_library *lib, unfinished_vector *ret,
          struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT id, folder, host, state, owner_host, owner_pid, owner_started "
      "FROM machine WHERE state <> 'made'",
      err);
  int r = -1;

  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    struct unfinished u = {
      .id = strdup (v2v_query_get_text (q, 0)),
      .folder = strdup (v2v_query_get_text (q, 1)),
      .host = strdup (v2v_query_get_text (q, 2)),
      .state = strdup (v2v_query_get_text (q, 3)),
      .owner_host = strdup (v2v_query_get_text (q, 4)),
      .pid = v2v_query_get_int (q, 5),
      .started = v2v_query_get_int (q, 6),
    };

    if (unfinished_vector_append (ret, u) == -1) {
      unfinished_clear (&u);
      return v2v_fail_nomem (err);
    }
    if (!u.id || !u.folder || !u.host || !u.state || !u.owner_host)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* In a transaction.  Of two who find the same, one may take it over.  *RET: we
 * may. */
static int
claim (struct v2v_library *lib, const struct unfinished *u, bool *ret,
       struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "UPDATE machine SET owner_host = ?, owner_pid = ?, owner_started = ? "
      "WHERE id = ? AND state = ? AND owner_host = ? AND owner_pid = ? AND "
      "owner_started = ?",
      err);
  char host[LIB_HOST_SIZE];

  *ret = false;
  if (q == NULL)
    return -1;
  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  v2v_query_text (q, host);
  v2v_query_int (q, getpid ());
  v2v_query_int (q, lib_start_of (getpid ()));
  v2v_query_text (q, u->id);
  v2v_query_text (q, u->state);
  v2v_query_text (q, u->owner_host);
  v2v_query_int (q, u->pid);
  v2v_query_int (q, u->started);
  if (v2v_query_step (q, err) == -1)
    return -1;
  *ret = v2v_query_changes (q) == 1;
  return 0;
}

static int
commit_or_roll_back (struct v2v_library *lib, int r, struct v2v_error **err)
{
  if (r == 0)
    return v2v_catalogue_commit (lib->cat, err);
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

/* 1: later. */
static int
recover_one (struct v2v_library *lib, const struct unfinished *u,
             struct v2v_error **err)
{
  const bool planned = strcmp (u->state, "planned") == 0;
  const char *folder = u->folder;
  CLEANUP_FREE char *path = NULL;
  bool made, there, ours;

  if (u->host[0] != '\0') {
    if (deploy_host_path (lib, u->host, u->folder, &path, err) == -1)
      return -1;
    if (path == NULL)
      return 1;
    folder = path;
  }
  if (deployed_is_there (folder, u->id, &made, &there, err) == -1)
    return -1;
  if (!there)
    return 1;
  if (v2v_catalogue_begin (lib->cat, err) == -1 ||
      commit_or_roll_back (lib, claim (lib, u, &ours, err), err) == -1)
    return -1;
  if (!ours)
    return 0;
  v2v_debug ("library: %s the machine %s",
             planned && made ? "finishing" : "taking back", u->id);
  if ((planned && made ? deployed_tidy (folder, err)
                       : deployed_remove_files (folder, u->id, err)) == -1)
    return -1;
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  return commit_or_roll_back (lib,
                              planned && made
                                  ? deployed_set_state (lib, u->id, "made", err)
                                  : deployed_delete (lib, u->id, err),
                              err);
}

int
lib_recover_machines (struct v2v_library *lib, bool all, uint64_t *ret_done,
                      uint64_t *ret_left, struct v2v_error **err)
{
  __attribute__ ((cleanup (clear_all))) unfinished_vector list =
      V2V_VECTOR_INIT;

  if (find_all (lib, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    const struct unfinished *u = &list.ptr[i];
    struct v2v_error *e = NULL;
    int r = 1;

    if (all ? !lib_is_alive (u->owner_host, u->pid, u->started)
            : lib_is_gone (u->owner_host, u->pid, u->started))
      r = recover_one (lib, u, &e);
    if (r == -1) {
      v2v_debug ("library: %s", v2v_error_message (e));
      v2v_error_free (e);
    }
    ++*(r == 0 ? ret_done : ret_left);
  }
  return 0;
}
