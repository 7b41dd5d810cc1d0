/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A catalogue in a file, by SQLite: the only place that includes it.
 *
 * WAL lets others read while one writes, and "synchronous = FULL" has each
 * commit on the disk before files are renamed because of it.  WAL needs
 * memory that processes share: a catalogue that several hosts use belongs into
 * PostgreSQL (https://www.sqlite.org/wal.html, "Disadvantages").
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "formats/core/cleanup.h"
#include "library/catalogue-internal.h"

struct sqlite {
  sqlite3 *db;
  char *where;
};

struct sqlite_query {
  struct sqlite *h;
  sqlite3_stmt *stmt;
};

static int
fail (const struct sqlite *h, int r, struct v2v_error **err)
{
  enum v2v_error_code code = V2V_ERR_IO;

  if (r == SQLITE_NOMEM)
    return v2v_fail_nomem (err);
  if (r == SQLITE_CORRUPT || r == SQLITE_NOTADB)
    code = V2V_ERR_FORMAT;
  else if (r == SQLITE_CONSTRAINT)
    code = V2V_ERR_MISMATCH;
  if (r == SQLITE_BUSY) {
    v2v_fail (err, code, "%s: another process has been writing for %u seconds",
              h->where, catalogue_wait_ms / 1000);
    return v2v_hint (err, "try again when it is done, or end it");
  }
  return v2v_fail (err, code, "%s: %s", h->where,
                   h->db ? sqlite3_errmsg (h->db) : sqlite3_errstr (r));
}

static int
sqlite_exec (void *vh, const char *sql, struct v2v_error **err)
{
  struct sqlite *h = vh;
  const int r = sqlite3_exec (h->db, sql, NULL, NULL, NULL);

  return r == SQLITE_OK ? 0 : fail (h, r, err);
}

static void
sqlite_close (void *vh)
{
  struct sqlite *h = vh;

  sqlite3_close (h->db); /* accepts NULL */
  free (h->where);
  free (h);
}

static int
set_up (struct sqlite *h, bool create, struct v2v_error **err)
{
  sqlite3_busy_timeout (h->db, (int) catalogue_wait_ms);
  /* The file may come from anywhere: no functions out of its schema, no
   * writes to its internals. */
  sqlite3_db_config (h->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config (h->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  if (create && sqlite_exec (h, "PRAGMA journal_mode = WAL", err) == -1)
    return -1;
  return sqlite_exec (h, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL",
                      err);
}

static void *
sqlite_open (const char *where, bool create, struct v2v_error **err)
{
  struct sqlite *h = calloc (1, sizeof *h);
  int r;

  if (h == NULL || (h->where = strdup (where)) == NULL) {
    free (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  r = sqlite3_open_v2 (
      where, &h->db, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0),
      NULL);
  if (r != SQLITE_OK)
    fail (h, r, err);
  else if (set_up (h, create, err) == 0)
    return h;
  sqlite_close (h);
  return NULL;
}

static int
sqlite_commit (void *vh, struct v2v_error **err)
{
  return sqlite_exec (vh, "COMMIT", err);
}

/* ---- queries ---- */

/* Rows come one by one anyhow. */
static void *
sqlite_prepare (void *vh, const char *sql, bool stream, struct v2v_error **err)
{
  struct sqlite_query *q = calloc (1, sizeof *q);
  int r;

  (void) stream;
  if (q == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  q->h = vh;
  r = sqlite3_prepare_v2 (q->h->db, sql, -1, &q->stmt, NULL);
  if (r == SQLITE_OK)
    return q;
  fail (q->h, r, err);
  free (q);
  return NULL;
}

static bool
sqlite_bind_text (void *vq, unsigned n, const char *value)
{
  struct sqlite_query *q = vq;

  return (value == NULL ? sqlite3_bind_null (q->stmt, (int) n)
                        : sqlite3_bind_text (q->stmt, (int) n, value, -1,
                                             SQLITE_TRANSIENT)) == SQLITE_OK;
}

static bool
sqlite_bind_int (void *vq, unsigned n, int64_t value)
{
  struct sqlite_query *q = vq;

  return sqlite3_bind_int64 (q->stmt, (int) n, value) == SQLITE_OK;
}

static int
sqlite_step (void *vq, struct v2v_error **err)
{
  struct sqlite_query *q = vq;
  const int r = sqlite3_step (q->stmt);

  if (r == SQLITE_ROW)
    return 1;
  if (r == SQLITE_DONE)
    return 0;
  return fail (q->h, r & 0xff, err);
}

static const char *
sqlite_get_text (void *vq, unsigned column)
{
  struct sqlite_query *q = vq;

  return (const char *) sqlite3_column_text (q->stmt, (int) column);
}

static int64_t
sqlite_get_int (void *vq, unsigned column)
{
  struct sqlite_query *q = vq;

  return sqlite3_column_int64 (q->stmt, (int) column);
}

static uint64_t
sqlite_changes (void *vq)
{
  struct sqlite_query *q = vq;

  return (uint64_t) sqlite3_changes (q->h->db);
}

static void
sqlite_reset (void *vq)
{
  struct sqlite_query *q = vq;

  sqlite3_reset (q->stmt);
  sqlite3_clear_bindings (q->stmt);
}

static void
sqlite_free (void *vq)
{
  struct sqlite_query *q = vq;

  sqlite3_finalize (q->stmt);
  free (q);
}

const struct catalogue_ops catalogue_sqlite_ops = {
  .kind = "sqlite",
  .open = sqlite_open,
  .close = sqlite_close,
  .exec = sqlite_exec,
  .begin = "BEGIN IMMEDIATE",
  .commit = sqlite_commit,
  .prepare = sqlite_prepare,
  .bind_text = sqlite_bind_text,
  .bind_int = sqlite_bind_int,
  .step = sqlite_step,
  .get_text = sqlite_get_text,
  .get_int = sqlite_get_int,
  .changes = sqlite_changes,
  .reset = sqlite_reset,
  .free = sqlite_free,
};
