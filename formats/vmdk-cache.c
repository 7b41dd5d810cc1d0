/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the threads that read one VMDK share: the last grain tables, the last
 * inflated grains, and scratch buffers.  All of it belongs to the handle and
 * not to an extent: a disk of 62 TiB in pieces of 2 GiB has 31744 of those.
 */

#include <config.h>

#include <stdlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-internal.h"

struct vmdk_cache *
vmdk_cache_new (struct v2v_error **err)
{
  struct vmdk_cache *c = calloc (1, sizeof *c);

  if (c == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (size_t i = 0; i < VMDK_TABLE_SLOTS; ++i)
    pthread_mutex_init (&c->tables[i].lock, NULL);
  for (size_t i = 0; i < VMDK_GRAIN_SLOTS; ++i)
    pthread_mutex_init (&c->grains[i].lock, NULL);
  pthread_mutex_init (&c->scratch_lock, NULL);
  return c;
}

static void
slot_clear (struct vmdk_slot *slot)
{
  pthread_mutex_destroy (&slot->lock);
  free (slot->data);
}

void
vmdk_cache_free (struct vmdk_cache *c)
{
  if (c == NULL)
    return;
  for (size_t i = 0; i < VMDK_TABLE_SLOTS; ++i)
    slot_clear (&c->tables[i]);
  for (size_t i = 0; i < VMDK_GRAIN_SLOTS; ++i)
    slot_clear (&c->grains[i]);
  while (c->nr_idle > 0)
    free (c->idle[--c->nr_idle].ptr);
  pthread_mutex_destroy (&c->scratch_lock);
  free (c);
}

int
vmdk_slot_prepare (struct vmdk_slot *slot, size_t bytes, struct v2v_error **err)
{
  slot->owner = NULL;
  if (slot->cap < bytes) {
    free (slot->data);
    slot->cap = 0;
    slot->data = malloc (bytes);
    if (slot->data == NULL)
      return v2v_fail_nomem (err);
    slot->cap = bytes;
  }
  return 0;
}

int
vmdk_scratch_get (struct vmdk_cache *c, size_t bytes, struct vmdk_scratch *ret,
                  struct v2v_error **err)
{
  struct vmdk_scratch s = { NULL, 0 };

  {
    V2V_LOCK_SCOPE (&c->scratch_lock);
    if (c->nr_idle > 0)
      s = c->idle[--c->nr_idle];
  }
  if (s.cap < bytes) {
    free (s.ptr); /* what was in it does not matter: no realloc */
    s.cap = 0;
    s.ptr = malloc (bytes);
    if (s.ptr == NULL)
      return v2v_fail_nomem (err);
    s.cap = bytes;
  }
  *ret = s;
  return 0;
}

void
vmdk_scratch_put (struct vmdk_cache *c, struct vmdk_scratch *s)
{
  {
    V2V_LOCK_SCOPE (&c->scratch_lock);
    if (c->nr_idle < VMDK_SCRATCH_SLOTS) {
      c->idle[c->nr_idle++] = *s;
      s->ptr = NULL;
    }
  }
  free (s->ptr);
  s->ptr = NULL;
  s->cap = 0;
}
