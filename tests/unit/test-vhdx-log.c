/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VHDX log: which sequence is active, what it does to the disk, and what
 * is refused.  Each case is read (replayed in memory) and repaired (replayed
 * on the file), which must agree.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "vhdx-build.h"

#define GUID 0x6c

/* Sectors for log entries. */
static uint8_t bat_a[4096], bat_b[4096], fill[4096];

/* The BAT's first sector with block N at OFFSET. */
static void
make_bat (uint8_t *sector, unsigned n, uint64_t offset)
{
  memset (sector, 0, 4096);
  v2v_put_le64 (sector + 8 * n, offset | 6);
}

static struct vhdx_build *
new_file (void)
{
  struct vhdx_build *b = vhdx_build_new (NULL);

  vhdx_build_fill (b, BUILD_DATA, MIB, 0xa1);
  vhdx_build_fill (b, BUILD_DATA + MIB, MIB, 0xb2);
  make_bat (bat_a, 0, BUILD_DATA);
  make_bat (bat_b, 1, BUILD_DATA + MIB);
  test_random (fill, sizeof fill, 7);
  vhdx_build_use_log (b, GUID);
  return b;
}

static struct vhdx_build_write
to_bat (const uint8_t *sector)
{
  return (struct vhdx_build_write){ .offset = BUILD_BAT, .data = sector };
}

/* One entry with one write. */
static unsigned
add (struct vhdx_build *b, unsigned sector, unsigned tail, uint64_t sequence,
     struct vhdx_build_write w)
{
  return vhdx_build_log (b,
                         &(const struct vhdx_build_entry){ .sector = sector,
                                                           .tail = tail,
                                                           .sequence = sequence,
                                                           .guid = GUID,
                                                           .writes = &w,
                                                           .nr_writes = 1 });
}

static void
assert_block (struct v2v_image *img, unsigned block, uint8_t value)
{
  struct v2v_error *err = NULL;
  uint8_t *buf = malloc (MIB);

  assert_non_null (buf);
  assert_ok (v2v_image_read (img, buf, MIB, block * MIB, &err), err);
  for (size_t i = 0; i < MIB; ++i)
    if (buf[i] != value)
      fail_msg ("block %u byte %zu is %u, expected %u", block, i, buf[i],
                value);
  free (buf);
}

/* Blocks 0 and 1 read as A and B; in memory, and after a repair too. */
static void
expect (struct vhdx_build *b, uint8_t value_a, uint8_t value_b)
{
  struct v2v_io *io = vhdx_build_io (b, "log.vhdx");
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, NULL, &err);
  uint8_t *after = malloc (b->len);

  assert_ptr (img, err);
  assert_true (v2v_image_get_info (img)->dirty);
  assert_block (img, 0, value_a);
  assert_block (img, 1, value_b);
  v2v_image_close (img);
  assert_non_null (after);
  assert_true (v2v_io_size (io) == b->len);
  assert_ok (v2v_io_pread (io, after, b->len, 0, &err), err);
  assert_memory_equal (after, b->bytes, b->len); /* never written */

  assert_ok (
      v2v_image_driver_by_name ("vhdx")->check (io, true, NULL, &report, &err),
      err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (strcmp (report.items[i].id, "vhdx.log.dirty") == 0)
      assert_true (report.items[i].repaired);
  v2v_check_report_clear (&report);
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  assert_false (v2v_image_get_info (img)->dirty);
  assert_block (img, 0, value_a);
  assert_block (img, 1, value_b);
  v2v_image_close (img);
  v2v_io_unref (io);
  free (after);
  vhdx_build_free (b);
}

static void
refuse (struct vhdx_build *b, const char *text)
{
  struct v2v_io *io = vhdx_build_io (b, "log.vhdx");
  struct v2v_error *err = NULL;

  assert_null (v2v_image_open_io (io, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, text);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

/* ---- accepted ---- */

static void
test_two_entries_are_replayed_in_order (void **state)
{
  struct vhdx_build *b = new_file ();
  const unsigned n = add (b, 0, 0, 1, to_bat (bat_a));

  (void) state;
  add (b, n, 0, 2, to_bat (bat_b));
  expect (b, 0, 0xb2); /* the second replaces the whole sector */
}

static void
test_entries_before_the_tail_are_not_replayed (void **state)
{
  struct vhdx_build *b = new_file ();
  struct vhdx_build_write w = { .offset = BUILD_DATA + 4096, .data = fill };
  const unsigned n = add (b, 0, 0, 1, w);

  (void) state;
  /* The head's tail is itself: what the first wrote is long on the disk. */
  add (b, n, n, 2, to_bat (bat_a));
  expect (b, 0xa1, 0);
}

static void
test_an_entry_wraps_around_the_end_of_the_log (void **state)
{
  struct vhdx_build *b = new_file ();

  (void) state;
  /* header in the last sector, data in the first */
  add (b, 255, 255, 41, to_bat (bat_a));
  expect (b, 0xa1, 0);
}

static void
test_a_sequence_wraps_around_the_end_of_the_log (void **state)
{
  struct vhdx_build *b = new_file ();

  (void) state;
  add (b, 254, 254, 7, to_bat (bat_a));
  add (b, 0, 254, 8, to_bat (bat_b));
  expect (b, 0, 0xb2);
}

static void
test_a_torn_last_entry_is_left_out (void **state)
{
  (void) state;
  for (unsigned how = 0; how < 5; ++how) {
    struct vhdx_build *b = new_file ();
    const unsigned n = add (b, 0, 0, 1, to_bat (bat_a));
    uint8_t *s;

    add (b, n, 0, 2, to_bat (bat_b));
    s = vhdx_build_log_sector (b, n + (how < 3 ? 1 : 0));
    switch (how) {
    case 0:
      memset (s, 0, 4096);
      break; /* its data never arrived */
    case 1:
      s[100] ^= 1;
      break; /* nor all of it */
    case 2:
      s[4092] ^= 1;
      break; /* an older sector's number */
    case 3:
      s[64 + 24] ^= 1;
      break; /* an older descriptor */
    case 4:
      s[24] = 2;
      break; /* two descriptors, one data sector */
    }
    expect (b, 0xa1, 0);
  }
}

static void
test_the_run_with_the_highest_sequence_is_active (void **state)
{
  (void) state;
  for (unsigned first = 0; first < 2; ++first) {
    struct vhdx_build *b = new_file ();

    add (b, 10, 10, first ? 5 : 9, to_bat (bat_a));
    add (b, 100, 100, first ? 9 : 5, to_bat (bat_b));
    expect (b, first ? 0 : 0xa1, first ? 0xb2 : 0);
  }
}

static void
test_a_run_whose_tail_is_gone_is_not_active (void **state)
{
  struct vhdx_build *b = new_file ();

  (void) state;
  add (b, 10, 10, 5, to_bat (bat_a));
  add (b, 100, 50, 9, to_bat (bat_b)); /* nothing valid in sector 50 */
  expect (b, 0xa1, 0);
}

static void
test_entries_of_another_guid_are_ignored (void **state)
{
  struct vhdx_build *b = new_file ();
  const struct vhdx_build_write w = to_bat (bat_b);

  (void) state;
  add (b, 0, 0, 5, to_bat (bat_a));
  vhdx_build_log (b, &(const struct vhdx_build_entry){ .sector = 2,
                                                       .tail = 0,
                                                       .sequence = 6,
                                                       .guid = 0x11,
                                                       .writes = &w,
                                                       .nr_writes = 1 });
  expect (b, 0xa1, 0);
}

static void
test_log_is_ignored_when_the_header_says_it_is_empty (void **state)
{
  struct vhdx_build *b = new_file ();
  struct v2v_io *io;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  (void) state;
  add (b, 0, 0, 1, to_bat (bat_a));
  vhdx_build_use_log (b, 0);
  io = vhdx_build_io (b, "log.vhdx");
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  assert_false (v2v_image_get_info (img)->dirty);
  assert_block (img, 0, 0);
  v2v_image_close (img);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

static void
test_zero_descriptor_clears_part_of_what_came_before (void **state)
{
  struct vhdx_build *b = new_file ();
  struct vhdx_build_write w[4] = {
    { .offset = BUILD_DATA + 8192, .data = fill },
    { .zero = true, .offset = BUILD_DATA, .length = MIB },
    to_bat (bat_a),
    { .offset = BUILD_DATA + MIB - 4096, .data = fill },
  };
  struct v2v_io *io;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t *buf = calloc (2, MIB);

  (void) state;
  vhdx_build_log (
      b, &(const struct vhdx_build_entry){
             .sequence = 1, .guid = GUID, .writes = w, .nr_writes = 4 });
  io = vhdx_build_io (b, "log.vhdx");
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  assert_non_null (buf);
  assert_ok (v2v_image_read (img, buf, MIB, 0, &err), err);
  assert_true (v2v_is_zero (buf, MIB - 4096));
  assert_memory_equal (buf + MIB - 4096, fill, 4096);
  /* Unaligned reads across the seam. */
  assert_ok (v2v_image_read (img, buf, 1024, MIB - 4096 - 512, &err), err);
  assert_true (v2v_is_zero (buf, 512));
  assert_memory_equal (buf + 512, fill, 512);
  assert_ok (v2v_image_read (img, buf, 512, MIB - 512, &err), err);
  assert_memory_equal (buf, fill + 4096 - 512, 512);
  v2v_image_close (img);
  v2v_io_unref (io);
  vhdx_build_free (b);
  free (buf);
}

static void
test_more_descriptors_than_one_sector_holds (void **state)
{
  enum { N = 200 };
  struct vhdx_build *b = new_file ();
  static struct vhdx_build_write w[N];
  struct v2v_io *io;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t buf[4096];

  (void) state;
  for (unsigned i = 0; i < N - 1; ++i)
    w[i] = (struct vhdx_build_write){ .offset = BUILD_DATA + 4096 * i,
                                      .data = fill };
  w[N - 1] = to_bat (bat_a);
  assert_int_equal (
      vhdx_build_log (b, &(const struct vhdx_build_entry){ .sector = 100,
                                                           .tail = 100,
                                                           .sequence = 3,
                                                           .guid = GUID,
                                                           .writes = w,
                                                           .nr_writes = N }),
      N + 2);
  io = vhdx_build_io (b, "log.vhdx");
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  for (unsigned i = 0; i < 256; ++i) {
    assert_ok (v2v_image_read (img, buf, 4096, 4096 * i, &err), err);
    if (i < N - 1)
      assert_memory_equal (buf, fill, 4096);
    else
      assert_int_equal (buf[0], 0xa1);
  }
  v2v_image_close (img);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

static void
test_replay_extends_the_file (void **state)
{
  struct vhdx_build *b = new_file ();
  struct vhdx_build_write w[2] = { to_bat (bat_b) };

  (void) state;
  make_bat (bat_b, 1, 16 * MIB); /* a block beyond the end */
  w[1] = (struct vhdx_build_write){ .zero = true,
                                    .offset = 16 * MIB,
                                    .length = 4096 };
  vhdx_build_log (b, &(const struct vhdx_build_entry){ .sequence = 1,
                                                       .last = 17 * MIB,
                                                       .guid = GUID,
                                                       .writes = w,
                                                       .nr_writes = 2 });
  expect (b, 0, 0);
}

/* ---- refused ---- */

static void
test_sequence_number_zero_is_not_an_entry (void **state)
{
  struct vhdx_build *b = new_file ();

  (void) state;
  add (b, 0, 0, 0, to_bat (bat_a));
  refuse (b, "holds no valid sequence");
}

static void
test_a_truncated_file_is_refused (void **state)
{
  (void) state;
  for (unsigned over = 0; over < 2; ++over) {
    struct vhdx_build *b = new_file ();
    const struct vhdx_build_write w = to_bat (bat_a);

    vhdx_build_log (b,
                    &(const struct vhdx_build_entry){ .sequence = 1,
                                                      .flushed = b->len + over,
                                                      .last = b->len + MIB,
                                                      .guid = GUID,
                                                      .writes = &w,
                                                      .nr_writes = 1 });
    if (over)
      refuse (b, "it was truncated");
    else
      expect (b, 0xa1, 0);
  }
}

static void
refuse_write (struct vhdx_build_write w, const char *text)
{
  struct vhdx_build *b = new_file ();

  add (b, 0, 0, 1, w);
  refuse (b, text);
}

static void
test_writes_to_forbidden_places_are_refused (void **state)
{
  (void) state;
#define ZERO(o, l)                                                             \
  ((struct vhdx_build_write){ .zero = true, .offset = (o), .length = (l) })
#define DATA(o) ((struct vhdx_build_write){ .offset = (o), .data = fill })
  refuse_write (ZERO (4 * MIB, UINT64_C (1) << 63), "past the end");
  refuse_write (ZERO (UINT64_MAX - 4095, 8192), "past the end");
  refuse_write (ZERO (15 * MIB, 2 * MIB), "past the end");
  refuse_write (DATA (16 * MIB), "past the end");
  refuse_write (DATA (UINT64_MAX - 4095), "past the end");
  refuse_write (DATA (64 * 1024), "over the headers");
  refuse_write (DATA (0), "over the headers");
  refuse_write (DATA (192 * 1024 - 4096), "over the headers");
  refuse_write (DATA (BUILD_LOG), "over the log itself");
  refuse_write (DATA (BUILD_METADATA - 4096), "over the log itself");
  refuse_write (ZERO (512 * 1024, MIB), "over the log itself");
  refuse_write (DATA (BUILD_DATA + 512), "expected multiples of 4096");
  refuse_write (ZERO (BUILD_DATA, 512), "expected multiples of 4096");
}

static void
test_hostile_entry_headers_are_not_entries (void **state)
{
  static const struct {
    unsigned at;
    uint32_t value;
  } cases[] = {
    { 8, 0 },           { 8, 4095 },        { 8, 2 * 1024 * 1024 },
    { 8, 0xfffff000 },  { 12, 4095 },       { 12, 1024 * 1024 },
    { 24, 0x08000002 }, { 24, 0xffffffff }, { 24, 0 },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct vhdx_build *b = new_file ();
    uint8_t *s = vhdx_build_log_sector (b, 0);

    add (b, 0, 0, 1, to_bat (bat_a));
    v2v_put_le32 (s + cases[i].at, cases[i].value);
    v2v_put_le32 (s + 4, 0);
    v2v_put_le32 (s + 4, v2v_crc32c (0, s, 8192));
    refuse (b, "holds no valid sequence");
  }
}

static void
test_last_offset_beyond_any_file_is_refused (void **state)
{
  struct vhdx_build *b = new_file ();
  const struct vhdx_build_write w = to_bat (bat_a);

  (void) state;
  vhdx_build_log (b,
                  &(const struct vhdx_build_entry){ .sequence = 1,
                                                    .last = UINT64_C (1) << 60,
                                                    .guid = GUID,
                                                    .writes = &w,
                                                    .nr_writes = 1 });
  refuse (b, "at most");
}

static void
test_an_unreadable_log_can_be_overruled (void **state)
{
  struct vhdx_build *b = new_file ();
  const struct v2v_open_opts opts = { .force = true };
  struct v2v_io *io = vhdx_build_io (b, "log.vhdx");
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, &opts, &err);

  (void) state;
  assert_ptr (img, err);
  v2v_image_close (img);
  v2v_io_unref (io);
  vhdx_build_free (b);
}

/* A log full of headers that each claim all of it: linear work, no crash. */
static void
test_a_log_of_overlapping_claims_is_refused_quickly (void **state)
{
  struct vhdx_build *b = new_file ();

  (void) state;
  for (unsigned s = 0; s < 256; ++s) {
    uint8_t *p = vhdx_build_log_sector (b, s);

    memcpy (p, "loge", 4);
    v2v_put_le32 (p + 8, MIB);
    v2v_put_le64 (p + 16, s + 1);
    v2v_put_le32 (p + 24, 255);
    memset (p + 32, GUID, 16);
  }
  refuse (b, "holds no valid sequence");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_two_entries_are_replayed_in_order),
    cmocka_unit_test (test_entries_before_the_tail_are_not_replayed),
    cmocka_unit_test (test_an_entry_wraps_around_the_end_of_the_log),
    cmocka_unit_test (test_a_sequence_wraps_around_the_end_of_the_log),
    cmocka_unit_test (test_a_torn_last_entry_is_left_out),
    cmocka_unit_test (test_the_run_with_the_highest_sequence_is_active),
    cmocka_unit_test (test_a_run_whose_tail_is_gone_is_not_active),
    cmocka_unit_test (test_entries_of_another_guid_are_ignored),
    cmocka_unit_test (test_log_is_ignored_when_the_header_says_it_is_empty),
    cmocka_unit_test (test_zero_descriptor_clears_part_of_what_came_before),
    cmocka_unit_test (test_more_descriptors_than_one_sector_holds),
    cmocka_unit_test (test_replay_extends_the_file),
    cmocka_unit_test (test_sequence_number_zero_is_not_an_entry),
    cmocka_unit_test (test_a_truncated_file_is_refused),
    cmocka_unit_test (test_writes_to_forbidden_places_are_refused),
    cmocka_unit_test (test_hostile_entry_headers_are_not_entries),
    cmocka_unit_test (test_last_offset_beyond_any_file_is_refused),
    cmocka_unit_test (test_an_unreadable_log_can_be_overruled),
    cmocka_unit_test (test_a_log_of_overlapping_claims_is_refused_quickly),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
