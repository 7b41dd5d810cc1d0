/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The digest of an image's contents, without copying it. */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

static int
digest_work (void *arg, unsigned index, struct v2v_error **err)
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
    r = 0;
    if (w.unit.has_data) {
      copy_pool_throttle (&job->pool, w.unit.length);
      r = copy_fill (job->src, job->read_lock, &w.unit.extents[0], w.buf,
                     w.unit.offset, w.unit.length, err);
      if (r == 0 && !v2v_is_zero (w.buf, (size_t) w.unit.length)) {
        v2v_disk_digest_block (job->digest, w.unit.offset / COPY_BLOCK, w.buf);
        job->pool.data_bytes += w.unit.length;
      }
    }
    job->pool.done_bytes += w.unit.length;
  }
  copy_worker_clear (&w);
  return r == -1 ? -1 : 0;
}

struct v2v_disk_digest *
v2v_image_digest (struct v2v_image *img, const struct v2v_copy_opts *opts,
                  struct v2v_error **err)
{
  static const struct v2v_copy_opts defaults;
  const uint64_t size = v2v_image_size (img);
  struct v2v_disk_digest *digest = NULL;
  struct copy_job job;
  int r;

  if (opts == NULL)
    opts = &defaults;
  memset (&job, 0, sizeof job);
  job.digest = v2v_disk_digest_new (size, err);
  if (job.digest == NULL)
    return NULL;
  job.src = img;
  job.opts = opts;
  pthread_mutex_init (&job.read_mutex, NULL);
  copy_plan_init (&job.plan, img, NULL, size);
  copy_pool_init (&job.pool, opts, "digest", size);
  if (!v2v_image_parallel_read (img))
    job.plan.read_lock[0] = job.read_lock = &job.read_mutex;

  if (v2v_image_is_stream (img))
    r = copy_stream (&job, err);
  else
    r = copy_pool_run (&job.pool, job.pool.threads, digest_work, NULL, &job,
                       err);
  if (r == 0 && job.deferred)
    r = v2v_fail (err, V2V_ERR_UNSUPPORTED,
                  "%s: its grains are out of order: the digest cannot be "
                  "computed while it is read forwards",
                  v2v_image_name (img));
  if (r == 0)
    r = v2v_disk_digest_finish (job.digest, err);
  if (r == 0)
    digest = STEAL (job.digest);
  copy_plan_clear (&job.plan);
  copy_pool_clear (&job.pool);
  pthread_mutex_destroy (&job.read_mutex);
  v2v_disk_digest_free (job.digest);
  return digest;
}
