/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest stage that converts, "convert, then copy":
 *
 *   needs_appliance               a disk without contents needs none
 *   v2v_guest_gate_disks          what speaks against it, by reading alone
 *   v2v_guest_open_images         nbdkit, overlays, appliance, inspection
 *   v2v_guest_gate                ... and when it is mounted
 *   v2v_linux_convert             all changes
 *   v2v_guest_save                trim, end of the appliance
 *   stage_state_write             from here on it need not be done again
 *   v2v_guest_lay_overlays        what the copy engine reads
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "formats/core/cleanup.h"
#include "inject/gate.h"
#include "inject/guest-front.h"
#include "inject/guest-open.h"
#include "inject/linux.h"
#include "inject/windows.h"
#include "inject/stage-state.h"

static double
monotonic (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* Is there anything on IMG that an appliance could look into: a partition, or
 * a file system or volume on all of it? */
static int
has_contents (struct v2v_image *img, const struct v2v_disk_evidence *e,
              struct v2v_error **err)
{
  struct v2v_fs_state state;

  if (e != NULL && e->nr_partitions > 0)
    return 1;
  /* A damaged table may be read by others. */
  if (e != NULL && e->table == V2V_TABLE_BROKEN)
    return 1;
  if (v2v_fs_probe (img, 0, v2v_image_size (img), &state, err) == -1)
    return -1;
  return state.kind != V2V_FS_UNKNOWN && state.kind != V2V_FS_EMPTY;
}

/* 1 = some disk has contents, 0 = none has: no appliance is needed. */
static int
needs_appliance (const struct v2v_guest_job *job, struct v2v_error **err)
{
  for (size_t i = 0; i < job->nr_disks; ++i) {
    int r;

    if (job->disks[i] == NULL)
      continue;
    r = has_contents (job->disks[i], job->evidence ? job->evidence[i] : NULL,
                      err);
    if (r != 0)
      return r;
  }
  return 0;
}

static int
note_empty (struct v2v_guest_result *ret, struct v2v_error **err)
{
  if (v2v_findings_add (&ret->findings, V2V_INFORMATION, "guest.no-system",
                        NULL, NULL,
                        "no disk has a partition or a file system: they are "
                        "copied as data") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

int
v2v_guest_convert_system (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);

  switch (os->family) {
  case V2V_FAMILY_LINUX:
    return v2v_linux_convert (g, err);
  case V2V_FAMILY_WINDOWS:
    return v2v_windows_convert (g, err);
  case V2V_FAMILY_OTHER:
    if (v2v_findings_add (v2v_guest_findings (g), V2V_WARNING,
                          "guest.system-unknown", NULL,
                          "check that it has drivers for Hyper-V",
                          "the operating system (%s) is copied as it is",
                          os->distro ? os->distro : "unknown") == -1)
      return v2v_fail_nomem (err);
    return 0;
  case V2V_FAMILY_UNKNOWN:
    return 0; /* a finding of the inspection */
  }
  return 0;
}

/* What the report tells. */
static int
take_results (struct v2v_guest *g, struct v2v_guest_result *ret,
              struct v2v_error **err)
{
  struct v2v_findings *f = v2v_guest_findings (g);

  for (size_t i = 0; i < f->len; ++i)
    if (v2v_findings_add (&ret->findings, f->ptr[i].severity, f->ptr[i].id,
                          f->ptr[i].subject, f->ptr[i].remedy, "%s",
                          f->ptr[i].message) == -1)
      return v2v_fail_nomem (err);
  ret->os = v2v_os_to_json (v2v_guest_os (g));
  ret->changes = v2v_journal_to_json (v2v_guest_journal (g));
  return v2v_json_ok (ret->os) && v2v_json_ok (ret->changes)
             ? 0
             : v2v_fail_nomem (err);
}

/* ---- the gate ---- */

struct volume {
  guestfs_h *g;
  const char *device;
};

static int
read_volume (void *arg, void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  const struct volume *v = arg;
  char *p = buf;

  while (len > 0) {
    size_t n;
    CLEANUP_FREE char *data =
        guestfs_pread_device (v->g, v->device, (int) len, (int64_t) offset, &n);

    if (data == NULL || n == 0 || n > len)
      return v2v_fail (err, V2V_ERR_GUEST, "%s: cannot be read at %" PRIu64,
                       v->device, offset);
    memcpy (p, data, n);
    p += n;
    len -= n;
    offset += n;
  }
  return 0;
}

/* Logical volumes and opened disks are seen by the appliance only; partitions
 * were looked at before it was started. */
static int
gate_volumes (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);
  struct volume v = { .g = v2v_guest_libguestfs (g) };

  for (size_t i = 0; i < os->nr_filesystems; ++i) {
    struct v2v_fs_state state;
    int64_t size;

    v.device = os->filesystems[i].device;
    if (strncmp (v.device, "/dev/", 5) != 0 ||
        strncmp (v.device, "/dev/sd", 7) == 0 ||
        (size = guestfs_blockdev_getsize64 (v.g, v.device)) <= 0)
      continue;
    if (v2v_fs_probe_reader (read_volume, &v, (uint64_t) size, &state, err) ==
            -1 ||
        v2v_guest_gate_filesystem (&state, v.device, v2v_guest_get_opts (g),
                                   v2v_guest_findings (g), err) == -1)
      return -1;
  }
  return v2v_guest_gate_verdict (v2v_guest_findings (g), err);
}

int
v2v_guest_gate_appliance (struct v2v_guest *g, bool mounted,
                          struct v2v_error **err)
{
  return mounted ? v2v_guest_gate (g, err) : gate_volumes (g, err);
}

/* ---- the work ---- */

static int
make_folder (const char *path, struct v2v_error **err)
{
  if (mkdir (path, 0700) == -1 && errno != EEXIST)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

/* 1 = changed, and saved in the overlays; 0 = there is no system on it. */
static int
change_guest (const struct v2v_guest_job *job, struct v2v_convert_guest *c,
              struct v2v_guest_result *ret, struct v2v_error **err)
{
  struct v2v_guest_open_opts open = {
    .guest = c->opts,
    .keys = &c->keys,
    .folder = job->work_folder,
    .search = job->search,
    .machine = job->machine,
    .cancel = job->cancel,
    .step = job->step,
    .step_arg = job->step_arg,
    .gate = v2v_guest_gate_appliance,
  };
  struct v2v_guest_times *times = &ret->times;
  struct v2v_guest *g;
  double begin;
  int r = -1;

  open.ret_start_seconds = &times->start;
  if (job->generation != 0)
    open.guest.generation = job->generation;
  open.guest.new_macs = job->new_macs;
  open.guest.have_keys = c->keys.len > 0;
  if (v2v_guest_gate_disks (job->disks, job->nr_disks, &open.guest,
                            &ret->findings, err) == -1)
    return -1;
  if (make_folder (job->work_folder, err) == -1)
    return -1;
  /* Originals of a run that did not come to its end. */
  v2v_remove_tree (job->undo_folder);
  begin = monotonic ();
  g = v2v_guest_open_images (job->disks, job->nr_disks, &open, err);
  if (g == NULL)
    return -1;
  times->inspection = monotonic () - begin - times->start;
  begin = monotonic ();
  if (v2v_guest_os (g)->family == V2V_FAMILY_UNKNOWN) {
    /* Not even trimmed: looking alone may have replayed a journal. */
    r = take_results (g, ret, err);
    v2v_guest_close (g);
    return r;
  }
  v2v_guest_tell_step (g, "changing the guest");
  if (v2v_guest_set_undo (g, job->undo_folder, err) == 0 &&
      v2v_guest_convert_system (g, err) == 0) {
    times->changes = monotonic () - begin;
    begin = monotonic ();
    r = v2v_guest_save (g, err);
    times->trim = monotonic () - begin;
  }
  if (r == 0 && take_results (g, ret, err) == 0)
    r = 1;
  else
    r = -1;
  v2v_guest_close (g);
  return r;
}

static int
stage_run (void *arg, const struct v2v_guest_job *job,
           struct v2v_guest_result *ret, struct v2v_error **err)
{
  struct v2v_convert_guest *c = arg;
  CLEANUP_FREE char *fingerprint = stage_fingerprint (job, c, err);
  const double begin = monotonic ();
  int r = 0;

  if (fingerprint == NULL)
    return -1;
  if (job->resume) {
    r = stage_state_read (job, fingerprint, ret, err);
    if (r == -1)
      return -1;
  }
  if (r == 0) {
    r = needs_appliance (job, err);
    if (r <= 0)
      return r == 0 ? note_empty (ret, err) : -1;
    r = change_guest (job, c, ret, err);
    ret->seconds = monotonic () - begin;
    if (r <= 0)
      return r;
    if (stage_state_write (job, fingerprint, ret, err) == -1)
      return -1;
  }
  return v2v_guest_lay_overlays (job->work_folder, job->disks, job->nr_disks,
                                 err);
}

struct v2v_guest_stage
v2v_guest_stage_convert (struct v2v_convert_guest *arg)
{
  return (struct v2v_guest_stage){
    .name = "convert",
    .run = stage_run,
    .arg = arg,
  };
}
