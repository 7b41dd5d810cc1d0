/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of computer names. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/computer-names.h"
#include "test-util.h"

static void
assert_next (const char *pattern, const char *const *taken, const char *name)
{
  CLEANUP_FREE char *got = NULL;
  struct v2v_error *err = NULL;

  assert_ok (v2v_computer_name_next (pattern, taken, false, &got, &err), err);
  assert_string_equal (got, name);
}

static void
test_counters_begin_at_one_and_keep_their_width (void **state)
{
  (void) state;
  assert_next ("web-##", NULL, "web-01");
  assert_next ("###-a.example.com", NULL, "001-a.example.com");
  assert_next ("n#", NULL, "n1");
}

static void
test_the_first_gap_is_filled (void **state)
{
  static const char *const taken[] = { "web-01", "web-02", "web-04", NULL };

  (void) state;
  assert_next ("web-##", taken, "web-03");
}

static void
test_taken_names_are_compared_as_hosts (void **state)
{
  /* Case, a domain: the same host.  Another width, another tail: another. */
  static const char *const taken[] = {
    "WEB-01.other.example", "web-2", "web-002", "web-02x", "xweb-02", NULL
  };
  static const char *const plain[] = { "DB.example.com", NULL };
  struct v2v_error *err = NULL;
  char *got = NULL;

  (void) state;
  assert_next ("web-##.example.com", taken, "web-02.example.com");
  assert_int_equal (v2v_computer_name_next ("db", plain, false, &got, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "is taken, and has no counter");
  assert_next ("db2", plain, "db2");
}

static void
test_all_taken_is_an_error (void **state)
{
  static const char *const taken[] = { "n1", "n2", "n3", "n4", "n5",
                                       "n6", "n7", "n8", "n9", NULL };
  struct v2v_error *err = NULL;
  char *got = NULL;

  (void) state;
  assert_int_equal (v2v_computer_name_next ("n#", taken, false, &got, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "all of its 9 names are taken");
  assert_null (got);
}

static void
test_the_largest_counter_gives_its_last_name (void **state)
{
  enum { LAST = 999999 };
  char **taken = calloc (LAST, sizeof *taken);
  char *names = calloc (LAST, 8);

  (void) state;
  assert_true (taken != NULL && names != NULL);
  for (int i = 1; i < LAST; ++i) {
    snprintf (names + 8 * (i - 1), 8, "a%06d", i);
    taken[i - 1] = names + 8 * (i - 1);
  }
  assert_next ("a######", (const char *const *) taken, "a999999");
  free (taken);
  free (names);
}

static void
test_malformed_patterns_are_refused (void **state)
{
  static const char *const bad[] = {
    "",
    "a b",
    "a'b",
    "a/b",
    "a\nb",
    "a#b#",
    "-a",
    "a-",
    "a..b",
    "a.b#",
    "a#######",
    "b\xc3\xa4r",
    "#.#",
    "*#",
    /* a label of 64, and 65 characters in all */
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;
    char *got = NULL;

    assert_int_equal (v2v_computer_name_next (bad[i], NULL, false, &got, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, "expected");
  }
  assert_null (v2v_computer_name_check (
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      false));
}

static void
test_windows_takes_fifteen_characters_with_a_letter (void **state)
{
  (void) state;
  assert_null (v2v_computer_name_check ("abcdefghijklm##", true));
  assert_non_null (v2v_computer_name_check ("abcdefghijklmn##", true));
  assert_null (v2v_computer_name_check ("abcdefghijklmn##", false));
  assert_null (v2v_computer_name_check ("abcdefghijklm##.example.com", true));
  assert_non_null (v2v_computer_name_check ("12#", true));
  assert_null (v2v_computer_name_check ("*", true));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_counters_begin_at_one_and_keep_their_width),
    cmocka_unit_test (test_the_first_gap_is_filled),
    cmocka_unit_test (test_taken_names_are_compared_as_hosts),
    cmocka_unit_test (test_all_taken_is_an_error),
    cmocka_unit_test (test_the_largest_counter_gives_its_last_name),
    cmocka_unit_test (test_malformed_patterns_are_refused),
    cmocka_unit_test (test_windows_takes_fifteen_characters_with_a_letter),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
