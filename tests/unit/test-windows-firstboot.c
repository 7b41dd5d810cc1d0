/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is put into a Windows guest for its first boot: the service, scripts,
 * drivers, the removal of VMware Tools.  All guests here are constructed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "inject/windows-firstboot.h"
#include "inject/windows-inf.h"
#include "test-util.h"
#include "windows-build.h"

#define BASE    "/Program Files/v2v/firstboot"
#define SCRIPTS BASE "/scripts"
#define SERVICE "Services\\v2v-firstboot"

static void
need_program (void)
{
  if (v2v_firstboot_programs[0].arch == NULL)
    skip ();
}

static bool
has_finding (struct windows_build *b, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (b->w.g), id) != NULL;
}

static char *
script_text (struct windows_build *b, const char *name)
{
  char path[500], *s;

  snprintf (path, sizeof path, SCRIPTS "/%s", name);
  s = guest_tree_read (b->dir, path);
  if (s == NULL)
    fail_msg ("%s is not queued", name);
  return s;
}

/* ---- scripts ---- */

static void
add (struct windows_build *b, const char *name, const char *text)
{
  struct v2v_error *err = NULL;

  assert_ok (
      v2v_firstboot_add (b->w.g, 42, name, text, strlen (text), false, &err),
      err);
}

static void
test_scripts_have_the_line_ends_of_windows (void **state)
{
  struct windows_build b;
  char *s;

  (void) state;
  windows_build (&b, "x86_64", NULL);
  add (&b, "a.cmd", "\xef\xbb\xbfone\ntwo\r\nthree");
  s = script_text (&b, "0042-a.cmd");
  assert_string_equal (s, "one\r\ntwo\r\nthree");
  free (s);
  /* PowerShell 5 takes UTF-8 without a mark for the ANSI code page. */
  add (&b, "b.ps1", "# \xc3\xbc\n");
  s = script_text (&b, "0042-b.ps1");
  assert_string_equal (s, "\xef\xbb\xbf# \xc3\xbc\r\n");
  free (s);
  /* A signature covers the bytes. */
  add (&b, "c.ps1", "x\n# SIG # Begin signature block\n");
  s = script_text (&b, "0042-c.ps1");
  assert_string_equal (s, "x\n# SIG # Begin signature block\n");
  free (s);
  windows_build_free (&b);
}

static void
test_names_of_scripts_are_safe_or_refused (void **state)
{
  struct windows_build b;
  struct v2v_error *err = NULL;
  char long_name[200];

  (void) state;
  windows_build (&b, "x86_64", NULL);
  assert_int_equal (v2v_firstboot_add (b.w.g, 1, "x.exe", "", 0, false, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, ".cmd, .bat or .ps1");
  assert_int_equal (
      v2v_firstboot_add (b.w.g, 10000, "x.cmd", "", 0, false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "order 10000");
  add (&b, "..\\a & b%PATH%\".cmd", "x");
  assert_int_equal (v2v_firstboot_count (b.w.g, &err), 1);
  {
    CLEANUP_LIST char **names = v2v_guest_list (b.w.g, SCRIPTS, &err);

    assert_ptr (names, err);
    assert_memory_equal (names[0], "0042-a-", 7);
    assert_int_equal (strspn (names[0], "0123456789-.abPATHcmd"),
                      strlen (names[0]));
  }
  memset (long_name, 'n', 150);
  strcpy (long_name + 150, ".ps1");
  add (&b, long_name, "x");
  assert_int_equal (v2v_firstboot_count (b.w.g, &err), 2);
  memset (long_name, 'n', 48);
  strcpy (long_name + 48, ".ps1");
  {
    char path[200];

    snprintf (path, sizeof path, SCRIPTS "/0042-%.60s", long_name);
    assert_true (guest_tree_exists (b.dir, path));
  }
  windows_build_free (&b);
}

static void
test_every_special_character_of_cmd_is_quoted_or_refused (void **state)
{
  static const struct {
    const char *in, *out;
  } cases[] = {
    { "plain", "\"plain\"" },
    { "a b", "\"a b\"" },
    { "%PATH%", "\"%%PATH%%\"" },
    { "!a!", "\"!a!\"" },
    { "^&|<>()", "\"^&|<>()\"" },
    { "a,b;c=d", "\"a,b;c=d\"" },
    { "'`~@#$*?", "\"'`~@#$*?\"" },
    { "end\\", "\"end\\\\\"" },
    { "", "\"\"" },
  };
  static const char *const bad[] = { "a\"b",
                                     "a\nb",
                                     "a\rb",
                                     "\x1a",
                                     "a\tb",
                                     "a\x7f"
                                     "b" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_str s = V2V_STR_INIT;

    assert_int_equal (windows_cmd_quote (&s, cases[i].in), 1);
    assert_string_equal (s.ptr, cases[i].out);
    v2v_str_free (&s);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_str s = V2V_STR_INIT;

    assert_int_equal (windows_cmd_quote (&s, bad[i]), 0);
    assert_int_equal (s.len, 0);
    v2v_str_free (&s);
  }
}

/* ---- the service ---- */

static void
test_embedded_programs_are_what_was_built (void **state)
{
  (void) state;
  need_program ();
  for (const struct v2v_firstboot_program *p = v2v_firstboot_programs;
       p->arch != NULL; ++p) {
    const uint8_t *d = p->data;
    uint8_t sum[V2V_SHA256_SIZE];
    char hex[2 * V2V_SHA256_SIZE + 1];
    uint32_t pe;

    v2v_sha256 (p->data, p->len, sum);
    v2v_hex (sum, sizeof sum, hex);
    assert_string_equal (hex, p->sha256);
    /* A PE for its machine: [PE/COFF] "Machine Types". */
    assert_true (p->len > 0x40 && p->len < 256 * 1024);
    assert_memory_equal (d, "MZ", 2);
    pe = (uint32_t) (d[0x3c] | d[0x3d] << 8);
    assert_true (pe + 6 < p->len);
    assert_memory_equal (d + pe, "PE\0\0", 4);
    assert_int_equal (d[pe + 4] | d[pe + 5] << 8,
                      strcmp (p->arch, "x86_64") == 0 ? 0x8664 : 0x14c);
  }
}

static void
fill_sets (struct v2v_hive *h)
{
  hive_build_key (h, "ControlSet001\\Services\\nsi");
  hive_build_key (h, "ControlSet002\\Services");
}

static void
install (struct windows_build *b)
{
  struct v2v_error *err = NULL;

  windows_build_open (b);
  assert_ok (windows_install_firstboot (&b->w, &err), err);
  windows_build_commit (b);
}

static void
test_service_is_in_every_control_set (void **state)
{
  static const char *const sets[] = { "ControlSet001\\" SERVICE,
                                      "ControlSet002\\" SERVICE };
  struct windows_build b;
  char *s;
  size_t len;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_sets);
  guest_tree_write (b.dir, "/Program Files/v2v/firstboot.complete", "old");
  add (&b, "a.cmd", "echo\n");
  install (&b);
  for (size_t i = 0; i < 2; ++i) {
    assert_int_equal (hive_read_dword (b.system, sets[i], "Type"), 0x10);
    assert_int_equal (hive_read_dword (b.system, sets[i], "Start"), 2);
    assert_int_equal (hive_read_dword (b.system, sets[i], "ErrorControl"), 1);
    s = hive_read_string (b.system, sets[i], "ObjectName");
    assert_string_equal (s, "LocalSystem");
    free (s);
    s = hive_read_string (b.system, sets[i], "ImagePath");
    assert_string_equal (s, "\"%SystemDrive%\\Program Files\\v2v\\firstboot\\"
                            "v2vfirstboot.exe\"");
    free (s);
  }
  assert_true (hive_has_value (b.system, sets[0], "DependOnService"));
  assert_false (hive_has_value (b.system, sets[1], "DependOnService"));
  assert_false (
      guest_tree_exists (b.dir, "/Program Files/v2v/firstboot.complete"));
  {
    char path[300];
    void *exe;

    snprintf (path, sizeof path, "%s" BASE "/v2vfirstboot.exe", b.dir);
    exe = test_read_file (path, &len);
    assert_int_equal (len, windows_firstboot_program (&b.w)->len);
    assert_memory_equal (exe, windows_firstboot_program (&b.w)->data, len);
    free (exe);
  }
  assert_true (has_finding (&b, "guest.firstboot.queued"));
  /* Again: nothing. */
  v2v_journal_clear (v2v_guest_journal (b.w.g));
  install (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

static void
test_nothing_queued_means_no_service (void **state)
{
  struct windows_build b;

  (void) state;
  windows_build (&b, "x86_64", fill_sets);
  install (&b);
  guest_tree_assert_unchanged (b.w.g);
  assert_false (hive_has_key (b.system, "ControlSet001\\" SERVICE));
  assert_false (guest_tree_exists (b.dir, "/Program Files"));
  windows_build_free (&b);
}

static void
test_without_a_program_a_wish_is_refused (void **state)
{
  static const char *const files[] = { "/nonexistent/x.cmd", NULL };
  const struct v2v_guest_opts opts = { .firstboot = files };
  struct v2v_error *err = NULL;
  struct windows_build b;

  (void) state;
  windows_build (&b, "aarch64", fill_sets);
  v2v_guest_set_opts (b.w.g, &opts);
  windows_build_open (&b);
  assert_int_equal (windows_install_firstboot (&b.w, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "no program for Windows on aarch64");
  windows_build_free (&b);
}

static void
test_user_scripts_come_in_their_order (void **state)
{
  struct windows_build b;
  char *dir = test_tmpdir (), *paths[2], *s;
  const char *files[3] = { NULL, NULL, NULL };
  const struct v2v_guest_opts opts = { .firstboot = files };

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_sets);
  assert_true (asprintf (&paths[0], "%s/z.cmd", dir) > 0);
  assert_true (asprintf (&paths[1], "%s/a.ps1", dir) > 0);
  files[0] = paths[0];
  files[1] = paths[1];
  test_write_file (paths[0], "first\n", 6);
  test_write_file (paths[1], "second\n", 7);
  v2v_guest_set_opts (b.w.g, &opts);
  install (&b);
  s = script_text (&b, "5000-z.cmd");
  assert_string_equal (s, "first\r\n");
  free (s);
  s = script_text (&b, "5001-a.ps1");
  assert_string_equal (s, "second\r\n");
  free (s);
  free (paths[0]);
  free (paths[1]);
  windows_build_free (&b);
  test_tmpdir_remove (dir);
}

/* ---- disks ---- */

static void
fill_policy (struct v2v_hive *h)
{
  hive_build_dword (h, "ControlSet001\\Services\\partmgr\\Parameters",
                    "SanPolicy", 2);
}

static void
test_disks_come_online_and_the_policy_is_set_back (void **state)
{
  struct v2v_error *err = NULL;
  struct windows_build b;
  char *s;

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_policy);
  assert_non_null (v2v_machine_add_disk (b.machine));
  assert_non_null (v2v_machine_add_disk (b.machine));
  assert_non_null (v2v_machine_add_disk (b.machine));
  windows_build_open (&b);
  assert_int_equal (
      v2v_hive_set_dword (b.w.system,
                          "ControlSet001\\Services\\partmgr\\Parameters",
                          "SanPolicy", 1, "test", &err),
      1);
  assert_ok (windows_install_firstboot (&b.w, &err), err);
  windows_build_commit (&b);
  s = script_text (&b, "2000-disks-online.cmd");
  assert_non_null (strstr (s, "in (0,1,2) do"));
  assert_non_null (strstr (s, "online disk noerr"));
  free (s);
  s = script_text (&b, "9000-san-policy.cmd");
  assert_non_null (strstr (s, "/v SanPolicy /t REG_DWORD /d 2 /f"));
  free (s);
  windows_build_free (&b);
}

static void
test_one_disk_and_no_policy_need_no_script (void **state)
{
  struct windows_build b;

  (void) state;
  windows_build (&b, "x86_64", fill_policy);
  assert_non_null (v2v_machine_add_disk (b.machine));
  install (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

/* ---- VMware Tools ---- */

#define PRODUCT "{0B3A2F1C-1122-3344-5566-778899AABBCC}"

static void
fill_tools (struct v2v_hive *h)
{
  hive_build_key (h, "ControlSet001\\Services\\VMTools");
}

static void
with_tools (struct windows_build *b, const char *arch)
{
  struct v2v_hive *h;

  windows_build (b, arch, fill_tools);
  h = hive_build_open (b->software);
  hive_build_string (h,
                     "Microsoft\\Windows\\CurrentVersion\\Uninstall\\" PRODUCT,
                     "DisplayName", "VMware Tools");
  hive_build_string (h,
                     "Microsoft\\Windows\\CurrentVersion\\Uninstall\\"
                     "x & calc",
                     "DisplayName", "VMware Tools");
  hive_build_string (h, "Microsoft\\Windows\\CurrentVersion\\Uninstall\\other",
                     "DisplayName", "VMware vCenter Converter");
  hive_build_done (h);
  guest_tree_write (b->dir, "/Windows/INF/oem3.inf",
                    "[Version]\nSignature=\"$WINDOWS NT$\"\nClass=Net\n"
                    "Provider=%P%\n[Strings]\nP=\"VMware, Inc.\"\n");
  guest_tree_write (b->dir, "/Windows/INF/oem4.inf",
                    "[Version]\nSignature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\n"
                    "Provider=\"VMware, Inc.\"\nCatalogFile=pvscsi.cat\n");
  guest_tree_write (b->dir, "/Windows/INF/oem5.inf",
                    "[Version]\nSignature=\"$WINDOWS NT$\"\nClass=Net\n"
                    "Provider=\"Intel\"\n; VMware\n");
  guest_tree_write (b->dir, "/Windows/INF/oem6.inf", "VMware\x01\xff garbage");
  guest_tree_write (b->dir, "/Windows/INF/oem7&calc.inf",
                    "[Version]\nSignature=x\nProvider=VMware\n");
}

static void
queue_removal (struct windows_build *b)
{
  struct v2v_error *err = NULL;

  windows_build_open (b);
  assert_ok (windows_queue_tools_removal (&b->w, &err), err);
  windows_build_commit (b);
}

/* AFTER comes behind BEFORE. */
static void
assert_order (const char *text, const char *before, const char *after)
{
  const char *a = strstr (text, before), *b = strstr (text, after);

  if (a == NULL || b == NULL || a > b)
    fail_msg ("'%s' is not before '%s' in\n%s", before, after, text);
}

static void
test_tools_are_uninstalled_then_cleaned_up_in_order (void **state)
{
  struct windows_build b;
  char *s;

  (void) state;
  need_program ();
  with_tools (&b, "x86_64");
  queue_removal (&b);
  s = script_text (&b, "8000-vmware-tools-uninstall.cmd");
  assert_non_null (strstr (s, "msiexec.exe\" /x " PRODUCT
                              " /qn /norestart REBOOT=ReallySuppress "
                              "REMOVE=ALL /l*v "));
  assert_non_null (strstr (s, "v2v-time-limit: 600"));
  assert_null (strstr (s, "calc"));
  free (s);
  s = script_text (&b, "8010-vmware-tools-clean-up.cmd");
  assert_order (s, "stop VMTools", "config VMTools start= disabled");
  assert_order (s, "config VMTools", "/delete-driver oem3.inf /uninstall");
  assert_order (s, "/delete-driver oem3.inf", "--remove-ghosts");
  assert_order (s, "--remove-ghosts", "delete VMTools");
  assert_order (s, "delete VMTools", "rd /s /q \"%ProgramFiles%\\VMware");
  assert_order (s, "rd /s /q", "VMware, Inc.\\VMware Tools");
  /* Packed: each field of the GUID backwards. */
  assert_non_null (
      strstr (s, "Installer\\Products\\C1F2A3B0221144335566778899AABBCC\""));
  assert_null (strstr (s, "oem4.inf"));
  assert_null (strstr (s, "oem5.inf"));
  assert_null (strstr (s, "oem6.inf"));
  assert_null (strstr (s, "oem7"));
  assert_null (strstr (s, "calc"));
  free (s);
  assert_true (has_finding (&b, "guest.tools.removal-queued"));
  v2v_journal_clear (v2v_guest_journal (b.w.g));
  queue_removal (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

static void
test_removal_names_nothing_of_hyper_v (void **state)
{
  static const char *const ours[] = {
    "vmbus",      "vmgid",     "vmgencounter",  "vmstorfl",     "vms3cap",
    "vmbkmcl",    "vmicheart", "vmickvp",       "vmicshutdown", "vmictime",
    "vmicvss",    "vmicrdv",   "storvsc",       "netvsc",       "hyperkbd",
    "HyperVideo", "vmicguest", "vmicvmsession", "wvmbus",       "vpci",
  };
  struct windows_build b;
  char *s;

  (void) state;
  need_program ();
  with_tools (&b, "x86_64");
  queue_removal (&b);
  s = script_text (&b, "8010-vmware-tools-clean-up.cmd");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (ours); ++i)
    if (strcasestr (s, ours[i]) != NULL)
      fail_msg ("%s is in the script", ours[i]);
  /* No wildcard but msiexec's /l*v. */
  assert_null (strchr (s, '*'));
  free (s);
  windows_build_free (&b);
}

static void
test_old_windows_gets_the_old_words_of_pnputil (void **state)
{
  struct windows_build b;
  char *s;

  (void) state;
  need_program ();
  with_tools (&b, "i386");
  v2v_guest_os (b.w.g)->build = 7601;
  queue_removal (&b);
  s = script_text (&b, "8010-vmware-tools-clean-up.cmd");
  assert_non_null (strstr (s, "pnputil.exe\" -f -d oem3.inf"));
  free (s);
  windows_build_free (&b);
}

static void
test_tools_stay_when_asked_or_absent (void **state)
{
  const struct v2v_guest_opts opts = { .keep_tools = true };
  struct windows_build b;

  (void) state;
  with_tools (&b, "x86_64");
  v2v_guest_set_opts (b.w.g, &opts);
  queue_removal (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
  windows_build (&b, "x86_64", fill_sets);
  queue_removal (&b);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
}

/* ---- drivers ---- */

#define INF_64                                                                 \
  "; a driver\n"                                                               \
  "[Version]\n"                                                                \
  "Signature = \"$WINDOWS NT$\"\n"                                             \
  "Class=Net\n"                                                                \
  "CatalogFile=My.cat\n"                                                       \
  "[Manufacturer]\n"                                                           \
  "%Maker% = Models, NTamd64.6.1, NTamd64.10.0...99999\n"                      \
  "[SourceDisksNames]\n"                                                       \
  "1 = \"Disk; one\",,,\\bin\n"                                                \
  "[SourceDisksFiles]\n"                                                       \
  "my.sys = 1\n"                                                               \
  "[SourceDisksFiles.amd64]\n"                                                 \
  "co.dll = 1,sub\n"                                                           \
  "[SourceDisksFiles.x86]\n"                                                   \
  "absent.sys = 1\n"                                                           \
  "[Strings]\n"                                                                \
  "Maker=\"A \"\"maker\"\"\"\n"

static const struct guest_tree_entry driver_tree[] = {
  { .path = "/net & 100%/a.INF", .text = INF_64 },
  { .path = "/net & 100%/MY.CAT", .text = "catalogue" },
  { .path = "/net & 100%/Bin/MY.SYS", .text = "driver" },
  { .path = "/net & 100%/Bin/sub/CO.DL_", .text = "compressed" },
  { .path = "/net & 100%/readme.txt", .text = "not needed" },
  { .path = "/x86/b.inf",
    .text = "[version]\nsignature=x\n[Manufacturer]\na=b\n" },
  { .path = NULL },
};

static int
inject_drivers (struct windows_build *b, const char *folder,
                struct v2v_error **err)
{
  const char *folders[2] = { folder, NULL };
  const struct v2v_guest_opts opts = { .drivers = folders };
  int r;

  v2v_guest_set_opts (b->w.g, &opts);
  windows_build_open (b);
  r = windows_inject_drivers (&b->w, err);
  if (r == 0)
    windows_build_commit (b);
  else {
    v2v_hive_close (b->w.system);
    v2v_hive_close (b->w.software);
    b->w.system = b->w.software = NULL;
  }
  return r;
}

static void
test_fitting_drivers_are_placed_and_queued (void **state)
{
  struct v2v_error *err = NULL;
  char *drivers = guest_tree_make (driver_tree), *base, *s;
  struct windows_build b;
  char at[200];

  (void) state;
  need_program ();
  windows_build (&b, "x86_64", fill_sets);
  base = strrchr (drivers, '/') + 1;
  assert_ok (inject_drivers (&b, drivers, &err), err);
  {
    CLEANUP_FREE char *safe = v2v_safe_name (base);

    snprintf (at, sizeof at, "/Windows/Drivers/v2v/00-%s/net & 100%%", safe);
  }
  for (size_t i = 0; i < 4; ++i) {
    char path[400];

    snprintf (path, sizeof path, "%s%s", at,
              driver_tree[i].path + strlen ("/net & 100%"));
    guest_tree_assert_text (b.dir, path, driver_tree[i].text);
  }
  {
    CLEANUP_FREE char *safe = v2v_safe_name (base);
    char path[400], name[400];

    snprintf (path, sizeof path, "%s/readme.txt", at);
    assert_false (guest_tree_exists (b.dir, path));
    snprintf (name, sizeof name, "3000-drivers-00-%s.cmd", safe);
    s = script_text (&b, name);
  }
  assert_non_null (
      strstr (s, "pnputil.exe\" /add-driver \"net & 100%%\\a.INF\" /install"));
  /* The folder that we made is no longer open to everybody. */
  assert_non_null (strstr (s, "\"%SystemRoot%\\Drivers\" /reset /q"));
  assert_non_null (strstr (s, "\"%SystemRoot%\\Drivers\\v2v\" /reset /t /q"));
  free (s);
  s = hive_read_string (b.software, "Microsoft\\Windows\\CurrentVersion",
                        "DevicePath");
  assert_ptr_equal (strstr (s, "%SystemRoot%\\inf;%SystemRoot%\\Drivers\\v2v"),
                    s);
  free (s);
  assert_true (has_finding (&b, "guest.drivers.placed"));
  assert_true (has_finding (&b, "guest.drivers.architecture"));
  v2v_journal_clear (v2v_guest_journal (b.w.g));
  assert_ok (inject_drivers (&b, drivers, &err), err);
  guest_tree_assert_unchanged (b.w.g);
  windows_build_free (&b);
  test_tmpdir_remove (drivers);
}

static void
test_drivers_that_cannot_work_are_refused (void **state)
{
  static const struct {
    const char *remove, *arch, *says;
  } cases[] = {
    { "/net & 100%/MY.CAT", "x86_64", "its catalogue is missing: My.cat" },
    { "/net & 100%/Bin/MY.SYS", "x86_64", "needs the file bin/my.sys" },
    { "/net & 100%/a.INF", "x86_64",
      "none of 1 INF files is for Windows 10.0 "
      "on x86_64" },
    { NULL, "aarch64", "none of 2 INF files" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    char *drivers = guest_tree_make (driver_tree);
    struct v2v_error *err = NULL;
    struct windows_build b;

    windows_build (&b, cases[i].arch, fill_sets);
    if (cases[i].remove != NULL) {
      char path[400];

      snprintf (path, sizeof path, "%s%s", drivers, cases[i].remove);
      assert_int_equal (unlink (path), 0);
    }
    assert_int_equal (inject_drivers (&b, drivers, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, cases[i].says);
    windows_build_free (&b);
    test_tmpdir_remove (drivers);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_scripts_have_the_line_ends_of_windows),
    cmocka_unit_test (test_names_of_scripts_are_safe_or_refused),
    cmocka_unit_test (test_every_special_character_of_cmd_is_quoted_or_refused),
    cmocka_unit_test (test_embedded_programs_are_what_was_built),
    cmocka_unit_test (test_service_is_in_every_control_set),
    cmocka_unit_test (test_nothing_queued_means_no_service),
    cmocka_unit_test (test_without_a_program_a_wish_is_refused),
    cmocka_unit_test (test_user_scripts_come_in_their_order),
    cmocka_unit_test (test_disks_come_online_and_the_policy_is_set_back),
    cmocka_unit_test (test_one_disk_and_no_policy_need_no_script),
    cmocka_unit_test (test_tools_are_uninstalled_then_cleaned_up_in_order),
    cmocka_unit_test (test_removal_names_nothing_of_hyper_v),
    cmocka_unit_test (test_old_windows_gets_the_old_words_of_pnputil),
    cmocka_unit_test (test_tools_stay_when_asked_or_absent),
    cmocka_unit_test (test_fitting_drivers_are_placed_and_queued),
    cmocka_unit_test (test_drivers_that_cannot_work_are_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
