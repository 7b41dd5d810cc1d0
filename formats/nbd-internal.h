/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between nbd.c and the drivers that read through a server of their own. */
#ifndef V2V_NBD_INTERNAL_H
#define V2V_NBD_INTERNAL_H

#include <stddef.h>

#include "formats/image.h"

/* A server that says nothing for so long while a request waits is given up.
 * Only tests change it.
 */
extern int v2v_nbd_silence_ms;

/* Open H, a handle of v2v_nbd_ops, on N sockets that are connected to one
 * server (and not spoken on yet).  Takes over the sockets, also on failure.
 * No other connection is made later.
 */
int v2v_nbd_open_sockets (void *h, const int *sockets, size_t n,
                          const struct v2v_open_opts *opts,
                          struct v2v_error **err);

#endif /* V2V_NBD_INTERNAL_H */
