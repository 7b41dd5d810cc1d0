/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME.json: the whole description, source and target.  Its form is
 * v2v-machine.schema.json; members are added, never renamed or removed, as
 * long as "version" stays.
 */

#include <config.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv.h"

static struct v2v_json *
place_to_json (struct v2v_json *o, const struct v2v_hyperv_place *p)
{
  v2v_json_set_string (o, "bus", p->bus == V2V_HYPERV_IDE ? "ide" : "scsi");
  v2v_json_set_u64 (o, "controller", p->controller);
  v2v_json_set_u64 (o, "location", p->location);
  return o;
}

static struct v2v_json *
parents_to_json (const struct v2v_hyperv_disk *d)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < d->nr_parents; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "file", d->parents[i].file);
    if (d->parents[i].path != NULL)
      v2v_json_set_string (o, "path", d->parents[i].path);
    v2v_json_set_u64 (o, "file_bytes", d->parents[i].file_bytes);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
disks_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &plan->disks[i];
    struct v2v_json *o = place_to_json (v2v_json_new_object (), &d->place);

    v2v_json_set_string (o, "file", d->file);
    v2v_json_set_string (o, "source", d->source_id);
    v2v_json_set_u64 (o, "size_bytes", d->size_bytes);
    v2v_json_set_bool (o, "boot", d->boot);
    v2v_json_set_bool (o, "blank", d->blank);
    if (d->nr_parents > 0)
      v2v_json_set (o, "parents", parents_to_json (d));
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
dvds_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_dvds; ++i) {
    struct v2v_json *o =
        place_to_json (v2v_json_new_object (), &plan->dvds[i].place);

    v2v_json_set_string (o, "source_image", plan->dvds[i].source_file);
    v2v_json_set_string (o, "file", plan->dvds[i].file);
    v2v_json_append (list, o);
  }
  return list;
}

static const char *
vlan_mode_name (enum v2v_hyperv_vlan_mode m)
{
  switch (m) {
  case V2V_VLAN_MODE_UNTAGGED:
    return "untagged";
  case V2V_VLAN_MODE_ACCESS:
    return "access";
  case V2V_VLAN_MODE_TRUNK:
    return "trunk";
  }
  return "untagged";
}

static struct v2v_json *
nics_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_nics; ++i) {
    const struct v2v_hyperv_nic *n = &plan->nics[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "name", n->name);
    v2v_json_set_string (o, "source", n->source_id);
    v2v_json_set_string (o, "kind", n->legacy ? "legacy" : "synthetic");
    v2v_json_set_string (o, "network", n->network);
    v2v_json_set_string (o, "switch", n->switch_name);
    v2v_json_set_bool (o, "unmapped", n->unmapped);
    v2v_json_set_string (o, "mac", *n->mac != '\0' ? n->mac : NULL);
    v2v_json_set_string (o, "vlan_mode", vlan_mode_name (n->vlan_mode));
    if (n->vlan_mode == V2V_VLAN_MODE_ACCESS)
      v2v_json_set_u64 (o, "vlan", n->vlan);
    v2v_json_set_bool (o, "mac_spoofing", n->spoofing);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
coms_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_coms; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_u64 (o, "number", plan->coms[i].number);
    v2v_json_set_string (o, "pipe", plan->coms[i].pipe);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
boot_to_json (const struct v2v_hyperv_plan *plan)
{
  static const char *const kinds[] = {
    [V2V_BOOT_DISK] = "disk",
    [V2V_BOOT_DVD] = "dvd",
    [V2V_BOOT_NETWORK] = "network",
    [V2V_BOOT_FLOPPY] = "floppy",
  };
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_boot; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "kind", kinds[plan->boot[i].kind]);
    if (plan->generation == 2)
      v2v_json_set_u64 (o, "index", plan->boot[i].index);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
processor_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_u64 (o, "count", plan->nr_cpus);
  if (plan->cpu_weight != 0)
    v2v_json_set_u64 (o, "relative_weight", plan->cpu_weight);
  v2v_json_set_bool (o, "compatibility_for_migration",
                     plan->migration_compatibility);
  v2v_json_set_bool (o, "compatibility_for_older_systems",
                     plan->older_os_compatibility);
  v2v_json_set_bool (o, "nested_virtualization", plan->nested);
  return o;
}

static struct v2v_json *
memory_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_u64 (o, "startup_bytes", plan->memory_bytes);
  v2v_json_set_bool (o, "dynamic", plan->dynamic_memory);
  if (plan->dynamic_memory) {
    v2v_json_set_u64 (o, "minimum_bytes", plan->memory_min_bytes);
    v2v_json_set_u64 (o, "maximum_bytes", plan->memory_max_bytes);
  }
  return o;
}

static struct v2v_json *
firmware_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *o = v2v_json_new_object ();
  const bool has_template = plan->secure_boot_template != V2V_TEMPLATE_NONE;

  v2v_json_set_bool (o, "secure_boot", plan->secure_boot);
  v2v_json_set_string (
      o, "secure_boot_template",
      has_template ? v2v_hyperv_template_name (plan->secure_boot_template)
                   : NULL);
  v2v_json_set_bool (o, "tpm", plan->tpm);
  v2v_json_set (o, "boot_order", boot_to_json (plan));
  return o;
}

static struct v2v_json *
policies_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "checkpoint_type",
                       v2v_hyperv_checkpoint_name (plan->checkpoint));
  v2v_json_set_string (o, "automatic_start_action",
                       v2v_hyperv_start_action_name (plan->start_action));
  v2v_json_set_u64 (o, "automatic_start_delay_seconds",
                    plan->start_delay_seconds);
  v2v_json_set_string (o, "automatic_stop_action",
                       v2v_hyperv_stop_action_name (plan->stop_action));
  v2v_json_set_bool (o, "time_synchronization", plan->time_sync);
  return o;
}

static struct v2v_json *
settings_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < plan->nr_settings; ++i) {
    const struct v2v_hyperv_setting *s = &plan->settings[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "what", v2v_hyperv_cmdlet_name (s->cmdlet));
    if (s->cmdlet == V2V_SET_ADAPTER)
      v2v_json_set_u64 (o, "adapter", s->adapter);
    v2v_json_set_string (o, "parameter", s->parameter);
    if (s->word != NULL)
      v2v_json_set_string (o, "value", s->word);
    else if (s->is_flag)
      v2v_json_set_bool (o, "value", s->number != 0);
    else
      v2v_json_set_u64 (o, "value", s->number);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
target_to_json (const struct v2v_hyperv_plan *plan)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *reasons = v2v_json_new_array ();
  struct v2v_json *guest = v2v_json_new_object ();

  for (size_t i = 0; i < plan->nr_reasons; ++i)
    v2v_json_append (reasons, v2v_json_new_string (plan->reasons[i]));
  v2v_json_set_string (guest, "family", plan->os_family);
  v2v_json_set_string (guest, "name", plan->os_name);
  v2v_json_set_string (o, "hypervisor", "hyper-v");
  v2v_json_set_u64 (o, "generation", plan->generation);
  v2v_json_set_bool (o, "generation_forced", plan->generation_forced);
  v2v_json_set (o, "generation_reasons", reasons);
  v2v_json_set_string (o, "name", plan->name);
  v2v_json_set_string (o, "file_name", plan->safe_name);
  v2v_json_set_string (o, "notes", plan->notes);
  v2v_json_set (o, "guest", guest);
  v2v_json_set (o, "processor", processor_to_json (plan));
  v2v_json_set (o, "memory", memory_to_json (plan));
  v2v_json_set (o, "firmware", firmware_to_json (plan));
  v2v_json_set_string (o, "disk_format",
                       plan->disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx");
  v2v_json_set_u64 (o, "scsi_controllers", plan->nr_scsi_controllers);
  v2v_json_set (o, "disks", disks_to_json (plan));
  v2v_json_set (o, "dvd_drives", dvds_to_json (plan));
  v2v_json_set_bool (o, "floppy_drive", plan->floppy);
  v2v_json_set (o, "network_adapters", nics_to_json (plan));
  v2v_json_set (o, "com_ports", coms_to_json (plan));
  v2v_json_set (o, "policies", policies_to_json (plan));
  if (plan->nr_settings > 0)
    v2v_json_set (o, "settings", settings_to_json (plan));
  return o;
}

struct v2v_json *
v2v_hyperv_to_json (const struct v2v_hyperv_plan *plan,
                    const struct v2v_machine *machine)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *findings = v2v_json_new_object ();

  v2v_json_set (findings, "source", v2v_findings_to_json (&machine->findings));
  v2v_json_set (findings, "target", v2v_findings_to_json (&plan->findings));
  v2v_json_set_string (o, "schema", V2V_MACHINE_SCHEMA);
  v2v_json_set_u64 (o, "version", V2V_MACHINE_SCHEMA_VERSION);
  v2v_json_set_string (o, "id", plan->id);
  v2v_json_set (o, "target", target_to_json (plan));
  v2v_json_set (o, "findings", findings);
  v2v_json_set (o, "source", v2v_machine_to_json (machine));
  if (plan->provenance != NULL)
    v2v_json_set (o, "provenance", v2v_json_ref (plan->provenance));
  if (!v2v_json_ok (o)) {
    v2v_json_free (o);
    return NULL;
  }
  return o;
}
