/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleanup by attribute: one macro per resource, variables initialised where
 * they are declared, ownership handed over with STEAL.
 */
#ifndef V2V_CLEANUP_H
#define V2V_CLEANUP_H

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
v2v_cleanup_free (void *ptr)
{
  free (*(void **) ptr);
}

static inline void
v2v_cleanup_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}

static inline void
v2v_cleanup_fclose (FILE **fp)
{
  if (*fp != NULL)
    fclose (*fp);
}

static inline void
v2v_cleanup_closedir (DIR **dir)
{
  if (*dir != NULL)
    closedir (*dir);
}

static inline void
v2v_cleanup_unlock (pthread_mutex_t **lock)
{
  pthread_mutex_unlock (*lock);
}

#define CLEANUP_FREE     __attribute__ ((cleanup (v2v_cleanup_free)))
#define CLEANUP_CLOSE    __attribute__ ((cleanup (v2v_cleanup_close)))
#define CLEANUP_FCLOSE   __attribute__ ((cleanup (v2v_cleanup_fclose)))
#define CLEANUP_CLOSEDIR __attribute__ ((cleanup (v2v_cleanup_closedir)))

/* Hold LOCK until the end of the enclosing block. */
#define V2V_LOCK_SCOPE(lock)     V2V_LOCK_SCOPE_ (lock, __LINE__)
#define V2V_LOCK_SCOPE_(lock, n) V2V_LOCK_SCOPE__ (lock, n)
#define V2V_LOCK_SCOPE__(lock, n)                                              \
  __attribute__ ((cleanup (v2v_cleanup_unlock), unused))                       \
  pthread_mutex_t *_lock_##n = (lock);                                         \
  pthread_mutex_lock (_lock_##n)

/* Take the pointer and leave NULL behind, so that the cleanup does nothing. */
#define STEAL(p)                                                               \
  __extension__({                                                              \
    __typeof__ (p) _t = (p);                                                   \
    (p) = NULL;                                                                \
    _t;                                                                        \
  })

/* The same for a file descriptor. */
#define STEAL_FD(fd)                                                           \
  __extension__({                                                              \
    int _f = (fd);                                                             \
    (fd) = -1;                                                                 \
    _f;                                                                        \
  })

#define V2V_ARRAY_SIZE(a) (sizeof (a) / sizeof ((a)[0]))

#endif /* V2V_CLEANUP_H */
