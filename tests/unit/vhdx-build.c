/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes VHDX files byte by byte.  Source: [MS-VHDX] 2.2 to 2.5. */

#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "test-util.h"
#include "vhdx-build.h"

#define NR_LOG_SECTORS 256u

static const uint8_t region_ids[2][16] = {
  { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e,
    0x9b, 0xfd, 0x4a, 0x08 },
  { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f,
    0x05, 0x0f, 0x88, 0x6e },
};

static const struct {
  uint8_t id[16];
  uint32_t length, flags;
} items[] = {
  { { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0,
      0xaa, 0x44, 0xe7, 0x6b },
    8,
    4 },
  { { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe,
      0xd8, 0x3b, 0xf4, 0xb8 },
    8,
    6 },
  { { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef, 0xc3, 0x09,
      0xe0, 0x00, 0xc7, 0x46 },
    16,
    6 },
  { { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2, 0x33,
      0xa8, 0xfa, 0xab, 0x5f },
    4,
    6 },
  { { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c, 0xc9, 0xe9, 0x88,
      0x52, 0x51, 0xc5, 0x56 },
    4,
    6 },
  { { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8,
      0x48, 0x34, 0xab, 0x0c },
    0,
    4 },
};

static const uint8_t locator_type[16] = {
  0xb7, 0xef, 0x4a, 0xb0, 0x9e, 0xd1, 0x81, 0x4a,
  0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13,
};

static void
seal (uint8_t *p, size_t len)
{
  v2v_put_le32 (p + 4, 0);
  v2v_put_le32 (p + 4, v2v_crc32c (0, p, len));
}

uint8_t *
vhdx_build_header (struct vhdx_build *b, unsigned slot)
{
  return b->bytes + 65536 * (1 + slot);
}

uint8_t *
vhdx_build_regions (struct vhdx_build *b, unsigned copy)
{
  return b->bytes + 65536 * (3 + copy);
}

uint8_t *
vhdx_build_item_entry (struct vhdx_build *b, unsigned item)
{
  return b->bytes + BUILD_METADATA + 32 + 32 * item;
}

uint8_t *
vhdx_build_item (struct vhdx_build *b, unsigned item)
{
  return b->bytes + BUILD_METADATA +
         v2v_le32 (vhdx_build_item_entry (b, item) + 16);
}

void
vhdx_build_seal (struct vhdx_build *b)
{
  for (unsigned i = 0; i < 2; ++i) {
    seal (vhdx_build_header (b, i), 4096);
    seal (vhdx_build_regions (b, i), 65536);
  }
}

/* ASCII to UTF-16LE; returns the bytes written. */
static uint16_t
put_text (uint8_t *p, const char *text)
{
  uint16_t n = 0;

  for (; *text != '\0'; ++text, n = (uint16_t) (n + 2))
    v2v_put_le16 (p + n, (uint8_t) *text);
  return n;
}

static uint32_t
put_locator (uint8_t *p, const struct vhdx_build_opts *o)
{
  const char *const texts[4] = {
    "parent_linkage",
    o->linkage ? o->linkage : "{11111111-2222-3333-4444-555555555555}",
    o->path_key ? o->path_key : "relative_path",
    o->path ? o->path : ".\\base.vhdx",
  };
  uint32_t end = 20 + 2 * 12;

  memcpy (p, locator_type, 16);
  v2v_put_le16 (p + 18, 2);
  for (unsigned i = 0; i < 4; ++i) {
    uint8_t *e = p + 20 + 12 * (i / 2);
    const uint16_t n = put_text (p + end, texts[i]);

    v2v_put_le32 (e + 4 * (i % 2), end);
    v2v_put_le16 (e + 8 + 2 * (i % 2), n);
    end += n;
  }
  return end;
}

static void
put_headers (struct vhdx_build *b)
{
  memcpy (b->bytes, "vhdxfile", 8);
  put_text (b->bytes + 8, "builder");
  for (unsigned i = 0; i < 2; ++i) {
    uint8_t *h = vhdx_build_header (b, i);
    uint8_t *r = vhdx_build_regions (b, i);

    memcpy (h, "head", 4);
    v2v_put_le64 (h + 8, 10 + i);
    memset (h + 16, 0xf1, 16);
    memset (h + 32, 0xd1, 16);
    v2v_put_le16 (h + 66, 1);
    v2v_put_le32 (h + 68, MIB);
    v2v_put_le64 (h + 72, BUILD_LOG);
    memcpy (r, "regi", 4);
    v2v_put_le32 (r + 8, 2);
    for (unsigned k = 0; k < 2; ++k) {
      memcpy (r + 16 + 32 * k, region_ids[k], 16);
      v2v_put_le64 (r + 32 + 32 * k, k == 0 ? BUILD_BAT : BUILD_METADATA);
      v2v_put_le32 (r + 40 + 32 * k, MIB);
      v2v_put_le32 (r + 44 + 32 * k, 1);
    }
  }
}

static void
put_metadata (struct vhdx_build *b, const struct vhdx_build_opts *o)
{
  uint8_t *m = b->bytes + BUILD_METADATA;
  const unsigned n = (o->flags & 2) ? 6 : 5;
  uint32_t at = 65536;

  memcpy (m, "metadata", 8);
  v2v_put_le16 (m + 10, (uint16_t) n);
  for (unsigned i = 0; i < n; ++i) {
    uint8_t *e = vhdx_build_item_entry (b, i);
    uint32_t len = items[i].length;

    if (i == ITEM_LOCATOR)
      len = put_locator (m + at, o);
    memcpy (e, items[i].id, 16);
    v2v_put_le32 (e + 16, at);
    v2v_put_le32 (e + 20, len);
    v2v_put_le32 (e + 24, items[i].flags);
    at += (len + 15) & ~15u;
  }
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS), b->block);
  v2v_put_le32 (vhdx_build_item (b, ITEM_PARAMETERS) + 4, o->flags);
  v2v_put_le64 (vhdx_build_item (b, ITEM_SIZE), b->size);
  memset (vhdx_build_item (b, ITEM_PAGE83), 0x83, 16);
  v2v_put_le32 (vhdx_build_item (b, ITEM_LOGICAL), b->logical);
  v2v_put_le32 (vhdx_build_item (b, ITEM_PHYSICAL), 4096);
}

struct vhdx_build *
vhdx_build_new (const struct vhdx_build_opts *opts)
{
  static const struct vhdx_build_opts defaults;
  const struct vhdx_build_opts *o = opts ? opts : &defaults;
  struct vhdx_build *b = calloc (1, sizeof *b);

  assert_non_null (b);
  b->size = o->size ? o->size : 8 * MIB;
  b->block = o->block ? o->block : MIB;
  b->logical = o->logical ? o->logical : 512;
  b->chunk_ratio = (UINT64_C (1) << 23) * b->logical / b->block;
  b->len = (o->file_mib ? o->file_mib : 16) * MIB;
  b->bytes = calloc (1, b->len);
  assert_non_null (b->bytes);
  put_headers (b);
  put_metadata (b, o);
  vhdx_build_seal (b);
  return b;
}

void
vhdx_build_free (struct vhdx_build *b)
{
  free (b->bytes);
  free (b);
}

struct v2v_io *
vhdx_build_io (const struct vhdx_build *b, const char *name)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer (name, b->bytes, b->len, &err);

  assert_ptr (io, err);
  return io;
}

void
vhdx_build_write (const struct vhdx_build *b, const char *path, uint64_t len)
{
  const int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

  assert_true (fd >= 0);
  for (size_t at = 0; at < b->len; at += 65536) /* holes stay holes */
    if (!v2v_is_zero (b->bytes + at, 65536))
      assert_int_equal (pwrite (fd, b->bytes + at, 65536, (off_t) at), 65536);
  assert_int_equal (ftruncate (fd, (off_t) (len ? len : b->len)), 0);
  assert_int_equal (close (fd), 0);
}

void
vhdx_build_bat (struct vhdx_build *b, uint64_t index, uint64_t entry)
{
  v2v_put_le64 (b->bytes + BUILD_BAT + 8 * index, entry);
}

uint64_t
vhdx_build_get_bat (const struct vhdx_build *b, uint64_t index)
{
  return v2v_le64 (b->bytes + BUILD_BAT + 8 * index);
}

void
vhdx_build_block (struct vhdx_build *b, uint64_t n, uint64_t offset,
                  unsigned state)
{
  vhdx_build_bat (b, n + n / b->chunk_ratio, offset | state);
}

void
vhdx_build_fill (struct vhdx_build *b, uint64_t offset, size_t len,
                 uint8_t value)
{
  assert_true (offset + len <= b->len);
  memset (b->bytes + offset, value, len);
}

/* ---- the log ---- */

uint8_t *
vhdx_build_log_sector (struct vhdx_build *b, unsigned sector)
{
  return b->bytes + BUILD_LOG + 4096 * (sector % NR_LOG_SECTORS);
}

static void
put_descriptor (uint8_t *d, const struct vhdx_build_write *w, uint64_t seq)
{
  if (w->zero) {
    memcpy (d, "zero", 4);
    v2v_put_le64 (d + 8, w->length);
  }
  else {
    memcpy (d, "desc", 4);
    memcpy (d + 4, w->data + 4092, 4);
    memcpy (d + 8, w->data, 8);
  }
  v2v_put_le64 (d + 16, w->offset);
  v2v_put_le64 (d + 24, seq);
}

unsigned
vhdx_build_log (struct vhdx_build *b, const struct vhdx_build_entry *e)
{
  const unsigned nr_desc_sectors = (64 + 32 * e->nr_writes + 4095) / 4096;
  unsigned nr = nr_desc_sectors;
  uint8_t *buf = calloc (NR_LOG_SECTORS, 4096);

  assert_non_null (buf);
  for (unsigned i = 0; i < e->nr_writes; ++i) {
    const struct vhdx_build_write *w = &e->writes[i];

    put_descriptor (buf + 64 + 32 * i, w, e->sequence);
    if (!w->zero) {
      uint8_t *s = buf + 4096 * nr++;

      memcpy (s, w->data, 4096);
      memcpy (s, "data", 4);
      v2v_put_le32 (s + 4, (uint32_t) (e->sequence >> 32));
      v2v_put_le32 (s + 4092, (uint32_t) e->sequence);
    }
  }
  memcpy (buf, "loge", 4);
  v2v_put_le32 (buf + 8, 4096 * nr);
  v2v_put_le32 (buf + 12, 4096 * (e->tail % NR_LOG_SECTORS));
  v2v_put_le64 (buf + 16, e->sequence);
  v2v_put_le32 (buf + 24, e->nr_writes);
  memset (buf + 32, e->guid, 16);
  v2v_put_le64 (buf + 48, e->flushed ? e->flushed : b->len);
  v2v_put_le64 (buf + 56, e->last ? e->last : b->len);
  seal (buf, (size_t) 4096 * nr);
  for (unsigned i = 0; i < nr; ++i)
    memcpy (vhdx_build_log_sector (b, e->sector + i), buf + 4096 * i, 4096);
  free (buf);
  return nr;
}

void
vhdx_build_use_log (struct vhdx_build *b, uint8_t guid)
{
  for (unsigned i = 0; i < 2; ++i)
    memset (vhdx_build_header (b, i) + 48, guid, 16);
  vhdx_build_seal (b);
}

struct v2v_image *
vhdx_build_open (const struct vhdx_build *b, const struct v2v_open_opts *opts,
                 struct v2v_error **err)
{
  struct v2v_io *io = vhdx_build_io (b, "built.vhdx");
  struct v2v_image *img = v2v_image_open_io (io, opts, err);

  v2v_io_unref (io);
  return img;
}
