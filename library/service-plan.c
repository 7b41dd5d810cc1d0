/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services: what is planned, and what is kept of a service.
 *
 * All four operations are one: a template with values and numbers of machines
 * is what shall be, the machines of the catalogue are what is, and the steps
 * are the difference.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/guest.h"
#include "library/service-internal.h"

static struct v2v_json *
share_json (const struct v2v_json *j)
{
  return j != NULL ? v2v_json_ref ((struct v2v_json *) (uintptr_t) j)
                   : v2v_json_new_null ();
}

/* ---- the state of a service ---- */

struct v2v_document *
service_template (const struct v2v_json *state, struct v2v_error **err)
{
  const char *text = v2v_json_get_string (state, "template");

  if (text != NULL)
    return v2v_document_parse (text, strlen (text), "template of the service",
                               err);
  v2v_fail (err, V2V_ERR_FORMAT, "the service has no template");
  return NULL;
}

/* Values of STATE for settings that TEMPLATE has, and those of OPTS (may be
 * NULL) before them. */
static int
resolve_values (const struct v2v_document *template,
                const struct v2v_json *state,
                const struct v2v_service_opts *opts, char ***ret,
                struct v2v_error **err)
{
  const struct v2v_service_template *s = &template->service;
  const struct v2v_json *old = v2v_json_get (state, "values");
  const size_t nr_given = opts != NULL ? opts->nr_settings : 0;
  CLEANUP_FREE struct v2v_setting_value *list =
      calloc (nr_given + s->nr_settings + 1, sizeof *list);
  size_t n = 0;

  if (list == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < nr_given; ++i)
    list[n++] = opts->settings[i];
  for (size_t i = 0; i < s->nr_settings; ++i) {
    const char *value = v2v_json_get_string (old, s->settings[i].name);
    bool given = false;

    for (size_t k = 0; k < nr_given; ++k)
      given |= strcmp (opts->settings[k].name, s->settings[i].name) == 0;
    if (value != NULL && !given)
      list[n++] = (struct v2v_setting_value){ s->settings[i].name, value };
  }
  return v2v_settings_resolve (template, list, n, ret, err);
}

int
service_values (const struct v2v_document *template,
                const struct v2v_json *state, char ***ret,
                struct v2v_error **err)
{
  return resolve_values (template, state, NULL, ret, err);
}

struct v2v_document *
service_document (const struct v2v_json *state, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *template =
      service_template (state, err);
  CLEANUP_LIST char **values = NULL;

  if (template == NULL || service_values (template, state, &values, err) == -1)
    return NULL;
  return v2v_service_expand (template, values, err);
}

int
service_finish_machines (const struct v2v_document *document,
                         struct v2v_service_machines *machines,
                         struct v2v_error **err)
{
  for (size_t i = 0; i < machines->len; ++i) {
    struct v2v_service_machine *m = &machines->ptr[i];

    for (size_t k = 0; k < document->service.nr_tiers; ++k) {
      const struct v2v_tier *t = &document->service.tiers[k];

      if (strcmp (t->name, m->tier) != 0 || m->ordinal == 0)
        continue;
      m->domain = (m->ordinal - 1) % service_limits (t).domains + 1;
      if (t->addresses != NULL && m->address == NULL &&
          service_pool_nth (t->addresses, m->ordinal - 1, &m->address, err) ==
              -1)
        return -1;
    }
  }
  return 0;
}

/* ---- planning ---- */

struct planning {
  struct v2v_library *lib;
  const struct v2v_service_opts *opts;
  struct v2v_service_plan *plan;
  struct v2v_document *template; /* as it was given; borrowed */
  char **values;
  struct service_tiers tiers;
  unsigned *counts;
  struct v2v_service_machines old;
  struct service_row row; /* not for deploy */
  lib_strings reasons;
  struct v2v_hosts hosts;
  bool acting;
};

static void
planning_clear (struct planning *p)
{
  v2v_guest_free_list (p->values);
  service_tiers_clear (&p->tiers);
  free (p->counts);
  v2v_service_machines_clear (&p->old);
  service_row_clear (&p->row);
  lib_strings_clear (&p->reasons);
  v2v_hosts_clear (&p->hosts);
}

void
v2v_service_plan_free (struct v2v_service_plan *p)
{
  if (p == NULL)
    return;
  free (p->id);
  free (p->name);
  v2v_document_free (p->document);
  v2v_service_machines_clear (&p->machines);
  v2v_service_steps_clear (&p->steps);
  v2v_document_changes_clear (&p->changes);
  v2v_guest_free_list (p->reasons);
  free (p->settings);
  free (p->template_id);
  free (p->template_digest);
  free (p);
}

static const char *
name_space_of (const struct planning *p)
{
  const char *kept = v2v_json_get_string (p->row.settings, "name_space");

  return p->opts->name_space != NULL ? p->opts->name_space
         : kept != NULL              ? kept
                                     : "";
}

/* OPTS->counts; before: as many as there are, or as the template says. */
static int
count_machines (struct planning *p, struct v2v_error **err)
{
  p->counts = calloc (p->tiers.len + 1, sizeof *p->counts);
  if (p->counts == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < p->tiers.len; ++i) {
    const struct service_limits l = service_limits (p->tiers.ptr[i].tier);
    const unsigned have = service_count (&p->old, p->tiers.ptr[i].tier->name);

    if (p->plan->operation == V2V_SERVICE_DEPLOY || have == 0)
      p->counts[i] = l.instances;
    else if (p->plan->operation == V2V_SERVICE_SCALE)
      p->counts[i] = have;
    else
      p->counts[i] = have < l.minimum   ? l.minimum
                     : have > l.maximum ? l.maximum
                                        : have;
  }
  for (size_t k = 0; k < p->opts->nr_counts; ++k) {
    const struct v2v_service_tier_count *c = &p->opts->counts[k];
    const struct service_tier *t = service_tier_find (&p->tiers, c->tier);

    if (t == NULL)
      return v2v_fail (err, V2V_ERR_USAGE, "no tier is called '%.64s'",
                       c->tier);
    p->counts[t - p->tiers.ptr] = c->count;
  }
  return 0;
}

/* Machines that are there, by the order of their tiers: what came last goes
 * first. */
static int
sort_old (struct planning *p, struct v2v_error **err)
{
  struct v2v_service_machines sorted = { .ptr = NULL };
  int r = 0;

  for (int64_t order = 1; r == 0 && sorted.len < p->old.len; ++order) {
    for (size_t i = 0; r == 0 && i < p->old.len; ++i) {
      const struct service_tier *t =
          service_tier_find (&p->tiers, p->old.ptr[i].tier);
      const int64_t at = t == NULL              ? 1001
                         : t->tier->order != -1 ? t->tier->order
                                                : 1;

      if (at == order)
        r = service_machine_copy (&sorted, &p->old.ptr[i], err);
    }
  }
  if (r == -1) {
    v2v_service_machines_clear (&sorted);
    return -1;
  }
  v2v_service_machines_clear (&p->old);
  p->old = sorted;
  return 0;
}

static struct v2v_json *
fingerprints (const struct planning *p)
{
  const struct v2v_json *current = v2v_json_get (p->row.settings, "current");
  const struct v2v_json *old = v2v_json_get (current, "fingerprints");
  struct v2v_json *o = v2v_json_new_object ();

  for (size_t i = 0; i < p->tiers.len; ++i) {
    const struct service_tier *t = &p->tiers.ptr[i];
    const char *was = v2v_json_get_string (old, t->tier->name);

    /* Scaling does not change the machines that are there. */
    v2v_json_set_string (o, t->tier->name,
                         p->plan->operation == V2V_SERVICE_SCALE && was != NULL
                             ? was
                             : t->fingerprint);
  }
  return o;
}

/* What is valid when the steps are done. */
static struct v2v_json *
next_state (struct planning *p, struct v2v_error **err)
{
  const struct v2v_service_template *s = &p->template->service;
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *values = v2v_json_new_object ();
  size_t len;
  CLEANUP_FREE char *text = v2v_document_print (p->template, &len, err);
  uint8_t digest[V2V_SHA256_SIZE];
  char hex[8 + 2 * V2V_SHA256_SIZE] = "sha256:";

  if (text == NULL) {
    v2v_json_free (o);
    v2v_json_free (values);
    return NULL;
  }
  v2v_sha256 (text, len, digest);
  v2v_hex (digest, sizeof digest, hex + 7);
  v2v_json_set_string (o, "template", text);
  v2v_json_set_string (o, "template_digest", hex);
  if (p->plan->template_id != NULL)
    v2v_json_set_string (o, "template_id", p->plan->template_id);
  for (size_t i = 0; i < s->nr_settings; ++i)
    if (p->values[i][0] != '\0')
      v2v_json_set_string (values, s->settings[i].name, p->values[i]);
  v2v_json_set (o, "values", values);
  v2v_json_set (o, "fingerprints", fingerprints (p));
  p->plan->template_digest = strdup (hex);
  if (!v2v_json_ok (o) || !v2v_json_ok (values) ||
      p->plan->template_digest == NULL) {
    v2v_json_free (o);
    v2v_fail_nomem (err);
    return NULL;
  }
  return o;
}

/* An absolute path, whether it is there or not. */
static char *
absolute (const char *dir, struct v2v_error **err)
{
  CLEANUP_FREE char *cwd = dir[0] != '/' ? getcwd (NULL, 0) : NULL;
  char *path = NULL;

  if (dir[0] != '/' && cwd == NULL)
    v2v_fail_errno (err, "the current folder");
  else if (asprintf (&path, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", dir) ==
           -1) {
    path = NULL;
    v2v_fail_nomem (err);
  }
  return path;
}

static int
set_place (struct planning *p, struct v2v_json *settings,
           struct v2v_error **err)
{
  const struct v2v_json *kept = v2v_json_get (p->row.settings, "place");
  struct v2v_json *place;
  CLEANUP_FREE char *path = NULL;

  if (p->plan->operation != V2V_SERVICE_DEPLOY) {
    v2v_json_set (settings, "place", share_json (kept));
    return 0;
  }
  if (p->opts->output_dir == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "where shall the machines be made?");
  path = absolute (p->opts->output_dir, err);
  if (path == NULL)
    return -1;
  place = v2v_json_new_object ();
  v2v_json_set_string (place, "output", path);
  if (p->opts->hosts_file != NULL) {
    CLEANUP_FREE char *hosts = absolute (p->opts->hosts_file, err);

    if (hosts == NULL) {
      v2v_json_free (place);
      return -1;
    }
    v2v_json_set_string (place, "hosts", hosts);
  }
  v2v_json_set (settings, "place", place);
  return 0;
}

static int
set_settings (struct planning *p, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *next = NULL;

  v2v_json_set (o, "current",
                share_json (v2v_json_get (p->row.settings, "current")));
  v2v_json_set_string (o, "name_space", name_space_of (p));
  if (set_place (p, o, err) == -1)
    return -1;
  if (p->plan->operation != V2V_SERVICE_DELETE) {
    next = next_state (p, err);
    if (next == NULL)
      return -1;
    v2v_json_set (o, "next", next);
  }
  else /* of one that was never whole */
    v2v_json_set (o, "next",
                  share_json (v2v_json_get (p->row.settings, "next")));
  p->plan->settings = v2v_json_ok (o) ? v2v_json_dump (o, 0) : NULL;
  return p->plan->settings == NULL ? v2v_fail_nomem (err) : 0;
}

/* What changed since the machines were made, where only some are new. */
static int
tell_older (struct planning *p, struct v2v_error **err)
{
  const struct v2v_json *current = v2v_json_get (p->row.settings, "current");
  const struct v2v_json *old = v2v_json_get (current, "fingerprints");

  for (size_t i = 0;
       p->plan->operation == V2V_SERVICE_SCALE && i < p->tiers.len; ++i) {
    const struct service_tier *t = &p->tiers.ptr[i];
    const char *was = v2v_json_get_string (old, t->tier->name);
    char *line = NULL;

    if (was == NULL || strcmp (was, t->fingerprint) == 0)
      continue;
    if (asprintf (&line,
                  "tier %s: what its machines are made from has changed; new "
                  "ones get the change, 'v2v service update' gives it to all",
                  t->tier->name) == -1)
      return v2v_fail_nomem (err);
    if (lib_strings_append (&p->reasons, line) == -1) {
      free (line);
      return v2v_fail_nomem (err);
    }
  }
  return 0;
}

static int
make_steps (struct planning *p, struct v2v_error **err)
{
  const struct v2v_json *current = v2v_json_get (p->row.settings, "current");
  const struct service_change change = {
    .operation = p->plan->operation,
    .tiers = &p->tiers,
    .old = &p->old,
    .new = &p->plan->machines,
    .old_fingerprints = v2v_json_get (current, "fingerprints"),
    .acting = p->acting,
    .network = true,
  };

  return service_steps (&change, &p->plan->steps, err);
}

/* A host for each new machine. */
static int
place (struct planning *p, struct v2v_error **err)
{
  const char *file = p->opts->hosts_file;

  if (p->plan->operation == V2V_SERVICE_DEPLOY && file != NULL) {
    p->acting = true;
    if (v2v_hosts_load (p->lib, file, &p->hosts, err) == -1)
      return -1;
  }
  else if (p->plan->operation != V2V_SERVICE_DEPLOY &&
           service_load_hosts (p->lib, p->row.settings, &p->hosts, &p->acting,
                               err) == -1)
    return -1;
  return p->acting ? service_place (p->lib, &p->hosts, p->plan->id, &p->tiers,
                                    name_space_of (p), &p->plan->machines, err)
                   : 0;
}

/* Everything but what is given: template, values, machines that are there. */
static int
plan_all (struct planning *p, struct v2v_error **err)
{
  CLEANUP_LIST char **taken = NULL;
  const char *name = p->plan->name;

  p->plan->document = v2v_service_expand (p->template, p->values, err);
  if (p->plan->document == NULL ||
      service_resolve_tiers (p->lib, name, p->plan->document, p->values,
                             name_space_of (p), &p->tiers, &p->reasons,
                             err) == -1 ||
      count_machines (p, err) == -1 || sort_old (p, err) == -1 ||
      service_taken_names (p->lib, &taken, err) == -1 ||
      service_layout (&p->tiers, p->counts, &p->old,
                      (const char *const *) taken, &p->plan->machines,
                      err) == -1 ||
      place (p, err) == -1 || tell_older (p, err) == -1 ||
      make_steps (p, err) == -1 || set_settings (p, err) == -1)
    return -1;
  if (lib_strings_append (&p->reasons, NULL) == -1)
    return v2v_fail_nomem (err);
  p->plan->reasons = STEAL (p->reasons.ptr);
  p->reasons.len = 0;
  return 0;
}

static struct v2v_service_plan *
begin_plan (struct planning *p, struct v2v_library *lib,
            enum v2v_service_operation op, const char *service,
            const struct v2v_service_opts *opts, struct v2v_error **err)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = calloc (1, sizeof *plan);

  if (plan == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  memset (p, 0, sizeof *p);
  p->lib = lib;
  p->opts = opts;
  p->plan = plan;
  plan->operation = op;
  if (op == V2V_SERVICE_DEPLOY) {
    char id[37];

    if (lib_check_text ("the name of a service", service, true, err) == -1 ||
        lib_new_id (id, err) == -1)
      return NULL;
    plan->id = strdup (id);
    plan->name = strdup (service);
  }
  else {
    if (service_row_find (lib, service, &p->row, err) == -1 ||
        service_read_machines (lib, p->row.id, &p->old, err) == -1)
      return NULL;
    plan->id = strdup (p->row.id);
    plan->name = strdup (p->row.name);
  }
  if (opts->document_id != NULL)
    plan->template_id = strdup (opts->document_id);
  if (plan->id == NULL || plan->name == NULL ||
      (opts->document_id != NULL && plan->template_id == NULL)) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (plan);
}

static int
end_plan (struct planning *p, int r, struct v2v_service_plan **ret)
{
  /* The tiers point into the plan's document: they go first. */
  planning_clear (p);
  if (r == 0)
    *ret = p->plan;
  else
    v2v_service_plan_free (p->plan);
  return r;
}

int
v2v_service_plan_deploy (struct v2v_library *lib,
                         const struct v2v_service_opts *opts,
                         struct v2v_service_plan **ret, struct v2v_error **err)
{
  const struct v2v_document *d = opts->document;
  struct planning p;
  int r;

  if (d->kind != V2V_DOCUMENT_SERVICE)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s' is a %s, expected a service-template", d->head.name,
                     v2v_document_kind_name (d->kind));
  if (begin_plan (&p, lib, V2V_SERVICE_DEPLOY,
                  opts->name != NULL ? opts->name : d->head.name, opts,
                  err) == NULL) {
    planning_clear (&p);
    return -1;
  }
  p.template = (struct v2v_document *) (uintptr_t) d;
  r = resolve_values (d, NULL, opts, &p.values, err);
  if (r == 0)
    r = plan_all (&p, err);
  return end_plan (&p, r, ret);
}

/* Only a service whose last operation has ended can get another one. */
static int
check_idle (const struct planning *p, struct v2v_error **err)
{
  if (strcmp (p->row.state, "deployed") == 0)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "the service '%s' is still %s", p->row.name,
            p->row.state);
  return v2v_hint (err, "'v2v service resume' goes on with that, 'v2v service "
                        "rollback' takes it back");
}

static int
plan_change (struct v2v_library *lib, enum v2v_service_operation op,
             const char *service, const struct v2v_service_opts *opts,
             struct v2v_service_plan **ret, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *kept = NULL, *before = NULL;
  const struct v2v_document *given =
      op == V2V_SERVICE_UPDATE ? opts->document : NULL;
  const struct v2v_json *current;
  struct planning p;
  int r = -1;

  if (begin_plan (&p, lib, op, service, opts, err) == NULL) {
    planning_clear (&p);
    return -1;
  }
  current = v2v_json_get (p.row.settings, "current");
  if (check_idle (&p, err) == -1 ||
      (kept = service_template (current, err)) == NULL ||
      (before = service_document (current, err)) == NULL)
    return end_plan (&p, -1, ret);
  if (given != NULL && given->kind != V2V_DOCUMENT_SERVICE)
    v2v_fail (err, V2V_ERR_USAGE, "'%s' is a %s, expected a service-template",
              given->head.name, v2v_document_kind_name (given->kind));
  else {
    p.template =
        given != NULL ? (struct v2v_document *) (uintptr_t) given : kept;
    r = resolve_values (p.template, current, opts, &p.values, err);
  }
  if (r == 0 && given == NULL && p.plan->template_id == NULL) {
    const char *id = v2v_json_get_string (current, "template_id");

    p.plan->template_id = id != NULL ? strdup (id) : NULL;
  }
  if (r == 0)
    r = plan_all (&p, err);
  if (r == 0)
    r = v2v_document_diff (before, p.plan->document, &p.plan->changes, err);
  return end_plan (&p, r, ret);
}

int
v2v_service_plan_scale (struct v2v_library *lib, const char *service,
                        const struct v2v_service_opts *opts,
                        struct v2v_service_plan **ret, struct v2v_error **err)
{
  return plan_change (lib, V2V_SERVICE_SCALE, service, opts, ret, err);
}

int
v2v_service_plan_update (struct v2v_library *lib, const char *service,
                         const struct v2v_service_opts *opts,
                         struct v2v_service_plan **ret, struct v2v_error **err)
{
  return plan_change (lib, V2V_SERVICE_UPDATE, service, opts, ret, err);
}

/* ---- delete ---- */

/* Machines that an update that did not end has put aside. */
static int
add_retired (struct planning *p, struct v2v_error **err)
{
  struct v2v_service_steps steps = { .ptr = NULL };
  int r = service_read_steps (p->lib, p->row.id, &steps, err);

  for (size_t i = 0; r == 0 && i < steps.len; ++i) {
    const struct v2v_service_step *s = &steps.ptr[i];
    const char *id = v2v_json_get_string (s->detail, "id");
    const char *tier = v2v_json_get_string (s->detail, "tier");
    struct v2v_service_machine *m;

    if (strcmp (s->kind, "retire") != 0 || strcmp (s->state, "done") != 0 ||
        strcmp (p->row.state, "deployed") == 0 || id == NULL || tier == NULL)
      continue;
    m = service_machine_add (&p->old, tier, 0, err);
    if (m == NULL)
      r = -1;
    else if ((m->id = strdup (id)) == NULL ||
             (m->computer_name = strdup (s->subject)) == NULL)
      r = v2v_fail_nomem (err);
  }
  v2v_service_steps_clear (&steps);
  return r;
}

/* The scripts of the phase "remove". */
static int
find_scripts (struct planning *p, const struct v2v_document *d,
              struct v2v_error **err)
{
  for (size_t i = 0; i < d->service.nr_tiers; ++i) {
    const struct v2v_tier *tier = &d->service.tiers[i];
    struct service_tier *t = &p->tiers.ptr[p->tiers.len++];

    t->tier = tier;
    t->scripts = calloc (tier->nr_scripts + 1, sizeof *t->scripts);
    if (t->scripts == NULL)
      return v2v_fail_nomem (err);
    for (size_t k = 0; k < tier->nr_scripts; ++k)
      if (tier->scripts[k].phase == V2V_PHASE_REMOVE && !p->opts->no_scripts &&
          service_resolve (p->lib, V2V_OBJECT_SCRIPT, &tier->scripts[k].object,
                           name_space_of (p), &t->scripts[k], NULL,
                           err) == -1) {
        v2v_prefix (err, "tier %s", tier->name);
        return v2v_hint (err, "--no-scripts removes its machines without them");
      }
  }
  return 0;
}

static int
plan_delete (struct planning *p, struct v2v_error **err)
{
  const struct v2v_json *current = v2v_json_get (p->row.settings, "current");
  const struct v2v_json *next = v2v_json_get (p->row.settings, "next");
  struct v2v_service_plan *plan = p->plan;

  plan->document =
      service_document (v2v_json_is_object (current) ? current : next, err);
  if (plan->document == NULL)
    return -1;
  p->tiers.ptr =
      calloc (plan->document->service.nr_tiers + 1, sizeof *p->tiers.ptr);
  if (p->tiers.ptr == NULL)
    return v2v_fail_nomem (err);
  return find_scripts (p, plan->document, err) == -1 ||
                 service_finish_machines (plan->document, &p->old, err) == -1 ||
                 sort_old (p, err) == -1 || add_retired (p, err) == -1 ||
                 service_load_hosts (p->lib, p->row.settings, &p->hosts,
                                     &p->acting, err) == -1 ||
                 make_steps (p, err) == -1 || set_settings (p, err) == -1
             ? -1
             : 0;
}

int
v2v_service_plan_delete (struct v2v_library *lib, const char *service,
                         const struct v2v_service_opts *opts,
                         struct v2v_service_plan **ret, struct v2v_error **err)
{
  struct planning p;

  if (begin_plan (&p, lib, V2V_SERVICE_DELETE, service, opts, err) == NULL) {
    planning_clear (&p);
    return -1;
  }
  return end_plan (&p, plan_delete (&p, err), ret);
}
