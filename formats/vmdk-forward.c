/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* streamOptimized read forwards only: standard input, a member of an archive
 * that is itself a stream, HTTP.
 *
 *   header, descriptor, [tables], records and metadata with markers, end
 *
 * Each record names its own place in the disk, so the tables are not needed
 * to find the data.  They are needed to know that nothing is missing:
 *  - directory at the end (footer): the footer and the end-of-stream marker
 *    must come, and no grain may come twice;
 *  - directory at the front: its tables pass by before the data and are kept;
 *    every record must be where they say, each entry is ticked off, and the
 *    file may end only when all are.  qemu writes no end-of-stream marker.
 * Grains may come in any order.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/inflate.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

/* Nonempty tables that are kept: 2 KiB each, 4 TiB of disk at the defaults. */
#define MAX_KEPT_TABLES (128 * 1024)

struct vmdk_stream {
  struct vmdk_header h;
  uint64_t grain_bytes;
  uint64_t size_bytes;
  uint64_t pos; /* next byte of the file */
  bool at_end;  /* the directory is in the footer */
  bool footer_seen;
  bool consumed;
  uint32_t nr_gds;
  uint8_t **tables;  /* front: entries still to come, NULL = none;
                        footer: one bit for each grain seen */
  uint64_t expected; /* front: entries not ticked off */
};

void
vmdk_forward_free (struct vmdk_stream *s)
{
  if (s == NULL)
    return;
  for (uint32_t i = 0; s->tables != NULL && i < s->nr_gds; ++i)
    free (s->tables[i]);
  free (s->tables);
  free (s);
}

/* ---- opening: header and descriptor ---- */

static int
read_header (struct vmdk *h, struct vmdk_stream *s, struct v2v_error **err)
{
  uint8_t sector[VMDK_HEADER_BYTES];

  if (v2v_io_pread (h->file, sector, sizeof sector, 0, err) == -1)
    return -1;
  s->pos = sizeof sector;
  vmdk_header_decode (sector, &s->h);
  if (s->h.magic != VMDK_MAGIC && s->h.magic != VMDK_MAGIC_UNFINISHED)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "not a streamOptimized VMDK, the only disk that can be "
                     "read from a stream");
  if (vmdk_header_check (&s->h, err) == -1)
    return -1;
  if (!(s->h.flags & VMDK_FLAG_COMPRESSED)) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "a VMDK that is not streamOptimized cannot be read from a "
              "stream");
    return v2v_hint (err, "store it in a file first");
  }
  if (s->h.capacity == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "header: capacity 0");
  if (s->h.overhead > UINT32_MAX)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: overhead of %" PRIu64
                     " sectors, at most %" PRIu32,
                     s->h.overhead, UINT32_MAX);
  s->at_end = s->h.gd_offset == VMDK_GD_AT_END;
  s->size_bytes = s->h.capacity * VMDK_SECTOR;
  s->grain_bytes = s->h.grain_size * VMDK_SECTOR;
  s->nr_gds = (uint32_t) vmdk_header_nr_gds (&s->h);
  return 0;
}

static int
read_descriptor (struct vmdk *h, struct vmdk_stream *s, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  size_t len = 0;

  if (s->h.descriptor_offset == 0) {
    h->desc.parent_cid = VMDK_NO_PARENT_CID;
    h->desc.logical_sector_bytes = VMDK_SECTOR;
    return 0;
  }
  text = vmdk_embedded_descriptor (h->file, &s->h, &len, err);
  if (text == NULL)
    return -1;
  s->pos = (s->h.descriptor_offset + s->h.descriptor_size) * VMDK_SECTOR;
  if (vmdk_descriptor_parse (text, len, h->strict, &h->desc, err) == -1)
    return -1;
  return vmdk_descriptor_refuse (&h->desc, h->force, err);
}

int
vmdk_forward_open (struct vmdk *h, struct v2v_error **err)
{
  struct vmdk_stream *s = calloc (1, sizeof *s);

  if (s == NULL)
    return v2v_fail_nomem (err);
  h->stream = s; /* freed by close, also on failure */
  if (read_header (h, s, err) == -1 || read_descriptor (h, s, err) == -1)
    return -1;
  if (h->desc.nr_lines > 0 &&
      vmdk_embedded_check (&h->desc, &s->h, h->strict, err) == -1)
    return -1;
  s->tables = calloc (s->nr_gds, sizeof s->tables[0]);
  if (s->tables == NULL)
    return v2v_fail_nomem (err);
  h->size_bytes = s->size_bytes;
  h->grain_bytes = s->grain_bytes;
  return 0;
}

/* ---- tables at the front ---- */

static int
keep_table (struct vmdk *h, struct vmdk_stream *s, uint32_t gdi, uint32_t gde,
            uint8_t *buf, uint32_t *kept, struct v2v_error **err)
{
  const size_t bytes = (size_t) s->h.num_gtes_per_gt * 4;
  const uint64_t at = (uint64_t) gde * VMDK_SECTOR;
  uint64_t n = 0;

  if (at < s->pos || at + bytes > s->h.overhead * VMDK_SECTOR) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "grain table %" PRIu32 " at sector %" PRIu32
              " does not follow the one before, ahead of the data: the file "
              "cannot be read from a stream",
              gdi, gde);
    return v2v_hint (err, "store it in a file first");
  }
  if (v2v_io_pread (h->file, buf, bytes, at, err) == -1)
    return -1;
  s->pos = at + bytes;
  for (uint32_t i = 0; i < s->h.num_gtes_per_gt; ++i)
    n += v2v_le32 (buf + 4 * (size_t) i) > VMDK_GTE_ZEROED;
  if (n == 0)
    return 0;
  if (++*kept > MAX_KEPT_TABLES) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "more than %d grain tables ahead of the data: too large to be "
              "read from a stream",
              MAX_KEPT_TABLES);
    return v2v_hint (err, "store it in a file first");
  }
  s->tables[gdi] = malloc (bytes);
  if (s->tables[gdi] == NULL)
    return v2v_fail_nomem (err);
  memcpy (s->tables[gdi], buf, bytes);
  s->expected += n;
  return 0;
}

static int
read_front_tables (struct vmdk *h, struct vmdk_stream *s,
                   struct v2v_error **err)
{
  const size_t bytes = (size_t) s->nr_gds * 4;
  uint8_t table[VMDK_MAX_GTES * 4];
  CLEANUP_FREE uint8_t *gd = malloc (bytes);
  uint64_t at, end;
  uint32_t kept = 0;

  if (gd == NULL)
    return v2v_fail_nomem (err);
  if (!v2v_mul_u64 (s->h.gd_offset, VMDK_SECTOR, &at) ||
      !v2v_add_u64 (at, bytes, &end) || end > s->h.overhead * VMDK_SECTOR ||
      at < s->pos)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: grain directory at sector %" PRIu64
                     ", expected between the descriptor and the first grain "
                     "(%" PRIu64 ")",
                     s->h.gd_offset, s->h.overhead);
  if (v2v_io_pread (h->file, gd, bytes, at, err) == -1)
    return -1;
  s->pos = end;
  for (uint32_t i = 0; i < s->nr_gds; ++i) {
    const uint32_t gde = v2v_le32 (gd + 4 * (size_t) i);

    if (gde != 0 && keep_table (h, s, i, gde, table, &kept, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- records ---- */

/* Grain GRAIN came, in the record at sector SECTOR. */
static int
tick_off (struct vmdk_stream *s, uint64_t grain, uint64_t sector,
          struct v2v_error **err)
{
  const uint32_t gdi = (uint32_t) (grain / s->h.num_gtes_per_gt);
  const uint32_t i = (uint32_t) (grain % s->h.num_gtes_per_gt);
  const uint64_t lba = grain * s->h.grain_size;
  uint8_t *table = s->tables[gdi];

  if (!s->at_end) {
    const uint32_t gte = table != NULL ? v2v_le32 (table + 4 * (size_t) i) : 0;

    if (gte <= VMDK_GTE_ZEROED || gte != sector)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "grain at sector %" PRIu64 " in the record at sector "
                       "%" PRIu64 ": it is repeated, or not in its table",
                       lba, sector);
    v2v_put_le32 (table + 4 * (size_t) i, 0);
    s->expected--;
    return 0;
  }
  if (table == NULL) {
    table = s->tables[gdi] = calloc (1, VMDK_MAX_GTES / 8);
    if (table == NULL)
      return v2v_fail_nomem (err);
  }
  if (table[i / 8] & 1u << i % 8)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "grain at sector %" PRIu64 " comes a second time", lba);
  table[i / 8] |= (uint8_t) (1u << i % 8);
  return 0;
}

static int
check_marker (const struct vmdk_stream *s, uint64_t lba, uint32_t size,
              struct v2v_error **err)
{
  if (lba >= s->h.capacity || lba % s->h.grain_size != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "marker at sector %" PRIu64 ": grain at sector %" PRIu64
                     ", expected a multiple of %" PRIu64 " below %" PRIu64,
                     s->pos / VMDK_SECTOR, lba, s->h.grain_size, s->h.capacity);
  if (size > VMDK_MAX_COMPRESSED (s->grain_bytes))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "marker at sector %" PRIu64 ": %" PRIu32
                     " compressed bytes, at most %" PRIu64,
                     s->pos / VMDK_SECTOR, size,
                     VMDK_MAX_COMPRESSED (s->grain_bytes));
  return 0;
}

static int
truncated (const struct vmdk_stream *s, struct v2v_error **err)
{
  if (s->at_end)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the stream ends at byte %" PRIu64
                     " without an end-of-stream marker: it is truncated",
                     s->pos);
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "the stream ends at byte %" PRIu64 " with %" PRIu64
                   " grains still to come: it is truncated",
                   s->pos, s->expected);
}

/* A grain: SECTOR is its first sector, GOT bytes of it. */
static int
pass_grain (struct vmdk *h, struct vmdk_stream *s, const uint8_t *sector,
            size_t got, v2v_sink *sink, void *arg, struct v2v_error **err)
{
  const uint64_t lba = v2v_le64 (sector + VMDK_M_VAL);
  const uint32_t size = v2v_le32 (sector + VMDK_M_SIZE);
  const size_t first = (size_t) v2v_min_u64 (size, got - VMDK_M_GRAIN_DATA);
  struct v2v_chunk chunk;
  size_t rest = 0;
  CLEANUP_FREE uint8_t *data = NULL;
  uint64_t end;

  if (check_marker (s, lba, size, err) == -1 ||
      tick_off (s, lba / s->h.grain_size, s->pos / VMDK_SECTOR, err) == -1)
    return -1;
  data = malloc (size);
  if (data == NULL)
    return v2v_fail_nomem (err);
  memcpy (data, sector + VMDK_M_GRAIN_DATA, first);
  if (first < size &&
      v2v_io_pread_upto (h->file, data + first, size - first,
                         s->pos + VMDK_SECTOR, &rest, err) == -1)
    return -1;
  if (first + rest < size)
    return truncated (s, err);
  end = s->pos + VMDK_M_GRAIN_DATA + size;
  s->pos = (end + VMDK_SECTOR - 1) / VMDK_SECTOR * VMDK_SECTOR;

  chunk.offset = lba * VMDK_SECTOR;
  chunk.length =
      (size_t) v2v_min_u64 (s->grain_bytes, s->size_bytes - chunk.offset);
  chunk.data = STEAL (data);
  chunk.stored = size;
  return sink (arg, &chunk, err);
}

static int
check_footer (struct vmdk *h, struct vmdk_stream *s, struct v2v_error **err)
{
  uint8_t sector[VMDK_HEADER_BYTES];
  struct vmdk_header f;
  size_t got = 0;

  if (v2v_io_pread_upto (h->file, sector, sizeof sector, s->pos, &got, err) ==
      -1)
    return -1;
  if (got < sizeof sector)
    return truncated (s, err);
  vmdk_header_decode (sector, &f);
  if (f.magic != VMDK_MAGIC)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "footer: magic 0x%08" PRIx32 ", expected 0x%08x", f.magic,
                     VMDK_MAGIC);
  if (vmdk_footer_compare (&s->h, &f, err) == -1)
    return -1;
  s->footer_seen = true;
  s->pos += sizeof sector;
  return 0;
}

/* Metadata: step over it.  *RET_END is set at the end of the stream. */
static int
pass_metadata (struct vmdk *h, struct vmdk_stream *s, const uint8_t *sector,
               bool *ret_end, struct v2v_error **err)
{
  const uint64_t val = v2v_le64 (sector + VMDK_M_VAL);
  const uint32_t type = v2v_le32 (sector + VMDK_M_TYPE);
  const uint64_t at = s->pos / VMDK_SECTOR;
  uint64_t sectors;

  switch (type) {
  case VMDK_MARKER_EOS:
    sectors = 0;
    break;
  case VMDK_MARKER_GT:
    sectors = (uint64_t) s->h.num_gtes_per_gt * 4 / VMDK_SECTOR;
    break;
  case VMDK_MARKER_GD:
    sectors = v2v_div_up ((uint64_t) s->nr_gds * 4, VMDK_SECTOR);
    break;
  case VMDK_MARKER_FOOTER:
    sectors = 1;
    break;
  case VMDK_MARKER_PROGRESS:
    sectors = v2v_min_u64 (val, UINT32_MAX);
    break;
  default:
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "marker at sector %" PRIu64 ": type %" PRIu32
                     ", expected 0..%d",
                     at, type, VMDK_MARKER_PROGRESS);
  }
  if (val != 0 && val != sectors)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "marker at sector %" PRIu64 ": type %" PRIu32
                     " with %" PRIu64 " sectors, expected %" PRIu64,
                     at, type, val, sectors);
  s->pos += VMDK_SECTOR;
  if (type == VMDK_MARKER_FOOTER)
    return check_footer (h, s, err);
  s->pos += sectors * VMDK_SECTOR;
  *ret_end = type == VMDK_MARKER_EOS;
  return 0;
}

/* Let the writer of a pipe finish; nothing but padding should come. */
static void
drain (struct vmdk *h, struct vmdk_stream *s)
{
  uint8_t buf[16 * 1024];
  bool zero = true;
  size_t got;

  do {
    got = 0;
    if (v2v_io_pread_upto (h->file, buf, sizeof buf, s->pos, &got, NULL) == -1)
      return;
    zero = zero && v2v_is_zero (buf, got);
    s->pos += got;
  } while (got == sizeof buf);
  if (!zero)
    v2v_warn ("%s: bytes after the end-of-stream marker were ignored",
              v2v_io_name (h->file));
}

/* One marker and what belongs to it. */
static int
pass_one (struct vmdk *h, struct vmdk_stream *s, v2v_sink *sink, void *arg,
          bool *ret_end, struct v2v_error **err)
{
  uint8_t sector[VMDK_SECTOR];
  size_t got = 0;

  if (v2v_io_pread_upto (h->file, sector, sizeof sector, s->pos, &got, err) ==
      -1)
    return -1;
  /* qemu pads the last record to a whole grain, or not at all. */
  if (got == 0 || (got < sizeof sector && v2v_is_zero (sector, got))) {
    if (s->at_end || s->expected > 0)
      return truncated (s, err);
    *ret_end = true;
    return 0;
  }
  if (got <= VMDK_M_GRAIN_DATA)
    return truncated (s, err);
  if (v2v_le32 (sector + VMDK_M_SIZE) > 0)
    return pass_grain (h, s, sector, got, sink, arg, err);
  if (got < sizeof sector)
    return truncated (s, err);
  if (pass_metadata (h, s, sector, ret_end, err) == -1)
    return -1;
  if (!*ret_end)
    return 0;
  if (s->at_end && !s->footer_seen)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "end-of-stream marker at byte %" PRIu64
                     " without a footer: the stream is damaged",
                     s->pos - VMDK_SECTOR);
  if (!s->at_end && s->expected > 0)
    return truncated (s, err);
  drain (h, s);
  return 0;
}

int
vmdk_stream (void *vh, v2v_sink *sink, void *arg, struct v2v_error **err)
{
  struct vmdk *h = vh;
  struct vmdk_stream *s = h->stream;
  bool end = false;

  if (s == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the file can be read at random, not as a stream");
  if (s->consumed)
    return v2v_fail (err, V2V_ERR_USAGE, "the stream has been read already");
  s->consumed = true;
  if (!s->at_end && read_front_tables (h, s, err) == -1)
    return -1;
  /* Padding before the first record looks like an end-of-stream marker: it is
   * skipped by offset.  Without a number, records follow the descriptor. */
  s->pos = v2v_max_u64 (s->h.overhead * VMDK_SECTOR, s->pos);
  while (!end)
    if (pass_one (h, s, sink, arg, &end, err) == -1)
      return -1;
  return 0;
}

int
vmdk_decode (void *vh, const struct v2v_chunk *chunk, void *buf,
             struct v2v_error **err)
{
  const struct vmdk *h = vh;
  const bool last = chunk->offset + chunk->length == h->size_bytes;
  CLEANUP_FREE uint8_t *grain = NULL;
  uint8_t *out = buf;
  size_t got = 0;

  /* The last grain may be stored whole though the disk ends inside it. */
  if (chunk->length < h->grain_bytes) {
    out = grain = malloc ((size_t) h->grain_bytes);
    if (out == NULL)
      return v2v_fail_nomem (err);
  }
  if (v2v_inflate (chunk->data, chunk->stored, out, (size_t) h->grain_bytes,
                   &got, NULL, err) == -1)
    return v2v_prefix (err, "grain at sector %" PRIu64,
                       chunk->offset / VMDK_SECTOR);
  if (got < chunk->length) {
    if (!last)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "grain at sector %" PRIu64
                       ": inflates to %zu bytes, expected %zu",
                       chunk->offset / VMDK_SECTOR, got, chunk->length);
    memset (out + got, 0, chunk->length - got);
  }
  if (out != buf)
    memcpy (buf, out, chunk->length);
  return 0;
}
