/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD on disk: the structures of "Virtual Hard Disk Image Format
 * Specification", version 1.0 (Microsoft, October 2006), decoded and encoded
 * in one place for the reader, the writer and the checker.
 *
 * All integers are big-endian.  A file is
 *
 *   fixed:         data | footer
 *   dynamic and    footer copy @0 | dynamic header | BAT | [parent locators] |
 *   differencing:  blocks ... | footer
 *
 * where a block is a sector bitmap (most significant bit first, rounded up to
 * a sector) followed by the block's data, and the BAT has the sector at which
 * each block's BITMAP begins.
 */
#ifndef V2V_VHD_FORMAT_H
#define V2V_VHD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/bytes.h"
#include "formats/core/text.h"

#define VHD_SECTOR 512u

/* ---- footer ("Hard Disk Footer Format") ---- */

#define VHD_FOOTER_SIZE 512u
/* Virtual PC before 2004 wrote one byte less: the last reserved one. */
#define VHD_OLD_FOOTER_SIZE 511u
#define VHD_FOOTER_COOKIE   "conectix"
/* What our writer puts in place of the cookie until the file is complete: a
 * killed run leaves nothing that any reader would open, and resume still finds
 * every field.
 */
#define VHD_PART_COOKIE "v2v.part"
#define VHD_COOKIE_SIZE 8u
#define VHD_FEATURES    2u /* "reserved, must be 1" */
#define VHD_VERSION     0x00010000u
#define VHD_NO_OFFSET   UINT64_MAX
#define VHD_EPOCH       946684800 /* 2000-01-01 00:00 UTC as Unix time */

enum vhd_type { /* other values: none, or deprecated */
                VHD_FIXED = 2,
                VHD_DYNAMIC = 3,
                VHD_DIFFERENCING = 4,
};

/* The specification's and Windows' limit: 2040 GiB. */
#define VHD_MAX_SIZE (UINT64_C (2040) * V2V_GIB)

struct vhd_geometry {
  uint16_t cylinders;
  uint8_t heads;
  uint8_t sectors; /* per track */
};

struct vhd_footer {
  uint32_t features;        /* 8 */
  uint32_t version;         /* 12 */
  uint64_t data_offset;     /* 16: of the dynamic header; all ones if fixed */
  uint32_t timestamp;       /* 24: seconds since VHD_EPOCH */
  uint8_t creator[4];       /* 28 */
  uint32_t creator_version; /* 32: two u16 */
  uint8_t creator_os[4];    /* 36 */
  uint64_t original_size;   /* 40: bytes */
  uint64_t current_size;    /* 48: bytes; the size of the disk */
  struct vhd_geometry geometry; /* 56: u16, u8, u8 */
  uint32_t type;                /* 60 */
  uint32_t checksum;            /* 64: as stored; computed when encoding */
  struct v2v_guid id;           /* 68 */
  uint8_t saved_state;          /* 84 */
};

/* LEN is VHD_FOOTER_SIZE or VHD_OLD_FOOTER_SIZE. */
bool vhd_footer_has_cookie (const uint8_t *p, const char *cookie);
bool vhd_footer_checksum_ok (const uint8_t *p, size_t len);
void vhd_footer_decode (const uint8_t *p, struct vhd_footer *ret);
/* With COOKIE and the checksum; reserved bytes are zero. */
void vhd_footer_encode (const struct vhd_footer *f, const char *cookie,
                        uint8_t p[VHD_FOOTER_SIZE]);

/* ---- dynamic header ("Dynamic Disk Header Format") ---- */

#define VHD_HEADER_SIZE       1024u
#define VHD_HEADER_COOKIE     "cxsparse"
#define VHD_NR_LOCATORS       8u
#define VHD_PARENT_NAME_OFF   64u
#define VHD_PARENT_NAME_BYTES 512u
#define VHD_DEFAULT_BLOCK     (2 * V2V_MIB)
/* What we write; readers of other makes are tried with these. */
#define VHD_MIN_WRITE_BLOCK (512 * V2V_KIB)
#define VHD_MAX_WRITE_BLOCK (256 * V2V_MIB)
/* The BAT is held in memory: 64 MiB.  The largest disk in the smallest block
 * that any writer is known to use (512 KiB) has a quarter of that. */
#define VHD_MAX_BLOCKS (UINT64_C (16) * 1024 * 1024)
#define VHD_BAT_UNUSED UINT32_MAX

/* Codes of parent locators, as four bytes read big-endian. */
#define VHD_LOCATOR_W2RU 0x57327275u /* relative path, UTF-16LE */
#define VHD_LOCATOR_W2KU 0x57326b75u /* absolute path, UTF-16LE */
#define VHD_LOCATOR_MACX 0x4d616358u /* file URL, UTF-8 */
/* A Windows path has at most 32767 characters. */
#define VHD_MAX_LOCATOR (64u * 1024)

struct vhd_locator {
  uint32_t code;
  uint32_t data_space;  /* sectors in the text, bytes in Windows' files */
  uint32_t data_length; /* bytes */
  uint64_t data_offset;
};

struct vhd_header {
  uint64_t data_offset;      /* 8: all ones */
  uint64_t table_offset;     /* 16: of the BAT, bytes */
  uint32_t version;          /* 24 */
  uint32_t max_entries;      /* 28 */
  uint32_t block_size;       /* 32: bytes, without the bitmap */
  uint32_t checksum;         /* 36 */
  struct v2v_guid parent_id; /* 40 */
  uint32_t parent_timestamp; /* 56 */
  uint8_t parent_name[VHD_PARENT_NAME_BYTES];   /* 64: UTF-16BE */
  struct vhd_locator locators[VHD_NR_LOCATORS]; /* 576, 24 bytes each */
};

bool vhd_header_has_cookie (const uint8_t *p);
bool vhd_header_checksum_ok (const uint8_t p[VHD_HEADER_SIZE]);
void vhd_header_decode (const uint8_t p[VHD_HEADER_SIZE],
                        struct vhd_header *ret);
void vhd_header_encode (const struct vhd_header *h, uint8_t p[VHD_HEADER_SIZE]);

/* ---- mapping, shared by reader, writer and checker ---- */

/* One bit per sector, rounded up to whole sectors. */
static inline uint32_t
vhd_bitmap_bytes (uint32_t block_size)
{
  const uint32_t bytes = (block_size / VHD_SECTOR + 7) / 8;

  return (bytes + VHD_SECTOR - 1) / VHD_SECTOR * VHD_SECTOR;
}

static inline bool
vhd_bitmap_get (const uint8_t *bitmap, uint64_t bit)
{
  return (bitmap[bit / 8] & (0x80u >> (bit % 8))) != 0;
}

/* Set bits [first, first+n-1]. */
void vhd_bitmap_set (uint8_t *bitmap, uint64_t first, uint64_t n);
/* The number of equal bits from FIRST on, at most N (> 0); *RET_VALUE says
 * which. */
uint64_t vhd_bitmap_run (const uint8_t *bitmap, uint64_t first, uint64_t n,
                         bool *ret_value);

/* ---- geometry ("CHS Calculation"): vhd-geometry.c ---- */

/* The product is at most NR_SECTORS: the geometry loses sectors, the size
 * must not. */
struct vhd_geometry vhd_geometry_of (uint64_t nr_sectors);
uint64_t vhd_geometry_sectors (struct vhd_geometry g);
/* The smallest count of sectors >= NR_SECTORS whose geometry has exactly as
 * many; NR_SECTORS itself beyond the largest geometry. */
uint64_t vhd_round_up_to_geometry (uint64_t nr_sectors);

#endif /* V2V_VHD_FORMAT_H */
