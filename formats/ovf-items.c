/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Items of a VirtualHardwareSection as plain structs.
 *
 * OVF 1 has Item (CIM_ResourceAllocationSettingData); OVF 2 adds StorageItem
 * and EthernetPortItem with the same fields in other namespaces.  OVF 0.9
 * spells InstanceId and BusNumber.  DSP0243 8.3 and 9.8: an Item of another
 * configuration is not there, one with ovf:bound is a range and no device,
 * and a later Item with the same InstanceID replaces the earlier one.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

#define CIM "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"

static bool
is_allocation_ns (const char *ns)
{
  static const char *const bases[] = {
    CIM "ResourceAllocationSettingData",
    CIM "StorageAllocationSettingData",
    CIM "EthernetPortAllocationSettingData",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (bases); ++i) {
    const size_t n = strlen (bases[i]);

    if (strncmp (ns, bases[i], n) == 0 &&
        (ns[n] == '\0' || strcmp (ns + n, ".xsd") == 0 ||
         strcmp (ns + n, "/") == 0))
      return true;
  }
  return false;
}

static void
item_clear (struct ovf_item *it)
{
  free (it->instance_id);
  free (it->subtype);
  free (it->label);
  free (it->hints);
  free (it->address);
  free (it->address_on_parent);
  free (it->parent);
  for (size_t i = 0; i < it->nr_hosts; ++i)
    free (it->hosts[i]);
  free (it->hosts);
  for (size_t i = 0; i < it->nr_connections; ++i)
    free (it->connections[i]);
  free (it->connections);
  free (it->quantity);
  free (it->units);
  free (it->reservation);
  free (it->limit);
  free (it->weight);
  free (it->cores_per_socket);
  memset (it, 0, sizeof *it);
}

void
ovf_items_free (struct ovf_items *items)
{
  for (size_t i = 0; i < items->len; ++i)
    item_clear (&items->ptr[i]);
  free (items->ptr);
  items->ptr = NULL;
  items->len = 0;
}

static int
append (char ***list, size_t *nr, const struct v2v_xml_node *n,
        struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  char **p;

  if (ovf_text (n, &text, err) == -1)
    return -1;
  if (text == NULL)
    return 0;
  p = reallocarray (*list, *nr + 1, sizeof *p);
  if (p == NULL)
    return v2v_fail_nomem (err);
  *list = p;
  p[(*nr)++] = STEAL (text);
  return 0;
}

/* Where the text of a field goes; NULL for the ones read elsewhere. */
static char **
text_field (struct ovf_item *it, const char *name)
{
  const struct {
    const char *name;
    char **field;
  } fields[] = {
    { "InstanceID", &it->instance_id },
    { "InstanceId", &it->instance_id },
    { "ResourceSubType", &it->subtype },
    { "Address", &it->address },
    { "BusNumber", &it->address },
    { "AddressOnParent", &it->address_on_parent },
    { "Parent", &it->parent },
    { "VirtualQuantity", &it->quantity },
    { "AllocationUnits", &it->units },
    { "Reservation", &it->reservation },
    { "Limit", &it->limit },
    { "Weight", &it->weight },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    if (strcmp (fields[i].name, name) == 0)
      return fields[i].field;
  return NULL;
}

static int
read_type (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
           struct ovf_item *it, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  uint64_t v;

  if (ovf_text (n, &text, err) == -1)
    return -1;
  if (text == NULL || !v2v_ovf_number (text, &v) || v > 65535)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "ResourceType '%s', expected a number",
                     text != NULL ? text : "");
  it->type = (unsigned) v;
  return 0;
}

/* <vmw:Config vmw:key="slotInfo.pciSlotNumber" vmw:value="192"/> */
static void
read_slot (const struct v2v_xml_node *n, struct ovf_item *it)
{
  const char *key = ovf_attr_vmw (n, "key");
  const char *value = ovf_attr_vmw (n, "value");
  uint64_t v;

  if (key != NULL && value != NULL &&
      strcasecmp (key, "slotInfo.pciSlotNumber") == 0 &&
      v2v_ovf_number (value, &v) && v <= V2V_MAX_PCI_SLOT)
    it->pci_slot = (unsigned) v;
}

static int
read_field (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
            struct ovf_item *it, struct v2v_error **err)
{
  const char *name = v2v_xml_name (n);
  char **field;

  if (strcmp (v2v_xml_ns (n), OVF_NS_VMW) == 0) {
    if (strcmp (name, "CoresPerSocket") == 0)
      return ovf_text (n, &it->cores_per_socket, err);
    if (strcmp (name, "Config") == 0)
      read_slot (n, it);
    return 0; /* vmw:Config of a device: see ovf-devices.c */
  }
  if (!is_allocation_ns (v2v_xml_ns (n)))
    return 0;
  field = text_field (it, name);
  if (field != NULL)
    return ovf_text (n, field, err);
  if (strcmp (name, "ResourceType") == 0)
    return read_type (ctx, n, it, err);
  if (strcmp (name, "HostResource") == 0)
    return append (&it->hosts, &it->nr_hosts, n, err);
  if (strcmp (name, "Connection") == 0)
    return append (&it->connections, &it->nr_connections, n, err);
  if (strcmp (name, "AutomaticAllocation") == 0) {
    CLEANUP_FREE char *text = NULL;

    if (ovf_text (n, &text, err) == -1)
      return -1;
    it->connected = text == NULL || strcasecmp (text, "false") != 0;
  }
  return 0;
}

/* ElementName, Caption and Description: the first is the label, all together
 * are hints.
 */
static int
read_names (const struct v2v_xml_node *item, struct ovf_item *it,
            struct v2v_error **err)
{
  static const char *const names[] = { "ElementName", "Caption",
                                       "Description" };
  CLEANUP_STR struct v2v_str hints = V2V_STR_INIT;
  const struct v2v_xml_node *n;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    V2V_XML_EACH (n, item)
    {
      CLEANUP_FREE char *text = NULL;

      if (strcmp (v2v_xml_name (n), names[i]) != 0 ||
          !is_allocation_ns (v2v_xml_ns (n)))
        continue;
      if (ovf_text (n, &text, err) == -1)
        return -1;
      if (text == NULL)
        continue;
      if (v2v_str_printf (&hints, "%s ", text) == -1)
        return v2v_fail_nomem (err);
      if (it->label == NULL)
        it->label = STEAL (text);
    }
  if (v2v_str_append (&hints, "") == -1)
    return v2v_fail_nomem (err);
  it->hints = STEAL (hints.ptr);
  if (it->label == NULL && (it->label = strdup ("")) == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

static int
read_item (struct ovf_ctx *ctx, const struct v2v_xml_node *node,
           struct ovf_item *it, struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  it->node = node;
  it->connected = true;
  it->required = ovf_required (node);
  V2V_XML_EACH (n, node)
  if (read_field (ctx, n, it, err) == -1)
    return -1;
  return read_names (node, it, err);
}

/* The later of two Items with one InstanceID replaces the earlier one, if it
 * is there for a configuration; two unconditional ones are both kept (a
 * device must not vanish), and nothing may refer to them.  A replacement
 * without units means the ones it had.
 */
static int
override (struct ovf_items *items, struct v2v_machine *m,
          struct v2v_error **err)
{
  struct ovf_item *last = &items->ptr[items->len - 1];
  const char *conf = ovf_attr (last->node, "configuration");

  if (last->instance_id == NULL)
    return 0;
  for (size_t i = 0; i + 1 < items->len; ++i) {
    struct ovf_item *it = &items->ptr[i];

    if (it->overridden || it->instance_id == NULL ||
        strcmp (it->instance_id, last->instance_id) != 0)
      continue;
    if ((conf != NULL || ovf_attr (it->node, "configuration") != NULL) &&
        it->type == last->type) {
      it->overridden = true;
      if (last->units == NULL)
        last->units = STEAL (it->units);
      continue;
    }
    if (V2V_FINDING (m, err, V2V_WARNING, "ovf.instance-id", NULL, NULL,
                     "the Items at lines %ld and %ld have the same "
                     "InstanceID; both are kept",
                     v2v_xml_line (it->node), v2v_xml_line (last->node)) == -1)
      return -1;
  }
  return 0;
}

static bool
is_item (const struct v2v_xml_node *n)
{
  return ovf_is (n, "Item") || ovf_is (n, "StorageItem") ||
         ovf_is (n, "EthernetPortItem");
}

int
ovf_read_items (struct ovf_ctx *ctx, const struct v2v_xml_node *hw,
                struct v2v_machine *m, struct ovf_items *ret,
                struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, hw)
  {
    const char *bound = ovf_attr (n, "bound");
    struct ovf_item *p;

    if (!is_item (n) || !ovf_in_configuration (ctx, n))
      continue;
    if (bound != NULL && strcasecmp (bound, "normal") != 0)
      continue;
    if (ret->len == OVF_MAX_ITEMS)
      return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                       "more than %d hardware items", OVF_MAX_ITEMS);
    p = reallocarray (ret->ptr, ret->len + 1, sizeof *p);
    if (p == NULL)
      return v2v_fail_nomem (err);
    ret->ptr = p;
    memset (&p[ret->len], 0, sizeof *p);
    ret->len++;
    if (read_item (ctx, n, &p[ret->len - 1], err) == -1 ||
        override (ret, m, err) == -1)
      return -1;
  }
  return 0;
}
