/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The path of a differencing disk's parent as Windows will look for it. */
#ifndef V2V_PARENT_PATH_H
#define V2V_PARENT_PATH_H

#include "formats/image.h"

/* The path from the folder of CHILD (which is being created) to the file of
 * PARENT, in Windows form: ".\base.vhdx" where both are in one folder, else
 * "..\base\base.vhdx".  What is no file with a path is taken to be beside the
 * other.  NULL and ERR if a folder cannot be resolved; the caller frees.
 */
char *v2v_parent_relative_path (const struct v2v_io *child,
                                const struct v2v_image *parent,
                                struct v2v_error **err);

/* The same between two paths, whose folders must be there; nothing is told. */
char *v2v_parent_path_between (const char *child, const char *parent,
                               struct v2v_error **err);

#endif /* V2V_PARENT_PATH_H */
