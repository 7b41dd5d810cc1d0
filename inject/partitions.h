/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The partitions of a disk: GPT and MBR, logical ones too. */
#ifndef V2V_PARTITIONS_H
#define V2V_PARTITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/text.h"
#include "formats/evidence.h"
#include "formats/image.h"

struct v2v_partition {
  unsigned number;      /* as Linux counts: /dev/sdaN; 0 = the whole disk */
  uint64_t offset;      /* bytes */
  uint64_t length;      /* inside the disk */
  bool cut_off;         /* the table says more than the disk has */
  uint8_t mbr_type;     /* 0 with GPT */
  struct v2v_guid type; /* of a GPT entry, else zero */
  struct v2v_guid uuid;
};

/* More than any tool makes; a GPT has 128 entries. */
#define V2V_MAX_PARTITIONS 256

struct v2v_partitions {
  enum v2v_partition_table table;
  struct v2v_partition *ptr;
  size_t len;
  size_t cap;
};

/* In the order of the table.  A disk without one gives one entry with number
 * 0, unless it is empty.  Fails only when reading fails. */
int v2v_partitions_read (struct v2v_image *img, struct v2v_partitions *ret,
                         struct v2v_error **err);
void v2v_partitions_clear (struct v2v_partitions *p);

/* What the volume managers of Windows made: dynamic disks, storage pools. */
bool v2v_partition_is_ldm (const struct v2v_partition *p);
bool v2v_partition_is_storage_spaces (const struct v2v_partition *p);

#endif /* V2V_PARTITIONS_H */
