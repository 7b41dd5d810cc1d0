/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An INF file, and every question about it. */

#include <config.h>

#include "fuzz-util.h"
#include "inject/guest.h"
#include "inject/windows-inf.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const char *const archs[] = { "x86_64", "i386", "aarch64" };
  struct v2v_error *err = NULL;
  struct windows_inf *inf = windows_inf_parse (data, size, &err);

  for (size_t i = 0; inf != NULL && i < 3; ++i) {
    windows_inf_fits (inf, archs[i], 10, 0, 17763, WINDOWS_PRODUCT_SERVER);
    v2v_error_free (err);
    err = NULL;
    free (windows_inf_catalog (inf, archs[i], &err));
    v2v_error_free (err);
    err = NULL;
    v2v_guest_free_list (windows_inf_files (inf, archs[i], &err));
    v2v_error_free (err);
    err = NULL;
    v2v_guest_free_list (windows_inf_includes (inf, archs[i], &err));
    v2v_guest_free_list (windows_inf_needs (inf, archs[i], NULL));
  }
  v2v_error_free (err);
  windows_inf_free (inf);
  return 0;
}
