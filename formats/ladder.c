/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copy ladder.
 *
 * Sources: ioctl_ficlone(2); copy_file_range(2); statfs(2) for the magic
 * numbers of file systems.  Server-side copy is tried only where there is a
 * server: on a local file system without shared blocks copy_file_range was
 * measured at 1.7 s where our own copy took 0.96 s (see copy-offload.c).
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/chain.h"
#include "formats/ladder-internal.h"

/* One request to a server: long enough to be worth it, short enough to be
 * cancelled between two. */
#define SERVER_PIECE (UINT64_C (256) * V2V_MIB)

/* ---- the seam ---- */

static int
real_clone (int dst, int src)
{
#ifdef FICLONE
  return ioctl (dst, FICLONE, src);
#else
  (void) dst;
  (void) src;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

static ssize_t
real_copy_range (int src, off_t *src_offset, int dst, off_t *dst_offset,
                 size_t len)
{
  return copy_file_range (src, src_offset, dst, dst_offset, len, 0);
}

static long
real_file_system (int fd)
{
  struct statfs st;

  return fstatfs (fd, &st) == -1 ? -1 : (long) st.f_type;
}

struct ladder_calls ladder_calls = {
  .clone = real_clone,
  .copy_range = real_copy_range,
  .file_system = real_file_system,
};

/* ---- steps ---- */

static const char *const names[V2V_NR_RUNGS] = {
  [V2V_RUNG_REFLINK] = "reflink",
  [V2V_RUNG_SERVER] = "server-side copy",
  [V2V_RUNG_DIFFERENCING] = "differencing",
  [V2V_RUNG_COPY] = "copy",
};

const char *
v2v_rung_name (enum v2v_rung r)
{
  return names[r];
}

void
v2v_ladder_result_clear (struct v2v_ladder_result *r)
{
  for (size_t i = 0; i < r->nr_steps; ++i)
    free (r->steps[i].reason);
  memset (r, 0, sizeof *r);
}

struct v2v_json *
v2v_ladder_to_json (const struct v2v_ladder_result *r)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < r->nr_steps; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "way", names[r->steps[i].rung]);
    v2v_json_set_bool (o, "taken", r->steps[i].taken);
    v2v_json_set_string (o, "reason", r->steps[i].reason);
    v2v_json_append (list, o);
  }
  return list;
}

static int note (struct v2v_ladder_result *r, enum v2v_rung rung, bool taken,
                 struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6)));
static int
note (struct v2v_ladder_result *r, enum v2v_rung rung, bool taken,
      struct v2v_error **err, const char *fmt, ...)
{
  struct v2v_ladder_step *s = &r->steps[r->nr_steps];
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&s->reason, fmt, args);
  va_end (args);
  if (n == -1) {
    s->reason = NULL;
    return v2v_fail_nomem (err);
  }
  s->rung = rung;
  s->taken = taken;
  r->nr_steps++;
  return taken ? 1 : 0;
}

/* The two files of one try; the second is PATH.part. */
struct pair {
  struct v2v_io *src, *dst;
  int src_fd, dst_fd;
};

static void
pair_close (struct pair *p)
{
  v2v_io_unref (p->src);
  v2v_io_unref (p->dst); /* not published: removed */
}
#define CLEANUP_PAIR __attribute__ ((cleanup (pair_close)))

static int
pair_open (struct pair *p, const char *src, const char *dst,
           const struct v2v_ladder_opts *opts, struct v2v_error **err)
{
  uint64_t offset, len;

  p->src = v2v_io_open (src, V2V_IO_FOLLOW, err);
  if (p->src == NULL)
    return -1;
  p->dst = v2v_io_create_part (dst, opts->replace ? V2V_IO_REPLACE : 0, err);
  if (p->dst == NULL)
    return -1;
  if (!v2v_io_fd (p->src, 0, &p->src_fd, &offset, &len) ||
      !v2v_io_fd (p->dst, 0, &p->dst_fd, &offset, &len))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: is not a file", src);
  return 0;
}

/* What no other way could do better either. */
static bool
is_fatal (int e)
{
  return e == ENOSPC || e == EDQUOT || e == EIO || e == EFBIG || e == EROFS;
}

static const char *
why_not (int e)
{
  switch (e) {
  case EXDEV:
    return "the two are on different file systems";
  case EOPNOTSUPP:
  case ENOTTY:
  case EINVAL:
  case ENOSYS:
    return "the file system cannot";
  case EPERM:
  case EACCES:
    return "the system does not allow it";
  }
  return strerror (e);
}

/* Each rung: 1 = taken, 0 = not, -1 = error. */

static int
try_reflink (struct pair *p, const struct v2v_ladder_opts *opts,
             struct v2v_ladder_result *ret, struct v2v_error **err)
{
  int r;

  if (opts->no_reflink)
    return note (ret, V2V_RUNG_REFLINK, false, err, "not wanted");
  do
    r = ladder_calls.clone (p->dst_fd, p->src_fd);
  while (r == -1 && errno == EINTR);
  if (r == 0)
    return note (ret, V2V_RUNG_REFLINK, true, err,
                 "the new file shares the blocks of the old one");
  if (is_fatal (errno))
    return v2v_fail_errno (err, "%s: reflink", v2v_io_name (p->dst));
  return note (ret, V2V_RUNG_REFLINK, false, err, "%s", why_not (errno));
}

/* File systems whose data is on another machine: magic numbers of the kernel
 * (include/uapi/linux/magic.h and the file systems' own headers). */
static const char *
server_name (long type)
{
  static const struct {
    uint32_t magic;
    const char *name;
  } servers[] = {
    { 0x00006969, "NFS" },  { 0xff534d42, "SMB" },  { 0xfe534d42, "SMB" },
    { 0x00c36400, "Ceph" }, { 0x65735546, "FUSE" }, { 0x5346414f, "AFS" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (servers); ++i)
    if ((uint32_t) type == servers[i].magic)
      return servers[i].name;
  return NULL;
}

/* One run of data.  1 = the server did it; 0 = it will not, errno says why. */
static int
copy_run (struct pair *p, uint64_t offset, uint64_t length,
          const struct v2v_copy_opts *opts, struct v2v_error **err)
{
  off_t from = (off_t) offset, to = (off_t) offset;

  while (length > 0) {
    const size_t n = (size_t) v2v_min_u64 (length, SERVER_PIECE);
    ssize_t done;

    if (opts->cancel != NULL && atomic_load (opts->cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    done = ladder_calls.copy_range (p->src_fd, &from, p->dst_fd, &to, n);
    if (done == -1 && errno == EINTR)
      continue;
    if (done == -1 && is_fatal (errno))
      return v2v_fail_errno (err,
                             "%s: server-side copy of %zu bytes at "
                             "%" PRIu64,
                             v2v_io_name (p->dst), n, offset);
    if (done == 0)
      errno = ENODATA; /* some servers say nothing when they cannot */
    if (done <= 0)
      return 0;
    length -= v2v_min_u64 (length, (uint64_t) done);
  }
  return 1;
}

static int
try_server (struct pair *p, const struct v2v_ladder_opts *opts,
            struct v2v_ladder_result *ret, struct v2v_error **err)
{
  const char *server = server_name (ladder_calls.file_system (p->dst_fd));
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  const uint64_t size = v2v_io_size (p->src);

  if (server == NULL ||
      server_name (ladder_calls.file_system (p->src_fd)) == NULL)
    return note (ret, V2V_RUNG_SERVER, false, err, "%s is not on a file server",
                 v2v_io_name (server == NULL ? p->dst : p->src));
  if (v2v_io_resize (p->dst, size, err) == -1 ||
      (size > 0 && v2v_io_extents (p->src, size, 0, &list, err) == -1))
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    int r;

    if (list.ptr[i].type != V2V_EXTENT_DATA)
      continue;
    r = copy_run (p, list.ptr[i].offset, list.ptr[i].length, &opts->copy, err);
    if (r == -1)
      return -1;
    if (r == 0)
      return note (ret, V2V_RUNG_SERVER, false, err, "%s: %s", server,
                   why_not (errno));
  }
  return note (ret, V2V_RUNG_SERVER, true, err, "%s copied it by itself",
               server);
}

static int
try_differencing (const char *src, const char *dst,
                  const struct v2v_ladder_opts *opts,
                  struct v2v_ladder_result *ret, struct v2v_error **err)
{
  const struct v2v_chain_opts chain = { .parent_absolute_path =
                                            opts->parent_absolute_path };
  struct v2v_chain_result result = { .path = NULL };
  struct v2v_error *e = NULL;
  int r;

  if (!opts->differencing)
    return note (ret, V2V_RUNG_DIFFERENCING, false, err,
                 "a file of its own is wanted");
  r = v2v_chain_create_child (src, dst, &chain, &result, &e);
  v2v_chain_result_clear (&result);
  if (r == 0)
    return note (ret, V2V_RUNG_DIFFERENCING, true, err,
                 "the new file reads from the old one, which must not change");
  if (v2v_error_code (e) != V2V_ERR_UNSUPPORTED)
    return v2v_error_move (err, e);
  r = note (ret, V2V_RUNG_DIFFERENCING, false, err, "%s",
            v2v_error_message (e));
  v2v_error_free (e);
  return r;
}

static int
copy_through (const char *src, const char *dst,
              const struct v2v_ladder_opts *opts, struct v2v_ladder_result *ret,
              struct v2v_error **err)
{
  const struct v2v_open_opts open = { .format = "raw" };
  struct v2v_image *from = v2v_image_open (src, &open, err), *to = NULL;
  struct v2v_create_opts create = { .replace = opts->replace };
  struct v2v_copy_opts copy = opts->copy;
  struct v2v_copy_result result = { 0 };
  int r = -1;

  if (from == NULL)
    return -1;
  create.size_bytes = v2v_image_size (from);
  copy.no_reflink = true; /* was tried */
  to = v2v_image_create (dst, "raw", &create, err);
  /* A disk ends with a whole sector, a file need not. */
  if (to != NULL && v2v_copy (from, to, &copy, &result, err) == 0 &&
      v2v_io_resize (v2v_image_io (to), ret->file_bytes, err) == 0 &&
      v2v_image_finish (to, err) == 0)
    r = note (ret, V2V_RUNG_COPY, true, err,
              "%" PRIu64 " bytes of data, by %u threads", result.data_bytes,
              result.threads);
  v2v_copy_result_clear (&result);
  v2v_image_close (from);
  v2v_image_close (to);
  return r;
}

/* ---- all of them ---- */

static int
climb (const char *src, const char *dst, const struct v2v_ladder_opts *opts,
       struct v2v_ladder_result *ret, struct v2v_error **err)
{
  int r;

  {
    CLEANUP_PAIR struct pair p = { .src = NULL };

    if (pair_open (&p, src, dst, opts, err) == -1)
      return -1;
    ret->file_bytes = v2v_io_size (p.src);
    r = try_reflink (&p, opts, ret, err);
    if (r == 0)
      r = try_server (&p, opts, ret, err);
    if (r == 1)
      r = v2v_io_publish (p.dst, err) == -1 ? -1 : 1;
  }
  if (r == 0)
    r = try_differencing (src, dst, opts, ret, err);
  if (r == 0)
    r = copy_through (src, dst, opts, ret, err);
  return r == -1 ? -1 : 0;
}

int
v2v_ladder_copy (const char *src, const char *dst,
                 const struct v2v_ladder_opts *opts,
                 struct v2v_ladder_result *ret, struct v2v_error **err)
{
  struct timespec begin, end;

  memset (ret, 0, sizeof *ret);
  clock_gettime (CLOCK_MONOTONIC, &begin);
  if (climb (src, dst, opts, ret, err) == -1) {
    v2v_ladder_result_clear (ret);
    return -1;
  }
  clock_gettime (CLOCK_MONOTONIC, &end);
  ret->seconds = (double) (end.tv_sec - begin.tv_sec) +
                 (double) (end.tv_nsec - begin.tv_nsec) / 1e9;
  return 0;
}
