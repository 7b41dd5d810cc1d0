/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of encrypted disks: from files or descriptors, never from arguments,
 * never in a log.
 */
#ifndef V2V_GUEST_KEYS_H
#define V2V_GUEST_KEYS_H

#include <stddef.h>

#include "formats/core/error.h"

struct v2v_guest_key {
  char *selector; /* "/dev/sda2", a UUID, or "all" */
  char *key;      /* the passphrase or recovery key */
};
struct v2v_guest_keys {
  struct v2v_guest_key *ptr;
  size_t len;
};

/* SPEC is "SELECTOR:FILE"; the first line of FILE (which may be /dev/fd/N) is
 * the key. */
int v2v_guest_keys_add (struct v2v_guest_keys *keys, const char *spec,
                        struct v2v_error **err);
/* Overwrites the keys first. */
void v2v_guest_keys_clear (struct v2v_guest_keys *keys);

#endif /* V2V_GUEST_KEYS_H */
