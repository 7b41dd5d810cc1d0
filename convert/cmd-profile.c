/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v profile: hardware, guest OS and capability profiles. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd-document.h"

enum { OPT_KEEP_MACS = DOC_OPT_FIRST };

/* clang-format off */
static const struct cmd_option options[] = {
  { "capability", DOC_OPT_CAPABILITY, "FILE",
    "validate: judge hardware profiles by this capability profile" },
  CMD_DEBUG,
  { "force", DOC_OPT_FORCE, NULL, "replace the file that is there" },
  { "from", DOC_OPT_FROM, "WHAT",
    "create: begin with a profile, with a converted machine (its\n"
    "folder or NAME.json) or with an OVA, OVF or VMX" },
  CMD_HELP,
  CMD_JSON,
  { "keep-macs", OPT_KEEP_MACS, NULL,
    "create: take the addresses of network adapters over" },
  { "library", DOC_OPT_LIBRARY, "DIR|NAME",
    "FILE may be a name in this library, and without --output a\n"
    "new profile is stored in it" },
  { "name", DOC_OPT_NAME, "NAME", "name of the new profile" },
  { "output", 'o', "FILE",
    "create, import, export: write there; standard output if it is\n"
    "left out" },
  { "set", DOC_OPT_SET, "PATH=VALUE",
    "create, import, export: set a field, as processor.count=4 or\n"
    "network-adapters[0].vlan=5; may be given again" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const enum v2v_document_kind profiles[] = { V2V_DOCUMENT_HARDWARE,
                                                   V2V_DOCUMENT_GUEST_OS,
                                                   V2V_DOCUMENT_CAPABILITY };

struct args {
  struct document_args doc;
  bool keep_macs;
};

static struct v2v_document *
open_profile (const struct args *a, const char *file, struct v2v_error **err)
{
  return document_open (a->doc.lib, file, profiles, V2V_ARRAY_SIZE (profiles),
                        err);
}

/* ---- create ---- */

/* The description in the folder of a converted machine: the one .json that
 * is no report. */
static char *
description_of (const char *what, struct v2v_error **err)
{
  const size_t n = strlen (what);
  const char *end = what + n, *base;
  CLEANUP_FREE char *trimmed = NULL;
  struct stat st;
  char *path;

  if (stat (what, &st) == -1) {
    v2v_fail_errno (err, "%s", what);
    return NULL;
  }
  if (!S_ISDIR (st.st_mode))
    return n > 5 && strcmp (end - 5, ".json") == 0 ? strdup (what) : NULL;
  while (end > what + 1 && end[-1] == '/')
    --end;
  trimmed = strndup (what, (size_t) (end - what));
  if (trimmed == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  base = strrchr (trimmed, '/');
  base = base != NULL ? base + 1 : trimmed;
  if (asprintf (&path, "%s/%s.json", trimmed, base) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  /* Else it may be the folder of a VMware machine. */
  if (stat (path, &st) == -1) {
    free (path);
    return NULL;
  }
  return path;
}

static struct v2v_document *
from_source (const char *what, bool keep_macs, struct v2v_error **err)
{
  const struct v2v_source_opts opts = { .manifest = V2V_MANIFEST_OFF };
  struct v2v_source *src = v2v_source_open (what, &opts, err);
  struct v2v_document *d = NULL;
  struct v2v_hyperv_plan *plan;

  if (src == NULL)
    return NULL;
  if (v2v_source_nr_machines (src) != 1)
    v2v_fail (err, V2V_ERR_USAGE, "%s: it holds %zu machines, expected one",
              what, v2v_source_nr_machines (src));
  else {
    plan =
        v2v_hyperv_plan_new (v2v_source_machine (src, 0), NULL, 0, NULL, err);
    if (plan != NULL)
      d = v2v_hardware_from_plan (plan, keep_macs, err);
    v2v_hyperv_plan_free (plan);
  }
  v2v_source_close (src);
  return d;
}

static struct v2v_document *
hardware_from (const struct args *a, struct v2v_error **err)
{
  struct v2v_error *inner = NULL;
  CLEANUP_FREE char *json = description_of (a->doc.from, &inner);
  CLEANUP_JSON struct v2v_json *j = NULL;

  if (inner != NULL) {
    v2v_error_move (err, inner);
    return NULL;
  }
  if (json == NULL)
    return from_source (a->doc.from, a->keep_macs, err);
  j = document_read_json (json, err);
  return j == NULL ? NULL : v2v_hardware_from_json (j, json, a->keep_macs, err);
}

static bool
is_xml (const char *file)
{
  const size_t n = strlen (file);

  return n > 4 && strcmp (file + n - 4, ".xml") == 0;
}

static struct v2v_document *
begin (enum v2v_document_kind kind, const struct args *a,
       struct v2v_error **err)
{
  struct v2v_document *d;

  if (a->doc.from == NULL)
    return v2v_document_new (kind, err);
  if (!is_xml (a->doc.from) &&
      (a->doc.lib == NULL || access (a->doc.from, F_OK) == 0)) {
    if (kind == V2V_DOCUMENT_HARDWARE)
      return hardware_from (a, err);
    v2v_fail (err, V2V_ERR_USAGE, "--from: %s: expected a %s (.xml)",
              a->doc.from, v2v_document_kind_name (kind));
    if (kind == V2V_DOCUMENT_GUEST_OS)
      v2v_hint (err, "'v2v profile import' takes the JSON of 'v2v customize'");
    return NULL;
  }
  d = document_open (a->doc.lib, a->doc.from, &kind, 1, err);
  /* Another object: it gets an id and versions of its own. */
  if (d != NULL && (v2v_document_set (d, "id", "", err) == -1 ||
                    v2v_document_set (d, "version", "", err) == -1)) {
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

static int
create (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = NULL;
  enum v2v_document_kind kind;

  if (!v2v_document_kind_parse (cli->args[1], &kind) ||
      kind > V2V_DOCUMENT_CAPABILITY)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s' is no kind of profile: expected hardware, guest-os "
                     "or capability",
                     cli->args[1]);
  d = begin (kind, a, err);
  return d == NULL ? -1 : document_finish (cli, d, &a->doc, err);
}

/* ---- show, diff ---- */

static int
show (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = open_profile (a, cli->args[1], err);

  return d == NULL ? -1 : document_show (cli, d, err);
}

static int
diff (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *one =
      open_profile (a, cli->args[1], err);
  CLEANUP_DOCUMENT struct v2v_document *two =
      one != NULL ? open_profile (a, cli->args[2], err) : NULL;

  return two == NULL ? -1 : document_diff (cli, one, two, err);
}

/* ---- validate ---- */

static int
validate_file (const struct cli *cli, const struct args *a, const char *file,
               const struct v2v_document *capability, struct v2v_json *list,
               bool *breach, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = open_profile (a, file, err);
  struct v2v_findings f = V2V_FINDINGS_INIT;

  if (d == NULL)
    return -1;
  if (capability != NULL && d->kind != V2V_DOCUMENT_HARDWARE)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: it is a %s, and --capability judges hardware", file,
                     v2v_document_kind_name (d->kind));
  if (capability != NULL &&
      v2v_capability_judge (capability, d, NULL, &f, err) == -1) {
    v2v_findings_clear (&f);
    return -1;
  }
  *breach |= f.len > 0;
  if (cli->json)
    v2v_json_append (list, document_verdict_json (file, d, &f));
  else
    document_print_verdict (file, d, &f);
  v2v_findings_clear (&f);
  return 0;
}

static int
validate (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  static const enum v2v_document_kind limits = V2V_DOCUMENT_CAPABILITY;
  CLEANUP_DOCUMENT struct v2v_document *capability = NULL;
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  bool breach = false;
  int r = 0;

  v2v_json_set (o, "profiles", v2v_json_ref (list));
  if (a->doc.capability != NULL) {
    capability = document_open (a->doc.lib, a->doc.capability, &limits, 1, err);
    r = capability == NULL ? -1 : 0;
  }
  for (size_t i = 1; r == 0 && i < cli->nr_args; ++i)
    r = validate_file (cli, a, cli->args[i], capability, list, &breach, err);
  v2v_json_free (list);
  if (r == 0 && cli->json)
    r = cmd_print_json (o, err);
  return r == 0 && breach ? CMD_EXIT_DIFFERENT : r;
}

/* ---- export, import ---- */

static int
write_json (const struct args *a, const struct v2v_json *j,
            struct v2v_error **err)
{
  FILE *fp;
  int r;

  if (a->doc.output == NULL)
    return cmd_print_json (j, err);
  fp = fopen (a->doc.output, a->doc.force ? "we" : "wxe");
  if (fp == NULL)
    return v2v_fail_errno (err, "%s", a->doc.output);
  r = v2v_json_print (j, 2, fp, err);
  if (fclose (fp) != 0 && r == 0)
    r = v2v_fail_errno (err, "%s", a->doc.output);
  return r;
}

/* A guest profile becomes what `v2v customize` takes, the others the JSON of
 * --json. */
static int
export_json (const struct cli *cli, const struct args *a,
             struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = open_profile (a, cli->args[1], err);
  CLEANUP_JSON struct v2v_json *j = NULL;

  if (d == NULL || document_apply_set (d, &a->doc, err) == -1 ||
      v2v_document_check (d, cli->args[1], err) == -1)
    return -1;
  if (d->kind == V2V_DOCUMENT_GUEST_OS && d->guest_os.computer_name != NULL &&
      strchr (d->guest_os.computer_name, '#') != NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: computer name '%s' is a pattern, and one machine has one "
              "name",
              cli->args[1], d->guest_os.computer_name);
    return v2v_hint (err, "give --set computer-name=NAME");
  }
  j = d->kind == V2V_DOCUMENT_GUEST_OS ? v2v_guest_os_to_json (d, NULL)
                                       : v2v_document_to_json (d);
  if (j == NULL)
    return v2v_fail_nomem (err);
  return write_json (a, j, err);
}

static int
import_json (const struct cli *cli, const struct args *a,
             struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = document_read_json (cli->args[1], err);
  CLEANUP_DOCUMENT struct v2v_document *d = NULL;
  CLEANUP_FREE char *text = NULL;

  if (j == NULL)
    return -1;
  if (v2v_json_get (j, "kind") != NULL)
    d = v2v_document_from_json (j, V2V_NR_DOCUMENT_KINDS, cli->args[1], err);
  else if ((text = v2v_json_dump (j, 0)) == NULL)
    return v2v_fail_nomem (err);
  else
    d = v2v_guest_os_from_text (text, strlen (text), cli->args[1], err);
  if (d == NULL)
    return -1;
  if (d->kind > V2V_DOCUMENT_CAPABILITY)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: it is a %s, expected a profile",
                     cli->args[1], v2v_document_kind_name (d->kind));
  return document_finish (cli, d, &a->doc, err);
}

static const struct verb {
  const char *name;
  size_t min_args, max_args; /* behind the verb */
  int (*run) (const struct cli *cli, const struct args *a,
              struct v2v_error **err);
} verbs[] = {
  { "create", 1, 1, create },      { "diff", 2, 2, diff },
  { "export", 1, 1, export_json }, { "import", 1, 1, import_json },
  { "show", 1, 1, show },          { "validate", 1, SIZE_MAX, validate },
};

static int
run_verb (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  const size_t n = cli->nr_args - 1;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (verbs); ++i) {
    if (strcmp (cli->args[0], verbs[i].name) != 0)
      continue;
    if (n >= verbs[i].min_args && n <= verbs[i].max_args)
      return verbs[i].run (cli, a, err);
    v2v_fail (err, V2V_ERR_USAGE, "profile %s: too %s arguments", verbs[i].name,
              n < verbs[i].min_args ? "few" : "many");
    return v2v_hint (err, "usage: v2v profile %s", cli->command->synopsis);
  }
  return v2v_fail (err, V2V_ERR_USAGE,
                   "profile: '%s' is none of create, diff, export, import, "
                   "show, validate",
                   cli->args[0]);
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .keep_macs = false };
  const char *arg;
  int c, r = 0;

  while (r >= 0 && (c = cmd_getopt (cli, &arg, err)) != 0) {
    r = c == -1 ? -1 : document_option (&a.doc, c, arg, err);
    if (r == 0 && c == OPT_KEEP_MACS)
      a.keep_macs = true;
  }
  if (r >= 0 && !cli->done)
    r = document_open_library (&a.doc, err);
  if (r >= 0)
    r = cli->done ? 0 : run_verb (cli, &a, err);
  v2v_library_close (a.doc.lib);
  cmd_list_free (&a.doc.set);
  return r;
}

const struct v2v_command cmd_profile = {
  .name = "profile",
  .summary = "make, compare and check profiles of hardware and guests",
  .synopsis = "VERB [OPTION...] [KIND] [FILE...]",
  .examples =
      "  v2v profile create hardware --from web.ova -o web-hardware.xml\n"
      "  v2v profile diff web-hardware.xml db-hardware.xml\n"
      "  v2v profile validate --capability cluster.xml web-hardware.xml\n",
  .options = options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run,
};
