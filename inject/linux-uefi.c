/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fallback loader of UEFI.
 *
 * A new virtual machine of generation 2 has no boot entries in its NVRAM: the
 * firmware starts \EFI\BOOT\BOOTX64.EFI.  Where that is missing, the
 * distribution's loader is copied there with what it looks for beside itself:
 * shim loads grubx64.efi from its own folder, fbx64.efi makes the boot entry
 * anew, and GRUB's configuration is found through a one-line grub.cfg.  The
 * distribution's own folder stays: GRUB's built-in prefix points there.
 *
 * Names on the EFI partition (vfat) have no case: they are looked for without
 * regard to it and written as 8.3 names.
 *
 * Sources: UEFI specification 2.10, 3.5.1.1 "Removable Media Boot Behavior";
 * the README.fallback of shim.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-boot.h"

/* GRUB with all modules inside has some 4 MiB. */
#define MAX_LOADER_BYTES (64u << 20)
/* What vfat lets a file's mode be. */
#define VFAT_MODE 0755
static const char why[] =
    "a new machine's firmware starts the fallback loader only";

/* The parts of one architecture. */
static const struct machine {
  const char *arch, *fallback, *config;
  const char *loaders[5]; /* the best first; NULL-terminated */
  const char *beside[6];  /* copied as they are, when shim starts */
} machines[] = {
  { "x86_64",
    "BOOTX64.EFI",
    "BOOTX64.CONF",
    { "shimx64.efi", "shim.efi", "grubx64.efi", "grub.efi", NULL },
    { "grubx64.efi", "grub.efi", "mmx64.efi", "MokManager.efi", "fbx64.efi",
      NULL } },
  { "aarch64",
    "BOOTAA64.EFI",
    NULL,
    { "shimaa64.efi", "grubaa64.efi", NULL },
    { "grubaa64.efi", "mmaa64.efi", "fbaa64.efi", NULL } },
  { "i386",
    "BOOTIA32.EFI",
    NULL,
    { "shimia32.efi", "grubia32.efi", NULL },
    { "grubia32.efi", "mmia32.efi", "fbia32.efi", NULL } },
};

/* FOLDER/NAME as it is spelled there; NULL with ERR unset when it is not. */
static char *
find_name (struct linux_guest *l, const char *folder, const char *name,
           struct v2v_error **err)
{
  CLEANUP_LIST char **list = v2v_guest_list (l->g, folder, err);
  char *path;

  if (list == NULL)
    return NULL;
  for (size_t i = 0; list[i] != NULL; ++i)
    if (strcasecmp (list[i], name) == 0) {
      if (asprintf (&path, "%s/%s", folder, list[i]) == -1) {
        v2v_fail_nomem (err);
        return NULL;
      }
      return path;
    }
  return NULL;
}

static int
copy_file (struct linux_guest *l, const char *from, const char *folder,
           const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *to = NULL;
  CLEANUP_FREE void *data = NULL;
  struct v2v_error *e = NULL;
  size_t len = 0;

  if (asprintf (&to, "%s/%s", folder, name) == -1) {
    to = NULL;
    return v2v_fail_nomem (err);
  }
  data = v2v_guest_read (l->g, from, MAX_LOADER_BYTES, &len, &e);
  if (data == NULL)
    return e ? v2v_error_move (err, e)
             : v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", from);
  return v2v_guest_write (l->g, to, data, len, VFAT_MODE, 0, why, err) == -1
             ? -1
             : 0;
}

/* ---- the distribution's loader ---- */

struct loader {
  char *folder; /* "/boot/efi/EFI/debian" */
  char *path;   /* the loader in it */
  const char *name;
  unsigned rank;
};

static void
loader_clear (struct loader *f)
{
  free (f->folder);
  free (f->path);
}

/* Keep the better of *BEST and what FOLDER has. */
static int
consider (struct linux_guest *l, const struct machine *m, const char *folder,
          struct loader *best, struct v2v_error **err)
{
  static const char *const systemd[] = { "systemd-bootx64.efi",
                                         "systemd-bootaa64.efi", NULL };
  const char *const *lists[] = { m->loaders, systemd };
  unsigned rank = 0;

  for (size_t n = 0; n < V2V_ARRAY_SIZE (lists); ++n)
    for (size_t i = 0; lists[n][i] != NULL; ++i, ++rank) {
      struct v2v_error *e = NULL;
      CLEANUP_FREE char *path = find_name (l, folder, lists[n][i], &e);

      if (e != NULL)
        return v2v_error_move (err, e);
      if (path == NULL || (best->path != NULL && best->rank <= rank))
        continue;
      loader_clear (best);
      best->path = STEAL (path);
      best->folder = strdup (folder);
      best->name = lists[n][i];
      best->rank = rank;
      if (best->folder == NULL)
        return v2v_fail_nomem (err);
    }
  return 0;
}

static int
find_loader (struct linux_guest *l, const struct machine *m, const char *efi,
             struct loader *best, struct v2v_error **err)
{
  CLEANUP_LIST char **folders = v2v_guest_glob (l->g, efi, "*", err);

  if (folders == NULL)
    return -1;
  for (size_t i = 0; folders[i] != NULL; ++i) {
    const char *name = strrchr (folders[i], '/') + 1;

    if (strcasecmp (name, "BOOT") == 0 || strcasecmp (name, "Microsoft") == 0 ||
        !v2v_guest_is_dir (l->g, folders[i]))
      continue;
    if (consider (l, m, folders[i], best, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- copying ---- */

/* GRUB looks beside itself where its built-in prefix does not lead. */
static int
copy_config (struct linux_guest *l, const struct machine *m,
             const struct loader *from, const char *boot,
             struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *cfg = find_name (l, from->folder, "grub.cfg", &e);
  CLEANUP_FREE char *conf =
      e ? NULL : find_name (l, from->folder, "grub.conf", &e);
  CLEANUP_FREE char *stub = NULL, *text = NULL;

  if (e != NULL)
    return v2v_error_move (err, e);
  /* RHEL 6: GRUB legacy takes the .conf of its own name. */
  if (cfg == NULL && conf != NULL && m->config != NULL)
    return copy_file (l, conf, boot, m->config, err);
  if (cfg == NULL)
    return 0;
  stub = find_name (l, boot, "grub.cfg", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (stub != NULL)
    return 0;
  if (asprintf (&stub, "%s/grub.cfg", boot) == -1) {
    stub = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&text, "configfile /EFI/%s/grub.cfg\n",
                strrchr (from->folder, '/') + 1) == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_guest_write_text (l->g, stub, text, VFAT_MODE, why, err) == -1 ? -1
                                                                            : 0;
}

static int
copy_loader (struct linux_guest *l, const struct machine *m,
             const struct loader *from, const char *boot,
             struct v2v_error **err)
{
  if (v2v_guest_mkdir (l->g, boot, VFAT_MODE, err) == -1)
    return -1;
  /* The loader last: it is what says that the others are there. */
  for (size_t i = 0;
       strncmp (from->name, "shim", 4) == 0 && m->beside[i] != NULL; ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_FREE char *path = find_name (l, from->folder, m->beside[i], &e);
    CLEANUP_FREE char *there = e ? NULL : find_name (l, boot, m->beside[i], &e);

    if (e != NULL)
      return v2v_error_move (err, e);
    if (path != NULL && there == NULL &&
        copy_file (l, path, boot, m->beside[i], err) == -1)
      return -1;
  }
  if (copy_config (l, m, from, boot, err) == -1)
    return -1;
  return copy_file (l, from->path, boot, m->fallback, err);
}

/* ---- the step ---- */

static const struct machine *
find_machine (const struct v2v_os *os)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (machines); ++i)
    if (os->arch != NULL && strcmp (os->arch, machines[i].arch) == 0)
      return &machines[i];
  return os->arch == NULL ? &machines[0] : NULL;
}

/* EFI is "/boot/efi/EFI". */
static int
add_to (struct linux_guest *l, const struct machine *m, const char *efi,
        struct v2v_error **err)
{
  __attribute__ ((cleanup (loader_clear))) struct loader from = { 0 };
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *boot = find_name (l, efi, "BOOT", &e);
  CLEANUP_FREE char *there = NULL;

  if (e != NULL)
    return v2v_error_move (err, e);
  if (boot != NULL)
    there = find_name (l, boot, m->fallback, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (there != NULL)
    return 0;
  if (boot == NULL && asprintf (&boot, "%s/BOOT", efi) == -1) {
    boot = NULL;
    return v2v_fail_nomem (err);
  }
  if (find_loader (l, m, efi, &from, err) == -1)
    return -1;
  if (from.path == NULL)
    return linux_finding (
        l, V2V_CRITICAL, "guest.boot.no-fallback", efi,
        "install the boot loader with its fallback (grub-install "
        "--force-extra-removable) in the guest",
        err,
        "the EFI partition has no %s and no loader that could take its place: "
        "generation 2 finds nothing to start",
        m->fallback);
  return copy_loader (l, m, &from, boot, err);
}

int
linux_add_fallback_loader (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const partitions[] = { "/boot/efi", "/efi", "/boot" };
  const struct machine *m = find_machine (l->os);

  if (m == NULL || v2v_guest_get_opts (l->g)->generation == 1)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (partitions); ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_FREE char *efi = find_name (l, partitions[i], "EFI", &e);

    if (e != NULL)
      return v2v_error_move (err, e);
    /* "/boot/efi" itself is found as "EFI" of "/boot": the mount point. */
    if (efi == NULL || !v2v_guest_is_dir (l->g, efi) ||
        strcmp (efi, "/boot/efi") == 0)
      continue;
    return add_to (l, m, efi, err);
  }
  return 0;
}
