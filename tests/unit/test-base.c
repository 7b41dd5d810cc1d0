/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bases of a library: who needs them, which may go, and chains made shorter,
 * for VHD and VHDX.  Rows of machines are written as deploying does.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/image.h"
#include "library/base.h"
#include "library/catalogue.h"
#include "library/hosts.h"
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

static void
sql (const struct world *w, const char *statement)
{
  CLEANUP_FREE char *path = library_test_path (w->dir, "lib/catalogue.db");
  struct v2v_error *err = NULL;
  struct v2v_catalogue *c = v2v_catalogue_open (path, false, &err);

  assert_ptr (c, err);
  assert_ok (v2v_catalogue_begin (c, &err), err);
  assert_ok (v2v_catalogue_exec (c, statement, &err), err);
  assert_ok (v2v_catalogue_commit (c, &err), err);
  v2v_catalogue_close (c);
}

/* A machine NAME that was deployed on the object BASE, of the service "shop". */
static void
deploy (const struct world *w, const char *name, const char *base)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  assert_int_equal (
      v2v_str_printf (&s,
                      "INSERT INTO machine VALUES ('id-of-%s', '%s', '%s', "
                      "'hv1', '', '', '', 'shop', 'web', 1, 'made', '', '{}', "
                      "1, '', 0, 0)",
                      name, name, name),
      0);
  sql (w, s.ptr);
  s.len = 0;
  assert_int_equal (
      v2v_str_printf (&s, "INSERT INTO machine_base VALUES ('id-of-%s', '%s')",
                      name, base),
      0);
  sql (w, s.ptr);
}

static struct v2v_object
object (struct v2v_library *lib, const char *id)
{
  struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_object (lib, id, &o, &err), err);
  return o;
}

static bool
is_there (struct v2v_library *lib, const char *id)
{
  struct v2v_object o = { 0 };
  const bool there = v2v_library_object (lib, id, &o, NULL) == 0;

  v2v_object_clear (&o);
  return there;
}

/* a <- b <- c, each with 1 MiB at a place of its own. */
struct chain {
  char *path[3], *id[3];
};

static struct chain
make_chain (struct world *w, const char *format)
{
  struct chain c;

  for (unsigned i = 0; i < 3; ++i) {
    char name[16];

    snprintf (name, sizeof name, "%c.%s", "abc"[i], format);
    c.path[i] = library_test_disk (w->dir, name, format, i + 1,
                                   i ? c.path[i - 1] : NULL);
    c.id[i] = library_test_import (w->lib, c.path[i], false);
  }
  return c;
}

static void
chain_clear (struct chain *c)
{
  for (unsigned i = 0; i < 3; ++i) {
    free (c->path[i]);
    free (c->id[i]);
  }
}

static void
contents (struct v2v_library *lib, const char *id, char hex[65])
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_library_open_disk (lib, id, &err);

  assert_ptr (img, err);
  test_image_sha256 (img, hex);
  v2v_image_close (img);
}

/* What the disk ID is, read without the library: its files side by side in a
 * folder, under the names that they have in the share. */
static void
contents_of_files (struct v2v_library *lib, const char *id, char hex[65])
{
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *path = v2v_library_path (lib, id, NULL, &err);
  struct v2v_image *img;

  assert_ptr (path, err);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  test_image_sha256 (img, hex);
  v2v_image_close (img);
}

/* ---- dependents ---- */

static const struct v2v_dependent *
find (const struct v2v_dependents *d, const char *what, const char *name)
{
  for (size_t i = 0; i < d->len; ++i)
    if (strcmp (d->ptr[i].what, what) == 0 &&
        strcmp (d->ptr[i].name, name) == 0)
      return &d->ptr[i];
  return NULL;
}

static void
test_what_hangs_on_a_base_is_found_through_chains_machines_and_services (
    void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhd");
  CLEANUP_FREE char *file = library_test_file (w.dir, "note.sh", "x");
  CLEANUP_FREE char *user = library_test_import (w.lib, file, false);
  CLEANUP_FREE char *other_file = library_test_file (w.dir, "made.sh", "y");
  CLEANUP_FREE char *made = library_test_import (w.lib, other_file, false);
  CLEANUP_DEPENDENTS struct v2v_dependents d = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  sql (&w, "INSERT INTO service VALUES ('s-1', 'shop', '', '', '', '', '', 1)");
  sql (&w, "INSERT INTO service VALUES ('s-2', 'bank', '', '', '', '', '', 1)");
  deploy (&w, "web-01", c.id[1]);
  assert_ok (v2v_library_relate (w.lib, user, "disk", "", c.id[2], &err), err);
  /* Where a thing came from is not what it needs. */
  assert_ok (v2v_library_relate (w.lib, made, "provenance", "", c.id[0], &err),
             err);
  assert_ok (v2v_library_dependents (w.lib, c.id[0], &d, &err), err);
  assert_int_equal (d.len, 5);
  assert_non_null (find (&d, "disk", "b"));
  assert_non_null (find (&d, "disk", "c"));
  assert_non_null (find (&d, "script", "note"));
  assert_string_equal (find (&d, "machine", "web-01")->place, "hv1");
  assert_non_null (find (&d, "service", "shop"));
  v2v_dependents_clear (&d);
  assert_ok (v2v_library_dependents (w.lib, c.id[2], &d, &err), err);
  assert_int_equal (d.len, 1);
  chain_clear (&c);
  end (&w);
}

struct heard {
  unsigned nr_bad;
  bool machine, child;
};

static int
hear (void *arg, const struct v2v_upkeep_item *item, struct v2v_error **err)
{
  struct heard *h = arg;

  (void) err;
  if (item->dependents == NULL) {
    assert_string_equal (item->what, "ok");
    return 0;
  }
  h->nr_bad++;
  assert_string_equal (item->what, "changed");
  h->machine |= find (item->dependents, "machine", "web-01") != NULL;
  h->child |= find (item->dependents, "disk", "c") != NULL;
  return 0;
}

static void
flip_byte (const char *path)
{
  size_t len;
  CLEANUP_FREE unsigned char *bytes = test_read_file (path, &len);

  bytes[len / 2] ^= 1;
  test_write_file (path, bytes, len);
}

static void
test_verify_names_all_that_a_damaged_base_takes_with_it (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhdx");
  CLEANUP_FREE char *second = library_test_path (w.dir, "second");
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *path = v2v_library_path (w.lib, c.id[0], NULL, &err);
  struct heard h = { 0 };

  (void) state;
  assert_ptr (path, err);
  deploy (&w, "web-01", c.id[1]);
  assert_int_equal (mkdir (second, 0777), 0);
  assert_ok (v2v_library_add_share (w.lib, second, NULL, &err), err);
  assert_ok (v2v_library_copy (w.lib, c.id[0], "second", NULL, &err), err);
  flip_byte (path);
  assert_ok (v2v_library_verify (w.lib, NULL, NULL, hear, &h, &r, &err), err);
  assert_true (r.nr_bad == 1 && h.nr_bad == 1 && h.machine && h.child);
  /* The second copy brings it back. */
  assert_ok (v2v_library_repair (w.lib, NULL, NULL, NULL, &r, &err), err);
  assert_true (r.nr_bad == 0 && r.nr_done == 1);
  assert_ok (v2v_library_verify (w.lib, NULL, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_bad, 0);
  assert_ok (v2v_library_gc (w.lib, NULL, NULL, NULL, &r, &err), err);
  chain_clear (&c);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

/* ---- which may go ---- */

static void
test_what_a_machine_needs_is_not_removed_without_force (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhd");
  struct v2v_error *err = NULL;

  (void) state;
  deploy (&w, "web-01", c.id[2]);
  assert_int_equal (v2v_library_remove (w.lib, c.id[2], false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "needed by 1 machine: machine 'web-01'");
  assert_int_equal (v2v_library_remove (w.lib, c.id[1], false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "needed by 1 object: disk 'c'");
  assert_ok (v2v_library_remove (w.lib, c.id[2], true, &err), err);
  assert_false (is_there (w.lib, c.id[2]));
  chain_clear (&c);
  end (&w);
}

static int
count_base (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  unsigned *n = arg;

  (void) b;
  (void) err;
  ++*n;
  return 0;
}

static unsigned
count (struct v2v_library *lib, enum v2v_base_filter f)
{
  struct v2v_error *err = NULL;
  unsigned n = 0;

  assert_ok (v2v_base_each (lib, f, count_base, &n, &err), err);
  return n;
}

static void
test_a_pinned_disk_stays_until_it_is_let_go (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *path = library_test_disk (w.dir, "a.vhd", "vhd", 1, NULL);
  CLEANUP_FREE char *id = library_test_import (w.lib, path, false);
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (count (w.lib, V2V_BASE_IN_USE), 0);
  assert_int_equal (count (w.lib, V2V_BASE_UNUSED), 1);
  assert_ok (v2v_base_pin (w.lib, id, true, &err), err);
  assert_int_equal (count (w.lib, V2V_BASE_IN_USE), 1);
  assert_int_equal (count (w.lib, V2V_BASE_UNUSED), 0);
  assert_int_equal (v2v_library_remove (w.lib, id, false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is pinned");
  assert_ok (v2v_base_gc (w.lib, 0, NULL, NULL, NULL, &r, &err), err);
  assert_true (is_there (w.lib, id));
  assert_ok (v2v_base_pin (w.lib, id, false, &err), err);
  assert_ok (v2v_base_gc (w.lib, 0, NULL, NULL, NULL, &r, &err), err);
  assert_false (is_there (w.lib, id));
  assert_int_equal (r.nr_done, 1);
  end (&w);
}

static void
test_gc_takes_a_chain_from_its_top_down_to_what_is_needed (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhd");
  const struct v2v_upkeep_opts dry = { .dry_run = true };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;

  (void) state;
  deploy (&w, "web-01", c.id[0]);
  /* What came just now may be about to be used. */
  assert_ok (v2v_base_gc (w.lib, 3600, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 0);
  assert_ok (v2v_base_gc (w.lib, 0, &dry, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 2);
  assert_true (is_there (w.lib, c.id[2]));
  assert_ok (v2v_base_gc (w.lib, 0, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 2);
  assert_true (is_there (w.lib, c.id[0]) && !is_there (w.lib, c.id[1]) &&
               !is_there (w.lib, c.id[2]));
  chain_clear (&c);
  end (&w);
}

static int
note_base (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct v2v_findings *f = arg;

  (void) err;
  assert_string_equal (b->name, "b");
  assert_true (b->nr_children == 1 && b->nr_users == 1 && b->nr_machines == 1);
  assert_true (b->nr_copies <= 2 && b->parent[0] != '\0');
  return v2v_base_findings (b, f);
}

static void
test_a_base_with_one_copy_is_a_finding (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhd");
  CLEANUP_FREE char *second = library_test_path (w.dir, "second");
  CLEANUP_FREE char *note = library_test_file (w.dir, "note.sh", "x");
  CLEANUP_FREE char *user = library_test_import (w.lib, note, false);
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  deploy (&w, "web-01", c.id[1]);
  assert_ok (v2v_library_relate (w.lib, user, "disk", "", c.id[1], &err), err);
  assert_ok (v2v_base_get (w.lib, c.id[1], note_base, &f, &err), err);
  assert_int_equal (f.len, 1);
  assert_non_null (v2v_findings_find (&f, "library.base.single-copy"));
  v2v_findings_clear (&f);
  assert_int_equal (mkdir (second, 0777), 0);
  assert_ok (v2v_library_add_share (w.lib, second, NULL, &err), err);
  assert_ok (v2v_library_copy (w.lib, c.id[1], "second", NULL, &err), err);
  assert_ok (v2v_base_get (w.lib, c.id[1], note_base, &f, &err), err);
  assert_int_equal (f.len, 0);
  sql (&w, "UPDATE location SET state = 2");
  assert_ok (v2v_base_get (w.lib, c.id[1], note_base, &f, &err), err);
  assert_non_null (v2v_findings_find (&f, "library.base.no-copy"));
  v2v_findings_clear (&f);
  chain_clear (&c);
  v2v_library_close (w.lib);
  test_tmpdir_remove (w.dir);
}

static void
test_bases_of_a_host_go_when_nothing_there_needs_them (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhdx");
  char name[] = "hv1", driver[] = "folder", bases[] = "bases";
  struct v2v_host host = { .name = name, .driver = driver, .bases = bases };
  const struct v2v_upkeep_opts dry = { .dry_run = true };
  struct v2v_upkeep_result r;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *stranger = NULL;
  CLEANUP_FREE char *host_bases = NULL;
  struct v2v_host_conn *conn;

  (void) state;
  host.path = library_test_path (w.dir, "hv1");
  host_bases = library_test_path (w.dir, "hv1/bases");
  assert_int_equal (mkdir (host.path, 0777), 0);
  conn = v2v_host_open (&host, &err);
  assert_ptr (conn, err);
  for (unsigned i = 0; i < 3; ++i) {
    char *path;

    assert_ok (
        v2v_host_ensure_base (w.lib, conn, c.id[i], NULL, &path, NULL, &err),
        err);
    free (path);
  }
  stranger = library_test_file (host_bases, "other.vhdx", "of others");
  deploy (&w, "web-01", c.id[0]); /* on "hv1" */
  /* What lies on a host is not removed from the library. */
  assert_ok (v2v_base_gc (w.lib, 0, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 0);
  assert_ok (v2v_base_gc_host (w.lib, conn, &dry, NULL, NULL, &r, &err), err);
  assert_true (r.nr_done == 2 && r.nr_files == 1);
  assert_ok (v2v_base_gc_host (w.lib, conn, NULL, NULL, NULL, &r, &err), err);
  assert_true (r.nr_done == 2 && r.nr_bad == 0 && r.nr_files == 1);
  assert_int_equal (access (stranger, F_OK), 0);
  /* In the library they stay, where they lay on no host any more they may
   * go. */
  assert_true (is_there (w.lib, c.id[2]));
  assert_ok (v2v_base_gc (w.lib, 0, NULL, NULL, NULL, &r, &err), err);
  assert_int_equal (r.nr_done, 2);
  v2v_host_close (conn);
  free (host.path);
  chain_clear (&c);
  end (&w);
}

/* ---- flatten, merge, rebase ---- */

static const char *const formats[] = { "vhd", "vhdx" };

static const struct v2v_relation *
parent_of (const struct v2v_object *o)
{
  for (size_t i = 0; i < o->nr_uses; ++i)
    if (strcmp (o->uses[i].role, "parent") == 0)
      return &o->uses[i];
  return NULL;
}

static void
check_flatten (const char *format)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, format);
  const struct v2v_library_set set = { .owner = "ann", .add_tags = "x,y" };
  CLEANUP_OBJECT struct v2v_object old = { 0 }, new = { 0 }, child = { 0 };
  struct v2v_base_result r = { 0 };
  struct v2v_error *err = NULL;
  char before[2][65], after[65];

  assert_ok (v2v_library_set (w.lib, c.id[1], &set, &err), err);
  old = object (w.lib, c.id[1]);
  contents (w.lib, c.id[1], before[0]);
  contents (w.lib, c.id[2], before[1]);
  assert_ok (v2v_base_flatten (w.lib, c.id[1], NULL, &r, &err), err);
  assert_true (r.removed && r.moved == 1 && r.kept_by == NULL && !r.known);
  assert_false (is_there (w.lib, c.id[1]));
  new = object (w.lib, r.id);
  assert_null (parent_of (&new));
  assert_string_equal (new.name, "b");
  assert_string_equal (new.owner, "ann");
  assert_int_equal (new.nr_tags, 2);
  assert_string_equal (new.content, old.content);
  assert_string_equal (new.disk_id, old.disk_id);
  child = object (w.lib, c.id[2]);
  assert_string_equal (parent_of (&child)->id, r.id);
  contents (w.lib, r.id, after);
  assert_string_equal (after, before[0]);
  contents_of_files (w.lib, r.id, after);
  assert_string_equal (after, before[0]);
  contents (w.lib, c.id[2], after);
  assert_string_equal (after, before[1]);
  /* The child is what it was: it is known when it comes again. */
  free (library_test_import (w.lib, c.path[2], true));
  v2v_base_result_clear (&r);
  assert_int_equal (v2v_base_flatten (w.lib, new.id, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "has no parent");
  v2v_base_result_clear (&r);
  chain_clear (&c);
  end (&w);
}

static void
test_a_flattened_disk_takes_the_place_of_the_old_one (void **state)
{
  (void) state;
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (formats); ++i)
    check_flatten (formats[i]);
}

static void
check_merge (const char *format)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, format);
  CLEANUP_OBJECT struct v2v_object new = { 0 }, base = { 0 };
  struct v2v_base_result r = { 0 };
  struct v2v_error *err = NULL;
  char before[65], after[65];

  contents (w.lib, c.id[2], before);
  assert_ok (v2v_base_merge (w.lib, c.id[2], NULL, &r, &err), err);
  assert_true (r.removed && r.moved == 0);
  new = object (w.lib, r.id);
  assert_string_equal (parent_of (&new)->id, c.id[0]);
  contents (w.lib, r.id, after);
  assert_string_equal (after, before);
  /* Programs that know nothing of the library find its parent, too. */
  contents_of_files (w.lib, r.id, after);
  assert_string_equal (after, before);
  /* The disk between the two is there still, for others. */
  assert_true (is_there (w.lib, c.id[1]));
  v2v_base_result_clear (&r);
  assert_ok (v2v_base_merge (w.lib, c.id[1], NULL, &r, &err), err);
  base = object (w.lib, r.id);
  assert_null (parent_of (&base));
  v2v_base_result_clear (&r);
  chain_clear (&c);
  end (&w);
}

static void
test_a_merged_disk_is_on_what_its_parent_was_on (void **state)
{
  (void) state;
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (formats); ++i)
    check_merge (formats[i]);
}

static void
check_rebase (const char *format)
{
  const struct v2v_base_opts keep = { .keep = true, .name = "twin" };
  struct world w = begin ();
  struct chain c = make_chain (&w, format);
  CLEANUP_OBJECT struct v2v_object twin = { 0 }, new = { 0 }, b = { 0 };
  struct v2v_base_result r = { 0 }, moved = { 0 };
  struct v2v_error *err = NULL;
  char before[65], after[65];

  contents (w.lib, c.id[2], before);
  assert_ok (v2v_base_flatten (w.lib, c.id[1], &keep, &r, &err), err);
  assert_true (!r.removed && r.moved == 0 && is_there (w.lib, c.id[1]));
  twin = object (w.lib, r.id);
  b = object (w.lib, c.id[1]);
  assert_string_equal (twin.name, "twin");
  assert_string_not_equal (twin.disk_id, b.disk_id);
  assert_ok (v2v_base_rebase (w.lib, c.id[2], r.id, NULL, &moved, &err), err);
  assert_true (moved.removed);
  new = object (w.lib, moved.id);
  assert_string_equal (parent_of (&new)->id, r.id);
  contents (w.lib, moved.id, after);
  assert_string_equal (after, before);
  contents_of_files (w.lib, moved.id, after);
  assert_string_equal (after, before);
  v2v_base_result_clear (&r);
  assert_int_equal (v2v_base_rebase (w.lib, moved.id, c.id[0], NULL, &r, &err),
                    -1);
  assert_error (&err, V2V_ERR_MISMATCH, "has other contents than 'twin'");
  assert_int_equal (v2v_base_rebase (w.lib, moved.id, moved.id, NULL, &r, &err),
                    -1);
  v2v_error_free (err);
  v2v_base_result_clear (&moved);
  chain_clear (&c);
  end (&w);
}

static void
test_a_rebased_disk_reads_as_before_from_an_equal_parent (void **state)
{
  (void) state;
  for (unsigned i = 0; i < V2V_ARRAY_SIZE (formats); ++i)
    check_rebase (formats[i]);
}

static void
test_what_a_machine_was_deployed_on_stays_when_it_is_flattened (void **state)
{
  struct world w = begin ();
  struct chain c = make_chain (&w, "vhdx");
  CLEANUP_OBJECT struct v2v_object new = { 0 }, child = { 0 };
  struct v2v_base_result r = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  deploy (&w, "web-01", c.id[1]);
  assert_ok (v2v_base_flatten (w.lib, c.id[1], NULL, &r, &err), err);
  assert_false (r.removed);
  assert_string_equal (r.kept_by, "machine 'web-01' needs it as it is");
  assert_true (is_there (w.lib, c.id[1]));
  new = object (w.lib, r.id);
  assert_string_equal (new.name, "b-flat");
  child = object (w.lib, c.id[2]);
  assert_string_equal (parent_of (&child)->id, r.id);
  /* Both have the identifier now, and the same contents: a new child of the
   * one is one of the other. */
  {
    CLEANUP_FREE char *path =
        library_test_disk (w.dir, "d.vhdx", "vhdx", 9, c.path[1]);
    CLEANUP_FREE char *id = library_test_import (w.lib, path, false);
    char before[65], after[65];
    struct v2v_image *img = v2v_image_open (path, NULL, &err);

    assert_ptr (img, err);
    test_image_sha256 (img, before);
    v2v_image_close (img);
    contents (w.lib, id, after);
    assert_string_equal (after, before);
  }
  v2v_base_result_clear (&r);
  chain_clear (&c);
  end (&w);
}

static void
test_chains_of_other_formats_and_other_objects_are_refused (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *file = library_test_file (w.dir, "s.sh", "x");
  CLEANUP_FREE char *script = library_test_import (w.lib, file, false);
  CLEANUP_FREE char *path =
      library_test_disk (w.dir, "a.vmdk", "vmdk", 1, NULL);
  CLEANUP_FREE char *disk = library_test_import (w.lib, path, false);
  struct v2v_base_result r = { 0 };
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_base_flatten (w.lib, script, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "script 's' is no disk");
  assert_int_equal (v2v_base_merge (w.lib, disk, NULL, &r, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is of format vmdk");
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
    cmocka_unit_test (
        test_what_hangs_on_a_base_is_found_through_chains_machines_and_services),
    cmocka_unit_test (test_verify_names_all_that_a_damaged_base_takes_with_it),
    cmocka_unit_test (test_what_a_machine_needs_is_not_removed_without_force),
    cmocka_unit_test (test_a_pinned_disk_stays_until_it_is_let_go),
    cmocka_unit_test (
        test_gc_takes_a_chain_from_its_top_down_to_what_is_needed),
    cmocka_unit_test (test_a_base_with_one_copy_is_a_finding),
    cmocka_unit_test (test_bases_of_a_host_go_when_nothing_there_needs_them),
    cmocka_unit_test (test_a_flattened_disk_takes_the_place_of_the_old_one),
    cmocka_unit_test (test_a_merged_disk_is_on_what_its_parent_was_on),
    cmocka_unit_test (test_a_rebased_disk_reads_as_before_from_an_equal_parent),
    cmocka_unit_test (
        test_what_a_machine_was_deployed_on_stays_when_it_is_flattened),
    cmocka_unit_test (
        test_chains_of_other_formats_and_other_objects_are_refused),
  };

  return cmocka_run_group_tests (tests, set_up, NULL);
}
