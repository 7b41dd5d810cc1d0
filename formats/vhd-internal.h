/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared among the vhd*.c files. */
#ifndef V2V_VHD_INTERNAL_H
#define V2V_VHD_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "formats/image-internal.h"
#include "formats/vhd-format.h"

struct vhd_writer;

/* Two for the header's own name and a locator of each kind, whichever are
 * there. */
#define VHD_MAX_NAMES (VHD_NR_LOCATORS + 1)

struct vhd {
  struct v2v_io *file;
  struct vhd_footer footer;
  /* End of what blocks may use: where the end footer begins, or the end of
   * the file when that footer is unusable. */
  uint64_t data_end;
  bool end_footer_ok;

  /* Dynamic and differencing only. */
  struct vhd_header header;
  uint32_t *bat;      /* nr_blocks entries, host order */
  uint64_t nr_blocks; /* of the disk: <= header.max_entries */
  uint32_t bitmap_bytes;

  /* For info. */
  char id[37];
  char parent_id[37];
  char creator[32];
  uint32_t timestamp;                      /* modification time of the file */
  char *names[VHD_MAX_NAMES + 1];          /* candidate parents, plain names */
  char *parent_name;                       /* as stored, for people */
  char *parent_relative, *parent_absolute; /* by what they are, or NULL */

  struct vhd_writer *writer; /* NULL when only reading */
};

static inline bool
vhd_is_fixed (const struct vhd *h)
{
  return h->footer.type == VHD_FIXED;
}

static inline uint64_t
vhd_block_len (const struct vhd *h, uint64_t block)
{
  return v2v_min_u64 (h->header.block_size,
                      h->footer.current_size -
                          block * (uint64_t) h->header.block_size);
}

/* File length of a whole block with its bitmap. */
static inline uint64_t
vhd_stride (const struct vhd *h)
{
  return (uint64_t) h->bitmap_bytes + h->header.block_size;
}

/* ---- vhd.c ---- */

/* A footer as found in a file. */
struct vhd_found {
  bool cookie;
  bool valid; /* cookie and checksum */
  uint64_t offset;
  uint32_t length; /* 512 or 511 */
  struct vhd_footer footer;
  uint8_t bytes[VHD_FOOTER_SIZE];
};
/* Look for the footer at the end of FILE. */
int vhd_find_end_footer (struct v2v_io *file, struct vhd_found *ret,
                         struct v2v_error **err);
/* The copy at offset 0; not VALID if the file is too short. */
int vhd_find_copy (struct v2v_io *file, struct vhd_found *ret,
                   struct v2v_error **err);
/* Judge the fields of a footer against the file. */
int vhd_judge_footer (const struct vhd_footer *f, const char *which,
                      struct v2v_error **err);
/* Judge a dynamic header; writes h->nr_blocks and h->bitmap_bytes. */
int vhd_judge_header (struct vhd *h, struct v2v_error **err);
/* Everything but the writer; also used by resume and open_rw. */
int vhd_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
              struct v2v_error **err);
int vhd_load_bat (struct vhd *h, struct v2v_error **err);
void vhd_fill_info (struct vhd *h);
/* Seconds since 2000 of FILE's modification time; 0 if it has none. */
uint32_t vhd_file_timestamp (struct v2v_io *file);
uint32_t vhd_timestamp (time_t t);

/* ---- vhd-parent.c ---- */
int vhd_read_parent_names (struct vhd *h, struct v2v_error **err);
/* Free what that filled. */
void vhd_clear_parent_names (struct vhd *h);
int vhd_parent_names (void *vh, const char *const **ret_names,
                      struct v2v_error **err);
int vhd_check_parent (void *vh, const struct v2v_image_info *parent,
                      struct v2v_error **err);
/* Fill name, identifier, timestamp and locators of h->header from OPTS; the
 * locators' text goes to a new buffer of *RET_LEN bytes (a multiple of a
 * sector) that belongs at OFFSET.  The caller frees. */
int vhd_make_locators (struct vhd *h, const struct v2v_create_opts *opts,
                       uint64_t offset, uint8_t **ret, size_t *ret_len,
                       struct v2v_error **err);

/* ---- the writer: vhd-create.c and vhd-write.c ---- */

/* A sector bitmap of a block that the file already refers to, changed in
 * place but not yet written: the data must be safe first. */
struct vhd_pending {
  uint8_t *bitmap; /* NULL = free slot */
  uint64_t block;
};
#define VHD_PENDING_SLOTS 2048u /* hash table, at most half full */
/* Memory for them; reaching it costs one more flush. */
#define VHD_PENDING_BYTES (8 * V2V_MIB)

struct vhd_writer {
  /* Guards everything below and h->bat; held over metadata writes, never
   * over data writes. */
  pthread_mutex_t lock;
  bool in_place; /* else a new file that nobody reads before finish */
  bool no_holes;
  uint64_t next;    /* file offset of the next block */
  uint8_t *dirty;   /* one bit per sector of the BAT */
  uint8_t *fresh;   /* in place: one bit per block that the BAT in the file does
                     not show yet */
  uint8_t *marked;  /* new dynamic file: one bit per block whose bitmap this
                     writer has written; see write_marking */
  uint8_t *scratch; /* bitmap_bytes */
  uint8_t *ones;    /* bitmap_bytes of 0xff; never changes */
  struct vhd_pending *pending;
  size_t nr_pending;
};
struct vhd_writer *vhd_writer_new (const struct vhd *h, bool in_place,
                                   struct v2v_error **err);
int vhd_write_footer (struct vhd *h, const char *cookie, uint64_t offset,
                      struct v2v_error **err);
int vhd_write_dirty_bat (struct vhd *h, struct v2v_error **err);

int vhd_create (void *vh, struct v2v_io *file,
                const struct v2v_create_opts *opts, struct v2v_error **err);
int vhd_resume (void *vh, struct v2v_io *file,
                const struct v2v_create_opts *opts, struct v2v_error **err);
int vhd_open_rw (void *vh, struct v2v_io *file,
                 const struct v2v_open_opts *opts, struct v2v_error **err);
int vhd_write (void *vh, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err);
int vhd_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err);
int vhd_reserve (void *vh, uint64_t len, uint64_t offset, struct v2v_run *ret,
                 struct v2v_error **err);
int vhd_flush (void *vh, struct v2v_error **err);
int vhd_finish (void *vh, struct v2v_error **err);
void vhd_writer_free (struct vhd *h);
/* The BAT entry of BLOCK while others may write. */
uint32_t vhd_writer_lookup (struct vhd *h, uint64_t block);
/* Bitmap bytes not yet in the file: copies [first, first+len-1] of BLOCK's
 * bitmap and returns true if it has them. */
bool vhd_writer_bitmap (struct vhd *h, uint64_t block, uint8_t *buf,
                        size_t first, size_t len);

/* ---- vhd-identity.c ---- */
int vhd_set_identity (void *vh, const struct v2v_image_info *like,
                      struct v2v_error **err);
int vhd_set_parent (void *vh, const struct v2v_create_opts *opts,
                    struct v2v_error **err);

/* ---- vhd-check.c ---- */
int vhd_check (struct v2v_io *file, bool repair,
               const struct v2v_open_opts *opts,
               struct v2v_check_report *report, struct v2v_error **err);

#endif /* V2V_VHD_INTERNAL_H */
