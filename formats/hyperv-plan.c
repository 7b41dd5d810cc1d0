/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a Hyper-V machine: identity, processors, memory, security and
 * policies; the order of the steps.  Generation, devices and network have
 * files of their own.
 *
 * Sources: Microsoft's reference of the Hyper-V module (Windows Server 2025)
 * and "Plan for Hyper-V scalability"; what VMware's settings mean, "vSphere
 * Resource Management".
 */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"

#define DEFAULT_MEMORY     (2 * V2V_GIB)
#define DEFAULT_MIN_MEMORY (512 * V2V_MIB)
#define MAX_WEIGHT         10000
/* VMware: normal is 1000 shares for each processor; Hyper-V: 100. */
#define NORMAL_SHARES 1000

bool
hyperv_is_new (const struct hyperv_planner *p)
{
  return p->m->source_kind != NULL &&
         strcmp (p->m->source_kind, V2V_SOURCE_KIND_NEW) == 0;
}

/* ---- identity ---- */

static bool
is_safe_name (const char *s)
{
  return *s != '\0' && *s != '.' && *s != '-' &&
         strspn (s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    "0123456789._-") == strlen (s);
}

/* Blanks at the ends would be lost, or hide a name. */
static void
trim (char *s)
{
  size_t n = strlen (s);
  const size_t lead = strspn (s, " ");

  while (n > lead && s[n - 1] == ' ')
    n--;
  memmove (s, s + lead, n - lead);
  s[n - lead] = '\0';
}

static int
plan_names (struct hyperv_planner *p)
{
  struct v2v_hyperv_plan *plan = p->plan;
  const char *wanted = p->opts->name ? p->opts->name : p->m->name;
  struct v2v_guid id;
  bool changed = false;

  if (wanted == NULL)
    wanted = "";
  plan->name = hyperv_clean_text (wanted, false, HYPERV_MAX_NAME, &changed);
  if (plan->name == NULL)
    return v2v_fail_nomem (p->err);
  trim (plan->name);
  if (*plan->name == '\0') {
    free (plan->name);
    changed = true;
    if (hyperv_dup (p, &plan->name, "vm") == -1)
      return -1;
  }
  if (changed && hyperv_note (p, "name.changed", NULL, "the name is now \"%s\"",
                              plan->name) == -1)
    return -1;
  if (p->opts->safe_name != NULL && !is_safe_name (p->opts->safe_name))
    return v2v_fail (p->err, V2V_ERR_USAGE,
                     "file name \"%s\": only letters, digits, '.', '_' and "
                     "'-' are safe",
                     p->opts->safe_name);
  plan->safe_name = p->opts->safe_name ? strdup (p->opts->safe_name)
                                       : v2v_safe_name (plan->name);
  plan->id = malloc (37);
  if (plan->safe_name == NULL || plan->id == NULL)
    return v2v_fail_nomem (p->err);
  if (p->opts->id != NULL)
    id = *p->opts->id;
  else if (v2v_guid_random (&id, p->err) == -1)
    return -1;
  v2v_guid_format (&id, plan->id);
  return 0;
}

/* The annotation, and behind it what has no field of its own. */
static int
plan_notes (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  bool changed = false;
  struct v2v_guid uuid;
  char hex[37];

  if (m->annotation != NULL && *m->annotation != '\0') {
    CLEANUP_FREE char *text =
        hyperv_clean_text (m->annotation, true, HYPERV_MAX_NOTES, &changed);

    if (text == NULL || v2v_str_printf (&s, "%s\n\n", text) == -1)
      return v2v_fail_nomem (p->err);
  }
  if (v2v_str_printf (&s, "%s by v2v\nv2v-id: %s\n",
                      hyperv_is_new (p) ? "Made" : "Converted",
                      p->plan->id) == -1)
    return v2v_fail_nomem (p->err);
  /* Only what parses as a UUID is repeated here: the rest is text of the
   * source. */
  if (m->uuid_bios != NULL && v2v_guid_parse (m->uuid_bios, &uuid)) {
    v2v_guid_format (&uuid, hex);
    if (v2v_str_printf (&s, "source-bios-uuid: %s\n", hex) == -1)
      return v2v_fail_nomem (p->err);
    if (hyperv_note (p, "identity.bios-uuid", NULL, "the BIOS UUID was %s",
                     hex) == -1)
      return -1;
  }
  s.ptr[s.len - 1] = '\0'; /* no line end at the end */
  p->plan->notes = STEAL (s.ptr);
  s = (struct v2v_str) V2V_STR_INIT;
  return changed ? hyperv_note (p, "notes.changed", NULL,
                                "the annotation has %zu bytes",
                                strlen (m->annotation))
                 : 0;
}

/* ---- processors ---- */

static unsigned
weight_of (const struct v2v_machine *m)
{
  uint64_t w;

  switch (m->cpu_shares) {
  case V2V_SHARES_UNSET:
    return 0;
  case V2V_SHARES_LOW:
    return 50;
  case V2V_SHARES_NORMAL:
    return 100;
  case V2V_SHARES_HIGH:
    return 200;
  case V2V_SHARES_CUSTOM:
    break;
  }
  w = (uint64_t) m->cpu_shares_value * 100 /
      ((uint64_t) NORMAL_SHARES * (m->nr_cpus ? m->nr_cpus : 1));
  return (unsigned) v2v_min_u64 (v2v_max_u64 (w, 1), MAX_WEIGHT);
}

static int
plan_processors (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;
  enum v2v_tristate nested = p->opts->nested;

  plan->nr_cpus = m->nr_cpus ? m->nr_cpus : 1;
  plan->cpu_weight = weight_of (m);
  plan->migration_compatibility = p->opts->migration_compatibility;
  plan->older_os_compatibility = p->os.nt_era;
  if (nested == V2V_UNKNOWN)
    nested = m->nested_virtualization;
  plan->nested = nested == V2V_YES;
  if (plan->nested &&
      hyperv_note (p, "nested.enabled", NULL, "%s",
                   p->opts->nested == V2V_YES ? "asked for"
                                              : "as in the source") == -1)
    return -1;
  if (m->cores_per_socket > 1 &&
      hyperv_note (p, "cpu.topology", NULL, "%u processors, %u a socket",
                   m->nr_cpus, m->cores_per_socket) == -1)
    return -1;
  if (m->cpu_hot_add == V2V_YES &&
      hyperv_note (p, "cpu.hot-add", NULL, "hot add of processors was on") ==
          -1)
    return -1;
  if (m->cpu_reservation_mhz != 0 &&
      hyperv_note (p, "cpu.reservation", NULL, "%" PRIu64 " MHz",
                   m->cpu_reservation_mhz) == -1)
    return -1;
  if (m->cpu_limit_mhz != 0 &&
      hyperv_note (p, "cpu.maximum", NULL, "%" PRIu64 " MHz",
                   m->cpu_limit_mhz) == -1)
    return -1;
  return 0;
}

/* ---- memory ---- */

/* What Hyper-V accepts: whole steps, at least the minimum. */
static uint64_t
round_memory (uint64_t bytes)
{
  uint64_t r;

  if (bytes < HYPERV_MIN_MEMORY)
    return HYPERV_MIN_MEMORY;
  if (!v2v_round_up_u64 (bytes, HYPERV_MEMORY_STEP, &r))
    return bytes - bytes % HYPERV_MEMORY_STEP;
  return r;
}

static int
plan_dynamic_memory (struct hyperv_planner *p)
{
  struct v2v_hyperv_plan *plan = p->plan;
  uint64_t min = p->opts->memory_min_bytes, max = p->opts->memory_max_bytes;

  if (!p->opts->dynamic_memory) {
    if (min != 0 || max != 0)
      return v2v_fail (p->err, V2V_ERR_USAGE,
                       "a minimum or maximum of memory needs dynamic memory");
    return 0;
  }
  if (plan->nested)
    return hyperv_note (p, "memory.dynamic-nested", NULL,
                        "dynamic memory was asked for, and nested "
                        "virtualization");
  if (min == 0)
    min = v2v_min_u64 (
        plan->memory_bytes,
        v2v_max_u64 (p->m->memory_reservation_bytes, DEFAULT_MIN_MEMORY));
  if (max == 0)
    max = v2v_max_u64 (plan->memory_bytes, p->m->memory_limit_bytes);
  min = round_memory (min);
  max = round_memory (max);
  if (min > plan->memory_bytes || max < plan->memory_bytes)
    return v2v_fail (p->err, V2V_ERR_USAGE,
                     "dynamic memory: minimum %" PRIu64 ", start %" PRIu64
                     ", maximum %" PRIu64 ": must be in ascending order",
                     min, plan->memory_bytes, max);
  plan->dynamic_memory = true;
  plan->memory_min_bytes = min;
  plan->memory_max_bytes = max;
  return 0;
}

static int
plan_memory (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;

  plan->memory_bytes = round_memory (m->memory_bytes);
  if (m->memory_bytes == 0) {
    plan->memory_bytes = DEFAULT_MEMORY;
    if (hyperv_note (p, "memory.missing", NULL, "no memory size") == -1)
      return -1;
  }
  else if (plan->memory_bytes != m->memory_bytes &&
           hyperv_note (p, "memory.rounded", NULL,
                        "%" PRIu64 " bytes become %" PRIu64, m->memory_bytes,
                        plan->memory_bytes) == -1)
    return -1;
  if (m->memory_hot_add == V2V_YES &&
      hyperv_note (p, "memory.hot-add", NULL, "hot add of memory was on") == -1)
    return -1;
  if (m->memory_shares != V2V_SHARES_UNSET &&
      m->memory_shares != V2V_SHARES_NORMAL &&
      hyperv_note (p, "memory.shares", NULL, "%s shares",
                   m->memory_shares == V2V_SHARES_LOW    ? "low"
                   : m->memory_shares == V2V_SHARES_HIGH ? "high"
                                                         : "custom") == -1)
    return -1;
  if (m->memory_reservation_bytes != 0 && !p->opts->dynamic_memory &&
      hyperv_note (p, "memory.reservation", NULL, "%" PRIu64 " bytes",
                   m->memory_reservation_bytes) == -1)
    return -1;
  if (m->memory_limit_bytes != 0 && !p->opts->dynamic_memory &&
      hyperv_note (p, "memory.maximum", NULL, "%" PRIu64 " bytes",
                   m->memory_limit_bytes) == -1)
    return -1;
  return 0;
}

/* ---- Secure Boot, TPM, NVRAM ---- */

/* The evidence of the disk that starts, or NULL. */
static const struct v2v_disk_evidence *
boot_evidence (const struct hyperv_planner *p)
{
  for (size_t i = 0; i < p->plan->nr_disks; ++i)
    if (p->plan->disks[i].boot)
      return hyperv_evidence (p, p->plan->disks[i].source_index);
  return NULL;
}

static int
plan_secure_boot (struct hyperv_planner *p)
{
  const struct v2v_disk_evidence *e = boot_evidence (p);
  struct v2v_hyperv_plan *plan = p->plan;
  enum v2v_tristate want = p->opts->secure_boot;

  if (want == V2V_UNKNOWN)
    want = p->m->secure_boot;
  if (plan->generation == 1)
    return p->opts->secure_boot == V2V_YES
               ? v2v_fail (p->err, V2V_ERR_USAGE,
                           "generation 1 has no Secure Boot")
               : 0;
  if (want != V2V_YES)
    return 0;
  if (p->os.family == V2V_OS_WINDOWS)
    plan->secure_boot_template = V2V_TEMPLATE_WINDOWS;
  else if (p->os.family == V2V_OS_LINUX ||
           (e != NULL && e->shim_loader && !e->windows_loader))
    plan->secure_boot_template = V2V_TEMPLATE_UEFI_CA;
  else if (e != NULL && e->windows_loader)
    plan->secure_boot_template = V2V_TEMPLATE_WINDOWS;
  else
    return hyperv_note (p, "secureboot.off", NULL,
                        "no template is known for %s", p->os.name);
  plan->secure_boot = true;
  if (plan->secure_boot_template == V2V_TEMPLATE_UEFI_CA && e != NULL &&
      e->esp_readable && !e->shim_loader)
    return hyperv_note (p, "secureboot.no-shim", NULL,
                        "no shimx64.efi below \\EFI");
  return 0;
}

static int
plan_tpm (struct hyperv_planner *p)
{
  struct v2v_hyperv_plan *plan = p->plan;
  enum v2v_tristate want = p->opts->tpm;

  if (want == V2V_UNKNOWN)
    want = p->m->tpm;
  if (want != V2V_YES) {
    /* Left out by option: what was in it is lost all the same. */
    return p->m->tpm == V2V_YES
               ? hyperv_note (p, "tpm.content-lost", NULL,
                              "the source has a TPM, the new machine none, as "
                              "asked")
               : 0;
  }
  if (plan->generation == 1)
    return p->opts->tpm == V2V_YES
               ? v2v_fail (p->err, V2V_ERR_USAGE, "generation 1 has no TPM")
               : hyperv_note (p, "tpm.dropped", NULL, "the source has a TPM");
  plan->tpm = true;
  return p->m->tpm == V2V_YES
             ? hyperv_note (p, "tpm.content-lost", NULL, "the source has a TPM")
             : 0;
}

int
hyperv_plan_security (struct hyperv_planner *p)
{
  const struct v2v_disk_evidence *e = boot_evidence (p);

  if (plan_secure_boot (p) == -1 || plan_tpm (p) == -1)
    return -1;
  if (p->plan->generation != 2)
    return 0;
  if (p->m->nvram_file != NULL &&
      hyperv_note (p, "nvram.lost", NULL, "%s", p->m->nvram_file) == -1)
    return -1;
  if (e != NULL && e->esp_readable && !e->fallback_loader &&
      v2v_evidence_boots_efi (e) &&
      hyperv_note (p, "boot.no-fallback-loader", NULL,
                   "there is %s, but no \\EFI\\BOOT\\BOOTX64.EFI",
                   e->windows_loader ? "bootmgfw.efi" : "shimx64.efi") == -1)
    return -1;
  return 0;
}

/* ---- all of it ---- */

static int
plan_policies (struct hyperv_planner *p)
{
  struct v2v_hyperv_plan *plan = p->plan;

  plan->checkpoint = p->opts->checkpoint;
  plan->start_action = p->opts->start_action;
  plan->stop_action = p->opts->stop_action;
  plan->start_delay_seconds = p->opts->start_delay_seconds;
  plan->time_sync = p->m->sync_time != V2V_NO;
  plan->os_family = v2v_os_family_name (p->os.family);
  if (hyperv_dup (p, &plan->os_name, p->os.name) == -1)
    return -1;
  if (p->m->nr_properties > 0 &&
      hyperv_note (p, "properties.dropped", NULL, "%zu properties",
                   p->m->nr_properties) == -1)
    return -1;
  return 0;
}

struct v2v_hyperv_plan *
v2v_hyperv_plan_new (const struct v2v_machine *machine,
                     const struct v2v_disk_evidence *const *evidence,
                     size_t nr_evidence, const struct v2v_hyperv_opts *opts,
                     struct v2v_error **err)
{
  static const struct v2v_hyperv_opts defaults;
  struct hyperv_planner p = { .m = machine,
                              .evidence = evidence,
                              .nr_evidence = nr_evidence,
                              .opts = opts ? opts : &defaults,
                              .err = err };

  assert (nr_evidence == 0 || nr_evidence == machine->nr_disks);
  p.os = v2v_guest_os_lookup (machine->os_id, machine->os_cim);
  p.plan = calloc (1, sizeof *p.plan);
  if (p.plan == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  p.plan->disk_format = p.opts->disk_format;
  /* Generation needs processors and memory; devices need the generation and
   * the names; the boot order needs the devices. */
  if (plan_names (&p) == -1 || plan_notes (&p) == -1 ||
      plan_processors (&p) == -1 || plan_memory (&p) == -1 ||
      hyperv_plan_generation (&p) == -1 || plan_dynamic_memory (&p) == -1 ||
      hyperv_plan_disks (&p) == -1 || hyperv_plan_removables (&p) == -1 ||
      hyperv_plan_serials (&p) == -1 || hyperv_plan_nics (&p) == -1 ||
      hyperv_plan_boot (&p) == -1 || hyperv_plan_security (&p) == -1 ||
      plan_policies (&p) == -1) {
    v2v_hyperv_plan_free (p.plan);
    return NULL;
  }
  return p.plan;
}

int
v2v_hyperv_plan_add_parent_at (struct v2v_hyperv_plan *plan, size_t disk,
                               const char *file, const char *path,
                               uint64_t file_bytes, struct v2v_error **err)
{
  struct v2v_hyperv_disk *d = &plan->disks[disk];
  struct v2v_hyperv_parent *list =
      reallocarray (d->parents, d->nr_parents + 1, sizeof *list);
  CLEANUP_FREE char *name = strdup (file);
  CLEANUP_FREE char *where = path != NULL ? strdup (path) : NULL;

  if (list != NULL)
    d->parents = list;
  if (list == NULL || name == NULL || (path != NULL && where == NULL))
    return v2v_fail_nomem (err);
  list[d->nr_parents++] = (struct v2v_hyperv_parent){
    .file = STEAL (name),
    .path = STEAL (where),
    .file_bytes = file_bytes,
  };
  return 0;
}

int
v2v_hyperv_plan_add_parent (struct v2v_hyperv_plan *plan, size_t disk,
                            const char *file, uint64_t file_bytes,
                            struct v2v_error **err)
{
  return v2v_hyperv_plan_add_parent_at (plan, disk, file, NULL, file_bytes,
                                        err);
}

int
v2v_hyperv_plan_set_dvd_file (struct v2v_hyperv_plan *plan, size_t dvd,
                              const char *file, struct v2v_error **err)
{
  char *copy;

  assert (dvd < plan->nr_dvds);
  /* It ends in a script: a name of ours, nothing else. */
  if (!is_safe_name (file))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "file name \"%s\": only letters, digits, '.', '_' and "
                     "'-' are safe",
                     file);
  copy = strdup (file);
  if (copy == NULL)
    return v2v_fail_nomem (err);
  free (plan->dvds[dvd].file);
  plan->dvds[dvd].file = copy;
  return 0;
}

int
v2v_hyperv_plan_add_setting (struct v2v_hyperv_plan *plan,
                             const struct v2v_hyperv_setting *setting,
                             struct v2v_error **err)
{
  struct v2v_hyperv_setting *list =
      reallocarray (plan->settings, plan->nr_settings + 1, sizeof *list);

  if (list == NULL)
    return v2v_fail_nomem (err);
  plan->settings = list;
  list += plan->nr_settings;
  *list = *setting;
  if (setting->word != NULL && (list->word = strdup (setting->word)) == NULL)
    return v2v_fail_nomem (err);
  plan->nr_settings++;
  return 0;
}

void
v2v_hyperv_plan_free (struct v2v_hyperv_plan *plan)
{
  if (plan == NULL)
    return;
  for (size_t i = 0; i < plan->nr_reasons; ++i)
    free (plan->reasons[i]);
  free (plan->reasons);
  free (plan->name);
  free (plan->safe_name);
  free (plan->id);
  free (plan->notes);
  free (plan->os_name);
  for (size_t i = 0; i < plan->nr_disks; ++i) {
    free (plan->disks[i].source_id);
    free (plan->disks[i].file);
    for (size_t k = 0; k < plan->disks[i].nr_parents; ++k) {
      free (plan->disks[i].parents[k].file);
      free (plan->disks[i].parents[k].path);
    }
    free (plan->disks[i].parents);
  }
  free (plan->disks);
  for (size_t i = 0; i < plan->nr_dvds; ++i) {
    free (plan->dvds[i].source_file);
    free (plan->dvds[i].file);
  }
  free (plan->dvds);
  /* One more than are in use: an adapter that failed half-way is there. */
  for (size_t i = 0; plan->nics != NULL && i <= plan->nr_nics; ++i) {
    free (plan->nics[i].name);
    free (plan->nics[i].source_id);
    free (plan->nics[i].network);
    free (plan->nics[i].switch_name);
  }
  free (plan->nics);
  for (size_t i = 0; i < plan->nr_coms; ++i)
    free (plan->coms[i].pipe);
  free (plan->coms);
  free (plan->boot);
  for (size_t i = 0; i < plan->nr_settings; ++i)
    free (plan->settings[i].word);
  free (plan->settings);
  v2v_json_free (plan->provenance);
  v2v_findings_clear (&plan->findings);
  free (plan);
}
