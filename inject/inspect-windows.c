/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only a Windows guest has: its build, the place of each partition as
 * Windows knows it (disk signature and offset), and the volume that the
 * firmware starts from, which is seldom the one of Windows: the EFI system
 * partition, or "System Reserved".  guestfs(3).
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "inject/guest-front.h"
#include "inject/guest-libguestfs.h"
#include "inject/windows.h"

/* A machine has one such volume; data disks may have others that look like
 * it. */
#define MAX_CANDIDATES 16
/* Of an MBR: what Windows knows the disk by (UEFI 2.10, section 5.2.1). */
#define SIGNATURE_OFFSET 440

static guestfs_h *
gfs (struct guest_appliance *h)
{
  return v2v_appliance_guestfs (h->appliance);
}

/* ---- the build ---- */

/* The value NAME of SOFTWARE\Microsoft\Windows NT\CurrentVersion, which is
 * open as NODE. */
static char *
version_value (guestfs_h *gfsh, int64_t node, const char *name)
{
  const int64_t value = guestfs_hivex_node_get_value (gfsh, node, name);

  return value > 0 ? guestfs_hivex_value_string (gfsh, value) : NULL;
}

/* The build tells Windows 10 from 11; libguestfs has no call for it. */
static void
fill_build (struct v2v_guest *g, struct guest_appliance *h, const char *root)
{
  static const char *const keys[] = { "Microsoft", "Windows NT",
                                      "CurrentVersion" };
  CLEANUP_FREE char *hive =
      guestfs_inspect_get_windows_software_hive (gfs (h), root);
  CLEANUP_FREE char *path = NULL, *build = NULL;
  int64_t node;

  if (hive == NULL ||
      (path = guestfs_case_sensitive_path (gfs (h), hive)) == NULL ||
      guestfs_hivex_open (gfs (h), path, -1) == -1)
    return;
  node = guestfs_hivex_root (gfs (h));
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys) && node > 0; ++i)
    node = guestfs_hivex_node_get_child (gfs (h), node, keys[i]);
  if (node > 0) {
    build = version_value (gfs (h), node, "CurrentBuildNumber");
    if (build != NULL)
      g->os.build = (unsigned) strtoul (build, NULL, 10);
  }
  guestfs_hivex_close (gfs (h));
}

/* ---- the EFI system partition ---- */

/* The EFI system partition of DISK; NULL if none. */
static char *
find_esp_on (guestfs_h *gfsh, const char *disk)
{
  CLEANUP_FREE char *table = guestfs_part_get_parttype (gfsh, disk);
  struct guestfs_partition_list *parts;
  char *esp = NULL;

  if (table == NULL || strcmp (table, "gpt") != 0 ||
      (parts = guestfs_part_list (gfsh, disk)) == NULL)
    return NULL;
  for (uint32_t i = 0; i < parts->len && esp == NULL; ++i) {
    CLEANUP_FREE char *type =
        guestfs_part_get_gpt_type (gfsh, disk, parts->val[i].part_num);

    if (type != NULL &&
        strcasecmp (type, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B") == 0 &&
        asprintf (&esp, "%s%d", disk, (int) parts->val[i].part_num) == -1)
      esp = NULL;
  }
  guestfs_free_partition_list (parts);
  return esp;
}

/* The EFI system partition: of the disk that holds ROOT, or of the first one
 * that has any (an opened BitLocker volume is on no disk, /dev/mapper). */
static char *
find_esp (guestfs_h *gfsh, const char *root)
{
  CLEANUP_FREE char *own = strncmp (root, "/dev/sd", 7) == 0
                               ? guestfs_part_to_dev (gfsh, root)
                               : NULL;
  CLEANUP_LIST char **disks = NULL;
  char *esp = own != NULL ? find_esp_on (gfsh, own) : NULL;

  if (esp == NULL)
    disks = guestfs_list_devices (gfsh);
  for (size_t i = 0; esp == NULL && disks != NULL && disks[i] != NULL; ++i)
    esp = find_esp_on (gfsh, disks[i]);
  return esp;
}

/* A folder in the guest's root carries it until v2v_guest_save. */
static int
mount_esp (struct v2v_guest *g, struct guest_appliance *h, const char *root,
           bool *ret_there, struct v2v_error **err)
{
  CLEANUP_FREE char *esp = find_esp (gfs (h), root);

  *ret_there = esp != NULL;
  if (esp == NULL)
    return 0;
  if (guestfs_mkdir_p (gfs (h), GUEST_ESP) == -1)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the volume of Windows (%s) cannot be written: %s", root,
                     guestfs_last_error (gfs (h)));
  h->has_esp_folder = true;
  if (guestfs_mount (gfs (h), esp, GUEST_ESP) == 0)
    return 0;
  if (v2v_findings_add (&g->findings, V2V_WARNING, "guest.mount.failed",
                        GUEST_ESP, "check that the firmware finds Windows",
                        "the EFI system partition %s could not be mounted: %s",
                        esp, guestfs_last_error (gfs (h))) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* ---- where partitions are ---- */

/* Without an error: what cannot be looked at stays unknown. */
static void
fill_place (guestfs_h *gfsh, struct v2v_filesystem *f)
{
  CLEANUP_FREE char *disk = guestfs_part_to_dev (gfsh, f->device);
  CLEANUP_FREE char *table = NULL, *bytes = NULL;
  struct guestfs_partition_list *parts;
  size_t len = 0;
  int n;

  if (disk == NULL || strcmp (disk, f->device) == 0 ||
      (n = guestfs_part_to_partnum (gfsh, f->device)) == -1 ||
      (parts = guestfs_part_list (gfsh, disk)) == NULL)
    return;
  for (uint32_t i = 0; i < parts->len; ++i)
    if (parts->val[i].part_num == n)
      f->offset_bytes = parts->val[i].part_start;
  guestfs_free_partition_list (parts);
  table = guestfs_part_get_parttype (gfsh, disk);
  if (table == NULL || strcmp (table, "msdos") != 0)
    return;
  /* Logical partitions have no flag that a BIOS looks at. */
  f->is_active = n <= 4 && guestfs_part_get_bootable (gfsh, disk, n) == 1;
  bytes = guestfs_pread_device (gfsh, disk, 4, SIGNATURE_OFFSET, &len);
  if (bytes != NULL && len == 4)
    f->disk_signature = v2v_le32 ((const uint8_t *) bytes);
}

static void
fill_places (struct v2v_guest *g, struct guest_appliance *h)
{
  for (size_t i = 0; i < g->os.nr_filesystems; ++i)
    if (strncmp (g->os.filesystems[i].device, "/dev/sd", 7) == 0)
      fill_place (gfs (h), &g->os.filesystems[i]);
}

/* ---- "System Reserved" ---- */

/* Does a BIOS find what it starts below FOLDER ("" = the volume of Windows)? */
static bool
has_boot_files (guestfs_h *gfsh, const char *folder)
{
  static const char *const files[] = { "/bootmgr", "/ntldr" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *path = NULL, *real = NULL;

    if (asprintf (&path, "%s%s", folder, files[i]) == -1) {
      path = NULL;
      return false;
    }
    real = guestfs_case_sensitive_path (gfsh, path);
    if (real != NULL && guestfs_is_file (gfsh, real) == 1)
      return true;
  }
  return false;
}

static bool
is_candidate (const struct v2v_guest *g, const struct v2v_filesystem *f,
              bool active)
{
  return f->is_active == active && strcmp (f->device, g->os.root) != 0 &&
         (strcmp (f->type, "ntfs") == 0 || strcmp (f->type, "vfat") == 0);
}

/* Mount, for reading, the first one that has what a BIOS starts. */
static int
try_candidates (struct v2v_guest *g, struct guest_appliance *h, bool active,
                struct v2v_error **err)
{
  unsigned nr = 0;

  for (size_t i = 0; i < g->os.nr_filesystems && nr < MAX_CANDIDATES; ++i) {
    const struct v2v_filesystem *f = &g->os.filesystems[i];

    if (!is_candidate (g, f, active))
      continue;
    ++nr;
    if (guestfs_mount_ro (gfs (h), f->device, V2V_WINDOWS_SYSTEM_VOLUME) ==
        -1) {
      v2v_debug ("guest: %s: %s", f->device, guestfs_last_error (gfs (h)));
      continue;
    }
    if (has_boot_files (gfs (h), V2V_WINDOWS_SYSTEM_VOLUME)) {
      g->os.system_volume = strdup (f->device);
      return g->os.system_volume == NULL ? v2v_fail_nomem (err) : 1;
    }
    guestfs_umount (gfs (h), V2V_WINDOWS_SYSTEM_VOLUME);
  }
  return 0;
}

static const struct v2v_filesystem *
find_filesystem (const struct v2v_os *os, const char *device)
{
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (strcmp (os->filesystems[i].device, device) == 0)
      return &os->filesystems[i];
  return NULL;
}

static bool
is_active (const struct v2v_os *os, const char *device)
{
  const struct v2v_filesystem *f = find_filesystem (os, device);

  return f != NULL && f->is_active;
}

static bool
is_on_mbr (const struct v2v_os *os, const char *device)
{
  const struct v2v_filesystem *f = find_filesystem (os, device);

  return f != NULL && f->disk_signature != 0;
}

/* A BIOS starts the active partition; another one that has its files is
 * better than none: the boot configuration can be looked at. */
static int
mount_system_volume (struct v2v_guest *g, struct guest_appliance *h,
                     struct v2v_error **err)
{
  const bool here = has_boot_files (gfs (h), "");
  int r;

  if (here && is_active (&g->os, g->os.root))
    return 0;
  if (guestfs_mkdir_p (gfs (h), V2V_WINDOWS_SYSTEM_VOLUME) == -1)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the volume of Windows (%s) cannot be written: %s",
                     g->os.root, guestfs_last_error (gfs (h)));
  h->has_system_folder = true;
  r = try_candidates (g, h, true, err);
  if (r == 0 && !here)
    r = try_candidates (g, h, false, err);
  if (r == 0) { /* nothing is to be seen there */
    h->has_system_folder = false;
    guestfs_rmdir (gfs (h), V2V_WINDOWS_SYSTEM_VOLUME);
  }
  return r == -1 ? -1 : 0;
}

/* ---- all of it ---- */

int
guest_inspect_windows (struct v2v_guest *g, struct guest_appliance *h,
                       const char *root, struct v2v_error **err)
{
  bool efi = false;

  h->is_windows = true;
  fill_build (g, h, root);
  fill_places (g, h);
  if (mount_esp (g, h, root, &efi, err) == -1)
    return -1;
  /* A data disk may have an EFI system partition that nothing starts from. */
  return efi && !is_on_mbr (&g->os, root) ? 0 : mount_system_volume (g, h, err);
}
