/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A .vmx file, which is its own .vmsd too: the current state and a snapshot. */

#include <config.h>

#include "formats/vmx.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const char *const snapshots[] = { NULL, "s" };
  struct v2v_error *err = NULL;
  struct v2v_vmx *vmx, *vmsd;

  (void) v2v_vmx_probe (data, size);
  vmx = v2v_vmx_parse (data, size, "fuzz.vmx", &err);
  v2v_error_free (err);
  vmsd = vmx != NULL ? v2v_vmx_parse (data, size, "fuzz.vmsd", NULL) : NULL;
  for (size_t i = 0; vmsd != NULL && i < V2V_ARRAY_SIZE (snapshots); ++i) {
    struct v2v_machine *m;

    err = NULL;
    m = v2v_vmx_machine (vmx, vmsd, "fuzz.vmx", snapshots[i], &err);
    v2v_error_free (err);
    if (m != NULL) {
      struct v2v_json *j = v2v_machine_to_json (m);

      free (v2v_json_dump (j, 0));
      v2v_json_free (j);
    }
    v2v_machine_free (m);
  }
  v2v_vmx_free (vmx);
  v2v_vmx_free (vmsd);
  return 0;
}
