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
  char *image_uuid;
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

/* ---- caches of one handle, shared by its extents: vmdk-cache.c ---- */

/* Grain tables: 64 slots of at most 32 KiB. */
#define VMDK_TABLE_SLOTS 64
/* Inflated grains, for requests that are smaller than a grain. */
#define VMDK_GRAIN_SLOTS 16
/* Idle scratch buffers; more threads than that still work. */
#define VMDK_SCRATCH_SLOTS 32

/* A slot holds one item at a time.  Filling happens under its lock, so that
 * two threads do not load the same item; no other lock is taken inside but
 * vmdk_map.alias_lock, and never two slots at once. */
struct vmdk_slot {
  pthread_mutex_t lock;
  const void *owner; /* the map, NULL = empty */
  uint64_t index;    /* table or grain number */
  uint8_t *data;
  size_t cap;
};

struct vmdk_scratch {
  uint8_t *ptr;
  size_t cap;
};

struct vmdk_cache {
  struct vmdk_slot tables[VMDK_TABLE_SLOTS];
  struct vmdk_slot grains[VMDK_GRAIN_SLOTS];
  pthread_mutex_t scratch_lock;
  struct vmdk_scratch idle[VMDK_SCRATCH_SLOTS];
  size_t nr_idle;
};
struct vmdk_cache *vmdk_cache_new (struct v2v_error **err);
void vmdk_cache_free (struct vmdk_cache *c); /* accepts NULL */
/* Make room in a locked slot and mark it empty. */
int vmdk_slot_prepare (struct vmdk_slot *slot, size_t bytes,
                       struct v2v_error **err);
/* A buffer of at least BYTES, to be given back. */
int vmdk_scratch_get (struct vmdk_cache *c, size_t bytes,
                      struct vmdk_scratch *ret, struct v2v_error **err);
void vmdk_scratch_put (struct vmdk_cache *c, struct vmdk_scratch *s);

/* ---- grains through a directory and tables: vmdk-grains.c ---- */

/* What an entry says: no grain, a zeroed grain, or the place in the file. */
#define VMDK_AT_ABSENT 0
#define VMDK_AT_ZERO   1 /* every real place is at least 512 */

struct vmdk_range {
  uint64_t start, end; /* bytes in the file, END is exclusive */
};

struct vmdk_map {
  struct v2v_io *io;        /* a reference of our own */
  struct vmdk_cache *cache; /* borrowed from the handle */
  const char *name;         /* for messages, NULL: the core says it */

  uint64_t size_bytes; /* of the virtual disk that this extent holds */
  uint64_t grain_bytes;
  uint32_t nr_gtes;     /* entries of a table */
  uint32_t entry_bytes; /* 4 or 8 */
  uint32_t nr_gds;
  uint32_t *gd; /* 0 = no table, else its number or sector; see table_at */
  /* The table of directory entry V (not 0) is at table_base + V * unit. */
  uint64_t table_base;
  uint64_t table_unit;
  /* Decode an entry at P to a place or VMDK_AT_*; -1 if it is malformed. */
  int (*entry) (const struct vmdk_map *m, const uint8_t *p, uint64_t *ret);

  bool compressed;     /* grains are marker, zlib stream */
  bool zeroed_gte;     /* entry 1 is a zeroed grain */
  bool unclean;        /* the redundant tables must agree */
  uint64_t rgd_offset; /* bytes; 0 = there is no redundant directory */
  /* Parts of the file where no grain or table can be. */
  struct vmdk_range metadata[6];
  size_t nr_metadata;
  uint64_t grains_start; /* seSparse: bytes; 0 elsewhere */

  /* No two entries may name the same grain (few bytes in, terabytes out):
   * one bit for each grain-sized slot of the file, set when a table is first
   * seen.  Two grains in one slot overlap. */
  pthread_mutex_t alias_lock;
  uint8_t *slots; /* NULL: compressed (the LBA tells) or too many */
  uint8_t *seen;  /* tables counted */
  bool warned;    /* of a damaged table, under alias_lock */
};
/* A slot bitmap of 32 MiB: 16 TiB at the usual grain of 64 KiB. */
#define VMDK_MAX_ALIAS_SLOTS (UINT64_C (1) << 28)

struct vmdk_map *vmdk_map_new (struct v2v_io *io, struct vmdk_cache *cache,
                               const char *name, struct v2v_error **err);
void vmdk_map_free (struct vmdk_map *m); /* accepts NULL */
/* After the geometry is known: allocate the directory and bitmaps. */
int vmdk_map_allocate (struct vmdk_map *m, struct v2v_error **err);
/* V2V_ERR_FORMAT, with the name of the extent in front where there are
 * several. */
int vmdk_map_fail (const struct vmdk_map *m, struct v2v_error **err,
                   const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));
void vmdk_map_add_metadata (struct vmdk_map *m, uint64_t start, uint64_t len);
bool vmdk_map_in_metadata (const struct vmdk_map *m, uint64_t start,
                           uint64_t len);
/* Bytes of GRAIN that are inside the disk: less for the last one. */
uint64_t vmdk_map_grain_length (const struct vmdk_map *m, uint64_t grain);
/* Load and verify table GDI (whose entry is V) into BUF. */
int vmdk_map_load_table (const struct vmdk_map *m, uint32_t gdi, uint32_t v,
                         uint8_t *buf, struct v2v_error **err);
/* Where the table of entry V lies. */
uint64_t vmdk_map_table_at (const struct vmdk_map *m, uint32_t v);
static inline size_t
vmdk_map_table_bytes (const struct vmdk_map *m)
{
  return (size_t) m->nr_gtes * m->entry_bytes;
}

/* The places of N grains from GRAIN on.  Thread-safe, as all below. */
int vmdk_map_entries (struct vmdk_map *m, uint64_t grain, size_t n,
                      uint64_t *ret, struct v2v_error **err);
/* OFFSET is in the extent; BASE is where the extent begins in the disk. */
int vmdk_map_extents (struct vmdk_map *m, uint64_t len, uint64_t offset,
                      uint64_t base, struct v2v_extents *out,
                      struct v2v_error **err);
int vmdk_map_read (struct vmdk_map *m, void *buf, size_t len, uint64_t offset,
                   struct v2v_error **err);
int vmdk_map_locate (struct vmdk_map *m, uint64_t offset, struct v2v_run *ret,
                     struct v2v_error **err);

/* ---- hosted sparse: vmdk-sparse.c ---- */

/* Everything that can be said of a header by itself. */
int vmdk_header_check (const struct vmdk_header *h, struct v2v_error **err);
/* Read and check the header, and the footer where the directory is at the
 * end: then RET is the footer. */
int vmdk_header_read (struct v2v_io *io, struct vmdk_header *ret,
                      struct v2v_error **err);
/* The footer's place, in bytes. */
int vmdk_footer_find (struct v2v_io *io, uint64_t *ret_offset,
                      uint8_t ret_sector[VMDK_HEADER_BYTES],
                      struct v2v_error **err);
/* The footer F wins over the header H, but a footer of another disk does
 * not. */
int vmdk_footer_compare (const struct vmdk_header *h,
                         const struct vmdk_header *f, struct v2v_error **err);
uint64_t vmdk_header_nr_gds (const struct vmdk_header *h);
struct vmdk_map *vmdk_sparse_open (struct v2v_io *io,
                                   const struct vmdk_header *h,
                                   struct vmdk_cache *cache, const char *name,
                                   bool force, struct v2v_error **err);
/* The embedded descriptor, NUL-terminated; the caller frees. */
char *vmdk_embedded_descriptor (struct v2v_io *io, const struct vmdk_header *h,
                                size_t *ret_len, struct v2v_error **err);

/* ---- COWD and seSparse: vmdk-cowd.c, vmdk-sesparse.c ---- */

struct vmdk_map *vmdk_cowd_open (struct v2v_io *io, struct vmdk_cache *cache,
                                 const char *name, struct v2v_error **err);
struct vmdk_map *vmdk_sesparse_open (struct v2v_io *io,
                                     struct vmdk_cache *cache, const char *name,
                                     struct v2v_error **err);

/* ---- compressed grains: vmdk-stream.c ---- */

/* Read a range of a compressed map. */
int vmdk_inflate_read (struct vmdk_map *m, void *buf, size_t len,
                       uint64_t offset, struct v2v_error **err);
/* Inflate the record of GRAIN (marker included, AVAIL bytes of it) into OUT
 * of OUT_LEN bytes, which is the grain's length. */
int vmdk_inflate_record (const struct vmdk_map *m, uint64_t grain,
                         const uint8_t *record, size_t avail, uint8_t *out,
                         size_t out_len, struct v2v_error **err);

/* ---- extents: vmdk-flat.c and vmdk.c ---- */

enum vmdk_layout {
  VMDK_LAYOUT_FLAT,
  VMDK_LAYOUT_ZERO, /* also NOACCESS */
  VMDK_LAYOUT_MAP,
};

struct vmdk_extent {
  uint64_t start, length; /* bytes in the disk */
  enum vmdk_layout layout;
  struct v2v_io *io;   /* NULL for ZERO */
  uint64_t file_start; /* FLAT: bytes */
  struct vmdk_map *map;
  const char *kind; /* "hosted sparse", "COWD" ...: for describe */
};

int vmdk_flat_open (struct vmdk_extent *e, const struct vmdk_extent_line *line,
                    struct v2v_error **err);
int vmdk_flat_extents (struct vmdk_extent *e, uint64_t len, uint64_t offset,
                       struct v2v_extents *out, struct v2v_error **err);
int vmdk_flat_read (struct vmdk_extent *e, void *buf, size_t len,
                    uint64_t offset, struct v2v_error **err);
int vmdk_flat_locate (struct vmdk_extent *e, uint64_t offset,
                      struct v2v_run *ret);

/* ---- the handle ---- */

struct vmdk_stream;

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

/* vmdk-open.c */
int vmdk_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
               struct v2v_error **err);
/* Does the embedded descriptor describe the extent it is in?  A difference is
 * refused: programs would differ in what they read. */
int vmdk_embedded_check (const struct vmdk_descriptor *d,
                         const struct vmdk_header *h, bool strict,
                         struct v2v_error **err);

/* ---- forward-only: vmdk-forward.c ---- */

int vmdk_forward_open (struct vmdk *h, struct v2v_error **err);
void vmdk_forward_free (struct vmdk_stream *s); /* accepts NULL */
int vmdk_stream (void *vh, v2v_sink *sink, void *arg, struct v2v_error **err);
int vmdk_decode (void *vh, const struct v2v_chunk *chunk, void *buf,
                 struct v2v_error **err);

/* ---- checking: vmdk-check.c ---- */

int vmdk_check (struct v2v_io *file, bool repair,
                const struct v2v_open_opts *opts,
                struct v2v_check_report *report, struct v2v_error **err);

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
