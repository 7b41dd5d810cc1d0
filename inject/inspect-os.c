/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking into a machine: encrypted disks opened, operating systems found and
 * mounted, struct v2v_os filled.  guestfs(3) "INSPECTION".
 *
 * Everything here comes from the guest: lists are bounded, strings are only
 * carried.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "inject/gate.h"
#include "inject/guest-front.h"
#include "inject/guest-libguestfs.h"
#include "inject/windows.h"

/* Devices of one machine; 256 disks of 128 partitions would be more. */
#define MAX_FILESYSTEMS 4096
/* A full desktop has some 5000 packages. */
#define MAX_APPLICATIONS 100000
/* Opening one makes the next visible (LVM on LUKS on LVM). */
#define MAX_ENCRYPTED 64

static int
fail (struct guest_appliance *h, const char *what, struct v2v_error **err)
{
  return v2v_appliance_fail (h->appliance, err, "%s", what);
}

static guestfs_h *
gfs (struct guest_appliance *h)
{
  return v2v_appliance_guestfs (h->appliance);
}

/* libguestfs' word for what it does not know. */
static char *
known (char *s)
{
  if (s != NULL && (s[0] == '\0' || strcmp (s, "unknown") == 0)) {
    free (s);
    return NULL;
  }
  return s;
}

/* ---- encrypted disks ---- */

static bool
is_encrypted (const char *type)
{
  return strcmp (type, "crypto_LUKS") == 0 || strcmp (type, "BitLocker") == 0;
}

/* DEVICE is made of BELOW. */
static int
add_layer (struct v2v_os *os, const char *prefix, const char *device,
           const char *below, struct v2v_error **err)
{
  struct v2v_os_layer *l = v2v_os_add_layer (os);

  if (l == NULL || (l->below = strdup (below)) == NULL)
    return v2v_fail_nomem (err);
  if (asprintf (&l->device, "%s%s", prefix, device) == -1) {
    l->device = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

/* Open DEVICE by one of KEYS; 1 = opened, 0 = none is for it.  A key that was
 * given for it and is wrong is an error: nobody wants half a guest changed. */
static int
try_keys (struct v2v_guest *g, struct guest_appliance *h, const char *device,
          size_t number, const struct v2v_guest_keys *keys, bool *used,
          struct v2v_error **err)
{
  size_t tried = 0;
  CLEANUP_FREE char *uuid = known (guestfs_vfs_uuid (gfs (h), device));
  /* "v2v-crypt1-sda5": linux-devices.c reads the device out of it.  The kernel
   * takes 127 bytes. */
  char name[64];
  const char *base = strncmp (device, "/dev/", 5) == 0 ? device + 5 : "";
  const bool is_plain =
      *base != '\0' && strlen (base) < 32 &&
      strspn (base, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen (base);

  snprintf (name, sizeof name, "v2v-crypt%zu%s%s", number, is_plain ? "-" : "",
            is_plain ? base : "");
  for (size_t i = 0; keys != NULL && i < keys->len; ++i) {
    const struct v2v_guest_key *k = &keys->ptr[i];

    if (strcmp (k->selector, "all") != 0 && strcmp (k->selector, device) != 0 &&
        (uuid == NULL || strcasecmp (k->selector, uuid) != 0))
      continue;
    used[i] = true;
    if (guestfs_cryptsetup_open (gfs (h), device, k->key, name, -1) == 0)
      return add_layer (&g->os, "/dev/mapper/", name, device, err) == -1 ? -1
                                                                         : 1;
    ++tried;
  }
  if (tried > 0)
    return v2v_appliance_fail (h->appliance, err,
                               tried == 1 ? "the key does not open %s"
                                          : "none of the keys opens %s",
                               device);
  return 0;
}

/* Without a key it stays closed: what is on it may be a data disk. */
static int
note_closed (struct v2v_guest *g, const char *device, const char *type,
             struct v2v_error **err)
{
  if (v2v_findings_add (
          &g->findings, V2V_WARNING, "guest.encrypted", device,
          "give its key with --key DEVICE:FILE, or suspend BitLocker first",
          "%s: no key opens it, so nothing on it was looked at or changed",
          type) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* A volume stayed closed, and a key was for a volume that is not there: its
 * name is misspelt.  (Keys of other machines of the same run are not used
 * either, but then nothing of this one is closed.) */
static int
check_used (const struct v2v_guest_keys *keys, const bool *used,
            const char *closed, struct v2v_error **err)
{
  for (size_t i = 0; keys != NULL && i < keys->len; ++i) {
    if (used[i])
      continue;
    v2v_fail (err, V2V_ERR_GUEST,
              "--key %s: there is no such encrypted volume; %s is closed",
              keys->ptr[i].selector, closed);
    return v2v_hint (err, "--key %s:FILE is for that volume", closed);
  }
  return 0;
}

/* Append DEVICE and its type to *LIST, which has LEN strings, if encrypted. */
static int
add_encrypted (guestfs_h *gfsh, const char *device, char ***list, size_t *len)
{
  char *type = guestfs_vfs_type (gfsh, device);
  char **p;

  if (type == NULL || !is_encrypted (type)) {
    free (type);
    return 0;
  }
  p = realloc (*list, (*len + 3) * sizeof *p);
  if (p == NULL) {
    free (type);
    return -1;
  }
  *list = p;
  p[*len] = NULL;
  if ((p[*len] = strdup (device)) == NULL) {
    free (type);
    return -1;
  }
  p[*len + 1] = type;
  p[*len + 2] = NULL;
  *len += 2;
  return 0;
}

/* What is encrypted: pairs of device and type; NULL when out of memory.
 * guestfs_list_filesystems of 1.48 leaves LUKS out, so every place where it
 * can be is asked. */
static char **
list_encrypted (guestfs_h *gfsh)
{
  CLEANUP_LIST char **devices = guestfs_list_devices (gfsh);
  CLEANUP_LIST char **partitions = guestfs_list_partitions (gfsh);
  CLEANUP_LIST char **arrays = guestfs_list_md_devices (gfsh);
  CLEANUP_LIST char **volumes = guestfs_lvs (gfsh);
  char **const places[] = { devices, partitions, arrays, volumes };
  char **list = calloc (1, sizeof *list);
  size_t len = 0;

  for (size_t k = 0; list != NULL && k < sizeof places / sizeof places[0]; ++k)
    for (size_t i = 0; places[k] != NULL && places[k][i] != NULL; ++i)
      if (add_encrypted (gfsh, places[k][i], &list, &len) == -1) {
        v2v_guest_free_list (list);
        return NULL;
      }
  return list;
}

int
guest_open_encrypted (struct v2v_guest *g, struct guest_appliance *h,
                      const struct v2v_guest_keys *keys, struct v2v_error **err)
{
  CLEANUP_LIST char **seen = calloc (MAX_ENCRYPTED + 1, sizeof *seen);
  CLEANUP_FREE bool *used = calloc (keys ? keys->len + 1 : 1, sizeof *used);
  const char *closed = NULL;
  size_t nr_seen = 0;
  bool again = true;

  if (seen == NULL || used == NULL)
    return v2v_fail_nomem (err);
  while (again) {
    CLEANUP_LIST char **list = list_encrypted (gfs (h));

    again = false;
    if (list == NULL)
      return v2v_fail_nomem (err);
    for (size_t i = 0; list[i] != NULL && nr_seen < MAX_ENCRYPTED; i += 2) {
      bool was_seen = false;
      int r;

      for (size_t k = 0; k < nr_seen; ++k)
        was_seen |= strcmp (seen[k], list[i]) == 0;
      if (was_seen)
        continue;
      seen[nr_seen] = strdup (list[i]);
      if (seen[nr_seen] == NULL)
        return v2v_fail_nomem (err);
      ++nr_seen;
      r = try_keys (g, h, list[i], nr_seen, keys, used, err);
      if (r == -1 ||
          (r == 0 && note_closed (g, list[i], list[i + 1], err) == -1))
        return -1;
      if (r == 0) {
        closed = seen[nr_seen - 1];
        h->has_closed = true;
      }
      if (r == 1) {
        again = true;
        guestfs_lvm_scan (gfs (h), 1); /* there need not be any */
      }
    }
  }
  return closed == NULL ? 0 : check_used (keys, used, closed, err);
}

/* No version of an operating system is greater ("openSUSE 42.3"); its number
 * is a text of the guest's, and is reckoned with. */
#define MAX_VERSION 9999

static int
bounded (int version)
{
  return version < 0 ? -1 : version > MAX_VERSION ? MAX_VERSION : version;
}

/* ---- file systems ---- */

/* The unique GUID of a GPT partition; NULL when DEVICE is none. */
static char *
partuuid (guestfs_h *gfsh, const char *device)
{
  CLEANUP_FREE char *disk = guestfs_part_to_dev (gfsh, device), *table = NULL;
  char *uuid;
  int n;

  if (disk == NULL || (n = guestfs_part_to_partnum (gfsh, device)) == -1)
    return NULL;
  table = guestfs_part_get_parttype (gfsh, disk);
  if (table == NULL || strcmp (table, "gpt") != 0)
    return NULL;
  uuid = guestfs_part_get_gpt_guid (gfsh, disk, n);
  for (char *p = uuid; p != NULL && *p != '\0'; ++p)
    if (*p >= 'A' && *p <= 'Z')
      *p = (char) (*p - 'A' + 'a'); /* as in /dev/disk/by-partuuid */
  return uuid;
}

static bool
is_listed (const struct v2v_os *os, const char *device)
{
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (strcmp (os->filesystems[i].device, device) == 0)
      return true;
  return false;
}

static int
add_filesystems (struct v2v_guest *g, struct guest_appliance *h, char **list,
                 struct v2v_error **err)
{
  for (size_t i = 0; list[i] != NULL; i += 2) {
    struct v2v_filesystem *f;

    if (is_listed (&g->os, list[i]))
      continue;
    if (g->os.nr_filesystems >= MAX_FILESYSTEMS)
      return v2v_fail (err, V2V_ERR_GUEST,
                       "the machine has more than %d file systems",
                       MAX_FILESYSTEMS);
    f = v2v_os_add_filesystem (&g->os);
    if (f == NULL || (f->device = strdup (list[i])) == NULL ||
        (f->type = strdup (list[i + 1])) == NULL)
      return v2v_fail_nomem (err);
    f->uuid = known (guestfs_vfs_uuid (gfs (h), list[i]));
    f->label = known (guestfs_vfs_label (gfs (h), list[i]));
    if (strncmp (list[i], "/dev/sd", 7) == 0)
      f->partuuid = partuuid (gfs (h), list[i]);
  }
  return 0;
}

/* The UUIDs of LVM are written with dashes, or without. */
static bool
is_same_uuid (const char *a, const char *b)
{
  for (; *a != '\0' || *b != '\0'; ++a, ++b) {
    a += strspn (a, "-");
    b += strspn (b, "-");
    if (*a != *b)
      return false;
    if (*a == '\0')
      return true;
  }
  return true;
}

/* Which physical volumes each volume group has: a LUKS volume may be below it,
 * and crypttab is to be told apart by that.  What cannot be found out is left
 * out. */
static int
add_volume_groups (struct v2v_guest *g, struct guest_appliance *h,
                   struct v2v_error **err)
{
  CLEANUP_LIST char **groups = guestfs_vgs (gfs (h));
  CLEANUP_LIST char **volumes = guestfs_pvs (gfs (h));

  for (size_t i = 0; groups != NULL && groups[i] != NULL && volumes != NULL &&
                     g->os.nr_layers < MAX_FILESYSTEMS;
       ++i) {
    CLEANUP_LIST char **uuids = guestfs_vgpvuuids (gfs (h), groups[i]);

    for (size_t k = 0; uuids != NULL && volumes[k] != NULL; ++k) {
      CLEANUP_FREE char *uuid = guestfs_pvuuid (gfs (h), volumes[k]);

      for (size_t n = 0; uuid != NULL && uuids[n] != NULL; ++n)
        if (is_same_uuid (uuid, uuids[n]) &&
            add_layer (&g->os, "/dev/", groups[i], volumes[k], err) == -1)
          return -1;
    }
  }
  return 0;
}

int
guest_list_filesystems (struct v2v_guest *g, struct guest_appliance *h,
                        struct v2v_error **err)
{
  CLEANUP_LIST char **list = guestfs_list_filesystems (gfs (h));
  /* crypttab names them. */
  CLEANUP_LIST char **encrypted = NULL;

  if (list == NULL)
    return fail (h, "listing the file systems", err);
  encrypted = list_encrypted (gfs (h));
  if (encrypted == NULL)
    return v2v_fail_nomem (err);
  if (add_filesystems (g, h, list, err) == -1 ||
      add_filesystems (g, h, encrypted, err) == -1)
    return -1;
  return g->os.nr_layers > 0 ? add_volume_groups (g, h, err) : 0;
}

/* ---- which operating system ---- */

static enum v2v_guest_family
family_of (const char *type)
{
  if (type == NULL)
    return V2V_FAMILY_UNKNOWN;
  if (strcmp (type, "linux") == 0)
    return V2V_FAMILY_LINUX;
  return strcmp (type, "windows") == 0 ? V2V_FAMILY_WINDOWS : V2V_FAMILY_OTHER;
}

static int
fill_identity (struct v2v_guest *g, struct guest_appliance *h, const char *root,
               struct v2v_error **err)
{
  CLEANUP_FREE char *type = guestfs_inspect_get_type (gfs (h), root);
  guestfs_h *gfsh = gfs (h);
  struct v2v_os *os = &g->os;

  os->family = family_of (type);
  os->root = strdup (root);
  if (os->root == NULL)
    return v2v_fail_nomem (err);
  os->distro = known (guestfs_inspect_get_distro (gfsh, root));
  os->product_name = known (guestfs_inspect_get_product_name (gfsh, root));
  os->product_variant =
      known (guestfs_inspect_get_product_variant (gfsh, root));
  os->arch = known (guestfs_inspect_get_arch (gfsh, root));
  os->hostname = known (guestfs_inspect_get_hostname (gfsh, root));
  os->major = bounded (guestfs_inspect_get_major_version (gfsh, root));
  os->minor = bounded (guestfs_inspect_get_minor_version (gfsh, root));
  os->package_format = known (guestfs_inspect_get_package_format (gfsh, root));
  os->package_management =
      known (guestfs_inspect_get_package_management (gfsh, root));
  if (os->family == V2V_FAMILY_WINDOWS) {
    os->systemroot =
        known (guestfs_inspect_get_windows_systemroot (gfsh, root));
    os->control_set =
        known (guestfs_inspect_get_windows_current_control_set (gfsh, root));
  }
  return 0;
}

static int
fill_letters (struct v2v_guest *g, struct guest_appliance *h, const char *root,
              struct v2v_error **err)
{
  CLEANUP_LIST char **list = NULL;

  if (g->os.family != V2V_FAMILY_WINDOWS)
    return 0;
  list = guestfs_inspect_get_drive_mappings (gfs (h), root);
  for (size_t i = 0; list != NULL && list[i] != NULL && i < 52; i += 2) {
    struct v2v_os_letter *l = v2v_os_add_letter (&g->os);

    if (l == NULL || (l->device = strdup (list[i + 1])) == NULL)
      return v2v_fail_nomem (err);
    l->letter =
        (char) (list[i][0] >= 'a' && list[i][0] <= 'z' ? list[i][0] - 'a' + 'A'
                                                       : list[i][0]);
  }
  return 0;
}

/* ---- mounting ---- */

static int
compare_mounts (const void *a, const void *b)
{
  const struct v2v_os_mount *ma = a, *mb = b;
  const size_t la = strlen (ma->path), lb = strlen (mb->path);

  return la != lb ? (la < lb ? -1 : 1) : strcmp (ma->path, mb->path);
}

static int
fill_mounts (struct v2v_guest *g, struct guest_appliance *h, const char *root,
             struct v2v_error **err)
{
  CLEANUP_LIST char **list = guestfs_inspect_get_mountpoints (gfs (h), root);

  if (list == NULL)
    return fail (h, "finding the guest's mount points", err);
  for (size_t i = 0; list[i] != NULL; i += 2) {
    struct v2v_os_mount *m;

    if (i / 2 >= MAX_FILESYSTEMS)
      break;
    m = v2v_os_add_mount (&g->os);
    if (m == NULL || (m->path = strdup (list[i])) == NULL ||
        (m->device = strdup (list[i + 1])) == NULL)
      return v2v_fail_nomem (err);
  }
  qsort (g->os.mounts, g->os.nr_mounts, sizeof *g->os.mounts, compare_mounts);
  return 0;
}

static int
mount_one (struct v2v_guest *g, struct guest_appliance *h,
           const struct v2v_os_mount *m)
{
  /* ntfs-3g mounts a hibernated volume for reading only, unless told. */
  if (g->os.family == V2V_FAMILY_WINDOWS && g->opts.allow_hibernated)
    return guestfs_mount_options (gfs (h), "remove_hiberfile", m->device,
                                  m->path);
  return guestfs_mount (gfs (h), m->device, m->path);
}

/* The partition at the end of NAME, a name by a driver that the appliance does
 * not use ("/dev/nvme0n1p2", "/dev/hda2"); 0 = it is none. */
static unsigned
partition_of_old_name (const char *name)
{
  unsigned controller, space, partition = 0;
  char disk;
  int end = 0;

  if ((sscanf (name, "/dev/nvme%3un%3up%3u%n", &controller, &space, &partition,
               &end) == 3 ||
       sscanf (name, "/dev/hd%c%3u%n", &disk, &partition, &end) == 2 ||
       sscanf (name, "/dev/vd%c%3u%n", &disk, &partition, &end) == 2) &&
      name[end] == '\0')
    return partition;
  return 0;
}

/* libguestfs knows what SCSI, IDE and virtio called a disk, but not NVMe; with
 * one disk there is no doubt.  True: M has another device now. */
static bool
follow_old_name (struct v2v_guest *g, const struct guest_appliance *h,
                 struct v2v_os_mount *m)
{
  const unsigned partition = partition_of_old_name (m->device);
  char name[32], *p;

  if (partition == 0 || h->nr_overlays != 1)
    return false;
  snprintf (name, sizeof name, "/dev/sda%u", partition);
  for (size_t i = 0; i < g->os.nr_filesystems; ++i)
    if (strcmp (g->os.filesystems[i].device, name) == 0 &&
        (p = strdup (name)) != NULL) {
      free (m->device);
      m->device = p;
      return true;
    }
  return false;
}

/* "/" is where fstab was found, whatever fstab calls it: the name of a mapping
 * in crypttab ("/dev/mapper/sda2_crypt") is not the one it is opened by here.
 * True: M has another device now. */
static bool
follow_root (struct v2v_os_mount *m, const char *root)
{
  char *p;

  if (strcmp (m->path, "/") != 0 || strcmp (m->device, root) == 0 ||
      (p = strdup (root)) == NULL)
    return false;
  free (m->device);
  m->device = p;
  return true;
}

/* Only "/" must be mounted: fstab may name a disk that was left behind. */
static int
mount_all (struct v2v_guest *g, struct guest_appliance *h, const char *root,
           struct v2v_error **err)
{
  for (size_t i = 0; i < g->os.nr_mounts;) {
    struct v2v_os_mount *m = &g->os.mounts[i];

    if (mount_one (g, h, m) == 0 ||
        (follow_old_name (g, h, m) && mount_one (g, h, m) == 0) ||
        (follow_root (m, root) && mount_one (g, h, m) == 0)) {
      ++i;
      continue;
    }
    if (strcmp (m->path, "/") == 0)
      return v2v_appliance_fail (h->appliance, err, "mounting %s", m->device);
    if (v2v_findings_add (&g->findings, V2V_WARNING, "guest.mount.failed",
                          m->path, "check it after the first start",
                          "%s could not be mounted: %s", m->device,
                          guestfs_last_error (gfs (h))) == -1)
      return v2v_fail_nomem (err);
    free (m->path);
    free (m->device);
    memmove (m, m + 1, (g->os.nr_mounts - i - 1) * sizeof *m);
    --g->os.nr_mounts;
  }
  return 0;
}

/* ---- what is on it ---- */

static int
fill_applications (struct v2v_guest *g, struct guest_appliance *h,
                   const char *root, struct v2v_error **err)
{
  struct guestfs_application2_list *list =
      guestfs_inspect_list_applications2 (gfs (h), root);
  int r = 0;

  if (list == NULL)
    return v2v_findings_add (&g->findings, V2V_WARNING,
                             "guest.applications.unknown", NULL,
                             "look for VMware Tools after the first start",
                             "the list of installed packages cannot be read: "
                             "%s",
                             guestfs_last_error (gfs (h))) == -1
               ? v2v_fail_nomem (err)
               : 0;
  for (uint32_t i = 0; i < list->len && i < MAX_APPLICATIONS && r == 0; ++i) {
    const struct guestfs_application2 *from = &list->val[i];
    struct v2v_os_application *to = v2v_os_add_application (&g->os);

    if (to == NULL || (to->name = strdup (from->app2_name)) == NULL ||
        (to->version = strdup (from->app2_version)) == NULL ||
        (to->release = strdup (from->app2_release)) == NULL ||
        (to->arch = strdup (from->app2_arch)) == NULL ||
        (to->publisher = strdup (from->app2_publisher)) == NULL)
      r = v2v_fail_nomem (err);
  }
  guestfs_free_application2_list (list);
  return r;
}

/* ---- all of it ---- */

int
guest_inspect (struct v2v_guest *g, struct guest_appliance *h,
               struct v2v_error **err)
{
  CLEANUP_LIST char **roots = guestfs_inspect_os (gfs (h));
  const char *root;
  size_t n = 0, chosen;
  int r;

  if (roots == NULL)
    return fail (h, "looking for operating systems", err);
  while (roots[n] != NULL)
    ++n;
  if (n == 0 && h->has_closed && g->opts.have_keys) {
    v2v_fail (err, V2V_ERR_GUEST,
              "no operating system was found, and a volume is encrypted that "
              "no key opens");
    return v2v_hint (err, "give its key with --key, or copy the disks as they "
                          "are with --no-guest");
  }
  r = v2v_guest_gate_roots ((const char *const *) roots, n, g->opts.root,
                            &g->findings, &chosen, err);
  if (r <= 0)
    return r;
  root = roots[chosen];
  if (fill_identity (g, h, root, err) == -1 ||
      fill_letters (g, h, root, err) == -1 ||
      fill_mounts (g, h, root, err) == -1)
    return -1;
  if (mount_all (g, h, root, err) == -1 ||
      fill_applications (g, h, root, err) == -1)
    return -1;
  return g->os.family == V2V_FAMILY_WINDOWS
             ? guest_inspect_windows (g, h, root, err)
             : 0;
}
