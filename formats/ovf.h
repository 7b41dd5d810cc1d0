/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an OVF descriptor: the text in, machines out.  Files are not
 * touched here; formats/source.c finds them.
 */
#ifndef V2V_OVF_H
#define V2V_OVF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/machine.h"

/* A File element of References. */
struct v2v_ovf_file {
  char *id;
  char *href;           /* as written: NOT yet checked to be a plain name */
  uint64_t size_bytes;  /* of the file as stored; 0 = not said */
  uint64_t chunk_bytes; /* 0 = in one piece */
  char *compression;    /* "gzip" or NULL; others are refused */
};

struct v2v_ovf {
  struct v2v_ovf_file *files; /* in the order of References */
  size_t nr_files;
  struct v2v_machine **machines; /* in document order */
  size_t nr_machines;
  char *configuration; /* the deployment option that was taken, or NULL */
};

/* Parse LEN bytes of text.  NAME goes into messages.  DEPLOYMENT_OPTION is the
 * id of a Configuration, or NULL for the package's own default.  Returns NULL
 * with V2V_ERR_FORMAT, V2V_ERR_UNSUPPORTED or (an unknown option)
 * V2V_ERR_USAGE.
 */
struct v2v_ovf *v2v_ovf_parse (const void *text, size_t len, const char *name,
                               const char *deployment_option,
                               struct v2v_error **err);
void v2v_ovf_free (struct v2v_ovf *ovf); /* accepts NULL */

#endif /* V2V_OVF_H */
