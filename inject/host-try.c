/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An appliance on an empty disk, to see whether it starts and what is in it.
 * Names of features: guestfs(3), "AVAILABILITY".
 */

#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/tempdir.h"
#include "formats/core/text.h"
#include "inject/host-try.h"
#include "inject/launch.h"

#define TRIAL_DISK (1024 * 1024)

static double
monotonic (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* No such feature, or unknown to this libguestfs: not there. */
static bool
has (struct v2v_appliance *a, const char *feature)
{
  const char *const list[] = { feature, NULL };

  return guestfs_feature_available (v2v_appliance_guestfs (a),
                                    (char *const *) (uintptr_t) list) == 1;
}

static int
try_on (const char *disk, const atomic_bool *cancel, struct v2v_host_trial *ret,
        struct v2v_error **err)
{
  const struct v2v_appliance_drive drive = { .path = disk,
                                             .format = "raw",
                                             .sector_bytes = 512 };
  const double begin = monotonic ();
  struct v2v_appliance *a = v2v_appliance_start (&drive, 1, 0, cancel, err);
  struct v2v_host_trial t = { .seconds = 0 };
  int r;

  if (a == NULL)
    return -1;
  t.seconds = monotonic () - begin;
  t.kvm = v2v_appliance_accelerator (a) == V2V_ACCEL_KVM;
  t.fallback = v2v_appliance_accelerator (a) == V2V_ACCEL_FALLBACK;
  t.ntfs = has (a, "ntfs3g");
  t.xfs = has (a, "xfs");
  t.btrfs = has (a, "btrfs");
  t.lvm = has (a, "lvm2");
  t.luks = has (a, "luks");
  t.selinux = has (a, "selinuxrelabel");
  r = v2v_appliance_stop (a, err);
  v2v_appliance_close (a);
  if (r == 0)
    *ret = t;
  return r;
}

int
v2v_host_try_appliance (const atomic_bool *cancel, struct v2v_host_trial *ret,
                        struct v2v_error **err)
{
  struct v2v_tempdir *dir = v2v_tempdir_new (NULL, err);
  CLEANUP_STR struct v2v_str path = V2V_STR_INIT;
  CLEANUP_CLOSE int fd = -1;
  int r = -1;

  if (dir == NULL)
    return -1;
  if (v2v_str_printf (&path, "%s/disk", v2v_tempdir_path (dir)) == -1)
    v2v_fail_nomem (err);
  else if ((fd = open (path.ptr, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                       0600)) == -1 ||
           ftruncate (fd, TRIAL_DISK) == -1)
    v2v_fail_errno (err, "%s", path.ptr);
  else
    r = try_on (path.ptr, cancel, ret, err);
  v2v_tempdir_free (dir);
  return r;
}
