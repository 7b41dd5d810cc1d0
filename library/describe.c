/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every folder of a machine has beside its disks. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/describe.h"

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

void
v2v_described_clear (struct v2v_described *f)
{
  for (size_t i = 0; i < V2V_DESCRIBE_NR_TEXTS; ++i)
    free (f->names[i]);
  free (f->list);
}

/* Write TEXT as PREFIX NAME SUFFIX, and note it for the report. */
static int
write_text (struct v2v_deposit *d, const struct v2v_hyperv_plan *plan,
            struct v2v_described *f, const char *text, const char *prefix,
            const char *suffix, struct v2v_error **err)
{
  const size_t len = strlen (text);
  uint8_t digest[V2V_SHA256_SIZE];
  char *name, *hex = f->hex[f->nr_texts];

  if (asprintf (&name, "%s%s%s", prefix, plan->safe_name, suffix) == -1)
    return v2v_fail_nomem (err);
  f->names[f->nr_texts++] = name;
  v2v_sha256 (text, len, digest);
  v2v_hex (digest, sizeof digest, hex);
  f->list[f->n++] =
      (struct v2v_report_file){ .name = name, .bytes = len, .sha256 = hex };
  return v2v_deposit_write (d, name, text, len, err);
}

static char *
dump (const struct v2v_json *o, struct v2v_error **err)
{
  char *text = v2v_json_ok (o) ? v2v_json_dump (o, 2) : NULL;

  if (text == NULL)
    v2v_fail_nomem (err);
  return text;
}

int
v2v_describe_machine (struct v2v_deposit *d, const struct v2v_hyperv_plan *plan,
                      const struct v2v_machine *machine,
                      struct v2v_described *f, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_hyperv_to_json (plan, machine);
  CLEANUP_FREE char *json = dump (o, err);
  CLEANUP_FREE char *script = NULL, *scvmm = NULL;

  if (json == NULL || write_text (d, plan, f, json, "", ".json", err) == -1)
    return -1;
  script = v2v_hyperv_script (plan, err);
  if (script == NULL ||
      write_text (d, plan, f, script, "New-", ".ps1", err) == -1)
    return -1;
  scvmm = v2v_hyperv_scvmm_script (plan, err);
  if (scvmm == NULL ||
      write_text (d, plan, f, scvmm, "Import-", "-SCVMM.ps1", err) == -1)
    return -1;
  return 0;
}

int
v2v_describe_report (struct v2v_deposit *d, const struct v2v_report *report,
                     struct v2v_json **ret_json, char **ret_text,
                     struct v2v_error **err)
{
  CLEANUP_FREE char *json = NULL;

  *ret_json = v2v_report_to_json (report);
  json = dump (*ret_json, err);
  if (json == NULL || v2v_deposit_write_private (d, "report.json", json,
                                                 strlen (json), err) == -1)
    return -1;
  *ret_text = v2v_report_to_text (report, err);
  if (*ret_text == NULL)
    return -1;
  return v2v_deposit_write (d, "report.txt", *ret_text, strlen (*ret_text),
                            err);
}
