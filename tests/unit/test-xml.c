/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML: what is refused, and navigation by namespace. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/xml.h"

static struct v2v_xml *
parse (const char *text, struct v2v_error **err)
{
  return v2v_xml_parse (text, strlen (text), "x.xml", err);
}

static void
refused (const char *text, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (parse (text, &err));
  assert_error (&err, V2V_ERR_FORMAT, why);
}

static void
test_a_document_type_is_refused (void **state)
{
  (void) state;
  refused ("<!DOCTYPE a><a/>", "DTD");
  refused ("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "DTD");
}

static void
test_entities_are_never_expanded (void **state)
{
  (void) state;
  refused ("<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;\">]>"
           "<a>&c;</a>",
           "DTD");
  refused ("<!DOCTYPE a [<!ENTITY b SYSTEM \"/etc/passwd\">]><a>&b;</a>",
           "DTD");
  refused ("<a>&undefined;</a>", "line 1");
}

static void
test_the_line_of_a_syntax_error_is_told (void **state)
{
  (void) state;
  refused ("<a>\n<b>\n</c></a>", "line 3");
  refused ("<a>", "x.xml");
  refused ("", "0 bytes");
  refused ("hello", "x.xml");
}

static void
nested (struct v2v_str *s, unsigned depth)
{
  for (unsigned i = 0; i < depth; ++i)
    assert_int_equal (v2v_str_append (s, "<a>"), 0);
  for (unsigned i = 0; i < depth; ++i)
    assert_int_equal (v2v_str_append (s, "</a>"), 0);
}

static void
test_depth_is_bounded (void **state)
{
  CLEANUP_STR struct v2v_str ok = V2V_STR_INIT, deep = V2V_STR_INIT;
  struct v2v_error *err = NULL;
  struct v2v_xml *x;

  (void) state;
  nested (&ok, V2V_XML_MAX_DEPTH);
  x = parse (ok.ptr, &err);
  assert_ptr (x, err);
  v2v_xml_free (x);
  nested (&deep, V2V_XML_MAX_DEPTH + 1);
  refused (deep.ptr, "nested deeper");
}

static void
test_the_number_of_elements_is_bounded (void **state)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  (void) state;
  assert_int_equal (v2v_str_append (&s, "<r>"), 0);
  for (unsigned i = 0; i < V2V_XML_MAX_ELEMENTS; ++i)
    assert_int_equal (v2v_str_append (&s, "<a/>"), 0);
  assert_int_equal (v2v_str_append (&s, "</r>"), 0);
  refused (s.ptr, "more elements");
}

static void
test_names_are_compared_by_namespace (void **state)
{
  static const char text[] =
      "<p:r xmlns:p='urn:one' xmlns:q='urn:two'><q:c a='plain' p:a='one'/>"
      "<p:c q:a='two'> te<!-- x -->xt &amp; <![CDATA[<more>]]> </p:c></p:r>";
  struct v2v_error *err = NULL;
  struct v2v_xml *x = parse (text, &err);
  const struct v2v_xml_node *root, *c;
  CLEANUP_FREE char *content = NULL;
  const char *local;

  (void) state;
  assert_ptr (x, err);
  root = v2v_xml_root (x);
  assert_true (v2v_xml_is (root, "urn:one", "r"));
  assert_false (v2v_xml_is (root, "urn:two", "r"));
  c = v2v_xml_child (root, "urn:two", "c");
  assert_non_null (c);
  assert_string_equal (v2v_xml_attr (c, "", "a"), "plain");
  assert_string_equal (v2v_xml_attr (c, "urn:one", "a"), "one");
  assert_null (v2v_xml_attr (c, "urn:two", "a"));
  c = v2v_xml_child (root, "urn:one", "c");
  content = v2v_xml_text (c);
  assert_string_equal (content, "text & <more>");
  assert_string_equal (v2v_xml_qname (c, "q:Type", &local), "urn:two");
  assert_string_equal (local, "Type");
  assert_string_equal (v2v_xml_qname (c, "z:Type", &local), "");
  assert_null (v2v_xml_next (c));
  assert_null (v2v_xml_first (NULL));
  v2v_xml_free (x);
}

static void
test_probe_knows_byte_order_marks (void **state)
{
  (void) state;
  assert_true (v2v_xml_probe ("<a/>", 4));
  assert_true (v2v_xml_probe (" \r\n\t<a/>", 8));
  assert_true (v2v_xml_probe ("\xef\xbb\xbf<a/>", 7));
  assert_true (v2v_xml_probe ("\xff\xfe<\0a\0", 6));
  assert_true (v2v_xml_probe ("\xfe\xff\0<\0a", 6));
  assert_false (v2v_xml_probe ("a<b", 3));
  assert_false (v2v_xml_probe ("   ", 3));
  assert_false (v2v_xml_probe ("", 0));
}

static void
test_what_is_written_is_read_back_with_hostile_values (void **state)
{
  static const char value[] = "<a b='c'>&amp;&#10;]]>\"\xc3\xa4";
  struct v2v_error *err = NULL;
  struct v2v_xml *x = v2v_xml_new ("urn:one", "root", &err), *again;
  struct v2v_xml_node *n, *root;
  const struct v2v_xml_node *c;
  char *text, *content;
  size_t len;

  (void) state;
  assert_ptr (x, err);
  root = v2v_xml_edit (x, v2v_xml_root (x));
  n = v2v_xml_add (root, "child", value, &err);
  assert_ptr (n, err);
  assert_ok (v2v_xml_set_attr (n, "urn:two", "t", "a", value, &err), err);
  assert_ok (v2v_xml_set_attr (n, "", "", "b", "2", &err), err);
  assert_null (v2v_xml_add (root, "bad", "\001", &err));
  assert_error (&err, V2V_ERR_USAGE, "XML cannot hold");
  assert_null (v2v_xml_add (root, "bad", "\xff", &err));
  assert_error (&err, V2V_ERR_USAGE, "XML cannot hold");
  text = v2v_xml_dump (x, &len, &err);
  assert_ptr (text, err);
  again = v2v_xml_parse (text, len, "again", &err);
  assert_ptr (again, err);
  c = v2v_xml_child (v2v_xml_root (again), "urn:one", "child");
  assert_non_null (c);
  content = v2v_xml_text (c);
  assert_string_equal (content, value);
  assert_string_equal (v2v_xml_attr (c, "urn:two", "a"), value);
  assert_string_equal (v2v_xml_attr (c, "", "b"), "2");
  free (content);
  free (text);
  v2v_xml_free (again);
  v2v_xml_free (x);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_document_type_is_refused),
    cmocka_unit_test (test_entities_are_never_expanded),
    cmocka_unit_test (test_the_line_of_a_syntax_error_is_told),
    cmocka_unit_test (test_depth_is_bounded),
    cmocka_unit_test (test_the_number_of_elements_is_bounded),
    cmocka_unit_test (test_names_are_compared_by_namespace),
    cmocka_unit_test (test_probe_knows_byte_order_marks),
    cmocka_unit_test (test_what_is_written_is_read_back_with_hostile_values),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
