/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v info: what a file is.  For a disk image its kind, sizes, identifiers
 * and chain; for a machine (OVF, OVA, VMX) what hardware it describes.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/machine.h"
#include "convert/cmd.h"

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

static void
cleanup_source (struct v2v_source **src)
{
  v2v_source_close (*src);
}
#define CLEANUP_SOURCE __attribute__ ((cleanup (cleanup_source)))

/* ---- disk images ---- */

/* One file of the chain. */
static struct v2v_json *
image_to_json (const struct v2v_image *img)
{
  const struct v2v_image_info *i = v2v_image_get_info (img);
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *details = v2v_json_new_object ();
  struct v2v_io *io = v2v_image_io (img);
  const char *path = io ? v2v_io_path (io) : NULL;
  struct stat st;

  v2v_json_set_string (o, "file", v2v_image_name (img));
  v2v_json_set_string (o, "format", i->format);
  v2v_json_set_string (o, "variant", i->variant);
  v2v_json_set_u64 (o, "virtual_bytes", i->size_bytes);
  if (path != NULL && stat (path, &st) == 0 && S_ISREG (st.st_mode)) {
    v2v_json_set_u64 (o, "file_bytes", (uint64_t) st.st_size);
    v2v_json_set_u64 (o, "allocated_bytes", (uint64_t) st.st_blocks * 512);
  }
  v2v_json_set_u64 (o, "logical_sector_bytes", i->logical_sector_bytes);
  if (i->physical_sector_bytes)
    v2v_json_set_u64 (o, "physical_sector_bytes", i->physical_sector_bytes);
  if (i->block_bytes)
    v2v_json_set_u64 (o, "block_bytes", i->block_bytes);
  v2v_json_set_string (o, "id", i->id);
  v2v_json_set_string (o, "content_id", i->content_id);
  v2v_json_set_bool (o, "has_parent", i->has_parent);
  if (i->has_parent) {
    v2v_json_set_string (o, "parent_name", i->parent_name);
    v2v_json_set_string (o, "parent_id", i->parent_id);
  }
  v2v_json_set_string (o, "creator", i->creator);
  v2v_json_set_bool (o, "dirty", i->dirty);
  v2v_image_describe (img, details);
  v2v_json_set (o, "details", details);
  return o;
}

/* IMG was opened alone; CHAIN with its parents, or NULL with the reason. */
static struct v2v_json *
disk_to_json (const struct v2v_image *img, const struct v2v_image *chain,
              const struct v2v_error *chain_error)
{
  struct v2v_json *o = image_to_json (img);

  if (chain != NULL) {
    struct v2v_json *list = v2v_json_new_array ();

    for (const struct v2v_image *p = v2v_image_parent (chain); p != NULL;
         p = v2v_image_parent (p))
      v2v_json_append (list, image_to_json (p));
    v2v_json_set (o, "parents", list);
  }
  if (chain_error != NULL)
    v2v_json_set_string (o, "chain_error", v2v_error_message (chain_error));
  return o;
}

static void
print_value (const char *key, const struct v2v_json *value)
{
  CLEANUP_FREE char *shown = NULL;
  const char *s = v2v_json_string_value (value);
  const size_t n = strlen (key);
  char size[32];
  uint64_t u;

  if (s != NULL) {
    shown = cmd_printable (s);
    printf ("  %-24s %s\n", key, shown ? shown : "?");
  }
  else if (v2v_json_u64_value (value, &u) && n > 6 &&
           strcmp (key + n - 6, "_bytes") == 0)
    printf ("  %-24s %" PRIu64 " (%s)\n", key, u, v2v_format_size (u, size));
  else {
    CLEANUP_FREE char *text = v2v_json_dump (value, 0);

    if (text != NULL && strcmp (text, "null") != 0)
      printf ("  %-24s %s\n", key, text);
  }
}

static void
print_object (const struct v2v_json *o)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  while (v2v_json_next (o, &iter, &key, &value)) {
    if (strcmp (key, "file") == 0 || strcmp (key, "parents") == 0)
      continue;
    if (strcmp (key, "details") == 0)
      print_object (value);
    else
      print_value (key, value);
  }
}

static void
print_disk (const struct v2v_json *o)
{
  const struct v2v_json *parents = v2v_json_get (o, "parents");
  CLEANUP_FREE char *name = cmd_printable (v2v_json_get_string (o, "file"));

  printf ("%s\n", name ? name : "?");
  print_object (o);
  for (size_t i = 0; i < v2v_json_length (parents); ++i) {
    const struct v2v_json *p = v2v_json_at (parents, i);
    CLEANUP_FREE char *shown = cmd_printable (v2v_json_get_string (p, "file"));

    printf ("parent %zu: %s\n", i + 1, shown ? shown : "?");
    print_object (p);
  }
}

static int
info_disk (const struct cli *cli, const struct v2v_open_opts *opts,
           struct v2v_error **err)
{
  struct v2v_open_opts alone = *opts;
  CLEANUP_IMAGE struct v2v_image *img = NULL, *chain = NULL;
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct v2v_error *chain_error = NULL;

  /* A child whose parent is missing can still be looked at. */
  alone.no_parents = true;
  img = cmd_open (cli->args[0], &alone, err);
  if (img == NULL)
    return -1;
  if (v2v_image_get_info (img)->has_parent && strcmp (cli->args[0], "-") != 0)
    chain = v2v_image_open (cli->args[0], opts, &chain_error);
  o = disk_to_json (img, chain, chain_error);
  v2v_error_free (chain_error);
  if (!v2v_json_ok (o))
    return v2v_fail_nomem (err);
  if (cli->json)
    return cmd_print_json (o, err);
  print_disk (o);
  return 0;
}

/* ---- machines ---- */

static void
print_string (const char *label, const char *s)
{
  CLEANUP_FREE char *shown = s ? cmd_printable (s) : NULL;

  if (shown != NULL)
    printf ("  %-24s %s\n", label, shown);
}

static void
print_machine_disks (const struct v2v_machine *m)
{
  char size[32];

  for (size_t i = 0; i < m->nr_disks; ++i) {
    const struct v2v_disk *d = &m->disks[i];
    CLEANUP_FREE char *file = cmd_printable (d->file ? d->file : "(blank)");

    printf ("  disk %s%u:%u%*s %s", v2v_bus_name (d->bus), d->controller,
            d->unit, 12, "", file ? file : "?");
    if (d->capacity_bytes)
      printf (", %s", v2v_format_size (d->capacity_bytes, size));
    printf ("%s\n", d->gzip ? ", gzip" : "");
  }
}

static void
print_machine (const struct v2v_machine *m)
{
  CLEANUP_FREE char *name = cmd_printable (m->name ? m->name : "(no name)");
  char size[32];

  printf ("machine %s\n", name ? name : "?");
  print_string ("guest_os", m->os_description ? m->os_description : m->os_id);
  print_string ("hardware", m->hardware_version);
  printf ("  %-24s %s%s\n", "firmware", v2v_firmware_name (m->firmware),
          m->secure_boot == V2V_YES ? ", secure boot" : "");
  printf ("  %-24s %u\n", "processors", m->nr_cpus);
  printf ("  %-24s %s\n", "memory", v2v_format_size (m->memory_bytes, size));
  print_machine_disks (m);
  for (size_t i = 0; i < m->nr_nics; ++i) {
    const struct v2v_nic *n = &m->nics[i];
    CLEANUP_FREE char *id = cmd_printable (n->id ? n->id : "nic");
    CLEANUP_FREE char *net = cmd_printable (n->network ? n->network : "?");

    printf ("  %-24s %s, network %s%s%s\n", id ? id : "nic",
            n->model ? n->model : "?", net ? net : "?", n->mac ? ", " : "",
            n->mac ? n->mac : "");
  }
  for (size_t i = 0; i < m->findings.len; ++i) {
    const struct v2v_finding *f = &m->findings.ptr[i];
    CLEANUP_FREE char *text = cmd_printable (f->message);

    printf ("  %s: %s (%s)\n", v2v_severity_name (f->severity),
            text ? text : "?", f->id);
  }
}

static int
info_source (const struct cli *cli, const struct cmd_list *search,
             struct v2v_error **err)
{
  const struct v2v_source_opts opts = {
    .manifest = V2V_MANIFEST_OFF,
    .search = search->ptr,
  };
  CLEANUP_SOURCE struct v2v_source *src =
      v2v_source_open (cli->args[0], &opts, err);
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct v2v_json *list;
  size_t n;

  if (src == NULL)
    return -1;
  /* Nobody has looked into it: no disk that can be read. */
  if (strcmp (v2v_source_kind (src), "disk") == 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: describes no machine",
                     cli->args[0]);
  n = v2v_source_nr_machines (src);
  if (!cli->json) {
    printf ("%s: %s, %zu machine%s\n", cli->args[0], v2v_source_kind (src), n,
            n == 1 ? "" : "s");
    for (size_t i = 0; i < n; ++i)
      print_machine (v2v_source_machine (src, i));
    return 0;
  }
  o = v2v_json_new_object ();
  list = v2v_json_new_array ();
  for (size_t i = 0; i < n; ++i)
    v2v_json_append (list, v2v_machine_to_json (v2v_source_machine (src, i)));
  v2v_json_set_string (o, "file", cli->args[0]);
  v2v_json_set_string (o, "kind", v2v_source_kind (src));
  v2v_json_set (o, "machines", list);
  return cmd_print_json (o, err);
}

/* Is it a disk by its bytes?  Then why it cannot be read is the answer. */
static bool
is_disk_by_evidence (const char *path)
{
  struct v2v_io *io = v2v_io_open (path, V2V_IO_FOLLOW, NULL);
  const bool is = io != NULL && v2v_image_probe (io, NULL, NULL) != NULL;

  v2v_io_unref (io);
  return is;
}

/* A name that can only be a machine's, so that its errors are the ones to
 * show. */
static bool
looks_like_machine (const char *path)
{
  const char *dot = strrchr (path, '.');
  struct stat st;

  if (dot != NULL &&
      (strcasecmp (dot, ".ova") == 0 || strcasecmp (dot, ".ovf") == 0 ||
       strcasecmp (dot, ".vmx") == 0))
    return true;
  return stat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

static int
info (const struct cli *cli, const struct v2v_open_opts *opts,
      const struct cmd_list *search, struct v2v_error **err)
{
  struct v2v_error *disk_error = NULL, *source_error = NULL;
  int r;

  if (opts->format == NULL && looks_like_machine (cli->args[0]))
    return info_source (cli, search, err);
  r = info_disk (cli, opts, &disk_error);
  if (r == -1 && opts->format == NULL &&
      v2v_error_code (disk_error) == V2V_ERR_UNSUPPORTED &&
      strcmp (cli->args[0], "-") != 0 && !is_disk_by_evidence (cli->args[0]))
    r = info_source (cli, search, &source_error);
  if (r == -1)
    v2v_error_move (err, disk_error);
  else
    v2v_error_free (disk_error);
  v2v_error_free (source_error);
  return r;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  CLEANUP_CMD_LIST struct cmd_list search = { NULL, 0 };
  struct v2v_open_opts opts = { 0 };
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
  if (c == -1 || cli->done)
    return c;
  opts.search = search.ptr;
  return info (cli, &opts, &search, err);
}

const struct v2v_command cmd_info = {
  .name = "info",
  .summary = "print what a disk image or a machine is",
  .synopsis = "[OPTION...] FILE",
  .examples = "  v2v info disk.vmdk\n"
              "  v2v info --json child.vhdx | jq .parents[].file\n"
              "  v2v info appliance.ova\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
