/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drift: what the description of a machine says now, against what its
 * template would give: the same plan is made again, with the settings that were
 * given, and both are compared as hardware profiles; then their disks, the
 * bases, and the versions.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "library/deploy-internal.h"

/* As in vm-clone.c. */
#define MAX_DESCRIPTION (4 * V2V_MIB)

struct drift {
  struct v2v_library *lib;
  const struct v2v_deployed *machine;
  struct v2v_document_changes *changes;
  struct deploy_cache cache;
  struct deploy_plan plan;
  struct v2v_json *wanted; /* NAME.json as the template gives it */
  struct v2v_json *found;  /* NAME.json; NULL: it is not there */
  char *folder;
};

static int
note (struct drift *d, const char *path, const char *old_value,
      const char *new_value, struct v2v_error **err)
{
  struct v2v_document_changes *c = d->changes;
  struct v2v_document_change n = {
    .path = strdup (path),
    .old_value = old_value != NULL ? strdup (old_value) : NULL,
    .new_value = new_value != NULL ? strdup (new_value) : NULL,
  };
  struct v2v_document_change *p =
      reallocarray (c->ptr, c->len + 1, sizeof *c->ptr);

  if (p != NULL)
    c->ptr = p;
  if (p == NULL || n.path == NULL || (old_value != NULL && !n.old_value) ||
      (new_value != NULL && !n.new_value)) {
    free (n.path);
    free (n.old_value);
    free (n.new_value);
    return v2v_fail_nomem (err);
  }
  c->ptr[c->len++] = n;
  c->cap = c->len;
  return 0;
}

static int
note_if_other (struct drift *d, const char *path, const char *old_value,
               const char *new_value, struct v2v_error **err)
{
  if (old_value == NULL && new_value == NULL)
    return 0;
  if (old_value != NULL && new_value != NULL &&
      strcmp (old_value, new_value) == 0)
    return 0;
  return note (d, path, old_value, new_value, err);
}

/* ---- what the template gives ---- */

/* The settings as they were given.  A secret was not kept: it has no part in
 * what is compared. */
static int
take_settings (const struct v2v_json *kept, struct v2v_setting_value **ret,
               size_t *ret_n, struct v2v_error **err)
{
  const struct v2v_json *value;
  struct v2v_setting_value *list;
  const char *name;
  void *iter = NULL;
  size_t n = 0;

  while (v2v_json_next (kept, &iter, &name, &value))
    n++;
  list = calloc (n + 1, sizeof *list);
  if (list == NULL)
    return v2v_fail_nomem (err);
  n = 0;
  for (iter = NULL; v2v_json_next (kept, &iter, &name, &value);) {
    const char *s = v2v_json_string_value (value);

    if (s == NULL)
      s = "file:/dev/null";
    if (s[0] != '\0')
      list[n++] = (struct v2v_setting_value){ .name = name, .value = s };
  }
  *ret = list;
  *ret_n = n;
  return 0;
}

static int
plan_again (struct drift *d, struct v2v_error **err)
{
  const struct v2v_deployed *m = d->machine;
  struct v2v_setting_value *settings = NULL;
  struct v2v_deploy_opts opts = {
    .vm_template = m->vm_template,
    .output_dir = "/",
    .name = m->name,
    .ordinal = m->ordinal,
    .dry_run = true,
  };
  int r;

  if (m->vm_template[0] == '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "machine '%s' was not made of a template", m->name);
  if (take_settings (v2v_json_get (m->provenance, "settings"), &settings,
                     &opts.nr_settings, err) == -1)
    return -1;
  opts.settings = settings;
  d->plan.opts = &opts;
  snprintf (d->plan.id, sizeof d->plan.id, "%s", m->id);
  r = deploy_resolve (d->lib, &d->cache, &d->plan, true, err);
  if (r == 0 && m->computer_name[0] != '\0' &&
      (d->plan.computer_name = strdup (m->computer_name)) == NULL)
    r = v2v_fail_nomem (err);
  if (r == 0)
    r = deploy_name_machine (&d->plan, err) == -1 ||
                deploy_plan_json (d->lib, &d->plan, false, &d->wanted, err) ==
                    -1
            ? -1
            : 0;
  d->plan.opts = NULL;
  free (settings);
  return r == -1 ? v2v_prefix (err, "template of '%s'", m->name) : 0;
}

/* ---- what there is ---- */

static int
find_folder (struct drift *d, struct v2v_error **err)
{
  const struct v2v_deployed *m = d->machine;

  if (m->host[0] == '\0') {
    d->folder = strdup (m->folder);
    return d->folder == NULL ? v2v_fail_nomem (err) : 0;
  }
  if (deploy_host_path (d->lib, m->host, m->folder, &d->folder, err) == -1)
    return -1;
  return d->folder != NULL
             ? 0
             : v2v_fail (err, V2V_ERR_UNSUPPORTED,
                         "machine '%s' is on host '%s': its description is "
                         "not read from there",
                         m->name, m->host);
}

static int
read_description (struct drift *d, struct v2v_error **err)
{
  const char *folder = d->folder;
  const char *slash = strrchr (folder, '/');
  CLEANUP_FREE char *file = NULL, *text = NULL;
  CLEANUP_IO struct v2v_io *io = NULL;
  struct v2v_error *e = NULL;
  uint64_t size;

  if (asprintf (&file, "%s.json", slash != NULL ? slash + 1 : folder) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  io = v2v_io_open_in (folder, file, 0, &e);
  if (io == NULL) {
    if (v2v_error_code (e) != V2V_ERR_IO)
      return v2v_error_move (err, e);
    v2v_error_free (e);
    return 0;
  }
  size = v2v_io_size (io);
  if (size > MAX_DESCRIPTION)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s/%s: %" PRIu64 " bytes, expected "
                     "up to %" PRIu64,
                     folder, file, size, (uint64_t) MAX_DESCRIPTION);
  text = malloc (size + 1);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (io, text, size, 0, err) == -1)
    return -1;
  d->found = v2v_json_parse (text, size, file, err);
  return d->found == NULL ? v2v_prefix (err, "%s", folder) : 0;
}

/* ---- hardware ---- */

static int
compare_hardware (struct drift *d, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *wanted =
      v2v_hardware_from_json (d->wanted, "template", false, err);
  CLEANUP_DOCUMENT struct v2v_document *found =
      wanted != NULL ? v2v_hardware_from_json (d->found, d->folder, false, err)
                     : NULL;
  struct v2v_document_changes c = { .ptr = NULL };
  int r = 0;

  if (found == NULL || v2v_document_diff (wanted, found, &c, err) == -1)
    return -1;
  for (size_t i = 0; r == 0 && i < c.len; ++i) {
    CLEANUP_FREE char *path = NULL;

    if (asprintf (&path, "hardware.%s", c.ptr[i].path) == -1) {
      path = NULL;
      r = v2v_fail_nomem (err);
    }
    else
      r = note (d, path, c.ptr[i].old_value, c.ptr[i].new_value, err);
  }
  v2v_document_changes_clear (&c);
  return r;
}

/* ---- disks ---- */

static char *
member_text (const struct v2v_json *disk, const char *member)
{
  const struct v2v_json *v = v2v_json_get (disk, member);
  const char *s = v2v_json_string_value (v);
  char *text = NULL;
  uint64_t n;
  bool flag;

  if (s != NULL)
    return strdup (s);
  if (v2v_json_bool_value (v, &flag))
    return strdup (flag ? "true" : "false");
  if (!v2v_json_u64_value (v, &n) || asprintf (&text, "%" PRIu64, n) == -1)
    return NULL;
  return text;
}

static int
compare_disk (struct drift *d, size_t i, const struct v2v_json *wanted,
              const struct v2v_json *found, struct v2v_error **err)
{
  static const char *const members[] = { "bus", "controller", "location",
                                         "size_bytes", "boot" };

  for (size_t k = 0; k < V2V_ARRAY_SIZE (members); ++k) {
    CLEANUP_FREE char *old_value = member_text (wanted, members[k]);
    CLEANUP_FREE char *new_value = member_text (found, members[k]);
    char path[48];

    snprintf (path, sizeof path, "disks[%zu].%s", i, members[k]);
    if (note_if_other (d, path, old_value, new_value, err) == -1)
      return -1;
  }
  return 0;
}

/* The file itself: is it there, and on which parent does it live? */
static int
look_at_disk (struct drift *d, size_t i, const struct v2v_json *found,
              const struct deploy_disk *from, struct v2v_error **err)
{
  static const struct v2v_open_opts opts = { .no_parents = true };
  const char *file = v2v_json_get_string (found, "file");
  CLEANUP_FREE char *full = NULL;
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  const struct v2v_image_info *info;
  const char *wanted, *now;
  char path[48];

  if (file == NULL || !v2v_check_plain_name (file, NULL))
    return 0;
  full = lib_join (d->folder, file, err);
  if (full == NULL)
    return -1;
  snprintf (path, sizeof path, "disks[%zu].file", i);
  img = v2v_image_open (full, &opts, NULL);
  if (img == NULL)
    return note (d, path, file, NULL, err);
  info = v2v_image_get_info (img);
  wanted = from->base != NULL && from->storage == V2V_STORAGE_DIFFERENCING
               ? from->base->object.disk_id
               : NULL;
  now = info->has_parent ? info->parent_id : NULL;
  snprintf (path, sizeof path, "disks[%zu].parent", i);
  if (wanted != NULL && now != NULL && strcasecmp (wanted, now) == 0)
    return 0;
  return note_if_other (d, path, wanted, now, err);
}

static int
compare_disks (struct drift *d, struct v2v_error **err)
{
  const struct v2v_json *a =
      v2v_json_get (v2v_json_get (d->wanted, "target"), "disks");
  const struct v2v_json *b =
      v2v_json_get (v2v_json_get (d->found, "target"), "disks");
  const size_t na = v2v_json_length (a), nb = v2v_json_length (b);

  for (size_t i = 0; i < na || i < nb; ++i) {
    const struct v2v_json *wanted = i < na ? v2v_json_at (a, i) : NULL;
    const struct v2v_json *found = i < nb ? v2v_json_at (b, i) : NULL;

    if (compare_disk (d, i, wanted, found, err) == -1 ||
        (wanted != NULL && found != NULL && i < d->plan.disks.len &&
         look_at_disk (d, i, found, &d->plan.disks.ptr[i], err) == -1))
      return -1;
  }
  return 0;
}

/* ---- objects ---- */

/* Which object each disk came from, and would come from now. */
static int
compare_bases (struct drift *d, struct v2v_error **err)
{
  const struct v2v_json *kept = v2v_json_get (d->machine->provenance, "bases");

  for (size_t i = 0; i < d->plan.disks.len; ++i) {
    const struct deploy_base *b = d->plan.disks.ptr[i].base;
    const char *then = NULL;
    char path[48];

    for (size_t k = 0; k < v2v_json_length (kept); ++k) {
      const struct v2v_json *o = v2v_json_at (kept, k);
      uint64_t disk;

      if (v2v_json_get_u64 (o, "disk", &disk) && disk == i)
        then = v2v_json_get_string (o, "digest");
    }
    snprintf (path, sizeof path, "disks[%zu].base", i);
    if (note_if_other (d, path, b != NULL ? b->object.digest : NULL, then,
                       err) == -1)
      return -1;
  }
  return 0;
}

static int
compare_profile (struct drift *d, const char *key,
                 const struct deploy_document *now, struct v2v_error **err)
{
  const struct v2v_json *o = v2v_json_get (d->machine->provenance, key);
  const char *then = v2v_json_get_string (o, "digest");
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&path, "%s.digest", key) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  return note_if_other (d, path, now != NULL ? now->digest : NULL, then, err);
}

/* A newer version of the template that new machines would be made of. */
static int
compare_versions (struct drift *d, struct v2v_error **err)
{
  const struct deploy_document *t = d->plan.vm_template;
  CLEANUP_FREE char *ref = NULL, *id = NULL;
  CLEANUP_OBJECT struct v2v_object newest = { 0 };

  if (asprintf (&ref, "vm-template/%s", t->name) == -1) {
    ref = NULL;
    return v2v_fail_nomem (err);
  }
  /* Of two that nothing tells apart neither is the newest. */
  if (v2v_library_find (d->lib, ref, &id, NULL) == -1 ||
      strcmp (id, t->id) == 0)
    return 0;
  if (v2v_library_object (d->lib, id, &newest, err) == -1)
    return -1;
  return note (d, "template.version", newest.version, t->version, err);
}

int
v2v_deployed_drift (struct v2v_library *lib, const char *id,
                    struct v2v_document_changes *ret, struct v2v_error **err)
{
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  struct v2v_document_changes changes = { .ptr = NULL };
  struct drift d = { .lib = lib, .machine = &m, .changes = &changes };
  int r = v2v_deployed_find (lib, id, &m, err) == -1 ||
                  plan_again (&d, err) == -1 || find_folder (&d, err) == -1 ||
                  read_description (&d, err) == -1
              ? -1
              : 0;

  if (r == 0 && d.found == NULL)
    r = note (&d, "folder", m.folder, NULL, err);
  else if (r == 0)
    r = compare_hardware (&d, err) == -1 || compare_disks (&d, err) == -1 ? -1
                                                                          : 0;
  if (r == 0)
    r = compare_bases (&d, err) == -1 ||
                compare_profile (&d, "hardware_profile", d.plan.hardware_from,
                                 err) == -1 ||
                compare_profile (&d, "guest_os_profile", d.plan.guest_os_from,
                                 err) == -1 ||
                compare_versions (&d, err) == -1
            ? -1
            : 0;
  deploy_plan_clear (&d.plan);
  deploy_cache_clear (&d.cache);
  v2v_json_free (d.wanted);
  v2v_json_free (d.found);
  free (d.folder);
  if (r == -1) {
    v2v_document_changes_clear (&changes);
    return -1;
  }
  *ret = changes;
  return 0;
}
