/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data disks at Windows' first boot: put online, and the SAN policy set back.
 *
 * The policy "offline shared" (the default of the larger server editions)
 * takes disks on the synthetic SCSI controller offline, and later servers do
 * so with non-boot disks whose bus changed (guest-windows section 5).
 * diskpart is there since Windows 2000 and needs no PowerShell; a disk that is
 * online or absent is an error to it, so each has a run of its own.
 */

#include <config.h>

#include <stdio.h>

#include "formats/core/cleanup.h"
#include "formats/machine.h"
#include "inject/windows-firstboot.h"

/* Hyper-V: 4 controllers of 64 disks. */
#define MAX_DISKS 256

static int
queue_online (struct windows_guest *w, size_t nr_disks, struct v2v_error **err)
{
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;

  if (nr_disks > MAX_DISKS)
    nr_disks = MAX_DISKS;
  if (v2v_str_printf (
          &s,
          "@echo off\n"
          "rem v2v-run-again: yes\n"
          "rem v2v-time-limit: 600\n"
          "rem Disks on another controller than before come up offline.\n"
          "set \"list=%%V2V_FIRSTBOOT%%\\files\\diskpart.txt\"\n"
          "if not exist \"%%V2V_FIRSTBOOT%%\\files\" "
          "mkdir \"%%V2V_FIRSTBOOT%%\\files\"\n"
          "for /l %%%%d in (0,1,%zu) do call :disk %%%%d\n"
          "exit /b 250\n"
          ":disk\n"
          "echo select disk %%1 >\"%%list%%\"\n"
          "echo online disk noerr >>\"%%list%%\"\n"
          "echo attributes disk clear readonly noerr >>\"%%list%%\"\n"
          "\"%%SystemRoot%%\\System32\\diskpart.exe\" /s \"%%list%%\"\n"
          "goto :eof\n",
          nr_disks - 1) == -1)
    return v2v_fail_nomem (err);
  return windows_add_script (w, WINDOWS_ORDER_DISKS, "disks-online.cmd", &s,
                             err);
}

static int
queue_policy (struct windows_guest *w, struct v2v_error **err)
{
  static const char regkey[] =
      "HKLM\\SYSTEM\\CurrentControlSet\\Services\\partmgr\\Parameters";
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;
  CLEANUP_FREE char *key = NULL;
  bool was_there = false;
  uint32_t old = 0;
  int r;

  if (w->os->control_set == NULL)
    return 0;
  if (asprintf (&key, "%s\\Services\\partmgr\\Parameters",
                w->os->control_set) == -1) {
    key = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_hive_original_dword (w->system, key, "SanPolicy", &was_there, &old) !=
      1)
    return 0;
  r = was_there ? v2v_str_printf (&s,
                                  "@echo off\n"
                                  "rem v2v-run-again: yes\n"
                                  "reg add %s /v SanPolicy /t REG_DWORD /d "
                                  "%lu /f\n"
                                  "exit /b 250\n",
                                  regkey, (unsigned long) old)
                : v2v_str_printf (&s,
                                  "@echo off\n"
                                  "rem v2v-run-again: yes\n"
                                  "reg delete %s /v SanPolicy /f\n"
                                  "exit /b 250\n",
                                  regkey);
  if (r == -1)
    return v2v_fail_nomem (err);
  return windows_add_script (w, WINDOWS_ORDER_TIDY, "san-policy.cmd", &s, err);
}

int
windows_queue_disks (struct windows_guest *w, struct v2v_error **err)
{
  const struct v2v_machine *m = v2v_guest_machine (w->g);

  if (m != NULL && m->nr_disks > 1 && queue_online (w, m->nr_disks, err) == -1)
    return -1;
  return queue_policy (w, err);
}
