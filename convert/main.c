/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program v2v: a table of subcommands, the one place that prints errors
 * and warnings, and the signals.
 */

#include <config.h>

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/image.h"
#include "convert/cmd.h"
#include "convert/convert.h"
#include "convert/main.h"

/* clang-format off */
const struct v2v_command *const cmd_table[] = {
  &cmd_base,
  &cmd_check,
  &cmd_compare,
  &cmd_completion,
  &cmd_convert,
  &cmd_copy,
  &cmd_customize,
  &cmd_digest,
  &cmd_disk,
  &cmd_doctor,
  &cmd_host,
  &cmd_info,
  &cmd_inspect,
  &cmd_library,
  &cmd_map,
  &cmd_profile,
  &cmd_service,
  &cmd_template,
  &cmd_vm,
  NULL
};
/* clang-format on */

atomic_bool cmd_cancel;

static struct cli cli;

/* ---- signals ---- */

/* The first asks for an orderly stop; the second does not ask.  Without
 * SA_RESTART, so that a read that waits for a pipe ends. */
static void
on_signal (int sig)
{
  if (atomic_exchange (&cmd_cancel, true)) {
    signal (sig, SIG_DFL);
    raise (sig);
  }
}

static void
set_signals (void)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction sa;

  memset (&sa, 0, sizeof sa);
  sa.sa_handler = on_signal;
  sigemptyset (&sa.sa_mask);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (signals); ++i) {
    struct sigaction old;

    /* nohup and background jobs of a shell ignore them: leave it so. */
    if (sigaction (signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
      sigaction (signals[i], &sa, NULL);
  }
}

/* ---- warnings and debug lines ---- */

#define MAX_AREAS 16
static const char *areas[MAX_AREAS];
static size_t nr_areas;

int
cmd_debug_area (const char *area, struct v2v_error **err)
{
  if (nr_areas == MAX_AREAS)
    return v2v_fail (err, V2V_ERR_USAGE, "--debug: more than %d areas",
                     MAX_AREAS);
  areas[nr_areas++] = area;
  v2v_log_set_debug (true);
  return 0;
}

static bool
area_wanted (const char *message)
{
  for (size_t i = 0; i < nr_areas; ++i) {
    const size_t n = strlen (areas[i]);

    if (n == 0 || (strncmp (message, areas[i], n) == 0 &&
                   (message[n] == ':' || message[n] == '.')))
      return true;
  }
  return false;
}

static void
log_sink (void *arg, enum v2v_log_level level, const char *message)
{
  CLEANUP_FREE char *shown = NULL;

  (void) arg;
  if (level == V2V_LOG_DEBUG && !area_wanted (message))
    return;
  shown = cmd_printable (message);
  v2v_progress_bar_clear (cli.progress);
  fprintf (stderr, "v2v: %s%s\n",
           level == V2V_LOG_WARNING ? "warning: "
           : level == V2V_LOG_DEBUG ? "debug: "
                                    : "",
           shown ? shown : message);
}

/* ---- errors ---- */

static void
print_error_json (const struct v2v_error *e)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *inner = v2v_json_new_object ();
  const enum v2v_error_code code = v2v_error_code (e);

  v2v_json_set_string (inner, "code", v2v_error_code_name (code));
  v2v_json_set_string (inner, "message", v2v_error_message (e));
  if (v2v_error_hint (e))
    v2v_json_set_string (inner, "hint", v2v_error_hint (e));
  v2v_json_set_u64 (inner, "exit_status",
                    (uint64_t) v2v_error_exit_status (code));
  v2v_json_set (o, "error", inner);
  v2v_json_print (o, 2, stdout, NULL);
  v2v_json_free (o);
}

/* The only place where an error is printed.  Returns the exit status. */
static int
report_error (struct v2v_error *e)
{
  const int status = v2v_error_exit_status (v2v_error_code (e));
  CLEANUP_FREE char *message = cmd_printable (v2v_error_message (e));
  CLEANUP_FREE char *hint =
      v2v_error_hint (e) ? cmd_printable (v2v_error_hint (e)) : NULL;

  v2v_progress_bar_clear (cli.progress);
  fprintf (stderr, "v2v: %s\n", message ? message : "out of memory");
  if (hint != NULL)
    fprintf (stderr, "%s\n", hint);
  if (cli.json)
    print_error_json (e);
  v2v_error_free (e);
  return status;
}

/* A full disk shows up when standard output is closed, not before. */
static int
close_stdout (int status)
{
  const bool failed = ferror (stdout) != 0;

  if ((fclose (stdout) != 0 || failed) && status == 0) {
    fprintf (stderr, "v2v: standard output: %s\n",
             errno ? strerror (errno) : "write error");
    return v2v_error_exit_status (V2V_ERR_IO);
  }
  return status;
}

/* ---- the program's own options ---- */

static void
print_help (void)
{
  printf ("v2v - move virtual machines from VMware to Hyper-V\n\n"
          "  v2v COMMAND [OPTION...] [ARGUMENT...]\n\nExamples:\n"
          "  v2v convert appliance.ova -o /srv/hyperv\n"
          "  v2v info disk.vmdk\n"
          "  v2v copy disk.vmdk disk.vhdx\n\nCommands:\n");
  for (size_t i = 0; cmd_table[i] != NULL; ++i)
    printf ("  %-12s %s\n", cmd_table[i]->name, cmd_table[i]->summary);
  printf ("\nOptions:\n"
          "      --help              print this text\n"
          "      --list-formats      print the formats read and written\n"
          "      --machine-readable  print what this program can do, for "
          "programs\n"
          "      --version           print the version\n\n"
          "'v2v COMMAND --help' explains a command.  The manual: man v2v.\n");
}

static bool
is_reader (const struct v2v_image_ops *ops)
{
  return ops->open != NULL || ops->open_uri != NULL;
}

static void
list_formats (void)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();

  printf ("%-8s %-6s %-6s %-6s %s\n", "FORMAT", "READ", "WRITE", "CHECK",
          "DESCRIPTION");
  for (size_t i = 0; drivers[i] != NULL; ++i)
    printf ("%-8s %-6s %-6s %-6s %s\n", drivers[i]->name,
            is_reader (drivers[i]) ? "yes" : "no",
            drivers[i]->create ? "yes" : "no", drivers[i]->check ? "yes" : "no",
            drivers[i]->description);
}

/* One fact a line, stable: "WORD:VALUE". */
static void
machine_readable (void)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();

  printf ("v2v:%s\n", v2v_version ());
  for (size_t i = 0; cmd_table[i] != NULL; ++i)
    printf ("command:%s\n", cmd_table[i]->name);
  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (is_reader (drivers[i]))
      printf ("input:%s\n", drivers[i]->name);
  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (drivers[i]->create)
      printf ("output:%s\n", drivers[i]->name);
  printf ("digest:sha256-2m\nschema:v2v-machine-1\n");
}

/* Options before the command's name.  Returns the exit status. */
static int
own_option (const char *arg)
{
  struct v2v_error *e = NULL;

  if (strcmp (arg, "--help") == 0 || strcmp (arg, "-h") == 0)
    print_help ();
  else if (strcmp (arg, "--version") == 0 || strcmp (arg, "-V") == 0)
    printf ("v2v %s\n", v2v_version ());
  else if (strcmp (arg, "--list-formats") == 0)
    list_formats ();
  else if (strcmp (arg, "--machine-readable") == 0)
    machine_readable ();
  else if (strcmp (arg, "--long-options") == 0)
    printf ("--help\n--list-formats\n--machine-readable\n--version\n");
  else if (strcmp (arg, "--commands") == 0) /* for completion */
    for (size_t i = 0; cmd_table[i] != NULL; ++i)
      printf ("%s\n", cmd_table[i]->name);
  else {
    v2v_fail (&e, V2V_ERR_USAGE, "no option is called '%s'", arg);
    v2v_hint (&e, "'v2v --help' lists the commands and options");
    return report_error (e);
  }
  return 0;
}

static const struct v2v_command *
find_command (const char *name)
{
  for (size_t i = 0; cmd_table[i] != NULL; ++i)
    if (strcmp (cmd_table[i]->name, name) == 0)
      return cmd_table[i];
  return NULL;
}

static int
run_command (int argc, char *argv[])
{
  struct v2v_error *e = NULL;
  int status;

  cli.command = find_command (argv[1]);
  if (cli.command == NULL) {
    v2v_fail (&e, V2V_ERR_USAGE, "no command is called '%s'", argv[1]);
    v2v_hint (&e, "'v2v --help' lists the commands");
    return report_error (e);
  }
  cli.argc = argc - 1;
  cli.argv = argv + 1;
  /* An error in the options is told as JSON too, wherever --json stands. */
  for (int i = 2; i < argc && strcmp (argv[i], "--") != 0; ++i)
    if (strcmp (argv[i], "--json") == 0)
      cli.json = true;
  status = cli.command->verbs != NULL ? cmd_choose_verb (&cli, &e) : 0;
  if (status == 0 && !cli.done)
    status = cli.command->run (&cli, &e);
  if (status == -1)
    status = report_error (e);
  v2v_progress_bar_free (cli.progress);
  cli.progress = NULL;
  return status;
}

/* A disk of 2 TB in pieces of 2 GiB has more files than the usual soft limit
 * of 1024 lets us open at once; the hard limit is what the administrator
 * meant.  The program may do that, a library may not. */
static void
raise_file_limit (void)
{
  struct rlimit r;

  if (getrlimit (RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
    r.rlim_cur = r.rlim_max;
    (void) setrlimit (RLIMIT_NOFILE, &r);
  }
}

int
main (int argc, char *argv[])
{
  int status;

  setlocale (LC_CTYPE, "");
  raise_file_limit ();
  v2v_log_set_sink (log_sink, NULL);
  set_signals ();

  if (argc < 2) {
    print_help ();
    status = v2v_error_exit_status (V2V_ERR_USAGE);
  }
  else if (strcmp (argv[1], "help") == 0) {
    const struct v2v_command *c = argc > 2 ? find_command (argv[2]) : NULL;

    if (c != NULL && c->verbs != NULL && argc > 3 &&
        cmd_find_verb (c, argv[3]) != NULL)
      c = cmd_find_verb (c, argv[3]);
    if (c != NULL)
      cmd_print_help (c);
    else
      print_help ();
    status = 0;
  }
  else if (argv[1][0] == '-')
    status = own_option (argv[1]);
  else
    status = run_command (argc, argv);
  return close_stdout (status);
}
