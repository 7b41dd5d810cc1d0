/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v service: its verbs; what is planned, and what is done. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/cmd-service.h"
#include "formats/core/text.h"

/* clang-format off */
static const struct v2v_command *const verbs[] = {
  &service_cmd_delete,
  &service_cmd_deploy,
  &service_cmd_ls,
  &service_cmd_plan,
  &service_cmd_refresh,
  &service_cmd_resume,
  &service_cmd_rollback,
  &service_cmd_scale,
  &service_cmd_show,
  &service_cmd_update,
  &service_cmd_validate,
  NULL
};

#define ROW_LIBRARY                                                            \
  { "library", OPT_LIBRARY, "DIR|NAME",                                        \
    "which library; by default $V2V_LIBRARY" }
#define ROW_COUNT                                                              \
  { "count", OPT_COUNT, "TIER=N",                                              \
    "so many machines of that tier; may be given again" }
#define ROW_HOSTS                                                              \
  { "hosts", OPT_HOSTS, "FILE",                                                \
    "send the machines to hosts of FILE, and start them there" }
#define ROW_DRY_RUN                                                            \
  { "dry-run", OPT_DRY_RUN, NULL, "print the plan, and do nothing" }
#define ROW_NAME { "name", OPT_NAME, "NAME", "name of the service" }
#define ROW_NAMESPACE                                                          \
  { "namespace", OPT_NAMESPACE, "TEXT",                                        \
    "namespace in which families are looked for" }
#define ROW_SET                                                                \
  { "set", OPT_SET, "NAME=VALUE",                                              \
    "a setting of the template; may be given again" }
/* clang-format on */

const struct v2v_command cmd_service = {
  .name = "service",
  .summary = "machines of several tiers out of one template",
  .synopsis = "VERB [OPTION...] [ARGUMENT...]",
  .examples = "  v2v service plan --set DOMAIN=lab.test -o out shop.xml\n"
              "  v2v service deploy --set DOMAIN=lab.test -o out shop.xml\n"
              "  v2v service scale --count web=5 shop\n",
  .verbs = verbs,
};

/* ---- options ---- */

int
service_split (const char *option, char *text, const char **ret_name,
               const char **ret_value, struct v2v_error **err)
{
  char *equals = strchr (text, '=');

  if (equals == NULL || equals == text)
    return v2v_fail (err, V2V_ERR_USAGE, "--%s: '%.100s': expected NAME=VALUE",
                     option, text);
  *equals = '\0';
  *ret_name = text;
  *ret_value = equals + 1;
  return 0;
}

static int
add_setting (struct service_args *a, const char *arg, struct v2v_error **err)
{
  struct v2v_setting_value *v;
  char *copy;

  if (a->opts.nr_settings == V2V_ARRAY_SIZE (a->settings))
    return v2v_fail (err, V2V_ERR_USAGE, "--set: more than %zu settings",
                     V2V_ARRAY_SIZE (a->settings));
  copy = strdup (arg);
  if (copy == NULL)
    return v2v_fail_nomem (err);
  a->texts[a->nr_texts++] = copy;
  v = &a->settings[a->opts.nr_settings];
  if (service_split ("set", copy, &v->name, &v->value, err) == -1)
    return -1;
  a->opts.settings = a->settings;
  a->opts.nr_settings++;
  return 0;
}

static int
add_count (struct service_args *a, const char *arg, struct v2v_error **err)
{
  struct v2v_service_tier_count *c;
  const char *value = "";
  char *copy;

  if (a->opts.nr_counts == V2V_ARRAY_SIZE (a->counts))
    return v2v_fail (err, V2V_ERR_USAGE, "--count: more than %zu tiers",
                     V2V_ARRAY_SIZE (a->counts));
  copy = strdup (arg);
  if (copy == NULL)
    return v2v_fail_nomem (err);
  a->texts[a->nr_texts++] = copy;
  c = &a->counts[a->opts.nr_counts];
  if (service_split ("count", copy, &c->tier, &value, err) == -1 ||
      cmd_parse_number ("count", value, 0, 10000, &c->count, err) == -1)
    return -1;
  a->opts.counts = a->counts;
  a->opts.nr_counts++;
  return 0;
}

int
service_parse (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  const char *arg;
  int c, r = 0;

  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) != 0)
    switch (c) {
    case -1:
      return -1;
    case OPT_COUNT:
      r = add_count (a, arg, err);
      break;
    case OPT_DRY_RUN:
      a->dry_run = true;
      break;
    case OPT_HAPROXY:
      a->haproxy = true;
      break;
    case OPT_HOSTS:
      a->opts.hosts_file = arg;
      break;
    case OPT_LIBRARY:
      a->library = arg;
      break;
    case OPT_NAME:
      a->opts.name = arg;
      break;
    case OPT_NAMESPACE:
      a->opts.name_space = arg;
      break;
    case OPT_NO_SCRIPTS:
      a->opts.no_scripts = true;
      break;
    case OPT_SET:
      r = add_setting (a, arg, err);
      break;
    case OPT_ZONE:
      a->zone = true;
      break;
    case 'o':
      a->opts.output_dir = arg;
      break;
    }
  a->opts.program_version = PACKAGE_VERSION;
  a->opts.copy.cancel = &cmd_cancel;
  return r;
}

void
service_args_clear (struct service_args *a)
{
  for (size_t i = 0; i < a->nr_texts; ++i)
    free (a->texts[i]);
  v2v_document_free (a->document);
  free (a->document_id);
  v2v_library_close (a->lib);
}

/* The options, and the library that is meant.  1: all is said already. */
static int
begin (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  if (service_parse (cli, a, err) == -1)
    return -1;
  if (cli->done)
    return 1;
  a->lib = v2v_library_open (a->library, err);
  return a->lib == NULL ? -1 : 0;
}

/* A file, or an object of the library. */
static int
read_template (struct service_args *a, const char *what, struct v2v_error **err)
{
  static const enum v2v_document_kind kind = V2V_DOCUMENT_SERVICE;
  const bool file = a->lib == NULL || access (what, F_OK) == 0;
  CLEANUP_FREE char *full = NULL;

  if (!file) {
    if (asprintf (&full, "service-template/%s", what) == -1) {
      full = NULL;
      return v2v_fail_nomem (err);
    }
    if (v2v_library_find (a->lib, full, &a->document_id, NULL) == -1 &&
        v2v_library_find (a->lib, what, &a->document_id, err) == -1)
      return v2v_hint (err, "it is no file either");
  }
  a->document =
      document_open (a->lib, file ? what : a->document_id, &kind, 1, err);
  a->opts.document = a->document;
  a->opts.document_id = a->document_id;
  return a->document == NULL ? -1 : 0;
}

/* ---- plans ---- */

static void
tell (void *arg, size_t number, size_t nr, const struct v2v_service_step *s,
      bool done)
{
  const struct cli *cli = arg;
  CLEANUP_FREE char *subject = NULL;

  if (done || cli->json)
    return;
  subject = cmd_printable (s->subject);
  printf ("[%zu/%zu] %s %s\n", number, nr, s->kind, subject ? subject : "?");
  fflush (stdout);
}

/* Print the plan, or do it. */
static int
finish (const struct cli *cli, struct service_args *a,
        const struct v2v_service_plan *plan, struct v2v_error **err)
{
  if (a->dry_run)
    return v2v_service_check (a->lib, plan, &a->opts, err) == -1
               ? -1
               : service_print_plan (cli, plan, err);
  a->opts.tell = tell;
  a->opts.tell_arg = (void *) (uintptr_t) cli;
  if (v2v_service_execute (a->lib, plan, &a->opts, err) == -1)
    return -1;
  if (plan->operation != V2V_SERVICE_DELETE)
    return service_print_service (cli, a->lib, plan->id, err);
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "deleted", plan->id);
    return cmd_print_json (o, err);
  }
  return 0;
}

/* ---- deploy, plan, update ---- */

static int
do_deploy (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;

  if (read_template (a, cli->args[0], err) == -1 ||
      v2v_service_plan_deploy (a->lib, &a->opts, &plan, err) == -1)
    return -1;
  return finish (cli, a, plan, err);
}

static int
run_deploy (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  int r = begin (cli, &a, err);

  if (r == 0)
    r = do_deploy (cli, &a, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

/* Of a service that is there already, plan says what an update would do. */
static int
do_plan (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;
  CLEANUP_SERVICE struct v2v_service there = { .id = NULL };
  const char *name;

  if (read_template (a, cli->args[0], err) == -1)
    return -1;
  name = a->opts.name != NULL ? a->opts.name : a->document->head.name;
  if (v2v_service_show (a->lib, name, &there, NULL) == 0
          ? v2v_service_plan_update (a->lib, name, &a->opts, &plan, err) == -1
          : v2v_service_plan_deploy (a->lib, &a->opts, &plan, err) == -1)
    return -1;
  return v2v_service_check (a->lib, plan, &a->opts, err) == -1
             ? -1
             : service_print_plan (cli, plan, err);
}

static int
run_plan (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  int r = begin (cli, &a, err);

  if (r == 0 && a.opts.output_dir == NULL)
    a.opts.output_dir = ".";
  if (r == 0)
    r = do_plan (cli, &a, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

static int
do_update (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;

  if ((cli->nr_args > 1 && read_template (a, cli->args[1], err) == -1) ||
      v2v_service_plan_update (a->lib, cli->args[0], &a->opts, &plan, err) ==
          -1)
    return -1;
  return finish (cli, a, plan, err);
}

static int
run_update (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  int r = begin (cli, &a, err);

  if (r == 0)
    r = do_update (cli, &a, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

/* clang-format off */
static const struct cmd_option deploy_options[] = {
  ROW_COUNT,
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_LIBRARY,
  ROW_NAME,
  ROW_NAMESPACE,
  { "output", 'o', "DIR", "make the machines' folders in DIR" },
  ROW_SET,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};

static const struct cmd_option plan_options[] = {
  ROW_COUNT,
  CMD_DEBUG,
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_LIBRARY,
  ROW_NAME,
  ROW_NAMESPACE,
  { "output", 'o', "DIR", "where the machines would be made" },
  ROW_SET,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};

static const struct cmd_option update_options[] = {
  ROW_COUNT,
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  ROW_SET,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command service_cmd_deploy = {
  .name = "service deploy",
  .summary = "make the machines of a service",
  .synopsis = "[OPTION...] -o DIR TEMPLATE",
  .examples = "  v2v service deploy --set DOMAIN=lab.test -o out shop.xml\n",
  .options = deploy_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_deploy,
};

const struct v2v_command service_cmd_plan = {
  .name = "service plan",
  .summary = "what deploy, or update of one that is there, would do",
  .synopsis = "[OPTION...] TEMPLATE",
  .examples = "  v2v service plan --set DOMAIN=lab.test shop.xml\n",
  .options = plan_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_plan,
};

const struct v2v_command service_cmd_update = {
  .name = "service update",
  .summary = "replace machines that are not as the template is now",
  .synopsis = "[OPTION...] SERVICE [TEMPLATE]",
  .examples = "  v2v service update --dry-run shop shop-2.xml\n"
              "  v2v service update shop shop-2.xml\n",
  .options = update_options,
  .min_args = 1,
  .max_args = 2,
  .run = run_update,
};

/* ---- scale, delete ---- */

static int
run_scale (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;
  int r = begin (cli, &a, err);

  if (r == 0 && a.opts.nr_counts == 0)
    r = v2v_fail (err, V2V_ERR_USAGE, "--count TIER=N: which tier, how many?");
  if (r == 0)
    r = v2v_service_plan_scale (a.lib, cli->args[0], &a.opts, &plan, err);
  if (r == 0)
    r = finish (cli, &a, plan, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

static int
run_delete (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;
  int r = begin (cli, &a, err);

  if (r == 0)
    r = v2v_service_plan_delete (a.lib, cli->args[0], &a.opts, &plan, err);
  if (r == 0)
    r = finish (cli, &a, plan, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

/* clang-format off */
static const struct cmd_option scale_options[] = {
  ROW_COUNT,
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};

static const struct cmd_option delete_options[] = {
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  { "no-scripts", OPT_NO_SCRIPTS, NULL, "leave out scripts of the phase remove" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command service_cmd_scale = {
  .name = "service scale",
  .summary = "more or fewer machines of a tier",
  .synopsis = "[OPTION...] --count TIER=N SERVICE",
  .examples = "  v2v service scale --count web=5 shop\n",
  .options = scale_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_scale,
};

const struct v2v_command service_cmd_delete = {
  .name = "service delete",
  .summary = "remove a service with its machines",
  .synopsis = "[OPTION...] SERVICE",
  .examples = "  v2v service delete shop\n",
  .options = delete_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_delete,
};

/* ---- resume, rollback ---- */

static int
go_on (struct cli *cli, bool back, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  int r = begin (cli, &a, err);

  if (r == 0) {
    a.opts.tell = tell;
    a.opts.tell_arg = cli;
    r = v2v_service_show (a.lib, cli->args[0], &s, err);
  }
  if (r == 0)
    r = back ? v2v_service_rollback (a.lib, s.id, &a.opts, err)
             : v2v_service_resume (a.lib, s.id, &a.opts, err);
  if (r == 0 && strcmp (s.state, back ? "deploying" : "deleting") == 0) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "deleted", s.id);
    r = cli->json ? cmd_print_json (o, err) : 0;
  }
  else if (r == 0)
    r = service_print_service (cli, a.lib, s.id, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

static int
run_resume (struct cli *cli, struct v2v_error **err)
{
  return go_on (cli, false, err);
}

static int
run_rollback (struct cli *cli, struct v2v_error **err)
{
  return go_on (cli, true, err);
}

/* clang-format off */
static const struct cmd_option plain_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command service_cmd_resume = {
  .name = "service resume",
  .summary = "do what is left of an operation that did not end",
  .synopsis = "[OPTION...] SERVICE",
  .examples = "  v2v service resume shop\n",
  .options = plain_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_resume,
};

const struct v2v_command service_cmd_rollback = {
  .name = "service rollback",
  .summary = "take back an operation that did not end",
  .synopsis = "[OPTION...] SERVICE",
  .examples = "  v2v service rollback shop\n",
  .options = plain_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_rollback,
};

/* ---- ls, show ---- */

struct listing {
  bool json;
  struct v2v_json *list;
  size_t n;
};

static int
list_one (void *arg, const struct v2v_service *s, unsigned nr_machines,
          struct v2v_error **err)
{
  struct listing *l = arg;
  CLEANUP_FREE char *name = cmd_printable (s->name);
  CLEANUP_FREE char *template = cmd_printable (s->template_name);

  if (l->json) {
    struct v2v_json *o = v2v_service_to_json (s);

    v2v_json_set_u64 (o, "nr_machines", nr_machines);
    return v2v_json_append (l->list, o) == -1 ? v2v_fail_nomem (err) : 0;
  }
  if (l->n++ == 0)
    printf ("%-8s  %-10s %8s  %-24s %s\n", "ID", "STATE", "MACHINES", "NAME",
            "TEMPLATE");
  printf ("%.8s  %-10s %8u  %-24s %s\n", s->id, s->state, nr_machines,
          name ? name : "?", template ? template : "?");
  return 0;
}

static int
run_ls (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct listing l = { .json = cli->json, .list = v2v_json_new_array () };
  int r;

  v2v_json_set (o, "services", l.list);
  r = begin (cli, &a, err);
  l.json = cli->json;
  if (r == 0)
    r = v2v_service_each (a.lib, list_one, &l, err);
  if (r == 0 && cli->json)
    r = cmd_print_json (o, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

static int
do_show (struct cli *cli, const struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  CLEANUP_FREE char *text = NULL;

  if (!a->haproxy && !a->zone)
    return service_print_service (cli, a->lib, cli->args[0], err);
  if (a->haproxy && a->zone)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--haproxy and --zone exclude each other");
  if (v2v_service_show (a->lib, cli->args[0], &s, err) == -1 ||
      (a->haproxy ? v2v_service_haproxy (s.name, &s.document->service,
                                         &s.machines, &text, err)
                  : v2v_service_zone (s.name, &s.document->service, &s.machines,
                                      &text, err)) == -1)
    return -1;
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, a->haproxy ? "haproxy" : "zone", text);
    return cmd_print_json (o, err);
  }
  printf ("%s", text);
  return 0;
}

static int
run_show (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  int r = begin (cli, &a, err);

  if (r == 0)
    r = do_show (cli, &a, err);
  service_args_clear (&a);
  return r == 1 ? 0 : r;
}

/* clang-format off */
static const struct cmd_option show_options[] = {
  CMD_DEBUG,
  { "haproxy", OPT_HAPROXY, NULL, "print the configuration of HAProxy" },
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  { "zone", OPT_ZONE, NULL, "print the address records" },
  CMD_END
};
/* clang-format on */

/* How the machines are now; 1 when one is not as it should be. */
static int
do_refresh (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL;
  size_t bad = 0;
  int r = 0;

  if (v2v_service_refresh (a->lib, cli->args[0], &s, &bad, err) == -1)
    return -1;
  if (cli->json) {
    o = v2v_service_to_json (&s);
    r = cmd_print_json (o, err);
  }
  else
    service_print_machines (&s.machines);
  return r == 0 && bad > 0 ? CMD_EXIT_DIFFERENT : r;
}

static int
run_refresh (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  const int begun = begin (cli, &a, err);
  const int r = begun == 0 ? do_refresh (cli, &a, err) : begun;

  service_args_clear (&a);
  return begun == 1 ? 0 : r;
}

const struct v2v_command service_cmd_refresh = {
  .name = "service refresh",
  .summary = "ask the hosts how the machines of a service are",
  .synopsis = "[OPTION...] SERVICE",
  .examples = "  v2v service refresh shop\n",
  .options = plain_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_refresh,
};

const struct v2v_command service_cmd_ls = {
  .name = "service ls",
  .summary = "list services",
  .synopsis = "[OPTION...]",
  .examples = "  v2v service ls --library main\n",
  .options = plain_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_ls,
};

const struct v2v_command service_cmd_show = {
  .name = "service show",
  .summary = "a service: its machines, or what stands in front of them",
  .synopsis = "[OPTION...] SERVICE",
  .examples = "  v2v service show shop\n"
              "  v2v service show --haproxy shop >haproxy.cfg\n",
  .options = show_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_show,
};

/* ---- validate ---- */

/* In a library, with the objects it refers to and the settings given. */
static int
validate_in_library (struct service_args *a, struct v2v_error **err)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *plan = NULL;

  a->opts.output_dir = ".";
  return v2v_service_plan_deploy (a->lib, &a->opts, &plan, err) == -1
             ? -1
             : v2v_service_check (a->lib, plan, &a->opts, err);
}

static int
do_validate (struct cli *cli, struct service_args *a, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *name = NULL;

  if (a->library != NULL &&
      (a->lib = v2v_library_open (a->library, err)) == NULL)
    return -1;
  if (read_template (a, cli->args[0], err) == -1 ||
      (a->lib != NULL && validate_in_library (a, err) == -1))
    return -1;
  if (cli->json) {
    o = v2v_json_new_object ();
    v2v_json_set_string (o, "service_template", a->document->head.name);
    v2v_json_set_bool (o, "valid", true);
    v2v_json_set_bool (o, "resolved", a->lib != NULL);
    return cmd_print_json (o, err);
  }
  name = cmd_printable (a->document->head.name);
  printf ("%s: valid%s\n", name ? name : "?",
          a->lib != NULL ? ", and all it needs is there" : "");
  return 0;
}

static int
run_validate (struct cli *cli, struct v2v_error **err)
{
  struct service_args a = { .library = NULL };
  int r = service_parse (cli, &a, err);

  if (r == 0 && !cli->done)
    r = do_validate (cli, &a, err);
  service_args_clear (&a);
  return r;
}

/* clang-format off */
static const struct cmd_option validate_options[] = {
  ROW_COUNT,
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  { "library", OPT_LIBRARY, "DIR|NAME",
    "look there for what it refers to, and judge its settings" },
  ROW_NAMESPACE,
  ROW_SET,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command service_cmd_validate = {
  .name = "service validate",
  .summary = "check a service template",
  .synopsis = "[OPTION...] TEMPLATE",
  .examples = "  v2v service validate shop.xml\n"
              "  v2v service validate --library main --set DOMAIN=lab.test "
              "shop.xml\n",
  .options = validate_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_validate,
};
