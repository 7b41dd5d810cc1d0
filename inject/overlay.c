/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overlays in qcow2 version 3 ("Qcow2 Image File Format", QEMU's
 * docs/interop/qcow2.txt): a cluster is absent (look below), zero (freed by a
 * trim: hides what is below), or data.
 */

#include <config.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/child.h"
#include "inject/overlay.h"

#define CREATE_SECONDS 60

struct v2v_overlay {
  struct v2v_disk_server *server;
  char *path;
};

static int
create (const struct v2v_overlay *o, uint64_t size, struct v2v_error **err)
{
  char bytes[24];
  /* The backing format is said: QEMU must not guess it from the guest's
   * bytes.  -u: it is not opened now. */
  const char *const argv[] = {
    "qemu-img", "create", "-q",  "-f", "qcow2",
    "-u",       "-F",     "raw", "-b", v2v_disk_server_uri (o->server),
    "--",       o->path,  bytes, NULL,
  };

  snprintf (bytes, sizeof bytes, "%" PRIu64, size);
  if (v2v_child_run (argv, CREATE_SECONDS, err) == -1)
    return v2v_prefix (err, "overlay");
  return 0;
}

struct v2v_overlay *
v2v_overlay_new (struct v2v_image *img, const char *path,
                 const struct v2v_disk_origin *origin, struct v2v_error **err)
{
  struct v2v_overlay *o = calloc (1, sizeof *o);

  if (o == NULL || (o->path = strdup (path)) == NULL) {
    free (o);
    v2v_fail_nomem (err);
    return NULL;
  }
  o->server = v2v_disk_server_start (img, origin, err);
  if (o->server == NULL || create (o, v2v_image_size (img), err) == -1) {
    v2v_overlay_free (o);
    return NULL;
  }
  return o;
}

const char *
v2v_overlay_path (const struct v2v_overlay *o)
{
  return o->path;
}

int
v2v_overlay_detach (struct v2v_overlay *o, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (o->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

  v2v_disk_server_end (STEAL (o->server));
  if (fd == -1 || fsync (fd) == -1)
    return v2v_fail_errno (err, "%s", o->path);
  return 0;
}

void
v2v_overlay_free (struct v2v_overlay *o)
{
  if (o == NULL)
    return;
  v2v_disk_server_end (o->server);
  free (o->path);
  free (o);
}

int
v2v_overlay_lay (const char *path, struct v2v_image **img,
                 struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .format = "qcow2", .overlay = true };
  struct v2v_image *top = v2v_image_open (path, &opts, err);

  if (top == NULL)
    return -1;
  if (v2v_image_set_base (top, *img, err) == -1) {
    v2v_image_close (top);
    return -1;
  }
  *img = top;
  return 0;
}
