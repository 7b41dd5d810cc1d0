/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at the machines of a source and the guests in them. */
#ifndef V2V_INSPECT_H
#define V2V_INSPECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/machine.h"
#include "inject/guest-keys.h"
#include "inject/guest.h"

struct v2v_inspect_opts {
  struct v2v_guest_opts guest;
  struct v2v_guest_keys keys;
  const char *const *search;
  bool no_start; /* what can be told without an appliance */
  const atomic_bool *cancel;
  v2v_guest_step_fn *step; /* or NULL */
  void *step_arg;
};

/* Machine INDEX of SRC: an object, see v2v-inspect(1).  Neither the source nor
 * anything else is written. */
struct v2v_json *v2v_inspect (struct v2v_source *src, size_t index,
                              const struct v2v_inspect_opts *opts,
                              struct v2v_error **err);

#endif /* V2V_INSPECT_H */
