/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads of a copy, the first error, progress, and the rate limit.
 *
 * The calling thread does no work: it reports progress, looks at the cancel
 * flag and makes the journal's checkpoints, so that callbacks always come
 * from the thread that asked for the copy.
 */

#include <config.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

#define TICK_NS  (100 * 1000 * 1000)
#define NS_PER_S (1000 * 1000 * 1000)

static unsigned
default_threads (void)
{
  cpu_set_t set;
  int n = 1;

  /* What this process may use: containers and taskset are honoured. */
  if (sched_getaffinity (0, sizeof set, &set) == 0)
    n = CPU_COUNT (&set);
  return (unsigned) v2v_min_u64 (n < 1 ? 1 : (unsigned) n,
                                 COPY_DEFAULT_THREADS);
}

void
copy_pool_init (struct copy_pool *p, const struct v2v_copy_opts *opts,
                const char *stage, uint64_t total_bytes)
{
  pthread_condattr_t attr;

  memset (p, 0, sizeof *p);
  p->opts = opts;
  p->stage = stage;
  p->total_bytes = total_bytes;
  p->threads = opts->threads == 0
                   ? default_threads ()
                   : (unsigned) v2v_min_u64 (opts->threads, COPY_MAX_THREADS);
  pthread_mutex_init (&p->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&p->changed, &attr);
  pthread_condattr_destroy (&attr);
}

void
copy_pool_clear (struct copy_pool *p)
{
  v2v_error_free (p->error);
  pthread_cond_destroy (&p->changed);
  pthread_mutex_destroy (&p->lock);
}

static bool
cancelled (const struct copy_pool *p)
{
  return p->opts->cancel != NULL && *p->opts->cancel;
}

int
copy_pool_check (struct copy_pool *p, struct v2v_error **err)
{
  if (p->stop)
    return 1;
  if (cancelled (p))
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
  return 0;
}

static void
add_ns (struct timespec *t, uint64_t ns)
{
  ns += (uint64_t) t->tv_nsec;
  t->tv_sec += (time_t) (ns / NS_PER_S);
  t->tv_nsec = (long) (ns % NS_PER_S);
}

static bool
earlier (const struct timespec *a, const struct timespec *b)
{
  return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
                                : a->tv_nsec < b->tv_nsec;
}

void
copy_pool_throttle (struct copy_pool *p, uint64_t bytes)
{
  struct timespec now, until;

  if (p->opts->rate_limit == 0 || bytes == 0)
    return;
  clock_gettime (CLOCK_MONOTONIC, &now);
  {
    V2V_LOCK_SCOPE (&p->lock);
    if (earlier (&p->rate_next, &now))
      p->rate_next = now;
    until = p->rate_next;
    /* BYTES is a unit, at most tens of MiB: no overflow. */
    add_ns (&p->rate_next, (uint64_t) ((double) bytes * NS_PER_S /
                                       (double) p->opts->rate_limit));
  }
  /* In small steps, so that a slow rate can be interrupted. */
  while (earlier (&now, &until) && !p->stop && !cancelled (p)) {
    struct timespec next = now;

    add_ns (&next, TICK_NS);
    if (earlier (&until, &next))
      next = until;
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    clock_gettime (CLOCK_MONOTONIC, &now);
  }
}

struct thread_arg {
  struct copy_pool *pool;
  copy_thread_fn *fn;
  void *arg;
  unsigned index;
  pthread_t id;
};

/* Takes over ERR. */
static void
keep_first_error (struct copy_pool *p, struct v2v_error *err)
{
  V2V_LOCK_SCOPE (&p->lock);

  p->stop = true;
  if (p->error == NULL)
    p->error = err;
  else
    v2v_error_free (err);
  pthread_cond_broadcast (&p->changed);
}

static void *
thread_main (void *varg)
{
  const struct thread_arg *t = varg;
  struct copy_pool *p = t->pool;
  struct v2v_error *err = NULL;

  if (t->fn (t->arg, t->index, &err) == -1)
    keep_first_error (p, err);
  V2V_LOCK_SCOPE (&p->lock);
  p->running--;
  pthread_cond_broadcast (&p->changed);
  return NULL;
}

static void
report (const struct copy_pool *p, bool final)
{
  const struct v2v_progress progress = {
    .stage = p->stage,
    .item = p->opts->item,
    .done_bytes =
        final ? p->total_bytes : v2v_min_u64 (p->done_bytes, p->total_bytes),
    .total_bytes = p->total_bytes,
    .data_bytes = p->data_bytes,
  };

  if (p->opts->progress != NULL)
    p->opts->progress (p->opts->progress_arg, &progress);
}

/* Wait for the threads; a tick about ten times a second. */
static void
monitor (struct copy_pool *p, copy_tick_fn *tick, void *arg)
{
  struct timespec next;

  clock_gettime (CLOCK_MONOTONIC, &next);
  add_ns (&next, TICK_NS);
  pthread_mutex_lock (&p->lock);
  while (p->running > 0) {
    if (pthread_cond_timedwait (&p->changed, &p->lock, &next) != ETIMEDOUT)
      continue;
    pthread_mutex_unlock (&p->lock);
    report (p, false);
    if (tick != NULL && !p->stop) {
      struct v2v_error *err = NULL;

      if (tick (arg, &err) == -1)
        keep_first_error (p, err);
    }
    clock_gettime (CLOCK_MONOTONIC, &next);
    add_ns (&next, TICK_NS);
    pthread_mutex_lock (&p->lock);
  }
  pthread_mutex_unlock (&p->lock);
}

int
copy_pool_run (struct copy_pool *p, unsigned n, copy_thread_fn *fn,
               copy_tick_fn *tick, void *arg, struct v2v_error **err)
{
  struct thread_arg threads[COPY_MAX_THREADS + 1];
  unsigned started = 0;
  sigset_t all, old;
  int e = 0;

  n = (unsigned) v2v_min_u64 (n, V2V_ARRAY_SIZE (threads));
  /* Signals are for the thread that called us. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  for (; started < n; ++started) {
    struct thread_arg *t = &threads[started];

    *t = (struct thread_arg){ p, fn, arg, started, 0 };
    pthread_mutex_lock (&p->lock);
    p->running++;
    pthread_mutex_unlock (&p->lock);
    e = pthread_create (&t->id, NULL, thread_main, t);
    if (e != 0) {
      struct v2v_error *failure = NULL;

      pthread_mutex_lock (&p->lock);
      p->running--;
      pthread_mutex_unlock (&p->lock);
      errno = e;
      v2v_fail_errno (&failure, "starting a thread");
      keep_first_error (p, failure);
      break;
    }
  }
  pthread_sigmask (SIG_SETMASK, &old, NULL);

  monitor (p, tick, arg);
  for (unsigned i = 0; i < started; ++i)
    pthread_join (threads[i].id, NULL);
  if (p->error != NULL)
    return v2v_error_move (err, STEAL (p->error));
  report (p, true);
  return 0;
}
