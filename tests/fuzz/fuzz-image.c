/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes through the auction of the drivers: what claims them reads them. */

#include <config.h>

#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  fuzz_image (data, size, NULL);
  return 0;
}
