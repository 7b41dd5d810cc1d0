/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the boot loader offers. */
#ifndef V2V_LINUX_ENTRIES_H
#define V2V_LINUX_ENTRIES_H

#include "formats/core/vector.h"
#include "inject/linux-internal.h"

/* More installed kernels than this is no machine but an attack on our time. */
#define LINUX_MAX_KERNELS 64

/* An image and its initramfs, as paths of the mounted tree. */
struct linux_entry {
  char *name;      /* of the image as the entry has it: perhaps a link */
  char *image;     /* what that leads to */
  char *initramfs; /* or NULL; what its name leads to */
  char *version;   /* as a BLS entry says, or NULL */
};
V2V_VECTOR (linux_entry_vector, struct linux_entry);

/* The entries of all boot loaders' files, the main ones first. */
int linux_read_entries (struct linux_guest *l, linux_entry_vector *out,
                        struct v2v_error **err);
void linux_entries_clear (linux_entry_vector *v);

#endif /* V2V_LINUX_ENTRIES_H */
