/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The catalogue: its versions, its transactions. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library-tests.h"

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
    if (library_tests_skipped)
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
  if (library_tests_skipped)
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

/* The rows of a list come while other statements run, the same one too, and
 * what is no longer read holds nobody up. */
static void
test_rows_that_are_streamed_leave_the_catalogue_free (void **state)
{
  struct v2v_error *err = NULL;
  char *dir;
  CLEANUP_FREE char *file = NULL;
  const char *address;
  struct v2v_catalogue *c;
  struct v2v_query *q, *other;
  static const char sql[] = "SELECT name FROM share WHERE seq > ? ORDER BY seq";

  (void) state;
  if (library_tests_skipped)
    skip ();
  dir = test_tmpdir ();
  file = library_test_path (dir, "c.db");
  address = library_test_address ();
  c = v2v_catalogue_open (address ? address : file, true, &err);
  assert_ptr (c, err);
  assert_ok (v2v_schema_migrate (c, V2V_SCHEMA_VERSION, &err), err);
  assert_ok (v2v_catalogue_begin (c, &err), err);
  for (int i = 1; i <= 5; ++i) {
    char number[8];

    snprintf (number, sizeof number, "%d", i);
    assert_ok (v2v_catalogue_run (c, NULL, &err,
                                  "INSERT INTO share (id, seq, name, path) "
                                  "VALUES (?, CAST (? AS BIGINT), ?, '/')",
                                  number, number, number, V2V_QUERY_END),
               err);
  }
  /* What is not committed yet is there for ourselves. */
  q = v2v_query_stream (c, sql, &err);
  assert_ptr (q, err);
  v2v_query_int (q, 4);
  assert_int_equal (v2v_query_step (q, &err), 1);
  assert_string_equal (v2v_query_get_text (q, 0), "5");
  assert_int_equal (v2v_query_step (q, &err), 0);
  v2v_query_free (q);
  assert_ok (v2v_catalogue_commit (c, &err), err);

  q = v2v_query_stream (c, sql, &err);
  assert_ptr (q, err);
  v2v_query_int (q, 0);
  for (int i = 1; i <= 5; ++i) {
    char number[8];

    snprintf (number, sizeof number, "%d", i);
    assert_int_equal (v2v_query_step (q, &err), 1);
    assert_string_equal (v2v_query_get_text (q, 0), number);
    for (int twice = 0; twice < 3; ++twice) {
      other = v2v_query_new (c, sql, &err);
      assert_ptr (other, err);
      v2v_query_int (other, 2 + twice);
      for (int k = 3 + twice; k <= 5; ++k)
        assert_int_equal (v2v_query_step (other, &err), 1);
      assert_int_equal (v2v_query_step (other, &err), 0);
      v2v_query_free (other);
    }
    assert_string_equal (v2v_query_get_text (q, 0), number);
  }
  assert_int_equal (v2v_query_step (q, &err), 0);
  v2v_query_free (q);

  q = v2v_query_stream (c, sql, &err); /* and is left after a row */
  assert_ptr (q, err);
  v2v_query_int (q, 0);
  assert_int_equal (v2v_query_step (q, &err), 1);
  v2v_query_free (q);
  assert_ok (v2v_catalogue_begin (c, &err), err);
  assert_ok (v2v_catalogue_exec (c, "DELETE FROM share", &err), err);
  assert_ok (v2v_catalogue_commit (c, &err), err);
  v2v_catalogue_close (c);
  test_tmpdir_remove (dir);
}

/* More statements than are kept, each several times, some with a failure in
 * between: what is kept is as good as new. */
static void
test_statements_that_are_kept_have_nothing_of_the_time_before (void **state)
{
  struct v2v_error *err = NULL;
  char *dir;
  CLEANUP_FREE char *file = NULL;
  const char *address;
  struct v2v_catalogue *c;

  (void) state;
  if (library_tests_skipped)
    skip ();
  dir = test_tmpdir ();
  file = library_test_path (dir, "c.db");
  address = library_test_address ();
  c = v2v_catalogue_open (address ? address : file, true, &err);
  assert_ptr (c, err);
  for (int round = 0; round < 4; ++round)
    for (int i = 0; i < 50; ++i) {
      CLEANUP_QUERY struct v2v_query *q = NULL;
      char sql[64];

      snprintf (sql, sizeof sql, "SELECT %d, CAST (? AS TEXT)", i);
      q = v2v_query_new (c, sql, &err);
      assert_ptr (q, err);
      if ((i + round) % 2)
        v2v_query_text (q, "x");
      else
        v2v_query_text (q, NULL);
      assert_int_equal (v2v_query_step (q, &err), 1);
      assert_int_equal (v2v_query_get_int (q, 0), i);
      assert_int_equal (v2v_query_get_text (q, 1) != NULL, (i + round) % 2);
      if (i % 10 == 0) {
        assert_ok (v2v_catalogue_begin (c, &err), err);
        assert_int_equal (v2v_catalogue_exec (c, "SELECT nothing", &err), -1);
        v2v_error_free (err);
        err = NULL;
        v2v_catalogue_rollback (c);
      }
    }
  v2v_catalogue_close (c);
  test_tmpdir_remove (dir);
}

const struct CMUnitTest library_catalogue_tests[] = {
  cmocka_unit_test (test_a_catalogue_of_every_earlier_version_is_migrated),
  cmocka_unit_test (test_a_catalogue_of_a_later_version_is_left_alone),
  cmocka_unit_test (test_a_transaction_that_fails_leaves_nothing),
  cmocka_unit_test (test_rows_that_are_streamed_leave_the_catalogue_free),
  cmocka_unit_test (
      test_statements_that_are_kept_have_nothing_of_the_time_before),
  cmocka_unit_test (test_an_address_is_printed_without_its_password),
  { .name = NULL },
};
