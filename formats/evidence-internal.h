/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by evidence.c and evidence-fat.c. */
#ifndef V2V_EVIDENCE_INTERNAL_H
#define V2V_EVIDENCE_INTERNAL_H

#include "formats/evidence.h"

struct v2v_evidence_disk {
  struct v2v_image *img;
  uint64_t size;   /* bytes */
  uint64_t budget; /* bytes that may still be read */
};

/* Read a range.  *RET_OK false: it is not inside the disk, or the budget is
 * spent; less evidence, no error.  -1: reading failed. */
int v2v_evidence_read (struct v2v_evidence_disk *d, void *buf, size_t len,
                       uint64_t offset, bool *ret_ok, struct v2v_error **err);

/* Look for loaders in the FAT of the partition that EV->esp_* names. */
int v2v_evidence_scan_esp (struct v2v_evidence_disk *d,
                           struct v2v_disk_evidence *ev,
                           struct v2v_error **err);

#endif /* V2V_EVIDENCE_INTERNAL_H */
