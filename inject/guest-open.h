/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest on disk images: overlays, appliance, inspection, mounts.
 *
 *   v2v_guest_open_images -> v2v_guest_* (guest.h) ... -> v2v_guest_save
 *                         -> v2v_guest_close
 *
 * The images are never written.  Without v2v_guest_save nothing is kept.
 */
#ifndef V2V_GUEST_OPEN_H
#define V2V_GUEST_OPEN_H

#include <stdatomic.h>

#include <guestfs.h>

#include "formats/image.h"
#include "inject/guest.h"
#include "inject/guest-keys.h"

struct v2v_guest_open_opts {
  struct v2v_guest_opts guest; /* becomes the guest's; .root is used here */
  const struct v2v_guest_keys *keys; /* for encrypted disks, or NULL */
  /* Overlays "disk1.qcow2" ... are made here and stay there; NULL: in a
   * temporary place, and go with the guest. */
  const char *folder;
  const char *const *search; /* folders where parents of disks may be */
  /* Whose disks the images are, in its order; or NULL.  Becomes the guest's. */
  const struct v2v_machine *machine;
  const atomic_bool *cancel; /* or NULL */
  bool look_only;            /* v2v_guest_set_dry_run from the start */
  v2v_guest_step_fn *step;   /* v2v_guest_set_step from the start; or NULL */
  void *step_arg;
  double *ret_start_seconds; /* until the appliance runs; or NULL */
  /* Called when the appliance runs, before anything is mounted, and again
   * when the operating system is mounted (MOUNTED): evidence that must be
   * seen first, refusals.  NULL = none. */
  int (*gate) (struct v2v_guest *g, bool mounted, struct v2v_error **err);
};

/* Entries of IMAGES may be NULL (blank disks: not seen by the guest).  The
 * images are borrowed until close.  A machine without an operating system is
 * no error: its family is unknown and nothing is mounted.  Several without
 * opts->guest.root are V2V_ERR_GUEST, naming them. */
struct v2v_guest *v2v_guest_open_images (struct v2v_image *const *images,
                                         size_t n,
                                         const struct v2v_guest_open_opts *opts,
                                         struct v2v_error **err);

/* Unmount, free what the guest's file systems no longer use, end the
 * appliance: the overlays are complete then.  Only v2v_guest_close, and what
 * needs no appliance, may follow. */
int v2v_guest_save (struct v2v_guest *g, struct v2v_error **err);

/* Lay the overlays of FOLDER over IMAGES[i], which they replace. */
int v2v_guest_lay_overlays (const char *folder, struct v2v_image **images,
                            size_t n, struct v2v_error **err);

/* The libguestfs handle of G, for what guest.h has no word for; NULL when G
 * is a folder.  Borrowed; ended with the guest. */
guestfs_h *v2v_guest_libguestfs (struct v2v_guest *g);

#endif /* V2V_GUEST_OPEN_H */
