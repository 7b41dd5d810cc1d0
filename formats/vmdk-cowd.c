/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* COWD extents: createType vmfsSparse, the snapshots of ESX on VMFS up to 2
 * TiB.  "Virtual Disk Format 5.0", "ESX Server Sparse Extents".
 *
 * Tables of 4096 entries, no redundant copies, no zeroed grains.  The names
 * and the parent inside the header are ignored: the descriptor rules.
 */

#include <config.h>

#include <inttypes.h>

#include "formats/core/bytes.h"
#include "formats/core/log.h"
#include "formats/vmdk-internal.h"

static int
cowd_entry (const struct vmdk_map *m, const uint8_t *p, uint64_t *ret)
{
  (void) m;
  *ret = (uint64_t) v2v_le32 (p) * VMDK_SECTOR;
  return 0;
}

static int
cowd_check (struct vmdk_map *m, const uint8_t *p, uint64_t *ret_gd,
            struct v2v_error **err)
{
  const uint32_t capacity = v2v_le32 (p + VMDK_COWD_CAPACITY);
  const uint32_t grain = v2v_le32 (p + VMDK_COWD_GRAIN_SIZE);
  const uint32_t nr_gds = v2v_le32 (p + VMDK_COWD_GD_ENTRIES);
  const uint64_t gd = v2v_le32 (p + VMDK_COWD_GD_OFFSET);
  const uint64_t free_sector = v2v_le32 (p + VMDK_COWD_FREE_SECTOR);
  const uint64_t file_size = v2v_io_size (m->io);
  uint64_t expected;

  if (v2v_le32 (p) != VMDK_COWD_MAGIC)
    return vmdk_map_fail (m, err,
                          "COWD header: magic 0x%08" PRIx32 ", expected 0x%08x",
                          v2v_le32 (p), VMDK_COWD_MAGIC);
  if (v2v_le32 (p + VMDK_COWD_VERSION) != 1)
    return vmdk_map_fail (m, err,
                          "COWD header: version %" PRIu32 ", expected 1",
                          v2v_le32 (p + VMDK_COWD_VERSION));
  if (v2v_le32 (p + VMDK_COWD_FLAGS) != 3)
    return vmdk_map_fail (m, err,
                          "COWD header: flags 0x%" PRIx32 ", expected 0x3",
                          v2v_le32 (p + VMDK_COWD_FLAGS));
  if (capacity == 0)
    return vmdk_map_fail (m, err, "COWD header: capacity 0");
  if (grain == 0 || grain > VMDK_COWD_MAX_GRAIN_SECTORS)
    return vmdk_map_fail (
        m, err, "COWD header: grain of %" PRIu32 " sectors, expected 1..%u",
        grain, VMDK_COWD_MAX_GRAIN_SECTORS);
  expected = v2v_div_up (capacity, (uint64_t) VMDK_COWD_GTES * grain);
  if (nr_gds != expected)
    return vmdk_map_fail (m, err,
                          "COWD header: grain directory of %" PRIu32
                          " entries, expected %" PRIu64,
                          nr_gds, expected);
  if (gd < VMDK_COWD_HEADER_BYTES / VMDK_SECTOR ||
      !v2v_range_inside (gd * VMDK_SECTOR, (uint64_t) nr_gds * 4, file_size))
    return vmdk_map_fail (m, err,
                          "COWD header: grain directory at sector "
                          "%" PRIu64 ", expected %d..%" PRIu64,
                          gd, VMDK_COWD_HEADER_BYTES / VMDK_SECTOR,
                          file_size / VMDK_SECTOR);
  if (free_sector > v2v_div_up (file_size, VMDK_SECTOR))
    return vmdk_map_fail (m, err,
                          "COWD header: next free sector %" PRIu64
                          ", past the end of the file (%" PRIu64
                          "): the file is truncated",
                          free_sector, v2v_div_up (file_size, VMDK_SECTOR));
  m->size_bytes = (uint64_t) capacity * VMDK_SECTOR;
  m->grain_bytes = (uint64_t) grain * VMDK_SECTOR;
  m->nr_gds = nr_gds;
  *ret_gd = gd * VMDK_SECTOR;
  return 0;
}

static int
cowd_load (struct vmdk_map *m, struct v2v_error **err)
{
  uint8_t header[VMDK_COWD_HEADER_BYTES];
  uint64_t gd = 0;

  if (v2v_io_size (m->io) < sizeof header)
    return vmdk_map_fail (
        m, err, "COWD header: the file has %" PRIu64 " bytes, expected %d",
        v2v_io_size (m->io), VMDK_COWD_HEADER_BYTES);
  if (v2v_io_pread (m->io, header, sizeof header, 0, err) == -1 ||
      cowd_check (m, header, &gd, err) == -1)
    return -1;
  m->nr_gtes = VMDK_COWD_GTES;
  m->entry_bytes = 4;
  m->table_unit = VMDK_SECTOR;
  m->entry = cowd_entry;
  vmdk_map_add_metadata (m, 0, sizeof header);
  vmdk_map_add_metadata (m, gd, (uint64_t) m->nr_gds * 4);
  if (vmdk_map_allocate (m, err) == -1 ||
      v2v_io_pread (m->io, m->gd, (size_t) m->nr_gds * 4, gd, err) == -1)
    return -1;
  for (uint32_t i = 0; i < m->nr_gds; ++i)
    m->gd[i] = v2v_le32 (&m->gd[i]);
  if (v2v_le32 (header + VMDK_COWD_UNCLEAN) != 0)
    v2v_warn ("%s: was not closed cleanly; it has no redundant tables to "
              "compare with, it is read as it is",
              v2v_io_name (m->io));
  return 0;
}

struct vmdk_map *
vmdk_cowd_open (struct v2v_io *io, struct vmdk_cache *cache, const char *name,
                struct v2v_error **err)
{
  struct vmdk_map *m = vmdk_map_new (io, cache, name, err);

  if (m != NULL && cowd_load (m, err) == -1) {
    vmdk_map_free (m);
    return NULL;
  }
  return m;
}
