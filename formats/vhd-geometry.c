/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cylinders, heads and sectors of a VHD: "CHS Calculation" in the appendix of
 * the VHD specification 1.0.  Informative for everyone but old readers, which
 * take the size of the disk from it.
 */

#include <config.h>

#include "formats/vhd-format.h"

#define MAX_CYLINDERS 65535u
/* The largest geometry, about 127.5 GiB. */
#define MAX_SECTORS (UINT64_C (65535) * 16 * 255)

struct vhd_geometry
vhd_geometry_of (uint64_t nr_sectors)
{
  const uint64_t total = v2v_min_u64 (nr_sectors, MAX_SECTORS);
  uint64_t sectors, heads, cylinder_heads;

  if (total >= (uint64_t) MAX_CYLINDERS * 16 * 63) {
    sectors = 255;
    heads = 16;
    cylinder_heads = total / sectors;
  }
  else {
    sectors = 17;
    cylinder_heads = total / sectors;
    heads = v2v_max_u64 (4, v2v_div_up (cylinder_heads, 1024));
    if (cylinder_heads >= heads * 1024 || heads > 16) {
      sectors = 31;
      heads = 16;
      cylinder_heads = total / sectors;
    }
    if (cylinder_heads >= heads * 1024) {
      sectors = 63;
      heads = 16;
      cylinder_heads = total / sectors;
    }
  }
  return (struct vhd_geometry){
    .cylinders = (uint16_t) (cylinder_heads / heads),
    .heads = (uint8_t) heads,
    .sectors = (uint8_t) sectors,
  };
}

uint64_t
vhd_geometry_sectors (struct vhd_geometry g)
{
  return (uint64_t) g.cylinders * g.heads * g.sectors;
}

/* The geometry of a larger count may use other heads or tracks, so the next
 * whole cylinder is found by asking: at most one cylinder of 16 * 255 sectors
 * (or the jump between two kinds of geometry) away.
 */
uint64_t
vhd_round_up_to_geometry (uint64_t nr_sectors)
{
  if (nr_sectors >= MAX_SECTORS)
    return nr_sectors;
  for (uint64_t t = nr_sectors;; ++t) {
    const uint64_t n = vhd_geometry_sectors (vhd_geometry_of (t));

    if (n >= nr_sectors && vhd_geometry_sectors (vhd_geometry_of (n)) == n)
      return n;
  }
}
