/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Placement: which host shall have a machine?  A pure function of what the
 * machine needs and what the hosts have; each rating comes with its reasons.
 */
#ifndef V2V_PLACEMENT_H
#define V2V_PLACEMENT_H

#include "library/hosts.h"
#include "library/profiles.h"

/* 0 and NULL: no matter. */
struct v2v_place_need {
  unsigned generation;
  uint64_t processors, memory_mib, disk_gib;
  /* Of its adapters: switches, or networks that a host's table maps. */
  const char *const *switches;
  size_t nr_switches;
  const unsigned *vlans;
  size_t nr_vlans;
  const char *availability_zone;
  size_t nr_bases;    /* that its disks need */
  bool anti_affinity; /* no two of its group on one host */
};

/* What a machine of the profile needs, added to NEED: lists are allocated,
 * their texts are the profile's. */
int v2v_place_need_hardware (struct v2v_place_need *need,
                             const struct v2v_hardware_profile *hardware,
                             struct v2v_error **err);
void v2v_place_need_clear (struct v2v_place_need *need); /* of these lists */

/* What is known of one host besides the hosts file. */
struct v2v_place_host {
  const struct v2v_host *host;
  size_t nr_machines;
  uint64_t used_processors, used_memory_mib, used_disk_gib; /* by these */
  size_t nr_group;        /* machines of the group that is to be spread */
  size_t nr_bases_there;  /* of need->nr_bases */
  uint64_t missing_bytes; /* of the bases that are not there */
};

struct v2v_place_rating {
  const struct v2v_host *host; /* borrowed */
  unsigned rating;             /* 0: forbidden; up to 100 */
  char **reasons;              /* sentences; of a 0 what forbids it */
  size_t nr_reasons;
};
struct v2v_place_ratings {
  struct v2v_place_rating *ptr;
  size_t len;
};

/* Rate all hosts, best first; equals by the number of machines, then in the
 * order of the hosts file. */
int v2v_place (const struct v2v_place_need *need,
               const struct v2v_place_host *hosts, size_t nr_hosts,
               struct v2v_place_ratings *ret, struct v2v_error **err);
void v2v_place_clear (struct v2v_place_ratings *r);
#define CLEANUP_RATINGS __attribute__ ((cleanup (v2v_place_clear)))
struct v2v_json *v2v_place_to_json (const struct v2v_place_ratings *r);

/* Fill in what the library knows of the hosts: machines on them (what they
 * take is in their provenance), which bases of IDS they have, and how many
 * machines of SERVICE (its id) and TIER; both may be NULL.  RET has room for
 * hosts->len. */
int v2v_place_look (struct v2v_library *lib, const struct v2v_hosts *hosts,
                    const char *const *ids, size_t nr_ids, const char *service,
                    const char *tier, struct v2v_place_host *ret,
                    struct v2v_error **err);

#endif /* V2V_PLACEMENT_H */
