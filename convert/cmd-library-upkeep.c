/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library verify, refresh, repair, copy, gc: is it well, and making it
 * well.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "convert/cmd-library.h"

/* ---- verify ---- */

int
lib_on_item (void *arg, const struct v2v_upkeep_item *item,
             struct v2v_error **err)
{
  struct lib_upkeep *u = arg;
  CLEANUP_FREE char *path = NULL;
  struct v2v_json *o;

  (void) err;
  if (strcmp (item->what, "ok") == 0)
    return 0;
  if (u->cli->json) {
    o = v2v_json_new_object ();
    v2v_json_set_string (o, "what", item->what);
    v2v_json_set_string (o, "id", item->id);
    v2v_json_set_string (o, "name", item->name);
    v2v_json_set_string (o, "path", item->path);
    if (item->message != NULL)
      v2v_json_set_string (o, "message", item->message);
    if (item->dependents != NULL)
      v2v_json_set (o, "dependents", v2v_dependents_to_json (item->dependents));
    v2v_json_append (u->list, o);
    return 0;
  }
  path = cmd_printable (item->path ? item->path : "");
  v2v_progress_bar_clear (u->cli->progress);
  printf ("%s: %s%s%s\n", item->what, path ? path : "?",
          item->message ? ": " : "", item->message ? item->message : "");
  if (item->dependents != NULL)
    lib_print_dependents (item->dependents);
  return 0;
}

void
lib_print_dependents (const struct v2v_dependents *d)
{
  for (size_t i = 0; i < d->len; ++i) {
    const struct v2v_dependent *p = &d->ptr[i];
    CLEANUP_FREE char *name = cmd_printable (p->name);
    CLEANUP_FREE char *place = cmd_printable (p->place);

    printf ("  %s '%s' (%.8s%s%s) needs it\n", p->what, name ? name : "?",
            p->id, p->place[0] ? ", " : "", place ? place : "");
  }
}

int
lib_print_upkeep (struct cli *cli, struct v2v_json *o,
                  const struct v2v_upkeep_result *r, struct v2v_error **err)
{
  char rate[40], size[32];

  if (cli->json) {
    v2v_json_set_u64 (o, "objects", r->nr_objects);
    v2v_json_set_u64 (o, "files", r->nr_files);
    v2v_json_set_u64 (o, "bad", r->nr_bad);
    v2v_json_set_u64 (o, "bytes", r->bytes);
    v2v_json_set_real (o, "seconds", r->seconds);
    return cmd_print_json (o, err);
  }
  printf ("%" PRIu64 " files of %" PRIu64 " objects, %" PRIu64
          " bad; %s read, %s\n",
          r->nr_files, r->nr_objects, r->nr_bad,
          v2v_format_size (r->bytes, size),
          cmd_format_rate (r->bytes, r->seconds, rate));
  return 0;
}

static int
find_ids (struct cli *cli, struct v2v_library *lib, char **ids,
          struct v2v_error **err)
{
  for (size_t i = 0; i < cli->nr_args; ++i)
    if (v2v_library_find (lib, cli->args[i], &ids[i], err) == -1)
      return -1;
  return 0;
}

static int
verify (struct cli *cli, struct lib_args *a, struct v2v_library *lib,
        char **ids, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct lib_upkeep u = { .cli = cli, .list = v2v_json_new_array () };
  struct v2v_upkeep_result result;

  v2v_json_set (o, "problems", u.list);
  if (find_ids (cli, lib, ids, err) == -1 ||
      lib_start_progress (cli, a, err) == -1)
    return -1;
  if (v2v_library_verify (lib, (const char *const *) ids, &a->upkeep,
                          lib_on_item, &u, &result, err) == -1)
    return -1;
  v2v_progress_bar_clear (cli->progress);
  if (lib_print_upkeep (cli, o, &result, err) == -1)
    return -1;
  return result.nr_bad ? v2v_error_exit_status (V2V_ERR_MISMATCH) : 0;
}

static int
run_verify (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  char **ids;
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  ids = calloc (cli->nr_args + 1, sizeof *ids);
  if (ids == NULL)
    return v2v_fail_nomem (err);
  r = verify (cli, &a, lib, ids, err);
  for (size_t i = 0; i < cli->nr_args; ++i)
    free (ids[i]);
  free (ids);
  return r;
}

/* clang-format off */
static const struct cmd_option verify_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_PROGRESS,
  ROW_QUICK,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_verify = {
  .name = "library verify",
  .summary = "read files and compare their digests",
  .synopsis = "[OPTION...] [OBJECT...]",
  .examples = "  v2v library verify --library main\n"
              "  v2v library verify --library main --quick disk/base\n",
  .options = verify_options,
  .min_args = 0,
  .max_args = SIZE_MAX,
  .run = run_verify,
};

int
lib_start_progress (struct cli *cli, struct lib_args *a, struct v2v_error **err)
{
  struct v2v_copy_opts display = { 0 };

  if (cmd_progress_start (cli, &display, err) == -1)
    return -1;
  a->upkeep.progress = display.progress;
  a->upkeep.progress_arg = display.progress_arg;
  return 0;
}

enum upkeep_kind { REFRESH, REPAIR, GC };

static int
upkeep (struct cli *cli, enum upkeep_kind kind, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct lib_upkeep u = { .cli = cli, .list = v2v_json_new_array () };
  struct v2v_upkeep_result result = { 0 };
  int r = -1;

  v2v_json_set (o, "items", u.list);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (lib_start_progress (cli, &a, err) == -1)
    return -1;
  switch (kind) {
  case REFRESH:
    r = v2v_library_refresh (lib, a.share, &a.upkeep, lib_on_item, &u, &result,
                             err);
    break;
  case REPAIR:
    r = v2v_library_repair (lib, &a.upkeep, lib_on_item, &u, &result, err);
    break;
  case GC:
    r = v2v_library_gc (lib, &a.upkeep, lib_on_item, &u, &result, err);
    break;
  }
  v2v_progress_bar_clear (cli->progress);
  if (r == -1)
    return -1;
  if (cli->json) {
    v2v_json_set_u64 (o, "done", result.nr_done);
    v2v_json_set_u64 (o, "bad", result.nr_bad);
    if (cmd_print_json (o, err) == -1)
      return -1;
  }
  else
    printf ("%" PRIu64 " %s, %" PRIu64 " %s\n", result.nr_done,
            kind == GC ? "taken back" : "done", result.nr_bad,
            kind == GC ? "left alone" : "bad");
  return kind == REPAIR && result.nr_bad
             ? v2v_error_exit_status (V2V_ERR_MISMATCH)
             : 0;
}

static int
run_refresh (struct cli *cli, struct v2v_error **err)
{
  return upkeep (cli, REFRESH, err);
}

static int
run_repair (struct cli *cli, struct v2v_error **err)
{
  return upkeep (cli, REPAIR, err);
}

static int
run_gc (struct cli *cli, struct v2v_error **err)
{
  return upkeep (cli, GC, err);
}

/* clang-format off */
static const struct cmd_option refresh_options[] = {
  CMD_DEBUG,
  ROW_DRY_RUN,
  ROW_FORCE,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_PROGRESS,
  ROW_SHARE,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
static const struct cmd_option repair_options[] = {
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_PROGRESS,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
static const struct cmd_option gc_options[] = {
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

const struct v2v_command lib_cmd_refresh = {
  .name = "library refresh",
  .summary = "find what is new, moved, gone or changed in the shares",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library refresh --library main --share nfs\n",
  .options = refresh_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_refresh,
};

const struct v2v_command lib_cmd_repair = {
  .name = "library repair",
  .summary = "bring back what is missing or changed",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library repair --library main --dry-run\n",
  .options = repair_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_repair,
};

const struct v2v_command lib_cmd_gc = {
  .name = "library gc",
  .summary = "remove what unfinished work and repairs left behind",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library gc --library main\n",
  .options = gc_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_gc,
};

/* ---- copy ---- */

static int
run_copy (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (a.share == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "library copy: where to? --share NAME is missing");
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      lib_start_progress (cli, &a, err) == -1 ||
      v2v_library_copy (lib, id, a.share, &a.upkeep, err) == -1)
    return -1;
  v2v_progress_bar_clear (cli->progress);
  return lib_done (cli, "id", id, err);
}

/* clang-format off */
static const struct cmd_option copy_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_PROGRESS,
  ROW_SHARE,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_copy = {
  .name = "library copy",
  .summary = "make a second copy of an object, on another share",
  .synopsis = "[OPTION...] OBJECT --share NAME",
  .examples = "  v2v library copy --library main disk/base --share nfs\n",
  .options = copy_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_copy,
};
