/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of the host that we start: their complaints kept, never waited for
 * without an end, never left behind.
 */
#ifndef V2V_CHILD_H
#define V2V_CHILD_H

#include <sys/types.h>

#include "formats/core/error.h"

/* The number under which a child finds the descriptor it was given. */
#define V2V_CHILD_FD 4

struct v2v_child {
  pid_t pid;      /* 0 = not started, or waited for */
  int complaints; /* its standard error; -1 = none */
};
#define V2V_CHILD_INIT                                                         \
  {                                                                            \
    .pid = 0, .complaints = -1                                                 \
  }

/* Start ARGV[0], looked for in PATH; FD (or -1) is V2V_CHILD_FD there.
 * Standard input is empty, output goes nowhere. */
int v2v_child_start (struct v2v_child *c, const char *const argv[], int fd,
                     struct v2v_error **err);
/* The same; IO_FD (a socket) is its standard input and output. */
int v2v_child_start_io (struct v2v_child *c, const char *const argv[],
                        int io_fd, struct v2v_error **err);
/* 1 = it has ended, *RET_STATUS as of waitpid; 0 = it has not in so many
 * milliseconds. */
int v2v_child_wait (struct v2v_child *c, int milliseconds, int *ret_status);
/* The first line it complained with, or NULL; the caller frees. */
char *v2v_child_complaint (const struct v2v_child *c);
/* End it, wait, release; accepts one that was not started. */
void v2v_child_end (struct v2v_child *c);

/* Start ARGV, wait up to SECONDS; an exit status but 0 is an error with its
 * complaint. */
int v2v_child_run (const char *const argv[], unsigned seconds,
                   struct v2v_error **err);

#endif /* V2V_CHILD_H */
