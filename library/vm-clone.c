/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine to clone: its description, which is NAME.json of a conversion or
 * of an earlier `v2v vm create`.  The file may have been edited by anybody:
 * names are plain, numbers go through the checks of the plan.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "library/vm-internal.h"

/* A description of 256 disks has some 100 KiB. */
#define MAX_DESCRIPTION (4 * V2V_MIB)
/* As many files named .json are looked into. */
#define MAX_CANDIDATES 64
#define MAX_DISKS      260
#define MAX_NICS       64
#define MAX_DRIVES     3 /* the places of generation 1 */

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

/* ---- finding it ---- */

/* FILE in FOLDER, if it is a description; NULL with ERR unset if it is not. */
static struct v2v_json *
load (const char *folder, const char *file, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open_in (folder, file, 0, err);
  CLEANUP_FREE char *text = NULL;
  struct v2v_json *j = NULL;
  const char *schema;
  uint64_t version;
  size_t len;

  if (io == NULL)
    return NULL;
  len = (size_t) v2v_min_u64 (v2v_io_size (io), MAX_DESCRIPTION + 1);
  text = malloc (len + 1);
  if (text == NULL)
    v2v_fail_nomem (err);
  else if (len <= MAX_DESCRIPTION && v2v_io_pread (io, text, len, 0, err) == 0)
    j = v2v_json_parse (text, len, file, NULL);
  v2v_io_unref (io);
  schema = j != NULL ? v2v_json_get_string (j, "schema") : NULL;
  if (schema != NULL && strcmp (schema, V2V_MACHINE_SCHEMA) == 0 &&
      v2v_json_get_u64 (j, "version", &version) &&
      version == V2V_MACHINE_SCHEMA_VERSION)
    return j;
  v2v_json_free (j);
  return NULL;
}

static struct v2v_json *
find_description (const char *folder, struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir (folder);
  struct v2v_json *found = NULL;
  unsigned nr_looked = 0;
  struct dirent *e;

  if (dir == NULL) {
    v2v_fail_errno (err, "%s", folder);
    return NULL;
  }
  while ((e = readdir (dir)) != NULL) {
    const size_t len = strlen (e->d_name);
    struct v2v_error *why = NULL;
    struct v2v_json *j;

    if (len < 6 || strcmp (e->d_name + len - 5, ".json") != 0 ||
        e->d_name[0] == '.' || ++nr_looked > MAX_CANDIDATES)
      continue;
    j = load (folder, e->d_name, &why);
    if (why != NULL || (j != NULL && found != NULL)) {
      v2v_json_free (j);
      v2v_json_free (found);
      if (why != NULL)
        v2v_error_move (err, why);
      else
        v2v_fail (err, V2V_ERR_USAGE,
                  "%s: holds the descriptions of several machines", folder);
      return NULL;
    }
    if (j != NULL)
      found = j;
  }
  if (found == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: holds no description of a machine",
              folder);
    v2v_hint (err, "the folder that v2v convert or v2v vm create made has one, "
                   "NAME.json");
  }
  return found;
}

/* ---- taking it over ---- */

static bool
get_bool (const struct v2v_json *o, const char *key)
{
  bool b;

  return v2v_json_get_bool (o, key, &b) && b;
}

static unsigned
get_unsigned (const struct v2v_json *o, const char *key, unsigned max)
{
  uint64_t n;

  return v2v_json_get_u64 (o, key, &n) && n <= max ? (unsigned) n : 0;
}

static void
inherit (enum v2v_tristate *wanted, bool theirs)
{
  if (*wanted == V2V_UNKNOWN)
    *wanted = theirs ? V2V_YES : V2V_NO;
}

static void
take_processor (struct vm *vm, const struct v2v_json *o)
{
  const unsigned weight = get_unsigned (o, "relative_weight", 10000);
  struct v2v_machine *m = vm->machine;

  m->nr_cpus = get_unsigned (o, "count", HYPERV_GEN2_MAX_CPUS);
  if (weight > 0) { /* as VMware would say it */
    m->cpu_shares = V2V_SHARES_CUSTOM;
    m->cpu_shares_value = weight * 10 * (m->nr_cpus ? m->nr_cpus : 1);
  }
  vm->hyperv.migration_compatibility |=
      get_bool (o, "compatibility_for_migration");
  inherit (&vm->hyperv.nested, get_bool (o, "nested_virtualization"));
}

static void
take_memory (struct vm *vm, const struct v2v_json *o)
{
  v2v_json_get_u64 (o, "startup_bytes", &vm->machine->memory_bytes);
  if (!get_bool (o, "dynamic") || vm->hyperv.dynamic_memory ||
      vm->opts->memory_bytes != 0)
    return;
  vm->hyperv.dynamic_memory = true;
  v2v_json_get_u64 (o, "minimum_bytes", &vm->hyperv.memory_min_bytes);
  v2v_json_get_u64 (o, "maximum_bytes", &vm->hyperv.memory_max_bytes);
}

/* What the options say by a value that is no default stays. */
static void
take_policies (struct vm *vm, const struct v2v_json *o)
{
  struct v2v_hyperv_opts *h = &vm->hyperv;
  const char *s = v2v_json_get_string (o, "checkpoint_type");

  if (s != NULL && h->checkpoint == 0)
    v2v_hyperv_checkpoint_parse (s, &h->checkpoint);
  s = v2v_json_get_string (o, "automatic_start_action");
  if (s != NULL && h->start_action == 0)
    v2v_hyperv_start_action_parse (s, &h->start_action);
  s = v2v_json_get_string (o, "automatic_stop_action");
  if (s != NULL && h->stop_action == 0)
    v2v_hyperv_stop_action_parse (s, &h->stop_action);
  if (h->start_delay_seconds == 0)
    h->start_delay_seconds =
        get_unsigned (o, "automatic_start_delay_seconds", 1000000);
  if (v2v_json_get (o, "time_synchronization") != NULL &&
      !get_bool (o, "time_synchronization"))
    vm->machine->sync_time = V2V_NO;
}

static int
take_nics (struct vm *vm, const struct v2v_json *list, struct v2v_error **err)
{
  if (vm->opts->nr_nics > 0 || vm->opts->no_nics)
    return 0;
  for (size_t i = 0; i < v2v_json_length (list) && i < MAX_NICS; ++i) {
    const struct v2v_json *o = v2v_json_at (list, i);
    const char *name = v2v_json_get_string (o, "switch");
    const char *mode = v2v_json_get_string (o, "vlan_mode");
    struct v2v_nic *n = v2v_machine_add_nic (vm->machine);

    /* The addresses stay with the machine that is cloned. */
    if (n == NULL || asprintf (&n->id, "adapter%zu", i + 1) == -1)
      return v2v_fail_nomem (err);
    n->connected = true;
    if (name != NULL && (n->network = strdup (name)) == NULL)
      return v2v_fail_nomem (err);
    if (mode != NULL && strcmp (mode, "access") == 0)
      n->vlan = (int) get_unsigned (o, "vlan", V2V_VLAN_MAX);
    else if (mode != NULL && strcmp (mode, "trunk") == 0)
      n->vlan = V2V_VLAN_TRUNK;
    if (get_bool (o, "mac_spoofing"))
      n->promiscuous = V2V_YES;
  }
  return 0;
}

static int
take_disks (struct vm *vm, const struct v2v_json *list, struct v2v_error **err)
{
  if (v2v_json_length (list) > MAX_DISKS)
    return v2v_fail (err, V2V_ERR_FORMAT, "%zu disks, expected at most %d",
                     v2v_json_length (list), MAX_DISKS);
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *o = v2v_json_at (list, i);
    const char *file = v2v_json_get_string (o, "file");
    struct vm_disk *d;

    if (file == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT, "disk %zu has no file", i + 1);
    if (!v2v_check_plain_name (file, err))
      return -1;
    d = vm_add_disk (vm, err);
    if (d == NULL)
      return -1;
    d->boot = get_bool (o, "boot");
    if (asprintf (&d->path, "%s/%s", vm->opts->clone, file) == -1) {
      d->path = NULL;
      return v2v_fail_nomem (err);
    }
  }
  return 0;
}

static int
take_identity (struct vm *vm, const struct v2v_json *target,
               const struct v2v_json *source, struct v2v_error **err)
{
  const char *name = v2v_json_get_string (target, "name");
  const char *os_id = v2v_json_get_string (source, "os_id");
  const char *family =
      v2v_json_get_string (v2v_json_get (target, "guest"), "family");
  const char *format = v2v_json_get_string (target, "disk_format");

  vm->clone_is_windows = family != NULL && strcmp (family, "windows") == 0;
  vm->clone_is_linux = family != NULL && strcmp (family, "linux") == 0;
  if (format != NULL && strcmp (format, "vhd") == 0)
    vm->hyperv.disk_format = V2V_HYPERV_VHD;
  if (vm->name == NULL && name != NULL && (vm->name = strdup (name)) == NULL)
    return v2v_fail_nomem (err);
  if (vm->os_id == NULL && os_id != NULL &&
      (vm->os_id = strdup (os_id)) == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

int
vm_read_clone (struct vm *vm, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = find_description (vm->opts->clone, err);
  const struct v2v_json *target, *firmware;

  if (j == NULL)
    return -1;
  target = v2v_json_get (j, "target");
  if (!v2v_json_is_object (target))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: its description has no member \"target\"",
                     vm->opts->clone);
  if (vm->hyperv.generation == 0)
    vm->hyperv.generation = get_unsigned (target, "generation", 2);
  firmware = v2v_json_get (target, "firmware");
  if (vm->hyperv.generation == 2) {
    inherit (&vm->hyperv.secure_boot, get_bool (firmware, "secure_boot"));
    inherit (&vm->hyperv.tpm, get_bool (firmware, "tpm"));
  }
  vm->nr_clone_drives = (size_t) v2v_min_u64 (
      v2v_json_length (v2v_json_get (target, "dvd_drives")), MAX_DRIVES);
  take_processor (vm, v2v_json_get (target, "processor"));
  take_memory (vm, v2v_json_get (target, "memory"));
  take_policies (vm, v2v_json_get (target, "policies"));
  if (take_identity (vm, target, v2v_json_get (j, "source"), err) == -1 ||
      take_nics (vm, v2v_json_get (target, "network_adapters"), err) == -1 ||
      take_disks (vm, v2v_json_get (target, "disks"), err) == -1)
    return v2v_prefix (err, "%s", vm->opts->clone);
  return 0;
}
