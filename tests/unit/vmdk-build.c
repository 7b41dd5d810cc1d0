/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDKs made in memory; see vmdk-build.h. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/inflate.h"
#include "formats/vmdk-format.h"
#include "vmdk-build.h"

void
vb_free (struct vb *b)
{
  free (b->p);
  free (b->ref);
  b->p = b->ref = NULL;
}

void
vb_put16 (struct vb *b, size_t offset, uint16_t v)
{
  assert_true (offset + 2 <= b->len);
  v2v_put_le16 (b->p + offset, v);
}

void
vb_put32 (struct vb *b, size_t offset, uint32_t v)
{
  assert_true (offset + 4 <= b->len);
  v2v_put_le32 (b->p + offset, v);
}

void
vb_put64 (struct vb *b, size_t offset, uint64_t v)
{
  assert_true (offset + 8 <= b->len);
  v2v_put_le64 (b->p + offset, v);
}

static struct vb
vb_new (size_t len, size_t ref_len)
{
  struct vb b = { calloc (1, len), len, calloc (1, ref_len), ref_len };

  assert_non_null (b.p);
  assert_non_null (b.ref);
  return b;
}

/* Append to the file, padded to a sector; returns the sector. */
static uint32_t
append (struct vb *b, const void *data, size_t len)
{
  const size_t start = (b->len + 511) / 512 * 512;
  const size_t end = start + (len + 511) / 512 * 512;

  b->p = realloc (b->p, end);
  assert_non_null (b->p);
  memset (b->p + b->len, 0, end - b->len);
  memcpy (b->p + start, data, len);
  b->len = end;
  return (uint32_t) (start / 512);
}

void
vb_descriptor (struct vb *b, const char *text)
{
  const size_t len = strlen (text);

  assert_true (len <= 20 * 512);
  memset (b->p + VB_DESCRIPTOR, 0, 20 * 512);
  memcpy (b->p + VB_DESCRIPTOR, text, len);
}

static void
put_header (struct vb *b, uint32_t flags, uint64_t gd_offset, bool descriptor)
{
  const struct vmdk_header h = {
    .magic = VMDK_MAGIC,
    .version = 1,
    .flags = flags,
    .capacity = VB_CAPACITY,
    .grain_size = VB_GRAIN / 512,
    .descriptor_offset = descriptor ? 1 : 0,
    .descriptor_size = descriptor ? 20 : 0,
    .num_gtes_per_gt = 128,
    .rgd_offset = (flags & VMDK_FLAG_RGD) ? VB_RGD / 512 : 0,
    .gd_offset = gd_offset,
    .overhead = VB_FIRST_GRAIN,
    .compress_algorithm = (flags & VMDK_FLAG_COMPRESSED) ? 1 : 0,
  };

  vmdk_header_encode (&h, b->p);
}

/* The grains with data, by number; 5 is the zeroed one. */
static const unsigned data_grains[] = { 0, 1, 3, 256, 258 };
/* The order in which they lie in the file. */
static const unsigned file_order[] = { 1, 0, 3, 258, 256 };
#define ZEROED_GRAIN 5

static size_t
grain_length (const struct vb *b, unsigned grain)
{
  return (size_t) v2v_min_u64 (VB_GRAIN, b->ref_len - grain * VB_GRAIN);
}

static void
fill_ref (struct vb *b)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (data_grains); ++i)
    test_random (b->ref + data_grains[i] * VB_GRAIN,
                 grain_length (b, data_grains[i]), data_grains[i] + 1);
}

static void
put_tables (struct vb *b, size_t gd, const size_t gt[3])
{
  vb_put32 (b, gd, (uint32_t) gt[0] / 512);
  vb_put32 (b, gd + 4, 0);
  vb_put32 (b, gd + 8, (uint32_t) gt[2] / 512);
}

static void
set_gte (struct vb *b, unsigned grain, uint32_t v, bool redundant)
{
  vb_put32 (b, VB_GT (grain / 128) + 4 * (grain % 128), v);
  if (redundant)
    vb_put32 (b, VB_RGT (grain / 128) + 4 * (grain % 128), v);
}

struct vb
vb_sparse (unsigned flags)
{
  static const size_t gt[3] = { VB_GT (0), 0, VB_GT (2) };
  static const size_t rgt[3] = { VB_RGT (0), 0, VB_RGT (2) };
  struct vb b = vb_new (VB_FIRST_GRAIN * 512, VB_SIZE);
  char text[512];

  put_header (&b,
              VMDK_FLAG_NEWLINES | VMDK_FLAG_RGD |
                  ((flags & VB_ZEROED_GTE) ? VMDK_FLAG_ZERO_GRAIN : 0),
              VB_GD / 512, !(flags & VB_NO_DESCRIPTOR));
  if (!(flags & VB_NO_DESCRIPTOR)) {
    snprintf (text, sizeof text,
              "# Disk DescriptorFile\nversion=1\nCID=12345678\n"
              "parentCID=ffffffff\ncreateType=\"monolithicSparse\"\n"
              "RW %u SPARSE \"a.vmdk\"\nddb.adapterType = \"lsilogic\"\n",
              VB_CAPACITY);
    vb_descriptor (&b, text);
  }
  put_tables (&b, VB_GD, gt);
  put_tables (&b, VB_RGD, rgt);
  fill_ref (&b);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (file_order); ++i) {
    const unsigned g = file_order[i];

    set_gte (&b, g, append (&b, b.ref + g * VB_GRAIN, grain_length (&b, g)),
             true);
  }
  if (flags & VB_ZEROED_GTE)
    set_gte (&b, ZEROED_GRAIN, 1, true);
  return b;
}

static uint32_t
append_record (struct vb *b, unsigned grain, size_t len)
{
  uint8_t raw[VB_GRAIN] = { 0 };
  uint8_t record[12 + 2 * VB_GRAIN];
  struct v2v_error *err = NULL;
  size_t n = 0;

  memcpy (raw, b->ref + grain * VB_GRAIN, grain_length (b, grain));
  assert_ok (
      v2v_deflate (raw, len, 6, record + 12, sizeof record - 12, &n, &err),
      err);
  v2v_put_le64 (record, (uint64_t) grain * (VB_GRAIN / 512));
  v2v_put_le32 (record + 8, (uint32_t) n);
  return append (b, record, 12 + n);
}

static uint32_t
append_marker (struct vb *b, uint64_t sectors, uint32_t type)
{
  uint8_t marker[512] = { 0 };

  v2v_put_le64 (marker, sectors);
  v2v_put_le32 (marker + 12, type);
  return append (b, marker, sizeof marker);
}

static void
append_footer (struct vb *b, const uint32_t gte[3][128])
{
  uint8_t table[512], header[512];
  uint32_t gd[128] = { 0 };

  for (unsigned t = 0; t < 3; t += 2) {
    for (unsigned i = 0; i < 128; ++i)
      v2v_put_le32 (table + 4 * i, gte[t][i]);
    append_marker (b, 1, VMDK_MARKER_GT);
    v2v_put_le32 (&gd[t], append (b, table, sizeof table));
  }
  append_marker (b, 1, VMDK_MARKER_GD);
  memcpy (header, b->p, sizeof header);
  v2v_put_le64 (header + VMDK_H_GD_OFFSET, append (b, gd, 512));
  append_marker (b, 1, VMDK_MARKER_FOOTER);
  append (b, header, sizeof header);
  append_marker (b, 0, VMDK_MARKER_EOS);
}

struct vb
vb_stream (unsigned flags)
{
  static const size_t gt[3] = { VB_GT (0), 0, VB_GT (2) };
  const bool footer = (flags & VB_FOOTER) != 0;
  const unsigned *order = (flags & VB_SHUFFLED) ? file_order : data_grains;
  uint32_t gte[3][128] = { { 0 } };
  struct vb b = vb_new (VB_FIRST_GRAIN * 512, VB_SIZE);
  char text[512];

  put_header (&b, VMDK_FLAG_NEWLINES | VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS,
              footer ? VMDK_GD_AT_END : VB_GD / 512, true);
  vb_put32 (&b, VMDK_H_VERSION, 3);
  snprintf (text, sizeof text,
            "# Disk DescriptorFile\nversion=1\nCID=12345678\n"
            "parentCID=ffffffff\ncreateType=\"streamOptimized\"\n"
            "RDONLY %u SPARSE \"generated-stream.vmdk\"\n",
            VB_CAPACITY);
  vb_descriptor (&b, text);
  if (!footer)
    put_tables (&b, VB_GD, gt);
  fill_ref (&b);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (data_grains); ++i) {
    const unsigned g = order[i];
    const size_t len = i == 0 && (flags & VB_SHORT_FIRST) ? VB_GRAIN / 2
                       : (flags & VB_WHOLE_LAST)          ? VB_GRAIN
                                                 : grain_length (&b, g);
    const uint32_t at = append_record (&b, g, len);

    gte[g / 128][g % 128] = at;
    if (!footer)
      set_gte (&b, g, at, false);
  }
  if (footer)
    append_footer (&b, (const uint32_t (*)[128]) gte);
  return b;
}

/* COWD and seSparse tables span 16 MiB: a whole one and a bit. */
#define SNAPSHOT_SIZE (16u * 1024 * 1024 + 3 * 4096)

struct vb
vb_cowd (void)
{
  struct vb b = vb_new (VB_COWD_GT (2), SNAPSHOT_SIZE - 2048);
  static const unsigned grains[] = { 7, 4095, 4096, 4098 };

  vb_put32 (&b, 0, VMDK_COWD_MAGIC);
  vb_put32 (&b, VMDK_COWD_VERSION, 1);
  vb_put32 (&b, VMDK_COWD_FLAGS, 3);
  vb_put32 (&b, VMDK_COWD_CAPACITY, (uint32_t) (b.ref_len / 512));
  vb_put32 (&b, VMDK_COWD_GRAIN_SIZE, 8);
  vb_put32 (&b, VMDK_COWD_GD_OFFSET, VB_COWD_GD / 512);
  vb_put32 (&b, VMDK_COWD_GD_ENTRIES, 2);
  vb_put32 (&b, VB_COWD_GD, VB_COWD_GT (0) / 512);
  vb_put32 (&b, VB_COWD_GD + 4, VB_COWD_GT (1) / 512);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (grains); ++i) {
    const unsigned g = grains[i];

    test_random (b.ref + g * 4096, grain_length (&b, g), g);
    vb_put32 (&b, VB_COWD_GT (g / 4096) + 4 * (g % 4096),
              append (&b, b.ref + g * 4096, grain_length (&b, g)));
  }
  vb_put32 (&b, VMDK_COWD_FREE_SECTOR, (uint32_t) (b.len / 512));
  return b;
}

struct vb
vb_sesparse (void)
{
  const size_t grains_at = VB_SE_GT + 2 * 64 * 512;
  struct vb b = vb_new (grains_at, SNAPSHOT_SIZE);
  static const unsigned grains[] = { 9, 4095, 4097, 4098 };
  static const struct {
    size_t field;
    uint64_t value;
  } fields[] = {
    { 0, VMDK_SE_MAGIC },
    { 1, VMDK_SE_VERSION },
    { 2, SNAPSHOT_SIZE / 512 },
    { 3, 8 },
    { 4, 64 },
    { 10, VB_SE_VOLATILE / 512 },
    { 11, 1 },
    { 16, VB_SE_GD / 512 },
    { 17, 1 },
    { 18, VB_SE_GT / 512 },
    { 19, 128 },
    { 24, VB_SE_GT / 512 + 128 },
    { 25, 64 },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    vb_put64 (&b, 8 * fields[i].field, fields[i].value);
  vb_put64 (&b, VB_SE_VOLATILE, VMDK_SE_VOLATILE_MAGIC);
  /* The tables are used in the other order. */
  vb_put64 (&b, VB_SE_GD, UINT64_C (0x1000000000000001));
  vb_put64 (&b, VB_SE_GD + 8, UINT64_C (0x1000000000000000));
  for (size_t i = 0; i < V2V_ARRAY_SIZE (grains); ++i) {
    const unsigned g = grains[i];
    const uint64_t nr = (append (&b, b.ref, 4096) * 512 - grains_at) / 4096;

    test_random (b.ref + g * 4096, 4096, g);
    memcpy (b.p + grains_at + nr * 4096, b.ref + g * 4096, 4096);
    vb_put64 (&b, VB_SE_GT + (1 - g / 4096) * 32768 + 8 * (g % 4096),
              UINT64_C (3) << 60 | (nr & 0xfff) << 48 | nr >> 12);
  }
  vb_put64 (&b, VB_SE_GT + 32768 + 8 * 20, UINT64_C (1) << 60); /* unmapped */
  vb_put64 (&b, VB_SE_GT + 32768 + 8 * 21, UINT64_C (2) << 60); /* zeroed */
  return b;
}

/* ---- files that see each other ---- */

struct folder {
  struct vb_file *files;
  size_t n;
};

static struct v2v_io *
resolve (void *arg, const char *name, unsigned flags, struct v2v_error **err)
{
  const struct folder *f = arg;

  (void) flags;
  for (size_t i = 0; i < f->n; ++i)
    if (strcmp (f->files[i].name, name) == 0) {
      struct v2v_io *io =
          v2v_io_from_buffer (name, f->files[i].data, f->files[i].len, err);
      struct folder *copy = malloc (sizeof *copy);

      assert_non_null (io);
      assert_non_null (copy);
      copy->files = f->files;
      copy->n = f->n;
      v2v_io_set_resolver (io, resolve, copy, free);
      return io;
    }
  errno = ENOENT;
  v2v_fail_errno (err, "%s", name);
  return NULL;
}

/* Ends with the folder's first file: what it resolved may not outlive it. */
static void
folder_free (void *arg)
{
  struct folder *f = arg;

  free (f->files);
  free (f);
}

struct v2v_io *
vb_folder (const struct vb_file *files, size_t n)
{
  struct folder *f = malloc (sizeof *f);
  struct v2v_error *err = NULL;
  struct v2v_io *io =
      v2v_io_from_buffer (files[0].name, files[0].data, files[0].len, &err);

  assert_ptr (io, err);
  assert_non_null (f);
  f->files = malloc (n * sizeof *files);
  assert_non_null (f->files);
  memcpy (f->files, files, n * sizeof *files);
  f->n = n;
  v2v_io_set_resolver (io, resolve, f, folder_free);
  return io;
}

struct v2v_io *
vb_io (const struct vb *b, const char *name)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer (name, b->p, b->len, &err);

  assert_ptr (io, err);
  return io;
}

struct v2v_io *
vb_pipe (const void *data, size_t len)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  const int fd = memfd_create ("stream", MFD_CLOEXEC);

  assert_true (fd != -1);
  assert_true (write (fd, data, len) == (ssize_t) len);
  assert_true (lseek (fd, 0, SEEK_SET) == 0);
  io = v2v_io_from_stream (fd, "stream", V2V_IO_SIZE_UNKNOWN, &err);
  assert_ptr (io, err);
  return io;
}

/* ---- judging ---- */

void
vb_expect_pieces (struct v2v_image *img, const void *ref, size_t len,
                  size_t start, size_t step)
{
  CLEANUP_FREE uint8_t *buf = malloc (step);
  struct v2v_error *err = NULL;

  assert_non_null (buf);
  assert_true (v2v_image_size (img) == len);
  for (size_t o = start; o < len; o += step) {
    const size_t n = (size_t) v2v_min_u64 (step, len - o);

    memset (buf, 0x5a, n);
    assert_ok (v2v_image_read (img, buf, n, o, &err), err);
    if (memcmp (buf, (const uint8_t *) ref + o, n) != 0)
      fail_msg ("contents differ in the %zu bytes at %zu", n, o);
  }
}

void
vb_expect (struct v2v_image *img, const void *ref, size_t len)
{
  vb_expect_pieces (img, ref, len, 0, 1024 * 1024);
}

void
vb_expect_refused (struct v2v_io *io, enum v2v_error_code code,
                   const char *text)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  const struct v2v_open_opts opts = { .format = "vmdk", .no_parents = true };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, &opts, &err);
  static uint8_t buf[1024 * 1024];

  if (img != NULL) {
    const uint64_t size = v2v_image_size (img);

    if (v2v_image_extents (img, size, 0, &list, &err) == 0)
      for (uint64_t o = 0; err == NULL && o < size; o += sizeof buf)
        v2v_image_read (img, buf, (size_t) v2v_min_u64 (sizeof buf, size - o),
                        o, &err);
    v2v_image_close (img);
  }
  assert_error (&err, code, text);
}
