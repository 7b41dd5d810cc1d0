/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries for tests: in SQLite, or in a PostgreSQL server of the test's
 * own. */
#ifndef LIBRARY_UTIL_H
#define LIBRARY_UTIL_H

#include "library/library.h"
#include "test-util.h"

/* Start a server in a temporary folder, on a socket, as an unprivileged user.
 * False: there is none on this machine (with V2V_SAMPLES_REQUIRED=1 that
 * fails). */
bool library_test_start_postgres (void);
void library_test_stop_postgres (void);
/* An address in the running server with tables of its own, or NULL when none
 * runs; valid until the next call. */
const char *library_test_address (void);

/* From now on temporary folders are in memory, where there is room: hundreds
 * of transactions are as many waits for a disk, and no power is cut here. */
void library_test_use_memory (void);

/* A new library in DIR/lib; names of libraries are kept in DIR too. */
struct v2v_library *library_test_new (const char *dir);
struct v2v_library *library_test_open (const char *dir);

/* DIR/NAME; the caller frees. */
char *library_test_path (const char *dir, const char *name);
/* Write TEXT to DIR/NAME, and return its path, to be freed. */
char *library_test_file (const char *dir, const char *name, const char *text);
/* A disk of FORMAT with 1 MiB of data after SEED, on PARENT or NULL. */
char *library_test_disk (const char *dir, const char *name, const char *format,
                         uint32_t seed, const char *parent);
/* Import PATH; its id, to be freed.  KNOWN: it must have been there, or not. */
char *library_test_import (struct v2v_library *lib, const char *path,
                           bool known);
/* Nothing is bad, nothing is left over, no file is without a row. */
void library_test_is_whole (struct v2v_library *lib, const char *dir);
/* Files in DIR/lib/share, and DIR/second if there is one, that are not our
 * own. */
unsigned library_test_count_files (const char *dir);

#endif /* LIBRARY_UTIL_H */
