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
#include "formats/core/text.h"
#include "inject/gate.h"
#include "inject/guest-open.h"
#include "inject/stage.h"
#include "convert/customize-work.h"
#include "convert/customize.h"

struct customization {
  const struct v2v_customize_opts *opts;
  struct v2v_image **images;
  struct v2v_image **outs; /* new files, open until they have their names */
  struct customize_work work;
  struct v2v_findings findings;
  struct v2v_json *out;
};

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
  return customize_work_identify (&c->work, c->images, err);
}

/* OVERLAY alone, into the disk below it. */
static int
merge (struct customization *c, size_t i, struct v2v_error **err)
{
  const struct v2v_open_opts alone = { .format = "qcow2", .overlay = true };
  const struct v2v_open_opts rw = { .search = c->opts->search };
  CLEANUP_FREE char *path = customize_work_overlay (&c->work, i, err);
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
                       c->work.folder);
  return customize_work_remove (&c->work, err);
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

/* PATH.part with all of image I; it stays open, and with it locked. */
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
  if (r == 0)
    c->outs[i] = dst;
  else
    v2v_image_close (dst);
  return r;
}

static char *
part_path (const char *path, struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s.part", path) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

/* File systems without RENAME_NOREPLACE: link refuses to replace too. */
static int
rename_noreplace (const char *from, const char *to)
{
  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if ((errno != EINVAL && errno != ENOSYS) || link (from, to) == -1)
    return -1;
  unlink (from);
  return 0;
}

/* Output I gets its name, or (BACK) loses it again. */
static int
publish_one (struct customization *c, size_t i, bool back,
             struct v2v_error **err)
{
  CLEANUP_FREE char *path = output_path (c, i, err);
  CLEANUP_FREE char *part = path ? part_path (path, err) : NULL;

  if (part == NULL)
    return -1;
  if (rename_noreplace (back ? path : part, back ? part : path) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* All of them or none; what appeared meanwhile under a name stays. */
static int
publish (struct customization *c, struct v2v_error **err)
{
  CLEANUP_FREE char *first = output_path (c, 0, err);

  if (first == NULL)
    return -1;
  for (size_t i = 0; i < c->opts->nr_disks; ++i)
    if (publish_one (c, i, false, err) == -1) {
      while (i > 0)
        publish_one (c, --i, true, NULL);
      return -1;
    }
  return customize_sync_parent (first, err);
}

/* The new files of a run that failed. */
static void
remove_parts (struct customization *c)
{
  for (size_t i = 0; i < c->opts->nr_disks; ++i) {
    CLEANUP_FREE char *path = output_path (c, i, NULL);
    CLEANUP_FREE char *part = path ? part_path (path, NULL) : NULL;

    if (c->outs[i] != NULL && part != NULL)
      unlink (part);
  }
}

/* Is the file that output PATH is written to first one of the disks? */
static int
check_part (const struct customization *c, const char *path,
            struct v2v_error **err)
{
  CLEANUP_FREE char *part = part_path (path, err);
  struct stat st;

  if (part == NULL)
    return -1;
  if (stat (part, &st) == -1)
    return 0;
  for (size_t i = 0; i < c->work.nr; ++i)
    if (c->work.disks[i].fd != -1 && c->work.disks[i].st.st_dev == st.st_dev &&
        c->work.disks[i].st.st_ino == st.st_ino)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--output: '%s' is written first, and is a disk given",
                       part);
  return 0;
}

/* Outputs I and K of different disks must be different files, also under the
 * name that they have until they are complete. */
static int
check_pair (const struct customization *c, size_t i, size_t k,
            struct v2v_error **err)
{
  CLEANUP_FREE char *a = output_path (c, i, err);
  CLEANUP_FREE char *b = a ? output_path (c, k, err) : NULL;
  CLEANUP_FREE char *a_part = b ? part_path (a, err) : NULL;
  CLEANUP_FREE char *b_part = a_part ? part_path (b, err) : NULL;

  if (b_part == NULL)
    return -1;
  if (strcmp (a, b) == 0 || strcmp (a_part, b) == 0 || strcmp (a, b_part) == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--output: '%s' and '%s' would both be written to '%s'",
                     c->opts->disks[k], c->opts->disks[i],
                     strcmp (a, b_part) == 0 ? a : b);
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
    if (lstat (path, &st) == 0)
      return v2v_fail (err, V2V_ERR_USAGE, "--output: '%s' is there already",
                       path);
    if (check_part (c, path, err) == -1)
      return -1;
    for (size_t k = 0; k < i; ++k)
      if (check_pair (c, i, k, err) == -1)
        return -1;
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
  if (r == 0)
    r = publish (c, err);
  if (r == -1)
    remove_parts (c);
  return r;
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

/* A v2v_guest_step_fn; ARG is the customization. */
static void
tell_step (void *arg, const char *what)
{
  const struct customization *c = arg;
  const struct v2v_progress p = { .stage = "guest",
                                  .item = what,
                                  .step = true };

  if (c->opts->copy.progress != NULL)
    c->opts->copy.progress (c->opts->copy.progress_arg, &p);
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
    .step = tell_step,
    .step_arg = c,
  };
  struct v2v_guest *g;
  int r = -1;

  if (v2v_guest_gate_disks (c->images, c->opts->nr_disks, &open.guest,
                            &c->findings, err) == -1)
    return -1;
  g = v2v_guest_open_images (c->images, c->opts->nr_disks, &open, err);
  if (g == NULL)
    goto out;
  v2v_guest_tell_step (g, "changing the guest");
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
out:
  tell_step (c, NULL);
  return r;
}

static void
close_images (struct customization *c, struct v2v_image **images)
{
  for (size_t i = 0; images != NULL && i < c->opts->nr_disks; ++i)
    v2v_image_close (STEAL (images[i]));
}

/* ---- the orders ---- */

static int
resume_in_place (struct customization *c, struct v2v_error **err)
{
  if (open_disks (c, err) == -1 ||
      customize_work_need_files (&c->work, err) == -1 ||
      customize_work_resume (&c->work, err) == -1)
    return -1;
  close_images (c, c->images);
  return merge_all (c, err);
}

static int
customize_in_place (struct customization *c, struct v2v_error **err)
{
  int r;

  if (open_disks (c, err) == -1 ||
      customize_work_need_files (&c->work, err) == -1 ||
      customize_work_make (&c->work, c->work.disks[0].path, err) == -1)
    return -1;
  r = change_guest (c, c->work.folder, err);
  close_images (c, c->images);
  if (r == 0)
    r = customize_work_unchanged (&c->work, err);
  if (r == 0)
    r = customize_work_mark (&c->work, err);
  if (r == -1) {
    customize_work_remove (&c->work, NULL);
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
      (first = output_path (c, 0, err)) == NULL || open_disks (c, err) == -1 ||
      customize_work_make (&c->work, first, err) == -1)
    return -1;
  r = change_guest (c, c->work.folder, err);
  if (r == 0)
    r = write_outputs (c, c->work.folder, err);
  close_images (c, c->outs);
  close_images (c, c->images);
  if (r == 0)
    return customize_work_remove (&c->work, err);
  customize_work_remove (&c->work, NULL);
  return -1;
}

static int
run (struct customization *c, struct v2v_error **err)
{
  const struct v2v_customize_opts *o = c->opts;

  if (customize_work_lock (&c->work, o->disks, o->nr_disks,
                           o->output == NULL && !o->dry_run, err) == -1)
    return -1;
  if (o->resume)
    return resume_in_place (c, err);
  if (customize_work_check (&c->work, err) == -1)
    return -1;
  if (o->dry_run)
    return open_disks (c, err) == -1 ? -1 : change_guest (c, NULL, err);
  return o->output != NULL ? customize_into (c, err)
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
  c.outs = calloc (opts->nr_disks + 1, sizeof (struct v2v_image *));
  r = c.images == NULL || c.outs == NULL ? v2v_fail_nomem (err) : run (&c, err);
  close_images (&c, c.outs);
  close_images (&c, c.images);
  free (c.outs);
  free (c.images);
  customize_work_clear (&c.work);
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
