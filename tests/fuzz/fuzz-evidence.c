/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence from a disk of any bytes: partition tables, and the FAT of an EFI
 * System Partition. */

#include <config.h>

#include "formats/evidence.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_io *io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  struct v2v_disk_evidence ev;
  struct v2v_error *err = NULL;
  struct v2v_image *img;

  if (io == NULL)
    return 0;
  img = v2v_image_open_io (io, &raw, &err);
  if (img != NULL && v2v_evidence_gather (img, &ev, &err) == 0)
    v2v_json_free (v2v_evidence_to_json (&ev));
  v2v_error_free (err);
  v2v_image_close (img);
  v2v_io_unref (io);
  return 0;
}
