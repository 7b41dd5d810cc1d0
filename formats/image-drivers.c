/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The explicit array of drivers: registering by constructor would vanish from
 * a static library.
 */

#include <config.h>

#include <string.h>

#include "formats/image-internal.h"

static const struct v2v_image_ops *const drivers[] = {
  &v2v_vhd_ops, &v2v_vmdk_ops, &v2v_vhdx_ops, &v2v_qcow2_ops,
  &v2v_nbd_ops, &v2v_raw_ops,  &v2v_null_ops, NULL,
};

const struct v2v_image_ops *const *
v2v_image_drivers (void)
{
  return drivers;
}

const struct v2v_image_ops *
v2v_image_driver_by_name (const char *name)
{
  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (strcmp (drivers[i]->name, name) == 0)
      return drivers[i];
  return NULL;
}
