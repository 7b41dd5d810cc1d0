/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check: every structure of a disk image, and what can be repaired. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "convert/cmd.h"

enum {
  OPT_FORMAT = CMD_OPT_FIRST,
  OPT_NO_PARENTS,
  OPT_REPAIR,
  OPT_SEARCH,
};

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  { "format", OPT_FORMAT, "FORMAT", "take FILE for this, do not probe" },
  CMD_HELP,
  CMD_JSON,
  { "no-parents", OPT_NO_PARENTS, NULL,
    "look at this file only, not at the chain it belongs to" },
  { "repair", OPT_REPAIR, NULL,
    "put right what can be put right without loss, in place" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct tally {
  size_t notes;
  size_t leaks;
  size_t damage;
  size_t repaired;
};

static const char *
severity_name (enum v2v_check_severity s)
{
  switch (s) {
  case V2V_CHECK_NOTE:
    return "note";
  case V2V_CHECK_LEAK:
    return "leak";
  case V2V_CHECK_DAMAGE:
    return "damage";
  }
  return "?";
}

static struct tally
count (const struct v2v_check_report *r)
{
  struct tally t = { 0 };

  for (size_t i = 0; i < r->nr_items; ++i) {
    if (r->items[i].repaired) {
      t.repaired++;
      continue;
    }
    switch (r->items[i].severity) {
    case V2V_CHECK_NOTE:
      t.notes++;
      break;
    case V2V_CHECK_LEAK:
      t.leaks++;
      break;
    case V2V_CHECK_DAMAGE:
      t.damage++;
      break;
    }
  }
  /* What was not listed any more counts once, as the worst of it. */
  t.leaks += r->nr_suppressed > 0 && r->worst_suppressed == V2V_CHECK_LEAK;
  t.damage += r->nr_suppressed > 0 && r->worst_suppressed == V2V_CHECK_DAMAGE;
  return t;
}

static bool
has_parent (const char *file, const struct v2v_open_opts *opts)
{
  struct v2v_open_opts alone = *opts;
  CLEANUP_IMAGE struct v2v_image *img = NULL;

  alone.no_parents = true;
  img = v2v_image_open (file, &alone, NULL);
  return img != NULL && v2v_image_get_info (img)->has_parent;
}

/* The identity of the chain, which no file can tell alone.  A parent that is
 * another one is damage of the disk as a whole; most drivers find that
 * themselves. */
static int
check_chain (const char *file, const struct v2v_open_opts *opts,
             struct v2v_check_report *report, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct v2v_image *img;
  int r;

  for (size_t i = 0; i < report->nr_items; ++i)
    if (strstr (report->items[i].id, ".chain") != NULL ||
        strstr (report->items[i].id, ".parent") != NULL)
      return 0;
  img = v2v_image_open (file, opts, &e);
  if (img != NULL) {
    v2v_image_close (img);
    return 0;
  }
  r = v2v_check_add (report, V2V_CHECK_DAMAGE, false,
                     v2v_error_code (e) == V2V_ERR_MISMATCH ? "chain.identity"
                                                            : "chain.open",
                     "%s", v2v_error_message (e));
  v2v_error_free (e);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

/* Why a parent of FILE cannot be had (it is not here, or not readable), which
 * is no damage of this file; NULL if that is not so. */
static struct v2v_error *
missing_parent (const char *file, const struct v2v_open_opts *opts)
{
  struct v2v_error *e = NULL;
  struct v2v_image *img = v2v_image_open (file, opts, &e);

  v2v_image_close (img);
  if (e != NULL && v2v_error_code (e) != V2V_ERR_IO) {
    v2v_error_free (e);
    return NULL;
  }
  if (e != NULL)
    v2v_hint (&e, "name the parent's folder with --search, or check this file "
                  "alone with --no-parents");
  return e;
}

/* The file, then its chain.  The parent that is missing is only told where
 * the file itself is sound. */
static int
check (const char *file, bool repair, const struct v2v_open_opts *opts,
       struct v2v_check_report *report, struct v2v_error **err)
{
  const bool chain = !opts->no_parents && has_parent (file, opts);
  struct v2v_error *missing = chain ? missing_parent (file, opts) : NULL;
  struct v2v_open_opts own = *opts;

  own.no_parents = opts->no_parents || missing != NULL;
  if (v2v_image_check (file, repair, &own, report, err) == -1) {
    v2v_error_free (missing);
    cmd_hint_at_package (file, err);
    return -1;
  }
  if (missing == NULL)
    return chain ? check_chain (file, opts, report, err) : 0;
  if (count (report).damage == 0)
    return v2v_error_move (err, missing);
  v2v_error_free (missing);
  return 0;
}

static int
print_json (const char *file, const struct v2v_check_report *r,
            const struct tally *t, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *items = v2v_json_new_array ();

  for (size_t i = 0; i < r->nr_items; ++i) {
    struct v2v_json *item = v2v_json_new_object ();

    v2v_json_set_string (item, "severity",
                         severity_name (r->items[i].severity));
    v2v_json_set_string (item, "id", r->items[i].id);
    v2v_json_set_string (item, "message", r->items[i].message);
    v2v_json_set_bool (item, "repaired", r->items[i].repaired);
    v2v_json_append (items, item);
  }
  v2v_json_set_string (o, "file", file);
  v2v_json_set_string (o, "result",
                       t->damage ? "damaged" : (t->leaks ? "leaks" : "sound"));
  v2v_json_set_u64 (o, "damage", t->damage);
  v2v_json_set_u64 (o, "leaks", t->leaks);
  v2v_json_set_u64 (o, "notes", t->notes);
  v2v_json_set_u64 (o, "repaired", t->repaired);
  v2v_json_set_u64 (o, "suppressed", r->nr_suppressed);
  v2v_json_set_u64 (o, "blocks_allocated", r->nr_blocks);
  v2v_json_set_u64 (o, "blocks_total", r->nr_blocks_total);
  v2v_json_set (o, "items", items);
  return cmd_print_json (o, err);
}

static void
print_text (const char *file, const struct v2v_check_report *r,
            const struct tally *t)
{
  for (size_t i = 0; i < r->nr_items; ++i) {
    CLEANUP_FREE char *shown = cmd_printable (r->items[i].message);

    printf ("%s%s: %s (%s)\n", severity_name (r->items[i].severity),
            r->items[i].repaired ? ", repaired" : "", shown ? shown : "?",
            r->items[i].id);
  }
  if (r->nr_suppressed > 0)
    printf ("and %" PRIu64 " more of these\n", r->nr_suppressed);
  if (t->damage > 0)
    printf ("%s: damaged: %zu thing%s wrong\n", file, t->damage,
            t->damage == 1 ? "" : "s");
  else if (t->leaks > 0)
    printf ("%s: sound, but space is wasted in %zu place%s\n", file, t->leaks,
            t->leaks == 1 ? "" : "s");
  else if (r->nr_blocks_total > 0)
    printf ("%s: sound; %" PRIu64 " of %" PRIu64 " blocks in use\n", file,
            r->nr_blocks, r->nr_blocks_total);
  else
    printf ("%s: sound\n", file);
  if (t->repaired > 0)
    printf ("%zu repaired\n", t->repaired);
}

static int
parse (struct cli *cli, struct v2v_open_opts *opts, struct cmd_list *search,
       bool *repair, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case OPT_FORMAT:
      if (cmd_parse_format ("format", arg, false, err) == -1)
        return -1;
      opts->format = arg;
      break;
    case OPT_NO_PARENTS:
      opts->no_parents = true;
      break;
    case OPT_REPAIR:
      *repair = true;
      break;
    case OPT_SEARCH:
      if (cmd_list_add (search, arg, err) == -1)
        return -1;
      break;
    }
  opts->search = search->ptr;
  return c;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_CMD_LIST struct cmd_list search = { NULL, 0 };
  struct v2v_open_opts opts = { 0 };
  struct v2v_check_report report = { 0 };
  struct tally t;
  bool repair = false;
  int r = parse (cli, &opts, &search, &repair, err);

  if (r == -1 || cli->done)
    return r;
  r = check (cli->args[0], repair, &opts, &report, err);
  if (r == 0) {
    t = count (&report);
    if (!cli->json)
      print_text (cli->args[0], &report, &t);
    else if (print_json (cli->args[0], &report, &t, err) == -1)
      r = -1;
    if (r == 0 && t.damage > 0)
      r = v2v_error_exit_status (V2V_ERR_FORMAT);
    else if (r == 0 && t.leaks > 0)
      r = CMD_EXIT_LEAKS;
  }
  v2v_check_report_clear (&report);
  return r;
}

const struct v2v_command cmd_check = {
  .name = "check",
  .summary = "verify every structure of a disk image, and repair it",
  .synopsis = "[OPTION...] FILE",
  .examples = "  v2v check disk.vhdx\n"
              "  v2v check --repair dirty.vhdx\n"
              "  v2v check --json disk.vmdk | jq .result\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
