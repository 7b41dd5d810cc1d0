/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v disk: chains of differencing disks: shown, made, merged, flattened,
 * compacted, put on another parent; and whole files, copied in the cheapest way.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/chain.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/ladder.h"
#include "convert/cmd.h"

enum {
  OPT_DIFFERENCING = CMD_OPT_FIRST,
  OPT_EXPLAIN,
  OPT_NO_REFLINK,
  OPT_PARENT,
  OPT_PARENT_PATH,
  OPT_RATE,
  OPT_RELATIVE_PATH,
  OPT_SEARCH,
  OPT_THREADS,
  OPT_TRUST_PARENT,
};

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  { "differencing", OPT_DIFFERENCING, NULL,
    "clone: a differencing child will do as well, where blocks\n"
    "cannot be shared" },
  { "explain", OPT_EXPLAIN, NULL,
    "clone: print which ways were tried, and why each was taken or\n"
    "not" },
  CMD_HELP,
  CMD_JSON,
  { "no-reflink", OPT_NO_REFLINK, NULL, "clone: do not share blocks" },
  { "output", 'o', "NEW",
    "flatten: write a new disk, with an identity of its own, and\n"
    "leave FILE as it is" },
  { "parent", OPT_PARENT, "FILE", "rebase: the parent from now on" },
  { "parent-path", OPT_PARENT_PATH, "PATH",
    "create-child, rebase: the parent's path on the Windows host,\n"
    "stored beside the relative one" },
  CMD_PROGRESS,
  { "rate", OPT_RATE, "SIZE", "at most so many bytes a second" },
  { "relative-path", OPT_RELATIVE_PATH, "PATH",
    "create-child, rebase: the parent's path from the folder of the\n"
    "child on the Windows host; by default as the files are here" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  { "trust-parent", OPT_TRUST_PARENT, NULL,
    "rebase: do not compare the parent with the one that was" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct args {
  struct v2v_chain_opts opts;
  bool differencing, explain, no_reflink;
  struct cmd_list search;
  const char *output;
  const char *parent;
};

static int
set_option (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case OPT_DIFFERENCING:
    a->differencing = true;
    break;
  case OPT_EXPLAIN:
    a->explain = true;
    break;
  case OPT_NO_REFLINK:
    a->no_reflink = true;
    break;
  case 'o':
    a->output = arg;
    break;
  case OPT_PARENT:
    a->parent = arg;
    break;
  case OPT_PARENT_PATH:
    a->opts.parent_absolute_path = arg;
    break;
  case OPT_RATE:
    return cmd_parse_size ("rate", arg, &a->opts.copy.rate_limit, err);
  case OPT_RELATIVE_PATH:
    a->opts.parent_relative_path = arg;
    break;
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  case OPT_THREADS:
    return cmd_parse_number ("threads", arg, 1, 64, &a->opts.copy.threads, err);
  case OPT_TRUST_PARENT:
    a->opts.trust_parent = true;
    break;
  }
  return 0;
}

/* ---- chain ---- */

static struct v2v_json *
layer_to_json (const struct v2v_image *img)
{
  const struct v2v_image_info *i = v2v_image_get_info (img);
  const struct v2v_image *parent = v2v_image_parent (img);
  struct v2v_json *o = v2v_json_new_object ();
  struct stat st;

  v2v_json_set_string (o, "file", v2v_image_name (img));
  v2v_json_set_string (o, "format", i->format);
  v2v_json_set_string (o, "variant", i->variant);
  v2v_json_set_u64 (o, "virtual_bytes", i->size_bytes);
  if (stat (v2v_image_name (img), &st) == 0) {
    v2v_json_set_u64 (o, "file_bytes", (uint64_t) st.st_size);
    v2v_json_set_u64 (o, "allocated_bytes", (uint64_t) st.st_blocks * 512);
  }
  v2v_json_set_string (o, "id", i->id);
  v2v_json_set_string (o, "content_id", i->content_id);
  if (!i->has_parent)
    return o;
  v2v_json_set_string (o, "parent_id", i->parent_id);
  v2v_json_set_string (o, "parent_relative_path", i->parent_relative_path);
  v2v_json_set_string (o, "parent_absolute_path", i->parent_absolute_path);
  v2v_json_set_string (
      o, "parent_state",
      parent == NULL ? "missing"
      : i->parent_id != NULL &&
              v2v_image_get_info (parent)->content_id != NULL &&
              strcmp (i->parent_id, v2v_image_get_info (parent)->content_id) ==
                  0
          ? "ok"
          : "mismatch");
  return o;
}

static void
print_layer (const struct v2v_json *o, size_t depth)
{
  const char *relative = v2v_json_get_string (o, "parent_relative_path");
  const char *absolute = v2v_json_get_string (o, "parent_absolute_path");
  const char *state = v2v_json_get_string (o, "parent_state");
  const char *variant = v2v_json_get_string (o, "variant");
  CLEANUP_FREE char *name = cmd_printable (v2v_json_get_string (o, "file"));
  uint64_t size = 0, allocated = 0;
  char a[32], b[32];

  v2v_json_get_u64 (o, "virtual_bytes", &size);
  v2v_json_get_u64 (o, "allocated_bytes", &allocated);
  printf ("%zu %s: %s %s, %s, %s allocated\n", depth, name ? name : "?",
          v2v_json_get_string (o, "format"), variant ? variant : "",
          v2v_format_size (size, a), v2v_format_size (allocated, b));
  if (state == NULL)
    return;
  for (unsigned k = 0; k < 2; ++k) {
    const char *path = k == 0 ? relative : absolute;
    CLEANUP_FREE char *shown = path != NULL ? cmd_printable (path) : NULL;

    if (shown != NULL)
      printf ("    parent at %s\n", shown);
  }
  if (strcmp (state, "ok") != 0)
    printf ("    parent: %s\n", state);
}

/* As much of the chain as there is; what is wrong with it in *WHY. */
static struct v2v_image *
open_what_there_is (const char *file, const struct args *a,
                    struct v2v_error **why)
{
  struct v2v_open_opts open = { .search = a->search.ptr };
  struct v2v_image *img = v2v_image_open (file, &open, why);

  if (img != NULL)
    return img;
  open.ignore_parent_id = true;
  img = v2v_image_open (file, &open, NULL);
  if (img != NULL)
    return img;
  open.no_parents = true;
  return v2v_image_open (file, &open, NULL);
}

static int
show_chain (struct cli *cli, struct args *a, struct v2v_error **err)
{
  struct v2v_error *why = NULL;
  CLEANUP_IMAGE struct v2v_image *img =
      open_what_there_is (cli->args[1], a, &why);
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct v2v_json *list;
  int status = 0;

  if (img == NULL)
    return v2v_error_move (err, why);
  o = v2v_json_new_object ();
  list = v2v_json_new_array ();
  for (const struct v2v_image *l = img; l != NULL; l = v2v_image_parent (l))
    v2v_json_append (list, layer_to_json (l));
  v2v_json_set (o, "layers", list);
  if (!cli->json) {
    for (size_t i = 0; i < v2v_json_length (list); ++i)
      print_layer (v2v_json_at (list, i), i);
    return why != NULL ? v2v_error_move (err, why) : 0;
  }
  if (why != NULL) {
    struct v2v_json *e = v2v_json_new_object ();

    status = v2v_error_exit_status (v2v_error_code (why));
    v2v_json_set_string (e, "code", v2v_error_code_name (v2v_error_code (why)));
    v2v_json_set_string (e, "message", v2v_error_message (why));
    v2v_json_set (o, "error", e);
    v2v_error_free (why);
  }
  return cmd_print_json (o, err) == -1 ? -1 : status;
}

/* ---- clone ---- */

static int
clone_file (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const struct v2v_ladder_opts opts = {
    .differencing = a->differencing,
    .no_reflink = a->no_reflink,
    .parent_absolute_path = a->opts.parent_absolute_path,
    .copy = a->opts.copy,
  };
  struct v2v_ladder_result r;
  int ret = 0;

  if (v2v_ladder_copy (cli->args[1], cli->args[2], &opts, &r, err) == -1)
    return -1;
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "action", "clone");
    v2v_json_set_string (o, "file", cli->args[2]);
    v2v_json_set_u64 (o, "file_bytes", r.file_bytes);
    v2v_json_set_real (o, "seconds", r.seconds);
    v2v_json_set (o, "ways", v2v_ladder_to_json (&r));
    ret = cmd_print_json (o, err);
  }
  else
    for (size_t i = 0; i < r.nr_steps; ++i)
      if (a->explain)
        printf ("%s %s: %s\n", r.steps[i].taken ? "*" : " ",
                v2v_rung_name (r.steps[i].rung), r.steps[i].reason);
  v2v_ladder_result_clear (&r);
  return ret;
}

/* ---- the others ---- */

static int
create_child (struct cli *cli, struct args *a, struct v2v_chain_result *r,
              struct v2v_error **err)
{
  return v2v_chain_create_child (cli->args[1], cli->args[2], &a->opts, r, err);
}

static int
merge (struct cli *cli, struct args *a, struct v2v_chain_result *r,
       struct v2v_error **err)
{
  return v2v_chain_merge (cli->args[1], &a->opts, r, err);
}

static int
flatten (struct cli *cli, struct args *a, struct v2v_chain_result *r,
         struct v2v_error **err)
{
  return v2v_chain_flatten (cli->args[1], a->output, &a->opts, r, err);
}

static int
rebase (struct cli *cli, struct args *a, struct v2v_chain_result *r,
        struct v2v_error **err)
{
  return v2v_chain_rebase (cli->args[1], a->parent, &a->opts, r, err);
}

static int
compact (struct cli *cli, struct args *a, struct v2v_chain_result *r,
         struct v2v_error **err)
{
  return v2v_chain_compact (cli->args[1], &a->opts, r, err);
}

static const struct action {
  const char *name;
  size_t nr_args; /* with the name */
  /* NULL: chain and clone, which print other things */
  int (*run) (struct cli *cli, struct args *a, struct v2v_chain_result *r,
              struct v2v_error **err);
} actions[] = {
  { "chain", 2, NULL },      { "clone", 3, NULL },
  { "compact", 2, compact }, { "create-child", 3, create_child },
  { "flatten", 2, flatten }, { "merge", 2, merge },
  { "rebase", 2, rebase },
};

static int
check (const struct cli *cli, const struct args *a, const struct action *d,
       struct v2v_error **err)
{
  const bool is_rebase = strcmp (d->name, "rebase") == 0;
  const bool is_clone = strcmp (d->name, "clone") == 0;
  const bool makes_locator =
      is_rebase || strcmp (d->name, "create-child") == 0 ||
      (is_clone && a->differencing && a->opts.parent_relative_path == NULL);

  if (cli->nr_args != d->nr_args)
    return v2v_fail (
        err, V2V_ERR_USAGE, "disk %s: expected %zu file%s, not %zu", d->name,
        d->nr_args - 1, d->nr_args == 2 ? "" : "s", cli->nr_args - 1);
  if (is_rebase != (a->parent != NULL))
    return v2v_fail (err, V2V_ERR_USAGE, "disk %s: %s", d->name,
                     is_rebase ? "--parent FILE is missing"
                               : "only rebase takes --parent");
  if (a->output != NULL && strcmp (d->name, "flatten") != 0)
    return v2v_fail (err, V2V_ERR_USAGE, "disk %s: only flatten takes --output",
                     d->name);
  if (a->opts.trust_parent && !is_rebase)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk %s: only rebase takes --trust-parent", d->name);
  if (!is_clone && (a->differencing || a->explain || a->no_reflink))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk %s: only clone takes --differencing, --explain and "
                     "--no-reflink",
                     d->name);
  if (!makes_locator && (a->opts.parent_absolute_path != NULL ||
                         a->opts.parent_relative_path != NULL))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "disk %s: only create-child, rebase and clone "
                     "--differencing store a path",
                     d->name);
  return 0;
}

static int
print_result (const struct cli *cli, const struct action *d,
              const struct v2v_chain_result *r, struct v2v_error **err)
{
  char a[32], b[32];

  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "action", d->name);
    v2v_json_set_string (o, "file", r->path);
    v2v_json_set_bool (o, "unchanged", r->unchanged);
    v2v_json_set_u64 (o, "copied_bytes", r->copied_bytes);
    v2v_json_set_u64 (o, "file_bytes_before", r->file_bytes_before);
    v2v_json_set_u64 (o, "file_bytes", r->file_bytes_after);
    v2v_json_set_u64 (o, "allocated_bytes_before", r->allocated_bytes_before);
    v2v_json_set_u64 (o, "allocated_bytes", r->allocated_bytes_after);
    return cmd_print_json (o, err);
  }
  if (r->unchanged)
    printf ("%s: nothing to gain, nothing changed\n", r->path);
  else
    printf ("%s: %s allocated, file of %s\n", r->path,
            v2v_format_size (r->allocated_bytes_after, a),
            v2v_format_size (r->file_bytes_after, b));
  return 0;
}

static int
act (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const struct action *d = NULL;
  struct v2v_chain_result result = { .path = NULL };
  int r;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (actions); ++i)
    if (strcmp (actions[i].name, cli->args[0]) == 0)
      d = &actions[i];
  if (d == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "disk: there is no '%s'", cli->args[0]);
    return v2v_hint (err, "chain, clone, compact, create-child, flatten, merge "
                          "or rebase");
  }
  a->opts.search = a->search.ptr;
  if (check (cli, a, d, err) == -1)
    return -1;
  if (strcmp (d->name, "chain") == 0)
    return show_chain (cli, a, err);
  r = cmd_progress_start (cli, &a->opts.copy, err);
  if (r == 0 && d->run == NULL)
    return clone_file (cli, a, err);
  if (r == 0)
    r = d->run (cli, a, &result, err);
  if (r == 0)
    r = print_result (cli, d, &result, err);
  v2v_chain_result_clear (&result);
  return r;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .output = NULL };
  const char *arg;
  int c, r = 0;

  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) > 0)
    r = set_option (&a, c, arg, err);
  if (r == 0)
    r = c;
  if (r == 0 && !cli->done)
    r = act (cli, &a, err);
  cmd_list_free (&a.search);
  return r;
}

const struct v2v_command cmd_disk = {
  .name = "disk",
  .summary = "show and change a chain of differencing disks",
  .synopsis =
      "chain|clone|compact|create-child|flatten|merge|rebase [OPTION...]\n"
      "           FILE...",
  .examples = "  v2v disk create-child base.vhdx child.vhdx\n"
              "  v2v disk chain child.vhdx\n"
              "  v2v disk merge child.vhdx\n",
  .options = options,
  .min_args = 2,
  .max_args = 3,
  .run = run,
};
