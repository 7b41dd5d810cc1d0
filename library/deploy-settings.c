/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings: what the deployer says goes into the fields that the template
 * names, and in the place of @NAME@ in texts of its profiles.
 *
 *   @NAME@           a setting of the template
 *   @COMPUTER_NAME@  the name that was chosen for this machine
 *   @MACHINE_NAME@   the name of the machine on the host
 *   @ORDINAL@        its number: 1 for the first of several, or in its tier
 *   @ORDINAL+N@      the number and N
 *
 * The last four are known in the values of settings, too.  A secret is the
 * name of a file, and only goes where the name of a file does.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/deploy-internal.h"

#define LETTERS                                                                \
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define DIGITS "0123456789"

/* ---- one text ---- */

/* Is NAME (LEN bytes) "ORDINAL", or "ORDINAL+N" with a small N? */
static bool
is_ordinal (const char *name, size_t len, unsigned ordinal, uint64_t *ret)
{
  static const char word[] = "ORDINAL";
  const size_t n = strlen (word);
  uint64_t add = 0;

  if (len < n || strncmp (name, word, n) != 0)
    return false;
  if (len > n) {
    if (name[n] != '+' || len == n + 1 || len > n + 7 ||
        strspn (name + n + 1, DIGITS) < len - n - 1)
      return false;
    for (size_t i = n + 1; i < len; ++i)
      add = add * 10 + (uint64_t) (name[i] - '0');
  }
  *ret = ordinal + add;
  return true;
}

static const struct v2v_setting *
find_setting (const struct deploy_words *w, const char *name, size_t len,
              size_t *ret)
{
  const struct v2v_vm_template *t =
      w->declares != NULL ? &w->declares->vm_template : NULL;

  for (size_t i = 0; t != NULL && i < t->nr_settings; ++i)
    if (strlen (t->settings[i].name) == len &&
        strncmp (t->settings[i].name, name, len) == 0) {
      *ret = i;
      return &t->settings[i];
    }
  return NULL;
}

static bool
is_word (const char *name, size_t len, const char *word)
{
  return strlen (word) == len && strncmp (name, word, len) == 0;
}

/* Append what stands for NAME.  1: it stands for itself. */
static int
append_value (struct v2v_str *s, const char *name, size_t len,
              const struct deploy_words *w, bool is_secret,
              struct v2v_error **err)
{
  const struct v2v_setting *setting;
  const char *value = NULL;
  uint64_t number;
  size_t i;

  if (is_ordinal (name, len, w->ordinal, &number))
    return v2v_str_printf (s, "%" PRIu64, number) == -1 ? v2v_fail_nomem (err)
                                                        : 0;
  if (is_word (name, len, "COMPUTER_NAME"))
    value = w->computer_name != NULL ? w->computer_name : "";
  else if (is_word (name, len, "MACHINE_NAME"))
    value = w->name;
  else {
    setting = find_setting (w, name, len, &i);
    if (setting == NULL)
      return 1;
    if (setting->type == V2V_SETTING_SECRET && !is_secret)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "setting %s is a secret: it cannot be part of a text",
                       setting->name);
    value = w->values[i];
    if (setting->type == V2V_SETTING_SECRET && strncmp (value, "file:", 5) == 0)
      value += 5;
  }
  return v2v_str_append (s, value) == -1 ? v2v_fail_nomem (err) : 0;
}

static char *
expand (const char *text, const struct deploy_words *w, bool is_secret,
        struct v2v_error **err)
{
  struct v2v_str s = V2V_STR_INIT;
  int r = v2v_str_append (&s, "") == -1 ? v2v_fail_nomem (err) : 0;

  while (r == 0 && *text != '\0') {
    const size_t plain = strcspn (text, "@");
    const char *name = text + plain + 1;
    size_t len;

    if (v2v_str_append_len (&s, text, plain) == -1) {
      r = v2v_fail_nomem (err);
      break;
    }
    text += plain;
    if (*text == '\0')
      break;
    len = strspn (name, LETTERS "+");
    r = len > 0 && name[len] == '@'
            ? append_value (&s, name, len, w, is_secret, err)
            : 1;
    if (r == 0)
      text = name + len + 1;
    else if (r == 1) { /* an '@' that is one */
      r = v2v_str_append (&s, "@") == -1 ? v2v_fail_nomem (err) : 0;
      text++;
    }
  }
  if (r == 0)
    return s.ptr;
  v2v_str_free (&s);
  return NULL;
}

char *
deploy_expand (const char *text, const struct deploy_words *w,
               struct v2v_error **err)
{
  return expand (text, w, false, err);
}

/* ---- documents ---- */

struct mapping {
  const struct deploy_words *words;
  bool changed;
};

static int
map_text (void *arg, const char *text, bool is_secret, char **ret,
          struct v2v_error **err)
{
  struct mapping *m = arg;
  CLEANUP_FREE char *new = NULL;

  if (strchr (text, '@') == NULL)
    return 0;
  new = expand (text, m->words, is_secret, err);
  if (new == NULL)
    return -1;
  if (strcmp (new, text) == 0)
    return 0;
  m->changed = true;
  *ret = STEAL (new);
  return 0;
}

/* What was put into texts must be what the fields allow: the schema says. */
static int
check_again (struct v2v_document **d, struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text = v2v_document_print (*d, &len, err);
  struct v2v_document *again =
      text != NULL ? v2v_document_parse (text, len, (*d)->head.name, err)
                   : NULL;

  if (again == NULL)
    return v2v_prefix (err, "with the settings");
  v2v_document_free (*d);
  *d = again;
  return 0;
}

static int
map_document (struct v2v_document **d, const struct deploy_words *w,
              struct v2v_error **err)
{
  struct mapping m = { .words = w };

  if (*d == NULL)
    return 0;
  if (record_map_texts (document_record ((*d)->kind), *d, map_text, &m, err) ==
      -1)
    return v2v_prefix (err, "%s '%s'", v2v_document_kind_name ((*d)->kind),
                       (*d)->head.name);
  return m.changed ? check_again (d, err) : 0;
}

/* PATH of a setting: which document, and the rest of it. */
static struct v2v_document **
target_of (struct deploy_plan *p, const char *path, const char **ret_rest,
           enum v2v_document_kind *ret_kind)
{
  static const char hardware[] = "hardware.", guest[] = "guest-os.";

  if (strncmp (path, hardware, strlen (hardware)) == 0) {
    *ret_rest = path + strlen (hardware);
    *ret_kind = V2V_DOCUMENT_HARDWARE;
    return &p->hardware;
  }
  *ret_rest = path + strlen (guest);
  *ret_kind = V2V_DOCUMENT_GUEST_OS;
  return strncmp (path, guest, strlen (guest)) == 0 ? &p->guest_os : NULL;
}

static int
set_field (struct deploy_plan *p, const char *field, const char *value,
           const struct deploy_words *w, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  enum v2v_document_kind kind;
  struct v2v_document **d;
  const char *rest;

  d = target_of (p, field, &rest, &kind);
  if (d == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "no field is called '%s'", field);
  if (*d == NULL) {
    *d = v2v_document_new (kind, err);
    if (*d == NULL)
      return -1;
    (*d)->head.name = strdup ("machine");
    if ((*d)->head.name == NULL)
      return v2v_fail_nomem (err);
  }
  text = deploy_expand (value, w, err);
  if (text == NULL)
    return -1;
  return v2v_document_set (*d, rest, text, err);
}

/* Every limit that is broken, in one message. */
static int
judge (const struct deploy_plan *p, struct v2v_error **err)
{
  struct v2v_findings f = V2V_FINDINGS_INIT;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  int r;

  if (p->capability == NULL)
    return 0;
  r = v2v_capability_judge (
      p->capability->document, p->hardware,
      p->vm_template != NULL ? p->vm_template->document : NULL, &f, err);
  for (size_t i = 0; r == 0 && i < f.len; ++i)
    if (v2v_str_printf (&s, "%s%s: %s", i > 0 ? "; " : "", f.ptr[i].subject,
                        f.ptr[i].message) == -1)
      r = v2v_fail_nomem (err);
  v2v_findings_clear (&f);
  if (r == -1 || s.ptr == NULL)
    return r;
  return v2v_fail (err, V2V_ERR_USAGE, "capability profile '%s': %s",
                   p->capability->name, s.ptr);
}

static int
check (const struct v2v_document *d, struct v2v_error **err)
{
  return d == NULL ? 0 : v2v_document_check (d, d->head.name, err);
}

int
deploy_apply_settings (struct deploy_plan *p, struct v2v_error **err)
{
  const struct v2v_vm_template *t =
      p->vm_template != NULL ? &p->vm_template->document->vm_template : NULL;
  struct deploy_words w = { .computer_name = p->computer_name,
                            .name = p->name,
                            .ordinal =
                                p->opts->ordinal != 0 ? p->opts->ordinal : 1 };

  for (size_t i = 0; t != NULL && i < t->nr_settings; ++i) {
    const struct v2v_setting *s = &t->settings[i];

    /* An optional one that was not given leaves what the profile says. */
    if (s->field != NULL && p->values[i][0] != '\0' &&
        set_field (p, s->field, p->values[i], &w, err) == -1)
      return v2v_prefix (err, "setting %s", s->name);
  }
  for (size_t i = 0; i < p->opts->nr_fields; ++i)
    if (set_field (p, p->opts->fields[i].name, p->opts->fields[i].value, &w,
                   err) == -1)
      return -1;
  if (t != NULL) {
    w.declares = p->vm_template->document;
    w.values = p->values;
  }
  if (deploy_guest_addresses (p, err) == -1 ||
      map_document (&p->hardware, &w, err) == -1 ||
      map_document (&p->guest_os, &w, err) == -1)
    return -1;
  /* The addresses that we give are no choice of the deployer's. */
  if (judge (p, err) == -1 || deploy_hardware_addresses (p, err) == -1)
    return -1;
  return check (p->hardware, err) == -1 || check (p->guest_os, err) == -1
             ? v2v_prefix (err, "with the settings")
             : 0;
}

struct v2v_json *
deploy_settings_json (const struct deploy_plan *p)
{
  struct v2v_json *o = v2v_json_new_object ();
  const struct v2v_vm_template *t =
      p->vm_template != NULL ? &p->vm_template->document->vm_template : NULL;

  for (size_t i = 0; t != NULL && i < t->nr_settings; ++i)
    v2v_json_set (o, t->settings[i].name,
                  t->settings[i].type == V2V_SETTING_SECRET
                      ? v2v_json_new_null ()
                      : v2v_json_new_string (p->values[i]));
  return o;
}
