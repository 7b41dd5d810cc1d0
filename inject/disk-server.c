/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbdkit with our plugin, one for each disk.  nbdkit(1).
 *
 * The server opens the disk a second time: by its path when it has one, so
 * that parents and extents beside it are found; else, when all of it is in one
 * piece of one file (a disk inside an OVA, a file unpacked to a temporary
 * place that has no name any more), through the descriptor we have open; else
 * by its name in its package.  The socket is in a folder of mode 0700.  --exit-with-parent: it does not outlive us, killed or not.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/tempdir.h"
#include "inject/child.h"
#include "inject/disk-server.h"

/* A plugin that opens a chain of large disks reads their tables first. */
#define START_MS 60000
#define STEP_MS  10
#define MAX_ARGS 64

struct v2v_disk_server {
  struct v2v_child child;
  struct v2v_tempdir *dir;
  char socket[48];
  char pid_file[48];
  char *uri;
};

/* The plugin of the tree that is tested, or the installed one. */
static const char *
plugin_name (void)
{
  const char *name = getenv ("V2V_NBDKIT_PLUGIN");

  return name != NULL && name[0] != '\0' ? name : "v2v";
}

struct arguments {
  const char *argv[MAX_ARGS];
  size_t n;
  char *owned[MAX_ARGS];
  size_t nr_owned;
};

static void
arguments_free (struct arguments *a)
{
  for (size_t i = 0; i < a->nr_owned; ++i)
    free (a->owned[i]);
}
#define CLEANUP_ARGUMENTS __attribute__ ((cleanup (arguments_free)))

static int
add (struct arguments *a, const char *arg, struct v2v_error **err)
{
  if (a->n >= MAX_ARGS - 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "more than %d arguments for nbdkit: too many --search",
                     MAX_ARGS);
  a->argv[a->n++] = arg;
  return 0;
}

static int add_owned (struct arguments *a, struct v2v_error **err,
                      const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));
static int
add_owned (struct arguments *a, struct v2v_error **err, const char *fmt, ...)
{
  va_list args;
  char *s;
  int n;

  va_start (args, fmt);
  n = vasprintf (&s, fmt, args);
  va_end (args);
  if (n == -1)
    return v2v_fail_nomem (err);
  if (a->nr_owned == MAX_ARGS) {
    free (s);
    return add (a, "", err);
  }
  a->owned[a->nr_owned++] = s;
  return add (a, s, err);
}

/* Is all of IMG in one piece of one open file?  A VMDK that is text names its
 * extents; a child, its parents. */
static int
is_one_piece (struct v2v_image *img, int *ret_fd, uint64_t *ret_offset,
              struct v2v_error **err)
{
  struct v2v_io *io = v2v_image_io (img);
  uint64_t contiguous;
  char magic[4];

  if (v2v_image_chain_length (img) != 1 || v2v_io_size (io) < sizeof magic ||
      !v2v_io_fd (io, 0, ret_fd, ret_offset, &contiguous) ||
      contiguous < v2v_io_size (io))
    return 0;
  if (strcmp (v2v_image_get_ops (img)->name, "vmdk") != 0)
    return 1;
  if (v2v_io_pread (io, magic, sizeof magic, 0, err) == -1)
    return -1;
  return memcmp (magic, "KDMV", 4) == 0 || memcmp (magic, "COWD", 4) == 0;
}

/* How the plugin finds IMG; *RET_FD is what it inherits, or -1. */
static int
describe_disk (struct arguments *a, struct v2v_image *img,
               const struct v2v_disk_origin *origin, int *ret_fd,
               struct v2v_error **err)
{
  struct v2v_io *io = v2v_image_io (img);
  const char *path = io ? v2v_io_path (io) : v2v_image_name (img);
  uint64_t offset;
  int fd, r;

  *ret_fd = -1;
  if (add_owned (a, err, "format=%s", v2v_image_get_ops (img)->name) == -1)
    return -1;
  if (path != NULL)
    return add_owned (a, err, "file=%s", path);
  r = is_one_piece (img, &fd, &offset, err);
  if (r == -1)
    return -1;
  if (r == 1) {
    *ret_fd = fd;
    return add_owned (a, err, "file=/dev/fd/%d", V2V_CHILD_FD) == -1 ||
                   add_owned (a, err, "offset=%" PRIu64, offset) == -1 ||
                   add_owned (a, err, "size=%" PRIu64, v2v_io_size (io)) == -1
               ? -1
               : 0;
  }
  if (origin->package != NULL && origin->disk != NULL)
    return add_owned (a, err, "package=%s", origin->package) == -1 ||
                   add_owned (a, err, "disk=%s", origin->disk) == -1
               ? -1
               : 0;
  return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                   "%s: is not in one piece of one file, so it cannot be "
                   "served to the appliance",
                   v2v_image_name (img));
}

/* nbdkit writes its number when it takes connections. */
static int
wait_until_ready (struct v2v_disk_server *s, struct v2v_error **err)
{
  const struct timespec pause = { .tv_nsec = STEP_MS * 1000000L };
  CLEANUP_FREE char *complaint = NULL;
  int status;

  for (int waited = 0; waited < START_MS; waited += STEP_MS) {
    if (access (s->pid_file, F_OK) == 0)
      return 0;
    if (v2v_child_wait (&s->child, 0, &status) == 1) {
      complaint = v2v_child_complaint (&s->child);
      return v2v_fail (err, V2V_ERR_IO, "%s",
                       complaint ? complaint : "nbdkit: ended at once");
    }
    nanosleep (&pause, NULL);
  }
  return v2v_fail (err, V2V_ERR_IO, "nbdkit: not ready in %d seconds",
                   START_MS / 1000);
}

static int
start (struct v2v_disk_server *s, struct v2v_image *img,
       const struct v2v_disk_origin *origin, struct v2v_error **err)
{
  CLEANUP_ARGUMENTS struct arguments a = { 0 };
  const char *const fixed[] = {
    "nbdkit",  "--foreground", "--exit-with-parent", "--readonly",  "--unix",
    s->socket, "--pidfile",    s->pid_file,          plugin_name ()
  };
  int fd;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fixed); ++i)
    if (add (&a, fixed[i], err) == -1)
      return -1;
  if (describe_disk (&a, img, origin, &fd, err) == -1)
    return -1;
  for (size_t i = 0; origin->search != NULL && origin->search[i] != NULL; ++i)
    if (add_owned (&a, err, "search=%s", origin->search[i]) == -1)
      return -1;
  a.argv[a.n] = NULL;
  if (v2v_child_start (&s->child, a.argv, fd, err) == -1)
    return v2v_hint (err, "the package 'nbdkit' serves the disks to the "
                          "appliance; --no-guest needs none");
  return wait_until_ready (s, err);
}

struct v2v_disk_server *
v2v_disk_server_start (struct v2v_image *img,
                       const struct v2v_disk_origin *origin,
                       struct v2v_error **err)
{
  struct v2v_disk_server *s = calloc (1, sizeof *s);

  if (s == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  s->child = (struct v2v_child) V2V_CHILD_INIT;
  /* Not TMPDIR: the name of a socket has 107 bytes. */
  s->dir = v2v_tempdir_new ("/tmp", err);
  if (s->dir == NULL) {
    free (s);
    return NULL;
  }
  snprintf (s->socket, sizeof s->socket, "%s/sock", v2v_tempdir_path (s->dir));
  snprintf (s->pid_file, sizeof s->pid_file, "%s/pid",
            v2v_tempdir_path (s->dir));
  if (asprintf (&s->uri, "nbd+unix:///?socket=%s", s->socket) == -1) {
    s->uri = NULL;
    v2v_fail_nomem (err);
  }
  if (s->uri == NULL || start (s, img, origin, err) == -1) {
    v2v_disk_server_end (s);
    return NULL;
  }
  return s;
}

const char *
v2v_disk_server_uri (const struct v2v_disk_server *s)
{
  return s->uri;
}

void
v2v_disk_server_end (struct v2v_disk_server *s)
{
  if (s == NULL)
    return;
  v2v_child_end (&s->child);
  v2v_tempdir_free (s->dir);
  free (s->uri);
  free (s);
}
