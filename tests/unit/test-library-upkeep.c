/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library: what is lost, changed or moved, and comes back. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library-tests.h"

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
  assert_int_equal (count_what (&l, "restored"), 3);
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

const struct CMUnitTest library_upkeep_tests[] = {
  cmocka_unit_test (
      test_verify_finds_one_byte_that_changed_and_a_file_that_is_gone),
  cmocka_unit_test (test_a_share_that_is_not_mounted_makes_its_files_missing),
  cmocka_unit_test (test_a_share_with_the_name_of_another_is_refused),
  cmocka_unit_test (test_refresh_follows_a_file_that_moved),
  cmocka_unit_test (test_refresh_takes_in_what_is_new_children_after_parents),
  cmocka_unit_test (test_a_lost_catalogue_comes_back_from_its_share),
  cmocka_unit_test (test_repair_brings_back_a_copy_from_another_share),
  cmocka_unit_test (test_work_of_another_host_is_taken_back_by_force_only),
  { .name = NULL },
};
