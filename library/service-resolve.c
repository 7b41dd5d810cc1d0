/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the references of a service template mean in a library, now: a family
 * is its newest object, a name its newest version, a digest is one content.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/digest.h"
#include "inject/guest.h"
#include "library/document-internal.h"
#include "library/service-internal.h"

/* The setting of a VM template that gets the address out of a tier's. */
#define ADDRESS "ADDRESS"

/* ---- references ---- */

/* A version that was asked for by its number is not taken while it is
 * disabled; by name alone an enabled one is found. */
static int
by_name (struct v2v_library *lib, const char *kind,
         const struct v2v_reference *r, char **ret, struct v2v_error **err)
{
  CLEANUP_FREE char *enabled = NULL;

  if (lib_find_named (lib, kind, r->name, r->version, ret, err) == -1)
    return -1;
  if (r->version == -1)
    return 0;
  if (lib_lookup (lib, &enabled, err, "SELECT enabled FROM object WHERE id = ?",
                  *ret, V2V_QUERY_END) == -1)
    return -1;
  if (enabled != NULL && strcmp (enabled, "0") != 0)
    return 0;
  free (STEAL (*ret));
  return v2v_fail (err, V2V_ERR_USAGE,
                   "version %" PRId64 " of the %s '%s' is disabled", r->version,
                   kind, r->name);
}

int
service_resolve (struct v2v_library *lib, enum v2v_object_kind kind,
                 const struct v2v_reference *r, const char *name_space,
                 char **ret_id, char **ret_reason, struct v2v_error **err)
{
  const char *name = v2v_object_kind_name (kind);
  CLEANUP_FREE char *reason = NULL;
  int res;

  if (r->digest != NULL)
    res = lib_find_digest (lib, name, r->digest, ret_id, err);
  else if (r->name != NULL)
    res = by_name (lib, name, r, ret_id, err);
  else if (r->family != NULL)
    res = v2v_library_equivalent (lib, kind, r->family, r->release,
                                  name_space ? name_space : "", ret_id, &reason,
                                  err);
  else if (r->id != NULL)
    res = v2v_library_find (lib, r->id, ret_id, err);
  else
    res = v2v_fail (err, V2V_ERR_USAGE,
                    "a reference to a %s without name, digest, family or id",
                    name);
  if (res == 0 && *ret_id == NULL)
    res = v2v_fail (err, V2V_ERR_USAGE,
                    "no %s of the library has the digest %s", name, r->digest);
  if (res == 0 && ret_reason != NULL)
    *ret_reason = STEAL (reason);
  return res;
}

/* ---- settings ---- */

static bool
has_setting (const struct v2v_document *vm, const char *name)
{
  for (size_t i = 0; i < vm->vm_template.nr_settings; ++i)
    if (strcmp (vm->vm_template.settings[i].name, name) == 0)
      return true;
  return false;
}

int
service_settings_for (const struct v2v_document *vm,
                      const struct v2v_service_template *service,
                      char *const *values, const char *address,
                      struct v2v_setting_value **ret, size_t *ret_nr,
                      struct v2v_error **err)
{
  struct v2v_setting_value *list =
      calloc (service->nr_settings + 1, sizeof *list);
  size_t n = 0;

  if (list == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < service->nr_settings; ++i) {
    const char *name = service->settings[i].name;

    if (values[i][0] != '\0' && has_setting (vm, name) &&
        (address == NULL || strcmp (name, ADDRESS) != 0))
      list[n++] = (struct v2v_setting_value){ name, values[i] };
  }
  if (address != NULL)
    list[n++] = (struct v2v_setting_value){ ADDRESS, address };
  *ret = list;
  *ret_nr = n;
  return 0;
}

/* ---- one tier ---- */

struct resolving {
  struct v2v_library *lib;
  const char *service;
  const struct v2v_document *document;
  char *const *values;
  const char *name_space;
  lib_strings *reasons;
};

static int
add_reason (const struct resolving *r, const char *tier, const char *reason,
            struct v2v_error **err)
{
  char *line = NULL;

  if (reason == NULL)
    return 0;
  if (asprintf (&line, "tier %s: %s", tier, reason) == -1)
    return v2v_fail_nomem (err);
  if (lib_strings_append (r->reasons, line) == -1) {
    free (line);
    return v2v_fail_nomem (err);
  }
  return 0;
}

/* The object of a reference that may be empty. */
static int
resolve_one (const struct resolving *r, const char *tier,
             enum v2v_object_kind kind, const struct v2v_reference *ref,
             char **ret_id, struct v2v_error **err)
{
  CLEANUP_FREE char *reason = NULL;

  if (!record_any (&document_reference, ref))
    return 0;
  if (service_resolve (r->lib, kind, ref, r->name_space, ret_id, &reason,
                       err) == -1)
    return v2v_prefix (err, "tier %s", tier);
  return add_reason (r, tier, reason, err);
}

static struct v2v_document *
read_template (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  size_t len = 0;
  CLEANUP_FREE char *text =
      v2v_library_read_text (lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);
  struct v2v_document *d =
      text != NULL ? v2v_document_parse (text, len, id, err) : NULL;

  if (d != NULL && d->kind != V2V_DOCUMENT_VM_TEMPLATE) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: it is a %s, expected a vm-template", id,
              v2v_document_kind_name (d->kind));
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

/* Would the VM template take what the service gives it?  Said before anything
 * is made. */
static int
check_settings (const struct resolving *r, const struct v2v_tier *t,
                const struct v2v_document *vm, struct v2v_str *all,
                struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_setting_value *given = NULL;
  CLEANUP_FREE char *address = NULL;
  char **resolved = NULL;
  size_t nr = 0, room = 0;

  if (t->addresses != NULL) {
    if (service_pool_count (t->addresses, &room, err) == -1 ||
        service_pool_nth (t->addresses, 0, &address, err) == -1)
      return -1;
    if (room < service_limits (t).maximum)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%zu addresses for up to %u machines", room,
                       service_limits (t).maximum);
    if (!has_setting (vm, ADDRESS))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "it has addresses, and the template '%s' has no "
                       "setting " ADDRESS " to take one",
                       vm->head.name);
  }
  if (service_settings_for (vm, &r->document->service, r->values, address,
                            &given, &nr, err) == -1 ||
      v2v_settings_resolve (vm, given, nr, &resolved, err) == -1)
    return v2v_prefix (err, "template '%s'", vm->head.name);
  v2v_guest_free_list (resolved);
  for (size_t i = 0; i < nr; ++i)
    if (strcmp (given[i].name, ADDRESS) != 0 &&
        v2v_str_printf (all, "%s=%s\n", given[i].name, given[i].value) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

/* The digest of an object, "" of none. */
static int
object_digest (struct v2v_library *lib, const char *id, char **ret,
               struct v2v_error **err)
{
  if (id == NULL) {
    *ret = strdup ("");
    return *ret == NULL ? v2v_fail_nomem (err) : 0;
  }
  return lib_lookup (lib, ret, err, "SELECT digest FROM object WHERE id = ?",
                     id, V2V_QUERY_END);
}

static int
finish_tier (const struct resolving *r, struct service_tier *t,
             struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *vm =
      read_template (r->lib, t->vm_template, err);
  CLEANUP_FREE char *hardware = NULL, *guest_os = NULL;
  const char *pool = t->tier->addresses != NULL ? t->tier->addresses : "";
  CLEANUP_STR struct v2v_str all = V2V_STR_INIT;
  uint8_t digest[V2V_SHA256_SIZE];

  if (vm == NULL ||
      object_digest (r->lib, t->vm_template, &t->template_digest, err) == -1 ||
      object_digest (r->lib, t->hardware, &hardware, err) == -1 ||
      object_digest (r->lib, t->guest_os, &guest_os, err) == -1)
    return -1;
  t->windows = vm->head.os != NULL && strcasestr (vm->head.os, "windows");
  t->pattern =
      service_pattern (r->service, r->document->service.computer_prefix,
                       t->tier, vm->vm_template.computer_name, err);
  t->fingerprint = malloc (2 * V2V_SHA256_SIZE + 1);
  if (t->pattern == NULL)
    return -1;
  if (t->fingerprint == NULL || t->template_digest == NULL ||
      hardware == NULL || guest_os == NULL)
    return v2v_fail_nomem (err);
  /* None of them has more than one line. */
  if (v2v_str_printf (&all, "%s\n%s\n%s\n%s\n", t->template_digest, hardware,
                      guest_os, pool) == -1)
    return v2v_fail_nomem (err);
  if (check_settings (r, t->tier, vm, &all, err) == -1)
    return -1;
  v2v_sha256 (all.ptr, all.len, digest);
  v2v_hex (digest, sizeof digest, t->fingerprint);
  return 0;
}

static int
resolve_tier (const struct resolving *r, struct service_tier *t,
              struct v2v_error **err)
{
  const struct v2v_tier *tier = t->tier;

  if (resolve_one (r, tier->name, V2V_OBJECT_VM_TEMPLATE, &tier->vm_template,
                   &t->vm_template, err) == -1 ||
      resolve_one (r, tier->name, V2V_OBJECT_HARDWARE_PROFILE, &tier->hardware,
                   &t->hardware, err) == -1 ||
      resolve_one (r, tier->name, V2V_OBJECT_GUEST_OS_PROFILE, &tier->guest_os,
                   &t->guest_os, err) == -1)
    return -1;
  t->scripts = calloc (tier->nr_scripts + 1, sizeof *t->scripts);
  if (t->scripts == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < tier->nr_scripts; ++i)
    if (resolve_one (r, tier->name, V2V_OBJECT_SCRIPT, &tier->scripts[i].object,
                     &t->scripts[i], err) == -1)
      return -1;
  return finish_tier (r, t, err) == -1 ? v2v_prefix (err, "tier %s", tier->name)
                                       : 0;
}

int
service_resolve_tiers (struct v2v_library *lib, const char *service,
                       const struct v2v_document *document, char *const *values,
                       const char *name_space, struct service_tiers *ret,
                       lib_strings *reasons, struct v2v_error **err)
{
  const struct resolving r = { lib,    service,    document,
                               values, name_space, reasons };
  const struct v2v_service_template *s = &document->service;
  struct service_tiers tiers = { .ptr = calloc (s->nr_tiers + 1,
                                                sizeof *tiers.ptr) };

  if (tiers.ptr == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < s->nr_tiers; ++i) {
    tiers.ptr[tiers.len++].tier = &s->tiers[i];
    if (resolve_tier (&r, &tiers.ptr[i], err) == -1) {
      service_tiers_clear (&tiers);
      return -1;
    }
  }
  *ret = tiers;
  return 0;
}
