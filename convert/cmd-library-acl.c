/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library acl: who may do what in a namespace. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/cmd-library.h"

struct listing {
  bool json;
  struct v2v_json *list;
  size_t n;
};

static int
list_one (void *arg, const char *name_space, const char *subject,
          enum v2v_role role, struct v2v_error **err)
{
  struct listing *l = arg;
  CLEANUP_FREE char *where = cmd_printable (name_space);
  CLEANUP_FREE char *who = cmd_printable (subject);

  if (l->json) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "namespace", name_space);
    v2v_json_set_string (o, "subject", subject);
    v2v_json_set_string (o, "role", v2v_role_name (role));
    return v2v_json_append (l->list, o) == -1 ? v2v_fail_nomem (err) : 0;
  }
  if (l->n++ == 0)
    printf ("%-24s %-8s %s\n", "NAMESPACE", "ROLE", "WHO");
  printf ("%-24s %-8s %s\n", where && where[0] ? where : "''",
          v2v_role_name (role), who ? who : "?");
  return 0;
}

static int
list_all (const struct cli *cli, struct v2v_library *lib,
          struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct listing l = { .json = cli->json, .list = v2v_json_new_array () };

  v2v_json_set (o, "grants", l.list);
  if (v2v_library_grants (lib, list_one, &l, err) != 0)
    return -1;
  return cli->json ? cmd_print_json (o, err) : 0;
}

static int
run_acl (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  const char *what = cli->nr_args > 0 ? cli->args[0] : "ls";
  enum v2v_role role;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (strcmp (what, "ls") == 0 && cli->nr_args <= 1)
    return list_all (cli, lib, err);
  if (strcmp (what, "grant") == 0 && cli->nr_args == 4) {
    if (!v2v_role_parse (cli->args[3], &role))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "'%.32s' is none of: read deploy author", cli->args[3]);
    return v2v_library_grant (lib, cli->args[1], cli->args[2], role, err) == -1
               ? -1
               : lib_done (cli, "granted", cli->args[2], err);
  }
  if (strcmp (what, "revoke") == 0 && cli->nr_args == 3)
    return v2v_library_revoke (lib, cli->args[1], cli->args[2], err) == -1
               ? -1
               : lib_done (cli, "revoked", cli->args[2], err);
  v2v_fail (err, V2V_ERR_USAGE, "library acl: which of ls, grant, revoke?");
  return v2v_hint (err, "usage: v2v library acl %s", cli->command->synopsis);
}

/* clang-format off */
static const struct cmd_option acl_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_acl = {
  .name = "library acl",
  .summary = "who may read, deploy and change",
  .synopsis = "[OPTION...] [ls | grant NAMESPACE WHO ROLE | revoke NAMESPACE "
              "WHO]",
  .examples = "  v2v library acl --library main grant shop group:ops deploy\n"
              "  v2v library acl --library main ls\n",
  .options = acl_options,
  .min_args = 0,
  .max_args = 4,
  .run = run_acl,
};
