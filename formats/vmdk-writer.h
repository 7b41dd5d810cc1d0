/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared between vmdk-write.c and vmdk-write-stream.c; not outside. */
#ifndef V2V_VMDK_WRITER_H
#define V2V_VMDK_WRITER_H

#include <pthread.h>

#include "formats/vmdk-internal.h"

/* What everybody writes, and the only one every VMware product takes. */
#define GRAIN_SECTORS 128u
#define GRAIN_BYTES   (GRAIN_SECTORS * VMDK_SECTOR)
#define GTES_PER_GT   512u
#define GT_SECTORS    (GTES_PER_GT * 4 / VMDK_SECTOR)
#define DESC_OFFSET   1u
#define DESC_SECTORS  20u

struct vmdk_stream_writer;

struct vmdk_writer {
  /* Guards everything below.  Data of a sparse file is written outside of it;
   * a stream's records are appended under it. */
  pthread_mutex_t lock;
  struct v2v_io *file; /* borrowed from the handle */
  bool no_holes;
  struct vmdk_header header; /* as it will be when the file is complete */
  char *descriptor;
  /* Grain tables, made when first needed: 62 TiB with little in it must not
   * take gigabytes. */
  uint64_t nr_grains;
  uint64_t nr_gts;
  uint32_t **gts;
  uint64_t next; /* sector where the next grain or record goes */
  struct vmdk_stream_writer *stream; /* NULL = monolithicSparse */
};

/* The entry of GRAIN, its table made if needed; NULL when out of memory.  The
 * lock is held. */
uint32_t *vmdk_writer_gte (struct vmdk_writer *w, uint64_t grain);

/* ---- vmdk-write-stream.c ---- */
int vmdk_stream_start (struct vmdk_writer *w, struct v2v_error **err);
int vmdk_stream_write (struct vmdk_writer *w, const void *buf, size_t len,
                       uint64_t offset, struct v2v_error **err);
int vmdk_stream_zero (struct vmdk_writer *w, uint64_t len, uint64_t offset,
                      struct v2v_error **err);
int vmdk_stream_finish (struct vmdk_writer *w, struct v2v_error **err);
void vmdk_stream_writer_free (struct vmdk_stream_writer *s);

#endif /* V2V_VMDK_WRITER_H */
