/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware profiles onto plans: what the profile says replaces what was
 * planned, or becomes a parameter of a cmdlet; what is left is a finding.
 */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "library/document-internal.h"

/* ---- fields of the plan ---- */

static void
apply_flag (enum v2v_tristate said, bool *to)
{
  if (said != V2V_UNKNOWN)
    *to = said == V2V_YES;
}

static void
apply_number (int64_t said, unsigned *to)
{
  if (said != -1)
    *to = (unsigned) said;
}

static void
apply_mib (int64_t said, uint64_t *to)
{
  if (said != -1)
    *to = (uint64_t) said * V2V_MIB;
}

static int
apply_memory (const struct v2v_hardware_memory *m, struct v2v_hyperv_plan *plan,
              struct v2v_error **err)
{
  apply_mib (m->startup_mib, &plan->memory_bytes);
  apply_flag (m->dynamic, &plan->dynamic_memory);
  if (!plan->dynamic_memory)
    plan->memory_min_bytes = plan->memory_max_bytes = 0;
  else {
    if (plan->memory_min_bytes == 0)
      plan->memory_min_bytes = v2v_min_u64 (plan->memory_bytes, 512 * V2V_MIB);
    if (plan->memory_max_bytes == 0)
      plan->memory_max_bytes = plan->memory_bytes;
    apply_mib (m->minimum_mib, &plan->memory_min_bytes);
    apply_mib (m->maximum_mib, &plan->memory_max_bytes);
    if (plan->memory_min_bytes > plan->memory_bytes ||
        plan->memory_max_bytes < plan->memory_bytes)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "memory: minimum %" PRIu64 ", start %" PRIu64
                       ", maximum %" PRIu64 ": must be in ascending order",
                       plan->memory_min_bytes, plan->memory_bytes,
                       plan->memory_max_bytes);
  }
  if (plan->dynamic_memory && plan->nested)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "nested virtualization needs static memory");
  if (plan->generation == 1 && plan->memory_bytes > HYPERV_GEN1_MAX_MEMORY)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "memory: generation 1 has up to 1 TiB");
  return 0;
}

static int
apply_processor (const struct v2v_hardware_processor *p,
                 struct v2v_hyperv_plan *plan, struct v2v_error **err)
{
  apply_number (p->count, &plan->nr_cpus);
  apply_number (p->weight, &plan->cpu_weight);
  apply_flag (p->migration_compatibility, &plan->migration_compatibility);
  apply_flag (p->older_systems_compatibility, &plan->older_os_compatibility);
  apply_flag (p->nested, &plan->nested);
  if (plan->generation == 1 && plan->nr_cpus > HYPERV_GEN1_MAX_CPUS)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%u processors: generation 1 has up to %d", plan->nr_cpus,
                     HYPERV_GEN1_MAX_CPUS);
  return 0;
}

static int
apply_firmware (const struct v2v_hardware_profile *h,
                struct v2v_hyperv_plan *plan, struct v2v_error **err)
{
  const unsigned template = h->firmware.secure_boot_template;

  apply_flag (h->firmware.secure_boot, &plan->secure_boot);
  if (!plan->secure_boot)
    plan->secure_boot_template = V2V_TEMPLATE_NONE;
  else if (template == V2V_TEMPLATE_WINDOWS || template == V2V_TEMPLATE_UEFI_CA)
    plan->secure_boot_template = (enum v2v_secure_boot_template) template;
  else if (plan->secure_boot_template == V2V_TEMPLATE_NONE)
    plan->secure_boot_template = strcmp (plan->os_family, "windows") == 0
                                     ? V2V_TEMPLATE_WINDOWS
                                     : V2V_TEMPLATE_UEFI_CA;
  apply_flag (h->security.tpm, &plan->tpm);
  if (plan->generation == 1 && (plan->secure_boot || plan->tpm))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the disks are of generation 1, which has neither Secure "
                     "Boot nor a TPM");
  return 0;
}

static void
apply_policies (const struct v2v_hardware_profile *h,
                struct v2v_hyperv_plan *plan)
{
  const struct v2v_hardware_policies *p = &h->policies;

  if (p->start_action != 0)
    plan->start_action = (enum v2v_hyperv_start_action) (p->start_action - 1);
  apply_number (p->start_delay_seconds, &plan->start_delay_seconds);
  if (p->stop_action != 0)
    plan->stop_action = (enum v2v_hyperv_stop_action) (p->stop_action - 1);
  if (p->checkpoint != 0)
    plan->checkpoint = (enum v2v_hyperv_checkpoint) (p->checkpoint - 1);
  apply_flag (h->services.time_synchronization, &plan->time_sync);
}

static int
replace (char **to, const char *from, struct v2v_error **err)
{
  char *copy;

  if (from == NULL)
    return 0;
  copy = strdup (from);
  if (copy == NULL)
    return v2v_fail_nomem (err);
  free (*to);
  *to = copy;
  return 0;
}

/* "00:15:5d:01:02:03" as a plan has it. */
static void
pack_mac (const char *mac, char out[13])
{
  size_t n = 0;

  for (; *mac != '\0' && n < 12; ++mac)
    if (isxdigit ((unsigned char) *mac))
      out[n++] = (char) toupper ((unsigned char) *mac);
  out[n] = '\0';
}

static int
apply_nic (const struct v2v_hardware_nic *n, struct v2v_hyperv_nic *to,
           struct v2v_error **err)
{
  if (replace (&to->name, n->name, err) == -1 ||
      replace (&to->network, n->network, err) == -1 ||
      replace (&to->switch_name, n->switch_name, err) == -1)
    return -1;
  if (n->switch_name != NULL)
    to->unmapped = false;
  if (n->kind != 0)
    to->legacy = n->kind == V2V_NIC_LEGACY;
  if (n->vlan_mode != 0) {
    to->vlan_mode = (enum v2v_hyperv_vlan_mode) (n->vlan_mode - 1);
    to->vlan = n->vlan != -1 ? (unsigned) n->vlan : 0;
  }
  if (n->mac_policy == V2V_MAC_DYNAMIC)
    to->mac[0] = '\0';
  if (n->mac != NULL)
    pack_mac (n->mac, to->mac);
  apply_flag (n->mac_spoofing, &to->spoofing);
  return 0;
}

/* The adapters of the machine in their order; those it lacks are added. */
static int
apply_nics (const struct v2v_hardware_profile *h, struct v2v_hyperv_plan *plan,
            struct v2v_error **err)
{
  const size_t wanted = h->nr_nics > plan->nr_nics ? h->nr_nics : plan->nr_nics;
  /* The plan always has one empty element behind the last. */
  struct v2v_hyperv_nic *nics =
      reallocarray (plan->nics, wanted + 1, sizeof *nics);

  if (nics == NULL)
    return v2v_fail_nomem (err);
  plan->nics = nics;
  memset (nics + plan->nr_nics, 0, (wanted + 1 - plan->nr_nics) * sizeof *nics);
  for (size_t i = 0; i < h->nr_nics; ++i) {
    if (i >= plan->nr_nics) {
      nics[i].source_id = strdup ("profile");
      nics[i].source_index = SIZE_MAX;
      nics[i].unmapped = true;
      plan->nr_nics = i + 1;
      if (nics[i].source_id == NULL)
        return v2v_fail_nomem (err);
    }
    if (apply_nic (&h->nics[i], &nics[i], err) == -1)
      return -1;
    if (nics[i].legacy && plan->generation == 2)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: the disks are of generation 2, which has no legacy "
                       "adapters",
                       nics[i].name);
  }
  return 0;
}

/* ---- COM ports, DVD drives, the order of starting ---- */

static int
apply_coms (const struct v2v_hardware_profile *h, struct v2v_hyperv_plan *plan,
            struct v2v_error **err)
{
  for (size_t i = 0; i < h->nr_coms; ++i) {
    const unsigned number = (unsigned) h->coms[i].number;
    struct v2v_hyperv_com *coms;
    bool there = false;

    for (size_t k = 0; k < plan->nr_coms; ++k)
      there |= plan->coms[k].number == number;
    if (there || h->coms[i].number == -1)
      continue;
    coms = reallocarray (plan->coms, plan->nr_coms + 1, sizeof *coms);
    if (coms == NULL)
      return v2v_fail_nomem (err);
    plan->coms = coms;
    coms[plan->nr_coms].number = number;
    /* A name of our own: two machines of one profile must not share it. */
    if (asprintf (&coms[plan->nr_coms].pipe, "\\\\.\\pipe\\%s-com%u",
                  plan->safe_name, number) == -1)
      return v2v_fail_nomem (err);
    plan->nr_coms++;
  }
  return 0;
}

static bool
same_place (const struct v2v_hyperv_place *a, const struct v2v_hyperv_place *b)
{
  return a->bus == b->bus && a->controller == b->controller &&
         a->location == b->location;
}

/* A drive at each place that the profile names. */
static int
apply_dvds (const struct v2v_hardware_profile *h, struct v2v_hyperv_plan *plan,
            struct v2v_error **err)
{
  for (size_t i = 0; i < h->nr_dvds; ++i) {
    const struct v2v_hardware_dvd *d = &h->dvds[i];
    const struct v2v_hyperv_place place = {
      .bus = d->bus == V2V_HARDWARE_IDE ? V2V_HYPERV_IDE : V2V_HYPERV_SCSI,
      .controller = d->controller != -1 ? (unsigned) d->controller : 0,
      .location = d->location != -1 ? (unsigned) d->location : 0,
    };
    struct v2v_hyperv_dvd *dvds;
    bool there = false;

    if (d->bus == 0)
      continue;
    if ((place.bus == V2V_HYPERV_IDE) != (plan->generation == 1))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "dvd-drives[%zu]: generation %u has DVD drives on %s", i,
                       plan->generation,
                       plan->generation == 1 ? "IDE" : "SCSI");
    for (size_t k = 0; k < plan->nr_disks; ++k)
      if (same_place (&plan->disks[k].place, &place))
        return v2v_fail (err, V2V_ERR_USAGE,
                         "dvd-drives[%zu]: disk %s is at its place", i,
                         plan->disks[k].file);
    for (size_t k = 0; k < plan->nr_dvds; ++k)
      there |= same_place (&plan->dvds[k].place, &place);
    if (there)
      continue;
    dvds = reallocarray (plan->dvds, plan->nr_dvds + 1, sizeof *dvds);
    if (dvds == NULL)
      return v2v_fail_nomem (err);
    plan->dvds = dvds;
    dvds[plan->nr_dvds++] = (struct v2v_hyperv_dvd){ .place = place };
    if (place.bus == V2V_HYPERV_SCSI &&
        plan->nr_scsi_controllers <= place.controller)
      plan->nr_scsi_controllers = place.controller + 1;
  }
  if (h->scsi_controllers > (int64_t) plan->nr_scsi_controllers)
    plan->nr_scsi_controllers = (unsigned) h->scsi_controllers;
  return 0;
}

static size_t
how_many (const struct v2v_hyperv_plan *plan, enum v2v_hyperv_boot_kind kind)
{
  switch (kind) {
  case V2V_BOOT_DISK:
    return plan->nr_disks;
  case V2V_BOOT_DVD:
    return plan->nr_dvds;
  case V2V_BOOT_NETWORK:
    return plan->nr_nics;
  case V2V_BOOT_FLOPPY:
    break;
  }
  return 1;
}

static int
apply_boot (const struct v2v_hardware_profile *h, struct v2v_hyperv_plan *plan,
            struct v2v_error **err)
{
  struct v2v_hyperv_boot *boot;

  if (h->nr_boot == 0)
    return 0;
  boot = calloc (h->nr_boot, sizeof *boot);
  if (boot == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < h->nr_boot; ++i) {
    boot[i].kind = h->boot[i].kind != 0
                       ? (enum v2v_hyperv_boot_kind) (h->boot[i].kind - 1)
                       : V2V_BOOT_DISK;
    if (h->boot[i].index != -1)
      boot[i].index = (size_t) h->boot[i].index;
    if (boot[i].index >= how_many (plan, boot[i].kind) ||
        (plan->generation == 2 && boot[i].kind == V2V_BOOT_FLOPPY)) {
      free (boot);
      return v2v_fail (err, V2V_ERR_USAGE,
                       "boot-order[%zu]: the machine has no such device", i);
    }
  }
  free (plan->boot);
  plan->boot = boot;
  plan->nr_boot = h->nr_boot;
  return 0;
}

/* ---- parameters of cmdlets ---- */

enum form {
  NUMBER,
  MEBIBYTES, /* the parameter is in bytes */
  MEGABITS,  /* ... in bits a second */
  FLAG,
  ON_OFF, /* a flag whose parameter takes the words On and Off */
  WORD,
  SWITCH_PAIR, /* EnableX or DisableX */
};

/* Names and units: the reference of the Hyper-V module.  Ends of the ids of
 * services: Msvm_*ComponentSettingData, which Get-VMIntegrationService shows in
 * Id whatever the language of the host. */
static const struct setting {
  const char *path; /* of an adapter: the field */
  enum v2v_hyperv_cmdlet cmdlet;
  const char *parameter;
  enum form form;
} settings[] = {
  { "processor.reserve-percent", V2V_SET_PROCESSOR, "Reserve", NUMBER },
  { "processor.maximum-percent", V2V_SET_PROCESSOR, "Maximum", NUMBER },
  { "processor.host-resource-protection", V2V_SET_PROCESSOR,
    "EnableHostResourceProtection", FLAG },
  { "processor.threads-per-core", V2V_SET_PROCESSOR, "HwThreadCountPerCore",
    NUMBER },
  { "processor.maximum-per-numa-node", V2V_SET_PROCESSOR,
    "MaximumCountPerNumaNode", NUMBER },
  { "processor.maximum-numa-nodes-per-socket", V2V_SET_PROCESSOR,
    "MaximumCountPerNumaSocket", NUMBER },
  { "memory.buffer-percent", V2V_SET_MEMORY, "Buffer", NUMBER },
  { "memory.priority", V2V_SET_MEMORY, "Priority", NUMBER },
  { "memory.maximum-per-numa-node-mib", V2V_SET_MEMORY,
    "MaximumAmountPerNumaNodeBytes", MEBIBYTES },
  { "checkpoint-folder", V2V_SET_VM, "SnapshotFileLocation", WORD },
  { "paging-folder", V2V_SET_VM, "SmartPagingFilePath", WORD },
  { "policies.critical-error-action", V2V_SET_VM,
    "AutomaticCriticalErrorAction", WORD },
  { "policies.automatic-checkpoints", V2V_SET_VM, "AutomaticCheckpointsEnabled",
    FLAG },
  { "policies.lock-on-disconnect", V2V_SET_VM, "LockOnDisconnect", ON_OFF },
  { "firmware.network-boot-protocol", V2V_SET_FIRMWARE,
    "PreferredNetworkBootProtocol", WORD },
  { "firmware.console", V2V_SET_FIRMWARE, "ConsoleMode", WORD },
  { "firmware.pause-after-boot-failure", V2V_SET_FIRMWARE,
    "PauseAfterBootFailure", ON_OFF },
  { "security.encrypt-state-and-migration", V2V_SET_SECURITY,
    "EncryptStateAndVmMigrationTraffic", FLAG },
  { "security.opt-out-of-virtualization-based-security", V2V_SET_SECURITY,
    "VirtualizationBasedSecurityOptOut", FLAG },
  { "dhcp-guard", V2V_SET_ADAPTER, "DhcpGuard", ON_OFF },
  { "router-guard", V2V_SET_ADAPTER, "RouterGuard", ON_OFF },
  { "teaming", V2V_SET_ADAPTER, "AllowTeaming", ON_OFF },
  { "device-naming", V2V_SET_ADAPTER, "DeviceNaming", ON_OFF },
  { "port-mirroring", V2V_SET_ADAPTER, "PortMirroring", WORD },
  { "vmq-weight", V2V_SET_ADAPTER, "VmqWeight", NUMBER },
  { "iov-weight", V2V_SET_ADAPTER, "IovWeight", NUMBER },
  { "maximum-bandwidth-mbps", V2V_SET_ADAPTER, "MaximumBandwidth", MEGABITS },
  { "integration-services.guest-service-interface", V2V_SET_SERVICE,
    "6C09BB55-D683-4DA0-8931-C9BF705F6480", FLAG },
  { "integration-services.heartbeat", V2V_SET_SERVICE,
    "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47", FLAG },
  { "integration-services.key-value-pair-exchange", V2V_SET_SERVICE,
    "2A34B1C2-FD73-4043-8A5B-DD2159BC743F", FLAG },
  { "integration-services.shutdown", V2V_SET_SERVICE,
    "9F8233AC-BE49-4C79-8EE3-E7E1985B2077", FLAG },
  { "integration-services.vss", V2V_SET_SERVICE,
    "5CED1297-4598-4915-A5FC-AD21BB4D02A4", FLAG },
  { "firmware.num-lock", V2V_SET_BIOS, "EnableNumLock", SWITCH_PAIR },
};

static uint64_t
unit_of (enum form form)
{
  return form == MEBIBYTES ? V2V_MIB : form == MEGABITS ? 1000000 : 1;
}

static int
add_setting (struct v2v_hyperv_plan *plan, const struct setting *s,
             size_t adapter, const char *value)
{
  struct v2v_hyperv_setting n = { .cmdlet = s->cmdlet,
                                  .adapter = adapter,
                                  .parameter = s->parameter };
  const bool yes = strcmp (value, "true") == 0;

  switch (s->form) {
  case NUMBER:
  case MEBIBYTES:
  case MEGABITS:
    /* At most 2^28: the tables have seen to that. */
    n.number = strtoull (value, NULL, 10) * unit_of (s->form);
    break;
  case FLAG:
    n.is_flag = true;
    n.number = yes;
    break;
  case ON_OFF:
    n.word = (char *) (uintptr_t) (yes ? "On" : "Off");
    break;
  case WORD:
    n.word = (char *) (uintptr_t) value;
    break;
  case SWITCH_PAIR:
    n.is_flag = true;
    n.number = true;
    if (!yes)
      n.parameter = "DisableNumLock";
    break;
  }
  return v2v_hyperv_plan_add_setting (plan, &n, NULL);
}

int
hardware_path_of_setting (const char *what, const char *parameter,
                          const char *value, uint64_t adapter, char **ret_path,
                          char **ret_text)
{
  const bool no_num_lock = strcmp (parameter, "DisableNumLock") == 0;
  const struct setting *s = NULL;
  const char *text = value;
  char number[24];

  if (no_num_lock)
    parameter = "EnableNumLock";
  for (size_t i = 0; s == NULL && i < V2V_ARRAY_SIZE (settings); ++i)
    if (strcmp (settings[i].parameter, parameter) == 0 &&
        strcmp (v2v_hyperv_cmdlet_name (settings[i].cmdlet), what) == 0)
      s = &settings[i];
  if (s == NULL)
    return 0;
  if (s->form == ON_OFF)
    text = strcmp (value, "On") == 0 ? "true" : "false";
  else if (no_num_lock)
    text = "false";
  else if (unit_of (s->form) != 1) {
    snprintf (number, sizeof number, "%llu",
              strtoull (value, NULL, 10) /
                  (unsigned long long) unit_of (s->form));
    text = number;
  }
  if (s->cmdlet != V2V_SET_ADAPTER)
    *ret_path = strdup (s->path);
  else if (asprintf (ret_path, "network-adapters[%" PRIu64 "].%s", adapter,
                     s->path) == -1)
    *ret_path = NULL;
  *ret_text = strdup (text);
  return *ret_path == NULL || *ret_text == NULL ? -1 : 0;
}

/* ---- everything else ---- */

/* Is PATH one that the functions above have looked at?  FIELD: of an adapter,
 * or NULL. */
static bool
is_applied (const char *path, const char *field)
{
  static const char *const whole[] = {
    "name",
    "version",
    "id",
    "namespace",
    "family",
    "release",
    "os",
    "owner",
    "description",
    "generation",
    "scsi-controllers",
    "processor.count",
    "processor.weight",
    "processor.migration-compatibility",
    "processor.older-systems-compatibility",
    "processor.nested-virtualization",
    "memory.startup-mib",
    "memory.dynamic",
    "memory.minimum-mib",
    "memory.maximum-mib",
    "firmware.secure-boot",
    "security.tpm",
    "integration-services.time-synchronization",
    "policies.start-action",
    "policies.start-delay-seconds",
    "policies.stop-action",
    "policies.checkpoint",
  };
  static const char *const of_nics[] = {
    "name", "kind",       "network", "switch",       "vlan-mode",
    "vlan", "mac-policy", "mac",     "mac-spoofing",
  };
  static const char *const of_lists[] = { ".number", ".bus", ".controller",
                                          ".location" };
  const char *behind = strrchr (path, ']');

  for (size_t i = 0; field == NULL && i < V2V_ARRAY_SIZE (whole); ++i)
    if (strcmp (path, whole[i]) == 0)
      return true;
  for (size_t i = 0; field != NULL && i < V2V_ARRAY_SIZE (of_nics); ++i)
    if (strcmp (field, of_nics[i]) == 0)
      return true;
  for (size_t i = 0;
       field == NULL && behind != NULL && i < V2V_ARRAY_SIZE (of_lists); ++i)
    if (strcmp (behind + 1, of_lists[i]) == 0)
      return true;
  return strncmp (path, "tags[", 5) == 0 ||
         strncmp (path, "boot-order[", 11) == 0;
}

struct rest {
  struct v2v_findings *findings;
  const struct v2v_hardware_profile *h;
  struct v2v_hyperv_plan *plan;
};

/* PATH of a field of an adapter: the field's name, and which adapter. */
static const char *
adapter_field (const struct rest *r, const char *path, size_t *ret)
{
  static const char begin[] = "network-adapters[";
  const char *behind = strrchr (path, ']'), *key = path + strlen (begin);

  if (strncmp (path, begin, strlen (begin)) != 0 || behind == NULL ||
      behind[1] != '.')
    return NULL;
  for (size_t i = 0; i < r->h->nr_nics; ++i)
    if (strlen (r->h->nics[i].name) == (size_t) (behind - key) &&
        strncmp (r->h->nics[i].name, key, (size_t) (behind - key)) == 0) {
      *ret = i;
      return behind + 2;
    }
  return NULL;
}

/* Can Hyper-V set it on a machine of this generation? */
static bool
fits (const struct setting *s, unsigned generation)
{
  return s->cmdlet != (generation == 1 ? V2V_SET_FIRMWARE : V2V_SET_BIOS);
}

static int
take_rest (void *arg, const char *path, const char *old, const char *new)
{
  const struct rest *r = arg;
  size_t adapter = 0;
  const char *field = adapter_field (r, path, &adapter);

  (void) old;
  if (is_applied (path, field))
    return 0;
  if (strcmp (path, "firmware.secure-boot-template") == 0 &&
      strcmp (new, v2v_hyperv_template_name (r->plan->secure_boot_template)) ==
          0)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (settings); ++i)
    if ((settings[i].cmdlet == V2V_SET_ADAPTER) == (field != NULL) &&
        strcmp (settings[i].path, field != NULL ? field : path) == 0 &&
        fits (&settings[i], r->plan->generation))
      return add_setting (r->plan, &settings[i], adapter, new);
  return v2v_findings_add (r->findings, V2V_WARNING,
                           "library.hardware.not-applied", path,
                           "set it on the host when the machine is made",
                           "the profile says %.200s", new);
}

int
v2v_hardware_apply (const struct v2v_document *profile,
                    struct v2v_hyperv_plan *plan, struct v2v_findings *findings,
                    struct v2v_error **err)
{
  const struct v2v_hardware_profile *h = &profile->hardware;
  struct rest r = { .findings = findings, .h = h, .plan = plan };
  struct v2v_document *empty;
  int result;

  if (profile->kind != V2V_DOCUMENT_HARDWARE)
    return v2v_fail (err, V2V_ERR_USAGE, "it is a %s, expected a %s",
                     v2v_document_kind_name (profile->kind),
                     v2v_document_kind_name (V2V_DOCUMENT_HARDWARE));
  if (h->generation != -1 && h->generation != (int64_t) plan->generation)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "hardware profile '%s' is for generation %" PRId64
                     ", the disks are of generation %u",
                     profile->head.name, h->generation, plan->generation);
  if (apply_processor (&h->processor, plan, err) == -1 ||
      apply_memory (&h->memory, plan, err) == -1 ||
      apply_firmware (h, plan, err) == -1 || apply_nics (h, plan, err) == -1 ||
      apply_coms (h, plan, err) == -1 || apply_dvds (h, plan, err) == -1 ||
      apply_boot (h, plan, err) == -1)
    return v2v_prefix (err, "hardware profile '%s'", profile->head.name);
  apply_policies (h, plan);
  empty = v2v_document_new (V2V_DOCUMENT_HARDWARE, err);
  if (empty == NULL)
    return -1;
  result = record_diff (&document_hardware, empty, profile, take_rest, &r);
  v2v_document_free (empty);
  return result == 0 ? 0 : v2v_fail_nomem (err);
}
