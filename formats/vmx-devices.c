/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network adapters, floppies, serial ports and the rest of a .vmx. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/machine-internal.h"
#include "formats/vmx.h"

/* Ten are what VMware allows; a few more are read to say so. */
#define MAX_NICS     32
#define MAX_FLOPPIES 2
#define MAX_PORTS    4

/* ---- network adapters ---- */

/* The network a person would name: the port group, else the kind. */
static const char *
nic_network (struct v2v_vmx *vmx, unsigned n)
{
  const char *name = v2v_vmx_get (vmx, "ethernet%u.networkName", n);
  const char *type = v2v_vmx_get (vmx, "ethernet%u.connectionType", n);
  const char *vnet = v2v_vmx_get (vmx, "ethernet%u.vnet", n);
  const char *dvs = v2v_vmx_get (vmx, "ethernet%u.dvs.portgroupId", n);

  (void) v2v_vmx_get (vmx, "ethernet%u.dvs.switchId", n);
  (void) v2v_vmx_get (vmx, "ethernet%u.dvs.portId", n);
  (void) v2v_vmx_get (vmx, "ethernet%u.dvs.connectionId", n);
  if (name != NULL && *name != '\0')
    return name;
  if (dvs != NULL && *dvs != '\0')
    return dvs;
  if (type != NULL && strcasecmp (type, "custom") == 0 && vnet != NULL)
    return vnet;
  return type != NULL && *type != '\0' ? type : NULL;
}

static int
nic_mac (struct v2v_vmx *vmx, struct v2v_machine *m, struct v2v_nic *nic,
         unsigned n, struct v2v_error **err)
{
  const char *type = v2v_vmx_get (vmx, "ethernet%u.addressType", n);
  const char *fixed = v2v_vmx_get (vmx, "ethernet%u.address", n);
  const char *made = v2v_vmx_get (vmx, "ethernet%u.generatedAddress", n);
  const bool is_static = type != NULL && strcasecmp (type, "static") == 0;
  const char *mac = is_static ? fixed : made;
  CLEANUP_FREE char *shown = NULL;
  char text[18];

  if (mac == NULL || *mac == '\0')
    mac = is_static ? made : fixed;
  /* "vpx": vCenter assigned it and keeps it unique. */
  nic->mac_static =
      is_static || (type != NULL && strcasecmp (type, "vpx") == 0);
  if (mac == NULL || *mac == '\0')
    return 0;
  if (v2v_machine_format_mac (mac, text))
    return v2v_machine_set (&nic->mac, text, err);
  shown = v2v_machine_printable (mac);
  if (shown == NULL)
    return v2v_fail_nomem (err);
  return V2V_FINDING (m, err, V2V_WARNING, "nic.mac", nic->id, NULL,
                      "the address of %s, '%.40s', is not a MAC address: a "
                      "new one will be made",
                      nic->id, shown);
}

/* "192"; a machine that was never started has "-1" or none. */
static unsigned
slot_number (const char *text)
{
  char *end;
  unsigned long v;

  if (text == NULL || *text < '0' || *text > '9')
    return 0;
  v = strtoul (text, &end, 10);
  return *end == '\0' && v <= V2V_MAX_PCI_SLOT ? (unsigned) v : 0;
}

static int
read_nic (struct v2v_vmx *vmx, struct v2v_machine *m, unsigned n,
          struct v2v_error **err)
{
  const char *dev, *features, *slot;
  struct v2v_nic *nic;

  if (!v2v_vmx_get_bool (vmx, false, "ethernet%u.present", n))
    return 0;
  nic = v2v_machine_add_nic (m);
  if (nic == NULL)
    return v2v_fail_nomem (err);
  if (asprintf (&nic->id, "ethernet%u", n) == -1) {
    nic->id = NULL;
    return v2v_fail_nomem (err);
  }
  dev = v2v_vmx_get (vmx, "ethernet%u.virtualDev", n);
  features = v2v_vmx_get (vmx, "ethernet%u.features", n);
  if (dev != NULL && strcasecmp (dev, "vmxnet") == 0 && features != NULL &&
      strcmp (features, "15") == 0)
    dev = "vmxnet2";
  if (dev != NULL && *dev != '\0' &&
      v2v_machine_set_lower (&nic->model, dev, err) == -1)
    return -1;
  if (v2v_machine_set (&nic->network, nic_network (vmx, n), err) == -1)
    return -1;
  nic->connected = v2v_vmx_get_bool (vmx, true, "ethernet%u.startConnected", n);
  if (v2v_vmx_get_bool (vmx, false, "ethernet%u.noPromisc", n))
    nic->promiscuous = V2V_NO;
  slot = v2v_vmx_get (vmx, "ethernet%u.pciSlotNumber", n);
  nic->pci_slot = slot_number (slot);
  (void) v2v_vmx_get (vmx, "ethernet%u.wakeOnPcktRcv", n);
  (void) v2v_vmx_get (vmx, "ethernet%u.checkMACAddress", n);
  (void) v2v_vmx_get (vmx, "ethernet%u.linkStatePropagation.enable", n);
  return nic_mac (vmx, m, nic, n, err);
}

/* ---- floppies ---- */

static bool
has_floppy_keys (const struct v2v_vmx *vmx, unsigned n)
{
  char prefix[16];

  snprintf (prefix, sizeof prefix, "floppy%u.", n);
  for (size_t i = 0; i < vmx->nr_entries; ++i)
    if (strncmp (vmx->entries[i].key, prefix, strlen (prefix)) == 0)
      return true;
  return false;
}

static int
read_floppy (struct v2v_vmx *vmx, struct v2v_machine *m, unsigned n,
             struct v2v_error **err)
{
  const char *type, *file;
  struct v2v_removable *r;

  /* floppy0 is there unless it is said not to be; a file that never
   * mentions it is one of a machine without. */
  if (!has_floppy_keys (vmx, n) ||
      !v2v_vmx_get_bool (vmx, n == 0, "floppy%u.present", n))
    return 0;
  type = v2v_vmx_get (vmx, "floppy%u.fileType", n);
  file = v2v_vmx_get (vmx, "floppy%u.fileName", n);
  r = v2v_machine_add_removable (m);
  if (r == NULL)
    return v2v_fail_nomem (err);
  r->floppy = true;
  r->bus = V2V_BUS_FLOPPY;
  r->unit = n;
  r->kind = V2V_CD_EMPTY;
  if (file == NULL || *file == '\0' ||
      strncasecmp (file, "vmware-null-", 12) == 0)
    return 0;
  if (type != NULL && strcasecmp (type, "file") == 0) {
    r->kind = V2V_CD_IMAGE;
    return v2v_machine_set (&r->file, file, err);
  }
  r->kind = V2V_CD_HOST;
  return 0;
}

/* ---- serial ports ---- */

static int
read_serial (struct v2v_vmx *vmx, struct v2v_machine *m, unsigned n,
             struct v2v_error **err)
{
  const char *type, *file;
  struct v2v_serial *s;

  if (!v2v_vmx_get_bool (vmx, false, "serial%u.present", n))
    return 0;
  type = v2v_vmx_get (vmx, "serial%u.fileType", n);
  file = v2v_vmx_get (vmx, "serial%u.fileName", n);
  s = v2v_machine_add_serial (m);
  if (s == NULL)
    return v2v_fail_nomem (err);
  s->number = n;
  if (file != NULL && *file != '\0' &&
      v2v_machine_set (&s->path, file, err) == -1)
    return -1;
  return v2v_machine_set_lower (
      &s->kind, type != NULL && *type != '\0' ? type : "device", err);
}

/* ---- what Hyper-V has not ---- */

static int
read_dropped (struct v2v_vmx *vmx, struct v2v_machine *m,
              struct v2v_error **err)
{
  static const struct {
    const char *key;
    const char *id;
    enum v2v_severity severity;
    const char *what;
  } devices[] = {
    { "usb.present", "device.usb", V2V_INFORMATION, "USB controller" },
    { "ehci.present", "device.usb", V2V_INFORMATION, "USB 2 controller" },
    { "usb_xhci.present", "device.usb", V2V_INFORMATION, "USB 3 controller" },
    { "sound.present", "device.sound", V2V_INFORMATION, "sound card" },
    { "parallel0.present", "device.parallel", V2V_WARNING, "parallel port" },
    { "parallel1.present", "device.parallel", V2V_WARNING, "parallel port" },
    { "parallel2.present", "device.parallel", V2V_WARNING, "parallel port" },
    { "mks.enable3d", "device.3d", V2V_INFORMATION, "3D graphics" },
    { "sharedFolder0.present", "device.shared-folder", V2V_WARNING,
      "shared folder" },
    { "pciPassthru0.present", "device.passthrough", V2V_CRITICAL,
      "passed-through PCI device" },
    { "vvtd.enable", "device.iommu", V2V_INFORMATION, "virtual IOMMU" },
    { "smbios.reflecthost", "guest.smbios", V2V_WARNING,
      "the host's SMBIOS data, on which licences may hang," },
    { "disk.enableUUID", "disk.uuid", V2V_INFORMATION,
      "the serial number of the disks" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (devices); ++i)
    if (v2v_vmx_get_bool (vmx, false, "%s", devices[i].key) &&
        V2V_FINDING (m, err, devices[i].severity, devices[i].id, NULL, NULL,
                     "%s: %s is not carried over", devices[i].key,
                     devices[i].what) == -1)
      return -1;
  return 0;
}

int
vmx_read_devices (struct v2v_vmx *vmx, struct v2v_machine *m,
                  struct v2v_error **err)
{
  for (unsigned n = 0; n < MAX_NICS; ++n)
    if (read_nic (vmx, m, n, err) == -1)
      return -1;
  for (unsigned n = 0; n < MAX_FLOPPIES; ++n)
    if (read_floppy (vmx, m, n, err) == -1)
      return -1;
  for (unsigned n = 0; n < MAX_PORTS; ++n)
    if (read_serial (vmx, m, n, err) == -1)
      return -1;
  return read_dropped (vmx, m, err);
}
