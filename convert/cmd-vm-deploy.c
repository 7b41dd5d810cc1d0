/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v vm create out of a library: of a template, or of its disks. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "convert/cmd-vm.h"

/* Values of one machine. */
struct machine {
  struct v2v_setting_value *settings;
  size_t nr_settings;
};

struct deployment {
  struct vm_create_args *a;
  unsigned count;
  char **names; /* of --set, without the values */
  struct machine *machines;
  struct v2v_deploy_opts *opts;
  struct v2v_deploy_result *results;
  size_t nr_results;
  struct v2v_deploy_disk *disks;
  struct v2v_setting_value *fields;
  size_t nr_fields;
  char **texts; /* of fields */
  size_t nr_texts;
  struct v2v_hosts hosts;
  struct v2v_host_conn *host;
};

static void
deployment_clear (struct deployment *d)
{
  for (size_t i = 0; d->names != NULL && i < d->a->set.len; ++i)
    free (d->names[i]);
  for (size_t i = 0; d->machines != NULL && i < d->count; ++i)
    free (d->machines[i].settings);
  for (size_t i = 0; i < d->nr_results; ++i)
    v2v_deploy_result_clear (&d->results[i]);
  for (size_t i = 0; i < d->nr_texts; ++i)
    free (d->texts[i]);
  v2v_host_close (d->host);
  v2v_hosts_clear (&d->hosts);
  free (d->names);
  free (d->machines);
  free (d->opts);
  free (d->results);
  free (d->disks);
  free (d->fields);
  free (d->texts);
}

/* ---- settings ---- */

/* How often is the name of --set I given, and how often before it? */
static void
count_same (const struct deployment *d, size_t i, size_t *ret_all,
            size_t *ret_before)
{
  *ret_all = *ret_before = 0;
  for (size_t k = 0; k < d->a->set.len; ++k)
    if (strcmp (d->names[k], d->names[i]) == 0) {
      ++*ret_all;
      *ret_before += k < i;
    }
}

static int
split_settings (struct deployment *d, struct v2v_error **err)
{
  const struct cmd_list *set = &d->a->set;

  d->names = calloc (set->len + 1, sizeof *d->names);
  if (d->names == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < set->len; ++i) {
    const char *equals = strchr (set->ptr[i], '=');

    if (equals == NULL || equals == set->ptr[i])
      return v2v_fail (err, V2V_ERR_USAGE, "--set: '%s' is not NAME=VALUE",
                       set->ptr[i]);
    d->names[i] = strndup (set->ptr[i], (size_t) (equals - set->ptr[i]));
    if (d->names[i] == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* One value is for all machines, as many as there are machines for one each. */
static int
deal_settings (struct deployment *d, struct v2v_error **err)
{
  const struct cmd_list *set = &d->a->set;

  for (unsigned m = 0; m < d->count; ++m) {
    struct machine *to = &d->machines[m];

    to->settings = calloc (set->len + 1, sizeof *to->settings);
    if (to->settings == NULL)
      return v2v_fail_nomem (err);
    for (size_t i = 0; i < set->len; ++i) {
      size_t all, before;

      count_same (d, i, &all, &before);
      if (all != 1 && all != d->count)
        return v2v_fail (err, V2V_ERR_USAGE,
                         "--set: %s is given %zu times for %u machine%s",
                         d->names[i], all, d->count, d->count == 1 ? "" : "s");
      if (all == 1 || before == m)
        to->settings[to->nr_settings++] = (struct v2v_setting_value){
          .name = d->names[i],
          .value = set->ptr[i] + strlen (d->names[i]) + 1,
        };
    }
  }
  return 0;
}

/* ---- hardware by options ---- */

static int
add_field (struct deployment *d, const char *path, char *value,
           struct v2v_error **err)
{
  if (path == NULL || value == NULL) {
    free (value);
    return v2v_fail_nomem (err);
  }
  d->texts[d->nr_texts++] = value;
  d->fields[d->nr_fields++] =
      (struct v2v_setting_value){ .name = path, .value = value };
  return 0;
}

static char *
number (uint64_t n)
{
  char *s;

  return asprintf (&s, "%" PRIu64, n) == -1 ? NULL : s;
}

static int
add_flag (struct deployment *d, const char *path, enum v2v_tristate flag,
          struct v2v_error **err)
{
  return flag == V2V_UNKNOWN
             ? 0
             : add_field (d, path, strdup (flag == V2V_YES ? "true" : "false"),
                          err);
}

static int
add_nic (struct deployment *d, size_t i, struct v2v_error **err)
{
  const struct v2v_vm_nic *n = &d->a->nics[i];
  char *paths[6];
  const char *const fields[] = { "name", "switch",     "vlan-mode",
                                 "vlan", "mac-policy", "mac" };
  char *name, *vlan = number ((uint64_t) n->vlan);
  int r = 0;

  for (size_t k = 0; k < V2V_ARRAY_SIZE (paths); ++k) {
    if (asprintf (&paths[k], "hardware.network-adapters[%zu].%s", i,
                  fields[k]) == -1)
      paths[k] = NULL;
    else
      d->texts[d->nr_texts++] = paths[k];
  }
  if (asprintf (&name, "Network Adapter %zu", i + 1) == -1)
    name = NULL;
  r = add_field (d, paths[0], name, err);
  if (r == 0 && n->switch_name != NULL)
    r = add_field (d, paths[1], strdup (n->switch_name), err);
  if (r == 0 && n->vlan != 0 &&
      (r = add_field (d, paths[2], strdup ("access"), err)) == 0) {
    r = add_field (d, paths[3], vlan, err);
    vlan = NULL;
  }
  if (r == 0 && n->mac != NULL &&
      (r = add_field (d, paths[4], strdup ("static"), err)) == 0)
    r = add_field (d, paths[5], strdup (n->mac), err);
  free (vlan);
  return r;
}

static int
take_hardware (struct deployment *d, struct v2v_error **err)
{
  const struct v2v_vm_opts *o = &d->a->opts;

  /* Six fields for each adapter, each with its path. */
  d->fields = calloc (6 * o->nr_nics + 8, sizeof *d->fields);
  d->texts = calloc (12 * o->nr_nics + 8, sizeof *d->texts);
  if (d->fields == NULL || d->texts == NULL)
    return v2v_fail_nomem (err);
  if ((o->hyperv.generation != 0 &&
       add_field (d, "hardware.generation", number (o->hyperv.generation),
                  err) == -1) ||
      (o->nr_cpus != 0 && add_field (d, "hardware.processor.count",
                                     number (o->nr_cpus), err) == -1) ||
      (o->memory_bytes != 0 &&
       add_field (d, "hardware.memory.startup-mib",
                  number (o->memory_bytes / V2V_MIB), err) == -1) ||
      add_flag (d, "hardware.processor.nested-virtualization", o->hyperv.nested,
                err) == -1 ||
      add_flag (d, "hardware.firmware.secure-boot", o->hyperv.secure_boot,
                err) == -1 ||
      add_flag (d, "hardware.security.tpm", o->hyperv.tpm, err) == -1)
    return -1;
  for (size_t i = 0; i < o->nr_nics; ++i)
    if (add_nic (d, i, err) == -1)
      return -1;
  return 0;
}

/* ---- options ---- */

static int
refuse (struct v2v_error **err, const char *option, const char *because)
{
  return v2v_fail (err, V2V_ERR_USAGE, "vm create: --%s %s", option, because);
}

/* What a machine out of a library has another way for. */
static int
check (const struct vm_create_args *a, struct v2v_error **err)
{
  const struct v2v_vm_opts *o = &a->opts;
  const struct {
    bool given;
    const char *option;
  } never[] = {
    { o->iso != NULL, "iso" },
    { o->dvd, "dvd" },
    { o->pxe, "pxe" },
    { o->no_nics, "no-network" },
    { o->os_id != NULL, "os" },
    { o->hyperv.disk_format != V2V_HYPERV_VHDX, "disk-format" },
    { o->block_bytes != 0, "block-size" },
    { a->search.len > 0, "search" },
    { a->seed_profile != NULL, "seed-profile" },
  }, templates[] = {
    { o->clone != NULL, "clone" },
    { o->nr_disks > 0, "disk or --blank" },
    { o->differencing, "differencing" },
    { o->nr_cpus != 0, "cpus" },
    { o->memory_bytes != 0, "memory" },
    { o->nr_nics > 0, "switch, --vlan or --mac" },
    { o->hyperv.generation != 0, "generation" },
    { o->hyperv.nested != V2V_UNKNOWN, "nested" },
    { o->hyperv.secure_boot != V2V_UNKNOWN, "secure-boot" },
    { o->hyperv.tpm != V2V_UNKNOWN, "tpm" },
  };

  if (o->output_dir == NULL && a->host == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: -o DIR or --host NAME is missing");
  if (a->host != NULL && (o->output_dir != NULL || o->parent_folder != NULL))
    return refuse (err, o->output_dir != NULL ? "output" : "parent-folder",
                   "and --host exclude each other");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (never); ++i)
    if (never[i].given)
      return refuse (err, never[i].option,
                     "is not for machines out of a library");
  for (size_t i = 0; a->vm_template != NULL && i < V2V_ARRAY_SIZE (templates);
       ++i)
    if (templates[i].given)
      return refuse (err, templates[i].option,
                     "is the template's matter: --set sets what it allows");
  if (a->vm_template == NULL && a->set.len > 0)
    return refuse (err, "set", "needs --template");
  if (a->vm_template == NULL && o->nr_disks == 0 && o->clone == NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "vm create: nothing says what the machine starts from");
    return v2v_hint (err, "--template NAME, --clone OBJECT or --disk OBJECT");
  }
  if (a->count > 1 && o->name != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: %u machines cannot have one name: "
                     "--computer-name takes a pattern",
                     a->count);
  return 0;
}

static int
open_host (struct deployment *d, struct v2v_library *lib,
           struct v2v_error **err)
{
  const struct v2v_host *h;

  if (d->a->host == NULL)
    return 0;
  if (v2v_hosts_load (lib, d->a->hosts, &d->hosts, err) == -1)
    return -1;
  h = v2v_hosts_find (&d->hosts, d->a->host, err);
  if (h == NULL)
    return -1;
  if (h->maintenance)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "host '%s' is in maintenance: no machine is made there",
                     h->name);
  d->host = v2v_host_open (h, err);
  return d->host == NULL ? -1 : 0;
}

static int
fill (struct deployment *d, struct v2v_error **err)
{
  const struct vm_create_args *a = d->a;

  d->disks = calloc (a->opts.nr_disks + 1, sizeof *d->disks);
  if (d->disks == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < a->opts.nr_disks; ++i)
    d->disks[i] = (struct v2v_deploy_disk){
      .object = a->disks[i].path,
      .size_bytes = a->disks[i].size_bytes,
      .storage =
          a->opts.differencing ? V2V_STORAGE_DIFFERENCING : V2V_STORAGE_COPY,
    };
  for (unsigned i = 0; i < d->count; ++i)
    d->opts[i] = (struct v2v_deploy_opts){
      .vm_template = a->vm_template,
      .clone = a->opts.clone,
      .clone_differencing = a->opts.differencing,
      .disks = d->disks,
      .nr_disks = a->opts.nr_disks,
      .fields = d->fields,
      .nr_fields = d->nr_fields,
      .name = a->opts.name,
      .computer_name = a->computer_name,
      .settings = d->machines[i].settings,
      .nr_settings = d->machines[i].nr_settings,
      .output_dir = a->opts.output_dir,
      .host = d->host,
      .parent_folder = a->opts.parent_folder,
      .hardware = a->hardware_profile,
      .guest_os = a->guest_os,
      .ordinal = i + 1,
      .name_space = a->name_space,
      .program_version = a->opts.program_version,
      .subformat = a->opts.subformat,
      .no_digest = a->opts.no_digest,
      .dry_run = a->dry_run,
      .copy = a->opts.copy,
    };
  return 0;
}

/* ---- output ---- */

static struct v2v_json *
result_json (const struct deployment *d, const struct v2v_deploy_result *r)
{
  struct v2v_json *o = v2v_json_new_object ();

  if (r->id != NULL)
    v2v_json_set_string (o, "id", r->id);
  v2v_json_set_string (o, "name", r->name);
  v2v_json_set_string (o, "computer_name", r->computer_name);
  v2v_json_set_string (o, "folder", r->folder);
  v2v_json_set (o, "provenance", v2v_json_ref (r->provenance));
  v2v_json_set (o, d->a->dry_run ? "machine" : "report",
                v2v_json_ref (r->report));
  return o;
}

static void
print_reasons (const struct v2v_deploy_result *r)
{
  const struct v2v_json *list = v2v_json_get (r->provenance, "reasons");

  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    CLEANUP_FREE char *s =
        cmd_printable (v2v_json_string_value (v2v_json_at (list, i)));

    printf ("%s\n", s != NULL ? s : "?");
  }
}

static int
print_results (const struct cli *cli, const struct deployment *d,
               struct v2v_error **err)
{
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
    struct v2v_json *list = v2v_json_new_array ();

    for (size_t i = 0; i < d->nr_results; ++i)
      v2v_json_append (list, result_json (d, &d->results[i]));
    v2v_json_set (o, "machines", list);
    return cmd_print_json (o, err);
  }
  if (d->nr_results > 0)
    print_reasons (&d->results[0]);
  if (d->nr_results == 1 && d->results[0].text != NULL)
    printf ("%s\n", d->results[0].text);
  for (size_t i = 0; i < d->nr_results; ++i) {
    CLEANUP_FREE char *folder = cmd_printable (d->results[i].folder);

    printf ("%s%s\n", d->a->dry_run ? "would make " : "",
            folder != NULL ? folder : "?");
  }
  return 0;
}

int
vm_deploy (struct cli *cli, struct vm_create_args *a, struct v2v_error **err)
{
  struct deployment d = { .a = a, .count = a->count != 0 ? a->count : 1 };
  CLEANUP_LIBRARY struct v2v_library *lib = NULL;
  int r = -1;

  if (check (a, err) == -1)
    return -1;
  d.machines = calloc (d.count, sizeof *d.machines);
  d.opts = calloc (d.count, sizeof *d.opts);
  d.results = calloc (d.count, sizeof *d.results);
  if (d.machines == NULL || d.opts == NULL || d.results == NULL)
    v2v_fail_nomem (err);
  else if (split_settings (&d, err) == 0 && deal_settings (&d, err) == 0 &&
           take_hardware (&d, err) == 0 &&
           cmd_progress_start (cli, &a->opts.copy, err) == 0 &&
           (lib = v2v_library_open (a->library, err)) != NULL &&
           open_host (&d, lib, err) == 0 && fill (&d, err) == 0)
    r = v2v_deploy_many (lib, d.opts, d.count, d.results, &d.nr_results, err);
  /* What was made before a failure is there: it is told. */
  if (r == 0 || (d.nr_results > 0 && !cli->json)) {
    if (print_results (cli, &d, r == 0 ? err : NULL) == -1)
      r = -1;
  }
  deployment_clear (&d);
  return r;
}
