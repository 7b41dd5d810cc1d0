/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the targets for disk images share: open, ask, read all, check. */
#ifndef FUZZ_UTIL_H
#define FUZZ_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/error.h"
#include "formats/core/extents.h"
#include "formats/core/io.h"
#include "formats/image.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* A header may claim 64 TiB: an input gets this much of its disk read. */
#define FUZZ_MAX_READ (UINT64_C (64) * 1024 * 1024)
#define FUZZ_PIECE    (1024 * 1024)

/* Read the first FUZZ_MAX_READ bytes of IMG; errors end it. */
static inline void
fuzz_read_image (struct v2v_image *img)
{
  CLEANUP_FREE char *buf = malloc (FUZZ_PIECE);
  const uint64_t end = v2v_min_u64 (v2v_image_size (img), FUZZ_MAX_READ);

  for (uint64_t pos = 0; buf != NULL && pos < end;) {
    CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
    const size_t n = (size_t) v2v_min_u64 (FUZZ_PIECE, end - pos);
    struct v2v_error *err = NULL;
    struct v2v_run run;

    if (v2v_image_read (img, buf, n, pos, &err) == -1 ||
        v2v_image_extents (img, n, pos, &list, &err) == -1) {
      v2v_error_free (err);
      return;
    }
    for (size_t i = 0; i < list.len; ++i)
      if (list.ptr[i].type == V2V_EXTENT_DATA &&
          v2v_image_locate (img, list.ptr[i].depth, list.ptr[i].offset, &run,
                            &err) == -1) {
        v2v_error_free (err);
        return;
      }
    pos += n;
  }
}

/* The whole life of an input as FORMAT (NULL = probe). */
static inline void
fuzz_image (const uint8_t *data, size_t size, const char *format)
{
  struct v2v_io *io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  const struct v2v_open_opts opts = { .format = format };
  struct v2v_check_report report = { 0 };
  const struct v2v_image_ops *ops;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  if (io == NULL)
    return;
  img = v2v_image_open_io (io, &opts, &err);
  v2v_error_free (err);
  err = NULL;
  if (img != NULL)
    fuzz_read_image (img);
  v2v_image_close (img);

  ops = format ? v2v_image_driver_by_name (format)
               : v2v_image_probe (io, NULL, NULL);
  if (ops != NULL && ops->check != NULL) {
    ops->check (io, false, &opts, &report, &err);
    v2v_error_free (err);
    v2v_check_report_clear (&report);
  }
  v2v_io_unref (io);
}

#endif /* FUZZ_UTIL_H */
