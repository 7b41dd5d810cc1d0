/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware profiles: the table of their fields, and what must fit together.
 *
 * Sources: the reference of the Hyper-V module (Windows Server 2025: New-VM,
 * Set-VM, Set-VMProcessor, Set-VMMemory, Set-VMNetworkAdapter, Set-VMFirmware,
 * Set-VMSecurity, Set-VMVideo) for fields, ranges and the names of choices;
 * "Plan for Hyper-V scalability" for limits (formats/hyperv.h).
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/document-internal.h"

/* 240 TB in MiB: generation 2. */
#define MAX_MEMORY_MIB INT64_C (251658240)

const char *const document_buses[] = { "ide", "scsi", NULL };
static const char *const nic_kinds[] = { "synthetic", "legacy", NULL };
static const char *const vlan_modes[] = { "untagged", "access", "trunk", NULL };
static const char *const mac_policies[] = { "dynamic", "static", NULL };
static const char *const mirroring[] = { "None", "Source", "Destination",
                                         NULL };
/* In the order of enum v2v_secure_boot_template. */
static const char *const templates[] = { "MicrosoftWindows",
                                         "MicrosoftUEFICertificateAuthority",
                                         "OpenSourceShieldedVM", NULL };
static const char *const protocols[] = { "IPv4", "IPv6", NULL };
static const char *const consoles[] = { "Default", "COM1", "COM2", "None",
                                        NULL };
static const char *const boot_kinds[] = { "disk", "dvd", "network", "floppy",
                                          NULL };
static const char *const isolations[] = { "Disabled", "TrustedLaunch", "VBS",
                                          "SNP",      "TDX",           NULL };
/* In the order of the enumerations of formats/hyperv.h. */
static const char *const start_actions[] = { "StartIfRunning", "Nothing",
                                             "Start", NULL };
static const char *const stop_actions[] = { "ShutDown", "Save", "TurnOff",
                                            NULL };
static const char *const error_actions[] = { "Pause", "None", NULL };
static const char *const checkpoints[] = { "Production", "ProductionOnly",
                                           "Standard", "Disabled", NULL };
static const char *const resolutions[] = { "Default", "Maximum", "Single",
                                           NULL };

#define S v2v_hardware_processor
static const struct field processor_fields[] = {
  F_NUMBER (S, count, "count", 1, HYPERV_GEN2_MAX_CPUS),
  F_NUMBER (S, reserve_percent, "reserve-percent", 0, 100),
  F_NUMBER (S, maximum_percent, "maximum-percent", 0, 100),
  F_NUMBER (S, weight, "weight", 1, 10000),
  F_FLAG (S, migration_compatibility, "migration-compatibility"),
  F_FLAG (S, older_systems_compatibility, "older-systems-compatibility"),
  F_FLAG (S, nested, "nested-virtualization"),
  F_FLAG (S, host_resource_protection, "host-resource-protection"),
  F_NUMBER (S, threads_per_core, "threads-per-core", 0, 2),
  F_NUMBER (S, maximum_per_numa_node, "maximum-per-numa-node", 1,
            HYPERV_GEN2_MAX_CPUS),
  F_NUMBER (S, maximum_numa_nodes_per_socket, "maximum-numa-nodes-per-socket",
            1, 64),
  F_END
};
static const struct record processor = { sizeof (struct S), processor_fields };
#undef S

#define S v2v_hardware_memory
static const struct field memory_fields[] = {
  F_NUMBER (S, startup_mib, "startup-mib", 32, MAX_MEMORY_MIB),
  F_FLAG (S, dynamic, "dynamic"),
  F_NUMBER (S, minimum_mib, "minimum-mib", 32, MAX_MEMORY_MIB),
  F_NUMBER (S, maximum_mib, "maximum-mib", 32, MAX_MEMORY_MIB),
  F_NUMBER (S, buffer_percent, "buffer-percent", 5, 2000),
  F_NUMBER (S, priority, "priority", 0, 100),
  F_NUMBER (S, maximum_per_numa_node_mib, "maximum-per-numa-node-mib", 8,
            MAX_MEMORY_MIB),
  F_END
};
static const struct record memory = { sizeof (struct S), memory_fields };
#undef S

#define S v2v_hardware_dvd
static const struct field dvd_fields[] = {
  F_CHOICE (S, bus, "bus", document_buses),
  F_NUMBER (S, controller, "controller", 0, 3),
  F_NUMBER (S, location, "location", 0, 63), F_TEXT (S, iso, "iso", .max = 255),
  F_END
};
static const struct record dvd = { sizeof (struct S), dvd_fields };
#undef S

#define S v2v_hardware_nic
static const struct field nic_fields[] = {
  F_TEXT (S, name, "name", .max = 100, .key = true),
  F_CHOICE (S, kind, "kind", nic_kinds),
  F_TEXT (S, network, "network", .max = 255),
  F_TEXT (S, switch_name, "switch", .max = 255),
  F_CHOICE (S, vlan_mode, "vlan-mode", vlan_modes),
  F_NUMBER (S, vlan, "vlan", 1, 4094),
  F_CHOICE (S, mac_policy, "mac-policy", mac_policies),
  F_TEXT (S, mac, "mac", .rule = document_rule_mac),
  F_FLAG (S, mac_spoofing, "mac-spoofing"),
  F_FLAG (S, dhcp_guard, "dhcp-guard"),
  F_FLAG (S, router_guard, "router-guard"),
  F_FLAG (S, teaming, "teaming"),
  F_FLAG (S, device_naming, "device-naming"),
  F_CHOICE (S, port_mirroring, "port-mirroring", mirroring),
  F_NUMBER (S, vmq_weight, "vmq-weight", 0, 100),
  F_NUMBER (S, iov_weight, "iov-weight", 0, 100),
  F_NUMBER (S, maximum_bandwidth_mbps, "maximum-bandwidth-mbps", 0, 1000000),
  F_END
};
static const struct record nic = { sizeof (struct S), nic_fields };
#undef S

#define S v2v_hardware_com
static const struct field com_fields[] = {
  F_NUMBER (S, number, "number", 1, HYPERV_MAX_COM_PORTS),
  F_TEXT (S, pipe, "pipe", .max = 255), F_FLAG (S, debugger, "debugger"), F_END
};
static const struct record com = { sizeof (struct S), com_fields };
#undef S

#define S v2v_hardware_firmware
static const struct field firmware_fields[] = {
  F_FLAG (S, secure_boot, "secure-boot"),
  F_CHOICE (S, secure_boot_template, "secure-boot-template", templates),
  F_CHOICE (S, network_boot_protocol, "network-boot-protocol", protocols),
  F_CHOICE (S, console, "console", consoles),
  F_FLAG (S, pause_after_boot_failure, "pause-after-boot-failure"),
  F_FLAG (S, num_lock, "num-lock"),
  F_END
};
static const struct record firmware = { sizeof (struct S), firmware_fields };
#undef S

#define S v2v_hardware_boot
static const struct field boot_fields[] = {
  F_CHOICE (S, kind, "kind", boot_kinds), F_NUMBER (S, index, "index", 0, 255),
  F_END
};
static const struct record boot = { sizeof (struct S), boot_fields };
#undef S

#define S v2v_hardware_security
static const struct field security_fields[] = {
  F_FLAG (S, tpm, "tpm"),
  F_FLAG (S, encrypt_traffic, "encrypt-state-and-migration"),
  F_FLAG (S, opt_out_of_vbs, "opt-out-of-virtualization-based-security"),
  F_CHOICE (S, isolation, "guest-state-isolation", isolations), F_END
};
static const struct record security = { sizeof (struct S), security_fields };
#undef S

#define S v2v_hardware_services
static const struct field service_fields[] = {
  F_FLAG (S, guest_service_interface, "guest-service-interface"),
  F_FLAG (S, heartbeat, "heartbeat"),
  F_FLAG (S, key_value_pairs, "key-value-pair-exchange"),
  F_FLAG (S, shutdown, "shutdown"),
  F_FLAG (S, time_synchronization, "time-synchronization"),
  F_FLAG (S, vss, "vss"),
  F_END
};
static const struct record services = { sizeof (struct S), service_fields };
#undef S

#define S v2v_hardware_policies
static const struct field policy_fields[] = {
  F_CHOICE (S, start_action, "start-action", start_actions),
  F_NUMBER (S, start_delay_seconds, "start-delay-seconds", 0, INT32_MAX),
  F_CHOICE (S, stop_action, "stop-action", stop_actions),
  F_CHOICE (S, critical_error_action, "critical-error-action", error_actions),
  F_CHOICE (S, checkpoint, "checkpoint", checkpoints),
  F_FLAG (S, automatic_checkpoints, "automatic-checkpoints"),
  F_FLAG (S, lock_on_disconnect, "lock-on-disconnect"),
  F_FLAG (S, highly_available, "highly-available"),
  F_END
};
static const struct record policies = { sizeof (struct S), policy_fields };
#undef S

#define S v2v_hardware_video
static const struct field video_fields[] = {
  F_CHOICE (S, resolution, "resolution", resolutions),
  F_NUMBER (S, horizontal, "horizontal", 640, 7680),
  F_NUMBER (S, vertical, "vertical", 480, 4320), F_END
};
static const struct record video = { sizeof (struct S), video_fields };
#undef S

#define S v2v_document
static const struct field hardware_fields[] = {
  DOCUMENT_HEAD,
  F_NUMBER (S, hardware.generation, "generation", 1, 2),
  F_NUMBER (S, hardware.scsi_controllers, "scsi-controllers", 0,
            HYPERV_SCSI_CONTROLLERS),
  F_FLAG (S, hardware.floppy, "floppy"),
  F_TEXT (S, hardware.floppy_image, "floppy-image", .max = 255),
  F_TEXT (S, hardware.checkpoint_folder, "checkpoint-folder", .max = 255),
  F_TEXT (S, hardware.paging_folder, "paging-folder", .max = 255),
  F_GROUP (S, hardware.processor, "processor", &processor),
  F_GROUP (S, hardware.memory, "memory", &memory),
  { .name = "dvd-drives",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, hardware.dvds),
    .second = offsetof (struct S, hardware.nr_dvds),
    .item = "drive",
    .sub = &dvd },
  { .name = "network-adapters",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, hardware.nics),
    .second = offsetof (struct S, hardware.nr_nics),
    .item = "adapter",
    .sub = &nic },
  { .name = "com-ports",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, hardware.coms),
    .second = offsetof (struct S, hardware.nr_coms),
    .item = "port",
    .sub = &com },
  F_GROUP (S, hardware.firmware, "firmware", &firmware),
  { .name = "boot-order",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, hardware.boot),
    .second = offsetof (struct S, hardware.nr_boot),
    .item = "device",
    .sub = &boot },
  F_GROUP (S, hardware.security, "security", &security),
  F_GROUP (S, hardware.services, "integration-services", &services),
  F_GROUP (S, hardware.policies, "policies", &policies),
  F_GROUP (S, hardware.video, "video", &video),
  F_END
};
const struct record document_hardware = { sizeof (struct S), hardware_fields };
#undef S

/* ---- what must fit together ---- */

static int
check_generation (const struct v2v_hardware_profile *h, const char *name,
                  struct v2v_error **err)
{
  if (h->generation == 1 &&
      (h->security.tpm == V2V_YES || h->firmware.secure_boot == V2V_YES))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: Secure Boot and a TPM need generation 2", name);
  if (h->generation == 2 && (h->floppy == V2V_YES || h->floppy_image != NULL))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: generation 2 has no floppy drive", name);
  if (h->generation == 1 && h->processor.count > HYPERV_GEN1_MAX_CPUS)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: processor, count: %" PRId64
                     ", generation 1 has up to %d",
                     name, h->processor.count, HYPERV_GEN1_MAX_CPUS);
  if (h->generation == 1 &&
      h->memory.startup_mib > (int64_t) (HYPERV_GEN1_MAX_MEMORY >> 20))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: memory, startup-mib: %" PRId64
                     ", generation 1 has up to 1 TiB",
                     name, h->memory.startup_mib);
  if (h->firmware.secure_boot == V2V_NO &&
      h->firmware.secure_boot_template != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: firmware: a template without Secure Boot", name);
  return 0;
}

static int
check_processor_and_memory (const struct v2v_hardware_profile *h,
                            const char *name, struct v2v_error **err)
{
  const struct v2v_hardware_memory *m = &h->memory;
  const struct v2v_hardware_processor *p = &h->processor;
  const int64_t sizes[] = { m->startup_mib, m->minimum_mib, m->maximum_mib };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (sizes); ++i)
    if (sizes[i] != -1 && sizes[i] % 2 != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: memory: %" PRId64 " MiB, expected an even number",
                       name, sizes[i]);
  if (m->dynamic != V2V_YES &&
      (m->minimum_mib != -1 || m->maximum_mib != -1 || m->buffer_percent != -1))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: memory: minimum-mib, maximum-mib and buffer-percent "
                     "need dynamic=\"true\"",
                     name);
  if ((m->minimum_mib != -1 && m->startup_mib != -1 &&
       m->minimum_mib > m->startup_mib) ||
      (m->maximum_mib != -1 && m->startup_mib != -1 &&
       m->maximum_mib < m->startup_mib) ||
      (m->minimum_mib != -1 && m->maximum_mib != -1 &&
       m->minimum_mib > m->maximum_mib))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: memory: expected minimum, startup and maximum in "
                     "ascending order",
                     name);
  if (p->nested == V2V_YES && m->dynamic == V2V_YES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: nested virtualization needs static memory", name);
  if (p->reserve_percent != -1 && p->maximum_percent != -1 &&
      p->reserve_percent > p->maximum_percent)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: processor: more is reserved than its maximum", name);
  return 0;
}

static int
check_nic (const struct v2v_hardware_profile *h, size_t i, const char *name,
           struct v2v_error **err)
{
  const struct v2v_hardware_nic *n = &h->nics[i];

  for (size_t k = 0; k < i; ++k)
    if (n->mac != NULL && h->nics[k].mac != NULL &&
        strcasecmp (n->mac, h->nics[k].mac) == 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: network-adapters[%zu]: its address is that of "
                       "adapter %zu",
                       name, i, k);
  if (n->kind == V2V_NIC_LEGACY && h->generation == 2)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: network-adapters[%zu]: generation 2 has no legacy "
                     "adapters",
                     name, i);
  if ((n->vlan != -1) != (n->vlan_mode == V2V_HARDWARE_ACCESS))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: network-adapters[%zu]: vlan and "
                     "vlan-mode=\"access\" need each other",
                     name, i);
  if ((n->mac != NULL) != (n->mac_policy == V2V_MAC_STATIC))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: network-adapters[%zu]: mac and "
                     "mac-policy=\"static\" need each other",
                     name, i);
  return 0;
}

static int
check_nics (const struct v2v_hardware_profile *h, const char *name,
            struct v2v_error **err)
{
  size_t synthetic = 0, legacy = 0;

  for (size_t i = 0; i < h->nr_nics; ++i) {
    if (check_nic (h, i, name, err) == -1)
      return -1;
    ++*(h->nics[i].kind == V2V_NIC_LEGACY ? &legacy : &synthetic);
  }
  if (synthetic >
          (h->generation == 2 ? HYPERV_GEN2_MAX_NICS : HYPERV_GEN1_MAX_NICS) ||
      legacy > HYPERV_GEN1_MAX_LEGACY)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: network-adapters: %zu and %zu legacy ones, more "
                     "than Hyper-V has",
                     name, synthetic, legacy);
  return 0;
}

static int
check_places (const struct v2v_hardware_profile *h, const char *name,
              struct v2v_error **err)
{
  for (size_t i = 0; i < h->nr_dvds; ++i) {
    const struct v2v_hardware_dvd *d = &h->dvds[i];

    if (d->bus == V2V_HARDWARE_IDE &&
        (h->generation == 2 || d->controller > 1 || d->location > 1))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: dvd-drives[%zu]: no such place: IDE is 0:0 to "
                       "1:1, in generation 1 only",
                       name, i);
    if (d->bus == V2V_HARDWARE_SCSI && h->generation == 1)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: dvd-drives[%zu]: generation 1 has DVD drives on "
                       "IDE only",
                       name, i);
    for (size_t k = 0; k < i; ++k)
      if (d->bus != 0 && h->dvds[k].bus == d->bus &&
          h->dvds[k].controller == d->controller &&
          h->dvds[k].location == d->location)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "%s: dvd-drives[%zu]: its place is that of drive %zu",
                         name, i, k);
  }
  for (size_t i = 0; i < h->nr_coms; ++i)
    for (size_t k = 0; k < i; ++k)
      if (h->coms[k].number == h->coms[i].number)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "%s: com-ports[%zu]: port %" PRId64 " is there "
                         "already",
                         name, i, h->coms[i].number);
  return 0;
}

static int
check_boot (const struct v2v_hardware_profile *h, const char *name,
            struct v2v_error **err)
{
  for (size_t i = 0; i < h->nr_boot; ++i) {
    const struct v2v_hardware_boot *b = &h->boot[i];

    if (h->generation == 2 && b->kind == 1 + V2V_BOOT_FLOPPY)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: boot-order[%zu]: generation 2 does not start from "
                       "a floppy disk",
                       name, i);
    if (h->generation == 1 && b->index != -1)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: boot-order[%zu]: generation 1 knows kinds only, "
                       "no index",
                       name, i);
    for (size_t k = 0; k < i; ++k)
      if (h->boot[k].kind == b->kind && h->boot[k].index == b->index)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "%s: boot-order[%zu]: it is there already", name, i);
  }
  return 0;
}

int
document_check_hardware (const struct v2v_hardware_profile *h, const char *name,
                         struct v2v_error **err)
{
  const struct v2v_hardware_video *v = &h->video;

  if (check_generation (h, name, err) == -1 ||
      check_processor_and_memory (h, name, err) == -1 ||
      check_nics (h, name, err) == -1 || check_places (h, name, err) == -1 ||
      check_boot (h, name, err) == -1)
    return -1;
  if ((v->horizontal == -1) != (v->vertical == -1))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: video: horizontal and vertical need each other",
                     name);
  return 0;
}
