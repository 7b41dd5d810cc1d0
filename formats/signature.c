/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of packages: the .cert file, verified with OpenSSL.
 *
 * DSP0243 2.1 section 6: one line "SHA256(NAME.mf)= HEX", the signature of the
 * manifest's bytes, then the signer's certificate in PEM, and those between it
 * and the authority.  Whom to trust is the operator's choice: the signer is
 * reported, and the chain is checked against a file of authorities when one
 * is given.  CMS signatures of OVF 2 are not read.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/manifest.h"

/* An RSA key of 16384 bits signs with 2048 bytes. */
#define MAX_SIGNATURE    2048
#define MAX_CERTIFICATES 16

struct parsed {
  const EVP_MD *md;
  uint8_t signature[MAX_SIGNATURE];
  size_t signature_len;
  X509 *signer;
  STACK_OF (X509) * others;
};

void
v2v_signature_clear (struct v2v_signature *s)
{
  free (s->signer);
  free (s->problem);
  memset (s, 0, sizeof *s);
}

static void
parsed_clear (struct parsed *p)
{
  X509_free (p->signer);
  sk_X509_pop_free (p->others, X509_free);
  ERR_clear_error ();
}

/* "SHA256(x.mf)= 12ab...", the first line with a parenthesis. */
static int
read_signature (const char *text, size_t len, struct parsed *p,
                struct v2v_error **err)
{
  CLEANUP_FREE char *line = NULL;
  const char *nl = memchr (text, '\n', len);
  char *open, *eq, *hex, *end;

  line = strndup (text, nl != NULL ? (size_t) (nl - text) : len);
  if (line == NULL)
    return v2v_fail_nomem (err);
  open = strchr (line, '(');
  eq = strrchr (line, '=');
  if (open == NULL || eq == NULL || eq < open)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "first line is not SHA256(name.mf)= signature");
  *open = '\0';
  while (open > line && open[-1] == ' ')
    *--open = '\0';
  p->md = EVP_get_digestbyname (line);
  if (p->md == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "unknown digest '%.20s' in the first line", line);
  hex = eq + 1 + strspn (eq + 1, " \t");
  end = hex + strcspn (hex, " \t\r");
  *end = '\0';
  p->signature_len = (size_t) (end - hex) / 2;
  if (p->signature_len == 0 || p->signature_len > MAX_SIGNATURE ||
      !v2v_unhex (hex, (size_t) (end - hex), p->signature, p->signature_len))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "signature is not hexadecimal of 1..%d bytes",
                     MAX_SIGNATURE);
  return 0;
}

static int
read_certificates (const char *text, size_t len, struct parsed *p,
                   struct v2v_error **err)
{
  BIO *bio = BIO_new_mem_buf (text, (int) len);
  X509 *x;
  int n = 0;

  p->others = sk_X509_new_null ();
  if (bio == NULL || p->others == NULL) {
    BIO_free (bio);
    return v2v_fail_nomem (err);
  }
  while (n < MAX_CERTIFICATES &&
         (x = PEM_read_bio_X509 (bio, NULL, NULL, NULL)) != NULL) {
    n++;
    if (p->signer == NULL)
      p->signer = x;
    else if (sk_X509_push (p->others, x) == 0) {
      X509_free (x);
      BIO_free (bio);
      return v2v_fail_nomem (err);
    }
  }
  BIO_free (bio);
  ERR_clear_error ();
  if (p->signer == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "has no certificate in PEM form");
  return 0;
}

static char *
subject_of (X509 *x)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *data, *copy = NULL;
  long len;

  if (bio == NULL)
    return NULL;
  /* RFC 2253 escapes control characters and what is not ASCII. */
  if (X509_NAME_print_ex (bio, X509_get_subject_name (x), 0, XN_FLAG_RFC2253) >=
      0) {
    len = BIO_get_mem_data (bio, &data);
    copy = strndup (len > 0 ? data : "", len > 0 ? (size_t) len : 0);
  }
  BIO_free (bio);
  return copy;
}

static bool
fits (const struct parsed *p, const void *mf, size_t mf_len)
{
  EVP_PKEY *key = X509_get0_pubkey (p->signer);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new ();
  const bool ok =
      key != NULL && ctx != NULL &&
      EVP_DigestVerifyInit (ctx, NULL, p->md, NULL, key) == 1 &&
      EVP_DigestVerify (ctx, p->signature, p->signature_len, mf, mf_len) == 1;

  EVP_MD_CTX_free (ctx);
  return ok;
}

/* Does the chain end in CA_FILE?  *RET_WHY, when not, is new. */
static bool
chain_is_trusted (const struct parsed *p, const char *ca_file, char **ret_why)
{
  X509_STORE *store = X509_STORE_new ();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new ();
  bool ok = false;

  if (store == NULL || ctx == NULL ||
      X509_STORE_load_locations (store, ca_file, NULL) != 1)
    *ret_why = strdup ("the file of authorities cannot be read");
  else if (X509_STORE_CTX_init (ctx, store, p->signer, p->others) != 1)
    *ret_why = strdup ("the chain cannot be checked");
  else {
    X509_STORE_CTX_set_flags (ctx, X509_V_FLAG_PARTIAL_CHAIN);
    ok = X509_verify_cert (ctx) == 1;
    if (!ok)
      *ret_why = strdup (
          X509_verify_cert_error_string (X509_STORE_CTX_get_error (ctx)));
  }
  X509_STORE_CTX_free (ctx);
  X509_STORE_free (store);
  return ok;
}

int
v2v_signature_check (const void *cert, size_t cert_len, const char *name,
                     const void *mf, size_t mf_len, const char *ca_file,
                     struct v2v_signature *ret, struct v2v_error **err)
{
  struct parsed p = { .signer = NULL };
  struct v2v_signature s = { .signer = NULL };

  if (read_signature (cert, cert_len, &p, err) == -1 ||
      read_certificates (cert, cert_len, &p, err) == -1) {
    parsed_clear (&p);
    return v2v_prefix (err, "%s", name);
  }
  s.signer = subject_of (p.signer);
  s.verified = fits (&p, mf, mf_len);
  if (!s.verified)
    s.problem = strdup ("the signature does not fit the manifest");
  else if (ca_file != NULL)
    s.trusted = chain_is_trusted (&p, ca_file, &s.problem);
  parsed_clear (&p);
  if (s.signer == NULL || (!s.verified && s.problem == NULL)) {
    v2v_signature_clear (&s);
    return v2v_fail_nomem (err);
  }
  *ret = s;
  return 0;
}
