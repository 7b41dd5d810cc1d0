/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An archive: its index, its descriptor's text, each way to look into it. */

#include <config.h>

#include "formats/ova.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_io *io = v2v_io_from_buffer ("fuzz", data, size, NULL);
  struct v2v_error *err = NULL;
  struct v2v_package *pkg;
  bool spooled = false;
  char *name = NULL;
  size_t len;

  if (io == NULL)
    return 0;
  pkg = v2v_ova_open (io, &spooled, &err);
  v2v_error_free (err);
  err = NULL;
  if (pkg != NULL &&
      v2v_package_find_suffix (pkg, ".ovf", true, &name, &err) == 0 &&
      name != NULL)
    free (v2v_package_read_text (pkg, name, &len, &err));
  v2v_error_free (err);
  free (name);
  v2v_package_unref (pkg);
  v2v_io_unref (io);
  return 0;
}
