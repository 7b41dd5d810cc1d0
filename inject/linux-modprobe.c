/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modprobe.conf and modules.conf of old systems (RHEL 5, SLES 10) say which
 * driver a network interface and the disks have; their mkinitrd follows them.
 * Source: modprobe.conf(5), mkinitrd(8) of Red Hat Enterprise Linux 5. */

#include <config.h>

#include <string.h>

#include "inject/linux-edit.h"

struct aliases {
  bool has_net, has_disk;
};

static int
edit_alias (void *arg, const char *line, struct v2v_str *ret)
{
  const struct aliases *a = arg;
  const char *p = line + strspn (line, " \t");
  const char *name, *module, *new;
  size_t name_len, len;

  if (strncmp (p, "alias", 5) != 0 || strchr (" \t", p[5]) == NULL)
    return LINUX_EDIT_KEEP;
  name = p + 5 + strspn (p + 5, " \t");
  name_len = strcspn (name, " \t");
  module = name + name_len + strspn (name + name_len, " \t");
  len = strcspn (module, " \t");
  if (name_len > 3 && strncmp (name, "eth", 3) == 0 && a->has_net)
    new = "hv_netvsc";
  else if (name_len >= 16 && strncmp (name, "scsi_hostadapter", 16) == 0 &&
           a->has_disk)
    new = "hv_storvsc";
  else
    return LINUX_EDIT_KEEP;
  if (len == 0 || (strlen (new) == len && memcmp (module, new, len) == 0))
    return LINUX_EDIT_KEEP;
  if (v2v_str_append_len (ret, line, (size_t) (module - line)) == -1 ||
      v2v_str_append (ret, new) == -1 ||
      v2v_str_append (ret, module + len) == -1)
    return -1;
  return LINUX_EDIT_REPLACE;
}

int
linux_fix_aliases (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const files[] = { "/etc/modprobe.conf",
                                       "/etc/modules.conf" };
  struct linux_kernel *newest =
      l->nr_kernels > 0 ? &l->kernels[l->nr_kernels - 1] : NULL;
  struct aliases a = { false, false };
  int net, disk;

  if (newest == NULL)
    return 0;
  net = linux_module_find (l, newest, "hv_netvsc", NULL, err);
  if (net == -1)
    return -1;
  disk = linux_module_find (l, newest, "hv_storvsc", NULL, err);
  if (disk == -1)
    return -1;
  a.has_net = net == LINUX_MODULE_FILE;
  a.has_disk = disk == LINUX_MODULE_FILE;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; ++i)
    if (linux_edit_or_find (l, files[i], edit_alias, &a,
                            "VMware's adapters are gone", err) == -1)
      return -1;
  return 0;
}
