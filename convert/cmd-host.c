/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v host: what hosts are there and what they have, files for them, and
 * which one shall have a machine.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/text.h"
#include "convert/cmd-document.h"
#include "convert/cmd-host.h"
#include "library/document.h"
#include "library/placement.h"

static const struct v2v_command host_cmd_check, host_cmd_ls, host_cmd_place,
    host_cmd_put, host_cmd_put_base, host_cmd_show;

/* clang-format off */
static const struct v2v_command *const verbs[] = {
  &host_cmd_check,
  &host_cmd_ls,
  &host_cmd_place,
  &host_cmd_put,
  &host_cmd_put_base,
  &host_cmd_show,
  NULL
};
/* clang-format on */

const struct v2v_command cmd_host = {
  .name = "host",
  .summary = "look at hosts, send them files, choose one for a machine",
  .synopsis = "VERB [OPTION...] [ARGUMENT...]",
  .examples = "  v2v host ls --hosts hosts.json\n"
              "  v2v host put --hosts hosts.json hv1 out/web\n"
              "  v2v host place --library main --template web-server\n",
  .verbs = verbs,
};

/* ---- options ---- */

static int
set_number (struct host_args *a, int c, const char *arg, struct v2v_error **err)
{
  unsigned n;

  switch (c) {
  case HOST_DISK_GIB:
    if (cmd_parse_number ("disk", arg, 1, 1u << 20, &n, err) == -1)
      return -1;
    a->need.disk_gib = n;
    break;
  case HOST_GENERATION:
    return cmd_parse_number ("generation", arg, 1, 2, &a->need.generation, err);
  case HOST_MEMORY:
    if (cmd_parse_number ("memory", arg, 1, 1u << 30, &n, err) == -1)
      return -1;
    a->need.memory_mib = n;
    break;
  case HOST_CPUS:
    if (cmd_parse_number ("cpus", arg, 1, 2048, &n, err) == -1)
      return -1;
    a->need.processors = n;
    break;
  }
  return 0;
}

static int
set_option (struct host_args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case HOST_DEEP:
    a->deep = true;
    return 0;
  case HOST_FORCE:
    a->force = true;
    return 0;
  case HOST_HOST:
    a->host = arg;
    return 0;
  case HOST_HOSTS:
    a->hosts_file = arg;
    return 0;
  case HOST_LIBRARY:
    a->library = arg;
    return 0;
  case HOST_RATE:
    return cmd_parse_size ("rate", arg, &a->copy.rate_limit, err);
  case HOST_SWITCH:
    return cmd_list_add (&a->switches, arg, err);
  case HOST_TEMPLATE:
    a->vm_template = arg;
    return 0;
  case HOST_TO:
    a->to = arg;
    return 0;
  case HOST_ZONE:
    a->need.availability_zone = arg;
    return 0;
  default:
    return set_number (a, c, arg, err);
  }
}

int
host_begin (struct cli *cli, struct host_args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    if (set_option (a, c, arg, err) == -1)
      return -1;
  if (c == -1 || cli->done)
    return c;
  if (a->library == NULL && getenv ("V2V_LIBRARY") != NULL)
    a->library = getenv ("V2V_LIBRARY");
  if (a->library != NULL && *a->library != '\0') {
    a->lib = v2v_library_open (a->library, err);
    if (a->lib == NULL)
      return -1;
  }
  return v2v_hosts_load (a->lib, a->hosts_file, &a->hosts, err);
}

int
host_connect (struct host_args *a, const char *name, struct v2v_error **err)
{
  const struct v2v_host *h = v2v_hosts_find (&a->hosts, name, err);

  v2v_host_close (STEAL (a->conn));
  a->conn = h != NULL ? v2v_host_open (h, err) : NULL;
  return a->conn == NULL ? -1 : 0;
}

void
host_args_clear (struct host_args *a)
{
  v2v_host_close (a->conn);
  v2v_hosts_clear (&a->hosts);
  v2v_library_close (a->lib);
  cmd_list_free (&a->switches);
}

/* ---- ls ---- */

static void
print_row (const struct v2v_host *h)
{
  CLEANUP_FREE char *name = cmd_printable (h->name);
  CLEANUP_FREE char *where = cmd_printable (h->address ? h->address : h->path);

  printf ("%-20s %-7s %10" PRIu64 " %12" PRIu64 " %10" PRIu64 "  %s%s\n",
          name ? name : "?", h->driver, h->processors, h->memory_mib,
          h->disk_gib, where ? where : "?",
          h->maintenance ? "  (maintenance)" : "");
}

static int
run_ls (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL, *list = NULL;

  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (!cli->json) {
    printf ("%-20s %-7s %10s %12s %10s  %s\n", "NAME", "DRIVER", "PROCESSORS",
            "MEMORY (MiB)", "DISK (GiB)", "WHERE");
    for (size_t i = 0; i < a.hosts.len; ++i)
      print_row (&a.hosts.ptr[i]);
    return 0;
  }
  o = v2v_json_new_object ();
  list = v2v_json_new_array ();
  for (size_t i = 0; i < a.hosts.len; ++i)
    v2v_json_append (list, v2v_host_to_json (&a.hosts.ptr[i]));
  v2v_json_set (o, "hosts", STEAL (list));
  return cmd_print_json (o, err);
}

/* clang-format off */
static const struct cmd_option ls_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command host_cmd_ls = {
  .name = "host ls",
  .summary = "list the hosts of the hosts file",
  .synopsis = "[OPTION...]",
  .examples = "  v2v host ls --hosts hosts.json\n",
  .options = ls_options,
  .run = run_ls,
};

/* ---- show ---- */

struct listing {
  struct host_args *a;
  struct v2v_json *list;
  bool bases, print;
};

static int
list_one (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  struct listing *l = arg;
  struct v2v_json *o;
  enum v2v_host_state state = V2V_HOST_UNKNOWN;
  CLEANUP_FREE char *shown = cmd_printable (f->name);
  char size[32];

  if (!l->bases &&
      (!f->folder || strcmp (f->name, v2v_host_of (l->a->conn)->bases) == 0))
    return 0;
  if (!l->bases && v2v_host_state (l->a->conn, f->name, &state, err) == -1)
    return -1;
  if (l->print && l->bases)
    printf ("  base     %-50s %s\n", shown ? shown : "?",
            v2v_format_size (f->size_bytes, size));
  else if (l->print)
    printf ("  machine  %-50s %s\n", shown ? shown : "?",
            v2v_host_state_name (state));
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "name", f->name);
  if (l->bases)
    v2v_json_set_u64 (o, "size_bytes", f->size_bytes);
  else
    v2v_json_set_string (o, "state", v2v_host_state_name (state));
  return v2v_json_append (l->list, o);
}

static int
run_show (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct listing l = { .a = &a };

  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (host_connect (&a, cli->args[0], err) == -1)
    return -1;
  o = v2v_host_to_json (v2v_host_of (a.conn));
  l.print = !cli->json;
  if (l.print)
    print_row (v2v_host_of (a.conn));
  l.bases = true;
  l.list = v2v_json_new_array ();
  v2v_json_set (o, "bases_there", l.list);
  if (v2v_host_list_bases (a.conn, list_one, &l, err) == -1)
    return -1;
  l.bases = false;
  l.list = v2v_json_new_array ();
  v2v_json_set (o, "machines", l.list);
  if (v2v_host_list (a.conn, "", list_one, &l, err) == -1)
    return -1;
  return cli->json ? cmd_print_json (o, err) : 0;
}

static const struct v2v_command host_cmd_show = {
  .name = "host show",
  .summary = "show one host: what it has, its bases, its machines",
  .synopsis = "[OPTION...] HOST",
  .examples = "  v2v host show --hosts hosts.json hv1\n",
  .options = ls_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_show,
};

/* ---- check ---- */

struct checking {
  struct v2v_json *list;
  size_t nr_bad, nr;
  bool print;
};

static int
check_one (void *arg, const struct v2v_host_base *b, struct v2v_error **err)
{
  struct checking *k = arg;
  CLEANUP_FREE char *shown = cmd_printable (b->rel);
  struct v2v_json *o = v2v_json_new_object ();

  (void) err;
  k->nr++;
  k->nr_bad += strcmp (b->state, "ok") != 0;
  if (k->print)
    printf ("%-8s %s\n", b->state, shown ? shown : "?");
  v2v_json_set_string (o, "path", b->rel);
  v2v_json_set_string (o, "object", b->object);
  v2v_json_set_string (o, "state", b->state);
  return v2v_json_append (k->list, o);
}

static int
run_check (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct checking k = { .list = v2v_json_new_array (), .nr = 0 };

  v2v_json_set (o, "bases", k.list);
  k.print = !cli->json;
  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (a.lib == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "host check: no library is named");
    return v2v_hint (err, "it knows which bases the host should have: "
                          "--library or $V2V_LIBRARY names it");
  }
  if (host_connect (&a, cli->args[0], err) == -1 ||
      v2v_host_check_bases (a.lib, a.conn, a.deep, check_one, &k, err) == -1)
    return -1;
  v2v_json_set_u64 (o, "nr_bases", k.nr);
  v2v_json_set_u64 (o, "nr_bad", k.nr_bad);
  if (cli->json && cmd_print_json (o, err) == -1)
    return -1;
  if (!cli->json)
    printf ("%zu bases, %zu not as they should be\n", k.nr, k.nr_bad);
  return k.nr_bad > 0 ? v2v_error_exit_status (V2V_ERR_MISMATCH) : 0;
}

/* clang-format off */
static const struct cmd_option check_options[] = {
  CMD_DEBUG,
  { "deep", HOST_DEEP, NULL,
    "read all bytes of the bases there, and compare their digests" },
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command host_cmd_check = {
  .name = "host check",
  .summary = "compare the bases of a host with what the library knows",
  .synopsis = "[OPTION...] HOST",
  .examples = "  v2v host check --library main --deep hv1\n",
  .options = check_options,
  .min_args = 1,
  .max_args = 1,
  .run = run_check,
};

/* ---- put, put-base ---- */

static int
run_put (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *local = NULL;
  struct v2v_host_sent sent;
  const char *rel;
  char there[32], went[32];

  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  local = strdup (cli->args[1]);
  if (local == NULL)
    return v2v_fail_nomem (err);
  for (size_t n = strlen (local); n > 1 && local[n - 1] == '/'; --n)
    local[n - 1] = '\0';
  rel = strrchr (local, '/');
  rel = cli->nr_args > 2 ? cli->args[2] : (rel ? rel + 1 : local);
  if (host_connect (&a, cli->args[0], err) == -1 ||
      cmd_progress_start (cli, &a.copy, err) == -1 ||
      v2v_host_put (a.conn, local, rel, &a.copy, &sent, err) == -1)
    return -1;
  if (!cli->json) {
    printf ("%" PRIu64 " files: %s went there, %s were there or are shared\n",
            sent.nr_files, v2v_format_size (sent.sent_bytes, went),
            v2v_format_size (sent.kept_bytes + sent.shared_bytes, there));
    return 0;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "path", rel);
  v2v_json_set_u64 (o, "nr_files", sent.nr_files);
  v2v_json_set_u64 (o, "sent_bytes", sent.sent_bytes);
  v2v_json_set_u64 (o, "shared_bytes", sent.shared_bytes);
  v2v_json_set_u64 (o, "kept_bytes", sent.kept_bytes);
  return cmd_print_json (o, err);
}

/* clang-format off */
static const struct cmd_option put_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  CMD_PROGRESS,
  ROW_RATE,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static const struct v2v_command host_cmd_put = {
  .name = "host put",
  .summary = "send a file or a folder; what is there is not sent again",
  .synopsis = "[OPTION...] HOST FILE|FOLDER [PATH]",
  .examples = "  v2v host put --hosts hosts.json hv1 out/web\n",
  .options = put_options,
  .min_args = 2,
  .max_args = 3,
  .run = run_put,
};

static int
run_put_base (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *id = NULL, *rel = NULL;
  bool sent;

  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (a.lib == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "host put-base: no library is named");
    return v2v_hint (err, "--library or $V2V_LIBRARY names it");
  }
  if (v2v_library_find (a.lib, cli->args[1], &id, err) == -1 ||
      host_connect (&a, cli->args[0], err) == -1 ||
      cmd_progress_start (cli, &a.copy, err) == -1 ||
      v2v_host_ensure_base (a.lib, a.conn, id, &a.copy, &rel, &sent, err) == -1)
    return -1;
  if (!cli->json) {
    printf ("%s%s\n", rel, sent ? "" : " (was there)");
    return 0;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "object", id);
  v2v_json_set_string (o, "path", rel);
  v2v_json_set_bool (o, "sent", sent);
  return cmd_print_json (o, err);
}

static const struct v2v_command host_cmd_put_base = {
  .name = "host put-base",
  .summary = "make sure that a host has a disk of the library as a base",
  .synopsis = "[OPTION...] HOST OBJECT",
  .examples = "  v2v host put-base --library main hv1 disk/debian-12\n",
  .options = put_options,
  .min_args = 2,
  .max_args = 2,
  .run = run_put_base,
};

/* ---- place ---- */

/* Ids of the disks that the template's disks live on. */
struct bases {
  char *ids[260];
  size_t len;
};

static void
bases_clear (struct bases *b)
{
  for (size_t i = 0; i < b->len; ++i)
    free (b->ids[i]);
}

static int
find_reference (struct v2v_library *lib, const struct v2v_reference *r,
                enum v2v_object_kind kind, char **ret_id,
                struct v2v_error **err)
{
  CLEANUP_FREE char *reason = NULL;

  if (r->id != NULL || r->name != NULL)
    return v2v_library_find (lib, r->id ? r->id : r->name, ret_id, err);
  if (r->family != NULL)
    return v2v_library_equivalent (lib, kind, r->family, r->release, NULL,
                                   ret_id, &reason, err);
  return v2v_fail (err, V2V_ERR_USAGE,
                   "the template names an object by its digest only");
}

static int
need_of_template (struct host_args *a, struct v2v_document **ret_template,
                  struct v2v_document **ret_hardware, struct bases *bases,
                  struct v2v_error **err)
{
  static const enum v2v_document_kind vm[] = { V2V_DOCUMENT_VM_TEMPLATE };
  static const enum v2v_document_kind hw[] = { V2V_DOCUMENT_HARDWARE };
  const struct v2v_vm_template *t;

  *ret_template = document_from_library (a->lib, a->vm_template, vm, 1, err);
  if (*ret_template == NULL)
    return -1;
  t = &(*ret_template)->vm_template;
  for (size_t i = 0; i < t->nr_disks; ++i) {
    if (t->disks[i].size_gib > 0)
      a->need.disk_gib += (uint64_t) t->disks[i].size_gib;
    if (t->disks[i].storage == V2V_STORAGE_BLANK || t->disks[i].file != NULL ||
        bases->len == V2V_ARRAY_SIZE (bases->ids))
      continue;
    if (find_reference (a->lib, &t->disks[i].object, V2V_OBJECT_DISK,
                        &bases->ids[bases->len], err) == -1)
      return -1;
    bases->len++;
  }
  if (t->hardware.name == NULL && t->hardware.id == NULL)
    return 0;
  *ret_hardware = document_from_library (
      a->lib, t->hardware.id ? t->hardware.id : t->hardware.name, hw, 1, err);
  return *ret_hardware == NULL ? -1
                               : v2v_place_need_hardware (
                                     &a->need, &(*ret_hardware)->hardware, err);
}

static int
print_ratings (const struct cli *cli, const struct v2v_place_ratings *r,
               struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;

  if (cli->json) {
    o = v2v_json_new_object ();
    v2v_json_set (o, "ratings", v2v_place_to_json (r));
    return cmd_print_json (o, err);
  }
  for (size_t i = 0; i < r->len; ++i) {
    CLEANUP_FREE char *name = cmd_printable (r->ptr[i].host->name);

    printf ("%3u  %s\n", r->ptr[i].rating, name ? name : "?");
    for (size_t k = 0; k < r->ptr[i].nr_reasons; ++k) {
      CLEANUP_FREE char *reason = cmd_printable (r->ptr[i].reasons[k]);

      printf ("       %s\n", reason ? reason : "?");
    }
  }
  return 0;
}

static int
place (struct cli *cli, struct host_args *a, const struct bases *bases,
       struct v2v_error **err)
{
  CLEANUP_RATINGS struct v2v_place_ratings ratings = { 0 };
  CLEANUP_FREE struct v2v_place_host *known =
      calloc (a->hosts.len + 1, sizeof *known);
  struct v2v_place_need need = a->need;

  if (known == NULL)
    return v2v_fail_nomem (err);
  if (a->switches.len > 0) {
    need.switches = a->switches.ptr;
    need.nr_switches = a->switches.len;
  }
  need.nr_bases = bases->len;
  for (size_t i = 0; i < a->hosts.len; ++i)
    known[i].host = &a->hosts.ptr[i];
  if (a->lib != NULL &&
      v2v_place_look (a->lib, &a->hosts,
                      (const char *const *) (uintptr_t) bases->ids, bases->len,
                      NULL, NULL, known, err) == -1)
    return -1;
  if (v2v_place (&need, known, a->hosts.len, &ratings, err) == -1 ||
      print_ratings (cli, &ratings, err) == -1)
    return -1;
  return ratings.len > 0 && ratings.ptr[0].rating > 0 ? 0 : CMD_EXIT_DIFFERENT;
}

static int
run_place (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_HOST_ARGS struct host_args a = { .conn = NULL };
  CLEANUP_DOCUMENT struct v2v_document *template = NULL, *hardware = NULL;
  struct bases bases = { .len = 0 };
  int r;

  if (host_begin (cli, &a, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (a.vm_template != NULL && a.lib == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "host place: --template needs a library");
  /* What the options say goes before what the template says. */
  r = a.vm_template != NULL
          ? need_of_template (&a, &template, &hardware, &bases, err)
          : 0;
  if (r == 0)
    r = place (cli, &a, &bases, err);
  v2v_place_need_clear (&a.need);
  bases_clear (&bases);
  return r;
}

/* clang-format off */
static const struct cmd_option place_options[] = {
  { "cpus", HOST_CPUS, "N", "virtual processors of the machine" },
  CMD_DEBUG,
  { "disk", HOST_DISK_GIB, "N", "GiB of its disks" },
  { "generation", HOST_GENERATION, "1|2", "generation of the machine" },
  CMD_HELP,
  ROW_HOSTS,
  CMD_JSON,
  ROW_HOST_LIBRARY,
  { "memory", HOST_MEMORY, "N", "MiB of its memory" },
  { "switch", HOST_SWITCH, "NAME",
    "a virtual switch that it needs; may be given again" },
  { "template", HOST_TEMPLATE, "OBJECT",
    "a template of the library: its hardware profile and its disks" },
  CMD_VERBOSE,
  CMD_VERSION,
  { "zone", HOST_ZONE, "NAME", "availability zone that it shall be in" },
  CMD_END
};
/* clang-format on */

static const struct v2v_command host_cmd_place = {
  .name = "host place",
  .summary = "rate the hosts for a machine, with reasons",
  .synopsis = "[OPTION...]",
  .examples = "  v2v host place --library main --template web-server\n"
              "  v2v host place --hosts hosts.json --memory 4096 --cpus 2 "
              "--switch Lab\n",
  .options = place_options,
  .run = run_place,
};
