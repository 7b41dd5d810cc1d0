/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v library orphans, report: what nothing uses, and a page about all. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/text.h"
#include "library/report.h"
#include "convert/cmd-library.h"

/* ---- orphans ---- */

static int
run_orphans (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct lib_upkeep u = { .cli = cli, .list = v2v_json_new_array () };
  struct v2v_upkeep_result r;
  char size[32];

  v2v_json_set (o, "items", u.list);
  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (v2v_library_orphans (lib, lib_on_item, &u, &r, err) == -1)
    return -1;
  if (!cli->json) {
    printf ("%" PRIu64 " objects, %s, that nothing needs; %" PRIu64
            " files that nobody knows\n",
            r.nr_objects, v2v_format_size (r.bytes, size), r.nr_files);
    return 0;
  }
  v2v_json_set_u64 (o, "unused", r.nr_objects);
  v2v_json_set_u64 (o, "unknown", r.nr_files);
  v2v_json_set_u64 (o, "bytes", r.bytes);
  return cmd_print_json (o, err);
}

/* clang-format off */
static const struct cmd_option orphans_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_orphans = {
  .name = "library orphans",
  .summary = "list objects that nothing needs, and files nobody knows",
  .synopsis = "[OPTION...]",
  .examples = "  v2v library orphans --library main\n",
  .options = orphans_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_orphans,
};

/* ---- report ---- */

/* A new file beside PATH takes its place: who reads a page that is written
 * every night never sees half of it. */
static int
write_page (const char *path, const char *text, struct v2v_error **err)
{
  CLEANUP_FREE char *tmp = NULL;
  CLEANUP_FCLOSE FILE *fp = NULL;
  CLEANUP_CLOSE int fd = -1;

  if (asprintf (&tmp, "%s.%ld.tmp", path, (long) getpid ()) == -1) {
    tmp = NULL;
    return v2v_fail_nomem (err);
  }
  fd = open (tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  fp = fdopen (fd, "w");
  if (fp != NULL)
    (void) STEAL_FD (fd);
  if (fp == NULL || fputs (text, fp) == EOF || fflush (fp) != 0 ||
      fsync (fileno (fp)) == -1 || rename (tmp, path) == -1) {
    v2v_fail_errno (err, "%s: write", path);
    unlink (tmp);
    return -1;
  }
  return 0;
}

static int
run_report (struct cli *cli, struct v2v_error **err)
{
  struct lib_args a = { 0 };
  CLEANUP_LIBRARY struct v2v_library *lib = lib_begin (cli, &a, err);
  CLEANUP_FREE char *page = NULL;

  if (lib == NULL)
    return cli->done ? 0 : -1;
  if (a.output == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "library report: into which file? --output FILE is "
                     "missing");
  if (v2v_library_report (lib, &page, err) == -1 ||
      write_page (a.output, page, err) == -1)
    return -1;
  return lib_done (cli, "report", a.output, err);
}

/* clang-format off */
static const struct cmd_option report_options[] = {
  CMD_DEBUG,
  CMD_HELP,
  CMD_JSON,
  ROW_LIBRARY,
  { "output", 'o', "FILE", "write the page there" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

const struct v2v_command lib_cmd_report = {
  .name = "library report",
  .summary = "write a page about what is in the library",
  .synopsis = "[OPTION...] -o FILE.html",
  .examples = "  v2v library report --library main -o library.html\n",
  .options = report_options,
  .min_args = 0,
  .max_args = 0,
  .run = run_report,
};
