/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generation 1 or 2, with the reasons; it cannot be changed later.
 *
 * Source: Microsoft, "Should I create a generation 1 or 2 virtual machine in
 * Hyper-V?".  A guest installed for BIOS does not start in generation 2, one
 * installed for EFI not in generation 1; so the firmware of the source decides
 * where it is stated, and what the disks hold where it is not.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/hyperv-internal.h"

const struct v2v_disk_evidence *
hyperv_evidence (const struct hyperv_planner *p, size_t i)
{
  return i < p->nr_evidence ? p->evidence[i] : NULL;
}

static bool
boots_in (const struct v2v_disk_evidence *e, unsigned generation)
{
  return generation == 2 ? v2v_evidence_boots_efi (e)
                         : v2v_evidence_boots_bios (e);
}

size_t
hyperv_boot_disk (const struct hyperv_planner *p, unsigned generation)
{
  const struct v2v_machine *m = p->m;
  size_t first = SIZE_MAX, named = SIZE_MAX;

  for (size_t i = 0; i < m->nr_disks; ++i) {
    if (hyperv_disk_skipped (p, i))
      continue;
    if (first == SIZE_MAX)
      first = i;
    if (m->disks[i].boot_order >= 0 &&
        (named == SIZE_MAX ||
         m->disks[i].boot_order < m->disks[named].boot_order))
      named = i;
  }
  if (named != SIZE_MAX)
    return named;
  for (size_t i = 0; i < m->nr_disks; ++i) {
    const struct v2v_disk_evidence *e = hyperv_evidence (p, i);

    if (!hyperv_disk_skipped (p, i) && e != NULL && boots_in (e, generation))
      return i;
    /* A disk that nobody looked into may be the one. */
    if (i == first && e == NULL)
      return first;
  }
  return first;
}

/* What the disks say, all together. */
struct verdict {
  bool looked; /* every disk that counts was looked into */
  bool bios;
  bool efi;
  bool x64; /* a loader for 64-bit processors was seen */
};

static struct verdict
judge (const struct hyperv_planner *p)
{
  struct verdict v = { .looked = p->m->nr_disks > 0 };

  for (size_t i = 0; i < p->m->nr_disks; ++i) {
    const struct v2v_disk_evidence *e = hyperv_evidence (p, i);

    if (hyperv_disk_skipped (p, i))
      continue;
    if (e == NULL) {
      v.looked = v.looked && p->m->disks[i].kind == V2V_DISK_BLANK;
      continue;
    }
    v.bios = v.bios || v2v_evidence_boots_bios (e);
    v.efi = v.efi || v2v_evidence_boots_efi (e);
    v.x64 = v.x64 || e->fallback_loader || e->shim_loader;
  }
  return v;
}

static int
explain_disks (struct hyperv_planner *p, const struct verdict *v)
{
  const struct v2v_disk_evidence *e;
  const size_t i = hyperv_boot_disk (p, p->plan->generation);
  const char *id;

  if (i == SIZE_MAX)
    return hyperv_reason (p, "there is no disk to look into");
  id = p->m->disks[i].id ? p->m->disks[i].id : "disk";
  e = hyperv_evidence (p, i);
  if (e == NULL)
    return hyperv_reason (p,
                          p->m->disks[i].kind == V2V_DISK_BLANK
                              ? "%s is blank"
                              : "%s could not be looked into beforehand",
                          id);
  if (hyperv_reason (
          p, "%s: partition table %s, %s, %s", id,
          v2v_partition_table_name (e->table),
          v2v_evidence_boots_bios (e) ? "BIOS boot code" : "no BIOS boot code",
          e->fallback_loader           ? "EFI System Partition with BOOTX64.EFI"
          : v2v_evidence_boots_efi (e) ? "EFI System Partition"
          : e->esp                     ? "EFI System Partition without a loader"
                                       : "no EFI System Partition") == -1)
    return -1;
  if (!v->looked || v->bios || v->efi)
    return 0;
  return hyperv_note (p, "boot.nothing-found", NULL,
                      "none of the disks holds a BIOS or EFI loader");
}

/* Without the user's word: the firmware, or the disks. */
static int
choose (struct hyperv_planner *p, const struct verdict *v)
{
  const struct v2v_machine *m = p->m;
  const unsigned stated = m->firmware == V2V_FIRMWARE_EFI ? 2 : 1;
  unsigned other = 3 - stated;
  const bool fits = stated == 2 ? v->efi : v->bios;
  const bool other_fits = stated == 2 ? v->bios : v->efi;

  p->plan->generation = stated;
  if (hyperv_is_new (p))
    return hyperv_reason (p,
                          fits ? "the disks hold an %s loader"
                          : p->opts->generation != 0
                              ? "its firmware is %s"
                              : "no disk holds a loader: %s is taken",
                          stated == 2 ? "EFI" : "BIOS");
  if (m->firmware_stated)
    return hyperv_reason (p, "the source states firmware %s",
                          v2v_firmware_name (m->firmware));
  if (v->looked && !fits && other_fits) {
    p->plan->generation = other;
    if (hyperv_note (p, "generation.conflict", NULL,
                     "the source states no firmware, which means %s, but the "
                     "disks hold only an %s loader",
                     v2v_firmware_name (m->firmware),
                     other == 2 ? "EFI" : "BIOS") == -1)
      return -1;
    return hyperv_reason (p, "the disks hold only an %s loader",
                          other == 2 ? "EFI" : "BIOS");
  }
  return hyperv_reason (p, "the source states no firmware, which means %s",
                        v2v_firmware_name (m->firmware));
}

static int
check_disks (struct hyperv_planner *p, const struct verdict *v)
{
  const unsigned g = p->plan->generation;
  const bool fits = g == 2 ? v->efi : v->bios;
  const bool other_fits = g == 2 ? v->bios : v->efi;
  const struct v2v_disk_evidence *e;
  uint64_t size;
  size_t i;

  if (v->looked && !fits && other_fits &&
      hyperv_refuse (p, "boot.not-startable", NULL, 3 - g,
                     "generation %u starts by %s, but the disks hold only an "
                     "%s loader",
                     g, g == 2 ? "EFI" : "BIOS", g == 2 ? "BIOS" : "EFI") == -1)
    return -1;
  i = hyperv_boot_disk (p, g);
  if (g != 1 || i == SIZE_MAX)
    return 0;
  e = hyperv_evidence (p, i);
  size = e != NULL ? e->size_bytes : p->m->disks[i].capacity_bytes;
  if (size <= HYPERV_GEN1_MAX_BOOT_DISK)
    return 0;
  return hyperv_refuse (p, "boot.disk-size", p->m->disks[i].id, 1,
                        "%" PRIu64 " bytes, and generation 1 starts from a "
                        "disk of at most %" PRIu64,
                        size, HYPERV_GEN1_MAX_BOOT_DISK);
}

static int
check_guest (struct hyperv_planner *p, const struct verdict *v)
{
  const struct v2v_guest_os *os = &p->os;

  if (os->arm && hyperv_refuse (p, "guest.arm", NULL, p->plan->generation,
                                "the guest (%s) is built for ARM processors",
                                p->m->os_id) == -1)
    return -1;
  if (os->never_starts &&
      hyperv_refuse (p, "guest.never-starts", NULL, p->plan->generation,
                     "%s cannot run on Hyper-V", os->name) == -1)
    return -1;
  if (p->plan->generation == 2 && !v->x64 && os->bits == 32 &&
      hyperv_refuse (p, "guest.32-bit-efi", NULL, 2,
                     "%s is a 32-bit system with EFI, and generation 2 starts "
                     "64-bit systems only",
                     os->name) == -1)
    return -1;
  /* Windows says exactly what it is.  The id of a Linux is what somebody chose
   * once from a list: a RHEL 7 under "rhel6-64" is a real sample. */
  if (p->plan->generation == 2 && !os->generation2) {
    if (os->family == V2V_OS_LINUX || os->family == V2V_OS_FREEBSD) {
      if (hyperv_note (p, "guest.old-for-generation-2", NULL, "the id is %s",
                       p->m->os_id ? p->m->os_id : os->name) == -1)
        return -1;
    }
    else if (hyperv_refuse (p, "guest.no-generation-2", NULL, 2,
                            "the machine uses EFI, but %s does not start in "
                            "generation 2",
                            os->name) == -1)
      return -1;
  }
  if (os->no_support &&
      hyperv_note (p, "guest.no-support", NULL,
                   "%s never had drivers for Hyper-V", os->name) == -1)
    return -1;
  if (hyperv_is_new (p) && p->m->os_id == NULL)
    return 0; /* nothing was said, nothing is wrong */
  if (!os->known &&
      hyperv_note (p, "guest.unknown", NULL, "guest system id %s, CIM type %d",
                   p->m->os_id ? p->m->os_id : "(none)", p->m->os_cim) == -1)
    return -1;
  return hyperv_reason (p, "the guest is %s%s", os->name,
                        os->bits == 64   ? ", 64 bit"
                        : os->bits == 32 ? ", 32 bit"
                                         : "");
}

/* Limits that depend on the generation. */
static int
check_limits (struct hyperv_planner *p)
{
  struct v2v_hyperv_plan *plan = p->plan;
  const unsigned g = plan->generation;
  const unsigned cpus = g == 2 ? HYPERV_GEN2_MAX_CPUS : HYPERV_GEN1_MAX_CPUS;
  const uint64_t memory =
      g == 2 ? HYPERV_GEN2_MAX_MEMORY : HYPERV_GEN1_MAX_MEMORY;

  if (plan->nr_cpus > cpus) {
    if (hyperv_refuse (p, "cpu.limit", NULL, 0,
                       "%u processors, and generation %u has at most %u",
                       plan->nr_cpus, g, cpus) == -1)
      return v2v_hint (p->err, "with --generation %u it gets %u processors", g,
                       cpus);
    plan->nr_cpus = cpus;
  }
  if (plan->memory_bytes > memory) {
    if (hyperv_refuse (p, "memory.limit", NULL, 0,
                       "%" PRIu64 " bytes of memory, and generation %u has at "
                       "most %" PRIu64,
                       plan->memory_bytes, g, memory) == -1)
      return v2v_hint (p->err, "with --generation %u it gets that much", g);
    plan->memory_bytes = memory;
  }
  if (g == 2 && p->opts->disk_format == V2V_HYPERV_VHD)
    return v2v_fail (p->err, V2V_ERR_UNSUPPORTED,
                     "%s: generation 2 starts from VHDX only, and VHD was "
                     "asked for",
                     p->m->name ? p->m->name : "machine");
  return 0;
}

int
hyperv_plan_generation (struct hyperv_planner *p)
{
  const struct verdict v = judge (p);
  struct v2v_hyperv_plan *plan = p->plan;

  if (p->opts->generation > 2)
    return v2v_fail (p->err, V2V_ERR_USAGE,
                     "generation %u: Hyper-V has generations 1 and 2",
                     p->opts->generation);
  if (choose (p, &v) == -1)
    return -1;
  if (p->opts->generation != 0) {
    const unsigned natural = plan->generation;

    plan->generation = p->opts->generation;
    plan->generation_forced = true;
    if (hyperv_reason (p, "generation %u was asked for", plan->generation) ==
        -1)
      return -1;
    if (natural != plan->generation &&
        hyperv_note (p, "generation.forced", NULL,
                     "generation %u was asked for; the evidence is for %u",
                     plan->generation, natural) == -1)
      return -1;
  }
  if (explain_disks (p, &v) == -1 || check_disks (p, &v) == -1 ||
      check_guest (p, &v) == -1)
    return -1;
  return check_limits (p);
}
