/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of a package (.mf): digests of its files. */
#ifndef V2V_MANIFEST_H
#define V2V_MANIFEST_H

#include <stddef.h>

#include "formats/core/error.h"
#include "formats/machine.h"

struct v2v_manifest {
  struct v2v_manifest_entry *entries;
  size_t nr_entries;
  unsigned nr_odd_lines; /* not understood; only when tolerant */
};

/* Parse "SHA256(name)= hex" lines.  Blanks, CR, a byte order mark and either
 * case are accepted always.  Other odd lines, names with a path and unknown
 * algorithms are errors unless TOLERANT; a name twice with different digests
 * is always one.  NAME is for messages.
 */
struct v2v_manifest *v2v_manifest_parse (const void *text, size_t len,
                                         const char *name, bool tolerant,
                                         struct v2v_error **err);
void v2v_manifest_free (struct v2v_manifest *mf); /* accepts NULL */

/* Length of ALGORITHM's digest in hex digits; 0 if unknown. */
size_t v2v_manifest_hex_len (const char *algorithm);

/* ---- signature.c: the .cert beside it ---- */

struct v2v_signature {
  char *signer;  /* subject of the certificate, RFC 2253 */
  bool verified; /* the signature fits the manifest's bytes */
  bool trusted;  /* the chain leads to a certificate of CA_FILE */
  char *problem; /* why not verified or not trusted, or NULL */
};

/* CERT is the text of the .cert file, MF that of the manifest.  CA_FILE may be
 * NULL: then nobody is trusted.  0, or -1 when the file is malformed or
 * memory is short; a signature that does not fit is a result, not an error.
 */
int v2v_signature_check (const void *cert, size_t cert_len, const char *name,
                         const void *mf, size_t mf_len, const char *ca_file,
                         struct v2v_signature *ret, struct v2v_error **err);
void v2v_signature_clear (struct v2v_signature *s);

#endif /* V2V_MANIFEST_H */
