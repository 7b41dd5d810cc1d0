/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two forms that only ESX writes: COWD (vmfsSparse) and seSparse. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "mkvmdk.h"

/* ---- COWD ---- */

struct bytes
make_cowd (const struct disk *d)
{
  const uint64_t nr_gts = ceil_div (d->nr, 4096);
  struct bytes b = { NULL, 0 };
  size_t *tables = checked (calloc (nr_gts, sizeof *tables));
  bool first = true;
  size_t gd;

  grow (&b, 4 * SECTOR);
  gd = grow (&b, ceil_div (nr_gts * 4, SECTOR) * SECTOR);
  put (&b, 0, damage ("magic") ? 0x44574f44 : 0x44574f43, 4);
  put (&b, 4, damage ("version") ? 9 : 1, 4);
  put (&b, 8, 3, 4);
  put (&b, 12, d->raw.len / SECTOR, 4);
  put (&b, 16, damage ("grain-size") ? 0 : d->grain / SECTOR, 4);
  put (&b, 20, damage ("gd-past-end") ? 0x7fffff00 : gd / SECTOR, 4);
  put (&b, 24, nr_gts, 4);
  for (size_t i = 0; i < d->nr; ++i) {
    const size_t g = nth (d, i);
    size_t gt, at;

    if (state_of (d, g) == ABSENT)
      continue;
    gt = tables[g / 4096];
    if (gt == 0) {
      gt = tables[g / 4096] = grow (&b, 4096 * 4);
      put (&b, gd + g / 4096 * 4, gt / SECTOR, 4);
    }
    at = grow (&b, d->grain);
    memcpy (b.p + at, d->raw.p + g * d->grain, d->grain);
    put (&b, gt + g % 4096 * 4, entry_of (at, first, b.len / SECTOR), 4);
    first = false;
  }
  if (damage ("gt-past-end"))
    put (&b, gd, 0x7fffff, 4);
  put (&b, 28, b.len / SECTOR, 4); /* the next free sector */
  if (damage ("truncated"))
    b.len -= 2048;
  free (tables);
  return b;
}

/* ---- seSparse ---- */

struct bytes
make_sesparse (const struct disk *d)
{
  const uint64_t nr_gts = ceil_div (d->nr, 4096);
  const size_t table = 64 * SECTOR;
  struct bytes b = { NULL, 0 };
  uint64_t number = 0, used = 0;
  size_t vol, gd, gts, grains, *index;

  grow (&b, SECTOR);
  vol = grow (&b, SECTOR);
  pad_to (&b, 4096);
  gd = grow (&b, ceil_div (nr_gts * 8, 4096) * 4096);
  gts = grow (&b, nr_gts * table);
  grains = b.len;
  put (&b, 0, damage ("magic") ? 0xcafebabf : 0xcafebabe, 8);
  put (&b, 8, damage ("se-version") ? 0x100000001 : UINT64_C (0x200000001), 8);
  put (&b, 16, d->raw.len / SECTOR, 8);
  put (&b, 24, damage ("grain-size") ? 16 : 8, 8);
  put (&b, 32, 64, 8);
  put (&b, 80, vol / SECTOR, 8);
  put (&b, 88, 1, 8);
  put (&b, 128, damage ("gd-past-end") ? UINT64_C (1) << 40 : gd / SECTOR, 8);
  put (&b, 136, (gts - gd) / SECTOR, 8);
  put (&b, 144, gts / SECTOR, 8);
  put (&b, 152, nr_gts * 64, 8);
  put (&b, 192, grains / SECTOR, 8);
  put (&b, vol, 0xcafecafe, 8);
  put (&b, vol + 24, damage ("se-replay") ? 1 : 0, 8);
  index = checked (calloc (nr_gts, sizeof *index));
  for (size_t i = 0; i < d->nr; ++i) {
    const size_t g = nth (d, i);
    const enum state s = state_of (d, g);
    uint64_t entry;

    if (s == ABSENT)
      continue;
    if (index[g / 4096] == 0) {
      index[g / 4096] = ++used;
      put (&b, gd + g / 4096 * 8,
           (damage ("se-gde") ? UINT64_C (0x2000000000000000)
                              : UINT64_C (0x1000000000000000)) |
               (used - 1),
           8);
    }
    if (s == ZERO)
      /* Unmapped and zero in turn: both hide the parent. */
      entry = g % 2 ? UINT64_C (1) << 60 : UINT64_C (2) << 60;
    else {
      const uint64_t n = damage ("se-grain") ? number + 1000000 : number;
      const size_t at = grow (&b, 4096);

      memcpy (b.p + at, d->raw.p + g * 4096, 4096);
      entry = UINT64_C (3) << 60 | (n & 0xfff) << 48 | n >> 12;
      if (damage ("se-type"))
        entry = entry ^ UINT64_C (7) << 60;
      number++;
    }
    put (&b, gts + (index[g / 4096] - 1) * table + g % 4096 * 8, entry, 8);
  }
  put (&b, 200, (b.len - grains) / SECTOR, 8);
  if (damage ("truncated"))
    b.len -= 2048;
  free (index);
  return b;
}
