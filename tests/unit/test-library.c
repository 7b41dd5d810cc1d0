/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library: what comes in, what is found, what goes.  Built twice, for
 * SQLite and (LIBRARY_POSTGRES) for a real PostgreSQL server, which all of the
 * files share.
 */

#include <config.h>

#include <string.h>

#include "library-tests.h"

/* More than all files have. */
#define MAX_TESTS 200

bool library_tests_skipped;

static int
set_up (void **state)
{
  (void) state;
#ifdef LIBRARY_POSTGRES
  library_tests_skipped = !library_test_start_postgres ();
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
  static const struct CMUnitTest *const groups[] = {
    library_object_tests,
    library_upkeep_tests,
    library_many_tests,
    library_catalogue_tests,
  };
  struct CMUnitTest tests[MAX_TESTS];
  size_t n = 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (groups); ++i)
    for (const struct CMUnitTest *t = groups[i]; t->test_func != NULL; ++t) {
      if (n == MAX_TESTS)
        return 1;
      memcpy (&tests[n++], t, sizeof *t);
    }
  return _cmocka_run_group_tests ("library", tests, n, set_up, tear_down);
}
