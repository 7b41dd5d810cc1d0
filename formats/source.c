/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source: the machines of a package and the way to their disk files.
 *
 * What a description says of a file is never trusted: names must be plain, so
 * "../../etc/passwd" is read as a description and refused when it is opened.
 * Opening is in source-open.c, digests in source-manifest.c.
 */

#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/gzip.h"
#include "formats/core/text.h"
#include "formats/source-internal.h"

/* A whole disk of 62 TiB in chunks of a CD: far more are hostile. */
#define MAX_CHUNKS 100000
/* So many numbers after the last chunk are looked at for a stray one. */
#define MAX_GAP 100

struct v2v_machine *
source_machine (const struct v2v_source *src, size_t i)
{
  return src->ovf != NULL ? src->ovf->machines[i] : src->single;
}

size_t
v2v_source_nr_machines (const struct v2v_source *src)
{
  return src->ovf != NULL ? src->ovf->nr_machines : 1;
}

struct v2v_machine *
v2v_source_machine (struct v2v_source *src, size_t i)
{
  return i < v2v_source_nr_machines (src) ? source_machine (src, i) : NULL;
}

const char *
v2v_source_kind (const struct v2v_source *src)
{
  return src->kind;
}

bool
v2v_source_is_stream (const struct v2v_source *src)
{
  return src->package != NULL && v2v_package_is_stream (src->package);
}

size_t
v2v_source_disk_position (const struct v2v_source *src,
                          const struct v2v_disk *disk)
{
  size_t i = 0;

  if (src->ovf == NULL || disk->file == NULL)
    return 0;
  while (i < src->ovf->nr_files &&
         strcmp (src->ovf->files[i].href, disk->file) != 0)
    i++;
  return i;
}

int
source_finding (struct v2v_source *src, enum v2v_severity severity,
                const char *id, const char *subject, struct v2v_error **err,
                const char *fmt, ...)
{
  CLEANUP_FREE char *text = NULL, *safe = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  if (subject != NULL && (safe = v2v_machine_printable (subject)) == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < v2v_source_nr_machines (src); ++i)
    if (V2V_FINDING (source_machine (src, i), err, severity, id, safe, NULL,
                     "%s", text) == -1)
      return -1;
  return 0;
}

void
v2v_source_close (struct v2v_source *src)
{
  if (src == NULL)
    return;
  v2v_machine_free (src->single);
  v2v_ovf_free (src->ovf);
  v2v_package_unref (src->package);
  v2v_manifest_free (src->manifest);
  v2v_signature_clear (&src->signature);
  for (size_t i = 0; src->search != NULL && src->search[i] != NULL; ++i)
    free (src->search[i]);
  free (src->search);
  free (src->manifest_name);
  free (src->descriptor);
  free (src->path);
  free (src);
}

/* ---- names ---- */

/* %20 and the like; NULL if there is nothing to decode or it makes a NUL. */
static char *
percent_decoded (const char *s)
{
  char *copy, *out;

  if (strchr (s, '%') == NULL)
    return NULL;
  copy = out = strdup (s);
  if (copy == NULL)
    return NULL;
  for (const char *in = s; *in != '\0';) {
    uint8_t byte;

    if (*in == '%' && isxdigit ((unsigned char) in[1]) &&
        isxdigit ((unsigned char) in[2]) && v2v_unhex (in + 1, 2, &byte, 1)) {
      if (byte == 0) {
        free (copy);
        return NULL;
      }
      *out++ = (char) byte;
      in += 3;
    }
    else
      *out++ = *in++;
  }
  *out = '\0';
  return copy;
}

char *
source_file_name (struct v2v_source *src, const char *file, bool *ret_found,
                  uint64_t *ret_size, struct v2v_error **err)
{
  CLEANUP_FREE char *decoded = NULL, *plain = NULL;
  uint64_t size = 0;
  int r;

  *ret_found = false;
  /* "./disk.vmdk" is the only path that says nothing. */
  if (strncmp (file, "./", 2) == 0)
    file += 2;
  plain = strdup (file);
  if (plain == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  r = v2v_package_stat (src->package, plain, &size, err);
  if (r == -1)
    return NULL;
  if (r == 0 && (decoded = percent_decoded (plain)) != NULL &&
      v2v_check_plain_name (decoded, NULL)) {
    r = v2v_package_stat (src->package, decoded, &size, err);
    if (r == -1)
      return NULL;
    if (r == 1) {
      free (plain);
      plain = STEAL (decoded);
    }
  }
  *ret_found = r == 1;
  if (r == 1 && ret_size != NULL)
    *ret_size = size;
  return STEAL (plain);
}

/* ---- chunks ---- */

static char *
chunk_name (const char *name, unsigned n)
{
  char *s;

  return asprintf (&s, "%s.%09u", name, n) == -1 ? NULL : s;
}

bool
source_chunk_size (struct v2v_source *src, const char *name, unsigned n,
                   uint64_t *ret_size)
{
  CLEANUP_FREE char *chunk = n < MAX_CHUNKS ? chunk_name (name, n) : NULL;

  return chunk != NULL &&
         v2v_package_stat (src->package, chunk, ret_size, NULL) == 1;
}

static bool
chunk_exists (struct v2v_source *src, const char *name, unsigned n)
{
  uint64_t size;

  return source_chunk_size (src, name, n, &size);
}

/* COUNT chunks are all there should be: one after a gap tells of one that was
 * lost, one right behind of a size that is wrong. */
static int
check_no_later_chunk (struct v2v_source *src, const struct v2v_disk *d,
                      const char *name, unsigned count, struct v2v_error **err)
{
  for (unsigned n = count; n < count + MAX_GAP; ++n) {
    if (!chunk_exists (src, name, n))
      continue;
    if (d->file_bytes != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "'%.200s.%09u' is there, but %" PRIu64
                       " bytes (ovf:size) end before it",
                       name, n, d->file_bytes);
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "chunk '%.200s.%09u' is missing, but '%.200s.%09u' is "
                     "there",
                     name, count, name, n);
  }
  return 0;
}

static int
open_chunk (struct v2v_source *src, const struct v2v_disk *d, const char *name,
            unsigned n, uint64_t total, bool last, struct v2v_io **ret,
            struct v2v_error **err)
{
  CLEANUP_FREE char *chunk = chunk_name (name, n);
  struct v2v_io *io;
  uint64_t expected = d->chunk_bytes;

  if (chunk == NULL)
    return v2v_fail_nomem (err);
  io = v2v_package_open (src->package, chunk, NULL, err);
  if (io == NULL)
    return v2v_prefix (err, "chunk %u of '%.200s'", n, name);
  if (last && d->file_bytes > 0)
    expected = d->file_bytes - total;
  if (last ? (d->file_bytes > 0 ? v2v_io_size (io) != expected
                                : v2v_io_size (io) > expected)
           : v2v_io_size (io) != expected) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: chunk of %" PRIu64 " bytes, expected %" PRIu64,
              v2v_io_name (io), v2v_io_size (io), expected);
    v2v_io_unref (io);
    return -1;
  }
  *ret = io;
  return 0;
}

/* name.000000000, .000000001 ...: as many as ovf:size asks for, else as many
 * as there are.
 */
static struct v2v_io *
open_chunks (struct v2v_source *src, const struct v2v_disk *d, const char *name,
             struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_io **ios = NULL;
  struct v2v_io *joined = NULL;
  uint64_t count = v2v_div_up (d->file_bytes, d->chunk_bytes), total = 0;
  size_t n = 0;
  int r = 0;

  if (d->file_bytes == 0)
    while (count < MAX_CHUNKS && chunk_exists (src, name, (unsigned) count))
      count++;
  if (count == 0 || count > MAX_CHUNKS) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "'%.200s': %" PRIu64 " chunks of %" PRIu64
              " bytes, expected 1..%d",
              name, count, d->chunk_bytes, MAX_CHUNKS);
    return NULL;
  }
  if (check_no_later_chunk (src, d, name, (unsigned) count, err) == -1)
    return NULL;
  ios = calloc (count, sizeof *ios);
  if (ios == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while (r == 0 && n < count) {
    r = open_chunk (src, d, name, (unsigned) n, total, n + 1 == count, &ios[n],
                    err);
    if (r == 0)
      total += v2v_io_size (ios[n++]);
  }
  if (r == 0)
    joined = v2v_io_join (name, ios, n, err);
  while (n > 0)
    v2v_io_unref (ios[--n]);
  return joined;
}

/* ---- the file of a disk ---- */

static struct v2v_io *
not_in_package (struct v2v_source *src, const char *name,
                struct v2v_error **err)
{
  if (chunk_exists (src, name, 0)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "'%.200s' is not there, but '%.200s.000000000' is, and the "
              "description states no ovf:chunkSize",
              name, name);
    v2v_hint (err, "they are chunks of one file (add ovf:chunkSize) or states "
                   "of a VMware snapshot (keep the newest): the description "
                   "must say which");
    return NULL;
  }
  errno = ENOENT;
  v2v_fail_errno (err, "%.255s", name);
  return NULL;
}

static struct v2v_io *
search_elsewhere (struct v2v_source *src, const char *name,
                  struct v2v_error **err)
{
  for (size_t i = 0; src->search != NULL && src->search[i] != NULL; ++i) {
    struct v2v_error *why = NULL;
    struct v2v_io *io = v2v_io_open_in (src->search[i], name, 0, &why);

    if (io != NULL)
      return io;
    if (v2v_error_errno (why) != ENOENT) {
      v2v_error_move (err, why);
      return NULL;
    }
    v2v_error_free (why);
  }
  return not_in_package (src, name, err);
}

static struct v2v_io *
open_stored (struct v2v_source *src, const struct v2v_disk *d, bool *spooled,
             struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;
  struct v2v_io *io;
  bool found;

  name = source_file_name (src, d->file, &found, NULL, err);
  if (name == NULL)
    return NULL;
  if (v2v_source_is_stream (src)) {
    if (d->chunk_bytes > 0) {
      v2v_fail (err, V2V_ERR_UNSUPPORTED,
                "'%.200s' comes in chunks and through a pipe: give the "
                "package as a file",
                name);
      return NULL;
    }
    io = v2v_package_open (src->package, name, spooled, err);
    return io != NULL && v2v_io_is_forward_only (io)
               ? source_hash_passing (src, name, io, err)
               : io;
  }
  /* An exporter that allows chunks writes none when the file is small. */
  if (d->chunk_bytes > 0 && chunk_exists (src, name, 0)) {
    if (!found)
      return open_chunks (src, d, name, err);
    v2v_fail (err, V2V_ERR_FORMAT,
              "both '%.200s' and '%.200s.000000000' are there, and the "
              "description states an ovf:chunkSize",
              name, name);
    return NULL;
  }
  if (!found)
    return search_elsewhere (src, name, err);
  return v2v_package_open (src->package, name, spooled, err);
}

/* What a disk of this capacity may take as a file: a flat one its size, a
 * sparse one 12 bytes and a marker more for each grain, and tables.
 */
static uint64_t
unpacked_bound (const struct v2v_disk *d)
{
  uint64_t max;

  if (d->capacity_bytes == 0 ||
      !v2v_add_u64 (d->capacity_bytes, d->capacity_bytes / 16, &max) ||
      !v2v_add_u64 (max, 64 * V2V_MIB, &max) || max > INT64_MAX)
    return INT64_MAX;
  return max;
}

struct v2v_io *
v2v_source_open_disk (struct v2v_source *src, const struct v2v_disk *disk,
                      bool *ret_spooled, struct v2v_error **err)
{
  bool spooled = src->unpacked;
  struct v2v_io *io, *plain;

  if (disk->file == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "disk '%.80s' has no file",
              disk->id != NULL ? disk->id : "");
    return NULL;
  }
  if (src->package == NULL) /* a bare disk, where the user said */
    io = v2v_io_open (src->path, V2V_IO_FOLLOW, err);
  else
    io = open_stored (src, disk, &spooled, err);
  if (io != NULL && disk->gzip) {
    plain = v2v_gunzip (io, unpacked_bound (disk), err);
    v2v_io_unref (io);
    io = plain;
    spooled = true;
  }
  if (io == NULL) {
    v2v_prefix (err, "%s", src->path);
    return NULL;
  }
  if (ret_spooled != NULL)
    *ret_spooled = spooled;
  return io;
}
