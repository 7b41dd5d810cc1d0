/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing VMDK files: what the two forms have in common, and the one with
 * random access (monolithicSparse).  streamOptimized: vmdk-write-stream.c.
 *
 * Specification: "Virtual Disk Format 5.0", "Hosted Sparse Extents".  We write
 * grains of 64 KiB, tables of 512 entries, an embedded descriptor and, in a
 * sparse file, the redundant directory.  Left out: split files, child disks
 * and every ESX-only form.
 *
 * Layout of a sparse file, in sectors: header 0, descriptor 1-20, redundant
 * directory and its tables, directory and tables, padding up to a grain,
 * grains in the order of their allocation.  All tables have their place from
 * the start; those nobody needed stay holes of zeros, which is what they say.
 * Until finish the magic is in lower case: "unfinished".
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vmdk-writer.h"

/* Entries have 32 bits: no grain of a file begins past 2 TiB. */
#define MAX_FILE_SECTORS UINT64_C (0xffffffff)

/* ---- tables ---- */

uint32_t *
vmdk_writer_gte (struct vmdk_writer *w, uint64_t grain)
{
  uint32_t **gt = &w->gts[grain / GTES_PER_GT];

  if (*gt == NULL)
    *gt = calloc (GTES_PER_GT, sizeof **gt);
  return *gt ? &(*gt)[grain % GTES_PER_GT] : NULL;
}

void
vmdk_writer_free (struct vmdk_writer *w)
{
  if (w == NULL)
    return;
  for (uint64_t i = 0; w->gts != NULL && i < w->nr_gts; ++i)
    free (w->gts[i]);
  free (w->gts);
  free (w->descriptor);
  vmdk_stream_writer_free (w->stream);
  pthread_mutex_destroy (&w->lock);
  free (w);
}

static uint64_t
gd_sectors (const struct vmdk_writer *w)
{
  return v2v_div_up (w->nr_gts * 4, VMDK_SECTOR);
}

/* ---- descriptor ---- */

/* Cylinders, heads and sectors as VMware computes them: for people and very
 * old guests.
 */
static int
append_geometry (struct v2v_str *s, uint64_t sectors, const char *adapter)
{
  const bool ide = strcmp (adapter, "ide") == 0;
  const unsigned heads = ide ? 16 : 255;
  const uint64_t cylinders = v2v_max_u64 (
      1, v2v_min_u64 (sectors / (heads * 63), ide ? 16383 : 65535));

  return v2v_str_printf (s,
                         "ddb.geometry.cylinders = \"%" PRIu64 "\"\n"
                         "ddb.geometry.heads = \"%u\"\n"
                         "ddb.geometry.sectors = \"63\"\n",
                         cylinders, heads);
}

/* The name for the extent line: readers take this very file whatever it says,
 * so a name that the line cannot hold gives way to a plain one.
 */
static const char *
name_of_extent (const struct v2v_io *file)
{
  const char *path = v2v_io_name (file);
  const char *slash = strrchr (path, '/');
  const char *name = slash ? slash + 1 : path;

  if (strchr (name, '"') != NULL || !v2v_check_plain_name (name, NULL) ||
      !v2v_is_valid_utf8 (name, strlen (name)))
    return "disk.vmdk";
  return name;
}

static int
make_descriptor (struct vmdk *h, const struct v2v_create_opts *opts,
                 struct v2v_error **err)
{
  const char *adapter = opts->adapter_type ? opts->adapter_type : "lsilogic";
  const uint64_t sectors = h->size_bytes / VMDK_SECTOR;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (adapter[0] == '\0' || strlen (adapter) > 32 ||
      adapter[strspn (adapter, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] != '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "adapter type '%.40s', expected letters and digits",
                     adapter);
  if (v2v_str_printf (&s,
                      "# Disk DescriptorFile\n"
                      "version=1\n"
                      "encoding=\"UTF-8\"\n"
                      "CID=%s\n"
                      "parentCID=ffffffff\n"
                      "createType=\"%s\"\n"
                      "\n"
                      "# Extent description\n"
                      "RW %" PRIu64 " SPARSE \"%s\"\n"
                      "\n"
                      "# The Disk Data Base\n"
                      "#DDB\n"
                      "\n"
                      "ddb.virtualHWVersion = \"7\"\n"
                      "ddb.adapterType = \"%s\"\n",
                      h->cid, h->variant, sectors, name_of_extent (h->file),
                      adapter) == -1 ||
      append_geometry (&s, sectors, adapter) == -1 ||
      (h->logical_sector_bytes != VMDK_SECTOR &&
       v2v_str_printf (&s, "ddb.logicalSectorSize = \"%" PRIu32 "\"\n",
                       h->logical_sector_bytes) == -1))
    return v2v_fail_nomem (err);
  if (s.len > (size_t) DESC_SECTORS * VMDK_SECTOR)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "descriptor of %zu bytes, at most %u fit", s.len,
                     DESC_SECTORS * VMDK_SECTOR);
  h->writer->descriptor = STEAL (s.ptr);
  return 0;
}

/* Header (its magic in lower case unless COMPLETE) and descriptor. */
static int
write_front (struct vmdk_writer *w, bool complete, struct v2v_error **err)
{
  uint8_t front[(1 + DESC_SECTORS) * VMDK_SECTOR];
  struct vmdk_header header = w->header;

  memset (front, 0, sizeof front);
  if (!complete)
    header.magic = VMDK_MAGIC_UNFINISHED;
  vmdk_header_encode (&header, front);
  memcpy (front + VMDK_SECTOR, w->descriptor, strlen (w->descriptor));
  return v2v_io_pwrite (w->file, front, sizeof front, 0, err);
}

/* ---- create ---- */

static int
check_opts (struct vmdk *h, const struct v2v_create_opts *opts,
            struct v2v_error **err)
{
  const uint32_t sector =
      opts->logical_sector_bytes ? opts->logical_sector_bytes : VMDK_SECTOR;
  uint64_t size = opts->size_bytes;
  uint64_t unit = sector;

  if (opts->subformat != V2V_SUB_NONE && opts->subformat != V2V_SUB_STREAM &&
      opts->subformat != V2V_SUB_SPARSE)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "VMDK is written as stream or sparse, not %s",
                     v2v_subformat_name (opts->subformat));
  if (sector != 512 && sector != 4096)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "logical sectors of %" PRIu32 " bytes, expected 512 or "
                     "4096",
                     sector);
  if (opts->block_bytes != 0 && opts->block_bytes != GRAIN_BYTES)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "grains of %" PRIu64 " bytes, expected %u",
                     opts->block_bytes, GRAIN_BYTES);
  switch (opts->size_policy) {
  case V2V_SIZE_EXACT:
  case V2V_SIZE_CHS: /* no reader takes the size from the geometry here */
    break;
  case V2V_SIZE_MIB:
    unit = V2V_MIB;
    break;
  }
  if (size == 0 || !v2v_round_up_u64 (size, unit, &size) ||
      size > VMDK_MAX_DISK_BYTES)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk of %" PRIu64 " bytes: a VMDK holds 1 to %" PRIu64,
                     opts->size_bytes, VMDK_MAX_DISK_BYTES);
  h->size_bytes = size;
  h->logical_sector_bytes = sector;
  h->physical_sector_bytes = sector;
  h->grain_bytes = GRAIN_BYTES;
  return 0;
}

/* A CID that means nothing else: all ones is "no parent", one less has been
 * seen as "look elsewhere".
 */
static int
choose_cid (struct vmdk *h, const struct v2v_create_opts *opts,
            struct v2v_error **err)
{
  struct v2v_guid id;
  uint32_t cid;

  if (opts->id != NULL)
    id = *opts->id;
  else if (v2v_guid_random (&id, err) == -1)
    return -1;
  cid = v2v_be32 (id.bytes);
  if (cid >= UINT32_C (0xfffffffe))
    cid = 1;
  v2v_put_be32 (id.bytes, cid);
  v2v_hex (id.bytes, 4, h->cid);
  return 0;
}

static void
design_header (struct vmdk_writer *w, uint64_t size_bytes, bool stream)
{
  struct vmdk_header *d = &w->header;

  d->magic = VMDK_MAGIC;
  d->capacity = size_bytes / VMDK_SECTOR;
  d->grain_size = GRAIN_SECTORS;
  d->descriptor_offset = DESC_OFFSET;
  d->descriptor_size = DESC_SECTORS;
  d->num_gtes_per_gt = GTES_PER_GT;
  if (stream) {
    d->version = 3;
    d->flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS;
    d->compress_algorithm = VMDK_COMPRESS_DEFLATE;
    d->gd_offset = VMDK_GD_AT_END;
    d->overhead = GRAIN_SECTORS;
  }
  else {
    d->version = 1;
    d->flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_RGD;
    d->compress_algorithm = VMDK_COMPRESS_NONE;
    d->rgd_offset = DESC_OFFSET + DESC_SECTORS;
    d->gd_offset = d->rgd_offset + gd_sectors (w) + w->nr_gts * GT_SECTORS;
    d->overhead =
        v2v_div_up (d->gd_offset + gd_sectors (w) + w->nr_gts * GT_SECTORS,
                    GRAIN_SECTORS) *
        GRAIN_SECTORS;
  }
  w->next = d->overhead;
}

/* A directory points at all its tables, which follow it. */
static int
write_directory (struct vmdk_writer *w, uint64_t offset, struct v2v_error **err)
{
  const size_t len = (size_t) gd_sectors (w) * VMDK_SECTOR;
  CLEANUP_FREE uint8_t *gd = calloc (1, len);

  if (gd == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < w->nr_gts; ++i)
    v2v_put_le32 (gd + 4 * i,
                  (uint32_t) (offset + gd_sectors (w) + i * GT_SECTORS));
  return v2v_io_pwrite (w->file, gd, len, offset * VMDK_SECTOR, err);
}

static int
start_sparse (struct vmdk_writer *w, struct v2v_error **err)
{
  if (w->header.overhead + w->nr_grains * GRAIN_SECTORS > MAX_FILE_SECTORS)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk of %" PRIu64 " sectors: a sparse extent cannot "
                     "address more than 2 TiB, write a stream",
                     w->header.capacity);
  if (write_directory (w, w->header.rgd_offset, err) == -1 ||
      write_directory (w, w->header.gd_offset, err) == -1)
    return -1;
  return v2v_io_resize (w->file, w->header.overhead * VMDK_SECTOR, err);
}

int
vmdk_create (void *vh, struct v2v_io *file, const struct v2v_create_opts *opts,
             struct v2v_error **err)
{
  struct vmdk *h = vh;
  const bool stream = opts->subformat != V2V_SUB_SPARSE;
  const char *variant = stream ? "streamOptimized" : "monolithicSparse";
  struct vmdk_writer *w;

  h->file = v2v_io_ref (file);
  if (check_opts (h, opts, err) == -1 || choose_cid (h, opts, err) == -1)
    return -1;
  memcpy (h->variant, variant, strlen (variant) + 1);
  w = h->writer = calloc (1, sizeof *w);
  if (w == NULL)
    return v2v_fail_nomem (err);
  pthread_mutex_init (&w->lock, NULL);
  w->file = file;
  w->no_holes = opts->no_holes;
  w->nr_grains = v2v_div_up (h->size_bytes, GRAIN_BYTES);
  w->nr_gts = v2v_div_up (w->nr_grains, GTES_PER_GT);
  /* 16 MiB for the largest disk. */
  w->gts = calloc (w->nr_gts, sizeof w->gts[0]);
  if (w->gts == NULL)
    return v2v_fail_nomem (err);
  design_header (w, h->size_bytes, stream);
  if (make_descriptor (h, opts, err) == -1 || write_front (w, false, err) == -1)
    return -1;
  return stream ? vmdk_stream_start (w, err) : start_sparse (w, err);
}

/* ---- monolithicSparse ---- */

/* Where GRAIN lies in the file, allocated if WANTED; 0 if it does not. */
static int
place_of (struct vmdk_writer *w, uint64_t grain, bool wanted, uint64_t *ret,
          struct v2v_error **err)
{
  uint32_t *gte;
  V2V_LOCK_SCOPE (&w->lock);

  *ret = 0;
  if (!wanted && w->gts[grain / GTES_PER_GT] == NULL)
    return 0;
  gte = vmdk_writer_gte (w, grain);
  if (gte == NULL)
    return v2v_fail_nomem (err);
  if (*gte == 0 && wanted) {
    *gte = (uint32_t) w->next; /* fits: start_sparse has seen to it */
    w->next += GRAIN_SECTORS;
  }
  *ret = (uint64_t) *gte * VMDK_SECTOR;
  return 0;
}

static int
sparse_write (struct vmdk_writer *w, const void *buf, size_t len,
              uint64_t offset, struct v2v_error **err)
{
  const uint8_t *p = buf;

  while (len > 0) {
    const uint64_t in_grain = offset % GRAIN_BYTES;
    uint64_t place, next;
    size_t n = (size_t) v2v_min_u64 (len, GRAIN_BYTES - in_grain);

    if (place_of (w, offset / GRAIN_BYTES, true, &place, err) == -1)
      return -1;
    /* Grains that follow each other in the file are one write. */
    while (n < len) {
      if (place_of (w, (offset + n) / GRAIN_BYTES, true, &next, err) == -1)
        return -1;
      if (next != place + in_grain + n)
        break;
      n += (size_t) v2v_min_u64 (len - n, GRAIN_BYTES);
    }
    if (v2v_io_pwrite (w->file, p, n, place + in_grain, err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

static int
sparse_zero (struct vmdk_writer *w, uint64_t len, uint64_t offset,
             struct v2v_error **err)
{
  while (len > 0) {
    const uint64_t in_grain = offset % GRAIN_BYTES;
    const uint64_t n = v2v_min_u64 (len, GRAIN_BYTES - in_grain);
    uint64_t place;

    if (place_of (w, offset / GRAIN_BYTES, false, &place, err) == -1)
      return -1;
    if (place != 0 && v2v_io_punch (w->file, n, place + in_grain, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

/* Both copies of every table that has something in it. */
static int
write_tables (struct vmdk_writer *w, struct v2v_error **err)
{
  const uint64_t first[2] = { w->header.gd_offset + gd_sectors (w),
                              w->header.rgd_offset + gd_sectors (w) };
  uint8_t gt[GTES_PER_GT * 4];

  for (uint64_t i = 0; i < w->nr_gts; ++i) {
    if (w->gts[i] == NULL)
      continue;
    for (size_t k = 0; k < GTES_PER_GT; ++k)
      v2v_put_le32 (gt + 4 * k, w->gts[i][k]);
    for (size_t copy = 0; copy < 2; ++copy)
      if (v2v_io_pwrite (w->file, gt, sizeof gt,
                         (first[copy] + i * GT_SECTORS) * VMDK_SECTOR,
                         err) == -1)
        return -1;
  }
  return 0;
}

static int
sparse_finish (struct vmdk_writer *w, struct v2v_error **err)
{
  if (write_tables (w, err) == -1 ||
      v2v_io_resize (w->file, w->next * VMDK_SECTOR, err) == -1)
    return -1;
  return w->no_holes ? v2v_io_allocate (w->file, err) : 0;
}

/* ---- the slots ---- */

int
vmdk_write (void *vh, const void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  struct vmdk_writer *w = ((struct vmdk *) vh)->writer;

  return w->stream ? vmdk_stream_write (w, buf, len, offset, err)
                   : sparse_write (w, buf, len, offset, err);
}

int
vmdk_zero (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct vmdk_writer *w = ((struct vmdk *) vh)->writer;

  return w->stream ? vmdk_stream_zero (w, len, offset, err)
                   : sparse_zero (w, len, offset, err);
}

int
vmdk_flush (void *vh, struct v2v_error **err)
{
  return v2v_io_sync (((struct vmdk *) vh)->file, err);
}

int
vmdk_finish (void *vh, struct v2v_error **err)
{
  struct vmdk_writer *w = ((struct vmdk *) vh)->writer;

  if ((w->stream ? vmdk_stream_finish (w, err) : sparse_finish (w, err)) ==
          -1 ||
      v2v_io_sync (w->file, err) == -1 || write_front (w, true, err) == -1)
    return -1;
  return v2v_io_sync (w->file, err);
}
