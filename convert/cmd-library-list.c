/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library ls, show, where-used, export: what is there? */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/core/text.h"
#include "convert/cmd-library.h"
#include "library/deploy.h"

/* ---- ls ---- */

struct listing {
  const struct cli *cli;
  bool long_;
  uint64_t n;
  struct v2v_str line;
};

#define LIST_HEAD "%-*s  %-18s %-8s %10s  %s\n"

/* JSON is printed object by object: a catalogue may have a million. */
static int
list_one (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  struct listing *l = arg;
  CLEANUP_FREE char *name = NULL;
  char size[32];

  if (l->cli->json) {
    l->line.len = 0;
    if (v2v_str_append (&l->line, l->n++ ? ",\n    " : "\n    ") == -1)
      return v2v_fail_nomem (err);
    if (v2v_object_append_json (o, &l->line, err) == -1)
      return -1;
    fwrite (l->line.ptr, 1, l->line.len, stdout);
    return 0;
  }
  name = cmd_printable (o->name);
  if (l->n++ == 0)
    printf (LIST_HEAD, l->long_ ? 36 : 8, "ID", "KIND", "STATE", "SIZE",
            "NAME");
  printf ("%.*s  %-18s %-8s %10s  %s", l->long_ ? 36 : 8, o->id,
          v2v_object_kind_name (o->kind),
          o->enabled ? v2v_location_state_name (o->state) : "disabled",
          v2v_format_size (o->size_bytes, size), name ? name : "?");
  if (l->long_) {
    CLEANUP_FREE char *version = cmd_printable (o->version);
    CLEANUP_FREE char *family = cmd_printable (o->family);
    CLEANUP_FREE char *release = cmd_printable (o->release);
    CLEANUP_FREE char *owner = cmd_printable (o->owner);

    printf ("  version=%s family=%s release=%s owner=%s", version, family,
            release, owner);
  }
  printf ("\n");
  return 0;
}

static int
run_ls (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  struct listing l = { .cli = cli, .long_ = a.long_ };
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (cli->json)
    printf ("{\n  \"objects\": [");
  r = v2v_library_each (lib, &a.filter, list_one, &l, err);
  v2v_str_free (&l.line);
  if (cli->json && r == 0)
    printf ("%s]\n}\n", l.n ? "\n  " : "");
  return r;
}

/* clang-format off */
static const struct cmd_option ls_options[] = {
  CMD_DEBUG,
  { "digest", LIB_DIGEST, "DIGEST", "of the file, or of a disk's contents" },
  ROW_FAMILY,
  CMD_HELP,
  CMD_JSON,
  ROW_KIND,
  ROW_LIBRARY,
  { "long", LIB_LONG, NULL, "whole ids and more columns" },
  ROW_NAME,
  ROW_NAMESPACE,
  ROW_OS,
  ROW_OWNER,
  ROW_RELEASE,
  { "state", LIB_STATE, "STATE", "ok, missing, changed, enabled or disabled" },
  ROW_TAG,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_ls = {
  .name = "library ls",
  .summary = "list objects",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library ls --library main --kind disk --name 'web*'\n"
              "  v2v library ls --library main --state missing --json\n",
  .options = ls_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_ls,
};

/* ---- show ---- */

static void
print_field (const char *what, const char *value)
{
  CLEANUP_FREE char *shown = cmd_printable (value);

  if (value[0] != '\0')
    printf ("%-13s %s\n", what, shown ? shown : "?");
}

static void
print_relations (const char *what, const struct v2v_relation *list, size_t n)
{
  for (size_t i = 0; i < n; ++i) {
    CLEANUP_FREE char *name = cmd_printable (list[i].name);
    CLEANUP_FREE char *label = cmd_printable (list[i].label);
    CLEANUP_FREE char *role = cmd_printable (list[i].role);

    printf ("%-13s %.8s %s '%s' as %s%s%s\n", what, list[i].id,
            v2v_object_kind_name (list[i].kind), name, role,
            label && label[0] ? " " : "", label ? label : "");
  }
}

static void
print_object (const struct v2v_object *o)
{
  char size[32];
  CLEANUP_STR struct v2v_str tags = V2V_STR_INIT;

  print_field ("id:", o->id);
  print_field ("kind:", v2v_object_kind_name (o->kind));
  print_field ("name:", o->name);
  print_field ("version:", o->version);
  print_field ("state:", v2v_location_state_name (o->state));
  if (!o->enabled)
    print_field ("", "disabled");
  print_field ("namespace:", o->name_space);
  print_field ("family:", o->family);
  print_field ("release:", o->release);
  print_field ("os:", o->os);
  print_field ("owner:", o->owner);
  print_field ("description:", o->description);
  for (size_t i = 0; i < o->nr_tags; ++i)
    (void) v2v_str_printf (&tags, "%s%s", i ? ", " : "", o->tags[i]);
  print_field ("tags:", tags.ptr ? tags.ptr : "");
  printf ("%-13s %s (%" PRIu64 " bytes)\n",
          "size:", v2v_format_size (o->size_bytes, size), o->size_bytes);
  print_field ("digest:", o->digest);
  print_field ("format:", o->format);
  print_field ("variant:", o->variant);
  if (o->format[0] != '\0')
    printf ("%-13s %s\n",
            "virtual size:", v2v_format_size (o->virtual_bytes, size));
  print_field ("contents:", o->content);
  print_field ("identifier:", o->disk_id);
  for (size_t i = 0; i < o->nr_locations; ++i) {
    CLEANUP_FREE char *path = cmd_printable (o->locations[i].path);

    printf ("%-13s %s (%s)\n", "file:", path ? path : "?",
            v2v_location_state_name (o->locations[i].state));
  }
  print_relations ("needs:", o->uses, o->nr_uses);
  print_relations ("needed by:", o->users, o->nr_users);
}

/* Without an object: the library itself. */
static int
show_library (struct cli *cli, struct v2v_library *lib, struct v2v_error **err)
{
  struct v2v_share_list shares;
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  int r;

  v2v_json_set_string (o, "library", v2v_library_dir (lib));
  v2v_json_set (o, "shares", list);
  if (v2v_library_shares (lib, &shares, err) == -1)
    return -1;
  if (!cli->json)
    print_field ("library:", v2v_library_dir (lib));
  for (size_t i = 0; i < shares.len; ++i) {
    const struct v2v_share *s = &shares.ptr[i];
    CLEANUP_FREE char *name = cmd_printable (s->name);
    CLEANUP_FREE char *path = cmd_printable (s->path);
    struct v2v_json *j;

    if (!cli->json) {
      printf ("%-13s '%s' %s%s\n", "share:", name, path,
              s->there ? "" : " (not there)");
      continue;
    }
    j = v2v_json_new_object ();
    v2v_json_set_string (j, "id", s->id);
    v2v_json_set_string (j, "name", s->name);
    v2v_json_set_string (j, "path", s->path);
    v2v_json_set_bool (j, "there", s->there);
    v2v_json_append (list, j);
  }
  r = cli->json ? cmd_print_json (o, err) : 0;
  v2v_shares_clear (&shares);
  return r;
}

static int
run_show (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_JSON struct v2v_json *j = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (cli->nr_args == 0)
    return show_library (cli, lib, err);
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      v2v_library_object (lib, id, &o, err) == -1)
    return -1;
  if (!cli->json) {
    print_object (&o);
    return 0;
  }
  j = v2v_object_to_json (&o);
  return cmd_print_json (j, err);
}

/* clang-format off */
static const struct cmd_option show_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_show = {
  .name = "library show",
  .summary = "print all that is known of an object, or the shares",
  .synopsis = "[OPTION...] [OBJECT]",
  .examples = "  v2v library show --library main disk/base\n",
  .options = show_options,
  .min_args = 0,
  .max_args = 1,
  .run = run_show,
};

/* ---- where-used ---- */

/* Machines that were deployed are no objects, but they are lost with what they
 * stand on.  Their rows name the whole chain of their disks. */
static int
list_machine (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  struct listing *l = arg;
  CLEANUP_FREE char *name = NULL, *place = NULL, *line = NULL;
  CLEANUP_JSON struct v2v_json *o = NULL;

  if (l->cli->json) {
    o = v2v_deployed_to_json (m);
    line = v2v_json_ok (o) ? v2v_json_dump (o, 0) : NULL;
    if (line == NULL)
      return v2v_fail_nomem (err);
    printf ("%s%s", l->n++ ? ",\n    " : "\n    ", line);
    return 0;
  }
  name = cmd_printable (m->name);
  place = cmd_printable (m->host[0] != '\0' ? m->host : m->folder);
  if (l->n++ == 0)
    printf (LIST_HEAD, 8, "ID", "KIND", "STATE", "SIZE", "NAME");
  printf ("%.8s  %-18s %-8s %10s  %s (%s)\n", m->id, "machine", m->state, "-",
          name ? name : "?", place ? place : "?");
  return 0;
}

static int
run_where_used (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;
  struct v2v_deployed_filter machines = { .id = NULL };
  struct listing l = { .cli = cli };
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1)
    return -1;
  a.filter.needs = id;
  a.filter.indirectly = a.all;
  machines.object = id;
  if (cli->json)
    printf ("{\n  \"used_by\": [");
  r = v2v_library_each (lib, &a.filter, list_one, &l, err);
  v2v_str_free (&l.line);
  if (r == 0 && cli->json) {
    printf ("%s],\n  \"machines\": [", l.n ? "\n  " : "");
    l.n = 0;
  }
  if (r == 0)
    r = v2v_deployed_each (lib, &machines, list_machine, &l, err);
  if (r == 0 && cli->json)
    printf ("%s]\n}\n", l.n ? "\n  " : "");
  return r;
}

/* clang-format off */
static const struct cmd_option where_used_options[] = {
  { "all", LIB_ALL, NULL, "what needs it by way of others, too" },
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_where_used = {
  .name = "library where-used",
  .summary = "list what needs an object",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v library where-used --library main --all disk/base\n",
  .options = where_used_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_where_used,
};

/* ---- export ---- */

static int
export_one (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  struct cmd_list *ids = arg;
  char *id = strdup (o->id);

  if (id != NULL && cmd_list_add (ids, id, err) == 0)
    return 0;
  free (id);
  return -1;
}

static int
export_objects (struct v2v_library *lib, const struct cmd_list *ids,
                struct v2v_error **err)
{
  printf ("{\n  \"schema\": \"v2v-library-export-1\",\n  \"objects\": [");
  for (size_t i = 0; i < ids->len; ++i) {
    CLEANUP_OBJECT struct v2v_object o = { 0 };
    CLEANUP_JSON struct v2v_json *j = NULL;
    CLEANUP_FREE char *text = NULL;

    if (v2v_library_object (lib, ids->ptr[i], &o, err) == -1)
      return -1;
    j = v2v_object_to_json (&o);
    text = v2v_json_ok (j) ? v2v_json_dump (j, 0) : NULL;
    if (text == NULL)
      return v2v_fail_nomem (err);
    printf ("%s\n    %s", i ? "," : "", text);
  }
  printf ("%s]\n}\n", ids->len ? "\n  " : "");
  return 0;
}

static int
run_export (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_CMD_LIST struct cmd_list ids = { 0 };
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  r = v2v_library_each (lib, &a.filter, export_one, &ids, err);
  if (r == 0)
    r = export_objects (lib, &ids, err);
  for (size_t i = 0; i < ids.len; ++i)
    free ((char *) (uintptr_t) ids.ptr[i]);
  return r;
}

/* clang-format off */
static const struct cmd_option export_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_KIND,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_export = {
  .name = "library export",
  .summary = "print all that the catalogue knows, as JSON",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library export --library main > main.json\n",
  .options = export_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_export,
};
