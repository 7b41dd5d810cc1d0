/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v customize: overlays over existing disks, one appliance, changes by
 * inject/customize.h, and the result merged or copied; see customize.h for
 * what an interruption leaves.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "inject/gate.h"
#include "inject/guest-open.h"
#include "inject/stage.h"
#include "convert/customize.h"

#define WORK_SUFFIX ".v2v-customize"
#define MARK        "complete"

struct customization {
  const struct v2v_customize_opts *opts;
  struct v2v_image **images;
  char *work; /* folder of overlays, in place only */
  struct v2v_findings findings;
  struct v2v_json *out;
};

/* ---- the working folder ---- */

static char *
work_path (const struct customization *c, const char *name,
           struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s/%s", c->work, name) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

static char *
overlay_path (const struct customization *c, size_t i, struct v2v_error **err)
{
  char name[32];

  snprintf (name, sizeof name, "disk%zu.qcow2", i + 1);
  return work_path (c, name, err);
}

static int
sync_folder (const char *path, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd == -1 || fsync (fd) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* Our own files, then the folder; what is not ours stays. */
static int
remove_work (struct customization *c, struct v2v_error **err)
{
  CLEANUP_FREE char *mark = work_path (c, MARK, err);

  if (mark == NULL)
    return -1;
  /* The mark last: until then the merge can be done again. */
  for (size_t i = 0; i < c->opts->nr_disks; ++i) {
    CLEANUP_FREE char *path = overlay_path (c, i, err);

    if (path == NULL)
      return -1;
    if (unlink (path) == -1 && errno != ENOENT)
      return v2v_fail_errno (err, "%s", path);
  }
  if (unlink (mark) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s", mark);
  if (rmdir (c->work) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s", c->work);
  return 0;
}

/* What the mark says: the disks, one a line, as they were named. */
static int
write_mark (struct customization *c, struct v2v_error **err)
{
  CLEANUP_FREE char *mark = work_path (c, MARK, err);
  CLEANUP_STR struct v2v_str text = V2V_STR_INIT;
  CLEANUP_CLOSE int fd = -1;

  if (mark == NULL || sync_folder (c->work, err) == -1)
    return -1;
  for (size_t i = 0; i < c->opts->nr_disks; ++i)
    if (v2v_str_printf (&text, "%s\n", c->opts->disks[i]) == -1)
      return v2v_fail_nomem (err);
  fd = open (mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd == -1 || write (fd, text.ptr, text.len) != (ssize_t) text.len ||
      fsync (fd) == -1)
    return v2v_fail_errno (err, "%s", mark);
  return sync_folder (c->work, err);
}

/* ---- the disks ---- */

static int
open_disks (struct customization *c, struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .search = c->opts->search };

  for (size_t i = 0; i < c->opts->nr_disks; ++i) {
    const struct v2v_image_ops *ops;

    c->images[i] = v2v_image_open (c->opts->disks[i], &opts, err);
    if (c->images[i] == NULL)
      return -1;
    ops = v2v_image_get_ops (c->images[i]);
    if (c->opts->output == NULL && !c->opts->dry_run && ops->open_rw == NULL) {
      v2v_fail (err, V2V_ERR_UNSUPPORTED,
                "%s: disks of the format %s are not changed in place",
                c->opts->disks[i], ops->name);
      return v2v_hint (err, "give -o for a new file with the changes");
    }
  }
  return 0;
}

/* OVERLAY alone, into the disk below it. */
static int
merge (struct customization *c, size_t i, struct v2v_error **err)
{
  const struct v2v_open_opts alone = { .format = "qcow2", .overlay = true };
  const struct v2v_open_opts rw = { .search = c->opts->search };
  CLEANUP_FREE char *path = overlay_path (c, i, err);
  struct v2v_copy_opts copy = c->opts->copy;
  struct v2v_copy_result result = { 0 };
  struct v2v_image *top, *dst = NULL;
  int r = -1;

  if (path == NULL)
    return -1;
  copy.top_only = copy.overwrite = copy.no_reflink = true;
  copy.item = c->opts->disks[i];
  /* Half of the changes would be worse than all: not to be interrupted. */
  copy.cancel = NULL;
  top = v2v_image_open (path, &alone, err);
  if (top != NULL)
    dst = v2v_image_open_rw (c->opts->disks[i], &rw, err);
  if (dst != NULL)
    r = v2v_copy (top, dst, &copy, &result, err);
  if (r == 0)
    r = v2v_image_finish (dst, err);
  v2v_copy_result_clear (&result);
  v2v_image_close (dst);
  v2v_image_close (top);
  return r == -1 ? v2v_prefix_name (err, c->opts->disks[i]) : 0;
}

static int
merge_all (struct customization *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->opts->nr_disks; ++i)
    if (merge (c, i, err) == -1)
      return v2v_hint (err,
                       "the changes are complete in %s: '--resume' "
                       "with the same disks writes them again",
                       c->work);
  return remove_work (c, err);
}

/* ---- into new files ---- */

static char *
output_path (const struct customization *c, size_t i, struct v2v_error **err)
{
  const char *base = strrchr (c->opts->disks[i], '/');
  struct stat st;
  char *s;
  int r;

  base = base ? base + 1 : c->opts->disks[i];
  if (stat (c->opts->output, &st) == 0 && S_ISDIR (st.st_mode))
    r = asprintf (&s, "%s/%s", c->opts->output, base);
  else
    r = asprintf (&s, "%s", c->opts->output);
  if (r == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

/* PATH.part with all of image I; renamed when all are there. */
static int
copy_disk (struct customization *c, size_t i, const char *path,
           struct v2v_error **err)
{
  struct v2v_image *base = c->images[i];
  const struct v2v_image_info *info;
  struct v2v_create_opts create = { 0 };
  struct v2v_copy_opts copy = c->opts->copy;
  struct v2v_copy_result result = { 0 };
  struct v2v_image *dst;
  const char *format;
  int r;

  /* The disk itself, below its overlay. */
  if (v2v_image_parent (base) != NULL)
    base = v2v_image_parent (base);
  info = v2v_image_get_info (base);
  format = info->format;
  create.size_bytes = v2v_image_size (c->images[i]);
  create.logical_sector_bytes = info->logical_sector_bytes;
  create.physical_sector_bytes = info->physical_sector_bytes;
  if (info->variant != NULL && strcmp (info->variant, "fixed") == 0)
    create.subformat = V2V_SUB_FIXED;
  copy.item = c->opts->disks[i];
  dst = v2v_image_create (path, format, &create, err);
  if (dst == NULL)
    return -1;
  r = v2v_copy (c->images[i], dst, &copy, &result, err);
  if (r == 0)
    r = v2v_image_finish_unpublished (dst, err);
  v2v_copy_result_clear (&result);
  v2v_image_close (dst);
  return r;
}

static int
publish (struct customization *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->opts->nr_disks; ++i) {
    CLEANUP_FREE char *path = output_path (c, i, err);
    CLEANUP_STR struct v2v_str part = V2V_STR_INIT;

    if (path == NULL)
      return -1;
    if (v2v_str_printf (&part, "%s.part", path) == -1)
      return v2v_fail_nomem (err);
    if (rename (part.ptr, path) == -1)
      return v2v_fail_errno (err, "%s", path);
  }
  return 0;
}

static int
check_outputs (struct customization *c, struct v2v_error **err)
{
  struct stat st;
  const bool folder = stat (c->opts->output, &st) == 0 && S_ISDIR (st.st_mode);

  if (c->opts->nr_disks > 1 && !folder)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--output: '%s' is no folder: several disks go into one",
                     c->opts->output);
  for (size_t i = 0; i < c->opts->nr_disks; ++i) {
    CLEANUP_FREE char *path = output_path (c, i, err);

    if (path == NULL)
      return -1;
    if (access (path, F_OK) == 0)
      return v2v_fail (err, V2V_ERR_USAGE, "--output: '%s' is there already",
                       path);
  }
  return 0;
}

static int
write_outputs (struct customization *c, const char *folder,
               struct v2v_error **err)
{
  int r = v2v_guest_lay_overlays (folder, c->images, c->opts->nr_disks, err);

  for (size_t i = 0; r == 0 && i < c->opts->nr_disks; ++i) {
    CLEANUP_FREE char *path = output_path (c, i, err);

    r = path == NULL ? -1 : copy_disk (c, i, path, err);
  }
  return r == 0 ? publish (c, err) : -1;
}

/* ---- the guest ---- */

static int
change (struct customization *c, struct v2v_guest *g, struct v2v_error **err)
{
  if (c->opts->generalize &&
      v2v_generalize (g, c->opts->generalize_operations, err) == -1)
    return -1;
  return c->opts->profile != NULL ? v2v_customize (g, c->opts->profile, err)
                                  : 0;
}

static int
take_results (struct customization *c, struct v2v_guest *g,
              struct v2v_error **err)
{
  const struct v2v_findings *f = v2v_guest_findings (g);

  for (size_t i = 0; i < f->len; ++i)
    if (v2v_findings_add (&c->findings, f->ptr[i].severity, f->ptr[i].id,
                          f->ptr[i].subject, f->ptr[i].remedy, "%s",
                          f->ptr[i].message) == -1)
      return v2v_fail_nomem (err);
  v2v_json_set (c->out, "system", v2v_os_to_json (v2v_guest_os (g)));
  v2v_json_set (c->out, "changes", v2v_journal_to_json (v2v_guest_journal (g)));
  return 0;
}

/* Overlays are left in FOLDER (none in a dry run). */
static int
change_guest (struct customization *c, const char *folder,
              struct v2v_error **err)
{
  const struct v2v_guest_open_opts open = {
    .guest = c->opts->guest,
    .keys = &c->opts->keys,
    .folder = c->opts->dry_run ? NULL : folder,
    .search = c->opts->search,
    .cancel = c->opts->copy.cancel,
    .look_only = c->opts->dry_run,
    .gate = v2v_guest_gate_appliance,
  };
  struct v2v_guest *g;
  int r;

  if (v2v_guest_gate_disks (c->images, c->opts->nr_disks, &open.guest,
                            &c->findings, err) == -1)
    return -1;
  g = v2v_guest_open_images (c->images, c->opts->nr_disks, &open, err);
  if (g == NULL)
    return -1;
  if (v2v_guest_os (g)->family == V2V_FAMILY_UNKNOWN)
    r = v2v_fail (err, V2V_ERR_GUEST,
                  "no operating system was found on the disks");
  else
    r = change (c, g, err);
  if (r == 0 && !c->opts->dry_run)
    r = v2v_guest_save (g, err);
  if (r == 0)
    r = take_results (c, g, err);
  v2v_guest_close (g);
  return r;
}

static void
close_disks (struct customization *c)
{
  for (size_t i = 0; i < c->opts->nr_disks; ++i)
    v2v_image_close (STEAL (c->images[i]));
}

/* ---- the orders ---- */

/* The folder of overlays beside PATH. */
static int
name_work (struct customization *c, const char *path, struct v2v_error **err)
{
  return asprintf (&c->work, "%s" WORK_SUFFIX, path) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
make_work (struct customization *c, struct v2v_error **err)
{
  if (remove_work (c, err) == -1)
    return -1;
  if (mkdir (c->work, 0700) == -1)
    return v2v_fail_errno (err, "%s", c->work);
  return 0;
}

static int
customize_in_place (struct customization *c, struct v2v_error **err)
{
  CLEANUP_FREE char *mark = NULL;
  bool interrupted;
  int r;

  if (name_work (c, c->opts->disks[0], err) == -1 ||
      (mark = work_path (c, MARK, err)) == NULL)
    return -1;
  interrupted = access (mark, F_OK) == 0;
  if (interrupted && c->opts->resume)
    return merge_all (c, err);
  if (interrupted) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: an earlier run was interrupted while it wrote the disks",
              c->work);
    return v2v_hint (err, "'--resume' with the same disks completes it");
  }
  if (c->opts->resume)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--resume: no interrupted run: there is no '%s'", mark);
  if (open_disks (c, err) == -1 || make_work (c, err) == -1)
    return -1;
  r = change_guest (c, c->work, err);
  close_disks (c);
  if (r == 0)
    r = write_mark (c, err);
  if (r == -1) {
    remove_work (c, NULL);
    return -1;
  }
  return merge_all (c, err);
}

static int
customize_into (struct customization *c, struct v2v_error **err)
{
  CLEANUP_FREE char *first = NULL;
  int r;

  if (check_outputs (c, err) == -1 ||
      (first = output_path (c, 0, err)) == NULL ||
      name_work (c, first, err) == -1 || open_disks (c, err) == -1 ||
      make_work (c, err) == -1)
    return -1;
  r = change_guest (c, c->work, err);
  if (r == 0)
    r = write_outputs (c, c->work, err);
  close_disks (c);
  if (r == 0)
    return remove_work (c, err);
  remove_work (c, NULL);
  return -1;
}

static int
run (struct customization *c, struct v2v_error **err)
{
  if (c->opts->dry_run)
    return open_disks (c, err) == -1 ? -1 : change_guest (c, NULL, err);
  return c->opts->output != NULL ? customize_into (c, err)
                                 : customize_in_place (c, err);
}

int
v2v_customize_disks (const struct v2v_customize_opts *opts,
                     struct v2v_json **ret, struct v2v_error **err)
{
  struct customization c = { .opts = opts, .out = v2v_json_new_object () };
  struct v2v_json *list = v2v_json_new_array ();
  int r;

  for (size_t i = 0; i < opts->nr_disks; ++i)
    v2v_json_append (list, v2v_json_new_string (opts->disks[i]));
  v2v_json_set (c.out, "disks", list);
  v2v_json_set_bool (c.out, "dry_run", opts->dry_run);
  c.images = calloc (opts->nr_disks + 1, sizeof (struct v2v_image *));
  r = c.images == NULL ? v2v_fail_nomem (err) : run (&c, err);
  if (c.images != NULL)
    close_disks (&c);
  free (c.images);
  free (c.work);
  v2v_json_set (c.out, "findings", v2v_findings_to_json (&c.findings));
  v2v_findings_clear (&c.findings);
  if (r == 0 && !v2v_json_ok (c.out))
    r = v2v_fail_nomem (err);
  if (r == -1) {
    v2v_json_free (c.out);
    return -1;
  }
  *ret = c.out;
  return 0;
}
