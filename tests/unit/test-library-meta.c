/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptions beside the files: they follow the catalogue, and bring a lost
 * one back.  What is damaged or written by others is constructed.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "library-util.h"

struct world {
  char *dir;
  struct v2v_library *lib;
};

static struct world
begin (void)
{
  struct world w = { .dir = test_tmpdir () };

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

static char *
description (const struct world *w, const char *id)
{
  char *path;

  if (asprintf (&path, "%s/lib/share/.v2v/meta/%s.json", w->dir, id) == -1)
    fail_msg ("out of memory");
  return path;
}

/* All that is said of ID, without its paths and when they were read. */
static char *
said (struct v2v_library *lib, const char *id)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;
  struct v2v_json *j;
  char *text;

  assert_ok (v2v_library_object (lib, id, &o, &err), err);
  j = v2v_object_to_json (&o);
  v2v_json_set (j, "locations", v2v_json_new_null ());
  text = v2v_json_dump (j, 1);
  v2v_json_free (j);
  assert_non_null (text);
  return text;
}

/* A new library beside the old one, which forgets its first share.  */
static struct v2v_library *
lose_catalogue (struct world *w)
{
  CLEANUP_FREE char *old = library_test_path (w->dir, "lib");
  CLEANUP_FREE char *gone = library_test_path (w->dir, "gone");
  CLEANUP_FREE char *first = library_test_path (w->dir, "lib/share");
  CLEANUP_FREE char *from = library_test_path (w->dir, "gone/share");
  CLEANUP_FREE char *aside = library_test_path (w->dir, "aside");
  struct v2v_error *err = NULL;

  v2v_library_close (w->lib);
  assert_int_equal (rename (old, gone), 0);
  w->lib = library_test_new (w->dir);
  assert_int_equal (rename (first, aside), 0);
  assert_int_equal (rename (from, first), 0);
  assert_ok (v2v_library_add_share (w->lib, first, "old", &err), err);
  return w->lib;
}

struct told {
  unsigned restored, ignored, waiting, known, other;
  char last[512];
};

static int
tell (void *arg, const struct v2v_upkeep_item *item, struct v2v_error **err)
{
  struct told *t = arg;
  unsigned *n = strcmp (item->what, "restored") == 0  ? &t->restored
                : strcmp (item->what, "ignored") == 0 ? &t->ignored
                : strcmp (item->what, "waiting") == 0 ? &t->waiting
                : strcmp (item->what, "known") == 0   ? &t->known
                                                      : &t->other;

  (void) err;
  ++*n;
  if (n == &t->ignored || n == &t->waiting)
    snprintf (t->last, sizeof t->last, "%s",
              item->message ? item->message : "");
  return 0;
}

static struct told
refresh (struct v2v_library *lib, bool force)
{
  const struct v2v_upkeep_opts opts = { .force = force };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;
  struct told t = { 0 };

  assert_ok (v2v_library_refresh (lib, NULL, &opts, tell, &t, &r, &err), err);
  return t;
}

static unsigned
count (struct v2v_library *lib)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_list (lib, NULL, &list, &err), err);
  return (unsigned) list.len;
}

/* ---- what comes back ---- */

static void
test_a_lost_catalogue_comes_back_with_all_that_was_said (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *base =
      library_test_disk (w.dir, "b.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *child =
      library_test_disk (w.dir, "c.vhdx", "vhdx", 2, base);
  CLEANUP_FREE char *vmdk =
      library_test_disk (w.dir, "d.vmdk", "vmdk", 3, NULL);
  CLEANUP_FREE char *script = library_test_file (w.dir, "s.ps1", "Get-VM");
  CLEANUP_FREE char *thing = library_test_file (w.dir, "t.bin", "?");
  char *ids[5], *before[5];
  const bool off = false;
  const struct v2v_library_set set = { .name = "a \"name\"/with\\ \xc3\xa4",
                                       .version = "1.2",
                                       .name_space = "lab",
                                       .family = "debian",
                                       .release = "12",
                                       .os = "Linux",
                                       .owner = "ann",
                                       .description = "two\nlines",
                                       .add_tags = "x,y z,'",
                                       .enabled = &off };
  struct v2v_error *err = NULL;
  struct told t;

  (void) state;
  ids[0] = library_test_import (w.lib, base, false);
  ids[1] = library_test_import (w.lib, child, false);
  ids[2] = library_test_import (w.lib, vmdk, false);
  ids[3] = library_test_import (w.lib, script, false);
  ids[4] = library_test_import (w.lib, thing, false);
  assert_ok (v2v_library_set (w.lib, ids[1], &set, &err), err);
  assert_ok (v2v_library_relate (w.lib, ids[3], "disk", "o's", ids[1], &err),
             err);
  for (unsigned i = 0; i < 5; ++i)
    before[i] = said (w.lib, ids[i]);
  lose_catalogue (&w);
  t = refresh (w.lib, false);
  assert_int_equal (t.restored, 5);
  assert_int_equal (t.ignored + t.waiting + t.known + t.other, 0);
  assert_int_equal (count (w.lib), 5);
  for (unsigned i = 0; i < 5; ++i) {
    CLEANUP_FREE char *after = said (w.lib, ids[i]);

    assert_string_equal (after, before[i]);
  }
  /* What is known is known by its contents. */
  free (library_test_import (w.lib, child, true));
  free (library_test_import (w.lib, thing, true));
  t = refresh (w.lib, false);
  assert_int_equal (t.restored + t.ignored + t.waiting + t.known + t.other, 0);
  for (unsigned i = 0; i < 5; ++i) {
    free (ids[i]);
    free (before[i]);
  }
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

static void
test_what_needs_another_share_waits_for_it (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *second = library_test_path (w.dir, "second");
  CLEANUP_FREE char *a = library_test_disk (w.dir, "a.vhd", "vhd", 1, NULL);
  CLEANUP_FREE char *b = library_test_disk (w.dir, "b.vhd", "vhd", 2, a);
  const struct v2v_import_opts there = { .share = "second" };
  struct v2v_import_result r = { 0 };
  CLEANUP_FREE char *child = NULL;
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;
  struct told t;

  (void) state;
  assert_int_equal (mkdir (second, 0777), 0);
  assert_ok (v2v_library_add_share (w.lib, second, NULL, &err), err);
  assert_ok (v2v_library_import (w.lib, a, &there, &r, &err), err);
  child = library_test_import (w.lib, b, false);
  lose_catalogue (&w);
  t = refresh (w.lib, false);
  assert_true (t.restored == 0 && t.waiting == 1 && t.other == 0);
  assert_string_equal (t.last, "it needs 'a', which is on no share that was "
                               "looked through; --force goes without");
  assert_int_equal (count (w.lib), 0);
  assert_ok (v2v_library_add_share (w.lib, second, NULL, &err), err);
  t = refresh (w.lib, false);
  assert_true (t.restored == 2 && t.waiting == 0);
  assert_ok (v2v_library_object (w.lib, child, &o, &err), err);
  assert_int_equal (o.nr_uses, 1);
  assert_string_equal (o.uses[0].id, r.id);
  v2v_import_result_clear (&r);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

static void
test_what_is_lost_for_ever_is_done_without_by_force (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *s = library_test_file (w.dir, "s.sh", "one");
  CLEANUP_FREE char *p = library_test_file (w.dir, "p.sh", "two");
  CLEANUP_FREE char *a = library_test_import (w.lib, s, false);
  CLEANUP_FREE char *b = library_test_import (w.lib, p, false);
  CLEANUP_FREE char *file = library_test_path (w.dir, "lib/share/script/p.sh");
  CLEANUP_FREE char *lost = description (&w, b);
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;
  struct told t;

  (void) state;
  assert_ok (v2v_library_relate (w.lib, a, "script", "", b, &err), err);
  lose_catalogue (&w);
  assert_int_equal (unlink (file), 0);
  assert_int_equal (unlink (lost), 0);
  t = refresh (w.lib, true);
  assert_int_equal (t.restored, 1);
  assert_ok (v2v_library_object (w.lib, a, &o, &err), err);
  assert_int_equal (o.nr_uses, 0);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

/* ---- what is no description ---- */

/* One object in a library whose description is TEXT, with the id in place of
 * "%s"; what is told of it must have WHY, and the file comes in as a new one. */
static void
check_refused (const char *text, const char *why)
{
  struct world w = begin ();
  CLEANUP_FREE char *path = library_test_file (w.dir, "s.sh", "content");
  CLEANUP_FREE char *id = library_test_import (w.lib, path, false);
  CLEANUP_FREE char *meta = description (&w, id);
  CLEANUP_FREE char *bad = NULL;
  struct told t;
  const char *at = strstr (text, "%s");

  if (asprintf (&bad, "%.*s%s%s", (int) (at ? at - text : 0), text,
                at ? id : "", at ? at + 2 : text) == -1)
    fail_msg ("out of memory");
  lose_catalogue (&w);
  test_write_file (meta, bad, strlen (bad));
  t = refresh (w.lib, false);
  assert_int_equal (t.restored, 0);
  assert_int_equal (t.ignored, 1);
  if (strstr (t.last, why) == NULL)
    fail_msg ("'%s' is not told of %s, but: %s", why, text, t.last);
  assert_int_equal (t.other, 1); /* "new" */
  assert_int_equal (count (w.lib), 1);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

#define HEAD                                                                   \
  "{\"schema\": \"v2v-object-1\", \"id\": \"%s\", \"kind\": \"script\", "
#define FILES(path, digest, size)                                              \
  "\"files\": [{\"name\": \"s.sh\", \"path\": \"" path "\", \"digest\": "      \
  "\"" digest "\", \"size_bytes\": " size "}]}"
#define GOOD                                                                   \
  "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"

static void
test_a_description_of_others_making_is_not_followed (void **state)
{
  (void) state;
  check_refused ("", "no description");
  check_refused ("{", "");
  check_refused ("[]", "schema");
  check_refused ("{\"schema\": \"v2v-object-2\"}", "schema 'v2v-object-2'");
  check_refused ("{\"schema\": \"v2v-object-1\", \"id\": \"x\"}",
                 "another object");
  check_refused ("{\"schema\": \"v2v-object-1\", \"id\": \"%s\", "
                 "\"kind\": \"thing\"}",
                 "'thing' is no kind");
  check_refused (HEAD "\"name\": \"a\\nb\", " FILES ("script/s.sh", GOOD, "7"),
                 "control character");
  check_refused (HEAD "\"name\": \"\", " FILES ("script/s.sh", GOOD, "7"),
                 "is empty");
  check_refused (HEAD "\"name\": \"s\", \"files\": []}", "expected 1 to");
  check_refused (HEAD "\"name\": \"s\", \"files\": 3}", "expected 1 to");
  check_refused (HEAD "\"name\": \"s\", " FILES ("../../s.sh", GOOD, "7"),
                 "is no name for a file");
  check_refused (HEAD "\"name\": \"s\", " FILES ("/etc/passwd", GOOD, "7"),
                 "is no name for a file");
  check_refused (HEAD "\"name\": \"s\", " FILES ("script/s.sh", GOOD, "-7"),
                 "no size");
  check_refused (HEAD "\"name\": \"s\", " FILES ("script/s.sh", GOOD, "8"),
                 "is not as described");
  check_refused (HEAD
                 "\"name\": \"s\", " FILES ("script/s.sh", "sha256:00", "7"),
                 "is not as described");
  check_refused (HEAD "\"name\": \"s\", " FILES ("script/t.sh", GOOD, "7"),
                 "No such file");
  check_refused ("{\"schema\": \"v2v-object-1\", \"id\": \"%s\", \"kind\": "
                 "\"disk\", \"name\": \"s\", \"format\": \"vhdx\", "
                 "\"content\": \"sha256-2m:00\", \"virtual_bytes\": 7, " FILES (
                     "script/s.sh", GOOD, "7"),
                 "is not the disk described");
}

static void
test_descriptions_that_need_each_other_are_not_waited_for_for_ever (
    void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *s = library_test_file (w.dir, "s.sh", "content");
  CLEANUP_FREE char *id = library_test_import (w.lib, s, false);
  CLEANUP_FREE char *meta = description (&w, id);
  CLEANUP_FREE char *bad = NULL;
  struct told t;

  (void) state;
  if (asprintf (&bad,
                "{\"schema\": \"v2v-object-1\", \"id\": \"%s\", \"kind\": "
                "\"script\", \"name\": \"s\", \"uses\": [{\"role\": \"x\", "
                "\"id\": \"%s\"}], " FILES ("script/s.sh", GOOD, "7"),
                id, id) == -1)
    fail_msg ("out of memory");
  lose_catalogue (&w);
  test_write_file (meta, bad, strlen (bad));
  t = refresh (w.lib, false);
  assert_true (t.waiting == 1 && count (w.lib) == 0);
  /* Nothing can need itself: without it, it comes back. */
  t = refresh (w.lib, true);
  assert_true (t.restored == 1 || t.ignored == 1);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

/* ---- they follow ---- */

/* In a process of its own, which is gone afterwards: what it leaves is for the
 * next one. */
static void
change_and_die (const char *dir, const char *changed, const char *removed)
{
  int status;
  const pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0) {
    const struct v2v_library_set set = { .owner = "ann" };
    struct v2v_library *lib = library_test_open (dir);
    const bool good = v2v_library_set (lib, changed, &set, NULL) == 0 &&
                      v2v_library_remove (lib, removed, false, NULL) == 0;

    v2v_library_close (lib);
    _exit (good ? 0 : 1);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

static void
test_what_is_said_while_a_share_is_away_is_written_when_it_is_back (
    void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *s = library_test_file (w.dir, "s.sh", "content");
  CLEANUP_FREE char *p = library_test_file (w.dir, "p.sh", "other");
  CLEANUP_FREE char *id = library_test_import (w.lib, s, false);
  CLEANUP_FREE char *gone = library_test_import (w.lib, p, false);
  CLEANUP_FREE char *share = library_test_path (w.dir, "lib/share");
  CLEANUP_FREE char *away = library_test_path (w.dir, "away");

  (void) state;
  v2v_library_close (w.lib);
  assert_int_equal (rename (share, away), 0);
  change_and_die (w.dir, id, gone);
  w.lib = library_test_open (w.dir); /* nothing can be done yet */
  v2v_library_close (w.lib);
  assert_int_equal (rename (away, share), 0);
  w.lib = library_test_open (w.dir);
  assert_int_equal (count (w.lib), 1);
  end (&w);
}

static void
test_a_share_without_descriptions_gets_them (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *s = library_test_file (w.dir, "s.sh", "content");
  CLEANUP_FREE char *id = library_test_import (w.lib, s, false);
  CLEANUP_FREE char *meta = description (&w, id);

  (void) state;
  assert_int_equal (unlink (meta), 0);
  (void) refresh (w.lib, false);
  assert_int_equal (access (meta, F_OK), 0);
  end (&w);
}

static int
set_up (void **state)
{
  (void) state;
  library_test_use_memory ();
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_lost_catalogue_comes_back_with_all_that_was_said),
    cmocka_unit_test (test_what_needs_another_share_waits_for_it),
    cmocka_unit_test (test_what_is_lost_for_ever_is_done_without_by_force),
    cmocka_unit_test (test_a_description_of_others_making_is_not_followed),
    cmocka_unit_test (
        test_descriptions_that_need_each_other_are_not_waited_for_for_ever),
    cmocka_unit_test (
        test_what_is_said_while_a_share_is_away_is_written_when_it_is_back),
    cmocka_unit_test (test_a_share_without_descriptions_gets_them),
  };

  return cmocka_run_group_tests (tests, set_up, NULL);
}
