/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDKs made in memory, for the tests: every form our own writers and
 * qemu-img cannot make, and a good file of each for a test to damage.
 */
#ifndef VMDK_BUILD_H
#define VMDK_BUILD_H

#include "test-util.h"

/* A file being made, and the disk it must decode to. */
struct vb {
  uint8_t *p;
  size_t len;
  uint8_t *ref;
  size_t ref_len;
};
void vb_free (struct vb *b);

void vb_put32 (struct vb *b, size_t offset, uint32_t v);
void vb_put64 (struct vb *b, size_t offset, uint64_t v);
void vb_put16 (struct vb *b, size_t offset, uint16_t v);

/* Geometry of all hosted sparse files below: grains of 4 KiB, 128 entries in
 * a table (512 KiB), three tables of which the second is absent, a last grain
 * of half its size.  Sectors:
 *   0 header, 1..20 descriptor, 21 redundant directory, 22..24 its tables,
 *   25 directory, 26..28 tables, 32 first grain */
#define VB_GRAIN       4096u
#define VB_TABLE_SPAN  (128u * VB_GRAIN)
#define VB_CAPACITY    (2u * 128 * 8 + 20) /* sectors */
#define VB_SIZE        (VB_CAPACITY * 512u)
#define VB_RGD         (21 * 512u)
#define VB_RGT(n)      ((22 + (n)) * 512u)
#define VB_GD          (25 * 512u)
#define VB_GT(n)       ((26 + (n)) * 512u)
#define VB_FIRST_GRAIN 32u
#define VB_DESCRIPTOR  512u

#define VB_ZEROED_GTE    1u /* flag 4, and a grain with entry 1 */
#define VB_NO_DESCRIPTOR 2u

/* monolithicSparse.  Grains 0, 1, 3 (not in file order) and the first and
 * last of the third table have data. */
struct vb vb_sparse (unsigned flags);

/* Replace the embedded descriptor. */
void vb_descriptor (struct vb *b, const char *text);

#define VB_FOOTER     1u /* directory at the end; else in front */
#define VB_SHUFFLED   2u /* records not in the order of the disk */
#define VB_WHOLE_LAST 4u /* the last grain is stored whole */
/* streamOptimized with the same grains.  Records begin at sector 32. */
struct vb vb_stream (unsigned flags);
/* The first record inflates to half a grain. */
#define VB_SHORT_FIRST 8u
/* Where the first record's marker is. */
#define VB_RECORDS (32 * 512u)

/* COWD, 8-sector grains: two tables of 16 MiB, the second with the cut last
 * grain. */
struct vb vb_cowd (void);
#define VB_COWD_GD    2048u
#define VB_COWD_GT(n) (2560u + (n) *16384u)
/* seSparse, two tables. */
struct vb vb_sesparse (void);
#define VB_SE_VOLATILE 512u
#define VB_SE_GD       1024u
#define VB_SE_GT       (64 * 512u)

/* Files that see each other by name: open the first. */
struct vb_file {
  const char *name;
  const void *data;
  size_t len;
};
struct v2v_io *vb_folder (const struct vb_file *files, size_t n);

/* B as an io called NAME. */
struct v2v_io *vb_io (const struct vb *b, const char *name);
/* B as a forward-only io of unknown length. */
struct v2v_io *vb_pipe (const void *data, size_t len);

/* The disk of IMG is REF. */
void vb_expect (struct v2v_image *img, const void *ref, size_t len);
/* Reading IMG in pieces of STEP bytes from START on gives REF. */
void vb_expect_pieces (struct v2v_image *img, const void *ref, size_t len,
                       size_t start, size_t step);
/* Opening and reading everything fails so (the error may come late). */
void vb_expect_refused (struct v2v_io *io, enum v2v_error_code code,
                        const char *text);

#endif /* VMDK_BUILD_H */
