/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts: the front of the drivers.  Every path is checked here. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/core/io.h"
#include "library/hosts-internal.h"

static const struct v2v_host_ops *const drivers[] = {
  &host_folder_ops,
  &host_qemu_ops,
  &host_ssh_ops,
};

const char *
v2v_host_state_name (enum v2v_host_state s)
{
  switch (s) {
  case V2V_HOST_OFF:
    return "off";
  case V2V_HOST_RUNNING:
    return "running";
  case V2V_HOST_ABSENT:
    return "absent";
  case V2V_HOST_UNKNOWN:
    return "unknown";
  }
  return "unknown";
}

struct v2v_host_conn *
v2v_host_open (const struct v2v_host *host, struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_host_conn *c = calloc (1, sizeof *c);

  if (c == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  c->host = host;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (drivers); ++i)
    if (strcmp (drivers[i]->name, host->driver) == 0)
      c->ops = drivers[i];
  if (c->ops == NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "host '%s': no driver is called '%s'",
              host->name, host->driver);
    return NULL;
  }
  c->h = c->ops->open (host, err);
  if (c->h == NULL) {
    v2v_prefix (err, "host '%s'", host->name);
    return NULL;
  }
  return STEAL (c);
}

void
v2v_host_close (struct v2v_host_conn *c)
{
  if (c == NULL)
    return;
  c->ops->close (c->h);
  free (c);
}

const struct v2v_host *
v2v_host_of (const struct v2v_host_conn *c)
{
  return c->host;
}

const char *
v2v_host_local_path (const struct v2v_host_conn *c)
{
  return c->ops->local_path != NULL ? c->ops->local_path (c->h) : NULL;
}

/* ---- checks ---- */

/* What is a name here must be one on Windows too. */
static int
check_path (const struct v2v_host_conn *c, const char *rel,
            struct v2v_error **err)
{
  if (!lib_path_ok (rel, err))
    return v2v_prefix (err, "host '%s'", c->host->name);
  if (rel[strcspn (rel, "<>:\"|?*")] != '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "host '%s': '%s' cannot be a name on Windows",
                     c->host->name, rel);
  return 0;
}

static int
check_machine (const struct v2v_host_conn *c, const char *machine,
               struct v2v_error **err)
{
  if (strchr (machine, '/') != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "host '%s': '%s' is not the name of a machine's folder",
                     c->host->name, machine);
  return check_path (c, machine, err);
}

static int
done (const struct v2v_host_conn *c, int r, struct v2v_error **err)
{
  return r == -1 ? v2v_prefix (err, "host '%s'", c->host->name) : r;
}

/* ---- files ---- */

int
v2v_host_put (struct v2v_host_conn *c, const char *local, const char *rel,
              const struct v2v_copy_opts *copy, struct v2v_host_sent *sent,
              struct v2v_error **err)
{
  const struct v2v_copy_opts none = { 0 };
  struct v2v_host_sent dummy;

  if (sent == NULL)
    sent = &dummy;
  memset (sent, 0, sizeof *sent);
  if (check_path (c, rel, err) == -1)
    return -1;
  return done (c, host_send (c, local, rel, copy ? copy : &none, sent, err),
               err);
}

int
v2v_host_get (struct v2v_host_conn *c, const char *rel, const char *local,
              const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;
  CLEANUP_CLOSE int fd = -1;
  int r;

  if (check_path (c, rel, err) == -1)
    return -1;
  if (asprintf (&part, "%s" HOST_PART, local) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  fd = open (part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", part);
  r = c->ops->get (c->h, rel, fd, UINT64_MAX, copy, err);
  if (r == 0 && fsync (fd) == -1)
    r = v2v_fail_errno (err, "%s: fsync", part);
  if (r == 0 && rename (part, local) == -1)
    r = v2v_fail_errno (err, "%s", local);
  if (r == -1)
    unlink (part);
  return done (c, r, err);
}

char *
host_read_text (int fd, struct v2v_error **err)
{
  const off_t len = lseek (fd, 0, SEEK_END);
  CLEANUP_FREE char *text = len >= 0 && (size_t) len <= HOST_MAX_TEXT
                                ? malloc ((size_t) len + 1)
                                : NULL;
  size_t pos = 0;

  if (text == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while (pos < (size_t) len) {
    const ssize_t n = pread (fd, text + pos, (size_t) len - pos, (off_t) pos);

    if (n <= 0) {
      v2v_fail_errno (err, "reading a text");
      return NULL;
    }
    pos += (size_t) n;
  }
  text[len] = '\0';
  if (memchr (text, '\0', (size_t) len) != NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "has bytes that are no text");
    return NULL;
  }
  return STEAL (text);
}

char *
v2v_host_get_text (struct v2v_host_conn *c, const char *rel,
                   struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = memfd_create ("host-text", MFD_CLOEXEC);
  char *text = NULL;

  if (check_path (c, rel, err) == -1)
    return NULL;
  if (fd == -1)
    v2v_fail_errno (err, "memfd_create");
  else if (c->ops->get (c->h, rel, fd, HOST_MAX_TEXT, NULL, err) == 0) {
    text = host_read_text (fd, err);
    if (text == NULL)
      v2v_prefix (err, "%s", rel);
  }
  if (text == NULL)
    done (c, -1, err);
  return text;
}

int
v2v_host_remove_files (struct v2v_host_conn *c, const char *rel,
                       struct v2v_error **err)
{
  if (check_path (c, rel, err) == -1)
    return -1;
  return done (c, c->ops->remove_files (c->h, rel, err), err);
}

int
v2v_host_list (struct v2v_host_conn *c, const char *rel, v2v_host_file_fn *fn,
               void *arg, struct v2v_error **err)
{
  if (*rel != '\0' && check_path (c, rel, err) == -1)
    return -1;
  return done (c, c->ops->list (c->h, rel, fn, arg, err), err);
}

struct only_files {
  v2v_host_file_fn *fn;
  void *arg;
};

static int
pass_file (void *arg, const struct v2v_host_file *f, struct v2v_error **err)
{
  const struct only_files *o = arg;
  const size_t len = strlen (f->name), end = strlen (HOST_PART);

  if (f->folder || (len > end && strcmp (f->name + len - end, HOST_PART) == 0))
    return 0;
  return o->fn (o->arg, f, err);
}

int
v2v_host_list_bases (struct v2v_host_conn *c, v2v_host_file_fn *fn, void *arg,
                     struct v2v_error **err)
{
  struct only_files o = { fn, arg };

  return v2v_host_list (c, c->host->bases, pass_file, &o, err);
}

/* ---- machines ---- */

int
v2v_host_register (struct v2v_host_conn *c, const char *machine,
                   struct v2v_error **err)
{
  if (check_machine (c, machine, err) == -1)
    return -1;
  return done (c, c->ops->register_vm (c->h, machine, err), err);
}

int
v2v_host_start (struct v2v_host_conn *c, const char *machine,
                struct v2v_error **err)
{
  if (check_machine (c, machine, err) == -1)
    return -1;
  return done (c, c->ops->start (c->h, machine, err), err);
}

int
v2v_host_stop (struct v2v_host_conn *c, const char *machine, bool force,
               struct v2v_error **err)
{
  if (check_machine (c, machine, err) == -1)
    return -1;
  return done (c, c->ops->stop (c->h, machine, force, err), err);
}

int
v2v_host_unregister (struct v2v_host_conn *c, const char *machine,
                     struct v2v_error **err)
{
  if (check_machine (c, machine, err) == -1)
    return -1;
  return done (c, c->ops->unregister_vm (c->h, machine, err), err);
}

int
v2v_host_state (struct v2v_host_conn *c, const char *machine,
                enum v2v_host_state *ret, struct v2v_error **err)
{
  if (check_machine (c, machine, err) == -1)
    return -1;
  return done (c, c->ops->state (c->h, machine, ret, err), err);
}
