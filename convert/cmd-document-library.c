/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --library of `v2v profile` and `v2v template`: documents are read from a
 * library by name, and new ones are stored in it with what they refer to.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd-document.h"

int
document_open_library (struct document_args *a, struct v2v_error **err)
{
  if (a->library == NULL)
    return 0;
  a->lib = v2v_library_open (a->library, err);
  return a->lib == NULL ? -1 : 0;
}

/* The id of the object of KIND that is called REF: "NAME", "KIND/NAME" or an
 * id.  A name alone means one of that kind. */
static int
find (struct v2v_library *lib, const char *ref, const char *kind, char **ret_id,
      struct v2v_error **err)
{
  CLEANUP_FREE char *full = NULL;

  if (asprintf (&full, "%s/%s", kind, ref) == -1) {
    full = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_library_find (lib, full, ret_id, NULL) == 0)
    return 0;
  return v2v_library_find (lib, ref, ret_id, err);
}

struct v2v_document *
document_from_library (struct v2v_library *lib, const char *ref,
                       const enum v2v_document_kind *kinds, size_t nr_kinds,
                       struct v2v_error **err)
{
  CLEANUP_FREE char *id = NULL, *text = NULL;
  size_t len;

  for (size_t i = 0; id == NULL && i < nr_kinds; ++i)
    if (find (lib, ref, v2v_document_kind_name (kinds[i]), &id,
              i + 1 == nr_kinds ? err : NULL) == -1 &&
        i + 1 == nr_kinds)
      return NULL;
  text = v2v_library_read_text (lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);
  return text == NULL ? NULL : v2v_document_parse (text, len, ref, err);
}

/* ---- storing ---- */

/* What a document refers to, as relations of the new object. */
struct relations {
  struct v2v_import_relation ptr[64];
  char *ids[64];
  size_t len;
};

static void
relations_clear (struct relations *r)
{
  for (size_t i = 0; i < r->len; ++i)
    free (r->ids[i]);
}

/* By name or by digest; a family is resolved when the template is deployed. */
static int
add_relation (struct relations *r, struct v2v_library *lib,
              const struct v2v_reference *to, const char *role,
              const char *label, const char *kind, struct v2v_error **err)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  char *id = NULL;

  if (to->name == NULL && to->digest == NULL)
    return 0;
  if (r->len == V2V_ARRAY_SIZE (r->ptr))
    return v2v_fail (err, V2V_ERR_USAGE, "it refers to more than %zu objects",
                     r->len);
  if (to->name != NULL) {
    if (find (lib, to->name, kind, &id, err) == -1)
      return v2v_prefix (err, "%s", role);
  }
  else {
    const struct v2v_library_filter filter = { .kind = kind,
                                               .digest = to->digest };

    if (v2v_library_list (lib, &filter, &list, err) == -1)
      return -1;
    if (list.len == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: no %s of the library has the digest %s", role, kind,
                       to->digest);
    id = strdup (list.ptr[0].id);
    if (id == NULL)
      return v2v_fail_nomem (err);
  }
  r->ids[r->len] = id;
  r->ptr[r->len++] = (struct v2v_import_relation){ role, label, id };
  return 0;
}

static int
add_profiles (struct relations *r, struct v2v_library *lib,
              const struct v2v_reference *hardware,
              const struct v2v_reference *guest_os, const char *label,
              struct v2v_error **err)
{
  return add_relation (r, lib, hardware, "hardware-profile", label,
                       "hardware-profile", err) == -1 ||
                 add_relation (r, lib, guest_os, "guest-os-profile", label,
                               "guest-os-profile", err) == -1
             ? -1
             : 0;
}

static int
add_tier (struct relations *r, struct v2v_library *lib,
          const struct v2v_tier *t, struct v2v_error **err)
{
  if (add_relation (r, lib, &t->vm_template, "vm-template", t->name,
                    "vm-template", err) == -1 ||
      add_profiles (r, lib, &t->hardware, &t->guest_os, t->name, err) == -1)
    return -1;
  for (size_t i = 0; i < t->nr_scripts; ++i)
    if (add_relation (r, lib, &t->scripts[i].object, "script", t->name,
                      "script", err) == -1)
      return -1;
  return 0;
}

static int
add_relations (struct relations *r, struct v2v_library *lib,
               const struct v2v_document *d, struct v2v_error **err)
{
  const struct v2v_vm_template *t = &d->vm_template;

  if (d->kind == V2V_DOCUMENT_SERVICE) {
    for (size_t i = 0; i < d->service.nr_tiers; ++i)
      if (add_tier (r, lib, &d->service.tiers[i], err) == -1)
        return -1;
    return 0;
  }
  if (d->kind != V2V_DOCUMENT_VM_TEMPLATE)
    return 0;
  if (add_profiles (r, lib, &t->hardware, &t->guest_os, "", err) == -1 ||
      add_relation (r, lib, &t->capability, "capability-profile", "",
                    "capability-profile", err) == -1)
    return -1;
  for (size_t i = 0; i < t->nr_disks; ++i)
    if (add_relation (r, lib, &t->disks[i].object, "disk", t->disks[i].name,
                      "disk", err) == -1)
      return -1;
  return 0;
}

static char *
join (v2v_strings words)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; words != NULL && words[i] != NULL; ++i)
    if (v2v_str_printf (&s, "%s%s", i > 0 ? "," : "", words[i]) == -1)
      return NULL;
  return STEAL (s.ptr);
}

static int
store (struct v2v_library *lib, const struct v2v_document *d,
       const struct relations *r, char **ret_id, struct v2v_error **err)
{
  const struct v2v_document_head *h = &d->head;
  CLEANUP_FREE char *text = NULL, *safe = v2v_safe_name (h->name);
  CLEANUP_FREE char *file = NULL, *tags = join (h->tags);
  char version[24] = "";
  struct v2v_import_opts opts = {
    .kind = v2v_document_kind_name (d->kind),
    .set = { .name = h->name,
             .version = version,
             .name_space = h->name_space,
             .family = h->family,
             .release = h->release,
             .os = h->os,
             .owner = h->owner,
             .description = h->description,
             .add_tags = tags },
    .relations = r->ptr,
    .nr_relations = r->len,
  };
  struct v2v_import_result result = { 0 };
  size_t len;

  if (safe == NULL || asprintf (&file, "%s.xml", safe) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  if (h->version != -1)
    snprintf (version, sizeof version, "%" PRId64, h->version);
  text = v2v_document_print (d, &len, err);
  if (text == NULL ||
      v2v_library_import_text (lib, file, text, len, &opts, &result, err) == -1)
    return -1;
  *ret_id = STEAL (result.id);
  v2v_import_result_clear (&result);
  return 0;
}

int
document_store (const struct cli *cli, struct v2v_library *lib,
                const struct v2v_document *d, struct v2v_error **err)
{
  __attribute__ ((cleanup (relations_clear))) struct relations r = { .len = 0 };
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *id = NULL, *name = NULL;

  if (add_relations (&r, lib, d, err) == -1 ||
      store (lib, d, &r, &id, err) == -1)
    return -1;
  if (cli->json) {
    o = v2v_document_to_json (d);
    v2v_json_set_string (o, "object", id);
    return cmd_print_json (o, err);
  }
  name = cmd_printable (d->head.name);
  printf ("%s  %s/%s\n", id, v2v_document_kind_name (d->kind),
          name ? name : "?");
  return 0;
}
