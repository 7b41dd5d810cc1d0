/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates of machines and of services.  See document.h. */
#ifndef V2V_TEMPLATES_H
#define V2V_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "inject/customize.h"

struct v2v_document;

/* Another object of the library: by its id, by its content, by its name, or
 * by family and release (the newest equal one). */
struct v2v_reference {
  char *id;     /* GUID */
  char *digest; /* "sha256:..." or "sha256-2m:..." */
  char *name;
  int64_t version;
  char *family, *release;
};

/* One that is asked for when it is deployed; @NAME@ in texts. */
enum v2v_setting_type {
  V2V_SETTING_TEXT = 1,
  V2V_SETTING_NUMBER,
  V2V_SETTING_FLAG,
  V2V_SETTING_SECRET, /* given as the name of a file only */
};
struct v2v_setting {
  char *name;
  unsigned type; /* enum v2v_setting_type; 0 = text */
  enum v2v_tristate mandatory;
  char *fallback; /* the default */
  char *field;    /* VM template: what it sets, "hardware.processor.count" */
  int64_t minimum, maximum;
  char *description;
};

enum v2v_template_storage {
  V2V_STORAGE_DIFFERENCING = 1,
  V2V_STORAGE_COPY,
  V2V_STORAGE_BLANK, /* made empty, size_gib */
};
struct v2v_template_disk {
  char *name;
  unsigned bus; /* enum v2v_hardware_bus */
  int64_t controller, location;
  enum v2v_tristate boot;
  unsigned storage; /* enum v2v_template_storage */
  int64_t size_gib;
  char *file; /* name of the file, where it is not in a library */
  struct v2v_reference object;
};

/* What it was made from. */
struct v2v_provenance {
  unsigned kind; /* "vm", "disk", "template" */
  char *name;
  char *id;
  char *digest;
  char *when; /* UTC, "2026-11-23T11:00:00Z" */
  char *tool;
};

struct v2v_vm_template {
  char *computer_name; /* pattern: computer-names.h */
  enum v2v_tristate generalized;
  struct v2v_reference hardware, guest_os, capability;
  struct v2v_template_disk *disks;
  size_t nr_disks;
  struct v2v_setting *settings;
  size_t nr_settings;
  struct v2v_provenance *provenance;
  size_t nr_provenance;
};

enum v2v_script_phase {
  V2V_PHASE_FIRST_VM = 1,
  V2V_PHASE_NEXT_VMS,
  V2V_PHASE_SCALE_IN,
  V2V_PHASE_UPDATE,
  V2V_PHASE_REMOVE,
};
/* "first-vm" ... */
const char *v2v_script_phase_name (enum v2v_script_phase phase);
struct v2v_tier_script {
  char *name;
  unsigned phase; /* enum v2v_script_phase */
  int64_t timeout_seconds;
  char *arguments;
  struct v2v_reference object;
};

struct v2v_tier {
  char *name;
  int64_t order;
  int64_t minimum, instances, maximum;
  int64_t upgrade_domains;
  char *availability_set;
  enum v2v_tristate anti_affinity;
  char *computer_name;
  char *addresses; /* "10.0.0.11/24-10.0.0.19": machine N has number N */
  struct v2v_reference vm_template, hardware, guest_os;
  struct v2v_tier_script *scripts;
  size_t nr_scripts;
};

struct v2v_load_balancer_port {
  char *name;
  char *tier;
  unsigned protocol; /* tcp, http, https */
  char *address;     /* of the service */
  int64_t port, backend_port;
  unsigned balance; /* round-robin, least-connections, source */
  enum v2v_tristate sticky;
  char *health_path;
  int64_t health_seconds;
};

struct v2v_service_template {
  char *computer_prefix;
  struct v2v_setting *settings;
  size_t nr_settings;
  struct v2v_tier *tiers;
  size_t nr_tiers;
  struct v2v_load_balancer_port *ports;
  size_t nr_ports;
};

/* Settings of a deployment: NAME=VALUE, borrowed. */
struct v2v_setting_value {
  const char *name;
  const char *value;
};
/* Is every given setting known and right, and is nothing mandatory missing?
 * *RET (freed with v2v_guest_free_list) has one value for each of the
 * document's settings in their order: "" where an optional one without a
 * default is not given.  V2V_ERR_USAGE otherwise, with the nearest name. */
int v2v_settings_resolve (const struct v2v_document *d,
                          const struct v2v_setting_value *given,
                          size_t nr_given, char ***ret, struct v2v_error **err);

#endif /* V2V_TEMPLATES_H */
