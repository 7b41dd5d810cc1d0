/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by source.c, source-open.c and source-manifest.c. */
#ifndef V2V_SOURCE_INTERNAL_H
#define V2V_SOURCE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/machine-internal.h"
#include "formats/machine.h"
#include "formats/manifest.h"
#include "formats/ovf.h"
#include "formats/package.h"

struct v2v_source {
  char *path;
  const char *kind; /* "ovf", "ova", "vmx", "disk" */
  struct v2v_package *package;
  struct v2v_ovf *ovf;        /* owns the machines of an OVF */
  struct v2v_machine *single; /* of a .vmx or a bare disk */
  char *descriptor;           /* plain name in the package */
  char **search;              /* folders, NULL-terminated, or NULL */
  bool unpacked;              /* the whole package went through a temporary
                               file */

  enum v2v_manifest_policy policy;
  char *manifest_name;
  struct v2v_manifest *manifest; /* or NULL */
  bool manifest_partial; /* there is one, and it does not list every file */
  struct v2v_signature signature;
  bool is_signed;
};

/* Add one finding to every machine of SRC. */
int source_finding (struct v2v_source *src, enum v2v_severity severity,
                    const char *id, const char *subject, struct v2v_error **err,
                    const char *fmt, ...)
    __attribute__ ((format (printf, 6, 7)));

/* For the chunk N of file NAME: whether it is there, and its length. */
bool source_chunk_size (struct v2v_source *src, const char *name, unsigned n,
                        uint64_t *ret_size);

/* The machines, whichever reader made them. */
struct v2v_machine *source_machine (const struct v2v_source *src, size_t i);

/* Read and check .mf and .cert beside the descriptor TEXT, by src->policy. */
int source_read_manifest (struct v2v_source *src, const char *text, size_t len,
                          const char *ca_file, struct v2v_error **err);

/* In a pipe: BASE, the file NAME, wrapped so that the manifest's digest is
 * computed while it is read; BASE itself if it is not listed.  Takes BASE
 * over, also on failure.  SRC must live longer than the io.
 */
struct v2v_io *source_hash_passing (struct v2v_source *src, const char *name,
                                    struct v2v_io *base,
                                    struct v2v_error **err);

/* The name that FILE of the description has in the package: as written, or
 * with %XX decoded if only that is there.  New string; NULL with ERR if the
 * name is not allowed.  *RET_FOUND: it is there.
 */
char *source_file_name (struct v2v_source *src, const char *file,
                        bool *ret_found, uint64_t *ret_size,
                        struct v2v_error **err);

#endif /* V2V_SOURCE_INTERNAL_H */
