/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loads, checked arithmetic, the zero test and CRC-32C. */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"
#include "test-util.h"

static void
test_loads_do_not_sign_extend (void **state)
{
  static const uint8_t p[8] = {
    0x80, 0x81, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa
  };

  (void) state;
  assert_int_equal (v2v_le16 (p), 0x8180);
  assert_int_equal (v2v_be16 (p), 0x8081);
  assert_int_equal (v2v_le32 (p), 0xfeff8180);
  assert_int_equal (v2v_be32 (p), 0x8081fffe);
  assert_true (v2v_le64 (p) == UINT64_C (0xfafbfcfdfeff8180));
  assert_true (v2v_be64 (p) == UINT64_C (0x8081fffefdfcfbfa));
}

static void
test_stores_mirror_loads (void **state)
{
  uint8_t b[8];

  (void) state;
  v2v_put_le64 (b, UINT64_C (0xfafbfcfdfeff8180));
  assert_true (v2v_le64 (b) == UINT64_C (0xfafbfcfdfeff8180));
  v2v_put_be64 (b, UINT64_C (0xfafbfcfdfeff8180));
  assert_true (v2v_be64 (b) == UINT64_C (0xfafbfcfdfeff8180));
  assert_int_equal (b[0], 0xfa);
}

static void
test_overflow_is_refused_and_leaves_the_result (void **state)
{
  uint64_t r = 7;

  (void) state;
  assert_false (v2v_add_u64 (UINT64_MAX, 1, &r));
  assert_false (v2v_mul_u64 (UINT64_C (1) << 63, 2, &r));
  assert_false (v2v_round_up_u64 (UINT64_MAX, 512, &r));
  assert_int_equal (r, 7);
  assert_true (v2v_round_up_u64 (513, 512, &r));
  assert_int_equal (r, 1024);
}

static void
test_range_inside_at_the_edges (void **state)
{
  (void) state;
  assert_true (v2v_range_inside (0, 10, 10));
  assert_true (v2v_range_inside (10, 0, 10));
  assert_false (v2v_range_inside (1, 10, 10));
  assert_false (v2v_range_inside (11, 0, 10));
  assert_false (v2v_range_inside (UINT64_MAX, 2, 10));
}

static void
test_is_zero_sees_a_bit_anywhere (void **state)
{
  static uint8_t b[4096];

  (void) state;
  assert_true (v2v_is_zero (b, 0));
  for (size_t len = 1; len < 100; ++len) {
    assert_true (v2v_is_zero (b, len));
    for (size_t i = 0; i < len; ++i) {
      b[i] = 1;
      assert_false (v2v_is_zero (b, len));
      b[i] = 0;
    }
    b[len] = 1; /* just outside */
    assert_true (v2v_is_zero (b, len));
    b[len] = 0;
  }
  b[4095] = 0x80;
  assert_false (v2v_is_zero (b, 4096));
}

static void
test_crc32c_check_value (void **state)
{
  static const uint8_t zeros[32];

  (void) state;
  /* RFC 3720 B.4 and the usual "123456789" check value. */
  assert_true (v2v_crc32c (0, "123456789", 9) == 0xe3069283);
  assert_true (v2v_crc32c (0, zeros, 32) == 0x8a9136aa);
  assert_true (v2v_crc32c (v2v_crc32c (0, "1234", 4), "56789", 5) ==
               0xe3069283);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_loads_do_not_sign_extend),
    cmocka_unit_test (test_stores_mirror_loads),
    cmocka_unit_test (test_overflow_is_refused_and_leaves_the_result),
    cmocka_unit_test (test_range_inside_at_the_edges),
    cmocka_unit_test (test_is_zero_sees_a_bit_anywhere),
    cmocka_unit_test (test_crc32c_check_value),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
