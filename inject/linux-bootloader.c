/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux_fix_bootloader: the boot loader's configuration.
 *
 * Every change is made in the file that GRUB reads and in the one it is made
 * from, so that the guest's mkconfig is run only when somebody says that the
 * configuration is stale.
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

/* ---- making the configuration again ---- */

/* mkconfig looks at every disk; in an emulated appliance that takes minutes. */
#define MKCONFIG_SECONDS 600

/* What was made must offer a kernel: a menu entry, or the BLS entries. */
static bool
offers_something (const char *text)
{
  return text != NULL &&
         (strstr (text, "\tlinux") != NULL || strstr (text, " linux") != NULL ||
          strstr (text, "blscfg") != NULL);
}

/* The configuration again by the guest's mkconfig, without os-prober, which
 * would find the appliance.  A result that offers nothing is taken back. */
static int
make_config (struct linux_guest *l, const char *program, const char *path,
             struct v2v_error **err)
{
  const char *const argv[] = { "/usr/bin/env", "GRUB_DISABLE_OS_PROBER=true",
                               program,        "-o",
                               path,           NULL };
  CLEANUP_FREE char *before = v2v_guest_read_text (l->g, path, NULL);
  CLEANUP_FREE char *after = NULL, *output = NULL;
  struct v2v_error *e = NULL;
  int status = 0;
  int r = v2v_guest_run (l->g, argv, MKCONFIG_SECONDS,
                         "the boot loader's configuration is made again",
                         &status, &output, &e);

  if (r == 1)
    return 0;
  if (e == NULL)
    after = v2v_guest_read_text (l->g, path, NULL);
  if (e == NULL && status == 0 && offers_something (after))
    return 0;
  if (before != NULL &&
      v2v_guest_write_text (l->g, path, before, 0,
                            "the new configuration is not usable", err) == -1) {
    v2v_error_free (e);
    return -1;
  }
  if (e != NULL)
    r = linux_finding (l, V2V_WARNING, "guest.boot.config-failed", path,
                       "make it again in the guest", err, "%s",
                       v2v_error_message (e));
  else
    r = linux_finding (l, V2V_WARNING, "guest.boot.config-failed", path,
                       "make it again in the guest", err,
                       "%s ended with status %d%s; the old configuration stays",
                       program, status,
                       status == 0 ? " and offers no kernel" : "");
  v2v_error_free (e);
  return r;
}

static int
remake_configs (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const programs[] = { "/usr/sbin/grub2-mkconfig",
                                          "/sbin/grub2-mkconfig",
                                          "/usr/sbin/grub-mkconfig",
                                          "/usr/bin/grub-mkconfig" };
  static const char *const configs[] = { "/boot/grub2/grub.cfg",
                                         "/boot/grub/grub.cfg" };
  const char *program = NULL;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (programs) && !program; ++i)
    if (v2v_guest_is_file (l->g, programs[i]))
      program = programs[i];
  if (program == NULL || !v2v_guest_can_run (l->g))
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (configs); ++i)
    if (v2v_guest_is_file (l->g, configs[i]))
      return make_config (l, program, configs[i], err);
  return 0;
}

/* ---- the step ---- */

int
linux_fix_bootloader (struct linux_guest *l, struct v2v_error **err)
{
  /* First what a new configuration is made of. */
  if (linux_fix_arguments (l, err) == -1)
    return -1;
  if (l->bootloader_is_stale && remake_configs (l, err) == -1)
    return -1;
  return linux_add_fallback_loader (l, err);
}
