/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* streamOptimized through a pipe: the same disk as at random, and every way
 * of being cut or damaged noticed.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-format.h"
#include "vmdk-build.h"

struct collected {
  struct v2v_image *img;
  uint8_t *disk;
  size_t size;
  unsigned n;
  unsigned stop_after; /* 0 = never */
};

static int
collect (void *arg, struct v2v_chunk *chunk, struct v2v_error **err)
{
  struct collected *c = arg;
  CLEANUP_FREE uint8_t *stored __attribute__ ((unused)) = chunk->data;

  if (c->stop_after != 0 && c->n == c->stop_after)
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "stopped by the test");
  c->n++;
  assert_true (chunk->offset + chunk->length <= c->size);
  return v2v_image_decode (c->img, chunk, c->disk + chunk->offset, err);
}

/* Stream LEN bytes; the disk goes to *RET_DISK. */
static int
stream (const void *data, size_t len, unsigned stop_after, uint8_t **ret_disk,
        size_t *ret_size, struct v2v_error **err)
{
  struct v2v_io *io = vb_pipe (data, len);
  struct v2v_image *img = v2v_image_open_io (io, NULL, err);
  struct collected c = { .img = img, .stop_after = stop_after };
  int r = -1;

  if (img != NULL) {
    assert_true (v2v_image_is_stream (img));
    c.size = (size_t) v2v_image_size (img);
    if (c.size > 64 * 1024 * 1024)
      fail_msg ("a damaged header gave a disk of %zu bytes", c.size);
    c.disk = calloc (1, c.size);
    assert_non_null (c.disk);
    r = v2v_image_stream (img, collect, &c, err);
    v2v_image_close (img);
  }
  v2v_io_unref (io);
  if (ret_disk != NULL) {
    *ret_disk = c.disk;
    *ret_size = c.size;
  }
  else
    free (c.disk);
  return r;
}

static void
expect_stream (const struct vb *b)
{
  CLEANUP_FREE uint8_t *disk = NULL;
  struct v2v_error *err = NULL;
  size_t size = 0;

  assert_ok (stream (b->p, b->len, 0, &disk, &size, &err), err);
  assert_int_equal (size, b->ref_len);
  assert_memory_equal (disk, b->ref, size);
}

static void
test_both_forms_stream_in_any_order (void **state)
{
  static const unsigned forms[] = {
    0,
    VB_SHUFFLED,
    VB_WHOLE_LAST,
    VB_FOOTER,
    VB_FOOTER | VB_SHUFFLED,
    VB_FOOTER | VB_SHUFFLED | VB_WHOLE_LAST,
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (forms); ++i) {
    struct vb b = vb_stream (forms[i]);

    expect_stream (&b);
    vb_free (&b);
  }
}

static void
test_footer_stream_cut_anywhere_is_an_error (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);

  (void) state;
  for (size_t len = 0; len <= b.len - 512; len += 256) {
    struct v2v_error *err = NULL;

    assert_int_equal (stream (b.p, len, 0, NULL, NULL, &err), -1);
    assert_non_null (err);
    v2v_error_free (err);
  }
  expect_stream (&b);
  vb_free (&b);
}

static void
test_front_stream_may_end_only_when_all_grains_came (void **state)
{
  struct vb b = vb_stream (VB_SHUFFLED);
  struct v2v_error *err = NULL;
  size_t exact = b.len;

  (void) state;
  for (size_t len = VB_RECORDS; len < b.len - 512; len += 512) {
    assert_int_equal (stream (b.p, len, 0, NULL, NULL, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "truncated");
  }
  /* The last record may lack its padding, as qemu leaves it. */
  while (b.p[exact - 1] == 0)
    exact--;
  b.len = exact;
  expect_stream (&b);
  vb_free (&b);
}

static void
test_padding_and_an_end_marker_after_the_last_record_are_good (void **state)
{
  struct vb b = vb_stream (0);

  (void) state;
  b.p = realloc (b.p, b.len + 40000);
  assert_non_null (b.p);
  memset (b.p + b.len, 0, 40000);
  b.len += 512;
  expect_stream (&b);
  b.len += 39000; /* no multiple of a sector */
  expect_stream (&b);
  vb_free (&b);
}

struct damage {
  size_t offset;
  unsigned bytes;
  uint64_t value;
  const char *text;
};

static void
expect_damage (unsigned form, const struct damage *d)
{
  struct vb b = vb_stream (form);
  struct v2v_error *err = NULL;

  if (d->bytes == 4)
    vb_put32 (&b, d->offset, (uint32_t) d->value);
  else
    vb_put64 (&b, d->offset, d->value);
  assert_int_equal (stream (b.p, b.len, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, d->text);
  vb_free (&b);
}

static void
test_damaged_records_are_refused (void **state)
{
  static const struct damage front[] = {
    { VB_RECORDS, 8, 8, "it is repeated, or not in its table" },
    { VB_RECORDS, 8, 16, "it is repeated, or not in its table" },
    { VB_RECORDS, 8, 4, "expected a multiple of 8" },
    { VB_RECORDS, 8, VB_CAPACITY / 8 * 8 + 8, "below 2068" },
    { VB_RECORDS, 8, UINT64_MAX - 7, "below 2068" },
    { VB_RECORDS + 8, 4, 2 * VB_GRAIN + 1, "8193 compressed bytes" },
    { VB_RECORDS + 8, 4, UINT32_MAX, "compressed bytes, at most" },
    { VB_GT (0), 4, 33, "not in its table" },
    { VB_GT (0) + 16, 4, 33, "is truncated" }, /* one that never comes */
  };
  static const struct damage footer[] = {
    { VB_RECORDS, 8, 8, "comes a second time" },
    { VB_RECORDS + 8, 4, 0, "marker at sector 32: type" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (front); ++i)
    expect_damage (0, &front[i]);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (footer); ++i)
    expect_damage (VB_FOOTER, &footer[i]);
}

static void
test_damaged_metadata_is_refused (void **state)
{
  struct vb probe = vb_stream (VB_FOOTER);
  const size_t end = probe.len;
  const size_t footer = end - 1024;
  const struct damage damage[] = {
    { footer, 4, 0, "footer: magic" },
    { footer + VMDK_H_CAPACITY, 8, 9, "footer: capacity" },
    { footer - 512, 8, 2, "type 3 with 2 sectors, expected 1" },
    { footer - 512 + VMDK_M_TYPE, 4, 5, "type 5, expected 0..4" },
    { footer - 512 + VMDK_M_TYPE, 4, 0, "type 0 with 1 sectors" },
    { end - 512, 8, 1, "type 0 with 1 sectors" },
  };

  (void) state;
  vb_free (&probe);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i)
    expect_damage (VB_FOOTER, &damage[i]);
}

static void
test_end_marker_without_a_footer_is_refused (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);
  struct v2v_error *err = NULL;

  (void) state;
  memset (b.p + b.len - 1536, 0, 1536);
  assert_int_equal (stream (b.p, b.len, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "without a footer");
  vb_free (&b);
}

static void
test_only_stream_optimized_can_be_streamed (void **state)
{
  struct vb sparse = vb_sparse (0);
  struct v2v_error *err = NULL;
  static const char text[1024] = "version=1\nRW 4 ZERO\n";

  (void) state;
  assert_int_equal (stream (sparse.p, sparse.len, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "not streamOptimized");
  assert_int_equal (stream (text, sizeof text, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "not a streamOptimized");
  assert_int_equal (stream (text, 100, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_IO, "ended early");
  vb_free (&sparse);
}

static void
test_sink_that_fails_stops_the_stream (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (stream (b.p, b.len, 2, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_INTERRUPTED, "stopped by the test");
  vb_free (&b);
}

static void
test_corrupt_data_fails_in_decode (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);
  struct v2v_error *err = NULL;

  (void) state;
  b.p[VB_RECORDS + 700] ^= 0x10;
  assert_int_equal (stream (b.p, b.len, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "grain at sector 0: compressed data");
  vb_free (&b);

  b = vb_stream (VB_FOOTER | VB_SHORT_FIRST);
  assert_int_equal (stream (b.p, b.len, 0, NULL, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "inflates to 2048 bytes");
  vb_free (&b);
}

static void
test_stream_is_read_once_and_not_at_random (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);
  struct v2v_io *io = vb_pipe (b.p, b.len);
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, NULL, &err);
  struct collected c = { .img = img, .size = b.ref_len };
  uint8_t buf[512];

  (void) state;
  assert_ptr (img, err);
  assert_int_equal (v2v_image_read (img, buf, 512, 0, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "cannot be read at random");
  c.disk = calloc (1, c.size);
  assert_ok (v2v_image_stream (img, collect, &c, &err), err);
  assert_int_equal (v2v_image_stream (img, collect, &c, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "has been read already");
  free (c.disk);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_samples_stream_to_what_they_read_as (void **state)
{
  static const char *const samples[] = {
    "vmdk/streamOptimized.vmdk",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (samples); ++i) {
    CLEANUP_FREE char *path = test_sample (samples[i]);
    CLEANUP_FREE uint8_t *buf = NULL, *disk = NULL;
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct v2v_io *io;
    size_t len, size = 0;

    if (path == NULL)
      skip ();
    io = v2v_io_open (path, 0, &err);
    assert_ptr (io, err);
    len = (size_t) v2v_io_size (io);
    buf = malloc (len);
    assert_ok (v2v_io_pread (io, buf, len, 0, &err), err);
    assert_ok (stream (buf, len, 0, &disk, &size, &err), err);
    img = v2v_image_open_io (io, NULL, &err);
    assert_ptr (img, err);
    vb_expect (img, disk, size);
    v2v_image_close (img);
    v2v_io_unref (io);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_both_forms_stream_in_any_order),
    cmocka_unit_test (test_footer_stream_cut_anywhere_is_an_error),
    cmocka_unit_test (test_front_stream_may_end_only_when_all_grains_came),
    cmocka_unit_test (
        test_padding_and_an_end_marker_after_the_last_record_are_good),
    cmocka_unit_test (test_damaged_records_are_refused),
    cmocka_unit_test (test_damaged_metadata_is_refused),
    cmocka_unit_test (test_end_marker_without_a_footer_is_refused),
    cmocka_unit_test (test_only_stream_optimized_can_be_streamed),
    cmocka_unit_test (test_sink_that_fails_stops_the_stream),
    cmocka_unit_test (test_corrupt_data_fails_in_decode),
    cmocka_unit_test (test_stream_is_read_once_and_not_at_random),
    cmocka_unit_test (test_samples_stream_to_what_they_read_as),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
