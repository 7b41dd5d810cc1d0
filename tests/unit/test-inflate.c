/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zlib in one piece. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/inflate.h"
#include "test-util.h"

#define N 65536

static uint8_t data[N], packed[N * 2], back[N + 1];

static void
test_round_trip_at_every_level (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  test_random (data, N / 2, 3);
  memset (data + N / 2, 'z', N / 2);
  for (int level = 1; level <= 12; ++level) {
    size_t n = 0, len = 0, used = 0;

    assert_ok (
        v2v_deflate (data, N, level, packed, v2v_deflate_bound (N), &n, &err),
        err);
    assert_true (n <= v2v_deflate_bound (N));
    memset (packed + n, 0, 100); /* padding after it is not its business */
    assert_ok (v2v_inflate (packed, n + 100, back, N, &len, &used, &err), err);
    assert_int_equal (len, N);
    assert_int_equal (used, n);
    assert_memory_equal (back, data, N);
  }
}

static void
test_noise_fits_the_bound (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  test_random (data, N, 4);
  for (size_t len = 0; len < 12000; len = len * 2 + 1) {
    size_t n = 0;

    assert_ok (
        v2v_deflate (data, len, 1, packed, v2v_deflate_bound (len), &n, &err),
        err);
    assert_true (n <= v2v_deflate_bound (len));
  }
}

static void
test_damage_is_noticed (void **state)
{
  struct v2v_error *err = NULL;
  size_t n = 0, len = 0;

  (void) state;
  memset (data, 'a', N);
  assert_ok (v2v_deflate (data, N, 6, packed, v2v_deflate_bound (N), &n, &err),
             err);
  assert_int_equal (v2v_inflate (packed, n, back, N - 1, &len, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "expands beyond 65535 bytes");
  packed[n - 1] ^= 1; /* the Adler-32 */
  assert_int_equal (v2v_inflate (packed, n, back, N, &len, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "corrupt");
  packed[n - 1] ^= 1;
  assert_int_equal (v2v_inflate (packed, n - 1, back, N, &len, NULL, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "compressed data");
  assert_int_equal (v2v_deflate (data, N, 13, packed, N, &n, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "allowed 1..12");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_round_trip_at_every_level),
    cmocka_unit_test (test_noise_fits_the_bound),
    cmocka_unit_test (test_damage_is_noticed),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
