/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared among vhdx*.c; not outside.
 *
 *   vhdx.c           the driver: open, info, describe
 *   vhdx-header.c    file identifier, headers, region tables
 *   vhdx-metadata.c  metadata items; vhdx-locator.c the parent locator
 *   vhdx-log.c       the log: find the active sequence, replay, append
 *   vhdx-overlay.c   its replay in memory
 *   vhdx-cache.c     pages of the BAT and of sector bitmaps
 *   vhdx-bat.c       from blocks of the disk to places in the file
 *   vhdx-read.c      extents, read, locate
 *   vhdx-write.c     write, zero, reserve; vhdx-create.c a new file
 *   vhdx-update.c    change in place, through the log
 *   vhdx-identity.c  another identity, another parent
 *   vhdx-check.c     check and repair
 */
#ifndef V2V_VHDX_INTERNAL_H
#define V2V_VHDX_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/vector.h"
#include "formats/image.h"
#include "formats/vhdx-format.h"

struct vhdx_header {
  uint64_t sequence;
  struct v2v_guid file_write_guid;
  struct v2v_guid data_write_guid;
  struct v2v_guid log_guid;
  uint16_t log_version;
  uint16_t version;
  uint32_t log_length;
  uint64_t log_offset;
};

struct vhdx_region {
  struct v2v_guid id;
  uint64_t offset;
  uint64_t length;
  uint32_t flags;
};
V2V_VECTOR (vhdx_region_vector, struct vhdx_region);

/* What decides the mapping; fixed after open or create. */
struct vhdx_geometry {
  uint64_t size; /* of the virtual disk, bytes */
  uint64_t block_size;
  uint32_t logical;
  uint32_t physical;
  bool leave_allocated; /* a fixed disk */
  bool has_parent;
  /* Derived: */
  uint64_t nr_blocks;
  uint64_t chunk_ratio; /* payload blocks to one bitmap block */
  uint64_t nr_entries;  /* of the BAT */
};

/* One parent locator entry, UTF-8. */
struct vhdx_locator_entry {
  char *key;
  char *value;
};
V2V_VECTOR (vhdx_locator_vector, struct vhdx_locator_entry);

struct vhdx_locator {
  vhdx_locator_vector entries;
  struct v2v_guid linkage;
  struct v2v_guid linkage2;
  bool has_linkage2;
  const char *names[4]; /* base names, best first, NULL-terminated */
  char *name_storage[3];
  const char *shown; /* a path for people, borrowed from entries, or NULL */
};

/* ---- the log ---- */

/* One write that the log asks for. */
struct vhdx_log_record {
  uint64_t offset;     /* target in the file, multiple of 4096 */
  uint64_t length;     /* 4096, or that of a run of zeros */
  uint64_t source;     /* where the data sector lies in the file; 0 = zeros */
  uint8_t leading[8];  /* the bytes of the sector that its signature */
  uint8_t trailing[4]; /* and sequence number have displaced */
};
V2V_VECTOR (vhdx_log_records, struct vhdx_log_record);

/* A run of the file that a record (the last one to write it) replaces. */
struct vhdx_overlay_segment {
  uint64_t start;
  uint64_t end;
  size_t record;
};
V2V_VECTOR (vhdx_overlay_segments, struct vhdx_overlay_segment);

struct vhdx_log {
  bool dirty; /* a sequence has to be replayed */
  uint64_t nr_entries;
  uint64_t first_sequence;
  uint64_t last_sequence;
  uint64_t flushed_offset;  /* the file was at least that long */
  uint64_t last_offset;     /* and must be at least that long after replay */
  vhdx_log_records records; /* in the order of replay */
  vhdx_overlay_segments segments; /* ascending, disjoint; read-only open */
};

/* ---- the metadata page cache ---- */

#define VHDX_PAGE_SIZE     65536u
#define VHDX_PAGE_SECTORS  (VHDX_PAGE_SIZE / VHDX_LOG_SECTOR)
#define VHDX_CACHE_BUCKETS 256u
/* Pages kept when clean: 8 MiB, a quarter of a million blocks. */
#define VHDX_CACHE_PAGES 128u

struct vhdx_page {
  uint64_t offset; /* in the file, multiple of VHDX_PAGE_SIZE */
  uint32_t dirty;  /* one bit for each sector of 4096 bytes */
  bool zero;       /* all bytes are known to be zero */
  struct vhdx_page *bucket_next;
  struct vhdx_page *older, *newer;
  uint8_t data[VHDX_PAGE_SIZE];
};

struct vhdx_cache {
  struct vhdx_page *buckets[VHDX_CACHE_BUCKETS];
  struct vhdx_page *oldest, *newest;
  size_t nr_pages;
  size_t nr_dirty; /* sectors */
  bool pin_dirty;  /* dirty pages wait for the log: never evicted */
};

/* ---- which MiBs of the file are in use ---- */

struct vhdx_map {
  uint8_t *bits; /* bit n: MiB n */
  uint64_t nr_mib;
  uint64_t cap_bytes;
};

enum vhdx_problem {
  VHDX_PROBLEM_RESERVED_BITS,
  VHDX_PROBLEM_STATE,
  VHDX_PROBLEM_ZERO_OFFSET, /* a ZERO entry with an offset */
  VHDX_PROBLEM_RANGE,
  VHDX_PROBLEM_OVERLAP,
  VHDX_PROBLEM_SHORT_LAST, /* only the unused tail of the last block */
  VHDX_PROBLEM_NO_BITMAP,
};
/* Called by vhdx_scan_bat for each entry that is wrong.  Nonzero stops. */
typedef int vhdx_problem_fn (void *arg, enum vhdx_problem what, uint64_t index,
                             uint64_t entry, const char *message);

struct vhdx_scan {
  struct vhdx_map map;
  uint64_t states[8]; /* payload entries by state */
  uint64_t nr_bitmaps;
  uint64_t end; /* of the last block in use, or of the last region */
};

/* ---- the handle ---- */

enum vhdx_mode { VHDX_READ, VHDX_CREATE, VHDX_UPDATE };

struct vhdx {
  struct v2v_io *file;
  enum vhdx_mode mode;
  uint64_t file_end; /* length of the file, after the replay of its log */

  struct vhdx_header headers[2];
  bool header_valid[2];
  unsigned current; /* which of the two */
  struct vhdx_log log;
  vhdx_region_vector regions;
  int regions_copy; /* which table was good: 0 or 1 */
  struct vhdx_region bat;
  struct vhdx_region metadata;
  struct vhdx_geometry geometry;
  struct v2v_guid page83;
  struct vhdx_locator locator;
  char *creator;

  char id[37], content_id[37], parent_id[37]; /* for info */

  /* Writers.  Lock order: ops, then lock.  A writing call holds ops for
   * reading, flush and finish for writing, so that a flush is one point in
   * time.  LOCK guards the cache and all below; readers take only LOCK. */
  pthread_rwlock_t ops;
  pthread_mutex_t lock;
  bool locks_ready;
  struct vhdx_cache cache;
  uint64_t alloc_end; /* create: where the next block goes */
  bool no_holes;

  /* In place: */
  bool started;        /* the identifiers of this change are in the header */
  bool keep_data_guid; /* repairs change nothing that the guest sees */
  bool failed; /* a commit broke off: the log must not be written over */
  struct vhdx_map used;
  uint64_t search_mib;      /* where to look for free space next */
  vhdx_region_vector freed; /* free after the next commit */
};

/* vhdx.c */
int vhdx_init (struct vhdx *h, struct v2v_io *file, enum vhdx_mode mode,
               struct v2v_error **err);
/* Everything after vhdx_read_headers and the log. */
int vhdx_load (struct vhdx *h, struct v2v_error **err);
void vhdx_close (void *h);
void vhdx_set_ids (struct vhdx *h);
/* Read from the file as it is after the replay of its log; zeros beyond its
 * real end.  Safe from several threads. */
int vhdx_file_read (struct vhdx *h, void *buf, size_t len, uint64_t offset,
                    struct v2v_error **err);
/* Is the CRC-32C at byte 4 of a structure right? */
bool vhdx_crc_ok (const void *buf, size_t len);
void vhdx_put_crc (void *buf, size_t len);

/* vhdx-header.c */
int vhdx_read_headers (struct vhdx *h, struct v2v_error **err);
int vhdx_read_regions (struct vhdx *h, struct v2v_error **err);
/* Is table COPY whole?  Fills *RET_REGIONS if so. */
int vhdx_read_region_table (struct vhdx *h, unsigned copy, bool *ret_valid,
                            vhdx_region_vector *ret_regions,
                            struct v2v_error **err);
/* Write h->headers[h->current], as changed by the caller, with the next
 * sequence number to the OTHER slot, make that the current one, sync. */
int vhdx_update_header (struct vhdx *h, const struct vhdx_header *next,
                        struct v2v_error **err);
int vhdx_write_header (struct vhdx *h, unsigned slot,
                       const struct vhdx_header *header,
                       struct v2v_error **err);
int vhdx_write_region_table (struct vhdx *h, unsigned copy,
                             struct v2v_error **err);
int vhdx_write_file_id (struct vhdx *h, struct v2v_error **err);

/* vhdx-metadata.c */
int vhdx_read_metadata (struct vhdx *h, struct v2v_error **err);
int vhdx_write_metadata (struct vhdx *h, struct v2v_error **err);
/* In place, with nothing waiting for the log: the new content of an item,
 * through the log.  h->lock is held. */
int vhdx_replace_page83 (struct vhdx *h, const struct v2v_guid *id,
                         struct v2v_error **err);
int vhdx_replace_locator (struct vhdx *h, const struct vhdx_locator *l,
                          struct v2v_error **err);
/* Anything a strict reader would object to: a sentence, or NULL. */
const char *vhdx_metadata_flag_note (struct vhdx *h);

/* vhdx-locator.c */
int vhdx_parse_locator (struct vhdx_locator *l, const uint8_t *item, size_t len,
                        struct v2v_error **err);
int vhdx_encode_locator (const struct vhdx_locator *l, uint8_t **ret_item,
                         size_t *ret_len, struct v2v_error **err);
int vhdx_locator_add (struct vhdx_locator *l, const char *key,
                      const char *value, struct v2v_error **err);
void vhdx_locator_clear (struct vhdx_locator *l);
/* The value of KEY, or NULL. */
const char *vhdx_locator_find (const struct vhdx_locator *l, const char *key);
/* Of a child of OPTS->parent: fill h->locator, which is empty. */
int vhdx_choose_parent (struct vhdx *h, const struct v2v_create_opts *opts,
                        struct v2v_error **err);

/* vhdx-log.c */
int vhdx_log_load (struct vhdx *h, bool force, struct v2v_error **err);
/* vhdx-overlay.c: lay the records over the file, in memory. */
int vhdx_log_build_overlay (struct vhdx *h, struct v2v_error **err);
/* Patch what was read from [offset, offset+len-1]. */
int vhdx_log_patch (struct vhdx *h, void *buf, size_t len, uint64_t offset,
                    struct v2v_error **err);
bool vhdx_log_touches (const struct vhdx *h, uint64_t len, uint64_t offset);
/* Carry out the records on the file, sync, and clear the log. */
int vhdx_log_replay (struct vhdx *h, struct v2v_error **err);
/* Write one entry of N data sectors at the start of the log and sync it. */
struct vhdx_log_write {
  uint64_t offset;
  const uint8_t *data; /* 4096 bytes */
};
size_t vhdx_log_capacity (const struct vhdx *h); /* of one entry, sectors */
int vhdx_log_append (struct vhdx *h, const struct v2v_guid *guid,
                     const struct vhdx_log_write *writes, size_t n,
                     struct v2v_error **err);
void vhdx_log_clear (struct vhdx_log *log);

/* vhdx-cache.c: h->lock is held. */
int vhdx_cache_page (struct vhdx *h, uint64_t offset, struct vhdx_page **ret,
                     struct v2v_error **err);
/* [offset, offset+len-1] of the file lies in PAGE and was changed. */
void vhdx_cache_touch (struct vhdx *h, struct vhdx_page *page, uint64_t offset,
                       size_t len);
int vhdx_cache_write_back (struct vhdx *h, struct v2v_error **err);
void vhdx_cache_free (struct vhdx *h);

/* vhdx-bat.c */
int vhdx_geometry_derive (struct vhdx_geometry *g, struct v2v_error **err);
uint64_t vhdx_bat_index (const struct vhdx_geometry *g, uint64_t block);
uint64_t vhdx_bitmap_index (const struct vhdx_geometry *g, uint64_t chunk);
/* The first payload block at or after BAT entry INDEX. */
uint64_t vhdx_block_at (const struct vhdx_geometry *g, uint64_t index);
/* How much of BLOCK the disk has: less than a block at its end. */
uint64_t vhdx_block_len (const struct vhdx_geometry *g, uint64_t block);
/* Why may no block lie at [offset, offset+len-1]?  NULL if it may. */
const char *vhdx_place_fault (const struct vhdx *h, uint64_t offset,
                              uint64_t len);
/* These need h->lock held. */
int vhdx_bat_get (struct vhdx *h, uint64_t index, uint64_t *ret_entry,
                  struct v2v_error **err);
int vhdx_bat_set (struct vhdx *h, uint64_t index, uint64_t entry,
                  struct v2v_error **err);
/* The entry of BLOCK, refused if it is not sound. */
int vhdx_block_get (struct vhdx *h, uint64_t block, uint64_t *ret_entry,
                    struct v2v_error **err);
/* File offset of the slice of the sector bitmap that describes BLOCK; the
 * slice never crosses a page.  With *ret_offset 0 there is no bitmap. */
int vhdx_bitmap_slice (struct vhdx *h, uint64_t block, uint64_t *ret_offset,
                       struct v2v_error **err);
size_t vhdx_slice_len (const struct vhdx_geometry *g);
/* Look at the whole BAT.  Takes h->lock itself. */
int vhdx_scan_bat (struct vhdx *h, vhdx_problem_fn *problem, void *arg,
                   struct vhdx_scan *ret, struct v2v_error **err);
void vhdx_scan_free (struct vhdx_scan *scan);
int vhdx_map_resize (struct vhdx_map *map, uint64_t nr_mib);
/* Set or clear; true if any bit had the new value already. */
bool vhdx_map_set (struct vhdx_map *map, uint64_t offset, uint64_t len,
                   bool value);

/* vhdx-read.c */
int vhdx_extents (void *h, uint64_t len, uint64_t offset,
                  struct v2v_extents *out, struct v2v_error **err);
int vhdx_read (void *h, void *buf, size_t len, uint64_t offset,
               struct v2v_error **err);
int vhdx_locate (void *h, uint64_t offset, struct v2v_run *ret,
                 struct v2v_error **err);

/* vhdx-write.c: a new file or one that is changed in place */
int vhdx_write (void *h, const void *buf, size_t len, uint64_t offset,
                struct v2v_error **err);
int vhdx_zero (void *h, uint64_t len, uint64_t offset, struct v2v_error **err);
int vhdx_reserve (void *h, uint64_t len, uint64_t offset, struct v2v_run *ret,
                  struct v2v_error **err);
int vhdx_flush (void *h, struct v2v_error **err);
int vhdx_finish (void *h, struct v2v_error **err);

/* vhdx-create.c */
int vhdx_create (void *h, struct v2v_io *file,
                 const struct v2v_create_opts *opts, struct v2v_error **err);
int vhdx_resume (void *h, struct v2v_io *file,
                 const struct v2v_create_opts *opts, struct v2v_error **err);
/* ops held for writing. */
int vhdx_create_flush (struct vhdx *h, struct v2v_error **err);
int vhdx_create_finish (struct vhdx *h, struct v2v_error **err);

/* vhdx-update.c */
int vhdx_open_rw (void *h, struct v2v_io *file,
                  const struct v2v_open_opts *opts, struct v2v_error **err);
/* h->lock held: before the first change. */
int vhdx_update_begin (struct vhdx *h, struct v2v_error **err);
/* h->lock held: LEN (a multiple of 1 MiB) of free space that reads as zero. */
int vhdx_update_alloc (struct vhdx *h, uint64_t len, uint64_t *ret_offset,
                       struct v2v_error **err);
/* h->lock held: no longer needed once the BAT says so on disk. */
int vhdx_update_release (struct vhdx *h, uint64_t offset, uint64_t len,
                         struct v2v_error **err);
/* ops held for writing. */
int vhdx_update_commit (struct vhdx *h, struct v2v_error **err);
/* h->lock held: N sectors (at most vhdx_log_capacity) at once or not at all. */
int vhdx_update_commit_round (struct vhdx *h,
                              const struct vhdx_log_write *writes, size_t n,
                              struct v2v_error **err);
int vhdx_update_finish (struct vhdx *h, struct v2v_error **err);
/* Is it time to commit, so that memory stays bounded? */
bool vhdx_update_is_full (struct vhdx *h);

/* vhdx-identity.c */
int vhdx_set_identity (void *h, const struct v2v_image_info *like,
                       struct v2v_error **err);
int vhdx_set_parent (void *h, const struct v2v_create_opts *opts,
                     struct v2v_error **err);

/* vhdx-check.c */
int vhdx_check (struct v2v_io *file, bool repair,
                const struct v2v_open_opts *opts,
                struct v2v_check_report *report, struct v2v_error **err);

#endif /* V2V_VHDX_INTERNAL_H */
