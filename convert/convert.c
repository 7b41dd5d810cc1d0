/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pipeline: the order of the steps of one conversion.
 *
 *   v2v_source_open (the caller)   machines and their files
 *   convert_open_disks             in place: inside the OVA, chain and all
 *   convert_gather_evidence        what do the disks boot?
 *   v2v_hyperv_plan_new            every decision about the target
 *   v2v_deposit_begin              a working folder
 *   convert_guest_before           changes inside the guest, as overlays
 *   convert_copy_disks             all the work
 *   convert_guest_after            ... of what came through a pipe
 *   convert_describe               NAME.json, scripts, reports
 *   v2v_deposit_commit             and all of it is there
 */

#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "library/space.h"
#include "convert/convert-internal.h"

const char *
v2v_version (void)
{
  return PACKAGE_VERSION;
}

static int
start (struct conversion *c, struct v2v_source *src, size_t index,
       const struct v2v_convert_opts *opts, struct v2v_error **err)
{
  c->src = src;
  c->machine = v2v_source_machine (src, index);
  c->opts = opts;
  c->disks = calloc (c->machine->nr_disks + 1, sizeof *c->disks);
  c->images = calloc (c->machine->nr_disks + 1, sizeof *c->images);
  if (c->disks == NULL || c->images == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

static void
finish (struct conversion *c)
{
  for (size_t i = 0; c->images && i < c->machine->nr_disks; ++i)
    v2v_image_close (c->images[i]);
  for (size_t i = 0; c->disks && i < c->machine->nr_disks; ++i)
    convert_disk_clear (&c->disks[i]);
  free (c->images);
  free (c->disks);
  v2v_hyperv_plan_free (c->plan);
  v2v_deposit_close (c->deposit);
  v2v_findings_clear (&c->findings);
  v2v_guest_result_clear (&c->guest);
}

/* The size of a disk is known for sure only when it is open. */
static int
set_sizes (struct conversion *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const struct v2v_image *img = c->images[c->plan->disks[i].source_index];

    if (img != NULL && v2v_hyperv_plan_set_disk_size (
                           c->plan, i, v2v_image_size (img), err) == -1)
      return -1;
  }
  return 0;
}

/* SAFE_NAME: of the folder, once that is known. */
static int
make_plan (struct conversion *c, const char *safe_name, struct v2v_error **err)
{
  const size_t n = c->machine->nr_disks;
  CLEANUP_FREE const struct v2v_disk_evidence **evidence =
      calloc (n + 1, sizeof *evidence);
  struct v2v_hyperv_opts opts = c->opts->hyperv;

  if (evidence == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i)
    evidence[i] = c->disks[i].has_evidence ? &c->disks[i].evidence : NULL;
  opts.safe_name = safe_name;
  v2v_hyperv_plan_free (c->plan);
  c->plan = v2v_hyperv_plan_new (c->machine, evidence, n, &opts, err);
  if (c->plan == NULL || set_sizes (c, err) == -1)
    return -1;
  return c->opts->hardware == NULL
             ? 0
             : v2v_hardware_apply (c->opts->hardware, c->plan,
                                   &c->plan->findings, err);
}

static int
check_space (struct conversion *c, struct v2v_error **err)
{
  uint64_t need;

  /* What a resumed run has written already counts in both sums. */
  if (c->opts->no_space_check || c->opts->resume)
    return 0;
  if (convert_space_needed (c, &need, err) == -1)
    return -1;
  return v2v_space_check_bytes (c->opts->output_dir, need, err);
}

/* All questions are asked before anything is written. */
static int
prepare (struct conversion *c, struct v2v_error **err)
{
  if (convert_open_disks (c, err) == -1 ||
      convert_gather_evidence (c, err) == -1 || make_plan (c, NULL, err) == -1)
    return -1;
  if (c->opts->dry_run)
    return 0;
  return check_space (c, err);
}

static void
format_now (char out[32])
{
  const time_t now = time (NULL);
  struct tm tm;

  if (gmtime_r (&now, &tm) == NULL ||
      strftime (out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    out[0] = '\0';
}

static double
monotonic (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* Nothing is pending and the last of NAME, NAME-2 ... is there: its folder, or
 * NULL (with ERR when out of memory).  As v2v_deposit_begin chooses. */
static char *
finished_before (const struct conversion *c, struct v2v_error **err)
{
  CLEANUP_FREE char *last = NULL;

  for (unsigned n = 1; n < 10000; ++n) {
    CLEANUP_FREE char *part = NULL, *folder = NULL;
    char number[16] = "";

    if (n > 1)
      snprintf (number, sizeof number, "-%u", n);
    if (asprintf (&part, "%s/.%s%s.part", c->opts->output_dir,
                  c->plan->safe_name, number) == -1 ||
        asprintf (&folder, "%s/%s%s", c->opts->output_dir, c->plan->safe_name,
                  number) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (access (part, F_OK) == 0)
      return NULL;
    if (access (folder, F_OK) == -1)
      break;
    free (last);
    last = STEAL (folder);
  }
  return STEAL (last);
}

/* --resume of what is complete: told, not made a second time.  1 = so it is,
 * and RESULT is filled from its report. */
static int
already_there (const struct conversion *c, struct v2v_convert_result *result,
               struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *folder = finished_before (c, &e), *report = NULL;

  if (e != NULL)
    return v2v_error_move (err, e);
  if (folder == NULL)
    return 0;
  if (asprintf (&report, "%s/report.json", folder) == -1) {
    report = NULL;
    return v2v_fail_nomem (err);
  }
  result->report = convert_load_json (report);
  if (result->report == NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "nothing to resume: %s is there, and not a conversion", folder);
    return v2v_hint (err, "without --resume all is made anew");
  }
  if (asprintf (&result->text, "nothing to resume: %s is complete\n", folder) ==
      -1) {
    result->text = NULL;
    return v2v_fail_nomem (err);
  }
  result->folder = STEAL (folder);
  return 1;
}

/* From the working folder to the result. */
static int
deposit (struct conversion *c, struct v2v_convert_result *result,
         struct v2v_error **err)
{
  const double begin = monotonic ();
  char started[32];

  if (c->opts->resume) {
    const int r = already_there (c, result, err);

    if (r != 0)
      return r;
  }
  format_now (started);
  c->deposit = v2v_deposit_begin (c->opts->output_dir, c->plan->safe_name,
                                  c->opts->resume, err);
  if (c->deposit == NULL)
    return -1;
  /* The name was taken: files inside are called like the folder. */
  if (strcmp (v2v_deposit_name (c->deposit), c->plan->safe_name) != 0 &&
      make_plan (c, v2v_deposit_name (c->deposit), err) == -1)
    return -1;
  c->worth_keeping = c->opts->resume;
  if (convert_guest_before (c, err) == -1)
    return -1;
  c->worth_keeping = true;
  if (convert_copy_disks (c, err) == -1 || convert_guest_after (c, err) == -1 ||
      convert_describe (c, started, monotonic () - begin, result, err) == -1 ||
      convert_guest_forget (c, err) == -1)
    return -1;
  return v2v_deposit_commit (c->deposit, err);
}

/* After a failure: keep what is worth it, and say how to go on. */
static void
keep_unfinished (struct conversion *c, struct v2v_error **err)
{
  enum v2v_error_code code;

  if (err == NULL || *err == NULL || c->deposit == NULL || !c->worth_keeping)
    return;
  code = v2v_error_code (*err);
  if (code == V2V_ERR_MISMATCH && c->opts->resume) {
    /* What lies there belongs to another source or other options: the user
     * decides what becomes of it. */
    v2v_deposit_keep (c->deposit);
    v2v_hint (err, "without --resume all is made anew");
    return;
  }
  if (code != V2V_ERR_INTERRUPTED && code != V2V_ERR_IO)
    return;
  if (v2v_source_is_stream (c->src))
    return; /* it cannot be read again from the middle */
  v2v_deposit_keep (c->deposit);
  v2v_hint (err,
            "what is done is kept in %s: the same command with --resume "
            "goes on from there",
            c->opts->output_dir);
}

int
v2v_convert (struct v2v_source *src, size_t index,
             const struct v2v_convert_opts *opts,
             struct v2v_convert_result *result, struct v2v_error **err)
{
  struct conversion c = { 0 };
  int r;

  assert (index < v2v_source_nr_machines (src));
  assert (opts->output_dir != NULL || opts->dry_run);
  memset (result, 0, sizeof *result);

  r = start (&c, src, index, opts, err);
  if (r == 0)
    r = prepare (&c, err);
  if (r == 0 && opts->dry_run)
    r = convert_describe_plan (&c, result, err);
  else if (r == 0)
    r = deposit (&c, result, err);
  if (r == 1)
    r = 0;
  if (r == 0 && c.deposit != NULL &&
      asprintf (&result->folder, "%s/%s", opts->output_dir,
                v2v_deposit_name (c.deposit)) == -1) {
    result->folder = NULL;
    r = v2v_fail_nomem (err);
  }
  if (r == -1) {
    keep_unfinished (&c, err);
    v2v_convert_result_clear (result);
  }
  finish (&c);
  return r;
}

void
v2v_convert_result_clear (struct v2v_convert_result *result)
{
  free (result->folder);
  free (result->text);
  v2v_json_free (result->report);
  memset (result, 0, sizeof *result);
}
