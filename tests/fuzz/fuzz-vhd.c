/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD: the reader and the checker on any bytes.  With the right checksums put
 * in first, or hardly an input would get past the footer.
 */

#include <config.h>

#include <string.h>

#include "formats/vhd-format.h"
#include "fuzz-util.h"

static void
fix_footer (uint8_t *p)
{
  struct vhd_footer f;

  vhd_footer_decode (p, &f);
  vhd_footer_encode (&f, VHD_FOOTER_COOKIE, p);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  CLEANUP_FREE uint8_t *p = NULL;
  uint64_t at;

  fuzz_image (data, size, "vhd");
  if (size < VHD_FOOTER_SIZE + VHD_HEADER_SIZE)
    return 0;
  p = malloc (size);
  if (p == NULL)
    return 0;
  memcpy (p, data, size);
  fix_footer (p + size - VHD_FOOTER_SIZE);
  if (p[VHD_COOKIE_SIZE - 1] == 'x')
    fix_footer (p);
  at = v2v_be64 (p + size - VHD_FOOTER_SIZE + 16);
  if (v2v_range_inside (at, VHD_HEADER_SIZE, size)) {
    struct vhd_header h;

    vhd_header_decode (p + at, &h);
    vhd_header_encode (&h, p + at);
  }
  fuzz_image (p, size, "vhd");
  return 0;
}
