/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests of disks and of whole files. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "formats/file-hash.h"
#include "test-util.h"

#define BLOCK ((size_t) V2V_DIGEST_BLOCK)

static uint8_t block_buf[V2V_DIGEST_BLOCK];

/* What the definition says, without any of the shortcuts: the digest of a
 * disk whose blocks A and B are filled with a pattern. */
static void
reference (uint64_t size, uint64_t a, uint64_t b, uint8_t root[V2V_SHA256_SIZE])
{
  const uint64_t nr = v2v_div_up (size, BLOCK);
  uint8_t *all = malloc ((size_t) nr * V2V_SHA256_SIZE);

  assert_non_null (all);
  for (uint64_t i = 0; i < nr; ++i) {
    const size_t len = (size_t) v2v_min_u64 (BLOCK, size - i * BLOCK);

    memset (block_buf, i == a ? 0x61 : i == b ? 0x62 : 0, len);
    v2v_sha256 (block_buf, len, all + i * V2V_SHA256_SIZE);
  }
  v2v_sha256 (all, (size_t) nr * V2V_SHA256_SIZE, root);
  free (all);
}

static void
check_root (uint64_t size, uint64_t a, uint64_t b, uint64_t memory)
{
  struct v2v_error *err = NULL;
  struct v2v_disk_digest *d = v2v_disk_digest_new (size, &err);
  uint8_t expected[V2V_SHA256_SIZE], got[V2V_SHA256_SIZE];

  assert_ptr (d, err);
  v2v_disk_digest_limit_memory (d, memory);
  reference (size, a, b, expected);
  /* Out of order, as threads finish. */
  for (int i = 1; i >= 0; --i) {
    const uint64_t block = i == 0 ? a : b;

    if (block >= d->nr_blocks)
      continue;
    memset (block_buf, i == 0 ? 0x61 : 0x62, BLOCK);
    v2v_disk_digest_block (d, block, block_buf);
    v2v_sha256 (block_buf, (size_t) v2v_disk_digest_block_len (d, block), got);
    assert_ok (v2v_disk_digest_get (d, block, block_buf, &err), err);
    assert_memory_equal (got, block_buf, V2V_SHA256_SIZE);
  }
  assert_ok (v2v_disk_digest_finish (d, &err), err);
  assert_true (d->complete);
  assert_memory_equal (d->root, expected, V2V_SHA256_SIZE);
  v2v_disk_digest_free (d);
}

static void
test_root_equals_the_definition (void **state)
{
  (void) state;
  check_root (BLOCK, UINT64_MAX, UINT64_MAX, V2V_DIGEST_MEMORY);
  check_root (BLOCK, 0, UINT64_MAX, V2V_DIGEST_MEMORY);
  check_root (BLOCK + 512, 0, 1, V2V_DIGEST_MEMORY);
  check_root (BLOCK + 512, 1, UINT64_MAX, V2V_DIGEST_MEMORY);
  check_root (BLOCK * 5 - 4096, 4, 2, V2V_DIGEST_MEMORY);
}

static void
test_root_across_pages (void **state)
{
  (void) state;
  check_root (BLOCK * 1025 + 1024, 1023, 1025, V2V_DIGEST_MEMORY);
  check_root (BLOCK * 1025 + 1024, 3, 1024, V2V_DIGEST_MEMORY);
}

static void
test_digests_past_the_memory_bound_go_to_a_file (void **state)
{
  (void) state;
  check_root (BLOCK * 1025 + 1024, 7, 1025, 0);
  check_root (BLOCK * 1025 + 1024, 7, 1025, 32 * 1024); /* one page */
}

static void
test_missing_temporary_folder_is_an_error_of_finish (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_disk_digest *d = v2v_disk_digest_new (BLOCK, &err);
  const char *old = getenv ("TMPDIR");
  char *saved = old ? strdup (old) : NULL;

  (void) state;
  assert_ptr (d, err);
  v2v_disk_digest_limit_memory (d, 0);
  setenv ("TMPDIR", "/nonexistent/folder", 1);
  memset (block_buf, 1, BLOCK);
  v2v_disk_digest_block (d, 0, block_buf);
  if (saved != NULL)
    setenv ("TMPDIR", saved, 1);
  else
    unsetenv ("TMPDIR");
  free (saved);
  assert_int_equal (v2v_disk_digest_finish (d, &err), -1);
  assert_error (&err, V2V_ERR_IO, "temporary file");
  assert_false (d->complete);
  v2v_disk_digest_free (d);
}

static void
test_empty_disk_has_a_digest (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_disk_digest *d = v2v_disk_digest_new (0, &err);
  uint8_t expected[V2V_SHA256_SIZE];

  (void) state;
  assert_ptr (d, err);
  assert_ok (v2v_disk_digest_finish (d, &err), err);
  v2v_sha256 ("", 0, expected);
  assert_memory_equal (d->root, expected, V2V_SHA256_SIZE);
  v2v_disk_digest_free (d);
}

static void
test_disk_of_a_pebibyte_and_a_byte_is_refused (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_disk_digest *d;

  (void) state;
  d = v2v_disk_digest_new (V2V_DIGEST_MAX_DISK, &err);
  assert_ptr (d, err);
  v2v_disk_digest_free (d);
  assert_null (v2v_disk_digest_new (V2V_DIGEST_MAX_DISK + 1, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "1125899906842625");
}

/* ---- whole files ---- */

static void
test_file_hasher_knows_the_standard_vectors (void **state)
{
  static const struct {
    const char *algorithm;
    const char *hex;
  } table[] = {
    { "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha256",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha512",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
  };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("abc", "abc", 3, &err);

  (void) state;
  assert_ptr (io, err);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
    uint8_t out[V2V_DIGEST_MAX_SIZE];
    char hex[2 * V2V_DIGEST_MAX_SIZE + 1];
    size_t len = 0;
    struct v2v_file_hasher *h =
        v2v_file_hasher_start (io, table[i].algorithm, NULL, &err);

    assert_ptr (h, err);
    assert_ok (v2v_file_hasher_join (h, out, &len, &err), err);
    v2v_hex (out, len, hex);
    assert_string_equal (hex, table[i].hex);
    assert_ok (v2v_file_hash (io, table[i].algorithm, NULL, out, &len, &err),
               err);
    v2v_hex (out, len, hex);
    assert_string_equal (hex, table[i].hex);
  }
  assert_null (v2v_file_hasher_start (io, "md2", NULL, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "md2");
  v2v_io_unref (io);
}

static void
test_file_hasher_reports_read_errors_and_cancel (void **state)
{
  struct v2v_error *err = NULL;
  void *data = calloc (1, 3 * BLOCK);
  struct v2v_io *io = v2v_io_from_buffer ("disk", data, 3 * BLOCK, &err);
  struct v2v_io *bad;
  struct v2v_file_hasher *h;
  atomic_bool cancel = true;
  uint8_t out[V2V_DIGEST_MAX_SIZE];
  size_t len;

  (void) state;
  free (data);
  assert_ptr (io, err);
  bad = test_faulty_io (io, 5, EIO, NULL);
  h = v2v_file_hasher_start (bad, "sha1", NULL, &err);
  assert_ptr (h, err);
  assert_int_equal (v2v_file_hasher_join (h, out, &len, &err), -1);
  assert_error (&err, V2V_ERR_IO, "injected");
  h = v2v_file_hasher_start (io, "sha1", &cancel, &err);
  assert_ptr (h, err);
  assert_int_equal (v2v_file_hasher_join (h, out, &len, &err), -1);
  assert_error (&err, V2V_ERR_INTERRUPTED, "disk");
  h = v2v_file_hasher_start (io, "sha512", NULL, &err);
  assert_ptr (h, err);
  v2v_file_hasher_free (h);
  v2v_io_unref (bad);
  v2v_io_unref (io);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_root_equals_the_definition),
    cmocka_unit_test (test_root_across_pages),
    cmocka_unit_test (test_digests_past_the_memory_bound_go_to_a_file),
    cmocka_unit_test (test_missing_temporary_folder_is_an_error_of_finish),
    cmocka_unit_test (test_empty_disk_has_a_digest),
    cmocka_unit_test (test_disk_of_a_pebibyte_and_a_byte_is_refused),
    cmocka_unit_test (test_file_hasher_knows_the_standard_vectors),
    cmocka_unit_test (test_file_hasher_reports_read_errors_and_cancel),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
