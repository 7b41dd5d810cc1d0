/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capability profiles: limits that a host, a cluster or a site sets, and
 * judging hardware by them.  What Hyper-V itself limits is not their matter:
 * see document_check_hardware.
 */

#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "library/document-internal.h"

/* Hyper-V's own defaults, for what a profile does not say (New-VM). */
#define DEFAULT_PROCESSORS 1
#define DEFAULT_MEMORY_MIB 512

#define MAX_MEMORY_MIB INT64_C (251658240)
#define MAX_DISKS      256
#define MAX_DISK_GIB   65536

#define S               v2v_document
#define C(m, n)         F_FLAG (S, capability.m, n)
#define L(m, n, lo, hi) F_NUMBER (S, capability.m, n, lo, hi)
static const struct field capability_fields[] = {
  DOCUMENT_HEAD,
  C (generation1, "generation-1"),
  C (generation2, "generation-2"),
  L (minimum_processors, "minimum-processors", 1, HYPERV_GEN2_MAX_CPUS),
  L (maximum_processors, "maximum-processors", 1, HYPERV_GEN2_MAX_CPUS),
  L (minimum_memory_mib, "minimum-memory-mib", 32, MAX_MEMORY_MIB),
  L (maximum_memory_mib, "maximum-memory-mib", 32, MAX_MEMORY_MIB),
  C (dynamic_memory, "dynamic-memory"),
  C (nested, "nested-virtualization"),
  L (minimum_disks, "minimum-disks", 0, MAX_DISKS),
  L (maximum_disks, "maximum-disks", 0, MAX_DISKS),
  L (maximum_disk_gib, "maximum-disk-gib", 1, MAX_DISK_GIB),
  C (vhd_disks, "vhd-disks"),
  C (vhdx_disks, "vhdx-disks"),
  C (differencing_disks, "differencing-disks"),
  L (maximum_dvds, "maximum-dvd-drives", 0, MAX_DISKS),
  L (maximum_scsi_controllers, "maximum-scsi-controllers", 0,
     HYPERV_SCSI_CONTROLLERS),
  L (maximum_com_ports, "maximum-com-ports", 0, HYPERV_MAX_COM_PORTS),
  L (minimum_nics, "minimum-network-adapters", 0, HYPERV_GEN2_MAX_NICS),
  L (maximum_nics, "maximum-network-adapters", 0, HYPERV_GEN2_MAX_NICS),
  C (legacy_nics, "legacy-network-adapters"),
  C (static_macs, "static-macs"),
  C (mac_spoofing, "mac-spoofing"),
  L (minimum_vlan, "minimum-vlan", 1, 4094),
  L (maximum_vlan, "maximum-vlan", 1, 4094),
  C (secure_boot_required, "secure-boot-required"),
  C (tpm_required, "tpm-required"),
  C (high_availability_required, "high-availability-required"),
  C (checkpoints, "checkpoints"),
  F_WORDS (S, capability.switches, "switches", "switch", .max = 255),
  F_END
};
#undef C
#undef L
const struct record document_capability = { sizeof (struct S),
                                            capability_fields };
#undef S

int
document_check_capability (const struct v2v_capability_profile *c,
                           const char *name, struct v2v_error **err)
{
  const struct {
    const char *what;
    int64_t low, high;
  } ranges[] = {
    { "processors", c->minimum_processors, c->maximum_processors },
    { "memory-mib", c->minimum_memory_mib, c->maximum_memory_mib },
    { "disks", c->minimum_disks, c->maximum_disks },
    { "network-adapters", c->minimum_nics, c->maximum_nics },
    { "vlan", c->minimum_vlan, c->maximum_vlan },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (ranges); ++i)
    if (ranges[i].low != -1 && ranges[i].high != -1 &&
        ranges[i].low > ranges[i].high)
      return v2v_fail (
          err, V2V_ERR_FORMAT,
          "%s: minimum-%s %" PRId64 " is above maximum-%s %" PRId64, name,
          ranges[i].what, ranges[i].low, ranges[i].what, ranges[i].high);
  if (c->generation1 == V2V_NO && c->generation2 == V2V_NO)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: no generation is allowed", name);
  if (c->vhd_disks == V2V_NO && c->vhdx_disks == V2V_NO)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: no kind of disk is allowed",
                     name);
  if (c->generation2 == V2V_NO &&
      (c->secure_boot_required == V2V_YES || c->tpm_required == V2V_YES))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: what it requires needs generation 2, which it does "
                     "not allow",
                     name);
  return 0;
}

/* ---- judging ---- */

struct judge {
  const struct v2v_capability_profile *c;
  struct v2v_findings *findings;
  bool failed; /* out of memory */
};

__attribute__ ((format (printf, 4, 5))) static void
breach (struct judge *j, const char *id, const char *field, const char *fmt,
        ...)
{
  char message[200];
  va_list ap;

  va_start (ap, fmt);
  vsnprintf (message, sizeof message, fmt, ap);
  va_end (ap);
  if (v2v_findings_add (j->findings, V2V_CRITICAL, id, field,
                        "change the hardware, or choose another place for it",
                        "%s", message) == -1)
    j->failed = true;
}

static void
judge_range (struct judge *j, const char *field, int64_t value, int64_t low,
             int64_t high)
{
  if (low != -1 && value < low)
    breach (j, "library.capability.range", field,
            "%" PRId64 ", at least %" PRId64 " is required", value, low);
  if (high != -1 && value > high)
    breach (j, "library.capability.range", field,
            "%" PRId64 ", at most %" PRId64 " is allowed", value, high);
}

static void
judge_allowed (struct judge *j, const char *field, bool is,
               enum v2v_tristate allowed)
{
  if (is && allowed == V2V_NO)
    breach (j, "library.capability.not-allowed", field, "it is not allowed");
}

static void
judge_required (struct judge *j, const char *field, bool is,
                enum v2v_tristate required)
{
  if (!is && required == V2V_YES)
    breach (j, "library.capability.required", field, "it is required");
}

static int64_t
or_default (int64_t value, int64_t otherwise)
{
  return value != -1 ? value : otherwise;
}

static void
judge_nic (struct judge *j, const struct v2v_hardware_nic *n, size_t i)
{
  const struct v2v_capability_profile *c = j->c;
  bool known = c->switches == NULL || n->switch_name == NULL;
  char field[64];

  snprintf (field, sizeof field, "network-adapters[%zu]", i);
  judge_allowed (j, field, n->kind == V2V_NIC_LEGACY, c->legacy_nics);
  judge_allowed (j, field, n->mac_policy == V2V_MAC_STATIC, c->static_macs);
  judge_allowed (j, field, n->mac_spoofing == V2V_YES, c->mac_spoofing);
  if (n->vlan != -1)
    judge_range (j, field, n->vlan, c->minimum_vlan, c->maximum_vlan);
  for (char **s = c->switches; !known && *s != NULL; ++s)
    known = strcasecmp (*s, n->switch_name) == 0;
  if (!known)
    breach (j, "library.capability.not-allowed", field,
            "switch '%.100s' is none of those allowed", n->switch_name);
}

static void
judge_hardware (struct judge *j, const struct v2v_hardware_profile *h)
{
  const struct v2v_capability_profile *c = j->c;

  judge_allowed (j, "generation", h->generation == 1, c->generation1);
  judge_allowed (j, "generation", h->generation == 2, c->generation2);
  judge_range (j, "processor.count",
               or_default (h->processor.count, DEFAULT_PROCESSORS),
               c->minimum_processors, c->maximum_processors);
  judge_range (j, "memory.startup-mib",
               or_default (h->memory.startup_mib, DEFAULT_MEMORY_MIB),
               c->minimum_memory_mib, c->maximum_memory_mib);
  if (h->memory.dynamic == V2V_YES)
    judge_range (j, "memory.maximum-mib",
                 or_default (h->memory.maximum_mib, MAX_MEMORY_MIB), -1,
                 c->maximum_memory_mib);
  judge_allowed (j, "memory.dynamic", h->memory.dynamic == V2V_YES,
                 c->dynamic_memory);
  judge_allowed (j, "processor.nested-virtualization",
                 h->processor.nested == V2V_YES, c->nested);
  judge_range (j, "dvd-drives", (int64_t) h->nr_dvds, -1, c->maximum_dvds);
  judge_range (j, "scsi-controllers", or_default (h->scsi_controllers, 0), -1,
               c->maximum_scsi_controllers);
  judge_range (j, "com-ports", (int64_t) h->nr_coms, -1, c->maximum_com_ports);
  judge_range (j, "network-adapters", (int64_t) h->nr_nics, c->minimum_nics,
               c->maximum_nics);
  for (size_t i = 0; i < h->nr_nics; ++i)
    judge_nic (j, &h->nics[i], i);
  judge_required (j, "firmware.secure-boot", h->firmware.secure_boot == V2V_YES,
                  c->secure_boot_required);
  judge_required (j, "security.tpm", h->security.tpm == V2V_YES,
                  c->tpm_required);
  judge_required (j, "policies.highly-available",
                  h->policies.highly_available == V2V_YES,
                  c->high_availability_required);
  /* Production checkpoints are what Hyper-V takes if nothing is said. */
  judge_allowed (j, "policies.checkpoint",
                 h->policies.checkpoint != 1 + V2V_CHECKPOINT_DISABLED,
                 c->checkpoints);
}

static bool
ends_in (const char *file, const char *suffix)
{
  const size_t n = file != NULL ? strlen (file) : 0, k = strlen (suffix);

  return n > k && strcasecmp (file + n - k, suffix) == 0;
}

static void
judge_disks (struct judge *j, const struct v2v_vm_template *t)
{
  const struct v2v_capability_profile *c = j->c;

  judge_range (j, "disks", (int64_t) t->nr_disks, c->minimum_disks,
               c->maximum_disks);
  for (size_t i = 0; i < t->nr_disks; ++i) {
    const struct v2v_template_disk *d = &t->disks[i];
    const char *file = d->file != NULL ? d->file : d->object.name;
    char field[64];

    snprintf (field, sizeof field, "disks[%zu]", i);
    if (d->size_gib != -1)
      judge_range (j, field, d->size_gib, -1, c->maximum_disk_gib);
    judge_allowed (j, field, d->storage == V2V_STORAGE_DIFFERENCING,
                   c->differencing_disks);
    judge_allowed (j, field, ends_in (file, ".vhd"), c->vhd_disks);
    judge_allowed (j, field, ends_in (file, ".vhdx"), c->vhdx_disks);
  }
}

int
v2v_capability_judge (const struct v2v_document *capability,
                      const struct v2v_document *hardware,
                      const struct v2v_document *vm_template,
                      struct v2v_findings *findings, struct v2v_error **err)
{
  struct judge j = { .c = &capability->capability, .findings = findings };

  if (hardware != NULL)
    judge_hardware (&j, &hardware->hardware);
  if (vm_template != NULL)
    judge_disks (&j, &vm_template->vm_template);
  return j.failed ? v2v_fail_nomem (err) : 0;
}
