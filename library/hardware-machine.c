/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware profiles and machines: a profile out of a machine's description
 * (NAME.json), and a plan changed as a profile says.
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

/* ---- from a description ---- */

enum how { AS_IS, MIB };

/* Members of "target" in NAME.json (formats/hyperv-json.c). */
static const struct {
  const char *group, *member; /* group NULL = target itself */
  const char *path;
  enum how how;
} members[] = {
  { NULL, "generation", "generation", AS_IS },
  { NULL, "scsi_controllers", "scsi-controllers", AS_IS },
  { "processor", "count", "processor.count", AS_IS },
  { "processor", "relative_weight", "processor.weight", AS_IS },
  { "processor", "compatibility_for_migration",
    "processor.migration-compatibility", AS_IS },
  { "processor", "compatibility_for_older_systems",
    "processor.older-systems-compatibility", AS_IS },
  { "processor", "nested_virtualization", "processor.nested-virtualization",
    AS_IS },
  { "memory", "startup_bytes", "memory.startup-mib", MIB },
  { "memory", "dynamic", "memory.dynamic", AS_IS },
  { "memory", "minimum_bytes", "memory.minimum-mib", MIB },
  { "memory", "maximum_bytes", "memory.maximum-mib", MIB },
  { "firmware", "secure_boot_template", "firmware.secure-boot-template",
    AS_IS },
  { "policies", "checkpoint_type", "policies.checkpoint", AS_IS },
  { "policies", "automatic_start_action", "policies.start-action", AS_IS },
  { "policies", "automatic_start_delay_seconds", "policies.start-delay-seconds",
    AS_IS },
  { "policies", "automatic_stop_action", "policies.stop-action", AS_IS },
  { "policies", "time_synchronization",
    "integration-services.time-synchronization", AS_IS },
};

/* The text of a value, or NULL: absent, null, or of a kind that is none. */
static char *
value_text (const struct v2v_json *j, enum how how)
{
  const char *s = v2v_json_string_value (j);
  char *text = NULL;
  uint64_t n;
  bool flag;

  if (s != NULL)
    return strdup (s);
  if (v2v_json_bool_value (j, &flag))
    return strdup (flag ? "true" : "false");
  if (!v2v_json_u64_value (j, &n))
    return NULL;
  if (how == MIB)
    n /= V2V_MIB;
  return asprintf (&text, "%" PRIu64, n) == -1 ? NULL : text;
}

static int
set_member (struct v2v_document *d, const char *path, const struct v2v_json *j,
            enum how how, const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *text = value_text (j, how);

  if (text == NULL || *text == '\0')
    return 0;
  return v2v_document_set (d, path, text, err) == -1
             ? v2v_prefix (err, "%s", name)
             : 0;
}

/* OBJ's MEMBER becomes FIELD of element I of LIST. */
static int
set_in_list (struct v2v_document *d, const char *list, size_t i,
             const char *field, const struct v2v_json *obj, const char *member,
             const char *name, struct v2v_error **err)
{
  char path[96];

  snprintf (path, sizeof path, "%s[%zu].%s", list, i, field);
  return set_member (d, path, v2v_json_get (obj, member), AS_IS, name, err);
}

/* "00155D010203": with colons between, lower case. */
static bool
spread_mac (const char *mac, char out[18])
{
  if (mac == NULL || strlen (mac) != 12)
    return false;
  for (size_t i = 0; i < 12; ++i) {
    out[i + i / 2] = (char) tolower ((unsigned char) mac[i]);
    if (i % 2 == 1)
      out[i + i / 2 + 1] = ':';
  }
  out[17] = '\0';
  return true;
}

static int
take_nic (struct v2v_document *d, size_t i, const struct v2v_json *nic,
          bool keep_macs, const char *name, struct v2v_error **err)
{
  static const char *const same[][2] = {
    { "name", "name" },
    { "kind", "kind" },
    { "network", "network" },
    { "switch", "switch" },
    { "vlan-mode", "vlan_mode" },
    { "vlan", "vlan" },
    { "mac-spoofing", "mac_spoofing" },
  };
  char mac[18], path[64];

  for (size_t k = 0; k < V2V_ARRAY_SIZE (same); ++k)
    if (set_in_list (d, "network-adapters", i, same[k][0], nic, same[k][1],
                     name, err) == -1)
      return -1;
  if (!keep_macs || !spread_mac (v2v_json_get_string (nic, "mac"), mac))
    return 0;
  snprintf (path, sizeof path, "network-adapters[%zu].mac", i);
  if (v2v_document_set (d, path, mac, err) == -1)
    return v2v_prefix (err, "%s", name);
  snprintf (path, sizeof path, "network-adapters[%zu].mac-policy", i);
  return v2v_document_set (d, path, "static", err);
}

static int
take_lists (struct v2v_document *d, const struct v2v_json *target,
            bool keep_macs, const char *name, struct v2v_error **err)
{
  static const char *const place[] = { "bus", "controller", "location" };
  const struct v2v_json *dvds = v2v_json_get (target, "dvd_drives");
  const struct v2v_json *nics = v2v_json_get (target, "network_adapters");
  const struct v2v_json *coms = v2v_json_get (target, "com_ports");
  const struct v2v_json *boot =
      v2v_json_get (v2v_json_get (target, "firmware"), "boot_order");

  for (size_t i = 0; i < v2v_json_length (dvds); ++i)
    for (size_t k = 0; k < V2V_ARRAY_SIZE (place); ++k)
      if (set_in_list (d, "dvd-drives", i, place[k], v2v_json_at (dvds, i),
                       place[k], name, err) == -1)
        return -1;
  for (size_t i = 0; i < v2v_json_length (nics); ++i)
    if (take_nic (d, i, v2v_json_at (nics, i), keep_macs, name, err) == -1)
      return -1;
  /* The pipe has the name of the machine in it. */
  for (size_t i = 0; i < v2v_json_length (coms); ++i)
    if (set_in_list (d, "com-ports", i, "number", v2v_json_at (coms, i),
                     "number", name, err) == -1)
      return -1;
  for (size_t i = 0; i < v2v_json_length (boot); ++i)
    if (set_in_list (d, "boot-order", i, "kind", v2v_json_at (boot, i), "kind",
                     name, err) == -1 ||
        set_in_list (d, "boot-order", i, "index", v2v_json_at (boot, i),
                     "index", name, err) == -1)
      return -1;
  return 0;
}

/* Of generation 1 these say nothing: it has neither. */
static int
take_security (struct v2v_document *d, const struct v2v_json *target,
               const char *name, struct v2v_error **err)
{
  const struct v2v_json *firmware = v2v_json_get (target, "firmware");

  if (d->hardware.generation != 2)
    return 0;
  return set_member (d, "firmware.secure-boot",
                     v2v_json_get (firmware, "secure_boot"), AS_IS, name,
                     err) == -1 ||
                 set_member (d, "security.tpm", v2v_json_get (firmware, "tpm"),
                             AS_IS, name, err) == -1
             ? -1
             : 0;
}

static int
take_members (struct v2v_document *d, const struct v2v_json *machine,
              bool keep_macs, const char *name, struct v2v_error **err)
{
  const char *schema = v2v_json_get_string (machine, "schema");
  const struct v2v_json *target = v2v_json_get (machine, "target");

  if (schema == NULL || strcmp (schema, V2V_MACHINE_SCHEMA) != 0 ||
      !v2v_json_is_object (target))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: not the description of a machine (schema "
                     "\"%s\")",
                     name, V2V_MACHINE_SCHEMA);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i) {
    const struct v2v_json *from = members[i].group == NULL
                                      ? target
                                      : v2v_json_get (target, members[i].group);

    if (set_member (d, members[i].path, v2v_json_get (from, members[i].member),
                    members[i].how, name, err) == -1)
      return -1;
  }
  if (set_member (d, "name", v2v_json_get (target, "name"), AS_IS, name, err) ==
          -1 ||
      take_security (d, target, name, err) == -1 ||
      take_lists (d, target, keep_macs, name, err) == -1)
    return -1;
  return v2v_document_check (d, name, err);
}

struct v2v_document *
v2v_hardware_from_json (const struct v2v_json *machine, const char *name,
                        bool keep_macs, struct v2v_error **err)
{
  struct v2v_document *d = v2v_document_new (V2V_DOCUMENT_HARDWARE, err);

  if (d == NULL)
    return NULL;
  if (take_members (d, machine, keep_macs, name, err) == -1) {
    /* What does not fit is the description's fault. */
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

struct v2v_document *
v2v_hardware_from_plan (const struct v2v_hyperv_plan *plan, bool keep_macs,
                        struct v2v_error **err)
{
  struct v2v_machine *m = v2v_machine_new (err);
  struct v2v_json *j = m != NULL ? v2v_hyperv_to_json (plan, m) : NULL;
  struct v2v_document *d = NULL;

  if (j != NULL)
    d = v2v_hardware_from_json (j, plan->name, keep_macs, err);
  else if (m != NULL)
    v2v_fail_nomem (err);
  v2v_json_free (j);
  v2v_machine_free (m);
  return d;
}

/* ---- onto a plan ---- */

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

/* Is PATH one that the functions above have looked at? */
static bool
is_applied (const char *path)
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
  const char *behind = strrchr (path, ']');

  for (size_t i = 0; i < V2V_ARRAY_SIZE (whole); ++i)
    if (strcmp (path, whole[i]) == 0)
      return true;
  if (strncmp (path, "tags[", 5) == 0)
    return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (of_nics); ++i)
    if (strncmp (path, "network-adapters[", 17) == 0 && behind != NULL &&
        behind[1] == '.' && strcmp (behind + 2, of_nics[i]) == 0)
      return true;
  return false;
}

struct rest {
  struct v2v_findings *findings;
  const struct v2v_document *profile;
  const struct v2v_hyperv_plan *plan;
};

static int
note_rest (void *arg, const char *path, const char *old, const char *new)
{
  const struct rest *r = arg;

  (void) old;
  if (is_applied (path))
    return 0;
  if (strcmp (path, "firmware.secure-boot-template") == 0 &&
      strcmp (new, v2v_hyperv_template_name (r->plan->secure_boot_template)) ==
          0)
    return 0;
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
  struct rest r = { .findings = findings, .profile = profile, .plan = plan };
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
      apply_firmware (h, plan, err) == -1 || apply_nics (h, plan, err) == -1)
    return v2v_prefix (err, "hardware profile '%s'", profile->head.name);
  apply_policies (h, plan);
  empty = v2v_document_new (V2V_DOCUMENT_HARDWARE, err);
  if (empty == NULL)
    return -1;
  result = record_diff (&document_hardware, empty, profile, note_rest, &r);
  v2v_document_free (empty);
  return result == 0 ? 0 : v2v_fail_nomem (err);
}
