/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Microsoft's cabinet files, as far as one file is to be taken out of one. */
#ifndef V2V_CABINET_H
#define V2V_CABINET_H

#include <stddef.h>

#include "formats/core/error.h"

/* More files than any of Windows' own has (driver.cab: some 3000). */
#define V2V_CABINET_MAX_FILES 100000u

/* Take the file NAME (compared without regard to case; a folder before it does
 * not count) out of the cabinet PATH of the host.  1 = *RET is its contents,
 * which the caller frees; 0 = it is not in there; -1 = the cabinet is damaged,
 * or the file is larger than MAX_BYTES (V2V_ERR_FORMAT). */
int v2v_cabinet_extract (const char *path, const char *name, size_t max_bytes,
                         void **ret, size_t *ret_len, struct v2v_error **err);

#endif /* V2V_CABINET_H */
