/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which entry of crypttab is needed to reach the root file system: what the root
 * stands on, through LVM and LUKS in any order.
 *
 * Sources: crypttab(5); lvm(8) "Valid names" for how the device mapper spells a
 * logical volume.
 */

#include <config.h>

#include <string.h>
#include <strings.h>

#include "inject/linux-names.h"

static bool
field_is (const char *p, size_t len, const char *word)
{
  return strlen (word) == len && memcmp (p, word, len) == 0;
}

/* What the logical volume "/dev/VG/LV" or "/dev/mapper/VG-LV" (with a dash of a
 * name doubled) holds, or NULL. */
static const struct v2v_filesystem *
find_volume (const struct v2v_os *os, const char *dev, size_t len)
{
  static const char mapper[] = "/dev/mapper/";
  char path[256] = "/dev/";
  size_t n = 5;

  if (len >= sizeof path)
    return NULL;
  if (len > strlen (mapper) && memcmp (dev, mapper, strlen (mapper)) == 0) {
    for (size_t i = strlen (mapper); i < len; ++i) {
      const bool dash = dev[i] == '-';

      if (dash && i + 1 < len && dev[i + 1] == '-')
        ++i;
      else if (dash) {
        path[n++] = '/';
        continue;
      }
      path[n++] = dev[i];
    }
    path[n] = '\0';
  }
  else {
    memcpy (path, dev, len);
    path[len] = '\0';
  }
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (os->filesystems[i].device != NULL &&
        strncmp (path, "/dev/sd", 7) != 0 &&
        strcmp (os->filesystems[i].device, path) == 0)
      return &os->filesystems[i];
  return NULL;
}

/* Does DEVICE, or the volume or subvolume that its path goes on with, stand on
 * WANTED?  1 = yes, 0 = no, -1 = what it is made of is not known. */
#define MAX_LAYERS 8
static int
stands_on (const struct v2v_os *os, const char *device, const char *wanted,
           unsigned depth)
{
  int known = strncmp (device, "/dev/sd", 7) == 0 ? 0 : -1;

  if (field_is (wanted, strlen (wanted), device))
    return 1;
  for (size_t i = 0; depth < MAX_LAYERS && i < os->nr_layers; ++i) {
    const struct v2v_os_layer *layer = &os->layers[i];
    const size_t n = strlen (layer->device);
    int r;

    if (strncmp (device, layer->device, n) != 0 ||
        (device[n] != '\0' && device[n] != '/'))
      continue;
    r = stands_on (os, layer->below, wanted, depth + 1);
    if (r == 1)
      return 1;
    known = r == -1 ? -1 : 0;
    if (r == -1)
      break;
  }
  return known;
}

/* The file system that crypttab's second field names, or NULL. */
static const struct v2v_filesystem *
crypttab_source (struct linux_guest *l, const char *dev, size_t len)
{
  static const char by_uuid[] = "/dev/disk/by-uuid/";
  const struct v2v_os *os = l->os;
  const char *uuid = NULL;

  if (len > 5 && strncasecmp (dev, "UUID=", 5) == 0)
    uuid = dev + 5;
  else if (len > strlen (by_uuid) &&
           memcmp (dev, by_uuid, strlen (by_uuid)) == 0)
    uuid = dev + strlen (by_uuid);
  if (uuid == NULL) {
    const struct v2v_filesystem *lv = find_volume (os, dev, len);

    return lv != NULL ? lv : linux_find_filesystem (l, dev, len);
  }
  len -= (size_t) (uuid - dev);
  if (len >= 2 && uuid[0] == '"' && uuid[len - 1] == '"') {
    ++uuid;
    len -= 2;
  }
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (os->filesystems[i].uuid != NULL &&
        strlen (os->filesystems[i].uuid) == len &&
        strncasecmp (os->filesystems[i].uuid, uuid, len) == 0)
      return &os->filesystems[i];
  return NULL;
}

bool
linux_is_for_root (struct linux_guest *l, const char *name, size_t name_len,
                   const char *dev, size_t dev_len)
{
  static const char mapper[] = "/dev/mapper/", ours[] = "v2v-crypt";
  const struct v2v_filesystem *fs = crypttab_source (l, dev, dev_len);
  const char *device = NULL;
  size_t n;

  for (size_t i = 0; i < l->os->nr_mounts; ++i)
    if (l->os->mounts[i].path && strcmp (l->os->mounts[i].path, "/") == 0)
      device = l->os->mounts[i].device;
  if (device == NULL)
    return false;
  if (strncmp (device, "btrfsvol:", 9) == 0)
    device += 9;
  if (fs != NULL && fs->device != NULL && l->os->nr_layers > 0) {
    const int r = stands_on (l->os, device, fs->device, 0);

    if (r != -1)
      return r == 1;
  }
  if (strncmp (device, mapper, strlen (mapper)) != 0)
    return strncmp (device, "/dev/sd", 7) != 0;
  device += strlen (mapper);
  n = strcspn (device, "/");
  if (n == name_len && memcmp (device, name, n) == 0)
    return true;
  if (strncmp (device, ours, strlen (ours)) != 0)
    return true; /* a logical volume */
  device += strlen (ours);
  device += strspn (device, "0123456789");
  if (*device != '-' || fs == NULL || fs->device == NULL ||
      strncmp (fs->device, "/dev/", 5) != 0)
    return true;
  ++device;
  return field_is (device, strcspn (device, "/"), fs->device + 5);
}
