/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX on disk: places, sizes, identifiers and bounds.
 * Source: [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format", sections 2.1
 * to 2.6.  Little-endian throughout; GUIDs in Microsoft's mixed layout; CRC is
 * CRC-32C over the whole structure with its own field taken as zero.
 */
#ifndef V2V_VHDX_FORMAT_H
#define V2V_VHDX_FORMAT_H

#include <stdint.h>

#include "formats/core/bytes.h"

/* 2.1: everything but the header section is placed in units of 1 MiB. */
#define VHDX_ALIGN V2V_MIB

/* 2.2: the header section, the first MiB of the file. */
#define VHDX_FILE_ID_OFFSET       UINT64_C (0)
#define VHDX_FILE_ID_SIZE         (64 * 1024)
#define VHDX_FILE_ID_SIGNATURE    "vhdxfile"
#define VHDX_CREATOR_OFFSET       8
#define VHDX_CREATOR_SIZE         512
#define VHDX_HEADER_OFFSET(slot)  ((UINT64_C (1) + (slot)) * 64 * V2V_KIB)
#define VHDX_HEADER_SIZE          4096
#define VHDX_HEADER_SIGNATURE     "head"
#define VHDX_VERSION              1
#define VHDX_LOG_VERSION          0
#define VHDX_REGIONS_OFFSET(copy) ((UINT64_C (3) + (copy)) * 64 * V2V_KIB)
#define VHDX_REGIONS_SIZE         (64 * 1024)
#define VHDX_REGIONS_SIGNATURE    "regi"
/* 2.2.3: what fits in 64 KiB after 16 bytes, 32 bytes each. */
#define VHDX_MAX_REGIONS     2047
#define VHDX_REGION_REQUIRED 1u

/* 2.3: the log. */
#define VHDX_LOG_SECTOR          4096
#define VHDX_LOG_ENTRY_SIGNATURE "loge"
#define VHDX_LOG_DESC_SIGNATURE  "desc"
#define VHDX_LOG_ZERO_SIGNATURE  "zero"
#define VHDX_LOG_DATA_SIGNATURE  "data"
#define VHDX_LOG_HEADER_SIZE     64
#define VHDX_LOG_DESC_SIZE       32
/* Microsoft's own reader takes no longer log; Windows writes 1 MiB. */
#define VHDX_MAX_LOG V2V_GIB
/* A log of 1 MiB holds at most 32 Ki descriptors.  32 bytes of a hostile log
 * become about 80 of ours, so stop well before that hurts.
 */
#define VHDX_MAX_LOG_RECORDS (1u << 20)
/* The log may not write below the region tables: headers are not logged. */
#define VHDX_LOG_FIRST_TARGET VHDX_REGIONS_OFFSET (0)

/* 2.4: the metadata region. */
#define VHDX_METADATA_SIGNATURE           "metadata"
#define VHDX_METADATA_TABLE_SIZE          (64 * 1024)
#define VHDX_MAX_ITEMS                    2047
#define VHDX_MAX_ITEM_SIZE                (1024 * 1024)
#define VHDX_ITEM_USER                    1u
#define VHDX_ITEM_VIRTUAL_DISK            2u
#define VHDX_ITEM_REQUIRED                4u
#define VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED 1u
#define VHDX_PARAM_HAS_PARENT             2u
#define VHDX_MAX_SIZE                     (64 * V2V_TIB)
#define VHDX_MIN_BLOCK                    V2V_MIB
#define VHDX_MAX_BLOCK                    (256 * V2V_MIB)
/* A key is a few words; more than this is no locator. */
#define VHDX_MAX_LOCATOR_ENTRIES 256

/* 2.5: the block allocation table. */
#define VHDX_BAT_STATE(entry)    ((unsigned) ((entry) &7))
#define VHDX_BAT_OFFSET(entry)   ((entry) & ~UINT64_C (0xFFFFF))
#define VHDX_BAT_RESERVED(entry) ((entry) &UINT64_C (0xFFFF8))
/* One sector bitmap block describes this many sectors... */
#define VHDX_SECTORS_PER_BITMAP (UINT64_C (1) << 23)
/* ... and is this long. */
#define VHDX_BITMAP_SIZE V2V_MIB

enum vhdx_state {
  VHDX_NOT_PRESENT = 0, /* the parent's, or zeros */
  VHDX_UNDEFINED = 1,
  VHDX_ZERO = 2, /* its offset must be 0: Hyper-V insists */
  VHDX_UNMAPPED = 3,
  VHDX_UNMAPPED_095 = 5,  /* what draft 0.95 wrote for UNMAPPED */
  VHDX_FULLY_PRESENT = 6, /* also: a bitmap block that is PRESENT */
  VHDX_PARTIALLY_PRESENT = 7,
};

/* No file is longer than this: twice the largest disk leaves room for any
 * amount of abandoned space, and keeps a map of its MiBs at 16 MiB.
 */
#define VHDX_MAX_FILE (128 * V2V_TIB)

/* GUIDs as they stand in the file. */
#define VHDX_REGION_BAT                                                        \
  {                                                                            \
    0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e,    \
        0x9b, 0xfd, 0x4a, 0x08                                                 \
  }
#define VHDX_REGION_METADATA                                                   \
  {                                                                            \
    0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f,    \
        0x05, 0x0f, 0x88, 0x6e                                                 \
  }

#endif /* V2V_VHDX_FORMAT_H */
