/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving machines: the order of the steps.
 *
 *   1. the machine does not run, and the new place is free
 *   2. bases: what the new host has not is sent
 *   3. differencing disks whose parents are elsewhere there are copied beside
 *      and get the new paths; NAME.json says where the parents are
 *   4. the folder is sent, compared, and gets its name
 *   5. the row: first where the machine was ("moved_from" of its provenance),
 *      then where it is
 *   6. the old place is emptied, and "moved_from" goes
 *   7. it is registered where it was registered
 *
 * Up to 5 the old place counts, and what was sent is found by the next try.
 * After 5 the new place counts, and the same move empties the old one.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/chain.h"
#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "formats/core/tempdir.h"
#include "formats/ladder.h"
#include "library/deploy-internal.h"
#include "library/hosts-internal.h"
#include "library/machine-move.h"

struct move {
  struct v2v_library *lib;
  const struct v2v_hosts *hosts;
  const struct v2v_copy_opts *copy;
  struct v2v_deployed m;
  struct v2v_host_conn *from; /* NULL: a folder of no host */
  struct v2v_host_conn *to;
  const char *machine; /* the name of its folder, here and there */
  enum v2v_host_state state;
  struct v2v_tempdir *temp;
  char *source;                 /* its folder, to be read here */
  struct v2v_json *description; /* NAME.json */
  host_replacements changed;    /* files that differ there */
  lib_strings parents;          /* ids of the objects its disks live on */
  struct v2v_move_result *ret;
};

void
v2v_move_result_clear (struct v2v_move_result *r)
{
  free (r->from);
  free (r->folder);
  memset (r, 0, sizeof *r);
}

static void
move_clear (struct move *v)
{
  v2v_deployed_clear (&v->m);
  v2v_host_close (v->from);
  v2v_host_close (v->to);
  v2v_tempdir_free (v->temp);
  free (v->source);
  v2v_json_free (v->description);
  host_replacements_clear (&v->changed);
  lib_strings_clear (&v->parents);
}

/* ---- 1: where it is ---- */

static struct v2v_host_conn *
open_host (const struct v2v_hosts *hosts, const char *name,
           struct v2v_error **err)
{
  const struct v2v_host *h = v2v_hosts_find (hosts, name, err);

  return h != NULL ? v2v_host_open (h, err) : NULL;
}

static int
refuse_running (const struct v2v_deployed *m, struct v2v_host_conn *c,
                const char *machine, enum v2v_host_state *ret,
                struct v2v_error **err)
{
  if (v2v_host_state (c, machine, ret, err) == -1)
    return -1;
  if (*ret != V2V_HOST_RUNNING)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "machine '%s' is running on host '%s'", m->name,
            m->host);
  return v2v_hint (err, "'v2v vm stop' shuts it down");
}

/* What QEMU has written for it is in no disk that could be sent. */
static int
refuse_lab (const struct move *v, struct v2v_error **err)
{
  const char *local = v->from != NULL ? v2v_host_local_path (v->from) : NULL;
  CLEANUP_FREE char *rel = NULL;
  enum host_kind kind = HOST_NOTHING;
  bool flat = false;

  if (local == NULL)
    return 0;
  for (size_t i = 0;; ++i) {
    const struct v2v_json *d = v2v_json_at (
        v2v_json_get (v2v_json_get (v->description, "target"), "disks"), i);
    const char *file = v2v_json_get_string (d, "file");

    if (d == NULL)
      return 0;
    if (file == NULL || v2v_json_get (d, "parents") == NULL)
      continue;
    free (STEAL (rel));
    if (asprintf (&rel, "%s/" HOST_RUN "/%s.raw", v->machine, file) == -1) {
      rel = NULL;
      return v2v_fail_nomem (err);
    }
    if (lib_path_ok (rel, NULL) &&
        v->from->ops->kind (v->from->h, rel, &kind, err) == -1)
      return -1;
    flat |= kind == HOST_FILE;
    if (flat) {
      v2v_fail (err, V2V_ERR_USAGE,
                "machine '%s' has run in the laboratory '%s': what it wrote to "
                "%s is in %s only",
                v->m.name, v->m.host, file, rel);
      return v2v_hint (err, "remove that file to move the disk as it was made");
    }
  }
}

static int
find_source (struct move *v, struct v2v_error **err)
{
  const char *slash = strrchr (v->m.folder, '/');
  const char *local;

  v->state = V2V_HOST_ABSENT;
  if (v->m.host[0] == '\0') {
    v->machine = slash != NULL ? slash + 1 : v->m.folder;
    v->source = strdup (v->m.folder);
    return v->source ? 0 : v2v_fail_nomem (err);
  }
  v->machine = v->m.folder;
  v->from = open_host (v->hosts, v->m.host, err);
  if (v->from == NULL ||
      refuse_running (&v->m, v->from, v->machine, &v->state, err) == -1)
    return -1;
  local = v2v_host_local_path (v->from);
  if (local == NULL)
    return 0;
  v->source = lib_join (local, v->machine, err);
  return v->source ? 0 : -1;
}

/* ---- a source that is to be fetched first ---- */

struct fetch {
  struct move *v;
  const char *folder;
};

static int
fetch_one (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  const struct fetch *t = arg;
  CLEANUP_FREE char *rel = NULL, *local = NULL;

  if (f->folder)
    return 0;
  rel = lib_join (t->v->machine, f->name, err);
  local = rel ? lib_join (t->folder, f->name, err) : NULL;
  return local == NULL ||
                 v2v_host_get (t->v->from, rel, local, t->v->copy, err) == -1
             ? -1
             : 0;
}

static int
fetch_source (struct move *v, struct v2v_error **err)
{
  struct fetch t = { .v = v };
  CLEANUP_FREE char *folder =
      lib_join (v2v_tempdir_path (v->temp), v->machine, err);

  if (folder == NULL)
    return -1;
  if (mkdir (folder, 0700) == -1)
    return v2v_fail_errno (err, "%s", folder);
  t.folder = folder;
  if (v2v_host_list (v->from, v->machine, fetch_one, &t, err) == -1)
    return -1;
  v->source = STEAL (folder);
  return 0;
}

/* ---- the description ---- */

static char *
read_text_file (const char *folder, const char *file, struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = v2v_io_open_in (folder, file, 0, err);
  CLEANUP_FREE char *text = NULL;
  size_t len;

  if (io == NULL)
    return NULL;
  if (v2v_io_size (io) > HOST_MAX_TEXT) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: is too long for a description", file);
    return NULL;
  }
  len = (size_t) v2v_io_size (io);
  text = calloc (1, len + 1);
  if (text == NULL)
    v2v_fail_nomem (err);
  else if (len == 0 || v2v_io_pread (io, text, len, 0, err) == 0)
    return STEAL (text);
  return NULL;
}

static int
read_description (struct move *v, struct v2v_error **err)
{
  CLEANUP_FREE char *file = NULL, *text = NULL;
  const char *id;

  if (asprintf (&file, "%s.json", v->machine) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  text = read_text_file (v->source, file, err);
  if (text == NULL)
    return -1;
  v->description = v2v_json_parse (text, strlen (text), file, err);
  if (v->description == NULL)
    return -1;
  id = v2v_json_get_string (v->description, "id");
  if (id == NULL || strcmp (id, v->m.id) != 0)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "%s: is the description of another machine than '%s'",
                     v->source, v->m.name);
  return 0;
}

/* A copy of OBJ in which KEY is VALUE, which is taken over. */
static struct v2v_json *
with_member (const struct v2v_json *obj, const char *key,
             struct v2v_json *value)
{
  struct v2v_json *o = v2v_json_new_object ();
  const struct v2v_json *v;
  const char *k;
  void *iter = NULL;

  while (v2v_json_next (obj, &iter, &k, &v))
    if (strcmp (k, key) != 0)
      v2v_json_set (o, k, v2v_json_ref ((struct v2v_json *) (uintptr_t) v));
  v2v_json_set (o, key, value);
  return o;
}

/* Disk INDEX has PARENTS, which is taken over. */
static int
set_parents (struct move *v, size_t index, struct v2v_json *parents,
             struct v2v_error **err)
{
  const struct v2v_json *target = v2v_json_get (v->description, "target");
  const struct v2v_json *disks = v2v_json_get (target, "disks");
  struct v2v_json *list = v2v_json_new_array (), *whole;

  for (size_t i = 0; i < v2v_json_length (disks); ++i) {
    const struct v2v_json *d = v2v_json_at (disks, i);

    v2v_json_append (
        list, i == index ? with_member (d, "parents", parents)
                         : v2v_json_ref ((struct v2v_json *) (uintptr_t) d));
  }
  whole = with_member (v->description, "target",
                       with_member (target, "disks", list));
  if (!v2v_json_ok (whole)) {
    v2v_json_free (whole);
    return v2v_fail_nomem (err);
  }
  v2v_json_free (v->description);
  v->description = whole;
  return 0;
}

/* ---- 2, 3: bases and the disks that need them ---- */

/* Where the host has ID and its parents, nearest first, as NAME.json says
 * it. */
static struct v2v_json *
list_parents (const struct move *v, const char *id, const char *relative,
              struct v2v_error **err)
{
  struct v2v_json *list = v2v_json_new_array ();
  CLEANUP_FREE char *next = strdup (id);

  for (unsigned depth = 0; next != NULL && depth < V2V_MAX_CHAIN; ++depth) {
    CLEANUP_FREE char *path = NULL, *size = NULL, *near = NULL;
    CLEANUP_FREE char *now = STEAL (next);
    struct v2v_json *o = v2v_json_new_object ();
    const char *leaf;

    if (lib_lookup (v->lib, &path, err,
                    "SELECT path FROM host_base WHERE host = ? AND object = ?",
                    v->to->host->name, now, V2V_QUERY_END) == -1 ||
        lib_lookup (v->lib, &size, err,
                    "SELECT size FROM host_base WHERE host = ? AND object = ?",
                    v->to->host->name, now, V2V_QUERY_END) == -1 ||
        lib_lookup (v->lib, &next, err,
                    "SELECT other FROM relation WHERE object = ? AND role = "
                    "'parent'",
                    now, V2V_QUERY_END) == -1 ||
        path == NULL || size == NULL) {
      v2v_json_free (o);
      v2v_json_free (list);
      return NULL;
    }
    leaf = strrchr (path, '/') ? strrchr (path, '/') + 1 : path;
    if (asprintf (&near, ".\\%s", leaf) == -1)
      near = NULL;
    v2v_json_set_string (o, "file", leaf);
    v2v_json_set_string (o, "path", depth == 0 ? relative : near);
    v2v_json_set_u64 (o, "file_bytes", strtoull (size, NULL, 10));
    v2v_json_append (list, o);
  }
  return list;
}

/* The object that is the parent of the disk FILE; *RET is NULL where that is
 * in the machine's own folder. */
static int
find_parent (const struct move *v, const char *file,
             const struct v2v_image_info *info, char **ret,
             struct v2v_error **err)
{
  CLEANUP_OBJECTS struct v2v_objects bases = { 0 };
  const struct v2v_json *d = NULL,
                        *disks = v2v_json_get (
                            v2v_json_get (v->description, "target"), "disks");

  *ret = NULL;
  if (v2v_deployed_bases (v->lib, v->m.id, &bases, err) == -1)
    return -1;
  for (size_t i = 0; i < bases.len; ++i)
    if (strcmp (bases.ptr[i].format, info->format) == 0 &&
        info->parent_id != NULL &&
        strcmp (bases.ptr[i].disk_id, info->parent_id) == 0) {
      *ret = strdup (bases.ptr[i].id);
      return *ret ? 0 : v2v_fail_nomem (err);
    }
  /* Beside it: what NAME.json calls so. */
  for (size_t i = 0; (d = v2v_json_at (disks, i)) != NULL; ++i) {
    const char *name = v2v_json_get_string (d, "file");

    if (name != NULL && info->parent_name != NULL &&
        strstr (info->parent_name, name) != NULL)
      return 0;
  }
  return v2v_fail (err, V2V_ERR_USAGE,
                   "%s: its parent (%s) is no object that the library counts "
                   "for machine '%s'",
                   file, info->parent_name ? info->parent_name : "unnamed",
                   v->m.name);
}

static bool
same_text (const char *a, const char *b)
{
  return a == NULL || b == NULL ? a == b : strcmp (a, b) == 0;
}

/* A copy of the disk that looks for its parent at the new place. */
static int
change_child (struct move *v, const char *path, const char *file,
              const char *parent_id, const char *relative, const char *absolute,
              struct v2v_error **err)
{
  const struct v2v_ladder_opts ladder = { .copy = *v->copy };
  const struct v2v_chain_opts chain = { .trust_parent = true,
                                        .parent_relative_path = relative,
                                        .parent_absolute_path = absolute };
  struct v2v_ladder_result copied = { .nr_steps = 0 };
  struct v2v_chain_result result = { .path = NULL };
  CLEANUP_FREE char *parent = v2v_library_path (v->lib, parent_id, NULL, err);
  CLEANUP_FREE char *copy = NULL;
  int r;

  if (parent == NULL)
    return -1;
  if (asprintf (&copy, "%s/changed-%s", v2v_tempdir_path (v->temp), file) ==
      -1) {
    copy = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_ladder_copy (path, copy, &ladder, &copied, err) == -1)
    return -1;
  v2v_ladder_result_clear (&copied);
  r = v2v_chain_rebase (copy, parent, &chain, &result, err);
  v2v_chain_result_clear (&result);
  return r == 0 ? host_replace (&v->changed, file, copy, err) : r;
}

static int
note_parent (struct move *v, const char *id, struct v2v_error **err)
{
  char *copy = strdup (id);

  if (copy != NULL && lib_strings_append (&v->parents, copy) == 0)
    return 0;
  free (copy);
  return v2v_fail_nomem (err);
}

static int
prepare_child (struct move *v, size_t index, const char *file,
               struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .no_parents = true };
  CLEANUP_FREE char *path = lib_join (v->source, file, err);
  CLEANUP_IMAGE struct v2v_image *img =
      path ? v2v_image_open (path, &opts, err) : NULL;
  const struct v2v_image_info *info = img ? v2v_image_get_info (img) : NULL;
  CLEANUP_FREE char *parent = NULL, *rel = NULL;
  CLEANUP_FREE char *relative = NULL, *absolute = NULL;
  struct v2v_json *parents;
  bool sent = false;

  if (img == NULL || find_parent (v, file, info, &parent, err) == -1)
    return -1;
  if (parent == NULL)
    return 0;
  if (v2v_host_ensure_base (v->lib, v->to, parent, v->copy, &rel, &sent, err) ==
          -1 ||
      v2v_host_parent_paths (v->to->host, v->machine, rel, &relative, &absolute,
                             err) == -1)
    return -1;
  v->ret->nr_bases++;
  v->ret->nr_bases_sent += sent;
  if (note_parent (v, parent, err) == -1)
    return -1;
  parents = list_parents (v, parent, relative, err);
  if (parents == NULL)
    return err != NULL && *err != NULL
               ? -1
               : v2v_fail (err, V2V_ERR_MISMATCH,
                           "%s: a parent has gone from host '%s' meanwhile",
                           file, v->to->host->name);
  if (set_parents (v, index, parents, err) == -1)
    return -1;
  if (same_text (info->parent_relative_path, relative) &&
      same_text (info->parent_absolute_path, absolute))
    return 0;
  v2v_image_close (STEAL (img)); /* INFO goes with it */
  return change_child (v, path, file, parent, relative, absolute, err);
}

/* NAME.json as it is to be there. */
static int
put_description (struct move *v, struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_json_dump (v->description, 2);
  CLEANUP_FREE char *file = NULL, *path = NULL, *whole = NULL;
  CLEANUP_CLOSE int dir = -1;

  if (asprintf (&file, "%s.json", v->machine) == -1)
    file = NULL;
  if (text == NULL || file == NULL || asprintf (&whole, "%s\n", text) == -1) {
    whole = NULL;
    return v2v_fail_nomem (err);
  }
  path = lib_join (v2v_tempdir_path (v->temp), "description", err);
  if (path == NULL)
    return -1;
  dir = open (v2v_tempdir_path (v->temp), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir == -1)
    return v2v_fail_errno (err, "%s", v2v_tempdir_path (v->temp));
  return lib_write (dir, "description", whole, strlen (whole), err) == -1
             ? -1
             : host_replace (&v->changed, file, path, err);
}

static int
prepare_disks (struct move *v, struct v2v_error **err)
{
  const size_t n = v2v_json_length (
      v2v_json_get (v2v_json_get (v->description, "target"), "disks"));
  bool changed = false;

  for (size_t i = 0; i < n; ++i) {
    const struct v2v_json *d = v2v_json_at (
        v2v_json_get (v2v_json_get (v->description, "target"), "disks"), i);
    CLEANUP_FREE char *file = NULL;

    if (v2v_json_length (v2v_json_get (d, "parents")) == 0)
      continue;
    if (v2v_json_get_string (d, "file") == NULL ||
        !v2v_check_plain_name (v2v_json_get_string (d, "file"), err))
      return err != NULL && *err != NULL
                 ? -1
                 : v2v_fail (err, V2V_ERR_FORMAT, "disk %zu has no file",
                             i + 1);
    /* set_parents makes the description anew. */
    file = strdup (v2v_json_get_string (d, "file"));
    if (file == NULL)
      return v2v_fail_nomem (err);
    if (prepare_child (v, i, file, err) == -1)
      return -1;
    changed = true;
  }
  return changed ? put_description (v, err) : 0;
}

/* ---- 4: the folder ---- */

/* A folder of that name there is ours, of a move that did not end, or
 * somebody's. */
static int
check_free (const struct move *v, struct v2v_error **err)
{
  CLEANUP_FREE char *rel = NULL, *text = NULL;
  CLEANUP_JSON struct v2v_json *j = NULL;
  enum host_kind kind;
  const char *id;

  if (v->to->ops->kind (v->to->h, v->machine, &kind, err) == -1)
    return v2v_prefix (err, "host '%s'", v->to->host->name);
  if (kind == HOST_NOTHING)
    return 0;
  if (asprintf (&rel, "%s/%s.json", v->machine, v->machine) == -1) {
    rel = NULL;
    return v2v_fail_nomem (err);
  }
  text = v2v_host_get_text (v->to, rel, NULL);
  j = text ? v2v_json_parse (text, strlen (text), rel, NULL) : NULL;
  id = j ? v2v_json_get_string (j, "id") : NULL;
  if (id != NULL && strcmp (id, v->m.id) == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "host '%s' has a '%s' already, which is another machine",
                   v->to->host->name, v->machine);
}

/* ---- 5, 6: rows, and the old place ---- */

static int
write_provenance (struct move *v, struct v2v_error **err)
{
  CLEANUP_FREE char *text =
      v2v_json_ok (v->m.provenance) ? v2v_json_dump (v->m.provenance, 0) : NULL;

  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_catalogue_begin (v->lib->cat, err) == -1)
    return -1;
  if (v2v_catalogue_run (v->lib->cat, NULL, err,
                         "UPDATE machine SET provenance = ? WHERE id = ?", text,
                         v->m.id, V2V_QUERY_END) == 0)
    return v2v_catalogue_commit (v->lib->cat, err);
  v2v_catalogue_rollback (v->lib->cat);
  return -1;
}

/* What it takes of its host, for v2v_place_look. */
static struct v2v_json *
describe_needs (const struct v2v_json *description)
{
  const struct v2v_json *t = v2v_json_get (description, "target");
  const struct v2v_json *disks = v2v_json_get (t, "disks");
  struct v2v_json *o = v2v_json_new_object ();
  uint64_t n, sum = 0;

  if (v2v_json_get_u64 (v2v_json_get (t, "processor"), "count", &n))
    v2v_json_set_u64 (o, "processors", n);
  if (v2v_json_get_u64 (v2v_json_get (t, "memory"), "startup_bytes", &n))
    v2v_json_set_u64 (o, "memory_mib", v2v_div_up (n, V2V_MIB));
  for (size_t i = 0; i < v2v_json_length (disks); ++i)
    if (!v2v_json_get_u64 (v2v_json_at (disks, i), "size_bytes", &n) ||
        !v2v_add_u64 (sum, n, &sum))
      sum = 0;
  v2v_json_set_u64 (o, "disk_gib", v2v_div_up (sum, V2V_GIB));
  return o;
}

static int
change_row (struct move *v, struct v2v_error **err)
{
  struct v2v_json *was = v2v_json_new_object ();

  if (v->m.provenance == NULL)
    v->m.provenance = v2v_json_new_object ();
  v2v_json_set_string (was, "host", v->m.host);
  v2v_json_set_string (was, "folder", v->m.folder);
  v2v_json_set (v->m.provenance, "moved_from", was);
  v2v_json_set (v->m.provenance, "takes", describe_needs (v->description));
  return write_provenance (v, err) == -1
             ? -1
             : v2v_deployed_move (v->lib, v->m.id, v->to->host->name,
                                  v->machine, err);
}

/* Until the row said so, nothing kept the bases there from being cleared
 * away; what has gone meanwhile is sent again. */
static int
ensure_again (struct move *v, struct v2v_error **err)
{
  for (size_t i = 0; i < v->parents.len; ++i) {
    CLEANUP_FREE char *rel = NULL;

    if (v2v_host_ensure_base (v->lib, v->to, v->parents.ptr[i], v->copy, &rel,
                              NULL, err) == -1)
      return -1;
  }
  return 0;
}

static int
empty_place (struct move *v, const char *host, const char *folder,
             struct v2v_error **err)
{
  CLEANUP_HOST struct v2v_host_conn *c = NULL;
  enum v2v_host_state state;

  if (host[0] == '\0')
    return deployed_remove_files (folder, v->m.id, err);
  c = open_host (v->hosts, host, err);
  if (c == NULL || v2v_host_state (c, folder, &state, err) == -1)
    return -1;
  if (state == V2V_HOST_ABSENT)
    return 0;
  return v2v_host_unregister (c, folder, err) == -1 ||
                 v2v_host_remove_files (c, folder, err) == -1
             ? -1
             : 0;
}

/* By "moved_from"; nothing where there is none. */
static int
empty_old_place (struct move *v, struct v2v_error **err)
{
  const struct v2v_json *was = v2v_json_get (v->m.provenance, "moved_from");
  const char *host = v2v_json_get_string (was, "host");
  const char *folder = v2v_json_get_string (was, "folder");
  struct v2v_json *without;

  if (host == NULL || folder == NULL || strcmp (host, v->to->host->name) == 0)
    return 0;
  if (empty_place (v, host, folder, err) == -1) {
    v2v_prefix (err, "machine '%s' is on host '%s' now, its old place is left",
                v->m.name, v->to->host->name);
    return v2v_hint (err, "the same move again empties it");
  }
  without = with_member (v->m.provenance, "moved_from", v2v_json_new_null ());
  v2v_json_free (v->m.provenance);
  v->m.provenance = without;
  return write_provenance (v, err);
}

/* ---- all of it ---- */

static int
check_machine (const struct v2v_deployed *m, struct v2v_error **err)
{
  if (strcmp (m->state, "made") == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "machine '%s' is %s: somebody works on it", m->name,
                   m->state);
}

static int
send_machine (struct move *v, struct v2v_error **err)
{
  /* Beside the machine, where blocks can be shared and there is room; an
   * unwritable place is no reason to fail. */
  CLEANUP_FREE char *beside = NULL;

  if (find_source (v, err) == -1)
    return -1;
  if (v->source != NULL) {
    beside =
        strndup (v->source, (size_t) (strrchr (v->source, '/') - v->source));
    if (beside == NULL)
      return v2v_fail_nomem (err);
    v->temp = v2v_tempdir_new (beside, NULL);
  }
  if (v->temp == NULL && (v->temp = v2v_tempdir_new (NULL, err)) == NULL)
    return -1;
  if (v->source == NULL && fetch_source (v, err) == -1)
    return -1;
  if (read_description (v, err) == -1 || refuse_lab (v, err) == -1 ||
      check_free (v, err) == -1 || prepare_disks (v, err) == -1)
    return -1;
  return host_send_changed (v->to, v->source, v->machine, &v->changed, v->copy,
                            &v->ret->sent, err) == -1
             ? v2v_prefix (err, "host '%s'", v->to->host->name)
             : 0;
}

static int
move (struct move *v, const char *id, const char *to, struct v2v_error **err)
{
  if (v2v_deployed_find (v->lib, id, &v->m, err) == -1 ||
      check_machine (&v->m, err) == -1)
    return -1;
  v->ret->from = strdup (v->m.host);
  v->to = open_host (v->hosts, to, err);
  if (v->to == NULL || v->ret->from == NULL)
    return v->to ? v2v_fail_nomem (err) : -1;
  v->ret->was_there = strcmp (v->m.host, to) == 0;
  if (v->ret->was_there)
    v->machine = v->m.folder;
  else if (send_machine (v, err) == -1 || change_row (v, err) == -1 ||
           ensure_again (v, err) == -1)
    return -1;
  v->ret->folder = strdup (v->machine);
  if (v->ret->folder == NULL)
    return v2v_fail_nomem (err);
  if (empty_old_place (v, err) == -1)
    return -1;
  return v->state == V2V_HOST_OFF && !v->ret->was_there
             ? v2v_host_register (v->to, v->machine, err)
             : 0;
}

int
v2v_machine_move (struct v2v_library *lib, const struct v2v_hosts *hosts,
                  const char *id, const char *to,
                  const struct v2v_copy_opts *copy, struct v2v_move_result *ret,
                  struct v2v_error **err)
{
  const struct v2v_copy_opts none = { 0 };
  struct move v = {
    .lib = lib, .hosts = hosts, .copy = copy ? copy : &none, .ret = ret
  };
  int r;

  memset (ret, 0, sizeof *ret);
  r = move (&v, id, to, err);
  move_clear (&v);
  if (r == -1)
    v2v_move_result_clear (ret);
  return r;
}

int
v2v_machine_remove (struct v2v_library *lib, const struct v2v_hosts *hosts,
                    const char *id, struct v2v_error **err)
{
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_HOST struct v2v_host_conn *c = NULL;
  enum v2v_host_state state;

  if (v2v_deployed_find (lib, id, &m, err) == -1)
    return -1;
  if (m.host[0] == '\0')
    return v2v_deployed_remove (lib, m.id, true, err);
  c = open_host (hosts, m.host, err);
  if (c == NULL || refuse_running (&m, c, m.folder, &state, err) == -1 ||
      v2v_deployed_begin_removal (lib, m.id, err) == -1)
    return -1;
  if (state != V2V_HOST_ABSENT &&
      (v2v_host_unregister (c, m.folder, err) == -1 ||
       v2v_host_remove_files (c, m.folder, err) == -1))
    return -1;
  return v2v_deployed_end_removal (lib, m.id, err);
}
