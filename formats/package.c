/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders, archives and streams of files behind one interface. */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/spool.h"
#include "formats/core/vector.h"
#include "formats/package.h"
#include "formats/tar.h"

struct member {
  char *name;
  struct v2v_io *io; /* NULL: in the stream, or gone with it */
  uint64_t offset;
  uint64_t size;
  bool spooled;
};
V2V_VECTOR (member_vector, struct member);

struct v2v_package {
  atomic_int refs;
  char *dir;    /* a folder; else an archive */
  char *prefix; /* "" or "sub/": the descriptor's place in the archive */
  member_vector members;
  /* A stream: */
  struct v2v_io *stream;
  struct v2v_tar tar;
  bool at_end;
  size_t current; /* member that the stream stands before, or SIZE_MAX */
};

bool
v2v_package_has_suffix (const char *name, const char *suffix)
{
  const size_t n = strlen (name), s = strlen (suffix);

  return n > s && strcasecmp (name + n - s, suffix) == 0;
}

/* ---- making ---- */

struct v2v_package *
v2v_package_empty (struct v2v_error **err)
{
  struct v2v_package *pkg = calloc (1, sizeof *pkg);

  if (pkg == NULL || (pkg->prefix = strdup ("")) == NULL) {
    free (pkg);
    v2v_fail_nomem (err);
    return NULL;
  }
  pkg->refs = 1;
  pkg->current = SIZE_MAX;
  return pkg;
}

struct v2v_package *
v2v_package_folder (const char *dir, struct v2v_error **err)
{
  struct v2v_package *pkg = v2v_package_empty (err);

  if (pkg == NULL)
    return NULL;
  pkg->dir = strdup (dir);
  if (pkg->dir == NULL) {
    v2v_package_unref (pkg);
    v2v_fail_nomem (err);
    return NULL;
  }
  return pkg;
}

struct v2v_package *
v2v_package_ref (struct v2v_package *pkg)
{
  atomic_fetch_add (&pkg->refs, 1);
  return pkg;
}

void
v2v_package_unref (struct v2v_package *pkg)
{
  if (pkg == NULL || atomic_fetch_sub (&pkg->refs, 1) > 1)
    return;
  for (size_t i = 0; i < pkg->members.len; ++i) {
    free (pkg->members.ptr[i].name);
    v2v_io_unref (pkg->members.ptr[i].io);
  }
  free (pkg->members.ptr);
  v2v_io_unref (pkg->stream);
  free (pkg->dir);
  free (pkg->prefix);
  free (pkg);
}

static struct member *
find_full (const struct v2v_package *pkg, const char *full)
{
  for (size_t i = 0; i < pkg->members.len; ++i)
    if (strcmp (pkg->members.ptr[i].name, full) == 0)
      return &pkg->members.ptr[i];
  return NULL;
}

static const char *
last_part (const char *name)
{
  const char *slash = strrchr (name, '/');

  return slash != NULL ? slash + 1 : name;
}

/* Resource forks that macOS adds to archives. */
static bool
is_ignored (const char *name)
{
  return strncmp (last_part (name), "._", 2) == 0;
}

static int
add (struct v2v_package *pkg, const char *name, struct v2v_io *io,
     uint64_t offset, uint64_t size, struct v2v_error **err)
{
  struct member m = { .offset = offset, .size = size };

  if (find_full (pkg, name) != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "archive has two members with the name '%.80s'", name);
  if (pkg->members.len == V2V_PACKAGE_MAX_MEMBERS)
    return v2v_fail (err, V2V_ERR_FORMAT, "archive has more than %d members",
                     V2V_PACKAGE_MAX_MEMBERS);
  m.name = strdup (name);
  if (m.name == NULL || member_vector_append (&pkg->members, m) == -1) {
    free (m.name);
    return v2v_fail_nomem (err);
  }
  if (io != NULL)
    pkg->members.ptr[pkg->members.len - 1].io = v2v_io_ref (io);
  return 0;
}

int
v2v_package_add_member (struct v2v_package *pkg, const char *name,
                        struct v2v_io *io, uint64_t offset, uint64_t size,
                        struct v2v_error **err)
{
  return is_ignored (name) ? 0 : add (pkg, name, io, offset, size, err);
}

struct v2v_package *
v2v_package_tar (struct v2v_io *io, struct v2v_error **err)
{
  struct v2v_package *pkg = v2v_package_empty (err);
  struct v2v_tar tar = { .io = io };

  if (pkg == NULL)
    return NULL;
  for (;;) {
    struct v2v_tar_member m = { .name = NULL };
    int r = v2v_tar_next (&tar, &m, err);

    if (r == 0)
      return pkg;
    if (r == 1)
      r = v2v_package_add_member (pkg, m.name, io, m.offset, m.size, err);
    free (m.name);
    if (r == -1) {
      v2v_package_unref (pkg);
      return NULL;
    }
  }
}

/* ---- streams ---- */

struct v2v_package *
v2v_package_stream (struct v2v_io *io, struct v2v_error **err)
{
  struct v2v_package *pkg = v2v_package_empty (err);

  if (pkg == NULL)
    return NULL;
  pkg->stream = v2v_io_ref (io);
  pkg->tar.io = io;
  return pkg;
}

/* Copy the member that the stream stands before into a temporary file (small
 * texts into memory), so that the stream can go on.
 */
static int
keep_current (struct v2v_package *pkg, struct v2v_error **err)
{
  struct member *m = &pkg->members.ptr[pkg->current];
  CLEANUP_FREE char *buf = malloc (1024 * 1024);
  struct v2v_spool *s;

  if (buf == NULL)
    return v2v_fail_nomem (err);
  s = v2v_spool_new (m->name, m->size, err);
  if (s == NULL)
    return -1;
  for (uint64_t pos = 0; pos < m->size;) {
    const size_t n = (size_t) v2v_min_u64 (1024 * 1024, m->size - pos);

    if (v2v_io_pread (pkg->stream, buf, n, m->offset + pos, err) == -1 ||
        v2v_spool_write (s, buf, n, err) == -1) {
      v2v_spool_free (s);
      return -1;
    }
    pos += n;
  }
  m->io = v2v_spool_finish (s, err);
  if (m->io == NULL)
    return -1;
  m->offset = 0;
  m->spooled = true;
  pkg->current = SIZE_MAX;
  return 0;
}

/* Go on to the next member, keeping the current one if nobody took it.
 * 1, 0 at the end, -1.
 */
static int
advance (struct v2v_package *pkg, struct v2v_error **err)
{
  struct v2v_tar_member m = { .name = NULL };
  int r;

  if (pkg->current != SIZE_MAX && keep_current (pkg, err) == -1)
    return -1;
  do {
    if (pkg->at_end)
      return 0;
    free (m.name);
    m.name = NULL;
    r = v2v_tar_next (&pkg->tar, &m, err);
    if (r == 0)
      pkg->at_end = true;
  } while (r == 0 || (r == 1 && is_ignored (m.name)));
  if (r == 1 && add (pkg, m.name, NULL, m.offset, m.size, err) == -1)
    r = -1;
  if (r == 1)
    pkg->current = pkg->members.len - 1;
  free (m.name);
  return r;
}

int
v2v_package_look_ahead (struct v2v_package *pkg, struct v2v_error **err)
{
  if (pkg->stream == NULL || pkg->current != SIZE_MAX || pkg->at_end)
    return 0;
  return advance (pkg, err) == -1 ? -1 : 0;
}

bool
v2v_package_is_stream (const struct v2v_package *pkg)
{
  return pkg->stream != NULL;
}

/* ---- names ---- */

static char *
full_name (const struct v2v_package *pkg, const char *name,
           struct v2v_error **err)
{
  char *full;

  if (!v2v_check_plain_name (name, err))
    return NULL;
  if (asprintf (&full, "%s%s", pkg->prefix, name) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return full;
}

bool
v2v_package_is_gone (const struct v2v_package *pkg, const char *name)
{
  CLEANUP_FREE char *full = full_name (pkg, name, NULL);
  const struct member *m = full != NULL ? find_full (pkg, full) : NULL;

  return pkg->stream != NULL && m != NULL && m->io == NULL &&
         (size_t) (m - pkg->members.ptr) != pkg->current;
}

static int
no_such_file (const char *name, struct v2v_error **err)
{
  errno = ENOENT;
  return v2v_fail_errno (err, "%.255s", name);
}

int
v2v_package_stat (struct v2v_package *pkg, const char *name, uint64_t *ret_size,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *full = full_name (pkg, name, err), *path = NULL;
  const struct member *m;
  struct stat st;

  if (full == NULL)
    return -1;
  if (pkg->dir == NULL) {
    m = find_full (pkg, full);
    if (m != NULL)
      *ret_size = m->size;
    return m != NULL;
  }
  if (asprintf (&path, "%s/%s", pkg->dir, name) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  if (lstat (path, &st) == -1)
    return errno == ENOENT ? 0 : v2v_fail_errno (err, "%s", path);
  /* What it is decides the open; a link is refused there. */
  *ret_size = S_ISREG (st.st_mode) ? (uint64_t) st.st_size : 0;
  return 1;
}

/* ---- looking for the descriptor ---- */

static int
two_of_them (const char *a, const char *b, const char *suffix,
             struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "'%.80s' and '%.80s': expected one %s file", a, b, suffix);
}

static int
find_in_folder (struct v2v_package *pkg, const char *suffix, char **ret,
                struct v2v_error **err)
{
  CLEANUP_CLOSEDIR DIR *d = opendir (pkg->dir);
  CLEANUP_FREE char *found = NULL;
  const struct dirent *e;

  if (d == NULL)
    return v2v_fail_errno (err, "%s", pkg->dir);
  while ((errno = 0, e = readdir (d)) != NULL) {
    if (!v2v_package_has_suffix (e->d_name, suffix) || is_ignored (e->d_name))
      continue;
    if (found != NULL) {
      two_of_them (found, e->d_name, suffix, err);
      return v2v_prefix (err, "%s", pkg->dir);
    }
    found = strdup (e->d_name);
    if (found == NULL)
      return v2v_fail_nomem (err);
  }
  if (errno != 0)
    return v2v_fail_errno (err, "%s", pkg->dir);
  *ret = STEAL (found);
  return 0;
}

/* The member in question, or NULL without error. */
static int
find_in_archive (struct v2v_package *pkg, const char *suffix,
                 const struct member **ret, struct v2v_error **err)
{
  const struct member *found = NULL;

  for (size_t i = 0; i < pkg->members.len; ++i) {
    const struct member *m = &pkg->members.ptr[i];

    if (!v2v_package_has_suffix (m->name, suffix))
      continue;
    if (found != NULL)
      return two_of_them (found->name, m->name, suffix, err);
    found = m;
  }
  *ret = found;
  return 0;
}

int
v2v_package_find_suffix (struct v2v_package *pkg, const char *suffix,
                         bool enter, char **ret, struct v2v_error **err)
{
  const struct member *m = NULL;
  size_t len;
  char *name;

  *ret = NULL;
  if (pkg->dir != NULL)
    return find_in_folder (pkg, suffix, ret, err);
  if (find_in_archive (pkg, suffix, &m, err) == -1)
    return -1;
  while (m == NULL && pkg->stream != NULL && enter) {
    const int r = advance (pkg, err);

    if (r == -1 || (r == 1 && find_in_archive (pkg, suffix, &m, err) == -1))
      return -1;
    if (r == 0)
      break;
  }
  if (m == NULL)
    return 0;
  len = (size_t) (last_part (m->name) - m->name);
  name = strdup (m->name + len);
  if (name == NULL)
    return v2v_fail_nomem (err);
  if (enter) {
    char *prefix = strndup (m->name, len);

    if (prefix == NULL) {
      free (name);
      return v2v_fail_nomem (err);
    }
    free (pkg->prefix);
    pkg->prefix = prefix;
  }
  *ret = name;
  return 0;
}

/* ---- opening ---- */

static struct v2v_io *
resolve_sibling (void *arg, const char *name, unsigned flags,
                 struct v2v_error **err)
{
  if (flags & V2V_IO_RW) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%.255s: a file inside an archive cannot be written", name);
    return NULL;
  }
  return v2v_package_open (arg, name, NULL, err);
}

static void
free_sibling_arg (void *arg)
{
  v2v_package_unref (arg);
}

static struct v2v_io *
window (struct v2v_package *pkg, const struct member *m, struct v2v_io *base,
        const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *shown = NULL;
  struct v2v_io *io;

  /* A spooled file has its own name already. */
  if ((m->spooled
           ? asprintf (&shown, "%s", name)
           : asprintf (&shown, "%s:%s", v2v_io_name (base), name)) == -1) {
    shown = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  io = v2v_io_window (base, shown, m->offset, m->size, err);
  if (io != NULL)
    v2v_io_set_resolver (io, resolve_sibling, v2v_package_ref (pkg),
                         free_sibling_arg);
  return io;
}

/* The wanted member of a stream is the current one, or it comes later: what
 * lies in between is kept.
 */
static struct v2v_io *
open_in_stream (struct v2v_package *pkg, const char *full, const char *name,
                struct v2v_error **err)
{
  for (;;) {
    const struct member *m = find_full (pkg, full);
    int r;

    if (m != NULL && (size_t) (m - pkg->members.ptr) == pkg->current) {
      pkg->current = SIZE_MAX; /* theirs to read */
      return window (pkg, m, pkg->stream, name, err);
    }
    if (m != NULL) {
      v2v_fail (err, V2V_ERR_UNSUPPORTED,
                "%.255s: has been read already, and the archive comes from a "
                "pipe",
                name);
      v2v_hint (err, "give the archive as a file");
      return NULL;
    }
    r = advance (pkg, err);
    if (r == 0)
      no_such_file (name, err);
    if (r != 1)
      return NULL;
  }
}

struct v2v_io *
v2v_package_open (struct v2v_package *pkg, const char *name, bool *ret_spooled,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *full = full_name (pkg, name, err);
  const struct member *m;

  if (full == NULL)
    return NULL;
  if (pkg->dir != NULL)
    return v2v_io_open_in (pkg->dir, name, 0, err);
  m = find_full (pkg, full);
  if (m != NULL && m->io != NULL) {
    if (ret_spooled != NULL && m->spooled)
      *ret_spooled = true;
    return window (pkg, m, m->io, name, err);
  }
  if (pkg->stream != NULL)
    return open_in_stream (pkg, full, name, err);
  no_such_file (name, err);
  return NULL;
}

char *
v2v_package_read_text (struct v2v_package *pkg, const char *name,
                       size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_io *io = v2v_package_open (pkg, name, NULL, err);
  uint64_t len;
  int r = -1;

  if (io == NULL)
    return NULL;
  len = v2v_io_size (io);
  if (len > V2V_PACKAGE_MAX_TEXT)
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %" PRIu64 " bytes, expected at most %zu for such a file",
              v2v_io_name (io), len, V2V_PACKAGE_MAX_TEXT);
  else if ((text = malloc ((size_t) len + 1)) == NULL)
    v2v_fail_nomem (err);
  else
    r = v2v_io_pread (io, text, (size_t) len, 0, err);
  v2v_io_unref (io);
  if (r == -1)
    return NULL;
  text[len] = '\0';
  *ret_len = (size_t) len;
  return STEAL (text);
}
