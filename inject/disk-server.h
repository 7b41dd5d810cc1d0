/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that we can read, served to other programs of the host over a unix
 * socket by nbdkit and our plugin.
 */
#ifndef V2V_DISK_SERVER_H
#define V2V_DISK_SERVER_H

#include "formats/core/error.h"
#include "formats/image.h"

struct v2v_disk_server;

/* How a disk can be opened a second time. */
struct v2v_disk_origin {
  const char *package;       /* OVA, OVF or VMX it belongs to, or NULL */
  const char *disk;          /* its file name there */
  const char *const *search; /* folders where parents may be, or NULL */
};

/* Serve IMG read-only until the server is ended, or we are. */
struct v2v_disk_server *
v2v_disk_server_start (struct v2v_image *img,
                       const struct v2v_disk_origin *origin,
                       struct v2v_error **err);
/* "nbd+unix:///?socket=..."; borrowed. */
const char *v2v_disk_server_uri (const struct v2v_disk_server *s);
/* Accepts NULL; never fails. */
void v2v_disk_server_end (struct v2v_disk_server *s);

#endif /* V2V_DISK_SERVER_H */
