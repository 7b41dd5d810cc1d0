/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections of an OVF around the hardware: References, DiskSection,
 * NetworkSection, DeploymentOptionSection, ProductSection, operating system,
 * annotation.  DSP0243 2.1: sections 7 (references) and 9 (core metadata).
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

/* ---- References ---- */

static int
read_file (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
           struct v2v_ovf_file *f, struct v2v_error **err)
{
  const char *id = ovf_attr (n, "id"), *href = ovf_attr (n, "href");
  const char *size = ovf_attr (n, "size"), *chunk = ovf_attr (n, "chunkSize");
  const char *compression = ovf_attr (n, "compression");

  if (id == NULL || *id == '\0' || href == NULL || *href == '\0')
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "File has no ovf:id or no ovf:href");
  if (ovf_find_file (ctx, id) != NULL)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "File id '%s' is used twice",
                     id);
  if (size != NULL && *size != '\0' && !v2v_ovf_number (size, &f->size_bytes))
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "File '%s': size '%s', expected a number", id, size);
  if (chunk != NULL &&
      (!v2v_ovf_number (chunk, &f->chunk_bytes) || f->chunk_bytes == 0))
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "File '%s': chunkSize '%s', expected a number above 0", id,
                     chunk);
  if (compression != NULL && *compression != '\0' &&
      strcasecmp (compression, "identity") != 0) {
    if (strcasecmp (compression, "gzip") != 0)
      return ovf_fail (ctx, n, V2V_ERR_UNSUPPORTED, err,
                       "File '%s': compression '%s', expected gzip or "
                       "identity",
                       id, compression);
    if (v2v_machine_set (&f->compression, "gzip", err) == -1)
      return -1;
  }
  if (v2v_machine_set (&f->id, id, err) == -1 ||
      v2v_machine_set (&f->href, href, err) == -1)
    return -1;
  return 0;
}

int
ovf_read_references (struct ovf_ctx *ctx, const struct v2v_xml_node *refs,
                     struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, refs)
  {
    struct v2v_ovf_file f = { .id = NULL }, *p;

    if (!ovf_is (n, "File"))
      continue;
    if (ctx->ovf->nr_files == OVF_MAX_FILES)
      return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "more than %d files",
                       OVF_MAX_FILES);
    if (read_file (ctx, n, &f, err) == -1) {
      free (f.id);
      free (f.href);
      free (f.compression);
      return -1;
    }
    p = reallocarray (ctx->ovf->files, ctx->ovf->nr_files + 1, sizeof *p);
    if (p == NULL) {
      free (f.id);
      free (f.href);
      free (f.compression);
      return v2v_fail_nomem (err);
    }
    ctx->ovf->files = p;
    p[ctx->ovf->nr_files++] = f;
  }
  return 0;
}

/* ---- DiskSection ---- */

static int
check_disk (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
            struct v2v_findings *f, struct v2v_error **err)
{
  const char *id = ovf_attr (n, "diskId"), *ref = ovf_attr (n, "fileRef");

  if (id == NULL || *id == '\0')
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "Disk has no ovf:diskId");
  if (ovf_find_disk (ctx, id) != NULL)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "diskId '%s' is used twice",
                     id);
  if (ref != NULL && *ref != '\0' && ovf_find_file (ctx, ref) == NULL)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "Disk '%s': fileRef '%s' is no File of References", id,
                     ref);
  if (ovf_attr (n, "capacity") == NULL)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "Disk '%s' has no ovf:capacity", id);
  if (ref != NULL && ovf_attr (n, "format") == NULL &&
      v2v_findings_add (f, V2V_INFORMATION, "disk.no-format", id, NULL,
                        "disk '%s' states no format; its content decides",
                        id) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
read_disk (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
           struct v2v_findings *f, struct v2v_error **err)
{
  const char *ref = ovf_attr (n, "fileRef"),
             *parent = ovf_attr (n, "parentRef");
  struct ovf_disk *d;

  if (ctx->nr_disks == OVF_MAX_DISKS)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "more than %d disks",
                     OVF_MAX_DISKS);
  if (check_disk (ctx, n, f, err) == -1)
    return -1;
  d = reallocarray (ctx->disks, ctx->nr_disks + 1, sizeof *d);
  if (d == NULL)
    return v2v_fail_nomem (err);
  ctx->disks = d;
  d += ctx->nr_disks++;
  memset (d, 0, sizeof *d);
  d->node = n;
  if (ref != NULL && *ref == '\0')
    ref = NULL;
  if (parent != NULL && *parent == '\0')
    parent = NULL;
  if (v2v_machine_set (&d->id, ovf_attr (n, "diskId"), err) == -1 ||
      v2v_machine_set (&d->file_ref, ref, err) == -1 ||
      v2v_machine_set (&d->parent_ref, parent, err) == -1 ||
      v2v_machine_set (&d->format, ovf_attr (n, "format"), err) == -1)
    return -1;
  return 0;
}

/* parentRef must lead to a Disk, and not in a circle. */
static int
check_parents (struct ovf_ctx *ctx, struct v2v_error **err)
{
  for (size_t i = 0; i < ctx->nr_disks; ++i) {
    const struct ovf_disk *d = &ctx->disks[i];

    for (size_t steps = 0; d->parent_ref != NULL; ++steps) {
      const struct ovf_disk *p = ovf_find_disk (ctx, d->parent_ref);

      if (p == NULL)
        return ovf_fail (ctx, d->node, V2V_ERR_FORMAT, err,
                         "Disk '%s': parentRef '%s' is no Disk", d->id,
                         d->parent_ref);
      if (steps == OVF_MAX_PARENTS)
        return ovf_fail (ctx, d->node, V2V_ERR_FORMAT, err,
                         "Disk '%s': more than %d parents, or a circle", d->id,
                         OVF_MAX_PARENTS);
      d = p;
    }
  }
  return 0;
}

static int
read_disk_section (struct ovf_ctx *ctx, const struct v2v_xml_node *sec,
                   struct v2v_findings *f, struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, sec)
  if (ovf_is (n, "Disk") && read_disk (ctx, n, f, err) == -1)
    return -1;
  return check_parents (ctx, err);
}

int
ovf_disk_capacity (struct ovf_ctx *ctx, const struct v2v_machine *m,
                   const struct ovf_disk *d, uint64_t *ret_bytes,
                   struct v2v_error **err)
{
  const char *units = ovf_attr (d->node, "capacityAllocationUnits");
  CLEANUP_FREE char *text = NULL;
  enum ovf_unit_kind kind = OVF_UNIT_BYTE;
  uint64_t factor = 1, n, bytes;

  if (ovf_expand (m, ovf_attr (d->node, "capacity"), &text, err) == -1)
    return v2v_prefix (err, "%s: Disk '%s': capacity", ctx->name, d->id);
  if (!v2v_ovf_number (text, &n))
    return ovf_fail (ctx, d->node, V2V_ERR_FORMAT, err,
                     "Disk '%s': capacity '%s', expected a number", d->id,
                     text);
  if (units != NULL && *units != '\0' &&
      (!v2v_ovf_units (units, &kind, &factor) ||
       (kind != OVF_UNIT_BYTE && kind != OVF_UNIT_NONE)))
    return ovf_fail (ctx, d->node, V2V_ERR_FORMAT, err,
                     "Disk '%s': capacityAllocationUnits '%s', expected bytes "
                     "such as 'byte * 2^30'",
                     d->id, units);
  if (!v2v_mul_u64 (n, factor, &bytes) || bytes > INT64_MAX)
    return ovf_fail (ctx, d->node, V2V_ERR_FORMAT, err,
                     "Disk '%s': capacity %" PRIu64 " * %" PRIu64
                     " bytes is over 2^63",
                     d->id, n, factor);
  *ret_bytes = bytes;
  return 0;
}

/* ---- NetworkSection ---- */

static int
read_network_section (struct ovf_ctx *ctx, const struct v2v_xml_node *sec,
                      struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, sec)
  {
    const char *name;
    char **p;

    if (!ovf_is (n, "Network"))
      continue;
    name = ovf_attr (n, "name");
    if (name == NULL)
      return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "Network has no ovf:name");
    if (ctx->nr_networks == OVF_MAX_DISKS)
      return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "more than %d networks",
                       OVF_MAX_DISKS);
    p = reallocarray (ctx->networks, ctx->nr_networks + 1, sizeof *p);
    if (p == NULL)
      return v2v_fail_nomem (err);
    ctx->networks = p;
    p[ctx->nr_networks] = strdup (name);
    if (p[ctx->nr_networks] == NULL)
      return v2v_fail_nomem (err);
    ctx->nr_networks++;
  }
  return 0;
}

/* ---- DeploymentOptionSection ---- */

static int
unknown_option (const struct ovf_ctx *ctx, const struct v2v_xml_node *sec,
                struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;
  const struct v2v_xml_node *n;

  if (sec == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: deployment option '%s' was asked for, but the "
                     "package offers none",
                     ctx->name, ctx->wanted);
  V2V_XML_EACH (n, sec)
  {
    const char *id = ovf_is (n, "Configuration") ? ovf_attr (n, "id") : NULL;

    if (id != NULL && (v2v_str_append (&list, list.len > 0 ? ", " : "") == -1 ||
                       v2v_str_append (&list, id) == -1))
      return v2v_fail_nomem (err);
  }
  return ovf_fail (ctx, sec, V2V_ERR_USAGE, err,
                   "deployment option '%s' does not exist; the package "
                   "offers: %s",
                   ctx->wanted, list.ptr != NULL ? list.ptr : "none");
}

int
ovf_choose_configuration (struct ovf_ctx *ctx,
                          const struct v2v_xml_node *envelope,
                          struct v2v_error **err)
{
  const struct v2v_xml_node *sec = NULL, *n;
  const char *first = NULL, *dflt = NULL, *chosen = NULL;
  unsigned count = 0;

  V2V_XML_EACH (n, envelope)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (ovf_is_ns (ns) && strcmp (name, "DeploymentOptionSection") == 0)
      sec = n;
  }
  V2V_XML_EACH (n, sec)
  {
    const char *id = ovf_is (n, "Configuration") ? ovf_attr (n, "id") : NULL;
    const char *d;

    if (id == NULL)
      continue;
    count++;
    if (first == NULL)
      first = id;
    d = ovf_attr (n, "default");
    if (dflt == NULL && d != NULL &&
        (strcasecmp (d, "true") == 0 || strcmp (d, "1") == 0))
      dflt = id;
    if (ctx->wanted != NULL && strcmp (id, ctx->wanted) == 0)
      chosen = id;
  }
  if (ctx->wanted != NULL && chosen == NULL)
    return unknown_option (ctx, sec, err);
  if (chosen == NULL)
    chosen = dflt != NULL ? dflt : first;
  if (chosen == NULL)
    return 0;
  if (count > 1 && ctx->wanted == NULL &&
      v2v_findings_add (&ctx->findings, V2V_INFORMATION, "ovf.configuration",
                        NULL, "choose another one with --deployment-option",
                        "deployment option '%s' of %u is taken", chosen,
                        count) == -1)
    return v2v_fail_nomem (err);
  return v2v_machine_set (&ctx->ovf->configuration, chosen, err);
}

/* ---- ProductSection ---- */

/* The value that holds in the chosen configuration: a Value element of that
 * configuration before the attribute.
 */
static const char *
property_value (const struct ovf_ctx *ctx, const struct v2v_xml_node *prop)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, prop)
  if (ovf_is (n, "Value") && ovf_attr (n, "configuration") != NULL &&
      ovf_in_configuration (ctx, n))
    return ovf_attr (n, "value");
  return ovf_attr (prop, "value");
}

static bool
is_true (const char *s)
{
  return s != NULL && (strcasecmp (s, "true") == 0 || strcmp (s, "1") == 0);
}

static int
read_property (struct ovf_ctx *ctx, const struct v2v_xml_node *sec,
               const struct v2v_xml_node *n, struct v2v_machine *m,
               struct v2v_error **err)
{
  const char *class = ovf_attr (sec, "class");
  const char *instance = ovf_attr (sec, "instance");
  const char *key = ovf_attr (n, "key"), *qualifiers;
  CLEANUP_STR struct v2v_str full = V2V_STR_INIT;
  const struct v2v_xml_node *c;
  struct v2v_property *p;

  if (key == NULL || *key == '\0')
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "Property has no ovf:key");
  if (m->nr_properties == OVF_MAX_PROPERTIES)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err, "more than %d properties",
                     OVF_MAX_PROPERTIES);
  if ((class != NULL && *class != '\0' &&
       v2v_str_printf (&full, "%s.", class) == -1) ||
      v2v_str_append (&full, key) == -1 ||
      (instance != NULL && *instance != '\0' &&
       v2v_str_printf (&full, ".%s", instance) == -1))
    return v2v_fail_nomem (err);
  p = v2v_machine_add_property (m);
  if (p == NULL)
    return v2v_fail_nomem (err);
  p->key = STEAL (full.ptr);
  p->user_configurable = is_true (ovf_attr (n, "userConfigurable"));
  qualifiers = ovf_attr_vmw (n, "qualifiers");
  p->password = is_true (ovf_attr (n, "password")) ||
                (qualifiers != NULL && strstr (qualifiers, "Password"));
  V2V_XML_EACH (c, n)
  if (ovf_is (c, "Label") && ovf_text (c, &p->label, err) == -1)
    return -1;
  /* A secret is not even kept in memory. */
  if (!p->password)
    return v2v_machine_set (&p->value, property_value (ctx, n), err);
  return 0;
}

static int
describe_product (const struct v2v_xml_node *sec, struct v2v_machine *m,
                  struct v2v_error **err)
{
  static const char *const fields[] = { "Product", "Vendor", "Version" };
  CLEANUP_FREE char *safe = NULL;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const struct v2v_xml_node *n;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    V2V_XML_EACH (n, sec)
    {
      CLEANUP_FREE char *value = NULL;

      if (!ovf_is (n, fields[i]))
        continue;
      if (ovf_text (n, &value, err) == -1)
        return -1;
      if (value != NULL &&
          v2v_str_printf (&s, "%s%s", s.len > 0 ? ", " : "", value) == -1)
        return v2v_fail_nomem (err);
    }
  if (s.len == 0)
    return 0;
  safe = v2v_machine_printable (s.ptr);
  if (safe == NULL)
    return v2v_fail_nomem (err);
  return V2V_FINDING (m, err, V2V_INFORMATION, "ovf.product", NULL, NULL,
                      "product: %s", safe);
}

static int
read_product (struct ovf_ctx *ctx, const struct v2v_xml_node *sec,
              struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, sec)
  if (ovf_is (n, "Property") && ovf_in_configuration (ctx, n) &&
      read_property (ctx, sec, n, m, err) == -1)
    return -1;
  return describe_product (sec, m, err);
}

static int
read_products (struct ovf_ctx *ctx, const struct ovf_scope *scope,
               struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  if (scope == NULL)
    return 0;
  if (read_products (ctx, scope->outer, m, err) == -1)
    return -1;
  V2V_XML_EACH (n, scope->node)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (ovf_is_ns (ns) && strcmp (name, "ProductSection") == 0 &&
        read_product (ctx, n, m, err) == -1)
      return -1;
  }
  return 0;
}

int
ovf_read_properties (struct ovf_ctx *ctx, const struct ovf_scope *scope,
                     struct v2v_machine *m, struct v2v_error **err)
{
  if (read_products (ctx, scope, m, err) == -1)
    return -1;
  if (m->nr_properties > 0)
    return V2V_FINDING (m, err, V2V_INFORMATION, "ovf.properties", NULL,
                        "set them inside the guest where it needs them",
                        "%zu product properties, which VMware hands to the "
                        "guest at start and Hyper-V cannot",
                        m->nr_properties);
  return 0;
}

int
ovf_expand (const struct v2v_machine *m, const char *text, char **ret,
            struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (v2v_str_append (&s, "") == -1)
    return v2v_fail_nomem (err);
  while (*text != '\0') {
    const char *open = strstr (text, "${");
    const char *close = open != NULL ? strchr (open, '}') : NULL;
    const struct v2v_property *p = NULL;
    size_t n;

    if (close == NULL) {
      if (v2v_str_append (&s, text) == -1)
        return v2v_fail_nomem (err);
      break;
    }
    n = (size_t) (close - open) - 2;
    /* From the innermost scope outwards. */
    for (size_t i = m->nr_properties; i > 0 && p == NULL; --i)
      if (strlen (m->properties[i - 1].key) == n &&
          memcmp (m->properties[i - 1].key, open + 2, n) == 0)
        p = &m->properties[i - 1];
    if (p == NULL || p->value == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "property '%.*s' has no value in this configuration",
                       (int) (n > 80 ? 80 : n), open + 2);
    if (v2v_str_append_len (&s, text, (size_t) (open - text)) == -1 ||
        v2v_str_append (&s, p->value) == -1)
      return v2v_fail_nomem (err);
    /* A few properties used again and again must not fill the memory. */
    if (s.len > V2V_XML_MAX_BYTES)
      return v2v_fail (err, V2V_ERR_FORMAT, "text grows beyond %zu bytes",
                       V2V_XML_MAX_BYTES);
    text = close + 1;
  }
  *ret = STEAL (s.ptr);
  return 0;
}

/* ---- operating system, annotation, what is left ---- */

static int
read_os (const struct v2v_xml_node *sec, struct v2v_machine *m,
         struct v2v_error **err)
{
  const char *id = ovf_attr (sec, "id");
  const struct v2v_xml_node *n;
  uint64_t v;

  if (id != NULL && v2v_ovf_number (id, &v) && v <= 65535)
    m->os_cim = (int) v;
  if (v2v_machine_set_lower (
          &m->os_id, v2v_xml_attr (sec, OVF_NS_VMW, "osType"), err) == -1)
    return -1;
  V2V_XML_EACH (n, sec)
  if (ovf_is (n, "Description") && ovf_text (n, &m->os_description, err) == -1)
    return -1;
  return 0;
}

/* Several annotations (the collection's and the system's) are joined. */
static int
read_annotation (const struct v2v_xml_node *sec, struct v2v_machine *m,
                 struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, sec)
  {
    CLEANUP_FREE char *text = NULL;
    char *joined;

    if (!ovf_is (n, "Annotation"))
      continue;
    if (ovf_text (n, &text, err) == -1)
      return -1;
    if (text == NULL)
      continue;
    if (m->annotation == NULL) {
      m->annotation = STEAL (text);
      continue;
    }
    if (asprintf (&joined, "%s\n%s", m->annotation, text) == -1)
      return v2v_fail_nomem (err);
    free (m->annotation);
    m->annotation = joined;
  }
  return 0;
}

/* Sections that we know and that have no place in a machine of Hyper-V. */
static const struct {
  const char *name;
  enum v2v_severity severity;
  const char *id;
  const char *message;
} known_sections[] = {
  { "EulaSection", V2V_INFORMATION, "ovf.eula",
    "the package has a licence agreement: read it before use" },
  { "StartupSection", V2V_INFORMATION, "ovf.startup",
    "the start order of the systems is not carried over" },
  { "ResourceAllocationSection", V2V_WARNING, "ovf.resources",
    "reservations for the whole collection are not carried over" },
  { "InstallSection", V2V_WARNING, "ovf.install",
    "the system wants to be started once to install itself" },
  { "EnvironmentFilesSection", V2V_WARNING, "ovf.environment-files",
    "files for the guest's environment are not handed over" },
  { "BootDeviceSection", V2V_WARNING, "ovf.boot-devices",
    "boot configurations of OVF 2 are not carried over" },
  { "PlacementGroupSection", V2V_INFORMATION, "ovf.placement",
    "placement groups are not carried over" },
  { "PlacementSection", V2V_INFORMATION, "ovf.placement",
    "placement groups are not carried over" },
  { "ScaleOutSection", V2V_WARNING, "ovf.scale-out",
    "the number of instances is not carried over: one is converted" },
};

static bool
is_known_vendor (const char *ns)
{
  return strcmp (ns, OVF_NS_VMW) == 0 || strcmp (ns, OVF_NS_VBOX) == 0 ||
         strncmp (ns, "http://www.vmware.com/vcloud/", 29) == 0;
}

static int
other_section (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
               const char *ns, const char *name, struct v2v_findings *f,
               struct v2v_error **err)
{
  CLEANUP_FREE char *safe = NULL;

  if (ovf_is_ns (ns))
    for (size_t i = 0; i < V2V_ARRAY_SIZE (known_sections); ++i)
      if (strcmp (name, known_sections[i].name) == 0)
        return v2v_findings_add (f, known_sections[i].severity,
                                 known_sections[i].id, NULL, NULL, "%s",
                                 known_sections[i].message) == -1
                   ? v2v_fail_nomem (err)
                   : 0;
  if (ovf_required (n) && !is_known_vendor (ns))
    return ovf_fail (ctx, n, V2V_ERR_UNSUPPORTED, err,
                     "section '%s' of namespace '%s' is required and unknown "
                     "here",
                     name, ns);
  safe = v2v_machine_printable (name);
  if (safe == NULL ||
      v2v_findings_add (f, V2V_INFORMATION, "ovf.section", safe, NULL,
                        "section '%s' at line %ld is not carried over", safe,
                        v2v_xml_line (n)) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

int
ovf_read_section (struct ovf_ctx *ctx, const struct ovf_scope *scope,
                  const struct v2v_xml_node *n, struct v2v_machine *m,
                  struct v2v_findings *f, struct v2v_error **err)
{
  char buf[64];
  const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

  if (!ovf_is_ns (ns))
    return other_section (ctx, n, ns, name, f, err);
  /* Read elsewhere: see read_envelope and ovf_read_properties. */
  if (strcmp (name, "References") == 0 || strcmp (name, "Strings") == 0 ||
      strcmp (name, "ProductSection") == 0 ||
      strcmp (name, "DeploymentOptionSection") == 0)
    return 0;
  if (strcmp (name, "DiskSection") == 0) {
    if (scope->outer != NULL || m != NULL)
      return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                       "DiskSection inside a system, expected in the "
                       "Envelope");
    return read_disk_section (ctx, n, f, err);
  }
  if (strcmp (name, "NetworkSection") == 0)
    return read_network_section (ctx, n, err);
  if (m != NULL && strcmp (name, "OperatingSystemSection") == 0)
    return read_os (n, m, err);
  if (strcmp (name, "AnnotationSection") == 0) {
    if (m != NULL)
      return read_annotation (n, m, err);
    return v2v_findings_add (f, V2V_INFORMATION, "ovf.annotation", NULL, NULL,
                             "the annotation of the package or collection is "
                             "not carried over") == -1
               ? v2v_fail_nomem (err)
               : 0;
  }
  return other_section (ctx, n, ns, name, f, err);
}

/* ---- VirtualBox ---- */

static const struct v2v_xml_node *
vbox_child (const struct v2v_xml_node *n, const char *name)
{
  const struct v2v_xml_node *c;

  /* In OVF 1 exports these are in the envelope's default namespace. */
  V2V_XML_EACH (c, n)
  if (strcmp (v2v_xml_name (c), name) == 0)
    return c;
  return NULL;
}

/* "080027xxxxxx" of the adapters that are on, in slot order, for NICs to
 * which the Items give none.
 */
static int
vbox_adapters (const struct v2v_xml_node *network, struct v2v_machine *m,
               struct v2v_error **err)
{
  const struct v2v_xml_node *n;
  size_t i = 0;

  V2V_XML_EACH (n, network)
  {
    const char *mac = v2v_xml_attr (n, "", "MACAddress");
    char text[18];

    if (strcmp (v2v_xml_name (n), "Adapter") != 0 ||
        !is_true (v2v_xml_attr (n, "", "enabled")))
      continue;
    if (i == m->nr_nics)
      break;
    if (m->nics[i].mac == NULL && mac != NULL &&
        v2v_machine_format_mac (mac, text) &&
        v2v_machine_set (&m->nics[i].mac, text, err) == -1)
      return -1;
    i++;
  }
  return 0;
}

int
ovf_read_vbox_machine (struct ovf_ctx *ctx, const struct v2v_xml_node *n,
                       struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_xml_node *hw = vbox_child (n, "Hardware"), *c;
  const char *uuid = v2v_xml_attr (n, "", "uuid"), *type;
  char text[37];

  (void) ctx;
  if (uuid != NULL && m->uuid_bios == NULL &&
      v2v_machine_format_uuid (uuid, text) &&
      v2v_machine_set (&m->uuid_bios, text, err) == -1)
    return -1;
  c = vbox_child (hw, "Firmware");
  type = c != NULL ? v2v_xml_attr (c, "", "type") : NULL;
  if (!m->firmware_stated) {
    m->firmware = type != NULL && strncasecmp (type, "EFI", 3) == 0
                      ? V2V_FIRMWARE_EFI
                      : V2V_FIRMWARE_BIOS;
    m->firmware_stated = true;
  }
  c = vbox_child (hw, "TrustedPlatformModule");
  type = c != NULL ? v2v_xml_attr (c, "", "type") : NULL;
  if (type != NULL && strcasecmp (type, "None") != 0)
    m->tpm = V2V_YES;
  if (vbox_adapters (vbox_child (hw, "Network"), m, err) == -1)
    return -1;
  return V2V_FINDING (m, err, V2V_INFORMATION, "ovf.virtualbox", NULL, NULL,
                      "of VirtualBox's own settings only firmware, TPM, UUID "
                      "and MAC addresses are carried over");
}
