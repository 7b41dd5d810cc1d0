/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML documents that come in: what they say of themselves becomes the fields of
 * the object, and what they refer to by name or content its relations.  A
 * family is resolved when the template is deployed.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/document.h"
#include "library/library-internal.h"

struct lib_document {
  struct v2v_document *doc;
  char version[24];
  char *tags;
};

void
lib_document_free (struct lib_document *d)
{
  if (d == NULL)
    return;
  v2v_document_free (d->doc);
  free (d->tags);
  free (d);
}

/* ---- references ---- */

static int
relate (struct lib_item *item, const char *role, const char *label, char *to,
        struct v2v_error **err)
{
  struct lib_relation r = { .role = strdup (role),
                            .label = strdup (label ? label : ""),
                            .to = to };

  if (r.role && r.label && r.to &&
      lib_relations_append (&item->relations, r) == 0)
    return 0;
  free (r.role);
  free (r.label);
  free (r.to);
  return v2v_fail_nomem (err);
}

static int
find_by_name (struct v2v_library *lib, const char *kind, const char *name,
              char **ret_id, struct v2v_error **err)
{
  CLEANUP_FREE char *full = NULL;

  if (asprintf (&full, "%s/%s", kind, name) == -1) {
    full = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_library_find (lib, full, ret_id, NULL) == 0)
    return 0;
  return v2v_library_find (lib, name, ret_id, err);
}

static int
find_by_digest (struct v2v_library *lib, const char *kind, const char *digest,
                char **ret_id, struct v2v_error **err)
{
  const struct v2v_library_filter filter = { .kind = kind, .digest = digest };
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };

  if (v2v_library_list (lib, &filter, &list, err) == -1)
    return -1;
  if (list.len == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "no %s of the library has the digest %s", kind, digest);
  *ret_id = strdup (list.ptr[0].id);
  return *ret_id ? 0 : v2v_fail_nomem (err);
}

/* ROLE is what the object is to the document, KIND what it must be. */
static int
add (struct v2v_library *lib, struct lib_item *item,
     const struct v2v_reference *to, const char *role, const char *label,
     const char *kind, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  char *id = NULL;
  int r;

  if (to->name == NULL && to->digest == NULL)
    return 0;
  r = to->digest != NULL ? find_by_digest (lib, kind, to->digest, &id, &e)
                         : find_by_name (lib, kind, to->name, &id, &e);
  if (r == 0)
    return relate (item, role, label, id, err);
  if (v2v_error_code (e) != V2V_ERR_USAGE)
    return v2v_error_move (err, e);
  /* A file: as a disk whose parent is not here, which may come.  A text: what
   * the user has just said. */
  v2v_fail (err,
            item->files.ptr[0].path != NULL ? V2V_ERR_MISMATCH : V2V_ERR_USAGE,
            "%s '%s': its %s: %s", v2v_object_kind_name (item->kind),
            item->name, role, v2v_error_message (e));
  v2v_error_free (e);
  return v2v_hint (err, "import that first");
}

static int
add_profiles (struct v2v_library *lib, struct lib_item *item,
              const struct v2v_reference *hardware,
              const struct v2v_reference *guest_os, const char *label,
              struct v2v_error **err)
{
  return add (lib, item, hardware, "hardware-profile", label,
              "hardware-profile", err) == -1 ||
                 add (lib, item, guest_os, "guest-os-profile", label,
                      "guest-os-profile", err) == -1
             ? -1
             : 0;
}

static int
add_tier (struct v2v_library *lib, struct lib_item *item,
          const struct v2v_tier *t, struct v2v_error **err)
{
  if (add (lib, item, &t->vm_template, "vm-template", t->name, "vm-template",
           err) == -1 ||
      add_profiles (lib, item, &t->hardware, &t->guest_os, t->name, err) == -1)
    return -1;
  for (size_t i = 0; i < t->nr_scripts; ++i)
    if (add (lib, item, &t->scripts[i].object, "script", t->name, "script",
             err) == -1)
      return -1;
  return 0;
}

static int
add_references (struct v2v_library *lib, struct lib_item *item,
                const struct v2v_document *d, struct v2v_error **err)
{
  const struct v2v_vm_template *t = &d->vm_template;

  if (d->kind == V2V_DOCUMENT_SERVICE) {
    for (size_t i = 0; i < d->service.nr_tiers; ++i)
      if (add_tier (lib, item, &d->service.tiers[i], err) == -1)
        return -1;
    return 0;
  }
  if (d->kind != V2V_DOCUMENT_VM_TEMPLATE)
    return 0;
  if (add_profiles (lib, item, &t->hardware, &t->guest_os, "", err) == -1 ||
      add (lib, item, &t->capability, "capability-profile", "",
           "capability-profile", err) == -1)
    return -1;
  for (size_t i = 0; i < t->nr_disks; ++i)
    if (add (lib, item, &t->disks[i].object, "disk", t->disks[i].name, "disk",
             err) == -1)
      return -1;
  return 0;
}

/* ---- fields ---- */

static char *
join (v2v_strings words)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  if (v2v_str_append (&s, "") == -1)
    return NULL;
  for (size_t i = 0; words != NULL && words[i] != NULL; ++i)
    if (v2v_str_printf (&s, "%s%s", i > 0 ? "," : "", words[i]) == -1)
      return NULL;
  return STEAL (s.ptr);
}

void
lib_document_fields (const struct lib_document *d, struct v2v_library_set *set)
{
  const struct v2v_document_head *h = &d->doc->head;
  const struct {
    const char **field;
    const char *value;
  } fields[] = {
    { &set->name, h->name },
    { &set->version, d->version[0] ? d->version : NULL },
    { &set->name_space, h->name_space },
    { &set->family, h->family },
    { &set->release, h->release },
    { &set->os, h->os },
    { &set->owner, h->owner },
    { &set->description, h->description },
    { &set->add_tags, d->tags[0] ? d->tags : NULL },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (fields); ++i)
    if (*fields[i].field == NULL)
      *fields[i].field = fields[i].value;
}

/* ---- the document ---- */

static struct v2v_document *
read_document (const struct lib_file *f, struct v2v_error **err)
{
  return f->path != NULL ? v2v_document_load (f->path, err)
                         : v2v_document_parse (f->bytes, f->len, f->name, err);
}

int
lib_document_read (struct v2v_library *lib, struct lib_item *item,
                   struct lib_document **ret, struct v2v_error **err)
{
  struct lib_document *d;

  *ret = NULL;
  if (item->kind < V2V_OBJECT_HARDWARE_PROFILE ||
      item->kind > V2V_OBJECT_SERVICE_TEMPLATE || item->files.len != 1)
    return 0;
  d = calloc (1, sizeof *d);
  if (d == NULL)
    return v2v_fail_nomem (err);
  d->doc = read_document (&item->files.ptr[0], err);
  if (d->doc == NULL || add_references (lib, item, d->doc, err) == -1) {
    lib_document_free (d);
    return -1;
  }
  d->tags = join (d->doc->head.tags);
  if (d->tags == NULL) {
    lib_document_free (d);
    return v2v_fail_nomem (err);
  }
  if (d->doc->head.version != -1)
    snprintf (d->version, sizeof d->version, "%" PRId64, d->doc->head.version);
  *ret = d;
  return 0;
}
