/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overlays: what is changed in a guest goes into a qcow2 file of ours; the
 * disk below is only read.  Afterwards the overlay's own map tells what was
 * changed, what was freed and what was left alone.
 */
#ifndef V2V_OVERLAY_H
#define V2V_OVERLAY_H

#include "formats/core/error.h"
#include "formats/image.h"
#include "inject/disk-server.h"

struct v2v_overlay;

/* Make PATH (it must not be there) an empty overlay over IMG, which is served
 * until v2v_overlay_detach.  IMG is borrowed until then. */
struct v2v_overlay *v2v_overlay_new (struct v2v_image *img, const char *path,
                                     const struct v2v_disk_origin *origin,
                                     struct v2v_error **err);
const char *v2v_overlay_path (const struct v2v_overlay *o); /* borrowed */
/* End the server and put the file safely on the disk: it is complete. */
int v2v_overlay_detach (struct v2v_overlay *o, struct v2v_error **err);
/* Ends the server; the file stays.  Accepts NULL. */
void v2v_overlay_free (struct v2v_overlay *o);

/* Lay the complete overlay PATH over *IMG, which it replaces: changed ranges
 * come from PATH, freed ones are zeros, all else comes from what was *IMG. */
int v2v_overlay_lay (const char *path, struct v2v_image **img,
                     struct v2v_error **err);

#endif /* V2V_OVERLAY_H */
