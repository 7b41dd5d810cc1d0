/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a verb of host-ssh.ps1 on a host, by the OpenSSH client.
 *
 * What comes from names and paths goes there as JSON on standard input; the
 * command line is the same for every machine.  ssh asks nothing (BatchMode):
 * keys are set up before.
 *
 * Sources: ssh(1), ssh_config(5); about_PowerShell_exe for -EncodedCommand,
 * which is base64 of UTF-16LE.  -InputFormat None keeps PowerShell itself from
 * reading standard input, which it else takes for $input (PowerShell's
 * Executor.cs, ReadInputObjects; puppetlabs-powershell issue 6).
 */

#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library/host-scripts.h"
#include "library/host-ssh.h"

#define BUFFER ((size_t) 64 * 1024)
/* How often --cancel is looked at. */
#define POLL_MS 200
/* Without a word of ours or of theirs: ssh itself notices a dead connection
 * after a minute (ServerAlive below), so this is a host that hangs.  Reading
 * a base of terabytes takes hours. */
#define SILENCE_S (12 * 3600)
/* To end by itself after its answer. */
#define END_MS 10000
/* An answer has a line for each file of a folder. */
#define MAX_ANSWER ((size_t) 16 * 1024 * 1024)

/* ---- base64 ---- */

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
ssh_base64 (struct v2v_str *out, const void *bytes, size_t len)
{
  const unsigned char *p = bytes;
  int r = v2v_str_append (out, "");

  for (size_t i = 0; r == 0 && i < len; i += 3) {
    const size_t n = len - i < 3 ? len - i : 3;
    const unsigned v = (unsigned) p[i] << 16 |
                       (n > 1 ? (unsigned) p[i + 1] << 8 : 0) |
                       (n > 2 ? (unsigned) p[i + 2] : 0);
    const char group[4] = { digits[v >> 18], digits[v >> 12 & 63],
                            n > 1 ? digits[v >> 6 & 63] : '=',
                            n > 2 ? digits[v & 63] : '=' };

    r = v2v_str_append_len (out, group, sizeof group);
  }
  return r;
}

void *
ssh_unbase64 (const char *text, size_t len, size_t *ret_len)
{
  CLEANUP_FREE unsigned char *out = malloc (len / 4 * 3 + 1);
  size_t n = 0;

  if (out == NULL || len % 4 != 0)
    return NULL;
  for (size_t i = 0; i < len; i += 4) {
    const size_t pad =
        i + 4 < len || text[i + 3] != '=' ? 0 : (text[i + 2] == '=' ? 2 : 1);
    unsigned v = 0;

    for (size_t k = 0; k < 4; ++k) {
      const char *d = text[i + k] != '\0' ? strchr (digits, text[i + k]) : NULL;

      if (k < 4 - pad && d == NULL)
        return NULL;
      v = v << 6 | (k < 4 - pad ? (unsigned) (d - digits) : 0);
    }
    out[n++] = (unsigned char) (v >> 16);
    if (pad < 2)
      out[n++] = (unsigned char) (v >> 8);
    if (pad < 1)
      out[n++] = (unsigned char) v;
  }
  *ret_len = n;
  return STEAL (out);
}

/* ---- the command ---- */

/* The part NAME of the script without what only people need: comments and
 * blanks at the beginning of lines. */
static int
append_part (struct v2v_str *out, const char *name)
{
  CLEANUP_FREE char *mark = NULL;
  const char *p;

  if (asprintf (&mark, "\n# @%s@\n", name) == -1) {
    mark = NULL;
    return -1;
  }
  p = strstr (host_ssh_script, mark);
  if (p == NULL)
    return 1;
  p += strlen (mark);
  while (*p != '\0' && strncmp (p, "# @", 3) != 0) {
    const char *line = p + strspn (p, " ");
    const size_t n = strcspn (line, "\n");

    if (n > 0 && *line != '#' &&
        (v2v_str_append_len (out, line, n) == -1 ||
         v2v_str_append (out, "\n") == -1))
      return -1;
    p = line + n + (line[n] == '\n');
  }
  return 0;
}

static int
make_script (const char *verb, struct v2v_str *out)
{
  static const struct {
    const char *verb, *part;
  } needs[] = {
    { "digest", "DIGESTS" },     { "prepare", "DIGESTS" },
    { "write", "DIGESTS" },      { "register", "MACHINE" },
    { "start", "MACHINE" },      { "stop", "MACHINE" },
    { "unregister", "MACHINE" }, { "state", "MACHINE" },
  };
  CLEANUP_FREE char *part = NULL;
  int r = v2v_str_printf (out, "# v2v: %s\n", verb);

  for (size_t i = 0; r == 0 && i < V2V_ARRAY_SIZE (needs); ++i)
    if (strcmp (needs[i].verb, verb) == 0)
      r = append_part (out, needs[i].part);
  if (asprintf (&part, "VERB %s", verb) == -1) {
    part = NULL;
    return -1;
  }
  if (r == 0)
    r = append_part (out, "COMMON");
  if (r == 0)
    r = append_part (out, part);
  return r == 0 ? append_part (out, "END") : r;
}

char *
ssh_command (const char *verb, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str script = V2V_STR_INIT;
  struct v2v_str out = V2V_STR_INIT;
  CLEANUP_FREE void *wide = NULL;
  size_t len;
  int r = make_script (verb, &script);

  if (r == 1) {
    v2v_fail (err, V2V_ERR_USAGE, "no verb is called '%s'", verb);
    return NULL;
  }
  wide = r == 0 ? v2v_from_utf8 ("UTF-16LE", script.ptr, &len, NULL) : NULL;
  if (wide != NULL &&
      v2v_str_append (&out, "powershell.exe -NoProfile -NonInteractive "
                            "-ExecutionPolicy Bypass -InputFormat None "
                            "-OutputFormat Text -EncodedCommand ") == 0 &&
      ssh_base64 (&out, wide, len) == 0)
    return out.ptr;
  v2v_str_free (&out);
  v2v_fail_nomem (err);
  return NULL;
}

/* ---- one call ---- */

static int
spawn (struct ssh_call *c, const struct v2v_host *h, const char *command,
       struct v2v_error **err)
{
  /* 15 and its brothers: see SILENCE_S. */
  static const char *const fixed[] = {
    "ssh", "-T",
    "-o",  "BatchMode=yes",
    "-o",  "ConnectTimeout=20",
    "-o",  "ServerAliveInterval=15",
    "-o",  "ServerAliveCountMax=4",
  };
  const size_t max = V2V_ARRAY_SIZE (fixed) + h->nr_ssh_options + 6;
  CLEANUP_FREE const char **argv = calloc (max, sizeof *argv);
  char port[16];
  size_t n = 0;
  int pair[2], r;

  if (argv == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (fixed); ++i)
    argv[n++] = fixed[i];
  for (size_t i = 0; i < h->nr_ssh_options; ++i)
    argv[n++] = h->ssh_options[i];
  if (h->port != 0) {
    snprintf (port, sizeof port, "%u", h->port);
    argv[n++] = "-p";
    argv[n++] = port;
  }
  argv[n++] = "--";
  argv[n++] = h->address;
  argv[n++] = command;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
    return v2v_fail_errno (err, "socketpair");
  r = v2v_child_start_io (&c->child, argv, pair[1], err);
  close (pair[1]);
  if (r == -1)
    close (pair[0]);
  else
    c->fd = pair[0];
  return r;
}

/* What ssh or the host complains of, in place of a bare end of the line. */
static int
lost (struct ssh_call *c, struct v2v_error **err)
{
  CLEANUP_FREE char *complaint = NULL;
  int status;

  /* Its last words come before its end. */
  v2v_child_wait (&c->child, END_MS, &status);
  complaint = v2v_child_complaint (&c->child);
  v2v_fail (err, V2V_ERR_IO, "ssh: %s: %s", c->verb,
            complaint ? complaint : "the connection has ended");
  return v2v_hint (err, "'ssh' as this user must get in without a question");
}

static int
wait_for (struct ssh_call *c, short events, struct v2v_error **err)
{
  const double since = lib_seconds ();

  for (;;) {
    struct pollfd p = { .fd = c->fd, .events = events };
    const int r = poll (&p, 1, POLL_MS);

    if (c->cancel != NULL && atomic_load (c->cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    if (r > 0)
      return 0;
    if (r == -1 && errno != EINTR)
      return v2v_fail_errno (err, "ssh: %s", c->verb);
    if (lib_seconds () - since > SILENCE_S)
      return v2v_fail (err, V2V_ERR_IO, "ssh: %s: no answer in %d hours",
                       c->verb, SILENCE_S / 3600);
  }
}

int
ssh_call_send (struct ssh_call *c, const void *bytes, size_t len,
               struct v2v_error **err)
{
  const char *p = bytes;

  while (len > 0) {
    ssize_t n;

    if (wait_for (c, POLLOUT, err) == -1)
      return -1;
    n = send (c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == -1 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (n <= 0)
      return lost (c, err);
    p += n;
    len -= (size_t) n;
  }
  return 0;
}

int
ssh_call_begin (struct ssh_call *c, const struct v2v_host *host,
                const char *verb, struct v2v_json *data,
                const atomic_bool *cancel, struct v2v_error **err)
{
  CLEANUP_FREE char *command = ssh_command (verb, err);
  CLEANUP_FREE char *text = NULL;

  *c = (struct ssh_call){
    .verb = verb, .child = V2V_CHILD_INIT, .fd = -1, .cancel = cancel
  };
  if (command == NULL)
    return -1;
  v2v_json_set_string (data, "root", host->path);
  text = v2v_json_ok (data) ? v2v_json_dump (data, 0) : NULL;
  c->buf = malloc (BUFFER);
  if (text == NULL || c->buf == NULL)
    return v2v_fail_nomem (err);
  return spawn (c, host, command, err) == -1 ||
                 ssh_call_send (c, text, strlen (text), err) == -1 ||
                 ssh_call_send (c, "\n", 1, err) == -1
             ? -1
             : 0;
}

/* More bytes into the empty buffer. */
static int
fill (struct ssh_call *c, struct v2v_error **err)
{
  ssize_t n;

  do {
    if (wait_for (c, POLLIN, err) == -1)
      return -1;
    n = recv (c->fd, c->buf, BUFFER, MSG_DONTWAIT);
  } while (n == -1 && (errno == EINTR || errno == EAGAIN));
  if (n <= 0)
    return lost (c, err);
  c->pos = 0;
  c->len = (size_t) n;
  return 0;
}

char *
ssh_call_line (struct ssh_call *c, size_t max, struct v2v_error **err)
{
  struct v2v_str line = V2V_STR_INIT;
  const char *end = NULL;
  int r = v2v_str_append (&line, "");

  while (r == 0 && end == NULL) {
    size_t n;

    if (c->pos == c->len && fill (c, err) == -1) {
      v2v_str_free (&line);
      return NULL;
    }
    end = memchr (c->buf + c->pos, '\n', c->len - c->pos);
    n = end ? (size_t) (end - c->buf) - c->pos : c->len - c->pos;
    if (n > max - line.len) {
      v2v_str_free (&line);
      v2v_fail (err, V2V_ERR_FORMAT,
                "ssh: %s: the answer has more than %zu bytes", c->verb, max);
      return NULL;
    }
    r = v2v_str_append_len (&line, c->buf + c->pos, n);
    c->pos += n + (end != NULL);
  }
  if (r == 0) {
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
      line.ptr[--line.len] = '\0';
    return line.ptr;
  }
  v2v_str_free (&line);
  v2v_fail_nomem (err);
  return NULL;
}

int
ssh_call_copy (struct ssh_call *c, int fd, uint64_t len, struct v2v_error **err)
{
  off_t pos = 0;

  while (len > 0) {
    size_t n;
    ssize_t w;

    if (c->pos == c->len && fill (c, err) == -1)
      return -1;
    n = c->len - c->pos < len ? c->len - c->pos : (size_t) len;
    w = pwrite (fd, c->buf + c->pos, n, pos);
    if (w == -1 && errno == EINTR)
      continue;
    if (w <= 0)
      return v2v_fail_errno (err, "write");
    c->pos += (size_t) w;
    pos += w;
    len -= (uint64_t) w;
  }
  return 0;
}

struct v2v_json *
ssh_call_answer (struct ssh_call *c, struct v2v_error **err)
{
  CLEANUP_FREE char *line = ssh_call_line (c, MAX_ANSWER, err);
  struct v2v_json *j;
  const char *error;
  bool ok;

  if (line == NULL)
    return NULL;
  j = v2v_json_parse (line, strlen (line), "answer", err);
  if (j == NULL) {
    v2v_prefix (err, "ssh: %s", c->verb);
    v2v_hint (err, "the host's shell writes something of its own, or is no "
                   "Windows with PowerShell");
    return NULL;
  }
  if (v2v_json_get_bool (j, "ok", &ok) && ok)
    return j;
  error = v2v_json_get_string (j, "error");
  v2v_fail (err, V2V_ERR_IO, "ssh: %s: the host says: %s", c->verb,
            error ? error : "no reason");
  v2v_json_free (j);
  return NULL;
}

void
ssh_call_end (struct ssh_call *c)
{
  if (c->fd != -1) {
    int status;

    shutdown (c->fd, SHUT_WR);
    if (c->cancel == NULL || !atomic_load (c->cancel))
      v2v_child_wait (&c->child, END_MS, &status);
    close (STEAL_FD (c->fd));
    v2v_child_end (&c->child);
  }
  free (STEAL (c->buf));
}
