/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OVF descriptor: parsed, printed as JSON. */

#include <config.h>

#include "formats/ovf.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_error *err = NULL;
  struct v2v_ovf *ovf = v2v_ovf_parse (data, size, "fuzz", NULL, &err);

  v2v_error_free (err);
  for (size_t i = 0; ovf != NULL && i < ovf->nr_machines; ++i) {
    struct v2v_json *j = v2v_machine_to_json (ovf->machines[i]);

    free (v2v_json_dump (j, 0));
    v2v_json_free (j);
  }
  v2v_ovf_free (ovf);
  return 0;
}
