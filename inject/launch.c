/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, limiting and ending the appliance.  guestfs(3): "STATE MACHINE",
 * "ENVIRONMENT VARIABLES"; LIBGUESTFS_* are honoured by guestfs_create.
 *
 * A call of libguestfs holds the handle's lock until it returns, and a guest
 * on a broken /dev/kvm never answers.  So a thread of ours, the watcher, ends
 * the appliance from outside: it kills the QEMU process, which is a child of
 * ours (of the "direct" back end) and has our overlay among its arguments.
 * Every call waiting on it then fails, which is an ordinary error.  With
 * another back end no such child is found, and nothing is killed.
 */

#include <config.h>

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/tempdir.h"
#include "inject/host-memory.h"
#include "inject/launch.h"
#include "inject/socket-folder.h"

/* In emulation a slow, busy host needs minutes: only a hang is longer. */
#define EMULATION_SECONDS 900
/* No call takes longer: a file system made to keep the kernel busy is ended
 * some day. */
#define LONGEST_SECONDS (6 * 3600)
/* How often the watcher looks. */
#define WATCH_MS 200
/* Arguments of QEMU with 256 drives stay below this. */
#define MAX_CMDLINE (256u << 10)

/* QEMU stops a guest whose disk cannot be written and waits for room.  With
 * less than this it cannot go on: a cluster and its tables. */
#define MIN_FREE_BYTES (256u << 10)

enum ended { NOT_ENDED, ENDED_LIMIT, ENDED_CANCEL, ENDED_FULL };

struct v2v_appliance {
  guestfs_h *g;
  enum v2v_accelerator accelerator;
  const atomic_bool *cancel;
  char *overlay; /* its path, canonical */
  char *mark;    /* the same, as QEMU's arguments spell it */
  bool running;
  struct v2v_tempdir *tmp; /* of libguestfs */

  pthread_t watcher;
  bool watched;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake;
  bool stop;
  bool starting;
  bool limited;
  unsigned limit_seconds;
  struct timespec deadline;
  enum ended ended;
};

/* ---- the watcher ---- */

/* Up to SIZE bytes of /proc/PID/NAME; 0 = none. */
static size_t
read_proc (long pid, const char *name, char *buf, size_t size)
{
  CLEANUP_CLOSE int fd = -1;
  char path[64];
  size_t len = 0;
  ssize_t n;

  snprintf (path, sizeof path, "/proc/%ld/%s", pid, name);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  while (fd != -1 && len < size && (n = read (fd, buf + len, size - len)) > 0)
    len += (size_t) n;
  return len;
}

/* Is PID a child of ours called "qemu..."?  proc(5): "pid (comm) state ppid";
 * the name may hold anything, so its end is the last parenthesis. */
static bool
is_our_qemu (long pid)
{
  char buf[512], *p;
  const size_t len = read_proc (pid, "stat", buf, sizeof buf - 1);

  buf[len] = '\0';
  p = strrchr (buf, ')');
  if (p == NULL || p[1] != ' ' || p[2] == '\0' || p[3] != ' ')
    return false;
  if (strtol (p + 4, NULL, 10) != (long) getpid ())
    return false;
  p = strchr (buf, '(');
  return p != NULL && strncmp (p + 1, "qemu", 4) == 0;
}

/* Kill the QEMU of the appliance whose overlay is MARK. */
static void
kill_marked (const char *mark)
{
  CLEANUP_CLOSEDIR DIR *dir = opendir ("/proc");
  CLEANUP_FREE char *args = malloc (MAX_CMDLINE);
  struct dirent *d;

  while (dir != NULL && args != NULL && (d = readdir (dir)) != NULL) {
    const long pid = strtol (d->d_name, NULL, 10);
    size_t len;

    if (pid <= 1 || !is_our_qemu (pid))
      continue;
    len = read_proc (pid, "cmdline", args, MAX_CMDLINE);
    if (memmem (args, len, mark, strlen (mark)) != NULL)
      kill ((pid_t) pid, SIGKILL);
  }
}

static bool
has_passed (const struct timespec *t)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec > t->tv_sec ||
         (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static bool
is_full (const char *path)
{
  struct statvfs st;
  uint64_t blocks;

  if (statvfs (path, &st) == -1 || st.f_blocks == 0)
    return false;
  blocks = geteuid () == 0 ? st.f_bfree : st.f_bavail;
  return blocks * st.f_frsize < MIN_FREE_BYTES;
}

static void *
watch (void *arg)
{
  struct v2v_appliance *a = arg;

  pthread_mutex_lock (&a->lock);
  while (!a->stop) {
    struct timespec next;

    if (a->cancel != NULL && atomic_load (a->cancel))
      a->ended = ENDED_CANCEL;
    else if (a->limited && has_passed (&a->deadline))
      a->ended = ENDED_LIMIT;
    else if (is_full (a->overlay))
      a->ended = ENDED_FULL;
    if (a->starting)
      guest_adopt_sockets (a->tmp);
    if (a->ended != NOT_ENDED)
      kill_marked (a->mark); /* again: it may not have been started yet */
    clock_gettime (CLOCK_MONOTONIC, &next);
    next.tv_nsec += WATCH_MS * 1000000L;
    if (next.tv_nsec >= 1000000000L) {
      next.tv_nsec -= 1000000000L;
      ++next.tv_sec;
    }
    pthread_cond_timedwait (&a->wake, &a->lock, &next);
  }
  pthread_mutex_unlock (&a->lock);
  return NULL;
}

static int
start_watcher (struct v2v_appliance *a, struct v2v_error **err)
{
  sigset_t all, old;
  int r;

  /* Signals are for the program's own threads. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  r = pthread_create (&a->watcher, NULL, watch, a);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (r != 0) {
    errno = r;
    return v2v_fail_errno (err, "watching the appliance");
  }
  a->watched = true;
  return 0;
}

void
v2v_appliance_limit (struct v2v_appliance *a, unsigned seconds)
{
  V2V_LOCK_SCOPE (&a->lock);
  clock_gettime (CLOCK_MONOTONIC, &a->deadline);
  a->limit_seconds = seconds ? seconds : LONGEST_SECONDS;
  a->deadline.tv_sec += a->limit_seconds;
  a->limited = true;
}

static enum ended
how_ended (struct v2v_appliance *a)
{
  V2V_LOCK_SCOPE (&a->lock);
  return a->ended;
}

/* ---- errors ---- */

int
v2v_appliance_fail (struct v2v_appliance *a, struct v2v_error **err,
                    const char *what, ...)
{
  const enum ended ended = how_ended (a);
  const char *why = guestfs_last_error (a->g);
  CLEANUP_FREE char *context = NULL;
  va_list args;

  if (ended == ENDED_CANCEL)
    return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
  if (ended == ENDED_FULL) {
    errno = ENOSPC;
    return v2v_fail_errno (err, "%s", a->overlay);
  }
  va_start (args, what);
  if (vasprintf (&context, what, args) == -1)
    context = NULL;
  va_end (args);
  if (context == NULL)
    return v2v_fail_nomem (err);
  if (ended == ENDED_LIMIT)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s: the appliance was ended: no answer in %u seconds",
                     context, a->limit_seconds);
  /* Its QEMU is gone and nobody of ours ended it; what libguestfs says then
   * ("call launch before using this function") is about programming. */
  if (a->running && guestfs_is_config (a->g) == 1)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s: the appliance has died (killed, or out of memory?)",
                     context);
  return v2v_fail (err, V2V_ERR_GUEST, "%s: %s", context,
                   why ? why : "the appliance gave no reason");
}

/* ---- starting ---- */

static void
debug_event (guestfs_h *g, void *opaque, uint64_t event, int event_handle,
             int flags, const char *buf, size_t buf_len, const uint64_t *array,
             size_t array_len)
{
  (void) g;
  (void) opaque;
  (void) event;
  (void) event_handle;
  (void) flags;
  (void) array;
  (void) array_len;
  while (buf_len > 0 && (buf[buf_len - 1] == '\n' || buf[buf_len - 1] == '\r'))
    --buf_len;
  v2v_debug ("libguestfs: %.*s", (int) (buf_len < 4096 ? buf_len : 4096), buf);
}

static int
configure (struct v2v_appliance *a, struct v2v_error **err)
{
  const long cpus = sysconf (_SC_NPROCESSORS_ONLN);
  guestfs_h *g = a->g;

  guestfs_set_error_handler (g, NULL, NULL);
  if (getenv ("LIBGUESTFS_TMPDIR") == NULL &&
      guestfs_set_tmpdir (g, v2v_tempdir_path (a->tmp)) == -1)
    return v2v_appliance_fail (a, err, "appliance");
  if (v2v_debug_enabled) {
    /* Passphrases are no part of a trace. */
    guestfs_set_event_callback (g, debug_event,
                                GUESTFS_EVENT_TRACE | GUESTFS_EVENT_LIBRARY |
                                    GUESTFS_EVENT_WARNING,
                                0, NULL);
    guestfs_set_trace (g, 1);
  }
  if (getenv ("LIBGUESTFS_BACKEND") == NULL &&
      guestfs_set_backend (g, "direct") == -1)
    return v2v_appliance_fail (a, err, "appliance");
  if (getenv ("LIBGUESTFS_MEMSIZE") == NULL &&
      guestfs_set_memsize (g, V2V_APPLIANCE_MEMORY_MIB) == -1)
    return v2v_appliance_fail (a, err, "appliance");
  /* Ctrl-C is for us; the watcher ends the appliance. */
  if (guestfs_set_pgroup (g, 1) == -1 ||
      (cpus > 1 && guestfs_set_smp (g, cpus < 8 ? (int) cpus : 8) == -1))
    return v2v_appliance_fail (a, err, "appliance");
  return 0;
}

/* LIBGUESTFS_BACKEND_SETTINGS has NAME. */
static bool
has_setting (guestfs_h *g, const char *name)
{
  CLEANUP_FREE char *value = guestfs_get_backend_setting (g, name);

  return value != NULL;
}

static int
add_drives (struct v2v_appliance *a, const struct v2v_appliance_drive *drives,
            size_t n, struct v2v_error **err)
{
  for (size_t i = 0; i < n; ++i) {
    struct guestfs_add_drive_opts_argv opts = {
      .bitmask = GUESTFS_ADD_DRIVE_OPTS_FORMAT_BITMASK |
                 GUESTFS_ADD_DRIVE_OPTS_DISCARD_BITMASK |
                 GUESTFS_ADD_DRIVE_OPTS_CACHEMODE_BITMASK,
      .format = drives[i].format,
      /* Trimmed ranges need no copying. */
      .discard = "besteffort",
      /* Whoever keeps the overlay syncs it after the end. */
      .cachemode = "unsafe",
    };

    if (drives[i].sector_bytes == 4096) {
      opts.bitmask |= GUESTFS_ADD_DRIVE_OPTS_BLOCKSIZE_BITMASK;
      opts.blocksize = 4096;
    }
    if (guestfs_add_drive_opts_argv (a->g, drives[i].path, &opts) == -1)
      return v2v_appliance_fail (a, err, "appliance: disk %zu", i + 1);
  }
  return 0;
}

/* QEMU's options double a comma. */
static char *
spell_for_qemu (const char *path)
{
  char *s = malloc (2 * strlen (path) + 1), *p = s;

  for (; s != NULL && *path != '\0'; ++path) {
    *p++ = *path;
    if (*path == ',')
      *p++ = ',';
  }
  if (s != NULL)
    *p = '\0';
  return s;
}

static struct v2v_appliance *
make (const struct v2v_appliance_drive *drives, size_t n,
      const atomic_bool *cancel, struct v2v_error **err)
{
  struct v2v_appliance *a = calloc (1, sizeof *a);
  pthread_condattr_t attr;

  if (a == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  assert (n > 0);
  /* libguestfs gives QEMU what realpath(3) makes of a path: "./x", "d//x" or
   * a folder that is a link would not be found among its arguments. */
  a->overlay = realpath (drives[0].path, NULL);
  if (a->overlay == NULL) {
    v2v_fail_errno (err, "%s", drives[0].path);
    free (a);
    return NULL;
  }
  a->mark = spell_for_qemu (a->overlay);
  if (a->mark == NULL) {
    free (a->overlay);
    free (a);
    v2v_fail_nomem (err);
    return NULL;
  }
  a->cancel = cancel;
  pthread_mutex_init (&a->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&a->wake, &attr);
  pthread_condattr_destroy (&attr);
  /* No exit handler: closing is ours. */
  a->g = guestfs_create_flags (GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
  if (a->g == NULL)
    v2v_fail_errno (err, "guestfs_create");
  a->tmp = v2v_tempdir_new (NULL, err);
  if (a->g == NULL || a->tmp == NULL || configure (a, err) == -1 ||
      add_drives (a, drives, n, err) == -1) {
    v2v_appliance_close (a);
    return NULL;
  }
  return a;
}

static unsigned
start_seconds (unsigned wanted)
{
  const char *s = getenv ("V2V_APPLIANCE_TIMEOUT");
  char *end;
  unsigned long n;

  if (wanted != 0)
    return wanted;
  if (s == NULL || !isdigit ((unsigned char) s[0]))
    return V2V_APPLIANCE_SECONDS;
  n = strtoul (s, &end, 10);
  return *end == '\0' && n > 0 && n <= 86400 ? (unsigned) n
                                             : V2V_APPLIANCE_SECONDS;
}

static void
set_starting (struct v2v_appliance *a, bool starting)
{
  V2V_LOCK_SCOPE (&a->lock);
  a->starting = starting;
}

static int
launch (struct v2v_appliance *a, unsigned seconds, struct v2v_error **err)
{
  int r;

  v2v_appliance_limit (a, seconds);
  if (start_watcher (a, err) == -1)
    return -1;
  set_starting (a, true);
  r = guestfs_launch (a->g);
  set_starting (a, false);
  if (r == -1) {
    v2v_appliance_fail (a, err, "starting the appliance");
    return v2v_hint (err, "'v2v doctor' tells what this host lacks; "
                          "--no-guest copies the guest as it is");
  }
  v2v_appliance_limit (a, 0);
  a->running = true;
  return 0;
}

/* QEMU translates a page of code anew for each address that it is run at.
 * With address space randomization every process of the same program is
 * translated again, and the tools that build an initramfs are thousands of
 * short processes: without, they take half the time (mkinitramfs of Debian 12,
 * 80 and 36 seconds of processor time).  In the appliance nothing is behind
 * it: what is run there is the guest's own, as root.  Nor is there a processor
 * that speculates; retpolines are what translation is slowest at.  Both
 * words: Linux, Documentation/admin-guide/kernel-parameters.txt. */
static int
tune_emulation (struct v2v_appliance *a, struct v2v_error **err)
{
  const char *given = guestfs_get_append (a->g); /* $LIBGUESTFS_APPEND */
  CLEANUP_FREE char *append = NULL;

  if (asprintf (&append, "%s%snorandmaps mitigations=off", given ? given : "",
                given ? " " : "") == -1) {
    append = NULL;
    return v2v_fail_nomem (err);
  }
  if (guestfs_set_append (a->g, append) == -1)
    return v2v_appliance_fail (a, err, "appliance");
  return 0;
}

static bool
kvm_seems_usable (void)
{
  CLEANUP_CLOSE int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);

  return fd != -1;
}

struct v2v_appliance *
v2v_appliance_start (const struct v2v_appliance_drive *drives, size_t n,
                     unsigned seconds, const atomic_bool *cancel,
                     struct v2v_error **err)
{
  struct v2v_appliance *a = make (drives, n, cancel, err);
  struct v2v_error *e = NULL;
  bool emulate, may_fall_back;

  if (a == NULL)
    return NULL;
  seconds = start_seconds (seconds);
  emulate = has_setting (a->g, "force_tcg");
  may_fall_back = !emulate && !has_setting (a->g, "force_kvm");
  if (!emulate && !kvm_seems_usable ())
    emulate = may_fall_back;
  a->accelerator = emulate ? V2V_ACCEL_NONE : V2V_ACCEL_KVM;
  if (!emulate && may_fall_back && v2v_host_kvm_hangs ()) {
    emulate = true;
    a->accelerator = V2V_ACCEL_FALLBACK;
  }
  if (!emulate) {
    if (launch (a, seconds, &e) == 0)
      return a;
    if (!may_fall_back || how_ended (a) != ENDED_LIMIT) {
      v2v_error_move (err, e);
      v2v_appliance_close (a);
      return NULL;
    }
    v2v_error_free (e);
    v2v_appliance_close (a);
    v2v_warn ("the appliance did not answer in %u seconds by KVM: it is "
              "started again in software emulation",
              seconds);
    v2v_host_remember_kvm_hangs ();
    a = make (drives, n, cancel, err);
    if (a == NULL)
      return NULL;
    a->accelerator = V2V_ACCEL_FALLBACK;
  }
  if ((!has_setting (a->g, "force_tcg") &&
       guestfs_set_backend_setting (a->g, "force_tcg", "1") == -1 &&
       v2v_appliance_fail (a, err, "appliance") == -1) ||
      tune_emulation (a, err) == -1 ||
      launch (a, EMULATION_SECONDS, err) == -1) {
    v2v_appliance_close (a);
    return NULL;
  }
  return a;
}

guestfs_h *
v2v_appliance_guestfs (struct v2v_appliance *a)
{
  return a->g;
}

enum v2v_accelerator
v2v_appliance_accelerator (const struct v2v_appliance *a)
{
  return a->accelerator;
}

/* ---- ending ---- */

int
v2v_appliance_stop (struct v2v_appliance *a, struct v2v_error **err)
{
  assert (a->running);
  a->running = false;
  if (guestfs_shutdown (a->g) == -1)
    return v2v_appliance_fail (a, err, "ending the appliance");
  return 0;
}

void
v2v_appliance_close (struct v2v_appliance *a)
{
  if (a == NULL)
    return;
  if (a->watched) {
    pthread_mutex_lock (&a->lock);
    a->stop = true;
    pthread_cond_signal (&a->wake);
    pthread_mutex_unlock (&a->lock);
    pthread_join (a->watcher, NULL);
  }
  /* Nothing of an unfinished guest is wanted: no waiting for its writes. */
  if (a->running)
    kill_marked (a->mark);
  if (a->g != NULL)
    guestfs_close (a->g);
  v2v_tempdir_free (a->tmp);
  pthread_cond_destroy (&a->wake);
  pthread_mutex_destroy (&a->lock);
  free (a->mark);
  free (a->overlay);
  free (a);
}
