/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of a guest, on constructed trees: what it journals, saves and
 * refuses, whatever converter calls it. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/guest-keys.h"
#include "test-util.h"

struct state {
  char *dir;
  char *undo; /* folder of test_tmpdir, not made by the front yet: undo/u */
  struct v2v_guest *g;
};

static const struct guest_tree_entry tree[] = {
  { "/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n", NULL, 0640 },
  { "/etc/resolv.conf", NULL, "../run/resolv", 0 },
  { "/run/resolv", "nameserver 192.0.2.1\n", NULL, 0 },
  { "/lib", NULL, "usr/lib", 0 },
  { "/usr/lib/x", NULL, "../etc/y", 0 },
  { "/usr/lib/up", NULL, "./../../../..///etc/./above", 0 },
  { "/etc/turn", NULL, "/lib/../etc/turned", 0 },
  { "/usr/etc", NULL, NULL, 0 },
  { "/etc/through-nothing", NULL, "none/../lost", 0 },
  { "/etc/through-a-file", NULL, "fstab/../lost", 0 },
  { "/etc/circle", NULL, "circle", 0 },
  { "/etc/circle-a", NULL, "/etc/circle-b/x", 0 },
  { "/etc/circle-b", NULL, "../etc/circle-a", 0 },
  { "/etc/outside", NULL, "/../../../../../../etc/passwd", 0 },
  { "/etc/folder", NULL, NULL, 0 },
  { "/opt/tool/bin/run", "#!/bin/sh\n", NULL, 0755 },
  { "/opt/tool/link", NULL, "/etc/fstab", 0 },
  { "/Windows/System32/config/SYSTEM", "regf", NULL, 0 },
  { NULL, NULL, NULL, 0 },
};

static int
setup (void **vs)
{
  struct state *s = calloc (1, sizeof *s);
  char *parent = test_tmpdir ();
  struct v2v_error *err = NULL;

  s->dir = guest_tree_make (tree);
  s->g = guest_tree_open (s->dir, V2V_FAMILY_LINUX, "debian", 12);
  s->undo = parent;
  assert_ok (v2v_guest_set_undo (s->g, parent, &err), err);
  *vs = s;
  return 0;
}

static int
teardown (void **vs)
{
  struct state *s = *vs;

  v2v_guest_close (s->g);
  test_tmpdir_remove (s->dir);
  test_tmpdir_remove (s->undo);
  free (s);
  return 0;
}

static size_t
nr_changes (struct state *s)
{
  return v2v_guest_journal (s->g)->len;
}

/* ---- writing ---- */

static void
test_a_change_is_journalled_and_the_original_is_saved (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  const struct v2v_change *c;

  assert_int_equal (v2v_guest_write_text (s->g, "/etc/fstab", "new\n", 0,
                                          "device names do not survive", &err),
                    1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/fstab", NULL);
  assert_non_null (c);
  /* Not everyone may read it: no text. */
  assert_memory_equal (c->before, "sha256:", 7);
  assert_memory_equal (c->after, "sha256:", 7);
  assert_string_equal (c->why, "device names do not survive");
  guest_tree_assert_text (s->dir, "/etc/fstab", "new\n");
  assert_int_equal (guest_tree_mode (s->dir, "/etc/fstab"), 0640);
  assert_false (guest_tree_exists (s->dir, "/etc/fstab.v2v-new"));
  guest_tree_assert_text (s->undo, "/files/etc/fstab",
                          "/dev/sda1 / ext4 defaults 0 1\n");
}

static void
test_of_a_text_only_changed_lines_are_journalled (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  const struct v2v_change *c;
  static const char old[] = "/dev/sda1 / ext4 defaults 0 1\n"
                            "//nas/x /x cifs user=u,password=hunter2 0 0\n"
                            "/dev/sda2 none swap sw 0 0";
  static const char new[] = "UUID=1 / ext4 defaults 0 1\n"
                            "//nas/x /x cifs user=u,password=hunter2 0 0\n"
                            "UUID=2 none swap sw 0 0\n";

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/open", old, 0644, "", &err), 1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/open", NULL);
  assert_null (c->before);
  assert_string_equal (c->after,
                       "/dev/sda1 / ext4 defaults 0 1\n"
                       "//nas/x /x cifs user=u,password=(hidden) 0 0\n"
                       "/dev/sda2 none swap sw 0 0");
  assert_int_equal (v2v_guest_write_text (s->g, "/etc/open", new, 0, "", &err),
                    1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/open", NULL);
  assert_string_equal (
      c->before, "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0");
  assert_string_equal (c->after,
                       "UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n");
  /* The same lines in another order: the text is not shown for it. */
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/order", "a\nb\n", 0644, "", &err), 1);
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/order", "b\na\n", 0, "", &err), 1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/order", NULL);
  assert_memory_equal (c->before, "sha256:", 7);
}

static void
test_a_new_private_file_is_no_text_in_the_journal (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  const struct v2v_change *c;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/wifi", "psk=hunter2\n", 0600, "", &err),
      1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/wifi", NULL);
  assert_null (strstr (c->after, "hunter2"));
  assert_int_equal (v2v_guest_remove (s->g, "/etc/wifi", "", &err), 1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/wifi", NULL);
  assert_null (strstr (c->before, "hunter2"));
}

static void
test_the_first_original_is_kept (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/fstab", "one\n", 0, "", &err), 1);
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/fstab", "two\n", 0, "", &err), 1);
  guest_tree_assert_text (s->undo, "/files/etc/fstab",
                          "/dev/sda1 / ext4 defaults 0 1\n");
  assert_int_equal (nr_changes (s), 2);
}

static void
test_a_file_of_our_own_is_no_original (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_guest_write_text (s->g, "/etc/new", "1", 0, "", &err),
                    1);
  assert_int_equal (v2v_guest_write_text (s->g, "/etc/new", "2", 0, "", &err),
                    1);
  assert_false (guest_tree_exists (s->undo, "/files/etc/new"));
}

static void
test_the_same_contents_are_no_change (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  struct stat before, after;
  CLEANUP_FREE char *path = NULL;

  assert_true (asprintf (&path, "%s/etc/fstab", s->dir) > 0);
  assert_int_equal (stat (path, &before), 0);
  assert_int_equal (v2v_guest_write_text (s->g, "/etc/fstab",
                                          "/dev/sda1 / ext4 defaults 0 1\n",
                                          0600, "", &err),
                    0);
  assert_int_equal (v2v_guest_mkdir (s->g, "/etc/folder", 0755, &err), 0);
  assert_int_equal (v2v_guest_remove (s->g, "/etc/none", "", &err), 0);
  assert_int_equal (v2v_guest_chmod (s->g, "/etc/fstab", 0640, "", &err), 0);
  assert_int_equal (
      v2v_guest_symlink (s->g, "../run/resolv", "/etc/resolv.conf", "", &err),
      0);
  assert_int_equal (stat (path, &after), 0);
  assert_true (before.st_ino == after.st_ino);
  guest_tree_assert_unchanged (s->g);
}

static void
test_a_secret_is_not_in_the_journal (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  const struct v2v_change *c;

  assert_int_equal (v2v_guest_write (s->g, "/etc/fstab", "hunter2", 7, 0,
                                     V2V_WRITE_SECRET, "", &err),
                    1);
  c = v2v_journal_find (v2v_guest_journal (s->g), "/etc/fstab", NULL);
  assert_string_equal (c->before, "(secret)");
  assert_string_equal (c->after, "(secret)");
}

static void
test_no_undo_is_honoured (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_guest_write (s->g, "/etc/fstab", "x", 1, 0,
                                     V2V_WRITE_NO_UNDO, "", &err),
                    1);
  assert_false (guest_tree_exists (s->undo, "/files/etc/fstab"));
}

/* ---- links ---- */

static void
test_a_link_is_followed_and_stays (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *target = NULL;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/resolv.conf", "new\n", 0, "", &err), 1);
  target = guest_tree_readlink (s->dir, "/etc/resolv.conf");
  assert_string_equal (target, "../run/resolv");
  guest_tree_assert_text (s->dir, "/run/resolv", "new\n");
}

/* path_resolution(7): ".." is the folder above the one a link led to, which is
 * not the one above the link's name. */
static void
test_dots_in_a_link_are_of_the_folder_it_led_to (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *target = NULL;

  assert_int_equal (v2v_guest_write_text (s->g, "/lib/x", "1\n", 0, "", &err),
                    1);
  assert_null (err);
  guest_tree_assert_text (s->dir, "/usr/etc/y", "1\n");
  assert_false (guest_tree_exists (s->dir, "/etc/y"));
  /* What was written is what is read, and the link stays. */
  assert_int_equal (v2v_guest_write_text (s->g, "/lib/x", "1\n", 0, "", &err),
                    0);
  target = guest_tree_readlink (s->dir, "/usr/lib/x");
  assert_string_equal (target, "../etc/y");
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/turn", "2\n", 0, "", &err), 1);
  guest_tree_assert_text (s->dir, "/usr/etc/turned", "2\n");
  /* Above the root is the root. */
  assert_int_equal (v2v_guest_write_text (s->g, "/lib/up", "3\n", 0, "", &err),
                    1);
  guest_tree_assert_text (s->dir, "/etc/above", "3\n");
}

static void
test_a_link_through_what_is_no_folder_is_refused (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/through-nothing", "x", 0, "", &err),
      -1);
  assert_error (&err, V2V_ERR_GUEST, "leads through /etc/none");
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/through-a-file", "x", 0, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "leads through /etc/fstab");
  assert_false (guest_tree_exists (s->dir, "/etc/lost"));
  assert_int_equal (nr_changes (s), 0);
}

static void
test_links_in_a_circle_are_refused (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/circle", "x", 0, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "circle");
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/circle-a", "x", 0, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "circle");
}

static void
test_no_link_leads_out_of_the_guest (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;

  /* /etc/passwd of the host is there, that of the guest is not. */
  text = v2v_guest_read_text (s->g, "/etc/outside", &err);
  assert_null (text);
  assert_null (err);
  assert_false (v2v_guest_exists (s->g, "/etc/outside"));
}

static void
test_removing_a_tree_does_not_follow_links (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_guest_remove_tree (s->g, "/opt/tool", "", &err), 1);
  assert_false (guest_tree_exists (s->dir, "/opt/tool"));
  assert_true (guest_tree_exists (s->dir, "/etc/fstab"));
  guest_tree_assert_text (s->undo, "/files/opt/tool/bin/run", "#!/bin/sh\n");
  assert_int_equal (v2v_guest_remove_tree (s->g, "/", "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "root stays");
}

/* ---- hostile names and sizes ---- */

static void
test_paths_with_dots_or_without_a_slash_are_refused (void **vs)
{
  struct state *s = *vs;
  static const char *const bad[] = { "etc/fstab", "", "/etc/../etc/fstab",
                                     "/..", "/a/.." };
  struct v2v_error *err = NULL;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    assert_int_equal (v2v_guest_stat (s->g, bad[i], NULL, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, "guest");
    assert_int_equal (v2v_guest_write_text (s->g, bad[i], "x", 0, "", &err),
                      -1);
    assert_error (&err, V2V_ERR_GUEST, "guest");
  }
  /* Dots that are no parent. */
  assert_int_equal (v2v_guest_write_text (s->g, "/etc/..x", "x", 0, "", &err),
                    1);
}

static void
test_a_path_of_4095_bytes_is_the_longest (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  char path[4098];

  memset (path, 'a', sizeof path);
  for (size_t i = 0; i < sizeof path; i += 200)
    path[i] = '/';
  path[4095] = '\0';
  assert_int_equal (v2v_guest_stat (s->g, path, NULL, &err), 0);
  path[4095] = 'a';
  path[4096] = '\0';
  assert_int_equal (v2v_guest_stat (s->g, path, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "4096 bytes");
}

static void
test_a_file_larger_than_wanted_is_refused (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  size_t len = 0;
  CLEANUP_FREE char *all = v2v_guest_read (s->g, "/run/resolv", 21, &len, &err);

  assert_ptr (all, err);
  assert_int_equal (len, 21);
  assert_null (v2v_guest_read (s->g, "/run/resolv", 20, &len, &err));
  assert_error (&err, V2V_ERR_GUEST, "21 bytes, expected up to 20");
}

static void
test_a_text_with_a_nul_is_none (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (
      v2v_guest_write (s->g, "/etc/nul", "a\0b", 3, 0, 0, "", &err), 1);
  assert_null (v2v_guest_read_text (s->g, "/etc/nul", &err));
  assert_error (&err, V2V_ERR_GUEST, "NUL");
}

static void
test_a_folder_is_no_file (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/folder", "x", 0, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "no regular file");
  assert_int_equal (v2v_guest_remove (s->g, "/etc/folder", "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "is a folder");
}

/* ---- Windows ---- */

static void
test_windows_paths_are_found_without_regard_to_case (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *real = NULL, *linux_path = NULL;

  linux_path = v2v_guest_case_path (s->g, "/windows/SYSTEM32", &err);
  assert_string_equal (linux_path, "/windows/SYSTEM32");
  v2v_guest_os (s->g)->family = V2V_FAMILY_WINDOWS;
  real =
      v2v_guest_case_path (s->g, "/windows/SYSTEM32/Config/system/New", &err);
  assert_string_equal (real, "/Windows/System32/config/SYSTEM/New");
  assert_int_equal (v2v_guest_write_text (s->g,
                                          "/WINDOWS/system32/CONFIG/system",
                                          "x", 0, "", &err),
                    1);
  guest_tree_assert_text (s->dir, "/Windows/System32/config/SYSTEM", "x");
  assert_false (guest_tree_exists (s->dir, "/WINDOWS"));
}

/* ---- programs, dry runs ---- */

static void
test_a_folder_runs_no_programs (void **vs)
{
  struct state *s = *vs;
  static const char *const argv[] = { "/bin/true", NULL };
  struct v2v_error *err = NULL;
  int status;

  assert_false (v2v_guest_can_run (s->g));
  assert_int_equal (v2v_guest_run (s->g, argv, 1, "", &status, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "cannot be run here: /bin/true");
}

static void
test_a_dry_run_saves_no_originals (void **vs)
{
  struct state *s = *vs;
  struct v2v_error *err = NULL;

  v2v_guest_set_dry_run (s->g, true);
  assert_int_equal (v2v_guest_write_text (s->g, "/etc/fstab", "x", 0, "", &err),
                    1);
  assert_false (guest_tree_exists (s->undo, "/files"));
  assert_int_equal (nr_changes (s), 1);
}

/* ---- keys ---- */

static void
test_a_key_is_the_first_line_of_its_file (void **vs)
{
  struct state *s = *vs;
  struct v2v_guest_keys keys = { 0 };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *spec = NULL;

  guest_tree_write (s->undo, "/key", "correct horse\r\nmore\n");
  assert_true (asprintf (&spec, "/dev/sda2:%s/key", s->undo) > 0);
  assert_ok (v2v_guest_keys_add (&keys, spec, &err), err);
  assert_int_equal (keys.len, 1);
  assert_string_equal (keys.ptr[0].selector, "/dev/sda2");
  assert_string_equal (keys.ptr[0].key, "correct horse");
  v2v_guest_keys_clear (&keys);
}

static void
test_a_key_without_a_file_is_refused_and_not_repeated (void **vs)
{
  struct state *s = *vs;
  struct v2v_guest_keys keys = { 0 };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *spec = NULL;
  char long_key[4098];

  assert_int_equal (v2v_guest_keys_add (&keys, "hunter2", &err), -1);
  assert_null (strstr (v2v_error_message (err), "hunter2"));
  assert_error (&err, V2V_ERR_USAGE, "SELECTOR:FILE");
  assert_true (asprintf (&spec, "all:%s/key", s->undo) > 0);
  assert_int_equal (v2v_guest_keys_add (&keys, spec, &err), -1);
  assert_error (&err, V2V_ERR_IO, "No such file");
  guest_tree_write (s->undo, "/key", "\n");
  assert_int_equal (v2v_guest_keys_add (&keys, spec, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "empty");
  memset (long_key, 'k', sizeof long_key);
  long_key[4096] = '\0';
  guest_tree_write (s->undo, "/key", long_key);
  assert_ok (v2v_guest_keys_add (&keys, spec, &err), err);
  long_key[4096] = 'k';
  long_key[4097] = '\0';
  guest_tree_write (s->undo, "/key", long_key);
  assert_int_equal (v2v_guest_keys_add (&keys, spec, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "4096 bytes");
  assert_int_equal (keys.len, 1);
  v2v_guest_keys_clear (&keys);
}

static void
test_what_belongs_to_a_file_stays_when_it_is_written (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *err = NULL;
  char value[8] = { 0 };

  assert_int_not_equal (asprintf (&path, "%s/etc/fstab", s->dir), -1);
  if (setxattr (path, "user.v2v", "kept", 4, 0) == -1)
    skip (); /* this file system has no extended attributes */
  assert_int_equal (
      v2v_guest_write_text (s->g, "/etc/fstab", "new\n", 0, "test", &err), 1);
  assert_null (err);
  assert_int_equal (getxattr (path, "user.v2v", value, sizeof value), 4);
  assert_string_equal (value, "kept");
}

#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_a_change_is_journalled_and_the_original_is_saved),
    TEST (test_of_a_text_only_changed_lines_are_journalled),
    TEST (test_a_new_private_file_is_no_text_in_the_journal),
    TEST (test_the_first_original_is_kept),
    TEST (test_a_file_of_our_own_is_no_original),
    TEST (test_the_same_contents_are_no_change),
    TEST (test_a_secret_is_not_in_the_journal),
    TEST (test_no_undo_is_honoured),
    TEST (test_a_link_is_followed_and_stays),
    TEST (test_dots_in_a_link_are_of_the_folder_it_led_to),
    TEST (test_a_link_through_what_is_no_folder_is_refused),
    TEST (test_what_belongs_to_a_file_stays_when_it_is_written),
    TEST (test_links_in_a_circle_are_refused),
    TEST (test_no_link_leads_out_of_the_guest),
    TEST (test_removing_a_tree_does_not_follow_links),
    TEST (test_paths_with_dots_or_without_a_slash_are_refused),
    TEST (test_a_path_of_4095_bytes_is_the_longest),
    TEST (test_a_file_larger_than_wanted_is_refused),
    TEST (test_a_text_with_a_nul_is_none),
    TEST (test_a_folder_is_no_file),
    TEST (test_windows_paths_are_found_without_regard_to_case),
    TEST (test_a_folder_runs_no_programs),
    TEST (test_a_dry_run_saves_no_originals),
    TEST (test_a_key_is_the_first_line_of_its_file),
    TEST (test_a_key_without_a_file_is_refused_and_not_repeated),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
