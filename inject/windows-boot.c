/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the firmware starts: the EFI system partition of generation 2, and the
 * boot configuration of both.
 *
 * A new generation 2 machine has no boot entries in its NVRAM: it starts
 * \EFI\BOOT\BOOTX64.EFI.  The boot configuration (BCD, a registry hive) names
 * the partition by GUID or by signature and offset; it is read and compared,
 * never changed.
 *
 * Source of the elements: "BCD Elements" (Microsoft, boot configuration data
 * reference) and the BCD of a real Windows 10.
 */

#include <config.h>

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

#define BOOT_MANAGER "Objects\\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements"
#define DEFAULT_ID   BOOT_MANAGER "\\23000003"
#define DEVICE       "21000001" /* osdevice */
#define LOADER_PATH  "12000002"
/* Device data: what follows the 16 bytes of options. */
#define DEVICE_MIN_BYTES 0x48u
#define DEVICE_TYPE      0x10u
#define DEVICE_LENGTH    0x18u
#define DEVICE_PARTITION 0x20u
#define DEVICE_SCHEME    0x34u
#define TYPE_PARTITION   6
#define SCHEME_GPT       0

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

/* Is the GPT partition that the loader is on one of ours? */
static int
check_device (struct windows_guest *w, struct v2v_hive *bcd, const char *id,
              struct v2v_error **err)
{
  CLEANUP_FREE char *key = element_key (id, DEVICE, err);
  CLEANUP_FREE uint8_t *data = NULL;
  bool any = false;
  struct v2v_guid guid;
  char text[37];
  uint32_t type;
  size_t len;
  void *raw;
  int r;

  if (key == NULL)
    return -1;
  r = v2v_hive_get (bcd, key, "Element", &type, &raw, &len, err);
  if (r == -1)
    return -1;
  if (r == 0)
    return mismatch (w, "osdevice", "the loader's entry names no partition",
                     err);
  data = raw;
  if (len < DEVICE_MIN_BYTES ||
      v2v_le32 (data + DEVICE_TYPE) != TYPE_PARTITION ||
      v2v_le32 (data + DEVICE_LENGTH) < 0x48 ||
      v2v_le32 (data + DEVICE_SCHEME) != SCHEME_GPT)
    return 0; /* the boot partition, a VHD, or an MBR partition */
  guid = v2v_guid_from_mixed (data + DEVICE_PARTITION);
  v2v_guid_format (&guid, text);
  for (size_t i = 0; i < w->os->nr_filesystems; ++i) {
    const char *p = w->os->filesystems[i].partuuid;

    any = any || p != NULL;
    if (p != NULL && strcasecmp (p, text) == 0)
      return 0;
  }
  if (!any)
    return 0;
  return mismatch (w, text,
                   "the partition that the boot configuration names is on no "
                   "disk of this machine",
                   err);
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
  return check_device (w, bcd, id, err);
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

/* Another NTFS volume may be the active partition ("System Reserved"), which
 * is not in the tree. */
static bool
has_other_ntfs (const struct windows_guest *w)
{
  for (size_t i = 0; i < w->os->nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &w->os->filesystems[i];

    if (f->type != NULL && strcmp (f->type, "ntfs") == 0 && f->device != NULL &&
        (w->os->root == NULL || strcmp (f->device, w->os->root) != 0))
      return true;
  }
  return w->os->nr_filesystems == 0;
}

static int
check_bios (struct windows_guest *w, struct v2v_error **err)
{
  static const char *const modern[] = { "/bootmgr", "/Boot/BCD" };
  static const char *const old[] = { "/ntldr", "/ntdetect.com", "/boot.ini" };
  const char *const *files = w->version >= 60 ? modern : old;
  const size_t nr = w->version >= 60 ? 2 : 3;

  for (size_t i = 0; i < nr; ++i) {
    if (v2v_guest_is_file (w->g, files[i]))
      continue;
    if (has_other_ntfs (w))
      return 0;
    return windows_report (w, V2V_WARNING, "guest.windows.boot-files", files[i],
                           "repair the start from Windows' installation medium",
                           err,
                           "a file that BIOS guests start from is missing");
  }
  return w->version >= 60 ? check_bcd (w, "/Boot/BCD", false, err) : 0;
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
