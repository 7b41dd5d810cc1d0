/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a mounted guest, for people and programs: kernels, drivers,
 * network configuration. */
#ifndef V2V_DESCRIBE_H
#define V2V_DESCRIBE_H

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "inject/guest.h"

/* An object with the members "kernels" (Linux), "drivers" (Windows) and
 * "network"; NULL with ERR on failure.  Nothing is changed. */
struct v2v_json *v2v_guest_describe (struct v2v_guest *g,
                                     struct v2v_error **err);

#endif /* V2V_DESCRIBE_H */
