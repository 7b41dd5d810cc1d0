/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbd: a disk served by somebody else, read-only.
 *
 * "NBD protocol" (doc/proto.md of the NBD project): negotiation with
 * structured replies, block size constraints, NBD_CMD_READ and
 * NBD_CMD_BLOCK_STATUS for the contexts "base:allocation" and QEMU's
 * "qemu:allocation-depth".  Writing is left out.
 *
 * The only file that includes libnbd.  A libnbd handle runs one command at a
 * time here; threads take handles from a pool, which grows while the server
 * says that several connections see the same disk (multi-conn).  Every wait
 * ends: a server that is silent for v2v_nbd_silence_ms is given up.
 *
 * A URI is typed by the user.  A name out of a file never comes here: only
 * v2v_image_open looks for URIs, v2v_io_open_sibling does not.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/image-internal.h"
#include "formats/nbd-internal.h"

int v2v_nbd_silence_ms = 60 * 1000;

static bool
nbd_probe_uri (const char *uri)
{
  static const char *const schemes[] = {
    "nbd://",       "nbds://",      "nbd+unix://",
    "nbds+unix://", "nbd+vsock://", "nbds+vsock://",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (schemes); ++i)
    if (strncmp (uri, schemes[i], strlen (schemes[i])) == 0)
      return true;
  return false;
}

static int
nbd_probe (const struct v2v_probe *p)
{
  (void) p;
  return 0; /* never a file */
}

#ifdef HAVE_LIBNBD

#include <libnbd.h>

#define SECTOR     512
#define ALLOCATION "base:allocation"
#define DEPTH      "qemu:allocation-depth"

/* More connections than this gain nothing: the copy engine has at most 16
 * threads, and two requests in flight already fill a link. */
#define NBD_MAX_CONNECTIONS 8
/* What every server must take when it does not say (protocol, "Block size
 * constraints"): 32 MiB. */
#define NBD_DEFAULT_MAX_REQUEST (32 * 1024 * 1024)
/* The largest minimum that the protocol allows. */
#define NBD_LARGEST_MIN_BLOCK 65536
/* A status request: below 4 GiB, and a multiple of any block size. */
#define NBD_STATUS_LENGTH (UINT32_C (1) << 31)
/* A reply of more runs is cut here; the rest is asked for again. */
#define NBD_MAX_STATUS_RUNS 65536

struct nbd {
  bool ready;           /* lock and idle are initialised */
  pthread_mutex_t lock; /* guards the members down to max; never held while
                           speaking to the server */
  pthread_cond_t idle;
  struct nbd_handle *conns[NBD_MAX_CONNECTIONS];
  bool busy[NBD_MAX_CONNECTIONS];
  size_t nr;      /* slots that are not NULL */
  size_t opening; /* connections being made */
  size_t max;     /* nr + opening never exceeds it */

  /* Constant after open. */
  char *uri; /* NULL: the sockets given are all there is */
  uint64_t export_size;
  uint64_t size; /* rounded up to a sector */
  uint32_t min_block;
  uint32_t max_request;
  bool has_status;
  bool overlay;
};

/* ---- one connection ---- */

static int
server_error (struct v2v_error **err, const char *what)
{
  const char *why = nbd_get_error ();

  return v2v_fail (err, V2V_ERR_IO, "%s: %s", what, why ? why : "?");
}

/* Let libnbd work until something happens. */
static int
wait_for_server (struct nbd_handle *conn, const char *what,
                 struct v2v_error **err)
{
  switch (nbd_poll (conn, v2v_nbd_silence_ms)) {
  case 1:
    return 0;
  case 0:
    return v2v_fail (err, V2V_ERR_IO,
                     "%s: the server has been silent for %d ms", what,
                     v2v_nbd_silence_ms);
  default:
    return server_error (err, what);
  }
}

static int
wait_for_command (struct nbd_handle *conn, int64_t cookie, const char *what,
                  struct v2v_error **err)
{
  if (cookie == -1)
    return server_error (err, what);
  for (;;) {
    const int r = nbd_aio_command_completed (conn, (uint64_t) cookie);

    if (r == 1)
      return 0;
    if (r == -1)
      return server_error (err, what);
    if (wait_for_server (conn, what, err) == -1)
      return -1;
  }
}

/* Connect to URI, or negotiate on SOCKET (taken over) when URI is NULL. */
static struct nbd_handle *
connect_one (const char *uri, int socket, struct v2v_error **err)
{
  struct nbd_handle *conn = nbd_create ();
  int r;

  if (conn == NULL || nbd_set_pread_initialize (conn, false) == -1 ||
      nbd_add_meta_context (conn, ALLOCATION) == -1 ||
      nbd_add_meta_context (conn, DEPTH) == -1 ||
      nbd_set_uri_allow_local_file (conn, true) == -1) {
    if (socket >= 0)
      close (socket);
    server_error (err, "libnbd");
    goto error;
  }
  r = uri != NULL ? nbd_aio_connect_uri (conn, uri)
                  : nbd_aio_connect_socket (conn, socket);
  if (r == -1) {
    server_error (err, "connecting");
    goto error;
  }
  while (!nbd_aio_is_ready (conn))
    if (wait_for_server (conn, "connecting", err) == -1)
      goto error;
  return conn;

error:
  nbd_close (conn);
  return NULL;
}

/* ---- the pool ---- */

/* With the lock held: put a new connection into a free slot. */
static void
add_connection (struct nbd *h, struct nbd_handle *conn, bool busy)
{
  for (size_t i = 0; i < NBD_MAX_CONNECTIONS; ++i)
    if (h->conns[i] == NULL) {
      h->conns[i] = conn;
      h->busy[i] = busy;
      h->nr++;
      return;
    }
  assert (0 && "nr + opening <= max <= NBD_MAX_CONNECTIONS");
}

/* Without the lock. A further connection to the same, unchanged export. */
static struct nbd_handle *
connect_again (struct nbd *h, struct v2v_error **err)
{
  struct nbd_handle *conn = connect_one (h->uri, -1, err);

  if (conn != NULL && nbd_get_size (conn) != (int64_t) h->export_size) {
    v2v_fail (err, V2V_ERR_IO,
              "the export has changed its size to %" PRIi64
              " bytes, it had %" PRIu64,
              nbd_get_size (conn), h->export_size);
    nbd_close (conn);
    conn = NULL;
  }
  return conn;
}

/* An idle connection: an old one, else a new one, else wait for one. */
static struct nbd_handle *
acquire (struct nbd *h, struct v2v_error **err)
{
  struct nbd_handle *conn = NULL;

  pthread_mutex_lock (&h->lock);
  for (;;) {
    struct v2v_error *e = NULL;

    for (size_t i = 0; i < NBD_MAX_CONNECTIONS; ++i)
      if (h->conns[i] != NULL && !h->busy[i]) {
        h->busy[i] = true;
        conn = h->conns[i];
        goto out;
      }
    if (h->uri != NULL && h->nr + h->opening < h->max) {
      h->opening++;
      pthread_mutex_unlock (&h->lock);
      conn = connect_again (h, &e);
      pthread_mutex_lock (&h->lock);
      h->opening--;
      if (conn != NULL) {
        add_connection (h, conn, true);
        goto out;
      }
      if (h->nr == 0) {
        pthread_cond_broadcast (&h->idle);
        v2v_error_move (err, e);
        goto out;
      }
      /* It takes no more of us: use those there are. */
      v2v_debug ("nbd: staying at %zu connections: %s", h->nr,
                 v2v_error_message (e));
      v2v_error_free (e);
      h->max = h->nr;
      continue;
    }
    if (h->nr == 0 && h->opening == 0) {
      v2v_fail (err, V2V_ERR_IO, "the server has gone");
      goto out;
    }
    pthread_cond_wait (&h->idle, &h->lock);
  }
out:
  pthread_mutex_unlock (&h->lock);
  return conn;
}

/* A request that was given up is still in flight, and its buffer goes: such
 * a connection must be closed.
 */
static bool
is_usable (struct nbd_handle *conn)
{
  return nbd_aio_is_ready (conn) == 1 && nbd_aio_in_flight (conn) == 0;
}

/* Give CONN back, or close it if it cannot be used any more. */
static void
release (struct nbd *h, struct nbd_handle *conn, bool usable)
{
  pthread_mutex_lock (&h->lock);
  for (size_t i = 0; i < NBD_MAX_CONNECTIONS; ++i)
    if (h->conns[i] == conn) {
      h->busy[i] = false;
      if (!usable) {
        h->conns[i] = NULL;
        h->nr--;
      }
    }
  /* All of them: whoever waits may now have to find that nobody is left. */
  pthread_cond_broadcast (&h->idle);
  pthread_mutex_unlock (&h->lock);
  if (!usable)
    nbd_close (conn);
}

/* Run COMMAND on a connection; once more on a new one when that broke, since
 * reading twice does no harm.
 */
typedef int nbd_command (struct nbd_handle *conn, void *arg,
                         struct v2v_error **err);

static int
run (struct nbd *h, nbd_command *command, void *arg, struct v2v_error **err)
{
  for (unsigned attempt = 0;; ++attempt) {
    struct v2v_error *e = NULL;
    struct nbd_handle *conn = acquire (h, err);
    bool usable;

    if (conn == NULL)
      return -1;
    if (command (conn, arg, &e) == 0) {
      release (h, conn, true);
      return 0;
    }
    usable = is_usable (conn);
    release (h, conn, usable);
    if (usable || attempt > 0)
      return v2v_error_move (err, e);
    v2v_debug ("nbd: trying again: %s", v2v_error_message (e));
    v2v_error_free (e);
  }
}

/* ---- open ---- */

static int
read_block_sizes (struct nbd *h, struct nbd_handle *conn,
                  struct v2v_error **err)
{
  const int64_t min = nbd_get_block_size (conn, LIBNBD_SIZE_MINIMUM);
  const int64_t max = nbd_get_block_size (conn, LIBNBD_SIZE_MAXIMUM);

  h->min_block = 1;
  h->max_request = NBD_DEFAULT_MAX_REQUEST;
  if (min > 0) {
    if (min > NBD_LARGEST_MIN_BLOCK || (min & (min - 1)) != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "smallest request of the server is %" PRIi64
                       " bytes, expected a power of two up to %d",
                       min, NBD_LARGEST_MIN_BLOCK);
    h->min_block = (uint32_t) min;
  }
  if (max > 0 && max < NBD_DEFAULT_MAX_REQUEST) {
    if (max < h->min_block)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "largest request of the server is %" PRIi64
                       " bytes, smaller than the smallest (%" PRIu32 ")",
                       max, h->min_block);
    h->max_request = (uint32_t) max & ~(h->min_block - 1);
  }
  return 0;
}

/* What the first connection tells about the export. */
static int
read_export (struct nbd *h, struct nbd_handle *conn,
             const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const int64_t size = nbd_get_size (conn);

  if (size == -1)
    return server_error (err, "size of the export");
  h->export_size = (uint64_t) size;
  if (!v2v_round_up_u64 (h->export_size, SECTOR, &h->size))
    return v2v_fail (err, V2V_ERR_FORMAT, "size %" PRIu64 " is too large",
                     h->export_size);
  h->has_status = nbd_can_meta_context (conn, ALLOCATION) == 1;
  h->overlay = opts->overlay;
  if (h->overlay && (!h->has_status || nbd_can_meta_context (conn, DEPTH) != 1))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "the server does not tell what its top layer holds (%s)",
                     DEPTH);
  return read_block_sizes (h, conn, err);
}

static int
start_pool (struct nbd *h, struct v2v_error **err)
{
  if (pthread_mutex_init (&h->lock, NULL) != 0)
    return v2v_fail_nomem (err);
  if (pthread_cond_init (&h->idle, NULL) != 0) {
    pthread_mutex_destroy (&h->lock);
    return v2v_fail_nomem (err);
  }
  h->ready = true;
  return 0;
}

static int
nbd_open_uri (void *vh, const char *uri, const struct v2v_open_opts *opts,
              struct v2v_error **err)
{
  struct nbd *h = vh;
  struct nbd_handle *conn;

  if (start_pool (h, err) == -1)
    return -1;
  h->uri = strdup (uri);
  if (h->uri == NULL)
    return v2v_fail_nomem (err);
  conn = connect_one (uri, -1, err);
  if (conn == NULL)
    return -1;
  add_connection (h, conn, false);
  h->max = nbd_can_multi_conn (conn) == 1 ? NBD_MAX_CONNECTIONS : 1;
  return read_export (h, conn, opts, err);
}

int
v2v_nbd_open_sockets (void *vh, const int *sockets, size_t n,
                      const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct nbd *h = vh;
  size_t i = 0;

  assert (n > 0 && n <= NBD_MAX_CONNECTIONS);
  if (start_pool (h, err) == -1)
    goto error;
  for (; i < n; ++i) {
    struct nbd_handle *conn = connect_one (NULL, sockets[i], err);

    if (conn == NULL) {
      i++; /* taken over */
      goto error;
    }
    add_connection (h, conn, false);
  }
  h->max = n;
  return read_export (h, h->conns[0], opts, err);

error:
  for (; i < n; ++i)
    close (sockets[i]);
  return -1;
}

static void
nbd_driver_close (void *vh)
{
  struct nbd *h = vh;

  for (size_t i = 0; i < NBD_MAX_CONNECTIONS; ++i) {
    assert (!h->busy[i]);
    if (h->conns[i] != NULL)
      nbd_aio_disconnect (h->conns[i], 0); /* polite, but without waiting */
    nbd_close (h->conns[i]);
  }
  free (h->uri);
  if (h->ready) {
    pthread_cond_destroy (&h->idle);
    pthread_mutex_destroy (&h->lock);
  }
}

static void
nbd_info (const void *vh, struct v2v_image_info *ret)
{
  const struct nbd *h = vh;

  ret->size_bytes = h->size;
  ret->logical_sector_bytes = SECTOR;
}

/* ---- reading ---- */

struct read_command {
  void *buf;
  size_t len;
  uint64_t offset;
};

static int
command_read (struct nbd_handle *conn, void *arg, struct v2v_error **err)
{
  const struct read_command *c = arg;

  return wait_for_command (
      conn,
      nbd_aio_pread (conn, c->buf, c->len, c->offset, NBD_NULL_COMPLETION, 0),
      "reading", err);
}

/* One piece, at most max_request long, within the export.  A server with
 * large blocks gets whole ones, by way of a buffer.
 */
static int
read_piece (struct nbd *h, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const uint64_t mask = h->min_block - 1;
  const uint64_t start = offset & ~mask;
  const uint64_t end =
      v2v_min_u64 ((offset + len + mask) & ~mask, h->export_size);
  CLEANUP_FREE char *bounce = NULL;
  struct read_command c = { buf, len, offset };

  if (start != offset || end != offset + len) {
    c.len = (size_t) (end - start);
    c.offset = start;
    c.buf = bounce = malloc (c.len);
    if (bounce == NULL)
      return v2v_fail_nomem (err);
  }
  if (run (h, command_read, &c, err) == -1)
    return -1;
  if (bounce != NULL)
    memcpy (buf, bounce + (offset - start), len);
  return 0;
}

static int
nbd_read (void *vh, void *vbuf, size_t len, uint64_t offset,
          struct v2v_error **err)
{
  struct nbd *h = vh;
  char *buf = vbuf;
  size_t left = offset >= h->export_size
                    ? 0
                    : (size_t) v2v_min_u64 (len, h->export_size - offset);

  memset (buf + left, 0, len - left); /* the last, partial sector */
  while (left > 0) {
    /* Up to a multiple of the largest request, which is one of the smallest:
     * so a piece never grows past it when its ends are rounded. */
    const size_t n =
        (size_t) v2v_min_u64 (left, h->max_request - offset % h->max_request);

    if (read_piece (h, buf, n, offset, err) == -1)
      return v2v_prefix (err, "%zu bytes at %" PRIu64, n, offset);
    buf += n;
    offset += n;
    left -= n;
  }
  return 0;
}

/* ---- extents ---- */

struct status_run {
  uint32_t length;
  uint32_t flags;
};
struct status_list {
  struct status_run *ptr;
  size_t len;
};
struct status_command {
  uint32_t len;
  uint64_t offset;
  struct status_list allocation;
  struct status_list depth;
};

static int
keep_status (void *arg, const char *context, uint64_t offset, uint32_t *entries,
             size_t nr_entries, int *error)
{
  struct status_command *c = arg;
  struct status_list *list;
  struct status_run *p;
  const size_t n = nr_entries / 2;

  (void) error;
  if (strcmp (context, ALLOCATION) == 0)
    list = &c->allocation;
  else if (strcmp (context, DEPTH) == 0)
    list = &c->depth;
  else
    return 0; /* not asked for */
  if (offset != c->offset || list->len > 0 || n == 0)
    return 0; /* out of turn */

  list->len = n > NBD_MAX_STATUS_RUNS ? NBD_MAX_STATUS_RUNS : n;
  p = calloc (list->len, sizeof *p);
  if (p == NULL) {
    list->len = 0;
    return 0; /* the missing list is an error below */
  }
  for (size_t i = 0; i < list->len; ++i)
    p[i] = (struct status_run){ entries[2 * i], entries[2 * i + 1] };
  list->ptr = p;
  return 0;
}

static void
clear_status (struct status_command *c)
{
  free (c->allocation.ptr);
  free (c->depth.ptr);
  c->allocation = c->depth = (struct status_list){ .ptr = NULL };
}

static int
command_status (struct nbd_handle *conn, void *arg, struct v2v_error **err)
{
  struct status_command *c = arg;

  clear_status (c); /* of a first attempt */
  return wait_for_command (
      conn,
      nbd_aio_block_status (
          conn, c->len, c->offset,
          (nbd_extent_callback){ .callback = keep_status, .user_data = c },
          NBD_NULL_COMPLETION, 0),
      "asking for extents", err);
}

/* What a range is, by its allocation flags and its depth.  Without "overlay"
 * the depth says nothing: what a backing file of the server's holds is data
 * of this disk like any other.
 */
static enum v2v_extent_type
classify (const struct nbd *h, uint32_t flags, uint32_t depth)
{
  if (h->overlay && depth != 1)
    return V2V_EXTENT_ABSENT;
  /* A hole that does not promise zeros can hold anything. */
  return flags & LIBNBD_STATE_ZERO ? V2V_EXTENT_ZERO : V2V_EXTENT_DATA;
}

/* Append [*pos, end-1] as TYPE, in whole sectors: writers take nothing less.
 * A sector of two kinds is data, which is always right.  *POS lies behind
 * what has been appended: always on a sector or at the start.
 */
static int
append_sectors (struct v2v_extents *out, uint64_t *pos, uint64_t start,
                uint64_t end, bool last, enum v2v_extent_type type)
{
  const uint64_t lo =
      start == *pos ? start : v2v_min_u64 ((start | (SECTOR - 1)) + 1, end);
  const uint64_t hi = last ? end : end & ~(uint64_t) (SECTOR - 1);

  assert (*pos <= start && start < end);
  if (lo > hi || hi <= *pos)
    return 0; /* within one sector: it waits for the next run */
  if (v2v_extents_append (out, *pos, lo - *pos, V2V_EXTENT_DATA, 0) == -1 ||
      v2v_extents_append (out, lo, hi - lo, type, 0) == -1)
    return -1;
  *pos = hi;
  return 0;
}

/* A walk over [.., end-1]. */
struct status_walk {
  uint64_t pos;  /* appended up to here */
  uint64_t next; /* where the next question begins */
  uint64_t end;
  bool whole; /* the caller's range ends at END too: no sector to share */
  struct v2v_extents *out;
};

/* Take the reply C apart, as far as both contexts reach. */
static int
compose_status (const struct nbd *h, const struct status_command *c,
                struct status_walk *w, struct v2v_error **err)
{
  size_t i = 0, j = 0;
  uint64_t i_end = c->offset, j_end = h->overlay ? c->offset : UINT64_MAX;
  uint64_t at = c->offset;

  for (;;) {
    uint64_t stop;
    uint32_t depth = 0;

    while (i_end <= at && i < c->allocation.len)
      i_end += c->allocation.ptr[i++].length;
    while (j_end <= at && j < c->depth.len)
      j_end += c->depth.ptr[j++].length;
    stop = v2v_min_u64 (v2v_min_u64 (i_end, j_end), w->end);
    if (stop <= at)
      break;
    if (h->overlay)
      depth = c->depth.ptr[j - 1].flags;
    /* The first run may begin before what was asked for, see ask_status. */
    if (stop > w->next &&
        append_sectors (w->out, &w->pos, at > w->next ? at : w->next, stop,
                        w->whole && stop == w->end,
                        classify (h, c->allocation.ptr[i - 1].flags, depth)) ==
            -1)
      return v2v_fail_nomem (err);
    at = stop;
  }
  if (at <= w->next)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the server's reply says nothing about offset %" PRIu64,
                     w->next);
  w->next = at;
  return 0;
}

/* Ask from w->next on, in whole blocks of the server. */
static int
ask_status (struct nbd *h, struct status_walk *w, struct v2v_error **err)
{
  const uint64_t mask = h->min_block - 1;
  struct status_command c = { .offset = w->next & ~mask };
  int r;

  c.len = (uint32_t) v2v_min_u64 (
      v2v_min_u64 (((w->end + mask) & ~mask) - c.offset, NBD_STATUS_LENGTH),
      h->export_size - c.offset);
  r = run (h, command_status, &c, err);
  if (r == 0)
    r = compose_status (h, &c, w, err);
  clear_status (&c);
  return r;
}

static int
nbd_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
             struct v2v_error **err)
{
  struct nbd *h = vh;
  struct status_walk w = { .pos = offset, .next = offset, .out = out };

  w.end = v2v_min_u64 (offset + len, h->export_size);
  w.whole = w.end == offset + len;
  while (h->has_status && w.next < w.end)
    if (ask_status (h, &w, err) == -1)
      return v2v_prefix (err, "extents at %" PRIu64, w.next);
  /* No status at all, or the rest of the last, partial sector. */
  if (v2v_extents_append (out, w.pos, offset + len - w.pos, V2V_EXTENT_DATA,
                          0) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

#else /* !HAVE_LIBNBD */

struct nbd {
  int unused;
};

static int
nbd_open_uri (void *vh, const char *uri, const struct v2v_open_opts *opts,
              struct v2v_error **err)
{
  (void) vh;
  (void) uri;
  (void) opts;
  return v2v_fail (err, V2V_ERR_UNSUPPORTED, "v2v was built without libnbd");
}

int
v2v_nbd_open_sockets (void *vh, const int *sockets, size_t n,
                      const struct v2v_open_opts *opts, struct v2v_error **err)
{
  for (size_t i = 0; i < n; ++i)
    close (sockets[i]);
  return nbd_open_uri (vh, NULL, opts, err);
}

static void
nbd_driver_close (void *vh)
{
  (void) vh;
}

static void
nbd_info (const void *vh, struct v2v_image_info *ret)
{
  (void) vh;
  (void) ret;
}

#define nbd_extents NULL
#define nbd_read    NULL

#endif /* !HAVE_LIBNBD */

const struct v2v_image_ops v2v_nbd_ops = {
  .name = "nbd",
  .description = "a disk served over the network: nbd:// and its kin",
  .handle_size = sizeof (struct nbd),
  .parallel_read = true,
  .probe = nbd_probe,
  .probe_uri = nbd_probe_uri,
  .open_uri = nbd_open_uri,
  .info = nbd_info,
  .extents = nbd_extents,
  .read = nbd_read,
  .close = nbd_driver_close,
};
