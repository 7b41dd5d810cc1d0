/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the first sectors of a disk say about the machine it boots: BIOS or
 * EFI, or nothing at all.  Read-only, bounded, safe on hostile disks: a
 * broken table is less evidence, never an error.
 */
#ifndef V2V_EVIDENCE_H
#define V2V_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/image.h"

enum v2v_partition_table {
  V2V_TABLE_NONE, /* no signature: blank, a bare file system, LVM */
  V2V_TABLE_MBR,
  V2V_TABLE_GPT,
  V2V_TABLE_HYBRID, /* GPT whose MBR names more than the protective entry */
  V2V_TABLE_BROKEN, /* says GPT, but neither header is right */
};

struct v2v_disk_evidence {
  uint64_t size_bytes;
  uint32_t sector_bytes; /* of the table: 512 or 4096 */
  enum v2v_partition_table table;
  unsigned nr_partitions;

  /* BIOS */
  bool boot_code;           /* code in sector 0, and 55 AA behind it */
  bool active_partition;    /* a primary partition with flag 0x80 */
  bool bios_boot_partition; /* GPT type 21686148-...: GRUB's second part */
  const char *bios_loader;  /* "grub", "windows", "syslinux", "lilo", or NULL */

  /* EFI */
  bool esp;                   /* an EFI System Partition */
  bool esp_readable;          /* its FAT was understood */
  bool fallback_loader;       /* \EFI\BOOT\BOOTX64.EFI is there */
  bool fallback_loader_32;    /* BOOTIA32.EFI */
  bool fallback_loader_arm64; /* BOOTAA64.EFI */
  bool windows_loader;        /* \EFI\Microsoft\Boot\bootmgfw.efi */
  bool shim_loader;           /* a shimx64.efi below \EFI */
  uint64_t esp_offset_bytes;
  uint64_t esp_size_bytes;

  bool blank; /* nothing but zeros where evidence is looked for */
};

/* At most this many bytes of a disk are read. */
#define V2V_EVIDENCE_MAX_READ (UINT64_C (16) * 1024 * 1024)

/* Look into IMG.  Fails only when reading itself fails. */
int v2v_evidence_gather (struct v2v_image *img, struct v2v_disk_evidence *ret,
                         struct v2v_error **err);

bool v2v_evidence_boots_bios (const struct v2v_disk_evidence *e);
bool v2v_evidence_boots_efi (const struct v2v_disk_evidence *e);
const char *v2v_partition_table_name (enum v2v_partition_table t); /* "gpt" */
struct v2v_json *v2v_evidence_to_json (const struct v2v_disk_evidence *e);

#endif /* V2V_EVIDENCE_H */
