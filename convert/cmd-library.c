/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library: its verbs, their options, and the verbs that make a library
 * and change what it says.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "convert/cmd-library.h"

/* clang-format off */
static const struct v2v_command *const verbs[] = {
  &lib_cmd_acl,
  &lib_cmd_add_share,
  &lib_cmd_copy,
  &lib_cmd_export,
  &lib_cmd_gc,
  &lib_cmd_import,
  &lib_cmd_init,
  &lib_cmd_ls,
  &lib_cmd_orphans,
  &lib_cmd_refresh,
  &lib_cmd_repair,
  &lib_cmd_report,
  &lib_cmd_rm,
  &lib_cmd_set,
  &lib_cmd_show,
  &lib_cmd_verify,
  &lib_cmd_where_used,
  NULL
};
/* clang-format on */

const struct v2v_command cmd_library = {
  .name = "library",
  .summary = "keep disks, media, scripts and machines, and find them again",
  .synopsis = "VERB [OPTION...] [ARGUMENT...]",
  .examples = "  v2v library init /srv/library --name main\n"
              "  v2v library import --library main base.vhdx --family debian "
              "--release 12\n"
              "  v2v library ls --library main --kind disk\n",
  .verbs = verbs,
};

/* ---- options ---- */

/* The number of threads, and what has no argument. */
static int
set_other (struct lib_args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case LIB_ALL:
    a->all = true;
    return 0;
  case LIB_DISABLE:
  case LIB_ENABLE:
    if (a->set.enabled != NULL && a->enabled != (c == LIB_ENABLE))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--enable and --disable exclude each other");
    a->enabled = c == LIB_ENABLE;
    a->set.enabled = &a->enabled;
    return 0;
  case LIB_DRY_RUN:
    a->upkeep.dry_run = true;
    return 0;
  case LIB_FORCE:
    a->force = a->upkeep.force = true;
    return 0;
  case LIB_KEEP:
    a->keep = true;
    return 0;
  case LIB_LONG:
    a->long_ = true;
    return 0;
  case LIB_OLDER:
    return cmd_parse_number ("older", arg, 0, 36500, &a->older_days, err);
  case LIB_QUICK:
    a->upkeep.quick = true;
    return 0;
  case LIB_THREADS:
    return cmd_parse_number ("threads", arg, 1, 64, &a->upkeep.threads, err);
  }
  return 0;
}

int
lib_parse (struct cli *cli, struct lib_args *a, struct v2v_error **err)
{
  const struct {
    int value;
    const char **first, **second;
  } texts[] = {
    { LIB_ADD_TAG, &a->set.add_tags, NULL },
    { LIB_CATALOGUE, &a->catalogue, NULL },
    { LIB_DESCRIPTION, &a->set.description, NULL },
    { LIB_DIGEST, &a->filter.digest, NULL },
    { LIB_FAMILY, &a->set.family, &a->filter.family },
    { LIB_HOST, &a->host, NULL },
    { LIB_HOSTS, &a->hosts, NULL },
    { LIB_KIND, &a->kind, &a->filter.kind },
    { LIB_LIBRARY, &a->library, NULL },
    { LIB_NAME, &a->set.name, &a->filter.name },
    { LIB_NAMESPACE, &a->set.name_space, &a->filter.name_space },
    { LIB_OS, &a->set.os, &a->filter.os },
    { LIB_OWNER, &a->set.owner, &a->filter.owner },
    { 'o', &a->output, NULL },
    { LIB_PARENT, &a->parent, NULL },
    { LIB_RELEASE, &a->set.release, &a->filter.release },
    { LIB_REMOVE_TAG, &a->set.remove_tags, NULL },
    { LIB_SHARE, &a->share, NULL },
    { LIB_STATE, &a->filter.state, NULL },
    { LIB_TAG, &a->set.add_tags, &a->filter.tag },
    { LIB_VERSION_OF, &a->set.version, NULL },
  };
  enum v2v_object_kind kind;
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0) {
    if (set_other (a, c, arg, err) == -1)
      return -1;
    for (size_t i = 0; i < V2V_ARRAY_SIZE (texts); ++i)
      if (texts[i].value == c) {
        *texts[i].first = arg;
        if (texts[i].second != NULL)
          *texts[i].second = arg;
      }
  }
  if (c == -1 || cli->done)
    return c;
  if (a->kind != NULL && !v2v_object_kind_parse (a->kind, &kind))
    return v2v_fail (err, V2V_ERR_USAGE, "--kind: '%s' is no kind of object",
                     a->kind);
  a->name = a->set.name;
  a->upkeep.cancel = &cmd_cancel;
  return 0;
}

struct v2v_library *
lib_begin (struct cli *cli, struct lib_args *a, struct v2v_error **err)
{
  if (lib_parse (cli, a, err) == -1 || cli->done)
    return NULL;
  return v2v_library_open (a->library, err);
}

int
lib_done (const struct cli *cli, const char *what, const char *value,
          struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *shown = NULL;

  if (!cli->json) {
    shown = cmd_printable (value);
    printf ("%s\n", shown ? shown : "?");
    return 0;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, what, value);
  return cmd_print_json (o, err);
}

/* ---- init ---- */

static int
run_init (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };

  if (lib_parse (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (v2v_library_init (cli->args[0], a.name, a.catalogue, err) == -1)
    return -1;
  return lib_done (cli, "library", cli->args[0], err);
}

/* clang-format off */
static const struct cmd_option init_options[] = {
  { "catalogue", LIB_CATALOGUE, "URL",
    "keep the catalogue in PostgreSQL: postgres://USER@HOST/DATABASE" },
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_NAME,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_init = {
  .name = "library init",
  .summary = "make a library",
  .synopsis = "[OPTION...] DIR",
  .examples = "  v2v library init /srv/library --name main\n",
  .options = init_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_init,
};

/* ---- add-share ---- */

static int
run_add_share (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_add_share (lib, cli->args[0], a.name, err) == -1)
    return -1;
  return lib_done (cli, "share", cli->args[0], err);
}

/* clang-format off */
static const struct cmd_option add_share_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  ROW_NAME,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_add_share = {
  .name = "library add-share",
  .summary = "add a folder, or tell where a share is now",
  .synopsis = "[OPTION...] DIR",
  .examples = "  v2v library add-share --library main /mnt/nfs/v2v\n",
  .options = add_share_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_add_share,
};

/* ---- set ---- */

static int
run_set (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      v2v_library_set (lib, id, &a.set, err) == -1)
    return -1;
  return lib_done (cli, "id", id, err);
}

/* clang-format off */
static const struct cmd_option set_options[] = {
  { "add-tag", LIB_ADD_TAG, "TAG", "one more label" },
  CMD_DEBUG,
  ROW_DESCRIPTION,
  { "disable", LIB_DISABLE, NULL, "no new machine is made of it" },
  { "enable", LIB_ENABLE, NULL, "the reverse" },
  ROW_FAMILY,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  ROW_NAME,
  ROW_NAMESPACE,
  ROW_OS,
  ROW_OWNER,
  ROW_RELEASE,
  { "remove-tag", LIB_REMOVE_TAG, "TAG", "take a label away" },
  CMD_VERBOSE,
  CMD_VERSION,
  ROW_VERSION_OF,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_set = {
  .name = "library set",
  .summary = "change what the library says of an object",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v library set --library main --owner ann --add-tag gold "
              "disk/base\n",
  .options = set_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_set,
};

/* ---- rm ---- */

static int
run_rm (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      v2v_library_remove (lib, id, a.force, err) == -1)
    return -1;
  return lib_done (cli, "removed", id, err);
}

/* clang-format off */
static const struct cmd_option rm_options[] = {
  CMD_DEBUG,
  ROW_FORCE,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_rm = {
  .name = "library rm",
  .summary = "remove an object and its files",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v library rm --library main script/setup\n",
  .options = rm_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_rm,
};
