/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an image: every layer of the chain composed into one disk. */

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

/* Extents of one layer, checked: they must cover the range exactly. */
static int
layer_extents (struct v2v_image *img, uint64_t len, uint64_t offset,
               struct v2v_extents *out, struct v2v_error **err)
{
  if (img->ops->extents == NULL)
    return v2v_extents_append (out, offset, len, V2V_EXTENT_DATA, 0) == -1
               ? v2v_fail_nomem (err)
               : 0;
  if (img->ops->extents (img->h, len, offset, out, err) == -1)
    return v2v_prefix_name (err, img->name);
  assert (out->len > 0 && out->ptr[0].offset == offset);
  assert (out->ptr[out->len - 1].offset + out->ptr[out->len - 1].length ==
          offset + len);
  return 0;
}

static int
compose_extents (struct v2v_image *img, unsigned depth, uint64_t len,
                 uint64_t offset, struct v2v_extents *out,
                 struct v2v_error **err)
{
  CLEANUP_EXTENTS struct v2v_extents layer = V2V_EXTENTS_INIT;

  if (layer_extents (img, len, offset, &layer, err) == -1)
    return -1;
  for (size_t i = 0; i < layer.len; ++i) {
    const struct v2v_extent *e = &layer.ptr[i];
    uint64_t in_parent = 0;

    if (e->type == V2V_EXTENT_ABSENT && img->parent != NULL) {
      /* A disk that grew at a snapshot: zeros beyond the parent's end. */
      const uint64_t parent_size = img->parent->info.size_bytes;

      if (e->offset < parent_size) {
        in_parent = v2v_min_u64 (e->length, parent_size - e->offset);
        if (compose_extents (img->parent, depth + 1, in_parent, e->offset, out,
                             err) == -1)
          return -1;
      }
    }
    if (v2v_extents_append (out, e->offset + in_parent, e->length - in_parent,
                            e->type, depth) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

int
v2v_image_extents (struct v2v_image *img, uint64_t len, uint64_t offset,
                   struct v2v_extents *out, struct v2v_error **err)
{
  if (v2v_image_check_range (img, len, offset, err) == -1)
    return -1;
  if (len == 0)
    return 0;
  return compose_extents (img, 0, len, offset, out, err);
}

static struct v2v_image *
at_depth (struct v2v_image *img, unsigned depth)
{
  while (depth-- > 0) {
    assert (img->parent != NULL);
    img = img->parent;
  }
  return img;
}

int
v2v_image_read_depth (struct v2v_image *img, unsigned depth, void *buf,
                      size_t len, uint64_t offset, struct v2v_error **err)
{
  img = at_depth (img, depth);
  if (v2v_image_check_range (img, len, offset, err) == -1)
    return -1;
  if (img->ops->read == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: %s cannot be read",
                     img->name, img->ops->name);
  if (img->ops->read (img->h, buf, len, offset, err) == -1)
    return v2v_prefix_name (err, img->name);
  return 0;
}

int
v2v_image_read (struct v2v_image *img, void *buf, size_t len, uint64_t offset,
                struct v2v_error **err)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;

  if (v2v_image_extents (img, len, offset, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    const struct v2v_extent *e = &list.ptr[i];
    char *p = (char *) buf + (e->offset - offset);

    if (e->type != V2V_EXTENT_DATA)
      memset (p, 0, (size_t) e->length);
    else if (v2v_image_read_depth (img, e->depth, p, (size_t) e->length,
                                   e->offset, err) == -1)
      return -1;
  }
  return 0;
}

int
v2v_image_locate (struct v2v_image *img, unsigned depth, uint64_t offset,
                  struct v2v_run *ret, struct v2v_error **err)
{
  img = at_depth (img, depth);
  if (img->ops->locate == NULL)
    return 1;
  return img->ops->locate (img->h, offset, ret, err);
}

int
v2v_image_stream (struct v2v_image *img, v2v_sink *sink, void *arg,
                  struct v2v_error **err)
{
  if (img->ops->stream == NULL)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: %s cannot be read from a stream", img->name,
                     img->ops->name);
  if (img->ops->stream (img->h, sink, arg, err) == -1)
    return v2v_prefix_name (err, img->name);
  return 0;
}

int
v2v_image_decode (struct v2v_image *img, const struct v2v_chunk *chunk,
                  void *buf, struct v2v_error **err)
{
  if (img->ops->decode == NULL) {
    assert (chunk->stored == chunk->length);
    memcpy (buf, chunk->data, chunk->length);
    return 0;
  }
  if (img->ops->decode (img->h, chunk, buf, err) == -1)
    return v2v_prefix_name (err, img->name);
  return 0;
}
