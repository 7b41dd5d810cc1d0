/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests: the only file that includes OpenSSL's EVP. */

#include <config.h>

#include <stdlib.h>

#include <openssl/evp.h>

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
