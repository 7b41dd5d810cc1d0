/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the host, the processor and the folders: see host-checks.h. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/host-checks.h"
#include "inject/host-memory.h"

/* So much is asked for scratch files by other converters. */
#define WANTED_MEMORY  (V2V_APPLIANCE_MEMORY_MIB * UINT64_C (1048576))
#define WANTED_SCRATCH (1 * V2V_GIB)
#define KVM_VERSION    12 /* the only one since Linux 2.6.22 */

int
host_add (struct host_report *r, const char *name, enum host_state state,
          const char *remedy, struct v2v_error **err, const char *fmt, ...)
{
  struct host_check *c;
  va_list args;
  int n;

  if (r->len == r->cap) {
    const size_t cap = r->cap * 2 + 16;

    c = reallocarray (r->ptr, cap, sizeof *c);
    if (c == NULL)
      return v2v_fail_nomem (err);
    r->ptr = c;
    r->cap = cap;
  }
  c = &r->ptr[r->len];
  memset (c, 0, sizeof *c);
  c->name = name;
  c->state = state;
  va_start (args, fmt);
  n = vasprintf (&c->message, fmt, args);
  va_end (args);
  if (n == -1) {
    c->message = NULL;
    return v2v_fail_nomem (err);
  }
  r->len++;
  if (remedy != NULL && (c->remedy = strdup (remedy)) == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

void
host_report_clear (struct host_report *r)
{
  for (size_t i = 0; i < r->len; ++i) {
    free (r->ptr[i].message);
    free (r->ptr[i].remedy);
  }
  free (r->ptr);
  memset (r, 0, sizeof *r);
}

const char *
host_state_name (enum host_state s)
{
  switch (s) {
  case HOST_OK:
    return "ok";
  case HOST_WARNING:
    return "warning";
  case HOST_MISSING:
    return "missing";
  }
  return "?";
}

struct v2v_json *
host_report_to_json (const struct host_report *r)
{
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  bool ok = true;

  for (size_t i = 0; i < r->len; ++i) {
    const struct host_check *c = &r->ptr[i];
    struct v2v_json *item = v2v_json_new_object ();

    v2v_json_set_string (item, "name", c->name);
    v2v_json_set_string (item, "state", host_state_name (c->state));
    v2v_json_set_string (item, "message", c->message);
    v2v_json_set_string (item, "remedy", c->remedy);
    v2v_json_append (list, item);
    ok = ok && c->state != HOST_MISSING;
  }
  v2v_json_set_bool (o, "ok", ok);
  v2v_json_set (o, "checks", list);
  return o;
}

/* ---- processor, memory, scratch space ---- */

static int
check_processor (struct host_report *r, struct v2v_error **err)
{
  const long n = sysconf (_SC_NPROCESSORS_ONLN);
  struct utsname uts;
  bool fast = true;

  if (uname (&uts) == -1)
    return v2v_fail_errno (err, "uname");
#if defined(__x86_64__)
  __builtin_cpu_init ();
  fast = __builtin_cpu_supports ("sse4.2") && __builtin_cpu_supports ("avx2");
#endif
  if (strcmp (uts.machine, "x86_64") != 0)
    return host_add (r, "processor", HOST_WARNING,
                     "convert Linux guests of x86-64 on a host of x86-64", err,
                     "%s: programs of x86-64 guests cannot be run here",
                     uts.machine);
  return host_add (r, "processor", fast ? HOST_OK : HOST_WARNING, NULL, err,
                   "%s, %ld online%s", uts.machine, n,
                   fast ? ", SSE 4.2 and AVX2"
                        : "; without SSE 4.2 and AVX2 checksums are slower");
}

/* "MemAvailable:   123 kB"; 0 = unknown. */
static uint64_t
available_memory (void)
{
  CLEANUP_FCLOSE FILE *fp = fopen ("/proc/meminfo", "re");
  char line[256];
  uint64_t kib;

  while (fp != NULL && fgets (line, sizeof line, fp) != NULL)
    if (sscanf (line, "MemAvailable: %" SCNu64, &kib) == 1)
      return kib * 1024;
  return 0;
}

static int
check_memory (struct host_report *r, struct v2v_error **err)
{
  const uint64_t has = available_memory ();
  char text[32], wants[32];

  if (has == 0)
    return host_add (r, "memory", HOST_WARNING, NULL, err,
                     "how much is available cannot be told");
  if (has >= WANTED_MEMORY)
    return host_add (r, "memory", HOST_OK, NULL, err, "%s available",
                     v2v_format_size (has, text));
  return host_add (r, "memory", HOST_WARNING,
                   "end other programs, or set LIBGUESTFS_MEMSIZE", err,
                   "%s available, %s are wanted", v2v_format_size (has, text),
                   v2v_format_size (WANTED_MEMORY, wants));
}

static int
check_scratch (struct host_report *r, struct v2v_error **err)
{
  const char *env = getenv ("TMPDIR");
  const char *dir = env != NULL && *env == '/' ? env : "/var/tmp";
  struct statvfs st;
  char text[32], wants[32];
  uint64_t has;

  if (statvfs (dir, &st) == -1)
    return host_add (r, "temporary-space", HOST_MISSING,
                     "let TMPDIR name a folder that can be written to", err,
                     "%s: %s", dir, strerror (errno));
  if (access (dir, W_OK | X_OK) == -1)
    return host_add (r, "temporary-space", HOST_MISSING,
                     "let TMPDIR name a folder that can be written to", err,
                     "%s cannot be written to", dir);
  has = (uint64_t) st.f_bavail * st.f_frsize;
  if (has >= WANTED_SCRATCH)
    return host_add (r, "temporary-space", HOST_OK, NULL, err, "%s free in %s",
                     v2v_format_size (has, text), dir);
  return host_add (r, "temporary-space", HOST_WARNING,
                   "free some, or let TMPDIR name another folder", err,
                   "%s free in %s, %s are wanted", v2v_format_size (has, text),
                   dir, v2v_format_size (WANTED_SCRATCH, wants));
}

int
host_check_machine (struct host_report *r, struct v2v_error **err)
{
  if (check_processor (r, err) == -1 || check_memory (r, err) == -1)
    return -1;
  return check_scratch (r, err);
}

/* ---- KVM ---- */

int
host_check_kvm (struct host_report *r, struct v2v_error **err)
{
  static const char slow[] = "software emulation is used, which is slow";
  CLEANUP_CLOSE int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  CLEANUP_CLOSE int vm = -1;

  if (fd == -1 && (errno == EACCES || errno == EPERM))
    return host_add (r, "kvm", HOST_WARNING,
                     "add the user to the group kvm: 'usermod -aG kvm USER'",
                     err, "/dev/kvm may not be opened: %s", slow);
  if (fd == -1)
    return host_add (r, "kvm", HOST_WARNING,
                     "turn on virtualization in the firmware, or nested "
                     "virtualization for a virtual host",
                     err, "there is no /dev/kvm: %s", slow);
  if (ioctl (fd, KVM_GET_API_VERSION, 0) == KVM_VERSION)
    vm = ioctl (fd, KVM_CREATE_VM, 0);
  if (vm == -1)
    return host_add (r, "kvm", HOST_WARNING, NULL, err,
                     "/dev/kvm makes no machine: %s", slow);
  return host_add (r, "kvm", HOST_OK, NULL, err,
                   "/dev/kvm makes a machine (--start tries whether one runs)");
}

/* ---- where machines go ---- */

#ifdef FICLONE
/* A temporary file without a name in FOLDER, so that nothing stays. */
static int
temporary_in (const char *folder)
{
  return open (folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int
check_reflink (struct host_report *r, const char *folder,
               struct v2v_error **err)
{
  CLEANUP_CLOSE int from = temporary_in (folder), to = temporary_in (folder);
  static const char block[65536] = "v2v";

  if (from != -1 && to != -1 &&
      write (from, block, sizeof block) == (ssize_t) sizeof block &&
      ioctl (to, FICLONE, from) == 0)
    return host_add (r, "reflink", HOST_OK, NULL, err,
                     "files in %s can share blocks", folder);
  return host_add (r, "reflink", HOST_WARNING,
                   "write to XFS (reflink=1) or btrfs, with the source on the "
                   "same file system, to copy without copying",
                   err, "files in %s cannot share blocks", folder);
}
#else
static int
check_reflink (struct host_report *r, const char *folder,
               struct v2v_error **err)
{
  return host_add (r, "reflink", HOST_WARNING, NULL, err,
                   "files in %s: this system has no way to share blocks",
                   folder);
}
#endif

int
host_check_output (struct host_report *r, const char *folder,
                   struct v2v_error **err)
{
  struct statvfs st;
  char text[32];

  if (statvfs (folder, &st) == -1 || access (folder, W_OK | X_OK) == -1)
    return host_add (r, "output", HOST_MISSING,
                     "name a folder that can be written to", err, "%s: %s",
                     folder, strerror (errno));
  if (host_add (r, "output", HOST_OK, NULL, err, "%s free in %s",
                v2v_format_size ((uint64_t) st.f_bavail * st.f_frsize, text),
                folder) == -1)
    return -1;
  return check_reflink (r, folder, err);
}
