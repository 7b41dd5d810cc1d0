/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and drive letters of a Windows guest.
 *
 * Disks on the synthetic SCSI controller count as shared (storvsc reports a
 * SAS bus), and the SAN policy of the larger server editions leaves shared
 * disks offline: data disks would be missing at the first start.  The policy
 * is set to "online all"; a first-boot script puts the old one back
 * (windows-disks.c).  Letters follow the disk's signature and the partition's
 * offset, or the partition's GUID, none of which is changed.
 */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/windows-internal.h"

#define SAN_ONLINE_ALL 1

/* ---- the SAN policy ---- */

/* Disks that another machine uses as well must not be put online by us. */
static bool
has_shared_disks (const struct windows_guest *w)
{
  const struct v2v_machine *m = v2v_guest_machine (w->g);

  for (size_t i = 0; m != NULL && i < m->nr_disks; ++i)
    if (m->disks[i].shared)
      return true;
  return false;
}

static int
fix_san_policy (struct windows_guest *w, struct v2v_error **err)
{
  if (w->version < 60)
    return 0;
  if (has_shared_disks (w))
    return windows_report (
        w, V2V_WARNING, "guest.windows.shared-disks", NULL,
        "put the disks online on one node at a time", err,
        "disks are shared with another machine; the SAN policy is left as it "
        "is");
  for (char **set = w->control_sets; *set != NULL; ++set) {
    CLEANUP_FREE char *key =
        windows_service_key (*set, "partmgr", "Parameters", err);

    if (key == NULL ||
        v2v_hive_set_dword (w->system, key, "SanPolicy", SAN_ONLINE_ALL,
                            "data disks on the synthetic controller would "
                            "stay offline",
                            err) == -1)
      return -1;
  }
  return 0;
}

/* ---- letters ---- */

/* "MBR signature 5cbea03e, offset 1048576" or "GPT partition ..."; false for
 * removable media. */
static bool
describe_place (const uint8_t *data, size_t len, char *out, size_t out_len)
{
  static const char gpt[] = "DMIO:ID:";

  if (len == 12) {
    snprintf (out, out_len, "disk signature %08" PRIx32 ", offset %" PRIu64,
              v2v_le32 (data), v2v_le64 (data + 4));
    return true;
  }
  if (len == 24 && memcmp (data, gpt, 8) == 0) {
    const struct v2v_guid guid = v2v_guid_from_mixed (data + 8);
    char text[37];

    v2v_guid_format (&guid, text);
    snprintf (out, out_len, "GPT partition %s", text);
    return true;
  }
  return false;
}

static int
check_letter (struct windows_guest *w, char letter, const char *value,
              struct v2v_str *list, struct v2v_error **err)
{
  CLEANUP_FREE void *data = NULL;
  char place[96];
  uint32_t type;
  size_t len;
  const int r = v2v_hive_get (w->system, "MountedDevices", value, &type, &data,
                              &len, err);

  if (r != 1)
    return r;
  if (!describe_place (data, len, place, sizeof place))
    return 0;
  if (v2v_str_printf (list, "%s%c: is %s", list->len ? "; " : "", letter,
                      place) == -1)
    return v2v_fail_nomem (err);
  if (windows_knows_letter (w, letter))
    return 0;
  {
    const char subject[3] = { letter, ':', '\0' };

    return windows_report (w, V2V_INFORMATION, "guest.windows.letter-absent",
                           subject, NULL, err,
                           "the letter was given to a volume that is not on "
                           "the disks of this machine (%s)",
                           place);
  }
}

static int
check_letters (struct windows_guest *w, struct v2v_error **err)
{
  static const char prefix[] = "\\DosDevices\\";
  CLEANUP_LIST char **names =
      v2v_hive_value_names (w->system, "MountedDevices", err);
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    const char *p = names[i] + strlen (prefix);

    if (strncasecmp (names[i], prefix, strlen (prefix)) != 0 ||
        !isalpha ((unsigned char) p[0]) || p[1] != ':' || p[2] != '\0')
      continue;
    if (check_letter (w, (char) toupper ((unsigned char) p[0]), names[i], &list,
                      err) == -1)
      return -1;
  }
  if (list.len == 0)
    return 0;
  return windows_report (w, V2V_INFORMATION, "guest.windows.letters", NULL,
                         NULL, err, "drive letters are kept: %s", list.ptr);
}

/* ---- files that are named by a letter ---- */

/* "D:\pagefile.sys 0 0" on a volume that is not here? */
static int
check_path (struct windows_guest *w, const char *path, const char *id,
            const char *what, struct v2v_error **err)
{
  if (strncmp (path, "\\??\\", 4) == 0)
    path += 4;
  if (!isalpha ((unsigned char) path[0]) || path[1] != ':' ||
      windows_knows_letter (w, path[0]))
    return 0;
  return windows_report (w, V2V_WARNING, id, path,
                         "set another place inside the guest", err,
                         "%s is on a volume that is not on the disks of this "
                         "machine",
                         what);
}

static int
check_files (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  static const char *const dumps[] = { "DumpFile", "DedicatedDumpFile" };
  CLEANUP_FREE char *memory =
      windows_key (set, "Control\\Session Manager\\Memory Management", err);
  CLEANUP_FREE char *crash =
      memory ? windows_key (set, "Control\\CrashControl", err) : NULL;
  CLEANUP_LIST char **files = NULL;

  if (crash == NULL)
    return -1;
  files = v2v_hive_get_multi (w->system, memory, "PagingFiles", err);
  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i)
    if (check_path (w, files[i], "guest.windows.page-file", "the page file",
                    err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (dumps); ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_FREE char *path =
        v2v_hive_get_string (w->system, crash, dumps[i], &e);

    if (e != NULL)
      return v2v_error_move (err, e);
    if (path != NULL && check_path (w, path, "guest.windows.dump-file",
                                    "the memory dump", err) == -1)
      return -1;
  }
  return 0;
}

/* ---- the clock ---- */

/* Hyper-V gives the clock as VMware did; it is only said. */
static int
check_clock (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  CLEANUP_FREE char *key =
      windows_key (set, "Control\\TimeZoneInformation", err);
  uint32_t utc = 0;

  if (key == NULL || v2v_hive_get_dword (w->system, key, "RealTimeIsUniversal",
                                         &utc, err) == -1)
    return -1;
  if (utc == 0)
    return 0;
  return windows_report (w, V2V_INFORMATION, "guest.windows.clock", NULL, NULL,
                         err,
                         "the guest takes its hardware clock for UTC "
                         "(RealTimeIsUniversal)");
}

int
windows_fix_storage (struct windows_guest *w, struct v2v_error **err)
{
  if (fix_san_policy (w, err) == -1 || check_letters (w, err) == -1 ||
      check_files (w, w->control_sets[0], err) == -1 ||
      check_clock (w, w->control_sets[0], err) == -1)
    return -1;
  return 0;
}
