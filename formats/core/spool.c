/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary files without a name. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/spool.h"

/* Zeros are looked for in pieces of this size, the block of most file
 * systems.
 */
#define HOLE 4096

struct v2v_spool {
  int fd;
  char *name;
  uint64_t size;
  uint64_t max;
};

/* A descriptor that no path leads to. */
static int
open_unnamed (struct v2v_error **err)
{
  const char *dir = getenv ("TMPDIR");
  CLEANUP_FREE char *path = NULL;
  int fd;

  if (dir == NULL || *dir == '\0')
    dir = "/var/tmp"; /* not /tmp: that is often in memory */
  fd = open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd != -1)
    return fd;
  /* File systems without O_TMPFILE. */
  if (asprintf (&path, "%s/v2v-XXXXXX", dir) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  fd = mkostemp (path, O_CLOEXEC);
  if (fd == -1)
    return v2v_fail_errno (err, "temporary file in %s", dir);
  unlink (path);
  return fd;
}

struct v2v_spool *
v2v_spool_new (const char *name, uint64_t max_bytes, struct v2v_error **err)
{
  struct v2v_spool *s = calloc (1, sizeof *s);

  if (s == NULL || (s->name = strdup (name)) == NULL) {
    free (s);
    v2v_fail_nomem (err);
    return NULL;
  }
  s->max = max_bytes;
  s->fd = open_unnamed (err);
  if (s->fd == -1) {
    v2v_prefix (err, "%s", name);
    v2v_spool_free (s);
    return NULL;
  }
  return s;
}

static int
write_all (struct v2v_spool *s, const char *p, size_t len,
           struct v2v_error **err)
{
  while (len > 0) {
    const ssize_t n = pwrite (s->fd, p, len, (off_t) s->size);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1) {
      v2v_fail_errno (err, "%s: writing to a temporary file", s->name);
      return v2v_hint (err, "set TMPDIR to a folder with more room");
    }
    p += n;
    len -= (size_t) n;
    s->size += (uint64_t) n;
  }
  return 0;
}

int
v2v_spool_write (struct v2v_spool *s, const void *buf, size_t len,
                 struct v2v_error **err)
{
  const char *p = buf;

  if (len > s->max - s->size)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: unpacks to more than the %" PRIu64
                     " bytes that are allowed",
                     s->name, s->max);
  while (len > 0) {
    const size_t n =
        (size_t) v2v_min_u64 (len, HOLE - (size_t) (s->size % HOLE));

    if (n == HOLE && v2v_is_zero (p, n))
      s->size += n;
    else {
      size_t run = n;

      while (run + HOLE <= len && !v2v_is_zero (p + run, HOLE))
        run += HOLE;
      if (write_all (s, p, run, err) == -1)
        return -1;
      p += run;
      len -= run;
      continue;
    }
    p += n;
    len -= n;
  }
  return 0;
}

uint64_t
v2v_spool_size (const struct v2v_spool *s)
{
  return s->size;
}

void
v2v_spool_free (struct v2v_spool *s)
{
  if (s == NULL)
    return;
  if (s->fd >= 0)
    close (s->fd);
  free (s->name);
  free (s);
}

/* ---- the spooled file as an io ---- */

static int
spool_pread (void *vh, void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  const struct v2v_spool *s = vh;
  char *p = buf;

  while (len > 0) {
    const ssize_t n = pread (s->fd, p, len, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err,
                             "temporary file: reading %zu bytes at "
                             "%" PRIu64,
                             len, offset);
    if (n == 0)
      return v2v_fail (err, V2V_ERR_IO,
                       "temporary file ended early at "
                       "%" PRIu64,
                       offset);
    p += n;
    len -= (size_t) n;
    offset += (uint64_t) n;
  }
  return 0;
}

static bool
spool_fd (void *vh, uint64_t offset, int *ret_fd, uint64_t *ret_fd_offset,
          uint64_t *ret_len)
{
  const struct v2v_spool *s = vh;

  *ret_fd = s->fd;
  *ret_fd_offset = offset;
  *ret_len = s->size - offset;
  return true;
}

static void
spool_close (void *vh)
{
  v2v_spool_free (vh);
}

static const struct v2v_io_ops spool_ops = {
  .kind = "spool",
  .pread = spool_pread,
  .fd = spool_fd,
  .close = spool_close,
};

struct v2v_io *
v2v_spool_finish (struct v2v_spool *s, struct v2v_error **err)
{
  CLEANUP_FREE char *name = strdup (s->name);

  if (name == NULL) {
    v2v_spool_free (s);
    v2v_fail_nomem (err);
    return NULL;
  }
  /* A trailing hole is not there yet. */
  if (ftruncate (s->fd, (off_t) s->size) == -1) {
    v2v_fail_errno (err, "%s: temporary file", name);
    v2v_spool_free (s);
    return NULL;
  }
  return v2v_io_new (&spool_ops, s, name, s->size, false, err);
}
