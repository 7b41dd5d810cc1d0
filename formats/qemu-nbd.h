/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A qemu-nbd of our own, serving one image read-only to us alone. */
#ifndef V2V_QEMU_NBD_H
#define V2V_QEMU_NBD_H

#include <stddef.h>
#include <sys/types.h>

#include "formats/core/error.h"

/* Connections made to one server. */
#define V2V_QEMU_NBD_MAX_SOCKETS 4

/* The name under which the server finds the descriptor it was given. */
#define V2V_QEMU_NBD_FILE "/dev/fd/4"

struct v2v_qemu_nbd {
  pid_t pid;      /* 0 = not started */
  int complaints; /* where its standard error goes */
};

/* Start "qemu-nbd IMAGE", IMAGE being a "json:{...}" that may name
 * V2V_QEMU_NBD_FILE, which is IMAGE_FD there.  On success SOCKETS are N
 * (<= V2V_QEMU_NBD_MAX_SOCKETS) connections; the caller owns them.  The server
 * ends when the last of them is closed, so also when we are killed.
 */
int v2v_qemu_nbd_start (struct v2v_qemu_nbd *server, const char *image,
                        int image_fd, int *sockets, size_t n,
                        struct v2v_error **err);

/* What the server has written about its trouble (one line), or NULL; the
 * caller frees.
 */
char *v2v_qemu_nbd_complaint (const struct v2v_qemu_nbd *server);

/* End it and wait.  Accepts one that was not started. */
void v2v_qemu_nbd_stop (struct v2v_qemu_nbd *server);

#endif /* V2V_QEMU_NBD_H */
