/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_machine as JSON: the "source" part of NAME.json.  Members are
 * always there; what the source does not say is null.  Names and units are
 * those of machine.h.  Values of password properties are never there.
 */

#include <config.h>

#include "formats/core/json.h"
#include "formats/machine.h"

static struct v2v_json *
tristate (enum v2v_tristate t)
{
  return t == V2V_UNKNOWN ? v2v_json_new_null ()
                          : v2v_json_new_bool (t == V2V_YES);
}

/* 0 means that the source does not say. */
static struct v2v_json *
known_u64 (uint64_t v)
{
  return v == 0 ? v2v_json_new_null () : v2v_json_new_u64 (v);
}

static const char *
shares_name (enum v2v_share_level s)
{
  switch (s) {
  case V2V_SHARES_UNSET:
    return NULL;
  case V2V_SHARES_LOW:
    return "low";
  case V2V_SHARES_NORMAL:
    return "normal";
  case V2V_SHARES_HIGH:
    return "high";
  case V2V_SHARES_CUSTOM:
    return "custom";
  }
  return NULL;
}

static const char *
cd_kind_name (enum v2v_cd_kind k)
{
  switch (k) {
  case V2V_CD_EMPTY:
    return "empty";
  case V2V_CD_IMAGE:
    return "image";
  case V2V_CD_HOST:
    return "host";
  }
  return NULL;
}

static struct v2v_json *
controllers (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_controllers; ++i) {
    const struct v2v_controller *c = &m->controllers[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "bus", v2v_bus_name (c->bus));
    v2v_json_set_u64 (o, "number", c->number);
    v2v_json_set_string (o, "model", c->model);
    v2v_json_set_bool (o, "shared", c->shared);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
disks (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_disks; ++i) {
    const struct v2v_disk *d = &m->disks[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "kind",
                         d->kind == V2V_DISK_BLANK ? "blank" : "file");
    v2v_json_set_string (o, "id", d->id);
    v2v_json_set_string (o, "bus", v2v_bus_name (d->bus));
    v2v_json_set_u64 (o, "controller", d->controller);
    v2v_json_set_u64 (o, "unit", d->unit);
    v2v_json_set (o, "capacity_bytes", known_u64 (d->capacity_bytes));
    v2v_json_set_string (o, "file", d->file);
    v2v_json_set_bool (o, "gzip", d->gzip);
    v2v_json_set (o, "chunk_bytes", known_u64 (d->chunk_bytes));
    v2v_json_set (o, "file_bytes", known_u64 (d->file_bytes));
    v2v_json_set_string (o, "parent_id", d->parent_id);
    v2v_json_set_string (o, "format_uri", d->format_uri);
    v2v_json_set_string (o, "mode", d->mode);
    v2v_json_set_bool (o, "shared", d->shared);
    v2v_json_set (o, "boot_order",
                  d->boot_order < 0
                      ? v2v_json_new_null ()
                      : v2v_json_new_u64 ((uint64_t) d->boot_order));
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
removables (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_removables; ++i) {
    const struct v2v_removable *r = &m->removables[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "type", r->floppy ? "floppy" : "cdrom");
    v2v_json_set_string (o, "kind", cd_kind_name (r->kind));
    v2v_json_set_string (o, "bus", v2v_bus_name (r->bus));
    v2v_json_set_u64 (o, "controller", r->controller);
    v2v_json_set_u64 (o, "unit", r->unit);
    v2v_json_set_string (o, "file", r->file);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
nics (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_nics; ++i) {
    const struct v2v_nic *n = &m->nics[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "id", n->id);
    v2v_json_set_string (o, "model", n->model);
    v2v_json_set_string (o, "network", n->network);
    v2v_json_set_string (o, "mac", n->mac);
    v2v_json_set_bool (o, "mac_static", n->mac_static);
    v2v_json_set_bool (o, "connected", n->connected);
    v2v_json_set (o, "vlan",
                  n->vlan < 0 ? v2v_json_new_null ()
                              : v2v_json_new_u64 ((uint64_t) n->vlan));
    v2v_json_set (o, "promiscuous", tristate (n->promiscuous));
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
serials (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_serials; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_u64 (o, "number", m->serials[i].number);
    v2v_json_set_string (o, "kind", m->serials[i].kind);
    v2v_json_set_string (o, "path", m->serials[i].path);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
properties (const struct v2v_machine *m)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < m->nr_properties; ++i) {
    const struct v2v_property *p = &m->properties[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "key", p->key);
    v2v_json_set_string (o, "label", p->label);
    v2v_json_set_string (o, "value", p->password ? NULL : p->value);
    v2v_json_set_bool (o, "password", p->password);
    v2v_json_set_bool (o, "user_configurable", p->user_configurable);
    v2v_json_append (list, o);
  }
  return list;
}

static void
add_processor_and_memory (const struct v2v_machine *m, struct v2v_json *o)
{
  v2v_json_set_u64 (o, "nr_cpus", m->nr_cpus);
  v2v_json_set (o, "cores_per_socket", known_u64 (m->cores_per_socket));
  v2v_json_set (o, "cpu_hot_add", tristate (m->cpu_hot_add));
  v2v_json_set (o, "nested_virtualization",
                tristate (m->nested_virtualization));
  v2v_json_set (o, "cpu_reservation_mhz", known_u64 (m->cpu_reservation_mhz));
  v2v_json_set (o, "cpu_limit_mhz", known_u64 (m->cpu_limit_mhz));
  v2v_json_set_string (o, "cpu_shares", shares_name (m->cpu_shares));
  v2v_json_set (o, "cpu_shares_value", known_u64 (m->cpu_shares_value));
  v2v_json_set_u64 (o, "memory_bytes", m->memory_bytes);
  v2v_json_set (o, "memory_hot_add", tristate (m->memory_hot_add));
  v2v_json_set (o, "memory_reservation_bytes",
                known_u64 (m->memory_reservation_bytes));
  v2v_json_set (o, "memory_limit_bytes", known_u64 (m->memory_limit_bytes));
  v2v_json_set_string (o, "memory_shares", shares_name (m->memory_shares));
  v2v_json_set (o, "memory_shares_value", known_u64 (m->memory_shares_value));
}

struct v2v_json *
v2v_machine_to_json (const struct v2v_machine *m)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *boot = v2v_json_new_array ();

  v2v_json_set_string (o, "name", m->name);
  v2v_json_set_string (o, "annotation", m->annotation);
  v2v_json_set_string (o, "os_id", m->os_id);
  v2v_json_set (o, "os_cim",
                m->os_cim <= 0 ? v2v_json_new_null ()
                               : v2v_json_new_u64 ((uint64_t) m->os_cim));
  v2v_json_set_string (o, "os_description", m->os_description);
  v2v_json_set_string (o, "uuid_bios", m->uuid_bios);
  v2v_json_set_string (o, "uuid_instance", m->uuid_instance);
  v2v_json_set_string (o, "hardware_version", m->hardware_version);
  v2v_json_set_string (o, "source_kind", m->source_kind);
  v2v_json_set_string (o, "source_path", m->source_path);
  v2v_json_set_string (o, "snapshot", m->snapshot);
  v2v_json_set_string (o, "firmware", v2v_firmware_name (m->firmware));
  v2v_json_set_bool (o, "firmware_stated", m->firmware_stated);
  v2v_json_set (o, "secure_boot", tristate (m->secure_boot));
  v2v_json_set (o, "tpm", tristate (m->tpm));
  v2v_json_set_string (o, "nvram_file", m->nvram_file);
  add_processor_and_memory (m, o);
  v2v_json_set (o, "controllers", controllers (m));
  v2v_json_set (o, "disks", disks (m));
  v2v_json_set (o, "removables", removables (m));
  v2v_json_set (o, "nics", nics (m));
  v2v_json_set (o, "serials", serials (m));
  v2v_json_set (o, "properties", properties (m));
  for (size_t i = 0; m->boot_order != NULL && m->boot_order[i] != NULL; ++i)
    v2v_json_append (boot, v2v_json_new_string (m->boot_order[i]));
  v2v_json_set (o, "boot_order", boot);
  v2v_json_set (o, "sync_time", tristate (m->sync_time));
  v2v_json_set (o, "findings", v2v_findings_to_json (&m->findings));
  return o;
}
