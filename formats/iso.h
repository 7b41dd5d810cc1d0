/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small media: a few files as an ISO 9660 image in memory. */
#ifndef V2V_ISO_H
#define V2V_ISO_H

#include <stddef.h>

#include "formats/core/error.h"
#include "formats/core/text.h"

/* More is no medium for a seed, and all of it is kept in memory. */
#define V2V_ISO_MAX_BYTES (UINT64_C (64) << 20)

struct v2v_iso_file {
  const char *name; /* plain: in the root */
  const void *data;
  size_t len;
};

/* Append an image with the N FILES to OUT, labelled LABEL (up to 16 capital
 * letters, digits and '_', which Joliet has room for).  Names are there three
 * times: as ISO 9660 has them, for Linux (Rock Ridge) and for Windows
 * (Joliet).  */
int v2v_iso_write (const char *label, const struct v2v_iso_file *files,
                   size_t n, struct v2v_str *out, struct v2v_error **err);

#endif /* V2V_ISO_H */
