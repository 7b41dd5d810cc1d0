/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v vm move, register, start, state, stop: machines on hosts. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/cmd-host.h"
#include "convert/cmd-vm.h"
#include "library/machine-move.h"

/* ---- which machine, on which host ---- */

struct target {
  struct v2v_deployed m; /* of the library, where it is in one */
  const char *host;
  const char *machine; /* the name of its folder */
};

static void
target_clear (struct target *t)
{
  v2v_deployed_clear (&t->m);
}
#define CLEANUP_TARGET __attribute__ ((cleanup (target_clear)))

static int
find (struct host_args *a, const char *name, struct target *t,
      struct v2v_error **err)
{
  if (a->host != NULL) {
    t->host = a->host;
    t->machine = name;
    return 0;
  }
  if (a->lib == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "nothing says on which host '%s' is", name);
    return v2v_hint (err, "--host names it; a library (--library, "
                          "$V2V_LIBRARY) knows it of its machines");
  }
  if (v2v_deployed_find (a->lib, name, &t->m, err) == -1)
    return -1;
  if (t->m.host[0] == '\0')
    return v2v_fail (err, V2V_ERR_USAGE, "machine '%s' is on no host: %s",
                     t->m.name, t->m.folder);
  t->host = t->m.host;
  t->machine = t->m.folder;
  return 0;
}

enum action { REGISTER, START, STATE, STOP };

static int
act (struct host_args *a, const struct target *t, enum action action,
     struct v2v_error **err)
{
  switch (action) {
  case REGISTER:
    return v2v_host_register (a->conn, t->machine, err);
  case START:
    return v2v_host_register (a->conn, t->machine, err) == -1
               ? -1
               : v2v_host_start (a->conn, t->machine, err);
  case STOP:
    return v2v_host_stop (a->conn, t->machine, a->force, err);
  case STATE:
    break;
  }
  return 0;
}

static int
one (struct cli *cli, struct host_args *a, const char *name, enum action action,
     struct v2v_json *list, struct v2v_error **err)
{
  CLEANUP_TARGET struct target t = { .host = NULL };
  struct v2v_json *o;
  enum v2v_host_state state;

  if (find (a, name, &t, err) == -1 || host_connect (a, t.host, err) == -1 ||
      act (a, &t, action, err) == -1 ||
      v2v_host_state (a->conn, t.machine, &state, err) == -1)
    return -1;
  if (!cli->json) {
    CLEANUP_FREE char *shown = cmd_printable (name);
    CLEANUP_FREE char *host = cmd_printable (t.host);

    printf ("%-30s %-20s %s\n", shown ? shown : "?", host ? host : "?",
            v2v_host_state_name (state));
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "machine", name);
  v2v_json_set_string (o, "host", t.host);
  v2v_json_set_string (o, "folder", t.machine);
  v2v_json_set_string (o, "state", v2v_host_state_name (state));
  return v2v_json_append (list, o);
}

static int
run (struct cli *cli, enum action action, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();

  v2v_json_set (o, "machines", list);
  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  for (size_t i = 0; i < cli->nr_args; ++i)
    if (one (cli, &a, cli->args[i], action, list, err) == -1)
      return -1;
  return cli->json ? cmd_print_json (o, err) : 0;
}

static int
run_register (struct cli *cli, struct v2v_error **err)
{
  return run (cli, REGISTER, err);
}

static int
run_start (struct cli *cli, struct v2v_error **err)
{
  return run (cli, START, err);
}

static int
run_state (struct cli *cli, struct v2v_error **err)
{
  return run (cli, STATE, err);
}

static int
run_stop (struct cli *cli, struct v2v_error **err)
{
  return run (cli, STOP, err);
}

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  CMD_HELP,
  ROW_HOST,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};

static const struct cmd_option stop_options[] = {
  CMD_DEBUG,
  { "force", HOST_FORCE, NULL, "as by pulling the plug" },
  CMD_HELP,
  ROW_HOST,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command vm_cmd_register = {
  .name = "vm register",
  .summary = "make the hypervisor of a host know machines",
  .synopsis = "[OPTION...] MACHINE...",
  .examples = "  v2v vm register --library main web-01\n",
  .options = options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_register,
};

const struct v2v_command vm_cmd_start = {
  .name = "vm start",
  .summary = "start machines on their hosts",
  .synopsis = "[OPTION...] MACHINE...",
  .examples = "  v2v vm start --library main web-01\n"
              "  v2v vm start --hosts hosts.json --host lab web\n",
  .options = options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_start,
};

const struct v2v_command vm_cmd_state = {
  .name = "vm state",
  .summary = "ask whether machines run",
  .synopsis = "[OPTION...] MACHINE...",
  .examples = "  v2v vm state --library main web-01 web-02\n",
  .options = options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_state,
};

const struct v2v_command vm_cmd_stop = {
  .name = "vm stop",
  .summary = "shut machines down",
  .synopsis = "[OPTION...] MACHINE...",
  .examples = "  v2v vm stop --library main web-01\n",
  .options = stop_options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_stop,
};

/* ---- move ---- */

static void
print_move (const struct v2v_move_result *r, const char *name, const char *to)
{
  CLEANUP_FREE char *shown = cmd_printable (name);
  CLEANUP_FREE char *host = cmd_printable (to);
  char went[32], kept[32];

  if (r->was_there)
    printf ("%s is on %s\n", shown ? shown : "?", host ? host : "?");
  else
    printf ("%s is on %s now: %s went there, %s were there or are shared; %zu "
            "of %zu bases were sent\n",
            shown ? shown : "?", host ? host : "?",
            v2v_format_size (r->sent.sent_bytes, went),
            v2v_format_size (r->sent.kept_bytes + r->sent.shared_bytes, kept),
            r->nr_bases_sent, r->nr_bases);
}

static int
move_one (struct cli *cli, struct host_args *a, const char *name,
          struct v2v_json *list, struct v2v_error **err)
{
  struct v2v_move_result r;
  struct v2v_json *o;
  int ret;

  if (v2v_machine_move (a->lib, &a->hosts, name, a->to, &a->copy, &r, err) ==
      -1)
    return -1;
  if (!cli->json)
    print_move (&r, name, a->to);
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "machine", name);
  v2v_json_set_string (o, "from", r.from);
  v2v_json_set_string (o, "to", a->to);
  v2v_json_set_string (o, "folder", r.folder);
  v2v_json_set_u64 (o, "sent_bytes", r.sent.sent_bytes);
  v2v_json_set_u64 (o, "shared_bytes", r.sent.shared_bytes);
  v2v_json_set_u64 (o, "kept_bytes", r.sent.kept_bytes);
  v2v_json_set_u64 (o, "bases", r.nr_bases);
  v2v_json_set_u64 (o, "bases_sent", r.nr_bases_sent);
  ret = v2v_json_append (list, o);
  v2v_move_result_clear (&r);
  return ret;
}

static int
run_move (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();

  v2v_json_set (o, "machines", list);
  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (a.to == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "vm move: --to HOST is missing");
  if (a.lib == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "vm move: no library is named");
    return v2v_hint (err, "--library or $V2V_LIBRARY names it");
  }
  if (cmd_progress_start (cli, &a.copy, err) == -1)
    return -1;
  for (size_t i = 0; i < cli->nr_args; ++i)
    if (move_one (cli, &a, cli->args[i], list, err) == -1)
      return -1;
  return cli->json ? cmd_print_json (o, err) : 0;
}

/* clang-format off */
static const struct cmd_option move_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_PROGRESS,
  ROW_RATE,
  { "to", HOST_TO, "HOST", "the host that they go to" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command vm_cmd_move = {
  .name = "vm move",
  .summary = "bring machines to a host; bases that are there stay",
  .synopsis = "[OPTION...] --to HOST MACHINE...",
  .examples = "  v2v vm move --library main --to hv1 web-01\n",
  .options = move_options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_move,
};
