/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The digest of a disk: block digests in sparse pages.
 *
 * A page holds the digests of 1024 blocks (2 GiB of disk) and is allocated
 * when the first of them is not the digest of zeros; inside a page 32 zero
 * bytes stand for "zeros" (no input is known whose SHA-256 is zero).  Past the
 * memory bound digests go to a temporary file at BLOCK * 32, where a hole
 * means the same.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/digest.h"

#define PAGE_BLOCKS 1024
#define PAGE_BYTES  (PAGE_BLOCKS * V2V_SHA256_SIZE)

struct v2v_digest_pages {
  _Atomic (uint8_t *) *dir; /* NULL: zeros; &in_file: in the file */
  uint64_t nr_pages;
  pthread_mutex_t lock; /* allocation of pages, creation of the file */
  uint64_t nr_in_memory;
  uint64_t max_in_memory;
  int fd;                             /* the temporary file, or -1 */
  atomic_int failure;                 /* errno of the first failure */
  uint8_t zero[V2V_SHA256_SIZE];      /* of a whole block of zeros */
  uint8_t zero_last[V2V_SHA256_SIZE]; /* of the last block's length */
};

static uint8_t in_file; /* only its address is used */

uint64_t
v2v_disk_digest_block_len (const struct v2v_disk_digest *d, uint64_t block)
{
  assert (block < d->nr_blocks);
  return v2v_min_u64 (V2V_DIGEST_BLOCK,
                      d->size_bytes - block * V2V_DIGEST_BLOCK);
}

static const uint8_t *
zero_digest (const struct v2v_disk_digest *d, uint64_t block)
{
  return block == d->nr_blocks - 1 ? d->pages->zero_last : d->pages->zero;
}

struct v2v_disk_digest *
v2v_disk_digest_new (uint64_t size_bytes, struct v2v_error **err)
{
  CLEANUP_FREE void *zeros = NULL;
  struct v2v_disk_digest *d;
  struct v2v_digest_pages *p;

  if (size_bytes > V2V_DIGEST_MAX_DISK) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "digest of a disk of %" PRIu64 " bytes, at most %" PRIu64
              " are supported",
              size_bytes, V2V_DIGEST_MAX_DISK);
    return NULL;
  }
  d = calloc (1, sizeof *d);
  if (d == NULL)
    goto nomem;
  p = d->pages = calloc (1, sizeof *d->pages);
  if (p == NULL)
    goto nomem;
  p->fd = -1;
  pthread_mutex_init (&p->lock, NULL);
  d->size_bytes = size_bytes;
  d->nr_blocks = v2v_div_up (size_bytes, V2V_DIGEST_BLOCK);
  p->nr_pages = v2v_div_up (d->nr_blocks, PAGE_BLOCKS);
  p->max_in_memory = V2V_DIGEST_MEMORY / PAGE_BYTES;
  p->dir = calloc (p->nr_pages ? (size_t) p->nr_pages : 1, sizeof *p->dir);
  zeros = calloc (1, V2V_DIGEST_BLOCK);
  if (p->dir == NULL || zeros == NULL)
    goto nomem;

  v2v_sha256 (zeros, V2V_DIGEST_BLOCK, p->zero);
  if (d->nr_blocks > 0)
    v2v_sha256 (zeros, (size_t) v2v_disk_digest_block_len (d, d->nr_blocks - 1),
                p->zero_last);
  return d;

nomem:
  v2v_disk_digest_free (d);
  v2v_fail_nomem (err);
  return NULL;
}

void
v2v_disk_digest_limit_memory (struct v2v_disk_digest *d, uint64_t bytes)
{
  d->pages->max_in_memory = bytes / PAGE_BYTES;
}

static int
open_temporary (void)
{
  const char *dir = getenv ("TMPDIR");
  CLEANUP_FREE char *path = NULL;
  int fd;

  /* Not /tmp, which may be memory: the point is to leave memory alone. */
  if (asprintf (&path, "%s/v2v-digest.XXXXXX", dir ? dir : "/var/tmp") == -1) {
    path = NULL;
    return -1;
  }
  fd = mkostemp (path, O_CLOEXEC);
  if (fd != -1)
    unlink (path);
  return fd;
}

/* The page of BLOCK, made where it is not there.  NULL on failure. */
static uint8_t *
get_page (struct v2v_digest_pages *p, uint64_t block)
{
  _Atomic (uint8_t *) *slot = &p->dir[block / PAGE_BLOCKS];
  uint8_t *page = *slot;

  if (page != NULL)
    return page;
  V2V_LOCK_SCOPE (&p->lock);
  page = *slot;
  if (page != NULL)
    return page;
  if (p->nr_in_memory >= p->max_in_memory) {
    if (p->fd == -1)
      p->fd = open_temporary ();
    if (p->fd == -1)
      return NULL;
    page = &in_file;
  }
  else {
    page = calloc (1, PAGE_BYTES);
    if (page == NULL)
      return NULL;
    p->nr_in_memory++;
  }
  *slot = page;
  return page;
}

void
v2v_disk_digest_set (struct v2v_disk_digest *d, uint64_t block,
                     const uint8_t digest[V2V_SHA256_SIZE])
{
  struct v2v_digest_pages *p = d->pages;
  int expected = 0;
  uint8_t *page;

  assert (block < d->nr_blocks);
  if (p->dir[block / PAGE_BLOCKS] == NULL &&
      memcmp (digest, zero_digest (d, block), V2V_SHA256_SIZE) == 0)
    return;
  page = get_page (p, block);
  if (page == NULL)
    goto failed;
  if (page != &in_file)
    memcpy (page + block % PAGE_BLOCKS * V2V_SHA256_SIZE, digest,
            V2V_SHA256_SIZE);
  else if (pwrite (p->fd, digest, V2V_SHA256_SIZE,
                   (off_t) (block * V2V_SHA256_SIZE)) != V2V_SHA256_SIZE)
    goto failed;
  return;

failed:
  atomic_compare_exchange_strong (&p->failure, &expected,
                                  errno ? errno : ENOSPC);
}

void
v2v_disk_digest_block (struct v2v_disk_digest *d, uint64_t block,
                       const void *buf)
{
  uint8_t digest[V2V_SHA256_SIZE];

  v2v_sha256 (buf, (size_t) v2v_disk_digest_block_len (d, block), digest);
  v2v_disk_digest_set (d, block, digest);
}

/* Digests of N blocks of one page from BLOCK on, as they were stored. */
static int
load (const struct v2v_disk_digest *d, uint64_t block, uint64_t n, uint8_t *out,
      struct v2v_error **err)
{
  const struct v2v_digest_pages *p = d->pages;
  const uint8_t *page = p->dir[block / PAGE_BLOCKS];
  const size_t len = (size_t) n * V2V_SHA256_SIZE;
  size_t got = 0;

  memset (out, 0, len);
  if (page == NULL)
    return 0;
  if (page != &in_file) {
    memcpy (out, page + block % PAGE_BLOCKS * V2V_SHA256_SIZE, len);
    return 0;
  }
  while (got < len) { /* what lies past its end is zeros, as in a hole */
    const ssize_t r = pread (p->fd, out + got, len - got,
                             (off_t) (block * V2V_SHA256_SIZE + got));

    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return v2v_fail_errno (err, "temporary file of block digests");
    if (r == 0)
      break;
    got += (size_t) r;
  }
  return 0;
}

int
v2v_disk_digest_get (const struct v2v_disk_digest *d, uint64_t block,
                     uint8_t out[V2V_SHA256_SIZE], struct v2v_error **err)
{
  assert (block < d->nr_blocks);
  if (load (d, block, 1, out, err) == -1)
    return -1;
  if (v2v_is_zero (out, V2V_SHA256_SIZE))
    memcpy (out, zero_digest (d, block), V2V_SHA256_SIZE);
  return 0;
}

int
v2v_disk_digest_finish (struct v2v_disk_digest *d, struct v2v_error **err)
{
  struct v2v_digest_pages *p = d->pages;
  CLEANUP_FREE uint8_t *zeros = malloc (PAGE_BYTES);
  CLEANUP_FREE uint8_t *buf = malloc (PAGE_BYTES);
  uint8_t out[V2V_DIGEST_MAX_SIZE];
  struct v2v_hash *h;

  if (p->failure != 0) {
    errno = p->failure;
    return v2v_fail_errno (err, "temporary file of block digests");
  }
  if (zeros == NULL || buf == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < PAGE_BLOCKS; ++i)
    memcpy (zeros + i * V2V_SHA256_SIZE, p->zero, V2V_SHA256_SIZE);
  h = v2v_hash_new ("sha256", err);
  if (h == NULL)
    return -1;

  for (uint64_t b = 0; b < d->nr_blocks; b += PAGE_BLOCKS) {
    const uint64_t n = v2v_min_u64 (PAGE_BLOCKS, d->nr_blocks - b);
    const bool last = b + n == d->nr_blocks;

    if (p->dir[b / PAGE_BLOCKS] == NULL && !last) {
      v2v_hash_update (h, zeros, PAGE_BYTES);
      continue;
    }
    if (load (d, b, n, buf, err) == -1) {
      v2v_hash_free (h);
      return -1;
    }
    for (uint64_t i = 0; i < n; ++i)
      if (v2v_is_zero (buf + i * V2V_SHA256_SIZE, V2V_SHA256_SIZE))
        memcpy (buf + i * V2V_SHA256_SIZE, zero_digest (d, b + i),
                V2V_SHA256_SIZE);
    v2v_hash_update (h, buf, (size_t) n * V2V_SHA256_SIZE);
  }
  v2v_hash_final (h, out);
  v2v_hash_free (h);
  memcpy (d->root, out, sizeof d->root);
  d->complete = true;
  return 0;
}

void
v2v_disk_digest_free (struct v2v_disk_digest *d)
{
  if (d == NULL)
    return;
  if (d->pages != NULL) {
    struct v2v_digest_pages *p = d->pages;

    for (uint64_t i = 0; p->dir != NULL && i < p->nr_pages; ++i)
      if (p->dir[i] != &in_file)
        free (p->dir[i]);
    free (p->dir);
    if (p->fd != -1)
      close (p->fd);
    pthread_mutex_destroy (&p->lock);
    free (p);
  }
  free (d);
}
