/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VMDK reader on good files of every form, made by vmdk-build.c. */

#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/vmdk-format.h"
#include "vmdk-build.h"

static char last_warning[1024];
static unsigned nr_warnings;

static void
remember_warning (void *arg, enum v2v_log_level level, const char *message)
{
  (void) arg;
  if (level != V2V_LOG_WARNING)
    return;
  nr_warnings++;
  snprintf (last_warning, sizeof last_warning, "%s", message);
}

static int
setup (void **state)
{
  (void) state;
  nr_warnings = 0;
  last_warning[0] = '\0';
  v2v_log_set_sink (remember_warning, NULL);
  return 0;
}

static struct v2v_image *
open_io (struct v2v_io *io, const struct v2v_open_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, opts, &err);

  assert_ptr (img, err);
  return img;
}

/* Whole, in pieces of odd sizes, across the seams. */
static void
expect_everything (struct v2v_io *io, const struct vb *b)
{
  struct v2v_image *img = open_io (io, NULL);

  vb_expect (img, b->ref, b->ref_len);
  vb_expect_pieces (img, b->ref, b->ref_len, 0, 4096);
  vb_expect_pieces (img, b->ref, b->ref_len, 512, 1536);
  vb_expect_pieces (img, b->ref, b->ref_len, 3 * 512, 12288 + 512);
  v2v_image_close (img);
  v2v_io_unref (io);
}

static void
expect_runs (struct v2v_image *img, const struct v2v_extent *want, size_t n)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_extents (img, v2v_image_size (img), 0, &list, &err),
             err);
  assert_int_equal (list.len, n);
  for (size_t i = 0; i < n; ++i) {
    assert_true (list.ptr[i].offset == want[i].offset);
    assert_true (list.ptr[i].length == want[i].length);
    assert_int_equal (list.ptr[i].type, want[i].type);
    assert_int_equal (list.ptr[i].depth, want[i].depth);
  }
}

#define G  VB_GRAIN
#define T2 (256 * VB_GRAIN) /* the third table */

static void
test_sparse_grains_out_of_order_with_a_cut_last_one (void **state)
{
  struct vb b = vb_sparse (0);

  (void) state;
  expect_everything (vb_io (&b, "a.vmdk"), &b);
  assert_int_equal (nr_warnings, 0);
  vb_free (&b);
}

static void
test_sparse_extents_tell_data_zero_and_absent (void **state)
{
  static const struct v2v_extent want[] = {
    { 0, 2 * G, V2V_EXTENT_DATA, 0 },
    { 2 * G, G, V2V_EXTENT_ABSENT, 0 },
    { 3 * G, G, V2V_EXTENT_DATA, 0 },
    { 4 * G, G, V2V_EXTENT_ABSENT, 0 },
    { 5 * G, G, V2V_EXTENT_ZERO, 0 },
    { 6 * G, T2 - 6 * G, V2V_EXTENT_ABSENT, 0 },
    { T2, G, V2V_EXTENT_DATA, 0 },
    { T2 + G, G, V2V_EXTENT_ABSENT, 0 },
    { T2 + 2 * G, G / 2, V2V_EXTENT_DATA, 0 },
  };
  struct vb b = vb_sparse (VB_ZEROED_GTE);
  struct v2v_io *io = vb_io (&b, "a.vmdk");
  struct v2v_image *img = open_io (io, NULL);

  (void) state;
  expect_runs (img, want, V2V_ARRAY_SIZE (want));
  vb_expect (img, b.ref, b.ref_len);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_extents_of_a_part_begin_and_end_inside_grains (void **state)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct vb b = vb_sparse (0);
  struct v2v_io *io = vb_io (&b, "a.vmdk");
  struct v2v_image *img = open_io (io, NULL);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_image_extents (img, 2 * G, G + 512, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_true (list.ptr[0].offset == G + 512);
  assert_true (list.ptr[0].length == G - 512);
  assert_true (list.ptr[1].length == G);
  assert_true (list.ptr[2].offset == 3 * G && list.ptr[2].length == 512);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_locate_gives_the_run_of_grains_in_file_order (void **state)
{
  struct vb b = vb_sparse (0);
  struct v2v_io *io = vb_io (&b, "a.vmdk");
  struct v2v_image *img = open_io (io, NULL);
  struct v2v_error *err = NULL;
  struct v2v_run run;

  (void) state;
  /* Grain 1 comes before grain 0 in the file: a run of one each. */
  assert_int_equal (v2v_image_locate (img, 0, 512, &run, &err), 0);
  assert_true (run.file_offset == (VB_FIRST_GRAIN + 8) * 512 + 512);
  assert_true (run.length == G - 512);
  assert_int_equal (v2v_image_locate (img, 0, T2 + 2 * G, &run, &err), 0);
  assert_true (run.length == G / 2);
  assert_int_equal (v2v_image_locate (img, 0, 2 * G, &run, &err), 1);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_header_versions_1_to_3_are_obeyed_by_their_flags (void **state)
{
  struct vb b = vb_sparse (VB_ZEROED_GTE);

  (void) state;
  for (uint32_t version = 1; version <= 3; ++version) {
    vb_put32 (&b, VMDK_H_VERSION, version);
    expect_everything (vb_io (&b, "a.vmdk"), &b);
  }
  vb_free (&b);
}

/* ---- redundant copies ---- */

static void
expect_redundant (struct vb *b)
{
  nr_warnings = 0;
  expect_everything (vb_io (b, "a.vmdk"), b);
  assert_int_equal (nr_warnings, 1);
  assert_non_null (strstr (last_warning, "redundant"));
}

static void
test_damaged_table_is_replaced_by_its_redundant_copy (void **state)
{
  struct vb b = vb_sparse (0);

  (void) state;
  vb_put32 (&b, VB_GT (0) + 4 * 3, 0x7fffffff);
  expect_redundant (&b);
  vb_free (&b);
}

static void
test_damaged_directory_entry_is_replaced_by_its_redundant_copy (void **state)
{
  struct vb b = vb_sparse (0);

  (void) state;
  vb_put32 (&b, VB_GD + 8, 0x7fffffff);
  expect_redundant (&b);
  vb_free (&b);
}

static void
test_directory_outside_the_file_is_replaced_by_the_redundant_one (void **state)
{
  struct vb b = vb_sparse (0);

  (void) state;
  vb_put64 (&b, VMDK_H_GD_OFFSET, 1 << 30);
  expect_redundant (&b);
  vb_free (&b);
}

static void
test_redundant_directory_is_ignored_without_its_flag (void **state)
{
  struct vb b = vb_sparse (0);
  struct v2v_io *io;

  (void) state;
  vb_put32 (&b, VMDK_H_FLAGS, VMDK_FLAG_NEWLINES);
  vb_put32 (&b, VB_GT (0) + 4 * 3, 0x7fffffff);
  io = vb_io (&b, "a.vmdk");
  vb_expect_refused (io, V2V_ERR_FORMAT,
                     "grain table 0: entry 3 points at sector 2147483647");
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_unclean_disk_is_read_where_both_copies_agree (void **state)
{
  const struct v2v_open_opts force = { .force = true };
  struct vb b = vb_sparse (0);
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  b.p[VMDK_H_UNCLEAN] = 1;
  expect_everything (vb_io (&b, "a.vmdk"), &b);
  assert_true (nr_warnings > 0);

  vb_put32 (&b, VB_RGT (0) + 4 * 1, 0);
  io = vb_io (&b, "a.vmdk");
  vb_expect_refused (io, V2V_ERR_FORMAT, "differs from its redundant copy");
  img = open_io (io, &force);
  assert_true (v2v_image_get_info (img)->dirty);
  vb_expect (img, b.ref, b.ref_len);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

/* ---- streamOptimized, at random ---- */

static void
test_stream_with_the_directory_in_front (void **state)
{
  struct vb b = vb_stream (0);

  (void) state;
  expect_everything (vb_io (&b, "s.vmdk"), &b);
  vb_free (&b);
}

static void
test_stream_with_the_directory_in_the_footer (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);

  (void) state;
  expect_everything (vb_io (&b, "s.vmdk"), &b);
  vb_free (&b);
}

static void
test_stream_with_records_out_of_order (void **state)
{
  struct vb b = vb_stream (VB_FOOTER | VB_SHUFFLED);

  (void) state;
  expect_everything (vb_io (&b, "s.vmdk"), &b);
  vb_free (&b);
}

static void
test_last_grain_stored_whole_is_cut (void **state)
{
  struct vb b = vb_stream (VB_WHOLE_LAST);

  (void) state;
  expect_everything (vb_io (&b, "s.vmdk"), &b);
  vb_free (&b);
}

static void
test_footer_is_found_before_trailing_zeros (void **state)
{
  struct vb b = vb_stream (VB_FOOTER);
  const size_t len = b.len;

  (void) state;
  b.p = realloc (b.p, len + 65536);
  assert_non_null (b.p);
  memset (b.p + len, 0, 65536);
  for (size_t more = 1; more <= 65536; more += 13107) {
    b.len = len + more;
    expect_everything (vb_io (&b, "s.vmdk"), &b);
  }
  vb_free (&b);
}

static void
test_stream_without_a_descriptor_is_a_whole_disk (void **state)
{
  struct vb b = vb_stream (0);

  (void) state;
  vb_put64 (&b, VMDK_H_DESCRIPTOR_OFFSET, 0);
  vb_put64 (&b, VMDK_H_DESCRIPTOR_SIZE, 0);
  expect_everything (vb_io (&b, "s.vmdk"), &b);
  vb_free (&b);
}

static void
test_compressed_grains_have_no_place_to_locate (void **state)
{
  struct vb b = vb_stream (0);
  struct v2v_io *io = vb_io (&b, "s.vmdk");
  struct v2v_image *img = open_io (io, NULL);
  struct v2v_error *err = NULL;
  struct v2v_run run;

  (void) state;
  assert_int_equal (v2v_image_locate (img, 0, 0, &run, &err), 1);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

struct reader {
  struct v2v_image *img;
  const struct vb *b;
  unsigned seed;
  bool failed;
};

static void *
read_at_random (void *arg)
{
  struct reader *r = arg;
  unsigned x = r->seed;
  uint8_t buf[3 * G];

  for (unsigned i = 0; i < 3000 && !r->failed; ++i) {
    size_t offset, len;

    x = x * 1664525 + 1013904223;
    offset = (x >> 8) % (r->b->ref_len / 512) * 512;
    len = ((x >> 4) % 24 + 1) * 512;
    if (len > r->b->ref_len - offset)
      len = r->b->ref_len - offset;
    r->failed = v2v_image_read (r->img, buf, len, offset, NULL) == -1 ||
                memcmp (buf, r->b->ref + offset, len) != 0;
  }
  return NULL;
}

static void
test_many_threads_read_one_image (void **state)
{
  struct vb forms[] = { vb_stream (VB_FOOTER | VB_SHUFFLED), vb_sparse (0) };

  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (forms); ++f) {
    struct v2v_io *io = vb_io (&forms[f], "a.vmdk");
    struct v2v_image *img = open_io (io, NULL);
    struct reader readers[6];
    pthread_t threads[6];

    assert_true (v2v_image_parallel_read (img));
    for (unsigned i = 0; i < 6; ++i) {
      readers[i] = (struct reader){ img, &forms[f], i + 1, false };
      assert_int_equal (
          pthread_create (&threads[i], NULL, read_at_random, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 6; ++i) {
      pthread_join (threads[i], NULL);
      assert_false (readers[i].failed);
    }
    v2v_image_close (img);
    v2v_io_unref (io);
    vb_free (&forms[f]);
  }
}

/* ---- snapshots' forms ---- */

#define HEAD      "# Disk DescriptorFile\nversion=1\nCID=00000001\n"
#define NO_PARENT HEAD "parentCID=ffffffff\n"

static void
expect_beside (const char *text, const char *name, const struct vb *b)
{
  const struct vb_file files[] = {
    { "d.vmdk", text, strlen (text) },
    { name, b->p, b->len },
  };

  expect_everything (vb_folder (files, 2), b);
}

static void
test_cowd_reads_as_its_tables_say (void **state)
{
  struct vb b = vb_cowd ();
  char text[256];

  (void) state;
  snprintf (text, sizeof text,
            NO_PARENT "createType=\"vmfsSparse\"\n"
                      "RW %zu VMFSSPARSE \"d-delta.vmdk\"\n",
            b.ref_len / 512);
  expect_beside (text, "d-delta.vmdk", &b);
  assert_int_equal (nr_warnings, 0);
  vb_free (&b);
}

static void
test_sesparse_reads_as_its_tables_say (void **state)
{
  struct vb b = vb_sesparse ();
  char text[256];

  (void) state;
  snprintf (text, sizeof text,
            NO_PARENT "createType=\"seSparse\"\n"
                      "RW %zu SESPARSE \"d-sesparse.vmdk\"\n",
            b.ref_len / 512);
  expect_beside (text, "d-sesparse.vmdk", &b);
  assert_int_equal (nr_warnings, 0);
  vb_free (&b);
}

/* A child must not show its parent's data where the guest unmapped it. */
static void
test_sesparse_unmapped_and_zeroed_grains_hide_the_parent (void **state)
{
  const struct v2v_open_opts force = { .force = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct vb b = vb_sesparse ();
  struct v2v_io *io = vb_io (&b, "s.vmdk");
  struct v2v_image *img = open_io (io, &force);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_image_extents (img, 4 * G, 19 * G, &list, &err), err);
  assert_int_equal (list.len, 3);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_ZERO);
  assert_true (list.ptr[1].offset == 20 * G && list.ptr[1].length == 2 * G);
  assert_int_equal (list.ptr[2].type, V2V_EXTENT_ABSENT);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_the_magic_decides_and_a_mismatch_is_warned_of (void **state)
{
  struct vb b = vb_cowd ();
  char text[256];

  (void) state;
  snprintf (text, sizeof text,
            NO_PARENT "createType=\"custom\"\nRW %zu SPARSE \"x\"\n",
            b.ref_len / 512);
  expect_beside (text, "x", &b);
  assert_non_null (strstr (last_warning, "its magic is obeyed"));
  vb_free (&b);
}

static void
test_bare_extents_are_read_only_by_force (void **state)
{
  const struct v2v_open_opts force = { .force = true };
  struct vb forms[] = { vb_cowd (), vb_sesparse (),
                        vb_sparse (VB_NO_DESCRIPTOR) };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (forms); ++i) {
    struct v2v_io *io = vb_io (&forms[i], "bare.vmdk");
    struct v2v_image *img;

    vb_expect_refused (io, V2V_ERR_UNSUPPORTED, "without a descriptor");
    img = open_io (io, &force);
    vb_expect (img, forms[i].ref, forms[i].ref_len);
    v2v_image_close (img);
    v2v_io_unref (io);
    vb_free (&forms[i]);
  }
}

/* ---- several extents ---- */

static void
test_custom_mix_of_extents_is_laid_end_to_end (void **state)
{
  static uint8_t flat[8 * 512], ref[VB_SIZE + (5 + 3 + 2 + 7) * 512];
  struct vb b = vb_sparse (VB_NO_DESCRIPTOR);
  char text[512];
  const struct vb_file files[] = {
    { "d.vmdk", text, 0 },
    { "f1", flat, sizeof flat },
    { "s1", b.p, b.len },
    { "f2", flat, sizeof flat },
  };
  struct vb_file copy[4];
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  snprintf (text, sizeof text,
            NO_PARENT "createType=\"custom\"\n"
                      "RW 5 FLAT \"f1\" 2\n"
                      "NOACCESS 3 FLAT \"gone\" 0\n"
                      "RW %u SPARSE \"s1\"\n"
                      "RDONLY 2 ZERO\n"
                      "RW 7 VMFS \"f2\"\n",
            VB_CAPACITY);
  memcpy (copy, files, sizeof copy);
  copy[0].len = strlen (text);
  test_random (flat, sizeof flat, 77);
  memcpy (ref, flat + 2 * 512, 5 * 512);
  memcpy (ref + 8 * 512, b.ref, VB_SIZE);
  memcpy (ref + 8 * 512 + VB_SIZE + 2 * 512, flat, 7 * 512);

  io = vb_folder (copy, 4);
  img = open_io (io, NULL);
  vb_expect (img, ref, sizeof ref);
  vb_expect_pieces (img, ref, sizeof ref, 0, 1536);
  assert_non_null (strstr (last_warning, "NOACCESS"));
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_flat_extent_that_looks_like_an_image_is_not_probed (void **state)
{
  struct vb b = vb_sparse (0);
  char text[256];
  const struct vb_file files[] = {
    { "d.vmdk", text, 0 },
    { "d-flat.vmdk", b.p, b.len },
  };
  struct vb_file copy[2];
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  snprintf (text, sizeof text,
            NO_PARENT "createType=\"monolithicFlat\"\n"
                      "RW %zu FLAT \"d-flat.vmdk\" 0\n",
            b.len / 512);
  memcpy (copy, files, sizeof copy);
  copy[0].len = strlen (text);
  io = vb_folder (copy, 2);
  img = open_io (io, NULL);
  vb_expect (img, b.p, b.len);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_sparse_extent_smaller_than_its_line_reads_zeros_behind (void **state)
{
  struct vb b = vb_sparse (VB_NO_DESCRIPTOR);
  static uint8_t ref[VB_SIZE + 100 * 512];
  char text[256];
  struct vb_file files[] = { { "d.vmdk", text, 0 }, { "s", b.p, b.len } };
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  memcpy (ref, b.ref, VB_SIZE);
  snprintf (text, sizeof text, NO_PARENT "RW %u SPARSE \"s\"\n",
            VB_CAPACITY + 100);
  files[0].len = strlen (text);
  io = vb_folder (files, 2);
  img = open_io (io, NULL);
  vb_expect (img, ref, sizeof ref);
  assert_non_null (strstr (last_warning, "the rest reads as zeros"));
  v2v_image_close (img);
  v2v_io_unref (io);

  snprintf (text, sizeof text, NO_PARENT "RW %u SPARSE \"s\"\n",
            VB_CAPACITY - 1024);
  files[0].len = strlen (text);
  io = vb_folder (files, 2);
  img = open_io (io, NULL);
  vb_expect (img, ref, VB_SIZE - 1024 * 512);
  assert_non_null (strstr (last_warning, "only those are read"));
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

static void
test_header_without_capacity_carries_a_descriptor (void **state)
{
  struct vb b = vb_sparse (0);
  static uint8_t flat[6 * 512];
  struct vb_file files[] = { { "d.vmdk", b.p, b.len },
                             { "f", flat, sizeof flat } };
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  test_random (flat, sizeof flat, 5);
  vb_put64 (&b, VMDK_H_CAPACITY, 0);
  vb_descriptor (&b, NO_PARENT "createType=\"monolithicFlat\"\n"
                               "RW 6 FLAT \"f\" 0\n");
  io = vb_folder (files, 2);
  img = open_io (io, NULL);
  vb_expect (img, flat, sizeof flat);
  v2v_image_close (img);
  v2v_io_unref (io);
  vb_free (&b);
}

/* ---- chains ---- */

/* A child over a flat parent that is 512 KiB long: shorter than the child. */
static void
run_chain (const char *hint, const char *parent_cid,
           const struct v2v_open_opts *opts, struct v2v_image **ret,
           struct v2v_io **ret_io, struct v2v_error **err)
{
  static struct vb b;
  static uint8_t base[VB_TABLE_SPAN];
  static char child[512];
  static const char parent[] =
      "# Disk DescriptorFile\nversion=1\nCID=0000abcd\nparentCID=ffffffff\n"
      "createType=\"vmfs\"\nRW 1024 VMFS \"base-flat.vmdk\"\n";
  struct vb_file files[] = {
    { "child.vmdk", NULL, 0 },
    { "base.vmdk", parent, sizeof parent - 1 },
    { "base-flat.vmdk", base, sizeof base },
  };

  vb_free (&b);
  b = vb_sparse (VB_ZEROED_GTE);
  snprintf (child, sizeof child,
            "# Disk DescriptorFile\nversion=1\nCID=00000002\nparentCID=%s\n"
            "createType=\"monolithicSparse\"\nparentFileNameHint=\"%s\"\n"
            "RW %u SPARSE \"child.vmdk\"\n",
            parent_cid, hint, VB_CAPACITY);
  vb_descriptor (&b, child);
  memset (base, 0x11, sizeof base);
  files[0].data = b.p;
  files[0].len = b.len;
  *ret_io = vb_folder (files, 3);
  *ret = v2v_image_open_io (*ret_io, opts, err);
}

static void
test_child_takes_what_it_lacks_from_its_parent (void **state)
{
  static const char *const hints[] = {
    "base.vmdk",           "/vmfs/volumes/5f-00/vm/base.vmdk",
    "C:\\\\vm\\base.vmdk", "C:base.vmdk",
    "../other/base.vmdk",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (hints); ++i) {
    CLEANUP_FREE uint8_t *ref = calloc (1, VB_SIZE);
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct v2v_io *io;
    struct vb plain = vb_sparse (0);

    run_chain (hints[i], "ABCD", NULL, &img, &io, &err);
    assert_ptr (img, err);
    assert_int_equal (v2v_image_chain_length (img), 2);
    memcpy (ref, plain.ref, VB_SIZE);
    for (unsigned g = 0; g < 128; ++g)
      if (g != 0 && g != 1 && g != 3 && g != 5) /* 5 is zeroed: hides it */
        memset (ref + g * G, 0x11, G);
    vb_expect (img, ref, VB_SIZE);
    v2v_image_close (img);
    v2v_io_unref (io);
    vb_free (&plain);
  }
}

static void
test_parent_with_another_cid_is_refused (void **state)
{
  const struct v2v_open_opts ignore = { .ignore_parent_id = true };
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;

  (void) state;
  run_chain ("base.vmdk", "0000abce", NULL, &img, &io, &err);
  assert_null (img);
  assert_error (&err, V2V_ERR_MISMATCH, "its CID is 0000abcd");
  v2v_io_unref (io);

  run_chain ("base.vmdk", "0000abce", &ignore, &img, &io, &err);
  assert_ptr (img, err);
  v2v_image_close (img);
  v2v_io_unref (io);
}

static void
test_missing_parent_is_named (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;

  (void) state;
  run_chain ("/vmfs/volumes/x/lost.vmdk", "0000abcd", NULL, &img, &io, &err);
  assert_null (img);
  assert_error (&err, V2V_ERR_IO, "its parent 'lost.vmdk' is not here");
  v2v_io_unref (io);
}

/* ---- largest disk ---- */

static void
test_empty_disk_of_62_tib_is_walked_in_constant_memory (void **state)
{
  /* Every table is there and empty, as VMware and qemu make them: 4 GiB of
   * holes in a file. */
  const uint64_t capacity = UINT64_C (62) << 31;
  const uint32_t nr_gds = (uint32_t) (capacity / (512 * 128));
  const size_t gd_bytes = (size_t) nr_gds * 4;
  const struct vmdk_header h = {
    .magic = VMDK_MAGIC,
    .version = 1,
    .flags = VMDK_FLAG_NEWLINES,
    .capacity = capacity,
    .grain_size = 128,
    .num_gtes_per_gt = 512,
    .gd_offset = 8,
    .overhead = 8,
  };
  const struct v2v_open_opts force = { .force = true, .format = "vmdk" };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  CLEANUP_FREE uint8_t *gd = malloc (gd_bytes);
  CLEANUP_FREE char *path = NULL;
  char *dir = test_tmpdir ();
  const uint64_t tables = 4096 + v2v_div_up (gd_bytes, 4096) * 4096;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t header[512], gte[4];
  FILE *fp;

  (void) state;
  assert_true (asprintf (&path, "%s/big.vmdk", dir) > 0);
  vmdk_header_encode (&h, header);
  for (uint32_t i = 0; i < nr_gds; ++i)
    v2v_put_le32 (gd + 4 * (size_t) i, (uint32_t) (tables / 512 + i * 4));
  fp = fopen (path, "wb");
  assert_non_null (fp);
  assert_int_equal (fwrite (header, 1, 512, fp), 512);
  assert_int_equal (fseeko (fp, 4096, SEEK_SET), 0);
  assert_int_equal (fwrite (gd, 1, gd_bytes, fp), gd_bytes);
  /* One grain, the last of the disk. */
  v2v_put_le32 (gte, (uint32_t) (tables / 512 + nr_gds * 4));
  assert_int_equal (
      fseeko (fp, (off_t) (tables + (uint64_t) nr_gds * 2048 - 4), SEEK_SET),
      0);
  assert_int_equal (fwrite (gte, 1, 4, fp), 4);
  assert_int_equal (fseeko (fp, 65535, SEEK_CUR), 0);
  assert_int_equal (fwrite ("x", 1, 1, fp), 1);
  assert_int_equal (fclose (fp), 0);

  img = v2v_image_open (path, &force, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_extents (img, v2v_image_size (img), 0, &list, &err),
             err);
  assert_int_equal (list.len, 2);
  assert_true (list.ptr[0].length == (capacity - 128) * 512);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ABSENT);
  assert_int_equal (list.ptr[1].type, V2V_EXTENT_DATA);
  v2v_image_close (img);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_sparse_grains_out_of_order_with_a_cut_last_one,
                            setup),
    cmocka_unit_test_setup (test_sparse_extents_tell_data_zero_and_absent,
                            setup),
    cmocka_unit_test_setup (test_extents_of_a_part_begin_and_end_inside_grains,
                            setup),
    cmocka_unit_test_setup (test_locate_gives_the_run_of_grains_in_file_order,
                            setup),
    cmocka_unit_test_setup (
        test_header_versions_1_to_3_are_obeyed_by_their_flags, setup),
    cmocka_unit_test_setup (
        test_damaged_table_is_replaced_by_its_redundant_copy, setup),
    cmocka_unit_test_setup (
        test_damaged_directory_entry_is_replaced_by_its_redundant_copy, setup),
    cmocka_unit_test_setup (
        test_directory_outside_the_file_is_replaced_by_the_redundant_one,
        setup),
    cmocka_unit_test_setup (
        test_redundant_directory_is_ignored_without_its_flag, setup),
    cmocka_unit_test_setup (test_unclean_disk_is_read_where_both_copies_agree,
                            setup),
    cmocka_unit_test_setup (test_stream_with_the_directory_in_front, setup),
    cmocka_unit_test_setup (test_stream_with_the_directory_in_the_footer,
                            setup),
    cmocka_unit_test_setup (test_stream_with_records_out_of_order, setup),
    cmocka_unit_test_setup (test_last_grain_stored_whole_is_cut, setup),
    cmocka_unit_test_setup (test_footer_is_found_before_trailing_zeros, setup),
    cmocka_unit_test_setup (test_stream_without_a_descriptor_is_a_whole_disk,
                            setup),
    cmocka_unit_test_setup (test_compressed_grains_have_no_place_to_locate,
                            setup),
    cmocka_unit_test_setup (test_many_threads_read_one_image, setup),
    cmocka_unit_test_setup (test_cowd_reads_as_its_tables_say, setup),
    cmocka_unit_test_setup (test_sesparse_reads_as_its_tables_say, setup),
    cmocka_unit_test_setup (
        test_sesparse_unmapped_and_zeroed_grains_hide_the_parent, setup),
    cmocka_unit_test_setup (test_the_magic_decides_and_a_mismatch_is_warned_of,
                            setup),
    cmocka_unit_test_setup (test_bare_extents_are_read_only_by_force, setup),
    cmocka_unit_test_setup (test_custom_mix_of_extents_is_laid_end_to_end,
                            setup),
    cmocka_unit_test_setup (
        test_flat_extent_that_looks_like_an_image_is_not_probed, setup),
    cmocka_unit_test_setup (
        test_sparse_extent_smaller_than_its_line_reads_zeros_behind, setup),
    cmocka_unit_test_setup (test_header_without_capacity_carries_a_descriptor,
                            setup),
    cmocka_unit_test_setup (test_child_takes_what_it_lacks_from_its_parent,
                            setup),
    cmocka_unit_test_setup (test_parent_with_another_cid_is_refused, setup),
    cmocka_unit_test_setup (test_missing_parent_is_named, setup),
    cmocka_unit_test_setup (
        test_empty_disk_of_62_tib_is_walked_in_constant_memory, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
