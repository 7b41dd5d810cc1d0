/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows guests: from VMware to Hyper-V, offline. */
#ifndef V2V_WINDOWS_H
#define V2V_WINDOWS_H

#include "formats/core/error.h"
#include "inject/guest.h"

/* Where the active partition of a BIOS guest is seen when it is not the volume
 * of Windows ("System Reserved"); for reading only. */
#define V2V_WINDOWS_SYSTEM_VOLUME "/System-v2v"

/* Change the Windows guest G (its system volume mounted at "/", its v2v_os
 * filled; the EFI system partition, where there is one, at "/EFI-v2v") so
 * that it starts on Hyper-V as it was.  Findings and changes are left in G.
 * Everything that can be refused is refused before the first change. */
int v2v_windows_convert (struct v2v_guest *g, struct v2v_error **err);

#endif /* V2V_WINDOWS_H */
