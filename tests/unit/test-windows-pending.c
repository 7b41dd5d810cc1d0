/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that a Windows guest replaces or deletes at its next start.  Trees are
 * constructed. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/windows.h"
#include "test-util.h"
#include "windows-tree.h"

static char *dir;
static struct v2v_guest *g;

/* Pairs of names as MoveFileEx keeps them; "" is an empty one. */
static void
put_operations (const char *value, uint32_t type, const char *const *names,
                size_t nr)
{
  struct v2v_hive *h = hive_build_open (windows_tree_system (dir));
  struct v2v_error *err = NULL;
  uint8_t raw[2048];
  size_t n = 0;

  for (size_t i = 0; i < nr; ++i) {
    for (const char *p = names[i]; *p != '\0'; ++p, n += 2)
      v2v_put_le16 (raw + n, (uint8_t) *p);
    v2v_put_le16 (raw + n, 0);
    n += 2;
  }
  v2v_put_le16 (raw + n, 0);
  assert_ok (v2v_hive_set (h, "ControlSet001\\Control\\Session Manager", value,
                           type, raw, n + 2, "test", &err) == -1,
             err);
  hive_build_done (h);
}

static void
make (const char *value, uint32_t type, const char *const *names, size_t nr)
{
  const struct windows_release *release =
      windows_release_by_label ("constructed_server_2019");
  struct v2v_error *err = NULL;

  dir = windows_tree_make (release, false);
  put_operations (value, type, names, nr);
  g = windows_tree_open (dir, release, 1);
  assert_ok (v2v_windows_convert (g, &err), err);
}

static void
done (void)
{
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static const struct v2v_finding *
finding (const char *id)
{
  return v2v_findings_find (v2v_guest_findings (g), id);
}

#define VALUE     "PendingFileRenameOperations"
#define DRIVERS   "\\??\\C:\\Windows\\System32\\drivers\\"
#define ELSEWHERE "\\??\\C:\\Windows\\Temp\\"

static void
test_constructed_list_without_names_says_nothing (void **state)
{
  static const char *const names[] = { DRIVERS "disk.sys", "" };

  (void) state;
  make (VALUE, V2V_REG_MULTI_SZ, NULL, 0);
  assert_null (finding ("guest.windows.pending-files"));
  done ();
  make (VALUE, V2V_REG_SZ, names, 2);
  assert_null (finding ("guest.windows.pending-files"));
  assert_null (finding ("guest.windows.pending-driver"));
  done ();
}

static void
test_constructed_replaced_drivers_are_no_loss (void **state)
{
  static const char *const names[] = {
    ELSEWHERE "a.tmp",
    "",
    "*1\\??\\C:\\x\\storvsc.sys",
    "!\\??\\C:\\x\\y",
    DRIVERS "storvsc.sys",
    ELSEWHERE "b",
    ELSEWHERE "c",
    "!" DRIVERS "STORVSC.SYS",
    DRIVERS "pvscsi.sys",
    "",
    "\\??\\D:\\drivers\\disk.sys",
    "",
    "disk.sys",
    "",
  };
  const struct v2v_finding *f;

  (void) state;
  make (VALUE, V2V_REG_MULTI_SZ, names, 14);
  f = finding ("guest.windows.pending-files");
  assert_non_null (f);
  assert_int_equal (f->severity, V2V_INFORMATION);
  assert_non_null (strstr (f->message, "7 files are replaced"));
  assert_null (finding ("guest.windows.pending-driver"));
  done ();
}

static void
test_constructed_deleted_driver_is_named (void **state)
{
  static const char *const names[] = {
    ELSEWHERE "a.tmp",
    "",
    "*1\\??\\C:\\WINDOWS\\system32\\DRIVERS\\vmbus.sys",
    "",
  };

  (void) state;
  make (VALUE "2", V2V_REG_MULTI_SZ, names, 4);
  assert_non_null (finding ("guest.windows.pending-driver"));
  assert_string_equal (finding ("guest.windows.pending-driver")->subject,
                       "vmbus.sys");
  assert_non_null (
      strstr (finding ("guest.windows.pending-files")->message, "2 files are"));
  done ();
}

static void
test_constructed_driver_that_is_moved_away_is_named (void **state)
{
  static const char *const names[] = { DRIVERS "volmgr.sys",
                                       ELSEWHERE "volmgr.old" };

  (void) state;
  make (VALUE, V2V_REG_MULTI_SZ, names, 2);
  assert_non_null (finding ("guest.windows.pending-driver"));
  assert_string_equal (finding ("guest.windows.pending-driver")->subject,
                       "volmgr.sys");
  assert_non_null (
      strstr (finding ("guest.windows.pending-files")->message, "1 file is"));
  done ();
}

static void
test_constructed_list_with_half_a_pair_is_read (void **state)
{
  static const char *const names[] = { DRIVERS "disk.sys" };

  (void) state;
  make (VALUE, V2V_REG_MULTI_SZ, names, 1);
  assert_non_null (finding ("guest.windows.pending-driver"));
  assert_string_equal (finding ("guest.windows.pending-driver")->subject,
                       "disk.sys");
  done ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_list_without_names_says_nothing),
    cmocka_unit_test (test_constructed_replaced_drivers_are_no_loss),
    cmocka_unit_test (test_constructed_deleted_driver_is_named),
    cmocka_unit_test (test_constructed_driver_that_is_moved_away_is_named),
    cmocka_unit_test (test_constructed_list_with_half_a_pair_is_read),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
