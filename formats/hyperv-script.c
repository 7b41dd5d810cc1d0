/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New-NAME.ps1 and Import-NAME-SCVMM.ps1: the data of the plan in front of code
 * that never changes (new-vm.ps1, import-scvmm.ps1; made into C by the build).
 * Everything that differs between two machines is in the data block, as
 * literals.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/hyperv-templates.h"
#include "formats/hyperv.h"
#include "formats/powershell.h"

static const char *
bus_name (enum v2v_hyperv_bus bus)
{
  return bus == V2V_HYPERV_IDE ? "IDE" : "SCSI";
}

static void
data_identity (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    Id = ");
  v2v_ps_string (ps, plan->id);
  v2v_ps_code (ps, "\n    Name = ");
  v2v_ps_string (ps, plan->name);
  v2v_ps_code (ps, "\n    FolderName = ");
  v2v_ps_string (ps, plan->safe_name);
  v2v_ps_code (ps, "\n    Notes = ");
  v2v_ps_lines (ps, plan->notes);
  v2v_ps_code (ps, "\n    Generation = ");
  v2v_ps_number (ps, plan->generation);
  v2v_ps_code (ps, "\n");
}

static void
data_processors (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    Processors = @{ Number = ");
  v2v_ps_number (ps, plan->nr_cpus);
  v2v_ps_code (ps, "; Weight = ");
  v2v_ps_number (ps, plan->cpu_weight);
  v2v_ps_code (ps, "; Migration = ");
  v2v_ps_bool (ps, plan->migration_compatibility);
  v2v_ps_code (ps, "; OlderSystems = ");
  v2v_ps_bool (ps, plan->older_os_compatibility);
  v2v_ps_code (ps, "; Nested = ");
  v2v_ps_bool (ps, plan->nested);
  v2v_ps_code (ps, " }\n");
}

static void
data_memory (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    Memory = @{ Startup = ");
  v2v_ps_number (ps, plan->memory_bytes);
  v2v_ps_code (ps, "; StartupMB = ");
  v2v_ps_number (ps, plan->memory_bytes / V2V_MIB);
  v2v_ps_code (ps, "; Dynamic = ");
  v2v_ps_bool (ps, plan->dynamic_memory);
  v2v_ps_code (ps, "; Minimum = ");
  v2v_ps_number (ps, plan->memory_min_bytes);
  v2v_ps_code (ps, "; MinimumMB = ");
  v2v_ps_number (ps, plan->memory_min_bytes / V2V_MIB);
  v2v_ps_code (ps, "; Maximum = ");
  v2v_ps_number (ps, plan->memory_max_bytes);
  v2v_ps_code (ps, "; MaximumMB = ");
  v2v_ps_number (ps, plan->memory_max_bytes / V2V_MIB);
  v2v_ps_code (ps, " }\n");
}

static void
data_place (struct v2v_ps *ps, const struct v2v_hyperv_place *place)
{
  v2v_ps_code (ps, "Bus = ");
  v2v_ps_string (ps, bus_name (place->bus));
  v2v_ps_code (ps, "; Controller = ");
  v2v_ps_number (ps, place->controller);
  v2v_ps_code (ps, "; Location = ");
  v2v_ps_number (ps, place->location);
}

static void
data_disks (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    ScsiControllers = ");
  v2v_ps_number (ps, plan->nr_scsi_controllers);
  v2v_ps_code (ps, "\n    Disks = @(\n");
  for (size_t i = 0; i < plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &plan->disks[i];

    v2v_ps_code (ps, "        @{ File = ");
    v2v_ps_string (ps, d->file);
    v2v_ps_code (ps, "; ");
    data_place (ps, &d->place);
    v2v_ps_code (ps, "; Size = ");
    v2v_ps_number (ps, d->size_bytes);
    v2v_ps_code (ps, "; Boot = ");
    v2v_ps_bool (ps, d->boot);
    v2v_ps_code (ps, "; Parents = @(");
    for (size_t k = 0; k < d->nr_parents; ++k) {
      if (k > 0)
        v2v_ps_code (ps, ", ");
      v2v_ps_string (ps, d->parents[k].file);
    }
    v2v_ps_code (ps, ") }\n");
  }
  v2v_ps_code (ps, "    )\n    Dvds = @(\n");
  for (size_t i = 0; i < plan->nr_dvds; ++i) {
    v2v_ps_code (ps, "        @{ ");
    data_place (ps, &plan->dvds[i].place);
    v2v_ps_code (ps, "; File = ");
    v2v_ps_string (ps, plan->dvds[i].file ? plan->dvds[i].file : "");
    v2v_ps_code (ps, " }\n");
  }
  v2v_ps_code (ps, "    )\n");
}

static const char *
vlan_mode_name (enum v2v_hyperv_vlan_mode m)
{
  switch (m) {
  case V2V_VLAN_MODE_UNTAGGED:
    return "Untagged";
  case V2V_VLAN_MODE_ACCESS:
    return "Access";
  case V2V_VLAN_MODE_TRUNK:
    return "Trunk";
  }
  return "Untagged";
}

static void
data_mac (struct v2v_ps *ps, const char mac[13])
{
  char colons[18] = "";

  if (*mac != '\0')
    snprintf (colons, sizeof colons, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", mac,
              mac + 2, mac + 4, mac + 6, mac + 8, mac + 10);
  v2v_ps_string (ps, mac);
  v2v_ps_code (ps, "; MacWithColons = ");
  v2v_ps_string (ps, colons);
}

static void
data_nics (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    Nics = @(\n");
  for (size_t i = 0; i < plan->nr_nics; ++i) {
    const struct v2v_hyperv_nic *n = &plan->nics[i];

    v2v_ps_code (ps, "        @{ Name = ");
    v2v_ps_string (ps, n->name);
    v2v_ps_code (ps, "; Network = ");
    v2v_ps_string (ps, n->network);
    v2v_ps_code (ps, "; Switch = ");
    v2v_ps_string (ps, n->switch_name);
    v2v_ps_code (ps, "; Unmapped = ");
    v2v_ps_bool (ps, n->unmapped);
    v2v_ps_code (ps, "; Legacy = ");
    v2v_ps_bool (ps, n->legacy);
    v2v_ps_code (ps, "; Mac = ");
    data_mac (ps, n->mac);
    v2v_ps_code (ps, "; Spoofing = ");
    v2v_ps_bool (ps, n->spoofing);
    v2v_ps_code (ps, "; VlanMode = ");
    v2v_ps_string (ps, vlan_mode_name (n->vlan_mode));
    v2v_ps_code (ps, "; Vlan = ");
    v2v_ps_number (ps, n->vlan);
    v2v_ps_code (ps, " }\n");
  }
  v2v_ps_code (ps, "    )\n    ComPorts = @(\n");
  for (size_t i = 0; i < plan->nr_coms; ++i) {
    v2v_ps_code (ps, "        @{ Number = ");
    v2v_ps_number (ps, plan->coms[i].number);
    v2v_ps_code (ps, "; Pipe = ");
    v2v_ps_string (ps, plan->coms[i].pipe);
    v2v_ps_code (ps, " }\n");
  }
  v2v_ps_code (ps, "    )\n");
}

/* Kinds as Set-VMBios, the manager and our own code name them. */
static const char *const boot_names[][3] = {
  [V2V_BOOT_DISK] = { "IDE", "IDEHardDrive", "Disk" },
  [V2V_BOOT_DVD] = { "CD", "CD", "Dvd" },
  [V2V_BOOT_NETWORK] = { "LegacyNetworkAdapter", "PXEBoot", "Network" },
  [V2V_BOOT_FLOPPY] = { "Floppy", "Floppy", "Floppy" },
};

static void
boot_kinds (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan,
            unsigned dialect)
{
  v2v_ps_code (ps, "@(");
  for (size_t i = 0; plan->generation == 1 && i < plan->nr_boot; ++i) {
    if (i > 0)
      v2v_ps_code (ps, ", ");
    v2v_ps_string (ps, boot_names[plan->boot[i].kind][dialect]);
  }
  v2v_ps_code (ps, ")\n");
}

static void
data_firmware (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    SecureBoot = @{ Enabled = ");
  v2v_ps_bool (ps, plan->secure_boot);
  v2v_ps_code (ps, "; Template = ");
  v2v_ps_string (ps, v2v_hyperv_template_name (plan->secure_boot_template));
  v2v_ps_code (ps, " }\n    Tpm = ");
  v2v_ps_bool (ps, plan->tpm);
  v2v_ps_code (ps, "\n    StartupOrder = ");
  boot_kinds (ps, plan, 0);
  v2v_ps_code (ps, "    ScvmmBootOrder = ");
  boot_kinds (ps, plan, 1);
  v2v_ps_code (ps, "    Boot = @(\n");
  for (size_t i = 0; plan->generation == 2 && i < plan->nr_boot; ++i) {
    v2v_ps_code (ps, "        @{ Kind = ");
    v2v_ps_string (ps, boot_names[plan->boot[i].kind][2]);
    v2v_ps_code (ps, "; Index = ");
    v2v_ps_number (ps, plan->boot[i].index);
    v2v_ps_code (ps, " }\n");
  }
  v2v_ps_code (ps, "    )\n");
}

static void
data_policies (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    CheckpointType = ");
  v2v_ps_string (ps, v2v_hyperv_checkpoint_name (plan->checkpoint));
  v2v_ps_code (ps, "\n    StartAction = ");
  v2v_ps_string (ps, v2v_hyperv_start_action_name (plan->start_action));
  v2v_ps_code (ps, "\n    StartDelay = ");
  v2v_ps_number (ps, plan->start_delay_seconds);
  v2v_ps_code (ps, "\n    StopAction = ");
  v2v_ps_string (ps, v2v_hyperv_stop_action_name (plan->stop_action));
  v2v_ps_code (ps, "\n    TimeSync = ");
  v2v_ps_bool (ps, plan->time_sync);
  v2v_ps_code (ps, "\n");
}

static void
data_settings (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "    Settings = @(\n");
  for (size_t i = 0; i < plan->nr_settings; ++i) {
    const struct v2v_hyperv_setting *s = &plan->settings[i];

    v2v_ps_code (ps, "        @{ Cmdlet = ");
    v2v_ps_string (ps, v2v_hyperv_cmdlet_name (s->cmdlet));
    v2v_ps_code (ps, "; Adapter = ");
    v2v_ps_number (ps, s->adapter);
    v2v_ps_code (ps, "; Parameter = ");
    v2v_ps_string (ps, s->parameter);
    v2v_ps_code (ps, "; Value = ");
    if (s->word != NULL)
      v2v_ps_string (ps, s->word);
    else if (s->is_flag)
      v2v_ps_bool (ps, s->number != 0);
    else
      v2v_ps_number (ps, s->number);
    v2v_ps_code (ps, " }\n");
  }
  v2v_ps_code (ps, "    )\n");
}

static void
data_block (struct v2v_ps *ps, const struct v2v_hyperv_plan *plan)
{
  v2v_ps_code (ps, "$data = @{\n");
  data_identity (ps, plan);
  data_processors (ps, plan);
  data_memory (ps, plan);
  data_disks (ps, plan);
  data_nics (ps, plan);
  data_firmware (ps, plan);
  data_policies (ps, plan);
  data_settings (ps, plan);
  v2v_ps_code (ps, "}\n");
}

char *
v2v_hyperv_script (const struct v2v_hyperv_plan *plan, struct v2v_error **err)
{
  struct v2v_ps ps = V2V_PS_INIT;

  data_block (&ps, plan);
  return v2v_ps_finish (&ps, new_vm_template, err);
}

char *
v2v_hyperv_scvmm_script (const struct v2v_hyperv_plan *plan,
                         struct v2v_error **err)
{
  struct v2v_ps ps = V2V_PS_INIT;

  data_block (&ps, plan);
  return v2v_ps_finish (&ps, scvmm_template, err);
}
