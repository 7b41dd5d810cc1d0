/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests: the only file that includes OpenSSL's EVP. */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/digest.h"

struct v2v_hash {
  EVP_MD_CTX *ctx;
};

void
v2v_sha256 (const void *buf, size_t len, uint8_t out[V2V_SHA256_SIZE])
{
  unsigned n = 0;

  /* A library without SHA-256 could not have loaded this program's TLS; there
   * is no input that makes this fail. */
  if (EVP_Digest (buf, len, out, &n, EVP_sha256 (), NULL) != 1 ||
      n != V2V_SHA256_SIZE)
    abort ();
}

struct v2v_hash *
v2v_hash_new (const char *algorithm, struct v2v_error **err)
{
  const EVP_MD *md = EVP_get_digestbyname (algorithm);
  struct v2v_hash *h;

  if (md == NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "unknown digest '%.20s'", algorithm);
    return NULL;
  }
  h = calloc (1, sizeof *h);
  if (h == NULL || (h->ctx = EVP_MD_CTX_new ()) == NULL ||
      EVP_DigestInit_ex (h->ctx, md, NULL) != 1) {
    v2v_hash_free (h);
    v2v_fail_nomem (err);
    return NULL;
  }
  return h;
}

void
v2v_hash_update (struct v2v_hash *h, const void *buf, size_t len)
{
  if (EVP_DigestUpdate (h->ctx, buf, len) != 1)
    abort ();
}

size_t
v2v_hash_final (struct v2v_hash *h, uint8_t out[V2V_DIGEST_MAX_SIZE])
{
  unsigned n = 0;

  if (EVP_DigestFinal_ex (h->ctx, out, &n) != 1)
    abort ();
  return n;
}

void
v2v_hash_free (struct v2v_hash *h)
{
  if (h == NULL)
    return;
  EVP_MD_CTX_free (h->ctx);
  free (h);
}

uint64_t
v2v_disk_digest_block_len (const struct v2v_disk_digest *d, uint64_t block)
{
  return v2v_min_u64 (V2V_DIGEST_BLOCK,
                      d->size_bytes - block * V2V_DIGEST_BLOCK);
}

struct v2v_disk_digest *
v2v_disk_digest_new (uint64_t size_bytes, struct v2v_error **err)
{
  struct v2v_disk_digest *d = calloc (1, sizeof *d);
  CLEANUP_FREE void *zeros = calloc (1, V2V_DIGEST_BLOCK);
  uint8_t zero_digest[V2V_SHA256_SIZE];

  if (d == NULL || zeros == NULL)
    goto nomem;
  d->size_bytes = size_bytes;
  d->nr_blocks = v2v_div_up (size_bytes, V2V_DIGEST_BLOCK);
  d->blocks = reallocarray (NULL, d->nr_blocks ? d->nr_blocks : 1,
                            V2V_SHA256_SIZE);
  if (d->blocks == NULL)
    goto nomem;

  v2v_sha256 (zeros, V2V_DIGEST_BLOCK, zero_digest);
  for (uint64_t b = 0; b < d->nr_blocks; ++b)
    memcpy (d->blocks + b * V2V_SHA256_SIZE, zero_digest, V2V_SHA256_SIZE);
  if (d->nr_blocks > 0)
    v2v_disk_digest_block (d, d->nr_blocks - 1, zeros);
  return d;

nomem:
  v2v_disk_digest_free (d);
  v2v_fail_nomem (err);
  return NULL;
}

void
v2v_disk_digest_block (struct v2v_disk_digest *d, uint64_t block,
                       const void *buf)
{
  v2v_sha256 (buf, (size_t) v2v_disk_digest_block_len (d, block),
              d->blocks + block * V2V_SHA256_SIZE);
}

void
v2v_disk_digest_finish (struct v2v_disk_digest *d)
{
  v2v_sha256 (d->blocks, (size_t) (d->nr_blocks * V2V_SHA256_SIZE), d->root);
  d->complete = true;
}

void
v2v_disk_digest_free (struct v2v_disk_digest *d)
{
  if (d == NULL)
    return;
  free (d->blocks);
  free (d);
}
