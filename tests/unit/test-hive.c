/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives: values, changes, verification; real and constructed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/guest-front.h"
#include "inject/hive-internal.h"
#include "inject/hive-log.h"
#include "test-util.h"

static char *dir;
static char file[512];

static int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  snprintf (file, sizeof file, "%s/HIVE", dir);
  hive_build_empty (file);
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

static void
test_constructed_values_survive_a_commit (void **state)
{
  const char *const list[] = { "one", "zw\xc3\xb6lf", NULL };
  struct v2v_journal j = V2V_JOURNAL_INIT;
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  char **got, *s;

  (void) state;
  h = v2v_hive_open (file, "SYSTEM", true, &j, &err);
  assert_ptr (h, err);
  assert_int_equal (
      v2v_hive_set_dword (h, "A\\B\\C", "Start", 3, "first", &err), 1);
  assert_int_equal (
      v2v_hive_set_string (h, "a\\b", "", V2V_REG_SZ, "default", NULL, &err),
      1);
  assert_int_equal (v2v_hive_set_multi (h, "A", "List", list, NULL, &err), 1);
  assert_true (v2v_hive_changed (h));
  assert_int_equal (j.len, 0); /* nothing is written yet */
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 0);
  v2v_hive_close (h);

  assert_int_equal (hive_read_dword (file, "A\\B\\C", "start"), 3);
  s = hive_read_string (file, "A\\B", "");
  assert_string_equal (s, "default");
  free (s);
  h = v2v_hive_open (file, "SYSTEM", false, NULL, &err);
  got = v2v_hive_get_multi (h, "a", "LIST", &err);
  assert_string_equal (got[0], "one");
  assert_string_equal (got[1], "zw\xc3\xb6lf");
  assert_null (got[2]);
  v2v_guest_free_list (got);
  got = v2v_hive_subkeys (h, "A", &err);
  assert_string_equal (got[0], "B");
  assert_null (got[1]);
  v2v_guest_free_list (got);
  got = v2v_hive_value_names (h, "A\\B", &err);
  assert_string_equal (got[0], "");
  v2v_guest_free_list (got);
  v2v_hive_close (h);

  {
    const struct v2v_change *c =
        v2v_journal_find (&j, "SYSTEM\\A\\B\\C", "Start");

    assert_non_null (c);
    assert_null (c->before);
    assert_string_equal (c->after, "0x00000003");
    assert_string_equal (c->why, "first");
    c = v2v_journal_find (&j, "SYSTEM\\A", "List");
    assert_string_equal (c->after, "[one, zw\xc3\xb6lf]");
  }
  v2v_journal_clear (&j);
}

static void
test_setting_what_is_so_writes_nothing (void **state)
{
  static const char raw[] = "a\0\0\0b\0"; /* no NUL at its end */
  const char *const list[] = { "a", "b", NULL };
  struct v2v_error *err = NULL;
  struct v2v_hive *h = hive_build_open (file);
  uint8_t *before, *after;
  size_t len, len2;

  (void) state;
  hive_build_binary (h, "K", "Number", "\2\0\0\0", 4);
  assert_ok (
      v2v_hive_set (h, "K", "List", V2V_REG_MULTI_SZ, raw, 6, "", &err) == -1,
      err);
  assert_ok (v2v_hive_set (h, "K", "Text", V2V_REG_SZ, raw, 2, "", &err) == -1,
             err);
  hive_build_done (h);
  before = test_read_file (file, &len);

  h = hive_build_open (file);
  assert_int_equal (v2v_hive_set_dword (h, "K", "Number", 2, "", &err), 0);
  assert_int_equal (v2v_hive_set_multi (h, "K", "List", list, "", &err), 0);
  assert_int_equal (
      v2v_hive_set_string (h, "K", "Text", V2V_REG_SZ, "a", "", &err), 0);
  assert_int_equal (v2v_hive_add_key (h, "k", "", &err), 0);
  assert_int_equal (v2v_hive_delete_value (h, "K", "None", "", &err), 0);
  assert_int_equal (v2v_hive_delete_key (h, "None", "", &err), 0);
  /* There and back is no change either. */
  assert_int_equal (
      v2v_hive_set (h, "K", "Text", V2V_REG_SZ, "b\0", 2, "", &err), 1);
  assert_int_equal (
      v2v_hive_set (h, "K", "Text", V2V_REG_SZ, "a\0", 2, "", &err), 1);
  assert_false (v2v_hive_changed (h));
  assert_int_equal (v2v_hive_commit (h, &err), 0);
  v2v_hive_close (h);
  after = test_read_file (file, &len2);
  assert_int_equal (len, len2);
  assert_memory_equal (before, after, len);
  free (before);
  free (after);
}

static void
test_one_value_is_deleted_and_its_neighbours_stay (void **state)
{
  struct v2v_journal j = V2V_JOURNAL_INIT;
  struct v2v_error *err = NULL;
  struct v2v_hive *h = hive_build_open (file);
  const struct v2v_change *c;
  char *s;

  (void) state;
  hive_build_string (h, "K", "", "d");
  hive_build_dword (h, "K", "Gone", 5);
  hive_build_string (h, "K", "Stays", "x");
  hive_build_done (h);
  h = v2v_hive_open (file, "SYSTEM", true, &j, &err);
  assert_int_equal (v2v_hive_delete_value (h, "K", "gone", "why", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
  assert_false (hive_has_value (file, "K", "Gone"));
  s = hive_read_string (file, "K", "Stays");
  assert_string_equal (s, "x");
  free (s);
  s = hive_read_string (file, "K", "");
  assert_string_equal (s, "d");
  free (s);
  c = v2v_journal_find (&j, "SYSTEM\\K", "gone");
  assert_string_equal (c->before, "0x00000005");
  assert_null (c->after);
  v2v_journal_clear (&j);
}

static void
test_a_key_is_deleted_with_what_is_below (void **state)
{
  struct v2v_journal j = V2V_JOURNAL_INIT;
  struct v2v_error *err = NULL;
  struct v2v_hive *h = hive_build_open (file);

  (void) state;
  hive_build_dword (h, "S\\StartOverride", "0", 3);
  hive_build_dword (h, "S\\StartOverride\\Deep", "1", 3);
  hive_build_dword (h, "S", "Start", 0);
  hive_build_done (h);
  h = v2v_hive_open (file, "SYSTEM", true, &j, &err);
  assert_int_equal (v2v_hive_delete_key (h, "S\\startoverride", "w", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
  assert_false (hive_has_key (file, "S\\StartOverride"));
  assert_true (hive_has_key (file, "S"));
  assert_int_equal (j.len, 1);
  assert_string_equal (j.ptr[0].before, "key with 1 below it; 0 = 0x00000003");
  v2v_journal_clear (&j);

  /* Deleted and made again in one go. */
  h = hive_build_open (file);
  hive_build_dword (h, "S\\X", "v", 1);
  assert_int_equal (v2v_hive_delete_key (h, "S", "w", &err), 1);
  hive_build_dword (h, "S", "Start", 2);
  hive_build_done (h);
  assert_false (hive_has_key (file, "S\\X"));
  assert_int_equal (hive_read_dword (file, "S", "Start"), 2);
}

static void
test_numbers_are_read_however_they_are_stored (void **state)
{
  static const struct {
    uint32_t type;
    const char *data;
    size_t len;
    int found;
    uint32_t value;
  } cases[] = {
    { V2V_REG_DWORD, "\1\2\0\0", 4, 1, 0x201 },
    { V2V_REG_DWORD_BE, "\0\0\2\1", 4, 1, 0x201 },
    { V2V_REG_QWORD, "\1\2\0\0\0\0\0\0", 8, 1, 0x201 },
    { V2V_REG_BINARY, "\1\2\0\0", 4, 1, 0x201 },
    { V2V_REG_BINARY, "\1\2\0\0\0\0\0\0", 8, 1, 0x201 },
    { V2V_REG_QWORD, "\1\0\0\0\1\0\0\0", 8, 0, 0 }, /* too large */
    { V2V_REG_DWORD, "\1\2\3", 3, 0, 0 },
    { V2V_REG_DWORD, "", 0, 0, 0 },
    { V2V_REG_SZ, "3\0\0\0", 4, 0, 0 },
  };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct v2v_hive *h = hive_build_open (file);
    uint32_t v = 77;

    assert_ok (v2v_hive_set (h, "K", "N", cases[i].type, cases[i].data,
                             cases[i].len, "", &err) == -1,
               err);
    assert_int_equal (v2v_hive_get_dword (h, "K", "N", &v, &err),
                      cases[i].found);
    assert_int_equal (v, cases[i].found ? cases[i].value : 77);
    v2v_hive_close (h);
  }
}

static void
test_lists_with_odd_ends_are_read (void **state)
{
  static const struct {
    uint32_t type;
    const char *data;
    size_t len;
    unsigned n;
  } cases[] = {
    { V2V_REG_MULTI_SZ, "a\0\0\0b\0\0\0\0\0", 10, 2 },
    { V2V_REG_MULTI_SZ, "a\0\0\0b\0\0\0", 8, 2 },
    { V2V_REG_MULTI_SZ, "a\0\0\0b\0", 6, 2 },
    { V2V_REG_MULTI_SZ, "a\0\0\0b\0\0\0\0\0\0\0\0", 13, 2 },
    { V2V_REG_MULTI_SZ, "\0\0a\0\0\0\0\0b\0\0\0", 12, 2 },
    { V2V_REG_MULTI_SZ, "a", 1, 0 },
    { V2V_REG_MULTI_SZ, "", 0, 0 },
    { V2V_REG_MULTI_SZ, "\0\0", 2, 0 },
    { V2V_REG_SZ, "a\0\0\0b\0\0\0", 8, 1 },
    { V2V_REG_DWORD, "a\0\0\0", 4, 0 },
  };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct v2v_hive *h = hive_build_open (file);
    char **list;
    unsigned n = 0;

    assert_ok (v2v_hive_set (h, "K", "L", cases[i].type, cases[i].data,
                             cases[i].len, "", &err) == -1,
               err);
    list = v2v_hive_get_multi (h, "K", "L", &err);
    assert_ptr (list, err);
    while (list[n] != NULL)
      ++n;
    assert_int_equal (n, cases[i].n);
    v2v_guest_free_list (list);
    v2v_hive_close (h);
  }
}

static void
test_text_that_is_no_utf16_is_read_without_harm (void **state)
{
  static const char half[] = "\x3d\xd8x\0\x00\xdc";
  char *s = hive_utf16_to_utf8 (half, 6);

  (void) state;
  assert_string_equal (s, "\xef\xbf\xbdx\xef\xbf\xbd");
  free (s);
  s = hive_utf16_to_utf8 ("\x3d\xd8\x00\xde\0", 5);
  assert_string_equal (s, "\xf0\x9f\x98\x80");
  free (s);
  s = hive_utf16_to_utf8 ("", 0);
  assert_string_equal (s, "");
  free (s);
}

static void
test_long_data_is_shortened_in_the_journal (void **state)
{
  char data[65];
  char *s;

  (void) state;
  memset (data, 0xab, sizeof data);
  s = hive_describe (V2V_REG_BINARY, data, 64);
  assert_int_equal (strlen (s), 4 + 128);
  free (s);
  s = hive_describe (V2V_REG_BINARY, data, 65);
  assert_non_null (strstr (s, "..., sha256:"));
  assert_non_null (strstr (s, ", 65 bytes"));
  free (s);
  s = hive_describe (V2V_REG_QWORD, "\1\0\0\0\0\0\0\0", 8);
  assert_string_equal (s, "0x0000000000000001");
  free (s);
  s = hive_describe (V2V_REG_DWORD_BE, "\0\0\0\1", 4);
  assert_string_equal (s, "0x00000001");
  free (s);
}

static void
test_the_longest_value_is_written_and_one_byte_more_refused (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h = hive_build_open (file);
  uint8_t *big = calloc (1, HIVE_MAX_WRITE + 1);

  (void) state;
  hive_build_binary (h, "K", "Big", big, HIVE_MAX_WRITE);
  assert_int_equal (v2v_hive_set (h, "K", "Big", V2V_REG_BINARY, big,
                                  HIVE_MAX_WRITE + 1, "", &err),
                    -1);
  assert_error (&err, V2V_ERR_GUEST, "16345 bytes");
  hive_build_done (h);
  free (big);
}

static void
test_paths_are_bounded (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h = hive_build_open (file);
  char *path = malloc (HIVE_MAX_KEY_PATH + 2);
  uint32_t v;

  (void) state;
  for (unsigned i = 0; i <= HIVE_MAX_KEY_PATH; ++i)
    path[i] = i % 2 ? '\\' : 'a';
  path[HIVE_MAX_KEY_PATH + 1] = '\0';
  assert_int_equal (v2v_hive_get_dword (h, path, "x", &v, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "expected up to 4096");
  path[HIVE_MAX_KEY_PATH] = '\0';
  assert_int_equal (v2v_hive_get_dword (h, path, "x", &v, &err), 0);
  path[2 * HIVE_MAX_DEPTH + 1] = '\0';
  assert_int_equal (v2v_hive_add_key (h, path, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "too deep");
  free (path);
  assert_int_equal (v2v_hive_delete_key (h, "", "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "its root stays");
  v2v_hive_close (h);
}

static void
test_a_hive_opened_for_reading_is_not_changed (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h = v2v_hive_open (file, "SYSTEM", false, NULL, &err);

  (void) state;
  assert_int_equal (v2v_hive_set_dword (h, "K", "x", 1, "", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "for reading");
  v2v_hive_close (h);
}

/* ---- damaged and dirty ---- */

static void
patch (size_t offset, uint8_t value, bool checksum)
{
  size_t len;
  uint8_t *data = test_read_file (file, &len);

  data[offset] = value;
  if (checksum)
    v2v_put_le32 (data + 508, hive_base_checksum (data));
  test_write_file (file, data, len);
  free (data);
}

static void
assert_refused (const char *text)
{
  struct v2v_error *err = NULL;

  assert_null (v2v_hive_open (file, "SYSTEM", false, NULL, &err));
  assert_error (&err, V2V_ERR_GUEST, text);
  hive_build_empty (file);
}

static void
test_damaged_and_dirty_hives_are_refused (void **state)
{
  (void) state;
  hive_build_make_dirty (file);
  assert_refused ("SYSTEM is dirty: a write to it was not finished, sequence "
                  "numbers 8 and 7");
  patch (508, 0, false);
  assert_refused ("checksum of its header is wrong");
  patch (0, 'x', true);
  assert_refused ("no hive");
  patch (28, 1, true);
  assert_refused ("no hive");
  patch (41, 0x20, true);
  assert_refused ("8192 bytes of hive bins in a file of 8192 bytes");
  patch (41, 0x11, true);
  assert_refused ("bytes of hive bins");
  patch (41, 0, true);
  assert_refused ("0 bytes of hive bins");
  patch (HIVE_BASE_BYTES, 'x', false);
  assert_refused ("no valid hive bin at offset 4096");
  patch (HIVE_BASE_BYTES + 9, 0x20, false);
  assert_refused ("no valid hive bin at offset 4096");
  patch (HIVE_BASE_BYTES + 4, 1, false);
  assert_refused ("no valid hive bin at offset 4096");
  patch (36, 0x28, true);
  assert_refused ("root at offset 4136: no key begins there");
  assert_int_equal (truncate (file, 4095), 0);
  assert_refused ("no hive");
  assert_int_equal (truncate (file, 0), 0);
  assert_refused ("no hive");
}

/* ---- in a guest ---- */

static void
test_constructed_guest_hive_is_written_and_read_back (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_guest *g;
  struct v2v_hive *h;
  char *undo;

  (void) state;
  assert_true (asprintf (&undo, "%s/undo", dir) > 0);
  h = hive_build_open (file);
  hive_build_dword (h, "Services\\vmbus", "Start", 3);
  hive_build_done (h);
  g = guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);
  assert_ok (v2v_guest_set_undo (g, undo, &err), err);
  h = v2v_hive_open_guest (g, "/hive", "SYSTEM", true, &err);
  assert_ptr (h, err);
  assert_int_equal (
      v2v_hive_set_dword (h, "Services\\vmbus", "Start", 0, "boot", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 0);
  v2v_hive_close (h);
  assert_int_equal (hive_read_dword (file, "Services\\vmbus", "Start"), 0);
  assert_non_null (v2v_journal_find (v2v_guest_journal (g),
                                     "SYSTEM\\Services\\vmbus", "Start"));
  assert_non_null (v2v_journal_find (v2v_guest_journal (g), "/hive", NULL));
  v2v_guest_close (g);
  /* The original is kept. */
  {
    char saved[600];

    snprintf (saved, sizeof saved, "%s/files/HIVE", undo);
    assert_int_equal (hive_read_dword (saved, "Services\\vmbus", "Start"), 3);
  }
  free (undo);
}

/* A back end that says yes and writes nothing. */
static int
lost_upload (void *h, int fd, const char *path, uint32_t mode, uint32_t uid,
             uint32_t gid, struct v2v_error **err)
{
  (void) h;
  (void) fd;
  (void) path;
  (void) mode;
  (void) uid;
  (void) gid;
  (void) err;
  return 0;
}

static int
lost_rename (void *h, const char *from, const char *to, struct v2v_error **err)
{
  (void) h;
  (void) from;
  (void) to;
  (void) err;
  return 0;
}

static void
assert_lost (void (*change) (struct v2v_hive *h))
{
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);
  struct v2v_guest_ops ops = *g->ops;
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  ops.upload = lost_upload;
  ops.rename = lost_rename;
  g->ops = &ops;
  h = v2v_hive_open_guest (g, "/HIVE", "SYSTEM", true, &err);
  assert_ptr (h, err);
  change (h);
  assert_int_equal (v2v_hive_commit (h, &err), -1);
  assert_error (&err, V2V_ERR_IO, "the change cannot be read back");
  assert_null (v2v_journal_find (v2v_guest_journal (g), "SYSTEM\\K", NULL));
  v2v_hive_close (h);
  v2v_guest_close (g);
}

static void
change_value (struct v2v_hive *h)
{
  hive_build_dword (h, "K", "Start", 0);
}

static void
change_gone (struct v2v_hive *h)
{
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_hive_delete_value (h, "K", "Start", "", &err), 1);
}

static void
change_made (struct v2v_hive *h)
{
  hive_build_key (h, "K\\New");
}

static void
change_deleted (struct v2v_hive *h)
{
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_hive_delete_key (h, "K", "", &err), 1);
}

static void
test_constructed_write_that_got_lost_is_an_error (void **state)
{
  struct v2v_hive *h = hive_build_open (file);

  (void) state;
  hive_build_dword (h, "K", "Start", 3);
  hive_build_done (h);
  assert_lost (change_value);
  assert_lost (change_gone);
  assert_lost (change_made);
  assert_lost (change_deleted);
}

/* ---- real ---- */

static void
test_real_windows_7_system_hive (void **state)
{
  char *path = test_sample_unpacked ("hives/windows/SYSTEM.xz", dir);
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  uint32_t v = 77;
  char *s;

  (void) state;
  if (path == NULL)
    skip ();
  h = v2v_hive_open (path, "SYSTEM", true, NULL, &err);
  assert_ptr (h, err);
  assert_int_equal (v2v_hive_get_dword (h, "Select", "Current", &v, &err), 1);
  assert_int_equal (v, 1);
  v2v_hive_get_dword (h, "ControlSet001\\services\\storvsc", "Start", &v, &err);
  assert_int_equal (v, 3);
  s = v2v_hive_get_string (h,
                           "ControlSet001\\Control\\ComputerName"
                           "\\ComputerName",
                           "ComputerName", &err);
  assert_string_equal (s, "WKS-WIN732BITA");
  free (s);
  assert_int_equal (v2v_hive_set_dword (h, "ControlSet001\\services\\storvsc",
                                        "Start", 0, "", &err),
                    1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
  assert_int_equal (
      hive_read_dword (path, "ControlSet001\\services\\storvsc", "Start"), 0);
  s = hive_read_string (path, "ControlSet001\\services\\storvsc", "Group");
  assert_string_equal (s, "Base");
  free (s);
  free (path);
}

static void
test_real_hives_of_windows_are_read (void **state)
{
  static const char *const names[] = { "EmptyHive", "BigDataHive",
                                       "ManySubkeysHive", "UnicodeHive" };
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  (void) state;
  for (size_t i = 0; i < 4; ++i) {
    char name[64], *path, **list;

    snprintf (name, sizeof name, "hives/yarp/%s", names[i]);
    path = test_sample (name);
    if (path == NULL)
      skip ();
    h = v2v_hive_open (path, names[i], false, NULL, &err);
    assert_ptr (h, err);
    list = v2v_hive_subkeys (h, "", &err);
    assert_ptr (list, err);
    v2v_guest_free_list (list);
    list = v2v_hive_value_names (h, "", &err);
    assert_ptr (list, err);
    v2v_guest_free_list (list);
    v2v_hive_close (h);
    free (path);
  }
}

static void
test_real_key_with_big_data_is_not_changed (void **state)
{
  char *path = test_sample ("hives/yarp/BigDataHive");
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  void *data;
  size_t len;

  (void) state;
  if (path == NULL)
    skip ();
  data = test_read_file (path, &len);
  test_write_file (file, data, len);
  free (data);
  free (path);
  h = hive_build_open (file);
  assert_int_equal (
      v2v_hive_set_dword (h, "key_with_bigdata", "New", 1, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "keys with values over 16344 bytes");
  v2v_hive_close (h);
}

static void
test_real_truncated_hive_is_refused (void **state)
{
  char *path = test_sample ("hives/yarp/TruncatedHive");
  struct v2v_error *err = NULL;

  (void) state;
  if (path == NULL)
    skip ();
  assert_null (v2v_hive_open (path, "SYSTEM", false, NULL, &err));
  assert_error (&err, V2V_ERR_GUEST, "bytes of hive bins in a file of 12288");
  free (path);
}

#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_constructed_values_survive_a_commit),
    T (test_setting_what_is_so_writes_nothing),
    T (test_one_value_is_deleted_and_its_neighbours_stay),
    T (test_a_key_is_deleted_with_what_is_below),
    T (test_numbers_are_read_however_they_are_stored),
    T (test_lists_with_odd_ends_are_read),
    T (test_text_that_is_no_utf16_is_read_without_harm),
    T (test_long_data_is_shortened_in_the_journal),
    T (test_the_longest_value_is_written_and_one_byte_more_refused),
    T (test_paths_are_bounded),
    T (test_a_hive_opened_for_reading_is_not_changed),
    T (test_damaged_and_dirty_hives_are_refused),
    T (test_constructed_guest_hive_is_written_and_read_back),
    T (test_constructed_write_that_got_lost_is_an_error),
    T (test_real_windows_7_system_hive),
    T (test_real_hives_of_windows_are_read),
    T (test_real_key_with_big_data_is_not_changed),
    T (test_real_truncated_hive_is_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
