/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v base: disks of a library that others are built on. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "library/hosts.h"
#include "convert/cmd-library.h"

#define SECONDS_A_DAY 86400

/* ---- findings ---- */

static void
print_findings (const struct v2v_findings *f)
{
  for (size_t i = 0; i < f->len; ++i) {
    const struct v2v_finding *p = &f->ptr[i];
    CLEANUP_FREE char *subject = cmd_printable (p->subject ? p->subject : "");

    printf ("%s: %s: %s (%s)\n", v2v_severity_name (p->severity),
            subject ? subject : "?", p->message, p->id);
    if (p->remedy != NULL)
      printf ("  %s\n", p->remedy);
  }
}

/* ---- ls, orphans ---- */

struct listing {
  const struct cli *cli;
  struct v2v_json *list;
  struct v2v_findings findings;
  bool orphans;
  uint64_t n, bytes;
};

static void
print_base (struct listing *l, const struct v2v_base *b)
{
  CLEANUP_FREE char *name = cmd_printable (b->name);
  char size[32];

  if (l->n == 1 && !l->orphans)
    printf ("%-8s  %-8s %10s %8s %8s %6s %6s  %s\n", "ID", "STATE", "SIZE",
            "CHILDREN", "MACHINES", "USERS", "COPIES", "NAME");
  if (l->orphans)
    printf ("%.8s  %10s  %s%s\n", b->id, v2v_format_size (b->size_bytes, size),
            name ? name : "?", b->nr_hosts ? "  (on hosts, too)" : "");
  else
    printf ("%.8s  %-8s %10s %8" PRIu64 " %8" PRIu64 " %6" PRIu64 " %6" PRIu64
            "  %s%s\n",
            b->id, b->enabled ? v2v_location_state_name (b->state) : "disabled",
            v2v_format_size (b->size_bytes, size), b->nr_children,
            b->nr_machines, b->nr_users, b->nr_copies, name ? name : "?",
            b->pinned ? "  (pinned)" : "");
}

static int
list_one (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct listing *l = arg;

  l->n++;
  l->bytes += b->size_bytes;
  if (!l->orphans && v2v_base_findings (b, &l->findings) == -1)
    return v2v_fail_nomem (err);
  if (!l->cli->json) {
    print_base (l, b);
    return 0;
  }
  return v2v_json_append (l->list, v2v_base_to_json (b)) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
list (struct cli *cli, bool orphans, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct listing l = { .cli = cli,
                       .list = v2v_json_new_array (),
                       .findings = V2V_FINDINGS_INIT,
                       .orphans = orphans };
  char size[32];
  int r;

  v2v_json_set (o, "bases", l.list);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  r = v2v_base_each (lib, orphans ? V2V_BASE_UNUSED : V2V_BASE_IN_USE, list_one,
                     &l, err);
  if (r == 0 && cli->json) {
    if (!orphans)
      v2v_json_set (o, "findings", v2v_findings_to_json (&l.findings));
    r = cmd_print_json (o, err);
  }
  else if (r == 0) {
    print_findings (&l.findings);
    if (orphans && l.n > 0)
      printf ("%" PRIu64 " disks, %s, that nothing needs\n", l.n,
              v2v_format_size (l.bytes, size));
  }
  v2v_findings_clear (&l.findings);
  return r;
}

static int
run_ls (struct cli *cli, struct v2v_error **err)
{
  return list (cli, false, err);
}

static int
run_orphans (struct cli *cli, struct v2v_error **err)
{
  return list (cli, true, err);
}

/* clang-format off */
static const struct cmd_option list_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command base_ls = {
  .name = "base ls",
  .summary = "list bases, with what is built on them",
  .synopsis = "[OPTION...]",
  .examples = "  v2v base ls --library main\n",
  .options = list_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_ls,
};

static const struct v2v_command base_orphans = {
  .name = "base orphans",
  .summary = "list disks that nothing needs",
  .synopsis = "[OPTION...]",
  .examples = "  v2v base orphans --library main\n",
  .options = list_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_orphans,
};

/* ---- show ---- */

struct shown {
  struct v2v_json *json;
  struct v2v_findings findings;
};

static int
keep_one (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct shown *s = arg;

  s->json = v2v_base_to_json (b);
  return v2v_base_findings (b, &s->findings) == -1 ? v2v_fail_nomem (err) : 0;
}

/* From the disk down to what it is built on. */
static int
show_chain (struct cli *cli, struct v2v_library *lib, const char *id,
            struct v2v_json *chain, struct v2v_error **err)
{
  CLEANUP_FREE char *next = strdup (id);
  char size[32];

  for (unsigned depth = 0; next != NULL && depth <= V2V_MAX_CHAIN; ++depth) {
    CLEANUP_OBJECT struct v2v_object o = { 0 };
    CLEANUP_FREE char *name = NULL;
    struct v2v_json *j;

    if (v2v_library_object (lib, next, &o, err) == -1)
      return -1;
    free (STEAL (next));
    for (size_t i = 0; i < o.nr_uses && next == NULL; ++i)
      if (strcmp (o.uses[i].role, "parent") == 0 &&
          (next = strdup (o.uses[i].id)) == NULL)
        return v2v_fail_nomem (err);
    name = cmd_printable (o.name);
    if (!cli->json)
      printf ("%s%.8s '%s' %s %s, %s, %zu file%s\n",
              depth ? "built on:     " : "disk:         ", o.id,
              name ? name : "?", o.format, o.variant,
              v2v_format_size (o.size_bytes, size), o.nr_locations,
              o.nr_locations == 1 ? "" : "s");
    j = v2v_json_new_object ();
    v2v_json_set_string (j, "id", o.id);
    v2v_json_set_string (j, "name", o.name);
    v2v_json_set_u64 (j, "size_bytes", o.size_bytes);
    v2v_json_set_string (j, "state", v2v_location_state_name (o.state));
    v2v_json_append (chain, j);
  }
  return 0;
}

static int
show (struct cli *cli, struct v2v_library *lib, const char *id, struct shown *s,
      struct v2v_error **err)
{
  CLEANUP_DEPENDENTS struct v2v_dependents d = { 0 };
  struct v2v_json *chain = v2v_json_new_array ();
  const bool bad = v2v_json_set (s->json, "chain", chain) == -1;

  if (bad)
    return v2v_fail_nomem (err);
  if (show_chain (cli, lib, id, chain, err) == -1 ||
      v2v_library_dependents (lib, id, &d, err) == -1)
    return -1;
  if (cli->json) {
    v2v_json_set (s->json, "dependents", v2v_dependents_to_json (&d));
    v2v_json_set (s->json, "findings", v2v_findings_to_json (&s->findings));
    return cmd_print_json (s->json, err);
  }
  if (d.len == 0)
    printf ("nothing needs it\n");
  else
    printf ("without it %zu would be lost:\n", d.len);
  lib_print_dependents (&d);
  print_findings (&s->findings);
  return 0;
}

static int
run_show (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  struct shown s = { .findings = V2V_FINDINGS_INIT };
  CLEANUP_FREE char *id = NULL;
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  r = v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
              v2v_base_get (lib, id, keep_one, &s, err) == -1
          ? -1
          : show (cli, lib, id, &s, err);
  v2v_json_free (s.json);
  v2v_findings_clear (&s.findings);
  return r;
}

static const struct v2v_command base_show = {
  .name = "base show",
  .summary = "print what a disk is built on, and what is built on it",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v base show --library main disk/debian-12\n",
  .options = list_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_show,
};

/* ---- verify ---- */

struct ids {
  char **ptr;
  size_t len;
  struct v2v_findings findings;
};

static void
ids_clear (struct ids *ids)
{
  for (size_t i = 0; i < ids->len; ++i)
    free (ids->ptr[i]);
  free (ids->ptr);
  v2v_findings_clear (&ids->findings);
}

static int
add_id (struct ids *ids, char *id, struct v2v_error **err)
{
  char **p = reallocarray (ids->ptr, ids->len + 2, sizeof *p);

  if (p == NULL || id == NULL) {
    free (id);
    if (p != NULL)
      ids->ptr = p;
    return v2v_fail_nomem (err);
  }
  ids->ptr = p;
  p[ids->len++] = id;
  p[ids->len] = NULL;
  return 0;
}

static int
collect (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  return add_id (arg, strdup (b->id), err);
}

static int
note_findings (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct ids *ids = arg;

  return v2v_base_findings (b, &ids->findings) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
verify (struct cli *cli, struct lib_args *a, struct v2v_library *lib,
        struct ids *ids, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct lib_upkeep u = { .cli = cli, .list = v2v_json_new_array () };
  struct v2v_upkeep_result result = { 0 };

  v2v_json_set (o, "problems", u.list);
  if (lib_start_progress (cli, a, err) == -1)
    return -1;
  if (ids->len > 0 &&
      v2v_library_verify (lib, (const char *const *) ids->ptr, &a->upkeep,
                          lib_on_item, &u, &result, err) == -1)
    return -1;
  v2v_progress_bar_clear (cli->progress);
  for (size_t i = 0; i < ids->len; ++i)
    if (v2v_base_get (lib, ids->ptr[i], note_findings, ids, err) == -1)
      return -1;
  v2v_json_set (o, "findings", v2v_findings_to_json (&ids->findings));
  if (!cli->json)
    print_findings (&ids->findings);
  if (lib_print_upkeep (cli, o, &result, err) == -1)
    return -1;
  return result.nr_bad ? v2v_error_exit_status (V2V_ERR_MISMATCH) : 0;
}

static int
run_verify (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  __attribute__ ((
      cleanup (ids_clear))) struct ids ids = { .findings = V2V_FINDINGS_INIT };

  if (lib == NULL)
    return cli->done ? 0 : -1;
  for (size_t i = 0; i < cli->nr_args; ++i) {
    char *id = NULL;

    if (v2v_library_find (lib, cli->args[i], &id, err) == -1 ||
        add_id (&ids, id, err) == -1)
      return -1;
  }
  if (cli->nr_args == 0 &&
      v2v_base_each (lib, V2V_BASE_IN_USE, collect, &ids, err) == -1)
    return -1;
  return verify (cli, &a, lib, &ids, err);
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

static const struct v2v_command base_verify = {
  .name = "base verify",
  .summary = "read bases, and name what hangs on a damaged one",
  .synopsis = "[OPTION...] [OBJECT...]",
  .examples = "  v2v base verify --library main\n",
  .options = verify_options,
  .min_args = 0,
  .max_args = SIZE_MAX,
  .run = run_verify,
};

/* ---- gc ---- */

static int
collect_garbage (struct lib_args *a, struct v2v_library *lib,
                 struct lib_upkeep *u, struct v2v_upkeep_result *ret,
                 struct v2v_error **err)
{
  CLEANUP_HOSTS struct v2v_hosts hosts = { 0 };
  CLEANUP_HOST struct v2v_host_conn *conn = NULL;
  const struct v2v_host *host;

  if (a->host == NULL)
    return v2v_base_gc (lib, (uint64_t) a->older_days * SECONDS_A_DAY,
                        &a->upkeep, lib_on_item, u, ret, err);
  if (v2v_hosts_load (lib, a->hosts, &hosts, err) == -1 ||
      (host = v2v_hosts_find (&hosts, a->host, err)) == NULL ||
      (conn = v2v_host_open (host, err)) == NULL)
    return -1;
  return v2v_base_gc_host (lib, conn, &a->upkeep, lib_on_item, u, ret, err);
}

static int
run_gc (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { .older_days = 7 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct lib_upkeep u = { .cli = cli, .list = v2v_json_new_array () };
  struct v2v_upkeep_result result;
  char size[32];

  v2v_json_set (o, "items", u.list);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (collect_garbage (&a, lib, &u, &result, err) == -1)
    return -1;
  if (!cli->json) {
    printf ("%" PRIu64 " %s, %s\n", result.nr_done,
            a.upkeep.dry_run ? "would be removed" : "removed",
            v2v_format_size (result.bytes, size));
    return 0;
  }
  v2v_json_set_u64 (o, "removed", result.nr_done);
  v2v_json_set_u64 (o, "kept", result.nr_bad);
  v2v_json_set_u64 (o, "bytes", result.bytes);
  v2v_json_set_bool (o, "dry_run", a.upkeep.dry_run);
  return cmd_print_json (o, err);
}

/* clang-format off */
static const struct cmd_option gc_options[] = {
  CMD_DEBUG,
  ROW_DRY_RUN,
  CMD_HELP,
  { "host", LIB_HOST, "NAME", "clear the bases of this host, not the library" },
  { "hosts", LIB_HOSTS, "FILE",
    "the hosts file; by default $V2V_HOSTS, then hosts.json of the\n"
    "library" },
  CMD_JSON,
  ROW_LIBRARY,
  { "older", LIB_OLDER, "DAYS",
    "only disks that came at least so many days ago (7)" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command base_gc = {
  .name = "base gc",
  .summary = "remove disks that nothing needs",
  .synopsis = "[OPTION...]",
  .examples = "  v2v base gc --library main --dry-run --older 30\n",
  .options = gc_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_gc,
};

/* ---- pin, unpin ---- */

static int
pin (struct cli *cli, bool on, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *id = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      v2v_base_pin (lib, id, on, err) == -1)
    return -1;
  return lib_done (cli, on ? "pinned" : "unpinned", id, err);
}

static int
run_pin (struct cli *cli, struct v2v_error **err)
{
  return pin (cli, true, err);
}

static int
run_unpin (struct cli *cli, struct v2v_error **err)
{
  return pin (cli, false, err);
}

static const struct v2v_command base_pin = {
  .name = "base pin",
  .summary = "keep a disk although nothing needs it",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v base pin --library main disk/debian-12\n",
  .options = list_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_pin,
};

static const struct v2v_command base_unpin = {
  .name = "base unpin",
  .summary = "let a disk go when nothing needs it",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v base unpin --library main disk/debian-12\n",
  .options = list_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_unpin,
};

/* ---- flatten, merge, rebase ---- */

static int
print_change (const struct cli *cli, const struct v2v_base_result *r,
              struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *why = NULL;

  if (!cli->json) {
    printf ("%s%s\n", r->id, r->known ? " (was there already)" : "");
    if (r->moved > 0)
      printf ("%" PRIu64 " %s now\n", r->moved,
              r->moved == 1 ? "object needs it" : "objects need it");
    why = r->kept_by ? cmd_printable (r->kept_by) : NULL;
    if (why != NULL)
      printf ("the old one stays: %s\n", why);
    return 0;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "id", r->id);
  v2v_json_set_bool (o, "known", r->known);
  v2v_json_set_bool (o, "old_removed", r->removed);
  if (r->kept_by != NULL)
    v2v_json_set_string (o, "kept_by", r->kept_by);
  v2v_json_set_u64 (o, "moved", r->moved);
  return cmd_print_json (o, err);
}

enum change { FLATTEN, MERGE, REBASE };

static int
change_disk (struct cli *cli, struct lib_args *a, struct v2v_library *lib,
             enum change what, struct v2v_base_result *r,
             struct v2v_error **err)
{
  struct v2v_base_opts opts = { .name = a->name,
                                .share = a->share,
                                .keep = a->keep };
  CLEANUP_FREE char *id = NULL;
  CLEANUP_FREE char *parent = NULL;
  int ret = -1;

  if (what == REBASE && a->parent == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "base rebase: onto what? --parent OBJECT is missing");
  if (v2v_library_find (lib, cli->args[0], &id, err) == -1 ||
      (what == REBASE &&
       v2v_library_find (lib, a->parent, &parent, err) == -1) ||
      cmd_progress_start (cli, &opts.copy, err) == -1)
    return -1;
  opts.copy.threads = a->upkeep.threads;
  switch (what) {
  case FLATTEN:
    ret = v2v_base_flatten (lib, id, &opts, r, err);
    break;
  case MERGE:
    ret = v2v_base_merge (lib, id, &opts, r, err);
    break;
  case REBASE:
    ret = v2v_base_rebase (lib, id, parent, &opts, r, err);
    break;
  }
  v2v_progress_bar_clear (cli->progress);
  return ret == -1 ? -1 : print_change (cli, r, err);
}

static int
run_change (struct cli *cli, enum change what, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  struct v2v_base_result result = { 0 };
  int r;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  r = change_disk (cli, &a, lib, what, &result, err);
  v2v_base_result_clear (&result);
  return r;
}

static int
run_flatten (struct cli *cli, struct v2v_error **err)
{
  return run_change (cli, FLATTEN, err);
}

static int
run_merge (struct cli *cli, struct v2v_error **err)
{
  return run_change (cli, MERGE, err);
}

static int
run_rebase (struct cli *cli, struct v2v_error **err)
{
  return run_change (cli, REBASE, err);
}

/* clang-format off */
#define ROW_KEEP                                                               \
  { "keep", LIB_KEEP, NULL,                                                    \
    "leave the old disk, and what needs it, as they are" }
static const struct cmd_option change_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_KEEP,
  ROW_LIBRARY,
  ROW_NAME,
  CMD_PROGRESS,
  ROW_SHARE,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
static const struct cmd_option rebase_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_KEEP,
  ROW_LIBRARY,
  ROW_NAME,
  { "parent", LIB_PARENT, "OBJECT", "the parent from now on" },
  CMD_PROGRESS,
  ROW_SHARE,
  ROW_THREADS,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command base_flatten = {
  .name = "base flatten",
  .summary = "make one disk without a parent of a chain",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v base flatten --library main disk/web\n",
  .options = change_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_flatten,
};

static const struct v2v_command base_merge = {
  .name = "base merge",
  .summary = "make one disk of a disk and its parent",
  .synopsis = "[OPTION...] OBJECT",
  .examples = "  v2v base merge --library main disk/web\n",
  .options = change_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_merge,
};

static const struct v2v_command base_rebase = {
  .name = "base rebase",
  .summary = "put a disk on another parent with the same contents",
  .synopsis = "[OPTION...] OBJECT --parent OBJECT",
  .examples = "  v2v base rebase --library main disk/web --parent "
              "disk/debian-12\n",
  .options = rebase_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_rebase,
};

/* ---- all of them ---- */

/* clang-format off */
static const struct v2v_command *const verbs[] = {
  &base_flatten,
  &base_gc,
  &base_ls,
  &base_merge,
  &base_orphans,
  &base_pin,
  &base_rebase,
  &base_show,
  &base_unpin,
  &base_verify,
  NULL
};
/* clang-format on */

const struct v2v_command cmd_base = {
  .name = "base",
  .summary = "look after disks that others are built on",
  .synopsis = "VERB [OPTION...] [OBJECT...]",
  .examples = "  v2v base ls --library main\n"
              "  v2v base verify --library main\n"
              "  v2v base flatten --library main disk/web\n",
  .verbs = verbs,
};
