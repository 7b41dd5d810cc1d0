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

/* One kernel at work. */
struct linux_work {
  struct linux_guest *l;
  struct linux_kernel *k;
  struct linux_drivers drivers; /* all that are files of this kernel */
  char *host;                   /* the initramfs, or the UKI, on the host */
  struct v2v_initramfs im;
  bool is_read;     /* IM and HOST hold what is in the guest */
  char *unreadable; /* else why */
  /* A unified image: its command line, with names that hold on Hyper-V, and
   * whether those differ from what stands in it. */
  char *cmdline;
  bool has_old_names;
};

/* ---- linux-initramfs.c ---- */

void linux_work_clear (struct linux_work *w);
/* Which drivers the kernel has as files.  1 = it can start on Hyper-V, 0 = it
 * lacks a required one altogether: *RET_LACKING. */
int linux_work_find_drivers (struct linux_work *w, const char **ret_lacking,
                             struct v2v_error **err);
/* Read what is in the guest now. */
int linux_work_read (struct linux_work *w, struct v2v_error **err);
/* The first driver that must be in the initramfs and is not, or NULL. */
const char *linux_work_missing (const struct linux_work *w);
/* The guest's own tool, and a look at what it made.  1 = good (or a dry run:
 * *RET_DRY), 0 = not, a finding says why, and the old file is back. */
int linux_work_rebuild (struct linux_work *w, bool *ret_dry,
                        struct v2v_error **err);
/* An error when a boot entry offers the kernel, a finding otherwise. */
int linux_work_not_startable (struct linux_work *w, const char *reason,
                              const char *more, struct v2v_error **err);

/* ---- linux-unified.c: unified kernel images ---- */

/* W->k, whose initramfs is in such an image, which was read. */
int linux_fix_unified (struct linux_work *w, struct v2v_error **err);
/* Does IM hold modules of kernel VERSION? */
bool linux_initramfs_holds (const struct v2v_initramfs *im,
                            const char *version);
/* Those that are no kernel's own: entries beside the usual one. */
int linux_fix_other_unified (struct linux_guest *l, struct v2v_error **err);
/* Make K->image again, with CMDLINE (may be NULL).  Returns as
 * linux_rebuild_initramfs. */
int linux_rebuild_unified (struct linux_guest *l, const struct linux_kernel *k,
                           const struct linux_drivers *d, const char *cmdline,
                           struct v2v_error **err);

/* ---- linux-rebuild.c: by the guest's own tool ---- */

/* Run a tool that makes an initramfs of K: 1 = it says that it did, 0 = it
 * failed, a finding says why, 2 = this is a dry run, -1 = an error. */
int linux_run_tool (struct linux_guest *l, const struct linux_kernel *k,
                    const char *const argv[], struct v2v_error **err);

/* Write what makes every later initramfs hold the drivers D. */
int linux_write_lasting (struct linux_guest *l, const struct linux_drivers *d,
                         struct v2v_error **err);
bool linux_has_tool (struct linux_guest *l);
/* Where the tool of this guest puts the initramfs of K, which has none; NULL
 * with ERR unset when the guest has no tool.  The caller frees. */
char *linux_default_initramfs (struct linux_guest *l,
                               const struct linux_kernel *k,
                               struct v2v_error **err);
/* Make K->initramfs again.  1 = the tool says it did, 0 = it did not, and a
 * finding says why, 2 = this is a dry run; -1 = an error. */
int linux_rebuild_initramfs (struct linux_guest *l,
                             const struct linux_kernel *k,
                             const struct linux_drivers *d,
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

/* ---- linux-stale.c ---- */

/* Put into W the copies of files in IM that name disks as VMware had them, or
 * forbid the drivers, changed as the files were.  1 = there were some.
 * *RET_UNREADABLE (a constant) says why there may be more, or is NULL. */
int linux_renew_copies (struct linux_guest *l, const struct v2v_initramfs *im,
                        struct v2v_cpio_writer *w, const char **ret_unreadable,
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
