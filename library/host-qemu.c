/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver "qemu": machines that run on this host, in software unless the
 * hosts file says "accelerator": "kvm".  A laboratory: to see that what was
 * made starts, not to run it in production.
 *
 * In MACHINE/lab while it runs, and after:
 *
 *   qmp            QEMU's socket: who can connect knows that it runs
 *   pid
 *   console.log    what the first serial port has said
 *   vars.fd        the variables of UEFI
 *   FILE.raw       a differencing disk as a whole: QEMU reads none.  What the
 *                  machine writes stays in it; other disks are written to
 *
 * Source: QEMU's qmp-spec.txt for the three messages that are used.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/child.h"
#include "library/host-qemu.h"

/* QEMU is up when its first process ends; software emulation on a busy host
 * takes seconds. */
#define START_MS 120000
/* How long a system may take to shut down before that is an error. */
#define STOP_S 180
/* An answer of QEMU's monitor. */
#define QMP_MS 30000

struct host_qemu {
  struct host_local local; /* first: the file ops take it */
  const struct v2v_host *host;
};

static void
qemu_close (void *h)
{
  struct host_qemu *q = h;

  host_local_clear (&q->local);
  free (q);
}

static void *
qemu_open (const struct v2v_host *host, struct v2v_error **err)
{
  struct host_qemu *q = calloc (1, sizeof *q);

  if (q == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  q->host = host;
  q->local.root = -1;
  if (host_local_init (&q->local, host, err) == 0)
    return q;
  qemu_close (q);
  return NULL;
}

/* ---- the socket ---- */

/* MACHINE/lab, or -1 with errno.  CREATE: made where it is missing. */
static int
open_lab (const struct host_qemu *q, const char *machine, bool create)
{
  CLEANUP_CLOSE int dir = openat (
      q->local.root, machine, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (dir == -1)
    return -1;
  if (create && mkdirat (dir, HOST_RUN, 0777) == -1 && errno != EEXIST)
    return -1;
  return openat (dir, HOST_RUN,
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Names of sockets are short, paths are not: by way of the open folder. */
static void
fill_address (struct sockaddr_un *a, int lab)
{
  memset (a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  snprintf (a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/qmp", lab);
}

/* A connection to the machine's QEMU; -1: none runs. */
static int
connect_qmp (int lab)
{
  CLEANUP_CLOSE int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un a;

  fill_address (&a, lab);
  if (fd == -1 || connect (fd, (const struct sockaddr *) &a, sizeof a) == -1)
    return -1;
  return STEAL_FD (fd);
}

static int
listen_qmp (int lab, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un a;

  fill_address (&a, lab);
  if (unlinkat (lab, "qmp", 0) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, HOST_RUN "/qmp");
  if (fd == -1 || bind (fd, (const struct sockaddr *) &a, sizeof a) == -1 ||
      listen (fd, 4) == -1)
    return v2v_fail_errno (err, HOST_RUN "/qmp: listening");
  return STEAL_FD (fd);
}

/* One message of the monitor (a line), up to the newline. */
static int
read_line (int fd, char *buf, size_t size, struct v2v_error **err)
{
  size_t len = 0;

  for (;;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    const int ready = poll (&p, 1, QMP_MS);
    ssize_t n;

    if (ready == -1 && errno == EINTR)
      continue;
    if (ready <= 0)
      return v2v_fail (err, V2V_ERR_IO,
                       "QEMU does not answer: is another program connected "
                       "to its monitor?");
    n = read (fd, buf + len, 1);
    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return v2v_fail (err, V2V_ERR_IO, "QEMU has ended");
    if (buf[len] == '\n') {
      buf[len] = '\0';
      return 0;
    }
    if (len + 1 < size)
      len++;
  }
}

/* Send COMMAND and wait for its answer; events in between are skipped. */
static int
execute (int fd, const char *command, struct v2v_error **err)
{
  char text[128], line[8192];
  const int n =
      snprintf (text, sizeof text, "{\"execute\":\"%s\"}\r\n", command);

  if (send (fd, text, (size_t) n, MSG_NOSIGNAL) != n)
    return v2v_fail_errno (err, "QEMU: %s", command);
  for (;;) {
    CLEANUP_JSON struct v2v_json *j = NULL;

    if (read_line (fd, line, sizeof line, err) == -1)
      return -1;
    j = v2v_json_parse (line, strlen (line), "QEMU", err);
    if (j == NULL)
      return -1;
    if (v2v_json_get (j, "return") != NULL)
      return 0;
    if (v2v_json_get (j, "error") != NULL)
      return v2v_fail (err, V2V_ERR_IO, "QEMU: %s: %s", command,
                       v2v_json_get_string (v2v_json_get (j, "error"), "desc")
                           ?: "refused");
  }
}

/* ---- starting ---- */

/* Where Debian, Fedora and openSUSE have it. */
static const struct {
  const char *code, *vars;
} firmwares[] = {
  { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
  { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
  { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
  { "/usr/share/qemu/ovmf-x86_64-code.bin",
    "/usr/share/qemu/ovmf-x86_64-vars.bin" },
};

static int
copy_vars (const char *from, const struct qemu_machine *m,
           struct v2v_error **err)
{
  CLEANUP_FREE char *to = lib_join (m->lab, "vars.fd", err);
  char digest[LIB_DIGEST_SIZE];

  if (to == NULL || access (to, F_OK) == 0)
    return to ? 0 : -1;
  return lib_digest (from, NULL, digest, NULL, NULL, err) == -1 ||
                 lib_copy (from, to, digest, NULL, err) == -1
             ? -1
             : 0;
}

static int
choose_firmware (struct qemu_machine *m, struct v2v_error **err)
{
  if (m->generation == 1)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (firmwares); ++i)
    if (access (firmwares[i].code, R_OK) == 0 &&
        access (firmwares[i].vars, R_OK) == 0) {
      m->firmware = firmwares[i].code;
      return copy_vars (firmwares[i].vars, m, err);
    }
  v2v_fail (err, V2V_ERR_UNSUPPORTED,
            "'%s' is of generation 2, and no UEFI firmware for QEMU is "
            "installed",
            m->name);
  return v2v_hint (err, "Debian has it in the package ovmf");
}

/* The differencing disk behind D as a whole. */
static int
flatten (const struct qemu_disk *d, const struct qemu_machine *m,
         const char *bases, struct v2v_error **err)
{
  const char *const search[] = { bases, NULL };
  const struct v2v_open_opts open = { .search = search };
  const char *file = strrchr (d->path, '/') + 1;
  CLEANUP_FREE char *name = strndup (file, strlen (file) - strlen (".raw"));
  CLEANUP_FREE char *from = name ? lib_join (m->folder, name, err) : NULL;
  CLEANUP_IMAGE struct v2v_image *src = NULL, *dst = NULL;
  struct v2v_create_opts create = { .size_bytes = 0 };
  struct v2v_copy_opts copy = { .item = name };
  struct v2v_copy_result result = { 0 };
  int r;

  if (from == NULL)
    return name ? -1 : v2v_fail_nomem (err);
  src = v2v_image_open (from, &open, err);
  if (src == NULL)
    return -1;
  create.size_bytes = v2v_image_size (src);
  dst = v2v_image_create (d->path, "raw", &create, err);
  if (dst == NULL)
    return -1;
  r = v2v_copy (src, dst, &copy, &result, err);
  v2v_copy_result_clear (&result);
  return r == 0 ? v2v_image_finish (dst, err) : -1;
}

static int
prepare_disks (const struct host_qemu *q, const struct qemu_machine *m,
               struct v2v_error **err)
{
  CLEANUP_FREE char *bases = lib_join (q->local.path, q->host->bases, err);
  const size_t len = strlen (m->lab);

  if (bases == NULL)
    return -1;

  for (size_t i = 0; i < m->nr_disks; ++i) {
    const char *path = m->disks[i].path;

    if (path != NULL && strncmp (path, m->lab, len) == 0 && path[len] == '/' &&
        access (path, F_OK) == -1 &&
        flatten (&m->disks[i], m, bases, err) == -1)
      return -1;
  }
  return 0;
}

static int
run_qemu (const struct qemu_machine *m, int lab, struct v2v_error **err)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings argv =
      V2V_VECTOR_INIT;
  struct v2v_child c = V2V_CHILD_INIT;
  CLEANUP_CLOSE int fd = listen_qmp (lab, err);
  CLEANUP_FREE char *complaint = NULL;
  int status = 0, r;

  if (fd == -1 || qemu_arguments (m, V2V_CHILD_FD, &argv, err) == -1 ||
      v2v_child_start (&c, (const char *const *) (uintptr_t) argv.ptr, fd,
                       err) == -1)
    return -1;
  r = v2v_child_wait (&c, START_MS, &status);
  complaint = v2v_child_complaint (&c);
  v2v_child_end (&c);
  if (r == 1 && WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return 0;
  unlinkat (lab, "qmp", 0);
  return v2v_fail (err, V2V_ERR_IO, "QEMU does not start '%s': %s", m->name,
                   r == 0 ? "not done in 120 seconds"
                          : (complaint ? complaint : "no reason was given"));
}

static int
describe (const struct host_qemu *q, const char *machine,
          struct qemu_machine *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *folder = lib_join (q->local.path, machine, err);
  CLEANUP_FREE char *rel = NULL, *text = NULL;

  if (folder == NULL)
    return -1;
  if (asprintf (&rel, "%s/%s.json", machine, machine) == -1) {
    rel = NULL;
    return v2v_fail_nomem (err);
  }
  text = host_local_text (&q->local, rel, err);
  if (text == NULL || qemu_describe (text, machine, folder, ret, err) == -1)
    return -1;
  ret->accelerator = q->host->accelerator;
  return 0;
}

static int
qemu_start (void *h, const char *machine, struct v2v_error **err)
{
  const struct host_qemu *q = h;
  __attribute__ ((
      cleanup (qemu_machine_clear))) struct qemu_machine m = { .name = NULL };
  CLEANUP_CLOSE int lab = -1, running = -1;

  if (describe (q, machine, &m, err) == -1)
    return -1;
  lab = open_lab (q, machine, true);
  if (lab == -1)
    return v2v_fail_errno (err, "%s", m.lab);
  if (flock (lab, LOCK_EX | LOCK_NB) == -1)
    return v2v_fail_errno (err, "'%s': another process starts it", machine);
  running = connect_qmp (lab);
  if (running != -1)
    return 0;
  return choose_firmware (&m, err) == -1 || prepare_disks (q, &m, err) == -1
             ? -1
             : run_qemu (&m, lab, err);
}

/* ---- the rest ---- */

static int
qemu_state (void *h, const char *machine, enum v2v_host_state *ret,
            struct v2v_error **err)
{
  const struct host_qemu *q = h;
  CLEANUP_CLOSE int lab = -1, running = -1;
  enum host_kind kind;

  if (host_local_kind (h, machine, &kind, err) == -1)
    return -1;
  *ret = kind == HOST_FOLDER ? V2V_HOST_OFF : V2V_HOST_ABSENT;
  lab = kind == HOST_FOLDER ? open_lab (q, machine, false) : -1;
  if (lab != -1)
    running = connect_qmp (lab);
  if (running != -1)
    *ret = V2V_HOST_RUNNING;
  return 0;
}

static int
qemu_stop (void *h, const char *machine, bool force, struct v2v_error **err)
{
  const struct host_qemu *q = h;
  const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
  const double since = lib_seconds ();
  CLEANUP_CLOSE int lab = open_lab (q, machine, false);
  CLEANUP_CLOSE int fd = lab != -1 ? connect_qmp (lab) : -1;
  char line[8192];

  if (fd == -1)
    return 0;                                         /* it does not run */
  if (read_line (fd, line, sizeof line, err) == -1 || /* the greeting */
      execute (fd, "qmp_capabilities", err) == -1 ||
      execute (fd, force ? "quit" : "system_powerdown", err) == -1)
    return -1;
  close (STEAL_FD (fd));
  for (;;) {
    fd = connect_qmp (lab);
    if (fd == -1)
      return 0;
    close (STEAL_FD (fd));
    if (lib_seconds () - since > STOP_S) {
      v2v_fail (err, V2V_ERR_IO, "'%s' does not shut down", machine);
      return v2v_hint (err, "--force stops it as by pulling the plug");
    }
    nanosleep (&pause, NULL);
  }
}

/* QEMU keeps no list of machines: being there is being known. */
static int
qemu_register (void *h, const char *machine, struct v2v_error **err)
{
  __attribute__ ((
      cleanup (qemu_machine_clear))) struct qemu_machine m = { .name = NULL };

  return describe (h, machine, &m, err);
}

static int
qemu_unregister (void *h, const char *machine, struct v2v_error **err)
{
  enum v2v_host_state state;

  if (qemu_state (h, machine, &state, err) == -1)
    return -1;
  return state == V2V_HOST_RUNNING
             ? v2v_fail (err, V2V_ERR_USAGE, "'%s' is running", machine)
             : 0;
}

const struct v2v_host_ops host_qemu_ops = {
  .name = "qemu",
  .open = qemu_open,
  .close = qemu_close,
  HOST_LOCAL_FILE_OPS,
  .register_vm = qemu_register,
  .start = qemu_start,
  .stop = qemu_stop,
  .unregister_vm = qemu_unregister,
  .state = qemu_state,
};
