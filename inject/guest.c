/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of a guest: looking.  What changes a guest is in guest-change.c.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "inject/guest-front.h"

/* ---- the handle ---- */

struct v2v_guest *
v2v_guest_new (const struct v2v_guest_ops *ops, void *handle,
               struct v2v_error **err)
{
  struct v2v_guest *g = calloc (1, sizeof *g);

  if (g == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  g->tmpdir = v2v_tempdir_new (NULL, err);
  if (g->tmpdir == NULL) {
    free (g);
    return NULL;
  }
  g->ops = ops;
  g->h = handle;
  g->os.major = g->os.minor = -1;
  return g;
}

void
v2v_guest_close (struct v2v_guest *g)
{
  if (g == NULL)
    return;
  g->ops->close (g->h);
  v2v_tempdir_free (g->tmpdir);
  v2v_os_clear (&g->os);
  v2v_findings_clear (&g->findings);
  v2v_journal_clear (&g->journal);
  free (g->undo);
  free (g);
}

struct v2v_os *
v2v_guest_os (struct v2v_guest *g)
{
  return &g->os;
}

const struct v2v_guest_opts *
v2v_guest_get_opts (const struct v2v_guest *g)
{
  return &g->opts;
}

void
v2v_guest_set_opts (struct v2v_guest *g, const struct v2v_guest_opts *o)
{
  g->opts = *o;
}

const struct v2v_machine *
v2v_guest_machine (const struct v2v_guest *g)
{
  return g->machine;
}

void
v2v_guest_set_machine (struct v2v_guest *g, const struct v2v_machine *m)
{
  g->machine = m;
}

struct v2v_findings *
v2v_guest_findings (struct v2v_guest *g)
{
  return &g->findings;
}

struct v2v_journal *
v2v_guest_journal (struct v2v_guest *g)
{
  return &g->journal;
}

int
v2v_guest_set_undo (struct v2v_guest *g, const char *folder,
                    struct v2v_error **err)
{
  char *copy = NULL;

  if (folder != NULL && (copy = strdup (folder)) == NULL)
    return v2v_fail_nomem (err);
  free (g->undo);
  g->undo = copy;
  return 0;
}

const char *
v2v_guest_tmpdir (struct v2v_guest *g)
{
  return v2v_tempdir_path (g->tmpdir);
}

void
v2v_guest_set_dry_run (struct v2v_guest *g, bool dry_run)
{
  g->dry_run = dry_run;
}

bool
v2v_guest_is_dry_run (const struct v2v_guest *g)
{
  return g->dry_run;
}

void
v2v_guest_set_step (struct v2v_guest *g, v2v_guest_step_fn *step, void *arg)
{
  g->step = step;
  g->step_arg = arg;
}

void
v2v_guest_tell_step (struct v2v_guest *g, const char *what)
{
  if (g->step != NULL)
    g->step (g->step_arg, what);
}

/* ---- paths ---- */

/* Converters put paths together from names found in the guest. */
int
guest_check_path (const char *path, struct v2v_error **err)
{
  if (path[0] != '/')
    return v2v_fail (err, V2V_ERR_GUEST,
                     "'%s' is no absolute path in the guest", path);
  if (strlen (path) > GUEST_MAX_PATH)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "a path in the guest has %zu bytes, expected up to %d",
                     strlen (path), GUEST_MAX_PATH);
  for (const char *p = path; (p = strstr (p, "/..")) != NULL; p += 3)
    if (p[3] == '/' || p[3] == '\0')
      return v2v_fail (err, V2V_ERR_GUEST, "path '%s' in the guest has '..'",
                       path);
  return 0;
}

/* The name of FOLDER's list that equals NAME without regard to case; exact
 * spelling first.  NULL = none. */
static char *
match_name (char **list, const char *name, size_t len)
{
  for (size_t i = 0; list[i] != NULL; ++i)
    if (strlen (list[i]) == len && memcmp (list[i], name, len) == 0)
      return list[i];
  for (size_t i = 0; list[i] != NULL; ++i)
    if (strlen (list[i]) == len && strncasecmp (list[i], name, len) == 0)
      return list[i];
  return NULL;
}

char *
v2v_guest_case_path (struct v2v_guest *g, const char *path,
                     struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  bool known = true;

  if (guest_check_path (path, err) == -1)
    return NULL;
  if (g->os.family != V2V_FAMILY_WINDOWS) {
    char *copy = strdup (path);

    if (copy == NULL)
      v2v_fail_nomem (err);
    return copy;
  }
  for (const char *p = path; *p != '\0';) {
    const size_t slashes = strspn (p, "/");
    const size_t len = strcspn (p + slashes, "/");
    const char *name = p + slashes, *found = NULL;
    CLEANUP_LIST char **list = NULL;

    p = name + len;
    if (len == 0)
      break;
    if (known) {
      list = v2v_guest_list (g, s.ptr ? s.ptr : "/", err);
      if (list == NULL)
        return NULL;
      found = match_name (list, name, len);
      known = found != NULL;
    }
    if (v2v_str_append (&s, "/") == -1 ||
        v2v_str_append_len (&s, found ? found : name, len) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
  }
  if (s.len == 0 && v2v_str_append (&s, "/") == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (s.ptr);
}

/* What the back end is asked: PATH, or its spelling on a Windows disk.  The
 * caller frees. */
char *
guest_real_path (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  return v2v_guest_case_path (g, path, err);
}

/* ---- looking ---- */

static int
do_stat (struct v2v_guest *g, const char *path, bool follow,
         struct v2v_guest_stat *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *real = NULL;
  struct v2v_guest_stat st = { 0 };
  int r;

  /* Its spelling matters only where it is not there as given. */
  if (guest_check_path (path, err) == -1)
    return -1;
  r = g->ops->stat (g->h, path, follow, &st, err);
  if (r == 0 && g->os.family == V2V_FAMILY_WINDOWS) {
    real = guest_real_path (g, path, err);
    if (real == NULL)
      return -1;
    r = g->ops->stat (g->h, real, follow, &st, err);
  }
  if (r == 1 && ret != NULL)
    *ret = st;
  return r;
}

int
v2v_guest_stat (struct v2v_guest *g, const char *path,
                struct v2v_guest_stat *ret, struct v2v_error **err)
{
  return do_stat (g, path, true, ret, err);
}

int
v2v_guest_lstat (struct v2v_guest *g, const char *path,
                 struct v2v_guest_stat *ret, struct v2v_error **err)
{
  return do_stat (g, path, false, ret, err);
}

bool
v2v_guest_is_file (struct v2v_guest *g, const char *path)
{
  struct v2v_guest_stat st;

  return v2v_guest_stat (g, path, &st, NULL) == 1 &&
         st.type == V2V_FILE_REGULAR;
}

bool
v2v_guest_is_dir (struct v2v_guest *g, const char *path)
{
  struct v2v_guest_stat st;

  return v2v_guest_stat (g, path, &st, NULL) == 1 && st.type == V2V_FILE_FOLDER;
}

bool
v2v_guest_exists (struct v2v_guest *g, const char *path)
{
  return v2v_guest_stat (g, path, NULL, NULL) == 1;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

void
v2v_guest_free_list (char **list)
{
  for (size_t i = 0; list != NULL && list[i] != NULL; ++i)
    free (list[i]);
  free (list);
}

void
v2v_guest_cleanup_list (char ***list)
{
  v2v_guest_free_list (*list);
}

static size_t
count (char **list)
{
  size_t n = 0;

  while (list[n] != NULL)
    ++n;
  return n;
}

char **
v2v_guest_list (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *real = NULL;
  CLEANUP_LIST char **list = NULL;
  struct v2v_guest_stat st;
  const char *p = path;
  int r;

  if (guest_check_path (path, err) == -1)
    return NULL;
  r = g->ops->stat (g->h, path, true, &st, err);
  if (r == 0 && g->os.family == V2V_FAMILY_WINDOWS && strcmp (path, "/") != 0) {
    p = real = guest_real_path (g, path, err);
    if (real == NULL)
      return NULL;
    r = g->ops->stat (g->h, real, true, &st, err);
  }
  if (r == -1)
    return NULL;
  if (r == 1 && st.type == V2V_FILE_FOLDER) {
    list = g->ops->list (g->h, p, err);
    if (list == NULL)
      return NULL;
  }
  else if ((list = calloc (1, sizeof *list)) == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (count (list) > V2V_GUEST_MAX_NAMES) {
    v2v_fail (err, V2V_ERR_GUEST,
              "%s in the guest holds %zu names, expected up to %d", path,
              count (list), V2V_GUEST_MAX_NAMES);
    return NULL;
  }
  qsort (list, count (list), sizeof *list, compare_names);
  return STEAL (list);
}

char **
v2v_guest_glob (struct v2v_guest *g, const char *folder, const char *pattern,
                struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_guest_list (g, folder, err);
  CLEANUP_LIST char **out = NULL;
  const int flags = g->os.family == V2V_FAMILY_WINDOWS ? FNM_CASEFOLD : 0;
  const bool slash = folder[strlen (folder) - 1] == '/';
  size_t n = 0;

  if (names == NULL)
    return NULL;
  out = calloc (count (names) + 1, sizeof *out);
  if (out == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (size_t i = 0; names[i] != NULL; ++i) {
    if (fnmatch (pattern, names[i], flags | FNM_PERIOD) != 0)
      continue;
    if (asprintf (&out[n], "%s%s%s", folder, slash ? "" : "/", names[i]) ==
        -1) {
      out[n] = NULL;
      v2v_fail_nomem (err);
      return NULL;
    }
    ++n;
  }
  return STEAL (out);
}

char *
v2v_guest_readlink (struct v2v_guest *g, const char *path,
                    struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  struct v2v_guest_stat st;
  int r;

  if (real == NULL)
    return NULL;
  r = g->ops->stat (g->h, real, false, &st, err);
  if (r <= 0 || st.type != V2V_FILE_LINK)
    return NULL;
  return g->ops->readlink (g->h, real, err);
}

/* 1 = a regular file of at most MAX bytes, 0 = not there. */
static int
check_file (struct v2v_guest *g, const char *path, uint64_t max,
            struct v2v_guest_stat *ret, struct v2v_error **err)
{
  const int r = g->ops->stat (g->h, path, true, ret, err);

  if (r <= 0)
    return r;
  if (ret->type != V2V_FILE_REGULAR)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no regular file",
                     path);
  if (ret->size_bytes > max)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s in the guest has %" PRIu64
                     " bytes, expected up to %" PRIu64,
                     path, ret->size_bytes, max);
  return 1;
}

static void *
read_up_to (struct v2v_guest *g, const char *path, uint64_t limit,
            size_t max_bytes, size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_FREE void *data = NULL;
  struct v2v_guest_stat st;
  size_t len;

  if (real == NULL || check_file (g, real, limit, &st, err) <= 0)
    return NULL;
  data = g->ops->read (g->h, real, max_bytes, &len, err);
  if (data == NULL)
    return NULL;
  if (ret_len != NULL)
    *ret_len = len;
  return STEAL (data);
}

void *
v2v_guest_read (struct v2v_guest *g, const char *path, size_t max_bytes,
                size_t *ret_len, struct v2v_error **err)
{
  return read_up_to (g, path, max_bytes, max_bytes, ret_len, err);
}

void *
v2v_guest_read_head (struct v2v_guest *g, const char *path, size_t max_bytes,
                     size_t *ret_len, struct v2v_error **err)
{
  return read_up_to (g, path, UINT64_MAX, max_bytes, ret_len, err);
}

char *
v2v_guest_read_text (struct v2v_guest *g, const char *path,
                     struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text =
      v2v_guest_read (g, path, V2V_GUEST_MAX_TEXT, &len, err);

  if (text == NULL)
    return NULL;
  if (memchr (text, '\0', len) != NULL) {
    v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no text: it has a NUL",
              path);
    return NULL;
  }
  return STEAL (text);
}

int
v2v_guest_download (struct v2v_guest *g, const char *path,
                    const char *host_path, uint64_t max_bytes,
                    struct v2v_error **err)
{
  CLEANUP_FREE char *real = guest_real_path (g, path, err);
  CLEANUP_CLOSE int fd = -1;
  struct v2v_guest_stat st;
  int r;

  if (real == NULL)
    return -1;
  r = check_file (g, real, max_bytes, &st, err);
  if (r == -1)
    return -1;
  if (r == 0)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", path);
  fd = open (host_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
             0600);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", host_path);
  return g->ops->download (g->h, real, fd, max_bytes, err);
}

int
v2v_guest_space (struct v2v_guest *g, const char *path,
                 struct v2v_guest_space *ret, struct v2v_error **err)
{
  if (guest_check_path (path, err) == -1)
    return -1;
  return g->ops->space (g->h, path, ret, err);
}

bool
v2v_guest_can_run (const struct v2v_guest *g)
{
  return g->ops->run != NULL;
}
