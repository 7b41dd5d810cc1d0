/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pipeline: source -> guest stage -> disks -> description -> deposit. */
#ifndef V2V_CONVERT_H
#define V2V_CONVERT_H

#include "formats/core/error.h"

const char *v2v_version (void);

#endif /* V2V_CONVERT_H */
