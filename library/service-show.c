/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services and plans as they are told. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "library/service-internal.h"

static void
set_if (struct v2v_json *o, const char *key, const char *value)
{
  if (value != NULL)
    v2v_json_set_string (o, key, value);
}

static struct v2v_json *
machines_json (const struct v2v_service_machines *machines)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < machines->len; ++i) {
    const struct v2v_service_machine *m = &machines->ptr[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "tier", m->tier);
    v2v_json_set_u64 (o, "ordinal", m->ordinal);
    v2v_json_set_u64 (o, "domain", m->domain);
    set_if (o, "computer_name", m->computer_name);
    set_if (o, "address", m->address);
    set_if (o, "host", m->host);
    set_if (o, "host_reason", m->host_reason);
    set_if (o, "id", m->id);
    set_if (o, "state", m->state);
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
steps_json (const struct v2v_service_steps *steps)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < steps->len; ++i) {
    const struct v2v_service_step *s = &steps->ptr[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "kind", s->kind);
    v2v_json_set_string (o, "subject", s->subject);
    v2v_json_set_string (o, "state", s->state);
    v2v_json_set (o, "detail", v2v_json_ref (s->detail));
    v2v_json_append (list, o);
  }
  return list;
}

static struct v2v_json *
changes_json (const struct v2v_document_changes *changes)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < changes->len; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "path", changes->ptr[i].path);
    set_if (o, "old", changes->ptr[i].old_value);
    set_if (o, "new", changes->ptr[i].new_value);
    v2v_json_append (list, o);
  }
  return list;
}

struct v2v_json *
v2v_service_plan_to_json (const struct v2v_service_plan *p)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *reasons = v2v_json_new_array ();

  for (size_t i = 0; p->reasons != NULL && p->reasons[i] != NULL; ++i)
    v2v_json_append (reasons, v2v_json_new_string (p->reasons[i]));
  v2v_json_set_string (o, "operation",
                       v2v_service_operation_name (p->operation));
  v2v_json_set_string (o, "service", p->name);
  v2v_json_set_string (o, "id", p->id);
  v2v_json_set (o, "reasons", reasons);
  v2v_json_set (o, "changes", changes_json (&p->changes));
  v2v_json_set (o, "machines", machines_json (&p->machines));
  v2v_json_set (o, "steps", steps_json (&p->steps));
  return o;
}

struct v2v_json *
v2v_service_to_json (const struct v2v_service *s)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "id", s->id);
  v2v_json_set_string (o, "name", s->name);
  v2v_json_set_string (o, "state", s->state);
  set_if (o, "template", s->template_name);
  if (s->template_version > 0)
    v2v_json_set_u64 (o, "template_version", (uint64_t) s->template_version);
  v2v_json_set_string (o, "owner", s->owner);
  v2v_json_set_u64 (o, "created", (uint64_t) s->created);
  if (s->document == NULL)
    return o;
  v2v_json_set (o, "machines", machines_json (&s->machines));
  v2v_json_set (o, "steps", steps_json (&s->steps));
  v2v_json_set (o, "document", v2v_document_to_json (s->document));
  return o;
}

void
v2v_service_clear (struct v2v_service *s)
{
  free (s->id);
  free (s->name);
  free (s->state);
  free (s->template_name);
  free (s->owner);
  v2v_document_free (s->document);
  v2v_service_machines_clear (&s->machines);
  v2v_service_steps_clear (&s->steps);
  memset (s, 0, sizeof *s);
}

/* What was deployed last, or is being deployed. */
static const struct v2v_json *
state_of (const struct service_row *row)
{
  const struct v2v_json *current = v2v_json_get (row->settings, "current");

  return v2v_json_is_object (current) ? current
                                      : v2v_json_get (row->settings, "next");
}

static int
take_row (struct service_row *row, struct v2v_service *ret,
          struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d =
      service_template (state_of (row), err);

  if (d == NULL)
    return -1;
  ret->template_name = strdup (d->head.name);
  if (ret->template_name == NULL)
    return v2v_fail_nomem (err);
  ret->template_version = d->head.version;
  ret->id = STEAL (row->id);
  ret->name = STEAL (row->name);
  ret->state = STEAL (row->state);
  ret->owner = STEAL (row->owner);
  ret->created = row->created;
  return 0;
}

int
v2v_service_show (struct v2v_library *lib, const char *service,
                  struct v2v_service *ret, struct v2v_error **err)
{
  CLEANUP_SERVICE_ROW struct service_row row = { .id = NULL };
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };

  if (service_row_find (lib, service, &row, err) == -1)
    return -1;
  s.document = service_document (state_of (&row), err);
  if (s.document == NULL || take_row (&row, &s, err) == -1 ||
      service_read_machines (lib, s.id, &s.machines, err) == -1 ||
      service_finish_machines (s.document, &s.machines, err) == -1 ||
      service_read_steps (lib, s.id, &s.steps, err) == -1)
    return -1;
  *ret = s;
  memset (&s, 0, sizeof s);
  return 0;
}

int
v2v_service_each (struct v2v_library *lib, v2v_service_fn *fn, void *arg,
                  struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT service.id, COUNT (machine.id) FROM service LEFT JOIN machine ON "
      "machine.service = service.id GROUP BY service.id, service.name "
      "ORDER BY service.name",
      err);
  int r = -1;

  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    CLEANUP_SERVICE_ROW struct service_row row = { .id = NULL };
    CLEANUP_SERVICE struct v2v_service s = { .id = NULL };

    if (service_row_find (lib, v2v_query_get_text (q, 0), &row, err) == -1 ||
        take_row (&row, &s, err) == -1)
      return -1;
    r = fn (arg, &s, (unsigned) v2v_query_get_int (q, 1), err);
    if (r != 0)
      return r;
  }
  return r;
}
