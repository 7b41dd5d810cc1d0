/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new machine: the order of the steps.
 *
 *   vm_read_clone          what another machine has
 *   vm_open_disks          and what the disks hold
 *   vm_fill_machine        a struct v2v_machine
 *   v2v_hyperv_plan_new    every decision, as in a conversion
 *   v2v_deposit_begin      a working folder
 *   vm_make_disks          new, copied or differencing
 *   vm_make_media          the CD image, the seed
 *   v2v_describe_machine   NAME.json, the scripts; v2v_describe_report
 *   v2v_deposit_sync       and, when all of it is safe,
 *   v2v_deposit_publish    the name
 */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "library/describe.h"
#include "library/space.h"
#include "library/vm-internal.h"

/* Places on four SCSI controllers, and on IDE. */
#define MAX_DISKS 260

static void
cleanup_files (struct v2v_described *f)
{
  v2v_described_clear (f);
}
#define CLEANUP_FILES __attribute__ ((cleanup (cleanup_files)))

static void
vm_clear (struct vm *vm)
{
  for (size_t i = 0; i < vm->nr_disks; ++i) {
    if (vm->disks[i].from == NULL || vm->disks[i].from->image == NULL)
      v2v_image_close (vm->disks[i].image);
    v2v_copy_result_clear (&vm->disks[i].result);
    free (vm->disks[i].variant);
    free (vm->disks[i].path);
  }
  free (vm->disks);
  free (vm->name);
  free (vm->os_id);
  free (vm->iso_file);
  free (vm->seed_file);
  v2v_machine_free (vm->machine);
  v2v_network_map_free (vm->map);
  v2v_hyperv_plan_free (vm->plan);
  v2v_deposit_close (vm->deposit);
  v2v_findings_clear (&vm->findings);
}

struct vm_disk *
vm_add_disk (struct vm *vm, struct v2v_error **err)
{
  struct vm_disk *list;

  if (vm->nr_disks == MAX_DISKS) {
    v2v_fail (err, V2V_ERR_USAGE, "more than %d disks", MAX_DISKS);
    return NULL;
  }
  list = reallocarray (vm->disks, vm->nr_disks + 1, sizeof *list);
  if (list == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  vm->disks = list;
  memset (&list[vm->nr_disks], 0, sizeof *list);
  return &list[vm->nr_disks++];
}

int
vm_find (struct vm *vm, enum v2v_severity severity, const char *id,
         const char *subject, const char *remedy, struct v2v_error **err,
         const char *fmt, ...)
{
  CLEANUP_FREE char *message = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&message, fmt, args);
  va_end (args);
  if (r == -1) {
    message = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_findings_add (&vm->findings, severity, id, subject, remedy, "%s",
                           message) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

/* ---- before anything is written ---- */

static int
start (struct vm *vm, const struct v2v_vm_opts *opts, struct v2v_error **err)
{
  vm->opts = opts;
  vm->hyperv = opts->hyperv;
  vm->hyperv.name = NULL;
  if (opts->hardware != NULL && vm->hyperv.generation == 0 &&
      opts->hardware->hardware.generation != -1)
    vm->hyperv.generation = (unsigned) opts->hardware->hardware.generation;
  if ((opts->name != NULL && (vm->name = strdup (opts->name)) == NULL) ||
      (opts->os_id != NULL && (vm->os_id = strdup (opts->os_id)) == NULL))
    return v2v_fail_nomem (err);
  vm->machine = v2v_machine_new (err);
  vm->map = vm->machine != NULL ? v2v_network_map_new (err) : NULL;
  if (vm->map == NULL)
    return -1;
  vm->hyperv.network_map = vm->map;
  vm->machine->nr_cpus = 0; /* not known yet */
  vm->machine->memory_bytes = 0;
  return 0;
}

static int
take_disks (struct vm *vm, struct v2v_error **err)
{
  for (size_t i = 0; i < vm->opts->nr_disks; ++i) {
    const struct v2v_vm_disk *from = &vm->opts->disks[i];
    struct vm_disk *d = vm_add_disk (vm, err);

    if (d == NULL)
      return -1;
    d->size_bytes = from->size_bytes;
    d->from = from;
    d->boot = from->boot;
    d->child = from->path != NULL &&
               (from->storage == V2V_VM_STORAGE_AUTO
                    ? vm->opts->differencing
                    : from->storage == V2V_VM_STORAGE_DIFFERENCING);
    if (from->path != NULL && (d->path = strdup (from->path)) == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* TELL is false when the plan is made anew: what there is to find was found. */
static int
apply_hardware (struct vm *vm, bool tell, struct v2v_error **err)
{
  struct v2v_findings told = V2V_FINDINGS_INIT;
  int r;

  if (vm->opts->hardware == NULL)
    return 0;
  r = v2v_hardware_apply (vm->opts->hardware, vm->plan,
                          tell ? &vm->findings : &told, err);
  v2v_findings_clear (&told);
  return r;
}

static int
make_plan (struct vm *vm, const char *safe_name, struct v2v_error **err)
{
  CLEANUP_FREE const struct v2v_disk_evidence **evidence =
      calloc (vm->nr_disks + 1, sizeof *evidence);

  if (evidence == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < vm->nr_disks; ++i)
    evidence[i] = vm->disks[i].has_evidence ? &vm->disks[i].evidence : NULL;
  vm->hyperv.safe_name =
      safe_name != NULL ? safe_name : vm->opts->hyperv.safe_name;
  v2v_hyperv_plan_free (vm->plan);
  vm->plan = v2v_hyperv_plan_new (vm->machine, evidence, vm->nr_disks,
                                  &vm->hyperv, err);
  if (vm->plan == NULL || vm_place_disks (vm, err) == -1)
    return -1;
  if (vm->opts->provenance != NULL)
    vm->plan->provenance = v2v_json_ref (vm->opts->provenance);
  return apply_hardware (vm, safe_name == NULL, err);
}

static int
prepare (struct vm *vm, struct v2v_error **err)
{
  if (vm->opts->clone != NULL && vm_read_clone (vm, err) == -1)
    return -1;
  for (size_t i = 0; i < vm->nr_disks; ++i)
    vm->disks[i].child = vm->opts->differencing;
  if (vm->name == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "the new machine has no name");
  return take_disks (vm, err) == -1 || vm_open_disks (vm, err) == -1 ||
                 vm_fill_machine (vm, err) == -1 ||
                 make_plan (vm, NULL, err) == -1
             ? -1
             : 0;
}

/* A clone by differencing disks lives on those of the other machine. */
static int
tell_frozen (struct vm *vm, struct v2v_error **err)
{
  if (vm->opts->clone == NULL || !vm->opts->differencing)
    return 0;
  return vm_find (vm, V2V_WARNING, "new.clone-freezes", vm->opts->clone,
                  "never start that machine again, or clone without "
                  "--differencing",
                  err,
                  "the disks of the machine cloned are the parents of the new "
                  "ones: a change of them damages the clone");
}

/* ---- the report ---- */

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

static void
fill_disk (const struct vm *vm, size_t i, struct v2v_report_disk *r)
{
  const struct vm_disk *d = &vm->disks[i];
  const struct v2v_hyperv_disk *p = &vm->plan->disks[i];
  const struct v2v_image_info *info =
      d->image != NULL ? v2v_image_get_info (d->image) : NULL;

  *r = (struct v2v_report_disk){
    .id = p->source_id,
    .source_file = d->path,
    .source_format = info != NULL ? info->format : NULL,
    .source_variant = info != NULL ? info->variant : NULL,
    .chain_length = d->image != NULL ? v2v_image_chain_length (d->image) : 0,
    .target_file = p->file,
    .target_format = vm->hyperv.disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx",
    .target_variant = d->child                               ? "differencing"
                      : vm->opts->subformat == V2V_SUB_FIXED ? "fixed"
                                                             : "dynamic",
    .virtual_bytes = p->size_bytes,
    .data_bytes = d->result.data_bytes,
    .zero_bytes = d->result.zero_bytes,
    .written_bytes = d->result.written_bytes,
    .shared_bytes = d->result.shared_bytes,
    .allocated_bytes = d->allocated_bytes,
    .file_bytes = d->file_bytes,
    .seconds = d->result.seconds,
    .digest = d->digest[0] ? d->digest : NULL,
    .digest_deferred = d->result.digest_deferred,
    .sparse = d->allocated_bytes < d->file_bytes,
    .parents = p->parents,
    .nr_parents = p->nr_parents,
  };
}

static int
describe (struct vm *vm, const char *started, double seconds,
          struct v2v_vm_result *ret, struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_report_disk *disks =
      calloc (vm->nr_disks + 1, sizeof *disks);
  CLEANUP_FILES struct v2v_described files = { 0 };
  struct v2v_report report = { .outcome = V2V_OUTCOME_CREATED };

  files.list =
      calloc (vm->nr_disks + 2 + V2V_DESCRIBE_NR_TEXTS, sizeof *files.list);
  if (disks == NULL || files.list == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < vm->nr_disks; ++i) {
    fill_disk (vm, i, &disks[i]);
    files.list[files.n++] =
        (struct v2v_report_file){ .name = vm->plan->disks[i].file,
                                  .bytes = disks[i].file_bytes };
  }
  if (vm->iso_file != NULL)
    files.list[files.n++] = (struct v2v_report_file){ .name = vm->iso_file,
                                                      .bytes = vm->iso_bytes };
  if (vm->seed_file != NULL)
    files.list[files.n++] = (struct v2v_report_file){ .name = vm->seed_file,
                                                      .bytes = vm->seed_bytes };
  if (v2v_describe_machine (vm->deposit, vm->plan, vm->machine, &files, err) ==
      -1)
    return -1;
  report.program_version = vm->opts->program_version;
  report.started = started;
  report.seconds = seconds;
  report.machine = vm->machine;
  report.plan = vm->plan;
  report.target_folder = v2v_deposit_name (vm->deposit);
  report.disks = disks;
  report.nr_disks = vm->nr_disks;
  report.files = files.list;
  report.nr_files = files.n;
  report.findings = &vm->findings;
  return v2v_describe_report (vm->deposit, &report, &ret->report, &ret->text,
                              err);
}

/* ---- room ---- */

/* What a child, a blank disk, the seed and the texts take: tables and
 * headers. */
#define SMALL_FILES (2 * V2V_MIB)

static int
check_space (struct vm *vm, struct v2v_error **err)
{
  const struct v2v_vm_opts *o = vm->opts;
  const unsigned nr = o->nr_alike != 0 ? o->nr_alike : 1;
  const struct v2v_create_opts create = { .subformat = o->subformat };
  uint64_t need = SMALL_FILES, all;
  struct stat st;

  for (size_t i = 0; i < vm->nr_disks; ++i) {
    const struct vm_disk *d = &vm->disks[i];
    uint64_t bytes;

    if (d->image == NULL || d->child ||
        v2v_space_may_share (o->output_dir, d->image))
      continue;
    if (v2v_space_needed (d->image, &create, false, &bytes, err) == -1)
      return v2v_prefix (err, "%s", d->path);
    if (!v2v_add_u64 (need, bytes, &need))
      need = UINT64_MAX;
  }
  if (o->iso != NULL && stat (o->iso, &st) == 0 &&
      !v2v_add_u64 (need, (uint64_t) st.st_size, &need))
    need = UINT64_MAX;
  if (!v2v_mul_u64 (need, nr, &all))
    all = UINT64_MAX;
  return v2v_space_check_bytes (o->output_dir, all, err);
}

/* ---- all of it ---- */

struct v2v_vm_job {
  struct v2v_deposit *deposit;
  char *output_dir;
  struct v2v_vm_result result;
};

void
v2v_vm_job_free (struct v2v_vm_job *job)
{
  if (job == NULL)
    return;
  v2v_deposit_close (job->deposit);
  v2v_vm_result_clear (&job->result);
  free (job->output_dir);
  free (job);
}

static int
create (struct vm *vm, struct v2v_vm_result *ret, struct v2v_error **err)
{
  const double begin = monotonic ();
  char started[32];

  format_now (started);
  if (prepare (vm, err) == -1 || check_space (vm, err) == -1)
    return -1;
  vm->deposit = vm->opts->exact_name
                    ? v2v_deposit_begin_new (vm->opts->output_dir,
                                             vm->plan->safe_name, err)
                    : v2v_deposit_begin (vm->opts->output_dir,
                                         vm->plan->safe_name, false, err);
  if (vm->deposit == NULL)
    return -1;
  v2v_deposit_defer_sync (vm->deposit);
  /* The name was taken: files inside are called like the folder. */
  if (strcmp (v2v_deposit_name (vm->deposit), vm->plan->safe_name) != 0 &&
      make_plan (vm, v2v_deposit_name (vm->deposit), err) == -1)
    return -1;
  return vm_make_disks (vm, err) == -1 || tell_frozen (vm, err) == -1 ||
                 vm_make_media (vm, err) == -1 ||
                 describe (vm, started, monotonic () - begin, ret, err) == -1
             ? -1
             : 0;
}

int
v2v_vm_begin (const struct v2v_vm_opts *opts, struct v2v_vm_job **ret,
              struct v2v_error **err)
{
  struct v2v_vm_job *job = calloc (1, sizeof *job);
  struct vm vm = { .opts = opts };
  int r;

  if (job == NULL || (job->output_dir = strdup (opts->output_dir)) == NULL) {
    free (job);
    return v2v_fail_nomem (err);
  }
  r = start (&vm, opts, err);
  if (r == 0)
    r = create (&vm, &job->result, err);
  if (r == 0)
    job->deposit = STEAL (vm.deposit);
  vm_clear (&vm);
  if (r == -1) {
    v2v_vm_job_free (job);
    return -1;
  }
  *ret = job;
  return 0;
}

void
v2v_vm_start_sync (struct v2v_vm_job *job)
{
  v2v_deposit_start_sync (job->deposit);
}

int
v2v_vm_sync (struct v2v_vm_job *job, struct v2v_error **err)
{
  return v2v_deposit_sync (job->deposit, err);
}

int
v2v_vm_publish (struct v2v_vm_job *job, struct v2v_error **err)
{
  return v2v_deposit_publish (job->deposit, err);
}

int
v2v_vm_settle (struct v2v_vm_job *job, struct v2v_vm_result *ret,
               struct v2v_error **err)
{
  if (v2v_deposit_settle (job->deposit, err) == -1)
    return -1;
  if (asprintf (&job->result.folder, "%s/%s", job->output_dir,
                v2v_deposit_name (job->deposit)) == -1) {
    job->result.folder = NULL;
    return v2v_fail_nomem (err);
  }
  *ret = job->result;
  memset (&job->result, 0, sizeof job->result);
  return 0;
}

int
v2v_vm_create (const struct v2v_vm_opts *opts, struct v2v_vm_result *ret,
               struct v2v_error **err)
{
  struct v2v_vm_job *job = NULL;
  int r;

  memset (ret, 0, sizeof *ret);
  if (v2v_vm_begin (opts, &job, err) == -1)
    return -1;
  v2v_vm_start_sync (job);
  r = v2v_vm_sync (job, err) == -1 || v2v_vm_publish (job, err) == -1 ||
              v2v_vm_settle (job, ret, err) == -1
          ? -1
          : 0;
  v2v_vm_job_free (job);
  return r;
}

int
v2v_vm_plan (const struct v2v_vm_opts *opts, struct v2v_json **ret,
             struct v2v_error **err)
{
  struct vm vm = { .opts = opts };
  int r = start (&vm, opts, err);

  if (r == 0)
    r = prepare (&vm, err);
  if (r == 0) {
    *ret = v2v_hyperv_to_json (vm.plan, vm.machine);
    if (*ret == NULL)
      r = v2v_fail_nomem (err);
  }
  vm_clear (&vm);
  return r;
}

void
v2v_vm_result_clear (struct v2v_vm_result *r)
{
  free (r->folder);
  free (r->text);
  v2v_json_free (r->report);
  memset (r, 0, sizeof *r);
}
