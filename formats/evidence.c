/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence for the generation: partition tables and boot sectors.
 *
 * Sources: UEFI Specification 2.10, sections 5.2 (MBR) and 5.3 (GPT), 3.5.1.1
 * (removable media path) and 13.3.1 (System Partition).  Left out: logical
 * partitions of an MBR (no firmware boots from one) and the contents of
 * anything but the EFI System Partition.
 *
 * The disk is hostile: entry counts and sizes have bounds, every offset is
 * checked against the disk, and one budget bounds what is read at all.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/evidence.h"
#include "formats/evidence-internal.h"

#define MBR_SIZE        512
#define MBR_CODE_SIZE   440 /* then the disk signature */
#define MBR_TABLE       446
#define MBR_ENTRY_SIZE  16
#define MBR_TYPE_GPT    0xee
#define MBR_TYPE_ESP    0xef
#define MBR_FLAG_ACTIVE 0x80
#define GPT_HEADER_SIZE 92
#define GPT_ENTRY_SIZE  128 /* the smallest; others are multiples of it */
#define GPT_MAX_ENTRY   4096
/* Tools make 128; some disks have 256.  With entries of 128 bytes this is
 * 128 KiB. */
#define GPT_MAX_ENTRIES 1024

/* C12A7328-F81F-11D2-BA4B-00A0C93EC93B as on disk. */
static const uint8_t gpt_type_esp[16] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8,
                                          0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0,
                                          0xc9, 0x3e, 0xc9, 0x3b };
/* 21686148-6449-6E6F-744E-656564454649, "Hah!IdontNeedEFI". */
static const uint8_t gpt_type_bios_boot[] = "Hah!IdontNeedEFI";
/* 83BD6B9D-7F41-11DC-BE0B-001560B84F0F: the same for FreeBSD. */
static const uint8_t gpt_type_freebsd_boot[16] = { 0x9d, 0x6b, 0xbd, 0x83,
                                                   0x41, 0x7f, 0xdc, 0x11,
                                                   0xbe, 0x0b, 0x00, 0x15,
                                                   0x60, 0xb8, 0x4f, 0x0f };

int
v2v_evidence_read (struct v2v_evidence_disk *d, void *buf, size_t len,
                   uint64_t offset, bool *ret_ok, struct v2v_error **err)
{
  *ret_ok = false;
  if (!v2v_range_inside (offset, len, d->size) || len > d->budget)
    return 0;
  d->budget -= len;
  if (v2v_image_read (d->img, buf, len, offset, err) == -1)
    return -1;
  *ret_ok = true;
  return 0;
}

/* CRC-32 (IEEE 802.3, reflected) of GPT headers and entries: some hundred
 * KiB at most, so bit by bit is fast enough. */
static uint32_t
crc32_ieee (const uint8_t *p, size_t len)
{
  uint32_t crc = 0xffffffffu;

  for (size_t i = 0; i < len; ++i) {
    crc ^= p[i];
    for (int k = 0; k < 8; ++k)
      crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

/* Whose code is in sector 0?  By the texts that it can print. */
static const char *
loader_of (const uint8_t *sector)
{
  static const struct {
    const char *text;
    const char *loader;
  } marks[] = {
    { "GRUB", "grub" },
    { "LILO", "lilo" },
    { "Error loading operating system", "windows" },
    { "BOOTMGR", "windows" },
    { "NTLDR", "windows" },
    { "Operating system load error", "syslinux" },
    { "SYSLINUX", "syslinux" },
    { "Missing boot loader", "freebsd" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (marks); ++i)
    if (memmem (sector, MBR_SIZE, marks[i].text, strlen (marks[i].text)))
      return marks[i].loader;
  return NULL;
}

/* Is the table of SECTOR a table, or the data of a boot sector?  Flags are 0
 * or 0x80 in every entry, and at least one entry is in use. */
static bool
looks_like_mbr (const uint8_t *sector)
{
  bool used = false;

  for (unsigned i = 0; i < 4; ++i) {
    const uint8_t *e = sector + MBR_TABLE + i * MBR_ENTRY_SIZE;

    if ((e[0] & 0x7f) != 0)
      return false;
    if (e[4] != 0 && v2v_le32 (e + 12) != 0)
      used = true;
  }
  return used;
}

static void
note_esp (struct v2v_disk_evidence *ev, uint64_t offset, uint64_t size)
{
  if (ev->esp)
    return; /* the first one counts */
  ev->esp = true;
  ev->esp_offset_bytes = offset;
  ev->esp_size_bytes = size;
}

/* Primary partitions.  *RET_GPT: one of them protects a GPT. */
static void
scan_mbr (const uint8_t *sector, struct v2v_disk_evidence *ev, bool *ret_gpt,
          unsigned *ret_others)
{
  *ret_gpt = false;
  *ret_others = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const uint8_t *e = sector + MBR_TABLE + i * MBR_ENTRY_SIZE;
    const uint64_t first = (uint64_t) v2v_le32 (e + 8) * ev->sector_bytes;
    const uint64_t size = (uint64_t) v2v_le32 (e + 12) * ev->sector_bytes;

    if (e[4] == 0 || size == 0)
      continue;
    if (e[4] == MBR_TYPE_GPT) {
      *ret_gpt = true;
      continue;
    }
    (*ret_others)++;
    if (e[0] == MBR_FLAG_ACTIVE)
      ev->active_partition = true;
    if (e[4] == MBR_TYPE_ESP && first != 0 && first < ev->size_bytes)
      note_esp (ev, first, size);
  }
}

static void
scan_gpt_entries (const uint8_t *entries, uint32_t nr, uint32_t size,
                  struct v2v_disk_evidence *ev)
{
  for (uint32_t i = 0; i < nr; ++i) {
    const uint8_t *e = entries + (size_t) i * size;
    const uint64_t first = v2v_le64 (e + 32), last = v2v_le64 (e + 40);
    uint64_t offset, len;

    if (v2v_is_zero (e, 16))
      continue;
    ev->nr_partitions++;
    if (memcmp (e, gpt_type_bios_boot, 16) == 0 ||
        memcmp (e, gpt_type_freebsd_boot, 16) == 0)
      ev->bios_boot_partition = true;
    if (memcmp (e, gpt_type_esp, 16) == 0 && first <= last &&
        v2v_mul_u64 (first, ev->sector_bytes, &offset) &&
        v2v_mul_u64 (last - first + 1, ev->sector_bytes, &len) &&
        offset < ev->size_bytes)
      note_esp (ev, offset, len);
  }
}

/* The header at LBA, units of SECTOR bytes.  *RET_OK is set when header and
 * entries are sound; EV is changed only then. */
static int
try_gpt (struct v2v_evidence_disk *d, uint64_t lba, uint32_t sector,
         struct v2v_disk_evidence *ev, bool *ret_ok, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *entries = NULL;
  uint8_t h[512], copy[512];
  uint32_t hsize, nr, size;
  uint64_t offset, len;
  bool got;

  *ret_ok = false;
  if (!v2v_mul_u64 (lba, sector, &offset))
    return 0;
  if (v2v_evidence_read (d, h, sizeof h, offset, &got, err) == -1)
    return -1;
  if (!got || memcmp (h, "EFI PART", 8) != 0)
    return 0;
  hsize = v2v_le32 (h + 12);
  if (hsize < GPT_HEADER_SIZE || hsize > sizeof h || v2v_le64 (h + 24) != lba)
    return 0;
  memcpy (copy, h, sizeof h);
  memset (copy + 16, 0, 4);
  if (crc32_ieee (copy, hsize) != v2v_le32 (h + 16))
    return 0;
  nr = v2v_le32 (h + 80);
  size = v2v_le32 (h + 84);
  if (nr == 0 || nr > GPT_MAX_ENTRIES || size < GPT_ENTRY_SIZE ||
      size > GPT_MAX_ENTRY || size % GPT_ENTRY_SIZE != 0 ||
      !v2v_mul_u64 (v2v_le64 (h + 72), sector, &offset))
    return 0;
  len = (uint64_t) nr * size;
  if (!v2v_range_inside (offset, len, d->size))
    return 0;
  entries = malloc ((size_t) len);
  if (entries == NULL)
    return v2v_fail_nomem (err);
  if (v2v_evidence_read (d, entries, (size_t) len, offset, &got, err) == -1)
    return -1;
  if (!got || crc32_ieee (entries, (size_t) len) != v2v_le32 (h + 88))
    return 0;
  ev->sector_bytes = sector;
  scan_gpt_entries (entries, nr, size, ev);
  *ret_ok = true;
  return 0;
}

/* Primary header, else the backup in the last sector, for both sizes of
 * sector: a disk cloned from 4096 to 512 keeps its table. */
static int
find_gpt (struct v2v_evidence_disk *d, struct v2v_disk_evidence *ev,
          bool *ret_ok, struct v2v_error **err)
{
  static const uint32_t sectors[] = { 512, 4096 };

  *ret_ok = false;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sectors) && !*ret_ok; ++i)
    if (try_gpt (d, 1, sectors[i], ev, ret_ok, err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sectors) && !*ret_ok; ++i)
    if (d->size / sectors[i] > 2 && try_gpt (d, d->size / sectors[i] - 1,
                                             sectors[i], ev, ret_ok, err) == -1)
      return -1;
  return 0;
}

static int
scan_table (struct v2v_evidence_disk *d, const uint8_t *sector,
            struct v2v_disk_evidence *ev, struct v2v_error **err)
{
  bool protective = false, gpt = false;
  unsigned others = 0;

  if (v2v_le16 (sector + 510) == 0xaa55) {
    ev->boot_code = !v2v_is_zero (sector, MBR_CODE_SIZE);
    if (ev->boot_code)
      ev->bios_loader = loader_of (sector);
    if (!looks_like_mbr (sector))
      return 0;
    ev->table = V2V_TABLE_MBR;
    scan_mbr (sector, ev, &protective, &others);
    ev->nr_partitions = others;
  }
  if (!protective)
    return 0; /* a stale GPT behind an ordinary MBR is not in use */
  /* What the MBR of a GPT disk calls an ESP does not count. */
  ev->esp = false;
  ev->nr_partitions = 0;
  if (find_gpt (d, ev, &gpt, err) == -1)
    return -1;
  if (!gpt)
    ev->table = V2V_TABLE_BROKEN;
  else
    ev->table = others > 0 ? V2V_TABLE_HYBRID : V2V_TABLE_GPT;
  return 0;
}

int
v2v_evidence_gather (struct v2v_image *img, struct v2v_disk_evidence *ret,
                     struct v2v_error **err)
{
  struct v2v_evidence_disk d = { .img = img,
                                 .size = v2v_image_size (img),
                                 .budget = V2V_EVIDENCE_MAX_READ };
  struct v2v_disk_evidence ev = { .size_bytes = d.size };
  uint8_t head[4096] = { 0 };
  const size_t len = (size_t) v2v_min_u64 (sizeof head, d.size);
  bool got = false;

  if (v2v_image_is_stream (img))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a forward-only source cannot be looked into before "
                     "it is copied",
                     v2v_image_name (img));
  ev.sector_bytes = v2v_image_get_info (img)->logical_sector_bytes;
  if (ev.sector_bytes != 4096)
    ev.sector_bytes = 512;
  if (len > 0 && v2v_evidence_read (&d, head, len, 0, &got, err) == -1)
    return v2v_prefix (err, "partition table");
  ev.blank = v2v_is_zero (head, sizeof head);
  if (len >= MBR_SIZE && scan_table (&d, head, &ev, err) == -1)
    return v2v_prefix (err, "partition table");
  if (ev.esp && v2v_evidence_scan_esp (&d, &ev, err) == -1)
    return v2v_prefix (err, "EFI System Partition");
  *ret = ev;
  return 0;
}

bool
v2v_evidence_boots_bios (const struct v2v_disk_evidence *e)
{
  if (!e->boot_code)
    return false;
  if (e->table == V2V_TABLE_GPT || e->table == V2V_TABLE_BROKEN)
    /* Only a loader that knows GPT puts code in front of one. */
    return e->bios_boot_partition || e->bios_loader != NULL;
  if (e->active_partition)
    return true;
  /* The generic code of Windows and syslinux jumps to the active partition
   * and is written to data disks too; GRUB and LILO need none. */
  return e->bios_loader == NULL || strcmp (e->bios_loader, "grub") == 0 ||
         strcmp (e->bios_loader, "lilo") == 0;
}

bool
v2v_evidence_boots_efi (const struct v2v_disk_evidence *e)
{
  if (!e->esp)
    return false;
  /* A readable partition without any loader (a BIOS install may make one "for
   * later") does not boot. */
  return !e->esp_readable || e->fallback_loader || e->windows_loader ||
         e->shim_loader;
}

const char *
v2v_partition_table_name (enum v2v_partition_table t)
{
  switch (t) {
  case V2V_TABLE_NONE:
    return "none";
  case V2V_TABLE_MBR:
    return "mbr";
  case V2V_TABLE_GPT:
    return "gpt";
  case V2V_TABLE_HYBRID:
    return "hybrid";
  case V2V_TABLE_BROKEN:
    return "broken";
  }
  return "?";
}

struct v2v_json *
v2v_evidence_to_json (const struct v2v_disk_evidence *e)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_u64 (o, "size_bytes", e->size_bytes);
  v2v_json_set_u64 (o, "sector_bytes", e->sector_bytes);
  v2v_json_set_string (o, "partition_table",
                       v2v_partition_table_name (e->table));
  v2v_json_set_u64 (o, "partitions", e->nr_partitions);
  v2v_json_set_bool (o, "boots_bios", v2v_evidence_boots_bios (e));
  v2v_json_set_bool (o, "boots_efi", v2v_evidence_boots_efi (e));
  v2v_json_set_bool (o, "boot_code", e->boot_code);
  v2v_json_set_string (o, "bios_loader", e->bios_loader);
  v2v_json_set_bool (o, "active_partition", e->active_partition);
  v2v_json_set_bool (o, "bios_boot_partition", e->bios_boot_partition);
  v2v_json_set_bool (o, "efi_system_partition", e->esp);
  v2v_json_set_bool (o, "fallback_loader", e->fallback_loader);
  v2v_json_set_bool (o, "windows_loader", e->windows_loader);
  v2v_json_set_bool (o, "shim_loader", e->shim_loader);
  v2v_json_set_bool (o, "blank", e->blank);
  return o;
}
