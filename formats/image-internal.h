/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared among image.c, image-drivers.c and the drivers; not outside. */
#ifndef V2V_IMAGE_INTERNAL_H
#define V2V_IMAGE_INTERNAL_H

#include "formats/image.h"

enum v2v_image_state {
  STATE_READ,     /* opened for reading */
  STATE_WRITE,    /* created, resumed or open_rw; not finished */
  STATE_FINISHED, /* finish succeeded */
};

struct v2v_image {
  const struct v2v_image_ops *ops;
  void *h;
  enum v2v_image_state state;
  char *name;
  struct v2v_io *io;    /* NULL for URIs and null */
  bool io_is_part;      /* io was made by v2v_io_create_part */
  uint64_t found_bytes; /* its length before the driver's resume */
  struct v2v_image *parent;
  unsigned chain_length;
  struct v2v_image_info info;
};

/* image.c */
struct v2v_image *v2v_image_new (const struct v2v_image_ops *ops,
                                 const char *name, struct v2v_error **err);
/* Ask the driver what it has, and do not believe nonsense. */
int v2v_image_refresh_info (struct v2v_image *img, struct v2v_error **err);
/* Decide the driver for IO: declared, or by evidence, or raw by its name. */
const struct v2v_image_ops *
v2v_image_choose_driver (struct v2v_io *io, const struct v2v_open_opts *opts,
                         struct v2v_error **err);
/* Is the range inside the disk? */
int v2v_image_check_range (const struct v2v_image *img, uint64_t len,
                           uint64_t offset, struct v2v_error **err);

/* The drivers, for image-drivers.c. */
extern const struct v2v_image_ops v2v_nbd_ops;
extern const struct v2v_image_ops v2v_null_ops;
extern const struct v2v_image_ops v2v_qcow2_ops;
extern const struct v2v_image_ops v2v_raw_ops;
extern const struct v2v_image_ops v2v_vhd_ops;
extern const struct v2v_image_ops v2v_vmdk_ops;
extern const struct v2v_image_ops v2v_vhdx_ops;

#endif /* V2V_IMAGE_INTERNAL_H */
