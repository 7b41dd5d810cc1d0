/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A catalogue in PostgreSQL, for several hosts: the only place that includes
 * libpq.
 *
 * One writer at a time, as with SQLite, by an advisory lock that ends with the
 * transaction; lock_timeout bounds the wait.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "library/catalogue-internal.h"

/* More parameters than any statement of ours has. */
#define MAX_PARAMETERS 32

struct postgres {
  PGconn *conn;
  char *address; /* as it was given */
  char *where;   /* without a password */
  unsigned nr_prepared;
  struct v2v_str dead; /* what to say before the next one is prepared */
};

struct postgres_query {
  struct postgres *h;
  char *sql; /* "?" are "$1", "$2" ... */
  unsigned nr;
  char *values[MAX_PARAMETERS];
  PGresult *result; /* NULL before the first step */
  int row;          /* -1 before the first */
  unsigned runs;
  unsigned prepared; /* its number at the server, or 0 */
  /* A stream's own connection: while its rows come the other one has to be
   * free for other statements. */
  PGconn *own;
  bool sent;
};

/* libpq's messages have a "ERROR:  " in front and several lines. */
static int
fail (struct postgres *h, const char *message, const char *state,
      struct v2v_error **err)
{
  const char *start = message ? message : "";
  enum v2v_error_code code = V2V_ERR_IO;

  if (strncmp (start, "ERROR:", 6) == 0)
    start += 6;
  start += strspn (start, " \t\n");
  if (state != NULL && strncmp (state, "23", 2) == 0) /* integrity */
    code = V2V_ERR_MISMATCH;
  if (state != NULL && strcmp (state, "55P03") == 0) { /* lock_timeout */
    v2v_fail (err, code, "%s: another process has been writing for %u seconds",
              h->where, catalogue_wait_ms / 1000);
    return v2v_hint (err, "try again when it is done, or end it");
  }
  return v2v_fail (err, code, "%s: %.*s", h->where, (int) strcspn (start, "\n"),
                   start);
}

static int
fail_result (struct postgres *h, const PGresult *r, struct v2v_error **err)
{
  return fail (h, r ? PQresultErrorMessage (r) : PQerrorMessage (h->conn),
               r ? PQresultErrorField (r, PG_DIAG_SQLSTATE) : NULL, err);
}

static int
postgres_exec (void *vh, const char *sql, struct v2v_error **err)
{
  struct postgres *h = vh;
  PGresult *r = PQexec (h->conn, sql);
  const ExecStatusType status = PQresultStatus (r); /* accepts NULL */
  const int ret = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK
                      ? 0
                      : fail_result (h, r, err);

  PQclear (r);
  return ret;
}

static void
on_notice (void *arg, const char *message)
{
  (void) arg;
  v2v_debug ("catalogue: %s", message);
}

static void
postgres_close (void *vh)
{
  struct postgres *h = vh;

  PQfinish (h->conn); /* accepts NULL */
  free (h->address);
  free (h->where);
  v2v_str_free (&h->dead);
  free (h);
}

static PGconn *
connect_to (struct postgres *h, struct v2v_error **err)
{
  PGconn *conn = PQconnectdb (h->address);

  if (PQstatus (conn) == CONNECTION_OK) {
    PQsetNoticeProcessor (conn, on_notice, NULL);
    if (PQsetClientEncoding (conn, "UTF8") == 0)
      return conn;
  }
  fail (h, PQerrorMessage (conn), NULL, err);
  PQfinish (conn);
  return NULL;
}

static void *
postgres_open (const char *where, bool create, struct v2v_error **err)
{
  struct postgres *h = calloc (1, sizeof *h);
  char timeout[64];

  (void) create; /* the data base is made by its administrator */
  if (h == NULL || (h->where = v2v_catalogue_printable (where)) == NULL ||
      (h->address = strdup (where)) == NULL) {
    if (h != NULL)
      postgres_close (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  h->conn = connect_to (h, err);
  snprintf (timeout, sizeof timeout, "SET lock_timeout = %u",
            catalogue_wait_ms);
  if (h->conn != NULL && postgres_exec (h, timeout, err) == 0)
    return h;
  postgres_close (h);
  return NULL;
}

/* COMMIT of a transaction that has failed succeeds, as a roll-back. */
static int
postgres_commit (void *vh, struct v2v_error **err)
{
  struct postgres *h = vh;
  PGresult *r = PQexec (h->conn, "COMMIT");
  int ret = 0;

  if (PQresultStatus (r) != PGRES_COMMAND_OK)
    ret = fail_result (h, r, err);
  else if (strcmp (PQcmdStatus (r), "COMMIT") != 0)
    ret = v2v_fail (err, V2V_ERR_IO, "%s: the transaction was rolled back",
                    h->where);
  PQclear (r);
  return ret;
}

/* ---- queries ---- */

/* "?" outside of quotes -> "$n". */
static char *
number_parameters (const char *sql)
{
  struct v2v_str s = V2V_STR_INIT;
  bool quoted = false;
  unsigned n = 0;

  for (const char *p = sql; *p != '\0'; ++p) {
    int r;

    if (*p == '\'')
      quoted = !quoted;
    if (*p == '?' && !quoted)
      r = v2v_str_printf (&s, "$%u", ++n);
    else
      r = v2v_str_append_len (&s, p, 1);
    if (r == -1) {
      v2v_str_free (&s);
      return NULL;
    }
  }
  return s.ptr;
}

static void *
postgres_prepare (void *vh, const char *sql, bool stream,
                  struct v2v_error **err)
{
  struct postgres_query *q = calloc (1, sizeof *q);

  if (q == NULL || (q->sql = number_parameters (sql)) == NULL) {
    free (q);
    v2v_fail_nomem (err);
    return NULL;
  }
  q->h = vh;
  q->row = -1;
  if (stream && (q->own = connect_to (q->h, err)) == NULL) {
    free (q->sql);
    free (q);
    return NULL;
  }
  return q;
}

static bool
postgres_bind_text (void *vq, unsigned n, const char *value)
{
  struct postgres_query *q = vq;

  if (n > MAX_PARAMETERS)
    return false;
  q->nr = n;
  free (STEAL (q->values[n - 1]));
  if (value == NULL)
    return true;
  q->values[n - 1] = strdup (value);
  return q->values[n - 1] != NULL;
}

static bool
postgres_bind_int (void *vq, unsigned n, int64_t value)
{
  char text[32];

  snprintf (text, sizeof text, "%" PRId64, value);
  return postgres_bind_text (vq, n, text);
}

/* The next row of a stream. */
static int
step_stream (struct postgres_query *q, struct v2v_error **err)
{
  ExecStatusType status;

  if (!q->sent &&
      (!PQsendQueryParams (q->own, q->sql, (int) q->nr, NULL,
                           (const char *const *) q->values, NULL, NULL, 0) ||
       !PQsetSingleRowMode (q->own)))
    return fail (q->h, PQerrorMessage (q->own), NULL, err);
  q->sent = true;
  PQclear (q->result);
  q->result = PQgetResult (q->own);
  if (q->result == NULL)
    return 0;
  status = PQresultStatus (q->result);
  q->row = 0;
  if (status == PGRES_SINGLE_TUPLE)
    return 1;
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK
             ? 0
             : fail_result (q->h, q->result, err);
}

static void
prepared_name (const struct postgres_query *q, char ret[32])
{
  snprintf (ret, 32, "v2v_%u", q->prepared);
}

/* What is asked a second time is parsed at the server once for all. */
static void
prepare_again (struct postgres_query *q)
{
  struct postgres *h = q->h;
  char name[32];
  PGresult *r;

  if (h->dead.len > 0) {
    if (postgres_exec (h, h->dead.ptr, NULL) == -1)
      return; /* a transaction that has failed: not now */
    v2v_str_free (&h->dead);
  }
  q->prepared = ++h->nr_prepared;
  prepared_name (q, name);
  r = PQprepare (h->conn, name, q->sql, 0, NULL);
  /* What is wrong with it is told when it runs. */
  if (PQresultStatus (r) != PGRES_COMMAND_OK)
    q->prepared = 0;
  PQclear (r);
}

static PGresult *
run (struct postgres_query *q)
{
  const char *const *values = (const char *const *) q->values;
  char name[32];

  if (q->prepared == 0 && q->runs++ == 1)
    prepare_again (q);
  if (q->prepared == 0)
    return PQexecParams (q->h->conn, q->sql, (int) q->nr, NULL, values, NULL,
                         NULL, 0);
  prepared_name (q, name);
  return PQexecPrepared (q->h->conn, name, (int) q->nr, values, NULL, NULL, 0);
}

static int
postgres_step (void *vq, struct v2v_error **err)
{
  struct postgres_query *q = vq;

  if (q->own != NULL)
    return step_stream (q, err);
  if (q->result == NULL) {
    ExecStatusType status;

    q->result = run (q);
    status = PQresultStatus (q->result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      return fail_result (q->h, q->result, err);
  }
  if (q->row + 1 >= PQntuples (q->result))
    return 0;
  q->row++;
  return 1;
}

static const char *
postgres_get_text (void *vq, unsigned column)
{
  struct postgres_query *q = vq;

  return PQgetisnull (q->result, q->row, (int) column)
             ? NULL
             : PQgetvalue (q->result, q->row, (int) column);
}

/* As SQLite does: 0 for NULL. */
static int64_t
postgres_get_int (void *vq, unsigned column)
{
  const char *text = postgres_get_text (vq, column);

  return text == NULL ? 0 : strtoll (text, NULL, 10);
}

static uint64_t
postgres_changes (void *vq)
{
  struct postgres_query *q = vq;

  return strtoull (PQcmdTuples (q->result), NULL, 10);
}

static void
postgres_reset (void *vq)
{
  struct postgres_query *q = vq;

  PQclear (STEAL (q->result));
  while (q->sent) {
    PGresult *r = PQgetResult (q->own);

    q->sent = r != NULL;
    PQclear (r);
  }
  q->row = -1;
  q->nr = 0;
}

static void
postgres_free (void *vq)
{
  struct postgres_query *q = vq;

  if (q->prepared != 0) {
    char name[32];

    prepared_name (q, name);
    /* Without memory it stays at the server until we leave. */
    (void) v2v_str_printf (&q->h->dead, "DEALLOCATE %s;", name);
  }
  PQclear (q->result);
  for (size_t i = 0; i < MAX_PARAMETERS; ++i)
    free (q->values[i]);
  PQfinish (q->own); /* accepts NULL; what was not read is not waited for */
  free (q->sql);
  free (q);
}

const struct catalogue_ops catalogue_postgres_ops = {
  .kind = "postgres",
  .open = postgres_open,
  .close = postgres_close,
  .exec = postgres_exec,
  /* The number is ours alone in this data base: "v2v". */
  .begin = "BEGIN; SELECT pg_advisory_xact_lock (7746134)",
  .commit = postgres_commit,
  .prepare = postgres_prepare,
  .bind_text = postgres_bind_text,
  .bind_int = postgres_bind_int,
  .step = postgres_step,
  .get_text = postgres_get_text,
  .get_int = postgres_get_int,
  .changes = postgres_changes,
  .reset = postgres_reset,
  .free = postgres_free,
};
