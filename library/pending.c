/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intents: what makes one transaction of catalogue and files.
 *
 *   1. a transaction writes the intent with the names that will appear
 *   2. files are made as SHARE/.v2v/tmp/ID/0, 1 ..., synced
 *   3. SHARE/.v2v/tmp/ID/ready: all of them are there
 *   4. each is renamed to its name, which must be free; folders are synced
 *   5. a transaction makes the rows and ends the intent
 *   6. the temporary folder goes
 *
 * Taken back, at any point up to 5: with "ready", a temporary file that is
 * missing was renamed, so what has its name is ours and goes; without it
 * nothing was renamed.  Then the temporary folder goes, then the intent.
 * Removing turns it round: a transaction removes the rows and writes the
 * intent, then the files go, and taking back means to go on.
 *
 * Whose process is gone is known by its number, its time of start and the
 * start of its host.  Work of another host, or of another container, is left
 * alone: who cannot see a process cannot say that it is dead.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/log.h"
#include "library/library-internal.h"

/* ---- who we are ---- */

/* The first line of a small file, or "". */
static void
read_line (const char *path, char *buf, int size)
{
  CLEANUP_FCLOSE FILE *fp = fopen (path, "re");

  buf[0] = '\0';
  if (fp != NULL && fgets (buf, size, fp) == NULL)
    buf[0] = '\0';
  buf[strcspn (buf, "\n")] = '\0';
}

/* MACHINE:PID-NAMESPACE:BOOT */
int
lib_our_host (char ret[LIB_HOST_SIZE])
{
  char machine[80], boot[80], ns[80];
  ssize_t n;

  read_line ("/etc/machine-id", machine, sizeof machine);
  if (machine[0] == '\0' && gethostname (machine, sizeof machine) == -1)
    return -1;
  machine[sizeof machine - 1] = '\0';
  read_line ("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
  n = readlink ("/proc/self/ns/pid", ns, sizeof ns - 1);
  ns[n > 0 ? n : 0] = '\0';
  return snprintf (ret, 256, "%s|%s|%s", machine, ns, boot) > 0 ? 0 : -1;
}

/* When the process started, in ticks since boot (proc(5), stat, field 22); -1
 * when there is none. */
int64_t
lib_start_of (int64_t pid)
{
  char path[64], line[1024];
  const char *p;

  snprintf (path, sizeof path, "/proc/%" PRId64 "/stat", pid);
  read_line (path, line, sizeof line);
  p = strrchr (line, ')'); /* the name of the program may hold anything */
  for (unsigned field = 2; p != NULL && field < 22; ++field)
    p = strchr (p + 1, ' ');
  return p == NULL ? -1 : strtoll (p + 1, NULL, 10);
}

int
lib_this_process (struct lib_process *ret, struct v2v_error **err)
{
  if (lib_our_host (ret->host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  ret->pid = getpid ();
  ret->started = lib_start_of (ret->pid);
  return 0;
}

/* Do we see that it runs? */
bool
lib_is_alive (const char *host, int64_t pid, int64_t started)
{
  char ours[256];

  return lib_our_host (ours) == 0 && strcmp (host, ours) == 0 &&
         lib_start_of (pid) == started;
}

bool
lib_is_gone (const char *host, int64_t pid, int64_t started)
{
  char ours[256];
  const char *boot = strrchr (host, '|');
  size_t n;

  if (lib_our_host (ours) == -1 || boot == NULL)
    return false;
  n = (size_t) (boot - host);
  if (strcmp (host, ours) == 0)
    return lib_start_of (pid) != started;
  /* The same machine, started again; a process namespace does not outlive
   * it, but its number may come back. */
  if (strncmp (host, ours, n + 1) == 0)
    return true;
  return false;
}

/* ---- making one ---- */

int
lib_intent_note (struct v2v_library *lib, const char *kind,
                 const struct v2v_share *share, struct lib_intent *ret,
                 struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "INSERT INTO pending (id, kind, host, pid, started, created, share) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      err);
  char host[256];

  if (q == NULL || lib_new_id (ret->id, err) == -1)
    return -1;
  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  free (ret->share);
  ret->share = strdup (share->id);
  if (ret->share == NULL)
    return v2v_fail_nomem (err);
  v2v_query_text (q, ret->id);
  v2v_query_text (q, kind);
  v2v_query_text (q, host);
  v2v_query_int (q, getpid ());
  v2v_query_int (q, lib_start_of (getpid ()));
  v2v_query_int (q, time (NULL));
  v2v_query_text (q, share->id);
  ret->nr_files = 0;
  return v2v_query_step (q, err) == -1 ? -1 : 0;
}

int
lib_intent_note_file (struct v2v_library *lib, struct lib_intent *in,
                      const char *path, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q =
      v2v_query_new (lib->cat,
                     "INSERT INTO pending_file (pending, seq, share, path) "
                     "VALUES (?, ?, ?, ?)",
                     err);

  if (q == NULL)
    return -1;
  v2v_query_text (q, in->id);
  v2v_query_int (q, (int64_t) in->nr_files);
  v2v_query_text (q, in->share);
  v2v_query_text (q, path);
  if (v2v_query_step (q, err) == -1)
    return -1;
  in->nr_files++;
  return 0;
}

int
lib_intent_has (struct v2v_library *lib, const char *share, const char *path,
                bool *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT 1 FROM pending_file WHERE share = ? AND path = ?", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, share);
  v2v_query_text (q, path);
  r = v2v_query_step (q, err);
  *ret = r == 1;
  return r == -1 ? -1 : 0;
}

static void
tmp_path (const char *id, const char *name, char ret[80])
{
  snprintf (ret, 80, LIB_TMP "/%s/%s", id, name);
}

int
lib_intent_start (struct v2v_library *lib, struct lib_intent *in,
                  struct v2v_error **err)
{
  struct v2v_share share = { 0 };
  char path[80];
  const char *leaf;
  int fd, r;

  if (lib_find_share (lib, in->share, &share, err) == -1)
    return -1;
  in->share_fd = lib_share_fd (&share, err);
  lib_share_clear (&share);
  if (in->share_fd == -1)
    return -1;
  tmp_path (in->id, "x", path);
  fd = lib_walk (in->share_fd, path, true, &leaf);
  if (fd == -1)
    return v2v_fail_errno (err, "%s: making the temporary folder", path);
  r = fsync (fd) == -1 && errno != EINVAL
          ? v2v_fail_errno (err, "%s: fsync", path)
          : 0;
  close (fd);
  return r;
}

int
lib_intent_ready (struct lib_intent *in, struct v2v_error **err)
{
  char path[80];
  const char *leaf;
  int fd;

  tmp_path (in->id, "ready", path);
  if (lib_write (in->share_fd, path, "", 0, err) == -1)
    return -1;
  fd = lib_walk (in->share_fd, path, false, &leaf);
  if (fd == -1 || (fsync (fd) == -1 && errno != EINVAL)) {
    v2v_fail_errno (err, "%s: fsync", path);
    if (fd != -1)
      close (fd);
    return -1;
  }
  close (fd);
  return 0;
}

int
lib_intent_end (struct v2v_library *lib, const struct lib_intent *in,
                struct v2v_error **err)
{
  return v2v_catalogue_run (lib->cat, NULL, err,
                            "DELETE FROM pending WHERE id = ?", in->id,
                            V2V_QUERY_END);
}

void
lib_intent_close (struct lib_intent *in)
{
  if (in->share_fd != -1) {
    char path[80];

    snprintf (path, sizeof path, LIB_TMP "/%s", in->id);
    /* What stays is found and removed by the next who opens the library. */
    if (lib_remove_tree (in->share_fd, path) == -1)
      v2v_debug ("library: %s stays: %s", path, strerror (errno));
    close (STEAL_FD (in->share_fd));
  }
  free (STEAL (in->share));
}

/* ---- taking back ---- */

static int
is_located (struct v2v_library *lib, const char *share, const char *path,
            bool *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT 1 FROM location WHERE share = ? AND path = ?", err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, share);
  v2v_query_text (q, path);
  r = v2v_query_step (q, err);
  *ret = r == 1;
  return r == -1 ? -1 : 0;
}

/* The names an intent has. */
static int
noted_files (struct v2v_library *lib, const char *id, lib_strings *ret,
             struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT path FROM pending_file WHERE pending = ? ORDER BY seq",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, id);
  while ((r = v2v_query_step (q, err)) == 1) {
    char *path = strdup (v2v_query_get_text (q, 0));

    if (path == NULL || lib_strings_append (ret, path) == -1) {
      free (path);
      return v2v_fail_nomem (err);
    }
  }
  return r;
}

/* Was file SEQ renamed by the intent?  To remove: always. */
static bool
was_made (int share_fd, const char *id, bool removing, bool ready, size_t seq)
{
  char path[80], number[24];
  struct stat st;

  if (removing)
    return true;
  snprintf (number, sizeof number, "%zu", seq);
  tmp_path (id, number, path);
  return ready && lib_stat (share_fd, path, &st) == -1 && errno == ENOENT;
}

static int
undo_files (struct v2v_library *lib, const char *id, const char *share_id,
            int share_fd, bool removing, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings files =
      V2V_VECTOR_INIT;
  char path[80];
  struct stat st;
  bool ready;

  tmp_path (id, "ready", path);
  ready = lib_stat (share_fd, path, &st) == 0;
  if (noted_files (lib, id, &files, err) == -1)
    return -1;
  for (size_t i = 0; i < files.len; ++i) {
    bool located;

    if (is_located (lib, share_id, files.ptr[i], &located, err) == -1)
      return -1;
    if (located || !lib_path_ok (files.ptr[i], NULL) ||
        !was_made (share_fd, id, removing, ready, i))
      continue;
    if (lib_unlink (share_fd, files.ptr[i]) == -1 && errno != ENOENT)
      return v2v_fail_errno (err, "%s: remove", files.ptr[i]);
    lib_remove_empty_folders (share_fd, files.ptr[i]);
  }
  snprintf (path, sizeof path, LIB_TMP "/%s", id);
  if (lib_remove_tree (share_fd, path) == -1)
    return v2v_fail_errno (err, "%s: remove", path);
  return 0;
}

static int
undo (struct v2v_library *lib, const char *id, const char *share_id,
      int share_fd, bool removing, struct v2v_error **err)
{
  if (undo_files (lib, id, share_id, share_fd, removing, err) == -1 ||
      v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (v2v_catalogue_run (lib->cat, NULL, err,
                         "DELETE FROM pending WHERE id = ?", id,
                         V2V_QUERY_END) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}

void
lib_intent_undo (struct v2v_library *lib, struct lib_intent *in)
{
  struct v2v_error *e = NULL;

  v2v_catalogue_rollback (lib->cat);
  if (in->share != NULL && in->share_fd == -1) {
    struct v2v_share share = { 0 };

    if (lib_find_share (lib, in->share, &share, NULL) == 0)
      in->share_fd = lib_share_fd (&share, NULL);
    lib_share_clear (&share);
  }
  if (in->share_fd != -1 &&
      undo (lib, in->id, in->share, in->share_fd, false, &e) == -1)
    v2v_warn ("%s; the next command takes it back", v2v_error_message (e));
  v2v_error_free (e);
  lib_intent_close (in);
}

/* ---- what others left ---- */

struct found {
  char *id, *kind, *host, *share;
  int64_t pid, started;
};
V2V_VECTOR (found_vector, struct found);

static void
found_clear (found_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].id);
    free (v->ptr[i].kind);
    free (v->ptr[i].host);
    free (v->ptr[i].share);
  }
  free (v->ptr);
}

static int
find_all (struct v2v_library *lib, found_vector *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT id, kind, host, share, pid, started FROM pending", err);
  int r = -1;

  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    struct found f = {
      .id = strdup (v2v_query_get_text (q, 0)),
      .kind = strdup (v2v_query_get_text (q, 1)),
      .host = strdup (v2v_query_get_text (q, 2)),
      .share = strdup (v2v_query_get_text (q, 3)),
      .pid = v2v_query_get_int (q, 4),
      .started = v2v_query_get_int (q, 5),
    };

    if (found_vector_append (ret, f) == -1) {
      free (f.id), free (f.kind), free (f.host), free (f.share);
      return v2v_fail_nomem (err);
    }
    if (!f.id || !f.kind || !f.host || !f.share)
      return v2v_fail_nomem (err);
  }
  return r;
}

/* Of two who find the same, one may take it back.  *RET: we may. */
static int
claim (struct v2v_library *lib, const struct found *f, bool *ret,
       struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = NULL;
  char host[256];

  *ret = false;
  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  q = v2v_query_new (lib->cat,
                     "UPDATE pending SET host = ?, pid = ?, started = ? WHERE "
                     "id = ? AND host = ? AND pid = ? AND started = ?",
                     err);
  if (q != NULL) {
    v2v_query_text (q, host);
    v2v_query_int (q, getpid ());
    v2v_query_int (q, lib_start_of (getpid ()));
    v2v_query_text (q, f->id);
    v2v_query_text (q, f->host);
    v2v_query_int (q, f->pid);
    v2v_query_int (q, f->started);
    if (v2v_query_step (q, err) == 0) {
      *ret = v2v_query_changes (q) == 1;
      return v2v_catalogue_commit (lib->cat, err);
    }
  }
  v2v_catalogue_rollback (lib->cat);
  return -1;
}

static int
recover_one (struct v2v_library *lib, const struct found *f,
             struct v2v_error **err)
{
  struct v2v_share share = { 0 };
  CLEANUP_CLOSE int fd = -1;
  bool ours;

  if (lib_find_share (lib, f->share, &share, err) == -1)
    return -1;
  fd = lib_share_fd (&share, err);
  lib_share_clear (&share);
  if (fd == -1 || claim (lib, f, &ours, err) == -1)
    return -1;
  if (!ours)
    return 0;
  v2v_debug ("library: taking back %s %s", f->kind, f->id);
  return undo (lib, f->id, f->share, fd, strcmp (f->kind, "remove") == 0, err);
}

/* Temporary folders that belong to no intent: their work was done.  The
 * folders are listed before the intents are: an intent is always older than
 * its folder. */
static int
remove_strays (struct v2v_library *lib, const struct v2v_share *share,
               struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = lib_share_fd (share, NULL);
  const char *leaf;
  int tmp = fd == -1 ? -1 : lib_walk (fd, LIB_TMP "/x", false, &leaf);
  CLEANUP_CLOSEDIR DIR *dp = tmp == -1 ? NULL : fdopendir (tmp);
  struct dirent *e;

  if (dp == NULL) {
    if (tmp != -1)
      close (tmp);
    return 0; /* not mounted, or nothing was ever imported */
  }
  while ((e = readdir (dp)) != NULL) {
    CLEANUP_FREE char *there = NULL;
    struct v2v_guid guid;
    char path[80];

    if (strlen (e->d_name) != 36 || !v2v_guid_parse (e->d_name, &guid))
      continue;
    if (lib_lookup (lib, &there, err, "SELECT id FROM pending WHERE id = ?",
                    e->d_name, V2V_QUERY_END) == -1)
      return -1;
    snprintf (path, sizeof path, LIB_TMP "/%s", e->d_name);
    if (there == NULL && lib_remove_tree (fd, path) == -1)
      v2v_debug ("library: %s: %s", path, strerror (errno));
  }
  return 0;
}

/* Descriptions that were not written become ours to write, where their share
 * is there. */
static int
take_over_meta (struct v2v_library *lib, const struct v2v_share_list *shares,
                const struct found *f, struct v2v_error **err)
{
  bool ours;

  for (size_t i = 0; i < shares->len; ++i)
    if (shares->ptr[i].there && strcmp (shares->ptr[i].id, f->share) == 0)
      return claim (lib, f, &ours, err);
  return 0;
}

int
lib_recover (struct v2v_library *lib, bool all, uint64_t *ret_done,
             uint64_t *ret_left, struct v2v_error **err)
{
  __attribute__ ((cleanup (found_clear))) found_vector list = V2V_VECTOR_INIT;
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  bool meta = false;

  *ret_done = *ret_left = 0;
  if (find_all (lib, &list, err) == -1 ||
      v2v_library_shares (lib, &shares, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    const struct found *f = &list.ptr[i];
    const bool runs = all ? lib_is_alive (f->host, f->pid, f->started)
                          : !lib_is_gone (f->host, f->pid, f->started);
    struct v2v_error *e = NULL;

    if (strcmp (f->kind, "meta") == 0) {
      meta = true;
      if (!runs && take_over_meta (lib, &shares, f, err) == -1)
        return -1;
    }
    else if (runs)
      ++*ret_left;
    else if (recover_one (lib, f, &e) == -1) {
      /* Its share may be away: later. */
      v2v_debug ("library: %s", v2v_error_message (e));
      v2v_error_free (e);
      ++*ret_left;
    }
    else
      ++*ret_done;
  }
  if (meta)
    lib_meta_flush (lib);
  for (size_t i = 0; i < shares.len; ++i)
    if (remove_strays (lib, &shares.ptr[i], err) == -1)
      return -1;
  return lib_recover_machines (lib, all, ret_done, ret_left, err);
}

int
lib_finish_removals (struct v2v_library *lib, struct v2v_error **err)
{
  __attribute__ ((cleanup (found_clear))) found_vector list = V2V_VECTOR_INIT;
  char host[256];

  if (lib_our_host (host) == -1)
    return v2v_fail_errno (err, "the name of this host");
  if (find_all (lib, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    const struct found *f = &list.ptr[i];
    struct v2v_error *e = NULL;

    if (strcmp (f->kind, "remove") != 0 || f->pid != getpid () ||
        strcmp (f->host, host) != 0 || recover_one (lib, f, &e) == 0)
      continue;
    v2v_warn ("%s: its files are removed when the share is there again",
              v2v_error_message (e));
    v2v_error_free (e);
  }
  return 0;
}
