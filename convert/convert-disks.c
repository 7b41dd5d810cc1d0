/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a conversion: opened in place, copied, checked against the
 * manifest in the same pass.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "library/space.h"
#include "convert/convert-internal.h"

static void
cleanup_image (struct v2v_image **img)
{
  v2v_image_close (*img);
}
#define CLEANUP_IMAGE __attribute__ ((cleanup (cleanup_image)))

void
convert_disk_clear (struct convert_disk *d)
{
  v2v_file_hasher_free (d->hasher);
  v2v_io_unref (d->io);
  v2v_copy_result_clear (&d->result);
  free (d->hash_algorithm);
  free (d->source_variant);
  free (d->target_variant);
}

/* ---- opening ---- */

static const char *
disk_name (const struct v2v_disk *d)
{
  return d->id ? d->id : (d->file ? d->file : "disk");
}

/* What opening showed that the description did not say. */
static int
note_opened (struct conversion *c, size_t i, struct v2v_error **err)
{
  const struct v2v_disk *d = &c->machine->disks[i];
  const uint64_t size = v2v_image_size (c->images[i]);
  struct v2v_findings *f = &c->findings;
  int r = 0;

  if (d->capacity_bytes != 0 && d->capacity_bytes != size)
    r |= v2v_findings_add (f, V2V_WARNING, "disk.capacity", disk_name (d),
                           "the disk keeps the size that its file has",
                           "described with %" PRIu64 " bytes, its file has "
                           "%" PRIu64,
                           d->capacity_bytes, size);
  if (c->disks[i].spooled)
    r |= v2v_findings_add (f, V2V_INFORMATION, "disk.spooled", disk_name (d),
                           NULL,
                           "it was unpacked into a temporary file to be "
                           "read at random");
  if (c->disks[i].chain_length > 1)
    r |= v2v_findings_add (
        f, V2V_INFORMATION,
        c->opts->keep_chain ? "disk.chain-kept" : "disk.flattened",
        disk_name (d), NULL, "the source is a chain of %u files",
        c->disks[i].chain_length);
  return r == 0 ? 0 : v2v_fail_nomem (err);
}

/* A file that is not there ends a conversion, but not a dry run: descriptions
 * alone are what one has when one wants to know beforehand. */
static int
judge_missing (struct conversion *c, const struct v2v_disk *d,
               struct v2v_error *why, struct v2v_error **err)
{
  int r;

  if (!c->opts->dry_run || v2v_error_errno (why) != ENOENT) {
    v2v_error_move (err, why);
    return v2v_prefix (err, "disk %s", disk_name (d));
  }
  r = v2v_findings_add (&c->findings, V2V_CRITICAL, "disk.missing",
                        disk_name (d), "put the file beside the description",
                        "%s", v2v_error_message (why));
  v2v_error_free (why);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

int
convert_open_disk (struct conversion *c, size_t i, struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .search = c->opts->search };
  const struct v2v_disk *d = &c->machine->disks[i];
  struct convert_disk *cd = &c->disks[i];
  const struct v2v_image_info *info;
  struct v2v_error *e = NULL;

  if (cd->opened || d->kind == V2V_DISK_BLANK)
    return 0;
  cd->opened = true;
  cd->io = v2v_source_open_disk (c->src, d, &cd->spooled, &e);
  if (cd->io == NULL)
    return judge_missing (c, d, e, err);
  c->images[i] = v2v_image_open_io (cd->io, &opts, &e);
  if (c->images[i] == NULL) {
    if (v2v_error_code (e) == V2V_ERR_UNSUPPORTED && cd->chain_length == 0)
      v2v_hint (&e, "'v2v --list-formats' lists what can be a disk; the bytes "
                    "of one need the suffix .raw or .img");
    return judge_missing (c, d, e, err);
  }
  if (v2v_io_size (cd->io) != V2V_IO_SIZE_UNKNOWN)
    cd->source_bytes = v2v_io_size (cd->io);
  info = v2v_image_get_info (c->images[i]);
  cd->source_format = info->format;
  cd->chain_length = v2v_image_chain_length (c->images[i]);
  if (info->variant != NULL) {
    cd->source_variant = strdup (info->variant);
    if (cd->source_variant == NULL)
      return v2v_fail_nomem (err);
  }
  return note_opened (c, i, err);
}

int
convert_open_disks (struct conversion *c, struct v2v_error **err)
{
  /* From a pipe each file comes by once: it is opened when it is copied. */
  if (v2v_source_is_stream (c->src))
    return 0;
  for (size_t i = 0; i < c->machine->nr_disks; ++i)
    if (convert_open_disk (c, i, err) == -1)
      return -1;
  return 0;
}

int
convert_gather_evidence (struct conversion *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->machine->nr_disks; ++i) {
    if (c->images[i] == NULL || v2v_image_is_stream (c->images[i]))
      continue;
    if (v2v_evidence_gather (c->images[i], &c->disks[i].evidence, err) == -1)
      return v2v_prefix (err, "disk %s", disk_name (&c->machine->disks[i]));
    c->disks[i].has_evidence = true;
  }
  return 0;
}

/* ---- the manifest ---- */

/* Hash the stored file beside the copy, if the manifest lists it and it is
 * read as it is stored; everything else the source verifies itself. */
static int
start_hasher (struct conversion *c, size_t i, struct v2v_error **err)
{
  const struct v2v_disk *d = &c->machine->disks[i];
  struct convert_disk *cd = &c->disks[i];
  const struct v2v_manifest_entry *entries = NULL;
  const size_t n = v2v_source_manifest (c->src, &entries);

  if (c->opts->manifest_off || d->file == NULL || d->gzip || d->chunk_bytes ||
      cd->io == NULL || cd->spooled || v2v_io_is_forward_only (cd->io))
    return 0;
  for (size_t e = 0; e < n; ++e)
    if (!entries[e].checked && strcmp (entries[e].name, d->file) == 0) {
      cd->hash_algorithm = strdup (entries[e].algorithm);
      if (cd->hash_algorithm == NULL)
        return v2v_fail_nomem (err);
      cd->hasher = v2v_file_hasher_start (cd->io, cd->hash_algorithm,
                                          c->opts->cancel, err);
      return cd->hasher == NULL ? -1 : 0;
    }
  return 0;
}

static int
finish_hasher (struct conversion *c, size_t i, struct v2v_error **err)
{
  struct convert_disk *cd = &c->disks[i];
  uint8_t out[V2V_DIGEST_MAX_SIZE];
  char hex[2 * V2V_DIGEST_MAX_SIZE + 1];
  size_t len;

  if (cd->hasher == NULL)
    return 0;
  if (v2v_file_hasher_join (STEAL (cd->hasher), out, &len, err) == -1)
    return -1;
  v2v_hex (out, len, hex);
  return v2v_source_report_digest (c->src, c->machine->disks[i].file,
                                   cd->hash_algorithm, hex, NULL, err);
}

/* ---- copying ---- */

static const char *
target_format (const struct conversion *c)
{
  return c->opts->hyperv.disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx";
}

/* One file to make: SRC, or nothing for a blank disk. */
struct target {
  const char *file;      /* plain name in the folder */
  struct v2v_image *src; /* NULL = blank */
  uint64_t size_bytes;
  struct v2v_image *parent; /* the new parent, or NULL */
  bool top_only;
};

static void
fill_create_opts (const struct conversion *c, const struct target *t,
                  struct v2v_create_opts *create)
{
  memset (create, 0, sizeof *create);
  create->size_bytes = t->size_bytes;
  create->subformat = t->parent ? V2V_SUB_DIFFERENCING : c->opts->subformat;
  create->block_bytes = c->opts->block_bytes;
  create->no_holes = c->opts->no_sparse;
  create->parent = t->parent;
  if (t->src != NULL && c->opts->hyperv.disk_format == V2V_HYPERV_VHDX)
    create->logical_sector_bytes =
        v2v_image_get_info (t->src)->logical_sector_bytes;
}

static struct v2v_image *
start_target (const struct conversion *c, const char *path, const char *journal,
              const struct v2v_create_opts *create, bool *ret_resume,
              struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;
  struct stat st;

  *ret_resume = false;
  if (asprintf (&part, "%s.part", path) == -1) {
    part = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  /* A journal without a byte: killed before there was anything to keep. */
  if (c->opts->resume && access (part, F_OK) == 0 && stat (journal, &st) == 0 &&
      st.st_size > 0) {
    *ret_resume = true;
    return v2v_image_resume (path, target_format (c), create, err);
  }
  unlink (journal);
  return v2v_image_create (path, target_format (c), create, err);
}

static void
fill_copy_opts (const struct conversion *c, const struct target *t,
                const char *journal, bool resume, struct v2v_copy_opts *copy)
{
  memset (copy, 0, sizeof *copy);
  copy->threads = c->opts->threads;
  /* The digest of a child alone would be of half a disk. */
  copy->digest = !c->opts->no_digest && !t->top_only;
  copy->allow_deferred = !c->opts->digest;
  copy->no_reflink = c->opts->no_reflink;
  copy->top_only = t->top_only;
  copy->resume = resume;
  copy->journal = !v2v_image_is_stream (t->src);
  copy->journal_path = copy->journal ? journal : NULL;
  copy->item = t->file;
  copy->progress = c->opts->progress;
  copy->progress_arg = c->opts->progress_arg;
  copy->cancel = c->opts->cancel;
  copy->rate_limit = c->opts->rate_limit;
}

/* Make one file; *RESULT as in v2v_copy, zeroed for a blank disk. */
static int
make_file (struct conversion *c, const struct target *t,
           struct v2v_copy_result *result, char **ret_variant,
           struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_deposit_path (c->deposit, t->file, err);
  CLEANUP_FREE char *journal = NULL;
  CLEANUP_IMAGE struct v2v_image *dst = NULL;
  struct v2v_create_opts create;
  struct v2v_copy_opts copy;
  const char *variant;
  bool resume;

  if (path == NULL)
    return -1;
  if (asprintf (&journal, "%s.journal", path) == -1) {
    journal = NULL;
    return v2v_fail_nomem (err);
  }
  fill_create_opts (c, t, &create);
  dst = start_target (c, path, journal, &create, &resume, err);
  if (dst == NULL)
    return -1;
  if (t->src != NULL) {
    fill_copy_opts (c, t, journal, resume, &copy);
    if (v2v_copy (t->src, dst, &copy, result, err) == -1) {
      v2v_image_keep_part (dst); /* the deposit decides what becomes of it */
      return -1;
    }
  }
  if (v2v_image_finish (dst, err) == -1)
    return -1;
  unlink (journal);
  variant = v2v_image_get_info (dst)->variant;
  if (ret_variant != NULL && variant != NULL &&
      (*ret_variant = strdup (variant)) == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

int
convert_note_made (struct conversion *c, size_t i, const char *file,
                   struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_deposit_path (c->deposit, file, err);
  struct convert_disk *cd = &c->disks[i];
  struct stat st;

  if (path == NULL)
    return -1;
  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  cd->file_bytes = (uint64_t) st.st_size;
  cd->allocated_bytes = (uint64_t) st.st_blocks * 512;
  if (cd->result.digest != NULL)
    v2v_hex (cd->result.digest->root, V2V_SHA256_SIZE, cd->digest);
  return 0;
}

char *
convert_parent_file_name (const char *file, unsigned level)
{
  const char *dot = strrchr (file, '.');
  const int stem = (int) (dot ? dot - file : (long) strlen (file));
  char *name;

  if (asprintf (&name, "%.*s-parent%u%s", stem, file, level, dot ? dot : "") ==
      -1)
    return NULL;
  return name;
}

/* The parents of SRC, the base first, each as a file of its own; *RET_PARENT
 * is the new parent of SRC, opened.  Recursion is bounded by V2V_MAX_CHAIN. */
static int
copy_parents (struct conversion *c, size_t disk, struct v2v_image *src,
              const char *file, unsigned level, struct v2v_image **ret_parent,
              struct v2v_error **err)
{
  struct v2v_image *old = v2v_image_parent (src);
  CLEANUP_FREE char *name = NULL, *path = NULL;
  CLEANUP_IMAGE struct v2v_image *above = NULL;
  struct v2v_copy_result result = { 0 };
  struct target t = { 0 };
  int r;

  if (old == NULL)
    return 0;
  if (copy_parents (c, disk, old, file, level + 1, &above, err) == -1)
    return -1;
  name = convert_parent_file_name (file, level);
  path = name ? v2v_deposit_path (c->deposit, name, err) : NULL;
  if (path == NULL)
    return name ? -1 : v2v_fail_nomem (err);
  t.file = name;
  t.src = old;
  t.size_bytes = v2v_image_size (old);
  t.parent = above;
  t.top_only = above != NULL;
  r = c->opts->resume ? convert_done_read (c, disk, name, false, err) : 0;
  if (r == 0) {
    r = make_file (c, &t, &result, NULL, err);
    v2v_copy_result_clear (&result);
    if (r == 0)
      r = convert_done_write (c, disk, name, err);
  }
  if (r == -1)
    return -1;
  *ret_parent = v2v_image_open (path, NULL, err);
  return *ret_parent == NULL ? -1 : 0;
}

/* A file of a pipe is hashed while it passes: closing reads the rest of it, so
 * that the next one can come. */
static void
release_passed (struct conversion *c, size_t i)
{
  if (!v2v_source_is_stream (c->src))
    return;
  v2v_image_close (STEAL (c->images[i]));
  v2v_io_unref (STEAL (c->disks[i].io));
}

/* Disk D of the plan. */
static int
copy_disk (struct conversion *c, const struct v2v_hyperv_disk *d,
           struct v2v_error **err)
{
  const size_t i = d->source_index;
  CLEANUP_IMAGE struct v2v_image *parent = NULL;
  struct target t = { .file = d->file, .size_bytes = d->size_bytes };
  struct convert_disk *cd = &c->disks[i];

  if (convert_open_disk (c, i, err) == -1)
    return -1;
  t.src = c->images[i];
  if (t.src != NULL)
    t.size_bytes = v2v_image_size (t.src);
  cd->virtual_bytes = t.size_bytes;
  if (c->opts->resume) {
    const int r = convert_done_read (c, i, d->file, true, err);

    if (r != 0)
      return r == 1 ? 0 : -1;
  }
  if (start_hasher (c, i, err) == -1)
    return -1;
  if (c->opts->keep_chain && t.src != NULL) {
    if (copy_parents (c, i, t.src, d->file, 1, &parent, err) == -1)
      return v2v_prefix (err, "disk %s", d->source_id);
    t.parent = parent;
    t.top_only = parent != NULL;
  }
  if (make_file (c, &t, &cd->result, &cd->target_variant, err) == -1)
    return v2v_prefix (err, "disk %s", d->source_id ? d->source_id : d->file);
  release_passed (c, i);
  if (finish_hasher (c, i, err) == -1 ||
      convert_note_made (c, i, d->file, err) == -1)
    return -1;
  return convert_done_write (c, i, d->file, err);
}

/* From a pipe the disks must be taken as they come. */
static size_t
next_disk (const struct conversion *c, const bool *done)
{
  size_t best = SIZE_MAX, best_position = 0;

  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const size_t index = c->plan->disks[i].source_index;
    size_t position = i;

    if (done[i])
      continue;
    if (v2v_source_is_stream (c->src))
      position = v2v_source_disk_position (c->src, &c->machine->disks[index]);
    if (best == SIZE_MAX || position < best_position) {
      best = i;
      best_position = position;
    }
  }
  return best;
}

static int
add_target_findings (struct conversion *c, struct v2v_error **err)
{
  bool sparse = false, deferred = false;
  int r = 0;

  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const struct convert_disk *cd = &c->disks[c->plan->disks[i].source_index];

    sparse |= cd->allocated_bytes < cd->file_bytes;
    deferred |= cd->result.digest_deferred;
  }
  if (sparse)
    r |= v2v_findings_add (
        &c->findings, V2V_INFORMATION, "disk.sparse", NULL,
        "copy with a tool that does not keep holes, or convert with --no-sparse",
        "the new files have holes here: Hyper-V refuses a disk that carries "
        "NTFS's sparse flag");
  if (deferred)
    r |= v2v_findings_add (&c->findings, V2V_INFORMATION, "digest.deferred",
                           NULL, "'v2v digest' makes it when it is wanted",
                           "blocks are shared with the source and were never "
                           "read, so there is no digest");
  return r == 0 ? 0 : v2v_fail_nomem (err);
}

int
convert_copy_disks (struct conversion *c, struct v2v_error **err)
{
  CLEANUP_FREE bool *done = calloc (c->plan->nr_disks + 1, sizeof *done);

  if (done == NULL)
    return v2v_fail_nomem (err);
  for (size_t n = 0; n < c->plan->nr_disks; ++n) {
    const size_t i = next_disk (c, done);

    if (c->opts->cancel != NULL && atomic_load (c->opts->cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    done[i] = true;
    if (copy_disk (c, &c->plan->disks[i], err) == -1)
      return -1;
  }
  /* What no copy hashed on its way. */
  if (!c->opts->manifest_off && v2v_source_verify_manifest (c->src, err) == -1)
    return -1;
  return add_target_findings (c, err);
}

int
convert_space_needed (struct conversion *c, uint64_t *ret,
                      struct v2v_error **err)
{
  const struct v2v_create_opts create = {
    .subformat = c->opts->subformat,
    .no_holes = c->opts->no_sparse,
  };
  uint64_t sum = 0;

  for (size_t i = 0; i < c->plan->nr_disks; ++i) {
    const struct v2v_hyperv_disk *d = &c->plan->disks[i];
    struct v2v_image *img = c->images[d->source_index];
    uint64_t n = 0;

    if (img != NULL && c->opts->output_dir != NULL &&
        v2v_space_may_share (c->opts->output_dir, img) &&
        !c->opts->no_reflink && !c->opts->no_sparse)
      continue;
    if (img != NULL && !v2v_image_is_stream (img) &&
        v2v_space_needed (img, &create, false, &n, err) == -1)
      return -1;
    if (img == NULL && create.no_holes && create.subformat == V2V_SUB_FIXED)
      n = d->size_bytes;
    if (!v2v_add_u64 (sum, n, &sum))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "the disks are larger together "
                       "than a number can say");
  }
  *ret = sum;
  return 0;
}
