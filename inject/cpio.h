/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpio archives as the kernel's initramfs has them: newc (070701) and crc
 * (070702).  Reading takes bytes as they come out of a decompressor; writing
 * makes an archive in memory.
 */
#ifndef V2V_CPIO_H
#define V2V_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/text.h"

/* The kernel's PATH_MAX, terminator included: longer names it skips. */
#define V2V_CPIO_MAX_NAME 4096
/* A generic initramfs has some 5,000 entries, a whole live system in one some
 * 100,000. */
#define V2V_CPIO_MAX_ENTRIES 300000
/* Contents somebody wants in memory: modules and lists of modules. */
#define V2V_CPIO_MAX_WANTED (16u << 20)

struct v2v_cpio_entry {
  const char *name; /* as it stands in the archive */
  uint32_t mode;    /* with the type: S_IFREG ... */
  uint64_t size_bytes;
  const char *data; /* the contents with a NUL behind them, if wanted */
};

struct v2v_cpio_visitor {
  /* Shall the contents be kept?  Never asked above V2V_CPIO_MAX_WANTED.  May
   * be NULL. */
  bool (*want) (void *arg, const struct v2v_cpio_entry *e);
  /* After each entry but the trailer.  Returns 0, or -1 with ERR to stop. */
  int (*visit) (void *arg, const struct v2v_cpio_entry *e,
                struct v2v_error **err);
  void *arg;
};

struct v2v_cpio_reader;
struct v2v_cpio_reader *
v2v_cpio_reader_new (const struct v2v_cpio_visitor *visitor,
                     struct v2v_error **err);
void v2v_cpio_reader_free (struct v2v_cpio_reader *r); /* accepts NULL */
/* Take LEN bytes.  *RET_USED < LEN only where, between two archives, a byte
 * follows that is neither padding nor the start of an archive.  V2V_ERR_FORMAT
 * for what the kernel would not unpack. */
int v2v_cpio_reader_feed (struct v2v_cpio_reader *r, const void *data,
                          size_t len, size_t *ret_used, struct v2v_error **err);
/* Whether the archive that was begun last has ended. */
bool v2v_cpio_reader_is_between (const struct v2v_cpio_reader *r);

struct v2v_cpio_writer {
  struct v2v_str out;
  uint32_t nr_entries;
};
#define V2V_CPIO_WRITER_INIT                                                   \
  {                                                                            \
    .out = V2V_STR_INIT                                                        \
  }
void v2v_cpio_writer_free (struct v2v_cpio_writer *w);
/* MODE with the type; owned by root, time zero, so that the same contents give
 * the same bytes. */
int v2v_cpio_add (struct v2v_cpio_writer *w, const char *name, uint32_t mode,
                  const void *data, size_t len, struct v2v_error **err);
/* The trailer, padded to a multiple of four. */
int v2v_cpio_end (struct v2v_cpio_writer *w, struct v2v_error **err);

#endif /* V2V_CPIO_H */
