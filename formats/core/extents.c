/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of extents. */

#include <config.h>

#include <assert.h>
#include <stdlib.h>

#include "formats/core/extents.h"

int
v2v_extents_append (struct v2v_extents *list, uint64_t offset, uint64_t length,
                    enum v2v_extent_type type, unsigned depth)
{
  if (length == 0)
    return 0;

  if (list->len > 0) {
    struct v2v_extent *last = &list->ptr[list->len - 1];

    assert (last->offset + last->length == offset);
    if (last->type == type && last->depth == depth) {
      last->length += length;
      return 0;
    }
  }
  if (list->len == list->cap) {
    const size_t cap = list->cap + list->cap / 2 + 16;
    struct v2v_extent *p = reallocarray (list->ptr, cap, sizeof *p);

    if (p == NULL)
      return -1;
    list->ptr = p;
    list->cap = cap;
  }
  list->ptr[list->len++] = (struct v2v_extent){
    .offset = offset, .length = length, .type = type, .depth = depth
  };
  return 0;
}

void
v2v_extents_clear (struct v2v_extents *list)
{
  list->len = 0;
}

void
v2v_extents_free (struct v2v_extents *list)
{
  free (list->ptr);
  list->ptr = NULL;
  list->len = list->cap = 0;
}

const char *
v2v_extent_type_name (enum v2v_extent_type type)
{
  switch (type) {
  case V2V_EXTENT_ABSENT:
    return "hole";
  case V2V_EXTENT_DATA:
    return "data";
  case V2V_EXTENT_ZERO:
    return "zero";
  }
  return "?";
}
