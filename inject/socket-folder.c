/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of the sockets of this host are libguestfs' and ours: those that a
 * descriptor of this process stands for.  proc(5): /proc/net/unix has "Num:
 * RefCount Protocol Flags Type St Inode Path".
 */

#include <config.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/socket-folder.h"

/* What libguestfs calls its end of the line to the appliance. */
#define SOCKET_NAME "/guestfsd.sock"
/* The path of a socket has 108 bytes. */
#define MAX_LINE 256

static bool
is_our_inode (uintmax_t inode)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir ("/proc/self/fd");
  struct dirent *d;
  char want[48];

  snprintf (want, sizeof want, "socket:[%ju]", inode);
  while (dir != NULL && (d = readdir (dir)) != NULL) {
    char got[48];
    const ssize_t n = readlinkat (dirfd (dir), d->d_name, got, sizeof got - 1);

    if (n <= 0)
      continue;
    got[n] = '\0';
    if (strcmp (got, want) == 0)
      return true;
  }
  return false;
}

void
guest_adopt_sockets (struct v2v_tempdir *t)
{
  CLEANUP_FCLOSE FILE *fp = fopen ("/proc/net/unix", "re");
  char line[MAX_LINE];

  while (fp != NULL && fgets (line, sizeof line, fp) != NULL) {
    char *path = strchr (line, '/'), *end;
    uintmax_t inode;

    line[strcspn (line, "\n")] = '\0';
    if (path == NULL || (end = strstr (path, SOCKET_NAME)) == NULL ||
        end[sizeof SOCKET_NAME - 1] != '\0' ||
        sscanf (line, "%*s %*s %*s %*s %*s %*s %ju", &inode) != 1 ||
        !is_our_inode (inode))
      continue;
    *end = '\0';
    v2v_tempdir_adopt (t, path);
  }
}
