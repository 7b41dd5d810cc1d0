/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v compare: do two disks, of whatever formats, hold the same bytes? */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "convert/cmd.h"

enum {
  OPT_FORMAT = CMD_OPT_FIRST,
  OPT_OTHER_FORMAT,
  OPT_SEARCH,
  OPT_STRICT_SIZE,
  OPT_THREADS,
};

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  { "format", OPT_FORMAT, "FORMAT", "take FIRST for this, do not probe" },
  CMD_HELP,
  CMD_JSON,
  { "other-format", OPT_OTHER_FORMAT, "FORMAT",
    "take SECOND for this, do not probe" },
  CMD_PROGRESS,
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "strict-size", OPT_STRICT_SIZE, NULL,
    "disks of different sizes differ, even if the rest is zeros" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct args {
  struct v2v_open_opts first;
  struct v2v_open_opts second;
  struct cmd_list search;
  struct v2v_copy_opts copy;
  bool strict_size;
};

static int
parse (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case OPT_FORMAT:
      if (cmd_parse_format ("format", arg, false, err) == -1)
        return -1;
      a->first.format = arg;
      break;
    case OPT_OTHER_FORMAT:
      if (cmd_parse_format ("other-format", arg, false, err) == -1)
        return -1;
      a->second.format = arg;
      break;
    case OPT_SEARCH:
      if (cmd_list_add (&a->search, arg, err) == -1)
        return -1;
      break;
    case OPT_STRICT_SIZE:
      a->strict_size = true;
      break;
    case OPT_THREADS:
      if (cmd_parse_number ("threads", arg, 1, 64, &a->copy.threads, err) == -1)
        return -1;
      break;
    }
  a->first.search = a->second.search = a->search.ptr;
  return c;
}

static int
print_result (const struct cli *cli, bool same, uint64_t offset,
              uint64_t first_size, uint64_t second_size, struct v2v_error **err)
{
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_bool (o, "same", same);
    if (!same)
      v2v_json_set_u64 (o, "first_difference", offset);
    v2v_json_set_u64 (o, "first_bytes", first_size);
    v2v_json_set_u64 (o, "second_bytes", second_size);
    return cmd_print_json (o, err);
  }
  if (!same)
    printf ("different: the first differing byte is at offset %" PRIu64 "\n",
            offset);
  else if (first_size != second_size)
    printf ("same: the sizes differ (%" PRIu64 " and %" PRIu64
            "), and what is more is zeros\n",
            first_size, second_size);
  else
    printf ("same\n");
  return 0;
}

static int
compare (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *first = NULL, *second = NULL;
  uint64_t offset = 0;
  int r;

  first = cmd_open (cli->args[0], &a->first, err);
  if (first == NULL)
    return -1;
  second = cmd_open (cli->args[1], &a->second, err);
  if (second == NULL)
    return -1;
  a->copy.item = "compare";
  if (cmd_progress_start (cli, &a->copy, err) == -1)
    return -1;
  r = v2v_image_compare (first, second, a->strict_size, &a->copy, &offset, err);
  v2v_progress_bar_clear (cli->progress);
  if (r == -1 || print_result (cli, r == 0, offset, v2v_image_size (first),
                               v2v_image_size (second), err) == -1)
    return -1;
  return r == 0 ? 0 : CMD_EXIT_DIFFERENT;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { 0 };
  int r = parse (cli, &a, err);

  if (r == 0 && !cli->done)
    r = compare (cli, &a, err);
  cmd_list_free (&a.search);
  return r;
}

const struct v2v_command cmd_compare = {
  .name = "compare",
  .summary = "compare the contents of two disks, across any formats",
  .synopsis = "[OPTION...] FIRST SECOND",
  .examples = "  v2v compare disk.vmdk disk.vhdx\n"
              "  v2v compare --strict-size a.vhd b.vhd\n"
              "  v2v compare --format raw a.bin disk.vhdx\n",
  .options = options,
  .min_args = 2,
  .max_args = 2,
  .run = run,
};
