/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before a copy goes on: does the unfinished file hold what its journal says?
 *
 * What the journal calls done is read back and compared with the digests that
 * it keeps (of zeros it needs none).  A block that is another one now (a disk
 * that lost what it had confirmed, somebody's write) is copied again.  Where
 * blocks were shared unread there is no digest to compare with.
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "formats/copy-internal.h"

struct verify {
  struct copy_job *job;
  struct v2v_image *dst;
  struct v2v_disk_digest *have;
  struct copy_plan plan;
  struct copy_pool pool;
  struct copy_ranges rest; /* what is not to be read */
  pthread_mutex_t *lock;   /* NULL: DST reads in parallel */
  pthread_mutex_t mutex;
};

/* Everything of the disk but DONE. */
static int
complement (struct copy_ranges *out, const struct copy_ranges *done,
            uint64_t size)
{
  uint64_t pos = 0;

  for (size_t i = 0; i < done->len; ++i) {
    if (done->ptr[i].offset > pos &&
        copy_ranges_append (out, pos, done->ptr[i].offset - pos) == -1)
      return -1;
    pos = done->ptr[i].offset + done->ptr[i].length;
  }
  return pos < size ? copy_ranges_append (out, pos, size - pos) : 0;
}

static int
verify_work (void *arg, unsigned index, struct v2v_error **err)
{
  struct verify *v = arg;
  struct copy_worker w;
  int r = copy_worker_init (&w, v->job, err);

  (void) index;
  while (r == 0) {
    r = copy_pool_check (&v->pool, err);
    if (r != 0)
      break;
    r = copy_plan_next (&v->plan, &w.unit, err);
    if (r != 1)
      break;
    r = 0;
    if (w.unit.has_data) {
      r = copy_fill (v->dst, v->lock, &w.unit.extents[0], w.buf, w.unit.offset,
                     w.unit.length, err);
      if (r == 0 && !v2v_is_zero (w.buf, (size_t) w.unit.length))
        v2v_disk_digest_block (v->have, w.unit.offset / COPY_BLOCK, w.buf);
    }
    v->pool.done_bytes += w.unit.length;
  }
  copy_worker_clear (&w);
  return r == -1 ? -1 : 0;
}

/* Leave in DONE the blocks whose digests agree. */
static int
keep_equal (struct verify *v, struct copy_ranges *done, uint64_t *ret_lost,
            struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (v->job->src);
  struct copy_ranges equal = { .ptr = NULL };

  for (size_t i = 0; i < done->len; ++i) {
    const uint64_t end = done->ptr[i].offset + done->ptr[i].length;

    for (uint64_t pos = done->ptr[i].offset; pos < end; pos += COPY_BLOCK) {
      const uint64_t block = pos / COPY_BLOCK;
      const uint64_t length = v2v_min_u64 (COPY_BLOCK, size - pos);
      uint8_t a[V2V_SHA256_SIZE], b[V2V_SHA256_SIZE];
      int r = 0;

      if (v2v_disk_digest_get (v->job->digest, block, a, err) == -1 ||
          v2v_disk_digest_get (v->have, block, b, err) == -1)
        r = -1;
      else if (memcmp (a, b, sizeof a) != 0)
        *ret_lost += length;
      else if (copy_ranges_append (&equal, pos, length) == -1)
        r = v2v_fail_nomem (err);
      if (r == -1) {
        copy_ranges_free (&equal);
        return -1;
      }
    }
  }
  copy_ranges_free (done);
  *done = equal;
  return 0;
}

static int
read_back (struct verify *v, const struct copy_ranges *done,
           struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (v->job->src);

  v->have = v2v_disk_digest_new (size, err);
  if (v->have == NULL)
    return -1;
  if (complement (&v->rest, done, size) == -1)
    return v2v_fail_nomem (err);
  v->plan.done = &v->rest;
  for (size_t i = 0; i < v->rest.len; ++i)
    v->pool.done_bytes += v->rest.ptr[i].length;
  return copy_pool_run (&v->pool, v->pool.threads, verify_work, NULL, v, err);
}

int
copy_verify (struct copy_job *job, struct copy_ranges *done,
             struct v2v_error **err)
{
  struct verify v = { .job = job, .dst = job->dst };
  uint64_t lost = 0;
  char text[32];
  int r;

  if (job->digest == NULL || job->deferred || done->len == 0)
    return 0;
  pthread_mutex_init (&v.mutex, NULL);
  copy_plan_init (&v.plan, v.dst, NULL, v2v_image_size (job->src));
  copy_pool_init (&v.pool, job->opts, "verify", v2v_image_size (job->src));
  if (!v2v_image_parallel_read (v.dst))
    v.plan.read_lock[0] = v.lock = &v.mutex;
  r = read_back (&v, done, err);
  if (r == 0)
    r = keep_equal (&v, done, &lost, err);
  if (r == 0 && lost > 0)
    v2v_warn ("%s: %s of the unfinished file are not what was written there: "
              "they are copied again",
              v2v_image_name (v.dst), v2v_format_size (lost, text));
  copy_plan_clear (&v.plan);
  copy_pool_clear (&v.pool);
  copy_ranges_free (&v.rest);
  v2v_disk_digest_free (v.have);
  pthread_mutex_destroy (&v.mutex);
  return r;
}
