/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bases on hosts.
 *
 * A base lies in the host's folder for bases under a name with its digest
 * ("debian-12-0123456789abcdef.vhdx"), read-only, so that looking for it is
 * looking for a name.  A file of another name is it too when it has its size
 * and its digest: somebody has carried it there.
 *
 * The parents of a base that is a differencing disk itself have other names
 * there than in the library, so such a base gets the paths that are right on
 * the host; its identity and its contents stay.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/chain.h"
#include "formats/core/tempdir.h"
#include "formats/ladder.h"
#include "library/hosts-internal.h"

/* Of the name of the object, and of its digest, in the name of the file. */
#define NAME_BYTES   40
#define DIGEST_CHARS 16
/* While another process sends the same base: how often we look, and how
 * long.  A base of 100 GB on a slow line takes hours, and the other one's
 * progress is not seen from here. */
#define LOOK_MS  200
#define WAIT_S   (6 * 3600)
#define MS_TO_NS 1000000L

static void
cleanup_tempdir (struct v2v_tempdir **t)
{
  v2v_tempdir_free (*t);
}
#define CLEANUP_TEMPDIR __attribute__ ((cleanup (cleanup_tempdir)))

struct base {
  struct v2v_library *lib;
  struct v2v_host_conn *c;
  const struct v2v_copy_opts *copy;
  struct v2v_object object;
  char *local;            /* its file in the library */
  char *rel;              /* on the host */
  const char *parent;     /* id in the library, or NULL */
  const char *parent_rel; /* on the host */
  /* Of the file that was found. */
  bool found;
  uint64_t size;
  int64_t mtime;
};

static void
base_clear (struct base *b)
{
  v2v_object_clear (&b->object);
  free (b->local);
  free (b->rel);
}

/* ---- names ---- */

/* The digits of "sha256:..." or "sha256-2m:...". */
static const char *
digits (const char *digest)
{
  const char *colon = strchr (digest, ':');

  return colon != NULL ? colon + 1 : digest;
}

static int
choose_name (struct base *b, struct v2v_error **err)
{
  CLEANUP_FREE char *safe = v2v_safe_name (b->object.name);
  const char *dot;

  if (safe == NULL)
    return v2v_fail_nomem (err);
  /* "base.vhdx" is called "base" in front of our own ending. */
  dot = strrchr (safe, '.');
  if (dot != NULL && dot != safe && strcmp (dot + 1, b->object.format) == 0)
    safe[dot - safe] = '\0';
  if (asprintf (&b->rel, "%s/%.*s-%.*s.%s", b->c->host->bases, NAME_BYTES, safe,
                DIGEST_CHARS, digits (b->object.digest),
                b->object.format) == -1) {
    b->rel = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

int
v2v_host_parent_paths (const struct v2v_host *h, const char *machine,
                       const char *rel, char **ret_relative,
                       char **ret_absolute, struct v2v_error **err)
{
  CLEANUP_FREE char *relative = NULL;
  CLEANUP_FREE char *absolute = NULL;
  const size_t len = h->windows_path ? strlen (h->windows_path) : 0;
  const bool ends = len > 0 && h->windows_path[len - 1] == '\\';

  /* MACHINE NULL: a base beside its parent. */
  if (asprintf (&relative, "%s%s", machine ? "..\\" : ".\\",
                machine ? rel : strrchr (rel, '/') + 1) == -1) {
    relative = NULL;
    return v2v_fail_nomem (err);
  }
  if (h->windows_path != NULL && asprintf (&absolute, "%s%s%s", h->windows_path,
                                           ends ? "" : "\\", rel) == -1) {
    absolute = NULL;
    return v2v_fail_nomem (err);
  }
  for (char *p = relative; *p != '\0'; ++p)
    if (*p == '/')
      *p = '\\';
  for (char *p = absolute; p != NULL && *p != '\0'; ++p)
    if (*p == '/')
      *p = '\\';
  *ret_relative = STEAL (relative);
  *ret_absolute = STEAL (absolute);
  return 0;
}

/* ---- what is there ---- */

/* Does the file REL of the host have the bytes of B's file? */
static int
has_bytes (const struct base *b, const char *rel, bool *ret,
           struct v2v_error **err)
{
  struct v2v_disk_digest *there = NULL, *want = NULL;
  uint8_t root[V2V_SHA256_SIZE];
  int r = b->c->ops->digest (b->c->h, rel, &there, err);

  *ret = false;
  if (r == -1 || there == NULL)
    return r;
  memcpy (root, there->root, sizeof root);
  v2v_disk_digest_free (there);
  if (strncmp (b->object.digest, "sha256-2m:", 10) == 0) {
    char hex[2 * V2V_SHA256_SIZE + 1];

    v2v_hex (root, sizeof root, hex);
    *ret = strcmp (hex, b->object.digest + 10) == 0;
    return 0;
  }
  /* A small one has another kind of digest. */
  {
    struct stat st;
    CLEANUP_CLOSE int fd = open (b->local, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd == -1 || fstat (fd, &st) == -1)
      return v2v_fail_errno (err, "%s", b->local);
    want = host_digest_fd (fd, (uint64_t) st.st_size, b->local, NULL, err);
  }
  if (want == NULL)
    return -1;
  *ret = memcmp (want->root, root, sizeof root) == 0;
  v2v_disk_digest_free (want);
  return 0;
}

struct look {
  struct base *b;
  const char *name; /* of REL without its folder */
  lib_strings same_size;
};

static int
look_at (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  struct look *l = arg;
  struct base *b = l->b;

  if (strcmp (f->name, l->name) == 0) {
    b->found = true;
    b->size = f->size_bytes;
    b->mtime = f->mtime;
  }
  else if (f->size_bytes == b->object.size_bytes && b->parent == NULL) {
    char *rel = lib_join (b->c->host->bases, f->name, err);

    if (rel == NULL)
      return -1;
    if (lib_strings_append (&l->same_size, rel) == -1) {
      free (rel);
      return v2v_fail_nomem (err);
    }
  }
  return 0;
}

/* One that is there under another name. */
static int
adopt (struct base *b, const lib_strings *others, struct v2v_error **err)
{
  for (size_t i = 0; i < others->len; ++i) {
    bool equal;

    if (has_bytes (b, others->ptr[i], &equal, err) == -1)
      return -1;
    if (!equal)
      continue;
    free (b->rel);
    b->rel = strdup (others->ptr[i]);
    if (b->rel == NULL)
      return v2v_fail_nomem (err);
    b->found = true;
    b->size = b->object.size_bytes;
    return 0;
  }
  return 0;
}

static int
find_there (struct base *b, struct v2v_error **err)
{
  struct look l = { .b = b, .name = strrchr (b->rel, '/') + 1 };
  int r;

  b->found = false;
  r = v2v_host_list_bases (b->c, look_at, &l, err);
  if (r == 0 && !b->found)
    r = adopt (b, &l.same_size, err);
  lib_strings_clear (&l.same_size);
  if (r == 0 && b->found && b->parent == NULL &&
      b->size != b->object.size_bytes) {
    v2v_fail (err, V2V_ERR_MISMATCH,
              "host '%s': %s has %" PRIu64 " bytes, the base has %" PRIu64,
              b->c->host->name, b->rel, b->size, b->object.size_bytes);
    return v2v_hint (err, "somebody has changed it: remove it there, and "
                          "check the machines that use it");
  }
  return r;
}

/* ---- sending it ---- */

/* A copy whose parent is found on the host, in a folder of T. */
static int
with_paths (const struct base *b, const struct v2v_tempdir *t, char **ret,
            struct v2v_error **err)
{
  struct v2v_ladder_opts ladder = { .copy = *b->copy };
  struct v2v_chain_opts chain = { .trust_parent = true };
  struct v2v_ladder_result copied = { .nr_steps = 0 };
  struct v2v_chain_result result = { .path = NULL };
  CLEANUP_FREE char *relative = NULL;
  CLEANUP_FREE char *absolute = NULL;
  CLEANUP_FREE char *copy =
      lib_join (v2v_tempdir_path (t), strrchr (b->rel, '/') + 1, err);
  CLEANUP_FREE char *parent =
      copy ? v2v_library_path (b->lib, b->parent, NULL, err) : NULL;
  int r;

  if (parent == NULL || v2v_host_parent_paths (b->c->host, NULL, b->parent_rel,
                                               &relative, &absolute, err) == -1)
    return -1;
  ladder.copy.item = b->object.name;
  if (v2v_ladder_copy (b->local, copy, &ladder, &copied, err) == -1)
    return -1;
  v2v_ladder_result_clear (&copied);
  if (chmod (copy, 0600) == -1)
    return v2v_fail_errno (err, "%s", copy);
  chain.parent_relative_path = relative;
  chain.parent_absolute_path = absolute;
  r = v2v_chain_rebase (copy, parent, &chain, &result, err);
  v2v_chain_result_clear (&result);
  if (r == 0)
    *ret = STEAL (copy);
  return r;
}

static int
send_base (struct base *b, struct v2v_error **err)
{
  CLEANUP_TEMPDIR struct v2v_tempdir *t = NULL;
  CLEANUP_FREE char *changed = NULL;

  if (b->parent != NULL) {
    t = v2v_tempdir_new (NULL, err);
    if (t == NULL || with_paths (b, t, &changed, err) == -1)
      return -1;
  }
  if (v2v_host_put (b->c, changed ? changed : b->local, b->rel, b->copy, NULL,
                    err) == -1)
    return -1;
  if (b->c->ops->seal != NULL && b->c->ops->seal (b->c->h, b->rel, err) == -1)
    return v2v_prefix (err, "host '%s'", b->c->host->name);
  return 0;
}

/* In the catalogue: the host has it. */
static int
note (const struct base *b, struct v2v_error **err)
{
  struct v2v_catalogue *cat = b->lib->cat;
  CLEANUP_QUERY struct v2v_query *q = NULL;

  if (v2v_catalogue_begin (cat, err) == -1)
    return -1;
  q = v2v_query_new (cat,
                     "INSERT INTO host_base (host, object, path, size, mtime, "
                     "seen) VALUES (?, ?, ?, ?, ?, ?)",
                     err);
  if (q != NULL &&
      v2v_catalogue_run (cat, NULL, err,
                         "DELETE FROM host_base WHERE host = ? AND object = ?",
                         b->c->host->name, b->object.id, V2V_QUERY_END) == 0) {
    v2v_query_text (q, b->c->host->name);
    v2v_query_text (q, b->object.id);
    v2v_query_text (q, b->rel);
    v2v_query_int (q, (int64_t) b->size);
    v2v_query_int (q, b->mtime);
    v2v_query_int (q, time (NULL));
    if (v2v_query_step (q, err) == 0)
      return v2v_catalogue_commit (cat, err);
  }
  v2v_catalogue_rollback (cat);
  return -1;
}

static int
begin (struct base *b, const char *id, struct v2v_error **err)
{
  if (v2v_library_object (b->lib, id, &b->object, err) == -1)
    return -1;
  if (b->object.kind != V2V_OBJECT_DISK || b->object.format[0] != 'v')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s '%s' cannot be the base of differencing disks",
                     v2v_object_kind_name (b->object.kind), b->object.name);
  if (strcmp (b->object.format, "vhd") != 0 &&
      strcmp (b->object.format, "vhdx") != 0) {
    v2v_fail (err, V2V_ERR_USAGE,
              "disk '%s' is of format %s: bases are VHD or VHDX",
              b->object.name, b->object.format);
    return v2v_hint (err, "'v2v copy' makes one of it");
  }
  b->local = v2v_library_path (b->lib, id, NULL, err);
  return b->local == NULL ? -1 : choose_name (b, err);
}

static bool
may_wait (const struct base *b, struct v2v_error **err, double since)
{
  const struct timespec pause = { .tv_nsec = LOOK_MS * MS_TO_NS };
  const atomic_bool *cancel = b->copy->cancel;

  if (err == NULL || *err == NULL || v2v_error_errno (*err) != EWOULDBLOCK ||
      lib_seconds () - since > WAIT_S ||
      (cancel != NULL && atomic_load (cancel)))
    return false;
  v2v_error_free (STEAL (*err));
  nanosleep (&pause, NULL);
  return true;
}

/* ID, whose parents are there already. */
static int
ensure_one (struct base *b, const char *id, bool *sent, struct v2v_error **err)
{
  const double since = lib_seconds ();
  struct v2v_error *e = NULL;

  if (begin (b, id, err) == -1)
    return -1;
  for (;;) {
    if (find_there (b, err) == -1)
      return -1;
    if (b->found)
      break;
    if (send_base (b, &e) == 0)
      *sent = true;
    else if (!may_wait (b, &e, since))
      return v2v_error_move (err, e);
  }
  return note (b, err);
}

/* The ids of ID and its parents, ID first. */
static int
find_chain (struct v2v_library *lib, const char *id, lib_strings *ret,
            struct v2v_error **err)
{
  char *next = strdup (id);

  for (;;) {
    if (next == NULL)
      return v2v_fail_nomem (err);
    if (lib_strings_append (ret, next) == -1) {
      free (next);
      return v2v_fail_nomem (err);
    }
    if (ret->len > V2V_MAX_CHAIN)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "the chain of parents of %s is longer than %d, or a "
                       "loop",
                       id, V2V_MAX_CHAIN);
    if (lib_lookup (lib, &next, err,
                    "SELECT other FROM relation WHERE object = ? AND role = "
                    "'parent'",
                    ret->ptr[ret->len - 1], V2V_QUERY_END) == -1)
      return -1;
    if (next == NULL)
      return 0;
  }
}

int
v2v_host_ensure_base (struct v2v_library *lib, struct v2v_host_conn *c,
                      const char *id, const struct v2v_copy_opts *copy,
                      char **ret_rel, bool *ret_sent, struct v2v_error **err)
{
  const struct v2v_copy_opts none = { 0 };
  lib_strings chain = V2V_VECTOR_INIT;
  CLEANUP_FREE char *parent_rel = NULL;
  bool sent = false;
  int r = find_chain (lib, id, &chain, err);

  for (size_t i = chain.len; r == 0 && i-- > 0;) {
    struct base b = {
      .lib = lib,
      .c = c,
      .copy = copy ? copy : &none,
      .parent = i + 1 < chain.len ? chain.ptr[i + 1] : NULL,
      .parent_rel = parent_rel,
    };

    r = ensure_one (&b, chain.ptr[i], &sent, err);
    free (parent_rel);
    parent_rel = STEAL (b.rel);
    base_clear (&b);
  }
  lib_strings_clear (&chain);
  if (r == -1)
    return -1;
  *ret_rel = STEAL (parent_rel);
  if (ret_sent != NULL)
    *ret_sent = sent;
  return 0;
}

/* ---- questions ---- */

int
v2v_host_verify_base (struct v2v_library *lib, struct v2v_host_conn *c,
                      const char *id, const char *rel, bool *ret_equal,
                      struct v2v_error **err)
{
  const struct v2v_copy_opts none = { 0 };
  struct base b = { .lib = lib, .c = c, .copy = &none };
  CLEANUP_FREE char *parent = NULL;
  int r = begin (&b, id, err);

  if (r == 0)
    r = lib_lookup (lib, &parent, err,
                    "SELECT other FROM relation WHERE object = ? AND role = "
                    "'parent'",
                    id, V2V_QUERY_END);
  if (r == 0 && parent == NULL)
    r = has_bytes (&b, rel, ret_equal, err);
  else if (r == 0 && v2v_host_local_path (c) == NULL)
    r = v2v_fail (err, V2V_ERR_UNSUPPORTED,
                  "host '%s': %s has parents: its bytes are not those of the "
                  "library, and its contents cannot be read from here",
                  c->host->name, rel);
  else if (r == 0) {
    CLEANUP_FREE char *path = lib_join (v2v_host_local_path (c), rel, err);
    CLEANUP_IMAGE struct v2v_image *there =
        path ? v2v_image_open (path, NULL, err) : NULL;
    CLEANUP_IMAGE struct v2v_image *want =
        there ? v2v_library_open_disk (lib, id, err) : NULL;
    uint64_t offset;

    r = want ? v2v_image_compare (there, want, true, &none, &offset, err) : -1;
    *ret_equal = r == 0;
    r = r == -1 ? -1 : 0;
  }
  base_clear (&b);
  return r;
}

int
v2v_host_bases_there (struct v2v_library *lib, const char *host,
                      const char *const *ids, size_t n, size_t *ret_there,
                      uint64_t *ret_missing_bytes, struct v2v_error **err)
{
  *ret_there = 0;
  *ret_missing_bytes = 0;
  for (size_t i = 0; i < n; ++i) {
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *size = NULL;

    if (lib_lookup (lib, &path, err,
                    "SELECT path FROM host_base WHERE host = ? AND object = ?",
                    host, ids[i], V2V_QUERY_END) == -1 ||
        lib_lookup (lib, &size, err, "SELECT size FROM object WHERE id = ?",
                    ids[i], V2V_QUERY_END) == -1)
      return -1;
    if (path != NULL)
      ++*ret_there;
    else if (size != NULL)
      *ret_missing_bytes += strtoull (size, NULL, 10);
  }
  return 0;
}

/* Who on the host needs the object ID: a machine, or a base that is a child
 * of it.  NULL: nobody. */
static int
find_user (struct v2v_library *lib, const char *host, const char *id,
           char **ret, struct v2v_error **err)
{
  if (lib_lookup (lib, ret, err,
                  "SELECT machine.name FROM machine JOIN machine_base ON "
                  "machine_base.machine = machine.id WHERE machine.host = ? "
                  "AND machine_base.object = ? ORDER BY machine.name LIMIT 1",
                  host, id, V2V_QUERY_END) == -1 ||
      *ret != NULL)
    return *ret != NULL ? 0 : -1;
  return lib_lookup (lib, ret, err,
                     "SELECT host_base.path FROM host_base JOIN relation ON "
                     "relation.object = host_base.object WHERE "
                     "host_base.host = ? AND relation.role = 'parent' AND "
                     "relation.other = ? ORDER BY host_base.path LIMIT 1",
                     host, id, V2V_QUERY_END);
}

int
v2v_host_remove_base (struct v2v_library *lib, struct v2v_host_conn *c,
                      const char *rel, struct v2v_error **err)
{
  const char *host = c->host->name;
  CLEANUP_FREE char *id = NULL;
  CLEANUP_FREE char *user = NULL;

  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (lib_lookup (lib, &id, err,
                  "SELECT object FROM host_base WHERE host = ? AND path = ?",
                  host, rel, V2V_QUERY_END) == -1 ||
      (id != NULL && find_user (lib, host, id, &user, err) == -1))
    goto undo;
  if (user != NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "host '%s': %s is needed by '%s'", host, rel,
              user);
    goto undo;
  }
  if (v2v_catalogue_run (lib->cat, NULL, err,
                         "DELETE FROM host_base WHERE host = ? AND path = ?",
                         host, rel, V2V_QUERY_END) == -1 ||
      v2v_catalogue_commit (lib->cat, err) == -1)
    goto undo;
  /* A kill here leaves a file that the next look finds by its name. */
  return v2v_host_remove_files (c, rel, err);

undo:
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

/* ---- checking ---- */

struct row {
  char *object, *rel;
  uint64_t size;
  bool there;
  uint64_t size_there;
};
V2V_VECTOR (rows, struct row);

static void
rows_clear (rows *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].object);
    free (v->ptr[i].rel);
  }
  free (v->ptr);
}

static int
read_rows (struct v2v_library *lib, const char *host, rows *ret,
           struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat,
                     "SELECT object, path, size FROM host_base WHERE host = ? "
                     "ORDER BY path",
                     err);
  int r = -1;

  if (q != NULL)
    v2v_query_text (q, host);
  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    struct row row = {
      .object = strdup (v2v_query_get_text (q, 0)),
      .rel = strdup (v2v_query_get_text (q, 1)),
      .size = (uint64_t) v2v_query_get_int (q, 2),
    };

    if (row.object != NULL && row.rel != NULL && rows_append (ret, row) == 0)
      continue;
    free (row.object);
    free (row.rel);
    return v2v_fail_nomem (err);
  }
  return r;
}

struct seeing {
  const char *bases;
  rows *rows;
};

static int
see (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  const struct seeing *s = arg;
  const size_t len = strlen (s->bases);

  (void) err;
  for (size_t i = 0; i < s->rows->len; ++i) {
    struct row *row = &s->rows->ptr[i];

    if (strncmp (row->rel, s->bases, len) == 0 && row->rel[len] == '/' &&
        strcmp (row->rel + len + 1, f->name) == 0) {
      row->there = true;
      row->size_there = f->size_bytes;
    }
  }
  return 0;
}

static int
forget (struct v2v_library *lib, const char *host, const char *object,
        struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (v2v_catalogue_run (lib->cat, NULL, err,
                         "DELETE FROM host_base WHERE host = ? AND object = ?",
                         host, object, V2V_QUERY_END) == 0)
    return v2v_catalogue_commit (lib->cat, err);
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

int
v2v_host_check_bases (struct v2v_library *lib, struct v2v_host_conn *c,
                      bool deep, v2v_host_base_fn *fn, void *arg,
                      struct v2v_error **err)
{
  __attribute__ ((cleanup (rows_clear))) rows list = V2V_VECTOR_INIT;
  struct seeing s = { c->host->bases, &list };

  if (read_rows (lib, c->host->name, &list, err) == -1 ||
      v2v_host_list_bases (c, see, &s, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    const struct row *row = &list.ptr[i];
    struct v2v_host_base b = { row->object, row->rel, "ok" };
    bool equal = row->size == row->size_there;

    if (row->there && equal && deep &&
        v2v_host_verify_base (lib, c, row->object, row->rel, &equal, err) == -1)
      return -1;
    if (!row->there)
      b.state = "missing";
    else if (!equal)
      b.state = "changed";
    if (!row->there && forget (lib, c->host->name, row->object, err) == -1)
      return -1;
    if (fn (arg, &b, err) != 0)
      return -1;
  }
  return 0;
}
