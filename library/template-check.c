/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates: what must fit together, and the settings that are given when one
 * is deployed.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "library/document-internal.h"

/* ---- settings ---- */

static bool
is_number (const char *s, int64_t *ret)
{
  int64_t n = 0;

  if (*s == '\0')
    return false;
  for (; *s != '\0'; ++s)
    if (*s < '0' || *s > '9' || __builtin_mul_overflow (n, 10, &n) ||
        __builtin_add_overflow (n, *s - '0', &n))
      return false;
  *ret = n;
  return true;
}

/* NULL = fine, else what was expected. */
static const char *
setting_refuses (const struct v2v_setting *s, const char *value, char why[96])
{
  const int64_t low = s->minimum != -1 ? s->minimum : 0;
  const int64_t high = s->maximum != -1 ? s->maximum : INT64_C (1) << 53;
  int64_t n;

  switch ((enum v2v_setting_type) s->type) {
  case V2V_SETTING_NUMBER:
    if (is_number (value, &n) && n >= low && n <= high)
      return NULL;
    snprintf (why, 96, "a number from %" PRId64 " to %" PRId64, low, high);
    return why;
  case V2V_SETTING_FLAG:
    return strcmp (value, "true") == 0 || strcmp (value, "false") == 0
               ? NULL
               : "true or false";
  case V2V_SETTING_SECRET:
    return strncmp (value, "file:", 5) == 0 && value[5] != '\0'
               ? NULL
               : "file:PATH, where the secret is";
  case V2V_SETTING_TEXT:
    break;
  }
  return record_check_line (value);
}

int
document_check_settings (const struct v2v_setting *settings, size_t nr,
                         const char *name, struct v2v_error **err)
{
  for (size_t i = 0; i < nr; ++i) {
    const struct v2v_setting *s = &settings[i];
    char why[96];
    const char *expected;

    if (s->type == V2V_SETTING_SECRET && s->fallback != NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: a secret has no default", name,
                       s->name);
    if (s->fallback != NULL && s->mandatory == V2V_YES)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: what is mandatory has no default",
                       name, s->name);
    if (s->type != V2V_SETTING_NUMBER && (s->minimum != -1 || s->maximum != -1))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: minimum and maximum are for "
                       "numbers",
                       name, s->name);
    if (s->minimum != -1 && s->maximum != -1 && s->minimum > s->maximum)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: the minimum is above the maximum",
                       name, s->name);
    expected =
        s->fallback != NULL ? setting_refuses (s, s->fallback, why) : NULL;
    if (expected != NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: default: expected %s", name, s->name,
                       expected);
  }
  return 0;
}

static int
settings_of (const struct v2v_document *d, const struct v2v_setting **ret,
             size_t *ret_nr, struct v2v_error **err)
{
  if (d->kind == V2V_DOCUMENT_VM_TEMPLATE) {
    *ret = d->vm_template.settings;
    *ret_nr = d->vm_template.nr_settings;
    return 0;
  }
  if (d->kind == V2V_DOCUMENT_SERVICE) {
    *ret = d->service.settings;
    *ret_nr = d->service.nr_settings;
    return 0;
  }
  return v2v_fail (err, V2V_ERR_USAGE, "a %s has no settings",
                   v2v_document_kind_name (d->kind));
}

/* The index of a setting by name; SIZE_MAX if there is none. */
static size_t
find_setting (const struct v2v_setting *settings, size_t nr, const char *name,
              size_t len)
{
  for (size_t i = 0; i < nr; ++i)
    if (strlen (settings[i].name) == len &&
        strncmp (settings[i].name, name, len) == 0)
      return i;
  return SIZE_MAX;
}

static int
take_value (const struct v2v_setting *settings, size_t nr,
            const struct v2v_setting_value *given, char **values,
            struct v2v_error **err)
{
  const size_t i =
      find_setting (settings, nr, given->name, strlen (given->name));
  const char *expected;
  char why[96];

  if (i == SIZE_MAX) {
    v2v_fail (err, V2V_ERR_USAGE, "no setting is called '%.64s'", given->name);
    for (size_t k = 0; k < nr; ++k)
      if (strcasecmp (settings[k].name, given->name) == 0)
        return v2v_hint (err, "did you mean %s?", settings[k].name);
    return nr > 0 ? v2v_hint (err, "the first one is %s", settings[0].name)
                  : -1;
  }
  if (values[i] != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "setting %s is given twice",
                     settings[i].name);
  expected = setting_refuses (&settings[i], given->value, why);
  if (expected != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "setting %s: expected %s",
                     settings[i].name, expected);
  values[i] = strdup (given->value);
  return values[i] == NULL ? v2v_fail_nomem (err) : 0;
}

int
v2v_settings_resolve (const struct v2v_document *d,
                      const struct v2v_setting_value *given, size_t nr_given,
                      char ***ret, struct v2v_error **err)
{
  const struct v2v_setting *settings = NULL;
  char **values;
  size_t nr = 0;
  int r = 0;

  if (settings_of (d, &settings, &nr, err) == -1)
    return -1;
  values = calloc (nr + 1, sizeof *values);
  if (values == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; r == 0 && i < nr_given; ++i)
    r = take_value (settings, nr, &given[i], values, err);
  for (size_t i = 0; r == 0 && i < nr; ++i) {
    const struct v2v_setting *s = &settings[i];

    if (values[i] != NULL)
      continue;
    if (s->mandatory == V2V_YES)
      r = v2v_fail (err, V2V_ERR_USAGE, "setting %s is mandatory", s->name);
    else if ((values[i] = strdup (s->fallback ? s->fallback : "")) == NULL)
      r = v2v_fail_nomem (err);
  }
  if (r == 0) {
    *ret = values;
    return 0;
  }
  for (size_t i = 0; i < nr; ++i)
    free (values[i]);
  free (values);
  return -1;
}

/* ---- VM templates ---- */

static bool
is_empty (const struct v2v_reference *r)
{
  return !record_any (&document_reference, r);
}

static int
check_reference (const struct v2v_reference *r, const char *what,
                 const char *name, struct v2v_error **err)
{
  if (r->release != NULL && r->family == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: %s: a release needs the family it is of", name, what);
  if (r->version != -1 && r->name == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: %s: a version needs the name it is of", name, what);
  return 0;
}

static int
check_disk (const struct v2v_vm_template *t, size_t i, const char *name,
            struct v2v_error **err)
{
  const struct v2v_template_disk *d = &t->disks[i];
  const bool placed = d->controller != -1 && d->location != -1;

  if (check_reference (&d->object, d->name, name, err) == -1)
    return -1;
  if ((d->storage == V2V_STORAGE_BLANK) !=
      (d->file == NULL && is_empty (&d->object)))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: disks[%s]: expected a file or an object, or "
                     "storage=\"blank\"",
                     name, d->name);
  if ((d->storage == V2V_STORAGE_BLANK) != (d->size_gib != -1))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: disks[%s]: size-gib and storage=\"blank\" need each "
                     "other",
                     name, d->name);
  if ((d->bus != 0) != placed)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: disks[%s]: bus, controller and location need each "
                     "other",
                     name, d->name);
  if (d->bus == V2V_HARDWARE_IDE && (d->controller > 1 || d->location > 1))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: disks[%s]: no such place: IDE is 0:0 to 1:1", name,
                     d->name);
  for (size_t k = 0; k < i; ++k) {
    const struct v2v_template_disk *o = &t->disks[k];

    if (d->bus != 0 && o->bus == d->bus && o->controller == d->controller &&
        o->location == d->location)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: disks[%s]: its place is that of disk %s", name,
                       d->name, o->name);
    if (d->boot == V2V_YES && o->boot == V2V_YES)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: disks[%s]: disk %s is the one that starts", name,
                       d->name, o->name);
  }
  return 0;
}

/* Is there a field at the PATH of a setting? */
static int
check_setting_field (const struct v2v_setting *s, const char *name,
                     struct v2v_error **err)
{
  static const struct {
    const char *prefix;
    enum v2v_document_kind kind;
  } targets[] = {
    { "hardware.", V2V_DOCUMENT_HARDWARE },
    { "guest-os.", V2V_DOCUMENT_GUEST_OS },
  };
  const char *why = "expected hardware. or guest-os. in front";

  for (size_t i = 0; s->field != NULL && i < V2V_ARRAY_SIZE (targets); ++i) {
    const size_t n = strlen (targets[i].prefix);
    CLEANUP_DOCUMENT struct v2v_document *scratch = NULL;

    if (strncmp (s->field, targets[i].prefix, n) != 0)
      continue;
    scratch = v2v_document_new (targets[i].kind, err);
    if (scratch == NULL)
      return -1;
    if (v2v_document_set (scratch, s->field + n, "", NULL) == 0)
      return 0;
    why = "there is no such field";
  }
  if (s->field == NULL)
    return 0;
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: settings[%s]: field '%s': %s",
                   name, s->name, s->field, why);
}

int
document_check_vm_template (const struct v2v_vm_template *t, const char *name,
                            struct v2v_error **err)
{
  if (check_reference (&t->hardware, "hardware-profile", name, err) == -1 ||
      check_reference (&t->guest_os, "guest-os-profile", name, err) == -1 ||
      check_reference (&t->capability, "capability-profile", name, err) == -1 ||
      document_check_settings (t->settings, t->nr_settings, name, err) == -1)
    return -1;
  for (size_t i = 0; i < t->nr_disks; ++i)
    if (check_disk (t, i, name, err) == -1)
      return -1;
  for (size_t i = 0; i < t->nr_settings; ++i)
    if (check_setting_field (&t->settings[i], name, err) == -1)
      return -1;
  return 0;
}

/* ---- service templates ---- */

static int
check_tier (const struct v2v_service_template *s, size_t i, const char *name,
            struct v2v_error **err)
{
  const struct v2v_tier *t = &s->tiers[i];
  const int64_t minimum = t->minimum != -1 ? t->minimum : 1;
  const int64_t instances = t->instances != -1 ? t->instances : minimum;
  const int64_t maximum = t->maximum != -1 ? t->maximum : instances;

  if (is_empty (&t->vm_template))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tiers[%s]: it names no vm-template", name, t->name);
  if (check_reference (&t->vm_template, t->name, name, err) == -1 ||
      check_reference (&t->hardware, t->name, name, err) == -1 ||
      check_reference (&t->guest_os, t->name, name, err) == -1)
    return -1;
  if (minimum > instances || instances > maximum)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tiers[%s]: minimum %" PRId64 ", instances %" PRId64
                     ", maximum %" PRId64 ": expected an ascending order",
                     name, t->name, minimum, instances, maximum);
  if (t->upgrade_domains > maximum)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tiers[%s]: %" PRId64 " upgrade domains for up to "
                     "%" PRId64 " machines",
                     name, t->name, t->upgrade_domains, maximum);
  for (size_t k = 0; k < t->nr_scripts; ++k) {
    const struct v2v_tier_script *script = &t->scripts[k];

    if (is_empty (&script->object) || script->phase == 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: tiers[%s].scripts[%s]: expected an object and a "
                       "phase",
                       name, t->name, script->name);
    if (check_reference (&script->object, script->name, name, err) == -1)
      return -1;
  }
  return 0;
}

static int
check_port (const struct v2v_service_template *s, size_t i, const char *name,
            struct v2v_error **err)
{
  const struct v2v_load_balancer_port *p = &s->ports[i];
  bool found = false;

  for (size_t k = 0; k < s->nr_tiers; ++k)
    found |= p->tier != NULL && strcmp (s->tiers[k].name, p->tier) == 0;
  if (!found)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: load-balancer[%s]: no tier is called '%s'", name,
                     p->name, p->tier ? p->tier : "");
  if (p->port == -1)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: load-balancer[%s]: port is missing", name, p->name);
  for (size_t k = 0; k < i; ++k) {
    const struct v2v_load_balancer_port *o = &s->ports[k];

    if (o->port == p->port && strcmp (o->address ? o->address : "",
                                      p->address ? p->address : "") == 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: load-balancer[%s]: port %" PRId64 " is that of %s",
                       name, p->name, p->port, o->name);
  }
  return 0;
}

struct uses {
  const struct v2v_service_template *s;
  const char *name;
  struct v2v_error **err;
};

/* Each @NAME@ in a text must be declared.  An '@' that does not enclose a name
 * is an '@'. */
static int
check_uses (void *arg, const char *path, const char *old, const char *text)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  const struct uses *u = arg;

  (void) old;
  for (const char *p = text; p != NULL && (p = strchr (p, '@')) != NULL;) {
    const size_t n = strspn (++p, allowed);

    if (n == 0 || p[n] != '@')
      continue;
    if (find_setting (u->s->settings, u->s->nr_settings, p, n) == SIZE_MAX)
      return v2v_fail (u->err, V2V_ERR_FORMAT,
                       "%s: %s: no setting is called '%.*s'", u->name, path,
                       (int) (n < 64 ? n : 64), p);
    p += n + 1;
  }
  return 0;
}

int
document_check_service (const struct v2v_document *d, const char *name,
                        struct v2v_error **err)
{
  const struct v2v_service_template *s = &d->service;
  struct uses u = { .s = s, .name = name, .err = err };

  if (document_check_settings (s->settings, s->nr_settings, name, err) == -1)
    return -1;
  for (size_t i = 0; i < s->nr_settings; ++i)
    if (s->settings[i].field != NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: settings[%s]: field is for VM templates; write "
                       "@%s@ where it goes",
                       name, s->settings[i].name, s->settings[i].name);
  if (s->nr_tiers == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: a service without tiers", name);
  for (size_t i = 0; i < s->nr_tiers; ++i)
    if (check_tier (s, i, name, err) == -1)
      return -1;
  for (size_t i = 0; i < s->nr_ports; ++i)
    if (check_port (s, i, name, err) == -1)
      return -1;
  return record_texts (&document_service, d, check_uses, &u);
}
