/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Placement: rules that forbid a host, then what makes one better.
 *
 *   40  memory that stays free        20  bases that are there
 *   15  processors that stay free     15  disk that stays free
 *   10  machines of the same group elsewhere
 *
 * A capacity that the hosts file does not tell counts as half free: neither
 * better nor worse than a host that is half full.
 */

#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/library-internal.h"
#include "library/placement.h"

#define WEIGHT_MEMORY     40
#define WEIGHT_BASES      20
#define WEIGHT_PROCESSORS 15
#define WEIGHT_DISK       15
#define WEIGHT_GROUP      10
/* Virtual processors for each of the host: what virtualization is for. */
#define PROCESSOR_RATIO 8
/* A host that is allowed is better than one that is not. */
#define MIN_RATING 1

/* ---- reasons ---- */

static int add_reason (struct v2v_place_rating *r, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
static int
add_reason (struct v2v_place_rating *r, const char *fmt, ...)
{
  char **list = reallocarray (r->reasons, r->nr_reasons + 1, sizeof *list);
  va_list args;
  int n;

  if (list == NULL)
    return -1;
  r->reasons = list;
  va_start (args, fmt);
  n = vasprintf (&list[r->nr_reasons], fmt, args);
  va_end (args);
  if (n == -1)
    return -1;
  r->nr_reasons++;
  return 0;
}

/* ---- rules ---- */

static bool
has_switch (const struct v2v_host *h, const char *name)
{
  for (size_t i = 0; i < h->nr_networks; ++i)
    if (strcmp (h->networks[i].network, name) == 0)
      return true;
  if (h->switches == NULL) /* not said: no rule */
    return true;
  for (size_t i = 0; i < h->nr_switches; ++i)
    if (strcmp (h->switches[i], name) == 0)
      return true;
  return false;
}

static bool
has_vlan (const struct v2v_host *h, unsigned vlan)
{
  if (h->vlans == NULL)
    return true;
  for (size_t i = 0; i < h->nr_vlans; ++i)
    if (h->vlans[i] == vlan)
      return true;
  return false;
}

/* WANT beside USED in CAPACITY, without a sum that wraps; 0 = no limit. */
static bool
fits (uint64_t want, uint64_t used, uint64_t capacity)
{
  return capacity == 0 || (used <= capacity && want <= capacity - used);
}

static int
check_networks (const struct v2v_place_need *n, const struct v2v_host *h,
                struct v2v_place_rating *r)
{
  int ok = 0;

  for (size_t i = 0; ok == 0 && i < n->nr_switches; ++i)
    if (!has_switch (h, n->switches[i]))
      ok = add_reason (r, "has no switch '%s'", n->switches[i]);
  for (size_t i = 0; ok == 0 && i < n->nr_vlans; ++i)
    if (!has_vlan (h, n->vlans[i]))
      ok = add_reason (r, "has no VLAN %u", n->vlans[i]);
  return ok;
}

static int
check_capacity (const struct v2v_place_need *n, const struct v2v_place_host *p,
                struct v2v_place_rating *r)
{
  const struct v2v_host *h = p->host;
  int ok = 0;

  if (!fits (n->memory_mib, p->used_memory_mib, h->memory_mib))
    ok = add_reason (r,
                     "%" PRIu64 " MiB of memory: %" PRIu64 " of %" PRIu64
                     " MiB are taken",
                     n->memory_mib, p->used_memory_mib, h->memory_mib);
  /* Hyper-V gives no machine more processors than the host has. */
  if (ok == 0 && h->processors != 0 && n->processors > h->processors)
    ok = add_reason (r, "%" PRIu64 " processors: it has %" PRIu64,
                     n->processors, h->processors);
  else if (ok == 0 && !fits (n->processors, p->used_processors,
                             h->processors * PROCESSOR_RATIO))
    ok = add_reason (
        r,
        "%" PRIu64 " processors: %" PRIu64
        " are given out, %d for each of its %" PRIu64 " is the limit",
        n->processors, p->used_processors, PROCESSOR_RATIO, h->processors);
  if (ok == 0 && !fits (n->disk_gib, p->used_disk_gib, h->disk_gib))
    ok = add_reason (
        r, "%" PRIu64 " GiB of disks: %" PRIu64 " of %" PRIu64 " GiB are taken",
        n->disk_gib, p->used_disk_gib, h->disk_gib);
  return ok;
}

/* What forbids P is in R afterwards. */
static int
check_rules (const struct v2v_place_need *n, const struct v2v_place_host *p,
             struct v2v_place_rating *r)
{
  const struct v2v_host *h = p->host;

  if (h->maintenance && add_reason (r, "is in maintenance") == -1)
    return -1;
  if (n->generation != 0 && h->generations != 0 &&
      (h->generations & 1u << n->generation) == 0 &&
      add_reason (r, "takes no machine of generation %u", n->generation) == -1)
    return -1;
  if (n->availability_zone != NULL &&
      (h->availability_zone == NULL ||
       strcmp (h->availability_zone, n->availability_zone) != 0) &&
      add_reason (r, "is not in the zone '%s'", n->availability_zone) == -1)
    return -1;
  if (n->anti_affinity && p->nr_group > 0 &&
      add_reason (r, "has %zu of the machines that are to be apart",
                  p->nr_group) == -1)
    return -1;
  return check_networks (n, h, r) == -1 || check_capacity (n, p, r) == -1 ? -1
                                                                          : 0;
}

/* ---- points ---- */

/* The share of CAPACITY that is free with WANT, of WEIGHT. */
static unsigned
free_points (uint64_t want, uint64_t used, uint64_t capacity, unsigned weight)
{
  if (capacity == 0)
    return weight / 2;
  /* fits() holds; doubles are exact enough for a rating. */
  return (unsigned) ((double) (capacity - used - want) / (double) capacity *
                         weight +
                     0.5);
}

static int
rate (const struct v2v_place_need *n, const struct v2v_place_host *p,
      struct v2v_place_rating *r)
{
  const struct v2v_host *h = p->host;
  const unsigned memory = free_points (n->memory_mib, p->used_memory_mib,
                                       h->memory_mib, WEIGHT_MEMORY);
  const unsigned processors =
      free_points (n->processors, p->used_processors,
                   h->processors * PROCESSOR_RATIO, WEIGHT_PROCESSORS);
  const unsigned disk =
      free_points (n->disk_gib, p->used_disk_gib, h->disk_gib, WEIGHT_DISK);
  const unsigned bases =
      n->nr_bases == 0
          ? WEIGHT_BASES
          : (unsigned) (WEIGHT_BASES * p->nr_bases_there / n->nr_bases);
  const unsigned group = p->nr_group == 0
                             ? WEIGHT_GROUP
                             : WEIGHT_GROUP / (2 + (unsigned) p->nr_group);
  char size[32];

  r->rating = memory + processors + disk + bases + group;
  if (r->rating < MIN_RATING)
    r->rating = MIN_RATING;
  if ((h->memory_mib == 0
           ? add_reason (r, "memory %u of %d: the hosts file does not say it",
                         memory, WEIGHT_MEMORY)
           : add_reason (
                 r, "memory %u of %d: %" PRIu64 " of %" PRIu64 " MiB stay free",
                 memory, WEIGHT_MEMORY,
                 h->memory_mib - p->used_memory_mib - n->memory_mib,
                 h->memory_mib)) == -1 ||
      add_reason (r, "processors %u of %d", processors, WEIGHT_PROCESSORS) ==
          -1 ||
      add_reason (r, "disk %u of %d", disk, WEIGHT_DISK) == -1)
    return -1;
  if (n->nr_bases > 0 &&
      add_reason (r, "bases %u of %d: %zu of %zu are there, %s to send", bases,
                  WEIGHT_BASES, p->nr_bases_there, n->nr_bases,
                  v2v_format_size (p->missing_bytes, size)) == -1)
    return -1;
  return p->nr_group > 0
             ? add_reason (r, "group %u of %d: %zu of the same are there",
                           group, WEIGHT_GROUP, p->nr_group)
             : 0;
}

/* ---- all of them ---- */

struct ranked {
  struct v2v_place_rating rating;
  size_t nr_machines, order;
};

static int
compare (const void *a, const void *b)
{
  const struct ranked *x = a, *y = b;

  if (x->rating.rating != y->rating.rating)
    return x->rating.rating > y->rating.rating ? -1 : 1;
  if (x->nr_machines != y->nr_machines)
    return x->nr_machines < y->nr_machines ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

int
v2v_place (const struct v2v_place_need *need,
           const struct v2v_place_host *hosts, size_t nr_hosts,
           struct v2v_place_ratings *ret, struct v2v_error **err)
{
  CLEANUP_FREE struct ranked *list = calloc (nr_hosts + 1, sizeof *list);
  int r = 0;

  ret->len = 0;
  ret->ptr = calloc (nr_hosts + 1, sizeof *ret->ptr);
  for (size_t i = 0; list != NULL && r == 0 && i < nr_hosts; ++i) {
    list[i].rating.host = hosts[i].host;
    list[i].nr_machines = hosts[i].nr_machines;
    list[i].order = i;
    r = check_rules (need, &hosts[i], &list[i].rating);
    if (r == 0 && list[i].rating.nr_reasons == 0)
      r = rate (need, &hosts[i], &list[i].rating);
  }
  if (list != NULL && ret->ptr != NULL) {
    qsort (list, nr_hosts, sizeof *list, compare);
    for (size_t i = 0; i < nr_hosts; ++i)
      ret->ptr[ret->len++] = list[i].rating;
  }
  if (list != NULL && ret->ptr != NULL && r == 0)
    return 0;
  v2v_place_clear (ret);
  return v2v_fail_nomem (err);
}

void
v2v_place_clear (struct v2v_place_ratings *r)
{
  for (size_t i = 0; i < r->len; ++i) {
    for (size_t k = 0; k < r->ptr[i].nr_reasons; ++k)
      free (r->ptr[i].reasons[k]);
    free (r->ptr[i].reasons);
  }
  free (r->ptr);
  memset (r, 0, sizeof *r);
}

struct v2v_json *
v2v_place_to_json (const struct v2v_place_ratings *r)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < r->len; ++i) {
    struct v2v_json *o = v2v_json_new_object ();
    struct v2v_json *reasons = v2v_json_new_array ();

    for (size_t k = 0; k < r->ptr[i].nr_reasons; ++k)
      v2v_json_append (reasons, v2v_json_new_string (r->ptr[i].reasons[k]));
    v2v_json_set_string (o, "host", r->ptr[i].host->name);
    v2v_json_set_u64 (o, "rating", r->ptr[i].rating);
    v2v_json_set (o, "reasons", reasons);
    v2v_json_append (list, o);
  }
  return list;
}

/* ---- what a machine needs ---- */

int
v2v_place_need_hardware (struct v2v_place_need *need,
                         const struct v2v_hardware_profile *hardware,
                         struct v2v_error **err)
{
  const char **switches = calloc (hardware->nr_nics + 1, sizeof *switches);
  unsigned *vlans = calloc (hardware->nr_nics + 1, sizeof *vlans);

  need->switches = switches;
  need->vlans = vlans;
  need->nr_switches = need->nr_vlans = 0;
  if (switches == NULL || vlans == NULL)
    return v2v_fail_nomem (err);
  if (hardware->generation == 1 || hardware->generation == 2)
    need->generation = (unsigned) hardware->generation;
  if (hardware->processor.count > 0)
    need->processors = (uint64_t) hardware->processor.count;
  /* Dynamic memory: what it must be given, and may keep. */
  if (hardware->memory.startup_mib > 0)
    need->memory_mib = (uint64_t) hardware->memory.startup_mib;
  for (size_t i = 0; i < hardware->nr_nics; ++i) {
    const struct v2v_hardware_nic *n = &hardware->nics[i];

    if (n->switch_name != NULL || n->network != NULL)
      switches[need->nr_switches++] =
          n->switch_name ? n->switch_name : n->network;
    if (n->vlan_mode == V2V_HARDWARE_ACCESS && n->vlan > 0 && n->vlan < 4095)
      vlans[need->nr_vlans++] = (unsigned) n->vlan;
  }
  return 0;
}

void
v2v_place_need_clear (struct v2v_place_need *need)
{
  free ((void *) (uintptr_t) need->switches);
  free ((void *) (uintptr_t) need->vlans);
  need->switches = NULL;
  need->vlans = NULL;
  need->nr_switches = need->nr_vlans = 0;
}

/* ---- what the library knows ---- */

/* What a machine takes, by its provenance. */
static void
add_machine (struct v2v_place_host *p, const char *provenance)
{
  CLEANUP_JSON struct v2v_json *j =
      v2v_json_parse (provenance, strlen (provenance), "provenance", NULL);
  const struct v2v_json *takes = v2v_json_get (j, "takes");
  uint64_t n;

  p->nr_machines++;
  if (v2v_json_get_u64 (takes, "processors", &n))
    p->used_processors += n;
  if (v2v_json_get_u64 (takes, "memory_mib", &n))
    p->used_memory_mib += n;
  if (v2v_json_get_u64 (takes, "disk_gib", &n))
    p->used_disk_gib += n;
}

static int
look_at_host (struct v2v_library *lib, const char *service, const char *tier,
              struct v2v_place_host *p, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat, "SELECT provenance, service, tier FROM machine WHERE host = ?",
      err);
  int r;

  if (q == NULL)
    return -1;
  v2v_query_text (q, p->host->name);
  while ((r = v2v_query_step (q, err)) == 1) {
    add_machine (p, v2v_query_get_text (q, 0));
    if (service != NULL && strcmp (v2v_query_get_text (q, 1), service) == 0 &&
        (tier == NULL || strcmp (v2v_query_get_text (q, 2), tier) == 0))
      p->nr_group++;
  }
  return r;
}

int
v2v_place_look (struct v2v_library *lib, const struct v2v_hosts *hosts,
                const char *const *ids, size_t nr_ids, const char *service,
                const char *tier, struct v2v_place_host *ret,
                struct v2v_error **err)
{
  for (size_t i = 0; i < hosts->len; ++i) {
    memset (&ret[i], 0, sizeof ret[i]);
    ret[i].host = &hosts->ptr[i];
    if (look_at_host (lib, service, tier, &ret[i], err) == -1 ||
        v2v_host_bases_there (lib, hosts->ptr[i].name, ids, nr_ids,
                              &ret[i].nr_bases_there, &ret[i].missing_bytes,
                              err) == -1)
      return -1;
  }
  return 0;
}
