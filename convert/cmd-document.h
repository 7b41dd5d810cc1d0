/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `v2v profile` and `v2v template` share: both handle the documents of a
 * library.  Private to the program. */
#ifndef V2V_CMD_DOCUMENT_H
#define V2V_CMD_DOCUMENT_H

#include "convert/cmd.h"
#include "library/document.h"
#include "library/library.h"

/* Options of both; a value outside of this range is the command's own. */
enum {
  DOC_OPT_CAPABILITY = CMD_OPT_FIRST,
  DOC_OPT_FORCE,
  DOC_OPT_FROM,
  DOC_OPT_LIBRARY,
  DOC_OPT_NAME,
  DOC_OPT_SET,
  DOC_OPT_FIRST
};

struct document_args {
  const char *capability;
  const char *from;
  const char *library;
  const char *name;
  const char *output;
  struct cmd_list set;
  bool force;
  struct v2v_library *lib; /* of --library, once it is open */
};

/* 1 = it was one of these options, 0 = not, -1 = an error. */
int document_option (struct document_args *a, int c, const char *arg,
                     struct v2v_error **err);

/* Open what --library names, if it is given; the caller closes a->lib. */
int document_open_library (struct document_args *a, struct v2v_error **err);
/* Load FILE, or with LIB (may be NULL) what has that name there and is no file;
 * KINDS are those expected. */
struct v2v_document *document_open (struct v2v_library *lib, const char *file,
                                    const enum v2v_document_kind *kinds,
                                    size_t nr_kinds, struct v2v_error **err);
struct v2v_document *document_from_library (struct v2v_library *lib,
                                            const char *ref,
                                            const enum v2v_document_kind *kinds,
                                            size_t nr_kinds,
                                            struct v2v_error **err);
/* Put D into LIB with its relations, and print its id. */
int document_store (const struct cli *cli, struct v2v_library *lib,
                    const struct v2v_document *d, struct v2v_error **err);
/* PATH=VALUE of each --set. */
int document_apply_set (struct v2v_document *d, const struct document_args *a,
                        struct v2v_error **err);
/* Name, identify, check, and write to --output, into --library, or print. */
int document_finish (const struct cli *cli, struct v2v_document *d,
                     const struct document_args *a, struct v2v_error **err);
/* The whole of a file of JSON. */
struct v2v_json *document_read_json (const char *file, struct v2v_error **err);
/* "sha256:..." of D; the caller frees. */
char *document_digest_text (const struct v2v_document *d,
                            struct v2v_error **err);

/* The verbs; ARGS are behind the verb. */
int document_show (const struct cli *cli, const struct v2v_document *d,
                   struct v2v_error **err);
/* CHANGES, from the first to the second; the status of the command. */
int document_print_diff (const struct cli *cli,
                         const struct v2v_document_changes *changes,
                         struct v2v_error **err);
int document_diff (const struct cli *cli, const struct v2v_document *a,
                   const struct v2v_document *b, struct v2v_error **err);

/* FILE holds the valid D, which has these findings. */
struct v2v_json *document_verdict_json (const char *file,
                                        const struct v2v_document *d,
                                        const struct v2v_findings *f);
void document_print_verdict (const char *file, const struct v2v_document *d,
                             const struct v2v_findings *f);

#endif /* V2V_CMD_DOCUMENT_H */
