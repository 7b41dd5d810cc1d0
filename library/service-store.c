/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services in the catalogue: their rows, machines and steps.
 *
 * The lock of a service is an intent (pending.c) without files of its own: it
 * ends with the process that has it, also on another machine of the same
 * catalogue as soon as that one is started again.
 */

#include <config.h>

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/service-internal.h"

/* A hundred thousand steps are 10000 machines with ten each. */
#define MAX_STEPS 100000

void
service_row_clear (struct service_row *r)
{
  free (r->id);
  free (r->name);
  free (r->state);
  free (r->owner);
  v2v_json_free (r->settings);
  memset (r, 0, sizeof *r);
}

static char *
column (struct v2v_query *q, unsigned i)
{
  const char *s = v2v_query_get_text (q, i);

  return strdup (s != NULL ? s : "");
}

int
service_row_find (struct v2v_library *lib, const char *ref,
                  struct service_row *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat,
                     "SELECT id, name, state, settings, owner, created FROM "
                     "service WHERE id = ? OR name = ? ORDER BY name = ? DESC",
                     err);
  struct service_row row = { .id = NULL };
  const char *text;
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, ref);
  v2v_query_text (q, ref);
  v2v_query_text (q, ref);
  r = v2v_query_step (q, err);
  if (r == -1)
    return -1;
  if (r == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "no service is called '%.255s'", ref);
    return v2v_hint (err, "'v2v service ls' lists them");
  }
  row.id = column (q, 0);
  row.name = column (q, 1);
  row.state = column (q, 2);
  row.owner = column (q, 4);
  row.created = v2v_query_get_int (q, 5);
  text = v2v_query_get_text (q, 3);
  row.settings =
      v2v_json_parse (text, strlen (text), "settings of a service", err);
  if (row.settings == NULL || row.id == NULL || row.name == NULL ||
      row.state == NULL || row.owner == NULL) {
    r = row.settings == NULL ? -1 : v2v_fail_nomem (err);
    service_row_clear (&row);
    return r;
  }
  *ret = row;
  return 0;
}

int
service_read_machines (struct v2v_library *lib, const char *id,
                       struct v2v_service_machines *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT tier, ordinal, computer_name, host, id, state FROM machine "
      "WHERE service = ? ORDER BY tier, ordinal, created",
      err);
  struct v2v_service_machines list = { .ptr = NULL };
  int r = -1;

  if (q != NULL) {
    v2v_query_text (q, id);
    while ((r = v2v_query_step (q, err)) == 1) {
      struct v2v_service_machine *m =
          service_machine_add (&list, v2v_query_get_text (q, 0),
                               (unsigned) v2v_query_get_int (q, 1), err);

      if (m == NULL) {
        r = -1;
        break;
      }
      m->computer_name = column (q, 2);
      if (v2v_query_get_text (q, 3)[0] != '\0')
        m->host = column (q, 3);
      m->id = column (q, 4);
      m->state = column (q, 5);
      if (m->computer_name == NULL || m->id == NULL || m->state == NULL) {
        r = v2v_fail_nomem (err);
        break;
      }
    }
  }
  if (r == 0)
    *ret = list;
  else
    v2v_service_machines_clear (&list);
  return r;
}

int
service_read_steps (struct v2v_library *lib, const char *id,
                    struct v2v_service_steps *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT kind, subject, state, detail FROM service_step WHERE service = ? "
      "ORDER BY seq",
      err);
  struct v2v_service_steps list = { .ptr = NULL };
  int r = -1;

  if (q != NULL) {
    v2v_query_text (q, id);
    while ((r = v2v_query_step (q, err)) == 1) {
      const char *text = v2v_query_get_text (q, 3);
      struct v2v_json *detail =
          v2v_json_parse (text, strlen (text), "step of a service", err);

      if (detail == NULL ||
          service_step_add (&list, v2v_query_get_text (q, 0),
                            v2v_query_get_text (q, 1),
                            v2v_query_get_text (q, 2), detail, err) == -1) {
        r = -1;
        break;
      }
    }
  }
  if (r == 0)
    *ret = list;
  else
    v2v_service_steps_clear (&list);
  return r;
}

int
service_taken_names (struct v2v_library *lib, char ***ret,
                     struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat, "SELECT name FROM computer_name", err);
  lib_strings names = V2V_VECTOR_INIT;
  int r = -1;

  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    char *name = column (q, 0);

    if (name == NULL || lib_strings_append (&names, name) == -1) {
      free (name);
      r = v2v_fail_nomem (err);
      break;
    }
  }
  if (r == 0 && lib_strings_append (&names, NULL) == -1)
    r = v2v_fail_nomem (err);
  if (r == 0)
    *ret = names.ptr;
  else
    lib_strings_clear (&names);
  return r;
}

/* ---- the lock ---- */

static void
lock_path (const char *id, char ret[64])
{
  snprintf (ret, 64, "service-lock/%.40s", id);
}

int
service_lock (struct v2v_library *lib, const char *id, struct service_lock *ret,
              struct v2v_error **err)
{
  const struct lib_intent none = LIB_INTENT_INIT;
  struct v2v_share share = { 0 };
  char path[64];
  bool taken;
  int r = -1;

  ret->intent = none;
  lock_path (id, path);
  if (lib_find_share (lib, NULL, &share, err) == -1)
    return -1;
  if (v2v_catalogue_begin (lib->cat, err) == 0 &&
      lib_intent_has (lib, share.id, path, &taken, err) == 0) {
    if (taken) {
      v2v_fail (err, V2V_ERR_USAGE, "another process works on this service");
      v2v_hint (err, "wait for it; 'v2v library gc --force' ends what a "
                     "machine that is gone has left");
    }
    else if (lib_intent_note (lib, "service", &share, &ret->intent, err) == 0 &&
             lib_intent_note_file (lib, &ret->intent, path, err) == 0)
      r = v2v_catalogue_commit (lib->cat, err);
  }
  if (r == -1) {
    v2v_catalogue_rollback (lib->cat);
    lib_intent_close (&ret->intent);
  }
  lib_share_clear (&share);
  return r;
}

void
service_unlock (struct v2v_library *lib, struct service_lock *lock)
{
  struct v2v_error *e = NULL;

  if (lock->intent.share == NULL)
    return;
  v2v_catalogue_rollback (lib->cat);
  if (v2v_catalogue_begin (lib->cat, &e) == -1 ||
      lib_intent_end (lib, &lock->intent, &e) == -1 ||
      v2v_catalogue_commit (lib->cat, &e) == -1) {
    v2v_catalogue_rollback (lib->cat);
    v2v_debug ("service: its lock stays until we end: %s",
               v2v_error_message (e));
  }
  v2v_error_free (e);
  lib_intent_close (&lock->intent);
}

/* ---- operations ---- */

static const char *
state_of (enum v2v_service_operation op)
{
  switch (op) {
  case V2V_SERVICE_DEPLOY:
    return "deploying";
  case V2V_SERVICE_SCALE:
    return "scaling";
  case V2V_SERVICE_UPDATE:
    return "updating";
  case V2V_SERVICE_DELETE:
    break;
  }
  return "deleting";
}

static const char *
user_name (void)
{
  const struct passwd *pw = getpwuid (geteuid ());

  return pw != NULL ? pw->pw_name : "";
}

static int
insert_service (struct v2v_library *lib, const struct v2v_service_plan *plan,
                struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "INSERT INTO service (id, name, template, template_digest, settings, "
      "state, owner, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      err);

  if (q == NULL)
    return -1;
  v2v_query_text (q, plan->id);
  v2v_query_text (q, plan->name);
  v2v_query_text (q, plan->template_id ? plan->template_id : "");
  v2v_query_text (q, plan->template_digest ? plan->template_digest : "");
  v2v_query_text (q, plan->settings);
  v2v_query_text (q, state_of (plan->operation));
  v2v_query_text (q, user_name ());
  v2v_query_int (q, time (NULL));
  return v2v_query_step (q, err) == -1 ? -1 : 0;
}

static int
insert_steps (struct v2v_library *lib, const char *id,
              const struct v2v_service_steps *steps, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "INSERT INTO service_step (service, seq, kind, subject, detail, state) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      err);

  if (q == NULL)
    return -1;
  if (steps->len > MAX_STEPS)
    return v2v_fail (err, V2V_ERR_USAGE, "%zu steps, expected up to %d",
                     steps->len, MAX_STEPS);
  for (size_t i = 0; i < steps->len; ++i) {
    const struct v2v_service_step *s = &steps->ptr[i];
    CLEANUP_FREE char *detail = v2v_json_dump (s->detail, 0);

    if (detail == NULL)
      return v2v_fail_nomem (err);
    v2v_query_reset (q);
    v2v_query_text (q, id);
    v2v_query_int (q, (int64_t) i);
    v2v_query_text (q, s->kind);
    v2v_query_text (q, s->subject);
    v2v_query_text (q, detail);
    v2v_query_text (q, s->state);
    if (v2v_query_step (q, err) == -1)
      return -1;
  }
  return 0;
}

/* Is the name free (DEPLOY), or is the service as it was when it was planned?
 */
static int
check_begin (struct v2v_library *lib, const struct v2v_service_plan *plan,
             struct v2v_error **err)
{
  CLEANUP_FREE char *state = NULL;

  if (lib_lookup (lib, &state, err,
                  plan->operation == V2V_SERVICE_DEPLOY
                      ? "SELECT state FROM service WHERE name = ?"
                      : "SELECT state FROM service WHERE id = ?",
                  plan->operation == V2V_SERVICE_DEPLOY ? plan->name : plan->id,
                  V2V_QUERY_END) == -1)
    return -1;
  if (plan->operation == V2V_SERVICE_DEPLOY) {
    if (state == NULL)
      return 0;
    v2v_fail (err, V2V_ERR_USAGE, "a service is called '%s' already",
              plan->name);
    return v2v_hint (err, strcmp (state, "deploying") == 0
                              ? "'v2v service resume' goes on with it"
                              : "--name gives this one another name");
  }
  if (state == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "the service '%s' is gone",
                     plan->name);
  if (strcmp (state, "deployed") == 0 || plan->operation == V2V_SERVICE_DELETE)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "the service '%s' is still %s", plan->name,
            state);
  return v2v_hint (err, "'v2v service resume' goes on with that, 'v2v service "
                        "rollback' takes it back");
}

int
service_begin (struct v2v_library *lib, const struct v2v_service_plan *plan,
               struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (check_begin (lib, plan, err) == 0 &&
      (plan->operation == V2V_SERVICE_DEPLOY
           ? insert_service (lib, plan, err)
           : v2v_catalogue_run (
                 lib->cat, NULL, err,
                 "UPDATE service SET state = ?, settings = ? WHERE id = ?",
                 state_of (plan->operation), plan->settings, plan->id,
                 V2V_QUERY_END)) == 0 &&
      v2v_catalogue_run (lib->cat, NULL, err,
                         "DELETE FROM service_step WHERE service = ?", plan->id,
                         V2V_QUERY_END) == 0 &&
      insert_steps (lib, plan->id, &plan->steps, err) == 0)
    return v2v_catalogue_commit (lib->cat, err);
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

int
service_step_state (struct v2v_library *lib, const char *id, size_t seq,
                    const char *state, const struct v2v_json *detail,
                    struct v2v_error **err)
{
  CLEANUP_FREE char *text = v2v_json_dump (detail, 0);
  CLEANUP_QUERY struct v2v_query *q = NULL;

  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  q = v2v_query_new (lib->cat,
                     "UPDATE service_step SET state = ?, detail = ? WHERE "
                     "service = ? AND seq = ?",
                     err);
  if (q != NULL) {
    v2v_query_text (q, state);
    v2v_query_text (q, text);
    v2v_query_text (q, id);
    v2v_query_int (q, (int64_t) seq);
    if (v2v_query_step (q, err) == 0)
      return v2v_catalogue_commit (lib->cat, err);
  }
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

static int
set_settings (struct v2v_library *lib, const char *id,
              const struct v2v_json *settings, struct v2v_error **err)
{
  const struct v2v_json *current = v2v_json_get (settings, "current");
  const char *template = v2v_json_get_string (current, "template_id");
  const char *digest = v2v_json_get_string (current, "template_digest");
  CLEANUP_FREE char *text = v2v_json_dump (settings, 0);

  if (text == NULL)
    return v2v_fail_nomem (err);
  return v2v_catalogue_run (lib->cat, NULL, err,
                            "UPDATE service SET state = 'deployed', settings = "
                            "?, template = ?, template_digest = ? WHERE id = ?",
                            text, template ? template : "",
                            digest ? digest : "", id, V2V_QUERY_END);
}

int
service_end (struct v2v_library *lib, const char *id,
             const struct v2v_json *settings, struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if ((settings != NULL ? set_settings (lib, id, settings, err)
                        : v2v_catalogue_run (lib->cat, NULL, err,
                                             "DELETE FROM service WHERE id = ?",
                                             id, V2V_QUERY_END)) == 0)
    return v2v_catalogue_commit (lib->cat, err);
  v2v_catalogue_rollback (lib->cat);
  return -1;
}
