/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes two contents the same one, and the rows of an object.
 *
 * A file is its digest; several are the digest of their list.  A disk is its
 * contents in its format: two VHDX files with one content differ in their
 * identifiers and are kept once.  A differencing disk is that of its parent
 * only.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/library-internal.h"

/* ---- digests of files ---- */

static int
digest_files (struct lib_item *item, const struct v2v_copy_opts *copy,
              struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;

  for (size_t i = 0; i < item->files.len; ++i) {
    struct lib_file *f = &item->files.ptr[i];

    if (f->path == NULL) {
      lib_digest_bytes (f->bytes, f->len, f->digest);
      f->size = f->len;
    }
    else if (lib_digest (f->path, copy, f->digest, &f->size, &f->mtime, err) ==
             -1)
      return -1;
    if (v2v_str_printf (&list, "%s %" PRIu64 " %s\n", f->digest, f->size,
                        f->name) == -1)
      return v2v_fail_nomem (err);
  }
  if (item->files.len == 1)
    memcpy (item->digest, item->files.ptr[0].digest, sizeof item->digest);
  else
    lib_digest_bytes (list.ptr ? list.ptr : "", list.len, item->digest);
  return 0;
}

/* ---- disks ---- */

/* *RET: the item of the job that is the parent of CHILD, or SIZE_MAX. */
static size_t
parent_item (const lib_items *items, const struct lib_item *child)
{
  for (size_t i = 0; i < items->len; ++i)
    if (&items->ptr[i] != child && items->ptr[i].disk_id != NULL &&
        strcmp (items->ptr[i].disk_id, child->parent_id) == 0 &&
        strcmp (items->ptr[i].format, child->format) == 0)
      return i;
  return SIZE_MAX;
}

static int
refuse_orphan (const struct lib_item *child, struct v2v_error **err)
{
  v2v_fail (err, V2V_ERR_MISMATCH,
            "%s: its parent, with the identifier %s, is not in the library",
            child->files.ptr[0].path, child->parent_id);
  return v2v_hint (err, "import the parent first");
}

/* Note the parent of CHILD (GIVEN, or as it is found); its object's id is the
 * caller's. */
static int
relate_parent (struct v2v_library *lib, const lib_items *items,
               struct lib_item *child, size_t parent, const char *given,
               char **ret_id, struct v2v_error **err)
{
  struct lib_relation r = { .role = NULL };

  if (given != NULL)
    *ret_id = strdup (given);
  else if (parent != SIZE_MAX && !items->ptr[parent].known)
    *ret_id = strdup (items->ptr[parent].id);
  else if (lib_find_disk (lib, child->format, child->parent_id, ret_id, err) ==
           -1)
    return v2v_prefix (err, "%s", child->files.ptr[0].path);
  else if (*ret_id == NULL)
    return refuse_orphan (child, err);
  r.role = strdup ("parent");
  r.label = strdup ("");
  r.to = *ret_id ? strdup (*ret_id) : NULL;
  if (r.role && r.label && r.to &&
      lib_relations_append (&child->relations, r) == 0)
    return 0;
  free (r.role);
  free (r.label);
  free (r.to);
  return v2v_fail_nomem (err);
}

/* Open the disk of ITEM where it is now, its parents in the job or in the
 * library. */
static struct v2v_image *
open_item (struct v2v_library *lib, const lib_items *items,
           const struct lib_item *item, const char *parent_id, unsigned depth,
           struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .format = item->format,
                                      .no_parents = true };
  CLEANUP_IMAGE struct v2v_image *img =
      v2v_image_open (item->files.ptr[0].path, &opts, err);
  CLEANUP_IMAGE struct v2v_image *base = NULL;
  size_t parent;

  if (img == NULL || item->parent_id == NULL)
    return STEAL (img);
  if (depth >= V2V_MAX_CHAIN) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: chain of parents is longer than %d, or a loop",
              item->files.ptr[0].path, V2V_MAX_CHAIN);
    return NULL;
  }
  parent = parent_item (items, item);
  base = parent != SIZE_MAX && !items->ptr[parent].known
             ? open_item (lib, items, &items->ptr[parent],
                          items->ptr[parent].relations.len
                              ? items->ptr[parent].relations.ptr[0].to
                              : NULL,
                          depth + 1, err)
             : v2v_library_open_disk (lib, parent_id, err);
  if (base == NULL || v2v_image_set_base (img, base, err) == -1)
    return NULL;
  (void) STEAL (base);
  return STEAL (img);
}

static int
identify_disk (struct v2v_library *lib, lib_items *items, struct lib_item *item,
               const char *given, const struct v2v_copy_opts *copy,
               struct v2v_error **err)
{
  CLEANUP_FREE char *parent_id = NULL;
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_copy_opts own = *copy;
  struct v2v_disk_digest *d;

  if (item->parent_id != NULL &&
      relate_parent (lib, items, item, parent_item (items, item), given,
                     &parent_id, err) == -1)
    return -1;
  img = open_item (lib, items, item, parent_id, 0, err);
  if (img == NULL)
    return -1;
  own.item = v2v_image_name (img);
  d = v2v_image_digest (img, &own, err);
  if (d == NULL)
    return -1;
  memcpy (item->content, "sha256-2m:", 10);
  v2v_hex (d->root, sizeof d->root, item->content + 10);
  v2v_disk_digest_free (d);
  if (asprintf (&item->identity, "disk:%s:%s:%" PRIu64 "%s%s", item->format,
                item->content, item->virtual_bytes, parent_id ? ":of:" : "",
                parent_id ? parent_id : "") == -1) {
    item->identity = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

int
lib_identify (struct v2v_library *lib, lib_items *items, size_t index,
              const char *parent, const struct v2v_copy_opts *copy,
              struct v2v_error **err)
{
  struct lib_item *item = &items->ptr[index];
  CLEANUP_FREE char *known = NULL;

  if (lib_new_id (item->id, err) == -1)
    return -1;
  if (item->kind == V2V_OBJECT_DISK) {
    if (identify_disk (lib, items, item, parent, copy, err) == -1)
      return -1;
  }
  if (digest_files (item, copy, err) == -1)
    return -1;
  if (item->identity == NULL &&
      asprintf (&item->identity, "file:%s:%" PRIu64, item->digest,
                item->files.len ? item->files.ptr[0].size : 0) == -1) {
    item->identity = NULL;
    return v2v_fail_nomem (err);
  }
  if (lib_find_identity (lib, item->identity, &known, err) == -1)
    return -1;
  /* A machine may have two disks that are equal, empty ones for instance. */
  for (size_t i = 0; known == NULL && i < index; ++i)
    if (strcmp (items->ptr[i].identity, item->identity) == 0) {
      known = strdup (items->ptr[i].id);
      if (known == NULL)
        return v2v_fail_nomem (err);
    }
  if (known != NULL) {
    item->known = true;
    snprintf (item->id, sizeof item->id, "%s", known);
  }
  return 0;
}

/* ---- rows ---- */

static int
insert_object (struct v2v_library *lib, const struct lib_item *item,
               struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "INSERT INTO object (id, kind, name, version, namespace, family, "
      "release, os, owner, description, enabled, digest, content, identity, "
      "size, created, format, variant, virtual_size, disk_id, state) VALUES "
      "(?, ?, ?, '', '', '', '', '', '', '', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
      err);
  uint64_t size = 0;

  if (q == NULL)
    return -1;
  for (size_t i = 0; i < item->files.len; ++i)
    size += item->files.ptr[i].size;
  v2v_query_text (q, item->id);
  v2v_query_text (q, v2v_object_kind_name (item->kind));
  v2v_query_text (q, item->name);
  v2v_query_text (q, item->digest);
  v2v_query_text (q, item->content);
  v2v_query_text (q, item->identity);
  v2v_query_int (q, (int64_t) size);
  v2v_query_int (q, time (NULL));
  v2v_query_text (q, item->format ? item->format : "");
  v2v_query_text (q, item->variant ? item->variant : "");
  v2v_query_int (q, (int64_t) item->virtual_bytes);
  v2v_query_text (q, item->disk_id ? item->disk_id : "");
  return v2v_query_step (q, err) == -1 ? -1 : 0;
}

static int
insert_file (struct v2v_library *lib, const char *id, size_t seq,
             const struct lib_file *f, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat,
                     "INSERT INTO file (object, seq, name, digest, size) "
                     "VALUES (?, ?, ?, ?, ?)",
                     err);

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  v2v_query_int (q, (int64_t) seq);
  v2v_query_text (q, f->name);
  v2v_query_text (q, f->digest);
  v2v_query_int (q, (int64_t) f->size);
  return v2v_query_step (q, err) == -1 ? -1 : 0;
}

int
lib_insert_location (struct v2v_library *lib, const char *share,
                     const char *path, const char *id, size_t seq,
                     uint64_t size, int64_t mtime, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "INSERT INTO location (share, path, object, seq, size, mtime, state, "
      "verified) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
      err);

  if (q == NULL)
    return -1;
  v2v_query_text (q, share);
  v2v_query_text (q, path);
  v2v_query_text (q, id);
  v2v_query_int (q, (int64_t) seq);
  v2v_query_int (q, (int64_t) size);
  v2v_query_int (q, mtime);
  v2v_query_int (q, time (NULL));
  return v2v_query_step (q, err) == -1 ? -1 : 0;
}

int
lib_insert_item (struct v2v_library *lib, const struct lib_item *item,
                 const lib_items *items, const char *share, char *const *paths,
                 struct v2v_error **err)
{
  if (insert_object (lib, item, err) == -1)
    return -1;
  for (size_t i = 0; i < item->files.len; ++i) {
    const struct lib_file *f = &item->files.ptr[i];

    if (insert_file (lib, item->id, i, f, err) == -1 ||
        lib_insert_location (lib, share, paths[i], item->id, i, f->size,
                             f->mtime, err) == -1)
      return -1;
  }
  for (size_t i = 0; i < item->relations.len; ++i) {
    const struct lib_relation *r = &item->relations.ptr[i];

    if (lib_relate_in_transaction (lib, item->id, r->role, r->label,
                                   r->to ? r->to : items->ptr[r->to_item].id,
                                   err) == -1)
      return -1;
  }
  return lib_update_state (lib, item->id, err);
}
