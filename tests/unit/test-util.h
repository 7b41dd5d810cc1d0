/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test needs. Include this instead of cmocka.h. */
#ifndef TEST_UTIL_H
#define TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/core/error.h"
#include "formats/core/io.h"
#include "formats/image.h"

/* Fail the test, printing the error, if R is not 0 (or a pointer is NULL). */
#define assert_ok(r, err)                                                      \
  do {                                                                         \
    const int _ok = (r) == 0; /* before ERR is read */                         \
    test_assert_ok (_ok, err, __FILE__, __LINE__);                             \
  } while (0)
#define assert_ptr(p, err) test_assert_ok ((p) != NULL, err, __FILE__, __LINE__)
void test_assert_ok (int ok, struct v2v_error *err, const char *file, int line);

/* *ERR must be set, with CODE, and contain TEXT; it is freed and set to
 * NULL. */
#define assert_error(err, code, text)                                          \
  test_assert_error (err, code, text, __FILE__, __LINE__)
void test_assert_error (struct v2v_error **err, enum v2v_error_code code,
                        const char *text, const char *file, int line);

/* $V2V_SAMPLES/NAME, or NULL when it is not there (the test then calls
 * skip ()); with V2V_SAMPLES_REQUIRED=1 a missing sample fails the test.  The
 * caller frees. */
char *test_sample (const char *name);

/* The same for a sample kept as NAME.gz, NAME.bz2 or NAME.xz: unpacked into
 * DIR under its name without the suffix; NULL when it is not there. */
char *test_sample_unpacked (const char *name, const char *dir);

/* Run ARGV (found on PATH), its output into the file OUT or, if NULL, nowhere;
 * returns its exit status, 127 when there is no such program. */
int test_run (const char *const argv[], const char *out);
/* Is PROGRAM on the PATH?  What is missing makes a test skip (). */
bool test_have (const char *program);

/* The bytes of a file; the caller frees. */
void *test_read_file (const char *path, size_t *ret_len);
void test_write_file (const char *path, const void *buf, size_t len);

/* A new folder below $TMPDIR, removed with its contents by the second. */
char *test_tmpdir (void);
void test_tmpdir_remove (char *dir); /* frees DIR */

/* Deterministic pseudo-random bytes. */
void test_random (void *buf, size_t len, uint32_t seed);

/* SHA-256 in hex of the whole disk, zeros included. */
void test_image_sha256 (struct v2v_image *img, char hex[65]);

/* An io whose Nth operation (from 1; reads and writes counted together)
 * fails with ERRNUM; N 0 never fails.  Holds a reference to BASE.
 * *COUNTER, if not NULL, counts operations. */
struct v2v_io *test_faulty_io (struct v2v_io *base, unsigned n, int errnum,
                               unsigned *counter);

#endif /* TEST_UTIL_H */
