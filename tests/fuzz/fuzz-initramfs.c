/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An initramfs of any bytes, as it is and as a unified kernel image. */

#include <config.h>

#include "fuzz-util.h"
#include "inject/initramfs.h"
#include "inject/uki.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_io *io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;

  if (io == NULL)
    return 0;
  if (v2v_initramfs_read (io, &im, &err) == 0) {
    v2v_initramfs_find_module (&im, "6.1", "hv_vmbus");
    v2v_initramfs_clear (&im);
  }
  v2v_error_free (err);
  err = NULL;
  if (v2v_initramfs_read_uki (io, &im, &err) == 0)
    v2v_initramfs_clear (&im);
  v2v_error_free (err);
  err = NULL;
  free (v2v_uki_read_text (io, ".cmdline", &err));
  v2v_error_free (err);
  err = NULL;
  v2v_uki_is_signed (io, &err);
  v2v_error_free (err);
  v2v_io_unref (io);
  return 0;
}
