/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver "folder": a folder that the host sees too, a mounted share or a
 * disk that will be carried there.  What is to be done on the host is left as
 * a request in the machine's folder,
 *
 *   MACHINE/v2v-request.json   { "action": "start", "force": false }
 *
 * for v2v-requests.ps1, which lies beside the machines and is run there, once
 * or every minute.  It does what it finds, removes the request and writes
 *
 *   MACHINE/v2v-state.json     { "state": "running", "error": "" }
 *
 * A state is as old as its file: no request is waited for.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/host-scripts.h"
#include "library/hosts-internal.h"

#define SCRIPT  "v2v-requests.ps1"
#define REQUEST "v2v-request.json"
#define STATE   "v2v-state.json"

static void
folder_close (void *h)
{
  host_local_clear (h);
  free (h);
}

static void *
folder_open (const struct v2v_host *host, struct v2v_error **err)
{
  struct host_local *l = calloc (1, sizeof *l);

  if (l == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  l->root = -1;
  if (host_local_init (l, host, err) == 0)
    return l;
  folder_close (l);
  return NULL;
}

/* The script as Windows PowerShell 5.1 reads it: a BOM, CRLF. */
static int
put_script (struct host_local *l, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *old = NULL;
  int r = v2v_str_append (&s, "\xef\xbb\xbf");

  for (const char *p = host_requests_script; r == 0 && *p != '\0';) {
    const size_t n = strcspn (p, "\n");

    r = v2v_str_append_len (&s, p, n);
    p += n;
    if (r == 0 && *p == '\n') {
      r = v2v_str_append (&s, "\r\n");
      p++;
    }
  }
  if (r == -1)
    return v2v_fail_nomem (err);
  /* What cannot be read is written anew, and that tells what is wrong. */
  old = host_local_text (l, SCRIPT, NULL);
  if (old != NULL && strcmp (old, s.ptr) == 0)
    return 0;
  return host_local_put_text (l, SCRIPT, s.ptr, s.len, err);
}

static int
need_machine (struct host_local *l, const char *machine, struct v2v_error **err)
{
  enum host_kind kind;

  if (host_local_kind (l, machine, &kind, err) == -1)
    return -1;
  if (kind == HOST_FOLDER)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE, "%s holds no machine '%s'", l->path,
                   machine);
}

static int
request (struct host_local *l, const char *machine, const char *action,
         bool force, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_FREE char *rel = lib_join (machine, REQUEST, err);
  CLEANUP_FREE char *text = NULL;

  if (rel == NULL || need_machine (l, machine, err) == -1)
    return -1;
  v2v_json_set_string (o, "schema", "v2v-request-1");
  v2v_json_set_string (o, "action", action);
  v2v_json_set_bool (o, "force", force);
  text = v2v_json_ok (o) ? v2v_json_dump (o, 2) : NULL;
  if (text == NULL)
    return v2v_fail_nomem (err);
  return put_script (l, err) == -1
             ? -1
             : host_local_put_text (l, rel, text, strlen (text), err);
}

static int
folder_register (void *h, const char *machine, struct v2v_error **err)
{
  return request (h, machine, "register", false, err);
}

static int
folder_start (void *h, const char *machine, struct v2v_error **err)
{
  return request (h, machine, "start", false, err);
}

static int
folder_stop (void *h, const char *machine, bool force, struct v2v_error **err)
{
  return request (h, machine, "stop", force, err);
}

static int
folder_unregister (void *h, const char *machine, struct v2v_error **err)
{
  return request (h, machine, "remove", false, err);
}

/* ---- the answer ---- */

static int
parse_state (const char *text, const char *name, enum v2v_host_state *ret,
             struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  const char *state, *error;

  /* PowerShell 5.1 writes UTF-8 with a BOM. */
  if (strncmp (text, "\xef\xbb\xbf", 3) == 0)
    text += 3;
  o = v2v_json_parse (text, strlen (text), name, err);
  if (o == NULL)
    return -1;
  error = v2v_json_get_string (o, "error");
  if (error != NULL && *error != '\0')
    return v2v_fail (err, V2V_ERR_IO, "%s: the host says: %s", name, error);
  state = v2v_json_get_string (o, "state");
  for (unsigned i = 0; state != NULL && i <= V2V_HOST_UNKNOWN; ++i)
    if (strcmp (v2v_host_state_name ((enum v2v_host_state) i), state) == 0) {
      *ret = (enum v2v_host_state) i;
      return 0;
    }
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: no state of a machine", name);
}

static int
read_state (struct host_local *l, const char *rel, enum v2v_host_state *ret,
            struct v2v_error **err)
{
  char text[4096]; /* a state, and a sentence */
  struct stat st;
  CLEANUP_CLOSE int fd = -1;
  const char *leaf;
  CLEANUP_CLOSE int dir = lib_walk (l->root, rel, false, &leaf);
  ssize_t n;

  if (dir != -1)
    fd = openat (dir, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd == -1 && errno == ENOENT) {
    *ret = V2V_HOST_UNKNOWN;
    return 0;
  }
  if (fd == -1 || fstat (fd, &st) == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  n = pread (fd, text, sizeof text - 1, 0);
  if (n == -1)
    return v2v_fail_errno (err, "%s/%s", l->path, rel);
  if (!S_ISREG (st.st_mode) || st.st_size >= (off_t) sizeof text)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s/%s: is too long for a state",
                     l->path, rel);
  text[n] = '\0';
  return parse_state (text, rel, ret, err);
}

static int
folder_state (void *h, const char *machine, enum v2v_host_state *ret,
              struct v2v_error **err)
{
  CLEANUP_FREE char *rel = lib_join (machine, STATE, err);
  enum host_kind kind;

  if (rel == NULL || host_local_kind (h, machine, &kind, err) == -1)
    return -1;
  if (kind != HOST_FOLDER) {
    *ret = V2V_HOST_ABSENT;
    return 0;
  }
  return read_state (h, rel, ret, err);
}

const struct v2v_host_ops host_folder_ops = {
  .name = "folder",
  .open = folder_open,
  .close = folder_close,
  HOST_LOCAL_FILE_OPS,
  .register_vm = folder_register,
  .start = folder_start,
  .stop = folder_stop,
  .unregister_vm = folder_unregister,
  .state = folder_state,
};
