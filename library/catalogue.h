/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The catalogue's data base: a small driver in front of SQLite
 * (catalogue-sqlite.c) and PostgreSQL (catalogue-postgres.c), the only places
 * that touch them.  The text of the SQL is one for both: what is used is what
 * they have in common, parameters are "?".
 *
 *   q = v2v_query_new (c, "SELECT name FROM object WHERE kind = ?", err);
 *   v2v_query_text (q, "disk");
 *   while ((r = v2v_query_step (q, err)) == 1)
 *     ... v2v_query_get_text (q, 0)
 *   v2v_query_free (q);
 *
 * A write happens between v2v_catalogue_begin and v2v_catalogue_commit.  There
 * is one writer at a time: begin waits for the one before
 * (V2V_CATALOGUE_WAIT_MS at most).
 */
#ifndef V2V_CATALOGUE_H
#define V2V_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"

struct v2v_catalogue;
struct v2v_query;

/* A transaction writes some rows: who waits longer than this waits for a
 * process that hangs, and is told so. */
#define V2V_CATALOGUE_WAIT_MS 30000

/* Open the data base WHERE: a file (made, if CREATE and it is not there), or
 * "postgres://..." as libpq takes it. */
struct v2v_catalogue *v2v_catalogue_open (const char *where, bool create,
                                          struct v2v_error **err);
void v2v_catalogue_close (struct v2v_catalogue *c); /* accepts NULL */

/* Is WHERE an address of a server, not a file? */
bool v2v_catalogue_is_server (const char *where);
/* WHERE without a password, for people; the caller frees. */
char *v2v_catalogue_printable (const char *where);

/* "sqlite" or "postgres". */
const char *v2v_catalogue_kind (const struct v2v_catalogue *c);

/* One statement without parameters or rows. */
int v2v_catalogue_exec (struct v2v_catalogue *c, const char *sql,
                        struct v2v_error **err);

int v2v_catalogue_begin (struct v2v_catalogue *c, struct v2v_error **err);
int v2v_catalogue_commit (struct v2v_catalogue *c, struct v2v_error **err);
/* No-op outside of a transaction; never fails. */
void v2v_catalogue_rollback (struct v2v_catalogue *c);

/* One statement.  Parameters are given from left to right by the setters,
 * which keep a failure for v2v_query_step; texts are copied, NULL is NULL. */
struct v2v_query *v2v_query_new (struct v2v_catalogue *c, const char *sql,
                                 struct v2v_error **err);
/* The same for a list that may have a million rows: they come one by one, and
 * nobody has all of them in memory.  Other statements may run meanwhile.  What
 * a transaction has not yet committed is seen inside of it only. */
struct v2v_query *v2v_query_stream (struct v2v_catalogue *c, const char *sql,
                                    struct v2v_error **err);
void v2v_query_text (struct v2v_query *q, const char *value);
void v2v_query_int (struct v2v_query *q, int64_t value);
/* 1: there is a row; 0: no more; -1. */
int v2v_query_step (struct v2v_query *q, struct v2v_error **err);
/* Of the row; borrowed until the next step.  NULL for NULL. */
const char *v2v_query_get_text (struct v2v_query *q, unsigned column);
int64_t v2v_query_get_int (struct v2v_query *q, unsigned column);
/* Rows that INSERT, UPDATE or DELETE changed, after the step. */
uint64_t v2v_query_changes (struct v2v_query *q);
/* Start again with new parameters. */
void v2v_query_reset (struct v2v_query *q);
void v2v_query_free (struct v2v_query *q); /* accepts NULL */

static inline void
v2v_cleanup_query (struct v2v_query **q)
{
  v2v_query_free (*q);
}
#define CLEANUP_QUERY __attribute__ ((cleanup (v2v_cleanup_query)))

/* Run SQL, which has no rows, with the texts that follow as its parameters,
 * ended by V2V_QUERY_END.  *RET_CHANGES may be NULL. */
int v2v_catalogue_run (struct v2v_catalogue *c, uint64_t *ret_changes,
                       struct v2v_error **err, const char *sql, ...);
extern const char v2v_query_end[];
#define V2V_QUERY_END v2v_query_end

/* ---- the tables ---- */

/* What this program writes; see schema.c. */
#define V2V_SCHEMA_VERSION 4

/* Make the tables, or bring older ones up to VERSION (V2V_SCHEMA_VERSION;
 * tests stop earlier), in one transaction for each step.  Newer ones are
 * V2V_ERR_UNSUPPORTED. */
int v2v_schema_migrate (struct v2v_catalogue *c, unsigned version,
                        struct v2v_error **err);
/* 0 when there are none. */
int v2v_schema_version (struct v2v_catalogue *c, unsigned *ret_version,
                        struct v2v_error **err);

#endif /* V2V_CATALOGUE_H */
