/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVA files.  A plain tar is read in place (tar.c).  Ones that somebody put
 * into gzip, xz, bzip2, zstd or zip cannot: they are unpacked into a temporary
 * file first.  libarchive does that, except for gzip.
 * DSP0243 section 5.3 knows the plain USTAR only.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/gzip.h"
#include "formats/core/spool.h"
#include "formats/ova.h"
#include "formats/tar.h"

#define CHUNK (256 * 1024)
/* A wrapped package may unpack to this many times its size, and 64 MiB more.
 * An OVA with sparse disks in it packs well, but deflate itself ends at
 * 1032:1; more is a bomb.
 */
#define MAX_RATIO 1032

static const struct {
  const char *magic;
  size_t len;
} wrappers[] = {
  { "\x1f\x8b", 2 }, /* gzip */
  { "\xfd"
    "7zXZ\0",
    6 },                     /* xz */
  { "BZh", 3 },              /* bzip2 */
  { "\x28\xb5\x2f\xfd", 4 }, /* zstd */
  { "PK\x03\x04", 4 },       /* zip */
};

bool
v2v_ova_probe (const void *head, size_t len, bool *ret_wrapped)
{
  *ret_wrapped = false;
  if (len >= 512 && v2v_tar_probe (head))
    return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (wrappers); ++i)
    if (len >= wrappers[i].len &&
        memcmp (head, wrappers[i].magic, wrappers[i].len) == 0)
      return *ret_wrapped = true;
  return false;
}

/* ---- libarchive reading from an io ---- */

struct source {
  struct v2v_io *io;
  uint64_t pos;
  struct v2v_error *err; /* of our own reading */
  char buf[CHUNK];
};

static la_ssize_t
on_read (struct archive *a, void *arg, const void **ret_buf)
{
  struct source *src = arg;
  const uint64_t size = v2v_io_size (src->io);
  const size_t n = (size_t) v2v_min_u64 (CHUNK, size - src->pos);

  (void) a;
  *ret_buf = src->buf;
  if (n > 0 && v2v_io_pread (src->io, src->buf, n, src->pos, &src->err) == -1)
    return ARCHIVE_FATAL;
  src->pos += n;
  return (la_ssize_t) n;
}

static la_int64_t
on_seek (struct archive *a, void *arg, la_int64_t offset, int whence)
{
  struct source *src = arg;
  const la_int64_t size = (la_int64_t) v2v_io_size (src->io);
  la_int64_t pos = whence == SEEK_SET   ? offset
                   : whence == SEEK_CUR ? (la_int64_t) src->pos + offset
                                        : size + offset;

  (void) a;
  if (pos < 0 || pos > size)
    return ARCHIVE_FATAL;
  src->pos = (uint64_t) pos;
  return pos;
}

static int
fail_archive (struct source *src, struct archive *a, struct v2v_error **err)
{
  const char *why = archive_error_string (a);

  if (src->err != NULL)
    return v2v_error_move (err, STEAL (src->err));
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: unpacking: %.120s",
                   v2v_io_name (src->io), why != NULL ? why : "failed");
}

/* Copy the data of the current entry, holes as zeros. */
static int
copy_entry (struct source *src, struct archive *a, struct v2v_spool *s,
            struct v2v_error **err)
{
  CLEANUP_FREE char *buf = malloc (CHUNK);

  if (buf == NULL)
    return v2v_fail_nomem (err);
  for (;;) {
    const la_ssize_t n = archive_read_data (a, buf, CHUNK);

    if (n == 0)
      return 0;
    if (n < 0)
      return fail_archive (src, a, err);
    if (v2v_spool_write (s, buf, (size_t) n, err) == -1)
      return -1;
  }
}

/* Files of a zip, while they are spooled one after the other. */
struct zip_member {
  char *name;
  uint64_t offset, size;
};

struct unpacked {
  struct zip_member *members;
  size_t nr;
  bool zip;
};

static int
add_entry (struct source *src, struct archive *a, struct archive_entry *e,
           struct v2v_spool *s, struct unpacked *u, struct v2v_error **err)
{
  const char *name = archive_entry_pathname (e);
  const mode_t type = archive_entry_filetype (e);
  struct zip_member *p;

  if (type == AE_IFDIR)
    return 0;
  if (u->zip && type != AE_IFREG)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: zip: member '%.80s' is not a regular file",
                     v2v_io_name (src->io), name != NULL ? name : "");
  if (u->zip && (name == NULL || *name == '\0' || *name == '/' ||
                 strstr (name, "..") != NULL || strchr (name, '\\') != NULL))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: zip: member name '%.80s' leads out of the archive",
                     v2v_io_name (src->io), name != NULL ? name : "");
  if (u->nr == V2V_PACKAGE_MAX_MEMBERS)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: more than %d members",
                     v2v_io_name (src->io), V2V_PACKAGE_MAX_MEMBERS);
  p = reallocarray (u->members, u->nr + 1, sizeof *p);
  if (p == NULL)
    return v2v_fail_nomem (err);
  u->members = p;
  p += u->nr;
  p->name = strdup (u->zip ? name : "data");
  if (p->name == NULL)
    return v2v_fail_nomem (err);
  u->nr++;
  p->offset = v2v_spool_size (s);
  if (copy_entry (src, a, s, err) == -1)
    return -1;
  p->size = v2v_spool_size (s) - p->offset;
  return 0;
}

static int
unpack (struct source *src, struct archive *a, struct v2v_spool *s,
        struct unpacked *u, struct v2v_error **err)
{
  archive_read_support_filter_xz (a);
  archive_read_support_filter_bzip2 (a);
  archive_read_support_filter_zstd (a);
  if (u->zip)
    archive_read_support_format_zip (a);
  else
    archive_read_support_format_raw (a);
  archive_read_set_seek_callback (a, on_seek);
  if (archive_read_open (a, src, NULL, on_read, NULL) != ARCHIVE_OK)
    return fail_archive (src, a, err);
  for (;;) {
    struct archive_entry *e;
    const int r = archive_read_next_header (a, &e);

    if (r == ARCHIVE_EOF)
      return 0;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
      return fail_archive (src, a, err);
    if (add_entry (src, a, e, s, u, err) == -1)
      return -1;
  }
}

static void
unpacked_clear (struct unpacked *u)
{
  for (size_t i = 0; i < u->nr; ++i)
    free (u->members[i].name);
  free (u->members);
}

/* The unpacked bytes are a tar, or the files of a zip: one .ova among them is
 * looked into.
 */
static struct v2v_package *
package_of (struct v2v_io *spool, const struct unpacked *u, const char *name,
            struct v2v_error **err)
{
  struct v2v_package *pkg;
  uint8_t head[512];

  if (u->nr == 1 &&
      (!u->zip || v2v_package_has_suffix (u->members[0].name, ".ova"))) {
    if (u->members[0].size < sizeof head ||
        v2v_io_pread (spool, head, sizeof head, 0, err) == -1 ||
        !v2v_tar_probe (head)) {
      if (err == NULL || *err == NULL)
        v2v_fail (err, V2V_ERR_UNSUPPORTED,
                  "%s: what is packed in it is not a tar archive", name);
      return NULL;
    }
    return v2v_package_tar (spool, err);
  }
  pkg = v2v_package_empty (err);
  for (size_t i = 0; pkg != NULL && i < u->nr; ++i)
    if (v2v_package_add_member (pkg, u->members[i].name, spool,
                                u->members[i].offset, u->members[i].size,
                                err) == -1) {
      v2v_package_unref (pkg);
      return NULL;
    }
  return pkg;
}

/* What a package of this size may unpack to. */
static uint64_t
unpacked_bound (const struct v2v_io *io)
{
  uint64_t max;

  if (!v2v_mul_u64 (v2v_io_size (io), MAX_RATIO, &max) ||
      !v2v_add_u64 (max, 64 * V2V_MIB, &max) || max > INT64_MAX)
    return INT64_MAX;
  return max;
}

/* libarchive does not look at the CRC of gzip; ours does. */
static struct v2v_package *
open_gzip (struct v2v_io *io, struct v2v_error **err)
{
  struct v2v_io *spool = v2v_gunzip (io, unpacked_bound (io), err);
  struct zip_member data = { .size = 0 };
  const struct unpacked u = { .members = &data, .nr = 1 };
  struct v2v_package *pkg;

  if (spool == NULL)
    return NULL;
  data.size = v2v_io_size (spool);
  pkg = package_of (spool, &u, v2v_io_name (io), err);
  v2v_io_unref (spool);
  return pkg;
}

static struct v2v_package *
open_wrapped (struct v2v_io *io, bool zip, struct v2v_error **err)
{
  struct unpacked u = { .zip = zip };
  struct v2v_package *pkg = NULL;
  struct v2v_io *spool = NULL;
  struct source *src = calloc (1, sizeof *src);
  struct archive *a = archive_read_new ();
  struct v2v_spool *s = NULL;

  if (src == NULL || a == NULL) {
    v2v_fail_nomem (err);
    goto out;
  }
  src->io = io;
  s = v2v_spool_new (v2v_io_name (io), unpacked_bound (io), err);
  if (s != NULL && unpack (src, a, s, &u, err) == 0)
    spool = v2v_spool_finish (STEAL (s), err);
  if (spool != NULL)
    pkg = package_of (spool, &u, v2v_io_name (io), err);

out:
  v2v_io_unref (spool);
  v2v_spool_free (s);
  archive_read_free (a);
  if (src != NULL)
    v2v_error_free (src->err);
  free (src);
  unpacked_clear (&u);
  return pkg;
}

struct v2v_package *
v2v_ova_open (struct v2v_io *io, bool *ret_spooled, struct v2v_error **err)
{
  uint8_t head[512] = { 0 };
  const size_t len = (size_t) v2v_min_u64 (sizeof head, v2v_io_size (io));
  bool wrapped = false;

  if (v2v_io_pread (io, head, len, 0, err) == -1)
    return NULL;
  if (!v2v_ova_probe (head, len, &wrapped)) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: is not a tar archive (no header checksum at offset 0)",
              v2v_io_name (io));
    return NULL;
  }
  if (!wrapped)
    return v2v_package_tar (io, err);
  *ret_spooled = true;
  if (memcmp (head, "\x1f\x8b", 2) == 0)
    return open_gzip (io, err);
  return open_wrapped (io, memcmp (head, "PK", 2) == 0, err);
}
