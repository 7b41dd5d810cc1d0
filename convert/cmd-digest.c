/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v digest: the digest of a disk's contents, "sha256-2m" (see
 * formats/core/digest.h), and checking against one that was kept: the lines
 * this command prints, its JSON, or the report.json of a conversion.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd.h"

enum {
  OPT_BLOCKS = CMD_OPT_FIRST,
  OPT_CHECK,
  OPT_FORMAT,
  OPT_SEARCH,
  OPT_THREADS,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "blocks", OPT_BLOCKS, NULL,
    "print the digest of each 2 MiB block that is not all zeros" },
  { "check", OPT_CHECK, "MANIFEST",
    "compare with what MANIFEST says: lines or JSON of this\n"
    "command, or the report.json of a conversion" },
  CMD_DEBUG,
  { "format", OPT_FORMAT, "FORMAT", "take FILE for this, do not probe" },
  CMD_HELP,
  CMD_JSON,
  CMD_PROGRESS,
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

/* Digests of more disks than any machine has, block by block of 1 TiB each,
 * fit; a larger file is not a manifest. */
#define MAX_MANIFEST (UINT64_C (256) * 1024 * 1024)
#define PREFIX       "sha256-2m:"
#define HEX_SIZE     (2 * V2V_SHA256_SIZE + 1)

/* One line of a manifest. */
struct expected {
  char *file;
  char hex[HEX_SIZE];
  const struct v2v_json *blocks; /* borrowed from args.json, or NULL */
};

struct args {
  struct v2v_open_opts open;
  struct cmd_list search;
  struct v2v_copy_opts copy;
  bool blocks;
  const char *manifest;
  char *folder;          /* of the manifest */
  struct v2v_json *json; /* the manifest, if it is JSON */
  struct expected *expected;
  size_t nr_expected;
};

static void
args_free (struct args *a)
{
  for (size_t i = 0; i < a->nr_expected; ++i)
    free (a->expected[i].file);
  free (a->expected);
  free (a->folder);
  v2v_json_free (a->json);
  cmd_list_free (&a->search);
}

static int
parse (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    switch (c) {
    case OPT_BLOCKS:
      a->blocks = true;
      break;
    case OPT_CHECK:
      a->manifest = arg;
      break;
    case OPT_FORMAT:
      if (cmd_parse_format ("format", arg, false, err) == -1)
        return -1;
      a->open.format = arg;
      break;
    case OPT_SEARCH:
      if (cmd_list_add (&a->search, arg, err) == -1)
        return -1;
      break;
    case OPT_THREADS:
      if (cmd_parse_number ("threads", arg, 1, 64, &a->copy.threads, err) == -1)
        return -1;
      break;
    }
  a->open.search = a->search.ptr;
  if (c == -1 || cli->done)
    return c;
  if (a->manifest == NULL && cli->nr_args == 0) {
    v2v_fail (err, V2V_ERR_USAGE, "digest: too few arguments");
    return v2v_hint (err, "usage: v2v digest %s", cli->command->synopsis);
  }
  if (a->manifest != NULL && a->blocks)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "digest: --blocks and --check exclude each other");
  return 0;
}

static struct v2v_disk_digest *
compute (struct cli *cli, struct args *a, const char *file,
         struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *img = cmd_open (file, &a->open, err);
  struct v2v_disk_digest *d;

  if (img == NULL)
    return NULL;
  a->copy.item = v2v_image_name (img);
  if (cli->progress == NULL && cmd_progress_start (cli, &a->copy, err) == -1)
    return NULL;
  d = v2v_image_digest (img, &a->copy, err);
  v2v_progress_bar_clear (cli->progress);
  return d;
}

/* ---- printing ---- */

/* The digest of block B in hex; *RET_ZERO: it is that of zeros. */
static int
block_hex (const struct v2v_disk_digest *d, uint64_t b,
           const struct v2v_disk_digest *zeros, char hex[HEX_SIZE],
           bool *ret_zero, struct v2v_error **err)
{
  uint8_t bytes[V2V_SHA256_SIZE], zero[V2V_SHA256_SIZE];

  if (v2v_disk_digest_get (d, b, bytes, err) == -1 ||
      v2v_disk_digest_get (zeros, b, zero, err) == -1)
    return -1;
  v2v_hex (bytes, sizeof bytes, hex);
  *ret_zero = memcmp (bytes, zero, sizeof bytes) == 0;
  return 0;
}

/* Blocks of zeros are left out: a disk may have millions of them. */
static int
blocks_to_json (const struct v2v_disk_digest *d, struct v2v_json *list,
                struct v2v_error **err)
{
  struct v2v_disk_digest *zeros = v2v_disk_digest_new (d->size_bytes, err);
  int r = zeros ? 0 : -1;

  for (uint64_t b = 0; r == 0 && b < d->nr_blocks; ++b) {
    char hex[HEX_SIZE];
    bool zero;

    r = block_hex (d, b, zeros, hex, &zero, err);
    if (r == 0 && !zero) {
      struct v2v_json *o = v2v_json_new_object ();

      v2v_json_set_u64 (o, "offset", b * V2V_DIGEST_BLOCK);
      v2v_json_set_string (o, "digest", hex);
      v2v_json_append (list, o);
    }
  }
  v2v_disk_digest_free (zeros);
  return r;
}

static int
digest_to_json (const char *file, const struct v2v_disk_digest *d, bool blocks,
                struct v2v_json *list, struct v2v_error **err)
{
  struct v2v_json *o = v2v_json_new_object ();
  char hex[HEX_SIZE];
  int r = 0;

  v2v_hex (d->root, V2V_SHA256_SIZE, hex);
  v2v_json_set_string (o, "file", file);
  v2v_json_set_string (o, "algorithm", "sha256-2m");
  v2v_json_set_string (o, "digest", hex);
  v2v_json_set_u64 (o, "virtual_bytes", d->size_bytes);
  v2v_json_set_u64 (o, "block_bytes", V2V_DIGEST_BLOCK);
  if (blocks) {
    struct v2v_json *array = v2v_json_new_array ();

    r = blocks_to_json (d, array, err);
    v2v_json_set (o, "blocks", array);
  }
  v2v_json_append (list, o);
  return r;
}

static int
print_digest (const char *file, const struct v2v_disk_digest *d, bool blocks,
              struct v2v_error **err)
{
  CLEANUP_FREE char *text = cmd_digest_text (d, err);
  CLEANUP_FREE char *shown = cmd_printable (file);
  CLEANUP_JSON struct v2v_json *list = v2v_json_new_array ();

  if (text == NULL || (blocks && blocks_to_json (d, list, err) == -1))
    return -1;
  printf ("%s  %s\n", text, shown ? shown : "?");
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *b = v2v_json_at (list, i);
    uint64_t offset = 0;

    v2v_json_get_u64 (b, "offset", &offset);
    printf ("%16" PRIu64 "  %s\n", offset, v2v_json_get_string (b, "digest"));
  }
  return 0;
}

static int
print_all (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *list = v2v_json_new_array ();
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

  for (size_t i = 0; i < cli->nr_args; ++i) {
    struct v2v_disk_digest *d = compute (cli, a, cli->args[i], err);
    int r = 0;

    if (d == NULL)
      return -1;
    if (cli->json)
      r = digest_to_json (cli->args[i], d, a->blocks, list, err);
    else
      r = print_digest (cli->args[i], d, a->blocks, err);
    v2v_disk_digest_free (d);
    if (r == -1)
      return -1;
  }
  if (!cli->json)
    return 0;
  if (!v2v_json_ok (list))
    return v2v_fail_nomem (err);
  v2v_json_set (o, "disks", STEAL (list));
  return cmd_print_json (o, err);
}

/* ---- reading a manifest ---- */

static int
add_expected (struct args *a, const char *hex, size_t hex_len, const char *file,
              size_t file_len, const struct v2v_json *blocks,
              struct v2v_error **err)
{
  uint8_t bytes[V2V_SHA256_SIZE];
  struct expected *p =
      reallocarray (a->expected, a->nr_expected + 1, sizeof *p);

  if (p == NULL)
    return v2v_fail_nomem (err);
  a->expected = p;
  p += a->nr_expected;
  if (!v2v_unhex (hex, hex_len, bytes, sizeof bytes))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: entry %zu is no digest of 64 "
                     "hexadecimal digits",
                     a->manifest, a->nr_expected + 1);
  v2v_hex (bytes, sizeof bytes, p->hex);
  p->file = strndup (file, file_len);
  p->blocks = blocks;
  if (p->file == NULL)
    return v2v_fail_nomem (err);
  a->nr_expected++;
  return 0;
}

/* "disks": [ { "digest": hex, "file" | "target_file": name } ] */
static int
read_json (struct args *a, struct v2v_error **err)
{
  const struct v2v_json *disks = v2v_json_get (a->json, "disks");

  for (size_t i = 0; i < v2v_json_length (disks); ++i) {
    const struct v2v_json *d = v2v_json_at (disks, i);
    const struct v2v_json *target = v2v_json_get (d, "target");
    const char *hex = v2v_json_get_string (d, "digest");
    const char *file = v2v_json_get_string (d, "file");

    if (file == NULL)
      file = v2v_json_get_string (d, "target_file");
    if (file == NULL && target != NULL)
      file = v2v_json_get_string (target, "file");
    if (hex == NULL || file == NULL)
      continue; /* deferred, or a disk that was left out */
    if (strncmp (hex, PREFIX, strlen (PREFIX)) == 0)
      hex += strlen (PREFIX);
    if (add_expected (a, hex, strlen (hex), file, strlen (file),
                      v2v_json_get (d, "blocks"), err) == -1)
      return -1;
  }
  return 0;
}

/* "sha256-2m:HEX  NAME"; lines of --blocks begin with a blank. */
static int
read_lines (struct args *a, const char *text, struct v2v_error **err)
{
  for (unsigned line = 1; *text != '\0'; ++line) {
    const size_t n = strcspn (text, "\n");
    const size_t hex = strlen (PREFIX), name = hex + 64 + 2;

    if (n > 0 && text[0] != ' ' && text[0] != '#') {
      if (n <= name || strncmp (text, PREFIX, hex) != 0 ||
          strncmp (text + name - 2, "  ", 2) != 0)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "%s: line %u is not "
                         "'" PREFIX "DIGEST  NAME'",
                         a->manifest, line);
      if (add_expected (a, text + hex, 64, text + name, n - name, NULL, err) ==
          -1)
        return -1;
    }
    text += n + (text[n] != '\0');
  }
  return 0;
}

static int
read_manifest (struct args *a, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open (a->manifest, V2V_IO_FOLLOW, err);
  const char *slash = strrchr (a->manifest, '/');
  CLEANUP_FREE char *text = NULL;
  uint64_t size;
  int r = -1;

  if (io == NULL)
    return -1;
  a->folder = slash ? strndup (a->manifest, (size_t) (slash - a->manifest) + 1)
                    : strdup ("");
  size = v2v_io_size (io);
  if (size > MAX_MANIFEST)
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %" PRIu64 " bytes, too long for a "
              "manifest (%" PRIu64 ")",
              a->manifest, size, MAX_MANIFEST);
  else if (a->folder == NULL || (text = calloc (1, size + 1)) == NULL)
    v2v_fail_nomem (err);
  else
    r = v2v_io_pread (io, text, size, 0, err);
  v2v_io_unref (io);
  if (r == -1)
    return -1;
  if (text[strspn (text, " \t\r\n")] == '{') {
    a->json = v2v_json_parse (text, size, a->manifest, err);
    if (a->json == NULL || read_json (a, err) == -1)
      return -1;
  }
  else if (read_lines (a, text, err) == -1)
    return -1;
  if (a->nr_expected == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: has no digest of a disk",
                     a->manifest);
  return 0;
}

/* ---- checking ---- */

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* Which blocks differ; only if the manifest has them. */
static int
print_blocks (const struct expected *e, const struct v2v_disk_digest *d,
              struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *now = v2v_json_new_array ();
  size_t i = 0, j = 0;
  uint64_t nr = 0, first = 0;

  if (e->blocks == NULL)
    return 0;
  if (blocks_to_json (d, now, err) == -1)
    return -1;
  /* Both lists ascend: walk them side by side. */
  while (i < v2v_json_length (e->blocks) || j < v2v_json_length (now)) {
    const struct v2v_json *was = v2v_json_at (e->blocks, i);
    const struct v2v_json *is = v2v_json_at (now, j);
    uint64_t was_at = UINT64_MAX, is_at = UINT64_MAX;
    const char *was_hex = v2v_json_get_string (was, "digest");
    const char *is_hex = v2v_json_get_string (is, "digest");

    v2v_json_get_u64 (was, "offset", &was_at);
    v2v_json_get_u64 (is, "offset", &is_at);
    i += was_at <= is_at;
    j += is_at <= was_at;
    if (was_at == is_at && was_hex != NULL && is_hex != NULL &&
        strcmp (was_hex, is_hex) == 0)
      continue;
    if (nr++ == 0)
      first = was_at < is_at ? was_at : is_at;
  }
  printf ("  %" PRIu64 " of %" PRIu64 " blocks, the first at byte %" PRIu64
          "\n",
          nr, d->nr_blocks, first);
  return 0;
}

/* *RET_SAME: FILE is what E says. */
static int
check_one (struct cli *cli, struct args *a, const char *file,
           const struct expected *e, struct v2v_json *results, bool *ret_same,
           struct v2v_error **err)
{
  struct v2v_disk_digest *d = compute (cli, a, file, err);
  CLEANUP_FREE char *shown = cmd_printable (file);
  char hex[HEX_SIZE];
  int r = 0;

  if (d == NULL)
    return -1;
  v2v_hex (d->root, V2V_SHA256_SIZE, hex);
  *ret_same = strcmp (hex, e->hex) == 0;
  if (cli->json) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "file", file);
    v2v_json_set_bool (o, "same", *ret_same);
    v2v_json_set_string (o, "expected", e->hex);
    v2v_json_set_string (o, "digest", hex);
    v2v_json_append (results, o);
  }
  else {
    printf ("%s: %s\n", shown ? shown : "?", *ret_same ? "same" : "DIFFERENT");
    if (!*ret_same)
      r = print_blocks (e, d, err);
  }
  v2v_disk_digest_free (d);
  return r;
}

static const struct expected *
find_expected (const struct args *a, const char *file)
{
  for (size_t i = 0; i < a->nr_expected; ++i)
    if (strcmp (base_name (a->expected[i].file), base_name (file)) == 0)
      return &a->expected[i];
  /* One disk, one digest: the name does not matter. */
  return a->nr_expected == 1 ? &a->expected[0] : NULL;
}

/* Files named on the command line, or all that the manifest has, beside it. */
static int
check_all (struct cli *cli, struct args *a, struct v2v_json *results,
           size_t *ret_different, struct v2v_error **err)
{
  const size_t n = cli->nr_args ? cli->nr_args : a->nr_expected;

  for (size_t i = 0; i < n; ++i) {
    const struct expected *e =
        cli->nr_args ? find_expected (a, cli->args[i]) : &a->expected[i];
    CLEANUP_FREE char *path = NULL;
    bool same = false;

    if (e == NULL)
      return v2v_fail (err, V2V_ERR_USAGE, "%s: has no digest of '%s'",
                       a->manifest, base_name (cli->args[i]));
    if (cli->nr_args)
      path = strdup (cli->args[i]);
    else if (asprintf (&path, "%s%s", e->file[0] == '/' ? "" : a->folder,
                       e->file) == -1)
      path = NULL;
    if (path == NULL)
      return v2v_fail_nomem (err);
    if (check_one (cli, a, path, e, results, &same, err) == -1)
      return -1;
    *ret_different += !same;
  }
  return 0;
}

static int
check (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *results = v2v_json_new_array ();
  size_t different = 0;
  int r;

  if (read_manifest (a, err) == -1) {
    v2v_json_free (results);
    return -1;
  }
  r = check_all (cli, a, results, &different, err);
  v2v_json_set_bool (o, "same", different == 0);
  v2v_json_set (o, "disks", results);
  if (r == 0 && cli->json)
    r = cmd_print_json (o, err);
  if (r == -1)
    return -1;
  return different ? v2v_error_exit_status (V2V_ERR_MISMATCH) : 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { 0 };
  int r = parse (cli, &a, err);

  if (r == 0 && !cli->done)
    r = a.manifest ? check (cli, &a, err) : print_all (cli, &a, err);
  args_free (&a);
  return r;
}

const struct v2v_command cmd_digest = {
  .name = "digest",
  .summary = "print or check the digest of a disk's contents",
  .synopsis = "[OPTION...] [FILE...]",
  .examples = "  v2v digest disk.vmdk disk.vhdx\n"
              "  v2v digest disk.vmdk > disk.digest; v2v digest --check "
              "disk.digest disk.vhdx\n"
              "  v2v digest --check /srv/hyperv/web/report.json\n",
  .options = options,
  .min_args = 0,
  .max_args = SIZE_MAX,
  .run = run,
};
