/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v customize: put a profile, scripts of the first start or a new identity
 * into the guest on existing disks.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "convert/cmd.h"
#include "convert/customize.h"

enum {
  OPT_ALLOW_DIRTY = CMD_OPT_FIRST,
  OPT_DRY_RUN,
  OPT_FIRSTBOOT,
  OPT_GENERALIZE,
  OPT_KEY,
  OPT_OPERATIONS,
  OPT_PROFILE,
  OPT_RESUME,
  OPT_ROOT,
  OPT_SEARCH,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "allow-dirty", OPT_ALLOW_DIRTY, NULL,
    "go on with file systems that were not unmounted" },
  CMD_DEBUG,
  { "dry-run", OPT_DRY_RUN, NULL, "print what would change; write nothing" },
  { "firstboot", OPT_FIRSTBOOT, "FILE",
    "run FILE when the guest first starts; may be given again" },
  { "generalize", OPT_GENERALIZE, NULL,
    "reset the identity of a Linux guest: a template" },
  CMD_HELP,
  CMD_JSON,
  { "key", OPT_KEY, "SELECTOR:FILE",
    "the first line of FILE opens the encrypted disk SELECTOR (a\n"
    "device, a UUID or 'all'); may be given again" },
  { "operations", OPT_OPERATIONS, "LIST",
    "with --generalize: which; 'help' lists them" },
  { "output", 'o', "NEW",
    "write to a new file, or into a folder; by default the disks\n"
    "are changed in place" },
  { "profile", OPT_PROFILE, "FILE",
    "how the guest shall be; see v2v-guest-profile(5)" },
  CMD_PROGRESS,
  { "resume", OPT_RESUME, NULL,
    "complete what an interrupted run in place began to write" },
  { "root", OPT_ROOT, "DEVICE",
    "which operating system, when there are several: its device,\n"
    "its number or 'first'" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct args {
  struct v2v_customize_opts opts;
  struct cmd_list firstboot, search;
  const char *profile_file;
  struct v2v_profile *profile;
  bool list_operations;
};

static int
set_option (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case OPT_ALLOW_DIRTY:
    a->opts.guest.allow_dirty = true;
    break;
  case OPT_DRY_RUN:
    a->opts.dry_run = true;
    break;
  case OPT_FIRSTBOOT:
    return cmd_list_add (&a->firstboot, arg, err);
  case OPT_GENERALIZE:
    a->opts.generalize = true;
    break;
  case OPT_KEY:
    a->opts.guest.have_keys = true;
    return v2v_guest_keys_add (&a->opts.keys, arg, err);
  case 'o':
    a->opts.output = arg;
    break;
  case OPT_OPERATIONS:
    if (strcmp (arg, "help") == 0)
      a->list_operations = true;
    else if (v2v_generalize_check (arg, err) == -1)
      return v2v_prefix (err, "--operations");
    a->opts.generalize_operations = arg;
    break;
  case OPT_PROFILE:
    a->profile_file = arg;
    break;
  case OPT_RESUME:
    a->opts.resume = true;
    break;
  case OPT_ROOT:
    a->opts.guest.root = arg;
    break;
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  }
  return 0;
}

static void
list_operations (void)
{
  size_t n;
  const struct v2v_generalize_operation *o = v2v_generalize_operations (&n);

  for (size_t i = 0; i < n; ++i)
    printf ("%c %-24s %s\n", o[i].on_by_default ? '*' : ' ', o[i].name,
            o[i].description);
}

/* Scripts of the command line behind those of the profile. */
static int
add_scripts (struct args *a, struct v2v_error **err)
{
  struct v2v_profile *p = a->profile;

  for (size_t i = 0; i < a->firstboot.len; ++i) {
    struct v2v_profile_file *f =
        reallocarray (p->scripts, p->nr_scripts + 1, sizeof *f);
    const char *base = strrchr (a->firstboot.ptr[i], '/');

    if (f == NULL)
      return v2v_fail_nomem (err);
    p->scripts = f;
    f += p->nr_scripts;
    memset (f, 0, sizeof *f);
    f->path = strdup (a->firstboot.ptr[i]);
    f->name = strdup (base ? base + 1 : a->firstboot.ptr[i]);
    p->nr_scripts++;
    if (f->path == NULL || f->name == NULL)
      return v2v_fail_nomem (err);
  }
  return v2v_profile_read_secrets (p, err);
}

static int
load_profile (struct args *a, struct v2v_error **err)
{
  if (a->profile_file != NULL)
    a->profile = v2v_profile_load (a->profile_file, err);
  else if (a->firstboot.len > 0)
    a->profile = v2v_profile_parse ("{}", 2, "the command line", ".", err);
  else
    return 0;
  if (a->profile == NULL || add_scripts (a, err) == -1)
    return -1;
  a->opts.profile = a->profile;
  return 0;
}

static int
check (const struct args *a, struct v2v_error **err)
{
  if (a->opts.generalize_operations != NULL && !a->opts.generalize)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--operations goes with --generalize only");
  if (a->opts.resume &&
      (a->opts.output != NULL || a->opts.dry_run || a->opts.generalize ||
       a->profile_file != NULL || a->firstboot.len > 0))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--resume completes what was begun: no other change goes "
                     "with it");
  if (!a->opts.resume && !a->opts.generalize && a->profile_file == NULL &&
      a->firstboot.len == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "customize: nothing to change");
    return v2v_hint (err, "give --profile, --firstboot or --generalize");
  }
  if (a->opts.dry_run && a->opts.output != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "--dry-run writes no --output");
  return 0;
}

static void
print_result (const struct v2v_json *o)
{
  const struct v2v_json *changes = v2v_json_get (o, "changes");
  const struct v2v_json *findings = v2v_json_get (o, "findings");

  for (size_t i = 0; i < v2v_json_length (changes); ++i) {
    const struct v2v_json *c = v2v_json_at (changes, i);
    const char *kind = v2v_json_get_string (c, "kind");
    const char *path = v2v_json_get_string (c, "path");
    CLEANUP_FREE char *shown = cmd_printable (path ? path : "?");

    printf ("%s %s\n", kind ? kind : "?", shown ? shown : "?");
  }
  for (size_t i = 0; i < v2v_json_length (findings); ++i) {
    const struct v2v_json *f = v2v_json_at (findings, i);
    const char *severity = v2v_json_get_string (f, "severity");
    const char *message = v2v_json_get_string (f, "message");
    const char *id = v2v_json_get_string (f, "id");
    CLEANUP_FREE char *shown = cmd_printable (message ? message : "?");

    printf ("%s: %s (%s)\n", severity ? severity : "?", shown ? shown : "?",
            id ? id : "?");
  }
}

static int
customize (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;

  if (a->list_operations) {
    list_operations ();
    return 0;
  }
  if (cli->nr_args == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "customize: too few arguments");
    return v2v_hint (err, "usage: v2v customize %s", cli->command->synopsis);
  }
  a->opts.disks = (const char *const *) cli->args;
  a->opts.nr_disks = cli->nr_args;
  a->opts.search = a->search.ptr;
  if (check (a, err) == -1 || load_profile (a, err) == -1 ||
      cmd_progress_start (cli, &a->opts.copy, err) == -1 ||
      v2v_customize_disks (&a->opts, &o, err) == -1)
    return -1;
  if (cli->json)
    return cmd_print_json (o, err);
  print_result (o);
  return 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .profile = NULL };
  const char *arg;
  int c, r = 0;

  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) > 0)
    r = set_option (&a, c, arg, err);
  if (r == 0)
    r = c;
  if (r == 0 && !cli->done)
    r = customize (cli, &a, err);
  v2v_profile_free (a.profile);
  v2v_guest_keys_clear (&a.opts.keys);
  cmd_list_free (&a.firstboot);
  cmd_list_free (&a.search);
  return r;
}

const struct v2v_command cmd_customize = {
  .name = "customize",
  .summary = "put names, users, scripts into the guest on a disk",
  .synopsis = "[OPTION...] DISK...",
  .examples = "  v2v customize --profile web1.json web1.vhdx\n"
              "  v2v customize --generalize -o template.vhdx guest.vhdx\n"
              "  v2v customize --dry-run --firstboot setup.sh disk.vhdx\n",
  .options = options,
  .min_args = 0,
  .max_args = 64,
  .run = run,
};
