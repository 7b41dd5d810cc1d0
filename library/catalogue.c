/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of the two data bases: which one it is, transactions, statements
 * that are kept, and parameters whose failure is told by the next step.
 */

#include <config.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "library/catalogue-internal.h"

/* What a command asks again and again for each object is some twenty
 * statements; parsing them costs more than running them. */
#define NR_KEPT 32

struct v2v_catalogue {
  const struct catalogue_ops *ops;
  void *h;
  bool in_transaction;
  /* Statements that nobody uses at the moment. */
  struct kept {
    char *sql;
    void *h;
  } kept[NR_KEPT];
  unsigned next; /* the one that gives way */
};

struct v2v_query {
  struct v2v_catalogue *c;
  void *h;
  char *sql; /* NULL: is not kept */
  unsigned nr_bound;
  bool out_of_memory;
};

const char v2v_query_end[] = "end";
unsigned catalogue_wait_ms = V2V_CATALOGUE_WAIT_MS;

bool
v2v_catalogue_is_server (const char *where)
{
  return strncmp (where, "postgres://", 11) == 0 ||
         strncmp (where, "postgresql://", 13) == 0;
}

/* "postgres://user:secret@host/db" -> "postgres://user@host/db"; what comes
 * after "?" may hold a password too. */
char *
v2v_catalogue_printable (const char *where)
{
  char *s = strdup (where);
  char *start, *at, *colon, *query;

  if (s == NULL || !v2v_catalogue_is_server (s))
    return s;
  query = strchr (s, '?');
  if (query != NULL)
    *query = '\0';
  start = strstr (s, "://") + 3;
  at = strrchr (start, '@');
  if (at == NULL)
    return s;
  colon = memchr (start, ':', (size_t) (at - start));
  if (colon != NULL)
    memmove (colon, at, strlen (at) + 1);
  return s;
}

struct v2v_catalogue *
v2v_catalogue_open (const char *where, bool create, struct v2v_error **err)
{
  struct v2v_catalogue *c = calloc (1, sizeof *c);

  if (c == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  c->ops = &catalogue_sqlite_ops;
  if (v2v_catalogue_is_server (where)) {
#ifdef HAVE_LIBPQ
    c->ops = &catalogue_postgres_ops;
#else
    free (c);
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "this v2v was built without PostgreSQL (libpq)");
    return NULL;
#endif
  }
  c->h = c->ops->open (where, create, err);
  if (c->h == NULL) {
    free (c);
    return NULL;
  }
  return c;
}

void
v2v_catalogue_close (struct v2v_catalogue *c)
{
  if (c == NULL)
    return;
  v2v_catalogue_rollback (c);
  for (size_t i = 0; i < NR_KEPT; ++i)
    if (c->kept[i].sql != NULL) {
      free (c->kept[i].sql);
      c->ops->free (c->kept[i].h);
    }
  c->ops->close (c->h);
  free (c);
}

const char *
v2v_catalogue_kind (const struct v2v_catalogue *c)
{
  return c->ops->kind;
}

int
v2v_catalogue_exec (struct v2v_catalogue *c, const char *sql,
                    struct v2v_error **err)
{
  return c->ops->exec (c->h, sql, err);
}

/* ---- transactions ---- */

int
v2v_catalogue_begin (struct v2v_catalogue *c, struct v2v_error **err)
{
  if (c->in_transaction)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the catalogue is in a transaction already");
  c->in_transaction = true; /* what fails half way is rolled back too */
  if (c->ops->exec (c->h, c->ops->begin, err) == 0)
    return 0;
  v2v_catalogue_rollback (c);
  return -1;
}

int
v2v_catalogue_commit (struct v2v_catalogue *c, struct v2v_error **err)
{
  if (c->ops->commit (c->h, err) == -1) {
    v2v_catalogue_rollback (c);
    return -1;
  }
  c->in_transaction = false;
  return 0;
}

void
v2v_catalogue_rollback (struct v2v_catalogue *c)
{
  struct v2v_error *e = NULL;

  if (!c->in_transaction)
    return;
  c->in_transaction = false;
  /* Some failures end the transaction by themselves. */
  if (c->ops->exec (c->h, "ROLLBACK", &e) == -1)
    v2v_debug ("catalogue: roll-back: %s", v2v_error_message (e));
  v2v_error_free (e);
}

/* ---- queries ---- */

/* Take SQL out of what is kept, or NULL. */
static void *
take (struct v2v_catalogue *c, const char *sql)
{
  for (size_t i = 0; i < NR_KEPT; ++i)
    if (c->kept[i].sql != NULL && strcmp (c->kept[i].sql, sql) == 0) {
      free (STEAL (c->kept[i].sql));
      return STEAL (c->kept[i].h);
    }
  return NULL;
}

/* Takes over what Q has. */
static void
keep (struct v2v_query *q)
{
  struct v2v_catalogue *c = q->c;
  struct kept *k = &c->kept[c->next++ % NR_KEPT];

  if (k->sql != NULL) {
    free (k->sql);
    c->ops->free (k->h);
  }
  c->ops->reset (q->h);
  *k = (struct kept){ q->sql, q->h };
}

static struct v2v_query *
new_query (struct v2v_catalogue *c, const char *sql, bool stream,
           struct v2v_error **err)
{
  struct v2v_query *q = calloc (1, sizeof *q);

  if (q == NULL || (!stream && (q->sql = strdup (sql)) == NULL)) {
    free (q);
    v2v_fail_nomem (err);
    return NULL;
  }
  q->c = c;
  q->h = stream ? NULL : take (c, sql);
  if (q->h == NULL)
    q->h = c->ops->prepare (c->h, sql, stream, err);
  if (q->h == NULL) {
    free (q->sql);
    free (q);
    return NULL;
  }
  return q;
}

struct v2v_query *
v2v_query_new (struct v2v_catalogue *c, const char *sql, struct v2v_error **err)
{
  return new_query (c, sql, false, err);
}

struct v2v_query *
v2v_query_stream (struct v2v_catalogue *c, const char *sql,
                  struct v2v_error **err)
{
  return new_query (c, sql, !c->in_transaction, err);
}

void
v2v_query_text (struct v2v_query *q, const char *value)
{
  if (!q->c->ops->bind_text (q->h, ++q->nr_bound, value))
    q->out_of_memory = true;
}

void
v2v_query_int (struct v2v_query *q, int64_t value)
{
  if (!q->c->ops->bind_int (q->h, ++q->nr_bound, value))
    q->out_of_memory = true;
}

int
v2v_query_step (struct v2v_query *q, struct v2v_error **err)
{
  if (q->out_of_memory)
    return v2v_fail_nomem (err);
  return q->c->ops->step (q->h, err);
}

const char *
v2v_query_get_text (struct v2v_query *q, unsigned column)
{
  return q->c->ops->get_text (q->h, column);
}

int64_t
v2v_query_get_int (struct v2v_query *q, unsigned column)
{
  return q->c->ops->get_int (q->h, column);
}

uint64_t
v2v_query_changes (struct v2v_query *q)
{
  return q->c->ops->changes (q->h);
}

void
v2v_query_reset (struct v2v_query *q)
{
  q->c->ops->reset (q->h);
  q->nr_bound = 0;
  q->out_of_memory = false;
}

void
v2v_query_free (struct v2v_query *q)
{
  if (q == NULL)
    return;
  if (q->sql != NULL)
    keep (q);
  else
    q->c->ops->free (q->h);
  free (q);
}

int
v2v_catalogue_run (struct v2v_catalogue *c, uint64_t *ret_changes,
                   struct v2v_error **err, const char *sql, ...)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (c, sql, err);
  const char *value;
  va_list args;

  if (q == NULL)
    return -1;
  va_start (args, sql);
  while ((value = va_arg (args, const char *)) != V2V_QUERY_END)
    v2v_query_text (q, value);
  va_end (args);
  if (v2v_query_step (q, err) == -1)
    return -1;
  if (ret_changes != NULL)
    *ret_changes = v2v_query_changes (q);
  return 0;
}
