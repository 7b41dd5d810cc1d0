/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDK on disk: magics, offsets, flags and the bounds we set, shared by the
 * readers and the writers.
 *
 * Sources: VMware "Virtual Disk Format 5.0" (technical note), and for what it
 * leaves out the behaviour of VMware's own files, qemu and open-vmdk.  Every
 * integer is little-endian, structures are packed, a sector is ALWAYS 512
 * bytes whatever the guest sees.
 */
#ifndef V2V_VMDK_FORMAT_H
#define V2V_VMDK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMDK_SECTOR 512

/* ---- hosted sparse extent (monolithicSparse, streamOptimized ...) ---- */

#define VMDK_MAGIC            0x564d444bu /* "KDMV" */
#define VMDK_MAGIC_UNFINISHED 0x766d646bu /* "kdmv": open-vmdk, writing */
#define VMDK_MAX_VERSION      3

#define VMDK_HEADER_BYTES 512

/* Offsets in the header. */
#define VMDK_H_MAGIC              0
#define VMDK_H_VERSION            4
#define VMDK_H_FLAGS              8
#define VMDK_H_CAPACITY           12
#define VMDK_H_GRAIN_SIZE         20
#define VMDK_H_DESCRIPTOR_OFFSET  28
#define VMDK_H_DESCRIPTOR_SIZE    36
#define VMDK_H_NUM_GTES           44
#define VMDK_H_RGD_OFFSET         48
#define VMDK_H_GD_OFFSET          56
#define VMDK_H_OVERHEAD           64
#define VMDK_H_UNCLEAN            72
#define VMDK_H_NEWLINES           73
#define VMDK_H_COMPRESS_ALGORITHM 77
#define VMDK_H_PAD                79

#define VMDK_FLAG_NEWLINES      0x00000001u /* the newline test is valid */
#define VMDK_FLAG_RGD           0x00000002u /* redundant directory is used */
#define VMDK_FLAG_ZERO_GRAIN    0x00000004u /* GTE 1 is a zeroed grain */
#define VMDK_FLAG_COMPRESSED    0x00010000u
#define VMDK_FLAG_MARKERS       0x00020000u /* each grain names its LBA */
#define VMDK_FLAGS_INCOMPATIBLE 0xffff0000u /* unknown ones: refuse */

#define VMDK_COMPRESS_NONE    0
#define VMDK_COMPRESS_DEFLATE 1 /* zlib format, RFC 1950, not RFC 1951 */

#define VMDK_GD_AT_END  UINT64_MAX /* gdOffset: see the footer */
#define VMDK_NEWLINES   "\n \r\n"
#define VMDK_GTE_ZEROED 1u

/* "Virtual Disk Format" has 512 entries in each table; other powers of two
 * down to 128 are in use (open-vmdk). */
#define VMDK_MIN_GTES 128
#define VMDK_MAX_GTES 512
/* qemu's bound; 64 KiB (128) is what everybody writes. */
#define VMDK_MAX_GRAIN_SECTORS 0x200000u
/* A compressed grain is inflated in memory as a whole, on each thread. */
#define VMDK_MAX_COMPRESSED_GRAIN_SECTORS 32768u /* 16 MiB */

/* One entry maps 32 MiB at the defaults: the largest disk has 2 Mi of them.
 * 16 Mi is 4 TiB at the smallest grain and 64 MiB of memory. */
#define VMDK_MAX_GD_ENTRIES (16u * 1024 * 1024)

/* ---- streamOptimized markers, one sector each ---- */

#define VMDK_M_VAL        0  /* u64: LBA of a grain, or sectors that follow */
#define VMDK_M_SIZE       8  /* u32: compressed bytes, 0 = metadata */
#define VMDK_M_TYPE       12 /* u32, metadata only */
#define VMDK_M_GRAIN_DATA 12 /* compressed bytes of a grain start here */

enum vmdk_marker_type {
  VMDK_MARKER_EOS = 0,
  VMDK_MARKER_GT = 1,
  VMDK_MARKER_GD = 2,
  VMDK_MARKER_FOOTER = 3,
  VMDK_MARKER_PROGRESS = 4, /* open-vmdk, dissect only */
};

/* Footer marker, footer, end-of-stream marker. */
#define VMDK_FOOTER_BYTES 1536

/* The largest compressed size of a grain that we accept: qemu's buffer.  The
 * content cannot grow beyond the grain, so this is no bomb. */
#define VMDK_MAX_COMPRESSED(grain_bytes) (2 * (uint64_t) (grain_bytes))

/* ---- COWD extent (vmfsSparse) ---- */

#define VMDK_COWD_MAGIC        0x44574f43u /* "COWD" */
#define VMDK_COWD_HEADER_BYTES 2048
#define VMDK_COWD_GTES         4096

#define VMDK_COWD_VERSION     4
#define VMDK_COWD_FLAGS       8
#define VMDK_COWD_CAPACITY    12
#define VMDK_COWD_GRAIN_SIZE  16
#define VMDK_COWD_GD_OFFSET   20
#define VMDK_COWD_GD_ENTRIES  24
#define VMDK_COWD_FREE_SECTOR 28
#define VMDK_COWD_UNCLEAN     1648

#define VMDK_COWD_MAX_GRAIN_SECTORS 2048u /* 1 MiB */

/* ---- seSparse extent ---- */

#define VMDK_SE_MAGIC          UINT64_C (0xcafebabe)
#define VMDK_SE_VOLATILE_MAGIC UINT64_C (0xcafecafe)
#define VMDK_SE_VERSION        UINT64_C (0x0000000200000001)
#define VMDK_SE_GRAIN_SECTORS  8
#define VMDK_SE_TABLE_SECTORS  64
#define VMDK_SE_GTES           4096 /* 64 sectors of 8 bytes each */
#define VMDK_SE_MAX_GD_ENTRIES (4u * 1024 * 1024) /* 64 TiB of 16 MiB */
#define VMDK_SE_GDE_PREFIX     UINT64_C (0x10000000)

/* ---- descriptor ---- */

#define VMDK_MAX_DESCRIPTOR_BYTES (1024 * 1024 - 1) /* qemu's bound */
#define VMDK_MAX_TOKEN            10                /* access and type words */
#define VMDK_MAX_FILE_NAME        511
#define VMDK_NO_PARENT_CID        0xffffffffu
/* 62 TiB, VMware's largest disk, in pieces of 2 GiB are 31744. */
#define VMDK_MAX_EXTENTS 32768
/* VMware stops at 62 TiB, Hyper-V at 64. */
#define VMDK_MAX_DISK_BYTES (UINT64_C (64) << 40)

/* The header of a hosted sparse extent, and the footer, in memory.  Units as
 * on disk: sectors. */
struct vmdk_header {
  uint32_t magic;
  uint32_t version;
  uint32_t flags;
  uint64_t capacity;
  uint64_t grain_size;
  uint64_t descriptor_offset;
  uint64_t descriptor_size;
  uint32_t num_gtes_per_gt;
  uint64_t rgd_offset;
  uint64_t gd_offset;
  uint64_t overhead;
  uint8_t unclean_shutdown;
  uint8_t newlines[4];
  uint16_t compress_algorithm;
};

void vmdk_header_decode (const uint8_t p[VMDK_HEADER_BYTES],
                         struct vmdk_header *ret);
/* All 512 bytes, padding included.  The newline bytes are always the right
 * ones. */
void vmdk_header_encode (const struct vmdk_header *h,
                         uint8_t p[VMDK_HEADER_BYTES]);

#endif /* V2V_VMDK_FORMAT_H */
