/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting programs of the host.
 *
 * No shell.  Between fork and exec only calls that are safe there; a failed
 * exec comes back through a pipe that exec closes.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/child.h"

/* Descriptors are moved out of the way of those the child shall have. */
#define SAFE_FD         10
#define COMPLAINT_BYTES 512
#define STEP_MS         10
#define END_MS          2000

static void __attribute__ ((noreturn))
run_child (const char *const argv[], int fd, int io_fd, int complaints,
           int failed)
{
  sigset_t none;
  int e;

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  /* Ctrl-C is for us. */
  setpgid (0, 0);
  if (dup2 (io_fd, 0) != -1 && dup2 (io_fd, 1) != -1 &&
      dup2 (complaints, 2) != -1 && (fd == -1 || dup2 (fd, V2V_CHILD_FD) != -1))
    execvp (argv[0], (char *const *) (uintptr_t) argv);
  e = errno;
  if (write (failed, &e, sizeof e) == -1)
    _exit (126);
  _exit (127);
}

/* IO: standard input and output; FD, or -1: V2V_CHILD_FD. */
static int
start (struct v2v_child *c, const char *const argv[], int io, int fd,
       struct v2v_error **err)
{
  CLEANUP_CLOSE int io_fd = -1, complaints = -1, up = -1, read_end = -1;
  CLEANUP_CLOSE int write_end = -1;
  int pipes[2], e;
  CLEANUP_CLOSE int memory = memfd_create (argv[0], MFD_CLOEXEC);
  pid_t pid;

  if (pipe2 (pipes, O_CLOEXEC) == -1)
    return v2v_fail_errno (err, "starting %s", argv[0]);
  read_end = pipes[0];
  write_end = fcntl (pipes[1], F_DUPFD_CLOEXEC, SAFE_FD);
  close (pipes[1]);
  io_fd = fcntl (io, F_DUPFD_CLOEXEC, SAFE_FD);
  complaints = fcntl (memory, F_DUPFD_CLOEXEC, SAFE_FD);
  if (fd != -1)
    up = fcntl (fd, F_DUPFD_CLOEXEC, SAFE_FD);
  if (io_fd == -1 || complaints == -1 || write_end == -1 ||
      (fd != -1 && up == -1))
    return v2v_fail_errno (err, "starting %s", argv[0]);
  pid = fork ();
  if (pid == -1)
    return v2v_fail_errno (err, "starting %s", argv[0]);
  if (pid == 0)
    run_child (argv, up, io_fd, complaints, write_end);
  close (STEAL_FD (write_end));
  if (read (read_end, &e, sizeof e) == (ssize_t) sizeof e) {
    waitpid (pid, NULL, 0);
    errno = e;
    return v2v_fail_errno (err, "starting %s", argv[0]);
  }
  c->pid = pid;
  c->complaints = STEAL_FD (complaints);
  return 0;
}

int
v2v_child_start (struct v2v_child *c, const char *const argv[], int fd,
                 struct v2v_error **err)
{
  CLEANUP_CLOSE int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  return start (c, argv, null_fd, fd, err);
}

int
v2v_child_start_io (struct v2v_child *c, const char *const argv[], int io_fd,
                    struct v2v_error **err)
{
  return start (c, argv, io_fd, -1, err);
}

int
v2v_child_wait (struct v2v_child *c, int milliseconds, int *ret_status)
{
  const struct timespec pause = { .tv_nsec = STEP_MS * 1000000L };

  for (int waited = 0;; waited += STEP_MS) {
    const pid_t r = waitpid (c->pid, ret_status, WNOHANG);

    if (r == c->pid || (r == -1 && errno != EINTR)) {
      c->pid = 0;
      return 1;
    }
    if (waited >= milliseconds)
      return 0;
    nanosleep (&pause, NULL);
  }
}

char *
v2v_child_complaint (const struct v2v_child *c)
{
  char line[COMPLAINT_BYTES + 1];
  ssize_t n = 0;

  if (c->complaints != -1)
    n = pread (c->complaints, line, COMPLAINT_BYTES, 0);
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
v2v_child_end (struct v2v_child *c)
{
  int status;

  if (c->pid > 0) {
    kill (c->pid, SIGTERM);
    if (v2v_child_wait (c, END_MS, &status) == 0) {
      kill (c->pid, SIGKILL);
      waitpid (c->pid, NULL, 0);
      c->pid = 0;
    }
  }
  if (c->complaints != -1)
    close (STEAL_FD (c->complaints));
}

int
v2v_child_run (const char *const argv[], unsigned seconds,
               struct v2v_error **err)
{
  struct v2v_child c = V2V_CHILD_INIT;
  CLEANUP_FREE char *complaint = NULL;
  int status = 0, r;

  if (v2v_child_start (&c, argv, -1, err) == -1)
    return -1;
  r = v2v_child_wait (&c, (int) seconds * 1000, &status);
  complaint = v2v_child_complaint (&c);
  v2v_child_end (&c);
  if (r == 0)
    return v2v_fail (err, V2V_ERR_IO, "%s: not done in %u seconds", argv[0],
                     seconds);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    return v2v_fail (err, V2V_ERR_IO, "%s: %s", argv[0],
                     complaint ? complaint : "failed without a reason");
  return 0;
}
