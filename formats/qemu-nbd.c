/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting qemu-nbd so that nothing is left behind, whatever happens.
 *
 * The server is given a listening socket by systemd's protocol (LISTEN_FDS,
 * LISTEN_PID; sd_listen_fds(3)) to which we have connected ALREADY.  Then the
 * socket's name, in a folder of mode 0700, is removed before the server even
 * runs: no file can be left, and nobody else can connect.  Without
 * --persistent qemu-nbd ends with its last client; our connections are closed
 * by the kernel when we die, so no server outlives us, and no moment exists
 * in which it has no client yet.  (PR_SET_PDEATHSIG would kill it when the
 * THREAD that opened the image ends.)
 *
 * fork and not posix_spawn: LISTEN_PID must be the child's own number.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/qemu-nbd.h"

/* Descriptors of the child: 3 is where sd_listen_fds(3) puts the first. */
#define LISTEN_FD 3
#define IMAGE_FD  4
/* Ours are moved out of the way of these. */
#define SAFE_FD 10

#define PID_DIGITS      10
#define COMPLAINT_BYTES 512

/* ---- the socket ---- */

/* A folder for the socket's name; names of sockets are short. */
static int
make_folder (char *dir, size_t size, struct v2v_error **err)
{
  const char *tmp = getenv ("TMPDIR");
  const size_t room = sizeof (struct sockaddr_un) -
                      offsetof (struct sockaddr_un, sun_path) -
                      sizeof "/v2v-nbd.XXXXXX/s";

  if (tmp == NULL || tmp[0] != '/' || strlen (tmp) > room)
    tmp = "/tmp";
  snprintf (dir, size, "%s/v2v-nbd.XXXXXX", tmp);
  if (mkdtemp (dir) == NULL) /* mode 0700 */
    return v2v_fail_errno (err, "%s: mkdtemp", dir);
  return 0;
}

/* Listen at ADDR and connect N times. */
static int
listen_and_connect (const struct sockaddr_un *addr, int *ret_listen,
                    int *sockets, size_t n, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd == -1 ||
      bind (fd, (const struct sockaddr *) addr, sizeof *addr) == -1 ||
      listen (fd, (int) n) == -1)
    return v2v_fail_errno (err, "%s: listening", addr->sun_path);
  for (size_t i = 0; i < n; ++i) {
    sockets[i] = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sockets[i] == -1 || connect (sockets[i], (const struct sockaddr *) addr,
                                     sizeof *addr) == -1)
      return v2v_fail_errno (err, "%s: connecting", addr->sun_path);
  }
  *ret_listen = STEAL_FD (fd);
  return 0;
}

static int
make_sockets (int *ret_listen, int *sockets, size_t n, struct v2v_error **err)
{
  struct sockaddr_un addr = { .sun_family = AF_UNIX };
  char dir[sizeof addr.sun_path];
  int len, r;

  if (make_folder (dir, sizeof dir, err) == -1)
    return -1;
  len = snprintf (addr.sun_path, sizeof addr.sun_path, "%s/s", dir);
  assert (len > 0 && (size_t) len < sizeof addr.sun_path);
  (void) len;
  r = listen_and_connect (&addr, ret_listen, sockets, n, err);
  unlink (addr.sun_path);
  rmdir (dir);
  return r;
}

static void
close_sockets (int *sockets, size_t n)
{
  for (size_t i = 0; i < n; ++i)
    if (sockets[i] >= 0) {
      close (sockets[i]);
      sockets[i] = -1;
    }
}

/* ---- the child ---- */

struct child {
  char **argv;
  char **envp;
  char *pid_digits; /* inside envp: PID_DIGITS bytes to fill in */
  int listen_fd;
  int image_fd;
  int null_fd;
  int complaints;
};

/* Between fork and exec: async-signal-safe calls only. */
static void __attribute__ ((noreturn)) run_child (const struct child *c)
{
  static const char message[] = "qemu-nbd cannot be started: is the package "
                                "qemu-utils installed?\n";
  long pid = (long) getpid ();
  sigset_t none;
  ssize_t ignored;

  /* Leading zeros are read as the same number. */
  for (int i = PID_DIGITS - 1; i >= 0; --i, pid /= 10)
    c->pid_digits[i] = (char) ('0' + pid % 10);

  setsid (); /* the terminal's Ctrl-C is for us, not for the server */
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  if (dup2 (c->null_fd, STDIN_FILENO) != -1 &&
      dup2 (c->null_fd, STDOUT_FILENO) != -1 &&
      dup2 (c->complaints, STDERR_FILENO) != -1 &&
      dup2 (c->listen_fd, LISTEN_FD) != -1 &&
      dup2 (c->image_fd, IMAGE_FD) != -1)
    execvpe (c->argv[0], c->argv, c->envp);
  ignored = write (c->complaints, message, sizeof message - 1);
  (void) ignored;
  _exit (127);
}

/* Our environment with the two variables of sd_listen_fds; the caller frees
 * the array, whose strings are borrowed.
 */
static char **
make_environment (char *listen_pid, char *listen_fds)
{
  size_t n = 0, k = 0;
  char **envp;

  while (environ[n] != NULL)
    n++;
  envp = calloc (n + 3, sizeof *envp);
  if (envp == NULL)
    return NULL;
  for (size_t i = 0; i < n; ++i)
    if (strncmp (environ[i], "LISTEN_", 7) != 0)
      envp[k++] = environ[i];
  envp[k++] = listen_pid;
  envp[k++] = listen_fds;
  return envp;
}

/* A copy of FD that no dup2 of the child overwrites. */
static int
move_up (int fd)
{
  return fcntl (fd, F_DUPFD_CLOEXEC, SAFE_FD);
}

static int
start_child (struct v2v_qemu_nbd *server, const char *image, int image_fd,
             int listen_fd, size_t n, struct v2v_error **err)
{
  char shared[] = "--shared=1";
  char listen_pid[] = "LISTEN_PID=0000000000";
  char listen_fds[] = "LISTEN_FDS=1";
  CLEANUP_FREE char *copy = strdup (image);
  CLEANUP_FREE char **envp = make_environment (listen_pid, listen_fds);
  CLEANUP_CLOSE int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  CLEANUP_CLOSE int complaints = memfd_create ("qemu-nbd", MFD_CLOEXEC);
  CLEANUP_CLOSE int null_up = move_up (null_fd);
  CLEANUP_CLOSE int complaints_up = move_up (complaints);
  CLEANUP_CLOSE int listen_up = move_up (listen_fd);
  CLEANUP_CLOSE int image_up = move_up (image_fd);
  char name[] = "qemu-nbd", read_only[] = "--read-only";
  char depth[] = "--allocation-depth";
  char *argv[] = { name, read_only, depth, shared, copy, NULL };
  struct child c = {
    .argv = argv,
    .envp = envp,
    .pid_digits = listen_pid + sizeof listen_pid - 1 - PID_DIGITS,
    .listen_fd = listen_up,
    .image_fd = image_up,
    .null_fd = null_up,
    .complaints = complaints_up,
  };
  pid_t pid;

  if (copy == NULL || envp == NULL)
    return v2v_fail_nomem (err);
  if (null_up == -1 || complaints_up == -1 || listen_up == -1 || image_up == -1)
    return v2v_fail_errno (err, "preparing qemu-nbd");
  shared[sizeof shared - 2] = (char) ('0' + n);
  pid = fork ();
  if (pid == -1)
    return v2v_fail_errno (err, "fork");
  if (pid == 0)
    run_child (&c);
  server->pid = pid;
  server->complaints = STEAL_FD (complaints);
  return 0;
}

/* ---- for the driver ---- */

int
v2v_qemu_nbd_start (struct v2v_qemu_nbd *server, const char *image,
                    int image_fd, int *sockets, size_t n,
                    struct v2v_error **err)
{
  CLEANUP_CLOSE int listen_fd = -1;

  assert (n > 0 && n <= V2V_QEMU_NBD_MAX_SOCKETS);
  for (size_t i = 0; i < n; ++i)
    sockets[i] = -1;
  if (make_sockets (&listen_fd, sockets, n, err) == -1 ||
      start_child (server, image, image_fd, listen_fd, n, err) == -1) {
    close_sockets (sockets, n);
    return -1;
  }
  return 0;
}

char *
v2v_qemu_nbd_complaint (const struct v2v_qemu_nbd *server)
{
  char line[COMPLAINT_BYTES + 1];
  ssize_t n = 0;

  if (server->pid > 0)
    n = pread (server->complaints, line, COMPLAINT_BYTES, 0);
  if (n <= 0)
    return NULL;
  line[n] = '\0';
  line[strcspn (line, "\r\n")] = '\0';
  for (char *p = line; *p != '\0'; ++p)
    if ((unsigned char) *p < ' ' || *p == 0x7f)
      *p = '?';
  return line[0] != '\0' ? strdup (line) : NULL;
}

void
v2v_qemu_nbd_stop (struct v2v_qemu_nbd *server)
{
  const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

  if (server->pid <= 0)
    return;
  /* It only reads: there is nothing it could finish. */
  kill (server->pid, SIGTERM);
  for (int i = 0; waitpid (server->pid, NULL, WNOHANG) == 0; ++i) {
    if (i == 200) /* 2 seconds */
      kill (server->pid, SIGKILL);
    nanosleep (&pause, NULL);
  }
  close (server->complaints);
  server->pid = 0;
}
