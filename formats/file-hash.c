/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole-file digests on a thread of their own; see file-hash.h. */

#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/file-hash.h"

/* Large enough that a read costs nothing, small enough to stay in cache. */
#define STEP (512 * 1024)

struct v2v_file_hasher {
  pthread_t thread;
  struct v2v_io *io;
  struct v2v_hash *hash;
  const atomic_bool *cancel;
  atomic_bool stop;
  _Atomic uint64_t done;
  int result; /* these three are read after the join */
  struct v2v_error *err;
  void *buf;
};

static void
hasher_clear (struct v2v_file_hasher *h)
{
  v2v_io_unref (h->io);
  v2v_hash_free (h->hash);
  v2v_error_free (h->err);
  free (h->buf);
}

static int
hasher_init (struct v2v_file_hasher *h, struct v2v_io *io,
             const char *algorithm, const atomic_bool *cancel,
             struct v2v_error **err)
{
  if (v2v_io_is_forward_only (io))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: can only be read forwards, and only once",
                     v2v_io_name (io));
  h->hash = v2v_hash_new (algorithm, err);
  if (h->hash == NULL)
    return -1;
  h->buf = malloc (STEP);
  if (h->buf == NULL)
    return v2v_fail_nomem (err);
  h->io = v2v_io_ref (io);
  h->cancel = cancel;
  return 0;
}

static int
hasher_run (struct v2v_file_hasher *h, struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (h->io);

  for (uint64_t offset = 0; offset < size;) {
    const size_t n = (size_t) v2v_min_u64 (STEP, size - offset);

    if (h->stop || (h->cancel != NULL && *h->cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "%s: digest interrupted",
                       v2v_io_name (h->io));
    if (v2v_io_pread (h->io, h->buf, n, offset, err) == -1)
      return -1;
    v2v_hash_update (h->hash, h->buf, n);
    offset += n;
    h->done = offset;
  }
  return 0;
}

static void *
hasher_main (void *arg)
{
  struct v2v_file_hasher *h = arg;

  h->result = hasher_run (h, &h->err);
  return NULL;
}

struct v2v_file_hasher *
v2v_file_hasher_start (struct v2v_io *io, const char *algorithm,
                       const atomic_bool *cancel, struct v2v_error **err)
{
  struct v2v_file_hasher *h = calloc (1, sizeof *h);
  sigset_t all, old;
  int e;

  if (h == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (hasher_init (h, io, algorithm, cancel, err) == -1)
    goto error;
  /* Signals are for the thread that called us. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  e = pthread_create (&h->thread, NULL, hasher_main, h);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (e != 0) {
    errno = e;
    v2v_fail_errno (err, "starting a thread");
    goto error;
  }
  return h;

error:
  hasher_clear (h);
  free (h);
  return NULL;
}

int
v2v_file_hasher_join (struct v2v_file_hasher *h,
                      uint8_t out[V2V_DIGEST_MAX_SIZE], size_t *ret_len,
                      struct v2v_error **err)
{
  int r;

  pthread_join (h->thread, NULL);
  r = h->result;
  if (r == 0)
    *ret_len = v2v_hash_final (h->hash, out);
  else
    v2v_error_move (err, STEAL (h->err));
  hasher_clear (h);
  free (h);
  return r;
}

uint64_t
v2v_file_hasher_done (const struct v2v_file_hasher *h)
{
  return h->done;
}

void
v2v_file_hasher_free (struct v2v_file_hasher *h)
{
  if (h == NULL)
    return;
  h->stop = true;
  pthread_join (h->thread, NULL);
  hasher_clear (h);
  free (h);
}

int
v2v_file_hash (struct v2v_io *io, const char *algorithm,
               const atomic_bool *cancel, uint8_t out[V2V_DIGEST_MAX_SIZE],
               size_t *ret_len, struct v2v_error **err)
{
  struct v2v_file_hasher h = { .result = 0 };
  int r = hasher_init (&h, io, algorithm, cancel, err);

  if (r == 0)
    r = hasher_run (&h, err);
  if (r == 0)
    *ret_len = v2v_hash_final (h.hash, out);
  hasher_clear (&h);
  return r;
}
