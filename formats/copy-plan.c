/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a copy: which range comes next.
 *
 * Ranges are handed out in ascending order, so that a new file grows nearly
 * in the order of the disk.  Extents are asked for a window at a time; a hole
 * of 64 TiB costs one call per GiB and no work.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

/* A window with data in it, and how far one without grows.  A driver may
 * return an extent for each sector: the largest window is then 2 million
 * extents, 64 MiB, which only a disk made for the purpose reaches. */
#define WINDOW_MIN (64 * V2V_MIB)
#define WINDOW_MAX V2V_GIB

/* ---- ranges ---- */

int
copy_ranges_append (struct copy_ranges *r, uint64_t offset, uint64_t length)
{
  struct copy_range *last = r->len > 0 ? &r->ptr[r->len - 1] : NULL;

  if (last != NULL && last->offset + last->length == offset) {
    last->length += length;
    return 0;
  }
  if (r->len == r->cap) {
    const size_t cap = r->cap ? r->cap * 2 : 64;
    struct copy_range *p = reallocarray (r->ptr, cap, sizeof *p);

    if (p == NULL)
      return -1;
    r->ptr = p;
    r->cap = cap;
  }
  r->ptr[r->len++] = (struct copy_range){ offset, length };
  return 0;
}

static int
compare_ranges (const void *va, const void *vb)
{
  const struct copy_range *a = va, *b = vb;

  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

void
copy_ranges_sort (struct copy_ranges *r)
{
  size_t n = 0;

  if (r->len == 0)
    return;
  qsort (r->ptr, r->len, sizeof r->ptr[0], compare_ranges);
  for (size_t i = 1; i < r->len; ++i) {
    struct copy_range *last = &r->ptr[n];
    const struct copy_range *next = &r->ptr[i];
    const uint64_t end = last->offset + last->length;

    if (next->offset > end)
      r->ptr[++n] = *next;
    else
      last->length =
          v2v_max_u64 (end, next->offset + next->length) - last->offset;
  }
  r->len = n + 1;
}

void
copy_ranges_free (struct copy_ranges *r)
{
  free (r->ptr);
  memset (r, 0, sizeof *r);
}

/* ---- the plan ---- */

void
copy_plan_init (struct copy_plan *p, struct v2v_image *a, struct v2v_image *b,
                uint64_t size)
{
  memset (p, 0, sizeof *p);
  pthread_mutex_init (&p->lock, NULL);
  p->src[0] = a;
  p->src[1] = b;
  p->nr_src = b == NULL ? 1 : 2;
  p->size = size;
  p->limit = UINT64_MAX;
  p->unit_bytes = COPY_BLOCK;
  p->window_bytes = WINDOW_MIN;
}

void
copy_plan_clear (struct copy_plan *p)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (p->window); ++i)
    v2v_extents_free (&p->window[i]);
  pthread_mutex_destroy (&p->lock);
}

void
copy_unit_clear (struct copy_unit *u)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (u->extents); ++i)
    v2v_extents_free (&u->extents[i]);
}

bool
copy_has_data (const struct v2v_extents *list)
{
  for (size_t i = 0; i < list->len; ++i)
    if (list->ptr[i].type == V2V_EXTENT_DATA)
      return true;
  return false;
}

int
copy_clip (struct v2v_extents *out, const struct v2v_extents *list,
           size_t *cursor, uint64_t offset, uint64_t length,
           struct v2v_error **err)
{
  const uint64_t end = offset + length;

  while (*cursor < list->len &&
         list->ptr[*cursor].offset + list->ptr[*cursor].length <= offset)
    ++*cursor;
  for (size_t i = *cursor; i < list->len && list->ptr[i].offset < end; ++i) {
    const struct v2v_extent *e = &list->ptr[i];
    const uint64_t from = v2v_max_u64 (e->offset, offset);
    const uint64_t to = v2v_min_u64 (e->offset + e->length, end);

    if (v2v_extents_append (out, from, to - from, e->type, e->depth) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

int
copy_align (struct v2v_extents *out, const struct v2v_extents *list,
            uint32_t sector, struct v2v_error **err)
{
  const struct v2v_extent *last = &list->ptr[list->len - 1];
  const uint64_t end = last->offset + last->length;
  uint64_t pos = list->ptr[0].offset; /* up to here OUT is complete */

  for (size_t i = 0; i < list->len; ++i) {
    const struct v2v_extent *e = &list->ptr[i];
    uint64_t from = e->offset - e->offset % sector;
    uint64_t to = v2v_min_u64 (end, (e->offset + e->length + sector - 1) /
                                        sector * sector);

    if (e->type != V2V_EXTENT_DATA)
      continue;
    from = v2v_max_u64 (from, pos);
    to = v2v_max_u64 (to, pos);
    if ((from > pos &&
         v2v_extents_append (out, pos, from - pos, V2V_EXTENT_ZERO, 0) == -1) ||
        (to > from && v2v_extents_append (out, from, to - from, V2V_EXTENT_DATA,
                                          e->depth) == -1))
      return v2v_fail_nomem (err);
    pos = to;
  }
  if (pos < end &&
      v2v_extents_append (out, pos, end - pos, V2V_EXTENT_ZERO, 0) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* Extents of source I over the window; past its end it has nothing. */
static int
load_source (struct copy_plan *p, unsigned i, uint64_t length,
             struct v2v_error **err)
{
  struct v2v_extents *out = &p->window[i];
  const uint64_t size = v2v_image_size (p->src[i]);
  const uint64_t inside =
      p->pos >= size ? 0 : v2v_min_u64 (length, size - p->pos);
  int r = 0;

  v2v_extents_clear (out);
  p->cursor[i] = 0;
  if (inside > 0) {
    if (p->read_lock[i] != NULL)
      pthread_mutex_lock (p->read_lock[i]);
    r = v2v_image_extents (p->src[i], inside, p->pos, out, err);
    if (p->read_lock[i] != NULL)
      pthread_mutex_unlock (p->read_lock[i]);
  }
  if (r == -1)
    return -1;
  if (p->top_only)
    for (size_t n = 0; n < out->len; ++n)
      if (out->ptr[n].depth > 0)
        out->ptr[n].type = V2V_EXTENT_ABSENT;
  if (v2v_extents_append (out, p->pos + inside, length - inside,
                          V2V_EXTENT_ABSENT, 0) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
load_window (struct copy_plan *p, struct v2v_error **err)
{
  const uint64_t length = v2v_min_u64 (p->window_bytes, p->size - p->pos);
  bool data = false;

  for (unsigned i = 0; i < p->nr_src; ++i) {
    if (load_source (p, i, length, err) == -1)
      return -1;
    data = data || copy_has_data (&p->window[i]);
  }
  p->window_end = p->pos + length;
  p->window_bytes =
      data ? WINDOW_MIN : v2v_min_u64 (WINDOW_MAX, p->window_bytes * 2);
  return 0;
}

/* Where the first data at or after p->pos begins in the window. */
static uint64_t
first_data (struct copy_plan *p)
{
  uint64_t first = p->window_end;

  for (unsigned i = 0; i < p->nr_src; ++i) {
    const struct v2v_extents *list = &p->window[i];

    for (size_t n = p->cursor[i]; n < list->len; ++n) {
      const struct v2v_extent *e = &list->ptr[n];

      if (e->offset + e->length <= p->pos)
        continue;
      if (e->type == V2V_EXTENT_DATA) {
        first = v2v_min_u64 (first, v2v_max_u64 (e->offset, p->pos));
        break;
      }
    }
  }
  return first;
}

/* Step over what a journal says is done; sets *RET_END to where the next such
 * range begins. */
static void
skip_done (struct copy_plan *p, uint64_t *ret_end)
{
  *ret_end = p->size;
  if (p->done == NULL)
    return;
  for (; p->done_cursor < p->done->len; ++p->done_cursor) {
    const struct copy_range *r = &p->done->ptr[p->done_cursor];

    if (r->offset > p->pos) {
      *ret_end = v2v_min_u64 (r->offset, p->size);
      return;
    }
    p->pos = v2v_max_u64 (p->pos, r->offset + r->length);
  }
}

int
copy_plan_next (struct copy_plan *p, struct copy_unit *u,
                struct v2v_error **err)
{
  uint64_t end, data;
  V2V_LOCK_SCOPE (&p->lock);

  skip_done (p, &end);
  if (p->pos >= p->size || p->pos >= p->limit)
    return 0;
  if (p->pos >= p->window_end && load_window (p, err) == -1)
    return -1;

  end = v2v_min_u64 (end, p->window_end);
  u->offset = p->pos;
  u->has_data = false;
  data = first_data (p);
  if (data < p->window_end) {
    data -= data % COPY_BLOCK;
    u->has_data = data == p->pos;
    end = v2v_min_u64 (end, u->has_data ? p->pos + p->unit_bytes : data);
  }
  u->length = end - p->pos;
  for (unsigned i = 0; i < p->nr_src; ++i) {
    v2v_extents_clear (&u->extents[i]);
    if (copy_clip (&u->extents[i], &p->window[i], &p->cursor[i], u->offset,
                   u->length, err) == -1)
      return -1;
  }
  p->pos = end;
  return 1;
}
