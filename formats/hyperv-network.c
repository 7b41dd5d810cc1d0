/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network adapters: kind, switch, VLAN, address.  A switch is never guessed:
 * what neither the map nor the default names is left disconnected, and the
 * script has a parameter for it.
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"

static const char *
nic_id (const struct v2v_nic *n)
{
  return n->id ? n->id : "network adapter";
}

/* 12 digits from "00:50:56:aa:bb:cc", "00-50-..", "0050.56aa.bbcc" or bare;
 * false unless it is the address of one adapter. */
static bool
parse_mac (const char *s, char out[13])
{
  unsigned first;
  size_t n = 0;
  bool zero = true;

  for (; *s != '\0'; ++s) {
    if (*s == ':' || *s == '-' || *s == '.')
      continue;
    if (!isxdigit ((unsigned char) *s) || n == 12)
      return false;
    out[n++] = (char) toupper ((unsigned char) *s);
    zero = zero && *s == '0';
  }
  out[n] = '\0';
  if (n != 12 || zero)
    return false;
  first = (unsigned) strtoul ((char[]){ out[0], out[1], '\0' }, NULL, 16);
  return (first & 1) == 0; /* not a group address */
}

static int
plan_mac (struct hyperv_planner *p, const struct v2v_nic *n,
          struct v2v_hyperv_nic *o)
{
  const struct v2v_hyperv_plan *plan = p->plan;

  if (n->mac == NULL || *n->mac == '\0')
    return 0;
  if (p->opts->new_macs)
    return hyperv_note (p, "nic.mac-new", nic_id (n), "the address was %s",
                        n->mac);
  if (!parse_mac (n->mac, o->mac)) {
    o->mac[0] = '\0';
    return hyperv_note (p, "nic.mac-invalid", nic_id (n), "address %s", n->mac);
  }
  for (size_t i = 0; i < plan->nr_nics; ++i)
    if (strcmp (plan->nics[i].mac, o->mac) == 0)
      return hyperv_note (p, "nic.mac-duplicate", nic_id (n),
                          "%s has the same address %s", plan->nics[i].source_id,
                          n->mac);
  if (strncmp (o->mac, "00155D", 6) == 0)
    return hyperv_note (p, "nic.mac-pool", nic_id (n), "address %s", n->mac);
  return 0;
}

static int
plan_vlan (struct hyperv_planner *p, const struct v2v_nic *n,
           const struct v2v_network_map_entry *entry, struct v2v_hyperv_nic *o)
{
  const bool mapped = entry != NULL && entry->vlan != V2V_VLAN_AS_SOURCE;
  const int vlan = mapped ? entry->vlan : n->vlan;

  o->vlan_mode = V2V_VLAN_MODE_UNTAGGED;
  if (vlan <= 0)
    return vlan >= -1 ? 0
                      : hyperv_note (p, "nic.vlan-invalid", nic_id (n),
                                     "VLAN %d", vlan);
  if (vlan <= V2V_VLAN_MAX) {
    o->vlan_mode = V2V_VLAN_MODE_ACCESS;
    o->vlan = (unsigned) vlan;
    return 0;
  }
  if (vlan == V2V_VLAN_TRUNK) {
    o->vlan_mode = V2V_VLAN_MODE_TRUNK;
    return 0;
  }
  return hyperv_note (p, "nic.vlan-invalid", nic_id (n), "VLAN %d", vlan);
}

static int
plan_switch (struct hyperv_planner *p, const struct v2v_nic *n,
             const struct v2v_network_map_entry *entry,
             struct v2v_hyperv_nic *o)
{
  const char *name =
      entry != NULL ? entry->switch_name : p->opts->default_switch;

  if (entry == NULL && name == NULL) {
    if (p->opts->strict_networks)
      return v2v_fail (p->err, V2V_ERR_USAGE,
                       "%s: network \"%s\" is not in the network map",
                       nic_id (n), n->network ? n->network : "");
    o->unmapped = true;
    return hyperv_note (p, "nic.unmapped", nic_id (n), "network \"%s\"",
                        n->network ? n->network : "");
  }
  if (!n->connected && name != NULL)
    return hyperv_note (p, "nic.disconnected", nic_id (n),
                        "did not start connected; its switch would be %s",
                        name);
  if (name == NULL)
    return 0;
  o->switch_name = hyperv_clean_text (name, false, 255, NULL);
  return o->switch_name == NULL ? v2v_fail_nomem (p->err) : 0;
}

/* The first device of the boot order is the network. */
static bool
starts_from_network (const struct v2v_machine *m)
{
  return m->boot_order != NULL && m->boot_order[0] != NULL &&
         strcmp (m->boot_order[0], "network") == 0;
}

/* Synthetic or legacy; false: no place left. */
static bool
choose_kind (const struct hyperv_planner *p, unsigned nr_synthetic,
             unsigned nr_legacy, bool *ret_legacy)
{
  const bool room = nr_legacy < HYPERV_GEN1_MAX_LEGACY;
  const bool first = nr_synthetic + nr_legacy == 0;

  if (p->plan->generation == 2) {
    *ret_legacy = false;
    return nr_synthetic < HYPERV_GEN2_MAX_NICS;
  }
  *ret_legacy = p->os.legacy_nic || (first && starts_from_network (p->m)) ||
                nr_synthetic >= HYPERV_GEN1_MAX_NICS;
  return *ret_legacy ? room : true;
}

static int
note_nic (struct hyperv_planner *p, const struct v2v_nic *n,
          struct v2v_hyperv_nic *o)
{
  if (o->legacy &&
      hyperv_note (p, "nic.legacy", nic_id (n), "%s",
                   p->os.legacy_nic ? "the guest has no driver for the "
                                      "synthetic adapter"
                   : starts_from_network (p->m) && o->source_index == 0
                       ? "the machine starts from the network"
                       : "all synthetic adapters are in use") == -1)
    return -1;
  if (n->promiscuous == V2V_YES) {
    o->spoofing = true;
    return hyperv_note (p, "nic.spoofing", nic_id (n), "network \"%s\"",
                        n->network ? n->network : "");
  }
  if (p->plan->nested)
    o->spoofing = true; /* the guests inside have addresses of their own */
  return 0;
}

static int
plan_nic (struct hyperv_planner *p, size_t i, bool legacy)
{
  const struct v2v_nic *n = &p->m->nics[i];
  const struct v2v_network_map_entry *entry =
      v2v_network_map_lookup (p->opts->network_map, n->network);
  struct v2v_hyperv_plan *plan = p->plan;
  struct v2v_hyperv_nic *o = &plan->nics[plan->nr_nics];

  o->source_index = i;
  o->legacy = legacy;
  /* nr_nics is raised last: plan_mac compares with those before. */
  if (asprintf (&o->name, "Network Adapter %zu", plan->nr_nics + 1) == -1) {
    o->name = NULL;
    return v2v_fail_nomem (p->err);
  }
  if (n->network != NULL) {
    o->network = hyperv_clean_text (n->network, false, 255, NULL);
    if (o->network == NULL)
      return v2v_fail_nomem (p->err);
  }
  if (hyperv_dup (p, &o->source_id, nic_id (n)) == -1 ||
      plan_mac (p, n, o) == -1 || plan_vlan (p, n, entry, o) == -1 ||
      plan_switch (p, n, entry, o) == -1)
    return -1;
  plan->nr_nics++;
  return note_nic (p, n, o);
}

int
hyperv_plan_nics (struct hyperv_planner *p)
{
  const struct v2v_machine *m = p->m;
  struct v2v_hyperv_plan *plan = p->plan;
  unsigned nr_synthetic = 0, nr_legacy = 0;
  bool legacy;

  plan->nics = calloc (m->nr_nics + 1, sizeof *plan->nics);
  if (plan->nics == NULL)
    return v2v_fail_nomem (p->err);
  for (size_t i = 0; i < m->nr_nics; ++i) {
    if (!choose_kind (p, nr_synthetic, nr_legacy, &legacy)) {
      if (hyperv_refuse (p, "nic.limit", nic_id (&m->nics[i]), plan->generation,
                         "adapter %zu of %zu has no place in generation %u",
                         i + 1, m->nr_nics, plan->generation) == -1)
        return -1;
      continue;
    }
    if (plan_nic (p, i, legacy) == -1)
      return -1;
    nr_legacy += legacy;
    nr_synthetic += !legacy;
  }
  return 0;
}
