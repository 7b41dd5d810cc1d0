/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends of a copy for the tests; see test-copy-util.h. */

#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-copy-util.h"

/* ---- the synthetic source ---- */

struct synthetic {
  uint64_t size;
  struct test_run *runs;
  size_t nr_runs;
  uint32_t seed;
  unsigned fail_at;
  atomic_uint reads;
};

static uint8_t
byte_at (const struct synthetic *s, uint64_t offset)
{
  const uint64_t x = (offset / 64 + s->seed) * UINT64_C (0x9e3779b97f4a7c15);

  return (uint8_t) ((x >> 32) + offset) | 1;
}

static int
synthetic_pread (void *vh, void *buf, size_t len, uint64_t offset,
                 struct v2v_error **err)
{
  struct synthetic *s = vh;
  uint8_t *p = buf;

  if (s->fail_at != 0 && atomic_fetch_add (&s->reads, 1) + 1 >= s->fail_at) {
    errno = EIO;
    return v2v_fail_errno (err, "reading %zu bytes at %llu", len,
                           (unsigned long long) offset);
  }
  memset (p, 0, len);
  for (size_t i = 0; i < s->nr_runs; ++i) {
    const struct test_run *r = &s->runs[i];
    const uint64_t from = v2v_max_u64 (r->offset, offset);
    const uint64_t to = v2v_min_u64 (r->offset + r->length, offset + len);

    for (uint64_t o = from; !r->zeros && o < to; ++o)
      p[o - offset] = byte_at (s, o);
  }
  return 0;
}

static int
synthetic_extents (void *vh, uint64_t len, uint64_t offset,
                   struct v2v_extents *out, struct v2v_error **err)
{
  const struct synthetic *s = vh;
  uint64_t pos = offset;
  const uint64_t end = offset + len;

  (void) err;
  for (size_t i = 0; i < s->nr_runs; ++i) {
    const struct test_run *r = &s->runs[i];
    const uint64_t from = v2v_max_u64 (r->offset, pos);
    const uint64_t to = v2v_min_u64 (r->offset + r->length, end);

    if (from >= to)
      continue;
    v2v_extents_append (out, pos, from - pos, V2V_EXTENT_ZERO, 0);
    v2v_extents_append (out, from, to - from, V2V_EXTENT_DATA, 0);
    pos = to;
  }
  v2v_extents_append (out, pos, end - pos, V2V_EXTENT_ZERO, 0);
  return 0;
}

static void
synthetic_close (void *vh)
{
  struct synthetic *s = vh;

  free (s->runs);
  free (s);
}

static const struct v2v_io_ops synthetic_ops = {
  .kind = "synthetic",
  .pread = synthetic_pread,
  .extents = synthetic_extents,
  .close = synthetic_close,
};

struct v2v_image *
test_source (uint64_t size, const struct test_run *runs, size_t nr_runs,
             uint32_t seed, unsigned fail_at)
{
  const struct v2v_open_opts opts = { .format = "raw" };
  struct synthetic *s = calloc (1, sizeof *s);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;

  assert_non_null (s);
  s->size = size;
  s->runs = calloc (nr_runs + 1, sizeof *runs);
  assert_non_null (s->runs);
  if (nr_runs > 0)
    memcpy (s->runs, runs, nr_runs * sizeof *runs);
  s->nr_runs = nr_runs;
  s->seed = seed;
  s->fail_at = fail_at;
  io = v2v_io_new (&synthetic_ops, s, "synthetic.raw", size, false, &err);
  assert_ptr (io, err);
  img = v2v_image_open_io (io, &opts, &err);
  assert_ptr (img, err);
  v2v_io_unref (io);
  return img;
}

/* ---- the destination with a log ---- */

static void
log_add (struct test_log *l, enum test_request_type type, uint64_t offset,
         uint64_t length)
{
  l->requests = reallocarray (l->requests, l->nr + 1, sizeof *l->requests);
  assert_non_null (l->requests);
  l->requests[l->nr++] = (struct test_request){ type, offset, length };
}

static int
log_pread (void *vh, void *buf, size_t len, uint64_t offset,
           struct v2v_error **err)
{
  struct test_log *l = vh;

  return v2v_io_pread (l->base, buf, len, offset, err);
}

static int
log_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  struct test_log *l = vh;

  {
    V2V_LOCK_SCOPE (&l->lock);
    l->writes++;
    if (l->fail_at != 0 && l->writes >= l->fail_at) {
      errno = l->errnum;
      return v2v_fail_errno (err, "writing %zu bytes at %llu", len,
                             (unsigned long long) offset);
    }
    log_add (l, TEST_WRITE, offset, len);
  }
  return v2v_io_pwrite (l->base, buf, len, offset, err);
}

static int
log_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  struct test_log *l = vh;

  return v2v_io_resize (l->base, size, err);
}

static int
log_sync (void *vh, struct v2v_error **err)
{
  struct test_log *l = vh;

  {
    V2V_LOCK_SCOPE (&l->lock);
    log_add (l, TEST_SYNC, 0, 0);
  }
  return v2v_io_sync (l->base, err);
}

static int
log_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct test_log *l = vh;

  {
    V2V_LOCK_SCOPE (&l->lock);
    log_add (l, TEST_ZERO, offset, len);
  }
  return v2v_io_punch (l->base, len, offset, err);
}

static void
log_close (void *vh)
{
  struct test_log *l = vh;

  v2v_io_unref (l->base);
  l->base = NULL;
}

static const struct v2v_io_ops log_ops = {
  .kind = "log",
  .pread = log_pread,
  .pwrite = log_pwrite,
  .resize = log_resize,
  .sync = log_sync,
  .punch = log_punch,
  .close = log_close,
};

struct v2v_io *
test_logged_io (struct v2v_io *base, struct test_log *log)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io;

  pthread_mutex_init (&log->lock, NULL);
  log->base = v2v_io_ref (base);
  io =
      v2v_io_new (&log_ops, log, "logged.raw", v2v_io_size (base), false, &err);
  assert_ptr (io, err);
  return io;
}

void
test_log_clear (struct test_log *log)
{
  free (log->requests);
  pthread_mutex_destroy (&log->lock);
  memset (log, 0, sizeof *log);
}

uint64_t
test_log_bytes (const struct test_log *log, enum test_request_type type)
{
  uint64_t n = 0;

  for (size_t i = 0; i < log->nr; ++i)
    if (log->requests[i].type == type)
      n += log->requests[i].length;
  return n;
}

void
test_log_assert_inside (const struct test_log *log, const struct test_run *runs,
                        size_t nr_runs)
{
  for (size_t i = 0; i < log->nr; ++i) {
    const struct test_request *q = &log->requests[i];
    bool inside = q->type != TEST_WRITE;

    for (size_t k = 0; k < nr_runs && !inside; ++k) {
      uint64_t end = runs[k].offset + runs[k].length;

      if (runs[k].zeros || q->offset < runs[k].offset)
        continue;
      for (size_t n = k + 1; n < nr_runs && !runs[n].zeros; ++n)
        if (runs[n].offset == end) /* it touches: one run for the target */
          end += runs[n].length;
      inside = q->offset + q->length <= end;
    }
    if (!inside)
      fail_msg ("wrote %llu bytes at %llu, where there is no data",
                (unsigned long long) q->length, (unsigned long long) q->offset);
  }
}

void
test_assert_same (struct v2v_image *a, struct v2v_image *b)
{
  const size_t step = 1024 * 1024;
  struct v2v_error *err = NULL;
  const uint64_t size = v2v_image_size (a);
  char *p = malloc (step), *q = malloc (step);

  assert_non_null (p);
  assert_non_null (q);
  for (uint64_t o = 0; o < size; o += step) {
    const size_t n = (size_t) v2v_min_u64 (step, size - o);

    assert_ok (v2v_image_read (a, p, n, o, &err), err);
    assert_ok (v2v_image_read (b, q, n, o, &err), err);
    if (memcmp (p, q, n) != 0)
      fail_msg ("contents differ in the MiB at %llu", (unsigned long long) o);
  }
  free (p);
  free (q);
}
