/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that belong to a machine description: a folder, an archive read
 * in place, or a tar that comes through a pipe.  Names are plain: nothing
 * outside of the package is ever opened.
 */
#ifndef V2V_PACKAGE_H
#define V2V_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

struct v2v_package;

/* Members of an archive: vApp packages have some hundred, chunked ones some
 * thousand.  Each new name is compared with all others: this many take less
 * than a second.
 */
#define V2V_PACKAGE_MAX_MEMBERS 16384
/* Descriptors, manifests and certificates are read into memory. */
#define V2V_PACKAGE_MAX_TEXT ((size_t) 16 * 1024 * 1024)

struct v2v_package *v2v_package_folder (const char *dir,
                                        struct v2v_error **err);
/* IO is a tar (its own reference is taken); all headers are read now. */
struct v2v_package *v2v_package_tar (struct v2v_io *io, struct v2v_error **err);
/* IO is a forward-only tar; headers are read when they come. */
struct v2v_package *v2v_package_stream (struct v2v_io *io,
                                        struct v2v_error **err);
/* The name of a stream's next member becomes known, if the one before was read
 * to its end; nothing else changes. */
int v2v_package_look_ahead (struct v2v_package *pkg, struct v2v_error **err);
/* An archive without members; v2v_package_add_member fills it. */
struct v2v_package *v2v_package_empty (struct v2v_error **err);
/* SIZE bytes at OFFSET of IO (referenced) are the file NAME.  A name that is
 * there already is refused; "._NAME" (macOS) is ignored.
 */
int v2v_package_add_member (struct v2v_package *pkg, const char *name,
                            struct v2v_io *io, uint64_t offset, uint64_t size,
                            struct v2v_error **err);

struct v2v_package *v2v_package_ref (struct v2v_package *pkg);
void v2v_package_unref (struct v2v_package *pkg); /* accepts NULL */

/* Find the one file whose name ends in SUFFIX (without case): its plain name,
 * to be freed.  0, or -1; *RET is NULL when there is none.  Two are
 * V2V_ERR_FORMAT naming both.  A stream is read until one comes.
 * In an archive the folder of this file becomes the one that all other names
 * are relative to if ENTER.
 */
int v2v_package_find_suffix (struct v2v_package *pkg, const char *suffix,
                             bool enter, char **ret, struct v2v_error **err);

/* Is there a file NAME?  1 with its size, 0, or -1.  For a stream: only what
 * has come so far.
 */
int v2v_package_stat (struct v2v_package *pkg, const char *name,
                      uint64_t *ret_size, struct v2v_error **err);

/* Open NAME; siblings of the io are found in the package too.  Not there:
 * V2V_ERR_IO with ENOENT.  *RET_SPOOLED (may be NULL) is set to true when the
 * file had to go through a temporary file.
 */
struct v2v_io *v2v_package_open (struct v2v_package *pkg, const char *name,
                                 bool *ret_spooled, struct v2v_error **err);

/* The whole text of NAME, and a NUL after it; the caller frees. */
char *v2v_package_read_text (struct v2v_package *pkg, const char *name,
                             size_t *ret_len, struct v2v_error **err);

bool v2v_package_is_stream (const struct v2v_package *pkg);
/* In a stream: has NAME been handed out, so that it cannot be read again? */
bool v2v_package_is_gone (const struct v2v_package *pkg, const char *name);

/* Does NAME end in SUFFIX, without case? */
bool v2v_package_has_suffix (const char *name, const char *suffix);

#endif /* V2V_PACKAGE_H */
