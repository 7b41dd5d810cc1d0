/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources: the manifest against the files of a package. */

#include <config.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "source-util.h"

/* ---- manifests ---- */

/* t.ovf, a.vmdk ("disk") and a manifest that has A, and EXTRA lines. */
static char *
signed_folder (const char *a, const char *extra)
{
  CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
  CLEANUP_FREE char *text = source_test_descriptor (
      (const char *const[]){ "ovf:href='a.vmdk'", NULL });
  char *dir = test_tmpdir ();

  source_test_put_text (dir, "t.ovf", text);
  source_test_put_text (dir, "a.vmdk", "disk");
  source_test_add_digest (&mf, "t.ovf", text);
  source_test_add_digest (&mf, "a.vmdk", a);
  assert_int_equal (v2v_str_append (&mf, extra), 0);
  source_test_put_text (dir, "t.mf", mf.ptr);
  return dir;
}

static void
test_the_manifest_is_verified (void **state)
{
  char *dir = signed_folder ("disk", "");
  struct v2v_source *src = source_test_good (dir);
  const struct v2v_manifest_entry *list;
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_source_manifest (src, &list), 2);
  assert_true (list[0].checked && list[0].matched); /* the descriptor */
  assert_false (list[1].checked);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_true (list[1].checked && list[1].matched);
  assert_null (v2v_source_signer (src, NULL, NULL));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_differing_file_is_named (void **state)
{
  char *dir = signed_folder ("DISK", "");
  struct v2v_source *src = source_test_good (dir);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_source_verify_manifest (src, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "'a.vmdk'");
  v2v_source_close (src);

  src = source_test_open_with (dir, V2V_MANIFEST_WARN, &err);
  assert_ptr (src, err);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_true (source_test_finds (src, "manifest.mismatch"));
  v2v_source_close (src);

  src = source_test_open_with (dir, V2V_MANIFEST_OFF, &err);
  assert_ptr (src, err);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_false (source_test_finds (src, "manifest.mismatch"));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_digests_of_the_copy_are_compared (void **state)
{
  char *dir = signed_folder ("disk", "");
  struct v2v_source *src = source_test_good (dir);
  const struct v2v_manifest_entry *list;
  struct v2v_error *err = NULL;
  bool listed = false;

  (void) state;
  assert_int_equal (v2v_source_manifest (src, &list), 2);
  assert_ok (v2v_source_report_digest (src, "a.vmdk", "sha256", list[1].hex,
                                       &listed, &err),
             err);
  assert_true (listed && list[1].matched);
  assert_ok (
      v2v_source_report_digest (src, "b.vmdk", "sha256", "00", &listed, &err),
      err);
  assert_false (listed);
  assert_int_equal (
      v2v_source_report_digest (src, "a.vmdk", "sha256", "00", NULL, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "a.vmdk");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_listed_but_absent_file_is_an_error (void **state)
{
  char *dir = signed_folder (
      "disk", "SHA1(gone)= 0123456789012345678901234567890123456789\n");
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  source_test_refused (dir, V2V_ERR_MISMATCH, "'gone'");
  src = source_test_open_with (dir, V2V_MANIFEST_WARN, &err);
  assert_ptr (src, err);
  assert_true (source_test_finds (src, "manifest.absent"));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_file_that_the_manifest_does_not_list_is_an_error (void **state)
{
  static const char *const names[] = { "t.ovf", "a.vmdk" };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t listed = 0; listed < 3; ++listed) {
    CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
    CLEANUP_FREE char *text = source_test_descriptor (
        (const char *const[]){ "ovf:href='a.vmdk'", NULL });
    char *dir = signed_folder ("disk", "");
    struct v2v_source *src;

    /* Nothing, the descriptor alone, the disk alone. */
    if (listed > 0)
      source_test_add_digest (&mf, names[listed - 1],
                              listed == 1 ? text : "disk");
    source_test_put_text (dir, "t.mf", mf.ptr ? mf.ptr : "");
    if (listed < 2)
      source_test_refused (dir, V2V_ERR_MISMATCH,
                           listed == 0 ? "lists no file" : "'a.vmdk'");
    src = source_test_open_with (
        dir, listed < 2 ? V2V_MANIFEST_WARN : V2V_MANIFEST_STRICT, &err);
    assert_ptr (src, err);
    assert_true (source_test_finds (src, "manifest.unlisted"));
    assert_true (v2v_source_manifest_is_partial (src));
    v2v_source_close (src);
    test_tmpdir_remove (dir);
  }
}

static void
test_other_spellings_and_chunks_are_listed (void **state)
{
  static const char *const files[][2] = {
    { "ovf:href='a%20b.vmdk'", "a b.vmdk" },
    { "ovf:href='./a.vmdk'", "a.vmdk" },
    { "ovf:href='a.vmdk' ovf:chunkSize='9' ovf:size='4'", "a.vmdk.000000000" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
    CLEANUP_FREE char *text =
        source_test_descriptor ((const char *const[]){ files[i][0], NULL });
    char *dir = test_tmpdir ();
    struct v2v_source *src;

    source_test_put_text (dir, "t.ovf", text);
    source_test_put_text (dir, files[i][1], "disk");
    source_test_add_digest (&mf, "t.ovf", text);
    source_test_put_text (dir, "t.mf", mf.ptr);
    source_test_refused (dir, V2V_ERR_MISMATCH, "does not list");
    source_test_add_digest (&mf, files[i][1], "disk");
    source_test_put_text (dir, "t.mf", mf.ptr);
    src = source_test_good (dir);
    assert_false (v2v_source_manifest_is_partial (src));
    source_test_disk_is (src, 0, "disk", false);
    v2v_source_close (src);
    test_tmpdir_remove (dir);
  }
}

static void
test_a_changed_descriptor_is_refused_at_once (void **state)
{
  char *dir = signed_folder ("disk", "");

  (void) state;
  source_test_put_ovf (dir, "ovf:href='a.vmdk' ");
  source_test_refused (dir, V2V_ERR_MISMATCH, "t.ovf");
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_the_manifest_is_verified),
    cmocka_unit_test (test_a_differing_file_is_named),
    cmocka_unit_test (test_digests_of_the_copy_are_compared),
    cmocka_unit_test (test_a_listed_but_absent_file_is_an_error),
    cmocka_unit_test (test_a_file_that_the_manifest_does_not_list_is_an_error),
    cmocka_unit_test (test_other_spellings_and_chunks_are_listed),
    cmocka_unit_test (test_a_changed_descriptor_is_refused_at_once),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
