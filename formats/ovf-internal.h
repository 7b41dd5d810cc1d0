/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by ovf*.c only. */
#ifndef V2V_OVF_INTERNAL_H
#define V2V_OVF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/text.h"
#include "formats/machine-internal.h"
#include "formats/ovf.h"
#include "formats/xml.h"

/* Hostile counts.  Lists are searched from their start, so that the work grows
 * with the square of these numbers: each takes less than a second.  The largest
 * package we know of has 300 files; vCenter allows fewer than 400 devices in
 * one machine and chains of 32 disks.
 */
#define OVF_MAX_FILES      16384
#define OVF_MAX_DISKS      1024
#define OVF_MAX_PARENTS    64
#define OVF_MAX_MACHINES   256
#define OVF_MAX_ITEMS      1024
#define OVF_MAX_PROPERTIES 1024

/* ---- ovf-units.c ---- */

enum ovf_unit_kind {
  OVF_UNIT_NONE, /* a bare factor */
  OVF_UNIT_BYTE,
  OVF_UNIT_HERTZ,
  OVF_UNIT_COUNT,
};

/* Parse an allocation unit; false if malformed, unknown or over 2^64. */
bool v2v_ovf_units (const char *text, enum ovf_unit_kind *ret_kind,
                    uint64_t *ret_factor);
/* An unsigned decimal integer, blanks around it allowed. */
bool v2v_ovf_number (const char *text, uint64_t *ret);

/* ---- ovf.c ---- */

/* A Disk element of a DiskSection. */
struct ovf_disk {
  char *id;
  char *file_ref; /* or NULL: blank */
  char *parent_ref;
  char *format;
  const struct v2v_xml_node *node; /* capacity may be a ${property} */
};

/* Properties and sections that a collection hands down to what is inside. */
struct ovf_scope {
  const struct ovf_scope *outer;
  const struct v2v_xml_node *node; /* Envelope, collection or system */
  const char *id;                  /* ovf:id, or NULL */
};

struct ovf_ctx {
  struct v2v_ovf *ovf;
  const char *name;
  const char *wanted; /* deployment option asked for, or NULL */
  struct ovf_disk *disks;
  size_t nr_disks;
  char **networks;
  size_t nr_networks;
  /* What the envelope says to all machines: copied into each of them. */
  struct v2v_findings findings;
};

#define OVF_NS_VMW  "http://www.vmware.com/schema/ovf"
#define OVF_NS_VBOX "http://www.virtualbox.org/ovf/machine"
#define OVF_NS_XSI  "http://www.w3.org/2001/XMLSchema-instance"

/* Is N the element NAME of some OVF version? */
bool ovf_is (const struct v2v_xml_node *n, const char *name);
bool ovf_is_ns (const char *ns);
/* An attribute in any OVF namespace, or without one. */
const char *ovf_attr (const struct v2v_xml_node *n, const char *name);
const char *ovf_attr_vmw (const struct v2v_xml_node *n, const char *name);
/* ovf:required, true when absent. */
bool ovf_required (const struct v2v_xml_node *n);
/* Is the element part of the chosen configuration?  Without an attribute it
 * is part of each. */
bool ovf_in_configuration (const struct ovf_ctx *ctx,
                           const struct v2v_xml_node *n);
/* The name of a section: its element's, or for OVF 0.9 that of xsi:type
 * without "_Type".  "" for what is not a section in an OVF namespace.  *RET_NS
 * gets the namespace. */
const char *ovf_section_name (const struct v2v_xml_node *n, char *buf,
                              size_t len, const char **ret_ns);
/* Error about element N: "NAME: line L: " is put in front. */
int ovf_fail (const struct ovf_ctx *ctx, const struct v2v_xml_node *n,
              enum v2v_error_code code, struct v2v_error **err, const char *fmt,
              ...) __attribute__ ((format (printf, 5, 6)));
/* A copy of the element's text, NULL and no error if N is NULL or empty. */
int ovf_text (const struct v2v_xml_node *n, char **ret, struct v2v_error **err);
const struct ovf_disk *ovf_find_disk (const struct ovf_ctx *ctx,
                                      const char *id);
const struct v2v_ovf_file *ovf_find_file (const struct ovf_ctx *ctx,
                                          const char *id);

/* ---- ovf-sections.c ---- */

/* All sections of the envelope, a collection or a system that are not
 * machines or hardware: known ones are read, unknown optional ones become
 * findings in F, unknown required ones refuse.  M is NULL outside of a
 * system. */
int ovf_read_section (struct ovf_ctx *ctx, const struct ovf_scope *scope,
                      const struct v2v_xml_node *n, struct v2v_machine *m,
                      struct v2v_findings *f, struct v2v_error **err);
int ovf_read_references (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
                         struct v2v_error **err);
int ovf_choose_configuration (struct ovf_ctx *ctx,
                              const struct v2v_xml_node *envelope,
                              struct v2v_error **err);
/* Add the properties of SCOPE and the ones around it to M. */
int ovf_read_properties (struct ovf_ctx *ctx, const struct ovf_scope *scope,
                         struct v2v_machine *m, struct v2v_error **err);
/* Replace ${key} by the values of M's properties: a new string. */
int ovf_expand (const struct v2v_machine *m, const char *text, char **ret,
                struct v2v_error **err);
/* Capacity of a disk in bytes. */
int ovf_disk_capacity (struct ovf_ctx *ctx, const struct v2v_machine *m,
                       const struct ovf_disk *d, uint64_t *ret_bytes,
                       struct v2v_error **err);
/* What VirtualBox keeps in a section of its own: firmware, MACs. */
int ovf_read_vbox_machine (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
                           struct v2v_machine *m, struct v2v_error **err);

/* ---- ovf-config.c ---- */

/* vmw:Config, vmw:ExtraConfig and vmw:BootOrderSection below the hardware
 * section HW. */
int ovf_read_config (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                     struct v2v_machine *m, struct v2v_error **err);

/* ---- ovf-items.c ---- */

/* An Item, StorageItem or EthernetPortItem; strings are owned. */
struct ovf_item {
  const struct v2v_xml_node *node;
  bool overridden; /* by a later one with the same InstanceID */
  bool required;
  char *instance_id;
  unsigned type; /* CIM ResourceType; 0 = none */
  char *subtype;
  char *label; /* ElementName, else Caption, else Description, else "" */
  char *hints; /* all three, for guessing what an odd item is */
  char *address;
  char *address_on_parent;
  char *parent;
  char **hosts; /* HostResource, NULL-terminated */
  size_t nr_hosts;
  char **connections; /* Connection, NULL-terminated */
  size_t nr_connections;
  bool connected; /* AutomaticAllocation, true when absent */
  char *quantity;
  char *units;
  char *reservation;
  char *limit;
  char *weight;
  char *cores_per_socket;
  unsigned pci_slot; /* 0 = unknown */
};

struct ovf_items {
  struct ovf_item *ptr;
  size_t len;
};

int ovf_read_items (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                    struct v2v_machine *m, struct ovf_items *ret,
                    struct v2v_error **err);
void ovf_items_free (struct ovf_items *items);

/* ---- ovf-hardware.c, ovf-devices.c ---- */

int ovf_read_hardware (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                       struct v2v_machine *m, struct v2v_error **err);
/* Everything but processors, memory and controllers. */
int ovf_read_device (struct ovf_ctx *ctx, const struct ovf_items *items,
                     const struct ovf_item *it, struct v2v_machine *m,
                     struct v2v_error **err);
/* First word of a list like "virtio, lsilogic" that KNOWN has (compared
 * without case), else the first word; lower case, new string. */
char *ovf_choose_subtype (const char *list, const char *const *known);
/* Bus, number and unit of a device by Parent and AddressOnParent.  A device
 * without parent is put on bus OTHER. */
int ovf_place (struct ovf_ctx *ctx, const struct ovf_items *items,
               const struct ovf_item *it, const struct v2v_machine *m,
               enum v2v_bus *ret_bus, unsigned *ret_controller,
               unsigned *ret_unit, struct v2v_error **err);

#endif /* V2V_OVF_INTERNAL_H */
