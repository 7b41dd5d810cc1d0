/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v template: templates of machines and of services. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/deploy.h"
#include "convert/cmd-document.h"

enum {
  OPT_COMPUTER_NAME = DOC_OPT_FIRST,
  OPT_DISK,
  OPT_GUEST_OS,
  OPT_HARDWARE,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "capability", DOC_OPT_CAPABILITY, "FILE",
    "create: the capability profile; validate: judge by it" },
  { "computer-name", OPT_COMPUTER_NAME, "PATTERN",
    "create: names of the machines: web-## counts web-01, web-02" },
  CMD_DEBUG,
  { "disk", OPT_DISK, "FILE",
    "create: a disk, the first one starts; with --library one of its\n"
    "objects; may be given again" },
  { "force", DOC_OPT_FORCE, NULL, "replace the file that is there" },
  { "from", DOC_OPT_FROM, "WHAT",
    "create: begin with a template, or with a converted machine\n"
    "(NAME.json); with --library those of it, too" },
  { "guest-os", OPT_GUEST_OS, "FILE", "create: the guest OS profile" },
  { "hardware", OPT_HARDWARE, "FILE",
    "create: the hardware profile; validate: what --capability\n"
    "judges with the disks" },
  CMD_HELP,
  CMD_JSON,
  { "library", DOC_OPT_LIBRARY, "DIR|NAME",
    "FILE may be a name in this library, and without --output a\n"
    "new template is stored in it" },
  { "name", DOC_OPT_NAME, "NAME", "name of the new template" },
  { "output", 'o', "FILE",
    "create: write there; standard output if it is left out" },
  { "set", DOC_OPT_SET, "PATH=VALUE",
    "create: set a field, as disks[os].storage=copy; may be given\n"
    "again" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const enum v2v_document_kind templates[] = { V2V_DOCUMENT_VM_TEMPLATE,
                                                    V2V_DOCUMENT_SERVICE };

struct args {
  struct document_args doc;
  struct cmd_list disks;
  const char *computer_name, *guest_os, *hardware;
};

static struct v2v_document *
open_template (const struct args *a, const char *file, struct v2v_error **err)
{
  return document_open (a->doc.lib, file, templates, V2V_ARRAY_SIZE (templates),
                        err);
}

/* ---- create ---- */

/* PATH.MEMBER of D. */
static int
set_part (struct v2v_document *d, const char *path, const char *member,
          const char *value, struct v2v_error **err)
{
  CLEANUP_FREE char *full = NULL;

  if (value == NULL)
    return 0;
  if (asprintf (&full, "%s.%s", path, member) == -1) {
    full = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_document_set (d, full, value, err);
}

/* The profile in FILE, by name, version, id and content. */
static int
refer (const struct args *a, struct v2v_document *d, const char *file,
       enum v2v_document_kind kind, struct v2v_error **err)
{
  const char *path = v2v_document_kind_name (kind);
  CLEANUP_DOCUMENT struct v2v_document *profile = NULL;
  CLEANUP_FREE char *digest = NULL;
  char version[24];

  if (file == NULL)
    return 0;
  profile = document_open (a->doc.lib, file, &kind, 1, err);
  digest = profile != NULL ? document_digest_text (profile, err) : NULL;
  if (digest == NULL)
    return -1;
  snprintf (version, sizeof version, "%" PRId64, profile->head.version);
  if (set_part (d, path, "name", profile->head.name, err) == -1 ||
      set_part (d, path, "id", profile->head.id, err) == -1 ||
      set_part (d, path, "digest", digest, err) == -1)
    return -1;
  return profile->head.version == -1
             ? 0
             : set_part (d, path, "version", version, err);
}

/* The id of the disk of the library that is called REF, or NULL. */
static char *
find_disk (struct v2v_library *lib, const char *ref)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_FREE char *full = NULL;
  char *id = NULL;

  if (lib == NULL || asprintf (&full, "disk/%s", ref) == -1) {
    full = NULL;
    return NULL;
  }
  if (v2v_library_find (lib, full, &id, NULL) == 0)
    return id;
  if (v2v_library_find (lib, ref, &id, NULL) == 0 &&
      v2v_library_object (lib, id, &o, NULL) == 0 && o.kind == V2V_OBJECT_DISK)
    return id;
  free (id);
  return NULL;
}

/* By its content, and by its name for people. */
static int
add_object (const struct args *a, struct v2v_document *d, const char *path,
            const char *id, struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };

  if (v2v_library_object (a->doc.lib, id, &o, err) == -1)
    return -1;
  return set_part (d, path, "object.digest", o.digest, err) == -1 ||
                 (strlen (o.name) <= 255 &&
                  set_part (d, path, "object.name", o.name, err) == -1)
             ? -1
             : 0;
}

static int
add_disk (const struct args *a, struct v2v_document *d, size_t i,
          const char *file, struct v2v_error **err)
{
  CLEANUP_FREE char *id = find_disk (a->doc.lib, file);
  const char *slash = strrchr (file, '/');
  CLEANUP_IMAGE struct v2v_image *img =
      id != NULL ? NULL : cmd_open (file, NULL, err);
  char path[32], name[32];

  if (img == NULL && id == NULL)
    return -1;
  snprintf (path, sizeof path, "disks[%zu]", i);
  snprintf (name, sizeof name, "disk%zu", i + 1);
  if (set_part (d, path, "name", name, err) == -1 ||
      (id != NULL ? add_object (a, d, path, id, err)
                  : set_part (d, path, "file", slash != NULL ? slash + 1 : file,
                              err)) == -1 ||
      set_part (d, path, "storage", "differencing", err) == -1)
    return v2v_prefix (err, "%s", file);
  return i == 0 ? set_part (d, path, "boot", "true", err) : 0;
}

/* A disk of a converted machine, at its place. */
static int
take_disk (struct v2v_document *d, size_t i, const struct v2v_json *disk,
           struct v2v_error **err)
{
  char path[32], name[32], number[24];
  uint64_t n;
  bool boot;

  snprintf (path, sizeof path, "disks[%zu]", i);
  snprintf (name, sizeof name, "disk%zu", i + 1);
  if (set_part (d, path, "name", name, err) == -1 ||
      set_part (d, path, "file", v2v_json_get_string (disk, "file"), err) ==
          -1 ||
      set_part (d, path, "storage", "differencing", err) == -1 ||
      set_part (d, path, "bus", v2v_json_get_string (disk, "bus"), err) == -1)
    return -1;
  for (size_t k = 0; k < 2; ++k) {
    static const char *const place[] = { "controller", "location" };

    if (!v2v_json_get_u64 (disk, place[k], &n))
      continue;
    snprintf (number, sizeof number, "%" PRIu64, n);
    if (set_part (d, path, place[k], number, err) == -1)
      return -1;
  }
  return v2v_json_get_bool (disk, "boot", &boot) && boot
             ? set_part (d, path, "boot", "true", err)
             : 0;
}

static int
take_machine (struct v2v_document *d, const char *file, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = document_read_json (file, err);
  const struct v2v_json *target = v2v_json_get (j, "target");
  const struct v2v_json *disks = v2v_json_get (target, "disks");
  const char *schema = v2v_json_get_string (j, "schema");
  const time_t now = time (NULL);
  struct tm tm;
  char when[32];

  if (j == NULL)
    return -1;
  if (schema == NULL || strcmp (schema, V2V_MACHINE_SCHEMA) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: not the description of a converted machine", file);
  for (size_t i = 0; i < v2v_json_length (disks); ++i)
    if (take_disk (d, i, v2v_json_at (disks, i), err) == -1)
      return v2v_prefix (err, "%s", file);
  if (gmtime_r (&now, &tm) == NULL ||
      strftime (when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    when[0] = '\0';
  if (set_part (d, "provenance[0]", "kind", "vm", err) == -1 ||
      set_part (d, "provenance[0]", "name",
                v2v_json_get_string (target, "name"), err) == -1 ||
      set_part (d, "provenance[0]", "id", v2v_json_get_string (j, "id"), err) ==
          -1 ||
      set_part (d, "provenance[0]", "when", when, err) == -1)
    return v2v_prefix (err, "%s", file);
  return set_part (d, "provenance[0]", "tool", "v2v " PACKAGE_VERSION, err);
}

/* A machine of the library: its disks are objects that it needs. */
static int
take_stored (const struct args *a, struct v2v_document *d,
             const struct v2v_object *o, struct v2v_error **err)
{
  const char *file = NULL;

  for (size_t i = 0; file == NULL && i < o->nr_locations; ++i) {
    const char *name = o->locations[i].file;
    const size_t n = strlen (name);

    if (n > 5 && strcmp (name + n - 5, ".json") == 0 &&
        strcmp (name, "report.json") != 0 &&
        o->locations[i].state == V2V_LOCATION_OK)
      file = o->locations[i].path;
  }
  if (file == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "'%s': no share has its description",
                     o->name);
  if (take_machine (d, file, err) == -1)
    return -1;
  for (size_t i = 0; i < d->vm_template.nr_disks; ++i) {
    const char *disk = d->vm_template.disks[i].file;
    const char *id = NULL;
    char path[32];

    for (size_t k = 0; k < o->nr_uses; ++k)
      if (strcmp (o->uses[k].role, "disk") == 0 &&
          strcmp (o->uses[k].label, disk) == 0)
        id = o->uses[k].id;
    if (id == NULL)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "'%s': its disk %s is no object of the library", o->name,
                       disk);
    snprintf (path, sizeof path, "disks[%zu]", i);
    if (add_object (a, d, path, id, err) == -1 ||
        set_part (d, path, "file", "", err) == -1)
      return -1;
  }
  return 0;
}

/* A template that is another one under a new name has a history of its own. */
static int
make_new (struct v2v_document *d, struct v2v_error **err)
{
  return v2v_document_set (d, "id", "", err) == -1 ||
                 v2v_document_set (d, "version", "", err) == -1
             ? -1
             : 0;
}

static struct v2v_document *
begin_stored (const struct args *a, const char *ref, struct v2v_error **err)
{
  static const enum v2v_document_kind kind = V2V_DOCUMENT_VM_TEMPLATE;
  CLEANUP_DOCUMENT struct v2v_document *d = NULL;
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_FREE char *id = NULL, *full = NULL;

  if (asprintf (&full, "vm-template/%s", ref) == -1) {
    full = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  if (v2v_library_find (a->doc.lib, full, &id, NULL) == -1 &&
      v2v_library_find (a->doc.lib, ref, &id, err) == -1)
    return NULL;
  if (v2v_library_object (a->doc.lib, id, &o, err) == -1)
    return NULL;
  if (o.kind == V2V_OBJECT_VM_TEMPLATE) {
    d = document_from_library (a->doc.lib, id, &kind, 1, err);
    return d != NULL && make_new (d, err) == 0 ? STEAL (d) : NULL;
  }
  if (o.kind != V2V_OBJECT_VM) {
    v2v_fail (err, V2V_ERR_USAGE,
              "'%s' is a %s, expected a template or a machine", ref,
              v2v_object_kind_name (o.kind));
    return NULL;
  }
  d = v2v_document_new (kind, err);
  return d != NULL && take_stored (a, d, &o, err) == 0 ? STEAL (d) : NULL;
}

static struct v2v_document *
begin (const struct args *a, struct v2v_error **err)
{
  static const enum v2v_document_kind kind = V2V_DOCUMENT_VM_TEMPLATE;
  const char *from = a->doc.from;
  const size_t n = from != NULL ? strlen (from) : 0;
  CLEANUP_DOCUMENT struct v2v_document *d = NULL;

  if (a->doc.lib != NULL && from != NULL && access (from, F_OK) == -1)
    return begin_stored (a, from, err);
  if (n > 4 && strcmp (from + n - 4, ".xml") == 0) {
    d = document_open (a->doc.lib, from, &kind, 1, err);
    return d != NULL && make_new (d, err) == 0 ? STEAL (d) : NULL;
  }
  d = v2v_document_new (kind, err);
  if (d == NULL || (from != NULL && take_machine (d, from, err) == -1))
    return NULL;
  return STEAL (d);
}

static int
create (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = begin (a, err);

  if (d == NULL)
    return -1;
  for (size_t i = 0; i < a->disks.len; ++i)
    if (add_disk (a, d, d->vm_template.nr_disks, a->disks.ptr[i], err) == -1)
      return -1;
  if (refer (a, d, a->hardware, V2V_DOCUMENT_HARDWARE, err) == -1 ||
      refer (a, d, a->guest_os, V2V_DOCUMENT_GUEST_OS, err) == -1 ||
      refer (a, d, a->doc.capability, V2V_DOCUMENT_CAPABILITY, err) == -1)
    return -1;
  if (a->computer_name != NULL &&
      v2v_document_set (d, "computer-name", a->computer_name, err) == -1)
    return v2v_prefix (err, "--computer-name");
  return document_finish (cli, d, &a->doc, err);
}

/* ---- show, diff, validate ---- */

static int
show (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d =
      open_template (a, cli->args[1], err);

  return d == NULL ? -1 : document_show (cli, d, err);
}

static int
diff (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *one =
      open_template (a, cli->args[1], err);
  CLEANUP_DOCUMENT struct v2v_document *two =
      one != NULL ? open_template (a, cli->args[2], err) : NULL;

  return two == NULL ? -1 : document_diff (cli, one, two, err);
}

static int
validate_file (const struct cli *cli, const struct args *a, const char *file,
               const struct v2v_document *capability,
               const struct v2v_document *hardware, struct v2v_json *list,
               bool *breach, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *d = open_template (a, file, err);
  struct v2v_findings f = V2V_FINDINGS_INIT;
  int r = 0;

  if (d == NULL)
    return -1;
  if (capability != NULL && d->kind != V2V_DOCUMENT_VM_TEMPLATE)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: it is a %s, and --capability judges machines", file,
                     v2v_document_kind_name (d->kind));
  if (capability != NULL)
    r = v2v_capability_judge (capability, hardware, d, &f, err);
  if (r == 0 && cli->json)
    v2v_json_append (list, document_verdict_json (file, d, &f));
  else if (r == 0)
    document_print_verdict (file, d, &f);
  *breach |= f.len > 0;
  v2v_findings_clear (&f);
  return r;
}

static int
validate (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  static const enum v2v_document_kind limits = V2V_DOCUMENT_CAPABILITY;
  static const enum v2v_document_kind machine = V2V_DOCUMENT_HARDWARE;
  CLEANUP_DOCUMENT struct v2v_document *capability = NULL, *hardware = NULL;
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  bool breach = false;
  int r = 0;

  v2v_json_set (o, "templates", v2v_json_ref (list));
  if (a->doc.capability != NULL &&
      (capability = document_open (a->doc.lib, a->doc.capability, &limits, 1,
                                   err)) == NULL)
    r = -1;
  if (r == 0 && a->hardware != NULL &&
      (hardware = document_open (a->doc.lib, a->hardware, &machine, 1, err)) ==
          NULL)
    r = -1;
  for (size_t i = 1; r == 0 && i < cli->nr_args; ++i)
    r = validate_file (cli, a, cli->args[i], capability, hardware, list,
                       &breach, err);
  v2v_json_free (list);
  if (r == 0 && cli->json)
    r = cmd_print_json (o, err);
  return r == 0 && breach ? CMD_EXIT_DIFFERENT : r;
}

/* ---- drift ---- */

static int
drift (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  struct v2v_document_changes c = { .ptr = NULL };
  struct v2v_library *lib = a->doc.lib;
  CLEANUP_LIBRARY struct v2v_library *own = NULL;
  int r;

  if (lib == NULL)
    lib = own = v2v_library_open (NULL, err);
  if (lib == NULL || v2v_deployed_drift (lib, cli->args[1], &c, err) == -1)
    return -1;
  r = document_print_diff (cli, &c, err);
  v2v_document_changes_clear (&c);
  return r;
}

static const struct verb {
  const char *name;
  size_t min_args, max_args; /* behind the verb */
  int (*run) (const struct cli *cli, const struct args *a,
              struct v2v_error **err);
} verbs[] = {
  { "create", 0, 0, create },
  { "diff", 2, 2, diff },
  { "drift", 1, 1, drift },
  { "show", 1, 1, show },
  { "validate", 1, SIZE_MAX, validate },
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
    v2v_fail (err, V2V_ERR_USAGE, "template %s: too %s arguments",
              verbs[i].name, n < verbs[i].min_args ? "few" : "many");
    return v2v_hint (err, "usage: v2v template %s", cli->command->synopsis);
  }
  return v2v_fail (
      err, V2V_ERR_USAGE,
      "template: '%s' is none of create, diff, drift, show, validate",
      cli->args[0]);
}

static int
set_option (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  const int r = document_option (&a->doc, c, arg, err);

  if (r != 0)
    return r == -1 ? -1 : 0;
  switch (c) {
  case OPT_COMPUTER_NAME:
    a->computer_name = arg;
    break;
  case OPT_DISK:
    return cmd_list_add (&a->disks, arg, err);
  case OPT_GUEST_OS:
    a->guest_os = arg;
    break;
  case OPT_HARDWARE:
    a->hardware = arg;
    break;
  }
  return 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .hardware = NULL };
  const char *arg;
  int c, r = 0;

  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) != 0)
    r = c == -1 ? -1 : set_option (&a, c, arg, err);
  if (r == 0 && !cli->done)
    r = document_open_library (&a.doc, err);
  if (r == 0 && !cli->done)
    r = run_verb (cli, &a, err);
  v2v_library_close (a.doc.lib);
  cmd_list_free (&a.doc.set);
  cmd_list_free (&a.disks);
  return r;
}

const struct v2v_command cmd_template = {
  .name = "template",
  .summary = "make, compare and check templates of machines and services",
  .synopsis = "VERB [OPTION...] [FILE...]",
  .examples = "  v2v template create --name web --disk web.vhdx -o web.xml\n"
              "  v2v template diff web-1.xml web-2.xml\n"
              "  v2v template drift --library main web-01\n"
              "  v2v template validate shop-service.xml\n",
  .options = options,
  .min_args = 1,
  .max_args = SIZE_MAX,
  .run = run,
};
