/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character sets, GUIDs, sizes, safe names. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/text.h"
#include "test-util.h"

static void
test_utf16_and_code_pages_become_utf8 (void **state)
{
  struct v2v_error *err = NULL;
  char *s;

  (void) state;
  s = v2v_to_utf8 ("UTF-16LE", ".\0\\\0\xe4\0", 6, &err);
  assert_ptr (s, err);
  assert_string_equal (s, ".\\\xc3\xa4");
  free (s);
  s = v2v_to_utf8 ("windows-1252", "\x80", 1, &err);
  assert_ptr (s, err);
  assert_string_equal (s, "\xe2\x82\xac");
  free (s);
  s = v2v_to_utf8 ("UTF-16LE", "", 0, &err);
  assert_ptr (s, err);
  assert_string_equal (s, "");
  free (s);
}

static void
test_bad_text_is_refused (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (v2v_to_utf8 ("UTF-16LE", "\x00\xd8\x41\x00", 4, &err));
  assert_error (&err, V2V_ERR_FORMAT, "not valid UTF-16LE");
  assert_null (v2v_to_utf8 ("UTF-16LE", "a\0\0\0b\0", 6, &err));
  assert_error (&err, V2V_ERR_FORMAT, "embedded NUL");
  assert_null (v2v_to_utf8 ("no-such-set", "a", 1, &err));
  assert_error (&err, V2V_ERR_FORMAT, "unknown character set 'no-such-set'");
  /* An incomplete last character. */
  assert_null (v2v_to_utf8 ("UTF-16LE", "a\0b", 3, &err));
  assert_error (&err, V2V_ERR_FORMAT, "not valid UTF-16LE");
}

static void
test_long_text_converts_whole (void **state)
{
  struct v2v_error *err = NULL;
  char in[5000];
  size_t len = 0;
  uint8_t *out;
  char *back;

  (void) state;
  memset (in, 'x', sizeof in - 1);
  in[sizeof in - 1] = '\0';
  out = v2v_from_utf8 ("UTF-16BE", in, &len, &err);
  assert_ptr (out, err);
  assert_int_equal (len, 2 * (sizeof in - 1));
  assert_int_equal (out[0], 0);
  assert_int_equal (out[1], 'x');
  back = v2v_to_utf8 ("UTF-16BE", out, len, &err);
  assert_ptr (back, err);
  assert_string_equal (back, in);
  free (out);
  free (back);
}

static void
test_utf8_validity (void **state)
{
  static const char *const bad[] = {
    "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
    "\xc3", "\xff",     "a\xe2\x82",
  };

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    assert_false (v2v_is_valid_utf8 (bad[i], strlen (bad[i])));
  assert_true (v2v_is_valid_utf8 ("", 0));
  assert_true (v2v_is_valid_utf8 ("\xf0\x9f\x98\x80 \xe2\x82\xac", 8));
}

static void
test_guid_layouts (void **state)
{
  /* The BAT region of [MS-VHDX] 2.2.3.2 as it stands in files. */
  static const uint8_t disk[16] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6,
                                    0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e,
                                    0x9b, 0xfd, 0x4a, 0x08 };
  struct v2v_guid g = v2v_guid_from_mixed (disk), h;
  uint8_t back[16];
  char text[37];

  (void) state;
  v2v_guid_format (&g, text);
  assert_string_equal (text, "2dc27766-f623-4200-9d64-115e9bfd4a08");
  v2v_guid_to_mixed (&g, back);
  assert_memory_equal (back, disk, 16);
  assert_true (v2v_guid_parse ("{2DC27766-F623-4200-9D64-115E9BFD4A08}", &h));
  assert_true (v2v_guid_equal (&g, &h));
  assert_false (v2v_guid_parse ("2dc27766-f623-4200-9d64-115e9bfd4a0", &h));
  assert_false (v2v_guid_parse ("2dc27766-f623-4200-9d64-115e9bfd4a08x", &h));
  assert_false (v2v_guid_parse ("{2dc27766-f623-4200-9d64-115e9bfd4a08", &h));
  assert_false (v2v_guid_parse ("2dc27766f62342009d64115e9bfd4a08", &h));
  assert_false (v2v_guid_parse ("", &h));
}

static void
test_sizes_parse (void **state)
{
  uint64_t v = 0;

  (void) state;
  assert_true (v2v_parse_size ("0", &v) && v == 0);
  assert_true (v2v_parse_size ("512", &v) && v == 512);
  assert_true (v2v_parse_size ("512B", &v) && v == 512);
  assert_true (v2v_parse_size ("2m", &v) && v == 2 * V2V_MIB);
  assert_true (v2v_parse_size ("2MiB", &v) && v == 2 * V2V_MIB);
  assert_true (v2v_parse_size ("64TB", &v) && v == 64 * V2V_TIB);
  assert_false (v2v_parse_size ("", &v));
  assert_false (v2v_parse_size ("-1", &v));
  assert_false (v2v_parse_size ("1.5G", &v));
  assert_false (v2v_parse_size ("1X", &v));
  assert_false (v2v_parse_size ("1MiBB", &v));
  assert_false (v2v_parse_size ("16384P", &v)); /* 2^64 */
  assert_false (v2v_parse_size ("18446744073709551616", &v));
}

static void
test_safe_names (void **state)
{
  static const struct {
    const char *in, *out;
  } cases[] = {
    { "web01", "web01" },
    { "My VM (prod)", "My-VM-prod" },
    { "../../etc/passwd", "etc-passwd" },
    { "..", "vm" },
    { "", "vm" },
    { "x'; Remove-Item C:\\ -Recurse; '", "x-Remove-Item-C--Recurse" },
    { "CON", "CON_" },
    { "com7.txt", "_com7.txt_" },
    { "COM10", "COM10" },
    { "a.", "a" },
    { "\xc3\xa4\xc3\xb6", "vm" },
  };

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    char *s = v2v_safe_name (cases[i].in);

    assert_non_null (s);
    if (strcmp (s, cases[i].out) != 0)
      fail_msg ("'%s' gives '%s', expected '%s'", cases[i].in, s, cases[i].out);
    free (s);
  }
}

static void
test_safe_name_has_a_limit (void **state)
{
  char in[301];
  char *s;

  (void) state;
  memset (in, 'a', 300);
  in[300] = '\0';
  s = v2v_safe_name (in);
  assert_int_equal (strlen (s), 64);
  free (s);
}

static void
test_hex_round_trip (void **state)
{
  uint8_t b[3] = { 0x00, 0xab, 0xff }, c[3];
  char hex[7];

  (void) state;
  v2v_hex (b, 3, hex);
  assert_string_equal (hex, "00abff");
  assert_true (v2v_unhex ("00ABff", 6, c, 3));
  assert_memory_equal (b, c, 3);
  assert_false (v2v_unhex ("00abf", 5, c, 3));
  assert_false (v2v_unhex ("00abfg", 6, c, 3));
}

static void
test_format_size (void **state)
{
  char b[32];

  (void) state;
  assert_string_equal (v2v_format_size (0, b), "0 B");
  assert_string_equal (v2v_format_size (1023, b), "1023 B");
  assert_string_equal (v2v_format_size (1536, b), "1.5 KiB");
  assert_string_equal (v2v_format_size (64 * V2V_TIB, b), "64.0 TiB");
  v2v_format_size (UINT64_MAX, b);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_utf16_and_code_pages_become_utf8),
    cmocka_unit_test (test_bad_text_is_refused),
    cmocka_unit_test (test_long_text_converts_whole),
    cmocka_unit_test (test_utf8_validity),
    cmocka_unit_test (test_guid_layouts),
    cmocka_unit_test (test_sizes_parse),
    cmocka_unit_test (test_safe_names),
    cmocka_unit_test (test_safe_name_has_a_limit),
    cmocka_unit_test (test_hex_round_trip),
    cmocka_unit_test (test_format_size),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
