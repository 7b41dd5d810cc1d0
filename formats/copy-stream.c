/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying a source that can only be read forwards: one thread reads, the
 * others decode, hash and write.
 *
 * The reader gathers the chunks of one 2 MiB block into a batch, so that
 * writes are large and the block is hashed whole.  Chunks come in the order of
 * the disk from every known writer; a block whose chunks come apart is hashed
 * again at the end from the destination, and where that cannot be read the
 * digest is left out and said to be.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"

/* Stored bytes that wait for a decoder: enough that no thread starves, and
 * incompressible data stays within the memory bound. */
#define QUEUE_BYTES (16 * V2V_MIB)

/* Blocks to hash again; a stream that is out of order all over has its digest
 * left out instead. */
#define MAX_REHASH 4096

struct batch {
  struct batch *next;
  uint64_t block;
  bool split;               /* chunks of this block came in other batches too */
  struct v2v_chunk *chunks; /* own their data */
  size_t nr_chunks;
  size_t cap_chunks;
  uint64_t stored;
};

struct stream {
  struct copy_job *job;
  /* The reader's own: */
  struct batch *current;
  bool any;
  uint64_t highest; /* block that was begun */
  uint64_t *rehash;
  size_t nr_rehash;

  pthread_mutex_t lock; /* all below */
  pthread_cond_t changed;
  struct batch *first;
  struct batch **last;
  uint64_t queued;
  bool end;
};

static void
batch_free (struct batch *b)
{
  if (b == NULL)
    return;
  for (size_t i = 0; i < b->nr_chunks; ++i)
    free (b->chunks[i].data);
  free (b->chunks);
  free (b);
}

/* Wait a little: another thread's failure is not announced here. */
static void
wait_changed (struct stream *s)
{
  struct timespec t;

  clock_gettime (CLOCK_REALTIME, &t);
  t.tv_nsec += 50 * 1000 * 1000;
  if (t.tv_nsec >= 1000 * 1000 * 1000) {
    t.tv_nsec -= 1000 * 1000 * 1000;
    t.tv_sec++;
  }
  pthread_cond_timedwait (&s->changed, &s->lock, &t);
}

/* ---- the reader ---- */

static int
push_current (struct stream *s, struct v2v_error **err)
{
  struct batch *b = STEAL (s->current);
  int go = 0;

  if (b == NULL)
    return 0;
  pthread_mutex_lock (&s->lock);
  while (s->queued >= QUEUE_BYTES &&
         (go = copy_pool_check (&s->job->pool, err)) == 0)
    wait_changed (s);
  if (go == 0) {
    *s->last = b;
    s->last = &b->next;
    s->queued += b->stored;
    pthread_cond_broadcast (&s->changed);
  }
  pthread_mutex_unlock (&s->lock);
  if (go != 0)
    batch_free (b);
  return go;
}

static int
note_rehash (struct stream *s, uint64_t block, struct v2v_error **err)
{
  if (s->job->digest == NULL || s->job->deferred)
    return 0;
  if (s->nr_rehash > 0 && s->rehash[s->nr_rehash - 1] == block)
    return 0;
  if (s->rehash == NULL)
    s->rehash = calloc (MAX_REHASH, sizeof *s->rehash);
  if (s->rehash == NULL)
    return v2v_fail_nomem (err);
  if (s->nr_rehash == MAX_REHASH)
    s->job->deferred = true;
  else
    s->rehash[s->nr_rehash++] = block;
  return 0;
}

static int
start_batch (struct stream *s, uint64_t block, struct v2v_error **err)
{
  struct batch *b = calloc (1, sizeof *b);

  if (b == NULL)
    return v2v_fail_nomem (err);
  s->current = b;
  b->block = block;
  b->split = s->any && block <= s->highest;
  if (b->split)
    return note_rehash (s, block, err);
  s->any = true;
  s->highest = block;
  return 0;
}

static int
check_chunk (const struct stream *s, const struct v2v_chunk *c,
             struct v2v_error **err)
{
  const uint64_t size = v2v_image_size (s->job->src);

  if (c->length == 0 || !v2v_range_inside (c->offset, c->length, size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "grain of %zu bytes at %" PRIu64
                     ", past the end of the disk (%" PRIu64 ")",
                     c->length, c->offset, size);
  if (c->offset % COPY_BLOCK + c->length > COPY_BLOCK)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "grain of %zu bytes at %" PRIu64
                     ", expected none across a multiple of %" PRIu64,
                     c->length, c->offset, (uint64_t) COPY_BLOCK);
  return 0;
}

static int
add_chunk (struct stream *s, struct v2v_chunk *c, struct v2v_error **err)
{
  const uint64_t block = c->offset / COPY_BLOCK;
  struct batch *b;
  int r;

  if (check_chunk (s, c, err) == -1)
    return -1;
  if (s->current != NULL && s->current->block != block) {
    r = push_current (s, err);
    if (r != 0)
      return r;
  }
  if (s->current == NULL && start_batch (s, block, err) == -1)
    return -1;
  b = s->current;
  if (b->nr_chunks == b->cap_chunks) {
    const size_t cap = b->cap_chunks ? b->cap_chunks * 2 : 32;
    struct v2v_chunk *p = reallocarray (b->chunks, cap, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    b->chunks = p;
    b->cap_chunks = cap;
  }
  b->chunks[b->nr_chunks++] = *c;
  b->stored += c->stored;
  c->data = NULL; /* the batch's now */
  return 0;
}

/* The sink of the driver. */
static int
take_chunk (void *arg, struct v2v_chunk *c, struct v2v_error **err)
{
  struct stream *s = arg;
  int r = copy_pool_check (&s->job->pool, err);

  copy_pool_throttle (&s->job->pool, c->stored);
  if (r == 0)
    r = add_chunk (s, c, err);
  free (c->data);
  c->data = NULL;
  if (r == 1) /* another thread failed; its error is the one reported */
    r = v2v_fail (err, V2V_ERR_INTERRUPTED, "stopped");
  return r;
}

static int
read_all (struct stream *s, struct v2v_error **err)
{
  int r = v2v_image_stream (s->job->src, take_chunk, s, err);

  if (r == 0)
    r = push_current (s, err);
  {
    V2V_LOCK_SCOPE (&s->lock);
    s->end = true;
    pthread_cond_broadcast (&s->changed);
  }
  return r;
}

/* ---- the others ---- */

static struct batch *
pop (struct stream *s, struct v2v_error **err, int *ret_go)
{
  struct batch *b;
  V2V_LOCK_SCOPE (&s->lock);

  while ((*ret_go = copy_pool_check (&s->job->pool, err)) == 0 &&
         s->first == NULL && !s->end)
    wait_changed (s);
  b = s->first;
  if (*ret_go != 0 || b == NULL)
    return NULL;
  s->first = b->next;
  if (s->first == NULL)
    s->last = &s->first;
  s->queued -= b->stored;
  pthread_cond_broadcast (&s->changed);
  return b;
}

static int
compare_chunks (const void *va, const void *vb)
{
  const struct v2v_chunk *a = va, *b = vb;

  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Decode into w->buf; w->block says where. */
static int
decode_batch (struct copy_worker *w, struct batch *b, uint64_t offset,
              uint64_t length, struct v2v_error **err)
{
  uint64_t pos = offset;

  qsort (b->chunks, b->nr_chunks, sizeof *b->chunks, compare_chunks);
  v2v_extents_clear (&w->block);
  for (size_t i = 0; i < b->nr_chunks; ++i) {
    const struct v2v_chunk *c = &b->chunks[i];

    if (c->offset < pos)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: two grains for the disk's offset %" PRIu64,
                       v2v_image_name (w->job->src), c->offset);
    memset (w->buf + (pos - offset), 0, (size_t) (c->offset - pos));
    if (v2v_extents_append (&w->block, pos, c->offset - pos, V2V_EXTENT_ABSENT,
                            0) == -1 ||
        v2v_extents_append (&w->block, c->offset, c->length, V2V_EXTENT_DATA,
                            0) == -1)
      return v2v_fail_nomem (err);
    if (v2v_image_decode (w->job->src, c, w->buf + (c->offset - offset), err) ==
        -1)
      return -1;
    pos = c->offset + c->length;
  }
  memset (w->buf + (pos - offset), 0, (size_t) (offset + length - pos));
  return 0;
}

static int
do_batch (struct copy_worker *w, struct batch *b, struct v2v_error **err)
{
  struct copy_job *job = w->job;
  const uint64_t offset = b->block * COPY_BLOCK;
  const uint64_t length =
      v2v_min_u64 (COPY_BLOCK, v2v_image_size (job->src) - offset);
  uint64_t data = 0, done;

  if (decode_batch (w, b, offset, length, err) == -1)
    return -1;
  /* Zeros outside the chunks were seen to before the first one came. */
  w->only_data = true;
  if (job->dst != NULL) {
    if (copy_block_out (w, offset, length, &w->block, !b->split, err) == -1)
      return -1;
  }
  else if (!b->split && !v2v_is_zero (w->buf, (size_t) length))
    v2v_disk_digest_block (job->digest, b->block, w->buf);

  for (size_t i = 0; i < b->nr_chunks; ++i)
    data += b->chunks[i].length;
  job->stats.data += data;
  job->pool.data_bytes += data;
  done = job->pool.done_bytes;
  while (done < offset + length &&
         !atomic_compare_exchange_weak (&job->pool.done_bytes, &done,
                                        offset + length))
    ;
  return 0;
}

static int
decode_all (struct stream *s, struct v2v_error **err)
{
  struct copy_worker w;
  int r = copy_worker_init (&w, s->job, err);

  while (r == 0) {
    struct batch *b = pop (s, err, &r);

    if (b == NULL)
      break;
    r = do_batch (&w, b, err);
    batch_free (b);
  }
  copy_worker_clear (&w);
  return r == -1 ? -1 : 0;
}

static int
stream_thread (void *arg, unsigned index, struct v2v_error **err)
{
  struct stream *s = arg;
  int r = index == 0 ? read_all (s, err) : decode_all (s, err);

  return r == -1 ? -1 : 0;
}

/* Blocks that came apart, from where they are now. */
static int
rehash (struct stream *s, struct v2v_error **err)
{
  struct copy_job *job = s->job;
  CLEANUP_FREE void *buf = NULL;

  if (s->nr_rehash == 0 || job->deferred)
    return 0;
  buf = malloc (COPY_BLOCK);
  if (buf == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < s->nr_rehash && !job->deferred; ++i) {
    const uint64_t block = s->rehash[i];
    const size_t len = (size_t) v2v_disk_digest_block_len (job->digest, block);

    /* Only a driver that changes files in place reads what it writes. */
    if (job->dst == NULL || v2v_image_get_ops (job->dst)->open_rw == NULL ||
        v2v_image_read (job->dst, buf, len, block * COPY_BLOCK, NULL) == -1)
      job->deferred = true;
    else
      v2v_disk_digest_block (job->digest, block, buf);
  }
  return 0;
}

int
copy_stream (struct copy_job *job, struct v2v_error **err)
{
  struct stream s = { .job = job };
  int r = 0;

  s.last = &s.first;
  pthread_mutex_init (&s.lock, NULL);
  pthread_cond_init (&s.changed, NULL);
  if (job->explicit_zeros)
    r = v2v_image_zero (job->dst, v2v_image_size (job->src), 0, err);
  if (r == 0)
    r = copy_pool_run (&job->pool, job->pool.threads + 1, stream_thread, NULL,
                       &s, err);
  if (r == 0)
    r = rehash (&s, err);

  batch_free (s.current);
  while (s.first != NULL) {
    struct batch *b = s.first;

    s.first = b->next;
    batch_free (b);
  }
  free (s.rehash);
  pthread_cond_destroy (&s.changed);
  pthread_mutex_destroy (&s.lock);
  return r;
}
