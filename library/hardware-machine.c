/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware profiles out of machines: of the description of one (NAME.json), or
 * of a plan.  The other way is in hardware-apply.c.
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
take_setting (struct v2v_document *d, const struct v2v_json *setting,
              const char *name, struct v2v_error **err)
{
  const char *what = v2v_json_get_string (setting, "what");
  const char *parameter = v2v_json_get_string (setting, "parameter");
  CLEANUP_FREE char *value =
      value_text (v2v_json_get (setting, "value"), AS_IS);
  CLEANUP_FREE char *path = NULL, *text = NULL;
  uint64_t adapter = 0;

  v2v_json_get_u64 (setting, "adapter", &adapter);
  if (what == NULL || parameter == NULL || value == NULL)
    return 0;
  if (hardware_path_of_setting (what, parameter, value, adapter, &path,
                                &text) == -1)
    return v2v_fail_nomem (err);
  if (path != NULL && v2v_document_set (d, path, text, err) == -1)
    return v2v_prefix (err, "%s", name);
  return 0;
}

static int
take_lists (struct v2v_document *d, const struct v2v_json *target,
            bool keep_macs, const char *name, struct v2v_error **err)
{
  static const char *const place[] = { "bus", "controller", "location" };
  const struct v2v_json *dvds = v2v_json_get (target, "dvd_drives");
  const struct v2v_json *nics = v2v_json_get (target, "network_adapters");
  const struct v2v_json *coms = v2v_json_get (target, "com_ports");
  const struct v2v_json *settings = v2v_json_get (target, "settings");
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
  for (size_t i = 0; i < v2v_json_length (settings); ++i)
    if (take_setting (d, v2v_json_at (settings, i), name, err) == -1)
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
