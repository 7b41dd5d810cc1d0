/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of an opened package: found, checked against the signature and
 * the descriptor when it is opened, and against each file later, either from
 * digests that the copy computed on its way or by reading the files.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "formats/source-internal.h"

#define CHUNK (1024 * 1024)

/* Strict: the error as it is.  Warn: a finding, and the error is dropped. */
static int
judge (struct v2v_source *src, const char *id, const char *subject,
       struct v2v_error *why, struct v2v_error **err)
{
  int r;

  if (src->policy == V2V_MANIFEST_STRICT ||
      v2v_error_code (why) == V2V_ERR_NOMEM)
    return v2v_error_move (err, why);
  r = source_finding (src, V2V_WARNING, id, subject, err, "%s",
                      v2v_error_message (why));
  v2v_error_free (why);
  return r;
}

static int
verdict (struct v2v_source *src, struct v2v_manifest_entry *e, const char *hex,
         struct v2v_error **err)
{
  struct v2v_error *why = NULL;

  e->checked = true;
  e->matched = strcasecmp (e->hex, hex) == 0;
  if (e->matched || (e->reported && src->policy != V2V_MANIFEST_STRICT))
    return 0;
  e->reported = true;
  v2v_fail (&why, V2V_ERR_MISMATCH,
            "%s: %s of '%.255s' is %.16s..., the manifest says %.16s...",
            src->manifest_name, e->algorithm, e->name, hex, e->hex);
  return judge (src, "manifest.mismatch", e->name, why, err);
}

static int
hash_text (const char *algorithm, const void *text, size_t len,
           char hex[2 * V2V_DIGEST_MAX_SIZE + 1], struct v2v_error **err)
{
  struct v2v_hash *h = v2v_hash_new (algorithm, err);
  uint8_t digest[V2V_DIGEST_MAX_SIZE];

  if (h == NULL)
    return -1;
  v2v_hash_update (h, text, len);
  v2v_hex (digest, v2v_hash_final (h, digest), hex);
  v2v_hash_free (h);
  return 0;
}

/* ---- when the package is opened ---- */

/* The file beside the descriptor with another suffix; in an archive, where
 * nothing else can be meant, any single one with that suffix.
 */
static int
find_beside (struct v2v_source *src, const char *suffix, char **ret,
             struct v2v_error **err)
{
  const size_t stem = strlen (src->descriptor) - 4; /* ".ovf", ".vmx" */
  CLEANUP_FREE char *name = NULL;
  uint64_t size;
  int r;

  *ret = NULL;
  if (asprintf (&name, "%.*s%s", (int) stem, src->descriptor, suffix) == -1) {
    name = NULL;
    return v2v_fail_nomem (err);
  }
  /* The standard's order is .ovf, .mf, .cert, then the files. */
  if (v2v_package_look_ahead (src->package, err) == -1)
    return -1;
  r = v2v_package_stat (src->package, name, &size, err);
  if (r == -1)
    return -1;
  if (r == 1) {
    *ret = STEAL (name);
    return 0;
  }
  if (strcmp (src->kind, "ova") != 0)
    return 0;
  return v2v_package_find_suffix (src->package, suffix, false, ret, err);
}

static int
check_signature (struct v2v_source *src, const char *mf, size_t mf_len,
                 const char *ca_file, struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL, *text = NULL;
  struct v2v_error *why = NULL;
  size_t len;

  if (find_beside (src, ".cert", &name, err) == -1)
    return -1;
  if (name == NULL)
    return 0;
  text = v2v_package_read_text (src->package, name, &len, err);
  if (text == NULL)
    return -1;
  if (v2v_signature_check (text, len, name, mf, mf_len, ca_file,
                           &src->signature, &why) == -1)
    return judge (src, "signature.malformed", name, why, err);
  src->is_signed = true;
  if (!src->signature.verified) {
    v2v_fail (&why, V2V_ERR_MISMATCH, "%s: %s", name, src->signature.problem);
    return judge (src, "signature.mismatch", name, why, err);
  }
  if (ca_file != NULL && !src->signature.trusted) {
    v2v_fail (&why, V2V_ERR_MISMATCH, "%s: signer '%.200s' is not trusted: %s",
              name, src->signature.signer,
              src->signature.problem != NULL ? src->signature.problem
                                             : "no chain");
    return judge (src, "signature.untrusted", name, why, err);
  }
  return 0;
}

/* Listed but absent. */
static int
check_presence (struct v2v_source *src, struct v2v_error **err)
{
  uint64_t size;

  if (v2v_package_is_stream (src->package))
    return 0; /* what is to come is not known */
  for (size_t i = 0; i < src->manifest->nr_entries; ++i) {
    const struct v2v_manifest_entry *e = &src->manifest->entries[i];
    struct v2v_error *why = NULL;
    const int r = v2v_package_stat (src->package, e->name, &size, err);

    if (r == -1)
      return -1;
    if (r == 1)
      continue;
    v2v_fail (&why, V2V_ERR_MISMATCH,
              "%s: lists '%.255s', which is not in the package",
              src->manifest_name, e->name);
    if (judge (src, "manifest.absent", e->name, why, err) == -1)
      return -1;
  }
  return 0;
}

static bool
is_listed (const struct v2v_source *src, const char *name)
{
  for (size_t i = 0; i < src->manifest->nr_entries; ++i)
    if (strcmp (src->manifest->entries[i].name, name) == 0)
      return true;
  return false;
}

static int
unlisted (struct v2v_source *src, const char *name, struct v2v_error **err)
{
  struct v2v_error *why = NULL;

  src->manifest_partial = true;
  v2v_fail (&why, V2V_ERR_MISMATCH,
            "%s: does not list '%.200s': its contents cannot be verified",
            src->manifest_name, name);
  v2v_hint (&why, "--manifest warn converts it all the same");
  return judge (src, "manifest.unlisted", name, why, err);
}

/* A file of the References, by the name that it has in the package, or its
 * chunks.  What is not there is for the one who opens it to tell. */
static int
check_listed (struct v2v_source *src, const struct v2v_ovf_file *f,
              struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;
  uint64_t size;
  bool found;

  if (is_listed (src, f->href))
    return 0;
  name = source_file_name (src, f->href, &found, &size, NULL);
  if (name == NULL || is_listed (src, name))
    return 0;
  if (found || v2v_package_is_stream (src->package))
    return unlisted (src, f->href, err);
  for (unsigned n = 0; source_chunk_size (src, name, n, &size); ++n) {
    CLEANUP_FREE char *chunk = NULL;

    if (asprintf (&chunk, "%s.%09u", name, n) == -1) {
      chunk = NULL;
      return v2v_fail_nomem (err);
    }
    if (!is_listed (src, chunk))
      return unlisted (src, chunk, err);
  }
  return 0;
}

/* There but not listed: anybody could have exchanged it (DSP0243 section 6
 * wants a digest of each file). */
static int
check_coverage (struct v2v_source *src, struct v2v_error **err)
{
  for (size_t i = 0; src->ovf != NULL && i < src->ovf->nr_files; ++i)
    if (check_listed (src, &src->ovf->files[i], err) == -1)
      return -1;
  if (is_listed (src, src->descriptor))
    return 0;
  src->manifest_partial = true;
  return source_finding (src, V2V_WARNING, "manifest.unlisted", src->descriptor,
                         err, "%s does not list '%.200s', the description",
                         src->manifest_name, src->descriptor);
}

static int
check_descriptor (struct v2v_source *src, const char *text, size_t len,
                  struct v2v_error **err)
{
  char hex[2 * V2V_DIGEST_MAX_SIZE + 1];

  for (size_t i = 0; i < src->manifest->nr_entries; ++i) {
    struct v2v_manifest_entry *e = &src->manifest->entries[i];

    if (strcmp (e->name, src->descriptor) == 0 &&
        (hash_text (e->algorithm, text, len, hex, err) == -1 ||
         verdict (src, e, hex, err) == -1))
      return -1;
  }
  return 0;
}

int
source_read_manifest (struct v2v_source *src, const char *text, size_t len,
                      const char *ca_file, struct v2v_error **err)
{
  CLEANUP_FREE char *mf = NULL;
  struct v2v_error *why = NULL;
  size_t mf_len;

  if (src->policy == V2V_MANIFEST_OFF)
    return 0;
  if (find_beside (src, ".mf", &src->manifest_name, err) == -1)
    return -1;
  if (src->manifest_name == NULL)
    return source_finding (src, V2V_INFORMATION, "manifest.none", NULL, err,
                           "the package has no manifest: its contents cannot "
                           "be verified");
  mf = v2v_package_read_text (src->package, src->manifest_name, &mf_len, err);
  if (mf == NULL)
    return -1;
  if (check_signature (src, mf, mf_len, ca_file, err) == -1)
    return -1;
  src->manifest = v2v_manifest_parse (mf, mf_len, src->manifest_name,
                                      src->policy != V2V_MANIFEST_STRICT, &why);
  if (src->manifest == NULL) {
    src->manifest_partial = true;
    return judge (src, "manifest.malformed", src->manifest_name, why, err);
  }
  if (src->manifest->nr_odd_lines > 0 &&
      source_finding (src, V2V_WARNING, "manifest.malformed",
                      src->manifest_name, err,
                      "%s: %u lines are not understood", src->manifest_name,
                      src->manifest->nr_odd_lines) == -1)
    return -1;
  if (src->manifest->nr_entries == 0) {
    src->manifest_partial = true;
    v2v_fail (&why, V2V_ERR_MISMATCH, "%s: the manifest lists no file",
              src->manifest_name);
    return judge (src, "manifest.unlisted", src->manifest_name, why, err);
  }
  if (check_descriptor (src, text, len, err) == -1 ||
      check_presence (src, err) == -1)
    return -1;
  return check_coverage (src, err);
}

/* ---- files of a pipe, hashed as they pass ---- */

struct passing {
  struct v2v_io *base;
  struct v2v_source *src;
  size_t entry;
  struct v2v_hash *hash;
  uint64_t pos;
};

/* Everything up to END goes through the hash; the last LEN bytes of it are
 * copied to BUF.
 */
static int
pass (struct passing *p, uint64_t end, void *buf, size_t len,
      struct v2v_error **err)
{
  CLEANUP_FREE char *skip = NULL;

  while (p->pos < end - len) {
    const size_t n = (size_t) v2v_min_u64 (CHUNK, end - len - p->pos);

    if (skip == NULL && (skip = malloc (CHUNK)) == NULL)
      return v2v_fail_nomem (err);
    if (v2v_io_pread (p->base, skip, n, p->pos, err) == -1)
      return -1;
    v2v_hash_update (p->hash, skip, n);
    p->pos += n;
  }
  if (v2v_io_pread (p->base, buf, len, p->pos, err) == -1)
    return -1;
  v2v_hash_update (p->hash, buf, len);
  p->pos += len;
  return 0;
}

static int
passing_pread (void *h, void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  struct passing *p = h;

  if (offset < p->pos)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "offset %" PRIu64 " has passed: this source can only be "
                     "read forwards (now at %" PRIu64 ")",
                     offset, p->pos);
  return pass (p, offset + len, buf, len, err);
}

/* The rest is read, so that the digest is that of the whole file; the verdict
 * is told by v2v_source_verify_manifest.
 */
static void
passing_close (void *h)
{
  struct passing *p = h;
  struct v2v_manifest_entry *e = &p->src->manifest->entries[p->entry];
  uint8_t digest[V2V_DIGEST_MAX_SIZE];
  char hex[2 * V2V_DIGEST_MAX_SIZE + 1], none;

  if (pass (p, v2v_io_size (p->base), &none, 0, NULL) == 0) {
    v2v_hex (digest, v2v_hash_final (p->hash, digest), hex);
    e->checked = true;
    e->matched = strcasecmp (e->hex, hex) == 0;
  }
  v2v_hash_free (p->hash);
  v2v_io_unref (p->base);
  free (p);
}

static const struct v2v_io_ops passing_ops = {
  .kind = "hashed",
  .pread = passing_pread,
  .close = passing_close,
};

struct v2v_io *
source_hash_passing (struct v2v_source *src, const char *name,
                     struct v2v_io *base, struct v2v_error **err)
{
  struct passing *p = NULL;
  size_t i;

  for (i = 0; src->manifest != NULL && i < src->manifest->nr_entries; ++i)
    if (!src->manifest->entries[i].checked &&
        strcmp (src->manifest->entries[i].name, name) == 0)
      break;
  if (src->manifest == NULL || i == src->manifest->nr_entries)
    return base;
  p = calloc (1, sizeof *p);
  if (p == NULL)
    v2v_fail_nomem (err);
  else {
    p->hash = v2v_hash_new (src->manifest->entries[i].algorithm, err);
    if (p->hash == NULL) {
      free (p);
      p = NULL;
    }
  }
  if (p == NULL) {
    v2v_io_unref (base);
    return NULL;
  }
  p->base = base;
  p->src = src;
  p->entry = i;
  return v2v_io_new (&passing_ops, p, v2v_io_name (base), v2v_io_size (base),
                     true, err);
}

/* ---- later ---- */

size_t
v2v_source_manifest (const struct v2v_source *src,
                     const struct v2v_manifest_entry **ret)
{
  *ret = src->manifest != NULL ? src->manifest->entries : NULL;
  return src->manifest != NULL ? src->manifest->nr_entries : 0;
}

int
v2v_source_report_digest (struct v2v_source *src, const char *file,
                          const char *algorithm, const char *hex,
                          bool *ret_listed, struct v2v_error **err)
{
  bool listed = false;

  for (size_t i = 0; src->manifest != NULL && i < src->manifest->nr_entries;
       ++i) {
    struct v2v_manifest_entry *e = &src->manifest->entries[i];

    if (strcmp (e->name, file) != 0 || strcmp (e->algorithm, algorithm) != 0)
      continue;
    listed = true;
    if (verdict (src, e, hex, err) == -1)
      return -1;
  }
  if (ret_listed != NULL)
    *ret_listed = listed;
  return 0;
}

static int
hash_file (struct v2v_io *io, const char *algorithm,
           char hex[2 * V2V_DIGEST_MAX_SIZE + 1], struct v2v_error **err)
{
  CLEANUP_FREE char *buf = malloc (CHUNK);
  struct v2v_hash *h = v2v_hash_new (algorithm, err);
  uint8_t digest[V2V_DIGEST_MAX_SIZE];
  int r = 0;

  if (h == NULL)
    return -1;
  if (buf == NULL)
    r = v2v_fail_nomem (err);
  for (uint64_t pos = 0; r == 0 && pos < v2v_io_size (io);) {
    const size_t n = (size_t) v2v_min_u64 (CHUNK, v2v_io_size (io) - pos);

    r = v2v_io_pread (io, buf, n, pos, err);
    if (r == 0)
      v2v_hash_update (h, buf, n);
    pos += n;
  }
  if (r == 0)
    v2v_hex (digest, v2v_hash_final (h, digest), hex);
  v2v_hash_free (h);
  return r;
}

static int
verify_entry (struct v2v_source *src, struct v2v_manifest_entry *e,
              struct v2v_error **err)
{
  char hex[2 * V2V_DIGEST_MAX_SIZE + 1];
  struct v2v_error *why = NULL;
  struct v2v_io *io;
  int r;

  if (v2v_package_is_gone (src->package, e->name)) {
    v2v_fail (&why, V2V_ERR_MISMATCH,
              "%s: '%.255s' came through a pipe and was not hashed on its way",
              src->manifest_name, e->name);
    return judge (src, "manifest.unverified", e->name, why, err);
  }
  io = v2v_package_open (src->package, e->name, NULL, &why);
  if (io == NULL) {
    e->checked = true;
    e->reported = true;
    if (v2v_error_errno (why) != ENOENT)
      return v2v_error_move (err, why);
    v2v_error_free (why);
    why = NULL;
    v2v_fail (&why, V2V_ERR_MISMATCH,
              "%s: lists '%.255s', which is not in the package",
              src->manifest_name, e->name);
    return judge (src, "manifest.absent", e->name, why, err);
  }
  r = hash_file (io, e->algorithm, hex, err);
  v2v_io_unref (io);
  return r == -1 ? -1 : verdict (src, e, hex, err);
}

int
v2v_source_verify_manifest (struct v2v_source *src, struct v2v_error **err)
{
  for (size_t i = 0; src->manifest != NULL && i < src->manifest->nr_entries;
       ++i) {
    struct v2v_manifest_entry *e = &src->manifest->entries[i];

    if (!e->checked) {
      if (verify_entry (src, e, err) == -1)
        return -1;
    }
    else if (!e->matched && !e->reported) {
      struct v2v_error *why = NULL;

      e->reported = true;
      v2v_fail (&why, V2V_ERR_MISMATCH,
                "%s: %s of '%.255s' is not the one the manifest says",
                src->manifest_name, e->algorithm, e->name);
      if (judge (src, "manifest.mismatch", e->name, why, err) == -1)
        return -1;
    }
  }
  return 0;
}

bool
v2v_source_manifest_is_partial (const struct v2v_source *src)
{
  return src->manifest_partial;
}

const char *
v2v_source_signer (const struct v2v_source *src, bool *ret_verified,
                   bool *ret_trusted)
{
  if (ret_verified != NULL)
    *ret_verified = src->is_signed && src->signature.verified;
  if (ret_trusted != NULL)
    *ret_trusted = src->is_signed && src->signature.trusted;
  return src->is_signed ? src->signature.signer : NULL;
}
