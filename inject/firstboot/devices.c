/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that stayed behind on VMware ("ghosts") are removed.
 *
 * pnputil /remove-device exists since Windows 10 2004 only, so the calls behind
 * it are used, which are there since Windows 2000.  A ghost network adapter
 * holds the name of its connection, and its addresses.
 */

#include "fb.h"

#include <setupapi.h>

#include <cfgmgr32.h>
#include <string.h>

static const GUID class_net = {
  0x4d36e972, 0xe325, 0x11ce, { 0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18 }
};

static bool
begins (const wchar_t *id, const wchar_t *text)
{
  return _wcsnicmp (id, text, wcslen (text)) == 0;
}

/* "&SUBSYS_xxxx15AD": the device of another maker as VMware emulates it. */
static bool
has_vmware_subsystem (const wchar_t *id)
{
  static const wchar_t subsys[] = L"&SUBSYS_";
  const size_t n = wcslen (subsys);

  for (; *id; ++id)
    if (_wcsnicmp (id, subsys, n) == 0)
      return wcslen (id) >= n + 8 && _wcsnicmp (id + n + 4, L"15AD", 4) == 0;
  return false;
}

/* The ids are a list ended by an empty string, and by LEN. */
static bool
is_vmware (const wchar_t *ids, size_t len)
{
  for (size_t i = 0; i < len && ids[i]; i += wcslen (ids + i) + 1) {
    const wchar_t *id = ids + i;

    if (begins (id, L"PCI\\VEN_15AD") || begins (id, L"USB\\VID_0E0F") ||
        begins (id, L"HID\\VID_0E0F") || begins (id, L"ROOT\\VMWVMCI") ||
        begins (id, L"PCI\\VEN_1022&DEV_2000") ||
        (begins (id, L"PCI\\") && has_vmware_subsystem (id)))
      return true;
  }
  return false;
}

/* VMCI's host device is enumerated by software: always "there". */
static bool
is_rooted (const wchar_t *ids)
{
  return begins (ids, L"ROOT\\VMWVMCI");
}

static bool
is_present (const SP_DEVINFO_DATA *d)
{
  ULONG status = 0, problem = 0;

  return CM_Get_DevNode_Status (&status, &problem, d->DevInst, 0) == CR_SUCCESS;
}

static bool
remove_device (HDEVINFO set, SP_DEVINFO_DATA *d)
{
  SP_REMOVEDEVICE_PARAMS p = { .Scope = DI_REMOVEDEVICE_GLOBAL };

  p.ClassInstallHeader.cbSize = sizeof p.ClassInstallHeader;
  p.ClassInstallHeader.InstallFunction = DIF_REMOVE;
  return SetupDiSetClassInstallParamsW (set, d, &p.ClassInstallHeader,
                                        sizeof p) &&
         SetupDiCallClassInstaller (DIF_REMOVE, set, d);
}

unsigned
fb_remove_ghosts (bool only_net)
{
  HDEVINFO set = SetupDiGetClassDevsW (only_net ? &class_net : NULL, NULL, NULL,
                                       only_net ? 0 : DIGCF_ALLCLASSES);
  SP_DEVINFO_DATA d = { .cbSize = sizeof d };
  /* Ids have at most 200 characters each (MAX_DEVICE_ID_LEN); two NUL stay. */
  wchar_t ids[4096 + 2], instance[MAX_DEVICE_ID_LEN + 1];
  unsigned nr = 0;

  if (set == INVALID_HANDLE_VALUE) {
    fb_log_error (L"listing devices", GetLastError ());
    return 0;
  }
  for (DWORD i = 0; SetupDiEnumDeviceInfo (set, i, &d); ++i) {
    memset (ids, 0, sizeof ids);
    if (!SetupDiGetDeviceRegistryPropertyW (set, &d, SPDRP_HARDWAREID, NULL,
                                            (BYTE *) ids, 4096 * sizeof ids[0],
                                            NULL) ||
        !is_vmware (ids, 4096) || (is_present (&d) && !is_rooted (ids)))
      continue;
    if (!SetupDiGetDeviceInstanceIdW (set, &d, instance, MAX_DEVICE_ID_LEN,
                                      NULL))
      instance[0] = L'\0';
    if (remove_device (set, &d)) {
      fb_log (L"removed device %ls", instance);
      ++nr;
    }
    else
      fb_log_error (instance, GetLastError ());
  }
  SetupDiDestroyDeviceInfoList (set);
  fb_log (L"%u devices of VMware removed", nr);
  return nr;
}
