/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Windows has put off until its next start, which will be on Hyper-V:
 * updates, and files that an installer could not replace or delete.
 *
 * Source: Microsoft Learn, "MoveFileExA function": MOVEFILE_DELAY_UNTIL_REBOOT
 * keeps pairs of names in the value PendingFileRenameOperations of Session
 * Manager; the second of a pair is empty when the file is to be deleted.  Names
 * begin with "\??\", a new name with '!' where it may replace a file; newer
 * Windows put '*' and a digit in front.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/hive-internal.h"
#include "inject/windows-internal.h"

/* Updates that are half installed: the rest is done at the next start, while
 * all devices are new, and a component that cannot be replaced then rolls
 * everything back.  pending.xml is the servicing stack's list of what it still
 * has to do; the keys are what it and the update agent leave when they want a
 * restart. */
static int
check_updates (struct windows_guest *w, struct v2v_error **err)
{
  static const char *const keys[] = {
    "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing"
    "\\RebootPending",
    "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update"
    "\\RebootRequired",
  };
  CLEANUP_FREE char *pending = NULL;
  const char *what = NULL;

  if (asprintf (&pending, "%s/WinSxS/pending.xml", w->systemroot) == -1) {
    pending = NULL;
    return v2v_fail_nomem (err);
  }
  if (windows_has_file (w, pending))
    what = pending;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys) && what == NULL; ++i) {
    const int r = v2v_hive_has_key (w->software, keys[i], err);

    if (r == -1)
      return -1;
    if (r == 1)
      what = strrchr (keys[i], '\\') + 1;
  }
  if (what == NULL)
    return 0;
  return windows_report (w, V2V_WARNING, "guest.windows.pending-restart", what,
                         "restart the guest on the source until it asks for no "
                         "more, shut it down, and take its disks again",
                         err,
                         "updates wait for a restart: they are finished at the "
                         "first start on Hyper-V, which may take long");
}

/* ---- files ---- */

/* Without one of these it does not start on Hyper-V. */
static const char *const vital[] = {
  "acpi.sys",     "atapi.sys",    "ataport.sys",  "classpnp.sys", "disk.sys",
  "intelide.sys", "mountmgr.sys", "ntfs.sys",     "partmgr.sys",  "pci.sys",
  "pciide.sys",   "pciidex.sys",  "storport.sys", "storvsc.sys",  "vmbus.sys",
  "volmgr.sys",   "volsnap.sys",  "winhv.sys",    "winhvr.sys",
};

/* The vital driver that PATH ("\??\C:\Windows\System32\drivers\...")
 * names, or -1. */
static int
vital_driver (const char *path)
{
  static const char folder[] = "\\System32\\drivers\\";
  const char *name = strrchr (path, '\\');
  const size_t n = sizeof folder - 1;

  if (name == NULL || (size_t) (++name - path) < n ||
      strncasecmp (name - n, folder, n) != 0)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (vital); ++i)
    if (strcasecmp (vital[i], name) == 0)
      return (int) i;
  return -1;
}

/* The string at *POS of a MULTI_SZ, which may be empty; NULL: no memory. */
static char *
take_string (const uint8_t *data, size_t len, size_t *pos)
{
  const size_t begin = *pos;
  size_t end = begin;

  while (end + 2 <= len && v2v_le16 (data + end) != 0)
    end += 2;
  *pos = end + 2;
  return hive_utf16_to_utf8 (data + begin, end - begin);
}

/* Note in GONE which drivers are not there after the operations of DATA. */
static int
read_operations (const uint8_t *data, size_t len, unsigned *nr,
                 bool gone[V2V_ARRAY_SIZE (vital)], struct v2v_error **err)
{
  for (size_t pos = 0; pos + 2 <= len;) {
    CLEANUP_FREE char *from = take_string (data, len, &pos);
    CLEANUP_FREE char *to = NULL;
    int driver;

    if (from != NULL && *from == '\0')
      return 0;
    to = from == NULL ? NULL
         : pos <= len ? take_string (data, len, &pos)
                      : strdup ("");
    if (to == NULL)
      return v2v_fail_nomem (err);
    ++*nr;
    driver = vital_driver (from);
    if (driver != -1)
      gone[driver] = true;
    driver = vital_driver (to);
    if (driver != -1)
      gone[driver] = false;
  }
  return 0;
}

static int
check_files (struct windows_guest *w, struct v2v_error **err)
{
  static const char *const names[] = { "PendingFileRenameOperations",
                                       "PendingFileRenameOperations2" };
  CLEANUP_FREE char *key =
      windows_key (w->control_sets[0], "Control\\Session Manager", err);
  bool gone[V2V_ARRAY_SIZE (vital)] = { false };
  unsigned nr = 0;

  if (key == NULL)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    CLEANUP_FREE void *data = NULL;
    uint32_t type;
    size_t len;
    int r = v2v_hive_get (w->system, key, names[i], &type, &data, &len, err);

    if (r == 1 && type == V2V_REG_MULTI_SZ)
      r = read_operations (data, len, &nr, gone, err);
    if (r == -1)
      return -1;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (vital); ++i)
    if (gone[i] && windows_report (
                       w, V2V_WARNING, "guest.windows.pending-driver", vital[i],
                       "restart the guest on the source, shut it down, see "
                       "that the driver is there, and take its disks again",
                       err,
                       "Windows means to delete this driver at its next "
                       "start: after that it would not start on Hyper-V") == -1)
      return -1;
  if (nr == 0)
    return 0;
  return windows_report (w, V2V_INFORMATION, "guest.windows.pending-files",
                         NULL, NULL, err,
                         "%u file%s replaced, moved or deleted at the first "
                         "start, as an installer asked before",
                         nr, nr == 1 ? " is" : "s are");
}

int
windows_check_pending (struct windows_guest *w, struct v2v_error **err)
{
  return check_updates (w, err) == -1 ? -1 : check_files (w, err);
}
