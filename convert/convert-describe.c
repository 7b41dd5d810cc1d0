/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a conversion tells: NAME.json, the two scripts, the reports; and what
 * a dry run prints.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/describe.h"
#include "convert/convert-internal.h"

static void
cleanup_files (struct v2v_described *f)
{
  v2v_described_clear (f);
}
#define CLEANUP_FILES __attribute__ ((cleanup (cleanup_files)))

/* ---- the report ---- */

static void
fill_disk (const struct conversion *c, const struct v2v_hyperv_disk *d,
           struct v2v_report_disk *r)
{
  const struct convert_disk *cd = &c->disks[d->source_index];
  const struct v2v_disk *source = &c->machine->disks[d->source_index];
  const struct v2v_copy_result *res = &cd->result;

  *r = (struct v2v_report_disk){
    .id = source->id,
    .source_file = source->file,
    .source_format = cd->source_format,
    .source_variant = cd->source_variant,
    .chain_length = cd->chain_length,
    .spooled = cd->spooled,
    .target_file = d->file,
    .target_format = c->plan->disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx",
    .target_variant = cd->target_variant,
    .virtual_bytes = cd->virtual_bytes,
    .source_bytes = source->file_bytes,
    .data_bytes = res->data_bytes,
    .zero_bytes = res->zero_bytes,
    .written_bytes = res->written_bytes,
    .shared_bytes = res->shared_bytes,
    .offloaded_bytes = res->offloaded_bytes,
    .resumed_bytes = res->resumed_bytes,
    .allocated_bytes = cd->allocated_bytes,
    .file_bytes = cd->file_bytes,
    .seconds = res->seconds,
    .digest = cd->digest[0] ? cd->digest : NULL,
    .digest_deferred = res->digest_deferred,
    .sparse = cd->allocated_bytes < cd->file_bytes,
    .parents = d->parents,
    .nr_parents = d->nr_parents,
  };
  if (r->source_bytes == 0)
    r->source_bytes = cd->source_bytes;
}

static const char *
manifest_word (const struct conversion *c)
{
  const struct v2v_manifest_entry *entries = NULL;
  const size_t n = v2v_source_manifest (c->src, &entries);

  if (c->opts->manifest_off)
    return "off";
  if (n == 0)
    return v2v_source_manifest_is_partial (c->src) ? "partial" : "absent";
  for (size_t i = 0; i < n; ++i)
    if (!entries[i].checked || !entries[i].matched)
      return "differs";
  return v2v_source_manifest_is_partial (c->src) ? "partial" : "matched";
}

/* A complete report; it borrows from everything. */
static void
fill_report (const struct conversion *c, struct v2v_report *r)
{
  memset (r, 0, sizeof *r);
  r->outcome = V2V_OUTCOME_CONVERTED;
  r->program_version = v2v_version ();
  r->machine = c->machine;
  r->plan = c->plan;
  r->source_path = c->machine->source_path;
  r->source_kind = v2v_source_kind (c->src);
  r->manifest = manifest_word (c);
  r->signer =
      v2v_source_signer (c->src, &r->signature_verified, &r->signer_trusted);
  r->findings = &c->findings;
  if (c->guest_ran) {
    r->guest_findings = &c->guest.findings;
    r->guest_os = c->guest.os;
    r->guest_changes = c->guest.changes;
    r->guest_seconds = c->guest.seconds;
    r->guest_steps = c->guest_steps;
    r->nr_guest_steps = c->nr_guest_steps;
  }
}

/* The folder is about to be published. */
static void
forget_done (struct conversion *c)
{
  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[i];

    convert_done_remove (c, d->file);
    for (unsigned level = 1;
         c->opts->keep_chain && level < c->disks[d->source_index].chain_length;
         ++level) {
      CLEANUP_FREE char *name = convert_parent_file_name (d->file, level);

      if (name != NULL)
        convert_done_remove (c, name);
    }
  }
}

/* The parents of kept chains, for all that is written; their number. */
static int
add_parents (struct conversion *c, size_t *ret_nr, struct v2v_error **err)
{
  *ret_nr = 0;
  for (size_t i = 0; c->opts->keep_chain && i < c->plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[i];

    for (unsigned level = 1; level < c->disks[d->source_index].chain_length;
         ++level, ++*ret_nr) {
      CLEANUP_FREE char *name = convert_parent_file_name (d->file, level);
      CLEANUP_FREE char *path =
          name ? v2v_deposit_path (c->deposit, name, err) : NULL;
      struct stat st;

      if (name == NULL)
        return v2v_fail_nomem (err);
      if (path == NULL)
        return -1;
      if (stat (path, &st) == -1)
        return v2v_fail_errno (err, "%s", path);
      if (v2v_hyperv_plan_add_parent (c->plan, i, name, (uint64_t) st.st_size,
                                      err) == -1)
        return -1;
    }
  }
  return 0;
}

int
convert_describe (struct conversion *c, const char *started, double seconds,
                  struct v2v_convert_result *result, struct v2v_error **err)
{
  const size_t n = c->plan->nr_disks;
  CLEANUP_FREE struct v2v_report_disk *disks = calloc (n + 1, sizeof *disks);
  CLEANUP_FILES struct v2v_described files = { 0 };
  struct v2v_report report;
  size_t nr_parents;

  if (add_parents (c, &nr_parents, err) == -1)
    return -1;
  files.list =
      calloc (n + nr_parents + V2V_DESCRIBE_NR_TEXTS, sizeof *files.list);
  if (disks == NULL || files.list == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    fill_disk (c, &c->plan->disks[i], &disks[i]);
    files.list[files.n++] = (struct v2v_report_file){
      .name = c->plan->disks[i].file,
      .bytes = disks[i].file_bytes,
    };
    for (size_t k = 0; k < disks[i].nr_parents; ++k)
      files.list[files.n++] = (struct v2v_report_file){
        .name = disks[i].parents[k].file,
        .bytes = disks[i].parents[k].file_bytes,
      };
  }
  if (v2v_describe_machine (c->deposit, c->plan, c->machine, &files, err) == -1)
    return -1;
  fill_report (c, &report);
  report.started = started;
  report.seconds = seconds;
  report.target_folder = v2v_deposit_name (c->deposit);
  report.disks = disks;
  report.nr_disks = n;
  report.files = files.list;
  report.nr_files = files.n;
  if (v2v_describe_report (c->deposit, &report, &result->report, &result->text,
                           err) == -1)
    return -1;
  forget_done (c);
  return 0;
}

/* ---- dry run ---- */

static struct v2v_json *
plan_disks_to_json (struct conversion *c)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[i];
    const struct convert_disk *cd = &c->disks[d->source_index];
    const struct v2v_image *img = c->images[d->source_index];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "id", d->source_id);
    v2v_json_set_string (o, "source_file",
                         c->machine->disks[d->source_index].file);
    v2v_json_set_string (o, "source_format", cd->source_format);
    v2v_json_set_string (o, "source_variant", cd->source_variant);
    v2v_json_set_u64 (o, "chain_length", cd->chain_length);
    v2v_json_set_string (o, "target_file", d->file);
    v2v_json_set_u64 (o, "virtual_bytes",
                      img ? v2v_image_size (img) : d->size_bytes);
    v2v_json_set (o, "evidence",
                  cd->has_evidence ? v2v_evidence_to_json (&cd->evidence)
                                   : v2v_json_new_null ());
    v2v_json_append (list, o);
  }
  return list;
}

/* As in report.json: by where they were found. */
static struct v2v_json *
all_findings (const struct conversion *c)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set (o, "source", v2v_findings_to_json (&c->machine->findings));
  v2v_json_set (o, "guest", v2v_findings_to_json (&c->guest.findings));
  v2v_json_set (o, "target", v2v_findings_to_json (&c->plan->findings));
  v2v_json_set (o, "conversion", v2v_findings_to_json (&c->findings));
  return o;
}

/* A dry run says what the report would, before anything is written. */
int
convert_describe_plan (struct conversion *c, struct v2v_convert_result *result,
                       struct v2v_error **err)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_report report;
  uint64_t need = 0;

  result->report = o;
  if (convert_space_needed (c, &need, err) == -1)
    return -1;
  v2v_json_set_bool (o, "dry_run", true);
  v2v_json_set_u64 (o, "needed_bytes", need);
  v2v_json_set (o, "disks", plan_disks_to_json (c));
  v2v_json_set (o, "findings", all_findings (c));
  v2v_json_set (o, "machine", v2v_hyperv_to_json (c->plan, c->machine));
  if (!v2v_json_ok (o))
    return v2v_fail_nomem (err);
  fill_report (c, &report);
  report.outcome = V2V_OUTCOME_PLANNED;
  report.manifest = NULL; /* its digests are checked while copying */
  report.target_folder = c->plan->safe_name;
  result->text = v2v_report_to_text (&report, err);
  return result->text == NULL ? -1 : 0;
}
