/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: pages of the BAT and of sector bitmaps, read when needed.
 *
 * The BAT of a 64 TiB disk with blocks of 1 MiB has 512 MiB: it is never in
 * memory as a whole.  Pages are 64 KiB, found by their offset in the file, and
 * the least recently used clean one goes first.  While a new file is being
 * created a dirty page may be written at any time, since nothing in the file
 * is valid before its headers are; in a file that is changed in place it has
 * to wait for the log (pin_dirty).
 *
 * All functions here expect h->lock to be held.
 */

#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/vhdx-internal.h"

static struct vhdx_page **
bucket_of (struct vhdx_cache *c, uint64_t offset)
{
  /* The high bits too: pages of bitmaps lie a power of two apart. */
  const uint64_t n = offset / VHDX_PAGE_SIZE;

  return &c->buckets[(n ^ (n >> 8) ^ (n >> 16)) % VHDX_CACHE_BUCKETS];
}

static void
lru_remove (struct vhdx_cache *c, struct vhdx_page *p)
{
  if (p->older != NULL)
    p->older->newer = p->newer;
  else
    c->oldest = p->newer;
  if (p->newer != NULL)
    p->newer->older = p->older;
  else
    c->newest = p->older;
  p->older = p->newer = NULL;
}

static void
lru_add (struct vhdx_cache *c, struct vhdx_page *p)
{
  p->older = c->newest;
  p->newer = NULL;
  if (c->newest != NULL)
    c->newest->newer = p;
  else
    c->oldest = p;
  c->newest = p;
}

static void
unhash (struct vhdx_cache *c, struct vhdx_page *p)
{
  struct vhdx_page **pp = bucket_of (c, p->offset);

  while (*pp != p)
    pp = &(*pp)->bucket_next;
  *pp = p->bucket_next;
}

/* Write the dirty sectors of one page in place, runs together. */
static int
write_page (struct vhdx *h, struct vhdx_page *p, struct v2v_error **err)
{
  unsigned s = 0;

  while (s < VHDX_PAGE_SECTORS) {
    unsigned n = 0;

    while (s + n < VHDX_PAGE_SECTORS && (p->dirty & (1u << (s + n))))
      n++;
    if (n > 0 &&
        v2v_io_pwrite (h->file, p->data + (size_t) s * VHDX_LOG_SECTOR,
                       (size_t) n * VHDX_LOG_SECTOR,
                       p->offset + (uint64_t) s * VHDX_LOG_SECTOR, err) == -1)
      return -1;
    s += n + 1;
  }
  h->cache.nr_dirty -= (size_t) __builtin_popcount (p->dirty);
  p->dirty = 0;
  return 0;
}

/* A page to load into: a new one, or an old one that may go. */
static struct vhdx_page *
take_page (struct vhdx *h, struct v2v_error **err)
{
  struct vhdx_cache *c = &h->cache;
  struct vhdx_page *p = NULL;

  if (c->nr_pages >= VHDX_CACHE_PAGES) {
    p = c->oldest;
    while (p != NULL && p->dirty != 0 && c->pin_dirty)
      p = p->newer;
  }
  if (p != NULL) {
    if (p->dirty != 0 && write_page (h, p, err) == -1)
      return NULL;
    lru_remove (c, p);
    unhash (c, p);
    return p;
  }
  p = malloc (sizeof *p);
  if (p == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  c->nr_pages++;
  return p;
}

int
vhdx_cache_page (struct vhdx *h, uint64_t offset, struct vhdx_page **ret,
                 struct v2v_error **err)
{
  struct vhdx_cache *c = &h->cache;
  const uint64_t start = offset - offset % VHDX_PAGE_SIZE;
  struct vhdx_page **bucket = bucket_of (c, start);
  struct vhdx_page *p;

  for (p = *bucket; p != NULL; p = p->bucket_next)
    if (p->offset == start) {
      if (p != c->newest) {
        lru_remove (c, p);
        lru_add (c, p);
      }
      *ret = p;
      return 0;
    }
  p = take_page (h, err);
  if (p == NULL)
    return -1;
  p->offset = start;
  p->dirty = 0;
  if (vhdx_file_read (h, p->data, VHDX_PAGE_SIZE, start, err) == -1) {
    c->nr_pages--;
    free (p);
    return -1;
  }
  p->zero = v2v_is_zero (p->data, VHDX_PAGE_SIZE);
  p->bucket_next = *bucket;
  *bucket = p;
  lru_add (c, p);
  *ret = p;
  return 0;
}

void
vhdx_cache_touch (struct vhdx *h, struct vhdx_page *page, uint64_t offset,
                  size_t len)
{
  const unsigned first = (unsigned) ((offset - page->offset) / VHDX_LOG_SECTOR);
  const unsigned last =
      (unsigned) ((offset - page->offset + len - 1) / VHDX_LOG_SECTOR);

  assert (offset >= page->offset && len > 0 && last < VHDX_PAGE_SECTORS);
  page->zero = false;
  for (unsigned s = first; s <= last; ++s)
    if (!(page->dirty & (1u << s))) {
      page->dirty |= 1u << s;
      h->cache.nr_dirty++;
    }
}

int
vhdx_cache_write_back (struct vhdx *h, struct v2v_error **err)
{
  for (struct vhdx_page *p = h->cache.oldest; p != NULL; p = p->newer)
    if (p->dirty != 0 && write_page (h, p, err) == -1)
      return -1;
  return 0;
}

void
vhdx_cache_free (struct vhdx *h)
{
  struct vhdx_page *p = h->cache.oldest;

  while (p != NULL) {
    struct vhdx_page *next = p->newer;

    free (p);
    p = next;
  }
  memset (&h->cache, 0, sizeof h->cache);
}
