/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v vm ls, show, rm: machines that were deployed. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert/cmd-vm.h"
#include "library/machine-move.h"

enum {
  OPT_HOST = CMD_OPT_FIRST,
  OPT_HOSTS,
  OPT_KEEP_FILES,
  OPT_LIBRARY,
  OPT_OBJECT,
  OPT_SERVICE,
  OPT_STATE,
  OPT_TEMPLATE,
};

struct args {
  const char *library, *vm_template, *object, *hosts;
  struct v2v_deployed_filter filter;
  bool keep_files;
};

/* clang-format off */
#define ROW_LIBRARY                                                            \
  { "library", OPT_LIBRARY, "DIR|NAME",                                        \
    "which library; by default $V2V_LIBRARY" }
/* clang-format on */

/* Parse, and open the library; NULL also when all is said (cli->done). */
static struct v2v_library *
begin (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case OPT_HOST:
      a->filter.host = arg;
      break;
    case OPT_HOSTS:
      a->hosts = arg;
      break;
    case OPT_KEEP_FILES:
      a->keep_files = true;
      break;
    case OPT_LIBRARY:
      a->library = arg;
      break;
    case OPT_OBJECT:
      a->object = arg;
      break;
    case OPT_SERVICE:
      a->filter.service = arg;
      break;
    case OPT_STATE:
      a->filter.state = arg;
      break;
    case OPT_TEMPLATE:
      a->vm_template = arg;
      break;
    }
  return c == -1 || cli->done ? NULL : v2v_library_open (a->library, err);
}

/* ---- ls ---- */

struct listing {
  const struct cli *cli;
  uint64_t n;
};

static int
list_one (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  struct listing *l = arg;
  CLEANUP_FREE char *name = NULL, *folder = NULL, *text = NULL;
  CLEANUP_JSON struct v2v_json *j = NULL;

  if (l->cli->json) {
    j = v2v_deployed_to_json (m);
    text = v2v_json_ok (j) ? v2v_json_dump (j, 0) : NULL;
    if (text == NULL)
      return v2v_fail_nomem (err);
    printf ("%s\n    %s", l->n++ ? "," : "", text);
    return 0;
  }
  name = cmd_printable (m->name);
  folder = cmd_printable (m->folder);
  if (l->n++ == 0)
    printf ("%-8s  %-8s  %-20s %-20s %-10s %s\n", "ID", "STATE", "NAME",
            "COMPUTER NAME", "HOST", "FOLDER");
  printf ("%.8s  %-8s  %-20s %-20s %-10s %s\n", m->id, m->state,
          name ? name : "?", m->computer_name[0] ? m->computer_name : "-",
          m->host[0] ? m->host : "-", folder ? folder : "?");
  return 0;
}

static int
run_ls (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .library = NULL };
  CLEANUP_LIBRARY struct v2v_library *lib = begin (cli, &a, err);
  CLEANUP_FREE char *vm_template = NULL, *object = NULL;
  struct listing l = { .cli = cli };
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if ((a.vm_template != NULL &&
       v2v_library_find (lib, a.vm_template, &vm_template, err) == -1) ||
      (a.object != NULL &&
       v2v_library_find (lib, a.object, &object, err) == -1))
    return -1;
  a.filter.vm_template = vm_template;
  a.filter.object = object;
  if (cli->json)
    printf ("{\n  \"machines\": [");
  r = v2v_deployed_each (lib, &a.filter, list_one, &l, err);
  if (cli->json && r == 0)
    printf ("%s]\n}\n", l.n ? "\n  " : "");
  return r;
}

/* clang-format off */
static const struct cmd_option ls_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  { "host", OPT_HOST, "NAME", "on this host" },
  CMD_JSON,
  ROW_LIBRARY,
  { "object", OPT_OBJECT, "OBJECT", "whose disks cannot be without it" },
  { "service", OPT_SERVICE, "NAME", "of this service" },
  { "state", OPT_STATE, "STATE", "planned, made or removing" },
  { "template", OPT_TEMPLATE, "NAME", "of this template" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command vm_cmd_ls = {
  .name = "vm ls",
  .summary = "list machines that were deployed",
  .synopsis = "[OPTION...]",
  .examples = "  v2v vm ls --library main --template web\n",
  .options = ls_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_ls,
};

/* ---- show ---- */

static void
print_field (const char *what, const char *value)
{
  CLEANUP_FREE char *shown = value != NULL ? cmd_printable (value) : NULL;

  if (shown != NULL && shown[0] != '\0')
    printf ("%-15s %s\n", what, shown);
}

static void
print_settings (const struct v2v_json *settings)
{
  const struct v2v_json *value;
  const char *name;
  void *iter = NULL;

  while (v2v_json_next (settings, &iter, &name, &value)) {
    CLEANUP_FREE char *key = cmd_printable (name);
    const char *s = v2v_json_string_value (value);
    CLEANUP_FREE char *shown = cmd_printable (s != NULL ? s : "(a secret)");

    printf ("%-15s %s = %s\n", "setting:", key ? key : "?", shown);
  }
}

static void
print_machine (const struct v2v_deployed *m, const struct v2v_objects *bases)
{
  const struct v2v_json *vm_template = v2v_json_get (m->provenance, "template");
  const struct v2v_json *reasons = v2v_json_get (m->provenance, "reasons");
  const time_t created = (time_t) m->created;
  char when[32] = "";
  struct tm tm;

  if (gmtime_r (&created, &tm) != NULL)
    strftime (when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
  print_field ("id:", m->id);
  print_field ("name:", m->name);
  print_field ("computer name:", m->computer_name);
  print_field ("state:", m->state);
  print_field ("host:", m->host);
  print_field ("folder:", m->folder);
  print_field ("owner:", m->owner);
  print_field ("created:", when);
  print_field ("service:", m->service);
  print_field ("tier:", m->tier);
  print_field ("template:", v2v_json_get_string (vm_template, "name"));
  print_field ("version:", v2v_json_get_string (vm_template, "version"));
  print_field ("digest:", m->template_digest);
  print_settings (v2v_json_get (m->provenance, "settings"));
  for (size_t i = 0; i < bases->len; ++i) {
    CLEANUP_FREE char *name = cmd_printable (bases->ptr[i].name);

    printf ("%-15s %.8s %s\n", "base:", bases->ptr[i].id, name ? name : "?");
  }
  for (size_t i = 0; i < v2v_json_length (reasons); ++i)
    print_field ("because:", v2v_json_string_value (v2v_json_at (reasons, i)));
}

static int
run_show (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .library = NULL };
  CLEANUP_LIBRARY struct v2v_library *lib = begin (cli, &a, err);
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_OBJECTS struct v2v_objects bases = { 0 };

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_deployed_find (lib, cli->args[0], &m, err) == -1 ||
      v2v_deployed_bases (lib, m.id, &bases, err) == -1)
    return -1;
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_deployed_to_json (&m);
    struct v2v_json *list = v2v_json_new_array ();

    for (size_t i = 0; i < bases.len; ++i)
      v2v_json_append (list, v2v_object_to_json (&bases.ptr[i]));
    v2v_json_set (o, "bases", list);
    return cmd_print_json (o, err);
  }
  print_machine (&m, &bases);
  return 0;
}

/* clang-format off */
static const struct cmd_option show_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command vm_cmd_show = {
  .name = "vm show",
  .summary = "tell what a machine was made of",
  .synopsis = "[OPTION...] MACHINE",
  .examples = "  v2v vm show --library main web-01\n",
  .options = show_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_show,
};

/* ---- rm ---- */

/* Files on a host are removed by way of it. */
static int
remove_one (struct v2v_library *lib, const struct args *a,
            const struct v2v_deployed *m, struct v2v_error **err)
{
  CLEANUP_HOSTS struct v2v_hosts hosts = { 0 };

  if (m->host[0] == '\0' || a->keep_files)
    return v2v_deployed_remove (lib, m->id, !a->keep_files, err);
  return v2v_hosts_load (lib, a->hosts, &hosts, err) == -1
             ? -1
             : v2v_machine_remove (lib, &hosts, m->id, err);
}

static int
run_rm (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .library = NULL };
  CLEANUP_LIBRARY struct v2v_library *lib = begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();

  v2v_json_set (o, "removed", list);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  for (size_t i = 0; i < cli->nr_args; ++i) {
    CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };

    if (v2v_deployed_find (lib, cli->args[i], &m, err) == -1 ||
        remove_one (lib, &a, &m, err) == -1)
      return -1;
    v2v_json_append (list, v2v_json_new_string (m.id));
    if (!cli->json)
      printf ("%s\n", m.id);
  }
  return cli->json ? cmd_print_json (o, err) : 0;
}

/* clang-format off */
static const struct cmd_option rm_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  { "hosts", OPT_HOSTS, "FILE",
    "the hosts file, for machines on hosts" },
  CMD_JSON,
  { "keep-files", OPT_KEEP_FILES, NULL,
    "only stop counting it: its folder stays, its name is free" },
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command vm_cmd_rm = {
  .name = "vm rm",
  .summary = "remove machines that were deployed",
  .synopsis = "[OPTION...] MACHINE...",
  .examples = "  v2v vm rm --library main web-01 web-02\n",
  .options = rm_options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_rm,
};
