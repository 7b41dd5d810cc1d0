/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The catalogue: every finding of the plan, with severity and remedy.  The
 * manual is made from it, and hyperv_note takes both from here, so that what
 * is documented is what is said.
 */

#include <config.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"

#define I V2V_INFORMATION
#define W V2V_WARNING
#define C V2V_CRITICAL

/* Sorted by id: looked up by bisection. */
/* clang-format off */
static const struct v2v_finding_entry catalogue[] = {
  { "boot.disk-chosen", I,
    "the first disk does not start by its own evidence, another one does and is made the boot disk",
    "compare with the boot order of the source" },
  { "boot.disk-size", C,
    "the boot disk of a generation 1 machine is larger than its BIOS can start from",
    "shrink the disk, or convert the guest to EFI and use generation 2" },
  { "boot.no-fallback-loader", W,
    "the EFI System Partition has no \\EFI\\BOOT\\BOOTX64.EFI; the boot entries of the source are lost with its NVRAM",
    "copy the loader of the system to \\EFI\\BOOT\\BOOTX64.EFI before the move, or add a boot entry in the firmware" },
  { "boot.not-startable", C,
    "the disks hold no loader for the firmware of the generation that was forced",
    "use the other generation, or change the guest's loader" },
  { "boot.nothing-found", W,
    "no disk holds a loader of any kind",
    "start an installation from CD or network, or check that the right disk is first" },
  { "cd.dropped", W,
    "a CD drive has no place: every location is taken",
    "attach images one after the other to the drives that are there" },
  { "cd.host", I,
    "a CD drive of the source was the host's own; the new one is empty",
    NULL },
  { "cd.image", W,
    "an image was in the CD drive; the new drive is empty",
    "copy the image to the host and attach it with Set-VMDvdDrive" },
  { "cpu.hot-add", I,
    "processors could be added while the machine runs; Hyper-V cannot do that",
    NULL },
  { "cpu.limit", C,
    "the generation that was forced allows fewer processors; the number is cut",
    "use generation 2" },
  { "cpu.maximum", W,
    "a limit in MHz, which Hyper-V expresses as a percentage of the host's clock",
    "set Set-VMProcessor -Maximum by the clock of the new host" },
  { "cpu.reservation", W,
    "a reservation in MHz, which Hyper-V expresses as a percentage of the host's clock",
    "set Set-VMProcessor -Reserve by the clock of the new host" },
  { "cpu.topology", I,
    "cores per socket are not settable in Hyper-V: the guest may see another number of sockets",
    "check licences that count sockets" },
  { "disk.blank", I,
    "a disk without a file in the source becomes an empty disk",
    NULL },
  { "disk.driver", I,
    "the boot disk moves to another kind of controller; the guest must have its driver at boot",
    "the guest stage sees to it; with --no-guest, make sure that storvsc or hv_storvsc is in the boot set" },
  { "disk.mode", W,
    "the disk was independent of snapshots or dropped its changes at power-off; it becomes a normal disk",
    "take it out of checkpoints by hand if that mattered" },
  { "disk.shared", C,
    "a disk shared between machines is left out: two private copies of it would diverge",
    "make a VHD Set or use iSCSI for the cluster, or convert it as a private disk by option" },
  { "disk.shared-private", C,
    "a disk shared between machines is converted as a private one, as asked",
    "make sure that no other machine still writes to the original" },
  { "floppy.dropped", W,
    "generation 2 has no floppy drive",
    "copy the files of the floppy into an ISO image" },
  { "floppy.image", W,
    "an image was in the floppy drive; the new drive is empty",
    "copy the raw image to the host as .vfd and attach it with Set-VMFloppyDiskDrive" },
  { "generation.conflict", W,
    "the source does not state a firmware, and the disks show another one than its default",
    "check that the machine starts; force the generation if it does not" },
  { "generation.forced", W,
    "the user chose the generation against the evidence",
    NULL },
  { "guest.32-bit-efi", C,
    "a 32-bit system with EFI: generation 2 starts 64-bit systems only",
    "reinstall the guest" },
  { "guest.arm", C,
    "the guest is built for ARM processors",
    "use a Hyper-V host with an ARM processor" },
  { "guest.never-starts", C,
    "the guest system cannot run on Hyper-V",
    "reinstall on other hardware" },
  { "guest.no-generation-2", C,
    "the guest uses EFI, but its system is older than any that starts in generation 2",
    "convert the guest to BIOS, or reinstall it" },
  { "guest.no-support", W,
    "the guest system has no drivers of Hyper-V's: emulated devices only, no clean shutdown",
    "replace the system when possible" },
  { "guest.old-for-generation-2", W,
    "the guest uses EFI, and its id names a release older than those that Microsoft lists for generation 2",
    "check that the machine starts: such ids are often older than the system that is installed" },
  { "guest.unknown", I,
    "the source names no guest system that we know; defaults are used",
    NULL },
  { "identity.bios-uuid", I,
    "the BIOS UUID changes: no documented cmdlet sets it",
    "reactivate licences that hang on it; the old value is in the notes" },
  { "memory.dynamic-nested", W,
    "nested virtualization needs static memory: dynamic memory is left off",
    NULL },
  { "memory.hot-add", I,
    "memory could be added while the machine runs; Hyper-V does that without a setting (Windows 10, Linux 4 and later)",
    NULL },
  { "memory.limit", C,
    "the generation that was forced allows less memory; the amount is cut",
    "use generation 2" },
  { "memory.maximum", I,
    "a memory limit of the source is not carried over to static memory",
    "use dynamic memory with a maximum" },
  { "memory.missing", W,
    "the source tells no memory size: 2 GiB is used",
    "set the right size with Set-VMMemory" },
  { "memory.reservation", I,
    "a memory reservation: static memory is always reserved in full",
    NULL },
  { "memory.rounded", I,
    "memory is rounded up to what Hyper-V accepts: a multiple of 2 MiB, at least 32 MiB",
    NULL },
  { "memory.shares", I,
    "memory shares are not carried over: Hyper-V has a priority for dynamic memory only",
    NULL },
  { "name.changed", I,
    "the name had characters that are unsafe in a name, or was too long",
    NULL },
  { "nested.enabled", I,
    "nested virtualization is exposed to the guest; its adapters may spoof addresses",
    NULL },
  { "nic.disconnected", I,
    "the adapter did not start connected in the source and stays disconnected",
    "connect it with Connect-VMNetworkAdapter when needed" },
  { "nic.legacy", I,
    "a legacy adapter (100 Mbit/s) is used: the guest has no driver for the synthetic one, or starts from the network",
    "change it to a synthetic adapter when the guest allows it" },
  { "nic.limit", C,
    "more network adapters than the generation that was forced allows: this one is left out",
    "use generation 2" },
  { "nic.mac-duplicate", C,
    "two adapters have the same address",
    "convert with new addresses, or correct one by hand" },
  { "nic.mac-invalid", W,
    "the address is not that of a single adapter; the host chooses a new one",
    NULL },
  { "nic.mac-new", I,
    "the host chooses a new address, as asked",
    "renew leases, reservations and licences that hang on the old one" },
  { "nic.mac-pool", W,
    "the address lies in Hyper-V's own dynamic range 00-15-5D and may be given to another machine",
    "exclude it from the pool with Set-VMHost -MacAddressMinimum" },
  { "nic.spoofing", W,
    "the port group allowed promiscuous mode or forged addresses: MAC address spoofing is on",
    "turn it off if the guest does not need it" },
  { "nic.unmapped", W,
    "no switch is known for the network: the adapter is left disconnected",
    "name the network in the map, or run the script with -SwitchMap or -SwitchName" },
  { "nic.vlan-invalid", W,
    "the VLAN of the source is outside 0..4095 and is left out",
    "give the VLAN in the network map" },
  { "notes.changed", I,
    "the annotation had control characters or was too long; they were replaced, it was cut",
    NULL },
  { "nvram.lost", I,
    "the NVRAM of the source (boot entries, firmware settings) is not carried over",
    NULL },
  { "properties.dropped", I,
    "product properties of the OVF, which VMware's tools hand to the guest, have no place in Hyper-V",
    "set them inside the guest" },
  { "secureboot.no-shim", W,
    "Secure Boot is on, but no shim was found on the EFI System Partition: the loader may not be signed",
    "turn Secure Boot off if the machine does not start" },
  { "secureboot.off", W,
    "Secure Boot was on in the source; no template of Hyper-V fits the system, so it is off",
    "turn it on by hand with the keys that the guest needs" },
  { "serial.dropped", I,
    "a serial port connected to a file, a device or the network, or one after the second, has no place in Hyper-V",
    NULL },
  { "serial.pipe", I,
    "a serial port is connected to a named pipe with a name of our own",
    NULL },
  { "tpm.content-lost", W,
    "the new TPM is empty: keys sealed in the old one are lost",
    "suspend BitLocker before the move, or have the recovery key at hand" },
  { "tpm.dropped", C,
    "generation 1 has no TPM",
    "remove what depends on the TPM before the move, or use generation 2" },
};
/* clang-format on */

const struct v2v_finding_entry *
v2v_finding_catalogue (size_t *ret_len)
{
  *ret_len = V2V_ARRAY_SIZE (catalogue);
  return catalogue;
}

static int
compare_ids (const void *key, const void *entry)
{
  return strcmp (key, ((const struct v2v_finding_entry *) entry)->id);
}

const struct v2v_finding_entry *
v2v_finding_entry_by_id (const char *id)
{
  return bsearch (id, catalogue, V2V_ARRAY_SIZE (catalogue),
                  sizeof catalogue[0], compare_ids);
}

static int __attribute__ ((format (printf, 4, 0)))
note_v (struct hyperv_planner *p, const char *id, const char *subject,
        const char *fmt, va_list args)
{
  const struct v2v_finding_entry *e = v2v_finding_entry_by_id (id);
  CLEANUP_FREE char *message = NULL;

  assert (e != NULL);
  if (vasprintf (&message, fmt, args) == -1) {
    message = NULL;
    return v2v_fail_nomem (p->err);
  }
  if (v2v_findings_add (&p->plan->findings, e->severity, id, subject, e->remedy,
                        "%s", message) == -1)
    return v2v_fail_nomem (p->err);
  return 0;
}

int
hyperv_note (struct hyperv_planner *p, const char *id, const char *subject,
             const char *fmt, ...)
{
  va_list args;
  int r;

  va_start (args, fmt);
  r = note_v (p, id, subject, fmt, args);
  va_end (args);
  return r;
}

int
hyperv_refuse (struct hyperv_planner *p, const char *id, const char *subject,
               unsigned generation_to_force, const char *fmt, ...)
{
  CLEANUP_FREE char *message = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  if (p->plan->generation_forced) {
    r = note_v (p, id, subject, fmt, args);
    va_end (args);
    return r;
  }
  r = vasprintf (&message, fmt, args);
  va_end (args);
  if (r == -1) {
    message = NULL;
    return v2v_fail_nomem (p->err);
  }
  v2v_fail (p->err, V2V_ERR_UNSUPPORTED, "%s%s%s: %s",
            p->m->name ? p->m->name : "machine", subject ? ": " : "",
            subject ? subject : "", message);
  if (generation_to_force != 0)
    v2v_hint (p->err,
              generation_to_force == p->plan->generation
                  ? "--generation %u converts it all the same, but it may not "
                    "start"
                  : "--generation %u converts it all the same",
              generation_to_force);
  return -1;
}

int
hyperv_reason (struct hyperv_planner *p, const char *fmt, ...)
{
  struct v2v_hyperv_plan *plan = p->plan;
  char **list =
      reallocarray (plan->reasons, plan->nr_reasons + 1, sizeof *list);
  va_list args;
  int r;

  if (list == NULL)
    return v2v_fail_nomem (p->err);
  plan->reasons = list;
  va_start (args, fmt);
  r = vasprintf (&list[plan->nr_reasons], fmt, args);
  va_end (args);
  if (r == -1)
    return v2v_fail_nomem (p->err);
  plan->nr_reasons++;
  return 0;
}

int
hyperv_dup (struct hyperv_planner *p, char **dst, const char *s)
{
  *dst = s ? strdup (s) : NULL;
  return s != NULL && *dst == NULL ? v2v_fail_nomem (p->err) : 0;
}
