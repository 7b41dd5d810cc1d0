/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of a VirtualHardwareSection: disks, drives, network adapters,
 * serial ports, and the ones Hyper-V has no counterpart for.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

/* "ovf:/disk/ID", "/disk/ID", "disk/ID": the ID after KIND, else NULL. */
static const char *
host_id (const char *host, const char *kind)
{
  if (strncasecmp (host, "ovf:", 4) == 0)
    host += 4;
  while (*host == '/')
    host++;
  if (strncmp (host, kind, strlen (kind)) != 0 || host[strlen (kind)] != '/')
    return NULL;
  return host + strlen (kind) + 1;
}

/* ---- disks ---- */

static int
fill_file (const struct v2v_ovf_file *f, struct v2v_disk *d,
           struct v2v_error **err)
{
  d->gzip = f->compression != NULL;
  d->chunk_bytes = f->chunk_bytes;
  d->file_bytes = f->size_bytes;
  return v2v_machine_set (&d->file, f->href, err);
}

static int
disk_from_section (struct ovf_ctx *ctx, const struct ovf_item *it,
                   const char *id, struct v2v_machine *m, struct v2v_disk *d,
                   struct v2v_error **err)
{
  const struct ovf_disk *od = ovf_find_disk (ctx, id);

  if (od == NULL)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "HostResource names disk '%s', which is not in the "
                     "DiskSection",
                     id);
  if (v2v_machine_set (&d->id, od->id, err) == -1 ||
      v2v_machine_set (&d->parent_id, od->parent_ref, err) == -1 ||
      v2v_machine_set (&d->format_uri, od->format, err) == -1 ||
      ovf_disk_capacity (ctx, m, od, &d->capacity_bytes, err) == -1)
    return -1;
  if (od->file_ref == NULL) {
    d->kind = V2V_DISK_BLANK;
    if (d->capacity_bytes == 0)
      return ovf_fail (ctx, od->node, V2V_ERR_FORMAT, err,
                       "Disk '%s' has neither a file nor a capacity", id);
    return 0;
  }
  return fill_file (ovf_find_file (ctx, od->file_ref), d, err);
}

/* A disk without HostResource is a new one of VirtualQuantity. */
static int
new_disk (struct ovf_ctx *ctx, const struct ovf_item *it, struct v2v_disk *d,
          struct v2v_error **err)
{
  enum ovf_unit_kind kind = OVF_UNIT_BYTE;
  uint64_t n = 0, factor = 1;

  if (it->quantity == NULL || !v2v_ovf_number (it->quantity, &n) || n == 0 ||
      (it->units != NULL &&
       (!v2v_ovf_units (it->units, &kind, &factor) || kind != OVF_UNIT_BYTE)) ||
      !v2v_mul_u64 (n, factor, &n) || n > INT64_MAX || it->units == NULL)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "disk '%s' has no HostResource and no size", it->label);
  d->kind = V2V_DISK_BLANK;
  d->capacity_bytes = n;
  return v2v_machine_set (&d->id, it->label, err);
}

/* capacity is the base's; the child may be larger but hardly smaller. */
static int
disk_findings (struct v2v_machine *m, size_t index, struct v2v_error **err)
{
  const struct v2v_disk *d = &m->disks[index];
  CLEANUP_FREE char *id = v2v_machine_printable (d->id);

  if (id == NULL)
    return v2v_fail_nomem (err);
  if (d->kind == V2V_DISK_BLANK)
    return V2V_FINDING (m, err, V2V_INFORMATION, "disk.blank", id, NULL,
                        "disk '%s' has no file: an empty one of %" PRIu64
                        " bytes is made",
                        id, d->capacity_bytes);
  return 0;
}

static int
fill_disk (struct ovf_ctx *ctx, const struct ovf_item *it,
           struct v2v_machine *m, size_t index, struct v2v_error **err)
{
  struct v2v_disk *d = &m->disks[index];
  const struct v2v_ovf_file *f;
  const char *id;

  if (it->nr_hosts == 0)
    return new_disk (ctx, it, d, err);
  if (it->nr_hosts > 1)
    return ovf_fail (ctx, it->node, V2V_ERR_UNSUPPORTED, err,
                     "disk '%s' has %zu HostResources, expected one", it->label,
                     it->nr_hosts);
  id = host_id (it->hosts[0], "disk");
  if (id != NULL)
    return disk_from_section (ctx, it, id, m, d, err);
  id = host_id (it->hosts[0], "file");
  f = id != NULL ? ovf_find_file (ctx, id) : NULL;
  if (f == NULL)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "HostResource '%s', expected ovf:/disk/ID or "
                     "ovf:/file/ID of this package",
                     it->hosts[0]);
  if (v2v_machine_set (&d->id, f->id, err) == -1)
    return -1;
  return fill_file (f, d, err);
}

static int
read_disk (struct ovf_ctx *ctx, const struct ovf_items *items,
           const struct ovf_item *it, struct v2v_machine *m,
           struct v2v_error **err)
{
  enum v2v_bus bus;
  unsigned controller, unit;
  struct v2v_disk *d;
  size_t index;

  if (ovf_place (ctx, items, it, m, &bus, &controller, &unit, err) == -1)
    return -1;
  d = v2v_machine_add_disk (m);
  if (d == NULL)
    return v2v_fail_nomem (err);
  d->bus = bus;
  d->controller = controller;
  d->unit = unit;
  index = m->nr_disks - 1;
  if (fill_disk (ctx, it, m, index, err) == -1)
    return -1;
  return disk_findings (m, index, err);
}

/* ---- drives ---- */

/* A drive that hangs nowhere costs no data: a finding, not a refusal. */
static int
place_drive (struct ovf_ctx *ctx, const struct ovf_items *items,
             const struct ovf_item *it, struct v2v_machine *m,
             enum v2v_bus *bus, unsigned *controller, unsigned *unit,
             struct v2v_error **err)
{
  struct v2v_error *why = NULL;

  if (ovf_place (ctx, items, it, m, bus, controller, unit, &why) == 0)
    return 0;
  if (v2v_error_code (why) == V2V_ERR_NOMEM)
    return v2v_error_move (err, why);
  *bus = V2V_BUS_OTHER;
  *controller = *unit = 0;
  if (V2V_FINDING (m, err, V2V_WARNING, "drive.place", NULL, NULL, "%s",
                   v2v_error_message (why)) == -1) {
    v2v_error_free (why);
    return -1;
  }
  v2v_error_free (why);
  return 0;
}

static int
read_drive (struct ovf_ctx *ctx, const struct ovf_items *items,
            const struct ovf_item *it, struct v2v_machine *m,
            struct v2v_error **err)
{
  const bool floppy = it->type == 14;
  enum v2v_bus bus = V2V_BUS_FLOPPY;
  unsigned controller = 0, unit = 0;
  const struct v2v_ovf_file *f = NULL;
  struct v2v_removable *r;
  const char *id;

  if (!floppy &&
      place_drive (ctx, items, it, m, &bus, &controller, &unit, err) == -1)
    return -1;
  r = v2v_machine_add_removable (m);
  if (r == NULL)
    return v2v_fail_nomem (err);
  r->floppy = floppy;
  r->bus = bus;
  r->controller = controller;
  r->unit = unit;
  r->kind = V2V_CD_EMPTY;
  if (it->nr_hosts > 0) {
    id = host_id (it->hosts[0], "file");
    if (id != NULL)
      f = ovf_find_file (ctx, id);
    else if ((id = host_id (it->hosts[0], "disk")) != NULL) {
      const struct ovf_disk *d = ovf_find_disk (ctx, id);

      if (d != NULL && d->file_ref != NULL)
        f = ovf_find_file (ctx, d->file_ref);
    }
    if (f != NULL) {
      r->kind = V2V_CD_IMAGE;
      return v2v_machine_set (&r->file, f->href, err);
    }
    return V2V_FINDING (m, err, V2V_WARNING, "drive.image", NULL, NULL,
                        "the image of the drive at line %ld is not in the "
                        "package: the drive is left empty",
                        v2v_xml_line (it->node));
  }
  if (it->subtype != NULL &&
      (strcasestr (it->subtype, "passthrough") ||
       strcasestr (it->subtype, "atapi") || strcasestr (it->subtype, "device")))
    r->kind = V2V_CD_HOST;
  return 0;
}

/* ---- network adapters ---- */

static bool
network_is_declared (const struct ovf_ctx *ctx, const char *name)
{
  for (size_t i = 0; i < ctx->nr_networks; ++i)
    if (strcmp (ctx->networks[i], name) == 0)
      return true;
  return false;
}

static int
nic_findings (struct ovf_ctx *ctx, const struct ovf_item *it,
              struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_nic *nic = &m->nics[m->nr_nics - 1];
  CLEANUP_FREE char *id = v2v_machine_printable (nic->id);
  CLEANUP_FREE char *net =
      v2v_machine_printable (nic->network != NULL ? nic->network : "");
  CLEANUP_FREE char *mac =
      v2v_machine_printable (it->address != NULL ? it->address : "");

  if (id == NULL || net == NULL || mac == NULL)
    return v2v_fail_nomem (err);
  if (it->nr_connections > 1 &&
      V2V_FINDING (m, err, V2V_WARNING, "nic.connections", id, NULL,
                   "adapter '%s' names %zu networks; the first, '%s', is "
                   "taken",
                   id, it->nr_connections, net) == -1)
    return -1;
  if (nic->network != NULL && !network_is_declared (ctx, nic->network) &&
      V2V_FINDING (m, err, V2V_INFORMATION, "nic.network-undeclared", id, NULL,
                   "network '%s' is not in the NetworkSection", net) == -1)
    return -1;
  if (it->address != NULL && nic->mac == NULL)
    return V2V_FINDING (m, err, V2V_WARNING, "nic.mac", id, NULL,
                        "the address of adapter '%s', '%.40s', is not a MAC "
                        "address: a new one will be made",
                        id, mac);
  return 0;
}

static int
read_nic (struct ovf_ctx *ctx, const struct ovf_item *it, struct v2v_machine *m,
          struct v2v_error **err)
{
  static const char *const known[] = { "e1000",   "e1000e",   "vmxnet",
                                       "vmxnet2", "vmxnet3",  "pcnet32",
                                       "vlance",  "flexible", NULL };
  struct v2v_nic *nic = v2v_machine_add_nic (m);
  char mac[18];

  if (nic == NULL)
    return v2v_fail_nomem (err);
  nic->connected = it->connected;
  nic->pci_slot = it->pci_slot;
  nic->model = ovf_choose_subtype (it->subtype, known);
  if (nic->model == NULL)
    return v2v_fail_nomem (err);
  if (*nic->model == '\0') {
    free (nic->model);
    nic->model = NULL;
  }
  if (*it->label != '\0') {
    if (v2v_machine_set (&nic->id, it->label, err) == -1)
      return -1;
  }
  else if (asprintf (&nic->id, "ethernet%zu", m->nr_nics - 1) == -1) {
    nic->id = NULL;
    return v2v_fail_nomem (err);
  }
  if (it->nr_connections > 0 &&
      v2v_machine_set (&nic->network, it->connections[0], err) == -1)
    return -1;
  if (it->address != NULL && v2v_machine_format_mac (it->address, mac)) {
    nic->mac_static = true;
    if (v2v_machine_set (&nic->mac, mac, err) == -1)
      return -1;
  }
  return nic_findings (ctx, it, m, err);
}

/* ---- serial ports and the rest ---- */

static int
read_serial (const struct ovf_item *it, struct v2v_machine *m,
             struct v2v_error **err)
{
  struct v2v_serial *s = v2v_machine_add_serial (m);
  const char *kind = "device", *t = it->subtype;

  if (s == NULL)
    return v2v_fail_nomem (err);
  s->number = (unsigned) (m->nr_serials - 1);
  if (t != NULL && strcasestr (t, "pipe") != NULL)
    kind = "pipe";
  else if (t != NULL && strcasestr (t, "uri") != NULL)
    kind = "network";
  else if (t != NULL && strcasestr (t, "file") != NULL)
    kind = "file";
  if (it->nr_hosts > 0 && v2v_machine_set (&s->path, it->hosts[0], err) == -1)
    return -1;
  return v2v_machine_set (&s->kind, kind, err);
}

static int
dropped (const struct ovf_item *it, struct v2v_machine *m,
         enum v2v_severity severity, const char *id, const char *what,
         struct v2v_error **err)
{
  CLEANUP_FREE char *label = v2v_machine_printable (it->label);

  if (label == NULL)
    return v2v_fail_nomem (err);
  return V2V_FINDING (m, err, severity, id, label, NULL,
                      "%s '%s' has no counterpart and is not carried over",
                      what, label);
}

/* ResourceType 1, "other": the subtype decides. */
static int
read_other (struct ovf_ctx *ctx, const struct ovf_item *it,
            struct v2v_machine *m, struct v2v_error **err)
{
  const char *t = it->subtype != NULL ? it->subtype : "";

  if (strcasestr (t, "vtpm") != NULL) {
    m->tpm = V2V_YES;
    return 0;
  }
  if (strcasestr (t, "vmci") != NULL || strcasestr (t, "sound") != NULL ||
      strcasestr (t, "usb") != NULL || strcasestr (t, "hid") != NULL ||
      strcasestr (t, "video") != NULL || strcasestr (t, "watchdog") != NULL ||
      strcasestr (t, "precisionclock") != NULL)
    return dropped (it, m, V2V_INFORMATION, "device.dropped", "device", err);
  if (strcasestr (t, "pci") != NULL)
    return dropped (it, m, V2V_CRITICAL, "device.passthrough",
                    "passed-through device", err);
  if (it->required)
    return ovf_fail (ctx, it->node, V2V_ERR_UNSUPPORTED, err,
                     "Item '%s' of subtype '%s' is required and unknown here",
                     it->label, t);
  return dropped (it, m, V2V_WARNING, "device.dropped", "device", err);
}

int
ovf_read_device (struct ovf_ctx *ctx, const struct ovf_items *items,
                 const struct ovf_item *it, struct v2v_machine *m,
                 struct v2v_error **err)
{
  switch (it->type) {
  case 1:
    return read_other (ctx, it, m, err);
  case 10:
    return read_nic (ctx, it, m, err);
  case 14:
  case 15:
  case 16:
    return read_drive (ctx, items, it, m, err);
  case 17: /* disk drive */
  case 19: /* storage extent */
  case 31: /* logical disk, as OVF 2 has it */
    return read_disk (ctx, items, it, m, err);
  case 21:
    return read_serial (it, m, err);
  case 22:
    return dropped (it, m, V2V_INFORMATION, "device.dropped", "parallel port",
                    err);
  case 23:
    return dropped (it, m, V2V_INFORMATION, "device.dropped", "USB controller",
                    err);
  case 24:
    return dropped (it, m, V2V_INFORMATION, "device.dropped", "video card",
                    err);
  case 35:
    return dropped (it, m, V2V_INFORMATION, "device.dropped", "sound card",
                    err);
  case 7:  /* Fibre Channel HBA */
  case 8:  /* iSCSI HBA */
  case 9:  /* InfiniBand HCA */
  case 18: /* tape drive */
    return dropped (it, m, V2V_CRITICAL, "device.storage", "storage device",
                    err);
  case 2:  /* computer system */
  case 11: /* other network adapter */
  case 12: /* I/O slot */
  case 13: /* I/O device */
  case 34: /* watchdog and what CIM added later */
    return dropped (it, m, V2V_WARNING, "device.dropped", "device", err);
  default:
    if (it->required)
      return ovf_fail (ctx, it->node, V2V_ERR_UNSUPPORTED, err,
                       "Item '%s': ResourceType %u is required and unknown "
                       "here",
                       it->label, it->type);
    return dropped (it, m, V2V_WARNING, "device.dropped", "device", err);
  }
}
