/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines of a library that go to a host, or from one host to another. */
#ifndef V2V_MACHINE_MOVE_H
#define V2V_MACHINE_MOVE_H

#include "library/hosts.h"

struct v2v_move_result {
  char *from;     /* host, or "" */
  char *folder;   /* its name below the host's path */
  bool was_there; /* nothing was sent; what an earlier move left was done */
  size_t nr_bases, nr_bases_sent;
  struct v2v_host_sent sent; /* without the bases */
};
void v2v_move_result_clear (struct v2v_move_result *r);

/* Machine ID of LIB goes to the host TO: bases that are there stay where they
 * are, those that are missing are sent, then its folder; its differencing
 * disks get the paths of their parents on that host.  The row follows when all
 * is there and compared; then the old place is emptied.  Killed before that,
 * the machine is where it was; after it, at the new place, and the same call
 * empties the old one.  Refused while the machine runs. */
int v2v_machine_move (struct v2v_library *lib, const struct v2v_hosts *hosts,
                      const char *id, const char *to,
                      const struct v2v_copy_opts *copy,
                      struct v2v_move_result *ret, struct v2v_error **err);

/* Remove machine ID, which is on a host: its registration, its folder, its
 * row.  Refused while it runs. */
int v2v_machine_remove (struct v2v_library *lib, const struct v2v_hosts *hosts,
                        const char *id, struct v2v_error **err);

#endif /* V2V_MACHINE_MOVE_H */
