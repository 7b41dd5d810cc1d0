/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the steps of converting a Linux guest; linux.c has their order. */
#ifndef V2V_LINUX_INTERNAL_H
#define V2V_LINUX_INTERNAL_H

#include "formats/core/text.h"
#include "inject/linux.h"

/* An installed kernel (linux-kernels.c). */
struct linux_kernel {
  char *version;   /* as in /lib/modules/VERSION */
  char *image;     /* "/boot/vmlinuz-VERSION" */
  char *initramfs; /* or NULL: none is there */
  char *modules;   /* "/lib/modules/VERSION", or NULL: a kernel without any */
  bool offered;    /* a boot entry names it, or no entry could be read */
  bool is_uki;     /* IMAGE is a unified kernel image: the initramfs is in it */
  /* What is known of its modules, read when first asked for. */
  bool is_loaded;
  char *builtin;   /* modules.builtin, or NULL */
  char *dep;       /* modules.dep, or NULL */
  char *config;    /* /boot/config-VERSION, or NULL */
  bool has_hyperv; /* linux_fix_initramfs: it can start on Hyper-V */
};

struct linux_guest {
  struct v2v_guest *g;
  const struct v2v_os *os;
  struct linux_kernel *kernels; /* oldest first */
  size_t nr_kernels;
  /* Files that boot entries name as their initramfs and that are of none of
   * KERNELS: copies under names of their own; NULL-terminated, or NULL. */
  char **other_images;
  bool is_matched; /* an entry names the image of one of KERNELS */
  /* Something that every initramfs of this guest holds a copy of, and needs
   * before the root file system is there, has changed (crypttab, resume ...):
   * rebuild even if the modules are there.  Names of network interfaces do
   * not count: linux_fix_initramfs compares the copies itself and appends
   * them, since a rebuild takes minutes. */
  bool initramfs_is_stale;
  /* Without that change the root file system would not be found. */
  bool initramfs_is_vital;
};

/* Where a kernel has a module. */
enum linux_module_state {
  LINUX_MODULE_MISSING,
  LINUX_MODULE_BUILTIN,
  LINUX_MODULE_FILE,
};
/* NAME with '_' or '-'.  *RET_PATH (may be NULL) is the file below K->modules
 * ("kernel/drivers/hv/hv_vmbus.ko.xz") for LINUX_MODULE_FILE, else NULL; the
 * caller frees.  -1 on an error. */
int linux_module_find (struct linux_guest *l, struct linux_kernel *k,
                       const char *name, char **ret_path,
                       struct v2v_error **err);
/* The names of modules in A and B, each a path or a plain name, are equal:
 * without folder and suffix, '-' is '_'. */
bool linux_module_is (const char *a, const char *b);
/* <0, 0, >0: runs of digits by value, the rest by bytes. */
int linux_compare_versions (const char *a, const char *b);

/* Add a finding; out of memory is the only error. */
int linux_finding (struct linux_guest *l, enum v2v_severity severity,
                   const char *id, const char *subject, const char *remedy,
                   struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 7, 8)));

/* linux_edit_file of a GRUB environment block, whose size stays: F as in
 * linux-edit.h. */
int linux_edit_grubenv (struct linux_guest *l, const char *path,
                        int (*f) (void *arg, const char *line,
                                  struct v2v_str *ret),
                        void *arg, const char *why, struct v2v_error **err);

/* The same of FOLDER/grubenv: UEFI guests of RHEL 7 and 8 have it on the EFI
 * partition. */
int linux_edit_vendor_grubenv (struct linux_guest *l, const char *folder,
                               int (*f) (void *arg, const char *line,
                                         struct v2v_str *ret),
                               void *arg, const char *why,
                               struct v2v_error **err);

/* linux-devices.c: a copy in an initramfs, NAME there, with the changes that its
 * original got.  *RET is NULL when nothing is to be changed. */
int linux_edit_copy (struct linux_guest *l, const char *name, const char *text,
                     char **ret, struct v2v_error **err);
/* linux-settings.c: lines of modprobe.d that keep Hyper-V's drivers out become
 * comments; as in linux-edit.h. */
int linux_allow_hyperv (void *arg, const char *line, struct v2v_str *ret);

/* linux-modprobe.c: part of linux_remap_devices. */
int linux_fix_aliases (struct linux_guest *l, struct v2v_error **err);

/* The steps.  Each returns 0, or -1 with ERR when the guest would not start;
 * what is only doubtful is a finding. */
int linux_find_kernels (struct linux_guest *l, struct v2v_error **err);
void linux_kernels_clear (struct linux_guest *l);
int linux_remove_tools (struct linux_guest *l, struct v2v_error **err);
int linux_remap_devices (struct linux_guest *l, struct v2v_error **err);
int linux_keep_network (struct linux_guest *l, struct v2v_error **err);
int linux_fix_settings (struct linux_guest *l, struct v2v_error **err);
int linux_fix_initramfs (struct linux_guest *l, struct v2v_error **err);
int linux_fix_bootloader (struct linux_guest *l, struct v2v_error **err);
int linux_queue_firstboot (struct linux_guest *l, struct v2v_error **err);
int linux_relabel (struct linux_guest *l, struct v2v_error **err);

#endif /* V2V_LINUX_INTERNAL_H */
