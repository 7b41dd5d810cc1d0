/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of test-library share. */
#ifndef LIBRARY_TESTS_H
#define LIBRARY_TESTS_H

#include <stdlib.h>

#include "formats/core/cleanup.h"
#include "library/catalogue.h"
#include "library-util.h"

/* There is no server to test with. */
extern bool library_tests_skipped;

/* One for each file; the last has no function. */
extern const struct CMUnitTest library_catalogue_tests[];
extern const struct CMUnitTest library_many_tests[];
extern const struct CMUnitTest library_object_tests[];
extern const struct CMUnitTest library_upkeep_tests[];

/* A library in a new folder for one test. */
struct world {
  char *dir;
  struct v2v_library *lib;
};

static inline struct world
begin (void)
{
  struct world w;

  if (library_tests_skipped)
    skip ();
  w.dir = test_tmpdir ();
  w.lib = library_test_new (w.dir);
  return w;
}

static inline void
end (struct world *w)
{
  library_test_is_whole (w->lib, w->dir);
  v2v_library_close (w->lib);
  test_tmpdir_remove (w->dir);
}

static inline struct v2v_object
object (struct v2v_library *lib, const char *id)
{
  struct v2v_object o = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_object (lib, id, &o, &err), err);
  return o;
}

static inline char *
find (struct v2v_library *lib, const char *ref)
{
  struct v2v_error *err = NULL;
  char *id = NULL;

  assert_ok (v2v_library_find (lib, ref, &id, &err), err);
  return id;
}

static inline int
count_one (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  (void) o;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

static inline unsigned
count (struct v2v_library *lib, const struct v2v_library_filter *filter)
{
  struct v2v_error *err = NULL;
  unsigned n = 0;

  assert_ok (v2v_library_each (lib, filter, count_one, &n, &err), err);
  return n;
}

#endif /* LIBRARY_TESTS_H */
