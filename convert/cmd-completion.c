/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v completion: print the completion script of a shell. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "convert/cmd.h"

/* Made from v2v-completion.bash by the Makefile. */
static const char bash_script[] =
#include "completion-bash.h"
    ;

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_HELP,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

static int
run (struct cli *cli, struct v2v_error **err)
{
  const char *arg;

  if (cmd_getopt (cli, &arg, err) == -1)
    return -1;
  if (cli->done)
    return 0;
  if (strcmp (cli->args[0], "bash") != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "completion: no script for '%s', only for bash",
                     cli->args[0]);
  fputs (bash_script, stdout);
  return 0;
}

const struct v2v_command cmd_completion = {
  .name = "completion",
  .summary = "print the completion script for a shell",
  .synopsis = "bash",
  .examples = "  v2v completion bash > ~/.local/share/bash-completion/"
              "completions/v2v\n"
              "  source <(v2v completion bash)\n"
              "  v2v completion --help\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
