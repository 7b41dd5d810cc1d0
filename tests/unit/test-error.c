/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error objects. */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "formats/core/error.h"
#include "test-util.h"

static void
test_message_code_prefix_and_hint (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_fail (&err, V2V_ERR_FORMAT, "entry %d", 7), -1);
  v2v_prefix (&err, "%s", "a.vhdx");
  v2v_hint (&err, "try %s", "this");
  assert_string_equal (v2v_error_message (err), "a.vhdx: entry 7");
  v2v_prefix_name (&err, "a.vhdx"); /* is there already */
  assert_string_equal (v2v_error_message (err), "a.vhdx: entry 7");
  v2v_prefix_name (&err, "a.vhd"); /* is not: only begins like it */
  assert_string_equal (v2v_error_message (err), "a.vhd: a.vhdx: entry 7");
  assert_string_equal (v2v_error_hint (err), "try this");
  assert_int_equal (v2v_error_code (err), V2V_ERR_FORMAT);
  assert_int_equal (v2v_error_errno (err), 0);
  v2v_error_free (err);
}

static void
test_errno_text_is_appended_and_errno_survives (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  errno = ENOSPC;
  v2v_fail_errno (&err, "writing");
  assert_int_equal (errno, ENOSPC);
  assert_string_equal (v2v_error_message (err),
                       "writing: No space left on device");
  assert_int_equal (v2v_error_code (err), V2V_ERR_IO);
  assert_int_equal (v2v_error_errno (err), ENOSPC);
  v2v_error_free (err);
}

static void
test_out_of_memory_needs_no_memory (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  v2v_fail_nomem (&err);
  v2v_prefix (&err, "x"); /* no-ops on the static object */
  v2v_hint (&err, "y");
  assert_string_equal (v2v_error_message (err), "out of memory");
  assert_int_equal (v2v_error_code (err), V2V_ERR_NOMEM);
  v2v_error_free (err);
}

static void
test_null_err_is_accepted_everywhere (void **state)
{
  (void) state;
  assert_int_equal (v2v_fail (NULL, V2V_ERR_IO, "x"), -1);
  assert_int_equal (v2v_fail_errno (NULL, "x"), -1);
  assert_int_equal (v2v_fail_nomem (NULL), -1);
  assert_int_equal (v2v_prefix (NULL, "x"), -1);
  v2v_error_free (NULL);
}

static void
test_every_code_has_its_own_exit_status_and_name (void **state)
{
  static const enum v2v_error_code codes[] = {
    V2V_ERR_IO,    V2V_ERR_FORMAT, V2V_ERR_UNSUPPORTED, V2V_ERR_USAGE,
    V2V_ERR_GUEST, V2V_ERR_NOMEM,  V2V_ERR_MISMATCH,    V2V_ERR_INTERRUPTED,
  };
  const size_t n = sizeof codes / sizeof codes[0];

  (void) state;
  for (size_t i = 0; i < n; ++i) {
    assert_true (v2v_error_exit_status (codes[i]) > 1);
    for (size_t j = 0; j < i; ++j) {
      assert_int_not_equal (v2v_error_exit_status (codes[i]),
                            v2v_error_exit_status (codes[j]));
      assert_string_not_equal (v2v_error_code_name (codes[i]),
                               v2v_error_code_name (codes[j]));
    }
  }
}

static void
test_move_hands_over_or_frees (void **state)
{
  struct v2v_error *a = NULL, *b = NULL;

  (void) state;
  v2v_fail (&a, V2V_ERR_IO, "first");
  v2v_error_move (&b, a);
  assert_string_equal (v2v_error_message (b), "first");
  v2v_error_move (NULL, b); /* frees: a leak checker sees it */
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_message_code_prefix_and_hint),
    cmocka_unit_test (test_errno_text_is_appended_and_errno_survives),
    cmocka_unit_test (test_out_of_memory_needs_no_memory),
    cmocka_unit_test (test_null_err_is_accepted_everywhere),
    cmocka_unit_test (test_every_code_has_its_own_exit_status_and_name),
    cmocka_unit_test (test_move_hands_over_or_frees),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
