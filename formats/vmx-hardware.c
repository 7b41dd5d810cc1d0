/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a .vmx says of the machine itself: identity, processors, memory,
 * firmware, scheduling; and the states that cannot be converted.  Defaults are
 * VMware's: 32 MB, one processor, BIOS.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/machine-internal.h"
#include "formats/vmx.h"

/* 24 TB and 768 processors are what vSphere 8 allows; room above. */
#define MAX_MEMORY_MB (UINT64_C (1024) * 1024 * 1024)
#define MAX_CPUS      8192

/* A number that must be one: -1 if it is something else. */
static int
get_u64 (struct v2v_vmx *vmx, const char *key, uint64_t dflt, uint64_t *ret,
         struct v2v_error **err)
{
  const char *v = v2v_vmx_get (vmx, "%s", key);
  char *end;

  *ret = dflt;
  if (v == NULL || *v == '\0')
    return 0;
  errno = 0;
  *ret = strtoull (v, &end, 10);
  if (errno != 0 || *end != '\0' || end == v || strchr (v, '-') != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s is '%.40s', expected a number",
                     key, v);
  return 0;
}

/* Limits: "unlimited" and "-1" are none. */
static uint64_t
get_limit (struct v2v_vmx *vmx, const char *key)
{
  const char *v = v2v_vmx_get (vmx, "%s", key);
  char *end;
  uint64_t n;

  if (v == NULL || *v < '0' || *v > '9')
    return 0;
  errno = 0;
  n = strtoull (v, &end, 10);
  return errno != 0 || *end != '\0' ? 0 : n;
}

static void
get_shares (struct v2v_vmx *vmx, const char *key, enum v2v_share_level *ret,
            unsigned *ret_value)
{
  const char *v = v2v_vmx_get (vmx, "%s", key);
  const uint64_t n = get_limit (vmx, key);

  if (v == NULL)
    return;
  if (strcasecmp (v, "low") == 0)
    *ret = V2V_SHARES_LOW;
  else if (strcasecmp (v, "normal") == 0)
    *ret = V2V_SHARES_NORMAL;
  else if (strcasecmp (v, "high") == 0)
    *ret = V2V_SHARES_HIGH;
  else if (n > 0 && n <= UINT32_MAX) {
    *ret = V2V_SHARES_CUSTOM;
    *ret_value = (unsigned) n;
  }
}

static enum v2v_tristate
get_tristate (struct v2v_vmx *vmx, const char *key)
{
  const char *v = v2v_vmx_get (vmx, "%s", key);

  if (v == NULL || *v == '\0')
    return V2V_UNKNOWN;
  return v2v_vmx_get_bool (vmx, false, "%s", key) ? V2V_YES : V2V_NO;
}

/* ---- refusals ---- */

/* Any trace of encryption: the disks cannot be read, and what is in the clear
 * need not be true.
 */
static int
refuse_encrypted (struct v2v_vmx *vmx, struct v2v_error **err)
{
  for (size_t i = 0; i < vmx->nr_entries; ++i) {
    struct v2v_vmx_entry *e = &vmx->entries[i];
    const bool key = strncmp (e->key, "encryption.", 11) == 0 ||
                     strcmp (e->key, "vmx.encryptiontype") == 0;

    if (!key || *e->value == '\0' || strcasecmp (e->value, "none") == 0)
      continue;
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "line %u: %.60s is set: the virtual machine is encrypted",
              e->line, e->key);
    return v2v_hint (err, "decrypt it in VMware first");
  }
  return 0;
}

static int
refuse_suspended (struct v2v_vmx *vmx, struct v2v_error **err)
{
  const char *v = v2v_vmx_get (vmx, "checkpoint.vmState");

  if (v == NULL || *v == '\0')
    return 0;
  v2v_fail (err, V2V_ERR_UNSUPPORTED,
            "checkpoint.vmState is '%.80s': the virtual machine is suspended",
            v);
  return v2v_hint (err, "resume it and shut the guest down");
}

/* ---- identity ---- */

static int
set_uuid (struct v2v_vmx *vmx, const char *key, char **dst,
          struct v2v_error **err)
{
  const char *v = v2v_vmx_get (vmx, "%s", key);
  char text[37];

  if (v == NULL || !v2v_machine_format_uuid (v, text))
    return 0;
  return v2v_machine_set (dst, text, err);
}

static int
read_identity (struct v2v_vmx *vmx, struct v2v_machine *m,
               struct v2v_error **err)
{
  const char *name = v2v_vmx_get (vmx, "displayName");
  const char *hw = v2v_vmx_get (vmx, "virtualHW.version");
  const char *nvram = v2v_vmx_get (vmx, "nvram");

  if (v2v_machine_set (&m->name, name != NULL && *name != '\0' ? name : "vm",
                       err) == -1 ||
      v2v_machine_set (&m->annotation, v2v_vmx_get (vmx, "annotation"), err) ==
          -1 ||
      v2v_machine_set_lower (&m->os_id, v2v_vmx_get (vmx, "guestOS"), err) ==
          -1 ||
      v2v_machine_set (&m->os_description, v2v_vmx_get (vmx, "guestOSAltName"),
                       err) == -1 ||
      v2v_machine_set (&m->nvram_file,
                       nvram != NULL ? vmx_basename (nvram) : NULL,
                       err) == -1 ||
      set_uuid (vmx, "uuid.bios", &m->uuid_bios, err) == -1 ||
      set_uuid (vmx, "vc.uuid", &m->uuid_instance, err) == -1)
    return -1;
  if (hw != NULL && *hw != '\0') {
    if (asprintf (&m->hardware_version, "vmx-%s%.20s",
                  strlen (hw) == 1 ? "0" : "", hw) == -1) {
      m->hardware_version = NULL;
      return v2v_fail_nomem (err);
    }
  }
  return v2v_machine_set (&m->source_kind, "vmx", err);
}

/* ---- processors and memory ---- */

static int
read_cpu (struct v2v_vmx *vmx, struct v2v_machine *m, struct v2v_error **err)
{
  const char *units = v2v_vmx_get (vmx, "sched.cpu.units");
  uint64_t n, cores;

  if (get_u64 (vmx, "numvcpus", 1, &n, err) == -1 ||
      get_u64 (vmx, "cpuid.coresPerSocket", 0, &cores, err) == -1)
    return -1;
  if (n == 0 || n > MAX_CPUS)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "numvcpus is %" PRIu64 ", expected 1..%d", n, MAX_CPUS);
  m->nr_cpus = (unsigned) n;
  if (cores <= n)
    m->cores_per_socket = (unsigned) cores;
  else if (V2V_FINDING (m, err, V2V_WARNING, "cpu.cores", NULL, NULL,
                        "cpuid.coresPerSocket is %" PRIu64
                        " of %u processors: it is ignored",
                        cores, m->nr_cpus) == -1)
    return -1;
  m->cpu_hot_add = get_tristate (vmx, "vcpu.hotadd");
  m->nested_virtualization = get_tristate (vmx, "vhv.enable");
  if (units == NULL || strcasecmp (units, "mhz") == 0) {
    m->cpu_reservation_mhz = get_limit (vmx, "sched.cpu.min");
    m->cpu_limit_mhz = get_limit (vmx, "sched.cpu.max");
  }
  else if (V2V_FINDING (m, err, V2V_WARNING, "cpu.units", NULL, NULL,
                        "sched.cpu.units is '%.20s', not mhz: reservation and "
                        "limit are not carried over",
                        units) == -1)
    return -1;
  get_shares (vmx, "sched.cpu.shares", &m->cpu_shares, &m->cpu_shares_value);
  return 0;
}

static int
read_memory (struct v2v_vmx *vmx, struct v2v_machine *m, struct v2v_error **err)
{
  uint64_t mb, reservation, limit;

  if (get_u64 (vmx, "memsize", 32, &mb, err) == -1)
    return -1;
  if (mb == 0 || mb > MAX_MEMORY_MB)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "memsize is %" PRIu64 " MB, expected 1..%" PRIu64, mb,
                     MAX_MEMORY_MB);
  m->memory_bytes = mb * V2V_MIB;
  m->memory_hot_add = get_tristate (vmx, "mem.hotadd");
  reservation = get_limit (vmx, "sched.mem.min");
  limit = get_limit (vmx, "sched.mem.max");
  if (!v2v_mul_u64 (reservation, V2V_MIB, &m->memory_reservation_bytes))
    m->memory_reservation_bytes = m->memory_bytes;
  if (limit < mb)
    m->memory_limit_bytes = limit * V2V_MIB;
  get_shares (vmx, "sched.mem.shares", &m->memory_shares,
              &m->memory_shares_value);
  return 0;
}

/* ---- firmware ---- */

static int
read_firmware (struct v2v_vmx *vmx, struct v2v_machine *m,
               struct v2v_error **err)
{
  const char *v = v2v_vmx_get (vmx, "firmware");
  const char *auto_tpm = v2v_vmx_get (vmx, "managedVM.autoAddVTPM");

  if (v != NULL && strcasecmp (v, "efi") == 0) {
    m->firmware = V2V_FIRMWARE_EFI;
    m->secure_boot = V2V_NO;
  }
  else if (v != NULL && *v != '\0' && strcasecmp (v, "bios") != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "firmware is '%.40s', expected bios or efi", v);
  /* Silence is a statement here: the default is BIOS. */
  m->firmware_stated = true;
  if (get_tristate (vmx, "uefi.secureBoot.enabled") != V2V_UNKNOWN)
    m->secure_boot = get_tristate (vmx, "uefi.secureBoot.enabled");
  if (v2v_vmx_get_bool (vmx, false, "vtpm.present") ||
      (auto_tpm != NULL && strcasecmp (auto_tpm, "software") == 0))
    m->tpm = V2V_YES;
  return 0;
}

/* "cdrom,hdd,ethernet0", and hddOrder = "scsi0:1,scsi0:0". */
static int
read_boot_order (struct v2v_vmx *vmx, struct v2v_machine *m,
                 struct v2v_error **err)
{
  const char *p = v2v_vmx_get (vmx, "bios.bootOrder");

  while (p != NULL && *p != '\0') {
    const size_t len = strcspn (p, ", ");
    const char *what = NULL;

    if (strncasecmp (p, "cdrom", 5) == 0)
      what = "cdrom";
    else if (strncasecmp (p, "hdd", 3) == 0)
      what = "disk";
    else if (strncasecmp (p, "ethernet", 8) == 0)
      what = "network";
    else if (strncasecmp (p, "floppy", 6) == 0)
      what = "floppy";
    if (what != NULL && v2v_machine_add_boot (m, what, err) == -1)
      return -1;
    p += len;
    p += strspn (p, ", ");
  }
  return 0;
}

int
vmx_read_hardware (struct v2v_vmx *vmx, struct v2v_machine *m,
                   struct v2v_error **err)
{
  if (refuse_encrypted (vmx, err) == -1 || refuse_suspended (vmx, err) == -1 ||
      read_identity (vmx, m, err) == -1 || read_cpu (vmx, m, err) == -1 ||
      read_memory (vmx, m, err) == -1 || read_firmware (vmx, m, err) == -1 ||
      read_boot_order (vmx, m, err) == -1)
    return -1;
  m->sync_time = get_tristate (vmx, "tools.syncTime");
  return 0;
}
