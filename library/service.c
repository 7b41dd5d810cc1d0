/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services: a plan is done, gone on with, or taken back, by one process at a
 * time.
 */

#include <config.h>

#include <string.h>

#include "library/service-internal.h"

typedef int runner (struct v2v_library *lib, const char *id,
                    const struct service_actions *actions,
                    struct v2v_error **err);

/* What others deployed is changed by authors of its namespace. */
static int
check_owner (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  CLEANUP_SERVICE_ROW struct service_row row = { .id = NULL };
  const char *name_space;

  if (service_row_find (lib, id, &row, err) == -1)
    return -1;
  name_space = v2v_json_get_string (row.settings, "name_space");
  return lib_need_owner (lib, row.owner, name_space ? name_space : "", row.name,
                         err);
}

static int
run_locked (struct v2v_library *lib, const char *id,
            const struct v2v_service_plan *plan, runner *run,
            const struct v2v_service_opts *opts, struct v2v_error **err)
{
  struct service_lock lock;
  struct service_row row = { .id = NULL };
  struct service_actions actions;
  struct service_act *act = NULL;
  int r;

  if ((plan == NULL || plan->operation != V2V_SERVICE_DEPLOY) &&
      check_owner (lib, id, err) == -1)
    return -1;
  if (service_lock (lib, id, &lock, err) == -1)
    return -1;
  r = plan != NULL ? service_begin (lib, plan, err) : 0;
  if (r == 0)
    r = service_row_find (lib, id, &row, err);
  if (r == 0 &&
      (act = service_act_new (lib, &row, opts, &actions, err)) == NULL)
    r = -1;
  if (r == 0)
    r = run (lib, id, &actions, err);
  service_act_free (act);
  service_row_clear (&row);
  service_unlock (lib, &lock);
  return r;
}

/* Is it the first machine of its tier that step I makes? */
static bool
is_first_of_tier (const struct v2v_service_steps *steps, size_t i)
{
  const char *tier = v2v_json_get_string (steps->ptr[i].detail, "tier");

  if (strcmp (steps->ptr[i].kind, "create") != 0)
    return false;
  for (size_t k = 0; k < i; ++k)
    if (strcmp (steps->ptr[k].kind, "create") == 0 &&
        strcmp (v2v_json_get_string (steps->ptr[k].detail, "tier"), tier) == 0)
      return false;
  return true;
}

int
v2v_service_check (struct v2v_library *lib, const struct v2v_service_plan *plan,
                   const struct v2v_service_opts *opts, struct v2v_error **err)
{
  struct service_row row = { .id = plan->id, .name = plan->name };
  struct service_actions actions;
  struct service_act *act = NULL;
  int r = -1;

  row.settings = v2v_json_parse (plan->settings, strlen (plan->settings),
                                 "settings of the plan", err);
  if (row.settings != NULL)
    act = service_act_new (lib, &row, opts, &actions, err);
  if (act != NULL)
    r = 0;
  for (size_t i = 0; r == 0 && i < plan->steps.len; ++i)
    if (is_first_of_tier (&plan->steps, i)) {
      r = service_act_try (act, plan->steps.ptr[i].detail, err);
      if (r == -1)
        v2v_prefix (err, "tier %s",
                    v2v_json_get_string (plan->steps.ptr[i].detail, "tier"));
    }
  service_act_free (act);
  v2v_json_free (row.settings);
  return r;
}

int
v2v_service_execute (struct v2v_library *lib,
                     const struct v2v_service_plan *plan,
                     const struct v2v_service_opts *opts,
                     struct v2v_error **err)
{
  return v2v_service_check (lib, plan, opts, err) == -1
             ? -1
             : run_locked (lib, plan->id, plan, service_run, opts, err);
}

static int
run_named (struct v2v_library *lib, const char *service, runner *run,
           const struct v2v_service_opts *opts, struct v2v_error **err)
{
  CLEANUP_SERVICE_ROW struct service_row row = { .id = NULL };

  if (service_row_find (lib, service, &row, err) == -1)
    return -1;
  return run_locked (lib, row.id, NULL, run, opts, err);
}

int
v2v_service_resume (struct v2v_library *lib, const char *service,
                    const struct v2v_service_opts *opts, struct v2v_error **err)
{
  return run_named (lib, service, service_run, opts, err);
}

int
v2v_service_rollback (struct v2v_library *lib, const char *service,
                      const struct v2v_service_opts *opts,
                      struct v2v_error **err)
{
  return run_named (lib, service, service_run_back, opts, err);
}
