/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a value was before it was changed here: for what has to be put back
 * later, in the guest itself.
 */

#include <config.h>

#include <string.h>
#include <strings.h>

#include "inject/hive-internal.h"

int
v2v_hive_original_dword (const struct v2v_hive *h, const char *key,
                         const char *name, bool *ret_was_there, uint32_t *ret)
{
  uint64_t v;

  for (size_t i = 0; i < h->nr_changes; ++i) {
    const struct hive_change *c = &h->changes[i];

    if (c->kind != HIVE_VALUE || strcasecmp (c->key, key) != 0 ||
        strcasecmp (c->name, name) != 0)
      continue;
    *ret_was_there = c->first.exists;
    *ret = 0;
    if (c->first.exists) {
      if (!hive_decode_number (c->first.type, c->first.data, c->first.len,
                               &v) ||
          v > UINT32_MAX)
        return 0;
      *ret = (uint32_t) v;
    }
    return 1;
  }
  return 0;
}
