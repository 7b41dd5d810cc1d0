/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unified kernel images: kernel, initramfs and command line in one PE file,
 * which firmware or systemd-boot starts.  Nothing can be appended to one; where
 * a driver is missing, or its command line names disks as VMware had them, it is
 * made again by what made it: kernel-install, mkinitcpio, dracut.
 *
 * A signature is lost then.  Where Secure Boot is on and the image is signed, it
 * is left alone, and a kernel that would not start is an error.
 *
 * Sources: the UAPI group's "Unified Kernel Image" specification; kernel-
 * install(8) ("layout"), mkinitcpio(8) (-p, -U), dracut(8) (--uefi,
 * --kernel-cmdline).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-initramfs.h"
#include "inject/linux-names.h"
#include "inject/uki.h"

/* Reading one takes seconds; a machine has two or three. */
#define MAX_UNIFIED 16
#define MAX_ARGS    16

/* ---- the tools ---- */

enum uki_tool { UKI_NONE, UKI_KERNEL_INSTALL, UKI_MKINITCPIO, UKI_DRACUT };

static const char *
first_program (struct linux_guest *l, const char *const *paths)
{
  for (; *paths != NULL; ++paths)
    if (v2v_guest_is_file (l->g, *paths))
      return *paths;
  return NULL;
}

/* Does kernel-install make unified images here?  The first file counts. */
static bool
layout_is_uki (struct linux_guest *l)
{
  static const char *const files[] = { "/etc/kernel/install.conf",
                                       "/usr/local/lib/kernel/install.conf",
                                       "/usr/lib/kernel/install.conf" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (l->g, files[i], NULL);

    if (text != NULL)
      return strncmp (text, "layout=uki", 10) == 0 ||
             strstr (text, "\nlayout=uki") != NULL;
  }
  return false;
}

static enum uki_tool
find_tool (struct linux_guest *l, const char **ret_program)
{
  static const char *const install[] = { "/usr/bin/kernel-install",
                                         "/bin/kernel-install", NULL };
  static const char *const mkinitcpio[] = { "/usr/bin/mkinitcpio",
                                            "/sbin/mkinitcpio", NULL };
  static const char *const dracut[] = { "/usr/bin/dracut", "/sbin/dracut",
                                        "/usr/sbin/dracut", NULL };

  if (layout_is_uki (l) && (*ret_program = first_program (l, install)) != NULL)
    return UKI_KERNEL_INSTALL;
  if ((*ret_program = first_program (l, mkinitcpio)) != NULL)
    return UKI_MKINITCPIO;
  if ((*ret_program = first_program (l, dracut)) != NULL)
    return UKI_DRACUT;
  return UKI_NONE;
}

/* The preset of mkinitcpio that makes IMAGE; NULL with ERR unset: none. */
static char *
find_preset (struct linux_guest *l, const char *image, struct v2v_error **err)
{
  CLEANUP_LIST char **list =
      v2v_guest_glob (l->g, "/etc/mkinitcpio.d", "*.preset", err);
  const size_t n = strlen (image);

  for (size_t i = 0; list != NULL && list[i] != NULL; ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (l->g, list[i], NULL);

    for (const char *p = text; p != NULL && (p = strstr (p, image)) != NULL;
         ++p) {
      char *preset;

      if (strchr ("\"' \n", p[n]) == NULL)
        continue;
      preset = strdup (list[i]);
      if (preset == NULL)
        v2v_fail_nomem (err);
      return preset;
    }
  }
  return NULL;
}

/* The kernel of K outside of its unified image: K's modules have it beside
 * them, or /boot.  NULL with ERR unset: nowhere. */
static char *
plain_kernel (struct linux_guest *l, const struct linux_kernel *k,
              struct v2v_error **err)
{
  const char *const formats[] = { k->modules, "/boot" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (formats); ++i) {
    char *path;

    if (formats[i] == NULL)
      continue;
    if (asprintf (&path, "%s/vmlinuz%s%s", formats[i], i ? "-" : "",
                  i ? k->version : "") == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (v2v_guest_is_file (l->g, path))
      return path;
    free (path);
  }
  return NULL;
}

/* The arguments for each tool; NULL ARGV[0]: it cannot be run.  What they point
 * to is in OWNED. */
struct command {
  const char *argv[MAX_ARGS];
  char *owned[3];
};

static void
command_clear (struct command *c)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (c->owned); ++i)
    free (c->owned[i]);
}

static int
make_command (struct linux_guest *l, const struct linux_kernel *k,
              const struct linux_drivers *d, const char *cmdline,
              struct command *c, struct v2v_error **err)
{
  const char *program = NULL;
  struct v2v_error *e = NULL;
  size_t n = 0;

  switch (find_tool (l, &program)) {
  case UKI_NONE:
    return 0;
  case UKI_KERNEL_INSTALL:
    c->owned[0] = plain_kernel (l, k, &e);
    if (e != NULL || c->owned[0] == NULL)
      break;
    c->argv[n++] = program;
    c->argv[n++] = "add";
    c->argv[n++] = k->version;
    c->argv[n++] = c->owned[0];
    /* Debian's initramfs is made beforehand, by its own tool. */
    if (asprintf (&c->owned[1], "/boot/initrd.img-%s", k->version) == -1) {
      c->owned[1] = NULL;
      return v2v_fail_nomem (err);
    }
    if (v2v_guest_is_file (l->g, c->owned[1]))
      c->argv[n++] = c->owned[1];
    break;
  case UKI_MKINITCPIO:
    c->owned[0] = find_preset (l, k->image, &e);
    c->argv[n++] = program;
    if (c->owned[0] != NULL) {
      c->argv[n++] = "-p";
      c->argv[n++] = c->owned[0];
      break;
    }
    c->argv[n++] = "-k";
    c->argv[n++] = k->version;
    c->argv[n++] = "-U";
    c->argv[n++] = k->image;
    break;
  case UKI_DRACUT:
    c->owned[0] = linux_join_drivers (d, " ", "");
    if (c->owned[0] == NULL)
      return v2v_fail_nomem (err);
    c->argv[n++] = program;
    c->argv[n++] = "--force";
    c->argv[n++] = "--uefi";
    if (c->owned[0][0] != '\0') {
      c->argv[n++] = "--add-drivers";
      c->argv[n++] = c->owned[0] + 1;
    }
    /* dracut would look at the running system, which is the appliance. */
    c->argv[n++] = "--no-hostonly-cmdline";
    if (cmdline != NULL) {
      c->argv[n++] = "--kernel-cmdline";
      c->argv[n++] = cmdline;
    }
    c->argv[n++] = k->image;
    c->argv[n++] = k->version;
    break;
  }
  c->argv[n] = NULL;
  return e == NULL ? 0 : v2v_error_move (err, e);
}

int
linux_rebuild_unified (struct linux_guest *l, const struct linux_kernel *k,
                       const struct linux_drivers *d, const char *cmdline,
                       struct v2v_error **err)
{
  __attribute__ ((cleanup (command_clear))) struct command c = { { NULL },
                                                                 { NULL } };

  if (make_command (l, k, d, cmdline, &c, err) == -1)
    return -1;
  if (c.argv[0] == NULL)
    return linux_finding (l, V2V_INFORMATION, "guest.initramfs.no-tool",
                          k->version, NULL, err,
                          "the guest has no tool that makes a unified image");
  return linux_run_tool (l, k, c.argv, err);
}

/* ---- what is in one ---- */

/* W->host was read: its command line, as it should be, and its signature. */
static int
look_inside (struct linux_work *w, bool *ret_signed, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  CLEANUP_STR struct v2v_str new = V2V_STR_INIT;
  struct v2v_error *e = NULL;
  struct v2v_io *io;
  int r;

  free (STEAL (w->cmdline));
  w->has_old_names = *ret_signed = false;
  if (w->host == NULL || !w->is_read)
    return 0;
  io = v2v_io_open (w->host, 0, err);
  if (io == NULL)
    return -1;
  text = v2v_uki_read_text (io, ".cmdline", &e);
  r = e == NULL ? v2v_uki_is_signed (io, &e) : -1;
  v2v_io_unref (io);
  if (e != NULL && v2v_error_code (e) != V2V_ERR_FORMAT)
    return v2v_error_move (err, e);
  v2v_error_free (e);
  *ret_signed = r == 1;
  r = text ? linux_map_arguments (w->l, text, &new, NULL) : 0;
  if (r == -1)
    return v2v_fail_nomem (err);
  w->has_old_names = r == 1;
  w->cmdline = r == 1 ? STEAL (new.ptr) : STEAL (text);
  return 0;
}

/* ---- making it right ---- */

/* Make W->k->image again if that is allowed and possible here.  1 = it was made
 * and is good (or this is a dry run), 0 = not; *RET_WHY (a constant) tells why
 * if no finding does. */
static int
remake (struct linux_work *w, bool is_signed, const char **ret_why,
        struct v2v_error **err)
{
  const struct v2v_machine *m = v2v_guest_machine (w->l->g);
  const char *program;
  bool dry = false, again = false;
  int r;

  *ret_why = NULL;
  if (is_signed && m != NULL && m->secure_boot == V2V_YES)
    *ret_why = "and cannot be made again without losing its signature, which "
               "Secure Boot asks for";
  else if (v2v_guest_get_opts (w->l->g)->initramfs == V2V_INITRAMFS_APPEND)
    *ret_why = "and nothing can be appended to it";
  else if (!v2v_guest_can_run (w->l->g) ||
           find_tool (w->l, &program) == UKI_NONE)
    *ret_why = "and no tool of the guest can be run here that makes it again";
  if (*ret_why != NULL)
    return 0;
  if (linux_write_lasting (w->l, &w->drivers, err) == -1)
    return -1;
  r = linux_work_rebuild (w, &dry, err);
  if (r != 1 || dry)
    return r;
  if (look_inside (w, &again, err) == -1)
    return -1;
  if (is_signed && !again &&
      linux_finding (w->l, V2V_WARNING, "guest.initramfs.unsigned", w->k->image,
                     "sign it again, or leave Secure Boot off", err,
                     "this unified kernel image was made again and has no "
                     "signature now") == -1)
    return -1;
  return 1;
}

/* What is left to say of an image that has its drivers and was, or was not
 * (REASON), MADE again. */
static int
report_rest (struct linux_work *w, bool made, const char *reason,
             struct v2v_error **err)
{
  const bool vital = w->l->initramfs_is_vital;

  if (w->has_old_names &&
      linux_finding (w->l, V2V_CRITICAL, "guest.initramfs.unified-names",
                     w->k->image,
                     "make it again in the guest with a command line that "
                     "names file systems by their UUID",
                     err,
                     "the command line in this unified kernel image names "
                     "disks as VMware had them%s%s",
                     reason ? ", " : "", reason ? reason : "") == -1)
    return -1;
  if (made || !w->l->initramfs_is_stale)
    return 0;
  return linux_finding (w->l, vital ? V2V_CRITICAL : V2V_WARNING,
                        "guest.initramfs.stale", w->k->image,
                        "make it again in the guest", err,
                        "the unified kernel image may hold old copies of files "
                        "that were changed%s, %s",
                        vital ? " and tell where the root file system is" : "",
                        reason ? reason : "and could not be made again");
}

int
linux_fix_unified (struct linux_work *w, struct v2v_error **err)
{
  const bool always =
      v2v_guest_get_opts (w->l->g)->initramfs == V2V_INITRAMFS_REBUILD;
  CLEANUP_FREE char *text = NULL;
  const char *reason = NULL, *lacking;
  bool is_signed = false;
  int r = 0;

  if (look_inside (w, &is_signed, err) == -1)
    return -1;
  lacking = linux_work_missing (w);
  if (lacking != NULL || always || w->has_old_names || w->l->initramfs_is_stale)
    r = remake (w, is_signed, &reason, err);
  if (r == -1)
    return -1;
  if (r == 1 || lacking == NULL) {
    w->k->has_hyperv = true;
    return report_rest (w, r == 1, reason, err);
  }
  if (asprintf (&text, "its unified kernel image lacks %s, %s", lacking,
                reason ? reason : "and could not be made again") == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  return linux_work_not_startable (w, text, w->unreadable, err);
}

/* ---- unified images that are no kernel's own ---- */

bool
linux_initramfs_holds (const struct v2v_initramfs *im, const char *version)
{
  CLEANUP_FREE char *top = NULL;

  if (asprintf (&top, "lib/modules/%s/", version) == -1) {
    top = NULL;
    return false;
  }
  for (size_t i = 0; i < im->nr_files; ++i) {
    const char *p = strstr (im->files[i].name, top);

    if (p != NULL && (p == im->files[i].name || p[-1] == '/'))
      return true;
  }
  return false;
}

/* The kernel in the image that W read: the image says so (.uname), or the
 * modules in it do.  NULL = none that is installed. */
static struct linux_kernel *
kernel_inside (struct linux_guest *l, const struct linux_work *w)
{
  struct v2v_io *io = v2v_io_open (w->host, 0, NULL);
  CLEANUP_FREE char *uname = io ? v2v_uki_read_text (io, ".uname", NULL) : NULL;

  v2v_io_unref (io);
  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (uname != NULL ? strcmp (uname, l->kernels[i].version) == 0
                      : linux_initramfs_holds (&w->im, l->kernels[i].version))
      return &l->kernels[i];
  return NULL;
}

/* W has read its image, of kernel OWN. */
static int
fix_other (struct linux_work *w, const struct linux_kernel *own,
           struct v2v_error **err)
{
  const char *none = NULL, *lacking, *reason = NULL;
  bool is_signed = false;
  int r = linux_work_find_drivers (w, &none, err);

  if (r <= 0) /* a kernel without the drivers has its own finding */
    return r;
  if (look_inside (w, &is_signed, err) == -1)
    return -1;
  lacking = linux_work_missing (w);
  r = lacking || w->has_old_names ? remake (w, is_signed, &reason, err) : 0;
  if (r == -1)
    return -1;
  if (r == 1 || lacking == NULL)
    return report_rest (w, r == 1, reason, err);
  return linux_finding (
      w->l, V2V_CRITICAL, "guest.initramfs.unified-lacks", w->k->image,
      "make it again in the guest with this driver before the conversion, or "
      "start another entry",
      err,
      "this unified kernel image, which holds kernel %s, lacks %s: it cannot "
      "start on Hyper-V, %s",
      own->version, lacking, reason ? reason : "and could not be made again");
}

/* The image PATH, called as its maker likes ("arch-linux.efi"). */
static int
check_other (struct linux_guest *l, const char *path, struct v2v_error **err)
{
  struct linux_kernel image = { .image = (char *) path, .is_uki = true };
  struct linux_work w = { .l = l, .k = &image };
  struct linux_kernel *own = NULL;
  int r;

  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (strcmp (l->kernels[i].image, path) == 0)
      return 0;
  r = linux_work_read (&w, err);
  if (r == 0 && w.is_read)
    own = kernel_inside (l, &w);
  if (own != NULL) {
    /* The same kernel in another image. */
    image = *own;
    image.image = (char *) path;
    image.initramfs = NULL;
    image.is_uki = true;
    r = fix_other (&w, own, err);
    /* What was read of it meanwhile is its owner's. */
    own->builtin = image.builtin;
    own->dep = image.dep;
    own->config = image.config;
    own->is_loaded = image.is_loaded;
  }
  linux_work_clear (&w);
  return r;
}

int
linux_fix_other_unified (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const folders[] = { "/boot/efi/EFI/Linux",
                                         "/efi/EFI/Linux", "/boot/EFI/Linux" };
  unsigned n = 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **list = v2v_guest_glob (l->g, folders[i], "*.efi", err);

    if (list == NULL)
      return -1;
    for (size_t k = 0; list[k] != NULL && n < MAX_UNIFIED; ++k, ++n)
      if (check_other (l, list[k], err) == -1)
        return -1;
  }
  return 0;
}
