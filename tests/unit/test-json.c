/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON layer. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/json.h"
#include "formats/core/text.h"
#include "test-util.h"

static void
test_objects_keep_order_and_types (void **state)
{
  struct v2v_json *o = v2v_json_new_object (), *a = v2v_json_new_array ();
  char *s;

  (void) state;
  v2v_json_set_string (o, "zeta", "x\"y");
  v2v_json_set_u64 (o, "alpha", 18);
  v2v_json_set_bool (o, "b", true);
  v2v_json_set_string (o, "none", NULL);
  v2v_json_append (a, v2v_json_new_u64 (1));
  v2v_json_set (o, "list", a);
  assert_true (v2v_json_ok (o));
  s = v2v_json_dump (o, 0);
  assert_string_equal (
      s, "{\"zeta\":\"x\\\"y\",\"alpha\":18,\"b\":true,\"none\":null,"
         "\"list\":[1]}");
  free (s);
  v2v_json_free (o);
}

static void
test_bytes_that_are_not_utf8_are_replaced (void **state)
{
  struct v2v_json *o = v2v_json_new_object ();

  (void) state;
  v2v_json_set_string (o, "k", "a\xff\xc3\xa4\xe2\x82");
  assert_true (v2v_json_ok (o));
  assert_string_equal (v2v_json_get_string (o, "k"),
                       "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd");
  v2v_json_free (o);
}

static void
test_a_failed_set_is_remembered_once (void **state)
{
  struct v2v_json *o = v2v_json_new_object ();

  (void) state;
  assert_int_equal (v2v_json_set (o, "k", NULL), -1);
  v2v_json_set_bool (o, "later", true);
  assert_false (v2v_json_ok (o));
  assert_true (v2v_json_ok (o));
  assert_false (v2v_json_ok (NULL));
  v2v_json_free (o);
}

static void
test_parsing_refuses_what_is_ambiguous (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_str deep = V2V_STR_INIT;

  (void) state;
  assert_null (v2v_json_parse ("{\"a\":1,\"a\":2}", 13, "f", &err));
  assert_error (&err, V2V_ERR_FORMAT, "f: line 1");
  assert_null (v2v_json_parse ("{} x", 4, "f", &err));
  assert_error (&err, V2V_ERR_FORMAT, "f: line 1");
  for (int i = 0; i < 200; ++i)
    assert_int_equal (v2v_str_append (&deep, "["), 0);
  for (int i = 0; i < 200; ++i)
    assert_int_equal (v2v_str_append (&deep, "]"), 0);
  assert_null (v2v_json_parse (deep.ptr, deep.len, "f", &err));
  assert_error (&err, V2V_ERR_FORMAT, "deeper than 128");
  v2v_str_free (&deep);
}

static void
test_getters_check_types (void **state)
{
  static const char text[] = "{\"s\":\"v\",\"n\":5,\"neg\":-5,\"t\":true}";
  struct v2v_error *err = NULL;
  struct v2v_json *o = v2v_json_parse (text, strlen (text), "f", &err);
  const struct v2v_json *v;
  const char *key;
  void *iter = NULL;
  uint64_t n = 9;
  bool b = false;
  int count = 0;

  (void) state;
  assert_ptr (o, err);
  assert_string_equal (v2v_json_get_string (o, "s"), "v");
  assert_null (v2v_json_get_string (o, "n"));
  assert_false (v2v_json_get_u64 (o, "neg", &n));
  assert_false (v2v_json_get_u64 (o, "s", &n));
  assert_int_equal (n, 9);
  assert_true (v2v_json_get_u64 (o, "n", &n));
  assert_int_equal (n, 5);
  assert_true (v2v_json_get_bool (o, "t", &b) && b);
  assert_false (v2v_json_get_bool (o, "n", &b));
  while (v2v_json_next (o, &iter, &key, &v))
    count++;
  assert_int_equal (count, 4);
  v2v_json_free (o);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_objects_keep_order_and_types),
    cmocka_unit_test (test_bytes_that_are_not_utf8_are_replaced),
    cmocka_unit_test (test_a_failed_set_is_remembered_once),
    cmocka_unit_test (test_parsing_refuses_what_is_ambiguous),
    cmocka_unit_test (test_getters_check_types),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
