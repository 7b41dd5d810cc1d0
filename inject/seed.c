/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a seed, made by the same code that writes them into a guest.
 *
 * Sources: cloud-init, "NoCloud" (a file system labelled CIDATA with user-data,
 * meta-data and network-config); Microsoft, "Windows Setup Automation Overview",
 * "Implicit Answer File Search Order": Unattend.xml in the root of removable
 * read-only media, after %WINDIR%\Panther.
 */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"
#include "inject/seed.h"
#include "inject/unattend.h"

/* Whoever makes a generalised image of an older Windows uses `v2v customize`,
 * which looks into it. */
#define WINDOWS_MAJOR 10

void
v2v_seed_clear (struct v2v_seed *s)
{
  for (size_t i = 0; i < s->nr_files; ++i) {
    explicit_bzero (s->files[i].text, s->files[i].len);
    free (s->files[i].text);
  }
  memset (s, 0, sizeof *s);
}

/* Takes over what is in TEXT. */
static void
add_file (struct v2v_seed *s, const char *name, struct v2v_str *text)
{
  s->files[s->nr_files++] = (struct v2v_seed_file){ .name = name,
                                                    .text = text->ptr,
                                                    .len = text->len };
  *text = (struct v2v_str) V2V_STR_INIT;
}

int
v2v_seed_cloud_init (const struct v2v_profile *p, const char *instance,
                     struct v2v_seed *ret, struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str user = V2V_STR_INIT;
  CLEANUP_STR struct v2v_str meta = V2V_STR_INIT, network = V2V_STR_INIT;
  struct customize c = { .p = p };

  if (customize_seed_texts (&c, NULL, instance, p->nr_nics > 0, &user, &meta,
                            &network, err) == -1)
    return -1;
  *ret = (struct v2v_seed){ .label = "CIDATA" };
  add_file (ret, "meta-data", &meta);
  add_file (ret, "user-data", &user);
  if (p->nr_nics > 0)
    add_file (ret, "network-config", &network);
  return 0;
}

static int
tell (struct v2v_findings *f, const char *what, struct v2v_error **err)
{
  return v2v_findings_add (f, V2V_WARNING, "seed.not-carried", what,
                           "'v2v customize' puts it into the disk",
                           "an answer file on a medium cannot carry the "
                           "profile's %s",
                           what) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

int
v2v_seed_unattend (const struct v2v_profile *p, const char *arch,
                   struct v2v_findings *f, struct v2v_seed *ret,
                   struct v2v_error **err)
{
  const struct v2v_os os = {
    .family = V2V_FAMILY_WINDOWS,
    .arch = (char *) (uintptr_t) (arch != NULL ? arch : "x86_64"),
    .major = WINDOWS_MAJOR,
  };
  const struct v2v_profile_windows *w = &p->windows;
  struct v2v_str text = V2V_STR_INIT;

  if ((p->nr_scripts > 0 && tell (f, "scripts", err) == -1) ||
      (w->install_features != NULL && w->install_features[0] != NULL &&
       tell (f, "install_features", err) == -1) ||
      (w->remove_features != NULL && w->remove_features[0] != NULL &&
       tell (f, "remove_features", err) == -1))
    return -1;
  text.ptr = unattend_make_for_medium (p, &os, f, &text.len, err);
  if (text.ptr == NULL)
    return -1;
  *ret = (struct v2v_seed){ .label = "UNATTEND" };
  add_file (ret, "unattend.xml", &text);
  return 0;
}
