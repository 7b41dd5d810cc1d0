/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux_remap_devices: names of disks in configuration files become UUIDs.
 *
 * Comments, spacing and every line that is not understood stay byte for byte.
 * A name that cannot be followed stays too, and is a finding that names file
 * and line.  Command lines in boot loader files are edited here; what
 * else the boot loader needs is linux-bootloader.c.
 *
 * Sources: fstab(5), crypttab(5), mdadm.conf(5), lvm.conf(5), lvmdevices(8),
 * kdump.conf(5), initramfs-tools(7), GRUB's manual ("Device map", "The GRUB
 * environment block").
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-names.h"

static const char why[] = "device names of VMware do not hold on Hyper-V";

/* ---- what the line editors share ---- */

struct editing {
  struct linux_guest *l;
  const char *file;
  unsigned line; /* from 1 */
  unsigned nr_unknown;
  bool is_copy; /* in an initramfs: the original has its findings */
};

/* Findings about one file beyond this tell nothing new. */
#define MAX_UNKNOWN_PER_FILE 16

static int
report_unknown (struct editing *e, const char *name, size_t len, bool is_root)
{
  struct v2v_error *ignored = NULL;
  CLEANUP_FREE char *subject = NULL;
  int r;

  if (e->is_copy || ++e->nr_unknown > MAX_UNKNOWN_PER_FILE)
    return 0;
  if (asprintf (&subject, "%s:%u", e->file, e->line) == -1) {
    subject = NULL;
    return -1;
  }
  r = is_root ? linux_finding (
                    e->l, V2V_CRITICAL, "guest.device.root-unknown", subject,
                    "name the root file system by its UUID there", &ignored,
                    "the root file system is %.*s, which is no disk of this "
                    "machine that can be followed",
                    (int) len, name)
              : linux_finding (
                    e->l, V2V_WARNING, "guest.device.unknown", subject,
                    "name the file system by its UUID there", &ignored,
                    "%.*s is no disk of this machine that can be followed; the "
                    "line was left as it is",
                    (int) len, name);
  v2v_error_free (ignored);
  return r;
}

/* The I-th field of LINE, by blanks. */
static const char *
field (const char *line, unsigned i, size_t *ret_len)
{
  const char *p = line;

  for (;;) {
    p += strspn (p, " \t");
    *ret_len = strcspn (p, " \t");
    if (i-- == 0 || *p == '\0')
      return p;
    p += *ret_len;
  }
}

static bool
is_comment (const char *line)
{
  line += strspn (line, " \t");
  return *line == '#' || *line == '\0';
}

static bool
field_is (const char *p, size_t len, const char *word)
{
  return strlen (word) == len && memcmp (p, word, len) == 0;
}

/* LINE with the LEN bytes at P replaced by NEW. */
static int
splice (const char *line, const char *p, size_t len, const char *new,
        struct v2v_str *ret)
{
  if (v2v_str_append_len (ret, line, (size_t) (p - line)) == -1 ||
      v2v_str_append (ret, new) == -1 || v2v_str_append (ret, p + len) == -1)
    return -1;
  return LINUX_EDIT_REPLACE;
}

/* Replace the device at P of LINE. */
static int
remap_at (struct editing *e, const char *line, const char *p, size_t len,
          unsigned flags, bool is_root, struct v2v_str *ret)
{
  CLEANUP_FREE char *new = NULL;

  switch (linux_map_name (e->l, p, len, flags, &new)) {
  case LINUX_NAME_STABLE:
    return LINUX_EDIT_KEEP;
  case LINUX_NAME_UNKNOWN:
    return report_unknown (e, p, len, is_root) == -1 ? -1 : LINUX_EDIT_KEEP;
  case LINUX_NAME_MAPPED:
    break;
  }
  return splice (line, p, len, new, ret);
}

static int
edit (struct editing *e, const char *path, linux_edit_fn f,
      struct v2v_error **err)
{
  e->file = path;
  e->line = 0;
  e->nr_unknown = 0;
  return linux_edit_or_find (e->l, path, f, e, why, err);
}

static int
edit_all (struct editing *e, const char *folder, const char *pattern,
          linux_edit_fn f, struct v2v_error **err)
{
  CLEANUP_LIST char **list = v2v_guest_glob (e->l->g, folder, pattern, err);
  int changed = 0;

  if (list == NULL)
    return -1;
  for (size_t i = 0; list[i] != NULL; ++i) {
    const int r = edit (e, list[i], f, err);

    if (r == -1)
      return -1;
    changed |= r;
  }
  return changed;
}

/* ---- fstab ---- */

/* Inspection followed the file system of MOUNT_POINT already. */
static const struct v2v_filesystem *
inspected (struct linux_guest *l, const char *mount_point, size_t len)
{
  for (size_t i = 0; i < l->os->nr_mounts; ++i) {
    const struct v2v_os_mount *m = &l->os->mounts[i];

    if (m->path == NULL || m->device == NULL ||
        !field_is (mount_point, len, m->path))
      continue;
    for (size_t k = 0; k < l->os->nr_filesystems; ++k)
      if (l->os->filesystems[k].device != NULL &&
          strcmp (l->os->filesystems[k].device, m->device) == 0)
        return &l->os->filesystems[k];
  }
  return NULL;
}

static int
edit_fstab (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  size_t dev_len, mp_len, type_len;
  const char *dev = field (line, 0, &dev_len);
  const char *mp = field (line, 1, &mp_len);
  const char *type = field (line, 2, &type_len);
  const struct v2v_filesystem *fs;
  CLEANUP_FREE char *new = NULL;

  e->line++;
  if (is_comment (line) || mp_len == 0)
    return LINUX_EDIT_KEEP;
  /* A CD or a floppy stays where it is. */
  if (memmem (type, type_len, "iso9660", 7) != NULL ||
      memmem (type, type_len, "udf", 3) != NULL ||
      memmem (mp, mp_len, "cdrom", 5) != NULL)
    return LINUX_EDIT_KEEP;
  if (linux_map_name (e->l, dev, dev_len, 0, &new) == LINUX_NAME_STABLE)
    return LINUX_EDIT_KEEP;
  fs = inspected (e->l, mp, mp_len);
  if (fs != NULL) {
    CLEANUP_FREE char *name = linux_filesystem_name (fs, 0);

    if (name != NULL)
      return splice (line, dev, dev_len, name, ret);
  }
  /* Swap where a file system should be, or the reverse: followed wrongly. */
  fs = linux_find_filesystem (e->l, dev, dev_len);
  if (fs != NULL && fs->type != NULL &&
      field_is (type, type_len, "swap") != (strcmp (fs->type, "swap") == 0))
    return report_unknown (e, dev, dev_len, false) == -1 ? -1 : LINUX_EDIT_KEEP;
  return remap_at (e, line, dev, dev_len, 0, field_is (mp, mp_len, "/"), ret);
}

/* ---- crypttab ---- */

static bool
has_option (const char *options, size_t len, const char *word)
{
  const size_t n = strlen (word);

  for (const char *p = options, *end = options + len; p < end;) {
    const size_t this =
        (size_t) ((const char *) memchr (p, ',', (size_t) (end - p))
                      ? (const char *) memchr (p, ',', (size_t) (end - p)) - p
                      : end - p);

    if (this == n && memcmp (p, word, n) == 0)
      return true;
    p += this + 1;
  }
  return false;
}

/* Swap and what gets a new key at each start holds no root. */
static bool
is_never_root (const char *key, size_t key_len, const char *opt, size_t opt_len)
{
  return field_is (key, key_len, "/dev/urandom") ||
         field_is (key, key_len, "/dev/random") ||
         field_is (key, key_len, "/dev/hwrng") ||
         has_option (opt, opt_len, "swap") ||
         has_option (opt, opt_len, "plain") || has_option (opt, opt_len, "tmp");
}

/* NAME DEVICE KEY OPTIONS: the device by its UUID; Debian: "initramfs" for the
 * root, since its hook looks at the running system to find out, which is not
 * the guest's when the image is made offline. */
static int
edit_crypttab (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  size_t name_len, dev_len, key_len, opt_len;
  const char *name = field (line, 0, &name_len);
  const char *dev = field (line, 1, &dev_len);
  const char *key = field (line, 2, &key_len);
  const char *opt = field (line, 3, &opt_len);
  CLEANUP_STR struct v2v_str first = V2V_STR_INIT;
  int r;

  e->line++;
  if (is_comment (line) || dev_len == 0)
    return LINUX_EDIT_KEEP;
  r = remap_at (e, line, dev, dev_len, 0, false, &first);
  if (r == -1)
    return -1;
  if (!e->is_copy && v2v_guest_is_dir (e->l->g, "/etc/initramfs-tools") &&
      key_len > 0 && !is_never_root (key, key_len, opt, opt_len) &&
      linux_is_for_root (e->l, name, name_len, dev, dev_len) &&
      !has_option (opt, opt_len, "initramfs") &&
      !has_option (opt, opt_len, "noauto")) {
    const char *from = r == LINUX_EDIT_REPLACE ? first.ptr : line;
    /* Behind the last field that is there. */
    const char *end = opt_len > 0 ? opt + opt_len : key + key_len;
    const size_t tail = strlen (end), head = strlen (from) - tail;

    if (v2v_str_append_len (ret, from, head) == -1 ||
        v2v_str_append (ret, opt_len > 0 ? ",initramfs" : " luks,initramfs") ==
            -1 ||
        v2v_str_append (ret, end) == -1)
      return -1;
    return LINUX_EDIT_REPLACE;
  }
  if (r == LINUX_EDIT_REPLACE && v2v_str_append (ret, first.ptr) == -1)
    return -1;
  return r;
}

static int
remap_crypttab (struct editing *e, struct v2v_error **err)
{
  /* The second is what Arch's sd-encrypt hook copies. */
  static const char *const files[] = { "/etc/crypttab",
                                       "/etc/crypttab.initramfs" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    const int r = edit (e, files[i], edit_crypttab, err);

    if (r == -1)
      return -1;
    if (r == 1)
      e->l->initramfs_is_stale = e->l->initramfs_is_vital = true;
  }
  return 0;
}

/* ---- resume, command lines ---- */

static int
edit_resume (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  const char *p = line + strspn (line, " \t");

  e->line++;
  if (strncmp (p, "RESUME=", 7) != 0)
    return LINUX_EDIT_KEEP;
  p += 7;
  if (*p == '"' || *p == '\'')
    ++p;
  return remap_at (e, line, p, strcspn (p, " \t\"'"), 0, false, ret);
}

/* mkconfig would name the root by its device again at the next update. */
static int
edit_uuid_switch (struct editing *e, const char *line, const char *p,
                  struct v2v_str *ret)
{
  static const char *const keys[] = { "GRUB_DISABLE_LINUX_UUID=",
                                      "GRUB_DISABLE_UUID=" };
  bool initramfs = false;

  for (size_t i = 0; i < e->l->nr_kernels; ++i)
    initramfs = initramfs || e->l->kernels[i].initramfs != NULL;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys) && initramfs; ++i) {
    const char *value = p + strlen (keys[i]);

    if (strncmp (p, keys[i], strlen (keys[i])) != 0)
      continue;
    value += strspn (value, "\"'");
    if (strncmp (value, "true", 4) == 0)
      return splice (line, value, 4, "false", ret);
  }
  return LINUX_EDIT_KEEP;
}

static int
edit_arguments (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  CLEANUP_FREE char *unknown = NULL;
  const char *p = line + strspn (line, " \t");
  int r;

  e->line++;
  /* Debian's GRUB legacy keeps its options in comments: "# kopt=root=...". */
  if (*p == '#' && strstr (p, "kopt") == NULL)
    return LINUX_EDIT_KEEP;
  if (strncmp (p, "GRUB_DISABLE_", 13) == 0)
    return edit_uuid_switch (e, line, p, ret);
  r = linux_map_arguments (e->l, line, ret, &unknown);
  if (r == -1)
    return -1;
  if (unknown != NULL &&
      report_unknown (e, unknown, strlen (unknown),
                      strstr (line, "root=/dev/") != NULL) == -1)
    return -1;
  return r == 1 ? LINUX_EDIT_REPLACE : LINUX_EDIT_KEEP;
}

static int
remap_command_lines (struct editing *e, struct v2v_error **err)
{
  static const char *const files[] = {
    "/etc/default/grub",
    "/etc/sysconfig/grub",
    "/etc/sysconfig/bootloader",
    "/etc/kernel/cmdline",
    "/etc/update-extlinux.conf",
    "/etc/lilo.conf",
    "/boot/photon.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub/grub.cfg",
    "/boot/grub/menu.lst",
    "/boot/grub/grub.conf",
    "/boot/extlinux.conf",
    "/boot/extlinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
  };
  static const char *const globs[][2] = {
    { "/etc/default/grub.d", "*.cfg" },
    { "/etc/dracut.conf.d", "*.conf" },
    { "/boot/loader/entries", "*.conf" },
    { "/boot/efi/loader/entries", "*.conf" },
    { "/efi/loader/entries", "*.conf" },
  };
  static const char *const environments[] = { "/boot/grub2/grubenv",
                                              "/boot/grub/grubenv" };
  CLEANUP_LIST char **vendors =
      v2v_guest_glob (e->l->g, "/boot/efi/EFI", "*", err);

  if (vendors == NULL)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (edit (e, files[i], edit_arguments, err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (globs); ++i)
    if (edit_all (e, globs[i][0], globs[i][1], edit_arguments, err) == -1)
      return -1;
  for (size_t i = 0; vendors[i] != NULL; ++i)
    if (edit_all (e, vendors[i], "grub.c*", edit_arguments, err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (environments); ++i) {
    e->file = environments[i];
    e->line = 0;
    if (linux_edit_grubenv (e->l, environments[i], edit_arguments, e, why,
                            err) == -1)
      return -1;
  }
  for (size_t i = 0; vendors[i] != NULL; ++i) {
    e->file = vendors[i];
    e->line = 0;
    if (linux_edit_vendor_grubenv (e->l, vendors[i], edit_arguments, e, why,
                                   err) == -1)
      return -1;
  }
  return 0;
}

/* ---- the other files ---- */

/* (hd0) /dev/sda */
static int
edit_device_map (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  size_t len;
  const char *dev = field (line, 1, &len);

  e->line++;
  if (is_comment (line) || strncmp (dev, "/dev/", 5) != 0)
    return LINUX_EDIT_KEEP;
  return remap_at (e, line, dev, len, LINUX_NAME_DEVICE_ONLY, false, ret);
}

/* "raw /dev/sda5", "ext4 /dev/sda6": where a dump goes. */
static int
edit_kdump (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  size_t len;
  const char *word = field (line, 0, &len);
  const bool raw = field_is (word, len, "raw");
  const char *dev = field (line, 1, &len);

  e->line++;
  if (is_comment (line) || strncmp (dev, "/dev/", 5) != 0)
    return LINUX_EDIT_KEEP;
  return remap_at (e, line, dev, len, raw ? LINUX_NAME_AS_PATH : 0, false, ret);
}

/* Arrays are found by their UUID: which disks are looked at is "all". */
static int
edit_mdadm (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  const char *p = line + strspn (line, " \t");
  const char *devices;

  e->line++;
  if (strncmp (p, "DEVICE", 6) == 0 && strstr (p, "/dev/") != NULL)
    return v2v_str_append (ret, "DEVICE partitions") == -1 ? -1
                                                           : LINUX_EDIT_REPLACE;
  devices = strstr (p, " devices=");
  if (strncmp (p, "ARRAY", 5) != 0 || devices == NULL)
    return LINUX_EDIT_KEEP;
  if (strstr (p, "UUID=") == NULL && strstr (p, "uuid=") == NULL)
    return report_unknown (e, devices + 9, strcspn (devices + 9, " \t"),
                           false) == -1
               ? -1
               : LINUX_EDIT_KEEP;
  return splice (line, devices, 1 + strcspn (devices + 1, " \t"), "", ret);
}

/* No UUIDs here: a person has to look. */
static int
look_at_multipath (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  const char *p = line + strspn (line, " \t");
  size_t len;
  (void) ret;

  e->line++;
  if (is_comment (line) ||
      (strstr (p, "36000c29") == NULL && strstr (p, "/dev/sd") == NULL &&
       strstr (p, "pci-0000") == NULL))
    return LINUX_EDIT_KEEP;
  p = field (p, 1, &len);
  return report_unknown (e, p, strlen (p), false) == -1 ? -1 : LINUX_EDIT_KEEP;
}

/* What=/dev/sdb1 of a mount unit. */
static int
edit_mount_unit (void *arg, const char *line, struct v2v_str *ret)
{
  struct editing *e = arg;
  const char *p = line + strspn (line, " \t");

  e->line++;
  if (strncmp (p, "What=/dev/", 10) != 0)
    return LINUX_EDIT_KEEP;
  return remap_at (e, line, p + 5, strcspn (p + 5, " \t"), LINUX_NAME_AS_PATH,
                   false, ret);
}

/* ---- lvm.conf ---- */

/* The end of the list, or the one string, that begins at OPEN: the first ']'
 * outside of a string ("a|/dev/sd[a-z]|" holds one too) and of a comment.
 * NULL: nowhere. */
static const char *
lvm_list_end (const char *open)
{
  char quote = '\0';

  for (const char *p = open; *p != '\0'; ++p) {
    if (quote != '\0') {
      if (*p == '\\' && quote == '"' && p[1] != '\0')
        ++p;
      else if (*p == quote && *open != '[')
        return p;
      else if (*p == quote)
        quote = '\0';
    }
    else if (*p == '"' || *p == '\'')
      quote = *p;
    else if (*p == ']')
      return p;
    else if (*p == '#' && (p = strchr (p, '\n')) == NULL)
      return NULL;
  }
  return NULL;
}

/* Where the value of a filter at the start of LINE begins; NULL = it has none. */
static const char *
lvm_filter_at (const char *line)
{
  const char *p = line + strspn (line, " \t");

  /* One of the section "devices", or by its full name. */
  if (strncmp (p, "devices/", 8) == 0)
    p += 8;
  if (strncmp (p, "global_", 7) == 0)
    p += 7;
  if (strncmp (p, "filter", 6) != 0)
    return NULL;
  p += 6;
  p += strspn (p, " \t");
  if (*p != '=')
    return NULL;
  p += 1 + strspn (p + 1, " \t\r\n");
  return *p == '[' || *p == '"' || *p == '\'' ? p : NULL;
}

static bool
lvm_names_disks (const char *list, size_t len)
{
  static const char *const unstable[] = { "/sd",   "/hd",      "/vd",
                                          "/nvme", "by-id",    "by-path",
                                          "cciss", "36000c29", "disk/" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (unstable); ++i)
    if (memmem (list, len, unstable[i], strlen (unstable[i])) != NULL)
      return true;
  return false;
}

/* A filter that takes only disks named as on VMware hides every volume: all are
 * taken instead.  Lists may have several lines. */
static int
edit_lvm_text (struct editing *e, const char *text, char **ret,
               struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  const char *done = text;

  *ret = NULL;
  e->line = 0;
  for (const char *p = text; *p != '\0';
       p += strcspn (p, "\n"), p += *p == '\n') {
    const char *open = lvm_filter_at (p);
    const char *close = open ? lvm_list_end (open) : NULL;

    e->line++;
    if (open == NULL)
      continue;
    if (close == NULL) {
      if (report_unknown (e, open, strcspn (open, "\n"), false) == -1)
        return v2v_fail_nomem (err);
      break;
    }
    if (lvm_names_disks (open, (size_t) (close - open))) {
      if (v2v_str_append_len (&out, done, (size_t) (open - done)) == -1 ||
          v2v_str_append (&out, "[ \"a|.*|\" ]") == -1)
        return v2v_fail_nomem (err);
      done = close + 1;
    }
    for (; p < close; ++p)
      e->line += *p == '\n';
  }
  if (done == text)
    return 0;
  if (v2v_str_append (&out, done) == -1)
    return v2v_fail_nomem (err);
  *ret = STEAL (out.ptr);
  return 0;
}

static int
remap_lvm (struct editing *e, struct v2v_error **err)
{
  static const char *const files[] = { "/etc/lvm/lvm.conf",
                                       "/etc/lvm/lvmlocal.conf" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    struct v2v_error *e2 = NULL;
    CLEANUP_FREE char *text = v2v_guest_read_text (e->l->g, files[i], &e2);
    CLEANUP_FREE char *new = NULL;

    e->file = files[i];
    e->nr_unknown = 0;
    if (e2 != NULL && linux_tolerate (e->l, files[i], e2, err) == -1)
      return -1;
    if (text == NULL)
      continue;
    if (edit_lvm_text (e, text, &new, err) == -1)
      return -1;
    if (new == NULL)
      continue;
    if (v2v_guest_write_text (e->l->g, files[i], new, 0, why, err) == -1)
      return -1;
    e->l->initramfs_is_stale = e->l->initramfs_is_vital = true;
  }
  return 0;
}

/* ---- caches ---- */

static int
remove_caches (struct editing *e, struct v2v_error **err)
{
  static const struct {
    const char *path;
    bool in_initramfs;
  } caches[] = {
    { "/etc/blkid/blkid.tab", false },
    { "/etc/blkid.tab", false },
    { "/etc/lvm/cache/.cache", false },
    /* Lists physical volumes by the identity of VMware's disks; dracut copies
     * it: LVM would not see the root volume. */
    { "/etc/lvm/devices/system.devices", true },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (caches); ++i) {
    const int r = v2v_guest_remove (
        e->l->g, caches[i].path, "a list of disks as VMware named them", err);

    if (r == -1)
      return -1;
    if (r == 1 && caches[i].in_initramfs)
      e->l->initramfs_is_stale = e->l->initramfs_is_vital = true;
  }
  return 0;
}

/* The list by which zfs-import-cache finds the pools is not text, and holds what
 * only a running guest knows. */
static int
look_at_zfs (struct linux_guest *l, struct v2v_error **err)
{
  static const char path[] = "/etc/zfs/zpool.cache";
  static const char *const names[] = { "/dev/nvme", "/dev/hd", "/by-path/",
                                       "6000c29", "VMware" };
  size_t len = 0;
  CLEANUP_FREE char *data =
      v2v_guest_read (l->g, path, V2V_GUEST_MAX_TEXT, &len, NULL);

  for (size_t i = 0; data != NULL && i < V2V_ARRAY_SIZE (names); ++i)
    if (memmem (data, len, names[i], strlen (names[i])) != NULL)
      return linux_finding (
          l, V2V_WARNING, "guest.device.zfs-cache", path,
          "in the guest, import the pools once with -d /dev/disk/by-partuuid, "
          "or by zfs-import-scan",
          err,
          "pools of ZFS are imported by a list of devices as VMware named them "
          "(%s...)",
          names[i]);
  return 0;
}

/* ---- the step ---- */

/* LILO keeps block numbers of the old disk and cannot be run here. */
static int
refuse_lilo (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const others[] = {
    "/boot/grub",     "/boot/grub2",         "/boot/extlinux",
    "/boot/syslinux", "/boot/extlinux.conf", "/boot/loader/entries",
    "/boot/efi/EFI",
  };

  if (!v2v_guest_is_file (l->g, "/etc/lilo.conf"))
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (others); ++i)
    if (v2v_guest_exists (l->g, others[i]))
      return 0;
  v2v_fail (err, V2V_ERR_GUEST,
            "the guest is started by LILO, which cannot be changed offline");
  return v2v_hint (err, "install GRUB in the guest before the conversion");
}

/* Files of which an initramfs holds a copy; see linux_edit_copy. */
static int
remap_copied (struct editing *e, struct v2v_error **err)
{
  static const struct {
    const char *folder, *pattern;
    linux_edit_fn f;
  } files[] = {
    { "/etc/initramfs-tools/conf.d", "*", edit_resume },
    { "/etc/initramfs-tools", "initramfs.conf", edit_resume },
    { "/etc", "mdadm.conf", edit_mdadm },
    { "/etc/mdadm", "mdadm.conf", edit_mdadm },
    { "/etc", "multipath.conf", look_at_multipath },
    { "/etc/multipath/conf.d", "*.conf", look_at_multipath },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    const int r =
        edit_all (e, files[i].folder, files[i].pattern, files[i].f, err);

    if (r == -1)
      return -1;
    if (r == 1)
      e->l->initramfs_is_stale = true;
    if (r == 1 && files[i].f != edit_resume)
      e->l->initramfs_is_vital = true;
  }
  return 0;
}

int
linux_edit_copy (struct linux_guest *l, const char *name, const char *text,
                 char **ret, struct v2v_error **err)
{
  static const struct {
    const char *part;
    linux_edit_fn f;
  } editors[] = {
    { "crypttab", edit_crypttab },      { "mdadm.conf", edit_mdadm },
    { "modprobe", linux_allow_hyperv }, { "cmdline.d", edit_arguments },
    { "conf/", edit_resume },
  };
  struct editing e = { .l = l, .file = name, .is_copy = true };

  *ret = NULL;
  if (strstr (name, "etc/lvm/") != NULL)
    return edit_lvm_text (&e, text, ret, err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (editors); ++i)
    if (strstr (name, editors[i].part) != NULL)
      return linux_edit_text (text, editors[i].f, &e, ret, err);
  return 0;
}

int
linux_remap_devices (struct linux_guest *l, struct v2v_error **err)
{
  static const struct {
    const char *folder, *pattern;
    linux_edit_fn f;
  } files[] = {
    { "/etc", "fstab", edit_fstab },
    { "/boot/grub", "device.map", edit_device_map },
    { "/boot/grub2", "device.map", edit_device_map },
    { "/etc", "kdump.conf", edit_kdump },
    { "/etc/systemd/system", "*.mount", edit_mount_unit },
  };
  struct editing e = { .l = l };

  if (refuse_lilo (l, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (edit_all (&e, files[i].folder, files[i].pattern, files[i].f, err) == -1)
      return -1;
  if (remap_crypttab (&e, err) == -1 || remap_copied (&e, err) == -1 ||
      remap_lvm (&e, err) == -1 || remap_command_lines (&e, err) == -1)
    return -1;
  if (remove_caches (&e, err) == -1 || look_at_zfs (l, err) == -1)
    return -1;
  return linux_fix_aliases (l, err);
}
