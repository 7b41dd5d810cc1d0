/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared among vmdk*.c; not outside.
 *
 * A disk is a list of extents laid end to end (vmdk.c), named by a descriptor
 * (vmdk-descriptor.c).  An extent is flat (vmdk-flat.c) or has grains found
 * through a directory and tables.  The three forms with tables differ only in
 * how an entry is found and what it means (vmdk-sparse.c, vmdk-cowd.c,
 * vmdk-sesparse.c); walking, caching, reading and locating are common
 * (vmdk-grains.c), inflating is in vmdk-stream.c.
 */
#ifndef V2V_VMDK_INTERNAL_H
#define V2V_VMDK_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/image-internal.h"
#include "formats/vmdk-format.h"

struct vmdk_writer; /* vmdk-write.c */

/* ---- descriptor: vmdk-descriptor.c ---- */

enum vmdk_access { VMDK_ACCESS_RW, VMDK_ACCESS_RDONLY, VMDK_ACCESS_NONE };

enum vmdk_extent_type {
  VMDK_TYPE_FLAT,
  VMDK_TYPE_SPARSE,
  VMDK_TYPE_ZERO,
  VMDK_TYPE_VMFS,
  VMDK_TYPE_VMFSSPARSE,
  VMDK_TYPE_VMFSRDM,
  VMDK_TYPE_VMFSRAW,
  VMDK_TYPE_SESPARSE,
};
const char *vmdk_extent_type_name (enum vmdk_extent_type t);

/* One extent line. */
struct vmdk_extent_line {
  enum vmdk_access access;
  enum vmdk_extent_type type;
  uint64_t sectors;
  char *file;     /* UTF-8, or NULL (ZERO) */
  char *file_raw; /* the bytes as they stand, when they differ; or NULL */
  bool has_offset;
  uint64_t offset; /* sectors */
  unsigned line;   /* for messages, from 1 */
};

struct vmdk_descriptor {
  uint32_t version;
  bool has_cid;
  uint32_t cid;
  uint32_t parent_cid; /* VMDK_NO_PARENT_CID = none */
  char *create_type;
  char *encoding;
  char *parent_hint; /* UTF-8, untrusted */
  char *change_track_path;
  char *native_snapshot;
  bool encrypted; /* keyID= or encryptionKeys= */
  /* ddb.* */
  char *adapter_type;
  char *hw_version;
  char *tools_version;
  char *long_content_id;
  char *uuid;
  char *iofilters;
  char *sidecars;
  char *thin;
  char *geometry[3];              /* cylinders, heads, sectors */
  uint32_t logical_sector_bytes;  /* 512 unless given */
  uint32_t physical_sector_bytes; /* 0 unless given */
  struct vmdk_extent_line *lines;
  size_t nr_lines;
  size_t cap_lines;
};

/* Parse LEN bytes of TEXT.  STRICT refuses lines of no known form.  RET must
 * be zeroed; free it also after a failure. */
int vmdk_descriptor_parse (const char *text, size_t len, bool strict,
                           struct vmdk_descriptor *ret, struct v2v_error **err);
/* Refuse by name what is no disk image: raw devices, encryption, filters. */
int vmdk_descriptor_refuse (const struct vmdk_descriptor *d, bool force,
                            struct v2v_error **err);
void vmdk_descriptor_clear (struct vmdk_descriptor *d);
/* How sure is it that HEAD begins a descriptor? For probe. */
int vmdk_descriptor_probe (const uint8_t *head, size_t len);

/* ---- the handle ---- */

struct vmdk_extent;
struct vmdk_stream;
struct vmdk_cache;

struct vmdk {
  struct v2v_io *file; /* a reference of our own */

  /* What info tells; a writer fills these too. */
  uint64_t size_bytes;
  uint32_t logical_sector_bytes;
  uint32_t physical_sector_bytes;
  uint64_t grain_bytes;
  char variant[40];   /* createType */
  char cid[9];        /* "" = none */
  char parent_cid[9]; /* "" = no parent */
  bool dirty;

  /* Reading. */
  bool force;
  bool strict;
  struct vmdk_descriptor desc;
  struct vmdk_extent *extents;
  size_t nr_extents;
  struct vmdk_cache *cache;
  struct vmdk_stream *stream; /* forward-only */
  char *parent_name;
  const char *parent_names[2];

  /* Writing. */
  struct vmdk_writer *writer; /* owned by vmdk-write.c */
};

/* ---- writing: vmdk-write.c ---- */

int vmdk_create (void *vh, struct v2v_io *file,
                 const struct v2v_create_opts *opts, struct v2v_error **err);
int vmdk_write (void *vh, const void *buf, size_t len, uint64_t offset,
                struct v2v_error **err);
int vmdk_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err);
int vmdk_flush (void *vh, struct v2v_error **err);
int vmdk_finish (void *vh, struct v2v_error **err);
void vmdk_writer_free (struct vmdk_writer *w); /* accepts NULL */

#endif /* V2V_VMDK_INTERNAL_H */
