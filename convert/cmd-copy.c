/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v copy: one disk, from any reader to any writer. */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "library/space.h"
#include "convert/cmd.h"

enum {
  OPT_AZURE = CMD_OPT_FIRST,
  OPT_BLOCK_SIZE,
  OPT_DIGEST,
  OPT_FORCE,
  OPT_FORMAT,
  OPT_NO_DIGEST,
  OPT_NO_SPACE_CHECK,
  OPT_NO_SPARSE,
  OPT_OVERWRITE,
  OPT_PARENT,
  OPT_PARENT_PATH,
  OPT_RATE,
  OPT_RESUME,
  OPT_SEARCH,
  OPT_SECTOR_SIZE,
  OPT_SIZE_POLICY,
  OPT_SUBFORMAT,
  OPT_THREADS,
  OPT_TRUST_PARENT,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "azure", OPT_AZURE, NULL,
    "what Azure takes: a fixed VHD of whole MiB" },
  { "block-size", OPT_BLOCK_SIZE, "SIZE",
    "payload block of a dynamic disk (VHDX 1M to 256M, VHD 512K\n"
    "or 2M); smaller wastes less, larger has shorter tables" },
  CMD_DEBUG,
  { "digest", OPT_DIGEST, NULL,
    "compute the disk's digest, even if that means reading what\n"
    "could have been shared" },
  { "force", OPT_FORCE, NULL, "read despite a doubtful feature" },
  { "format", OPT_FORMAT, "FORMAT", "take INPUT for this, do not probe" },
  CMD_HELP,
  CMD_JSON,
  { "no-digest", OPT_NO_DIGEST, NULL, "do not compute the digest" },
  { "no-space-check", OPT_NO_SPACE_CHECK, NULL,
    "start even if the target seems to have too little space" },
  { "no-sparse", OPT_NO_SPARSE, NULL,
    "allocate every block: for a copy to a Windows share" },
  { "output-format", 'O', "FORMAT",
    "what to write; by default what OUTPUT's suffix says" },
  { "overwrite", OPT_OVERWRITE, NULL, "replace OUTPUT if it exists" },
  { "parent", OPT_PARENT, "FILE",
    "copy only the top file of the chain, as a differencing child\n"
    "of FILE, which is the parent converted before" },
  { "parent-path", OPT_PARENT_PATH, "PATH",
    "the parent's path on the Windows host, stored beside the\n"
    "relative one" },
  CMD_PROGRESS,
  { "rate", OPT_RATE, "SIZE", "at most so many bytes a second" },
  { "resume", OPT_RESUME, NULL,
    "go on where an interrupted copy to OUTPUT stopped" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "sector-size", OPT_SECTOR_SIZE, "512|4096",
    "logical sector of a VHDX; by default the source's" },
  { "size-policy", OPT_SIZE_POLICY, "HOW",
    "exact, chs (rounded up to whole cylinders) or mib (to whole\n"
    "MiB)" },
  { "subformat", OPT_SUBFORMAT, "KIND",
    "fixed, dynamic, differencing (with --parent), sparse or\n"
    "stream" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  { "trust-parent", OPT_TRUST_PARENT, NULL,
    "do not compare --parent with the parent of INPUT first" },
  CMD_VERBOSE,
  CMD_VERSION,
  CMD_END
};
/* clang-format on */

struct args {
  const char *input;
  const char *output;
  struct v2v_open_opts open;
  struct cmd_list search;
  const char *output_format;
  struct v2v_create_opts create;
  struct v2v_copy_opts copy;
  const char *parent;
  bool azure;
  bool digest;
  bool no_digest;
  bool trust_parent;
  bool no_space_check;
  bool size_policy_given;
  char *journal;
};

/* ---- options ---- */

static int
parse_size_policy (struct args *a, const char *arg, struct v2v_error **err)
{
  static const char *const names[] = {
    [V2V_SIZE_EXACT] = "exact",
    [V2V_SIZE_CHS] = "chs",
    [V2V_SIZE_MIB] = "mib",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    if (strcmp (arg, names[i]) == 0) {
      a->create.size_policy = (enum v2v_size_policy) i;
      a->size_policy_given = true;
      return 0;
    }
  return v2v_fail (err, V2V_ERR_USAGE,
                   "--size-policy: '%s' is none of exact, chs, mib", arg);
}

/* Options with a value. */
static int
set_value (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  switch (c) {
  case OPT_BLOCK_SIZE:
    return cmd_parse_size ("block-size", arg, &a->create.block_bytes, err);
  case OPT_FORMAT:
    a->open.format = arg;
    return cmd_parse_format ("format", arg, false, err);
  case 'O':
    a->output_format = arg;
    return cmd_parse_format ("output-format", arg, true, err);
  case OPT_PARENT:
    a->parent = arg;
    return 0;
  case OPT_PARENT_PATH:
    a->create.parent_absolute_path = arg;
    return 0;
  case OPT_RATE:
    return cmd_parse_size ("rate", arg, &a->copy.rate_limit, err);
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  case OPT_SECTOR_SIZE:
    if (strcmp (arg, "512") != 0 && strcmp (arg, "4096") != 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--sector-size: '%s' is neither 512 nor 4096", arg);
    a->create.logical_sector_bytes = arg[0] == '5' ? 512 : 4096;
    return 0;
  case OPT_SIZE_POLICY:
    return parse_size_policy (a, arg, err);
  case OPT_SUBFORMAT:
    if (!v2v_subformat_parse (arg, &a->create.subformat) ||
        a->create.subformat == V2V_SUB_NONE)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--subformat: '%s' is none of "
                       "fixed, dynamic, differencing, sparse, stream",
                       arg);
    return 0;
  case OPT_THREADS:
    return cmd_parse_number ("threads", arg, 1, 64, &a->copy.threads, err);
  }
  return 0;
}

static void
set_flag (struct args *a, int c)
{
  switch (c) {
  case OPT_AZURE:
    a->azure = true;
    break;
  case OPT_DIGEST:
    a->digest = true;
    break;
  case OPT_FORCE:
    a->open.force = true;
    break;
  case OPT_NO_DIGEST:
    a->no_digest = true;
    break;
  case OPT_NO_SPACE_CHECK:
    a->no_space_check = true;
    break;
  case OPT_NO_SPARSE:
    a->create.no_holes = true;
    break;
  case OPT_OVERWRITE:
    a->create.replace = true;
    break;
  case OPT_RESUME:
    a->copy.resume = true;
    break;
  case OPT_TRUST_PARENT:
    a->trust_parent = true;
    break;
  }
}

static const char *
format_by_suffix (const char *name)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();
  const char *dot = strrchr (name, '.');

  if (dot == NULL)
    return NULL;
  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (drivers[i]->create != NULL && drivers[i]->extension != NULL &&
        strcasecmp (drivers[i]->extension, dot) == 0)
      return drivers[i]->name;
  if (strcasecmp (dot, ".img") == 0)
    return "raw";
  return NULL;
}

static int
exclude (bool both, const char *one, const char *other, struct v2v_error **err)
{
  if (!both)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE, "copy: %s and %s exclude each other",
                   one, other);
}

static int
apply_azure (struct args *a, struct v2v_error **err)
{
  if (!a->azure)
    return 0;
  if ((a->output_format && strcmp (a->output_format, "vhd") != 0) ||
      (a->create.subformat != V2V_SUB_NONE &&
       a->create.subformat != V2V_SUB_FIXED) ||
      (a->size_policy_given && a->create.size_policy != V2V_SIZE_MIB))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "copy: --azure means a fixed VHD of whole MiB, and "
                     "another option says otherwise");
  a->output_format = "vhd";
  a->create.subformat = V2V_SUB_FIXED;
  a->create.size_policy = V2V_SIZE_MIB;
  return 0;
}

/* A suffix that says one format and an option that says another: whoever gets
 * the file goes by its name. */
static int
check_suffix (const struct args *a, struct v2v_error **err)
{
  const char *by_name = format_by_suffix (a->output);

  if (by_name == NULL || strcmp (by_name, a->output_format) == 0 ||
      strcmp (a->output_format, "null") == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE, "%s: its suffix says %s, and %s says %s",
                   a->output, by_name, a->azure ? "--azure" : "-O",
                   a->output_format);
}

/* What may be at OUTPUT already. */
static int
check_output (const struct args *a, struct v2v_error **err)
{
  struct stat st;

  if (strcmp (a->output_format, "null") == 0 || lstat (a->output, &st) == -1)
    return 0;
  if (!S_ISREG (st.st_mode) && !S_ISLNK (st.st_mode))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is a %s, expected a file",
                     a->output, S_ISDIR (st.st_mode) ? "folder" : "device");
  if (a->create.replace)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "%s: exists already", a->output);
  return v2v_hint (err, "--overwrite replaces it");
}

/* Everything that can be known without opening a file. */
static int
validate (struct args *a, struct v2v_error **err)
{
  if (strcmp (a->output, "-") == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "copy: OUTPUT must be a file: the tables of a disk image "
                     "are written last");
  if (exclude (a->digest && a->no_digest, "--digest", "--no-digest", err) ==
          -1 ||
      exclude (a->copy.resume && strcmp (a->input, "-") == 0, "--resume",
               "standard input", err) == -1 ||
      apply_azure (a, err) == -1)
    return -1;
  if (a->output_format == NULL)
    a->output_format = format_by_suffix (a->output);
  if (a->output_format == NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: its suffix does not say what format to write", a->output);
    return v2v_hint (err, "say it with -O: 'v2v --list-formats' lists them");
  }
  if (cmd_check_block_size (a->output_format, a->create.block_bytes, err) ==
          -1 ||
      check_suffix (a, err) == -1 || check_output (a, err) == -1)
    return -1;
  if (a->parent != NULL) {
    if (a->create.subformat != V2V_SUB_NONE &&
        a->create.subformat != V2V_SUB_DIFFERENCING)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "copy: --parent makes a "
                       "differencing disk, not a %s one",
                       v2v_subformat_name (a->create.subformat));
    a->create.subformat = V2V_SUB_DIFFERENCING;
  }
  else if (a->create.subformat == V2V_SUB_DIFFERENCING ||
           a->create.parent_absolute_path != NULL || a->trust_parent)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "copy: a differencing disk needs "
                     "--parent");
  return 0;
}

static int
parse (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    if (arg == NULL)
      set_flag (a, c);
    else if (set_value (a, c, arg, err) == -1)
      return -1;
  if (c == -1 || cli->done)
    return c;
  a->open.search = a->search.ptr;
  a->input = cli->args[0];
  a->output = cli->args[1];
  return validate (a, err);
}

/* ---- the work ---- */

static bool
same_file (const char *a, const char *b)
{
  struct stat sa, sb;

  return stat (a, &sa) == 0 && stat (b, &sb) == 0 && sa.st_dev == sb.st_dev &&
         sa.st_ino == sb.st_ino;
}

/* No file of the chain may be written over. */
static int
check_not_source (const struct args *a, const struct v2v_image *img,
                  struct v2v_error **err)
{
  for (; img != NULL; img = v2v_image_parent (img)) {
    struct v2v_io *io = v2v_image_io (img);
    const char *path = io ? v2v_io_path (io) : NULL;

    if (path != NULL && same_file (path, a->output))
      return v2v_fail (err, V2V_ERR_USAGE, "%s: is a file of the source itself",
                       a->output);
  }
  if (a->parent != NULL && same_file (a->parent, a->output))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is the parent itself", a->output);
  return 0;
}

/* The parent in the new format must be what the source's parent is: otherwise
 * the child would be a different disk.
 */
static struct v2v_image *
open_new_parent (struct cli *cli, struct args *a, struct v2v_image *src,
                 struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .search = a->search.ptr };
  struct v2v_image *old = v2v_image_parent (src), *parent;
  uint64_t offset;
  int r;

  if (old == NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: has no parent, so --parent has no "
              "meaning",
              a->input);
    return NULL;
  }
  parent = v2v_image_open (a->parent, &opts, err);
  if (parent == NULL || a->trust_parent)
    return parent;
  a->copy.item = "parent";
  r = v2v_image_compare (old, parent, false, &a->copy, &offset, err);
  v2v_progress_bar_clear (cli->progress);
  if (r == 0)
    return parent;
  if (r == 1) {
    v2v_fail (err, V2V_ERR_MISMATCH,
              "%s: is not a copy of %s: they differ at "
              "offset %" PRIu64,
              a->parent, v2v_image_name (old), offset);
    v2v_hint (err, "convert the parent first, and give that file");
  }
  v2v_image_close (parent);
  return NULL;
}

static struct v2v_image *
start_output (struct args *a, struct v2v_error **err)
{
  struct v2v_image *dst;

  if (a->copy.resume) {
    CLEANUP_FREE char *part = NULL;
    struct stat st;

    if (asprintf (&part, "%s.part", a->output) == -1) {
      part = NULL;
      v2v_fail_nomem (err);
      return NULL;
    }
    /* A journal without a byte: killed before there was anything to keep. */
    if (access (part, F_OK) == 0 && stat (a->journal, &st) == 0 &&
        st.st_size > 0)
      return v2v_image_resume (a->output, a->output_format, &a->create, err);
    v2v_log_info ("%s: nothing to resume, beginning anew", a->output);
    a->copy.resume = false;
  }
  dst = v2v_image_create (a->output, a->output_format, &a->create, err);
  /* A journal of another try must not be taken for ours; but that of a run
   * that is at work is left alone, and only now it is known there is none. */
  if (dst != NULL)
    unlink (a->journal);
  return dst;
}

/* After a failed copy: is it worth keeping what is there? */
static bool
worth_keeping (struct v2v_image *dst, const struct v2v_copy_result *result,
               const struct v2v_error *e)
{
  const enum v2v_error_code code = v2v_error_code (e);

  return result->resumable && v2v_image_get_ops (dst)->resume != NULL &&
         (code == V2V_ERR_INTERRUPTED || code == V2V_ERR_IO);
}

static int
copy_and_finish (struct cli *cli, struct args *a, struct v2v_image *src,
                 struct v2v_image *dst, struct v2v_copy_result *result,
                 struct v2v_error **err)
{
  int r = v2v_copy (src, dst, &a->copy, result, err);

  v2v_progress_bar_clear (cli->progress);
  if (r == 0)
    r = v2v_image_finish (dst, err);
  if (r == 0) {
    unlink (a->journal);
    return 0;
  }
  if (err != NULL && worth_keeping (dst, result, *err)) {
    v2v_image_keep_part (dst);
    v2v_hint (err,
              "what is done is kept in %s.part: the same command with "
              "--resume goes on from there",
              a->output);
  }
  else
    unlink (a->journal);
  return -1;
}

/* ---- the result ---- */

static int
print_json (const struct args *a, const struct v2v_image *src,
            const struct v2v_image *dst, const struct v2v_copy_result *res,
            const struct stat *st, struct v2v_error **err)
{
  const struct v2v_image_info *si = v2v_image_get_info (src);
  const struct v2v_image_info *di = v2v_image_get_info (dst);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "input", a->input);
  v2v_json_set_string (o, "input_format", si->format);
  v2v_json_set_string (o, "input_variant", si->variant);
  v2v_json_set_string (o, "output", a->output);
  v2v_json_set_string (o, "output_format", di->format);
  v2v_json_set_string (o, "output_variant", di->variant);
  v2v_json_set_u64 (o, "virtual_bytes", di->size_bytes);
  v2v_json_set_u64 (o, "data_bytes", res->data_bytes);
  v2v_json_set_u64 (o, "zero_bytes", res->zero_bytes);
  v2v_json_set_u64 (o, "written_bytes", res->written_bytes);
  v2v_json_set_u64 (o, "shared_bytes", res->shared_bytes);
  v2v_json_set_u64 (o, "offloaded_bytes", res->offloaded_bytes);
  v2v_json_set_u64 (o, "resumed_bytes", res->resumed_bytes);
  v2v_json_set_u64 (o, "file_bytes", (uint64_t) st->st_size);
  v2v_json_set_u64 (o, "allocated_bytes", (uint64_t) st->st_blocks * 512);
  v2v_json_set_real (o, "seconds", res->seconds);
  v2v_json_set_u64 (o, "threads", res->threads);
  if (res->digest != NULL) {
    CLEANUP_FREE char *digest = cmd_digest_text (res->digest, err);

    if (digest == NULL)
      return -1;
    v2v_json_set_string (o, "digest", digest);
  }
  v2v_json_set_bool (o, "digest_deferred", res->digest_deferred);
  return cmd_print_json (o, err);
}

static int
print_text (const struct args *a, const struct v2v_image *dst,
            const struct v2v_copy_result *res, const struct stat *st,
            struct v2v_error **err)
{
  const struct v2v_image_info *di = v2v_image_get_info (dst);
  char size[32], data[32], file[32], shared[32], rate[40];
  CLEANUP_FREE char *shown = cmd_printable (a->output);

  if (shown == NULL)
    return v2v_fail_nomem (err);
  printf (
      "%s: %s%s%s, disk of %s with %s of data, file of %s, %.1f s%s%s\n", shown,
      di->format, di->variant ? " " : "", di->variant ? di->variant : "",
      v2v_format_size (di->size_bytes, size),
      v2v_format_size (res->data_bytes - res->zero_bytes, data),
      v2v_format_size ((uint64_t) st->st_size, file), res->seconds,
      res->data_bytes ? ", " : "",
      res->data_bytes ? cmd_format_rate (res->data_bytes, res->seconds, rate)
                      : "");
  if (res->shared_bytes > 0)
    printf ("%s shared with the source, not copied\n",
            v2v_format_size (res->shared_bytes, shared));
  if (res->resumed_bytes > 0)
    printf ("%s was there already\n",
            v2v_format_size (res->resumed_bytes, shared));
  if (res->digest != NULL) {
    CLEANUP_FREE char *digest = cmd_digest_text (res->digest, err);

    if (digest == NULL)
      return -1;
    printf ("%s  %s\n", digest, shown);
  }
  else if (res->digest_deferred)
    printf ("no digest, as nothing was read: 'v2v digest %s' makes it\n",
            shown);
  return 0;
}

static int
print_result (const struct cli *cli, const struct args *a,
              const struct v2v_image *src, const struct v2v_image *dst,
              const struct v2v_copy_result *res, struct v2v_error **err)
{
  struct stat st = { 0 };

  if (strcmp (a->output_format, "null") != 0 && stat (a->output, &st) == -1)
    return v2v_fail_errno (err, "%s", a->output);
  return cli->json ? print_json (a, src, dst, res, &st, err)
                   : print_text (a, dst, res, &st, err);
}

/* ---- */

/* A partition table counts in sectors: with others the guest finds nothing
 * where it was, so that is done only on request. */
static int
choose_sector (struct args *a, const struct v2v_image_info *info,
               struct v2v_error **err)
{
  const uint32_t from = info->logical_sector_bytes;
  const bool vhdx = strcmp (a->output_format, "vhdx") == 0;

  if (a->create.logical_sector_bytes != 0) {
    if (from != 0 && from != a->create.logical_sector_bytes &&
        strcmp (info->format, "raw") != 0)
      v2v_warn ("%s: its sectors of %" PRIu32 " bytes become ones of "
                "%" PRIu32 ": partition tables in it are not read as "
                "before",
                a->input, from, a->create.logical_sector_bytes);
    return 0;
  }
  if (vhdx)
    a->create.logical_sector_bytes = from;
  else if (from > 512 && (strcmp (a->output_format, "vhd") == 0 ||
                          strcmp (a->output_format, "vmdk") == 0)) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s: has sectors of %" PRIu32 " bytes, and %s would have 512",
              a->input, from, a->output);
    return v2v_hint (err, "a VHDX keeps them; --sector-size 512 makes it all "
                          "the same");
  }
  return 0;
}

static int
prepare (struct cli *cli, struct args *a, struct v2v_image *src,
         struct v2v_image **ret_parent, struct v2v_error **err)
{
  const struct v2v_image_info *info = v2v_image_get_info (src);

  if (check_not_source (a, src, err) == -1 ||
      cmd_progress_start (cli, &a->copy, err) == -1)
    return -1;
  if (a->parent != NULL) {
    *ret_parent = open_new_parent (cli, a, src, err);
    if (*ret_parent == NULL)
      return -1;
    a->create.parent = *ret_parent;
    a->copy.top_only = true;
  }
  a->create.size_bytes = info->size_bytes;
  if (choose_sector (a, info, err) == -1)
    return -1;
  if (asprintf (&a->journal, "%s.part.journal", a->output) == -1) {
    a->journal = NULL;
    return v2v_fail_nomem (err);
  }
  a->copy.item = a->output;
  /* The digest of a child alone would be of half a disk. */
  a->copy.digest = !a->no_digest && a->parent == NULL;
  a->copy.allow_deferred = !a->digest;
  /* A stream cannot be begun again in the middle. */
  a->copy.journal = !v2v_image_is_stream (src);
  a->copy.journal_path = a->copy.journal ? a->journal : NULL;
  if (a->no_space_check || v2v_image_is_stream (src) ||
      strcmp (a->output_format, "null") == 0)
    return 0;
  return v2v_space_check (a->output, src, &a->create, a->copy.top_only, err);
}

static int
copy (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_IMAGE struct v2v_image *src = NULL, *parent = NULL, *dst = NULL;
  struct v2v_copy_result result = { 0 };
  int r;

  src = cmd_open (a->input, &a->open, err);
  if (src == NULL || prepare (cli, a, src, &parent, err) == -1)
    return -1;
  dst = start_output (a, err);
  if (dst == NULL)
    return -1;
  r = copy_and_finish (cli, a, src, dst, &result, err);
  if (r == 0)
    r = print_result (cli, a, src, dst, &result, err);
  v2v_copy_result_clear (&result);
  return r;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { 0 };
  int r = parse (cli, &a, err);

  if (r == 0 && !cli->done)
    r = copy (cli, &a, err);
  free (a.journal);
  cmd_list_free (&a.search);
  return r;
}

const struct v2v_command cmd_copy = {
  .name = "copy",
  .summary = "copy one disk from any format to any other",
  .synopsis = "[OPTION...] INPUT OUTPUT",
  .examples = "  v2v copy disk.vmdk disk.vhdx\n"
              "  v2v copy --azure disk.vmdk disk.vhd\n"
              "  tar -xOf appliance.ova disk1.vmdk | v2v copy - disk1.vhdx\n",
  .options = options,
  .min_args = 2,
  .max_args = 2,
  .run = run,
};
