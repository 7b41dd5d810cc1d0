/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check on VMDK: what it finds, what it repairs, what it leaves alone;
 * and the reader when the n-th read fails.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-format.h"
#include "formats/vmdk-internal.h"
#include "vmdk-build.h"

static const struct v2v_open_opts defaults;

static struct v2v_check_report
check_io (struct v2v_io *io, bool repair)
{
  struct v2v_check_report report = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_vmdk_ops.check (io, repair, &defaults, &report, &err), err);
  return report;
}

static bool
has (const struct v2v_check_report *r, const char *id, bool repaired)
{
  for (size_t i = 0; i < r->nr_items; ++i)
    if (strcmp (r->items[i].id, id) == 0 && r->items[i].repaired == repaired)
      return true;
  return false;
}

static void
print_items (const struct v2v_check_report *r)
{
  for (size_t i = 0; i < r->nr_items; ++i)
    print_message ("# %s%s: %s\n", r->items[i].id,
                   r->items[i].repaired ? " (repaired)" : "",
                   r->items[i].message);
}

static void
expect_sound (struct v2v_io *io)
{
  struct v2v_check_report r = check_io (io, false);

  print_items (&r);
  assert_int_equal (r.nr_items, 0);
  v2v_check_report_clear (&r);
}

/* The findings are ID alone. */
static void
expect_finding (struct v2v_io *io, bool repair, const char *id)
{
  struct v2v_check_report r = check_io (io, repair);

  print_items (&r);
  assert_int_equal (r.nr_items, 1);
  assert_true (has (&r, id, repair));
  v2v_check_report_clear (&r);
}

static void
test_good_files_are_sound (void **state)
{
  struct vb forms[] = {
    vb_sparse (0),         vb_sparse (VB_ZEROED_GTE),           vb_stream (0),
    vb_stream (VB_FOOTER), vb_stream (VB_FOOTER | VB_SHUFFLED), vb_cowd (),
    vb_sesparse (),
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (forms); ++i) {
    struct v2v_io *io = vb_io (&forms[i], "a.vmdk");

    expect_sound (io);
    v2v_io_unref (io);
    vb_free (&forms[i]);
  }
}

static void
test_blocks_are_counted (void **state)
{
  struct vb b = vb_sparse (VB_ZEROED_GTE);
  struct v2v_io *io = vb_io (&b, "a.vmdk");
  struct v2v_check_report r = check_io (io, false);

  (void) state;
  assert_int_equal (r.nr_blocks, 6);
  assert_int_equal (r.nr_blocks_total, 259);
  v2v_check_report_clear (&r);
  v2v_io_unref (io);
  vb_free (&b);
}

/* Damage at OFFSET is found as ID, repaired, and the file is then as it was
 * before, but for what was appended. */
static void
expect_repair (size_t offset, uint32_t value, const char *id)
{
  struct vb b = vb_sparse (0);
  CLEANUP_FREE uint8_t *before = malloc (b.len);
  CLEANUP_FREE uint8_t *after = malloc (b.len);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;

  memcpy (before, b.p, b.len);
  vb_put32 (&b, offset, value);
  io = vb_io (&b, "a.vmdk");
  expect_finding (io, false, id);
  assert_ok (v2v_io_pread (io, after, b.len, 0, &err), err);
  assert_memory_equal (after, b.p, b.len); /* not touched without repair */
  expect_finding (io, true, id);
  expect_sound (io);
  if (v2v_io_size (io) == b.len) {
    assert_ok (v2v_io_pread (io, after, b.len, 0, &err), err);
    assert_memory_equal (after, before, b.len);
  }
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  vb_expect (img, b.ref, b.ref_len);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_either_copy_of_a_table_is_restored_from_the_other (void **state)
{
  (void) state;
  expect_repair (VB_GT (0) + 4, 0x7fffffff, "vmdk.table.primary");
  expect_repair (VB_RGT (0) + 4, 0x7fffffff, "vmdk.table.redundant");
}

static void
test_table_that_lost_its_place_is_written_anew (void **state)
{
  (void) state;
  expect_repair (VB_GD + 8, 0x7fffffff, "vmdk.table.primary");
  expect_repair (VB_RGD + 8, 0x7fffffff, "vmdk.table.redundant");
  expect_repair (VB_GD, 1, "vmdk.table.primary");
}

/* The directory entry may be what is damaged: its table is not written over a
 * grain, nor over another table. */
static void
test_repair_never_writes_where_something_else_may_be (void **state)
{
  (void) state;
  expect_repair (VB_GD, VB_FIRST_GRAIN, "vmdk.table.primary");
  for (unsigned place = VB_RGD / 512; place < VB_FIRST_GRAIN; ++place) {
    struct vb b = vb_sparse (0);
    struct v2v_check_report r;
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct v2v_io *io;

    vb_put32 (&b, VB_GD + 8, place);
    io = vb_io (&b, "a.vmdk");
    r = check_io (io, true);
    v2v_check_report_clear (&r);
    /* Restored or not: from its redundant copies the disk is what it was. */
    assert_ok (v2v_io_pread (io, b.p, b.len, 0, &err), err);
    v2v_io_unref (io);
    memcpy (b.p + VB_GD, b.p + VB_RGD, 12);
    io = vb_io (&b, "a.vmdk");
    img = v2v_image_open_io (io, NULL, &err);
    assert_ptr (img, err);
    vb_expect (img, b.ref, b.ref_len);
    v2v_image_close (img);
    v2v_io_unref (io);
    vb_free (&b);
  }
}

/* Two entries name one place: each table gets a new one. */
static void
test_contested_place_of_a_table_is_left_alone (void **state)
{
  struct vb b = vb_sparse (0);
  struct v2v_check_report r;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;

  (void) state;
  vb_put32 (&b, VB_GD, VB_GT (2) / 512);
  vb_put32 (&b, VB_GT (2), 0x7fffffff);
  io = vb_io (&b, "a.vmdk");
  r = check_io (io, true);
  assert_int_equal (r.nr_items, 2);
  assert_true (has (&r, "vmdk.table.primary", true));
  assert_false (has (&r, "vmdk.table.primary", false));
  v2v_check_report_clear (&r);
  expect_sound (io);
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  vb_expect (img, b.ref, b.ref_len);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_entry_missing_in_one_copy_is_taken_from_the_other (void **state)
{
  (void) state;
  expect_repair (VB_GT (0) + 4, 0, "vmdk.table.mismatch");
  expect_repair (VB_RGT (2), 0, "vmdk.table.mismatch");
}

static void
test_contradicting_copies_are_left_alone (void **state)
{
  struct vb b = vb_sparse (0);
  CLEANUP_FREE uint8_t *after = malloc (b.len);
  struct v2v_error *err = NULL;
  struct v2v_check_report r;
  struct v2v_io *io;

  (void) state;
  vb_put32 (&b, VB_GT (0), v2v_le32 (b.p + VB_GT (0) + 4));
  vb_put32 (&b, VB_GT (0) + 4, v2v_le32 (b.p + VB_RGT (0)));
  b.p[VMDK_H_UNCLEAN] = 1;
  io = vb_io (&b, "a.vmdk");
  r = check_io (io, true);
  assert_true (has (&r, "vmdk.table.mismatch", false));
  assert_true (has (&r, "vmdk.header.unclean", false));
  v2v_check_report_clear (&r);
  assert_ok (v2v_io_pread (io, after, b.len, 0, &err), err);
  assert_memory_equal (after, b.p, b.len);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_unclean_flag_is_reset_when_nothing_is_in_doubt (void **state)
{
  struct vb b = vb_sparse (0);
  struct v2v_io *io;

  (void) state;
  b.p[VMDK_H_UNCLEAN] = 1;
  io = vb_io (&b, "a.vmdk");
  expect_finding (io, false, "vmdk.header.unclean");
  expect_finding (io, true, "vmdk.header.unclean");
  expect_sound (io);
  v2v_io_unref (io);
  vb_free (&b);
}

struct finding {
  size_t offset;
  unsigned bytes;
  uint64_t value;
  const char *id;
};

static void
expect_damage (struct vb b, const struct finding *f)
{
  struct v2v_check_report r;
  struct v2v_io *io;

  if (f->bytes == 1)
    b.p[f->offset] = (uint8_t) f->value;
  else if (f->bytes == 4)
    vb_put32 (&b, f->offset, (uint32_t) f->value);
  else
    vb_put64 (&b, f->offset, f->value);
  io = vb_io (&b, "a.vmdk");
  r = check_io (io, false);
  if (!has (&r, f->id, false)) {
    print_items (&r);
    fail_msg ("no finding %s", f->id);
  }
  v2v_check_report_clear (&r);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_damage_without_a_second_copy_is_named (void **state)
{
  static const struct finding sparse[] = {
    { VB_GT (0) + 8, 4, 32, "vmdk.grain.overlap" },
    { VB_GT (0) + 8, 4, 34, "vmdk.grain.overlap" }, /* in part */
    { VB_GT (0) + 8, 4, 28, "vmdk.grain.overlap" }, /* a table's place */
    { VB_GT (0), 4, 0, "vmdk.grain.orphan" },
    { VB_GT (0) + 8, 4, 0x7fffffff, "vmdk.table.lost" },
    { VB_GD, 4, 0x7fffffff, "vmdk.table.lost" },
    { VB_GD, 4, 28, "vmdk.table.overlap" },
    { VMDK_H_GD_OFFSET, 8, 1 << 20, "vmdk.directory" },
    { VMDK_H_VERSION, 4, 9, "vmdk.header" },
    { VMDK_H_MAGIC, 4, VMDK_MAGIC_UNFINISHED, "vmdk.header" },
    { VMDK_H_CAPACITY, 8, VB_CAPACITY + 100, "vmdk.descriptor" },
    { VMDK_H_DESCRIPTOR_SIZE, 8, 0, "vmdk.descriptor" },
    { VB_DESCRIPTOR + 24, 1, 'X', "vmdk.descriptor.cid" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sparse) - 1; ++i) {
    struct vb b = vb_sparse (0);

    vb_put32 (&b, VMDK_H_FLAGS, VMDK_FLAG_NEWLINES);
    expect_damage (b, &sparse[i]);
  }
}

static void
test_damage_in_streams_is_named (void **state)
{
  static const struct finding stream[] = {
    { VB_RECORDS, 8, 8, "vmdk.grain.damaged" },
    { VB_RECORDS + 800, 1, 0x55, "vmdk.grain.damaged" },
    { VB_GT (0) + 4, 4, 32, "vmdk.grain.overlap" },
    { VB_GT (0) + 4, 4, 0, "vmdk.grain.orphan" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (stream); ++i)
    expect_damage (vb_stream (0), &stream[i]);
}

static void
test_damage_in_snapshots_is_named (void **state)
{
  static const struct finding cowd[] = {
    { VB_COWD_GT (0), 4, 1, "vmdk.table.lost" },
    { VB_COWD_GD + 4, 4, VB_COWD_GT (0) / 512, "vmdk.table.overlap" },
    { VMDK_COWD_VERSION, 4, 7, "vmdk.header" },
  };
  static const struct finding se[] = {
    { VB_SE_GT, 8, UINT64_C (5) << 60, "vmdk.table.lost" },
    { VB_SE_GT + 32768 + 32, 8, UINT64_C (3) << 60, "vmdk.grain.overlap" },
    { 40, 8, 7, "vmdk.header" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cowd); ++i)
    expect_damage (vb_cowd (), &cowd[i]);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (se); ++i)
    expect_damage (vb_sesparse (), &se[i]);
}

static void
test_extents_and_parents_of_a_descriptor_are_looked_for (void **state)
{
  static const char text[] =
      "version=1\nCID=1\nparentCID=2\nparentFileNameHint=\"p.vmdk\"\n"
      "RW 4 FLAT \"gone\" 0\nRW 4 FLAT \"short\" 0\nRW 4 FLAT \"a/b\" 0\n";
  static const char child[] =
      "version=1\nCID=1\nparentCID=2\nparentFileNameHint=\"p.vmdk\"\n"
      "RW 4 ZERO\n";
  static const char parent[] = "version=1\nCID=3\nRW 4 ZERO\n";
  const struct vb_file files[] = {
    { "a.vmdk", text, sizeof text - 1 },
    { "short", text, 100 },
  };
  const struct vb_file chain[] = {
    { "c.vmdk", child, sizeof child - 1 },
    { "p.vmdk", parent, sizeof parent - 1 },
  };
  struct v2v_io *io = vb_folder (files, 2);
  struct v2v_check_report r = check_io (io, false);

  (void) state;
  assert_true (has (&r, "vmdk.extent.missing", false));
  assert_true (has (&r, "vmdk.extent.truncated", false));
  assert_true (has (&r, "vmdk.extent.name", false));
  v2v_check_report_clear (&r);
  v2v_io_unref (io);

  io = vb_folder (chain, 2);
  expect_finding (io, false, "vmdk.chain.cid");
  v2v_io_unref (io);
  io = vb_folder (chain, 1);
  r = check_io (io, false);
  assert_int_equal (r.nr_items, 1);
  v2v_check_report_clear (&r);
  v2v_io_unref (io);
}

/* ---- the n-th operation fails ---- */

static int
read_all (struct v2v_io *io, const struct vb *b, struct v2v_error **err)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE uint8_t *buf = malloc (b->ref_len);
  const struct v2v_open_opts opts = { .force = true };
  struct v2v_image *img = v2v_image_open_io (io, &opts, err);
  int r;

  if (img == NULL)
    return -1;
  r = v2v_image_extents (img, b->ref_len, 0, &list, err);
  if (r == 0)
    r = v2v_image_read (img, buf, b->ref_len, 0, err);
  if (r == 0 && memcmp (buf, b->ref, b->ref_len) != 0)
    fail_msg ("a failed read gave wrong data");
  v2v_image_close (img);
  return r;
}

static void
test_every_failing_read_is_an_error_or_does_no_harm (void **state)
{
  struct vb forms[] = { vb_sparse (0), vb_stream (0), vb_stream (VB_FOOTER),
                        vb_cowd (), vb_sesparse () };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (forms); ++i) {
    struct v2v_io *base = vb_io (&forms[i], "a.vmdk");
    struct v2v_error *err = NULL;
    struct v2v_io *io = test_faulty_io (base, 0, 0, NULL);
    unsigned total = 0;

    v2v_io_unref (io);
    io = test_faulty_io (base, 0, 0, &total);
    assert_ok (read_all (io, &forms[i], &err), err);
    v2v_io_unref (io);
    assert_true (total > 3);
    for (unsigned n = 1; n <= total; ++n) {
      io = test_faulty_io (base, n, EIO, NULL);
      if (read_all (io, &forms[i], &err) == -1) {
        assert_error (&err, V2V_ERR_IO, "injected");
      }
      else
        fail_msg ("form %zu: operation %u failed and nobody said so", i, n);
      v2v_io_unref (io);
    }
    v2v_io_unref (base);
    vb_free (&forms[i]);
  }
}

static void
test_repair_that_fails_half_way_leaves_a_readable_disk (void **state)
{
  (void) state;
  for (unsigned n = 1;; ++n) {
    struct vb b = vb_sparse (0);
    struct v2v_check_report report = { 0 };
    struct v2v_error *err = NULL;
    struct v2v_io *base, *io;
    unsigned count = 0;
    int r;

    vb_put32 (&b, VB_GD + 8, 0x7fffffff);
    b.p[VMDK_H_UNCLEAN] = 1;
    base = vb_io (&b, "a.vmdk");
    io = test_faulty_io (base, n, EIO, &count);
    r = v2v_vmdk_ops.check (io, true, &defaults, &report, &err);
    v2v_check_report_clear (&report);
    v2v_io_unref (io);
    if (r == -1)
      assert_error (&err, V2V_ERR_IO, "injected");
    assert_ok (read_all (base, &b, &err), err);
    v2v_io_unref (base);
    vb_free (&b);
    if (count < n)
      break;
    assert_true (n < 1000);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_good_files_are_sound),
    cmocka_unit_test (test_blocks_are_counted),
    cmocka_unit_test (test_either_copy_of_a_table_is_restored_from_the_other),
    cmocka_unit_test (test_table_that_lost_its_place_is_written_anew),
    cmocka_unit_test (test_repair_never_writes_where_something_else_may_be),
    cmocka_unit_test (test_contested_place_of_a_table_is_left_alone),
    cmocka_unit_test (test_entry_missing_in_one_copy_is_taken_from_the_other),
    cmocka_unit_test (test_contradicting_copies_are_left_alone),
    cmocka_unit_test (test_unclean_flag_is_reset_when_nothing_is_in_doubt),
    cmocka_unit_test (test_damage_without_a_second_copy_is_named),
    cmocka_unit_test (test_damage_in_streams_is_named),
    cmocka_unit_test (test_damage_in_snapshots_is_named),
    cmocka_unit_test (test_extents_and_parents_of_a_descriptor_are_looked_for),
    cmocka_unit_test (test_every_failing_read_is_an_error_or_does_no_harm),
    cmocka_unit_test (test_repair_that_fails_half_way_leaves_a_readable_disk),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
