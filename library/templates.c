/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates of machines and of services: the tables of their fields.  What
 * must fit together is in template-check.c.
 */

#include <config.h>

#include "library/document-internal.h"

static const char *const setting_types[] = { "text", "number", "flag", "secret",
                                             NULL };
static const char *const storages[] = { "differencing", "copy", "blank", NULL };
static const char *const sources[] = { "vm", "disk", "template", NULL };
static const char *const phases[] = { "first-vm", "next-vms", "scale-in",
                                      "update",   "remove",   NULL };
static const char *const protocols[] = { "tcp", "http", "https", NULL };
static const char *const balances[] = { "round-robin", "least-connections",
                                        "source", NULL };

#define MAX_INSTANCES 10000

const char *
v2v_script_phase_name (enum v2v_script_phase phase)
{
  return phases[phase - 1];
}

#define S v2v_reference
static const struct field reference_fields[] = {
  F_TEXT (S, name, "name", .max = 255),
  F_NUMBER (S, version, "version", 1, INT32_MAX),
  F_TEXT (S, id, "id", .rule = document_rule_guid),
  F_TEXT (S, digest, "digest", .rule = document_rule_digest),
  F_TEXT (S, family, "family", .max = 255),
  F_TEXT (S, release, "release", .max = 255),
  F_END
};
const struct record document_reference = { sizeof (struct S),
                                           reference_fields };
#undef S

#define S v2v_setting
static const struct field setting_fields[] = {
  F_TEXT (S, name, "name", .max = 64, .rule = document_rule_setting,
          .key = true),
  F_CHOICE (S, type, "type", setting_types),
  F_FLAG (S, mandatory, "mandatory"),
  F_TEXT (S, fallback, "default"),
  F_TEXT (S, field, "field", .max = 255),
  F_NUMBER (S, minimum, "minimum", 0, INT64_C (1) << 53),
  F_NUMBER (S, maximum, "maximum", 0, INT64_C (1) << 53),
  F_LINES (S, description, "description"),
  F_END
};
const struct record document_setting = { sizeof (struct S), setting_fields };
#undef S

#define S v2v_template_disk
static const struct field disk_fields[] = {
  F_TEXT (S, name, "name", .max = 64, .key = true),
  F_CHOICE (S, bus, "bus", document_buses),
  F_NUMBER (S, controller, "controller", 0, 3),
  F_NUMBER (S, location, "location", 0, 63),
  F_FLAG (S, boot, "boot"),
  F_CHOICE (S, storage, "storage", storages),
  F_NUMBER (S, size_gib, "size-gib", 1, 65536),
  F_TEXT (S, file, "file", .max = 255),
  F_GROUP (S, object, "object", &document_reference),
  F_END
};
static const struct record disk = { sizeof (struct S), disk_fields };
#undef S

#define S v2v_provenance
static const struct field provenance_fields[] = {
  F_CHOICE (S, kind, "kind", sources),
  F_TEXT (S, name, "name", .max = 255),
  F_TEXT (S, id, "id", .rule = document_rule_guid),
  F_TEXT (S, digest, "digest", .rule = document_rule_digest),
  F_TEXT (S, when, "when", .max = 32),
  F_TEXT (S, tool, "tool", .max = 64),
  F_END
};
static const struct record provenance = { sizeof (struct S),
                                          provenance_fields };
#undef S

#define S v2v_document
static const struct field vm_template_fields[] = {
  DOCUMENT_HEAD,
  F_TEXT (S, vm_template.computer_name, "computer-name",
          .rule = document_rule_pattern),
  F_FLAG (S, vm_template.generalized, "generalized"),
  F_GROUP (S, vm_template.hardware, "hardware-profile", &document_reference),
  F_GROUP (S, vm_template.guest_os, "guest-os-profile", &document_reference),
  F_GROUP (S, vm_template.capability, "capability-profile",
           &document_reference),
  { .name = "disks",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, vm_template.disks),
    .second = offsetof (struct S, vm_template.nr_disks),
    .item = "disk",
    .sub = &disk },
  { .name = "settings",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, vm_template.settings),
    .second = offsetof (struct S, vm_template.nr_settings),
    .item = "setting",
    .sub = &document_setting },
  { .name = "provenance",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, vm_template.provenance),
    .second = offsetof (struct S, vm_template.nr_provenance),
    .item = "source",
    .sub = &provenance },
  F_END
};
const struct record document_vm_template = { sizeof (struct S),
                                             vm_template_fields };
#undef S

#define S v2v_tier_script
static const struct field script_fields[] = {
  F_TEXT (S, name, "name", .max = 64, .key = true),
  F_CHOICE (S, phase, "phase", phases),
  F_NUMBER (S, timeout_seconds, "timeout-seconds", 1, 86400),
  F_TEXT (S, arguments, "arguments"),
  F_GROUP (S, object, "object", &document_reference),
  F_END
};
static const struct record script = { sizeof (struct S), script_fields };
#undef S

#define S v2v_tier
static const struct field tier_fields[] = {
  F_TEXT (S, name, "name", .max = 64, .key = true),
  F_NUMBER (S, order, "order", 1, 1000),
  F_NUMBER (S, minimum, "minimum", 0, MAX_INSTANCES),
  F_NUMBER (S, instances, "instances", 0, MAX_INSTANCES),
  F_NUMBER (S, maximum, "maximum", 1, MAX_INSTANCES),
  F_NUMBER (S, upgrade_domains, "upgrade-domains", 1, MAX_INSTANCES),
  F_TEXT (S, availability_set, "availability-set", .max = 64),
  F_FLAG (S, anti_affinity, "anti-affinity"),
  F_TEXT (S, computer_name, "computer-name", .max = 64),
  F_TEXT (S, addresses, "addresses"),
  F_GROUP (S, vm_template, "vm-template", &document_reference),
  F_GROUP (S, hardware, "hardware-profile", &document_reference),
  F_GROUP (S, guest_os, "guest-os-profile", &document_reference),
  F_LIST (S, scripts, "scripts", "script", &script),
  F_END
};
static const struct record tier = { sizeof (struct S), tier_fields };
#undef S

#define S v2v_load_balancer_port
static const struct field port_fields[] = {
  F_TEXT (S, name, "name", .max = 64, .key = true),
  F_TEXT (S, tier, "tier", .max = 64),
  F_CHOICE (S, protocol, "protocol", protocols),
  F_TEXT (S, address, "address", .max = 64),
  F_NUMBER (S, port, "port", 1, 65535),
  F_NUMBER (S, backend_port, "backend-port", 1, 65535),
  F_CHOICE (S, balance, "balance", balances),
  F_FLAG (S, sticky, "sticky"),
  F_TEXT (S, health_path, "health-path", .max = 255),
  F_NUMBER (S, health_seconds, "health-seconds", 1, 3600),
  F_END
};
static const struct record port = { sizeof (struct S), port_fields };
#undef S

#define S v2v_document
static const struct field service_fields[] = {
  DOCUMENT_HEAD,
  F_TEXT (S, service.computer_prefix, "computer-prefix", .max = 32),
  { .name = "settings",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, service.settings),
    .second = offsetof (struct S, service.nr_settings),
    .item = "setting",
    .sub = &document_setting },
  { .name = "tiers",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, service.tiers),
    .second = offsetof (struct S, service.nr_tiers),
    .item = "tier",
    .sub = &tier },
  { .name = "load-balancer",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, service.ports),
    .second = offsetof (struct S, service.nr_ports),
    .item = "port",
    .sub = &port },
  F_END
};
const struct record document_service = { sizeof (struct S), service_fields };
#undef S
