/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage in the pipeline, in two orders.
 *
 * Convert, then copy: where disks can be read at random.  The copy engine
 * takes the overlays the stage laid.
 *
 * Copy, then convert: for what comes through a pipe.  The written disks, not
 * published yet, are changed through the same kind of overlay, whose changed
 * and freed ranges are then merged into them, in the crash-safe way of
 * v2v_image_open_rw.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "convert/convert-internal.h"

/* In the working folder: overlays and state, gone before it is published; and
 * originals of what was changed, which are part of the result. */
#define GUEST_FOLDER "guest"
#define UNDO_FOLDER  "undo"

static void
tell_step (void *arg, const char *what)
{
  const struct conversion *c = arg;
  const struct v2v_progress p = { .stage = "guest",
                                  .item = what,
                                  .step = true };

  if (c->opts->progress != NULL)
    c->opts->progress (c->opts->progress_arg, &p);
}

/* For the report: where the time went. */
static void
note_steps (struct conversion *c)
{
  const struct v2v_guest_times *t = &c->guest.times;
  const struct v2v_report_step steps[] = { { "start", t->start },
                                           { "inspection", t->inspection },
                                           { "changes", t->changes },
                                           { "trim", t->trim } };

  if (c->guest.resumed || t->start <= 0)
    return;
  memcpy (c->guest_steps, steps, sizeof steps);
  c->nr_guest_steps = V2V_ARRAY_SIZE (steps);
}

/* The plan warned of what the disks lacked before the guest was changed. */
static void
drop_outdated (struct conversion *c)
{
  static const char loader[] = "/BOOTX64.EFI";
  struct v2v_findings *f = &c->plan->findings;
  bool made = false;
  size_t kept = 0;

  for (size_t i = 0; i < v2v_json_length (c->guest.changes); ++i) {
    const char *path =
        v2v_json_get_string (v2v_json_at (c->guest.changes, i), "path");
    const size_t len = path ? strlen (path) : 0;

    made |= len >= sizeof loader - 1 &&
            strcasecmp (path + len - (sizeof loader - 1), loader) == 0;
  }
  for (size_t i = 0; made && i < f->len; ++i) {
    struct v2v_finding *n = &f->ptr[i];

    if (strcmp (n->id, "boot.no-fallback-loader") != 0) {
      f->ptr[kept++] = *n;
      continue;
    }
    free (n->id);
    free (n->subject);
    free (n->message);
    free (n->remedy);
  }
  if (made)
    f->len = kept;
}

/* Run the stage on IMAGES, with what EVIDENCE says of each. */
static int
run_stage (struct conversion *c, struct v2v_image **images,
           const struct v2v_disk_evidence *const *evidence,
           struct v2v_error **err)
{
  CLEANUP_FREE char *work = NULL, *undo = NULL;
  struct v2v_guest_job job = {
    .machine = c->machine,
    .disks = images,
    .evidence = evidence,
    .nr_disks = c->machine->nr_disks,
    .resume = c->opts->resume,
    .generation = c->plan->generation,
    .new_macs = c->opts->hyperv.new_macs,
    .search = c->opts->search,
    .cancel = c->opts->cancel,
    .step = tell_step,
    .step_arg = c,
  };
  int r;

  job.work_folder = work = v2v_deposit_path (c->deposit, GUEST_FOLDER, err);
  if (work == NULL)
    return -1;
  job.undo_folder = undo = v2v_deposit_path (c->deposit, UNDO_FOLDER, err);
  if (undo == NULL)
    return -1;
  c->guest_ran = true;
  r = c->opts->guest->run (c->opts->guest->arg, &job, &c->guest, err);
  tell_step (c, NULL);
  if (r == -1)
    return v2v_prefix (err, "guest");
  note_steps (c);
  drop_outdated (c);
  return 0;
}

int
convert_guest_before (struct conversion *c, struct v2v_error **err)
{
  const size_t n = c->machine->nr_disks;
  CLEANUP_FREE const struct v2v_disk_evidence **evidence = NULL;

  if (c->opts->guest == NULL || v2v_source_is_stream (c->src))
    return 0;
  evidence = calloc (n + 1, sizeof *evidence);
  if (evidence == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i)
    evidence[i] = c->disks[i].has_evidence ? &c->disks[i].evidence : NULL;
  if (run_stage (c, c->images, evidence, err) == -1)
    return -1;
  /* The changes are one more layer. */
  for (size_t i = 0; c->opts->keep_chain && i < n; ++i)
    if (c->images[i] != NULL)
      c->disks[i].chain_length = v2v_image_chain_length (c->images[i]);
  return 0;
}

/* ---- copy, then convert ---- */

/* Open the written disks, and look at each. */
static int
open_written (struct conversion *c, struct v2v_image **images,
              const struct v2v_disk_evidence **evidence, struct v2v_error **err)
{
  for (size_t k = 0; k < c->plan->nr_disks; ++k) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[k];
    const size_t i = d->source_index;
    CLEANUP_FREE char *path = NULL;

    if (c->machine->disks[i].kind == V2V_DISK_BLANK)
      continue;
    path = v2v_deposit_path (c->deposit, d->file, err);
    if (path == NULL)
      return -1;
    images[i] = v2v_image_open (path, NULL, err);
    if (images[i] == NULL ||
        v2v_evidence_gather (images[i], &c->disks[i].evidence, err) == -1)
      return -1;
    evidence[i] = &c->disks[i].evidence;
  }
  return 0;
}

/* What OVERLAY, which lies over FILE, holds itself goes into FILE. */
static int
merge (struct conversion *c, struct v2v_image *overlay, const char *path,
       const char *item, struct v2v_error **err)
{
  const struct v2v_copy_opts copy = {
    .threads = c->opts->threads,
    .top_only = true,
    .overwrite = true,
    .no_reflink = true,
    .item = item,
    .progress = c->opts->progress,
    .progress_arg = c->opts->progress_arg,
    .cancel = c->opts->cancel,
  };
  struct v2v_copy_result result = { 0 };
  struct v2v_image *dst = v2v_image_open_rw (path, NULL, err);
  int r;

  if (dst == NULL)
    return -1;
  r = v2v_copy (overlay, dst, &copy, &result, err);
  if (r == 0)
    r = v2v_image_finish (dst, err);
  v2v_copy_result_clear (&result);
  v2v_image_close (dst);
  return r;
}

/* The digest of what was copied is none of what is there now. */
static int
digest_again (struct conversion *c, size_t i, const char *path,
              const char *item, struct v2v_error **err)
{
  const struct v2v_copy_opts opts = {
    .threads = c->opts->threads,
    .item = item,
    .progress = c->opts->progress,
    .progress_arg = c->opts->progress_arg,
    .cancel = c->opts->cancel,
  };
  struct v2v_copy_result *result = &c->disks[i].result;
  struct v2v_image *img;

  v2v_disk_digest_free (STEAL (result->digest));
  c->disks[i].digest[0] = '\0';
  if (c->opts->no_digest)
    return 0;
  img = v2v_image_open (path, NULL, err);
  if (img == NULL)
    return -1;
  result->digest = v2v_image_digest (img, &opts, err);
  v2v_image_close (img);
  result->digest_deferred = false;
  return result->digest == NULL ? -1 : 0;
}

static int
merge_all (struct conversion *c, struct v2v_image **images,
           struct v2v_error **err)
{
  for (size_t k = 0; k < c->plan->nr_disks; ++k) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[k];
    const size_t i = d->source_index;
    CLEANUP_FREE char *path = NULL;
    int r;

    /* Without a layer of its own nothing was changed. */
    if (images[i] == NULL || v2v_image_parent (images[i]) == NULL)
      continue;
    path = v2v_deposit_path (c->deposit, d->file, err);
    if (path == NULL)
      return -1;
    r = merge (c, images[i], path, d->file, err);
    v2v_image_close (STEAL (images[i]));
    if (r == -1 || digest_again (c, i, path, d->file, err) == -1 ||
        convert_note_made (c, i, d->file, err) == -1)
      return v2v_prefix (err, "%s", d->file);
  }
  return 0;
}

int
convert_guest_after (struct conversion *c, struct v2v_error **err)
{
  const size_t n = c->machine->nr_disks;
  CLEANUP_FREE struct v2v_image **images = NULL;
  CLEANUP_FREE const struct v2v_disk_evidence **evidence = NULL;
  int r;

  if (c->opts->guest == NULL || !v2v_source_is_stream (c->src))
    return 0;
  images = calloc (n + 1, sizeof *images);
  evidence = calloc (n + 1, sizeof *evidence);
  if (images == NULL || evidence == NULL)
    return v2v_fail_nomem (err);
  r = open_written (c, images, evidence, err);
  if (r == 0)
    r = run_stage (c, images, evidence, err);
  if (r == 0)
    r = merge_all (c, images, err);
  for (size_t i = 0; i < n; ++i)
    v2v_image_close (images[i]);
  return r;
}

int
convert_guest_forget (struct conversion *c, struct v2v_error **err)
{
  return v2v_deposit_remove_folder (c->deposit, GUEST_FOLDER, err);
}
