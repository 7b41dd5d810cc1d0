/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualHardwareSection: the system's type, processors, memory, controllers,
 * and where a device hangs.  ResourceType numbers are those of
 * CIM_ResourceAllocationSettingData; devices are in ovf-devices.c.
 */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

/* What is taken when the description is silent. */
#define DEFAULT_MEMORY V2V_GIB
/* Far above any host of today; catches units applied twice. */
#define MAX_MEMORY (UINT64_C (1024) * V2V_TIB)
#define MAX_CPUS   8192

char *
ovf_choose_subtype (const char *list, const char *const *known)
{
  const char *first = NULL, *best = NULL, *p = list;
  size_t first_len = 0, best_len = 0;
  char *s;

  while (p != NULL && *p != '\0' && best == NULL) {
    size_t len;

    p += strspn (p, ", \t\r\n;");
    len = strcspn (p, ", \t\r\n;");
    if (len == 0)
      break;
    if (first == NULL)
      first = p, first_len = len;
    for (size_t i = 0; known[i] != NULL && best == NULL; ++i)
      if (strlen (known[i]) == len && strncasecmp (known[i], p, len) == 0)
        best = p, best_len = len;
    p += len;
  }
  if (best == NULL)
    best = first, best_len = first_len;
  s = best != NULL ? strndup (best, best_len) : strdup ("");
  for (char *q = s; q != NULL && *q != '\0'; ++q)
    *q = (char) tolower ((unsigned char) *q);
  return s;
}

/* ---- the system ---- */

static int
read_system_type (const struct v2v_xml_node *hw, struct v2v_machine *m,
                  struct v2v_error **err)
{
  const struct v2v_xml_node *sys, *n;

  V2V_XML_EACH (sys, hw)
  {
    if (!ovf_is (sys, "System"))
      continue;
    V2V_XML_EACH (n, sys)
    if (strcmp (v2v_xml_name (n), "VirtualSystemType") == 0 &&
        ovf_text (n, &m->hardware_version, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- processors and memory ---- */

static int
number (struct ovf_ctx *ctx, const struct ovf_item *it, const char *what,
        const char *text, uint64_t *ret, struct v2v_error **err)
{
  if (text == NULL)
    return 0;
  if (!v2v_ovf_number (text, ret))
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "%s '%s', expected a number", what, text);
  return 0;
}

/* The factor to MHz or bytes of an Item's AllocationUnits. */
static int
units (struct ovf_ctx *ctx, const struct ovf_item *it,
       enum ovf_unit_kind wanted, const char *example, uint64_t dflt,
       uint64_t *ret, struct v2v_error **err)
{
  enum ovf_unit_kind kind;

  *ret = dflt;
  if (it->units == NULL)
    return 0;
  if (!v2v_ovf_units (it->units, &kind, ret))
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "AllocationUnits '%s', expected such as '%s'", it->units,
                     example);
  if (kind == OVF_UNIT_COUNT && wanted == OVF_UNIT_HERTZ) {
    *ret = dflt; /* "count" of processors: says nothing of reservations */
    return 0;
  }
  if (kind != wanted && kind != OVF_UNIT_NONE)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "AllocationUnits '%s', expected such as '%s'", it->units,
                     example);
  return 0;
}

static enum v2v_share_level
shares (uint64_t weight, uint64_t normal)
{
  if (weight == normal)
    return V2V_SHARES_NORMAL;
  if (weight == normal / 2)
    return V2V_SHARES_LOW;
  if (weight == normal * 2)
    return V2V_SHARES_HIGH;
  return V2V_SHARES_CUSTOM;
}

static int
read_cpu (struct ovf_ctx *ctx, const struct ovf_item *it, struct v2v_machine *m,
          struct v2v_error **err)
{
  uint64_t n = 1, cores = 0, reservation = 0, limit = 0, weight = 0, hz;

  if (number (ctx, it, "number of processors", it->quantity, &n, err) == -1 ||
      number (ctx, it, "Reservation", it->reservation, &reservation, err) ==
          -1 ||
      number (ctx, it, "Weight", it->weight, &weight, err) == -1 ||
      units (ctx, it, OVF_UNIT_HERTZ, "hertz * 10^6", 1000000, &hz, err) == -1)
    return -1;
  /* "-1" and "unlimited" are written too: no limit. */
  if (it->limit != NULL && !v2v_ovf_number (it->limit, &limit))
    limit = 0;
  if (n == 0 || n > MAX_CPUS)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "%" PRIu64 " processors, expected 1..%d", n, MAX_CPUS);
  m->nr_cpus = (unsigned) n;
  if (it->cores_per_socket != NULL &&
      v2v_ovf_number (it->cores_per_socket, &cores) && cores <= n)
    m->cores_per_socket = (unsigned) cores;
  if (!v2v_mul_u64 (reservation, hz, &reservation) ||
      !v2v_mul_u64 (limit, hz, &limit))
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "processor reservation or limit is over 2^64 hertz");
  m->cpu_reservation_mhz = reservation / 1000000;
  m->cpu_limit_mhz = limit / 1000000;
  if (weight > 0 && weight <= 1000000) {
    m->cpu_shares_value = (unsigned) weight;
    m->cpu_shares = shares (weight, 1000 * n);
  }
  return 0;
}

static int
check_memory (struct ovf_ctx *ctx, const struct ovf_item *it,
              struct v2v_machine *m, uint64_t bytes, struct v2v_error **err)
{
  if (bytes == 0 || bytes > MAX_MEMORY)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "memory of %" PRIu64 " bytes, expected 1..%" PRIu64, bytes,
                     MAX_MEMORY);
  if (bytes < V2V_MIB && it->units == NULL) {
    bytes *= V2V_MIB;
    if (V2V_FINDING (m, err, V2V_WARNING, "memory.units", NULL, NULL,
                     "the memory size has no unit: MiB is taken") == -1)
      return -1;
  }
  m->memory_bytes = bytes;
  return 0;
}

static int
read_memory (struct ovf_ctx *ctx, const struct ovf_item *it,
             struct v2v_machine *m, struct v2v_error **err)
{
  uint64_t n = 0, reservation = 0, limit = 0, weight = 0, factor;

  if (it->quantity == NULL)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "memory without VirtualQuantity");
  if (number (ctx, it, "memory size", it->quantity, &n, err) == -1 ||
      number (ctx, it, "Reservation", it->reservation, &reservation, err) ==
          -1 ||
      number (ctx, it, "Weight", it->weight, &weight, err) == -1 ||
      units (ctx, it, OVF_UNIT_BYTE, "byte * 2^20", 1, &factor, err) == -1)
    return -1;
  if (it->limit != NULL && !v2v_ovf_number (it->limit, &limit))
    limit = 0;
  if (!v2v_mul_u64 (n, factor, &n) ||
      !v2v_mul_u64 (reservation, factor, &reservation) ||
      !v2v_mul_u64 (limit, factor, &limit))
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "memory of %s * %" PRIu64 " bytes is over 2^64",
                     it->quantity, factor);
  if (check_memory (ctx, it, m, n, err) == -1)
    return -1;
  m->memory_reservation_bytes = reservation;
  /* A limit equal to the size limits nothing. */
  m->memory_limit_bytes = limit >= m->memory_bytes ? 0 : limit;
  if (weight > 0 && weight <= UINT32_MAX) {
    m->memory_shares_value = (unsigned) weight;
    m->memory_shares = shares (weight, 10 * (m->memory_bytes / V2V_MIB));
  }
  return 0;
}

/* ---- controllers ---- */

static bool
has_word (const char *text, const char *word)
{
  return text != NULL && strcasestr (text, word) != NULL;
}

static enum v2v_bus
controller_bus (const struct ovf_item *it)
{
  if (it->type == 5)
    return V2V_BUS_IDE;
  if (it->type == 6)
    return V2V_BUS_SCSI;
  if (has_word (it->subtype, "nvme") || has_word (it->hints, "nvme"))
    return V2V_BUS_NVME;
  if (has_word (it->subtype, "ahci") || has_word (it->subtype, "sata") ||
      has_word (it->hints, "sata") || has_word (it->hints, "ahci"))
    return V2V_BUS_SATA;
  if (has_word (it->subtype, "scsi") || has_word (it->hints, "scsi"))
    return V2V_BUS_SCSI;
  return V2V_BUS_OTHER;
}

static bool
number_is_taken (const struct v2v_machine *m, enum v2v_bus bus, unsigned n)
{
  for (size_t i = 0; i < m->nr_controllers; ++i)
    if (m->controllers[i].bus == bus && m->controllers[i].number == n)
      return true;
  return false;
}

/* VMware's names for what the tables of .vmx files call otherwise. */
static const char *
model_name (const char *subtype)
{
  static const struct {
    const char *ovf, *vmx;
  } names[] = {
    { "virtualscsi", "pvscsi" },
    { "lsilogic-sas", "lsisas1068" },
    { "lsilogicsas", "lsisas1068" },
    { "lsilogicas", "lsisas1068" }, /* a tool's typing error */
    { "vmware.sata.ahci", "ahci" },
    { "vmware.nvme.controller", "nvme" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    if (strcmp (subtype, names[i].ovf) == 0)
      return names[i].vmx;
  return subtype;
}

static int
read_controller (const struct ovf_item *it, struct v2v_machine *m,
                 struct v2v_error **err)
{
  static const char *const known[] = {
    "buslogic",
    "lsilogic",
    "lsilogicsas",
    "lsilogic-sas",
    "lsilogicas",
    "virtualscsi",
    "pvscsi",
    "lsisas1068",
    "vmware.sata.ahci",
    "ahci",
    "vmware.nvme.controller",
    "nvme",
    "piix4",
    "piix3",
    "ich6",
    NULL,
  };
  const enum v2v_bus bus = controller_bus (it);
  CLEANUP_FREE char *subtype = ovf_choose_subtype (it->subtype, known);
  struct v2v_controller *c;
  uint64_t n;

  if (subtype == NULL)
    return v2v_fail_nomem (err);
  /* Address is the bus number, but some tools put other things there. */
  if (it->address == NULL || !v2v_ovf_number (it->address, &n) || n > 63 ||
      number_is_taken (m, bus, (unsigned) n))
    for (n = 0; number_is_taken (m, bus, (unsigned) n); ++n)
      ;
  c = v2v_machine_add_controller (m);
  if (c == NULL)
    return v2v_fail_nomem (err);
  c->bus = bus;
  c->number = (unsigned) n;
  if (*subtype != '\0' &&
      v2v_machine_set (&c->model, model_name (subtype), err) == -1)
    return -1;
  if (v2v_machine_set (&c->source_id, it->instance_id, err) == -1)
    return -1;
  if (bus == V2V_BUS_OTHER)
    return V2V_FINDING (m, err, V2V_WARNING, "controller.unknown", NULL, NULL,
                        "the storage controller at line %ld is of unknown "
                        "kind '%.40s'",
                        v2v_xml_line (it->node), subtype);
  return 0;
}

static int
find_parent (struct ovf_ctx *ctx, const struct ovf_items *items,
             const struct ovf_item *it, const struct v2v_machine *m,
             const struct v2v_controller **ret, struct v2v_error **err)
{
  const struct v2v_controller *found = NULL;
  size_t named = 0;

  for (size_t i = 0; i < items->len; ++i)
    if (!items->ptr[i].overridden && items->ptr[i].instance_id != NULL &&
        strcmp (items->ptr[i].instance_id, it->parent) == 0)
      named++;
  if (named > 1)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "Parent '%s' is the InstanceID of %zu Items", it->parent,
                     named);
  for (size_t i = 0; i < m->nr_controllers; ++i)
    if (m->controllers[i].source_id != NULL &&
        strcmp (m->controllers[i].source_id, it->parent) == 0)
      found = &m->controllers[i];
  if (found == NULL)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "Parent '%s' is not the InstanceID of a storage "
                     "controller",
                     it->parent);
  *ret = found;
  return 0;
}

/* First unit of the controller without disk or drive. */
static unsigned
free_unit (const struct v2v_machine *m, enum v2v_bus bus, unsigned controller)
{
  unsigned unit = 0;
  bool taken;

  do {
    taken = bus == V2V_BUS_SCSI && unit == 7; /* the controller itself */
    for (size_t i = 0; i < m->nr_disks && !taken; ++i)
      taken = m->disks[i].bus == bus && m->disks[i].controller == controller &&
              m->disks[i].unit == unit;
    for (size_t i = 0; i < m->nr_removables && !taken; ++i)
      taken = m->removables[i].bus == bus && !m->removables[i].floppy &&
              m->removables[i].controller == controller &&
              m->removables[i].unit == unit;
    unit += taken;
  } while (taken);
  return unit;
}

int
ovf_place (struct ovf_ctx *ctx, const struct ovf_items *items,
           const struct ovf_item *it, const struct v2v_machine *m,
           enum v2v_bus *ret_bus, unsigned *ret_controller, unsigned *ret_unit,
           struct v2v_error **err)
{
  const struct v2v_controller *c = NULL;
  uint64_t unit;

  *ret_bus = V2V_BUS_OTHER;
  *ret_controller = 0;
  if (it->parent != NULL && strcmp (it->parent, "0") != 0) {
    if (find_parent (ctx, items, it, m, &c, err) == -1)
      return -1;
    *ret_bus = c->bus;
    *ret_controller = c->number;
  }
  if (it->address_on_parent == NULL) {
    *ret_unit = free_unit (m, *ret_bus, *ret_controller);
    return 0;
  }
  if (!v2v_ovf_number (it->address_on_parent, &unit) || unit > 255)
    return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                     "AddressOnParent '%s', expected 0..255",
                     it->address_on_parent);
  /* One IDE controller of four units is two of two. */
  if (*ret_bus == V2V_BUS_IDE && unit >= 2) {
    *ret_controller += (unsigned) unit / 2;
    unit %= 2;
  }
  *ret_unit = (unsigned) unit;
  return 0;
}

/* ---- all together ---- */

static bool
is_controller (const struct ovf_item *it)
{
  if (it->type == 5 || it->type == 6)
    return true;
  return it->type == 20;
}

static int
read_items (struct ovf_ctx *ctx, const struct ovf_items *items,
            struct v2v_machine *m, struct v2v_error **err)
{
  bool cpu = false, memory = false;

  /* Controllers first: devices may stand before theirs. */
  for (size_t i = 0; i < items->len; ++i)
    if (!items->ptr[i].overridden && is_controller (&items->ptr[i]) &&
        read_controller (&items->ptr[i], m, err) == -1)
      return -1;
  for (size_t i = 0; i < items->len; ++i) {
    const struct ovf_item *it = &items->ptr[i];
    int r = 0;

    if (it->overridden || is_controller (it))
      continue;
    if (it->type == 3) {
      r = read_cpu (ctx, it, m, err);
      cpu = true;
    }
    else if (it->type == 4) {
      if (memory)
        return ovf_fail (ctx, it->node, V2V_ERR_FORMAT, err,
                         "a second memory Item, expected one");
      r = read_memory (ctx, it, m, err);
      memory = true;
    }
    else
      r = ovf_read_device (ctx, items, it, m, err);
    if (r == -1)
      return -1;
  }
  if (!cpu && V2V_FINDING (m, err, V2V_WARNING, "cpu.unstated", NULL, NULL,
                           "the description names no processor: 1 is "
                           "taken") == -1)
    return -1;
  if (!memory) {
    m->memory_bytes = DEFAULT_MEMORY;
    return V2V_FINDING (m, err, V2V_WARNING, "memory.unstated", NULL,
                        "set the memory size after conversion",
                        "the description names no memory: 1024 MiB is taken");
  }
  return 0;
}

int
ovf_read_hardware (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                   struct v2v_machine *m, struct v2v_error **err)
{
  struct ovf_items items = { .ptr = NULL, .len = 0 };
  int r;

  if (read_system_type (hw, m, err) == -1)
    return -1;
  r = ovf_read_items (ctx, hw, m, &items, err);
  if (r == 0)
    r = read_items (ctx, &items, m, err);
  ovf_items_free (&items);
  if (r == 0)
    r = ovf_read_config (ctx, hw, m, err);
  return r;
}
