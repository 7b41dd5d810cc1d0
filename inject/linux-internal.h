/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the steps of converting a Linux guest; linux.c has their order. */
#ifndef V2V_LINUX_INTERNAL_H
#define V2V_LINUX_INTERNAL_H

#include "inject/linux.h"

/* An installed kernel. */
struct linux_kernel {
  char *version;   /* as in /lib/modules/VERSION */
  char *image;     /* "/boot/vmlinuz-VERSION", or NULL */
  char *initramfs; /* or NULL */
};

struct linux_guest {
  struct v2v_guest *g;
  const struct v2v_os *os;
  struct linux_kernel *kernels;
  size_t nr_kernels;
  /* Something that is copied into the initramfs has changed (names of network
   * interfaces, crypttab ...): rebuild even if the modules are there. */
  bool initramfs_is_stale;
  /* The boot loader's configuration must be made again. */
  bool bootloader_is_stale;
};

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
