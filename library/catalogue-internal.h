/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a data base has to do for catalogue.c. */
#ifndef V2V_CATALOGUE_INTERNAL_H
#define V2V_CATALOGUE_INTERNAL_H

#include "library/catalogue.h"

struct catalogue_ops {
  const char *kind;

  /* Connect.  CREATE: WHERE may be new. */
  void *(*open) (const char *where, bool create, struct v2v_error **err);
  void (*close) (void *h);

  /* Statements without parameters and rows, separated by ";". */
  int (*exec) (void *h, const char *sql, struct v2v_error **err);
  /* What begins a transaction that writes, and keeps other writers out. */
  const char *begin;
  int (*commit) (void *h, struct v2v_error **err);

  /* One statement; the front keeps it for the next time.  STREAM: rows are
   * wanted one by one. */
  void *(*prepare) (void *h, const char *sql, bool stream,
                    struct v2v_error **err);
  /* Parameter N, from 1; false when out of memory. */
  bool (*bind_text) (void *q, unsigned n, const char *value);
  bool (*bind_int) (void *q, unsigned n, int64_t value);
  int (*step) (void *q, struct v2v_error **err);
  const char *(*get_text) (void *q, unsigned column);
  int64_t (*get_int) (void *q, unsigned column);
  uint64_t (*changes) (void *q);
  void (*reset) (void *q); /* its rows are no longer read */
  void (*free) (void *q);
};

/* V2V_CATALOGUE_WAIT_MS, of catalogues that are opened from now on: tests have
 * less patience. */
extern unsigned catalogue_wait_ms;

extern const struct catalogue_ops catalogue_sqlite_ops;
extern const struct catalogue_ops catalogue_postgres_ops;

#endif /* V2V_CATALOGUE_INTERNAL_H */
