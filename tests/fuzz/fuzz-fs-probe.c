/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Partition tables and superblocks of any bytes: as a disk with partitions,
 * and as one file system. */

#include <config.h>

#include "inject/gate.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_io *io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  struct v2v_findings findings = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_fs_state state;
  struct v2v_image *img;

  if (io == NULL)
    return 0;
  img = v2v_image_open_io (io, &raw, &err);
  if (img != NULL) {
    if (v2v_fs_probe (img, 0, size, &state, NULL) == 0)
      v2v_json_free (v2v_fs_state_to_json (&state));
    v2v_guest_gate_disks (&img, 1, NULL, &findings, &err);
  }
  v2v_error_free (err);
  v2v_findings_clear (&findings);
  v2v_image_close (img);
  v2v_io_unref (io);
  return 0;
}
