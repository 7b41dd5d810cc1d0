/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHD reader: samples, geometry, and one malformed file per check. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "formats/vhd-format.h"
#include "test-util.h"

#define BLOCK (2 * 1024 * 1024)

static unsigned nr_warnings;
static char last_warning[1000];

static void
count_warning (void *arg, enum v2v_log_level level, const char *message)
{
  (void) arg;
  if (level != V2V_LOG_WARNING)
    return;
  nr_warnings++;
  strncpy (last_warning, message, sizeof last_warning - 1);
}

static int
setup (void **state)
{
  (void) state;
  nr_warnings = 0;
  v2v_log_set_sink (count_warning, NULL);
  return 0;
}

/* ---- samples ---- */

static void
check_sample (const char *packed, uint64_t size, const char *variant,
              const char *creator, const char *sha256)
{
  char *dir = test_tmpdir ();
  char *path = strstr (packed, ".gz") || strstr (packed, ".bz2")
                   ? test_sample_unpacked (packed, dir)
                   : test_sample (packed);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  const struct v2v_image_info *info;
  char hex[65];

  if (path == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  info = v2v_image_get_info (img);
  assert_string_equal (info->format, "vhd");
  assert_string_equal (info->variant, variant);
  assert_string_equal (info->creator, creator);
  assert_true (info->size_bytes == size);
  if (sha256 != NULL) {
    test_image_sha256 (img, hex);
    assert_string_equal (hex, sha256);
  }
  v2v_image_close (img);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_sample_dynamic_has_its_current_size_and_content (void **state)
{
  (void) state;
  check_sample (
      "vhd/dynamic.vhd.gz", 10485760, "dynamic", "win 10.0",
      "ecff2ef6615a3cddc6a6885f1c6d9cf13a232697e1dc6575f2c2f01f57247784");
}

static void
test_sample_ext2_of_qemu (void **state)
{
  (void) state;
  check_sample (
      "vhd/ext2.vhd", 4212736, "dynamic", "qemu 5.3",
      "870be7ae16c1fa8faab05c6eb9205dc9a7ae35c5f552c5cf8a267c0bc6a5cb99");
}

static void
test_sample_virtual_pc_reports_both_sizes (void **state)
{
  char *dir = test_tmpdir ();
  char *path = test_sample_unpacked ("vhd/virtualpc-dynamic.vhd.bz2", dir);
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_json *obj = v2v_json_new_object ();
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint64_t v = 0;

  (void) state;
  if (path == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == UINT64_C (136365211648));
  v2v_image_describe (img, obj);
  assert_true (v2v_json_get_u64 (obj, "geometry_size", &v));
  assert_true (v == UINT64_C (136363130880));
  assert_true (v2v_json_get_u64 (obj, "current_size", &v));
  assert_true (v == UINT64_C (136365211648));
  /* Empty: one hole from end to end, found without reading it. */
  assert_ok (v2v_image_extents (img, v2v_image_size (img), 0, &list, &err),
             err);
  assert_int_equal (list.len, 1);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  v2v_json_free (obj);
  v2v_image_close (img);
  free (path);
  test_tmpdir_remove (dir);
}

static void
test_sample_child_without_its_parent_is_refused (void **state)
{
  char *path = test_sample ("vhd/fat-differential.vhd");
  struct v2v_error *err = NULL;

  (void) state;
  if (path == NULL)
    skip ();
  assert_null (v2v_image_open (path, NULL, &err));
  assert_error (&err, V2V_ERR_IO, "its parent 'fat-parent.vhd' is not here");
  free (path);
}

static void
test_sample_child_has_exactly_its_sectors (void **state)
{
  static const unsigned sectors[] = { 134, 143, 152, 153, 154, 155,
                                      156, 157, 158, 159, 184, 185,
                                      188, 190, 191, 192, 194, 196 };
  char *path = test_sample ("vhd/fat-differential.vhd");
  const struct v2v_open_opts opts = { .no_parents = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  const struct v2v_image_info *info;
  struct v2v_image *img;
  size_t n = 0;

  (void) state;
  if (path == NULL)
    skip ();
  img = v2v_image_open (path, &opts, &err);
  assert_ptr (img, err);
  info = v2v_image_get_info (img);
  assert_true (info->has_parent);
  assert_string_equal (info->parent_id, "5fa21a55-f394-aa4d-9958-1951a67d5540");
  assert_string_equal (info->parent_name, ".\\fat-parent.vhd");
  assert_ok (v2v_image_extents (img, info->size_bytes, 0, &list, &err), err);
  for (size_t i = 0; i < list.len; ++i) {
    const struct v2v_extent *e = &list.ptr[i];

    assert_int_not_equal (e->type, V2V_EXTENT_ZERO);
    for (uint64_t o = 0; e->type == V2V_EXTENT_DATA && o < e->length;
         o += 512) {
      assert_true (n < V2V_ARRAY_SIZE (sectors));
      assert_int_equal ((e->offset + o) / 512, sectors[n++]);
    }
  }
  assert_int_equal (n, V2V_ARRAY_SIZE (sectors));
  v2v_image_close (img);
  free (path);
}

/* ---- geometry ---- */

static void
test_geometry_follows_the_specification (void **state)
{
  /* Sectors; cylinders, heads, sectors per track: worked out by hand from the
   * pseudo-code of the specification's appendix. */
  static const struct {
    uint64_t total;
    unsigned c, h, s;
  } table[] = {
    { 1, 0, 4, 17 },
    { 20480, 301, 4, 17 }, /* dynamic.vhd */
    { 8192, 120, 4, 17 },  /* fat-differential.vhd */
    { 8228, 121, 4, 17 },  /* ext2.vhd */
    { 69631, 1023, 4, 17 },
    /* 69632 / 17 = 4096 cylinder-heads are 1024 for each of 4 heads: too many.
     * 69632 / 31 / 16 = 140. */
    { 69632, 140, 16, 31 },
    { 2097152, 2080, 16, 63 },     /* 1 GiB */
    { 266338304, 65278, 16, 255 }, /* virtualpc-dynamic.vhd */
    { 66059280, 16191, 16, 255 },  /* first with 255 sectors */
    { 66059279, 65534, 16, 63 },   /* last without */
    { 267382800, 65535, 16, 255 }, /* the largest */
    { 267382801, 65535, 16, 255 },
    { 4278190080, 65535, 16, 255 }, /* 2040 GiB */
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (table); ++i) {
    const struct vhd_geometry g = vhd_geometry_of (table[i].total);

    assert_int_equal (g.cylinders, table[i].c);
    assert_int_equal (g.heads, table[i].h);
    assert_int_equal (g.sectors, table[i].s);
  }
}

static void
test_rounding_to_geometry_gives_the_next_exact_size (void **state)
{
  static const uint64_t sizes[] = { 1,         67,        68,        69,
                                    20480,     69631,     69632,     69633,
                                    1048575,   2097152,   66059279,  66059280,
                                    66059281,  267382799, 267382800, 267382801,
                                    4278190080 };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sizes); ++i) {
    const uint64_t n = vhd_round_up_to_geometry (sizes[i]);

    assert_true (n >= sizes[i]);
    assert_true (n - sizes[i] <= 2 * 16 * 255);
    if (sizes[i] <= 267382800)
      assert_true (vhd_geometry_sectors (vhd_geometry_of (n)) == n);
    else
      assert_true (n == sizes[i]);
  }
  /* What qemu-img made of 4 MiB without force_size: sample ext2.vhd. */
  assert_true (vhd_round_up_to_geometry (8192) == 4212736 / 512);
}

/* ---- bitmaps ---- */

static void
test_bitmap_runs_are_most_significant_bit_first (void **state)
{
  uint8_t b[4] = { 0 };
  bool value;

  (void) state;
  vhd_bitmap_set (b, 0, 1);
  assert_int_equal (b[0], 0x80);
  vhd_bitmap_set (b, 6, 12);
  assert_int_equal (b[0], 0x83);
  assert_int_equal (b[1], 0xff);
  assert_int_equal (b[2], 0xc0);
  assert_int_equal (vhd_bitmap_run (b, 0, 32, &value), 1);
  assert_true (value);
  assert_int_equal (vhd_bitmap_run (b, 1, 31, &value), 5);
  assert_false (value);
  assert_int_equal (vhd_bitmap_run (b, 6, 26, &value), 12);
  assert_true (value);
  assert_int_equal (vhd_bitmap_run (b, 18, 14, &value), 14);
  assert_false (value);
  assert_int_equal (vhd_bitmap_run (b, 7, 3, &value), 3);
}

/* ---- made files: a small maker of its own, straight from the text ---- */

static void
put_checksum (uint8_t *p, size_t len, size_t field)
{
  uint32_t sum = 0;

  v2v_put_be32 (p + field, 0);
  for (size_t i = 0; i < len; ++i)
    sum += p[i];
  v2v_put_be32 (p + field, ~sum);
}

static void
make_footer (uint8_t *p, uint32_t type, uint64_t size)
{
  memset (p, 0, 512);
  memcpy (p, "conectix", 8);
  v2v_put_be32 (p + 8, 2);
  v2v_put_be32 (p + 12, 0x10000);
  v2v_put_be64 (p + 16, type == 2 ? UINT64_MAX : 512);
  v2v_put_be32 (p + 24, 1000);
  memcpy (p + 28, "win ", 4);
  v2v_put_be32 (p + 32, 0xa0000);
  memcpy (p + 36, "Wi2k", 4);
  v2v_put_be64 (p + 40, size);
  v2v_put_be64 (p + 48, size);
  v2v_put_be32 (p + 60, type);
  memset (p + 68, 0x11, 16);
  put_checksum (p, 512, 64);
}

/* A disk of 5 MiB less a sector in blocks of 2 MiB: block 0 present in part,
 * block 1 absent, block 2 (the last, 1 MiB less a sector) present. */
#define DISK_SIZE     (5 * 1024 * 1024 - 512)
#define BAT_OFF       1536
#define BLOCK0_SECTOR 4
#define BLOCK2_SECTOR (4 + 4097)
#define FILE_SIZE     (2048 + 2 * (512 + BLOCK) + 512)

struct made {
  uint8_t *p;
  size_t len;
};

static struct made
make_dynamic (uint32_t type)
{
  struct made m = { calloc (1, FILE_SIZE), FILE_SIZE };
  uint8_t *b;

  assert_non_null (m.p);
  make_footer (m.p, type, DISK_SIZE);
  memcpy (m.p + FILE_SIZE - 512, m.p, 512);
  b = m.p + 512;
  memcpy (b, "cxsparse", 8);
  v2v_put_be64 (b + 8, UINT64_MAX);
  v2v_put_be64 (b + 16, BAT_OFF);
  v2v_put_be32 (b + 24, 0x10000);
  v2v_put_be32 (b + 28, 3);
  v2v_put_be32 (b + 32, BLOCK);
  if (type == 4)
    memset (b + 40, 0x22, 16);
  put_checksum (b, 1024, 36);
  memset (m.p + BAT_OFF, 0xff, 512);
  v2v_put_be32 (m.p + BAT_OFF, BLOCK0_SECTOR);
  v2v_put_be32 (m.p + BAT_OFF + 8, BLOCK2_SECTOR);
  /* Block 0: sectors 8-15 and 17 present; the rest has old bytes. */
  b = m.p + BLOCK0_SECTOR * 512;
  b[1] = 0xff;
  b[2] = 0x40;
  test_random (b + 512, BLOCK, 1);
  b = m.p + BLOCK2_SECTOR * 512;
  memset (b, 0xff, 512);
  test_random (b + 512, BLOCK, 2);
  return m;
}

static struct v2v_image *
open_made (const struct made *m, const struct v2v_open_opts *opts,
           struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_from_buffer ("made.vhd", m->p, m->len, err);
  struct v2v_image *img = io ? v2v_image_open_io (io, opts, err) : NULL;

  v2v_io_unref (io);
  return img;
}

/* Set four bytes of the dynamic header, checksum and all. */
static void
patch_header (struct made *m, size_t off, uint32_t v)
{
  v2v_put_be32 (m->p + 512 + off, v);
  put_checksum (m->p + 512, 1024, 36);
}

/* Set four bytes in both footers. */
static void
patch_footers (struct made *m, size_t off, uint32_t v)
{
  v2v_put_be32 (m->p + off, v);
  put_checksum (m->p, 512, 64);
  memcpy (m->p + m->len - 512, m->p, 512);
}

static void
expect_refusal (struct made *m, enum v2v_error_code code, const char *text)
{
  const struct v2v_open_opts opts = { .format = "vhd", .no_parents = true };
  struct v2v_error *err = NULL;

  assert_null (open_made (m, &opts, &err));
  assert_error (&err, code, text);
  free (m->p);
  m->p = NULL;
}

static void
test_clear_bits_of_a_dynamic_disk_are_zeros (void **state)
{
  struct made m = make_dynamic (3);
  struct v2v_error *err = NULL;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_image *img = open_made (&m, NULL, &err);
  char *buf = malloc (DISK_SIZE);
  const uint8_t *data0 = m.p + BLOCK0_SECTOR * 512 + 512;

  (void) state;
  assert_ptr (img, err);
  assert_int_equal (nr_warnings, 0);
  assert_ok (v2v_image_read (img, buf, DISK_SIZE, 0, &err), err);
  assert_true (v2v_is_zero (buf, 8 * 512));
  assert_memory_equal (buf + 8 * 512, data0 + 8 * 512, 8 * 512);
  assert_true (v2v_is_zero (buf + 16 * 512, 512));
  assert_memory_equal (buf + 17 * 512, data0 + 17 * 512, 512);
  assert_true (v2v_is_zero (buf + 18 * 512, 2 * BLOCK - 18 * 512));
  assert_memory_equal (buf + 2 * BLOCK, m.p + BLOCK2_SECTOR * 512 + 512,
                       DISK_SIZE - 2 * BLOCK);
  /* From the middle of a sector: bits are found for whole sectors. */
  assert_ok (v2v_image_extents (img, 700, 17 * 512 - 100, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_int_equal (list.ptr[0].length, 100);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ZERO);
  assert_int_equal (list.ptr[1].length, 512);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_DATA);
  assert_int_equal (list.ptr[2].length, 88);
  v2v_extents_clear (&list);
  assert_ok (v2v_image_extents (img, 512, BLOCK, &list, &err), err);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  free (buf);
  v2v_image_close (img);
  free (m.p);
}

static void
test_last_block_may_end_with_the_disk (void **state)
{
  struct made m = make_dynamic (3);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  const size_t cut = BLOCK - (DISK_SIZE - 2 * BLOCK);

  /* The footer right behind the disk's last sector. */
  (void) state;
  memmove (m.p + m.len - 512 - cut, m.p + m.len - 512, 512);
  m.len -= cut;
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  /* One sector less is too short. */
  memmove (m.p + m.len - 1024, m.p + m.len - 512, 512);
  m.len -= 512;
  expect_refusal (&m, V2V_ERR_FORMAT, "BAT: entry 2 points at sector 4101");
}

static void
test_fixed_disk_with_a_footer_in_its_first_sector_is_fixed (void **state)
{
  struct made m = { calloc (1, 65536 + 512), 65536 + 512 };
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  char first[512];

  (void) state;
  test_random (m.p, 65536, 3);
  make_footer (m.p, 3, 99 * 512); /* guest data that looks like a copy */
  make_footer (m.p + 65536, 2, 65536);
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  assert_string_equal (v2v_image_get_info (img)->variant, "fixed");
  assert_true (v2v_image_size (img) == 65536);
  assert_ok (v2v_image_read (img, first, 512, 0, &err), err);
  assert_memory_equal (first, m.p, 512);
  assert_int_equal (nr_warnings, 0);
  v2v_image_close (img);
  /* Longer than its current size: the rest is not the disk's. */
  make_footer (m.p + 65536, 2, 65536 - 512);
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == 65536 - 512);
  v2v_image_close (img);
  make_footer (m.p + 65536, 2, 65536 + 512);
  expect_refusal (&m, V2V_ERR_FORMAT, "current size 66048, but only 65536");
}

static void
test_footer_of_511_bytes_is_read (void **state)
{
  struct made m = { calloc (1, 65536 + 512), 65536 + 511 };
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  make_footer (m.p + 65536, 2, 65536);
  v2v_put_be32 (m.p + 65536 + 8, 0);
  put_checksum (m.p + 65536, 511, 64);
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == 65536);
  v2v_image_close (img);
  free (m.p);
}

static void
test_end_footer_damaged_the_copy_is_used_and_said (void **state)
{
  struct made m = make_dynamic (3);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  m.p[m.len - 512 + 100] ^= 1;
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  assert_int_equal (nr_warnings, 1);
  assert_non_null (strstr (last_warning, "the footer at the end is damaged"));
  v2v_image_close (img);
  m.len -= 512; /* gone altogether */
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  m.p[100] ^= 1;
  expect_refusal (&m, V2V_ERR_FORMAT, "the copy at offset 0 has a wrong");
}

static void
test_copy_damaged_the_end_footer_is_used_and_said (void **state)
{
  struct made m = make_dynamic (3);
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  m.p[100] ^= 1;
  img = open_made (&m, NULL, &err);
  assert_ptr (img, err);
  assert_int_equal (nr_warnings, 1);
  assert_non_null (strstr (last_warning, "copy at offset 0 is damaged"));
  v2v_image_close (img);
  m.p[m.len - 512 + 100] ^= 1;
  expect_refusal (&m, V2V_ERR_FORMAT, "footer: checksum");
}

static void
test_bad_footer_fields_are_refused (void **state)
{
  struct made m;

  (void) state;
  m = make_dynamic (3);
  patch_footers (&m, 12, 0x20000);
  expect_refusal (&m, V2V_ERR_UNSUPPORTED, "format version 0x00020000");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + m.len - 512 + 60, 5);
  put_checksum (m.p + m.len - 512, 512, 64);
  expect_refusal (&m, V2V_ERR_UNSUPPORTED, "disk type 5");
  m = make_dynamic (3);
  patch_footers (&m, 52, DISK_SIZE + 1);
  expect_refusal (&m, V2V_ERR_FORMAT, "expected a multiple of 512");
  m = make_dynamic (3);
  patch_footers (&m, 52, 0);
  expect_refusal (&m, V2V_ERR_FORMAT, "current size 0");
  m = make_dynamic (3);
  patch_footers (&m, 48, 0x1fe); /* 2040 GiB and more */
  expect_refusal (&m, V2V_ERR_FORMAT, "current size");
  m = make_dynamic (3);
  patch_footers (&m, 20, FILE_SIZE - 512);
  expect_refusal (&m, V2V_ERR_FORMAT, "dynamic header at");
  m = make_dynamic (3);
  patch_footers (&m, 20, 0);
  expect_refusal (&m, V2V_ERR_FORMAT, "dynamic header at 0");
  m = (struct made){ calloc (1, 510), 510 };
  expect_refusal (&m, V2V_ERR_FORMAT, "510 bytes, too short");
  m = (struct made){ calloc (1, 4096), 4096 };
  expect_refusal (&m, V2V_ERR_FORMAT, "no footer at the end");
}

static void
test_bad_header_fields_are_refused (void **state)
{
  static const struct {
    size_t off;
    uint32_t v;
    enum v2v_error_code code;
    const char *text;
  } table[] = {
    { 0, 0, V2V_ERR_FORMAT, "no 'cxsparse'" },
    { 24, 0x20000, V2V_ERR_UNSUPPORTED, "version 0x00020000" },
    { 32, BLOCK - 1, V2V_ERR_FORMAT, "block size 2097151" },
    { 32, 0, V2V_ERR_FORMAT, "block size 0" },
    { 32, 256, V2V_ERR_FORMAT, "block size 256" },
    { 28, 2, V2V_ERR_FORMAT, "2 table entries, the disk" },
    { 20, FILE_SIZE, V2V_ERR_FORMAT, "BAT of 3 entries" },
    { 20, FILE_SIZE / 512 * 512 + 512, V2V_ERR_FORMAT, "outside the file" },
    { 20, 1537, V2V_ERR_FORMAT, "BAT of 3 entries at 1537" },
    { 20, 0, V2V_ERR_FORMAT, "BAT of 3 entries at 0" },
    { 16, UINT32_MAX, V2V_ERR_FORMAT, "BAT of 3 entries" },
  };
  struct made m;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (table); ++i) {
    m = make_dynamic (3);
    patch_header (&m, table[i].off, table[i].v);
    expect_refusal (&m, table[i].code, table[i].text);
  }
  m = make_dynamic (3);
  m.p[512 + 900] ^= 1;
  expect_refusal (&m, V2V_ERR_FORMAT, "dynamic header: checksum");
  /* A table that would take gigabytes is refused before it is read. */
  m = make_dynamic (3);
  patch_footers (&m, 48, 0x1fd);
  patch_header (&m, 28, UINT32_MAX);
  patch_header (&m, 32, 512);
  expect_refusal (&m, V2V_ERR_UNSUPPORTED, "blocks of 512 bytes, at most");
}

static void
test_bad_bat_entries_are_refused (void **state)
{
  struct made m;

  (void) state;
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF + 4, 0xfffffffe);
  expect_refusal (&m, V2V_ERR_FORMAT, "BAT: entry 1 points at sector");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF + 4, BLOCK0_SECTOR);
  expect_refusal (&m, V2V_ERR_FORMAT, "overlap");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF + 8, BLOCK2_SECTOR - 1);
  expect_refusal (&m, V2V_ERR_FORMAT, "overlap at sector 4100");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF, 1);
  expect_refusal (&m, V2V_ERR_FORMAT, "over the header");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF, 3);
  expect_refusal (&m, V2V_ERR_FORMAT, "over the header or the BAT");
  m = make_dynamic (3);
  v2v_put_be32 (m.p + BAT_OFF, 0);
  expect_refusal (&m, V2V_ERR_FORMAT, "over the header");
}

static void
test_unfinished_file_of_ours_is_no_vhd (void **state)
{
  struct made m = make_dynamic (3);

  (void) state;
  memcpy (m.p, VHD_PART_COOKIE, 8);
  put_checksum (m.p, 512, 64);
  m.len -= 512;
  expect_refusal (&m, V2V_ERR_FORMAT, "no footer at the end");
}

/* ---- parents ---- */

/* A child of 5 MiB whose header names its parent by LOCATOR or by name. */
static struct made
make_child (const char *code, const void *text, size_t len)
{
  struct made m = make_dynamic (4);
  /* The unused tail of block 2 is as good a place as any. */
  const uint32_t place = FILE_SIZE - 512 - 4096;
  uint8_t *l = m.p + 512 + 576 + 3 * 24;

  if (code != NULL) {
    memcpy (l, code, 4);
    v2v_put_be32 (l + 4, 1);
    v2v_put_be32 (l + 8, (uint32_t) len);
    v2v_put_be64 (l + 16, place);
    memcpy (m.p + place, text, len);
  }
  else
    memcpy (m.p + 512 + 64, text, len);
  put_checksum (m.p + 512, 1024, 36);
  return m;
}

static void
check_candidate (struct made m, const char *expected)
{
  const struct v2v_open_opts opts = { .format = "vhd" };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;

  assert_null (open_made (&m, &opts, &err));
  assert_int_not_equal (
      asprintf (&text, "its parent '%s' is not here", expected), -1);
  assert_error (&err, V2V_ERR_IO, text);
  free (m.p);
}

#define WIDE(s) s, sizeof (s)

static void
test_parent_names_come_from_every_locator (void **state)
{
  (void) state;
  check_candidate (make_child ("W2ru", WIDE (".\0\\\0b\0.\0v\0h\0d\0")),
                   "b.vhd");
  check_candidate (make_child ("W2ku", WIDE ("C\0:\0\\\0x\0\\\0b\0")), "b");
  check_candidate (make_child ("MacX", "file://localhost/a/b%20c.vhd", 28),
                   "b c.vhd");
  check_candidate (make_child (NULL, "\0C\0:\0\\\0p\0.\0v\0h\0d", 16), "p.vhd");
  /* Paths never lead out of the folder. */
  check_candidate (make_child ("MacX", "../../etc/passwd", 16), "passwd");
  check_candidate (make_child ("W2ku", WIDE ("\\\0\\\0h\0\\\0s\0\\\0n\0")),
                   "n");
  /* Nothing usable. */
  check_candidate (make_child ("MacX", "../..", 5), "../..");
  check_candidate (make_child ("Wi2k", "b.vhd", 5), "?");
}

static void
test_locator_out_of_the_file_is_passed_over (void **state)
{
  struct made m = make_child ("W2ru", WIDE ("b\0.\0v\0h\0d\0"));
  uint8_t *l = m.p + 512 + 576 + 3 * 24;

  (void) state;
  memcpy (m.p + 512 + 64, "\0n", 2);
  v2v_put_be64 (l + 16, UINT64_MAX - 2);
  put_checksum (m.p + 512, 1024, 36);
  check_candidate (m, "n");
}

/* Parent and child in a folder. */
static struct v2v_image *
open_pair (const char *dir, struct made *parent, struct made *child,
           const struct v2v_open_opts *opts, struct v2v_error **err)
{
  CLEANUP_FREE char *p = NULL, *c = NULL;

  assert_int_not_equal (asprintf (&p, "%s/b.vhd", dir), -1);
  assert_int_not_equal (asprintf (&c, "%s/c.vhd", dir), -1);
  test_write_file (p, parent->p, parent->len);
  test_write_file (c, child->p, child->len);
  return v2v_image_open (c, opts, err);
}

static void
test_wrong_parent_identifier_refuses_and_names_both (void **state)
{
  char *dir = test_tmpdir ();
  struct made parent = make_dynamic (3);
  struct made child = make_child ("W2ru", WIDE ("b\0.\0v\0h\0d\0"));
  const struct v2v_open_opts ignore = { .ignore_parent_id = true };
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  assert_null (open_pair (dir, &parent, &child, NULL, &err));
  assert_non_null (
      strstr (v2v_error_message (err), "22222222-2222-2222-2222-222222222222"));
  assert_error (&err, V2V_ERR_MISMATCH, "11111111-1111-1111-1111-1111");
  img = open_pair (dir, &parent, &child, &ignore, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  free (parent.p);
  free (child.p);
  test_tmpdir_remove (dir);
}

static void
test_wrong_parent_timestamp_warns (void **state)
{
  char *dir = test_tmpdir ();
  struct made parent = make_dynamic (3);
  struct made child = make_child ("W2ru", WIDE ("b\0.\0v\0h\0d\0"));
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  char a[512], b[512];

  (void) state;
  memset (child.p + 512 + 40, 0x11, 16);
  put_checksum (child.p + 512, 1024, 36);
  img = open_pair (dir, &parent, &child, NULL, &err); /* field is zero */
  assert_ptr (img, err);
  assert_int_equal (nr_warnings, 0);
  assert_int_equal (v2v_image_chain_length (img), 2);
  /* Sector 8 is the child's, sector 7 the parent's (zeros there). */
  assert_ok (v2v_image_read (img, a, 512, 8 * 512, &err), err);
  assert_memory_equal (a, child.p + BLOCK0_SECTOR * 512 + 512 + 8 * 512, 512);
  assert_ok (v2v_image_read (img, b, 512, 7 * 512, &err), err);
  assert_true (v2v_is_zero (b, 512));
  v2v_image_close (img);

  patch_header (&child, 56, 12345);
  img = open_pair (dir, &parent, &child, NULL, &err);
  assert_ptr (img, err);
  assert_int_equal (nr_warnings, 1);
  assert_non_null (strstr (last_warning, "was modified at"));
  v2v_image_close (img);
  free (parent.p);
  free (child.p);
  test_tmpdir_remove (dir);
}

static void
test_child_that_is_its_own_parent_is_refused (void **state)
{
  char *dir = test_tmpdir ();
  struct made child = make_child ("W2ru", WIDE ("c\0.\0v\0h\0d\0"));
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (open_pair (dir, &child, &child, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, "loop");
  free (child.p);
  test_tmpdir_remove (dir);
}

/* ---- faults ---- */

static void
test_every_failing_read_is_an_error (void **state)
{
  struct made m = make_dynamic (3);
  struct v2v_error *err = NULL;
  struct v2v_io *base = v2v_io_from_buffer ("made.vhd", m.p, m.len, &err);
  const struct v2v_open_opts opts = { .format = "vhd" };
  char *buf = malloc (DISK_SIZE);
  unsigned total = 0;

  (void) state;
  for (unsigned n = 0; n <= total; ++n) {
    struct v2v_io *io = test_faulty_io (base, n, EIO, n == 0 ? &total : NULL);
    struct v2v_image *img = v2v_image_open_io (io, &opts, &err);

    if (img != NULL)
      (void) v2v_image_read (img, buf, DISK_SIZE, 0, &err);
    if (n == 0)
      assert_ok (err != NULL, err);
    else
      assert_error (&err, V2V_ERR_IO, "injected");
    v2v_image_close (img);
    v2v_io_unref (io);
  }
  assert_true (total >= 6);
  free (buf);
  v2v_io_unref (base);
  free (m.p);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup (f, setup)
  const struct CMUnitTest tests[] = {
    TEST (test_sample_dynamic_has_its_current_size_and_content),
    TEST (test_sample_ext2_of_qemu),
    TEST (test_sample_virtual_pc_reports_both_sizes),
    TEST (test_sample_child_without_its_parent_is_refused),
    TEST (test_sample_child_has_exactly_its_sectors),
    TEST (test_geometry_follows_the_specification),
    TEST (test_rounding_to_geometry_gives_the_next_exact_size),
    TEST (test_bitmap_runs_are_most_significant_bit_first),
    TEST (test_clear_bits_of_a_dynamic_disk_are_zeros),
    TEST (test_last_block_may_end_with_the_disk),
    TEST (test_fixed_disk_with_a_footer_in_its_first_sector_is_fixed),
    TEST (test_footer_of_511_bytes_is_read),
    TEST (test_end_footer_damaged_the_copy_is_used_and_said),
    TEST (test_copy_damaged_the_end_footer_is_used_and_said),
    TEST (test_bad_footer_fields_are_refused),
    TEST (test_bad_header_fields_are_refused),
    TEST (test_bad_bat_entries_are_refused),
    TEST (test_unfinished_file_of_ours_is_no_vhd),
    TEST (test_parent_names_come_from_every_locator),
    TEST (test_locator_out_of_the_file_is_passed_over),
    TEST (test_wrong_parent_identifier_refuses_and_names_both),
    TEST (test_wrong_parent_timestamp_warns),
    TEST (test_child_that_is_its_own_parent_is_refused),
    TEST (test_every_failing_read_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
