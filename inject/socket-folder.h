/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder where libguestfs has its sockets. */
#ifndef V2V_SOCKET_FOLDER_H
#define V2V_SOCKET_FOLDER_H

#include "formats/core/tempdir.h"

/* libguestfs makes a folder for its sockets in /tmp (as root) or
 * XDG_RUNTIME_DIR, whatever guestfs_set_tmpdir says, and leaves it when its
 * process is killed: let it go with T.  For all appliances that this process
 * has; may be called again. */
void guest_adopt_sockets (struct v2v_tempdir *t);

#endif /* V2V_SOCKET_FOLDER_H */
