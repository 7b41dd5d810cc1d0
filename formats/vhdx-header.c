/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: the file identifier, the two headers and the two region tables.
 * Source: [MS-VHDX] 2.2.1 "File Type Identifier", 2.2.2 "Headers", 2.2.3
 * "Region Table".
 *
 * Headers and tables stand twice so that one torn write never loses both.
 * Equal sequence numbers are corrupt by the letter of 2.2.2, yet Disk2vhd
 * writes two identical headers: those are accepted, different ones refused.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

static const uint8_t region_bat[16] = VHDX_REGION_BAT;
static const uint8_t region_metadata[16] = VHDX_REGION_METADATA;

/* CRC-32C with the four bytes from 4 on taken as zero. */
static uint32_t
crc_of (const void *buf, size_t len)
{
  static const uint8_t zeros[4];
  const uint8_t *p = buf;
  uint32_t crc = v2v_crc32c (0, p, 4);

  crc = v2v_crc32c (crc, zeros, 4);
  return v2v_crc32c (crc, p + 8, len - 8);
}

bool
vhdx_crc_ok (const void *buf, size_t len)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  /* A fuzzer cannot guess checksums: let it reach what they protect. */
  (void) buf;
  (void) len;
  return true;
#else
  return v2v_le32 ((const uint8_t *) buf + 4) == crc_of (buf, len);
#endif
}

void
vhdx_put_crc (void *buf, size_t len)
{
  v2v_put_le32 ((uint8_t *) buf + 4, crc_of (buf, len));
}

/* ---- headers ---- */

static void
decode_header (const uint8_t *p, struct vhdx_header *ret)
{
  ret->sequence = v2v_le64 (p + 8);
  ret->file_write_guid = v2v_guid_from_mixed (p + 16);
  ret->data_write_guid = v2v_guid_from_mixed (p + 32);
  ret->log_guid = v2v_guid_from_mixed (p + 48);
  ret->log_version = v2v_le16 (p + 64);
  ret->version = v2v_le16 (p + 66);
  ret->log_length = v2v_le32 (p + 68);
  ret->log_offset = v2v_le64 (p + 72);
}

static void
encode_header (const struct vhdx_header *header, uint8_t *p)
{
  memset (p, 0, VHDX_HEADER_SIZE);
  memcpy (p, VHDX_HEADER_SIGNATURE, 4);
  v2v_put_le64 (p + 8, header->sequence);
  v2v_guid_to_mixed (&header->file_write_guid, p + 16);
  v2v_guid_to_mixed (&header->data_write_guid, p + 32);
  v2v_guid_to_mixed (&header->log_guid, p + 48);
  v2v_put_le16 (p + 64, header->log_version);
  v2v_put_le16 (p + 66, header->version);
  v2v_put_le32 (p + 68, header->log_length);
  v2v_put_le64 (p + 72, header->log_offset);
  vhdx_put_crc (p, VHDX_HEADER_SIZE);
}

static int
check_header (const struct vhdx *h, const struct vhdx_header *header,
              struct v2v_error **err)
{
  const bool log_used = !v2v_guid_is_zero (&header->log_guid);

  if (header->version != VHDX_VERSION)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: version %u, expected %d", header->version,
                     VHDX_VERSION);
  if (log_used && header->log_version != VHDX_LOG_VERSION)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "header: log version %u, expected %d", header->log_version,
                     VHDX_LOG_VERSION);
  if (header->log_length == 0 && !log_used)
    return 0;
  if (header->log_length == 0 || header->log_length % VHDX_ALIGN != 0 ||
      header->log_length > VHDX_MAX_LOG)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: log of %" PRIu32
                     " bytes, expected a multiple of 1 MiB up to 1 GiB",
                     header->log_length);
  if (header->log_offset < VHDX_ALIGN || header->log_offset % VHDX_ALIGN != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: log at %" PRIu64
                     ", expected a multiple of 1 MiB after the header section",
                     header->log_offset);
  if (!v2v_range_inside (header->log_offset, header->log_length,
                         v2v_io_size (h->file)))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: log of %" PRIu32 " bytes at %" PRIu64
                     ", past the end of the file (%" PRIu64 ")",
                     header->log_length, header->log_offset,
                     v2v_io_size (h->file));
  return 0;
}

static int
read_creator (struct vhdx *h, const uint8_t *text, struct v2v_error **err)
{
  size_t len = 0;

  (void) err;
  while (len < VHDX_CREATOR_SIZE && v2v_le16 (text + len) != 0)
    len += 2;
  if (len == 0)
    return 0;
  /* Diagnostic only: what cannot be decoded is left out. */
  h->creator = v2v_to_utf8 ("UTF-16LE", text, len, NULL);
  for (char *p = h->creator; p != NULL && *p != '\0'; ++p)
    if ((unsigned char) *p < 32 || *p == 127)
      *p = '?';
  return 0;
}

/* Read the file identifier and both headers; choose the current one. */
int
vhdx_read_headers (struct vhdx *h, struct v2v_error **err)
{
  uint8_t id[VHDX_CREATOR_OFFSET + VHDX_CREATOR_SIZE];
  uint8_t raw[2][VHDX_HEADER_SIZE];

  if (v2v_io_is_forward_only (h->file))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "a VHDX cannot be read from a stream");
  if (v2v_io_size (h->file) < VHDX_ALIGN)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "file of %" PRIu64
                     " bytes, a VHDX has a header section of 1 MiB",
                     v2v_io_size (h->file));
  if (v2v_io_pread (h->file, id, sizeof id, VHDX_FILE_ID_OFFSET, err) == -1)
    return -1;
  if (memcmp (id, VHDX_FILE_ID_SIGNATURE, 8) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "file identifier: no '%s' signature",
                     VHDX_FILE_ID_SIGNATURE);
  if (read_creator (h, id + VHDX_CREATOR_OFFSET, err) == -1)
    return -1;

  for (unsigned slot = 0; slot < 2; ++slot) {
    if (v2v_io_pread (h->file, raw[slot], VHDX_HEADER_SIZE,
                      VHDX_HEADER_OFFSET (slot), err) == -1)
      return -1;
    h->header_valid[slot] = memcmp (raw[slot], VHDX_HEADER_SIGNATURE, 4) == 0 &&
                            vhdx_crc_ok (raw[slot], VHDX_HEADER_SIZE);
    decode_header (raw[slot], &h->headers[slot]);
  }
  if (!h->header_valid[0] && !h->header_valid[1])
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "headers: neither has a good signature and checksum");
  if (h->header_valid[0] && h->header_valid[1]) {
    if (h->headers[0].sequence == h->headers[1].sequence &&
        memcmp (raw[0], raw[1], VHDX_HEADER_SIZE) != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "headers: both have sequence number %" PRIu64
                       " but they differ",
                       h->headers[0].sequence);
    h->current = h->headers[1].sequence > h->headers[0].sequence;
  }
  else
    h->current = h->header_valid[1];
  return check_header (h, &h->headers[h->current], err);
}

int
vhdx_write_header (struct vhdx *h, unsigned slot,
                   const struct vhdx_header *header, struct v2v_error **err)
{
  uint8_t raw[VHDX_HEADER_SIZE];

  encode_header (header, raw);
  if (v2v_io_pwrite (h->file, raw, sizeof raw, VHDX_HEADER_OFFSET (slot),
                     err) == -1)
    return -1;
  h->headers[slot] = *header;
  h->header_valid[slot] = true;
  return 0;
}

int
vhdx_update_header (struct vhdx *h, const struct vhdx_header *next,
                    struct v2v_error **err)
{
  const unsigned slot = 1 - h->current;
  struct vhdx_header header = *next;

  if (!v2v_add_u64 (h->headers[h->current].sequence, 1, &header.sequence))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "header: no sequence number is left after %" PRIu64,
                     h->headers[h->current].sequence);
  if (vhdx_write_header (h, slot, &header, err) == -1 ||
      v2v_io_sync (h->file, err) == -1)
    return -1;
  h->current = slot;
  return 0;
}

int
vhdx_write_file_id (struct vhdx *h, struct v2v_error **err)
{
  uint8_t id[VHDX_CREATOR_OFFSET + VHDX_CREATOR_SIZE] = VHDX_FILE_ID_SIGNATURE;
  CLEANUP_FREE void *text = NULL;
  size_t len = 0;

  text = v2v_from_utf8 ("UTF-16LE", PACKAGE_STRING, &len, err);
  if (text == NULL)
    return -1;
  memcpy (id + VHDX_CREATOR_OFFSET, text,
          (size_t) v2v_min_u64 (len, VHDX_CREATOR_SIZE - 2));
  free (h->creator);
  h->creator = strdup (PACKAGE_STRING);
  if (h->creator == NULL)
    return v2v_fail_nomem (err);
  return v2v_io_pwrite (h->file, id, sizeof id, VHDX_FILE_ID_OFFSET, err);
}

/* ---- region tables ---- */

int
vhdx_read_region_table (struct vhdx *h, unsigned copy, bool *ret_valid,
                        vhdx_region_vector *ret_regions, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *table = malloc (VHDX_REGIONS_SIZE);
  uint32_t n;

  if (table == NULL)
    return v2v_fail_nomem (err);
  if (vhdx_file_read (h, table, VHDX_REGIONS_SIZE, VHDX_REGIONS_OFFSET (copy),
                      err) == -1)
    return -1;
  n = v2v_le32 (table + 8);
  *ret_valid = memcmp (table, VHDX_REGIONS_SIGNATURE, 4) == 0 &&
               vhdx_crc_ok (table, VHDX_REGIONS_SIZE) && n <= VHDX_MAX_REGIONS;
  ret_regions->len = 0;
  for (uint32_t i = 0; *ret_valid && i < n; ++i) {
    const uint8_t *p = table + 16 + 32 * (size_t) i;
    const struct vhdx_region r = {
      .id = v2v_guid_from_mixed (p),
      .offset = v2v_le64 (p + 16),
      .length = v2v_le32 (p + 24),
      .flags = v2v_le32 (p + 28),
    };

    if (vhdx_region_vector_append (ret_regions, r) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
compare_regions (const void *va, const void *vb)
{
  const struct vhdx_region *a = va, *b = vb;

  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Every region in its place, and none over another, the headers, the log. */
static int
check_regions (struct vhdx *h, struct v2v_error **err)
{
  const struct vhdx_header *header = &h->headers[h->current];
  CLEANUP_FREE struct vhdx_region *sorted = NULL;
  size_t n = 0;

  sorted = calloc (h->regions.len + 1, sizeof *sorted);
  if (sorted == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < h->regions.len; ++i) {
    const struct vhdx_region *r = &h->regions.ptr[i];
    char id[37];

    v2v_guid_format (&r->id, id);
    if (r->offset < VHDX_ALIGN || r->offset % VHDX_ALIGN != 0 ||
        r->length == 0 || r->length % VHDX_ALIGN != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "region %s: %" PRIu64 " bytes at %" PRIu64
                       ", expected multiples of 1 MiB after the header section",
                       id, r->length, r->offset);
    if (!v2v_range_inside (r->offset, r->length, h->file_end))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "region %s: %" PRIu64 " bytes at %" PRIu64
                       ", past the end of the file (%" PRIu64 ")",
                       id, r->length, r->offset, h->file_end);
    sorted[n++] = *r;
  }
  if (header->log_length > 0)
    sorted[n++] = (struct vhdx_region){ .offset = header->log_offset,
                                        .length = header->log_length };
  qsort (sorted, n, sizeof *sorted, compare_regions);
  for (size_t i = 1; i < n; ++i)
    if (sorted[i].offset < sorted[i - 1].offset + sorted[i - 1].length)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "region table: the region at %" PRIu64
                       " overlaps the one at %" PRIu64,
                       sorted[i].offset, sorted[i - 1].offset);
  return 0;
}

/* Find the two known regions; refuse unknown ones that are required. */
static int
pick_regions (struct vhdx *h, struct v2v_error **err)
{
  const struct v2v_guid bat_id = v2v_guid_from_mixed (region_bat);
  const struct v2v_guid metadata_id = v2v_guid_from_mixed (region_metadata);

  for (size_t i = 0; i < h->regions.len; ++i) {
    const struct vhdx_region *r = &h->regions.ptr[i];
    struct vhdx_region *known = v2v_guid_equal (&r->id, &bat_id) ? &h->bat
                                : v2v_guid_equal (&r->id, &metadata_id)
                                    ? &h->metadata
                                    : NULL;
    char id[37];

    v2v_guid_format (&r->id, id);
    if (known == NULL && (r->flags & VHDX_REGION_REQUIRED))
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "region %s is required to read this file, but unknown",
                       id);
    if (known != NULL && known->length != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "region table: region %s is there twice", id);
    if (known != NULL)
      *known = *r;
  }
  if (h->bat.length == 0 || h->metadata.length == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "region table: no %s region",
                     h->bat.length == 0 ? "BAT" : "metadata");
  return 0;
}

int
vhdx_read_regions (struct vhdx *h, struct v2v_error **err)
{
  for (unsigned copy = 0; copy < 2; ++copy) {
    bool valid = false;

    if (vhdx_read_region_table (h, copy, &valid, &h->regions, err) == -1)
      return -1;
    if (valid) {
      h->regions_copy = (int) copy;
      memset (&h->bat, 0, sizeof h->bat);
      memset (&h->metadata, 0, sizeof h->metadata);
      if (check_regions (h, err) == -1)
        return -1;
      return pick_regions (h, err);
    }
  }
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "region tables: neither has a good signature and checksum");
}

/* From h->bat and h->metadata, or all of h->regions if that is filled. */
int
vhdx_write_region_table (struct vhdx *h, unsigned copy, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *table = calloc (1, VHDX_REGIONS_SIZE);
  const struct vhdx_region own[2] = { h->bat, h->metadata };
  const struct vhdx_region *list = h->regions.len ? h->regions.ptr : own;
  const size_t n = h->regions.len ? h->regions.len : 2;

  if (table == NULL)
    return v2v_fail_nomem (err);
  memcpy (table, VHDX_REGIONS_SIGNATURE, 4);
  v2v_put_le32 (table + 8, (uint32_t) n);
  for (size_t i = 0; i < n; ++i) {
    uint8_t *p = table + 16 + 32 * i;

    v2v_guid_to_mixed (&list[i].id, p);
    v2v_put_le64 (p + 16, list[i].offset);
    v2v_put_le32 (p + 24, (uint32_t) list[i].length);
    v2v_put_le32 (p + 28, list[i].flags);
  }
  vhdx_put_crc (table, VHDX_REGIONS_SIZE);
  return v2v_io_pwrite (h->file, table, VHDX_REGIONS_SIZE,
                        VHDX_REGIONS_OFFSET (copy), err);
}
