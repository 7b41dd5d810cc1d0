/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the back end over libguestfs: its handle, and what inspect-os.c does
 * with it. */
#ifndef V2V_GUEST_LIBGUESTFS_H
#define V2V_GUEST_LIBGUESTFS_H

#include "formats/core/vector.h"
#include "inject/guest-open.h"
#include "inject/launch.h"
#include "inject/overlay.h"

/* Of what was made on NTFS: set when all else is done. */
struct guest_ntfs_mode {
  char *path;
  uint32_t mode;
};
V2V_VECTOR (guest_ntfs_modes, struct guest_ntfs_mode);

struct guest_appliance {
  struct v2v_appliance *appliance;
  struct v2v_overlay **overlays;
  size_t nr_overlays;
  struct v2v_tempdir *folder; /* of temporary overlays, or NULL */
  bool has_esp_folder;        /* GUEST_ESP was made */
  bool has_system_folder;     /* V2V_WINDOWS_SYSTEM_VOLUME was made */
  bool has_closed;            /* an encrypted volume was not opened */
  bool is_windows;
  guest_ntfs_modes modes;
  bool saved;
};

/* Where the EFI system partition of Windows is seen, see windows.h. */
#define GUEST_ESP "/EFI-v2v"

/* The guest over H, which it takes over on success. */
struct v2v_guest *guest_appliance_new (struct guest_appliance *h,
                                       struct v2v_error **err);
void guest_appliance_free (struct guest_appliance *h);
/* H of G, or NULL when G has another back end. */
struct guest_appliance *guest_appliance_of (struct v2v_guest *g);

/* guest-fsck.c: a finding for each file system that has errors; nothing may
 * be mounted. */
int guest_check_filesystems (struct v2v_guest *g, struct guest_appliance *h,
                             struct v2v_error **err);

/* guest-ntfs-modes.c: is PATH (not what a link leads to) on NTFS?  Then the
 * MODE of what was made there is remembered, and set by _apply, which needs
 * that nothing is mounted. */
bool guest_is_ntfs (struct guest_appliance *h, const char *path);
int guest_ntfs_modes_add (struct guest_appliance *h, const char *path,
                          uint32_t mode, struct v2v_error **err);
int guest_ntfs_modes_rename (struct guest_appliance *h, const char *from,
                             const char *to, struct v2v_error **err);
int guest_ntfs_modes_apply (struct v2v_guest *g, struct guest_appliance *h,
                            struct v2v_error **err);
void guest_ntfs_modes_clear (guest_ntfs_modes *m);

/* inspect-os.c, in this order: open what is encrypted, list the file systems,
 * find the operating system, mount it and fill the guest's v2v_os. */
int guest_open_encrypted (struct v2v_guest *g, struct guest_appliance *h,
                          const struct v2v_guest_keys *keys,
                          struct v2v_error **err);
int guest_list_filesystems (struct v2v_guest *g, struct guest_appliance *h,
                            struct v2v_error **err);
int guest_inspect (struct v2v_guest *g, struct guest_appliance *h,
                   struct v2v_error **err);
/* inspect-windows.c: what more is to be known of Windows on ROOT, which is
 * mounted; its EFI system partition or active partition is mounted too. */
int guest_inspect_windows (struct v2v_guest *g, struct guest_appliance *h,
                           const char *root, struct v2v_error **err);

#endif /* V2V_GUEST_LIBGUESTFS_H */
