/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values stay values: quoting, the tokenizer, and the scripts of hostile
 * machines against that of a plain one.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/hyperv.h"
#include "formats/powershell-check.h"
#include "formats/powershell.h"
#include "test-util.h"

#define TEMPLATE "Get-Date\n# @DATA@\nGet-Item\n"

/* ---- literals ---- */

/* The literal for TEXT; NULL if it is refused. */
static char *
literal (const char *text)
{
  struct v2v_ps ps = V2V_PS_INIT;
  struct v2v_error *err = NULL;
  char *script, *start, *end, *r;

  v2v_ps_code (&ps, "$x = ");
  v2v_ps_string (&ps, text);
  v2v_ps_code (&ps, "\n");
  script = v2v_ps_finish (&ps, TEMPLATE, &err);
  if (script == NULL) {
    assert_error (&err, V2V_ERR_FORMAT, "a value has control characters");
    return NULL;
  }
  start = strstr (script, "$x = ") + 5;
  end = strstr (start, "\r\nGet-Item");
  assert_non_null (end);
  r = strndup (start, (size_t) (end - start));
  free (script);
  return r;
}

static void
test_all_five_quotation_marks_are_doubled (void **state)
{
  static const char *const rows[][2] = {
    { "plain", "'plain'" },
    { "", "''" },
    { "a'b", "'a''b'" },
    { "\xe2\x80\x98", "'\xe2\x80\x98\xe2\x80\x98'" },
    { "\xe2\x80\x99", "'\xe2\x80\x99\xe2\x80\x99'" },
    { "\xe2\x80\x9a", "'\xe2\x80\x9a\xe2\x80\x9a'" },
    { "\xe2\x80\x9b", "'\xe2\x80\x9b\xe2\x80\x9b'" },
    /* Double quotation marks of every kind need nothing here. */
    { "\"\xe2\x80\x9c\xe2\x80\x9d\xe2\x80\x9e",
      "'\"\xe2\x80\x9c\xe2\x80\x9d\xe2\x80\x9e'" },
    { "$(Remove-Item C:\\) `' ; & | > # <# @'",
      "'$(Remove-Item C:\\) `'' ; & | > # <# @'''" },
    { "'\xe2\x80\x99'", "'''\xe2\x80\x99\xe2\x80\x99'''" },
    { "\xe2\x80\x93\xe2\x80\x94\xe2\x80\x95\xc2\xa0",
      "'\xe2\x80\x93\xe2\x80\x94\xe2\x80\x95\xc2\xa0'" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    CLEANUP_FREE char *got = literal (rows[i][0]);
    assert_non_null (got);
    assert_string_equal (got, rows[i][1]);
  }
}

static void
test_control_characters_are_refused (void **state)
{
  static const char *const rows[] = {
    "\n",           "a\rb",         "\t",       "\x1b[0m",
    "\x7f",         "\x01",         "\xc2\x80", /* C1 */
    "\xc2\x85",                                 /* NEL */
    "\xc2\x9f",     "\xd8\x9c",                 /* U+061C */
    "\xe2\x80\x8e",                             /* U+200E */
    "\xe2\x80\x8f", "\xe2\x80\xa8",             /* U+2028 */
    "\xe2\x80\xa9", "\xe2\x80\xaa",             /* bidi */
    "\xe2\x80\xae", "\xe2\x81\xa6",             /* U+2066 */
    "\xe2\x81\xa9", "\xef\xbb\xbf", "\xff",     /* not UTF-8 */
    "a\xc3",        "\xc0\xa7",                 /* an overlong ' */
    "\xed\xa0\x80", "\xe2\x80",                 /* a quotation mark cut short */
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i)
    assert_null (literal (rows[i]));
}

static void
test_neighbours_of_refused_characters_are_kept (void **state)
{
  static const char *const rows[] = {
    " ",
    "~",
    "\xc2\xa0",
    "\xe2\x80\x8d",
    "\xe2\x80\x90",
    "\xe2\x80\x97",
    "\xe2\x80\x9c",
    "\xe2\x80\xa7",
    "\xe2\x80\xaf",
    "\xe2\x81\xa5",
    "\xe2\x81\xaa",
    "\xf0\x9f\x98\x80",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    CLEANUP_FREE char *got = literal (rows[i]);
    assert_non_null (got);
    assert_int_equal (strlen (got), strlen (rows[i]) + 2);
  }
}

static void
test_lines_are_joined_literals (void **state)
{
  struct v2v_ps ps = V2V_PS_INIT;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *script = NULL;

  (void) state;
  v2v_ps_code (&ps, "$x = ");
  v2v_ps_lines (&ps, "a'\n\nb");
  v2v_ps_code (&ps, "\n");
  script = v2v_ps_finish (&ps, TEMPLATE, &err);
  assert_ptr (script, err);
  assert_non_null (strstr (script, "$x = ('a''' + [char]10 +\r\n        '' + "
                                   "[char]10 +\r\n        'b')\r\n"));
}

static void
test_a_script_has_a_bom_and_crlf (void **state)
{
  struct v2v_ps ps = V2V_PS_INIT;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *script = NULL;

  (void) state;
  v2v_ps_code (&ps, "$x = 1\n");
  script = v2v_ps_finish (&ps, TEMPLATE, &err);
  assert_ptr (script, err);
  assert_string_equal (script,
                       "\xef\xbb\xbfGet-Date\r\n$x = 1\r\nGet-Item\r\n");
}

static void
test_code_among_the_data_is_noticed (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  for (unsigned i = 0; i < 3; ++i) {
    struct v2v_ps ps = V2V_PS_INIT;

    if (i == 0)
      v2v_ps_code (&ps, "$x = Get-Process\n"); /* a command more */
    else if (i == 1)
      v2v_ps_code (&ps, "$x = 'not given as a value'\n");
    else {
      v2v_ps_code (&ps, "$x = ");
      v2v_ps_string (&ps, "a");
      v2v_ps_code (&ps, " \"b\"\n");
    }
    assert_null (v2v_ps_finish (&ps, TEMPLATE, &err));
    assert_error (&err, V2V_ERR_FORMAT, "does not pass its own check");
  }
}

/* ---- the tokenizer ---- */

static void
scans (const char *text, const char *commands, const char *strings)
{
  struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;
  CLEANUP_STR struct v2v_str c = V2V_STR_INIT, t = V2V_STR_INIT;

  assert_ok (v2v_ps_scan (text, strlen (text), false, &s, &err), err);
  v2v_str_append (&c, "");
  v2v_str_append (&t, "");
  for (size_t i = 0; i < s.nr_commands; ++i)
    v2v_str_printf (&c, "%s%s", i ? "," : "", s.commands[i]);
  for (size_t i = 0; i < s.nr_strings; ++i)
    v2v_str_printf (&t, "%s%s", i ? "," : "", s.strings[i]);
  assert_string_equal (c.ptr, commands);
  assert_string_equal (t.ptr, strings);
  v2v_ps_scan_clear (&s);
}

static void
test_commands_and_strings_are_found (void **state)
{
  (void) state;
  scans ("Get-Date", "Get-Date", "");
  scans ("Hyper-V\\Get-VM -Name 'a' | Where-Object { $_.Id -eq 3 }",
         "Hyper-V\\Get-VM,Where-Object", "a");
  scans ("$a = @{ Name = 'x'; Other = Get-Date }", "Get-Date", "x");
  scans ("if (Test-Path 'a') { Get-Date } else { Get-Item }",
         "Test-Path,Get-Date,Get-Item", "a");
  scans ("function Do-It { param($x) return (Get-Date $x) }", "Get-Date", "");
  scans ("[Foo]::Bar($x); Get-Date; $y[0].Name", "Get-Date", "");
  scans ("'a''b'", "", "a'b");
  scans ("# Get-Date 'x'\n<# Get-Date\n'y' #> 'z'", "", "z");
  scans ("try { a } catch { b }", "a,b", "");
  scans ("throw ('{0}' -f $x)", "", "{0}");
  scans ("Get-X -Y Z $w @splat", "Get-X", "");
}

/* The rule that matters: each of the five ends a string that another began. */
static void
test_any_quotation_mark_ends_a_string (void **state)
{
  static const char *const marks[] = { "'", "\xe2\x80\x98", "\xe2\x80\x99",
                                       "\xe2\x80\x9a", "\xe2\x80\x9b" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (marks); ++i) {
    CLEANUP_FREE char *text = NULL, *doubled = NULL, *want = NULL;

    assert_true (asprintf (&text, "'x%s; Evil-Command", marks[i]) > 0);
    scans (text, "Evil-Command", "x");
    assert_true (
        asprintf (&doubled, "'x%s%s; Evil-Command'", marks[i], marks[i]) > 0);
    assert_true (asprintf (&want, "x%s; Evil-Command", marks[i]) > 0);
    scans (doubled, "", want);
  }
}

static void
test_what_we_never_write_is_refused (void **state)
{
  static const char *const rows[] = {
    "\"expandable\"",
    "@'\nhere\n'@",
    "@\"\nhere\n\"@",
    "a`b",
    "& 'cmd'",
    ". 'file'",
    "Invoke-Expression 'x'",
    "iex 'x'",
    "Start-Process 'x'",
    "a > b",
    "% { }",
    "'open",
    "(",
    ")",
    "(]",
    "{",
    "$",
    "${a}",
    "<# open",
    "# comment \xc3\xa9",
    "\xe2\x80\x93",
    "a \xc2\xa0 b",
    "'a\tb'",
    "'a\nb'",
    "a\rb",
    "\x01",
    "\xff",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
    struct v2v_error *err = NULL;

    assert_int_equal (v2v_ps_scan (rows[i], strlen (rows[i]), false, &s, &err),
                      -1);
    assert_error (&err, V2V_ERR_FORMAT, "script, line");
  }
}

static void
test_bracket_depth_limit (void **state)
{
  struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;
  char text[140];

  (void) state;
  memset (text, '(', 64);
  memset (text + 64, ')', 64);
  assert_ok (v2v_ps_scan (text, 128, false, &s, &err), err);
  v2v_ps_scan_clear (&s);
  memset (text, '(', 65);
  memset (text + 65, ')', 65);
  assert_int_equal (v2v_ps_scan (text, 130, false, &s, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "too many brackets");
}

static void
test_a_whole_file_needs_bom_and_crlf (void **state)
{
  struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_ps_scan ("\xef\xbb\xbf"
                          "a\r\n",
                          6, true, &s, &err),
             err);
  v2v_ps_scan_clear (&s);
  assert_int_equal (v2v_ps_scan ("a\r\n", 3, true, &s, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "no byte order mark");
  assert_int_equal (v2v_ps_scan ("\xef\xbb\xbf"
                                 "a\n",
                                 5, true, &s, &err),
                    -1);
  assert_error (&err, V2V_ERR_FORMAT, "LF without CR");
}

/* ---- scripts of machines ---- */

/* A machine whose every text is TEXT. */
static struct v2v_machine *
machine_of (const char *text, enum v2v_firmware firmware)
{
  struct v2v_machine *m = v2v_machine_new (NULL);
  struct v2v_disk *d;
  struct v2v_nic *n;
  struct v2v_removable *r;
  struct v2v_serial *s;

  m->name = strdup (text);
  m->annotation = strdup (text);
  m->os_description = strdup (text);
  m->uuid_bios = strdup (text);
  m->firmware = firmware;
  m->firmware_stated = true;
  m->memory_bytes = V2V_GIB;
  d = v2v_machine_add_disk (m);
  d->id = strdup (text);
  d->file = strdup (text);
  d->mode = strdup (text);
  n = v2v_machine_add_nic (m);
  n->id = strdup (text);
  n->network = strdup (text);
  n->mac = strdup (text);
  n = v2v_machine_add_nic (m);
  n->id = strdup ("ethernet1");
  n->network = strdup ("mapped");
  r = v2v_machine_add_removable (m);
  r->kind = V2V_CD_IMAGE;
  r->file = strdup (text);
  s = v2v_machine_add_serial (m);
  s->kind = strdup ("pipe");
  s->path = strdup (text);
  return m;
}

/* Its script; the plan is freed. */
static char *
script_of (const char *text, enum v2v_firmware firmware, bool scvmm)
{
  struct v2v_machine *m = machine_of (text, firmware);
  struct v2v_hyperv_opts opts = { .default_switch = text };
  struct v2v_error *err = NULL;
  struct v2v_hyperv_plan *plan = v2v_hyperv_plan_new (m, NULL, 0, &opts, &err);
  char *script;

  assert_ptr (plan, err);
  script = scvmm ? v2v_hyperv_scvmm_script (plan, &err)
                 : v2v_hyperv_script (plan, &err);
  assert_ptr (script, err);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
  return script;
}

static void
test_hostile_machines_give_the_commands_of_a_plain_one (void **state)
{
  static const char *const texts[] = {
    "x'; Remove-Item C:\\ -Recurse; '",
    "x\xe2\x80\x98; Remove-Item C:\\; \xe2\x80\x98",
    "x\xe2\x80\x99; Remove-Item C:\\; \xe2\x80\x99",
    "x\xe2\x80\x9a; Remove-Item C:\\; \xe2\x80\x9a",
    "x\xe2\x80\x9b; Remove-Item C:\\; \xe2\x80\x9b",
    "$(Remove-Item C:\\)",
    "`$(Remove-Item C:\\)`",
    "\"; Remove-Item C:\\; \"",
    "line\nRemove-Item C:\\\nline",
    "line\r\n'@\r\nRemove-Item C:\\",
    "#> Remove-Item C:\\ <#",
    "a\xe2\x80\xa8Remove-Item\xe2\x80\xa9",
    "\xe2\x80\xae"
    "evil\xe2\x80\xac",
    "\xff\xfe not utf-8 \xc0\xa7",
    "@{ a = 'b' }",
    "[*?] wildcard",
    "CON",
    "..\\..\\x",
    "'",
    "''''''",
    "\\",
    "",
    NULL,
  };

  (void) state;
  for (unsigned g = 0; g < 4; ++g) {
    const enum v2v_firmware fw = g % 2 ? V2V_FIRMWARE_EFI : V2V_FIRMWARE_BIOS;
    CLEANUP_FREE char *plain = script_of ("plain", fw, g / 2);
    struct v2v_ps_scan want = V2V_PS_SCAN_INIT;
    struct v2v_error *err = NULL;

    assert_ok (v2v_ps_scan (plain, strlen (plain), true, &want, &err), err);
    assert_true (want.nr_commands > 20);
    for (size_t i = 0; texts[i] != NULL; ++i) {
      CLEANUP_FREE char *script = script_of (texts[i], fw, g / 2);
      struct v2v_ps_scan got = V2V_PS_SCAN_INIT;

      assert_ok (v2v_ps_scan (script, strlen (script), true, &got, &err), err);
      assert_int_equal (got.nr_commands, want.nr_commands);
      for (size_t k = 0; k < got.nr_commands; ++k)
        assert_string_equal (got.commands[k], want.commands[k]);
      v2v_ps_scan_clear (&got);
    }
    v2v_ps_scan_clear (&want);
  }
}

static void
test_a_name_of_300_characters_is_cut (void **state)
{
  char name[301];
  CLEANUP_FREE char *script = NULL;

  (void) state;
  memset (name, '\'', 300);
  name[300] = '\0';
  script = script_of (name, V2V_FIRMWARE_BIOS, false);
  memset (name, '\'', 202);
  name[202] = '\0';
  assert_non_null (strstr (script, name)); /* 100 doubled, and the ends */
}

static void
test_a_name_is_found_unchanged (void **state)
{
  const char name[] = "d\xc3\xa9j\xc3\xa0 vu' \xe2\x80\x9b \xf0\x9f\x98\x80";
  CLEANUP_FREE char *script = script_of (name, V2V_FIRMWARE_EFI, false);
  struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;
  unsigned found = 0;

  (void) state;
  assert_ok (v2v_ps_scan (script, strlen (script), true, &s, &err), err);
  for (size_t i = 0; i < s.nr_strings; ++i)
    found += strcmp (s.strings[i], name) == 0;
  assert_true (found >= 2); /* the name, the network */
  v2v_ps_scan_clear (&s);
}

/* What a reader of the script relies on. */
static void
test_the_structure_of_a_script (void **state)
{
  CLEANUP_FREE char *bios = script_of ("plain", V2V_FIRMWARE_BIOS, false);
  CLEANUP_FREE char *efi = script_of ("plain", V2V_FIRMWARE_EFI, false);
  const char *data = strstr (bios, "$data = @{");
  struct v2v_ps_scan s = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  assert_memory_equal (bios, "\xef\xbb\xbf<#\r\n", 7);
  assert_non_null (data);
  assert_true (strstr (bios, "Set-StrictMode -Version 2") < data);
  assert_true (strstr (bios, "$ErrorActionPreference = 'Stop'") < data);
  assert_true (strstr (bios, "Hyper-V\\New-VM @") > data);
  assert_non_null (strstr (bios, "SupportsShouldProcess = $true"));
  assert_non_null (strstr (bios, "    Generation = 1\r\n"));
  assert_non_null (strstr (efi, "    Generation = 2\r\n"));
  assert_non_null (strstr (bios, "File = 'plain-disk1.vhdx'; Bus = 'IDE'; "
                                 "Controller = 0; Location = 0;"));
  assert_non_null (strstr (efi, "File = 'plain-disk1.vhdx'; Bus = 'SCSI'; "
                                "Controller = 0; Location = 0;"));
  assert_non_null (
      strstr (bios, "StartupOrder = @('IDE', 'CD', 'LegacyNetworkAdapter', "
                    "'Floppy')"));
  assert_non_null (strstr (efi, "@{ Kind = 'Disk'; Index = 0 }"));
  assert_non_null (strstr (bios, "fsutil sparse setflag"));
  /* Every cmdlet of the module is called by its full name. */
  assert_ok (v2v_ps_scan (bios, strlen (bios), true, &s, &err), err);
  for (size_t i = 0; i < s.nr_commands; ++i)
    if (strstr (s.commands[i], "-VM") != NULL ||
        strstr (s.commands[i], "-VHD") != NULL)
      assert_memory_equal (s.commands[i], "Hyper-V\\", 8);
  v2v_ps_scan_clear (&s);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_all_five_quotation_marks_are_doubled),
    cmocka_unit_test (test_control_characters_are_refused),
    cmocka_unit_test (test_neighbours_of_refused_characters_are_kept),
    cmocka_unit_test (test_lines_are_joined_literals),
    cmocka_unit_test (test_a_script_has_a_bom_and_crlf),
    cmocka_unit_test (test_code_among_the_data_is_noticed),
    cmocka_unit_test (test_commands_and_strings_are_found),
    cmocka_unit_test (test_any_quotation_mark_ends_a_string),
    cmocka_unit_test (test_what_we_never_write_is_refused),
    cmocka_unit_test (test_bracket_depth_limit),
    cmocka_unit_test (test_a_whole_file_needs_bom_and_crlf),
    cmocka_unit_test (test_hostile_machines_give_the_commands_of_a_plain_one),
    cmocka_unit_test (test_a_name_of_300_characters_is_cut),
    cmocka_unit_test (test_a_name_is_found_unchanged),
    cmocka_unit_test (test_the_structure_of_a_script),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
