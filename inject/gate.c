/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate before a guest is mounted: by the bytes of its disks.
 *
 * What is refused and why: a journal that was not played back means that the
 * guest ran when its disk was taken; a hibernated guest wakes up with the
 * file systems it remembers and destroys what was changed meanwhile; what is
 * encrypted cannot be changed without a key.  Dynamic disks as system volumes
 * and mounting a dirty volume are refused by other converters too.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/gate.h"
#include "inject/partitions.h"

/* In two pieces: an id in one would be looked for in the manual. */
#define GATE_PREFIX                                                            \
  "guest."                                                                     \
  "gate."

static const struct v2v_guest_opts no_opts;

/* What an option of the user's makes a warning. */
static enum v2v_severity
unless (bool allowed)
{
  return allowed ? V2V_WARNING : V2V_CRITICAL;
}

static int
gate_encrypted (const struct v2v_fs_state *s, const char *subject,
                const struct v2v_guest_opts *opts, struct v2v_findings *f)
{
  const bool bitlocker = s->kind == V2V_FS_BITLOCKER;

  if (opts->have_keys)
    return v2v_findings_add (
        f, V2V_INFORMATION, "guest.gate.encrypted", subject, NULL,
        "it is encrypted (%s); the keys given are tried", s->type);
  return v2v_findings_add (
      f, V2V_CRITICAL, bitlocker ? "guest.gate.bitlocker" : "guest.gate.luks",
      subject,
      bitlocker ? "give the recovery key with --key, decrypt the volume on the "
                  "source, or copy the disks as they are with --no-guest"
                : "give a passphrase with --key, or copy the disks as they are "
                  "with --no-guest",
      "it is encrypted (%s) and there is no key for it", s->type);
}

static int
gate_hibernated (const struct v2v_fs_state *s, const char *subject,
                 const struct v2v_guest_opts *opts, struct v2v_findings *f)
{
  if (s->hibernated)
    return v2v_findings_add (
        f, unless (opts->allow_hibernated), "guest.gate.hibernated", subject,
        s->kind == V2V_FS_SWAP
            ? "start the guest on the source and shut it down"
            : "start Windows on the source and run 'shutdown /s /t 0', or turn "
              "hibernation off with 'powercfg /h off'",
        "%s", s->evidence);
  return v2v_findings_add (
      f, unless (opts->allow_hibernated), "guest.gate.fast-start", subject,
      "start Windows on the source and run 'shutdown /s /t 0', or turn Fast "
      "Startup off with 'powercfg /h off'",
      "%s", s->evidence);
}

static int
gate_state (const struct v2v_fs_state *s, const char *subject,
            const struct v2v_guest_opts *opts, struct v2v_findings *f)
{
  const char *type = s->type ? s->type : "?";
  int r = 0;

  if (s->hibernated || s->fast_start)
    r = gate_hibernated (s, subject, opts, f);
  else if (s->damaged)
    r = v2v_findings_add (
        f, unless (opts->allow_dirty), "guest.gate.damaged", subject,
        "check the file system in the guest, shut it down, "
        "and take the disks again",
        "the %s file system is damaged: %s", type, s->evidence);
  else if (s->journal_dirty)
    r = v2v_findings_add (
        f, unless (opts->allow_dirty), "guest.gate.dirty", subject,
        "shut the guest down cleanly and take its disks again; --allow-dirty "
        "goes on with the journal played back",
        "the %s file system was in use when its disk was taken: %s", type,
        s->evidence);
  if (r == 0 && s->truncated)
    r = v2v_findings_add (f, V2V_WARNING, "guest.gate.truncated", subject,
                          "compare the size of the disk with the source's",
                          "the %s file system is larger than where it lies",
                          type);
  if (r == 0 && s->external_journal)
    r = v2v_findings_add (f, V2V_WARNING, "guest.gate.external-journal",
                          subject,
                          "make sure that the guest was shut down cleanly",
                          "the journal of the %s file system is on another "
                          "device and was not looked at",
                          type);
  return r;
}

int
v2v_guest_gate_filesystem (const struct v2v_fs_state *s, const char *subject,
                           const struct v2v_guest_opts *opts,
                           struct v2v_findings *f, struct v2v_error **err)
{
  int r = 0;

  if (opts == NULL)
    opts = &no_opts;
  switch (s->kind) {
  case V2V_FS_BITLOCKER:
  case V2V_FS_LUKS:
    r = gate_encrypted (s, subject, opts, f);
    break;
  case V2V_FS_REFS:
    r = v2v_findings_add (f, V2V_WARNING, "guest.gate.refs", subject,
                          "make sure that Windows was shut down cleanly",
                          "it is ReFS: copied as it is, not looked into");
    break;
  case V2V_FS_OTHER:
    r = v2v_findings_add (f, V2V_WARNING, "guest.gate.other", subject,
                          "make sure that the guest was shut down cleanly",
                          "it is %s: copied as it is, not looked into",
                          s->type);
    break;
  case V2V_FS_BTRFS:
  case V2V_FS_EXT:
  case V2V_FS_NTFS:
  case V2V_FS_SWAP:
  case V2V_FS_XFS:
    r = gate_state (s, subject, opts, f);
    break;
  case V2V_FS_EMPTY:
  case V2V_FS_FAT:
  case V2V_FS_ISO9660:
  case V2V_FS_LVM:
  case V2V_FS_MD:
  case V2V_FS_UNKNOWN:
    break;
  }
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

/* What Windows' volume managers made; 1 = it is one, and is not probed. */
static int
gate_volume_manager (const struct v2v_partition *p, size_t disk,
                     const char *subject, struct v2v_findings *f)
{
  if (v2v_partition_is_ldm (p)) {
    /* Which disk starts is not known yet; the first one does nearly always. */
    if (v2v_findings_add (
            f, disk == 0 ? V2V_CRITICAL : V2V_WARNING,
            disk == 0 ? "guest.gate.dynamic-system" : "guest.gate.dynamic-data",
            subject,
            disk == 0 ? "convert the system disk to a basic disk on the "
                        "source, or copy the disks as they are with --no-guest"
                      : "keep all disks of the volume in one machine",
            "it belongs to a dynamic disk") == -1)
      return -1;
    return 1;
  }
  if (v2v_partition_is_storage_spaces (p)) {
    if (v2v_findings_add (f, V2V_WARNING, "guest.gate.storage-spaces", subject,
                          "keep all disks of the pool in one machine",
                          "it belongs to a pool of Storage Spaces: copied as "
                          "it is") == -1)
      return -1;
    return 1;
  }
  return 0;
}

/* Whose file systems are on the disks? */
struct gate_seen {
  bool windows; /* Windows makes them */
  bool other;   /* Windows has no driver for them */
};

static void
note_kind (struct gate_seen *seen, enum v2v_fs_kind kind)
{
  switch (kind) {
  case V2V_FS_BITLOCKER:
  case V2V_FS_NTFS:
  case V2V_FS_REFS:
    seen->windows = true;
    break;
  case V2V_FS_BTRFS:
  case V2V_FS_EXT:
  case V2V_FS_LUKS:
  case V2V_FS_LVM:
  case V2V_FS_MD:
  case V2V_FS_SWAP:
  case V2V_FS_XFS:
    seen->other = true;
    break;
  case V2V_FS_EMPTY:
  case V2V_FS_FAT:
  case V2V_FS_ISO9660:
  case V2V_FS_OTHER:
  case V2V_FS_UNKNOWN:
    break;
  }
}

static int
gate_partition (struct v2v_image *img, size_t disk,
                const struct v2v_partition *p,
                const struct v2v_guest_opts *opts, struct gate_seen *seen,
                struct v2v_findings *f, struct v2v_error **err)
{
  struct v2v_fs_state state;
  char subject[64];
  int r;

  if (p->number == 0)
    snprintf (subject, sizeof subject, "disk %zu", disk + 1);
  else
    snprintf (subject, sizeof subject, "disk %zu, partition %u", disk + 1,
              p->number);
  if (p->cut_off &&
      v2v_findings_add (f, V2V_WARNING, "guest.gate.cut-off", subject,
                        "compare the size of the disk with the source's",
                        "the partition ends behind the end of the disk") == -1)
    return v2v_fail_nomem (err);
  r = gate_volume_manager (p, disk, subject, f);
  if (r == -1)
    return v2v_fail_nomem (err);
  if (r == 1)
    return 0;
  if (v2v_fs_probe (img, p->offset, p->length, &state, err) == -1)
    return v2v_prefix (err, "%s", subject);
  note_kind (seen, state.kind);
  return v2v_guest_gate_filesystem (&state, subject, opts, f, err);
}

/* Of a dynamic disk one finding is enough. */
static bool
is_known_member (const struct v2v_partitions *parts, size_t i)
{
  for (size_t k = 0; k < i; ++k)
    if ((v2v_partition_is_ldm (&parts->ptr[i]) &&
         v2v_partition_is_ldm (&parts->ptr[k])) ||
        (v2v_partition_is_storage_spaces (&parts->ptr[i]) &&
         v2v_partition_is_storage_spaces (&parts->ptr[k])))
      return true;
  return false;
}

/* What Windows knows a disk by: offset 440 of an MBR (UEFI 2.10, section 5.2),
 * the DiskGUID of a GPT (5.3).  Zeros: it has none. */
struct gate_signature {
  enum v2v_partition_table table;
  uint8_t id[16];
};

static int
read_signature (struct v2v_image *img, enum v2v_partition_table table,
                struct gate_signature *ret, struct v2v_error **err)
{
  static const uint64_t sectors[] = { 512, 4096 };
  uint8_t h[512];

  memset (ret, 0, sizeof *ret);
  if (table == V2V_TABLE_MBR) {
    ret->table = V2V_TABLE_MBR;
    return v2v_image_size (img) < sizeof h
               ? 0
               : v2v_image_read (img, ret->id, 4, 440, err);
  }
  if (table != V2V_TABLE_GPT && table != V2V_TABLE_HYBRID)
    return 0;
  ret->table = V2V_TABLE_GPT;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sectors); ++i) {
    if (!v2v_range_inside (sectors[i], sizeof h, v2v_image_size (img)))
      continue;
    if (v2v_image_read (img, h, sizeof h, sectors[i], err) == -1)
      return -1;
    if (memcmp (h, "EFI PART", 8) == 0) {
      memcpy (ret->id, h + 56, sizeof ret->id);
      return 0;
    }
  }
  return 0;
}

/* Of two disks with one signature Windows takes one offline.  Which system it
 * is shows only later; but one that has a file system of Windows' and none
 * that Windows cannot read is nearly always Windows. */
static int
gate_signatures (const struct gate_signature *s, size_t nr,
                 const struct gate_seen *seen, struct v2v_findings *f)
{
  const bool windows = seen->windows && !seen->other;

  for (size_t i = 1; i < nr; ++i)
    for (size_t k = 0; k < i; ++k) {
      char subject[64];

      if (s[i].table != s[k].table || v2v_is_zero (s[i].id, sizeof s[i].id) ||
          memcmp (s[i].id, s[k].id, sizeof s[i].id) != 0)
        continue;
      snprintf (subject, sizeof subject, "disk %zu", i + 1);
      if (v2v_findings_add (
              f, windows ? V2V_CRITICAL : V2V_WARNING,
              "guest.gate.equal-signatures", subject,
              "give one of them another identity on the source (diskpart, "
              "'uniqueid disk'), or copy the disks as they are with "
              "--no-guest",
              "it has the %s of disk %zu: Windows takes one of them offline",
              s[i].table == V2V_TABLE_MBR ? "signature" : "disk GUID",
              k + 1) == -1)
        return -1;
      break;
    }
  return 0;
}

static int
gate_disk (struct v2v_image *img, size_t disk,
           const struct v2v_guest_opts *opts, struct gate_seen *seen,
           struct gate_signature *ret_signature, struct v2v_findings *f,
           struct v2v_error **err)
{
  struct v2v_partitions parts;
  int r;

  if (v2v_partitions_read (img, &parts, err) == -1)
    return v2v_prefix (err, "disk %zu", disk + 1);
  r = read_signature (img, parts.table, ret_signature, err);
  if (r == -1)
    v2v_prefix (err, "disk %zu", disk + 1);
  for (size_t i = 0; r == 0 && i < parts.len; ++i)
    if (!is_known_member (&parts, i))
      r = gate_partition (img, disk, &parts.ptr[i], opts, seen, f, err);
  v2v_partitions_clear (&parts);
  return r;
}

int
v2v_guest_gate_disks (struct v2v_image *const *disks, size_t nr,
                      const struct v2v_guest_opts *opts,
                      struct v2v_findings *findings, struct v2v_error **err)
{
  CLEANUP_FREE struct gate_signature *signatures =
      calloc (nr + 1, sizeof *signatures);
  struct gate_seen seen = { false, false };

  if (signatures == NULL)
    return v2v_fail_nomem (err);
  if (opts == NULL)
    opts = &no_opts;
  for (size_t i = 0; i < nr; ++i)
    if (disks[i] != NULL && gate_disk (disks[i], i, opts, &seen, &signatures[i],
                                       findings, err) == -1)
      return -1;
  if (gate_signatures (signatures, nr, &seen, findings) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_gate_verdict (findings, err);
}

int
v2v_guest_gate_verdict (const struct v2v_findings *findings,
                        struct v2v_error **err)
{
  const struct v2v_finding *first = NULL;
  size_t n = 0;

  for (size_t i = 0; i < findings->len; ++i) {
    const struct v2v_finding *f = &findings->ptr[i];

    if (f->severity != V2V_CRITICAL ||
        strncmp (f->id, GATE_PREFIX, strlen (GATE_PREFIX)) != 0)
      continue;
    if (n++ == 0)
      first = f;
  }
  if (n == 0)
    return 0;
  if (n == 1)
    v2v_fail (err, V2V_ERR_GUEST, "%s%s%s (%s)",
              first->subject ? first->subject : "", first->subject ? ": " : "",
              first->message, first->id);
  else
    v2v_fail (err, V2V_ERR_GUEST, "%s%s%s (%s; %zu reasons in all)",
              first->subject ? first->subject : "", first->subject ? ": " : "",
              first->message, first->id, n);
  if (first->remedy != NULL)
    v2v_hint (err, "%s", first->remedy);
  return -1;
}

int
v2v_guest_gate_roots (const char *const *roots, size_t nr, const char *wanted,
                      struct v2v_findings *findings, size_t *ret_index,
                      struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;

  for (size_t i = 0; i < nr; ++i) {
    char number[24];

    snprintf (number, sizeof number, "%zu", i + 1);
    if (wanted != NULL &&
        (strcmp (wanted, roots[i]) == 0 || strcmp (wanted, number) == 0 ||
         (i == 0 && strcmp (wanted, "first") == 0))) {
      *ret_index = i;
      return 1;
    }
    if (v2v_str_printf (&list, "%s%s", i ? ", " : "", roots[i]) == -1)
      return v2v_fail_nomem (err);
  }
  if (nr == 0) {
    if (v2v_findings_add (findings, V2V_WARNING, "guest.gate.no-system", NULL,
                          "nothing, if these are data disks",
                          "no operating system was found on the disks: they "
                          "are copied as data") == -1)
      return v2v_fail_nomem (err);
    return 0;
  }
  if (wanted == NULL && nr == 1) {
    *ret_index = 0;
    return 1;
  }
  if (wanted != NULL)
    v2v_fail (err, V2V_ERR_GUEST, "no operating system is on '%s': found %s",
              wanted, list.ptr);
  else
    v2v_fail (err, V2V_ERR_GUEST, "%zu operating systems were found: %s", nr,
              list.ptr);
  return v2v_hint (err, "name one with --root=DEVICE");
}
