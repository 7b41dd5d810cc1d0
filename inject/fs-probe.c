/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies in a partition, by its magic numbers, and the file systems whose
 * state is a field or two.
 *
 * Sources: btrfs on-disk format (btrfs.readthedocs.io, superblock); LUKS1
 * On-Disk Format 1.2.3 and LUKS2 On-Disk Format 1.1; LVM2 label format
 * (pvs(8), lib/format_text); md(4) and the version-1 superblock in
 * md_p.h; swap header in linux/swap.h and the marks of hibernation that
 * swsusp, uswsusp and TuxOnIce put there; Microsoft's FAT specification 1.03;
 * [MS-ReFS]; BitLocker's "-FVE-FS-" as libbde documents it; ECMA-119.
 */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/fs-internal.h"

#define BTRFS_SUPER    (64 * 1024)
#define EXT_SUPER      1024
#define ISO_SUPER      (32 * 1024)
#define MD_MAGIC       0xa92b4efcu
#define ZFS_UBERBLOCKS (128 * 1024)
#define ZFS_UBERBLOCK  1024
#define ZFS_NR         32 /* of 128, of the first label */
#define ZFS_MAGIC      UINT64_C (0x00bab10c)
#define SWAP_MIN_PAGE  4096
#define SWAP_MAX_PAGE  65536
#define LUKS_UUID      168
#define LUKS_UUID_SIZE 40

int
fs_read (struct fs_area *a, void *buf, size_t len, uint64_t offset,
         struct v2v_error **err)
{
  if (!v2v_range_inside (offset, len, a->length) || len > a->budget)
    return 0;
  a->budget -= len;
  return a->reader (a->arg, buf, len, offset, err) == -1 ? -1 : 1;
}

void
fs_copy_label (struct v2v_fs_state *s, const void *bytes, size_t len)
{
  const size_t n = strnlen (bytes, len);

  if (n >= sizeof s->label || !v2v_is_valid_utf8 (bytes, n))
    return;
  memcpy (s->label, bytes, n);
  s->label[n] = '\0';
}

void
fs_copy_uuid (struct v2v_fs_state *s, const uint8_t bytes[16])
{
  struct v2v_guid g;

  memcpy (g.bytes, bytes, sizeof g.bytes);
  v2v_guid_format (&g, s->uuid);
}

void
fs_set_size (struct v2v_fs_state *s, const struct fs_area *a, uint64_t size)
{
  s->size_bytes = size;
  if (size > a->length) {
    s->truncated = true;
    if (s->evidence == NULL)
      s->evidence = "it is larger than where it lies";
  }
}

/* ---- by the first sector ---- */

static void
probe_luks (const uint8_t *head, struct v2v_fs_state *s)
{
  s->kind = V2V_FS_LUKS;
  s->type = "crypto_LUKS";
  if (strnlen ((const char *) head + LUKS_UUID, LUKS_UUID_SIZE) == 36 &&
      v2v_is_valid_utf8 ((const char *) head + LUKS_UUID, 36)) {
    memcpy (s->uuid, head + LUKS_UUID, 36);
    s->uuid[36] = '\0';
  }
}

static bool
is_bitlocker (const uint8_t *head)
{
  /* 4967D63B-2E29-4AD8-8399-F6A339E3D001: BitLocker To Go and Windows 7+. */
  static const uint8_t to_go[16] = { 0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e,
                                     0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3,
                                     0x39, 0xe3, 0xd0, 0x01 };

  return memcmp (head + 3, "-FVE-FS-", 8) == 0 ||
         (memcmp (head + 3, "MSWIN4.1", 8) == 0 &&
          memcmp (head + 424, to_go, sizeof to_go) == 0);
}

static bool
is_fat (const uint8_t *head)
{
  return (head[0] == 0xeb || head[0] == 0xe9) &&
         v2v_is_pow2 (v2v_le16 (head + 11)) && v2v_le16 (head + 14) != 0 &&
         (memcmp (head + 0x36, "FAT1", 4) == 0 ||
          memcmp (head + 0x52, "FAT32   ", 8) == 0);
}

/* 1 = known now. */
static int
probe_boot_sector (struct fs_area *a, const uint8_t head[512],
                   struct v2v_fs_state *s, struct v2v_error **err)
{
  static const uint8_t luks[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };

  if (is_bitlocker (head)) {
    s->kind = V2V_FS_BITLOCKER;
    s->type = "BitLocker";
  }
  else if (memcmp (head + 3, "NTFS    ", 8) == 0)
    return fs_probe_ntfs (a, head, s, err) == -1 ? -1 : 1;
  else if (memcmp (head, "XFSB", 4) == 0)
    return fs_probe_xfs (a, head, s, err) == -1 ? -1 : 1;
  else if (memcmp (head + 3, "ReFS\0\0\0\0", 8) == 0) {
    s->kind = V2V_FS_REFS;
    s->type = "ReFS";
  }
  else if (memcmp (head + 3, "EXFAT   ", 8) == 0) {
    s->kind = V2V_FS_FAT;
    s->type = "exfat";
  }
  else if (memcmp (head, luks, sizeof luks) == 0)
    probe_luks (head, s);
  else if (is_fat (head)) {
    s->kind = V2V_FS_FAT;
    s->type = "vfat";
  }
  else
    return 0;
  return 1;
}

/* ---- further in ---- */

static int
probe_btrfs (struct fs_area *a, struct v2v_fs_state *s, struct v2v_error **err)
{
  uint8_t sb[1024];
  const int r = fs_read (a, sb, sizeof sb, BTRFS_SUPER, err);

  if (r <= 0 || memcmp (sb + 0x40, "_BHRfS_M", 8) != 0)
    return r == -1 ? -1 : 0;
  s->kind = V2V_FS_BTRFS;
  s->type = "btrfs";
  fs_copy_uuid (s, sb + 0x20);
  fs_copy_label (s, sb + 0x12b, 256);
  /* The size is that of all devices together. */
  s->size_bytes = v2v_le64 (sb + 0x70);
  if (v2v_le64 (sb + 0x88) == 1)
    fs_set_size (s, a, s->size_bytes);
  if (v2v_le64 (sb + 0x78) <= s->size_bytes)
    s->free_bytes = s->size_bytes - v2v_le64 (sb + 0x78);
  if (v2v_le64 (sb + 0x60) != 0) {
    s->journal_dirty = true;
    s->evidence = "its log tree was not replayed";
  }
  return 1;
}

static int
probe_ext (struct fs_area *a, struct v2v_fs_state *s, struct v2v_error **err)
{
  uint8_t sb[1024];
  const int r = fs_read (a, sb, sizeof sb, EXT_SUPER, err);

  if (r <= 0)
    return r;
  if (v2v_le32 (sb) == 0xf2f52010u) {
    s->kind = V2V_FS_OTHER;
    s->type = "f2fs";
    return 1;
  }
  if (v2v_le16 (sb + 0x38) != 0xef53 || v2v_le32 (sb + 4) == 0)
    return 0;
  return fs_probe_ext (a, sb, s, err) == -1 ? -1 : 1;
}

/* The mark at the end of the first page, whatever the page's size. */
static int
probe_swap (struct fs_area *a, struct v2v_fs_state *s, struct v2v_error **err)
{
  static const char *const asleep[] = { "S1SUSPEND", "S2SUSPEND", "ULSUSPEND",
                                        "LINHIB0001" };

  for (uint32_t page = SWAP_MIN_PAGE; page <= SWAP_MAX_PAGE; page *= 2) {
    uint8_t mark[10], header[44];
    const int r = fs_read (a, mark, sizeof mark, page - sizeof mark, err);
    bool is = r == 1 && (memcmp (mark, "SWAPSPACE2", 10) == 0 ||
                         memcmp (mark, "SWAP-SPACE", 10) == 0);

    if (r == -1)
      return -1;
    for (size_t i = 0; r == 1 && i < V2V_ARRAY_SIZE (asleep); ++i)
      if (memcmp (mark, asleep[i], strlen (asleep[i])) == 0) {
        is = s->hibernated = true;
        s->evidence = "the swap space holds the memory of a hibernated Linux";
      }
    if (!is)
      continue;
    s->kind = V2V_FS_SWAP;
    s->type = "swap";
    if (fs_read (a, header, sizeof header, 1024, err) == -1)
      return -1;
    fs_copy_uuid (s, header + 12);
    fs_copy_label (s, header + 28, 16);
    return 1;
  }
  return 0;
}

/* A label in one of the first four sectors. */
static int
probe_lvm (const uint8_t head[4096], struct v2v_fs_state *s)
{
  for (unsigned i = 0; i < 4; ++i) {
    const uint8_t *p = head + (size_t) i * 512;

    if (memcmp (p, "LABELONE", 8) == 0 && memcmp (p + 24, "LVM2 001", 8) == 0) {
      s->kind = V2V_FS_LVM;
      s->type = "LVM2_member";
      return 1;
    }
  }
  return 0;
}

/* Versions 1.1 (at 0), 1.2 (at 4096), 1.0 and 0.90 (near the end). */
static int
probe_md (struct fs_area *a, struct v2v_fs_state *s, struct v2v_error **err)
{
  const uint64_t at[] = {
    0,
    4096,
    a->length >= 16384 ? (a->length / 512 - 16) / 8 * 8 * 512 : UINT64_MAX,
    a->length >= 131072 ? a->length / 65536 * 65536 - 65536 : UINT64_MAX,
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (at); ++i) {
    uint8_t sb[64];
    const int r = fs_read (a, sb, sizeof sb, at[i], err);

    if (r == -1)
      return -1;
    if (r == 0 || v2v_le32 (sb) != MD_MAGIC)
      continue;
    s->kind = V2V_FS_MD;
    s->type = "linux_raid_member";
    return 1;
  }
  return 0;
}

/* Names only. */
static int
probe_others (struct fs_area *a, struct v2v_fs_state *s, struct v2v_error **err)
{
  static const struct {
    const char *type;
    uint32_t offset;
    uint8_t len;
    const char *magic;
  } rows[] = {
    { "iso9660", ISO_SUPER + 1, 5, "CD001" },
    { "jfs", 32768, 4, "JFS1" },
    { "reiserfs", 65536 + 52, 9, "ReIsEr2Fs" },
    { "reiserfs", 65536 + 52, 9, "ReIsEr3Fs" },
    { "squashfs", 0, 4, "hsqs" },
    { "vdo", 0, 8, "dmvdo001" },
    { "VMFS", 0x100000, 4, "\x0d\xd0\x01\xc0" },
    { "bcache", 4096 + 24, 16,
      "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81" },
  };
  uint8_t magic[16];

  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const int r = fs_read (a, magic, rows[i].len, rows[i].offset, err);

    if (r == -1)
      return -1;
    if (r == 0 || memcmp (magic, rows[i].magic, rows[i].len) != 0)
      continue;
    s->kind =
        strcmp (rows[i].type, "iso9660") == 0 ? V2V_FS_ISO9660 : V2V_FS_OTHER;
    s->type = rows[i].type;
    return 1;
  }
  for (uint32_t i = 0; i < ZFS_NR; ++i) {
    const int r =
        fs_read (a, magic, 8, ZFS_UBERBLOCKS + i * ZFS_UBERBLOCK, err);

    if (r == -1)
      return -1;
    if (r == 1 &&
        (v2v_le64 (magic) == ZFS_MAGIC || v2v_be64 (magic) == ZFS_MAGIC)) {
      s->kind = V2V_FS_OTHER;
      s->type = "zfs_member";
      return 1;
    }
  }
  return 0;
}

/* Layers first: what they hold could look like a file system. */
static int
probe_all (struct fs_area *a, const uint8_t head[4096], struct v2v_fs_state *s,
           struct v2v_error **err)
{
  int r = probe_lvm (head, s);

  if (r == 0)
    r = probe_md (a, s, err);
  if (r == 0)
    r = probe_boot_sector (a, head, s, err);
  if (r == 0)
    r = probe_btrfs (a, s, err);
  if (r == 0)
    r = probe_ext (a, s, err);
  if (r == 0)
    r = probe_swap (a, s, err);
  if (r == 0)
    r = probe_others (a, s, err);
  return r;
}

int
v2v_fs_probe_reader (v2v_fs_reader *reader, void *arg, uint64_t length,
                     struct v2v_fs_state *ret, struct v2v_error **err)
{
  struct fs_area a = { .reader = reader,
                       .arg = arg,
                       .length = length,
                       .budget = V2V_FS_PROBE_MAX_READ };
  struct v2v_fs_state s = { .free_bytes = UINT64_MAX,
                            .free_inodes = UINT64_MAX };
  uint8_t head[4096] = { 0 };
  int r;

  if (fs_read (&a, head, (size_t) v2v_min_u64 (sizeof head, length), 0, err) ==
      -1)
    return -1;
  r = probe_all (&a, head, &s, err);
  if (r == -1)
    return -1;
  if (r == 0 && v2v_is_zero (head, sizeof head))
    s.kind = V2V_FS_EMPTY;
  *ret = s;
  return 0;
}

struct image_part {
  struct v2v_image *img;
  uint64_t offset;
};

static int
read_image (void *arg, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct image_part *p = arg;

  return v2v_image_read (p->img, buf, len, p->offset + offset, err);
}

int
v2v_fs_probe (struct v2v_image *img, uint64_t offset, uint64_t length,
              struct v2v_fs_state *ret, struct v2v_error **err)
{
  struct image_part part = { .img = img, .offset = offset };
  const uint64_t size = v2v_image_size (img);

  if (offset > size)
    length = 0;
  else
    length = v2v_min_u64 (length, size - offset);
  return v2v_fs_probe_reader (read_image, &part, length, ret, err);
}

struct v2v_json *
v2v_fs_state_to_json (const struct v2v_fs_state *s)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "type", s->type);
  v2v_json_set_string (o, "label", s->label[0] ? s->label : NULL);
  v2v_json_set_string (o, "uuid", s->uuid[0] ? s->uuid : NULL);
  if (s->size_bytes != 0)
    v2v_json_set_u64 (o, "size_bytes", s->size_bytes);
  if (s->free_bytes != UINT64_MAX)
    v2v_json_set_u64 (o, "free_bytes", s->free_bytes);
  v2v_json_set_bool (o, "clean",
                     !s->journal_dirty && !s->damaged && !s->hibernated &&
                         !s->truncated);
  v2v_json_set_string (o, "evidence", s->evidence);
  return o;
}
