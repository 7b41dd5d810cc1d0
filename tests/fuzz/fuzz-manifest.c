/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A manifest, strict and tolerant, and the same bytes as a .cert file. */

#include <config.h>

#include "formats/manifest.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_signature s = { .signer = NULL };
  struct v2v_error *err = NULL;

  v2v_manifest_free (v2v_manifest_parse (data, size, "fuzz", false, &err));
  v2v_error_free (err);
  err = NULL;
  v2v_manifest_free (v2v_manifest_parse (data, size, "fuzz", true, &err));
  v2v_error_free (err);
  err = NULL;
  if (v2v_signature_check (data, size, "fuzz", "x", 1, NULL, &s, &err) == 0)
    v2v_signature_clear (&s);
  v2v_error_free (err);
  return 0;
}
