/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX, the disk format of Hyper-V: the driver.
 * Specification: [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format".
 *
 * Read: fixed, dynamic, differencing; logical sectors of 512 and 4096 bytes;
 * blocks of 1 to 256 MiB.  A dirty log is replayed into memory: a file that
 * is opened for reading is never written.  Written: the same, and changed in
 * place through the log.  Left out: resilient change tracking and the
 * persistent-memory label, which are not in the specification and are ignored
 * where the file says that they may be.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/image-internal.h"
#include "formats/vhdx-internal.h"

static int
vhdx_probe (const struct v2v_probe *p)
{
  return p->head_len >= 8 && memcmp (p->head, VHDX_FILE_ID_SIGNATURE, 8) == 0
             ? 100
             : 0;
}

int
vhdx_init (struct vhdx *h, struct v2v_io *file, enum vhdx_mode mode,
           struct v2v_error **err)
{
  (void) err;
  h->file = v2v_io_ref (file);
  h->mode = mode;
  h->file_end = v2v_io_is_forward_only (file) ? 0 : v2v_io_size (file);
  pthread_rwlock_init (&h->ops, NULL);
  pthread_mutex_init (&h->lock, NULL);
  h->locks_ready = true;
  return 0;
}

int
vhdx_file_read (struct vhdx *h, void *buf, size_t len, uint64_t offset,
                struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (h->file);
  const size_t in_file =
      (size_t) v2v_min_u64 (len, offset >= size ? 0 : size - offset);

  if (v2v_io_pread (h->file, buf, in_file, offset, err) == -1)
    return -1;
  memset ((char *) buf + in_file, 0, len - in_file);
  return vhdx_log_patch (h, buf, len, offset, err);
}

/* The strings that info hands out. */
void
vhdx_set_ids (struct vhdx *h)
{
  v2v_guid_format (&h->page83, h->id);
  v2v_guid_format (&h->headers[h->current].data_write_guid, h->content_id);
  if (h->geometry.has_parent)
    v2v_guid_format (&h->locator.linkage, h->parent_id);
}

int
vhdx_load (struct vhdx *h, struct v2v_error **err)
{
  if (vhdx_read_regions (h, err) == -1 || vhdx_read_metadata (h, err) == -1)
    return -1;
  if (h->geometry.nr_entries > h->bat.length / 8)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "BAT region: %" PRIu64 " bytes, but %" PRIu64
                     " entries of 8 bytes are needed",
                     h->bat.length, h->geometry.nr_entries);
  vhdx_set_ids (h);
  return 0;
}

static int
vhdx_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
           struct v2v_error **err)
{
  struct vhdx *h = vh;

  if (vhdx_init (h, file, VHDX_READ, err) == -1 ||
      vhdx_read_headers (h, err) == -1 ||
      vhdx_log_load (h, opts != NULL && opts->force, err) == -1 ||
      vhdx_log_build_overlay (h, err) == -1)
    return -1;
  return vhdx_load (h, err);
}

void
vhdx_close (void *vh)
{
  struct vhdx *h = vh;

  vhdx_cache_free (h);
  vhdx_log_clear (&h->log);
  vhdx_locator_clear (&h->locator);
  free (h->regions.ptr);
  free (h->freed.ptr);
  free (h->used.bits);
  free (h->creator);
  if (h->locks_ready) {
    pthread_mutex_destroy (&h->lock);
    pthread_rwlock_destroy (&h->ops);
  }
  v2v_io_unref (h->file);
}

static const char *
variant_name (const struct vhdx *h)
{
  return h->geometry.has_parent        ? "differencing"
         : h->geometry.leave_allocated ? "fixed"
                                       : "dynamic";
}

static void
vhdx_info (const void *vh, struct v2v_image_info *ret)
{
  const struct vhdx *h = vh;

  ret->variant = variant_name (h);
  ret->size_bytes = h->geometry.size;
  ret->logical_sector_bytes = h->geometry.logical;
  ret->physical_sector_bytes = h->geometry.physical;
  ret->block_bytes = h->geometry.block_size;
  ret->id = h->id;
  ret->content_id = h->content_id;
  ret->has_parent = h->geometry.has_parent;
  ret->parent_id = h->geometry.has_parent ? h->parent_id : NULL;
  ret->parent_name = h->locator.shown;
  ret->parent_relative_path = vhdx_locator_find (&h->locator, "relative_path");
  ret->parent_absolute_path =
      vhdx_locator_find (&h->locator, "absolute_win32_path");
  ret->creator = h->creator;
  ret->dirty = h->log.dirty;
}

static int
vhdx_parent_names (void *vh, const char *const **ret_names,
                   struct v2v_error **err)
{
  struct vhdx *h = vh;

  (void) err;
  *ret_names = h->locator.names;
  return 0;
}

static int
vhdx_check_parent (void *vh, const struct v2v_image_info *parent,
                   struct v2v_error **err)
{
  const struct vhdx *h = vh;
  struct v2v_guid id;

  if (parent->content_id == NULL || !v2v_guid_parse (parent->content_id, &id))
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "has no identifier; the child wants %s", h->parent_id);
  if (!v2v_guid_equal (&id, &h->locator.linkage) &&
      !(h->locator.has_linkage2 &&
        v2v_guid_equal (&id, &h->locator.linkage2))) {
    v2v_fail (err, V2V_ERR_MISMATCH,
              "its data identifier is %s, the child was made for %s",
              parent->content_id, h->parent_id);
    return v2v_hint (err, "the parent was changed after the child was made, "
                          "or it is another disk of that name");
  }
  if (parent->logical_sector_bytes != h->geometry.logical)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "its logical sectors have %" PRIu32
                     " bytes, the child's %" PRIu32,
                     parent->logical_sector_bytes, h->geometry.logical);
  return 0;
}

/* ---- describe ---- */

static void
describe_guid (struct v2v_json *obj, const char *key, const struct v2v_guid *g)
{
  char text[37];

  v2v_guid_format (g, text);
  v2v_json_set_string (obj, key, text);
}

static void
describe_log (const struct vhdx *h, struct v2v_json *obj)
{
  const struct vhdx_header *header = &h->headers[h->current];
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_u64 (o, "offset_bytes", header->log_offset);
  v2v_json_set_u64 (o, "length_bytes", header->log_length);
  v2v_json_set_string (o, "state",
                       h->log.dirty ? "dirty, replayed in memory" : "clean");
  if (h->log.dirty) {
    describe_guid (o, "guid", &header->log_guid);
    v2v_json_set_u64 (o, "entries", h->log.nr_entries);
    v2v_json_set_u64 (o, "first_sequence", h->log.first_sequence);
    v2v_json_set_u64 (o, "last_sequence", h->log.last_sequence);
    v2v_json_set_u64 (o, "writes", h->log.records.len);
  }
  v2v_json_set (obj, "log", o);
}

static void
describe_headers (const struct vhdx *h, struct v2v_json *obj)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (unsigned slot = 0; slot < 2; ++slot) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_bool (o, "valid", h->header_valid[slot]);
    v2v_json_set_bool (o, "current", slot == h->current);
    if (h->header_valid[slot])
      v2v_json_set_u64 (o, "sequence", h->headers[slot].sequence);
    v2v_json_append (array, o);
  }
  v2v_json_set (obj, "headers", array);
}

static void
describe_blocks (struct vhdx *h, struct v2v_json *obj)
{
  static const char *const names[8] = {
    "not_present", "undefined",  "zero",          "unmapped",
    "reserved_4",  "reserved_5", "fully_present", "partially_present",
  };
  struct v2v_json *o;
  struct vhdx_scan scan;

  if (vhdx_scan_bat (h, NULL, NULL, &scan, NULL) == -1)
    return;
  o = v2v_json_new_object ();
  v2v_json_set_u64 (o, "total", h->geometry.nr_blocks);
  for (unsigned s = 0; s < 8; ++s)
    if (scan.states[s] > 0)
      v2v_json_set_u64 (o, names[s], scan.states[s]);
  v2v_json_set_u64 (o, "bitmap_blocks", scan.nr_bitmaps);
  v2v_json_set (obj, "blocks", o);
  vhdx_scan_free (&scan);
}

static void
vhdx_describe (const void *vh, struct v2v_json *obj)
{
  const struct vhdx *h = vh;
  const struct vhdx_header *header = &h->headers[h->current];

  describe_headers (h, obj);
  describe_guid (obj, "file_write_guid", &header->file_write_guid);
  describe_guid (obj, "data_write_guid", &header->data_write_guid);
  describe_guid (obj, "page83_guid", &h->page83);
  v2v_json_set_u64 (obj, "block_bytes", h->geometry.block_size);
  v2v_json_set_u64 (obj, "chunk_ratio", h->geometry.chunk_ratio);
  v2v_json_set_bool (obj, "leave_blocks_allocated",
                     h->geometry.leave_allocated);
  v2v_json_set_u64 (obj, "metadata_offset_bytes", h->metadata.offset);
  v2v_json_set_u64 (obj, "bat_offset_bytes", h->bat.offset);
  describe_log (h, obj);
  if (h->geometry.has_parent) {
    struct v2v_json *o = v2v_json_new_object ();

    for (size_t i = 0; i < h->locator.entries.len; ++i)
      v2v_json_set_string (o, h->locator.entries.ptr[i].key,
                           h->locator.entries.ptr[i].value);
    v2v_json_set (obj, "parent_locator", o);
  }
  /* The table is read through the cache of the handle, which is no part of
   * the image's state. */
  describe_blocks ((struct vhdx *) (uintptr_t) h, obj);
}

const struct v2v_image_ops v2v_vhdx_ops = {
  .name = "vhdx",
  .description = "Hyper-V virtual hard disk, version 2 (VHDX)",
  .extension = ".vhdx",
  .handle_size = sizeof (struct vhdx),
  .parallel_read = true,
  .parallel_write = true,
  .probe = vhdx_probe,
  .open = vhdx_open,
  .info = vhdx_info,
  .describe = vhdx_describe,
  .parent_names = vhdx_parent_names,
  .check_parent = vhdx_check_parent,
  .extents = vhdx_extents,
  .read = vhdx_read,
  .locate = vhdx_locate,
  .open_rw = vhdx_open_rw,
  .create = vhdx_create,
  .resume = vhdx_resume,
  .write = vhdx_write,
  .zero = vhdx_zero,
  .reserve = vhdx_reserve,
  .set_identity = vhdx_set_identity,
  .set_parent = vhdx_set_parent,
  .flush = vhdx_flush,
  .finish = vhdx_finish,
  .close = vhdx_close,
  .check = vhdx_check,
};
