/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nothing uses: objects that no other needs, and files of a share that no
 * row is about.  Nothing is changed.
 */

#include <config.h>

#include <string.h>

#include "library/library-internal.h"

/* Machines and templates are there for their own sake. */
static int
unused_objects (struct v2v_library *lib, v2v_upkeep_fn *fn, void *arg,
                struct v2v_upkeep_result *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT o.id, o.name, o.kind, o.size FROM object o WHERE o.kind NOT IN "
      "('vm', 'vm-template', 'service-template') AND NOT EXISTS (SELECT 1 FROM "
      "relation r WHERE r.other = o.id AND r.role <> 'provenance') AND NOT "
      "EXISTS (SELECT 1 FROM machine_base m WHERE m.object = o.id) AND NOT "
      "EXISTS (SELECT 1 FROM tag t WHERE t.object = o.id AND "
      "t.name = 'pinned') ORDER BY o.kind, o.name, o.id",
      err);
  int r;

  if (q == NULL)
    return -1;
  while ((r = v2v_query_step (q, err)) == 1) {
    CLEANUP_STR struct v2v_str path = V2V_STR_INIT;
    struct v2v_upkeep_item item = { .what = "unused",
                                    .id = v2v_query_get_text (q, 0),
                                    .name = v2v_query_get_text (q, 1) };

    if (v2v_str_printf (&path, "%s/%s", v2v_query_get_text (q, 2), item.name) ==
        -1)
      return v2v_fail_nomem (err);
    item.path = path.ptr;
    ret->nr_objects++;
    ret->bytes += (uint64_t) v2v_query_get_int (q, 3);
    if (fn != NULL && fn (arg, &item, err) == -1)
      return -1;
  }
  return r;
}

static int
unknown_files (struct v2v_library *lib, const struct v2v_share *share,
               v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
               struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings files =
      V2V_VECTOR_INIT;
  int r = lib_unknown_files (lib, share, &files, err);

  for (size_t i = 0; r == 0 && i < files.len; ++i) {
    CLEANUP_FREE char *full = lib_join (share->path, files.ptr[i], err);
    const struct v2v_upkeep_item item = {
      .what = "unknown",
      .path = full,
      .message = "no object has it; 'v2v library refresh' looks what it is"
    };

    if (full == NULL)
      return -1;
    ret->nr_files++;
    if (fn != NULL)
      r = fn (arg, &item, err);
  }
  return r;
}

int
v2v_library_orphans (struct v2v_library *lib, v2v_upkeep_fn *fn, void *arg,
                     struct v2v_upkeep_result *ret, struct v2v_error **err)
{
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  const double begin = lib_seconds ();

  memset (ret, 0, sizeof *ret);
  if (unused_objects (lib, fn, arg, ret, err) == -1 ||
      v2v_library_shares (lib, &shares, err) == -1)
    return -1;
  for (size_t i = 0; i < shares.len; ++i)
    if (shares.ptr[i].there &&
        unknown_files (lib, &shares.ptr[i], fn, arg, ret, err) == -1)
      return -1;
  ret->seconds = lib_seconds () - begin;
  return 0;
}
