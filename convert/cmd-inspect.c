/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v inspect: the machines of a source and the guests in them, and what a
 * conversion would change.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd.h"
#include "convert/inspect.h"

enum {
  OPT_ALLOW_DIRTY = CMD_OPT_FIRST,
  OPT_ALLOW_HIBERNATED,
  OPT_CHANGES,
  OPT_GENERATION,
  OPT_KEY,
  OPT_NO_START,
  OPT_ROOT,
  OPT_SEARCH,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "allow-dirty", OPT_ALLOW_DIRTY, NULL,
    "look into file systems that were not unmounted" },
  { "allow-hibernated", OPT_ALLOW_HIBERNATED, NULL,
    "look into a hibernated Windows" },
  { "changes", OPT_CHANGES, NULL,
    "print each file and registry value that a conversion would\n"
    "change, before and after" },
  CMD_DEBUG,
  { "generation", OPT_GENERATION, "1|2",
    "generation of the new machine, for the changes" },
  CMD_HELP,
  CMD_JSON,
  { "key", OPT_KEY, "SELECTOR:FILE",
    "the first line of FILE opens the encrypted disk SELECTOR (a\n"
    "device, a UUID or 'all'); may be given again" },
  { "no-start", OPT_NO_START, NULL,
    "only what can be told without starting an appliance" },
  CMD_PROGRESS,
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

static void
cleanup_source (struct v2v_source **src)
{
  v2v_source_close (*src);
}
#define CLEANUP_SOURCE __attribute__ ((cleanup (cleanup_source)))

/* ---- text ---- */

/* A string member, printable; "" when it is not there.  The caller frees. */
static char *
shown (const struct v2v_json *o, const char *key)
{
  const char *s = v2v_json_get_string (o, key);

  return cmd_printable (s ? s : "");
}

static void
print_partition (const struct v2v_json *p)
{
  CLEANUP_FREE char *type = shown (p, "type"), *label = shown (p, "label");
  CLEANUP_FREE char *evidence = shown (p, "evidence");
  uint64_t number = 0, length = 0;
  bool clean = true;
  char size[32];

  v2v_json_get_u64 (p, "number", &number);
  v2v_json_get_u64 (p, "length_bytes", &length);
  v2v_json_get_bool (p, "clean", &clean);
  printf ("    %2" PRIu64 " %-12s %s", number, type && *type ? type : "-",
          v2v_format_size (length, size));
  if (label != NULL && *label != '\0')
    printf (" \"%s\"", label);
  if (!clean)
    printf (" NOT CLEAN: %s", evidence ? evidence : "?");
  printf ("\n");
}

static void
print_disks (const struct v2v_json *disks)
{
  for (size_t i = 0; i < v2v_json_length (disks); ++i) {
    const struct v2v_json *d = v2v_json_at (disks, i);
    const struct v2v_json *list = v2v_json_get (d, "partitions");
    CLEANUP_FREE char *name = shown (d, "name");
    const char *table = v2v_json_get_string (d, "table");
    uint64_t bytes = 0;
    char size[32];

    v2v_json_get_u64 (d, "size_bytes", &bytes);
    printf ("  disk %zu: %s, %s, %s\n", i + 1, name ? name : "?",
            bytes ? v2v_format_size (bytes, size) : "blank",
            table ? table : "no table");
    for (size_t k = 0; k < v2v_json_length (list); ++k)
      print_partition (v2v_json_at (list, k));
  }
}

/* "  label      value", unless there is none. */
static void
print_member (const struct v2v_json *o, const char *key, const char *label)
{
  CLEANUP_FREE char *value = shown (o, key);

  if (value != NULL && *value != '\0')
    printf ("  %-12s %s\n", label, value);
}

static void
print_system (const struct v2v_json *os)
{
  const struct v2v_json *mounts = v2v_json_get (os, "mountpoints");
  const struct v2v_json *apps = v2v_json_get (os, "applications");

  if (os == NULL)
    return;
  print_member (os, "family", "system");
  print_member (os, "distro", "distribution");
  print_member (os, "product_name", "product");
  print_member (os, "arch", "architecture");
  print_member (os, "hostname", "host name");
  for (size_t i = 0; i < v2v_json_length (mounts); ++i) {
    const struct v2v_json *m = v2v_json_at (mounts, i);
    CLEANUP_FREE char *path = shown (m, "path"), *dev = shown (m, "device");

    printf ("  %-12s %s on %s\n", "mount", dev ? dev : "?", path ? path : "?");
  }
  if (v2v_json_length (apps) > 0)
    printf ("  %-12s %zu; --json lists them\n", "applications",
            v2v_json_length (apps));
}

static void
print_drivers (const struct v2v_json *drivers)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  while (v2v_json_next (drivers, &iter, &key, &value)) {
    const char *s = v2v_json_string_value (value);

    printf (" %s=%s", key, s ? s : "?");
  }
  printf ("\n");
}

/* " WORD" before each of LIST. */
static void
print_words (const char *word, const struct v2v_json *list)
{
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const char *s = v2v_json_string_value (v2v_json_at (list, i));
    CLEANUP_FREE char *text = cmd_printable (s ? s : "?");

    printf ("%s%s", word, text ? text : "?");
  }
}

/* One interface: of Windows by its key, of Linux by a file and a name. */
static void
print_interface (const struct v2v_json *n)
{
  const bool is_file = v2v_json_get_string (n, "file") != NULL;
  const char *members[] = { is_file ? "file" : "interface", "name", "mac" };
  CLEANUP_FREE char *system = shown (n, "system"), *mtu = shown (n, "mtu");
  const char *name = v2v_json_get_string (n, "name");
  bool dhcp = false;

  if (name != NULL && strcmp (name, "lo") == 0)
    return;
  printf ("  %-12s %s:", "network", system && *system ? system : "?");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i) {
    CLEANUP_FREE char *s = shown (n, members[i]);

    if (s != NULL && *s != '\0')
      printf (" %s", s);
  }
  if (v2v_json_get_bool (n, "dhcp", &dhcp) && dhcp)
    printf (" dhcp");
  print_words (" ", v2v_json_get (n, "addresses"));
  print_words (" via ", v2v_json_get (n, "routes"));
  print_words (" dns ", v2v_json_get (n, "dns"));
  if (mtu != NULL && *mtu != '\0')
    printf (" mtu %s", mtu);
  printf ("\n");
}

static void
print_guest (const struct v2v_json *o)
{
  const struct v2v_json *kernels = v2v_json_get (o, "kernels");
  const struct v2v_json *network = v2v_json_get (o, "network");

  print_system (v2v_json_get (o, "system"));
  for (size_t i = 0; i < v2v_json_length (kernels); ++i) {
    const struct v2v_json *k = v2v_json_at (kernels, i);
    CLEANUP_FREE char *version = shown (k, "version");

    printf ("  %-12s %s:", "kernel", version ? version : "?");
    print_drivers (v2v_json_get (k, "drivers"));
  }
  if (v2v_json_get (o, "drivers") != NULL) {
    printf ("  %-12s", "drivers");
    print_drivers (v2v_json_get (o, "drivers"));
  }
  for (size_t i = 0; i < v2v_json_length (network); ++i)
    print_interface (v2v_json_at (network, i));
}

/* The lines of S that are not in its first HEAD and last TAIL bytes. */
static void
print_lines (const char *s, size_t head, size_t tail, char mark)
{
  const char *p = s + head, *end = s + strlen (s) - tail;

  while (p < end) {
    const char *nl = memchr (p, '\n', (size_t) (end - p));
    const size_t len = (size_t) ((nl ? nl : end) - p);
    CLEANUP_FREE char *line = strndup (p, len);
    CLEANUP_FREE char *text = line ? cmd_printable (line) : NULL;

    printf ("      %c %s\n", mark, text ? text : "?");
    p += len + 1;
  }
}

/* What BEFORE and AFTER have in common at both ends, in whole lines. */
static void
common_ends (const char *before, const char *after, size_t *head, size_t *tail)
{
  const size_t nb = strlen (before), na = strlen (after);
  size_t n = 0, max = nb < na ? nb : na;

  *head = *tail = 0;
  for (; n < max && before[n] == after[n]; ++n)
    if (before[n] == '\n')
      *head = n + 1;
  max -= *head;
  for (n = 0; n < max && before[nb - 1 - n] == after[na - 1 - n]; ++n)
    if (before[nb - 1 - n] == '\n')
      *tail = n;
}

static void
print_change (const struct v2v_json *c)
{
  CLEANUP_FREE char *path = shown (c, "path"), *name = shown (c, "name");
  CLEANUP_FREE char *why = shown (c, "why"), *kind = shown (c, "kind");
  const char *before = v2v_json_get_string (c, "before");
  const char *after = v2v_json_get_string (c, "after");
  size_t head = 0, tail = 0;

  printf ("    %s %s%s%s%s%s%s\n", kind ? kind : "?", path ? path : "?",
          name && *name ? " : " : "", name && *name ? name : "",
          why && *why ? " (" : "", why && *why ? why : "",
          why && *why ? ")" : "");
  if (before != NULL && after != NULL)
    common_ends (before, after, &head, &tail);
  if (before != NULL)
    print_lines (before, head, tail, '-');
  if (after != NULL)
    print_lines (after, head, tail, '+');
}

static void
print_conversion (const struct v2v_json *o, bool changes)
{
  const char *word = v2v_json_get_string (o, "conversion");
  const struct v2v_json *list = v2v_json_get (o, "changes");
  CLEANUP_FREE char *reason = shown (o, "reason"),
                    *remedy = shown (o, "remedy");

  if (word == NULL)
    return;
  if (strcmp (word, "refused") == 0) {
    printf ("  conversion   refused: %s\n", reason ? reason : "?");
    if (remedy != NULL && *remedy != '\0')
      printf ("               %s\n", remedy);
  }
  else if (strcmp (word, "data") == 0)
    printf ("  conversion   no operating system: copied as data\n");
  else if (strcmp (word, "unknown") == 0)
    printf ("  conversion   not looked into the guest (--no-start)\n");
  else
    printf ("  conversion   possible, %zu change%s%s\n", v2v_json_length (list),
            v2v_json_length (list) == 1 ? "" : "s",
            changes ? ":" : "; --changes prints them");
  for (size_t i = 0; changes && i < v2v_json_length (list); ++i)
    print_change (v2v_json_at (list, i));
}

static void
print_findings (const struct v2v_json *list)
{
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *f = v2v_json_at (list, i);
    CLEANUP_FREE char *severity = shown (f, "severity"), *id = shown (f, "id");
    CLEANUP_FREE char *subject = shown (f, "subject");
    CLEANUP_FREE char *message = shown (f, "message");
    CLEANUP_FREE char *remedy = shown (f, "remedy");

    printf ("  %s: %s%s%s (%s)\n", severity ? severity : "?",
            subject ? subject : "", subject && *subject ? ": " : "",
            message ? message : "?", id ? id : "?");
    if (remedy != NULL && *remedy != '\0')
      printf ("      -> %s\n", remedy);
  }
}

static void
print_machine (const struct v2v_json *o, bool changes)
{
  CLEANUP_FREE char *name = shown (o, "name");

  printf ("machine %s\n", name && *name ? name : "(no name)");
  print_disks (v2v_json_get (o, "disks"));
  print_guest (o);
  print_conversion (o, changes);
  print_findings (v2v_json_get (o, "findings"));
}

/* ---- the command ---- */

static int
inspect (struct cli *cli, struct v2v_inspect_opts *opts, bool changes,
         struct v2v_error **err)
{
  struct v2v_copy_opts display = { 0 };
  const struct v2v_source_opts source_opts = { .manifest = V2V_MANIFEST_OFF,
                                               .search = opts->search };
  CLEANUP_SOURCE struct v2v_source *src =
      v2v_source_open (cli->args[0], &source_opts, err);
  CLEANUP_JSON struct v2v_json *all = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  size_t n;

  v2v_json_set_string (all, "source", cli->args[0]);
  v2v_json_set (all, "machines", list);
  if (src == NULL || cmd_progress_start (cli, &display, err) == -1)
    return -1;
  opts->step = cmd_tell_step;
  opts->step_arg = cli;
  v2v_json_set_string (all, "kind", v2v_source_kind (src));
  n = v2v_source_nr_machines (src);
  for (size_t i = 0; i < n; ++i) {
    struct v2v_json *o = v2v_inspect (src, i, opts, err);

    cmd_tell_step (cli, NULL);
    if (o == NULL)
      return -1;
    if (!cli->json)
      print_machine (o, changes);
    v2v_json_append (list, o);
  }
  return cli->json ? cmd_print_json (all, err) : 0;
}

struct args {
  struct v2v_inspect_opts opts;
  struct cmd_list search;
  bool changes;
};

static int
set_option (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case OPT_ALLOW_DIRTY:
    a->opts.guest.allow_dirty = true;
    break;
  case OPT_ALLOW_HIBERNATED:
    a->opts.guest.allow_hibernated = true;
    break;
  case OPT_CHANGES:
    a->changes = true;
    break;
  case OPT_GENERATION:
    return cmd_parse_number ("generation", arg, 1, 2, &a->opts.guest.generation,
                             err);
  case OPT_KEY:
    a->opts.guest.have_keys = true;
    return v2v_guest_keys_add (&a->opts.keys, arg, err);
  case OPT_NO_START:
    a->opts.no_start = true;
    break;
  case OPT_ROOT:
    a->opts.guest.root = arg;
    break;
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  }
  return 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { .opts = { .cancel = &cmd_cancel } };
  const char *arg;
  int c, r = 0;

  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) > 0)
    r = set_option (&a, c, arg, err);
  if (r == 0)
    r = c;
  if (r == 0 && !cli->done && strcmp (cli->args[0], "-") == 0)
    r = v2v_fail (err, V2V_ERR_USAGE,
                  "inspect: a package on standard input cannot be looked into");
  if (r == 0 && !cli->done) {
    a.opts.search = a.search.ptr;
    r = inspect (cli, &a.opts, a.changes, err);
  }
  v2v_guest_keys_clear (&a.opts.keys);
  cmd_list_free (&a.search);
  return r;
}

const struct v2v_command cmd_inspect = {
  .name = "inspect",
  .summary = "print which guest is in a machine and what converting changes",
  .synopsis = "[OPTION...] SOURCE",
  .examples =
      "  v2v inspect appliance.ova\n"
      "  v2v inspect --changes guest.vmx\n"
      "  v2v inspect --no-start --json disk.vmdk | jq .machines[].disks\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
