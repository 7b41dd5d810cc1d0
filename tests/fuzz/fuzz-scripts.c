/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine whose texts are any bytes: its script must be made, and pass the
 * check that it goes through; and a network map of the same bytes.  A script
 * that is refused although its plan was accepted is a fault: texts are cleaned
 * by the plan. */

#include <config.h>

#include <string.h>

#include "formats/hyperv.h"
#include "formats/powershell-check.h"
#include "fuzz-util.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_hyperv_opts opts = { .generation = 0 };
  struct v2v_ps_scan scan = V2V_PS_SCAN_INIT;
  struct v2v_network_map *map =
      v2v_network_map_parse ((const char *) data, size, "fuzz", NULL);
  CLEANUP_FREE char *text = strndup ((const char *) data, size);
  struct v2v_machine *m = v2v_machine_new (NULL);
  struct v2v_hyperv_plan *plan;
  CLEANUP_FREE char *script = NULL;
  struct v2v_nic *n;

  if (v2v_ps_scan ((const char *) data, size, false, &scan, NULL) == 0)
    v2v_ps_scan_clear (&scan);
  if (text == NULL || m == NULL)
    abort ();
  m->name = strdup (text);
  m->annotation = strdup (text);
  m->os_id = strdup (text);
  n = v2v_machine_add_nic (m);
  n->network = strdup (text);
  n->mac = strdup (text);
  opts.default_switch = text;
  opts.network_map = map;
  plan = v2v_hyperv_plan_new (m, NULL, 0, &opts, NULL);
  if (plan != NULL && (script = v2v_hyperv_script (plan, NULL)) == NULL)
    abort ();
  v2v_hyperv_plan_free (plan);
  v2v_network_map_free (map);
  v2v_machine_free (m);
  return 0;
}
