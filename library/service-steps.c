/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that lead from the machines a service has to those it shall have.
 *
 *   tier after tier:  machines that change, by upgrade domain:
 *                       stop, retire, create, send, start, script (update)
 *                     machines that come: create, send, start, script
 *   network           the load balancer sees the new ones, and the others no
 *                     more
 *   machines that go, the last ones first: script, stop, remove
 *   machines that were retired: remove
 *
 * Until the first "remove" is done everything can be taken back.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "library/service-internal.h"

const char *
v2v_service_operation_name (enum v2v_service_operation op)
{
  switch (op) {
  case V2V_SERVICE_DEPLOY:
    return "deploy";
  case V2V_SERVICE_SCALE:
    return "scale";
  case V2V_SERVICE_UPDATE:
    return "update";
  case V2V_SERVICE_DELETE:
    break;
  }
  return "delete";
}

void
v2v_service_steps_clear (struct v2v_service_steps *s)
{
  for (size_t i = 0; i < s->len; ++i) {
    free (s->ptr[i].kind);
    free (s->ptr[i].subject);
    free (s->ptr[i].state);
    v2v_json_free (s->ptr[i].detail);
  }
  free (s->ptr);
  memset (s, 0, sizeof *s);
}

int
service_step_add (struct v2v_service_steps *list, const char *kind,
                  const char *subject, const char *state,
                  struct v2v_json *detail, struct v2v_error **err)
{
  struct v2v_service_step *s;

  if (list->len == list->cap) {
    const size_t cap = list->cap * 2 + 16;

    s = reallocarray (list->ptr, cap, sizeof *s);
    if (s == NULL) {
      v2v_json_free (detail);
      return v2v_fail_nomem (err);
    }
    list->ptr = s;
    list->cap = cap;
  }
  s = &list->ptr[list->len++];
  *s = (struct v2v_service_step){ .kind = strdup (kind),
                                  .subject = strdup (subject),
                                  .state = strdup (state),
                                  .detail = detail };
  return s->kind == NULL || s->subject == NULL || s->state == NULL ||
                 detail == NULL || !v2v_json_ok (detail)
             ? v2v_fail_nomem (err)
             : 0;
}

static void
set_if (struct v2v_json *o, const char *key, const char *value)
{
  if (value != NULL)
    v2v_json_set_string (o, key, value);
}

/* All that a step of M needs to be done. */
static struct v2v_json *
describe (const struct service_change *c, const struct v2v_service_machine *m)
{
  const struct service_tier *t =
      c->tiers != NULL ? service_tier_find (c->tiers, m->tier) : NULL;
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "tier", m->tier);
  v2v_json_set_u64 (o, "ordinal", m->ordinal);
  v2v_json_set_u64 (o, "domain", m->domain);
  set_if (o, "computer_name", m->computer_name);
  set_if (o, "address", m->address);
  set_if (o, "host", m->host);
  set_if (o, "id", m->id);
  if (t != NULL) {
    set_if (o, "template", t->vm_template);
    set_if (o, "template_digest", t->template_digest);
    set_if (o, "hardware", t->hardware);
    set_if (o, "guest_os", t->guest_os);
  }
  return o;
}

struct adding {
  const struct service_change *c;
  struct v2v_service_steps *steps;
  struct v2v_error **err;
};

static int
add_for (const struct adding *a, const char *kind,
         const struct v2v_service_machine *m)
{
  return service_step_add (a->steps, kind, m->computer_name, "planned",
                           describe (a->c, m), a->err);
}

static int
add_scripts (const struct adding *a, const struct v2v_service_machine *m,
             enum v2v_script_phase phase)
{
  const struct service_tier *t =
      a->c->tiers != NULL ? service_tier_find (a->c->tiers, m->tier) : NULL;

  for (size_t i = 0; t != NULL && i < t->tier->nr_scripts; ++i) {
    const struct v2v_tier_script *s = &t->tier->scripts[i];
    CLEANUP_FREE char *subject = NULL;
    struct v2v_json *o;

    if (s->phase != (unsigned) phase || t->scripts[i] == NULL)
      continue;
    if (asprintf (&subject, "%s on %s", s->name, m->computer_name) == -1) {
      subject = NULL;
      return v2v_fail_nomem (a->err);
    }
    o = describe (a->c, m);
    v2v_json_set_string (o, "phase", v2v_script_phase_name (phase));
    set_if (o, "script", t->scripts[i]);
    set_if (o, "arguments", s->arguments);
    if (s->timeout_seconds != -1)
      v2v_json_set_u64 (o, "timeout_seconds", (uint64_t) s->timeout_seconds);
    if (service_step_add (a->steps, "script", subject, "planned", o, a->err) ==
        -1)
      return -1;
  }
  return 0;
}

static int
add_new (const struct adding *a, const struct v2v_service_machine *m,
         enum v2v_script_phase phase)
{
  return add_for (a, "create", m) == -1 ||
                 (m->host != NULL && add_for (a, "send", m) == -1) ||
                 (a->c->acting && add_for (a, "start", m) == -1) ||
                 add_scripts (a, m, phase) == -1
             ? -1
             : 0;
}

static int
add_gone (const struct adding *a, const struct v2v_service_machine *m,
          enum v2v_script_phase phase)
{
  return add_scripts (a, m, phase) == -1 ||
                 (a->c->acting && add_for (a, "stop", m) == -1) ||
                 add_for (a, "remove", m) == -1
             ? -1
             : 0;
}

/* ---- machines that change ---- */

static bool
tier_changes (const struct service_change *c, const struct service_tier *t)
{
  const char *was =
      c->operation == V2V_SERVICE_UPDATE
          ? v2v_json_get_string (c->old_fingerprints, t->tier->name)
          : t->fingerprint;

  return was == NULL || strcmp (was, t->fingerprint) != 0;
}

/* One machine takes the place of M, which is put aside until all is done. */
static int
add_replacement (const struct adding *a, const struct v2v_service_machine *m)
{
  struct v2v_service_machine next = *m;

  next.id = NULL;
  return (a->c->acting && add_for (a, "stop", m) == -1) ||
                 add_for (a, "retire", m) == -1 ||
                 add_new (a, &next, V2V_PHASE_UPDATE) == -1
             ? -1
             : 0;
}

static int
add_tier (const struct adding *a, const struct service_tier *t)
{
  const struct v2v_service_machines *new = a->c->new;
  const unsigned domains = service_limits (t->tier).domains;
  const bool changes = tier_changes (a->c, t);
  enum v2v_script_phase phase = service_count (a->c->old, t->tier->name) == 0
                                    ? V2V_PHASE_FIRST_VM
                                    : V2V_PHASE_NEXT_VMS;

  for (unsigned d = 1; changes && d <= domains; ++d)
    for (size_t i = 0; i < new->len; ++i)
      if (new->ptr[i].id != NULL &&new->ptr[i].domain == d &&
          strcmp (new->ptr[i].tier, t->tier->name) == 0 &&
          add_replacement (a, &new->ptr[i]) == -1)
        return -1;
  for (size_t i = 0; i < new->len; ++i) {
    if (new->ptr[i].id != NULL || strcmp (new->ptr[i].tier, t->tier->name) != 0)
      continue;
    if (add_new (a, &new->ptr[i], phase) == -1)
      return -1;
    phase = V2V_PHASE_NEXT_VMS;
  }
  return 0;
}

/* ---- all of it ---- */

static bool
has_id (const struct v2v_service_machines *list, const char *id)
{
  for (size_t i = 0; i < list->len; ++i)
    if (list->ptr[i].id != NULL && strcmp (list->ptr[i].id, id) == 0)
      return true;
  return false;
}

static int
add_network (const struct adding *a)
{
  const struct v2v_service_machines *m = a->c->new;
  struct v2v_json *o, *list;

  if (!a->c->network)
    return 0;
  o = v2v_json_new_object ();
  list = v2v_json_new_array ();
  for (size_t i = 0; i < m->len; ++i)
    v2v_json_append (list, describe (a->c, &m->ptr[i]));
  v2v_json_set (o, "machines", list);
  return service_step_add (a->steps, "network", "load balancer and names",
                           "planned", o, a->err);
}

/* The last that came is the first that goes. */
static int
add_all_gone (const struct adding *a)
{
  const struct v2v_service_machines *old = a->c->old;
  const enum v2v_script_phase phase = a->c->operation == V2V_SERVICE_DELETE
                                          ? V2V_PHASE_REMOVE
                                          : V2V_PHASE_SCALE_IN;

  for (size_t i = old->len; i-- > 0;)
    if (!has_id (a->c->new, old->ptr[i].id) &&
        add_gone (a, &old->ptr[i], phase) == -1)
      return -1;
  return 0;
}

/* Tiers as their machines are in the list: by their order. */
static int
add_tiers (const struct adding *a)
{
  const struct v2v_service_machines *new = a->c->new;

  for (size_t i = 0; i < new->len; ++i) {
    const bool first =
        i == 0 || strcmp (new->ptr[i].tier, new->ptr[i - 1].tier) != 0;

    if (first &&
        add_tier (a, service_tier_find (a->c->tiers, new->ptr[i].tier)) == -1)
      return -1;
  }
  return 0;
}

int
service_steps (const struct service_change *c, struct v2v_service_steps *ret,
               struct v2v_error **err)
{
  struct v2v_service_steps steps = { .ptr = NULL };
  const struct adding a = { c, &steps, err };
  size_t nr_made;

  if (add_tiers (&a) == -1)
    goto error;
  nr_made = steps.len;
  if (add_network (&a) == -1 || add_all_gone (&a) == -1)
    goto error;
  for (size_t i = 0; i < nr_made; ++i)
    if (strcmp (steps.ptr[i].kind, "retire") == 0 &&
        service_step_add (&steps, "remove", steps.ptr[i].subject, "planned",
                          v2v_json_ref (steps.ptr[i].detail), err) == -1)
      goto error;
  *ret = steps;
  return 0;

error:
  v2v_service_steps_clear (&steps);
  return -1;
}
