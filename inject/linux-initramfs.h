/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the parts of linux_fix_initramfs. */
#ifndef V2V_LINUX_INITRAMFS_H
#define V2V_LINUX_INITRAMFS_H

#include "inject/cpio.h"
#include "inject/initramfs.h"
#include "inject/linux-internal.h"

/* Drivers that one kernel has as files; names are constants of ours. */
#define LINUX_MAX_DRIVERS 4
struct linux_drivers {
  const char *name[LINUX_MAX_DRIVERS];
  size_t n;
};
/* "hv_vmbus hv_storvsc", each between BEFORE and AFTER; the caller frees. */
char *linux_join_drivers (const struct linux_drivers *d, const char *before,
                          const char *after);

/* ---- linux-rebuild.c: by the guest's own tool ---- */

/* Write what makes every later initramfs hold the drivers D. */
int linux_write_lasting (struct linux_guest *l, const struct linux_drivers *d,
                         struct v2v_error **err);
bool linux_has_tool (struct linux_guest *l);
/* Where the tool of this guest puts the initramfs of K, which has none; NULL
 * with ERR unset when the guest has no tool.  The caller frees. */
char *linux_default_initramfs (struct linux_guest *l,
                               const struct linux_kernel *k,
                               struct v2v_error **err);
/* Make K->initramfs again.  IS_GONE: the old one was moved aside.  1 = the
 * tool says it did, 0 = it did not, and a finding says why, 2 = this is a dry
 * run; -1 = an error. */
int linux_rebuild_initramfs (struct linux_guest *l,
                             const struct linux_kernel *k,
                             const struct linux_drivers *d, bool is_gone,
                             struct v2v_error **err);

/* ---- linux-append.c: without any code of the guest ---- */

/* Put into W the modules of D that IM lacks, with what they depend on, lists
 * of modules that name them, and what makes the initramfs load them first.
 * 1 = done, 0 = not possible and *RET_REASON says why (a constant). */
int linux_make_overlay (struct linux_guest *l, struct linux_kernel *k,
                        const struct v2v_initramfs *im,
                        const struct linux_drivers *d,
                        struct v2v_cpio_writer *w, const char **ret_reason,
                        struct v2v_error **err);
/* Put into W the pinned names of network interfaces that IM, in which the
 * interface may get its name, lacks.  1 = there were some. */
int linux_add_pins (struct linux_guest *l, struct linux_kernel *k,
                    const struct v2v_initramfs *im, struct v2v_cpio_writer *w,
                    struct v2v_error **err);

/* ---- kmod-index.c ---- */

struct kmod_entry {
  char *key;   /* "hv_storvsc" */
  char *value; /* "kernel/drivers/scsi/hv_storvsc.ko: kernel/..." */
};
/* Sorts ENTRIES and appends the index that libkmod reads (modules.dep.bin). */
int kmod_index_write (struct kmod_entry *entries, size_t n, struct v2v_str *out,
                      struct v2v_error **err);

#endif /* V2V_LINUX_INITRAMFS_H */
