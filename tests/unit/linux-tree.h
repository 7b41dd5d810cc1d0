/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linux guests with kernels, initramfs files and unified images, constructed as
 * the distributions lay them out.  The guest's own tool is played by a function
 * that notes the command and makes (or does not make) an image.
 */
#ifndef LINUX_TREE_H
#define LINUX_TREE_H

#include "guest-tree.h"
#include "inject/guest-front.h"
#include "inject/linux-initramfs.h"

#define V       "6.1-a"
#define MODULES "/lib/modules/" V "/"
#define VMBUS   "kernel/drivers/hv/hv_vmbus.ko"
#define STORVSC "kernel/drivers/scsi/hv_storvsc.ko"
#define FC      "kernel/drivers/scsi/scsi_transport_fc.ko"
#define NETVSC  "kernel/drivers/net/hyperv/hv_netvsc.ko"
#define EXT4    "kernel/fs/ext4/ext4.ko"

/* What an image holds beside the modules of its list: names, "name/" of
 * folders, "name=contents". */
extern const char *const debian_like[],
    *const dracut_like[], *const arch_like[], *const alpine_like[],
                                                  *const unlike[];
/* Modules of an image. */
extern const char *const nothing[], *const all_there[], *const no_storvsc[];

/* The archive; the caller frees. */
struct v2v_str linux_tree_image (const char *const extra[],
                                 const char *const modules[]);
void linux_tree_put_image (const char *tree, const char *path,
                           const char *const extra[],
                           const char *const modules[]);
/* A unified image; UNAME and CMDLINE may be NULL: no such section. */
void linux_tree_put_unified (const char *tree, const char *path,
                             const char *const modules[], const char *uname,
                             const char *cmdline, bool is_signed);
/* A guest with the kernel V, whose image is at INITRAMFS (NULL: it has none). */
char *linux_tree_make (const char *initramfs, const char *const extra[],
                       const char *const modules[]);

/* What the guest's tool was called with, and what it does. */
struct linux_tree_tool {
  char command[1024];
  unsigned calls;
  int status;
  const char *tree, *path;
  const char *const *extra;
  const char *const *modules; /* of the image it makes; NULL: it makes none */
  /* It makes a unified image instead. */
  bool is_unified;
  const char *cmdline;
};
extern struct linux_tree_tool linux_tree_tool;

/* G can run programs: the tool. */
void linux_tree_let_run (struct v2v_guest *g, const char *tree,
                         const char *path, const char *const extra[],
                         const char *const modules[], int status);
/* linux_find_kernels and linux_fix_initramfs. */
int linux_tree_fix (struct v2v_guest *g, bool stale, struct v2v_error **err);
struct v2v_guest *linux_tree_open (const char *tree);
void linux_tree_assert_finding (struct v2v_guest *g, const char *id);
/* A second conversion, without programs, changes nothing. */
void linux_tree_assert_stable (const char *tree);
/* The image PATH; the caller clears. */
struct v2v_initramfs linux_tree_read_image (const char *tree, const char *path);
void linux_tree_assert_image_has (const struct v2v_initramfs *im,
                                  const char *path, const char *text);

#endif /* LINUX_TREE_H */
