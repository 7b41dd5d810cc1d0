/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What would be lost with an object: by the relations, then the machines that
 * were deployed on any of these, then the services they belong to.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "library/base.h"
#include "library/library-internal.h"

/* The object itself and all that needs it.  UNION ends also where others have
 * written a loop into the catalogue.  What was a thing's origin is not what it
 * needs. */
#define NEEDS                                                                  \
  "WITH RECURSIVE needs (id) AS (SELECT CAST (? AS TEXT) UNION "               \
  "SELECT relation.object FROM relation JOIN needs ON "                        \
  "relation.other = needs.id WHERE relation.role <> 'provenance') "

void
v2v_dependents_clear (struct v2v_dependents *d)
{
  for (size_t i = 0; i < d->len; ++i) {
    free (d->ptr[i].what);
    free (d->ptr[i].id);
    free (d->ptr[i].name);
    free (d->ptr[i].place);
  }
  free (STEAL (d->ptr));
  d->len = 0;
}

static int
add (struct v2v_dependents *d, struct v2v_query *q, struct v2v_error **err)
{
  struct v2v_dependent *p = reallocarray (d->ptr, d->len + 1, sizeof *p);

  if (p == NULL)
    return v2v_fail_nomem (err);
  d->ptr = p;
  p += d->len++;
  *p = (struct v2v_dependent){
    .what = strdup (v2v_query_get_text (q, 0)),
    .id = strdup (v2v_query_get_text (q, 1)),
    .name = strdup (v2v_query_get_text (q, 2)),
    .place = strdup (v2v_query_get_text (q, 3)),
  };
  return p->what && p->id && p->name && p->place ? 0 : v2v_fail_nomem (err);
}

int
v2v_library_dependents (struct v2v_library *lib, const char *id,
                        struct v2v_dependents *ret, struct v2v_error **err)
{
  static const char *const queries[] = {
    NEEDS "SELECT kind, object.id, name, '' FROM object JOIN needs ON "
          "object.id = needs.id WHERE object.id <> ? ORDER BY kind, name, "
          "object.id",
    NEEDS "SELECT 'machine', machine.id, machine.name, "
          "CASE WHEN machine.host <> '' THEN machine.host ELSE machine.folder "
          "END FROM machine WHERE machine.id IN (SELECT machine_base.machine "
          "FROM machine_base JOIN needs ON machine_base.object = needs.id) "
          "AND machine.id <> ? ORDER BY machine.name, machine.id",
    NEEDS "SELECT 'service', service.id, service.name, '' FROM service WHERE "
          "EXISTS (SELECT 1 FROM machine JOIN machine_base ON "
          "machine_base.machine = machine.id JOIN needs ON "
          "machine_base.object = needs.id WHERE "
          "machine.service IN (service.id, service.name)) "
          "AND service.id <> ? ORDER BY service.name",
  };
  int r = 0;

  memset (ret, 0, sizeof *ret);
  for (size_t i = 0; r == 0 && i < V2V_ARRAY_SIZE (queries); ++i) {
    CLEANUP_QUERY struct v2v_query *q =
        v2v_query_new (lib->cat, queries[i], err);

    r = q ? 0 : -1;
    if (r == 0) {
      v2v_query_text (q, id);
      v2v_query_text (q, id);
    }
    while (r == 0 && (r = v2v_query_step (q, err)) == 1)
      r = add (ret, q, err);
  }
  if (r == -1)
    v2v_dependents_clear (ret);
  return r;
}

struct v2v_json *
v2v_dependents_to_json (const struct v2v_dependents *d)
{
  struct v2v_json *a = v2v_json_new_array ();

  for (size_t i = 0; i < d->len; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "what", d->ptr[i].what);
    v2v_json_set_string (o, "id", d->ptr[i].id);
    v2v_json_set_string (o, "name", d->ptr[i].name);
    if (d->ptr[i].place[0] != '\0')
      v2v_json_set_string (o, "place", d->ptr[i].place);
    v2v_json_append (a, o);
  }
  return a;
}
