/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a new machine: blank ones, copies (with an identity of their
 * own, blocks shared where the file system can) and differencing children;
 * and what is put into its CD drives.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LINUX_FS_H
#include <linux/fs.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/iso.h"
#include "formats/ladder.h"
#include "inject/seed.h"
#include "library/vm-internal.h"

static void
cleanup_image (struct v2v_image **img)
{
  v2v_image_close (*img);
}
#define CLEANUP_IMAGE __attribute__ ((cleanup (cleanup_image)))

static const char *
format_name (const struct vm *vm)
{
  return vm->hyperv.disk_format == V2V_HYPERV_VHD ? "vhd" : "vhdx";
}

static const char *
last_part (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash != NULL ? slash + 1 : path;
}

/* ---- before anything is written ---- */

int
vm_open_disks (struct vm *vm, struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .search = vm->opts->search };

  for (size_t i = 0; i < vm->nr_disks; ++i) {
    struct vm_disk *d = &vm->disks[i];

    if (d->path == NULL)
      continue;
    d->image = d->from != NULL && d->from->image != NULL
                   ? d->from->image
                   : v2v_image_open (d->path, &opts, err);
    if (d->image == NULL)
      return -1;
    if (d->from != NULL && d->from->evidence != NULL)
      d->evidence = *d->from->evidence;
    else if (v2v_evidence_gather (d->image, &d->evidence, err) == -1)
      return v2v_prefix (err, "%s", d->path);
    d->has_evidence = true;
    if (d->child && strcmp (v2v_image_get_info (d->image)->format, "vhd") == 0)
      vm->hyperv.disk_format = V2V_HYPERV_VHD;
  }
  for (size_t i = 0; i < vm->nr_disks; ++i) {
    const struct v2v_image *img = vm->disks[i].image;
    const char *format = img ? v2v_image_get_info (img)->format : NULL;

    if (vm->disks[i].child && format != NULL &&
        strcmp (format, format_name (vm)) != 0) {
      v2v_fail (err, V2V_ERR_USAGE,
                "%s: is of format %s, and a differencing disk of this machine "
                "needs a parent of format %s",
                vm->disks[i].path, format, format_name (vm));
      return v2v_hint (err, "'v2v copy' makes one of it");
    }
  }
  return 0;
}

/* ---- one disk ---- */

/* The parents of IMG, for the description. */
static int
note_parents (struct vm *vm, size_t disk, const struct v2v_image *img,
              struct v2v_error **err)
{
  const struct v2v_image *parent = v2v_image_parent (img);

  for (; parent != NULL; img = parent, parent = v2v_image_parent (img)) {
    const struct v2v_io *io = v2v_image_io (parent);

    if (v2v_hyperv_plan_add_parent_at (vm->plan, disk,
                                       last_part (v2v_image_name (parent)),
                                       v2v_image_get_info (img)->parent_name,
                                       io ? v2v_io_size (io) : 0, err) == -1)
      return -1;
  }
  return 0;
}

static int
make_child (struct vm *vm, size_t i, const char *path, struct v2v_error **err)
{
  struct vm_disk *d = &vm->disks[i];
  const char *folder = vm->opts->parent_folder;
  const char *name = last_part (d->path);
  const struct v2v_vm_disk *from = d->from;
  CLEANUP_FREE char *absolute = NULL;
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_create_opts create = {
    .size_bytes = v2v_image_size (d->image),
    .subformat = V2V_SUB_DIFFERENCING,
    .block_bytes = vm->opts->block_bytes,
    .parent = d->image,
  };
  const size_t len = folder != NULL ? strlen (folder) : 0;

  create.defer_sync = v2v_deposit_is_deferred (vm->deposit);
  if (from != NULL && from->parent_absolute != NULL)
    folder = NULL;
  if (folder != NULL &&
      asprintf (&absolute, "%s%s%s", folder,
                len > 0 && folder[len - 1] == '\\' ? "" : "\\", name) == -1) {
    absolute = NULL;
    return v2v_fail_nomem (err);
  }
  create.parent_absolute_path = absolute != NULL ? absolute
                                : from != NULL   ? from->parent_absolute
                                                 : NULL;
  create.parent_relative_path = from != NULL ? from->parent_relative : NULL;
  img = v2v_image_create (path, format_name (vm), &create, err);
  if (img == NULL || v2v_image_finish (img, err) == -1)
    return -1;
  if (v2v_hyperv_plan_add_parent_at (
          vm->plan, i, name, v2v_image_get_info (img)->parent_name,
          v2v_io_size (v2v_image_io (d->image)), err) == -1 ||
      note_parents (vm, i, d->image, err) == -1)
    return -1;
  return vm_find (vm, V2V_INFORMATION, "new.base", d->path,
                  "keep it where the disk looks for it, and read-only", err,
                  "%s reads from it what it does not hold itself: it must not "
                  "be changed or removed",
                  vm->plan->disks[i].file);
}

/* ---- the same blocks ---- */

/* Is a clone of the whole file what is asked for? */
static bool
may_clone (const struct vm *vm, const struct vm_disk *d)
{
  const struct v2v_image_info *info =
      d->image != NULL ? v2v_image_get_info (d->image) : NULL;
  const char *variant =
      vm->opts->subformat == V2V_SUB_FIXED ? "fixed" : "dynamic";

  return info != NULL && !vm->opts->copy.no_reflink &&
         strcmp (info->format, format_name (vm)) == 0 && !info->has_parent &&
         !info->dirty && vm->opts->block_bytes == 0 && info->variant != NULL &&
         strcmp (info->variant, variant) == 0;
}

/* PATH becomes a file with the blocks of the disk's.  1: the file system cannot
 * do that. */
static int
clone_file (const struct vm_disk *d, const char *path, struct v2v_error **err)
{
#ifdef FICLONE
  CLEANUP_CLOSE int to = -1;
  uint64_t at, len;
  int from, e;

  if (v2v_image_io (d->image) == NULL ||
      !v2v_io_fd (v2v_image_io (d->image), 0, &from, &at, &len) || at != 0)
    return 1;
  to = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (to == -1)
    return v2v_fail_errno (err, "%s", path);
  if (ioctl (to, FICLONE, from) == 0)
    return 0;
  e = errno;
  unlink (path);
  v2v_debug ("vm: %s: the blocks cannot be shared: %s", path, strerror (e));
#else
  (void) d, (void) path, (void) err;
#endif
  return 1;
}

/* Two disks of one identity are one disk to whoever looks at identities. */
static int
give_identity (const struct vm *vm, const char *path, struct v2v_error **err)
{
  const struct v2v_open_opts opts = {
    .format = format_name (vm),
    .no_parents = true,
    .defer_sync = v2v_deposit_is_deferred (vm->deposit),
  };
  CLEANUP_IMAGE struct v2v_image *img = v2v_image_open_rw (path, &opts, err);
  struct v2v_guid id, content;
  char id_text[37], content_text[37];
  const struct v2v_image_info like = { .format = opts.format,
                                       .id = id_text,
                                       .content_id = content_text };

  if (img == NULL || v2v_guid_random (&id, err) == -1 ||
      v2v_guid_random (&content, err) == -1)
    return -1;
  v2v_guid_format (&id, id_text);
  v2v_guid_format (&content, content_text);
  return v2v_image_set_identity (img, &like, err) == -1 ||
                 v2v_image_finish (img, err) == -1
             ? -1
             : 0;
}

/* 1: it has to be copied. */
static int
make_clone (struct vm *vm, size_t i, const char *path, struct v2v_error **err)
{
  struct vm_disk *d = &vm->disks[i];
  int r;

  if (!may_clone (vm, d))
    return 1;
  r = clone_file (d, path, err);
  if (r != 0)
    return r;
  d->result.virtual_bytes = v2v_image_size (d->image);
  d->result.shared_bytes = v2v_io_size (v2v_image_io (d->image));
  d->result.digest_deferred = !vm->opts->no_digest;
  return give_identity (vm, path, err);
}

static int
make_copy (struct vm *vm, size_t i, const char *path, struct v2v_error **err)
{
  const struct v2v_vm_opts *o = vm->opts;
  struct vm_disk *d = &vm->disks[i];
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  struct v2v_create_opts create = {
    .size_bytes = d->image != NULL ? v2v_image_size (d->image) : d->size_bytes,
    .subformat = o->subformat,
    .block_bytes = o->block_bytes,
    .defer_sync = v2v_deposit_is_deferred (vm->deposit),
  };
  struct v2v_copy_opts copy = o->copy;
  const int cloned = make_clone (vm, i, path, err);

  if (cloned != 1)
    return cloned;
  if (d->image != NULL && vm->hyperv.disk_format == V2V_HYPERV_VHDX)
    create.logical_sector_bytes =
        v2v_image_get_info (d->image)->logical_sector_bytes;
  img = v2v_image_create (path, format_name (vm), &create, err);
  if (img == NULL)
    return -1;
  if (d->image != NULL) {
    copy.digest = !o->no_digest;
    copy.allow_deferred = true;
    copy.item = vm->plan->disks[i].file;
    if (v2v_copy (d->image, img, &copy, &d->result, err) == -1)
      return -1;
    if (d->result.digest != NULL)
      v2v_hex (d->result.digest->root, V2V_SHA256_SIZE, d->digest);
  }
  return v2v_image_finish (img, err);
}

static int
note_made (struct vm_disk *d, const char *path, struct v2v_error **err)
{
  struct stat st;

  if (stat (path, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  d->file_bytes = (uint64_t) st.st_size;
  d->allocated_bytes = (uint64_t) st.st_blocks * 512;
  return 0;
}

/* Two machines with one identity is what comes of a disk that was not made
 * for it; without an appliance nobody can tell. */
static int
tell_not_looked (struct vm *vm, const struct vm_disk *d, struct v2v_error **err)
{
  if (d->path == NULL || (d->has_evidence && d->evidence.blank) ||
      (d->from != NULL && d->from->generalized))
    return 0;
  return vm_find (vm, V2V_WARNING, "new.not-looked-into", d->path,
                  "'v2v customize --generalize' makes a template of a Linux "
                  "disk, sysprep one of Windows",
                  err,
                  "nobody looked whether the system on it is generalised: if "
                  "it is not, the new machine has the name and identity of "
                  "the old one");
}

int
vm_make_disks (struct vm *vm, struct v2v_error **err)
{
  for (size_t i = 0; i < vm->nr_disks; ++i) {
    struct vm_disk *d = &vm->disks[i];
    CLEANUP_FREE char *path =
        v2v_deposit_path (vm->deposit, vm->plan->disks[i].file, err);

    if (path == NULL)
      return -1;
    if (vm->opts->copy.cancel != NULL && atomic_load (vm->opts->copy.cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "interrupted");
    if ((d->child ? make_child (vm, i, path, err)
                  : make_copy (vm, i, path, err)) == -1 ||
        note_made (d, path, err) == -1 || tell_not_looked (vm, d, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- media ---- */

static int
copy_iso (struct vm *vm, const char *path, struct v2v_error **err)
{
  struct v2v_ladder_opts opts = { .copy = vm->opts->copy };
  struct v2v_ladder_result result;

  opts.copy.item = vm->iso_file;
  if (v2v_ladder_copy (vm->opts->iso, path, &opts, &result, err) == -1)
    return -1;
  vm->iso_bytes = result.file_bytes;
  v2v_ladder_result_clear (&result);
  return 0;
}

static int
put_iso (struct vm *vm, size_t drive, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&vm->iso_file, "%s-cd1.iso", vm->plan->safe_name) == -1) {
    vm->iso_file = NULL;
    return v2v_fail_nomem (err);
  }
  path = v2v_deposit_path (vm->deposit, vm->iso_file, err);
  return path == NULL || copy_iso (vm, path, err) == -1
             ? -1
             : v2v_hyperv_plan_set_dvd_file (vm->plan, drive, vm->iso_file,
                                             err);
}

/* For which system?  -1 with ERR set when nothing tells. */
static int
seed_for_windows (const struct vm *vm, struct v2v_error **err)
{
  const struct v2v_profile *p = vm->opts->seed;
  const char *family = vm->plan->os_family;

  switch (vm->opts->seed_kind) {
  case V2V_VM_SEED_CLOUD_INIT:
    return 0;
  case V2V_VM_SEED_WINDOWS:
    return 1;
  case V2V_VM_SEED_AUTO:
    break;
  }
  if (vm->clone_is_windows || strcmp (family, "windows") == 0)
    return 1;
  if (vm->clone_is_linux || strcmp (family, "linux") == 0)
    return 0;
  for (size_t i = 0; i < vm->nr_disks; ++i)
    if (vm->disks[i].has_evidence && vm->disks[i].evidence.windows_loader)
      return 1;
  if (p->windows.given != p->os_linux.given)
    return p->windows.given;
  v2v_fail (err, V2V_ERR_USAGE,
            "%s: nothing tells whether the seed is for Linux or for Windows",
            p->source);
  return v2v_hint (err, "say it with --seed linux or --seed windows");
}

static void
cleanup_seed (struct v2v_seed *s)
{
  v2v_seed_clear (s);
}
#define CLEANUP_SEED __attribute__ ((cleanup (cleanup_seed)))

/* The image holds what the seed does: passwords, maybe. */
static void
wipe_str (struct v2v_str *s)
{
  if (s->ptr != NULL)
    explicit_bzero (s->ptr, s->len);
  v2v_str_free (s);
}
#define CLEANUP_WIPE __attribute__ ((cleanup (wipe_str)))

static int
put_seed (struct vm *vm, size_t drive, struct v2v_error **err)
{
  const int windows = seed_for_windows (vm, err);
  CLEANUP_SEED struct v2v_seed seed = { .nr_files = 0 };
  CLEANUP_WIPE struct v2v_str image = V2V_STR_INIT;
  struct v2v_iso_file files[V2V_SEED_MAX_FILES];

  if (windows == -1)
    return -1;
  if (asprintf (&vm->seed_file, "%s-seed.iso", vm->plan->safe_name) == -1) {
    vm->seed_file = NULL;
    return v2v_fail_nomem (err);
  }
  if ((windows
           ? v2v_seed_unattend (vm->opts->seed, NULL, &vm->findings, &seed, err)
           : v2v_seed_cloud_init (vm->opts->seed, vm->plan->id, &seed, err)) ==
      -1)
    return -1;
  for (size_t i = 0; i < seed.nr_files; ++i)
    files[i] = (struct v2v_iso_file){ .name = seed.files[i].name,
                                      .data = seed.files[i].text,
                                      .len = seed.files[i].len };
  if (v2v_iso_write (seed.label, files, seed.nr_files, &image, err) == -1 ||
      v2v_deposit_write_private (vm->deposit, vm->seed_file, image.ptr,
                                 image.len, err) == -1 ||
      v2v_hyperv_plan_set_dvd_file (vm->plan, drive, vm->seed_file, err) == -1)
    return -1;
  vm->seed_bytes = image.len;
  return vm_find (vm, V2V_INFORMATION, "seed.made", vm->seed_file,
                  "take it out of the drive, and delete it, when the machine "
                  "has started: it may hold passwords",
                  err, "%s reads it when it first starts",
                  windows ? "the setup of a generalised Windows"
                          : "cloud-init");
}

int
vm_make_media (struct vm *vm, struct v2v_error **err)
{
  const struct vm_drives d = vm_drives (vm);

  if ((d.iso != SIZE_MAX && d.iso >= vm->plan->nr_dvds) ||
      (d.seed != SIZE_MAX && d.seed >= vm->plan->nr_dvds))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "generation %u has no place for %zu CD drives",
                     vm->plan->generation, d.nr);
  if (d.iso != SIZE_MAX && put_iso (vm, d.iso, err) == -1)
    return -1;
  return d.seed != SIZE_MAX ? put_seed (vm, d.seed, err) : 0;
}
