/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table per subcommand feeds getopt_long, --help and --long-options, so
 * that none of the three can be out of date.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "convert/convert.h"
#include "convert/cmd.h"
#include "convert/main.h"

/* More rows than any table has; the table of a command is ours, not input. */
#define MAX_OPTIONS 64

static size_t
count_options (const struct cmd_option *options)
{
  size_t n = 0;

  while (options[n].name != NULL)
    n++;
  assert (n < MAX_OPTIONS);
  return n;
}

static bool
has_short (const struct cmd_option *o)
{
  return o->value > 0 && o->value < 128;
}

/* "--name", and the short form where there is one: for completion. */
static void
print_long_options (const struct cmd_option *options)
{
  for (; options->name != NULL; options++)
    printf ("--%s%s\n", options->name, options->arg ? "=" : "");
}

static void
print_short_options (const struct cmd_option *options)
{
  for (; options->name != NULL; options++)
    if (has_short (options))
      printf ("-%c\n", options->value);
}

static void
print_option (const struct cmd_option *o)
{
  char left[64];
  const char *p = o->help;

  snprintf (left, sizeof left, "%c%c%s--%s%s%s", has_short (o) ? '-' : ' ',
            has_short (o) ? (char) o->value : ' ', has_short (o) ? ", " : "  ",
            o->name, o->arg ? " " : "", o->arg ? o->arg : "");
  if (strlen (left) > 26)
    printf ("  %s\n%30s", left, "");
  else
    printf ("  %-28s", left);
  for (;;) {
    const size_t n = strcspn (p, "\n");

    printf ("%.*s\n", (int) n, p);
    if (p[n] == '\0')
      return;
    printf ("%30s", "");
    p += n + 1;
  }
}

/* ---- commands of several verbs ---- */

/* The second word of a verb's name. */
static const char *
verb_name (const struct v2v_command *verb)
{
  const char *blank = strchr (verb->name, ' ');

  assert (blank != NULL);
  return blank + 1;
}

const struct v2v_command *
cmd_find_verb (const struct v2v_command *group, const char *name)
{
  for (size_t i = 0; group->verbs[i] != NULL; ++i)
    if (strcmp (verb_name (group->verbs[i]), name) == 0)
      return group->verbs[i];
  return NULL;
}

static int
compare_options (const void *a, const void *b)
{
  return strcmp (((const struct cmd_option *) a)->name,
                 ((const struct cmd_option *) b)->name);
}

/* The options of all verbs, each once, by the alphabet: what the command as a
 * whole tells.  An option means the same wherever it is taken. */
static void
join_options (const struct v2v_command *group,
              struct cmd_option out[MAX_OPTIONS])
{
  size_t n = 0;

  for (size_t i = 0; group->verbs[i] != NULL; ++i)
    for (const struct cmd_option *o = group->verbs[i]->options; o->name; o++) {
      size_t j = 0;

      while (j < n && strcmp (out[j].name, o->name) != 0)
        j++;
      assert (n + 1 < MAX_OPTIONS);
      if (j == n)
        out[n++] = *o;
    }
  qsort (out, n, sizeof out[0], compare_options);
  out[n] = (struct cmd_option) CMD_END;
}

static const struct cmd_option *
options_of (const struct v2v_command *command,
            struct cmd_option space[MAX_OPTIONS])
{
  if (command->verbs == NULL)
    return command->options;
  join_options (command, space);
  return space;
}

void
cmd_print_help (const struct v2v_command *command)
{
  struct cmd_option space[MAX_OPTIONS];
  const int first_word = (int) strcspn (command->name, " ");

  printf ("v2v %s - %s\n\n  v2v %s %s\n\nExamples:\n%s", command->name,
          command->summary, command->name, command->synopsis,
          command->examples);
  if (command->verbs != NULL) {
    printf ("\nVerbs:\n");
    for (size_t i = 0; command->verbs[i] != NULL; ++i)
      printf ("  %-12s %s\n", verb_name (command->verbs[i]),
              command->verbs[i]->summary);
    printf ("\n'v2v %s VERB --help' tells which options a verb takes.\n",
            command->name);
  }
  printf ("\nOptions:\n");
  for (const struct cmd_option *o = options_of (command, space);
       o->name != NULL; o++)
    print_option (o);
  printf ("\nThe manual: man v2v-%.*s.  Exit statuses: man v2v.\n", first_word,
          command->name);
}

/* "v2v library --help": an option instead of a verb. */
static int
group_option (struct cli *cli, const char *arg, struct v2v_error **err)
{
  const struct v2v_command *group = cli->command;
  struct cmd_option space[MAX_OPTIONS];

  join_options (group, space);
  if (strcmp (arg, "--help") == 0)
    cmd_print_help (group);
  else if (strcmp (arg, "--version") == 0)
    printf ("v2v %s\n", v2v_version ());
  else if (strcmp (arg, "--long-options") == 0)
    print_long_options (space);
  else if (strcmp (arg, "--short-options") == 0)
    print_short_options (space);
  else if (strcmp (arg, "--verbs") == 0) /* for completion */
    for (size_t i = 0; group->verbs[i] != NULL; ++i)
      printf ("%s\n", verb_name (group->verbs[i]));
  else {
    v2v_fail (err, V2V_ERR_USAGE, "%s: the verb comes first, then options",
              group->name);
    return v2v_hint (err, "'v2v %s --help' lists the verbs", group->name);
  }
  cli->done = true;
  return 0;
}

int
cmd_choose_verb (struct cli *cli, struct v2v_error **err)
{
  const struct v2v_command *group = cli->command, *verb;

  if (cli->argc < 2) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: a verb is missing", group->name);
    return v2v_hint (err, "'v2v %s --help' lists the verbs", group->name);
  }
  if (cli->argv[1][0] == '-')
    return group_option (cli, cli->argv[1], err);
  verb = cmd_find_verb (group, cli->argv[1]);
  if (verb == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: no verb is called '%s'", group->name,
              cli->argv[1]);
    return v2v_hint (err, "'v2v %s --help' lists the verbs", group->name);
  }
  cli->command = verb;
  cli->argc--;
  cli->argv++;
  return 0;
}

/* getopt's two tables from ours. */
static void
fill_getopt (const struct v2v_command *command,
             struct option longs[MAX_OPTIONS + 3],
             char shorts[2 * MAX_OPTIONS + 2])
{
  const size_t n = count_options (command->options);
  size_t s = 0;

  shorts[s++] = ':'; /* tell a missing argument from an unknown option */
  for (size_t i = 0; i < n; ++i) {
    const struct cmd_option *o = &command->options[i];

    longs[i] = (struct option){
      .name = o->name,
      .has_arg = o->arg ? required_argument : no_argument,
      .val = o->value,
    };
    if (has_short (o)) {
      shorts[s++] = (char) o->value;
      if (o->arg)
        shorts[s++] = ':';
    }
  }
  shorts[s] = '\0';
  longs[n] = (struct option){ "long-options", no_argument, NULL,
                              CMD_OPT_LONG_OPTIONS };
  longs[n + 1] = (struct option){ "short-options", no_argument, NULL,
                                  CMD_OPT_SHORT_OPTIONS };
  longs[n + 2] = (struct option){ NULL, 0, NULL, 0 };
}

static int
bad_option (struct cli *cli, int c, struct v2v_error **err)
{
  const char *what = optopt != 0 && optopt < 128 ? NULL : cli->argv[optind - 1];
  const char letter[2] = { optopt > 0 && optopt < 128 ? (char) optopt : '?',
                           '\0' };
  CLEANUP_FREE char *shown = cmd_printable (what ? what : letter);

  if (c == ':')
    v2v_fail (err, V2V_ERR_USAGE, "%s: option '%s%s' needs an argument",
              cli->command->name, what ? "" : "-", shown ? shown : "?");
  else
    v2v_fail (err, V2V_ERR_USAGE,
              what && strchr (what, '=') && optopt >= 256
                  ? "%s: option '%s%s' takes no argument"
                  : "%s: no option is called '%s%s'",
              cli->command->name, what ? "" : "-", shown ? shown : "?");
  return v2v_hint (err, "'v2v %s --help' lists the options",
                   cli->command->name);
}

static int
check_args (struct cli *cli, struct v2v_error **err)
{
  const struct v2v_command *c = cli->command;

  cli->args = cli->argv + optind;
  cli->nr_args = (size_t) (cli->argc - optind);
  if (cli->nr_args >= c->min_args && cli->nr_args <= c->max_args)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "%s: %s", c->name,
            cli->nr_args < c->min_args ? "too few arguments"
                                       : "too many arguments");
  return v2v_hint (err, "usage: v2v %s %s", c->name, c->synopsis);
}

/* Options that mean the same everywhere.  1 = it was one of these. */
static int
common_option (struct cli *cli, int c, struct v2v_error **err)
{
  switch (c) {
  case CMD_OPT_HELP:
    cmd_print_help (cli->command);
    cli->done = true;
    return 1;
  case CMD_OPT_LONG_OPTIONS:
    print_long_options (cli->command->options);
    cli->done = true;
    return 1;
  case CMD_OPT_SHORT_OPTIONS:
    print_short_options (cli->command->options);
    cli->done = true;
    return 1;
  case CMD_OPT_VERSION:
    printf ("v2v %s\n", v2v_version ());
    cli->done = true;
    return 1;
  case CMD_OPT_JSON:
    cli->json = true;
    return 1;
  case CMD_OPT_PROGRESS:
    if (!v2v_progress_mode_parse (optarg, &cli->progress_mode))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--progress: '%s' is none of auto, bar, json, none",
                       optarg);
    return 1;
  case 'D':
    return cmd_debug_area (optarg, err) == -1 ? -1 : 1;
  case 'v':
    return cmd_debug_area ("", err) == -1 ? -1 : 1;
  default:
    return 0;
  }
}

int
cmd_getopt (struct cli *cli, const char **ret_arg, struct v2v_error **err)
{
  struct option longs[MAX_OPTIONS + 3];
  char shorts[2 * MAX_OPTIONS + 2];

  fill_getopt (cli->command, longs, shorts);
  opterr = 0;
  while (!cli->done) {
    const int c = getopt_long (cli->argc, cli->argv, shorts, longs, NULL);
    int r;

    if (c == -1)
      return check_args (cli, err);
    if (c == '?' || c == ':')
      return bad_option (cli, c, err);
    r = common_option (cli, c, err);
    if (r == -1)
      return -1;
    if (r == 0) {
      *ret_arg = optarg;
      return c;
    }
  }
  return 0;
}

int
cmd_parse_size (const char *option, const char *arg, uint64_t *ret,
                struct v2v_error **err)
{
  if (v2v_parse_size (arg, ret))
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "--%s: '%s' is not a size", option, arg);
  return v2v_hint (err, "a whole number of bytes, or with K, M, G, T or P: "
                        "1M is 1048576");
}

int
cmd_parse_number (const char *option, const char *arg, unsigned min,
                  unsigned max, unsigned *ret, struct v2v_error **err)
{
  char *end;
  unsigned long n;

  errno = 0;
  n = strtoul (arg, &end, 10);
  if (errno != 0 || end == arg || *end != '\0' || arg[0] == '-' ||
      arg[0] == '+' || n < min || n > max)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--%s: '%s' is not a number from %u to %u", option, arg,
                     min, max);
  *ret = (unsigned) n;
  return 0;
}

int
cmd_parse_format (const char *option, const char *arg, bool writer,
                  struct v2v_error **err)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name (arg);

  if (ops == NULL || (writer && ops->create == NULL) ||
      (!writer && ops->open == NULL)) {
    v2v_fail (err, V2V_ERR_USAGE, "--%s: %s '%s'", option,
              ops == NULL
                  ? "no format is called"
                  : (writer ? "we do not write" : "no files are opened as"),
              arg);
    return v2v_hint (err, "'v2v --list-formats' lists them");
  }
  return 0;
}

int
cmd_list_add (struct cmd_list *list, const char *s, struct v2v_error **err)
{
  const char **p = reallocarray (list->ptr, list->len + 2, sizeof *p);

  if (p == NULL)
    return v2v_fail_nomem (err);
  list->ptr = p;
  list->ptr[list->len++] = s;
  list->ptr[list->len] = NULL;
  return 0;
}

void
cmd_list_free (struct cmd_list *list)
{
  free (list->ptr);
}
