/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The services that Windows needs to start from a Hyper-V disk are made boot
 * services, in every control set that can be started.
 *
 * Only Start is set: Group, Tag and ErrorControl differ from version to
 * version and are right.  Windows 8 and later keep StartOverride below a boot
 * driver whose device was absent at the last start; it beats Start and ends in
 * stop 0x7B.
 *
 * Source: what Azure Migrate sets ("Prepare for VMware agentless migration",
 * Microsoft), and the SYSTEM hive of a Windows 7 on VMware.
 */

#include <config.h>

#include <stdio.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

struct boot_service {
  const char *name, *file;
  const char *group; /* only for a key that is made */
  bool generation1, generation2;
};

static const struct boot_service boot_services[] = {
  { "vmbus", "vmbus.sys", "System Bus Extender", true, true },
  /* Data disks of generation 1, the boot disk of generation 2. */
  { "storvsc", "storvsc.sys", "Base", true, true },
  { "storflt", "vmstorfl.sys", "Extended Base", true, false },
  { "intelide", "intelide.sys", "System Bus Extender", true, false },
  { "pciide", "pciide.sys", "System Bus Extender", true, false },
  { "atapi", "atapi.sys", "SCSI Miniport", true, false },
};

#define WHY_BOOT "needed to start from a Hyper-V disk"

static int
create_service (struct windows_guest *w, const char *key,
                const struct boot_service *s, struct v2v_error **err)
{
  CLEANUP_FREE char *image = NULL;

  if (asprintf (&image, "system32\\drivers\\%s", s->file) == -1) {
    image = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_hive_set_dword (w->system, key, "Type", 1, WHY_BOOT, err) == -1 ||
      v2v_hive_set_dword (w->system, key, "Start", 0, WHY_BOOT, err) == -1 ||
      v2v_hive_set_dword (w->system, key, "ErrorControl", 1, WHY_BOOT, err) ==
          -1 ||
      v2v_hive_set_string (w->system, key, "Group", V2V_REG_SZ, s->group,
                           WHY_BOOT, err) == -1 ||
      v2v_hive_set_string (w->system, key, "ImagePath", V2V_REG_EXPAND_SZ,
                           image, WHY_BOOT, err) == -1)
    return -1;
  return 0;
}

static int
fix_service (struct windows_guest *w, const char *set,
             const struct boot_service *s, struct v2v_error **err)
{
  CLEANUP_FREE char *key = windows_service_key (set, s->name, NULL, err);
  CLEANUP_FREE char *override =
      windows_service_key (set, s->name, "StartOverride", err);
  int r;

  if (key == NULL || override == NULL)
    return -1;
  r = v2v_hive_has_key (w->system, key, err);
  if (r == -1)
    return -1;
  if (r == 0)
    return create_service (w, key, s, err);
  if (v2v_hive_set_dword (w->system, key, "Start", 0, WHY_BOOT, err) == -1 ||
      v2v_hive_delete_key (w->system, override,
                           "it beats Start, and the device was absent on "
                           "VMware",
                           err) == -1)
    return -1;
  return 0;
}

int
windows_fix_services (struct windows_guest *w, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (boot_services); ++i) {
    const struct boot_service *s = &boot_services[i];

    if (!((s->generation1 && w->generation1) ||
          (s->generation2 && w->generation2)))
      continue;
    /* A boot service without its file stops the start; windows_check has
     * refused where the file must be there. */
    if (!windows_has_driver (w, s->file))
      continue;
    for (char **set = w->control_sets; *set != NULL; ++set)
      if (fix_service (w, *set, s, err) == -1)
        return -1;
  }
  return 0;
}
