/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_io: bytes with a size and a name.  A file, a memory buffer, a
 * window into another one (a disk inside an OVA is read in place), several
 * joined end to end (OVF chunks), or a forward-only stream.  Format drivers
 * see nothing else of the outside world.
 *
 * Reference counted: v2v_io_ref and v2v_io_unref; a window holds its base.
 * Reading is safe from several threads, except on a forward-only io.
 */
#ifndef V2V_IO_H
#define V2V_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/extents.h"

struct v2v_io;

/* Flags of v2v_io_open and v2v_io_create_part. */
#define V2V_IO_RW              1u /* open for reading and writing in place */
#define V2V_IO_EARLY_WRITEBACK 2u /* start write-back of each large pwrite */
#define V2V_IO_FOLLOW                                                          \
  4u                      /* follow a symbolic link (names the user
                                     typed; never names out of a file) */
#define V2V_IO_REPLACE 8u /* v2v_io_publish may replace a file */
#define V2V_IO_KEEP_PART                                                       \
  16u /* create_part: reopen an existing .part
                                     (resume); otherwise a stale one is
                                     truncated */
#define V2V_IO_DEFER_SYNC                                                      \
  32u /* v2v_io_sync and publish do not sync: the caller does, when all files
         of a folder are there */

/* Size of a stream whose length is not known in advance. */
#define V2V_IO_SIZE_UNKNOWN UINT64_MAX

/* What a kind of io has to do.  pread and pwrite move exactly LEN bytes or
 * fail; the core checks ranges against the size first.  NULL slots: pwrite,
 * resize, sync (not writable), extents (all data), fd (none).
 */
struct v2v_io_ops {
  const char *kind;
  int (*pread) (void *h, void *buf, size_t len, uint64_t offset,
                struct v2v_error **err);
  int (*pwrite) (void *h, const void *buf, size_t len, uint64_t offset,
                 struct v2v_error **err);
  /* HEAD at OFFSET and BUF right behind it; NULL: by two calls of pwrite. */
  int (*pwrite_pair) (void *h, const void *head, size_t head_len,
                      const void *buf, size_t len, uint64_t offset,
                      struct v2v_error **err);
  int (*resize) (void *h, uint64_t size, struct v2v_error **err);
  int (*sync) (void *h, struct v2v_error **err);
  int (*extents) (void *h, uint64_t len, uint64_t offset,
                  struct v2v_extents *out, struct v2v_error **err);
  /* The descriptor behind [offset, ...], for reflinks: the offset in it and
   * how many bytes are contiguous there.  Returns false if there is none. */
  bool (*fd) (void *h, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
              uint64_t *ret_len);
  /* Make [offset, offset+len-1] read as zeros, by a hole where possible. */
  int (*punch) (void *h, uint64_t len, uint64_t offset, struct v2v_error **err);
  void (*close) (void *h);
};

/* Open a regular file or a block device.  Anything else (fifo, directory,
 * character device) is refused, without blocking.  Without V2V_IO_FOLLOW a
 * symbolic link is refused too.  Returns NULL and sets ERR on failure.
 */
struct v2v_io *v2v_io_open (const char *path, unsigned flags,
                            struct v2v_error **err);

/* Create PATH.part (mode 0644 less umask) for writing.  Nothing appears under
 * PATH before v2v_io_publish.  The last v2v_io_unref without publish removes
 * PATH.part, unless v2v_io_keep_part was called (a copy that can be resumed).
 * Fails with V2V_ERR_IO (EEXIST) if PATH exists and V2V_IO_REPLACE is absent,
 * and with V2V_ERR_USAGE while another io writes PATH.part (flock).
 */
struct v2v_io *v2v_io_create_part (const char *path, unsigned flags,
                                   struct v2v_error **err);
/* Sync, rename to the final name, sync the folder. */
int v2v_io_publish (struct v2v_io *io, struct v2v_error **err);
void v2v_io_keep_part (struct v2v_io *io);

/* Bytes in memory: a copy of BUF is kept.  Writable and growing. */
struct v2v_io *v2v_io_from_buffer (const char *name, const void *buf,
                                   size_t len, struct v2v_error **err);

/* [offset, offset+len-1] of BASE, as an io of its own called NAME (copied).
 * Fails if the range is not inside BASE.
 */
struct v2v_io *v2v_io_window (struct v2v_io *base, const char *name,
                              uint64_t offset, uint64_t len,
                              struct v2v_error **err);

/* The N ios one after the other, as one. */
struct v2v_io *v2v_io_join (const char *name, struct v2v_io *const *ios,
                            size_t n, struct v2v_error **err);

/* Read from FD (a pipe, a socket) forwards only: v2v_io_pread must be called
 * with offsets that never go back; gaps are skipped by reading.  Takes over
 * FD.  SIZE may be V2V_IO_SIZE_UNKNOWN.
 */
struct v2v_io *v2v_io_from_stream (int fd, const char *name, uint64_t size,
                                   struct v2v_error **err);

/* Any other kind: H is passed to the ops and closed by ops->close, also when
 * this fails.  Used by compressed members and by test doubles.
 */
struct v2v_io *v2v_io_new (const struct v2v_io_ops *ops, void *h,
                           const char *name, uint64_t size, bool forward_only,
                           struct v2v_error **err);

struct v2v_io *v2v_io_ref (struct v2v_io *io);
void v2v_io_unref (struct v2v_io *io); /* accepts NULL */

const char *v2v_io_name (const struct v2v_io *io); /* borrowed; for messages */
/* The path it was opened by, or NULL (buffer, window); borrowed. */
const char *v2v_io_path (const struct v2v_io *io);
uint64_t v2v_io_size (const struct v2v_io *io); /* bytes */
bool v2v_io_is_forward_only (const struct v2v_io *io);
bool v2v_io_is_writable (const struct v2v_io *io);

/* Exactly LEN bytes, or an error naming the io and the range.  A file that is
 * shorter than it was when opened gives V2V_ERR_IO "ended early".
 */
int v2v_io_pread (struct v2v_io *io, void *buf, size_t len, uint64_t offset,
                  struct v2v_error **err);

/* Forward-only, at the end of a stream of unknown size: up to LEN bytes; the
 * number read in *RET_LEN (less than LEN only at the end).
 */
int v2v_io_pread_upto (struct v2v_io *io, void *buf, size_t len,
                       uint64_t offset, size_t *ret_len,
                       struct v2v_error **err);

/* Grows the io where needed.  Safe from several threads. */
int v2v_io_pwrite (struct v2v_io *io, const void *buf, size_t len,
                   uint64_t offset, struct v2v_error **err);
/* HEAD at OFFSET and BUF right behind it: one system call for a file, which
 * is worth it where HEAD is small.  Neither may be empty. */
int v2v_io_pwrite_pair (struct v2v_io *io, const void *head, size_t head_len,
                        const void *buf, size_t len, uint64_t offset,
                        struct v2v_error **err);
int v2v_io_resize (struct v2v_io *io, uint64_t size, struct v2v_error **err);
int v2v_io_sync (struct v2v_io *io, struct v2v_error **err);
int v2v_io_punch (struct v2v_io *io, uint64_t len, uint64_t offset,
                  struct v2v_error **err);
/* Allocate every block of the file, so that it has no holes (a copy of a
 * sparse file to NTFS may carry the flag that Hyper-V refuses).  The file's
 * length does not change.  Not a file: no-op. */
int v2v_io_allocate (struct v2v_io *io, struct v2v_error **err);

/* Holes of the file itself (SEEK_DATA): V2V_EXTENT_DATA or V2V_EXTENT_ZERO,
 * ascending, covering the whole range.
 */
int v2v_io_extents (struct v2v_io *io, uint64_t len, uint64_t offset,
                    struct v2v_extents *out, struct v2v_error **err);

/* The descriptor behind an offset; false if there is none (memory, stream). */
bool v2v_io_fd (struct v2v_io *io, uint64_t offset, int *ret_fd,
                uint64_t *ret_fd_offset, uint64_t *ret_len);

/* Identity for loop and duplicate detection: true if A and B are the same
 * bytes of the same file.
 */
bool v2v_io_same (const struct v2v_io *a, const struct v2v_io *b);

/* Open NAME, a name found INSIDE a file (extent, parent, chunk), beside IO.
 * Only a plain name is accepted: no '/', no '\', not "." or "..", no NUL, not
 * empty, at most 255 bytes; opened with O_NOFOLLOW; regular files only.
 * Inside an archive the resolver of that archive is asked.  ENOENT is
 * V2V_ERR_IO with v2v_error_errno ENOENT.
 */
struct v2v_io *v2v_io_open_sibling (struct v2v_io *io, const char *name,
                                    unsigned flags, struct v2v_error **err);

/* How siblings of IO are found when it is not a plain file.  FREE_ARG is
 * called with ARG when the io goes; may be NULL.
 */
typedef struct v2v_io *v2v_io_resolver (void *arg, const char *name,
                                        unsigned flags, struct v2v_error **err);
void v2v_io_set_resolver (struct v2v_io *io, v2v_io_resolver *resolve,
                          void *arg, void (*free_arg) (void *arg));

/* Is NAME a plain file name by the rule above?  Sets ERR (V2V_ERR_FORMAT) and
 * returns false if not.
 */
bool v2v_check_plain_name (const char *name, struct v2v_error **err);

/* Open NAME in folder DIR by the same rule; the user's --search folders. */
struct v2v_io *v2v_io_open_in (const char *dir, const char *name,
                               unsigned flags, struct v2v_error **err);

#endif /* V2V_IO_H */
