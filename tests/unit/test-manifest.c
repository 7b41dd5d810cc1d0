/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests and signatures. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/manifest.h"

#define H40 "0123456789abcdef0123456789ABCDEF01234567"
#define F40 "ffffffffffffffffffffffffffffffffffffffff"
#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct v2v_manifest *
parse (const char *text, bool tolerant, struct v2v_error **err)
{
  return v2v_manifest_parse (text, strlen (text), "t.mf", tolerant, err);
}

static void
one (const char *text, const char *algorithm, const char *name)
{
  struct v2v_error *err = NULL;
  struct v2v_manifest *mf = parse (text, false, &err);

  assert_ptr (mf, err);
  assert_int_equal (mf->nr_entries, 1);
  assert_string_equal (mf->entries[0].algorithm, algorithm);
  assert_string_equal (mf->entries[0].name, name);
  assert_int_equal (strspn (mf->entries[0].hex, "0123456789abcdef"),
                    v2v_manifest_hex_len (algorithm));
  v2v_manifest_free (mf);
}

static void
test_lines_of_each_tool (void **state)
{
  (void) state;
  one ("SHA1(a.vmdk)= " H40 "\n", "sha1", "a.vmdk");
  one ("SHA256(a.vmdk)= " H64 "\r\n", "sha256", "a.vmdk");
  one ("SHA512(a)=" H64 H64, "sha512", "a");
  one ("\xef\xbb\xbfSHA1(a)= " H40, "sha1", "a");
  one ("SHA256 (my disk (1).vmdk) = " H64 "  \n\n", "sha256",
       "my disk (1).vmdk");
  one ("sha-256(a=b.vmdk)= " H64, "sha256", "a=b.vmdk");
  one ("\n\nSHA1(a)= " H40 "\nSHA1(a)= " H40 "\n", "sha1", "a");
}

static void
refused (const char *text, const char *why)
{
  struct v2v_error *err = NULL;
  struct v2v_manifest *mf;

  assert_null (parse (text, false, &err));
  assert_error (&err, V2V_ERR_FORMAT, why);
  mf = parse (text, true, &err);
  assert_ptr (mf, err);
  assert_int_equal (mf->nr_entries, 0);
  assert_int_equal (mf->nr_odd_lines, 1);
  v2v_manifest_free (mf);
}

static void
test_odd_lines_are_refused_when_strict (void **state)
{
  (void) state;
  refused ("hello", "line 1 is not of the form");
  refused ("\nMD5(a)= 00", "line 2 has an unknown algorithm");
  refused ("SHA1(a)= 0123", "wrong length");
  refused ("SHA256(a)= " H40, "wrong length");
  refused ("SHA1(a)= " H40 "zz", "not of the form");
  refused ("SHA1(../a)= " H40, "no plain file");
  refused ("SHA1(/etc/passwd)= " H40, "no plain file");
  refused ("SHA1()= " H40, "no plain file");
}

static void
test_two_digests_of_one_file_are_refused (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (parse ("SHA1(a)= " H40 "\nSHA1(a)= " F40, true, &err));
  assert_error (&err, V2V_ERR_FORMAT, "listed twice");
}

/* ---- signatures, made by openssl's program ---- */

static void
run (const char *dir, const char *const argv[])
{
  CLEANUP_FREE char *out = NULL;

  assert_int_not_equal (asprintf (&out, "%s/out", dir), -1);
  if (test_run (argv, out) != 0)
    fail_msg ("%s %s failed", argv[0], argv[1]);
}

static char *
in (const char *dir, const char *name)
{
  char *s;

  assert_int_not_equal (asprintf (&s, "%s/%s", dir, name), -1);
  return s;
}

/* A key, its self-signed certificate, and the .cert of MF. */
static char *
make_cert (const char *dir, const char *mf, size_t *ret_len)
{
  CLEANUP_FREE char *key = in (dir, "key.pem"), *pem = in (dir, "ca.pem");
  CLEANUP_FREE char *mf_path = in (dir, "t.mf"), *sig = in (dir, "sig");
  CLEANUP_FREE char *sig_bytes = NULL, *pem_bytes = NULL, *hex = NULL;
  size_t sig_len, pem_len;
  char *cert;

  test_write_file (mf_path, mf, strlen (mf));
  run (dir, (const char *const[]){ "openssl", "req", "-x509", "-newkey",
                                   "rsa:2048", "-nodes", "-days", "30", "-subj",
                                   "/O=Acme/CN=Signer", "-keyout", key, "-out",
                                   pem, NULL });
  run (dir, (const char *const[]){ "openssl", "dgst", "-sha256", "-sign", key,
                                   "-out", sig, mf_path, NULL });
  sig_bytes = test_read_file (sig, &sig_len);
  pem_bytes = test_read_file (pem, &pem_len);
  hex = malloc (2 * sig_len + 1);
  assert_non_null (hex);
  v2v_hex (sig_bytes, sig_len, hex);
  *ret_len = (size_t) asprintf (&cert, "SHA256(t.mf)= %s\n%.*s", hex,
                                (int) pem_len, pem_bytes);
  return cert;
}

static void
test_a_signature_fits_only_its_manifest (void **state)
{
  static const char mf[] = "SHA1(a)= " H40 "\n";
  struct v2v_signature s = { .signer = NULL };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *cert = NULL, *ca = in (dir, "ca.pem");
  CLEANUP_FREE char *other = in (dir, "other.pem"), *none = in (dir, "none");
  struct v2v_error *err = NULL;
  size_t len;

  (void) state;
  if (!test_have ("openssl")) {
    test_tmpdir_remove (dir);
    skip ();
  }
  cert = make_cert (dir, mf, &len);
  assert_ok (v2v_signature_check (cert, len, "t.cert", mf, strlen (mf), NULL,
                                  &s, &err),
             err);
  assert_true (s.verified);
  assert_false (s.trusted);
  assert_string_equal (s.signer, "CN=Signer,O=Acme");
  v2v_signature_clear (&s);

  assert_ok (
      v2v_signature_check (cert, len, "t.cert", mf, strlen (mf), ca, &s, &err),
      err);
  assert_true (s.verified && s.trusted);
  v2v_signature_clear (&s);

  assert_ok (
      v2v_signature_check (cert, len, "t.cert", "other", 5, ca, &s, &err), err);
  assert_false (s.verified);
  assert_false (s.trusted);
  assert_non_null (s.problem);
  v2v_signature_clear (&s);

  /* Another authority, and one that is not there. */
  run (dir, (const char *const[]){ "openssl", "req", "-x509", "-newkey",
                                   "rsa:2048", "-nodes", "-subj", "/CN=Other",
                                   "-keyout", none, "-out", other, NULL });
  assert_ok (v2v_signature_check (cert, len, "t.cert", mf, strlen (mf), other,
                                  &s, &err),
             err);
  assert_true (s.verified);
  assert_false (s.trusted);
  v2v_signature_clear (&s);
  assert_ok (v2v_signature_check (cert, len, "t.cert", mf, strlen (mf),
                                  "/nonexistent", &s, &err),
             err);
  assert_false (s.trusted);
  v2v_signature_clear (&s);
  test_tmpdir_remove (dir);
}

static void
malformed (const char *cert, const char *why)
{
  struct v2v_signature s = { .signer = NULL };
  struct v2v_error *err = NULL;

  assert_int_equal (v2v_signature_check (cert, strlen (cert), "t.cert", "x", 1,
                                         NULL, &s, &err),
                    -1);
  assert_error (&err, V2V_ERR_FORMAT, why);
  assert_null (s.signer);
}

static void
test_malformed_certificates_are_refused (void **state)
{
  (void) state;
  malformed ("", "first line");
  malformed ("hello\n", "first line");
  malformed ("ROT13(t.mf)= 00\n", "unknown digest");
  malformed ("SHA256(t.mf)= xy\n", "not hexadecimal");
  malformed ("SHA256(t.mf)=\n", "not hexadecimal");
  malformed ("SHA256(t.mf)= 00ff\n", "no certificate");
  malformed ("SHA256(t.mf)= 00ff\n-----BEGIN CERTIFICATE-----\nAAAA\n"
             "-----END CERTIFICATE-----\n",
             "no certificate");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_lines_of_each_tool),
    cmocka_unit_test (test_odd_lines_are_refused_when_strict),
    cmocka_unit_test (test_two_digests_of_one_file_are_refused),
    cmocka_unit_test (test_a_signature_fits_only_its_manifest),
    cmocka_unit_test (test_malformed_certificates_are_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
