/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of extents: contiguous, ascending runs of one kind. */
#ifndef V2V_EXTENTS_H
#define V2V_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

enum v2v_extent_type {
  V2V_EXTENT_ABSENT, /* this layer says nothing: the parent's, or zeros */
  V2V_EXTENT_DATA,   /* stored here; "I don't know" is data too */
  V2V_EXTENT_ZERO,   /* reads as zeros, hides the parent */
};

struct v2v_extent {
  uint64_t offset; /* bytes, in the virtual disk or the file */
  uint64_t length; /* bytes, > 0 */
  enum v2v_extent_type type;
  unsigned depth; /* which file of the chain: 0 = the one opened */
};

struct v2v_extents {
  struct v2v_extent *ptr;
  size_t len;
  size_t cap;
};

#define V2V_EXTENTS_INIT                                                       \
  {                                                                            \
    .ptr = NULL, .len = 0, .cap = 0                                            \
  }

/* Append a run; merged with the last one if type and depth are equal.  The
 * run must begin where the last one ended (asserted), unless the list is
 * empty.  LENGTH 0 is a no-op.  Returns 0, or -1 when out of memory (the
 * caller reports it: v2v_fail_nomem).
 */
int v2v_extents_append (struct v2v_extents *list, uint64_t offset,
                        uint64_t length, enum v2v_extent_type type,
                        unsigned depth);

void v2v_extents_clear (struct v2v_extents *list); /* keeps the memory */
void v2v_extents_free (struct v2v_extents *list);  /* frees the memory */

#define CLEANUP_EXTENTS __attribute__ ((cleanup (v2v_extents_free)))

const char *v2v_extent_type_name (enum v2v_extent_type type);

#endif /* V2V_EXTENTS_H */
