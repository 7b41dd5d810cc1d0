/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a Windows guest's network adapters and their static addresses.
 *
 * Enum\PCI has an instance per device; its value Driver leads to the class
 * key, whose NetCfgInstanceId names the interface below Tcpip and NetBT and
 * the connection below Control\Network (guest-windows section 9; seen so in
 * the hive of a Windows 7 on VMware).  Everything here is written by the
 * guest: what is no address or no name is not handed on.
 */

#include <config.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/windows-network.h"

#define NET_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"

static const struct {
  const char *id, *model;
} models[] = {
  { "VEN_8086&DEV_100F", "e1000" },   { "VEN_8086&DEV_10D3", "e1000e" },
  { "VEN_15AD&DEV_07B0", "vmxnet3" }, { "VEN_15AD&DEV_0720", "vmxnet" },
  { "VEN_1022&DEV_2000", "vlance" },
};

/* ---- checks ---- */

bool
windows_parse_ipv4 (const char *s, struct windows_ipv4 *ret)
{
  struct in_addr a;

  if (inet_pton (AF_INET, s, &a) != 1)
    return false;
  return inet_ntop (AF_INET, &a, ret->text, sizeof ret->text) != NULL;
}

static uint32_t
number_of (const struct windows_ipv4 *v)
{
  struct in_addr a = { 0 };

  inet_pton (AF_INET, v->text, &a);
  return ntohl (a.s_addr);
}

bool
windows_is_mask (const struct windows_ipv4 *m)
{
  const uint32_t v = number_of (m), inverse = ~v;

  return v != 0 && (inverse & (inverse + 1)) == 0;
}

/* Of a host: not 0.x, not of loopback, multicast or reserved. */
static bool
is_host (const struct windows_ipv4 *a)
{
  const uint32_t first = number_of (a) >> 24;

  return first != 0 && first != 127 && first < 224;
}

bool
windows_is_connection_name (const char *name)
{
  size_t n = 0;

  if (!v2v_is_valid_utf8 (name, strlen (name)))
    return false;
  for (const char *p = name; *p; ++p) {
    if ((unsigned char) *p < 0x20 || *p == 0x7f ||
        strchr ("\\/:*?\"<>|", *p) != NULL)
      return false;
    n += (*p & 0xc0) != 0x80;
  }
  /* NetConnection names have at most 255 characters. */
  return n > 0 && n <= 255;
}

static bool
is_domain (const char *s)
{
  const size_t n = strlen (s);

  if (n == 0 || n > 253)
    return false;
  return strspn (s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    "0123456789.-_") == n;
}

/* ---- one adapter ---- */

static void
nic_free (struct windows_nic *n)
{
  if (n == NULL)
    return;
  free (n->guid);
  free (n->name);
  free (n->domain);
  free (n);
}

void
windows_nics_clear (windows_nic_vector *nics)
{
  for (size_t i = 0; i < nics->len; ++i)
    nic_free (nics->ptr[i]);
  free (nics->ptr);
  *nics = (windows_nic_vector) V2V_VECTOR_INIT;
}

static int
bad_value (struct windows_guest *w, const struct windows_nic *n,
           const char *what, const char *value, struct v2v_error **err)
{
  if (v2v_findings_add (v2v_guest_findings (w->g), V2V_WARNING,
                        "guest.network.bad-value", n->guid,
                        "look at the adapter's settings after the first start",
                        "the registry's %s '%.64s' is none and is left out",
                        what, value) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* Lists of the two sorts: MULTI_SZ, and one string with commas or blanks. */
static int
read_servers (struct windows_guest *w, struct windows_nic *n, char **list,
              const char *what, struct windows_ipv4 *out, size_t *ret_nr,
              struct v2v_error **err)
{
  for (size_t i = 0; list[i] != NULL; ++i) {
    char *save = NULL;

    for (char *t = strtok_r (list[i], ", \t", &save); t != NULL;
         t = strtok_r (NULL, ", \t", &save)) {
      struct windows_ipv4 a;

      if (!windows_parse_ipv4 (t, &a) || !is_host (&a)) {
        if (bad_value (w, n, what, t, err) == -1)
          return -1;
      }
      else if (*ret_nr < WINDOWS_MAX_ADDRESSES)
        out[(*ret_nr)++] = a;
    }
  }
  return 0;
}

static int
read_addresses (struct windows_guest *w, struct windows_nic *n, const char *key,
                struct v2v_error **err)
{
  CLEANUP_LIST char **address = NULL, **mask = NULL;

  address = v2v_hive_get_multi (w->system, key, "IPAddress", err);
  if (address == NULL)
    return -1;
  mask = v2v_hive_get_multi (w->system, key, "SubnetMask", err);
  if (mask == NULL)
    return -1;
  for (size_t i = 0; address[i] != NULL && mask[i] != NULL; ++i) {
    struct windows_address a;

    if (strcmp (address[i], "0.0.0.0") == 0)
      continue;
    if (!windows_parse_ipv4 (address[i], &a.address) || !is_host (&a.address) ||
        !windows_parse_ipv4 (mask[i], &a.mask) || !windows_is_mask (&a.mask)) {
      if (bad_value (w, n, "address", address[i], err) == -1)
        return -1;
    }
    else if (n->nr_addresses < WINDOWS_MAX_ADDRESSES)
      n->addresses[n->nr_addresses++] = a;
  }
  return 0;
}

static int
read_gateways (struct windows_guest *w, struct windows_nic *n, const char *key,
               struct v2v_error **err)
{
  CLEANUP_LIST char **gateway = NULL, **metric = NULL;
  size_t nr_metrics = 0;

  gateway = v2v_hive_get_multi (w->system, key, "DefaultGateway", err);
  if (gateway == NULL)
    return -1;
  metric = v2v_hive_get_multi (w->system, key, "DefaultGatewayMetric", err);
  if (metric == NULL)
    return -1;
  while (metric[nr_metrics] != NULL)
    ++nr_metrics;
  for (size_t i = 0; gateway[i] != NULL; ++i) {
    struct windows_gateway g = { .metric = 0 };

    if (!windows_parse_ipv4 (gateway[i], &g.address) || !is_host (&g.address)) {
      if (bad_value (w, n, "gateway", gateway[i], err) == -1)
        return -1;
      continue;
    }
    if (i < nr_metrics) {
      const unsigned long v = strtoul (metric[i], NULL, 10);

      g.metric = v <= 9999 ? (uint32_t) v : 0;
    }
    if (n->nr_gateways < WINDOWS_MAX_ADDRESSES)
      n->gateways[n->nr_gateways++] = g;
  }
  return 0;
}

/* A number of KEY within [MIN, MAX]. */
static int
read_number (struct windows_guest *w, const char *key, const char *name,
             uint32_t min, uint32_t max, bool *has, uint32_t *ret,
             struct v2v_error **err)
{
  uint32_t v = 0;
  const int r = v2v_hive_get_dword (w->system, key, name, &v, err);

  if (r == -1)
    return -1;
  *has = r == 1 && v >= min && v <= max;
  *ret = v;
  return 0;
}

static int
read_tcpip (struct windows_guest *w, const char *set, struct windows_nic *n,
            struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;
  CLEANUP_LIST char **dns = NULL;
  CLEANUP_FREE char *domain = NULL;
  uint32_t dhcp = 1;

  if (asprintf (&key, "%s\\Services\\Tcpip\\Parameters\\Interfaces\\%s", set,
                n->guid) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_hive_get_dword (w->system, key, "EnableDHCP", &dhcp, err) == -1)
    return -1;
  if (dhcp == 0 && (read_addresses (w, n, key, err) == -1 ||
                    read_gateways (w, n, key, err) == -1))
    return -1;
  n->is_static = n->nr_addresses > 0;
  dns = v2v_hive_get_multi (w->system, key, "NameServer", err);
  if (dns == NULL ||
      read_servers (w, n, dns, "name server", n->dns, &n->nr_dns, err) == -1 ||
      read_number (w, key, "MTU", 576, 65535, &n->has_mtu, &n->mtu, err) ==
          -1 ||
      read_number (w, key, "InterfaceMetric", 1, 9999, &n->has_metric,
                   &n->metric, err) == -1)
    return -1;
  domain = v2v_hive_get_string (w->system, key, "Domain", err);
  if (domain == NULL)
    return err != NULL && *err != NULL ? -1 : 0;
  if (*domain && !is_domain (domain))
    return bad_value (w, n, "domain", domain, err);
  if (*domain)
    n->domain = STEAL (domain);
  return 0;
}

static int
read_netbt (struct windows_guest *w, const char *set, struct windows_nic *n,
            struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;
  CLEANUP_LIST char **wins = NULL;

  if (asprintf (&key, "%s\\Services\\NetBT\\Parameters\\Interfaces\\Tcpip_%s",
                set, n->guid) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  wins = v2v_hive_get_multi (w->system, key, "NameServerList", err);
  if (wins == NULL ||
      read_servers (w, n, wins, "WINS server", n->wins, &n->nr_wins, err) == -1)
    return -1;
  /* 0 is Windows' default. */
  return read_number (w, key, "NetbiosOptions", 1, 2, &n->has_netbios,
                      &n->netbios, err);
}

static int
read_name (struct windows_guest *w, const char *set, struct windows_nic *n,
           struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL, *name = NULL;

  if (asprintf (&key, "%s\\Control\\Network\\" NET_CLASS "\\%s\\Connection",
                set, n->guid) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  name = v2v_hive_get_string (w->system, key, "Name", err);
  if (name == NULL)
    return err != NULL && *err != NULL ? -1 : 0;
  if (!windows_is_connection_name (name))
    return bad_value (w, n, "name of the connection", "(not shown)", err);
  n->name = STEAL (name);
  return 0;
}

/* The slot as the firmware numbers it (VMX: pciSlotNumber), else bus, device
 * and function of the location: "... ;(2,1,0)", before Vista "PCI bus 2,
 * device 1, function 0". */
static int
read_slot (struct windows_guest *w, const char *instance, struct windows_nic *n,
           struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  unsigned bus, device, function;
  const char *p;
  uint32_t number = 0;
  const int r =
      v2v_hive_get_dword (w->system, instance, "UINumber", &number, err);

  if (r == -1)
    return -1;
  if (r == 1 && number != 0) {
    n->has_slot = true;
    n->slot = number;
    return 0;
  }
  text = v2v_hive_get_string (w->system, instance, "LocationInformation", err);
  if (text == NULL)
    return err != NULL && *err != NULL ? -1 : 0;
  p = strrchr (text, '(');
  if ((p != NULL &&
       sscanf (p, "(%4u,%4u,%4u)", &bus, &device, &function) == 3) ||
      sscanf (text, "PCI bus %4u, device %4u, function %4u", &bus, &device,
              &function) == 3) {
    n->has_slot = true;
    /* Behind every slot that has a number. */
    n->slot = (UINT64_C (1) << 32) + (uint64_t) bus * 1000000 +
              (uint64_t) device * 1000 + function;
  }
  return 0;
}

/* INSTANCE is a key below Enum\PCI. 1 = *RET is an adapter, 0 = it is none. */
static int
read_nic (struct windows_guest *w, const char *set, const char *model,
          const char *instance, struct windows_nic **ret,
          struct v2v_error **err)
{
  CLEANUP_FREE char *driver = NULL, *key = NULL, *guid = NULL;
  struct v2v_guid parsed;
  struct windows_nic *n;

  driver = v2v_hive_get_string (w->system, instance, "Driver", err);
  if (driver == NULL)
    return err != NULL && *err != NULL ? -1 : 0;
  if (strncasecmp (driver, NET_CLASS "\\", strlen (NET_CLASS) + 1) != 0)
    return 0;
  if (asprintf (&key, "%s\\Control\\Class\\%s", set, driver) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  guid = v2v_hive_get_string (w->system, key, "NetCfgInstanceId", err);
  if (guid == NULL)
    return err != NULL && *err != NULL ? -1 : 0;
  if (guid[0] != '{' || !v2v_guid_parse (guid, &parsed))
    return 0;
  n = calloc (1, sizeof *n);
  if (n == NULL)
    return v2v_fail_nomem (err);
  n->guid = STEAL (guid);
  n->model = model;
  if (read_slot (w, instance, n, err) == -1 ||
      windows_read_luid (w, key, n, err) == -1 ||
      read_tcpip (w, set, n, err) == -1 || read_netbt (w, set, n, err) == -1 ||
      read_name (w, set, n, err) == -1) {
    nic_free (n);
    return -1;
  }
  *ret = n;
  return 1;
}

static const char *
model_of (const char *id)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (models); ++i)
    if (strncasecmp (id, models[i].id, strlen (models[i].id)) == 0)
      return models[i].model;
  return NULL;
}

static int
read_device (struct windows_guest *w, const char *set, const char *id,
             const char *model, windows_nic_vector *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;
  CLEANUP_LIST char **instances = NULL;

  if (asprintf (&key, "%s\\Enum\\PCI\\%s", set, id) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  instances = v2v_hive_subkeys (w->system, key, err);
  if (instances == NULL)
    return -1;
  for (size_t i = 0; instances[i] != NULL; ++i) {
    CLEANUP_FREE char *instance = NULL;
    struct windows_nic *n = NULL;

    if (asprintf (&instance, "%s\\%s", key, instances[i]) == -1) {
      instance = NULL;
      return v2v_fail_nomem (err);
    }
    switch (read_nic (w, set, model, instance, &n, err)) {
    case -1:
      return -1;
    case 0:
      continue;
    }
    if (ret->len == WINDOWS_MAX_NICS || windows_nic_vector_append (ret, n)) {
      nic_free (n);
      return ret->len == WINDOWS_MAX_NICS
                 ? v2v_fail (err, V2V_ERR_GUEST,
                             "registry: more than %d network adapters",
                             WINDOWS_MAX_NICS)
                 : v2v_fail_nomem (err);
    }
  }
  return 0;
}

int
windows_read_nics (struct windows_guest *w, const char *set,
                   windows_nic_vector *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *key = NULL;
  CLEANUP_LIST char **ids = NULL;

  if (asprintf (&key, "%s\\Enum\\PCI", set) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  ids = v2v_hive_subkeys (w->system, key, err);
  if (ids == NULL)
    return -1;
  for (size_t i = 0; ids[i] != NULL; ++i) {
    const char *model = model_of (ids[i]);

    if (model != NULL && read_device (w, set, ids[i], model, ret, err) == -1) {
      windows_nics_clear (ret);
      return -1;
    }
  }
  if (windows_read_ipv6 (w, set, ret, err) == -1) {
    windows_nics_clear (ret);
    return -1;
  }
  return 0;
}

/* ---- which is which ---- */

/* VMware's names of one device. */
static const char *
machine_model (const struct v2v_nic *n)
{
  static const char *const same[][2] = {
    { "pcnet32", "vlance" },
    { "vlance", "vlance" },
    { "vmxnet2", "vmxnet" },
    { "vmxnet", "vmxnet" },
  };

  if (n->model == NULL)
    return "";
  for (size_t i = 0; i < V2V_ARRAY_SIZE (same); ++i)
    if (strcasecmp (n->model, same[i][0]) == 0)
      return same[i][1];
  return n->model;
}

static bool
fits (const struct v2v_nic *n, const char *model)
{
  /* "flexible" is a vlance that VMware's tools turn into a vmxnet. */
  if (n->model != NULL && strcasecmp (n->model, "flexible") == 0)
    return strcmp (model, "vlance") == 0 || strcmp (model, "vmxnet") == 0;
  return strcasecmp (machine_model (n), model) == 0;
}

static int
by_slot (const void *a, const void *b)
{
  const struct windows_nic *x = *(struct windows_nic *const *) a;
  const struct windows_nic *y = *(struct windows_nic *const *) b;

  return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* As many in the registry as in the machine, each in a slot of its own: then
 * the order of the slots is the order of the machine's adapters. */
static void
pair_model (windows_nic_vector *nics, const struct v2v_machine *m,
            const char *model)
{
  struct windows_nic *mine[WINDOWS_MAX_NICS];
  size_t nr = 0, there = 0, next = 0;

  for (size_t i = 0; i < nics->len; ++i)
    if (strcmp (nics->ptr[i]->model, model) == 0)
      mine[nr++] = nics->ptr[i];
  for (size_t i = 0; i < m->nr_nics; ++i)
    there += fits (&m->nics[i], model);
  if (nr == 0 || nr != there)
    return;
  qsort (mine, nr, sizeof mine[0], by_slot);
  for (size_t i = 0; nr > 1 && i < nr; ++i)
    if (!mine[i]->has_slot || (i > 0 && mine[i]->slot == mine[i - 1]->slot))
      return;
  for (size_t i = 0; i < m->nr_nics; ++i)
    if (fits (&m->nics[i], model))
      mine[next++]->pair = &m->nics[i];
}

/* One adapter with addresses, one in the machine: they are the same, whatever
 * their models (the machine's may be unknown, or just have been exchanged),
 * unless the registry has another one of the machine's model.  Then the one
 * with addresses may be removed hardware, and that other one, on DHCP, in use.
 */
static bool
is_only_choice (const windows_nic_vector *nics, const struct windows_nic *n,
                const struct v2v_nic *mine)
{
  for (size_t i = 0; i < nics->len; ++i)
    if (nics->ptr[i] != n && fits (mine, nics->ptr[i]->model))
      return false;
  return true;
}

void
windows_pair_nics (windows_nic_vector *nics, const struct v2v_machine *m)
{
  struct windows_nic *only = NULL;
  size_t nr = 0;

  for (size_t i = 0; i < nics->len; ++i)
    if (nics->ptr[i]->is_static) {
      only = nics->ptr[i];
      ++nr;
    }
  if (nr == 1 && m->nr_nics == 1 && is_only_choice (nics, only, &m->nics[0])) {
    only->pair = &m->nics[0];
    return;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (models); ++i)
    pair_model (nics, m, models[i].model);
}
