/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Windows guest from VMware to Hyper-V: the order of the steps.
 *
 * First everything that can be refused, then the registry in memory, then the
 * files of the first boot, and last the hives, which are read back after they
 * were written.  So an error on the way leaves both hives as they were.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"

/* ---- hives ---- */

static struct v2v_hive *
open_hive (struct windows_guest *w, const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&path, "%s/System32/config/%s", w->systemroot, name) == -1) {
    path = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  return v2v_hive_open_guest (w->g, path, name, true, err);
}

/* ---- control sets ---- */

/* Those that Windows may start with; offline there is no CurrentControlSet.
 * "Failed" is the one it will not use. */
static const char *const selectors[] = { "Current", "Default",
                                         "LastKnownGood" };

static bool
is_listed (char **list, const char *name)
{
  for (; *list != NULL; ++list)
    if (strcmp (*list, name) == 0)
      return true;
  return false;
}

static int
add_control_set (struct windows_guest *w, size_t *n, const char *selector,
                 struct v2v_error **err)
{
  uint32_t number = 0;
  char *name;
  int r = v2v_hive_get_dword (w->system, "Select", selector, &number, err);

  /* Windows counts to 999. */
  if (r == -1 || number == 0 || number > 999)
    return r == -1 ? -1 : 0;
  if (asprintf (&name, "ControlSet%03u", (unsigned) number) == -1)
    return v2v_fail_nomem (err);
  r = is_listed (w->control_sets, name)
          ? 0
          : v2v_hive_has_key (w->system, name, err);
  if (r == 1)
    w->control_sets[(*n)++] = name;
  else
    free (name);
  return r == -1 ? -1 : 0;
}

static int
find_control_sets (struct windows_guest *w, struct v2v_error **err)
{
  size_t n = 0;

  w->control_sets =
      calloc (V2V_ARRAY_SIZE (selectors) + 1, sizeof *w->control_sets);
  if (w->control_sets == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (selectors); ++i)
    if (add_control_set (w, &n, selectors[i], err) == -1)
      return -1;
  if (n == 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "registry hive SYSTEM has no control set that can be "
                     "started");
  return 0;
}

/* ---- the conversion ---- */

static int
offline_steps (struct windows_guest *w, struct v2v_error **err)
{
  if (windows_place_old_drivers (w, err) == -1 ||
      windows_fix_services (w, err) == -1 ||
      windows_fix_devices (w, err) == -1 ||
      windows_fix_filters (w, err) == -1 ||
      windows_fix_storage (w, err) == -1 || windows_fix_boot (w, err) == -1 ||
      windows_disable_tools (w, err) == -1)
    return -1;
  return 0;
}

/* What is done at the first start, in this order; the registry of both hives
 * is still in memory. */
static int
first_boot_steps (struct windows_guest *w, struct v2v_error **err)
{
  if (windows_keep_network (w, err) == -1 ||
      windows_inject_drivers (w, err) == -1 ||
      windows_queue_tools_removal (w, err) == -1 ||
      windows_install_firstboot (w, err) == -1)
    return -1;
  return 0;
}

static int
convert (struct windows_guest *w, struct v2v_error **err)
{
  w->system = open_hive (w, "SYSTEM", err);
  if (w->system == NULL)
    return -1;
  w->software = open_hive (w, "SOFTWARE", err);
  if (w->software == NULL || find_control_sets (w, err) == -1 ||
      windows_check (w, err) == -1 || offline_steps (w, err) == -1 ||
      first_boot_steps (w, err) == -1 ||
      v2v_hive_commit (w->software, err) == -1 ||
      v2v_hive_commit (w->system, err) == -1)
    return -1;
  return 0;
}

int
v2v_windows_convert (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);
  struct windows_guest w = {
    .g = g,
    .os = os,
    .systemroot = os->systemroot != NULL ? os->systemroot : "/Windows",
    .version = os->major * 10 + (os->minor > 9 ? 9 : os->minor),
  };
  int r;

  if (!v2v_guest_is_dir (g, w.systemroot))
    return v2v_fail (err, V2V_ERR_GUEST, "the guest has no folder %s",
                     w.systemroot);
  r = convert (&w, err);
  v2v_hive_close (w.system);
  v2v_hive_close (w.software);
  v2v_guest_free_list (w.control_sets);
  windows_free_old_drivers (&w);
  return r;
}
