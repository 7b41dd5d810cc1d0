/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at a guest without changing it.  Which drivers matter: the tables in
 * section 2 of the sheet on Linux, 4 of that on Windows; the network as it is
 * configured: linux-network.c, and Tcpip\Parameters\Interfaces.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/describe.h"
#include "inject/hive.h"
#include "inject/linux-internal.h"

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

/* ---- Linux ---- */

static const char *
module_state (enum linux_module_state s)
{
  switch (s) {
  case LINUX_MODULE_BUILTIN:
    return "built-in";
  case LINUX_MODULE_FILE:
    return "module";
  case LINUX_MODULE_MISSING:
    break;
  }
  return "missing";
}

static struct v2v_json *
describe_kernel (struct linux_guest *l, struct linux_kernel *k,
                 struct v2v_error **err)
{
  static const char *const modules[] = { "hv_vmbus",   "hv_storvsc",
                                         "hv_netvsc",  "hv_utils",
                                         "hv_balloon", "hyperv_keyboard" };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *drivers = v2v_json_new_object ();

  v2v_json_set_string (o, "version", k->version);
  v2v_json_set_string (o, "image", k->image);
  v2v_json_set_string (o, "initramfs", k->initramfs);
  v2v_json_set_bool (o, "offered", k->offered);
  v2v_json_set (o, "drivers", drivers);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (modules); ++i) {
    const int s = linux_module_find (l, k, modules[i], NULL, err);

    if (s == -1)
      return NULL;
    v2v_json_set_string (drivers, modules[i],
                         module_state ((enum linux_module_state) s));
  }
  return STEAL (o);
}

static struct v2v_json *
describe_kernels (struct v2v_guest *g, struct v2v_error **err)
{
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  CLEANUP_JSON struct v2v_json *list = v2v_json_new_array ();
  int r = linux_find_kernels (&l, err);

  for (size_t i = 0; r == 0 && i < l.nr_kernels; ++i) {
    struct v2v_json *k = describe_kernel (&l, &l.kernels[i], err);

    if (k == NULL)
      r = -1;
    else
      v2v_json_append (list, k);
  }
  linux_kernels_clear (&l);
  return r == 0 ? STEAL (list) : NULL;
}

/* ---- Windows ---- */

static struct v2v_json *
describe_drivers (struct v2v_guest *g, struct v2v_error **err)
{
  static const char *const names[] = { "vmbus",  "storvsc",  "vmstorfl",
                                       "netvsc", "intelide", "pciide",
                                       "atapi",  "hyperkbd", "vpci" };
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i) {
    CLEANUP_STR struct v2v_str path = V2V_STR_INIT;
    CLEANUP_FREE char *real = NULL;
    int r;

    if (v2v_str_printf (&path, "%s/System32/drivers/%s.sys",
                        v2v_guest_os (g)->systemroot, names[i]) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    real = v2v_guest_case_path (g, path.ptr, err);
    if (real == NULL)
      return NULL;
    /* CompactOS shows files as links that lead nowhere. */
    r = v2v_guest_lstat (g, real, NULL, err);
    if (r == -1)
      return NULL;
    v2v_json_set_string (o, names[i], r == 1 ? "file" : "missing");
  }
  return STEAL (o);
}

static struct v2v_json *
describe_interface (struct v2v_hive *h, const char *key, const char *id,
                    struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  CLEANUP_LIST char **addresses = NULL;
  uint32_t dhcp = 0;

  v2v_json_set_string (o, "system", "registry");
  v2v_json_set_string (o, "interface", id);
  v2v_json_set (o, "addresses", list);
  if (v2v_hive_get_dword (h, key, "EnableDHCP", &dhcp, err) == -1 ||
      (addresses = v2v_hive_get_multi (h, key, "IPAddress", err)) == NULL)
    return NULL;
  v2v_json_set_bool (o, "dhcp", dhcp != 0);
  for (size_t i = 0; dhcp == 0 && addresses[i] != NULL; ++i)
    if (strcmp (addresses[i], "0.0.0.0") != 0)
      v2v_json_append (list, v2v_json_new_string (addresses[i]));
  return STEAL (o);
}

static struct v2v_json *
describe_registry_network (struct v2v_hive *h, const char *control_set,
                           struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *list = v2v_json_new_array ();
  CLEANUP_STR struct v2v_str base = V2V_STR_INIT;
  CLEANUP_LIST char **ids = NULL;

  if (v2v_str_printf (&base, "%s\\Services\\Tcpip\\Parameters\\Interfaces",
                      control_set) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  ids = v2v_hive_subkeys (h, base.ptr, err);
  if (ids == NULL)
    return NULL;
  for (size_t i = 0; ids[i] != NULL; ++i) {
    CLEANUP_STR struct v2v_str key = V2V_STR_INIT;
    struct v2v_json *o;

    if (v2v_str_printf (&key, "%s\\%s", base.ptr, ids[i]) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    o = describe_interface (h, key.ptr, ids[i], err);
    if (o == NULL)
      return NULL;
    v2v_json_append (list, o);
  }
  return STEAL (list);
}

static struct v2v_json *
describe_windows_network (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);
  CLEANUP_STR struct v2v_str path = V2V_STR_INIT;
  struct v2v_json *list;
  struct v2v_hive *h;

  if (os->control_set == NULL)
    return v2v_json_new_array ();
  if (v2v_str_printf (&path, "%s/System32/config/SYSTEM", os->systemroot) ==
      -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  h = v2v_hive_open_guest (g, path.ptr, "SYSTEM", false, err);
  if (h == NULL)
    return NULL;
  list = describe_registry_network (h, os->control_set, err);
  v2v_hive_close (h);
  return list;
}

struct v2v_json *
v2v_guest_describe (struct v2v_guest *g, struct v2v_error **err)
{
  const struct v2v_os *os = v2v_guest_os (g);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *first = NULL, *network = NULL;
  const char *name = NULL;

  if (os->family == V2V_FAMILY_LINUX) {
    name = "kernels";
    first = describe_kernels (g, err);
    network = first ? v2v_linux_network_to_json (g, err) : NULL;
  }
  else if (os->family == V2V_FAMILY_WINDOWS && os->systemroot != NULL) {
    name = "drivers";
    first = describe_drivers (g, err);
    network = first ? describe_windows_network (g, err) : NULL;
  }
  else
    return STEAL (o);
  if (first != NULL)
    v2v_json_set (o, name, first);
  if (network == NULL) {
    if (err != NULL && *err == NULL)
      v2v_fail_nomem (err);
    return NULL;
  }
  v2v_json_set (o, "network", network);
  return STEAL (o);
}
