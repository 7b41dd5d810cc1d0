/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes VHDX files byte by byte, for tests: written from the specification's
 * tables and sharing nothing with the driver but the checksum.
 */
#ifndef VHDX_BUILD_H
#define VHDX_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/io.h"

#define MIB UINT64_C (1048576)

/* Where everything is in a built file. */
#define BUILD_LOG      (1 * MIB)
#define BUILD_METADATA (2 * MIB)
#define BUILD_BAT      (3 * MIB)
#define BUILD_DATA     (4 * MIB) /* the BAT has one MiB */

struct vhdx_build {
  uint8_t *bytes;
  size_t len;
  uint64_t size; /* of the disk */
  uint32_t block;
  uint32_t logical;
  uint64_t chunk_ratio;
};

struct vhdx_build_opts {
  uint64_t size;               /* 0 = 8 MiB */
  uint32_t block;              /* 0 = 1 MiB */
  uint32_t logical;            /* 0 = 512 */
  uint32_t flags;              /* 1 fixed, 2 has a parent */
  size_t file_mib;             /* 0 = 16 */
  const char *linkage;         /* "{guid}"; NULL = a constant one */
  const char *path_key, *path; /* NULL = relative_path, .\base.vhdx */
};

/* No block is present.  Aborts when out of memory. */
struct vhdx_build *vhdx_build_new (const struct vhdx_build_opts *opts);
void vhdx_build_free (struct vhdx_build *b);
/* Put all checksums right again. */
void vhdx_build_seal (struct vhdx_build *b);
/* The bytes so far as an io called NAME. */
struct v2v_io *vhdx_build_io (const struct vhdx_build *b, const char *name);
/* Write them to PATH, in a file of LEN bytes (0 = as long as they are). */
void vhdx_build_write (const struct vhdx_build *b, const char *path,
                       uint64_t len);

uint8_t *vhdx_build_header (struct vhdx_build *b, unsigned slot);
uint8_t *vhdx_build_regions (struct vhdx_build *b, unsigned copy);
/* Content of the metadata item with that position in the table. */
enum {
  ITEM_PARAMETERS,
  ITEM_SIZE,
  ITEM_PAGE83,
  ITEM_LOGICAL,
  ITEM_PHYSICAL,
  ITEM_LOCATOR
};
uint8_t *vhdx_build_item_entry (struct vhdx_build *b, unsigned item);
uint8_t *vhdx_build_item (struct vhdx_build *b, unsigned item);

void vhdx_build_bat (struct vhdx_build *b, uint64_t index, uint64_t entry);
uint64_t vhdx_build_get_bat (const struct vhdx_build *b, uint64_t index);
/* Block N is at OFFSET, in STATE. */
void vhdx_build_block (struct vhdx_build *b, uint64_t n, uint64_t offset,
                       unsigned state);
void vhdx_build_fill (struct vhdx_build *b, uint64_t offset, size_t len,
                      uint8_t value);

/* One write in a log entry. */
struct vhdx_build_write {
  bool zero;
  uint64_t offset;
  uint64_t length;     /* of a zero */
  const uint8_t *data; /* 4096 bytes, of a data sector */
};
struct vhdx_build_entry {
  unsigned sector; /* where in the log it begins */
  unsigned tail;   /* sector of the oldest entry still needed */
  uint64_t sequence;
  uint64_t flushed; /* 0 = the file's length */
  uint64_t last;    /* 0 = the file's length */
  uint8_t guid;     /* every byte of the log GUID */
  const struct vhdx_build_write *writes;
  unsigned nr_writes;
};
/* Returns how many sectors it takes.  Wraps at the end of the log. */
unsigned vhdx_build_log (struct vhdx_build *b,
                         const struct vhdx_build_entry *e);
/* The headers say that the log with that GUID byte is in use. */
void vhdx_build_use_log (struct vhdx_build *b, uint8_t guid);
/* Address of a sector of the log. */
uint8_t *vhdx_build_log_sector (struct vhdx_build *b, unsigned sector);

/* What is built so far, opened. */
struct v2v_image *vhdx_build_open (const struct vhdx_build *b,
                                   const struct v2v_open_opts *opts,
                                   struct v2v_error **err);

#endif /* VHDX_BUILD_H */
