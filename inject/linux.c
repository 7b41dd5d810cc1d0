/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Linux guest: the order of the steps.
 *
 * Removing the tools comes first, because VMware's uninstaller puts old copies
 * of configuration files back.  Device names and pinned interface names come
 * before the initramfs, which holds copies of them; the boot loader's file is
 * made after the initramfs, whose name it mentions; labels come last, for every
 * file that was written before.
 */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "formats/core/cleanup.h"
#include "inject/linux-internal.h"

int
linux_finding (struct linux_guest *l, enum v2v_severity severity,
               const char *id, const char *subject, const char *remedy,
               struct v2v_error **err, const char *fmt, ...)
{
  CLEANUP_FREE char *text = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1)
    text = NULL;
  if (text == NULL || v2v_findings_add (v2v_guest_findings (l->g), severity, id,
                                        subject, remedy, "%s", text) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

int
v2v_linux_convert (struct v2v_guest *g, struct v2v_error **err)
{
  static int (*const steps[]) (struct linux_guest *, struct v2v_error **) = {
    linux_find_kernels,   linux_remove_tools,    linux_remap_devices,
    linux_keep_network,   linux_fix_settings,    linux_fix_initramfs,
    linux_fix_bootloader, linux_queue_firstboot, linux_relabel,
  };
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  int r = 0;

  for (size_t i = 0; r == 0 && i < V2V_ARRAY_SIZE (steps); ++i)
    r = steps[i](&l, err);
  linux_kernels_clear (&l);
  return r;
}
