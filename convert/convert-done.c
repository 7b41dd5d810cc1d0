/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finished disks of an unfinished conversion.  FILE.done, beside FILE in the
 * working folder, says from what the disk was made and how, so that a resumed
 * run takes it only if it would make the same, and can still report its
 * figures.  Removed before the folder is published.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "convert/convert-internal.h"

/* A FILE.done has a few hundred bytes, a report some thousand; findings are
 * what makes it long. */
#define MAX_JSON (16 * 1024 * 1024)

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

/* The figures, in the order in which they are stored. */
static const struct {
  const char *name;
  size_t offset;
} figures[] = {
#define FIGURE(member)                                                         \
  {                                                                            \
#member, offsetof(struct v2v_copy_result, member)                          \
  }
  FIGURE (virtual_bytes), FIGURE (data_bytes),   FIGURE (zero_bytes),
  FIGURE (written_bytes), FIGURE (shared_bytes), FIGURE (offloaded_bytes),
#undef FIGURE
};

static uint64_t *
figure (struct v2v_copy_result *r, size_t i)
{
  return (uint64_t *) (void *) ((char *) r + figures[i].offset);
}

/* One file of the source's chain: what changes when it does. */
static int
put_layer (struct v2v_str *s, const struct v2v_image *img)
{
  char stamp[V2V_IMAGE_STAMP];
  struct v2v_io *io = v2v_image_io (img);
  uint64_t offset = 0, len = 0;
  struct stat st = { 0 };
  int fd = -1;

  if (v2v_image_stamp (img, stamp, NULL) == -1)
    return -1;
  if (io == NULL)
    return v2v_str_printf (s, "source %s %s; ", v2v_image_name (img), stamp);
  if (v2v_io_fd (io, 0, &fd, &offset, &len) && fstat (fd, &st) == -1)
    memset (&st, 0, sizeof st);
  return v2v_str_printf (s,
                         "source %s inode %ju size %jd time %jd.%09ld at "
                         "%" PRIu64 " stored %" PRIu64 "%s%s; ",
                         v2v_io_name (io), (uintmax_t) st.st_ino,
                         (intmax_t) st.st_size, (intmax_t) st.st_mtim.tv_sec,
                         st.st_mtim.tv_nsec, offset, v2v_io_size (io),
                         stamp[0] ? " extents " : "", stamp);
}

/* What the file depends on, in one line; two runs that say the same make the
 * same.  The caller frees; NULL when out of memory. */
static char *
origin_text (const struct conversion *c, size_t disk)
{
  struct v2v_str s = V2V_STR_INIT;
  int r = 0;

  for (const struct v2v_image *img = c->images[disk]; img != NULL;
       img = v2v_image_parent (img))
    r |= put_layer (&s, img);
  r |= v2v_str_printf (
      &s,
      "disk %" PRIu64 " as %d/%s block %" PRIu64
      " chain %d holes %d digest %d guest %s",
      c->disks[disk].virtual_bytes, (int) c->opts->hyperv.disk_format,
      v2v_subformat_name (c->opts->subformat), c->opts->block_bytes,
      c->opts->keep_chain, c->opts->no_sparse, c->opts->no_digest,
      c->opts->guest ? c->opts->guest->name : "none");
  if (r == 0)
    return s.ptr;
  v2v_str_free (&s);
  return NULL;
}

static char *
done_name (const char *file)
{
  char *name;

  return asprintf (&name, "%s.done", file) == -1 ? NULL : name;
}

int
convert_done_write (struct conversion *c, size_t disk, const char *file,
                    struct v2v_error **err)
{
  struct convert_disk *cd = &c->disks[disk];
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_FREE char *origin = origin_text (c, disk);
  CLEANUP_FREE char *name = done_name (file);
  CLEANUP_FREE char *path = v2v_deposit_path (c->deposit, file, err);
  CLEANUP_FREE char *text = NULL;
  struct stat st;

  if (path == NULL)
    return -1;
  if (origin == NULL || name == NULL)
    return v2v_fail_nomem (err);
  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  v2v_json_set_string (o, "origin", origin);
  v2v_json_set_string (o, "digest", cd->digest);
  v2v_json_set_string (o, "variant", cd->target_variant);
  v2v_json_set_bool (o, "deferred", cd->result.digest_deferred);
  v2v_json_set_bool (o, "hashed", cd->hash_algorithm != NULL);
  v2v_json_set_u64 (o, "file_bytes", (uint64_t) st.st_size);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (figures); ++i)
    v2v_json_set_u64 (o, figures[i].name, *figure (&cd->result, i));
  text = v2v_json_ok (o) ? v2v_json_dump (o, 0) : NULL;
  if (text == NULL)
    return v2v_fail_nomem (err);
  return v2v_deposit_write (c->deposit, name, text, strlen (text), err);
}

struct v2v_json *
convert_load_json (const char *path)
{
  struct v2v_io *io = v2v_io_open (path, 0, NULL);
  CLEANUP_FREE char *text = NULL;
  struct v2v_json *o = NULL;
  uint64_t size;

  if (io == NULL)
    return NULL;
  size = v2v_io_size (io);
  if (size <= MAX_JSON && (text = calloc (1, size + 1)) != NULL &&
      v2v_io_pread (io, text, size, 0, NULL) == 0)
    o = v2v_json_parse (text, size, path, NULL);
  v2v_io_unref (io);
  return o;
}

static int
take (struct convert_disk *cd, const struct v2v_json *o, const struct stat *st,
      struct v2v_error **err)
{
  const char *digest = v2v_json_get_string (o, "digest");
  const char *variant = v2v_json_get_string (o, "variant");

  if (digest != NULL && strlen (digest) < sizeof cd->digest)
    memcpy (cd->digest, digest, strlen (digest) + 1);
  if (variant != NULL && (cd->target_variant = strdup (variant)) == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (figures); ++i)
    v2v_json_get_u64 (o, figures[i].name, figure (&cd->result, i));
  v2v_json_get_bool (o, "deferred", &cd->result.digest_deferred);
  cd->result.resumed_bytes = cd->result.virtual_bytes;
  cd->file_bytes = (uint64_t) st->st_size;
  cd->allocated_bytes = (uint64_t) st->st_blocks * 512;
  return 1;
}

int
convert_done_read (struct conversion *c, size_t disk, const char *file,
                   bool figures_too, struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_deposit_path (c->deposit, file, err);
  CLEANUP_FREE char *name = done_name (file);
  CLEANUP_FREE char *done =
      name ? v2v_deposit_path (c->deposit, name, err) : NULL;
  CLEANUP_FREE char *origin = origin_text (c, disk);
  CLEANUP_JSON struct v2v_json *o = NULL;
  uint64_t file_bytes;
  struct stat st;

  if (path == NULL || done == NULL)
    return -1;
  if (origin == NULL)
    return v2v_fail_nomem (err);
  if (stat (path, &st) == -1)
    return 0;
  o = convert_load_json (done);
  if (o != NULL && v2v_json_get_string (o, "origin") != NULL &&
      strcmp (v2v_json_get_string (o, "origin"), origin) == 0 &&
      v2v_json_get_u64 (o, "file_bytes", &file_bytes) &&
      file_bytes == (uint64_t) st.st_size)
    return figures_too ? take (&c->disks[disk], o, &st, err) : 1;
  v2v_log_info ("%s: was made from something else or in another way, making "
                "it again",
                path);
  if (unlink (path) == -1)
    return v2v_fail_errno (err, "%s: remove", path);
  unlink (done);
  return 0;
}

void
convert_done_remove (struct conversion *c, const char *file)
{
  CLEANUP_FREE char *name = done_name (file);
  CLEANUP_FREE char *path =
      name ? v2v_deposit_path (c->deposit, name, NULL) : NULL;

  if (path != NULL)
    unlink (path);
}
