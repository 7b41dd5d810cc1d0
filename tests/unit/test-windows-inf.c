/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* INF files: character sets, syntax, decorations, files. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/guest.h"
#include "inject/windows-inf.h"
#include "test-util.h"

#define HEAD "[Version]\nSignature=\"$Windows NT$\"\n"

static struct windows_inf *
parse (const char *text)
{
  struct v2v_error *err = NULL;
  struct windows_inf *inf = windows_inf_parse (text, strlen (text), &err);

  assert_ptr (inf, err);
  return inf;
}

static void
assert_value (const struct windows_inf *inf, const char *section,
              const char *key, const char *want)
{
  struct v2v_error *err = NULL;
  char *s = windows_inf_get (inf, section, key, &err);

  if (want == NULL)
    assert_null (s);
  else {
    assert_ptr (s, err);
    assert_string_equal (s, want);
  }
  free (s);
}

static void
test_syntax (void **state)
{
  struct windows_inf *inf =
      parse ("; comment\r\n"
             "[ VERSION ] ; behind\r\n"
             "SIGNATURE = \"$CHICAGO$\"\r\n"
             "Provider=%Me%, second\r\n"
             "a = \"with ; and , and = and \"\"quotes\"\"\" ; comment\r\n"
             "\"quoted key\" = 5\r\n"
             "long = one\\\r\n"
             "  two\r\n"
             "pc = 100%%\r\n"
             "unknown = %nobody%\r\n"
             "half = 50%\r\n"
             "empty =\r\n"
             "[version]\r\n"
             "again = yes\r\n"
             "[Strings]\r\n"
             "me = \"The %a% maker\"\r\n");

  (void) state;
  assert_value (inf, "version", "provider", "The %a% maker");
  assert_value (inf, "Version", "A", "with ; and , and = and \"quotes\"");
  assert_value (inf, "version", "quoted key", "5");
  assert_value (inf, "version", "long", "one two");
  assert_value (inf, "version", "pc", "100%");
  assert_value (inf, "version", "unknown", "%nobody%");
  assert_value (inf, "version", "half", "50%");
  assert_value (inf, "version", "empty", NULL);
  assert_value (inf, "version", "again", "yes");
  assert_value (inf, "version", "nothing", NULL);
  windows_inf_free (inf);
}

static void
test_character_sets (void **state)
{
  static const char *const sets[] = { "UTF-16LE", "UTF-16BE", "UTF-8",
                                      "windows-1252" };
  static const char *const marks[] = { "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf",
                                       "" };
  static const size_t lengths[] = { 2, 2, 3, 0 };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sets); ++i) {
    struct v2v_error *err = NULL;
    struct v2v_str s = V2V_STR_INIT;
    struct windows_inf *inf;
    size_t len = 0;
    void *text =
        v2v_from_utf8 (sets[i], HEAD "Provider=B\xc3\xbcro\n", &len, &err);

    assert_ptr (text, err);
    assert_int_equal (v2v_str_append_len (&s, marks[i], lengths[i]), 0);
    assert_int_equal (v2v_str_append_len (&s, text, len), 0);
    inf = windows_inf_parse (s.ptr, s.len, &err);
    assert_ptr (inf, err);
    assert_value (inf, "version", "provider", "B\xc3\xbcro");
    windows_inf_free (inf);
    v2v_str_free (&s);
    free (text);
  }
}

static void
test_what_is_no_inf_is_refused (void **state)
{
  static const char *const bad[] = { "", "MZ", "[Version]\n",
                                     "[Other]\nSignature=x\n",
                                     "Signature=x\n" };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    assert_null (windows_inf_parse (bad[i], strlen (bad[i]), &err));
    assert_error (&err, V2V_ERR_FORMAT, "not an INF file");
  }
  assert_null (windows_inf_parse ("a\0b", 3, &err));
  assert_error (&err, V2V_ERR_FORMAT, "NUL");
}

static void
test_too_many_lines_are_refused (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_str s = V2V_STR_INIT;

  (void) state;
  assert_int_equal (v2v_str_append (&s, HEAD), 0);
  for (unsigned i = 0; i < WINDOWS_INF_MAX_LINES; ++i)
    assert_int_equal (v2v_str_append (&s, "a=1\n"), 0);
  assert_null (windows_inf_parse (s.ptr, s.len, &err));
  assert_error (&err, V2V_ERR_FORMAT, "more than 200000 lines");
  v2v_str_free (&s);
}

static void
test_decorations (void **state)
{
  static const struct {
    const char *models, *arch;
    int major, minor;
    unsigned build;
    bool fits;
  } cases[] = {
    { "a=m", "i386", 6, 1, 7601, true },
    { "a=m", "x86_64", 6, 1, 7601, false },
    { "a=m,NT", "i386", 6, 1, 7601, true },
    { "a=m,NT", "x86_64", 6, 1, 7601, false },
    { "a=m,NTamd64", "x86_64", 6, 1, 7601, true },
    { "a=m,ntAMD64", "x86_64", 6, 1, 7601, true },
    { "a=m,NTamd64", "i386", 6, 1, 7601, false },
    { "a=m,NTarm64", "aarch64", 10, 0, 22621, true },
    { "a=m,NTamd64.6.1", "x86_64", 6, 1, 7601, true },
    { "a=m,NTamd64.6.2", "x86_64", 6, 1, 7601, false },
    { "a=m,NTamd64.6.2", "x86_64", 10, 0, 17763, true },
    { "a=m,NTamd64.10.0", "x86_64", 6, 3, 9600, false },
    { "a=m,NTamd64.10.0...17763", "x86_64", 10, 0, 17763, true },
    { "a=m,NTamd64.10.0...17764", "x86_64", 10, 0, 17763, false },
    { "a=m,NTamd64.10.0...17764", "x86_64", 10, 0, 0, true },
    { "a=m,NTx86,NTamd64.99.0", "x86_64", -1, -1, 0, true },
    { "a=m,NTamd645", "x86_64", 10, 0, 0, false },
    { "", "x86_64", 10, 0, 0, false },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_str s = V2V_STR_INIT;
    struct windows_inf *inf;

    assert_int_equal (
        v2v_str_printf (&s, HEAD "[Manufacturer]\n%s\n", cases[i].models), 0);
    inf = parse (s.ptr);
    if (windows_inf_fits (inf, cases[i].arch, cases[i].major, cases[i].minor,
                          cases[i].build,
                          WINDOWS_PRODUCT_UNKNOWN) != cases[i].fits)
      fail_msg ("%s on %s %d.%d", cases[i].models, cases[i].arch,
                cases[i].major, cases[i].minor);
    windows_inf_free (inf);
    v2v_str_free (&s);
  }
}

/* "Models" of the best decoration that fits; an empty section says no. */
static void
test_models_of_the_decoration (void **state)
{
  static const char text[] =
      HEAD "[Manufacturer]\n"
           "a=Net,NTx86,NTamd64.6.1,NTamd64.10.0...17763,NTamd64.10.0\n"
           "[Net.NTx86]\nd=i,PCI\\1\n"
           "[Net.NTamd64.6.1]\nd=i,PCI\\1\n"
           "[Net.NTamd64.10.0]\n; nothing\n"
           "[net.ntamd64.10.0...17763]\nd=i,PCI\\1\n";
  static const struct {
    const char *arch;
    int major, minor;
    unsigned build;
    bool fits;
  } cases[] = {
    { "x86_64", 6, 0, 6002, false },  { "x86_64", 6, 1, 7601, true },
    { "x86_64", 6, 3, 9600, true },   { "x86_64", 10, 0, 14393, false },
    { "x86_64", 10, 0, 17763, true }, { "x86_64", 10, 0, 26100, true },
    { "i386", 10, 0, 14393, true },   { "aarch64", 10, 0, 26100, false },
  };
  struct windows_inf *inf = parse (text);

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i)
    if (windows_inf_fits (inf, cases[i].arch, cases[i].major, cases[i].minor,
                          cases[i].build,
                          WINDOWS_PRODUCT_UNKNOWN) != cases[i].fits)
      fail_msg ("%s %d.%d build %u", cases[i].arch, cases[i].major,
                cases[i].minor, cases[i].build);
  windows_inf_free (inf);
  /* One maker of two is enough. */
  inf = parse (HEAD "[Manufacturer]\na=A,NTamd64\nb=B,NTamd64\n"
                    "[A]\nd=i\n[B.NTamd64]\nd=i\n");
  assert_true (
      windows_inf_fits (inf, "x86_64", 10, 0, 17763, WINDOWS_PRODUCT_UNKNOWN));
  assert_false (
      windows_inf_fits (inf, "i386", 10, 0, 17763, WINDOWS_PRODUCT_UNKNOWN) &&
      windows_inf_fits (inf, "aarch64", 10, 0, 17763, WINDOWS_PRODUCT_UNKNOWN));
  windows_inf_free (inf);
}

static void
test_included_files_of_the_architecture (void **state)
{
  struct windows_inf *inf =
      parse (HEAD "[Net]\nInclude=netvwifi.inf, machine.inf\nNeeds=a.b\n"
                  "[Net.NTamd64]\nINCLUDE = Machine.INF , pci.inf\n"
                  "[Net.NTx86.HW]\nInclude=only86.inf\n"
                  "[Net.NTarm64]\nInclude=onlyarm.inf\n"
                  "[bad]\nInclude=..\\up.inf,c:\\x.inf,\"\",.inf\n");
  static const char *const want[] = { "netvwifi.inf", "machine.inf",
                                      "pci.inf" };
  struct v2v_error *err = NULL;
  char **list = windows_inf_includes (inf, "x86_64", &err);

  (void) state;
  assert_ptr (list, err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (want); ++i)
    assert_string_equal (list[i], want[i]);
  assert_null (list[3]);
  v2v_guest_free_list (list);
  list = windows_inf_includes (inf, "i386", &err);
  assert_ptr (list, err);
  assert_string_equal (list[2], "only86.inf");
  assert_null (list[3]);
  v2v_guest_free_list (list);
  list = windows_inf_needs (inf, "i386", &err);
  assert_ptr (list, err);
  assert_string_equal (list[0], "a.b");
  assert_null (list[1]);
  v2v_guest_free_list (list);
  windows_inf_free (inf);
}

static void
test_filters_fit_by_default_install (void **state)
{
  struct windows_inf *inf = parse (HEAD "[DefaultInstall.NTamd64]\nx=y\n");

  (void) state;
  assert_true (
      windows_inf_fits (inf, "x86_64", 10, 0, 0, WINDOWS_PRODUCT_UNKNOWN));
  assert_false (
      windows_inf_fits (inf, "i386", 10, 0, 0, WINDOWS_PRODUCT_UNKNOWN));
  windows_inf_free (inf);
}

static void
test_catalogue_of_the_architecture (void **state)
{
  struct windows_inf *inf = parse (HEAD "CatalogFile=all.cat\n"
                                        "CatalogFile.NTamd64=64.cat\n");
  struct v2v_error *err = NULL;
  char *s;

  (void) state;
  s = windows_inf_catalog (inf, "x86_64", &err);
  assert_string_equal (s, "64.cat");
  free (s);
  s = windows_inf_catalog (inf, "i386", &err);
  assert_string_equal (s, "all.cat");
  free (s);
  windows_inf_free (inf);
}

static void
test_files_stay_in_the_folder (void **state)
{
  static const char *const bad[] = {
    "[SourceDisksFiles]\n..\\x.sys=1\n",
    "[SourceDisksFiles]\nx.sys=1,a\\..\\..\n",
    "[SourceDisksNames]\n1=,,,\"..\"\n[SourceDisksFiles]\nx.sys=1\n",
    "[SourceDisksFiles]\n%a%=1\n[Strings]\na=../x\n",
  };
  struct v2v_error *err = NULL;
  struct windows_inf *inf =
      parse (HEAD "[SourceDisksNames.amd64]\n1=x,,,\\A\\.\\b\n"
                  "[SourceDisksFiles]\nx.sys=1,c\n"
                  "[SourceDisksFiles.amd64]\ny.sys=2\n"
                  "[SourceDisksFiles.x86]\nz.sys=1\n");
  char **list = windows_inf_files (inf, "x86_64", &err);

  (void) state;
  assert_ptr (list, err);
  assert_string_equal (list[0], "A/b/c/x.sys");
  assert_string_equal (list[1], "y.sys");
  assert_null (list[2]);
  v2v_guest_free_list (list);
  windows_inf_free (inf);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_str s = V2V_STR_INIT;

    assert_int_equal (v2v_str_printf (&s, HEAD "%s", bad[i]), 0);
    inf = parse (s.ptr);
    assert_null (windows_inf_files (inf, "x86_64", &err));
    assert_error (&err, V2V_ERR_FORMAT, "outside of the driver's folder");
    windows_inf_free (inf);
    v2v_str_free (&s);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_syntax),
    cmocka_unit_test (test_character_sets),
    cmocka_unit_test (test_what_is_no_inf_is_refused),
    cmocka_unit_test (test_too_many_lines_are_refused),
    cmocka_unit_test (test_decorations),
    cmocka_unit_test (test_models_of_the_decoration),
    cmocka_unit_test (test_included_files_of_the_architecture),
    cmocka_unit_test (test_filters_fit_by_default_install),
    cmocka_unit_test (test_catalogue_of_the_architecture),
    cmocka_unit_test (test_files_stay_in_the_folder),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
