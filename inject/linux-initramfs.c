/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux_fix_initramfs: every kernel that the boot loader offers finds its root
 * disk on Hyper-V.
 *
 * For each kernel: the initramfs is read by us.  Only where a driver is
 * missing, or the files it copies have changed, is it made again, by the
 * guest's own tool; the result is read again, since a tool's word is no proof.
 * Where no tool can be run, or its result lacks a driver, an archive with the
 * drivers is appended, and that is read again too.  Nothing is ever left
 * without a word: a driver that is missing after all is an error.
 *
 * hv_storvsc is needed on generation 1 as well: the kernel leaves Hyper-V's
 * IDE disks to it.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-initramfs.h"

/* Room in /boot beyond what the files need: boot loaders write there too. */
#define SPARE_BYTES (UINT64_C (4) * 1024 * 1024)
static const char why[] = "the initramfs lacked what Hyper-V needs";

static const char *const required[] = { "hv_vmbus", "hv_storvsc" };
/* Taken along where the kernel has them: the network before the root (iSCSI,
 * NFS, clevis), the keyboard for a passphrase. */
static const char *const useful[] = { "hv_netvsc", "hyperv_keyboard" };

void
linux_work_clear (struct linux_work *w)
{
  v2v_initramfs_clear (&w->im);
  if (w->host != NULL)
    unlink (w->host);
  free (w->host);
  free (w->unreadable);
  free (w->cmdline);
}

/* The file that is made, kept or appended to. */
static const char *
image_of (const struct linux_kernel *k)
{
  return k->is_uki ? k->image : k->initramfs;
}

/* ---- the verdict ---- */

/* Which drivers the kernel has as files.  1 = it can start on Hyper-V, 0 = it
 * lacks a required one altogether: *RET_LACKING. */
int
linux_work_find_drivers (struct linux_work *w, const char **ret_lacking,
                         struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (required) + V2V_ARRAY_SIZE (useful);
       ++i) {
    const bool must = i < V2V_ARRAY_SIZE (required);
    const char *name =
        must ? required[i] : useful[i - V2V_ARRAY_SIZE (required)];
    const int state = linux_module_find (w->l, w->k, name, NULL, err);

    if (state == -1)
      return -1;
    if (state == LINUX_MODULE_MISSING && must) {
      *ret_lacking = name;
      return 0;
    }
    if (state == LINUX_MODULE_FILE)
      w->drivers.name[w->drivers.n++] = name;
  }
  return 1;
}

int
linux_work_read (struct linux_work *w, struct v2v_error **err)
{
  const char *path = image_of (w->k);
  struct v2v_error *e = NULL;
  struct v2v_io *io;

  v2v_initramfs_clear (&w->im);
  w->is_read = false;
  free (STEAL (w->unreadable));
  if (w->host == NULL &&
      asprintf (&w->host, "%s/initramfs", v2v_guest_tmpdir (w->l->g)) == -1) {
    w->host = NULL;
    return v2v_fail_nomem (err);
  }
  if (path == NULL || !v2v_guest_is_file (w->l->g, path)) {
    w->unreadable = strdup ("there is none");
    return w->unreadable ? 0 : v2v_fail_nomem (err);
  }
  if (v2v_guest_download (w->l->g, path, w->host, V2V_INITRAMFS_MAX_BYTES,
                          err) == -1)
    return -1;
  io = v2v_io_open (w->host, 0, err);
  if (io == NULL)
    return -1;
  if ((w->k->is_uki ? v2v_initramfs_read_uki (io, &w->im, &e)
                    : v2v_initramfs_read (io, &w->im, &e)) == 0)
    w->is_read = true;
  v2v_io_unref (io);
  if (e == NULL)
    return 0;
  if (v2v_error_code (e) != V2V_ERR_FORMAT &&
      v2v_error_code (e) != V2V_ERR_UNSUPPORTED)
    return v2v_error_move (err, e);
  w->unreadable = strdup (v2v_error_message (e));
  v2v_error_free (e);
  return w->unreadable ? 0 : v2v_fail_nomem (err);
}

/* A passphrase is typed before the root is there: the disks stand in a file, or
 * (Arch, Alpine, Gentoo, dracut) on the command line. */
static bool
asks_for_passphrase (struct linux_guest *l)
{
  static const char *const files[] = { "/etc/crypttab",
                                       "/etc/crypttab.initramfs" };
  static const char *const words[] = {
    "cryptdevice=", "cryptroot=", "crypt_root=", "rd.luks.",
    "luks.name=",   "luks.uuid=", NULL
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (l->g, files[i], NULL);

    for (const char *p = text; p != NULL && *p != '\0';
         p += strcspn (p, "\n"), p += *p == '\n')
      if (strchr ("#\r\n \t", *p) == NULL)
        return true;
  }
  return linux_command_line_has (l->g, words);
}

/* The first driver that must be in the initramfs and is not, or NULL. */
const char *
linux_work_missing (const struct linux_work *w)
{
  for (size_t i = 0; i < w->drivers.n; ++i) {
    const char *name = w->drivers.name[i];
    bool must = false;

    for (size_t k = 0; k < V2V_ARRAY_SIZE (required); ++k)
      must = must || strcmp (required[k], name) == 0;
    if (!must && strcmp (name, "hyperv_keyboard") == 0)
      must = asks_for_passphrase (w->l);
    if (must && (!w->is_read || v2v_initramfs_find_module (
                                    &w->im, w->k->version, name) == NULL))
      return name;
  }
  return NULL;
}

/* What reaches a root that is no plain partition.  Tools that look at the
 * running system, which is the appliance, leave it out. */
static const struct {
  const char *what;
  const char *names[5]; /* files, or ends of their paths */
} reaching[] = {
  { "cryptsetup",
    { "sbin/cryptsetup", "bin/cryptsetup", "systemd-cryptsetup", NULL } },
  /* cryptsetup-initramfs; before Debian 9; dracut, mkinitcpio */
  { "the list of encrypted disks",
    { "cryptroot/crypttab", "conf/conf.d/cryptroot", "etc/crypttab", NULL } },
  { "lvm", { "sbin/lvm", "bin/lvm", NULL } },
  { "mdadm", { "sbin/mdadm", "bin/mdadm", NULL } },
  { "btrfs", { "sbin/btrfs", "bin/btrfs", NULL } },
};

/* Which of REACHING are in IM, as bits. */
static unsigned
find_reaching (const struct v2v_initramfs *im)
{
  unsigned found = 0;

  for (size_t i = 0; i < im->nr_files; ++i) {
    const struct v2v_initramfs_file *f = &im->files[i];
    const size_t len = strlen (f->name);

    if (f->size_bytes == 0)
      continue; /* a crypttab without an entry */
    for (size_t k = 0; k < V2V_ARRAY_SIZE (reaching); ++k)
      for (size_t m = 0; reaching[k].names[m] != NULL; ++m) {
        const size_t n = strlen (reaching[k].names[m]);

        if (len >= n && strcmp (f->name + len - n, reaching[k].names[m]) == 0 &&
            (len == n || f->name[len - n - 1] == '/'))
          found |= 1u << k;
      }
  }
  return found;
}

static bool
has_arrays (struct linux_guest *l)
{
  static const char *const files[] = { "/etc/mdadm.conf",
                                       "/etc/mdadm/mdadm.conf" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (l->g, files[i], NULL);

    if (text != NULL &&
        (strncmp (text, "ARRAY", 5) == 0 || strstr (text, "\nARRAY") != NULL))
      return true;
  }
  return false;
}

/* Which of REACHING this guest uses: an image for any machine has all of them,
 * and may lose what is of no use here. */
static unsigned
used_reaching (struct linux_guest *l)
{
  unsigned used = asks_for_passphrase (l) ? 1u << 0 | 1u << 1 : 0;

  for (size_t i = 0; i < l->os->nr_mounts; ++i) {
    const char *device = l->os->mounts[i].device;

    if (device == NULL)
      continue;
    if (strncmp (device, "btrfsvol:", 9) == 0) {
      used |= 1u << 4;
      device += 9;
    }
    if (strncmp (device, "/dev/md", 7) == 0)
      used |= 1u << 3;
    else if (strncmp (device, "/dev/sd", 7) != 0 &&
             strncmp (device, "/dev/mapper/v2v-crypt", 21) != 0)
      used |= 1u << 2; /* "/dev/VG/LV" */
  }
  return has_arrays (l) ? used | 1u << 3 : used;
}

/* What the new image lost of the OLD one's bits, or NULL. */
static const char *
lost_part (const struct linux_work *w, unsigned old)
{
  const unsigned lost = old & ~find_reaching (&w->im);

  for (size_t k = 0; k < V2V_ARRAY_SIZE (reaching); ++k)
    if (lost & (1u << k))
      return reaching[k].what;
  return NULL;
}

/* ---- appending ---- */

/* Write BYTES behind the host's copy, aligned as the kernel wants it. */
static int
extend_host_file (const struct linux_work *w, const struct v2v_str *bytes,
                  struct v2v_error **err)
{
  CLEANUP_FCLOSE FILE *fp = fopen (w->host, "ae");
  static const char zeros[8] = { 0 };
  long at;
  size_t pad;

  if (fp == NULL || fseek (fp, 0, SEEK_END) == -1 || (at = ftell (fp)) == -1)
    return v2v_fail_errno (err, "%s", w->host);
  pad = (size_t) (-at & 3);
  /* A zero length ends an lz4 stream, which has no end of its own. */
  if (w->im.ends_in_lz4)
    pad += 4;
  if (fwrite (zeros, 1, pad, fp) != pad ||
      fwrite (bytes->ptr, 1, bytes->len, fp) != bytes->len ||
      fclose (STEAL (fp)) == EOF)
    return v2v_fail_errno (err, "%s", w->host);
  return 0;
}

static char *
kept_name (const struct linux_kernel *k)
{
  char *s;

  return asprintf (&s, "%s.pre-v2v", image_of (k)) == -1 ? NULL : s;
}

/* Is there room for one more file of SIZE? */
static int
has_room (struct linux_guest *l, const char *path, uint64_t size,
          struct v2v_error **err)
{
  CLEANUP_FREE char *folder =
      strndup (path, (size_t) (strrchr (path, '/') - path));
  struct v2v_guest_space space;

  if (folder == NULL)
    return v2v_fail_nomem (err);
  if (v2v_guest_space (l->g, folder[0] ? folder : "/", &space, err) == -1)
    return -1;
  return space.free_bytes >= size + SPARE_BYTES;
}

/* Move the present file aside.  1 = done, 0 = no room, or an older original is
 * kept already. */
static int
move_aside (struct linux_work *w, uint64_t new_size, struct v2v_error **err)
{
  CLEANUP_FREE char *kept = kept_name (w->k);
  int r;

  if (kept == NULL)
    return v2v_fail_nomem (err);
  if (!v2v_guest_is_file (w->l->g, image_of (w->k)) ||
      v2v_guest_exists (w->l->g, kept))
    return 0;
  r = has_room (w->l, image_of (w->k), new_size, err);
  if (r <= 0)
    return r;
  return v2v_guest_rename (w->l->g, image_of (w->k), kept,
                           "the old initramfs is kept beside the new one",
                           err) == -1
             ? -1
             : 1;
}

/* Put the host's file, what was there before with ARCHIVE behind it, into the
 * guest and read it back. */
static int
append_archive (struct linux_work *w, const struct v2v_str *archive,
                struct v2v_error **err)
{
  struct v2v_guest_stat st;
  int r = v2v_guest_stat (w->l->g, w->k->initramfs, &st, err);

  if (r == -1)
    return -1;
  if (r == 0)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest",
                     w->k->initramfs);
  r = has_room (w->l, w->k->initramfs, st.size_bytes + archive->len, err);
  if (r == -1)
    return -1;
  if (r == 0)
    return v2v_fail (
        err, V2V_ERR_GUEST,
        "no room for a new %s in the guest: %" PRIu64 " bytes are needed",
        w->k->initramfs, st.size_bytes + archive->len + SPARE_BYTES);
  if (extend_host_file (w, archive, err) == -1 ||
      move_aside (w, st.size_bytes + archive->len, err) == -1 ||
      v2v_guest_upload (w->l->g, w->host, w->k->initramfs, st.mode,
                        V2V_WRITE_NO_UNDO, why, err) == -1)
    return -1;
  return linux_work_read (w, err);
}

/* What the image lacks, by an archive behind it.  0 = done, or *RET_REASON
 * says why not. */
static int
append_drivers (struct linux_work *w, const char **ret_reason,
                struct v2v_error **err)
{
  struct v2v_cpio_writer cpio = V2V_CPIO_WRITER_INIT;
  int r = 0;

  *ret_reason = NULL;
  if (!w->is_read) {
    *ret_reason = "its present initramfs cannot be read";
    return 0;
  }
  r = linux_make_overlay (w->l, w->k, &w->im, &w->drivers, &cpio, ret_reason,
                          err);
  if (r == 1 && v2v_cpio_end (&cpio, err) == -1)
    r = -1;
  if (r == 1)
    r = append_archive (w, &cpio.out, err) == -1 ? -1 : 1;
  v2v_cpio_writer_free (&cpio);
  if (r != 1)
    return r;
  return linux_finding (
      w->l, V2V_WARNING, "guest.initramfs.appended", w->k->initramfs,
      "make the initramfs again with the guest's own tool after its first "
      "start",
      err,
      "an archive with the drivers of Hyper-V was appended; the guest's own "
      "tool did not make it");
}

/* Copies of files that were changed, where the image was not made again.
 * *RET_LEFT says why old ones may stay, or is NULL.  IS_NEW: it was made again,
 * so that only what is seen counts. */
static int
append_copies (struct linux_work *w, bool is_new, const char **ret_left,
               struct v2v_error **err)
{
  struct v2v_cpio_writer cpio = V2V_CPIO_WRITER_INIT;
  const char *left = NULL;
  int r;

  *ret_left = NULL;
  if (!w->is_read || w->k->is_uki)
    return 0;
  r = linux_renew_copies (w->l, &w->im, &cpio, &left, err);
  if (r != -1 && left != NULL && w->l->initramfs_is_stale && !is_new)
    *ret_left = left;
  if (r == 1)
    r = v2v_cpio_end (&cpio, err) == -1 ||
                append_archive (w, &cpio.out, err) == -1
            ? -1
            : 1;
  v2v_cpio_writer_free (&cpio);
  if (r != 1)
    return r;
  return linux_finding (w->l, V2V_INFORMATION,
                        "guest.initramfs.copies-appended", w->k->initramfs,
                        NULL, err,
                        "files that were changed and of which the initramfs "
                        "has a copy were appended to it");
}

/* Copies of pinned names: no reason to make the whole image again. */
static int
append_pins (struct linux_work *w, struct v2v_error **err)
{
  struct v2v_cpio_writer cpio = V2V_CPIO_WRITER_INIT;
  int r;

  if (!w->is_read || w->k->is_uki)
    return 0;
  r = linux_add_pins (w->l, w->k, &w->im, &cpio, err);
  if (r == 1)
    r = v2v_cpio_end (&cpio, err) == -1 ||
                append_archive (w, &cpio.out, err) == -1
            ? -1
            : 1;
  v2v_cpio_writer_free (&cpio);
  if (r != 1)
    return r;
  return linux_finding (
      w->l, V2V_INFORMATION, "guest.initramfs.names-appended", w->k->initramfs,
      NULL, err,
      "the names of network interfaces were appended to the initramfs");
}

/* ---- rebuilding ---- */

/* Undo a rebuild that made nothing usable. */
static int
put_back (struct linux_work *w, bool moved, const char *host,
          struct v2v_error **err)
{
  CLEANUP_FREE char *kept = kept_name (w->k);

  if (kept == NULL)
    return v2v_fail_nomem (err);
  if (moved)
    return v2v_guest_rename (w->l->g, kept, image_of (w->k),
                             "the new initramfs is not usable", err);
  if (host == NULL)
    return 0;
  return v2v_guest_upload (w->l->g, host, image_of (w->k), 0, V2V_WRITE_NO_UNDO,
                           "the new initramfs is not usable", err) == -1
             ? -1
             : 0;
}

/* The guest's own tool, and a look at what it made.  1 = good (or a dry run:
 * *RET_DRY), 0 = not, a finding says why, and the old file is back. */
int
linux_work_rebuild (struct linux_work *w, bool *ret_dry, struct v2v_error **err)
{
  CLEANUP_FREE char *saved = NULL;
  const char *lacking;
  const bool had = w->is_read;
  const unsigned parts =
      had ? find_reaching (&w->im) & used_reaching (w->l) : 0;
  struct v2v_guest_stat st = { .size_bytes = 0 };
  bool moved;
  int r;

  if (!w->k->is_uki && !linux_has_tool (w->l))
    return linux_finding (w->l, V2V_INFORMATION, "guest.initramfs.no-tool",
                          w->k->version, NULL, err,
                          "the guest has no tool that makes an initramfs");
  /* The copy on the host is the way back where there is no room. */
  if (had) {
    if (asprintf (&saved, "%s.old", w->host) == -1) {
      saved = NULL;
      return v2v_fail_nomem (err);
    }
    if (rename (w->host, saved) == -1)
      return v2v_fail_errno (err, "%s", w->host);
  }
  r = v2v_guest_stat (w->l->g, image_of (w->k), &st, err);
  /* A host-tuned image may come back as a large one. */
  if (r != -1 && !v2v_guest_is_dry_run (w->l->g))
    r = move_aside (w, st.size_bytes + st.size_bytes / 2, err);
  if (r == -1)
    goto out;
  moved = r == 1 && !v2v_guest_is_dry_run (w->l->g);
  r = w->k->is_uki
          ? linux_rebuild_unified (w->l, w->k, &w->drivers, w->cmdline, err)
          : linux_rebuild_initramfs (w->l, w->k, &w->drivers, err);
  *ret_dry = r == 2;
  if (r == 2)
    r = 1;
  else if (r == 1) {
    r = linux_work_read (w, err) == -1 ? -1 : 1;
    lacking = r == 1 ? linux_work_missing (w) : NULL;
    if (r == 1 && lacking == NULL && w->is_read)
      lacking = lost_part (w, parts);
    if (r == 1 && lacking != NULL)
      r = linux_finding (w->l, V2V_WARNING, "guest.initramfs.tool-useless",
                         w->k->version, "look at the tool's configuration", err,
                         "the guest's tool ended well, but its initramfs lacks "
                         "%s%s%s",
                         lacking, w->unreadable ? ": " : "",
                         w->unreadable ? w->unreadable : "");
  }
  if (r == 0 && put_back (w, moved, saved, err) == -1)
    r = -1;
  if (r == 0 && linux_work_read (w, err) == -1)
    r = -1;
out:
  if (saved != NULL)
    unlink (saved);
  return r;
}

/* ---- one kernel ---- */

int
linux_work_not_startable (struct linux_work *w, const char *reason,
                          const char *more, struct v2v_error **err)
{
  if (w->k->offered)
    return v2v_fail (
        err, V2V_ERR_GUEST,
        "kernel %s of the guest would not start on Hyper-V: %s%s%s",
        w->k->version, reason, more ? ": " : "", more ? more : "");
  return linux_finding (w->l, V2V_WARNING, "guest.initramfs.missing-module",
                        w->k->version, "do not start this kernel", err,
                        "this kernel, which no boot entry offers, would not "
                        "start: %s%s%s",
                        reason, more ? ": " : "", more ? more : "");
}

/* Is a required driver a file, that is, must something load it? */
static bool
needs_files (const struct linux_work *w)
{
  for (size_t i = 0; i < w->drivers.n; ++i)
    for (size_t n = 0; n < V2V_ARRAY_SIZE (required); ++n)
      if (strcmp (required[n], w->drivers.name[i]) == 0)
        return true;
  return false;
}

/* All that an image gets behind it, whoever made it. */
static int
append_rest (struct linux_work *w, bool is_new, struct v2v_error **err)
{
  const bool is_vital = w->l->initramfs_is_vital && w->k->offered;
  const char *left = NULL;

  w->k->has_hyperv = true;
  if (append_copies (w, is_new, &left, err) == -1)
    return -1;
  if (!w->is_read && w->l->initramfs_is_stale)
    left = w->unreadable;
  if (left != NULL &&
      linux_finding (w->l, is_vital ? V2V_CRITICAL : V2V_WARNING,
                     "guest.initramfs.stale", w->k->initramfs,
                     "make the initramfs again in the guest", err,
                     "the initramfs may hold old copies of files that were "
                     "changed%s, and could not be made again: %s",
                     is_vital ? " and tell where the root file system is" : "",
                     left) == -1)
    return -1;
  return append_pins (w, err);
}

/* The initramfs must change. */
static int
renew (struct linux_work *w, bool had_all, struct v2v_error **err)
{
  const struct v2v_guest_opts *opts = v2v_guest_get_opts (w->l->g);
  const char *reason = NULL;
  struct v2v_error *e = NULL;
  bool dry = false;
  int r = 0;

  if (linux_write_lasting (w->l, &w->drivers, err) == -1)
    return -1;
  if (w->k->initramfs == NULL) {
    w->k->initramfs = linux_default_initramfs (w->l, w->k, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    if (w->k->initramfs == NULL)
      return linux_work_not_startable (
          w, "it has no initramfs, and the guest no tool that makes one", NULL,
          err);
  }
  if (opts->initramfs != V2V_INITRAMFS_APPEND && v2v_guest_can_run (w->l->g)) {
    r = linux_work_rebuild (w, &dry, err);
    if (r == -1)
      return -1;
  }
  if (dry) {
    w->k->has_hyperv = true;
    return 0;
  }
  /* Made again; or nothing was missing, only copies are old. */
  if (r == 1 || (had_all && linux_work_missing (w) == NULL) ||
      (!needs_files (w) && !w->is_read))
    return append_rest (w, r == 1, err);
  if (append_drivers (w, &reason, err) == -1)
    return v2v_prefix (err, "kernel %s", w->k->version);
  if (reason != NULL)
    return linux_work_not_startable (w, reason, w->unreadable, err);
  reason = linux_work_missing (w);
  if (reason != NULL)
    return linux_work_not_startable (
        w, "its initramfs lacks a driver after all", reason, err);
  return append_rest (w, false, err);
}

/* Does the image in W hold copies that must change?  1 = yes. */
static int
has_old_copies (struct linux_work *w, struct v2v_error **err)
{
  struct v2v_cpio_writer cpio = V2V_CPIO_WRITER_INIT;
  const char *left;
  int r = 0;

  if (w->is_read && !w->k->is_uki)
    r = linux_renew_copies (w->l, &w->im, &cpio, &left, err);
  v2v_cpio_writer_free (&cpio);
  return r;
}

static int
fix_kernel (struct linux_work *w, struct v2v_error **err)
{
  const bool always =
      v2v_guest_get_opts (w->l->g)->initramfs == V2V_INITRAMFS_REBUILD ||
      w->l->initramfs_is_stale;
  const char *lacking = NULL;
  bool has_all;
  int r = linux_work_find_drivers (w, &lacking, err);

  if (r == -1)
    return -1;
  if (r == 0)
    return linux_finding (
        w->l, V2V_WARNING, "guest.kernel.no-hyperv", w->k->version,
        "start another kernel, or install a newer one before the conversion",
        err, "this kernel has no %s: it cannot start on Hyper-V", lacking);
  /* Without files there is nothing to carry, whatever the image is. */
  if (!needs_files (w)) {
    w->k->has_hyperv = true;
    if (w->k->initramfs == NULL && !w->k->is_uki)
      return 0;
  }
  if (linux_work_read (w, err) == -1)
    return -1;
  /* An image that only the kernel can read (LZO). */
  if (w->k->has_hyperv && !w->is_read && (!always || w->k->is_uki))
    return 0;
  if (w->k->is_uki)
    return linux_fix_unified (w, err);
  r = has_old_copies (w, err);
  if (r == -1)
    return -1;
  has_all = linux_work_missing (w) == NULL && w->is_read;
  if (has_all && !always && r == 0) {
    w->k->has_hyperv = true;
    return append_pins (w, err);
  }
  return renew (w, has_all, err);
}

/* ---- files of entries that are no kernel's ---- */

/* Which kernel an image is for is seen from the modules in it; they are of a
 * hook of the guest's (kernelstub of Pop!_OS copies them), so that they are only
 * looked at. */
static int
check_other (struct linux_guest *l, char *path, struct v2v_error **err)
{
  struct linux_kernel image = { .initramfs = path };
  struct linux_work w = { .l = l, .k = &image };
  const char *lacking = NULL, *version = NULL;
  int r = linux_work_read (&w, err);

  for (size_t i = 0; r == 0 && w.is_read && !lacking && i < l->nr_kernels;
       ++i) {
    const char *none = NULL;

    if (!linux_initramfs_holds (&w.im, l->kernels[i].version))
      continue;
    w.drivers.n = 0;
    w.k = &l->kernels[i];
    r = linux_work_find_drivers (&w, &none, err) == -1 ? -1 : 0;
    if (r == 0 && none == NULL)
      lacking = linux_work_missing (&w);
    version = l->kernels[i].version;
    w.k = &image;
  }
  linux_work_clear (&w);
  if (r == -1 || lacking == NULL)
    return r;
  return linux_finding (
      l, l->is_matched ? V2V_WARNING : V2V_CRITICAL,
      "guest.initramfs.copy-lacks", path,
      "copy the one in /boot over it before the first start, or start another "
      "entry",
      err,
      "a boot entry starts kernel %s with this file, which lacks %s: it cannot "
      "start on Hyper-V",
      version, lacking);
}

/* ---- the step ---- */

/* At least one that is offered must start, and the newest should. */
static int
check_kernels (struct linux_guest *l, struct v2v_error **err)
{
  const struct linux_kernel *newest = NULL;
  bool any = false;

  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (l->kernels[i].offered) {
      newest = &l->kernels[i];
      any = any || newest->has_hyperv;
    }
  if (!any) {
    v2v_fail (err, V2V_ERR_GUEST,
              "no kernel of the guest has the drivers of Hyper-V");
    return v2v_hint (err, "install a kernel with hv_vmbus and hv_storvsc in "
                          "the guest before the conversion");
  }
  if (newest->has_hyperv)
    return 0;
  return linux_finding (
      l, V2V_CRITICAL, "guest.kernel.newest-does-not-start", newest->version,
      "make another kernel the default before the first start", err,
      "the newest kernel that the boot loader offers cannot start on Hyper-V");
}

int
linux_fix_initramfs (struct linux_guest *l, struct v2v_error **err)
{
  if (l->nr_kernels == 0)
    return linux_finding (l, V2V_CRITICAL, "guest.kernel.none", NULL,
                          "check how this guest starts", err,
                          "no kernel was found in /boot or /lib/modules");
  for (size_t i = 0; i < l->nr_kernels; ++i) {
    struct linux_work w = { .l = l, .k = &l->kernels[i] };
    const int r = fix_kernel (&w, err);

    linux_work_clear (&w);
    if (r == -1)
      return -1;
  }
  if (linux_fix_other_unified (l, err) == -1)
    return -1;
  for (size_t i = 0; l->other_images != NULL && l->other_images[i] != NULL; ++i)
    if (v2v_guest_is_file (l->g, l->other_images[i]) &&
        !v2v_guest_is_dry_run (l->g) &&
        check_other (l, l->other_images[i], err) == -1)
      return -1;
  return check_kernels (l, err);
}
