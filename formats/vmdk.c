/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDK: opening a disk whatever its form, its extents laid end to end, and
 * the driver table.
 *
 * "Virtual Disk Format 5.0" (VMware technical note); COWD and seSparse after
 * what other readers do.  All forms are read: monolithicSparse and -Flat,
 * twoGbMaxExtentSparse and -Flat, vmfs and its variants, vmfsSparse (COWD),
 * seSparse, streamOptimized, custom mixes.  Content decides, never the name:
 * for SPARSE, VMFSSPARSE and SESPARSE lines the magic of the file; flat
 * extents are never probed.  Refused by name: raw device mappings, physical
 * devices, encrypted disks, native snapshots, unknown I/O filters.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

static int
probe (const struct v2v_probe *p)
{
  if (p->head_len >= 8) {
    const uint32_t magic = v2v_le32 (p->head);

    if (magic == VMDK_MAGIC || magic == VMDK_MAGIC_UNFINISHED)
      return 100;
    if (magic == VMDK_COWD_MAGIC && v2v_le32 (p->head + 4) == 1)
      return 95;
    if (v2v_le64 (p->head) == VMDK_SE_MAGIC)
      return 95;
  }
  return vmdk_descriptor_probe (p->head, p->head_len);
}

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
  if (strict && (h->descriptor_offset != 1 || strchr (e->file, '/') ||
                 strchr (e->file, '\\')))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "embedded descriptor: at sector %" PRIu64
                     ", naming '%.80s'; expected sector 1 and a plain name",
                     h->descriptor_offset, e->file);
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
                          "beside it; --force reads the extent alone");
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

static int
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

static void
vmdk_close (void *vh)
{
  struct vmdk *h = vh;

  for (size_t i = 0; i < h->nr_extents; ++i) {
    vmdk_map_free (h->extents[i].map);
    v2v_io_unref (h->extents[i].io);
  }
  free (h->extents);
  vmdk_cache_free (h->cache);
  vmdk_forward_free (h->stream);
  vmdk_writer_free (h->writer);
  vmdk_descriptor_clear (&h->desc);
  v2v_io_unref (h->file);
}

/* ---- asking ---- */

static void
vmdk_info (const void *vh, struct v2v_image_info *ret)
{
  const struct vmdk *h = vh;

  ret->variant = h->variant;
  ret->size_bytes = h->size_bytes;
  ret->logical_sector_bytes = h->logical_sector_bytes;
  ret->physical_sector_bytes = h->physical_sector_bytes;
  ret->block_bytes = h->grain_bytes;
  ret->content_id = h->cid[0] != '\0' ? h->cid : NULL;
  ret->id = h->desc.uuid != NULL         ? h->desc.uuid
            : h->desc.image_uuid != NULL ? h->desc.image_uuid
                                         : ret->content_id;
  ret->has_parent = h->parent_cid[0] != '\0';
  ret->parent_id = ret->has_parent ? h->parent_cid : NULL;
  ret->parent_name = ret->has_parent ? h->desc.parent_hint : NULL;
  ret->dirty = h->dirty;
}

static void
describe_extent (const struct vmdk *h, size_t i, struct v2v_json *list)
{
  const struct vmdk_extent *e = &h->extents[i];
  const struct vmdk_extent_line *line =
      h->desc.nr_lines == h->nr_extents ? &h->desc.lines[i] : NULL;
  struct v2v_json *o = v2v_json_new_object ();
  static const char *const access[] = { "RW", "RDONLY", "NOACCESS" };

  if (line != NULL) {
    v2v_json_set_string (o, "access", access[line->access]);
    v2v_json_set_string (o, "type", vmdk_extent_type_name (line->type));
    v2v_json_set_string (o, "file", line->file);
  }
  v2v_json_set_string (o, "kind", e->kind);
  v2v_json_set_u64 (o, "sizeBytes", e->length);
  if (e->layout == VMDK_LAYOUT_FLAT)
    v2v_json_set_u64 (o, "fileOffset", e->file_start);
  if (e->map != NULL) {
    v2v_json_set_u64 (o, "grainBytes", e->map->grain_bytes);
    v2v_json_set_bool (o, "compressed", e->map->compressed);
    v2v_json_set_bool (o, "zeroedGrains", e->map->zeroed_gte);
    v2v_json_set_bool (o, "redundantDirectory", e->map->rgd_offset != 0);
  }
  v2v_json_append (list, o);
}

static void
set_if (struct v2v_json *obj, const char *key, const char *value)
{
  if (value != NULL)
    v2v_json_set_string (obj, key, value);
}

static void
vmdk_describe (const void *vh, struct v2v_json *obj)
{
  const struct vmdk *h = vh;
  const struct vmdk_descriptor *d = &h->desc;
  struct v2v_json *extents;

  set_if (obj, "createType", h->variant);
  set_if (obj, "cid", h->cid[0] != '\0' ? h->cid : NULL);
  set_if (obj, "parentCid", h->parent_cid[0] != '\0' ? h->parent_cid : NULL);
  set_if (obj, "parentFileNameHint", d->parent_hint);
  set_if (obj, "encoding", d->encoding);
  set_if (obj, "changeTrackPath", d->change_track_path);
  set_if (obj, "adapterType", d->adapter_type);
  set_if (obj, "hardwareVersion", d->hw_version);
  set_if (obj, "toolsVersion", d->tools_version);
  set_if (obj, "uuid", d->uuid != NULL ? d->uuid : d->image_uuid);
  set_if (obj, "longContentId", d->long_content_id);
  set_if (obj, "thinProvisioned", d->thin);
  set_if (obj, "ioFilters", d->iofilters);
  set_if (obj, "cylinders", d->geometry[0]);
  set_if (obj, "heads", d->geometry[1]);
  set_if (obj, "sectorsPerTrack", d->geometry[2]);
  if (d->version != 0)
    v2v_json_set_u64 (obj, "descriptorVersion", d->version);
  if (h->stream != NULL)
    v2v_json_set_bool (obj, "forwardOnly", true);
  if (h->nr_extents == 0)
    return;
  extents = v2v_json_new_array ();
  for (size_t i = 0; i < h->nr_extents; ++i)
    describe_extent (h, i, extents);
  v2v_json_set (obj, "extents", extents);
}

static int
vmdk_parent_names (void *vh, const char *const **ret_names,
                   struct v2v_error **err)
{
  struct vmdk *h = vh;

  (void) err;
  *ret_names = h->parent_names; /* set by apply_descriptor */
  return 0;
}

static int
vmdk_check_parent (void *vh, const struct v2v_image_info *parent,
                   struct v2v_error **err)
{
  const struct vmdk *h = vh;

  /* both were printed from numbers */
  if (parent->content_id != NULL &&
      strcmp (parent->content_id, h->parent_cid) == 0)
    return 0;
  v2v_fail (err, V2V_ERR_MISMATCH,
            "its CID is %s, the child was made on %s: one of them was changed "
            "since",
            parent->content_id != NULL ? parent->content_id : "absent",
            h->parent_cid);
  return v2v_hint (err, "find the right parent; reading on a wrong one gives "
                        "a damaged disk");
}

/* ---- reading ---- */

/* The extent that holds OFFSET. */
static struct vmdk_extent *
find_extent (struct vmdk *h, uint64_t offset)
{
  size_t lo = 0, hi = h->nr_extents;

  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;

    if (h->extents[mid].start <= offset)
      lo = mid;
    else
      hi = mid;
  }
  return &h->extents[lo];
}

/* The part of [offset, offset+len-1] that E has in its file or tables; the
 * rest of the extent, if its file is smaller, reads as zeros. */
static uint64_t
part_of (const struct vmdk_extent *e, uint64_t len, uint64_t offset)
{
  const uint64_t in = offset - e->start;
  uint64_t end = e->length;

  if (e->layout == VMDK_LAYOUT_ZERO)
    return 0;
  if (e->map != NULL)
    end = v2v_min_u64 (end, e->map->size_bytes);
  return in < end ? v2v_min_u64 (len, end - in) : 0;
}

static int
not_a_stream (const struct vmdk *h, struct v2v_error **err)
{
  if (h->stream == NULL && h->writer == NULL)
    return 0;
  return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                   "cannot be read at random while it is %s",
                   h->stream != NULL ? "a stream" : "written");
}

static int
vmdk_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
              struct v2v_error **err)
{
  struct vmdk *h = vh;

  if (not_a_stream (h, err) == -1)
    return -1;
  while (len > 0) {
    struct vmdk_extent *e = find_extent (h, offset);
    const uint64_t n = v2v_min_u64 (len, e->start + e->length - offset);
    const uint64_t part = part_of (e, n, offset);

    if (part > 0 &&
        (e->layout == VMDK_LAYOUT_FLAT
             ? vmdk_flat_extents (e, part, offset - e->start, out, err)
             : vmdk_map_extents (e->map, part, offset - e->start, e->start, out,
                                 err)) == -1)
      return -1;
    if (v2v_extents_append (out, offset + part, n - part, V2V_EXTENT_ZERO, 0) ==
        -1)
      return v2v_fail_nomem (err);
    offset += n;
    len -= n;
  }
  return 0;
}

static int
vmdk_read (void *vh, void *vbuf, size_t len, uint64_t offset,
           struct v2v_error **err)
{
  struct vmdk *h = vh;
  uint8_t *buf = vbuf;

  if (not_a_stream (h, err) == -1)
    return -1;
  while (len > 0) {
    struct vmdk_extent *e = find_extent (h, offset);
    const size_t n = (size_t) v2v_min_u64 (len, e->start + e->length - offset);
    const size_t part = (size_t) part_of (e, n, offset);

    if (part > 0 &&
        (e->layout == VMDK_LAYOUT_FLAT
             ? vmdk_flat_read (e, buf, part, offset - e->start, err)
             : vmdk_map_read (e->map, buf, part, offset - e->start, err)) == -1)
      return -1;
    memset (buf + part, 0, n - part);
    buf += n;
    offset += n;
    len -= n;
  }
  return 0;
}

static int
vmdk_locate (void *vh, uint64_t offset, struct v2v_run *ret,
             struct v2v_error **err)
{
  struct vmdk *h = vh;
  struct vmdk_extent *e;
  uint64_t part;
  int r;

  if (h->stream != NULL || h->writer != NULL)
    return 1;
  e = find_extent (h, offset);
  part = part_of (e, e->length - (offset - e->start), offset);
  if (part == 0)
    return 1;
  r = e->layout == VMDK_LAYOUT_FLAT
          ? vmdk_flat_locate (e, offset - e->start, ret)
          : vmdk_map_locate (e->map, offset - e->start, ret, err);
  if (r == 0)
    ret->length = v2v_min_u64 (ret->length, part);
  return r;
}

const struct v2v_image_ops v2v_vmdk_ops = {
  .name = "vmdk",
  .description = "VMware virtual disk",
  .extension = ".vmdk",
  .handle_size = sizeof (struct vmdk),
  .parallel_read = true,
  .parallel_write = true,
  .probe = probe,
  .open = vmdk_open,
  .info = vmdk_info,
  .describe = vmdk_describe,
  .parent_names = vmdk_parent_names,
  .check_parent = vmdk_check_parent,
  .extents = vmdk_extents,
  .read = vmdk_read,
  .locate = vmdk_locate,
  .stream = vmdk_stream,
  .decode = vmdk_decode,
  .create = vmdk_create,
  .write = vmdk_write,
  .zero = vmdk_zero,
  .flush = vmdk_flush,
  .finish = vmdk_finish,
  .close = vmdk_close,
  .check = vmdk_check,
};
