/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of struct v2v_io, shared among the io-*.c files only. */
#ifndef V2V_IO_INTERNAL_H
#define V2V_IO_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "formats/core/io.h"

struct v2v_io {
  const struct v2v_io_ops *ops;
  void *h;
  atomic_int refs;
  char *name;
  char *path; /* NULL unless it is a file with a path */
  _Atomic uint64_t size;
  bool forward_only;

  v2v_io_resolver *resolve;
  void *resolve_arg;
  void (*resolve_free) (void *arg);
};

/* Is IO a file of ours?  Then IO->h is a struct v2v_io_file. */
bool v2v_io_is_file (const struct v2v_io *io);

/* Is IO a window?  Then *RET_BASE is what it looks into and *RET_START
 * where. */
bool v2v_io_is_window (const struct v2v_io *io, const struct v2v_io **ret_base,
                       uint64_t *ret_start);

/* Does IO read from others, whose names are in their errors already? */
bool v2v_io_has_bases (const struct v2v_io *io);

/* Up to LEN bytes of a stream; fewer only at its end.  Returns 1 if IO is not
 * a stream. */
int v2v_io_stream_upto (struct v2v_io *io, void *buf, size_t len,
                        uint64_t offset, size_t *ret_len,
                        struct v2v_error **err);

/* How far behind the last write pages are given back: 32 writes of the copy
 * engine's 2 MiB.  Deep enough that the disk has them by then, shallow enough
 * that the same memory is used again and again. */
#define V2V_IO_BEHIND 32

struct v2v_io_range {
  uint64_t offset;
  uint64_t length;
};

struct v2v_io_file {
  int fd;
  bool early_writeback;
  pthread_mutex_t behind_lock; /* of the next two; nothing is called in it */
  struct v2v_io_range behind[V2V_IO_BEHIND]; /* a ring; length 0 = empty */
  size_t behind_next;
  bool is_device;
  dev_t dev;
  ino_t ino;
  /* Output: */
  char *part_path; /* PATH.part until published, else NULL */
  char *final_path;
  bool replace;
  bool keep_part;
  bool defer_sync;
};

#endif /* V2V_IO_INTERNAL_H */
