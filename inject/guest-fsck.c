/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the guest's file systems from end to end, when all is changed and
 * unmounted (--fsck).  Nothing is repaired: where something is wrong it mostly
 * was on the source, and a repair may cost files, which its owner decides.
 *
 * The programs are those of the appliance: e2fsck(8) -n, xfs_repair(8) -n,
 * btrfs-check(8), ntfsfix(8) -n.  libguestfs' own calls for them repair, but
 * guestfs_xfs_repair; so they are run by its shell (guestfs_debug "sh"), which
 * is a call for debugging and may be missing: then nothing was checked, and
 * that is said.
 *
 * That shell has the appliance's own names of disks, where /dev/sda may be
 * another one than for libguestfs' calls, as disks are found in any order
 * (guestfs(3), "BLOCK DEVICE NAMING"): file systems on disks and partitions are
 * found by their UUIDs.
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/guest-front.h"
#include "inject/guest-libguestfs.h"

/* For each file system; a million files take some minutes in emulation. */
#define FSCK_SECONDS  1800
#define MAX_COMPLAINT 200

/* The device, the seconds, the program.  Prints its status, then what it
 * says. */
#define SCRIPT                                                                 \
  "d=%s; { timeout %u %s \"$d\" 2>&1 </dev/null; echo $? >/tmp/v2v-status; } " \
  "| head -c 4000 >/tmp/v2v-output; cat /tmp/v2v-status /tmp/v2v-output"

static const struct checker {
  const char *type;
  const char *command;
  int errors; /* its status when there are some; others: it did not work */
  int mask;   /* of the status: e2fsck's is a set of bits */
} checkers[] = {
  { "ext2", "e2fsck -f -n", 4, 4 },
  { "ext3", "e2fsck -f -n", 4, 4 },
  { "ext4", "e2fsck -f -n", 4, 4 },
  { "xfs", "xfs_repair -n", 1, 0xff },
  { "btrfs", "btrfs check --readonly", 1, 0xff },
  { "ntfs", "ntfsfix -n", 1, 0xff },
};

static const struct checker *
checker_of (const char *type)
{
  for (size_t i = 0; type != NULL && i < V2V_ARRAY_SIZE (checkers); ++i)
    if (strcmp (checkers[i].type, type) == 0)
      return &checkers[i];
  return NULL;
}

/* What goes through a shell: names of volumes and UUIDs are the guest's. */
static bool
is_plain (const char *s)
{
  return s[0] != '\0' &&
         s[strspn (s, "abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.+-")] == '\0';
}

/* Is the UUID of F that of another one too (a cloned disk)? */
static bool
is_unique (const struct v2v_os *os, const struct v2v_filesystem *f)
{
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (&os->filesystems[i] != f && os->filesystems[i].uuid != NULL &&
        strcasecmp (os->filesystems[i].uuid, f->uuid) == 0)
      return false;
  return true;
}

/* How the shell names F; NULL with ERR unset when it cannot. */
static char *
shell_name (const struct v2v_os *os, const struct v2v_filesystem *f,
            struct v2v_error **err)
{
  char *s;
  int r;

  if (strncmp (f->device, "/dev/sd", 7) != 0)
    r = is_plain (f->device) ? asprintf (&s, "%s", f->device) : -2;
  else
    r = f->uuid != NULL && is_plain (f->uuid) && is_unique (os, f)
            ? asprintf (&s, "$(blkid -c /dev/null -U %s)", f->uuid)
            : -2;
  if (r == -1)
    v2v_fail_nomem (err);
  return r < 0 ? NULL : s;
}

/* The last line that says something, which for all four is the verdict. */
static void
take_complaint (const char *output, char ret[MAX_COMPLAINT])
{
  const char *last = "";

  for (const char *p = output; *p != '\0'; p += strcspn (p, "\n")) {
    p += strspn (p, "\n");
    if (isalnum ((unsigned char) *p) || *p == '/')
      last = p;
  }
  snprintf (ret, MAX_COMPLAINT, "%.*s", (int) strcspn (last, "\n"), last);
  for (char *p = ret; *p != '\0'; ++p)
    if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
      *p = '?';
}

static int
add_finding (struct v2v_guest *g, const struct v2v_filesystem *f, int status,
             const struct checker *c, const char *complaint,
             struct v2v_error **err)
{
  struct v2v_findings *list = v2v_guest_findings (g);
  int r = 0;

  if (status != 0 && (status & c->mask) == c->errors)
    r = v2v_findings_add (list, V2V_WARNING, "guest.fsck.errors", f->device,
                          "check it on the source, or with the guest's own "
                          "tools after the first start",
                          "the %s file system has errors: %s", f->type,
                          complaint[0] ? complaint
                                       : "its checker says no more");
  else if (status != 0)
    r = v2v_findings_add (
        list, V2V_INFORMATION, "guest.fsck.not-checked", f->device, NULL,
        "the %s file system could not be checked: %s", f->type,
        complaint[0] ? complaint : "no reason given");
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

static int
check_one (struct v2v_guest *g, guestfs_h *gfs, const struct v2v_filesystem *f,
           const struct checker *c, struct v2v_error **err)
{
  CLEANUP_FREE char *script = NULL, *output = NULL, *name = NULL;
  struct v2v_error *e = NULL;
  char complaint[MAX_COMPLAINT] = "";
  char *argv[2] = { NULL, NULL };
  int status = 127;

  name = shell_name (v2v_guest_os (g), f, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (name == NULL)
    return add_finding (g, f, status, c, "it has no name or UUID of its own",
                        err);
  if (asprintf (&script, SCRIPT, name, FSCK_SECONDS, c->command) == -1) {
    script = NULL;
    return v2v_fail_nomem (err);
  }
  argv[0] = script;
  output = guestfs_debug (gfs, "sh", argv);
  if (output == NULL)
    take_complaint (guestfs_last_error (gfs) ? guestfs_last_error (gfs) : "",
                    complaint);
  else {
    char *end;
    const long n = strtol (output, &end, 10);

    if (end != output && n >= 0 && n <= 255)
      status = (int) n;
    take_complaint (end, complaint);
  }
  if (status == 124)
    snprintf (complaint, sizeof complaint, "not done in %d seconds",
              FSCK_SECONDS);
  return add_finding (g, f, status, c, complaint, err);
}

int
guest_check_filesystems (struct v2v_guest *g, struct guest_appliance *h,
                         struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);

  for (size_t i = 0; i < os->nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &os->filesystems[i];
    const struct checker *c = checker_of (f->type);
    char step[80];

    if (c == NULL || f->device == NULL || strncmp (f->device, "/dev/", 5) != 0)
      continue;
    snprintf (step, sizeof step, "checking %s", f->device);
    v2v_guest_tell_step (g, step);
    if (check_one (g, v2v_appliance_guestfs (h->appliance), f, c, err) == -1)
      return -1;
  }
  return 0;
}
