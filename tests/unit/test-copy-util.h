/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends of a copy for the tests of the copy engine: a synthetic disk of any
 * size, and a destination that remembers every request.
 */
#ifndef TEST_COPY_UTIL_H
#define TEST_COPY_UTIL_H

#include <pthread.h>

#include "formats/copy.h"
#include "test-util.h"

#define KIB UINT64_C (1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

/* A raw source of SIZE bytes with data in RUNS (ascending), holes between
 * them.  Byte I of the disk is never zero in a run, and depends on I and SEED.
 * The nth read fails with FAIL_ERRNO if FAIL_AT is not 0. */
struct test_run {
  uint64_t offset;
  uint64_t length;
  bool zeros; /* stored, but zeros */
};
struct v2v_image *test_source (uint64_t size, const struct test_run *runs,
                               size_t nr_runs, uint32_t seed, unsigned fail_at);

/* One request that reached a destination. */
enum test_request_type { TEST_WRITE, TEST_ZERO, TEST_SYNC };
struct test_request {
  enum test_request_type type;
  uint64_t offset;
  uint64_t length;
};

/* An io that passes on to BASE and keeps a log.  Thread-safe.  The nth write
 * and all later ones fail with ERRNUM if FAIL_AT is not 0. */
struct test_log {
  pthread_mutex_t lock;
  struct v2v_io *base;
  struct test_request *requests;
  size_t nr;
  unsigned writes;
  unsigned fail_at;
  int errnum;
};
struct v2v_io *test_logged_io (struct v2v_io *base, struct test_log *log);
void test_log_clear (struct test_log *log);
/* Bytes of all requests of TYPE. */
uint64_t test_log_bytes (const struct test_log *log,
                         enum test_request_type type);
/* Fails unless every write lies inside one of RUNS that is not zeros. */
void test_log_assert_inside (const struct test_log *log,
                             const struct test_run *runs, size_t nr_runs);

/* Same contents by reading both from end to end. */
void test_assert_same (struct v2v_image *a, struct v2v_image *b);

#endif /* TEST_COPY_UTIL_H */
