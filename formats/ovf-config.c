/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware's settings inside a VirtualHardwareSection: vmw:Config (keys of the
 * vSphere API), vmw:ExtraConfig (raw keys of a .vmx file) and
 * vmw:BootOrderSection.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

static enum v2v_tristate
tristate (const char *v)
{
  return strcasecmp (v, "true") == 0 || strcmp (v, "1") == 0 ? V2V_YES : V2V_NO;
}

static void
set_firmware (struct v2v_machine *m, const char *value)
{
  m->firmware =
      strncasecmp (value, "efi", 3) == 0 || strcasecmp (value, "uefi") == 0
          ? V2V_FIRMWARE_EFI
          : V2V_FIRMWARE_BIOS;
  m->firmware_stated = true;
}

/* "ovf:/file/nvram" names a File by id; a plain name stands for itself. */
static int
set_nvram (struct ovf_ctx *ctx, struct v2v_machine *m, const char *value,
           struct v2v_error **err)
{
  const char *slash = strstr (value, "/file/");
  const struct v2v_ovf_file *f =
      slash != NULL ? ovf_find_file (ctx, slash + 6) : NULL;

  return v2v_machine_set (&m->nvram_file, f != NULL ? f->href : value, err);
}

/* "allow:cd,hd,net" or "cdrom,hdd,ethernet0" */
static int
set_boot_order (struct v2v_machine *m, const char *value,
                struct v2v_error **err)
{
  if (strncasecmp (value, "allow:", 6) == 0)
    value += 6;
  while (*value != '\0') {
    const size_t len = strcspn (value, ", ");
    const char *what = NULL;

    if (strncasecmp (value, "cd", 2) == 0)
      what = "cdrom";
    else if (strncasecmp (value, "hd", 2) == 0 ||
             strncasecmp (value, "disk", 4) == 0)
      what = "disk";
    else if (strncasecmp (value, "net", 3) == 0 ||
             strncasecmp (value, "eth", 3) == 0)
      what = "network";
    else if (strncasecmp (value, "f", 1) == 0)
      what = "floppy";
    if (what != NULL && v2v_machine_add_boot (m, what, err) == -1)
      return -1;
    value += len;
    value += strspn (value, ", ");
  }
  return 0;
}

/* Returns 1 if the key was carried over, 0 if not, -1 on failure. */
static int
apply_config (struct ovf_ctx *ctx, struct v2v_machine *m, const char *key,
              const char *value, struct v2v_error **err)
{
  if (strcasecmp (key, "firmware") == 0)
    set_firmware (m, value);
  else if (strcasecmp (key, "bootOptions.efiSecureBootEnabled") == 0 ||
           strcasecmp (key, "uefi.secureBoot.enabled") == 0)
    m->secure_boot = tristate (value);
  else if (strcasecmp (key, "cpuHotAddEnabled") == 0 ||
           strcasecmp (key, "vcpu.hotadd") == 0)
    m->cpu_hot_add = tristate (value);
  else if (strcasecmp (key, "memoryHotAddEnabled") == 0 ||
           strcasecmp (key, "mem.hotadd") == 0)
    m->memory_hot_add = tristate (value);
  else if (strcasecmp (key, "nestedHVEnabled") == 0 ||
           strcasecmp (key, "vhv.enable") == 0)
    m->nested_virtualization = tristate (value);
  else if (strcasecmp (key, "tools.syncTimeWithHost") == 0 ||
           strcasecmp (key, "tools.syncTime") == 0)
    m->sync_time = tristate (value);
  else if (strcasecmp (key, "vtpm.present") == 0) {
    if (tristate (value) == V2V_YES)
      m->tpm = V2V_YES;
  }
  else if (strcasecmp (key, "managedVM.autoAddVTPM") == 0) {
    if (strcasecmp (value, "software") == 0)
      m->tpm = V2V_YES;
  }
  else if (strcasecmp (key, "nvram") == 0)
    return set_nvram (ctx, m, value, err) == -1 ? -1 : 1;
  else if (strcasecmp (key, "bios.bootOrder") == 0 ||
           strcasecmp (key, "bootOptions.bootOrder") == 0)
    return set_boot_order (m, value, err) == -1 ? -1 : 1;
  else if (strcasecmp (key, "uuid.bios") == 0) {
    char text[37];

    if (!v2v_machine_format_uuid (value, text))
      return 0;
    return v2v_machine_set (&m->uuid_bios, text, err) == -1 ? -1 : 1;
  }
  else
    return 0;
  return 1;
}

/* Settings whose default everywhere is "nothing": not worth a finding. */
static bool
is_noise (const char *key, const char *value)
{
  static const char *const prefixes[] = {
    "powerOpInfo.",  "tools.",         "slotInfo.",       "cpuHotRemove",
    "virtualICH7M",  "virtualSMC",     "wakeOnLan",       "connectable.",
    "useAutoDetect", "videoRamSize",   "backing.writeTh", "use3dRenderer",
    "sgxInfo.",      "graphicsMemory", "numDisplays",     "simultaneousThr",
    "uptCompat",     "flags.vvtd",     "virtualNuma.",    "pciBridge",
  };

  if (strcasecmp (value, "false") == 0)
    return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (prefixes); ++i)
    if (strncasecmp (key, prefixes[i], strlen (prefixes[i])) == 0)
      return true;
  return false;
}

static int
note (struct v2v_machine *m, const char *id, const char *key,
      struct v2v_error **err)
{
  CLEANUP_FREE char *safe = v2v_machine_printable (key);

  if (safe == NULL)
    return v2v_fail_nomem (err);
  /* The key only: values of guestinfo.* and the like may be secrets. */
  return V2V_FINDING (m, err, V2V_INFORMATION, id, safe, NULL,
                      "setting '%s' has no counterpart and is not carried "
                      "over",
                      safe);
}

static int
read_setting (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
              struct v2v_machine *m, struct v2v_error **err)
{
  const char *key = ovf_attr_vmw (n, "key");
  const char *value = ovf_attr_vmw (n, "value");
  const bool extra = strcmp (v2v_xml_name (n), "ExtraConfig") == 0;
  int r;

  if (key == NULL || value == NULL)
    return 0;
  r = apply_config (ctx, m, key, value, err);
  if (r != 0)
    return r == -1 ? -1 : 0;
  if (!extra && strcasecmp (key, "flags.vbsEnabled") == 0 &&
      tristate (value) == V2V_YES)
    return V2V_FINDING (m, err, V2V_INFORMATION, "guest.vbs", NULL, NULL,
                        "virtualization-based security is on: it needs "
                        "generation 2 with Secure Boot");
  if (is_noise (key, value))
    return 0;
  return note (m, extra ? "ovf.extra-config" : "ovf.config", key, err);
}

/* <vmw:BootOrderSection vmw:instanceId="7" vmw:type="disk"/>, in order. */
static int
read_boot_section (const struct v2v_xml_node *n, struct v2v_machine *m,
                   struct v2v_error **err)
{
  const char *type = ovf_attr_vmw (n, "type");

  if (type == NULL)
    return 0;
  if (strcasecmp (type, "disk") == 0)
    return v2v_machine_add_boot (m, "disk", err);
  if (strcasecmp (type, "cdrom") == 0)
    return v2v_machine_add_boot (m, "cdrom", err);
  if (strcasecmp (type, "net") == 0 || strcasecmp (type, "ethernet") == 0)
    return v2v_machine_add_boot (m, "network", err);
  if (strcasecmp (type, "floppy") == 0)
    return v2v_machine_add_boot (m, "floppy", err);
  return note (m, "ovf.boot-order", type, err);
}

int
ovf_read_config (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                 struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, hw)
  {
    if (strcmp (v2v_xml_ns (n), OVF_NS_VMW) != 0)
      continue;
    if (!ovf_in_configuration (ctx, n))
      continue;
    if (strcmp (v2v_xml_name (n), "Config") == 0 ||
        strcmp (v2v_xml_name (n), "ExtraConfig") == 0) {
      if (read_setting (ctx, n, m, err) == -1)
        return -1;
    }
    else if (strcmp (v2v_xml_name (n), "BootOrderSection") == 0) {
      if (read_boot_section (n, m, err) == -1)
        return -1;
    }
    else if (note (m, "ovf.config", v2v_xml_name (n), err) == -1)
      return -1;
  }
  return 0;
}
