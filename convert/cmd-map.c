/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v map: where the data is, over the whole chain. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd.h"

/* The disk is asked about in steps, so that a disk of 64 TiB in pieces of one
 * grain needs no more memory than a small one. */
#define STEP (UINT64_C (64) * 1024 * 1024 * 1024)

enum { OPT_FORMAT = CMD_OPT_FIRST, OPT_SEARCH };

/* clang-format off */
static const struct cmd_option options[] = {
  CMD_DEBUG,
  { "format", OPT_FORMAT, "FORMAT", "take FILE for this, do not probe" },
  CMD_HELP,
  CMD_JSON,
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct map {
  bool json;
  bool first;
  struct v2v_image *img;
  struct v2v_extent run; /* not printed yet; length 0 = none */
  uint64_t totals[3];    /* bytes by enum v2v_extent_type */
};

static const char *
kind_name (enum v2v_extent_type type)
{
  switch (type) {
  case V2V_EXTENT_ABSENT:
    return "hole";
  case V2V_EXTENT_DATA:
    return "data";
  case V2V_EXTENT_ZERO:
    return "zero";
  }
  return "?";
}

static const char *
name_at_depth (const struct v2v_image *img, unsigned depth)
{
  while (depth-- > 0 && v2v_image_parent (img) != NULL)
    img = v2v_image_parent (img);
  return v2v_image_name (img);
}

static int
print_run (struct map *m, struct v2v_error **err)
{
  const struct v2v_extent *r = &m->run;
  const char *file = name_at_depth (m->img, r->depth);

  if (r->length == 0)
    return 0;
  m->totals[r->type] += r->length;
  if (m->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
    CLEANUP_FREE char *line = NULL;

    v2v_json_set_u64 (o, "offset", r->offset);
    v2v_json_set_u64 (o, "length", r->length);
    v2v_json_set_string (o, "kind", kind_name (r->type));
    v2v_json_set_u64 (o, "depth", r->depth);
    if (r->type != V2V_EXTENT_ABSENT)
      v2v_json_set_string (o, "file", file);
    line = v2v_json_ok (o) ? v2v_json_dump (o, 0) : NULL;
    if (line == NULL)
      return v2v_fail_nomem (err);
    printf ("%s\n    %s", m->first ? "" : ",", line);
  }
  else if (r->type == V2V_EXTENT_ABSENT)
    printf ("%16" PRIu64 " %16" PRIu64 "  hole\n", r->offset, r->length);
  else {
    CLEANUP_FREE char *shown = cmd_printable (file);

    printf ("%16" PRIu64 " %16" PRIu64 "  %s  %2u %s\n", r->offset, r->length,
            kind_name (r->type), r->depth, shown ? shown : "?");
  }
  m->first = false;
  return 0;
}

/* Add one extent; runs that go on over a step are joined again. */
static int
add_extent (struct map *m, const struct v2v_extent *e, struct v2v_error **err)
{
  /* Which file does not have it is of no interest: a hole is a hole. */
  const unsigned depth = e->type == V2V_EXTENT_ABSENT ? 0 : e->depth;

  if (m->run.length > 0 && m->run.type == e->type && m->run.depth == depth) {
    m->run.length += e->length;
    return 0;
  }
  if (print_run (m, err) == -1)
    return -1;
  m->run = *e;
  m->run.depth = depth;
  return 0;
}

static int
walk (struct map *m, struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (m->img);
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;

  for (uint64_t o = 0; o < size; o += STEP) {
    v2v_extents_clear (&list);
    if (v2v_image_extents (m->img, v2v_min_u64 (STEP, size - o), o, &list,
                           err) == -1)
      return -1;
    for (size_t i = 0; i < list.len; ++i)
      if (add_extent (m, &list.ptr[i], err) == -1)
        return -1;
    if (cmd_cancel)
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
  }
  return print_run (m, err);
}

static int
print_map (struct map *m, struct v2v_error **err)
{
  char data[32], zero[32], hole[32];

  if (m->json)
    printf ("{\n  \"virtual_bytes\": %" PRIu64 ",\n  \"extents\": [",
            v2v_image_size (m->img));
  else
    printf ("%16s %16s  kind  in\n", "offset", "length");
  if (walk (m, err) == -1)
    return -1;
  if (m->json)
    printf ("\n  ],\n  \"data_bytes\": %" PRIu64 ",\n  \"zero_bytes\": %" PRIu64
            ",\n  \"hole_bytes\": %" PRIu64 "\n}\n",
            m->totals[V2V_EXTENT_DATA], m->totals[V2V_EXTENT_ZERO],
            m->totals[V2V_EXTENT_ABSENT]);
  else
    printf ("data %s, zero %s, hole %s\n",
            v2v_format_size (m->totals[V2V_EXTENT_DATA], data),
            v2v_format_size (m->totals[V2V_EXTENT_ZERO], zero),
            v2v_format_size (m->totals[V2V_EXTENT_ABSENT], hole));
  return 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_CMD_LIST struct cmd_list search = { NULL, 0 };
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_open_opts opts = { 0 };
  struct map m = { .first = true };
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case OPT_FORMAT:
      if (cmd_parse_format ("format", arg, false, err) == -1)
        return -1;
      opts.format = arg;
      break;
    case OPT_SEARCH:
      if (cmd_list_add (&search, arg, err) == -1)
        return -1;
      break;
    }
  if (c == -1)
    return -1;
  if (cli->done)
    return 0;

  opts.search = search.ptr;
  img = cmd_open (cli->args[0], &opts, err);
  if (img == NULL)
    return -1;
  m.json = cli->json;
  m.img = img;
  return print_map (&m, err);
}

const struct v2v_command cmd_map = {
  .name = "map",
  .summary = "print which parts of a disk are data, zeros and holes",
  .synopsis = "[OPTION...] FILE",
  .examples = "  v2v map disk.vmdk\n"
              "  v2v map --json child.vhdx | jq '.extents[] | select(.depth == "
              "0)'\n"
              "  v2v map --search /srv/parents child.vhd\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
