/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lost catalogue comes back from the descriptions beside the files (meta.c).
 *
 * An object is restored when all that it needs is in the catalogue: over and
 * over until nothing more is.  Its files must be as described, by size and
 * digest; a disk must be of the format and have the identifier that are
 * described.  What is said of contents (a disk's digest) is believed: who can
 * write to a share can put any disk there.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* A description has a line for each file and relation: what is larger is none.
 * The bound on their number is that on files of a share (scan.c). */
#define MAX_DESCRIPTION  (4 * 1024 * 1024)
#define MAX_DESCRIPTIONS 1000000
#define MAX_FILES        10000

/* One object that is described, but not known. */
struct lost {
  char id[37];
  const struct v2v_share *share; /* borrowed */
  int64_t mtime;                 /* of the description */
  struct v2v_json *json;
  bool done;
};
V2V_VECTOR (lost_vector, struct lost);

struct restore {
  struct v2v_library *lib;
  const struct v2v_upkeep_opts *opts;
  v2v_upkeep_fn *fn;
  void *arg;
  struct v2v_upkeep_result *ret;
  lost_vector list;
};

static void
restore_clear (struct restore *r)
{
  for (size_t i = 0; i < r->list.len; ++i)
    v2v_json_free (r->list.ptr[i].json);
  free (r->list.ptr);
}

void
lib_waiting_clear (lib_waiting *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].share);
    free (v->ptr[i].path);
  }
  free (v->ptr);
}

static int
tell (struct restore *r, const char *what, const struct lost *l,
      const char *message, struct v2v_error **err)
{
  const struct v2v_upkeep_item item = {
    .what = what,
    .id = l->id,
    .name = v2v_json_get_string (l->json, "name"),
    .path = v2v_json_get_string (l->json, "name"),
    .message = message,
  };

  return r->fn == NULL ? 0 : r->fn (r->arg, &item, err);
}

/* ---- reading ---- */

static const char *
text_of (const struct v2v_json *o, const char *key)
{
  const char *s = v2v_json_get_string (o, key);

  return s ? s : "";
}

/* Is it what meta.c writes? */
static int
check (const struct v2v_json *o, const char *id, struct v2v_error **err)
{
  static const char *const texts[] = { "version",    "namespace", "family",
                                       "release",    "os",        "owner",
                                       "description" };
  const struct v2v_json *files = v2v_json_get (o, "files");
  const char *schema = v2v_json_get_string (o, "schema");
  const char *kind = v2v_json_get_string (o, "kind");
  enum v2v_object_kind parsed;
  uint64_t n;

  if (schema == NULL || strcmp (schema, LIB_META_SCHEMA) != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "schema '%.40s', expected '%s'",
                     schema ? schema : "", LIB_META_SCHEMA);
  if (strcmp (text_of (o, "id"), id) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "describes another object");
  if (kind == NULL || !v2v_object_kind_parse (kind, &parsed))
    return v2v_fail (err, V2V_ERR_FORMAT, "'%.40s' is no kind of object",
                     kind ? kind : "");
  if (lib_check_text ("the name", text_of (o, "name"), true, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (texts); ++i)
    if (lib_check_text (texts[i], text_of (o, texts[i]), false, err) == -1)
      return -1;
  if (!v2v_json_is_array (files) || v2v_json_length (files) == 0 ||
      v2v_json_length (files) > MAX_FILES)
    return v2v_fail (err, V2V_ERR_FORMAT, "files: expected 1 to %d", MAX_FILES);
  for (size_t i = 0; i < v2v_json_length (files); ++i) {
    const struct v2v_json *f = v2v_json_at (files, i);

    if (!lib_path_ok (text_of (f, "path"), err))
      return -1;
    if (!v2v_json_get_u64 (f, "size_bytes", &n) || n > INT64_MAX ||
        strlen (text_of (f, "digest")) >= LIB_DIGEST_SIZE)
      return v2v_fail (err, V2V_ERR_FORMAT, "file %zu: no size or no digest",
                       i);
  }
  return 0;
}

/* *RET stays NULL when the description is no good; that is told. */
static int
read_one (struct restore *r, int dir, const struct v2v_share *share,
          const char *name, struct lost *l, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_FREE char *text = NULL;
  CLEANUP_IO struct v2v_io *io = NULL;
  struct v2v_error *e = NULL;
  struct v2v_upkeep_item item = { .what = "ignored", .id = l->id };
  struct stat st;
  int ret;

  if (asprintf (&path, "%s/" LIB_META "/%s", share->path, name) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  if (fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
      !S_ISREG (st.st_mode))
    return 0;
  l->mtime = lib_mtime (&st);
  io = v2v_io_open (path, 0, &e);
  if (io != NULL &&
      (v2v_io_size (io) == 0 || v2v_io_size (io) > MAX_DESCRIPTION))
    v2v_fail (&e, V2V_ERR_FORMAT, "is no description of an object");
  else if (io != NULL) {
    text = malloc (v2v_io_size (io));
    if (text == NULL)
      return v2v_fail_nomem (err);
    if (v2v_io_pread (io, text, v2v_io_size (io), 0, &e) == 0)
      l->json = v2v_json_parse (text, v2v_io_size (io), name, &e);
    if (l->json != NULL && check (l->json, l->id, &e) == -1)
      v2v_json_free (STEAL (l->json));
  }
  if (l->json != NULL)
    return 0;
  item.path = path;
  item.message = v2v_error_message (e);
  ret = r->fn == NULL ? 0 : r->fn (r->arg, &item, err);
  v2v_error_free (e);
  return ret;
}

static int
is_known (struct v2v_library *lib, const char *id, bool *ret,
          struct v2v_error **err)
{
  CLEANUP_FREE char *found = NULL;

  if (lib_lookup (lib, &found, err, "SELECT id FROM object WHERE id = ?", id,
                  V2V_QUERY_END) == -1)
    return -1;
  *ret = found != NULL;
  return 0;
}

static int
read_share (struct restore *r, const struct v2v_share *share,
            struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = lib_share_fd (share, err);
  const char *leaf;
  int dir = fd == -1 ? -1 : lib_walk (fd, LIB_META "/x", false, &leaf);
  CLEANUP_CLOSEDIR DIR *dp = dir == -1 ? NULL : fdopendir (dir);
  struct dirent *e;

  if (fd == -1)
    return -1;
  if (dp == NULL) {
    if (dir != -1)
      close (dir);
    return 0; /* of an older version, or nothing ever came in */
  }
  while ((e = readdir (dp)) != NULL) {
    struct lost l = { .share = share };
    struct v2v_guid guid;
    bool known;

    if (strlen (e->d_name) != 36 + 5 || strcmp (e->d_name + 36, ".json") != 0)
      continue;
    memcpy (l.id, e->d_name, 36);
    if (!v2v_guid_parse (l.id, &guid))
      continue;
    if (is_known (r->lib, l.id, &known, err) == -1)
      return -1;
    if (known)
      continue;
    if (r->list.len == MAX_DESCRIPTIONS)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "%s: more than %d objects that are not known",
                       share->path, MAX_DESCRIPTIONS);
    if (read_one (r, dirfd (dp), share, e->d_name, &l, err) == -1)
      return -1;
    if (l.json != NULL && lost_vector_append (&r->list, l) == -1) {
      v2v_json_free (l.json);
      return v2v_fail_nomem (err);
    }
  }
  return 0;
}

/* Of two descriptions of one object the newer one goes first. */
static int
compare (const void *va, const void *vb)
{
  const struct lost *a = va, *b = vb;
  const int d = strcmp (a->id, b->id);

  return d != 0 ? d : a->mtime == b->mtime ? 0 : a->mtime > b->mtime ? -1 : 1;
}

/* ---- one object ---- */

/* What it needs and the catalogue has not, or NULL. */
static int
find_lacking (struct restore *r, const struct lost *l, const char **ret,
              struct v2v_error **err)
{
  const struct v2v_json *uses = v2v_json_get (l->json, "uses");

  *ret = NULL;
  for (size_t i = 0; *ret == NULL && i < v2v_json_length (uses); ++i) {
    const struct v2v_json *u = v2v_json_at (uses, i);
    const char *id = text_of (u, "id");
    bool known;

    if (is_known (r->lib, id, &known, err) == -1)
      return -1;
    if (!known)
      *ret = v2v_json_get_string (u, "name") ? text_of (u, "name") : id;
  }
  return 0;
}

/* ITEM is made of the files as they are, and must be as described. */
static int
look_at_files (struct restore *r, const struct lost *l, struct lib_item *item,
               lib_strings *paths, struct v2v_error **err)
{
  const struct v2v_json *files = v2v_json_get (l->json, "files");
  const struct v2v_copy_opts copy = { .threads = r->opts->threads,
                                      .progress = r->opts->progress,
                                      .progress_arg = r->opts->progress_arg,
                                      .cancel = r->opts->cancel };
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;

  for (size_t i = 0; i < v2v_json_length (files); ++i) {
    const struct v2v_json *j = v2v_json_at (files, i);
    CLEANUP_FREE char *full =
        lib_join (l->share->path, text_of (j, "path"), err);
    char *path = strdup (text_of (j, "path"));
    struct lib_file *f;
    uint64_t size = 0;

    if (path == NULL || lib_strings_append (paths, path) == -1) {
      free (path);
      return v2v_fail_nomem (err);
    }
    if (full == NULL ||
        lib_add_file (item, full, text_of (j, "name"), err) == -1)
      return -1;
    f = &item->files.ptr[i];
    if (lib_digest (full, &copy, f->digest, &f->size, &f->mtime, err) == -1)
      return -1;
    r->ret->bytes += f->size;
    v2v_json_get_u64 (j, "size_bytes", &size);
    if (size != f->size || strcmp (f->digest, text_of (j, "digest")) != 0)
      return v2v_fail (err, V2V_ERR_MISMATCH, "%s: is not as described", full);
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

static int
set (char **field, const char *value, struct v2v_error **err)
{
  *field = strdup (value);
  return *field ? 0 : v2v_fail_nomem (err);
}

/* The fields of a disk, looked up in its file where a format has them. */
static int
look_at_disk (const struct lost *l, struct lib_item *item,
              struct v2v_error **err)
{
  struct lib_item found = { .kind = V2V_OBJECT_DISK };
  const char *format = text_of (l->json, "format");
  const char *disk_id = text_of (l->json, "disk_id");
  const char *content = text_of (l->json, "content");
  bool same = true;
  int r = 0;

  if (strcmp (format, "raw") != 0) {
    r = lib_probe_disk (&found, item->files.ptr[0].path, err);
    same = r == 1 && strcmp (found.format, format) == 0 &&
           strcmp (found.disk_id ? found.disk_id : "", disk_id) == 0;
    lib_item_clear (&found);
  }
  if (r == -1)
    return -1;
  if (!same || strlen (content) >= LIB_DIGEST_SIZE ||
      strncmp (content, "sha256-2m:", 10) != 0 ||
      !v2v_json_get_u64 (l->json, "virtual_bytes", &item->virtual_bytes) ||
      item->virtual_bytes > INT64_MAX)
    return v2v_fail (err, V2V_ERR_MISMATCH, "%s: is not the disk described",
                     item->files.ptr[0].path);
  snprintf (item->content, sizeof item->content, "%s", content);
  return set (&item->format, format, err) == -1 ||
                 set (&item->variant, text_of (l->json, "variant"), err) ==
                     -1 ||
                 set (&item->disk_id, disk_id, err) == -1
             ? -1
             : 0;
}

/* As lib_identify makes it. */
static int
make_identity (const struct lost *l, struct lib_item *item,
               struct v2v_error **err)
{
  const struct v2v_json *uses = v2v_json_get (l->json, "uses");
  const char *parent = NULL;
  int n;

  for (size_t i = 0; i < v2v_json_length (uses); ++i)
    if (strcmp (text_of (v2v_json_at (uses, i), "role"), "parent") == 0)
      parent = text_of (v2v_json_at (uses, i), "id");
  n = item->kind == V2V_OBJECT_DISK
          ? asprintf (&item->identity, "disk:%s:%s:%" PRIu64 "%s%s",
                      item->format, item->content, item->virtual_bytes,
                      parent ? ":of:" : "", parent ? parent : "")
          : asprintf (&item->identity, "file:%s:%" PRIu64, item->digest,
                      item->files.ptr[0].size);
  if (n != -1)
    return 0;
  item->identity = NULL;
  return v2v_fail_nomem (err);
}

/* ---- rows ---- */

static int
insert_rows (struct restore *r, const struct lost *l,
             const struct lib_item *item, const lib_strings *paths,
             struct v2v_error **err)
{
  const struct v2v_json *tags = v2v_json_get (l->json, "tags");
  const struct v2v_json *uses = v2v_json_get (l->json, "uses");
  const bool enabled = true, disabled = false;
  struct v2v_library_set fields = {
    .name = text_of (l->json, "name"),
    .version = text_of (l->json, "version"),
    .name_space = text_of (l->json, "namespace"),
    .family = text_of (l->json, "family"),
    .release = text_of (l->json, "release"),
    .os = text_of (l->json, "os"),
    .owner = text_of (l->json, "owner"),
    .description = text_of (l->json, "description"),
  };
  uint64_t created = 0;
  char number[24];
  bool is_enabled = true;

  v2v_json_get_bool (l->json, "enabled", &is_enabled);
  fields.enabled = is_enabled ? &enabled : &disabled;
  v2v_json_get_u64 (l->json, "created", &created);
  snprintf (number, sizeof number, "%" PRIu64, created & INT64_MAX);
  if (lib_insert_item (r->lib, item, NULL, l->share->id, paths->ptr, err) ==
          -1 ||
      lib_set_in_transaction (r->lib, l->id, &fields, err) == -1 ||
      v2v_catalogue_run (r->lib->cat, NULL, err,
                         "UPDATE object SET created = CAST (? AS BIGINT) "
                         "WHERE id = ?",
                         number, l->id, V2V_QUERY_END) == -1)
    return -1;
  for (size_t i = 0; i < v2v_json_length (tags); ++i) {
    const char *tag = v2v_json_string_value (v2v_json_at (tags, i));

    if (tag != NULL &&
        (lib_check_text ("a tag", tag, true, err) == -1 ||
         v2v_catalogue_run (r->lib->cat, NULL, err,
                            "INSERT INTO tag (object, name) VALUES (?, ?) "
                            "ON CONFLICT DO NOTHING",
                            l->id, tag, V2V_QUERY_END) == -1))
      return -1;
  }
  for (size_t i = 0; i < v2v_json_length (uses); ++i) {
    const struct v2v_json *u = v2v_json_at (uses, i);
    bool known;

    if (is_known (r->lib, text_of (u, "id"), &known, err) == -1 ||
        (known && lib_relate_in_transaction (r->lib, l->id, text_of (u, "role"),
                                             text_of (u, "label"),
                                             text_of (u, "id"), err) == -1))
      return -1;
  }
  return 0;
}

static int
insert (struct restore *r, const struct lost *l, const struct lib_item *item,
        const lib_strings *paths, struct v2v_error **err)
{
  if (v2v_catalogue_begin (r->lib->cat, err) == -1)
    return -1;
  if (insert_rows (r, l, item, paths, err) == -1) {
    v2v_catalogue_rollback (r->lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (r->lib->cat, err);
}

/* *RET_OTHER: an object that has the same contents, or NULL. */
static int
make_item (struct restore *r, const struct lost *l, struct lib_item *item,
           lib_strings *paths, char **ret_other, struct v2v_error **err)
{
  *ret_other = NULL;
  (void) v2v_object_kind_parse (text_of (l->json, "kind"), &item->kind);
  memcpy (item->id, l->id, sizeof item->id);
  item->name = strdup (text_of (l->json, "name"));
  if (item->name == NULL)
    return v2v_fail_nomem (err);
  return look_at_files (r, l, item, paths, err) == -1 ||
                 (item->kind == V2V_OBJECT_DISK &&
                  look_at_disk (l, item, err) == -1) ||
                 make_identity (l, item, err) == -1 ||
                 lib_find_identity (r->lib, item->identity, ret_other, err) ==
                     -1
             ? -1
             : 0;
}

static int
restore_one (struct restore *r, struct lost *l, struct v2v_error **err)
{
  struct lib_item item = { .kind = V2V_OBJECT_FILE };
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings paths =
      V2V_VECTOR_INIT;
  CLEANUP_FREE char *other = NULL;
  struct v2v_error *e = NULL;
  int ret = make_item (r, l, &item, &paths, &other, &e);

  l->done = true;
  if (ret == 0 && other == NULL && !r->opts->dry_run)
    ret = insert (r, l, &item, &paths, &e);
  lib_item_clear (&item);
  if (ret == -1) {
    if (v2v_error_code (e) == V2V_ERR_INTERRUPTED ||
        v2v_error_code (e) == V2V_ERR_NOMEM)
      return v2v_error_move (err, e);
    ret = tell (r, "ignored", l, v2v_error_message (e), err);
    v2v_error_free (e);
    return ret;
  }
  if (other != NULL)
    return tell (r, "known", l, "the same content came in as another object",
                 err);
  r->ret->nr_done++;
  return tell (r, "restored", l, NULL, err);
}

/* ---- all of them ---- */

static int
restore_all (struct restore *r, bool without_what_lacks, struct v2v_error **err)
{
  bool progress = true;

  while (progress) {
    progress = false;
    for (size_t i = 0; i < r->list.len; ++i) {
      struct lost *l = &r->list.ptr[i];
      const char *lacking;
      bool known;

      if (l->done)
        continue;
      if (is_known (r->lib, l->id, &known, err) == -1 ||
          find_lacking (r, l, &lacking, err) == -1)
        return -1;
      if (known) /* by another share's description */
        l->done = true;
      else if (lacking == NULL || without_what_lacks) {
        if (restore_one (r, l, err) == -1)
          return -1;
        progress = true;
      }
    }
  }
  return 0;
}

static int
tell_waiting (struct restore *r, const struct lost *l, struct v2v_error **err)
{
  CLEANUP_FREE char *message = NULL;
  const char *lacking;

  if (find_lacking (r, l, &lacking, err) == -1)
    return -1;
  if (asprintf (&message,
                "it needs '%s', which is on no share that was looked through; "
                "--force goes without",
                lacking ? lacking : "") == -1) {
    message = NULL;
    return v2v_fail_nomem (err);
  }
  r->ret->nr_bad++;
  return tell (r, "waiting", l, message, err);
}

/* Their files are no news: another share may bring what they need; or
 * (--dry-run) they were told of. */
static int
wait_for_others (struct restore *r, lib_waiting *ret, struct v2v_error **err)
{
  for (size_t i = 0; i < r->list.len; ++i) {
    const struct lost *l = &r->list.ptr[i];
    const struct v2v_json *files = v2v_json_get (l->json, "files");

    if (!r->opts->dry_run && l->done)
      continue;
    if (!r->opts->dry_run && tell_waiting (r, l, err) == -1)
      return -1;
    for (size_t k = 0; k < v2v_json_length (files); ++k) {
      struct lib_waiting_file w = {
        strdup (l->share->id), strdup (text_of (v2v_json_at (files, k), "path"))
      };

      if (!w.share || !w.path || lib_waiting_append (ret, w) == -1) {
        free (w.share);
        free (w.path);
        return v2v_fail_nomem (err);
      }
    }
  }
  return 0;
}

int
lib_restore (struct v2v_library *lib, const struct v2v_share_list *shares,
             const char *one, const struct v2v_upkeep_opts *opts,
             v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
             lib_waiting *ret_waiting, struct v2v_error **err)
{
  __attribute__ ((cleanup (restore_clear))) struct restore r = {
    .lib = lib,
    .opts = opts,
    .fn = fn,
    .arg = arg,
    .ret = ret,
    .list = V2V_VECTOR_INIT,
  };

  for (size_t i = 0; i < shares->len; ++i)
    if (shares->ptr[i].there &&
        (one == NULL || strcmp (one, shares->ptr[i].id) == 0) &&
        read_share (&r, &shares->ptr[i], err) == -1)
      return -1;
  if (r.list.len == 0)
    return 0;
  qsort (r.list.ptr, r.list.len, sizeof r.list.ptr[0], compare);
  if (restore_all (&r, false, err) == -1 ||
      (opts->force && restore_all (&r, true, err) == -1))
    return -1;
  return wait_for_others (&r, ret_waiting, err);
}
