/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDK: a disk as its extents laid end to end, and the driver table.  Opening
 * is in vmdk-open.c.
 *
 * "Virtual Disk Format 5.0" (VMware technical note); COWD and seSparse after
 * what other readers do.  All forms are read: monolithicSparse and -Flat,
 * twoGbMaxExtentSparse and -Flat, vmfs and its variants, vmfsSparse (COWD),
 * seSparse, streamOptimized, custom mixes.  Refused by name: raw device
 * mappings, physical devices, encrypted disks, native snapshots, unknown I/O
 * filters.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
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

/* The only extent of a disk in one file is that file. */
static struct v2v_io *
vmdk_more_files (const void *vh, size_t n, bool *ret_end)
{
  const struct vmdk *h = vh;

  if (n >= h->nr_extents) {
    *ret_end = true;
    return NULL;
  }
  return h->extents[n].io == h->file ? NULL : h->extents[n].io;
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
  .more_files = vmdk_more_files,
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
