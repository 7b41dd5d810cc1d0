/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate when a guest is mounted: room for what will be written, and what
 * of Windows can be seen in its files only.
 *
 * Numbers: 100 MiB in the root folder and on C:, 50 MiB in /boot, 10 MiB
 * elsewhere, 100 inodes each, as other converters ask for.  A root without a
 * /boot of its own needs both.  An initramfs may be written anew for each
 * kernel while the old one is still there.
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/gate.h"

#define ROOM_ROOT   (100 * V2V_MIB)
#define ROOM_BOOT   (50 * V2V_MIB)
#define ROOM_OTHER  (10 * V2V_MIB)
#define ROOM_INODES 100

/* ---- space ---- */

static const char *
type_of_device (const struct v2v_os *os, const char *device)
{
  for (size_t i = 0; i < os->nr_filesystems; ++i)
    if (strcmp (os->filesystems[i].device, device) == 0)
      return os->filesystems[i].type;
  return NULL;
}

/* Nothing is written there. */
static bool
is_read_only_type (const char *type)
{
  return type != NULL &&
         (strcmp (type, "iso9660") == 0 || strcmp (type, "squashfs") == 0 ||
          strcmp (type, "udf") == 0);
}

static bool
has_mount (const struct v2v_os *os, const char *path)
{
  for (size_t i = 0; i < os->nr_mounts; ++i)
    if (strcmp (os->mounts[i].path, path) == 0)
      return true;
  return false;
}

static uint64_t
room_needed (const struct v2v_os *os, const char *path)
{
  if (strcmp (path, "/") == 0)
    return os->family == V2V_FAMILY_LINUX && !has_mount (os, "/boot")
               ? ROOM_ROOT + ROOM_BOOT
               : ROOM_ROOT;
  return strcmp (path, "/boot") == 0 ? ROOM_BOOT : ROOM_OTHER;
}

static int
gate_space (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);
  const uint64_t need = room_needed (os, path);
  struct v2v_findings *f = v2v_guest_findings (g);
  struct v2v_guest_space space;
  char has[32], wants[32];

  if (v2v_guest_space (g, path, &space, err) == -1)
    return -1;
  if (space.free_bytes < need &&
      v2v_findings_add (f, V2V_CRITICAL, "guest.gate.no-space", path,
                        "delete what is not needed in the guest, or enlarge "
                        "the file system",
                        "%s are free in the file system, %s are needed",
                        v2v_format_size (space.free_bytes, has),
                        v2v_format_size (need, wants)) == -1)
    return v2v_fail_nomem (err);
  if (space.free_inodes < ROOM_INODES &&
      v2v_findings_add (f, V2V_CRITICAL, "guest.gate.no-inodes", path,
                        "delete files that are not needed in the guest",
                        "%" PRIu64 " inodes are free in the file system, %d "
                        "are needed",
                        space.free_inodes, ROOM_INODES) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* Room for one more of the largest initramfs, which is written beside the old
 * one. */
static int
gate_initramfs_room (struct v2v_guest *g, struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_guest_glob (g, "/boot", "init*", err);
  struct v2v_guest_space space;
  struct v2v_guest_stat st;
  uint64_t largest = 0;
  char has[32], wants[32];

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i) {
    const int r = v2v_guest_lstat (g, names[i], &st, err);

    if (r == -1)
      return -1;
    if (r == 1 && st.type == V2V_FILE_REGULAR)
      largest = v2v_max_u64 (largest, st.size_bytes);
  }
  if (largest == 0)
    return 0;
  if (v2v_guest_space (g, "/boot", &space, err) == -1)
    return -1;
  if (space.free_bytes >= largest)
    return 0;
  if (v2v_findings_add (v2v_guest_findings (g), V2V_WARNING,
                        "guest.gate.initramfs-space", "/boot",
                        "remove kernels that are not used any more",
                        "%s are free; an initramfs that has to be rebuilt "
                        "needs %s beside the old one",
                        v2v_format_size (space.free_bytes, has),
                        v2v_format_size (largest, wants)) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
gate_mounts (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);

  if (!has_mount (os, "/") && gate_space (g, "/", err) == -1)
    return -1;
  for (size_t i = 0; i < os->nr_mounts; ++i) {
    const char *path = os->mounts[i].path;

    /* What could not be mounted is not there to be written to. */
    if (is_read_only_type (type_of_device (os, os->mounts[i].device)) ||
        !v2v_guest_is_dir (g, path))
      continue;
    if (gate_space (g, path, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- Windows ---- */

/* An all-zero header, or "wake", is what a finished start leaves. */
static int
gate_hiberfil (struct v2v_guest *g, struct v2v_error **err)
{
  const bool allowed = v2v_guest_get_opts (g)->allow_hibernated;
  CLEANUP_FREE char *path = v2v_guest_case_path (g, "/hiberfil.sys", err);
  CLEANUP_FREE char *head = NULL;
  struct v2v_guest_stat st;
  size_t len;
  int r;

  if (path == NULL)
    return -1;
  r = v2v_guest_lstat (g, path, &st, err);
  if (r <= 0 || st.type != V2V_FILE_REGULAR)
    return r;
  head = v2v_guest_read_head (g, path, 4, &len, err);
  if (head == NULL)
    return -1;
  if (len < 4 || strncasecmp (head, "hibr", 4) != 0)
    return 0;
  if (v2v_findings_add (
          v2v_guest_findings (g), allowed ? V2V_WARNING : V2V_CRITICAL,
          "guest.gate.hibernated", path,
          "start Windows on the source and run 'shutdown /s /t 0', or turn "
          "hibernation off with 'powercfg /h off'",
          "hiberfil.sys holds the memory of a hibernated Windows") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* WofCompressed files are reparse points (IO_REPARSE_TAG_WOF, [MS-FSCC]
 * 2.1.2.1), which ntfs-3g shows as links that lead nowhere. */
static int
gate_compact (struct v2v_guest *g, struct v2v_error **err)
{
  static const char *const files[] = { "/System32/ntoskrnl.exe",
                                       "/System32/drivers/disk.sys",
                                       "/System32/notepad.exe",
                                       "/explorer.exe" };
  const char *root = v2v_guest_os (g)->systemroot;

  for (size_t i = 0; root != NULL && i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_STR struct v2v_str name = V2V_STR_INIT;
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *target = NULL;
    struct v2v_guest_stat st;
    int r;

    if (v2v_str_printf (&name, "%s%s", root, files[i]) == -1)
      return v2v_fail_nomem (err);
    path = v2v_guest_case_path (g, name.ptr, err);
    if (path == NULL)
      return -1;
    r = v2v_guest_lstat (g, path, &st, err);
    if (r == -1)
      return -1;
    if (r == 0 || st.type != V2V_FILE_LINK)
      continue;
    target = v2v_guest_readlink (g, path, NULL);
    if (target == NULL || strcasestr (target, "reparse") == NULL)
      continue;
    if (v2v_findings_add (
            v2v_guest_findings (g), V2V_WARNING, "guest.gate.compact-os", path,
            "where something looks missing, run 'compact /compactos:never' on "
            "the source",
            "system files are compressed (CompactOS): they can be seen, not "
            "read, from outside Windows") == -1)
      return v2v_fail_nomem (err);
    return 0;
  }
  return 0;
}

int
v2v_guest_gate (struct v2v_guest *g, struct v2v_error **err)
{
  const enum v2v_guest_family family = v2v_guest_os (g)->family;

  if (family != V2V_FAMILY_LINUX && family != V2V_FAMILY_WINDOWS)
    return 0;
  if (gate_mounts (g, err) == -1)
    return -1;
  if (family == V2V_FAMILY_LINUX && gate_initramfs_room (g, err) == -1)
    return -1;
  if (family == V2V_FAMILY_WINDOWS &&
      (gate_hiberfil (g, err) == -1 || gate_compact (g, err) == -1))
    return -1;
  return v2v_guest_gate_verdict (v2v_guest_findings (g), err);
}
