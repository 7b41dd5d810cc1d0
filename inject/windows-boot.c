/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the firmware starts: the EFI system partition of generation 2, the
 * active partition of generation 1, and the boot configuration of both.
 *
 * A new generation 2 machine has no boot entries in its NVRAM: it starts
 * \EFI\BOOT\BOOTX64.EFI.  The boot configuration (BCD, a registry hive) names
 * partitions by GUID, or by the disk's signature and their offset.  A copy
 * keeps all of these, so it is read and compared, never changed: what does not
 * fit now did not fit on VMware, or a disk is missing.
 *
 * Source of the elements: "BCD Elements" (Microsoft, boot configuration data
 * reference); of the device data: the BCD of a real Windows 10 (GPT), and the
 * structures of a boot library as ReactOS describes them (BL_DEVICE_DESCRIPTOR,
 * BL_HARDDISK_DEVICE), which agree with it.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/windows-internal.h"

#define ESP         "/EFI-v2v"
#define ESP_MANAGER ESP "/EFI/Microsoft/Boot/bootmgfw.efi"
#define ESP_BCD     ESP "/EFI/Microsoft/Boot/BCD"
/* Microsoft's loader has 1.5 to 3 MiB. */
#define MAX_LOADER (32u << 20)

#define MANAGER_ID  "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
#define DEFAULT_ID  "Objects\\" MANAGER_ID "\\Elements\\23000003"
#define DEVICE      "11000001" /* where the application is */
#define OS_DEVICE   "21000001" /* what it starts */
#define LOADER_PATH "12000002"
/* Device data: what follows the 16 bytes of options.  DEVICE_PARTITION is the
 * GUID of a GPT partition, or the byte offset of an MBR one (8 bytes). */
#define DEVICE_MIN_BYTES 0x48u
#define DEVICE_TYPE      0x10u
#define DEVICE_LENGTH    0x18u
#define DEVICE_PARTITION 0x20u
#define DEVICE_MEDIUM    0x30u
#define DEVICE_SCHEME    0x34u
#define DEVICE_SIGNATURE 0x38u
#define TYPE_PARTITION   6
#define MEDIUM_HARD_DISK 0
#define SCHEME_GPT       0
#define SCHEME_MBR       1

static bool
is_efi (struct windows_guest *w)
{
  return w->generation2 && v2v_guest_is_dir (w->g, ESP);
}

static const char *
fallback_name (const struct windows_guest *w)
{
  const char *arch = w->os->arch;

  return strcmp (arch, "aarch64") == 0 ? "BOOTAA64.EFI"
         : strcmp (arch, "i386") == 0  ? "BOOTIA32.EFI"
                                       : "BOOTX64.EFI";
}

/* ---- the boot configuration ---- */

/* An element of object ID; NULL when it is not there. */
static char *
element_key (const char *id, const char *element, struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "Objects\\%s\\Elements\\%s", id, element) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

static int
mismatch (struct windows_guest *w, const char *subject, const char *text,
          struct v2v_error **err)
{
  return windows_report (w, V2V_WARNING, "guest.windows.boot-configuration",
                         subject,
                         "if it does not start, repair it with 'bcdboot' from "
                         "Windows' installation medium",
                         err, "%s", text);
}

/* Is the GPT partition one of this machine's?  True when none is known. */
static bool
knows_guid (const struct windows_guest *w, const char *guid)
{
  bool any = false;

  for (size_t i = 0; i < w->os->nr_filesystems; ++i) {
    const char *p = w->os->filesystems[i].partuuid;

    any = any || p != NULL;
    if (p != NULL && strcasecmp (p, guid) == 0)
      return true;
  }
  return !any;
}

/* The same for a partition of an MBR disk. */
static bool
knows_place (const struct windows_guest *w, uint32_t signature, uint64_t offset)
{
  bool any = false;

  for (size_t i = 0; i < w->os->nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &w->os->filesystems[i];

    any = any || f->offset_bytes != 0;
    if (f->offset_bytes == offset && f->disk_signature == signature)
      return true;
  }
  return !any;
}

/* The device DATA of an entry: is the partition it names one of ours? */
static int
check_device_data (struct windows_guest *w, const char *what,
                   const uint8_t *data, size_t len, struct v2v_error **err)
{
  const char *kind = "partition";
  char text[64];
  bool here;

  /* "boot" (where it was started from), "locate", a file on a volume. */
  if (len < DEVICE_MIN_BYTES ||
      v2v_le32 (data + DEVICE_TYPE) != TYPE_PARTITION ||
      v2v_le32 (data + DEVICE_LENGTH) < 0x48 ||
      v2v_le32 (data + DEVICE_MEDIUM) != MEDIUM_HARD_DISK)
    return 0;
  switch (v2v_le32 (data + DEVICE_SCHEME)) {
  case SCHEME_GPT: {
    const struct v2v_guid guid = v2v_guid_from_mixed (data + DEVICE_PARTITION);

    v2v_guid_format (&guid, text);
    here = knows_guid (w, text);
    break;
  }
  case SCHEME_MBR: {
    const uint32_t signature = v2v_le32 (data + DEVICE_SIGNATURE);
    const uint64_t offset = v2v_le64 (data + DEVICE_PARTITION);

    snprintf (text, sizeof text,
              "disk signature %08" PRIx32 ", offset %" PRIu64, signature,
              offset);
    kind = "place";
    here = knows_place (w, signature, offset);
    break;
  }
  default:
    return 0;
  }
  if (here)
    return 0;
  return windows_report (
      w, V2V_WARNING, "guest.windows.boot-configuration", text,
      "add the disk that is missing; if it does not start, repair it with "
      "'bcdboot' from Windows' installation medium",
      err,
      "the %s that the boot configuration names for %s is on no disk of this "
      "machine",
      kind, what);
}

static int
check_device (struct windows_guest *w, struct v2v_hive *bcd, const char *id,
              const char *element, const char *what, bool required,
              struct v2v_error **err)
{
  CLEANUP_FREE char *key = element_key (id, element, err);
  CLEANUP_FREE void *data = NULL;
  uint32_t type;
  size_t len;
  int r;

  if (key == NULL)
    return -1;
  r = v2v_hive_get (bcd, key, "Element", &type, &data, &len, err);
  if (r == 1)
    return check_device_data (w, what, data, len, err);
  return r == 0 && required
             ? mismatch (w, "osdevice", "the loader's entry names no partition",
                         err)
             : r;
}

/* Three devices: where the loader is, what it starts, and where the boot
 * manager keeps this file. */
static int
check_devices (struct windows_guest *w, struct v2v_hive *bcd, const char *id,
               struct v2v_error **err)
{
  if (check_device (w, bcd, id, OS_DEVICE, "Windows", true, err) == -1 ||
      check_device (w, bcd, id, DEVICE, "its loader", false, err) == -1 ||
      check_device (w, bcd, MANAGER_ID, DEVICE, "the boot manager", false,
                    err) == -1)
    return -1;
  return 0;
}

static bool
has_suffix (const char *s, const char *suffix)
{
  const size_t n = strlen (s), m = strlen (suffix);

  return n >= m && strcasecmp (s + n - m, suffix) == 0;
}

static int
check_loader (struct windows_guest *w, struct v2v_hive *bcd, const char *id,
              bool efi, struct v2v_error **err)
{
  CLEANUP_FREE char *key = element_key (id, LOADER_PATH, err);
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *e = NULL;

  if (key == NULL)
    return -1;
  path = v2v_hive_get_string (bcd, key, "Element", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (path == NULL)
    return mismatch (w, id, "the default entry has no loader", err);
  if (has_suffix (path, efi ? ".exe" : ".efi"))
    return mismatch (w, path,
                     efi ? "the default entry is for BIOS, the machine has EFI"
                         : "the default entry is for EFI, the machine has BIOS",
                     err);
  if (path[0] == '\\') {
    for (char *p = path; *p != '\0'; ++p)
      if (*p == '\\')
        *p = '/';
    if (!v2v_guest_is_file (w->g, path))
      return mismatch (w, path, "the loader is not in the guest", err);
  }
  return 0;
}

static int
check_entries (struct windows_guest *w, struct v2v_hive *bcd, bool efi,
               struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *id = v2v_hive_get_string (bcd, DEFAULT_ID, "Element", &e);

  if (e != NULL)
    return v2v_error_move (err, e);
  if (id == NULL || strpbrk (id, "\\/") != NULL)
    return mismatch (w, "default", "there is no default entry", err);
  if (check_loader (w, bcd, id, efi, err) == -1)
    return -1;
  return check_devices (w, bcd, id, err);
}

/* A damaged BCD is Windows' to repair: a finding, no refusal. */
static int
check_bcd (struct windows_guest *w, const char *path, bool efi,
           struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct v2v_hive *bcd = v2v_hive_open_guest (w->g, path, "BCD", false, &e);
  int r = -1;

  if (bcd != NULL)
    r = check_entries (w, bcd, efi, &e);
  v2v_hive_close (bcd);
  if (e == NULL)
    return r;
  if (v2v_error_code (e) == V2V_ERR_GUEST)
    r = mismatch (w, path, v2v_error_message (e), err);
  else
    return v2v_error_move (err, e);
  v2v_error_free (e);
  return r;
}

/* ---- what must be there ---- */

static int
check_efi (struct windows_guest *w, struct v2v_error **err)
{
  static const char hint[] =
      "repair the start with 'bcdboot' before the conversion";

  if (!v2v_guest_is_file (w->g, ESP_MANAGER)) {
    v2v_fail (err, V2V_ERR_GUEST,
              "the EFI system partition has no "
              "\\EFI\\Microsoft\\Boot\\bootmgfw.efi");
    return v2v_hint (err, "%s", hint);
  }
  if (!v2v_guest_is_file (w->g, ESP_BCD)) {
    v2v_fail (err, V2V_ERR_GUEST,
              "the EFI system partition has no \\EFI\\Microsoft\\Boot\\BCD");
    return v2v_hint (err, "%s", hint);
  }
  return check_bcd (w, ESP_BCD, true, err);
}

/* Was the place of each partition found?  Then all of them were looked at. */
static bool
knows_places (const struct windows_guest *w)
{
  for (size_t i = 0; i < w->os->nr_filesystems; ++i)
    if (w->os->filesystems[i].offset_bytes != 0)
      return true;
  return false;
}

/* Another NTFS volume may be the active partition ("System Reserved"), which
 * nobody has looked for. */
static bool
may_be_elsewhere (const struct windows_guest *w)
{
  if (knows_places (w))
    return false;
  for (size_t i = 0; i < w->os->nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &w->os->filesystems[i];

    if (f->type != NULL && strcmp (f->type, "ntfs") == 0 && f->device != NULL &&
        (w->os->root == NULL || strcmp (f->device, w->os->root) != 0))
      return true;
  }
  return w->os->nr_filesystems == 0;
}

static int
no_boot_file (struct windows_guest *w, const char *file, const char *what,
              struct v2v_error **err)
{
  return windows_report (w, V2V_WARNING, "guest.windows.boot-files", file,
                         "repair the start from Windows' installation medium",
                         err, "%s", what);
}

/* The files are there: does a BIOS start the volume that they are on? */
static int
check_active (struct windows_guest *w, struct v2v_error **err)
{
  const char *device =
      w->os->system_volume != NULL ? w->os->system_volume : w->os->root;

  for (size_t i = 0; i < w->os->nr_filesystems && device != NULL; ++i) {
    const struct v2v_filesystem *f = &w->os->filesystems[i];

    if (f->device == NULL || strcmp (f->device, device) != 0 ||
        f->offset_bytes == 0 || f->is_active)
      continue;
    return no_boot_file (w, device,
                         "the partition with the files that BIOS guests start "
                         "from is not the active one",
                         err);
  }
  return 0;
}

static int
check_bios (struct windows_guest *w, struct v2v_error **err)
{
  static const char *const modern[] = { "/bootmgr", "/Boot/BCD" };
  static const char *const old[] = { "/ntldr", "/ntdetect.com", "/boot.ini" };
  const char *const *files = w->version >= 60 ? modern : old;
  const size_t nr = w->version >= 60 ? 2 : 3;
  const char *prefix =
      w->os->system_volume != NULL ? V2V_WINDOWS_SYSTEM_VOLUME : "";
  CLEANUP_FREE char *bcd = NULL;

  for (size_t i = 0; i < nr; ++i) {
    CLEANUP_FREE char *path = NULL;

    if (asprintf (&path, "%s%s", prefix, files[i]) == -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (v2v_guest_is_file (w->g, path))
      continue;
    if (may_be_elsewhere (w))
      return 0;
    return no_boot_file (w, files[i],
                         "a file that BIOS guests start from is missing", err);
  }
  if (check_active (w, err) == -1)
    return -1;
  if (w->version < 60)
    return 0;
  if (asprintf (&bcd, "%s%s", prefix, modern[1]) == -1) {
    bcd = NULL;
    return v2v_fail_nomem (err);
  }
  return check_bcd (w, bcd, false, err);
}

int
windows_check_boot (struct windows_guest *w, struct v2v_error **err)
{
  if (is_efi (w))
    return check_efi (w, err);
  if (!w->generation1)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "generation 2 starts from an EFI system partition, and "
                     "the guest has none");
  return check_bios (w, err);
}

int
windows_fix_boot (struct windows_guest *w, struct v2v_error **err)
{
  CLEANUP_FREE void *loader = NULL;
  CLEANUP_FREE char *path = NULL;
  size_t len = 0;

  if (!is_efi (w))
    return 0;
  loader = v2v_guest_read (w->g, ESP_MANAGER, MAX_LOADER, &len, err);
  if (loader == NULL)
    return -1;
  if (len == 0)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is empty", ESP_MANAGER);
  if (asprintf (&path, ESP "/EFI/BOOT/%s", fallback_name (w)) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_guest_mkdir (w->g, ESP "/EFI/BOOT", 0, err) == -1 ||
      v2v_guest_write (w->g, path, loader, len, 0, 0,
                       "a new machine has no boot entries: its firmware "
                       "starts this file",
                       err) == -1)
    return -1;
  return 0;
}
