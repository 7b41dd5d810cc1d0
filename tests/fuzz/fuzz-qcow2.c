/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The qcow2 header, which alone is ours: a buffer is never given to QEMU. */

#include <config.h>

#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  fuzz_image (data, size, "qcow2");
  return 0;
}
