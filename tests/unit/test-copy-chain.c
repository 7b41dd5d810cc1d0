/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of chains: a layer alone into a differencing child, a whole chain
 * into one disk, and contents laid over a parent that must not show through.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-copy-util.h"

#define SIZE (24 * MIB)

static const struct test_run base_runs[] = {
  { 0, 5 * MIB, false },
  { 8 * MIB, 8 * MIB, false },
};

struct chain {
  char *dir;
  char base[300];
  char child[300];
};

static char *
in_dir (const struct chain *c, const char *name, char buf[300])
{
  snprintf (buf, 300, "%s/%s", c->dir, name);
  return buf;
}

static void
copy_to (struct v2v_image *src, const char *path, const char *format,
         const struct v2v_create_opts *create, const struct v2v_copy_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct v2v_image *dst = v2v_image_create (path, format, create, &err);

  assert_ptr (dst, err);
  assert_ok (v2v_copy (src, dst, opts, &result, &err), err);
  assert_ok (v2v_image_finish (dst, &err), err);
  v2v_copy_result_clear (&result);
  v2v_image_close (dst);
}

/* A parent with data, and a child that changes some, adds some, and hides some
 * behind zeros. */
static void
chain_new (struct chain *c)
{
  struct v2v_create_opts create = { .size_bytes = SIZE };
  struct v2v_error *err = NULL;
  struct v2v_image *src = test_source (SIZE, base_runs, 2, 1, 0);
  struct v2v_image *parent, *child;
  char *buf = malloc (MIB);

  c->dir = test_tmpdir ();
  in_dir (c, "base.vhdx", c->base);
  in_dir (c, "child.vhdx", c->child);
  copy_to (src, c->base, "vhdx", &create, NULL);
  v2v_image_close (src);

  parent = v2v_image_open (c->base, NULL, &err);
  assert_ptr (parent, err);
  create.subformat = V2V_SUB_DIFFERENCING;
  create.parent = parent;
  child = v2v_image_create (c->child, "vhdx", &create, &err);
  assert_ptr (child, err);
  assert_non_null (buf);
  test_random (buf, MIB, 5);
  assert_ok (v2v_image_write (child, buf, MIB, MIB + 512, &err), err);
  assert_ok (v2v_image_write (child, buf, 4096, 20 * MIB, &err), err);
  assert_ok (v2v_image_zero (child, 3 * MIB, 9 * MIB, &err), err);
  memset (buf, 0, MIB); /* zeros that are stored hide as well */
  assert_ok (v2v_image_write (child, buf, MIB, 14 * MIB, &err), err);
  assert_ok (v2v_image_finish (child, &err), err);
  free (buf);
  v2v_image_close (child);
  v2v_image_close (parent);
}

static void
check_same (const char *a, const char *b)
{
  struct v2v_error *err = NULL;
  struct v2v_image *one = v2v_image_open (a, NULL, &err), *two;
  uint64_t offset;

  assert_ptr (one, err);
  two = v2v_image_open (b, NULL, &err);
  assert_ptr (two, err);
  test_assert_same (one, two);
  assert_int_equal (v2v_image_compare (one, two, true, NULL, &offset, &err), 0);
  v2v_image_close (one);
  v2v_image_close (two);
}

static void
test_layer_alone_becomes_a_differencing_child (void **state)
{
  static const char *const formats[] = { "vhd", "vhdx" };

  (void) state;
  for (size_t i = 0; i < 2; ++i) {
    struct v2v_create_opts create = { .size_bytes = SIZE };
    const struct v2v_copy_opts opts = { .top_only = true, .digest = true };
    struct v2v_error *err = NULL;
    struct v2v_copy_result result;
    struct v2v_image *src, *parent, *dst;
    char base[300], child[300];
    struct chain c;

    chain_new (&c);
    in_dir (&c, "new-base", base);
    in_dir (&c, "new-child", child);
    src = v2v_image_open (c.base, NULL, &err);
    assert_ptr (src, err);
    copy_to (src, base, formats[i], &create, NULL);
    v2v_image_close (src);

    src = v2v_image_open (c.child, NULL, &err);
    assert_ptr (src, err);
    assert_int_equal (v2v_image_chain_length (src), 2);
    parent = v2v_image_open (base, NULL, &err);
    assert_ptr (parent, err);
    create.parent = parent;
    create.subformat = V2V_SUB_DIFFERENCING;
    dst = v2v_image_create (child, formats[i], &create, &err);
    assert_ptr (dst, err);
    assert_ok (v2v_copy (src, dst, &opts, &result, &err), err);
    assert_ok (v2v_image_finish (dst, &err), err);
    /* Only what the child has: of the parent's 13 MiB nothing. */
    assert_true (result.written_bytes >= MIB + 4096);
    assert_true (result.written_bytes <= 4 * MIB);
    assert_null (result.digest);
    v2v_copy_result_clear (&result);
    v2v_image_close (dst);
    v2v_image_close (parent);
    v2v_image_close (src);
    check_same (c.child, child);
    test_tmpdir_remove (c.dir);
  }
}

static void
test_chain_becomes_one_disk (void **state)
{
  const struct v2v_create_opts create = { .size_bytes = SIZE };
  struct v2v_error *err = NULL;
  struct v2v_image *src;
  char flat[300];
  struct chain c;

  (void) state;
  chain_new (&c);
  src = v2v_image_open (c.child, NULL, &err);
  assert_ptr (src, err);
  copy_to (src, in_dir (&c, "flat.vhdx", flat), "vhdx", &create, NULL);
  v2v_image_close (src);
  check_same (c.child, flat);
  test_tmpdir_remove (c.dir);
}

static void
test_parent_of_the_target_does_not_show_through (void **state)
{
  static const struct test_run runs[] = {
    { 3 * MIB, MIB, false },
    { 10 * MIB, 2 * MIB, true },
  };
  struct v2v_create_opts create = { .size_bytes = SIZE };
  struct v2v_error *err = NULL;
  struct v2v_image *src, *parent, *got;
  char child[300];
  struct chain c;

  (void) state;
  chain_new (&c);
  parent = v2v_image_open (c.base, NULL, &err);
  assert_ptr (parent, err);
  create.parent = parent;
  create.subformat = V2V_SUB_DIFFERENCING;
  src = test_source (SIZE, runs, 2, 7, 0);
  copy_to (src, in_dir (&c, "over.vhdx", child), "vhdx", &create, NULL);
  got = v2v_image_open (child, NULL, &err);
  assert_ptr (got, err);
  test_assert_same (src, got);
  v2v_image_close (got);
  v2v_image_close (src);
  v2v_image_close (parent);
  test_tmpdir_remove (c.dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_layer_alone_becomes_a_differencing_child),
    cmocka_unit_test (test_chain_becomes_one_disk),
    cmocka_unit_test (test_parent_of_the_target_does_not_show_through),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
