/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDK: opening a disk whatever its form.
 *
 * Content decides, never the name: for SPARSE, VMFSSPARSE and SESPARSE lines
 * the magic of the file; flat extents are never probed.  An embedded
 * descriptor describes the file it is in and cannot name another one.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

/* ---- the descriptor's word about the disk ---- */

int
vmdk_embedded_check (const struct vmdk_descriptor *d,
                     const struct vmdk_header *h, bool strict,
                     struct v2v_error **err)
{
  const struct vmdk_extent_line *e = &d->lines[0];

  if (d->nr_lines != 1 || e->type != VMDK_TYPE_SPARSE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "embedded descriptor: %zu extents, the first of type %s; "
                     "expected one of type SPARSE, the file itself",
                     d->nr_lines, vmdk_extent_type_name (e->type));
  if (e->offset != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "embedded descriptor: extent at offset %" PRIu64
                     ", expected 0",
                     e->offset);
  if (strict && (h->descriptor_offset != 1 || e->file == NULL ||
                 strpbrk (e->file, "/\\") != NULL))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "embedded descriptor: at sector %" PRIu64
                     ", naming '%.80s'; expected sector 1 and a plain name",
                     h->descriptor_offset, e->file ? e->file : "");
  /* A capacity rounded up to whole grains is the same disk. */
  if (e->sectors != h->capacity &&
      !(e->sectors != 0 && e->sectors < h->capacity &&
        h->capacity % h->grain_size == 0 &&
        h->capacity - e->sectors < h->grain_size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "embedded descriptor: extent of %" PRIu64
                     " sectors, the header says %" PRIu64,
                     e->sectors, h->capacity);
  return 0;
}

/* The last part of a path of any system; NULL if nothing is left. */
static const char *
base_name (const char *path)
{
  const char *base = path;

  for (const char *p = path; *p != '\0'; ++p)
    if (*p == '/' || *p == '\\' || (*p == ':' && p == path + 1))
      base = p + 1;
  return *base != '\0' ? base : NULL;
}

/* What info tells. */
static void
apply_descriptor (struct vmdk *h)
{
  const struct vmdk_descriptor *d = &h->desc;

  snprintf (h->variant, sizeof h->variant, "%s",
            d->create_type != NULL ? d->create_type : "custom");
  if (d->has_cid)
    snprintf (h->cid, sizeof h->cid, "%08" PRIx32, d->cid);
  if (d->parent_cid != VMDK_NO_PARENT_CID)
    snprintf (h->parent_cid, sizeof h->parent_cid, "%08" PRIx32, d->parent_cid);
  h->logical_sector_bytes = d->logical_sector_bytes;
  h->physical_sector_bytes = d->physical_sector_bytes;
  if (d->parent_hint != NULL)
    h->parent_names[0] = base_name (d->parent_hint);
}

/* ---- extents ---- */

/* Open a file with a magic as extent E; NAME is for messages. */
static int
open_map (struct vmdk *h, struct vmdk_extent *e, const char *name,
          struct v2v_error **err)
{
  uint8_t magic[8] = { 0 };
  struct vmdk_header header;

  if (v2v_io_size (e->io) < sizeof magic)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "extent '%s' has %" PRIu64 " bytes, less than a header",
                     v2v_io_name (e->io), v2v_io_size (e->io));
  if (v2v_io_pread (e->io, magic, sizeof magic, 0, err) == -1)
    return -1;
  e->layout = VMDK_LAYOUT_MAP;
  if (v2v_le32 (magic) == VMDK_COWD_MAGIC) {
    e->kind = "COWD";
    e->map = vmdk_cowd_open (e->io, h->cache, name, err);
  }
  else if (v2v_le64 (magic) == VMDK_SE_MAGIC) {
    e->kind = "seSparse";
    e->map = vmdk_sesparse_open (e->io, h->cache, name, err);
  }
  else {
    if (vmdk_header_read (e->io, &header, err) == -1)
      return name != NULL ? v2v_prefix (err, "%s", name) : -1;
    if (header.capacity == 0)
      return v2v_fail (err, V2V_ERR_FORMAT, "extent '%s' has capacity 0",
                       v2v_io_name (e->io));
    e->kind = (header.flags & VMDK_FLAG_COMPRESSED) ? "compressed sparse"
                                                    : "hosted sparse";
    h->dirty |= header.unclean_shutdown != 0;
    e->map = vmdk_sparse_open (e->io, &header, h->cache, name, h->force, err);
  }
  if (e->map == NULL)
    return -1;
  h->grain_bytes = v2v_max_u64 (h->grain_bytes, e->map->grain_bytes);
  return 0;
}

/* The extent's file: the name in UTF-8, else the bytes as they stand. */
static struct v2v_io *
open_extent_file (struct vmdk *h, const struct vmdk_extent_line *line,
                  struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct v2v_io *io = v2v_io_open_sibling (h->file, line->file, 0, &e);

  if (io == NULL && v2v_error_errno (e) == ENOENT && line->file_raw != NULL)
    io = v2v_io_open_sibling (h->file, line->file_raw, 0, NULL);
  if (io == NULL) {
    const bool missing = v2v_error_errno (e) == ENOENT;

    v2v_error_move (err, e);
    v2v_prefix (err, "extent '%.80s' (descriptor line %u)", line->file,
                line->line);
    if (missing)
      v2v_hint (err, "put every file of the disk in the same folder");
    return NULL;
  }
  v2v_error_free (e);
  return io;
}

/* Sparse extents say their size themselves. */
static void
compare_size (const struct vmdk_extent *e, const struct vmdk_extent_line *line)
{
  if (e->map->size_bytes < e->length &&
      e->length - e->map->size_bytes >= e->map->grain_bytes)
    v2v_warn (
        "extent '%s' holds %" PRIu64 " sectors, the descriptor says %" PRIu64
        "; the rest reads as zeros",
        v2v_io_name (e->io), e->map->size_bytes / VMDK_SECTOR, line->sectors);
  else if (e->map->size_bytes > e->length &&
           e->map->size_bytes - e->length >= e->map->grain_bytes)
    v2v_warn ("extent '%s' holds %" PRIu64
              " sectors, the descriptor says %" PRIu64 "; only those are read",
              v2v_io_name (e->io), e->map->size_bytes / VMDK_SECTOR,
              line->sectors);
}

static int
open_extent (struct vmdk *h, struct vmdk_extent *e,
             const struct vmdk_extent_line *line, struct v2v_error **err)
{
  if (line->sectors == 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: extent of 0 sectors", line->line);
  if (line->access == VMDK_ACCESS_NONE || line->type == VMDK_TYPE_ZERO) {
    if (line->type != VMDK_TYPE_ZERO)
      v2v_warn ("%s: extent '%.80s' is NOACCESS; it reads as zeros",
                v2v_io_name (h->file), line->file ? line->file : "");
    e->layout = VMDK_LAYOUT_ZERO;
    e->kind = "zero";
    return 0;
  }
  e->io = open_extent_file (h, line, err);
  if (e->io == NULL)
    return -1;
  if (line->type == VMDK_TYPE_FLAT || line->type == VMDK_TYPE_VMFS)
    return vmdk_flat_open (e, line, err);

  if (line->offset != 0)
    return v2v_fail (
        err, V2V_ERR_FORMAT,
        "descriptor line %u: %s extent at offset %" PRIu64 ", expected none",
        line->line, vmdk_extent_type_name (line->type), line->offset);
  if (open_map (h, e, v2v_io_name (e->io), err) == -1)
    return -1;
  if ((line->type == VMDK_TYPE_SPARSE) != (strstr (e->kind, "sparse") != NULL))
    v2v_warn ("extent '%s' is %s, the descriptor says %s; its magic is obeyed",
              v2v_io_name (e->io), e->kind, vmdk_extent_type_name (line->type));
  compare_size (e, line);
  return 0;
}

/* Which bytes of which file an extent begins with. */
struct identity {
  dev_t dev;
  ino_t ino;
  uint64_t offset;
  size_t index;
};

static int
compare_identity (const void *va, const void *vb)
{
  const struct identity *a = va, *b = vb;

  if (a->dev != b->dev)
    return a->dev < b->dev ? -1 : 1;
  if (a->ino != b->ino)
    return a->ino < b->ino ? -1 : 1;
  return (a->offset > b->offset) - (a->offset < b->offset);
}

/* No file may serve twice, under whatever name: a few bytes could stand for
 * terabytes, or the descriptor for a disk. */
static int
refuse_duplicates (struct vmdk *h, struct v2v_error **err)
{
  CLEANUP_FREE struct identity *ids = calloc (h->nr_extents + 1, sizeof *ids);
  size_t n = 0;

  if (ids == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i <= h->nr_extents; ++i) {
    struct v2v_io *io = i < h->nr_extents ? h->extents[i].io : h->file;
    struct identity id = { .index = i };
    struct stat st;
    uint64_t len;
    int fd;

    if (io == NULL)
      continue;
    if (v2v_io_fd (io, 0, &fd, &id.offset, &len) && fstat (fd, &st) == 0) {
      id.dev = st.st_dev;
      id.ino = st.st_ino;
      ids[n++] = id;
      continue;
    }
    for (size_t k = 0; k < i; ++k) /* memory: tests only */
      if (h->extents[k].io != NULL && v2v_io_same (h->extents[k].io, io))
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "descriptor: '%s' serves two extents",
                         v2v_io_name (io));
  }
  qsort (ids, n, sizeof *ids, compare_identity);
  for (size_t i = 1; i < n; ++i)
    if (compare_identity (&ids[i - 1], &ids[i]) == 0)
      return v2v_fail (
          err, V2V_ERR_FORMAT,
          "descriptor: '%s' is named twice, or is the "
          "descriptor itself",
          v2v_io_name (
              h->extents[v2v_min_u64 (ids[i - 1].index, ids[i].index)].io));
  return 0;
}

static int
set_size (struct vmdk *h, struct v2v_error **err)
{
  if (h->size_bytes % h->logical_sector_bytes != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "disk of %" PRIu64 " bytes, not a multiple of its "
                     "sector of %" PRIu32,
                     h->size_bytes, h->logical_sector_bytes);
  return 0;
}

/* A text descriptor: the extents are files beside it. */
static int
open_lines (struct vmdk *h, struct v2v_error **err)
{
  const struct vmdk_descriptor *d = &h->desc;

  apply_descriptor (h);
  h->extents = calloc (d->nr_lines, sizeof h->extents[0]);
  if (h->extents == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < d->nr_lines; ++i) {
    struct vmdk_extent *e = &h->extents[h->nr_extents++];

    e->start = h->size_bytes;
    e->length = d->lines[i].sectors * VMDK_SECTOR;
    /* each at most 64 TiB: no overflow before the check */
    h->size_bytes += e->length;
    if (h->size_bytes > VMDK_MAX_DISK_BYTES)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "descriptor: extents of more than %" PRIu64
                       " bytes (64 TiB)",
                       VMDK_MAX_DISK_BYTES);
    if (open_extent (h, e, &d->lines[i], err) == -1)
      return -1;
  }
  if (refuse_duplicates (h, err) == -1)
    return -1;
  return set_size (h, err);
}

/* ---- the forms of a file ---- */

static int
parse_descriptor (struct vmdk *h, const char *text, size_t len,
                  struct v2v_error **err)
{
  if (vmdk_descriptor_parse (text, len, h->strict, &h->desc, err) == -1)
    return -1;
  return vmdk_descriptor_refuse (&h->desc, h->force, err);
}

static int
open_text (struct vmdk *h, struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (h->file);
  CLEANUP_FREE char *text = NULL;
  uint8_t head[4096];
  const size_t n = (size_t) v2v_min_u64 (size, sizeof head);

  if (v2v_io_pread (h->file, head, n, 0, err) == -1)
    return -1;
  if (vmdk_descriptor_probe (head, n) == 0) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "not a VMDK: neither a known magic nor a descriptor at its "
              "start");
    return v2v_hint (err, "if it is the data of a flat disk (-flat.vmdk), "
                          "name its descriptor instead");
  }
  if (size > VMDK_MAX_DESCRIPTOR_BYTES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor of %" PRIu64 " bytes, at most %d", size,
                     VMDK_MAX_DESCRIPTOR_BYTES);
  text = malloc ((size_t) size);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (h->file, text, (size_t) size, 0, err) == -1 ||
      parse_descriptor (h, text, (size_t) size, err) == -1)
    return -1;
  return open_lines (h, err);
}

/* The file is an extent by itself: with KIND's descriptor missing it may be
 * one of several, or a snapshot without its parent. */
static int
open_bare (struct vmdk *h, const char *variant, struct v2v_error **err)
{
  struct vmdk_extent *e = calloc (1, sizeof *e);

  if (e == NULL)
    return v2v_fail_nomem (err);
  h->extents = e;
  h->nr_extents = 1;
  h->desc.parent_cid = VMDK_NO_PARENT_CID;
  h->logical_sector_bytes = VMDK_SECTOR;
  snprintf (h->variant, sizeof h->variant, "%s", variant);
  e->io = v2v_io_ref (h->file);
  if (open_map (h, e, NULL, err) == -1)
    return -1;
  if (!h->force && !e->map->compressed) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "a %s extent without a descriptor: it may be a part of a disk, "
              "or a snapshot without its parent",
              e->kind);
    return v2v_hint (err, "name the descriptor, the small text file (.vmdk) "
                          "beside it; v2v copy --force reads the extent "
                          "alone");
  }
  e->length = h->size_bytes = e->map->size_bytes;
  return 0;
}

/* Hosted sparse with its descriptor inside. */
static int
open_monolithic (struct vmdk *h, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct vmdk_header header;
  struct vmdk_extent *e;
  size_t len = 0;

  if (vmdk_header_read (h->file, &header, err) == -1)
    return -1;
  if (header.descriptor_offset == 0)
    return open_bare (
        h, (header.flags & VMDK_FLAG_COMPRESSED) ? "streamOptimized" : "extent",
        err);
  text = vmdk_embedded_descriptor (h->file, &header, &len, err);
  if (text == NULL || parse_descriptor (h, text, len, err) == -1)
    return -1;
  if (header.capacity == 0) /* it only carries the descriptor */
    return open_lines (h, err);
  if (vmdk_embedded_check (&h->desc, &header, h->strict, err) == -1)
    return -1;

  apply_descriptor (h);
  h->extents = e = calloc (1, sizeof *e);
  if (e == NULL)
    return v2v_fail_nomem (err);
  h->nr_extents = 1;
  e->io = v2v_io_ref (h->file);
  if (open_map (h, e, NULL, err) == -1)
    return -1;
  e->length = h->size_bytes = h->desc.lines[0].sectors * VMDK_SECTOR;
  if (h->desc.lines[0].access == VMDK_ACCESS_NONE) {
    v2v_warn ("%s: its extent is NOACCESS; it reads as zeros",
              v2v_io_name (h->file));
    e->layout = VMDK_LAYOUT_ZERO;
  }
  return set_size (h, err);
}

int
vmdk_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
           struct v2v_error **err)
{
  struct vmdk *h = vh;
  uint8_t magic[8] = { 0 };

  h->file = v2v_io_ref (file);
  h->force = opts->force;
  h->strict = opts->strict;
  h->logical_sector_bytes = VMDK_SECTOR;
  if (v2v_io_is_forward_only (file)) {
    if (vmdk_forward_open (h, err) == -1)
      return -1;
    apply_descriptor (h);
    if (h->desc.create_type == NULL)
      snprintf (h->variant, sizeof h->variant, "streamOptimized");
    return set_size (h, err);
  }

  h->cache = vmdk_cache_new (err);
  if (h->cache == NULL)
    return -1;
  if (v2v_io_size (file) < sizeof magic)
    return v2v_fail (err, V2V_ERR_FORMAT, "not a VMDK: only %" PRIu64 " bytes",
                     v2v_io_size (file));
  if (v2v_io_pread (file, magic, sizeof magic, 0, err) == -1)
    return -1;
  if (v2v_le32 (magic) == VMDK_MAGIC ||
      v2v_le32 (magic) == VMDK_MAGIC_UNFINISHED)
    return open_monolithic (h, err);
  if (v2v_le32 (magic) == VMDK_COWD_MAGIC)
    return open_bare (h, "vmfsSparse", err);
  if (v2v_le64 (magic) == VMDK_SE_MAGIC)
    return open_bare (h, "seSparse", err);
  return open_text (h, err);
}
