/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of disks and partitions of the machine on VMware, and what to call
 * them so that they are found on Hyper-V. */
#ifndef V2V_LINUX_NAMES_H
#define V2V_LINUX_NAMES_H

#include "formats/core/text.h"
#include "inject/linux-internal.h"

enum linux_name_kind {
  LINUX_NAME_STABLE,  /* UUID=, /dev/mapper, by-uuid, a CD ...: leave it */
  LINUX_NAME_MAPPED,  /* *RET is the new name */
  LINUX_NAME_UNKNOWN, /* a disk's name that we cannot follow */
};

enum {
  LINUX_NAME_AS_PATH = 1,    /* "/dev/disk/by-uuid/..." instead of "UUID=..." */
  LINUX_NAME_FOR_KERNEL = 2, /* no initramfs: PARTUUID= or sdX only */
  LINUX_NAME_DEVICE_ONLY = 4, /* /dev/sdX in any case (GRUB's device.map) */
  LINUX_NAME_PARTITION = 8,   /* of an argument: a whole disk is not meant */
};

/* What the LEN bytes NAME become; the caller frees *RET (set when MAPPED). */
enum linux_name_kind linux_map_name (struct linux_guest *l, const char *name,
                                     size_t len, unsigned flags, char **ret);
/* The file system that NAME was on VMware, or NULL. */
const struct v2v_filesystem *
linux_find_filesystem (struct linux_guest *l, const char *name, size_t len);
/* How FS is called: a new string ("UUID=..."), or NULL when it has no UUID.  */
char *linux_filesystem_name (const struct v2v_filesystem *fs, unsigned flags);

/* Replace device names after KEYS ("root=" ...) on a command line, wherever it
 * stands in LINE.  1 = changed and RET is the new line, 0 = not, -1 = out of
 * memory.  *RET_UNKNOWN (may be NULL) becomes the first name that is not
 * known, if any; the caller frees. */
int linux_map_arguments (struct linux_guest *l, const char *line,
                         struct v2v_str *ret, char **ret_unknown);

/* linux-crypttab.c: is the mapping NAME of DEV needed to reach "/"?  Inspection tells what the
 * root stands on, and opened a container by a name of its own that says which
 * device it is.  Where neither is known (RAID), every mapping may be, since one
 * too many costs a question for a passphrase, one too few the start. */
bool linux_is_for_root (struct linux_guest *l, const char *name,
                        size_t name_len, const char *dev, size_t dev_len);

#endif /* V2V_LINUX_NAMES_H */
