/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Comparing the contents of two images, whatever their formats. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

struct compare {
  struct copy_plan plan;
  struct copy_pool pool;
  pthread_mutex_t read_mutex[2];
  _Atomic uint64_t differs; /* the lowest offset known, or UINT64_MAX */
};

struct compare_worker {
  struct copy_unit unit;
  uint8_t *buf[2];
};

static uint64_t
first_difference (const uint8_t *a, const uint8_t *b, size_t len)
{
  const size_t step = 4096;
  size_t i = 0;

  while (len - i > step && memcmp (a + i, b + i, step) == 0)
    i += step;
  while (a[i] == b[i])
    ++i;
  return i;
}

/* Lower the known offset to OFFSET, and stop handing out what is above. */
static void
note_difference (struct compare *c, uint64_t offset)
{
  uint64_t old = c->differs;

  while (offset < old &&
         !atomic_compare_exchange_weak (&c->differs, &old, offset))
    ;
  c->plan.limit = c->differs;
}

static int
compare_unit (struct compare *c, struct compare_worker *w,
              struct v2v_error **err)
{
  const struct copy_unit *u = &w->unit;
  const size_t len = (size_t) u->length;

  copy_pool_throttle (&c->pool, u->length);
  for (unsigned i = 0; i < 2; ++i)
    if (copy_fill (c->plan.src[i], c->plan.read_lock[i], &u->extents[i],
                   w->buf[i], u->offset, u->length, err) == -1)
      return -1;
  if (memcmp (w->buf[0], w->buf[1], len) != 0)
    note_difference (c,
                     u->offset + first_difference (w->buf[0], w->buf[1], len));
  c->pool.data_bytes += u->length;
  return 0;
}

static int
compare_work (void *arg, unsigned index, struct v2v_error **err)
{
  struct compare *c = arg;
  struct compare_worker w = { .buf = { NULL } };
  int r = 0;

  (void) index;
  for (unsigned i = 0; i < 2; ++i) {
    w.buf[i] = malloc (COPY_BLOCK);
    if (w.buf[i] == NULL)
      r = v2v_fail_nomem (r == 0 ? err : NULL);
  }
  while (r == 0) {
    r = copy_pool_check (&c->pool, err);
    if (r != 0)
      break;
    r = copy_plan_next (&c->plan, &w.unit, err);
    if (r != 1)
      break;
    r = w.unit.has_data ? compare_unit (c, &w, err) : 0;
    c->pool.done_bytes += w.unit.length;
  }
  free (w.buf[0]);
  free (w.buf[1]);
  copy_unit_clear (&w.unit);
  return r == -1 ? -1 : 0;
}

int
v2v_image_compare (struct v2v_image *a, struct v2v_image *b, bool strict_size,
                   const struct v2v_copy_opts *opts, uint64_t *ret_offset,
                   struct v2v_error **err)
{
  static const struct v2v_copy_opts defaults;
  const uint64_t size_a = v2v_image_size (a), size_b = v2v_image_size (b);
  struct compare c;
  uint64_t differs;
  int r;

  if (opts == NULL)
    opts = &defaults;
  if (v2v_image_is_stream (a) || v2v_image_is_stream (b))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: can only be read forwards: compare digests instead",
                     v2v_image_name (v2v_image_is_stream (a) ? a : b));
  copy_plan_init (&c.plan, a, b, v2v_max_u64 (size_a, size_b));
  copy_pool_init (&c.pool, opts, "compare", c.plan.size);
  c.differs = UINT64_MAX;
  for (unsigned i = 0; i < 2; ++i) {
    pthread_mutex_init (&c.read_mutex[i], NULL);
    if (!v2v_image_parallel_read (c.plan.src[i]))
      c.plan.read_lock[i] = &c.read_mutex[i];
  }
  r = copy_pool_run (&c.pool, c.pool.threads, compare_work, NULL, &c, err);
  differs = c.differs;
  if (strict_size && size_a != size_b)
    differs = v2v_min_u64 (differs, v2v_min_u64 (size_a, size_b));
  for (unsigned i = 0; i < 2; ++i)
    pthread_mutex_destroy (&c.read_mutex[i]);
  copy_plan_clear (&c.plan);
  copy_pool_clear (&c.pool);
  if (r == -1)
    return -1;
  if (differs == UINT64_MAX)
    return 0;
  *ret_offset = differs;
  return 1;
}
