/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pipeline. */

#include <config.h>

#include "convert/convert.h"

const char *
v2v_version (void)
{
  return PACKAGE_VERSION;
}
