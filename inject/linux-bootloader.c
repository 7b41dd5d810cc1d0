/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux_fix_bootloader: the boot loader's configuration.
 *
 * Every change is made in the file that GRUB reads and in the one it is made
 * from (linux-cmdline.c, linux-devices.c), so that both say the same, and the
 * next update of a kernel keeps it.  The guest's own grub-mkconfig and grubby are
 * not run: they look at the machine they run on, which is the appliance, and
 * write down its disks and whatever os-prober finds there; and a configuration
 * that its owner edited by hand would be lost.
 *
 * Sources: GRUB's manual ("The GRUB environment block", "Simple
 * configuration"), the Boot Loader Specification of the UAPI group.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-boot.h"
#include "inject/linux-edit.h"

/* ---- the environment block ---- */

/* GRUB writes the block in place and never moves it: its size, padded with
 * '#', must stay. */
int
linux_edit_grubenv (struct linux_guest *l, const char *path, linux_edit_fn f,
                    void *arg, const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL, *edited = NULL;
  struct v2v_error *e = NULL;
  size_t size, len, new_len;
  char *padded;
  int r;

  if (!v2v_guest_is_file (l->g, path))
    return 0;
  text = v2v_guest_read_text (l->g, path, &e);
  if (e != NULL)
    return linux_tolerate (l, path, e, err);
  if (text == NULL)
    return 0;
  len = size = strlen (text);
  while (len > 0 && text[len - 1] == '#')
    --len;
  text[len] = '\0';
  if (linux_edit_text (text, f, arg, &edited, err) == -1)
    return -1;
  if (edited == NULL)
    return 0;
  new_len = strlen (edited);
  if (new_len > size)
    return linux_finding (l, V2V_WARNING, "guest.boot.environment-full", path,
                          "shorten the kernel's options there", err,
                          "the GRUB environment block has no room for the "
                          "changed options; it was left as it is");
  padded = malloc (size + 1);
  if (padded == NULL)
    return v2v_fail_nomem (err);
  memset (padded, '#', size);
  memcpy (padded, edited, new_len);
  padded[size] = '\0';
  r = v2v_guest_write_text (l->g, path, padded, 0, why, err);
  free (padded);
  return r;
}

int
linux_edit_vendor_grubenv (struct linux_guest *l, const char *folder,
                           linux_edit_fn f, void *arg, const char *why,
                           struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&path, "%s/grubenv", folder) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  return linux_edit_grubenv (l, path, f, arg, why, err);
}

/* ---- the step ---- */

int
linux_fix_bootloader (struct linux_guest *l, struct v2v_error **err)
{
  if (linux_fix_arguments (l, err) == -1)
    return -1;
  return linux_add_fallback_loader (l, err);
}
