/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Write the scripts and the description of a machine of which every text is
 * given on the command line:
 *
 *   mkscripts FOLDER bios|efi TEXT
 *
 * makes FOLDER/new.ps1, scvmm.ps1 and machine.json.  TEXT may have the escapes
 * \n, \r, \t, \xHH.  The same TEXT stands for name, annotation, ids, network,
 * addresses, files.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/hyperv.h"
#include "formats/powershell-check.h"

static void
die (const char *what, const struct v2v_error *err)
{
  fprintf (stderr, "mkscripts: %s: %s\n", what,
           err ? v2v_error_message (err) : "failed");
  exit (1);
}

/* A copy of S with its escapes replaced. */
static char *
unescape (const char *s)
{
  char *out = malloc (strlen (s) + 1), *o = out;

  if (out == NULL)
    die ("malloc", NULL);
  for (; *s != '\0'; ++s) {
    if (*s != '\\')
      *o++ = *s;
    else if (s[1] == 'n' || s[1] == 'r' || s[1] == 't') {
      *o++ = s[1] == 'n' ? '\n' : s[1] == 'r' ? '\r' : '\t';
      s++;
    }
    else if (s[1] == 'x' && v2v_unhex (s + 2, strnlen (s + 2, 2), o, 1)) {
      o++;
      s += 3;
    }
    else
      *o++ = '\\';
  }
  *o = '\0';
  return out;
}

static struct v2v_machine *
machine_of (const char *text, bool efi)
{
  struct v2v_machine *m = v2v_machine_new (NULL);

  if (m == NULL)
    die ("machine", NULL);
  m->name = strdup (text);
  m->annotation = strdup (text);
  m->os_id = strdup (text);
  m->os_description = strdup (text);
  m->uuid_bios = strdup (text);
  m->source_kind = strdup ("ovf");
  m->source_path = strdup (text);
  m->firmware = efi ? V2V_FIRMWARE_EFI : V2V_FIRMWARE_BIOS;
  m->firmware_stated = true;
  m->secure_boot = m->tpm = efi ? V2V_YES : V2V_UNKNOWN;
  m->nr_cpus = 2;
  m->memory_bytes = V2V_GIB;
  for (unsigned i = 0; i < 3; ++i) {
    struct v2v_disk *d = v2v_machine_add_disk (m);
    struct v2v_nic *n = v2v_machine_add_nic (m);
    struct v2v_removable *r = v2v_machine_add_removable (m);
    struct v2v_serial *s = v2v_machine_add_serial (m);

    d->id = strdup (text);
    d->file = strdup (text);
    d->mode = strdup (text);
    d->bus = V2V_BUS_SCSI;
    d->unit = i;
    d->capacity_bytes = V2V_GIB;
    n->id = strdup (text);
    n->network = strdup (text);
    n->mac = strdup (i == 0 ? text : "00:50:56:00:00:01");
    n->vlan = i == 0 ? -1 : i == 1 ? 7 : 4095;
    r->kind = V2V_CD_IMAGE;
    r->file = strdup (text);
    s->number = i;
    s->kind = strdup ("pipe");
    s->path = strdup (text);
  }
  return m;
}

static void
save (const char *dir, const char *name, const char *text)
{
  CLEANUP_FREE char *path = NULL;
  FILE *fp;

  if (asprintf (&path, "%s/%s", dir, name) == -1)
    die ("asprintf", NULL);
  fp = fopen (path, "w");
  if (fp == NULL || fputs (text, fp) == EOF || fclose (fp) == EOF)
    die (path, NULL);
}

/* Our own tokenizer's list of commands, one a line. */
static void
save_commands (const char *dir, const char *name, const char *script)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_ps_scan scan = V2V_PS_SCAN_INIT;
  struct v2v_error *err = NULL;

  if (v2v_ps_scan (script, strlen (script), true, &scan, &err) == -1)
    die (name, err);
  for (size_t i = 0; i < scan.nr_commands; ++i)
    if (v2v_str_printf (&s, "%s\n", scan.commands[i]) == -1)
      die (name, NULL);
  save (dir, name, s.ptr);
  v2v_ps_scan_clear (&scan);
}

int
main (int argc, char *argv[])
{
  struct v2v_error *err = NULL;
  struct v2v_hyperv_opts opts = { .generation = 0 };
  struct v2v_hyperv_plan *plan;
  struct v2v_machine *m;
  struct v2v_json *json;
  CLEANUP_FREE char *text = NULL, *script = NULL, *scvmm = NULL, *dump = NULL;

  if (argc != 4) {
    fprintf (stderr, "usage: mkscripts FOLDER bios|efi TEXT\n");
    return 2;
  }
  text = unescape (argv[3]);
  m = machine_of (text, strcmp (argv[2], "efi") == 0);
  plan = v2v_hyperv_plan_new (m, NULL, 0, &opts, &err);
  if (plan == NULL)
    die ("plan", err);
  script = v2v_hyperv_script (plan, &err);
  if (script == NULL)
    die ("script", err);
  scvmm = v2v_hyperv_scvmm_script (plan, &err);
  if (scvmm == NULL)
    die ("script", err);
  json = v2v_hyperv_to_json (plan, m);
  dump = json ? v2v_json_dump (json, 2) : NULL;
  if (dump == NULL)
    die ("json", NULL);
  save (argv[1], "new.ps1", script);
  save (argv[1], "scvmm.ps1", scvmm);
  save (argv[1], "machine.json", dump);
  save_commands (argv[1], "new.commands", script);
  save_commands (argv[1], "scvmm.commands", scvmm);
  v2v_json_free (json);
  v2v_hyperv_plan_free (plan);
  v2v_machine_free (m);
  return 0;
}
