/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is it that comes into the library?  Told by the bytes where bytes can
 * tell, by the name where they cannot; and which files belong to it.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "formats/ova.h"
#include "formats/xml.h"
#include "library/library-internal.h"

/* A driver package of Windows has some dozen files; all of a distribution's
 * drivers at once are not one driver. */
#define MAX_FILES 4096
/* An answer file or a profile; larger XML is something else. */
#define MAX_XML (4 * 1024 * 1024)

void
lib_strings_clear (lib_strings *v)
{
  for (size_t i = 0; i < v->len; ++i)
    free (v->ptr[i]);
  free (v->ptr);
  *v = (lib_strings) V2V_VECTOR_INIT; /* used again by some */
}

void
lib_item_clear (struct lib_item *item)
{
  for (size_t i = 0; i < item->files.len; ++i) {
    free (item->files.ptr[i].path);
    free (item->files.ptr[i].name);
  }
  for (size_t i = 0; i < item->relations.len; ++i) {
    free (item->relations.ptr[i].role);
    free (item->relations.ptr[i].label);
    free (item->relations.ptr[i].to);
  }
  free (item->files.ptr);
  free (item->relations.ptr);
  free (item->name);
  free (item->identity);
  free (item->format);
  free (item->variant);
  free (item->disk_id);
  free (item->parent_id);
  memset (item, 0, sizeof *item);
}

void
lib_items_clear (lib_items *items)
{
  for (size_t i = 0; i < items->len; ++i)
    lib_item_clear (&items->ptr[i]);
  free (STEAL (items->ptr));
  items->len = 0;
}

int
lib_add_file (struct lib_item *item, const char *path, const char *name,
              struct v2v_error **err)
{
  struct lib_file f = { .path = path ? strdup (path) : NULL,
                        .name = strdup (name) };

  if (f.name != NULL && !lib_path_ok (f.name, err)) {
    free (f.path);
    free (f.name);
    return -1;
  }
  if (f.name != NULL && (path == NULL || f.path != NULL) &&
      lib_files_append (&item->files, f) == 0)
    return 0;
  free (f.path);
  free (f.name);
  return v2v_fail_nomem (err);
}

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* What the file PATH is called in the library: a hostile name becomes a safe
 * one.  The caller frees. */
static char *
own_name (const char *path)
{
  const char *name = base_name (path);

  return lib_path_ok (name, NULL) ? strdup (name) : v2v_safe_name (name);
}

/* As lib_add_file, for the one file that the user names. */
static int
add_first (struct lib_item *item, const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *name = own_name (path);

  return name ? lib_add_file (item, path, name, err) : v2v_fail_nomem (err);
}

/* ---- disks ---- */

/* The files that an image opens beside its own: extents of a VMDK. */
struct siblings {
  struct lib_item *item;
  char *dir;
};

static struct v2v_io *
open_sibling (void *arg, const char *name, unsigned flags,
              struct v2v_error **err)
{
  struct siblings *s = arg;
  struct v2v_io *io = v2v_io_open_in (s->dir, name, flags, err);
  CLEANUP_FREE char *path = NULL;

  if (io == NULL)
    return NULL;
  for (size_t i = 0; i < s->item->files.len; ++i)
    if (strcmp (s->item->files.ptr[i].name, name) == 0)
      return io;
  path = lib_join (s->dir, name, err);
  if (path != NULL && lib_add_file (s->item, path, name, err) == 0)
    return io;
  v2v_io_unref (io);
  return NULL;
}

static int
set_copy (char **to, const char *s, struct v2v_error **err)
{
  *to = strdup (s ? s : "");
  return *to ? 0 : v2v_fail_nomem (err);
}

static int
read_info (struct lib_item *item, const struct v2v_image *img,
           struct v2v_error **err)
{
  const struct v2v_image_info *info = v2v_image_get_info (img);

  item->virtual_bytes = info->size_bytes;
  if (set_copy (&item->format, info->format, err) == -1 ||
      set_copy (&item->variant, info->variant, err) == -1 ||
      set_copy (&item->disk_id, info->content_id, err) == -1)
    return -1;
  if (!info->has_parent)
    return 0;
  if (info->parent_id == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: does not say which disk its parent is",
                     v2v_image_name (img));
  return set_copy (&item->parent_id, info->parent_id, err);
}

static bool
is_format_of_ours (const struct v2v_image_ops *ops)
{
  return strcmp (ops->name, "vhd") == 0 || strcmp (ops->name, "vhdx") == 0 ||
         strcmp (ops->name, "vmdk") == 0;
}

int
lib_probe_disk (struct lib_item *item, const char *path, struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = v2v_io_open (path, 0, err);
  CLEANUP_FREE char *dir = strdup (path);
  struct siblings s = { item, dir };
  const struct v2v_image_ops *ops;
  struct v2v_open_opts opts = { .no_parents = true };
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  char *slash;

  if (io == NULL)
    return -1;
  if (dir == NULL)
    return v2v_fail_nomem (err);
  ops = v2v_image_probe (io, NULL, NULL);
  if (ops == NULL || !is_format_of_ours (ops))
    return 0;
  slash = strrchr (dir, '/');
  if (slash != NULL)
    slash[slash == dir] = '\0';
  else
    snprintf (dir, 2, ".");
  if (add_first (item, path, err) == -1)
    return -1;
  v2v_io_set_resolver (io, open_sibling, &s, NULL);
  opts.format = ops->name;
  img = v2v_image_open_io (io, &opts, err);
  if (img == NULL || read_info (item, img, err) == -1)
    return -1;
  item->kind = V2V_OBJECT_DISK;
  return 1;
}

/* ---- other files ---- */

static bool
has_suffix (const char *name, const char *const *suffixes)
{
  const size_t len = strlen (name);

  for (; *suffixes != NULL; ++suffixes) {
    const size_t n = strlen (*suffixes);

    if (len > n && strcasecmp (name + len - n, *suffixes) == 0)
      return true;
  }
  return false;
}

/* By the root of the document. */
static enum v2v_object_kind
kind_of_xml (struct v2v_io *io)
{
  enum v2v_object_kind kind = V2V_OBJECT_FILE;
  const size_t len = (size_t) v2v_io_size (io);
  CLEANUP_FREE char *text = malloc (len + 1);
  CLEANUP_XML struct v2v_xml *doc = NULL;
  const char *root;

  if (text == NULL || v2v_io_pread (io, text, len, 0, NULL) == -1)
    return kind;
  doc = v2v_xml_parse (text, len, v2v_io_name (io), NULL);
  if (doc == NULL)
    return kind;
  root = v2v_xml_name (v2v_xml_root (doc));
  if (strcmp (root, "unattend") == 0)
    return V2V_OBJECT_ANSWER_FILE;
  if (v2v_object_kind_parse (root, &kind) &&
      (kind < V2V_OBJECT_HARDWARE_PROFILE ||
       kind > V2V_OBJECT_SERVICE_TEMPLATE))
    kind = V2V_OBJECT_FILE;
  return kind;
}

/* ISO 9660 (ECMA-119, 8.1) or UDF (ECMA-167, 2/9): sector 16. */
static bool
is_iso (struct v2v_io *io)
{
  char id[6];

  return v2v_io_size (io) > 32768 + sizeof id &&
         v2v_io_pread (io, id, sizeof id, 32768, NULL) == 0 &&
         (memcmp (id + 1, "CD001", 5) == 0 || memcmp (id + 1, "BEA01", 5) == 0);
}

static enum v2v_object_kind
kind_of_file (struct v2v_io *io, const char *name)
{
  static const char *const ova[] = { ".ova", NULL };
  static const char *const scripts[] = { ".bat", ".cmd", ".ps1", ".psm1",
                                         ".py",  ".sh",  NULL };
  static const char *const answers[] = { ".ks",         "kickstart.cfg",
                                         "preseed.cfg", "user-data",
                                         "meta-data",   "network-config",
                                         NULL };
  static const char *const plain[] = { "user-data", "meta-data",
                                       "network-config", NULL };
  const size_t len = (size_t) v2v_min_u64 (v2v_io_size (io), 1024);
  char head[1024] = "";
  bool wrapped;

  if (len == 0 || v2v_io_pread (io, head, len, 0, NULL) == -1)
    return V2V_OBJECT_FILE;
  if (is_iso (io))
    return V2V_OBJECT_ISO;
  if (has_suffix (name, ova) && len >= 512 &&
      v2v_ova_probe (head, len, &wrapped))
    return V2V_OBJECT_PACKAGE;
  if (v2v_io_size (io) <= MAX_XML && v2v_xml_probe (head, len))
    return kind_of_xml (io);
  if (memcmp (head, "#cloud-config", 13) == 0 || has_suffix (name, answers))
    return V2V_OBJECT_ANSWER_FILE;
  for (size_t i = 0; plain[i] != NULL; ++i)
    if (strcmp (name, plain[i]) == 0)
      return V2V_OBJECT_ANSWER_FILE;
  if (memcmp (head, "#!", 2) == 0 || has_suffix (name, scripts))
    return V2V_OBJECT_SCRIPT;
  return V2V_OBJECT_FILE;
}

static int
classify_file (const char *path, struct lib_item *item, bool raw,
               struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = NULL;
  int r = lib_probe_disk (item, path, err);

  if (r != 0)
    return r == -1 ? -1 : 0;
  io = v2v_io_open (path, 0, err);
  if (io == NULL || add_first (item, path, err) == -1)
    return -1;
  if (!raw) {
    item->kind = kind_of_file (io, base_name (path));
    return 0;
  }
  item->kind = V2V_OBJECT_DISK;
  if (v2v_image_probe (io, NULL, NULL) != NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: disks of this format are not kept",
              path);
    return v2v_hint (err, "'v2v copy' makes a VHDX of it");
  }
  item->virtual_bytes = v2v_io_size (io);
  return set_copy (&item->format, "raw", err) == -1 ||
                 set_copy (&item->variant, "", err) == -1 ||
                 set_copy (&item->disk_id, "", err) == -1
             ? -1
             : 0;
}

/* ---- folders ---- */

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The names of all files below DIR, sorted: the object's digest must not
 * depend on the order of the folder. */
static int
list_files (const char *dir, const char *prefix, unsigned depth,
            lib_strings *ret, struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *dp = opendir (dir);
  struct dirent *e;

  if (dp == NULL)
    return v2v_fail_errno (err, "%s", dir);
  while ((e = readdir (dp)) != NULL) {
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *name = NULL;
    struct stat st;

    if (e->d_name[0] == '.')
      continue; /* hidden files are nobody's content */
    path = lib_join (dir, e->d_name, err);
    if (path == NULL)
      return -1;
    if (asprintf (&name, "%s%s", prefix, e->d_name) == -1) {
      name = NULL;
      return v2v_fail_nomem (err);
    }
    if (lstat (path, &st) == -1)
      return v2v_fail_errno (err, "%s", path);
    if (S_ISDIR (st.st_mode)) {
      CLEANUP_FREE char *below = lib_join (name, "", err);

      if (depth == LIB_MAX_DEPTH)
        return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                         "%s: more than %d folders deep", path, LIB_MAX_DEPTH);
      if (below == NULL || list_files (path, below, depth + 1, ret, err) == -1)
        return -1;
      continue;
    }
    if (!S_ISREG (st.st_mode))
      return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: is not a file", path);
    if (ret->len == MAX_FILES)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: more than %d files", dir,
                       MAX_FILES);
    if (lib_strings_append (ret, name) == -1)
      return v2v_fail_nomem (err);
    (void) STEAL (name);
  }
  return 0;
}

/* Is one of NAMES, at the top, an INF? */
static bool
has_inf (const lib_strings *names)
{
  static const char *const inf[] = { ".inf", NULL };

  for (size_t i = 0; i < names->len; ++i)
    if (strchr (names->ptr[i], '/') == NULL && has_suffix (names->ptr[i], inf))
      return true;
  return false;
}

/* What a conversion leaves: its report, and the machine's JSON. */
static bool
has_machine (const lib_strings *names)
{
  static const char *const scripts[] = { ".ps1", NULL };
  bool report = false, script = false;

  for (size_t i = 0; i < names->len; ++i) {
    report |= strcmp (names->ptr[i], "report.json") == 0;
    script |= strncmp (names->ptr[i], "New-", 4) == 0 &&
              has_suffix (names->ptr[i], scripts);
  }
  return report && script;
}

static int
classify_driver (const char *dir, const lib_strings *names, lib_items *ret,
                 struct v2v_error **err)
{
  struct lib_item item = { .kind = V2V_OBJECT_DRIVER, .name = own_name (dir) };
  int r = item.name ? 0 : v2v_fail_nomem (err);

  for (size_t i = 0; r == 0 && i < names->len; ++i) {
    CLEANUP_FREE char *path = lib_join (dir, names->ptr[i], err);

    r = path ? lib_add_file (&item, path, names->ptr[i], err) : -1;
  }
  if (r == 0 && lib_items_append (ret, item) == 0)
    return 0;
  lib_item_clear (&item);
  return r == -1 ? -1 : v2v_fail_nomem (err);
}

static int
add_disk_relation (struct lib_item *vm, const char *label, size_t item,
                   struct v2v_error **err)
{
  struct lib_relation r = { .role = strdup ("disk"),
                            .label = strdup (label),
                            .to_item = item };

  if (r.role && r.label && lib_relations_append (&vm->relations, r) == 0)
    return 0;
  free (r.role);
  free (r.label);
  return v2v_fail_nomem (err);
}

/* Children after their parents. */
static void
sort_disks (lib_items *items)
{
  for (size_t done = 0; done < items->len; ++done)
    for (size_t i = done; i < items->len; ++i) {
      const struct lib_item t = items->ptr[i];
      bool waits = false;

      for (size_t j = done; t.parent_id != NULL && j < items->len; ++j)
        waits |= j != i && strcmp (items->ptr[j].disk_id, t.parent_id) == 0;
      if (waits)
        continue;
      items->ptr[i] = items->ptr[done];
      items->ptr[done] = t;
      break;
    }
}

/* A converted machine: each disk an object, the rest of it another. */
static int
classify_machine (const char *dir, const lib_strings *names, lib_items *ret,
                  struct v2v_error **err)
{
  struct lib_item vm = { .kind = V2V_OBJECT_VM, .name = own_name (dir) };
  int r = vm.name ? 0 : v2v_fail_nomem (err);

  for (size_t i = 0; r >= 0 && i < names->len; ++i) {
    CLEANUP_FREE char *path = lib_join (dir, names->ptr[i], err);
    struct lib_item disk = { .name = NULL };

    r = path ? lib_probe_disk (&disk, path, err) : -1;
    if (r == 0) {
      lib_item_clear (&disk);
      r = lib_add_file (&vm, path, names->ptr[i], err);
      continue;
    }
    if (r == 1 && (disk.name = strdup (names->ptr[i])) != NULL &&
        lib_items_append (ret, disk) == 0)
      continue;
    lib_item_clear (&disk);
    r = r == -1 ? -1 : v2v_fail_nomem (err);
  }
  sort_disks (ret);
  for (size_t i = 0; r >= 0 && i < ret->len; ++i)
    r = add_disk_relation (&vm, ret->ptr[i].name, i, err);
  if (r >= 0 && lib_items_append (ret, vm) == 0)
    return 0;
  lib_item_clear (&vm);
  return r == -1 ? -1 : v2v_fail_nomem (err);
}

static int
classify_folder (const char *dir, const char *forced, lib_items *ret,
                 struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings names =
      V2V_VECTOR_INIT;

  if (list_files (dir, "", 1, &names, err) == -1)
    return -1;
  if (names.len > 0)
    qsort (names.ptr, names.len, sizeof names.ptr[0], compare_names);
  if (names.len > 0 && forced != NULL && strcmp (forced, "driver") == 0)
    return classify_driver (dir, &names, ret, err);
  if (has_machine (&names) && (forced == NULL || strcmp (forced, "vm") == 0))
    return classify_machine (dir, &names, ret, err);
  if (has_inf (&names) && forced == NULL)
    return classify_driver (dir, &names, ret, err);
  v2v_fail (err, V2V_ERR_USAGE,
            "%s: is neither a driver (no .inf) nor a converted machine (no "
            "report.json and New-NAME.ps1)",
            dir);
  return v2v_hint (err, "import its files one by one");
}

/* ---- the front ---- */

/* The name without what comes after the last dot. */
static char *
stem (const char *path)
{
  const char *name = base_name (path), *dot = strrchr (name, '.');

  return strndup (name,
                  dot && dot > name ? (size_t) (dot - name) : strlen (name));
}

int
lib_classify (const char *path, const char *forced, lib_items *ret,
              struct v2v_error **err)
{
  enum v2v_object_kind kind = V2V_OBJECT_FILE;
  struct lib_item item = { .name = NULL };
  struct stat st;

  if (forced != NULL && !v2v_object_kind_parse (forced, &kind))
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is no kind of object", forced);
  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  if (S_ISDIR (st.st_mode))
    return classify_folder (path, forced, ret, err);
  if (classify_file (path, &item, forced != NULL && kind == V2V_OBJECT_DISK,
                     err) == -1) {
    lib_item_clear (&item);
    return -1;
  }
  if (forced != NULL && (kind == V2V_OBJECT_VM || kind == V2V_OBJECT_DRIVER)) {
    lib_item_clear (&item);
    return v2v_fail (err, V2V_ERR_USAGE, "%s: a %s is a folder", path, forced);
  }
  if (forced != NULL)
    item.kind = kind;
  item.name = stem (path);
  if (item.name != NULL && lib_items_append (ret, item) == 0)
    return 0;
  lib_item_clear (&item);
  return v2v_fail_nomem (err);
}
