/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Template, profiles and disks of a machine: which objects of the library are
 * meant, why these, and what is in them.
 */

#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "library/deploy-internal.h"

int
deploy_reason (struct deploy_plan *p, struct v2v_error **err, const char *fmt,
               ...)
{
  CLEANUP_FREE char *text = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_json_append (p->reasons, v2v_json_new_string (text)) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

/* ---- which object ---- */

static int
refuse_disabled (const struct v2v_object *o, struct v2v_error **err)
{
  if (o->enabled)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE,
            "%s '%s' is disabled: no new machine is made "
            "of it",
            v2v_object_kind_name (o->kind), o->name);
  return v2v_hint (err, "'v2v library set --enable %.8s'", o->id);
}

int
lib_find_digest (struct v2v_library *lib, const char *kind, const char *digest,
                 char **ret_id, struct v2v_error **err)
{
  const struct v2v_library_filter filter = { .kind = kind, .digest = digest };
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  size_t best = 0;

  if (v2v_library_list (lib, &filter, &list, err) == -1)
    return -1;
  if (list.len == 0)
    return 0;
  while (best + 1 < list.len && !list.ptr[best].enabled)
    best++;
  *ret_id = strdup (list.ptr[best].id);
  return *ret_id != NULL ? 0 : v2v_fail_nomem (err);
}

int
lib_find_named (struct v2v_library *lib, const char *kind, const char *name,
                int64_t version, char **ret_id, struct v2v_error **err)
{
  CLEANUP_FREE char *full = NULL, *text = NULL;
  CLEANUP_QUERY struct v2v_query *q = NULL;
  int r;

  if (version == -1) {
    if (asprintf (&full, "%s/%s", kind, name) == -1) {
      full = NULL;
      return v2v_fail_nomem (err);
    }
    return v2v_library_find (lib, full, ret_id, err);
  }
  if (asprintf (&text, "%" PRId64, version) == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  q = v2v_query_new (lib->cat,
                     "SELECT id FROM object WHERE kind = ? AND name = ? AND "
                     "version = ? ORDER BY enabled DESC, created DESC",
                     err);
  if (q == NULL)
    return -1;
  v2v_query_text (q, kind);
  v2v_query_text (q, name);
  v2v_query_text (q, text);
  r = v2v_query_step (q, err);
  if (r == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the library has no version %s of the %s '%s'", text, kind,
                     name);
  if (r == -1)
    return -1;
  *ret_id = strdup (v2v_query_get_text (q, 0));
  return *ret_id != NULL ? 0 : v2v_fail_nomem (err);
}

/* The content is what counts, then the name, then the family. */
static int
find_referred (struct v2v_library *lib, struct deploy_plan *p,
               const struct v2v_reference *ref, enum v2v_object_kind kind,
               const char *what, char **ret_id, struct v2v_error **err)
{
  const char *word = v2v_object_kind_name (kind);
  CLEANUP_FREE char *id = NULL, *reason = NULL;

  if (ref->digest != NULL) {
    if (lib_find_digest (lib, word, ref->digest, &id, err) == -1)
      return -1;
    if (id == NULL && kind == V2V_OBJECT_DISK)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: no disk of the library has the digest %s", what,
                       ref->digest);
    if (id != NULL &&
        deploy_reason (p, err, "%s: %.8s has the content that is asked for",
                       what, id) == -1)
      return -1;
  }
  if (id == NULL && ref->name != NULL) {
    if (lib_find_named (lib, word, ref->name, ref->version, &id, err) == -1)
      return v2v_prefix (err, "%s", what);
    if (deploy_reason (p, err, "%s: %.8s is %s '%s'", what, id,
                       ref->version == -1 ? "the newest version of" : "called",
                       ref->name) == -1)
      return -1;
  }
  if (id == NULL && ref->family != NULL) {
    if (v2v_library_equivalent (lib, kind, ref->family, ref->release,
                                p->opts->name_space, &id, &reason, err) == -1)
      return v2v_prefix (err, "%s", what);
    if (deploy_reason (p, err, "%s: %s", what, reason) == -1)
      return -1;
  }
  if (id == NULL && ref->id != NULL) {
    if (v2v_library_find (lib, ref->id, &id, err) == -1)
      return v2v_prefix (err, "%s", what);
    if (deploy_reason (p, err, "%s: %.8s has that id", what, id) == -1)
      return -1;
  }
  if (id == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: nothing says which object of the library it is",
                     what);
  *ret_id = STEAL (id);
  return 0;
}

static bool
is_said (const struct v2v_reference *r)
{
  return record_any (&document_reference, r);
}

/* An object of KIND that is called REF by the user. */
static int
find_called (struct v2v_library *lib, const char *ref,
             enum v2v_object_kind kind, char **ret_id, struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_FREE char *full = NULL;

  if (asprintf (&full, "%s/%s", v2v_object_kind_name (kind), ref) == -1) {
    full = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_library_find (lib, full, ret_id, NULL) == 0)
    return 0;
  if (v2v_library_find (lib, ref, ret_id, err) == -1)
    return -1;
  if (v2v_library_object (lib, *ret_id, &o, err) == -1)
    return -1;
  if (o.kind == kind)
    return 0;
  free (STEAL (*ret_id));
  return v2v_fail (err, V2V_ERR_USAGE, "'%s' is a %s, expected a %s", ref,
                   v2v_object_kind_name (o.kind), v2v_object_kind_name (kind));
}

/* ---- documents ---- */

static void
document_entry_free (struct deploy_document *d)
{
  free (d->ref);
  free (d->id);
  free (d->name);
  free (d->version);
  free (d->digest);
  v2v_document_free (d->document);
  free (d);
}

static int
fill_document (struct v2v_library *lib, const char *id,
               enum v2v_document_kind kind, struct deploy_document *d,
               struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_FREE char *text = NULL;
  uint8_t digest[V2V_SHA256_SIZE];
  char hex[2 * V2V_SHA256_SIZE + 1];
  size_t len;

  if (v2v_library_object (lib, id, &o, err) == -1 ||
      lib_need (lib, o.name_space, V2V_ROLE_DEPLOY, o.name, err) == -1 ||
      refuse_disabled (&o, err) == -1)
    return -1;
  text = v2v_library_read_text (lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);
  d->document =
      text != NULL ? v2v_document_parse (text, len, o.name, err) : NULL;
  if (d->document == NULL)
    return -1;
  if (d->document->kind != kind)
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is a %s, expected a %s", o.name,
                     v2v_document_kind_name (d->document->kind),
                     v2v_document_kind_name (kind));
  if (v2v_document_digest (d->document, digest, err) == -1)
    return -1;
  v2v_hex (digest, sizeof digest, hex);
  d->id = strdup (id);
  d->name = strdup (o.name);
  d->version = strdup (o.version);
  if (asprintf (&d->digest, "sha256:%s", hex) == -1)
    d->digest = NULL;
  return d->id != NULL && d->name != NULL && d->version != NULL &&
                 d->digest != NULL
             ? 0
             : v2v_fail_nomem (err);
}

static int
load_document (struct v2v_library *lib, struct deploy_cache *cache,
               const char *id, enum v2v_document_kind kind,
               const struct deploy_document **ret, struct v2v_error **err)
{
  struct deploy_document *d;

  for (size_t i = 0; i < cache->documents.len; ++i)
    if (strcmp (cache->documents.ptr[i]->id, id) == 0 &&
        cache->documents.ptr[i]->document->kind == kind) {
      *ret = cache->documents.ptr[i];
      return 0;
    }
  d = calloc (1, sizeof *d);
  if (d == NULL)
    return v2v_fail_nomem (err);
  if (fill_document (lib, id, kind, d, err) == -1) {
    document_entry_free (d);
    return -1;
  }
  if (deploy_documents_append (&cache->documents, d) == -1) {
    document_entry_free (d);
    return v2v_fail_nomem (err);
  }
  *ret = d;
  return 0;
}

/* The document that CALLED (by the user) or REF (by a template) means; *RET
 * stays NULL when neither says one. */
static int
choose_document (struct v2v_library *lib, struct deploy_cache *cache,
                 struct deploy_plan *p, const char *called,
                 const struct v2v_reference *ref, enum v2v_object_kind object,
                 enum v2v_document_kind kind,
                 const struct deploy_document **ret, struct v2v_error **err)
{
  const char *what = v2v_document_kind_name (kind);
  CLEANUP_FREE char *id = NULL;

  if (called != NULL) {
    if (find_called (lib, called, object, &id, err) == -1)
      return -1;
  }
  else if (ref == NULL || !is_said (ref))
    return 0;
  else if (find_referred (lib, p, ref, object, what, &id, err) == -1)
    return -1;
  if (load_document (lib, cache, id, kind, ret, err) == -1)
    return -1;
  /* Named by its content and found by its name: it was changed since. */
  if (called == NULL && ref->digest != NULL &&
      strcmp (ref->digest, (*ret)->digest) != 0)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "%s '%s': its content is %s, the template was made with "
                     "%s",
                     what, (*ret)->name, (*ret)->digest, ref->digest);
  return 0;
}

static struct v2v_document *
copy_document (const struct v2v_document *d, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = v2v_document_to_json (d);

  if (j == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return v2v_document_from_json (j, d->kind, d->head.name, err);
}

/* ---- disks ---- */

static void
base_free (struct deploy_base *b)
{
  v2v_image_close (b->image);
  v2v_object_clear (&b->object);
  lib_strings_clear (&b->chain);
  free (b->path);
  free (b->relative);
  free (b->absolute);
  free (b->id);
  free (b);
}

void
deploy_cache_clear (struct deploy_cache *c)
{
  for (size_t i = 0; i < c->bases.len; ++i)
    base_free (c->bases.ptr[i]);
  for (size_t i = 0; i < c->documents.len; ++i)
    document_entry_free (c->documents.ptr[i]);
  free (c->bases.ptr);
  free (c->documents.ptr);
  memset (c, 0, sizeof *c);
}

static int
find_chain (struct v2v_library *lib, struct deploy_base *b,
            struct v2v_error **err)
{
  char *id = strdup (b->id);

  while (id != NULL) {
    if (b->chain.len >= V2V_MAX_CHAIN ||
        lib_strings_append (&b->chain, id) == -1) {
      free (id);
      return b->chain.len >= V2V_MAX_CHAIN
                 ? v2v_fail (err, V2V_ERR_FORMAT,
                             "'%s': more than %d parents, or a loop",
                             b->object.name, V2V_MAX_CHAIN)
                 : v2v_fail_nomem (err);
    }
    if (lib_lookup (lib, &id, err,
                    "SELECT other FROM relation WHERE object = ? AND "
                    "role = 'parent'",
                    b->chain.ptr[b->chain.len - 1], V2V_QUERY_END) == -1)
      return -1;
  }
  return b->chain.len > 0 ? 0 : v2v_fail_nomem (err);
}

static int
fill_base (struct v2v_library *lib, const char *id, struct deploy_base *b,
           struct v2v_error **err)
{
  if (v2v_library_object (lib, id, &b->object, err) == -1 ||
      lib_need (lib, b->object.name_space, V2V_ROLE_DEPLOY, b->object.name,
                err) == -1 ||
      refuse_disabled (&b->object, err) == -1)
    return -1;
  if (b->object.kind != V2V_OBJECT_DISK)
    return v2v_fail (err, V2V_ERR_USAGE, "'%s' is a %s, expected a disk",
                     b->object.name, v2v_object_kind_name (b->object.kind));
  b->id = strdup (id);
  if (b->id == NULL)
    return v2v_fail_nomem (err);
  b->path = v2v_library_path (lib, id, NULL, err);
  if (b->path == NULL || find_chain (lib, b, err) == -1)
    return -1;
  b->image = v2v_library_open_disk (lib, id, err);
  if (b->image == NULL)
    return -1;
  return v2v_evidence_gather (b->image, &b->evidence, err) == -1
             ? v2v_prefix (err, "%s", b->path)
             : 0;
}

int
deploy_load_base (struct v2v_library *lib, struct deploy_cache *cache,
                  const char *id, struct deploy_base **ret,
                  struct v2v_error **err)
{
  struct deploy_base *b;

  for (size_t i = 0; i < cache->bases.len; ++i)
    if (strcmp (cache->bases.ptr[i]->id, id) == 0) {
      *ret = cache->bases.ptr[i];
      return 0;
    }
  b = calloc (1, sizeof *b);
  if (b == NULL)
    return v2v_fail_nomem (err);
  if (fill_base (lib, id, b, err) == -1) {
    base_free (b);
    return -1;
  }
  if (deploy_bases_append (&cache->bases, b) == -1) {
    base_free (b);
    return v2v_fail_nomem (err);
  }
  *ret = b;
  return 0;
}

static int
add_template_disk (struct v2v_library *lib, struct deploy_cache *cache,
                   struct deploy_plan *p, const struct v2v_template_disk *t,
                   struct v2v_error **err)
{
  struct deploy_disk d = {
    .storage = t->storage != 0 ? t->storage : V2V_STORAGE_DIFFERENCING,
    .boot = t->boot == V2V_YES,
    .placed = t->bus != 0,
    .place = { .bus = t->bus == V2V_HARDWARE_IDE ? V2V_HYPERV_IDE
                                                 : V2V_HYPERV_SCSI,
               .controller = t->controller != -1 ? (unsigned) t->controller : 0,
               .location = t->location != -1 ? (unsigned) t->location : 0 },
  };
  CLEANUP_FREE char *what = NULL, *id = NULL;

  if (d.storage == V2V_STORAGE_BLANK)
    d.size_bytes = (uint64_t) t->size_gib * V2V_GIB;
  else {
    if (asprintf (&what, "disk '%s'", t->name) == -1) {
      what = NULL;
      return v2v_fail_nomem (err);
    }
    if (!is_said (&t->object)) {
      v2v_fail (err, V2V_ERR_USAGE,
                "%s: the template names a file, '%s', and no object of the "
                "library",
                what, t->file);
      return v2v_hint (err, "'v2v template create --library' makes one whose "
                            "disks are objects");
    }
    if (find_referred (lib, p, &t->object, V2V_OBJECT_DISK, what, &id, err) ==
            -1 ||
        deploy_load_base (lib, cache, id, &d.base, err) == -1)
      return -1;
  }
  return deploy_disks_append (&p->disks, d) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
add_disks (struct v2v_library *lib, struct deploy_cache *cache,
           struct deploy_plan *p, struct v2v_error **err)
{
  const struct v2v_document *t =
      p->vm_template != NULL ? p->vm_template->document : NULL;

  for (size_t i = 0; t != NULL && i < t->vm_template.nr_disks; ++i)
    if (add_template_disk (lib, cache, p, &t->vm_template.disks[i], err) == -1)
      return -1;
  for (size_t i = 0; i < p->opts->nr_disks; ++i) {
    const struct v2v_deploy_disk *from = &p->opts->disks[i];
    struct deploy_disk d = { .storage = from->object != NULL
                                            ? from->storage
                                            : V2V_STORAGE_BLANK,
                             .size_bytes = from->size_bytes,
                             .boot = i == 0 && p->disks.len == 0 };
    CLEANUP_FREE char *id = NULL;

    if (from->object != NULL &&
        (find_called (lib, from->object, V2V_OBJECT_DISK, &id, err) == -1 ||
         deploy_load_base (lib, cache, id, &d.base, err) == -1))
      return -1;
    if (deploy_disks_append (&p->disks, d) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* ---- all of it ---- */

void
deploy_plan_clear (struct deploy_plan *p)
{
  v2v_document_free (p->hardware);
  v2v_document_free (p->guest_os);
  v2v_guest_free_list (p->values);
  free (p->disks.ptr);
  free (p->pattern);
  v2v_json_free (p->reasons);
  free (p->computer_name);
  free (p->name);
  free (p->safe_name);
  free (p->folder);
  v2v_profile_free (p->profile);
  v2v_json_free (p->provenance);
  v2v_vm_job_free (p->job);
  memset (p, 0, sizeof *p);
}

/* Documents of this machine's own, which its settings change. */
static int
copy_documents (struct deploy_plan *p, struct v2v_error **err)
{
  if (p->hardware_from != NULL)
    p->hardware = copy_document (p->hardware_from->document, err);
  else {
    p->hardware = v2v_document_new (V2V_DOCUMENT_HARDWARE, err);
    if (p->hardware != NULL &&
        (p->hardware->head.name = strdup ("machine")) == NULL)
      return v2v_fail_nomem (err);
  }
  if (p->hardware == NULL)
    return -1;
  if (p->guest_os_from != NULL) {
    p->guest_os = copy_document (p->guest_os_from->document, err);
    if (p->guest_os == NULL)
      return -1;
  }
  return 0;
}

/* Whose name is it? */
static const char *
choose_pattern (const struct deploy_plan *p)
{
  const struct v2v_vm_template *t =
      p->vm_template != NULL ? &p->vm_template->document->vm_template : NULL;

  if (p->opts->computer_name != NULL)
    return p->opts->computer_name;
  if (t != NULL && t->computer_name != NULL)
    return t->computer_name;
  return p->guest_os != NULL ? p->guest_os->guest_os.computer_name : NULL;
}

static bool
says_windows (const char *os)
{
  return os != NULL && (strcasestr (os, "windows") != NULL ||
                        strncasecmp (os, "win", 3) == 0);
}

static bool
is_windows (const struct deploy_plan *p)
{
  const struct v2v_guest_os_profile *g =
      p->guest_os != NULL ? &p->guest_os->guest_os : NULL;

  if (g != NULL && g->windows.given != g->os_linux.given)
    return g->windows.given;
  if (p->vm_template != NULL &&
      says_windows (p->vm_template->document->head.os))
    return true;
  for (size_t i = 0; i < p->disks.len; ++i)
    if (p->disks.ptr[i].base != NULL &&
        (says_windows (p->disks.ptr[i].base->object.os) ||
         p->disks.ptr[i].base->evidence.windows_loader))
      return true;
  return false;
}

int
deploy_resolve (struct v2v_library *lib, struct deploy_cache *cache,
                struct deploy_plan *p, bool with_guest, struct v2v_error **err)
{
  const struct v2v_deploy_opts *o = p->opts;
  const struct v2v_vm_template *t = NULL;
  CLEANUP_FREE char *clone = NULL;
  const char *pattern;

  p->reasons = v2v_json_new_array ();
  if (choose_document (lib, cache, p, o->vm_template, NULL,
                       V2V_OBJECT_VM_TEMPLATE, V2V_DOCUMENT_VM_TEMPLATE,
                       &p->vm_template, err) == -1)
    return -1;
  if (p->vm_template != NULL) {
    t = &p->vm_template->document->vm_template;
    p->generalized = t->generalized == V2V_YES;
  }
  if (choose_document (lib, cache, p, o->hardware, t ? &t->hardware : NULL,
                       V2V_OBJECT_HARDWARE_PROFILE, V2V_DOCUMENT_HARDWARE,
                       &p->hardware_from, err) == -1 ||
      choose_document (lib, cache, p, NULL, t ? &t->capability : NULL,
                       V2V_OBJECT_CAPABILITY_PROFILE, V2V_DOCUMENT_CAPABILITY,
                       &p->capability, err) == -1 ||
      (with_guest &&
       choose_document (lib, cache, p, o->guest_os, t ? &t->guest_os : NULL,
                        V2V_OBJECT_GUEST_OS_PROFILE, V2V_DOCUMENT_GUEST_OS,
                        &p->guest_os_from, err) == -1) ||
      copy_documents (p, err) == -1)
    return -1;
  if (o->clone != NULL &&
      (find_called (lib, o->clone, V2V_OBJECT_VM, &clone, err) == -1 ||
       deploy_clone (lib, cache, p, clone, err) == -1))
    return -1;
  if (add_disks (lib, cache, p, err) == -1)
    return -1;
  pattern = choose_pattern (p);
  if (pattern != NULL && (p->pattern = strdup (pattern)) == NULL)
    return v2v_fail_nomem (err);
  p->windows = is_windows (p);
  if (p->vm_template == NULL && o->nr_settings > 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "setting %s: only a template has settings",
                     o->settings[0].name);
  return p->vm_template == NULL
             ? 0
             : v2v_settings_resolve (p->vm_template->document, o->settings,
                                     o->nr_settings, &p->values, err);
}
