/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver "ssh": a Windows host with OpenSSH and PowerShell.  Each
 * operation is a verb of host-ssh.ps1; see host-ssh-call.c.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/host-ssh.h"

/* Digests in base64 of a disk of 64 TiB, the largest there is. */
#define MAX_DIGESTS ((size_t) 33554432 * V2V_SHA256_SIZE / 3 * 4 + 4)

struct host_ssh {
  const struct v2v_host *host;
  struct ssh_call write; /* between write_begin and write_end */
  bool writing;
};

static void
cleanup_call (struct ssh_call *c)
{
  ssh_call_end (c);
}
#define CLEANUP_CALL __attribute__ ((cleanup (cleanup_call)))
#define CALL_INIT                                                              \
  {                                                                            \
    .child = V2V_CHILD_INIT, .fd = -1                                          \
  }

static void *
ssh_open (const struct v2v_host *host, struct v2v_error **err)
{
  struct host_ssh *s = calloc (1, sizeof *s);

  if (s == NULL)
    v2v_fail_nomem (err);
  else
    s->host = host;
  return s;
}

static void
ssh_close (void *h)
{
  free (h);
}

/* VERB with one member, and the answer. */
static struct v2v_json *
simple (void *h, const char *verb, const char *key, const char *value,
        struct v2v_error **err)
{
  const struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object ();

  v2v_json_set_string (data, key, value);
  if (ssh_call_begin (&c, s->host, verb, data, NULL, err) == -1)
    return NULL;
  return ssh_call_answer (&c, err);
}

/* The same where the answer is that it was done. */
static int
just_do (void *h, const char *verb, const char *key, const char *value,
         struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = simple (h, verb, key, value, err);

  return j == NULL ? -1 : 0;
}

static int
odd_answer (const char *verb, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "ssh: %s: the answer makes no sense",
                   verb);
}

/* ---- files ---- */

static int
ssh_kind (void *h, const char *rel, enum host_kind *ret, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = simple (h, "kind", "rel", rel, err);
  const char *kind = j ? v2v_json_get_string (j, "kind") : NULL;

  if (j == NULL)
    return -1;
  if (kind == NULL)
    return odd_answer ("kind", err);
  *ret = strcmp (kind, "file") == 0     ? HOST_FILE
         : strcmp (kind, "folder") == 0 ? HOST_FOLDER
                                        : HOST_NOTHING;
  return 0;
}

/* A line of digests of a file of SIZE bytes. */
static struct v2v_disk_digest *
read_digests (struct ssh_call *c, uint64_t size, struct v2v_error **err)
{
  CLEANUP_FREE char *line = ssh_call_line (c, MAX_DIGESTS, err);
  CLEANUP_FREE uint8_t *bytes = NULL;
  struct v2v_disk_digest *d;
  size_t len;

  if (line == NULL)
    return NULL;
  d = v2v_disk_digest_new (size, err);
  if (d == NULL)
    return NULL;
  bytes = ssh_unbase64 (line, strlen (line), &len);
  if (bytes == NULL || len / V2V_SHA256_SIZE != d->nr_blocks ||
      len % V2V_SHA256_SIZE != 0)
    odd_answer (c->verb, err);
  else {
    for (uint64_t b = 0; b < d->nr_blocks; ++b)
      v2v_disk_digest_set (d, b, bytes + b * V2V_SHA256_SIZE);
    if (v2v_disk_digest_finish (d, err) == 0)
      return d;
  }
  v2v_disk_digest_free (d);
  return NULL;
}

static int
ssh_digest (void *h, const char *rel, struct v2v_disk_digest **ret,
            struct v2v_error **err)
{
  const struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object (), *j = NULL;
  uint64_t size;

  *ret = NULL;
  v2v_json_set_string (data, "rel", rel);
  if (ssh_call_begin (&c, s->host, "digest", data, NULL, err) == -1 ||
      (j = ssh_call_answer (&c, err)) == NULL)
    return -1;
  if (!v2v_json_get_u64 (j, "size", &size)) /* -1: there is none */
    return 0;
  *ret = read_digests (&c, size, err);
  return *ret ? 0 : -1;
}

static int
ssh_prepare (void *h, struct host_file *f, size_t n, struct v2v_error **err)
{
  const struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object (), *j = NULL;
  struct v2v_json *files = v2v_json_new_array ();
  const struct v2v_json *list;

  for (size_t i = 0; i < n; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "part", f[i].part);
    v2v_json_set_string (o, "old", f[i].old ? f[i].old : "");
    v2v_json_append (files, o);
  }
  v2v_json_set (data, "files", files);
  if (ssh_call_begin (&c, s->host, "prepare", data, NULL, err) == -1 ||
      (j = ssh_call_answer (&c, err)) == NULL)
    return -1;
  list = v2v_json_get (j, "files");
  if (v2v_json_length (list) != n)
    return odd_answer ("prepare", err);
  for (size_t i = 0; i < n; ++i) {
    const char *have = v2v_json_get_string (v2v_json_at (list, i), "have");
    uint64_t size;

    if (have == NULL ||
        !v2v_json_get_u64 (v2v_json_at (list, i), "size", &size))
      return odd_answer ("prepare", err);
    if (*have == '\0')
      continue;
    f[i].have = read_digests (&c, size, err);
    if (f[i].have == NULL)
      return -1;
    f[i].have_old = strcmp (have, "old") == 0;
  }
  return 0;
}

static bool
is_written (const struct host_file *f)
{
  return !f->same && !f->shared;
}

static int
ssh_write_begin (void *h, struct host_file *f, size_t n, struct v2v_error **err)
{
  struct host_ssh *s = h;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object ();
  struct v2v_json *files = v2v_json_new_array ();

  for (size_t i = 0; i < n; ++i) {
    struct v2v_json *o;

    if (!is_written (&f[i]))
      continue;
    o = v2v_json_new_object ();
    v2v_json_set_string (o, "part", f[i].part);
    v2v_json_set_string (o, "old", f[i].have_old ? f[i].old : "");
    v2v_json_set_u64 (o, "size", f[i].size);
    v2v_json_append (files, o);
  }
  v2v_json_set (data, "files", files);
  s->writing = true;
  return ssh_call_begin (&s->write, s->host, "write", data, NULL, err);
}

static int
ssh_write (void *h, struct host_file *f, size_t index, const void *buf,
           size_t len, uint64_t offset, struct v2v_error **err)
{
  struct host_ssh *s = h;
  char head[80];
  size_t number = 0;
  int n;

  for (size_t i = 0; i < index; ++i)
    number += is_written (&f[i]);
  n = snprintf (head, sizeof head, "%zu %" PRIu64 " %zu\n", number, offset,
                len);
  return ssh_call_send (&s->write, head, (size_t) n, err) == -1
             ? -1
             : ssh_call_send (&s->write, buf, len, err);
}

static int
ssh_write_end (void *h, struct host_file *f, size_t n, struct v2v_error **err)
{
  struct host_ssh *s = h;
  CLEANUP_JSON struct v2v_json *j = NULL;

  if (ssh_call_send (&s->write, "end\n", 4, err) == -1 ||
      (j = ssh_call_answer (&s->write, err)) == NULL)
    return -1;
  for (size_t i = 0; i < n; ++i) {
    struct v2v_disk_digest *d;

    if (!is_written (&f[i]))
      continue;
    d = read_digests (&s->write, f[i].size, err);
    if (d == NULL)
      return -1;
    memcpy (f[i].root, d->root, sizeof f[i].root);
    v2v_disk_digest_free (d);
  }
  return 0;
}

static void
ssh_release (void *h, size_t n)
{
  struct host_ssh *s = h;

  (void) n;
  if (s->writing)
    ssh_call_end (&s->write);
  s->writing = false;
}

static int
ssh_publish (void *h, const char *from, const char *to, struct v2v_error **err)
{
  struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object (), *j = NULL;

  ssh_release (h, 0); /* its files are open for nobody else */
  v2v_json_set_string (data, "from", from);
  v2v_json_set_string (data, "to", to);
  if (ssh_call_begin (&c, s->host, "publish", data, NULL, err) == -1)
    return -1;
  j = ssh_call_answer (&c, err);
  return j == NULL ? -1 : 0;
}

static int
ssh_seal (void *h, const char *rel, struct v2v_error **err)
{
  return just_do (h, "seal", "rel", rel, err);
}

static int
ssh_get (void *h, const char *rel, int fd, uint64_t max,
         const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  const struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object ();
  CLEANUP_JSON struct v2v_json *j = NULL, *end = NULL;
  uint64_t size;

  v2v_json_set_string (data, "rel", rel);
  v2v_json_set_u64 (data, "max", max < INT64_MAX ? max : INT64_MAX);
  if (ssh_call_begin (&c, s->host, "get", data, copy ? copy->cancel : NULL,
                      err) == -1 ||
      (j = ssh_call_answer (&c, err)) == NULL)
    return -1;
  if (!v2v_json_get_u64 (j, "size", &size) || size > max)
    return odd_answer ("get", err);
  if (ssh_call_copy (&c, fd, size, err) == -1)
    return -1;
  end = ssh_call_answer (&c, err);
  return end == NULL ? -1 : 0;
}

static int
ssh_remove_files (void *h, const char *rel, struct v2v_error **err)
{
  return just_do (h, "remove_files", "rel", rel, err);
}

static int
ssh_list (void *h, const char *rel, v2v_host_file_fn *fn, void *arg,
          struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = simple (h, "list", "rel", rel, err);
  const struct v2v_json *list = j ? v2v_json_get (j, "files") : NULL;

  if (j == NULL)
    return -1;
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *o = v2v_json_at (list, i);
    struct v2v_host_file f = { .name = v2v_json_get_string (o, "name") };
    uint64_t ms;
    int r;

    if (f.name == NULL || !v2v_json_get_u64 (o, "size", &f.size_bytes) ||
        !v2v_json_get_bool (o, "folder", &f.folder))
      return odd_answer ("list", err);
    if (strchr (f.name, '/') != NULL || !lib_path_ok (f.name, NULL))
      continue;
    /* A year beyond 2262 is no time of a file. */
    if (v2v_json_get_u64 (o, "mtime", &ms) && ms < INT64_MAX / 1000000)
      f.mtime = (int64_t) ms * 1000000;
    r = fn (arg, &f, err);
    if (r != 0)
      return r;
  }
  return 0;
}

/* ---- machines ---- */

static int
ssh_register (void *h, const char *machine, struct v2v_error **err)
{
  return just_do (h, "register", "machine", machine, err);
}

static int
ssh_start (void *h, const char *machine, struct v2v_error **err)
{
  return just_do (h, "start", "machine", machine, err);
}

static int
ssh_stop (void *h, const char *machine, bool force, struct v2v_error **err)
{
  const struct host_ssh *s = h;
  CLEANUP_CALL struct ssh_call c = CALL_INIT;
  CLEANUP_JSON struct v2v_json *data = v2v_json_new_object (), *j = NULL;

  v2v_json_set_string (data, "machine", machine);
  v2v_json_set_bool (data, "force", force);
  if (ssh_call_begin (&c, s->host, "stop", data, NULL, err) == -1)
    return -1;
  j = ssh_call_answer (&c, err);
  return j == NULL ? -1 : 0;
}

static int
ssh_unregister (void *h, const char *machine, struct v2v_error **err)
{
  return just_do (h, "unregister", "machine", machine, err);
}

static int
ssh_state (void *h, const char *machine, enum v2v_host_state *ret,
           struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j =
      simple (h, "state", "machine", machine, err);
  const char *state = j ? v2v_json_get_string (j, "state") : NULL;

  if (j == NULL)
    return -1;
  for (unsigned i = 0; state != NULL && i <= V2V_HOST_UNKNOWN; ++i)
    if (strcmp (v2v_host_state_name ((enum v2v_host_state) i), state) == 0) {
      *ret = (enum v2v_host_state) i;
      return 0;
    }
  return odd_answer ("state", err);
}

const struct v2v_host_ops host_ssh_ops = {
  .name = "ssh",
  .open = ssh_open,
  .close = ssh_close,
  .kind = ssh_kind,
  .prepare = ssh_prepare,
  .write_begin = ssh_write_begin,
  .write = ssh_write,
  .write_end = ssh_write_end,
  .release = ssh_release,
  .publish = ssh_publish,
  .seal = ssh_seal,
  .get = ssh_get,
  .digest = ssh_digest,
  .remove_files = ssh_remove_files,
  .list = ssh_list,
  .register_vm = ssh_register,
  .start = ssh_start,
  .stop = ssh_stop,
  .unregister_vm = ssh_unregister,
  .state = ssh_state,
};
