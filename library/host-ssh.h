/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the driver "ssh". */
#ifndef V2V_HOST_SSH_H
#define V2V_HOST_SSH_H

#include "inject/child.h"
#include "library/hosts-internal.h"

/* cmd.exe, the usual shell of OpenSSH on Windows, takes no longer lines. */
#define SSH_MAX_COMMAND 8191

/* The command for VERB: powershell.exe and its script, encoded; the caller
 * frees. */
char *ssh_command (const char *verb, struct v2v_error **err);

/* RFC 4648; the decoder wants whole groups and no blanks. */
int ssh_base64 (struct v2v_str *out, const void *bytes, size_t len);
/* *RET_LEN bytes; NULL: it is none, or out of memory. */
void *ssh_unbase64 (const char *text, size_t len, size_t *ret_len);

/* One verb that runs on the host: a socket that is its standard input and
 * output. */
struct ssh_call {
  const char *verb;
  struct v2v_child child;
  int fd;
  const atomic_bool *cancel;
  char *buf; /* read, not yet taken */
  size_t pos, len;
};
/* Start VERB with the members of DATA (borrowed) and "root". */
int ssh_call_begin (struct ssh_call *c, const struct v2v_host *host,
                    const char *verb, struct v2v_json *data,
                    const atomic_bool *cancel, struct v2v_error **err);
int ssh_call_send (struct ssh_call *c, const void *bytes, size_t len,
                   struct v2v_error **err);
/* One line of at most MAX bytes; the caller frees. */
char *ssh_call_line (struct ssh_call *c, size_t max, struct v2v_error **err);
/* LEN bytes to FD. */
int ssh_call_copy (struct ssh_call *c, int fd, uint64_t len,
                   struct v2v_error **err);
/* The line of JSON that says whether it went well. */
struct v2v_json *ssh_call_answer (struct ssh_call *c, struct v2v_error **err);
/* Accepts one that was not begun. */
void ssh_call_end (struct ssh_call *c);

#endif /* V2V_HOST_SSH_H */
