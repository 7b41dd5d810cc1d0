/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v doctor: what this host can do and what is missing, before an hour is
 * lost to it.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "convert/cmd.h"
#include "convert/host-checks.h"

enum { OPT_START = CMD_OPT_FIRST };

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  { "output", 'o', "DIR",
    "look at DIR too, where machines will be written to:\n"
    "can files share blocks there, and what is free?" },
  { "start", OPT_START, NULL,
    "start an appliance, as a conversion does: proves that it works\n"
    "and that KVM answers (within V2V_APPLIANCE_TIMEOUT seconds)" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

/* Something is missing: an answer, not a failure. */
#define EXIT_SOMETHING_MISSING 1

static void
print_report (const struct host_report *r)
{
  for (size_t i = 0; i < r->len; ++i) {
    const struct host_check *c = &r->ptr[i];
    CLEANUP_FREE char *message = cmd_printable (c->message);

    printf ("%-8s %-16s %s\n", host_state_name (c->state), c->name,
            message ? message : "?");
    if (c->remedy != NULL)
      printf ("%25s -> %s\n", "", c->remedy);
  }
}

static int
finish (const struct cli *cli, const struct host_report *r,
        struct v2v_error **err)
{
  int status = 0;

  for (size_t i = 0; i < r->len; ++i)
    if (r->ptr[i].state == HOST_MISSING)
      status = EXIT_SOMETHING_MISSING;
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = host_report_to_json (r);

    if (cmd_print_json (o, err) == -1)
      return -1;
  }
  else
    print_report (r);
  return status;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct host_report report = { .ptr = NULL };
  const char *arg, *output = NULL;
  bool start = false;
  int c, r;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case 'o':
      output = arg;
      break;
    case OPT_START:
      start = true;
      break;
    }
  if (c == -1 || cli->done)
    return c;
  r = host_check_machine (&report, err);
  if (r == 0)
    r = host_check_programs (&report, err);
  if (r == 0)
    r = host_check_appliance (&report, err);
  if (r == 0)
    r = host_check_kvm (&report, err);
  if (r == 0 && output != NULL)
    r = host_check_output (&report, output, err);
  if (r == 0 && start)
    r = host_check_start (&report, &cmd_cancel, err);
  if (r == 0)
    r = finish (cli, &report, err);
  host_report_clear (&report);
  return r;
}

const struct v2v_command cmd_doctor = {
  .name = "doctor",
  .summary = "print what this host can do and what is missing",
  .synopsis = "[OPTION...]",
  .examples =
      "  v2v doctor\n"
      "  v2v doctor --output /srv/hyperv\n"
      "  v2v doctor --json | jq '.checks[] | select(.state != \"ok\")'\n",
  .options = options,
  .min_args = 0,
  .max_args = 0,
  .run = run,
};
