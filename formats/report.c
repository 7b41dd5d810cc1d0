/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.json and report.txt: two prints of one struct. */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"
#include "formats/report.h"

static const char *
outcome_name (enum v2v_report_outcome o)
{
  switch (o) {
  case V2V_OUTCOME_CONVERTED:
    return "converted";
  case V2V_OUTCOME_REFUSED:
    return "refused";
  case V2V_OUTCOME_FAILED:
    return "failed";
  case V2V_OUTCOME_PLANNED:
    return "planned";
  case V2V_OUTCOME_CREATED:
    return "created";
  }
  return "failed";
}

/* The lists, in the order of the work. */
#define NR_LISTS 4
static void
lists_of (const struct v2v_report *r,
          const struct v2v_findings *lists[NR_LISTS])
{
  lists[0] = r->machine ? &r->machine->findings : NULL;
  lists[1] = r->guest_findings;
  lists[2] = r->plan ? &r->plan->findings : NULL;
  lists[3] = r->findings;
}

void
v2v_report_count (const struct v2v_report *r, size_t *ret_information,
                  size_t *ret_warnings, size_t *ret_critical)
{
  const struct v2v_findings *lists[NR_LISTS];
  size_t n[3] = { 0, 0, 0 };

  lists_of (r, lists);
  for (size_t i = 0; i < NR_LISTS; ++i)
    for (size_t k = 0; lists[i] != NULL && k < lists[i]->len; ++k)
      n[lists[i]->ptr[k].severity]++;
  *ret_information = n[V2V_INFORMATION];
  *ret_warnings = n[V2V_WARNING];
  *ret_critical = n[V2V_CRITICAL];
}

/* Bytes of the virtual disk for each second; 0 = too short to tell. */
static uint64_t
rate_of (const struct v2v_report_disk *d)
{
  return d->seconds > 0.001 ? (uint64_t) ((double) d->data_bytes / d->seconds)
                            : 0;
}

/* ---- JSON ---- */

static void
set_known (struct v2v_json *o, const char *key, const char *s)
{
  if (s != NULL)
    v2v_json_set_string (o, key, s);
}

static struct v2v_json *
parents_to_json (const struct v2v_report_disk *d)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < d->nr_parents; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "file", d->parents[i].file);
    v2v_json_set_u64 (o, "file_bytes", d->parents[i].file_bytes);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
disk_to_json (const struct v2v_report_disk *d)
{
  struct v2v_json *o = v2v_json_new_object ();

  set_known (o, "id", d->id);
  set_known (o, "source_file", d->source_file);
  set_known (o, "source_format", d->source_format);
  set_known (o, "source_variant", d->source_variant);
  v2v_json_set_u64 (o, "chain_length", d->chain_length);
  v2v_json_set_bool (o, "spooled", d->spooled);
  set_known (o, "target_file", d->target_file);
  set_known (o, "target_format", d->target_format);
  set_known (o, "target_variant", d->target_variant);
  v2v_json_set_u64 (o, "virtual_bytes", d->virtual_bytes);
  v2v_json_set_u64 (o, "source_bytes", d->source_bytes);
  v2v_json_set_u64 (o, "data_bytes", d->data_bytes);
  v2v_json_set_u64 (o, "zero_bytes", d->zero_bytes);
  v2v_json_set_u64 (o, "written_bytes", d->written_bytes);
  v2v_json_set_u64 (o, "shared_bytes", d->shared_bytes);
  v2v_json_set_u64 (o, "offloaded_bytes", d->offloaded_bytes);
  v2v_json_set_u64 (o, "resumed_bytes", d->resumed_bytes);
  v2v_json_set_u64 (o, "allocated_bytes", d->allocated_bytes);
  v2v_json_set_u64 (o, "file_bytes", d->file_bytes);
  v2v_json_set_bool (o, "sparse", d->sparse);
  v2v_json_set_real (o, "seconds", d->seconds);
  if (rate_of (d) != 0)
    v2v_json_set_u64 (o, "bytes_per_second", rate_of (d));
  if (d->digest != NULL) {
    v2v_json_set_string (o, "digest_algorithm", "sha256-2m");
    v2v_json_set_string (o, "digest", d->digest);
  }
  v2v_json_set_bool (o, "digest_deferred", d->digest_deferred);
  if (d->nr_parents > 0) {
    v2v_json_set (o, "parents", parents_to_json (d));
    if (d->digest == NULL)
      v2v_json_set_string (o, "digest_absent", "chain-kept");
  }
  return o;
}

static struct v2v_json *
source_to_json (const struct v2v_report *r)
{
  struct v2v_json *o = v2v_json_new_object ();

  set_known (o, "path", r->source_path);
  set_known (o, "kind", r->source_kind);
  if (r->machine != NULL)
    set_known (o, "machine", r->machine->name);
  set_known (o, "manifest", r->manifest);
  if (r->signer != NULL) {
    v2v_json_set_string (o, "signer", r->signer);
    v2v_json_set_bool (o, "signature_verified", r->signature_verified);
    v2v_json_set_bool (o, "signer_trusted", r->signer_trusted);
  }
  return o;
}

static struct v2v_json *
target_to_json (const struct v2v_report *r)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "hypervisor", "hyper-v");
  set_known (o, "folder", r->target_folder);
  if (r->plan != NULL) {
    struct v2v_json *reasons = v2v_json_new_array ();

    v2v_json_set_string (o, "name", r->plan->name);
    v2v_json_set_string (o, "id", r->plan->id);
    v2v_json_set_u64 (o, "generation", r->plan->generation);
    for (size_t i = 0; i < r->plan->nr_reasons; ++i)
      v2v_json_append (reasons, v2v_json_new_string (r->plan->reasons[i]));
    v2v_json_set (o, "generation_reasons", reasons);
  }
  return o;
}

static struct v2v_json *
findings_to_json (const struct v2v_report *r)
{
  static const char *const names[NR_LISTS] = { "source", "guest", "target",
                                               "conversion" };
  const struct v2v_findings *lists[NR_LISTS];
  struct v2v_json *o = v2v_json_new_object ();

  lists_of (r, lists);
  for (size_t i = 0; i < NR_LISTS; ++i)
    v2v_json_set (o, names[i],
                  lists[i] ? v2v_findings_to_json (lists[i])
                           : v2v_json_new_array ());
  return o;
}

static struct v2v_json *
counts_to_json (const struct v2v_report *r)
{
  struct v2v_json *o = v2v_json_new_object ();
  size_t information, warnings, critical;

  v2v_report_count (r, &information, &warnings, &critical);
  v2v_json_set_u64 (o, "information", information);
  v2v_json_set_u64 (o, "warning", warnings);
  v2v_json_set_u64 (o, "critical", critical);
  return o;
}

static struct v2v_json *
guest_to_json (const struct v2v_report *r)
{
  struct v2v_json *steps = v2v_json_new_array ();
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set (
      o, "os", r->guest_os ? v2v_json_ref (r->guest_os) : v2v_json_new_null ());
  v2v_json_set (o, "changes",
                r->guest_changes ? v2v_json_ref (r->guest_changes)
                                 : v2v_json_new_array ());
  v2v_json_set_real (o, "seconds", r->guest_seconds);
  v2v_json_set (o, "steps", steps);
  for (size_t i = 0; i < r->nr_guest_steps; ++i) {
    struct v2v_json *s = v2v_json_new_object ();

    v2v_json_set_string (s, "name", r->guest_steps[i].name);
    v2v_json_set_real (s, "seconds", r->guest_steps[i].seconds);
    v2v_json_append (steps, s);
  }
  return o;
}

struct v2v_json *
v2v_report_to_json (const struct v2v_report *r)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *disks = v2v_json_new_array ();
  struct v2v_json *files = v2v_json_new_array ();

  for (size_t i = 0; i < r->nr_disks; ++i)
    v2v_json_append (disks, disk_to_json (&r->disks[i]));
  for (size_t i = 0; i < r->nr_files; ++i) {
    struct v2v_json *f = v2v_json_new_object ();

    v2v_json_set_string (f, "name", r->files[i].name);
    v2v_json_set_u64 (f, "bytes", r->files[i].bytes);
    set_known (f, "sha256", r->files[i].sha256);
    v2v_json_append (files, f);
  }
  v2v_json_set_string (o, "schema", V2V_REPORT_SCHEMA);
  v2v_json_set_u64 (o, "version", V2V_REPORT_VERSION);
  v2v_json_set_string (o, "outcome", outcome_name (r->outcome));
  if (r->error != NULL) {
    struct v2v_json *e = v2v_json_new_object ();

    v2v_json_set_string (e, "code",
                         v2v_error_code_name (v2v_error_code (r->error)));
    v2v_json_set_string (e, "message", v2v_error_message (r->error));
    set_known (e, "hint", v2v_error_hint (r->error));
    v2v_json_set (o, "error", e);
  }
  set_known (o, "program_version", r->program_version);
  set_known (o, "started", r->started);
  v2v_json_set_real (o, "seconds", r->seconds);
  v2v_json_set (o, "source", source_to_json (r));
  v2v_json_set (o, "target", target_to_json (r));
  if (r->guest_findings != NULL)
    v2v_json_set (o, "guest", guest_to_json (r));
  v2v_json_set (o, "disks", disks);
  v2v_json_set (o, "files", files);
  v2v_json_set (o, "finding_counts", counts_to_json (r));
  v2v_json_set (o, "findings", findings_to_json (r));
  if (r->plan != NULL && r->plan->provenance != NULL)
    v2v_json_set (o, "provenance", v2v_json_ref (r->plan->provenance));
  if (!v2v_json_ok (o)) {
    v2v_json_free (o);
    return NULL;
  }
  return o;
}

/* ---- text ---- */

/* One "label: value" line; text of the source is cleaned, NULL is left out. */
static int
line (struct v2v_str *s, const char *label, const char *value)
{
  CLEANUP_FREE char *clean = NULL;

  if (value == NULL)
    return 0;
  clean = hyperv_clean_text (value, false, SIZE_MAX, NULL);
  return clean == NULL ? -1 : v2v_str_printf (s, "%-12s %s\n", label, clean);
}

static int
disk_to_text (struct v2v_str *s, const struct v2v_report_disk *d)
{
  char a[32], b[32], c[32], e[32], f[32];

  if (v2v_str_append (s, "\n") == -1 || line (s, "disk:", d->id) == -1 ||
      line (s, "  from:", d->source_file) == -1 ||
      line (s, "  to:", d->target_file) == -1 ||
      v2v_str_printf (s,
                      "%-12s %s virtual, %s of data, %s allocated, file of "
                      "%s\n",
                      "  size:", v2v_format_size (d->virtual_bytes, a),
                      v2v_format_size (d->data_bytes, b),
                      v2v_format_size (d->allocated_bytes, c),
                      v2v_format_size (d->file_bytes, e)) == -1)
    return -1;
  if (v2v_str_printf (s, "%-12s %s written",
                      "  moved:", v2v_format_size (d->written_bytes, a)) == -1)
    return -1;
  if (d->shared_bytes != 0 &&
      v2v_str_printf (s, ", %s shared with the source",
                      v2v_format_size (d->shared_bytes, b)) == -1)
    return -1;
  if (d->offloaded_bytes != 0 &&
      v2v_str_printf (s, ", %s copied by the system",
                      v2v_format_size (d->offloaded_bytes, c)) == -1)
    return -1;
  if (d->resumed_bytes != 0 &&
      v2v_str_printf (s, ", %s from the run before",
                      v2v_format_size (d->resumed_bytes, e)) == -1)
    return -1;
  if (v2v_str_printf (s, ", %.1f s", d->seconds) == -1 ||
      (rate_of (d) != 0 &&
       v2v_str_printf (s, ", %s/s", v2v_format_size (rate_of (d), f)) == -1) ||
      v2v_str_append (s, "\n") == -1)
    return -1;
  for (size_t i = 0; i < d->nr_parents; ++i)
    if (v2v_str_printf (s, "%-12s %s, file of %s\n",
                        "  parent:", d->parents[i].file,
                        v2v_format_size (d->parents[i].file_bytes, a)) == -1)
      return -1;
  if (d->digest != NULL)
    return v2v_str_printf (s, "%-12s sha256-2m %s\n", "  digest:", d->digest);
  if (d->nr_parents > 0)
    return v2v_str_printf (s,
                           "%-12s none: each file has a part of the disk (v2v "
                           "digest)\n",
                           "  digest:");
  return d->digest_deferred
             ? v2v_str_printf (s,
                               "%-12s deferred: the data was never read (v2v "
                               "digest)\n",
                               "  digest:")
             : 0;
}

static int
findings_to_text (struct v2v_str *s, const struct v2v_report *r)
{
  static const enum v2v_severity order[] = { V2V_CRITICAL, V2V_WARNING,
                                             V2V_INFORMATION };
  const struct v2v_findings *lists[NR_LISTS];
  size_t information, warnings, critical;

  lists_of (r, lists);
  v2v_report_count (r, &information, &warnings, &critical);
  if (v2v_str_printf (s,
                      "\nfindings: %zu critical, %zu warnings, %zu for "
                      "information\n",
                      critical, warnings, information) == -1)
    return -1;
  for (size_t o = 0; o < V2V_ARRAY_SIZE (order); ++o)
    for (size_t i = 0; i < NR_LISTS; ++i)
      for (size_t k = 0; lists[i] != NULL && k < lists[i]->len; ++k) {
        const struct v2v_finding *f = &lists[i]->ptr[k];
        CLEANUP_FREE char *subject = NULL, *message = NULL;

        if (f->severity != order[o])
          continue;
        subject =
            hyperv_clean_text (f->subject ? f->subject : "", false, 200, NULL);
        message = hyperv_clean_text (f->message, false, 2000, NULL);
        if (subject == NULL || message == NULL ||
            v2v_str_printf (s, "  %-11s %s%s%s: %s\n",
                            v2v_severity_name (f->severity), f->id,
                            *subject ? " " : "", subject, message) == -1 ||
            (f->remedy != NULL &&
             v2v_str_printf (s, "  %-11s -> %s\n", "", f->remedy) == -1))
          return -1;
      }
  return 0;
}

static int
target_to_text (struct v2v_str *s, const struct v2v_report *r)
{
  char size[32];

  if (line (s, "folder:", r->target_folder) == -1)
    return -1;
  if (r->plan == NULL)
    return 0;
  if (line (s, "name:", r->plan->name) == -1 ||
      v2v_str_printf (s, "%-12s %u\n", "generation:", r->plan->generation) ==
          -1)
    return -1;
  for (size_t i = 0; i < r->plan->nr_reasons; ++i)
    if (line (s, "  because:", r->plan->reasons[i]) == -1)
      return -1;
  return v2v_str_printf (s,
                         "%-12s %u processors, %s of memory, %zu disks, "
                         "%zu network adapters\n",
                         "machine:", r->plan->nr_cpus,
                         v2v_format_size (r->plan->memory_bytes, size),
                         r->plan->nr_disks, r->plan->nr_nics);
}

static int
guest_to_text (struct v2v_str *s, const struct v2v_report *r)
{
  CLEANUP_FREE char *name = NULL;
  const char *distro, *product;

  if (r->guest_findings == NULL || r->guest_os == NULL)
    return 0;
  distro = v2v_json_get_string (r->guest_os, "distro");
  product = v2v_json_get_string (r->guest_os, "product_name");
  if (distro == NULL && product == NULL)
    return 0;
  /* Debian's product name is its version alone. */
  if (distro != NULL && product != NULL && isdigit ((unsigned char) *product)
          ? asprintf (&name, "%s %s", distro, product) == -1
          : asprintf (&name, "%s", product ? product : distro) == -1) {
    name = NULL;
    return -1;
  }
  return line (s, "guest:", name) == -1 ||
                 v2v_str_printf (
                     s, "%-12s %zu, in %.1f s\n", "  changes:",
                     r->guest_changes ? v2v_json_length (r->guest_changes) : 0,
                     r->guest_seconds) == -1
             ? -1
             : 0;
}

static int
to_text (struct v2v_str *s, const struct v2v_report *r)
{
  char size[32];

  if (v2v_str_printf (s, "v2v %s: %s\n\n",
                      r->program_version ? r->program_version : "",
                      outcome_name (r->outcome)) == -1)
    return -1;
  if (r->error != NULL &&
      (line (s, "error:", v2v_error_message (r->error)) == -1 ||
       line (s, "hint:", v2v_error_hint (r->error)) == -1))
    return -1;
  if (line (s, "source:", r->source_path) == -1 ||
      line (s, "kind:", r->source_kind) == -1 ||
      line (s, "manifest:", r->manifest) == -1 ||
      line (s, "signer:", r->signer) == -1 ||
      (r->signer != NULL &&
       line (s, "signature:",
             !r->signature_verified ? "does not fit the manifest"
             : r->signer_trusted
                 ? "good, from a trusted signer"
                 : "good, but nobody vouches for the signer") == -1) ||
      line (s, "started:", r->started) == -1 ||
      v2v_str_printf (s, "%-12s %.1f s\n", "took:", r->seconds) == -1 ||
      target_to_text (s, r) == -1 || guest_to_text (s, r) == -1)
    return -1;
  for (size_t i = 0; i < r->nr_disks; ++i)
    if (disk_to_text (s, &r->disks[i]) == -1)
      return -1;
  if (findings_to_text (s, r) == -1)
    return -1;
  if (r->nr_files > 0 && v2v_str_append (s, "\nfiles:\n") == -1)
    return -1;
  for (size_t i = 0; i < r->nr_files; ++i)
    if (v2v_str_printf (s, "  %s (%s)\n", r->files[i].name,
                        v2v_format_size (r->files[i].bytes, size)) == -1)
      return -1;
  return 0;
}

char *
v2v_report_to_text (const struct v2v_report *r, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (to_text (&s, r) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (s.ptr);
}
