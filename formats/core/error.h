/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: an object created once, where the fault is detected; context is
 * prefixed on the way up; the program prints it once.
 *
 *   if (offset > size)
 *     return v2v_fail (err, V2V_ERR_FORMAT, "BAT: entry %u at %" PRIu64
 *                      ", past the end (%" PRIu64 ")", i, offset, size);
 *   ...
 *   if (vhdx_read_bat (h, err) == -1)
 *     return v2v_prefix (err, "%s", name);
 *
 * WRONG: v2v_fail twice on one path (asserted); a message that starts with a
 * capital or ends in a full stop; printing from library code.
 */
#ifndef V2V_ERROR_H
#define V2V_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* What kind of fault it is.  The program maps each to an exit status, see
 * v2v_error_exit_status and v2v(1) "EXIT STATUS".
 */
enum v2v_error_code {
  V2V_ERR_IO = 1,      /* the system refused: open, read, write, ENOSPC */
  V2V_ERR_FORMAT,      /* the file is malformed */
  V2V_ERR_UNSUPPORTED, /* well formed, but not something we convert */
  V2V_ERR_USAGE,       /* the caller asked for something impossible */
  V2V_ERR_GUEST,       /* the guest inside cannot be converted */
  V2V_ERR_NOMEM,       /* allocation failed */
  V2V_ERR_MISMATCH,    /* contents differ: compare, digests, manifests, CIDs */
  V2V_ERR_INTERRUPTED, /* stopped by a signal or by the caller */
};

struct v2v_error;

/* Create an error in *ERR.  ERR may be NULL (the caller does not care); *ERR
 * must be NULL on entry (asserted).  Always returns -1, so that callers can
 * write "return v2v_fail (...)".  errno survives.
 */
int v2v_fail (struct v2v_error **err, enum v2v_error_code code, const char *fmt,
              ...) __attribute__ ((format (printf, 3, 4)));

/* The same for a failed system call: V2V_ERR_IO (V2V_ERR_NOMEM if errno is
 * ENOMEM), with ": " and the text of errno appended.
 */
int v2v_fail_errno (struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));

/* Allocation failure: needs no allocation itself. */
int v2v_fail_nomem (struct v2v_error **err);

/* Put "context: " before the message.  Returns -1.  No-op if ERR or *ERR is
 * NULL.
 */
int v2v_prefix (struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));

/* The same with NAME alone, unless the message begins with it already: an io
 * below has the same name. */
int v2v_prefix_name (struct v2v_error **err, const char *name);

/* Set the hint: what the user can do about it; a sentence without full stop,
 * shown on a second line.  Returns -1.
 */
int v2v_hint (struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));

enum v2v_error_code v2v_error_code (const struct v2v_error *e);
const char *v2v_error_message (const struct v2v_error *e);
const char *v2v_error_hint (const struct v2v_error *e); /* or NULL */
int v2v_error_errno (const struct v2v_error *e);        /* 0 if none */

/* "format", "io" ...: the stable name of a code, for --json. */
const char *v2v_error_code_name (enum v2v_error_code code);

/* The exit status of the program for CODE:
 * USAGE 2, FORMAT 3, UNSUPPORTED 4, IO 5, GUEST 6, MISMATCH 7, NOMEM 8,
 * INTERRUPTED 130.
 */
int v2v_error_exit_status (enum v2v_error_code code);

void v2v_error_free (struct v2v_error *e); /* accepts NULL */

/* Hand an error from one place to another: *DST must be NULL or DST NULL (then
 * SRC is freed).  Returns -1.
 */
int v2v_error_move (struct v2v_error **dst, struct v2v_error *src);

#endif /* V2V_ERROR_H */
