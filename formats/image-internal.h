/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared among image.c, image-drivers.c and the drivers; not outside. */
#ifndef V2V_IMAGE_INTERNAL_H
#define V2V_IMAGE_INTERNAL_H

#include "formats/image.h"

extern const struct v2v_image_ops v2v_nbd_ops;
extern const struct v2v_image_ops v2v_null_ops;
extern const struct v2v_image_ops v2v_qcow2_ops;
extern const struct v2v_image_ops v2v_raw_ops;
extern const struct v2v_image_ops v2v_vhd_ops;
extern const struct v2v_image_ops v2v_vmdk_ops;
extern const struct v2v_image_ops v2v_vhdx_ops;

#endif /* V2V_IMAGE_INTERNAL_H */
