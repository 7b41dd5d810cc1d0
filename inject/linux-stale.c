/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies in an initramfs of files that linux_remap_devices and
 * linux_fix_settings change: with them it looks for the root file system, long
 * before the files themselves can be read.  The guest's own tool copies anew
 * when it makes the image again; where it cannot, the copies in the image get
 * the same changes as the files, and are appended.
 *
 * The copies are changed, not replaced by the files: the tools write down other
 * lines than there are ("cryptroot/crypttab" has the entries of the root alone).
 *
 * Sources: hooks of initramfs-tools (resume), cryptsetup-initramfs, mdadm and
 * lvm2 in Debian; modules.d of dracut (crypt, mdraid, lvm, base); lvm.conf(5),
 * lvmdevices(8), lvmlocal.conf(5).
 */

#include <config.h>

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-initramfs.h"

#define SYSTEM_DEVICES "etc/lvm/devices/system.devices"
#define LVMLOCAL       "etc/lvm/lvmlocal.conf"
/* Nothing can be taken out of an image. */
static const char no_list[] =
    "# v2v: the list of devices has those of VMware.\n"
    "devices {\n\tuse_devicesfile=0\n}\n";

static const char *const copied[] = {
  "etc/crypttab",         "cryptroot/crypttab", "conf/conf.d/*",
  "conf/initramfs.conf",  "etc/mdadm.conf",     "etc/mdadm/mdadm.conf",
  "etc/lvm/lvm.conf",     "etc/modprobe.d/*",   "lib/modprobe.d/*",
  "usr/lib/modprobe.d/*", "etc/modprobe.conf",  "etc/cmdline.d/*",
  "usr/lib/cmdline.d/*",
};

/* Do we know what whoever made IM copies? */
static bool
is_maker_known (const struct v2v_initramfs *im)
{
  static const char *const signs[] = {
    "scripts/functions",
    "init_functions",
    "usr/lib/dracut",
    "lib/dracut",
    "pre-udev",
    "sbin/nlplug-findfs",
    "usr/sbin/nlplug-findfs",
    "usr/lib/systemd/systemd",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (signs); ++i)
    if (v2v_initramfs_find (im, signs[i]) != NULL)
      return true;
  return false;
}

static bool
is_copied (const char *name)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (copied); ++i)
    if (fnmatch (copied[i], name, FNM_PATHNAME) == 0)
      return true;
  return false;
}

/* LVM would see no volume of a disk that is not in the list. */
static int
ignore_system_devices (struct linux_guest *l, const struct v2v_initramfs *im,
                       struct v2v_cpio_writer *w, struct v2v_error **err)
{
  const struct v2v_initramfs_file *list =
      v2v_initramfs_find (im, SYSTEM_DEVICES);
  const struct v2v_initramfs_file *local = v2v_initramfs_find (im, LVMLOCAL);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (list == NULL || list->size_bytes == 0 ||
      v2v_guest_exists (l->g, "/" SYSTEM_DEVICES) ||
      (local != NULL && local->data != NULL &&
       strstr (local->data, no_list) != NULL))
    return 0;
  if (v2v_str_printf (&s, "%s\n%s", local && local->data ? local->data : "",
                      no_list) == -1)
    return v2v_fail_nomem (err);
  return v2v_cpio_add (w, LVMLOCAL, S_IFREG | 0644, s.ptr, s.len, err) == -1
             ? -1
             : 1;
}

int
linux_renew_copies (struct linux_guest *l, const struct v2v_initramfs *im,
                    struct v2v_cpio_writer *w, const char **ret_unreadable,
                    struct v2v_error **err)
{
  int any = ignore_system_devices (l, im, w, err);

  *ret_unreadable =
      is_maker_known (im) ? NULL : "it is not known what its maker copies";
  for (size_t i = 0; any != -1 && i < im->nr_files; ++i) {
    const struct v2v_initramfs_file *f = &im->files[i];
    CLEANUP_FREE char *new = NULL;

    if (!S_ISREG (f->mode) || f->size_bytes == 0 || !is_copied (f->name) ||
        v2v_initramfs_find (im, f->name) != f)
      continue;
    if (f->data == NULL) {
      *ret_unreadable = "one of them is too large to be looked at";
      continue;
    }
    if (linux_edit_copy (l, f->name, f->data, &new, err) == -1)
      return -1;
    if (new == NULL)
      continue;
    if (v2v_cpio_add (w, f->name, S_IFREG | (f->mode & 07777), new,
                      strlen (new), err) == -1)
      return -1;
    any = 1;
  }
  return any;
}
