/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A walker over the FAT of an EFI System Partition: does it hold a loader that
 * a firmware without boot entries would find?  (Hyper-V starts with an empty
 * NVRAM, so the entries of the source are gone.)
 *
 * Source: Microsoft "FAT32 File System Specification" 1.03: BPB, FAT type by
 * the count of clusters, directory entries of 32 bytes.  Long names are left
 * out: every name looked for is 8.3, and "Microsoft" is found by what it
 * holds.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/evidence-internal.h"

#define FAT_ENTRY_SIZE  32
#define FAT_ATTR_VOLUME 0x08
#define FAT_ATTR_FOLDER 0x10
#define FAT_ATTR_LONG   0x0f
/* A folder longer than this is not one of a loader. */
#define FAT_MAX_FOLDER_BYTES (UINT64_C (256) * 1024)
/* Folders below \EFI looked into: one per system installed. */
#define FAT_MAX_VENDORS 32

struct fat {
  struct v2v_evidence_disk *d;
  uint64_t start; /* bytes, of the partition in the disk */
  uint64_t size;  /* bytes, clipped to the disk */
  unsigned bits;  /* 12, 16, 32 */
  uint32_t sector;
  uint32_t cluster; /* bytes */
  uint32_t nr_clusters;
  uint64_t fat_offset, fat_size; /* in the partition, bytes */
  uint64_t root_offset;          /* FAT12/16: the fixed root folder */
  uint32_t root_size;
  uint32_t root_cluster; /* FAT32 */
  uint64_t data_offset;
};

/* A folder: its first cluster; 0 is the root. */
struct folder {
  uint8_t *entries;
  size_t len; /* bytes */
};

static void
free_folder (struct folder *f)
{
  free (f->entries);
}
#define CLEANUP_FOLDER __attribute__ ((cleanup (free_folder)))

static int
fat_read (struct fat *f, void *buf, size_t len, uint64_t offset, bool *ret_ok,
          struct v2v_error **err)
{
  *ret_ok = false;
  if (!v2v_range_inside (offset, len, f->size))
    return 0;
  return v2v_evidence_read (f->d, buf, len, f->start + offset, ret_ok, err);
}

/* Decode the BIOS parameter block; false: not a FAT we understand. */
static bool
parse_bpb (struct fat *f, const uint8_t *b)
{
  const uint32_t sector = v2v_le16 (b + 11), spc = b[13];
  const uint32_t reserved = v2v_le16 (b + 14), nr_fats = b[16];
  const uint32_t root_entries = v2v_le16 (b + 17);
  uint64_t total = v2v_le16 (b + 19), fat_sectors = v2v_le16 (b + 22);
  uint64_t meta;

  if (v2v_le16 (b + 510) != 0xaa55 || sector < 512 || sector > 4096 ||
      !v2v_is_pow2 (sector) || !v2v_is_pow2 (spc) || reserved == 0 ||
      nr_fats == 0 || nr_fats > 4)
    return false;
  if (total == 0)
    total = v2v_le32 (b + 32);
  if (fat_sectors == 0)
    fat_sectors = v2v_le32 (b + 36);
  if (fat_sectors == 0)
    return false;
  f->sector = sector;
  f->cluster = sector * spc;
  f->root_size =
      (uint32_t) v2v_div_up (root_entries * FAT_ENTRY_SIZE, sector) * sector;
  meta = reserved + nr_fats * fat_sectors + f->root_size / sector;
  if (meta >= total || (total - meta) / spc > UINT32_C (0x0ffffff4))
    return false;
  f->nr_clusters = (uint32_t) ((total - meta) / spc);
  f->bits = f->nr_clusters < 4085 ? 12 : f->nr_clusters < 65525 ? 16 : 32;
  f->fat_offset = (uint64_t) reserved * sector;
  f->fat_size = fat_sectors * sector;
  f->root_offset = f->fat_offset + nr_fats * f->fat_size;
  f->data_offset = f->root_offset + f->root_size;
  f->root_cluster = f->bits == 32 ? v2v_le32 (b + 44) : 0;
  return f->bits != 32 || root_entries == 0;
}

/* The cluster after N, or 0 at the end of the chain or of sense. */
static int
next_cluster (struct fat *f, uint32_t n, uint32_t *ret, struct v2v_error **err)
{
  uint8_t b[4] = { 0 };
  const uint64_t at = f->bits == 12 ? n + n / 2 : (uint64_t) n * (f->bits / 8);
  const size_t len = f->bits == 32 ? 4 : 2;
  uint32_t v;
  bool ok;

  *ret = 0;
  if (!v2v_range_inside (at, len, f->fat_size))
    return 0;
  if (fat_read (f, b, len, f->fat_offset + at, &ok, err) == -1)
    return -1;
  if (!ok)
    return 0;
  v = f->bits == 32 ? v2v_le32 (b) & 0x0fffffffu : v2v_le16 (b);
  if (f->bits == 12)
    v = n % 2 ? v >> 4 : v & 0xfff;
  if (v >= 2 && v - 2 < f->nr_clusters)
    *ret = v;
  return 0;
}

/* Read the folder at CLUSTER (0 = the root) into RET; a loop or a broken chain
 * ends it early. */
static int
read_folder (struct fat *f, uint32_t cluster, struct folder *ret,
             struct v2v_error **err)
{
  bool ok;

  if (cluster == 0 && f->bits != 32) {
    ret->entries = malloc (f->root_size ? f->root_size : 1);
    if (ret->entries == NULL)
      return v2v_fail_nomem (err);
    if (fat_read (f, ret->entries, f->root_size, f->root_offset, &ok, err) ==
        -1)
      return -1;
    ret->len = ok ? f->root_size : 0;
    return 0;
  }
  if (cluster == 0)
    cluster = f->root_cluster;
  while (cluster >= 2 && cluster - 2 < f->nr_clusters &&
         ret->len + f->cluster <= FAT_MAX_FOLDER_BYTES) {
    uint8_t *p = realloc (ret->entries, ret->len + f->cluster);

    if (p == NULL)
      return v2v_fail_nomem (err);
    ret->entries = p;
    if (fat_read (f, p + ret->len, f->cluster,
                  f->data_offset + (uint64_t) (cluster - 2) * f->cluster, &ok,
                  err) == -1)
      return -1;
    if (!ok)
      break;
    ret->len += f->cluster;
    if (next_cluster (f, cluster, &cluster, err) == -1)
      return -1;
  }
  return 0;
}

/* The entry at *POS or after it that is in use, or NULL at the end. */
static const uint8_t *
next_entry (const struct folder *dir, size_t *pos)
{
  while (*pos + FAT_ENTRY_SIZE <= dir->len) {
    const uint8_t *e = dir->entries + *pos;

    if (e[0] == 0)
      return NULL;
    *pos += FAT_ENTRY_SIZE;
    if (e[0] != 0xe5 && e[0] != '.' &&
        (e[11] & FAT_ATTR_LONG) != FAT_ATTR_LONG &&
        (e[11] & FAT_ATTR_VOLUME) == 0)
      return e;
  }
  return NULL;
}

static uint32_t
first_cluster (const struct fat *f, const uint8_t *e)
{
  const uint32_t high = f->bits == 32 ? v2v_le16 (e + 20) : 0;

  return high << 16 | v2v_le16 (e + 26);
}

/* Find NAME (11 characters, upper case) in DIR; NULL if it is not there. */
static const uint8_t *
find_entry (const struct folder *dir, const char *name, bool folder)
{
  const uint8_t *e;
  size_t pos = 0;

  while ((e = next_entry (dir, &pos)) != NULL)
    if (memcmp (e, name, 11) == 0 && ((e[11] & FAT_ATTR_FOLDER) != 0) == folder)
      return e;
  return NULL;
}

/* One folder below \EFI. */
static int
scan_vendor (struct fat *f, const uint8_t *e, struct v2v_disk_evidence *ev,
             struct v2v_error **err)
{
  CLEANUP_FOLDER struct folder dir = { .entries = NULL };
  CLEANUP_FOLDER struct folder boot = { .entries = NULL };
  const bool is_boot = memcmp (e, "BOOT       ", 11) == 0;
  const uint8_t *sub;

  /* A folder never starts at the root: 0 here is damage. */
  if (first_cluster (f, e) == 0)
    return 0;
  if (read_folder (f, first_cluster (f, e), &dir, err) == -1)
    return -1;
  if (is_boot) {
    ev->fallback_loader = find_entry (&dir, "BOOTX64 EFI", false) != NULL;
    ev->fallback_loader_32 = find_entry (&dir, "BOOTIA32EFI", false) != NULL;
    ev->fallback_loader_arm64 = find_entry (&dir, "BOOTAA64EFI", false) != NULL;
  }
  if (find_entry (&dir, "SHIMX64 EFI", false) != NULL)
    ev->shim_loader = true;
  sub = find_entry (&dir, "BOOT       ", true);
  if (sub != NULL && first_cluster (f, sub) != 0) {
    if (read_folder (f, first_cluster (f, sub), &boot, err) == -1)
      return -1;
    if (find_entry (&boot, "BOOTMGFWEFI", false) != NULL)
      ev->windows_loader = true;
  }
  return 0;
}

int
v2v_evidence_scan_esp (struct v2v_evidence_disk *d,
                       struct v2v_disk_evidence *ev, struct v2v_error **err)
{
  struct fat f = { .d = d, .start = ev->esp_offset_bytes };
  CLEANUP_FOLDER struct folder root = { .entries = NULL };
  CLEANUP_FOLDER struct folder efi = { .entries = NULL };
  uint8_t bpb[512];
  const uint8_t *e;
  size_t pos = 0;
  bool ok;

  f.size = v2v_min_u64 (ev->esp_size_bytes, d->size - f.start);
  if (fat_read (&f, bpb, sizeof bpb, 0, &ok, err) == -1)
    return -1;
  if (!ok || !parse_bpb (&f, bpb))
    return 0;
  if (read_folder (&f, 0, &root, err) == -1)
    return -1;
  ev->esp_readable = root.len > 0;
  e = find_entry (&root, "EFI        ", true);
  if (e == NULL || first_cluster (&f, e) == 0)
    return 0;
  if (read_folder (&f, first_cluster (&f, e), &efi, err) == -1)
    return -1;
  for (unsigned n = 0; n < FAT_MAX_VENDORS; ++n) {
    e = next_entry (&efi, &pos);
    if (e == NULL)
      break;
    if ((e[11] & FAT_ATTR_FOLDER) != 0 && scan_vendor (&f, e, ev, err) == -1)
      return -1;
  }
  return 0;
}
