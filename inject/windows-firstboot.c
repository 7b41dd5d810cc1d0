/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service that runs the queued scripts is put into a Windows guest.
 *
 * Its program is ours (inject/firstboot), embedded in this library.  The key
 * below Services is the one that CreateService writes: own process, automatic
 * start, LocalSystem ([MSDN] "CreateServiceW"; guest-windows section 10).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/windows-firstboot.h"

#define SERVICE  "v2v-firstboot"
#define EXE      V2V_FIRSTBOOT_WINDOWS "/v2vfirstboot.exe"
#define SENTINEL "/Program Files/v2v/firstboot.complete"
#define IMAGE_PATH                                                             \
  "\"%SystemDrive%\\Program Files\\v2v\\firstboot\\v2vfirstboot.exe\""

/* Orders 5000 to 7999 are the user's. */
#define MAX_USER_SCRIPTS 3000

const struct v2v_firstboot_program *
windows_firstboot_program (const struct windows_guest *w)
{
  const struct v2v_firstboot_program *p = v2v_firstboot_programs;

  if (w->os->arch == NULL)
    return NULL;
  for (; p->arch != NULL; ++p)
    if (strcmp (p->arch, w->os->arch) == 0)
      return p;
  return NULL;
}

bool
windows_can_run_at_first_boot (struct windows_guest *w, const char *what)
{
  if (windows_firstboot_program (w) != NULL)
    return true;
  v2v_findings_add (v2v_guest_findings (w->g), V2V_CRITICAL,
                    "guest.firstboot.no-program", what,
                    "do it by hand, or use a v2v that was built with "
                    "mingw-w64 for this architecture",
                    "nothing can be run at the first boot: there is no "
                    "program for the architecture %s",
                    w->os->arch ? w->os->arch : "(unknown)");
  return false;
}

int
windows_add_script (struct windows_guest *w, unsigned order, const char *name,
                    const struct v2v_str *text, struct v2v_error **err)
{
  return v2v_firstboot_add (w->g, order, name, text->ptr, text->len, false,
                            err);
}

int
windows_cmd_quote (struct v2v_str *out, const char *text)
{
  for (const char *p = text; *p; ++p)
    if (*p == '"' || (unsigned char) *p < 0x20 || *p == 0x7f)
      return 0;
  if (v2v_str_append (out, "\"") == -1)
    return -1;
  for (const char *p = text; *p; ++p) {
    if (*p == '%' && v2v_str_append (out, "%") == -1)
      return -1;
    if (v2v_str_append_len (out, p, 1) == -1)
      return -1;
  }
  /* The C library of the program called takes \" for a quotation mark. */
  if (*text && text[strlen (text) - 1] == '\\' &&
      v2v_str_append (out, "\\") == -1)
    return -1;
  return v2v_str_append (out, "\"") == -1 ? -1 : 1;
}

static int
set_service (struct windows_guest *w, const char *set, struct v2v_error **err)
{
  static const char why[] = "runs what is queued for the first boot";
  static const char *const depend[] = { "nsi", NULL };
  CLEANUP_FREE char *key = NULL, *nsi = NULL;
  int there;

  if (asprintf (&key, "%s\\Services\\" SERVICE, set) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&nsi, "%s\\Services\\nsi", set) == -1) {
    nsi = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_hive_set_dword (w->system, key, "Type", 0x10, why, err) == -1 ||
      v2v_hive_set_dword (w->system, key, "Start", 2, why, err) == -1 ||
      v2v_hive_set_dword (w->system, key, "ErrorControl", 1, why, err) == -1 ||
      v2v_hive_set_string (w->system, key, "ImagePath", V2V_REG_EXPAND_SZ,
                           IMAGE_PATH, why, err) == -1 ||
      v2v_hive_set_string (w->system, key, "ObjectName", V2V_REG_SZ,
                           "LocalSystem", why, err) == -1 ||
      v2v_hive_set_string (w->system, key, "DisplayName", V2V_REG_SZ,
                           "v2v first boot", why, err) == -1)
    return -1;
  /* netsh talks to it; Vista and later have it. */
  there = v2v_hive_has_key (w->system, nsi, err);
  if (there == -1)
    return -1;
  if (there == 1 && v2v_hive_set_multi (w->system, key, "DependOnService",
                                        depend, why, err) == -1)
    return -1;
  return 0;
}

/* --firstboot FILE, in the order given. */
static int
add_user_scripts (struct windows_guest *w, struct v2v_error **err)
{
  const char *const *files = v2v_guest_get_opts (w->g)->firstboot;

  for (unsigned i = 0; files != NULL && files[i] != NULL; ++i) {
    if (i == MAX_USER_SCRIPTS)
      return v2v_fail (err, V2V_ERR_USAGE, "first boot: more than %d scripts",
                       MAX_USER_SCRIPTS);
    if (v2v_firstboot_add_file (w->g, WINDOWS_ORDER_USER + i, files[i], err) ==
        -1)
      return -1;
  }
  return 0;
}

static bool
user_asked (const struct windows_guest *w)
{
  const struct v2v_guest_opts *o = v2v_guest_get_opts (w->g);

  return (o->firstboot != NULL && o->firstboot[0] != NULL) ||
         (o->drivers != NULL && o->drivers[0] != NULL);
}

int
windows_install_firstboot (struct windows_guest *w, struct v2v_error **err)
{
  const struct v2v_firstboot_program *p = windows_firstboot_program (w);
  int nr;

  if (p == NULL && user_asked (w)) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "first boot: this v2v has no program for Windows on %s",
              w->os->arch ? w->os->arch : "an unknown architecture");
    return v2v_hint (err, "use one that was built with mingw-w64, or leave "
                          "out --firstboot and --driver");
  }
  if (add_user_scripts (w, err) == -1 ||
      (p != NULL && windows_queue_disks (w, err) == -1))
    return -1;
  nr = v2v_firstboot_count (w->g, err);
  if (nr <= 0)
    return nr;
  if (p == NULL) { /* of something else than our steps, which ask first */
    windows_can_run_at_first_boot (w, NULL);
    return 0;
  }
  if (v2v_guest_write (w->g, EXE, p->data, p->len, 0755, 0,
                       "runs what is queued for the first boot", err) == -1 ||
      v2v_guest_remove (w->g, SENTINEL, "the first boot is still to come",
                        err) == -1)
    return v2v_prefix (err, "first boot");
  for (size_t i = 0; w->control_sets[i] != NULL; ++i)
    if (set_service (w, w->control_sets[i], err) == -1)
      return v2v_prefix (err, "first boot");
  if (v2v_findings_add (v2v_guest_findings (w->g), V2V_INFORMATION,
                        "guest.firstboot.queued", NULL,
                        "wait for it at the first start: the machine may "
                        "restart; see C:\\Program Files\\v2v\\firstboot.log",
                        "%d scripts run at the first boot, nobody has to log "
                        "in",
                        nr) == -1)
    return v2v_fail_nomem (err);
  return 0;
}
