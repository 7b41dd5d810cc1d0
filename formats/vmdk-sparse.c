/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosted sparse extents: "Virtual Disk Format 5.0", "Hosted Sparse Extents";
 * the footer of "Stream-Optimized Compressed Sparse Extents" too.
 *
 * Header versions 1 to 3 are obeyed by their flags: the sources disagree on
 * what 2 means, and 3 only adds change tracking, which is ignored.  A grain
 * directory that is damaged is replaced by the redundant one.  Not read:
 * compressed grains without markers, which no known program writes.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

/* Behind the end-of-stream marker there may be zeros, to fill a block of
 * some medium.  This much is looked at for the footer. */
#define FOOTER_SEARCH (64 * 1024)

uint64_t
vmdk_header_nr_gds (const struct vmdk_header *h)
{
  return v2v_div_up (h->capacity, h->num_gtes_per_gt * h->grain_size);
}

static int
check_flags (const struct vmdk_header *h, struct v2v_error **err)
{
  const uint32_t known = VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS;
  const uint32_t unknown = h->flags & VMDK_FLAGS_INCOMPATIBLE & ~known;
  const bool compressed = (h->flags & VMDK_FLAG_COMPRESSED) != 0;

  if ((h->flags & VMDK_FLAG_NEWLINES) &&
      memcmp (h->newlines, VMDK_NEWLINES, sizeof h->newlines) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: newline bytes are %02x %02x %02x %02x, expected "
                     "0a 20 0d 0a (the file was transferred as text)",
                     h->newlines[0], h->newlines[1], h->newlines[2],
                     h->newlines[3]);
  if (unknown != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: flags 0x%08" PRIx32
                     " ask for unknown features (0x%08" PRIx32 ")",
                     h->flags, unknown);
  if ((h->flags & VMDK_FLAG_MARKERS) && !compressed)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: flags 0x%08" PRIx32
                     " have markers without compression",
                     h->flags);
  if (compressed && !(h->flags & VMDK_FLAG_MARKERS))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: flags 0x%08" PRIx32
                     " have compressed grains without markers",
                     h->flags);
  if (h->compress_algorithm > VMDK_COMPRESS_DEFLATE)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: compression algorithm %u, expected 0 or 1",
                     h->compress_algorithm);
  if (compressed != (h->compress_algorithm == VMDK_COMPRESS_DEFLATE))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: compression algorithm %u with flags 0x%08" PRIx32,
                     h->compress_algorithm, h->flags);
  return 0;
}

static int
check_geometry (const struct vmdk_header *h, struct v2v_error **err)
{
  const uint64_t max_grain = (h->flags & VMDK_FLAG_COMPRESSED)
                                 ? VMDK_MAX_COMPRESSED_GRAIN_SECTORS
                                 : VMDK_MAX_GRAIN_SECTORS;

  if (h->capacity > VMDK_MAX_DISK_BYTES / VMDK_SECTOR)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: capacity of %" PRIu64 " sectors, at most %" PRIu64
                     " (64 TiB)",
                     h->capacity, VMDK_MAX_DISK_BYTES / VMDK_SECTOR);
  if (!v2v_is_pow2 (h->grain_size) || h->grain_size > max_grain)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: grain of %" PRIu64
                     " sectors, expected a power of two up to %" PRIu64,
                     h->grain_size, max_grain);
  if (!v2v_is_pow2 (h->num_gtes_per_gt) || h->num_gtes_per_gt < VMDK_MIN_GTES ||
      h->num_gtes_per_gt > VMDK_MAX_GTES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: %" PRIu32
                     " entries in a grain table, expected a power of two in "
                     "%d..%d",
                     h->num_gtes_per_gt, VMDK_MIN_GTES, VMDK_MAX_GTES);
  if (vmdk_header_nr_gds (h) > VMDK_MAX_GD_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: grain directory of %" PRIu64
                     " entries, at most %u",
                     vmdk_header_nr_gds (h), VMDK_MAX_GD_ENTRIES);
  return 0;
}

int
vmdk_header_check (const struct vmdk_header *h, struct v2v_error **err)
{
  if (h->magic == VMDK_MAGIC_UNFINISHED) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "unfinished file: its writer did not complete it (magic 'kdmv' "
              "in lower case)");
    return v2v_hint (err, "transfer or export it again");
  }
  if (h->magic != VMDK_MAGIC)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: magic 0x%08" PRIx32 ", expected 0x%08x", h->magic,
                     VMDK_MAGIC);
  if (h->version < 1 || h->version > VMDK_MAX_VERSION)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: version %" PRIu32 ", expected 1..%d", h->version,
                     VMDK_MAX_VERSION);
  if (check_flags (h, err) == -1)
    return -1;
  if (h->capacity == 0 && h->descriptor_offset != 0)
    return 0; /* it only carries a descriptor: the rest means nothing */
  if (h->capacity == 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: capacity 0 and no descriptor");
  return check_geometry (h, err);
}

/* ---- footer ---- */

int
vmdk_footer_find (struct v2v_io *io, uint64_t *ret_offset,
                  uint8_t ret_sector[VMDK_HEADER_BYTES], struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (io);
  const size_t len =
      (size_t) v2v_min_u64 (size, FOOTER_SEARCH + VMDK_FOOTER_BYTES) /
      VMDK_SECTOR * VMDK_SECTOR;
  const uint64_t start = (size - len) / VMDK_SECTOR * VMDK_SECTOR;
  CLEANUP_FREE uint8_t *buf = malloc (len + 1);
  const uint8_t *footer, *marker;
  size_t end = len / VMDK_SECTOR;

  if (buf == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (io, buf, len, start, err) == -1)
    return -1;
  while (end > 0 && v2v_is_zero (buf + (end - 1) * VMDK_SECTOR, VMDK_SECTOR))
    end--;
  if (end < 2 || end == len / VMDK_SECTOR)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "no end-of-stream marker: the file is truncated or "
                     "unfinished");
  footer = buf + (end - 1) * VMDK_SECTOR;
  marker = footer - VMDK_SECTOR;
  if (v2v_le32 (marker + VMDK_M_SIZE) != 0 ||
      v2v_le32 (marker + VMDK_M_TYPE) != VMDK_MARKER_FOOTER ||
      v2v_le32 (footer + VMDK_H_MAGIC) != VMDK_MAGIC)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "no footer at the end, where the header says the grain "
                     "directory is: the file is truncated or damaged");
  *ret_offset = start + (end - 1) * VMDK_SECTOR;
  memcpy (ret_sector, footer, VMDK_HEADER_BYTES);
  return 0;
}

struct field {
  const char *name;
  uint64_t header, footer;
};

int
vmdk_footer_compare (const struct vmdk_header *h, const struct vmdk_header *f,
                     struct v2v_error **err)
{
  const struct field fields[] = {
    { "version", h->version, f->version },
    { "flags", h->flags, f->flags },
    { "capacity", h->capacity, f->capacity },
    { "grain size", h->grain_size, f->grain_size },
    { "descriptor offset", h->descriptor_offset, f->descriptor_offset },
    { "descriptor size", h->descriptor_size, f->descriptor_size },
    { "grain table size", h->num_gtes_per_gt, f->num_gtes_per_gt },
    { "compression", h->compress_algorithm, f->compress_algorithm },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    if (fields[i].header != fields[i].footer)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "footer: %s is %" PRIu64
                       ", which differs from the header's %" PRIu64,
                       fields[i].name, fields[i].footer, fields[i].header);
  if (f->gd_offset == VMDK_GD_AT_END)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "footer: the grain directory is said to be in the "
                     "footer, which this is");
  return 0;
}

int
vmdk_header_read (struct v2v_io *io, struct vmdk_header *ret,
                  struct v2v_error **err)
{
  uint8_t sector[VMDK_HEADER_BYTES];
  struct vmdk_header h, footer;
  uint64_t at, bytes;

  if (v2v_io_size (io) < sizeof sector)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: the file has %" PRIu64 " bytes, expected %d",
                     v2v_io_size (io), VMDK_HEADER_BYTES);
  if (v2v_io_pread (io, sector, sizeof sector, 0, err) == -1)
    return -1;
  vmdk_header_decode (sector, &h);
  if (vmdk_header_check (&h, err) == -1)
    return -1;
  if (!v2v_mul_u64 (h.overhead, VMDK_SECTOR, &bytes) ||
      bytes > v2v_io_size (io))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: overhead of %" PRIu64
                     " sectors, past the end of the file (%" PRIu64 ")",
                     h.overhead, v2v_io_size (io) / VMDK_SECTOR);
  if (h.gd_offset == VMDK_GD_AT_END && h.capacity != 0) {
    if (vmdk_footer_find (io, &at, sector, err) == -1)
      return -1;
    vmdk_header_decode (sector, &footer);
    if (vmdk_footer_compare (&h, &footer, err) == -1)
      return -1;
    h = footer;
  }
  *ret = h;
  return 0;
}

/* ---- descriptor ---- */

char *
vmdk_embedded_descriptor (struct v2v_io *io, const struct vmdk_header *h,
                          size_t *ret_len, struct v2v_error **err)
{
  uint64_t offset, len;
  char *text;

  if (h->descriptor_size == 0 ||
      h->descriptor_size > (VMDK_MAX_DESCRIPTOR_BYTES + 1) / VMDK_SECTOR ||
      !v2v_mul_u64 (h->descriptor_offset, VMDK_SECTOR, &offset)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "header: descriptor of %" PRIu64 " sectors at %" PRIu64
              ", expected 1..%d",
              h->descriptor_size, h->descriptor_offset,
              (VMDK_MAX_DESCRIPTOR_BYTES + 1) / VMDK_SECTOR);
    return NULL;
  }
  len = h->descriptor_size * VMDK_SECTOR;
  if (!v2v_range_inside (offset, len, v2v_io_size (io))) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "header: descriptor at sector %" PRIu64
              ", past the end of the file (%" PRIu64 ")",
              h->descriptor_offset, v2v_io_size (io) / VMDK_SECTOR);
    return NULL;
  }
  text = malloc ((size_t) len + 1);
  if (text == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (v2v_io_pread (io, text, (size_t) len, offset, err) == -1) {
    free (text);
    return NULL;
  }
  text[len] = '\0';
  *ret_len = strnlen (text, (size_t) len);
  return text;
}

/* ---- the map ---- */

static int
sparse_entry (const struct vmdk_map *m, const uint8_t *p, uint64_t *ret)
{
  const uint32_t v = v2v_le32 (p);

  if (v == 0)
    *ret = VMDK_AT_ABSENT;
  else if (v == VMDK_GTE_ZEROED && m->zeroed_gte)
    *ret = VMDK_AT_ZERO;
  else
    *ret = (uint64_t) v * VMDK_SECTOR;
  return 0;
}

/* Is a directory of the map's size at SECTOR inside the file? */
static bool
directory_inside (const struct vmdk_map *m, uint64_t sector,
                  uint64_t *ret_offset)
{
  uint64_t offset;

  if (sector == 0 || !v2v_mul_u64 (sector, VMDK_SECTOR, &offset) ||
      !v2v_range_inside (offset, (uint64_t) m->nr_gds * 4, v2v_io_size (m->io)))
    return false;
  *ret_offset = offset;
  return true;
}

/* Find the directories, and choose: the primary, unless it is outside. */
static int
place_directories (struct vmdk_map *m, const struct vmdk_header *h,
                   uint64_t *ret_gd, struct v2v_error **err)
{
  const bool has_rgd = (h->flags & VMDK_FLAG_RGD) && h->rgd_offset != 0 &&
                       h->rgd_offset != h->gd_offset;

  if (has_rgd && !directory_inside (m, h->rgd_offset, &m->rgd_offset))
    v2v_warn ("%s: header: redundant grain directory at sector %" PRIu64
              ", past the end of the file; it is not used",
              v2v_io_name (m->io), h->rgd_offset);
  if (!directory_inside (m, h->gd_offset, ret_gd)) {
    if (m->rgd_offset == 0)
      return vmdk_map_fail (
          m, err,
          "header: grain directory of %" PRIu32 " entries at sector %" PRIu64
          ", past the end of the file (%" PRIu64 ")",
          m->nr_gds, h->gd_offset, v2v_io_size (m->io) / VMDK_SECTOR);
    v2v_warn ("%s: header: grain directory at sector %" PRIu64
              ", past the end of the file; the redundant one is used",
              v2v_io_name (m->io), h->gd_offset);
    *ret_gd = m->rgd_offset;
    m->rgd_offset = 0;
  }
  return 0;
}

/* Where no grain can be: header, descriptor, directories. */
static int
set_metadata (struct vmdk_map *m, const struct vmdk_header *h, uint64_t gd,
              struct v2v_error **err)
{
  const uint64_t gd_bytes = (uint64_t) m->nr_gds * 4;

  vmdk_map_add_metadata (m, 0, VMDK_HEADER_BYTES);
  if (h->descriptor_offset != 0 &&
      h->descriptor_size <= (VMDK_MAX_DESCRIPTOR_BYTES + 1) / VMDK_SECTOR &&
      h->descriptor_offset < v2v_io_size (m->io) / VMDK_SECTOR)
    vmdk_map_add_metadata (m, h->descriptor_offset * VMDK_SECTOR,
                           h->descriptor_size * VMDK_SECTOR);
  if (vmdk_map_in_metadata (m, gd, gd_bytes))
    return vmdk_map_fail (m, err,
                          "header: grain directory at sector %" PRIu64
                          ", inside the descriptor",
                          gd / VMDK_SECTOR);
  vmdk_map_add_metadata (m, gd, gd_bytes);
  if (m->rgd_offset != 0 && vmdk_map_in_metadata (m, m->rgd_offset, gd_bytes)) {
    v2v_warn ("%s: header: redundant grain directory at sector %" PRIu64
              ", inside other metadata; it is not used",
              v2v_io_name (m->io), m->rgd_offset / VMDK_SECTOR);
    m->rgd_offset = 0;
  }
  if (m->rgd_offset != 0)
    vmdk_map_add_metadata (m, m->rgd_offset, gd_bytes);
  return 0;
}

/* Read the directory in place: four bytes on disk, four in memory. */
static int
load_directory (struct vmdk_map *m, uint64_t gd, struct v2v_error **err)
{
  const size_t bytes = (size_t) m->nr_gds * 4;
  struct v2v_error *first = NULL;

  if (v2v_io_pread (m->io, m->gd, bytes, gd, &first) == -1) {
    if (m->rgd_offset == 0 ||
        v2v_io_pread (m->io, m->gd, bytes, m->rgd_offset, NULL) == -1)
      return v2v_error_move (err, first);
    v2v_warn ("%s; the redundant grain directory is used",
              v2v_error_message (first));
    v2v_error_free (first);
    m->rgd_offset = 0;
  }
  for (uint32_t i = 0; i < m->nr_gds; ++i)
    m->gd[i] = v2v_le32 (&m->gd[i]);
  return 0;
}

struct vmdk_map *
vmdk_sparse_open (struct v2v_io *io, const struct vmdk_header *h,
                  struct vmdk_cache *cache, const char *name, bool force,
                  struct v2v_error **err)
{
  struct vmdk_map *m = vmdk_map_new (io, cache, name, err);
  uint64_t gd = 0;

  if (m == NULL)
    return NULL;
  m->size_bytes = h->capacity * VMDK_SECTOR;
  m->grain_bytes = h->grain_size * VMDK_SECTOR;
  m->nr_gtes = h->num_gtes_per_gt;
  m->entry_bytes = 4;
  m->nr_gds = (uint32_t) vmdk_header_nr_gds (h);
  m->table_unit = VMDK_SECTOR;
  m->entry = sparse_entry;
  m->compressed = (h->flags & VMDK_FLAG_COMPRESSED) != 0;
  m->zeroed_gte = (h->flags & VMDK_FLAG_ZERO_GRAIN) != 0;

  if (place_directories (m, h, &gd, err) == -1 ||
      set_metadata (m, h, gd, err) == -1 || vmdk_map_allocate (m, err) == -1 ||
      load_directory (m, gd, err) == -1) {
    vmdk_map_free (m);
    return NULL;
  }
  if (h->unclean_shutdown != 0) {
    v2v_warn ("%s: was not closed cleanly; its tables are compared with their "
              "redundant copies%s",
              v2v_io_name (io),
              m->rgd_offset == 0 || force ? ", but that is not possible here"
                                          : "");
    m->unclean = m->rgd_offset != 0 && !force;
  }
  return m;
}
