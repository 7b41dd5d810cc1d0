/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the parts of linux_fix_bootloader. */
#ifndef V2V_LINUX_BOOT_H
#define V2V_LINUX_BOOT_H

#include "inject/linux-internal.h"

/* linux-cmdline.c: the kernel's options, wherever they stand. */
int linux_fix_arguments (struct linux_guest *l, struct v2v_error **err);
/* Does the kernel of this version want numa=off on Hyper-V? */
bool linux_wants_numa_off (const char *version);

/* linux-uefi.c: the loader that a new machine's firmware looks for. */
int linux_add_fallback_loader (struct linux_guest *l, struct v2v_error **err);

#endif /* V2V_LINUX_BOOT_H */
