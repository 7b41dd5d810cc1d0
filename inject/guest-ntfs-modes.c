/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mode of files and folders that are made on the NTFS of Windows.
 *
 * What ntfs-3g makes gives everybody full control, and as it is mounted for the
 * guest (without "permissions") chmod is taken and does nothing: scripts that
 * run as the system could be exchanged, passwords read, until Windows' first
 * start has locked them.  So modes are remembered, and set before the appliance
 * is stopped in a mount of their own with "permissions", where ntfs-3g makes an
 * access control list of a mode: the system and administrators keep full
 * control, everybody else has what the mode says (ntfs-3g(8), "Access Handling
 * and Security"; wiki "File Ownership and Permissions").  Files that were
 * there keep their own list: nothing else is touched in that mount.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "inject/guest-front.h"
#include "inject/guest-libguestfs.h"

static guestfs_h *
gfs (struct guest_appliance *h)
{
  return v2v_appliance_guestfs (h->appliance);
}

void
guest_ntfs_modes_clear (guest_ntfs_modes *m)
{
  for (size_t i = 0; i < m->len; ++i)
    free (m->ptr[i].path);
  free (m->ptr);
  *m = (guest_ntfs_modes) V2V_VECTOR_INIT;
}

bool
guest_is_ntfs (struct guest_appliance *h, const char *path)
{
  size_t len;
  CLEANUP_FREE char *acl =
      guestfs_lgetxattr (gfs (h), path, "system.ntfs_acl", &len);

  return acl != NULL;
}

int
guest_ntfs_modes_add (struct guest_appliance *h, const char *path,
                      uint32_t mode, struct v2v_error **err)
{
  struct guest_ntfs_mode m = { NULL, mode };

  for (size_t i = 0; i < h->modes.len; ++i)
    if (strcmp (h->modes.ptr[i].path, path) == 0) {
      h->modes.ptr[i].mode = mode;
      return 0;
    }
  m.path = strdup (path);
  if (m.path == NULL || guest_ntfs_modes_append (&h->modes, m) == -1) {
    free (m.path);
    return v2v_fail_nomem (err);
  }
  return 0;
}

int
guest_ntfs_modes_rename (struct guest_appliance *h, const char *from,
                         const char *to, struct v2v_error **err)
{
  for (size_t i = 0; i < h->modes.len; ++i)
    if (strcmp (h->modes.ptr[i].path, from) == 0) {
      const uint32_t mode = h->modes.ptr[i].mode;

      free (h->modes.ptr[i].path);
      h->modes.ptr[i] = h->modes.ptr[--h->modes.len];
      return guest_ntfs_modes_add (h, to, mode, err);
    }
  return 0;
}

/* Files before the folders they are in: nobody may be locked out on the way,
 * and the order makes no difference to Windows. */
static int
longest_first (const void *a, const void *b)
{
  const struct guest_ntfs_mode *x = a, *y = b;
  const size_t n = strlen (x->path), m = strlen (y->path);

  return n != m ? (n > m ? -1 : 1) : strcmp (x->path, y->path);
}

int
guest_ntfs_modes_apply (struct v2v_guest *g, struct guest_appliance *h,
                        struct v2v_error **err)
{
  size_t nr_failed = 0;

  if (h->modes.len == 0)
    return 0;
  if (guestfs_mount_options (gfs (h), "permissions", g->os.root, "/") == -1) {
    v2v_debug ("guest: %s: %s", g->os.root, guestfs_last_error (gfs (h)));
    nr_failed = h->modes.len;
  }
  else {
    qsort (h->modes.ptr, h->modes.len, sizeof h->modes.ptr[0], longest_first);
    for (size_t i = 0; i < h->modes.len; ++i) {
      const struct guest_ntfs_mode *m = &h->modes.ptr[i];

      /* Removed again since. */
      if (guestfs_exists (gfs (h), m->path) == 0)
        continue;
      if (guestfs_chmod (gfs (h), (int) m->mode, m->path) == -1) {
        v2v_debug ("guest: %s: %s", m->path, guestfs_last_error (gfs (h)));
        ++nr_failed;
      }
    }
    if (guestfs_umount_all (gfs (h)) == -1)
      return v2v_appliance_fail (h->appliance, err, "unmounting the guest");
  }
  if (nr_failed == 0)
    return 0;
  if (v2v_findings_add (&g->findings, V2V_WARNING, "guest.windows.open-files",
                        NULL,
                        "let nobody else log in before the first boot's "
                        "scripts have run",
                        "%zu new files and folders are open to every user "
                        "until the first boot",
                        nr_failed) == -1)
    return v2v_fail_nomem (err);
  return 0;
}
