/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One range of a copy: read it, find what is zeros, hash it, write the rest.
 *
 * Each worker has one buffer of a digest block.  Data is read straight into
 * place, tested for zeros while it is in the cache, and written in as few and
 * as large pieces as the zeros allow.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

/* Where zeros have to be written too, shorter runs of them go with the data
 * around them: two requests would cost more. */
#define SHORT_ZEROS (64 * 1024)

int
copy_worker_init (struct copy_worker *w, struct copy_job *job,
                  struct v2v_error **err)
{
  memset (w, 0, sizeof *w);
  w->job = job;
  w->buf = aligned_alloc (COPY_ZERO_PIECE, COPY_BLOCK);
  return w->buf == NULL ? v2v_fail_nomem (err) : 0;
}

void
copy_worker_clear (struct copy_worker *w)
{
  free (w->buf);
  copy_unit_clear (&w->unit);
  v2v_extents_free (&w->block);
  v2v_extents_free (&w->rest);
  v2v_extents_free (&w->aligned);
}

static int
locked_read (struct v2v_image *img, pthread_mutex_t *lock, unsigned depth,
             void *buf, size_t len, uint64_t offset, struct v2v_error **err)
{
  int r;

  if (lock != NULL)
    pthread_mutex_lock (lock);
  r = v2v_image_read_depth (img, depth, buf, len, offset, err);
  if (lock != NULL)
    pthread_mutex_unlock (lock);
  return r;
}

int
copy_fill (struct v2v_image *img, pthread_mutex_t *lock,
           const struct v2v_extents *list, uint8_t *buf, uint64_t offset,
           uint64_t length, struct v2v_error **err)
{
  uint64_t pos = offset;

  for (size_t i = 0; i < list->len; ++i) {
    const struct v2v_extent *e = &list->ptr[i];

    if (e->type != V2V_EXTENT_DATA)
      continue;
    memset (buf + (pos - offset), 0, (size_t) (e->offset - pos));
    if (locked_read (img, lock, e->depth, buf + (e->offset - offset),
                     (size_t) e->length, e->offset, err) == -1)
      return -1;
    pos = e->offset + e->length;
  }
  memset (buf + (pos - offset), 0, (size_t) (offset + length - pos));
  return 0;
}

static int
write_plain (struct copy_job *job, const uint8_t *p, uint64_t offset,
             uint64_t length, struct v2v_error **err)
{
  int r;

  if (job->write_lock != NULL)
    pthread_mutex_lock (job->write_lock);
  r = v2v_image_write (job->dst, p, (size_t) length, offset, err);
  if (job->write_lock != NULL)
    pthread_mutex_unlock (job->write_lock);
  if (r == 0)
    atomic_fetch_add_explicit (&job->stats.written, length,
                               memory_order_relaxed);
  return r;
}

static int
write_zeros (struct copy_job *job, uint64_t offset, uint64_t length,
             struct v2v_error **err)
{
  int r;

  if (job->write_lock != NULL)
    pthread_mutex_lock (job->write_lock);
  r = v2v_image_zero (job->dst, length, offset, err);
  if (job->write_lock != NULL)
    pthread_mutex_unlock (job->write_lock);
  return r;
}

/* A run without zeros, inside DATA extents of LIST; P is its content. */
static int
write_run (struct copy_worker *w, const struct v2v_extents *list,
           const uint8_t *p, uint64_t offset, uint64_t length,
           struct v2v_error **err)
{
  struct copy_job *job = w->job;
  CLEANUP_EXTENTS struct v2v_extents inside = V2V_EXTENTS_INIT;
  uint64_t shared = 0;
  size_t cursor = 0;

  if (!job->offload.active)
    return write_plain (job, p, offset, length, err);

  if (copy_clip (&inside, list, &cursor, offset, length, err) == -1)
    return -1;
  v2v_extents_clear (&w->rest);
  for (size_t i = 0; i < inside.len; ++i)
    if (copy_offload_range (job, inside.ptr[i].depth, inside.ptr[i].offset,
                            inside.ptr[i].length, &w->rest, &shared, err) == -1)
      return -1;
  for (size_t i = 0; i < w->rest.len; ++i)
    if (w->rest.ptr[i].type == V2V_EXTENT_DATA &&
        write_plain (job, p + (w->rest.ptr[i].offset - offset),
                     w->rest.ptr[i].offset, w->rest.ptr[i].length, err) == -1)
      return -1;
  return 0;
}

/* The end of the run of pieces from FROM on that are zeros, or are not. */
static uint64_t
run_end (const uint8_t *buf, uint64_t from, uint64_t to, bool *ret_zero)
{
  uint64_t pos = from;

  do {
    const uint64_t next =
        v2v_min_u64 (to, pos - pos % COPY_ZERO_PIECE + COPY_ZERO_PIECE);
    const bool zero = v2v_is_zero (buf + pos, (size_t) (next - pos));

    if (pos == from)
      *ret_zero = zero;
    else if (zero != *ret_zero)
      break;
    pos = next;
  } while (pos < to);
  return pos;
}

/* Bytes [from, to-1] of the buffer, which holds the disk from BASE on, are
 * data: write what is not zeros. */
static int
write_sparse (struct copy_worker *w, const struct v2v_extents *list,
              uint64_t base, uint64_t from, uint64_t to, struct v2v_error **err)
{
  struct copy_job *job = w->job;
  uint64_t zero_bytes = 0;
  uint64_t start = from; /* of the data not written yet */

  for (uint64_t pos = from; pos < to;) {
    bool zero = false;
    const uint64_t end = run_end (w->buf, pos, to, &zero);

    if (zero && job->explicit_zeros && end - pos < SHORT_ZEROS &&
        (pos > start || end < to))
      zero = false;
    if (zero) {
      if (pos > start && write_run (w, list, w->buf + start, base + start,
                                    pos - start, err) == -1)
        return -1;
      if (job->explicit_zeros &&
          write_zeros (job, base + pos, end - pos, err) == -1)
        return -1;
      zero_bytes += end - pos;
      start = end;
    }
    pos = end;
  }
  if (to > start &&
      write_run (w, list, w->buf + start, base + start, to - start, err) == -1)
    return -1;
  atomic_fetch_add_explicit (&job->stats.zero, zero_bytes,
                             memory_order_relaxed);
  return 0;
}

/* What to do with an extent that is not data. */
static int
write_nothing (struct copy_job *job, const struct v2v_extent *e,
               struct v2v_error **err)
{
  if (!job->explicit_zeros)
    return 0;
  /* Of the layer alone: what it does not have shows the parent there too. */
  if (job->opts->top_only && e->type == V2V_EXTENT_ABSENT)
    return 0;
  return write_zeros (job, e->offset, e->length, err);
}

/* LIST, or what a destination of larger sectors makes of it; NULL = error. */
static const struct v2v_extents *
align_list (struct copy_worker *w, const struct v2v_extents *list,
            struct v2v_error **err)
{
  if (w->job->align == 0 || list->len == 0)
    return list;
  v2v_extents_clear (&w->aligned);
  if (copy_align (&w->aligned, list, w->job->align, err) == -1)
    return NULL;
  return &w->aligned;
}

int
copy_block_out (struct copy_worker *w, uint64_t offset, uint64_t length,
                const struct v2v_extents *list, bool hash,
                struct v2v_error **err)
{
  struct copy_job *job = w->job;
  bool zero = !copy_has_data (list);
  int r = 0;

  list = align_list (w, list, err);
  if (list == NULL)
    return -1;
  if (hash && !zero && job->digest != NULL && !job->deferred) {
    zero = v2v_is_zero (w->buf, (size_t) length);
    if (!zero)
      v2v_disk_digest_block (job->digest, offset / COPY_BLOCK, w->buf);
  }

  copy_journal_enter (job->journal);
  for (size_t i = 0; i < list->len && r == 0;) {
    const struct v2v_extent *e = &list->ptr[i];
    uint64_t end = e->offset + e->length;

    ++i;
    if (e->type != V2V_EXTENT_DATA) {
      if (!w->only_data)
        r = write_nothing (job, e, err);
      continue;
    }
    /* Data of several layers in a row is one run for the destination. */
    for (; i < list->len && list->ptr[i].type == V2V_EXTENT_DATA; ++i)
      end = list->ptr[i].offset + list->ptr[i].length;
    r = write_sparse (w, list, offset, e->offset - offset, end - offset, err);
  }
  if (r == 0 && job->journal != NULL)
    r = copy_journal_done (job->journal, offset, length, zero, err);
  copy_journal_leave (job->journal);
  return r;
}

static int
copy_block (struct copy_worker *w, const struct v2v_extents *list,
            size_t *cursor, uint64_t offset, uint64_t length,
            struct v2v_error **err)
{
  struct copy_job *job = w->job;

  v2v_extents_clear (&w->block);
  if (copy_clip (&w->block, list, cursor, offset, length, err) == -1)
    return -1;
  if (copy_has_data (&w->block) &&
      copy_fill (job->src, job->read_lock, &w->block, w->buf, offset, length,
                 err) == -1)
    return -1;
  return copy_block_out (w, offset, length, &w->block, true, err);
}

/* Share what can be shared without reading it, and see to what is not data.
 * What is left is DATA in LEFT; nothing else there is of concern any more. */
static int
share_unit (struct copy_worker *w, struct v2v_extents *left,
            struct v2v_error **err)
{
  struct copy_job *job = w->job;
  const struct copy_unit *u = &w->unit;
  uint64_t shared = 0;
  int r = 0;

  copy_journal_enter (job->journal);
  for (size_t i = 0; i < u->extents[0].len && r == 0; ++i) {
    const struct v2v_extent *e = &u->extents[0].ptr[i];

    if (e->type == V2V_EXTENT_DATA)
      r = copy_offload_range (job, e->depth, e->offset, e->length, left,
                              &shared, err);
    else {
      r = write_nothing (job, e, err);
      if (r == 0 && v2v_extents_append (left, e->offset, e->length,
                                        V2V_EXTENT_ZERO, 0) == -1)
        r = v2v_fail_nomem (err);
    }
  }
  if (shared > 0)
    job->deferred = true;
  if (r == 0 && job->journal != NULL && !copy_has_data (left))
    r = copy_journal_done (job->journal, u->offset, u->length, false, err);
  copy_journal_leave (job->journal);
  return r;
}

/* Blocks of LIST that have data, through memory. */
static int
copy_unit (struct copy_worker *w, const struct v2v_extents *list,
           struct v2v_error **err)
{
  const struct copy_unit *u = &w->unit;
  size_t cursor = 0;

  for (uint64_t pos = u->offset; pos < u->offset + u->length;
       pos += COPY_BLOCK) {
    const uint64_t length =
        v2v_min_u64 (COPY_BLOCK, u->offset + u->length - pos);
    const int go = copy_pool_check (&w->job->pool, err);

    if (go != 0)
      return go;
    if (copy_block (w, list, &cursor, pos, length, err) == -1)
      return -1;
  }
  return 0;
}

/* A unit without data: nothing, or one zero request for each extent. */
static int
pass_unit (struct copy_worker *w, struct v2v_error **err)
{
  struct copy_job *job = w->job;
  const struct v2v_extents *list = align_list (w, &w->unit.extents[0], err);
  int r = 0;

  if (list == NULL)
    return -1;
  copy_journal_enter (job->journal);
  for (size_t i = 0; i < list->len && r == 0; ++i)
    r = write_nothing (job, &list->ptr[i], err);
  if (r == 0 && job->journal != NULL)
    r = copy_journal_done (job->journal, w->unit.offset, w->unit.length, true,
                           err);
  copy_journal_leave (job->journal);
  return r;
}

static uint64_t
data_bytes (const struct v2v_extents *list)
{
  uint64_t n = 0;

  for (size_t i = 0; i < list->len; ++i)
    if (list->ptr[i].type == V2V_EXTENT_DATA)
      n += list->ptr[i].length;
  return n;
}

static int
do_unit (struct copy_worker *w, struct v2v_error **err)
{
  struct copy_job *job = w->job;
  const struct v2v_extents *list = &w->unit.extents[0];
  const uint64_t data = data_bytes (list);
  int r;

  copy_pool_throttle (&job->pool, data);
  if (!w->unit.has_data)
    r = pass_unit (w, err);
  else if (job->may_defer && job->offload.active) {
    CLEANUP_EXTENTS struct v2v_extents left = V2V_EXTENTS_INIT;

    r = share_unit (w, &left, err);
    w->only_data = true;
    if (r == 0 && copy_has_data (&left))
      r = copy_unit (w, &left, err);
    w->only_data = false;
  }
  else
    r = copy_unit (w, list, err);
  if (r != 0)
    return r;

  atomic_fetch_add_explicit (&job->stats.data, data, memory_order_relaxed);
  atomic_fetch_add_explicit (&job->pool.data_bytes, data, memory_order_relaxed);
  atomic_fetch_add_explicit (&job->pool.done_bytes, w->unit.length,
                             memory_order_relaxed);
  return 0;
}

int
copy_work (void *arg, unsigned index, struct v2v_error **err)
{
  struct copy_job *job = arg;
  struct copy_worker w;
  int r = copy_worker_init (&w, job, err);

  (void) index;
  while (r == 0) {
    r = copy_pool_check (&job->pool, err);
    if (r != 0)
      break;
    r = copy_plan_next (&job->plan, &w.unit, err);
    if (r != 1)
      break;
    r = do_unit (&w, err);
  }
  copy_worker_clear (&w);
  return r == -1 ? -1 : 0;
}
