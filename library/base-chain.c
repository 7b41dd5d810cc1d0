/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flattening, merging and rebasing of disks of the library.  None of them
 * touches a file that is there: a new one is made in the folder of an intent,
 * and comes in by an import whose transaction also moves what needed the old
 * object (base-replace.c).  Killed at any moment the library has the old chain
 * or the new one.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/io.h"
#include "formats/core/log.h"
#include "library/base.h"
#include "library/library-internal.h"

/* One operation under way. */
struct change {
  struct v2v_library *lib;
  const struct v2v_base_opts *opts;
  struct v2v_object old;
  char *parent; /* id, or NULL */
  char *path;   /* of the new file */
  struct lib_work work;
};

static void
change_clear (struct change *c)
{
  lib_work_end (c->lib, &c->work);
  v2v_object_clear (&c->old);
  free (c->parent);
  free (c->path);
}
#define CLEANUP_CHANGE __attribute__ ((cleanup (change_clear)))

void
v2v_base_result_clear (struct v2v_base_result *r)
{
  free (STEAL (r->id));
  free (STEAL (r->kept_by));
}

static int
parent_of (struct v2v_library *lib, const char *id, char **ret,
           struct v2v_error **err)
{
  return lib_lookup (lib, ret, err,
                     "SELECT other FROM relation WHERE object = ? AND "
                     "role = 'parent'",
                     id, V2V_QUERY_END);
}

/* The share that has the old one, unless the user names another. */
static const char *
share_of (const struct change *c)
{
  for (size_t i = 0; c->opts->share == NULL && i < c->old.nr_locations; ++i)
    if (c->old.locations[i].state == V2V_LOCATION_OK)
      return c->old.locations[i].share;
  return c->opts->share;
}

static int
begin (struct change *c, struct v2v_library *lib, const char *id,
       const struct v2v_base_opts *opts, const char *what,
       struct v2v_error **err)
{
  static const struct v2v_base_opts defaults;

  c->lib = lib;
  c->opts = opts ? opts : &defaults;
  if (v2v_library_object (lib, id, &c->old, err) == -1)
    return -1;
  if (c->old.kind != V2V_OBJECT_DISK)
    return v2v_fail (err, V2V_ERR_USAGE, "%s '%s' is no disk",
                     v2v_object_kind_name (c->old.kind), c->old.name);
  if (strcmp (c->old.format, "vhd") != 0 && strcmp (c->old.format, "vhdx") != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "'%s' is of format %s; chains of VHD and VHDX can be "
                     "changed",
                     c->old.name, c->old.format);
  if (parent_of (lib, id, &c->parent, err) == -1)
    return -1;
  if (c->parent == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s' has no parent: there is nothing "
                     "to %s",
                     c->old.name, what);
  if (lib_work_begin (lib, share_of (c), &c->work, err) == -1)
    return -1;
  if (asprintf (&c->path, "%s/new.%s", c->work.path, c->old.format) == -1) {
    c->path = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

/* ---- files ---- */

static int
write_flat (struct change *c, struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *src =
      v2v_library_open_disk (c->lib, c->old.id, err);
  const struct v2v_image_info *info = src ? v2v_image_get_info (src) : NULL;
  CLEANUP_IMAGE struct v2v_image *dst = NULL;
  struct v2v_copy_opts copy = c->opts->copy;
  struct v2v_copy_result result = { 0 };
  struct v2v_create_opts create;
  int r;

  if (src == NULL)
    return -1;
  create = (struct v2v_create_opts){
    .size_bytes = info->size_bytes,
    .subformat = V2V_SUB_DYNAMIC,
    .block_bytes = info->block_bytes,
    .logical_sector_bytes = info->logical_sector_bytes,
    .physical_sector_bytes =
        strcmp (info->format, "vhdx") == 0 ? info->physical_sector_bytes : 0,
  };
  dst = v2v_image_create (c->path, info->format, &create, err);
  if (dst == NULL)
    return -1;
  copy.item = c->old.name;
  r = v2v_copy (src, dst, &copy, &result, err);
  v2v_copy_result_clear (&result);
  if (r == -1 ||
      (!c->opts->keep && v2v_image_set_identity (dst, info, err) == -1))
    return -1;
  return v2v_image_finish (dst, err);
}

/* A copy of the file of the disk ID, to be changed. */
static int
copy_file (struct change *c, const char *id, struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_library_path (c->lib, id, NULL, err);
  CLEANUP_FREE char *digest = NULL;
  struct v2v_copy_opts copy = c->opts->copy;

  copy.item = c->old.name;
  if (path == NULL ||
      lib_lookup (c->lib, &digest, err,
                  "SELECT digest FROM file WHERE object = ? ORDER BY seq "
                  "LIMIT 1",
                  id, V2V_QUERY_END) == -1)
    return -1;
  return lib_copy (path, c->path, digest ? digest : "", &copy, err);
}

/* The new file, to be changed in place; what it does not hold is read from the
 * disk BASE. */
static struct v2v_image *
open_new (struct change *c, const char *base_id, struct v2v_error **err)
{
  const struct v2v_open_opts alone = { .format = c->old.format,
                                       .no_parents = true,
                                       .keep_content_id = true };
  CLEANUP_IMAGE struct v2v_image *img =
      v2v_image_open_rw (c->path, &alone, err);
  CLEANUP_IMAGE struct v2v_image *base =
      img ? v2v_library_open_disk (c->lib, base_id, err) : NULL;

  if (base == NULL || v2v_image_set_base (img, base, err) == -1)
    return NULL;
  (void) STEAL (base);
  return STEAL (img);
}

/* A copy of the parent, which is on GRAND, and what the child has over it. */
static int
write_merged (struct change *c, const char *grand, struct v2v_error **err)
{
  const struct v2v_open_opts alone = { .format = c->old.format,
                                       .no_parents = true };
  CLEANUP_FREE char *path = v2v_library_path (c->lib, c->old.id, NULL, err);
  CLEANUP_IMAGE struct v2v_image *child = NULL;
  CLEANUP_IMAGE struct v2v_image *dst = NULL;
  struct v2v_copy_opts copy = c->opts->copy;
  struct v2v_copy_result result = { 0 };
  int r;

  if (path == NULL || copy_file (c, c->parent, err) == -1 ||
      (child = v2v_image_open (path, &alone, err)) == NULL ||
      (dst = open_new (c, grand, err)) == NULL)
    return -1;
  if (v2v_image_size (child) != v2v_image_size (dst)) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "'%s' has %" PRIu64 " bytes, its parent %" PRIu64
              ": only disks of one size are merged",
              c->old.name, v2v_image_size (child), v2v_image_size (dst));
    return v2v_hint (err, "'v2v base flatten' makes one disk of the chain");
  }
  copy.top_only = true;
  copy.overwrite = true;
  copy.item = c->old.name;
  r = v2v_copy (child, dst, &copy, &result, err);
  v2v_copy_result_clear (&result);
  return r == -1 || v2v_image_flush (dst, err) == -1 ||
                 v2v_image_set_identity (dst, v2v_image_get_info (child),
                                         err) == -1 ||
                 v2v_image_finish (dst, err) == -1
             ? -1
             : 0;
}

/* The way from the folder of disks to the file of PARENT, for programs that
 * know nothing of the library; the caller frees. */
static char *
relative_path (struct change *c, const struct v2v_object *parent,
               struct v2v_error **err)
{
  const char *share = share_of (c);
  CLEANUP_FREE char *path = NULL;
  char *ret = NULL;
  int n;

  if (lib_lookup (c->lib, &path, err,
                  "SELECT location.path FROM location JOIN share ON share.id = "
                  "location.share WHERE location.object = ? AND "
                  "(share.name = ? OR share.id = ?) ORDER BY location.path",
                  parent->id, share ? share : "", share ? share : "",
                  V2V_QUERY_END) == -1)
    return NULL;
  if (path != NULL && strncmp (path, "disk/", 5) == 0)
    n = asprintf (&ret, ".\\%s", path + 5);
  else if (path != NULL)
    n = asprintf (&ret, "..\\%s", path);
  else /* on another share: who moves both knows where */
    n = asprintf (&ret, ".\\%s.%s", parent->name, parent->format);
  if (n == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (char *p = ret; *p != '\0'; ++p)
    if (*p == '/')
      *p = '\\';
  return ret;
}

static int
check_parent (const struct change *c, const struct v2v_object *old,
              const struct v2v_object *parent, struct v2v_error **err)
{
  if (parent->kind != V2V_OBJECT_DISK ||
      strcmp (parent->format, c->old.format) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s '%s' cannot be the parent of '%s', which needs a disk "
                     "of format %s",
                     v2v_object_kind_name (parent->kind), parent->name,
                     c->old.name, c->old.format);
  /* Both digests are of all that is in the disks. */
  if (strcmp (parent->content, old->content) != 0 ||
      parent->virtual_bytes != old->virtual_bytes)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "'%s' has other contents than '%s', the parent that '%s' "
                     "was made on",
                     parent->name, old->name, c->old.name);
  return 0;
}

static int
write_rebased (struct change *c, const char *parent_id, struct v2v_error **err)
{
  const struct v2v_open_opts alone = { .format = c->old.format,
                                       .no_parents = true,
                                       .keep_content_id = true };
  CLEANUP_OBJECT struct v2v_object was = { 0 }, parent = { 0 };
  CLEANUP_FREE char *relative = NULL;
  CLEANUP_IMAGE struct v2v_image *base = NULL;
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_create_opts create = { .subformat = V2V_SUB_DIFFERENCING };

  if (v2v_library_object (c->lib, c->parent, &was, err) == -1 ||
      v2v_library_object (c->lib, parent_id, &parent, err) == -1 ||
      check_parent (c, &was, &parent, err) == -1 ||
      (relative = relative_path (c, &parent, err)) == NULL ||
      (base = v2v_library_open_disk (c->lib, parent_id, err)) == NULL ||
      copy_file (c, c->old.id, err) == -1 ||
      (img = v2v_image_open_rw (c->path, &alone, err)) == NULL)
    return -1;
  create.size_bytes = v2v_image_size (img);
  create.parent = base;
  create.parent_relative_path = relative;
  return v2v_image_set_parent (img, &create, err) == -1
             ? -1
             : v2v_image_finish (img, err);
}

/* ---- objects ---- */

static char *
join_tags (const struct v2v_object *o, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (v2v_str_append (&s, "") == -1)
    goto nomem;
  /* A tag with a comma cannot be: they are given as such a list. */
  for (size_t i = 0; i < o->nr_tags; ++i)
    if (strcmp (o->tags[i], V2V_TAG_PINNED) != 0 &&
        v2v_str_printf (&s, "%s%s", s.len ? "," : "", o->tags[i]) == -1)
      goto nomem;
  return STEAL (s.ptr);

nomem:
  v2v_fail_nomem (err);
  return NULL;
}

/* Two of one name and version could not be told apart by it. */
static char *
choose_name (const struct change *c, const char *suffix, bool stays,
             struct v2v_error **err)
{
  char *name;

  if ((c->opts->name != NULL || !stays
           ? asprintf (&name, "%s", c->opts->name ? c->opts->name : c->old.name)
           : asprintf (&name, "%s-%s", c->old.name, suffix)) != -1)
    return name;
  v2v_fail_nomem (err);
  return NULL;
}

/* PARENT: what the new file is on, which two disks of the library might fit;
 * NULL: nothing. */
static int
bring_in (struct change *c, const char *suffix, const char *parent,
          struct v2v_base_result *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *tags = join_tags (&c->old, err);
  CLEANUP_FREE char *kept_by = NULL;
  CLEANUP_FREE char *name = NULL;
  struct v2v_import_result r = { 0 };
  struct v2v_import_opts opts = {
    .kind = "disk",
    .share = c->work.in.share,
    .set = { .version = c->old.version,
             .name_space = c->old.name_space,
             .family = c->old.family,
             .release = c->old.release,
             .os = c->old.os,
             .owner = c->old.owner,
             .description = c->old.description,
             .add_tags = tags,
             .enabled = &c->old.enabled },
    .parent = parent,
    .link = true,
    .threads = c->opts->copy.threads,
    .cancel = c->opts->copy.cancel,
  };

  if (tags == NULL || lib_kept_by (c->lib, c->old.id, &kept_by, err) == -1)
    return -1;
  name = choose_name (c, suffix, c->opts->keep || kept_by != NULL, err);
  if (name == NULL)
    return -1;
  opts.set.name = name;
  opts.replaces = c->opts->keep ? NULL : c->old.id;
  if (v2v_library_import (c->lib, c->path, &opts, &r, err) == -1) {
    v2v_import_result_clear (&r);
    return -1;
  }
  ret->id = STEAL (r.id);
  ret->known = r.known;
  ret->moved = r.moved;
  ret->removed = r.removed;
  ret->kept_by = STEAL (r.kept_by);
  v2v_import_result_clear (&r);
  return 0;
}

int
v2v_base_flatten (struct v2v_library *lib, const char *id,
                  const struct v2v_base_opts *opts, struct v2v_base_result *ret,
                  struct v2v_error **err)
{
  CLEANUP_CHANGE struct change c = { .lib = lib, .work = LIB_WORK_INIT };

  memset (ret, 0, sizeof *ret);
  return begin (&c, lib, id, opts, "flatten", err) == -1 ||
                 write_flat (&c, err) == -1 ||
                 bring_in (&c, "flat", NULL, ret, err) == -1
             ? -1
             : 0;
}

int
v2v_base_merge (struct v2v_library *lib, const char *id,
                const struct v2v_base_opts *opts, struct v2v_base_result *ret,
                struct v2v_error **err)
{
  CLEANUP_CHANGE struct change c = { .lib = lib, .work = LIB_WORK_INIT };
  CLEANUP_FREE char *grand = NULL;

  memset (ret, 0, sizeof *ret);
  if (begin (&c, lib, id, opts, "merge", err) == -1 ||
      parent_of (lib, c.parent, &grand, err) == -1 ||
      (grand ? write_merged (&c, grand, err) : write_flat (&c, err)) == -1)
    return -1;
  return bring_in (&c, "merged", grand, ret, err);
}

int
v2v_base_rebase (struct v2v_library *lib, const char *id, const char *parent,
                 const struct v2v_base_opts *opts, struct v2v_base_result *ret,
                 struct v2v_error **err)
{
  CLEANUP_CHANGE struct change c = { .lib = lib, .work = LIB_WORK_INIT };

  memset (ret, 0, sizeof *ret);
  if (begin (&c, lib, id, opts, "rebase", err) == -1)
    return -1;
  if (strcmp (parent, c.parent) == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is on that parent already",
                     c.old.name);
  if (write_rebased (&c, parent, err) == -1)
    return -1;
  return bring_in (&c, "rebased", parent, ret, err);
}
