/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of disks.
 *
 * On VMware a disk is sdX (SCSI, SATA, and IDE since 2.6.20), hdX (older IDE)
 * or nvmeNn1; Hyper-V calls every disk sdX, in no promised order.  So a name
 * is followed to its file system, and that one is named by its UUID.
 *
 * Which file system?  libguestfs calls the disks sda, sdb ... in the order of
 * the machine; the i-th disk that the guest saw on its kind of bus is the i-th
 * of that kind in the machine.  Without a machine, the i-th of all.
 *
 * Sources: the kernel's Documentation/admin-guide/devices.txt (sdX, hdX,
 * cciss), the rules 60-persistent-storage.rules of systemd (by-id, by-path).
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-names.h"

/* Disk numbers beyond this are no disks of a virtual machine (4 controllers
 * of 64). */
#define MAX_DISKS 256
/* Partitions of a GPT. */
#define MAX_PARTITIONS 128

/* A name, taken apart. */
struct name {
  enum { ON_SD, ON_HD, ON_NVME, ON_UNIT, ON_ANY } kind;
  unsigned disk;      /* its number among its kind; of a by-path the unit */
  unsigned partition; /* 0 = the whole disk */
};

/* ---- taking names apart ---- */

/* "a", "z", "aa" as 0, 25, 26. */
static bool
parse_letters (const char **p, unsigned *ret)
{
  unsigned n = 0;

  if (!islower ((unsigned char) **p))
    return false;
  for (; islower ((unsigned char) **p) && n < MAX_DISKS; ++*p)
    n = n * 26 + (unsigned) (**p - 'a') + 1;
  *ret = n - 1;
  return *ret < MAX_DISKS;
}

static bool
parse_decimal (const char **p, unsigned max, unsigned *ret)
{
  unsigned n = 0;

  if (!isdigit ((unsigned char) **p))
    return false;
  for (; isdigit ((unsigned char) **p); ++*p) {
    n = n * 10 + (unsigned) (**p - '0');
    if (n > max)
      return false;
  }
  *ret = n;
  return true;
}

/* What is left of a name: nothing, or SEPARATOR and a partition's number. */
static bool
parse_partition (const char *p, const char *separator, unsigned *ret)
{
  *ret = 0;
  if (*p == '\0')
    return true;
  if (strncmp (p, separator, strlen (separator)) != 0)
    return false;
  p += strlen (separator);
  return parse_decimal (&p, MAX_PARTITIONS, ret) && *ret > 0 && *p == '\0';
}

static bool
skip_text (const char **p, const char *text)
{
  const size_t n = strlen (text);

  if (strncmp (*p, text, n) != 0)
    return false;
  *p += n;
  return true;
}

/* P is behind "/dev/". */
static bool
parse_kernel_name (const char *p, struct name *ret)
{
  unsigned n, controller;

  if (skip_text (&p, "sd") || skip_text (&p, "vd") || skip_text (&p, "xvd")) {
    ret->kind = ON_SD;
    return parse_letters (&p, &ret->disk) &&
           parse_partition (p, "", &ret->partition);
  }
  if (skip_text (&p, "hd")) {
    ret->kind = ON_HD;
    return parse_letters (&p, &ret->disk) &&
           parse_partition (p, "", &ret->partition);
  }
  if (skip_text (&p, "nvme")) {
    ret->kind = ON_NVME;
    if (!parse_decimal (&p, MAX_DISKS, &controller) || !skip_text (&p, "n") ||
        !parse_decimal (&p, MAX_DISKS, &n) || n == 0)
      return false;
    /* VMware: one controller with many name spaces; others: the reverse. */
    ret->disk = controller + n - 1;
    return parse_partition (p, "p", &ret->partition);
  }
  if (skip_text (&p, "cciss/c") || skip_text (&p, "ida/c")) {
    ret->kind = ON_SD;
    return parse_decimal (&p, 8, &controller) && skip_text (&p, "d") &&
           parse_decimal (&p, MAX_DISKS, &ret->disk) &&
           parse_partition (p, "p", &ret->partition);
  }
  return false;
}

/* P is behind "/dev/disk/by-id/" or "by-path/". */
static bool
parse_link_name (const char *p, bool by_path, struct name *ret)
{
  const char *part = strstr (p, "-part");
  const char *scsi = by_path ? strstr (p, "-scsi-") : NULL;
  unsigned n;

  ret->kind = ON_ANY;
  ret->partition = 0;
  if (part != NULL && !parse_partition (part, "-part", &ret->partition))
    return false;
  if (scsi == NULL)
    return true;
  scsi += strlen ("-scsi-");
  /* host:channel:target:lun */
  if (!parse_decimal (&scsi, 9999, &n) || !skip_text (&scsi, ":") ||
      !parse_decimal (&scsi, 9999, &n) || !skip_text (&scsi, ":") ||
      !parse_decimal (&scsi, MAX_DISKS, &ret->disk))
    return false;
  ret->kind = ON_UNIT;
  return true;
}

/* ---- from the name to the i-th disk ---- */

/* Did the old IDE driver, with its hdX, run this guest?  (libata took IDE over
 * in 2.6.20.) */
static bool
has_old_ide (const struct linux_guest *l)
{
  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (linux_compare_versions (l->kernels[i].version, "2.6.20") < 0)
      return true;
  return false;
}

static bool
is_on (enum v2v_bus bus, const struct name *n, bool old_ide)
{
  switch (bus) {
  case V2V_BUS_SCSI:
  case V2V_BUS_SATA:
    return n->kind == ON_SD;
  case V2V_BUS_NVME:
    return n->kind == ON_NVME;
  case V2V_BUS_IDE:
    return n->kind == ON_SD && !old_ide;
  case V2V_BUS_FLOPPY:
  case V2V_BUS_OTHER:
    return false;
  }
  return false;
}

/* The N->disk'th disk of those that had names of this kind.  Which driver came
 * first is not known where two of them give the same kind of names. */
static int
by_order (struct linux_guest *l, const struct v2v_machine *m,
          const struct name *n)
{
  const bool old_ide = has_old_ide (l);
  unsigned seen = 0;
  int found = -1, first = -1;

  for (size_t i = 0; i < m->nr_disks; ++i) {
    if (!is_on (m->disks[i].bus, n, old_ide))
      continue;
    if (first == -1)
      first = (int) i;
    if (m->disks[i].bus != m->disks[first].bus)
      return -1;
    if (seen++ == n->disk)
      found = (int) i;
  }
  return found;
}

/* The only disk of the machine that HAS; -1 = none, or several. */
static int
only_disk (const struct v2v_machine *m,
           bool (*has) (const struct v2v_disk *d, const struct name *n),
           const struct name *n)
{
  int found = -1;

  for (size_t i = 0; i < m->nr_disks; ++i)
    if (has == NULL || has (&m->disks[i], n)) {
      if (found != -1)
        return -1;
      found = (int) i;
    }
  return found;
}

static bool
has_unit (const struct v2v_disk *d, const struct name *n)
{
  return (d->bus == V2V_BUS_SCSI || d->bus == V2V_BUS_SATA) &&
         d->unit == n->disk;
}

/* IDE names tell the place: hdc is the master of the second channel. */
static bool
has_place (const struct v2v_disk *d, const struct name *n)
{
  return d->bus == V2V_BUS_IDE && 2 * d->controller + d->unit == n->disk;
}

/* The number of the disk in the machine, -1 = unknown. */
static int
disk_index (struct linux_guest *l, const struct name *n)
{
  const struct v2v_machine *m = v2v_guest_machine (l->g);

  if (m == NULL || m->nr_disks == 0) {
    /* One disk: every name is its. */
    if (n->kind == ON_ANY || n->kind == ON_UNIT) {
      for (size_t i = 0; i < l->os->nr_filesystems; ++i)
        if (strncmp (l->os->filesystems[i].device, "/dev/sdb", 8) == 0)
          return -1;
      return 0;
    }
    return (int) n->disk;
  }
  if (n->kind == ON_ANY)
    return only_disk (m, NULL, n);
  if (n->kind == ON_UNIT) {
    const int i = only_disk (m, has_unit, n);

    return i != -1 ? i : only_disk (m, NULL, n);
  }
  if (n->kind == ON_HD)
    return only_disk (m, has_place, n);
  return by_order (l, m, n);
}

/* "/dev/sda3" for the first disk; NULL when out of memory. */
static char *
sd_name (unsigned disk, unsigned partition)
{
  char letters[3] = { 0 };
  char *s;
  int r;

  if (disk < 26) {
    letters[0] = (char) ('a' + disk);
  }
  else {
    letters[0] = (char) ('a' + disk / 26 - 1);
    letters[1] = (char) ('a' + disk % 26);
  }
  r = partition ? asprintf (&s, "/dev/sd%s%u", letters, partition)
                : asprintf (&s, "/dev/sd%s", letters);
  return r == -1 ? NULL : s;
}

/* The name that libguestfs has, and Hyper-V most likely. */
static enum linux_name_kind
to_sd_name (struct linux_guest *l, const char *name, size_t len, char **ret)
{
  CLEANUP_FREE char *copy = strndup (name, len);
  struct name n = { .kind = ON_ANY };
  const char *p = copy;
  int i;

  *ret = NULL;
  if (copy == NULL || !skip_text (&p, "/dev/"))
    return LINUX_NAME_STABLE;
  if (skip_text (&p, "disk/by-id/")) {
    if (strncmp (p, "dm-", 3) == 0 || strncmp (p, "md-", 3) == 0 ||
        strncmp (p, "lvm-", 4) == 0)
      return LINUX_NAME_STABLE;
    if (!parse_link_name (p, false, &n))
      return LINUX_NAME_UNKNOWN;
  }
  else if (skip_text (&p, "disk/by-path/")) {
    if (!parse_link_name (p, true, &n))
      return LINUX_NAME_UNKNOWN;
  }
  else if (!parse_kernel_name (p, &n)) {
    return LINUX_NAME_STABLE;
  }
  i = disk_index (l, &n);
  if (i < 0 || i >= MAX_DISKS)
    return LINUX_NAME_UNKNOWN;
  *ret = sd_name ((unsigned) i, n.partition);
  return *ret ? LINUX_NAME_MAPPED : LINUX_NAME_UNKNOWN;
}

/* ---- and to its file system ---- */

static const struct v2v_filesystem *
by_device (const struct v2v_os *os, const char *device)
{
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (os->filesystems[i].device != NULL &&
        strcmp (os->filesystems[i].device, device) == 0)
      return &os->filesystems[i];
  return NULL;
}

const struct v2v_filesystem *
linux_find_filesystem (struct linux_guest *l, const char *name, size_t len)
{
  CLEANUP_FREE char *device = NULL;

  if (to_sd_name (l, name, len, &device) != LINUX_NAME_MAPPED)
    return NULL;
  return by_device (l->os, device);
}

char *
linux_filesystem_name (const struct v2v_filesystem *fs, unsigned flags)
{
  char *s = NULL;
  int r;

  if (flags & LINUX_NAME_FOR_KERNEL) {
    if (fs->partuuid == NULL || fs->partuuid[0] == '\0')
      return NULL;
    r = asprintf (&s, "PARTUUID=%s", fs->partuuid);
  }
  else {
    if (fs->uuid == NULL || fs->uuid[0] == '\0' ||
        strpbrk (fs->uuid, " \t\n\"'\\") != NULL)
      return NULL;
    r = asprintf (
        &s, "%s%s",
        flags & LINUX_NAME_AS_PATH ? "/dev/disk/by-uuid/" : "UUID=", fs->uuid);
  }
  return r == -1 ? NULL : s;
}

enum linux_name_kind
linux_map_name (struct linux_guest *l, const char *name, size_t len,
                unsigned flags, char **ret)
{
  CLEANUP_FREE char *device = NULL;
  const enum linux_name_kind kind = to_sd_name (l, name, len, &device);
  const struct v2v_filesystem *fs;

  *ret = NULL;
  if (kind != LINUX_NAME_MAPPED)
    return kind;
  fs = by_device (l->os, device);
  if (fs != NULL && !(flags & LINUX_NAME_DEVICE_ONLY))
    *ret = linux_filesystem_name (fs, flags);
  if (*ret != NULL)
    return LINUX_NAME_MAPPED;
  /* Not one of the machine's: a disk that was taken away, or a mistake. */
  if (fs == NULL && l->os->nr_filesystems > 0 &&
      !(flags & LINUX_NAME_DEVICE_ONLY))
    return LINUX_NAME_UNKNOWN;
  /* No UUID: the i-th disk's name is the best there is. */
  if (strlen (device) == len && memcmp (device, name, len) == 0)
    return LINUX_NAME_STABLE;
  *ret = STEAL (device);
  return LINUX_NAME_MAPPED;
}

/* ---- command lines ---- */

static const struct argument {
  const char *key;
  unsigned flags;
  const char *end; /* what ends the name */
} arguments[] = {
  { "root=", 0, " \t\"'" },
  { "resume=", 0, " \t\"'" },
  { "real_root=", 0, " \t\"'" }, /* Gentoo's genkernel */
  { "crypt_root=", 0, " \t\"'" },
  { "cryptroot=", 0, " \t\"'" }, /* Alpine */
  /* Where dracut in FIPS mode finds the kernel's checksum; else it stops. */
  { "boot=", LINUX_NAME_PARTITION, " \t\"'" },
  /* Arch's encrypt hook: DEVICE:NAME[:OPTIONS]. */
  { "cryptdevice=", LINUX_NAME_AS_PATH, " \t\"':" },
  /* Photon: read by GRUB's script, and by a kernel without an initramfs. */
  { "rootpartition=", LINUX_NAME_FOR_KERNEL, " \t\"'" },
};

/* The argument that begins at P, or NULL. */
static const struct argument *
argument_at (const char *line, const char *p)
{
  if (p > line && p[-1] != ' ' && p[-1] != '\t' && p[-1] != '"' &&
      p[-1] != '\'' && p[-1] != '=')
    return NULL;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (arguments); ++i)
    if (strncmp (p, arguments[i].key, strlen (arguments[i].key)) == 0)
      return &arguments[i];
  return NULL;
}

int
linux_map_arguments (struct linux_guest *l, const char *line,
                     struct v2v_str *ret, char **ret_unknown)
{
  bool initramfs = l->nr_kernels == 0;
  const char *done = line;
  int changed = 0;

  for (size_t i = 0; i < l->nr_kernels; ++i)
    initramfs = initramfs || l->kernels[i].initramfs || l->kernels[i].is_uki;
  for (const char *p = line; *p != '\0'; ++p) {
    CLEANUP_FREE char *name = NULL;
    const struct argument *a = argument_at (line, p);
    const size_t key = a ? strlen (a->key) : 0;
    enum linux_name_kind kind;
    size_t len;

    if (a == NULL)
      continue;
    len = strcspn (p + key, a->end);
    /* LILO's boot= is a whole disk, with a master boot record. */
    if ((a->flags & LINUX_NAME_PARTITION) &&
        (len == 0 || !isdigit ((unsigned char) p[key + len - 1])))
      continue;
    kind = linux_map_name (l, p + key, len,
                           initramfs ? a->flags : LINUX_NAME_FOR_KERNEL, &name);
    if (kind == LINUX_NAME_UNKNOWN && ret_unknown && *ret_unknown == NULL &&
        (*ret_unknown = strndup (p + key, len)) == NULL)
      return -1;
    if (kind != LINUX_NAME_MAPPED)
      continue;
    if (v2v_str_append_len (ret, done, (size_t) (p + key - done)) == -1 ||
        v2v_str_append (ret, name) == -1)
      return -1;
    done = p + key + len;
    p = done - 1;
    changed = 1;
  }
  if (changed && v2v_str_append (ret, done) == -1)
    return -1;
  return changed;
}
