/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which driver a boot device gets before Plug and Play runs.
 *
 * Up to Windows 7 that is CriticalDeviceDatabase; since Windows 8 (SYSTEM has
 * a key DriverDatabase) the inbox drivers' ids are known from the factory, and
 * entries made by hand break "pnputil /enum-drivers" and upgrades.
 *
 * Windows 8 and Server 2012 know VMBus by the ACPI id of older hosts; newer
 * ones present MSFT1000.  A guest that once ran on Hyper-V has the key tree
 * under the old name only (Microsoft's instructions for such virtual machines
 * on Azure).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

#define CLASS_SYSTEM "{4D36E97D-E325-11CE-BFC1-08002BE10318}"
#define CLASS_SCSI   "{4D36E97B-E325-11CE-BFC1-08002BE10318}"
#define CLASS_HDC    "{4D36E96A-E325-11CE-BFC1-08002BE10318}"
#define CLASS_HID    "{745A17A0-74D3-11D0-B6FE-00A0C90F57DA}"

struct critical_device {
  const char *id; /* with '#' for '\' */
  const char *service, *file, *class;
  bool generation1, generation2;
};

/* As in the real hive of a Windows 7. */
static const struct critical_device critical_devices[] = {
  { "ACPI#VMBus", "vmbus", "vmbus.sys", CLASS_SYSTEM, true, true },
  { "root#VMBus", "vmbus", "vmbus.sys", CLASS_SYSTEM, true, true },
  { "VMBUS#{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}", "storvsc", "storvsc.sys",
    CLASS_SCSI, true, true },
  { "VMBUS#{CFA8B69E-5B4A-4cc0-B98B-8BA1A1F3F95A}", "VMBusHID", "VMBusHID.sys",
    CLASS_HID, true, true },
  { "PCI#CC_0101", "pciide", "pciide.sys", CLASS_HDC, true, false },
  { "PCI#VEN_8086&DEV_7111", "intelide", "intelide.sys", CLASS_HDC, true,
    false },
  { "Primary_IDE_Channel", "atapi", "atapi.sys", CLASS_HDC, true, false },
  { "Secondary_IDE_Channel", "atapi", "atapi.sys", CLASS_HDC, true, false },
};

#define WHY_CRITICAL "binds the boot device before Plug and Play runs"

static int
fix_critical (struct windows_guest *w, const char *set,
              const struct critical_device *d, struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL, *service = NULL;
  struct v2v_error *e = NULL;

  if (asprintf (&key, "%s\\Control\\CriticalDeviceDatabase\\%s", set, d->id) ==
      -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  service = v2v_hive_get_string (w->system, key, "Service", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  /* What Windows put there itself is right. */
  if (service != NULL && *service != '\0')
    return 0;
  if (v2v_hive_set_string (w->system, key, "Service", V2V_REG_SZ, d->service,
                           WHY_CRITICAL, err) == -1 ||
      v2v_hive_set_string (w->system, key, "ClassGUID", V2V_REG_SZ, d->class,
                           WHY_CRITICAL, err) == -1)
    return -1;
  return 0;
}

static int
fix_all_critical (struct windows_guest *w, const char *set,
                  struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (critical_devices); ++i) {
    const struct critical_device *d = &critical_devices[i];

    if (((d->generation1 && w->generation1) ||
         (d->generation2 && w->generation2)) &&
        windows_has_driver (w, d->file) && fix_critical (w, set, d, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- a key tree copied ---- */

/* An ACPI device has one instance with a handful of subkeys. */
#define MAX_COPY_DEPTH 8
#define MAX_COPY_KEYS  200

#define WHY_ACPI "newer hosts name the device so"

static int
copy_values (struct v2v_hive *h, const char *from, const char *to,
             struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_hive_value_names (h, from, err);

  if (names == NULL || v2v_hive_add_key (h, to, WHY_ACPI, err) == -1)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    CLEANUP_FREE void *data = NULL;
    uint32_t type;
    size_t len;
    const int r = v2v_hive_get (h, from, names[i], &type, &data, &len, err);

    if (r == -1 || (r == 1 && v2v_hive_set (h, to, names[i], type, data, len,
                                            WHY_ACPI, err) == -1))
      return -1;
  }
  return 0;
}

static int
copy_key (struct v2v_hive *h, const char *from, const char *to, unsigned depth,
          unsigned *left, struct v2v_error **err)
{
  CLEANUP_LIST char **names = NULL;

  if (depth > MAX_COPY_DEPTH || *left == 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry key '%s' is too deep or too large to be copied",
                     from);
  --*left;
  if (copy_values (h, from, to, err) == -1)
    return -1;
  names = v2v_hive_subkeys (h, from, err);
  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    CLEANUP_FREE char *a = windows_key (from, names[i], err);
    CLEANUP_FREE char *b = a ? windows_key (to, names[i], err) : NULL;

    if (b == NULL || copy_key (h, a, b, depth + 1, left, err) == -1)
      return -1;
  }
  return 0;
}

static int
copy_acpi (struct windows_guest *w, const char *set, const char *old,
           const char *new, struct v2v_error **err)
{
  CLEANUP_FREE char *from = NULL, *to = NULL;
  unsigned left = MAX_COPY_KEYS;
  int r;

  if (asprintf (&from, "%s\\Enum\\ACPI\\%s", set, old) == -1)
    from = NULL;
  if (asprintf (&to, "%s\\Enum\\ACPI\\%s", set, new) == -1)
    to = NULL;
  if (from == NULL || to == NULL)
    return v2v_fail_nomem (err);
  r = v2v_hive_has_key (w->system, from, err);
  if (r != 1)
    return r;
  r = v2v_hive_has_key (w->system, to, err);
  if (r != 0)
    return r == 1 ? 0 : -1;
  return copy_key (w->system, from, to, 0, &left, err);
}

int
windows_fix_devices (struct windows_guest *w, struct v2v_error **err)
{
  const int modern = v2v_hive_has_key (w->system, "DriverDatabase", err);

  if (modern == -1)
    return -1;
  for (char **set = w->control_sets; *set != NULL; ++set) {
    if (modern == 0 && w->version <= 61 &&
        fix_all_critical (w, *set, err) == -1)
      return -1;
    if ((w->version == 62 || w->version == 63) &&
        (copy_acpi (w, *set, "VMBus", "MSFT1000", err) == -1 ||
         copy_acpi (w, *set, "Hyper_V_Gen_Counter_V1", "MSFT1002", err) == -1))
      return -1;
  }
  return 0;
}
