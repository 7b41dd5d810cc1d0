/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library: what comes in, what is found, what goes.  Built twice, for
 * SQLite and (LIBRARY_POSTGRES) for a real PostgreSQL server.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "library/catalogue.h"
#include "library-util.h"

static bool skipped;

/* A library in a new folder for one test. */
struct world {
  char *dir;
  struct v2v_library *lib;
};

static struct world
begin (void)
{
  struct world w;

  if (skipped)
    skip ();
  w.dir = test_tmpdir ();
  w.lib = library_test_new (w.dir);
  return w;
}

static void
end (struct world *w)
{
  library_test_is_whole (w->lib, w->dir);
  v2v_library_close (w->lib);
  test_tmpdir_remove (w->dir);
}

static struct v2v_object
object (struct v2v_library *lib, const char *id)
{
  struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_object (lib, id, &o, &err), err);
  return o;
}

static char *
find (struct v2v_library *lib, const char *ref)
{
  struct v2v_error *err = NULL;
  char *id = NULL;

  assert_ok (v2v_library_find (lib, ref, &id, &err), err);
  return id;
}

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

static int
count_one (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  (void) o;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

static unsigned
count (struct v2v_library *lib, const struct v2v_library_filter *filter)
{
  struct v2v_error *err = NULL;
  unsigned n = 0;

  assert_ok (v2v_library_each (lib, filter, count_one, &n, &err), err);
  return n;
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

/* ---- verify ---- */

static void
verify (struct v2v_library *lib, bool quick, uint64_t bad)
{
  const struct v2v_upkeep_opts opts = { .quick = quick };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_verify (lib, NULL, &opts, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_bad, bad);
}

static void
test_verify_finds_one_byte_that_changed_and_a_file_that_is_gone (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "first");
  CLEANUP_FREE char *b = library_test_file (w.dir, "b.sh", "second");
  CLEANUP_FREE char *ida = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *idb = library_test_import (w.lib, b, false);
  CLEANUP_FREE char *kept = library_test_path (w.dir, "kept");
  struct v2v_error *err = NULL;
  char *path;

  (void) state;
  verify (w.lib, false, 0);
  path = v2v_library_path (w.lib, ida, NULL, &err);
  assert_ptr (path, err);
  test_write_file (path, "fIrst", 5);
  verify (w.lib, false, 1);
  verify (w.lib, true, 1); /* what is known to be bad stays so */
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, ida);

    assert_int_equal (o.state, V2V_LOCATION_CHANGED);
  }
  assert_null (v2v_library_path (w.lib, ida, NULL, &err));
  assert_error (&err, V2V_ERR_IO, "no share has a good copy");
  test_write_file (path, "first", 5);
  verify (w.lib, false, 0);
  free (path);

  path = v2v_library_path (w.lib, idb, NULL, &err);
  assert_ptr (path, err);
  assert_int_equal (rename (path, kept), 0);
  verify (w.lib, true, 1);
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, idb);

    assert_int_equal (o.state, V2V_LOCATION_MISSING);
  }
  assert_int_equal (rename (kept, path), 0);
  verify (w.lib, true, 0);
  free (path);
  end (&w);
}

static void
test_a_share_that_is_not_mounted_makes_its_files_missing (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "first");
  CLEANUP_FREE char *id = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *share = library_test_path (w.dir, "lib/share");
  CLEANUP_FREE char *away = library_test_path (w.dir, "away");
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  assert_non_null (id);
  assert_int_equal (rename (share, away), 0);
  verify (w.lib, false, 1);
  assert_int_equal (mkdir (share, 0777), 0); /* the mount point, empty */
  verify (w.lib, false, 1);
  test_write_file (a, "second", 6);
  assert_int_equal (v2v_library_import (w.lib, a, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_IO, "share 'share'");
  assert_int_equal (rmdir (share), 0);
  /* It is somewhere else now, says the administrator: its marker tells. */
  assert_ok (v2v_library_add_share (w.lib, away, NULL, &err), err);
  verify (w.lib, false, 0);
  assert_int_equal (rename (away, share), 0);
  assert_ok (v2v_library_add_share (w.lib, share, NULL, &err), err);
  end (&w);
}

static void
test_a_share_with_the_name_of_another_is_refused (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *dir = library_test_path (w.dir, "second");
  struct v2v_error *err = NULL;
  struct v2v_share_list shares;

  (void) state;
  assert_int_equal (mkdir (dir, 0777), 0);
  assert_int_equal (v2v_library_add_share (w.lib, dir, "share", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is called 'share' already");
  assert_ok (v2v_library_add_share (w.lib, dir, "second", &err), err);
  assert_ok (v2v_library_shares (w.lib, &shares, &err), err);
  assert_int_equal (shares.len, 2);
  assert_string_equal (shares.ptr[0].name, "share");
  assert_string_equal (shares.ptr[1].name, "second");
  v2v_shares_clear (&shares);
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

/* ---- upkeep ---- */

struct upkeep_log {
  char what[20][16];
  unsigned n;
};

static int
log_item (void *arg, const struct v2v_upkeep_item *item, struct v2v_error **err)
{
  struct upkeep_log *l = arg;

  (void) err;
  assert_true (l->n < 20);
  snprintf (l->what[l->n++], 16, "%s", item->what);
  return 0;
}

static unsigned
count_what (const struct upkeep_log *l, const char *what)
{
  unsigned n = 0;

  for (unsigned i = 0; i < l->n; ++i)
    n += strcmp (l->what[i], what) == 0;
  return n;
}

static struct upkeep_log
refresh (struct v2v_library *lib)
{
  struct upkeep_log l = { .n = 0 };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_refresh (lib, NULL, NULL, log_item, &l, &r, &err),
             err);
  return l;
}

static void
test_refresh_follows_a_file_that_moved (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "first");
  CLEANUP_FREE char *id = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *moved = library_test_path (w.dir, "lib/share/elsewhere");
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *old = v2v_library_path (w.lib, id, NULL, &err);
  CLEANUP_FREE char *path = NULL;
  struct upkeep_log l;

  (void) state;
  assert_ptr (old, err);
  assert_int_equal (rename (old, moved), 0);
  l = refresh (w.lib);
  assert_int_equal (count_what (&l, "missing"), 1);
  assert_int_equal (count_what (&l, "moved"), 1);
  assert_int_equal (l.n, 2);
  path = v2v_library_path (w.lib, id, NULL, &err);
  assert_ptr (path, err);
  assert_non_null (strstr (path, "/lib/share/elsewhere"));
  l = refresh (w.lib); /* and that was all */
  assert_int_equal (l.n, 0);
  end (&w);
}

static void
test_refresh_takes_in_what_is_new_children_after_parents (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *share = library_test_path (w.dir, "lib/share");
  CLEANUP_FREE char *base =
      library_test_disk (share, "z-base.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *child =
      library_test_disk (share, "a-child.vhdx", "vhdx", 2, base);
  CLEANUP_FREE char *note = library_test_file (share, "notes.txt", "hello");
  CLEANUP_FREE char *script = library_test_file (share, "s.ps1", "Get-VM");
  struct upkeep_log l = refresh (w.lib);
  CLEANUP_FREE char *id = find (w.lib, "disk/a-child");

  (void) state;
  assert_non_null (script);
  assert_int_equal (count_what (&l, "new"), 3);
  assert_int_equal (count_what (&l, "ignored"), 1); /* notes.txt */
  {
    CLEANUP_OBJECT struct v2v_object o = object (w.lib, id);

    assert_int_equal (o.nr_uses, 1);
    assert_string_equal (o.uses[0].name, "z-base");
    assert_string_equal (o.locations[0].path, child);
  }
  assert_int_equal (unlink (note), 0);
  end (&w);
}

static void
test_a_lost_catalogue_comes_back_from_its_share (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *base =
      library_test_disk (w.dir, "base.vhd", "vhd", 1, NULL);
  CLEANUP_FREE char *child =
      library_test_disk (w.dir, "child.vhd", "vhd", 2, base);
  CLEANUP_FREE char *script = library_test_file (w.dir, "s.ps1", "Get-VM");
  CLEANUP_FREE char *a = library_test_import (w.lib, base, false);
  CLEANUP_FREE char *b = library_test_import (w.lib, child, false);
  CLEANUP_FREE char *c = library_test_import (w.lib, script, false);
  CLEANUP_FREE char *share = library_test_path (w.dir, "lib/share");
  CLEANUP_FREE char *first = library_test_path (w.dir, "lib2/share");
  CLEANUP_FREE char *other = library_test_path (w.dir, "lib2");
  struct v2v_error *err = NULL;
  struct v2v_library *lib;
  struct upkeep_log l;

  (void) state;
  assert_true (a && b && c);
  assert_ok (v2v_library_init (other, NULL, library_test_address (), &err),
             err);
  lib = v2v_library_open (other, &err);
  assert_ptr (lib, err);
  assert_int_equal (v2v_library_add_share (lib, share, NULL, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is called 'share' already");
  assert_ok (v2v_library_add_share (lib, share, "old", &err), err);
  l = refresh (lib);
  assert_int_equal (count_what (&l, "new"), 3);
  assert_int_equal (count (lib, NULL), 3);
  v2v_library_close (lib);
  assert_int_equal (access (first, F_OK), 0);
  end (&w);
}

static void
test_repair_brings_back_a_copy_from_another_share (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *second = library_test_path (w.dir, "second");
  CLEANUP_FREE char *a = library_test_file (w.dir, "a.sh", "first");
  CLEANUP_FREE char *b = library_test_file (w.dir, "b.sh", "second");
  CLEANUP_FREE char *c = library_test_file (w.dir, "c.sh", "third");
  CLEANUP_FREE char *ida = library_test_import (w.lib, a, false);
  CLEANUP_FREE char *idb = library_test_import (w.lib, b, false);
  CLEANUP_FREE char *idc = library_test_import (w.lib, c, false);
  CLEANUP_FREE char *pa = NULL, *pb = NULL, *pc = NULL, *text = NULL;
  struct upkeep_log l = { .n = 0 };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;
  size_t len;

  (void) state;
  pa = v2v_library_path (w.lib, ida, NULL, &err);
  pb = v2v_library_path (w.lib, idb, NULL, &err);
  pc = v2v_library_path (w.lib, idc, NULL, &err);
  assert_true (pa && pb && pc);
  assert_int_equal (mkdir (second, 0777), 0);
  assert_ok (v2v_library_add_share (w.lib, second, NULL, &err), err);
  for (int twice = 0; twice < 2; ++twice) {
    assert_ok (v2v_library_copy (w.lib, ida, "second", NULL, &err), err);
    assert_ok (v2v_library_copy (w.lib, idb, "second", NULL, &err), err);
  }
  test_write_file (pa, "damaged", 7);
  assert_int_equal (unlink (pb), 0);
  assert_int_equal (unlink (pc), 0); /* nobody has another one of this */
  {
    CLEANUP_FREE char *from = v2v_library_path (w.lib, idb, NULL, &err);

    assert_ptr (from, err); /* the copy serves meanwhile */
    assert_non_null (strstr (from, "/second/"));
  }
  assert_ok (v2v_library_repair (w.lib, NULL, log_item, &l, &r, &err), err);
  assert_int_equal (count_what (&l, "restored"), 2);
  assert_int_equal (r.nr_bad, 1);
  text = test_read_file (pa, &len);
  assert_int_equal (len, 5);
  assert_memory_equal (text, "first", 5);
  verify (w.lib, false, 1);
  test_write_file (pc, "third", 5);
  verify (w.lib, false, 0);
  assert_ok (v2v_library_gc (w.lib, NULL, NULL, NULL, &r, &err), err);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

/* ---- objects of several files ---- */

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

/* SQLite only: the other data base's address is the library's secret. */
static void
test_work_of_another_host_is_taken_back_by_force_only (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *file = library_test_path (w.dir, "lib/catalogue.db");
  struct v2v_error *err = NULL;
  struct v2v_upkeep_result r;
  const struct v2v_upkeep_opts force = { .force = true };
  struct v2v_catalogue *c;

  (void) state;
  if (access (file, F_OK) == -1) {
    end (&w);
    return;
  }
  c = v2v_catalogue_open (file, false, &err);
  assert_ptr (c, err);
  assert_ok (
      v2v_catalogue_exec (
          c,
          "INSERT INTO pending (id, kind, host, pid, started, created, share) "
          "SELECT '00000000-0000-4000-8000-000000000001', 'import', "
          "'elsewhere|pid:[1]|x', 1, 1, 1, id FROM share",
          &err),
      err);
  v2v_catalogue_close (c);
  v2v_library_close (w.lib);
  w.lib = library_test_open (w.dir); /* leaves it alone */
  assert_ok (v2v_library_gc (w.lib, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_bad, 1);
  assert_ok (v2v_library_gc (w.lib, &force, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 1);
  assert_ok (v2v_library_gc (w.lib, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_bad, 0);
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

/* ---- several at once ---- */

static void
test_six_processes_import_at_once (void **state)
{
  struct world w = begin ();
  pid_t pids[6];

  (void) state;
  v2v_library_close (w.lib);
  for (int i = 0; i < 6; ++i) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] != 0)
      continue;
    {
      struct v2v_library *lib = library_test_open (w.dir);
      char name[16], text[16];

      /* All of one name in the share; the last two have one content. */
      snprintf (name, sizeof name, "f%d", i);
      snprintf (text, sizeof text, "%d", i < 4 ? i : 4);
      for (int n = 0; n < 3; ++n) {
        char content[40];
        CLEANUP_FREE char *path = NULL;
        const struct v2v_import_opts opts = { .set = { .name = "same" } };
        struct v2v_import_result r = { 0 };
        struct v2v_error *err = NULL;

        snprintf (content, sizeof content, "%s-%d", text, n);
        path = library_test_file (w.dir, name, content);
        if (v2v_library_import (lib, path, &opts, &r, &err) == -1)
          _exit (1);
        v2v_import_result_clear (&r);
      }
      v2v_library_close (lib);
      _exit (0);
    }
  }
  for (int i = 0; i < 6; ++i) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
  w.lib = library_test_open (w.dir);
  assert_int_equal (count (w.lib, NULL), 15);
  assert_int_equal (library_test_count_files (w.dir), 15);
  end (&w);
}

/* ---- the catalogue ---- */

static void
test_a_catalogue_of_every_earlier_version_is_migrated (void **state)
{
  for (unsigned from = 1; from <= V2V_SCHEMA_VERSION; ++from) {
    struct v2v_error *err = NULL;
    char *dir;
    CLEANUP_FREE char *file = NULL;
    CLEANUP_QUERY struct v2v_query *q = NULL;
    const char *where;
    struct v2v_catalogue *c;
    unsigned version;

    (void) state;
    if (skipped)
      skip ();
    dir = test_tmpdir ();
    file = library_test_path (dir, "c.db");
    where = library_test_address () ? library_test_address () : file;
    c = v2v_catalogue_open (where, true, &err);
    assert_ptr (c, err);
    assert_ok (v2v_schema_version (c, &version, &err), err);
    assert_int_equal (version, 0);
    assert_ok (v2v_schema_migrate (c, from, &err), err);
    assert_ok (v2v_schema_version (c, &version, &err), err);
    assert_int_equal (version, from);
    assert_ok (v2v_catalogue_exec (
                   c,
                   "INSERT INTO share (id, seq, name, path) VALUES "
                   "('s', 1, 'n', '/p'); "
                   "INSERT INTO object (id, kind, name, version, namespace, "
                   "family, release, os, owner, description, enabled, digest, "
                   "content, identity, size, created, format, variant, "
                   "virtual_size, disk_id, state) VALUES ('o', 'disk', 'n', "
                   "'', '', '', '', '', '', '', 1, 'd', '', 'i', 1, 2, '', '', "
                   "0, '', 0); "
                   "INSERT INTO file (object, seq, name, digest, size) VALUES "
                   "('o', 0, 'f', 'd', 1); "
                   "INSERT INTO location (share, path, object, seq, size, "
                   "mtime, state) VALUES ('s', 'disk/f', 'o', 0, 1, 3, 0)",
                   &err),
               err);
    assert_ok (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), err);
    assert_ok (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), err);
    q = v2v_query_new (
        c, "SELECT path, verified FROM location WHERE object = 'o'", &err);
    assert_ptr (q, err);
    assert_int_equal (v2v_query_step (q, &err), 1);
    assert_string_equal (v2v_query_get_text (q, 0), "disk/f");
    assert_int_equal (v2v_query_get_int (q, 1), 0);
    v2v_query_free (q);
    q = NULL;
    v2v_catalogue_close (c);
    test_tmpdir_remove (dir);
  }
}

static void
test_a_catalogue_of_a_later_version_is_left_alone (void **state)
{
  struct world w = begin ();
  struct v2v_error *err = NULL;
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *file = library_test_path (dir, "c.db");
  const char *address = library_test_address ();
  struct v2v_catalogue *c =
      v2v_catalogue_open (address ? address : file, true, &err);

  (void) state;
  assert_ptr (c, err);
  assert_ok (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), err);
  assert_ok (v2v_catalogue_exec (c, "UPDATE meta SET value = '99'", &err), err);
  assert_int_equal (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "version 99");
  v2v_catalogue_close (c);
  test_tmpdir_remove (dir);
  end (&w);
}

static void
test_a_transaction_that_fails_leaves_nothing (void **state)
{
  struct v2v_error *err = NULL;
  char *dir;
  CLEANUP_FREE char *file = NULL;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  const char *address;
  struct v2v_catalogue *c;

  (void) state;
  if (skipped)
    skip ();
  dir = test_tmpdir ();
  file = library_test_path (dir, "c.db");
  address = library_test_address ();
  c = v2v_catalogue_open (address ? address : file, true, &err);
  assert_ptr (c, err);
  assert_ok (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), err);
  assert_ok (v2v_catalogue_begin (c, &err), err);
  assert_ok (v2v_catalogue_exec (c,
                                 "INSERT INTO share (id, seq, name, path) "
                                 "VALUES ('s', 1, 'n', '/p')",
                                 &err),
             err);
  /* The name is taken: a constraint, and the transaction with it. */
  assert_int_equal (
      v2v_catalogue_exec (c,
                          "INSERT INTO share (id, seq, name, path) VALUES "
                          "('t', 2, 'n', '/q')",
                          &err),
      -1);
  assert_int_equal (v2v_error_code (err), V2V_ERR_MISMATCH);
  v2v_error_free (err);
  err = NULL;
  v2v_catalogue_rollback (c);
  q = v2v_query_new (c, "SELECT COUNT(*) FROM share", &err);
  assert_ptr (q, err);
  assert_int_equal (v2v_query_step (q, &err), 1);
  assert_int_equal (v2v_query_get_int (q, 0), 0);
  v2v_query_free (q);
  q = NULL;
  v2v_catalogue_close (c);
  test_tmpdir_remove (dir);
}

static void
test_an_address_is_printed_without_its_password (void **state)
{
  static const struct {
    const char *where, *shown;
  } rows[] = {
    { "postgres://u:secret@h/db", "postgres://u@h/db" },
    { "postgres://u:p@ss@h/db?password=secret", "postgres://u@h/db" },
    { "postgresql://h/db", "postgresql://h/db" },
    { "/srv/a:b@c", "/srv/a:b@c" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    CLEANUP_FREE char *s = v2v_catalogue_printable (rows[i].where);

    assert_string_equal (s, rows[i].shown);
  }
}

static int
set_up (void **state)
{
  (void) state;
#ifdef LIBRARY_POSTGRES
  skipped = !library_test_start_postgres ();
#endif
  library_test_use_memory ();
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  library_test_stop_postgres ();
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_the_same_file_is_kept_once),
    cmocka_unit_test (test_a_disk_is_known_by_its_contents_not_its_identifiers),
    cmocka_unit_test (test_a_child_needs_its_parent_whatever_that_is_called),
    cmocka_unit_test (test_hostile_names_are_kept_and_their_files_are_safe),
    cmocka_unit_test (test_names_that_are_no_text_are_refused),
    cmocka_unit_test (test_filters_find_what_was_set),
    cmocka_unit_test (test_equivalents_are_the_newest_enabled_and_say_why),
    cmocka_unit_test (test_relations_never_go_in_a_circle),
    cmocka_unit_test (
        test_verify_finds_one_byte_that_changed_and_a_file_that_is_gone),
    cmocka_unit_test (test_a_share_that_is_not_mounted_makes_its_files_missing),
    cmocka_unit_test (test_a_share_with_the_name_of_another_is_refused),
    cmocka_unit_test (test_two_files_of_one_name_get_numbers),
    cmocka_unit_test (test_a_strangers_file_in_a_share_is_not_replaced),
    cmocka_unit_test (test_refresh_follows_a_file_that_moved),
    cmocka_unit_test (test_refresh_takes_in_what_is_new_children_after_parents),
    cmocka_unit_test (test_a_lost_catalogue_comes_back_from_its_share),
    cmocka_unit_test (test_repair_brings_back_a_copy_from_another_share),
    cmocka_unit_test (test_a_vmdk_brings_its_extents),
    cmocka_unit_test (test_a_converted_machine_needs_its_disks),
    cmocka_unit_test (test_two_equal_disks_of_a_machine_are_one_object),
    cmocka_unit_test (test_work_of_another_host_is_taken_back_by_force_only),
    cmocka_unit_test (test_a_folder_with_an_inf_is_a_driver),
    cmocka_unit_test (test_six_processes_import_at_once),
    cmocka_unit_test (test_a_catalogue_of_every_earlier_version_is_migrated),
    cmocka_unit_test (test_a_catalogue_of_a_later_version_is_left_alone),
    cmocka_unit_test (test_a_transaction_that_fails_leaves_nothing),
    cmocka_unit_test (test_an_address_is_printed_without_its_password),
  };

  return cmocka_run_group_tests (tests, set_up, tear_down);
}
