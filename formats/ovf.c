/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVF descriptors: the envelope, its systems and collections.
 *
 * Specification: DMTF DSP0243, Open Virtualization Format, 1.0 to 2.1, and the
 * 0.9 draft of VMware and XenSource.  Dialects: VMware (ESX, vCenter, vCloud
 * Director, ovftool, Studio), VirtualBox, COT.
 * Files: ovf.c (this: the walk), ovf-sections.c (references, disks, networks,
 * options, products), ovf-items.c and ovf-hardware.c and ovf-devices.c
 * (VirtualHardwareSection), ovf-config.c (vmw: settings), ovf-units.c.
 * Left out: message bundles (Strings), delivery of properties to the guest,
 * encryption and scaling sections of OVF 2 (refused when required).
 *
 * Names are compared by namespace URI and local name.  The versions differ in
 * the URI only, so one set of functions reads all: ovf_is accepts each.
 */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

static const char *const ovf_namespaces[] = {
  "http://schemas.dmtf.org/ovf/envelope/1",
  "http://schemas.dmtf.org/ovf/envelope/2",
  "http://schemas.dmtf.org/ovf/1/envelope", /* early ovftool */
  "http://www.vmware.com/schema/ovf/1/envelope",
  "http://www.vmware.com/schema/ovf/0.9/envelope",
};

bool
ovf_is_ns (const char *ns)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (ovf_namespaces); ++i)
    if (strcmp (ns, ovf_namespaces[i]) == 0)
      return true;
  return false;
}

bool
ovf_is (const struct v2v_xml_node *n, const char *name)
{
  return strcmp (v2v_xml_name (n), name) == 0 && ovf_is_ns (v2v_xml_ns (n));
}

const char *
ovf_attr (const struct v2v_xml_node *n, const char *name)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (ovf_namespaces); ++i) {
    const char *v = v2v_xml_attr (n, ovf_namespaces[i], name);

    if (v != NULL)
      return v;
  }
  return v2v_xml_attr (n, "", name); /* some tools forget the prefix */
}

const char *
ovf_attr_vmw (const struct v2v_xml_node *n, const char *name)
{
  const char *v = v2v_xml_attr (n, OVF_NS_VMW, name);

  return v != NULL ? v : v2v_xml_attr (n, "", name);
}

bool
ovf_required (const struct v2v_xml_node *n)
{
  const char *v = ovf_attr (n, "required");

  return v == NULL || (strcasecmp (v, "false") != 0 && strcmp (v, "0") != 0);
}

bool
ovf_in_configuration (const struct ovf_ctx *ctx, const struct v2v_xml_node *n)
{
  const char *list = ovf_attr (n, "configuration");
  const char *id = ctx->ovf->configuration;

  if (list == NULL || *list == '\0')
    return true;
  if (id == NULL)
    return false;
  while (*list != '\0') {
    const size_t len = strcspn (list, " \t\r\n");

    if (len == strlen (id) && memcmp (list, id, len) == 0)
      return true;
    list += len;
    list += strspn (list, " \t\r\n");
  }
  return false;
}

const char *
ovf_section_name (const struct v2v_xml_node *n, char *buf, size_t len,
                  const char **ret_ns)
{
  const char *name = v2v_xml_name (n), *type, *local;
  size_t n_local;

  *ret_ns = v2v_xml_ns (n);
  if (!ovf_is_ns (*ret_ns))
    return name;
  if (strcmp (name, "Section") != 0 && strcmp (name, "Content") != 0)
    return name;
  type = v2v_xml_attr (n, OVF_NS_XSI, "type");
  if (type == NULL)
    return name;
  *ret_ns = v2v_xml_qname (n, type, &local);
  n_local = strlen (local);
  if (n_local > 5 && strcmp (local + n_local - 5, "_Type") == 0)
    n_local -= 5;
  if (n_local >= len)
    n_local = len - 1;
  memcpy (buf, local, n_local);
  buf[n_local] = '\0';
  return buf;
}

int
ovf_fail (const struct ovf_ctx *ctx, const struct v2v_xml_node *n,
          enum v2v_error_code code, struct v2v_error **err, const char *fmt,
          ...)
{
  CLEANUP_FREE char *text = NULL, *safe = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  safe = v2v_machine_printable (text);
  if (safe == NULL)
    return v2v_fail_nomem (err);
  return v2v_fail (err, code, "%s: line %ld: %s", ctx->name, v2v_xml_line (n),
                   safe);
}

int
ovf_text (const struct v2v_xml_node *n, char **ret, struct v2v_error **err)
{
  char *text;

  if (n == NULL)
    return 0;
  text = v2v_xml_text (n);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (*text == '\0') {
    free (text);
    return 0;
  }
  free (*ret);
  *ret = text;
  return 0;
}

const struct ovf_disk *
ovf_find_disk (const struct ovf_ctx *ctx, const char *id)
{
  for (size_t i = 0; i < ctx->nr_disks; ++i)
    if (strcmp (ctx->disks[i].id, id) == 0)
      return &ctx->disks[i];
  return NULL;
}

const struct v2v_ovf_file *
ovf_find_file (const struct ovf_ctx *ctx, const char *id)
{
  for (size_t i = 0; i < ctx->ovf->nr_files; ++i)
    if (strcmp (ctx->ovf->files[i].id, id) == 0)
      return &ctx->ovf->files[i];
  return NULL;
}

/* ---- one virtual system ---- */

static bool
has_type (const struct v2v_xml_node *hw, const char *prefix)
{
  const struct v2v_xml_node *sys, *t;

  V2V_XML_EACH (sys, hw)
  {
    if (!ovf_is (sys, "System"))
      continue;
    V2V_XML_EACH (t, sys)
    {
      CLEANUP_FREE char *text = NULL;

      if (strcmp (v2v_xml_name (t), "VirtualSystemType") != 0)
        continue;
      text = v2v_xml_text (t);
      if (text != NULL && strncasecmp (text, prefix, strlen (prefix)) == 0)
        return true;
    }
  }
  return false;
}

/* A system may offer hardware sections for several hypervisors: the first
 * one of VMware's family, else the first.
 */
static int
choose_hardware (struct ovf_ctx *ctx, const struct v2v_xml_node *sys,
                 struct v2v_machine *m, const struct v2v_xml_node **ret,
                 struct v2v_error **err)
{
  const struct v2v_xml_node *n, *first = NULL, *vmx = NULL;
  unsigned count = 0;

  V2V_XML_EACH (n, sys)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (!ovf_is_ns (ns) || strcmp (name, "VirtualHardwareSection") != 0)
      continue;
    count++;
    if (first == NULL)
      first = n;
    if (vmx == NULL && has_type (n, "vmx-"))
      vmx = n;
  }
  if (first == NULL)
    return ovf_fail (ctx, sys, V2V_ERR_FORMAT, err,
                     "virtual system '%s' has no VirtualHardwareSection",
                     m->name);
  *ret = vmx != NULL ? vmx : first;
  if (count > 1 &&
      V2V_FINDING (m, err, V2V_WARNING, "hardware.alternatives", NULL, NULL,
                   "%u hardware sections are offered; the one at line %ld "
                   "is taken",
                   count, v2v_xml_line (*ret)) == -1)
    return -1;
  return 0;
}

static int
add_machine (struct v2v_ovf *ovf, struct v2v_machine *m, struct v2v_error **err)
{
  struct v2v_machine **p =
      reallocarray (ovf->machines, ovf->nr_machines + 1, sizeof *p);

  if (p == NULL)
    return v2v_fail_nomem (err);
  ovf->machines = p;
  p[ovf->nr_machines++] = m;
  return 0;
}

static int
copy_findings (struct v2v_machine *m, const struct v2v_findings *f,
               struct v2v_error **err)
{
  for (size_t i = 0; i < f->len; ++i)
    if (v2v_findings_add (&m->findings, f->ptr[i].severity, f->ptr[i].id,
                          f->ptr[i].subject, f->ptr[i].remedy, "%s",
                          f->ptr[i].message) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

static int
fill_system (struct ovf_ctx *ctx, const struct ovf_scope *scope,
             struct v2v_machine *m, struct v2v_error **err)
{
  const struct v2v_xml_node *sys = scope->node, *n, *hw = NULL, *vbox = NULL;

  if (copy_findings (m, &ctx->findings, err) == -1 ||
      v2v_machine_set (&m->name, scope->id, err) == -1)
    return -1;
  V2V_XML_EACH (n, sys)
  if (ovf_is (n, "Name") && ovf_text (n, &m->name, err) == -1)
    return -1;
  if (m->name == NULL && v2v_machine_set (&m->name, "vm", err) == -1)
    return -1;
  if (choose_hardware (ctx, sys, m, &hw, err) == -1 ||
      ovf_read_properties (ctx, scope, m, err) == -1)
    return -1;
  V2V_XML_EACH (n, sys)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (ovf_is_ns (ns) &&
        (strcmp (name, "VirtualHardwareSection") == 0 ||
         strcmp (name, "Name") == 0 || strcmp (name, "Info") == 0))
      continue;
    if (v2v_xml_is (n, OVF_NS_VBOX, "Machine"))
      vbox = n;
    else if (ovf_read_section (ctx, scope, n, m, &m->findings, err) == -1)
      return -1;
  }
  if (ovf_read_hardware (ctx, hw, m, err) == -1)
    return -1;
  if (vbox != NULL && ovf_read_vbox_machine (ctx, vbox, m, err) == -1)
    return -1;
  return 0;
}

static int
read_system (struct ovf_ctx *ctx, const struct ovf_scope *outer,
             const struct v2v_xml_node *n, struct v2v_error **err)
{
  const struct ovf_scope scope = { .outer = outer,
                                   .node = n,
                                   .id = ovf_attr (n, "id") };
  struct v2v_machine *m;

  if (ctx->ovf->nr_machines == OVF_MAX_MACHINES)
    return ovf_fail (ctx, n, V2V_ERR_FORMAT, err,
                     "more than %d virtual systems", OVF_MAX_MACHINES);
  m = v2v_machine_new (err);
  if (m == NULL)
    return -1;
  if (add_machine (ctx->ovf, m, err) == -1) {
    v2v_machine_free (m);
    return -1;
  }
  if (v2v_machine_set (&m->source_kind, "ovf", err) == -1 ||
      fill_system (ctx, &scope, m, err) == -1)
    return -1;
  v2v_machine_sort_disks (m);
  if (v2v_machine_check_disks (m, err) == -1)
    return v2v_prefix (err, "%s: virtual system at line %ld", ctx->name,
                       v2v_xml_line (n));
  return 0;
}

/* The content of an envelope or a collection.  The depth of collections is
 * bounded by that of the document.
 */
static int
read_content (struct ovf_ctx *ctx, const struct ovf_scope *scope,
              struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  /* Sections first: what they find is copied into the systems. */
  V2V_XML_EACH (n, scope->node)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (ovf_is_ns (ns) &&
        (strcmp (name, "VirtualSystem") == 0 ||
         strcmp (name, "VirtualSystemCollection") == 0 ||
         strcmp (name, "Name") == 0 || strcmp (name, "Info") == 0))
      continue;
    if (ovf_read_section (ctx, scope, n, NULL, &ctx->findings, err) == -1)
      return -1;
  }
  V2V_XML_EACH (n, scope->node)
  {
    char buf[64];
    const char *ns, *name = ovf_section_name (n, buf, sizeof buf, &ns);

    if (!ovf_is_ns (ns))
      continue;
    if (strcmp (name, "VirtualSystem") == 0) {
      if (read_system (ctx, scope, n, err) == -1)
        return -1;
    }
    else if (strcmp (name, "VirtualSystemCollection") == 0) {
      const struct ovf_scope inner = { .outer = scope,
                                       .node = n,
                                       .id = ovf_attr (n, "id") };
      const size_t keep = ctx->findings.len;

      if (read_content (ctx, &inner, err) == -1)
        return -1;
      /* Findings of this collection are not its neighbours'. */
      while (ctx->findings.len > keep) {
        struct v2v_finding *f = &ctx->findings.ptr[--ctx->findings.len];

        free (f->id);
        free (f->subject);
        free (f->message);
        free (f->remedy);
      }
    }
  }
  return 0;
}

static int
read_envelope (struct ovf_ctx *ctx, const struct v2v_xml_node *root,
               struct v2v_error **err)
{
  const struct ovf_scope scope = { .node = root };
  const struct v2v_xml_node *n;
  bool has_content = false;

  if (!ovf_is (root, "Envelope"))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: root element is '%.40s' of namespace '%.80s', "
                     "expected an OVF Envelope",
                     ctx->name, v2v_xml_name (root), v2v_xml_ns (root));
  V2V_XML_EACH (n, root)
  {
    if (ovf_is (n, "References") && ovf_read_references (ctx, n, err) == -1)
      return -1;
    /* A collection may be empty: then there is nothing to convert. */
    if (ovf_is (n, "VirtualSystem") || ovf_is (n, "Content") ||
        ovf_is (n, "VirtualSystemCollection"))
      has_content = true;
  }
  if (ovf_choose_configuration (ctx, root, err) == -1 ||
      read_content (ctx, &scope, err) == -1)
    return -1;
  if (!has_content)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: the envelope has neither a VirtualSystem nor a "
                     "collection",
                     ctx->name);
  return 0;
}

static void
free_ctx (struct ovf_ctx *ctx)
{
  for (size_t i = 0; i < ctx->nr_disks; ++i) {
    free (ctx->disks[i].id);
    free (ctx->disks[i].file_ref);
    free (ctx->disks[i].parent_ref);
    free (ctx->disks[i].format);
  }
  free (ctx->disks);
  for (size_t i = 0; i < ctx->nr_networks; ++i)
    free (ctx->networks[i]);
  free (ctx->networks);
  v2v_findings_clear (&ctx->findings);
}

struct v2v_ovf *
v2v_ovf_parse (const void *text, size_t len, const char *name,
               const char *deployment_option, struct v2v_error **err)
{
  CLEANUP_XML struct v2v_xml *doc = NULL;
  struct ovf_ctx ctx = { .name = name, .wanted = deployment_option };
  int r;

  doc = v2v_xml_parse (text, len, name, err);
  if (doc == NULL)
    return NULL;
  ctx.ovf = calloc (1, sizeof *ctx.ovf);
  if (ctx.ovf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  r = read_envelope (&ctx, v2v_xml_root (doc), err);
  free_ctx (&ctx);
  if (r == -1) {
    v2v_ovf_free (ctx.ovf);
    return NULL;
  }
  return ctx.ovf;
}

void
v2v_ovf_free (struct v2v_ovf *ovf)
{
  if (ovf == NULL)
    return;
  for (size_t i = 0; i < ovf->nr_files; ++i) {
    free (ovf->files[i].id);
    free (ovf->files[i].href);
    free (ovf->files[i].compression);
  }
  free (ovf->files);
  for (size_t i = 0; i < ovf->nr_machines; ++i)
    v2v_machine_free (ovf->machines[i]);
  free (ovf->machines);
  free (ovf->configuration);
  free (ovf);
}
