/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v_copy: options in, result out.  What happens in between is in copy-work.c
 * (read at random) or copy-stream.c (forwards only).
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

/* Blocks are shared in larger pieces than they are read: each is a
 * transaction of the file system. */
#define SHARE_UNIT (32 * V2V_MIB)

static uint32_t
sector_bytes (struct v2v_image *img)
{
  return v2v_image_get_info (img)->logical_sector_bytes;
}

static int
check_ends (struct v2v_image *src, struct v2v_image *dst,
            const struct v2v_copy_opts *opts, struct v2v_error **err)
{
  if (v2v_image_size (src) > v2v_image_size (dst))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: disk of %" PRIu64
                     " bytes does not fit into one of %" PRIu64 " (%s)",
                     v2v_image_name (src), v2v_image_size (src),
                     v2v_image_size (dst), v2v_image_name (dst));
  /* A sector that the child has in part would hide the parent's rest. */
  if (opts->top_only && sector_bytes (dst) > sector_bytes (src))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: a differencing disk with sectors of %" PRIu32
                     " bytes cannot become one with %" PRIu32,
                     v2v_image_name (src), sector_bytes (src),
                     sector_bytes (dst));
  if (opts->resume && opts->journal_path == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a copy is resumed from its journal, and none is "
                     "named",
                     v2v_image_name (dst));
  if (opts->resume && v2v_image_is_stream (src))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: can only be read forwards, so a copy of it cannot "
                     "be resumed",
                     v2v_image_name (src));
  return 0;
}

static void
job_init (struct copy_job *job, struct v2v_image *src, struct v2v_image *dst,
          const struct v2v_copy_opts *opts)
{
  memset (job, 0, sizeof *job);
  job->src = src;
  job->dst = dst;
  job->opts = opts;
  pthread_mutex_init (&job->read_mutex, NULL);
  pthread_mutex_init (&job->write_mutex, NULL);
  copy_plan_init (&job->plan, src, NULL, v2v_image_size (src));
  copy_pool_init (&job->pool, opts, "copy", v2v_image_size (src));
  job->plan.top_only = opts->top_only;
  if (!v2v_image_parallel_read (src))
    job->plan.read_lock[0] = job->read_lock = &job->read_mutex;
  if (!v2v_image_parallel_write (dst))
    job->write_lock = &job->write_mutex;
  job->explicit_zeros =
      opts->resume || opts->overwrite || v2v_image_get_info (dst)->has_parent;
  if (!opts->top_only && sector_bytes (dst) > sector_bytes (src))
    job->align = sector_bytes (dst);
  /* Data may begin inside a sector then, and its edges need memory anyway. */
  if (job->align == 0)
    copy_offload_init (job);
  job->may_defer =
      job->offload.active && (!opts->digest || opts->allow_deferred);
  if (job->may_defer)
    job->plan.unit_bytes = SHARE_UNIT;
}

static void
job_clear (struct copy_job *job)
{
  copy_journal_close (job->journal);
  copy_plan_clear (&job->plan);
  copy_pool_clear (&job->pool);
  v2v_disk_digest_free (job->digest);
  pthread_mutex_destroy (&job->read_mutex);
  pthread_mutex_destroy (&job->write_mutex);
}

static int
tick (void *arg, struct v2v_error **err)
{
  struct copy_job *job = arg;

  return job->journal == NULL
             ? 0
             : copy_journal_checkpoint (job->journal, false, err);
}

/* The part of the destination past the source's end. */
static int
zero_tail (struct copy_job *job, struct v2v_error **err)
{
  const uint64_t from = v2v_image_size (job->src);

  if (!job->explicit_zeros || job->opts->top_only)
    return 0;
  return v2v_image_zero (job->dst, v2v_image_size (job->dst) - from, from, err);
}

static int
run (struct copy_job *job, struct copy_ranges *done, struct v2v_error **err)
{
  const struct v2v_copy_opts *opts = job->opts;
  const bool stream = v2v_image_is_stream (job->src);
  int r;

  if (opts->digest && !opts->top_only) {
    job->digest = v2v_disk_digest_new (v2v_image_size (job->src), err);
    if (job->digest == NULL)
      return -1;
  }
  if (opts->journal_path != NULL && (opts->journal || opts->resume) &&
      !stream) {
    job->journal = copy_journal_open (job, done, err);
    if (job->journal == NULL)
      return -1;
    if (opts->resume && copy_verify (job, done, err) == -1)
      return -1;
    job->plan.done = done;
    for (size_t i = 0; i < done->len; ++i)
      job->pool.done_bytes += done->ptr[i].length;
  }
  r = stream ? copy_stream (job, err)
             : copy_pool_run (&job->pool, job->pool.threads, copy_work, tick,
                              job, err);
  if (r == -1 && job->journal != NULL) {
    /* What is done is done; the first error is the one to report. */
    copy_journal_use_reserve (job->journal);
    (void) copy_journal_checkpoint (job->journal, true, NULL);
  }
  if (r == 0)
    r = zero_tail (job, err);
  if (r == 0 && job->digest != NULL && !job->deferred)
    r = v2v_disk_digest_finish (job->digest, err);
  return r;
}

int
v2v_copy (struct v2v_image *src, struct v2v_image *dst,
          const struct v2v_copy_opts *opts, struct v2v_copy_result *result,
          struct v2v_error **err)
{
  static const struct v2v_copy_opts defaults;
  struct copy_ranges done = { .ptr = NULL };
  struct timespec start, end;
  struct copy_job job;
  int r;

  memset (result, 0, sizeof *result);
  if (opts == NULL)
    opts = &defaults;
  if (check_ends (src, dst, opts, err) == -1)
    return -1;
  clock_gettime (CLOCK_MONOTONIC, &start);
  job_init (&job, src, dst, opts);
  r = run (&job, &done, err);
  clock_gettime (CLOCK_MONOTONIC, &end);

  result->virtual_bytes = v2v_image_size (src);
  result->data_bytes = job.stats.data;
  result->zero_bytes = job.stats.zero;
  result->written_bytes = job.stats.written;
  result->shared_bytes = job.stats.shared;
  for (size_t i = 0; i < done.len; ++i)
    result->resumed_bytes += done.ptr[i].length;
  result->seconds = (double) (end.tv_sec - start.tv_sec) +
                    (double) (end.tv_nsec - start.tv_nsec) / 1e9;
  result->threads = job.pool.threads;
  result->resumable = copy_journal_is_of_use (job.journal);
  result->digest_deferred = job.digest != NULL && job.deferred;
  if (job.digest != NULL && job.digest->complete)
    result->digest = STEAL (job.digest);
  job_clear (&job);
  copy_ranges_free (&done);
  return r;
}

void
v2v_copy_result_clear (struct v2v_copy_result *r)
{
  v2v_disk_digest_free (r->digest);
  memset (r, 0, sizeof *r);
}
