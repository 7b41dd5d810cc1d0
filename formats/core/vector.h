/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A typed growing array.
 *
 *   V2V_VECTOR (grain_vector, struct grain);
 *   grain_vector v = V2V_VECTOR_INIT;
 *   if (grain_vector_append (&v, g) == -1) ... out of memory
 *   for (size_t i = 0; i < v.len; ++i) ... v.ptr[i]
 *   free (v.ptr);
 */
#ifndef V2V_VECTOR_H
#define V2V_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define V2V_VECTOR_INIT                                                        \
  {                                                                            \
    .ptr = NULL, .len = 0, .cap = 0                                            \
  }

#define V2V_VECTOR(name, type)                                                 \
  typedef struct name {                                                        \
    type *ptr;                                                                 \
    size_t len;                                                                \
    size_t cap;                                                                \
  } name;                                                                      \
                                                                               \
  static inline int __attribute__ ((unused))                                   \
  name##_reserve (name *v, size_t extra)                                       \
  {                                                                            \
    size_t need, cap, bytes;                                                   \
    type *p;                                                                   \
                                                                               \
    if (__builtin_add_overflow (v->len, extra, &need))                         \
      return -1;                                                               \
    if (need <= v->cap)                                                        \
      return 0;                                                                \
    cap = v->cap + v->cap / 2 + 8;                                             \
    if (cap < need)                                                            \
      cap = need;                                                              \
    if (__builtin_mul_overflow (cap, sizeof (type), &bytes))                   \
      return -1;                                                               \
    p = realloc (v->ptr, bytes);                                               \
    if (p == NULL)                                                             \
      return -1;                                                               \
    v->ptr = p;                                                                \
    v->cap = cap;                                                              \
    return 0;                                                                  \
  }                                                                            \
                                                                               \
  static inline int __attribute__ ((unused))                                   \
  name##_append (name *v, type elem)                                           \
  {                                                                            \
    if (name##_reserve (v, 1) == -1)                                           \
      return -1;                                                               \
    v->ptr[v->len++] = elem;                                                   \
    return 0;                                                                  \
  }                                                                            \
  struct name##_semicolon_needed

#endif /* V2V_VECTOR_H */
