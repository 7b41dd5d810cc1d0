/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a VMDK: hosted sparse, COWD, seSparse or a descriptor, forced
 * where the driver would refuse a part by itself.
 */

#include <config.h>

#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const struct v2v_open_opts force = { .format = "vmdk",
                                       .force = true,
                                       .no_parents = true };
  struct v2v_io *io;
  struct v2v_image *img;

  fuzz_image (data, size, "vmdk");
  io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  if (io == NULL)
    return 0;
  img = v2v_image_open_io (io, &force, NULL);
  if (img != NULL)
    fuzz_read_image (img);
  v2v_image_close (img);
  v2v_io_unref (io);
  return 0;
}
