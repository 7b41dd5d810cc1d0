/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps of a service are done, or undone.
 *
 * A step is "running" in the catalogue before it begins and "done" after it;
 * who comes later, after any crash, does each step that is not "done", and
 * finds what of it is there already: a machine by its place in the service, a
 * removal by the row that is gone.  Scripts are run again; v2v-service(1) says
 * so to who writes them.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/service-internal.h"

struct run {
  struct v2v_library *lib;
  const struct service_actions *a;
  struct service_row row;
  struct v2v_service_steps steps;
};

static bool
is (const char *s, const char *word)
{
  return strcmp (s, word) == 0;
}

static uint64_t
number (const struct v2v_json *j, const char *key)
{
  uint64_t n;

  return v2v_json_get_u64 (j, key, &n) ? n : 0;
}

static const char *
text (const struct v2v_json *j, const char *key)
{
  const char *s = v2v_json_get_string (j, key);

  return s != NULL ? s : "";
}

/* The machine that is at the place of DETAIL now; *RET NULL: none. */
static int
machine_at (const struct run *r, const struct v2v_json *detail, char **ret,
            struct v2v_error **err)
{
  char ordinal[24];

  snprintf (ordinal, sizeof ordinal, "%" PRIu64, number (detail, "ordinal"));
  return lib_lookup (r->lib, ret, err,
                     "SELECT id FROM machine WHERE service = ? AND tier = ? "
                     "AND ordinal = CAST (? AS BIGINT)",
                     r->row.id, text (detail, "tier"), ordinal, V2V_QUERY_END);
}

static int
is_there (const struct run *r, const char *id, bool *ret,
          struct v2v_error **err)
{
  CLEANUP_FREE char *found = NULL;

  if (lib_lookup (r->lib, &found, err, "SELECT id FROM machine WHERE id = ?",
                  id, V2V_QUERY_END) == -1)
    return -1;
  *ret = found != NULL;
  return 0;
}

static int
remove_machine (const struct run *r, const char *id, struct v2v_error **err)
{
  bool there;

  if (is_there (r, id, &there, err) == -1)
    return -1;
  return there ? r->a->remove (r->a->arg, id, err) : 0;
}

/* ---- retiring: the machine stays, its place and its name are free ---- */

static int
names_of (const struct run *r, const char *id, struct v2v_json *ret,
          struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      r->lib->cat, "SELECT name FROM computer_name WHERE machine = ?", err);
  int res;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((res = v2v_query_step (q, err)) == 1)
    v2v_json_append (ret, v2v_json_new_string (v2v_query_get_text (q, 0)));
  return res;
}

static int
retire_in_transaction (struct run *r, struct v2v_service_step *s,
                       struct v2v_error **err)
{
  struct v2v_json *names = v2v_json_new_array ();
  const char *id = text (s->detail, "id");

  if (names_of (r, id, names, err) == -1) {
    v2v_json_free (names);
    return -1;
  }
  /* A second time there are none: those of the first time are kept. */
  if (v2v_json_length (names) > 0)
    v2v_json_set (s->detail, "names", names);
  else
    v2v_json_free (names);
  return v2v_catalogue_run (r->lib->cat, NULL, err,
                            "DELETE FROM computer_name WHERE machine = ?", id,
                            V2V_QUERY_END) == -1 ||
                 v2v_catalogue_run (r->lib->cat, NULL, err,
                                    "UPDATE machine SET service = '', tier = "
                                    "'', ordinal = 0 WHERE id = ?",
                                    id, V2V_QUERY_END) == -1
             ? -1
             : 0;
}

static int
restore_in_transaction (const struct run *r, const struct v2v_json *detail,
                        struct v2v_error **err)
{
  const struct v2v_json *names = v2v_json_get (detail, "names");
  const char *id = text (detail, "id");
  char ordinal[24];

  snprintf (ordinal, sizeof ordinal, "%" PRIu64, number (detail, "ordinal"));
  for (size_t i = 0; i < v2v_json_length (names); ++i)
    if (v2v_catalogue_run (
            r->lib->cat, NULL, err,
            "INSERT INTO computer_name (name, machine) VALUES (?, ?) "
            "ON CONFLICT DO NOTHING",
            v2v_json_string_value (v2v_json_at (names, i)), id,
            V2V_QUERY_END) == -1)
      return -1;
  return v2v_catalogue_run (r->lib->cat, NULL, err,
                            "UPDATE machine SET service = ?, tier = ?, ordinal "
                            "= CAST (? AS BIGINT) WHERE id = ?",
                            r->row.id, text (detail, "tier"), ordinal, id,
                            V2V_QUERY_END);
}

/* The row of the step is written in the same transaction: either both count
 * or none. */
static int
step_state_in_transaction (const struct run *r, size_t i, const char *state,
                           struct v2v_error **err)
{
  CLEANUP_FREE char *detail = v2v_json_dump (r->steps.ptr[i].detail, 0);
  char seq[24];

  if (detail == NULL)
    return v2v_fail_nomem (err);
  snprintf (seq, sizeof seq, "%zu", i);
  return v2v_catalogue_run (r->lib->cat, NULL, err,
                            "UPDATE service_step SET state = ?, detail = ? "
                            "WHERE service = ? AND seq = CAST (? AS BIGINT)",
                            state, detail, r->row.id, seq, V2V_QUERY_END);
}

static int
retire (struct run *r, size_t i, bool back, struct v2v_error **err)
{
  struct v2v_service_step *s = &r->steps.ptr[i];

  if (v2v_catalogue_begin (r->lib->cat, err) == -1)
    return -1;
  if ((back ? restore_in_transaction (r, s->detail, err)
            : retire_in_transaction (r, s, err)) == 0 &&
      step_state_in_transaction (r, i, back ? "planned" : "done", err) == 0)
    return v2v_catalogue_commit (r->lib->cat, err);
  v2v_catalogue_rollback (r->lib->cat);
  return -1;
}

/* ---- one step ---- */

static int
create (struct run *r, struct v2v_service_step *s, struct v2v_error **err)
{
  CLEANUP_FREE char *id = NULL;

  if (machine_at (r, s->detail, &id, err) == -1 ||
      (id == NULL && r->a->create (r->a->arg, s->detail, &id, err) == -1))
    return -1;
  v2v_json_set_string (s->detail, "made", id);
  return 0;
}

static int
send_machine (struct run *r, const struct v2v_json *detail,
              struct v2v_error **err)
{
  CLEANUP_FREE char *id = NULL;

  if (machine_at (r, detail, &id, err) == -1)
    return -1;
  if (id == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "the machine is gone");
  return r->a->send (r->a->arg, id, text (detail, "host"), err);
}

/* Of a machine of this operation, or of one that was there. */
static int
start_stop (struct run *r, const struct v2v_service_step *s, bool start,
            struct v2v_error **err)
{
  CLEANUP_FREE char *at = NULL;
  const char *id = v2v_json_get_string (s->detail, "id");
  bool there;

  if (id == NULL) {
    if (machine_at (r, s->detail, &at, err) == -1)
      return -1;
    id = at;
  }
  if (id == NULL)
    return 0;
  if (is_there (r, id, &there, err) == -1)
    return -1;
  if (!there)
    return 0;
  return start ? r->a->start (r->a->arg, id, err)
               : r->a->stop (r->a->arg, id, err);
}

static int
network_of_detail (struct run *r, const struct v2v_json *detail,
                   struct v2v_error **err)
{
  const struct v2v_json *list = v2v_json_get (detail, "machines");
  struct v2v_service_machines machines = { .ptr = NULL };
  int res = 0;

  if (is (r->row.state, "deleting"))
    return r->a->network (r->a->arg, NULL, NULL, err);
  for (size_t i = 0; res == 0 && i < v2v_json_length (list); ++i) {
    const struct v2v_json *j = v2v_json_at (list, i);
    const char *address = v2v_json_get_string (j, "address");
    struct v2v_service_machine *m = service_machine_add (
        &machines, text (j, "tier"), (unsigned) number (j, "ordinal"), err);

    if (m == NULL)
      res = -1;
    else if ((m->computer_name = strdup (text (j, "computer_name"))) == NULL ||
             (address != NULL && (m->address = strdup (address)) == NULL))
      res = v2v_fail_nomem (err);
  }
  if (res == 0)
    res = r->a->network (r->a->arg, NULL, &machines, err);
  v2v_service_machines_clear (&machines);
  return res;
}

static int
do_step (struct run *r, size_t i, struct v2v_error **err)
{
  struct v2v_service_step *s = &r->steps.ptr[i];

  if (is (s->kind, "retire"))
    return retire (r, i, false, err);
  if (is (s->kind, "create"))
    return create (r, s, err);
  if (is (s->kind, "send"))
    return send_machine (r, s->detail, err);
  if (is (s->kind, "start") || is (s->kind, "stop"))
    return start_stop (r, s, is (s->kind, "start"), err);
  if (is (s->kind, "script"))
    return r->a->script (r->a->arg, s->detail, err);
  if (is (s->kind, "network"))
    return network_of_detail (r, s->detail, err);
  if (is (s->kind, "remove"))
    return remove_machine (r, text (s->detail, "id"), err);
  return v2v_fail (err, V2V_ERR_FORMAT, "there is no step '%.32s'", s->kind);
}

static int
set_state (struct run *r, size_t i, const char *state, struct v2v_error **err)
{
  struct v2v_service_step *s = &r->steps.ptr[i];
  char *copy = strdup (state);

  if (copy == NULL)
    return v2v_fail_nomem (err);
  free (s->state);
  s->state = copy;
  return service_step_state (r->lib, r->row.id, i, state, s->detail, err);
}

static void
tell (const struct run *r, size_t i, bool done)
{
  if (r->a->tell != NULL)
    r->a->tell (r->a->tell_arg, i + 1, r->steps.len, &r->steps.ptr[i], done);
}

/* What went wrong is kept with the step; ERR stays what it is. */
static void
note_failure (struct run *r, size_t i, struct v2v_error **err)
{
  struct v2v_error *e = NULL;

  v2v_catalogue_rollback (r->lib->cat);
  if (err != NULL && *err != NULL)
    v2v_json_set_string (r->steps.ptr[i].detail, "error",
                         v2v_error_message (*err));
  (void) set_state (r, i, "failed", &e);
  v2v_error_free (e);
}

static int
run_step (struct run *r, size_t i, struct v2v_error **err)
{
  struct v2v_service_step *s = &r->steps.ptr[i];

  if (r->a->cancel != NULL && atomic_load (r->a->cancel))
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "stopped");
  tell (r, i, false);
  if (set_state (r, i, "running", err) == -1)
    return -1;
  if (do_step (r, i, err) == -1) {
    note_failure (r, i, err);
    v2v_prefix (err, "%s %s", s->kind, s->subject);
    return v2v_hint (err, "'v2v service resume' goes on from here, 'v2v "
                          "service rollback' takes back what was done");
  }
  if (set_state (r, i, "done", err) == -1)
    return -1;
  tell (r, i, true);
  return 0;
}

/* ---- all steps ---- */

static int
load (struct run *r, const char *id, struct v2v_error **err)
{
  if (service_row_find (r->lib, id, &r->row, err) == -1)
    return -1;
  return service_read_steps (r->lib, r->row.id, &r->steps, err);
}

static void
unload (struct run *r)
{
  service_row_clear (&r->row);
  v2v_service_steps_clear (&r->steps);
}

/* What is valid after the operation: NEXT, or what was before. */
static struct v2v_json *
settings_after (const struct service_row *row, const char *which)
{
  struct v2v_json *o = v2v_json_new_object ();
  static const char *const members[] = { "place", "name_space" };
  const struct v2v_json *valid = v2v_json_get (row->settings, which);

  v2v_json_set (o, "current",
                v2v_json_ref ((struct v2v_json *) (uintptr_t) valid));
  for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i) {
    const struct v2v_json *m = v2v_json_get (row->settings, members[i]);

    if (m != NULL)
      v2v_json_set (o, members[i],
                    v2v_json_ref ((struct v2v_json *) (uintptr_t) m));
  }
  return o;
}

static int
end (const struct run *r, const char *which, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *settings =
      which != NULL ? settings_after (&r->row, which) : NULL;

  if (which != NULL && !v2v_json_ok (settings))
    return v2v_fail_nomem (err);
  return service_end (r->lib, r->row.id, settings, err);
}

int
service_run (struct v2v_library *lib, const char *id,
             const struct service_actions *actions, struct v2v_error **err)
{
  struct run r = { .lib = lib, .a = actions };
  int res = load (&r, id, err);

  if (res == 0 && is (r.row.state, "deployed"))
    res = v2v_fail (err, V2V_ERR_USAGE, "nothing of '%s' is left to do",
                    r.row.name);
  for (size_t i = 0; res == 0 && i < r.steps.len; ++i)
    if (!is (r.steps.ptr[i].state, "done"))
      res = run_step (&r, i, err);
  if (res == 0)
    res = end (&r, is (r.row.state, "deleting") ? NULL : "next", err);
  unload (&r);
  return res;
}

/* ---- back ---- */

static int
undo_step (struct run *r, size_t i, struct v2v_error **err)
{
  struct v2v_service_step *s = &r->steps.ptr[i];
  CLEANUP_FREE char *id = NULL;

  if (is (s->kind, "retire"))
    return retire (r, i, true, err);
  if (is (s->kind, "create")) {
    if (machine_at (r, s->detail, &id, err) == -1)
      return -1;
    return id != NULL ? remove_machine (r, id, err) : 0;
  }
  if (is (s->kind, "start") || is (s->kind, "stop"))
    return start_stop (r, s, is (s->kind, "stop"), err);
  return 0; /* "send" goes with "create"; scripts stay; network: see below */
}

/* The load balancer and the zone for what is there now. */
static int
network_as_it_is (const struct run *r, struct v2v_error **err)
{
  const struct v2v_json *current = v2v_json_get (r->row.settings, "current");
  struct v2v_service_machines m = { .ptr = NULL };
  CLEANUP_DOCUMENT struct v2v_document *d = NULL;
  int res = -1;

  if (is (r->row.state, "deploying"))
    return r->a->network (r->a->arg, NULL, NULL, err);
  d = service_document (current, err);
  if (d != NULL && service_read_machines (r->lib, r->row.id, &m, err) == 0 &&
      service_finish_machines (d, &m, err) == 0)
    res = r->a->network (r->a->arg, d, &m, err);
  v2v_service_machines_clear (&m);
  return res;
}

static int
check_back (const struct run *r, struct v2v_error **err)
{
  if (is (r->row.state, "deployed"))
    return v2v_fail (err, V2V_ERR_USAGE, "nothing of '%s' is left to take back",
                     r->row.name);
  for (size_t i = 0; i < r->steps.len; ++i)
    if (is (r->steps.ptr[i].kind, "remove") &&
        !is (r->steps.ptr[i].state, "planned")) {
      v2v_fail (err, V2V_ERR_USAGE,
                "%s was removed already, or partly: it cannot come back",
                r->steps.ptr[i].subject);
      return v2v_hint (err, "'v2v service resume' does the rest");
    }
  return 0;
}

int
service_run_back (struct v2v_library *lib, const char *id,
                  const struct service_actions *actions, struct v2v_error **err)
{
  struct run r = { .lib = lib, .a = actions };
  bool network = false;
  int res = load (&r, id, err);

  if (res == 0)
    res = check_back (&r, err);
  for (size_t i = r.steps.len; res == 0 && i-- > 0;) {
    const bool files = is (r.steps.ptr[i].kind, "network");

    if (is (r.steps.ptr[i].state, "planned"))
      continue;
    /* Not "planned" before it is as it was: who takes this over redoes it. */
    network |= files;
    tell (&r, i, false);
    res = undo_step (&r, i, err);
    if (res == 0)
      res = set_state (&r, i, files ? "running" : "planned", err);
    if (res == 0)
      tell (&r, i, true);
    else
      v2v_prefix (err, "taking back: %s %s", r.steps.ptr[i].kind,
                  r.steps.ptr[i].subject);
  }
  if (res == 0 && network)
    res = network_as_it_is (&r, err);
  if (res == 0)
    res = end (&r, is (r.row.state, "deploying") ? NULL : "current", err);
  unload (&r);
  return res;
}
