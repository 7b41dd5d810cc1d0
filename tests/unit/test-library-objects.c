/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library: what comes in, and how it is found. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library-tests.h"

static void
test_the_same_file_is_kept_once (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "#!/bin/sh\n");
  CLEANUP_FREE char *b = library_test_file (w.dir, "b.txt", "#!/bin/sh\n");
  CLEANUP_FREE char *c = library_test_file (w.dir, "c.sh", "#!/bin/sh\n#\n");
  CLEANUP_FREE char *first = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *second = library_test_import (w.lib, b, true);
  CLEANUP_FREE char *third = library_test_import (w.lib, c, false);

  (void) state;
  assert_string_equal (first, second);
  assert_string_not_equal (first, third);
  assert_int_equal (library_test_count_files (w.dir), 2);
  end (&w);
}

static void
test_a_disk_is_known_by_its_contents_not_its_identifiers (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_disk (w.dir, "a.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *b = library_test_disk (w.dir, "b.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *c = library_test_disk (w.dir, "c.vhd", "vhd", 1, NULL);
  CLEANUP_FREE char *d = library_test_disk (w.dir, "d.vhdx", "vhdx", 2, NULL);
  CLEANUP_FREE char *ida = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *idb = library_test_import (w.lib, b, true);
  CLEANUP_FREE char *idc = library_test_import (w.lib, c, false);
  CLEANUP_FREE char *idd = library_test_import (w.lib, d, false);
  CLEANUP_OBJECT struct v2v_object oa = object (w.lib, ida);
  CLEANUP_OBJECT struct v2v_object oc = object (w.lib, idc);

  (void) state;
  assert_string_equal (ida, idb);
  assert_string_not_equal (ida, idd);
  assert_string_equal (oa.content, oc.content); /* another format */
  assert_string_equal (oa.format, "vhdx");
  assert_int_equal (oa.virtual_bytes, 8 * 1024 * 1024);
  assert_int_equal (oa.kind, V2V_OBJECT_DISK);
  end (&w);
}

static void
test_a_child_needs_its_parent_whatever_that_is_called (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *base =
      library_test_disk (w.dir, "base.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *child =
      library_test_disk (w.dir, "child.vhdx", "vhdx", 2, base);
  CLEANUP_FREE char *moved = library_test_path (w.dir, "elsewhere.vhdx");
  CLEANUP_FREE char *base_id = NULL, *child_id = NULL;
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;
  char before[65], after[65];
  struct v2v_image *img = v2v_image_open (child, NULL, &err);

  (void) state;
  assert_ptr (img, err);
  test_image_sha256 (img, before);
  v2v_image_close (img);
  assert_int_equal (rename (base, moved), 0);

  assert_int_equal (v2v_library_import (w.lib, child, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "its parent");
  base_id = library_test_import (w.lib, moved, false);
  child_id = library_test_import (w.lib, child, false);

  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, child_id);

    assert_int_equal (o.nr_uses, 1);
    assert_string_equal (o.uses[0].role, "parent");
    assert_string_equal (o.uses[0].id, base_id);
  }
  img = v2v_library_open_disk (w.lib, child_id, &err);
  assert_ptr (img, err);
  test_image_sha256 (img, after);
  v2v_image_close (img);
  assert_string_equal (before, after);

  assert_int_equal (v2v_library_remove (w.lib, base_id, false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "needed by 1 object: disk 'child'");
  assert_ok (v2v_library_remove (w.lib, child_id, false, &err), err);
  assert_ok (v2v_library_remove (w.lib, base_id, false, &err), err);
  assert_int_equal (library_test_count_files (w.dir), 0);
  end (&w);
}

static void
test_hostile_names_are_kept_and_their_files_are_safe (void **state)
{
  static const char *const names[] = { "it's \"quoted\"; DROP TABLE object;--",
                                       "a/../../b", "100%_\\!*?",
                                       "\xc3\xa9t\xc3\xa9" };
  struct world w = begin ();
  char longest[301];

  (void) state;
  memset (longest, 'n', 300);
  longest[300] = '\0';
  for (size_t i = 0; i <= V2V_ARRAY_SIZE (names); ++i) {
    const char *name = i < V2V_ARRAY_SIZE (names) ? names[i] : longest;
    const struct v2v_import_opts opts = { .set = { .name = name } };
    struct v2v_import_result r = { 0 };
    struct v2v_error *err = NULL;
    CLEANUP_FREE char *file = library_test_file (w.dir, "x.sh", name);
    CLEANUP_FREE char *found = NULL;

    assert_ok (v2v_library_import (w.lib, file, &opts, &r, &err), err);
    {
      CLEANUP_OBJECT struct v2v_object o = object (w.lib, r.id);
      const struct v2v_library_filter filter = { .name = name };
      CLEANUP_OBJECTS struct v2v_objects list = { 0 };
      const char *base = strrchr (o.locations[0].path, '/') + 1;

      assert_string_equal (o.name, name);
      assert_non_null (strstr (o.locations[0].path, "/lib/share/script/"));
      assert_int_equal (strspn (base, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"
                                      "NOPQRSTUVWXYZ0123456789._-"),
                        strlen (base));
      assert_ok (v2v_library_list (w.lib, &filter, &list, &err), err);
      assert_int_equal (list.len, 1);
    }
    found = find (w.lib, name);
    assert_string_equal (found, r.id);
    v2v_import_result_clear (&r);
  }
  end (&w);
}

static void
test_names_that_are_no_text_are_refused (void **state)
{
  static const char *const names[] = { "two\nlines", "\xff\xfe", "",
                                       "tab\there" };
  struct world w = begin ();
  CLEANUP_FREE char *file = library_test_file (w.dir, "x.sh", "x");

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    const struct v2v_import_opts opts = { .set = { .name = names[i] } };
    struct v2v_import_result r = { 0 };
    struct v2v_error *err = NULL;

    assert_int_equal (v2v_library_import (w.lib, file, &opts, &r, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "the name");
  }
  assert_int_equal (library_test_count_files (w.dir), 0);
  end (&w);
}

static void
test_filters_find_what_was_set (void **state)
{
  struct world w = begin ();
  const bool off = false;
  struct v2v_error *err = NULL;

  (void) state;
  for (int i = 0; i < 4; ++i) {
    char text[8];
    CLEANUP_FREE char *file = NULL, *id = NULL;
    const struct v2v_library_set set = {
      .name = i < 2 ? "Web-One" : "db_two",
      .family = i < 2 ? "debian" : "rocky",
      .version = i % 2 ? "10" : "9",
      .owner = i == 3 ? "ann" : NULL,
      .add_tags = i == 0 ? "gold,blue" : "blue",
      .remove_tags = i == 3 ? "gold" : NULL,
      .enabled = i == 2 ? &off : NULL,
    };

    snprintf (text, sizeof text, "%d", i);
    file = library_test_file (w.dir, "f.ps1", text);
    id = library_test_import (w.lib, file, false);
    assert_ok (v2v_library_set (w.lib, id, &set, &err), err);
  }
#define N(...) count (w.lib, &(struct v2v_library_filter){ __VA_ARGS__ })
  assert_int_equal (N (.kind = "script"), 4);
  assert_int_equal (N (.kind = "disk"), 0);
  assert_int_equal (N (.name = "web*"), 2);
  assert_int_equal (N (.name = "db?two"), 2);
  assert_int_equal (N (.name = "web_one"), 0); /* "_" is itself */
  assert_int_equal (N (.tag = "blue"), 4);
  assert_int_equal (N (.tag = "gold"), 1);
  assert_int_equal (N (.family = "rocky", .owner = "ann"), 1);
  assert_int_equal (N (.state = "disabled"), 1);
  assert_int_equal (N (.state = "ok", .tag = "blue"), 4);
#undef N
  {
    /* Two of one name: the higher version, where 10 is above 9. */
    CLEANUP_FREE char *id = find (w.lib, "Web-One");
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);
    CLEANUP_FREE char *by_id = NULL;
    char beginning[9];

    assert_string_equal (o.version, "10");
    snprintf (beginning, sizeof beginning, "%.8s", id);
    by_id = find (w.lib, beginning);
    assert_string_equal (by_id, id);
  }
  end (&w);
}

static void
test_equivalents_are_the_newest_enabled_and_say_why (void **state)
{
  static const struct {
    const char *release, *version;
    bool enabled;
  } rows[] = { { "11", "3", true },
               { "12", "9", true },
               { "12", "10", true },
               { "13", "1", false } };
  struct world w = begin ();
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *id = NULL, *reason = NULL, *lost = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const struct v2v_import_opts opts = { .set = { .family = "debian",
                                                   .release = rows[i].release,
                                                   .version = rows[i].version,
                                                   .enabled =
                                                       &rows[i].enabled } };
    struct v2v_import_result r = { 0 };
    char text[8];
    CLEANUP_FREE char *file = NULL;

    snprintf (text, sizeof text, "%zu", i);
    file = library_test_file (w.dir, "d.sh", text);
    assert_ok (v2v_library_import (w.lib, file, &opts, &r, &err), err);
    v2v_import_result_clear (&r);
  }
  assert_ok (v2v_library_equivalent (w.lib, V2V_OBJECT_SCRIPT, "debian", NULL,
                                     NULL, &id, &reason, &err),
             err);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_string_equal (o.release, "12");
    assert_string_equal (o.version, "10");
    assert_non_null (strstr (reason, "share 'share'"));
    assert_non_null (strstr (reason, "1 disabled"));
  }
  assert_int_equal (v2v_library_equivalent (w.lib, V2V_OBJECT_SCRIPT, "debian",
                                            "13", NULL, &lost, &lost, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "1 are disabled");
  end (&w);
}

static void
test_relations_never_go_in_a_circle (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "a");
  CLEANUP_FREE char *b = library_test_file (w.dir, "b.sh", "b");
  CLEANUP_FREE char *c = library_test_file (w.dir, "c.sh", "c");
  CLEANUP_FREE char *ida = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *idb = library_test_import (w.lib, b, false);
  CLEANUP_FREE char *idc = library_test_import (w.lib, c, false);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_library_relate (w.lib, ida, "x", "", idb, &err), err);
  assert_ok (v2v_library_relate (w.lib, idb, "x", "", idc, &err), err);
  assert_ok (v2v_library_relate (w.lib, idb, "x", "", idc, &err), err);
  assert_int_equal (v2v_library_relate (w.lib, idc, "x", "", ida, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "cannot need");
  assert_int_equal (v2v_library_relate (w.lib, ida, "x", "", ida, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "cannot need");
  end (&w);
}

static void
test_two_files_of_one_name_get_numbers (void **state)
{
  struct world w = begin ();

  (void) state;
  for (int i = 0; i < 3; ++i) {
    char text[8];
    CLEANUP_FREE char *file = NULL, *id = NULL, *path = NULL;
    struct v2v_error *err = NULL;

    snprintf (text, sizeof text, "%d", i);
    file = library_test_file (w.dir, "setup.ps1", text);
    id = library_test_import (w.lib, file, false);
    path = v2v_library_path (w.lib, id, NULL, &err);
    assert_ptr (path, err);
    assert_string_equal (strrchr (path, '/'), i == 0   ? "/setup.ps1"
                                              : i == 1 ? "/setup-2.ps1"
                                                       : "/setup-3.ps1");
  }
  end (&w);
}

static void
test_a_strangers_file_in_a_share_is_not_replaced (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *dir = library_test_path (w.dir, "lib/share/script");
  CLEANUP_FREE char *file = library_test_file (w.dir, "a.sh", "ours");
  CLEANUP_FREE char *theirs = NULL, *id = NULL, *text = NULL;
  size_t len;

  (void) state;
  assert_int_equal (mkdir (dir, 0777), 0);
  theirs = library_test_file (dir, "a.sh", "theirs");
  id = library_test_import (w.lib, file, false);
  text = test_read_file (theirs, &len);
  assert_int_equal (len, 6);
  assert_memory_equal (text, "theirs", 6);
  assert_int_equal (unlink (theirs), 0);
  end (&w);
}

static void
test_a_vmdk_brings_its_extents (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *extent = library_test_path (w.dir, "x-flat.vmdk");
  CLEANUP_FREE char *text =
      library_test_file (w.dir, "x.vmdk",
                         "# Disk DescriptorFile\nversion=1\nCID=12345678\n"
                         "parentCID=ffffffff\ncreateType=\"monolithicFlat\"\n"
                         "RW 2048 FLAT \"x-flat.vmdk\" 0\n");
  CLEANUP_FREE char *data = malloc (1024 * 1024);
  CLEANUP_FREE char *id = NULL;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  char before[65], after[65];

  (void) state;
  assert_non_null (data);
  test_random (data, 1024 * 1024, 5);
  test_write_file (extent, data, 1024 * 1024);
  img = v2v_image_open (text, NULL, &err);
  assert_ptr (img, err);
  test_image_sha256 (img, before);
  v2v_image_close (img);
  id = library_test_import (w.lib, text, false);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.nr_locations, 2);
    assert_string_equal (o.locations[1].file, "x-flat.vmdk");
    assert_int_equal (o.virtual_bytes, 1024 * 1024);
  }
  img = v2v_library_open_disk (w.lib, id, &err);
  assert_ptr (img, err);
  test_image_sha256 (img, after);
  v2v_image_close (img);
  assert_string_equal (before, after);
  end (&w);
}

static void
test_a_converted_machine_needs_its_disks (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *dir = library_test_path (w.dir, "web");
  CLEANUP_FREE char *a = NULL, *b = NULL, *c = NULL, *d = NULL, *id = NULL;
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (mkdir (dir, 0777), 0);
  a = library_test_disk (dir, "web-base.vhdx", "vhdx", 1, NULL);
  b = library_test_disk (dir, "web.vhdx", "vhdx", 2, a);
  c = library_test_file (dir, "report.json", "{}");
  assert_int_equal (v2v_library_import (w.lib, dir, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "neither a driver");
  d = library_test_file (dir, "New-web.ps1", "New-VM");
  id = library_test_import (w.lib, dir, false);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.kind, V2V_OBJECT_VM);
    assert_int_equal (o.nr_uses, 2);
    assert_string_equal (o.uses[0].label, "web-base.vhdx");
    assert_string_equal (o.uses[1].label, "web.vhdx");
    assert_int_equal (o.nr_locations, 2);
    assert_int_equal (v2v_library_remove (w.lib, o.uses[0].id, false, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, "needed by 2 objects");
  }
  assert_int_equal (count (w.lib, NULL), 3);
  end (&w);
}

static void
test_two_equal_disks_of_a_machine_are_one_object (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *dir = library_test_path (w.dir, "web");
  CLEANUP_FREE char *a = NULL, *b = NULL, *c = NULL, *d = NULL;
  CLEANUP_FREE char *id = NULL, *again = NULL;
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (mkdir (dir, 0777), 0);
  a = library_test_disk (dir, "one.vhd", "vhd", 1, NULL);
  b = library_test_disk (dir, "two.vhd", "vhd", 1, NULL);
  c = library_test_file (dir, "report.json", "{}");
  d = library_test_file (dir, "New-web.ps1", "New-VM");
  id = library_test_import (w.lib, dir, false);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.nr_uses, 2);
    assert_string_equal (o.uses[0].id, o.uses[1].id);
    assert_string_equal (o.uses[1].label, "two.vhd");
    /* The disk is lost, the machine is not: the folder brings it back. */
    assert_ok (v2v_library_remove (w.lib, o.uses[0].id, true, &err), err);
  }
  again = library_test_import (w.lib, dir, true);
  assert_string_equal (again, id);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.nr_uses, 2);
  }
  end (&w);
}

static void
test_a_folder_with_an_inf_is_a_driver (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *dir = library_test_path (w.dir, "netkvm");
  CLEANUP_FREE char *sub = library_test_path (w.dir, "netkvm/amd64");
  CLEANUP_FREE char *a = NULL, *b = NULL, *id = NULL;

  (void) state;
  assert_int_equal (mkdir (dir, 0777), 0);
  assert_int_equal (mkdir (sub, 0777), 0);
  a = library_test_file (dir, "netkvm.INF", "[Version]");
  b = library_test_file (sub, "netkvm.sys", "MZ");
  id = library_test_import (w.lib, dir, false);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.kind, V2V_OBJECT_DRIVER);
    assert_int_equal (o.nr_locations, 2);
    assert_string_equal (o.locations[0].file, "amd64/netkvm.sys");
  }
  end (&w);
}

/* Five objects: 0 <- 1 <- 2, 0 <- 3; 4 stands alone. */
static void
test_what_needs_an_object_is_found_through_others_too (void **state)
{
  struct world w = begin ();
  char *ids[5];
  struct v2v_error *err = NULL;

  (void) state;
  for (int i = 0; i < 5; ++i) {
    char text[8];
    CLEANUP_FREE char *file = NULL;

    snprintf (text, sizeof text, "%d", i);
    file = library_test_file (w.dir, "f.sh", text);
    ids[i] = library_test_import (w.lib, file, false);
  }
  assert_ok (v2v_library_relate (w.lib, ids[1], "x", "", ids[0], &err), err);
  assert_ok (v2v_library_relate (w.lib, ids[2], "x", "", ids[1], &err), err);
  assert_ok (v2v_library_relate (w.lib, ids[3], "x", "", ids[0], &err), err);
  /* Twice, in two roles: still one object. */
  assert_ok (v2v_library_relate (w.lib, ids[3], "y", "", ids[0], &err), err);
#define N(...) count (w.lib, &(struct v2v_library_filter){ __VA_ARGS__ })
  assert_int_equal (N (.needs = ids[0]), 2);
  assert_int_equal (N (.needs = ids[0], .indirectly = true), 3);
  assert_int_equal (N (.needs = ids[1], .indirectly = true), 1);
  assert_int_equal (N (.needs = ids[4], .indirectly = true), 0);
#undef N
  for (int i = 0; i < 5; ++i)
    free (ids[i]);
  end (&w);
}

/* The index is asked for names from one text to another: no name is left out
 * at either end, and the order is that of the letters, not of their case. */
static void
test_patterns_find_names_by_their_beginning (void **state)
{
  static const char *const names[] = {
    "WEB",
    "web",
    "Web-2",
    "web~x",
    "wec",
    "we",
    "weba",
    "w\xc3\xa9"
    "b",
    "\xc3\x89t\xc3\xa9",
    "~",
    "100%_!",
  };
  static const struct {
    const char *pattern;
    unsigned n;
  } rows[] = {
    { "web*", 5 },  { "WEB*", 5 },       { "web", 2 },       { "we?", 3 },
    { "web~*", 1 }, { "w\xc3\xa9*", 1 }, { "\xc3\x89*", 1 }, { "~*", 1 },
    { "*e*", 7 },   { "*", 11 },         { "100%_!", 1 },    { "100%*", 1 },
    { "", 0 },      { "web~y*", 0 },     { "\xc3\xbf*", 0 },
  };
  struct world w = begin ();
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    const struct v2v_import_opts opts = { .set = { .name = names[i] } };
    struct v2v_import_result r = { 0 };
    CLEANUP_FREE char *file = library_test_file (w.dir, "x.sh", names[i]);
    CLEANUP_FREE char *found = NULL;

    assert_ok (v2v_library_import (w.lib, file, &opts, &r, &err), err);
    found = find (w.lib, names[i]);
    assert_string_equal (found, r.id);
    v2v_import_result_clear (&r);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const struct v2v_library_filter f = { .name = rows[i].pattern };

    if (count (w.lib, &f) != rows[i].n)
      fail_msg ("%s: %u", rows[i].pattern, count (w.lib, &f));
  }
  assert_ok (v2v_library_list (w.lib,
                               &(struct v2v_library_filter){ .name = "we*" },
                               &list, &err),
             err);
  assert_int_equal (list.len, 7);
  assert_string_equal (list.ptr[0].name, "we");
  assert_string_equal (list.ptr[1].name, "WEB");
  assert_string_equal (list.ptr[2].name, "web");
  assert_string_equal (list.ptr[3].name, "Web-2");
  assert_string_equal (list.ptr[4].name, "weba");
  assert_string_equal (list.ptr[5].name, "web~x");
  assert_string_equal (list.ptr[6].name, "wec");
  end (&w);
}

static void
test_an_id_is_found_by_its_beginning_only (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *file = library_test_file (w.dir, "x.sh", "x");
  CLEANUP_FREE char *id = library_test_import (w.lib, file, false);
  char beginning[37];

  (void) state;
  for (size_t n = 8; n <= 36; ++n) {
    CLEANUP_FREE char *found = NULL;

    snprintf (beginning, sizeof beginning, "%.*s", (int) n, id);
    found = find (w.lib, beginning);
    assert_string_equal (found, id);
    /* The last character is another one. */
    if (beginning[n - 1] != '-') {
      char *none = NULL;
      struct v2v_error *err = NULL;

      beginning[n - 1] = beginning[n - 1] == '0' ? '1' : '0';
      assert_int_equal (v2v_library_find (w.lib, beginning, &none, &err), -1);
      assert_error (&err, V2V_ERR_USAGE, "no object");
    }
  }
  end (&w);
}

static void
test_the_thirtieth_file_of_one_name_has_a_place (void **state)
{
  struct world w = begin ();

  (void) state;
  for (int i = 0; i < 30; ++i) {
    char text[8];
    CLEANUP_FREE char *file = NULL, *id = NULL;

    snprintf (text, sizeof text, "%d", i);
    file = library_test_file (w.dir, "setup.ps1", text);
    id = library_test_import (w.lib, file, false);
  }
  assert_int_equal (library_test_count_files (w.dir), 30);
  end (&w);
}

static int
compare_json (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  struct v2v_json *j = v2v_object_to_json (o), *parsed;
  CLEANUP_STR struct v2v_str line = V2V_STR_INIT;
  CLEANUP_FREE char *want = v2v_json_dump (j, 0), *have = NULL;

  assert_ok (v2v_str_append (&line, "before") == -1 ||
                     v2v_object_append_json (o, &line, err) == -1
                 ? -1
                 : 0,
             *err);
  assert_memory_equal (line.ptr, "before{", 7);
  assert_null (strchr (line.ptr, '\n'));
  parsed = v2v_json_parse (line.ptr + 6, line.len - 6, "line", err);
  assert_ptr (parsed, *err);
  have = v2v_json_dump (parsed, 0);
  assert_string_equal (have, want);
  v2v_json_free (parsed);
  v2v_json_free (j);
  ++*(unsigned *) arg;
  return 0;
}

static void
test_a_line_of_a_list_is_the_json_of_the_object (void **state)
{
  static const char *const texts[] = { "", "plain", "\"quoted\" \\ / ",
                                       "line\nline\ttab\x01\x1f\x7f",
                                       "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" };
  struct world w = begin ();
  CLEANUP_FREE char *disk =
      library_test_disk (w.dir, "d.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *id = library_test_import (w.lib, disk, false);
  struct v2v_error *err = NULL;
  unsigned n = 0;

  (void) state;
  assert_non_null (id);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (texts); ++i) {
    CLEANUP_FREE char *file = library_test_file (w.dir, "x.sh", texts[i]);
    const bool enabled = i % 2;
    const struct v2v_import_opts opts = {
      .kind = "script",
      .set = { .description = texts[i], .owner = texts[i], .enabled = &enabled }
    };
    struct v2v_import_result r = { 0 };

    assert_ok (v2v_library_import (w.lib, file, &opts, &r, &err), err);
    v2v_import_result_clear (&r);
  }
  assert_ok (v2v_library_each (w.lib, NULL, compare_json, &n, &err), err);
  assert_int_equal (n, V2V_ARRAY_SIZE (texts) + 1);
  end (&w);
}

const struct CMUnitTest library_object_tests[] = {
  cmocka_unit_test (test_the_same_file_is_kept_once),
  cmocka_unit_test (test_a_disk_is_known_by_its_contents_not_its_identifiers),
  cmocka_unit_test (test_a_child_needs_its_parent_whatever_that_is_called),
  cmocka_unit_test (test_hostile_names_are_kept_and_their_files_are_safe),
  cmocka_unit_test (test_names_that_are_no_text_are_refused),
  cmocka_unit_test (test_filters_find_what_was_set),
  cmocka_unit_test (test_equivalents_are_the_newest_enabled_and_say_why),
  cmocka_unit_test (test_relations_never_go_in_a_circle),
  cmocka_unit_test (test_two_files_of_one_name_get_numbers),
  cmocka_unit_test (test_a_strangers_file_in_a_share_is_not_replaced),
  cmocka_unit_test (test_a_vmdk_brings_its_extents),
  cmocka_unit_test (test_a_converted_machine_needs_its_disks),
  cmocka_unit_test (test_two_equal_disks_of_a_machine_are_one_object),
  cmocka_unit_test (test_a_folder_with_an_inf_is_a_driver),
  cmocka_unit_test (test_what_needs_an_object_is_found_through_others_too),
  cmocka_unit_test (test_patterns_find_names_by_their_beginning),
  cmocka_unit_test (test_an_id_is_found_by_its_beginning_only),
  cmocka_unit_test (test_the_thirtieth_file_of_one_name_has_a_place),
  cmocka_unit_test (test_a_line_of_a_list_is_the_json_of_the_object),
  { .name = NULL },
};
