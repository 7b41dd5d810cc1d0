/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: the .vmsd file beside a .vmx.
 *
 * snapshotN.displayName, .uid, .parent, and for each disk snapshotN.diskM
 * .node ("scsi0:0") and .fileName: the disk file that was in use when the
 * snapshot was taken, and has not been written since.  So the state of the
 * snapshot is that file (and its parents), and converting it is changing the
 * file names of the machine.  The hardware of the time is in a .vmsn file,
 * which nobody documents: the current hardware is taken, with a finding.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/machine-internal.h"
#include "formats/vmx.h"

/* VMware allows a chain of 32; trees have more leaves. */
#define MAX_SNAPSHOTS      1024
#define MAX_SNAPSHOT_DISKS 256

static const char *
display_name (struct v2v_vmx *vmsd, unsigned n)
{
  return v2v_vmx_get (vmsd, "snapshot%u.displayName", n);
}

static bool
exists (struct v2v_vmx *vmsd, unsigned n)
{
  return v2v_vmx_get (vmsd, "snapshot%u.uid", n) != NULL ||
         display_name (vmsd, n) != NULL;
}

static int
not_found (struct v2v_vmx *vmsd, const char *snapshot, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;
  CLEANUP_FREE char *safe = NULL;

  for (unsigned n = 0; vmsd != NULL && n < MAX_SNAPSHOTS; ++n) {
    const char *name = display_name (vmsd, n);

    if (name != NULL &&
        v2v_str_printf (&list, "%s'%s'", list.len > 0 ? ", " : "", name) == -1)
      return v2v_fail_nomem (err);
  }
  safe = v2v_machine_printable (list.len > 0 ? list.ptr : "none");
  if (safe == NULL)
    return v2v_fail_nomem (err);
  return v2v_fail (err, V2V_ERR_USAGE,
                   "snapshot '%.80s' does not exist; there are: %s", snapshot,
                   safe);
}

static int
find (struct v2v_vmx *vmsd, const char *snapshot, unsigned *ret,
      struct v2v_error **err)
{
  bool found = false;

  for (unsigned n = 0; vmsd != NULL && n < MAX_SNAPSHOTS; ++n) {
    const char *name = display_name (vmsd, n);

    if (name == NULL || strcmp (name, snapshot) != 0)
      continue;
    if (found)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "two snapshots have the name '%.80s': rename one in "
                       "VMware",
                       snapshot);
    found = true;
    *ret = n;
  }
  return found ? 0 : not_found (vmsd, snapshot, err);
}

/* The file name of NODE in snapshot N, or NULL. */
static const char *
file_of_node (struct v2v_vmx *vmsd, unsigned n, const char *node)
{
  for (unsigned i = 0; i < MAX_SNAPSHOT_DISKS; ++i) {
    const char *name = v2v_vmx_get (vmsd, "snapshot%u.disk%u.node", n, i);

    if (name != NULL && strcasecmp (name, node) == 0)
      return v2v_vmx_get (vmsd, "snapshot%u.disk%u.fileName", n, i);
  }
  return NULL;
}

static bool
has_disk (const struct v2v_machine *m, const char *node)
{
  for (size_t i = 0; i < m->nr_disks; ++i)
    if (strcasecmp (m->disks[i].id, node) == 0)
      return true;
  return false;
}

static void
remove_disk (struct v2v_machine *m, size_t i)
{
  struct v2v_disk *d = &m->disks[i];

  free (d->id);
  free (d->file);
  free (d->parent_id);
  free (d->format_uri);
  free (d->mode);
  memmove (d, d + 1, (m->nr_disks - i - 1) * sizeof *d);
  m->nr_disks--;
}

/* Independent disks take no part in snapshots: they stay as they are. */
static int
switch_disks (struct v2v_vmx *vmsd, unsigned n, struct v2v_machine *m,
              struct v2v_error **err)
{
  for (size_t i = 0; i < m->nr_disks;) {
    struct v2v_disk *d = &m->disks[i];
    const char *file = file_of_node (vmsd, n, d->id);

    if (file != NULL && *vmx_basename (file) != '\0') {
      if (v2v_machine_set (&d->file, vmx_basename (file), err) == -1)
        return -1;
      i++;
      continue;
    }
    if (d->mode != NULL && strncmp (d->mode, "independent", 11) == 0) {
      if (V2V_FINDING (m, err, V2V_WARNING, "snapshot.independent", d->id, NULL,
                       "%s is independent: its current state is taken",
                       d->id) == -1)
        return -1;
      i++;
      continue;
    }
    if (V2V_FINDING (m, err, V2V_WARNING, "snapshot.disk", d->id, NULL,
                     "%s was added after the snapshot: it is left out",
                     d->id) == -1)
      return -1;
    remove_disk (m, i);
  }
  for (unsigned i = 0; i < MAX_SNAPSHOT_DISKS; ++i) {
    const char *node = v2v_vmx_get (vmsd, "snapshot%u.disk%u.node", n, i);

    if (node != NULL && !has_disk (m, node))
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "the snapshot has a disk at %.40s, which the machine "
                       "has no longer",
                       node);
  }
  return 0;
}

int
vmx_apply_snapshots (struct v2v_vmx *vmsd, struct v2v_machine *m,
                     const char *snapshot, struct v2v_error **err)
{
  unsigned count = 0, n = 0;

  if (snapshot == NULL) {
    for (unsigned i = 0; vmsd != NULL && i < MAX_SNAPSHOTS; ++i)
      count += exists (vmsd, i);
    if (count == 0)
      return 0;
    return V2V_FINDING (m, err, V2V_INFORMATION, "snapshots", NULL,
                        "choose one with --snapshot NAME",
                        "the machine has %u snapshots; the current state is "
                        "converted",
                        count);
  }
  if (find (vmsd, snapshot, &n, err) == -1 ||
      switch_disks (vmsd, n, m, err) == -1 ||
      v2v_machine_set (&m->snapshot, snapshot, err) == -1)
    return -1;
  return V2V_FINDING (m, err, V2V_WARNING, "snapshot.hardware", NULL,
                      "compare the hardware with that of the snapshot",
                      "the disks are those of the snapshot, the hardware is "
                      "the current one");
}
