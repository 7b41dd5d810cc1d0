/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images: the driver table and the core in front of it.
 *
 * A driver (vmdk.c, vhd.c, vhdx.c, raw.c ...) knows ONE file format and ONE
 * layer.  The core (image.c) probes, bounds every request, follows the chain
 * of parents, composes the layers, publishes what a writer made, and checks
 * what drivers return.  Drivers stay small because the core is strict.
 *
 * Lifecycle, reading:   probe -> open -> info/extents/read/locate ... -> close
 *            stream:    probe -> open (forward-only io) -> stream -> close
 *            writing:   create -> write/zero/reserve ... [flush ...]
 *                              -> finish -> close   (no finish: discarded)
 *            resuming:  resume -> as writing
 *            in place:  open_rw -> read/write/zero ... flush -> finish -> close
 */
#ifndef V2V_IMAGE_H
#define V2V_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/extents.h"
#include "formats/core/io.h"
#include "formats/core/json.h"
#include "formats/core/text.h"

struct v2v_image;

/* A chain longer than this is refused: Hyper-V's and VMware's own limits are
 * far below, and each link costs open files.
 */
#define V2V_MAX_CHAIN 256

enum v2v_subformat {
  V2V_SUB_NONE, /* the format has only one kind */
  V2V_SUB_FIXED,
  V2V_SUB_DYNAMIC,
  V2V_SUB_DIFFERENCING,
  V2V_SUB_SPARSE, /* VMDK monolithicSparse */
  V2V_SUB_STREAM, /* VMDK streamOptimized */
};
const char *v2v_subformat_name (enum v2v_subformat s);
bool v2v_subformat_parse (const char *s, enum v2v_subformat *ret);

/* What an image is.  Strings are owned by the image, borrowed until close. */
struct v2v_image_info {
  const char *format;             /* driver name: "vmdk" */
  const char *variant;            /* "streamOptimized", "dynamic" ... or NULL */
  uint64_t size_bytes;            /* virtual size */
  uint32_t logical_sector_bytes;  /* 512 or 4096 */
  uint32_t physical_sector_bytes; /* 0 = unknown */
  uint64_t block_bytes;           /* grain or payload block; 0 = none */
  const char *id;            /* identity of this disk (UUID, CID) or NULL */
  const char *content_id;    /* what a child's parent identifier must equal:
                             VHDX DataWriteGuid, VHD unique id, VMDK CID */
  uint32_t parent_timestamp; /* VHD only: seconds since 2000, or 0 */
  bool has_parent;
  const char *parent_id;   /* identifier of the parent wanted, or NULL */
  const char *parent_name; /* as stored, for people (untrusted), or NULL */
  /* The same by what they are: for a copy of the layer; untrusted, or NULL. */
  const char *parent_relative_path;
  const char *parent_absolute_path;
  const char *creator; /* "win 10.0", or NULL */
  bool dirty;          /* was not closed cleanly; log replayed in memory */
};

/* Where a range of the virtual disk lies in a file. */
struct v2v_run {
  struct v2v_io *io;    /* borrowed from the image */
  uint64_t file_offset; /* bytes */
  uint64_t length;      /* contiguous bytes from there, > 0 */
};

/* Options for creating. Zeroed = defaults. */
enum v2v_size_policy {
  V2V_SIZE_EXACT, /* the current size, whatever the geometry says */
  V2V_SIZE_CHS,   /* rounded up to whole cylinders (old readers) */
  V2V_SIZE_MIB,   /* rounded up to whole MiB (Azure) */
};
struct v2v_create_opts {
  uint64_t size_bytes;
  enum v2v_subformat subformat;   /* NONE = the driver's default (dynamic) */
  uint64_t block_bytes;           /* 0 = the driver's default */
  uint32_t logical_sector_bytes;  /* 0 = 512 */
  uint32_t physical_sector_bytes; /* 0 = 4096 where the format has it */
  enum v2v_size_policy size_policy;
  bool no_holes;   /* allocate: the file must not be sparse */
  bool replace;    /* may replace an existing file */
  bool defer_sync; /* the caller syncs the file, with others of its folder,
                      after v2v_image_finish */
  /* Differencing: the parent as this library sees it, and the name to store
   * for the target (a Windows path may be given; NULL = the way from the
   * child's folder to the parent's). */
  struct v2v_image *parent;
  const char *parent_relative_path; /* e.g. ".\\base.vhdx"; NULL = derived */
  const char *parent_absolute_path; /* e.g. "D:\\vm\\base.vhdx"; NULL = none */
  const struct v2v_guid *id; /* fixed identity for tests; NULL = random */
  const char *adapter_type;  /* VMDK ddb.adapterType; NULL = lsilogic */
};

/* Options for opening. Zeroed or NULL = defaults. */
struct v2v_open_opts {
  const char *format;        /* declared by the caller; NULL = probe */
  const char *const *search; /* NULL-terminated folders for parents */
  bool no_parents;           /* do not open the chain (info, check) */
  bool ignore_parent_id;     /* explicit override of an identity mismatch */
  bool strict;               /* refuse what a strict inspector refuses */
  bool force;                /* read despite a doubtful feature */
  bool defer_sync; /* open_rw: as in v2v_create_opts, for a file that nobody
                      sees yet */
  bool keep_content_id; /* open_rw: what is changed does not change what a
                                child sees, so its parent stays the right one */
  bool overlay;         /* nbd, qcow2: what the own top layer does not
                                 hold is ABSENT, for v2v_image_set_base */
};

/* Head and tail of a file for probing: no driver does I/O in probe.  The
 * core fills both (head_len < sizeof head only when the file is shorter). */
struct v2v_probe {
  const char *name; /* file name, evidence of last resort */
  uint64_t size;    /* V2V_IO_SIZE_UNKNOWN for a stream */
  size_t head_len;
  size_t tail_len;
  uint8_t head[4096];
  uint8_t tail[1536]; /* the last tail_len bytes; 0 for a stream */
};

/* A stored piece of a forward-only source: compressed as it came, so that
 * decoding can happen on another thread. */
struct v2v_chunk {
  uint64_t offset; /* in the virtual disk, bytes */
  size_t length;   /* bytes of the virtual disk it stands for */
  void *data;      /* malloc'd; ownership passes to the sink */
  size_t stored;   /* bytes at data */
};
/* Takes over CHUNK->data, also on failure. Nonzero stops the stream. */
typedef int v2v_sink (void *arg, struct v2v_chunk *chunk,
                      struct v2v_error **err);

/* Findings of v2v check. */
enum v2v_check_severity {
  V2V_CHECK_NOTE,   /* unusual, harmless */
  V2V_CHECK_LEAK,   /* wasted space: orphan blocks */
  V2V_CHECK_DAMAGE, /* a structure is wrong; data may be lost */
};
struct v2v_check_item {
  enum v2v_check_severity severity;
  char *id;      /* stable: "vhdx.bat.overlap" */
  char *message; /* the sentence */
  bool repaired;
};
struct v2v_check_report {
  struct v2v_check_item *items;
  size_t nr_items;
  size_t cap;
  uint64_t nr_suppressed;                   /* beyond V2V_CHECK_MAX_ITEMS */
  enum v2v_check_severity worst_suppressed; /* of these, not repaired */
  uint64_t nr_blocks;                       /* blocks or grains allocated */
  uint64_t nr_blocks_total;
};
/* A hostile file could give one item per entry: enough to see the pattern. */
#define V2V_CHECK_MAX_ITEMS 200
int v2v_check_add (struct v2v_check_report *r, enum v2v_check_severity sev,
                   bool repaired, const char *id, const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6)));
void v2v_check_report_clear (struct v2v_check_report *r);

/* The contract of a driver.  Offsets and lengths reach a driver checked:
 * len > 0, offset + len <= size.  The handle is zeroed memory of handle_size
 * bytes owned by the core; close is called exactly once after a successful
 * OR failed open/open_uri/open_rw/create/resume.  NULL slots mean "not
 * supported"; the core says so in one sentence.  Slots marked [P] may be
 * called from several threads at once if parallel_read / parallel_write.
 */
struct v2v_image_ops {
  const char *name;        /* "vhdx": what --format and -O take */
  const char *description; /* one line for --list-formats */
  const char *extension;   /* ".vhdx" for files we write; NULL = none */
  size_t handle_size;
  bool parallel_read;
  bool parallel_write;

  /* 0..100: how much evidence there is in the bytes.  No I/O. */
  int (*probe) (const struct v2v_probe *p);

  /* Does this driver take this URI ("nbd://", "nbd+unix://")?  NULL = no. */
  bool (*probe_uri) (const char *uri);
  int (*open_uri) (void *h, const char *uri, const struct v2v_open_opts *opts,
                   struct v2v_error **err);

  /* FILE is borrowed until close; take v2v_io_ref to keep it longer. */
  int (*open) (void *h, struct v2v_io *file, const struct v2v_open_opts *opts,
               struct v2v_error **err);

  /* Fill RET (zeroed before).  After open, create, resume. */
  void (*info) (const void *h, struct v2v_image_info *ret);

  /* Add format-specific members to OBJ for "v2v info". May be NULL. */
  void (*describe) (const void *h, struct v2v_json *obj);

  /* Candidate base names for the parent, best first: set *RET_NAMES to a
   * NULL-terminated array borrowed until close. Already reduced to plain
   * names by the driver. Only called when info.has_parent. */
  int (*parent_names) (void *h, const char *const **ret_names,
                       struct v2v_error **err);
  /* Is PARENT the right one?  Refuse by V2V_ERR_MISMATCH naming both ids;
   * a mere timestamp difference is v2v_warn. */
  int (*check_parent) (void *h, const struct v2v_image_info *parent,
                       struct v2v_error **err);

  /* [P] Describe THIS layer over [offset, offset+len-1]: append runs that
   * cover the range exactly, depth 0.  NULL = all data. */
  int (*extents) (void *h, uint64_t len, uint64_t offset,
                  struct v2v_extents *out, struct v2v_error **err);
  /* [P] Read a range that extents calls DATA throughout. */
  int (*read) (void *h, void *buf, size_t len, uint64_t offset,
               struct v2v_error **err);
  /* [P] Where the data at OFFSET (in a DATA extent) lies uncompressed in a
   * file.  Returns 0; or 1 when it has no such place (compressed, remote). */
  int (*locate) (void *h, uint64_t offset, struct v2v_run *ret,
                 struct v2v_error **err);

  /* The files this layer is in besides the one it was opened from: number N
   * from 0 on, or NULL for a part without a file; *RET_END past the last one.
   * Borrowed until close.  NULL slot = there are none. */
  struct v2v_io *(*more_files) (const void *h, size_t n, bool *ret_end);

  /* Forward-only sources: hand every stored chunk to SINK, in file order,
   * check the end of the stream, return.  One thread. */
  int (*stream) (void *h, v2v_sink *sink, void *arg, struct v2v_error **err);
  /* [P] Decode CHUNK into BUF (chunk->length bytes, all of it written).
   * NULL = chunk->data is the content. */
  int (*decode) (void *h, const struct v2v_chunk *chunk, void *buf,
                 struct v2v_error **err);

  /* Open for change in place, crash-safe: at any kill the file is the state
   * of the last flush or a later consistent one. */
  int (*open_rw) (void *h, struct v2v_io *file,
                  const struct v2v_open_opts *opts, struct v2v_error **err);

  /* Start a new image in FILE (empty).  May round the size by policy; info
   * then tells the size chosen.  Space is allocated as data comes: the file
   * must end no longer than the data needs. */
  int (*create) (void *h, struct v2v_io *file,
                 const struct v2v_create_opts *opts, struct v2v_error **err);
  /* Continue an unfinished file that create + flush left behind, with the
   * same OPTS.  NULL = cannot be resumed. */
  int (*resume) (void *h, struct v2v_io *file,
                 const struct v2v_create_opts *opts, struct v2v_error **err);
  /* [P] Any alignment to the logical sector. */
  int (*write) (void *h, const void *buf, size_t len, uint64_t offset,
                struct v2v_error **err);
  /* [P] Make a range read as zeros (hiding the parent in a differencing
   * image), without using space where that is possible. */
  int (*zero) (void *h, uint64_t len, uint64_t offset, struct v2v_error **err);
  /* [P] Allocate the place of [offset, offset+len-1] and mark it as present;
   * the caller then fills run->length (>= 1, <= len) bytes there itself, by
   * reflink or copy_file_range.  NULL or return 1 = use write. */
  int (*reserve) (void *h, uint64_t len, uint64_t offset, struct v2v_run *ret,
                  struct v2v_error **err);
  /* Take over the identity of LIKE, an image of the same format: this one is
   * put in its place.  In place after a flush (atomic, and synced when it
   * returns), or before finish of a new file. */
  int (*set_identity) (void *h, const struct v2v_image_info *like,
                       struct v2v_error **err);
  /* In place: the parent is OPTS->parent from now on, to be found by the paths
   * in OPTS.  Atomic and synced: at any kill the file has the old parent or
   * the new one. */
  int (*set_parent) (void *h, const struct v2v_create_opts *opts,
                     struct v2v_error **err);
  /* Put all state needed by resume (or, in place, for consistency) into the
   * file and sync it. */
  int (*flush) (void *h, struct v2v_error **err);
  /* Tables, footer, final length, sync. */
  int (*finish) (void *h, struct v2v_error **err);

  void (*close) (void *h); /* never fails */

  /* Verify every structure of FILE; add what is found to REPORT.  With
   * REPAIR the io is writable and what can be repaired is, crash-safely, and
   * so marked.  Returns -1 only if checking itself was impossible (I/O). */
  int (*check) (struct v2v_io *file, bool repair,
                const struct v2v_open_opts *opts,
                struct v2v_check_report *report, struct v2v_error **err);
};

/* NULL-terminated, in the order of --list-formats. */
const struct v2v_image_ops *const *v2v_image_drivers (void);
const struct v2v_image_ops *v2v_image_driver_by_name (const char *name);

/* ---- opening ---- */

/* Open FILENAME (or an nbd URI) and its whole chain.  OPTS may be NULL.
 * Returns NULL and sets ERR: unknown format (V2V_ERR_UNSUPPORTED), malformed,
 * parent missing or wrong.
 */
struct v2v_image *v2v_image_open (const char *filename,
                                  const struct v2v_open_opts *opts,
                                  struct v2v_error **err);
/* The same from an io (a member of an archive, a buffer, a stream); takes a
 * reference. */
struct v2v_image *v2v_image_open_io (struct v2v_io *io,
                                     const struct v2v_open_opts *opts,
                                     struct v2v_error **err);
/* Open for change in place. The chain is opened too (read-only). */
struct v2v_image *v2v_image_open_rw (const char *filename,
                                     const struct v2v_open_opts *opts,
                                     struct v2v_error **err);

/* Lay TOP over BASE: what TOP calls ABSENT is read from BASE.  TOP must have
 * no parent yet; takes over BASE on success.  For overlays whose changed
 * ranges alone are copied. */
int v2v_image_set_base (struct v2v_image *top, struct v2v_image *base,
                        struct v2v_error **err);

/* Which driver claims IO?  NULL if none (then it may be raw); *RET_SCORE may
 * be NULL. */
const struct v2v_image_ops *v2v_image_probe (struct v2v_io *io, int *ret_score,
                                             struct v2v_error **err);

void v2v_image_close (struct v2v_image *img); /* accepts NULL; discards an
                                                 unfinished write */

/* ---- asking ---- */

const struct v2v_image_info *v2v_image_get_info (const struct v2v_image *img);
const struct v2v_image_ops *v2v_image_get_ops (const struct v2v_image *img);
uint64_t v2v_image_size (const struct v2v_image *img);
const char *v2v_image_name (const struct v2v_image *img); /* for messages */
struct v2v_image *v2v_image_parent (const struct v2v_image *img); /* or NULL */
unsigned v2v_image_chain_length (const struct v2v_image *img);    /* >= 1 */
struct v2v_io *v2v_image_io (const struct v2v_image *img);        /* or NULL */
/* Where IMG's own layer is in more files than v2v_image_io (the extents of a
 * VMDK): something that changes when one of them does.  "" where it is not. */
#define V2V_IMAGE_STAMP 65
int v2v_image_stamp (const struct v2v_image *img, char ret[V2V_IMAGE_STAMP],
                     struct v2v_error **err);
bool v2v_image_is_stream (const struct v2v_image *img);
/* May read, extents and locate be called from several threads? */
bool v2v_image_parallel_read (const struct v2v_image *img);
bool v2v_image_parallel_write (const struct v2v_image *img);
/* Driver's details as members of OBJ. */
void v2v_image_describe (const struct v2v_image *img, struct v2v_json *obj);

/* ---- reading (the whole chain composed) ---- */

/* Runs covering [offset, offset+len-1]; depth says which layer.  What no
 * layer has is ABSENT with the depth of the last layer (a hole: zeros).  A
 * child longer than its parent reads zeros beyond the parent's end. */
int v2v_image_extents (struct v2v_image *img, uint64_t len, uint64_t offset,
                       struct v2v_extents *out, struct v2v_error **err);
int v2v_image_read (struct v2v_image *img, void *buf, size_t len,
                    uint64_t offset, struct v2v_error **err);
/* Read inside ONE extent of type DATA that v2v_image_extents returned:
 * straight to the driver of that depth. */
int v2v_image_read_depth (struct v2v_image *img, unsigned depth, void *buf,
                          size_t len, uint64_t offset, struct v2v_error **err);
/* Place of data in a DATA extent of DEPTH; 1 = none, see ops. */
int v2v_image_locate (struct v2v_image *img, unsigned depth, uint64_t offset,
                      struct v2v_run *ret, struct v2v_error **err);
int v2v_image_stream (struct v2v_image *img, v2v_sink *sink, void *arg,
                      struct v2v_error **err);
int v2v_image_decode (struct v2v_image *img, const struct v2v_chunk *chunk,
                      void *buf, struct v2v_error **err);

/* ---- writing ---- */

/* Create FILENAME.part in format FORMAT; published by v2v_image_finish. */
struct v2v_image *v2v_image_create (const char *filename, const char *format,
                                    const struct v2v_create_opts *opts,
                                    struct v2v_error **err);
/* Continue FILENAME.part. */
struct v2v_image *v2v_image_resume (const char *filename, const char *format,
                                    const struct v2v_create_opts *opts,
                                    struct v2v_error **err);
/* How long FILENAME.part was when v2v_image_resume found it. */
uint64_t v2v_image_found_bytes (const struct v2v_image *img);

/* Create inside an io (tests, archives); not renamed. */
struct v2v_image *v2v_image_create_io (struct v2v_io *io, const char *format,
                                       const struct v2v_create_opts *opts,
                                       struct v2v_error **err);
int v2v_image_write (struct v2v_image *img, const void *buf, size_t len,
                     uint64_t offset, struct v2v_error **err);
int v2v_image_zero (struct v2v_image *img, uint64_t len, uint64_t offset,
                    struct v2v_error **err);
int v2v_image_reserve (struct v2v_image *img, uint64_t len, uint64_t offset,
                       struct v2v_run *ret, struct v2v_error **err);
int v2v_image_flush (struct v2v_image *img, struct v2v_error **err);
/* See the ops.  LIKE may be gone afterwards. */
int v2v_image_set_identity (struct v2v_image *img,
                            const struct v2v_image_info *like,
                            struct v2v_error **err);
int v2v_image_set_parent (struct v2v_image *img,
                          const struct v2v_create_opts *opts,
                          struct v2v_error **err);
/* Complete, sync, publish under the final name. The image stays open for
 * v2v_image_get_info; then v2v_image_close. */
int v2v_image_finish (struct v2v_image *img, struct v2v_error **err);
/* Complete and sync, but leave the rename to the caller (a set of files that
 * appears at once): PATH.part stays. */
int v2v_image_finish_unpublished (struct v2v_image *img,
                                  struct v2v_error **err);
/* On close without finish, keep FILENAME.part for a later resume. */
void v2v_image_keep_part (struct v2v_image *img);

/* ---- checking ---- */
int v2v_image_check (const char *filename, bool repair,
                     const struct v2v_open_opts *opts,
                     struct v2v_check_report *report, struct v2v_error **err);

#endif /* V2V_IMAGE_H */
