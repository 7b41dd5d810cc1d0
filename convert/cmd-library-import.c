/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library import. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "convert/cmd-library.h"

static int
print (const struct cli *cli, const char *path,
       const struct v2v_import_result *r, struct v2v_json *list)
{
  CLEANUP_FREE char *shown = NULL;
  struct v2v_json *o;

  if (!cli->json) {
    shown = cmd_printable (path);
    printf ("%s  %s%s\n", r->id, shown ? shown : "?",
            r->known ? " (was there already)" : "");
    return 0;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "path", path);
  v2v_json_set_string (o, "id", r->id);
  v2v_json_set_bool (o, "known", r->known);
  return v2v_json_append (list, o);
}

static int
run_import (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  struct v2v_copy_opts display = { 0 };
  struct v2v_import_opts opts;

  if (v2v_json_set (o, "objects", list) == -1)
    return v2v_fail_nomem (err);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (a.name != NULL && cli->nr_args > 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "import: --name is for one object, %zu are given",
                     cli->nr_args);
  if (cmd_progress_start (cli, &display, err) == -1)
    return -1;
  opts = (struct v2v_import_opts){
    .kind = a.kind,
    .share = a.share,
    .set = a.set,
    .threads = a.upkeep.threads,
    .progress = display.progress,
    .progress_arg = display.progress_arg,
    .cancel = display.cancel,
  };
  for (size_t i = 0; i < cli->nr_args; ++i) {
    struct v2v_import_result result = { 0 };

    if (v2v_library_import (lib, cli->args[i], &opts, &result, err) == -1)
      return -1;
    v2v_progress_bar_clear (cli->progress);
    print (cli, cli->args[i], &result, list);
    v2v_import_result_clear (&result);
  }
  return cli->json ? cmd_print_json (o, err) : 0;
}

/* clang-format off */
static const struct cmd_option import_options[] = {
  CMD_DEBUG,
  ROW_DESCRIPTION,
  ROW_FAMILY,
  CMD_HELP,
  CMD_JSON,
  ROW_KIND,
  ROW_LIBRARY,
  ROW_NAME,
  ROW_NAMESPACE,
  ROW_OS,
  ROW_OWNER,
  CMD_PROGRESS,
  ROW_RELEASE,
  ROW_SHARE,
  ROW_TAG,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  ROW_VERSION_OF,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_import = {
  .name = "library import",
  .summary = "take files into the library",
  .synopsis = "[OPTION...] FILE|FOLDER...",
  .examples = "  v2v library import --library main base.vhdx --family debian "
              "--release 12\n"
              "  v2v library import --library main debian-12.iso setup.ps1\n"
              "  v2v library import --library main /srv/hyperv/web\n",
  .options = import_options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run_import,
};
