/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program of Windows' first boot, built from this folder by mingw-w64 and
 * embedded here: one per architecture that the build had a compiler for.
 */
#ifndef V2V_FIRSTBOOT_PROGRAMS_H
#define V2V_FIRSTBOOT_PROGRAMS_H

#include <stddef.h>

struct v2v_firstboot_program {
  const char *arch; /* "x86_64", "i386"; NULL ends the list */
  const void *data;
  size_t len;
  const char *sha256;
};
extern const struct v2v_firstboot_program v2v_firstboot_programs[];

#endif /* V2V_FIRSTBOOT_PROGRAMS_H */
