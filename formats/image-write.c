/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing an image: create, resume, finish, publish. */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/image-internal.h"

static struct v2v_image *
start_writing (struct v2v_io *io, const char *name,
               const struct v2v_image_ops *ops,
               const struct v2v_create_opts *opts, bool resume,
               struct v2v_error **err)
{
  struct v2v_image *img = v2v_image_new (ops, name, err);
  int (*start) (void *, struct v2v_io *, const struct v2v_create_opts *,
                struct v2v_error **) = resume ? ops->resume : ops->create;

  if (img == NULL)
    return NULL;
  img->io = io ? v2v_io_ref (io) : NULL;
  img->state = STATE_WRITE;
  img->found_bytes = io ? v2v_io_size (io) : 0;
  if (start == NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: %s cannot be %s", name, ops->name,
              resume ? "resumed" : "written");
    goto error;
  }
  if (start (img->h, io, opts, err) == -1) {
    v2v_prefix_name (err, name);
    goto error;
  }
  if (v2v_image_refresh_info (img, err) == -1)
    goto error;
  return img;

error:
  v2v_image_close (img);
  return NULL;
}

static const struct v2v_image_ops *
writer_by_name (const char *format, struct v2v_error **err)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name (format);

  if (ops == NULL)
    v2v_fail (err, V2V_ERR_USAGE, "no format is called '%s'", format);
  return ops;
}

static struct v2v_image *
create_or_resume (const char *filename, const char *format,
                  const struct v2v_create_opts *opts, bool resume,
                  struct v2v_error **err)
{
  const struct v2v_image_ops *ops = writer_by_name (format, err);
  struct v2v_io *io = NULL;
  struct v2v_image *img;

  if (ops == NULL)
    return NULL;
  if (ops != &v2v_null_ops) {
    io = v2v_io_create_part (filename,
                             V2V_IO_EARLY_WRITEBACK |
                                 (opts->replace ? V2V_IO_REPLACE : 0) |
                                 (opts->defer_sync ? V2V_IO_DEFER_SYNC : 0) |
                                 (resume ? V2V_IO_KEEP_PART : 0),
                             err);
    if (io == NULL)
      return NULL;
  }
  img = start_writing (io, filename, ops, opts, resume, err);
  if (img != NULL)
    img->io_is_part = io != NULL;
  v2v_io_unref (io);
  return img;
}

struct v2v_image *
v2v_image_create (const char *filename, const char *format,
                  const struct v2v_create_opts *opts, struct v2v_error **err)
{
  return create_or_resume (filename, format, opts, false, err);
}

struct v2v_image *
v2v_image_resume (const char *filename, const char *format,
                  const struct v2v_create_opts *opts, struct v2v_error **err)
{
  return create_or_resume (filename, format, opts, true, err);
}

uint64_t
v2v_image_found_bytes (const struct v2v_image *img)
{
  return img->found_bytes;
}

struct v2v_image *
v2v_image_create_io (struct v2v_io *io, const char *format,
                     const struct v2v_create_opts *opts, struct v2v_error **err)
{
  const struct v2v_image_ops *ops = writer_by_name (format, err);

  return ops ? start_writing (io, v2v_io_name (io), ops, opts, false, err)
             : NULL;
}

int
v2v_image_write (struct v2v_image *img, const void *buf, size_t len,
                 uint64_t offset, struct v2v_error **err)
{
  assert (img->state == STATE_WRITE);
  if (len == 0)
    return 0;
  if (v2v_image_check_range (img, len, offset, err) == -1)
    return -1;
  if (img->ops->write == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: %s cannot be written",
                     img->name, img->ops->name);
  return img->ops->write (img->h, buf, len, offset, err);
}

int
v2v_image_zero (struct v2v_image *img, uint64_t len, uint64_t offset,
                struct v2v_error **err)
{
  assert (img->state == STATE_WRITE);
  if (len == 0)
    return 0;
  if (v2v_image_check_range (img, len, offset, err) == -1)
    return -1;
  if (img->ops->zero != NULL)
    return img->ops->zero (img->h, len, offset, err);

  while (len > 0) { /* emulated */
    static const char zeros[64 * 1024];
    const size_t n = (size_t) v2v_min_u64 (len, sizeof zeros);

    if (v2v_image_write (img, zeros, n, offset, err) == -1)
      return -1;
    offset += n;
    len -= n;
  }
  return 0;
}

int
v2v_image_reserve (struct v2v_image *img, uint64_t len, uint64_t offset,
                   struct v2v_run *ret, struct v2v_error **err)
{
  int r;

  assert (img->state == STATE_WRITE && len > 0);
  if (v2v_image_check_range (img, len, offset, err) == -1)
    return -1;
  if (img->ops->reserve == NULL)
    return 1;
  r = img->ops->reserve (img->h, len, offset, ret, err);
  assert (r != 0 || (ret->length > 0 && ret->length <= len));
  return r;
}

int
v2v_image_flush (struct v2v_image *img, struct v2v_error **err)
{
  assert (img->state == STATE_WRITE);
  if (img->ops->flush == NULL)
    return 0;
  return img->ops->flush (img->h, err);
}

int
v2v_image_set_identity (struct v2v_image *img,
                        const struct v2v_image_info *like,
                        struct v2v_error **err)
{
  assert (img->state == STATE_WRITE);
  if (img->ops->set_identity == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: %s cannot take over an identity", img->name,
                     img->ops->name);
  if (strcmp (like->format, img->ops->name) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: the identity of a %s does not fit a %s", img->name,
                     like->format, img->ops->name);
  return img->ops->set_identity (img->h, like, err);
}

int
v2v_image_set_parent (struct v2v_image *img, const struct v2v_create_opts *opts,
                      struct v2v_error **err)
{
  assert (img->state == STATE_WRITE && opts->parent != NULL);
  if (img->ops->set_parent == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: the parent of a %s cannot be changed", img->name,
                     img->ops->name);
  if (!img->info.has_parent)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: has no parent", img->name);
  return img->ops->set_parent (img->h, opts, err);
}

int
v2v_image_finish_unpublished (struct v2v_image *img, struct v2v_error **err)
{
  assert (img->state == STATE_WRITE);
  if (img->ops->finish != NULL && img->ops->finish (img->h, err) == -1)
    return -1;
  if (v2v_image_refresh_info (img, err) == -1)
    return -1;
  img->state = STATE_FINISHED;
  if (img->io_is_part) {
    if (v2v_io_sync (img->io, err) == -1)
      return -1;
    v2v_io_keep_part (img->io);
  }
  return 0;
}

int
v2v_image_finish (struct v2v_image *img, struct v2v_error **err)
{
  if (v2v_image_finish_unpublished (img, err) == -1)
    return -1;
  if (!img->io_is_part)
    return 0;
  return v2v_io_publish (img->io, err);
}

void
v2v_image_keep_part (struct v2v_image *img)
{
  if (img->io_is_part)
    v2v_io_keep_part (img->io);
}
